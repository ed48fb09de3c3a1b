"""Expectations E f(G(theta, Z)) of functions of one observation, with their derivatives along the draws."""

import dataclasses
import functools
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from hellgan.execution import programs
from hellgan.inference.functionals.functional import Functional, Points, simulation_error

_STEP = 0.02  # of a trial move of the parameters, in interquartile ranges of the observations
_GAP = 0.1  # a jump's part in the mean's derivative from which on it is refused, relative to f's own
_GROUP = 8  # parameters a call


def _evaluated(generator, function, theta, draw):
    return jnp.atleast_1d(jnp.asarray(function(generator.squeezed(generator(theta, draw)))))


class _Moments(NamedTuple):
    """What S samples say of E f, at the estimate."""

    values: np.ndarray  # (S, k) means
    slopes: np.ndarray  # (S, k, p) means of the derivatives in theta
    value_sizes: np.ndarray  # means of absolute values of both
    slope_sizes: np.ndarray
    reach: np.ndarray  # (S, d, p) means of the observations' absolute derivatives in theta
    spread: np.ndarray  # (S, d) interquartile ranges of the observations


@functools.partial(programs.program, static_argnames="function")
def _moments(generator, function, theta, z, weights) -> _Moments:
    """Evaluate the moments of f, sample by sample."""

    def of_draw(draw):
        def observed(theta):
            x = generator(theta, draw)
            return x, x

        def evaluated(x):
            value = jnp.atleast_1d(jnp.asarray(function(generator.squeezed(x))))
            return value, value

        x_theta, x = jax.jacfwd(observed, has_aux=True)(theta)
        f_x, value = jax.jacfwd(evaluated, has_aux=True)(x)
        return value, f_x @ x_theta, x, jnp.abs(x_theta)

    def of_sample(z):
        values, slopes, x, moves = jax.vmap(of_draw)(z)
        means = [jnp.tensordot(weights, e, 1) for e in (values, slopes, jnp.abs(values), jnp.abs(slopes), moves)]
        quartiles = jnp.quantile(x, jnp.array([0.25, 0.75]), axis=0)
        return _Moments._make([*means, quartiles[1] - quartiles[0]])

    return lax.map(of_sample, z)


@functools.partial(programs.program, static_argnames="function")
def _means(generator, function, thetas, z, weights):
    """Means (R, k) of f over one sample at each of R parameters."""
    return lax.map(
        lambda theta: weights @ jax.vmap(lambda draw: _evaluated(generator, function, theta, draw))(z), thetas
    )


@dataclasses.dataclass(frozen=True, eq=False)
class Mean(Functional):
    """E f(G(theta, Z)) of a function f of one observation."""

    of: Points
    function: Callable

    @functools.cached_property
    def _moments(self) -> _Moments:
        of = self.of
        return _moments(of.generator, self.function, of.theta, of.z, of.weights)

    def local(self):
        values = self._moments.values
        return values.mean(axis=0), self._moments.slopes.mean(axis=0), simulation_error(values)

    def at(self, thetas):
        own = self._moments.values.mean(axis=0) - self._moments.values[0]
        return self._first_means(thetas) + own[None]

    def _first_means(self, thetas) -> np.ndarray:
        """Means (R, k) of f over the first sample."""
        of = self.of

        def means(group):
            return _means(of.generator, self.function, group, of.z[0], of.weights)

        return programs.in_blocks(means, thetas, most=_GROUP, least=_GROUP)

    def check_continuity(self, names):
        """Refuse a function with jumps: its mean moves with theta while the derivative of its values does not tell.

        The mean over the first sample is moved a little in each parameter, and compared with what the derivatives
        promise.
        """
        first = _Moments._make(each[0] for each in self._moments)
        with np.errstate(divide="ignore", invalid="ignore"):
            ratios = first.spread[:, None] / first.reach  # (d, p)
        steps = _STEP * np.min(np.where(np.isfinite(ratios) & (ratios > 0), ratios, np.inf), axis=0)
        steps = np.where(np.isfinite(steps), steps, _STEP)
        moves = np.diag(steps)
        up, down = np.split(self._first_means(self.of.theta + np.concatenate([moves, -moves])), 2)
        gap = np.abs((up - down).T / (2 * steps) - first.slopes)  # (k, p)
        jumps = np.any(gap > _GAP * first.slope_sizes + 1e-9 * first.value_sizes[:, None] / steps, axis=1)
        if np.any(jumps):
            raise ValueError(
                f"f: the mean of {names[int(np.argmax(jumps))]} moves with the parameters otherwise than f's "
                "derivative says, as where f is an indicator or has a jump; give a continuous f, and use cdf for "
                "probabilities."
            )
