"""What regressions say by statsmodels' names: fitted values, predictions, terms, pairs, HC3; and what others lack."""

import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from scipy import stats
from statsmodels.stats.multitest import multipletests

import hellgan as hg
from hellgan.parameters import Parameters
from hellgan.results import EstimatedResults
from hellgan.samples import Sample
from hellgan.solver import SmoothEquations

Z = stats.norm.ppf(0.975)


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"g": list("abc") * 40, "x": rng.normal(size=120)})
    frame["y"] = 1 + frame["x"] + 0.7 * (frame["g"] == "b") + 0.5 * rng.standard_t(4, size=120)
    return frame


@pytest.fixture(scope="module")
def fit(data):
    return hg.GAN.from_formula("y ~ C(g) + x", data, hg.generators.LinearRegression("t")).fit()


@pytest.fixture(scope="module")
def normal():
    return hg.GAN(np.random.default_rng(1).normal(1.0, 2.0, 200), hg.generators.Normal()).fit()


def test_fitted_values_and_residuals(fit, data):
    b = fit.params
    expected = b["Intercept"] + b["x"] * data["x"] + b["C(g)[T.b]"] * (data["g"] == "b")
    expected += b["C(g)[T.c]"] * (data["g"] == "c")
    np.testing.assert_allclose(fit.fittedvalues, expected, rtol=1e-12)
    np.testing.assert_allclose(fit.fittedvalues + fit.resid, data["y"], rtol=1e-12)
    pd.testing.assert_index_equal(fit.resid.index, fit.fittedvalues.index)


def test_residuals_have_the_datas_labels():
    data = hg.datasets.load_telephone()
    data.index = pd.Index([f"row {k}" for k in range(len(data))])
    fit = hg.GAN(data[["year", "calls"]], hg.generators.LinearRegression()).fit()
    assert list(fit.fittedvalues.index) == list(fit.resid.index) == list(data.index)


def test_predictions_by_hand(fit, data):
    new = pd.DataFrame({"g": ["b", "a", None], "x": [0.3, 40.0, 1.0]}, index=["near", "far", "missing"])
    frame = fit.get_prediction(new).summary_frame(alpha=0.1)
    columns = ["mean", "mean_se", "mean_ci_lower", "mean_ci_upper", "obs_ci_lower", "obs_ci_upper"]
    assert list(frame.columns) == columns
    assert list(frame.index) == list(new.index)
    np.testing.assert_allclose(frame["mean"], fit.predict(new), rtol=1e-12)
    rows = np.array([[1, 1, 0, 0.3, 0.0], [1, 0, 0, 40.0, 0.0]])  # the last of them is the scale's
    errors = np.sqrt(np.einsum("ri,ij,rj->r", rows, fit.cov_params().to_numpy(), rows))
    np.testing.assert_allclose(frame["mean_se"][:2], errors, rtol=1e-10)
    half = stats.norm.ppf(0.95) * errors
    np.testing.assert_allclose(frame["mean_ci_upper"][:2] - frame["mean"][:2], half, rtol=1e-10)
    assert frame.loc["missing"].isna().all()
    # Near the data the noise is nearly all, far away the errors of the line are.
    plug_in = fit.scale * stats.t.ppf(0.95, 4)
    near, far = (frame.loc[name, "obs_ci_upper"] - frame.loc[name, "mean"] for name in ("near", "far"))
    assert 1.0 < near / plug_in < 1.06
    assert 1.0 < far / half[1] < 1.2
    own = fit.get_prediction().conf_int(obs=True, alpha=0.1)
    inside = (data["y"] > own[:, 0]) & (data["y"] < own[:, 1])
    assert 0.8 < inside.mean() < 0.98


def test_of_gaussian_noise_and_a_held_scale_observations_are_statsmodels():
    """Where the scale does not err the interval is that of the sum of two normal variables."""
    family = hg.generators.LinearRegression(columns=["year"]).fix(scale=0.2)
    line = hg.GAN.from_formula("calls ~ year", hg.datasets.load_telephone(), family)
    fit = line.fit()
    found = fit.get_prediction({"year": [50.0, 90.0]})
    rows = np.array([[1, 50.0], [1, 90.0]])
    error = np.sqrt(np.einsum("ri,ij,rj->r", rows, fit.cov_params().to_numpy(), rows) + 0.04)
    np.testing.assert_allclose(found.conf_int(obs=True)[:, 1] - found.predicted_mean, Z * error, rtol=1e-9)
    np.testing.assert_allclose(found.se_obs, error, rtol=1e-10)


