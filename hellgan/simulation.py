"""How the simulated sample of a model is drawn: its size, its latent points, and further ones that tell its noise."""

import dataclasses
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

import numpy as np

from hellgan import latents
from hellgan.latents import Law

if TYPE_CHECKING:
    from hellgan.samples.sample import Sample

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

    @property
    def mirrored(self) -> int: ...


@dataclasses.dataclass(frozen=True)
class Simulation:
    """The simulated sample of a model of n observations.

    Attributes
    ----------
    kind : {"sobol", "iid"}
    law : Law
        Law of each latent coordinate.
    dim : int
        Numbers in a row of latents: the coordinates of one draw, and its weight where points are stretched.
    size : int
        The number m of simulated observations.
    draws_each : int
        With covariates, the number of simulated responses of each observation, so that m is ``n * draws_each``; 0 where
        the two samples are independent.
    covariates : int
        How many coordinates of an observation, the first, are given rather than simulated.
    mirrored : int
        How many latent coordinates, the last, are mirrored about the middle in the second half of the points, whose
        others are those of the first half.
    is_stretched : bool
        Whether Sobol points, of one latent coordinate, lie more densely in the tails; a row ends with its weight.
    """

    kind: str
    law: Law
    dim: int
    size: int
    draws_each: int
    covariates: int
    mirrored: int = 0
    is_stretched: bool = False

    @staticmethod
    def of(generator: Simulated, kind: str, n: int, n_simulated: int | None) -> "Simulation":
        """Choose the simulation for a sample of n observations; ``n_simulated`` as ``GAN`` takes it."""
        size = latents.size(kind, n, n_simulated, generator.sobol_points)
        each = _draws_each(kind, n, n_simulated) if generator.covariates else 0
        if generator.mirrored and kind == "iid":
            raise ValueError("latent: a simulator that jumps is smoothed with Sobol points; leave latent='iid' out.")
        law, dim, k, mirrored = generator.law, generator.latent_dim, generator.covariates, generator.mirrored
        return Simulation(kind, law, dim, n * each or size, each, k, mirrored)

    @property
    def is_independent(self) -> bool:
        """Whether simulated observations are independent draws, and not tied to observations."""
        return self.kind == "iid" and not self.draws_each

    def draw(self, samples: np.ndarray, seeds: Sequence[int]) -> np.ndarray:
        """Draw latent samples (R, m, k) for samples (R, n, d), a seed each; covariates come first in a row."""
        if self.draws_each:
            n = samples.shape[1]
            draws = [self.draw_each(n, seed) for seed in seeds]
            z = np.stack(draws).reshape(len(samples), self.size, self.dim)
            return np.concatenate([np.repeat(samples[:, :, : self.covariates], self.draws_each, axis=1), z], axis=2)
        if len(set(seeds)) == 1:
            z = self._samples(seeds[0], 1)
            return np.broadcast_to(z, (len(samples), *z.shape[1:]))
        return np.concatenate([self._samples(seed, 1) for seed in seeds])

    def _samples(self, seed: int, count: int) -> np.ndarray:
        """Draw mutually independent latent samples (count, m, k); fits use the first."""
        if self.is_stretched:
            return latents.stretched(self.law, latents.draw(self.kind, latents.uniform, self.size, 1, seed, count))
        return self._mirror(latents.draw(self.kind, self.law, self._drawn(self.size), self.dim, seed, count))

    def draw_each(self, n: int, seed: int) -> np.ndarray:
        """Draw latent points (n, draws_each, k) for each of n observations, without their covariates."""
        return self._mirror(latents.draw_each(self.kind, self.law, n, self._drawn(self.draws_each), self.dim, seed))

    def _drawn(self, size: int) -> int:
        return size // 2 if self.mirrored else size

    def _mirror(self, points: np.ndarray) -> np.ndarray:
        """Add to uniform points (..., m/2, k) those with the last coordinates mirrored: (..., m, k)."""
        if not self.mirrored:
            return points
        own, last = points[..., : -self.mirrored], points[..., -self.mirrored :]
        return np.concatenate([points, np.concatenate([own, 1 - last], axis=-1)], axis=-2)

    def scrambles(self) -> np.ndarray | None:
        """Draw Sobol samples (SCRAMBLES, m, k) that are independent of the fit's, whatever the fit's seed.

        None for independent latents, and where each observation has draws of its own.
        """
        if self.kind != "sobol" or self.draws_each:
            return None
        return self._samples(0, 1 + SCRAMBLES)[1:]

    def shifted(self, rng: np.random.Generator) -> np.ndarray:
        """Give the latent sample (m, k) of Sobol points, shifted digitally at random."""
        if self.is_stretched:
            return latents.stretched(self.law, latents.shifted(latents.uniform, self.size, 1, rng))
        return self._mirror(latents.shifted(self.law, self._drawn(self.size), self.dim, rng))


def _draws_each(kind: str, n: int, n_simulated: int | None) -> int:
    """How many responses to simulate for each of n observations."""
    if n_simulated is None:
        return max(8, 2 ** math.ceil(math.log2(1024 / n))) if kind == "sobol" else 10
    each = -(-n_simulated // n)
    return 2 ** math.ceil(math.log2(each)) if kind == "sobol" else each


class SimulatingModel:
    """What the models of all estimators have that hold a sample against a simulated one."""

    sample: "Sample"
    simulation: Simulation

    @property
    def nobs(self) -> int:
        """The number n of observations."""
        return len(self.sample)

    @property
    def n_simulated(self) -> int:
        """The number m of simulated observations."""
        return self.simulation.size

    @property
    def latent(self) -> str:
        """What the latent draws are: ``"sobol"`` or ``"iid"``."""
        return self.simulation.kind

    @property
    def weights(self) -> np.ndarray | None:
        """Observation weights (n,) as they were given; None for equal ones."""
        return self.sample.given_weights
