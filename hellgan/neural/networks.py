"""What a user writes for a network, before it has seen data: sizes, and how the data are seen.

``place`` draws weights and takes shape, location and scale from the data, so that training does not depend on units.
Any equinox module of the user's stands where these do, called on one latent draw or one observation; or a function of a
JAX key that makes one, where several starts are wanted.
"""

import abc
import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from hellgan.checks import checked_count, checked_sequence, is_one_of, shown
from hellgan.neural.modules import (
    ACTIVATIONS,
    ConvolutionalDiscriminator,
    ConvolutionalGenerator,
    Frame,
    Perceptron,
    PerceptronDiscriminator,
    PerceptronGenerator,
)
from hellgan.samples.robust import quantile, robust_scale

OUTPUTS = ("linear", "bounded")


class NetworkSpecification(abc.ABC):
    """Sizes of a network; abstract."""

    @abc.abstractmethod
    def frame(self, data: np.ndarray) -> Frame:
        """Take shape, location and scale from data (n, ...), or refuse them."""

    @abc.abstractmethod
    def drawn(self, frame: Frame, key: jax.Array) -> eqx.Module:
        """Draw a network: the same key gives the same bits."""

    def place(self, data: np.ndarray, key: jax.Array) -> Any:
        """Draw a network for data (n, ...)."""
        return self.drawn(self.frame(data), key)


@dataclasses.dataclass(frozen=True)
class MLPGenerator(NetworkSpecification):
    """A multilayer perceptron from latent draws to observations.

    Parameters
    ----------
    widths : sequence of int
        Hidden units, layer by layer.
    latent_dim : int
        Coordinates of a latent draw, standard normal.
    output : {"linear", "bounded"}, optional
        ``"linear"``: any number, on the scale of the data's median and robust scale. ``"bounded"``: between the data's
        least and largest value, by a tanh. Images are bounded unless told otherwise, vectors are not.
    activation : {"relu", "leaky_relu", "tanh"}

    Examples
    --------
    >>> import hellgan as hg
    >>> hg.neural.MLPGenerator((64, 64), latent_dim=8)
    MLPGenerator(widths=(64, 64), latent_dim=8, output=None, activation='relu')
    """

    widths: tuple[int, ...] = (256, 256)
    latent_dim: int = 64
    output: str | None = None
    activation: str = "relu"

    def __post_init__(self):
        object.__setattr__(self, "widths", checked_widths(self.widths))
        checked_count("latent_dim", self.latent_dim)
        _check_output(self.output)
        _check_activation(self.activation)

    def frame(self, data: np.ndarray) -> Frame:
        return frame_of(data, self.output)

    def drawn(self, frame: Frame, key: jax.Array) -> PerceptronGenerator:
        sizes = (self.latent_dim, *self.widths, int(np.prod(frame.shape)))
        return PerceptronGenerator(Perceptron.of(sizes, self.activation, key), frame, self.latent_dim)


@dataclasses.dataclass(frozen=True)
class MLPDiscriminator(NetworkSpecification):
    """A multilayer perceptron from observations to their log density ratio.

    Parameters
    ----------
    widths : sequence of int
        Hidden units, layer by layer.
    activation : {"relu", "leaky_relu", "tanh"}
        ``"tanh"`` is smooth, which gradient penalties need.
    """

    widths: tuple[int, ...] = (256, 256)
    activation: str = "leaky_relu"

    def __post_init__(self):
        object.__setattr__(self, "widths", checked_widths(self.widths))
        _check_activation(self.activation)

    def frame(self, data: np.ndarray) -> Frame:
        return frame_of(data)

    def drawn(self, frame: Frame, key: jax.Array) -> PerceptronDiscriminator:
        sizes = (int(np.prod(frame.shape)), *self.widths, 1)
        return PerceptronDiscriminator(Perceptron.of(sizes, self.activation, key), frame)


@dataclasses.dataclass(frozen=True)
class ConvGenerator(NetworkSpecification):
    """A small DCGAN's generator, for images whose height and width are multiples of four, such as 28 by 28.

    Dense layer, batch normalisation, then two transposed convolutions (4 by 4 pixels, stride 2) with batch
    normalisation between them. The statistics of a batch normalise it in training; for sampling they are computed anew,
    with the weights that sample, on many latent draws.

    Parameters
    ----------
    width : int
        Channels of the last hidden layer; the one before has twice as many.
    latent_dim : int
        Coordinates of a latent draw, standard normal.
    output : {"bounded", "linear"}
        As for ``MLPGenerator``.
    """

    width: int = 64
    latent_dim: int = 64
    output: str | None = None

    def __post_init__(self):
        checked_count("width", self.width)
        checked_count("latent_dim", self.latent_dim)
        _check_output(self.output)

    def frame(self, data: np.ndarray) -> Frame:
        _check_images(data, "generator", "MLPGenerator")
        return frame_of(data, self.output)

    def drawn(self, frame: Frame, key: jax.Array) -> ConvolutionalGenerator:
        return ConvolutionalGenerator.of(frame, self.latent_dim, self.width, key)


