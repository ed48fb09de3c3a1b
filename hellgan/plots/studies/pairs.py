"""Pairs of standardised estimates within the ellipses of their limit law."""

from collections.abc import Sequence

import numpy as np
from scipy import special

from hellgan.plots.canvas import BLUE, ORANGE, RED, legend_outside, line_entry, panels, patch_entry
from hellgan.plots.studies.frames import failures

_MOST = 6  # dimensions


def joint_pairs(
    estimates,
    names: Sequence[str],
    covariance,
    *,
    center=None,
    choose: Sequence[str] | None = None,
    probabilities: Sequence[float] = (0.5, 0.95),
    axes=None,
):
    """Draw standardised estimates pair by pair, with the ellipses of their limit law.

    Below the diagonal are scatters of (estimates - center) / sqrt(diag(covariance)) within the ellipses
    d' C^-1 d = chi-square quantile of 2 degrees, C the correlations of the limit law; on it histograms with the
    standard normal density; above it the proportion of estimates within each ellipse, and the correlation, observed and
    of the limit law.

    Parameters
    ----------
    estimates : (R, k) array
        A row with a NaN is a replicate that failed; their number is in the legend.
    names : k str
    covariance : (k, k) array
        Limit covariance of the estimates themselves, already divided by n.
    center : (k,) array, optional
        True values; the mean of the estimates unless given.
    choose : sequence of str, optional
        At most six of the names; needed where there are more.
    probabilities : sequence of float
        Probabilities of the ellipses.
    axes : (k, k) array of Axes, optional

    Returns
    -------
    (k, k) array of Axes

    Raises
    ------
    ValueError
        If shapes do not agree, there are more than six dimensions, or ``covariance`` is not positive definite.
    """
    estimates, covariance = np.atleast_2d(np.asarray(estimates, np.float64)), np.asarray(covariance, np.float64)
    names = list(names)
    if estimates.shape[1] != len(names) or covariance.shape != (len(names), len(names)):
        raise ValueError(
            f"estimates, covariance: shapes {estimates.shape} and {covariance.shape} do not fit {len(names)} names; "
            f"give (R, {len(names)}) and ({len(names)}, {len(names)})."
        )
    chosen = names if choose is None else list(choose)
    unknown = [name for name in chosen if name not in names]
    if unknown or not 1 <= len(chosen) <= _MOST:
        what = f"{unknown[0]!r} is not there" if unknown else f"{len(chosen)} of them"
        raise ValueError(f"choose: {what}; name 1 to {_MOST} of {', '.join(names)}.")
    part = [names.index(name) for name in chosen]
    kept = estimates[np.all(np.isfinite(estimates), axis=1)]
    if not len(kept):
        raise ValueError("estimates: no row is finite; nothing can be drawn.")
    middle = kept.mean(axis=0) if center is None else np.asarray(center, np.float64)
    covariance = covariance[np.ix_(part, part)]
    if not np.all(np.isfinite(covariance)) or np.linalg.eigvalsh(covariance)[0] <= 0:
        raise ValueError("covariance: it is not positive definite; give that of the limit law, divided by n.")
    errors = np.sqrt(np.diag(covariance))
    z, correlation = (kept - middle)[:, part] / errors, covariance / np.outer(errors, errors)
    return _draw_pairs(
        z, correlation, chosen, probabilities, failures(len(estimates) - len(kept), len(estimates)), axes
    )


