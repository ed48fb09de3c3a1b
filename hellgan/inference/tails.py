"""Upper tails of the limit laws of tests."""

import numpy as np


def weighted_chi2_sf(weights: np.ndarray, statistic: float, nodes: int = 32) -> float:
    """Upper tail of a sum of independent chi-square variables of one degree of freedom with weights (r,).

    The distribution function is the inverse Laplace transform of prod (1 + 2 weight p)^(-1/2) / p, whose singularities
    lie on the negative axis: the midpoint rule on the parabola p = mu (1 + iu)^2 of Weideman and Trefethen (2007)
    converges geometrically. The absolute error is below 1e-11, whatever the weights.
    """
    if not statistic > 0:
        return 1.0
    u = (np.arange(nodes) + 0.5) * 3 / nodes
    mu = np.pi * nodes / (12 * statistic)
    p, slope = mu * (1 + 1j * u) ** 2, 2j * mu * (1 + 1j * u)
    transform = np.prod(1 / np.sqrt(1 + 2 * weights[:, None] * p[None, :]), axis=0) / p
    below = 3 / nodes / np.pi * np.sum((np.exp(p * statistic) * transform * slope).imag)
    return float(np.clip(1 - below, 0.0, 1.0))
