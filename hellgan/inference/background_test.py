"""The background's test: whether contamination lies close to the bulk, so that some of it must be within, (23)."""

import dataclasses
from collections.abc import Sequence

import numpy as np
from scipy import special

from hellgan.balance import Background
from hellgan.records import JointLaw

# A shift of a quarter of a standard error takes a point off the coverage of a 95 % interval; the extrapolation is
# cautious, and the true shift is up to three times as large.
_SHIFT, _LEVEL = 0.25, 0.025


@dataclasses.dataclass(frozen=True, eq=False)
class BackgroundTest:
    """Whether more observations lie beside the bulk than the fitted law has there, and what that does to estimates.

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
    """

    observed: float
    expected: float
    level: float
    pvalue: float
    shifts: np.ndarray
    names: tuple[str, ...]

    @property
    def is_rejected(self) -> bool:
        """Whether the p-value is below .025 and a parameter moves by more than a quarter of its standard error."""
        return self.pvalue < _LEVEL and bool(np.max(np.abs(self.shifts)) > _SHIFT)

    def __str__(self):
        worst = int(np.argmax(np.abs(self.shifts)))
        return (
            f"test of the background: {self.observed:.0f} observations beside the bulk, {self.expected:.1f} expected, "
            f"p-value {self.pvalue:.4f}; were they as dense within, {self.names[worst]} would be off by "
            f"{self.shifts[worst]:+.2f} standard errors"
        )


def background_test(found: Background, law: JointLaw, cov: np.ndarray, names: Sequence[str]) -> BackgroundTest | None:
    """Test the zones beside a bulk: of several levels the one at which estimates move most, among those that reject.

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
    tests = [
        BackgroundTest(float(o), float(e), level, float(p), shift, tuple(names))
        for o, e, level, p, shift in zip(observed, expected, found.levels, pvalues, shifts, strict=True)
    ]
    return max(tests, key=lambda test: (test.is_rejected, np.max(np.abs(test.shifts)) * (test.pvalue < _LEVEL)))
