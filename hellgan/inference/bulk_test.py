"""The bulk's test: whether the generator fits the observations that it is said to account for, (21)."""

import dataclasses

import numpy as np

from hellgan.balance import Balance, Believed
from hellgan.inference.overidentification import form_of, limit_weights
from hellgan.inference.tails import weighted_chi2_sf
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
    """Test the generator on the believed parts of both samples, at a fit; the loss is calibrated."""
    of, n = found.balance, found.balance.scale
    spread = np.diag(of.covariance)
    seen = np.flatnonzero(spread > _SEEN * np.max(spread))  # the others are constant where the sample is believed
    within = np.ix_(seen, seen)
    of = Balance(of.covariance[within], of.noise[within], n, of.slope[seen], of.ridge[seen])
    q, p = of.slope.shape
    if q <= p:
        return BulkTest(np.nan, 0, np.nan, found.share)
    # Hotelling's: the covariance is that of this very sample.
    form, difference = form_of(loss.c, loss.chi2_factor, of), found.difference[seen]
    statistic = max(n - q, 0.0) * float(difference @ form @ difference)
    weights = limit_weights(loss.c, loss.chi2_factor, of)[: q - p]
    return BulkTest(statistic, q - p, weighted_chi2_sf(weights, statistic), found.share)
