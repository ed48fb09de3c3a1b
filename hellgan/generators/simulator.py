"""A user's own simulator as a generator."""

import inspect
from collections.abc import Callable

import equinox as eqx
import jax
import jax.numpy as jnp

from hellgan import latents
from hellgan.checks import shown
from hellgan.constraints import Constraint
from hellgan.execution import tracing
from hellgan.functions import OwnFunction
from hellgan.generators.family import Generator
from hellgan.latents import Law
from hellgan.parameters import check_distinct


class Simulator(Generator):
    """A user's own function as a generator; made by the decorator ``hg.generator``."""

    function: Callable = eqx.field(static=True)
    spaces: tuple[tuple[str, Constraint], ...] = eqx.field(static=True)
    latent_law: Law = eqx.field(static=True)
    latent_size: int = eqx.field(static=True)
    observation_size: int = eqx.field(static=True)
    covariate_count: int = eqx.field(static=True, default=0)
    is_smoothed: bool = eqx.field(static=True, default=False)

    @property
    def parameters(self):
        return dict(self.spaces)

    @property
    def law(self):
        return self.latent_law

    @property
    def latent_dim(self):
        return self.latent_size

    @property
    def dim(self):
        return self.observation_size

    @property
    def covariates(self):
        return self.covariate_count

    @property
    def may_jump(self):
        return True

    @property
    def jumps(self):
        return self.is_smoothed

    @property
    def name(self):
        return getattr(self.function, "__name__", "simulator")

    def draw(self, z, /, **natural):  # a parameter of the user's may be called z
        if not self.covariates:
            return jnp.asarray(self.function(z, **natural))
        x, z = (part[0] if part.size == 1 else part for part in (z[: self.covariates], z[self.covariates :]))
        return jnp.append(x, jnp.asarray(self.function(z, x, **natural)))


def generator(
    *bare,
    latent: str = "normal",
    latent_dim: int = 1,
    covariates: int = 0,
    jumps: bool = False,
    **parameters: Constraint,
):
    """Turn a function of one latent draw and named parameters into a generator.

    Parameters
    ----------
    latent : {"normal", "uniform"}
        Law of the latent draw; uniform draws lie strictly inside (0, 1).
    latent_dim : int
        1 gives the function a number, k > 1 a vector of length k.
    covariates : int
        How many covariates the response has. The function is then ``f(z, x, **parameters)``, x a number for one
        covariate and a vector for more, and returns a number, the response; the data are rows of covariates and,
        last, the response.
    jumps : bool
        Whether draws may be discontinuous in the parameters, as of ``jnp.where(u < p, 0, ...)``, of counts and of
        rounded numbers: derivatives draw by draw are then not those of the simulated means, and such a fit gets no
        certificate. With ``jumps=True`` a fit scatters the parameters of the simulated draws a little and takes slopes
        from that, which needs more draws and is some ten times slower.
    **parameters : Constraint
        ``hg.real()``, ``hg.positive()``, ``hg.interval(lo, hi)`` or ``hg.simplex(k)`` for each parameter.

    Returns
    -------
    decorator
        Of a function ``f(z, **parameters)``, written with ``jax.numpy`` for one draw, natural scale, that returns a
        number or a vector of length d.

    Raises
    ------
    ValueError, TypeError
        For a function that does not take the named parameters, fails on one draw, or draws random numbers itself.

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> import hellgan as hg
    >>> @hg.generator(latent="uniform", loc=hg.real(), scale=hg.positive())
    ... def gumbel(u, loc, scale):
    ...     return loc - scale * jnp.log(-jnp.log(u))
    >>> gumbel.names
    ['loc', 'scale']
    """
    if bare:
        raise TypeError("generator: name the parameters, as in @hg.generator(loc=hg.real()), before the function.")
    law = latents.get(latent)
    if isinstance(latent_dim, bool) or not isinstance(latent_dim, int) or latent_dim < 1:
        raise ValueError(f"latent_dim: got {shown(latent_dim)}; give a positive integer.")
    if isinstance(covariates, bool) or not isinstance(covariates, int) or covariates < 0:
        raise ValueError(f"covariates: got {shown(covariates)}; give the number of covariates, 0 for none.")
    if not isinstance(jumps, bool):
        raise TypeError(f"jumps: got {shown(jumps)}; give True or False, or name the parameter otherwise.")
    if jumps and covariates:
        raise ValueError("jumps: a response with covariates cannot be smoothed; write it continuous in the parameters.")
    if not parameters:
        raise ValueError("generator: no parameters; name at least one, as in loc=hg.real().")
    for name, space in parameters.items():
        if not isinstance(space, Constraint):
            raise TypeError(
                f"{name}: got {shown(space)}; give hg.real(), hg.positive(), hg.interval(lo, hi) or hg.simplex(k)."
            )

    check_distinct(parameters)

    def wrap(function: Callable) -> Simulator:
        _check_signature(function, parameters, covariates)
        own = OwnFunction(function, "generator")
        dim = _observation_size(own, parameters, latent_dim, covariates, 0 if jumps else 2)
        return Simulator(own, tuple(parameters.items()), law, latent_dim, covariates + dim, covariates, jumps)

    return wrap


