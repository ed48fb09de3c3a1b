"""Compiled programs of one game: scores of its observations and at other points, derivatives, v, and atoms."""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np

from hellgan.execution import programs
from hellgan.losses.derivatives import derivatives
from hellgan.objective.game import features as rows_features
from hellgan.objective.game import simulate, weigh
from hellgan.objective.scores import jacobian as mean_jacobian
from hellgan.objective.scores import mean_score, observation_scores, weighted
from hellgan.objective.scores import placement_slope as mean_slope
from hellgan.objective.scores import scores as both_scores
from hellgan.objective.simulated import simulated_rows
from hellgan.samples.ties import Atom, heaviest, may_be_tied
from hellgan.solver.with_jaxopt import root_derivatives

scores = programs.program(observation_scores)
jacobian = programs.program(mean_jacobian)
placement_slope = programs.program(mean_slope)
features = programs.program(rows_features)


@programs.program
def influences(basis, x):
    """The placement's influence function at points (r, d): (r, q)."""
    return jax.vmap(basis.influence)(x)


@programs.program
def influence_gradients(game, x):
    """Derivatives (r, q, d) of the placement's influence function at points (r, d)."""
    return jax.vmap(jax.jacfwd(game.basis.influence))(x)


@programs.program
def simulated_scores(game, theta, alpha):
    """Scores of the simulated rows, (m, k)."""
    return both_scores(game, theta, alpha).simulated


@programs.program
def score_jacobians(game, theta, alpha):
    """Derivatives (n, k, k) of the observations' scores, the placement held."""
    u, p = jnp.concatenate([theta, alpha]), game.p
    return jax.jacfwd(lambda u: observation_scores(game, u[:p], u[p:]))(u)


def _score(game, theta, alpha, x):
    """Score of one observation (d,); in a regression plus the mean score of simulated responses at its covariates."""
    phi = game.basis.features(x)
    own = jnp.concatenate([jnp.zeros_like(theta), derivatives(game.loss.real, phi @ alpha)[1] * phi])
    if not game.draws_each:
        return own
    k = game.generator.covariates
    z = jnp.concatenate([jnp.broadcast_to(x[:k], (game.z.shape[0], k)), game.z], axis=1)
    return own + jnp.mean(simulated_rows(game, theta, alpha, z).scores, axis=1)


@programs.program
def scores_at(game, theta, alpha, x):
    """Scores (r, k) at points (r, d), the placement held."""
    return jax.vmap(lambda row: _score(game, theta, alpha, row))(x)


@programs.program
def score_gradients(game, theta, alpha, x):
    """Their derivatives in the points, (r, k, d)."""
    return jax.vmap(jax.jacfwd(lambda row: _score(game, theta, alpha, row)))(x)


@programs.program
def weight_derivatives(game, u):
    """Derivatives (k, n) of the root in the observations' weights, by implicit differentiation."""
    p = game.p

    def equations(u, weights):
        return mean_score(weighted(game, weights), u[:p], u[p:])

    return root_derivatives(equations, jnp.asarray(u), jnp.asarray(game.x_weights))


@programs.program
def log_ratios(discriminator, alpha, x):
    """Log density ratios (r,) at points (r, d)."""
    return jax.vmap(lambda row: discriminator.log_ratio(alpha, row))(x)


@programs.program
def slopes(loss, v):
    """real'(v) at log ratios v."""
    return derivatives(loss.real, v)[1]


@programs.program
def _simulated_share(game, theta, low, high):
    x = simulate(game, theta)[:, 0]
    return weigh(game, theta) @ ((x >= low) & (x <= high))


def atoms(x: np.ndarray, weights: np.ndarray, games, thetas: Sequence[np.ndarray]) -> list[Atom | None]:
    """Look for an atom in each of several samples (R, n, d), as ``atom`` does, simulated by a stack of games."""
    asked = may_be_tied(x[..., 0]) if x.shape[2] == 1 else np.zeros(len(x), bool)
    return [atom(x[k], weights, programs.take(games, k), theta) if asked[k] else None for k, theta in enumerate(thetas)]


def atom(x: np.ndarray, weights: np.ndarray, game, theta) -> Atom | None:
    """The value that more of a sample (n, 1) shares than is simulated near it; None where there is none, or d > 1."""
    found = heaviest(x[:, 0], weights) if x.shape[1] == 1 else None
    if found is None:
        return None
    expected = float(_simulated_share(game, theta, found.low, found.high))
    return found if found.exceeds(expected, float(1 / np.sum(weights**2))) else None
