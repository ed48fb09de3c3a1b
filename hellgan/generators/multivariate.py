"""Families in several dimensions."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from hellgan import constraints as spaces
from hellgan import latents
from hellgan.generators.family import Generator
from hellgan.robust import deviation, quantile, robust_scale


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
                plus, minus = (deviation(t[:, i] + sign * t[:, j], weights) ** 2 for sign in (1, -1))
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
