"""Functionals of the fitted law: their values and standard errors against closed forms, and what is refused."""

import dataclasses
from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest
from compiled import compilations
from matplotlib.axes import Axes
from scipy import optimize, stats
from tolerance import EXACT

import hellgan as hg
from hellgan.cautions import SimulationWarning
from hellgan.generators import (
    AlphaStable,
    Cauchy,
    Exponential,
    Gamma,
    GAndK,
    LinearRegression,
    LogNormal,
    MultivariateNormal,
    Normal,
    Weibull,
)
from hellgan.inference import Covariance, JointLaw
from hellgan.inference.functionals import law as functionals
from hellgan.inference.functionals import line
from hellgan.parameters import natural_scale

NEWCOMB = hg.datasets.load_newcomb()
LEVELS = np.array([0.001, 0.05, 0.3, 0.5, 0.9, 0.999])

# Central differences of closed forms by steps of 1e-4.
DIFFERENCE = 1e-6


@pytest.fixture(scope="module")
def newcomb():
    return hg.GAN(NEWCOMB, Normal()).fit()


@pytest.fixture(scope="module")
def at(newcomb):
    """Make a result at given parameters with a given covariance of theta: nothing needs to be solved."""

    def make(generator, data=None, cov=None, weights=None, **natural):
        rng = np.random.default_rng(0)
        data = rng.gamma(2.0, size=100) if data is None else data
        model = hg.GAN(data, generator, weights=weights)
        theta = model.generator.theta(**natural)
        if cov is None:
            half = rng.normal(size=(len(theta), len(theta)))
            cov = 1e-4 * (half @ half.T + np.eye(len(theta)))
        values, slope = natural_scale(model.generator, theta)
        law = JointLaw(None, values, slope, "")
        covariance = Covariance("sandwich", "", slope @ cov @ slope.T, cov, None)
        return hg.GANResults(model, dataclasses.replace(newcomb.saddle, theta=theta), law, covariance)

    return make


def slopes(function, theta, step=1e-4):
    """Differentiate (k,) numbers in theta by central differences: (k, p)."""
    moves = step * np.eye(len(theta))
    return np.stack([(function(theta + move) - function(theta - move)) / (2 * step) for move in moves], axis=1)


# The exact path: a generator monotone in one latent number.


def test_normal_quantiles_by_hand(newcomb):
    """By hand: q = loc + scale z_p, of variance g' cov g with g = (1, z_p)."""
    found = newcomb.quantile(LEVELS)
    z = stats.norm.ppf(LEVELS)
    g = np.column_stack([np.ones_like(z), z])
    loc, scale = newcomb.params
    np.testing.assert_allclose(found.params, loc + scale * z, rtol=EXACT)
    np.testing.assert_allclose(found.cov_params(), g @ newcomb.cov_params() @ g.T, rtol=1e-10)
    np.testing.assert_array_equal(found.simulation_error, 0)
    assert list(found.params.index) == ["q0.001", "q0.05", "q0.3", "q0.5", "q0.9", "q0.999"]
    assert found.bse["q0.5"] == pytest.approx(newcomb.bse["loc"], rel=1e-10)


def test_normal_probabilities_by_hand(newcomb):
    """By hand: dF(t) = -phi(s) (1, s) / scale, s = (t - loc) / scale."""
    t = np.array([-1000.0, -10.0, 20.0, 27.0, 35.0, 60.0, 1000.0])
    found = newcomb.cdf(t)
    loc, scale = newcomb.params
    s = (t - loc) / scale
    g = -stats.norm.pdf(s)[:, None] * np.column_stack([np.ones_like(s), s]) / scale
    np.testing.assert_allclose(found.params, stats.norm.cdf(s), rtol=1e-9, atol=1e-15)
    np.testing.assert_allclose(found.cov_params(), g @ newcomb.cov_params() @ g.T, rtol=1e-6, atol=1e-20)
    for method in ("wald", "sup-t"):
        interval = found.conf_int(method=method)
        inside = interval.iloc[2:5].to_numpy()
        assert np.all((inside > 0) & (inside < 1))
        assert interval.iloc[[0, -1]].isna().all(axis=None)  # 0 and 1 have no interval, and spoil no other's


