"""Simulators that jump, or bend at once: their slopes, as JAX takes them, beside differences over wide steps.

Where ``jnp.where(u < p, 0, ...)`` sends a draw elsewhere as p moves, the simulated features' means change with p and
their derivative, which JAX takes draw by draw, does not know: the game's stationary points are then no minima, its
standard errors wrong, and there is no certificate. Where a draw has a kink, as of ``jnp.maximum``, the derivative of
the mean is the mean of the derivatives, but the second derivative is not: there the derivative of the generator's
score in theta is a difference of scores over a wide step.
"""

import dataclasses
import itertools
from collections.abc import Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from hellgan.execution import programs
from hellgan.objective.game import Array, Game, by_feature, simulate, weigh
from hellgan.objective.simulated import features_slope, simulated_means, simulated_rows
from hellgan.solver.certificate import JUMPS, LIMITS, Limits, SaddlePoint, certify
from hellgan.solver.starts import reach_at

# Steps of the differences, in interquartile ranges of the simulated law: wide, so that many draws jump or bend. Where
# a tail runs off, the widest are too wide for the slope of the features, so that a slope must be off at all of them.
_STEPS = (0.1, 0.05, 0.0125)
# A slope that is off by more than this part of its own size, and by more than curvature explains, is no slope.
_OFF = 0.1

# Where slopes of both halves of the draws differ from their mean by more than this part of it, they rest on a few draws
# and can be held against nothing: of the families' smooth draws it is below .05.
_UNSURE = 0.2


def checked(games: Game, saddles: Sequence[SaddlePoint], limits: Limits = LIMITS) -> list[SaddlePoint]:
    """Look at the simulator at the solutions (k,) of a stack of games.

    Where it jumps there is no certificate; where it has kinks the Jacobian, and what is certified by it, is mended.
    """
    finite = [k for k, saddle in enumerate(saddles) if np.all(np.isfinite(saddle.jacobian))]
    kept = list(saddles)
    if not finite or not games.generator.may_jump:
        return kept
    filled = finite + finite[:1] * (len(saddles) - len(finite))  # one size, one program
    u = np.stack([saddles[k].u for k in filled])
    stack = _slopes(programs.take(games, filled), u)
    at = [programs.take(stack, k) for k in range(len(finite))]
    names = games.generator.owners
    for k, slopes in zip(finite, at, strict=True):
        saddle, jumps = saddles[k], _are_off(slopes.features, slopes.features_by, slopes.error)
        jacobian = _mended(saddle.jacobian, slopes, games.loss.is_zero_sum)
        if reason := _trouble(names, jumps, slopes.unsure > _UNSURE):
            kept[k] = dataclasses.replace(saddle, is_saddle=False, kind="not certified", reason=reason)
        elif jacobian is not saddle.jacobian:
            found = saddle.theta, saddle.alpha, jacobian, saddle.value, saddle.score_norm
            steps = saddle.iterations, saddle.inner_iterations
            kept[k] = certify(games, *found, *steps, weights=games.x_weights[k], limits=limits)
    return kept


def _trouble(names: Sequence[str], jumps: np.ndarray, are_unsure: np.ndarray) -> str:
    """Why there is no certificate where the simulator jumps, or may, as some of p parameters move; else empty."""
    which, what = jumps, "moves: the means of the simulated features change by what their derivatives do not say"
    if not np.any(jumps):
        which = are_unsure
        what = "moves, or may: the derivatives of the simulated features' means rest on a few draws, too few to tell"
    told = ", ".join(dict.fromkeys(name for name, is_so in zip(names, which, strict=True) if is_so))
    return f"{JUMPS} as {told} {what}; write it so that every draw is continuous in the parameters" if told else ""


def jacobian_with_kinks(game: Game, u: np.ndarray, jacobian: np.ndarray) -> np.ndarray:
    """Give the derivative of the mean score at u (p + q + 1,), mended where the simulator has kinks."""
    if not game.generator.may_jump or not np.all(np.isfinite(jacobian)):
        return jacobian
    slopes = programs.take(_slopes(programs.stack([game]), u[None]), 0)
    return _mended(jacobian, slopes, game.loss.is_zero_sum)


def _mended(jacobian: np.ndarray, slopes: "_Slopes", is_symmetric: bool) -> np.ndarray:
    p = len(slopes.reach)
    units = slopes.reach[:, None] * slopes.reach
    of_score = jacobian[:p, :p] * units
    off = _are_off(of_score, slopes.scores_by, slopes.error)
    if not np.any(off):
        return jacobian
    by, block = slopes.scores_by[1], of_score.copy()
    if is_symmetric:
        block[:, off], block[off, :] = by[:, off], by[:, off].T
    else:
        block = by
    mended = jacobian.copy()
    mended[:p, :p] = (block + block.T) / 2 / units if is_symmetric else block / units
    return mended


