"""A parametric GAN in two steps, for stacks of games: a robust first fit, then one reweighting by what it says.

The first fit has the loss ``FIRST``, whose generator hardly follows observations that the discriminator is sure are not
its own. Each observation is then weighted by how far the first discriminator believes it, and the game of the user's
loss is solved with these weights. With u = (theta, alpha, first), the stacked scores are

    (w(v_first(x)) [psi_real(x) + E psi_simulated + penalty], psi_first(x))

so that what is inferred from them includes the first fit. See section 4 of ``docs/theory.md``.
"""

import dataclasses
from collections.abc import Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from hellgan.estimation import ScoreCovariance
from hellgan.execution import programs
from hellgan.losses.catalogue import sharp_ns as FIRST
from hellgan.objective.belief import belief
from hellgan.objective.evaluation import FIRST as FEW_SCRAMBLES
from hellgan.objective.evaluation import covariances_of_means, simulation_matters
from hellgan.objective.game import Array, Game, features
from hellgan.objective.scores import influences, mean_score, observation_scores, placed, scores
from hellgan.objective.simulated import simulated_means
from hellgan.solver.certificate import LIMITS, Limits, SaddlePoint
from hellgan.solver.saddle import solve_saddle, solve_saddles
from hellgan.solver.smoothing import settled_at


@dataclasses.dataclass(frozen=True, eq=False)
class ReweightedSaddle(SaddlePoint):
    """A solution of the reweighted game, which the fields of ``SaddlePoint`` describe, and the first fit behind it.

    Attributes
    ----------
    jacobian : array
        Derivative of the stacked mean score, the first fit's parameters last.
    first : (p + q + 1,) array
        Parameters of the first fit, generator before discriminator.
    """

    first: np.ndarray

    @property
    def u(self) -> np.ndarray:
        return np.concatenate([self.theta, self.alpha, self.first])

    @property
    def is_root(self) -> bool:
        """Whether both steps are certified: the Jacobian is that of both."""
        return self.is_saddle and super().is_root


def first_of(games: Game) -> Game:
    """Give the games of the first fits."""
    return dataclasses.replace(games, loss=FIRST)


def second_of(games: Game, alpha: np.ndarray) -> Game:
    """Give the games (k, ...) of the second step, by the first fits' alpha (k, q + 1)."""
    weights = games.x_weights * beliefs_of(first_of(games), alpha)
    return dataclasses.replace(games, x_weights=weights / np.sum(weights, axis=1, keepdims=True))


def solve_reweighted(
    game: Game, starts: np.ndarray, more: int = 8, reserve=None, limits: Limits = LIMITS
) -> ReweightedSaddle:
    """Solve both steps for one game, whose weights are those of the first; arguments as `solve_saddle` takes them."""
    first = solve_saddle(first_of(game), starts, more, reserve, limits)
    games = settled_at(programs.stack([game]), [first])
    second = solve_saddle(programs.take(second_of(games, first.alpha[None]), 0), first.theta, more, None, limits)
    return _joined(games, [first], [second])[0]


def solve_all(
    games: Game, starts: np.ndarray, warm: np.ndarray | None = None, wanted: int | None = None
) -> list[ReweightedSaddle]:
    """Solve both steps for each of a stack of games (k, ...), from one start each (k, p); as `solve_saddles`.

    ``warm`` (k, ...) are solutions u nearby, where there are some.
    """
    p, size = games.p, games.size
    if warm is None:
        first = solve_saddles(first_of(games), starts, wanted=wanted)
    else:
        first = solve_saddles(first_of(games), warm[:, size : size + p], warm[:, size + p :], wanted=wanted)
    games = settled_at(games, first)
    seconds = second_of(games, np.stack([each.alpha for each in first]))
    if warm is None:
        second = solve_saddles(seconds, np.stack([each.theta for each in first]), wanted=wanted)
    else:
        second = solve_saddles(seconds, warm[:, :p], warm[:, p:size], wanted=wanted)
    return _joined(games, first, second)


