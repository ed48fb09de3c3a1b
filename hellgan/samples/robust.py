"""Robust summaries of a weighted sample, in NumPy: where families and discriminators begin.

A sample may be a stack of samples (..., n) with the same weights (n,); summaries are then stacks, too.
"""

import numpy as np

MAD = 1.4826022185056018  # 1 / Phi^-1(3/4): makes the median absolute deviation consistent at the normal law


def quantile(x: np.ndarray, level, weights: np.ndarray):
    """Quantiles of a weighted sample; linear between order statistics where all weights but zeros are equal.

    Quantiles of a stack (..., n) have shape (..., *shape of level).
    """
    if not np.all(weights > 0):
        x, weights = x[..., weights > 0], weights[weights > 0]
    level = np.asarray(level, np.float64)
    if weights.min() == weights.max():
        # numpy.quantile's own formula, without the cost of its generality: this is called ten times a fit.
        ordered, at = np.sort(x), level * (x.shape[-1] - 1)
        below = np.floor(at).astype(int)
        low, high = ordered[..., below], ordered[..., np.minimum(below + 1, x.shape[-1] - 1)]
        fraction, step = at - below, high - low
        return np.where(fraction >= 0.5, high - step * (1 - fraction), low + step * fraction)[()]
    found = np.quantile(x, level, axis=-1, weights=weights, method="inverted_cdf")
    return np.moveaxis(found, range(level.ndim), range(-level.ndim, 0)) if level.ndim else found


def deviation(x: np.ndarray, weights: np.ndarray):
    """Median absolute deviation, made consistent at the normal law."""
    return MAD * quantile(np.abs(x - np.asarray(quantile(x, 0.5, weights))[..., None]), 0.5, weights)


def robust_scale(x: np.ndarray, weights: np.ndarray):
    """Median absolute deviation, made consistent at the normal law; where it is 0, a wider quantile range.

    Raises
    ------
    ValueError
        When the central 90 % of the sample are one value.
    """
    spread = deviation(x, weights)
    for low, width in ((0.25, 1.349), (0.1, 2.563), (0.05, 3.290)):
        if np.all(spread > 0):
            return spread
        between = quantile(x, 1 - low, weights) - quantile(x, low, weights)
        spread = np.where(spread > 0, spread, between / width)[()]
    if np.all(spread > 0):
        return spread
    raise ValueError("data: the central 90 % of the sample are one value; the model needs a sample that varies.")
