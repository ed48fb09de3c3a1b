"""The bulk of a sample in several dimensions: its location and scatter, and the directions in which the rest lies.

Distances from an ellipsoid alone do not find a tight cluster, which makes the ellipsoid that covers it smaller; seen
along the right line it stands apart. So the sample is cleaned along the directions in which it looks least normal,
those of extreme skewness and kurtosis, and what is left is reweighted by robust distances.
"""

from typing import NamedTuple

import numpy as np
from scipy import special

from hellgan.samples.robust import quantile, robust_scale

_CLIPS = (2.0, 2.7)  # standard deviations at which a projection's location and scale are clipped, one after the other
_CUT = 3.5  # standard deviations from which on an observation does not belong to the bulk
_ROUNDS, _STEPS, _REWEIGHTED = 10, 15, 5
_STARTS, _FARTHEST = 5, 20  # directions refined, and observations far out that give candidates
_SIGHTS, _GROUP = 48, 0.03  # observations towards which one looks, and the part of a sample that is more than chance
_GRID = 1000  # points at which a projection's distribution is looked at
_LEVEL = 0.99  # of the chi-square law of squared distances within the bulk


class Bulk(NamedTuple):
    """What the larger part of a sample looks like.

    Attributes
    ----------
    center : (d,) array
    scatter : (d, d) array
        Consistent for the covariance matrix at the normal law.
    directions : (3, d) array
        Of x, those along which most observations stand apart first; where none do, those in which the sample has the
        largest skewness, the largest and the least kurtosis. Their length is that which gives the bulk variance 1.
    inside : (n,) bool array
        Which observations belong to the bulk.
    """

    center: np.ndarray
    scatter: np.ndarray
    directions: np.ndarray
    inside: np.ndarray


def bulk(rows: np.ndarray, weights: np.ndarray) -> Bulk:
    """Find the bulk of a sample in d >= 2 dimensions; equivariant under shifts and rescalings of the coordinates.

    Parameters
    ----------
    rows : (n, d) array
    weights : (n,) array
        With sum 1; rows of weight 0 do not count.

    Returns
    -------
    Bulk

    Raises
    ------
    ValueError
        When the central 90 % of a coordinate are one value.

    References
    ----------
    Peña and Prieto (2001), Multivariate outlier detection and robust covariance matrix estimation, *Technometrics* 43:
    directions of extreme kurtosis.
    """
    center, scale = quantile(rows.T, 0.5, weights), robust_scale(rows.T, weights)
    t = (rows - center) / scale
    inside, directions = _cleaned(t, weights)
    inside = _reweighted(t, weights, inside, directions)
    if not _varies(t, inside):  # more than half of the rows are tied
        return Bulk(center, np.diag(scale**2), np.resize(np.diag(1 / scale), (3, len(scale))), weights > 0)
    mean, scatter = _moments(t[inside], weights[inside])
    distances = _squared_distances(t, mean, scatter)[inside]
    d = t.shape[1]
    scatter = scatter * quantile(distances, 0.5, weights[inside]) / _chi_square_quantile(0.5 * _LEVEL, d)
    first = directions[:3]
    first = first / np.sqrt(np.einsum("kd,de,ke->k", first, scatter, first))[:, None]
    return Bulk(center + scale * mean, scale[:, None] * scatter * scale, first / scale, inside)


def _cleaned(t, weights):
    """Take off, round by round, what stands apart along a line; returns what is left, and the lines, worst first."""
    inside, lines, apart = weights > 0, [], []
    for _ in range(_ROUNDS):
        mean, scatter = _moments(t[inside], weights[inside])
        whitening = np.linalg.inv(np.linalg.cholesky(scatter))
        y, w = (t[inside] - mean) @ whitening.T, weights[inside] / weights[inside].sum()
        unit = _least_normal(y, w)
        far = _outlyingness(y @ unit.T, w) > _CUT
        others = _towards(y)
        groups = _outlyingness(y @ others.T, w) > _CUT
        best = [k for k in np.argsort(-(w @ groups), kind="stable")[:3] if w @ groups[:, k] > _GROUP]
        unit, far = np.concatenate([unit, others[best]]), np.concatenate([far, groups[:, best]], axis=1)
        lines.append(unit @ whitening)
        apart.append(w @ far)
        leaves = np.any(far, axis=1)
        # At a normal law so many are so far by chance, twice over.
        if w @ leaves <= 12 * special.ndtr(-_CUT) + 2 * np.max(w):
            break
        if weights[inside][~leaves].sum() < 0.5:
            break
        inside[np.flatnonzero(inside)[leaves]] = False
        if not _varies(t, inside):
            break
    order = np.argsort(-np.concatenate(apart), kind="stable")
    return inside, np.concatenate(lines)[order]