def _draw_pairs(z, correlation, names, probabilities, note, axes):
    k, own, side = len(names), axes is None, {1: 3.6, 2: 2.7}.get(len(names), 2.1)
    grid = panels(k * k, axes, k, (side, side)).reshape(k, k)
    limit = float(np.clip(1.06 * np.abs(z).max(), 3.5, 5.0))
    radii = {p: np.sqrt(special.chdtri(2, 1 - p)) for p in probabilities}
    label = f"estimates ({note})" if note else "estimates"
    dots = line_entry(label, color=BLUE, linestyle="none", marker="o", markersize=3)
    handles: list = [dots if k > 1 else patch_entry(label, color=BLUE, alpha=0.45)]
    styles = dict(zip(probabilities, ("-", "--", ":", "-."), strict=False))
    if k > 1:
        look = {"color": ORANGE, "linewidth": 1.8}
        handles += [line_entry(f"{100 * p:g} % ellipse", linestyle=s, **look) for p, s in styles.items()]
    handles.append(line_entry("standard normal", color="black", linestyle="-", linewidth=1.4))
    beyond = np.abs(z) > limit
    if beyond.any():
        handles.append(line_entry(f"beyond {limit:g}", color=RED, linestyle="none", marker="d", markersize=4))
    at = np.linspace(-limit, limit, 201)
    for i in range(k):
        for j in range(k):
            ax, pair = grid[i, j], [j, i]
            if i == j:
                ax.hist(z[:, i], np.linspace(-limit, limit, _bins(len(z), limit)), density=True, color=BLUE, alpha=0.45)
                ax.plot(at, np.exp(-(at**2) / 2) / np.sqrt(2 * np.pi), color="black", linewidth=1.4)
                ax.set_yticks([])
                ax.set_title(names[i], fontsize="medium")
            elif i > j:
                _scatter_with_ellipses(ax, z[:, pair], correlation[np.ix_(pair, pair)], radii, styles, limit)
            else:
                _shares(ax, z[:, pair], correlation[np.ix_(pair, pair)], radii)
                continue
            ax.set_xlim(-limit, limit)
            ax.set_box_aspect(1)
            ax.set_xticks([-2, 0, 2])
            if i < k - 1:
                ax.tick_params(labelbottom=False)
            else:
                ax.set_xlabel(f"{names[j]}, standardised")
            if j == 0 < i:
                ax.set_ylabel(f"{names[i]}, standardised")
            elif i > j:
                ax.tick_params(labelleft=False)
    legend_outside(grid.ravel(), handles, own)
    return grid


def _bins(size, limit):
    """Number of edges after Freedman and Diaconis, for standard normals."""
    return int(np.clip(2 * limit / (2 * 1.35 / size ** (1 / 3)), 10, 60))


def ellipse(correlation, radius: float, points: int = 181) -> np.ndarray:
    """Points (points, 2) at Mahalanobis distance ``radius`` from 0."""
    angles = np.linspace(0, 2 * np.pi, points)
    return radius * np.stack([np.cos(angles), np.sin(angles)], axis=1) @ np.linalg.cholesky(correlation).T


def _scatter_with_ellipses(ax, z, correlation, radii, styles, limit):
    far = np.any(np.abs(z) > limit, axis=1)
    size = float(np.clip(60 / np.sqrt(len(z)), 1.2, 4))
    ax.plot(*z[~far].T, "o", color=BLUE, markersize=size, alpha=float(np.clip(20 / np.sqrt(len(z)), 0.15, 0.7)), mew=0)
    ax.plot(*np.clip(z[far], -0.95 * limit, 0.95 * limit).T, "d", color=RED, markersize=3.5)
    for p, radius in radii.items():
        ax.plot(
            *ellipse(correlation, radius).T, color=ORANGE, linewidth=1.8, linestyle=styles[p], label=f"{100 * p:g} %"
        )
    ax.set_ylim(-limit, limit)
    ax.set_yticks([-2, 0, 2])


def _shares(ax, z, correlation, radii):
    """Write what proportion of the pairs is within each ellipse, and both correlations."""
    distance = np.einsum("ri,ij,rj->r", z, np.linalg.inv(correlation), z)
    lines = [f"{100 * np.mean(distance <= radius**2):.1f} % within {100 * p:g} %" for p, radius in radii.items()]
    observed = np.corrcoef(z.T)[0, 1] if len(z) > 2 else np.nan
    lines += ["", f"correlation {observed:.2f}", f"of the limit law {correlation[0, 1]:.2f}"]
    ax.text(0.5, 0.5, "\n".join(lines), ha="center", va="center", transform=ax.transAxes, fontsize=8)
    ax.set_axis_off()
