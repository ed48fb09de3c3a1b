"""What the bulk's test is made of: the part of the sample that a discriminator believes, beside the generator's."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from hellgan.balance import Balance, Believed
from hellgan.execution import programs
from hellgan.objective.belief import belief
from hellgan.objective.evaluation import FIRST, covariance_of, covariances_of_means
from hellgan.objective.game import Array, Game, features, simulate, weigh


class Bulk(NamedTuple):
    """Features, the constant not counted, over the believed parts of both samples; of games, with a leading axis."""

    difference: Array  # (q,) of the weighted means, real less simulated
    slope: Array  # (q, p) derivative in theta of the simulated mean
    covariance: Array  # (q, q) of the features over the real sample, as its mean has it: divided by n
    noise: Array  # (q, q) covariance of the difference
    share: Array  # of the real sample, by weight, that is believed
    n: Array  # effective size of the believed part


@programs.program
def bulks(games: Game, theta, alpha, scrambles) -> Bulk:
    """Evaluate ``Bulk`` for a stack of games (k, ...) with bases.

    ``theta`` is (k, p), ``alpha`` (k, q + 1) of the discriminator that believes. ``scrambles`` (S, m, dim) holds other
    Sobol samples; None where the latents are no Sobol points.
    """
    several = None if scrambles is None else jnp.broadcast_to(scrambles[None], (theta.shape[0], *scrambles.shape))
    return programs.each(_bulk, games, theta, alpha, several)


def _bulk(game: Game, theta, alpha, scrambles) -> Bulk:
    phi = features(game, game.x)
    weights = game.x_weights * belief(phi @ alpha)
    share = jnp.sum(weights)
    weights = weights / share
    mean = (weights @ phi)[1:]

    def simulated(theta, z):
        """Features of the simulated rows, and the part of each that is believed."""
        rows = features(game, simulate(game, theta, z))
        return rows[:, 1:], weigh(game, theta, jnp.ones(len(z), rows.dtype), z) * belief(rows @ alpha)

    def own_means(theta):
        """Mean of the believed draws of each observation, (n, q); of the law where none is believed."""
        rows, believed = (part.reshape(len(weights), game.draws_each, -1) for part in simulated(theta, game.z))
        total = jnp.sum(believed, axis=1)
        return jnp.sum(believed * rows, axis=1) / jnp.where(total > 0, total, 1.0)

    def simulated_mean(theta, z=game.z):
        """The mean, and the rows and weights that it is of."""
        if game.draws_each:
            rows = own_means(theta)
            return weights @ rows, (weights, rows)
        rows, believed = simulated(theta, z)
        believed = game.z_weights * believed
        believed = believed / jnp.sum(believed)
        return believed @ rows, (believed, rows)

    def traced(theta):
        centre, of = simulated_mean(theta)
        return centre, (centre, *of)

    slope, (centre, believed, rows) = jax.jacfwd(traced, has_aux=True)(theta)
    (covariance,) = covariances_of_means(lambda rows: (rows,), weights, phi[:, 1:])
    if game.draws_each:
        # Each observation is held against its own draws: contamination may depend on the covariates.
        (noise,) = covariances_of_means(lambda rows: (rows,), weights, phi[:, 1:] - rows)
    else:
        # Both samples tell the features' covariance: in a tail of few observations one alone would say too little.
        covariance = (covariance + jnp.sum(weights**2) * covariance_of(believed, rows)) / 2
        if scrambles is None:
            (drawn,) = covariances_of_means(lambda rows: (rows,), believed, rows)
        else:
            drawn = _noise(lambda theta, z: simulated_mean(theta, z)[0], theta, scrambles)
        noise = covariance + drawn
    return Bulk(mean - centre, slope, covariance, noise, share, 1 / jnp.sum(weights**2))


def _noise(simulated_mean, theta, scrambles):
    """Covariance (q, q) of a simulated mean over Sobol samples."""
    others = jax.lax.map(lambda z: simulated_mean(theta, z), scrambles)
    centred = others - jnp.mean(others, axis=0)[None]
    return centred.T @ centred / (others.shape[0] - 1)


def all_believed(games: Game, theta: np.ndarray, alpha: np.ndarray, scrambles: np.ndarray | None) -> list[Believed]:
    """Compare the believed parts of both samples of each of a stack of games; arguments as ``bulks`` takes them."""
    size, found = programs.group_size(len(theta)), []
    scrambles = None if scrambles is None else scrambles[:FIRST]
    for begin in range(0, len(theta), size):
        group = list(range(begin, min(begin + size, len(theta))))
        filled = group + group[:1] * (size - len(group))
        of = programs.take(games, filled)
        parts, ridges = bulks(of, theta[filled], alpha[filled], scrambles), np.asarray(of.discriminator.ridge)[:, 1:]
        found += [_believed(programs.take(parts, k), ridges[k]) for k in range(len(group))]
    return found


def _believed(found: Bulk, ridge: np.ndarray) -> Believed:
    n = float(found.n)
    return Believed(
        np.asarray(found.difference),
        Balance(n * np.asarray(found.covariance), n * np.asarray(found.noise), n, np.asarray(found.slope), ridge),
        float(found.share),
    )
