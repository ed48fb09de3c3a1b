"""What a user writes for a discriminator: a specification, before it has seen data."""

import abc
from collections.abc import Sequence

import equinox as eqx
import numpy as np

from hellgan.discriminators.basis import Basis
from hellgan.discriminators.network import Network
from hellgan.execution import programs


class Discriminator(eqx.Module):
    """A specification of a discriminator, before it has seen data; abstract."""

    @abc.abstractmethod
    def place(self, x: np.ndarray, weights: np.ndarray, seed: int) -> Basis | Network:
        """Place the discriminator on a sample (n, d) with weights (n,) that sum to 1; ``seed`` is the model's."""

    def place_each(self, samples: np.ndarray, weights: np.ndarray, seeds: Sequence[int]) -> Basis | Network:
        """Place the discriminator on each of R samples, (R, n, d); arrays of the result have a leading axis R."""
        return programs.stack([self.place(x, weights, seed) for x, seed in zip(samples, seeds, strict=True)])
