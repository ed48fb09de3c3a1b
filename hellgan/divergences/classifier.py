"""The divergence of two samples by a trained discriminator: the value of the game at its maximum, bias corrected.

With features phi, V(alpha) the mean of real(alpha' phi) over one sample and of fake(alpha' phi) over the other, the
maximum lies above that of the population by tr[(-H)^-1 (S_x/n + S_y/m)]/2 to first order, H the second derivative and
S the covariances of both samples' scores: (29) of ``docs/theory.md``.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from hellgan.descent import minimised
from hellgan.discriminators import Basis, Sigmoids
from hellgan.divergences.permutations import labels, share_above
from hellgan.execution import programs
from hellgan.losses import Loss

_TOLERANCE = 1e-9


class TwoSamples(NamedTuple):
    """Features of the pooled sample, and the game between its two parts; a pytree."""

    loss: Loss
    features: Any  # (N, q + 1)
    belongs: Any  # (N,): whether a point is of the first sample
    ridge: Any  # (q + 1,)


def between(x: np.ndarray, y: np.ndarray, loss: Loss, seed: int) -> TwoSamples:
    """Place the default discriminator on the pooled sample, so that permutations have it, too."""
    pooled, d = np.concatenate([x, y]), x.shape[1]
    specification = Sigmoids(16) if d == 1 else Sigmoids(4 if d <= 4 else 2)
    basis = specification.place(pooled, np.full(len(pooled), 1 / len(pooled)), seed)
    assert isinstance(basis, Basis)
    return TwoSamples(loss, _features(basis, pooled), np.arange(len(pooled)) < len(x), basis.ridge)


def estimated(game: TwoSamples, n: int, m: int) -> tuple[float, float]:
    """Compute the divergence, less its bias to first order, and its standard error."""
    value, bias, real, fake = _solved(game)
    error = np.sqrt(np.var(real[:n], ddof=1) / n + np.var(fake[n:], ddof=1) / m)
    return float(value - bias) - game.loss.value_at_equality, float(error)


def pvalue(game: TwoSamples, n: int, count: int, seed: int) -> float:
    """Compute the permutation test's p-value, the statistic being the value of the game."""
    belongs = labels(n, len(game.features) - n, count, seed)
    return share_above(_permuted(game, belongs))


@programs.program
def _features(basis, rows):
    return jax.vmap(basis.features)(rows)


def _shares(belongs):
    first = jnp.where(belongs, 1.0, 0.0)
    return first / jnp.sum(first), (1 - first) / jnp.sum(1 - first)


def _maximum(game: TwoSamples, belongs):
    first, second = _shares(belongs)

    def loss_of(alpha):
        v = game.features @ alpha
        penalty = game.ridge @ alpha**2
        return penalty - first @ game.loss.real(v) - second @ game.loss.fake(v)

    begin = jnp.zeros_like(game.ridge * 1.0)
    return minimised(loss_of, begin, 10 * jnp.ones_like(begin), _TOLERANCE)


@programs.program
def _solved(game):
    found = _maximum(game, game.belongs)
    first, second = _shares(game.belongs)
    v = game.features @ found.at
    slopes = [jax.jvp(f, (v,), (jnp.ones_like(v),))[1] for f in (game.loss.real, game.loss.fake)]
    noise = jnp.zeros_like(found.hessian)
    for shares, slope in zip((first, second), slopes, strict=True):
        rows = slope[:, None] * game.features
        rows = rows - (shares @ rows)[None]
        size = 1 / jnp.sum(shares**2)
        noise = noise + (shares[:, None] * rows).T @ rows / (size - 1)
    bias = jnp.trace(jnp.linalg.solve(found.hessian, noise)) / 2
    real, fake = game.loss.real(v), game.loss.fake(v)
    return first @ real + second @ fake, bias, real, fake


@programs.program
def _permuted(game, belongs):
    return jax.lax.map(lambda own: -_maximum(game, own).value, belongs)
