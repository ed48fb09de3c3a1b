"""Tests of smooth restrictions of a fit's parameters.

Wald, score and distance test of h = 0 for r smooth equations h of the natural parameters: section 2 of
``docs/theory.md``. ``fit`` is a ``GANResults`` everywhere.
"""

import dataclasses
import warnings
from collections.abc import Callable

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
from scipy import linalg, special
from statsmodels.tools.sm_exceptions import ConvergenceWarning

from hellgan import batching, inference
from hellgan.generators import Fixed
from hellgan.objective import Game
from hellgan.overidentification import weighted_chi2_sf
from hellgan.restrictions import read
from hellgan.solver.restricted import RestrictedSaddle, schur_complement, solve_restricted
from hellgan.validation import shown


@dataclasses.dataclass(frozen=True, eq=False)
class HypothesisTest:
    """Whether r smooth equations hold among the parameters.

    Attributes
    ----------
    statistic : float
    df : int
        r.
    pvalue : float
    weights : (r,) array
        The limit law is that of the sum of ``weights`` times independent chi-square variables of one degree of
        freedom; all 1 where it is chi-square with ``df`` degrees of freedom.
    kind : str
        ``wald``, ``score`` or ``distance``.
    params : Series or None
        Natural estimates under the restriction; None for a Wald test, which needs none, and where none are found.
    """

    statistic: float
    df: int
    pvalue: float
    weights: np.ndarray
    kind: str
    params: pd.Series | None

    def __str__(self):
        weights = "" if np.all(self.weights == 1) else f", weights {', '.join(f'{w:.3g}' for w in self.weights)}"
        return f"{self.kind} test: {self.statistic:.3f}, df {self.df}{weights}, p-value {self.pvalue:.4f}"


def wald(fit, function: Callable) -> HypothesisTest:
    """Test a function of the named natural parameters by the delta method, (7)."""
    require(fit, "wald test", fit.covariance.natural)
    with jax.enable_x64(True):
        read(function, fit)
        h, slope = jax.device_get(_of_natural(function, fit.generator, fit.params.to_numpy()))
    statistic = float(h @ np.linalg.solve(slope @ fit.covariance.natural @ slope.T, h))  # (7)
    return _test(statistic, np.ones(len(h)), "wald", None)


def _of_natural(function, generator, natural):
    def h(vector):
        return jnp.ravel(jnp.asarray(function(**generator.named(vector))))

    return jax.jit(lambda vector: (h(vector), jax.jacfwd(h)(vector)))(natural)


def score(fit, restriction) -> HypothesisTest:
    """Test a restriction by the generator's score where it holds, (8).

    The covariance is the sandwich at the restricted estimate. Where the fit's is of another kind it is that, and the
    profile's curvature that of the fit, too: the two must be of one point.
    """
    require(fit, "score test", fit.covariance.natural)
    with jax.enable_x64(True):
        found, game = read(restriction, fit), fit.model.game()
        at = solve_restricted(game, found, fit.saddle.theta, fit.saddle.alpha)
        cov, trouble, jacobian = fit.covariance.theta, at.reason, fit.saddle.jacobian
        if not trouble and fit.cov_type == "sandwich":
            jacobian = at.jacobian
            cov, trouble = _cov_at(game, at, fit.model.scrambles())
        params = _params(fit, at.theta)
    if trouble:
        return _unknown(len(at.multipliers), "score", trouble)
    moved = at.slope @ np.linalg.solve(schur_complement(jacobian, game.p), at.score)
    statistic = float(moved @ np.linalg.solve(at.slope @ cov @ at.slope.T, moved))  # (8)
    return _test(statistic, np.ones(len(moved)), "score", params)


def _cov_at(game: Game, at: RestrictedSaddle, scrambles) -> tuple[np.ndarray, str]:
    """Covariance (p, p) of theta by the sandwich at a restricted solution, or why there is none."""
    games, jacobians = batching.stack([game]), at.jacobian[None]
    (problem,) = inference.identification_problems(games, [at.jacobian])
    if problem:
        return np.full((game.p, game.p), np.nan), problem
    parts = batching.stack([inference.parts_of(game, at.theta, at.alpha, scrambles)])
    return inference.infer(games, jacobians, parts)[0].cov[: game.p, : game.p], ""


def distance(fit, restriction, robust: bool) -> HypothesisTest:
    """Test a restriction by how much the value of the game rises where it holds, (9)."""
    require(fit, "distance test", fit.covariance.natural)
    require_minimum(fit, robust)
    with jax.enable_x64(True):
        found, game = read(restriction, fit), fit.model.game()
        at = solve_restricted(game, found, fit.saddle.theta, fit.saddle.alpha)
        slope, params = found.at(fit.saddle.theta)[1], _params(fit, at.theta)
    if at.reason:
        return _unknown(len(slope), "distance", at.reason)
    return _distance(fit, game, slope, at.penalised, robust, params)


def compare_distance(fit, restricted, robust: bool) -> HypothesisTest:
    """Test the parameters that another fit holds with ``fix`` by how much higher its value is, (9)."""
    require(fit, "compare_distance_test", fit.covariance.natural)
    require_minimum(fit, robust)
    held = _held(fit, restricted)
    with jax.enable_x64(True):
        game = fit.model.game()
    rows = [name in held for name, space in fit.generator.parameters.items() for _ in range(space.size)]
    slope = np.eye(game.p)[np.array(rows)]
    params = pd.Series({**dict.fromkeys(fit.params.index), **_elements(fit.generator, held), **restricted.params})
    return _distance(fit, game, slope, penalised_value(restricted), robust, params.astype(float).rename("coef"))


