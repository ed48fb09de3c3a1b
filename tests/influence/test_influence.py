"""Influence functions by three routes, case diagnostics, and what contamination does."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import special, stats
from statsmodels.regression.quantile_regression import QuantReg
from tolerance import EXACT
from worlds import LOGISTIC_LOCATION, LOGISTIC_SCORE, LOSSES

import hellgan as hg
from hellgan import objective
from hellgan.generators import Generator
from hellgan.inference.wald import sup_t_quantile
from hellgan.results.figures import probability_plot

SIX = ("log", "hellinger", "root", "least_squares", "root_ns", "log_ns")
NEWCOMB = hg.datasets.load_newcomb()


@pytest.fixture(scope="module")
def newcomb():
    return hg.GAN(NEWCOMB, hg.generators.Normal()).fit()


@pytest.fixture(scope="module")
def influence(newcomb):
    return newcomb.influence()


@pytest.fixture(scope="module")
def stars():
    return hg.GAN(hg.datasets.load_stars_cyg(), hg.generators.MultivariateNormal(2)).fit()


@pytest.fixture(scope="module")
def stackloss():
    return hg.GAN.from_formula("stack_loss ~ air_flow + water_temp", hg.datasets.load_stackloss()).fit()


def at_the_truth(loss, discriminator, generator: Generator = LOGISTIC_LOCATION, truth=None, n=64):
    """A fit whose data are the simulated sample at the truth: alpha is 0 and both laws are one."""
    truth = {"loc": 0.4} if truth is None else truth
    model = hg.GAN(np.linspace(-2, 2, n), generator, discriminator, loss, latent="iid", n_simulated=n)
    with jax.enable_x64(True):
        z = np.asarray(model.game().z)[:n]
        theta = jnp.asarray(generator.theta(**truth))
        x = np.asarray(jax.vmap(lambda draw: generator(theta, draw))(z))
    return hg.GAN(x, generator, discriminator, loss, latent="iid", n_simulated=n).fit(start=truth)


# Three routes.


@pytest.mark.parametrize("loss", SIX)
def test_three_routes_agree_at_the_model(loss):
    """Closed form (J' C^-1 J)^-1 J' C^-1 (phi - E phi), -H^-1 psi, implicit differentiation: to 1e-8.

    C is that of the simulated sample, which the data are; the package's is unbiased, by n/(n - 1), and cancels.
    """
    fit = at_the_truth(loss, LOGISTIC_SCORE)
    assert np.max(np.abs(fit.saddle.alpha)) < 1e-7
    influence = fit.influence()
    own = influence.observations.to_numpy()
    np.testing.assert_allclose(influence.at(fit.model.x, under="model")["loc"], own[:, 0], atol=1e-8 * 10)
    np.testing.assert_allclose(influence.weight_derivatives(), own, atol=1e-8 * np.abs(own).max())


def test_closed_form_by_hand():
    """Logistic location, features x and tanh(x/2): 3 tanh((x - loc)/2) in the limit of many latents, weight 0 on x."""
    fit = at_the_truth("log", LOGISTIC_SCORE, truth={"loc": 0.0}, n=4096)
    points = np.array([-5.0, -1.0, 0.5, 3.0])
    got = fit.influence().at(points, under="model")["loc"]
    np.testing.assert_allclose(got, 3 * np.tanh(points / 2), atol=0.3)
    x = fit.model.x
    phi = np.stack([x, np.tanh(x / 2)], axis=1)
    slope = np.array([1.0, np.mean(0.5 / np.cosh(x / 2) ** 2)])  # the derivative of the mean features in loc
    weigh = np.linalg.solve(np.cov(phi, rowvar=False), slope)
    expected = (np.stack([points, np.tanh(points / 2)], axis=1) - phi.mean(axis=0)) @ weigh / (slope @ weigh)
    np.testing.assert_allclose(got, expected, rtol=1e-7)


@pytest.mark.parametrize(
    ("world", "loss"),
    [*(("normal", loss) for loss in LOSSES), ("two-dimensional", "root"), ("two-dimensional", "log_ns")],
)
def test_implicit_differentiation_agrees_off_the_model(world, loss):
    if world == "normal":
        fit = hg.GAN(NEWCOMB, hg.generators.Normal(), hg.discriminators.Sigmoids(8), loss, n_simulated=256).fit()
    else:
        x, model = hg.datasets.load_stars_cyg(), hg.generators.MultivariateNormal(2)
        fit = hg.GAN(x, model, hg.discriminators.Sigmoids(3, 1e-3), loss, n_simulated=256).fit()
    own = fit.influence().observations
    np.testing.assert_allclose(fit.influence().weight_derivatives(), own, atol=1e-8 * np.abs(own.to_numpy()).max())


@pytest.mark.parametrize("loss", SIX)
def test_differences_of_refits(loss):
    """Refits at (1 - eps) P_n + eps delta_y, eps = 1e-4, agree within one in a hundred."""
    fit = hg.GAN(NEWCOMB, hg.generators.Normal(), loss=loss).fit()
    points = np.array([-44.0, 0.0, 18.0, 24.0, 29.0, 36.0, 60.0])
    curve = fit.influence().bias_curve(points, 1e-4)
    expected = fit.influence().at(points)[["loc", "scale"]].to_numpy()
    size = np.abs(expected).max(axis=0)
    np.testing.assert_allclose(curve.bias[0] / 1e-4 / size, expected / size, atol=0.01)


def test_regression_influence_is_that_of_refits_and_of_the_observations(stackloss):
    fit, influence = stackloss, stackloss.influence()
    own = influence.observations
    np.testing.assert_allclose(influence.weight_derivatives(), own, atol=1e-8 * np.abs(own.to_numpy()).max())
    points = fit.model.x[[0, 5, 20]]
    refits = influence.bias_curve(points, 1e-4).bias[0] / 1e-4
    # New observations have simulated responses of their own, which differ from those of the old ones.
    expected = influence.at(points)[fit.params.index].to_numpy()
    np.testing.assert_allclose(refits, expected, atol=0.05 * np.abs(own[fit.params.index].to_numpy()).max(axis=0).max())
    np.testing.assert_allclose(expected, own.loc[[0, 5, 20], fit.params.index], atol=0.1 * np.abs(expected).max())


def test_reweighted_regression_influence_is_that_of_the_weights():
    """The placement enters both steps and the weights between them."""
    rng = np.random.default_rng(2)
    x = rng.normal(size=60)
    rows = np.column_stack([x, 1 + 2 * x + (0.3 + np.abs(x)) * rng.normal(size=60)])
    rows[:4, 1] += 6
    fit = hg.GAN(rows, hg.generators.LinearRegression(), reweight=True).fit()
    influence, scores = fit.influence(), fit.equations.scores(fit.saddle.u)
    np.testing.assert_allclose(
        fit.meat(), np.cov(scores, rowvar=False), rtol=1e-6, atol=1e-6 * np.abs(fit.meat()).max().max()
    )
    own = influence.observations
    np.testing.assert_allclose(influence.weight_derivatives(), own, atol=1e-6 * np.abs(own.to_numpy()).max())


def test_identities(newcomb, influence):
    """The mean is zero; the second moment is the real part of the sandwich."""
    own = influence.unconstrained
    n, law, h = newcomb.nobs, newcomb.sandwich, newcomb.saddle.jacobian
    np.testing.assert_allclose(own.mean(axis=0), 0.0, atol=1e-9 * np.abs(own).max())
    half = np.linalg.solve(h, law.meat_real)
    np.testing.assert_allclose(
        np.cov(own, rowvar=False), np.linalg.solve(h, half.T), rtol=1e-6, atol=1e-9 * np.abs(own).max() ** 2
    )
    assert n == len(own)


def test_identities_with_weights():
    weights = np.random.default_rng(1).uniform(0.5, 2, len(NEWCOMB))
    fit = hg.GAN(NEWCOMB, hg.generators.Normal(), weights=weights).fit()
    own = fit.influence().unconstrained
    np.testing.assert_allclose(weights @ own / weights.sum(), 0.0, atol=1e-9 * np.abs(own).max())


def test_influence_of_a_functional_is_that_of_its_refits(newcomb, influence):
    quantile = newcomb.quantile([0.9])
    points = np.array([18.0, 30.0, 45.0])
    moved = influence.bias_curve(points, 1e-4)
    expected = moved.bias[0] @ [1.0, 1.2815515655446004] / 1e-4
    got = influence.at(points, functional=quantile)
    np.testing.assert_allclose(got.iloc[:, 0], expected, rtol=0.02)


def test_natural_scale_is_the_delta_method(newcomb, influence):
    np.testing.assert_allclose(
        influence.observations["scale"], influence.unconstrained[:, 1] * newcomb.params["scale"], rtol=EXACT
    )


def test_closed_form_of_a_fit_by_hand(newcomb, influence):
    """Mean features, their covariance and differences of the simulated sample at the fit; the intercept offsets."""
    z = newcomb.model.game().z[: newcomb.n_simulated]
    loc, scale = newcomb.params

    def features(loc, scale):
        return newcomb.equations.features(loc + scale * z)

    phi, step = features(loc, scale), 1e-4
    moved = [features(loc + a, scale + b) - features(loc - a, scale - b) for a, b in step * np.eye(2)]
    slope = np.stack([each.mean(axis=0) for each in moved], axis=1) / (2 * step)
    c, ridge, mean = newcomb.model.loss.c, np.diag(newcomb.model.basis.ridge[1:]), phi.mean(axis=0)
    weigh = np.linalg.solve(c * np.cov(phi, rowvar=False) + 2 * ridge, slope)
    points = np.array([18.0, 30.0])
    away = newcomb.equations.features(points[:, None]) - mean
    got = influence.at(points, under="model")
    np.testing.assert_allclose(got[["loc", "scale"]], np.linalg.solve(slope.T @ weigh, weigh.T @ away.T).T, rtol=1e-5)
    np.testing.assert_allclose(got["alpha_0"], -got.filter(regex="alpha_[1-9]") @ mean, rtol=1e-8)


# Suprema.


def test_bounded_features_bound_the_influence_and_polynomials_do_not():
    """At the model: the sup over rays to 100,000 scales is finite for sigmoids, infinite for x and x^2."""
    x = np.random.default_rng(4).normal(1, 1, 64)
    far = np.array([1e2, 1e4, 1e6])
    bounded = hg.GAN(x, hg.generators.Normal()).fit().influence()
    values = np.abs(bounded.at(far, under="model")[["loc", "scale"]].to_numpy())
    np.testing.assert_allclose(values[2], values[1], rtol=0.01)
    assert np.isfinite(bounded.gross_error_sensitivity()).all()
    moments = at_the_truth(
        "log", hg.discriminators.Polynomial(2, ridge=0.0), hg.generators.Normal(), {"loc": 1.0, "scale": 1.0}
    )
    unbounded = moments.influence()
    values = np.abs(unbounded.at(far, under="model")[["loc", "scale"]].to_numpy())
    assert (values[2] > 1e3 * values[1]).all()  # a hundred times farther away; like x or x^2
    assert np.isinf(unbounded.gross_error_sensitivity()).all()
    assert unbounded.gross_error_sensitivity("self") == np.inf


def test_sensitivities_by_hand():
    """Of the mean, |x - mean| over given points, in units of its own standard deviation; the slope is 1."""
    x = np.random.default_rng(5).normal(0, 2, 64)
    mean = hg.discriminators.Features(lambda x: x[None])
    fit = hg.GAN(x, hg.generators.Normal().fix(scale=2.0), mean, "log").fit()
    influence, points = fit.influence(), np.array([-3.0, 1.0, 7.0])
    away = np.abs(points - x.mean()).max()
    assert influence.gross_error_sensitivity(points=points)["loc"] == pytest.approx(away, rel=1e-4)
    sd = np.sqrt(len(x)) * fit.bse["loc"]
    assert influence.gross_error_sensitivity("self", points) == pytest.approx(away / sd, rel=1e-4)
    assert influence.local_shift_sensitivity(points)["loc"] == pytest.approx(1.0, rel=1e-3)


def test_information_of_a_logistic_location_is_fishers():
    """1/3, which J' C^-1 J of the sample is near; C over n."""
    fit = at_the_truth("log", LOGISTIC_SCORE, truth={"loc": 0.0}, n=4096)
    x = fit.model.x
    slope, cov = np.array([1.0, np.mean(0.5 / np.cosh(x / 2) ** 2)]), np.cov([x, np.tanh(x / 2)], ddof=0)
    information = slope @ np.linalg.solve(cov, slope)
    assert information == pytest.approx(1 / 3, rel=0.1)
    influence = fit.influence()
    expected = np.sqrt(information) * abs(influence.at([2.0])["loc"][0])
    assert influence.gross_error_sensitivity("information", [2.0]) == pytest.approx(expected, rel=1e-6)


def test_local_shift_sensitivity_is_the_slope_of_the_influence(influence):
    points, step = np.array([18.0, 30.0]), 1e-4
    slopes = (influence.at(points + step) - influence.at(points - step))[["loc", "scale"]] / (2 * step)
    np.testing.assert_allclose(influence.local_shift_sensitivity(points), slopes.abs().max(), rtol=1e-6)


def test_standardised_sensitivities_do_not_depend_on_units():
    fits = [hg.GAN(scale * NEWCOMB, hg.generators.Normal()).fit().influence() for scale in (1.0, 1e-3)]
    for kind in ("self", "information"):
        a, b = (each.gross_error_sensitivity(kind) for each in fits)
        assert a == pytest.approx(b, rel=1e-5)
    a, b = (each.gross_error_sensitivity() for each in fits)
    np.testing.assert_allclose(b, 1e-3 * a, rtol=1e-5)


# Case diagnostics.


def test_newcombs_outliers_come_out_on_top(influence):
    frame = influence.summary_frame()
    assert set(frame.index[:2]) == set(np.flatnonzero(NEWCOMB < 0))
    assert len(frame) == len(NEWCOMB)
    assert (frame["weight"].iloc[:2] < 0.3).all()  # the loss counts them little


def test_columns_of_the_frame_by_hand(newcomb, influence):
    """The root loss's real'(v) over that at 0; squared influences sum to n - 1 times tr(Omega^-1 Omega_real)."""
    frame = influence.summary_frame()

    def slope(v):
        return special.expit(2 * v) ** 0.5 * special.expit(-2 * v)

    np.testing.assert_allclose(frame["weight"], slope(frame["log_ratio"]) / slope(0.0), rtol=1e-6)
    inverse = np.linalg.inv(newcomb.bread())
    omega, real = ((inverse @ b @ inverse.T)[:2, :2] for b in (newcomb.sandwich.meat, newcomb.sandwich.meat_real))
    expected = (newcomb.nobs - 1) * np.trace(np.linalg.solve(omega, real))
    assert np.sum(frame["influence"] ** 2) == pytest.approx(expected, rel=1e-6)


def test_the_giants_come_out_on_top(stars):
    assert set(stars.influence().summary_frame().index[:4]) == {10, 19, 29, 33}


def test_the_copper_outlier_comes_out_on_top():
    x = hg.datasets.load_chem()
    fit = hg.GAN(x, hg.generators.Normal()).fit()
    assert fit.influence().summary_frame().index[0] == int(np.argmax(x))


def test_the_stack_loss_outliers_come_out_on_top():
    """The location-scale model of least absolute deviations' residuals: observations 1, 3, 4, 21, counted from 1."""
    residuals = (
        QuantReg.from_formula("stack_loss ~ air_flow + water_temp + acid_conc", hg.datasets.load_stackloss())
        .fit()
        .resid
    )
    fit = hg.GAN(residuals, hg.generators.Normal()).fit()
    assert set(fit.influence().summary_frame().index[:4]) == {0, 2, 3, 20}


def test_dfbetas_and_cook_by_hand(newcomb, influence):
    left = influence.leave_one_out()
    expected = (newcomb.params - left) / newcomb.bse
    np.testing.assert_allclose(influence.dfbetas, expected, rtol=EXACT)
    np.testing.assert_allclose(influence.d_params, newcomb.params - left, rtol=EXACT)
    moved = newcomb.generator.theta(**newcomb.params) - np.column_stack([left["loc"], np.log(left["scale"])])
    cov = newcomb.covariance.theta
    distances, pvalues = influence.cooks_distance
    by_hand = np.einsum("ni,ij,nj->n", moved, np.linalg.inv(cov), moved) / 2
    np.testing.assert_allclose(distances, by_hand, rtol=1e-8)
    np.testing.assert_allclose(pvalues, np.exp(-by_hand), rtol=1e-8)  # chi-square with two degrees of freedom


# Contamination.


def test_a_failed_point_of_a_bias_curve_says_why(monkeypatch, influence):
    equations = type(influence.fit.equations)
    refit = equations.refit

    def failing(self, resamples, count, u, **options):
        found = refit(self, resamples, count, u, **options)
        u, trouble = found.u.copy(), list(found.trouble)
        u[1], trouble[1] = np.nan, "it would not"
        return dataclasses.replace(found, u=u, trouble=trouble)

    monkeypatch.setattr(equations, "refit", failing)
    curve = influence.bias_curve([10.0, 30.0], [0.1, 0.05])
    assert curve.trouble.tolist() == [["", "it would not"]] * 2
    assert curve.n_failed == 2
    assert repr(curve).endswith("2 failed, the first since it would not>")
    frame = curve.to_frame()
    assert frame["trouble"].to_list() == ["", "it would not"] * 2
    assert frame["loc"].isna().to_list() == [False, True] * 2


def test_bias_curve_is_the_refit_of_the_contaminated_sample(newcomb, influence):
    """A share 2/68 at 60 is two more observations there, the discriminator staying where it is."""
    curve = influence.bias_curve([60.0], [1 / 34])
    both = np.append(NEWCOMB, [60.0, 60.0])
    model = hg.GAN(both, hg.generators.Normal())
    model.basis = newcomb.model.basis
    np.testing.assert_allclose(curve.params[0, 0], model.fit().params, atol=1e-7)


def test_order_of_points_and_shares_does_not_matter(influence):
    points, eps = np.array([40.0, 5.0, 20.0]), np.array([0.1, 0.02, 0.05])
    a = influence.bias_curve(points, eps)
    b = influence.bias_curve(points[::-1], np.sort(eps))
    np.testing.assert_allclose(a.bias[[1, 2, 0]][:, ::-1], b.bias, atol=1e-7)
    frame = a.to_frame()
    assert list(frame.columns) == ["eps", "point", "loc", "scale"]
    assert frame.loc[3, ["eps", "point"]].tolist() == [0.02, 40.0]


def test_maximum_likelihood_beside_it(influence):
    """Of a normal law: the mean moves by eps (y - mean)."""
    curve = influence.bias_curve([100.0], [0.1], estimator="ml")
    assert curve.bias[0, 0, 0] == pytest.approx(0.1 * (100 - NEWCOMB.mean()), rel=1e-6)
    assert abs(influence.bias_curve([100.0], [0.1]).bias[0, 0, 0]) < 0.1 * curve.bias[0, 0, 0]


def test_maximum_likelihood_with_weights():
    weights = np.where(NEWCOMB < 27, 3.0, 1.0)
    curve = hg.GAN(NEWCOMB, hg.generators.Normal(), weights=weights).fit().influence()
    curve = curve.bias_curve([100.0], [0.1], estimator="ml")
    mean = np.average(NEWCOMB, weights=weights)
    assert curve.bias[0, 0, 0] == pytest.approx(0.1 * (100 - mean), rel=1e-6)
    assert curve.params[0, 0, 0] == pytest.approx(0.9 * mean + 10, rel=1e-6)


def test_sensitivity_curve_is_a_refit_with_one_more(influence):
    got = influence.sensitivity_curve([40.0])
    curve = influence.bias_curve([40.0], 1 / 67)
    np.testing.assert_allclose(got.to_numpy(), 67 * curve.bias[0], rtol=1e-6)


def test_clusters_and_spreads(newcomb):
    from hellgan.influence.contamination import foreign

    point = foreign(newcomb, np.array([[10.0]]), "point", None)
    cluster = foreign(newcomb, np.array([[10.0]]), "cluster", 2.0)
    spread = foreign(newcomb, np.array([[10.0]]), "spread", 3.0)
    assert point.rows.tolist() == [[[10.0]]]
    assert cluster.rows.mean() == pytest.approx(10.0)
    assert cluster.rows.std() == pytest.approx(2.0, rel=0.15)  # nine points
    assert (spread.rows.min(), spread.rows.max()) == pytest.approx((7.0, 13.0), abs=0.1)
    assert all(each.weights.sum() == pytest.approx(1.0) for each in (point, cluster, spread))


def test_default_widths_of_clusters_and_spreads(newcomb):
    """A tenth of the robust scale, as nine normal quantiles have it; ten scales, to the middle of the last of 33."""
    from hellgan.influence.contamination import foreign

    (scale,) = newcomb.model.sample.scales
    cluster, spread = (foreign(newcomb, np.array([[10.0]]), kind, None).rows[0] for kind in ("cluster", "spread"))
    assert cluster.std() == pytest.approx(0.1 * scale * special.ndtri((np.arange(9) + 0.5) / 9).std())
    assert (spread.min(), spread.max()) == pytest.approx((10 - scale * 320 / 33, 10 + scale * 320 / 33))


def test_only_responses_are_spread(stackloss):
    from hellgan.influence.contamination import foreign

    points = stackloss.model.x[:2]
    for width in (None, 2.0):
        rows = foreign(stackloss, points, "cluster", width).rows
        np.testing.assert_array_equal(rows[:, :, :2], np.repeat(points[:, None, :2], 9, axis=1))
        assert np.all(rows[:, :, 2].std(axis=1) > 0)


def test_maximum_bias_and_breakdown(influence):
    largest = influence.max_bias([0.05, 0.2])
    assert (largest.loc[0.2, ["loc", "scale"]] > largest.loc[0.05, ["loc", "scale"]]).all()
    found = influence.breakdown(bound=0.2, resolution=0.05)
    assert 0.05 <= found.eps <= 0.5
    before = influence.max_bias([found.eps - 0.05]) if found.eps > 0.051 else None
    reach = influence.fit.reach()
    if before is not None:
        assert before["loc"].iloc[0] < 0.2 * reach[0]
    assert influence.breakdown(bound=1e9, largest=0.1, resolution=0.05).eps == np.inf


def test_moments_break_down_at_once_and_the_default_does_not():
    x = np.random.default_rng(6).normal(0, 1, 128)
    moments = hg.GAN(x, hg.generators.Normal(), hg.discriminators.Polynomial(2), "log").fit().influence()
    default = hg.GAN(x, hg.generators.Normal(), loss="log").fit().influence()
    assert moments.breakdown(bound=0.5).eps < default.breakdown(bound=0.5).eps


# What is refused.


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda i: i.at([np.nan]), "points: some are NaN"),
        (lambda i: i.at([[1.0, 2.0]]), "points: shape"),
        (lambda i: i.at("x"), "points: not numeric"),
        (lambda i: i.at([1.0], under="here"), "under: 'here' is not known"),
        (lambda i: i.leave_one_out("two"), "method: 'two' is not known"),
        (lambda i: i.gross_error_sensitivity("other"), "standardised: 'other' is not known"),
        (lambda i: i.bias_curve([1.0], 1.5), "eps: got 1.5"),
        (lambda i: i.max_bias("a"), "eps: got 'a'"),
        (lambda i: i.bias_curve([1.0], 0.1, kind="cloud"), "kind: 'cloud' is not known"),
        (lambda i: i.bias_curve([1.0], 0.1, estimator="lad"), "estimator: 'lad' is not known"),
        (lambda i: i.decisive("location"), "name: 'location' is no parameter"),
        (lambda i: i.plot("location"), "name: 'location' is no parameter"),
        (lambda i: i.plot_index("leverage"), "y: 'leverage' is no column"),
    ],
)
def test_bad_input(influence, call, message):
    with pytest.raises((ValueError, TypeError), match=message):
        call(influence)


