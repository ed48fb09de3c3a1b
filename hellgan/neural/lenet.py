"""LeNet, the small classifier whose features and probabilities the metrics of images are computed from."""

import hashlib
import io
import json
import os
from importlib.resources import files
from pathlib import Path

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from hellgan.checks import checked_count, shown

SIDE, FILTER = 28, 5  # pixels of an image's side, and of a filter's
WIDTHS = (16, 32, 84)  # filters, filters, features
_BLOCK = 500  # images in a call

# The nets that come with the package, made by benchmarks/lenet.py: SHA-256 of their files.
_SHIPPED = {
    "mnist": "1dda53fc82400a577dd9f102fc0012e185d68f38ea89ed9a164bff78156c73cb",
    "fashion_mnist": "4bf14b4f57babf33ffa8f35d57cdc27ef6e19fd4c14418ef670dbf18cac0d0cf",
}


class LeNet(eqx.Module):
    """Two layers of 5 x 5 filters, each followed by the largest of 2 x 2, and two dense layers: 16-32-84-classes.

    After LeNet-5 of LeCun, Bottou, Bengio and Haffner (1998), of its size, with rectifiers and two layers fewer.
    ``LeNet.load`` gives those that come with the package; ``train_lenet`` trains one.

    Attributes
    ----------
    weights : tuple of arrays
        (25, 16), (400, 32), (512, 84) and (84, classes).
    biases : tuple of arrays
    """

    weights: tuple[jax.Array, ...]
    biases: tuple[jax.Array, ...]

    @staticmethod
    def start(classes: int, seed: int = 0) -> "LeNet":
        """Draw weights to begin with: normal, of variance 2 over the number of inputs; biases are 0."""
        classes = checked_count("classes", classes, least=2)
        inputs = (FILTER**2, FILTER**2 * WIDTHS[0], 16 * WIDTHS[1], WIDTHS[2])
        keys = jax.random.split(jax.random.key(seed), len(inputs))
        shapes = list(zip(inputs, (*WIDTHS, classes), strict=True))
        weights = tuple(
            jax.random.normal(key, shape, jnp.float32) * np.float32(np.sqrt(2 / shape[0]))
            for key, shape in zip(keys, shapes, strict=True)
        )
        return LeNet(weights, tuple(jnp.zeros(outputs, jnp.float32) for _, outputs in shapes))

    @staticmethod
    def load(name: str | os.PathLike) -> "LeNet":
        """Load ``"mnist"`` or ``"fashion_mnist"``, which come with the package, or a file that ``save`` wrote."""
        if isinstance(name, str) and name in _SHIPPED:
            content = (files("hellgan") / "data" / f"lenet_{name}.npz").read_bytes()
            if hashlib.sha256(content).hexdigest() != _SHIPPED[name]:
                raise ValueError(f"name: the weights of {name!r} are not those of this version; install it anew.")
            return _read(content, name)
        if not isinstance(name, (str, os.PathLike)) or not Path(name).is_file():
            raise ValueError(f"name: got {shown(name)}; give {' or '.join(map(repr, _SHIPPED))}, or a file of weights.")
        return _read(Path(name).read_bytes(), str(name))

    def save(self, path: str | os.PathLike, **facts) -> None:
        """Write the weights, in single precision, and facts about them to a npz file."""
        arrays = {f"weights_{k}": np.asarray(w, np.float32) for k, w in enumerate(self.weights)}
        arrays |= {f"biases_{k}": np.asarray(b, np.float32) for k, b in enumerate(self.biases)}
        np.savez(path, facts=np.array(json.dumps(facts)), **arrays)  # pyright: ignore[reportArgumentType]

    @property
    def classes(self) -> int:
        """Number of classes."""
        return self.biases[-1].shape[0]

    def __call__(self, image):
        """Logarithms of the classes' probabilities, up to a constant, of one image (28, 28) from 0 to 1."""
        return self.logits(self.hidden(image[None]))[0]

    def hidden(self, images):
        """Features (n, 84) of images (n, 28, 28) from 0 to 1, inside compiled programs."""
        x = images[..., None]
        for weights, bias in zip(self.weights[:2], self.biases[:2], strict=True):
            x = _halved(_filtered(x, weights) + bias[None, None, None, :])
        return jax.nn.relu(x.reshape(x.shape[0], -1) @ self.weights[2] + self.biases[2][None])

    def logits(self, hidden):
        """Logarithms of the classes' probabilities, up to a constant, of features (n, 84)."""
        return hidden @ self.weights[3] + self.biases[3][None]

    def features(self, images) -> np.ndarray:
        """Compute the features (n, 84), float64, of images: bytes, or numbers from 0 to 1, (n, 28, 28) or (n, 784)."""
        return _in_blocks(_features, self, images)

    def probabilities(self, images) -> np.ndarray:
        """Compute the probabilities of the classes (n, classes), float64, of images as for ``features``."""
        return _in_blocks(_probabilities, self, images)

    def predict(self, images) -> np.ndarray:
        """Give the most probable class (n,) of images as for ``features``."""
        return np.argmax(self.probabilities(images), axis=1)