def _distance(fit, game, slope, penalised: float, robust: bool, params) -> HypothesisTest:
    # The two values are of sums over rows: what rounding leaves of their difference is no sign of another minimum.
    rise = penalised - penalised_value(fit)
    if rise < -1e-10 * (1 + abs(penalised)):
        raise ValueError(
            f"distance test: the objective is {-rise:.2g} lower under the restriction than at the fit, which therefore "
            "is not its least minimum; fit again with start= at the restricted estimate."
        )
    factor = fit.model.loss.chi2_factor * sample_size(fit, game)
    weights = limit_weights(fit, slope, factor) if robust else np.ones(len(slope))
    return _test(factor * max(rise, 0.0), weights, "distance", params)


def limit_weights(fit, slope, factor: float) -> np.ndarray:
    """Weights of the chi-square variables in the limit law of (9): (10)."""
    schur = schur_complement(fit.saddle.jacobian, fit.generator.size)
    form = slope @ np.linalg.solve((schur + schur.T) / 2, slope.T)
    cov = slope @ fit.covariance.theta @ slope.T
    return factor / 2 * linalg.eigh((cov + cov.T) / 2, (form + form.T) / 2, eigvals_only=True)[::-1]  # (10)


def sample_size(fit, game: Game) -> float:
    """The factor s of (9): n for Sobol or tied latents, nm/(n + m) for independent ones, by effective sizes."""
    n, m = (1 / float(np.sum(np.square(weights))) for weights in (game.x_weights, game.z_weights))
    return n if game.tied or fit.model.latent == "sobol" else n * m / (n + m)


def penalised_value(fit) -> float:
    """V_n at a fit, less the ridge: what theta minimises."""
    return fit.saddle.value - float(np.asarray(fit.model.basis.ridge) @ fit.saddle.alpha**2)


def _params(fit, theta) -> pd.Series:
    natural = jax.device_get(inference.natural_scale(fit.generator, theta))[0]
    return pd.Series(np.array(natural), index=fit.generator.names, name="coef")


def _test(statistic: float, weights: np.ndarray, kind: str, params) -> HypothesisTest:
    r = len(weights)
    if np.all(weights == weights[0]):  # the closed form has far tails
        pvalue = float(special.gammaincc(r / 2, statistic / (2 * weights[0])))
    else:
        pvalue = weighted_chi2_sf(weights, statistic)
    return HypothesisTest(statistic, r, pvalue, weights, kind, params)


def _unknown(r: int, kind: str, reason: str) -> HypothesisTest:
    warnings.warn(f"{kind} test: {reason}.", ConvergenceWarning, stacklevel=4)
    return HypothesisTest(np.nan, r, np.nan, np.full(r, np.nan), kind, None)


def require(fit, what: str, cov: np.ndarray) -> None:
    """Refuse a fit without a joint law, or whose covariance is not all known."""
    if not fit.model.basis.is_linear:
        inference.require_basis(fit.model.game())
    if not fit.converged or np.any(np.isnan(cov)):
        reason = fit.trouble or fit.saddle.reason or "the simulated sample says nothing of some parameters"
        raise ValueError(f"{what}: the fit has no covariance, since {reason}.")


def require_minimum(fit, robust: bool) -> None:
    """Refuse a loss whose estimate does not minimise the value of the game, or whose law is not known."""
    loss = fit.model.loss
    if not isinstance(robust, (bool, np.bool_)):
        raise TypeError(f"robust: got {shown(robust)}; give True or False.")
    if not loss.is_zero_sum:
        raise ValueError(
            f"distance test: the estimate with the non-zero-sum loss {loss.name} does not minimise the value of the "
            "game; use wald_test or score_test."
        )
    if not robust and not loss.is_calibrated:
        raise ValueError(
            f"distance test: the optimum of the loss {loss.name} is not the log density ratio, so that the plain form "
            "has no known law; use robust=True."
        )


def _held(fit, restricted) -> dict[str, np.ndarray]:
    """Give the values that a restricted fit holds and a fit does not; refuse what is not nested in it."""
    if type(restricted) is not type(fit):
        raise TypeError(f"restricted: got {type(restricted).__name__}; give the fit of a generator with .fix(...).")
    if not restricted.converged:
        raise ValueError(f"restricted: the fit did not converge, since {restricted.trouble}.")
    mine, its = fit.model, restricted.model
    same = {
        "data": np.array_equal(mine.x, its.x),
        "weights": np.array_equal(mine.shares(), its.shares()),
        "loss": mine.loss == its.loss,
        "discriminator": bool(eqx.tree_equal(mine.basis, its.basis)),
        "latents": (mine.latent, mine.n_simulated, mine.tied) == (its.latent, its.n_simulated, its.tied),
        "seed": mine.seed == its.seed,
    }
    different = [what for what, equal in same.items() if not equal]
    if different:
        raise ValueError(f"restricted: it has other {different[0]} than the fit; fit both alike, but for .fix(...).")
    families = [of.generator if isinstance(of, Fixed) else of for of in (mine.generator, its.generator)]
    before, after = (dict(of.values) if isinstance(of, Fixed) else {} for of in (mine.generator, its.generator))
    kept = all(name in after and np.array_equal(after[name], value) for name, value in before.items())
    if not (eqx.tree_equal(*families) and kept and len(after) > len(before)):
        raise ValueError(
            "restricted: its generator is not that of the fit with more parameters held; give the fit of "
            "generator.fix(...)."
        )
    return {name: value for name, value in after.items() if name not in before}


def _elements(generator, held: dict) -> dict[str, float]:
    return {
        element: float(number)
        for name, value in held.items()
        for element, number in zip(generator.parameters[name].element_names(name), np.ravel(value), strict=True)
    }