def test_terms_are_tested_jointly(fit):
    table = fit.wald_test_terms().table
    assert list(table.index) == ["Intercept", "C(g)", "x"]
    joint = fit.wald_test("C(g)[T.b] = 0, C(g)[T.c] = 0")
    assert table.loc["C(g)", "statistic"] == pytest.approx(float(joint.statistic), rel=1e-12)
    assert table.loc["C(g)", "pvalue"] == pytest.approx(float(joint.pvalue), rel=1e-12)
    assert table["df_constraint"].to_list() == [1, 2, 1]
    assert table.loc["x", "statistic"] == pytest.approx(fit.tvalues["x"] ** 2, rel=1e-10)
    combined = fit.wald_test_terms(skip_single=True, combine_terms=["x"]).table
    assert list(combined.index) == ["C(g)", "x"]
    with pytest.raises(ValueError, match=r"combine_terms: no term holds 'z'; the terms are Intercept, C\(g\), x"):
        fit.wald_test_terms(combine_terms=["z"])


def test_levels_are_compared_two_by_two(fit):
    found = fit.t_test_pairwise("C(g)", method=["bonferroni", "hs"])
    frame = found.result_frame
    assert list(frame.index) == ["b-a", "c-a", "c-b"]
    b, c = fit.params["C(g)[T.b]"], fit.params["C(g)[T.c]"]
    np.testing.assert_allclose(frame["coef"], [b, c, c - b], rtol=1e-12)
    cov = fit.cov_params()
    error = np.sqrt(cov.iloc[1, 1] + cov.iloc[2, 2] - 2 * cov.iloc[1, 2])
    assert frame.loc["c-b", "std err"] == pytest.approx(error, rel=1e-12)
    p = 2 * stats.norm.sf(np.abs(frame["coef"] / frame["std err"]))
    for method in ("bonferroni", "hs"):
        np.testing.assert_allclose(frame[f"pvalue-{method}"], np.asarray(multipletests(p, method=method)[1]), rtol=1e-8)
    assert list(fit.t_test_pairwise("C(g)", factor_labels=["1", "2", "3"]).result_frame.index) == ["2-1", "3-1", "3-2"]


@pytest.mark.parametrize("coding", ["C(g, contr.sum)", "C(g, contr.treatment('b'))"])
def test_pairs_do_not_depend_on_the_coding(fit, data, coding):
    again = hg.GAN.from_formula(f"y ~ {coding} + x", data, hg.generators.LinearRegression("t")).fit()
    expected = fit.t_test_pairwise("C(g)").result_frame
    found = again.t_test_pairwise(coding).result_frame
    np.testing.assert_allclose(found[["coef", "std err"]], expected[["coef", "std err"]], rtol=2e-2, atol=2e-2)
    assert again.wald_test_terms().table.loc[coding, "df_constraint"] == 2


def test_pairs_in_an_interaction_say_where_they_are_compared(fit, data):
    assert str(fit.t_test_pairwise("C(g)")).startswith("Differences between levels of C(g)\n")
    both = hg.GAN.from_formula("y ~ C(g) * x", data, hg.generators.LinearRegression("t")).fit()
    found = both.t_test_pairwise("C(g)")
    assert found.where == ", where x = 0 (they interact)"
    assert (
        str(found)
        == f"Differences between levels of C(g), where x = 0 (they interact)\n{found.result_frame.to_string()}"
    )
    assert found.result_frame.loc["b-a", "coef"] == pytest.approx(both.params["C(g)[T.b]"])


def test_refusals(fit, normal):
    for name in ("x", "g", "Intercept"):
        with pytest.raises(ValueError, match=r"term_name: .* is no factor .*; the factors are C\(g\)"):
            fit.t_test_pairwise(name)
    with pytest.raises(ValueError, match=r"method: .*give one of statsmodels' multipletests"):
        fit.t_test_pairwise("C(g)", method="magic")
    with pytest.raises(ValueError, match="factor_labels: 2 for 3 levels"):
        fit.t_test_pairwise("C(g)", factor_labels=["1", "2"])
    plain = hg.GAN(hg.datasets.load_telephone(), hg.generators.LinearRegression()).fit()
    with pytest.raises(ValueError, match="the fit has no formula"):
        plain.t_test_pairwise("year")
    assert list(plain.wald_test_terms().table.index) == ["Intercept", "year"]


def test_a_loaded_fit_says_that_it_does_not_know_its_formulas_terms(fit, tmp_path):
    """Single coefficients would be tested in their place."""
    fit.save(tmp_path / "fit.npz")
    again = hg.load(tmp_path / "fit.npz")
    with pytest.raises(ValueError, match=r"wald_test_terms: the fit was loaded .*; fit it again"):
        again.wald_test_terms()
    with pytest.raises(ValueError, match=r"t_test_pairwise: the fit was loaded .*; fit it again"):
        again.t_test_pairwise("C(g)")


