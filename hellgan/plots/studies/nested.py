"""Nested-loop plot: a measure over all cells of a study."""

from collections.abc import Sequence

import numpy as np

from hellgan.plots.canvas import GREY, legend_outside, set_scale, two_storeys
from hellgan.plots.studies.frames import levels, looks_in, need, reported_failures, rows, single, spoken, target

_BAND = 0.42  # height of a factor's steps, in inches
_CHARACTERS = 85  # so many fit into a line


def nested_loop(
    frame,
    measure: str,
    factors: Sequence[str],
    *,
    parameter: str | None = None,
    methods: Sequence | None = None,
    scale: str = "linear",
    level: float = 0.95,
    with_failures: bool = False,
    ax=None,
):
    """Draw a measure over all cells as steps, a line for each method, with the levels of the factors below.

    Cells are in the order of the factors' levels, the last factor changing fastest; a cell that was not run takes no
    room.

    Parameters
    ----------
    frame : DataFrame
        Performance, of cells that differ in ``factors`` alone.
    measure : str
    factors : sequence of str
        Columns, the outermost first.
    parameter : str, optional
        Needed where the frame has several.
    methods : sequence, optional
        Which, in what order; all unless given.
    scale : {"linear", "log", "symlog"}
        Of the vertical axis.
    level : float
        Nominal coverage.
    with_failures : bool
        Whether failures count, as in ``lollipop``.
    ax : Axes, optional

    Returns
    -------
    Axes
        The Axes of the measure; that of the factors is the figure's other one, or a child of the Axes that is given.

    References
    ----------
    Rücker and Schwarzer (2014), BMC Medical Research Methodology 14:129.
    """
    factors = [factors] if isinstance(factors, str) else list(factors)
    if not factors:
        raise ValueError("factors: none is given; name the columns that the cells differ in.")
    need(frame, ["method"])
    look = looks_in(frame, methods)
    frame, methods = rows(frame, parameter, methods, [measure], with_failures)
    need(frame, factors)
    single(frame, ["method", *factors])
    orders = [levels(frame[factor]) for factor in factors]
    cells = sorted(
        set(zip(*(frame[factor].tolist() for factor in factors), strict=True)),
        key=lambda cell: [order.index(value) for order, value in zip(orders, cell, strict=True)],
    )
    own = ax is None
    if ax is None:
        ax, below = two_storeys(max(6.5, min(12.0, 3.0 + 0.16 * len(cells))), 3.2, _BAND * len(factors))
    else:
        below = _room_below(ax, _BAND * len(factors))
    goal = target(measure, level)
    if goal is not None:
        ax.axhline(goal, color=GREY, linewidth=1.0, linestyle="--")
    set_scale(ax, measure, frame["value"].to_numpy(float), scale)
    edges, handles = np.arange(len(cells) + 1), []
    for method in methods:
        part = frame[frame["method"] == method]
        found = dict(zip(zip(*(part[factor] for factor in factors), strict=True), part["value"], strict=True))
        values = np.array([found.get(cell, np.nan) for cell in cells], float)
        note = reported_failures(part)
        handles += ax.step(
            edges, np.append(values, values[-1]), where="post", color=look[method].color, linewidth=1.5,
            linestyle=look[method].linestyle, label=f"{method} ({note})" if note else str(method),
        )  # fmt: skip
    for k in range(1, len(cells)):
        if len(factors) > 1 and cells[k][0] != cells[k - 1][0]:
            ax.axvline(k, color=GREY, linewidth=0.6, alpha=0.6)
    ax.set_xlim(0, len(cells))
    ax.set_xticks([])
    ax.set_ylabel(spoken(measure) if parameter is None else f"{spoken(measure)} of {parameter}")
    _factor_steps(below, factors, orders, cells)
    legend_outside(np.array([ax]), handles, own, above=True)
    return ax


def _room_below(ax, height):
    """Give the user's Axes a child below, of a height in inches: one in parts of the Axes would upset the layout."""
    from matplotlib.transforms import ScaledTranslation, blended_transform_factory

    inches = ax.figure.dpi_scale_trans + ScaledTranslation(0, 0, ax.transAxes)
    return ax.inset_axes((0, -height - 0.05, 1, height), transform=blended_transform_factory(ax.transAxes, inches))


def _factor_steps(ax, factors, orders, cells):
    """Draw a band for each factor: a step line that rises with the level, and the levels' names above it."""
    edges = np.arange(len(cells) + 1)
    for k, (factor, order) in enumerate(zip(factors, orders, strict=True)):
        steps = np.array([order.index(cell[k]) for cell in cells])
        # A band is one high, and the names need the upper part of it.
        line = -k - 0.95 + 0.4 * steps / max(len(order) - 1, 1)
        ax.step(edges, np.append(line, line[-1]), where="post", color="black", linewidth=1.1, label=factor)
        starts = np.flatnonzero(np.append(True, np.diff(steps) != 0))
        ends = np.append(starts[1:], len(cells))
        names = [f"{value:g}" if isinstance(value, float) else str(value) for value in order]
        room = np.min(ends - starts) / len(cells) * _CHARACTERS
        if max(map(len, names)) <= room:
            for start, end in zip(starts, ends, strict=True):
                at = ((start + end) / 2, line[start] + 0.05)
                ax.text(*at, names[steps[start]], ha="center", va="bottom", fontsize=8)
        else:
            ax.text(0, -k - 0.5, ", ".join(names), ha="left", va="bottom", fontsize=8)
    ax.set_xlim(0, len(cells))
    ax.set_ylim(-len(factors), 0)
    ax.set_xticks([])
    ax.set_yticks([-k - 0.75 for k in range(len(factors))], [spoken(factor) for factor in factors])
    ax.tick_params(length=0)
    for side in ("top", "right", "left", "bottom"):
        ax.spines[side].set_visible(False)
