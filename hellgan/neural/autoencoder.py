"""A learned feature map: an encoder that is trained against the generator, held to what a decoder can undo."""

import dataclasses

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from hellgan.checks import checked_count, checked_real
from hellgan.neural.modules import Frame, Perceptron
from hellgan.neural.networks import checked_widths, frame_of


@dataclasses.dataclass(frozen=True)
class Autoencoder:
    """A feature map with its inverse, both multilayer perceptrons, trained with a kernel GAN.

    The encoder's codes are between -1 and 1, so that it cannot gain by scale; it and the decoder are held together by
    the mean squared error of what is decoded, of observations and draws alike, since an encoder that is held to
    observations alone may give noise their codes.

    Parameters
    ----------
    code : int
        Coordinates of a code.
    widths : sequence of int
        Hidden units of the encoder; the decoder has them in the reverse order.
    penalty : float
        Weight of the reconstruction error, the mean over pixels in units of the data's range or scale.
    warm_up : int
        Steps in which encoder and decoder are trained alone, before the generator's first.
    is_adversarial : bool
        Whether the encoder maximises what the generator minimises; otherwise it is trained to reconstruct alone.
    """

    code: int = 16
    widths: tuple[int, ...] = (256,)
    penalty: float = 8.0
    warm_up: int = 1000
    is_adversarial: bool = True

    def __post_init__(self):
        checked_count("code", self.code)
        object.__setattr__(self, "widths", checked_widths(self.widths))
        checked_real("penalty", self.penalty, "a positive number")
        checked_count("warm_up", self.warm_up, least=0)

    def place(self, data: np.ndarray, key: jax.Array) -> "Coder":
        """Draw both networks for data (n, ...)."""
        frame, size = frame_of(data), int(np.prod(data.shape[1:]))
        one, other = jax.random.split(key)
        encoder = Perceptron.of((size, *self.widths, self.code), "relu", one)
        return Coder(encoder, Perceptron.of((self.code, *self.widths[::-1], size), "relu", other), frame)


class Coder(eqx.Module):
    """An encoder and a decoder, placed on data; called on one observation it gives its code."""

    encoder: Perceptron
    decoder: Perceptron
    frame: Frame

    def __call__(self, x: jax.Array) -> jax.Array:
        return jnp.tanh(self.encoder(jnp.ravel(self.frame.seen(x))))

    def error(self, x: jax.Array) -> jax.Array:
        """Mean squared error of one observation, encoded and decoded, on the scale of ``frame``."""
        decoded = self.decoder(self(x))
        decoded = jnp.tanh(decoded) if self.frame.is_bounded else decoded
        return jnp.mean((decoded - jnp.ravel(self.frame.seen(x))) ** 2)
