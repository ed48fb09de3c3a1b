"""The background's test: whether contamination lies within the bulk, or so close to it that some must be, (23)."""

import dataclasses
from collections.abc import Sequence

import numpy as np
from scipy import special

from hellgan.balance import Background
from hellgan.records import JointLaw

# A shift of a quarter of a standard error takes a point off the coverage of a 95 % interval; the extrapolation is
# cautious, and the true shift is up to three times as large.
_SHIFT, _LEVEL = 0.25, 0.025

# Intervals within the bulk hold at most so much of the law: what is wider is for the bulk's own test. They overlap, and
# the estimates follow the sample; so of clean samples about a hundredth has a p-value below this in one of them.
_WIDEST, _CROWDED = 0.35, 0.002


@dataclasses.dataclass(frozen=True)
class Crowd:
    """The interval within the bulk that has the most observations too many for the fitted law.

    Attributes
    ----------
    low, high : float
        Its ends; the lower one is not in it.
    observed, expected : float
        Numbers of observations in it: in the sample, and under the fitted law.
    pvalue : float
        Of the excess in this interval alone, given how many of both samples are in it (binomial).
    """

    low: float
    high: float
    observed: float
    expected: float
    pvalue: float

    @property
    def is_rejected(self) -> bool:
        """Whether the p-value is below .002, of which the search over intervals makes about a hundredth."""
        return self.pvalue < _CROWDED


@dataclasses.dataclass(frozen=True, eq=False)
class BackgroundTest:
    """Whether more observations lie beside the bulk, or in an interval within, than the fitted law has there.

    Attributes
    ----------
    observed, expected : float
        Numbers of observations in the zones to both sides of the bulk, each as wide as the bulk: in the sample, and
        under the fitted law.
    level : float
        The bulk lies between the fitted law's quantiles of this level and of one minus it.
    pvalue : float
        Of the excess, by the Poisson law.
    shifts : (r,) array
        Change of each natural parameter, in its standard errors, were contamination as dense within the bulk as beside
        it; to first order, by the influence function.
    names : tuple of str
        Of these parameters.
    crowd : Crowd or None
        The interval within the bulk with the least p-value; None of a reweighted fit.
    """

    observed: float
    expected: float
    level: float
    pvalue: float
    shifts: np.ndarray
    names: tuple[str, ...]
    crowd: Crowd | None = None

    @property
    def moves(self) -> bool:
        """Whether the p-value is below .025 and a parameter moves by more than a quarter of its standard error."""
        return self.pvalue < _LEVEL and bool(np.max(np.abs(self.shifts)) > _SHIFT)

    @property
    def is_rejected(self) -> bool:
        """Whether what lies beside the bulk moves a parameter (``moves``), or an interval within it is crowded."""
        return self.moves or (self.crowd is not None and self.crowd.is_rejected)

    def __str__(self):
        worst = int(np.argmax(np.abs(self.shifts)))
        within = (
            ""
            if self.crowd is None
            else (
                f"; within, {self.crowd.observed:.0f} from {self.crowd.low:.4g} to {self.crowd.high:.4g}, "
                f"{self.crowd.expected:.1f} expected, p-value {self.crowd.pvalue:.4f}"
            )
        )
        return (
            f"test of the background: {self.observed:.0f} observations beside the bulk, {self.expected:.1f} expected, "
            f"p-value {self.pvalue:.4f}; were they as dense within, {self.names[worst]} would be off by "
            f"{self.shifts[worst]:+.2f} standard errors{within}"
        )


def background_test(found: Background, law: JointLaw, cov: np.ndarray, names: Sequence[str]) -> BackgroundTest | None:
    """Test the zones beside a bulk, and intervals within.

    Of several levels it is the one at which estimates move most, among those that reject.

    Parameters
    ----------
    found : Background
    law : JointLaw
        Of the fit; without a sandwich there is no test.
    cov : (r, r) array
        Covariance of the natural parameters, divided by n.
    names : sequence of r str
    """
    if law.sandwich is None:
        return None
    errors = np.sqrt(np.diag(cov))
    moved = np.linalg.solve(law.sandwich.bread, found.scores.T)[: law.natural_slope.shape[1]].T @ law.natural_slope.T
    shifts = np.divide(moved, errors, out=np.zeros_like(moved), where=errors > 0)
    observed, expected = found.n * found.observed, found.n * np.maximum(found.expected, 0.5 / found.m)
    pvalues = np.where(observed > 0, special.gammainc(np.maximum(observed, 1e-9), expected), 1.0)
    crowd = _crowd(found)
    tests = [
        BackgroundTest(float(o), float(e), level, float(p), shift, tuple(names), crowd)
        for o, e, level, p, shift in zip(observed, expected, found.levels, pvalues, shifts, strict=True)
    ]
    return max(tests, key=lambda test: (test.moves, np.max(np.abs(test.shifts)) * (test.pvalue < _LEVEL)))


def _crowd(found: Background) -> Crowd | None:
    """The interval between two of the ends in which the real sample exceeds the simulated one the most."""
    if not len(found.ends):
        return None
    first, second = np.triu_indices(len(found.ends), 1)
    real, drawn = (found.below[second] - found.below[first]).T
    k, j = found.n * real, found.m * drawn
    pvalues, usable = np.ones(len(k)), (k >= 1) & (drawn <= _WIDEST) & (real >= drawn)
    pvalues[usable] = special.betainc(k[usable], j[usable] + 1, found.n / (found.n + found.m))
    at = int(np.argmin(pvalues))
    low, high = found.ends[first[at]], found.ends[second[at]]
    return Crowd(float(low), float(high), float(k[at]), float(found.n * drawn[at]), float(pvalues[at]))
