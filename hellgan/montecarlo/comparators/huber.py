"""Huber's estimates of location and scale, and of regression coefficients."""

import dataclasses
import functools

import numpy as np

from hellgan.checks import shown
from hellgan.generators import Generator, LinearRegression, LocationScale
from hellgan.generators.regression import SCALE
from hellgan.latents import Law
from hellgan.montecarlo.comparators.comparator import Comparator
from hellgan.montecarlo.estimates import Estimate
from hellgan.samples.robust import MAD

_STEPS = 500


@dataclasses.dataclass(frozen=True)
class Huber(Comparator):
    """Huber's (1964) proposal 2 for location and scale, or his regression M-estimate: statsmodels' estimators.

    On the line the estimate is that of ``statsmodels.robust.scale.Huber``; for a ``LinearRegression`` that of
    ``statsmodels.RLM`` with ``HuberT`` and the residuals' median absolute deviation for a scale.

    Attributes
    ----------
    c : float
        Size of a standardised observation from where on its influence no longer grows.

    Notes
    -----
    The scale is made consistent at the family, by what the estimator gives at the family's own quantiles. Standard
    errors on the line are those of the sandwich A^-1 B A^-T / n of proposal 2's two scores, both matrices taken from
    the sample; those of a regression are statsmodels' (H1), and the scale has none.
    """

    c: float = 1.5

    def __post_init__(self):
        if isinstance(self.c, bool) or not isinstance(self.c, (int, float, np.number)) or not 0 < self.c < np.inf:
            raise ValueError(f"c: got {shown(self.c)}; give a positive, finite number, such as 1.5.")

    @property
    def label(self):
        return f"Huber ({self.c:g})"

    def problem(self, family, n):
        if isinstance(family, (LocationScale, LinearRegression)):
            return None
        return f"{family.name} is no location-scale family with both free and no regression; give model=, as Normal()"

    def single(self, family, x, rng):
        return _regression(family, x, self.c) if isinstance(family, LinearRegression) else _line(family, x, self.c)


def _line(family: Generator, x: np.ndarray, c: float) -> Estimate:
    mu, sigma = _proposal_2(x, c)
    if not sigma > 0:
        raise ValueError("the scale is 0: half of the sample is one value.")
    center, unit = (0.0, 1.0) if family.law.name == "normal" else _at_law(family.law, c)
    n = len(x)
    t = (x - mu) / sigma
    inner = np.abs(t) <= c
    psi = np.clip(t, -c, c)
    scores = np.stack([psi, psi**2 - np.mean(psi**2)])
    bread = np.array([[inner.mean(), (t * inner).mean()], [2 * (t * inner).mean(), 2 * (t**2 * inner).mean()]]) / sigma
    half = np.linalg.solve(bread, scores @ scores.T / n)
    cov = np.linalg.solve(bread, half.T) / n
    # loc + scale (center, unit) is what the estimator tends to.
    to_family = np.array([[1.0, -center / unit], [0.0, 1 / unit]])
    errors = np.sqrt(np.diag(to_family @ cov @ to_family.T))
    return Estimate(to_family @ np.array([mu, sigma]), errors)


def _proposal_2(x: np.ndarray, c: float) -> tuple[float, float]:
    from statsmodels.robust.scale import Huber as Joint

    with np.errstate(divide="ignore", invalid="ignore"):
        mu, sigma = Joint(c=c, maxiter=_STEPS)(x)
    return float(mu), float(sigma)


@functools.lru_cache(maxsize=64)
def _at_law(law: Law, c: float) -> tuple[float, float]:
    """Location and scale that the estimator gives at a law, computed from the law's quantiles."""
    levels = (np.arange(100_000) + 0.5) / 100_000
    return _proposal_2(law.quantile(levels), c)


def _regression(family: LinearRegression, x: np.ndarray, c: float) -> Estimate:
    import statsmodels.api as sm

    found = sm.RLM(x[:, -1], family.design(x[:, :-1]), M=sm.robust.norms.HuberT(t=c)).fit(maxiter=_STEPS)
    scale = found.scale / (MAD * float(family.law.quantile(np.array([0.75]))[0]))
    values = dict(zip(family.coefficients, found.params, strict=True)) | {SCALE: scale}
    errors = dict(zip(family.coefficients, found.bse, strict=True)) | {SCALE: np.nan}
    steps = int(found.fit_history["iteration"])
    message = "" if steps < _STEPS else f"RLM did not converge in {_STEPS} iterations"
    in_order, its_errors = (np.array([part[name] for name in family.names]) for part in (values, errors))
    return Estimate(in_order, its_errors, converged=not message, iterations=steps, message=message)
