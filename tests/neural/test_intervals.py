"""Bootstrap intervals of functionals: by hand where training is a closed form, and what is refused."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import hellgan as hg

X = np.random.default_rng(0).normal(3, 1, 120)
NETS = hg.neural.MLPGenerator((4,), latent_dim=1), hg.neural.MLPDiscriminator((4,))


class Shifted(eqx.Module):
    """z + mu: its law is that of z about mu."""

    mu: jax.Array
    latent_dim: int = eqx.field(static=True, default=1)

    def __call__(self, z):
        return z + self.mu


class Line(eqx.Module):
    """alpha x less a penalty alpha^2/2, so that the saddle point has the mean of the data."""

    alpha: jax.Array

    def __call__(self, x):
        return self.alpha * x[0]

    def penalty(self):
        return self.alpha**2 / 2


def test_the_mean_of_a_location_family():
    """The game alpha (mean x - mu) - alpha^2/2 has its saddle point at the sample's mean, whose error is sd/sqrt n."""
    pair = Shifted(jnp.zeros(1)), Line(jnp.float32(0.0))
    rate = optax.cosine_decay_schedule(0.1, 600)
    found = hg.neural.bootstrap(
        X, *pair, {"mean": lambda x: x, "square": np.square}, "wasserstein", gradient_penalty=0, steps=600,
        replications=60, optimizer=optax.sgd(rate), updates="extragradient",
    )  # fmt: skip
    # Latent draws are few in each step, and their mean moves with them.
    assert found.estimates["mean"] == pytest.approx(X.mean(), abs=0.1)
    assert found.estimates["square"] == pytest.approx(X.mean() ** 2 + 1, abs=0.7)
    # The standard deviation of 60 replicates has a relative error of 9 %; training adds a little.
    assert found.bse["mean"] == pytest.approx(X.std() / np.sqrt(120), rel=0.5)
    interval = found.conf_int()
    assert interval.loc["mean", "lower"] < X.mean() < interval.loc["mean", "upper"]
    normal = found.conf_int(kind="normal")
    assert np.allclose(normal.mean(axis=1), found.estimates)
    assert np.allclose(normal["upper"] - normal["lower"], 2 * 1.959964 * found.bse)
    assert found.n_failed == 0


@pytest.mark.parametrize(
    ("given", "match"),
    [
        ({"data": np.zeros((20, 2)) + np.arange(20)[:, None]}, "intervals of trained networks are for numbers"),
        ({"data": X[:5]}, "data: 5 observations; give at least 10"),
        ({"functionals": 3}, "functionals: got 3; give a function"),
        ({"functionals": {"m": np.mean}}, "functionals: m turns shape .* write it elementwise"),
        ({"loss": ["log", "root"]}, "loss: got 2 losses; give one"),
        ({"mixture": hg.neural.Mixture()}, "mixture: bootstrap does not take it"),
        ({"out": "run"}, "out: bootstrap does not take it"),
        ({"replications": 1}, "replications: got 1"),
        ({"generator": hg.generators.Normal()}, "it has named parameters; take hg.GAN"),
    ],
)
def test_bad_arguments(given, match):
    given = {"data": X, "generator": NETS[0], "functionals": np.square, "steps": 2, "replications": 3} | given
    with pytest.raises((ValueError, TypeError), match=match):
        hg.neural.bootstrap(given.pop("data"), given.pop("generator"), NETS[1], given.pop("functionals"), **given)
