"""Kinds of covariance of one fit: what the scores of the real sample are taken to be, and what the model.

Bread and simulation part of (2) are those of the fit; the covariance of the real sample's mean score is
statsmodels' for serially dependent and for clustered observations.
"""

import warnings
from collections.abc import Sequence
from typing import NamedTuple

import jax
import numpy as np

from hellgan.generators import Generator
from hellgan.inference import JointLaw, Sandwich, natural_covs
from hellgan.overidentification import Balance, balance, mean_features
from hellgan.validation import checked_groups, shown

KINDS = ("sandwich", "HC1", "model", "HAC", "cluster", "bootstrap")
KERNELS = ("bartlett", "uniform")
_FEW = 10  # clusters, with which errors are far too small more often than not


class Covariance(NamedTuple):
    """A covariance of one fit's estimates, divided by n."""

    kind: str  # as ``cov_type`` names it
    note: str  # what of it the summary tells
    natural: np.ndarray  # (r, r) of the natural parameters
    theta: np.ndarray  # (p, p) of the unconstrained ones
    sandwich: Sandwich | None  # with that of (theta, alpha), where there is one


def of_sandwich(generator: Generator, law: JointLaw, m: int, kind: str = "sandwich", note: str = "") -> Covariance:
    """Take the covariance from a law's sandwich; NaN where it has none."""
    p = generator.size
    theta = np.full((p, p), np.nan) if law.sandwich is None else law.sandwich.cov[:p, :p]
    return Covariance(kind, note, natural_covs(generator, [law], m)[0], theta, law.sandwich)


def with_joint(law: JointLaw, joint: np.ndarray) -> JointLaw:
    """Give the law with another covariance of (theta, alpha)."""
    s = law.sandwich
    assert s is not None
    return law._replace(sandwich=Sandwich(s.bread, s.meat_real, s.meat_simulated, s.n, joint))


def with_meat(law: JointLaw, meat_real: np.ndarray) -> JointLaw:
    """Give the law with another covariance of root n times the real sample's mean score, (2)."""
    s = law.sandwich
    assert s is not None
    half = np.linalg.solve(s.bread, meat_real + s.meat_simulated)
    cov = np.linalg.solve(s.bread, half.T) / s.n
    return law._replace(sandwich=Sandwich(s.bread, meat_real, s.meat_simulated, s.n, (cov + cov.T) / 2))


def under_model(law: JointLaw, of: Balance, c: float, mean_features: np.ndarray) -> JointLaw:
    """Give the law with the covariance that (3) gives under a correct model, ridge allowed for.

    ``mean_features`` (q,) are those of the simulated sample: to first order the intercept is minus alpha's part of v
    there.
    """
    of_theta, of_alpha = of.solution(c)
    of_delta = np.concatenate([of_theta, -(mean_features @ of_alpha)[None], of_alpha])
    return with_joint(law, of_delta @ of.noise @ of_delta.T / of.scale)


def hac_meat(rows: np.ndarray, n: float, maxlags: int, kernel: str) -> np.ndarray:
    """Estimate the covariance of root n times a sum of serially dependent rows (n, k): statsmodels' HAC estimator."""
    from statsmodels.stats import sandwich_covariance as sm

    weights = {"bartlett": sm.weights_bartlett, "uniform": sm.weights_uniform}[kernel]
    return n * sm.S_hac_simple(rows, nlags=maxlags, weights_func=weights)


def cluster_meat(rows: np.ndarray, n: float, groups: Sequence[np.ndarray], corrected: bool) -> np.ndarray:
    """Estimate the covariance of root n times a sum of rows (n, k) that depend within groups (one or two ways).

    ``groups`` holds codes 0, 1, ... of each way. Two ways are Cameron, Gelbach and Miller's: the two less that of
    their intersection. The correction is G/(G - 1) (n - 1)/(n - k) for each, as in statsmodels.
    """
    from statsmodels.stats.sandwich_covariance import S_crosssection

    def one_way(codes):
        count, (size, k) = codes.max() + 1, rows.shape
        factor = count / (count - 1) * (size - 1) / (size - k) if corrected else 1.0
        return factor * S_crosssection(rows, codes)

    if len(groups) == 1:
        return n * one_way(groups[0])
    both = np.unique(np.stack(groups), axis=1, return_inverse=True)[1].ravel()
    return n * (one_way(groups[0]) + one_way(groups[1]) - one_way(both))


