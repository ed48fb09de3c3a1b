"""Intervals on the real line behind a parameter, and how near estimates are to the edges of their spaces."""

from collections.abc import Sequence

import numpy as np

from hellgan.constraints import Constraint


def near_edges(spaces: Sequence[Constraint], natural: np.ndarray, std_errors: np.ndarray) -> np.ndarray:
    """Whether natural elements (..., k) in ``spaces`` are within two standard errors of a finite edge: (..., k)."""
    lower, upper = (np.array([getattr(space, end) for space in spaces]) for end in ("lower", "upper"))
    with np.errstate(invalid="ignore"):
        return (natural - 2 * std_errors < lower) | (natural + 2 * std_errors > upper)


def intervals(spaces: Sequence[Constraint], natural, std_errors, quantile: float) -> np.ndarray:
    """Wald intervals (k, 2) of natural elements in ``spaces``, each on the real line of its own link and mapped back.

    ``natural`` and ``std_errors`` are (k,), on the natural scale. On the link scale ``quantile`` is half the width of
    an interval in standard errors. NaN where there is no standard error.
    """
    rows = []
    for space, value, error in zip(spaces, natural, std_errors, strict=True):
        if not np.isfinite(error):  # an estimate without a standard error may lie on its space's edge
            rows.append([np.nan, np.nan])
            continue
        half = quantile * error * space.link_slope(value)
        rows.append([space.unlink(space.link(value) - half), space.unlink(space.link(value) + half)])
    return np.array(rows, np.float64)
