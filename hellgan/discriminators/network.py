"""A discriminator that is not linear in alpha: a multilayer perceptron, placed on data."""

import itertools

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np


class Network(eqx.Module):
    """A multilayer perceptron for the log ratio, placed on data: standardisation, sizes and start."""

    center: np.ndarray
    scale: np.ndarray
    ridge: np.ndarray
    start: np.ndarray
    widths: tuple[int, ...] = eqx.field(static=True)

    def log_ratio(self, alpha: jax.Array, x: jax.Array) -> jax.Array:
        """v_alpha(x) of one observation (d,)."""
        h, at = (x - self.center) / self.scale, 0
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