def of_fit(fit, kind: str, options: dict) -> Covariance:
    """Give a fit's covariance of another kind, with the options of ``GANResults.with_cov``; all but ``bootstrap``."""
    fit.require_law()
    makers = {"sandwich": _sandwich, "HC1": _hc1, "model": _model, "HAC": _hac, "cluster": _cluster}
    try:
        law, note = makers[kind](fit, **options)
    except TypeError as error:
        if options and "argument" in str(error):
            known = {"sandwich": "correction", "HAC": "maxlags, kernel and use_correction"}
            known |= {"cluster": "groups and use_correction"}
            raise ValueError(
                f"with_cov: {kind!r} does not take {', '.join(options)}; its options are {known.get(kind, 'none')}."
            ) from None
        raise
    return of_sandwich(fit.generator, law, fit.n_simulated, kind, note)


def _size(fit) -> int:
    """How many parameters are estimated together: p + q + 1."""
    return len(fit.saddle.theta) + len(fit.saddle.alpha)


def _sandwich(fit, correction: str | None = None):
    if correction is None:
        return fit.law, ""
    if correction != "HC1":
        raise ValueError(f"correction: {shown(correction)} is not known; give 'HC1' or None.")
    return _hc1(fit)


def _hc1(fit):
    n, k = fit.law.sandwich.n, _size(fit)
    if n <= k:
        raise ValueError(f"HC1: {n:.0f} observations for {k} parameters of both players; its factor is n/(n - k).")
    return with_joint(fit.law, fit.law.sandwich.cov * n / (n - k)), f"n/(n - {k})"


def _model(fit):
    model = fit.model
    with jax.enable_x64(True):
        game = model.game()
        if not game.loss.is_calibrated:
            raise ValueError(f"model: the optimum of the loss {game.loss.name} is not the log density ratio.")
        of = balance(game, fit.saddle.theta, fit.saddle.alpha, model.scrambles(), "simulated")
        mean = jax.device_get(mean_features(game, fit.saddle.theta))[1]
    return under_model(fit.law, of, game.loss.c, mean), ""


def _rows(fit) -> np.ndarray:
    """Summands of the real sample's mean score, centred: (n, k), of weight included."""
    scores, shares = fit.estfun().to_numpy(), fit.model.shares()
    return shares[:, None] * (scores - shares @ scores)


def _hac(fit, maxlags: int | None = None, kernel: str = "bartlett", use_correction: bool = False):
    n = fit.nobs
    if maxlags is None:
        maxlags = int(4 * (n / 100) ** (2 / 9))
    elif isinstance(maxlags, bool) or not isinstance(maxlags, (int, np.integer)) or not 0 <= maxlags < n:
        raise ValueError(f"maxlags: got {shown(maxlags)}; give a whole number of lags from 0 to {n - 1}.")
    if not isinstance(kernel, str) or kernel not in KERNELS:
        raise ValueError(f"kernel: {shown(kernel)} is not known; give one of {', '.join(KERNELS)}.")
    meat = hac_meat(_rows(fit), fit.law.sandwich.n, int(maxlags), kernel)
    if use_correction:
        meat = meat * n / (n - _size(fit))
    law = with_meat(fit.law, meat)
    return law, f"{kernel.capitalize() if kernel == 'bartlett' else kernel}, {maxlags} lags"


def _cluster(fit, groups=None, use_correction: bool = True):
    if groups is None:
        raise ValueError("groups: give the cluster of each observation, as in with_cov('cluster', groups=...).")
    codes = checked_groups(groups, fit.nobs)
    counts = [int(each.max()) + 1 for each in codes]
    if min(counts) <= _FEW:
        warnings.warn(
            f"{min(counts)} clusters are too few for their covariance: errors are likely to be far too small.",
            UserWarning,
            stacklevel=4,
        )
    meat = cluster_meat(_rows(fit), fit.law.sandwich.n, codes, use_correction)
    law = with_meat(fit.law, meat)
    return law, " and ".join(str(count) for count in counts) + " clusters"
