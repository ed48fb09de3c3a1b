"""What all figures are drawn on and with: colours, figures, ranges and legends."""

import math
from collections.abc import Sequence

import numpy as np

# Okabe and Ito's colours, told apart by colour-blind readers.
BLUE, ORANGE, GREEN, RED, GREY = "#0072B2", "#E69F00", "#009E73", "#D55E00", "#999999"
PURPLE, SKY, WINE, OLIVE = "#CC79A7", "#56B4E9", "#882255", "#808000"
# Line styles beside the colours, so that a print in grey can be read.
STYLES = (
    (BLUE, "-"), (ORANGE, "--"), (GREEN, "-."), (RED, ":"), ("black", (0, (5, 1))), (GREY, (0, (1, 1))),
    (PURPLE, (0, (3, 1, 1, 1))), (SKY, "-"), (WINE, "--"), (OLIVE, "-."),
)  # fmt: skip
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "<", ">", "*")


def new_axes(width: float = 7.0, height: float = 4.3):
    """Open a figure of one Axes."""
    return _pyplot().subplots(figsize=(width, height), layout="constrained")[1]


def axes_for(ax, width: float = 7.0, height: float = 4.3):
    """Return the Axes that are given, or those of a new figure; raises ``TypeError`` for what is none."""
    if ax is None:
        return new_axes(width, height)
    if not all(hasattr(ax, name) for name in ("plot", "hist", "set_xlabel")):
        raise TypeError(f"ax: got {type(ax).__name__}; give matplotlib's Axes, or nothing for a new figure.")
    return ax


def _pyplot():
    try:
        import matplotlib.pyplot as plt
    except ImportError as error:
        raise ImportError("plots need matplotlib: pip install 'hellgan[plot]'.") from error
    return plt


def save(ax, path) -> None:
    """Write the figure of an Axes to a file, by its suffix."""
    ax.figure.savefig(path, dpi=150)


def suffixes() -> list[str]:
    """Suffixes of the files that figures can be written to."""
    from matplotlib.backend_bases import FigureCanvasBase

    return sorted(FigureCanvasBase.get_supported_filetypes())


def close(ax) -> None:
    """Close the figure of an Axes, which pyplot would keep otherwise."""
    import matplotlib.pyplot as plt

    plt.close(ax.figure)


def view(x: np.ndarray) -> tuple[float, float]:
    """Range that shows all of a sample, with a margin."""
    low, high = float(np.min(x)), float(np.max(x))
    margin = 0.06 * (high - low)
    return low - margin, high + margin


def bulk_view(x: np.ndarray) -> tuple[float, float]:
    """Range that shows all of a sample, or its bulk where that would be a line.

    Of a sample wider than 40 interquartile ranges, what lies within 10 such ranges of the quartiles is shown;
    ``mark_beyond`` says what is not.
    """
    low, high = np.quantile(x, [0.25, 0.75])
    if not 0 < 40 * (high - low) < np.max(x) - np.min(x):
        return view(x)
    reach = 10 * (high - low)
    return view(x[(x >= low - reach) & (x <= high + reach)])


def mark_beyond(ax, x: np.ndarray, flagged: np.ndarray, limits: tuple[float, float]) -> None:
    """Draw an arrow at the edge, with a count, where observations are out of view; red where one is flagged."""
    for out, at, marker, sign in ((x < limits[0], 0.015, "<", -1), (x > limits[1], 0.985, ">", 1)):
        if out.any():
            color = RED if np.any(out[flagged]) else "black"
            ax.plot(at, 0.035, marker, color=color, markersize=8, transform=ax.transAxes, zorder=4)
            ax.annotate(
                f"{out.sum():,} out of view", (at, 0.035), (-9 * sign, 0), xycoords="axes fraction", fontsize=8,
                textcoords="offset points", va="center", ha="left" if sign < 0 else "right", color=color,
                bbox={"facecolor": "white", "alpha": 0.8, "edgecolor": "none", "pad": 1},
            )  # fmt: skip


def four_panels():
    """Open a figure of four Axes: (4,)."""
    return _pyplot().subplots(2, 2, figsize=(12.0, 9.0), layout="constrained")[1].ravel()


