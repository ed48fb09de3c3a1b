"""Summaries of many fits: by hand, on a frame of eight."""

import numpy as np
import pandas as pd
import pytest
from tolerance import EXACT

import hellgan as hg
from hellgan.results import several

PARAMS = pd.DataFrame(
    {"loc": [1.0, 2.0, 3.0, 2.0, 9.0, 2.0, 9.0, 9.0], "scale": [1.0, 1.5, 1.0, 0.5, 9.0, 1.0, 9.0, 9.0]}
)
ERRORS = PARAMS * 0 + [0.5, 0.25]
TROUBLE = ["", "", "", "", "score norm 1.3e-3 after 40 steps", "", "the law is dead", "score norm 2e+1 after 400 steps"]
FLAGGED = np.array([True, False, False, False, True, False, True, True])
NORMAL = hg.generators.Normal()


def intervals():
    columns = pd.MultiIndex.from_product([["loc", "scale"], ["lower", "upper"]])
    loc, scale = PARAMS["loc"], PARAMS["scale"]
    return pd.DataFrame(np.column_stack([loc - 0.5, loc + 0.5, scale - 0.1, scale + 1]), columns=columns)


def summary(trouble=TROUBLE, **truth):
    known = several.read_truth(truth or None, NORMAL)
    return several.summarise(PARAMS, ERRORS, intervals(), trouble, FLAGGED, known, 0.1)


def test_table_by_hand():
    """Of the five fits that converged: loc 1, 2, 3, 2, 2; scale 1, 1.5, 1, .5, 1."""
    table = summary(loc=2.0, scale=1.0).table
    np.testing.assert_allclose(table["mean"], [2.0, 1.0], rtol=EXACT)
    np.testing.assert_allclose(table["sd"], [np.sqrt(0.5), np.sqrt(0.125)], rtol=EXACT)
    np.testing.assert_allclose(table["mean_std_error"], [0.5, 0.25], rtol=EXACT)
    np.testing.assert_allclose(table["bias"], [0.0, 0.0], atol=EXACT)
    np.testing.assert_allclose(table["bias_mcse"], np.sqrt([0.1, 0.025]), rtol=EXACT)
    np.testing.assert_allclose(table["coverage"], [0.6, 0.8], rtol=EXACT)
    np.testing.assert_allclose(table["coverage_mcse"], np.sqrt([0.24 / 5, 0.16 / 5]), rtol=EXACT)


def test_without_a_truth_and_with_a_part_of_it():
    assert list(summary().table.columns) == ["mean", "sd", "mean_std_error"]
    part = summary(scale=1.0).table
    assert np.isnan(part.loc["loc", ["truth", "bias", "bias_mcse", "coverage", "coverage_mcse"]].to_numpy(float)).all()
    assert part.loc["scale", "coverage"] == pytest.approx(0.8)


def test_failures_are_grouped_by_reason():
    found = summary()
    assert found.failures.to_dict() == {"score norm 1.3e-3 after 40 steps": 2, "the law is dead": 1}
    assert (found.n, found.n_failed, found.n_flagged, found.alpha) == (8, 3, 4, 0.1)
    text = str(summary(loc=2.0))
    assert "8 fits, 3 not converged, 4 flagged; intervals of level 0.9" in text
    assert "2  score norm 1.3e-3 after 40 steps" in text
    assert repr(found) == str(found)


def test_names_with_digits_are_not_numbers():
    reasons = ["loc_1 is dead", "loc_2 is dead", "x2 at 3.5", "x2 at -4e-3", "x3 at 1"]
    assert several.grouped(reasons).to_dict() == {"x2 at 3.5": 2, "loc_1 is dead": 1, "loc_2 is dead": 1, "x3 at 1": 1}


def test_where_nothing_converged():
    found = several.summarise(
        PARAMS, ERRORS, intervals(), ["dead"] * 8, FLAGGED, several.read_truth({"loc": 1}, NORMAL), 0.05
    )
    assert found.table.drop(columns="truth").isna().all(axis=None)
    assert found.failures.to_dict() == {"dead": 8}


def test_in_latex():
    text = summary(loc=2.0).to_latex(caption="Eight", label="tab:eight")
    assert text.startswith("\\begin{table}\n\\caption{Eight}\n\\label{tab:eight}\n")
    assert "mean std error" in text
    assert "\\begin{table}" not in summary().to_latex()


def test_truths_by_elements_and_by_parameters():
    space = hg.generators.MultivariateNormal(2)
    found = several.read_truth({"loc": [1, 2], "corr_12": 0.5}, space)
    assert found.to_dict() == {"loc_1": 1.0, "loc_2": 2.0, "corr_12": 0.5}
    assert several.read_truth(pd.Series({"loc_2": 3.0}), space).to_dict() == {"loc_2": 3.0}


@pytest.mark.parametrize(
    ("truth", "message"),
    [
        ({"spread": 1.0}, "'spread' is no parameter; give some of loc, scale"),
        ({"loc": [1.0, 2.0]}, r"loc is \[1.0, 2.0\]; give a finite number"),
        ({"loc": "one"}, "loc is 'one'; give a finite number"),
        ({"loc": np.nan}, "loc is nan; give a finite number"),
        ([1.0, 2.0], "give values by name"),
        ({}, "give values by name"),
    ],
)
def test_bad_truths(truth, message):
    with pytest.raises(ValueError, match=f"^truth: .*{message}|^truth: {message}"):
        several.read_truth(truth, NORMAL)
