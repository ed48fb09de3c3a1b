"""Figures: arrays and Axes in, Axes out. The only module that imports matplotlib, and only when it draws."""

import itertools

import numpy as np

# Okabe and Ito's colours, told apart by colour-blind readers.
BLUE, ORANGE, GREEN, RED, GREY = "#0072B2", "#E69F00", "#009E73", "#D55E00", "#999999"


def new_axes(width: float = 7.0, height: float = 4.3):
    """Open a figure of one Axes."""
    return _pyplot().subplots(figsize=(width, height), layout="constrained")[1]


def _pyplot():
    try:
        import matplotlib.pyplot as plt
    except ImportError as error:
        raise ImportError("plots need matplotlib: pip install 'hellgan[plot]'.") from error
    return plt


def save(ax, path) -> None:
    """Write the figure of an Axes to a file, by its suffix."""
    ax.figure.savefig(path, dpi=150)


def close(ax) -> None:
    """Close the figure of an Axes, which pyplot would keep otherwise."""
    import matplotlib.pyplot as plt

    plt.close(ax.figure)


def view(x: np.ndarray) -> tuple[float, float]:
    """Range that shows all of a sample, with a margin."""
    low, high = float(np.min(x)), float(np.max(x))
    margin = 0.06 * (high - low)
    return low - margin, high + margin


def histogram_fit(x, grid, density, simulated, prob_real, flagged, ax=None):
    """Draw a one-dimensional fit.

    Parameters
    ----------
    x : (n,) array
        Data.
    grid, prob_real : (k,) arrays
        Where the discriminator is evaluated, and its probability "real".
    density : (k,) array or None
        Fitted density; a histogram of ``simulated`` stands in for it.
    simulated : (m,) array
    flagged : (r,) int array
        Positions of flagged observations.
    ax : Axes, optional

    Returns
    -------
    Axes
        Of the densities; the probability has its own axis on the right.
    """
    ax = new_axes() if ax is None else ax
    edges = _edges(x, grid)
    ax.hist(x, edges, density=True, color=GREY, alpha=0.45, label="data")
    if density is None:
        inside = simulated[(simulated >= edges[0]) & (simulated <= edges[-1])]
        share = len(inside) / len(simulated)
        weights = np.full(len(inside), share / max(len(inside), 1) / (edges[1] - edges[0]))
        ax.hist(inside, edges, weights=weights, histtype="step", color=BLUE, linewidth=1.8, label="fitted generator")
    else:
        ax.plot(grid, density, color=BLUE, linewidth=2, label="fitted density")
    right = ax.twinx()
    right.plot(grid, prob_real, color=ORANGE, linewidth=1.6, linestyle="--", label="discriminator: P(real)")
    right.set_ylim(0, 1.05)
    right.set_ylabel("P(real)")
    if len(flagged):
        right.plot(
            x[flagged], np.full(len(flagged), 0.03), "v", color=RED, markersize=8, label="flagged", clip_on=False
        )
    ax.plot(x, np.zeros_like(x), "|", color="black", markersize=10, alpha=0.4)
    ax.set_xlim(grid[0], grid[-1])
    ax.set_xlabel("x")
    ax.set_ylabel("density")
    handles = [*ax.get_legend_handles_labels()[0], *right.get_legend_handles_labels()[0]]
    labels = [*ax.get_legend_handles_labels()[1], *right.get_legend_handles_labels()[1]]
    # Below: inside it would hide data, since two axes share the space and "best" sees only one.
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
    ax = new_axes(6.0, 5.0) if ax is None else ax
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


# Line styles beside the colours, so that a print in grey can be read.
_STYLES = ((BLUE, "-"), (ORANGE, "--"), (GREEN, "-."), (RED, ":"), ("black", (0, (5, 1))), (GREY, (0, (1, 1))))


def influence_curves(grid, curves, x, observed, flagged, ax=None):
    """Draw influence functions over the rug of the data.

    Parameters
    ----------
    grid : (k,) array
    curves : mapping of str to (k,) array
        One line each.
    x : (n,) array
        Data.
    observed : mapping of str to (n,) array
        The influence of each observation.
    flagged : (r,) int array
    ax : Axes, optional

    Returns
    -------
    Axes
    """
    ax = new_axes() if ax is None else ax
    ax.axhline(0, color=GREY, linewidth=0.8)
    for name, (color, style) in zip(curves, itertools.cycle(_STYLES), strict=False):
        ax.plot(grid, curves[name], color=color, linestyle=style, linewidth=1.8, label=str(name))
        ax.plot(x, observed[name], "o", color=color, markersize=3, alpha=0.5)
    rug = ax.get_xaxis_transform()
    ax.plot(x, np.zeros_like(x), "|", transform=rug, color="black", markersize=12, alpha=0.4)
    if len(flagged):
        at = np.full(len(flagged), 0.035)
        ax.plot(x[flagged], at, "v", transform=rug, color=RED, markersize=8, label="flagged", clip_on=False)
    ax.set_xlim(grid[0], grid[-1])
    ax.set_xlabel("x")
    ax.set_ylabel("influence")
    ax.legend(loc="best", framealpha=0.9)
    return ax


