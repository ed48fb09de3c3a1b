"""LeNet: layers against the compiler's own, what comes with the package, training on a toy, files, refusals."""

import os
from importlib.resources import files

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import hellgan as hg
from hellgan.datasets import images
from hellgan.neural import lenet_training

RNG = np.random.default_rng(0)
NETS = ("mnist", "fashion_mnist")


@pytest.fixture(scope="module")
def net():
    return hg.neural.LeNet.start(3, seed=1)


def by_loops(net, x):
    """Compute the features in NumPy, filter by filter and pixel by pixel."""
    h = np.asarray(x, float)[..., None]
    for weights, bias in zip(net.weights[:2], net.biases[:2], strict=True):
        windows = np.lib.stride_tricks.sliding_window_view(h, (5, 5), axis=(1, 2))  # (n, h, w, c, 5, 5)
        filters = np.asarray(weights, float).reshape(5, 5, h.shape[-1], -1)
        h = np.einsum("nhwcij,ijck->nhwk", windows, filters) + np.asarray(bias)
        h = np.maximum(np.maximum(h[:, ::2], h[:, 1::2]), 0)
        h = np.maximum(h[:, :, ::2], h[:, :, 1::2])
    return np.maximum(h.reshape(len(x), -1) @ np.asarray(net.weights[2]) + np.asarray(net.biases[2]), 0)


def test_features_against_loops(net):
    x = RNG.uniform(size=(7, 28, 28)).astype(np.float32)
    found = net.features(x)
    assert found.shape == (7, 84)
    assert found.dtype == np.float64
    np.testing.assert_allclose(found, by_loops(net, x), rtol=2e-4, atol=2e-4)


def test_ways_of_giving_images_are_the_same(net):
    x = RNG.integers(0, 256, (520, 28, 28)).astype(np.uint8)
    found = net.probabilities(x)
    np.testing.assert_allclose(found.sum(axis=1), 1, atol=1e-6)
    np.testing.assert_allclose(net.probabilities(x.reshape(520, 784) / 255), found, atol=1e-6)
    np.testing.assert_allclose(net.probabilities(x[510:511]), found[510:511], atol=1e-6)  # in another block
    one = net(jnp.asarray(x[3] / 255, jnp.float32))
    np.testing.assert_allclose(jax.nn.softmax(one), found[3], atol=1e-6)
    np.testing.assert_array_equal(net.predict(x), np.argmax(found, axis=1))


def test_the_same_seed_gives_the_same_bits(net):
    again = hg.neural.LeNet.start(3, seed=1)
    assert all(np.array_equal(a, b) for a, b in zip(jax.tree.leaves(net), jax.tree.leaves(again), strict=True))


def test_a_file_gives_it_back(net, tmp_path):
    net.save(tmp_path / "net.npz", note="a trial")
    again = hg.neural.LeNet.load(tmp_path / "net.npz")
    x = RNG.uniform(size=(5, 28, 28))
    np.testing.assert_allclose(again.features(x), net.features(x), rtol=1e-6)
    assert again.classes == 3


@pytest.mark.parametrize("name", NETS)
def test_a_net_that_comes_with_the_package(name):
    """Its hash is looked at when it is loaded; ten classes, at most 400 kB."""
    net = hg.neural.LeNet.load(name)
    assert net.classes == 10
    assert sum(leaf.size for leaf in jax.tree.leaves(net)) == 57_190
    assert (files("hellgan") / "data" / f"lenet_{name}.npz").stat().st_size <= 400_000  # pyright: ignore


@pytest.mark.parametrize("name", NETS)
def test_accuracy_on_test_images(name):
    """At least 99 % of MNIST's and 90 % of Fashion-MNIST's."""
    if name == "mnist":
        if not os.environ.get("HELLGAN_MNIST"):
            pytest.skip("HELLGAN_MNIST names no archive of MNIST")
        found, least = hg.datasets.fetch_mnist(os.environ["HELLGAN_MNIST"]), 0.99
    else:
        if not (os.environ.get("HELLGAN_FASHION_MNIST") or images.FOLDER.exists()):
            pytest.skip("Debian's package dataset-fashion-mnist is not installed")
        found, least = hg.datasets.fetch_fashion_mnist(), 0.90
    assert np.mean(hg.neural.LeNet.load(name).predict(found.test) == found.test_labels) >= least


def stripes(n, seed):
    """Images with a horizontal or a vertical bar, somewhere, under noise."""
    rng = np.random.default_rng(seed)
    x, y = rng.uniform(0, 0.4, (n, 28, 28)), rng.integers(0, 2, n)
    for image, label, at in zip(x, y, rng.integers(6, 22, n), strict=True):
        image[(slice(at, at + 3), slice(4, 24)) if label else (slice(4, 24), slice(at, at + 3))] = 1.0
    return x, y


@pytest.mark.slow
@pytest.mark.montecarlo
def test_training_tells_bars_apart():
    x, y = stripes(512, 1)
    net = hg.neural.train_lenet(x, y, epochs=3, seed=0)
    others, labels = stripes(300, 2)
    assert np.mean(net.predict(others) == labels) > 0.97
    net, again = (hg.neural.train_lenet(x[:128], y[:128], epochs=3, seed=0) for _ in range(2))
    assert all(np.array_equal(a, b) for a, b in zip(jax.tree.leaves(net), jax.tree.leaves(again), strict=True))


def test_variations_shift_and_flip():
    """A single bright pixel stays one, at most two pixels away, or mirrored."""
    x = np.zeros((400, 28, 28), np.float32)
    x[:, 10, 5] = 1.0
    keys = jax.random.split(jax.random.key(0), 2)
    rows, columns = np.nonzero(np.asarray(lenet_training.varied(keys[0], jnp.asarray(x), False, True)))[1:]
    assert len(rows) == 400
    assert set(rows) == set(range(8, 13))
    assert set(columns) == set(range(3, 8))
    rows, columns = np.nonzero(np.asarray(lenet_training.varied(keys[1], jnp.asarray(x), True, False)))[1:]
    assert set(rows) == {10}
    assert set(columns) == {5, 22}
    assert 140 < np.sum(columns == 22) < 260


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda net: net.features(np.ones((3, 20, 20))), "images: float64 of shape .3, 20, 20.; give numbers of shape"),
        (lambda net: net.features(np.full((3, 28, 28), 2.0)), "images: values from 2 to 2; give bytes"),
        (lambda net: net.features(np.full((3, 28, 28), np.nan)), "images: values from nan"),
        (lambda net: hg.neural.LeNet.load("cifar"), "name: got 'cifar'; give 'mnist' or 'fashion_mnist', or a file"),
        (lambda net: hg.neural.LeNet.start(1), "classes: got 1; give an integer of at least 2"),
        (lambda net: hg.neural.train_lenet(np.zeros((4, 28, 28)), [0, 1]), "labels: int64 of shape .2,."),
        (lambda net: hg.neural.train_lenet(np.zeros((2, 28, 28)), [0, 1], rate=0.0), "rate: got 0.0"),
        (lambda net: hg.neural.train_lenet(np.zeros((2, 28, 28)), [0, 5], start=net), "start: it knows 3 classes"),
    ],
)
def test_bad_arguments(net, call, said):
    with pytest.raises(ValueError, match=f"^{said}.*[.]$"):
        call(net)


def test_a_file_of_something_else_is_refused(tmp_path):
    np.savez(tmp_path / "other.npz", a=np.ones(3))
    with pytest.raises(ValueError, match="holds no weights of a LeNet"):
        hg.neural.LeNet.load(tmp_path / "other.npz")