def test_g_and_k_quantiles_are_its_quantile_function(at):
    result = at(GAndK(), a=1.0, b=2.0, g=0.5, k=0.1)
    found = result.quantile(LEVELS)
    z = stats.norm.ppf(LEVELS)

    def exact(theta):
        a, b, g, k = theta[0], np.exp(theta[1]), theta[2], np.exp(theta[3]) - 0.5
        return a + b * (1 + 0.8 * np.tanh(g * z / 2)) * (1 + z * z) ** k * z

    theta = result.saddle.theta
    np.testing.assert_allclose(found.params, exact(theta), rtol=EXACT)
    g = slopes(exact, theta)
    np.testing.assert_allclose(found.gradient, g, rtol=DIFFERENCE, atol=DIFFERENCE)
    np.testing.assert_allclose(found.bse**2, np.diag(g @ result.covariance.theta @ g.T), rtol=1e-5)
    np.testing.assert_allclose(result.cdf(found.params).params, LEVELS, rtol=1e-9)


@pytest.mark.slow
def test_mixture_probabilities_against_scipy(at):
    natural = {"weight": [0.3, 0.7], "loc": [-1.0, 2.0], "scale": [0.5, 1.5]}
    generator = hg.generators.NormalMixture(2)
    result = at(generator, **natural)
    t = np.array([-2.0, -1.0, 0.5, 2.0, 5.0])

    def exact(theta):
        with jax.enable_x64(True):
            of = {name: np.asarray(value) for name, value in generator.natural(jnp.asarray(theta)).items()}
        return stats.norm.cdf((t[:, None] - of["loc"]) / of["scale"]) @ of["weight"]

    found = result.cdf(t)
    np.testing.assert_allclose(found.params, exact(result.saddle.theta), rtol=1e-9)
    np.testing.assert_allclose(found.gradient, slopes(exact, result.saddle.theta), atol=DIFFERENCE)


@hg.generator(latent="uniform", rate=hg.positive())
def falling(u, rate):
    """An exponential law by a decreasing function of its uniform number."""
    return -jnp.log(u) / rate


def test_a_decreasing_generator_and_the_end_of_its_support(at):
    result = at(falling, cov=np.array([[0.01]]), rate=2.0)
    quantiles, probabilities = result.quantile([0.1, 0.9]), result.cdf([-1.0, 0.25, 3.0])
    np.testing.assert_allclose(quantiles.params, -np.log([0.9, 0.1]) / 2, rtol=1e-10)
    np.testing.assert_allclose(quantiles.bse, 0.1 * quantiles.params, rtol=1e-10)
    np.testing.assert_allclose(probabilities.params, [0, 1 - np.exp(-0.5), 1 - np.exp(-6.0)], rtol=1e-9)
    np.testing.assert_allclose(probabilities.bse, [0, 0.05 * np.exp(-0.5), 0.6 * np.exp(-6.0)], rtol=1e-6)


# The path over points.


@hg.generator(latent="uniform", latent_dim=2, a=hg.positive(), b=hg.positive())
def trapezoid(u, a, b):
    """The sum of two uniform numbers of different ranges."""
    return a * u[0] + b * u[1]


def trapezoid_cdf(t, a, b):
    def square(x):
        return np.maximum(x, 0) ** 2

    return (square(t) - square(t - a) - square(t - b) + square(t - a - b)) / (2 * a * b)


def test_the_windowed_path(at):
    """Quantiles' derivatives within 2 %, probabilities' within 3 %; the levels lie off the density's two kinks."""
    result = at(trapezoid, cov=1e-3 * np.eye(2), a=1.0, b=0.5)
    levels = np.array([0.01, 0.1, 0.4, 0.6, 0.85, 0.99])

    def quantiles(theta):
        a, b = np.exp(theta)

        def quantile(level):
            return optimize.brentq(lambda t: trapezoid_cdf(t, a, b) - level, 0, a + b, xtol=1e-14)

        return np.array([quantile(level) for level in levels])

    theta = result.saddle.theta
    found = result.quantile(levels)
    np.testing.assert_allclose(found.params, quantiles(theta), atol=1e-3)
    assert np.all(np.abs(found.params - quantiles(theta)) < 6 * found.simulation_error + 1e-6)
    assert np.all(found.simulation_error[1:-1] < 0.05 * found.bse.iloc[1:-1])
    np.testing.assert_allclose(found.gradient, slopes(quantiles, theta), rtol=0.02)

    t = quantiles(theta)
    probabilities = result.cdf(t)
    np.testing.assert_allclose(probabilities.params, levels, atol=5e-4)
    wanted = slopes(lambda theta: trapezoid_cdf(t, *np.exp(theta)), theta)
    np.testing.assert_allclose(probabilities.gradient, wanted, rtol=0.03)

    outside = result.cdf([-1.0, 2.0])
    assert outside.params.tolist() == [0, 1]
    assert outside.bse.tolist() == [0, 0]


