"""The bulk's test: whether the generator fits the observations that it is said to account for, (21)."""

import dataclasses
from collections.abc import Sequence

import numpy as np

from hellgan.balance import Balance, Believed
from hellgan.inference.overidentification import form_of, weights_of_form
from hellgan.inference.tails import weighted_chi2_sfs
from hellgan.losses import Loss

_SEEN = 1e-10  # of the largest variance of a feature
REJECTED = 0.01  # a fit warns where the p-value is below


@dataclasses.dataclass(frozen=True, eq=False)
class BulkTest:
    """Whether the generator fits the part of the sample that its discriminator believes.

    Attributes
    ----------
    statistic : float
        (21): the difference of the features' means over the believed parts of both samples, weighed as in (4).
    df : int
        q - p, features that vary over the believed observations less parameters; 0, and a p-value of NaN, where
        nothing is left to test.
    pvalue : float
    share : float
        Share of the sample, by weight, that is believed.
    """

    statistic: float
    df: int
    pvalue: float
    share: float

    @property
    def is_rejected(self) -> bool:
        """Whether the p-value is below .01, or less than half of the sample is believed: no bulk is described."""
        return self.pvalue < REJECTED or self.share < 0.5

    def __str__(self):
        told = f"{self.statistic:.3f}, df {self.df}, p-value {self.pvalue:.4f}; {self.share:.3f} of the sample believed"
        return f"test of the bulk: {told}"


def bulk_test(found: Believed, loss: Loss) -> BulkTest:
    """Test one fit, as ``bulk_tests`` tests several."""
    return bulk_tests([found], loss)[0]


def bulk_tests(found: Sequence[Believed], loss: Loss) -> list[BulkTest]:
    """Test the generator on the believed parts of both samples, at fits of one model; the loss is calibrated."""
    spread = np.stack([np.diag(each.balance.covariance) for each in found])
    with np.errstate(invalid="ignore"):
        seen = spread > _SEEN * np.max(spread, axis=1, keepdims=True)  # the others are constant where it is believed
    tests: list[BulkTest | None] = [None] * len(found)
    for features in np.unique(seen, axis=0):
        group = np.flatnonzero(np.all(seen == features, axis=1)).tolist()
        for k, test in zip(group, _of_features([found[k] for k in group], np.flatnonzero(features), loss), strict=True):
            tests[k] = test
    return [test for test in tests if test is not None]


def _of_features(found: list[Believed], seen: np.ndarray, loss: Loss) -> list[BulkTest]:
    """Test fits whose believed observations the same features tell apart."""
    share = [each.share for each in found]
    q, p = len(seen), found[0].balance.slope.shape[1]
    if q <= p:
        return [BulkTest(np.nan, 0, np.nan, each) for each in share]
    covariance, noise, n, slope, ridge = (np.stack(parts) for parts in zip(*(f.balance for f in found), strict=True))
    within = (slice(None), seen[:, None], seen)
    of = Balance(covariance[within], noise[within], n, slope[:, seen], ridge[:, seen])
    # Hotelling's: the covariance is that of this very sample.
    form, difference = form_of(loss.c, loss.chi2_factor, of), np.stack([f.difference for f in found])[:, seen, None]
    statistics = np.maximum(n - q, 0.0) * (np.swapaxes(difference, 1, 2) @ form @ difference)[:, 0, 0]
    pvalues = weighted_chi2_sfs(weights_of_form(form, of)[:, : q - p], statistics)
    numbers = zip(statistics.tolist(), pvalues.tolist(), share, strict=True)
    return [BulkTest(statistic, q - p, pvalue, each) for statistic, pvalue, each in numbers]
