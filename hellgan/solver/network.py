"""A discriminator that is not linear in alpha: quasi-Newton on both levels, then Newton on the stacked equations."""

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from hellgan.execution import programs
from hellgan.objective.game import Game, objective
from hellgan.objective.scores import mean_score
from hellgan.solver.certificate import TOLERANCE, SaddlePoint, certify
from hellgan.solver.starts import reaches
from hellgan.solver.with_jaxopt import minimised


def solve_network(game: Game, theta: np.ndarray) -> SaddlePoint:
    """Search the saddle point from one start (p,), unconstrained scale."""
    from scipy import optimize

    reach = reaches(game, theta)
    state = {"alpha": np.asarray(game.discriminator.start), "inner": 0}

    def profile(step):
        # The envelope theorem: the profile's slope is the partial one at the inner maximum.
        value, slope, alpha, steps = _profile_network(game, theta + reach * step, state["alpha"])
        if not np.isfinite(value):
            return 1e10, np.zeros_like(step)
        state.update(alpha=alpha, inner=state["inner"] + int(steps))
        return float(value), np.asarray(slope) * reach

    outer = optimize.minimize(
        profile, np.zeros_like(theta), jac=True, method="BFGS", options={"gtol": 1e-5, "maxiter": 100}
    )
    return _judged(game, theta + reach * outer.x, state["alpha"], reach, outer.nit, state["inner"])


def _judged(game, theta, alpha, reach, outer: int, inner: int) -> SaddlePoint:
    theta, alpha, jacobian, score, value = _polish(game, theta, alpha)
    norm = max(np.max(np.abs(score[: game.p] * reach)), np.max(np.abs(score[game.p :])))
    # Where the discriminator's score does not react to theta at all, any theta would do.
    collapsed = bool(np.max(np.abs(jacobian[game.p :, : game.p] * reach)) < 1e-6)
    return certify(game, theta, alpha, jacobian, value, norm, outer, inner, collapsed)


def polish_network(game: Game, theta: np.ndarray, alpha: np.ndarray) -> SaddlePoint:
    """Solve from the solution of a similar game: Newton's iteration on the stacked equations alone."""
    reach = reaches(game, theta)
    return _judged(game, theta, alpha, reach, 0, 0)


def inner_value(game: Game, theta: np.ndarray) -> float:
    """Give the objective's inner maximum at theta."""
    return float(_profile_network(game, theta, np.asarray(game.discriminator.start))[0])


@programs.program
def _profile_network(game: Game, theta, alpha):
    alpha, steps = minimised(_negative_objective, alpha, theta, game)
    value, slope = jax.value_and_grad(objective, argnums=1)(game, theta, alpha)
    return value, slope, alpha, steps


def _negative_objective(alpha, theta, game):
    return -objective(game, theta, alpha)


@programs.program
def _polish(game: Game, theta, alpha):
    """Newton's iteration on the stacked equations, as long as it lowers their norm."""
    p = game.p

    def score(u):
        return mean_score(game, u[:p], u[p:])

    def body(state):
        u, value, hessian, steps, _ = state
        trial = u - jnp.linalg.solve(hessian, value)
        new = score(trial)
        better = jnp.linalg.norm(new) < jnp.linalg.norm(value)
        u, value = jnp.where(better, trial, u), jnp.where(better, new, value)
        return u, value, jax.jacfwd(score)(u), steps + 1, better

    def unfinished(state):
        return state[4] & (state[3] < 20) & (jnp.max(jnp.abs(state[1])) > TOLERANCE / 10)

    u = jnp.concatenate([theta, alpha])
    start = (u, score(u), jax.jacfwd(score)(u), jnp.asarray(0), jnp.asarray(True))
    u, value, hessian, _, _ = lax.while_loop(unfinished, body, start)
    return u[:p], u[p:], hessian, value, objective(game, u[:p], u[p:], penalised=False)