def test_the_windowed_path_over_draws(at):
    """By the first sample, less its own error: at the estimate itself nothing is left of that."""
    result = at(trapezoid, a=1.0, b=0.5)
    others = SimpleNamespace(theta=np.stack([result.saddle.theta, np.log([2.0, 1.0])]))
    quantiles, probabilities = result.quantile([0.2, 0.7]), result.cdf([0.5, 1.2])
    np.testing.assert_allclose(quantiles.draws(others).iloc[0], quantiles.params, rtol=EXACT)
    np.testing.assert_allclose(probabilities.draws(others).iloc[0], probabilities.params, rtol=EXACT)
    np.testing.assert_allclose(quantiles.draws(others).iloc[1], 2 * quantiles.params, atol=1e-3)
    np.testing.assert_allclose(
        probabilities.draws(others).iloc[1], trapezoid_cdf(np.array([0.5, 1.2]), 2, 1), atol=1e-3
    )


@pytest.mark.slow
def test_stable_law_against_scipy(at):
    """The Cauchy law, alpha = 1, seen by two latent numbers."""
    result = at(AlphaStable("S0").fix(alpha=1.0, beta=0.0), scale=2.0, loc=1.0)
    found = result.quantile([0.1, 0.4, 0.75])
    z = stats.cauchy.ppf([0.1, 0.4, 0.75])
    np.testing.assert_allclose(found.params, 1 + 2 * z, atol=5e-3)
    np.testing.assert_allclose(found.gradient, np.column_stack([2 * z, np.ones(3)]), atol=0.02)


# Expectations.


def test_normal_mean(newcomb):
    found = newcomb.mean()
    assert list(found.params.index) == ["mean"]
    assert abs(found.params["mean"] - newcomb.params["loc"]) < 1e-3 * newcomb.bse["loc"]
    assert found.bse["mean"] == pytest.approx(newcomb.bse["loc"], rel=1e-5)
    assert found.simulation_error[0] < 1e-3 * found.bse["mean"]


def test_gamma_mean_and_second_moment(at):
    """Of a x scale: dlog = (1, 1) in theta. Of a (a + 1) scale^2: dlog = (1 + a / (a + 1), 2)."""
    result = at(Gamma(), a=3.0, scale=0.5)
    found = result.functional(lambda x: jnp.stack([x, x**2]), ["first", "second"])
    assert np.all(np.abs(found.params - [1.5, 3.0]) < 5 * found.simulation_error)
    wanted = np.array([[1.5, 1.5], [3 * 1.75, 6.0]])
    # of 2^k Sobol points: the simulated mean of x^2 is off by about 1e-4 of it
    np.testing.assert_allclose(found.gradient, wanted, rtol=3e-4)
    np.testing.assert_allclose(found.cov_params(), wanted @ result.covariance.theta @ wanted.T, rtol=1e-3)
    assert np.all(found.simulation_error < 0.01 * found.bse)
    assert found.wald_test("second - 2 * first = 0").pvalue > 0.99
    mean = result.mean()
    assert mean.params["mean"] == pytest.approx(1.5, rel=1e-4)
    assert mean.spaces[0].kind == "positive"
    assert np.all(mean.conf_int().to_numpy() > 0)


