"""An estimator that the package has never seen gets all of inference and influence from the seam.

Simulated moments with a fixed set of moments and a fixed weighting: theta minimises g' W g / 2, g the difference of
the observed and the simulated means of the moments. With a = W g it is the root of (D' a, g - W^-1 a), D the derivative
of the simulated means: scores of single observations and draws, and a penalty.
"""

import inspect

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from statsmodels.stats import sandwich_covariance

import hellgan as hg
from hellgan.parameters import Parameters
from hellgan.results import EstimatedResults
from hellgan.samples import Sample, read
from hellgan.simulation import Simulation
from hellgan.solver import SmoothEquations


def moments(x):
    return jnp.stack([jnp.tanh(x), jnp.tanh(x / 3), x / jnp.sqrt(1 + x**2 / 9), 1 / (1 + x**2)])


class SimulatedMoments(SmoothEquations):
    """Simulated moments of one coordinate; u = (theta, a), a = W g."""

    def __init__(self, data, generator, weighting, weights=None, latent="sobol", n_simulated=512):
        self.nuisance_names = ["a_0", "a_1", "a_2", "a_3"]
        self.sample, self.generator = read(data, generator)
        self.space = self.generator
        if weights is not None:
            self.sample = self.sample.with_weights(weights)
        self.simulation = Simulation.of(generator, latent, len(self.sample), n_simulated)
        self.inverse = np.linalg.inv(weighting)

    def start(self):
        natural = self.generator.start(self.sample.squeezed, self.sample.weights)
        return np.concatenate([self.generator.theta(**natural), np.zeros(len(self.inverse))])

    def real_value(self, u, x):
        return u[self.p :] @ moments(x[0])

    def simulated_value(self, u, z):
        return -u[self.p :] @ moments(self.generator(u[: self.p], z)[0])

    def penalty_value(self, u):
        return -u[self.p :] @ self.inverse @ u[self.p :] / 2


WEIGHTING = np.diag([1.0, 2.0, 0.5, 1.5])


def sample(n=160, seed=4):
    x = np.random.default_rng(seed).normal(1.0, 2.0, n)
    x[0] = 9.0
    return x


def fitted(x, **options) -> EstimatedResults:
    return EstimatedResults.of(SimulatedMoments(x, hg.generators.Normal(), WEIGHTING, **options))


@pytest.fixture(scope="module")
def fit():
    return fitted(sample())


def gap(model, theta) -> np.ndarray:
    """Difference of the observed and the simulated means, by hand."""
    z = model.simulation.draw(model.sample.rows[None], [model.seed])[0][:, 0]
    loc, scale = theta[0], np.exp(theta[1])
    with jax.enable_x64(True):
        means = [np.asarray(jax.vmap(moments)(jnp.asarray(x))) for x in (model.sample.rows[:, 0], loc + scale * z)]
    return model.sample.weights @ means[0] - means[1].mean(axis=0)


def test_it_is_short():
    assert len(inspect.getsource(SimulatedMoments).splitlines()) <= 60


def test_estimate_minimises_the_distance_of_the_moments(fit):
    """By scipy, on the criterion as it is written."""
    from scipy import optimize

    def half_square(theta):
        g = gap(fit.model, theta)
        return g @ WEIGHTING @ g / 2

    found = optimize.minimize(
        half_square, fit.solution.theta + 0.1, method="Nelder-Mead", options={"xatol": 1e-9, "fatol": 1e-18}
    )
    np.testing.assert_allclose(fit.solution.theta, found.x, atol=1e-6)
    np.testing.assert_allclose(fit.solution.u[2:], WEIGHTING @ gap(fit.model, fit.solution.theta), atol=1e-9)
    np.testing.assert_allclose(fit.solution.value, found.fun, rtol=1e-8)
    assert fit.converged
    assert fit.solution.kind == "strict local minimum"


def stacked(model):
    """The estimating function (k, n) of delicatessen, by hand: the simulated part is a constant of the sample."""
    x, z = model.sample.rows[:, 0], model.simulation.draw(model.sample.rows[None], [model.seed])[0][:, 0]
    phi = np.asarray(jax.vmap(moments)(x))

    def psi(theta):
        u = theta
        loc, scale, a = u[0], np.exp(u[1]), np.asarray(u[2:])
        y = loc + scale * z
        slopes = np.asarray(jax.vmap(jax.jacfwd(moments))(y))
        d_theta = np.stack([-slopes @ a, -scale * z * (slopes @ a)]).mean(axis=1)
        d_a = phi - np.asarray(jax.vmap(moments)(y)).mean(axis=0) - np.linalg.inv(WEIGHTING) @ a
        return np.concatenate([np.repeat(d_theta[:, None], len(x), axis=1), d_a.T])

    return psi


