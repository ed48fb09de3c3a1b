"""Kinds of covariance: against statsmodels, by hand at an exact truth; sup-t intervals; the contamination test."""

import os
import warnings
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from replicate import replications
from scipy import special, stats
from tolerance import EXACT, assert_monte_carlo, mcse_proportion
from worlds import LOGISTIC_LOCATION, logistic_features

import hellgan as hg
from hellgan import gan, latents
from hellgan.balance import Balance
from hellgan.cautions import ConvergenceWarning
from hellgan.inference import covariances
from hellgan.inference.contamination_test import contamination
from hellgan.inference.wald import sup_t_quantile
from hellgan.results import GANResults
from hellgan.solver import equations

pytestmark = pytest.mark.filterwarnings("ignore:.*clusters are too few")

# The solver stops at a score norm of 1e-9; the scores' derivatives are about 1 here.
SOLVER = 1e-8
N = 48
RNG = np.random.default_rng(8)
SERIES = 0.3 * np.cumsum(RNG.normal(size=N)) + RNG.normal(size=N)  # serially dependent, skewed groups
FIRMS = np.repeat(np.arange(12), 4)
YEARS = RNG.integers(0, 5, N)
OPTIONS = {
    "sandwich": {},
    "HC1": {},
    "HC3": {},
    "model": {},
    "HAC": {"maxlags": 3},
    "cluster": {"groups": FIRMS},
    "bootstrap": {"replications": 12, "seed": 1},
}


@pytest.fixture(scope="module")
def mean():
    """A game whose estimate is the sample's mean less that of the latents."""
    generator, line = hg.generators.Normal().fix(scale=2.0), hg.discriminators.Polynomial(1)
    return hg.GAN(SERIES, generator, line, "log", n_simulated=64).fit()


@pytest.fixture(scope="module")
def normal():
    """Two parameters, one of them positive."""
    return hg.GAN(SERIES, hg.generators.Normal(), hg.discriminators.Sigmoids(5), "log", n_simulated=64).fit()


# Against statsmodels, where the two must coincide.


def real_part(fit) -> float:
    """Variance of theta that the real sample's scores make."""
    s = fit.sandwich
    inverse = np.linalg.inv(s.bread)
    return (inverse @ s.meat_real @ inverse.T)[0, 0] / s.n


def ols(cov_type, **options) -> float:
    return sm.OLS(SERIES, np.ones(N)).fit(cov_type=cov_type, cov_kwds=options or None).cov_params()[0, 0]


def test_the_estimate_is_the_sample_mean(mean):
    shift = 2.0 * np.mean(latents.draw("sobol", latents.normal, 64, 1, 0)[0])
    assert mean.params["loc"] == pytest.approx(SERIES.mean() - shift, abs=SOLVER)
    np.testing.assert_allclose(mean.influence().observations["loc"], SERIES - SERIES.mean(), atol=SOLVER)


def test_sandwich_is_the_variance_of_a_mean(mean):
    assert real_part(mean) == pytest.approx(SERIES.var(ddof=1) / N, rel=SOLVER)
    assert real_part(mean) == pytest.approx(ols("nonrobust"), rel=SOLVER)


@pytest.mark.parametrize("kernel", covariances.KERNELS)
@pytest.mark.parametrize("maxlags", [1, 5])
def test_hac_is_statsmodels_own(mean, kernel, maxlags):
    expected = ols("HAC", maxlags=maxlags, kernel=kernel, use_correction=False)
    assert real_part(mean.with_cov("HAC", maxlags=maxlags, kernel=kernel)) == pytest.approx(expected, rel=SOLVER)


def test_hac_without_lags_is_that_of_independent_observations(mean):
    assert real_part(mean.with_cov("HAC", maxlags=0)) == pytest.approx(ols("HC0"), rel=SOLVER)


def test_hac_with_bartlett_weights_by_hand(mean):
    """Two lags: g_0 + 2 (2/3 g_1 + 1/3 g_2), g_l the sum of products l apart, over n^2."""
    x = SERIES - SERIES.mean()
    lagged = [np.sum(x[lag:] * x[: N - lag]) for lag in range(3)]
    expected = (lagged[0] + 2 * (2 / 3 * lagged[1] + 1 / 3 * lagged[2])) / N**2
    assert real_part(mean.with_cov("HAC", maxlags=2)) == pytest.approx(expected, rel=SOLVER)


def test_hac_lags_unless_given(mean):
    """4 (48/100)^(2/9) = 3.4, rounded down."""
    without, with_three = mean.with_cov("HAC"), mean.with_cov("HAC", maxlags=3)
    np.testing.assert_array_equal(without.joint_cov(), with_three.joint_cov())
    assert without.covariance.note == with_three.covariance.note == "Bartlett, 3 lags"
    assert mean.with_cov("HAC", kernel="uniform").covariance.note == "uniform, 3 lags"