def test_multivariate_mean(at):
    data = hg.datasets.load_stars_cyg()
    cov = np.diag([4.0, 1.0, 1.0, 1.0, 1.0]) * 1e-4
    result = at(MultivariateNormal(2), data, cov, loc=[4.0, 5.0], scale=[0.2, 0.5], corr=[0.6])
    found = result.mean()
    assert list(found.params.index) == list(data.columns)
    np.testing.assert_allclose(found.params, [4, 5], atol=1e-4)
    np.testing.assert_allclose(found.bse, [0.02, 0.01], rtol=1e-3)
    product = result.functional(lambda x: x[0] * x[1])
    assert product.params["functional"] == pytest.approx(20 + 0.6 * 0.1, rel=1e-4)
    unnamed = at(MultivariateNormal(2), data.to_numpy(), cov, loc=[4.0, 5.0], scale=[0.2, 0.5], corr=[0.6])
    assert list(unnamed.mean().params.index) == ["x1", "x2"]


def test_covariance_and_correlation_matrices(at):
    """Of a normal law: products of scales and correlations, with the delta method's errors."""
    data = hg.datasets.load_stars_cyg()
    cov = np.diag([4.0, 1.0, 2.0, 3.0, 1.0]) * 1e-4
    result = at(MultivariateNormal(2), data, cov, loc=[4.0, 5.0], scale=[0.2, 0.5], corr=[0.6])
    found, a, b = result.covariance_matrix(), *data.columns
    assert list(found.params.index) == [f"cov[{a}, {a}]", f"cov[{b}, {a}]", f"cov[{b}, {b}]"]
    assert list(found.matrix.index) == list(found.matrix.columns) == [a, b]
    assert np.all(np.abs(found.params - [0.04, 0.06, 0.25]) < 5 * found.simulation_error)
    np.testing.assert_array_equal(np.asarray(found), found.matrix)
    assert found.matrix.loc[a, b] == found.params[f"cov[{b}, {a}]"]
    # d log variance = 2 d log scale, and scales are estimated by their logarithms
    np.testing.assert_allclose(found.bse.iloc[[0, 2]], [0.04 * 2 * np.sqrt(2e-4), 0.25 * 2 * np.sqrt(3e-4)], rtol=1e-3)
    assert found.conf_int().loc[f"cov[{a}, {a}]", "lower"] > 0
    correlation = result.correlation_matrix()
    assert list(correlation.params.index) == [f"corr[{b}, {a}]"]
    np.testing.assert_allclose(correlation.matrix, [[1, 0.6], [0.6, 1]], atol=1e-4)
    assert correlation.bse.iloc[0] == pytest.approx(result.bse["corr_12"], rel=1e-3)
    assert correlation.conf_int().to_numpy().ravel() == pytest.approx(result.conf_int().loc["corr_12"], abs=1e-3)
    assert "corr of <GAN MultivariateNormal" in repr(correlation)


def test_matrices_over_a_bootstrap(at):
    result = at(MultivariateNormal(2), hg.datasets.load_stars_cyg(), loc=[4.0, 5.0], scale=[0.2, 0.5], corr=[0.6])
    theta = np.tile(result.solution.theta, (3, 1))
    theta[1, 2] += np.log(2)
    found = result.covariance_matrix()
    drawn = found.draws(SimpleNamespace(theta=theta)).to_numpy()
    np.testing.assert_allclose(drawn[1] / drawn[0], [4, 2, 1], rtol=1e-3)  # less the first sample's own error
    np.testing.assert_allclose(drawn[0], found.params, rtol=1e-12)


def test_mahalanobis(at):
    data = hg.datasets.load_stars_cyg()
    result = at(MultivariateNormal(2), data, loc=[4.0, 5.0], scale=[0.2, 0.5], corr=[0.0])
    wanted = np.hypot((data.iloc[:, 0] - 4) / 0.2, (data.iloc[:, 1] - 5) / 0.5)
    np.testing.assert_allclose(result.mahalanobis(), wanted, rtol=1e-3)
    framed = result.mahalanobis(data.iloc[3:5])
    assert list(framed.index) == list(data.index[3:5])
    np.testing.assert_allclose(framed, wanted.iloc[3:5], rtol=1e-3)
    with pytest.raises(ValueError, match="points: shape"):
        result.mahalanobis(np.ones((2, 3)))


@pytest.mark.parametrize("method", ["covariance_matrix", "correlation_matrix", "mahalanobis"])
def test_matrices_are_of_several_dimensions(newcomb, method):
    with pytest.raises(ValueError, match="it is of laws in several dimensions, and this one has one dimension"):
        getattr(newcomb, method)()


