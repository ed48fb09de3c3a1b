"""Fits without some of their observations: a Newton step for each, refits, the jackknife, and the decisive few."""

import dataclasses
from collections.abc import Iterator
from typing import NamedTuple

import jax
import numpy as np
import pandas as pd
from scipy import special

from hellgan import inference, objective, refits

_REFITTED = ("sandwich", "HC1", "model")  # kinds of covariance that a refit can have, too
_BLOCK = 1024  # rows whose Jacobians are in memory at once


def one_step(fit) -> np.ndarray:
    """One Newton step from the fit for each observation left out: (n, p + q + 1), unconstrained scale.

    The equations without observation i have at the fit the mean w_i (mean score - psi_i)/(1 - w_i), and the Jacobian
    H + w_i/(1 - w_i) (mean of the h - h_i), h_i that of psi_i.
    """
    shares, scores = fit.model.shares(), fit.estfun().to_numpy()
    odds, mean = (shares / (1 - shares))[:, None], shares @ scores
    blocks = list(jacobians(fit))
    total = _weighted(blocks, shares)
    steps = np.empty_like(scores)
    for rows, each in blocks:
        without = fit.saddle.jacobian + odds[rows, :, None] * (total - each)
        steps[rows] = np.linalg.solve(without, (odds[rows] * (scores[rows] - mean))[:, :, None])[:, :, 0]
    return np.concatenate([fit.saddle.theta, fit.saddle.alpha]) + steps


def jacobians(fit) -> Iterator[tuple[slice, np.ndarray]]:
    """Yield blocks of observations with the derivatives of their scores, (k, p + q + 1, p + q + 1)."""
    game, tied = fit.model.game(), fit.model.tied
    for begin in range(0, fit.nobs, _BLOCK):
        rows = slice(begin, min(begin + _BLOCK, fit.nobs))
        # Blocks reach into the padding, so that they have few shapes.
        padded = slice(begin, min(begin + _BLOCK, len(game.x_weights)))
        block = dataclasses.replace(game, x=game.x[padded], x_weights=np.ones(padded.stop - begin))
        if tied:
            z = game.z[padded.start * tied : padded.stop * tied]
            block = dataclasses.replace(block, z=z, z_weights=np.full(len(z), 1 / tied))
        with jax.enable_x64(True):
            found = np.asarray(_observation_jacobians(block, fit.saddle.theta, fit.saddle.alpha))
        yield rows, found[: rows.stop - rows.start]


def _weighted(blocks, shares) -> np.ndarray:
    return np.sum([np.einsum("n,nij->ij", shares[rows], each) for rows, each in blocks], axis=0)


def refit_with_weights(fit, weights: np.ndarray, threads: int | None = None, progress: bool = False) -> refits.Refits:
    """Refit with other observation weights (R, n), which need not sum to 1, the discriminator as it is placed."""
    game = fit.model.game()
    weights = weights / weights.sum(axis=1, keepdims=True)

    def changes(chunk):
        rows = np.pad(weights[chunk], ((0, 0), (0, len(game.x_weights) - fit.nobs)))
        fields = {"x_weights": rows}
        if game.tied:
            fields["z_weights"] = np.repeat(rows, game.tied, axis=1) / game.tied
        return refits.Changes(fields)

    u = fit.saddle
    return refits.refit(game, changes, len(weights), u.theta, u.alpha, threads=threads, progress=progress)


@dataclasses.dataclass(frozen=True, eq=False)
class Jackknife:
    """What follows from fits without one observation each.

    Attributes
    ----------
    params : DataFrame (n, r)
    bias : Series
    cov : DataFrame
        Of the estimate; its simulation part is the sandwich's, since only observations are left out.
    """

    params: pd.DataFrame
    bias: pd.Series
    cov: pd.DataFrame

    @property
    def bse(self) -> pd.Series:
        """Standard errors."""
        return pd.Series(np.sqrt(np.diag(self.cov)), self.cov.index, name="std err")

    def cov_params(self) -> pd.DataFrame:
        """Give ``cov``."""
        return self.cov


def jackknife(fit, left: pd.DataFrame) -> Jackknife:
    """Put estimates without each observation (n, r) together."""
    if fit.model.weights is not None:
        raise ValueError("jackknife: the observations have weights; use with_cov('sandwich') or bootstrap.")
    n, law, natural, names = fit.nobs, fit.require_law(), fit.law.natural_slope, fit.params.index
    rows = left.to_numpy() - left.to_numpy().mean(axis=0)
    half = np.linalg.solve(fit.saddle.jacobian, law.meat_simulated)
    simulated = np.linalg.solve(fit.saddle.jacobian, half.T)[: natural.shape[1], : natural.shape[1]] / law.n
    cov = (n - 1) / n * rows.T @ rows + natural @ simulated @ natural.T
    bias = pd.Series((n - 1) * (left.to_numpy().mean(axis=0) - fit.params.to_numpy()), names, name="bias")
    return Jackknife(left, bias, pd.DataFrame(cov, names, names))


