"""What a fit says: estimates, tests, the joint law, outliers, tables, files."""

import dataclasses
import inspect
import json
import os
import pickle
import re
import stat
import traceback
import zipfile
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest
from scipy import stats
from statsmodels.base.model import LikelihoodModelResults
from tolerance import EXACT

import hellgan as hg
from hellgan import inference, objective
from hellgan.cautions import ConvergenceWarning
from hellgan.results import storage
from hellgan.solver import equations

PACKAGE = Path(hg.__file__).parent
NEWCOMB, STARS = hg.datasets.load_newcomb(), hg.datasets.load_stars_cyg()
N = len(NEWCOMB)
SLOW = pytest.mark.slow
LOSSES = ("root", "log", pytest.param("hellinger", marks=SLOW), pytest.param("root_ns", marks=SLOW))
Z = stats.norm.ppf(0.975)

# The solver stops at a score norm of 1e-9 and Newton's steps are quadratic there: ten times that, relative.
SOLVER = 1e-8


@pytest.fixture(scope="module")
def newcomb():
    return hg.GAN(NEWCOMB, hg.generators.Normal()).fit()


@pytest.fixture(scope="module")
def stars():
    return hg.GAN(STARS, hg.generators.MultivariateNormal(2)).fit()


def user_draw(z, shift, spread):
    return shift + spread * z


user_generator = hg.generator(shift=hg.real(), spread=hg.positive())(user_draw)
user_loss = hg.Loss(real=hg.losses.root.real, name="mine", concave=False)
user_discriminator = hg.discriminators.Features(
    lambda x: jnp.tanh((x - 27.0) / jnp.array([2.0, 5.0, 12.0])), ridge=1e-6
)


@pytest.fixture(scope="module")
def own():
    """Fit with a generator, a discriminator and a loss that hellgan does not know."""
    return hg.GAN(NEWCOMB, user_generator, user_discriminator, user_loss).fit()


def sentence(error, *kinds):
    """Check that an exception of hellgan's own holds one sentence; give it."""
    message = str(error.value)
    assert type(error.value) in kinds
    assert Path(traceback.extract_tb(error.tb)[-1].filename).is_relative_to(PACKAGE)
    assert "\n" not in message
    assert message.endswith(".")
    assert not re.search(r"[.!?]\s", message)
    return message


# Newcomb and starsCYG: what must hold.


@pytest.mark.parametrize("loss", LOSSES)
def test_newcomb(loss):
    """The centre of 64 of the 66 measurements; both gross errors are flagged, and nothing else."""
    result = hg.GAN(NEWCOMB, hg.generators.Normal(), loss=loss).fit()
    assert result.converged
    assert abs(result.params["loc"] - 27.7) < 0.6
    assert 4.2 < result.params["scale"] < 5.8
    assert 0.5 < result.bse["loc"] < 0.9
    assert result.outliers().tolist() == [5, 9]  # the more extreme one, -44, first
    assert NEWCOMB[result.outliers()].tolist() == [-44, -2]


def test_maximum_likelihood_is_lost_on_newcomb():
    """The same game with Polynomial(2) is maximum likelihood's own view: 26.21 and 10.66."""
    assert NEWCOMB.mean() == pytest.approx(26.212, abs=5e-4)
    assert NEWCOMB.std() == pytest.approx(10.664, abs=5e-4)


def test_stars_cyg(stars):
    """The four giants first, then the three that lie between; maximum likelihood's correlation is -.21."""
    assert sorted(stars.outliers()[:4] + 1) == [11, 20, 30, 34]
    assert sorted(stars.outliers()[4:] + 1) == [7, 9, 14]
    assert 0.5 < stars.params["corr_12"] < 0.85
    assert np.corrcoef(STARS.T)[0, 1] == pytest.approx(-0.21, abs=0.005)


# statsmodels' contract.


def test_is_a_result_of_statsmodels(newcomb):
    assert isinstance(newcomb, LikelihoodModelResults)
    assert isinstance(newcomb, hg.GANResults)
    assert newcomb.df_resid == np.inf
    assert newcomb.use_t is False
    assert not hasattr(newcomb, "llf")
    assert (newcomb.nobs, newcomb.n_simulated) == (66, 1024)


def test_labels(newcomb, stars):
    assert list(newcomb.params.index) == ["loc", "scale"]
    names = ["loc_1", "loc_2", "scale_1", "scale_2", "corr_12"]
    for series in (stars.params, stars.bse, stars.tvalues, stars.pvalues):
        assert list(series.index) == names
    cov = stars.cov_params()
    assert list(cov.index) == list(cov.columns) == names
    np.testing.assert_allclose(stars.bse**2, np.diag(cov), rtol=EXACT)
    np.testing.assert_array_equal(cov, cov.T)
    assert np.all(np.linalg.eigvalsh(cov) > 0)


def test_intervals_by_hand(newcomb):
    """By hand: loc +- z se; scale exp(log scale +- z se / scale), which is not scale +- z se."""
    (loc, scale), (se_loc, se_scale) = newcomb.params, newcomb.bse
    for alpha in (0.05, 0.1, 0.4):
        z = stats.norm.ppf(1 - alpha / 2)
        frame = newcomb.conf_int(alpha=alpha)
        assert list(frame.columns) == ["lower", "upper"]
        assert list(frame.index) == ["loc", "scale"]
        np.testing.assert_allclose(frame.loc["loc"], [loc - z * se_loc, loc + z * se_loc], rtol=EXACT)
        factor = np.exp(z * se_scale / scale)
        np.testing.assert_allclose(frame.loc["scale"], [scale / factor, scale * factor], rtol=EXACT)
    pd.testing.assert_frame_equal(newcomb.conf_int(), newcomb.conf_int(alpha=0.05))