def test_figures(newcomb, influence):
    """They draw what they are given: lines as long as the grid, one a parameter or share."""
    ax = newcomb.plot_influence()
    curves = [line for line in ax.get_lines() if len(line.get_xdata()) == 401]
    assert len(curves) == 2
    np.testing.assert_allclose(curves[0].get_ydata(), influence.at(curves[0].get_xdata())["loc"])
    axes = newcomb.plot_diagnostics()
    assert len(axes) == 4
    band = axes[1].collections[0].get_paths()[0].vertices
    assert band[:, 1].max() <= 1
    curve = influence.bias_curve([0.0, 20.0], [0.02, 0.1])
    ax = curve.plot("scale", beside=[influence.bias_curve([0.0, 20.0], [0.02, 0.1], estimator="ml")])
    assert ax.get_ylabel() == "bias of scale"
    drawn = [np.ravel(line.get_ydata()).tolist() for line in ax.get_lines() if len(line.get_xdata()) == 2]
    assert curve.bias[1, :, 1].tolist() in drawn
    assert {text.get_text() for text in ax.get_legend().get_texts()} == {
        "root", "maximum likelihood", "eps = 0.02", "eps = 0.1"
    }  # fmt: skip
    assert len(influence.plot_index("log_ratio").texts) == 5