@pytest.mark.parametrize("ways", [FIRMS, np.column_stack([FIRMS, YEARS])], ids=["one way", "two ways"])
def test_clusters_are_statsmodels_own(mean, ways):
    found = real_part(mean.with_cov("cluster", groups=ways, use_correction=False))
    assert found == pytest.approx(ols("cluster", groups=ways, use_correction=False), rel=SOLVER)


@pytest.mark.parametrize("ways", [FIRMS, np.column_stack([FIRMS, YEARS])], ids=["one way", "two ways"])
def test_clusters_with_the_correction_are_statsmodels_own_but_for_k(mean, ways):
    """Both factors are G/(G - 1) (n - 1)/(n - k): k is 1 in the regression, and 3 with the discriminator's two."""
    found = real_part(mean.with_cov("cluster", groups=ways))
    expected = ols("cluster", groups=ways, use_correction=True)
    assert found * (N - 3) == pytest.approx(expected * (N - 1), rel=SOLVER)


def test_clusters_by_hand(mean):
    """Sums of deviations within each cluster, squared, over n^2."""
    sums = np.asarray(pd.Series(SERIES - SERIES.mean()).groupby(FIRMS).sum())
    found = real_part(mean.with_cov("cluster", groups=FIRMS, use_correction=False))
    assert found == pytest.approx(np.sum(sums**2) / N**2, rel=SOLVER)


def test_names_of_clusters_and_their_container_do_not_matter(mean):
    names = pd.Series([f"firm {k}" for k in FIRMS], index=range(100, 100 + N))
    for groups in (names, names.to_numpy(), names.tolist(), FIRMS[:, None]):
        other = mean.with_cov("cluster", groups=groups)
        np.testing.assert_array_equal(other.joint_cov(), mean.with_cov("cluster", groups=FIRMS).joint_cov())
        assert other.covariance.note == "12 clusters"
    assert mean.with_cov("cluster", groups=np.column_stack([FIRMS, YEARS])).covariance.note == "12 and 5 clusters"


def test_each_its_own_cluster_is_an_uncentred_sum_of_squares(normal):
    """As many clusters as observations: the sandwich but for n/(n - 1)."""
    alone = normal.with_cov("cluster", groups=np.arange(N), use_correction=False)
    np.testing.assert_allclose(alone.sandwich.meat_real, normal.sandwich.meat_real * (N - 1) / N, rtol=1e-9, atol=1e-12)


def test_weighted_observations_enter_by_their_shares():
    """The mean weighted: its variance by clusters is that of the sums of w (x - mean); by lags likewise."""
    weights = np.linspace(1, 3, N)
    w = weights / weights.sum()
    generator, line = hg.generators.Normal().fix(scale=2.0), hg.discriminators.Polynomial(1)
    fit = hg.GAN(SERIES, generator, line, "log", n_simulated=64, weights=weights).fit()
    rows = w * (SERIES - w @ SERIES)
    sums = np.bincount(FIRMS, rows)
    found = fit.with_cov("cluster", groups=FIRMS, use_correction=False)
    assert real_part(found) == pytest.approx(np.sum(sums**2), rel=SOLVER)
    lagged = np.sum(rows**2) + 2 * 0.5 * np.sum(rows[1:] * rows[:-1])
    assert real_part(fit.with_cov("HAC", maxlags=1)) == pytest.approx(lagged, rel=SOLVER)


# Every kind.


@pytest.fixture(scope="module")
def kinds(normal):
    return {kind: normal.with_cov(kind, **options) for kind, options in OPTIONS.items()}


def test_all_kinds_are_tried():
    assert set(OPTIONS) == set(covariances.KINDS)


@pytest.mark.parametrize("kind", covariances.KINDS)
def test_labels_and_blocks(normal, kinds, kind):
    fit = kinds[kind]
    joint, cov = fit.joint_cov(), fit.cov_params()
    names = ["loc", "scale"] + [f"alpha_{k}" for k in range(6)]
    assert list(joint.index) == list(joint.columns) == names
    assert list(cov.index) == list(cov.columns) == names[:2]
    np.testing.assert_array_equal(joint.iloc[:2, :2], cov)
    np.testing.assert_allclose(fit.bse**2, np.diag(cov), rtol=EXACT)
    np.testing.assert_allclose(joint, joint.T, rtol=1e-9, atol=1e-12)
    assert np.linalg.eigvalsh(joint).min() > -1e-9 * np.linalg.eigvalsh(joint).max()
    assert fit.cov_type == kind
    np.testing.assert_array_equal(fit.params, normal.params)
    np.testing.assert_array_equal(fit.bread(), normal.bread())
    assert fit.model is normal.model