def _joined(games: Game, first: Sequence[SaddlePoint], second: Sequence[SaddlePoint]) -> list[ReweightedSaddle]:
    """Join the solutions of both steps; one is certified where both are."""
    joined = []
    after, before = (np.stack([each.u for each in step]) for step in (second, first))
    couplings = coupled(games, after, before, [b.jacobian for b in second], [a.jacobian for a in first])
    for a, b, derivative in zip(first, second, couplings, strict=True):
        fields = {field.name: getattr(b, field.name) for field in dataclasses.fields(SaddlePoint)}
        fields |= {"jacobian": derivative, "iterations": a.iterations + b.iterations, "starts": max(a.starts, b.starts)}
        fields |= {"inner_iterations": a.inner_iterations + b.inner_iterations}
        fields |= {"score_norm": max(a.score_norm, b.score_norm)}
        if not a.is_saddle:
            reason = f"the first of the two fits: {a.reason} (the estimates shown are of the second)"
            fields |= {"is_saddle": False, "kind": "not certified", "reason": reason}
        joined.append(ReweightedSaddle(**fields, first=a.u))
    return joined


def coupled(
    games: Game,
    after: np.ndarray,
    before: np.ndarray,
    seconds: Sequence[np.ndarray],
    firsts: Sequence[np.ndarray],
) -> list[np.ndarray]:
    """Join the Jacobians of both steps, at parameters (k, p + q + 1) of each, to those of the stacked scores."""
    shares, joints = _coupling(second_of(games, before[:, games.p :]), first_of(games), after, before)
    return [
        np.block([[share * second, joint], [np.zeros_like(joint), first]])
        for second, first, share, joint in zip(seconds, firsts, shares, joints, strict=True)
    ]


def reweighted_covariances(
    games: Game, saddles: Sequence[SaddlePoint], chosen: Sequence[int], scrambles: np.ndarray | None
) -> list[ScoreCovariance]:
    """Covariances of the mean scores at some of the solutions of a stack of games; as `score_covariances`."""
    found = []
    for group, filled in programs.groups(chosen, len(saddles), games.cells):
        part = programs.take(games, filled)
        u = np.stack([saddles[k].u for k in filled])
        after, before = u[:, : games.size], u[:, games.size :]
        seconds = second_of(part, before[:, games.p :])
        found += covariances_of(seconds, first_of(part), after, before, scrambles, len(group))
    return found


def covariances_of(
    seconds: Game, firsts: Game, after, before, scrambles, wanted: int | None = None
) -> list[ScoreCovariance]:
    """Covariances of the stacked mean scores of games (k, ...), at parameters (k, p + q + 1) of either step.

    Those of the first ``wanted``; the others only fill the stack.
    """
    wanted = len(after) if wanted is None else wanted

    def over(begin):
        samples = None if scrambles is None else scrambles[begin : begin + FEW_SCRAMBLES]
        return programs.take(_covariance_parts(seconds, firsts, after, before, samples, wanted), slice(0, wanted))

    found = over(0)
    real, simulated, means = found.real, found.simulated, found.shifted
    if scrambles is not None:
        noise, scale = np.var(means, axis=1, ddof=1), np.diagonal(real, axis1=1, axis2=2)
        if np.any(simulation_matters(noise, scale)):
            others = [over(begin).shifted for begin in range(FEW_SCRAMBLES, len(scrambles), FEW_SCRAMBLES)]
            means = np.concatenate([means, *others], axis=1)
        centred = means - np.mean(means, axis=1, keepdims=True)
        simulated = np.swapaxes(centred, 1, 2) @ centred / (means.shape[1] - 1)
    sizes = 1 / np.sum(np.square(firsts.x_weights[:wanted]), axis=1)
    return [ScoreCovariance(n * a, n * b, float(n)) for n, a, b in zip(sizes, real, simulated, strict=True)]


class _Parts(NamedTuple):
    real: Array  # (k, k) covariance of the real sample's stacked mean score
    simulated: Array  # of the simulated sample's, where its draws are independent; else 0
    shifted: Array | None  # (S, k) the simulated sample's mean score over other Sobol samples


