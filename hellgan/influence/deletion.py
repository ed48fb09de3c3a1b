"""Fits without some of their observations: a Newton step for each, refits, the jackknife, and the decisive few.

Equation numbers are those of ``docs/theory.md``, section 3.
"""

import dataclasses
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy import special

from hellgan.estimation import CaseFit, Refits, Resamples
from hellgan.inference.leverage import steps_without, weighted_sum
from hellgan.inference.sandwich import sandwich_at
from hellgan.parameters import natural_scale

_REFITTED = ("sandwich", "HC1", "HC3", "model")  # kinds of covariance that a refit can have, too


def one_step(fit: CaseFit) -> np.ndarray:
    """Solutions without each observation, (13), by one Newton step from the fit: (n, k), unconstrained scale."""
    return fit.solution.u + steps_without(fit)


def refit_with_weights(fit: CaseFit, weights: np.ndarray, threads: int | None = None, progress: bool = False) -> Refits:
    """Refit with other observation weights (R, n), which need not sum to 1, the estimator placed as it is."""
    weights = weights / weights.sum(axis=1, keepdims=True)
    return fit.equations.refit(
        lambda chunk: Resamples(weights[chunk]), len(weights), fit.solution.u, threads=threads, progress=progress
    )


@dataclasses.dataclass(frozen=True, eq=False)
class Jackknife:
    """What follows from fits without one observation each.

    Attributes
    ----------
    params : DataFrame (n, r)
        Estimates without each observation, natural scale.
    bias : Series (r,)
    cov : DataFrame (r, r)
        Of the estimate, natural scale; the simulation's part is the sandwich's, since only observations are left out.
    """

    params: pd.DataFrame
    bias: pd.Series
    cov: pd.DataFrame

    @property
    def bse(self) -> pd.Series:
        """Standard errors of the estimate, natural scale."""
        return pd.Series(np.sqrt(np.diag(self.cov)), self.cov.index, name="std err")

    def cov_params(self) -> pd.DataFrame:
        """Give the covariance ``cov``, as other results do."""
        return self.cov


def jackknife(fit: CaseFit, left: pd.DataFrame) -> Jackknife:
    """Compute the jackknife of a fit from estimates without each observation, ``left`` (n, r), natural scale."""
    if fit.equations.sample.given_weights is not None:
        raise ValueError("jackknife: the observations have weights; use with_cov('sandwich') or bootstrap.")
    n, law, natural, names = fit.nobs, fit.require_law(), fit.law.natural_slope, fit.params.index
    rows = left.to_numpy() - left.to_numpy().mean(axis=0)
    half = np.linalg.solve(fit.solution.jacobian, law.meat_simulated)
    simulated = np.linalg.solve(fit.solution.jacobian, half.T)[: natural.shape[1], : natural.shape[1]] / law.n
    cov = (n - 1) / n * rows.T @ rows + natural @ simulated @ natural.T
    bias = pd.Series((n - 1) * (left.to_numpy().mean(axis=0) - fit.params.to_numpy()), names, name="bias")
    return Jackknife(left, bias, pd.DataFrame(cov, names, names))


class Decisive(NamedTuple):
    """Observations whose removal would change a conclusion.

    ``positions`` are those left out, most decisive first; none where half of the sample is not expected to suffice.
    ``predicted`` is the estimate without them to first order, ``refitted`` that of the refit with its interval
    ``lower`` to ``upper``, NaN where the refit failed; ``confirmed`` says whether the refit changes the conclusion.
    Estimates are on the natural scale. ``labels`` are those of the observations left out, in the data's index.
    """

    positions: np.ndarray
    predicted: float
    refitted: float
    lower: float
    upper: float
    confirmed: bool
    labels: np.ndarray