def test_intervals_of_correlations_stay_inside(stars):
    frame = stars.conf_int(alpha=1e-9)
    assert -1 < frame.loc["corr_12", "lower"] < frame.loc["corr_12", "upper"] < 1
    assert (frame.loc[["scale_1", "scale_2"], "lower"] > 0).all()


def test_intervals_of_some_parameters(newcomb):
    whole = newcomb.conf_int()
    for cols in ("scale", ["scale"], 1, [1], np.array([1]), -0 + 1):
        pd.testing.assert_frame_equal(newcomb.conf_int(cols=cols), whole.loc[["scale"]])
    pd.testing.assert_frame_equal(newcomb.conf_int(cols=["scale", "loc"]), whole.loc[["scale", "loc"]])


@pytest.mark.parametrize("alpha", [0, 1, 0.0, 1.0, -0.1, 1.5, 95, np.nan, "0.05", None, True])
def test_refuses_levels(newcomb, alpha):
    for call in (newcomb.conf_int, newcomb.tidy, newcomb.summary):
        with pytest.raises(ValueError) as error:  # noqa: PT011  (the sentence is checked below)
            call(alpha)
        assert sentence(error, ValueError).startswith("alpha:")


@pytest.mark.parametrize("cols", ["foo", ["loc", "foo"], [2], 7])
def test_refuses_columns(newcomb, cols):
    with pytest.raises(ValueError) as error:  # noqa: PT011
        newcomb.conf_int(cols=cols)
    assert sentence(error, ValueError).startswith("cols:")


def test_scale_is_not_tested_against_zero(newcomb, stars):
    """Zero is no possible scale; a correlation may be 0."""
    np.testing.assert_array_equal(np.isnan(newcomb.tvalues), [False, True])
    np.testing.assert_array_equal(np.isnan(newcomb.pvalues), [False, True])
    np.testing.assert_array_equal(np.isnan(stars.tvalues), [False, False, True, True, False])
    ratio = stars.params["corr_12"] / stars.bse["corr_12"]
    assert stars.tvalues["corr_12"] == pytest.approx(ratio, rel=EXACT)
    assert stars.pvalues["corr_12"] == pytest.approx(2 * stats.norm.sf(ratio), rel=1e-10)


def test_covariance_of_combinations(stars):
    r = np.array([[1.0, -1.0, 0, 0, 0], [0, 0, 0, 0, 2.0]])
    cov = stars.cov_params().to_numpy()
    np.testing.assert_allclose(stars.cov_params(r_matrix=r), r @ cov @ r.T, rtol=EXACT)
    assert stars.cov_params(column=4) == pytest.approx(cov[4, 4], rel=EXACT)


def test_t_test_by_hand(newcomb):
    z = (newcomb.params["loc"] - 27) / newcomb.bse["loc"]
    p = 2 * stats.norm.sf(abs(z))
    for hypothesis in ("loc = 27", ([1, 0], 27), (np.array([[1.0, 0.0]]), np.array([27.0]))):
        test = newcomb.t_test(hypothesis)
        assert np.squeeze(test.statistic) == pytest.approx(z, rel=1e-10)
        assert np.squeeze(test.pvalue) == pytest.approx(p, rel=1e-10)
        np.testing.assert_allclose(
            np.squeeze(test.conf_int()), newcomb.params["loc"] + Z * newcomb.bse["loc"] * np.array([-1, 1]), rtol=1e-10
        )


def test_t_test_of_several_and_of_combinations(newcomb):
    both = newcomb.t_test("loc = 27, scale = 5")
    np.testing.assert_allclose(np.squeeze(both.effect), newcomb.params, rtol=EXACT)
    np.testing.assert_allclose(np.squeeze(both.statistic), (newcomb.params - [27, 5]) / newcomb.bse, rtol=1e-10)
    cov = newcomb.cov_params().to_numpy()
    combined = newcomb.t_test("loc - 2*scale = 17")
    assert np.squeeze(combined.sd) == pytest.approx(np.sqrt(cov[0, 0] - 4 * cov[0, 1] + 4 * cov[1, 1]), rel=1e-10)


def test_log_ratios_are_the_datas_unless_points_are_given(newcomb):
    np.testing.assert_array_equal(newcomb.log_ratio(), newcomb.log_ratio(NEWCOMB))
    np.testing.assert_array_equal(newcomb.prob_real(), newcomb.outlier_scores())


def test_wald_test_by_hand(newcomb):
    difference = newcomb.params.to_numpy() - [27, 5]
    statistic = difference @ np.linalg.solve(newcomb.cov_params().to_numpy(), difference)
    p = stats.chi2.sf(statistic, 2)
    test = newcomb.wald_test("loc = 27, scale = 5")
    assert float(test.statistic) == pytest.approx(statistic, rel=1e-10)
    assert float(test.pvalue) == pytest.approx(p, rel=1e-9)
    # with infinite denominators F times its degrees of freedom is the same test
    for form in (newcomb.f_test("loc = 27, scale = 5"), newcomb.wald_test("loc = 27, scale = 5", use_f=True)):
        assert float(form.statistic) == pytest.approx(statistic / 2, rel=1e-10)
        assert float(form.pvalue) == pytest.approx(p, rel=1e-9)


@pytest.mark.parametrize("hypothesis", ["foo = 27", "loc = ", "", np.eye(3), None, "loc == 27"])
@pytest.mark.parametrize("name", ["t_test", "wald_test", "f_test"])
def test_refuses_hypotheses(newcomb, name, hypothesis):
    with pytest.raises(ValueError) as error:  # noqa: PT011
        getattr(newcomb, name)(hypothesis)
    message = sentence(error, ValueError)
    assert message.startswith("r_matrix:")
    assert "loc, scale" in message


