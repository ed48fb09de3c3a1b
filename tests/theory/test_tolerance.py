import numpy as np
import pytest
from tolerance import EXACT, assert_monte_carlo, mcse_mean, mcse_proportion, mcse_sd


def test_passes_up_to_z_standard_errors_plus_bias():
    assert_monte_carlo(1.488, 1.0, 0.1, resolution=0.5)
    assert_monte_carlo(0.512, 1.0, 0.1, resolution=0.5)
    assert_monte_carlo(1.588, 1.0, 0.1, resolution=0.6, bias=0.1)
    assert_monte_carlo([1.0, 2.1], [1.0, 2.0], 0.1, resolution=0.5)


@pytest.mark.parametrize("estimate", [1.49, 0.51, np.inf, -np.inf, np.nan, [1.0, 1.49], [np.nan, 1.0]])
def test_fails_beyond_and_on_nan(estimate):
    with pytest.raises(AssertionError, match="beyond the tolerance"):
        assert_monte_carlo(estimate, 1.0, 0.1, resolution=0.5)


@pytest.mark.parametrize(
    ("mcse", "bias", "resolution"),
    [
        (0.1, 0.0, 0.48),
        (0.1, 0.2, 0.6),
        (np.nan, 0.0, 1.0),
        (np.inf, 0.0, 1.0),
        (-0.1, 0.0, 1.0),
        (0.1, np.nan, 1.0),
        (0.1, 0.0, np.nan),
        ([0.01, 0.3], 0.0, 1.0),
    ],
)
def test_a_test_that_cannot_fail_is_an_error(mcse, bias, resolution):
    with pytest.raises(AssertionError, match="the tolerance is not within"):
        assert_monte_carlo(1.0, 1.0, mcse, resolution=resolution, bias=bias)


def test_without_error_only_equality_passes():
    assert_monte_carlo(1.0, 1.0, 0.0, resolution=0.5)
    with pytest.raises(AssertionError, match="beyond the tolerance"):
        assert_monte_carlo(1.0 + EXACT, 1.0, 0.0, resolution=0.5)


def test_a_comparison_of_nothing_fails():
    with pytest.raises(AssertionError, match="nothing to compare"):
        assert_monte_carlo([], [], [], resolution=1.0)


def test_mcse_by_hand():
    # draws 1, 3: mean 2, sd sqrt(2), mcse sqrt(2) / sqrt(2)
    assert abs(mcse_mean([1.0, 3.0]) - 1.0) < EXACT
    # draws 0, 0, 0, 4: m2 = 3, m4 = (3 + 81) / 4 = 21, so sqrt((21 - 9) / 4) / (2 sqrt(3)) = 1 / 2
    assert abs(mcse_sd([0.0, 0.0, 0.0, 4.0]) - 0.5) < EXACT
    # .2 * .8 / 16 = .01
    assert abs(mcse_proportion(0.2, 16) - 0.1) < EXACT


@pytest.mark.montecarlo
@pytest.mark.parametrize("law", ["standard_normal", "standard_exponential"])
def test_mcse_is_the_spread_over_repetitions(law):
    draws = getattr(np.random.default_rng(1), law)((400, 20_000))
    for statistic, mcse in ((np.mean(draws, axis=0), mcse_mean(draws)), (draws.std(axis=0), mcse_sd(draws))):
        # bias: the estimate of the mcse of a sd is low by O(1 / R) where the tail is exponential
        assert_monte_carlo(mcse.mean() / statistic.std(), 1.0, 1.0 / np.sqrt(2 * 20_000), resolution=0.08, bias=0.05)