def test_agrees_with_delicatessen(fit, x64):
    """Bread, meat and sandwich of the same scores; the simulation's part is not delicatessen's to know."""
    from delicatessen import MEstimator

    estimator = MEstimator(stacked(fit.model), init=fit.solution.u + 1e-3)
    estimator.estimate(solver="hybr", tolerance=1e-12, deriv_method="capprox", dx=1e-5)
    law, n = fit.sandwich, fit.nobs
    np.testing.assert_allclose(fit.solution.u, np.asarray(estimator.theta), atol=1e-8)
    np.testing.assert_allclose(law.bread, estimator.bread, atol=1e-6)
    np.testing.assert_allclose(law.meat_real, np.asarray(estimator.meat) * n / (n - 1), atol=1e-6)
    half = np.linalg.solve(law.bread, law.meat_real * (n - 1) / n)
    variance = np.asarray(estimator.variance)
    np.testing.assert_allclose(np.linalg.solve(law.bread, half.T) / n, variance, rtol=1e-4, atol=1e-8)


def test_joint_covariance_has_labels(fit):
    names = ["loc", "scale", "a_0", "a_1", "a_2", "a_3"]
    cov = fit.joint_cov()
    assert list(cov.index) == list(cov.columns) == list(fit.joint_params.index) == names
    np.testing.assert_allclose(cov.iloc[:2, :2], fit.cov_params(), rtol=1e-12)
    assert list(fit.bread().index) == ["loc", "log scale", *names[2:]]


def test_summary_and_intervals(fit):
    text = str(fit.summary())
    for part in ("SimulatedMoments", "loc", "scale", "0.975", "strict local minimum", "sandwich"):
        assert part in text
    interval = fit.conf_int()
    half = 1.959963984540054 * fit.bse["loc"]
    np.testing.assert_allclose(interval.loc["loc"], fit.params["loc"] + half * np.array([-1, 1]), rtol=1e-9)
    assert (interval["lower"] > [-np.inf, 0]).all()
    for end in fit.conf_int(method="profile").loc["loc"]:
        test = fit.distance_test(f"loc = {end:.14f}")
        np.testing.assert_allclose(test.statistic / test.weights[0], 1.959963984540054**2, rtol=1e-6)


def test_wald_score_and_distance_tests_agree(fit):
    """Near the estimate they are one test to first order."""
    value = float(fit.params["loc"] + 0.05 * fit.bse["loc"])
    wald = float(fit.t_test(f"loc = {value:.12f}").statistic.item()) ** 2
    found = [fit.score_test(f"loc = {value:.12f}"), fit.distance_test(f"loc = {value:.12f}")]
    for test in found:
        np.testing.assert_allclose(test.statistic / test.weights[0], wald, rtol=0.05)
        np.testing.assert_allclose(test.params["loc"], value, rtol=1e-9)


@pytest.mark.parametrize(("options", "size"), [({}, 160), ({"latent": "iid", "n_simulated": 400}, 160 * 400 / 560)])
def test_distance_test_by_hand(options, size):
    """The rise of g' W g times n, of the minimum over the scale with the location held; nm/(n + m) for own draws."""
    from scipy import optimize

    fit = fitted(sample(), **options)

    def half_square(theta):
        g = gap(fit.model, theta)
        return g @ WEIGHTING @ g / 2

    held = optimize.minimize_scalar(
        lambda s: half_square([1.3, s]), bounds=(-1, 2), method="bounded", options={"xatol": 1e-10}
    )
    least = held.fun  # pyright: ignore[reportAttributeAccessIssue]
    test = fit.distance_test("loc = 1.3")
    np.testing.assert_allclose(test.statistic, 2 * size * (least - half_square(fit.solution.theta)), rtol=1e-6)
    with pytest.raises(ValueError, match="robust=True"):
        fit.distance_test("loc = 1.3", robust=False)


