"""What the package promises of its default fit, by simulation: efficiency, coverage, robustness."""

import numpy as np
import pytest
from replicate import replicate, replications
from tolerance import assert_monte_carlo, mcse_mean, mcse_proportion, mcse_sd
from worlds import gumbel

import hellgan as hg

pytestmark = [pytest.mark.slow, pytest.mark.montecarlo]

N, SEED = 500, 101


def clean(rng):
    return rng.normal(1, 1, N)


@pytest.fixture(scope="module")
def clean_fits():
    """Default fits of N(1, 1), 14,000 in full: the relative error of a standard deviation is then .6 %."""
    return replicate(clean, replications(14_000, 4000), SEED, generator=hg.generators.Normal())


def test_efficiency_on_clean_data(clean_fits):
    """The first 2,000: variance within 5 % of maximum likelihood's on the same samples, for loc and scale."""
    samples = [clean(np.random.default_rng([SEED, r])) for r in range(2000)]
    likelihood = np.array([(x.mean(), x.std()) for x in samples])
    ratio = clean_fits.estimates[:2000].var(axis=0) / likelihood.var(axis=0)
    assert np.all(ratio < 1.05), ratio
    assert np.all(ratio > 0.95), ratio


def test_coverage_on_clean_data(clean_fits):
    """The first 2,000: coverage of 95 % intervals within Monte Carlo error plus .01 of .95; a failed fit is a miss.

    At most one fit in a thousand may fail, and says so; the first 2,000 all succeed.
    """
    assert clean_fits.certified[:2000].all()
    assert np.mean(~clean_fits.certified) < 0.001
    assert np.array_equal(clean_fits.certified, np.all(np.isfinite(clean_fits.errors), axis=1))
    first = (clean_fits.lower[:2000] <= 1) & (clean_fits.upper[:2000] >= 1)
    mcse = mcse_proportion(0.95, 2000)
    assert_monte_carlo(first.mean(axis=0), 0.95, mcse, z=3, bias=0.01, resolution=0.025)
    assert_monte_carlo(
        clean_fits.coverage(1.0), 0.95, mcse_proportion(0.95, len(clean_fits.lower)), bias=0.01, resolution=0.03
    )


def test_standard_errors_on_clean_data(clean_fits):
    """All (less the failed, of which the test above speaks): mean standard error within 3 % of the sd, in full."""
    estimates, errors = clean_fits.estimates[clean_fits.certified], clean_fits.errors[clean_fits.certified]
    sd = estimates.std(axis=0, ddof=1)
    ratio = errors.mean(axis=0) / sd
    assert_monte_carlo(ratio, 1.0, mcse_sd(estimates) / sd, z=2, bias=0.018, resolution=0.042)


@pytest.mark.parametrize("share", [0.1, 0.2])
def test_contaminated(share):
    """10 and 20 % of N(8, .3^2): |bias| < .03 for root, coverage at least .93 up to Monte Carlo error."""
    k = round(share * N)

    def draw(rng):
        x = clean(rng)
        x[:k] = rng.normal(8, 0.3, k)
        return x

    got = replicate(draw, 2000, 102, generator=hg.generators.Normal(), loss="root")
    assert got.certified.all()
    bias = got.estimates.mean(axis=0) - 1
    assert np.all(mcse_mean(got.estimates) < 0.002)
    assert np.all(np.abs(bias) < 0.03), bias
    assert np.all(got.coverage(1.0) >= 0.93), got.coverage(1.0)


def test_users_generator():
    """A simulator for which nothing was prepared, from the package's own start: certified, coverage in (.92, .98)."""

    def draw(rng):
        return rng.gumbel(3, 2, 300)

    got = replicate(draw, replications(500, 250), 103, generator=gumbel)
    assert got.certified.all()
    coverage = got.coverage(np.array([3.0, 2.0]))
    assert np.all((coverage > 0.92) & (coverage < 0.98)), coverage


def test_flagged_observations():
    """Outliers are all but always flagged, and a clean sample has less than one flag on average."""

    def flags(rng, share):
        x = rng.normal(size=200)
        k = round(share * 200)
        x[:k] = rng.normal(6, 0.5, k)
        flagged = hg.GAN(x, hg.generators.Normal()).fit().outliers()
        return np.sum(flagged >= k), np.sum(flagged < k) / max(k, 1)

    clean_flags = np.array([flags(np.random.default_rng([104, r]), 0.0)[0] for r in range(200)])
    dirty = np.array([flags(np.random.default_rng([105, r]), 0.1) for r in range(200)])
    assert clean_flags.mean() < 1
    assert dirty[:, 0].mean() < 1
    assert dirty[:, 1].mean() > 0.95
