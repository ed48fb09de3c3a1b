"""Tests of restrictions and profile intervals: against fixed fits, closed forms, scipy, and each other."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest
from compiled import compilations
from replicate import replications
from scipy import optimize, stats
from tolerance import EXACT, assert_monte_carlo, mcse_proportion

import hellgan as hg
from hellgan import objective, plots, restrictions
from hellgan.cautions import ConvergenceWarning
from hellgan.estimation import schur_complement
from hellgan.execution import programs
from hellgan.inference import hypotheses, profiles
from hellgan.solver import newton, restricted

NEWCOMB = hg.datasets.load_newcomb()
NORMAL = hg.generators.Normal()
LOSSES = ("root", "log", "log_ns")

# The solver stops at a score norm of 1e-9 and Newton's steps are quadratic there: ten times that, relative.
SOLVER = 1e-8


@functools.cache
def fitted(loss="root", **fixed):
    return hg.GAN(NEWCOMB, NORMAL.fix(**fixed) if fixed else NORMAL, loss=loss).fit()


@functools.cache
def iid():
    return hg.GAN(NEWCOMB, NORMAL, loss="log", latent="iid", n_simulated=300).fit()


@pytest.fixture(scope="module")
def line():
    return hg.GAN.from_formula("calls ~ year", hg.datasets.load_telephone()).fit()


def solved(fit, restriction):
    """Solve a fit's game under a restriction."""
    found = restrictions.read(restriction, fit.generator, fit.saddle.theta, fit.covariance.theta)
    return fit.equations.restricted(found, fit.saddle.u)


def estimates(test: hypotheses.HypothesisTest) -> pd.Series:
    """The estimates under the restriction, which a test by the score or the distance has."""
    assert test.params is not None
    return test.params


def penalised(fit):
    return fit.saddle.value - fit.model.basis.ridge @ fit.saddle.alpha**2


# The restricted solution.


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize(("name", "value"), [("loc", 26.0), ("scale", 6.0), ("loc", 33.0)])
def test_restricted_solution_is_the_fit_of_a_fixed_generator(loss, name, value):
    """Theta, alpha and value; the farthest is some nine standard errors away."""
    found, alone = solved(fitted(loss), f"{name} = {value}"), fitted(loss, **{name: value})
    assert not found.reason
    (theta, alpha), other = np.split(found.u, [2]), 1 if name == "loc" else 0
    np.testing.assert_allclose(theta[other], alone.saddle.theta[0], rtol=SOLVER)
    np.testing.assert_allclose(alpha, alone.saddle.alpha, rtol=0, atol=1e-6)  # H_aa is flat there, to 2e-4
    value = found.criterion + alone.model.basis.ridge @ alpha**2
    assert value == pytest.approx(alone.saddle.value, abs=1e-9)
    # What is minimised is stationary, so that its error is of second order.
    exact = 1e-13 if loss != "log_ns" else 1e-10
    assert found.criterion == pytest.approx(penalised(alone), abs=exact)


@pytest.mark.parametrize("loss", LOSSES)
def test_multipliers_balance_the_score(loss):
    fit = fitted(loss)
    found = solved(fit, lambda loc, scale: jnp.log(scale) * loc - 50.0)
    theta, alpha = np.split(found.u, [2])
    loc, log_scale = theta
    assert loc * log_scale == pytest.approx(50.0, rel=1e-12)
    np.testing.assert_allclose(found.slope, [[log_scale, loc]], rtol=EXACT)
    np.testing.assert_allclose(found.score + found.slope.T @ found.multipliers, 0.0, atol=SOLVER)
    with jax.enable_x64(True):
        score = np.asarray(objective.mean_score(fit.model.game(), theta, alpha))
    np.testing.assert_allclose(score[:2], found.score, atol=EXACT)
    np.testing.assert_allclose(score[2:], 0.0, atol=SOLVER)


