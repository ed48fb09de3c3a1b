"""Games whose simulated draws have weights that depend on the parameters: derivatives by three routes agree."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import hellgan as hg
from hellgan.generators.smoothed import Smoothed, smoothed_at
from hellgan.objective import evaluation, simulated
from hellgan.objective.bulk import bulks
from hellgan.objective.game import features, simulate, weigh
from hellgan.objective.scores import jacobian, mean_score, scores


@hg.generator(latent="uniform", jumps=True, p=hg.interval(0, 1), mu=hg.real())
def switch(u, p, mu):
    return jnp.where(u < p, 0.0, mu + (u - p) / (1 - p))


def game_of(name: str, loss: str):
    rng = np.random.default_rng(2)
    if name == "mixture":
        x = np.where(rng.random(120) < 0.4, rng.normal(0, 1, 120), rng.normal(5, 1, 120))
        model = hg.GAN(x, hg.generators.NormalMixture(2), hg.discriminators.Sigmoids(6), loss, n_simulated=256)
        return model.game(), model.generator.theta(weight=[0.45, 0.55], loc=[0.1, 4.8], scale=[1.1, 0.9])
    x = np.where(rng.random(120) < 0.3, 0.0, 1 + rng.random(120))
    model = hg.GAN(x, switch, hg.discriminators.Sigmoids(6), loss, n_simulated=256)
    theta = switch.theta(p=0.3, mu=1.0)
    game = model.game()
    assert isinstance(game.generator, Smoothed)
    spread = np.array([[0.2, 0.05], [0.0, 0.1]])
    return dataclasses.replace(game, generator=smoothed_at(game.generator, theta + 0.03, spread)), theta


@pytest.mark.parametrize("name", ["mixture", "switch"])
@pytest.mark.parametrize("loss", ["root", "root_ns"])
def test_derivatives_agree(name, loss):
    game, theta = game_of(name, loss)
    alpha = 0.3 * np.random.default_rng(0).normal(size=game.discriminator.size)
    with jax.enable_x64(True):
        u = jnp.concatenate([jnp.asarray(theta), jnp.asarray(alpha)])
        p = game.p

        @jax.jit
        def routes(u):
            theta, alpha = u[:p], u[p:]
            by_forward = jax.jacfwd(lambda u: mean_score(game, u[:p], u[p:]))(u)
            own = jacobian(game, theta, alpha), mean_score(game, theta, alpha), scores(game, theta, alpha)
            rows = simulated.simulated_rows(game, theta, alpha, game.z)
            means = simulated.simulated_means(game, theta, alpha, game.z)
            slope = simulated.features_slope(game, theta, alpha)
            return by_forward, *own, rows.scores, means, slope, mean(theta), jax.jacfwd(mean)(theta)

        def mean(theta):
            weights = weigh(game, theta)
            return weights @ features(game, simulate(game, theta)) / jnp.sum(weights)

        by_forward, by_products, score, both, rows, means, slope, at_theta, by_mean = routes(u)
        np.testing.assert_allclose(by_products, by_forward, atol=1e-12)
        ridge = np.concatenate([np.zeros(p), 2 * game.discriminator.ridge * alpha])
        summed = game.x_weights @ both.real + game.z_weights @ both.simulated - ridge
        np.testing.assert_allclose(summed, score, atol=1e-13)
        np.testing.assert_allclose(rows.T, both.simulated, atol=1e-12)
        np.testing.assert_allclose(means.score, game.z_weights @ both.simulated, atol=1e-13)
        np.testing.assert_allclose(means.features, at_theta, atol=1e-14)
        np.testing.assert_allclose(slope, by_mean, atol=1e-13)
    np.testing.assert_allclose(evaluation.mean_features(game, theta)[1], means.features[1:], atol=1e-14)


@pytest.mark.parametrize("latent", ["sobol", "iid"])
def test_noise_of_weighted_draws(latent):
    """Covariances of simulated means are those over fresh samples; that of the features is the law's."""
    rng = np.random.default_rng(3)
    x = np.where(rng.random(300) < 0.2, rng.normal(0, 1, 300), rng.normal(4, 1, 300))
    fit = hg.GAN(x, hg.generators.NormalMixture(2), latent=latent, n_simulated=1024).fit()
    of = fit.equations
    found = of.parts(fit.solution.u)
    drawn = of.features(fit.sample(40_000, seed=1)[:, None])
    covariance = np.cov(drawn, rowvar=False)
    np.testing.assert_allclose(
        1024 * found.simulated_features, covariance, atol=(0.03 if latent == "sobol" else 0.1) * np.max(covariance)
    )
    if latent == "iid":
        noise = []
        for seed in range(200):
            other = dataclasses.replace(of, seed=seed + 1)
            noise.append(other.mean_features(fit.solution.u)[1])
        spread = np.var(noise, axis=0)
        assert np.median(np.diag(found.difference - found.real_features) / spread) == pytest.approx(1, abs=0.35)


def test_the_bulk_counts_weighted_draws():
    """A tenth of weight on one component is a tenth of the believed mean, though half of the draws are of it."""
    game, theta = game_of("mixture", "root")
    games = jax.tree.map(lambda leaf: np.asarray(leaf)[None], game)
    alpha = np.zeros((1, game.discriminator.size))
    found = bulks(games, theta[None], alpha, None)
    real, simulated = evaluation.mean_features(game, theta)
    np.testing.assert_allclose(found.difference[0], real - simulated, atol=1e-12)
