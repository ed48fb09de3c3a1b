"""Kinds of covariance of one fit: what the scores of the real sample are taken to be, and what the model.

Bread and simulation part of (2), ``docs/theory.md``, are those of the fit; the covariance of the real sample's mean
score is statsmodels' for serially dependent and for clustered observations.
"""

import dataclasses
import inspect
import warnings
from collections.abc import Mapping, Sequence

import numpy as np

from hellgan.cautions import FewClustersWarning
from hellgan.checks import checked_groups, is_one_of, shown
from hellgan.estimation import Covariance, Equations, Fit, JointLaw, Sandwich
from hellgan.inference.leverage import steps_without
from hellgan.inference.sandwich import natural_covs
from hellgan.samples.sample import Sample

KINDS = ("sandwich", "HC1", "HC3", "model", "HAC", "cluster", "bootstrap")
KERNELS = ("bartlett", "uniform")
_FEW = 10  # clusters, with which errors are far too small more often than not
_OPTIONS = {
    "sandwich": "correction",
    "HAC": "maxlags, kernel and use_correction",
    "cluster": "groups and use_correction",
}


def check_kind(cov_type, cov_kwds=None) -> None:
    """Refuse what is no kind of covariance, and options that have no names."""
    if not isinstance(cov_type, str) or cov_type not in KINDS:
        raise ValueError(f"cov_type: {shown(cov_type)} is not known; give one of {', '.join(KINDS)}.")
    named = cov_kwds is None or (isinstance(cov_kwds, Mapping) and all(isinstance(key, str) for key in cov_kwds))
    if not named:
        raise TypeError(f"cov_kwds: got {shown(cov_kwds)}; give a mapping, such as {{'groups': ...}}.")


def of_law(equations: Equations, law: JointLaw, kind: str = "sandwich", note: str = "") -> Covariance:
    """Take the covariance from a law's sandwich; NaN where the law has none."""
    p = equations.p
    theta = np.full((p, p), np.nan) if law.sandwich is None else law.sandwich.cov[:p, :p]
    return Covariance(kind, note, natural_covs(equations.space, [law])[0], theta, law.sandwich)


def with_joint(law: JointLaw, joint: np.ndarray) -> JointLaw:
    """Give the law with another covariance (k, k) of u, already divided by n."""
    assert law.sandwich is not None
    return law._replace(sandwich=dataclasses.replace(law.sandwich, cov=joint))


def with_meat(law: JointLaw, meat_real: np.ndarray) -> JointLaw:
    """Give the law with another covariance (k, k) of root n times the real sample's mean score, (2)."""
    s = law.sandwich
    assert s is not None
    half = np.linalg.solve(s.bread, meat_real + s.meat_simulated)
    cov = np.linalg.solve(s.bread, half.T) / s.n
    return law._replace(sandwich=Sandwich(s.bread, meat_real, s.meat_simulated, s.n, (cov + cov.T) / 2))


def hac_meat(rows: np.ndarray, n: float, maxlags: int, kernel: str) -> np.ndarray:
    """Estimate the covariance of root n times a sum of serially dependent rows (n, k): statsmodels' HAC estimator."""
    from statsmodels.stats import sandwich_covariance as sm

    weights = {"bartlett": sm.weights_bartlett, "uniform": sm.weights_uniform}[kernel]
    return n * sm.S_hac_simple(rows, nlags=maxlags, weights_func=weights)


def cluster_meat(rows: np.ndarray, n: float, groups: Sequence[np.ndarray], corrected: bool) -> np.ndarray:
    """Estimate the covariance of root n times a sum of rows (n, k) that depend within groups (one or two ways).

    ``groups`` holds codes 0, 1, ... (n,) of each way. For two ways it is Cameron, Gelbach and Miller's: the sum of the
    two one-way covariances less that of the intersection. The correction is G/(G - 1) (n - 1)/(n - k) for each of them,
    as in statsmodels.
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


def of_fit(fit: Fit, kind: str, options: dict) -> Covariance:
    """Give a fit's covariance of another kind, with the options of ``with_cov``; all kinds but ``bootstrap``."""
    fit.require_law()
    correction = options.get("correction") if kind == "sandwich" else None
    if correction is not None:
        if not is_one_of(correction, ("HC1", "HC3")):
            raise ValueError(f"correction: {shown(correction)} is not known; give 'HC1', 'HC3' or None.")
        kind, options = correction, {name: value for name, value in options.items() if name != "correction"}
    maker = {"sandwich": _sandwich, "HC1": _hc1, "HC3": _hc3, "model": _model, "HAC": _hac, "cluster": _cluster}[kind]
    if not options.keys() <= inspect.signature(maker).parameters.keys() - {"fit"}:
        raise ValueError(
            f"with_cov: {kind!r} does not take {', '.join(options)}; its options are {_OPTIONS.get(kind, 'none')}."
        )
    law, note = maker(fit, **options)
    return of_law(fit.equations, law, kind, note)


