"""The step of the compiled search: one point of a game is evaluated, and the next to evaluate found.

Either the discriminator climbs on at the same theta, or the point is judged and both players step: Newton's step on
both scores at once, of which the generator's part is judged, damped and bounded as in ``hellgan.solver.newton``.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax
from jax.scipy.linalg import cho_factor, cho_solve

from hellgan.objective import linear
from hellgan.objective.game import Array, Game
from hellgan.solver.certificate import FARTHEST, MAX_INNER, NEAR, SLACK, Solution
from hellgan.solver.certificate import MOST_SCORING as SCORING

MOST, MOST_EVALUATIONS = 40, 120  # of which some five are usual; those that need more arrive in one of a thousand
_SHARE, _MOST = 0.15, 0.3  # of the generator's squared score, that the discriminator may yet gain, and the largest
_GAINED = 0.05  # of what its step promises to first order, that it has to gain
_HELD = 1e-2  # first damping of its steps, where one is too long
_ROUGH = 0.02  # what it may yet gain on the log loss before its own takes over


class Point(NamedTuple):
    """A point with its expansion; the generator's part in coordinates in which M is the identity."""

    u: Array  # (theta, alpha)
    value: Array
    jacobian: Array
    gradient: Array  # (q + 1,) the discriminator's score
    score: Array  # (p,) the generator's, where the discriminator is after its own step
    schur: Array  # (p, p)
    whitening: Array  # (p, p): W M W' = 1
    slope: Array  # (q + 1, p) d alpha/d theta
    rise: Array  # (q + 1,) Newton's step of the discriminator alone
    merit: Array
    gain: Array  # what the discriminator's own step promises
    norm: Array


class State(NamedTuple):
    """Where a search stands."""

    best: Point  # of those that were judged
    top: Point  # highest for the discriminator at the theta on trial
    trial: Array  # (theta, alpha), evaluated next
    damping: Array  # of the generator's steps
    holding: Array  # of the discriminator's, while it climbs at one theta
    judged: Array
    evaluated: Array
    since: Array  # evaluations at the theta on trial
    scoring: Array  # the generator of a non-zero-sum loss follows its score in the metric M
    on_log: Array  # the discriminator climbs the log loss


def begun(game: Game, theta, alpha, is_warm) -> State:
    """Begin a search at theta (p,) and alpha (q + 1,); ``is_warm`` says that these are near a solution."""
    begin, dtype = jnp.concatenate([theta, alpha]), theta.dtype
    p, q, size = game.p, len(alpha), len(begin)
    worst, zero, count = jnp.asarray(jnp.inf, dtype), jnp.zeros((), dtype), jnp.asarray(0)

    def zeros(*shape):
        return jnp.zeros(shape, dtype)

    first, matrices = (zeros(q), zeros(p)), (zeros(p, p), zeros(p, p), zeros(q, p))
    nowhere = Point(begin, worst, zeros(size, size), *first, *matrices, zeros(q), worst, zero, worst)
    scoring = ~is_warm & (not game.loss.is_zero_sum)
    return State(
        nowhere, nowhere, begin, zero, zero, count, count, count, scoring, ~is_warm & (not game.loss.is_concave)
    )


def is_unfinished(tol, state: State):
    """Whether a search goes on: from a start that is no point of the model it ends at once."""
    usable = (state.judged == 0) | jnp.isfinite(state.best.norm)
    few = (state.judged < MOST) & (state.evaluated < MOST_EVALUATIONS)
    return usable & few & (state.best.norm > tol) & (state.damping < 1e3)


def solution(game: Game, end: State) -> Solution:
    """Give the best point of a search that has ended."""
    best, p = end.best, game.p
    return Solution(
        best.u[:p], best.u[p:], best.value, best.jacobian, best.norm, end.judged, end.evaluated - end.judged
    )


def advanced(game: Game, real: linear.Rows, tol, state: State) -> State:
    """Evaluate the point on trial: the discriminator climbs on from it, or it is judged and both players step."""
    best, fresh, p = state.best, state.since == 0, game.p
    here = _point(game, real, state.trial[:p], state.trial[p:], None if game.loss.is_concave else state.on_log)
    usable = jnp.isfinite(here.value) & jnp.all(jnp.isfinite(here.gradient))
    # A loss that is not concave has to be kept where it is: too long a step ends where it is flat.
    concave, before = (jnp.all(jnp.isfinite(point.rise)) for point in (here, state.top))
    promised = state.top.gradient @ (state.trial - state.top.u)[p:]
    enough = here.value >= state.top.value + _GAINED * promised - SLACK * (1 + jnp.abs(here.value))
    higher = usable & (fresh | jnp.where(concave == before, enough, concave))
    top = chosen(higher, here, state.top)
    calm = jnp.where(state.holding < 1e-3, 0.0, state.holding / 10)
    calm = jnp.where(concave, calm, jnp.maximum(state.holding, _HELD))
    holding = jnp.where(higher, calm, 10 * state.holding + _HELD)
    slack = SLACK * (1 + jnp.abs(best.merit))
    nowhere = fresh & ~usable
    stuck = (state.since >= MAX_INNER) | (holding > 1e10) | nowhere
    # Where it is concave neither there nor where the last climb ended the generator's step was too long.
    stuck |= ~fresh & ~jnp.all(jnp.isfinite(top.rise)) & (state.judged > 0)
    # A point is judged when the discriminator has nearly climbed to its top there; or where that is higher already than
    # where it was before: then the generator is none the better for its step.
    left = _SHARE * jnp.minimum(best.norm, _MOST) ** 2
    is_worse = ~state.on_log & (top.value > best.merit + slack + best.gain) & game.loss.is_zero_sum
    judged = ~state.on_log & (stuck | is_worse | (higher & (here.gain <= left)))
    leaves_log = state.on_log & (stuck | (higher & (here.gain <= _ROUGH)))
    if game.loss.is_zero_sum:
        slack += top.gain + best.gain
    better = (top.merit <= best.merit + slack) | (top.norm <= tol)
    better |= state.scoring & (top.norm <= 2 * best.norm)
    accepted = judged & jnp.isfinite(top.norm) & better & ~is_worse & ~nowhere
    best = chosen(accepted, top, best)
    calm = jnp.where(state.damping < 1e-2, 0.0, state.damping / 10)
    damping = jnp.where(judged, jnp.where(accepted, calm, 10 * state.damping + 0.3), state.damping)
    count = state.judged + judged
    scoring = state.scoring & ((best.norm > NEAR) | ~judged) & (count < SCORING)
    lost = fresh & ~concave  # begins its climb where the last one ended
    onwards = jnp.where(lost, jnp.concatenate([state.trial[:p], best.u[p:]]), _climbed(top, holding, p))
    trial = jnp.where(judged, best.u + _step(game, best, damping, scoring), onwards)
    ends = judged | leaves_log
    return State(
        best,
        top,
        trial,
        damping,
        jnp.where(ends, 0.0, holding),
        count,
        state.evaluated + 1,
        jnp.where(ends, 0, state.since + 1),
        scoring,
        state.on_log & ~leaves_log,
    )