def decisive(fit: CaseFit, influence: np.ndarray, k: int, change: str, null: float, alpha: float) -> Decisive:
    """Find the observations that decide a conclusion about parameter number k.

    ``influence`` holds the influence functions of u at the observations, unconstrained scale; the rest is as for
    ``Influence.decisive``.
    """
    if fit.cov_type not in _REFITTED:
        raise ValueError(
            f"decisive: the refit's covariance cannot be of the kind {fit.cov_type}; take that of another, as in "
            "with_cov('sandwich').influence()."
        )
    weights = fit.equations.sample.weights
    estimate, (lower, upper) = fit.params.iloc[k], fit.conf_int(alpha).iloc[k]
    half, side = -special.ndtri(alpha / 2), np.sign(estimate - null)
    holds = lower < null < upper
    p = fit.equations.p
    effects = -(weights / (1 - weights)) * (influence[:, :p] @ fit.law.natural_slope[k])
    # A quantity that must become negative, and what leaving each observation out adds to it; to first order the ends of
    # an interval move with the estimate and its error whatever scale it is computed on.
    near, far = (lower, upper) if side > 0 else (upper, lower)
    decided, margin = {"sign": (estimate, 0.0), "significance": (near, -half), "both": (far, half)}[change]
    start, moves = side * (decided - null), side * effects
    if margin:
        moves = moves + margin * effects_on_errors(fit, influence)[:, k]
    if change == "significance" and holds:
        start, moves = -start, -moves
    order = np.argsort(moves, kind="stable")
    reached = np.flatnonzero(start + np.cumsum(moves[order]) < 0)
    if not len(reached) or reached[0] + 1 > fit.nobs // 2:
        return Decisive(np.empty(0, int), np.nan, np.nan, np.nan, np.nan, False, np.empty(0, int))
    positions = order[: reached[0] + 1]
    kept = weights.copy()
    kept[positions] = 0.0
    again = fit.reweighted(kept)
    again = again.with_cov(fit.cov_type) if again.converged else again
    refitted, (lower, upper) = again.params.iloc[k], again.conf_int(alpha).iloc[k]
    changed = (
        again.converged
        and {
            "sign": side * (refitted - null) < 0,
            "significance": (lower < null < upper) != holds,
            "both": upper < null if side > 0 else lower > null,
        }[change]
    )
    predicted = fit.params.iloc[k] + np.sum(effects[positions])
    refitted = float(refitted) if again.converged else np.nan
    labels = fit.equations.sample.labels[positions].to_numpy()
    return Decisive(positions, float(predicted), refitted, float(lower), float(upper), bool(changed), labels)


def effects_on_errors(fit: CaseFit, influence: np.ndarray) -> np.ndarray:
    """First-order change of each standard error, natural scale, when an observation is left out: (n, r), by (14).

    Standard errors change through the weights, and through the solution that the weights move: the derivative of the
    sandwich in the solution is a central difference, two evaluations a coordinate. Covariances of other kinds are
    taken to move in proportion.
    """
    of, u, h, law = fit.equations, fit.solution.u, fit.solution.jacobian, fit.law.sandwich
    assert law is not None
    weights, p = of.sample.weights, of.p

    def variances(u):
        cov, slope = sandwich_at(of, u).cov[:p, :p], natural_scale(of.space, u[:p])[1]
        return np.einsum("ri,ij,rj->r", slope, cov, slope)

    step = 1e-4 * np.sqrt(np.diag(law.cov) + 1e-12)
    through_u = [(variances(u + e) - variances(u - e)) / (2 * e.max()) for e in np.diag(step)]
    # At the same solution: without observation i the others' weights grow by odds = w_i/(1 - w_i), so that dH = odds
    # (mean of the h - h_i), and of the real part dS = 2 odds S less its own square. Var = a S a' with a = g' H^-1, g
    # the slopes of the natural parameters, hence dVar = a dS a' - 2 a dH Cov g.
    scores, odds = of.scores(u), weights / (1 - weights)
    slopes = fit.law.natural_slope @ np.eye(p, len(u))
    a = np.linalg.solve(h.T, slopes.T).T
    own = weights[:, None] ** 2 * ((scores - weights @ scores) @ a.T) ** 2 / (1 - np.sum(weights**2))
    real = np.einsum("ri,ij,rj->r", a, law.meat_real, a) / law.n
    through_w = np.empty((fit.nobs, len(slopes)))
    blocks = list(of.score_jacobians(u))
    mean = weighted_sum(blocks, weights)
    for rows, each in blocks:
        moved = np.einsum("ri,nij,rj->nr", a, mean - each, slopes @ law.cov)
        through_w[rows] = 2 * odds[rows, None] * (real - moved) - own[rows]
    change = through_w - (weights[:, None] * influence) @ np.array(through_u)
    return change / (2 * np.einsum("ri,ij,rj->r", slopes, law.cov, slopes)) * fit.bse.to_numpy()
