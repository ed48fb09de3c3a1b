"""Robust summaries of a weighted sample, in NumPy: where families and discriminators begin."""

import numpy as np

MAD = 1.4826022185056018  # 1 / Phi^-1(3/4): makes the median absolute deviation consistent at the normal law


def quantile(x: np.ndarray, level, weights: np.ndarray):
    """Quantiles of a weighted sample; linear between order statistics where all weights but zeros are equal."""
    counted = weights > 0
    x, weights = x[counted], weights[counted]
    if weights[0] == weights.min() == weights.max():
        # numpy.quantile's own formula, without the cost of its generality: this is called ten times a fit.
        ordered, at = np.sort(x), np.asarray(level, np.float64) * (x.size - 1)
        below = np.floor(at).astype(int)
        low, high = ordered[below], ordered[np.minimum(below + 1, x.size - 1)]
        share, step = at - below, high - low
        return np.where(share >= 0.5, high - step * (1 - share), low + step * share)[()]
    return np.quantile(x, level, weights=weights, method="inverted_cdf")


def deviation(x: np.ndarray, weights: np.ndarray) -> float:
    """Median absolute deviation, made consistent at the normal law."""
    return float(MAD * quantile(np.abs(x - quantile(x, 0.5, weights)), 0.5, weights))


def robust_scale(x: np.ndarray, weights: np.ndarray) -> float:
    """Median absolute deviation, made consistent at the normal law; where it is 0, a wider quantile range.

    Raises
    ------
    ValueError
        When the central 90 % of the sample are one value.
    """
    spread = deviation(x, weights)
    if spread > 0:
        return float(spread)
    for low, width in ((0.25, 1.349), (0.1, 2.563), (0.05, 3.290)):
        spread = np.subtract(*quantile(x, [1 - low, low], weights))
        if spread > 0:
            return float(spread / width)
    raise ValueError("data: the central 90 % of the sample are one value; the model needs a sample that varies.")