@pytest.mark.parametrize("kind", [kind for kind in covariances.KINDS if kind != "bootstrap"])
def test_the_delta_method_links_the_scales(kinds, kind):
    """Of the scale, exp(theta_2): its variance is scale^2 times that of theta_2."""
    fit = kinds[kind]
    slopes = np.diag([1.0, fit.params["scale"]])
    np.testing.assert_allclose(fit.cov_params(), slopes @ fit.covariance.theta @ slopes, rtol=1e-9)
    np.testing.assert_allclose(fit.covariance.theta, fit.sandwich.cov[:2, :2], rtol=EXACT)


@pytest.mark.parametrize("kind", [kind for kind in covariances.KINDS if kind != "sandwich"])
def test_intervals_and_tests_follow_the_covariance(normal, kinds, kind):
    fit = kinds[kind]
    error = fit.bse["loc"]
    assert error != pytest.approx(normal.bse["loc"], rel=1e-4)
    expected = fit.params["loc"] + 1.959963984540054 * error * np.array([-1, 1])
    np.testing.assert_allclose(fit.conf_int().loc["loc"], expected, rtol=1e-10)
    half = 1.959963984540054 * fit.bse["scale"] / fit.params["scale"]
    np.testing.assert_allclose(
        fit.conf_int().loc["scale"], fit.params["scale"] * np.exp(half * np.array([-1, 1])), rtol=1e-10
    )
    assert fit.t_test("loc = 1").statistic.item() == pytest.approx((fit.params["loc"] - 1) / error, rel=1e-10)
    wald = fit.wald_test("loc = 1").statistic
    assert np.asarray(wald).item() == pytest.approx(((fit.params["loc"] - 1) / error) ** 2, rel=1e-10)
    assert fit.tvalues["loc"] == pytest.approx(fit.params["loc"] / error, rel=1e-10)


@pytest.mark.parametrize("kind", covariances.KINDS)
def test_the_meat_is_of_the_kind(normal, kinds, kind):
    """Only leverage, serial dependence and clusters change the scores' part; their simulated part stays."""
    fit = kinds[kind]
    same = np.allclose(fit.meat(), normal.meat(), rtol=1e-6)
    assert same == (kind not in ("HC3", "HAC", "cluster"))
    np.testing.assert_array_equal(fit.sandwich.meat_simulated, normal.sandwich.meat_simulated)
    if not same:
        inverse = np.linalg.inv(fit.bread())
        expected = inverse @ fit.meat().to_numpy() @ inverse.T / N
        np.testing.assert_allclose(fit.sandwich.cov, expected, rtol=1e-6, atol=1e-9)


def test_the_original_stays_as_it_was(normal):
    before = normal.joint_cov().copy()
    for kind, options in OPTIONS.items():
        normal.with_cov(kind, **options)
    pd.testing.assert_frame_equal(normal.joint_cov(), before)
    assert (normal.cov_type, normal.covariance.note) == ("sandwich", "")


def test_options_are_not_used_up(normal):
    options = {"bootstrap": normal.bootstrap(4)}
    for _ in range(2):
        assert normal.with_cov("bootstrap", **options).covariance.note == "4 nonparametric"


@pytest.mark.parametrize("kind", covariances.KINDS)
def test_fit_with_a_kind_is_with_cov(kinds, normal, kind):
    fit = normal.model.fit(cov_type=kind, cov_kwds=OPTIONS[kind])
    assert fit.cov_type == kind
    np.testing.assert_array_equal(fit.joint_cov(), kinds[kind].joint_cov())
    assert fit.covariance.note == kinds[kind].covariance.note


@pytest.mark.parametrize("first", ["HAC", "bootstrap"])
@pytest.mark.parametrize("then", ["sandwich", "HC1", "model", "cluster"])
def test_a_chain_starts_from_the_fits_own_law(kinds, first, then):
    chained = kinds[first].with_cov(then, **OPTIONS[then])
    np.testing.assert_array_equal(chained.joint_cov(), kinds[then].joint_cov())


@pytest.mark.parametrize("kind", covariances.KINDS)
def test_files_keep_the_kind(kinds, kind, tmp_path):
    fit = kinds[kind]
    fit.save(tmp_path / "fit.npz")
    again = hg.load(tmp_path / "fit.npz")
    assert (again.cov_type, again.covariance.note) == (kind, fit.covariance.note)
    pd.testing.assert_frame_equal(again.joint_cov(), fit.joint_cov(), check_exact=True)
    pd.testing.assert_frame_equal(again.conf_int(), fit.conf_int(), check_exact=True)
    pd.testing.assert_frame_equal(again.meat(), fit.meat(), check_exact=True)
    np.testing.assert_array_equal(again.covariance.theta, fit.covariance.theta)
    assert again.law.sandwich is not None
    np.testing.assert_array_equal(again.law.sandwich.cov, fit.law.sandwich.cov)
    np.testing.assert_array_equal(again.with_cov("sandwich").joint_cov(), kinds["sandwich"].joint_cov())


