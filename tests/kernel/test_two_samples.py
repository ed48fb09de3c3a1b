"""Divergences of two samples: values, standard errors, the permutation test; Theorems 2.4 and 2.6 of the kernel GAN."""

import numpy as np
import pytest
from scipy import integrate, optimize, stats
from tolerance import EXACT, assert_monte_carlo, mcse_mean, mcse_sd

import hellgan as hg
from hellgan.divergences import classifier, estimate, kernel_objective
from hellgan.divergences.permutations import labels
from hellgan.divergences.samples import Pair, point_values
from hellgan.objective import kernel


def samples(n=150, m=150, shift=1.0, seed=0, d=None):
    rng, shape = np.random.default_rng(seed), () if d is None else (d,)
    x, y = rng.normal(size=(n, *shape)), rng.normal(size=(m, *shape))
    y[(..., *((0,) if d else ()))] += shift
    return x, y


def test_kernel_objective():
    """The figures of test_sums at the door; at equality -log 4, whose halves are the JSD-F and the JSD-S."""
    found = kernel_objective([-1.0, 0.0, 0.5, 2.0], [-0.5, 1.0, 1.5], bandwidth=0.5)
    np.testing.assert_allclose([float(found), found.real], [-0.9982994888, -0.5530946528], atol=1e-10)
    x = samples()[0]
    same = kernel_objective(x, x)
    np.testing.assert_allclose([same.value, same.real, same.simulated], np.log([1 / 4, 1 / 2, 1 / 2]), rtol=EXACT)
    np.testing.assert_allclose(kernel_objective(x, x, loss="root").value, np.sqrt(2), rtol=EXACT)


def test_estimate_and_its_error_by_the_jackknife():
    """The projections' standard error is that of leaving points out, but for terms of order 1/n."""
    x, y = samples()
    found = estimate(x, y, loss="root", bandwidth=0.5)
    left = [estimate(np.delete(x, k), y, loss="root", bandwidth=0.5).value for k in range(20)]
    influence = -149 * (np.array(left) - found.value)

    pair = Pair.read(x, y)
    plugin = pair.plugin(0.5, hg.losses.root, 0.0, "gaussian", None)
    real, simulated = point_values(plugin, pair.x, pair.w, pair.y, pair.u)
    np.testing.assert_allclose(real[:20] - real.mean(), influence, atol=0.02)
    error = np.sqrt(np.var(real, ddof=1) / 150 + np.var(simulated, ddof=1) / 150)
    np.testing.assert_allclose(found.std_error, error, rtol=EXACT)
    np.testing.assert_allclose(found.conf_int(), found.value + 1.959963984540054 * error * np.array([-1, 1]), rtol=1e-9)


@pytest.mark.montecarlo
@pytest.mark.parametrize("method", ["kernel", "classifier"])
def test_errors_are_those_of_the_estimates(method):
    """Over 300 pairs of samples; the classifier's mean is near the divergence, .2228, the kernel's near A(.5)."""
    found = [estimate(*samples(seed=seed), method=method, bandwidth=0.5) for seed in range(300)]
    values, errors = np.array([[each.value, each.std_error] for each in found]).T
    assert_monte_carlo(values.std(ddof=1), errors.mean(), mcse_sd(values), bias=0.003, resolution=0.015)
    truth = {"kernel": 0.21583503, "classifier": 0.22284296}[method]
    # Noise bias of the second order; and the ridge, for which the correction does not allow.
    assert_monte_carlo(values.mean(), truth, mcse_mean(values), bias=0.01, resolution=0.03)


def test_classifier_against_scipy():
    """The maximum, and the correction by the matrices written out."""
    x, y = samples(120, 90)
    game = classifier.between(x[:, None], y[:, None], hg.losses.log, 0)
    phi, ridge = np.asarray(game.features), np.asarray(game.ridge)

    def minus(alpha):
        v = phi @ alpha
        value = np.mean(-np.logaddexp(0, -v[:120])) + np.mean(-np.logaddexp(0, v[120:])) - ridge @ alpha**2
        p = 1 / (1 + np.exp(-v))
        slope = phi[:120].T @ (1 - p[:120]) / 120 - phi[120:].T @ p[120:] / 90 - 2 * ridge * alpha
        return -value, -slope

    best = optimize.minimize(minus, np.zeros(len(ridge)), jac=True, method="BFGS", options={"gtol": 1e-9}).x
    v, p = phi @ best, 1 / (1 + np.exp(-phi @ best))
    bent = (phi * (p * (1 - p) * np.where(np.arange(210) < 120, 1 / 120, 1 / 90))[:, None]).T @ phi
    rows = np.where(np.arange(210) < 120, 1 - p, -p)[:, None] * phi
    noise = np.cov(rows[:120], rowvar=False) / 120 + np.cov(rows[120:], rowvar=False) / 90
    bias = np.trace(np.linalg.solve(bent + 2 * np.diag(ridge), noise)) / 2
    value = np.mean(-np.logaddexp(0, -v[:120])) + np.mean(-np.logaddexp(0, v[120:])) + np.log(4)
    np.testing.assert_allclose(estimate(x, y, method="classifier").value, value - bias, atol=1e-6)