@pytest.mark.parametrize("loss", ["root", "log"])
def test_nonlinear_restriction_against_scipy(loss):
    fit = fitted(loss)
    found = solved(fit, lambda loc, scale: loc / scale - 6.5)
    assert not found.reason
    games, no = programs.stack([fit.model.game()]), np.zeros(1, bool)

    def profile(theta):
        local = newton.locate(games, theta[None], fit.saddle.alpha[None], no)
        return float(local.value[0]), local.expansion.d_theta[0]

    equation = {"type": "eq", "fun": lambda t: t[0] / np.exp(t[1]) - 6.5}
    options = {"ftol": 1e-15, "maxiter": 200}
    by_scipy = optimize.minimize(
        profile, fit.saddle.theta, jac=True, method="SLSQP", constraints=equation, options=options
    )
    assert found.criterion <= by_scipy.fun + 1e-12
    assert found.criterion == pytest.approx(by_scipy.fun, abs=1e-10)
    np.testing.assert_allclose(found.u[:2], by_scipy.x, rtol=1e-5)  # SLSQP's own accuracy in a flat valley


def test_as_many_equations_as_parameters_leave_a_point():
    found = solved(fitted(), "loc = 27, scale = 5")
    np.testing.assert_allclose(found.u[:2], [27.0, np.log(5.0)], rtol=EXACT)
    assert not found.reason


def test_linear_restrictions_are_compiled_once():
    fit = fitted()
    fit.distance_test("loc = 27")
    before = compilations(restrictions._natural)
    fit.distance_test("loc = 26.5")
    fit.distance_test("2 * loc + scale = 60")
    fit.conf_int(method="profile")
    assert compilations(restrictions._natural) == before


@pytest.mark.parametrize("test", ["score_test", "distance_test"])
def test_what_no_parameter_satisfies_is_told(test):
    with pytest.warns(ConvergenceWarning, match="no parameters that satisfy the restrictions"):
        found = getattr(fitted(), test)(lambda loc, scale: scale + 5.0)
    assert np.isnan(found.statistic)
    assert np.isnan(found.pvalue)
    assert found.params is None


# Statistics by hand.


def test_wald_of_a_function_by_the_delta_method():
    fit = fitted()
    (loc, scale), cov = fit.params, fit.cov_params().to_numpy()
    slope = np.array([1 / scale, -loc / scale**2])
    by_hand = (loc / scale - 5) ** 2 / (slope @ cov @ slope)
    test = fit.wald_test(lambda loc, scale: loc / scale - 5)
    assert test.statistic == pytest.approx(by_hand, rel=1e-10)
    assert test.pvalue == pytest.approx(stats.chi2.sf(by_hand, 1), rel=1e-10)
    assert (test.kind, test.df, test.params) == ("wald", 1, None)


def test_wald_of_linear_functions_is_that_of_statsmodels():
    test = fitted().wald_test(lambda loc, scale: [loc - 27.0, scale - 5.0])
    expected = fitted().wald_test("loc = 27, scale = 5")
    assert test.statistic == pytest.approx(float(expected.statistic), rel=1e-10)
    assert test.pvalue == pytest.approx(float(expected.pvalue), rel=1e-10)


@pytest.mark.parametrize("loss", ["log", "log_ns"])
def test_score_by_hand(loss):
    """(8) from a fixed fit, with the covariance of independent scores summed up in NumPy."""
    model = hg.GAN(NEWCOMB, NORMAL, loss=loss, latent="iid", n_simulated=300)
    alone = hg.GAN(NEWCOMB, NORMAL.fix(loc=26.0), loss=loss, latent="iid", n_simulated=300).fit()
    theta, alpha = np.array([26.0, alone.saddle.theta[0]]), alone.saddle.alpha
    with jax.enable_x64(True):
        game = model.game()
        jacobian = np.asarray(objective.jacobian(game, theta, alpha))
        mean = np.asarray(objective.mean_score(game, theta, alpha))
        rows = objective.scores(game, theta, alpha)
    n, m = len(NEWCOMB), 300
    meat = np.cov(rows.real[:n], rowvar=False) / n + np.cov(rows.simulated[:m], rowvar=False) / m
    inverse = np.linalg.inv(jacobian)
    variance = (inverse @ meat @ inverse.T)[0, 0]
    # The estimate after one joint Newton step is theta~ less T^-1 g.
    step = (inverse @ mean)[0]
    test = model.fit().score_test("loc = 26")
    assert test.statistic == pytest.approx(step**2 / variance, rel=1e-6)
    assert test.pvalue == pytest.approx(stats.chi2.sf(step**2 / variance, 1), rel=1e-5)
    assert (test.kind, test.df) == ("score", 1)
    np.testing.assert_allclose(estimates(test), [26.0, alone.params.loc["scale"]], rtol=SOLVER)


