"""The theorems of docs/theory.md by simulation: each test names its statement, its assumptions and what it kills.

World: logistic location, X = loc + logistic noise, features (x, tanh(x/2)) of which the second is the score;
n = m = 1000 independent latent draws unless said. Fisher's information is 1/3, so that the right side of (3),
(1 + n/m) I^-1, is 6: sqrt(n) times the standard deviation is 2.4495.
"""

import functools

import numpy as np
import pytest
from replicate import FULL, replicate
from tolerance import assert_monte_carlo, mcse_mean, mcse_proportion, mcse_sd
from worlds import LOGISTIC_LOCATION, LOGISTIC_SCORE

import hellgan as hg

pytestmark = [pytest.mark.slow, pytest.mark.montecarlo]

N, REPLICATIONS = 1000, 1000
# Each takes a minute: the suite has one that is concave, the default, and one with an objective of the generator's own.
GAMES = ("log", "hellinger", "root", "least_squares", "root_ns", "log_ns", "kl") if FULL else ("log", "root", "root_ns")


def _draw(rng):
    return rng.logistic(size=N)


@functools.lru_cache
def fits(loss, replications=REPLICATIONS):
    return replicate(
        _draw, replications, 31, test=True, joint=True, generator=LOGISTIC_LOCATION, discriminator=LOGISTIC_SCORE,
        loss=loss, latent="iid", n_simulated=N,
    )  # fmt: skip


@pytest.mark.parametrize("loss", GAMES)
def test_equation_3(loss):
    """Var sqrt(n) theta_hat = (1 + n/m)(J' C^-1 J)^-1 = 6 at the truth, for every loss.

    Assumes a right model, features that span the score, independent latents. Kills a solver that stops early or at
    another root, and any loss whose optimum is not the log ratio.
    """
    got = fits(loss)
    assert got.certified.all()
    scaled = np.sqrt(N) * got.estimates[:, 0]
    # O(1/n) bias of variance and estimate: at n = 1000 below one in a hundred.
    assert_monte_carlo(scaled.std(ddof=1), np.sqrt(6), mcse_sd(scaled), bias=0.025, resolution=0.32)
    assert_monte_carlo(scaled.mean(), 0.0, mcse_mean(scaled), bias=0.05, resolution=0.45)


@pytest.mark.parametrize("loss", GAMES)
def test_equation_2_standard_errors(loss):
    """The sandwich's mean standard error is the standard deviation, and 95 % intervals cover.

    Kills a dropped simulation term (ratio .71), a missing second solve, a factor n/m upside down.
    """
    got = fits(loss)
    sd = got.estimates[:, 0].std(ddof=1)
    ratio = got.errors[:, 0].mean() / sd
    assert_monte_carlo(ratio, 1.0, mcse_sd(got.estimates[:, 0]) / sd, bias=0.01, resolution=0.14)
    assert_monte_carlo(got.coverage(0.0), 0.95, mcse_proportion(0.95, REPLICATIONS), bias=0.005, resolution=0.045)


@pytest.mark.parametrize("loss", GAMES)
def test_joint_law_at_the_truth(loss):
    """Theta and alpha are uncorrelated, and alpha has rank q - p: its intercept has no variance of order 1/n.

    Kills the uncentred meat, which gives the intercept a variance of order 1/n in the estimated covariance.
    """
    got = fits(loss)
    correlation = np.corrcoef(got.estimates[:, 0], got.joint[:, 2])[0, 1]
    assert_monte_carlo(correlation, 0.0, 1 / np.sqrt(REPLICATIONS), bias=0.03, resolution=0.19)
    slope = np.sqrt(N) * got.joint[:, 1:].std(axis=0, ddof=1)
    assert slope[0] < 0.1 * slope[2]  # the intercept against the second feature
    estimated = np.sqrt(N) * got.joint_errors.mean(axis=0)
    assert_monte_carlo(
        estimated[3], slope[2], mcse_sd(np.sqrt(N) * got.joint[:, 3]), bias=0.03 * slope[2], resolution=1.2
    )
    assert estimated[1] < 0.15 * estimated[3]


@pytest.mark.parametrize("loss", GAMES[1:])
def test_losses_are_equal_at_the_truth(loss):
    """Estimates theta_hat of two losses differ by o(1/sqrt(n)): same samples, same latents."""
    a, b = fits("log").estimates[:, 0], fits(loss).estimates[:, 0]
    assert np.corrcoef(a, b)[0, 1] > 0.998
    assert (a - b).std() < 0.07 * a.std()


@pytest.mark.parametrize("loss", GAMES)
def test_equation_4(loss):
    """The overidentification statistic is chi-square with q - p = 1 degree of freedom: size .05 at 5 %.

    Kills a wrong 4A/c^2, a scale n instead of nm/(n + m), a V that keeps the ridge.
    """
    got = fits(loss)
    for level in (0.05, 0.5):
        size = np.mean(got.overid < level)
        assert_monte_carlo(size, level, mcse_proportion(level, REPLICATIONS), bias=0.01, resolution=0.09)