def _reweighted(t, weights, inside, lines):
    """Take into the bulk what is near it by robust distance and along all the lines; leave out the rest."""
    d = t.shape[1]
    along = _outlyingness(t @ lines.T, weights, inside) <= _CUT
    near_all = np.all(along, axis=1) & (weights > 0)
    for _ in range(_REWEIGHTED):
        if not _varies(t, inside):
            break
        distances = _squared_distances(t, *_moments(t[inside], weights[inside]))
        scale = quantile(distances[inside], 0.5, weights[inside]) / _chi_square_quantile(0.5, d)
        found = near_all & (distances < scale * _chi_square_quantile(_LEVEL, d))
        if weights[found].sum() < 0.4 or np.array_equal(found, inside):
            break
        inside = found
    return inside


def _outlyingness(p, weights, among=None):
    """Distance of projections (n, k) from their bulks' locations, in their bulks' scales.

    A location and a scale are those of the shortest half, clipped until nothing changes.
    """
    chosen = weights > 0 if among is None else among
    x, w = p[chosen], weights[chosen] / weights[chosen].sum()
    grid = quantile(x.T, (np.arange(_GRID) + 0.5) / _GRID, w)
    half, each = _GRID // 2, np.arange(p.shape[1])
    lengths = grid[:, half:] - grid[:, :-half]
    first = np.argmin(lengths, axis=1)
    location, scale = (grid[each, first] + grid[each, first + half]) / 2, lengths[each, first] / (2 * 0.6745)
    least = 1e-3 * (grid[:, -1] - grid[:, 0]) + 1e-300  # more than half may be tied
    scale = np.maximum(scale, least)
    for clip in _CLIPS:
        lost = 1 - 2 * clip * np.exp(-0.5 * clip**2) / np.sqrt(2 * np.pi) / (2 * special.ndtr(clip) - 1)
        for _ in range(10):
            near = w[:, None] * (np.abs(x - location) <= clip * scale)
            total = near.sum(axis=0)
            before, location = location, np.sum(near * x, axis=0) / total
            scale = np.maximum(np.sqrt(np.sum(near * (x - location) ** 2, axis=0) / total / lost), least)
            if np.array_equal(before, location):
                break
    return np.abs(p - location) / scale


def _varies(t, inside) -> bool:
    """Whether the rows inside are more than a point or a line along a coordinate."""
    return bool(np.all(np.ptp(t[inside], axis=0) > 0))


def _moments(t, weights):
    """Weighted mean and covariance, the latter drawn towards its diagonal where there are few rows for it."""
    w = weights / weights.sum()
    mean = w @ t
    centred = t - mean
    cov = (w * centred.T) @ centred / (1 - w @ w)
    few = np.clip(1 - 1 / (5 * t.shape[1] * (w @ w)), 1e-6, 0.9)
    return mean, (1 - few) * cov + few * np.diag(np.maximum(np.diag(cov), 1e-6))


def _squared_distances(t, mean, scatter):
    return np.sum(np.linalg.solve(np.linalg.cholesky(scatter), (t - mean).T) ** 2, axis=0)


def _chi_square_quantile(level, d):
    return 2 * special.gammaincinv(d / 2, level)


def _towards(y):
    """Unit vectors from the centre towards some of the whitened rows (n, d), near and far ones."""
    length = np.linalg.norm(y, axis=1)
    chosen = np.argsort(length, kind="stable")[:: -max(1, len(y) // _SIGHTS)]
    chosen = chosen[length[chosen] > 0]
    return y[chosen] / length[chosen][:, None]


def _least_normal(y, w):
    """Find unit vectors along which whitened rows (n, d) have extreme skewness and kurtosis: (3, d)."""
    far = y[np.argsort(-np.sum(y**2, axis=1), kind="stable")[:_FARTHEST]]
    candidates = np.concatenate([np.eye(y.shape[1]), far])
    length = np.linalg.norm(candidates, axis=1)
    candidates = candidates[length > 0] / length[length > 0][:, None]
    p = y @ candidates.T
    third, fourth = w @ p**3, w @ p**4
    found = []
    for value, step in (
        (np.abs(third), lambda p, unit: (w[:, None] * p**2).T @ y),
        (fourth, lambda p, unit: (w[:, None] * p**3).T @ y),
        (-fourth, lambda p, unit: 3 * unit - (w[:, None] * p**3).T @ y),
    ):
        unit = candidates[np.argsort(-value, kind="stable")[:_STARTS]]
        for _ in range(_STEPS):
            moved = step(y @ unit.T, unit)
            length = np.linalg.norm(moved, axis=1, keepdims=True)
            unit = np.where(length > 0, moved / np.where(length > 0, length, 1.0), unit)
        found.append(unit)
    units = np.concatenate(found)
    p = y @ units.T
    p = (p - w @ p) / np.sqrt(np.maximum(w @ (p - w @ p) ** 2, 1e-300))
    third, fourth = w @ p**3, w @ p**4
    k = _STARTS if len(units) == 3 * _STARTS else len(found[0])
    best = [np.argmax(np.abs(third[:k])), k + np.argmax(fourth[k : 2 * k]), 2 * k + np.argmin(fourth[2 * k :])]
    return units[best]
