"""The search for a saddle point as one compiled program: an inexact form of the iteration of ``hellgan.solver.newton``.

The discriminator's maximum is climbed only as far as the generator's score is worth, and a step moves both players:
Newton's on both scores at once, of which the generator's part is judged, damped and bounded as there. No search waits
for Python between its steps; what does not arrive at a saddle point is left to the exact iteration.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.scipy.linalg import cho_factor, cho_solve

from hellgan.execution import programs
from hellgan.objective import linear
from hellgan.objective.game import Array, Game
from hellgan.solver import newton
from hellgan.solver.certificate import LIMITS, Limits, accepted, curvatures_of
from hellgan.solver.newton import FARTHEST, NEAR, SLACK, Solution, climb
from hellgan.solver.newton import MOST_SCORING as SCORING

MOST = 40  # steps of which some five are usual; a search that needs more is none for this form
_SHARE, _MOST = 0.15, 0.3  # of the generator's squared score, that the discriminator may yet gain, and the largest
_FAR = 0.1  # the generator's score from which on a step is so long that the discriminator has to climb after it
_ROUGH = 0.02  # what it may yet gain at the start


class _Point(NamedTuple):
    """A point with its expansion; the generator's part in coordinates in which M is the identity."""

    u: Array  # (theta, alpha)
    value: Array
    jacobian: Array
    score: Array  # (p,) the generator's, where the discriminator is after its own step
    schur: Array  # (p, p)
    whitening: Array  # (p, p): W M W' = 1
    slope: Array  # (q + 1, p) d alpha/d theta
    rise: Array  # (q + 1,) Newton's step of the discriminator alone
    merit: Array
    gain: Array  # what the discriminator's own step promises
    norm: Array


class _State(NamedTuple):
    best: _Point
    trial: Array
    damping: Array
    steps: Array
    inner: Array
    scoring: Array  # the generator of a non-zero-sum loss follows its score in the metric M
    climbs: Array  # how often the discriminator will have climbed for the next point before that is judged


def descend(games: Game, starts: np.ndarray, alphas: np.ndarray | None = None, limits: Limits = LIMITS) -> Solution:
    """Search the saddle point of each of a stack of games (k, ...), arguments as ``newton.descend`` takes them.

    That goes on where the compiled search found none. Large samples, and single ones of a user's own simulator, whose
    searches may be long enough to be watched, are its own from the start, as are searches of another length.
    """
    rows, is_slow = games.x.shape[1] + games.z.shape[1], len(starts) == 1 and games.generator.may_jump
    if rows > linear.STORED or is_slow or limits.disp or limits.maxiter != LIMITS.maxiter:
        return newton.descend(games, starts, alphas, limits)
    count = len(starts)
    begins = np.zeros((count, games.discriminator.size)) if alphas is None else alphas
    size, found = programs.group_size(count), []
    for begin in range(0, count, size):
        group = np.arange(begin, begin + size)
        group[group >= count] = begin  # fills the last group
        tol, is_warm = np.full(size, limits.tol), np.full(size, alphas is not None)
        parts = search(programs.take(games, group), starts[group], begins[group], tol, is_warm)
        found.append(programs.take(parts, slice(0, count - begin)))
    found = Solution(*(np.concatenate(parts) for parts in zip(*found, strict=True)))
    tops, leasts = curvatures_of(found.jacobian, games.p, games.loss.is_zero_sum)
    passes = [accepted(weights, games.generator.may_jump, limits.tol) for weights in games.x_weights]
    left = np.flatnonzero(~((found.score_norm <= passes) & (tops < 0) & (leasts > 0)))
    parts = [np.array(part) for part in found]
    alone = limits if count == 1 else limits._replace(disp=False)
    for k in left.tolist():  # one by one: no fit's last digits depend on how many others are left
        one = slice(k, k + 1)
        warm = None if alphas is None else alphas[one]
        for part, own in zip(parts, newton.descend(programs.take(games, one), starts[one], warm, alone), strict=True):
            part[one] = own
    return Solution(*parts)


@programs.program
def search(games: Game, theta, alpha, tol, is_warm) -> Solution:
    """Search the saddle point of each of a stack of games (k, ...).

    ``theta`` (k, p) and ``alpha`` (k, q + 1) are its start, ``tol`` (k,) the score norm at which it ends; ``is_warm``
    (k,) says that a solution is near, so that neither the concave log loss nor steps of scoring are gone through first.
    """
    return programs.each(_search, games, theta, alpha, tol, is_warm)


