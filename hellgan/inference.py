"""From a root of the scores to its joint law: bread, meat, sandwich, delta method.

With u = (theta, alpha) and H the derivative of the mean score,

    sqrt(n) (u_hat - u) -> N(0, H^-1 [Sigma_X + (n/m) Sigma_Z] H^-T)                              (2)

where each score covariance is centred by its own sample's mean. For scrambled Sobol latents (n/m) Sigma_Z becomes
n R, R the covariance of the mean simulated score over independent scrambles at the solution.
"""

import dataclasses
import functools
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Float

from hellgan import batching, losses, objective
from hellgan.generators import Generator
from hellgan.objective import Array, Game
from hellgan.solver import SaddlePoint

# Sobol samples behind R: a few show whether R matters at all beside the real sample's noise, by more than half a
# hundredth; where it does, all are used, and its entries have 31 degrees of freedom.
SCRAMBLES, FIRST = 32, 8
_MATTERS = 0.005

# Below this relative size an eigenvalue of the information matrix cannot be told from 0.
_SINGULAR = 1e-9


@dataclasses.dataclass(frozen=True, eq=False)
class Sandwich:
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


class Parts(NamedTuple):
    """What the joint law and the tests at a root are made of: covariances of means; features without the constant."""

    real_scores: Array  # (p + q + 1, p + q + 1), of the real sample's mean score
    simulated_scores: Array | None  # of the simulated sample's, where its draws are independent
    real_features: Array  # (q, q), of the real sample's mean features
    simulated_features: Array  # of the simulated sample's, were its draws independent
    difference: Array | None  # of their difference, where simulated rows are tied to observations
    features_slope: Array  # (q, p) derivative in theta of the simulated features' mean
    shifted: Any  # objective.SimulatedMeans over other Sobol samples, (S, ...), or None
    natural: Array  # generator parameters on their natural scale
    natural_slope: Array  # their derivative in theta


@batching.program
def parts(games: Game, theta, alpha, scrambles) -> Parts:
    """Evaluate all of it for a stack of games (k, ...) by one program, so that one compilation serves every use.

    ``scrambles`` (k, S, m) or (k, S, m, dim) holds other Sobol samples; None for independent latents.
    """
    return batching.each(_parts, games, theta, alpha, scrambles)


def _parts(game: Game, theta, alpha, scrambles) -> Parts:
    loss, wx, wz = game.loss, game.x_weights, game.z_weights

    def real_rows(x):
        phi = objective.features(game, x)
        slope = losses.derivatives(loss.real, phi @ alpha)[1]
        return jnp.pad(slope[:, None] * phi, ((0, 0), (game.p, 0))), phi[:, 1:]

    def simulated_rows(z):
        rows = objective.simulated_rows(game, theta, alpha, z)
        return rows.scores, rows.features[:, 1:]

    def slope(weights, z):
        return jnp.einsum("m,mqp->qp", weights, objective.simulated_rows(game, theta, alpha, z).features_slope[:, 1:])

    def grouped(x, z, shares):
        """Scores of each observation with its simulated rows, and difference of their features."""
        real, simulated = real_rows(x), jax.vmap(simulated_rows)(z)
        means = [jnp.einsum("ns,nsk->nk", shares, rows) for rows in simulated]
        return real[0] + means[0], real[1] - means[1]

    real_scores, real_features = covariances_of_means(real_rows, wx, game.x)
    difference = shifted = None
    if game.tied:
        z, u = (a.reshape(wx.shape[0], game.tied, *a.shape[1:]) for a in (game.z, wz))
        shares = u / jnp.where(wx > 0, wx, 1.0)[:, None]
        real_scores, difference = covariances_of_means(grouped, wx, game.x, z, shares)
        simulated_scores, simulated_features = jnp.zeros_like(real_scores), jnp.zeros_like(real_features)
    elif scrambles is None:
        simulated_scores, simulated_features = covariances_of_means(simulated_rows, wz, game.z)
    else:
        simulated_scores, (simulated_features,) = (
            None,
            covariances_of_means(lambda z: simulated_rows(z)[1:], wz, game.z),
        )
        shifted = lax.map(lambda z: objective.simulated_means(game, theta, alpha, z), scrambles)
        shifted = shifted._replace(features=shifted.features[:, 1:])
    return Parts(
        real_scores,
        simulated_scores,
        real_features,
        simulated_features,
        difference,
        objective.row_sums(slope, wz, game.z),
        shifted,
        game.generator.natural_vector(theta),
        jax.jacfwd(game.generator.natural_vector)(theta),
    )


