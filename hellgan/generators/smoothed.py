"""A simulator that jumps as a game simulates it: its parameters scattered a little, with weights that are smooth.

A draw at parameters tau = reference + spread e, e standard normal, does not move with theta; what moves is its weight,
the density of tau were the centre theta over that with which it was drawn. Means over weighted draws are smooth in
theta whatever the simulator does, and estimate those of the simulator smoothed over ``spread``; their slopes are, to
first order, differences over steps of that size, since every draw has its mirror image at -e with the same latents.
See section 4 of ``docs/theory.md``.
"""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from hellgan import latents
from hellgan.generators.family import Generator


class Smoothed(Generator):
    """A generator smoothed over its unconstrained parameters.

    Attributes
    ----------
    simulator : Generator
    reference : (p,) array
        Centre of the parameters at which draws are simulated.
    spread : (p, p) array
        Square root of their covariance; all 0 before a solver has chosen it.
    """

    simulator: Generator
    reference: jax.Array | np.ndarray
    spread: jax.Array | np.ndarray

    @staticmethod
    def of(simulator: Generator, smoothing: np.ndarray | None = None) -> "Smoothed":
        """Smooth a simulator; ``smoothing`` (p, 1 + p) holds the reference beside the spread, where they are known."""
        p = simulator.size
        known = np.zeros((p, 1 + p)) if smoothing is None else smoothing
        return Smoothed(simulator, known[:, 0], known[:, 1:])

    @property
    def parameters(self):
        return self.simulator.parameters

    @property
    def law(self):
        return latents.uniform

    @property
    def latent_dim(self):
        return self.simulator.latent_dim + self.size

    @property
    def mirrored(self):
        return self.size

    @property
    def dim(self):
        return self.simulator.dim

    @property
    def covariates(self):
        return self.simulator.covariates

    @property
    def sobol_points(self):
        return 16 * self.simulator.sobol_points

    @property
    def is_weighted(self):
        return True

    @property
    def weighs_ratios(self):
        return True

    def frame(self, rows, held=()):
        return self.simulator.frame(rows, held)

    def draw(self, z, /, **natural):
        raise TypeError("a smoothed simulator is called with its unconstrained parameters.")

    def __call__(self, theta, z):
        z, scatter = self.split(z)
        return self.simulator(jnp.asarray(self.reference) + jnp.asarray(self.spread) @ scatter, z)

    def weight_at(self, theta, z):
        scatter = self.split(z)[1]
        towards = jnp.linalg.solve(self.spread, theta - self.reference)
        return jnp.exp(scatter @ towards - towards @ towards / 2)

    def split(self, z):
        """The simulator's own row of latents, behind its covariates, and the scatter e (p,)."""
        k, normal = self.covariates, jax.scipy.special.ndtri(z[self.covariates :])
        own = normal if self.simulator.law.name == "normal" else z[k:]
        return jnp.concatenate([z[:k], own[: self.simulator.latent_dim]]), normal[self.simulator.latent_dim :]


def simulator_of(generator: Generator, smoothing: np.ndarray | None = None) -> Generator:
    """The generator that a game simulates in place of another, of the same parameters; ``smoothing`` as in ``of``."""
    return Smoothed.of(generator, smoothing) if generator.jumps else generator.in_game


def is_open(generator: Generator) -> bool:
    """Whether a stack's generator is to be smoothed and nobody has said yet where."""
    return isinstance(generator, Smoothed) and not np.any(np.asarray(generator.spread))


def smoothing_of(generator: Generator) -> np.ndarray:
    """Reference and spread side by side, (..., p, 1 + p); (0, 0) where nothing is smoothed."""
    if not isinstance(generator, Smoothed):
        return np.zeros((0, 0))
    return np.concatenate([np.asarray(generator.reference)[..., None], np.asarray(generator.spread)], axis=-1)


def smoothed_at(generator: Smoothed, reference: np.ndarray, spread: np.ndarray) -> Smoothed:
    """Smooth elsewhere."""
    return eqx.tree_at(lambda of: (of.reference, of.spread), generator, (reference, spread))
