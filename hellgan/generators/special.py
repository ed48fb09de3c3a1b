"""Small functions that keep full accuracy, derivatives of every order included, where the textbook forms lose it."""

import math

import jax
import jax.numpy as jnp
import numpy as np

# Coefficients of 1/x, 1/x^3, ... in Stirling's series for log Gamma(x): B_2k / (2k (2k - 1)).
_STIRLING = (1 / 12, -1 / 360, 1 / 1260, -1 / 1680, 1 / 1188, -691 / 360360, 1 / 156)
# Coefficients of 1/q^2, 1/q^4, ... in log Gamma(q + 3/4) - log Gamma(q + 1/4) - log(q) / 2: Bernoulli polynomials.
_HALF_STEP = (1 / 64, -5 / 2048, 61 / 49152, -1385 / 1048576, 50521 / 20971520, -2702765 / 402653184)
_SHIFT = 10
_STEPS = np.arange(_SHIFT, dtype=np.float64)


def log_gamma(a: jax.Array) -> jax.Array:
    """Compute log Gamma(a), a > 0, by recurrence and Stirling's series: a small program that differentiates freely."""
    x = a + _SHIFT
    series = _polynomial(1 / x**2, _STIRLING) / x
    stirling = (x - 0.5) * jnp.log(x) - x + 0.5 * math.log(2 * math.pi) + series
    return stirling - jnp.sum(jnp.log(a + jnp.asarray(_STEPS, a.dtype)))


def log_gamma_half_step(a: jax.Array) -> jax.Array:
    """Compute log Gamma(a + 1/2) - log Gamma(a), a > 0, without the cancellation of two large numbers."""
    q = a + _SHIFT - 0.25
    series = 0.5 * jnp.log(q) + _polynomial(1 / q**2, _HALF_STEP) / q**2
    return series - jnp.sum(jnp.log1p(0.5 / (a + jnp.asarray(_STEPS, a.dtype))))


def log_ndtr(z: jax.Array) -> jax.Array:
    """Log of the normal distribution function, for z > -37 (double precision): no latent draw lies beyond."""
    return jnp.log(0.5 * jax.scipy.special.erfc(-z / math.sqrt(2)))


def log_cosh(y: jax.Array) -> jax.Array:
    """Compute log cosh y, to full relative accuracy at small y."""
    return jnp.log1p(2 * jnp.sinh(y / 2) ** 2)


def sinc(x: jax.Array) -> jax.Array:
    """Compute sin(x) / x for |x| <= pi / 2, by Taylor's series: derivatives are exact at and near 0."""
    return _polynomial(x * x, [(-1) ** k / math.factorial(2 * k + 1) for k in range(12)])


def expm1_ratio(x: jax.Array) -> jax.Array:
    """Compute (e^x - 1) / x, whose derivatives by the quotient would be lost near 0."""
    near = jnp.abs(x) < 1
    series = _polynomial(jnp.where(near, x, 0.0), [1 / math.factorial(k + 1) for k in range(18)])
    away = jnp.where(near, 1.0, x)
    return jnp.where(near, series, jnp.expm1(away) / away)


def _polynomial(x, coefficients):
    """Horner's scheme, lowest coefficient first."""
    value = jnp.full_like(x, coefficients[-1])
    for c in reversed(coefficients[:-1]):
        value = value * x + c
    return value
