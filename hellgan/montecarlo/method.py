"""What a method of a study is: a way to estimate from samples of a cell."""

import abc
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from hellgan.generators import Generator
from hellgan.montecarlo.estimates import Estimates
from hellgan.montecarlo.streams import Stream


class Setting(NamedTuple):
    """What a method needs to know of a cell.

    Attributes
    ----------
    generator : Generator or None
        The truth's; None where samples come from a function.
    n, dim : int
        Observations of a sample, and coordinates of one.
    names : tuple of str
        Names of the estimands.
    level : float
        Level of intervals.
    """

    generator: Generator | None
    n: int
    dim: int
    names: tuple[str, ...]
    level: float


class Method(abc.ABC):
    """A way to estimate; abstract."""

    @abc.abstractmethod
    def batch(self, setting: Setting) -> int:
        """Give the number of replicates that are computed together, whether or not as many are wanted."""

    @abc.abstractmethod
    def chunk(self, setting: Setting) -> int:
        """Give the number of replicates that make a task of about a second; a multiple of ``batch``."""

    @abc.abstractmethod
    def check(self, setting: Setting) -> None:
        """Refuse, in one sentence, a cell in which the method cannot work."""

    @abc.abstractmethod
    def names(self, setting: Setting, samples: np.ndarray, streams: Sequence[Stream]) -> tuple[str, ...]:
        """Name the numbers that are estimated; from a few samples where nothing else tells."""

    @abc.abstractmethod
    def estimate(
        self, setting: Setting, names: tuple[str, ...], samples: np.ndarray, streams: Sequence[Stream]
    ) -> Estimates:
        """Estimate from each of R samples, (R, n) or (R, n, d); numbers are on the natural scale."""

    def fit(self, setting: Setting, sample: np.ndarray, stream: Stream) -> Any:
        """Give what the method itself makes of one sample, where it makes more than estimates."""
        return None
