"""``Loss`` with its properties, and the losses by name; equation numbers are those of ``docs/theory.md``."""

import dataclasses
import functools
import re

import jax
import jax.numpy as jnp
import numpy as np

from hellgan.checks import checked_real, shown
from hellgan.execution import tracing
from hellgan.functions import owned, require_unchanged
from hellgan.losses.derivatives import Scalar, tabulate
from hellgan.losses.functions import (
    AlphaReal,
    Mirrored,
    hellinger_real,
    kl_generator,
    least_squares_real,
    log_ns_generator,
    log_real,
    root_ns_generator,
    root_real,
    sharp_ns_generator,
)

# Where the properties of a loss are looked at: |v| <= 700 is all that double precision can tell apart.
_WIDE = np.linspace(-700.0, 700.0, 5601)
_NEAR = np.arange(-800, 801) / 40
_ZERO, _AROUND = 800, slice(480, 1121)  # v = 0 and |v| <= 8 in _NEAR


@jax.tree_util.register_static
@dataclasses.dataclass(frozen=True)
class Loss:
    """A pair of scalar functions of the log ratio, equation (1), and perhaps a generator objective.

    Parameters
    ----------
    real : callable
        What the discriminator earns on a real observation of log ratio v: elementwise, increasing at 0,
        twice differentiable by JAX.
    fake : callable, optional
        What the discriminator earns on a simulated observation; ``real(-v)`` unless given.
    generator : callable, optional
        What the generator *minimises* on a simulated observation instead of ``fake``. With it the game is
        not zero-sum and the estimator solves estimating equations instead of a saddle-point problem.
    name : str
        The loss's name in reports.
    concave : bool, optional
        Whether real and fake are concave, where that is known; looked up on a grid otherwise.

    Raises
    ------
    TypeError
        For a part that is not callable.

    Notes
    -----
    Two losses built of the same functions are equal and share their compiled programs: define the functions
    once, at module level. The log ratio is optimal if and only if real'(v) exp(v) + fake'(v) = 0
    (``is_calibrated``); tests and divergences need that, estimation does not.
    """

    real: Scalar
    fake: Scalar = None  # type: ignore[assignment]  # filled in by __post_init__
    generator: Scalar | None = None
    name: str = "custom"
    concave: bool | None = None

    def __post_init__(self):
        if self.fake is None:
            object.__setattr__(self, "fake", Mirrored(owned(self.real, "loss")))
        for part in ("real", "fake", "generator"):
            function = owned(getattr(self, part), "loss")
            object.__setattr__(self, part, function)
            if not callable(function) and not (part == "generator" and function is None):
                raise TypeError(
                    f"Loss: {part} is {shown(function)}; it must be an elementwise function of the log ratio."
                )

    def __repr__(self):
        return f"<Loss {self.name}>"

    @property
    def adversary(self) -> Scalar:
        """What the generator minimises: ``generator`` where there is one, else ``fake``."""
        return self.fake if self.generator is None else self.generator

    @property
    def is_symmetric(self) -> bool:
        """Whether fake(v) is real(-v) by construction."""
        return self.fake == Mirrored(self.real)

    @property
    def is_zero_sum(self) -> bool:
        """Whether the generator minimises what the discriminator maximises."""
        return self.generator is None

    @property
    def is_named(self) -> bool:
        """Whether ``get`` of the loss's name gives this very loss."""
        return _named(self.name) == self

    @property
    def value_at_equality(self) -> float:
        """V at p = p_theta with v = 0: real(0) + fake(0)."""
        return float(_near(self)[:, 0, _ZERO].sum())

    @property
    def c(self) -> float:
        """The slope real'(0)."""
        return float(_near(self)[0, 1, _ZERO])

    @property
    def A(self) -> float:
        """Minus the mean curvature of real and fake at 0; c/2 for every calibrated loss."""
        return -float(_near(self)[:, 2, _ZERO].sum()) / 2

    @property
    def chi2_factor(self) -> float:
        """4A/c^2, which scales V - V0 to a chi-square statistic in (4)."""
        return 4 * self.A / self.c**2

    @property
    def generator_pull(self) -> float:
        """The slope at 0 of what the generator minimises, over that of ``fake``; 1 for a zero-sum loss."""
        return 1.0 if self.generator is None else -float(_own_slope(self)) / self.c

    @property
    def is_calibrated(self) -> bool:
        """Whether log p/p_theta is the optimal log ratio: real'(v) exp(v) + fake'(v) = 0."""
        return _is_calibrated(self)

    @property
    def is_concave(self) -> bool:
        """Whether V is concave in v, so that a linear discriminator's problem has one maximum."""
        if self.concave is not None:
            return self.concave
        curvatures = _near(self)[:, 2]
        return bool(np.all(curvatures <= 1e-12 * np.max(np.abs(curvatures))))

    @property
    def is_bounded(self) -> bool:
        """Whether real, fake and the generator objective are bounded functions."""
        return _grows_not(self, 0)

    @property
    def has_bounded_weights(self) -> bool:
        """Whether real', fake' and the generator's slope are bounded: what one observation can weigh."""
        return _grows_not(self, 1)

    @property
    def is_redescending(self) -> bool:
        """Whether real', fake' and the generator's slope vanish as v goes to either infinity."""
        slopes = np.abs(tabulate(self._parts, _WIDE)[:, 1])
        ends, middle = np.maximum(slopes[:, 0], slopes[:, -1]), slopes[:, _WIDE.size // 2]
        return bool(np.all(ends < 1e-6 * middle))

    @property
    def _parts(self) -> tuple[Scalar, ...]:
        return tuple(f for f in (self.real, self.fake, self.generator) if f is not None)


@functools.lru_cache(maxsize=128)
def _near(loss: Loss) -> np.ndarray:
    return tabulate((loss.real, loss.fake), _NEAR)


@functools.lru_cache(maxsize=128)
def _is_calibrated(loss: Loss) -> bool:
    slope_real, slope_fake = _near(loss)[:, 1, _AROUND]
    return bool(np.allclose(slope_real * np.exp(_NEAR[_AROUND]), -slope_fake, rtol=1e-7, atol=1e-12))


@functools.lru_cache(maxsize=128)
def _own_slope(loss: Loss) -> float:
    return tabulate((loss.adversary,), np.zeros(1))[0, 1, 0]


def _grows_not(loss: Loss, order: int) -> bool:
    far, near = (np.max(np.abs(tabulate(loss._parts, v)[:, order]), axis=1) for v in (_WIDE, _NEAR))
    return bool(np.all(far <= 2 * near))


def check(loss: Loss) -> None:
    """Raise ``ValueError`` unless v = 0 is where the discriminator settles when p = p_theta.

    A generator objective of the loss's own must decrease there: simulated observations are drawn to where v is large.
    """
    real, fake = _near(loss)[:, :, _ZERO]
    if not (np.all(np.isfinite(real)) and np.all(np.isfinite(fake))):
        raise ValueError(f"loss: {loss.name} is not finite with two derivatives at v = 0; give a smooth loss.")
    if not (real[1] > 0 and np.isclose(real[1], -fake[1], rtol=1e-8) and real[2] + fake[2] < 0):
        raise ValueError(
            f"loss: {loss.name} has real'(0) = {real[1]:.4g}, fake'(0) = {fake[1]:.4g} and summed curvature "
            f"{real[2] + fake[2]:.4g}; a loss must have real'(0) = -fake'(0) > 0 and negative curvature at 0, so "
            "that v = 0 is the discriminator's optimum when the two laws are equal."
        )
    if loss.generator is not None:
        _, slope, curvature = tabulate((loss.generator,), np.zeros(1))[0, :, 0]
        if not (slope < 0 and np.isfinite(slope) and np.isfinite(curvature)):
            raise ValueError(
                f"loss: {loss.name} has a generator objective of slope {slope:.4g} and curvature {curvature:.4g} at "
                "v = 0; the generator minimises it and must gain from a larger v: give one whose slope there is "
                "negative, with a finite curvature."
            )


log = Loss(log_real, name="log", concave=True)
log_ns = Loss(log_real, generator=log_ns_generator, name="log_ns", concave=True)
hellinger = Loss(hellinger_real, name="hellinger", concave=True)
root = Loss(root_real, name="root", concave=False)
root_ns = Loss(root_real, generator=root_ns_generator, name="root_ns", concave=False)
sharp_ns = Loss(log_real, generator=sharp_ns_generator, name="sharp_ns", concave=True)
least_squares = Loss(least_squares_real, name="least_squares", concave=False)
kl = Loss(log_real, generator=kl_generator, name="kl", concave=True)

_CATALOGUE = {loss.name: loss for loss in (log, log_ns, hellinger, root, root_ns, sharp_ns, least_squares, kl)}


# For a smaller a, c = a 2^(1/a - 2) is beyond 1e16: nothing could be told from rounding.
_LEAST_A = 1 / 64


def alpha(a: float) -> Loss:
    """Give the loss of the alpha family, also known by its name: ``"alpha(1.5)"``.

        real(v) = a/(a-1) (expit(a v)^((a-1)/a) - 1),    fake(v) = real(-v)

    ``alpha(1/2)`` is ``hellinger`` and ``alpha(1)`` is ``log``, as functions; ``alpha(2)`` is 2 ``root`` - 2. The
    loss induces a/(a-1) times the integral of (p^a + q^a)^(1/a) - 2^(1/a-1) (p + q), between 0 and -V0 (an f-divergence
    of Arimoto's; see Sypherd et al. 2022 for the loss and Kurri et al. 2021 for its GAN). The loss is bounded, with
    redescending weights, for a > 1; its weights are bounded for a >= 1; and it is concave in v for a <= 1.

    Parameters
    ----------
    a : float
        At least 1/64. Larger ones discriminate more sharply: expit(a v) is the probability that x is real.

    Returns
    -------
    Loss
        Losses of equal ``a`` are equal and share their compiled programs.

    Notes
    -----
    The flags of a ``Loss`` say what happens for |v| <= 700, which for a within some hundredths of 1 is not yet what
    happens in the limit.

    Raises
    ------
    ValueError
        For a number below 1/64, or an infinite one.
    TypeError
        For anything that is not a number.
    """
    if isinstance(a, bool) or not isinstance(a, (int, float, np.integer, np.floating)):
        raise TypeError(f"a: got {shown(a)}; give a number of at least 1/64, such as 1.5.")
    a = checked_real("a", a, "a finite number of at least 1/64", most=1e300)
    if a < _LEAST_A:
        raise ValueError(f"a: got {shown(a)}; give a finite number of at least 1/64.")
    return _alpha(a)


@functools.lru_cache(maxsize=256)
def _alpha(a: float) -> Loss:
    return Loss(AlphaReal(a), name=f"alpha({repr(a).removesuffix('.0')})", concave=a <= 1)


def _named(name: str) -> Loss | None:
    """Find the loss of a name; None for a name that stands for no loss."""
    number = re.fullmatch(r"alpha\((.*)\)", name)
    if number is None:
        return _CATALOGUE.get(name)
    try:
        return alpha(float(number[1]))
    except ValueError:
        return None


def names() -> tuple[str, ...]:
    """List the names that ``get`` knows, besides those of the alpha family."""
    return tuple(_CATALOGUE)


def get(loss) -> Loss:
    """Return the loss of a name; a ``Loss`` passes through.

    ==================  =============================  ====================================================
    name                real(v)                        what it induces between P and P_theta
    ==================  =============================  ====================================================
    ``log``             log expit(v)                   twice the Jensen-Shannon divergence
    ``hellinger``       -exp(-v/2)                     squared Hellinger distance; *unbounded* weights
    ``root``            sqrt(expit(2v))                integral of sqrt(p^2 + q^2), less sqrt 2; bounded
    ``least_squares``   -(1 - expit(v))^2              a quarter of integral (p-q)^2/(p+q); bounded
    ``log_ns``          as ``log``                     generator minimises -log expit(v) (non-saturating)
    ``root_ns``         as ``root``                    generator minimises -sqrt(expit(2v))
    ``sharp_ns``        as ``log``                     generator minimises -expit(3v)^(1/3): the most robust one
    ``kl``              as ``log``                     generator minimises -v: KL(P_theta || P)
    ``alpha(1.5)``      as in ``losses.alpha``         Arimoto's divergences; any number of at least 1/64
    ==================  =============================  ====================================================

    Raises
    ------
    ValueError
        For a name that is not in the table.
    TypeError
        For anything that is neither a string nor a ``Loss``.
    """
    if isinstance(loss, Loss):
        require_unchanged(loss)
        return loss
    if not isinstance(loss, str):
        raise TypeError(f"loss: got {type(loss).__name__}; give a name or an hg.Loss.")
    named = _named(loss)
    if named is None:
        raise ValueError(
            f"loss: {shown(loss)} is not known; give one of {', '.join(_CATALOGUE)}, alpha(a) with a number a of at "
            "least 1/64, or an hg.Loss."
        )
    return named


def checked(loss) -> Loss:
    """Return a loss from its name; a user's own is tried on an array, and one that fails raises ``ValueError``."""
    loss = get(loss)
    if not isinstance(loss.name, str):
        raise TypeError(f"loss: its name is {shown(loss.name)}; give a text.")
    if loss.is_named:
        return loss
    for part in ("real", "fake", "generator"):
        function = getattr(loss, part)
        if function is None:
            continue
        try:
            shape = jax.eval_shape(
                lambda v, f=function: jnp.asarray(f(v)), jax.ShapeDtypeStruct((3,), jnp.float32)
            ).shape
        except Exception as error:
            raise ValueError(
                f"loss: {part} of {loss.name} fails on an array, elementwise: {tracing.failure(error)}."
            ) from error
        if shape != (3,):
            raise ValueError(f"loss: {part} of {loss.name} turns shape (3,) into {shape}; write it elementwise.")
    check(loss)
    return loss
