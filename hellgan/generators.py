"""Generators G_theta: simulators with named parameters.

A generator is written for one latent draw and one observation. It has no parameters of its own: the flat vector
``theta`` holds them on the unconstrained scale, ``natural(theta)`` by name on the natural one.
"""

import abc
import dataclasses
import inspect
from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from hellgan import constraints as spaces
from hellgan import latents
from hellgan.constraints import Constraint
from hellgan.latents import Law

Natural = dict[str, jax.Array]


class Generator(eqx.Module):
    """A family of laws that can be simulated; abstract.

    Attributes
    ----------
    parameters : dict of str to Constraint
        Names and spaces, in the order of reports.
    law : Law
        Law of each latent coordinate.
    latent_dim : int
        Coordinates of one latent draw; 1 means that ``draw`` gets a number.
    dim : int
        Coordinates of one observation; 1 means that ``draw`` returns a number.
    """

    @property
    @abc.abstractmethod
    def parameters(self) -> dict[str, Constraint]: ...

    @property
    @abc.abstractmethod
    def law(self) -> Law: ...

    @property
    def latent_dim(self) -> int:
        return 1

    @property
    def dim(self) -> int:
        return 1

    @property
    def name(self) -> str:
        return type(self).__name__

    @abc.abstractmethod
    def draw(self, z: jax.Array, /, **natural: jax.Array) -> jax.Array:
        """Simulate one observation from one latent draw, () or (latent_dim,); returns () or (dim,)."""

    def start(self, x: np.ndarray, weights: np.ndarray) -> dict[str, np.ndarray] | None:
        """Give robust starting values on the natural scale, or None where the solver shall search.

        ``x`` is (n,) or (n, dim); ``weights`` (n,) sum to 1. A sample that the family cannot have raises
        ``ValueError``.
        """
        return None

    def log_density(self, x: jax.Array, **natural: jax.Array) -> jax.Array:
        """Log density at one observation, for the families that have one."""
        raise TypeError(f"{self.name} has no density in closed form.")

    def fix(self, **values) -> "Fixed":
        """Hold some parameters at given natural values; the same family with fewer parameters."""
        return Fixed.of(self, values)

    # What follows is shared by all and overridden by none.

    @property
    def has_density(self) -> bool:
        """Whether ``log_density`` is there."""
        family = self.generator if isinstance(self, Fixed) else self
        return type(family).log_density is not Generator.log_density

    @property
    def size(self) -> int:
        """p, the length of ``theta``."""
        return sum(space.size for space in self.parameters.values())

    def natural(self, theta: jax.Array) -> Natural:
        """Map ``theta`` (p,) to named natural values."""
        values, at = {}, 0
        for name, space in self.parameters.items():
            values[name] = space.to_natural(theta[at : at + space.size])
            at += space.size
        return values

    def natural_vector(self, theta: jax.Array) -> jax.Array:
        """Map ``theta`` (p,) to the flat vector of natural values that reports show."""
        return jnp.concatenate([jnp.ravel(value) for value in self.natural(theta).values()])

    def theta(self, **natural) -> np.ndarray:
        """Invert ``natural``; raises ``ValueError`` for a missing name or a value outside its space."""
        _check_names(self, natural, missing=True)
        for name, space in self.parameters.items():
            trouble = space.problem(natural[name])
            if trouble:
                raise ValueError(f"{name}: {trouble}; {self.name} needs it {_describe(space)}.")
        return np.concatenate([space.to_free(natural[name]) for name, space in self.parameters.items()])

    @property
    def names(self) -> list[str]:
        """Name every natural number, in the order of ``natural_vector``."""
        return [e for name, space in self.parameters.items() for e in space.element_names(name)]

    @property
    def free_names(self) -> list[str]:
        """Name every element of ``theta``: the natural name behind the map to the real line."""
        words = {"positive": "log ", "interval": "logit ", "simplex": "log ratio ", "correlation": "free "}
        return [
            words.get(space.kind, "") + e
            for name, space in self.parameters.items()
            for e in space.element_names(name)[: space.size]
        ]

    @property
    def element_spaces(self) -> list[Constraint]:
        """The space of every natural number, in the order of ``names``."""
        return [space for space in self.parameters.values() for _ in range(space.natural_size)]

    def __call__(self, theta: jax.Array, z: jax.Array) -> jax.Array:
        """Simulate one observation at ``theta`` (p,)."""
        return self.draw(z, **self.natural(theta))


