"""The search for a saddle point as one compiled program: an inexact form of the iteration of ``hellgan.solver.newton``.

The discriminator's maximum is climbed only as far as the generator's score is worth. No search waits for Python between
its steps; what does not arrive at a saddle point is left to the exact iteration. On an accelerator many searches go
side by side, each a lane.
"""

from functools import partial

import jax
import numpy as np
from jax import lax

from hellgan.execution import programs
from hellgan.objective import linear
from hellgan.objective.game import Game
from hellgan.solver import newton, stepping
from hellgan.solver.certificate import LIMITS, Limits, Solution, accepted, curvatures_of

ROUND = 4  # steps after which lanes that have ended are looked for


def descend(
    games: Game,
    starts: np.ndarray,
    alphas: np.ndarray | None = None,
    limits: Limits = LIMITS,
    wanted: int | None = None,
) -> Solution:
    """Search the saddle point of each of a stack of games (k, ...), arguments as ``newton.descend`` takes them.

    That goes on where the compiled search found none, with the first ``wanted`` games if it is given. Large samples,
    and single ones of a user's own simulator, whose searches may be long enough to be watched, are its own from the
    start, as are searches of another length.
    """
    if not is_taken(games, limits, len(starts)):
        return newton.descend(games, starts, alphas, limits)
    count = len(starts)
    begins = np.zeros((count, games.discriminator.size)) if alphas is None else alphas
    found = []
    for group, filled in programs.groups(range(count), count, games.cells):
        size = len(filled)
        tol, is_warm = np.full(size, limits.tol), np.full(size, alphas is not None)
        given = programs.take(games, filled), starts[filled], begins[filled], tol, is_warm
        parts = search(*given, count=len(group)) if programs.on_cpu() else search_in_lanes(*given)
        found.append(programs.take(parts, slice(0, len(group))))
    found = Solution(*(np.concatenate(parts) for parts in zip(*found, strict=True)))
    tops, leasts = curvatures_of(found.jacobian, games.p, games.loss.is_zero_sum)
    passes = [accepted(weights, games.generator.may_jump, limits.tol) for weights in games.x_weights]
    left = np.flatnonzero(~((found.score_norm <= passes) & (tops < 0) & (leasts > 0))[:wanted])
    parts = [np.array(part) for part in found]
    alone = limits if count == 1 else limits._replace(disp=False)
    for k in left.tolist():  # one by one: no fit's last digits depend on how many others are left
        one = slice(k, k + 1)
        warm = None if alphas is None else alphas[one]
        for part, own in zip(parts, newton.descend(programs.take(games, one), starts[one], warm, alone), strict=True):
            part[one] = own
    return Solution(*parts)


def is_taken(games: Game, limits: Limits, count: int = 1) -> bool:
    """Whether the compiled search is gone through first for ``count`` games (count, ...), or for a single one."""
    rows, is_slow = games.x.shape[-2] + games.z.shape[-2], count == 1 and games.generator.may_jump
    is_usual = not limits.disp and limits.maxiter == LIMITS.maxiter
    return games.discriminator.is_linear and rows <= linear.STORED and not is_slow and is_usual


@programs.program
def search(games: Game, theta, alpha, tol, is_warm, count=None) -> Solution:
    """Search the saddle point of each of a stack of games (k, ...), or of the first ``count`` of them.

    ``theta`` (k, p) and ``alpha`` (k, q + 1) are its start, ``tol`` (k,) the score norm at which it ends; ``is_warm``
    (k,) says that a solution is near, so that neither the concave log loss nor steps of scoring are gone through first.
    """
    return programs.each(_search, games, theta, alpha, tol, is_warm, count=count)


def _search(game: Game, theta, alpha, tol, is_warm) -> Solution:
    real, start = linear.real_rows(game), stepping.begun(game, theta, alpha, is_warm)
    unfinished, advanced = partial(stepping.is_unfinished, tol), partial(stepping.advanced, game, real, tol)
    return stepping.solution(game, lax.while_loop(unfinished, advanced, start))


def search_in_lanes(games: Game, theta, alpha, tol, is_warm) -> Solution:
    """Search as ``search`` does, with all games side by side: for an accelerator.

    Every lane evaluates one point a step. When half of the lanes have ended the others are packed together, as a power
    of two, so that few shapes are compiled. Games and searches stay on the device until they have ended.
    """
    found: list = [None] * len(theta)
    games, tol = programs.on_device((games, tol))
    states = _begin(games, *programs.on_device((theta, alpha, is_warm)))
    lanes = np.arange(len(theta))  # the game of each lane; -1 of those that only fill up
    while len(lanes):
        states, going = _advance(games, tol, states)
        going = np.asarray(going) & (lanes >= 0)
        left = np.flatnonzero(going)
        if len(left) > len(lanes) // 2:
            continue
        ended = np.flatnonzero(~going & (lanes >= 0))
        solutions = jax.device_get(_end(games, states))
        for lane in ended:
            found[lanes[lane]] = programs.take(solutions, lane)
        size = 1 << (len(left) - 1).bit_length() if len(left) else 0
        at = np.concatenate([left, np.repeat(left[:1], size - len(left))]).astype(int)
        lanes = np.where(np.arange(size) < len(left), lanes[at], -1)
        games, tol, states = _pack((games, tol, states), at) if size else (games, tol, states)
    return Solution(*(np.stack(part) for part in zip(*found, strict=True)))


@programs.program(stays=True)
def _begin(games: Game, theta, alpha, is_warm) -> stepping.State:
    return jax.vmap(stepping.begun)(games, theta, alpha, is_warm)


@programs.program(stays=True)
def _advance(games: Game, tol, states: stepping.State) -> tuple:
    """Advance every lane that goes on by ``ROUND`` steps; whether it then still goes on, (k,)."""

    def one(game, tol, state):
        real = linear.real_rows(game)

        def step(_, state):
            new, goes_on = stepping.advanced(game, real, tol, state), stepping.is_unfinished(tol, state)
            return stepping.chosen(goes_on, new, state)

        state = lax.fori_loop(0, ROUND, step, state)
        return state, stepping.is_unfinished(tol, state)

    return jax.vmap(one)(games, tol, states)


@programs.program(stays=True)
def _end(games: Game, states: stepping.State) -> Solution:
    return jax.vmap(stepping.solution)(games, states)


@programs.program(stays=True)
def _pack(stacks, at):
    return jax.tree.map(lambda leaf: leaf[at], stacks)
