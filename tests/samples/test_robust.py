"""Robust summaries of weighted samples, by hand and at the normal law."""

import numpy as np
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st
from tolerance import EXACT

from hellgan.samples import robust


def equal(n):
    return np.full(n, 1 / n)


def test_robust_scale_by_hand():
    x = np.array([1.0, 2.0, 3.0, 4.0, 100.0])
    # median 3, absolute deviations 2, 1, 0, 1, 97, their median 1
    mad = 1 / scipy.stats.norm.ppf(0.75)
    assert robust.robust_scale(x, equal(5)) == pytest.approx(mad, rel=EXACT)
    # MAD 0; interquartile range of 0, 0, 0, 2, 4 is 2
    assert robust.robust_scale(np.array([0.0, 0.0, 0.0, 2.0, 4.0]), equal(5)) == pytest.approx(2 / 1.349, rel=EXACT)
    # MAD and interquartile range 0; the 10 and 90 % quantiles of 0 (17 times), 1, 2, 4, 8 are 0 and 2
    x = np.array([0.0] * 17 + [1.0, 2.0, 4.0, 8.0])
    assert robust.robust_scale(x, equal(21)) == pytest.approx(2 / 2.563, rel=EXACT)
    # ... and of those with 19 zeros 0 and 0, with a 95 % quantile of 2
    x = np.array([0.0] * 19 + [2.0, 4.0])
    assert robust.robust_scale(x, equal(21)) == pytest.approx(2 / 3.290, rel=EXACT)


def test_the_spread_of_a_normal_law_is_its_standard_deviation_by_every_route():
    z = scipy.stats.norm.ppf((np.arange(100_001) + 0.5) / 100_001)
    assert robust.robust_scale(z, equal(z.size)) == pytest.approx(1, rel=1e-4)
    for level, width in ((0.25, 1.349), (0.1, 2.563), (0.05, 3.290)):
        assert np.ptp(scipy.stats.norm.ppf([level, 1 - level])) == pytest.approx(width, abs=6e-4)


def test_weighted_quantiles_by_hand():
    x = np.array([3.0, 1.0, 2.0])
    assert robust.quantile(x, 0.5, np.array([0.6, 0.2, 0.2])) == 3.0
    assert robust.quantile(x, 0.5, np.array([0.2, 0.6, 0.2])) == 1.0
    # linear between order statistics where all weights are equal
    assert robust.quantile(x, 0.25, equal(3)) == 1.5


@pytest.mark.parametrize("weights", [equal(21), np.r_[0.0, 0.0, np.full(19, 1 / 19)], np.arange(21) / 210])
def test_a_stack_is_summarised_sample_by_sample(weights):
    samples = np.random.default_rng(0).normal(size=(2, 3, 21))
    samples[0, 1] = np.r_[np.zeros(17), 1.0, 2.0, 4.0, 8.0]  # its spread is by another route
    for level in (0.3, np.array([0.1, 0.5]), np.array([[0.1, 0.5], [0.2, 0.9]])):
        each = [[robust.quantile(x, level, weights) for x in row] for row in samples]
        np.testing.assert_array_equal(robust.quantile(samples, level, weights), each)
    for summary in (robust.deviation, robust.robust_scale):
        np.testing.assert_array_equal(
            summary(samples, weights), [[summary(x, weights) for x in row] for row in samples]
        )
    samples[1, 2] = 1.0
    with pytest.raises(ValueError, match="central 90 %"):
        robust.robust_scale(samples, weights)


@settings(max_examples=30, deadline=None)
@given(counts=st.lists(st.integers(0, 4), min_size=5, max_size=5).filter(lambda c: len(set(c) - {0}) > 1))
def test_integer_weights_count_like_repeated_rows(counts):
    x = np.array([2.0, -1.0, 7.0, 3.5, 0.25])
    weights = np.array(counts) / np.sum(counts)
    for level in (0.1234, 0.3, 0.51, 0.777):  # no multiple of 1 / (sum of counts)
        if abs(level * np.sum(counts) - round(level * np.sum(counts))) < 1e-6:
            continue
        expected = np.quantile(np.repeat(x, counts), level, method="inverted_cdf")
        assert robust.quantile(x, level, weights) == expected
