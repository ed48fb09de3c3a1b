"""Kaji, Manresa and Pouliot's logistic location example: their figures, and the theory they should have.

Logistic data, location model, n = 300; their code's standard deviation is root n sd = 1.82 at m = 10 n over 500
replications and its bootstrap standard errors at m = n are 2.28 (logistic discriminator) and 2.55 (network).
"""

import numpy as np
import pytest
from replicate import replicate
from scipy import integrate, optimize, special
from tolerance import assert_monte_carlo, mcse_mean, mcse_sd
from worlds import LOGISTIC_LOCATION, LOGISTIC_SCORE

import hellgan as hg

N = 300
ARGUMENTS = {"generator": LOGISTIC_LOCATION, "discriminator": LOGISTIC_SCORE, "loss": "log", "latent": "iid"}


@pytest.mark.slow
@pytest.mark.montecarlo
def test_standard_deviation_at_ten_latents_an_observation():
    """Equation (3): sqrt(3 (1 + 1/10)) = 1.8166; theirs is 1.82."""
    got = replicate(lambda rng: rng.logistic(size=N), 2000, 41, n_simulated=10 * N, **ARGUMENTS)
    assert got.certified.all()
    scaled = np.sqrt(N) * got.estimates[:, 0]
    assert_monte_carlo(scaled.std(ddof=1), 1.8166, mcse_sd(scaled), bias=0.02, resolution=0.24)
    errors = np.sqrt(N) * got.errors[:, 0]
    assert_monte_carlo(errors.mean(), 1.8166, mcse_mean(errors), bias=0.02, resolution=0.04)


@pytest.mark.slow
def test_bootstrap_standard_errors_at_one_latent_an_observation():
    """Real and latent indices resampled independently: near sqrt(6) = 2.449, between 2.2 and 2.7."""
    errors = []
    for r in range(12):
        x = np.random.default_rng([42, r]).logistic(size=N)
        fit = hg.GAN(x, n_simulated=N, seed=r, **ARGUMENTS).fit()
        boot = fit.bootstrap(200, seed=r)
        assert boot.n_failed == 0
        errors.append(np.sqrt(N) * boot.bse["loc"])
        assert 0.85 < boot.bse["loc"] / fit.bse["loc"] < 1.15  # the bootstrap's own noise is 5 %
    assert 2.2 < np.median(errors) < 2.7
    assert 2.3 < np.mean(errors) < 2.6


def misspecified_deviations():
    """Root n sd of N(theta, 1) on logistic data for an ideal discriminator and `log`, by quadrature.

    The estimate solves E h(v(G)) (G - theta) = 0 with h(v) = log expit(-v), v = log p/q. A real observation moves
    the equation by h'(v) (x - theta) q/p at x, a simulated one by h'(v) (log p)'(x), each centred: the first through
    v alone, the second through v and through the law that the mean is of. Returns the limits for m infinite, 2 n, n.
    """

    def log_p(x):
        return -x - 2 * np.log1p(np.exp(-x))

    def log_q(x, theta):
        return -((x - theta) ** 2) / 2 - np.log(2 * np.pi) / 2

    def weight(x, theta):  # h'(v)
        return -special.expit(log_p(x) - log_q(x, theta))

    def expectation(function, density):
        return integrate.quad(lambda x: function(x) * density(x), -40, 40, limit=400, epsabs=1e-12)[0]

    def slope(theta):  # of the divergence
        return expectation(
            lambda x: special.log_expit(-(log_p(x) - log_q(x, theta))) * (x - theta), lambda x: np.exp(log_q(x, theta))
        )

    theta, _ = optimize.brentq(slope, -0.5, 0.5, full_output=True)
    curvature = (slope(theta + 1e-4) - slope(theta - 1e-4)) / 2e-4

    def variance(score, density):
        mean = expectation(score, density)
        return expectation(lambda x: (score(x) - mean) ** 2, density)

    real = variance(
        lambda x: weight(x, theta) * (x - theta) * np.exp(log_q(x, theta) - log_p(x)), lambda x: np.exp(log_p(x))
    )
    simulated = variance(lambda x: weight(x, theta) * (1 - 2 * special.expit(x)), lambda x: np.exp(log_q(x, theta)))
    return np.sqrt([real + share * simulated for share in (0, 0.5, 1)]) / curvature


def test_misspecified_model_with_an_ideal_discriminator():
    """N(theta, 1) on logistic data: 2.0371, 2.1576 (m = 2 n), 2.2718 (m = n); maximum likelihood has 1.8138."""
    np.testing.assert_allclose(misspecified_deviations(), [2.0371, 2.1576, 2.2718], atol=6e-5)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("latent", "m", "expected"), [("sobol", 4096, 2.0371), ("iid", 40_000, 2.1576), ("iid", 20_000, 2.2718)]
)
def test_misspecified_model_with_the_packages_discriminator(latent, m, expected):
    """Sixteen sigmoids come close to the ideal: the sandwich of one large sample, within four in a hundred."""
    n = 20_000
    x = np.random.default_rng(43).logistic(size=n)
    model = hg.generators.Normal().fix(scale=1.0)
    fit = hg.GAN(x, model, hg.discriminators.Sigmoids(16), "log", latent=latent, n_simulated=m).fit()
    assert np.sqrt(n) * fit.bse["loc"] == pytest.approx(expected, rel=0.04)