def test_permutations_by_hand():
    """The statistic is the paper's value at one standard deviation of the pooled sample; ranks are counted."""
    x, y = samples(12, 9, shift=0.8)
    found, pooled = estimate(x, y, loss="root", permutations=19, seed=3), np.concatenate([x, y])
    rows = labels(12, 9, 19, 3)
    assert np.all(rows.sum(axis=1) == 12)
    values = [kernel_objective(pooled[own], pooled[~own], bandwidth=pooled.std(), loss="root").value for own in rows]
    assert found.pvalue == pytest.approx(np.mean(np.array(values) >= values[0] - 1e-12))


@pytest.mark.parametrize(("method", "d"), [("kernel", 2), ("classifier", None)])
def test_equality_is_not_rejected_and_difference_is(method, d):
    assert estimate(*samples(60, 50, 0.0, 5, d), method=method, permutations=99).pvalue > 0.05
    assert estimate(*samples(60, 50, 1.0, 5, d), method=method, permutations=99).pvalue == pytest.approx(0.01)


def test_theorem_2_4_an_unrestricted_discriminator_separates_any_two_samples():
    """With points of their own for all features v is infinite at both: the value is a constant and has no slope.

    A kernel of so small a bandwidth that it sees a point alone is such a discriminator; at the default bandwidth the
    gradient in theta is not zero, which is what makes the kernel's objective one. Kills: gradients that are zero.
    """
    x = np.random.default_rng(0).normal(1.0, 1.0, 40)
    theta = np.array([0.3, 0.2])
    for loss, best in (("log", 0.0), ("root", 2.0)):
        alone, seen = (
            hg.KernelGAN(x, hg.generators.Normal(), loss, s, phi=0.0, own_weight=1.0, n_simulated=64).equations()
            for s in (1e-7, 0.5)
        )
        score, hessian, value = kernel.scored(alone.game, theta)
        np.testing.assert_allclose(value, best, atol=1e-12)
        np.testing.assert_array_equal([*score, *hessian.ravel()], 0.0)
        assert np.all(np.abs(kernel.scored(seen.game, theta)[0]) > 0.05)


def limit(phi, p, q) -> float:
    """(13): the integral of p log[(p + phi)/(p + q + 2 phi)] + q log[(q + phi)/(p + q + 2 phi)], by quadrature."""

    def integrand(t):
        a, b = p.pdf(t), q.pdf(t)
        total = a + b + 2 * phi
        return a * np.log((a + phi) / total) + b * np.log((b + phi) / total)

    return integrate.quad(integrand, -12, 14, epsabs=1e-12, limit=200)[0]


@pytest.mark.parametrize("phi", [0.01, 0.1])
def test_theorem_2_6_the_limit_with_phi(phi):
    """Approached as n grows with a bandwidth of n^(-1/5), and never below -log 4. Kills: phi left out of a density."""
    truth = limit(phi, stats.norm(0, 1), stats.norm(2, 1))
    assert truth > -np.log(4)
    np.testing.assert_allclose(truth + np.log(4), {0.01: 0.64477072, 0.1: 0.47791787}[phi], atol=1e-8)
    errors = []
    for n in (300, 3000, 30000):
        levels = (np.arange(n) + 0.5) / n  # no noise of sampling: what is left is the kernel's
        x, y = stats.norm.ppf(levels), 2 + stats.norm.ppf(levels)
        errors.append(abs(kernel_objective(x, y, bandwidth=n**-0.2, phi=phi).value - truth))
    assert errors[0] > 2 * errors[1] > 4 * errors[2]
    assert errors[2] < 0.003


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda x, y: estimate(x[:2], y), "x: 2 points; give at least 3"),
        (lambda x, y: estimate(x, np.column_stack([y, y])), "y: 2 coordinates, and x has 1"),
        (lambda x, y: estimate(x, y * np.nan), "y: some points are NaN or infinite"),
        (lambda x, y: estimate(x, y * 0), "y: all points are equal in a coordinate"),
        (lambda x, y: estimate(x, y, method="mmd"), "method: 'mmd' is not known"),
        (lambda x, y: estimate(x, y, permutations=0), "permutations: got 0; give an integer of at least 1"),
        (lambda x, y: estimate(x, y, bandwidth=[1.0, 0.5]), "bandwidth: got"),
        (lambda x, y: kernel_objective(x, y, bandwidth=0), "bandwidth: got 0; give a positive number"),
        (lambda x, y: kernel_objective(x, y, phi=-1), "phi: got -1"),
        (lambda x, y: kernel_objective(x, y, loss="kl"), "loss: kl has no closed form"),
    ],
)
def test_bad_arguments(call, message):
    with pytest.raises((ValueError, TypeError), match=message):
        call(*samples(20, 20))
