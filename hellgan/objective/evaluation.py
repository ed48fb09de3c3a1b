"""What the joint law and the tests at a root of a game are made of: covariances of means, and slopes."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from hellgan.balance import Balance
from hellgan.execution import programs
from hellgan.losses.derivatives import derivatives
from hellgan.objective import linear
from hellgan.objective.game import Array, Game, by_feature, features, ratios, simulate, weigh
from hellgan.objective.scores import influences, placement_slope
from hellgan.objective.simulated import SimulatedMeans, features_slope, simulated_means, simulated_rows

# Sobol samples behind the simulation's noise: a few show whether its variance matters at all beside the real sample's,
# by more than a two-hundredth; where it does, all are used, and the noise's covariance has 31 degrees of freedom.
FIRST = 8
_MATTERS = 0.005


class Parts(NamedTuple):
    """Covariances of means at a root of one game, features without the constant; of a stack, with a leading axis."""

    real_scores: Array  # (p + q + 1, p + q + 1), of the real sample's mean score
    simulated_scores: Array | None  # of the simulated sample's, where its draws are independent
    real_features: Array  # (q, q), of the real sample's mean features
    simulated_features: Array  # of the simulated sample's, were its draws independent
    difference: Array | None  # of their difference, where observations have draws of their own, or draws have weights
    features_slope: Array  # (q, p) derivative in theta of the simulated features' mean
    shifted: SimulatedMeans | None  # over other Sobol samples, (S, ...)


@programs.program
def parts(games: Game, theta, alpha, scrambles, count=None) -> Parts:
    """Evaluate ``Parts`` for a stack of games (k, ...) by one program, so that one compilation serves every use.

    ``theta`` is (k, p), ``alpha`` (k, q + 1). ``scrambles`` (S, m, dim) holds other Sobol samples, of all games; None
    where the latents are no Sobol points. Only the first ``count`` games, if given, are evaluated.
    """

    def of_one(game, theta, alpha):
        return _parts(game, theta, alpha, scrambles)

    return programs.each(of_one, games, theta, alpha, count=count)


def _parts(game: Game, theta, alpha, scrambles) -> Parts:
    loss, wx, wz = game.loss, game.x_weights, game.z_weights

    moved = placement_slope(game, theta, alpha) if game.basis.placement.shape[-1] else None

    def real_rows(x):
        phi = by_feature(game, x)
        slope = derivatives(loss.real, ratios(phi, alpha))[1]
        own = jnp.concatenate([jnp.zeros((game.p, len(slope)), slope.dtype), slope[None], slope[None] * phi])
        return own if moved is None else own + moved @ influences(game, x).T, phi

    def drawn_rows(z):
        rows = simulated_rows(game, theta, alpha, z)
        return rows.scores, rows.weighted_features

    def with_draws(x, z):
        """Scores of each observation with those of its draws, and the difference of their features."""
        real, simulated = real_rows(x), drawn_rows(z.reshape(-1, z.shape[-1]))
        means = [jnp.mean(rows.reshape(len(rows), -1, z.shape[1]), axis=2) for rows in simulated]
        return real[0] + means[0], real[1] - means[1]

    def of_law():
        """Covariance of the mean of as many features of the fitted law as there are draws, were these independent."""
        if not game.generator.is_weighted:
            return covariances_of_means(lambda z: drawn_rows(z)[1:], wz, game.z)[0]
        return jnp.sum(wz**2) * covariance_of(weigh(game, theta), by_feature(game, simulate(game, theta)))

    def of_ratio():
        """Covariance of the weighted mean of features, whose weights are divided by their own mean."""
        drawn = weigh(game, theta, jnp.ones_like(wz))
        phi = by_feature(game, simulate(game, theta))
        weights = wz * drawn
        mean = phi @ weights / jnp.sum(weights)
        return covariances_of_means(lambda rows: (rows.T,), wz, (drawn[None] * (phi - mean[:, None])).T)[0]

    real_scores, real_features = covariances_of_means(real_rows, wx, game.x)
    simulated_scores = difference = shifted = None
    if game.draws_each:
        z = game.z.reshape(wx.shape[0], game.draws_each, -1)
        real_scores, difference = covariances_of_means(with_draws, wx, game.x, z)
        simulated_scores, simulated_features = jnp.zeros_like(real_scores), jnp.zeros_like(real_features)
    elif scrambles is None:
        simulated_scores, simulated_features = covariances_of_means(drawn_rows, wz, game.z)
        if game.generator.is_weighted:
            difference, simulated_features = real_features + of_ratio(), of_law()
    else:
        simulated_features = of_law()
        shifted = lax.map(lambda z: simulated_means(game, theta, alpha, z), scrambles)
        shifted = shifted._replace(features=shifted.features[:, 1:], believed=shifted.believed[:, 1:])
    slope = features_slope(game, theta, alpha)[1:]
    return Parts(real_scores, simulated_scores, real_features, simulated_features, difference, slope, shifted)


def covariances_of_means(function, weights: Array, *rows) -> list[Array]:
    """Covariance of the weighted mean of independent columns (k, n), for each kind of these that ``function`` gives.

    ``function`` is called on rows (n, ...), weights (n,) sum to 1. Each covariance is centred by its kind's own
    weighted mean, and unbiased. A large sample is gone through once: the mean of the first block is subtracted, so that
    squares lose no digits.
    """
    first = slice(None if len(weights) <= linear.STORED else linear.BLOCK)
    share = jnp.sum(weights[first])
    shares = jnp.where(share > 0, weights[first] / jnp.where(share > 0, share, 1.0), 1 / weights[first].shape[0])
    pilots = [kind @ shares for kind in function(*(r[first] for r in rows))]

    def moments(w, *rows):
        kinds = [kind - pilot[:, None] for kind, pilot in zip(function(*rows), pilots, strict=True)]
        weighted = [w[None] * kind for kind in kinds]
        return [(kind @ w, each @ w, each @ each.T) for kind, each in zip(kinds, weighted, strict=True)]

    total = jnp.sum(weights**2)
    covariances = []
    for mean, tilted, squares in linear.row_sums(moments, weights, *rows):
        mixed = jnp.outer(tilted, mean)
        covariances.append((squares - mixed - mixed.T + total * jnp.outer(mean, mean)) / (1 - total))
    return covariances


def covariance_of(weights: Array, columns: Array) -> Array:
    """Covariance matrix (k, k) of a law given by columns (k, m) and their weights, whose sum need not be 1."""
    weights = weights / jnp.sum(weights)
    centred = columns - (columns @ weights)[:, None]
    return (weights[None] * centred) @ centred.T / (1 - jnp.sum(weights**2))


def evaluated(
    games: Game, theta: np.ndarray, alpha: np.ndarray, scrambles: np.ndarray | None, wanted: int | None = None
) -> list[Parts]:
    """Evaluate ``parts`` for the first ``wanted`` of a stack of games, by one call; the others only fill the stack.

    ``scrambles`` (S, m, dim) are Sobol samples independent of the games'; None where the latents are no Sobol points.
    All S are evaluated where the first few show that the simulation's noise matters.
    """
    wanted = len(theta) if wanted is None else wanted

    def over(begin):
        samples = None if scrambles is None else scrambles[begin : begin + FIRST]
        return parts(games, theta, alpha, samples, count=wanted)

    found = over(0)
    rows = [programs.take(found, k) for k in range(wanted)]
    if scrambles is None:
        return rows
    noise = np.var(found.shifted.features[:wanted], axis=1, ddof=1)
    matters = simulation_matters(noise, np.diagonal(found.real_features[:wanted], axis1=1, axis2=2))
    if np.any(matters):
        others = [over(begin).shifted for begin in range(FIRST, len(scrambles), FIRST)]
        every = jax.tree.map(lambda *means: np.concatenate(means, axis=1), found.shifted, *others)
        for k in np.flatnonzero(matters).tolist():
            rows[k] = rows[k]._replace(shifted=programs.take(every, k))
    return rows


def all_evaluated(games: Game, theta: np.ndarray, alpha: np.ndarray, scrambles: np.ndarray | None) -> list[Parts]:
    """Evaluate ``parts`` for each of a stack of games (k, ...), in groups; arguments as ``evaluated`` takes them."""
    found = []
    for group, filled in programs.groups(range(len(theta)), len(theta), games.cells):
        found += evaluated(programs.take(games, filled), theta[filled], alpha[filled], scrambles, len(group))
    return found


def believed_others(parts: list[Parts]) -> np.ndarray | None:
    """Mean features (k, S, q) over the believed part of other Sobol samples; None where latents are no such points."""
    others = [each.shifted.believed[:FIRST] for each in parts if each.shifted is not None]
    return np.stack(others) if others else None


def simulation_matters(noise: np.ndarray, real: np.ndarray) -> np.ndarray:
    """Whether variances (k, q) of simulated means are any part of the real sample's worth counting: (k,)."""
    return np.any(noise > _MATTERS * real, axis=1)


