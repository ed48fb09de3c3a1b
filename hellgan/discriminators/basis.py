"""What a discriminator linear in alpha is, once it is placed on data."""

import abc

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np


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
        """Evaluate the (q + 1,) features of one observation (d,); the first is 1."""

    def by_feature(self, x: jax.Array) -> jax.Array:
        """Evaluate the features but the constant at n observations (n, d): (q, n), a row a feature.

        Sums over observations run along rows that are whole in memory, so that products of features are faster than
        those of (n, q + 1).
        """
        return jax.vmap(self.features, out_axes=1)(x)[1:]

    @property
    def placement(self) -> np.ndarray:
        """What was estimated from the sample to place the features, (r,), as far as standard errors count it."""
        return np.zeros(0)

    def placed(self, placement: jax.Array) -> "Basis":
        """The same features placed elsewhere, by another ``placement`` (r,)."""
        return self

    def influence(self, x: jax.Array) -> jax.Array:
        """Evaluate the influence function of ``placement`` at one observation (d,): (r,)."""
        return jnp.zeros(0, x.dtype)

    def log_ratio(self, alpha: jax.Array, x: jax.Array) -> jax.Array:
        """v_alpha(x) at one observation (d,), a number."""
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


def count_varying(features: np.ndarray) -> int:
    """Count the features (n, q) that vary over the data; raises ``ValueError`` where some are not finite."""
    if not np.all(np.isfinite(features)):
        raise ValueError("discriminator: its features are not finite at some of the data; choose bounded features.")
    spread = np.ptp(features, axis=0)
    return int(np.sum(spread > 1e-12 * np.max(np.abs(features), axis=0, initial=1e-300)))
