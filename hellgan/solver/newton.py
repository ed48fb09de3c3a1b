"""Nested Newton iterations for a discriminator linear in alpha, for one game or many at once.

What costs is compiled: the climb to the inner maximum and the expansion there (``locate``). What is left, a Newton
step in the p generator parameters, is linear algebra of p by p matrices in NumPy, done for a group of games together;
so the program is small and compiles fast, and no game waits for another's inner iterations. The matrices T and M are
those of ``hellgan.solver.saddle``.
"""

import dataclasses
from collections.abc import Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.scipy.linalg import cho_factor, cho_solve
from tqdm import tqdm

from hellgan.execution import programs
from hellgan.objective import linear
from hellgan.objective.game import Array, Game
from hellgan.solver.certificate import (
    FARTHEST,
    LIMITS,
    MAX_INNER,
    MAX_OUTER,
    MOST_SCORING,
    NEAR,
    SLACK,
    TOLERANCE,
    Limits,
    Solution,
    accepted,
)

MAX_TOTAL = 400  # inner steps over all outer ones
MAX_WARM = 100  # likewise, where the start is a solution nearby, from where some ten are usual


class Local(NamedTuple):
    """An inner maximum with the expansion of the objective there."""

    alpha: Array
    value: Array  # penalised
    gradient: Array
    hessian: Array
    expansion: linear.Expansion
    steps: Array
    reach: Array  # sqrt of real'(0): the longest outer step, in the metric M


@programs.program
def locate(games: Game, theta, alpha, on_log) -> Local:
    """Climb to the inner maximum and expand there, for each of a stack of games.

    Parameters
    ----------
    games : Game
        Arrays with a leading axis, (k, ...).
    theta, alpha : (k, p) and (k, q + 1) arrays
        theta at which the inner maximum is sought, and alpha from which the climb begins.
    on_log : (k,) bool array
        Whether the climb begins on the concave ``log`` loss, for a loss that is not concave.
    """

    def one(game, theta, alpha, on_log):
        climbed = climb(game, theta, alpha, None if game.loss.is_concave else on_log)
        expansion = linear.expand(game, theta, climbed.alpha)
        reach = jnp.sqrt(jax.grad(game.loss.real)(jnp.zeros((), theta.dtype)))
        return Local(climbed.alpha, climbed.value, climbed.gradient, climbed.hessian, expansion, climbed.steps, reach)

    return programs.each(one, games, theta, alpha, on_log)


class Ascent(NamedTuple):
    """The inner iteration: the best alpha with its derivatives, and the next to try."""

    alpha: jax.Array
    value: jax.Array
    gradient: jax.Array
    hessian: jax.Array
    trial: jax.Array
    damping: jax.Array
    steps: jax.Array
    on_log: jax.Array | None  # while the continuation still climbs the log loss


def climb(game: Game, theta, alpha, on_log) -> Ascent:
    """Maximise V_n over alpha by damped Newton steps; first with the log loss where ``on_log`` says so."""
    dtype, size = alpha.dtype, alpha.shape[0]
    samples = linear.discriminator_rows(game, theta)

    def body(s: Ascent) -> Ascent:
        value, gradient, hessian = linear.discriminator_problem(game, samples, s.trial, s.on_log)
        slack = SLACK * (1 + jnp.abs(value))
        accept = jnp.isfinite(value) & jnp.all(jnp.isfinite(gradient)) & (value >= s.value - slack)
        new = (s.trial, value, gradient, hessian)
        alpha, value, gradient, hessian = (
            jnp.where(accept, a, b) for a, b in zip(new, (s.alpha, s.value, s.gradient, s.hessian), strict=True)
        )
        damping = jnp.where(accept, jnp.where(s.damping < 1e-3, 0.0, s.damping / 10), 10 * s.damping + 1e-2)
        bound = jnp.max(jnp.abs(jnp.diag(hessian)))
        shifted = -hessian + damping * bound * jnp.eye(size, dtype=dtype)
        trial = alpha + cho_solve(cho_factor(shifted, lower=True), gradient)
        if s.on_log is None:
            return Ascent(alpha, value, gradient, hessian, trial, damping, s.steps + 1, None)
        # Near the maximum of the log loss the loss itself takes over, from the same point.
        change = s.on_log & (jnp.max(jnp.abs(gradient)) < 1e-4)
        return Ascent(
            alpha,
            jnp.where(change, -jnp.inf, value),
            jnp.where(change, jnp.inf, gradient),
            hessian,
            jnp.where(change, alpha, trial),
            jnp.where(change, 0.0, damping),
            s.steps + 1,
            s.on_log & ~change,
        )

    def unfinished(s: Ascent):
        return (jnp.max(jnp.abs(s.gradient)) > TOLERANCE / 10) & (s.steps < MAX_INNER) & (s.damping < 1e10)

    start = Ascent(
        alpha,
        jnp.asarray(-jnp.inf, dtype),
        jnp.full(size, jnp.inf, dtype),
        jnp.zeros((size, size), dtype),
        alpha,
        jnp.zeros((), dtype),
        jnp.asarray(0),
        on_log,
    )
    return lax.while_loop(unfinished, body, start)