class Decisive(NamedTuple):
    """Observations whose removal would change a conclusion.

    ``positions`` are those left out, most decisive first; none where no half of the sample should suffice.
    ``predicted`` is the estimate without them to first order, ``refitted`` that of the refit with its interval
    ``lower`` to ``upper``, NaN where it failed; ``confirmed`` says whether the refit changes the conclusion.
    """

    positions: np.ndarray
    predicted: float
    refitted: float
    lower: float
    upper: float
    confirmed: bool


def decisive(fit, influence: np.ndarray, k: int, change: str, null: float, alpha: float) -> Decisive:
    """Find them for parameter k; ``influence`` (n, p + q + 1) is unconstrained, the rest as for the public method."""
    if fit.cov_type not in _REFITTED:
        raise ValueError(
            f"decisive: the refit's covariance cannot be of the kind {fit.cov_type}; take that of another, as in "
            "with_cov('sandwich').influence()."
        )
    shares = fit.model.shares()
    estimate, (lower, upper) = fit.params.iloc[k], fit.conf_int(alpha).iloc[k]
    half, side = -special.ndtri(alpha / 2), np.sign(estimate - null)
    holds = lower < null < upper
    p = fit.generator.size
    effects = -(shares / (1 - shares)) * (influence[:, :p] @ fit.law.natural_slope[k])
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
        return Decisive(np.empty(0, int), np.nan, np.nan, np.nan, np.nan, False)
    positions = order[: reached[0] + 1]
    weights = shares.copy()
    weights[positions] = 0.0
    again = fit.reweighted(weights)
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
    return Decisive(positions, float(predicted), refitted, float(lower), float(upper), bool(changed))


def effects_on_errors(fit, influence: np.ndarray) -> np.ndarray:
    """First-order change of each standard error when an observation is left out: (n, r).

    Through the weights, and through the solution that they move: the derivative of the sandwich in the solution is a
    central difference, two evaluations a coordinate. Covariances of other kinds are taken to move in proportion.
    """
    model, game, law = fit.model, fit.model.game(), fit.law.sandwich
    shares, h, p = model.shares(), fit.saddle.jacobian, fit.generator.size
    u = np.concatenate([fit.saddle.theta, fit.saddle.alpha])

    def variances(u):
        with jax.enable_x64(True):
            jacobian = np.asarray(_jacobian(game, u[:p], u[p:]))
            found = inference.parts_of(game, u[:p], u[p:], model.scrambles())
        games, parts = jax.tree.map(lambda leaf: np.asarray(leaf)[None], (game, found))
        cov = inference.infer(games, jacobian[None], parts)[0].cov[:p, :p]
        return np.einsum("ri,ij,rj->r", found.natural_slope, cov, found.natural_slope)

    step = 1e-4 * np.sqrt(np.diag(law.cov) + 1e-12)
    through_u = [(variances(u + e) - variances(u - e)) / (2 * e.max()) for e in np.diag(step)]
    # At the same solution: without observation i the others' weights grow by odds = w_i/(1 - w_i), so that dH = odds
    # (mean of the h - h_i), and of the real part dS = 2 odds S less its own square. Var = a S a' with a = g' H^-1, g
    # the slopes of the natural parameters, hence dVar = a dS a' - 2 a dH Cov g.
    scores, odds = fit.estfun().to_numpy(), shares / (1 - shares)
    slopes = fit.law.natural_slope @ np.eye(p, len(u))
    a = np.linalg.solve(h.T, slopes.T).T
    own = shares[:, None] ** 2 * ((scores - shares @ scores) @ a.T) ** 2 / (1 - np.sum(shares**2))
    real = np.einsum("ri,ij,rj->r", a, law.meat_real, a) / law.n
    through_w = np.empty((fit.nobs, len(slopes)))
    blocks = list(jacobians(fit))
    mean = _weighted(blocks, shares)
    for rows, each in blocks:
        moved = np.einsum("ri,nij,rj->nr", a, mean - each, slopes @ law.cov)
        through_w[rows] = 2 * odds[rows, None] * (real - moved) - own[rows]
    change = through_w - (shares[:, None] * influence) @ np.array(through_u)
    return change / (2 * np.einsum("ri,ij,rj->r", slopes, law.cov, slopes)) * fit.bse.to_numpy()


@jax.jit
def _observation_jacobians(game, theta, alpha):
    u, p = jax.numpy.concatenate([theta, alpha]), game.p
    return jax.jacfwd(lambda u: objective.observation_scores(game, u[:p], u[p:]))(u)


_jacobian = jax.jit(objective.jacobian)
