"""From a root of the scores to its joint law: bread, meat, sandwich, delta method, overidentification test.

With u = (theta, alpha) and H the derivative of the mean score,

    sqrt(n) (u_hat - u) -> N(0, H^-1 [Sigma_X + (n/m) Sigma_Z] H^-T)                              (2)

where each score covariance is centred by its own sample's mean. For scrambled Sobol latents (n/m) Sigma_Z becomes
n R, R the covariance of the mean simulated score over independent scrambles at the solution.
"""

from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Float

from hellgan import losses, objective
from hellgan.generators import Generator
from hellgan.objective import Array, Game

SCRAMBLES = 32  # independent Sobol samples behind R: its entries then have 31 degrees of freedom

# Below this relative size an eigenvalue of the information matrix cannot be told from 0.
_SINGULAR = 1e-9


class Sandwich(eqx.Module):
    """The joint law of (theta, alpha) at a root of the scores.

    Attributes
    ----------
    bread : (p + q + 1, p + q + 1) array
        A, minus the mean derivative of the scores (not inverted).
    meat_real, meat_simulated : arrays of the same shape
        The two parts of B, the covariance of sqrt(n) times the mean score.
    n : float
        Effective sample size 1 / sum of squared weights; n for equal weights.
    cov : array of the same shape
        A^-1 B A^-T / n: covariance of the estimate itself.
    """

    bread: Float[np.ndarray, "pq pq"]
    meat_real: Float[np.ndarray, "pq pq"]
    meat_simulated: Float[np.ndarray, "pq pq"]
    n: float
    cov: Float[np.ndarray, "pq pq"]

    @property
    def meat(self) -> np.ndarray:
        """B: the sum of the two parts."""
        return self.meat_real + self.meat_simulated


class OveridentificationTest(eqx.Module):
    """Whether the generator fits: the value of the game against its law under a correct model.

    Attributes
    ----------
    statistic : float
        (4), scaled by n (Sobol latents) or nm/(n + m).
    df : int
        q - p, features less parameters.
    pvalue : float
    weights : (r,) array
        The limit law is that of the sum of ``weights`` times independent chi-square variables of one degree of
        freedom; all 1 where it is chi-square with ``df`` degrees of freedom.
    robust : bool
        Whether the law allows a generator that matches the features without being right elsewhere.
    """

    statistic: float
    df: int
    pvalue: float
    weights: np.ndarray
    robust: bool

    def __str__(self):
        form = "misspecification-robust" if self.robust else "plain"
        return f"overidentification test ({form}): {self.statistic:.3f}, df {self.df}, p-value {self.pvalue:.4f}"


def infer(game: Game, theta, alpha, jacobian, scrambles: np.ndarray | None) -> Sandwich:
    """Compute the sandwich covariance at a root of the scores.

    Parameters
    ----------
    game : Game
        With a basis linear in alpha; the caller holds the ``jax.enable_x64`` context.
    theta, alpha : (p,) and (q + 1,) arrays
        The root, from any solver.
    jacobian : (p + q + 1, p + q + 1) array
        ``objective.jacobian`` at the root.
    scrambles : (S, m) or (S, m, k) array or None
        Independent Sobol latent samples; None for independent latents.

    Raises
    ------
    ValueError
        For a discriminator with a hidden layer: its hidden weights are not identified where the two laws are equal,
        so that (2) does not exist.
    """
    require_basis(game)
    parts = jax.device_get(_parts(game, theta, alpha, scrambles))
    n = 1 / float(np.sum(np.square(game.x_weights)))
    meat_real = n * covariance_of_mean(parts.real_scores, np.asarray(game.x_weights))
    if scrambles is None:
        meat_simulated = n * covariance_of_mean(parts.simulated_scores, np.asarray(game.z_weights))
    else:
        meat_simulated = n * np.cov(parts.simulated_scores, rowvar=False)
    half = np.linalg.solve(jacobian, meat_real + meat_simulated)
    cov = np.linalg.solve(jacobian, half.T).T / n  # (2)
    return Sandwich(-np.asarray(jacobian), meat_real, meat_simulated, n, (cov + cov.T) / 2)


