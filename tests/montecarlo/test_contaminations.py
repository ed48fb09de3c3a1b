"""Departures from the model, and what defines a function."""

import functools
from typing import Any

import numpy as np
import pytest
from scipy import stats
from tolerance import assert_monte_carlo

import hellgan as hg
from hellgan.definitions import digest
from hellgan.montecarlo.contaminations import as_tuple, share_of
from hellgan.montecarlo.streams import streams

RNG = np.random.default_rng


@pytest.mark.parametrize(
    ("contamination", "law"),
    [
        (hg.PointMass(0.3, at=50.0), None),
        (hg.Cluster(0.3, loc=50.0, scale=2.0), stats.norm(50, 2)),
        (hg.Spread(0.3, low=40.0, high=60.0), stats.uniform(40, 20)),
        (hg.HeavyTails(0.3, df=2, loc=50.0, scale=0.1), stats.t(2, 50, 0.1)),
    ],
)
def test_a_share_is_replaced_at_random_places(contamination, law):
    x = RNG(0).uniform(0, 1, 4000)
    before = x.copy()
    y = contamination.apply(x, RNG(1))
    np.testing.assert_array_equal(x, before)
    moved = np.flatnonzero(y != x)
    assert len(moved) == 1200  # exactly round(.3 * 4000)
    assert stats.kstest(moved / 4000, "uniform").pvalue > 1e-4
    if law is None:
        assert set(y[moved]) == {50.0}
    else:
        assert stats.kstest(y[moved], law.cdf).pvalue > 1e-4


def test_a_binomial_number_is_replaced():
    x = np.zeros(200)
    counts = np.array([np.sum(hg.PointMass(0.1, at=5.0, binomial=True).apply(x, RNG(r)) != 0) for r in range(2000)])
    # mean 20, variance 18
    assert_monte_carlo(counts.mean(), 20.0, np.sqrt(18 / 2000), resolution=0.5)
    assert_monte_carlo(counts.var(), 18.0, 18 * np.sqrt(2 / 2000), resolution=3)


def test_coordinates_have_their_own():
    x = RNG(0).standard_normal((1000, 2))
    y = hg.Cluster(0.2, loc=[30.0, -30.0], scale=[0.1, 3.0]).apply(x, RNG(1))
    moved = y[np.any(y != x, axis=1)]
    assert moved.shape == (200, 2)
    np.testing.assert_allclose(moved.mean(axis=0), [30, -30], atol=4.89 * 3 / np.sqrt(200))
    np.testing.assert_allclose(moved.std(axis=0), [0.1, 3.0], rtol=4.89 / np.sqrt(400))
    with pytest.raises(ValueError, match="3 numbers for 2 coordinates"):
        hg.PointMass(0.2, at=[1.0, 2.0, 3.0]).apply(x, RNG(1))


def test_outliers_of_a_regression():
    x = RNG(0).standard_normal((1000, 3))
    vertical = hg.Vertical(0.1, loc=20.0, scale=0.5).apply(x, RNG(1))
    rows = np.any(vertical != x, axis=1)
    np.testing.assert_array_equal(vertical[:, :2], x[:, :2])
    assert rows.sum() == 100
    assert abs(vertical[rows, 2].mean() - 20) < 4.89 * 0.5 / 10
    assert vertical[rows, 2].std() == pytest.approx(0.5, rel=4.89 / np.sqrt(200))
    leverage = hg.Leverage(0.1, at=[9.0, -9.0], response=-5.0, scale=0.1).apply(x, RNG(1))
    rows = np.any(leverage != x, axis=1)
    np.testing.assert_allclose(leverage[rows].mean(axis=0), [9, -9, -5], atol=4.89 * 0.1 / 10)
    np.testing.assert_allclose(leverage[rows].std(axis=0), 0.1, rtol=4.89 / np.sqrt(200))
    with pytest.raises(ValueError, match="covariates and a response"):
        hg.Vertical(0.1, loc=20.0).apply(x[:, 0], RNG(1))


def test_dependence_keeps_the_law_and_correlates_neighbours():
    truth = hg.truth(hg.generators.Logistic(), loc=0.0, scale=1.0)
    own = streams(0, "ab", range(300))
    x = truth.samples(200, own, [hg.Dependence(rho=0.6)])
    scores = stats.norm.ppf(stats.logistic.cdf(x))
    for lag, wanted in ((0, 1.0), (1, 0.6), (3, 0.6**3)):
        # products of a Gaussian AR(1): variance of a mean below 2 (1 + rho^2) / (1 - rho^2) / count = 4.25 / count
        products = scores[:, : 200 - lag] * scores[:, lag:]
        assert_monte_carlo(products.mean(), wanted, np.sqrt(4.25 / products.size), resolution=0.06)
    assert stats.kstest(x[:, 0], "logistic").pvalue > 1e-4
    assert stats.kstest(x[:, -1], "logistic").pvalue > 1e-4
    plain = truth.samples(200, own, [])
    np.testing.assert_allclose(x[:, 0], plain[:, 0], rtol=1e-12)  # the first innovation is the first draw