def descend(games: Game, starts: np.ndarray, alphas: np.ndarray | None = None, limits: Limits = LIMITS) -> Solution:
    """Search the saddle point of each of a stack of games (k, ...) by Newton's outer iteration, from its start (k, p).

    A group of games is at work; as one ends, the next takes its place. Where ``alphas`` (k, q + 1) are given the start
    is near a solution: neither the concave log loss nor the steps of scoring are gone through first. The search of a
    single game shows its progress, in a terminal, from the fifth second on.
    """
    count = len(starts)
    begins = np.zeros((count, games.discriminator.size)) if alphas is None else alphas
    is_warm = alphas is not None
    slots = list(range(programs.group_size(count)))
    waiting = iter(range(len(slots), count))
    passes = [accepted(weights, games.generator.may_jump, limits.tol) for weights in games.x_weights]
    state = _State.begin(games, starts[slots], begins[slots], passes, is_warm, limits)
    group = programs.take(games, slots)
    running = np.ones(len(slots), bool)
    outcome: list = [None] * count
    hidden = True if count > 1 or limits.disp is False else False if limits.disp else None
    bar = tqdm(total=limits.maxiter, desc="steps", delay=0 if limits.disp else 5, leave=False, disable=hidden)
    while np.any(running):
        on_log = (state.outer == 0) & (not is_warm)
        local = locate(group, state.trial, state.trial_alpha, on_log)
        state.update(local)
        bar.update()
        for slot in np.flatnonzero(running & state.finished()).tolist():
            outcome[slots[slot]] = state.solution(slot)
            following = next(waiting, None)
            running[slot] = following is not None
            if following is not None:
                slots[slot] = following
                state.restart(slot, starts[following], begins[following], passes[following])
                for array, all_of_them in zip(jax.tree.leaves(group), jax.tree.leaves(games), strict=True):
                    array[slot] = all_of_them[following]
    bar.close()
    return Solution(*(np.stack(parts) for parts in zip(*outcome, strict=True)))


class _Point(NamedTuple):
    """Points of the outer iteration with their local models; theta's in coordinates in which M is the identity."""

    theta: np.ndarray
    alpha: np.ndarray
    value: np.ndarray
    jacobian: np.ndarray
    score: np.ndarray  # (k, p) generator's score
    schur: np.ndarray  # (k, p, p)
    whitening: np.ndarray  # (k, p, p): W M W' = 1
    slope: np.ndarray  # (k, q + 1, p) d alpha / d theta, theta in its own units
    merit: np.ndarray
    score_norm: np.ndarray


