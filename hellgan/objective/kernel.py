"""The objective of a kernel GAN: the value of the game with the discriminator in closed form, as a function of theta.

    K_n(theta) = sum_i w_i real(v(x_i)) + sum_j u_j fake(v(G(z_j))),    v = log (p + phi) / (q_theta + phi)      (25)

with p and q_theta kernel density estimates of both samples. Equation numbers are those of ``docs/theory.md``.
"""

import dataclasses
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np

from hellgan.execution import programs
from hellgan.generators.family import Generator
from hellgan.kernels import Plugin

if TYPE_CHECKING:
    Array = Any
else:
    Array = jax.Array | np.ndarray


_JITTER = 0.2  # bandwidths


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True, eq=False)
class KernelGame:
    """All that the objective depends on but theta; a stack of them has a leading axis in all arrays.

    Attributes
    ----------
    plugin : Plugin
    generator : Generator
    x : (n, d) array
    x_weights : (n,) array
        With sum 1; 0 for padding.
    z : (m, k) array
        Latent sample; of a ``paired`` one (m, 2k), the first half of a row gives the points at which the simulated
        mean is taken, the second half those of the simulated density.
    z_weights : (m,) array
    paired : bool
    """

    plugin: Plugin
    generator: Generator
    x: Array
    x_weights: Array
    z: Array
    z_weights: Array
    paired: bool = dataclasses.field(default=False, metadata={"static": True})


def simulated(game: KernelGame, theta: Array, z_weights: Array | None = None):
    """The simulated points of the density (m, d), their weights (m,), and those of the mean (m, d) or None."""
    z, weights = game.z, game.z_weights if z_weights is None else z_weights
    half = z.shape[1] // 2

    def drawn(rows):
        return jax.vmap(lambda draw: game.generator(theta, draw))(rows)

    points, outer = (drawn(z[:, half:]), drawn(z[:, :half])) if game.paired else (drawn(z), None)
    if game.generator.is_weighted:
        own = jax.vmap(lambda draw: game.generator.weight_at(theta, draw))(z)
        total, weights = jnp.sum(weights), weights * own
        weights = weights * (total / jnp.sum(weights))
    return points, weights, outer


def value(game: KernelGame, theta: Array, w: Array | None = None, u: Array | None = None) -> Array:
    """K_n, (25), homogeneous of degree one in the weights w (n,) and u (m,), the game's own unless given."""
    points, weights, outer = simulated(game, theta, u)
    return game.plugin.value(game.x, game.x_weights if w is None else w, points, weights, outer)


def parts(game: KernelGame, theta: Array):
    """The two parts of K_n: of the real and of the simulated sample."""
    points, weights, outer = simulated(game, theta)
    return game.plugin.parts(game.x, game.x_weights, points, weights, outer)


def gradient(game: KernelGame, theta: Array, w: Array | None = None, u: Array | None = None) -> Array:
    """The mean score (p,)."""
    return jax.grad(lambda t: value(game, t, w, u))(theta)


def slope(game: KernelGame, function, theta: Array) -> Array:
    """Derivative of a function of theta, which comes last; by differences where the kernel has kinks.

    Every pair of points that comes within reach of the other moves the score's slope at once. Steps move the simulated
    points by a fifth of a bandwidth, over which that evens out.
    """
    if game.plugin.kernel.is_smooth:
        return jax.jacfwd(function)(theta)
    tangents = jax.jacfwd(lambda t: simulated(game, t)[0])(theta) / game.plugin.kernel.bandwidths[0][None, :, None]
    sizes = _JITTER / jnp.maximum(jnp.sqrt(jnp.mean(jnp.sum(tangents**2, axis=1), axis=0)), 1e-300)
    columns = [
        (function(theta + sizes[k] * unit) - function(theta - sizes[k] * unit)) / (2 * sizes[k])
        for k, unit in enumerate(jnp.eye(theta.shape[0]))
    ]
    return jnp.stack(columns, axis=-1)


def hessian(game: KernelGame, theta: Array) -> Array:
    """Derivative (p, p) of the mean score."""
    found = slope(game, lambda t: gradient(game, t), theta)
    return (found + found.T) / 2


def contributions(game: KernelGame, theta: Array) -> tuple[Array, Array]:
    """What observations (n,) and draws (m,) contribute to K_n: its derivatives in their weights, (27)."""
    return jax.grad(lambda w, u: value(game, theta, w, u), argnums=(0, 1))(game.x_weights, game.z_weights)


def moves(game: KernelGame, theta: Array, points: Array) -> Array:
    """What observations at other points (r, d) would contribute, (28)."""
    simulated_points, weights, outer = simulated(game, theta)
    return game.plugin.moves(points, game.x, game.x_weights, simulated_points, weights, outer)


@programs.program
def real_scores(game: KernelGame, theta):
    """Scores (n, p) of the observations: the slopes of what they contribute."""
    return jax.jacfwd(lambda t: contributions(game, t)[0])(theta)


@programs.program
def draw_scores(game: KernelGame, theta):
    """Scores (m, p) of the draws."""
    return jax.jacfwd(lambda t: contributions(game, t)[1])(theta)


@programs.program
def scores_at(game: KernelGame, theta, points):
    """Scores (r, p) that observations at other points would have."""
    return jax.jacfwd(lambda t: moves(game, t, points))(theta)


@programs.program
def score_gradients(game: KernelGame, theta, points):
    """Derivatives (r, p, d) of those scores in the points."""

    def total(points):
        return jnp.sum(jax.jacfwd(lambda t: moves(game, t, points))(theta), axis=0)

    return jnp.swapaxes(jax.jacrev(total)(points), 0, 1)


@programs.program
def score_jacobians(game: KernelGame, theta):
    """Derivatives (n, p, p) of the observations' scores."""
    return slope(game, jax.jacfwd(lambda t: contributions(game, t)[0]), theta)


@programs.program
def scored(game: KernelGame, theta):
    """The mean score (p,), its derivative (p, p) and the value."""
    return gradient(game, theta), hessian(game, theta), value(game, theta)


@programs.program
def gradients_over(game: KernelGame, theta, latents):
    """Mean scores (S, p) with other latent samples (S, m, k)."""
    return jax.lax.map(lambda z: gradient(dataclasses.replace(game, z=z), theta), latents)


@programs.program
def values_over(game: KernelGame, thetas):
    """K_n (s,) at several theta (s, p)."""
    return jax.lax.map(lambda theta: value(game, theta), thetas)


@programs.program
def parts_at(game: KernelGame, theta):
    """The two parts of K_n."""
    return parts(game, theta)


@programs.program
def log_ratios(game: KernelGame, theta, floor):
    """Log density ratio (n,) at the observations, both densities raised by ``floor``."""
    points, weights, outer = simulated(game, theta)
    plugin = dataclasses.replace(game.plugin, phi=floor)
    return plugin.log_ratios(plugin.log_densities(game.x, game.x_weights, points, weights, outer))[0]


@programs.program
def log_ratios_at(game: KernelGame, theta, floor, rows):
    """Log density ratio (r,) at other points (r, d), both densities raised by ``floor``."""
    points, weights, _ = simulated(game, theta)
    plugin = dataclasses.replace(game.plugin, phi=floor)
    return plugin.log_ratio_at(rows, game.x, game.x_weights, points, weights)