class Fixed(Generator):
    """A generator with some of its parameters held at given values; made by ``Generator.fix``."""

    generator: Generator
    values: dict[str, Any]

    @staticmethod
    def of(generator: Generator, values: dict) -> "Fixed":
        _check_names(generator, values, missing=False)
        for name, value in values.items():
            trouble = generator.parameters[name].problem(value)
            if trouble:
                raise ValueError(
                    f"fix: {name} {trouble}; {generator.name} needs it {_describe(generator.parameters[name])}."
                )
        if len(values) == len(generator.parameters):
            raise ValueError("fix: every parameter is fixed; leave at least one to estimate.")
        values = {name: np.asarray(value, np.float64) for name, value in values.items()}
        if isinstance(generator, Fixed):
            return Fixed(generator.generator, {**generator.values, **values})
        return Fixed(generator, values)

    @property
    def parameters(self):
        return {name: s for name, s in self.generator.parameters.items() if name not in self.values}

    @property
    def law(self):
        return self.generator.law

    @property
    def latent_dim(self):
        return self.generator.latent_dim

    @property
    def dim(self):
        return self.generator.dim

    @property
    def name(self):
        return self.generator.name

    def draw(self, z, /, **natural):
        return self.generator.draw(z, **natural, **self.values)

    def start(self, x, weights):
        start = self.generator.start(x, weights)
        return None if start is None else {name: v for name, v in start.items() if name not in self.values}

    def log_density(self, x, **natural):
        return self.generator.log_density(x, **natural, **self.values)


class LocationScale(Generator):
    """A location-scale family, ``loc + scale * z``: the latent draw is the standardised noise itself."""

    family: str = eqx.field(static=True)
    noise: Law = eqx.field(static=True)
    arguments: tuple[tuple[str, float], ...] = eqx.field(static=True, default=())

    @property
    def parameters(self):
        return {"loc": spaces.real(), "scale": spaces.positive()}

    law = property(lambda self: self.noise)
    name = property(lambda self: self.family)

    def draw(self, z, loc, scale):
        return loc + scale * z

    def start(self, x, weights):
        # Quantiles .5 and .75 of a symmetric law are its median and its median plus its absolute deviation.
        middle, upper = self.noise.quantile(np.array([0.5, 0.75]))
        scale = robust_scale(x, weights) / (MAD * (upper - middle))
        return {"loc": quantile(x, 0.5, weights) - scale * middle, "scale": scale}

    def log_density(self, x, loc, scale):
        return self.noise.log_density((x - loc) / scale) - jnp.log(scale)


def Normal() -> LocationScale:
    """Normal law of mean ``loc`` and standard deviation ``scale``."""
    return LocationScale("Normal", latents.normal)


def Laplace() -> LocationScale:
    """Laplace (double exponential) law."""
    return LocationScale("Laplace", latents.laplace)


def Logistic() -> LocationScale:
    """Logistic law."""
    return LocationScale("Logistic", latents.logistic)


def Cauchy() -> LocationScale:
    """Cauchy law."""
    return LocationScale("Cauchy", latents.cauchy)


def Uniform() -> LocationScale:
    """Uniform law on (loc, loc + scale)."""
    return LocationScale("Uniform", latents.uniform)


def StudentT(df: float) -> LocationScale:
    """Student's t law of given degrees of freedom."""
    if isinstance(df, bool) or not isinstance(df, (int, float, np.number)):
        raise TypeError(f"df: got {df!r}; give a positive number of degrees of freedom.")
    if not 0 < df < np.inf:
        raise ValueError(f"df: got {df!r}; give a positive, finite number of degrees of freedom.")
    return LocationScale("StudentT", latents.student_t(float(df)), (("df", float(df)),))


