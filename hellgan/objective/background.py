"""What lies just outside a bulk on the line, and what it would do to the estimates were it as dense within, (23)."""

from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jax import lax

from hellgan.balance import Background
from hellgan.execution import programs
from hellgan.losses.derivatives import derivatives
from hellgan.objective.belief import belief
from hellgan.objective.game import Array, Game, features, simulate, weigh
from hellgan.objective.linear import row_sums

# The bulk ends at one of these pairs of quantiles of the fitted law: heavy tails hide what lies beyond all but the
# first. Zones as wide as the bulk adjoin it; contamination that is spread out reaches the first quarter of them, too.
LEVELS = (0.95, 0.975, 0.99, 0.995)
_NEAR = 0.25
_POINTS = 64  # at which scores are averaged over the bulk

# Between any two of these quantiles, not too far apart, observations are counted for a crowd within the bulk. What lies
# beyond the last ones moves the estimates little.
_TAIL = (0.002, 0.005, 0.01, 0.02, 0.03, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4)
_ENDS = np.array([*_TAIL, 0.5, *(1 - np.array(_TAIL[::-1]))])


class Surroundings(NamedTuple):
    """The zones to both sides of a bulk, for each of the levels; of games, with a leading axis."""

    observed: Array  # (L,) share of the real sample, by weight, in the two zones
    expected: Array  # (L,) share of the simulated sample there
    scores: Array  # (L, k) what contamination within the bulk would add to the mean score
    ends: Array  # (G,) points within the bulk
    below: Array  # (G, 2) shares of both samples at or below them


@programs.program
def surroundings(games: Game, theta, alpha, first: tuple | None) -> Surroundings:
    """Evaluate ``Surroundings`` for a stack of games (k, ...) on the line, with bases.

    ``theta`` is (k, p), ``alpha`` (k, q + 1). Where observations are weighted by a first fit, ``first`` holds its game
    and its alpha (k, q + 1), and the scores of both steps are stacked.
    """
    return programs.each(_surroundings, games, theta, alpha, first)


def _surroundings(game: Game, theta, alpha, first) -> Surroundings:
    def scores(rows):
        """Scores (r, k) of rows (r, 1), and what each counts in the first k of these."""
        phi = features(game, rows)
        own = _padded(game, derivatives(game.loss.real, phi @ alpha)[1][:, None] * phi)
        if first is None:
            return own, jnp.ones(len(rows), phi.dtype)
        before, before_alpha = first
        v = phi @ before_alpha
        early = _padded(game, derivatives(before.loss.real, v)[1][:, None] * phi)
        return jnp.concatenate([own, early], axis=1), belief(v)

    def sums(weights, rows):
        own, counted = scores(rows)
        return weights @ own, (weights * counted) @ own, weights @ counted

    # At a root the simulated sample's scores and the penalty balance these means.
    plain, weighted, share = row_sums(sums, game.x_weights, game.x)
    is_second = jnp.arange(plain.shape[0]) < game.size
    mean = jnp.where(is_second, weighted / share, plain)

    def centred(rows):
        own, counted = scores(rows)
        return (own - mean[None]) * jnp.where(is_second[None], counted[:, None], 1.0)

    x, simulated = game.x[:, 0], simulate(game, theta)[:, 0]
    order, drawn = jnp.argsort(simulated), weigh(game, theta)
    sorted_draws, levels = simulated[order], jnp.cumsum(drawn[order])
    n = 1 / jnp.sum(game.x_weights**2)

    def share(zone):
        """Share of both samples, by weight, in a zone (low, high]."""
        inside = [(rows > zone[0]) & (rows <= zone[1]) for rows in (x, simulated)]
        return jnp.stack([game.x_weights @ inside[0], drawn @ inside[1]])

    def quantiles(level):
        return sorted_draws[jnp.minimum(jnp.searchsorted(levels, level), len(simulated) - 1)]

    ends = quantiles(np.stack([1 - np.array(LEVELS), LEVELS]))  # (2, L)
    width = ends[1] - ends[0]
    outwards = np.array([-1.0, 1.0])[:, None, None] * np.array([_NEAR, 1.0])[None, :, None]  # (2, 2, 1), side and part
    beside = ends[:, None] + outwards * width[None, None]
    zones = jnp.sort(jnp.stack(jnp.broadcast_arrays(ends[:, None], beside), axis=-1), axis=-1).reshape(-1, 2)
    within = lax.map(lambda end: _between_ties(x, game.x_weights, end), quantiles(_ENDS))
    shares = lax.map(share, jnp.concatenate([zones, jnp.stack([jnp.full_like(within, -jnp.inf), within], axis=-1)]))
    found, below = shares[: len(zones)].reshape(2, 2, len(LEVELS), 2), shares[len(zones) :]
    near, whole = found[:, 0], found[:, 1]  # (2, L, 2): side, level, sample
    # A cluster farther off leaves the nearest quarter empty, but for chance.
    most = (jnp.maximum(near[..., 0] - near[..., 1], 0.0) + jnp.sqrt(jnp.maximum(near[..., 0], 1 / n) / n)) / _NEAR
    excess = jnp.minimum(most, jnp.maximum(whole[..., 0] - whole[..., 1], 0.0))  # of a zone as wide as the bulk
    at = (np.arange(_POINTS)[None] + 0.5) / _POINTS
    fading = np.concatenate([1 - at, at])  # what lies beside a side fades towards the other
    inside = centred((ends[0][:, None] + at * width[:, None]).reshape(-1, 1)).reshape(len(LEVELS), _POINTS, -1)
    moved = jnp.einsum("sl,sp,lpk->lk", excess, fading / _POINTS, inside)
    observed, expected = jnp.moveaxis(jnp.sum(whole, axis=0), -1, 0)
    return Surroundings(observed, expected, moved, within, below)


def _between_ties(x, weights, end):
    """Move an end that is beside tied values of a sample to the middle between the values to both its sides."""
    counted = weights > 0
    low = jnp.max(jnp.where(counted & (x <= end), x, -jnp.inf))
    high = jnp.min(jnp.where(counted & (x > end), x, jnp.inf))
    is_tied = (jnp.sum(counted & (x == low)) > 1) | (jnp.sum(counted & (x == high)) > 1)
    return jnp.where(is_tied & jnp.isfinite(low) & jnp.isfinite(high), (low + high) / 2, end)


def _padded(game: Game, scores):
    return jnp.pad(scores, ((0, 0), (game.p, 0)))


def all_backgrounds(games: Game, theta: np.ndarray, alpha: np.ndarray, first: tuple | None = None) -> list[Background]:
    """Look beside the bulk of each of a stack of games; arguments as ``surroundings`` takes them."""
    size, found = programs.group_size(len(theta)), []
    for begin in range(0, len(theta), size):
        group = list(range(begin, min(begin + size, len(theta))))
        filled = group + group[:1] * (size - len(group))
        before = None if first is None else (programs.take(first[0], filled), first[1][filled])
        parts = surroundings(programs.take(games, filled), theta[filled], alpha[filled], before)
        found += [programs.take(parts, k) for k in range(len(group))]
    n, m = games.sizes
    counted = slice(None) if first is None else slice(0)
    return [
        Background(
            LEVELS, of.observed, of.expected, of.scores, of.ends[counted], of.below[counted], float(n[k]), float(m[k])
        )
        for k, of in enumerate(found)
    ]
