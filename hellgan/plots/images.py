"""Figures of generated samples: grids of images, points in the plane, the history of training by kernels."""

import numpy as np

from hellgan.plots.canvas import BLUE, GREY, ORANGE, axes_for, panels


def image_grid(images, ax=None, columns: int = 8, title: str = ""):
    """Draw images (n, h, w) in a grid, row by row; the least of all values is white, the largest black.

    Parameters
    ----------
    images : (n, h, w) array
    ax : Axes, optional
    columns : int
    title : str

    Returns
    -------
    Axes
    """
    x = np.asarray(images, float)
    if x.ndim != 3 or not len(x):
        raise ValueError(f"images: shape {x.shape}; give (n, h, w).")
    columns = min(columns, len(x))
    rows = -(-len(x) // columns)
    ax = axes_for(ax, 0.55 * columns, 0.55 * rows + 0.3)
    h, w = x.shape[1:]
    sheet = np.full((rows * (h + 1) - 1, columns * (w + 1) - 1), x.min())
    for k, image in enumerate(x):
        top, left = k // columns * (h + 1), k % columns * (w + 1)
        sheet[top : top + h, left : left + w] = image
    ax.imshow(sheet, cmap="gray_r", interpolation="nearest")
    ax.set_title(title, fontsize=9)
    ax.set_axis_off()
    return ax


def image_panels(samples, titles, axes=None, columns: int = 4, across: int = 8):
    """Draw several samples of images, a grid each.

    Parameters
    ----------
    samples : sequence of (n, h, w) arrays
    titles : sequence of str
    axes : Axes or array of Axes, optional
    columns : int
        Grids side by side.
    across : int
        Images side by side in a grid.

    Returns
    -------
    (k,) array of Axes
    """
    axes = panels(len(samples), axes, columns, size=(2.4, 2.5))
    for ax, images, title in zip(axes, samples, titles, strict=True):
        image_grid(images, ax, across, title)
    return axes


def point_panels(data, samples, titles, axes=None, columns: int = 3):
    """Draw samples of points in the plane, a panel each, over the data in grey: the figure of an evolution.

    Parameters
    ----------
    data : (n, 2) array
    samples : sequence of (m, 2) arrays
    titles : sequence of str
    axes : Axes or array of Axes, optional
    columns : int

    Returns
    -------
    (k,) array of Axes
    """
    axes = panels(len(samples), axes, columns, size=(2.6, 2.6), sharex=True, sharey=True)
    for ax, points, title in zip(axes, samples, titles, strict=True):
        ax.plot(data[:, 0], data[:, 1], ".", color=GREY, markersize=6, alpha=0.5, label="data")
        ax.plot(points[:, 0], points[:, 1], ".", color=BLUE, markersize=2, alpha=0.5, label="generator")
        ax.set_title(title, fontsize=9)
        ax.set_aspect("equal")
    return axes


def kernel_history(history, ax=None):
    """Draw the parts of the value of training by kernels; vertical lines are where the bandwidth changes.

    Parameters
    ----------
    history : DataFrame
        With ``step``, ``bandwidth``, ``real`` and ``simulated``.
    ax : Axes, optional

    Returns
    -------
    Axes
    """
    ax = axes_for(ax)
    ax.plot(history["step"], history["real"], color=BLUE, label="mean over real observations")
    ax.plot(history["step"], history["simulated"], color=ORANGE, linestyle="--", label="mean over simulated ones")
    widths = history["bandwidth"].to_numpy(float)
    for k in np.flatnonzero(np.diff(np.nan_to_num(widths))):
        ax.axvline(history["step"].iloc[k], color=GREY, linewidth=0.8)
    ax.set_xlabel("step")
    ax.set_ylabel("part of the value")
    ax.legend(frameon=False)
    return ax
