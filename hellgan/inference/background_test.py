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
    """Test one fit, as ``background_tests`` tests several."""
    return background_tests([found], [law], cov[None], names)[0]


def background_tests(
    found: Sequence[Background], laws: Sequence[JointLaw], covs: np.ndarray, names: Sequence[str]
) -> list[BackgroundTest | None]:
    """Test the zones beside a bulk, and intervals within, of each of k fits of one model.

    Of several levels it is the one at which estimates move most, among those that reject.

    Parameters
    ----------
    found : sequence of k Background
    laws : sequence of k JointLaw
        Of the fits; without a sandwich there is no test.
    covs : (k, r, r) array
        Covariances of the natural parameters, divided by n.
    names : sequence of r str
    """
    tests: list[BackgroundTest | None] = [None] * len(found)
    asked = [k for k, law in enumerate(laws) if law.sandwich is not None]
    if not asked:
        return tests
    breads = np.stack([law.sandwich.bread for law in laws if law.sandwich is not None])
    slopes = np.stack([laws[k].natural_slope for k in asked])
    parts = "observed", "expected", "scores", "ends", "below", "n", "m"
    in_zones, of_law, scores, ends, below, n, m = (np.array([getattr(found[k], part) for k in asked]) for part in parts)
    errors = np.sqrt(np.diagonal(covs[asked], axis1=1, axis2=2))[:, None]
    moved = np.linalg.solve(breads, np.swapaxes(scores, 1, 2))[:, : slopes.shape[2]]  # (k, p, L)
    moved = np.swapaxes(slopes @ moved, 1, 2)
    shifts = np.divide(moved, errors, out=np.zeros_like(moved), where=errors > 0)
    observed, expected = n[:, None] * in_zones, n[:, None] * np.maximum(of_law, 0.5 / m[:, None])
    pvalues = np.where(observed > 0, special.gammainc(np.maximum(observed, 1e-9), expected), 1.0)
    largest = np.max(np.abs(shifts), axis=2)
    moves = (pvalues < _LEVEL) & (largest > _SHIFT)
    told = np.nan_to_num(largest) * (pvalues < _LEVEL)
    # The largest shift of those that move a parameter, else of those that reject; the first of equals.
    at = np.argmax(np.where(moves, told, -1 / (1 + told)), axis=1).tolist()
    crowds = _crowds(ends, below, n, m)
    for row, (k, level) in enumerate(zip(asked, at, strict=True)):
        numbers = float(observed[row, level]), float(expected[row, level]), found[k].levels[level]
        pvalue, shift = float(pvalues[row, level]), shifts[row, level]
        tests[k] = BackgroundTest(*numbers, pvalue, shift, tuple(names), crowds[row])
    return tests


def _crowds(ends: np.ndarray, below: np.ndarray, n: np.ndarray, m: np.ndarray) -> list[Crowd | None]:
    """The intervals between two of the ends (k, G) in which the real samples exceed the simulated ones the most."""
    if not ends.shape[1]:
        return [None] * len(ends)
    first, second = np.triu_indices(ends.shape[1], 1)
    real, drawn = np.moveaxis(below[:, second] - below[:, first], -1, 0)
    k, j = n[:, None] * real, m[:, None] * drawn
    pvalues, usable = np.ones(k.shape), (k > 1 - 1e-9) & (drawn <= _WIDEST) & (real >= drawn)
    share = np.broadcast_to((n / (n + m))[:, None], k.shape)
    pvalues[usable] = special.betainc(k[usable], j[usable] + 1, share[usable])
    at, rows = np.argmin(pvalues, axis=1), np.arange(len(ends))
    low, high = ends[rows, first[at]], ends[rows, second[at]]
    told = low, high, k[rows, at], n * drawn[rows, at], pvalues[rows, at]
    return [Crowd(*map(float, each)) for each in zip(*told, strict=True)]