def test_the_summary_tells_the_kind(kinds):
    for kind, note in {"HC1": "n/(n - 8)", "HAC": "Bartlett, 3 lags", "cluster": "12 clusters"}.items():
        printed = str(kinds[kind].summary())
        assert f"{kind} ({note})" in printed
        assert ("Prob(overid.)" in printed) == (kind == "HC1")  # its law is of independent observations


def test_hc1_by_hand(normal, kinds):
    """48/(48 - 8): two parameters, five features, the intercept."""
    np.testing.assert_allclose(kinds["HC1"].joint_cov(), normal.joint_cov() * 48 / 40, rtol=EXACT)
    np.testing.assert_array_equal(normal.with_cov("sandwich", correction="HC1").joint_cov(), kinds["HC1"].joint_cov())
    assert normal.with_cov("sandwich", correction=None).cov_type == "sandwich"
    assert normal.with_cov("sandwich", correction="HC1").cov_type == "HC1"
    # tests that ask for the kind get the corrected covariance either way
    asked = [each.score_test("loc = 0") for each in (normal.with_cov("sandwich", correction="HC1"), kinds["HC1"])]
    assert asked[0].statistic == asked[1].statistic


def test_hac_correction_by_hand(normal, kinds):
    """The same factor, on the real sample's part alone."""
    plain, corrected = kinds["HAC"].sandwich, normal.with_cov("HAC", maxlags=3, use_correction=True).sandwich
    np.testing.assert_allclose(corrected.meat_real, plain.meat_real * 48 / 40, rtol=EXACT)
    np.testing.assert_array_equal(corrected.meat_simulated, plain.meat_simulated)


# Under a correct model: the data are the simulated sample.


def at_the_truth(loss: str | hg.Loss = "log", ridge=0.0, n=64):
    x = latents.draw("iid", LOGISTIC_LOCATION.law, n, 1, 5)[0, :, 0]
    features = hg.discriminators.Features(logistic_features, ridge)
    return hg.GAN(x, LOGISTIC_LOCATION, features, loss, latent="iid", n_simulated=n, seed=5).fit()


@pytest.fixture(scope="module")
def truth():
    return at_the_truth()


def by_hand(fit, c, ridge=0.0, ddof=1):
    """(3) and its discriminator's part, n = m: 2/n times the law of the quadratic game's solution.

    ``ddof`` is that of C in K; the noise is estimated without bias.
    """
    z = fit.model.x
    phi, slope = np.stack([z, np.tanh(z / 2)]), np.array([1.0, np.mean(1 - np.tanh(z / 2) ** 2) / 2])
    cov = np.cov(phi)
    k = np.linalg.inv(c * np.cov(phi, ddof=ddof) + 2 * ridge * np.eye(2))
    of_theta = slope @ k / (slope @ k @ slope)
    of_alpha = c * k @ (np.eye(2) - np.outer(slope, of_theta))
    of_all = np.stack([of_theta, -phi.mean(axis=1) @ of_alpha, *of_alpha])
    return of_all @ cov @ of_all.T * 2 / len(z), phi.mean(axis=1), slope, cov


@pytest.mark.parametrize(("loss", "c"), [("log", 0.5), ("root", 2**-1.5), ("log_ns", 0.5)])
def test_under_the_model_by_hand(loss, c):
    """(1 + n/m) (J' C^-1 J)^-1/n of theta, W of alpha, nothing between them; the same for every loss."""
    fit = at_the_truth(loss)
    np.testing.assert_allclose([*fit.params, *fit.saddle.alpha], 0.0, atol=SOLVER)
    joint = fit.with_cov("model").joint_cov().to_numpy()
    expected, mean, slope, cov = by_hand(fit, c)
    information = slope @ np.linalg.solve(cov, slope)
    assert joint[0, 0] == pytest.approx(2 / 64 / information, rel=SOLVER)
    w = np.linalg.inv(cov)
    w = w - np.outer(w @ slope, w @ slope) / information
    np.testing.assert_allclose(joint[2:, 2:], 2 / 64 * w, atol=1e-9)
    np.testing.assert_allclose(joint[0, 1:], 0.0, atol=1e-9)
    np.testing.assert_allclose(joint[1], -mean @ joint[2:], atol=1e-9)
    np.testing.assert_allclose(joint, expected, atol=1e-9)
    sizes = np.linalg.eigvalsh(joint[1:, 1:])
    assert np.sum(sizes > 1e-8 * sizes[-1]) == 1  # q - p


