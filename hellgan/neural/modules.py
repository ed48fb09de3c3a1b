"""Networks placed on data: modules that are called on one latent draw or one observation.

Their arrays of JAX are trained; arrays of NumPy are constants, such as the data's location and scale.
"""

import itertools
import math
from collections.abc import Sequence

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from hellgan.neural.convolution import doubled, halved

BATCH = "batch"  # the name of the axis over which a generator is mapped
_TINY = 1e-5  # added to the variances of batch normalisation

ACTIVATIONS = {"relu": jax.nn.relu, "leaky_relu": lambda h: jax.nn.leaky_relu(h, 0.2), "tanh": jnp.tanh}


class Frame(eqx.Module):
    """Shape, location and scale of the data, by which networks see numbers of order one.

    Attributes
    ----------
    center, scale : (d,) arrays for vectors, numbers for images
    shape : tuple of int
        Of one observation.
    is_bounded : bool
        Whether what a generator makes stays within ``center`` plus or minus ``scale``.
    """

    center: np.ndarray
    scale: np.ndarray
    shape: tuple[int, ...] = eqx.field(static=True)
    is_bounded: bool = eqx.field(static=True)

    def made(self, h: jax.Array) -> jax.Array:
        """Turn what a network gives into an observation."""
        h = jnp.reshape(h, self.shape)
        return jnp.asarray(self.center) + self.scale * (jnp.tanh(h) if self.is_bounded else h)

    def seen(self, x: jax.Array) -> jax.Array:
        """Standardise an observation."""
        return (x - self.center) / self.scale


class Perceptron(eqx.Module):
    """Layers of a multilayer perceptron, the last one linear."""

    weights: tuple[jax.Array, ...]
    biases: tuple[jax.Array, ...]
    activation: str = eqx.field(static=True)

    @staticmethod
    def of(sizes: tuple[int, ...], activation: str, key: jax.Array) -> "Perceptron":
        """Draw weights with standard deviation sqrt(2 / inputs), or sqrt(1 / inputs) for tanh and the last layer."""
        shapes = list(itertools.pairwise(sizes))
        gains = [1.0 if activation == "tanh" or k == len(shapes) - 1 else 2.0 for k in range(len(shapes))]
        drawn = normal_arrays(key, shapes)
        weights = [w * math.sqrt(gain / len(w)) for w, gain in zip(drawn, gains, strict=True)]
        return Perceptron(tuple(weights), tuple(jnp.zeros(k, jnp.float32) for k in sizes[1:]), activation)

    def __call__(self, h: jax.Array) -> jax.Array:
        """Evaluate at one vector."""
        last = len(self.weights) - 1
        for k, (weight, bias) in enumerate(zip(self.weights, self.biases, strict=True)):
            h = h @ weight + bias
            h = h if k == last else ACTIVATIONS[self.activation](h)
        return h


class PerceptronGenerator(eqx.Module):
    """From a latent draw (latent_dim,) to an observation."""

    network: Perceptron
    frame: Frame
    latent_dim: int = eqx.field(static=True)

    def __call__(self, z: jax.Array) -> jax.Array:
        return self.frame.made(self.network(z))


class PerceptronDiscriminator(eqx.Module):
    """From an observation to its log density ratio, or score."""

    network: Perceptron
    frame: Frame

    def __call__(self, x: jax.Array) -> jax.Array:
        return self.network(jnp.ravel(self.frame.seen(x)))[0]


