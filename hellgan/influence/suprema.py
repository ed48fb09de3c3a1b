"""Where suprema of influence functions are sought, and where contamination is tried."""

import numpy as np

from hellgan.samples.sample import Sample

# Distances from the centre in units of the scale; far ones show whether a function still grows there.
_NEAR, _FAR = np.linspace(0.0, 6.0, 61)[1:], np.geomspace(6.0, 1e5, 60)[1:]
_AWAY = 1e4  # from so many scales on a point is far


def default_points(sample: Sample) -> np.ndarray:
    """Points (k, d): the data, and rays from their centre to 100,000 scales away.

    Rays go along the axes and the diagonals of pairs; where there are covariates from every observation along the
    response, and along each covariate.
    """
    x, center, scale = sample.rows, sample.center, sample.scales
    radii = np.concatenate([-_FAR[::-1], -_NEAR[::-1], [0.0], _NEAR, _FAR])
    axes = np.eye(sample.d)
    if sample.covariates:
        near = radii[np.abs(radii) <= 6][::6]
        responses = [row + r * scale * axes[-1] for row in x[:: max(1, len(x) // 50)] for r in near]
        leverage = [center + r * scale * (a + s * axes[-1]) for a in axes[:-1] for s in (-1, 0, 1) for r in radii]
        return np.concatenate([x, responses, leverage, [center + r * scale * axes[-1] for r in radii]])
    return np.concatenate([x, *(center + radii[:, None] * scale * u for u in _directions(axes))])


def places(sample: Sample) -> np.ndarray:
    """Places (k, d) of contamination: along the rays of ``default_points``, out to 20 scales."""
    radii = np.concatenate([np.linspace(0.5, 6, 12), [7, 8, 10, 12, 15, 20]])
    radii = np.concatenate([-radii[::-1], radii])
    axes = np.eye(sample.d)
    return np.concatenate([sample.center + radii[:, None] * sample.scales * u for u in _directions(axes)])


def _directions(axes) -> list[np.ndarray]:
    return [*axes, *(axes[i] + s * axes[j] for i in range(len(axes)) for j in range(i) for s in (1, -1))]


def largest(sample: Sample, points: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """Largest sizes (k, r) over default points (k, d): (r,); infinite where sizes still grow at the farthest points."""
    away = np.max(np.abs(points - sample.center) / sample.scales, axis=1)
    far, found = away > _AWAY, sizes.max(axis=0)
    grows = np.max(sizes[far], axis=0) > 1.01 * np.max(sizes[~far], axis=0)
    return np.where(grows, np.inf, found)
