"""Measures of performance with their Monte Carlo errors: of a cell, and along the share of contamination."""

from collections.abc import Mapping, Sequence

import numpy as np

from hellgan.plots.canvas import GREY, legend_outside, panels, set_scale
from hellgan.plots.studies.frames import Z, levels, looks_in, need, reported_failures, rows, single, spoken, target

_TICKS = 8  # levels of the horizontal axis that have room for a mark each

_REACH = 10  # a value so many median distances, or median bars, from the median is an arrow at the edge


def lollipop(
    frame,
    measures: Sequence[str] = ("bias", "rmse", "se_ratio", "coverage"),
    *,
    parameter: str | None = None,
    methods: Sequence | None = None,
    by: str | None = None,
    level: float = 0.95,
    limits: Mapping[str, tuple[float, float]] | None = None,
    with_failures: bool = False,
    axes=None,
):
    """Draw measures with a row for each method: a stick from the target to the value, whiskers of 1.96 MCSE.

    Targets are 0 for a bias, 1 for ``se_ratio`` and rates of convergence, ``level`` for coverage; without a target the
    stick begins at 0. A value out of range is an arrow at the edge with the number beside it. Where replicates
    failed, the method's name says how many.

    Parameters
    ----------
    frame : DataFrame
        Performance, of one cell or of a cell for each level of ``by``.
    measures : sequence of str
        A column of panels each.
    parameter : str, optional
        Needed where the frame has several.
    methods : sequence, optional
        Which, from the top; all unless given.
    by : str, optional
        Column with a row of panels for each of its levels.
    level : float
        Nominal coverage.
    limits : mapping of str to pair of float, optional
        Range of a measure; unless given, one that leaves out values ten times as far from the median as the others.
    with_failures : bool
        Whether failures count: the columns ``with_failures`` and ``with_failures_mcse`` instead of ``value`` and
        ``mcse``.
    axes : array of Axes, optional
        Row by row.

    Returns
    -------
    (levels of by, measures) array of Axes
    """
    measures = [measures] if isinstance(measures, str) else list(measures)
    need(frame, ["method", *([by] if by else [])])
    look = looks_in(frame, methods)
    if by != "parameter":
        frame, methods = rows(frame, parameter, methods, measures, with_failures)
        parts = {kind: frame[frame[by] == kind] for kind in levels(frame[by])} if by else {"": frame}
    else:
        kinds = levels(frame[by].dropna()) if parameter is None else [parameter]
        parts = {kind: rows(frame, kind, methods, measures, with_failures)[0] for kind in kinds}
        methods = list(dict.fromkeys(frame["method"].tolist() if methods is None else methods))
    for part in parts.values():
        single(part, ["method", "measure"])
    own = axes is None
    size = (2.8, 0.36 * len(methods) + (0.25 if len(parts) > 1 else 0.7))
    grid = panels(len(parts) * len(measures), axes, len(measures), size, sharey=own, sharex="col" if own else False)
    grid = grid.reshape(len(parts), len(measures))
    for column, measure in enumerate(measures):
        goal = target(measure, level)
        drawn = [part[part["measure"] == measure].set_index("method").reindex(methods) for part in parts.values()]
        values = np.concatenate([part[["value", "mcse"]].to_numpy(float) for part in drawn])
        low, high = (limits or {}).get(measure) or _range(values, 0.0 if goal is None else goal)
        for ax, part in zip(grid[:, column], drawn, strict=True):
            _sticks(ax, part, look, goal, (low, high))
        grid[-1, column].set_xlabel(spoken(measure))
    for ax, (kind, part) in zip(grid[:, 0], parts.items(), strict=True):
        failed = [reported_failures(part[part["method"] == method]) for method in methods]
        names = [f"{method}\n{note}" if note else str(method) for method, note in zip(methods, failed, strict=True)]
        ax.set_yticks(range(len(methods)), names)
        ax.set_ylim(len(methods) - 0.5, -0.5)
        if by:
            ax.set_ylabel(f"{spoken(by)} = {kind}" if by != "parameter" else kind)
    return grid


def _range(values, origin):
    """Range of the values (k, 2) with their errors, and of the origin, without what is very far from the others."""
    finite = values[np.isfinite(values[:, 0])]
    if not len(finite):
        return origin - 1.0, origin + 1.0
    half = Z * np.nan_to_num(finite[:, 1])
    away = np.abs(finite[:, 0] - np.median(finite[:, 0]))
    near = away <= _REACH * max(np.median(away), np.median(half)) if len(finite) > 2 else np.full(len(finite), True)
    low, high = min(origin, np.min((finite[:, 0] - half)[near])), max(origin, np.max((finite[:, 0] + half)[near]))
    margin = 0.08 * (high - low) or 1.0
    return float(low - margin), float(high + margin)