class _Parts(NamedTuple):
    """What the sandwich and the overidentification test are made of; features without the constant."""

    value: Array  # of the game, without ridge
    real_scores: Array  # (n, p + q + 1)
    simulated_scores: Array  # (m, p + q + 1); for Sobol points (S, p + q + 1), means over each sample
    real_features: Array  # (n, q)
    simulated_features: Array  # (m, q)
    features_over: Array | None  # (S, q) means over each Sobol sample
    features_slope: Array  # (q, p) derivative in theta of the simulated features' mean


@jax.jit
def _parts(game: Game, theta, alpha, scrambles) -> _Parts:
    """Evaluate all of it by one program, so that one compilation serves both."""
    real = objective.features(game, game.x)

    def simulated(theta):
        return objective.features(game, objective.simulate(game, theta))[:, 1:]

    if scrambles is None:
        real_scores, simulated_scores = objective.scores(game, theta, alpha)
        over = None
    else:
        slope = losses.derivatives(game.loss.real, real @ alpha)[1]
        no_theta = jnp.zeros((real.shape[0], game.p), real.dtype)
        real_scores = jnp.concatenate([no_theta, slope[:, None] * real], axis=1)
        simulated_scores, over = lax.map(lambda z: objective.simulated_means(game, theta, alpha, z), scrambles)
        over = over[:, 1:]
    return _Parts(
        objective.objective(game, theta, alpha, penalised=False),
        real_scores,
        simulated_scores,
        real[:, 1:],
        simulated(theta),
        over,
        jax.jacfwd(lambda theta: game.z_weights @ simulated(theta))(theta),
    )


def covariance_of_mean(rows: Float[np.ndarray, "n k"], weights: Float[np.ndarray, " n"]) -> np.ndarray:
    """Covariance of the weighted mean of independent rows, each centred by their weighted mean; unbiased."""
    centred = weights[:, None] * (rows - weights @ rows)
    return centred.T @ centred / (1 - np.sum(weights**2))


def require_basis(game: Game) -> None:
    """Refuse, with the reason, a discriminator for which no joint law exists."""
    if not game.discriminator.is_linear:
        raise ValueError(
            "joint covariance: a discriminator with a hidden layer is not identified where the generator fits (its "
            "output weights are 0 there, so that its hidden weights are arbitrary) and has no joint normal law; use "
            "a discriminator linear in its parameters, such as Sigmoids, for inference."
        )


def identification_problem(game: Game, jacobian: np.ndarray) -> str | None:
    """Name the parameters that the features cannot tell apart, or None.

    The information about theta is -H_at' H_aa^-1 H_at; a direction in which it vanishes is not identified.
    """
    p = game.p
    h_at, h_aa = jacobian[p:, :p], jacobian[p:, p:]
    information = h_at.T @ np.linalg.solve(-h_aa, h_at)
    size = np.sqrt(np.abs(np.diag(information)))
    if not np.all(np.isfinite(information)):
        return "the information matrix is not finite"
    free = [f"{name}" for name, space in game.generator.parameters.items() for _ in range(space.size)]
    # A parameter in units of the others' information: zero where the simulated features do not react to it.
    if np.min(size) == 0 or (np.any(size <= 1e-8 * np.max(size)) and np.min(size) < 1e-12):
        return f"the simulated features do not react to {free[int(np.argmin(size))]}"
    values, vectors = np.linalg.eigh(information / np.outer(size, size))
    if values[0] > _SINGULAR * p:
        return None
    parts = [f"{vectors[k, 0]:+.2f} {free[k]}" for k in np.argsort(-np.abs(vectors[:, 0])) if abs(vectors[k, 0]) > 0.1]
    return f"the combination {' '.join(parts)} (unconstrained, standardised) is not identified by the features"


@jax.jit
def natural_scale(generator: Generator, theta: Float[Array, " p"]):
    """Natural parameters and their derivative in theta: what the delta method needs."""
    return generator.natural_vector(theta), jax.jacfwd(generator.natural_vector)(theta)


def intervals(generator: Generator, natural, std_errors, quantile: float) -> np.ndarray:
    """Wald intervals of natural parameters, each on the real line of its own link and mapped back: (k, 2)."""
    rows = []
    for space, value, error in zip(generator.element_spaces, natural, std_errors, strict=True):
        half = quantile * error * space.link_slope(value)
        rows.append([space.unlink(space.link(value) - half), space.unlink(space.link(value) + half)])
    return np.array(rows, np.float64)


