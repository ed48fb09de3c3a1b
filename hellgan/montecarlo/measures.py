"""The performance measures by name: which replicates each is over, and what failures do to it."""

from collections.abc import Callable, Iterable
from typing import NamedTuple

import numpy as np

from hellgan.checks import shown
from hellgan.montecarlo import formulas
from hellgan.montecarlo.replicates import Replicates


class Sample(NamedTuple):
    """The replicates that a measure is over, with the reference method's estimates."""

    estimate: np.ndarray
    std_error: np.ndarray
    lower: np.ndarray
    upper: np.ndarray
    reference: np.ndarray
    truth: float
    null: float

    @property
    def errors(self):
        return self.estimate - self.truth

    def at(self, rows):
        """Keep some replicates."""
        columns = {name: getattr(self, name)[rows] for name in self._fields[:5]}
        return self._replace(**columns)

    def holds(self, value):
        """Tell of each interval whether it holds a value: (n,) bool."""
        return (self.lower <= value) & (value <= self.upper)


class Measure(NamedTuple):
    """How a measure is computed.

    Attributes
    ----------
    description : str
    function : callable
        Of a ``Sample`` of at least two replicates to ``(value, mcse)``; for a proportion, of one of any size, to which
        replicates are hits, (n,).
    needs : str
        What a replicate must have beside an estimate: nothing, or ``std_error``, ``interval``, ``pair``.
    about : str
        The number that must be known: ``truth``, ``null`` or none.
    is_proportion : bool
        Whether a replicate that failed, or lacks what is needed, counts as no hit.
    """

    description: str
    function: Callable
    needs: str = ""
    about: str = ""
    is_proportion: bool = False


class Row(NamedTuple):
    """A measure's value, with the columns of ``performance.measure``."""

    value: float
    mcse: float
    n: int
    with_failures: float
    with_failures_mcse: float
    n_failed: int


def _mean(s):
    return np.mean(s.estimate) if len(s.estimate) else np.nan


CONVERGENCE = "convergence"
_MEASURES = {
    "bias": Measure("mean estimate minus truth", lambda s: formulas.mean(s.errors), about="truth"),
    "relative_bias": Measure(
        "bias over truth; none where that is 0",
        lambda s: formulas.mean(s.errors / (s.truth or np.nan)),
        about="truth",
    ),
    "median_bias": Measure("median estimate minus truth", lambda s: formulas.median(s.errors), about="truth"),
    "empirical_se": Measure("standard deviation of the estimates", lambda s: formulas.empirical_se(s.estimate)),
    "mad_se": Measure("median absolute deviation of the estimates, over .6745", lambda s: formulas.mad_se(s.estimate)),
    "model_se": Measure(
        "root of the mean squared standard error", lambda s: formulas.model_se(s.std_error), "std_error"
    ),
    "median_se": Measure("median standard error", lambda s: formulas.median(s.std_error), "std_error"),
    "se_ratio": Measure(
        "model_se over empirical_se", lambda s: formulas.se_ratio(s.estimate, s.std_error), "std_error"
    ),
    "mad_ratio": Measure("median_se over mad_se", lambda s: formulas.mad_ratio(s.estimate, s.std_error), "std_error"),
    "mse": Measure("mean squared error", lambda s: formulas.mse(s.errors), about="truth"),
    "rmse": Measure("root of the mean squared error", lambda s: formulas.rmse(s.errors), about="truth"),
    "coverage": Measure(
        "share of intervals that hold the truth", lambda s: s.holds(s.truth), "interval", "truth", is_proportion=True
    ),
    "bias_eliminated_coverage": Measure(
        "share of intervals that hold the mean estimate", lambda s: s.holds(_mean(s)), "interval", is_proportion=True
    ),
    "interval_width": Measure("mean width of the intervals", lambda s: formulas.mean(s.upper - s.lower), "interval"),
    "rejection": Measure(
        "share of intervals that do not hold the null value: power, or size where it is the truth",
        lambda s: ~s.holds(s.null),
        "interval",
        "null",
        is_proportion=True,
    ),
    "relative_efficiency": Measure(
        "variance of the reference method's estimates over that of these",
        lambda s: formulas.relative_efficiency(s.estimate, s.reference),
        "pair",
    ),
    "relative_mse": Measure(
        "mean squared error of the reference method over that of this one",
        lambda s: formulas.relative_mse(s.errors, s.reference - s.truth),
        "pair",
        "truth",
    ),
    CONVERGENCE: Measure(
        "share of the replicates that converged", lambda s: np.ones(len(s.estimate), bool), is_proportion=True
    ),
}
MEASURES = {name: how.description for name, how in _MEASURES.items()}


