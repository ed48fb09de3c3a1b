"""Figures: arrays or tidy frames and Axes in, Axes out. The only module that imports matplotlib, when it draws."""

from hellgan.plots.canvas import (
    BLUE,
    GREEN,
    GREY,
    ORANGE,
    RED,
    bulk_view,
    close,
    four_panels,
    message,
    new_axes,
    save,
    suffixes,
    view,
)
from hellgan.plots.fits import histogram_fit, log_ratio_plot, pp_plot, scatter_fit
from hellgan.plots.images import image_grid, image_panels, kernel_history, point_panels
from hellgan.plots.influence import bias_curves, index_plot, influence_curves
from hellgan.plots.intervals import curve_bands, profile
from hellgan.plots.studies import contamination_curves, joint_pairs, lollipop, nested_loop, qq, zip_plot

__all__ = [
    "BLUE",
    "GREEN",
    "GREY",
    "ORANGE",
    "RED",
    "bias_curves",
    "bulk_view",
    "close",
    "contamination_curves",
    "curve_bands",
    "four_panels",
    "histogram_fit",
    "image_grid",
    "image_panels",
    "index_plot",
    "influence_curves",
    "joint_pairs",
    "kernel_history",
    "log_ratio_plot",
    "lollipop",
    "message",
    "nested_loop",
    "new_axes",
    "point_panels",
    "pp_plot",
    "profile",
    "qq",
    "save",
    "scatter_fit",
    "suffixes",
    "view",
    "zip_plot",
]
