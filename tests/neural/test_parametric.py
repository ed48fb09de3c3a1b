"""Parametric generators trained by minibatches: the saddle point of ``hg.GAN``."""

import numpy as np
import optax
import pytest

import hellgan as hg

X = np.random.default_rng(0).standard_t(5, size=400) * 2 + 3


@pytest.fixture(scope="module", params=["log", "root"])
def saddle(request):
    fit = hg.GAN(X, hg.generators.Normal(), hg.discriminators.Sigmoids(6), loss=request.param).fit()
    return request.param, fit


def trained(loss, batch, steps, rate, **options):
    falling = optax.cosine_decay_schedule(rate, steps)
    pair = optax.adam(falling, b1=0.5), optax.adam(optax.cosine_decay_schedule(30 * rate, steps), b1=0.5)
    return hg.neural.train(
        X, hg.generators.Normal(), hg.discriminators.Sigmoids(6), loss=loss, batch=batch, steps=steps, optimizer=pair,
        progress=False, **options,
    )  # fmt: skip


def off(run, fit):
    """Largest distance from the saddle point in standard errors."""
    return float(np.max(np.abs(run.params - fit.params) / fit.bse))


def test_all_observations_end_at_the_saddle_point(saddle):
    """With all observations and latent points in each step nothing is random: the end is the saddle point itself."""
    loss, fit = saddle
    run = trained(loss, None, 4000, 3e-3)
    assert off(run, fit) < 0.01
    # The discriminator is the same, too, and so is the value of the game.
    alpha = np.asarray(run.discriminator.alpha)
    assert np.max(np.abs(alpha - fit.saddle.alpha)) < 0.05 * (1 + np.max(np.abs(fit.saddle.alpha)))


def test_minibatches_end_near_it(saddle):
    """Minibatches of 128 with a falling rate: within a fifth of a standard error."""
    loss, fit = saddle
    assert off(trained(loss, 128, 6000, 3e-3), fit) < 0.2


def test_features_are_whitened():
    """Trained coordinates are of features with mean 0, variance 1 and no correlation; alpha is the package's own."""
    run = trained("log", None, 3, 1e-2)
    module = run.discriminator
    rows = X[:, None].astype(np.float32)
    own = np.stack([np.asarray(module.basis.features(row)) for row in rows])
    white = own @ module.matrix
    assert np.allclose(white[:, 0], 1)
    assert np.allclose(white[:, 1:].mean(0), 0, atol=1e-3)
    assert np.allclose(np.cov(white[:, 1:], rowvar=False), np.eye(6), atol=0.02)
    assert np.allclose(run.log_ratio(X[:9]), own[:9] @ module.alpha, atol=1e-4)


def test_a_mixture_of_normal_laws():
    """Two normal laws against data of two clusters: both are found, with their weights."""
    rng = np.random.default_rng(1)
    data = np.concatenate([rng.normal(-3, 0.5, 300), rng.normal(2, 0.7, 500)])
    run = hg.neural.train(
        data, hg.generators.Normal(), hg.discriminators.Sigmoids(10), loss="log", steps=3000, batch=128,
        rate=(5e-3, 2e-2), mixture=hg.neural.Mixture(2, 1, 0.0), progress=False, seed=2,
    )  # fmt: skip
    found = run.params.assign(weight=run.weights[0]).sort_values("loc")
    assert np.allclose(found["loc"], [-3, 2], atol=0.25)
    assert np.allclose(found["scale"], [0.5, 0.7], atol=0.25)
    assert np.allclose(found["weight"], [0.375, 0.625], atol=0.08)
