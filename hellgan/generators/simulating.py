"""Observations simulated from a generator at given parameters."""

import jax
import numpy as np

from hellgan.execution import programs
from hellgan.generators.family import Generator

_MOST = 8192  # rows a compiled call


def simulated(generator: Generator, theta: np.ndarray, z: np.ndarray) -> np.ndarray:
    """Observations (r, dim) of latent draws (r, latent_dim), behind their covariates where the generator has some."""
    return programs.in_blocks(lambda block: _simulated(generator, theta, block), z, most=_MOST)


def like(generator: Generator, theta: np.ndarray, rows: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Simulate as many independent observations as there are rows (n, dim), at their covariates."""
    z = generator.law.quantile(np.maximum(rng.random((len(rows), generator.latent_dim)), 2.0**-54))
    return simulated(generator, theta, np.concatenate([rows[:, : generator.covariates], z], axis=1))


@programs.program
def _simulated(generator, theta, z):
    return jax.vmap(lambda draw: generator(theta, draw))(z)
