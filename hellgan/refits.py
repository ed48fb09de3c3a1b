"""Refits of one fit: its game with other weights, latent points or observations, solved from nearby.

Bootstrap, leave-one-out, contamination and case deletion are one code path: a stack of games that differ from the
fit's own in some arrays.
"""

import dataclasses
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import numpy as np

from hellgan import batching, inference
from hellgan.generators import Generator
from hellgan.inference import JointLaw
from hellgan.objective import Game
from hellgan.solver import SaddlePoint, solve_saddle, solve_saddles


class Changes(NamedTuple):
    """What some refits change of a game."""

    fields: dict[str, Any]  # of ``Game``, stacked (k, ...)
    step: np.ndarray | None = None  # (k, p + q + 1): what to add to the solution nearby
    near: bool = True  # whether the discriminator of the solution nearby is of use


class Refits(NamedTuple):
    """Solutions of R games."""

    theta: np.ndarray  # (R, p), unconstrained scale; NaN where not certified
    alpha: np.ndarray  # (R, q + 1)
    trouble: list[str]  # why not certified; empty where it is
    laws: list[JointLaw] | None  # where asked for

    @property
    def certified(self) -> np.ndarray:
        """Whether each is a certified saddle point: (R,)."""
        return np.array([not trouble for trouble in self.trouble], bool)


def refit(
    game: Game,
    changes: Callable[[slice], Changes],
    count: int,
    theta: np.ndarray,
    alpha: np.ndarray,
    scrambles: np.ndarray | None = None,
    laws: bool = False,
    more: int | None = 2,
    threads: int | None = None,
    progress: bool = False,
) -> Refits:
    """Solve a game with some of its fields changed, ``count`` times.

    Parameters
    ----------
    game : Game
        One game, as NumPy.
    changes : callable
        Gives the changes of the refits of a slice, so that not all need be in memory at once.
    count : int
    theta, alpha : (p,) or (count, p) and (q + 1,) or (count, q + 1) arrays
        Solutions nearby.
    scrambles : (S, m) or (S, m, k) array, optional
        As ``inference.laws`` takes them; for ``laws``.
    laws : bool
        Whether to infer the joint law at each solution.
    more : int
        How many further starts to try for a refit that is not certified; None: not even the same one anew.
    threads, progress
        As ``batching.over_chunks`` takes them.
    """
    theta, alpha = (np.broadcast_to(u, (count, np.shape(u)[-1])) for u in (theta, alpha))

    def task(chunk):
        fields, step, near = changes(chunk)
        size = chunk.stop - chunk.start
        games = dataclasses.replace(batching.repeated(game, size), **fields)
        starts, alphas = theta[chunk], alpha[chunk]
        if step is not None:
            starts, alphas = starts + step[:, : game.p], alphas + step[:, game.p :]
        saddles = solve_saddles(games, starts, alphas if near or not game.discriminator.is_linear else None)
        for k, saddle in enumerate(saddles):
            if not saddle.is_saddle and more is not None:
                saddles[k] = solve_saddle(batching.take(games, k), theta[chunk][k], more=more)
        found = inference.laws(games, saddles, [scrambles] * size) if laws else [None] * size
        return list(zip(saddles, found, strict=True))

    done: list[tuple[SaddlePoint, JointLaw | None]] = batching.over_chunks(task, count, threads, progress, "refit")
    certified = np.array([saddle.is_saddle for saddle, _ in done])[:, None]
    return Refits(
        np.where(certified, np.array([saddle.theta for saddle, _ in done]), np.nan),
        np.where(certified, np.array([saddle.alpha for saddle, _ in done]), np.nan),
        [saddle.reason for saddle, _ in done],
        [law for _, law in done if law is not None] if laws else None,
    )


def natural_rows(generator: Generator, theta: np.ndarray) -> np.ndarray:
    """Natural parameters (R, r) of unconstrained ones (R, p)."""
    with jax.enable_x64(True):
        return np.asarray(_natural_rows(generator, theta))


@jax.jit
def _natural_rows(generator, theta):
    return jax.vmap(generator.natural_vector)(theta)


@jax.jit
def simulated(generator: Generator, theta, z):
    """Observations that a generator makes of latent draws (k,) or (k, latent_dim)."""
    return jax.vmap(lambda draw: generator(theta, draw))(z)
