"""The sandwich, the delta method and the overidentification test: by hand, and by other people's code."""

import dataclasses
import warnings

import jax
import numpy as np
import pytest
from delicatessen import MEstimator
from scipy import stats
from tolerance import EXACT, assert_monte_carlo
from worlds import LOGISTIC_LOCATION, LOGISTIC_SCORE, LOSSES, game

import hellgan as hg
from hellgan import inference, latents, objective
from hellgan.balance import Balance
from hellgan.inference.overidentification import limit_weights
from hellgan.inference.tails import weighted_chi2_sf
from hellgan.objective import evaluation, linear
from hellgan.simulation import SCRAMBLES

scores = jax.jit(objective.scores)


def logistic_fit(loss: str | hg.Loss = "log", n=64, m=64, latent="iid", weights=None, seed=0):
    x = np.random.default_rng(11).logistic(size=n)
    return hg.GAN(
        x, LOGISTIC_LOCATION, LOGISTIC_SCORE, loss, latent=latent, n_simulated=m, weights=weights, seed=seed
    ).fit()


# Bread and meat.


def covariance_of_mean(rows, weights):
    with jax.enable_x64(True):
        return np.asarray(evaluation.covariances_of_means(lambda rows: [rows.T], np.asarray(weights), rows)[0])


def test_covariance_of_mean_by_hand():
    """Rows 0 and 2, equal weights: mean 1, deviations -1 and 1, sample variance 2, of the mean 1."""
    np.testing.assert_allclose(covariance_of_mean(np.array([[0.0], [2.0]]), np.array([0.5, 0.5])), [[1.0]], rtol=EXACT)


def test_covariance_of_mean_with_weights_by_hand():
    """Rows 0, 4 of weights 1/4, 3/4: mean 3; sum w^2 (row - mean)^2 = 9/16 + 9/16; over 1 - 10/16: 3."""
    got = covariance_of_mean(np.array([[0.0], [4.0]]), np.array([0.25, 0.75]))
    np.testing.assert_allclose(got, [[3.0]], rtol=EXACT)


def test_covariance_of_mean_is_that_of_numpy_and_ignores_weight_zero():
    rows = np.random.default_rng(1).normal(size=(9, 3))
    expected = np.cov(rows[:7], rowvar=False) / 7
    weights = np.array([1 / 7] * 7 + [0, 0])
    np.testing.assert_allclose(covariance_of_mean(rows, weights), expected, rtol=1e-10)