def _sticks(ax, part, look, goal, limits):
    low, high = limits
    origin = 0.0 if goal is None else goal
    ax.set_xlim(low, high)
    ax.axvline(origin, color=GREY, linewidth=1.0, linestyle="-" if goal is None else "--", zorder=0)
    for row, (method, value, mcse) in enumerate(zip(part.index, part["value"], part["mcse"], strict=True)):
        style = look[method]
        if not np.isfinite(value):
            ax.annotate(
                "none", (0.5, row), xycoords=("axes fraction", "data"), ha="center", va="center", color="dimgrey"
            )
        elif not low <= value <= high:
            right = value > high
            ax.plot(
                0.985 if right else 0.015,
                row,
                ">" if right else "<",
                color=style.color,
                transform=ax.get_yaxis_transform(),
            )
            ax.annotate(
                f"{value:.3g}", (0.95 if right else 0.05, row), xycoords=("axes fraction", "data"), va="center",
                ha="right" if right else "left", fontsize="small",
            )  # fmt: skip
        else:
            ax.hlines(row, origin, value, color=style.color, linewidth=1.2, alpha=0.6)
            bar = None if not np.isfinite(mcse) else Z * mcse
            ax.errorbar(
                value, row, xerr=bar, color=style.color, marker=style.marker, markersize=5.5, capsize=3, elinewidth=1.4
            )
    ax.grid(axis="x", alpha=0.25)
    ax.locator_params(axis="x", nbins=4)
    ax.tick_params(axis="x", labelsize="small")


def contamination_curves(
    frame,
    x: str,
    measures: Sequence[str] = ("bias", "rmse"),
    *,
    parameter: str | None = None,
    methods: Sequence | None = None,
    scale: str | Mapping[str, str] = "linear",
    limits: Mapping[str, tuple[float, float]] | None = None,
    dodge: float = 0.08,
    level: float = 0.95,
    with_failures: bool = False,
    axes=None,
):
    """Draw measures along the share of contamination, a line for each method, bars of 1.96 MCSE.

    Parameters
    ----------
    frame : DataFrame
        Performance, of cells that differ in ``x`` alone.
    x : str
        Column of numbers: the share of contamination, or the number of observations.
    measures : sequence of str
        A panel each.
    parameter : str, optional
        Needed where the frame has several.
    methods : sequence, optional
        Which, in what order; all unless given.
    scale : {"linear", "log", "symlog"}, or mapping of measure to it
        Of the vertical axis, for methods that are far off. "symlog" is linear below the median size of the values.
    limits : mapping of str to pair of float, optional
        Range of a measure that is shown; lines may leave it.
    dodge : float
        Share of the axis over which methods stand side by side, so that their bars are told apart; at most half the
        smallest gap of ``x``, so that each stands near its own.
    level : float
        Nominal coverage.
    with_failures : bool
        Whether failures count, as in ``lollipop``.
    axes : array of Axes, optional
        One a measure.

    Returns
    -------
    (measures,) array of Axes
    """
    measures = [measures] if isinstance(measures, str) else list(measures)
    need(frame, ["method", x])
    look = looks_in(frame, methods)
    frame, methods = rows(frame, parameter, methods, measures, with_failures)
    if frame[x].dtype.kind not in "iuf":
        raise ValueError(f"x: {x!r} holds {frame[x].iloc[0]!r}, no numbers; give a column of numbers.")
    single(frame, ["method", "measure", x])
    own = axes is None
    axes = panels(len(measures), axes, min(3, len(measures)), (4.2, 3.5))
    places, handles = levels(frame[x]), []
    width = min(dodge * np.ptp(places), 0.5 * min(np.diff(places), default=0.0))
    shifts = np.linspace(-width / 2, width / 2, len(methods)) if len(methods) > 1 else np.zeros(1)
    for ax, measure in zip(axes, measures, strict=True):
        goal = target(measure, level)
        if goal is not None:
            ax.axhline(goal, color=GREY, linewidth=1.0, linestyle="--")
        part, handles = frame[frame["measure"] == measure].sort_values(x), []
        set_scale(ax, measure, part["value"].to_numpy(float), scale if isinstance(scale, str) else scale.get(measure))
        for method, shift in zip(methods, shifts, strict=True):
            own_rows, style = part[part["method"] == method], look[method]
            note = reported_failures(frame[frame["method"] == method])
            handles.append(
                ax.errorbar(
                    own_rows[x] + shift, own_rows["value"], yerr=Z * own_rows["mcse"], color=style.color,
                    linestyle=style.linestyle, marker=style.marker, markersize=4.5, capsize=2.5, linewidth=1.6,
                    elinewidth=1.2, label=f"{method} ({note})" if note else str(method),
                )
            )  # fmt: skip
        ax.set_ylim((limits or {}).get(measure))
        if len(places) <= _TICKS:
            ax.set_xticks(places)  # where the points belong that stand apart around them
        ax.set_xlabel(spoken(x))
        ax.set_ylabel(spoken(measure) if parameter is None else f"{spoken(measure)} of {parameter}")
        ax.grid(alpha=0.25)
    legend_outside(axes, handles, own)
    return axes