def score_covariances(parts: Parts) -> tuple[np.ndarray, np.ndarray]:
    """Covariances of the mean scores of the real and of the simulated sample, (p + q + 1, p + q + 1) each."""
    if parts.shifted is None:
        return parts.real_scores, np.asarray(parts.simulated_scores)
    centred = parts.shifted.score - np.mean(parts.shifted.score, axis=0)
    return parts.real_scores, centred.T @ centred / (len(centred) - 1)


def balance(game: Game, found: Parts, under: str) -> Balance:
    """Give the quadratic game at the truth from the parts ``found`` at a root of the game.

    ``under`` says whose covariance the features have: that of the ``"real"`` sample, of the ``"simulated"`` one, as
    under the model, of ``"both"``, where they are one law's, or ``"pooled"``, where only their means agree.
    """
    n, m = (float(size) for size in game.sizes)
    c_real, c_simulated = n * found.real_features, m * found.simulated_features
    if game.draws_each:
        covariance, noise, scale = c_real, n * np.asarray(found.difference), n
    else:
        middle = (c_real + c_simulated) / 2
        covariance = {"real": c_real, "simulated": c_simulated}.get(under, middle)
        own = c_real if under == "pooled" else covariance
        if found.shifted is None and found.difference is not None:
            scale, noise = n, own + n * (found.difference - found.real_features)
        elif found.shifted is None:
            scale = n * m / (n + m)
            noise = scale * (own / n + c_simulated / m) if under == "pooled" else covariance
        else:
            scale, noise = n, own + n * np.cov(found.shifted.features, rowvar=False)
    ridge = np.asarray(game.discriminator.ridge)[1:]
    return Balance(covariance, noise, scale, found.features_slope, ridge)


@programs.program
def mean_features(game: Game, theta) -> tuple[Array, Array]:
    """Mean features (q,), without the constant, of the real and of the simulated sample."""
    real, simulated = features(game, game.x), features(game, simulate(game, theta))
    mean = weigh(game, theta) @ simulated
    return (game.x_weights @ real)[1:], mean[1:] / mean[0]
