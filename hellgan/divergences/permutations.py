"""The permutation test of equality of two laws, by the kernel's value."""

import jax
import jax.numpy as jnp
import numpy as np

from hellgan.execution import programs
from hellgan.kernels.shapes import squared_distances
from hellgan.losses import Loss

_TILE = 2**20  # pairs, or densities, in memory at once
_LEAST = 1e-300  # a density that underflows


def permuted_values(x: np.ndarray, y: np.ndarray, loss: Loss, count: int, seed: int) -> float:
    """Give the share of permutations, the samples themselves among them, whose value is as large as theirs.

    The value is (25) of ``docs/theory.md`` with a Gaussian kernel of one standard deviation of the pooled sample in
    each coordinate, each point counted in the density at itself.
    """
    pooled = np.concatenate([x, y])
    pooled = (pooled - pooled.mean(axis=0)) / pooled.std(axis=0)
    return share_above(_values(loss, pooled, labels(len(x), len(y), count, seed)))


def labels(n: int, m: int, count: int, seed: int) -> np.ndarray:
    """Which of n + m points belong to the first sample, of size n: (1 + count, n + m), the first row as they are."""
    own, rng = np.arange(n + m) < n, np.random.default_rng(seed)
    return np.stack([own, *(rng.permutation(own) for _ in range(count))])


def share_above(values: np.ndarray) -> float:
    """Give the share of values that are at least the first, the first among them; rounding is no difference."""
    return float(np.mean(values >= values[0] - 1e-12 * (1 + abs(values[0]))))


@programs.program
def _values(loss, points, belongs):
    """The value (k,) for each labelling (k, N) of points (N, d)."""
    first = jnp.where(belongs, 1.0, 0.0)
    of_x, of_y = (first / jnp.sum(first, axis=1, keepdims=True)).T, 1 - first
    of_y = (of_y / jnp.sum(of_y, axis=1, keepdims=True)).T
    total, size = points.shape[0], max(1, min(points.shape[0], _TILE // points.shape[0]))
    blocks = -(-total // size)
    at = jnp.arange(blocks * size)
    counted = jnp.where(at < total, 1.0, 0.0).reshape(blocks, size)

    def block(rows):
        at, counts = rows
        near = jnp.exp(-squared_distances(points[at], points) / 2)
        p, q = (jnp.maximum(near @ shares, _LEAST) for shares in (of_x, of_y))
        v = jnp.log(p) - jnp.log(q)
        earned = of_x[at] * loss.real(v) + of_y[at] * loss.fake(v)
        return counts @ earned

    return jnp.sum(jax.lax.map(block, (jnp.minimum(at, total - 1).reshape(blocks, size), counted)), axis=0)