class Exponential(Generator):
    """Exponential law on the positive half-line, of mean ``scale``."""

    parameters = property(lambda self: {"scale": spaces.positive()})
    law = property(lambda self: latents.exponential)

    def draw(self, z, scale):
        return scale * z

    def start(self, x, weights):
        _need_nonnegative(self, x)
        return {"scale": _positive(quantile(x, 0.5, weights), x, weights) / np.log(2)}

    def log_density(self, x, scale):
        return latents.exponential.log_density(x / scale) - jnp.log(scale)


class LogNormal(Generator):
    """Log-normal law: log x is normal with mean log(``scale``) and standard deviation ``s``."""

    parameters = property(lambda self: {"s": spaces.positive(), "scale": spaces.positive()})
    law = property(lambda self: latents.normal)

    def draw(self, z, s, scale):
        return scale * jnp.exp(s * z)

    def start(self, x, weights):
        _need_nonnegative(self, x)
        logs = np.log(np.maximum(x, np.min(x[x > 0], initial=np.inf) / 2)) if np.any(x > 0) else x
        return {"s": robust_scale(logs, weights), "scale": np.exp(quantile(logs, 0.5, weights))}

    def log_density(self, x, s, scale):
        positive = jnp.where(x > 0, x, 1.0)
        log_x = jnp.log(positive)
        return jnp.where(x > 0, latents.normal.log_density((log_x - jnp.log(scale)) / s) - jnp.log(s) - log_x, -jnp.inf)


class MultivariateNormal(Generator):
    """Normal law in d dimensions, reported as locations, scales and correlations."""

    d: int = eqx.field(static=True)

    def __init__(self, d: int):
        if isinstance(d, bool) or not isinstance(d, (int, np.integer)) or d < 2:
            raise ValueError(f"d: got {d!r}; give an integer dimension of at least 2 (Normal() is the family for 1).")
        self.d = int(d)

    @property
    def parameters(self):
        shape = (self.d,)
        return {"loc": spaces.real(shape), "scale": spaces.positive(shape), "corr": spaces.correlation(self.d)}

    law = property(lambda self: latents.normal)
    latent_dim = property(lambda self: self.d)
    dim = property(lambda self: self.d)

    def draw(self, z, loc, scale, corr):
        return loc + scale * (_correlation_factor(corr, self.d) @ z)

    def start(self, x, weights):
        scale = np.array([robust_scale(column, weights) for column in x.T])
        t = x / scale
        corr = np.eye(self.d)
        for i in range(self.d):
            for j in range(i):
                # Gnanadesikan and Kettenring (1972): a correlation from two robust scales.
                plus, minus = (_deviation(t[:, i] + sign * t[:, j], weights) ** 2 for sign in (1, -1))
                # Both are 0 where more than half of the rows are equal.
                corr[i, j] = corr[j, i] = (plus - minus) / (plus + minus) if plus + minus > 0 else 0.0
        values, vectors = np.linalg.eigh(corr)
        corr = (vectors * np.maximum(values, 0.05)) @ vectors.T
        corr = corr / np.sqrt(np.outer(np.diag(corr), np.diag(corr)))
        loc = np.array([quantile(column, 0.5, weights) for column in x.T])
        return {"loc": loc, "scale": scale, "corr": corr[np.tril_indices(self.d, -1)]}

    def log_density(self, x, loc, scale, corr):
        factor = _correlation_factor(corr, self.d)
        whitened = jax.scipy.linalg.solve_triangular(factor, (x - loc) / scale, lower=True)
        log_det = jnp.sum(jnp.log(scale)) + jnp.sum(jnp.log(jnp.diag(factor)))
        return -0.5 * (whitened @ whitened + self.d * jnp.log(2 * jnp.pi)) - log_det


