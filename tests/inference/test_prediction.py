"""Intervals for new observations: a noise averaged over the estimates, against integrals and the exact t law."""

import numpy as np
import pytest
from scipy import stats

from hellgan.inference.prediction import noise_cdf, predictive_quantile

LAWS = {"normal": stats.norm, "t": stats.t(3.0), "logistic": stats.logistic, "laplace": stats.laplace}
LEVELS = (0.025, 0.1, 0.9)


@pytest.mark.parametrize("noise", LAWS)
def test_distribution_functions_are_scipys(noise):
    x = np.array([-40.0, -3.0, -0.4, 0.0, 0.7, 5.0, 60.0])
    np.testing.assert_allclose(noise_cdf(noise, 3.0)(x), LAWS[noise].cdf(x), rtol=1e-12)


@pytest.mark.parametrize("noise", LAWS)
@pytest.mark.parametrize("level", LEVELS)
def test_without_errors_it_is_the_noise(noise, level):
    found = predictive_quantile(noise_cdf(noise, 3.0), level, np.zeros(2), np.zeros(2), 0.0)
    np.testing.assert_allclose(found, LAWS[noise].ppf(level), rtol=1e-9)


def averaged_cdf(noise, t, variance, covariance, of_log):
    """P(A + exp(B) e <= t) by sums over fine grids."""
    z = np.linspace(-8.0, 8.0, 4001)
    weights = stats.norm.pdf(z) / np.sum(stats.norm.pdf(z))
    b_grid, b_weights = (z[::20], weights[::20] / np.sum(weights[::20])) if of_log > 0 else (np.zeros(1), np.ones(1))
    slope = covariance / np.sqrt(of_log) if of_log > 0 else 0.0
    rest = np.sqrt(variance - slope**2)
    each = [weights @ LAWS[noise].cdf((t - slope * b - rest * z) / np.exp(np.sqrt(of_log) * b)) for b in b_grid]
    return b_weights @ each


@pytest.mark.parametrize("noise", LAWS)
@pytest.mark.parametrize(
    ("variance", "covariance", "of_log"), [(0.02, 0.0, 0.0), (0.5, 0.0, 0.01), (0.5, 0.06, 0.01), (40.0, -0.3, 0.02)]
)
def test_averages_over_the_errors_of_location_and_scale(noise, variance, covariance, of_log):
    rows = np.array([variance, np.nan]), np.array([covariance, 0.0])
    for level in LEVELS:
        found, unknown = predictive_quantile(noise_cdf(noise, 3.0), level, *rows, of_log)
        assert averaged_cdf(noise, found, variance, covariance, of_log) == pytest.approx(
            level, abs=1e-5
        )  # Laplace noise has a kink
        assert np.isnan(unknown)


def test_of_normal_noise_it_is_the_root_of_the_sum():
    variance = np.linspace(0.0, 3.0, 700)  # more rows than one block
    found = predictive_quantile(noise_cdf("normal", 4.0), 0.975, variance, np.zeros(700), 0.0)
    np.testing.assert_allclose(found, stats.norm.ppf(0.975) * np.sqrt(1 + variance), rtol=1e-9)


@pytest.mark.parametrize("df", [100, 400])
def test_of_least_squares_it_is_the_exact_t_but_for_the_bias_of_the_scale(df):
    """The log scale has variance 1/(2 df), and bias -1/(2 df), which is not in it: theory.md, new observations."""
    found = predictive_quantile(noise_cdf("normal", 4.0), 0.975, np.zeros(1), np.zeros(1), 0.5 / df)[0]
    z, exact = stats.norm.ppf(0.975), stats.t.ppf(0.975, df)
    assert found - z == pytest.approx((z**3 - z) / (4 * df), rel=4 / df)
    assert exact - found == pytest.approx(z / (2 * df), rel=4 / df)
