"""How a LeNet is trained: cross-entropy by Adam, images shifted and perhaps flipped.

A step is compiled, not a loop of them: within a compiled loop convolutions are many times slower on a processor.
"""

import functools

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from hellgan.checks import checked_count, checked_real, checked_seed
from hellgan.neural.lenet import SIDE, WIDTHS, LeNet, read_images
from hellgan.neural.optimisers import require_optax

_BATCH, _DROPPED, _MARGIN = 128, 0.3, 2  # images; share of the features; pixels that an image is shifted by at most


def train_lenet(
    images,
    labels,
    epochs: int = 8,
    seed: int = 0,
    *,
    rate: float = 2e-3,
    flips: bool = False,
    shifts: bool = True,
    start: LeNet | None = None,
) -> LeNet:
    """Train a classifier of images.

    Cross-entropy, by Adam in batches of 128, the rate falling to 0 by a half cosine; three tenths of the features are
    dropped at random in each step, as by Srivastava et al. (2014).

    Parameters
    ----------
    images : (n, 28, 28) or (n, 784) array
        Bytes, or numbers from 0 to 1.
    labels : (n,) integers
        Classes 0, 1, ...
    epochs : int
    seed : int
    rate : float
        The learning rate that training begins with.
    flips : bool
        Whether each image is mirrored, left to right, with probability 1/2.
    shifts : bool
        Whether each image is shifted by up to two pixels each way.
    start : LeNet, optional
        What training begins with, instead of random weights.

    Returns
    -------
    LeNet

    Raises
    ------
    ValueError, TypeError
        For bad input, in one sentence.
    ImportError
        Where optax is missing.
    """
    x, y = read_images(images), np.asarray(labels)
    if y.shape != (len(x),) or y.dtype.kind not in "iu" or y.min() < 0 or len(np.unique(y)) < 2:
        raise ValueError(f"labels: {y.dtype} of shape {y.shape}; give a class from 0 on for each of {len(x):,} images.")
    epochs, seed = checked_count("epochs", epochs), checked_seed(seed)
    rate = checked_real("rate", rate, "a positive learning rate")
    steps = max(len(x) // _BATCH, 1)
    first, shuffle = jax.random.split(jax.random.key(seed))
    net = LeNet.start(int(y.max()) + 1, int(jax.random.randint(first, (), 0, 2**31 - 1))) if start is None else start
    if net.classes <= y.max():
        raise ValueError(f"start: it knows {net.classes} classes, and labels go to {y.max()}; give another.")
    step, state = _step(rate, epochs * steps, flips, shifts)
    carried = net, state(net)
    x, y = jnp.asarray(x), jnp.asarray(y.astype(np.int32))
    for key in jax.random.split(shuffle, epochs):
        order, steps_key = jax.random.split(key)
        rows = np.asarray(jax.random.permutation(order, len(x)))
        for k, one in enumerate(jax.random.split(steps_key, steps)):
            carried = step(*carried, x, y, rows[k * _BATCH : (k + 1) * _BATCH], one)
    return carried[0]


@functools.lru_cache(maxsize=16)
def _step(rate: float, total: int, flips: bool, shifts: bool):
    """Give a compiled step, and what makes the optimiser's state to begin with."""
    optax = require_optax()
    adam = optax.adam(optax.cosine_decay_schedule(rate, total))

    def loss(net, x, y, key):
        kept = jax.random.bernoulli(key, 1 - _DROPPED, (x.shape[0], WIDTHS[2]))
        hidden = jnp.where(kept, net.hidden(x) / (1 - _DROPPED), 0.0)
        return jnp.mean(optax.softmax_cross_entropy_with_integer_labels(net.logits(hidden), y))

    @jax.jit
    def step(net, state, x, y, rows, key):
        moves, drops = jax.random.split(key)
        slope = jax.grad(loss)(net, varied(moves, x[rows], flips, shifts), y[rows], drops)
        updates, state = adam.update(slope, state, net)
        return eqx.apply_updates(net, updates), state

    return step, adam.init


def varied(key, images, flips: bool, shifts: bool):
    """Images (n, 28, 28), each shifted and flipped at random as asked."""
    where, mirror = jax.random.split(key)
    if shifts:
        padded = jnp.pad(images, ((0, 0), (_MARGIN, _MARGIN), (_MARGIN, _MARGIN)))
        corners = jax.random.randint(where, (images.shape[0], 2), 0, 2 * _MARGIN + 1)
        images = jax.vmap(lambda of, at: jax.lax.dynamic_slice(of, at, (SIDE, SIDE)))(padded, corners)
    if flips:
        turned = jax.random.bernoulli(mirror, 0.5, (images.shape[0],))
        images = jnp.where(turned[:, None, None], images[:, :, ::-1], images)
    return images