def test_there_is_no_likelihood(newcomb):
    with pytest.raises(AttributeError) as error:
        newcomb.llf  # noqa: B018
    assert sentence(error, AttributeError).startswith("llf:")
    for name in ("aic", "bic", "llnull", "fittedvalues", "resid"):
        assert not hasattr(newcomb, name)


# Every public attribute and what it is called with; a new one fails the test until it is listed.
CALLS = {
    **dict.fromkeys(("bread", "meat", "estfun", "joint_cov", "overidentification_test"), ()),
    **dict.fromkeys(
        ("conf_int", "cov_params", "outliers", "outlier_scores", "outlier_positions", "summary", "tidy", "plot_fit"), ()
    ),
    **dict.fromkeys(("t_test", "wald_test", "f_test"), ("loc = 27",)),
    **dict.fromkeys(("log_ratio", "prob_real"), (NEWCOMB,)),
    "sample": (3,),
    "save": None,  # below
    **dict.fromkeys(("mean", "jackknife", "influence", "degenerate_directions", "contamination_test", "reach"), ()),
    "background_test": (),
    "bulk_test": (),
    **dict.fromkeys(("plot_influence", "plot_diagnostics", "with_cov", "require_law"), ()),
    **dict.fromkeys(("case_columns", "facts", "notes", "compared"), ()),
    **dict.fromkeys(("score_test", "distance_test"), ("loc = 27",)),
    **dict.fromkeys(("quantile", "cdf", "ppf", "sf", "pdf"), ([0.5],)),
    **dict.fromkeys(("var", "std"), ()),
    "functional": (jnp.square,),
    "bootstrap": (8,),
    "plot_profile": ("loc",),
    "reweighted": (np.ones(66),),
    "compare_distance_test": None,  # in test_hypotheses
    **dict.fromkeys(("covariance_matrix", "correlation_matrix", "mahalanobis")),  # in test_functionals
    "of": None,  # below
}
VALUES = {
    *("model", "generator", "params", "saddle", "law", "sandwich", "trouble", "converged", "nobs", "n_simulated"),
    *(
        "bulk_pvalue",
        "df_resid",
        "rows_left_out",
        "cov_type",
        "bse",
        "tvalues",
        "pvalues",
        "use_t",
        *("loc", "scale"),
        "normalized_cov_params",
        "joint_params",
    ),
    *("spaces", "covariance", "score_names", "solution", "equations", "label", "title", "why_no_cov"),
}


def test_every_public_attribute_works_or_says_why_not(newcomb):
    import matplotlib.pyplot as plt

    public = {name for name in dir(newcomb) if not name.startswith("_")}
    assert public == {*CALLS, *VALUES}
    for name in VALUES:
        assert getattr(newcomb, name) is not None
    for name, arguments in CALLS.items():
        if arguments is not None:
            assert getattr(newcomb, name)(*arguments) is not None, name
        assert inspect.getdoc(getattr(type(newcomb), name)), name
    plt.close("all")


def test_a_model_is_fitted_by_its_equations_alone(newcomb):
    """What ``GAN.fit`` gives, from starting values that are given."""
    again = hg.GANResults.of(newcomb.model, newcomb.model.starts()[0])
    assert again.params.equals(newcomb.params)
    assert again.cov_params().equals(newcomb.cov_params())
    with pytest.raises(ValueError, match="theta: GAN brings no starting values; give them, or use its own fit"):
        hg.GANResults.of(newcomb.model)


# Reports.


def test_summary_has_every_item(newcomb):
    text, lower = str(newcomb.summary()), newcomb.conf_int().loc["scale", "lower"]
    for pattern in (
        r"Parametric GAN",
        r"Generator: +Normal\b",
        r"Discriminator: +Sigmoids, 16 features",
        r"Loss: +root\b",
        r"Cov. type: +sandwich",
        r"Observations n: +66\b",
        r"Simulated m: +1024 scrambled Sobol",
        rf"Divergence: +{newcomb.saddle.value - np.sqrt(2):.5f}",  # V at equality is sqrt 2
        r"Overid. test: +\d+\.\d\d",
        rf"Prob\(overid.\): +{newcomb.overidentification_test().pvalue:.3f}",
        r"Converged: +local minimax",
        rf"Iterations: +{newcomb.saddle.iterations} outer, {newcomb.saddle.inner_iterations} inner",
        r"Score norm: +\d\.\de-\d\d",
        r"coef +std err +z +P>\|z\| +\[0.025 +0.975\]",
        rf"loc +{newcomb.params['loc']:.4f} +{newcomb.bse['loc']:.4f} +{newcomb.tvalues['loc']:.3f} +0.000",
        rf"scale +{newcomb.params['scale']:.4f} +{newcomb.bse['scale']:.4f} +{lower:.4f}",
        r"2 observations that the generator does not account for, at 5, 9 \(counted from 0",
    ):
        assert re.search(pattern, text), f"{pattern} not in\n{text}"
    assert re.search(r"\[0.05 +0.95\]", str(newcomb.summary(alpha=0.1)))


def test_html(newcomb):
    html = newcomb._repr_html_()
    assert html.count("<table") == 2
    assert f"{newcomb.params['loc']:.4f}" in html
    assert "at 5, 9 (counted from 0" in html


def test_repr(newcomb):
    text = f"loc {newcomb.params['loc']:.4g}, scale {newcomb.params['scale']:.4g}"
    assert repr(newcomb) == f"<GANResults of <GAN Normal, Sigmoids, root, n = 66, m = 1024>: {text}>"