@pytest.mark.parametrize("cov_type", ["HC1", "HAC"])
def test_score_takes_the_covariance_of_another_kind(cov_type):
    fit = fitted()
    other = fit.with_cov(cov_type)
    found = solved(fit, "loc = 26")
    step = np.linalg.solve(schur_complement(fit.saddle.jacobian, 2), found.score)[0]
    assert other.score_test("loc = 26").statistic == pytest.approx(step**2 / other.covariance.theta[0, 0], rel=1e-8)


PARABOLA = hg.Loss(real=lambda v: v - v**2 / 4, fake=lambda v: -v - v**2 / 4, name="parabola", concave=True)


@pytest.mark.parametrize(("latent", "m"), [("sobol", 64), ("iid", 150)])
@pytest.mark.parametrize("weights", [None, np.arange(1.0, 31.0)])
def test_distance_of_a_quadratic_game(latent, m, weights):
    """With feature x and V quadratic in alpha, P = d^2 / (2 S) for d = mean x - mean z - loc, S = E Var + d^2 / 4.

    Here c = 1 and 4A/c^2 = 2; 2S is the pooled second moment of the feature about its mean.
    """
    x = np.random.default_rng(5).normal(0.4, 1.5, 30)
    w = np.full(30, 1 / 30) if weights is None else weights / weights.sum()
    feature = hg.discriminators.Features(jnp.atleast_1d)
    generator = NORMAL.fix(scale=1.0)
    fit = hg.GAN(x, generator, feature, PARABOLA, weights=weights, latent=latent, n_simulated=m).fit()
    z = fit.model.game().z[:m, 0]
    d = w @ x - z.mean() - 0.2
    pooled = (w @ (x - w @ x) ** 2 + z.var()) / 2
    n = 1 / np.sum(w**2)
    s = n if latent == "sobol" else n * m / (n + m)
    test = fit.distance_test("loc = 0.2")
    assert test.statistic == pytest.approx(s * d**2 / (pooled + d**2 / 4), rel=1e-9)
    if latent == "iid":
        of_mean = w**2 @ (x - w @ x) ** 2 / (1 - w @ w) + z.var(ddof=1) / m
        assert test.weights[0] == pytest.approx(s * of_mean / pooled, rel=1e-9)
        assert test.pvalue == pytest.approx(stats.chi2.sf(test.statistic / test.weights[0], 1), rel=1e-9)


@pytest.mark.parametrize("fit", [fitted, iid], ids=["sobol", "iid"])
def test_distance_is_scaled_like_the_test_of_fit(fit):
    fit, n, m = fit(), 66, 300
    rise = solved(fit, "loc = 27").criterion - penalised(fit)
    s = n if fit.model.latent == "sobol" else n * m / (n + m)
    expected = fit.model.loss.chi2_factor * s * rise
    for robust in (True, False):
        assert fit.distance_test("loc = 27", robust).statistic == pytest.approx(expected, rel=1e-9)


def test_plain_distance_is_chi_square():
    test = fitted().distance_test("loc = 27, scale = 5", robust=False)
    assert test.pvalue == pytest.approx(stats.chi2.sf(test.statistic, 2), rel=1e-10)
    np.testing.assert_array_equal(test.weights, [1.0, 1.0])
    robust = fitted().distance_test("loc = 27, scale = 5")
    assert robust.statistic == test.statistic
    assert np.all((robust.weights > 0.8) & (robust.weights < 1.2))
    assert robust.weights[0] > robust.weights[1]


