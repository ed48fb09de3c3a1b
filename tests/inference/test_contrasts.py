"""Tests of linear hypotheses: how names are read, what is said of them, and intervals on the scale of ``conf_int``."""

import numpy as np
import pandas as pd
import pytest
from tolerance import EXACT

import hellgan as hg
from hellgan import constraints, restrictions
from hellgan.inference.wald import WaldResults

NUMBERS = ["Intercept", "0", "1", "-2", "1e3", "scale"]
EXPRESSIONS = ["x", "y", "x - y", "x=2", "x y", "np.log(x + 1)", "C(g)[T.b]", "x:y", "2x", ""]


@pytest.mark.parametrize(
    ("text", "row", "value"),
    [
        ("Intercept = 1", {"Intercept": 1}, 1),
        ("`1` = 0", {"1": 1}, 0),
        ("`1` - 2 * `0` = -3e-2", {"1": 1, "0": -2}, -0.03),
        ("Intercept + 1 = 2", {"Intercept": 1}, 1),
        ("scale = 1e3", {"scale": 1}, 1000),
        ("`1e3` = -2", {"1e3": 1}, -2),
        ("`-2` = 1", {"-2": 1}, 1),
        ({"1": 2, "scale": 3.0}, None, None),
    ],
)
def test_numbers_are_numbers_unless_in_backquotes(text, row, value):
    matrix, target = restrictions.linear(text, NUMBERS)
    if row is None:
        row, matrix, target, value = {"1": 1}, matrix[:1], target[:1], 2
    np.testing.assert_array_equal(matrix, [[row.get(name, 0.0) for name in NUMBERS]])
    np.testing.assert_allclose(target, [value], rtol=EXACT)


@pytest.mark.parametrize("text", ["x - y = 0", "2 * x - y = 1", "x=2", "x y = 3", "`x` + x - y = 0"])
def test_what_can_be_read_in_two_ways_is_refused(text):
    with pytest.raises(ValueError, match=r"may mean the parameter 'x.*' or an expression of x.*; put names in backqu"):
        restrictions.linear(text, EXPRESSIONS)


@pytest.mark.parametrize(
    ("text", "row", "value"),
    [
        ("`x` - `y` = 1", {"x": 1, "y": -1}, 1),
        ("`x - y` = 1", {"x - y": 1}, 1),
        ("`x=2` = x", {"x=2": 1, "x": -1}, 0),
        ("x = 2", {"x": 1}, 2),
        ("np.log(x + 1) = 4", {"np.log(x + 1)": 1}, 4),
        ("x:y - C(g)[T.b] = 0", {"x:y": 1, "C(g)[T.b]": -1}, 0),
        ("2x = 2 * x", {"2x": 1, "x": -2}, 0),
        ("`` = 3", {"": 1}, 3),
    ],
)
def test_names_that_hold_operators_and_brackets(text, row, value):
    matrix, target = restrictions.linear(text, EXPRESSIONS)
    np.testing.assert_array_equal(matrix, [[row.get(name, 0.0) for name in EXPRESSIONS]])
    np.testing.assert_array_equal(target, [value])


@pytest.mark.parametrize("text", ["parameter_1_ = 0", "F1.5 = 1", "e5 = 1", "`spread` = 1"])
def test_words_that_are_no_names_are_refused(text):
    """An inner name of the package's own, a name with more behind it, a half of a number, one in backquotes."""
    with pytest.raises(ValueError, match=r"restriction: .* is no parameter; the parameters are loc, F1"):
        restrictions.linear(text, ["loc", "F1"])


@pytest.mark.parametrize("names", [NUMBERS, EXPRESSIONS, ["loc", "scale"]])
def test_equations_are_written_as_they_are_read(names):
    rng = np.random.default_rng(3)
    matrix = np.round(rng.normal(size=(6, len(names))), 2) * (rng.random((6, len(names))) < 0.6)
    matrix[:, 0] = 1.0
    target = np.round(rng.normal(size=6), 3)
    found = restrictions.linear(", ".join(restrictions.written(matrix, target, names)), names)
    np.testing.assert_allclose(found[0], matrix, rtol=EXACT)
    np.testing.assert_allclose(found[1], target, rtol=EXACT)


