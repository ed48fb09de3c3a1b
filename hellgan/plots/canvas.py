"""What all figures are drawn on and with: colours, figures, ranges and legends."""

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


def four_panels():
    """Open a figure of four Axes: (4,)."""
    return _pyplot().subplots(2, 2, figsize=(12.0, 9.0), layout="constrained")[1].ravel()


def message(text: str, ax) -> None:
    """Write a sentence where a figure would be."""
    ax.text(0.5, 0.5, text, ha="center", va="center", wrap=True, transform=ax.transAxes)
    ax.set_axis_off()
