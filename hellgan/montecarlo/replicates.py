"""What one method says of one parameter in the replicates of one cell."""

from typing import NamedTuple

import numpy as np

from hellgan.checks import shown


class Replicates(NamedTuple):
    """What one method says of one parameter in the R replicates of one cell.

    Attributes
    ----------
    estimate, std_error, lower, upper : (R,) arrays
        NaN where there is none; the ends of an interval may be infinite.
    converged : (R,) bool array
    truth : float
        NaN where the parameter has none: the measures that need it are then NaN.
    level : float
        Level of the intervals, with which ``replications_for`` plans; no measure needs it.
    """

    estimate: np.ndarray
    std_error: np.ndarray
    lower: np.ndarray
    upper: np.ndarray
    converged: np.ndarray
    truth: float
    level: float = 0.95


def checked_pair(replicates: Replicates, reference: Replicates | None) -> tuple[Replicates, Replicates | None]:
    """Turn a method's replicates and the reference's, where there are any, into arrays of one length."""
    replicates = _checked(replicates, "replicates")
    if reference is None:
        return replicates, None
    reference = _checked(reference, "reference")
    if len(reference.estimate) != len(replicates.estimate):
        raise ValueError(
            f"reference: {len(reference.estimate)} replicates, where the method has {len(replicates.estimate)}; give "
            "those for the same samples in the same order."
        )
    return replicates, reference


def _checked(given, name):
    if not isinstance(given, Replicates):
        raise TypeError(f"{name}: got {shown(given)}; give Replicates.")
    estimate, std_error, lower, upper = (np.asarray(column, np.float64) for column in given[:4])
    converged = np.asarray(given.converged)
    shapes = {column.shape for column in (estimate, std_error, lower, upper, converged)}
    if len(shapes) != 1 or converged.ndim != 1:
        raise ValueError(f"{name}: arrays of shapes {', '.join(map(str, sorted(shapes)))}; give all of one shape (R,).")
    if converged.dtype != bool:
        raise TypeError(f"{name}: converged is {converged.dtype}; give True or False for every replicate.")
    require_level(given.level)
    return Replicates(estimate, std_error, lower, upper, converged, float(given.truth), float(given.level))


def require_level(level: float) -> None:
    """Refuse what is not the level of an interval."""
    if not 0 < level < 1:
        raise ValueError(f"level: {shown(level)}; give that of the intervals, between 0 and 1, such as .95.")