def bias_curves(curves, name, ax=None):
    """Draw the bias of one parameter along the place of contamination, for several curves and shares.

    Parameters
    ----------
    curves : sequence of BiasCurve
        Along one coordinate. Colours are curves', line styles shares'; of one curve, both are shares'.
    name : str
        Of the parameter.
    ax : Axes, optional

    Returns
    -------
    Axes
    """
    ax = new_axes() if ax is None else ax
    ax.axhline(0, color=GREY, linewidth=0.8)
    several = len(curves) > 1
    shares = sorted({float(eps) for curve in curves for eps in curve.eps})
    looks = itertools.cycle(_STYLES)
    colors = {curve.label: color for curve, (color, _) in zip(curves, looks, strict=False)}
    styles = dict(zip(shares, itertools.cycle(_STYLES), strict=False))
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


def index_plot(values, name, flagged, ax=None, labelled: int = 5):
    """Draw a number of each observation against its position; the largest in size bear their positions.

    Parameters
    ----------
    values : (n,) array
    name : str
        Of the vertical axis.
    flagged : (r,) int array
    ax : Axes, optional
    labelled : int

    Returns
    -------
    Axes
    """
    ax = new_axes() if ax is None else ax
    ax.axhline(0, color=GREY, linewidth=0.8)
    ax.vlines(np.arange(len(values)), 0, values, color=BLUE, linewidth=1.0, alpha=0.6)
    ax.plot(values, "o", color=BLUE, markersize=3.5)
    if len(flagged):
        ax.plot(flagged, values[flagged], "o", mfc="none", mec=RED, markersize=10, mew=1.6, label="flagged")
        ax.legend(loc="best", framealpha=0.9)
    for k in np.argsort(-np.abs(values))[:labelled]:
        above = values[k] >= 0
        ax.annotate(
            str(k), (k, values[k]), xytext=(0, 4 if above else -4), textcoords="offset points", ha="center",
            va="bottom" if above else "top", fontsize=9,
        )  # fmt: skip
    ax.margins(y=0.1)
    ax.set_xlabel("position of the observation")
    ax.set_ylabel(name)
    return ax


def pp_plot(expected, observed, half_width, of: str, ax=None):
    """Draw a P-P plot with a simultaneous band.

    Parameters
    ----------
    expected, observed : (k,) arrays
        Fitted and empirical probabilities below the same points.
    half_width : (k,) array
        Of the band about the diagonal; NaN where it is not known.
    of : str
        Whose probabilities they are.
    ax : Axes, optional

    Returns
    -------
    Axes
    """
    ax = new_axes(5.0, 5.0) if ax is None else ax
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


def log_ratio_plot(values, flagged, threshold, ax=None):
    """Draw the discriminator's log ratio at the observations in increasing order, flagged ones marked.

    Parameters
    ----------
    values : (n,) array
    flagged : (r,) int array
    threshold : float
        Above it an observation is flagged.
    ax : Axes, optional

    Returns
    -------
    Axes
    """
    ax = new_axes() if ax is None else ax
    order = np.argsort(values, kind="stable")
    ranks = np.empty(len(values), int)
    ranks[order] = np.arange(len(values))
    ax.axhline(0, color=GREY, linewidth=0.8)
    ax.axhline(threshold, color=RED, linewidth=1.0, linestyle="--", label="flagged from here")
    ax.plot(values[order], "o", color=BLUE, markersize=3.5)
    if len(flagged):
        named = ", ".join(str(k) for k in flagged[:6]) + (", ..." if len(flagged) > 6 else "")
        look = {"mfc": "none", "mec": RED, "markersize": 10, "mew": 1.6, "label": f"flagged: {named}"}
        ax.plot(ranks[flagged], values[flagged], "o", **look)
    ax.margins(y=0.1)
    ax.set_xlabel("observations by log ratio")
    ax.set_ylabel("log ratio, real over fitted")
    ax.legend(loc="upper left", framealpha=0.9)
    return ax


def four_panels():
    """Open a figure of four Axes: (4,)."""
    return _pyplot().subplots(2, 2, figsize=(12.0, 9.0), layout="constrained")[1].ravel()


def message(text: str, ax) -> None:
    """Write a sentence where a figure would be."""
    ax.text(0.5, 0.5, text, ha="center", va="center", wrap=True, transform=ax.transAxes)
    ax.set_axis_off()


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
    ax = new_axes() if ax is None else ax
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
        Of the parameter; of the statistic's limit law.
    wald, interval : (2,) arrays
        The Wald interval and that where the statistic is below the quantile. One whose end is not known is drawn as
        far as the statistic is.
    name : str
        Of the parameter.
    ax : Axes, optional

    Returns
    -------
    Axes
    """
    ax = new_axes() if ax is None else ax
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
