"""Features placed on data: the discriminators that are linear in alpha, one observation (d,) at a time."""

from collections.abc import Callable

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from hellgan.discriminators.basis import Basis
from hellgan.generators.family import Generator


class Monomials(Basis):
    """Products of powers of the standardised coordinates."""

    center: np.ndarray
    scale: np.ndarray
    ridge: np.ndarray
    powers: tuple[tuple[int, ...], ...] = eqx.field(static=True)

    @property
    def varies(self):
        return False

    def features(self, x):
        t = (x - self.center) / self.scale
        terms = [jnp.prod(jnp.stack([t[i] ** k for i, k in enumerate(power) if k])) for power in self.powers]
        return jnp.stack([jnp.ones_like(t[0]), *terms])


class ProjectedSigmoids(Basis):
    """Sigmoids of one-dimensional projections: expit((direction . t - knot) / width) - 1/2, t standardised."""

    center: np.ndarray
    scale: np.ndarray
    directions: np.ndarray
    knots: np.ndarray
    widths: np.ndarray
    ridge: np.ndarray

    def features(self, x):
        values = self.by_feature(x[None])[:, 0]
        return jnp.concatenate([jnp.ones(1, values.dtype), values])

    def by_feature(self, x):
        t = (x - self.center[None]) / self.scale[None]
        slopes = 0.5 * self.directions / self.widths[:, None]  # no division per observation
        return 0.5 * jnp.tanh(slopes @ t.T - (0.5 * self.knots / self.widths)[:, None])


class Bumps(Basis):
    """Gaussian bumps exp(-|t - center_k|^2 / (2 width_k^2)), t standardised."""

    center: np.ndarray
    scale: np.ndarray
    centers: np.ndarray
    widths: np.ndarray
    ridge: np.ndarray

    def features(self, x):
        t = (x - self.center) / self.scale
        distance = jnp.sum((t[None, :] - self.centers) ** 2, axis=1) / self.widths**2
        return jnp.concatenate([jnp.ones(1, distance.dtype), jnp.exp(-0.5 * distance)])


class PiecewisePolynomials(Basis):
    """Splines of one-dimensional projections, constant beyond the outer knots.

    Each interval between knots holds its polynomials in the local coordinate u in [0, 1]: the same few operations for
    every observation, stable however many knots there are, and no branch that depends on data.
    """

    center: np.ndarray
    scale: np.ndarray
    directions: np.ndarray  # (D, d)
    knots: np.ndarray  # (D, K)
    coefficients: np.ndarray  # (D, K - 1, degree + 1, r), rising powers
    ridge: np.ndarray

    def features(self, x):
        t = (x - self.center) / self.scale
        knots, each = jnp.asarray(self.knots), np.arange(self.knots.shape[0])
        along = jnp.clip(self.directions @ t, knots[:, 0], knots[:, -1])
        interval = jnp.sum(along[:, None] >= knots[:, 1:-1], axis=1)
        left, right = knots[each, interval], knots[each, interval + 1]
        u = ((along - left) / (right - left))[:, None]
        powers = jnp.moveaxis(jnp.asarray(self.coefficients)[each, interval], 1, 0)
        values = powers[-1]
        for power in powers[-2::-1]:
            values = values * u + power
        return jnp.concatenate([jnp.ones(1, values.dtype), jnp.ravel(values)])


class ModelScores(Basis):
    """Scores of a family at fixed parameters, standardised and, unless ``radius`` is None, shrunk into a ball."""

    generator: Generator
    theta: np.ndarray
    whitening: np.ndarray
    radius: np.ndarray | None
    ridge: np.ndarray

    @property
    def varies(self):
        return False

    def features(self, x):
        values = jnp.asarray(self.whitening) @ score(self.generator, jnp.asarray(self.theta), x)
        if self.radius is not None:
            values = shrink(values, self.radius)
        return jnp.concatenate([jnp.ones(1, values.dtype), values])


def score(generator: Generator, theta: jax.Array, x: jax.Array) -> jax.Array:
    """Differentiate the log density at one observation (d,) in the unconstrained parameters: (p,)."""
    return jax.jacfwd(lambda t: generator.log_density_at(t, x))(theta)


def shrink(vector: jax.Array, radius) -> jax.Array:
    """Map a vector s smoothly into the ball of a radius c: s / sqrt(1 + |s|^2 / c^2)."""
    # The result does not depend on this unit, in which squares do not overflow.
    unit = jax.lax.stop_gradient(jnp.maximum(1.0, jnp.max(jnp.abs(vector))))
    vector = vector / unit
    return vector / jnp.sqrt(unit**-2 + vector @ vector / radius**2)


class Listed(Basis):
    """A user's own features, with a constant put in front."""

    ridge: np.ndarray
    function: Callable = eqx.field(static=True)
    takes_number: bool = eqx.field(static=True)  # whether the function gets a number, the only coordinate

    @property
    def varies(self):
        return False

    def features(self, x):
        values = jnp.atleast_1d(jnp.asarray(self.function(x[0] if self.takes_number else x)))
        return jnp.concatenate([jnp.ones(1, values.dtype), values])
