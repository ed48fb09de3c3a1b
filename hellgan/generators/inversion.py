"""Quantile functions without a closed form: solve F(y; parameters) = Phi(z) for y, with implicit derivatives.

Latent draws are normal, so that both tails of z keep their accuracy. An equation needs the tail probability of a law on
the side where it is small; where that has no closed form either, it is the density times the integral

    R(y) = int_0^inf f(y + r) / f(y) dr

(or to the left), which for a log-concave f decreases smoothly from 1 and is computed by one fixed Gauss rule. So a
quantile function and all its derivatives, in the shape parameters too, are a few dozen exponentials a point.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from hellgan.generators.special import log_cosh, log_gamma, log_gamma_half_step, log_ndtr

_MAX_STEPS = 64
_TOLERANCE = 1e-9  # of the last step but one, in units of the law's spread: Newton's last step squares it
_NEGLIGIBLE = 40.0  # exp(-40) is below double precision

# Gauss-Legendre on (0, 1) in the square root of r: denser at 0, where a steep integrand varies.
_ROOTS, _WEIGHTS = np.polynomial.legendre.leggauss(32)
_NODES, _WEIGHTS = ((_ROOTS + 1) / 2) ** 2, (_ROOTS + 1) / 2 * _WEIGHTS

Equation = Callable[[jax.Array, Any, Any], tuple[jax.Array, jax.Array]]
Guess = Callable[[Any, Any], tuple[jax.Array, jax.Array, jax.Array, jax.Array]]


def inverse(equation: Equation, guess: Guess) -> Callable[[Any, Any], jax.Array]:
    """Make y(parameters, target), the root of an equation increasing in y, differentiable to every order.

    The root is found by Newton's method, kept within a bracket by bisection. The derivative is the implicit one,
    -(residual's derivative at fixed y) / slope, itself a function of the root that is differentiated in turn.

    Parameters
    ----------
    equation : callable
        ``equation(y, parameters, target)`` gives the residual, increasing in y, and its derivative in y.
    guess : callable
        ``guess(parameters, target)`` gives a first y, a lower and an upper bound (perhaps infinite), and the law's
        spread.
    """

    @jax.custom_jvp
    def root(parameters, target):
        return _newton(lambda y: equation(y, parameters, target), *guess(parameters, target))

    @root.defjvp
    def derivative(primals, tangents):
        y = root(*primals)
        (_, slope), (moved, _) = jax.jvp(lambda *given: equation(y, *given), primals, tangents)
        return y, -moved / slope

    return root


def _newton(equation, y, lower, upper, spread):
    def body(state):
        y, lower, upper, _, steps = state
        residual, slope = equation(y)
        lower, upper = jnp.where(residual < 0, y, lower), jnp.where(residual < 0, upper, y)
        trial = y - residual / slope
        following = jnp.where((trial >= lower) & (trial <= upper), trial, 0.5 * (lower + upper))
        return following, lower, upper, jnp.abs(following - y) <= tolerance * spread, steps + 1

    dtype = jnp.result_type(y, lower, upper)
    tolerance = max(_TOLERANCE, float(4 * jnp.finfo(dtype).eps))
    y, lower, upper = (jnp.asarray(value, dtype) for value in (y, lower, upper))
    start = (y, lower, upper, jnp.asarray(False), jnp.asarray(0))
    return lax.while_loop(lambda state: ~state[3] & (state[4] < _MAX_STEPS), body, start)[0]


def decaying_integral(log_ratio: Callable[[jax.Array], jax.Array], reach: jax.Array) -> jax.Array:
    """Integrate exp(log_ratio(r)) over r > 0, where log_ratio is concave, 0 at 0 and below -40 beyond ``reach``.

    The error is below 1e-12, relative, for the integrands of this module.
    """
    reach = lax.stop_gradient(reach)  # where the nodes lie does not matter
    values = jnp.exp(log_ratio(reach * jnp.asarray(_NODES, reach.dtype)))
    return reach * (values @ jnp.asarray(_WEIGHTS, reach.dtype))


# The gamma law, in y = log x: density exp(a y - e^y) / Gamma(a).


def _gamma_equation(y, a, target):
    _, log_lower, log_upper = target
    x = jnp.exp(y)
    # To the left of max(a, 1) the lower tail, by its recurrence F_a = F_(a+1) + x^a e^-x / Gamma(a + 1).
    is_lower = x <= jnp.maximum(a, 1.0)
    side = jnp.where(is_lower, -1.0, 1.0)
    power = jnp.where(is_lower, a + 1, a)
    beyond = decaying_integral(lambda r: side * power * r - x * jnp.expm1(side * r), _gamma_reach(power, x, side))
    ratio = jnp.where(is_lower, (1 + x * beyond) / a, beyond)  # tail / density
    log_tail = a * y - x - log_gamma(a) + jnp.log(ratio)
    return side * (jnp.where(is_lower, log_lower, log_upper) - log_tail), 1 / ratio


def _gamma_reach(power, x, side):
    excess, c = side * (x - power), _NEGLIGIBLE
    # Where (excess) r + x r^2 / (2 + 2 r / 3) = 40 to the left; (excess) r + x r^2 / 2 = 40 or sooner to the right.
    left = _positive_root(excess / 3 + x / 2, excess - c / 3, -c)
    right = _positive_root(x / 2, excess, -c)
    right = jnp.minimum(right, jnp.log1p((c + power * right) / x))
    return jnp.where(side < 0, left, right)


def _positive_root(a, b, c):
    discriminant = jnp.sqrt(b * b - 4 * a * c)
    return jnp.where(b > 0, -2 * c / (b + discriminant), (discriminant - b) / (2 * a))


def _gamma_guess(a, target):
    z, log_lower, log_upper = target
    # Wilson and Hilferty (1931); the leading term of the lower tail, a lower bound; that of the upper tail.
    cube_root = 1 - 1 / (9 * a) + z / (3 * jnp.sqrt(a))
    central = jnp.log(a) + 3 * jnp.log(jnp.maximum(cube_root, 1e-3))
    log_gamma_a = log_gamma(a)
    least = (log_lower + log_gamma_a + jnp.log(a)) / a
    far = -log_upper - log_gamma_a
    upper = jnp.log(jnp.maximum(far + (a - 1) * jnp.log(jnp.maximum(far, 1.0)), 0.5))
    small = jnp.where(far > 1, jnp.maximum(least, upper), least)
    y = jnp.where(a < 1, small, jnp.maximum(central, least))
    return y, jnp.full_like(y, -jnp.inf), jnp.full_like(y, jnp.inf), jnp.minimum(1.0, 1 / jnp.sqrt(a))


_log_gamma_quantile = inverse(_gamma_equation, _gamma_guess)


def log_gamma_quantile(a: jax.Array, z: jax.Array) -> jax.Array:
    """Log of the gamma law's quantile at probability Phi(z), scale 1: finite where the quantile underflows.

    The quantile's relative error is below 1e-12 x (1 + |its log|) for shapes ``a`` from 1e-3 to 1e6.
    """
    a, z = _same_type(a, z)
    return _log_gamma_quantile(a, (z, log_ndtr(z), log_ndtr(-z)))


# Student's t law, in y = arcsinh(t / sqrt(df)): density proportional to cosh(y)^-df.


def _t_equation(y, df, target):
    _, log_upper = target
    log_cosh_y = log_cosh(y)
    sech2, tanh = jnp.exp(-2 * log_cosh_y), jnp.tanh(y)
    power = df + 4  # two steps of the recurrence in df, so that the integrand is steep also where df is small
    reach = jnp.arccosh(jnp.cosh(y) * jnp.exp(_NEGLIGIBLE / power)) - y
    beyond = decaying_integral(lambda r: -power * (log_cosh(y + r) - log_cosh_y), reach)
    ratio = (tanh + (df + 1) * sech2 * (tanh + (df + 3) * sech2 * beyond) / (df + 2)) / df
    log_tail = -df * log_cosh_y + log_gamma_half_step(df / 2) - 0.5 * jnp.log(jnp.pi) + jnp.log(ratio)
    return log_upper - log_tail, 1 / ratio


def _t_guess(df, target):
    z, _ = target
    # Wallace (1959): z is nearly (8 df + 1) / (8 df + 3) sqrt(df log(1 + t^2 / df)).
    log_cosh_y = (z * (8 * df + 3) / (8 * df + 1)) ** 2 / (2 * df)
    y = log_cosh_y + jnp.log1p(jnp.sqrt(-jnp.expm1(-2 * log_cosh_y)))
    return y, jnp.zeros_like(y), jnp.full_like(y, jnp.inf), 1 / jnp.sqrt(df)


_t_arcsinh_quantile = inverse(_t_equation, _t_guess)


def t_quantile(df: jax.Array, z: jax.Array) -> jax.Array:
    """Quantile of Student's t law at probability Phi(z), for ``df`` from 0.06 up; below, far tails overflow."""
    df, z = _same_type(df, z)
    sign, z = jnp.where(z < 0, -1.0, 1.0), jnp.abs(z)
    return sign * jnp.sqrt(df) * jnp.sinh(_t_arcsinh_quantile(df, (z, log_ndtr(-z))))


# Mixtures of normal laws.


def _mixture_equation(x, parameters, target):
    weight, loc, scale = parameters
    z, log_tail = target
    side = jnp.where(z < 0, 1.0, -1.0)  # the tail in which z lies
    t = (x - loc) / scale
    tail = weight @ (0.5 * jax.scipy.special.erfc(-side * t / jnp.sqrt(2.0)))
    density = (weight / scale) @ (jnp.exp(-0.5 * t * t) / jnp.sqrt(2 * jnp.pi))
    return side * (jnp.log(tail) - log_tail), density / tail


def _mixture_guess(parameters, target):
    weight, loc, scale = parameters
    z, _ = target
    quantiles = loc + scale * z  # the mixture's lies between those of its components
    return weight @ quantiles, jnp.min(quantiles), jnp.max(quantiles), jnp.min(scale)


_mixture_quantile = inverse(_mixture_equation, _mixture_guess)


def mixture_quantile(weight: jax.Array, loc: jax.Array, scale: jax.Array, z: jax.Array) -> jax.Array:
    """Quantile of a mixture of normal laws, parameters (k,), at probability Phi(z)."""
    *parameters, z = _same_type(weight, loc, scale, z)
    return _mixture_quantile(tuple(parameters), (z, log_ndtr(-jnp.abs(z))))


def _same_type(*values):
    dtype = jnp.result_type(*values)
    return [jnp.asarray(value, dtype) for value in values]
