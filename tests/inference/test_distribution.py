"""Density, probabilities, quantiles and moments of fitted laws, against scipy.stats and differences of closed forms."""

import dataclasses
from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

import hellgan as hg
from hellgan import generators as families
from hellgan.cautions import SimulationWarning
from hellgan.inference import Covariance, JointLaw
from hellgan.parameters import natural_scale

NEWCOMB = hg.datasets.load_newcomb()
LEVELS = np.array([0.01, 0.3, 0.5, 0.9, 0.999])

GUMBEL: Any = stats.gumbel_r
NORMAL_IN_PLANE: Any = stats.multivariate_normal

# Families at parameters, with scipy's law of the same.
LAWS: dict[str, tuple[Any, dict[str, float], Any]] = {
    "Normal": (families.Normal(), {"loc": 1.0, "scale": 2.0}, stats.norm),
    "Laplace": (families.Laplace(), {"loc": 1.0, "scale": 2.0}, stats.laplace),
    "Logistic": (families.Logistic(), {"loc": 1.0, "scale": 2.0}, stats.logistic),
    "Uniform": (families.Uniform(), {"loc": 0.1, "scale": 20.0}, stats.uniform),
    "StudentT(3)": (families.StudentT(3.0), {"loc": 1.0, "scale": 2.0}, lambda **of: stats.t(3.0, **of)),
    "StudentT": (families.StudentT(), {"df": 5.0, "loc": 1.0, "scale": 2.0}, stats.t),
    "Exponential": (families.Exponential(), {"scale": 2.0}, stats.expon),
    "LogNormal": (families.LogNormal(), {"s": 0.5, "scale": 2.0}, stats.lognorm),
    "Gamma": (families.Gamma(), {"a": 3.0, "scale": 0.5}, stats.gamma),
    "Weibull": (families.Weibull(), {"c": 1.5, "scale": 2.0}, stats.weibull_min),
}


@pytest.fixture(scope="module")
def newcomb():
    return hg.GAN(NEWCOMB, families.Normal()).fit()


@pytest.fixture(scope="module")
def at(newcomb):
    """Make a result at given parameters with a given covariance of theta: nothing needs to be solved."""

    def make(generator, data=None, **natural):
        rng = np.random.default_rng(0)
        model = hg.GAN(rng.gamma(2.0, size=100) if data is None else data, generator)
        theta = model.generator.theta(**natural)
        half = rng.normal(size=(len(theta), len(theta)))
        cov = 1e-4 * (half @ half.T + np.eye(len(theta)))
        values, slope = natural_scale(model.generator, theta)
        covariance = Covariance("sandwich", "", slope @ cov @ slope.T, cov, None)
        saddle = dataclasses.replace(newcomb.saddle, theta=theta)
        return hg.GANResults(model, saddle, JointLaw(None, values, slope, ""), covariance)

    return make


def slopes(function, space, natural, step=1e-4):
    """Differentiate numbers of the natural values in theta by central differences: (k, p)."""
    theta = space.theta(**natural)
    names = list(natural)

    def value(theta):
        return np.atleast_1d(function(**dict(zip(names, natural_scale(space, theta)[0], strict=True))))

    moves = step * np.eye(len(theta))
    return np.stack([(value(theta + move) - value(theta - move)) / (2 * step) for move in moves], axis=1)


@pytest.mark.parametrize("name", LAWS)
def test_laws_are_scipys(at, name):
    generator, natural, law = LAWS[name]
    result, frozen = at(generator, **natural), law(**natural)
    points = frozen.ppf(LEVELS)
    np.testing.assert_allclose(result.pdf(points).params, frozen.pdf(points), rtol=1e-9)
    np.testing.assert_allclose(result.sf(points).params, frozen.sf(points), rtol=1e-8, atol=1e-14)
    np.testing.assert_allclose(result.ppf(LEVELS).params, points, rtol=1e-8)
    for moment in ("mean", "var", "std"):
        found = getattr(result, moment)()
        assert list(found.params.index) == [moment]
        assert found.params.iloc[0] == pytest.approx(getattr(frozen, moment)(), rel=1e-9)
        wanted = slopes(lambda moment=moment, **of: getattr(law(**of), moment)(), generator, natural)
        np.testing.assert_allclose(found.gradient, wanted, rtol=1e-5, atol=1e-7)
        error = np.sqrt(wanted[0] @ result.covariance.theta @ wanted[0])
        assert found.bse.iloc[0] == pytest.approx(error, rel=1e-4)


