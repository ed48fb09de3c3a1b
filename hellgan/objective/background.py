"""What lies just outside a bulk on the line, and what it would do to the estimates were it as dense within, (23).

Samples are put in order by NumPy, whose sorting is many times as fast as XLA's on a CPU.
"""

from typing import NamedTuple

import jax.numpy as jnp
import numpy as np

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


@programs.program
def draws(games: Game, theta, count=None) -> tuple[Array, Array]:
    """Simulate a stack of games (k, ...) on the line at theta (k, p): rows (k, m) and their weights; or ``count``."""
    return programs.each(lambda *at: (simulate(*at)[:, 0], weigh(*at)), games, theta, count=count)


def _added_scores(game: Game, theta, alpha, points, masses, first) -> Array:
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
    own, counted = scores(points.reshape(-1, 1))
    centred = (own - mean[None]) * jnp.where(is_second[None], counted[:, None], 1.0)
    return jnp.einsum("lp,lpk->lk", masses, centred.reshape(*points.shape, -1))


def _padded(game: Game, scores):
    return jnp.pad(scores, ((0, 0), (game.p, 0)))


class _Ordered(NamedTuple):
    """A sample on the line in order, and what lies below each place; rows of weight 0 come last."""

    rows: Array  # (n,), infinite where they do not count
    below: Array  # (n + 1,) sums of weights

    @classmethod
    def of(cls, rows, weights) -> "_Ordered":
        """Put each of a stack of samples (k, n) in order."""
        counted = np.where(weights > 0, rows, np.inf)
        order = np.argsort(counted, axis=1)
        sums = np.cumsum(np.take_along_axis(np.asarray(weights), order, axis=1), axis=1)
        return cls(np.take_along_axis(counted, order, axis=1), np.pad(sums, ((0, 0), (1, 0))))

    def places(self, points):
        """How many rows are at or below points (l,)."""
        return jnp.searchsorted(self.rows, points, side="right")

    def share(self, points):
        """Sum of the weights of the rows at or below points (l,)."""
        return self.below[self.places(points)]

    def quantiles(self, levels):
        """The first rows at which the sum of weights reaches levels (l,)."""
        return self.rows[jnp.minimum(jnp.searchsorted(self.below[1:], levels), len(self.rows) - 1)]

    def between_ties(self, ends):
        """Move ends (g,) that are beside tied values to the middle between the values to both their sides."""
        around = jnp.pad(self.rows, 2, constant_values=(-np.inf, np.inf))
        at = self.places(ends) + 2
        lower, low, high, higher = (around[at + shift] for shift in (-2, -1, 0, 1))
        is_tied = ((lower == low) | (high == higher)) & jnp.isfinite(low) & jnp.isfinite(high)
        return jnp.where(is_tied, (low + high) / 2, ends)


class _Beside(NamedTuple):
    """The fields of ``Background`` that are computed, of games with a leading axis."""

    observed: Array
    expected: Array
    scores: Array
    ends: Array
    below: Array


@programs.program
def beside(games: Game, theta, alpha, real: _Ordered, drawn: _Ordered, first: tuple | None, count=None) -> _Beside:
    """Look beside the bulk of each of a stack of games (k, ...) on the line, or of the first ``count`` of them.

    ``theta`` is (k, p), ``alpha`` (k, q + 1), ``real`` and ``drawn`` are both samples in order. Where observations are
    weighted by a first fit, ``first`` holds its game and its alpha (k, q + 1), and the scores of both are stacked.
    """
    return programs.each(_beside, games, theta, alpha, real, drawn, first, count=count)


def _beside(game: Game, theta, alpha, real, drawn, first) -> _Beside:
    real, drawn = _Ordered(*real), _Ordered(*drawn)
    ends = drawn.quantiles(np.array([1 - np.array(LEVELS), LEVELS]).ravel()).reshape(2, 1, -1)
    width = ends[1] - ends[0]  # (1, L)
    outwards = np.array([-1.0, 1.0])[:, None, None] * np.array([_NEAR, 1.0])[:, None]  # (2, 2, 1), side and part
    others = ends + outwards * width[None]  # (2, 2, L)
    low, high = jnp.minimum(others, ends), jnp.maximum(others, ends)
    within = real.between_ties(drawn.quantiles(_ENDS))
    at = jnp.concatenate([low.ravel(), high.ravel(), within])
    below = jnp.stack([of.share(at) for of in (real, drawn)], axis=-1)
    lower, upper, below = (below[: low.size], below[low.size : 2 * low.size], below[2 * low.size :])
    shares = (upper - lower).reshape(*low.shape, 2)  # (2, 2, L, 2): side, part, level, sample
    near, whole = shares[:, 0], shares[:, 1]
    # A cluster farther off leaves the nearest quarter empty, but for chance.
    n = 1 / jnp.sum(game.x_weights**2)
    chance = jnp.sqrt(jnp.maximum(near[..., 0], 1 / n) / n)
    most = (jnp.maximum(near[..., 0] - near[..., 1], 0.0) + chance) / _NEAR
    excess = jnp.minimum(most, jnp.maximum(whole[..., 0] - whole[..., 1], 0.0))  # (2, L), of a zone as wide as the bulk
    at = (np.arange(_POINTS) + 0.5) / _POINTS
    fading = np.stack([1 - at, at])  # what lies beside a side fades towards the other
    points, masses = ends[0].T + at[None] * width.T, excess.T @ (fading / _POINTS)  # (L, P)
    moved = _added_scores(game, theta, alpha, points, masses, first)
    observed, expected = jnp.moveaxis(jnp.sum(whole, axis=0), -1, 0)
    return _Beside(observed, expected, moved, within, below)


def all_backgrounds(games: Game, theta: np.ndarray, alpha: np.ndarray, first: tuple | None = None) -> list[Background]:
    """Look beside the bulk of each of a stack of games (k, ...) on the line, with bases.

    ``theta`` is (k, p), ``alpha`` (k, q + 1). Where observations are weighted by a first fit, ``first`` holds its games
    and its alphas (k, q + 1), and the scores of both steps are stacked.
    """
    found = []
    for group, filled in programs.groups(range(len(theta)), len(theta), games.cells):
        before = None if first is None else (programs.take(first[0], filled), first[1][filled])
        found += _backgrounds(programs.take(games, filled), theta[filled], alpha[filled], before, len(group))
    return found


def _backgrounds(games: Game, theta, alpha, first, count: int) -> list[Background]:
    samples = (np.asarray(games.x)[..., 0], games.x_weights), draws(games, theta, count=count)
    real, drawn = (_Ordered.of(rows, weights) for rows, weights in samples)
    found, counted = beside(games, theta, alpha, real, drawn, first, count=count), slice(None if first is None else 0)
    n, m = games.sizes
    return [
        Background(
            LEVELS,
            *(found.observed[k], found.expected[k], found.scores[k]),
            *(found.ends[k, counted], found.below[k, counted]),
            *(float(n[k]), float(m[k])),
        )
        for k in range(count)
    ]
