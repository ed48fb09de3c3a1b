"""The test of the bulk: nominal where the bulk is fitted, whatever lies elsewhere; sure where no bulk is."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import special, stats

import hellgan as hg
from hellgan.inference.bulk_test import BulkTest
from hellgan.inference.tails import weighted_chi2_sf

NORMAL = hg.generators.Normal()


def samples(count, n, share, place, spread, seed=0):
    rng = np.random.default_rng(seed)
    x = rng.normal(1.0, 1.0, (count, n))
    wrong = round(share * n)
    x[:, :wrong] = rng.normal(place, spread, (count, wrong))
    return x


@pytest.mark.parametrize("latent", ["sobol", "iid"])
def test_by_hand(latent):
    """Weighted means of both samples, and their slope in theta, written anew."""
    x = samples(1, 200, 0.1, 6.0, 0.3)[0]
    fit = hg.GAN(x, NORMAL, hg.discriminators.Sigmoids(6, ridge=1e-12), latent=latent, n_simulated=512).fit()
    of, game = fit.equations, fit.equations.game
    theta, alpha = fit.saddle.theta, fit.saddle.alpha
    m = fit.n_simulated

    def counted(v):
        return special.expit(4 * (1.5 - v))

    def simulated(theta):
        drawn = np.asarray(theta[0] + np.exp(theta[1]) * game.z[:m, :1])
        return of.features(drawn), counted(fit.log_ratio(drawn[:, 0]))

    def means(theta):
        phi, weights = simulated(theta)
        return weights @ phi / weights.sum()

    def means_of(z):
        drawn = np.asarray(theta[0] + np.exp(theta[1]) * z[:, :1])
        weights = counted(fit.log_ratio(drawn[:, 0]))
        return weights @ of.features(drawn) / weights.sum()

    def covariance(phi, weights):
        w = weights / weights.sum()
        root = (phi - w @ phi) * w[:, None]
        return root.T @ root / np.sum(w**2) / (1 - np.sum(w**2))

    weights = counted(fit.log_ratio(x))
    phi = of.features(x[:, None])
    delta = weights @ phi / weights.sum() - means(theta)
    step = 1e-5
    slope = np.stack([(means(theta + step * e) - means(theta - step * e)) / (2 * step) for e in np.eye(2)], axis=1)
    n = weights.sum() ** 2 / np.sum(weights**2)
    drawn, counts = simulated(theta)
    counts = counts / counts.sum()
    of_law = np.cov(drawn, rowvar=False, aweights=counts)
    c = (covariance(phi, weights) + of_law) / 2
    inverse = np.linalg.inv(c)
    form = inverse - inverse @ slope @ np.linalg.solve(slope.T @ inverse @ slope, slope.T @ inverse)
    found = fit.bulk_test()
    assert found.statistic == pytest.approx((n - 6) * delta @ form @ delta, rel=1e-4)
    assert found.df == 4
    assert found.share == pytest.approx(weights.mean(), rel=1e-9)
    if latent == "sobol":
        others = np.stack([means_of(z) for z in fit.model.simulation.scrambles()[:8]])
        values, vectors = np.linalg.eigh(c + n * np.cov(others, rowvar=False))
        root = vectors * np.sqrt(values)
        weights = np.linalg.eigvalsh(root.T @ form @ root)[-4:]
        assert weights.max() > 1.001  # the simulation's noise counts
        assert found.pvalue == pytest.approx(weighted_chi2_sf(weights, found.statistic), rel=1e-4)
    assert len(alpha) == 7


def test_size_in_heavy_tails():
    """A tail in which the sample has few observations does not make the test reject."""
    x = np.random.default_rng(4).standard_cauchy((200, 500))
    pvalues = hg.fit_batch(hg.GAN(x[0], hg.generators.Cauchy()), x).bulk_pvalue
    assert stats.binom.sf(np.sum(pvalues < 0.01) - 1, 200, 0.02) > 1e-4
    assert stats.binom.sf(np.sum(pvalues < 0.05) - 1, 200, 0.06) > 1e-4


@pytest.mark.parametrize(("share", "place"), [(0.0, 0.0), (0.2, 9.0), (0.4, 9.0)])
def test_size(share, place):
    """Contamination that is away changes nothing: the level stays within its Monte Carlo error of nominal."""
    batch = hg.fit_batch(hg.GAN(samples(1, 500, 0, 0, 1)[0], NORMAL), samples(400, 500, share, place, 0.3, seed=1))
    pvalues = batch.bulk_pvalue
    assert np.all(np.isfinite(pvalues[batch.converged]))
    for level in (0.01, 0.05, 0.2):
        rejected = int(np.sum(pvalues < level))
        assert stats.binom.cdf(rejected - 1, 400, level + 0.01) < 0.9999, (level, rejected)
        assert stats.binom.cdf(rejected, 400, max(level - 0.01, 1e-9)) > 1e-4 or level == 0.01, (level, rejected)
    assert batch.bulk_share.mean() == pytest.approx(1 - share, abs=0.01)


@pytest.mark.parametrize(
    ("share", "place", "spread"), [(0.2, 4.0, 0.3), (0.2, 3.0, 0.3), (0.4, 6.0, 1.0), (0.4, 5.0, 1.0)]
)
def test_power_against_fits_of_no_bulk(share, place, spread):
    """Certified fits that lie between two groups, or are pulled by one nearby."""
    x = samples(60, 500, share, place, spread, seed=2)
    with pytest.warns(hg.FitWarning, match=r"of 60 fits describe no bulk of their samples"):
        batch = hg.fit_batch(hg.GAN(x[0], NORMAL), x)
    off = np.abs(batch.params["loc"] - 1) > 1.96 * batch.bse["loc"]
    assert off.mean() > 0.8
    assert batch.flagged[off].mean() > 0.95


def test_a_fit_of_no_bulk_warns_and_says_so():
    x = samples(1, 500, 0.4, 6.0, 1.0, seed=3)[0]
    model = hg.GAN(x, NORMAL)
    with pytest.warns(hg.FitWarning, match=r"describes no part of the sample well \(test of the bulk, p-value"):
        fit = model.fit()
    test = fit.bulk_test()
    assert test.is_rejected
    assert fit.bulk_pvalue == test.pvalue < 1e-6
    text = str(fit.summary())
    assert "Prob(bulk):" in text
    assert "The fitted law describes no part of the sample well" in text
    assert str(test).startswith("test of the bulk: ")
    with pytest.raises(RuntimeError, match="describes no part of the sample well"):
        model.fit(throw=True)
    assert issubclass(hg.FitWarning, UserWarning)


def test_a_fit_of_a_minority_is_told():
    """Right of its own group, which is less than half of the sample."""
    test = BulkTest(3.0, 14, 0.9, 0.4)
    assert test.is_rejected
    rng = np.random.default_rng(4)
    x = np.concatenate([rng.normal(1, 1, 300), rng.normal(9, 1, 200)])
    with pytest.warns(hg.FitWarning, match=r"describes less than half of the sample \(0\.4"):
        hg.GAN(x, NORMAL, reweight=True).fit(start={"loc": 9.0, "scale": 1.0})


def test_regressions_compare_each_observation_with_its_own_draws():
    """Size with vertical outliers far away, and power where two lines are mixed."""
    rng = np.random.default_rng(6)
    pvalues, mixed = [], []
    for _ in range(60):
        x = rng.normal(size=200)
        y = 1 + 2 * x + rng.normal(size=200)
        y[:30] += 12
        pvalues.append(hg.GAN(np.column_stack([x, y]), hg.generators.LinearRegression()).fit().bulk_pvalue)
    assert 0 < np.mean(np.array(pvalues) < 0.2) < 0.45
    assert np.sum(np.array(pvalues) < 0.01) <= 4
    for _ in range(5):
        x = rng.normal(size=400)
        y = np.where(rng.random(400) < 0.4, 5 + 0.3 * rng.normal(size=400), rng.normal(size=400))
        mixed.append(hg.GAN(np.column_stack([x, y]), hg.generators.LinearRegression()).fit().bulk_pvalue)
    assert np.median(mixed) < 0.01


def test_contamination_that_depends_on_the_covariates_is_no_misfit():
    """Leverage points whose responses are wrong: the fit is right, and what is believed of it fits."""
    rng = np.random.default_rng(7)
    pvalues = []
    for _ in range(20):
        x = np.concatenate([rng.normal(size=425), rng.normal(4, 0.3, 75)])
        y = 1 + 2 * x + rng.normal(size=500)
        y[425:] += 15
        pvalues.append(hg.GAN(np.column_stack([x, y]), hg.generators.LinearRegression()).fit().bulk_pvalue)
    assert np.sum(np.array(pvalues) < 0.01) <= 3


def test_dependent_observations_have_no_test_and_no_warning():
    """The law of the test is that of independent ones."""
    rng = np.random.default_rng(4)
    x = np.zeros(400)
    for t in range(1, 400):
        x[t] = 0.9 * x[t - 1] + rng.normal()
    fit = hg.GAN(x, NORMAL).fit(cov_type="HAC", cov_kwds={"maxlags": 10}, throw=True)
    assert np.isnan(fit.bulk_pvalue)


def test_where_there_is_no_test(newcomb_like):
    few = hg.GAN(newcomb_like, NORMAL, hg.discriminators.Polynomial(2), "log").fit()
    assert np.isnan(few.bulk_pvalue)
    with pytest.raises(ValueError, match="leave nothing to test"):
        few.bulk_test()
    network = hg.GAN(newcomb_like, NORMAL, hg.discriminators.MLP((2,)), n_simulated=64)
    assert np.isnan(hg.fit_batch(network, [newcomb_like]).bulk_pvalue).all()


@pytest.fixture
def newcomb_like():
    return samples(1, 60, 0.0, 0.0, 1.0, seed=8)[0]


def test_a_reweighted_fit_is_judged_by_what_its_first_step_believes():
    x = samples(1, 500, 0.2, 9.0, 0.3, seed=9)[0]
    fit: Any = hg.GAN(x, NORMAL, reweight=True).fit()
    beliefs = fit.equations.beliefs(fit.solution.u)
    assert fit.bulk_test().share == pytest.approx(beliefs.mean(), rel=1e-9)
    found = fit.equations.believed(fit.saddle)
    phi = fit.equations.features(x[:, None])
    weights = beliefs / beliefs.sum()
    drawn = fit.equations.first.game
    with jax.enable_x64(True):
        rows = jax.vmap(lambda z: drawn.generator(jnp.asarray(fit.saddle.theta), z))(jnp.asarray(drawn.z))
    v = fit.equations.first.log_ratios(fit.solution.first, np.asarray(rows))
    theirs = special.expit(4 * (1.5 - v))
    expected = weights @ phi - theirs @ fit.equations.features(np.asarray(rows)) / theirs.sum()
    np.testing.assert_allclose(found.difference, expected, atol=1e-10)


def test_few_observations_are_flagged():
    """Fewer than three a feature: the fit warns, and a batch says which."""
    x = samples(4, 40, 0.0, 0.0, 1.0, seed=10)
    with pytest.warns(hg.FitWarning, match="40 observations for 16 features: intervals are likely to be too short"):
        hg.GAN(x[0], NORMAL).fit()
    assert hg.fit_batch(hg.GAN(x[0], NORMAL), x).flagged.all()
    assert not hg.fit_batch(hg.GAN(x[0], NORMAL, hg.discriminators.Sigmoids(6)), x).flagged.all()
