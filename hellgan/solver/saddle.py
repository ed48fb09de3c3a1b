"""The saddle point of the empirical objective: what to try next, and which of several solutions to keep.

With H the derivative of the mean score, in blocks of theta and alpha, the outer iteration of `newton` is Newton's on
theta, through the Schur complement T = H_tt - H_ta H_aa^-1 H_at: the derivative of the profile score. The steps are
measured in the metric M = -H_at' H_aa^-1 H_at, which at the truth is the information about theta that the discriminator
has, so that they do not depend on the units of the parameters. The inner iteration is a damped Newton ascent in alpha,
warm-started by d alpha/d theta = -H_aa^-1 H_at. A generator with an objective of its own (a non-zero-sum loss) descends
nothing: it first follows its score in the metric M, the steps of Fisher scoring, which only a stable solution attracts;
near it the same step is Newton's on the stacked equations with alpha eliminated. See section 4 of ``docs/theory.md``;
equation numbers are those of that page.
"""

import dataclasses
from collections.abc import Callable

import numpy as np
from scipy import special

from hellgan.execution import programs
from hellgan.generators.smoothed import is_open, smoothing_of
from hellgan.objective.game import Game
from hellgan.objective.linear import STORED
from hellgan.solver import edges, joint, jumps, network, newton
from hellgan.solver.certificate import LIMITS, Limits, SaddlePoint, certify, curvatures_of
from hellgan.solver.smoothing import lost, settled, stayed
from hellgan.solver.starts import nearby

# Starts tried elsewhere, where a saddle point leaves doubt. Samples of more than STORED rows take seconds a solution,
# and are never quite the generator's, so that doubt is usual: for them the best start of a few is tried alone.
_ELSEWHERE, _FEW = 8, 16

# Starts nearby: so many are ranked for each that is tried, fewer where the compiled search tries them, which costs
# little more. It tries them all before the exact iteration, which takes ten times as long where there is nothing,
# begins at those where it came closest.
_RANKED, _RANKED_FOR_SEARCH, _EXACT = 8, 4, 2


def solve_saddle(
    game: Game,
    starts: np.ndarray,
    more: int = 8,
    reserve: Callable[[], np.ndarray] | None = None,
    limits: Limits = LIMITS,
) -> SaddlePoint:
    """Find a saddle point from starting values; try others near them where none is certified.

    Parameters
    ----------
    game : Game
    starts : (p,) or (k, p) array
        Starting values, unconstrained scale. Several are ranked by the objective's inner maximum.
    more : int
        How many further starting values to try, where none of the given is certified.
    reserve : callable, optional
        Gives starting values (k, p) elsewhere: the best ``more`` of them are tried where all others failed, and the
        best few where a saddle point was found that `leaves_doubt`, since there may then be a lower one.
    limits : Limits

    Returns
    -------
    SaddlePoint
        The first that is certified, or the one of lowest value where the search went on elsewhere; where none is
        certified the best of all, ``reason`` saying what is wrong with it.
    """
    starts = np.atleast_2d(np.asarray(starts, np.float64))
    if is_open(game.generator):
        return _solve_smoothed(game, starts, more, reserve, limits)
    more = more if game.discriminator.is_linear else min(more, 1)  # a network takes seconds a start
    is_searched = joint.is_taken(game, limits)
    found, tried = [], []
    for start in _from_all(game, starts, more, reserve, _RANKED_FOR_SEARCH if is_searched else _RANKED):
        tried.append(start)
        found.append(_solve_from(game, start, limits, is_exact=not found))
        if found[-1].is_saddle:
            break
        if reserve is None and game.discriminator.is_linear:  # from a start of the family's own it is no accident
            edge = edges.at_edge(game, found[-1])
            if edge is not None:
                return dataclasses.replace(edge, starts=len(found))
    else:
        closest = sorted(range(1, len(found)), key=lambda k: _order(found[k]))[: _EXACT if is_searched else 0]
        found += [_solve_from(game, tried[k], limits) for k in closest]
    elsewhere, best = 0, min(found, key=_order)
    if reserve is not None and best.is_saddle and leaves_doubt(game, best):
        is_large = len(game.x) + len(game.z) > STORED
        others = ranked(game, reserve()[:_FEW] if is_large else reserve())[: 1 if is_large else _ELSEWHERE]
        found += [_solve_from(game, start, limits) for start in others]
        elsewhere = len(others)
    return dataclasses.replace(min(found, key=_order), starts=len(tried) + elsewhere)


def _solve_smoothed(game, starts, more, reserve, limits) -> SaddlePoint:
    """Find a saddle point of a simulator that jumps: each start is where the smoothing begins."""
    found: list[SaddlePoint] = []
    candidates = list(starts[:4])
    if more and reserve is not None:
        candidates += list(reserve()[:more])
    for start in candidates:
        found += solve_saddles(programs.stack([game]), start[None], limits=limits)
        if found[-1].is_saddle:
            break
    return dataclasses.replace(min(found, key=_order), starts=len(found))