@dataclasses.dataclass(frozen=True)
class ConvDiscriminator(NetworkSpecification):
    """A small DCGAN's discriminator: two convolutions (4 by 4 pixels, stride 2), no normalisation, a dense layer.

    Parameters
    ----------
    width : int
        Channels of the first layer; the second has twice as many.
    """

    width: int = 64

    def __post_init__(self):
        checked_count("width", self.width)

    def frame(self, data: np.ndarray) -> Frame:
        _check_images(data, "discriminator", "MLPDiscriminator")
        return frame_of(data)

    def drawn(self, frame: Frame, key: jax.Array) -> ConvolutionalDiscriminator:
        return ConvolutionalDiscriminator.of(frame, self.width, key)


Network = NetworkSpecification | eqx.Module | Callable[[jax.Array], Any]


def placed(network: Network, data: np.ndarray, key: jax.Array) -> eqx.Module:
    """Make the module of a specification, a function of a key, or a module, which passes through."""
    if isinstance(network, NetworkSpecification):
        return network.place(data, key)
    return network if isinstance(network, eqx.Module) else network(key)  # pyright: ignore[reportReturnType]


def is_trained(leaf) -> bool:
    """Whether a leaf of a module is trained: an array of JAX that holds floating-point numbers."""
    return isinstance(leaf, jax.Array) and jnp.issubdtype(leaf.dtype, jnp.inexact)


def frame_of(data: np.ndarray, output: str | None = None) -> Frame:
    """Location and scale of data (n, ...): of vectors by coordinate, robustly; of images or where bounded by range."""
    shape = data.shape[1:]
    output = output or ("linear" if len(shape) == 1 else "bounded")
    if output == "bounded" or len(shape) > 1:
        low, high = float(data.min()), float(data.max())
        center, scale = np.float32((low + high) / 2), np.float32((high - low) / 2 or 1.0)
        return Frame(np.asarray(center), np.asarray(scale), shape, output == "bounded")
    weights = np.full(len(data), 1 / len(data))
    columns = np.asarray(data, np.float64).T
    center, scale = np.asarray(quantile(columns, 0.5, weights)), columns.std(axis=1)
    # A coordinate that is nearly always one value, as a pixel at the edge, has no robust scale.
    robust = np.array([robust_scale(c, weights) if _varies(c) else s for c, s in zip(columns, scale, strict=True)])
    typical = np.median(robust[robust > 0]) if np.any(robust > 0) else 1.0
    return Frame(center.astype(np.float32), np.where(robust > 0, robust, typical).astype(np.float32), shape, False)


def _varies(column: np.ndarray) -> bool:
    low, high = np.quantile(column, [0.25, 0.75])
    return bool(high > low)


def checked_widths(widths: Sequence[int] | int) -> tuple[int, ...]:
    """Return numbers of hidden units as a tuple, or refuse them."""
    if isinstance(widths, (int, np.integer)):
        widths = (widths,)  # pyright: ignore[reportAssignmentType]
    found = tuple(checked_sequence("widths", widths, "numbers of hidden units, layer by layer"))
    return tuple(checked_count("widths", width) for width in found)


def _check_output(output) -> None:
    if output is not None and not is_one_of(output, OUTPUTS):
        raise ValueError(f"output: got {shown(output)}; give 'linear' or 'bounded'.")


def _check_activation(activation) -> None:
    if not is_one_of(activation, ACTIVATIONS):
        raise ValueError(f"activation: got {shown(activation)}; give one of {', '.join(ACTIVATIONS)}.")


def _check_images(data: np.ndarray, argument: str, other: str) -> None:
    shape = data.shape[1:]
    if len(shape) not in (2, 3) or shape[0] % 4 or shape[1] % 4:
        raise ValueError(
            f"{argument}: observations of shape {shape}; a convolutional network takes images (h, w) or (h, w, "
            f"channels) with h and w multiples of 4; give hg.neural.{other}(...)."
        )