@pytest.mark.parametrize(
    ("kind", "options"), [("HC1", {}), ("HAC", {"maxlags": 3}), ("cluster", {"groups": np.arange(160) // 8})]
)
def test_other_covariances_are_of_the_same_scores(fit, kind, options):
    again = fit.with_cov(kind, **options)
    assert again.cov_type == kind
    scores, n = fit.estfun().to_numpy(), fit.nobs
    centred = scores - scores.mean(axis=0)
    meat = {
        "HC1": lambda: None,
        "HAC": lambda: sandwich_covariance.S_hac_simple(centred, nlags=3) / n,
        "cluster": lambda: sandwich_covariance.S_crosssection(centred, options["groups"]) / n * (20 / 19) * 159 / 154,
    }[kind]()
    if meat is None:
        np.testing.assert_allclose(again.cov_params(), fit.cov_params() * n / (n - 6), rtol=1e-12)
        return
    bread = fit.sandwich.bread
    half = np.linalg.solve(bread, meat + fit.sandwich.meat_simulated)
    np.testing.assert_allclose(again.sandwich.cov, np.linalg.solve(bread, half.T) / n, rtol=1e-9, atol=1e-15)


def test_model_covariance_is_refused_with_the_reason(fit):
    with pytest.raises(ValueError, match="what a correct model implies for this estimator is not known"):
        fit.with_cov("model")


@pytest.mark.parametrize("latent", ["sobol", "iid"])
def test_bootstrap_refits_what_a_new_fit_gives(latent):
    """A refit with counts as weights is the fit of the repeated rows with the draws that it had."""
    own = fitted(sample(), latent=latent)
    boot = own.bootstrap(40, seed=2)
    assert boot.n_failed == 0
    counts = np.random.default_rng([2, 3]).multinomial(160, np.full(160, 1 / 160))
    if latent == "sobol":  # the points are shifted: far less noise than that of the data
        other = fitted(sample()[np.repeat(np.arange(160), counts)])
        np.testing.assert_allclose(boot.params.iloc[3], other.params, atol=0.02)
    np.testing.assert_allclose(boot.bse, own.bse, rtol=0.45)
    studentised = own.bootstrap(20, seed=2, studentised=True)
    np.testing.assert_allclose(studentised.params, boot.params.iloc[:20], atol=1e-8)
    assert studentised.std_errors is not None
    np.testing.assert_allclose(studentised.std_errors.mean(), own.bse, rtol=0.2)
    assert own.bootstrap(20, kind="parametric").n_failed == 0
    assert boot.conf_int(method="bca").shape == (2, 2)


def test_influence_and_deletion(fit):
    influence = fit.influence()
    np.testing.assert_allclose(influence.observations.mean(), 0, atol=1e-10)
    np.testing.assert_allclose(influence.weight_derivatives(), influence.observations, atol=1e-8)
    exact, newton = (influence.leave_one_out(method).iloc[0] for method in ("exact", "newton"))
    alone = fitted(sample(), weights=np.arange(160) > 0)
    np.testing.assert_allclose(exact, alone.params, atol=1e-8)
    assert np.all(np.abs(newton - exact) < 0.02 * np.abs(exact - fit.params))  # the step is nearly the refit
    np.testing.assert_allclose(influence.dfbetas.iloc[0], (fit.params - newton) / fit.bse, rtol=1e-9)
    frame = influence.summary_frame()
    assert len(frame) == 160
    assert frame["cooks_d"].is_monotonic_decreasing
    curve = influence.bias_curve([5.0, 20.0], [0.01, 0.1])
    contaminated = fitted(np.append(sample(), 20.0), weights=np.append(np.full(160, 0.9 / 160), 0.1))
    np.testing.assert_allclose(curve.params[1, 1], contaminated.params, atol=1e-8)


def test_reweighted_and_jackknife(fit):
    weights = np.random.default_rng(0).uniform(0.5, 1.5, 160)
    again = fit.reweighted(weights)
    np.testing.assert_allclose(again.params, fitted(sample(), weights=weights).params, atol=1e-8)
    np.testing.assert_allclose(fit.jackknife().bse, fit.bse, rtol=0.1)


def test_save_and_load(fit, tmp_path):
    fit.with_cov("HC1").save(tmp_path / "fit.npz")
    with pytest.raises(ValueError, match="SimulatedMoments'; pass it, on the same data, as model="):
        hg.load(tmp_path / "fit.npz")
    with pytest.raises(ValueError, match="the data of the SimulatedMoments"):
        hg.load(tmp_path / "fit.npz", model=SimulatedMoments(sample(seed=5), hg.generators.Normal(), WEIGHTING))
    again = hg.load(tmp_path / "fit.npz", model=fit.model)
    np.testing.assert_array_equal(again.params, fit.params)
    np.testing.assert_array_equal(again.cov_params(), fit.with_cov("HC1").cov_params())
    np.testing.assert_array_equal(again.joint_cov(), fit.with_cov("HC1").joint_cov())
    assert again.cov_type == "HC1"
    assert type(again.solution) is type(fit.solution)


def test_independent_draws_are_in_the_law():
    """The simulation's part of the meat is the covariance of the draws' scores, times n/m."""
    own = fitted(sample(), latent="iid", n_simulated=400)
    rows = own.equations.independent_scores(own.solution.u)
    assert rows is not None
    np.testing.assert_allclose(own.require_law().meat_simulated, 160 / 400 * np.cov(rows, rowvar=False), rtol=1e-9)


def test_other_sobol_points_are_in_the_law(fit):
    """The simulation's part of the meat is n times the covariance of the mean score over other scrambles."""
    (loc, log_scale), a, means = fit.solution.theta, fit.solution.u[2:], []
    with jax.enable_x64(True):
        for z in fit.model.simulation.scrambles()[:, :, 0]:
            y = loc + np.exp(log_scale) * z
            pull = -np.asarray(jax.vmap(jax.jacfwd(moments))(y)) @ a
            phi = np.asarray(jax.vmap(moments)(y))
            means.append([pull.mean(), np.mean(np.exp(log_scale) * z * pull), *-phi.mean(axis=0)])
    np.testing.assert_allclose(fit.sandwich.meat_simulated, 160 * np.cov(means, rowvar=False), rtol=1e-8, atol=1e-15)


# Scores alone, of nothing that is minimised; nothing is simulated, and there is no nuisance.


class ArctanLocation(SmoothEquations):
    """The location whose arctangents of x less it have mean zero."""

    def __init__(self, data, begin=0.0):
        self.nuisance_names, self.begin = [], begin
        self.sample, self.space = Sample(np.asarray(data)[:, None]), Parameters(loc=hg.real())

    def start(self):
        return np.array([self.begin])

    def real_score(self, u, x):
        return jnp.arctan(x - u)


class Rootless(ArctanLocation):
    def real_score(self, u, x):
        return 1 + (x - u) ** 2


def test_scores_alone_by_hand():
    fit, x = EstimatedResults.of(ArctanLocation(sample())), sample()
    away = x - fit.params["loc"]
    slope, sd = np.mean(1 / (1 + away**2)), np.std(np.arctan(away), ddof=1)
    np.testing.assert_allclose(np.arctan(away).mean(), 0, atol=1e-9)
    np.testing.assert_allclose(fit.bse["loc"], sd / slope / np.sqrt(160), rtol=1e-9)
    np.testing.assert_allclose(fit.influence().observations["loc"], np.arctan(away) / slope, rtol=1e-9)
    np.testing.assert_allclose(fit.reach(), sd / slope, rtol=1e-9)  # one observation's error
    assert fit.joint_cov().shape == (1, 1)
    assert np.isnan(fit.solution.value)


def test_far_starts_end_at_the_same_root():
    """Whole steps would lead from there ever farther away."""
    near, far = (EstimatedResults.of(ArctanLocation(sample(), begin)) for begin in (1.0, 60.0))
    np.testing.assert_allclose(far.params, near.params, rtol=1e-9)


def test_what_scores_alone_cannot_tell_is_refused_with_the_reason():
    fit = EstimatedResults.of(ArctanLocation(sample()))
    with pytest.raises(ValueError, match="does not minimise a criterion; use wald_test or score_test"):
        fit.distance_test("loc = 1")
    with pytest.raises(ValueError, match="no law that could be simulated; give 'nonparametric'"):
        fit.bootstrap(20, kind="parametric")


def test_where_there_is_no_root_nothing_is_claimed():
    fit = EstimatedResults.of(Rootless(sample()))
    assert not fit.converged
    assert "score norm is" in fit.trouble
    assert fit.solution.kind == "not certified"
    assert np.all(np.isnan(fit.bse))
    assert "Not converged" in str(fit.summary())
    with pytest.raises(ValueError, match="score norm is"):
        fit.joint_cov()


class Saddle(SmoothEquations):
    """A quartic with a maximum at 0 and minima at -1 and 1: u = (theta,)."""

    def __init__(self, data):
        self.sample, _ = read(data, hg.generators.Normal())
        self.space, self.nuisance_names = Parameters(theta=hg.real()), []

    def start(self):
        return np.array([0.1])

    def real_value(self, u, x):
        return (u[0] ** 2 - 1) ** 2 + 0 * x[0]


def test_a_maximum_is_a_root_and_no_fit():
    found = EstimatedResults.of(Saddle(sample()))
    assert abs(found.params["theta"]) < 1e-6
    assert found.solution.is_root
    assert not found.converged
    assert "not a minimum" in found.trouble
