"""Schemes by which both players move: alternating, simultaneous, extragradient, optimistic.

Each is a function of the players, the optimisers and the gradients, and of nothing else. An optimiser is optax's;
"a step" is what it makes of a gradient.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax

UPDATES = ("alternating", "simultaneous", "extragradient", "optimistic")


class Players(NamedTuple):
    """Both players, what their optimisers remember, and the vectors of spectral normalisation."""

    g: Any
    d: Any
    optimiser_g: Any
    optimiser_d: Any
    vectors: Any


class Gradients(NamedTuple):
    """Gradients of what each player minimises, with what is told of them.

    ``of_d(g, d, vectors, draw)`` and ``of_g(g, d, vectors, draw)`` give a gradient and a record; ``refreshed(d,
    vectors)`` the vectors of a further power iteration.
    """

    of_d: Callable
    of_g: Callable
    refreshed: Callable


class Optimisers(NamedTuple):
    """optax's transformations: the generator's and the discriminator's."""

    g: Any
    d: Any


def alternating(players: Players, draws: list, gradients: Gradients, optimisers: Optimisers):
    """Move the discriminator once for each draw but the last, then the generator, which meets the new discriminator."""
    told = None
    for draw in draws[:-1]:
        vectors = gradients.refreshed(players.d, players.vectors)
        slope, told = gradients.of_d(players.g, players.d, vectors, draw)
        d, memory = moved(optimisers.d, slope, players.optimiser_d, players.d)
        players = players._replace(d=d, optimiser_d=memory, vectors=vectors)
    slope, said = gradients.of_g(players.g, players.d, players.vectors, draws[-1])
    g, memory = moved(optimisers.g, slope, players.optimiser_g, players.g)
    return players._replace(g=g, optimiser_g=memory), (told, said)


def simultaneous(players: Players, draws: list, gradients: Gradients, optimisers: Optimisers):
    """Move both by their gradients at the same point and draw; optimisers that look back make it ``optimistic``."""
    players = players._replace(vectors=gradients.refreshed(players.d, players.vectors))
    return _both(players, players, draws[0], gradients, optimisers)


def extragradient(players: Players, draws: list, gradients: Gradients, optimisers: Optimisers):
    """Look a step ahead, then move from here by the gradients there, at the same draw.

    Optimisers with a memory take up both gradients, as in the extrapolated Adam of Gidel et al. (2019).
    """
    players = players._replace(vectors=gradients.refreshed(players.d, players.vectors))
    ahead, _ = _both(players, players, draws[0], gradients, optimisers)
    begin = ahead._replace(g=players.g, d=players.d)
    return _both(begin, ahead, draws[0], gradients, optimisers)


def _both(begin: Players, at: Players, draw, gradients: Gradients, optimisers: Optimisers):
    """Move both from ``begin`` by their gradients at ``at``."""
    slope_d, told = gradients.of_d(at.g, at.d, at.vectors, draw)
    slope_g, said = gradients.of_g(at.g, at.d, at.vectors, draw)
    d, memory_d = moved(optimisers.d, slope_d, begin.optimiser_d, begin.d)
    g, memory_g = moved(optimisers.g, slope_g, begin.optimiser_g, begin.g)
    return Players(g, d, memory_g, memory_d, begin.vectors), (told, said)


SCHEMES = {
    "alternating": alternating,
    "simultaneous": simultaneous,
    "extragradient": extragradient,
    "optimistic": simultaneous,
}


def moved(optimiser, slope, memory, at):
    """Take an optimiser's step from a point: the new point, and what the optimiser remembers."""
    step, memory = optimiser.update(slope, memory, at)
    return jax.tree.map(lambda a, b: a + b, at, step), memory
