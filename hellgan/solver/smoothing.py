"""Where a simulator that jumps is smoothed, and how widely: a search that begins wide and ends narrow.

The spread is a multiple of the standard deviation that one observation leaves in the parameters, _WIDTH n^-.3: what
smoothing adds to the law is of the order of its square, n^-.6, and vanishes beside the standard error n^-.5; within it
lie m n^-.3 of m simulated draws, and more as n grows.
"""

import dataclasses
from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np

from hellgan.execution import programs
from hellgan.generators.smoothed import Smoothed, smoothed_at, smoothing_of
from hellgan.objective.game import Game
from hellgan.records import informations
from hellgan.solver import joint
from hellgan.solver.certificate import SaddlePoint
from hellgan.solver.starts import reach_at

_WIDTH, _EXPONENT = 0.5, -0.3
_STAGES = (8.0, 4.0, 2.0, *(1.0,) * 8)  # times the last spread, which is repeated until theta stays
_STAYS, _AWAY = 0.5, 2.0  # spreads by which theta moves from the reference where it stays, and where it does not
_FIRST = 0.5  # of the first spread, in interquartile ranges of the simulated law
_FARTHEST = 2.0  # spreads that theta moves in a stage: farther off, few draws have any weight


def settled(games: Game, starts: np.ndarray) -> Game:
    """Smooth each of a stack of games (k, ...), from a start each (k, p)."""
    assert isinstance(games.generator, Smoothed)
    theta = np.asarray(starts, np.float64)
    first = _FIRST * _reaches(games, theta)[:, :, None] * np.eye(games.p)
    n, spread = np.asarray(games.sizes[0]), first.copy()
    for stage in _STAGES:
        games = _at(games, theta, spread)
        found = joint.descend(games, theta)
        towards = np.linalg.solve(spread, (found.theta - theta)[:, :, None])[:, :, 0]
        good = np.all(np.isfinite(towards), axis=1)
        length = np.linalg.norm(np.where(good[:, None], towards, 0.0), axis=1)
        part = np.where(good, np.minimum(1.0, _FARTHEST / np.maximum(length, _FARTHEST)), 0.0)
        theta = theta + part[:, None] * np.where(good[:, None], found.theta - theta, 0.0)
        if stage == 1.0:
            # Noise in the slopes passes for information: a spread that followed it here would shrink further.
            if np.all(length <= _STAYS):
                break
            continue
        for k in np.flatnonzero(good & np.all(np.isfinite(found.jacobian), axis=(1, 2))).tolist():
            spread[k] = _spread(found.jacobian[k], games, first[k], stage / 2 * _WIDTH * n[k] ** _EXPONENT)
    return _at(games, theta, spread)


def opened(game: Game) -> Game:
    """Leave it to the next search where the simulator of one game is smoothed; the same game where nothing is."""
    if not isinstance(game.generator, Smoothed):
        return game
    p = game.p
    return dataclasses.replace(game, generator=smoothed_at(game.generator, np.zeros(p), np.zeros((p, p))))


def stayed(games: Game, theta: np.ndarray) -> np.ndarray:
    """Whether solutions (k, p) lie where many of the smoothed draws have weight: (k,)."""
    where = smoothing_of(games.generator)
    towards = np.linalg.solve(where[:, :, 1:], (theta - where[:, :, 0])[:, :, None])[:, :, 0]
    return np.linalg.norm(towards, axis=1) <= _AWAY


def lost(saddle: SaddlePoint) -> SaddlePoint:
    """Give a solution that is none, since hardly a draw has weight there."""
    reason = "the parameters at which the simulator is smoothed did not settle; give more draws, n_simulated="
    if saddle.reason:
        return saddle
    return dataclasses.replace(saddle, is_saddle=False, kind="not certified", reason=reason)


def settled_at(games: Game, saddles: Sequence) -> Game:
    """Smooth each of a stack of games as its solution says; the same games where nothing is smoothed."""
    if not isinstance(games.generator, Smoothed):
        return games
    where = np.stack([saddle.smoothing for saddle in saddles])
    return _at(games, where[:, :, 0], where[:, :, 1:])


def _spread(jacobian: np.ndarray, games: Game, first: np.ndarray, width: float) -> np.ndarray:
    """Square root (p, p) of the scatter: ``width`` standard deviations of one observation, but no more than first."""
    c = float(np.asarray(games.loss.c).reshape(-1)[0])
    information = first.T @ informations(jacobian[None], games.p)[0] @ first / c
    values, vectors = np.linalg.eigh((information + information.T) / 2)
    return first @ vectors * np.minimum(1.0, width / np.sqrt(np.maximum(values, 1e-12)))


def _at(games: Game, reference: np.ndarray, spread: np.ndarray) -> Game:
    assert isinstance(games.generator, Smoothed)
    return dataclasses.replace(games, generator=smoothed_at(games.generator, reference.copy(), spread.copy()))


@programs.program
def _reaches(games: Game, theta):
    """Change (k, p) of each parameter that moves the simulator's law by its interquartile range, or by a unit."""

    def one(game: Game, theta):
        of = game.generator
        assert isinstance(of, Smoothed)
        own = jax.vmap(lambda z: of.split(z)[0])(game.z[: min(len(game.z), 1024)])
        return jnp.minimum(reach_at(of.simulator, theta, own), 1.0 + jnp.abs(theta))

    return programs.each(one, games, theta)