# The tests agree with each other.


@pytest.mark.parametrize("loss", ["root", "log"])
def test_comparison_is_the_distance_test(loss):
    for fixed in ({"loc": 27.0}, {"scale": 5.5}):
        ((name, value),) = fixed.items()
        test = fitted(loss).distance_test(f"{name} = {value}")
        compared = fitted(loss).compare_distance_test(fitted(loss, **fixed))
        assert compared.statistic == pytest.approx(test.statistic, rel=1e-9)
        np.testing.assert_allclose(compared.weights, test.weights, rtol=1e-10)
        pd.testing.assert_series_equal(estimates(compared), estimates(test), rtol=SOLVER)


@pytest.mark.parametrize("loss", LOSSES)
def test_all_agree_at_small_departures(loss):
    """Statistics over their weights differ relatively by less than a tenth of the departure in standard errors."""
    fit = fitted(loss)
    loc, error = float(fit.params.loc["loc"]), float(fit.bse.loc["loc"])
    for share in (0.1, 0.01):
        value = loc + share * error
        found = [float(fit.wald_test(f"loc = {value!r}").statistic), fit.score_test(f"loc = {value!r}").statistic]
        if fit.model.loss.is_zero_sum:
            test = fit.distance_test(f"loc = {value!r}")
            found.append(test.statistic / test.weights[0])
        np.testing.assert_allclose(found, share**2, rtol=0.1 * share)


def test_distance_does_not_depend_on_the_parametrisation():
    plain = fitted().distance_test("scale = 4.5")
    for other in (lambda loc, scale: jnp.log(scale) - np.log(4.5), lambda loc, scale: 1 / scale**2 - 1 / 4.5**2):
        test = fitted().distance_test(other)
        assert test.statistic == pytest.approx(plain.statistic, rel=SOLVER)
        np.testing.assert_allclose(test.weights, plain.weights, rtol=1e-10)


def test_two_equations_in_other_words():
    fit = fitted()
    plain = fit.distance_test(([[1, 0], [0, 1]], [27, 5]))
    for other in (["loc = 27", "scale = 5"], "loc + scale = 32, loc - 2 * scale = 17", (np.eye(2), [27.0, 5.0])):
        test = fit.distance_test(other)
        assert test.statistic == pytest.approx(plain.statistic, rel=1e-10)
        np.testing.assert_allclose(test.weights, plain.weights, rtol=1e-8)
        assert test.pvalue == pytest.approx(plain.pvalue, rel=1e-8)


def test_regression(line):
    """Simulated responses tied to observations: the same identities hold."""
    alone = hg.GAN.from_formula(
        "calls ~ year", hg.datasets.load_telephone(), hg.generators.LinearRegression(columns=("year",)).fix(year=0.1)
    ).fit()
    test, compared = line.distance_test("year = 0.1"), line.compare_distance_test(alone)
    assert test.statistic == pytest.approx(compared.statistic, rel=1e-8)
    np.testing.assert_allclose(test.weights, compared.weights, rtol=1e-10)
    near = float(line.params["year"] + 0.005 * line.bse["year"])
    test = line.distance_test(f"year = {near!r}")
    assert test.statistic / test.weights[0] == pytest.approx(0.005**2, rel=0.02)
    assert line.score_test(f"year = {near!r}").statistic == pytest.approx(0.005**2, rel=0.02)


def test_distance_of_a_regression_counts_observations():
    """Whatever its latents, all of them belong to one of the 24."""
    fit = hg.GAN.from_formula("calls ~ year", hg.datasets.load_telephone(), latent="iid").fit()
    rise = solved(fit, "year = 0.1").criterion - penalised(fit)
    expected = fit.model.loss.chi2_factor * 24 * rise
    assert fit.distance_test("year = 0.1").statistic == pytest.approx(expected, rel=1e-9)


