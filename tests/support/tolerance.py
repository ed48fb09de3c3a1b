"""Tolerances: the one for exact identities, and the factory of all Monte Carlo ones."""

import numpy as np
from numpy.typing import ArrayLike

EXACT = 1e-12


def assert_monte_carlo(estimate, truth, mcse, *, resolution, bias: ArrayLike = 0.0, z=4.89):
    """Assert |estimate - truth| <= z mcse + bias, and that this tolerance is at most `resolution`.

    The default z gives one false alarm in 10^6 under normality. `resolution` is the largest error that the
    test may let pass: a wider tolerance is a fault of the test itself. `bias` is what the theory allows
    beyond Monte Carlo error. Arguments broadcast; NaN anywhere fails.
    """
    estimate, truth, mcse = np.asarray(estimate, float), np.asarray(truth, float), np.asarray(mcse, float)
    error, tolerance = estimate - truth, z * mcse + np.asarray(bias, float)
    report = f"estimate {estimate}, truth {truth}, error {error}, mcse {mcse}, tolerance {tolerance}"
    if error.size == 0:
        raise AssertionError("nothing to compare")
    # "not all", since a comparison with NaN is false
    if not np.all((tolerance >= 0.0) & (tolerance <= resolution)):
        raise AssertionError(f"the tolerance is not within [0, {resolution}]: {report}")
    if not np.all(np.abs(error) <= tolerance):
        raise AssertionError(f"beyond the tolerance: {report}")


def mcse_mean(draws):
    """Give the Monte Carlo standard error of the mean over the first axis."""
    draws = np.asarray(draws, float)
    return draws.std(axis=0, ddof=1) / np.sqrt(len(draws))


def mcse_sd(draws):
    """Give that of the standard deviation over the first axis, for any law with four moments.

    By the delta method sqrt((m_4 - m_2^2) / R) / (2 sqrt(m_2)), which is sd / sqrt(2 R) for a normal law.
    """
    centred = np.asarray(draws, float) - np.mean(draws, axis=0)
    m2, m4 = np.mean(centred**2, axis=0), np.mean(centred**4, axis=0)
    return np.sqrt((m4 - m2**2) / len(centred)) / (2.0 * np.sqrt(m2))


def mcse_proportion(proportion, replications):
    """Give that of a proportion; pass the nominal one, since an observed 0 or 1 would claim no error."""
    proportion = np.asarray(proportion, float)
    return np.sqrt(proportion * (1.0 - proportion) / replications)
