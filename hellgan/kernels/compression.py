"""Tails on the line, compressed: where points thin out kernels widen in proportion to the distance from the middle.

Density ratios are the same on any scale. On t = a arcsinh((x - median)/a), with a eight robust scales, a kernel of one
width is, seen from the data, one that is as wide as ever in the middle and grows where a heavy tail would else be a row
of separate bumps, whose slopes say nothing of the law's (section 9 of ``docs/theory.md``).
"""

from typing import Any

import jax.numpy as jnp
import numpy as np

from hellgan.samples.robust import quantile, robust_scale

_UNIT = 8.0  # robust scales from the median at which kernels are sqrt(2) times as wide


def compression_of(rows: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Median and unit a, (2,), of a sample on the line, rows (n, 1)."""
    return np.array([quantile(rows[:, 0], 0.5, weights), _UNIT * robust_scale(rows[:, 0], weights)])


def compressed(points: Any, compression: Any, numpy: Any = jnp) -> Any:
    """Points on the compressed scale, in the data's units, the median at 0; as they are where it is empty."""
    if not np.shape(compression)[-1]:
        return points
    middle, unit = compression[0], compression[1]
    return unit * numpy.arcsinh((points - middle) / unit)
