"""Where a search begins, for generators that bring no starting values of their own.

Candidates fill a scrambled Sobol box in the unconstrained parameters, laid around the data's robust location and
scale; the best are those whose simulated quantiles match the data's, refined by a few damped Gauss-Newton steps.
What the solver then makes of them is scored by the objective itself.
"""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from hellgan import latents
from hellgan.execution import programs
from hellgan.generators.family import Generator
from hellgan.objective.game import Game
from hellgan.samples.robust import quantile
from hellgan.samples.sample import medians_and_scales

_CANDIDATES, _KEPT, _POINTS, _STEPS, _UNMATCHED = 1024, 12, 256, 20, 128
_LEVELS = np.linspace(0.1, 0.9, 9)
_PAIRED = 8  # up to how many coordinates sums and differences of two are matched too: there are d (d - 1) of them


def matched(generator: Generator, rows: np.ndarray, weights: np.ndarray, seed: int) -> np.ndarray:
    """Find parameters whose simulated quantiles match the data's.

    Parameters
    ----------
    generator : Generator
    rows : (n, d) array
    weights : (n,) array
        Of the observations, with sum 1.
    seed : int

    Returns
    -------
    (k, p) array
        Starting values on the unconstrained scale, best match first.

    Raises
    ------
    ValueError
        When no candidate gives finite observations.
    """
    center, scale = medians_and_scales(rows, weights, generator.covariates)
    standard = (rows - center) / scale
    d = rows.shape[1]
    unit, paired = np.eye(d), itertools.combinations(range(d if d <= _PAIRED else 0), 2)
    pairs = [unit[i] + sign * unit[j] for i, j in paired for sign in (1, -1)]
    directions = np.array([*unit, *pairs])
    targets = np.array([quantile(standard @ u, _LEVELS, weights) for u in directions])
    box = _box(generator, center, scale, seed, _CANDIDATES)
    z = _latents(generator, rows, weights, seed)
    thetas, distances = _match(generator, box, z, center, scale, directions, targets)
    kept = np.isfinite(distances) & np.all(np.isfinite(thetas), axis=1)
    if not np.any(kept):
        raise ValueError(
            f"generator: {generator.name} gives no finite observations anywhere near the data; give starting values, "
            "as in fit(start={...}), or a start= in its constraints."
        )
    return thetas[kept][np.argsort(distances[kept])]


def unmatched(generator: Generator, rows: np.ndarray, weights: np.ndarray, seed: int) -> np.ndarray:
    """Candidates (k, p) laid around the data, for when what `matched` finds leads nowhere.

    In a sample of which a part is wrong, matching its quantiles may drive all candidates to one edge of the space.
    """
    center, scale = medians_and_scales(rows, weights, generator.covariates)
    return _box(generator, center, scale, seed, _UNMATCHED)


