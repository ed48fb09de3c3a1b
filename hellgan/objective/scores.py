"""Scores and Jacobian of the objective by automatic differentiation: for every discriminator, and any weights.

The estimating function of u = (theta, alpha) stacks the generator's score on the discriminator's; the means of both
vanish at the estimate. Equation numbers are those of ``docs/theory.md``.
"""

import dataclasses
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Float

from hellgan.objective.game import Array, Game, generator_objective, objective, weigh
from hellgan.objective.linear import (
    discriminator_problem,
    discriminator_rows,
    expand,
    value_and_tangents,
    weight_tangents,
)


class Scores(NamedTuple):
    """Estimating functions of (theta, alpha), one row an observation; unweighted and without the ridge."""

    real: Float[Array, "n pq"]
    simulated: Float[Array, "m pq"]


def scores(game: Game, theta: Float[Array, " p"], alpha: Float[Array, " q"], z: Array | None = None) -> Scores:
    """Evaluate the estimating functions of each real and each simulated observation, psi_real and psi_simulated.

    psi_real(x) = (0, real'(v) dv/dalpha) and psi_simulated(z) = (d/dtheta g(v), fake'(v) dv/dalpha), with g the
    generator's objective, ``fake`` for a zero-sum loss. The weighted means of the two sum to ``mean_score`` plus
    (0, 2 ridge alpha). ``z`` (m, k) is the game's own latent sample unless given.
    """
    d_alpha = jax.grad(game.discriminator.log_ratio)

    def of_real(x):
        slope = jax.grad(game.loss.real)(game.discriminator.log_ratio(alpha, x))
        return jnp.concatenate([jnp.zeros_like(theta), slope * d_alpha(alpha, x)])

    def of_simulated(draw):
        x, x_theta = value_and_tangents(game.generator, theta, draw)
        v, v_x = jax.value_and_grad(game.discriminator.log_ratio, argnums=1)(alpha, x)
        earned, push = jax.value_and_grad(game.loss.adversary)(v)
        return jnp.concatenate([push * (v_x @ x_theta), jax.grad(game.loss.fake)(v) * d_alpha(alpha, x)]), earned

    draws = game.z if z is None else z
    simulated, earned = jax.vmap(of_simulated)(draws)
    if game.generator.is_weighted:
        one = jnp.ones(len(draws), earned.dtype)
        moved = earned[:, None] * weight_tangents(game, theta, one, draws)
        simulated = weigh(game, theta, one, draws)[:, None] * simulated + jnp.pad(moved, ((0, 0), (0, len(alpha))))
    return Scores(jax.vmap(of_real)(game.x), simulated)


def observation_scores(game: Game, theta: Float[Array, " p"], alpha: Float[Array, " q"]) -> Float[Array, "n pq"]:
    """Evaluate the score of each observation, unweighted; the mean over simulated rows of its own is added."""
    found = scores(game, theta, alpha)
    if not game.draws_each:
        return found.real
    return found.real + jnp.mean(found.simulated.reshape(len(found.real), game.draws_each, -1), axis=1)


def influences(game: Game, x: Float[Array, "n d"]) -> Float[Array, "n r"]:
    """Evaluate the influence function of the discriminator's placement at each of n observations."""
    return jax.vmap(game.basis.influence)(x)


def placed(game: Game, placement: Float[Array, " r"]) -> Game:
    """Give the same game with its discriminator placed elsewhere."""
    return dataclasses.replace(game, discriminator=game.basis.placed(placement))


def weighted(game: Game, weights: Float[Array, " n"]) -> Game:
    """Give the game with other weights of the real rows, with sum 1, which move the placement to first order."""
    changed = dataclasses.replace(game, x_weights=weights)
    if not game.basis.placement.shape[-1]:
        return changed
    return placed(changed, game.basis.placement + (weights - game.x_weights) @ influences(game, game.x))


def placement_slope(game: Game, theta: Float[Array, " p"], alpha: Float[Array, " q"]) -> Float[Array, "pq r"]:
    """Evaluate the derivative of ``mean_score`` in the discriminator's placement.

    Times the influence function of the placement at an observation it is what the observation adds to the mean score
    through the placement: nothing in the limit where v is 0, as at the model.
    """
    return jax.jacfwd(lambda at: mean_score(placed(game, at), theta, alpha))(jnp.asarray(game.basis.placement))


def mean_score(game: Game, theta: Float[Array, " p"], alpha: Float[Array, " q"]) -> Float[Array, " pq"]:
    """Evaluate the mean score, whose root the estimate is, ridge included; by automatic differentiation."""
    d_theta = jax.grad(generator_objective, argnums=1)(game, theta, alpha)
    return jnp.concatenate([d_theta, jax.grad(objective, argnums=2)(game, theta, alpha)])


def jacobian(game: Game, theta: Float[Array, " p"], alpha: Float[Array, " q"]) -> Float[Array, "pq pq"]:
    """Evaluate the derivative of ``mean_score``: H of (2), ridge included; symmetric for a zero-sum loss."""
    u = jnp.concatenate([theta, alpha])
    if not game.discriminator.is_linear:
        return jax.jacfwd(lambda u: mean_score(game, u[: game.p], u[game.p :]))(u)
    local = expand(game, theta, alpha)
    _, _, h_aa = discriminator_problem(game, discriminator_rows(game, theta), alpha)
    h_at = local.d_alpha_theta
    h_ta = h_at.T if game.loss.is_zero_sum else local.d_theta_alpha
    return jnp.block([[local.d_theta_theta, h_ta], [h_at, h_aa]])
