"""The neural-net distance: closed forms, exact properties, and that it generalises."""

import numpy as np
import pytest
from scipy import stats

import hellgan as hg

RNG = np.random.default_rng(0)
X, Y = RNG.normal(size=(2, 400))
distance = hg.divergences.neural_distance


def test_the_identity_gives_total_variation():
    """Of N(0, 1) and N(2, 1) the best discriminator is monotone: sup E D(X) - E D(Y) is 2 Phi(1) - 1 = .6827."""
    truth = 2 * stats.norm.cdf(1) - 1
    found = distance(X, Y + 2, starts=2)
    # Two empirical means of numbers between 0 and 1, each with standard deviation at most 1/2.
    assert abs(found.value - truth) < 4.89 * np.sqrt(2 * 0.25 / 400)
    assert abs(found.held_out - truth) < 4.89 * found.std_error
    assert 0.01 < found.std_error < 0.05


def test_the_logarithm_gives_twice_the_jensen_shannon_divergence():
    """Of N(0, 1) and N(2, 1) that is .67366, and log p/q is linear: within the class."""
    linear = hg.discriminators.Features(lambda x: x)
    found = distance(X, Y + 2, linear, "log", starts=2)
    assert abs(found.held_out - 0.67366164) < 4.89 * found.std_error
    # At the optimum D is the share of p: v = 2 - 2 x.
    D = found.discriminator([0.0, 1.0, 2.0])
    assert np.allclose(D, [1 / (1 + np.exp(-2)), 0.5, 1 / (1 + np.exp(2))], atol=0.06)


def test_by_hand():
    """One binary feature: with all parameters at most b, D is expit(b - b) at 0 and expit(b + b) at 1, or less."""
    x, y = np.array([1.0, 1.0, 1.0, 0.0]), np.array([0.0, 0.0, 0.0, 1.0])
    found = distance(x, y, hg.discriminators.Features(lambda x: x), bound=1.0, held_out=False, steps=2000, starts=2)
    # (3/4 - 1/4) (D(1) - D(0)) is largest where the intercept is -1/2: D(1) - D(0) = 2 expit(1/2) - 1.
    assert found.value == pytest.approx(0.5 * (2 / (1 + np.exp(-0.5)) - 1), abs=1e-4)
    assert np.isnan(found.held_out)
    assert found.capacity == 2


def test_identical_samples_are_at_distance_zero():
    for phi in ("identity", "log", "sqrt"):
        assert distance(X, X, phi=phi, starts=1, held_out=False).value < 1e-6


def test_the_two_samples_may_change_places():
    one, other = (distance(a, b, starts=2, held_out=False).value for a, b in ((X, Y + 1), (Y + 1, X)))
    assert abs(one - other) < 0.02


def test_units_do_not_matter():
    one, other = (distance(1 + c * X, 1 + c * (Y + 1), starts=1, held_out=False).value for c in (1.0, 1e4))
    assert one == pytest.approx(other, rel=1e-6)


def test_it_generalises():
    """Two samples of one law: the distance on the samples falls with n, and held out it is 0 within its error."""
    rng = np.random.default_rng(1)
    values = {}
    for n in (50, 800):
        x, y = rng.normal(size=(2, n, 3))
        values[n] = distance(x, y, hg.discriminators.MLP((6,)), starts=2, steps=200)
    assert values[800].value < 0.6 * values[50].value
    assert abs(values[800].held_out) < 4.89 * values[800].std_error


@pytest.mark.parametrize(
    ("given", "match"),
    [
        ({"x": ["a"] * 5}, "x: not numeric"),
        ({"x": [1.0, 2.0]}, "x: 2 points; give at least 4"),
        ({"y": np.full(9, np.nan)}, "y: some are NaN"),
        ({"y": np.zeros((9, 2))}, "y: 2 coordinates, x has 1"),
        ({"phi": "cube"}, "phi: got 'cube'; give one of identity, log, sqrt"),
        ({"discriminator": "MLP"}, "discriminator: got 'MLP'; give one of hg.discriminators"),
        ({"bound": 0}, "bound: got 0; give a positive number"),
        ({"starts": 0}, "starts: got 0"),
    ],
)
def test_bad_arguments(given, match):
    given = {"x": X, "y": Y} | given
    with pytest.raises((ValueError, TypeError), match=match):
        distance(given.pop("x"), given.pop("y"), **given)