def _search(game: Game, theta, alpha, tol, is_warm) -> Solution:
    p, dtype = game.p, theta.dtype
    real = linear.real_rows(game)
    reach = jnp.sqrt(jax.grad(game.loss.real)(jnp.zeros((), dtype)))

    def body(state: _State) -> _State:
        best, first = state.best, state.steps == 0
        theta, alpha = state.trial[:p], state.trial[p:]
        left = jnp.where(first, _ROUGH, _SHARE * jnp.minimum(best.norm, _MOST) ** 2)
        on_log = None if game.loss.is_concave else first & ~is_warm
        slack = SLACK * (1 + jnp.abs(best.merit))
        # What the discriminator has at a point that is none the better for it need not be known precisely.
        most = best.merit + slack + best.gain if game.loss.is_zero_sum else jnp.full_like(best.merit, jnp.inf)

        def climbed():
            found = climb(game, theta, alpha, on_log, left, most)
            on = (found.damping == 0) & (state.climbs == 1)  # one step of its own is free
            return jnp.where(on, found.trial, found.alpha), found.steps

        alpha, inner = lax.cond(state.climbs > 0, climbed, lambda: (alpha, jnp.zeros_like(state.inner)))
        here = _point(game, real, theta, alpha)
        worse = here.value > most
        rough = (state.climbs < 2) & ~(here.gain <= left) & ~worse  # judged once the discriminator has climbed on
        if game.loss.is_zero_sum:
            slack += here.gain + best.gain
        better = (here.merit <= best.merit + slack) | (here.norm <= tol)
        better |= state.scoring & (here.norm <= 2 * best.norm)
        accept = jnp.isfinite(here.norm) & better & ~rough & ~worse
        best = jax.tree.map(lambda new, old: jnp.where(accept, new, old), here, best)
        calm = jnp.where(state.damping < 1e-2, 0.0, state.damping / 10)
        damping = jnp.where(rough, state.damping, jnp.where(accept, calm, 10 * state.damping + 0.3))
        steps = state.steps + 1
        scoring = state.scoring & ((best.norm > NEAR) | rough) & (steps < SCORING)
        further = jnp.concatenate([theta, alpha])
        trial = jnp.where(rough, further, best.u + _step(game, best, damping, scoring, reach))
        climbs = jnp.where(rough, state.climbs + 1, jnp.where(best.norm > _FAR, 1, 0))
        return _State(best, trial, damping, steps, state.inner + inner, scoring, climbs)

    def unfinished(state: _State):
        usable = (jnp.isfinite(state.best.norm) | (state.climbs > 1)) & jnp.all(jnp.isfinite(state.trial))
        usable |= state.steps == 0
        return usable & (state.best.norm > tol) & (state.steps < MOST) & (state.damping < 1e3)

    begin = jnp.concatenate([theta, alpha])
    size, q, worst = len(begin), len(alpha), jnp.asarray(jnp.inf, dtype)

    def zeros(*shape):
        return jnp.zeros(shape, dtype)

    nowhere = _Point(
        begin,
        worst,
        zeros(size, size),
        zeros(p),
        zeros(p, p),
        zeros(p, p),
        zeros(q, p),
        zeros(q),
        worst,
        zeros(),
        worst,
    )
    is_scoring = ~is_warm & (not game.loss.is_zero_sum)
    zero = jnp.asarray(0)
    start = _State(nowhere, begin, jnp.zeros((), dtype), zero, zero, is_scoring, zero + 1)
    end = lax.while_loop(unfinished, body, start)
    best = end.best
    return Solution(best.u[:p], best.u[p:], best.value, best.jacobian, best.norm, end.steps, end.inner)


def _point(game: Game, real: linear.Rows, theta, alpha) -> _Point:
    ridge = jnp.asarray(game.discriminator.ridge)
    (d_theta, h_tt, h_at, h_ta), fake = linear.expand_both(game, theta, alpha)
    value, gradient, h_aa = jax.tree.map(jnp.add, linear.earned(game, real, alpha), fake)
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
    return _Point(u, value, jacobian, score, schur, whitening, slope, rise, merit, gain, norm)


def _whitened(metric):
    """As ``newton.whitened``, of one metric."""
    size = jnp.sqrt(jnp.abs(jnp.diag(metric)))
    size = jnp.where(size > 0, size, 1.0)
    values, vectors = jnp.linalg.eigh((metric + metric.T) / (2 * size[:, None] * size[None, :]))
    root = jnp.sqrt(jnp.maximum(values, 0.0) + 1e-12)
    return (vectors / root[None, :]).T / size[None, :], values[0]


def _step(game: Game, best: _Point, damping, scoring, reach):
    """Step of both players: the generator's bounded in the metric M, the discriminator's its own and what follows."""
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