def is_proportion(name: str) -> bool:
    """Tell whether a measure is a proportion of the replicates."""
    return _MEASURES[name].is_proportion


def chosen(names: Iterable[str] | None, has_reference: bool, has_null: bool) -> list[str]:
    """List the measures asked for; where none are, all that can be computed."""
    lacks = {name: _lacks(how, has_reference, has_null) for name, how in _MEASURES.items()}
    if names is None:
        return [name for name, lack in lacks.items() if not lack]
    names = [names] if isinstance(names, str) else list(names)
    for name in names:
        if name not in lacks:
            raise ValueError(f"measures: there is no {shown(name)}; choose from {', '.join(_MEASURES)}.")
        if lacks[name]:
            raise ValueError(f"measures: {name} needs a {lacks[name]}; give `{lacks[name]}` or leave the measure out.")
    return list(dict.fromkeys(names))


def _lacks(how, has_reference, has_null):
    if how.needs == "pair" and not has_reference:
        return "reference"
    return "null" if how.about == "null" and not has_null else ""


def rows(names: Iterable[str], replicates: Replicates, reference: Replicates | None, null: float) -> list[Row]:
    """Compute measures of replicates that are in order: arrays of one length, the reference's paired with them."""
    estimate, std_error, lower, upper, converged, truth, _ = replicates
    paired = np.full(len(estimate), np.nan) if reference is None else reference.estimate
    both = converged if reference is None else converged & reference.converged
    finite = np.isfinite(estimate)
    present = {
        "": (finite, converged),
        "std_error": (finite & np.isfinite(std_error), converged),
        "interval": (finite & ~np.isnan(lower) & ~np.isnan(upper), converged),
        "pair": (finite & np.isfinite(paired), both),
    }
    everything = Sample(estimate, std_error, lower, upper, paired, truth, null)
    samples, found = {}, []
    # Infinite widths and errors of wild failures give what they give: inf or NaN.
    with np.errstate(all="ignore"):
        for name in names:
            how = _MEASURES[name]
            if how.needs not in samples:
                has, succeeded = present[how.needs]
                samples[how.needs] = everything.at(has & succeeded), everything.at(has)
            used, whole = samples[how.needs]
            found.append(_row(name, how, used, whole, converged))
    return found


def _row(name, how, used: Sample, whole: Sample, converged) -> Row:
    n, count, total, failed = len(used.estimate), len(whole.estimate), len(converged), int(np.sum(~converged))
    if name == CONVERGENCE:
        n, value = total, _of(total, lambda: formulas.proportion(total - failed, total))
        overall = value
    elif how.about and np.isnan(getattr(used, how.about)):
        value = overall = (np.nan, np.nan)
    elif how.is_proportion:
        hits = int(np.sum(how.function(used)))
        value = _of(n, lambda: formulas.proportion(hits, n))
        overall = _of(total, lambda: formulas.proportion(hits, total))
    else:
        value = _of(n, lambda: how.function(used))
        overall = value if count == n else _of(count, lambda: how.function(whole))
    return Row(value[0], value[1], n, overall[0], overall[1], failed)


def _of(count, function) -> formulas.Measured:
    """Give a value and its error, both NaN where there are fewer than two replicates."""
    if count < 2:
        return np.nan, np.nan
    value, error = function()
    return float(value), float(error)