def _correlation_factor(corr, d):
    matrix = jnp.zeros((d, d), corr.dtype).at[np.tril_indices(d, -1)].set(corr)
    return jnp.linalg.cholesky(matrix + matrix.T + jnp.eye(d, dtype=corr.dtype))


# A user's own simulator.


class Simulator(Generator):
    """A user's own function as a generator; made by the decorator ``hg.generator``."""

    function: Callable = eqx.field(static=True)
    spaces: tuple[tuple[str, Constraint], ...] = eqx.field(static=True)
    latent_law: Law = eqx.field(static=True)
    latent_size: int = eqx.field(static=True)
    observation_size: int = eqx.field(static=True)

    parameters = property(lambda self: dict(self.spaces))
    law = property(lambda self: self.latent_law)
    latent_dim = property(lambda self: self.latent_size)
    dim = property(lambda self: self.observation_size)
    name = property(lambda self: getattr(self.function, "__name__", "simulator"))

    def draw(self, z, /, **natural):  # a parameter of the user's may be called z
        return jnp.asarray(self.function(z, **natural))


def generator(*bare, latent: str = "normal", latent_dim: int = 1, **parameters: Constraint):
    """Turn a function of one latent draw and named parameters into a generator.

    Parameters
    ----------
    latent : {"normal", "uniform"}
        Law of the latent draw; uniform draws lie strictly inside (0, 1).
    latent_dim : int
        1 gives the function a number, k > 1 a vector of length k.
    **parameters : Constraint
        ``hg.real()``, ``hg.positive()``, ``hg.interval(lo, hi)`` or ``hg.simplex(k)`` for each parameter.

    Returns
    -------
    decorator
        Of a function ``f(z, **parameters)``, written with ``jax.numpy`` for one draw, that returns a number or a
        vector of length d.

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
        raise ValueError(f"latent_dim: got {latent_dim!r}; give a positive integer.")
    if not parameters:
        raise ValueError("generator: no parameters; name at least one, as in loc=hg.real().")
    for name, space in parameters.items():
        if not isinstance(space, Constraint):
            raise TypeError(
                f"{name}: got {space!r}; give hg.real(), hg.positive(), hg.interval(lo, hi) or hg.simplex(k)."
            )

    def wrap(function: Callable) -> Simulator:
        _check_signature(function, parameters)
        dim = _observation_size(function, parameters, latent_dim)
        return Simulator(function, tuple(parameters.items()), law, latent_dim, dim)

    return wrap


def _check_signature(function, parameters):
    if not callable(function):
        raise TypeError(f"generator: got {function!r}; decorate a function of one latent draw and named parameters.")
    try:
        arguments = list(inspect.signature(function).parameters.values())
    except ValueError:  # some builtins tell nothing; whether they work is tried next
        return
    if any(a.kind in (a.VAR_KEYWORD, a.VAR_POSITIONAL) for a in arguments):
        return
    taken = [a.name for a in arguments[1:]]
    if set(taken) != set(parameters):
        raise ValueError(
            f"generator: the function takes {taken} after its latent draw, the decorator names {list(parameters)}; "
            "the two must agree."
        )


def _observation_size(function, parameters, latent_dim):
    z = jax.ShapeDtypeStruct(() if latent_dim == 1 else (latent_dim,), jnp.float32)
    natural = {name: jax.ShapeDtypeStruct(space.shape, jnp.float32) for name, space in parameters.items()}
    try:
        out = jax.eval_shape(lambda z, natural: jnp.asarray(function(z, **natural)), z, natural)
    except Exception as error:
        raise ValueError(
            f"generator: the function fails on one latent draw ({first_line(error)}); write it with jax.numpy, for a "
            "single draw."
        ) from error
    shape = out.shape
    if len(shape) > 1 or shape == (0,):
        raise ValueError(
            f"generator: the function returns shape {shape}; return a number or a vector, one observation."
        )
    if not jnp.issubdtype(out.dtype, jnp.floating):
        raise ValueError(
            f"generator: the function returns {out.dtype.name}; return floating-point numbers, smooth in the "
            "parameters."
        )
    return shape[0] if shape else 1


def first_line(error: Exception) -> str:
    """Say in one line what an exception is."""
    return ": ".join([type(error).__name__, *str(error).splitlines()[:1]])


# Robust summaries of a weighted sample, in NumPy.

MAD = 1.4826022185056018  # 1 / Phi^-1(3/4): makes the median absolute deviation consistent at the normal law


def quantile(x: np.ndarray, level, weights: np.ndarray):
    """Quantiles of a weighted sample; linear between order statistics where all weights but zeros are equal."""
    counted = weights > 0
    x, weights = x[counted], weights[counted]
    if np.ptp(weights) == 0:
        return np.quantile(x, level)
    return np.quantile(x, level, weights=weights, method="inverted_cdf")


def _deviation(x, weights):
    return MAD * quantile(np.abs(x - quantile(x, 0.5, weights)), 0.5, weights)


def robust_scale(x: np.ndarray, weights: np.ndarray) -> float:
    """Median absolute deviation, made consistent at the normal law; where it is 0, a wider quantile range.

    Raises
    ------
    ValueError
        When the central 90 % of the sample are one value.
    """
    deviation = _deviation(x, weights)
    if deviation > 0:
        return float(deviation)
    for low, width in ((0.25, 1.349), (0.1, 2.563), (0.05, 3.290)):
        spread = np.subtract(*quantile(x, [1 - low, low], weights))
        if spread > 0:
            return float(spread / width)
    raise ValueError("data: the central 90 % of the sample are one value; the model needs a sample that varies.")


def _positive(value, x, weights):
    return value if value > 0 else robust_scale(x, weights)


def _need_nonnegative(generator, x):
    if np.min(x) < 0:
        raise ValueError(
            f"data: the smallest value is {np.min(x):g}, but {generator.name} lives on positive numbers; "
            "shift the data or choose another generator."
        )


def _check_names(generator, values, missing):
    unknown = [name for name in values if name not in generator.parameters]
    absent = [name for name in generator.parameters if name not in values] if missing else []
    if unknown or absent:
        said = f"{unknown[0]} is not a parameter" if unknown else f"{absent[0]} is missing"
        raise ValueError(f"{generator.name}: {said}; its parameters are {', '.join(generator.parameters)}.")


def _describe(space):
    words = {
        "real": "to be a finite number",
        "positive": "to be positive",
        "interval": f"inside ({space.lower:g}, {space.upper:g})",
        "simplex": "to be positive numbers that sum to 1",
        "correlation": "to make a positive definite correlation matrix",
    }
    return words[space.kind]


def names() -> tuple[str, ...]:
    """List the families by name."""
    return tuple(_FAMILIES)


_FAMILIES = {
    f.__name__: f
    for f in (Normal, Laplace, Logistic, StudentT, Cauchy, Exponential, LogNormal, Uniform, MultivariateNormal)
}


def make(family: str, **arguments) -> Generator:
    """Build a family from its name, capitals or not: what ``recipe`` wrote, or a command line."""
    by_lower = {name.lower(): make for name, make in _FAMILIES.items()}
    if family.lower().replace("_", "") not in by_lower:
        raise ValueError(f"generator: {family!r} is not known; give one of {', '.join(_FAMILIES)}.")
    return by_lower[family.lower().replace("_", "")](**arguments)


def recipe(generator: Generator) -> dict | None:
    """Describe a family of this module by what ``make`` and ``fix`` need; None for any other generator."""
    if isinstance(generator, Fixed):
        family = recipe(generator.generator)
        fixed = {name: value.tolist() for name, value in generator.values.items()}
        return None if family is None else {**family, "fixed": fixed}
    if isinstance(generator, LocationScale):
        return {"family": generator.family, "arguments": dict(generator.arguments), "fixed": {}}
    if _FAMILIES.get(type(generator).__name__) is type(generator):
        arguments = {f.name: getattr(generator, f.name) for f in dataclasses.fields(generator)}
        return {"family": type(generator).__name__, "arguments": arguments, "fixed": {}}
    return None