def sides(generator: Generator, rows: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """A family's own starting values on the observations below the median, and on those above: (k, p), k up to 2."""
    starts, x = [], rows[:, 0]
    median = quantile(x, 0.5, weights)
    for side in (x <= median, x > median):
        part = np.where(side, weights, 0.0)
        if len(np.unique(x[part > 0])) < 2:
            continue
        try:
            start = generator.start(x, part / part.sum())
        except ValueError:  # observations that the family cannot have by themselves, as all of one value
            continue
        theta = None if start is None else generator.theta(**start)
        if theta is not None and np.all(np.isfinite(theta)):
            starts.append(theta)
    return np.reshape(starts, (-1, generator.size))


def _latents(generator: Generator, rows, weights, seed) -> np.ndarray:
    """Latent draws; with covariates, each behind those of an observation, drawn by its weight."""
    if not generator.covariates:
        return latents.draw("sobol", generator.law, _POINTS, generator.latent_dim, seed)[0]
    points = latents.draw("sobol", latents.uniform, _POINTS, 1 + generator.latent_dim, seed)[0]
    counted = np.flatnonzero(weights)
    drawn = counted[np.searchsorted(np.cumsum(weights[counted])[:-1], points[:, 0])]
    return np.concatenate([rows[drawn, : generator.covariates], generator.law.quantile(points[:, 1:])], axis=1)


def nearby(game: Game, theta: np.ndarray, count: int) -> np.ndarray:
    """Scatter starting values (count, p) around theta: each moves the simulated sample by about its own spread."""
    return scattered(theta, reaches(game, theta), count)


def nearby_of(generator: Generator, theta: np.ndarray, z: np.ndarray, count: int) -> np.ndarray:
    """Scatter starting values (count, p) around theta, as ``nearby`` does; z (m, k) are latent draws."""
    return scattered(theta, reach_of(generator, theta, z), count)


def scattered(theta: np.ndarray, reach: np.ndarray, count: int) -> np.ndarray:
    """Scatter points (count, p) around theta, normally, each coordinate by its ``reach`` (p,)."""
    draws = latents.draw("sobol", latents.normal, 2 ** (count - 1).bit_length(), len(theta), 1)[0, :count]
    return theta + draws * reach


def reaches(game: Game, theta: np.ndarray) -> np.ndarray:
    """Change of each unconstrained parameter that moves the simulated sample by its interquartile range: (p,)."""
    return reach_of(game.generator, theta, game.z)


def reach_at(generator: Generator, theta, z):
    """Change (p,) of each unconstrained parameter that moves a sample, of latent draws (m, k), by its IQR."""

    def simulated(theta):
        return jax.vmap(lambda draw: generator(theta, draw))(z)

    x, tangents = simulated(theta), jax.jacfwd(simulated)(theta)
    spread = jnp.subtract(*jnp.quantile(x, jnp.array([0.75, 0.25], x.dtype), axis=0))
    moved = jnp.median(jnp.abs(tangents), axis=0)
    moved = jnp.max(jnp.where(moved > 0, moved / spread[:, None], 0.0), axis=0)  # what stays put may have no spread
    return jnp.where(jnp.isfinite(moved) & (moved > 0), jnp.minimum(1 / moved, 1e6 * (1 + jnp.abs(theta))), 1.0)


reach_of = programs.program(reach_at)


def _box(generator: Generator, centers: np.ndarray, scales: np.ndarray, seed: int, count: int) -> np.ndarray:
    """Candidates (count, p): half of the real parameters' values near the data, half near 0; log scales likewise."""
    p, k = generator.size, generator.covariates
    center, scale = float(np.median(centers[k:])), float(np.median(scales[k:]))
    points = latents.draw("sobol", latents.uniform, count, 2 * p, seed)[0]
    normal, coin = latents.normal.quantile(points[:, :p]), points[:, p:] < 0.5
    columns, at = [], 0
    for space in generator.parameters.values():
        for element in range(space.size):
            draw, heads = normal[:, at], coin[:, at]
            if space.start is not None:
                begin = space.to_free(space.start_elements)[element]
                columns.append(begin + draw * np.where(heads, 0.2, 1.0) * (1 + abs(begin) * (space.kind == "real")))
            elif space.kind == "real":
                columns.append(np.where(heads, center + 2 * scale * draw, 2 * draw))
            elif space.kind == "positive":
                columns.append(np.where(heads, np.log(scale) + 0.7 * draw, 1.2 * draw))
            else:
                columns.append(1.5 * draw)
            at += 1
    return np.stack(columns, axis=1)


@programs.program
def _match(generator, box, z, center, scale, directions, targets):
    """Score all candidates, refine the best; returns (k, p) and their distances (k,)."""
    ranks = np.round(_LEVELS * (_POINTS - 1)).astype(int)

    def residual(theta):
        x = jax.vmap(lambda draw: generator(theta, draw))(z)
        sorted_projections = jnp.sort(((x - center[None]) / scale[None]) @ directions.T, axis=0)
        return (sorted_projections[ranks].T - targets).ravel()

    def distance(theta):
        r = residual(theta)
        # Bounded: a contaminated tail counts once.
        total = jnp.sum(jnp.where(jnp.isfinite(r), r**2 / (1 + r**2), 10.0))
        return jnp.where(jnp.any(jnp.isfinite(r)), total, jnp.inf)

    def refine(theta):
        def step(state, _):
            theta, damping = state
            r = residual(theta)
            slope = jax.jacfwd(residual)(theta)
            weighted = slope / (1 + r[:, None] ** 2) ** 2
            normal = weighted.T @ slope
            normal = normal + damping * jnp.diag(jnp.diag(normal)) + 1e-12 * jnp.eye(theta.shape[0], dtype=theta.dtype)
            trial = theta - jnp.linalg.solve(normal, weighted.T @ r)
            better = distance(trial) < distance(theta)
            return (jnp.where(better, trial, theta), jnp.where(better, damping / 5, damping * 8)), None

        (theta, _), _ = lax.scan(step, (theta, jnp.asarray(0.1, theta.dtype)), length=_STEPS)
        return theta, distance(theta)

    scores = lax.map(distance, box, batch_size=16)
    scores = jnp.where(jnp.isfinite(scores), scores, jnp.inf)
    return lax.map(refine, box[jnp.argsort(scores)[:_KEPT]])