@pytest.mark.parametrize("weighted", [False, True])
def test_regression_mean(at, weighted):
    """By hand: the location at the covariates' weighted mean, and its derivative."""
    rng = np.random.default_rng(1)
    data = pd.DataFrame({"x": rng.exponential(size=60), "y": rng.normal(size=60)})
    weights = rng.uniform(0, 2, 60) if weighted else None
    result = at(LinearRegression(), data, weights=weights, Intercept=1.0, x=2.0, scale=0.5)
    centre = np.average(data["x"], weights=weights)
    found = result.mean()
    assert list(found.params.index) == ["y"]
    assert found.params["y"] == pytest.approx(1 + 2 * centre, abs=1e-4)
    np.testing.assert_allclose(found.gradient, [[1, centre, 0]], atol=1e-3)
    other = result.functional(lambda row: (row[1] - 1 - 2 * row[0]) ** 2, "spread")
    assert other.params["spread"] == pytest.approx(0.25, rel=1e-3)
    of_covariates = result.functional(lambda row: row[0])  # given, not simulated: it varies, and not with theta
    assert of_covariates.params["functional"] == pytest.approx(centre, rel=1e-12)
    assert of_covariates.bse["functional"] == 0
    assert of_covariates.conf_int().isna().all(axis=None)


def test_simulation_error_is_honest(newcomb, monkeypatch):
    """The value of other seeds scatters as the error says: within a factor of 3, by 12 of them."""
    values, errors = [], []
    for seed in range(12):
        monkeypatch.setattr(functionals, "_seed", lambda model, seed=seed: 100 + seed)
        found = newcomb.functional(jnp.square)
        values.append(found.params.iloc[0])
        errors.append(found.simulation_error[0])
    ratio = np.std(values, ddof=1) / np.sqrt(np.mean(np.square(errors)))
    assert 1 / 3 < ratio < 3


def test_an_infinite_mean_is_told(at):
    result = at(Cauchy(), cov=1e-4 * np.eye(2), loc=0.0, scale=1.0)
    with pytest.warns(SimulationWarning, match=r"^functional: the simulation's own error .* may even be infinite\.$"):
        result.functional(jnp.abs)
    with pytest.warns(SimulationWarning, match=r"^mean: the fitted law has none that is finite; use quantiles"):
        assert np.isnan(result.mean().params["mean"])


# Intervals.


def test_simultaneous_band_is_wider(newcomb):
    for found in (newcomb.quantile(LEVELS), newcomb.cdf([20.0, 27.0, 30.0])):
        wald, band = found.conf_int().to_numpy(), found.conf_int(method="sup-t").to_numpy()
        assert np.all(band[:, 0] < wald[:, 0])
        assert np.all(band[:, 1] > wald[:, 1])
        one = found.conf_int(cols=[1], method="sup-t").to_numpy()
        np.testing.assert_allclose(one, wald[[1]], atol=0.01 * np.ptp(wald[1]))


@pytest.mark.parametrize(
    ("generator", "natural"),
    [
        (Exponential(), {"scale": 2.0}),
        (Gamma(), {"a": 2.0, "scale": 1.0}),
        (LogNormal(), {"s": 1.0, "scale": 1.0}),
        (Weibull(), {"c": 1.5, "scale": 1.0}),
        (Gamma().fix(a=2.0), {"scale": 1.0}),
    ],
    ids=lambda part: getattr(part, "name", ""),
)
def test_quantiles_of_positive_families_are_positive(at, generator, natural):
    """Intervals are symmetric about the estimate by logs."""
    found = at(generator, **natural).quantile([0.01, 0.5])
    assert [space.kind for space in found.spaces] == ["positive"] * 2
    ends = found.conf_int(0.1).to_numpy()
    np.testing.assert_allclose(np.sqrt(ends.prod(axis=1)), found.params, rtol=1e-9)
    half = stats.norm.ppf(0.95) * found.bse / found.params
    np.testing.assert_allclose(np.log(ends[:, 1] / found.params), half, rtol=1e-9)