def test_vector_parameters():
    stars = hg.datasets.load_stars_cyg()
    generator = hg.generators.MultivariateNormal(2)
    fit = hg.GAN(stars, generator).fit()
    test = fit.distance_test("loc_1 = 4.4, loc_2 = 5")
    alone = hg.GAN(stars, generator.fix(loc=[4.4, 5.0])).fit()
    compared = fit.compare_distance_test(alone)
    assert test.statistic == pytest.approx(compared.statistic, rel=1e-8)
    assert list(estimates(compared).index) == generator.names
    pd.testing.assert_series_equal(estimates(compared), estimates(test), rtol=1e-7)
    equal = estimates(fit.distance_test(lambda loc, scale, corr: scale[0] - scale[1]))
    assert equal["scale_1"] == pytest.approx(equal["scale_2"], rel=1e-10)


# Profile intervals.


@pytest.mark.parametrize("loss", ["root", "log"])
def test_profile_ends_are_where_the_statistic_is_its_quantile(loss):
    fit = fitted(loss)
    for alpha in (0.05, 0.5):
        frame = fit.conf_int(alpha, method="profile")
        wald = fit.conf_int(alpha)
        for name, (lower, upper) in frame.iterrows():
            assert lower < fit.params[name] < upper
            np.testing.assert_allclose([lower, upper], wald.loc[name], rtol=0.1)
            for end in (lower, upper):
                test = fit.distance_test(f"{name} = {end!r}")
                assert test.statistic / test.weights[0] == pytest.approx(stats.chi2.ppf(1 - alpha, 1), rel=1e-6)
                assert test.pvalue == pytest.approx(alpha, rel=1e-5)


def test_profile_of_some_parameters():
    frame = fitted().conf_int(0.1, ["scale"], method="profile")
    assert list(frame.index) == ["scale"]
    assert list(frame.columns) == ["lower", "upper"]
    np.testing.assert_allclose(frame, fitted().conf_int(0.1, method="profile").loc[["scale"]], rtol=1e-9)
    lower, upper = profiles.profile_interval(fitted(), "scale", 0.1, robust=False)
    assert fitted().distance_test(f"scale = {upper!r}", robust=False).pvalue == pytest.approx(0.1, rel=1e-5)
    assert lower < upper


def test_profile_does_not_depend_on_the_parametrisation():
    features = hg.discriminators.Sigmoids(8)
    by_log = hg.generator(loc=hg.real(), log_scale=hg.real())(lambda z, loc, log_scale: loc + jnp.exp(log_scale) * z)
    plain = hg.GAN(NEWCOMB, NORMAL, features).fit()
    other = hg.GAN(NEWCOMB, by_log, features).fit(start={"loc": 27.7, "log_scale": 1.6})
    expected, found = plain.conf_int(method="profile"), other.conf_int(method="profile")
    np.testing.assert_allclose(found.loc["loc"], expected.loc["loc"], rtol=1e-7)
    np.testing.assert_allclose(np.exp(found.loc["log_scale"]), expected.loc["scale"], rtol=1e-7)


def test_profile_that_never_reaches_its_quantile_ends_with_the_space():
    """Of degrees of freedom, which Newcomb's data without the outliers do not bound; without a limit for the scale."""
    fit = hg.GAN(NEWCOMB[NEWCOMB > 0], hg.generators.StudentT()).fit()
    lower, upper = fit.conf_int(cols="df", method="profile").loc["df"]
    assert np.isfinite(lower)
    assert upper == np.inf
    assert fit.distance_test("df = 1e3").pvalue > 0.05


def test_profile_that_is_lost_is_nan(monkeypatch):
    monkeypatch.setattr(restricted, "_MAX_LEVELS", 0)
    with pytest.warns(ConvergenceWarning, match="profile interval: at loc = .* too far"):
        frame = fitted().conf_int(cols="loc", method="profile")
    assert np.all(np.isnan(frame))


