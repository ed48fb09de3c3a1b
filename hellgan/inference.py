"""From a root of the scores to its joint law: bread, meat, sandwich, delta method.

With u = (theta, alpha) and H the derivative of the mean score,

    sqrt(n) (u_hat - u) -> N(0, H^-1 [Sigma_X + (n/m) Sigma_Z] H^-T)                              (2)

where each score covariance is centred by its own sample's mean. For scrambled Sobol latents (n/m) Sigma_Z becomes
n R, R the covariance of the mean simulated score over independent scrambles at the solution.
"""

import dataclasses
from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Float

from hellgan import batching, losses, objective
from hellgan.constraints import Constraint
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
        objective.features_slope(game, theta, alpha)[1:],
        shifted,
        game.generator.natural_vector(theta),
        jax.jacfwd(game.generator.natural_vector)(theta),
    )


def covariances_of_means(function, weights: Array, *rows) -> list[Array]:
    """Covariance of the weighted mean of independent rows (n, k), for each kind of rows that ``function`` gives.

    Each is centred by its own weighted mean, and unbiased. A large sample is gone through once: its rows are taken
    from the mean of the first block, so that squares lose no digits.
    """
    first = slice(None if len(weights) <= objective.STORED else objective.BLOCK)
    share = jnp.sum(weights[first])
    shares = jnp.where(share > 0, weights[first] / jnp.where(share > 0, share, 1.0), 1 / weights[first].shape[0])
    pilots = [shares @ kind for kind in function(*(r[first] for r in rows))]

    def moments(w, *rows):
        kinds = [kind - pilot[None] for kind, pilot in zip(function(*rows), pilots, strict=True)]
        weighted = [w[:, None] * kind for kind in kinds]
        return [(w @ kind, w @ each, each.T @ each) for kind, each in zip(kinds, weighted, strict=True)]

    total = jnp.sum(weights**2)
    covariances = []
    for mean, tilted, squares in objective.row_sums(moments, weights, *rows):
        mixed = jnp.outer(tilted, mean)
        covariances.append((squares - mixed - mixed.T + total * jnp.outer(mean, mean)) / (1 - total))
    return covariances


def infer(games: Game, jacobians: np.ndarray, found: Parts) -> list[Sandwich]:
    """Compute the sandwich covariances at roots of the scores.

    Parameters
    ----------
    games : Game
        A stack (k, ...), with a basis linear in alpha.
    jacobians : (k, p + q + 1, p + q + 1) array
        ``objective.jacobian`` at the roots.
    found : Parts
        Of ``parts`` at the roots.

    Raises
    ------
    ValueError
        For a discriminator with a hidden layer: its hidden weights are not identified where the two laws are equal,
        so that (2) does not exist.
    """
    require_basis(games)
    n = 1 / np.sum(np.square(games.x_weights), axis=1)
    each = n[:, None, None]
    real = each * np.asarray(found.real_scores)
    if found.shifted is None:
        simulated = each * np.asarray(found.simulated_scores)
    else:
        simulated = each * _covariances(found.shifted.score)
    half = np.linalg.solve(jacobians, real + simulated)
    covs = np.linalg.solve(jacobians, np.swapaxes(half, 1, 2)) / each  # (2); symmetric but for rounding
    covs = (covs + np.swapaxes(covs, 1, 2)) / 2
    return [
        Sandwich(-jacobian, a, b, float(size), cov)
        for jacobian, a, b, size, cov in zip(jacobians, real, simulated, n, covs, strict=True)
    ]


def _covariances(rows: np.ndarray) -> np.ndarray:
    """Covariance over the S rows of each of a stack (k, S, q): (k, q, q)."""
    centred = rows - np.mean(rows, axis=1, keepdims=True)
    return np.swapaxes(centred, 1, 2) @ centred / (rows.shape[1] - 1)


class JointLaw(NamedTuple):
    """What is inferred from one solution."""

    sandwich: Sandwich | None
    natural: np.ndarray  # generator parameters on their natural scale
    natural_slope: np.ndarray  # their derivative in theta: the delta method
    trouble: str  # why there is no sandwich


