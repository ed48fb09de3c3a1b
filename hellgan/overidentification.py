"""The overidentification test: whether the generator fits, by the value of the game, (4)."""

import dataclasses

import numpy as np
from jaxtyping import Float

from hellgan import inference
from hellgan.objective import Game


@dataclasses.dataclass(frozen=True, eq=False)
class OveridentificationTest:
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


def overidentification(
    game: Game, theta, alpha, value: float, scrambles: np.ndarray | None, robust: bool
) -> OveridentificationTest:
    """Test the generator by the value of the game, (4).

    Parameters
    ----------
    game, theta, alpha
        The root, from any solver.
    value : float
        V_n there, without the ridge.
    scrambles : (S, m) or (S, m, k) array or None
        Independent Sobol latent samples; None for independent latents.
    robust : bool
        Allow misspecification: the null is then that the generator matches the features' means, not that it is right.

    Raises
    ------
    ValueError
        For a hidden layer, a loss whose optimum is not the log ratio, or as many parameters as features.
    """
    inference.require_basis(game)
    loss, p, q = game.loss, game.p, game.discriminator.size - 1
    if not loss.is_calibrated:
        raise ValueError(f"overidentification test: the optimum of the loss {loss.name} is not the log density ratio.")
    if q <= p:
        raise ValueError(
            f"overidentification test: {q} features for {p} parameters leave nothing to test; give more features."
        )
    found = inference.parts_of(game, theta, alpha, scrambles)
    n, m = 1 / np.sum(np.square(game.x_weights)), 1 / np.sum(np.square(game.z_weights))
    c_real, c_simulated = n * found.real_features, m * found.simulated_features
    pooled = (c_real + c_simulated) / 2 if robust and not game.tied else c_real
    scale = n * m / (n + m) if scrambles is None and not game.tied else n
    if game.tied:
        noise = n * found.difference
    elif scrambles is None:
        noise = scale * (c_real / n + c_simulated / m) if robust else pooled
    else:
        noise = c_real + n * np.cov(found.shifted.features, rowvar=False)
    statistic = loss.chi2_factor * scale * (value - loss.value_at_equality)  # (4)
    weights = limit_weights(
        loss.c, loss.chi2_factor, pooled, noise, found.features_slope, np.asarray(game.discriminator.ridge)[1:]
    )
    weights = weights[: q - p]
    return OveridentificationTest(float(statistic), q - p, weighted_chi2_sf(weights, statistic), weights, robust)


def limit_weights(c, factor, covariance, noise, slope, ridge):
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
