"""Losses for minibatch training: those of ``hellgan.losses``, and three that are no functions of a log density ratio.

A loss whose weights are unbounded, as ``hellinger``, would throw a network off by one observation: where |v| is above
6 its parts are continued along their tangents, so that nothing weighs more than it does there.
"""

import dataclasses
import functools

import jax
import jax.numpy as jnp

from hellgan import losses
from hellgan.checks import shown
from hellgan.losses import Loss
from hellgan.losses.derivatives import Scalar

BEYOND = 6.0  # |v| from which an unbounded loss goes on as a straight line


@dataclasses.dataclass(frozen=True)
class Continued:
    """A scalar function, continued along its tangents beyond ``BEYOND``."""

    function: Scalar

    def __call__(self, v):
        inside = jnp.clip(v, -BEYOND, BEYOND)
        value, slope = jax.jvp(self.function, (inside,), (jnp.ones_like(inside),))
        return value + slope * (v - inside)


def hinge_real(v):
    """min(0, v - 1)."""
    return jnp.minimum(0.0, v - 1)


def hinge_fake(v):
    """min(0, -v - 1)."""
    return jnp.minimum(0.0, -v - 1)


def minus(v):
    """-v."""
    return -v


def lsgan_real(v):
    """-(v - 1)^2 / 2."""
    return -((v - 1) ** 2) / 2


def lsgan_fake(v):
    """-v^2 / 2."""
    return -(v**2) / 2


def lsgan_generator(v):
    """(v - 1)^2 / 2."""
    return (v - 1) ** 2 / 2


def same(v):
    """V itself."""
    return v


hinge = Loss(hinge_real, hinge_fake, minus, name="hinge", concave=True)
lsgan = Loss(lsgan_real, lsgan_fake, lsgan_generator, name="lsgan", concave=True)
wasserstein = Loss(same, minus, name="wasserstein", concave=True)

# Known, since to tell takes a second of compiling for each.
_BOUNDED = (losses.log, losses.log_ns, losses.root, losses.root_ns, losses.least_squares, losses.kl)
_UNBOUNDED = (losses.hellinger,)

_OWN = {loss.name: loss for loss in (hinge, lsgan, wasserstein)}
_BETWEEN = {"lsgan": 0.5}  # the score that tells real from simulated, where that is not 0


def names() -> tuple[str, ...]:
    """Names of the losses that networks are trained by."""
    return (*losses.names(), *_OWN)


def get(loss: str | Loss) -> Loss:
    """Return the loss of a name; a ``Loss`` passes through, one with unbounded weights continued along its tangents.

    Besides those of ``hellgan.losses`` there are, as functions of the discriminator's score s:

    ===============  ====================  ==================  ====================================
    name             real(s)               fake(s)             the generator minimises
    ===============  ====================  ==================  ====================================
    ``hinge``        min(0, s - 1)         min(0, -s - 1)      -s
    ``lsgan``        -(s - 1)^2 / 2        -s^2 / 2            (s - 1)^2 / 2
    ``wasserstein``  s                     -s                  -s; with a gradient penalty
    ===============  ====================  ==================  ====================================

    Raises
    ------
    ValueError
        For a name that is not known.
    TypeError
        For anything that is neither a string nor a ``Loss``.
    """
    if isinstance(loss, str) and loss in _OWN:
        return _OWN[loss]
    if isinstance(loss, Loss) and loss in _OWN.values():
        return loss
    if isinstance(loss, str):
        try:
            return bounded(losses.get(loss))
        except ValueError:
            known = ", ".join(names())
            raise ValueError(
                f"loss: {shown(loss)} is not known; give one of {known}, alpha(a) with a number a, or an hg.Loss."
            ) from None
    return bounded(losses.checked(loss))


@functools.lru_cache(maxsize=64)
def bounded(loss: Loss) -> Loss:
    """Give a loss with bounded weights: itself where they are, else its parts continued along their tangents."""
    if loss in _BOUNDED or (loss not in _UNBOUNDED and loss.has_bounded_weights):
        return loss
    generator = None if loss.generator is None else Continued(loss.generator)
    return Loss(Continued(loss.real), Continued(loss.fake), generator, name=loss.name, concave=loss.concave)


def between(loss: Loss) -> float:
    """The score that tells real observations from simulated ones; NaN for a Wasserstein loss, where none does."""
    return float("nan") if loss.name == "wasserstein" else _BETWEEN.get(loss.name, 0.0)