def test_the_band_of_the_probability_plot_is_simultaneous():
    """It is wider than the pointwise one and narrower than Kolmogorov's, since parameters are estimated."""
    fit = hg.GAN(np.random.default_rng(8).normal(0, 1, 400), hg.generators.Normal()).fit()
    plot = probability_plot(fit)
    middle = np.nanmax(plot.half_width)
    assert 0.5 * 1.96 * 0.5 / 20 < middle < 1.358 / 20
    assert np.all(np.abs(plot.observed - plot.expected)[np.isfinite(plot.half_width)] < 2 * middle)


def test_probability_plot_with_weights():
    """What weights do to the probabilities, and to the variance of what the observations add."""
    w = np.where(NEWCOMB < 27, 3.0, 1.0)
    w /= w.sum()
    fit = hg.GAN(NEWCOMB, hg.generators.Normal(), weights=w).fit()
    plot = probability_plot(fit)
    points = np.unique(np.quantile(NEWCOMB, np.linspace(0.01, 0.99, 120)))
    below = NEWCOMB[:, None] <= points
    loc, scale = fit.params
    z = (points - loc) / scale
    np.testing.assert_allclose(plot.expected, stats.norm.cdf(z), rtol=1e-9, atol=1e-15)
    np.testing.assert_allclose(plot.observed, w @ below, rtol=1e-12)
    slope = -stats.norm.pdf(z) * np.stack([np.ones_like(z), z]) / scale  # in loc and scale
    rows = below - w @ below - fit.influence().observations[["loc", "scale"]].to_numpy() @ slope
    cov = (w[:, None] * rows).T @ (w[:, None] * rows)
    usable = np.isfinite(plot.half_width)
    assert np.sum(usable) > 0.8 * len(points)
    size = sup_t_quantile(cov[np.ix_(usable, usable)], 0.05)
    np.testing.assert_allclose(plot.half_width[usable], size * np.sqrt(np.diag(cov)[usable]), rtol=1e-6)