def read_images(images, name: str = "images") -> np.ndarray:
    """Read images as float32 (n, 28, 28) from 0 to 1, or refuse them; bytes are divided by 255."""
    x = np.asarray(images)
    if x.dtype.kind not in "iuf" or x.ndim not in (2, 3) or x.shape[1:] not in ((SIDE, SIDE), (SIDE**2,)) or not len(x):
        raise ValueError(f"{name}: {x.dtype} of shape {x.shape}; give numbers of shape (n, 28, 28) or (n, 784).")
    x = x.reshape(-1, SIDE, SIDE)
    x = x.astype(np.float32) / np.float32(255) if x.dtype == np.uint8 else x.astype(np.float32)
    low, high = float(np.min(x)), float(np.max(x))
    if not (low >= -1e-6 and high <= 1 + 1e-6):
        raise ValueError(f"{name}: values from {low:.4g} to {high:.4g}; give bytes, or numbers from 0 to 1.")
    return x


def _filtered(x, weights):
    """Filter images (n, h, w, c): (n, h - 4, w - 4, filters)."""
    filters = weights.reshape(FILTER, FILTER, x.shape[-1], -1)
    return lax.conv_general_dilated(x, filters, (1, 1), "VALID", dimension_numbers=("NHWC", "HWIO", "NHWC"))


def _halved(x):
    """Rectify, and keep the largest of each 2 x 2 pixels."""
    n, height, width, c = x.shape
    return jax.nn.relu(jnp.max(x.reshape(n, height // 2, 2, width // 2, 2, c), axis=(2, 4)))


@jax.jit
def _features(net: LeNet, images):
    return net.hidden(images)


@jax.jit
def _probabilities(net: LeNet, images):
    return jax.nn.softmax(net.logits(net.hidden(images)), axis=1)


def _in_blocks(function, net: LeNet, images) -> np.ndarray:
    x = read_images(images)
    size = min(_BLOCK, 1 << (len(x) - 1).bit_length())
    at = np.minimum(np.arange(-(-len(x) // size) * size), len(x) - 1).reshape(-1, size)
    return np.concatenate([np.asarray(function(net, x[rows]), np.float64) for rows in at])[: len(x)]


def _read(content: bytes, name: str) -> LeNet:
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as archive:
            parts = [[np.float32(archive[f"{part}_{k}"]) for k in range(4)] for part in ("weights", "biases")]
    except (KeyError, ValueError, OSError, EOFError):
        raise ValueError(f"name: {name} holds no weights of a LeNet; give a file that `save` wrote.") from None
    return LeNet(*(tuple(jnp.asarray(each) for each in part) for part in parts))