def chosen(condition, first, second):
    """Choose one of two pytrees."""
    return jax.tree.map(lambda a, b: jnp.where(condition, a, b), first, second)


def _climbed(top: Point, holding, p):
    """The point after Newton's step of the discriminator alone, damped where it does not lead up."""

    def damped():
        curvature = -top.jacobian[p:, p:]
        bound = jnp.max(jnp.abs(jnp.diag(curvature)))
        shifted = curvature + holding * bound * jnp.eye(curvature.shape[0], dtype=curvature.dtype)
        return cho_solve(cho_factor(shifted, lower=True), top.gradient)

    step = lax.cond(holding > 0, damped, lambda: top.rise)
    return jnp.concatenate([top.u[:p], top.u[p:] + step])


def _point(game: Game, real: linear.Rows, theta, alpha, on_log) -> Point:
    ridge = jnp.asarray(game.discriminator.ridge)
    (d_theta, h_tt, h_at, h_ta), fake = linear.expand_both(game, theta, alpha, on_log)
    value, gradient, h_aa = jax.tree.map(jnp.add, linear.earned(game, real, alpha, on_log), fake)
    value, gradient, h_aa = value - ridge @ alpha**2, gradient - 2 * ridge * alpha, h_aa - jnp.diag(2 * ridge)
    # Where H_aa is not negative there is no maximum near, and the factor is NaN.
    back = cho_solve(cho_factor(-h_aa, lower=True), jnp.concatenate([h_at, gradient[:, None]], axis=1))
    slope, rise = back[:, :-1], back[:, -1]
    whitening, least = _whitened(h_at.T @ slope)
    schur = whitening @ (h_tt + h_ta @ slope) @ whitening.T
    norm = jnp.maximum(jnp.max(jnp.abs(whitening @ d_theta)), jnp.max(jnp.abs(gradient)))
    score = whitening @ (d_theta + h_ta @ rise)
    jacobian = jnp.block([[h_tt, h_ta], [h_at, h_aa]])
    usable = jnp.all(jnp.isfinite(jacobian)) & jnp.all(jnp.isfinite(back)) & jnp.isfinite(norm) & (least > -1e-10)
    gain = jnp.abs(gradient @ rise) / 2
    merit = value + gain if game.loss.is_zero_sum else score @ score
    norm = jnp.where(usable, norm, jnp.inf)
    u = jnp.concatenate([theta, alpha])
    return Point(u, value, jacobian, gradient, score, schur, whitening, slope, rise, merit, gain, norm)


def _whitened(metric):
    """As ``newton.whitened``, of one metric."""
    size = jnp.sqrt(jnp.abs(jnp.diag(metric)))
    size = jnp.where(size > 0, size, 1.0)
    values, vectors = jnp.linalg.eigh((metric + metric.T) / (2 * size[:, None] * size[None, :]))
    root = jnp.sqrt(jnp.maximum(values, 0.0) + 1e-12)
    return (vectors / root[None, :]).T / size[None, :], values[0]


def _step(game: Game, best: Point, damping, scoring):
    """Step of both players: the generator's bounded in the metric M, the discriminator's its own and what follows."""
    reach = jnp.sqrt(jax.grad(game.loss.real)(jnp.zeros((), best.u.dtype)))
    if game.loss.is_zero_sum:
        values, vectors = jnp.linalg.eigh((best.schur + best.schur.T) / 2)
        step = -vectors @ ((vectors.T @ best.score) / (jnp.maximum(jnp.abs(values), 0.05) + damping))
    else:
        normal = best.schur.T @ best.schur + damping * jnp.eye(game.p, dtype=best.u.dtype)
        rootward = -jnp.linalg.solve(normal, best.schur.T @ best.score)
        along = -best.score / (game.loss.generator_pull * (1 + damping))
        step = jnp.where(scoring, along, rootward)
    step = step * jnp.minimum(1.0, reach / jnp.maximum(jnp.linalg.norm(step), 1e-300))
    step = best.whitening.T @ step
    farthest = jnp.max(jnp.abs(step) * jnp.asarray(game.generator.unitless))
    step = step * jnp.where(scoring & (farthest > FARTHEST), FARTHEST / jnp.maximum(farthest, FARTHEST), 1.0)
    return jnp.concatenate([step, best.rise + best.slope @ step])
