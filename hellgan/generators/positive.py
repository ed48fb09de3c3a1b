"""Families on the positive half-line."""

import jax.numpy as jnp
import numpy as np

from hellgan import constraints as spaces
from hellgan import latents
from hellgan.generators.family import Generator
from hellgan.generators.inversion import log_gamma_quantile
from hellgan.generators.special import log_gamma
from hellgan.samples.robust import quantile, robust_scale


class Exponential(Generator):
    """Exponential law on the positive half-line, of mean ``scale``."""

    @property
    def parameters(self):
        return {"scale": spaces.positive()}

    @property
    def law(self):
        return latents.exponential

    @property
    def is_positive(self):
        return True

    def draw(self, z, scale):
        return scale * z

    def start(self, x, weights):
        _need_nonnegative(self, x)
        return {"scale": _positive(quantile(x, 0.5, weights), x, weights) / np.log(2)}

    def log_density(self, x, scale):
        return latents.exponential.log_density(x / scale) - jnp.log(scale)

    def moments(self, scale):
        return scale, scale**2


class LogNormal(Generator):
    """Log-normal law: log x is normal with mean log(``scale``) and standard deviation ``s``."""

    @property
    def parameters(self):
        return {"s": spaces.positive(), "scale": spaces.positive()}

    @property
    def law(self):
        return latents.normal

    @property
    def is_positive(self):
        return True

    def draw(self, z, s, scale):
        return scale * jnp.exp(s * z)

    def start(self, x, weights):
        logs = _logs(self, x)
        return {"s": robust_scale(logs, weights), "scale": np.exp(quantile(logs, 0.5, weights))}

    def log_density(self, x, s, scale):
        positive = jnp.where(x > 0, x, 1.0)
        log_x = jnp.log(positive)
        return jnp.where(x > 0, latents.normal.log_density((log_x - jnp.log(scale)) / s) - jnp.log(s) - log_x, -jnp.inf)

    def moments(self, s, scale):
        mean = scale * jnp.exp(s**2 / 2)
        return mean, mean**2 * jnp.expm1(s**2)


class Gamma(Generator):
    """Gamma law of shape ``a`` and scale ``scale``, scipy's names: the mean is a x scale.

    A draw is the quantile function, the inverse of the regularised incomplete gamma function, with implicit
    derivatives in the shape; its log is computed first, so that small shapes lose nothing.
    """

    @property
    def parameters(self):
        return {"a": spaces.positive(), "scale": spaces.positive()}

    @property
    def law(self):
        return latents.normal

    @property
    def is_positive(self):
        return True

    def draw(self, z, a, scale):
        return scale * jnp.exp(log_gamma_quantile(a, z))

    def start(self, x, weights):
        from scipy.special import gammaincinv

        logs = _logs(self, x)
        middle, spread = _center_and_spread(logs, weights)
        grid = np.geomspace(0.05, 1e4, 200)
        spreads = np.log(gammaincinv(grid, 0.75) / gammaincinv(grid, 0.25))
        a = float(np.exp(np.interp(-np.log(spread), -np.log(spreads), np.log(grid))))
        return {"a": a, "scale": np.exp(middle) / gammaincinv(a, 0.5)}

    def log_density(self, x, a, scale):
        t = jnp.where(x > 0, x, 1.0) / scale
        return jnp.where(x > 0, (a - 1) * jnp.log(t) - t - log_gamma(a) - jnp.log(scale), -jnp.inf)

    def moments(self, a, scale):
        return a * scale, a * scale**2


class Weibull(Generator):
    """Weibull law of shape ``c`` and scale ``scale``, scipy's ``weibull_min``: (x / scale)^c is exponential."""

    @property
    def parameters(self):
        return {"c": spaces.positive(), "scale": spaces.positive()}

    @property
    def law(self):
        return latents.exponential

    @property
    def is_positive(self):
        return True

    def draw(self, z, c, scale):
        return scale * z ** (1 / c)

    def start(self, x, weights):
        middle, spread = _center_and_spread(_logs(self, x), weights)
        c = np.log(np.log(4) / np.log(4 / 3)) / spread
        return {"c": c, "scale": np.exp(middle) * np.log(2) ** (-1 / c)}

    def log_density(self, x, c, scale):
        t = jnp.where(x > 0, x, 1.0) / scale
        return jnp.where(x > 0, jnp.log(c / scale) + (c - 1) * jnp.log(t) - t**c, -jnp.inf)

    def moments(self, c, scale):
        first, second = (jnp.exp(log_gamma(1 + k / c)) for k in (1, 2))
        return scale * first, scale**2 * (second - first**2)


def _logs(generator, x):
    """Logs of a sample; a zero counts as half the smallest positive value."""
    _need_nonnegative(generator, x)
    return np.log(np.maximum(x, np.min(x[x > 0], initial=np.inf) / 2)) if np.any(x > 0) else x


def _center_and_spread(logs, weights):
    """Median and interquartile range; where that is 0, the range of a normal law of the robust scale."""
    lower, middle, upper = quantile(logs, [0.25, 0.5, 0.75], weights)
    return middle, upper - lower if upper > lower else 1.349 * robust_scale(logs, weights)


def _positive(value, x, weights):
    return value if value > 0 else robust_scale(x, weights)


def _need_nonnegative(generator, x):
    if np.min(x) < 0:
        raise ValueError(
            f"data: the smallest value is {np.min(x):g}, but {generator.name} lives on positive numbers; "
            "shift the data or choose another generator."
        )
