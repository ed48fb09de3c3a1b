"""Reports speak of observations by the data's own labels, where these have some, and of positions elsewhere."""

import numpy as np
import pandas as pd
import pytest

import hellgan as hg
from hellgan.samples.labels import packed, unpacked

NEWCOMB = pd.Series(hg.datasets.load_newcomb())
DAYS = pd.date_range("1882-07-24", periods=len(NEWCOMB))


@pytest.fixture(scope="module")
def plain():
    return hg.GAN(NEWCOMB, hg.generators.Normal()).fit()


@pytest.fixture(scope="module")
def dated():
    return hg.GAN(NEWCOMB.set_axis(DAYS).rename("passage"), hg.generators.Normal()).fit()


@pytest.fixture(scope="module")
def left():
    """Of a frame with a default index from which a row is left out, the second."""
    holes = pd.Series(np.insert(np.asarray(NEWCOMB, float), 1, np.nan))
    return hg.GAN(holes, hg.generators.Normal(), missing="drop").fit()


def test_without_an_index_all_is_by_position(plain):
    assert plain.outliers().tolist() == [5, 9]
    assert plain.outliers().dtype.kind == "i"
    assert plain.rows_left_out == []
    assert "at 5, 9 (counted from 0, most extreme first)" in str(plain.summary())
    for frame in (plain.influence().dfbetas, plain.estfun(), plain.influence().observations):
        assert frame.index.equals(pd.RangeIndex(66))
    assert plain.influence().summary_frame().index[:2].tolist() == [5, 9]
    array = hg.GAN(NEWCOMB.to_numpy(), hg.generators.Normal())
    assert not array.sample.is_labelled


def test_labels_of_an_index(dated):
    assert list(dated.outliers()) == list(DAYS[[5, 9]].to_numpy())
    assert dated.outlier_positions().tolist() == [5, 9]
    assert NEWCOMB.set_axis(DAYS).loc[dated.outliers()].tolist() == NEWCOMB[[5, 9]].tolist()
    assert "at 1882-07-29, 1882-08-02 (labels of the data's rows, most extreme first)" in str(dated.summary())
    assert dated.influence().summary_frame().index[:2].tolist() == list(DAYS[[5, 9]])
    assert dated.influence().dfbetas.index.equals(DAYS)
    decided = dated.influence().decisive("loc", "significance", null=26.5)
    assert len(decided.labels) == len(decided.positions)
    assert (DAYS[decided.positions] == decided.labels).all()


def test_rows_left_out_keep_the_labels_of_the_others(left, plain):
    assert left.rows_left_out == [1]
    assert left.outliers().tolist() == [6, 10]
    assert left.outlier_positions().tolist() == [5, 9]
    assert "at 6, 10 (labels of the data's rows" in str(left.summary())
    np.testing.assert_allclose(left.params, plain.params, rtol=1e-9)
    assert left.influence().dfbetas.index.tolist() == [0, *range(2, 67)]


def test_an_index_in_which_a_label_occurs_twice_names_nobody():
    fit = hg.GAN(NEWCOMB.set_axis(["a", "b", "c"] * 22), hg.generators.Normal()).fit()
    assert fit.outliers().tolist() == [5, 9]


def test_figures(plain, dated):
    axes = dated.plot_diagnostics()
    assert axes[0].get_xlabel() == axes[3].get_xlabel() == "passage"
    assert "flagged: 1882-07-29, 1882-08-02" in [text.get_text() for text in axes[2].get_legend().get_texts()]
    ax = dated.influence().plot_index("log_ratio")
    assert {"1882-07-29", "1882-08-02"} <= {word for text in ax.texts for word in text.get_text().split(", ")}
    ax = plain.influence().plot_index("log_ratio")
    assert {"5", "9"} <= {word for text in ax.texts for word in text.get_text().split(", ")}
    unnamed = hg.GAN(NEWCOMB.to_numpy(), hg.generators.Normal()).fit()
    assert unnamed.plot_fit().get_xlabel() == "x"


def test_saved_fits_keep_labels(plain, dated, left, tmp_path):
    for fit in (plain, dated, left):
        fit.save(tmp_path / "fit.npz")
        again = hg.load(tmp_path / "fit.npz")
        assert again.model.sample.labels.equals(fit.model.sample.labels)
        assert again.rows_left_out == fit.rows_left_out
        assert str(again.summary()) == str(fit.summary())
        assert again.model.sample.origin.name == fit.model.sample.origin.name


def test_rows_left_out_at_the_end_are_kept_in_mind():
    sample = hg.GAN([*NEWCOMB, np.nan], hg.generators.Normal(), missing="drop").sample
    assert not sample.is_labelled
    assert unpacked(packed(sample), 66).left_out(66).tolist() == [66]


@pytest.mark.parametrize(
    "rows",
    [
        3,
        {},
        {"kind": "texts", "labels": ["a"], "kept": None, "name": None},
        {"kind": "dates", "labels": ["never"] * 66, "kept": None, "name": None},
        {"kind": "numbers", "labels": list(range(70)), "kept": [100] * 66, "name": None},
        {"kind": "numbers", "labels": [1] * 66, "kept": None, "name": None},
    ],
    ids=["number", "empty", "too few", "no dates", "beyond", "one label"],
)
def test_damaged_labels_are_refused(rows):
    with pytest.raises(ValueError, match="the labels of its rows are not those of 66 observations"):
        unpacked(rows, 66)
