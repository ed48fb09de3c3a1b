"""What a method says of replicates: estimates with errors and intervals, or why there are none."""

import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np


class Estimate(NamedTuple):
    """What a method says of one sample.

    Attributes
    ----------
    values, std_errors : (k,) arrays
        On the natural scale; an error is NaN where the method has none.
    lower, upper : (k,) arrays or None
        Interval of the study's level; Wald's, from ``std_errors``, unless given.
    converged : bool
    is_saddle : bool or None
        Whether the solution is a certified saddle point; None for a method that looks for none.
    iterations : int
    message : str
        Why it did not converge; empty where it did.
    """

    values: np.ndarray
    std_errors: np.ndarray
    lower: np.ndarray | None = None
    upper: np.ndarray | None = None
    converged: bool = True
    is_saddle: bool | None = None
    iterations: int = 0
    message: str = ""


class Estimates(NamedTuple):
    """What a method says of R samples: a stack of ``Estimate``, and what each cost.

    Attributes
    ----------
    names : tuple of str
        Of the k numbers that are estimated.
    values, std_errors, lower, upper : (R, k) arrays
        NaN where there is none.
    converged : (R,) bool array
    is_saddle : (R,) float array
        1 or 0; NaN for a method that looks for no saddle point.
    iterations : (R,) int array
    seconds : (R,) array
        Of wall time; the mean of a group that was computed together.
    messages, warned : lists of R str
        Why a replicate failed, and what it warned of; empty where it did not.
    """

    names: tuple[str, ...]
    values: np.ndarray
    std_errors: np.ndarray
    lower: np.ndarray
    upper: np.ndarray
    converged: np.ndarray
    is_saddle: np.ndarray
    iterations: np.ndarray
    seconds: np.ndarray
    messages: list[str]
    warned: list[str]

    def head(self, count: int) -> "Estimates":
        """Give the first replicates."""
        return Estimates(self.names, *(part[:count] for part in self[1:]))


Intervals = Callable[[np.ndarray, np.ndarray], np.ndarray]  # (values, std_errors), (k,) each, to (k, 2)


def one_by_one(
    function: Callable[..., Estimate], arguments: Sequence[tuple], names: tuple[str, ...], intervals: Intervals
) -> Estimates:
    """Call a method for every replicate; an exception is a failure with its message, never the end."""
    rows, seconds, warned = [], [], []
    missing = np.full(len(names), np.nan)
    for each in arguments:
        begin = time.perf_counter()
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            try:
                row = function(*each)
            except Exception as error:  # any: a method is the user's
                text = " ".join(str(error).split())
                row = Estimate(missing, missing, converged=False, message=f"{type(error).__name__}: {text}")
        seconds.append(time.perf_counter() - begin)
        warned.append("; ".join(dict.fromkeys(f"{w.category.__name__}: {w.message}" for w in caught)))
        if row.lower is None or row.upper is None:
            low, high = intervals(row.values, row.std_errors).T
            row = row._replace(lower=low, upper=high)
        rows.append(row)
    return stacked(names, rows, seconds, warned)


def stacked(names: tuple[str, ...], rows: Sequence[Estimate], seconds: Sequence[float], warned: list[str]) -> Estimates:
    """Put the estimates of single replicates together."""
    columns = [
        np.array([getattr(row, f) for row in rows], np.float64) for f in ("values", "std_errors", "lower", "upper")
    ]
    return Estimates(
        names,
        *columns,
        np.array([row.converged for row in rows], bool),
        np.array([np.nan if row.is_saddle is None else row.is_saddle for row in rows], np.float64),
        np.array([row.iterations for row in rows], np.int64),
        np.asarray(seconds, np.float64),
        [row.message for row in rows],
        warned,
    )


def by_name(names: Sequence[str], given: Mapping[str, float]) -> np.ndarray:
    """Put named numbers in order; NaN for those that are not there."""
    return np.array([given.get(name, np.nan) for name in names], np.float64)
