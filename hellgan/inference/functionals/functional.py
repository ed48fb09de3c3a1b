"""What a functional is: numbers as a function of theta, and the points of the law from which they are computed."""

import abc
import dataclasses
from typing import Any, Protocol

import jax
import numpy as np

from hellgan.estimation import Fit
from hellgan.execution import programs
from hellgan.generators.family import Generator


class Functional(abc.ABC):
    """k numbers as a function of theta, with what is needed to evaluate them; abstract.

    Attributes
    ----------
    points : (k,) array or None
        Levels or points of a curve; None where there is no curve.
    axes : pair of str
        What a plot of the curve calls its axes.
    """

    points: Any = None
    axes: tuple[str, str] = ("", "")

    @abc.abstractmethod
    def local(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Values (k,) at the estimate, derivatives in theta (k, p), the simulation's standard errors (k,)."""

    @abc.abstractmethod
    def at(self, thetas: np.ndarray) -> np.ndarray:
        """Values (R, k) at other parameters (R, p).

        Simulated values are those of the first Sobol sample, less that sample's own error at the estimate.
        """


class LawFit(Fit, Protocol):
    """A fit whose parameters are those of a generator, as functionals take it."""

    @property
    def generator(self) -> Generator: ...

    @property
    def why_no_cov(self) -> str:
        """Why the covariance is NaN, as the end of a sentence."""
        ...


@dataclasses.dataclass(frozen=True, eq=False)
class Points:
    """A generator at the estimate, and the latent points at which it is evaluated."""

    generator: Generator
    theta: np.ndarray  # (p,)
    z: np.ndarray  # (S, m, k): S uncorrelated Sobol samples
    weights: np.ndarray  # (m,)


def simulation_error(each: np.ndarray) -> np.ndarray:
    """Standard error (k,) of the mean of S uncorrelated values (S, k)."""
    return np.std(each, axis=0, ddof=1) / np.sqrt(len(each))


@programs.program
def draws(generator: Generator, theta, z):
    """Observations (m, d) at latent points (m, k), and their derivatives in theta (m, d, p)."""

    def of_draw(draw):
        def twice(theta):
            x = generator(theta, draw)
            return x, x

        slope, x = jax.jacfwd(twice, has_aux=True)(theta)
        return x, slope

    return jax.vmap(of_draw)(z)
