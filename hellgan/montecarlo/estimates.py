"""What a method says of replicates: estimates with errors and intervals, or why there are none."""

import contextlib
import threading
import time
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
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
    bulk_pvalue : float
        Of the test of the bulk; NaN for a method that has none.
    """

    values: np.ndarray
    std_errors: np.ndarray
    lower: np.ndarray | None = None
    upper: np.ndarray | None = None
    converged: bool = True
    is_saddle: bool | None = None
    iterations: int = 0
    message: str = ""
    bulk_pvalue: float = np.nan


class Estimates(NamedTuple):
    """What a method says of R samples: a stack of ``Estimate``, and what each cost.

    Attributes
    ----------
    names : tuple of str
        Names of the k numbers that are estimated.
    values, std_errors, lower, upper : (R, k) arrays
        NaN where there is none.
    converged : (R,) bool array
    is_saddle : (R,) float array
        1 or 0; NaN for a method that looks for no saddle point.
    iterations : (R,) int array
    seconds : (R,) array
        Wall time; the mean of a group that was computed together.
    messages, warned : lists of R str
        Why a replicate failed, and what it warned of; empty where it did not.
    bulk_pvalues : (R,) array
        Of the test of the bulk; NaN for a method that has none.
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
    bulk_pvalues: np.ndarray


Intervals = Callable[[np.ndarray, np.ndarray], np.ndarray]  # (values, std_errors), (k,) each, to (k, 2)


def one_by_one(
    function: Callable[..., Estimate], arguments: Sequence[tuple], names: tuple[str, ...], intervals: Intervals
) -> Estimates:
    """Call a method for every replicate; an exception makes the replicate a failure and does not end the study."""
    rows, seconds, warned = [], [], []
    missing = np.full(len(names), np.nan)
    for each in arguments:
        begin = time.perf_counter()
        with recorded() as said:
            try:
                row = function(*each)
            except Exception as error:  # any: a method is the user's
                row = Estimate(missing, missing, converged=False, message=told(error))
        seconds.append(time.perf_counter() - begin)
        warned.append("; ".join(said))
        if row.lower is None or row.upper is None:
            low, high = intervals(row.values, row.std_errors).T
            row = row._replace(lower=low, upper=high)
        rows.append(row)
    return stacked(names, rows, seconds, warned)


def told(error: BaseException) -> str:
    """Say on one line what an exception of a user's function is."""
    try:
        text = " ".join(str(error).split())
    except Exception:  # any: the text, too, is the user's
        text = "its text cannot be had"
    return f"{type(error).__name__}: {text}"


def stacked(names: tuple[str, ...], rows: Sequence[Estimate], seconds, warned: list[str]) -> Estimates:
    """Put the estimates of single replicates together."""
    values, std_errors, lower, upper = (
        np.array([getattr(row, field) for row in rows], np.float64)
        for field in ("values", "std_errors", "lower", "upper")
    )
    return Estimates(
        names,
        values,
        std_errors,
        lower,
        upper,
        np.array([row.converged for row in rows], bool),
        np.array([np.nan if row.is_saddle is None else row.is_saddle for row in rows], np.float64),
        np.array([row.iterations for row in rows], np.int64),
        np.asarray(seconds, np.float64),
        [row.message for row in rows],
        warned,
        np.array([row.bulk_pvalue for row in rows], np.float64),
    )


def by_name(names: Sequence[str], given: Mapping[str, float]) -> np.ndarray:
    """Put named numbers in the order of ``names``; NaN for a name that is not given."""
    return np.array([given.get(name, np.nan) for name in names], np.float64)


class _Recorder:
    """Warnings of several threads, told apart: ``warnings.catch_warnings`` changes the state of all of them."""

    def __init__(self):
        self._lock, self._local, self._depth = threading.Lock(), threading.local(), 0
        self._state = self._before = None

    def enter(self) -> list[str]:
        with self._lock:
            if self._depth == 0:
                self._state = warnings.catch_warnings()
                self._state.__enter__()
                self._before = warnings.showwarning
                warnings.simplefilter("always")
                warnings.showwarning = self._show
            self._depth += 1
        said: list[str] = []
        self._stack().append(said)
        return said

    def leave(self) -> None:
        self._stack().pop()
        with self._lock:
            self._depth -= 1
            if self._depth == 0 and self._state is not None:
                self._state.__exit__(None, None, None)

    def _stack(self) -> list[list[str]]:
        if not hasattr(self._local, "stack"):
            self._local.stack = []
        return self._local.stack

    def _show(self, message, category, filename, lineno, file=None, line=None):
        stack = self._stack()
        if not stack:  # of a thread that records nothing
            if self._before is not None:
                self._before(message, category, filename, lineno, file, line)
            return
        text = told(message) if isinstance(message, Warning) else f"{category.__name__}: {message}"
        if text not in stack[-1]:
            stack[-1].append(text)


_RECORDER = _Recorder()


@contextlib.contextmanager
def recorded() -> Iterator[list[str]]:
    """Record the warnings of this thread, each once, instead of showing them."""
    said = _RECORDER.enter()
    try:
        yield said
    finally:
        _RECORDER.leave()