def covariances_of_means(function, weights: Array, *rows) -> list[Array]:
    """Covariance of the weighted mean of independent rows (n, k), for each kind of rows that ``function`` gives.

    Each is centred by its own weighted mean, in a second pass over the sample, and unbiased.
    """
    means = objective.row_sums(lambda w, *rows: [w @ kind for kind in function(*rows)], weights, *rows)

    def squares(w, *rows):
        centred = [w[:, None] * (kind - mean[None]) for kind, mean in zip(function(*rows), means, strict=True)]
        return [kind.T @ kind for kind in centred]

    return [total / (1 - jnp.sum(weights**2)) for total in objective.row_sums(squares, weights, *rows)]


def infer(game: Game, jacobian: np.ndarray, found: Parts) -> Sandwich:
    """Compute the sandwich covariance at a root of the scores.

    Parameters
    ----------
    game : Game
        With a basis linear in alpha.
    jacobian : (p + q + 1, p + q + 1) array
        ``objective.jacobian`` at the root.
    found : Parts
        Of ``parts`` at the root, one game's.

    Raises
    ------
    ValueError
        For a discriminator with a hidden layer: its hidden weights are not identified where the two laws are equal,
        so that (2) does not exist.
    """
    require_basis(game)
    n = 1 / float(np.sum(np.square(game.x_weights)))
    meat_real = n * np.asarray(found.real_scores)
    if found.shifted is None:
        meat_simulated = n * np.asarray(found.simulated_scores)
    else:
        meat_simulated = n * np.cov(found.shifted.score, rowvar=False)
    half = np.linalg.solve(jacobian, meat_real + meat_simulated)
    cov = np.linalg.solve(jacobian, half.T).T / n  # (2)
    return Sandwich(-np.asarray(jacobian), meat_real, meat_simulated, n, (cov + cov.T) / 2)


class JointLaw(NamedTuple):
    """What is inferred from one solution."""

    sandwich: Sandwich | None
    natural: np.ndarray  # generator parameters on their natural scale
    natural_slope: np.ndarray  # their derivative in theta: the delta method
    trouble: str  # why there is no sandwich


def natural_cov(generator: Generator, sandwich: Sandwich | None, natural, slope, m: int) -> np.ndarray:
    """Covariance of the natural parameters, by the delta method.

    NaN where there is no sandwich, and for parameters that ``m`` simulated observations say nothing of.
    """
    p = slope.shape[1]
    cov = np.full((p, p), np.nan) if sandwich is None else sandwich.cov[:p, :p]
    cov = slope @ cov @ slope.T
    cov = (cov + cov.T) / 2
    unseen = generator.unseen(m, **generator.named(np.asarray(natural)))
    if unseen:
        rows = [name in unseen for name in generator.names]
        cov[rows, :] = cov[:, rows] = np.nan
    return cov


