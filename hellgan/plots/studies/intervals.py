"""Zip plot: all intervals of a study, the farthest from the truth on top."""

from collections.abc import Sequence

import numpy as np

from hellgan.plots.canvas import BLUE, GREY, RED, columns_for, label_outer, legend_outside, line_entry, panels
from hellgan.plots.studies.frames import Z, failures, levels, need, rows, single, spoken


def zip_plot(
    frame,
    truth: float | None = None,
    *,
    parameter: str | None = None,
    methods: Sequence | None = None,
    panel: str = "method",
    level: float = 0.95,
    zoom: float = 1.0,
    axes=None,
):
    """Draw the intervals of every replicate, ordered by |estimate - truth| / std_error.

    The height of an interval is the centile of that distance, so that the intervals that miss the truth are on top,
    above the height of the coverage. Two lines are at the coverage -+ 1.96 of its Monte Carlo error
    sqrt(c (1 - c) / R). Replicates without an interval, or not converged, are left out and counted in the title.

    Parameters
    ----------
    frame : DataFrame
        Estimates, of one cell: a row a method, replicate and parameter.
    truth : float, optional
        The parameter's true value; the column ``truth`` unless given.
    parameter : str, optional
        Needed where the frame has several.
    methods : sequence, optional
        Which, in what order; all unless given.
    panel : str
        Column that has a panel for each of its levels.
    level : float
        Nominal coverage.
    zoom : float
        Fraction of the centiles that is shown: 0.3 for the upper 30 %.
    axes : array of Axes, optional
        One a panel.

    Returns
    -------
    (panels,) array of Axes

    References
    ----------
    Morris, White and Crowther (2019), Statistics in Medicine 38, figure 5.
    """
    if not 0 < zoom <= 1:
        raise ValueError(f"zoom: {zoom:g} is no share; give one above 0, up to 1.")
    frame, methods = rows(frame, parameter, methods)
    need(frame, ["estimate", "std_error", "lower", "upper", panel, *(["truth"] if truth is None else [])])
    kinds = methods if panel == "method" else levels(frame[panel])
    parts = [frame[frame[panel] == kind] for kind in kinds]
    if "replicate" in frame:
        single(frame, [panel, "replicate"])
    own = axes is None
    axes = panels(len(kinds), axes, columns_for(len(kinds)), (2.6, 3.3), sharex=True, sharey=True)
    zipped = [_zipped(part, truth) for part in parts]
    limits = _limits(zipped, zoom)
    for ax, kind, part, drawn in zip(axes, kinds, parts, zipped, strict=True):
        out = _draw(ax, drawn, len(part), limits, level, zoom)
        name = str(kind) if panel == "method" else f"{spoken(panel)} = {kind}"
        lines = [name, *_title(drawn, int(np.sum(_usable(part))), len(part), out)]
        ax.set_title("\n".join(lines), fontsize="medium")
    what = "interval" if parameter is None else f"interval of {parameter}"
    label_outer(axes, what, "centile of |estimate - truth| / std. error", own)
    handles = [
        line_entry("covers the truth", color=BLUE, linestyle="-", linewidth=3),
        line_entry("misses it", color=RED, linestyle="-", linewidth=3),
        line_entry("coverage ± 1.96 MCSE", color="black", linestyle="--", linewidth=1.1),
        line_entry(f"nominal {100 * level:g} %", color=GREY, linestyle=":", linewidth=1.6),
        line_entry("truth", color="black", linestyle="-", linewidth=0.9),
    ]
    legend_outside(axes, handles, own)
    return axes


def _zipped(part, truth):
    """Order the intervals of a panel: (R', 2) ends, (R',) truths and whether they cover, from the nearest."""
    truths = part["truth"].to_numpy(float) if truth is None else np.full(len(part), float(truth))
    estimate, error, low, high = (part[name].to_numpy(float) for name in ("estimate", "std_error", "lower", "upper"))
    usable = _usable(part) & ~np.isnan(low) & ~np.isnan(high)
    # An interval without a standard error is its own yardstick; the order is the same for Wald intervals.
    scale = np.where(error > 0, error, (high - low) / (2 * Z))
    with np.errstate(divide="ignore", invalid="ignore"):
        distance = np.abs(estimate - truths) / scale
    order = np.argsort(distance[usable], kind="stable")
    ends, truths = np.stack([low, high], axis=1)[usable][order], truths[usable][order]
    return ends, truths, (ends[:, 0] <= truths) & (truths <= ends[:, 1])


