"""Figures of trained networks: samples beside data, sheets of images, curves over the steps."""

import math

import numpy as np

from hellgan.plots.canvas import BLUE, GREY, ORANGE, axes_for, bulk_view, panels


def beside(data: np.ndarray, simulated: np.ndarray, ax=None):
    """Draw simulated observations (m, d) beside real ones (n, d): histograms, or the first two coordinates."""
    ax = axes_for(ax, 5.5, 4.3) if data.shape[1] > 1 else axes_for(ax)
    if data.shape[1] == 1:
        bins = np.histogram_bin_edges(data[:, 0], "auto", bulk_view(data[:, 0])).tolist()
        ax.hist(data[:, 0], bins, density=True, color=GREY, alpha=0.6, label="data")
        ax.hist(simulated[:, 0], bins, density=True, histtype="step", color=BLUE, linewidth=1.6, label="simulated")
        ax.set_ylabel("density")
    else:
        ax.plot(*data[:, :2].T, ".", color=GREY, markersize=3, label="data")
        ax.plot(*simulated[:, :2].T, ".", color=BLUE, markersize=3, alpha=0.6, label="simulated")
    ax.legend(frameon=False)
    return ax


def sheet(images: np.ndarray, ax=None):
    """Lay images (k, h, w) or (k, h, w, c) out as one picture, all on one scale of grey."""
    images = np.asarray(images, float)
    columns = math.ceil(math.sqrt(len(images)))
    rows = math.ceil(len(images) / columns)
    h, w = images[0].shape[:2]
    low, high = images.min(), images.max()
    canvas = np.full((rows * (h + 1) - 1, columns * (w + 1) - 1, *images.shape[3:]), high)
    for k, image in enumerate(images):
        i, j = divmod(k, columns)
        canvas[i * (h + 1) : i * (h + 1) + h, j * (w + 1) : j * (w + 1) + w] = image
    ax = axes_for(ax, 6.0, 6.0 * rows / columns)
    canvas = canvas[..., 0] if canvas.shape[2:] == (1,) else canvas
    ax.imshow((canvas - low) / ((high - low) or 1.0), cmap="gray", vmin=0, vmax=1)
    ax.set_axis_off()
    return ax


def curves(history, axes=None):
    """Draw accuracies, and the value of the game, over the steps; a line a model. Returns two Axes."""
    axes = panels(2, axes, 2, (4.2, 3.2))
    for k, (_, frame) in enumerate(history.groupby("model")):
        for column, colour in (("accuracy_real", BLUE), ("accuracy_simulated", ORANGE)):
            label = column.replace("_", ", ") if k == 0 else None
            axes[0].plot(frame["step"], frame[column], color=colour, linewidth=1, alpha=0.8, label=label)
        axes[1].plot(frame["step"], frame["value"], color=BLUE, linewidth=1, alpha=0.8)
    axes[0].axhline(0.5, color=GREY, linewidth=0.8)
    axes[0].set(xlabel="step", ylabel="share told rightly", ylim=(-0.02, 1.02))
    axes[0].legend(frameon=False)
    axes[1].set(xlabel="step", ylabel="value of the game")
    return axes
