"""Networks: layers against the compiler's own, placement on data, batch and spectral normalisation."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

import hellgan as hg
from hellgan.neural import convolution, spectral
from hellgan.neural.modules import BATCH


def key(seed=0):
    return jax.random.key(seed)


def images(n=6, size=8):
    return np.random.default_rng(0).uniform(0, 3, (n, size, size)).astype(np.float32)


def test_convolution_is_the_compilers():
    """Stride 2, padding 1: kernel rows in the order (block, block, row, column) against (4, 4)."""
    rng = np.random.default_rng(0)
    x, kernel = rng.normal(size=(8, 12, 3)), rng.normal(size=(16 * 3, 5))
    square = kernel.reshape(2, 2, 2, 2, 3, 5).transpose(0, 2, 1, 3, 4, 5).reshape(4, 4, 3, 5)
    theirs = lax.conv_general_dilated(
        jnp.asarray(x)[None], jnp.asarray(square), (2, 2), ((1, 1), (1, 1)), dimension_numbers=("NHWC", "HWIO", "NHWC")
    )[0]
    assert np.allclose(convolution.halved(jnp.asarray(x), jnp.asarray(kernel)), theirs, atol=2e-5)


def test_transposed_convolution_is_the_gradient_of_one():
    """``doubled`` is the linear map whose transpose is a convolution of stride 2: <doubled(x), y> = <x, halved(y)>."""
    rng = np.random.default_rng(1)
    x, y = rng.normal(size=(4, 6, 3)), rng.normal(size=(8, 12, 2))
    kernel = rng.normal(size=(4, 4, 2, 3))  # of the convolution: row, column, channels of y, channels of x
    down = kernel.reshape(2, 2, 2, 2, 2, 3).transpose(0, 2, 1, 3, 4, 5).reshape(32, 3)
    # Row r of a block is reached by the window's rows 1 and 0 with kernel rows 1 - ... : the order is reversed.
    blocks = kernel.reshape(2, 2, 2, 2, 2, 3)  # block row, row, block column, column, channel of y, channel of x
    up = blocks[::-1, :, ::-1].transpose(0, 2, 5, 1, 3, 4).reshape(4 * 3, 4 * 2)
    ours = convolution.doubled(jnp.asarray(x), jnp.asarray(up))
    assert ours.shape == y.shape
    back = convolution.halved(jnp.asarray(y), jnp.asarray(down))
    assert np.isclose(np.sum(ours * y), np.sum(x * np.asarray(back)), rtol=1e-5)


def test_multilayer_perceptrons_by_hand():
    """Two hidden units, data of median 10 and robust scale 2 x 1.4826."""
    data = 10 + 2 * np.array([[-2.0], [-1.0], [0.0], [1.0], [2.0]])
    generator = hg.neural.MLPGenerator((2,), latent_dim=1).place(data, key())
    weights = (jnp.asarray([[1.0, -1.0]]), jnp.asarray([[1.0], [3.0]]))
    generator = eqx.tree_at(lambda m: m.network.weights, generator, weights)
    # z = -2: relu gives (0, 2), the last layer 6
    assert np.allclose(generator(jnp.asarray([-2.0])), [10 + 6 * 2 * 1.4826022], rtol=1e-5)
    discriminator = hg.neural.MLPDiscriminator((2,)).place(data, key())
    discriminator = eqx.tree_at(lambda m: m.network.weights, discriminator, weights)
    # standardised to -1: leaky relu gives (-.2, 1)
    assert np.allclose(discriminator(jnp.asarray([10 - 2 * 1.4826022])), -0.2 + 3, rtol=1e-5)


def test_what_is_bounded_stays_in_the_datas_range():
    data = images()
    generator = hg.neural.ConvGenerator(4, latent_dim=3).place(data, key())
    big = jax.tree.map(lambda leaf: 50 * leaf if eqx.is_array(leaf) and leaf.ndim else leaf, generator)
    generator = eqx.tree_at(lambda m: m.frame, big, generator.frame)
    drawn = jax.vmap(generator, axis_name=BATCH)(jax.random.normal(key(), (16, 3)))
    assert drawn.shape == (16, 8, 8)
    assert float(drawn.min()) >= data.min() - 1e-5
    assert float(drawn.max()) <= data.max() + 1e-5
    assert np.ptp(drawn) > 0.5 * np.ptp(data)


def test_batch_normalisation():
    """A settled generator gives one by one what the batch gave that settled it; another batch gives something else."""
    generator = hg.neural.ConvGenerator(4, latent_dim=3).place(images(), key())
    z = jax.random.normal(key(1), (16, 3))
    together = jax.vmap(generator, axis_name=BATCH)(z)
    alone = jnp.stack([generator.settled(z)(one) for one in z[:3]])
    assert np.allclose(alone, together[:3], atol=1e-5)
    assert not np.allclose(jax.vmap(generator, axis_name=BATCH)(2 * z[:8])[:3], together[:3], atol=1e-3)
    (mean, variance), _ = generator.settled(z).kept
    hidden = np.asarray(z @ generator.dense).reshape(16, 2, 2, -1)
    assert np.allclose(mean, hidden.mean((0, 1, 2)), atol=1e-6)
    assert np.allclose(variance, hidden.var((0, 1, 2)), rtol=1e-4)


def test_placement_does_not_depend_on_units():
    data = np.random.default_rng(0).normal(size=(50, 3))
    one, other = (
        hg.neural.MLPDiscriminator((4,)).place((1e3 * data + 7) if far else data, key()) for far in (False, True)
    )
    x = jnp.asarray(data[0], jnp.float32)
    assert np.allclose(one(x), other(jnp.float32(1e3) * x + 7), rtol=1e-3, atol=1e-5)


def test_a_coordinate_that_hardly_varies_has_a_scale():
    data = np.random.default_rng(0).normal(size=(50, 2))
    data[:, 1] = 0.0
    data[0, 1] = 1.0
    frame = hg.neural.MLPGenerator((4,), latent_dim=1).place(data, key()).frame
    assert np.all(frame.scale > 0)
    assert np.all(np.isfinite(frame.scale))


def test_spectral_normalisation_is_the_largest_singular_value():
    rng = np.random.default_rng(0)
    weights = {"a": jnp.asarray(rng.normal(size=(6, 4)), jnp.float32), "b": jnp.ones(4), "c": jnp.ones((2, 3, 4))}
    vectors = spectral.begun(weights, key())
    assert vectors["b"] is None
    for _ in range(200):
        vectors = spectral.iterated(weights, vectors)
    found = spectral.normalised(weights, vectors)
    assert np.allclose(np.linalg.norm(found["a"], 2), 1, rtol=1e-4)
    assert np.allclose(np.asarray(found["a"]) * np.linalg.norm(weights["a"], 2), weights["a"], rtol=1e-4)
    assert np.allclose(np.linalg.norm(np.reshape(found["c"], (6, 4)), 2), 1, rtol=1e-4)
    assert found["b"] is weights["b"]


@pytest.mark.parametrize(
    ("make", "match"),
    [
        (lambda: hg.neural.MLPGenerator(widths=()), None),
        (lambda: hg.neural.MLPGenerator(widths=(0,)), "widths: got 0; give an integer of at least 1"),
        (lambda: hg.neural.MLPGenerator(latent_dim=0), "latent_dim: got 0"),
        (lambda: hg.neural.MLPGenerator(output="round"), "output: got 'round'; give 'linear' or 'bounded'"),
        (lambda: hg.neural.MLPDiscriminator(activation="gelu"), "activation: got 'gelu'; give one of relu"),
        (lambda: hg.neural.ConvGenerator(width=-1), "width: got -1"),
        (lambda: hg.neural.ConvGenerator().place(np.ones((5, 30, 30)), key()), "multiples of 4; give hg.neural.MLPG"),
        (lambda: hg.neural.ConvDiscriminator().place(np.ones((5, 3)), key()), "multiples of 4; give hg.neural.MLPD"),
        (lambda: hg.neural.Mixture(0), "generators: got 0"),
        (lambda: hg.neural.Mixture(entropy=-1.0), "entropy: got -1.0; give a finite number of at least 0"),
    ],
)
def test_bad_sizes(make, match):
    if match is None:
        make()  # no hidden layer: a linear map
        return
    with pytest.raises(ValueError, match=match):
        make()


@pytest.mark.parametrize("role", ["generator", "discriminator"])
def test_location_and_scale_of_the_data_are_not_trained(role):
    """Only weights and biases are: a bounded generator stays within the range of the data however it is trained."""
    from hellgan.neural import players

    data = np.random.default_rng(0).uniform(2, 3, (40, 8, 8)).astype(np.float32)
    networks = {
        "generator": hg.neural.MLPGenerator((5,), latent_dim=3),
        "discriminator": hg.neural.MLPDiscriminator((5,)),
    }
    player, skeleton = players.begun(networks[role], data, 1, [0, 1], role)
    assert sorted(leaf.ndim - 2 for leaf in jax.tree.leaves(player["nets"])) == [1, 1, 2, 2]
    center, scale = float(skeleton.frame.center), float(skeleton.frame.scale)
    np.testing.assert_allclose([center - scale, center + scale], [data.min(), data.max()], rtol=1e-6)