@pytest.mark.parametrize("name", ["Normal", "StudentT", "Gamma", "Weibull"])
def test_errors_of_densities_are_those_of_the_delta_method(at, name):
    generator, natural, law = LAWS[name]
    points = law(**natural).ppf(LEVELS)
    result = at(generator, **natural)
    found = result.pdf(points)
    wanted = slopes(lambda **of: law(**of).pdf(points), generator, natural)
    np.testing.assert_allclose(found.gradient, wanted, rtol=1e-5, atol=1e-8)
    np.testing.assert_allclose(found.cov_params(), wanted @ result.covariance.theta @ wanted.T, rtol=1e-4, atol=1e-12)
    assert np.all(found.conf_int() > 0)
    np.testing.assert_allclose(result.sf(points).gradient, -result.cdf(points).gradient, rtol=1e-12)


def test_outside_the_support_there_is_no_density(at):
    found = at(families.Gamma(), a=3.0, scale=0.5).pdf([-1.0, 1.0])
    assert found.params["f-1"] == 0
    assert found.bse["f-1"] == 0
    assert found.conf_int().loc["f-1"].isna().all()


def test_densities_of_a_simulator_follow_by_change_of_variable(at):
    """Written as draws alone; one that increases and one that decreases in its latent number."""
    natural = {"loc": 1.0, "scale": 2.0}
    points = GUMBEL(**natural).ppf(LEVELS)

    @hg.generator(latent="uniform", loc=hg.real(start=1.0), scale=hg.positive(start=1.0))
    def rising(u, loc, scale):
        return loc - scale * jnp.log(-jnp.log(u))

    @hg.generator(latent="uniform", loc=hg.real(start=1.0), scale=hg.positive(start=1.0))
    def falling(u, loc, scale):
        return loc - scale * jnp.log(-jnp.log1p(-u))

    for simulator in (rising, falling):
        result = at(simulator, **natural)
        found = result.pdf(points)
        np.testing.assert_allclose(found.params, GUMBEL(**natural).pdf(points), rtol=1e-8)
        wanted = slopes(lambda **of: GUMBEL(**of).pdf(points), simulator, natural)
        np.testing.assert_allclose(found.gradient, wanted, rtol=1e-5, atol=1e-8)
        moved = found.functional.at(np.stack([result.saddle.theta, simulator.theta(loc=2.0, scale=2.0)]))
        np.testing.assert_allclose(moved[0], found.params, rtol=1e-10)
        np.testing.assert_allclose(moved[1], GUMBEL(2.0, 2.0).pdf(points), rtol=1e-8)
    spread = result.std()
    assert spread.params["std"] == pytest.approx(GUMBEL(**natural).std(), rel=1e-3)
    assert result.var().params["var"] == pytest.approx(spread.params["std"] ** 2, rel=1e-10)
    np.testing.assert_allclose(spread.gradient, [[0, spread.params["std"]]], rtol=1e-2, atol=1e-6)


def test_a_mixture_and_held_parameters(at):
    data = np.random.default_rng(0).normal(size=100) + 4 * (np.arange(100) > 60)
    natural = {"weight": [0.6, 0.4], "loc": [0.0, 4.0], "scale": [1.0, 0.5]}
    result = at(families.NormalMixture(2), data, **natural)
    x = np.linspace(-2, 6, 9)
    parts = stats.norm.pdf(x[:, None], [0.0, 4.0], [1.0, 0.5]) @ [0.6, 0.4]
    np.testing.assert_allclose(result.pdf(x).params, parts, rtol=1e-10)
    assert result.mean().params["mean"] == pytest.approx(1.6, rel=1e-12)
    assert result.var().params["var"] == pytest.approx(0.6 * (1 + 1.6**2) + 0.4 * (0.25 + 2.4**2), rel=1e-12)
    held = at(families.Gamma().fix(a=3.0), scale=0.5)
    assert held.std().params["std"] == pytest.approx(stats.gamma(3.0, scale=0.5).std(), rel=1e-12)
    np.testing.assert_allclose(held.pdf([1.0]).params, stats.gamma.pdf(1.0, 3.0, scale=0.5), rtol=1e-10)