def _usable(part) -> np.ndarray:
    """Find the replicates that have an estimate and did not fail: (rows,) bool."""
    has = np.isfinite(part["estimate"].to_numpy(float))
    return has & part["converged"].to_numpy(bool) if "converged" in part else has


def _limits(zipped, zoom):
    """Range of nearly all ends that are shown.

    A few endless intervals, or a method far from the truth, would shrink the rest to a line: of each panel it is
    the middle 99 % that count, and no panel that reaches thrice as far from the truth as half of them do.
    """
    truths = np.concatenate([truths for _, truths, _ in zipped])
    shown = [ends[int((1 - zoom) * len(ends)) :] for ends, _, _ in zipped]
    shown = [ends for ends in (ends[np.all(np.isfinite(ends), axis=1)] for ends in shown) if len(ends)]
    if not shown:
        return (0.0, 1.0) if not len(truths) else (float(truths.min() - 1), float(truths.max() + 1))
    lows = np.array([np.quantile(ends[:, 0], 0.005) for ends in shown])
    highs = np.array([np.quantile(ends[:, 1], 0.995) for ends in shown])
    below, above = np.maximum(truths.min() - lows, 0), np.maximum(highs - truths.max(), 0)
    reach = np.maximum(below, above)
    near = reach <= 3 * np.median(reach)
    low, high = truths.min() - below[near].max(), truths.max() + above[near].max()
    margin = 0.04 * (high - low) or 1.0
    return float(low - margin), float(high + margin)


def _title(drawn, usable, count, out):
    _, _, covers = drawn
    lines = []
    if len(covers):
        coverage = covers.mean()
        error = np.sqrt(coverage * (1 - coverage) / len(covers))
        lines = [f"{100 * coverage:.1f} % covered (MCSE {100 * error:.1f})"]
    without = usable - len(covers)
    notes = [
        failures(count - usable, count),
        f"{without:,} without an interval" if without and len(covers) else "",
        f"{out:,} out of view" if out else "",
    ]
    return [*lines, *filter(None, [", ".join(filter(None, notes))])]


def _draw(ax, drawn, count, limits, level, zoom):
    """Draw the intervals of a panel; return how many of those shown are out of view, arrows at the edge."""
    ends, truths, covers = drawn
    low, high = limits
    ax.set_xlim(low, high)
    ax.set_ylim(100 * (1 - zoom), 100)
    ax.grid(False)
    if not len(ends):
        ax.text(0.5, 0.5, f"no intervals\nin {count:,} replicates", ha="center", va="center", transform=ax.transAxes)
        return 0
    centiles = 100 * (np.arange(len(ends)) + 0.5) / len(ends)
    # Thinner than the distance of neighbours, so that these are told apart where they are few.
    thick = float(np.clip(130 / (zoom * len(ends)), 0.25, 4))
    shown = np.clip(ends, low - (high - low), high + (high - low)) if not np.all(np.isfinite(ends)) else ends
    for which, color, label in ((covers, BLUE, "covers"), (~covers, RED, "misses")):
        ax.hlines(centiles[which], *shown[which].T, color=color, linewidth=thick, label=label)
    sides = (ends[:, 1] < low, "<", 0.03), (ends[:, 0] > high, ">", 0.97)
    for side, marker, edge in sides:
        look = {"s": 14, "marker": marker, "color": np.where(covers[side], BLUE, RED)}
        ax.scatter(np.full(side.sum(), edge), centiles[side], transform=ax.get_yaxis_transform(), **look)
    coverage = covers.mean()
    half = Z * np.sqrt(coverage * (1 - coverage) / len(covers))
    for height in (coverage - half, coverage + half):
        ax.axhline(100 * height, color="black", linestyle="--", linewidth=1.1)
    ax.axhline(100 * level, color=GREY, linestyle=":", linewidth=1.6)
    for place in np.unique(truths):
        ax.axvline(place, color="black", linewidth=0.9)
    return int(np.sum((sides[0][0] | sides[1][0]) & (centiles >= 100 * (1 - zoom))))