def test_curve_is_the_statistic():
    fit = fitted()
    values, statistics = profiles.profile_curve(fit, "scale", [6.0, 4.5, fit.params["scale"]])
    np.testing.assert_array_equal(values, [4.5, fit.params["scale"], 6.0])
    for value, statistic in zip(values, statistics, strict=True):
        test = fit.distance_test(f"scale = {float(value)!r}")
        assert statistic == pytest.approx(test.statistic / test.weights[0], rel=1e-7, abs=1e-9)


def test_plot_of_a_profile():
    fit = fitted()
    ax = fit.plot_profile("scale")
    drawn = {entry.get_label(): np.transpose(entry.get_xydata()) for entry in ax.get_lines()}
    assert {"distance test", "profile interval", "Wald interval", "estimate"} <= set(drawn)
    (low, high), _ = drawn["profile interval"]
    np.testing.assert_allclose([low, high], fit.conf_int(method="profile").loc["scale"], rtol=1e-9)
    np.testing.assert_allclose(drawn["Wald interval"][0], fit.conf_int().loc["scale"], rtol=EXACT)
    assert drawn["chi-square quantile 3.84"][1, 0] == pytest.approx(stats.chi2.ppf(0.95, 1))
    values, statistics = drawn["distance test"]
    inside = (values > low) & (values < high)
    np.testing.assert_array_equal(inside, statistics < stats.chi2.ppf(0.95, 1))
    assert fit.plot_profile(1, ax=ax) is ax
    plots.close(ax)
    with pytest.raises(ValueError, match="name: 'spread' is no parameter"):
        fit.plot_profile("spread")


def test_plot_of_ends_that_are_not_known():
    values = np.linspace(1.0, 5.0, 9)
    statistics = np.where(values < 2.0, np.nan, (values - 3) ** 2)
    ax = plots.profile(values, statistics, 3.0, 3.84, np.array([2.5, 3.5]), np.array([np.nan, np.inf]), "df")
    drawn = {entry.get_label(): entry for entry in ax.get_lines()}
    np.testing.assert_array_equal(drawn["profile interval"].get_xdata(), [2.0, 5.0])
    plots.close(ax)


def test_what_the_simulated_sample_does_not_show_is_not_tested():
    """Where theta has a covariance, and natural parameters have none."""
    fit = fitted()
    unseen = fit.covariance._replace(natural=np.full((2, 2), np.nan))
    fit = type(fit)(fit.model, fit.saddle, fit.law, unseen)
    for test in (fit.score_test, fit.distance_test):
        with pytest.raises(ValueError, match="has no covariance, since the simulated sample says nothing of some"):
            test("loc = 27")
    assert np.all(np.isnan(fit.conf_int(method="profile")))


# Reading restrictions.

AWKWARD = ["Intercept", "x", "C(g)[T.b]", "C(g)[T.b]:x", "np.log(x + 1)", "a b", "x=2", "bs(x, df=4)[1]"]


@pytest.mark.parametrize(
    ("text", "rows", "values"),
    [
        ("x = 1", {"x": 1}, 1),
        ("C(g)[T.b] = -2.5", {"C(g)[T.b]": 1}, -2.5),
        ("C(g)[T.b]:x - 2 * x = 1e-3", {"C(g)[T.b]:x": 1, "x": -2}, 1e-3),
        ("np.log(x + 1) = x", {"np.log(x + 1)": 1, "x": -1}, 0),
        ("`a b` + a b = 2.5E+1", {"a b": 2}, 25),
        ("`x=2` = 3", {"x=2": 1}, 3),
        ("bs(x, df=4)[1]", {"bs(x, df=4)[1]": 1}, 0),
        ("(Intercept + x) / 4 = 1/2", {"Intercept": 0.25, "x": 0.25}, 0.5),
    ],
)
def test_equations_are_read_whatever_the_names(text, rows, values):
    matrix, target = restrictions._parsed(text, AWKWARD)
    expected = [[rows.get(name, 0.0) for name in AWKWARD]]
    np.testing.assert_allclose(matrix, expected, rtol=EXACT)
    np.testing.assert_allclose(target, [values], rtol=EXACT)


