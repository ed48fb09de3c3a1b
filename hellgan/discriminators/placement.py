"""What placements on data share: robust standardisation, directions, knots, the ridge."""

import itertools
from typing import Literal, overload

import numpy as np

from hellgan.checks import shown
from hellgan.samples.robust import quantile, robust_scale
from hellgan.samples.ties import spread_quantile


@overload
def checked_penalty(value, optional: Literal[False] = False) -> float: ...
@overload
def checked_penalty(value, optional: Literal[True]) -> float | None: ...
def checked_penalty(value, optional=False):
    """Return a ridge as a float, or refuse it; None passes through where it stands for a default."""
    if optional and value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, (int, float, np.number)) or not 0 <= value < 1e300:
        raise ValueError(f"ridge: got {shown(value)}; give a non-negative number.")
    return float(value)


def ridge_vector(penalty, q, weights, least=0.0) -> np.ndarray:
    """Penalties (q + 1,), 0 for the intercept; a ``penalty`` of None stands for 1/(2 n^2), at least ``least``.

    So small a ridge is o(1/n), nothing beside the statistical error; but in a small sample it keeps the maximum in
    alpha of a loss that is not concave from running off to where data and simulations are separated.
    """
    if penalty is None:
        penalty = max(least, 0.5 * float(np.sum(weights**2)) ** 2)
    return np.concatenate([[0.0], np.full(q, penalty)])


def center_and_scale(rows, weights) -> tuple[np.ndarray, np.ndarray]:
    """Median and robust scale of each coordinate of (..., n, d): what makes fits location-scale equivariant."""
    coordinates = np.swapaxes(rows, -1, -2)
    return quantile(coordinates, 0.5, weights), robust_scale(coordinates, weights)


def axes_and_diagonals(d) -> np.ndarray:
    """Unit vectors along the axes and the diagonals e_i + e_j and e_i - e_j: (d^2, d)."""
    axes = list(np.eye(d))
    for i, j in itertools.combinations(range(d), 2):
        axes += [(axes[i] + axes[j]) / np.sqrt(2), (axes[i] - axes[j]) / np.sqrt(2)]
    return np.array(axes)


def arcsine_levels(k) -> np.ndarray:
    """Levels sin^2(pi (j - 1/2) / (2 k)), j = 1..k, denser in the tails."""
    return np.sin(np.pi * (np.arange(k) + 0.5) / (2 * k)) ** 2


def knots_and_widths(t, k, weights) -> tuple[np.ndarray, np.ndarray]:
    """Knots (..., k) at quantiles of arcsine levels of t (..., n), and widths: their spacing, at least .1 scales.

    Of rounded data the knots spread over the steps, and widths are at least a step: sigmoids that are narrower
    would see the steps and little else.
    """
    knots, step = spread_quantile(t, arcsine_levels(k), weights)
    least = np.maximum(0.1 * np.asarray(robust_scale(t, weights)), step)
    return knots, np.maximum(np.gradient(knots, axis=-1), least[..., None])
