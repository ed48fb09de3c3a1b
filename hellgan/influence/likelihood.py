"""Maximum likelihood of a family with a density, on weighted rows: what contamination curves are compared with."""

import functools

import jax
import numpy as np

from hellgan.execution import programs
from hellgan.parameters import ParameterSpace


def maximised(family: ParameterSpace, rows: np.ndarray, weights: np.ndarray, theta: np.ndarray) -> np.ndarray:
    """Maximise the likelihood of rows (n, d) with weights (n,) by BFGS, from theta (p,), unconstrained: (p,)."""
    from scipy import optimize

    def objective(theta):
        value, slope = _negative_likelihood(family, rows, weights, theta)
        return float(value), slope

    return optimize.minimize(objective, theta, jac=True, method="BFGS", options={"gtol": 1e-8}).x


@programs.program
@functools.partial(jax.value_and_grad, argnums=3)
def _negative_likelihood(family, rows, weights, theta):
    return -weights @ jax.vmap(lambda row: family.log_density_at(theta, row))(rows)
