"""Games assembled from a model's ingredients: samples padded to few sizes and stacked, latents beside them."""

import math

import jax
import numpy as np

from hellgan.discriminators.basis import Basis
from hellgan.discriminators.network import Network
from hellgan.generators.family import Generator
from hellgan.losses.catalogue import Loss
from hellgan.objective.game import Game
from hellgan.simulation import Simulation


def padded_size(n: int) -> int:
    """Round a sample size up to one of four sizes per doubling, so that few shapes are compiled."""
    step = max(4, 2 ** (math.ceil(math.log2(n)) - 3))
    return -(-n // step) * step


def assemble(
    loss: Loss,
    generator: Generator,
    discriminators: Basis | Network,
    samples: np.ndarray,
    weights: np.ndarray,
    latents: np.ndarray,
    simulation: Simulation,
) -> Game:
    """Assemble the games of R samples as a stack.

    Parameters
    ----------
    discriminators : Basis or Network
        Placed on each sample: arrays with a leading axis R.
    samples : (R, n, d) array
    weights : (n,) array
        Of the observations, the same for each sample, with sum 1.
    latents : (R, m, k) array
        As ``simulation`` draws them.

    Returns
    -------
    Game
        Samples are padded with rows of weight 0, which change nothing.
    """
    count, n = samples.shape[:2]
    size = padded_size(n)
    x_weights = np.broadcast_to(np.pad(weights, (0, size - n)), (count, size))
    m = len(latents[0])
    if simulation.draws_each:
        padded, latent_weights = size * simulation.draws_each, None  # padding has its simulated rows, too
    else:
        padded = m if simulation.kind == "sobol" else padded_size(m)
        latent_weights = np.broadcast_to(np.pad(np.full(m, 1 / m), (0, padded - m)), (count, padded))
    loss, generator = jax.tree.map(lambda leaf: np.stack([leaf] * count), (loss, generator))
    samples, latents = extended(samples, size), extended(latents, padded)
    return Game(loss, generator, discriminators, samples, x_weights, latents, latent_weights, simulation.draws_each)


def extended(rows: np.ndarray, size: int) -> np.ndarray:
    """Lengthen each sample of a stack (R, n, ...) to ``size`` rows by copies of its first row."""
    missing = size - rows.shape[1]
    return np.concatenate([rows, np.repeat(rows[:, :1], missing, axis=1)], axis=1) if missing else rows
