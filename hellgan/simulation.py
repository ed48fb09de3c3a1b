"""How the simulated sample of a model is drawn: its size, its latent points, and further ones that tell its noise."""

import dataclasses
import math
from collections.abc import Sequence
from typing import Protocol

import numpy as np

from hellgan import latents
from hellgan.latents import Law

SCRAMBLES = 32  # Sobol samples from which the simulation's noise is estimated


class Simulated(Protocol):
    """What drawing asks of a generator."""

    @property
    def law(self) -> Law: ...

    @property
    def latent_dim(self) -> int: ...

    @property
    def covariates(self) -> int: ...

    @property
    def sobol_points(self) -> int: ...


@dataclasses.dataclass(frozen=True)
class Simulation:
    """The simulated sample of a model of n observations.

    Attributes
    ----------
    kind : {"sobol", "iid"}
    law : Law
        Law of each latent coordinate.
    dim : int
        Latent coordinates of one draw.
    size : int
        The number m of simulated observations.
    draws_each : int
        With covariates, the number of simulated responses of each observation, so that m is ``n * draws_each``; 0 where
        the two samples are independent.
    covariates : int
        How many coordinates of an observation, the first, are given rather than simulated.
    """

    kind: str
    law: Law
    dim: int
    size: int
    draws_each: int
    covariates: int

    @staticmethod
    def of(generator: Simulated, kind: str, n: int, n_simulated: int | None) -> "Simulation":
        """Choose the simulation for a sample of n observations; ``n_simulated`` as ``GAN`` takes it."""
        size = latents.size(kind, n, n_simulated, generator.sobol_points)
        each = _draws_each(kind, n, n_simulated) if generator.covariates else 0
        return Simulation(kind, generator.law, generator.latent_dim, n * each or size, each, generator.covariates)

    @property
    def is_independent(self) -> bool:
        """Whether simulated observations are independent draws, and not tied to observations."""
        return self.kind == "iid" and not self.draws_each

    def draw(self, samples: np.ndarray, seeds: Sequence[int]) -> np.ndarray:
        """Draw latent samples (R, m, k) for samples (R, n, d), a seed each; covariates come first in a row."""
        if self.draws_each:
            n = samples.shape[1]
            draws = [latents.draw_each(self.kind, self.law, n, self.draws_each, self.dim, seed) for seed in seeds]
            z = np.stack(draws).reshape(len(samples), self.size, self.dim)
            return np.concatenate([np.repeat(samples[:, :, : self.covariates], self.draws_each, axis=1), z], axis=2)
        if len(set(seeds)) == 1:
            z = self._samples(seeds[0], 1)
            return np.broadcast_to(z, (len(samples), *z.shape[1:]))
        return np.concatenate([self._samples(seed, 1) for seed in seeds])

    def _samples(self, seed: int, count: int) -> np.ndarray:
        """Draw mutually independent latent samples (count, m, k); fits use the first."""
        return latents.draw(self.kind, self.law, self.size, self.dim, seed, count)

    def scrambles(self) -> np.ndarray | None:
        """Draw Sobol samples (SCRAMBLES, m, k) that are independent of the fit's, whatever the fit's seed.

        None for independent latents, and where each observation has draws of its own.
        """
        if self.kind != "sobol" or self.draws_each:
            return None
        return self._samples(0, 1 + SCRAMBLES)[1:]

    def shifted(self, rng: np.random.Generator) -> np.ndarray:
        """Give the latent sample (m, k) of Sobol points, shifted digitally at random."""
        return latents.shifted(self.law, self.size, self.dim, rng)


def _draws_each(kind: str, n: int, n_simulated: int | None) -> int:
    """How many responses to simulate for each of n observations."""
    if n_simulated is None:
        return max(8, 2 ** math.ceil(math.log2(1024 / n))) if kind == "sobol" else 10
    each = -(-n_simulated // n)
    return 2 ** math.ceil(math.log2(each)) if kind == "sobol" else each