def test_factor_of_simulation():
    """(3) with m = 10 n: sqrt(n) sd = sqrt(3 (1 + 1/10)) = 1.8166, far from 2.4495 and not 1.7321."""
    got = replicate(
        _draw, REPLICATIONS, 32, generator=LOGISTIC_LOCATION, discriminator=LOGISTIC_SCORE, loss="log", latent="iid"
    )
    scaled = np.sqrt(N) * got.estimates[:, 0]
    assert_monte_carlo(scaled.std(ddof=1), 1.8166, mcse_sd(scaled), bias=0.02, resolution=0.24)
    ratio = np.sqrt(N) * got.errors[:, 0].mean() / 1.8166
    assert_monte_carlo(ratio, 1.0, mcse_mean(np.sqrt(N) * got.errors[:, 0]) / 1.8166, bias=0.01, resolution=0.02)


@pytest.mark.parametrize("loss", GAMES)
def test_quasi_random_latents_remove_the_factor(loss):
    """256 Sobol points: sqrt(n) sd = sqrt(3) = 1.7321, the standard errors say so, and (4) keeps its size."""
    got = replicate(
        _draw, REPLICATIONS, 33, test=True, joint=True,
        generator=LOGISTIC_LOCATION, discriminator=LOGISTIC_SCORE, loss=loss, n_simulated=256,
    )  # fmt: skip
    scaled = np.sqrt(N) * got.estimates[:, 0]
    assert_monte_carlo(scaled.std(ddof=1), np.sqrt(3), mcse_sd(scaled), bias=0.02, resolution=0.24)
    errors = np.sqrt(N) * got.errors[:, 0]
    assert_monte_carlo(errors.mean(), np.sqrt(3), mcse_mean(errors), bias=0.01, resolution=0.03)
    size = np.mean(got.overid < 0.05)
    assert_monte_carlo(size, 0.05, mcse_proportion(0.05, REPLICATIONS), bias=0.01, resolution=0.05)
    correlation = np.corrcoef(got.estimates[:, 0], got.joint[:, 2])[0, 1]
    assert_monte_carlo(correlation, 0.0, 1 / np.sqrt(REPLICATIONS), bias=0.03, resolution=0.19)


@pytest.mark.parametrize("latent", ["iid", "sobol"])
@pytest.mark.parametrize("loss", [loss for loss in GAMES if loss != "kl"])
def test_sandwich_and_bootstrap_agree(loss, latent):
    """Standard errors by (2) and by 200 refits are one number, both samples resampled, or Sobol points shifted.

    Kills a bootstrap that leaves the latents alone (ratio .71 for m = n), or resamples Sobol points (above 1.2).
    """
    ratios = []
    for r in range(12):
        model = hg.GAN(
            np.random.default_rng([36, r]).logistic(size=400), LOGISTIC_LOCATION, LOGISTIC_SCORE, loss,
            latent=latent, n_simulated=400 if latent == "iid" else 256, seed=r,
        )  # fmt: skip
        fit = model.fit()
        boot = fit.bootstrap(200, seed=r)
        assert boot.n_failed == 0
        ratios.append(boot.bse["loc"] / fit.bse["loc"])
    assert_monte_carlo(np.mean(ratios), 1.0, np.sqrt(1 / 400 / 12), bias=0.02, resolution=0.2)


@pytest.mark.parametrize(
    ("latent", "m", "plain"), [("iid", 500, 0.051), ("iid", 2000, 0.113), ("sobol", 512, 0.156)][0 if FULL else 2 :]
)
def test_misspecified_overidentification(latent, m, plain):
    """N(0, 4) data, N(theta, 1) model, features (x, tanh): the means match, the law does not.

    The robust form keeps its size; the plain one, which tests the whole law, has the sizes of docs/theory.md.
    """

    def draw(rng):
        return rng.normal(0, 2, 500)

    sizes = []
    for robust in (True, False):
        got = replicate(
            draw, 1000, 34, test=True, robust=robust, generator=hg.generators.Normal().fix(scale=1.0),
            discriminator=LOGISTIC_SCORE, loss="log", latent=latent, n_simulated=m,
        )  # fmt: skip
        sizes.append(np.mean(got.overid < 0.05))
    mcse = mcse_proportion(0.05, 1000)
    assert_monte_carlo(sizes[0], 0.05, mcse, bias=0.01, resolution=0.05)
    assert_monte_carlo(sizes[1], plain, mcse_proportion(plain, 1000), bias=0.02, resolution=0.08)


def test_default_fit_keeps_the_size_of_the_test():
    """Sixteen sigmoids, ridge and Sobol points: the limit law with its ridge correction, at 5 % and 50 %."""

    def draw(rng):
        return rng.normal(1, 1, 500)

    got = replicate(draw, 1000, 35, test=True, generator=hg.generators.Normal(), loss="log")
    for level, bias in ((0.05, 0.02), (0.5, 0.06)):  # second-order terms of 14 degrees of freedom at n = 500
        assert_monte_carlo(np.mean(got.overid < level), level, mcse_proportion(level, 1000), bias=bias, resolution=0.15)