class ConvolutionalGenerator(eqx.Module):
    """A DCGAN's generator: a dense layer, then two that double height and width; batch normalisation before each.

    Attributes
    ----------
    kept : tuple of pairs of arrays, optional
        Means and variances of the layers that are normalised. None while training, where they are those of the batch:
        the module must then be mapped over an axis called ``"batch"``. ``settled`` gives a module that keeps them.
    """

    dense: jax.Array
    kernels: tuple[jax.Array, jax.Array]
    bias: jax.Array
    gains: tuple[jax.Array, ...]
    shifts: tuple[jax.Array, ...]
    kept: tuple | None
    frame: Frame
    latent_dim: int = eqx.field(static=True)

    @staticmethod
    def of(frame: Frame, latent_dim: int, width: int, key: jax.Array) -> "ConvolutionalGenerator":
        """Draw weights from N(0, .02^2), as a DCGAN's are."""
        h, w, c = image_shape(frame.shape)
        shapes = ((latent_dim, h // 4 * (w // 4) * 2 * width), (8 * width, 4 * width), (4 * width, 4 * c))
        dense, first, second = (0.02 * drawn for drawn in normal_arrays(key, shapes))
        sizes = (2 * width, width)
        return ConvolutionalGenerator(
            dense, (first, second), jnp.zeros(c, jnp.float32),
            tuple(jnp.ones(k, jnp.float32) for k in sizes), tuple(jnp.zeros(k, jnp.float32) for k in sizes),
            None, frame, latent_dim,
        )  # fmt: skip

    def __call__(self, z: jax.Array) -> jax.Array:
        return self._drawn(z)[0]

    def settled(self, z: jax.Array) -> "ConvolutionalGenerator":
        """Keep the means and variances that latent draws (m, latent_dim) give with the present weights."""
        moments = jax.vmap(lambda one: self._drawn(one)[1], axis_name=BATCH, out_axes=None)(z)
        return eqx.tree_at(lambda module: module.kept, self, moments, is_leaf=lambda leaf: leaf is None)

    def _drawn(self, z):
        """Give the observation, and the moments by which each layer was normalised."""
        h, w, _ = image_shape(self.frame.shape)
        image, moments = (z @ self.dense).reshape(h // 4, w // 4, -1), []
        for k, kernel in enumerate(self.kernels):
            moments.append(batch_moments(image) if self.kept is None else self.kept[k])
            mean, variance = moments[-1]
            slope = jax.lax.rsqrt(variance + _TINY) * self.gains[k]
            image = image * slope[None, None] + (self.shifts[k] - mean * slope)[None, None]
            image = doubled(jax.nn.relu(image), kernel)
        return self.frame.made(image + self.bias[None, None]), tuple(moments)


class ConvolutionalDiscriminator(eqx.Module):
    """A DCGAN's discriminator without normalisation: two layers that halve height and width, and a dense one."""

    kernels: tuple[jax.Array, jax.Array]
    biases: tuple[jax.Array, jax.Array]
    dense: jax.Array
    bias: jax.Array
    frame: Frame

    @staticmethod
    def of(frame: Frame, width: int, key: jax.Array) -> "ConvolutionalDiscriminator":
        """Draw weights from N(0, .02^2), as a DCGAN's are."""
        h, w, c = image_shape(frame.shape)
        shapes = ((16 * c, width), (16 * width, 2 * width), (h // 4 * (w // 4) * 2 * width,))
        first, second, dense = (0.02 * drawn for drawn in normal_arrays(key, shapes))
        biases = jnp.zeros(width, jnp.float32), jnp.zeros(2 * width, jnp.float32)
        return ConvolutionalDiscriminator((first, second), biases, dense, jnp.zeros((), jnp.float32), frame)

    def __call__(self, x: jax.Array) -> jax.Array:
        image = self.frame.seen(x).reshape(image_shape(self.frame.shape))
        for kernel, bias in zip(self.kernels, self.biases, strict=True):
            image = jax.nn.leaky_relu(halved(image, kernel) + bias[None, None], 0.2)
        return jnp.ravel(image) @ self.dense + self.bias


def latent_draws(law: str, key: jax.Array, shape: tuple[int, ...]) -> jax.Array:
    """Latent draws: standard normal, or uniform between -1 and 1."""
    if law == "normal":
        return jax.random.normal(key, shape, jnp.float32)
    return jax.random.uniform(key, shape, jnp.float32, -1.0, 1.0)


def normal_arrays(key: jax.Array, shapes: Sequence[tuple[int, ...]]) -> list[jax.Array]:
    """Draw standard normal arrays of some shapes at once: to compile random numbers takes long."""
    sizes = [math.prod(shape) for shape in shapes]
    drawn = jax.random.normal(key, (sum(sizes),), jnp.float32)
    ends = list(itertools.accumulate(sizes))
    return [drawn[end - size : end].reshape(shape) for size, end, shape in zip(sizes, ends, shapes, strict=True)]


def batch_moments(image: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Mean and variance of each channel over pixels and the batch."""
    mean = jax.lax.pmean(jnp.mean(image, axis=(0, 1)), BATCH)
    return mean, jax.lax.pmean(jnp.mean((image - mean[None, None]) ** 2, axis=(0, 1)), BATCH)


def image_shape(shape: tuple[int, ...]) -> tuple[int, int, int]:
    """Height, width and channels of images (h, w) or (h, w, c)."""
    return (*shape, 1) if len(shape) == 2 else shape  # pyright: ignore[reportReturnType]