@dataclasses.dataclass
class _State:
    """The outer iterations of a group of games: the best point of each, and the next to try."""

    pull: float  # of the generator's own objective at v = 0, in that of fake
    unitless: np.ndarray  # (p,) whether an element of theta is on a scale without a unit, as a logarithm is
    is_zero_sum: bool
    is_warm: bool
    limits: Limits
    best: _Point
    trial: np.ndarray
    trial_alpha: np.ndarray
    damping: np.ndarray
    outer: np.ndarray
    inner: np.ndarray
    scoring: np.ndarray  # the generator of a non-zero-sum loss follows its score in the metric M
    passes: np.ndarray  # the score norm that passes for a solution's where no step makes it smaller

    @staticmethod
    def begin(
        games: Game, starts: np.ndarray, alphas: np.ndarray, passes: Sequence[float], is_warm: bool, limits: Limits
    ) -> "_State":
        (k, p), q = starts.shape, games.discriminator.size
        shapes = ((p,), (q,), (), (p + q, p + q), (p,), (p, p), (p, p), (q, p), (), ())
        best = _Point(*(np.empty((k, *shape)) for shape in shapes))
        counts = np.zeros(k, int), np.zeros(k, int)
        trial, damping, scoring = (np.empty((k, p)), np.empty((k, q))), np.zeros(k), np.zeros(k, bool)
        loss = games.loss
        state = _State(
            loss.generator_pull,
            games.generator.unitless,
            loss.is_zero_sum,
            is_warm,
            limits,
            best,
            *trial,
            damping,
            *counts,
            scoring,
            np.zeros(k),
        )
        for slot in range(k):
            state.restart(slot, starts[slot], alphas[slot], passes[slot])
        return state

    def restart(self, slot: int, start: np.ndarray, alpha: np.ndarray, passes: float) -> None:
        for array in self.best:
            array[slot] = np.nan
        self.best.theta[slot] = self.trial[slot] = start
        self.best.alpha[slot] = self.trial_alpha[slot] = alpha
        self.best.merit[slot] = self.best.score_norm[slot] = np.inf
        self.damping[slot] = self.outer[slot] = self.inner[slot] = 0
        self.passes[slot] = passes
        self.scoring[slot] = not (self.is_warm or self.is_zero_sum)

    def update(self, local: Local) -> None:
        """Judge the points that were tried, keep the better ones, and choose the next to try."""
        here = self._model(local)
        with np.errstate(invalid="ignore"):
            slack = SLACK * (1 + np.abs(here.merit))
            better = (here.merit <= self.best.merit + slack) | (here.score_norm <= self.limits.tol)
            better |= self.scoring & (here.score_norm <= 2 * self.best.score_norm)
        accept = np.isfinite(here.score_norm) & better
        for old, new in zip(self.best, here, strict=True):
            old[accept] = new[accept]
        self.damping = np.where(accept, np.where(self.damping < 1e-2, 0.0, self.damping / 10), 10 * self.damping + 0.3)
        self.outer = self.outer + 1
        self.inner = self.inner + local.steps
        self.scoring = self.scoring & (self.best.score_norm > NEAR) & (self.outer < MOST_SCORING)
        step = self._step(local.reach)
        self.trial = self.best.theta + step
        self.trial_alpha = self.best.alpha + _apply(self.best.slope, step)

    def finished(self) -> np.ndarray:
        settled = self.best.score_norm <= np.where(self.damping > 1, self.passes, self.limits.tol)
        most = MAX_WARM if self.is_warm else MAX_TOTAL
        limit = max(most, most * self.limits.maxiter // MAX_OUTER)
        lost = ~np.isfinite(self.best.score_norm)  # not even the start has a local model
        return settled | lost | (self.outer >= self.limits.maxiter) | (self.inner >= limit) | (self.damping >= 1e6)

    def solution(self, slot: int) -> tuple:
        best = self.best
        found = (best.theta, best.alpha, best.value, best.jacobian, best.score_norm, self.outer, self.inner)
        return tuple(np.array(array[slot]) for array in found)

    def _model(self, local: Local) -> _Point:
        """Build the local models of the outer problem at inner maxima."""
        d_theta, h_tt, h_at, h_ta = local.expansion
        h_aa = local.hessian
        jacobian = np.concatenate([np.concatenate([h_tt, h_ta], axis=2), np.concatenate([h_at, h_aa], axis=2)], axis=1)
        usable = np.all(np.isfinite(jacobian), axis=(1, 2)) & np.all(np.isfinite(d_theta), axis=1)
        unit = -np.eye(h_aa.shape[-1])
        slope = _solve(-np.where(usable[:, None, None], h_aa, unit), np.where(usable[:, None, None], h_at, 0.0))
        usable &= np.all(np.isfinite(slope), axis=(1, 2))
        slope = np.where(usable[:, None, None], slope, 0.0)
        whitening, least = whitened(np.swapaxes(np.where(usable[:, None, None], h_at, 0.0), 1, 2) @ slope)
        usable &= least > -1e-10
        score = _apply(whitening, d_theta)
        with np.errstate(invalid="ignore"):  # where it is not usable
            schur = whitening @ (h_tt + h_ta @ slope) @ np.swapaxes(whitening, 1, 2)
        norm = np.maximum(np.max(np.abs(score), axis=1), np.max(np.abs(local.gradient), axis=1))
        value = local.value
        merit = value if self.is_zero_sum else np.sum(score**2, axis=1)
        return _Point(
            self.trial,
            local.alpha,
            value,
            jacobian,
            score,
            schur,
            whitening,
            slope,
            merit,
            np.where(usable, norm, np.inf),
        )

    def _step(self, reach: np.ndarray) -> np.ndarray:
        """A step of Newton or scoring, damped, of bounded length in the metric M; downhill where T is not positive."""
        known = np.isfinite(self.best.score_norm)
        schur = np.where(known[:, None, None], self.best.schur, 0.0)
        score = np.where(known[:, None], self.best.score, 0.0)
        if self.is_zero_sum:
            values, vectors = np.linalg.eigh((schur + np.swapaxes(schur, 1, 2)) / 2)
            pulls = _apply(np.swapaxes(vectors, 1, 2), score)
            step = -_apply(vectors, pulls / (np.maximum(np.abs(values), 0.05) + self.damping[:, None]))
        else:
            normal = np.swapaxes(schur, 1, 2) @ schur + self.damping[:, None, None] * np.eye(schur.shape[-1])
            rootward = -_solve(normal, (np.swapaxes(schur, 1, 2) @ score[:, :, None]))[:, :, 0]
            along = -score / (self.pull * (1 + self.damping[:, None]))
            step = np.where(self.scoring[:, None], along, rootward)
        length = np.maximum(np.linalg.norm(step, axis=1), 1e-300)
        step = step * np.minimum(1.0, reach / length)[:, None]
        step = _apply(np.swapaxes(np.where(known[:, None, None], self.best.whitening, 0.0), 1, 2), step)
        # Towards an edge of the space the metric fades, and nothing judges a step of scoring but its length.
        farthest = np.max(np.abs(step) * self.unitless, axis=1)
        too_far = self.scoring & (farthest > FARTHEST)
        return step * np.where(too_far, FARTHEST / np.maximum(farthest, FARTHEST), 1.0)[:, None]


def whitened(metric: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Coordinates W in which each of a stack of metrics M (k, p, p) is the identity, W M W' = 1; and an eigenvalue.

    The eigenvalue (k,) is the least one of M with its diagonal scaled to 1.
    """
    size = np.sqrt(np.abs(np.diagonal(metric, axis1=1, axis2=2)))
    size = np.where(size > 0, size, 1.0)
    scaled = (metric + np.swapaxes(metric, 1, 2)) / (2 * size[:, :, None] * size[:, None, :])
    values, vectors = np.linalg.eigh(scaled)
    root = np.sqrt(np.maximum(values, 0.0) + 1e-12)
    return np.swapaxes(vectors / root[:, None, :], 1, 2) / size[:, None, :], values[:, 0]


def _apply(matrices, vectors):
    return np.einsum("kij,kj->ki", matrices, vectors)


def _solve(matrices, columns):
    """Solve a stack of systems; NaN for the singular ones."""
    try:
        return np.linalg.solve(matrices, columns)
    except np.linalg.LinAlgError:
        solved = np.full(columns.shape, np.nan)
        for k in range(len(matrices)):
            try:
                solved[k] = np.linalg.solve(matrices[k], columns[k])
            except np.linalg.LinAlgError:
                continue
        return solved
