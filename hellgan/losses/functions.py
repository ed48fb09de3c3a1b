"""The scalar functions of the catalogue's losses, stable for |v| up to 700 with two derivatives."""

import dataclasses

import jax
import jax.numpy as jnp
from jax.nn import log_sigmoid, sigmoid

from hellgan.losses.derivatives import Scalar


@dataclasses.dataclass(frozen=True)
class Mirrored:
    """v -> function(-v); a dataclass, so that two losses of the same ``real`` are equal."""

    function: Scalar

    def __call__(self, v):
        return self.function(-v)


def log_real(v):
    """Log expit(v)."""
    return log_sigmoid(v)


def log_ns_generator(v):
    """-log expit(v)."""
    return -log_sigmoid(v)


def hellinger_real(v):
    """-exp(-v/2)."""
    return -jnp.exp(-v / 2)


@jax.custom_jvp
def _root(v):
    """sqrt(expit(2v)), by one exponential: this and its derivatives are what a fit evaluates most often."""
    small = jnp.exp(-jnp.abs(v))
    return jnp.where(v >= 0, 1.0, small) * jnp.sqrt(1 / (1 + small**2))


@_root.defjvp
def _root_slope(primals, tangents):
    (v,), (along,) = primals, tangents
    value = _root(v)
    return value, value * sigmoid(-2 * v) * along


def root_real(v):
    """sqrt(expit(2v))."""
    return _root(v)  # a plain function, that can be pickled


def root_ns_generator(v):
    """-sqrt(expit(2v))."""
    return -root_real(v)


def sharp_ns_generator(v):
    """-expit(3v)^(1/3)."""
    return -jnp.exp(log_sigmoid(3 * v) / 3)


def least_squares_real(v):
    """-(1 - expit(v))^2."""
    return -(sigmoid(-v) ** 2)


def kl_generator(v):
    """-v."""
    return -v


@dataclasses.dataclass(frozen=True)
class AlphaReal:
    """a/(a-1) (expit(a v)^((a-1)/a) - 1), and log expit(v) at a = 1; a dataclass, so that equal a are equal."""

    a: float

    def __call__(self, v):
        log_prob, power = log_sigmoid(self.a * v), (self.a - 1) / self.a
        return jnp.expm1(power * log_prob) / power if power else log_prob
