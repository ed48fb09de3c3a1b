"""Figures of a fit: data and fitted law, probabilities, log ratios."""

import numpy as np

from hellgan.plots.canvas import BLUE, GREY, ORANGE, RED, axes_for, mark_beyond, view


def histogram_fit(x, grid, density, simulated, prob_real, flagged, ax=None, label: str = "x"):
    """Draw a one-dimensional fit.

    Parameters
    ----------
    x : (n,) array
        Data.
    grid, prob_real : (k,) arrays
        Increasing points at which the discriminator is evaluated, and its probability "real". The axis runs from the
        first to the last point; observations outside are arrows at the edges.
    density : (k,) array or None
        Fitted density on the grid; None draws a histogram of ``simulated`` instead.
    simulated : (m,) array
        Simulated observations.
    flagged : (r,) int array
        Positions of flagged observations.
    ax : Axes, optional
    label : str
        What the data are called, below the axis.

    Returns
    -------
    Axes
        Of the densities; the probability has its own axis on the right.
    """
    ax = axes_for(ax)
    edges = _edges(x, grid)
    shown = x[(x >= edges[0]) & (x <= edges[-1])]
    weights = np.full(len(shown), 1 / len(x) / (edges[1] - edges[0]))
    ax.hist(shown, edges, weights=weights, color=GREY, alpha=0.45, label="data")
    if density is None:
        inside = simulated[(simulated >= edges[0]) & (simulated <= edges[-1])]
        fraction = len(inside) / len(simulated)
        weights = np.full(len(inside), fraction / max(len(inside), 1) / (edges[1] - edges[0]))
        ax.hist(inside, edges, weights=weights, histtype="step", color=BLUE, linewidth=1.8, label="fitted generator")
    else:
        ax.plot(grid, density, color=BLUE, linewidth=2, label="fitted density")
    right = ax.twinx()
    right.plot(grid, prob_real, color=ORANGE, linewidth=1.6, linestyle="--", label="discriminator: P(real)")
    right.set_ylim(0, 1.05)
    right.set_ylabel("P(real)")
    flagged = np.asarray(flagged, int)
    if len(flagged):
        inside = x[flagged][(x[flagged] >= grid[0]) & (x[flagged] <= grid[-1])]
        # An empty line that is not clipped would upset the layout.
        look = {"color": RED, "markersize": 8, "label": "flagged", "clip_on": not len(inside)}
        right.plot(inside, np.full(len(inside), 0.03), "v", **look)
    mark_beyond(right, x, flagged, (grid[0], grid[-1]))
    ax.plot(x, np.zeros_like(x), "|", color="black", markersize=10, alpha=0.4)
    ax.set_xlim(grid[0], grid[-1])
    ax.set_xlabel(label)
    ax.set_ylabel("density")
    handles = [*ax.get_legend_handles_labels()[0], *right.get_legend_handles_labels()[0]]
    labels = [*ax.get_legend_handles_labels()[1], *right.get_legend_handles_labels()[1]]
    # Below the Axes: a legend inside would hide data, since two axes share the space and "best" sees only one.
    right.legend(handles, labels, loc="upper center", bbox_to_anchor=(0.5, -0.13), ncols=4, frameon=False)
    return ax


def _edges(x, grid):
    """Histogram edges after Freedman and Diaconis, between 10 and 120 bins over the range shown."""
    width = 2 * np.subtract(*np.quantile(x, [0.75, 0.25])) / len(x) ** (1 / 3)
    span = grid[-1] - grid[0]
    bins = int(np.clip(span / width if width > 0 else 30, 10, 120))
    return np.linspace(grid[0], grid[-1], bins + 1)