def _check_signature(function, parameters, covariates):
    if not callable(function):
        raise TypeError(
            f"generator: got {shown(function)}; decorate a function of one latent draw and named parameters."
        )
    try:
        arguments = list(inspect.signature(function).parameters.values())
    except ValueError:  # some builtins tell nothing; whether they work is tried next
        return
    if any(a.kind in (a.VAR_KEYWORD, a.VAR_POSITIONAL) for a in arguments):
        return
    given = "latent draw and covariates" if covariates else "latent draw"
    taken = [a.name for a in arguments[2 if covariates else 1 :]]
    if set(taken) != set(parameters):
        raise ValueError(
            f"generator: the function takes {taken} after its {given}, the decorator names {list(parameters)}; "
            "the two must agree."
        )


class _NoObservation(ValueError):
    """What a function returns is no observation."""


def _observation_size(function, parameters, latent_dim, covariates, orders):
    given = [
        jax.ShapeDtypeStruct(() if size == 1 else (size,), jnp.float32) for size in (latent_dim, covariates) if size
    ]
    natural = {name: jax.ShapeDtypeStruct(space.shape, jnp.float32) for name, space in parameters.items()}

    def drawn(given, natural):
        out = function(*given, **natural)
        if out is None:
            raise _NoObservation("generator: the function returns nothing; end it with return.")
        try:
            return jnp.asarray(out)
        except TypeError:
            raise _NoObservation(
                f"generator: the function returns {shown(out)}; return a number or a vector, one observation."
            ) from None

    try:
        out = jax.eval_shape(drawn, given, natural)
    except _NoObservation as error:
        raise ValueError(str(error)) from None
    except Exception as error:
        several = "; for a vector of latent draws give latent_dim=" if latent_dim == 1 and _indexes(error) else ""
        raise ValueError(
            f"generator: the function fails on one latent draw: {tracing.failure(error)}{several}."
        ) from error
    shape = out.shape
    if len(shape) > 1 or shape == (0,):
        raise ValueError(
            f"generator: the function returns shape {shape}; return a number or a vector, one observation."
        )
    if covariates and shape:
        raise ValueError(
            f"generator: the function returns shape {shape}; with covariates return a number, the response."
        )
    if not jnp.issubdtype(out.dtype, jnp.floating):
        raise ValueError(
            f"generator: the function returns {out.dtype.name}; return floating-point numbers, smooth in the "
            "parameters."
        )
    why = tracing.trouble(drawn, given, natural, orders=orders, once=True)
    if why:
        raise ValueError(f"generator: the function {why}.")
    return shape[0] if shape else 1


def _indexes(error: Exception) -> bool:
    """Whether a function fails since it takes a number for a vector."""
    return isinstance(error, IndexError) or "0-d" in str(error) or "unpack" in str(error) or "len()" in str(error)
