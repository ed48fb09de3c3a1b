"""Expectations E f(G(theta, Z)) of functions of one observation, with their derivatives along the draws."""

import dataclasses
import functools
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from hellgan import batching
from hellgan.functionals.functional import Functional, Points, draws, shaped, simulation_error

_STEP = 0.02  # of a trial move of the parameters, in interquartile ranges of the observations


def _evaluated(generator, function, theta, draw):
    return jnp.atleast_1d(jnp.asarray(function(shaped(generator, generator(theta, draw)))))


@functools.partial(batching.program, static_argnames="function")
def _means_and_slopes(generator, function, theta, z, weights):
    """Means (S, k) over each sample, their derivatives (S, k, p), and the means of those's absolute values."""

    def of_draw(draw):
        def twice(theta):
            value = _evaluated(generator, function, theta, draw)
            return value, value

        slope, value = jax.jacfwd(twice, has_aux=True)(theta)
        return value, slope

    def of_sample(z):
        values, slopes = jax.vmap(of_draw)(z)
        return [jnp.tensordot(weights, rows, 1) for rows in (values, slopes, jnp.abs(slopes), jnp.abs(values))]

    return lax.map(of_sample, z)


@functools.partial(batching.program, static_argnames="function")
def _means(generator, function, thetas, z, weights):
    """Means (R, k) over one sample at each of R parameters."""
    return lax.map(
        lambda theta: weights @ jax.vmap(lambda draw: _evaluated(generator, function, theta, draw))(z), thetas
    )


@dataclasses.dataclass(frozen=True, eq=False)
class Mean(Functional):
    """E f(G(theta, Z)) of a function f of one observation."""

    of: Points
    function: Callable

    @functools.cached_property
    def _moments(self):
        found = _means_and_slopes(self.of.generator, self.function, self.of.theta, self.of.z, self.of.weights)
        return [np.asarray(each) for each in found]

    def local(self):
        values, slopes, *_ = self._moments
        return values.mean(axis=0), slopes.mean(axis=0), simulation_error(values)

    def at(self, thetas):
        values = self._moments[0]
        found = np.asarray(_means(self.of.generator, self.function, thetas, self.of.z[0], self.of.weights))
        return found + (values.mean(axis=0) - values[0])[None]

    def check_continuity(self, names):
        """Refuse a function with jumps: its mean moves with theta while the derivative of its values does not tell.

        The mean over the first sample is moved a little in each parameter, and compared with what the derivatives
        promise.
        """
        with jax.enable_x64(True):
            x, tangents = (np.asarray(each) for each in draws(self.of.generator, self.of.theta, self.of.z[0]))
            spread = np.subtract(*np.quantile(x, [0.75, 0.25], axis=0))
            reach = np.mean(np.abs(tangents), axis=0)  # (d, p)
            moves = reach.T > 0  # (p, d)
            with np.errstate(divide="ignore", invalid="ignore"):
                steps = _STEP * np.min(np.where(moves, spread[None] / reach.T, np.inf), axis=1)
            steps = np.where(np.isfinite(steps) & (steps > 0), steps, _STEP)
            trials = self.of.theta[None] + np.concatenate([np.diag(steps), -np.diag(steps)])
            moved = np.asarray(_means(self.of.generator, self.function, trials, self.of.z[0], self.of.weights))
        up, down = np.split(moved, 2)
        _, slopes, sizes, magnitude = (each[0] for each in self._moments)
        gap = np.abs((up - down).T / (2 * steps)[None] - slopes)  # (k, p)
        jumps = np.any(gap > 0.1 * sizes + 1e-9 * (magnitude[:, None] / steps[None]), axis=1)
        if np.any(jumps):
            name = names[int(np.argmax(jumps))]
            raise ValueError(
                f"f: the mean of {name} moves with the parameters otherwise than f's derivative says, as where f is an "
                "indicator or has a jump; give a continuous f, and use cdf for probabilities."
            )
