"""Simulators that jump: fitted with ``jumps=True``, refused without."""

import jax.numpy as jnp
import numpy as np
import pytest
from jax.scipy.stats import norm

import hellgan as hg
from hellgan.generators.smoothed import smoothing_of


@hg.generator(latent="uniform", latent_dim=2, jumps=True, p=hg.interval(0, 1), mu=hg.real(), sigma=hg.positive())
def hurdle(u, p, mu, sigma):
    return jnp.where(u[0] < p, 0.0, jnp.exp(mu + sigma * norm.ppf(u[1])))


def samples(count: int, n: int = 500, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return np.where(rng.random((count, n)) < 0.3, 0.0, np.exp(0.5 + 0.8 * rng.standard_normal((count, n))))


@pytest.fixture(scope="module")
def fit():
    return hg.GAN(samples(1)[0], hurdle, n_simulated=4096).fit()


def test_estimates_and_errors_are_those_of_the_law(fit):
    x = samples(1)[0]
    share, logs = np.mean(x == 0), np.log(x[x > 0])
    errors = {"p": np.sqrt(share * (1 - share) / 500), "mu": logs.std() / np.sqrt(len(logs))}
    errors["sigma"] = logs.std() / np.sqrt(2 * len(logs))
    likely = {"p": share, "mu": logs.mean(), "sigma": logs.std()}
    assert fit.converged
    for name, value in likely.items():
        assert abs(fit.params[name] - value) < errors[name]
        assert 0.8 < fit.bse[name] / errors[name] < 1.5


def test_the_solution_lies_where_draws_are(fit):
    where = fit.solution.smoothing
    towards = np.linalg.solve(where[:, 1:], fit.solution.theta - where[:, 0])
    assert np.linalg.norm(towards) < 1
    np.testing.assert_array_equal(smoothing_of(fit.equations.game.generator), where)
    assert smoothing_of(hg.GAN(samples(1)[0], hg.generators.Normal()).game().generator).size == 0


def test_every_draw_has_its_mirror_image(fit):
    first, second = np.split(fit.equations.game.z, 2)
    np.testing.assert_array_equal(first[:, :2], second[:, :2])
    np.testing.assert_allclose(first[:, 2:] + second[:, 2:], 1.0, rtol=1e-12)
    assert np.ptp(first[:, 2:]) > 0.9


def test_what_follows_from_a_fit(fit, tmp_path):
    np.testing.assert_allclose(fit.equations.jacobian(fit.solution.u), fit.solution.jacobian, atol=1e-10)
    refits = fit.bootstrap(12, seed=1)
    assert refits.n_failed == 0
    np.testing.assert_allclose(refits.params.std(), fit.bse, rtol=0.8)
    assert np.all(np.isfinite(fit.influence().observations.to_numpy()))
    profile, wald = fit.conf_int(cols=["p"], method="profile"), fit.conf_int(cols=["p"])
    np.testing.assert_allclose(profile, wald, atol=0.3 * fit.bse["p"])
    fit.save(tmp_path / "fit.npz")
    again = hg.load(tmp_path / "fit.npz", generator=hurdle)
    np.testing.assert_array_equal(again.solution.smoothing, fit.solution.smoothing)
    np.testing.assert_allclose(again.equations.scores(again.solution.u), fit.equations.scores(fit.solution.u))
    with pytest.raises(ValueError, match="this simulator jumps"):
        fit.mean()


def test_batches_and_reweighted_fits():
    x = samples(3, seed=5)
    x[:, :25] = 60.0
    model = hg.GAN(x[0], hurdle, n_simulated=4096)
    batch = hg.fit_batch(model, x)
    alone = model.on(x[1]).fit()
    np.testing.assert_allclose(batch.params.iloc[1], alone.params, rtol=1e-6)
    np.testing.assert_allclose(batch.bse.iloc[1], alone.bse, rtol=1e-5)
    again = hg.GAN(x[1], hurdle, n_simulated=4096, reweight=True).fit()
    assert again.converged
    for name, error in alone.bse.items():
        assert abs(again.params[name] - alone.params[name]) < 2 * error


def test_what_cannot_be_smoothed_is_refused():
    x = samples(1)[0]
    with pytest.raises(ValueError, match="Sobol"):
        hg.GAN(x, hurdle, latent="iid")
    with pytest.raises(ValueError, match="linear in its parameters"):
        hg.GAN(x, hurdle, hg.discriminators.MLP(4))
    with pytest.raises(ValueError, match="covariates cannot be smoothed"):
        hg.generator(jumps=True, covariates=1, a=hg.real())(lambda z, x, a: a * x + z)
    with pytest.raises(TypeError, match="jumps"):
        hg.generator(jumps=1, a=hg.real())  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize("limits", [{"tol": 0}, {"tol": "small"}, {"maxiter": 0}, {"maxiter": 2.5}])
def test_limits_are_checked(limits):
    with pytest.raises(ValueError, match=next(iter(limits))):
        hg.GAN(samples(1)[0] + 1, hg.generators.Gamma()).fit(**limits)


def test_limits_bound_the_search():
    model = hg.GAN(np.random.default_rng(1).gamma(2.0, size=200), hg.generators.Gamma())
    fit = model.fit()
    loose = model.fit(tol=1e-3)
    assert loose.converged
    assert loose.saddle.iterations < fit.saddle.iterations
    assert 1e-9 < loose.saddle.score_norm < 1e-3
    with pytest.warns(Warning, match="score norm"):
        short = model.fit({"a": 8.0, "scale": 9.0}, maxiter=1)
    assert short.saddle.iterations == 1
    assert not short.converged