def test_percentile_intervals(newcomb):
    """Of a quantile, monotone in loc at a fixed scale: the functional of the percentiles of theta."""
    rng = np.random.default_rng(2)
    theta = np.column_stack([rng.normal(27, 1, 401), np.full(401, np.log(5.0))])
    failed = np.array([[np.nan, 1.0], [np.nan, np.nan]])
    bootstrap = SimpleNamespace(theta=np.concatenate([theta, failed]))
    ends = np.quantile(theta[:, 0], [0.05, 0.95])
    z = stats.norm.ppf([0.2, 0.9])[:, None]
    quantiles, probabilities = newcomb.quantile([0.2, 0.9]), newcomb.cdf([25.0])
    interval = quantiles.conf_int(0.1, method="percentile", bootstrap=bootstrap)
    np.testing.assert_allclose(interval, ends + 5 * z, rtol=1e-10)
    np.testing.assert_allclose(
        probabilities.conf_int(0.1, method="percentile", bootstrap=bootstrap),
        stats.norm.cdf((25 - ends[None, ::-1]) / 5),
        rtol=1e-9,
    )
    mean = newcomb.mean().conf_int(0.1, method="percentile", bootstrap=bootstrap)
    np.testing.assert_allclose(mean, ends[None], atol=1e-3)
    assert quantiles.draws(bootstrap).shape == (401, 2)
    assert quantiles.draws(bootstrap).std().iloc[0] == pytest.approx(theta[:, 0].std(ddof=1), rel=1e-9)


def test_without_a_covariance(at):
    result = at(Normal(), cov=np.full((2, 2), np.nan), loc=1.0, scale=2.0)
    bootstrap = SimpleNamespace(theta=np.array([[0.0, 0.0], [1.0, 0.0], [2.0, 0.0]]))
    for found in (result.quantile([0.5, 0.9]), result.cdf([0.0]), result.mean(), result.functional(jnp.abs)):
        assert found.params.notna().all()
        assert found.bse.isna().all()
        for method in ("wald", "sup-t"):
            assert found.conf_int(method=method).isna().all(axis=None)
        assert found.tidy()["std_error"].isna().all()
        assert found.conf_int(method="percentile", bootstrap=bootstrap).notna().all(axis=None)
    with pytest.raises(ValueError, match=r"no covariance, since .*\.$"):
        found.wald_test("functional = 1")


def test_tests_of_hypotheses(newcomb):
    test = newcomb.quantile([0.25, 0.75]).t_test("q0.75 - q0.25 = 7")
    width = stats.norm.ppf(0.75) - stats.norm.ppf(0.25)
    assert np.squeeze(test.effect) == pytest.approx(width * newcomb.params["scale"], rel=1e-10)
    assert np.squeeze(test.sd) == pytest.approx(width * newcomb.bse["scale"], rel=1e-8)
    assert newcomb.quantile(0.5).tidy()["term"].tolist() == ["q0.5"]


def test_another_covariance_is_followed(newcomb):
    found = newcomb.with_cov("HC1").quantile([0.5])
    ratio = newcomb.with_cov("HC1").bse["loc"] / newcomb.bse["loc"]
    assert found.bse["q0.5"] / newcomb.quantile([0.5]).bse["q0.5"] == pytest.approx(ratio, rel=1e-10)
    assert ratio > 1


# What is refused.


