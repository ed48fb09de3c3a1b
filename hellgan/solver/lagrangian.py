"""Stationary points of any estimator's equations under restrictions, by the equations of the Lagrangian."""

from collections.abc import Callable

import numpy as np

from hellgan.estimation import Restricted
from hellgan.solver.certificate import TOLERANCE
from hellgan.solver.roots import MOST_HALVINGS, MOST_STEPS, curvature_problem


def stationary(
    scored: Callable, objective: Callable[[np.ndarray], float] | None, restriction, u: np.ndarray, p: int
) -> Restricted:
    """Solve equations under restrictions h(theta) = 0 by Newton's method on score + R' mu = 0, h = 0.

    Parameters
    ----------
    scored : callable
        Gives the mean score (k,) and its derivative (k, k) at u.
    objective : callable or None
        Of which the score is the gradient; None where there is none.
    restriction : Restriction
    u : (k,) array
        A solution nearby.
    p : int
        The length of theta.
    """
    k, r = len(u), len(restriction.at(u[:p])[0])
    at = np.concatenate([u, np.zeros(r)])

    def system(at):
        u, mu = at[:k], at[k:]
        (score, jacobian), (h, slope) = scored(u), restriction.at(u[:p])
        full = np.zeros((k + r, k + r))
        full[:k, :k], full[k:, :p], full[:p, k:] = jacobian, slope, slope.T
        full[:p, :p] += restriction.curvature(u[:p], mu)
        left = np.concatenate([score, h])
        left[:p] += slope.T @ mu
        return left, full

    left, full = system(at)
    for _ in range(MOST_STEPS):
        if not np.all(np.isfinite(full)) or np.max(np.abs(left)) <= TOLERANCE:
            break
        step = np.linalg.lstsq(full, -left, rcond=None)[0]
        for halving in range(MOST_HALVINGS):
            trial = at + step / 2**halving
            new = system(trial)
            if np.linalg.norm(new[0]) < np.linalg.norm(left):
                break
        else:
            break
        at, (left, full) = trial, new
    u, norm = at[:k], float(np.max(np.abs(left)))
    (score, jacobian), slope = scored(u), restriction.at(u[:p])[1]
    value, reason = np.nan, ""
    if not norm <= 10 * TOLERANCE:
        reason = f"the score norm under the restrictions is {norm:.2g} after the last step"
    elif objective is not None:
        value = objective(u)
        tangent = np.linalg.svd(slope)[2][r:].T
        reason = curvature_problem(jacobian, p, restriction.curvature(u[:p], at[k:]), tangent)
    return Restricted(u, value, at[k:], score[:p], jacobian, slope, reason)