def test_several_equations_with_commas_in_names():
    matrix, target = restrictions._parsed("bs(x, df=4)[1] = 1, x = 2,`C(g)[T.b]`=3", AWKWARD)
    assert [AWKWARD[np.flatnonzero(row)[0]] for row in matrix] == ["bs(x, df=4)[1]", "x", "C(g)[T.b]"]
    np.testing.assert_array_equal(target, [1, 2, 3])


def test_names_of_a_formula():
    rng = np.random.default_rng(0)
    data = pd.DataFrame({"g": np.repeat(["a", "b"], 30), "x": rng.normal(size=60)})
    data["y"] = data["x"] + (data["g"] == "b") + rng.normal(size=60)
    fit = hg.GAN.from_formula("y ~ C(g) + x", data).fit()
    name = next(name for name in map(str, fit.params.index) if "[" in name)
    test = fit.score_test(f"{name} = 1")
    assert estimates(test)[name] == pytest.approx(1.0, rel=1e-10)
    assert fit.score_test(lambda **p: p[name] - 1.0).statistic == pytest.approx(test.statistic, rel=1e-8)


@pytest.mark.parametrize(
    ("restriction", "error", "message"),
    [
        ("spread = 2", ValueError, "spread is no parameter; the parameters are loc, scale"),
        ("loc = scale = 2", ValueError, "got 'loc = scale = 2'; give linear equations such as 'loc = 1'"),
        ("loc = 1,", ValueError, "give linear equations"),
        ("", ValueError, "give linear equations"),
        ("loc * scale = 2", ValueError, "is not understood; give linear equations"),
        ("loc == 2", ValueError, "give linear equations"),
        ("scale = -1", ValueError, r"scale = -1 is outside \(0, inf\)"),
        ("-2 * scale = 1", ValueError, r"scale = -0.5 is outside"),
        ("2 = 2", ValueError, "its equations depend on each other, or do not react"),
        ("loc = 1, 2 * loc = 2", ValueError, "its equations depend on each other"),
        ("loc = 1, scale = 2, loc + scale = 3", ValueError, "3 equations for 2 free parameters"),
        ([1.0, 2.0, 3.0], ValueError, r"shapes \(1, 3\) and \(1,\); give one column for each of loc, scale"),
        (([[1.0, 0.0]], [1.0, 2.0]), ValueError, "one value for each row"),
        ([np.nan, 1.0], ValueError, "not all finite"),
        ({"loc": -1.0, "spread": 2}, ValueError, "spread is no parameter"),
        (3j, TypeError, "give equations such as 'loc = 1'"),
        (None, ValueError, "shapes"),
        (lambda loc: loc, ValueError, "give a function of loc, scale in jax.numpy"),
        (lambda loc, scale: float(loc), ValueError, "give a function of loc, scale in jax.numpy"),
        (lambda loc, scale: jnp.log(-scale), ValueError, "is not finite at the estimate"),
        (lambda loc, scale: [loc - 1, loc**2 - 1], ValueError, "depend on each other"),
        (lambda loc, scale: [], ValueError, "has no equation"),
        (lambda loc, scale: 3.0, ValueError, "do not react to the parameters"),
    ],
)
def test_bad_restrictions(restriction, error, message):
    for test in (fitted().score_test, fitted().distance_test):
        with pytest.raises(error, match=f"restriction: .*{message}"):
            test(restriction)


