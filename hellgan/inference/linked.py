"""Intervals on the real line behind a parameter; how near to the edges of their spaces estimates are, and parts."""

from collections.abc import Sequence

import numpy as np

from hellgan.constraints import Constraint


def near_edges(spaces: Sequence[Constraint], natural: np.ndarray, std_errors: np.ndarray) -> np.ndarray:
    """Whether natural elements (..., k) in ``spaces`` are within two standard errors of a finite edge: (..., k)."""
    lower, upper = (np.array([getattr(space, end) for space in spaces]) for end in ("lower", "upper"))
    with np.errstate(invalid="ignore"):
        return (natural - 2 * std_errors < lower) | (natural + 2 * std_errors > upper)


def observations_seen(spaces: Sequence[Constraint], natural: np.ndarray, std_errors: np.ndarray) -> np.ndarray:
    """Count the observations whose part is as good as seen, by the weights of parts among (..., k) elements: (...).

    A weight w with standard error s is known as from w (1 - w) / s^2 observations of which one sees whether they are of
    the part. The least such count over all weights; infinite where there are none, NaN where no error is known.
    """
    natural, std_errors = np.asarray(natural), np.asarray(std_errors)
    weights = [k for k, space in enumerate(spaces) if space.kind == "simplex"]
    w, error = natural[..., weights], std_errors[..., weights]
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.min(w * (1 - w) / error**2, axis=-1, initial=np.inf)


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
