"""Newton's iteration on estimating equations, compiled; what is known of the root where it ends."""

import dataclasses
from typing import TYPE_CHECKING

import jax
import jax.numpy as jnp
import numpy as np

from hellgan.execution import programs
from hellgan.objective.evaluation import covariances_of_means
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
    theta : (p,) array
        Its first elements.
    value : float
        The objective there; NaN where the equations are not those of one.
    score_norm : float
        Largest element of the mean score, each in units of its root mean square over the sample.
    iterations : int
    jacobian : (k, k) array
    reason : str
        Why it is none; empty where it is.
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
        return not self.reason

    @property
    def kind(self) -> str:
        """What it is."""
        return "not a root" if self.reason else "root of the scores"


def judged(found, p: int) -> Root:
    """Judge where Newton's iteration ended."""
    u, jacobian, norm, steps, value = found
    reason = ""
    if not (np.all(np.isfinite(jacobian)) and np.isfinite(norm)):
        reason = "the iteration left the numbers that double precision holds; give other starting values"
    elif norm > 10 * TOLERANCE:
        reason = (
            f"the score norm is {norm:.2g} after the last step; the parameters may not be identified, or the start may "
            "be too far off"
        )
    return Root(u, u[:p], float(value), float(norm), int(steps), jacobian, reason)


class Programs:
    """What is compiled of equations: functions of u and of data."""

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
            lambda u, x, w: covariances_of_means(lambda x: [mapped(of.real_score, u, x)], w, x)[0]
        )
        self.simulated_covariance = program(
            lambda u, z, v: covariances_of_means(lambda z: [mapped(of.simulated_score, u, z)], v, z)[0]
        )
        self.simulated_means = program(
            lambda u, samples: jax.lax.map(lambda z: jnp.mean(mapped(of.simulated_score, u, z), axis=0), samples)
        )
        self.weight_derivatives = program(weight_derivatives)
