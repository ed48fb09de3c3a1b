"""Figures of Monte Carlo studies: tidy frames or arrays and Axes in, Axes out.

A performance frame has a row for each method, cell, parameter and measure, with columns ``method``, factors,
``parameter``, ``measure``, ``value``, ``mcse`` and perhaps ``with_failures``, ``with_failures_mcse``,
``n_failed`` and ``replications``. An estimate frame has one for each method, cell, replicate and parameter, with
columns ``method``, factors, ``replicate``, ``parameter``, ``estimate``, ``std_error``, ``lower``, ``upper``, ``truth``
and ``converged``.
"""

from hellgan.plots.studies.intervals import zip_plot
from hellgan.plots.studies.measures import contamination_curves, lollipop
from hellgan.plots.studies.nested import nested_loop
from hellgan.plots.studies.pairs import joint_pairs
from hellgan.plots.studies.quantiles import qq

__all__ = ["contamination_curves", "joint_pairs", "lollipop", "nested_loop", "qq", "zip_plot"]