def laws(games: Sequence[Game], saddles: Sequence[SaddlePoint], scrambles: Sequence) -> list[JointLaw]:
    """Infer the joint law at each solution of games of one structure; the caller holds ``jax.enable_x64``.

    ``scrambles`` holds, for each game, Sobol samples independent of its own, (SCRAMBLES, m) or (SCRAMBLES, m, k), or
    None for latents that are independent.
    """
    troubles, usable = [], []
    for k, (game, saddle) in enumerate(zip(games, saddles, strict=True)):
        problem = None
        if game.discriminator.is_linear and saddle.converged and saddle.discriminator_curvature < 0:
            # Asked also where there is no saddle: that may well be why.
            problem = identification_problem(game, saddle.jacobian)
            if problem:
                problem += "; hold a parameter with generator.fix, or give a richer discriminator"
            elif saddle.is_saddle:
                usable.append(k)
        troubles.append(problem or saddle.reason)
    roots = [(saddles[k].theta, saddles[k].alpha) for k in usable]
    evaluated = _parts_of_all([games[k] for k in usable], roots, [scrambles[k] for k in usable])
    parts_at = dict(zip(usable, evaluated, strict=True))
    found = []
    for k, (game, saddle) in enumerate(zip(games, saddles, strict=True)):
        if k in parts_at:
            mine = parts_at[k]
            sandwich = infer(game, saddle.jacobian, mine)
            found.append(JointLaw(sandwich, np.asarray(mine.natural), np.asarray(mine.natural_slope), troubles[k]))
        else:
            natural, slope = jax.device_get(natural_scale(game.generator, saddle.theta))
            found.append(JointLaw(None, natural, slope, troubles[k]))
    return found


def parts_of(game: Game, theta, alpha, scrambles: np.ndarray | None) -> Parts:
    """Evaluate ``parts`` for one game; the caller holds the ``jax.enable_x64`` context."""
    require_basis(game)
    return _parts_of_all([game], [(theta, alpha)], [scrambles])[0]


def _parts_of_all(games, roots, scrambles) -> list[Parts]:
    """Evaluate ``parts`` for many games at their roots (theta, alpha), a group at a time."""
    size = batching.group_size(len(games))
    found = []
    for begin in range(0, len(games), size):
        group = list(range(begin, min(begin + size, len(games))))
        padded = group + group[:1] * (size - len(group))
        stacked = batching.stack([games[k] for k in padded])
        theta, alpha = (np.stack([np.asarray(roots[k][side]) for k in padded]) for side in (0, 1))
        plain = scrambles[begin] is None

        @functools.cache  # the group's other samples are evaluated once, whichever of its fits need them
        def over(at, padded=padded, stacked=stacked, theta=theta, alpha=alpha, plain=plain):
            samples = None if plain else np.stack([scrambles[k][at : at + FIRST] for k in padded])
            return jax.device_get(parts(stacked, theta, alpha, samples))

        first = over(0)
        for row in range(len(group)):
            mine = jax.tree.map(lambda leaf, row=row: leaf[row], first)
            found.append(mine if plain else _with_all_scrambles(mine, row, over))
    return found


def _with_all_scrambles(found: Parts, row: int, over: Callable[[int], Parts]) -> Parts:
    """Add the other Sobol samples to one game's parts where those so far show that they matter.

    ``over(k)`` gives the parts of its group over the samples from number k on, as many as ``found`` holds.
    """
    noise = np.var(found.shifted.features, axis=0, ddof=1)
    if not np.any(noise > _MATTERS * np.diag(found.real_features)):
        return found
    others = [jax.tree.map(lambda leaf: leaf[row], over(at).shifted) for at in range(FIRST, SCRAMBLES, FIRST)]
    return found._replace(shifted=jax.tree.map(lambda *means: np.concatenate(means), found.shifted, *others))


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


@batching.program
def natural_scale(generator: Generator, theta: Float[Array, " p"]):
    """Natural parameters and their derivative in theta: what the delta method needs."""
    return generator.natural_vector(theta), jax.jacfwd(generator.natural_vector)(theta)


def intervals(generator: Generator, natural, std_errors, quantile: float) -> np.ndarray:
    """Wald intervals of natural parameters, each on the real line of its own link and mapped back: (k, 2)."""
    rows = []
    for space, value, error in zip(generator.element_spaces, natural, std_errors, strict=True):
        if not np.isfinite(error):  # an estimate without a standard error may lie on its space's edge
            rows.append([np.nan, np.nan])
            continue
        half = quantile * error * space.link_slope(value)
        rows.append([space.unlink(space.link(value) - half), space.unlink(space.link(value) + half)])
    return np.array(rows, np.float64)
