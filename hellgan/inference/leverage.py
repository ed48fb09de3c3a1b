"""Newton steps to the solution without each observation: what deletion and the covariance HC3 are made of.

Equation numbers are those of ``docs/theory.md``.
"""

import numpy as np

from hellgan.estimation import Fit


def steps_without(fit: Fit) -> np.ndarray:
    """Newton steps (n, k) from the fit to its solution without each observation, (13), unconstrained scale.

    With psi_i the score of observation i, h_i its derivative in u and w_i its weight, the equations without it have at
    the fit the mean score w_i (mean of the psi - psi_i)/(1 - w_i) and the Jacobian
    H + w_i/(1 - w_i) (mean of the h - h_i). Of least squares the step is -(X'X)^-1 x_i e_i/(1 - h_i), h_i the leverage.
    """
    of, u = fit.equations, fit.solution.u
    weights, scores = of.sample.weights, of.scores(u)
    odds, mean = (weights / (1 - weights))[:, None], weights @ scores
    blocks = list(of.score_jacobians(u))
    total = weighted_sum(blocks, weights)
    steps = np.empty_like(scores)
    for rows, each in blocks:
        without = fit.solution.jacobian + odds[rows, :, None] * (total - each)
        steps[rows] = np.linalg.solve(without, (odds[rows] * (scores[rows] - mean))[:, :, None])[:, :, 0]
    return steps


def weighted_sum(blocks, weights: np.ndarray) -> np.ndarray:
    """Sum (k, k) of matrices that come in blocks of rows (b, k, k), as ``score_jacobians`` gives them, by weight."""
    return np.sum([np.einsum("n,nij->ij", weights[rows], each) for rows, each in blocks], axis=0)
