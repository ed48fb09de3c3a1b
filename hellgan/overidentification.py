"""The overidentification test: whether the generator fits, by the value of the game, (4)."""

import dataclasses
from typing import NamedTuple

import jax
import numpy as np
from jaxtyping import Float

from hellgan import inference, latents, objective
from hellgan.objective import Array, Game


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
        law = f"df {self.df}" + (f", mean weight {mean:.3f}" if abs((mean := np.mean(self.weights)) - 1) > 5e-4 else "")
        return f"overidentification test ({form}): {self.statistic:.3f}, {law}, p-value {self.pvalue:.4f}"


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
    found = balance(game, theta, alpha, scrambles, "pooled" if robust else "real")
    statistic = loss.chi2_factor * found.scale * (value - loss.value_at_equality)  # (4)
    weights = limit_weights(loss.c, loss.chi2_factor, found)[: q - p]
    return OveridentificationTest(float(statistic), q - p, weighted_chi2_sf(weights, statistic), weights, robust)


class Balance(NamedTuple):
    """The quadratic game at the truth: what the difference delta of the samples' mean features is, and how it moves.

    The root of ``scale`` times delta has covariance ``noise``; ``covariance`` weighs it, ``slope`` is its derivative
    in theta but for the sign, ``ridge`` that of the q features.
    """

    covariance: np.ndarray
    noise: np.ndarray
    scale: float
    slope: np.ndarray
    ridge: np.ndarray

    def solution(self, c: float) -> tuple[np.ndarray, np.ndarray]:
        """Derivatives in delta of theta, (p, q), and of the features' alpha, (q, q)."""
        size = np.sqrt(np.diag(self.covariance))
        inverse = np.linalg.inv(c * self.covariance / np.outer(size, size) + np.diag(2 * self.ridge / size**2))
        inverse /= np.outer(size, size)  # K
        of_theta = np.linalg.solve(self.slope.T @ inverse @ self.slope, self.slope.T @ inverse)
        return of_theta, c * inverse @ (np.eye(len(size)) - self.slope @ of_theta)


def balance(game: Game, theta, alpha, scrambles: np.ndarray | None, under: str) -> Balance:
    """Evaluate it at a root.

    ``under`` says whose covariance the features have: that of the ``"real"`` sample, of the ``"simulated"`` one, as
    under the model, of ``"both"``, where they are one law's, or ``"pooled"``, where only their means agree.
    """
    found = inference.parts_of(game, theta, alpha, scrambles)
    n, m = 1 / np.sum(np.square(game.x_weights)), 1 / np.sum(np.square(game.z_weights))
    c_real, c_simulated = n * found.real_features, m * found.simulated_features
    if game.tied:
        covariance, noise, scale = c_real, n * found.difference, n
    else:
        middle = (c_real + c_simulated) / 2
        covariance = {"real": c_real, "simulated": c_simulated}.get(under, middle)
        own = c_real if under == "pooled" else covariance
        if scrambles is None:
            scale = n * m / (n + m)
            noise = scale * (own / n + c_simulated / m) if under == "pooled" else covariance
        else:
            scale, noise = n, own + n * np.cov(found.shifted.features, rowvar=False)
    return Balance(
        covariance, noise, float(scale), np.asarray(found.features_slope), np.asarray(game.discriminator.ridge)[1:]
    )


# A point is looked at where a share of a half would be twice its standard error: elsewhere the features cannot tell
# contamination there from other parameters.
_TOLD = 0.25


@jax.jit
def mean_features(game: Game, theta) -> tuple[Array, Array]:
    """Mean features (q,), without the constant, of the real and of the simulated sample."""
    real, simulated = objective.features(game, game.x), objective.features(game, objective.simulate(game, theta))
    return (game.x_weights @ real)[1:], (game.z_weights @ simulated)[1:]


@dataclasses.dataclass(frozen=True, eq=False)
class ContaminationTest:
    """Whether a share of the data lies where the generator puts less: the largest of many one-sided statistics.

    Attributes
    ----------
    statistic : float
        Largest standardised share over the points looked at.
    pvalue : float
        By the law of that maximum where the generator fits.
    point : array (d,)
        Where it is reached.
    share : float
        Estimated share of contamination at that point, were all of it there.
    share_error : float
        Its standard error where there is none.
    """

    statistic: float
    pvalue: float
    point: np.ndarray
    share: float
    share_error: float

    def __str__(self):
        where = ", ".join(f"{value:.4g}" for value in self.point)
        share = f"share {self.share:.3f} (se {self.share_error:.3f}) at {where}"
        return f"contamination test: {self.statistic:.3f}, p-value {self.pvalue:.4f}; {share}"


def contamination(
    of: Balance, c: float, delta: np.ndarray, features: np.ndarray, mean: np.ndarray, points: np.ndarray
) -> ContaminationTest:
    """Test for contamination at points (k, d) of features (k, q).

    A share eps at y moves the difference of mean features by eps (phi(y) - E phi). With theta estimated what is left
    of it is weighed by F = P' K P, and at each point the share's estimate d' F delta / d' F d is standardised.

    Parameters
    ----------
    of : Balance
    c : float
        real'(0) of the loss.
    delta : (q,) array
        Difference of the samples' mean features at the fit.
    features, mean : (k, q) and (q,) arrays
        phi(y), and the simulated sample's mean.
    points : (k, d) array
    """
    of_theta, of_alpha = of.solution(c)
    form = (np.eye(len(mean)) - of.slope @ of_theta).T @ of_alpha  # c F
    values, vectors = np.linalg.eigh(form @ of.noise @ form.T)
    kept = values > 1e-9 * values[-1]
    towards = features - mean
    root = towards @ (vectors[:, kept] * np.sqrt(values[kept]))  # of the statistics' covariance
    size = np.linalg.norm(root, axis=1)
    units = np.einsum("kq,qr,kr->k", towards, form, towards)
    errors = size / np.sqrt(of.scale) / np.where(units > 0, units, np.nan)  # of the shares
    able = errors < _TOLD if np.any(errors < _TOLD) else errors == np.nanmin(errors)
    along = np.where(able, towards @ (form @ delta), 0.0)
    size = np.where(able, size, 1.0)
    statistics = np.where(able, np.sqrt(of.scale) * along / size, -np.inf)
    best = int(np.argmax(statistics))
    z = latents.draw("sobol", latents.normal, 2**14, int(kept.sum()), seed=0)[0]
    largest = np.full(len(z), -np.inf)
    for row in (root / size[:, None])[able]:
        np.maximum(largest, z @ row, out=largest)
    return ContaminationTest(
        float(statistics[best]),
        float(np.mean(largest >= statistics[best])),
        points[best],
        float(along[best] / units[best]),
        float(errors[best]),
    )


def limit_weights(c: float, factor: float, of: Balance) -> np.ndarray:
    """Weights of the chi-square variables in the limit law of (4), ridge and estimated theta allowed for.

    With delta the difference of the samples' mean features, alpha = c K delta for K = (c C + 2 Lambda)^-1, theta
    projects delta by P = I - J (J' K J)^-1 J' K, and V - V_0 = c alpha' delta - (c/2) alpha' C alpha. Without a
    ridge the form is P' C^-1 P and all weights are 1.
    """
    of_theta, of_alpha = of.solution(c)
    left = np.eye(len(of_alpha)) - of.slope @ of_theta  # P
    form = factor * (c * of_alpha.T @ left - c / 2 * of_alpha.T @ of.covariance @ of_alpha)
    size = np.sqrt(np.diag(of.covariance))
    form, noise = (form + form.T) / 2 * np.outer(size, size), of.noise / np.outer(size, size)
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