def test_contamination_has_random_numbers_of_its_own():
    """What it draws is independent of the clean sample, and the same whatever the truth draws."""
    truth, own = hg.truth(hg.generators.Logistic(), loc=0.0, scale=1.0), streams(0, "ab", range(3))
    first, second = hg.Cluster(0.2, loc=8.0), hg.Spread(0.1, low=-9.0, high=-8.0)
    clean, found = (truth.samples(200, own, each) for each in ([], [first, second]))
    for x, y, stream in zip(clean, found, own, strict=True):
        rng = stream.rng(1)
        np.testing.assert_array_equal(y, second.apply(first.apply(x, rng), rng))


def test_several_at_once():
    several = as_tuple((hg.Dependence(rho=0.5), hg.Cluster(0.1, loc=9.0), hg.PointMass(0.2, at=-9.0)))
    assert share_of(several) == pytest.approx(1 - 0.9 * 0.8)
    with pytest.raises(TypeError, match="give None, hg"):
        as_tuple([0.2])


@pytest.mark.parametrize("eps", [-0.1, 1.0, "a", True, np.nan])
def test_a_share_outside_is_refused(eps):
    with pytest.raises(ValueError, match="eps: got"):
        hg.PointMass(eps, at=1.0)


def test_regressions_have_covariates():
    generator = hg.generators.LinearRegression(columns=("x", "z"))
    values: dict[str, Any] = dict(zip(generator.parameters, (1.0, 2.0, -1.0, 0.5), strict=True))
    truth = hg.truth(generator, covariates=lambda rng, n: rng.uniform(0, 1, (n, 2)), **values)
    rows = truth.samples(500, streams(0, "ab", range(40)), []).reshape(-1, 3)
    assert rows[:, :2].min() >= 0
    residuals = rows[:, 2] - 1 - 2 * rows[:, 0] + rows[:, 1]
    assert stats.kstest(residuals, stats.norm(0, 0.5).cdf).pvalue > 1e-4
    with pytest.raises(ValueError, match=r"covariates: the function returned \(5, 3\)"):
        hg.truth(generator, covariates=lambda rng, n: rng.uniform(0, 1, (n, 3)), **values).samples(
            5, streams(0, "ab", [0]), []
        )


# Definitions.


def shifted(x, by=1.0):
    return x + by


def test_equal_things_have_one_definition():
    pairs = [
        (hg.generators.Normal(), hg.generators.Normal()),
        (hg.generators.GAndK().fix(g=2.0), hg.generators.GAndK().fix(g=2.0)),
        (hg.discriminators.Sigmoids(8), hg.discriminators.Sigmoids(8)),
        (functools.partial(shifted, by=2.0), functools.partial(shifted, by=2.0)),
        (np.arange(3.0), [0.0, 1.0, 2.0]),
        (hg.losses.get("root"), hg.losses.get("root")),
    ]
    for a, b in pairs:
        assert digest(a) == digest(b)
    different = [
        hg.generators.Normal(),
        hg.generators.Logistic(),
        hg.generators.StudentT(3),
        hg.generators.StudentT(5),
        hg.generators.GAndK().fix(g=2.0),
        hg.generators.GAndK().fix(g=2.5),
        hg.discriminators.Sigmoids(8),
        hg.discriminators.Sigmoids(9),
        hg.losses.get("root"),
        hg.losses.get("log"),
        functools.partial(shifted, by=2.0),
        functools.partial(shifted, by=3.0),
        hg.Cluster(0.1, loc=8.0),
        hg.Cluster(0.1, loc=8.0, binomial=True),
        hg.PointMass(0.1, at=8.0),
        shifted,
        None,
        0,
        0.5,
    ]
    assert len({digest(thing) for thing in different}) == len(different)


def test_a_function_is_its_code_its_defaults_and_what_it_closes_over():
    def made(by):
        return lambda x: x + by

    def with_default(by):
        def inner(x, by=by):
            return x + by

        return inner

    assert digest(made(1.0)) == digest(made(1.0)) != digest(made(2.0))
    assert digest(with_default(1.0)) != digest(with_default(2.0))
    spaces = {}
    exec("def f(x): return x + 1\ndef g(x): return x + 2\ndef h(x): return x + 1", spaces)
    assert digest(spaces["f"]) != digest(spaces["g"])