@pytest.fixture(scope="module")
def estimates():
    params = pd.Series([1.5, 0.7, 0.2], index=["1", "scale", "share"])
    spaces = [constraints.real(), constraints.positive(), constraints.interval(0, 1)]
    return WaldResults(params, np.diag([0.04, 0.09, 0.01]) + 0.005, spaces)


def test_tests_say_what_they_tested(estimates):
    test = estimates.t_test("`1` = 1, scale - 2 * share = 0.1")
    assert test.restriction == "`1` = 1, scale - 2 * share = 0.1"
    assert list(test.summary_frame().index) == ["`1` = 1", "scale - 2 * share = 0.1"]
    assert "`1` = 1 " in str(test)
    assert "natural scale" not in str(test)  # nothing was mapped back
    for joint in (estimates.wald_test("scale = 1"), estimates.f_test("scale = 1")):
        assert str(joint).endswith("tested: scale = 1>")
        assert joint.restriction == "scale = 1"


@pytest.mark.parametrize("factor", [1.0, 2.0, -3.0])
@pytest.mark.parametrize("alpha", [0.05, 0.2])
def test_intervals_of_tests_are_those_of_the_estimates(estimates, factor, alpha):
    test = estimates.t_test(np.diag([factor] * 3))
    expected = np.sort(factor * estimates.conf_int(alpha).to_numpy(), axis=1)
    np.testing.assert_allclose(test.conf_int(alpha), expected, rtol=EXACT)
    np.testing.assert_allclose(test.summary_frame(alpha=alpha).iloc[:, -2:], expected, rtol=EXACT)
    assert "the intervals of scale, share as in conf_int" in str(test)


def test_intervals_of_combinations_stay_on_the_natural_scale(estimates):
    test = estimates.t_test("scale - share = 0")
    error = np.sqrt(0.095 + 0.015 - 0.01)
    np.testing.assert_allclose(test.conf_int(0.05), [0.5 + np.array([-1, 1]) * 1.959963984540054 * error], rtol=1e-10)
    assert np.all(
        np.isnan(WaldResults(estimates.params - 0.7, estimates._cov, estimates.spaces).t_test("scale = 1").conf_int())
    )


@pytest.mark.parametrize("text", ["1 = 0", "scale = 1, 2 = 2", "scale - scale = 0"])
def test_equations_without_a_parameter_are_refused(estimates, text):
    for test in (estimates.t_test, estimates.wald_test, estimates.f_test):
        with pytest.raises(ValueError, match=r"r_matrix: .* has an equation without a parameter; .* are `1`, scale"):
            test(text)


def test_columns_that_are_called_by_numbers():
    """A frame without names has columns 0, 1, 2."""
    rng = np.random.default_rng(1)
    x = rng.normal(size=(120, 2))
    frame = pd.DataFrame(np.column_stack([x, 1 + 2 * x[:, 0] + 0.5 * rng.normal(size=120)]))
    fit = hg.GAN(frame, hg.generators.LinearRegression()).fit()
    z = (fit.params["Intercept"] - 1) / fit.bse["Intercept"]
    assert fit.t_test("Intercept = 1").statistic.item() == pytest.approx(z, rel=1e-10)
    assert fit.wald_test("Intercept = 1").statistic == pytest.approx(z**2, rel=1e-10)
    z = fit.params["1"] / fit.bse["1"]
    assert fit.t_test("`1` = 0").statistic.item() == pytest.approx(z, rel=1e-10)
    score = fit.score_test("`1` = 0")
    assert str(score).startswith("score test of `1` = 0: ")
    assert score.params is not None
    assert score.params["1"] == pytest.approx(0.0, abs=1e-10)
    assert fit.distance_test({"Intercept": 1}).restriction == "Intercept = 1"
    assert fit.wald_test(lambda **p: p["1"]).restriction == "lambda(p) = 0"
