"""What stands beside the data: weights and groups matched by label, rows that are left out, frames of any library."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import xarray as xr

import hellgan as hg
from hellgan.generators import MultivariateNormal, Normal
from hellgan.samples.frames import as_pandas, beside, table

N = 24
RNG = np.random.default_rng(8)
X = RNG.normal(2.0, 1.0, N)
DATES = pd.date_range("2020-01-01", periods=N, name="day")
DATED = pd.Series(X, DATES, name="level")
WEIGHTS = pd.Series(np.linspace(0.5, 2.0, N), DATES)
SHUFFLED = WEIGHTS.sample(frac=1.0, random_state=1)
LINE = pd.DataFrame({"x": X, "y": 1 + 2 * X + RNG.normal(size=N), "w": WEIGHTS.to_numpy()})
LINE["firm"] = [f"f{k % 6}" for k in range(N)]


def refusal(call, *kinds):
    with pytest.raises(kinds or (ValueError, TypeError)) as caught:
        call()
    message = str(caught.value)
    assert "\n" not in message
    return message


# Weights.


@pytest.mark.parametrize(
    "weights",
    [
        WEIGHTS,
        SHUFFLED,
        WEIGHTS.to_numpy(),
        list(WEIGHTS),
        pd.concat([SHUFFLED, pd.Series([9.0], [pd.Timestamp("1999-01-01")])]),
    ],
    ids=["same order", "another order", "array", "list", "one label more"],
)
def test_weights_go_with_their_labels(weights):
    model = hg.GAN(DATED, Normal(), weights=weights)
    np.testing.assert_array_equal(model.weights, WEIGHTS)
    np.testing.assert_array_equal(model.with_weights(weights).weights, WEIGHTS)


def test_a_default_index_is_labels_too():
    """As after a sort of the data: the weights still have 0, 1, ... in the old order."""
    ordered = LINE.sort_values("y")
    model = hg.GAN.from_formula("y ~ x", ordered, weights=LINE.w)
    np.testing.assert_array_equal(model.weights, ordered.w)
    np.testing.assert_array_equal(hg.GAN(ordered.y, Normal(), weights=LINE.w).weights, ordered.w)


def test_weights_without_labels_to_match_are_in_order():
    np.testing.assert_array_equal(hg.GAN(X, Normal(), weights=SHUFFLED).weights, SHUFFLED)
    twice = DATED.set_axis(["a", "b"] * (N // 2))  # the same labels in the same order say no more, and no less
    np.testing.assert_array_equal(hg.GAN(twice, Normal(), weights=WEIGHTS.set_axis(twice.index)).weights, WEIGHTS)


def test_weights_that_do_not_match_are_refused():
    short = refusal(lambda: hg.GAN(DATED, Normal(), weights=SHUFFLED.drop(DATES[3])), ValueError)
    assert short.startswith("weights: its index has no label Timestamp('2020-01-04")
    assert "to_numpy()" in short
    bare = refusal(lambda: hg.GAN(DATED, Normal(), weights=WEIGHTS.reset_index(drop=True)), ValueError)
    assert bare.startswith("weights: its index has no label")
    labels = DATES.tolist()
    labels[1] = labels[0]
    twice = refusal(lambda: hg.GAN(DATED, Normal(), weights=WEIGHTS.set_axis(labels)), ValueError)
    assert "occurs twice" in twice
    theirs = refusal(lambda: hg.GAN(DATED.set_axis(labels), Normal(), weights=WEIGHTS), ValueError)
    assert "the data's label" in theirs
    assert "weights: not numeric" in refusal(lambda: hg.GAN(X, Normal(), weights=10**400))


# Rows that are left out.


def test_a_dropped_row_needs_no_weight():
    holes = DATED.copy()
    holes.iloc[3] = np.nan
    weights = WEIGHTS.drop(DATES[3]).iloc[::-1]
    model = hg.GAN(holes, Normal(), weights=weights, missing="drop")
    np.testing.assert_array_equal(model.weights, WEIGHTS.drop(DATES[3]))
    frame = pd.DataFrame({"y": holes, "x": np.arange(float(N))})
    line = hg.GAN.from_formula("y ~ x", frame, weights=weights)
    np.testing.assert_array_equal(line.weights, WEIGHTS.drop(DATES[3]))
    with pytest.raises(ValueError, match="weights: its index has no label"):
        hg.GAN(holes, Normal(), weights=weights.drop(DATES[5]), missing="drop")


def test_a_dropped_row_takes_its_weight_with_it():
    holes = LINE.astype({"w": float}).copy()
    holes.loc[5, ["x", "w"]] = np.nan
    model = hg.GAN.from_formula("y ~ x", holes, weights=holes.w)
    assert model.nobs == N - 1
    np.testing.assert_array_equal(model.weights, holes.w.drop(5))
    assert model.sample.left_out.tolist() == [5]
    assert model.sample.labels.tolist() == [k for k in range(N) if k != 5]
    named = hg.GAN.from_formula("y ~ x", holes, weights="w")
    np.testing.assert_array_equal(named.weights, holes.w.drop(5))
    # A missing weight alone leaves the row out, too: with missing="drop", which is a formula's default.
    holes.loc[7, "w"] = np.nan
    model = hg.GAN.from_formula("y ~ x", holes, weights=holes.w.sample(frac=1.0, random_state=2))
    assert model.sample.left_out.tolist() == [5, 7]
    np.testing.assert_array_equal(model.weights, holes.w.dropna())
    message = refusal(lambda: hg.GAN.from_formula("y ~ x", holes, missing="raise"), ValueError)
    assert message.startswith("data: 1 of 24 rows have missing values in variables of the formula, the first is 5;")


@pytest.mark.parametrize("hole", [np.nan, None, pd.NA], ids=str)
def test_missing_values_of_the_data(hole):
    data = pd.Series([*X[:3], hole, *X[4:]], DATES, dtype="Float64" if hole is pd.NA else None)
    message = refusal(lambda: hg.GAN(data, Normal()), ValueError)
    assert message == "data: 1 of 24 observations is NaN or infinite; impute them, or give missing='drop'."
    model = hg.GAN(data, Normal(), missing="drop", weights=SHUFFLED)
    np.testing.assert_array_equal(model.x, np.delete(X, 3))
    np.testing.assert_array_equal(model.weights, WEIGHTS.drop(DATES[3]))
    assert model.sample.left_out.tolist() == [DATES[3]]
    again = model.with_weights(np.arange(1.0, N + 1))  # one for each row of the data, or of those that are left
    np.testing.assert_array_equal(again.weights, np.delete(np.arange(1.0, N + 1), 3))
    np.testing.assert_array_equal(model.with_weights(again.weights).weights, again.weights)


def test_missing_values_without_an_index():
    x = np.column_stack([X, X**2])
    x[4, 1] = np.nan
    model = hg.GAN(x, MultivariateNormal(2), missing="drop")
    assert model.sample.labels.tolist() == [0, 1, 2, 3, *range(5, N)]
    masked = np.ma.masked_greater(X, np.sort(X)[-2])
    assert hg.GAN(masked, Normal(), missing="drop").nobs == N - 1
    assert "masked" in refusal(lambda: hg.GAN(masked, Normal()))
    infinite = np.where(np.arange(N) == 2, np.inf, X)
    assert "drop or impute" in refusal(lambda: hg.GAN(infinite, Normal(), missing="drop"), ValueError)
    assert "missing: got 'skip'" in refusal(lambda: hg.GAN(X, Normal(), missing="skip"), ValueError)
    empty = np.where(np.arange(N) > 0, np.nan, X)
    assert "1 of 24 rows" in refusal(lambda: hg.GAN(empty, Normal(), missing="drop"), ValueError)


# Groups.


@pytest.fixture(scope="module")
def line():
    holes = LINE.copy()
    holes.index = [f"r{k}" for k in range(N)]
    holes.loc["r5", ["x", "firm"]] = np.nan
    return hg.GAN.from_formula("y ~ x", holes, weights="w").fit()


@pytest.mark.filterwarnings("ignore:6 clusters are too few")
def test_groups_by_name_by_label_and_in_order(line):
    firms = LINE.firm.set_axis([f"r{k}" for k in range(N)])
    right = line.with_cov("cluster", groups=firms.drop("r5").to_numpy()).bse
    ways = {
        "name": "firm",
        "list of names": ["firm"],
        "whole": firms.to_numpy(),
        "labels": firms.sample(frac=1.0, random_state=3),
        "frame": firms.sample(frac=1.0, random_state=4).to_frame(),
    }
    for way, groups in ways.items():
        pd.testing.assert_series_equal(line.with_cov("cluster", groups=groups).bse, right, obj=way)
    assert (line.with_cov("cluster", groups=np.sort(firms)).bse != right).all()
    pd.testing.assert_series_equal(line.model.fit(cov_type="cluster", cov_kwds={"groups": "firm"}).bse, right)
    two = line.with_cov("cluster", groups=["firm", "w"])
    codes = np.column_stack([firms.drop("r5"), LINE.w.drop(5)])
    pd.testing.assert_series_equal(two.bse, line.with_cov("cluster", groups=codes).bse)


def test_groups_that_do_not_match_are_refused(line):
    firms = LINE.firm.set_axis([f"r{k}" for k in range(N)])
    assert "no column 'plant'" in refusal(lambda: line.with_cov("cluster", groups="plant"), ValueError)
    assert "no label 'r0'" in refusal(lambda: line.with_cov("cluster", groups=firms.iloc[1:]), ValueError)
    fit = hg.GAN(X, Normal()).fit()
    assert "no named columns" in refusal(lambda: fit.with_cov("cluster", groups="firm"), ValueError)


# Reports.


def test_reports_of_a_formula_speak_of_the_labels(line):
    assert line.rows_left_out == ["r5"]
    assert "1 row with a missing value is left out: r5." in str(line.summary())
    labels = [f"r{k}" for k in range(N) if k != 5]
    influence = line.influence()
    assert sorted(influence.summary_frame().index) == sorted(labels)
    for frame in (influence.dfbetas, influence.observations, influence.leave_one_out(), line.estfun()):
        assert frame.index.tolist() == labels
    frame = influence.summary_frame().loc[labels]
    np.testing.assert_allclose(frame["dfb_x"], influence.dfbetas["x"])
    np.testing.assert_allclose(frame["log_ratio"], line.case_columns()["log_ratio"])


# Other samples.


def test_a_batch_matches_rows_to_the_weights_and_columns_by_name():
    model = hg.GAN(DATED, Normal(), weights=WEIGHTS)
    own = model.on(DATED.iloc[::-1])
    np.testing.assert_array_equal(own.x, X)
    batch = hg.fit_batch(model, [DATED, DATED.iloc[::-1], X], threads=1)
    np.testing.assert_array_equal(batch.params.iloc[[1, 2]], batch.params.iloc[[0, 0]])
    other = DATED.set_axis(DATES + pd.Timedelta(days=1))
    assert "datasets[1]: its index has no label" in refusal(lambda: hg.fit_batch(model, [DATED, other]), ValueError)
    two = pd.DataFrame({"a": X, "b": X**2})
    wide = hg.GAN(two, MultivariateNormal(2))
    np.testing.assert_array_equal(wide.on(two[["b", "a"]]).x, two)


def test_points_are_matched_by_column():
    two = pd.DataFrame({"a": X, "b": RNG.normal(5, 1, N)}, [f"r{k}" for k in range(N)])
    fit = hg.GAN(two, MultivariateNormal(2), n_simulated=256).fit()
    turned = two[["b", "a"]]
    np.testing.assert_array_equal(fit.log_ratio(turned), fit.log_ratio(two))
    np.testing.assert_array_equal(fit.log_ratio(pa.Table.from_pandas(turned, preserve_index=False)), fit.log_ratio(two))
    np.testing.assert_allclose(fit.mahalanobis(turned), fit.mahalanobis(two))
    np.testing.assert_allclose(fit.influence().at(turned), fit.influence().at(two))
    said = str(fit.contamination_test())
    assert " at a = " in said
    assert ", b = " in said


# Frames of other libraries.


class Exchanged:
    """A frame that speaks the interchange protocol and nothing else."""

    def __init__(self, frame):
        self.frame = frame

    def __dataframe__(self, nan_as_null=False, allow_copy=True):
        return self.frame.__dataframe__(nan_as_null, allow_copy)


ARROW = pa.Table.from_pandas(LINE)
FOREIGN = {
    "arrow": lambda: ARROW,
    "reader": lambda: ARROW.to_reader(),
    "interchange": lambda: Exchanged(ARROW),
    "records": lambda: LINE.to_dict("records"),
    "mapping": lambda: {name: list(LINE[name]) for name in LINE},
    "structured array": lambda: LINE[["x", "y", "w"]].to_records(index=False),
    "xarray": lambda: xr.Dataset({name: ("row", LINE[name].to_numpy()) for name in LINE}),
    "polars": lambda: pytest.importorskip("polars").from_arrow(ARROW),
    "lazy": lambda: pytest.importorskip("polars").from_arrow(ARROW).lazy(),
}


@pytest.mark.parametrize("make", FOREIGN.values(), ids=FOREIGN)
def test_a_formula_reads_the_data_and_not_the_surroundings(make):
    x = y = np.zeros(N)  # what was taken instead
    assert len(x) == len(y)
    model = hg.GAN.from_formula("y ~ x", make(), weights="w")
    np.testing.assert_array_equal(model.x, LINE[["x", "y"]])
    np.testing.assert_array_equal(model.weights, LINE.w)
    np.testing.assert_array_equal(model.new_covariates(make())[:, 0], LINE.x)


def test_frames_of_other_libraries_beside_a_family():
    arrow = ARROW.select(["x", "y"])
    for data in (arrow, Exchanged(arrow)):
        model = hg.GAN(data, MultivariateNormal(2), weights=ARROW["w"])
        assert model.columns == ["x", "y"]
        np.testing.assert_array_equal(model.x, LINE[["x", "y"]])
        np.testing.assert_array_equal(model.weights, LINE.w)
    # Rows of Arrow have no labels, so that there is nothing to match.
    np.testing.assert_array_equal(hg.GAN(arrow, MultivariateNormal(2), weights=LINE.w[::-1]).weights, LINE.w[::-1])
    plain = hg.GAN(LINE[["x", "y"]], hg.generators.LinearRegression())
    turned = ARROW.select(["y", "x"])
    np.testing.assert_array_equal(plain.new_covariates(turned)[:, 0], LINE.x)


@pytest.mark.parametrize("data", [np.zeros((N, 2)), [1.0, 2.0], "data.csv", 3, LINE.x], ids=lambda d: type(d).__name__)
def test_data_without_names_make_no_design(data):
    x = y = np.zeros(N)
    assert len(x) == len(y)
    assert refusal(lambda: hg.GAN.from_formula("y ~ x", data), TypeError).startswith("data: got ")


def test_columns_of_different_lengths():
    assert refusal(lambda: table({"x": [1.0, 2.0], "y": [1.0]}, "data")).startswith("data: its columns make no frame")
    assert table({"x": 1.0, "y": 2.0}, "exog")[0].shape == (1, 2)
    assert as_pandas(X, "data") is X
    np.testing.assert_array_equal(beside([1.0, 2.0, 3.0], "weights", None, 3, np.array([0, 2])), [1, 3])