def test_several_dimensions(at):
    data = hg.datasets.load_stars_cyg()
    natural = {"loc": [4.0, 5.0], "scale": [0.2, 0.5], "corr": [0.6]}
    result = at(families.MultivariateNormal(2), data, **natural)
    cov = np.array([[0.04, 0.06], [0.06, 0.25]])
    points = np.array([[4.0, 5.0], [4.2, 4.9]])
    found = result.pdf(points)
    assert list(found.params.index) == ["f0", "f1"]
    np.testing.assert_allclose(found.params, NORMAL_IN_PLANE(np.array([4.0, 5.0]), cov).pdf(points), rtol=1e-10)
    std = result.std()
    assert list(std.params.index) == list(data.columns)
    np.testing.assert_allclose(std.params, [0.2, 0.5], rtol=2e-3)
    np.testing.assert_allclose(result.var().params, [0.04, 0.25], rtol=4e-3)
    np.testing.assert_allclose(std.bse**2, np.diag(result.cov_params())[2:4], rtol=1e-2)
    with pytest.raises(ValueError, match="plot: only quantiles"):
        found.plot()


def test_a_fit_of_newcombs_times(newcomb):
    loc, scale = newcomb.params
    assert newcomb.std().bse["std"] == pytest.approx(newcomb.bse["scale"], rel=1e-10)
    assert newcomb.mean().bse["mean"] == pytest.approx(newcomb.bse["loc"], rel=1e-10)
    assert newcomb.pdf(loc).params.iloc[0] == pytest.approx(1 / (scale * np.sqrt(2 * np.pi)), rel=1e-10)
    assert newcomb.pdf([20.0, 27.0]).functional.axes == ("x", "density")


def test_moments_that_do_not_exist_are_told(at):
    t = at(families.StudentT(), df=1.5, loc=0.5, scale=1.0)
    assert t.mean().params["mean"] == 0.5
    for result, name, value in ((t, "var", np.inf), (at(families.Cauchy(), loc=0.0, scale=1.0), "mean", np.nan)):
        with pytest.warns(SimulationWarning, match=rf"^{name}: the fitted law has none that is finite; use quantiles"):
            found = getattr(result, name)()
        np.testing.assert_array_equal(found.params, [value])
        assert found.bse.isna().all()
        assert found.conf_int().isna().all(axis=None)
    stable = at(families.AlphaStable("S0"), alpha=1.5, beta=0.4, scale=1.0, loc=0.5)
    assert stable.mean().params["mean"] == pytest.approx(stats.levy_stable(1.5, 0.4).mean() + 0.5 + 0.4, rel=1e-9)


def test_refusals(at):
    line = hg.GAN(hg.datasets.load_telephone(), families.LinearRegression()).fit()
    for name in ("pdf", "var", "std", "sf"):
        with pytest.raises(ValueError, match=rf"^{name}: .*a regression's responses are of many laws"):
            getattr(line, name)(*([[1.0]] if name in ("pdf", "sf") else []))
    with pytest.raises(ValueError, match="pdf: AlphaStable has no density in closed form, and is not monotone"):
        at(families.AlphaStable(), alpha=1.5, beta=0.0, scale=1.0, loc=0.0).pdf(1.0)
    for wrong in ("a", [np.nan], [[1.0]]):
        with pytest.raises((ValueError, TypeError), match=r"^points: "):
            at(families.Normal(), loc=0.0, scale=1.0).pdf(wrong)