@programs.program
def _covariance_parts(seconds, firsts, after, before, scrambles, count) -> _Parts:
    def of_one(second, first, after, before):
        return _parts(second, first, after, before, scrambles)

    return programs.each(of_one, seconds, firsts, after, before, count=count)


def _parts(second: Game, first: Game, after, before, scrambles) -> _Parts:
    p = second.p
    share = first.x_weights @ belief(features(first, first.x) @ before[p:])
    rows = _rows(second, first, after, before)
    if first.basis.placement.shape[-1]:
        rows = rows + influences(first, first.x) @ _placement_slope(second, first, after, before).T
    (real,) = covariances_of_means(lambda rows: (rows.T,), first.x_weights, rows)
    simulated, shifted = jnp.zeros_like(real), None
    if not second.draws_each and scrambles is None:
        draws = [scores(game, u[:p], u[p:]).simulated for game, u in ((second, after), (first, before))]
        stacked = jnp.concatenate([share * draws[0], draws[1]], axis=1)
        (simulated,) = covariances_of_means(lambda rows: (rows.T,), second.z_weights, stacked)
    if scrambles is not None:

        def means(z):
            a, b = (simulated_means(g, u[:p], u[p:], z).score for g, u in ((second, after), (first, before)))
            return jnp.concatenate([share * a, b])

        shifted = jax.lax.map(means, scrambles)
    return _Parts(real, simulated, shifted)


def _rows(second: Game, first: Game, after, before):
    """Stacked scores of the observations, (n, k)."""
    p = second.p
    own = observation_scores(second, after[:p], after[p:])
    constant = mean_score(second, after[:p], after[p:]) - second.x_weights @ own
    weights = belief(features(first, first.x) @ before[p:])
    earlier = observation_scores(first, before[:p], before[p:])
    return jnp.concatenate([weights[:, None] * (own + constant[None]), earlier], axis=1)


def _placement_slope(second: Game, first: Game, after, before):
    """Derivative (k, r) of the mean stacked score in the placement of the discriminator, which both steps share."""

    def mean(at):
        one, other = placed(first, at), placed(second, at)
        steps = _rows(other, one, after, before)[:, : len(after)]
        return jnp.concatenate([first.x_weights @ steps, mean_score(one, before[: one.p], before[one.p :])])

    return jax.jacfwd(mean)(jnp.asarray(first.basis.placement))


@programs.program
def _stacked_slopes(seconds, firsts, after, before):
    return programs.each(_placement_slope, seconds, firsts, after, before)


def stacked_placement_slope(game: Game, after: np.ndarray, before: np.ndarray) -> np.ndarray:
    """Derivative (k, r) of the mean stacked score in the discriminator's placement, at parameters of both steps."""
    games = programs.stack([game])
    return _stacked_slopes(second_of(games, before[None, game.p :]), first_of(games), after[None], before[None])[0]


@programs.program
def _coupling(seconds, firsts, after, before):
    """The believed shares (k,), and derivatives (k, ...) of the second step's mean scores in the first's parameters."""

    def one(second, first, after, before):
        p = second.p
        phi = features(first, first.x)
        v = phi @ before[p:]
        slopes = jax.vmap(jax.grad(belief))(v)
        own = observation_scores(second, after[:p], after[p:])
        constant = mean_score(second, after[:p], after[p:]) - second.x_weights @ own
        joint = ((first.x_weights * slopes)[:, None] * (own + constant[None])).T @ phi
        return first.x_weights @ belief(v), jnp.pad(joint, ((0, 0), (p, 0)))

    return programs.each(one, seconds, firsts, after, before)


@programs.program
def beliefs_of(firsts, alpha):
    """Weigh the observations of games (k, ...) by the first fits' alpha (k, q + 1): (k, n)."""
    return programs.each(lambda first, alpha: belief(features(first, first.x) @ alpha), firsts, alpha)