def leaves_doubt(game: Game, saddle: SaddlePoint) -> bool:
    """Whether the discriminator tells the samples apart by more than chance: a lower saddle point might lie elsewhere.

    Chance is judged by the chi-square limit of (4), without what the ridge and the noise of Sobol points change in it.
    """
    if not game.discriminator.is_linear:
        return False  # a network takes seconds a start
    n, m = game.sizes
    excess = saddle.value - game.loss.value_at_equality
    df = max(game.discriminator.size - 1 - game.p, 1)
    return bool(game.loss.chi2_factor * n * m / (n + m) * excess > special.chdtri(df, 0.01))


def _order(saddle: SaddlePoint):
    """Order of saddle points: certified ones first, by the game's value; the rest by how nearly they are solutions."""
    if saddle.is_saddle:
        return False, False, saddle.value
    return True, not saddle.converged, np.nan_to_num(saddle.score_norm, nan=np.inf)


def first_start(game: Game, starts: np.ndarray) -> np.ndarray:
    """Give the start (p,) from which ``solve_saddle`` would begin."""
    return next(_from_all(game, starts, 0))


def solve_saddles(
    games: Game,
    starts: np.ndarray,
    alphas: np.ndarray | None = None,
    limits: Limits = LIMITS,
    wanted: int | None = None,
) -> list[SaddlePoint]:
    """Solve each of a stack of games (k, ...), from one start each (k, p); ``reason`` says why one is not certified.

    ``alphas`` (k, q + 1), where given, are the discriminators of solutions nearby; a network needs them. No pains are
    taken with games after the first ``wanted``, which only fill the stack.
    """
    if not games.discriminator.is_linear:
        if alphas is None:
            raise ValueError("solve_saddles: a network is solved by solve_saddle.")
        return [
            network.polish_network(programs.take(games, k), start, alpha)
            for k, (start, alpha) in enumerate(zip(starts, alphas, strict=True))
        ]
    if is_open(games.generator):
        games = settled(games, starts)
        starts, alphas = smoothing_of(games.generator)[:, :, 0], None
    found = joint.descend(games, np.asarray(starts, np.float64), alphas, limits, wanted)
    values = found.value + np.sum(games.discriminator.ridge * found.alpha**2, axis=1)
    tops, leasts = curvatures_of(found.jacobian, games.p, games.loss.is_zero_sum)
    saddles = [
        certify(
            games,
            found.theta[k],
            found.alpha[k],
            found.jacobian[k],
            values[k],
            found.score_norm[k],
            found.iterations[k],
            found.inner_iterations[k],
            curvatures=(float(tops[k]), float(leasts[k])),
            weights=games.x_weights[k],
            limits=limits,
        )
        for k in range(len(starts))
    ]
    where = smoothing_of(games.generator)
    if where.size:
        return [
            dataclasses.replace(saddle if stays else lost(saddle), smoothing=where[k])
            for k, (saddle, stays) in enumerate(zip(saddles, stayed(games, found.theta), strict=True))
        ]
    return jumps.checked(games, saddles, limits)


def _solve_from(game, start, limits, is_exact=True):
    """Solve from one start; where the compiled search finds nothing, by the exact iteration if that is wanted."""
    if game.discriminator.is_linear:
        return solve_saddles(programs.stack([game]), start[None], limits=limits, wanted=int(is_exact))[0]
    return network.solve_network(game, start)


def _from_all(game, starts, more, reserve=None, among=_RANKED):
    """Yield the given starts, best first, then the best of those scattered around the first, then of the reserve.

    Of those scattered there are ``among`` for each that is given out.
    """
    ordered = ranked(game, starts) if len(starts) > 1 else starts
    ordered = ordered if len(ordered) else starts
    yield from ordered[:4]
    if more == 0:
        return
    yield from ranked(game, nearby(game, ordered[0], among * more))[:more]
    if reserve is not None and game.discriminator.is_linear:
        yield from ranked(game, reserve())[:more]


def ranked(game: Game, starts: np.ndarray) -> np.ndarray:
    """Order starting values (k, p) by the inner maximum of the objective, least first; drop those without one."""
    values = np.array([_inner_value(game, start) for start in starts])
    order = np.argsort(np.where(np.isfinite(values), values, np.inf))
    return starts[order][: np.sum(np.isfinite(values))]


def _inner_value(game: Game, start) -> float:
    if not game.discriminator.is_linear:
        return network.inner_value(game, start)
    alpha = np.zeros((1, game.discriminator.size))
    local = newton.locate(programs.stack([game]), start[None], alpha, np.ones(1, bool))
    return float(local.value[0])