@pytest.mark.parametrize("ridge", [0.0, 0.3])
def test_under_the_model_with_a_ridge(ridge):
    """The quadratic game by NumPy; and the sandwich, since the model is right: only its bread has 1/n in C."""
    fit = at_the_truth("root", ridge)
    joint = fit.with_cov("model").joint_cov()
    np.testing.assert_allclose(joint, by_hand(fit, 2**-1.5, ridge)[0], atol=1e-9)
    np.testing.assert_allclose(fit.joint_cov(), by_hand(fit, 2**-1.5, ridge, ddof=0)[0], atol=1e-8)


def test_sobol_points_add_next_to_nothing_under_the_model():
    """(3) without the factor 1 + n/m, C that of the simulated sample."""
    x = np.random.default_rng(2).logistic(size=64)
    features = hg.discriminators.Features(logistic_features)
    fit = hg.GAN(x, LOGISTIC_LOCATION, features, "log", n_simulated=256).fit()
    z = fit.params["loc"] + latents.draw("sobol", LOGISTIC_LOCATION.law, 256, 1, 0)[0, :, 0]
    slope, cov = np.array([1.0, np.mean(1 - np.tanh(z / 2) ** 2) / 2]), np.cov([z, np.tanh(z / 2)])
    expected = 1 / (slope @ np.linalg.solve(cov, slope)) / 64
    assert fit.with_cov("model").bse["loc"] ** 2 == pytest.approx(expected, rel=0.02)  # n R beside C


def test_degenerate_directions_have_no_variance(truth):
    frame = truth.with_cov("model").degenerate_directions()
    assert list(frame.index) == ["mean", "loc"]
    assert list(frame.columns) == ["estimate", "std err", "relative", "alpha_0", "alpha_1", "alpha_2"]
    _, mean, slope, _ = by_hand(truth, 0.5)
    np.testing.assert_allclose(frame.iloc[0, 3:].astype(float), [1, *mean], rtol=1e-8)
    np.testing.assert_allclose(frame.iloc[1, 3:].astype(float), [0, *slope], rtol=1e-8)
    rows, cov = frame.iloc[:, 3:].to_numpy(), truth.with_cov("model").joint_cov().iloc[1:, 1:].to_numpy()
    variances = np.einsum("ri,ij,rj->r", rows, cov, rows)
    assert np.all(np.abs(variances) < 1e-8 * np.einsum("ri,i,ri->r", rows, np.diag(cov), rows))
    np.testing.assert_allclose(frame["std err"], 0.0, atol=1e-7)
    np.testing.assert_allclose(frame["estimate"], 0.0, atol=SOLVER)


def test_degenerate_directions_of_a_fit(normal):
    """Their errors are those of joint_cov; beside what they would be were theta known they are small."""
    frame = normal.degenerate_directions()
    assert list(frame.index) == ["mean", *normal.generator.free_names]
    rows, cov = frame.filter(like="alpha").to_numpy(), normal.joint_cov().iloc[2:, 2:].to_numpy()
    np.testing.assert_allclose(frame["std err"] ** 2, np.einsum("ri,ij,rj->r", rows, cov, rows), rtol=1e-6)
    np.testing.assert_allclose(frame["estimate"], rows @ normal.saddle.alpha, rtol=1e-9)
    assert np.isnan(frame["relative"].iloc[0])
    assert np.all(frame["relative"].iloc[1:] < 0.5)


def test_relative_errors_of_degenerate_directions_by_hand():
    """Beside those with theta known, n = m and a ridge: 2/n times c^2 K C K, C of the two samples together."""
    sigmoids = hg.discriminators.Sigmoids(5, 0.05)
    fit = hg.GAN(SERIES, hg.generators.Normal(), sigmoids, "log", latent="iid", n_simulated=N).fit()
    frame, features = fit.degenerate_directions(), fit.equations.features
    simulated = fit.params["loc"] + fit.params["scale"] * fit.model.game().z[:N]
    cov = (np.cov(features(SERIES[:, None]), rowvar=False) + np.cov(features(simulated), rowvar=False)) / 2
    k = np.linalg.inv(0.5 * cov + 2 * np.diag(fit.model.basis.ridge[1:]))
    rows = frame.filter(regex="alpha_[1-9]").to_numpy()[1:]
    known = np.sqrt(2 / N * np.einsum("ri,ij,rj->r", rows, 0.5**2 * k @ cov @ k, rows))
    np.testing.assert_allclose(frame["relative"].iloc[1:], frame["std err"].iloc[1:] / known, rtol=1e-6)


# What is refused.


