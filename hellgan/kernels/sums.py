"""Sums of a kernel over pairs of points, exactly, in tiles of rows.

A tile's exponents are computed when they are needed, for derivatives a second time, and never kept: memory is linear in
the numbers of points. Gaussian kernels are summed on the logarithmic scale, so that no density underflows.
"""

import functools

import jax
import jax.numpy as jnp
from jax import lax

from hellgan.kernels.shapes import Kernel, squared_distances

TILE = 2**17  # pairs whose exponents are in memory at once
_LARGEST = 600.0  # exponent: what is closer than all that count does not overflow


def log_sums(
    kernel: Kernel, targets: jax.Array, points: jax.Array, weights: jax.Array, own=None, tile: int = TILE
) -> jax.Array:
    """Logarithm of the sum over k of ``weights[k] K(targets - points[k])``: (r,).

    Parameters
    ----------
    kernel : Kernel
        Gaussian.
    targets, points : (r, d) and (c, d) arrays
    weights : (c,) array
        Not negative; rows of weight 0 change nothing.
    own : number, optional
        Where the targets are the points themselves: what the weight of each is multiplied with in its own sum.
    tile : int
        Pairs whose exponents are in memory at once.
    """
    points, weights, peaks = jnp.asarray(points), jnp.asarray(weights), kernel.log_peaks()
    count = kernel.bandwidths.shape[0]

    def exponents(rows):
        of = [
            peaks[k]
            - jnp.log(1.0 * count)
            - squared_distances(rows / kernel.bandwidths[k][None], points / kernel.bandwidths[k][None]) / 2
            for k in range(count)
        ]
        return of[0] if count == 1 else functools.reduce(jnp.logaddexp, of)

    def block(rows, at):
        e = exponents(rows)
        counted = jnp.broadcast_to((weights > 0)[None, :], e.shape)
        shares = jnp.broadcast_to(weights[None, :], e.shape)
        if own is not None:
            itself = at[:, None] == jnp.arange(points.shape[0])[None, :]
            counted = counted & ~(itself & (own == 0))
            shares = jnp.where(itself, shares * own, shares)
        top = lax.stop_gradient(jnp.max(jnp.where(counted, e, -jnp.inf), axis=1))
        top = jnp.where(jnp.isfinite(top), top, 0.0)
        total = jnp.sum(shares * jnp.exp(jnp.minimum(e - top[:, None], _LARGEST)), axis=1)
        return top + jnp.log(total)

    return in_tiles(block, targets, points.shape[0], tile)


def sums(
    kernel: Kernel, targets: jax.Array, points: jax.Array, weights: jax.Array, own=None, tile: int = TILE
) -> jax.Array:
    """Sum over k of ``weights[k] K(targets - points[k])``: (r,); arguments as for ``log_sums``, of any kernel."""
    points, weights = jnp.asarray(points), jnp.asarray(weights)

    def block(rows, at):
        total = jnp.zeros((rows.shape[0], points.shape[0]), rows.dtype)
        for k, peak in enumerate(jnp.exp(kernel.log_peaks())):
            width = kernel.bandwidths[k][None] * (1.0 if kernel.is_smooth else jnp.sqrt(kernel.d + 4.0))
            squared = squared_distances(rows / width, points / width)
            total = total + peak * (jnp.exp(-squared / 2) if kernel.is_smooth else jnp.maximum(1 - squared, 0.0))
        shares = jnp.broadcast_to(weights[None, :], total.shape) / kernel.bandwidths.shape[0]
        if own is not None:
            shares = jnp.where(at[:, None] == jnp.arange(points.shape[0])[None, :], shares * own, shares)
        return jnp.sum(shares * total, axis=1)

    return in_tiles(block, targets, points.shape[0], tile)


def in_tiles(block, targets: jax.Array, count: int, tile: int) -> jax.Array:
    """Call ``block(rows, positions)`` for blocks of the targets (r, d), whose derivatives compute it anew: (r,)."""
    targets, r = jnp.asarray(targets), targets.shape[0]
    size = max(1, min(r, tile // max(count, 1)))
    blocks = -(-r // size)
    size = -(-r // blocks)
    at = jnp.minimum(jnp.arange(blocks * size), r - 1)
    if blocks == 1:
        return block(targets, at)
    found = lax.map(jax.checkpoint(lambda k: block(targets[k], k)), at.reshape(blocks, size))
    return found.reshape(-1)[:r]