def test_tidy(newcomb):
    frame = newcomb.tidy(alpha=0.1)
    assert list(frame.columns) == [
        *("term", "estimate", "std_error", "statistic", "p_value", "conf_low", "conf_high"),
    ]
    assert frame["term"].tolist() == ["loc", "scale"]
    np.testing.assert_array_equal(frame["estimate"], newcomb.params)
    np.testing.assert_array_equal(frame["std_error"], newcomb.bse)
    np.testing.assert_array_equal(frame["statistic"], newcomb.tvalues)
    np.testing.assert_array_equal(frame["p_value"], newcomb.pvalues)
    np.testing.assert_array_equal(frame[["conf_low", "conf_high"]], newcomb.conf_int(0.1))


def test_compare(newcomb, stars):
    frame = hg.compare({"light": newcomb, "giants": stars})
    assert list(frame.columns) == ["light", "giants"]
    facts = ["loss", "n", "m", "divergence", "overid. p-value", "bulk p-value", "outliers", "converged"]
    rows = [(name, kind) for name in [*newcomb.params.index, *stars.params.index] for kind in ("coef", "std err")]
    assert list(frame.index) == [*rows, *(("fit", fact) for fact in facts)]
    assert frame.loc[("loc", "coef"), "light"] == newcomb.params["loc"]
    assert frame.loc[("corr_12", "std err"), "giants"] == stars.bse["corr_12"]
    assert np.isnan(frame.loc[("loc", "coef"), "giants"])
    assert frame.loc["fit", "light"].tolist()[:3] == ["root", 66, 1024]
    assert frame.loc[("fit", "outliers")].tolist() == [2, 7]
    assert frame.loc[("fit", "bulk p-value"), "giants"] == stars.bulk_pvalue
    assert frame.loc[("fit", "overid. p-value"), "light"] == newcomb.overidentification_test().pvalue
    assert frame.loc[("fit", "divergence"), "light"] == pytest.approx(newcomb.saddle.value - np.sqrt(2), abs=EXACT)


@pytest.mark.parametrize("fits", [{}, [], None, {"a": 1}])
def test_compare_refuses(fits):
    with pytest.raises(TypeError) as error:
        hg.compare(fits)
    assert sentence(error, TypeError).startswith("compare:")


# The joint law.


def test_joint_labels(newcomb):
    alphas = [f"alpha_{k}" for k in range(17)]
    joint = newcomb.joint_cov()
    assert list(newcomb.joint_params.index) == list(joint.index) == list(joint.columns) == ["loc", "scale", *alphas]
    np.testing.assert_array_equal(newcomb.joint_params, [*newcomb.params, *newcomb.saddle.alpha])
    for frame in (newcomb.bread(), newcomb.meat()):
        assert list(frame.index) == list(frame.columns) == ["loc", "log scale", *alphas]
    assert list(newcomb.estfun().columns) == ["loc", "log scale", *alphas]


def test_joint_covariance_by_hand(newcomb):
    """D A^-1 B A^-T D' / n with D = diag(1, scale, 1, ...): the delta method of scale = exp(theta_2)."""
    a, b = newcomb.bread().to_numpy(), newcomb.meat().to_numpy()
    inverse = np.linalg.inv(a)
    d = np.ones(19)
    d[1] = newcomb.params["scale"]
    by_hand = np.outer(d, d) * (inverse @ b @ inverse.T) / N
    joint = newcomb.joint_cov().to_numpy()
    size = np.sqrt(np.outer(np.diag(by_hand), np.diag(by_hand)))
    # an inverse here, solves there: they differ by rounding times the condition number
    np.testing.assert_allclose(joint / size, by_hand / size, atol=1e-7)
    np.testing.assert_allclose(joint[:2, :2], newcomb.cov_params(), rtol=EXACT)


def test_bread_is_minus_the_jacobian_and_not_inverted(newcomb):
    np.testing.assert_array_equal(newcomb.bread(), -newcomb.saddle.jacobian)
    a = newcomb.bread().to_numpy()
    np.testing.assert_allclose(a, a.T, atol=1e-10 * np.abs(a).max())  # zero-sum: a Hessian
    assert np.all(np.linalg.eigvalsh(a[2:, 2:]) > 0)


def test_meat_of_the_real_sample_by_hand(newcomb):
    """The covariance of the rows of ``estfun``, denominator n - 1; only the simulated part touches theta."""
    rows = newcomb.estfun().to_numpy()
    np.testing.assert_allclose(
        newcomb.sandwich.meat_real, np.cov(rows, rowvar=False), atol=1e-12 * np.abs(newcomb.meat()).to_numpy().max()
    )
    np.testing.assert_array_equal(rows[:, :2], 0.0)
    assert newcomb.meat().loc["loc", "loc"] > 0


def test_mean_scores_balance_the_ridge(newcomb):
    """Mean real + mean simulated score = (0, 2 ridge alpha): the estimating equation itself."""
    game = newcomb.model.game()
    with jax.enable_x64(True):
        scores = jax.device_get(jax.jit(objective.scores)(game, newcomb.saddle.theta, newcomb.saddle.alpha))
    total = newcomb.estfun().mean().to_numpy() + scores.simulated.mean(axis=0)
    wanted = np.r_[0.0, 0.0, 2 * newcomb.model.basis.ridge * newcomb.saddle.alpha]
    np.testing.assert_allclose(total, wanted, atol=SOLVER * max(1.0, np.abs(total).max()))
    assert newcomb.estfun().shape == (N, 19)  # the padding is gone


