"""Figures of intervals: bands about a curve, the profile of a parameter."""

import numpy as np

from hellgan.plots.canvas import BLUE, GREY, ORANGE, axes_for


def curve_bands(points, values, pointwise, simultaneous, names, level: float, ax=None):
    """Draw a curve with its pointwise and its simultaneous band.

    Parameters
    ----------
    points, values : (k,) arrays
    pointwise, simultaneous : (k, 2) arrays
        Lower and upper ends; NaN where there are none.
    names : pair of str
        Of the axes.
    level : float
        Of both bands.
    ax : Axes, optional

    Returns
    -------
    Axes
    """
    ax = axes_for(ax)
    order = np.argsort(points)
    points, values = points[order], values[order]
    for band, shade, what in ((simultaneous, 0.15, "simultaneous"), (pointwise, 0.3, "pointwise")):
        if np.any(np.isfinite(band)):
            ax.fill_between(
                points, *band[order].T, color=BLUE, alpha=shade, linewidth=0, label=f"{100 * level:g} % {what}"
            )
    ax.plot(points, values, color=BLUE, linewidth=2, marker="o" if len(points) < 25 else "", markersize=4, label="fit")
    ax.set_xlabel(names[0])
    ax.set_ylabel(names[1])
    ax.legend(loc="upper left", frameon=False)
    return ax


def profile(values, statistics, estimate: float, quantile: float, wald, interval, name: str, ax=None):
    """Draw a chi-square statistic over the values of a parameter, and the intervals.

    Parameters
    ----------
    values, statistics : (k,) arrays
        NaN statistics are left out.
    estimate, quantile : float
        The estimate of the parameter; the quantile of the statistic's limit law.
    wald, interval : (2,) arrays
        The Wald interval, and the interval where the statistic is below the quantile. An end that is not known is drawn
        as far out as the statistic is.
    name : str
        Of the parameter.
    ax : Axes, optional

    Returns
    -------
    Axes
    """
    ax = axes_for(ax)
    ax.plot(values, statistics, color=BLUE, linewidth=2, label="distance test")
    ax.axhline(quantile, color=GREY, linewidth=1.2, linestyle="--", label=f"chi-square quantile {quantile:.2f}")
    top = 1.6 * quantile
    ax.set_ylim(-0.22 * quantile, top)
    ax.set_xlim(values[0], values[-1])
    found = np.append(values[np.isfinite(statistics)], estimate)
    found = [found.min(), found.max()]
    for ends, height, colour, label in (
        (interval, -0.07, BLUE, "profile interval"),
        (wald, -0.15, ORANGE, "Wald interval"),
    ):
        shown = np.clip(np.where(np.isnan(ends), found, ends), values[0], values[-1])
        ax.plot(shown, [height * quantile] * 2, color=colour, linewidth=4, solid_capstyle="butt", label=label)
    for end in interval:
        if np.isfinite(end):
            ax.plot([end, end], [-0.07 * quantile, quantile], color=BLUE, linewidth=1, linestyle=":")
    ax.plot(estimate, 0, "o", color="black", markersize=6, label="estimate", zorder=3)
    ax.set_xlabel(name)
    ax.set_ylabel("distance statistic over its weight")
    ax.legend(loc="upper center", bbox_to_anchor=(0.5, -0.13), ncols=3, frameon=False)
    return ax
