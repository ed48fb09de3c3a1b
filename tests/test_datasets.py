"""Each bundled set is the one of the literature: its known statistics come out."""

import numpy as np
import pytest
from scipy import stats

from hellgan import datasets

# half a unit of the last of so many printed decimals
ROUNDED = {decimals: 0.5001 * 10.0**-decimals for decimals in (3, 4, 5)}

LOADERS = {name: getattr(datasets, f"load_{name}") for name in datasets.names()}


@pytest.mark.parametrize("summary", datasets.summaries(), ids=datasets.names())
def test_summary_is_true(summary):
    data = LOADERS[summary.name]()
    assert len(data) == summary.n
    if len(summary.columns) == 1:
        assert type(data) is np.ndarray
        assert data.shape == (summary.n,)
        assert data.dtype == np.float64
    else:
        assert tuple(data.columns) == summary.columns
    assert not np.any(data != data)  # NaN


def test_every_loader_is_listed():
    assert {name for name in vars(datasets) if name.startswith("load_")} == {
        f"load_{name}" for name in datasets.names()
    }


@pytest.mark.parametrize("name", datasets.names())
def test_docstring_gives_source_and_licence(name):
    assert "Source: " in LOADERS[name].__doc__
    assert "Licence: " in LOADERS[name].__doc__


@pytest.mark.parametrize("name", datasets.names())
def test_every_call_gives_a_fresh_copy(name):
    first, second = LOADERS[name](), LOADERS[name]()
    expected = np.array(second)
    if isinstance(first, np.ndarray):
        first[:] = -1.0
    else:
        first.iloc[:, 0] = -1
    assert np.array_equal(np.array(second), expected)
    assert np.array_equal(np.array(LOADERS[name]()), expected)


@pytest.mark.parametrize(
    ("name", "outliers", "all_rows", "without"),
    [
        ("newcomb", [6, 10], (26.212, 10.664), (27.750, 5.044)),
        ("darwin", [2, 15], (20.933, 36.465), (33.000, 20.696)),
        ("chem", [17], (4.280, 5.186), (3.208, 0.672)),
    ],
)
def test_normal_maximum_likelihood(name, outliers, all_rows, without):
    x = LOADERS[name]()
    clean = np.delete(x, np.array(outliers) - 1)
    assert np.allclose((x.mean(), x.std()), all_rows, rtol=0, atol=ROUNDED[3])
    assert np.allclose((clean.mean(), clean.std()), without, rtol=0, atol=ROUNDED[3])


def test_vonbort_is_fourteen_corps_in_twenty_years():
    frame = datasets.load_vonbort()
    assert np.bincount(frame["deaths"]).tolist() == [144, 91, 32, 11, 2]
    assert frame["deaths"].mean() == pytest.approx(0.7, abs=1e-12)
    assert frame["corps"].nunique() == 14
    assert sorted(frame["year"].unique()) == list(range(1875, 1895))
    assert not frame.duplicated(["year", "corps"]).any()


@pytest.mark.parametrize(
    ("load", "rows", "means", "correlation"),
    [
        (datasets.load_stars_cyg, [11, 20, 30, 34], ((4.310, 5.012), (4.3865, 4.9212)), (-0.2104, 0.6054)),
        (
            lambda: np.log(datasets.load_animals2()),
            [6, 16, 26],
            ((1.736, 3.198), (1.3375, 3.1402)),
            (0.8753, 0.9596),
        ),
    ],
    ids=["stars_cyg", "animals2"],
)
def test_bivariate_maximum_likelihood(load, rows, means, correlation):
    x = np.array(load())
    clean = np.delete(x, np.array(rows) - 1, axis=0)
    for sample, mean, cor, digits in zip((x, clean), means, correlation, (3, 4), strict=True):
        assert np.allclose(sample.mean(axis=0), mean, rtol=0, atol=ROUNDED[digits])
        assert np.corrcoef(sample.T)[0, 1] == pytest.approx(cor, abs=ROUNDED[4])


def test_animals2_names_the_dinosaurs():
    animals = datasets.load_animals2().index
    assert list(animals[[5, 15, 25]]) == ["Dipliodocus", "Triceratops", "Brachiosaurus"]


@pytest.mark.parametrize(
    ("name", "response", "coefficients", "digits"),
    [
        ("stackloss", "stack_loss", (-39.920, 0.7156, 1.2953, -0.1521), (3, 4, 4, 4)),
        ("telephone", "calls", (-26.006, 0.50415), (3, 5)),
        ("stars_cyg", "log_light", (6.793, -0.413), (3, 3)),
    ],
)
def test_least_squares(name, response, coefficients, digits):
    frame = LOADERS[name]()
    design = np.column_stack([np.ones(len(frame)), frame.drop(columns=response)])
    fitted = np.linalg.lstsq(design, frame[response].to_numpy(float), rcond=None)[0]
    assert np.all(np.abs(fitted - coefficients) <= [ROUNDED[d] for d in digits])


@pytest.mark.parametrize(
    ("load", "weights", "means", "sds", "log_likelihood"),
    [
        (
            lambda: datasets.load_faithful()["waiting"],
            (0.3609, 0.6391),
            (54.6149, 80.0911),
            (5.8712, 5.8677),
            -1034.002,
        ),
        (
            lambda: datasets.load_faithful()["eruptions"],
            (0.3484, 0.6516),
            (2.0186, 4.2733),
            (0.2356, 0.4371),
            -276.360,
        ),
        (
            lambda: datasets.load_galaxies() / 1000,
            (0.0854, 0.8781, 0.0366),
            (9.710, 21.400, 33.044),
            (0.4225, 2.1945, 0.9217),
            -203.179,
        ),
    ],
    ids=["waiting", "eruptions", "galaxies"],
)
def test_mixture_log_likelihood_at_the_known_maximum(load, weights, means, sds, log_likelihood):
    density = stats.norm.pdf(np.array(load())[:, None], means, sds) @ np.array(weights)
    # rounding costs little at a maximum, but the weights of galaxies then sum to 1.0001: 82 times 1e-4
    assert np.log(density).sum() == pytest.approx(log_likelihood, abs=0.01)


def test_galaxies_keeps_the_misprint():
    assert datasets.load_galaxies()[77] == 26690.0