def natural_covs(generator: Generator, laws: Sequence[JointLaw], m: int) -> np.ndarray:
    """Covariances of the natural parameters (k, r, r), by the delta method.

    NaN where there is no sandwich, and for parameters that ``m`` simulated observations say nothing of.
    """
    p = generator.size
    missing = np.full((p, p), np.nan)
    covs = np.stack([missing if law.sandwich is None else law.sandwich.cov[:p, :p] for law in laws])
    slopes = np.stack([law.natural_slope for law in laws])
    covs = slopes @ covs @ np.swapaxes(slopes, 1, 2)
    covs = (covs + np.swapaxes(covs, 1, 2)) / 2
    named, unseen, names = generator.named, generator.unseen, generator.names
    for cov, law in zip(covs, laws, strict=True):
        rows = [names.index(name) for name in unseen(m, **named(np.asarray(law.natural)))]
        cov[rows, :] = cov[:, rows] = np.nan
    return covs


def laws(games: Game, saddles: Sequence[SaddlePoint], scrambles: Sequence) -> list[JointLaw]:
    """Infer the joint law at the solution of each of a stack of games; the caller holds ``jax.enable_x64``.

    ``scrambles`` holds, for each game, Sobol samples independent of its own, (SCRAMBLES, m) or (SCRAMBLES, m, k), or
    None for latents that are independent.
    """
    is_linear = games.discriminator.is_linear
    # Whether it is identified is asked also where there is no saddle: that may well be why.
    asked = [k for k, s in enumerate(saddles) if is_linear and s.converged and s.discriminator_curvature < 0]
    problems = dict(zip(asked, identification_problems(games, [saddles[k].jacobian for k in asked]), strict=True))
    found: list[JointLaw | None] = []
    for k, saddle in enumerate(saddles):
        problem = problems.get(k)
        if problem:
            problem += (
                "; hold a parameter with generator.fix, give a richer discriminator or, if one ran to the edge of its "
                "space, other starting values, fit(start={...})"
            )
        trouble = problem or saddle.reason
        found.append(None if is_linear and not trouble else _without_errors(games.generator, saddle, trouble))
    usable = [k for k, law in enumerate(found) if law is None]
    size = batching.group_size(len(saddles))  # of all, so that no fit's last digits depend on the others' success
    for begin in range(0, len(usable), size):
        chosen = usable[begin : begin + size]
        group = batching.take(games, chosen)
        theta, alpha, jacobians = (
            np.stack([getattr(saddles[k], name) for k in chosen]) for name in ("theta", "alpha", "jacobian")
        )
        for rows, evaluated in _parts_of_group(group, theta, alpha, [scrambles[k] for k in chosen], size):
            sandwiches = infer(batching.take(group, rows), jacobians[rows], evaluated)
            natural, slopes = np.asarray(evaluated.natural), np.asarray(evaluated.natural_slope)
            for k, row in enumerate(rows):
                found[chosen[row]] = JointLaw(sandwiches[k], natural[k], slopes[k], "")
    return found  # pyright: ignore[reportReturnType]


def _without_errors(generator: Generator, saddle: SaddlePoint, trouble: str) -> JointLaw:
    natural, slope = jax.device_get(natural_scale(generator, saddle.theta))
    return JointLaw(None, natural, slope, trouble)


def parts_of(game: Game, theta, alpha, scrambles: np.ndarray | None) -> Parts:
    """Evaluate ``parts`` for one game; the caller holds the ``jax.enable_x64`` context."""
    require_basis(game)
    theta, alpha = np.asarray(theta), np.asarray(alpha)
    ((_, found),) = _parts_of_group(batching.stack([game]), theta[None], alpha[None], [scrambles], 1)
    return batching.take(found, 0)


def _parts_of_group(games: Game, theta, alpha, scrambles: Sequence, size: int) -> list[tuple[list[int], Parts]]:
    """Evaluate ``parts`` for at most ``size`` games, by one call, padded.

    Returns the games' positions with their parts: those for which a few Sobol samples do, and the others. All samples
    are evaluated where the first show that they matter.
    """
    count = len(theta)
    padded = [*range(count), *[0] * (size - count)]
    games, theta, alpha = batching.take(games, padded), theta[padded], alpha[padded]

    def over(begin):
        samples = None
        if scrambles[0] is not None:
            samples = np.stack([scrambles[k][begin : begin + FIRST] for k in padded])
        return batching.take(jax.device_get(parts(games, theta, alpha, samples)), slice(count))

    found = over(0)
    if found.shifted is None:
        return [(list(range(count)), found)]
    noise = np.var(found.shifted.features, axis=1, ddof=1)
    matters = np.any(noise > _MATTERS * np.diagonal(found.real_features, axis1=1, axis2=2), axis=1)
    few, many = np.flatnonzero(~matters).tolist(), np.flatnonzero(matters).tolist()
    evaluated = [(few, batching.take(found, few))] if few else []
    if many:
        others = [over(begin).shifted for begin in range(FIRST, SCRAMBLES, FIRST)]
        shifted = jax.tree.map(lambda *means: np.concatenate(means, axis=1), found.shifted, *others)
        evaluated.append((many, batching.take(found._replace(shifted=shifted), many)))
    return evaluated