def test_saddle_value_is_the_objective_by_hand(newcomb):
    """Mean of sqrt(expit(2 v)) over the data plus mean of sqrt(expit(-2 v)) over the fit's own simulations."""
    game, (loc, scale) = newcomb.model.game(), newcomb.params
    real, fake = newcomb.log_ratio(NEWCOMB), newcomb.log_ratio(loc + scale * game.z)
    value = np.mean((1 + np.exp(-2 * real)) ** -0.5) + np.mean((1 + np.exp(2 * fake)) ** -0.5)
    assert newcomb.saddle.value == pytest.approx(value, rel=1e-12)


# Samples and the discriminator's answers.


def test_sample(newcomb, stars):
    draws = newcomb.sample(4000, seed=3)
    assert draws.shape == (4000,)
    assert draws.dtype == np.float64
    np.testing.assert_array_equal(draws, newcomb.sample(4000, seed=3))
    assert not np.any(np.isin(draws, newcomb.sample(4000, seed=4)))
    # a declared failure rate of 1e-6 at a fixed seed
    assert stats.kstest(draws, stats.norm(*newcomb.params).cdf).pvalue > 1e-6
    assert newcomb.sample(np.int64(2)).shape == (2,)
    pairs = stars.sample(4000, seed=3)
    assert pairs.shape == (4000, 2)
    # of the sample correlation: sd (1 - rho^2) / sqrt(4000) < .01
    assert np.corrcoef(pairs.T)[0, 1] == pytest.approx(stars.params["corr_12"], abs=0.05)
    for k in (0, 1):
        law = stats.norm(stars.params.iloc[k], stars.params.iloc[2 + k])
        assert stats.kstest(pairs[:, k], law.cdf).pvalue > 1e-6


@pytest.mark.parametrize("size", [0, -1, 2.5, True, None, "3"])
def test_sample_refuses_sizes(newcomb, size):
    with pytest.raises(ValueError) as error:  # noqa: PT011
        newcomb.sample(size)
    assert sentence(error, ValueError).startswith("size:")


@pytest.mark.parametrize("seed", [-1, 1.5, None, True])
def test_sample_refuses_seeds(newcomb, seed):
    with pytest.raises(TypeError) as error:
        newcomb.sample(3, seed=seed)
    assert sentence(error, TypeError).startswith("seed:")


def test_the_discriminators_answers_agree(newcomb, stars):
    v = newcomb.log_ratio(NEWCOMB)
    np.testing.assert_allclose(newcomb.prob_real(NEWCOMB), 1 / (1 + np.exp(-v)), rtol=EXACT)
    np.testing.assert_array_equal(newcomb.outlier_scores(), newcomb.prob_real(NEWCOMB))
    np.testing.assert_array_equal(newcomb.outlier_scores([0.0, 27.0]), newcomb.prob_real([0.0, 27.0]))
    assert stars.log_ratio(STARS).shape == (47,)
    # v is alpha . features: by hand in NumPy
    basis = newcomb.model.basis
    t = (NEWCOMB[:, None] - basis.center) / basis.scale
    by_hand = newcomb.saddle.alpha[0] + 0.5 * np.tanh(0.5 * (t - basis.knots) / basis.widths) @ newcomb.saddle.alpha[1:]
    np.testing.assert_allclose(v, by_hand, atol=1e-12 * (1 + np.abs(newcomb.saddle.alpha).sum()))


def test_points_in_other_clothes(newcomb):
    v = newcomb.log_ratio(NEWCOMB)
    for x in (NEWCOMB.tolist(), pd.Series(NEWCOMB), NEWCOMB[:, None], NEWCOMB.astype(int)):
        np.testing.assert_array_equal(newcomb.log_ratio(x), v)


@pytest.mark.parametrize("x", ["a", ["a"], 3.0, STARS, [[1.0, 2.0]], {}])
def test_refuses_points(newcomb, x):
    for call in (newcomb.log_ratio, newcomb.prob_real):
        with pytest.raises((TypeError, ValueError)) as error:
            call(x)
        assert sentence(error, TypeError, ValueError).startswith("x:")


def test_outliers_are_those_above_three_quarters(newcomb, stars):
    for result in (newcomb, stars):
        scores, flagged = result.outlier_scores(), result.outliers()
        assert set(flagged) == set(np.flatnonzero(scores > 0.75))
        assert np.all(np.diff(scores[flagged]) <= 0)


# Weights.


def test_equal_weights_change_nothing(newcomb):
    other = hg.GAN(NEWCOMB, hg.generators.Normal(), weights=np.full(N, 7.0)).fit()
    np.testing.assert_allclose(other.params, newcomb.params, rtol=1e-10)  # 1/66 may round otherwise
    np.testing.assert_allclose(other.cov_params(), newcomb.cov_params(), rtol=1e-8)
    assert re.search(r"Observations n: +66 \(weighted\)", str(other.summary()))
    assert "weighted" not in str(newcomb.summary())


def test_weight_zero_is_absence():
    """Knots, standardisation, effective sample size and covariance are those of the sample without the row."""
    # not all equal: quantiles of a weighted sample are defined otherwise than those of an unweighted one
    weights = np.where(np.arange(N) < 32, 1.0, 2.0)
    weights[5] = 0.0
    kept = np.flatnonzero(weights)
    with_zero = hg.GAN(NEWCOMB, hg.generators.Normal(), weights=weights).fit()
    without = hg.GAN(NEWCOMB[kept], hg.generators.Normal(), weights=weights[kept]).fit()
    np.testing.assert_allclose(with_zero.params, without.params, rtol=SOLVER)
    np.testing.assert_allclose(with_zero.cov_params(), without.cov_params(), rtol=1e-6)
    assert with_zero.require_law().n == pytest.approx(99**2 / 167, rel=EXACT)  # (31 + 2 * 34)^2 / (31 + 4 * 34)
    assert with_zero.outlier_scores()[5] > 0.75  # it is still judged


