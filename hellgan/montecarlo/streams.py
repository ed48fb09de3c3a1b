"""Random numbers of a study: each replicate's own, from the study's seed, its cell and its number alone.

Nothing depends on the order in which replicates are computed, on how many there are, or on who computes them.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

_PURPOSES = DATA, CONTAMINATION, LATENT, METHOD = range(4)


class Stream(NamedTuple):
    """The random numbers of one replicate.

    Attributes
    ----------
    seed : int
        Of the study.
    cell : str
        Key of the cell, hexadecimal.
    replicate : int
    """

    seed: int
    cell: str
    replicate: int

    def rng(self, purpose: int) -> np.random.Generator:
        """Give NumPy's generator, always in its first state, for a purpose: one of this module's four constants."""
        return np.random.default_rng(self._sequence(purpose))

    @property
    def latent_seed(self) -> int:
        """Seed of the latent draws, the same for all methods."""
        return int(self._sequence(LATENT).generate_state(1, np.uint32)[0])

    def _sequence(self, purpose):
        return np.random.SeedSequence((self.seed, int(self.cell, 16), self.replicate, purpose))


def streams(seed: int, cell: str, replicates: Sequence[int]) -> list[Stream]:
    """Give the streams of some replicates of a cell."""
    return [Stream(seed, cell, int(r)) for r in replicates]
