"""Parametric generators and the package's own discriminators as modules, for training by minibatches.

They play the very game of ``hg.GAN``: the same placement of the discriminator on the data, the same latent points, the
same ridge. Its saddle point is what minibatches approach.
"""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from hellgan.discriminators import Basis, Discriminator
from hellgan.execution import programs
from hellgan.generators import Generator
from hellgan.simulation import Simulation
from hellgan.solver.starts import matched


class Parametric(eqx.Module):
    """A generator with its parameters theta (p,), unconstrained, as a module of one latent draw."""

    theta: jax.Array
    generator: Generator

    @property
    def latent_dim(self) -> int:
        """Coordinates of a latent draw."""
        return self.generator.latent_dim

    def __call__(self, z: jax.Array) -> jax.Array:
        return self.generator(self.theta, z)


class Placed(eqx.Module):
    """A discriminator of ``hellgan.discriminators`` placed on data.

    Attributes
    ----------
    free : (q + 1,) array
        What is trained.
    basis : Basis or Network
    matrix : (q + 1, q + 1) array, optional
        Of alpha = matrix @ free: with it the features are centred, uncorrelated and of variance 1 on the data, so that
        steps in all directions of ``free`` are alike. None for a network.
    """

    free: jax.Array
    basis: eqx.Module
    matrix: np.ndarray | None

    @property
    def alpha(self) -> jax.Array:
        """Parameters as ``hg.GAN`` has them."""
        return self.free if self.matrix is None else self.matrix @ self.free  # pyright: ignore[reportReturnType]

    def __call__(self, x: jax.Array) -> jax.Array:
        return self.basis.log_ratio(self.alpha, x)  # pyright: ignore[reportAttributeAccessIssue]

    def penalty(self) -> jax.Array:
        """The ridge."""
        return jnp.sum(self.basis.ridge * self.alpha**2)  # pyright: ignore[reportAttributeAccessIssue]


def check_generator(generator: Generator) -> None:
    """Refuse a generator whose game is more than simulated observations held against real ones."""
    if generator.covariates or generator.jumps or generator.is_weighted:
        what = "has covariates" if generator.covariates else "jumps or weighs its draws"
        raise ValueError(f"generator: {generator.name} {what}, for which there is no minibatch training; use hg.GAN.")


def thetas(generator: Generator, rows: np.ndarray, seed: int, members: int) -> np.ndarray:
    """Starting values (T, p), unconstrained: the family's own, of several members on small parts of the data."""
    n = len(rows)
    if members == 1:
        return _start(generator, rows, seed)[None]
    rng, least = np.random.default_rng([0x317, seed]), min(n, max(8, 2 * generator.dim + 2))
    return np.stack([_start(generator, rows[rng.choice(n, least, replace=False)], seed) for _ in range(members)])


def _start(generator: Generator, rows: np.ndarray, seed: int) -> np.ndarray:
    weights = np.full(len(rows), 1 / len(rows))
    natural = generator.start(generator.squeezed(rows), weights)
    return matched(generator, rows, weights, seed)[0] if natural is None else generator.theta(**natural)


def points_of(generator: Generator, n: int, n_simulated: int | None, seed: int) -> np.ndarray:
    """Give the Sobol points (m, k) that ``hg.GAN`` simulates from."""
    simulation = Simulation.of(generator, "sobol", n, n_simulated)
    return simulation.draw(np.zeros((1, n, generator.dim)), [seed])[0]


def alphas(specification: Discriminator, rows: np.ndarray, seed: int, members: int) -> tuple[np.ndarray, Any, Any]:
    """Place a discriminator: starting values (U, q + 1), of several members apart from each other; basis and matrix."""
    basis = specification.place(rows, np.full(len(rows), 1 / len(rows)), seed)
    matrix = None if not isinstance(basis, Basis) else _whitening(np.asarray(_features(basis, rows)))
    starts = np.broadcast_to(basis.start, (members, basis.size))
    if members > 1:
        starts = starts + 0.1 * np.random.default_rng([0x2A1, seed]).normal(size=starts.shape)
    return starts, basis, matrix


@programs.program
def _features(basis, rows):
    return jax.vmap(basis.features)(rows)


def _whitening(features: np.ndarray) -> np.ndarray:
    """Give the matrix M (q + 1, q + 1) for which features @ M are 1 and then uncorrelated, of mean 0 and variance 1."""
    mean, own = features[:, 1:].mean(axis=0), features[:, 1:]
    cov = np.cov(own, rowvar=False).reshape(own.shape[1], -1)
    # A feature that is all but a combination of others would be blown up.
    factor = np.linalg.cholesky(cov + 1e-6 * np.diag(np.diag(cov)) + 1e-12 * np.eye(len(cov)))
    matrix = np.eye(len(cov) + 1)
    matrix[1:, 1:] = np.linalg.inv(factor).T
    matrix[0, 1:] = -mean @ matrix[1:, 1:]
    return matrix