def test_covariance_of_mean_of_a_large_sample_far_from_zero(monkeypatch):
    """Gone through once, in blocks: means of 10^8 must not cost its digits, nor first rows that do not count."""
    monkeypatch.setattr(linear, "STORED", 8)
    monkeypatch.setattr(linear, "BLOCK", 4)
    rng = np.random.default_rng(2)
    rows, weights = 1e8 + rng.normal(size=(33, 2)), rng.uniform(size=33)
    for skipped in (0, 4):
        weights[:skipped] = 0
        w = weights / weights.sum()
        centred = w[:, None] * (rows - w @ rows)
        expected = centred.T @ centred / (1 - np.sum(w**2))
        np.testing.assert_allclose(covariance_of_mean(rows, w), expected, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("loss", LOSSES)
def test_sandwich_by_numpy(loss):
    """(2) assembled anew from the scores: both samples centred by their own mean, two solves, both samples in."""
    fit = logistic_fit(loss, n=64, m=48)
    g = fit.model.game()
    with jax.enable_x64(True):
        rows = scores(g, fit.saddle.theta, fit.saddle.alpha)
        h = np.asarray(jax.jit(objective.jacobian)(g, fit.saddle.theta, fit.saddle.alpha))
    real, simulated = np.asarray(rows.real)[:64], np.asarray(rows.simulated)[:48]
    inverse = np.linalg.inv(h)
    meat = np.cov(real, rowvar=False) + 64 / 48 * np.cov(simulated, rowvar=False)
    np.testing.assert_allclose(fit.bread(), -h, atol=1e-9)
    np.testing.assert_allclose(fit.meat(), meat, atol=1e-9)
    np.testing.assert_allclose(fit.joint_cov(), inverse @ meat @ inverse.T / 64, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("loss", ["log", "root", "log_ns"])
def test_sandwich_by_delicatessen(loss):
    """The same stacked scores in Delicatessen, its own derivatives and solves.

    It knows one sample: the n + m rows are stacked, each scaled by (n + m)/n or (n + m)/m. Its meat is not
    centred: the mean real score is estimated along with the rest and taken off. It divides by n, we by n - 1.
    """
    n = 64
    fit = logistic_fit(loss, n=n, m=n)
    x, z = fit.model.x, fit.model.game().z[: fit.n_simulated, 0]
    real_slope, fake_slope, generator_slope = _slopes(loss)
    is_real = np.repeat([1.0, 0.0], n)

    def psi(theta):
        point = np.concatenate([x, theta[0] + z])
        v = theta[1] + theta[2] * point + theta[3] * np.tanh(point / 2)
        v_x = theta[2] + theta[3] * (1 - np.tanh(point / 2) ** 2) / 2
        weight = is_real * real_slope(v) + (1 - is_real) * fake_slope(v)
        features = np.stack([np.ones(2 * n), point, np.tanh(point / 2)])
        score = np.vstack([(1 - is_real) * generator_slope(v) * v_x, weight * features])
        mean = np.asarray(theta[4:])[:, None]
        return 2 * np.vstack([score + (1 - 2 * is_real) * mean, is_real * (score - mean)])

    real = np.asarray(fit.estfun()).mean(axis=0)
    estimator = MEstimator(psi, init=np.concatenate([fit.saddle.theta, fit.saddle.alpha, real]))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        estimator.estimate(deriv_method="approx", tolerance=1e-12)
    np.testing.assert_allclose(np.asarray(estimator.theta)[0], fit.params.loc["loc"], atol=1e-7)
    np.testing.assert_allclose(
        np.asarray(estimator.variance)[0, 0] * n / (n - 1), fit.bse.loc["loc"] ** 2, rtol=1e-4
    )  # its forward differences


def _slopes(loss):
    """real', fake' and the generator's slope, written out in NumPy."""

    def expit(v):
        return 1 / (1 + np.exp(-v))

    if loss == "root":
        return (
            lambda v: expit(2 * v) ** 0.5 * expit(-2 * v),
            lambda v: -(expit(-2 * v) ** 0.5) * expit(2 * v),
            lambda v: -(expit(-2 * v) ** 0.5) * expit(2 * v),
        )
    generator = (lambda v: -expit(v)) if loss == "log" else (lambda v: -expit(-v))
    return lambda v: expit(-v), lambda v: -expit(v), generator


def test_scores_centred_each_by_its_own_sample():
    """The uncentred meat leaves theta alone but puts a spurious variance of about (2 c)^2/n on the intercept."""
    fit = logistic_fit(n=64, m=64)
    g = fit.model.game()
    with jax.enable_x64(True):
        real = np.asarray(scores(g, fit.saddle.theta, fit.saddle.alpha).real)
    mean = real.mean(axis=0)
    assert np.abs(mean[1]) > 0.4  # log: real'(0) = 1/2 on the intercept; so that centring is seen below
    meat = fit.require_law().meat_real
    uncentred = meat + np.outer(mean, mean)
    assert np.abs(uncentred - np.cov(real, rowvar=False))[1, 1] > 0.1
    np.testing.assert_allclose(meat, np.cov(real, rowvar=False), atol=1e-10)


def test_simulation_noise_of_sobol_points():
    """R, from digital shifts of one scramble, is on average the variance of the mean score over whole scrambles."""
    fit = logistic_fit(latent="sobol", m=64, n=64)
    g, mean = fit.model.game(), jax.jit(objective.simulated_means)

    def means(seed, samples):
        draws = latents.draw("sobol", g.generator.law, 64, 1, seed, samples)
        with jax.enable_x64(True):
            return np.array([mean(g, fit.saddle.theta, fit.saddle.alpha, z).score for z in draws])

    within = np.mean([means(1000 + s, 9)[1:].var(axis=0, ddof=1) for s in range(100)], axis=0)
    whole = np.array([means(5000 + s, 1)[0] for s in range(800)])
    # Theta and the two features; the relative error of either variance is about .1 (heavy tails included).
    np.testing.assert_allclose(within[[0, 2, 3]], whole.var(axis=0, ddof=1)[[0, 2, 3]], rtol=0.5)
    with jax.enable_x64(True):
        rows = np.asarray(scores(g, fit.saddle.theta, fit.saddle.alpha).simulated)
    assert np.all(within[2:] < 0.1 * rows.var(axis=0)[2:] / 64)
    # Beside the real sample's noise it hardly matters here, so that the first samples are enough.
    shifted = means(0, 1 + evaluation.FIRST)[1:]
    np.testing.assert_allclose(fit.require_law().meat_simulated, 64 * np.cov(shifted, rowvar=False), atol=1e-13)


def test_simulation_noise_that_matters_is_measured_by_all_samples():
    """Two Sobol points only: the simulation noise is as large as the data's."""
    fit = logistic_fit(latent="sobol", m=2, n=64)
    g, mean = fit.model.game(), jax.jit(objective.simulated_means)
    with jax.enable_x64(True):
        means = np.array(
            [mean(g, fit.saddle.theta, fit.saddle.alpha, z).score for z in fit.model.simulation.scrambles()]
        )
    assert len(means) == SCRAMBLES
    np.testing.assert_allclose(fit.require_law().meat_simulated, 64 * np.cov(means, rowvar=False), rtol=1e-9)


def test_more_simulations_less_variance():
    """The simulation part of (2) goes as n/m; kills an inverted or dropped ratio."""
    few, many = (logistic_fit(n=64, m=m).require_law() for m in (64, 6400))
    ratio = np.diag(few.meat_simulated)[2:] / np.diag(many.meat_simulated)[2:]
    np.testing.assert_allclose(ratio, 100, rtol=0.3)


def test_hidden_layer_is_refused_with_the_reason():
    model = hg.GAN(np.random.default_rng(0).normal(size=40), hg.generators.Normal(), hg.discriminators.MLP((4,)))
    solution = dataclasses.replace(logistic_fit().saddle, theta=np.zeros(2))
    law = inference.law(model.equations(), solution)
    assert law.sandwich is None
    with pytest.raises(ValueError, match="hidden layer is not identified"):
        hg.GANResults(model, solution, law).require_law()


@hg.generator(latent="normal", loc=hg.real(), idle=hg.positive())
def with_idle_parameter(z, loc, idle):
    return loc + z + 0.0 * idle


@hg.generator(latent="normal", left=hg.real(), right=hg.real())
def with_confounded_parameters(z, left, right):
    return left + right + z


@pytest.mark.parametrize(("generator", "named"), [(with_idle_parameter, "idle"), (with_confounded_parameters, "right")])
def test_unidentified_parameters_are_named(generator, named):
    """No errors are made up for what the data cannot tell: NaN, and the parameters by name."""
    x = np.random.default_rng(0).normal(2, 1, 64)
    model = hg.GAN(x, generator, hg.discriminators.Sigmoids(8), n_simulated=256)
    start = {name: 1.0 for name in generator.parameters}
    with pytest.warns(UserWarning, match="GAN"):
        fit = model.fit(start=start)
    assert not fit.converged
    assert np.all(np.isnan(fit.bse))
    assert named in fit.trouble


# The delta method and intervals.


def test_delta_method_by_hand():
    """With scale = exp(theta_2), its standard error is scale times that of theta_2; loc's is theta_1's own."""
    x = np.random.default_rng(3).normal(1, 2, 64)
    fit = hg.GAN(x, hg.generators.Normal(), hg.discriminators.Sigmoids(8), n_simulated=256).fit()
    free = np.sqrt(np.diag(fit.require_law().cov))[:2]
    np.testing.assert_allclose(fit.bse, [free[0], fit.params["scale"] * free[1]], rtol=1e-10)
    low, high = fit.conf_int(0.1).loc["scale"]
    half = stats.norm.ppf(0.95) * free[1]
    np.testing.assert_allclose([low, high], np.exp(fit.saddle.theta[1] + half * np.array([-1, 1])), rtol=1e-10)


def test_weights_of_components_that_do_not_overlap_have_the_errors_of_counts():
    rng = np.random.default_rng(0)
    x = np.where(rng.random(500) < 0.3, rng.normal(0, 1, 500), rng.normal(40, 1, 500))
    fit = hg.GAN(x, hg.generators.NormalMixture(2)).fit()
    share = np.mean(x < 20)
    np.testing.assert_allclose(fit.params["weight_1"], share, atol=0.002)
    np.testing.assert_allclose(fit.bse["weight_1"], np.sqrt(share * (1 - share) / 500), rtol=0.03)
    np.testing.assert_allclose(fit.bse["loc_1"], 1 / np.sqrt(500 * share), rtol=0.25)


def test_intervals_stay_inside_the_space():
    @hg.generator(latent="uniform", a=hg.positive(), b=hg.interval(-1, 1), c=hg.simplex(2))
    def generator(u, a, b, c):
        return a + b + c[0] * u

    rows = inference.intervals(
        generator.element_spaces, np.array([0.1, 0.95, 0.02, 0.98]), np.array([0.5, 0.5, 0.2, 0.2]), 1.96
    )
    assert np.all(rows[:, 0] > [0, -1, 0, 0])
    assert np.all(rows[:, 1] < [np.inf, 1, 1, 1])


# The overidentification test.


def test_weighted_chi2_against_chi2():
    for df in (1, 3, 14):
        x = stats.chi2.ppf([0.1, 0.5, 0.95, 0.999], df)
        got = [weighted_chi2_sf(np.full(df, 2.5), 2.5 * value) for value in x]
        np.testing.assert_allclose(got, [0.9, 0.5, 0.05, 0.001], rtol=1e-8)


def test_weighted_chi2_against_closed_form():
    """Weights in pairs: the sum is of exponentials 2 a E, with tail sum of e^(-x/2a) a/(a - b) terms."""
    a, b, x = 1.0, 0.4, np.array([0.5, 3.0, 9.0, 20.0])
    expected = (a * np.exp(-x / (2 * a)) - b * np.exp(-x / (2 * b))) / (a - b)
    got = [weighted_chi2_sf(np.array([a, a, b, b]), value) for value in x]
    np.testing.assert_allclose(got, expected, rtol=1e-6)


def test_weighted_chi2_against_simulation():
    weights = np.array([1.3, 1.0, 0.6, 0.2])
    draws = np.random.default_rng(5).chisquare(1, (400_000, 4)) @ weights
    for level in (0.5, 0.05):
        x = np.quantile(draws, 1 - level)
        assert_monte_carlo(
            weighted_chi2_sf(weights, x), level, np.sqrt(level * (1 - level) / 400_000), resolution=0.005
        )


def test_limit_law_is_chi_square_without_ridge():
    """All weights are 1, q - p of them: P' C^-1 P against C."""
    rng = np.random.default_rng(6)
    root, slope = rng.normal(size=(6, 6)), rng.normal(size=(6, 2))
    covariance = root @ root.T
    for loss in (hg.losses.log, hg.losses.root, hg.losses.least_squares):
        weights = limit_weights(loss.c, loss.chi2_factor, Balance(covariance, covariance, 1.0, slope, np.zeros(6)))
        np.testing.assert_allclose(weights, [1, 1, 1, 1, 0, 0], atol=1e-9)


def test_limit_law_with_ridge_is_that_of_the_quadratic_game():
    """With a ridge: simulate delta, solve the quadratic game max over alpha, min over theta, compare the mean value."""
    rng = np.random.default_rng(7)
    root, slope = rng.normal(size=(5, 5)), rng.normal(size=(5, 2))
    covariance, ridge, c = root @ root.T, np.full(5, 0.7), 0.5
    factor = 2 / c
    weights = limit_weights(c, factor, Balance(covariance, covariance, 1.0, slope, ridge))
    inverse = np.linalg.inv(c * covariance + 2 * np.diag(ridge))
    total = 0.0
    draws = rng.multivariate_normal(np.zeros(5), covariance, 20_000)
    # theta minimises the penalised value c^2/2 (d - J t)' K (d - J t); alpha = c K (d - J t) maximises it.
    fitted = np.linalg.solve(slope.T @ inverse @ slope, slope.T @ inverse @ draws.T)
    rest = draws.T - slope @ fitted
    alpha = c * inverse @ rest
    values = factor * (c * np.sum(alpha * rest, axis=0) - c / 2 * np.sum(alpha * (covariance @ alpha), axis=0))
    total = values.mean()
    assert_monte_carlo(total, weights.sum(), values.std() / np.sqrt(len(values)), resolution=0.15 * weights.sum())
    assert_monte_carlo(values.var(), 2 * np.sum(weights**2), 0.03 * values.var(), resolution=0.3 * values.var())


def test_statistic_by_hand():
    """(4) for independent latents: 4A/c^2 nm/(n + m) (V - V_0), here 4 * 64*48/112 (V + log 4) for the log loss."""
    fit = logistic_fit("log", n=64, m=48)
    test = fit.overidentification_test()
    v = fit.log_ratio(fit.model.x), fit.log_ratio(fit.params["loc"] + fit.model.game().z[: fit.n_simulated, 0])
    value = -np.mean(np.log1p(np.exp(-v[0]))) - np.mean(np.log1p(np.exp(v[1])))
    np.testing.assert_allclose(test.statistic, 4 * 64 * 48 / 112 * (value + np.log(4)), rtol=1e-9)
    assert test.df == 1
    np.testing.assert_allclose(test.pvalue, stats.chi2.sf(test.statistic, 1), rtol=1e-9)
    np.testing.assert_allclose(test.weights, [1.0], atol=1e-9)


def test_sobol_statistic_has_the_sample_size_only():
    fit = logistic_fit("log", n=64, m=64, latent="sobol")
    test = fit.overidentification_test()
    np.testing.assert_allclose(test.statistic, 4 * 64 * (fit.saddle.value + np.log(4)), rtol=1e-9)
    assert np.all(test.weights >= 1 - 1e-9)  # C + n R against C


def test_overidentification_refusals():
    x = np.random.default_rng(0).normal(size=40)
    exact = hg.GAN(
        x, hg.generators.Normal().fix(scale=1.0), hg.discriminators.Features(_identity), n_simulated=64
    ).fit()
    with pytest.raises(ValueError, match="leave nothing to test"):
        exact.overidentification_test()
    quadratic = hg.Loss(lambda v: v - v**2 / 2, lambda v: -v - v**2 / 2)
    fit = logistic_fit(quadratic)
    with pytest.raises(ValueError, match="not the log density ratio"):
        fit.overidentification_test()


def _identity(x):
    return x


def test_worlds_are_what_they_say():
    assert game("log", "logistic").p == 1
    assert game("log", "curved").p == 3
