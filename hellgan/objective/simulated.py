"""Simulated rows as both players meet them, their means, and slopes of these in theta, for a basis."""

from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Float

from hellgan.losses.derivatives import derivatives
from hellgan.objective.belief import belief
from hellgan.objective.game import Array, Game, by_feature, ratios, simulate, weigh
from hellgan.objective.linear import (
    backward,
    draws_of,
    features_and_slopes,
    moved_by,
    over_rows,
    pushed,
    row_sums,
    weight_tangents,
    with_constant,
)


class Simulated(NamedTuple):
    """One latent sample as both players meet it, the draws last; the constant feature is left out."""

    features: Float[Array, "q m"]
    features_slopes: Float[Array, "q d m"]  # in x
    tangents: Float[Array, "p d m"]  # of x in theta
    d_theta: Float[Array, "p m"]  # the generator's scores
    slopes: Float[Array, " m"]  # fake'(v), by the draw's weight; times the features, the discriminator's scores
    weights: Float[Array, " m"] | None  # that the generator gives the draws; None where they have none
    weight_tangents: Float[Array, "p m"] | None  # in theta

    @property
    def scores(self) -> Float[Array, "pq m"]:
        return jnp.concatenate([self.d_theta, self.slopes[None], self.slopes[None] * self.features])

    @property
    def weighted_features(self) -> Float[Array, "q m"]:
        return self.features if self.weights is None else self.weights[None] * self.features

    def moved_features(self, tangent: Array, of_weights: Array | None) -> Float[Array, "q m"]:
        """Derivative of ``weighted_features`` along tangents of x (d, m) and of the weights (m,)."""
        moved = jnp.sum(self.features_slopes * tangent[None], axis=1)
        if self.weights is None or of_weights is None:
            return moved
        return self.weights[None] * moved + of_weights[None] * self.features


def simulated_rows(game: Game, theta, alpha, z) -> Simulated:
    """Evaluate features, slopes and scores at latent draws z (m, k), for a basis; the analytic form of ``scores``."""
    x, x_theta = pushed(lambda theta: draws_of(game.generator, theta, z), theta)
    phi, phi_x = features_and_slopes(game.basis, x.T)
    v = ratios(phi, alpha)
    slope = derivatives(game.loss.fake, v)[1]
    push = slope if game.loss.is_zero_sum else derivatives(game.loss.adversary, v)[1]
    d_theta = jnp.sum((push[None] * jnp.tensordot(alpha[1:], phi_x, 1))[None] * x_theta, axis=1)
    if not game.generator.is_weighted:
        return Simulated(phi, phi_x, x_theta, d_theta, slope, None, None)
    one = jnp.ones(len(z), v.dtype)
    weights, moved = weigh(game, theta, one, z), weight_tangents(game, theta, one, z).T
    d_theta = weights[None] * d_theta + game.loss.adversary(v)[None] * moved
    return Simulated(phi, phi_x, x_theta, d_theta, weights * slope, weights, moved)


class SimulatedMeans(NamedTuple):
    """What one latent sample contributes to the mean score, and to the mean of the features, the constant first."""

    score: Float[Array, " pq"]
    features: Float[Array, " q"]
    believed: Float[Array, " q"]  # mean of the features where the discriminator believes


def simulated_means(game: Game, theta, alpha, z) -> SimulatedMeans:
    """Average the simulated scores and the features over latent draws z (m, k) by the game's weights, for a basis.

    The features' mean is that of all draws, and of those that the discriminator believes.
    """

    def block(latent_weights, z):
        def loss_of_generator(theta):
            phi = by_feature(game, simulate(game, theta, z))
            return weigh(game, theta, latent_weights, z) @ game.loss.adversary(ratios(phi, alpha))

        gradient, weights = backward(loss_of_generator, theta), weigh(game, theta, latent_weights, z)
        if gradient is None:
            rows = simulated_rows(game, theta, alpha, z)
            d_theta, phi, slopes = rows.d_theta @ latent_weights, rows.features, latent_weights * rows.slopes
        else:
            phi = by_feature(game, simulate(game, theta, z))
            d_theta, slopes = gradient(theta), weights * derivatives(game.loss.fake, ratios(phi, alpha))[1]
        by = jnp.stack([slopes, weights, weights * belief(ratios(phi, alpha))])
        d_alpha, means, believed = with_constant(jnp.sum(by, axis=1), over_rows(phi, by)).T
        return SimulatedMeans(jnp.concatenate([d_theta, d_alpha]), means, believed)

    found = row_sums(block, game.z_weights, z)
    found = found._replace(believed=found.believed / found.believed[0])
    if not game.generator.is_weighted:
        return found
    return found._replace(features=found.features / found.features[0])


def features_slope(game: Game, theta, alpha) -> Float[Array, "q p"]:
    """Differentiate the mean of the simulated features in theta, the constant first, for a basis."""

    def block(weights, z):
        rows = simulated_rows(game, theta, alpha, z)
        if rows.weights is None or rows.weight_tangents is None:
            slope = moved_by(weights, rows.features_slopes, rows.tangents)
            return with_constant(jnp.zeros_like(theta), slope), jnp.zeros(len(alpha), theta.dtype)
        own = weights[None] * rows.weight_tangents
        slope = moved_by(weights * rows.weights, rows.features_slopes, rows.tangents) + over_rows(rows.features, own)
        total = rows.weighted_features @ weights
        return with_constant(jnp.sum(own, axis=1), slope), with_constant(weights @ rows.weights, total)

    slope, total = row_sums(block, game.z_weights, game.z)
    if not game.generator.is_weighted:
        return slope
    return (slope - jnp.outer(total / total[0], slope[0])) / total[0]