@pytest.mark.parametrize(
    ("kind", "options", "words"),
    [
        ("HC2", {}, "'HC2' is not known; give one of sandwich, HC1, HC3, model, HAC, cluster, bootstrap"),
        (None, {}, "None is not known"),
        ("sandwich", {"correction": "HC2"}, "'HC2' is not known; give 'HC1', 'HC3' or None"),
        ("sandwich", {"maxlags": 2}, "'sandwich' does not take maxlags; its options are correction"),
        ("HC1", {"groups": FIRMS}, "'HC1' does not take groups; its options are none"),
        ("model", {"ridge": 1}, "'model' does not take ridge"),
        ("HAC", {"lags": 2}, "'HAC' does not take lags; its options are maxlags, kernel and use_correction"),
        ("cluster", {"group": FIRMS}, "'cluster' does not take group; its options are groups and use_correction"),
        ("HAC", {"kernel": "parzen"}, "'parzen' is not known; give one of bartlett, uniform"),
        ("HAC", {"kernel": None}, "kernel: None is not known"),
        ("HAC", {"maxlags": -1}, "maxlags: got -1; give a whole number of lags from 0 to 47"),
        ("HAC", {"maxlags": 48}, "maxlags: got 48"),
        ("HAC", {"maxlags": 2.0}, "maxlags: got 2.0"),
        ("HAC", {"maxlags": True}, "maxlags: got True"),
        ("cluster", {}, "groups: give the cluster of each observation"),
        ("cluster", {"groups": FIRMS[:-1]}, r"groups: shape \(47,\); give a cluster, or two, for each of the 48"),
        ("cluster", {"groups": np.ones((N, 3))}, r"groups: shape \(48, 3\)"),
        ("cluster", {"groups": 3}, r"groups: shape \(\)"),
        ("cluster", {"groups": np.where(FIRMS > 3, FIRMS, np.nan)}, "groups: some are missing"),
        ("cluster", {"groups": np.zeros(N)}, "groups: all observations are in one cluster"),
        ("cluster", {"groups": np.column_stack([FIRMS, np.zeros(N)])}, "groups: all observations are in one cluster"),
    ],
)
def test_with_cov_refuses(mean, kind, options, words):
    with pytest.raises(ValueError, match=words):
        mean.with_cov(kind, **options)


def test_fit_refuses_an_unknown_kind_before_it_begins(mean, monkeypatch):
    monkeypatch.setattr(equations, "solve_saddle", None)
    with pytest.raises(ValueError, match="'HC2' is not known"):
        mean.model.fit(cov_type="HC2")


def test_the_model_kind_needs_a_calibrated_loss():
    quadratic = hg.Loss(lambda v: v - v**2 / 2, lambda v: -v - v**2 / 2)
    fit = at_the_truth(quadratic)
    with pytest.raises(ValueError, match=r"the optimum of the loss .* is not the log density ratio"):
        fit.with_cov("model")


def test_hc1_needs_more_observations_than_parameters():
    """Two observations that count, for three parameters: theta, the intercept and one slope."""
    generator, line = hg.generators.Normal().fix(scale=2.0), hg.discriminators.Polynomial(1)
    weights = np.full(N, 1e-4)
    weights[:2] = 1.0
    fit = hg.GAN(SERIES, generator, line, "log", n_simulated=64, weights=weights).fit()
    with pytest.raises(ValueError, match="HC1: 2 observations for 3 parameters of both players"):
        fit.with_cov("HC1")


def test_a_fit_without_a_law_has_no_covariance_of_any_kind(mean):
    law = mean.law._replace(sandwich=None, trouble="the score norm is 1")
    fit = GANResults(mean.model, mean.saddle, law)
    assert not fit.converged
    for kind in ("sandwich", "HC1", "model", "HAC"):
        with pytest.raises(ValueError, match="the fit has none, since the score norm is 1"):
            fit.with_cov(kind)
    with pytest.raises(ValueError, match="the fit has none, since the score norm is 1"):
        fit.degenerate_directions()


def test_fit_that_fails_warns_whatever_the_kind(mean, monkeypatch):
    law = mean.law._replace(sandwich=None, trouble="the score norm is 1")
    monkeypatch.setattr(gan, "law", lambda *_: law)
    with pytest.warns(ConvergenceWarning, match="the score norm is 1"):
        fit = mean.model.fit(cov_type="HAC", cov_kwds={"maxlags": 2})
    assert fit.bse.isna().all()