def test_probability_plot_of_two_dimensions_with_weights():
    """Of the log ratio, in order; the band is Dvoretzky's, with 1 / sum(w^2) for the number of observations."""
    x, model = hg.datasets.load_stars_cyg(), hg.generators.MultivariateNormal(2)
    w = np.where(x.iloc[:, 0] > x.iloc[:, 0].median(), 3.0, 1.0)
    w /= w.sum()
    fit = hg.GAN(x, model, hg.discriminators.Sigmoids(3, 1e-3), n_simulated=256, weights=w).fit()
    plot = probability_plot(fit, alpha=0.1)
    own = fit.log_ratio(fit.model.x)
    values, counts = np.unique(own, return_counts=True)  # two stars are twice in the data
    last = np.cumsum(counts) - 1
    np.testing.assert_allclose(plot.observed[last], w @ (own[:, None] <= values), rtol=1e-9)
    np.testing.assert_allclose(plot.half_width, np.sqrt(np.log(20) / 2 * np.sum(w**2)), rtol=1e-12)


def test_the_band_of_two_dimensions_is_that_of_dvoretzky_kiefer_and_wolfowitz(stars):
    np.testing.assert_allclose(probability_plot(stars).half_width, np.sqrt(np.log(2 / 0.05) / (2 * 47)), rtol=EXACT)


def test_scores_at_the_data_are_those_of_estfun(newcomb):
    with jax.enable_x64(True):
        game = newcomb.model.game()
        rows = np.asarray(jax.jit(objective.scores)(game, newcomb.saddle.theta, newcomb.saddle.alpha).real)
    np.testing.assert_allclose(newcomb.estfun(), rows[: newcomb.nobs], rtol=EXACT)