def test_weights_shift_the_estimate(newcomb):
    low = hg.GAN(NEWCOMB, hg.generators.Normal(), weights=np.where(NEWCOMB < 27, 3.0, 1.0)).fit()
    assert low.params["loc"] < newcomb.params["loc"] - 0.5


# Fixed parameters.


@pytest.mark.slow
def test_fixed_parameter():
    result = hg.GAN(NEWCOMB, hg.generators.Normal().fix(scale=5.0)).fit()
    assert list(result.params.index) == list(result.bse.index) == ["loc"]
    assert result.overidentification_test().df == 15
    assert "Held: scale = 5.\n" in f"{result.summary()}\n"
    assert abs(result.params["loc"] - 27.7) < 0.6
    assert np.std(result.sample(4000)) == pytest.approx(5.0, abs=0.3)  # 5 sd / sqrt(8000) = .28


# Files.

KINDS = ("newcomb", "stars", "own", "weighted", "fixed")


@pytest.fixture(scope="module")
def saved(newcomb, stars, own, tmp_path_factory):
    weighted = hg.GAN(NEWCOMB, hg.generators.Normal(), weights=np.linspace(1, 3, N)).fit()
    fixed = hg.GAN(NEWCOMB, hg.generators.StudentT(4).fix(scale=4.0), latent="iid", n_simulated=128, seed=11)
    # What is stored does not depend on how well it was solved: no further compilation for this one.
    saddle, sandwich = _pretended(newcomb, 1, 17)
    fixed = hg.GANResults(fixed, saddle, inference.JointLaw(sandwich, np.array([27.5]), np.eye(1), ""))
    results = dict(zip(KINDS, (newcomb, stars, own, weighted, fixed), strict=True))
    folder = tmp_path_factory.mktemp("fits")
    for kind, result in results.items():
        result.save(folder / f"{kind}.npz")
    return folder, results


def _pretended(result, p, q):
    keep = np.r_[0:p, 2 : 2 + q]
    jacobian = result.saddle.jacobian[np.ix_(keep, keep)]
    saddle = dataclasses.replace(result.saddle, theta=np.array([27.5]), jacobian=jacobian)
    law = {
        name: getattr(result.sandwich, name)[np.ix_(keep, keep)]
        for name in ("bread", "meat_real", "meat_simulated", "cov")
    }
    return saddle, inference.Sandwich(**law, n=result.sandwich.n)


def loaded(folder, kind):
    mine = dict(generator=user_generator, discriminator=user_discriminator, loss=user_loss) if kind == "own" else {}
    return hg.load(folder / f"{kind}.npz", **mine)


@pytest.mark.parametrize("kind", KINDS)
def test_round_trip_is_exact(saved, kind):
    folder, results = saved
    before, after = results[kind], loaded(folder, kind)
    pd.testing.assert_series_equal(after.params, before.params, check_exact=True)
    pd.testing.assert_frame_equal(after.cov_params(), before.cov_params(), check_exact=True)
    pd.testing.assert_frame_equal(after.joint_cov(), before.joint_cov(), check_exact=True)
    pd.testing.assert_frame_equal(after.conf_int(), before.conf_int(), check_exact=True)
    np.testing.assert_array_equal(after.outlier_scores(), before.outlier_scores())
    np.testing.assert_array_equal(after.sample(5, seed=1), before.sample(5, seed=1))
    for part in ("saddle", "sandwich"):
        for name, value in vars(getattr(before, part)).items():
            np.testing.assert_array_equal(getattr(getattr(after, part), name), value, err_msg=name)
            assert type(getattr(getattr(after, part), name)) is type(value)
    assert repr(after) == repr(before)
    model, again = before.model, after.model
    np.testing.assert_array_equal(again.x, model.x)
    assert (again.weights is None) == (model.weights is None)
    if model.weights is not None:
        np.testing.assert_array_equal(again.weights, model.weights)
    assert again.columns == model.columns
    assert (again.seed, again.latent, again.n_simulated) == (model.seed, model.latent, model.n_simulated)
    assert again.generator.parameters == model.generator.parameters
    assert all(np.array_equal(a, b) for a, b in zip(*map(jax.tree.leaves, (again.game(), model.game())), strict=True))


def test_files_of_the_first_version_are_read(saved, tmp_path):
    """Format 2 calls the solution a saddle, and knows no other estimator than the GAN."""
    folder, results = saved
    with np.load(folder / "newcomb.npz") as file:
        arrays = {name.replace("solution.", "saddle."): file[name] for name in file.files}
    facts = json.loads(str(arrays.pop("facts")))
    facts["format"], facts["saddle"] = 2, facts.pop("solution")
    del facts["estimator"]
    np.savez(tmp_path / "old.npz", facts=np.array(json.dumps(facts)), **arrays)
    assert str(hg.load(tmp_path / "old.npz").summary()) == str(results["newcomb"].summary())


def test_summary_survives_the_disk(saved):
    folder, results = saved
    assert str(loaded(folder, "newcomb").summary()) == str(results["newcomb"].summary())


def test_fixed_value_survives_the_disk(saved):
    folder, _ = saved
    after = loaded(folder, "fixed").model.generator
    assert after.values == {"scale": 4.0}
    assert after.generator == hg.generators.StudentT(4)


@pytest.mark.parametrize("name", ["generator", "discriminator", "loss"])
def test_own_functions_must_be_passed(saved, name):
    folder, _ = saved
    mine = dict(generator=user_generator, discriminator=user_discriminator, loss=user_loss)
    del mine[name]
    with pytest.raises(ValueError) as error:  # noqa: PT011
        hg.load(folder / "own.npz", **mine)
    assert re.search(rf"load: the fit used a {name} of your own; pass it as {name}=", sentence(error, ValueError))


