"""Edges of spaces, and parts that overlap, by the errors of estimates (``hellgan.inference.linked``)."""

import warnings

import numpy as np
import pytest

import hellgan as hg
from hellgan.inference import observations_seen

SPACES = [hg.simplex(2), hg.simplex(2), hg.real(), hg.positive()]


def test_observations_seen_of_known_membership():
    """Where one sees the part of each of n observations the count is n: the binomial's error."""
    w, n = 0.3, 400.0
    error = np.sqrt(w * (1 - w) / n)
    rows = np.array([[w, 1 - w, 0.0, 1.0], [w, 1 - w, 0.0, 1.0]])
    errors = np.array([[error, error, 9.0, 9.0], [2 * error, error, 9.0, 9.0]])
    np.testing.assert_allclose(observations_seen(SPACES, rows, errors), [n, n / 4])
    assert np.isnan(observations_seen(SPACES, rows[0], np.full(4, np.nan)))


def test_without_weights_there_are_no_parts():
    assert observations_seen(SPACES[2:], np.zeros(2), np.ones(2)) == np.inf
    assert observations_seen(SPACES[2:], np.zeros((5, 2)), np.ones((5, 2))).shape == (5,)


@pytest.mark.parametrize(("gap", "least", "most"), [(2.0, 10, 12), (6.0, 0, 0)])
def test_parts_that_overlap_are_told(gap, least, most):
    """Two scales apart, 500 observations: coverage of .66 (benchmarks/studies/parts.py); six apart .93."""
    rng = np.random.default_rng(16)
    samples = np.where(rng.random((12, 500)) < 0.4, 0.0, gap) + rng.standard_normal((12, 500))
    model = hg.GAN(samples[0], hg.generators.NormalMixture(2))
    batch = hg.fit_batch(model, samples, seeds=range(12))
    assert least <= batch.flagged.sum() <= most
    k = int(np.flatnonzero(batch.converged & (batch.flagged if least else ~batch.flagged))[0])
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        fit = batch[k]
    said = [str(w.message) for w in caught if issubclass(w.category, hg.FitWarning)]
    assert any("the parts overlap" in text for text in said) == bool(least)
    assert ("The parts overlap" in str(fit.summary())) == bool(least)