def overidentification(game: Game, theta, alpha, scrambles: np.ndarray | None, robust: bool) -> OveridentificationTest:
    """Test the generator by the value of the game, (4).

    Parameters
    ----------
    game, theta, alpha, scrambles
        As for ``infer``.
    robust : bool
        Allow misspecification: the null is then that the generator matches the features' means, not that it is right.

    Raises
    ------
    ValueError
        For a hidden layer, a loss whose optimum is not the log ratio, or as many parameters as features.
    """
    require_basis(game)
    loss, p, q = game.loss, game.p, game.discriminator.size - 1
    if not loss.is_calibrated:
        raise ValueError(f"overidentification test: the optimum of the loss {loss.name} is not the log density ratio.")
    if q <= p:
        raise ValueError(
            f"overidentification test: {q} features for {p} parameters leave nothing to test; give more features."
        )
    parts = jax.device_get(_parts(game, theta, alpha, scrambles))
    wx, wz = np.asarray(game.x_weights), np.asarray(game.z_weights)
    n, m = 1 / np.sum(wx**2), 1 / np.sum(wz**2)
    c_real, c_simulated = (
        n * covariance_of_mean(parts.real_features, wx),
        m * covariance_of_mean(parts.simulated_features, wz),
    )
    pooled = (c_real + c_simulated) / 2 if robust else c_real
    if scrambles is None:
        scale = n * m / (n + m)
        noise = scale * (c_real / n + c_simulated / m) if robust else pooled
    else:
        scale = n
        noise = c_real + n * np.cov(parts.features_over, rowvar=False)
    statistic = loss.chi2_factor * scale * (float(parts.value) - loss.value_at_equality)  # (4)
    weights = _limit_weights(
        loss.c, loss.chi2_factor, pooled, noise, parts.features_slope, np.asarray(game.discriminator.ridge)[1:]
    )
    weights = weights[: q - p]
    return OveridentificationTest(float(statistic), q - p, weighted_chi2_sf(weights, statistic), weights, robust)


def _limit_weights(c, factor, covariance, noise, slope, ridge):
    """Weights of the chi-square variables in the limit law of (4), ridge and estimated theta allowed for.

    With delta the difference of the samples' mean features, alpha = c K delta for K = (c C + 2 Lambda)^-1, theta
    projects delta by P = I - J (J' K J)^-1 J' K, and V - V_0 = c alpha' delta - (c/2) alpha' C alpha. Without a
    ridge the form is P' C^-1 P and all weights are 1.
    """
    size = np.sqrt(np.diag(covariance))
    covariance, noise = covariance / np.outer(size, size), noise / np.outer(size, size)
    slope = slope / size[:, None]
    inverse = np.linalg.inv(c * covariance + np.diag(2 * ridge / size**2))
    projection = np.eye(len(size)) - slope @ np.linalg.solve(slope.T @ inverse @ slope, slope.T @ inverse)
    form = factor * projection.T @ (c**2 * inverse - c**3 / 2 * inverse @ covariance @ inverse) @ projection
    values, vectors = np.linalg.eigh(noise)
    root = vectors * np.sqrt(np.maximum(values, 0.0))
    return np.sort(np.linalg.eigvalsh(root.T @ form @ root))[::-1]


def weighted_chi2_sf(weights: Float[np.ndarray, " r"], statistic: float, nodes: int = 32) -> float:
    """Upper tail of a weighted sum of independent chi-square variables of one degree of freedom.

    The distribution function is the inverse Laplace transform of prod (1 + 2 weight p)^(-1/2) / p, whose singularities
    lie on the negative axis: the midpoint rule on the parabola p = mu (1 + iu)^2 of Weideman and Trefethen (2007)
    converges geometrically. The absolute error is below 1e-11, whatever the weights.
    """
    if not statistic > 0:
        return 1.0
    u = (np.arange(nodes) + 0.5) * 3 / nodes
    mu = np.pi * nodes / (12 * statistic)
    p, slope = mu * (1 + 1j * u) ** 2, 2j * mu * (1 + 1j * u)
    transform = np.prod(1 / np.sqrt(1 + 2 * weights[:, None] * p[None, :]), axis=0) / p
    below = 3 / nodes / np.pi * np.sum((np.exp(p * statistic) * transform * slope).imag)
    return float(np.clip(1 - below, 0.0, 1.0))
