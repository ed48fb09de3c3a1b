"""Figures of influence: curves over the data, bias along the place of contamination, case diagnostics."""

import itertools

import numpy as np

from hellgan.plots.canvas import BLUE, GREY, RED, STYLES, axes_for, mark_beyond


def influence_curves(grid, curves, x, observed, flagged, ax=None, label: str = "x"):
    """Draw influence functions over the rug of the data.

    Parameters
    ----------
    grid : (k,) array
        Increasing points; the axis runs from the first to the last, and observations outside are arrows at the edges.
    curves : mapping of str to (k,) array
        Influence functions on the grid by name, a line each.
    x : (n,) array
        Data.
    observed : mapping of str to (n,) array
        The influence of each observation.
    flagged : (r,) int array
    ax : Axes, optional
    label : str
        What the data are called, below the axis.

    Returns
    -------
    Axes
    """
    ax = axes_for(ax)
    ax.axhline(0, color=GREY, linewidth=0.8)
    for name, (color, style) in zip(curves, itertools.cycle(STYLES), strict=False):
        ax.plot(grid, curves[name], color=color, linestyle=style, linewidth=1.8, label=str(name))
        ax.plot(x, observed[name], "o", color=color, markersize=3, alpha=0.5)
    rug = ax.get_xaxis_transform()
    ax.plot(x, np.zeros_like(x), "|", transform=rug, color="black", markersize=12, alpha=0.4)
    flagged = np.asarray(flagged, int)
    if len(flagged):
        inside = x[flagged][(x[flagged] >= grid[0]) & (x[flagged] <= grid[-1])]
        at = np.full(len(inside), 0.035)
        ax.plot(inside, at, "v", transform=rug, color=RED, markersize=8, label="flagged", clip_on=not len(inside))
    mark_beyond(ax, x, flagged, (grid[0], grid[-1]))
    ax.set_xlim(grid[0], grid[-1])
    ax.set_xlabel(label)
    ax.set_ylabel("influence")
    ax.legend(loc="best", framealpha=0.9)
    return ax


def bias_curves(curves, name, ax=None):
    """Draw the bias of one parameter along the place of contamination, for several curves and shares of contamination.

    Parameters
    ----------
    curves : sequence of BiasCurve
        Bias along one coordinate. Colours tell curves apart and line styles shares; of one curve both tell shares.
    name : str
        The parameter.
    ax : Axes, optional

    Returns
    -------
    Axes
    """
    ax = axes_for(ax)
    ax.axhline(0, color=GREY, linewidth=0.8)
    several = len(curves) > 1
    shares = sorted({float(eps) for curve in curves for eps in curve.eps})
    looks = itertools.cycle(STYLES)
    colors = {curve.label: color for curve, (color, _) in zip(curves, looks, strict=False)}
    styles = dict(zip(shares, itertools.cycle(STYLES), strict=False))
    for curve in curves:
        at = np.argsort(curve.points[:, 0])
        for e, eps in enumerate(curve.eps):
            color, style = styles[float(eps)]
            color = colors[curve.label] if several else color
            line = curve.bias[e, at, curve.names.index(name)]
            ax.plot(curve.points[at, 0], line, color=color, linestyle=style, linewidth=1.8)
    for label in colors if several else ():
        ax.plot([], [], color=colors[label], linewidth=3, label=label)
    for eps, (color, style) in styles.items():
        ax.plot([], [], color="black" if several else color, linestyle=style, linewidth=1.8, label=f"eps = {eps:g}")
    ax.set_xlabel("place of the contamination")
    ax.set_ylabel(f"bias of {name}")
    ax.legend(loc="upper center", bbox_to_anchor=(0.5, -0.13), ncols=4, frameon=False)
    return ax


def index_plot(values, name, flagged, ax=None, labelled: int = 5, names=None):
    """Draw a number of each observation against its position; the largest in size bear their names.

    Neighbours whose positions would overlap share a label.

    Parameters
    ----------
    values : (n,) array
    name : str
        Name of the vertical axis.
    flagged : (r,) int array
        Positions of flagged observations.
    ax : Axes, optional
    labelled : int
        How many observations bear their names.
    names : sequence of str, optional
        Of the observations; their positions unless given.

    Returns
    -------
    Axes
    """
    ax = axes_for(ax)
    ax.axhline(0, color=GREY, linewidth=0.8)
    ax.vlines(np.arange(len(values)), 0, values, color=BLUE, linewidth=1.0, alpha=0.6)
    ax.plot(values, "o", color=BLUE, markersize=3.5)
    if len(flagged):
        ax.plot(flagged, values[flagged], "o", mfc="none", mec=RED, markersize=10, mew=1.6, label="flagged")
        ax.legend(loc="best", framealpha=0.9)
    ax.margins(y=0.12)
    names = [str(k) for k in range(len(values))] if names is None else names
    for group in _label_groups(values, np.argsort(-np.abs(values), kind="stable")[:labelled], names):
        top = group[0]
        ax.annotate(
            ", ".join(names[k] for k in sorted(group)), (top, values[top]), (0, 6 if values[top] >= 0 else -6),
            fontsize=9, textcoords="offset points", ha="center", va="bottom" if values[top] >= 0 else "top",
        )  # fmt: skip
    ax.set_xlabel("position of the observation")
    ax.set_ylabel(name)
    return ax


def _label_groups(values, labelled, names):
    """Put positions whose labels would overlap into one label, at the largest: lists of positions, that one first.

    Boxes are in parts of the Axes, for a figure of the usual size.
    """
    x = np.arange(len(values)) / max(len(values) - 1, 1)
    y = values / (1.24 * max(np.ptp(np.append(values[np.isfinite(values)], 0.0)), np.finfo(float).tiny))
    groups = [[int(k)] for k in labelled]

    def overlap(one, other):
        # Half of a label's width, then of its height; two labels on different sides of 0 are apart.
        widths = sum(0.008 * len(", ".join(names[k] for k in group)) + 0.004 for group in (one, other))
        near = abs(x[one[0]] - x[other[0]]) < widths and abs(y[one[0]] - y[other[0]]) < 0.06
        return near and (y[one[0]] >= 0) == (y[other[0]] >= 0)

    while True:
        pairs = itertools.combinations(range(len(groups)), 2)
        first = next(((i, j) for i, j in pairs if overlap(groups[i], groups[j])), None)
        if first is None:
            return groups
        groups[first[0]] += groups.pop(first[1])