def _are_off(slope: np.ndarray, by: np.ndarray, error: np.ndarray | float = 0.0) -> np.ndarray:
    """Whether slopes (r, p) disagree with differences (S, r, p) over all steps, in each of p directions.

    ``error`` (p,) is that of slopes of a mean, in their own size: where they rest on a few draws they say little of it.
    """
    off = np.ones(slope.shape[1], bool)
    for far, near in itertools.pairwise(by):
        curvature, gap, *sizes = (np.linalg.norm(each, axis=0) for each in (far - near, near - slope, near, slope))
        off &= gap > curvature + (_OFF + error) * np.maximum(*sizes)  # of a smooth one at most a third of curvature
    return off


class _Slopes(NamedTuple):
    """Slopes in the unconstrained parameters, by the unit in which each moves the law by its interquartile range."""

    reach: Array  # (p,) these units
    features: Array  # (q, p) of the features' means, in units of their spread in both samples, by differentiation
    error: Array  # (p,) norm of their standard errors, were the draws independent, in that of the slopes
    unsure: Array  # (p,) norm of half their difference between both halves of the draws, in that of the slopes
    features_by: Array  # (S, q, p) likewise, by differences over steps, the widest first
    scores_by: Array  # (S, p, p) of the generator's score, in the same units


@programs.program
def _slopes(games: Game, u) -> _Slopes:
    def one(game: Game, u):
        theta, alpha = u[: game.p], u[game.p :]
        # A parameter without a unit moves by no more than a factor of e^2, or as far on the scale of log odds.
        most = np.where(game.generator.unitless, 2.0, np.inf)
        reach = jnp.minimum(reach_at(game.generator, theta, game.z), most)
        unit = jnp.zeros(game.discriminator.size - 1, theta.dtype)
        for weights, rows in ((game.x_weights, game.x), (weigh(game, theta), simulate(game, theta))):
            phi = by_feature(game, rows)
            unit += (phi - (phi @ weights)[:, None]) ** 2 @ weights
        unit = jnp.where(unit > 0, jnp.sqrt(unit), 1.0)

        def means(theta):
            found = simulated_means(game, theta, alpha, game.z)
            return found.features[1:] / unit, found.score[: game.p] * reach

        def differences(step):
            moves = step * jnp.diag(reach)
            ahead, behind = (jax.lax.map(means, theta[None] + sign * moves) for sign in (1, -1))
            return [((a - b) / (2 * step)).T for a, b in zip(ahead, behind, strict=True)]

        slope, *halves = (
            features_slope(dataclasses.replace(game, latent_weights=weights), theta, alpha)[1:]
            * reach[None]
            / unit[:, None]
            for weights in (jnp.asarray(game.z_weights), *_halves(game))
        )
        by, scores_by = (jnp.stack(each) for each in zip(*(differences(step) for step in _STEPS), strict=True))
        rows = simulated_rows(game, theta, alpha, game.z)

        def error(tangents):
            moved = rows.moved_features(*tangents)
            return jnp.sqrt(jnp.sum((moved / unit[:, None]) ** 2 @ game.z_weights**2))

        errors = jax.lax.map(error, (rows.tangents, rows.weight_tangents)) * reach
        sizes = jnp.linalg.norm(slope, axis=0)
        apart = jnp.linalg.norm(halves[0] - halves[1], axis=0) / 2
        own, unsure = (jnp.where(sizes > 0, each / sizes, 0.0) for each in (errors, apart))
        return _Slopes(reach, slope, own, unsure, by, scores_by)

    return programs.each(one, games, u)


def _halves(game: Game) -> tuple[Array, Array]:
    """Weights of the first and of the second half of the draws, or of each observation's: (m,) each, with sum 1.

    Both halves of a Sobol sample are as evenly spread as itself. A single draw an observation is in both.
    """
    weights, each = jnp.asarray(game.z_weights), game.draws_each
    if each:
        is_first = jnp.arange(len(weights)) % each < each / 2
        parts = (is_first, ~is_first) if each > 1 else (is_first, is_first)
    else:
        is_first = jnp.cumsum(weights) <= 0.5 + 1e-9
        parts = is_first, ~is_first
    halves = [jnp.where(part, weights, 0.0) for part in parts]
    return halves[0] / jnp.sum(halves[0]), halves[1] / jnp.sum(halves[1])