# What is not there.


def test_a_parameter_is_an_attribute(fit, normal):
    assert normal.scale == normal.params["scale"] != 1.0
    assert fit.scale == fit.params["scale"]
    assert normal.loc == normal.params["loc"]
    assert {"loc", "scale"} <= set(dir(normal))
    held = hg.GAN(normal.model.x, hg.generators.Normal().fix(scale=2.0)).fit()
    for result, known in ((held, "loc"), (normal.quantile([0.5]), "q0.5")):
        with pytest.raises(AttributeError, match=f"scale: .* has no such attribute; the parameters are {known}"):
            result.scale  # noqa: B018


def test_a_methods_name_stays_the_methods():
    rng = np.random.default_rng(3)
    x = rng.normal(size=(60, 1))
    frame = pd.DataFrame({"mean": x[:, 0], "y": x[:, 0] + rng.normal(size=60)})
    fit = hg.GAN(frame, hg.generators.LinearRegression()).fit()
    assert callable(fit.mean)
    assert fit.params["mean"] == pytest.approx(1.0, abs=0.6)


REGRESSIONS = ["predict", "location", "fittedvalues", "resid", "get_prediction", "wald_test_terms", "t_test_pairwise"]


@pytest.mark.parametrize("name", [*REGRESSIONS, "llf", "load", "remove_data", "initialize"])
def test_names_without_sense_are_not_there(normal, name):
    assert name not in dir(normal)
    assert not hasattr(normal, name)
    with pytest.raises(AttributeError, match=rf"^{name}: [^\n]*[^.]\.$"):
        getattr(normal, name)


def test_regressions_have_theirs(fit):
    assert set(REGRESSIONS) <= set(dir(fit))
    assert not {"llf", "load", "remove_data", "initialize"} & set(dir(fit))


@pytest.mark.parametrize("name", ["llf", "predict", "save", "load", "t_test_pairwise", "initialize"])
def test_functionals_have_none_of_a_models_names(normal, name):
    found = normal.quantile([0.5])
    assert name not in dir(found)
    with pytest.raises(AttributeError, match=f"^{name}: "):
        getattr(found, name)


def test_all_that_is_listed_can_be_had(fit, normal):
    for result in (fit, normal, normal.quantile([0.5])):
        for name in dir(result):
            if not name.startswith("_"):
                getattr(result, name)


# HC3.


class LeastSquares(SmoothEquations):
    """Least squares of a line, theta = (a, b)."""

    nuisance_names = []  # noqa: RUF012

    def __init__(self, rows):
        self.sample, self.space = Sample(rows), Parameters(a=hg.real(), b=hg.real())

    def start(self):
        return np.zeros(2)

    def real_value(self, u, x):
        return (x[1] - u[0] - u[1] * x[0]) ** 2 / 2


def test_hc3_of_least_squares_is_statsmodels():
    rng = np.random.default_rng(2)
    x = rng.standard_t(3, size=40)
    y = 1 + 2 * x + rng.normal(size=40) * (1 + np.abs(x))
    found = EstimatedResults.of(LeastSquares(np.column_stack([x, y])))
    ols = sm.OLS(y, sm.add_constant(x)).fit()
    for again in (found.with_cov("HC3"), found.with_cov("sandwich", correction="HC3")):
        assert again.cov_type == "HC3"
        np.testing.assert_allclose(again.cov_params(), ols.get_robustcov_results("HC3").cov_params(), rtol=1e-9)
    assert np.all(found.with_cov("HC3").bse > 1.03 * found.bse)


def test_hc3_of_a_gan_is_that_of_the_fits_without_each_observation(normal):
    """As refits one by one say, beside what the simulation adds."""
    again = normal.with_cov("HC3")
    steps = normal.influence().leave_one_out() - normal.params
    law = normal.sandwich
    noise = np.linalg.solve(law.bread, np.linalg.solve(law.bread, law.meat_simulated).T)[:2, :2] / law.n
    slope = normal.law.natural_slope
    expected = steps.T @ steps + slope @ noise @ slope.T
    np.testing.assert_allclose(again.cov_params(), expected, rtol=0.03, atol=1e-4)  # the scale's step is not linear
    assert np.all(again.bse > normal.bse)
    with pytest.raises(ValueError, match="correction: 'HC2' is not known; give 'HC1', 'HC3' or None"):
        normal.with_cov("sandwich", correction="HC2")
    assert jnp.isfinite(again.joint_cov().to_numpy()).all()
