"""Families on the positive half-line."""

import jax.numpy as jnp
import numpy as np

from hellgan import constraints as spaces
from hellgan import latents
from hellgan.generators.family import Generator
from hellgan.robust import quantile, robust_scale


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


def _positive(value, x, weights):
    return value if value > 0 else robust_scale(x, weights)


def _need_nonnegative(generator, x):
    if np.min(x) < 0:
        raise ValueError(
            f"data: the smallest value is {np.min(x):g}, but {generator.name} lives on positive numbers; "
            "shift the data or choose another generator."
        )