def message(text: str, ax) -> None:
    """Write a sentence where a figure would be."""
    ax.text(0.5, 0.5, text, ha="center", va="center", wrap=True, transform=ax.transAxes)
    ax.set_axis_off()


def panels(count: int, axes=None, columns: int = 1, size: tuple[float, float] = (3.4, 3.0), **shared):
    """Open a figure of several Axes, or take those given.

    Parameters
    ----------
    count, columns : int
    axes : Axes or array of Axes, optional
        As many as are needed.
    size : pair of float
        Width and height of a panel, in inches.
    **shared
        What ``pyplot.subplots`` takes: ``sharex``, ``sharey``.

    Returns
    -------
    (count,) object array of Axes
    """
    if axes is not None:
        given = np.ravel(np.asarray(axes, object))
        if len(given) != count:
            raise ValueError(f"axes: {count} panels are drawn, {len(given)} Axes are given; give {count}.")
        return given
    columns = min(columns, count)
    rows = math.ceil(count / columns)
    # A lone panel has no neighbour to lean its legend and title on.
    width, height = max(columns * size[0], 5.0), rows * size[1] + 0.6
    _, grid = _pyplot().subplots(rows, columns, figsize=(width, height), squeeze=False, layout="constrained", **shared)
    for spare in grid.ravel()[count:]:
        spare.remove()
    return grid.ravel()[:count]


def two_storeys(width: float, upper: float, lower: float):
    """Open a figure of two Axes, one above the other, of these heights in inches."""
    shape = {"figsize": (width, upper + lower + 0.8), "height_ratios": (upper, lower), "layout": "constrained"}
    return _pyplot().subplots(2, 1, **shape)[1]


def label_outer(axes: np.ndarray, x: str, y: str, own: bool) -> None:
    """Name the axes of panels: of all where Axes were given, of the left and lowest ones where the figure is ours."""
    columns = axes[0].get_subplotspec().get_gridspec().ncols if own else 1
    for k, ax in enumerate(axes):
        if not own or k % columns == 0:
            ax.set_ylabel(y)
        if not own or k + columns >= len(axes):
            ax.set_xlabel(x)
            ax.tick_params(labelbottom=True)


def columns_for(count: int) -> int:
    """Choose the number of panels side by side: all of up to five, else the half of them, never more than five."""
    return count if count <= 5 else min(5, math.ceil(count / 2))


def legend_outside(axes: np.ndarray, handles: Sequence, own: bool, above: bool = False) -> None:
    """Put one legend for all panels under our own figure; under, or above, the last of the Axes that were given."""
    figure = axes[0].figure
    longest = max(len(handle.get_label()) for handle in handles)
    width = figure.bbox.width / figure.dpi if own else 6.0
    look = {
        "handles": handles,
        "ncols": max(1, min(len(handles), int(width / (0.085 * longest + 0.65)))),
        "frameon": False,
    }
    if own:
        figure.legend(loc="outside lower center", **look)
    else:
        place = {"loc": "lower center", "bbox_to_anchor": (0.5, 1.0)}
        under = {"loc": "upper center", "bbox_to_anchor": (0.5, -0.18)}
        axes[-1].legend(**(place if above else under), **look)


def line_entry(label: str, **look):
    """Line or marker for a legend."""
    from matplotlib.lines import Line2D

    return Line2D([], [], label=label, **look)


def patch_entry(label: str, **look):
    """Filled box for a legend."""
    from matplotlib.patches import Patch

    return Patch(label=label, **look)


def set_scale(ax, measure: str, values: np.ndarray, scale: str | None) -> None:
    """Set the scale of the vertical axis for values; "symlog" is linear below their median size."""
    scale = "linear" if scale is None else scale
    if not isinstance(scale, str) or scale not in ("linear", "log", "symlog"):
        raise ValueError(f"scale: {scale!r} is not known; give 'linear', 'log' or 'symlog'.")
    sizes = np.abs(values[np.isfinite(values) & (values != 0)])
    if scale == "log" and np.any(values <= 0):
        raise ValueError(f"scale: {measure} is {np.nanmin(values):g} somewhere, which has no logarithm; give 'symlog'.")
    if scale == "symlog" and len(sizes):
        ax.set_yscale("symlog", linthresh=float(np.median(sizes)), linscale=1.0)
    elif scale == "log":
        ax.set_yscale("log")