@pytest.mark.parametrize(
    ("ask", "message"),
    [
        (lambda r: r.quantile([0.5, 1.0]), "levels: 1 is not between 0 and 1"),
        (lambda r: r.quantile([[0.5]]), "levels: got"),
        (lambda r: r.quantile([0.5, 0.5]), "levels: 0.5 occurs twice"),
        (lambda r: r.quantile("half"), "levels: got 'half'"),
        (lambda r: r.cdf([np.nan]), "points: got"),
        (lambda r: r.cdf([]), "points: got"),
        (lambda r: r.functional(3), "f: got 3"),
        (lambda r: r.functional(lambda x: x[0]), "f: it fails on one observation"),
        (lambda r: r.functional(lambda x: x > 2), "f: it returns bool"),
        (lambda r: r.functional(lambda x: x * jnp.eye(2)), r"f: it turns one observation into shape \(2, 2\)"),
        (lambda r: r.functional(jnp.sin, ["a", "b"]), "names: got"),
        (lambda r: r.functional(lambda x: 1.0 * (x > 27)), "f: the mean of functional moves"),
        (lambda r: r.functional(lambda x: jnp.stack([x, jnp.where(x > 30, x, 0)])), "f: the mean of f1 moves"),
        (lambda r: r.quantile([0.5]).conf_int(method="bayes"), "method: 'bayes' is not known"),
        (lambda r: r.quantile([0.5]).conf_int(alpha=2.0), "alpha: got 2.0"),
        (lambda r: r.quantile([0.5]).conf_int(cols="loc"), "cols: 'loc' is no parameter"),
        (lambda r: r.quantile([0.5]).conf_int(method="percentile"), "bootstrap: got None"),
        (lambda r: r.quantile([0.5]).conf_int(bootstrap=1), "bootstrap: the intervals 'wald' do not use it"),
        (lambda r: r.quantile([0.5]).draws(SimpleNamespace(theta=np.zeros((3, 4)))), "bootstrap: theta has shape"),
        (lambda r: r.quantile([0.5]).draws(SimpleNamespace(theta=np.full((3, 2), np.nan))), "bootstrap: 0 of 3"),
        (lambda r: r.mean().plot(), "plot: only quantiles and probabilities"),
    ],
)
def test_refusals(newcomb, ask, message):
    with pytest.raises((ValueError, TypeError), match=f"^{message}.*\\.$") as error:
        ask(newcomb)
    assert "\n" not in str(error.value)


def test_several_dimensions_have_no_quantile(at):
    result = at(MultivariateNormal(2), hg.datasets.load_stars_cyg(), loc=[4.0, 5.0], scale=[0.2, 0.5], corr=[0.6])
    for ask in (lambda: result.quantile([0.5]), lambda: result.cdf([0.5])):
        with pytest.raises(ValueError, match=r"one-dimensional laws.*use functional\(f\)"):
            ask()


def test_kinks_are_no_jumps(newcomb):
    """E|x - loc| = scale sqrt(2 / pi), though the derivative in loc is 0 by symmetry."""
    loc, scale = newcomb.params
    found = newcomb.functional(lambda x: jnp.abs(x - float(loc)))
    assert found.params.iloc[0] == pytest.approx(scale * np.sqrt(2 / np.pi), rel=1e-4)
    assert found.bse.iloc[0] == pytest.approx(newcomb.bse["scale"] * np.sqrt(2 / np.pi), rel=1e-2)
    assert newcomb.functional(lambda x: 0 * x + 3.0).params.iloc[0] == pytest.approx(3, rel=1e-12)


# Around them.


def test_a_saved_fit_has_the_same(newcomb, tmp_path):
    newcomb.save(tmp_path / "fit.npz")
    read = hg.load(tmp_path / "fit.npz")
    for ask in (lambda r: r.quantile([0.1, 0.9]), lambda r: r.cdf([20.0]), lambda r: r.mean()):
        pd.testing.assert_frame_equal(ask(read).tidy(), ask(newcomb).tidy())


def test_numbers_leave_as_numpy(newcomb):
    for found in (newcomb.quantile([0.1, 0.9]), newcomb.mean(), newcomb.functional(jnp.tanh)):
        assert type(found.gradient) is type(found.simulation_error) is np.ndarray
        assert found.gradient.dtype == found.params.dtype == np.float64
        assert found.gradient.shape == (len(found.params), 2)


def test_other_levels_compile_nothing(newcomb):
    newcomb.quantile([0.5])
    newcomb.cdf([27.0])
    before = compilations(line._values, line._local)
    newcomb.quantile([0.1, 0.2, 0.9])
    newcomb.cdf([10.0, 20.0])
    assert compilations(line._values, line._local) == before


def test_plot(newcomb):
    import matplotlib.pyplot as plt

    ax = newcomb.quantile([0.9, 0.1, 0.5]).plot()
    assert isinstance(ax, Axes)
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("level", "quantile")
    legend = ax.get_legend()
    assert legend is not None
    assert [text.get_text() for text in legend.get_texts()] == ["95 % simultaneous", "95 % pointwise", "fit"]
    (curve,) = ax.get_lines()
    assert np.all(np.diff(curve.get_xdata()) > 0)
    assert np.all(np.diff(curve.get_ydata()) > 0)
    own = plt.subplots()[1]
    assert newcomb.cdf([20.0, 27.0]).plot(ax=own) is own
    plt.close("all")