@pytest.mark.slow
def test_a_hidden_layer_has_bootstrap_errors_and_no_joint_law(tmp_path):
    network = hg.discriminators.MLP(4, ridge=1e-3)
    fit = hg.GAN(hg.datasets.load_newcomb(), hg.generators.Normal(), network, "log", n_simulated=64).fit()
    for kind in ("sandwich", "HC1", "model", "HAC", "cluster"):
        with pytest.raises(ValueError, match="hidden layer is not identified"):
            fit.with_cov(kind, **OPTIONS[kind])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # a network's refits may fail
        drawn = fit.bootstrap(8)
    with_errors = fit.with_cov("bootstrap", bootstrap=drawn)
    np.testing.assert_allclose(with_errors.bse, drawn.bse, rtol=EXACT)
    assert np.all(with_errors.bse > 0.1)
    assert np.all(np.isfinite(with_errors.conf_int()))
    for each in (fit, with_errors):
        with pytest.raises(ValueError, match="hidden layer is not identified"):
            each.joint_cov()
    with_errors.save(tmp_path / "fit.npz")
    again = hg.load(tmp_path / "fit.npz")
    assert (again.cov_type, again.sandwich) == ("bootstrap", None)
    pd.testing.assert_frame_equal(again.cov_params(), with_errors.cov_params(), check_exact=True)


# Simultaneous intervals.

# Quasi-random points give the quantile to about .003.
QUANTILE = 0.01


def test_sup_t_of_one_parameter_is_the_normal_quantile():
    for alpha in (0.05, 0.2):
        expected = special.ndtri(1 - alpha / 2)
        assert sup_t_quantile(np.array([[3.0]]), alpha) == pytest.approx(expected, abs=QUANTILE)


def test_sup_t_of_uncorrelated_parameters_is_sidaks():
    """P(max |z| < q) = (2 Phi(q) - 1)^k: 2.2365 for two at 5 %."""
    for k in (2, 5):
        expected = special.ndtri((1 + 0.95 ** (1 / k)) / 2)
        assert sup_t_quantile(np.diag(np.arange(1.0, k + 1)), 0.05) == pytest.approx(expected, abs=QUANTILE)
    assert special.ndtri((1 + 0.95**0.5) / 2) == pytest.approx(2.2365, abs=5e-5)


def test_sup_t_of_perfectly_correlated_parameters_is_that_of_one():
    root = np.array([2.0, -1.0, 5.0])
    assert sup_t_quantile(np.outer(root, root), 0.05) == pytest.approx(1.96, abs=QUANTILE)


def test_sup_t_of_correlated_parameters():
    """Correlation .8: the quantile where the bivariate normal law of a square is .95, by SciPy."""
    cov = np.array([[1.0, 0.8], [0.8, 1.0]])
    q = sup_t_quantile(cov, 0.05)
    law = stats.multivariate_normal(cov=cov)  # pyright: ignore[reportArgumentType]
    assert law.cdf([q, q], lower_limit=[-q, -q]) == pytest.approx(0.95, abs=2e-3)  # density times QUANTILE


def test_sup_t_without_a_variance_is_nan():
    assert np.isnan(sup_t_quantile(np.array([[1.0, 0.0], [0.0, 0.0]]), 0.05))


def test_sup_t_intervals_hold_for_the_chosen_parameters(normal):
    both, wald = normal.conf_int(method="sup-t"), normal.conf_int()
    quantile = sup_t_quantile(normal.cov_params().to_numpy(), 0.05)
    assert quantile > 2.1
    half = (both.loc["loc", "upper"] - both.loc["loc", "lower"]) / 2
    assert half == pytest.approx(quantile * normal.bse["loc"], rel=1e-10)
    alone = normal.conf_int(method="sup-t", cols="scale")
    assert list(alone.index) == ["scale"]
    np.testing.assert_allclose(alone, wald.loc[["scale"]], atol=QUANTILE * normal.bse["scale"])
    turned = normal.conf_int(method="sup-t", cols=["scale", "loc"])
    assert list(turned.index) == ["scale", "loc"]
    # The same law, but other points.
    np.testing.assert_allclose(turned, both.loc[["scale", "loc"]], atol=QUANTILE * normal.bse.max())


# Contamination.


def test_contamination_by_hand():
    """C = I, J = (1, 0): W is diag(0, 1), the statistic root(s) |delta_2|, its share delta_2 over the feature."""
    of = Balance(np.eye(2), np.eye(2), 100.0, np.array([[1.0], [0.0]]), np.zeros(2))
    delta, mean = np.array([0.7, -0.2]), np.array([0.5, 1.0])
    points = np.array([[0.0], [1.0], [2.0]])
    features = np.array([[3.0, 3.0], [9.0, 0.5], [4.0, 1.0]])  # the last: none but what theta accounts for
    test = contamination(of, 0.5, delta, features, mean, points)
    assert test.statistic == pytest.approx(2.0, rel=1e-9)
    assert test.point == 1.0
    assert test.share == pytest.approx(-0.2 / -0.5, rel=1e-9)
    assert test.share_error == pytest.approx(0.1 / 0.5, rel=1e-9)
    # Points on either side: P(|z| > 2). The p-value is a mean over 2^14 Sobol points.
    assert test.pvalue == pytest.approx(2 * stats.norm.sf(2.0), abs=5e-4)
    one_sided = contamination(of, 0.5, delta, features[1:], mean, points[1:])
    assert one_sided.pvalue == pytest.approx(stats.norm.sf(2.0), abs=5e-4)
    other_side = contamination(of, 0.5, delta, features[:1], mean, points[:1])
    assert other_side.statistic == pytest.approx(-2.0, rel=1e-9)
    assert other_side.pvalue == pytest.approx(stats.norm.cdf(2.0), abs=5e-4)