def _joint(fit: Fit) -> Sandwich:
    """The sandwich of independent observations, whatever the fit's own kind is."""
    assert fit.law.sandwich is not None
    return fit.law.sandwich


def _sandwich(fit: Fit, correction: None = None):
    return fit.law, ""


def _hc1(fit: Fit):
    n, k = _joint(fit).n, len(fit.solution.u)
    if n <= k:
        raise ValueError(f"HC1: {n:.0f} observations for {k} parameters of both players; its factor is n/(n - k).")
    return with_joint(fit.law, _joint(fit).cov * n / (n - k)), f"n/(n - {k})"


def _hc3(fit: Fit):
    steps, law = steps_without(fit), _joint(fit)
    scores = steps @ law.bread.T  # each over 1 less its leverage
    return with_meat(fit.law, law.n * scores.T @ scores), "each observation without itself"


def _model(fit: Fit):
    return with_joint(fit.law, fit.equations.model_covariance(fit.solution.u)), ""


def _rows(fit: Fit) -> np.ndarray:
    """Summands (n, k) of the real sample's mean score: weights times centred scores."""
    scores, weights = fit.equations.scores(fit.solution.u), fit.equations.sample.weights
    return weights[:, None] * (scores - weights @ scores)


def _hac(fit: Fit, maxlags: int | None = None, kernel: str = "bartlett", use_correction: bool = False):
    n = fit.nobs
    if maxlags is None:
        maxlags = int(4 * (n / 100) ** (2 / 9))
    elif isinstance(maxlags, bool) or not isinstance(maxlags, (int, np.integer)) or not 0 <= maxlags < n:
        raise ValueError(f"maxlags: got {shown(maxlags)}; give a whole number of lags from 0 to {n - 1}.")
    if not isinstance(kernel, str) or kernel not in KERNELS:
        raise ValueError(f"kernel: {shown(kernel)} is not known; give one of {', '.join(KERNELS)}.")
    meat = hac_meat(_rows(fit), _joint(fit).n, int(maxlags), kernel)
    if use_correction:
        meat = meat * n / (n - len(fit.solution.u))
    return with_meat(fit.law, meat), f"{kernel.capitalize() if kernel == 'bartlett' else kernel}, {maxlags} lags"


def _of_rows(sample: Sample, groups):
    """Groups of a sample's rows, from one or two names of columns of the data, or from values beside the data."""
    import pandas as pd

    names = [groups] if isinstance(groups, str) else groups
    if isinstance(names, (list, tuple)) and len(names) in (1, 2) and all(isinstance(name, str) for name in names):
        return pd.concat([pd.Series(sample.beside(name, "groups")) for name in names], axis=1)
    return sample.beside(groups, "groups")


def _cluster(fit: Fit, groups=None, use_correction: bool = True):
    if groups is None:
        raise ValueError("groups: give the cluster of each observation, as in with_cov('cluster', groups=...).")
    codes = checked_groups(_of_rows(fit.equations.sample, groups), fit.nobs)
    counts = [int(each.max()) + 1 for each in codes]
    if min(counts) <= _FEW:
        warnings.warn(
            f"{min(counts)} clusters are too few for their covariance: errors are likely to be far too small.",
            FewClustersWarning,
            stacklevel=4,
        )
    meat = cluster_meat(_rows(fit), _joint(fit).n, codes, use_correction)
    return with_meat(fit.law, meat), " and ".join(str(count) for count in counts) + " clusters"