def scatter_fit(x, simulated, flagged, names, ax=None):
    """Draw the first two coordinates of a fit: data over draws from the generator, flagged points marked.

    Parameters
    ----------
    x, simulated : (n, d) and (m, d) arrays
    flagged : (r,) int array
    names : sequence of str
    ax : Axes, optional

    Returns
    -------
    Axes
    """
    ax = axes_for(ax, 6.0, 5.0)
    ax.plot(simulated[:, 0], simulated[:, 1], ".", color=BLUE, alpha=0.15, markersize=3, label="fitted generator")
    ax.plot(x[:, 0], x[:, 1], "o", color="black", markersize=4, label="data")
    if len(flagged):
        ax.plot(x[flagged, 0], x[flagged, 1], "o", mfc="none", mec=RED, markersize=11, mew=1.8, label="flagged")
    # All of the data and nearly all of the draws: a few far away would shrink the rest to a dot.
    drawn = simulated[np.all(np.isfinite(simulated), axis=1)]
    central = np.quantile(drawn, [0.005, 0.995], axis=0) if len(drawn) else x
    lows, highs = zip(*(view(np.concatenate([x[:, k], central[:, k]])) for k in (0, 1)), strict=True)
    ax.set_xlim(lows[0], highs[0])
    ax.set_ylim(lows[1], highs[1])
    ax.set_xlabel(names[0])
    ax.set_ylabel(names[1])
    ax.legend(loc="best", framealpha=0.9)
    return ax


def pp_plot(expected, observed, half_width, of: str, ax=None):
    """Draw a P-P plot with a simultaneous band.

    Parameters
    ----------
    expected, observed : (k,) arrays
        Fitted and empirical probabilities below the same points.
    half_width : (k,) array
        Half the width of the band about the diagonal; NaN where it is not known.
    of : str
        What the probabilities are of, for the legend.
    ax : Axes, optional

    Returns
    -------
    Axes
    """
    ax = axes_for(ax, 5.0, 5.0)
    known = np.isfinite(half_width)
    middle, half = expected[known], half_width[known]
    low, high = np.clip(middle - half, 0, 1), np.clip(middle + half, 0, 1)
    ax.fill_between(middle, low, high, color=GREY, alpha=0.35, linewidth=0, label="95 % simultaneous")
    ax.plot([0, 1], [0, 1], color=GREY, linewidth=0.8)
    ax.plot(expected, observed, color=BLUE, linewidth=1.8, label=of)
    ax.set_xlim(0, 1)
    ax.set_ylim(0, 1)
    ax.set_xlabel("fitted probability")
    ax.set_ylabel("empirical probability")
    ax.legend(loc="upper left", framealpha=0.9)
    return ax


def log_ratio_plot(values, flagged, threshold, ax=None, names=None):
    """Draw the discriminator's log ratio at the observations in increasing order, flagged ones marked.

    Parameters
    ----------
    values : (n,) array
    flagged : (r,) int array
    threshold : float
        The log ratio above which an observation is flagged.
    ax : Axes, optional
    names : sequence of str, optional
        Of the observations; their positions unless given.

    Returns
    -------
    Axes
    """
    ax = axes_for(ax)
    order = np.argsort(values, kind="stable")
    ranks = np.empty(len(values), int)
    ranks[order] = np.arange(len(values))
    ax.axhline(0, color=GREY, linewidth=0.8)
    ax.axhline(threshold, color=RED, linewidth=1.0, linestyle="--", label="flagged from here")
    ax.plot(values[order], "o", color=BLUE, markersize=3.5)
    if len(flagged):
        first = [str(k) if names is None else names[k] for k in flagged[:6]]
        named = ", ".join(first) + (", ..." if len(flagged) > 6 else "")
        look = {"mfc": "none", "mec": RED, "markersize": 10, "mew": 1.6, "label": f"flagged: {named}"}
        ax.plot(ranks[flagged], values[flagged], "o", **look)
    ax.margins(y=0.1)
    ax.set_xlabel("observations by log ratio")
    ax.set_ylabel("log ratio, real over fitted")
    ax.legend(loc="upper left", framealpha=0.9)
    return ax