@pytest.mark.parametrize(
    ("name", "other"),
    [
        ("discriminator", hg.discriminators.Polynomial(2)),
        ("generator", hg.generators.Normal().fix(scale=5.0)),
    ],
)
def test_other_parts_than_the_fits_are_refused(saved, name, other):
    folder, _ = saved
    with pytest.raises(ValueError) as error:  # noqa: PT011
        hg.load(folder / "newcomb.npz", **{name: other})
    assert name in sentence(error, ValueError)


@pytest.mark.parametrize("kind", KINDS)
def test_file_holds_no_pickle(saved, kind):
    folder, _ = saved
    with np.load(folder / f"{kind}.npz", allow_pickle=False) as file:
        arrays = {name: file[name] for name in file.files}
    assert all(a.dtype.kind in "fU" for a in arrays.values())
    assert json.loads(str(arrays["facts"]))["format"] == storage.FORMAT


class Bomb:
    """Unpickled, it would leave a file."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (os.mkdir, (str(self.path),))


def forged(folder, path, **changes):
    """Copy a saved fit with some arrays, or facts, replaced or (None) left out."""
    with np.load(folder / "newcomb.npz") as file:
        arrays = {name: file[name] for name in file.files}
    facts = json.loads(str(arrays.pop("facts")))
    for name, value in changes.items():
        where = arrays if name in arrays else facts
        if value is None:
            del where[name]
        else:
            where[name] = value
    np.savez(path, facts=np.array(json.dumps(facts)), **arrays)


def bad_file(kind, folder, path):
    content = (folder / "newcomb.npz").read_bytes()
    if kind == "text":
        path.write_text("coef\n27.4\n")
    elif kind == "empty":
        path.write_bytes(b"")
    elif kind == "truncated":
        path.write_bytes(content[: len(content) // 2])
    elif kind == "a flipped bit":
        middle = len(content) // 2
        path.write_bytes(content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :])
    elif kind == "an array":
        with path.open("wb") as file:
            np.save(file, NEWCOMB)
    elif kind == "foreign":
        np.savez(path, x=NEWCOMB)
    elif kind == "zip of text":
        with zipfile.ZipFile(path, "w") as file:
            file.writestr("facts.npy", "hello")
    elif kind == "not JSON":
        np.savez(path, facts=np.array("hello"))
    elif kind == "JSON of another kind":
        np.savez(path, facts=np.array("[1, 2]"))
    elif kind == "another format":
        forged(folder, path, format=storage.FORMAT + 1)
    elif kind == "pickle":
        path.write_bytes(pickle.dumps(Bomb(path.with_name("exploded"))))
    elif kind == "pickle inside":
        np.savez(path, facts=np.array(Bomb(path.with_name("exploded")), dtype=object), allow_pickle=True)
    else:
        forged(folder, path, **{kind: None})


BAD_FILES = ["text", "empty", "truncated", "a flipped bit", "an array", "foreign", "zip of text", "not JSON"]
BAD_FILES += ["JSON of another kind", "another format", "pickle", "pickle inside"]
BAD_FILES += ["generator", "seed", "natural", "slope", "solution.theta", "x"]


@pytest.mark.parametrize("kind", BAD_FILES)
def test_bad_file(saved, tmp_path, kind):
    path = tmp_path / "fit.npz"
    bad_file(kind, saved[0], path)
    with pytest.raises(ValueError) as error:  # noqa: PT011
        hg.load(path)
    message = sentence(error, ValueError)
    assert message.startswith("load:")
    assert str(path) in message
    assert not (tmp_path / "exploded").exists()


def test_the_bomb_would_go_off(tmp_path):
    pickle.loads(pickle.dumps(Bomb(tmp_path / "exploded")))
    assert (tmp_path / "exploded").exists()


def test_missing_file(tmp_path):
    with pytest.raises(FileNotFoundError, match=re.escape("nothing.npz")):
        hg.load(tmp_path / "nothing.npz")


def test_save_is_atomic(newcomb, tmp_path, monkeypatch):
    """A save that fails midway leaves the old file whole and no rest of the new one."""
    path = tmp_path / "fit.npz"
    path.write_bytes(b"precious")

    def fails_midway(file, **arrays):
        file.write(b"half")
        raise OSError("no space left on device")

    monkeypatch.setattr(np, "savez", fails_midway)
    with pytest.raises(OSError, match="no space"):
        newcomb.save(path)
    assert [p.name for p in tmp_path.iterdir()] == ["fit.npz"]
    assert path.read_bytes() == b"precious"
    monkeypatch.undo()
    newcomb.save(str(path))
    assert [p.name for p in tmp_path.iterdir()] == ["fit.npz"]
    assert hg.load(str(path)).params.equals(newcomb.params)


def test_saved_file_has_the_users_permissions(newcomb, tmp_path):
    newcomb.save(tmp_path / "fit.npz")
    (tmp_path / "other").touch()
    modes = [stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("fit.npz", "other")]
    assert modes[0] == modes[1]


def test_save_keeps_the_name_it_was_given(newcomb, tmp_path):
    newcomb.save(tmp_path / "fit.hellgan")
    assert [p.name for p in tmp_path.iterdir()] == ["fit.hellgan"]


def test_save_refuses(newcomb, tmp_path):
    with pytest.raises(FileNotFoundError, match="there is no directory"):
        newcomb.save(tmp_path / "nowhere" / "fit.npz")
    with pytest.raises(ValueError, match="remove_data") as error:
        newcomb.save(tmp_path / "fit.npz", remove_data=True)
    sentence(error, ValueError)
    assert not list(tmp_path.iterdir())


# Trouble.


def with_dead_parameter(z, loc, dead):
    return loc + 5.0 * z


unidentified = hg.generator(loc=hg.real(), dead=hg.real())(with_dead_parameter)


@pytest.fixture(scope="module")
def lost():
    with pytest.warns(ConvergenceWarning) as caught:
        result = hg.GAN(NEWCOMB, unidentified).fit(start=[27.0, 1.0])
    return result, caught


def test_a_parameter_that_does_nothing_is_named(lost):
    result, caught = lost
    assert len(caught) == 1
    message = str(caught[0].message)
    assert "do not react to dead" in message
    assert "generator.fix" in message
    assert "fit(start={...})" in message
    assert message.endswith(".")
    assert "\n" not in message
    assert result.converged is False
    assert result.trouble in message


def test_without_convergence_nothing_is_claimed(lost, tmp_path):
    result, _ = lost
    assert np.all(np.isfinite(result.params))
    for numbers in (result.bse, result.cov_params(), result.conf_int(), result.tvalues, result.pvalues):
        assert np.all(np.isnan(numbers))
    assert np.isnan(result.t_test("loc = 27").pvalue)
    text = str(result.summary())
    assert re.search(r"Converged: +NO", text)
    assert re.search(r"Cov. type: +none", text)
    assert f"Not converged: {result.trouble}." in text
    assert "Overid" not in text
    assert repr(result).endswith("NOT CONVERGED>")
    for name in ("joint_cov", "bread", "meat"):
        with pytest.raises(ValueError) as error:  # noqa: PT011
            getattr(result, name)()
        assert "dead" in sentence(error, ValueError)
    with pytest.raises(ValueError) as error:  # noqa: PT011
        result.wald_test("loc = 27")
    assert "dead" in sentence(error, ValueError)
    column = hg.compare({"lost": result})["lost"]
    assert column[("fit", "converged")] is False
    assert np.isnan(column[("fit", "overid. p-value")])
    result.save(tmp_path / "lost.npz")
    again = hg.load(tmp_path / "lost.npz", generator=unidentified)
    assert (again.converged, again.trouble, again.sandwich) == (False, result.trouble, None)
    assert again.params.equals(result.params)


def test_throw(lost):
    with pytest.raises(RuntimeError, match="do not react to dead") as error:
        hg.GAN(NEWCOMB, unidentified).fit(start=[27.0, 1.0], throw=True)
    sentence(error, RuntimeError)


def unsolved(newcomb, **changes):
    def solve(game, starts, more, reserve, *rest):
        return dataclasses.replace(newcomb.saddle, **changes)

    return solve


@pytest.mark.parametrize(
    "changes",
    [
        dict(converged=False, is_saddle=False, kind="not certified", reason="the score norm is 0.1; try others"),
        dict(converged=True, is_saddle=False, kind="not certified", reason="the score norm is 0.1; try others"),
    ],
    ids=["no root", "no minimum"],
)
def test_the_solvers_reason_is_passed_on(newcomb, monkeypatch, changes):
    monkeypatch.setattr(equations, "solve_saddle", unsolved(newcomb, **changes))
    model = hg.GAN(NEWCOMB, hg.generators.Normal())
    with pytest.warns(ConvergenceWarning, match=r"the score norm is 0\.1; try others") as caught:
        result = model.fit()
    assert len(caught) == 1
    assert not result.converged
    assert np.all(np.isnan(result.bse))
    with pytest.raises(RuntimeError, match=r"the score norm is 0\.1; try others"):
        model.fit(throw=True)


def test_intervals_of_enormous_errors_stay_positive(newcomb):
    """A standard error of ten times the scale: an interval symmetric about it would begin far below 0."""
    sandwich = dataclasses.replace(newcomb.sandwich, cov=1e4 * newcomb.sandwich.cov)
    law = inference.JointLaw(sandwich, newcomb.params, newcomb.law.natural_slope, "")
    result = hg.GANResults(newcomb.model, newcomb.saddle, law)
    assert result.bse["scale"] == pytest.approx(100 * newcomb.bse["scale"], rel=EXACT)
    assert result.params["scale"] - Z * result.bse["scale"] < 0 < result.conf_int().loc["scale", "lower"]


@pytest.mark.slow
@pytest.mark.parametrize("n", [3, 4])
def test_the_smallest_samples(n):
    """Three observations for two parameters: wide, but never negative, and no overflow."""
    result = hg.GAN(NEWCOMB[:n], hg.generators.Normal()).fit()
    frame = result.conf_int(alpha=0.001)
    assert frame.loc["scale", "lower"] > 0
    assert np.all(frame["lower"] < result.params)
    assert np.all(result.params < frame["upper"])


# A discriminator with a hidden layer.


@pytest.mark.slow
def test_a_hidden_layer_has_no_joint_law(tmp_path):
    result = hg.GAN(NEWCOMB, hg.generators.Normal(), hg.discriminators.MLP(2, ridge=1e-2), n_simulated=64).fit()
    assert np.all(np.isfinite(result.params))
    assert result.sandwich is None
    assert np.all(np.isnan(result.bse))
    for name in ("joint_cov", "bread", "meat", "overidentification_test"):
        with pytest.raises(ValueError) as error:  # noqa: PT011
            getattr(result, name)()
        assert "hidden layer is not identified" in sentence(error, ValueError)
    text = str(result.summary())
    assert "A discriminator with a hidden layer has no joint normal law" in text
    assert re.search(r"Discriminator: +MLP, 7 weights", text)
    assert re.search(r"Cov. type: +none", text)
    result.save(tmp_path / "mlp.npz")
    again = hg.load(tmp_path / "mlp.npz")
    assert again.params.equals(result.params)
    np.testing.assert_array_equal(again.outlier_scores(), result.outlier_scores())
