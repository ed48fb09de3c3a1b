"""Sums of a Gaussian kernel over pairs of points on the line, on a mesh, in time linear in the numbers of points.

Points are spread over the four nearest nodes by cubic B-splines, convolved with the kernel by a Fourier transform that
takes off what the splines smooth (their transform is the fourth power of sin(w h/2)/(w h/2)), and gathered by the same
splines. Nodes are multiples of the step h, wherever the points lie, so that the sums are twice continuously
differentiable in the points. With h an eighth of the bandwidth the error is far below any standard error (section 9 of
``docs/theory.md`` has figures).
"""

import jax
import jax.numpy as jnp
import numpy as np

FINENESS = 8  # steps a bandwidth
FLOOR = 1e-13  # of the kernel's peak: what rounding of the transform leaves of a density
MOST_NODES = 2**16
_MARGIN = 10  # bandwidths beyond the points: there the kernel vanishes, so that the mesh may be periodic


def nodes_for(bandwidths: np.ndarray, width: float) -> int:
    """How many nodes, a power of two, the mesh needs for points over a range twice as wide as ``width``; 0: too many.

    Bandwidths (k, 1) are those of the kernel's components.
    """
    needed = 2 * width / np.min(bandwidths) * FINENESS + 2 * _MARGIN * FINENESS * np.max(bandwidths) / np.min(
        bandwidths
    )
    if not needed <= MOST_NODES:
        return 0
    return max(512, 1 << int(np.ceil(np.log2(needed))))


def mesh_sums(
    bandwidths: jax.Array, nodes: int, samples: list[tuple[jax.Array, jax.Array]], targets: list[jax.Array]
) -> list[list[jax.Array]]:
    """Sum a Gaussian kernel over each of some samples, at each of some sets of targets.

    Parameters
    ----------
    bandwidths : (k, 1) array
        Of the components, whose mean the kernel is.
    nodes : int
    samples : list of (c,) points and (c,) weights
    targets : list of (r,) arrays

    Returns
    -------
    list of lists of (r,) arrays
        For each sample, the sums at each set of targets; NaN where the points do not fit on the mesh.
    """
    narrow, wide = jnp.min(bandwidths), jnp.max(bandwidths)
    step = narrow / FINENESS
    everywhere = jax.lax.stop_gradient(jnp.concatenate([*(points for points, _ in samples), *targets]))
    margin = jnp.ceil(_MARGIN * wide / step)
    begin = jnp.floor(jnp.min(everywhere) / step) - margin
    fits = (jnp.max(everywhere) / step - begin) + margin <= nodes
    frequency = 2 * jnp.pi * jnp.fft.rfftfreq(nodes, 1.0) / step
    half = jnp.sinc(frequency * step / (2 * jnp.pi))
    transform = jnp.mean(jnp.exp(-(bandwidths**2) * (frequency**2)[None, :] / 2), axis=0) / half**8 / step

    def place(points):
        at = points / step - begin
        first = jax.lax.stop_gradient(jnp.floor(at))
        f = at - first
        weights = jnp.stack([(1 - f) ** 3, 3 * f**3 - 6 * f**2 + 4, -3 * f**3 + 3 * f**2 + 3 * f + 1, f**3], 1) / 6
        where = jnp.where(jnp.isfinite(first), first, 0.0).astype(int)
        return jnp.mod(where[:, None] + jnp.arange(-1, 3)[None, :], nodes), weights

    placed = [place(points) for points in targets]
    found = []
    for points, weights in samples:
        where, shares = place(points)
        spread = jnp.zeros(nodes).at[where.ravel()].add((weights[:, None] * shares).ravel())
        smooth = jnp.fft.irfft(jnp.fft.rfft(spread) * transform, nodes)
        found.append([jnp.where(fits, jnp.sum(smooth[at] * share, axis=1), jnp.nan) for at, share in placed])
    return found
