"""Discriminators placed on data: what the objective evaluates, one observation at a time."""

import abc
import itertools
from collections.abc import Callable

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from hellgan.generators import Generator


class Basis(eqx.Module):
    """A log ratio linear in alpha, placed on data; abstract.

    Attributes
    ----------
    ridge : (q + 1,) array
        The objective is penalised by ``sum(ridge * alpha**2)``; 0 for the intercept.
    """

    ridge: eqx.AbstractVar[np.ndarray]

    @abc.abstractmethod
    def features(self, x: jax.Array) -> jax.Array:
        """Evaluate the (q + 1,) features of one observation, () or (d,); the first is 1."""

    def log_ratio(self, alpha: jax.Array, x: jax.Array) -> jax.Array:
        """v_alpha(x) of one observation."""
        return self.features(x) @ alpha

    @property
    def size(self) -> int:
        """The length of alpha, q + 1."""
        return self.ridge.shape[-1]

    @property
    def is_linear(self) -> bool:
        return True

    @property
    def varies(self) -> bool:
        """Whether every feature but the constant is finite, and varies over the sample, by construction."""
        return True

    @property
    def start(self) -> np.ndarray:
        """Where the discriminator starts: v = 0, the two laws taken to be equal."""
        return np.zeros(self.size)


class Network(eqx.Module):
    """A multilayer perceptron for the log ratio, placed on data: standardisation, sizes and start."""

    center: np.ndarray
    scale: np.ndarray
    ridge: np.ndarray
    start: np.ndarray
    widths: tuple[int, ...] = eqx.field(static=True)

    def log_ratio(self, alpha: jax.Array, x: jax.Array) -> jax.Array:
        """v_alpha(x) of one observation, () or (d,)."""
        h, at = (jnp.atleast_1d(x) - self.center) / self.scale, 0
        for inputs, outputs in itertools.pairwise((self.center.shape[0], *self.widths, 1)):
            weights = alpha[at : at + inputs * outputs].reshape(outputs, inputs)
            at += inputs * outputs
            h = weights @ h + alpha[at : at + outputs]
            at += outputs
            h = jnp.tanh(h) if at < self.size else h
        return h[0]

    @property
    def size(self) -> int:
        """The length of alpha."""
        return self.start.shape[0]

    @property
    def is_linear(self) -> bool:
        return False


class Monomials(Basis):
    """Products of powers of the standardised coordinates."""

    center: np.ndarray
    scale: np.ndarray
    ridge: np.ndarray
    powers: tuple[tuple[int, ...], ...] = eqx.field(static=True)

    varies = property(lambda self: False)

    def features(self, x):
        t = (jnp.atleast_1d(x) - self.center) / self.scale
        terms = [jnp.prod(jnp.stack([t[i] ** k for i, k in enumerate(power) if k])) for power in self.powers]
        return jnp.stack([jnp.ones_like(t[0]), *terms])


class Ridges(Basis):
    """Sigmoids of one-dimensional projections: expit((direction . t - knot) / width) - 1/2, t standardised."""

    center: np.ndarray
    scale: np.ndarray
    directions: np.ndarray
    knots: np.ndarray
    widths: np.ndarray
    ridge: np.ndarray

    def features(self, x):
        t = (jnp.atleast_1d(x) - self.center) / self.scale
        # One expression for all features, the constant among them, and no division an observation: a third faster.
        slopes = jnp.pad(0.5 * self.directions / self.widths[:, None], ((1, 0), (0, 0)))
        shifts = jnp.pad(0.5 * self.knots / self.widths, (1, 0))
        return jnp.where(np.arange(shifts.shape[0]) == 0, 1.0, 0.5 * jnp.tanh(t @ slopes.T - shifts))


class Bumps(Basis):
    """Gaussian bumps exp(-|t - center_k|^2 / (2 width_k^2)), t standardised."""

    center: np.ndarray
    scale: np.ndarray
    centers: np.ndarray
    widths: np.ndarray
    ridge: np.ndarray

    def features(self, x):
        t = (jnp.atleast_1d(x) - self.center) / self.scale
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
        t = (jnp.atleast_1d(x) - self.center) / self.scale
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
    """Scores of a family at fixed parameters, standardised and, where ``radius`` is one, shrunk into a ball."""

    generator: Generator
    theta: np.ndarray
    whitening: np.ndarray
    radius: np.ndarray | None
    ridge: np.ndarray

    varies = property(lambda self: False)

    def features(self, x):
        values = jnp.asarray(self.whitening) @ score(self.generator, jnp.asarray(self.theta), x)
        if self.radius is not None:
            values = shrink(values, self.radius)
        return jnp.concatenate([jnp.ones(1, values.dtype), values])


def score(generator: Generator, theta: jax.Array, x: jax.Array) -> jax.Array:
    """Differentiate the log density at one observation in the unconstrained parameters: (p,)."""
    return jax.jacfwd(lambda t: generator.log_density(x, **generator.natural(t)))(theta)


def shrink(vector: jax.Array, radius) -> jax.Array:
    """Map a vector s smoothly into the ball of a radius c: s / sqrt(1 + |s|^2 / c^2)."""
    # Independent of the unit that it is computed in, so that squares need not overflow.
    unit = jax.lax.stop_gradient(jnp.maximum(1.0, jnp.max(jnp.abs(vector))))
    vector = vector / unit
    return vector / jnp.sqrt(unit**-2 + vector @ vector / radius**2)


class Listed(Basis):
    """A user's own features, with a constant put in front."""

    ridge: np.ndarray
    function: Callable = eqx.field(static=True)

    varies = property(lambda self: False)

    def features(self, x):
        values = jnp.atleast_1d(jnp.asarray(self.function(x)))
        return jnp.concatenate([jnp.ones(1, values.dtype), values])
