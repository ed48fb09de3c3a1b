"""Kernels: Gaussian ones, mixtures of them over several bandwidths, and Epanechnikov's.

Equation numbers are those of ``docs/theory.md``.
"""

import dataclasses
import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

SHAPES = ("gaussian", "epanechnikov")


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True, eq=False)
class Kernel:
    """A kernel with its bandwidths; a stack of kernels has a leading axis in its bandwidths.

    Attributes
    ----------
    bandwidths : (k, d) array
        Standard deviation of the kernel in each coordinate; the kernel is the mean of those of the k rows.
    shape : {"gaussian", "epanechnikov"}
        Epanechnikov's is proportional to 1 - |u|^2 within a ball of scaled coordinates, and 0 outside.
    """

    bandwidths: Any
    shape: str = dataclasses.field(default="gaussian", metadata={"static": True})

    @property
    def d(self) -> int:
        """Coordinates of a point."""
        return self.bandwidths.shape[-1]

    @property
    def is_smooth(self) -> bool:
        """Whether the kernel has two derivatives everywhere."""
        return self.shape == "gaussian"

    @property
    def peak(self) -> float:
        """K(0), in units of a density."""
        return float(np.mean(np.exp(np.asarray(self.log_peaks(np)))))

    def log_peaks(self, xp: Any = jnp):
        """Logarithm of each component's value at 0: (k,)."""
        d = self.d
        if self.shape == "gaussian":
            constant = -d / 2 * math.log(2 * math.pi)
        else:
            ball = d / 2 * math.log(math.pi) - math.lgamma(d / 2 + 1)
            constant = math.log((d + 2) / 2) - ball - d / 2 * math.log(d + 4)
        return constant - xp.sum(xp.log(self.bandwidths), axis=-1)

    @property
    def roughness(self) -> float:
        """Integral of K^2, in units of a density."""
        s, d = np.asarray(self.bandwidths, np.float64), self.d
        if self.shape == "gaussian":  # of two components: a normal density of the summed variances at 0
            spread = np.sqrt(s[:, None] ** 2 + s[None] ** 2)
            return float(np.mean(np.prod(1 / spread, axis=-1)) * (2 * np.pi) ** (-d / 2))
        assert len(s) == 1
        return 4 / (d + 4) * self.peak

    @property
    def balancing_weight(self) -> float:
        """The weight of a point in the density at itself that makes its noise bias vanish: R/(2 K(0)), (26)."""
        return self.roughness / (2 * self.peak)


def squared_distances(a: jax.Array, b: jax.Array) -> jax.Array:
    """Squared distances (r, c) of rows (r, d) from rows (c, d), by differences where they are few coordinates."""
    if a.shape[1] <= 16:
        found = jnp.zeros((a.shape[0], b.shape[0]), a.dtype)
        for k in range(a.shape[1]):
            found = found + (a[:, k][:, None] - b[:, k][None, :]) ** 2
        return found
    center = jnp.mean(b, axis=0)
    a, b = a - center[None], b - center[None]
    return jnp.maximum(jnp.sum(a**2, axis=1)[:, None] + jnp.sum(b**2, axis=1)[None, :] - 2 * a @ b.T, 0.0)