@pytest.mark.parametrize("ridge", [0.0, 0.4])
def test_contamination_by_linear_algebra_and_simulation(ridge):
    """Three features, one parameter: F = P'KP written out, and the law of the maximum by simulating delta."""
    rng = np.random.default_rng(9)
    root, slope, c = rng.normal(size=(3, 3)), rng.normal(size=(3, 1)), 0.5
    cov, s = root @ root.T, 80.0
    of = Balance(cov, 1.3 * cov, s, slope, np.full(3, ridge))
    features, mean, delta = rng.normal(size=(5, 3)), rng.normal(size=3), 0.2 * rng.normal(size=3)
    k = np.linalg.inv(c * cov + 2 * ridge * np.eye(3))
    project = np.eye(3) - slope @ np.linalg.solve(slope.T @ k @ slope, slope.T @ k)
    form, towards = project.T @ k @ project, features - mean
    sizes = np.sqrt(np.einsum("ki,ij,kj->k", towards @ form, 1.3 * cov, towards @ form))
    statistics = np.sqrt(s) * towards @ form @ delta / sizes
    best = np.argmax(statistics)
    test = contamination(of, c, delta, features, mean, np.arange(5.0)[:, None])
    assert test.statistic == pytest.approx(statistics[best], rel=1e-8)
    assert test.point == best
    share = towards[best] @ form @ delta / (towards[best] @ form @ towards[best])
    assert test.share == pytest.approx(share, rel=1e-8)
    assert test.share / test.share_error == pytest.approx(test.statistic, rel=1e-8)
    draws = rng.multivariate_normal(np.zeros(3), 1.3 * cov, 200_000)
    simulated = np.mean(np.max(draws @ form @ towards.T / sizes, axis=1) >= statistics[best])
    assert 0.02 < simulated < 0.98
    # Beside the simulation's own error that of 2^14 Sobol points.
    assert_monte_carlo(test.pvalue, simulated, mcse_proportion(0.5, 200_000), resolution=0.01, bias=3e-3)


@pytest.fixture(scope="module")
def clean():
    return np.random.default_rng(1).normal(size=500)


def test_contamination_is_found_where_it_is(clean):
    x = clean.copy()
    x[:25] = np.random.default_rng(2).normal(5, 0.3, 25)
    fit = hg.GAN(x, hg.generators.Normal(), loss="log").fit()
    test = fit.contamination_test()
    assert test.pvalue < 0.01
    assert test.point == pytest.approx(5.0, abs=0.5)
    # Features with knots among the planted points tell the point looked at from its neighbours.
    assert 4 * test.share_error < test.share < 0.05
    at = fit.contamination_test([5.0])
    assert at.point == 5.0
    assert at.share == pytest.approx(0.05, abs=3 * at.share_error)
    assert at.share_error < 0.01


def test_contamination_is_not_found_in_a_clean_sample(clean):
    test = hg.GAN(clean, hg.generators.Normal(), loss="log").fit().contamination_test()
    assert test.pvalue > 0.1


@pytest.mark.slow
@pytest.mark.montecarlo
def test_sizes_at_five_percent():
    """N(0, 1) data, n = 500, default discriminator: either test rejects a right model in 5 % of the samples."""
    count = replications(500, 250)

    def one(r):
        x = np.random.default_rng([77, r]).normal(size=500)
        fit = hg.GAN(x, hg.generators.Normal(), loss="log", seed=r).fit()
        return fit.overidentification_test().pvalue, fit.contamination_test().pvalue

    with warnings.catch_warnings(), ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        warnings.filterwarnings("ignore", message=".*GAN", category=UserWarning)
        pvalues = np.array(list(pool.map(one, range(count))))
    mcse = mcse_proportion(0.05, count)
    assert_monte_carlo(np.mean(pvalues <= 0.05, axis=0), [0.05, 0.05], [mcse, mcse], resolution=0.07)


@pytest.mark.filterwarnings("default:.*clusters are too few")
def test_few_clusters_are_warned_of():
    fit = hg.GAN(np.random.default_rng(1).normal(size=60), hg.generators.Normal()).fit()
    with pytest.warns(UserWarning, match="2 clusters are too few"):
        fit.with_cov("cluster", groups=np.arange(60) % 2)
