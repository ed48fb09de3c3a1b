"""Minimum density power divergence."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np

from hellgan.checks import shown
from hellgan.execution import programs
from hellgan.montecarlo.comparators.comparator import Comparator, first_theta, needs_line, needs_smooth_density
from hellgan.montecarlo.comparators.minimisation import concluded, minimise, sandwich
from hellgan.montecarlo.comparators.nodes import laid

_LAID, _CLOSE = 3, 0.3  # how often points are laid; how far they serve, in spreads of one observation


@dataclasses.dataclass(frozen=True)
class DensityPower(Comparator):
    """Minimum density power divergence of Basu, Harris, Hjort and Jones (1998), for families on the line.

    Attributes
    ----------
    beta : float
        Power of the density by which an observation's score is weighted; near 0 the estimate is maximum likelihood,
        at 1 minimum L2 distance.

    Notes
    -----
    Minimised is  int f^(1 + beta) - (1 + 1 / beta) mean f^beta(x_i), written so that the limit for beta -> 0 is the
    likelihood's. The integral is a sum over 160 points, levels of the family itself at the start (``nodes``), exact to
    nine digits or more nearby; where the minimum is not nearby, points are laid anew there. Standard errors are those
    of the sandwich J^-1 K J^-1 / n with both matrices taken from the sample, which hold for another law of the data
    too.
    """

    beta: float = 0.5

    def __post_init__(self):
        if isinstance(self.beta, bool) or not isinstance(self.beta, (int, float, np.number)):
            raise TypeError(f"beta: got {shown(self.beta)}; give a positive number, such as 0.5.")
        if not 0 < self.beta < np.inf:
            raise ValueError(f"beta: got {shown(self.beta)}; give a positive, finite number, such as 0.5.")

    @property
    def label(self):
        return f"MDPDE ({self.beta:g})"

    def problem(self, family, n):
        return needs_line(family) or needs_smooth_density(family)

    def single(self, family, x, rng):
        theta, minimum, size = first_theta(family, x), None, np.nan
        for _ in range(_LAID):
            y, weights, logs = laid(family, theta)
            size = weights @ np.exp(self.beta * logs)
            minimum = minimise(_divergence, family, theta, x, self.beta, y, weights, logs, size)
            if minimum.trouble:
                return concluded(family, minimum, None)
            moved = np.max(np.abs(minimum.theta - theta) * np.sqrt(np.diag(minimum.hessian)))
            theta = minimum.theta
            if moved <= _CLOSE:
                break
        assert minimum is not None
        meat = _meat(family, theta, x, self.beta, size)
        return concluded(family, minimum, sandwich(minimum.hessian, meat, len(x)))


def _log_densities(generator, theta, x):
    natural = generator.natural(theta)
    return jax.vmap(lambda row: generator.log_density(row, **natural))(x)


def _divergence(generator, theta, x, beta, y, weights, logs, size):
    # Divided by 1 + beta, so that the slope is the mean score weighted by f^beta, and by int f^(1 + beta) at the start,
    # so that units of the data do not matter. From f^beta 1 is subtracted, for accuracy at small beta.
    at_points = _log_densities(generator, theta, y)
    integral = weights @ (jnp.exp(at_points - logs) * jnp.expm1(beta * at_points))
    data = jnp.mean(jnp.expm1(beta * _log_densities(generator, theta, x)))
    return (integral / (1 + beta) - data / beta) / size


@programs.program
def _meat(generator, theta, x, beta, size):
    """Covariance of the rows of the divergence's score: the integral's part is the same in all."""

    def power(theta, row):
        return jnp.expm1(beta * generator.log_density(row, **generator.natural(theta))) / (beta * size)

    scores = jax.vmap(jax.grad(power), (None, 0))(theta, x)
    centred = scores - jnp.mean(scores, axis=0, keepdims=True)
    return centred.T @ centred / len(x)