def require_basis(game: Game) -> None:
    """Refuse, with the reason, a discriminator for which no joint law exists."""
    if not game.discriminator.is_linear:
        raise ValueError(
            "joint covariance: a discriminator with a hidden layer is not identified where the generator fits (its "
            "output weights are 0 there, so that its hidden weights are arbitrary) and has no joint normal law; use "
            "a discriminator linear in its parameters, such as Sigmoids, for inference."
        )


def informations(jacobians: np.ndarray, p: int) -> np.ndarray:
    """The discriminator's information about theta, -H_at' H_aa^-1 H_at (k, p, p), for each of a stack of H."""
    h_at, h_aa = jacobians[:, p:, :p], jacobians[:, p:, p:]
    return np.swapaxes(h_at, 1, 2) @ np.linalg.solve(-h_aa, h_at)


def identification_problems(games: Game, jacobians: Sequence[np.ndarray]) -> list[str | None]:
    """Name, for each Jacobian of a game of one structure, the parameters that the features cannot tell apart, or None.

    The information about theta is -H_at' H_aa^-1 H_at; a direction in which it vanishes is not identified.
    """
    if not jacobians:
        return []
    found = informations(np.stack(jacobians), games.p)
    size = np.sqrt(np.abs(np.diagonal(found, axis1=1, axis2=2)))
    usable = np.all(np.isfinite(found), axis=(1, 2)) & ~_is_inert(size)
    size = np.where(usable[:, None], size, 1.0)
    scaled = np.where(usable[:, None, None], found / (size[:, :, None] * size[:, None, :]), 0.0)
    identified = np.linalg.eigvalsh(scaled)[:, 0] > _SINGULAR * games.p
    return [None if ok else _unidentified(games, each) for ok, each in zip(identified, found, strict=True)]


def _is_inert(size):
    """Whether the simulated features do not react to one of the parameters, of information size**2 (..., p)."""
    least = np.min(size, axis=-1)
    return (least == 0) | ((least <= 1e-8 * np.max(size, axis=-1)) & (least < 1e-12))


def _unidentified(games, information) -> str:
    if not np.all(np.isfinite(information)):
        return "the information matrix is not finite"
    size = np.sqrt(np.abs(np.diag(information)))
    names = [name for name, space in games.generator.parameters.items() for _ in range(space.size)]
    if _is_inert(size):
        return f"the simulated features do not react to {names[int(np.argmin(size))]}"
    worst = weakest_combination(games.generator, information)
    return (
        f"the combination {worst.text} (unconstrained, standardised) is not identified by the features: the "
        f"information matrix has condition number {worst.condition:.1e}"
    )


class Combination(NamedTuple):
    """The combination of unconstrained parameters of which the features say least."""

    text: str
    condition: float  # number, of the information matrix with 1 on its diagonal


def weakest_combination(generator: Generator, information: np.ndarray) -> Combination:
    """Name it, from the information about theta (p, p)."""
    names = [name for name, space in generator.parameters.items() for _ in range(space.size)]
    size = np.sqrt(np.abs(np.diag(information)))
    values, vectors = np.linalg.eigh(information / np.outer(size, size))
    parts = [f"{vectors[k, 0]:+.2f} {names[k]}" for k in np.argsort(-np.abs(vectors[:, 0])) if abs(vectors[k, 0]) > 0.1]
    return Combination(" ".join(parts), float(values[-1] / max(values[0], np.finfo(float).eps)))


@batching.program
def natural_scale(generator: Generator, theta: Float[Array, " p"]):
    """Natural parameters and their derivative in theta: what the delta method needs."""
    return generator.natural_vector(theta), jax.jacfwd(generator.natural_vector)(theta)


def intervals(spaces: Sequence[Constraint], natural, std_errors, quantile: float) -> np.ndarray:
    """Wald intervals (k, 2) of natural numbers in ``spaces``, each on the real line of its own link and mapped back."""
    rows = []
    for space, value, error in zip(spaces, natural, std_errors, strict=True):
        if not np.isfinite(error):  # an estimate without a standard error may lie on its space's edge
            rows.append([np.nan, np.nan])
            continue
        half = quantile * error * space.link_slope(value)
        rows.append([space.unlink(space.link(value) - half), space.unlink(space.link(value) + half)])
    return np.array(rows, np.float64)
