"""Minimum covariance determinant."""

import dataclasses

import numpy as np

from hellgan.checks import checked_real
from hellgan.generators import MultivariateNormal
from hellgan.montecarlo.comparators.comparator import Comparator
from hellgan.montecarlo.estimates import Estimate


@dataclasses.dataclass(frozen=True)
class MinCovDet(Comparator):
    """Minimum covariance determinant, reweighted: scikit-learn's ``MinCovDet`` (Rousseeuw and Van Driessen 1999).

    Attributes
    ----------
    support_fraction : float, optional
        Fraction of the observations in the raw estimate's support; (n + d + 1) / 2n unless given.

    Notes
    -----
    The estimates are of the parameters of a ``MultivariateNormal``, without standard errors. Random subsets are drawn
    with each replicate's own random numbers.
    """

    support_fraction: float | None = None

    def __post_init__(self):
        if self.support_fraction is not None:
            checked_real("support_fraction", self.support_fraction, "a share above 0 and at most 1", 0, 1)

    @property
    def label(self):
        return "MCD"

    @property
    def chunk(self):
        return 64

    def problem(self, family, n):
        _estimator()
        if not isinstance(family, MultivariateNormal):
            return f"{family.name} is no MultivariateNormal with all parameters free; give model=MultivariateNormal(d)"
        return None

    def single(self, family, x, rng):
        seed = int(rng.integers(2**32))
        found = _estimator()(support_fraction=self.support_fraction, random_state=seed).fit(x)
        scale = np.sqrt(np.diag(found.covariance_))
        corr = (found.covariance_ / np.outer(scale, scale))[np.tril_indices(len(scale), -1)]
        values = np.concatenate([found.location_, scale, corr])
        return Estimate(values, np.full(len(values), np.nan))


def _estimator():
    try:
        from sklearn.covariance import MinCovDet as estimator
    except ImportError as error:
        raise ImportError("MinCovDet needs scikit-learn: pip install scikit-learn.") from error
    return estimator
