"""What the bulk's test is made of: the part of the sample that a discriminator believes, beside the generator's."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from hellgan.balance import Balance, Believed
from hellgan.execution import programs
from hellgan.objective.belief import belief
from hellgan.objective.evaluation import FIRST, covariances_of_means
from hellgan.objective.game import Array, Game, by_feature, ratios, simulate, weigh
from hellgan.objective.linear import row_map, row_sums


class Bulk(NamedTuple):
    """Features, the constant not counted, over the believed parts of both samples; of games, with a leading axis."""

    difference: Array  # (q,) of the weighted means, real less simulated
    slope: Array  # (q, p) derivative in theta of the simulated mean
    covariance: Array  # (q, q) of the features over the real sample, as its mean has it: divided by n
    noise: Array  # (q, q) covariance of the difference
    share: Array  # of the real sample, by weight, that is believed
    n: Array  # effective size of the believed part


@programs.program
def bulks(games: Game, theta, alpha, others, count=None) -> Bulk:
    """Evaluate ``Bulk`` for a stack of games (k, ...) with bases, or for the first ``count`` of them.

    ``theta`` is (k, p), ``alpha`` (k, q + 1) of the discriminator that believes. ``others`` (k, S, q) holds the mean
    features over the believed part of other Sobol samples; None where the latents are no Sobol points.
    """
    return programs.each(_bulk, games, theta, alpha, others, count=count)


def _bulk(game: Game, theta, alpha, others) -> Bulk:
    weights = game.x_weights * row_map(lambda x: belief(ratios(by_feature(game, x), alpha)), game.x)
    share = jnp.sum(weights)
    weights = weights / share
    mean = row_sums(lambda weights, x: by_feature(game, x) @ weights, weights, game.x)
    (covariance,) = covariances_of_means(lambda x: (by_feature(game, x),), weights, game.x)
    n = 1 / jnp.sum(weights**2)
    if game.draws_each:
        # Each observation is held against its own draws: contamination may depend on the covariates.
        slope, rows = jax.jacfwd(lambda theta: _of_own_draws(game, theta, alpha, weights), has_aux=True)(theta)
        (noise,) = covariances_of_means(lambda rows: (rows.T,), weights, (by_feature(game, game.x) - rows).T)
        return Bulk(mean - rows @ weights, slope, covariance, noise, share, n)

    def centre(theta):
        mean = _believed_mean(game, theta, alpha, game.z)
        return mean, mean

    slope, middle = jax.jacfwd(centre, has_aux=True)(theta)

    def moments(believed, z):
        centred = by_feature(game, simulate(game, theta, z)) - middle[:, None]
        squares = [(weights[None] * centred) @ centred.T for weights in (believed, believed**2)]
        return jnp.sum(believed), jnp.sum(believed**2), *squares

    drawn = row_map(lambda z, u: _believed(game, theta, alpha, z, u)[1], game.z, game.z_weights)
    total, effective, squares, tilted = row_sums(moments, drawn, game.z)
    lost = 1 - effective / total**2
    # Both samples tell the features' covariance: in a tail of few observations one alone would say too little.
    covariance = (covariance + squares / (total * lost * n)) / 2
    if others is not None:
        centred = others - jnp.mean(others, axis=0)[None]
        noise = covariance + centred.T @ centred / (others.shape[0] - 1)
    else:
        noise = covariance + tilted / (total**2 * lost)
    return Bulk(mean - middle, slope, covariance, noise, share, n)


def _believed(game: Game, theta, alpha, z, weights):
    """Features (q, m) of simulated rows, and the part of the weight of each that is believed."""
    phi = by_feature(game, simulate(game, theta, z))
    return phi, weigh(game, theta, weights, z) * belief(ratios(phi, alpha))


def _believed_mean(game: Game, theta, alpha, z):
    """Mean features (q,) over the believed part of a simulated sample."""

    def sums(weights, z):
        phi, believed = _believed(game, theta, alpha, z, weights)
        return phi @ believed, jnp.sum(believed)

    sum_, total = row_sums(sums, game.z_weights, z)
    return sum_ / total


def _of_own_draws(game: Game, theta, alpha, weights):
    """Mean features (q,) of the believed draws, and those of each observation's (q, n); of all where none is."""
    ones = jnp.ones(len(game.z), weights.dtype)
    phi, believed = _believed(game, theta, alpha, game.z, ones)
    phi, believed = (part.reshape(*part.shape[:-1], len(weights), game.draws_each) for part in (phi, believed))
    total = jnp.sum(believed, axis=1)
    means = jnp.sum(believed[None] * phi, axis=2) / jnp.where(total > 0, total, 1.0)[None]
    return means @ weights, means


@programs.program
def believed_means(games: Game, theta, alpha, scrambles, count=None) -> Array:
    """Mean features (k, S, q) over the believed parts of other Sobol samples (S, m, dim); as ``bulks`` takes them."""

    def over_others(game, theta, alpha):
        return jax.lax.map(lambda z: _believed_mean(game, theta, alpha, z), scrambles)

    return programs.each(over_others, games, theta, alpha, count=count)


def all_believed(
    games: Game,
    theta: np.ndarray,
    alpha: np.ndarray,
    scrambles: np.ndarray | None,
    others: np.ndarray | None = None,
) -> list[Believed]:
    """Compare the believed parts of both samples of each of a stack of games.

    Arguments as ``bulks`` takes them; where ``others`` are not known they are evaluated over ``scrambles`` (S, m, dim).
    """
    found = []
    for group, filled in programs.groups(range(len(theta)), len(theta), games.cells):
        of, means = programs.take(games, filled), None if others is None else others[filled]
        if means is None and scrambles is not None:
            means = believed_means(of, theta[filled], alpha[filled], scrambles[:FIRST], count=len(group))
        parts = bulks(of, theta[filled], alpha[filled], means, count=len(group))
        ridges = np.asarray(of.discriminator.ridge)[:, 1:]
        found += [_compared(programs.take(parts, k), ridges[k]) for k in range(len(group))]
    return found


def _compared(found: Bulk, ridge: np.ndarray) -> Believed:
    n = float(found.n)
    return Believed(
        np.asarray(found.difference),
        Balance(n * np.asarray(found.covariance), n * np.asarray(found.noise), n, np.asarray(found.slope), ridge),
        float(found.share),
    )
