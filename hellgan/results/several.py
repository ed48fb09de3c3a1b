"""What the fits of one model to many samples say together: ``BatchSummary``."""

import dataclasses
import re
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from hellgan.checks import shown
from hellgan.parameters import ParameterSpace
from hellgan.results.latex import latex

_NUMBER = re.compile(r"(?<![\w.])[-+]?\d+(?:[.,]\d+)*(?:e[-+]?\d+)?(?!\w)", re.IGNORECASE)


@dataclasses.dataclass(frozen=True, eq=False)
class BatchSummary:
    """Estimates over samples, their said errors, and what failed; made by ``BatchResults.summary``.

    Attributes
    ----------
    table : DataFrame
        A row a parameter, over the fits that converged: ``mean`` and ``sd`` of the estimates, ``mean_std_error`` of
        what each fit says; against a truth ``truth``, ``bias``, and ``coverage``, the proportion of intervals that hold
        it; ``bias_mcse`` and ``coverage_mcse``, the Monte Carlo errors of the two.
    failures : Series
        How many fits failed, by reason; reasons that differ in numbers alone are one, shown as first given.
    alpha : float
        One minus the intervals' level.
    n, n_failed, n_flagged : int
        Fits; those that did not converge; those that are flagged, the former among them.
    """

    table: pd.DataFrame
    failures: pd.Series
    alpha: float
    n: int
    n_failed: int
    n_flagged: int

    def __str__(self):
        lines = [f"{self.n} fits, {self.n_failed} not converged, {self.n_flagged} flagged"]
        if "coverage" in self.table:
            lines[0] += f"; intervals of level {1 - self.alpha:g}"
        lines += ["", self.table.round(4).to_string()]
        if len(self.failures):
            lines += ["", "Not converged:", *(f"{count:>6}  {reason}" for reason, count in self.failures.items())]
        return "\n".join(lines)

    __repr__ = __str__

    def to_latex(self, caption: str | None = None, label: str | None = None) -> str:
        """Write the table as a LaTeX tabular, within a ``table`` where a caption or a label is given."""
        texts = self.table.map(lambda value: f"{value:.4g}")
        texts.insert(0, "parameter", self.table.index)
        return latex(texts, caption, label)


def summarise(
    params: pd.DataFrame,
    errors: pd.DataFrame,
    intervals: pd.DataFrame,
    trouble: Sequence[str],
    flagged: np.ndarray,
    truth: pd.Series,
    alpha: float,
) -> BatchSummary:
    """Summarise R fits.

    Parameters
    ----------
    params, errors : DataFrame (R, r)
    intervals : DataFrame (R, 2 r)
        Columns (parameter, ``lower`` or ``upper``).
    trouble : R str
        Why a fit did not converge; empty where it did.
    flagged : (R,) bool array
    truth : Series
        True values of some of the parameters.
    alpha : float
        One minus the intervals' level.
    """
    kept = np.array([not reason for reason in trouble], bool)
    used = int(kept.sum())
    estimates = params[kept]
    table = pd.DataFrame(
        {"mean": estimates.mean(), "sd": estimates.std(ddof=1), "mean_std_error": errors[kept].mean()}, params.columns
    )
    if len(truth):
        known = truth.reindex(params.columns).to_numpy()
        ends = ([(name, end) for name in params.columns] for end in ("lower", "upper"))
        low, high = (intervals[columns].to_numpy()[kept] for columns in ends)
        covered = ((low <= known) & (known <= high)).mean(axis=0) if used else np.full(len(known), np.nan)
        covered = np.where(np.isfinite(known), covered, np.nan)
        table["truth"], table["bias"] = known, table["mean"] - known
        table["bias_mcse"] = np.where(np.isfinite(known), table["sd"] / np.sqrt(max(used, 1)), np.nan)
        table["coverage"] = covered
        table["coverage_mcse"] = np.sqrt(covered * (1 - covered) / max(used, 1))
    reasons = [reason for reason in trouble if reason]
    return BatchSummary(table, grouped(reasons), alpha, len(params), len(reasons), int(np.sum(flagged)))


def grouped(reasons: Sequence[str]) -> pd.Series:
    """Count reasons, the most frequent first; those that differ in numbers alone are one, shown as first given."""
    first: dict[str, str] = {}
    counts: dict[str, int] = {}
    for reason in reasons:
        kind = _NUMBER.sub("#", reason)
        counts[kind] = counts.get(kind, 0) + 1
        first.setdefault(kind, reason)
    order = sorted(counts, key=lambda kind: -counts[kind])
    return pd.Series([counts[kind] for kind in order], [first[kind] for kind in order], int, name="fits")


def read_truth(truth, space: ParameterSpace) -> pd.Series:
    """Read true values by the names of parameters or of their elements; raises ``ValueError`` for others."""
    if truth is None:
        return pd.Series(dtype=float)
    if not isinstance(truth, Mapping | pd.Series) or not len(truth):
        name = space.names[0]
        raise ValueError(f"truth: got {shown(truth)}; give values by name, as in {{{name!r}: 1.0}}.")
    found: dict[str, float] = {}
    for name, value in truth.items():
        if name not in space.names and name not in space.parameters:
            raise ValueError(f"truth: {name!r} is no parameter; give some of {', '.join(space.names)}.")
        elements = [name] if name in space.names else space.parameters[str(name)].element_names(str(name))
        try:
            values = np.ravel(np.asarray(value, np.float64))
        except (TypeError, ValueError, OverflowError):
            values = np.array([np.nan])
        if len(values) != len(elements) or not np.all(np.isfinite(values)):
            what = "a finite number" if len(elements) == 1 else f"{len(elements)} finite numbers"
            raise ValueError(f"truth: {name} is {shown(value)}; give {what}.")
        found.update(zip(map(str, elements), values.tolist(), strict=True))
    return pd.Series(found, dtype=float)
