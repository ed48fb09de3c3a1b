"""How a solution moves with the observation weights, by implicit differentiation of another library.

A second route to the influence function: jaxopt differentiates the root of the stacked equations by the implicit
function theorem, with its own linear solves, and never sees our Jacobian.
"""

import dataclasses
import warnings

import jax
import jax.numpy as jnp
import numpy as np

from hellgan import objective
from hellgan.objective import Game


def weight_slopes(game: Game, theta: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    """Differentiate (theta, alpha) at a solution in the weights of the real sample: (p + q + 1, n).

    The weights are free: a common factor to all of them is a change, too. The caller holds ``jax.enable_x64``.
    """
    u = jnp.concatenate([jnp.asarray(theta), jnp.asarray(alpha)])
    return np.asarray(_weight_slopes(game, u))


@jax.jit
def _weight_slopes(game: Game, u):
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="JAXopt is no longer maintained", category=DeprecationWarning)
        from jaxopt import implicit_diff

    def equations(u, weights):
        weighted = dataclasses.replace(game, x_weights=weights)
        if game.tied:
            weighted = dataclasses.replace(weighted, z_weights=jnp.repeat(weights, game.tied) / game.tied)
        return objective.mean_score(weighted, u[: game.p], u[game.p :])

    def solve(matvec, b):
        return jnp.linalg.solve(jax.jacfwd(matvec)(b), b)

    @implicit_diff.custom_root(equations, solve=solve)
    def solution(_, weights):
        return u  # solved already, at these weights

    return jax.jacrev(lambda weights: solution(None, weights))(jnp.asarray(game.x_weights))
