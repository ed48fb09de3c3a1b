"""Intervals for new observations of a regression: quantiles of the noise's law and the errors of the estimates.

Given the estimates a response at row x is m(x) + s e, with m the location, s the scale and e of the noise's law.
Estimates err: the location by A, the log scale by B, taken to be jointly normal with the covariance of the estimates.
The law of a new observation is that of m + A + s exp(B) e, the noise's law averaged over the estimates' own. The bias
of the log scale, which the exact t interval of least squares has in it, too, is not counted.
"""

from collections.abc import Callable

import numpy as np
from scipy import special

_SCALES = 11  # Gauss-Hermite nodes for the log scale
_REACH, _MOST = 8.0, 513  # half the range and the largest number of nodes for the location, in standard errors
_BLOCK = 256  # rows a call


def _laplace(x):
    return np.where(x < 0, 0.5 * np.exp(np.minimum(x, 0.0)), 1 - 0.5 * np.exp(-np.maximum(x, 0.0)))


def noise_cdf(noise: str, df: float) -> Callable[[np.ndarray], np.ndarray]:
    """Give the distribution function of a standardised noise of ``LinearRegression``."""
    if noise == "t":
        return lambda x: special.stdtr(df, x)
    return {"normal": special.ndtr, "logistic": special.expit, "laplace": _laplace}[noise]


def predictive_quantile(
    cdf: Callable[[np.ndarray], np.ndarray], level: float, variance: np.ndarray, covariance: np.ndarray, of_log: float
) -> np.ndarray:
    """Quantiles (r,) of A + exp(B) e.

    Parameters
    ----------
    cdf : callable
        Distribution function of e, elementwise.
    level : float
        Between 0 and 1.
    variance, covariance : (r,) arrays
        Variance of A and its covariance with B, e's scale being 1. NaN gives NaN.
    of_log : float
        Variance of B.
    """
    found = np.full(len(variance), np.nan)
    known = np.flatnonzero(np.isfinite(variance) & np.isfinite(covariance) & np.isfinite(of_log))
    for block in np.array_split(known, -(-len(known) // _BLOCK)) if len(known) else []:
        found[block] = _quantiles(cdf, level, variance[block], covariance[block], of_log)
    return found


def _quantiles(cdf, level, variance, covariance, of_log):
    from scipy.optimize import elementwise

    nodes, weights = np.polynomial.hermite_e.hermegauss(_SCALES)
    weights /= weights.sum()
    log_scales = np.sqrt(of_log) * nodes
    slopes = covariance / of_log if of_log > 0 else np.zeros_like(covariance)
    rest = np.sqrt(np.maximum(variance - slopes * covariance, 0.0))
    # By trapezia, which for a normal weight are exact once the nodes are closer than the noise is wide.
    z = np.linspace(-_REACH, _REACH, int(np.clip(16 * _REACH * np.max(rest, initial=0.0), 33, _MOST)))
    among = np.exp(-(z**2) / 2)
    among /= among.sum()

    def probability(t, slope, error):
        centred = t[..., None, None] - slope[..., None, None] * log_scales[:, None] - error[..., None, None] * z
        return np.einsum("...bz,b,z->...", cdf(centred / np.exp(log_scales)[:, None]), weights, among) - level

    bracket = elementwise.bracket_root(
        probability, -np.ones_like(rest), np.ones_like(rest), args=(slopes, rest)
    ).bracket
    return elementwise.find_root(probability, bracket, args=(slopes, rest)).x
