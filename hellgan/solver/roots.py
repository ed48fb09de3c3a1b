"""Newton's iteration on estimating equations, compiled; what is known of the root where it ends."""

import dataclasses
from typing import TYPE_CHECKING

import jax
import jax.numpy as jnp
import numpy as np

from hellgan.execution import programs
from hellgan.objective.evaluation import covariances_of_means
from hellgan.records import schur_complement
from hellgan.solver.certificate import TOLERANCE
from hellgan.solver.with_jaxopt import root_derivatives

if TYPE_CHECKING:
    from hellgan.solver.smooth import SmoothEquations

MOST_STEPS, MOST_HALVINGS = 100, 30


@dataclasses.dataclass(frozen=True, eq=False)
class Root:
    """A root of estimating equations.

    Attributes
    ----------
    u : (k,) array
        The estimate (theta, nuisance), theta unconstrained.
    theta : (p,) array
        The first elements of ``u``.
    value : float
        The objective at ``u``; NaN where the equations are not the derivatives of one.
    score_norm : float
        Largest absolute element of the mean score, each in units of its root mean square over the sample.
    iterations : int
    jacobian : (k, k) array
        Derivative of the mean score at ``u``, penalties included.
    reason : str
        Why ``u`` is no root or, of an objective, no strict local minimum; empty where it is one.
    """

    u: np.ndarray
    theta: np.ndarray
    value: float
    score_norm: float
    iterations: int
    jacobian: np.ndarray
    reason: str

    @property
    def is_root(self) -> bool:
        """Whether the scores vanish."""
        return self.score_norm <= 10 * TOLERANCE and bool(np.all(np.isfinite(self.jacobian)))

    @property
    def kind(self) -> str:
        """What ``u`` is, in words."""
        if self.reason:
            return "not certified"
        return "strict local minimum" if np.isfinite(self.value) else "root of the scores"


def judged(found, p: int) -> Root:
    """Judge the point where Newton's iteration ended; ``found`` is what ``Programs.newton`` returns."""
    u, jacobian, norm, steps, value = found
    reason = ""
    if not (np.all(np.isfinite(jacobian)) and np.isfinite(norm)):
        reason = "the iteration left the numbers that double precision holds; give other starting values"
    elif norm > 10 * TOLERANCE:
        reason = (
            f"the score norm is {norm:.2g} after the last step; the parameters may not be identified, or the start may "
            "be too far off"
        )
    elif np.isfinite(value):
        reason = curvature_problem(jacobian, p, np.zeros((p, p)), np.eye(p))
    return Root(u, u[:p], float(value), float(norm), int(steps), jacobian, reason)


def curvature_problem(jacobian: np.ndarray, p: int, more: np.ndarray, along: np.ndarray) -> str:
    """Say why a stationary point of an objective is no strict local minimum in theta; empty where it is one.

    The nuisance must be at a strict maximum, and the curvature that is left of theta's, with ``more`` (p, p) added,
    positive along the columns of ``along`` (p, r).
    """
    h_aa = jacobian[p:, p:]
    if len(h_aa) and not np.linalg.eigvalsh((h_aa + h_aa.T) / 2)[-1] < 0:
        return "the nuisance is not at a strict maximum"
    left = along.T @ (schur_complement(jacobian, p) + more) @ along
    if left.size and not np.linalg.eigvalsh((left + left.T) / 2)[0] > 0:
        return "theta is at a stationary point that is not a minimum; give other starting values"
    return ""


class Programs:
    """What is compiled of equations: functions of u and of data: rows x, weights w, latents z, their weights v."""

    def __init__(self, of: "SmoothEquations"):
        has_values = of.has_values

        def mapped(function, u, rows):
            return jax.vmap(lambda row: function(u, row))(rows)

        def mean_score(u, x, w, z, v):
            score = w @ mapped(of.real_score, u, x) + of.penalty(u)
            return score + v @ mapped(of.simulated_score, u, z) if z.shape[0] else score

        def objective(u, x, w, z, v):
            value = w @ mapped(of.real_value, u, x) + of.penalty_value(u)
            return value + v @ mapped(of.simulated_value, u, z) if z.shape[0] else value

        def newton(u, *data):
            """Newton's iteration, a step halved until the score is smaller."""
            scale = jnp.sqrt(data[1] @ mapped(of.real_score, u, data[0]) ** 2)
            scale = jnp.where(scale > 0, scale, jnp.max(scale))

            def norm_of(score):
                return jnp.max(jnp.abs(score) / scale)

            def body(state):
                u, score, steps, _ = state
                step = -jnp.linalg.solve(jax.jacfwd(mean_score)(u, *data), score)

                def worse(halved):
                    new = mean_score(u + step * 0.5 ** halved[0], *data)
                    bad = ~(jnp.linalg.norm(new / scale) < jnp.linalg.norm(score / scale))
                    return bad & (halved[0] < MOST_HALVINGS)

                halvings = jax.lax.while_loop(worse, lambda h: (h[0] + 1,), (jnp.asarray(0),))[0]
                trial = u + step * 0.5**halvings
                new = mean_score(trial, *data)
                better = halvings < MOST_HALVINGS
                return jnp.where(better, trial, u), jnp.where(better, new, score), steps + 1, better

            def unfinished(state):
                return state[3] & (norm_of(state[1]) > TOLERANCE / 10) & (state[2] < MOST_STEPS)

            begin = (u, mean_score(u, *data), jnp.asarray(0), jnp.asarray(True))
            u, score, steps, _ = jax.lax.while_loop(unfinished, body, begin)
            value = objective(u, *data) if has_values else jnp.asarray(jnp.nan)
            return u, jax.jacfwd(mean_score)(u, *data), norm_of(score), steps, value

        def weight_derivatives(u, x, w, z, v):
            return root_derivatives(lambda u, w: mean_score(u, x, w, z, v), jnp.asarray(u), jnp.asarray(w))

        program = programs.program
        self.newton = program(newton)
        self.newtons = program(lambda *stacks: programs.each(newton, *stacks))
        self.objective = program(objective)
        self.scored = program(lambda u, *data: (mean_score(u, *data), jax.jacfwd(mean_score)(u, *data)))
        self.real_scores = program(lambda u, x: mapped(of.real_score, u, x))
        self.simulated_scores = program(lambda u, z: mapped(of.simulated_score, u, z))
        self.gradients = program(lambda u, x: mapped(jax.jacfwd(of.real_score, argnums=1), u, x))
        self.jacobians = program(lambda u, x: mapped(jax.jacfwd(of.real_score), u, x))
        self.real_covariance = program(
            lambda u, x, w: covariances_of_means(lambda x: [mapped(of.real_score, u, x).T], w, x)[0]
        )
        self.simulated_covariance = program(
            lambda u, z, v: covariances_of_means(lambda z: [mapped(of.simulated_score, u, z).T], v, z)[0]
        )
        self.simulated_means = program(
            lambda u, samples: jax.lax.map(lambda z: jnp.mean(mapped(of.simulated_score, u, z), axis=0), samples)
        )
        self.weight_derivatives = program(weight_derivatives)