def test_refusals():
    def ratio(loc, scale):
        return loc / scale - 5

    ns = fitted("log_ns")
    for call in (
        lambda: ns.distance_test("loc = 27"),
        lambda: ns.conf_int(method="profile"),
        lambda: ns.compare_distance_test(fitted("log_ns", loc=27.0)),
    ):
        with pytest.raises(ValueError, match=r"non-zero-sum loss log_ns does not minimise.*wald_test or score_test"):
            call()
    uncalibrated = hg.GAN(NEWCOMB, NORMAL, loss=PARABOLA, discriminator=hg.discriminators.Sigmoids(4)).fit()
    with pytest.raises(ValueError, match=r"parabola is not the log density ratio.*robust=True"):
        uncalibrated.distance_test("loc = 27", robust=False)
    assert 0 < uncalibrated.distance_test("loc = 27").pvalue < 1
    with pytest.raises(TypeError, match="robust: got 'yes'; give True or False"):
        fitted().distance_test("loc = 27", robust="yes")  # pyright: ignore[reportArgumentType]
    with pytest.raises(ValueError, match="give no other argument"):
        fitted().wald_test(ratio, use_f=True)
    with pytest.raises(ValueError, match="method: 'likelihood' is not known; give 'wald', 'sup-t' or 'profile'"):
        fitted().conf_int(method="likelihood")


def test_comparison_refuses_what_is_not_nested():
    fit, held = fitted(), fitted(loc=27.0)
    normal = NORMAL.fix(loc=27.0)
    others = {
        "data": hg.GAN(NEWCOMB[1:], normal).fit(),
        "loss": fitted("log", loc=27.0),
        "discriminator": hg.GAN(NEWCOMB, normal, hg.discriminators.Sigmoids(8)).fit(),
        "latents": hg.GAN(NEWCOMB, normal, n_simulated=512).fit(),
        "seed": hg.GAN(NEWCOMB, normal, seed=1).fit(),
        "weights": hg.GAN(NEWCOMB, normal, weights=np.arange(1.0, 67.0)).fit(),
    }
    for what, other in others.items():
        with pytest.raises(ValueError, match=f"restricted: it has other {what} than the fit"):
            fit.compare_distance_test(other)
    for one, other in ((fit, fit), (held, fit), (held, fitted(scale=5.0))):
        with pytest.raises(ValueError, match="restricted: its generator is not that of the fit with more"):
            one.compare_distance_test(other)
    laplace = hg.GAN(NEWCOMB, hg.generators.Laplace().fix(loc=27.0)).fit()
    with pytest.raises(ValueError, match="restricted: its generator is not"):
        fit.compare_distance_test(laplace)
    with pytest.raises(TypeError, match="restricted: got float; give the fit"):
        fit.compare_distance_test(27.0)  # pyright: ignore[reportArgumentType]


def test_a_hidden_layer_has_no_test():
    network = hg.GAN(NEWCOMB, NORMAL, hg.discriminators.MLP(2)).fit()
    for test in (network.score_test, network.distance_test):
        with pytest.raises(ValueError, match="hidden layer"):
            test("loc = 27")


def test_in_print():
    test = hypotheses.HypothesisTest(3.2144, 2, 0.07312, np.array([1.0, 0.9]), "distance", None, "a = 1, b = 2")
    assert str(test) == "distance test of a = 1, b = 2: 3.214, df 2, weights 1, 0.9, p-value 0.0731"
    test = hypotheses.HypothesisTest(3.2144, 1, 0.07312, np.ones(1), "score", None, "loc = 27")
    assert str(test) == "score test of loc = 27: 3.214, df 1, p-value 0.0731"


# Size.


@pytest.mark.slow
@pytest.mark.montecarlo
def test_size():
    """At 5 % under the model, n = 500: score, distance with its weights, and without them.

    Of the default loss; ``benchmarks/rejections.py`` tabulates another, and power.

    The bias allowed is for the second-order terms that n leaves; the theory has none to first order.
    """
    samples = np.random.default_rng(520).normal(1.0, 1.0, (replications(1000, 500), 500))
    model, pvalues = hg.GAN(samples[0], NORMAL), []
    for sample in samples:
        fit = model.on(sample).fit()
        test = fit.distance_test("loc = 1")
        pvalues.append([fit.score_test("loc = 1").pvalue, test.pvalue, stats.chi2.sf(test.statistic, 1)])
    size = np.mean(np.array(pvalues) < 0.05, axis=0)
    assert_monte_carlo(size, 0.05, mcse_proportion(0.05, len(samples)), bias=0.003, resolution=0.055)
