"""The saddle-point solver: against a second route, by equivariance, and by its certificate."""

import dataclasses
import warnings

import jax
import numpy as np
import pytest
from scipy import optimize
from tolerance import EXACT
from worlds import LOSSES, game, gumbel

import hellgan as hg
from hellgan import objective
from hellgan.solver import TOLERANCE, certify, solve_saddle

SOLVER = 10 * TOLERANCE
mean_score = jax.jit(objective.mean_score)
value = jax.jit(objective.objective, static_argnames="penalised")
jacobian = jax.jit(objective.jacobian)


@pytest.fixture(scope="module", params=LOSSES)
def solved(request):
    """Each loss on 64 normal observations, an eighth of them far out."""
    with jax.enable_x64(True):
        rng = np.random.default_rng(5)
        x = np.concatenate([rng.normal(1, 2, 56), rng.normal(15, 0.5, 8)])
        model = hg.GAN(x, hg.generators.Normal(), hg.discriminators.Sigmoids(8), request.param, n_simulated=256)
        g = model.game()
        return g, solve_saddle(g, model.starts(None))


@pytest.mark.usefixtures("x64")
class TestSolution:
    def test_score_vanishes(self, solved):
        """The automatic mean score, which the solver does not use, is 0 at its answer."""
        g, saddle = solved
        assert saddle.converged
        np.testing.assert_allclose(mean_score(g, saddle.theta, saddle.alpha), 0, atol=SOLVER)

    def test_is_certified(self, solved):
        g, saddle = solved
        assert saddle.is_saddle
        assert saddle.kind == ("local minimax" if g.loss.is_zero_sum else "locally stable")
        assert saddle.reason == ""
        assert saddle.discriminator_curvature < 0 < saddle.generator_curvature

    def test_jacobian_and_value_are_those_of_the_objective(self, solved):
        g, saddle = solved
        np.testing.assert_allclose(saddle.jacobian, jacobian(g, saddle.theta, saddle.alpha), atol=1e-10)
        np.testing.assert_allclose(saddle.value, value(g, saddle.theta, saddle.alpha, penalised=False), rtol=EXACT)

    def test_second_route(self, solved):
        """MINPACK's hybrid method on the stacked equations, from a point nearby, finds the same root."""
        g, saddle = solved
        u = np.concatenate([saddle.theta, saddle.alpha])
        start = u + 1e-3 * np.random.default_rng(0).normal(size=u.size)
        root = optimize.root(lambda u: np.asarray(mean_score(g, u[:2], u[2:])), start, method="hybr", tol=1e-13)
        # MINPACK's own accuracy, through a Jacobian whose least eigenvalue is the ridge.
        np.testing.assert_allclose(root.x[:2], saddle.theta, atol=1e-6)

    def test_resists_the_far_observations(self, solved):
        """At 1/8 of gross outliers at 15 the maximum likelihood location is 2.6 and scale 5."""
        _, saddle = solved
        assert abs(saddle.theta[0] - 1) < 1.0
        assert np.exp(saddle.theta[1]) < 3.0


@pytest.mark.usefixtures("x64")
def test_profile_is_least_at_a_minimax_point():
    """Nested scipy minimisation of max_alpha V, log loss: concave inside, so that both levels are unambiguous."""
    g = game("log", "normal", ridge=1e-3)
    saddle = solve_saddle(g, np.array([0.5, 0.5]))

    def profile(theta):
        inner = optimize.minimize(
            lambda alpha: -float(value(g, theta, alpha)),
            np.zeros(g.discriminator.size),
            jac=lambda alpha: -np.asarray(mean_score(g, theta, alpha)[g.p :]),
            method="BFGS",
            options={"gtol": 1e-9},
        )
        return -inner.fun

    outer = optimize.minimize(
        profile, saddle.theta + 0.02, method="Nelder-Mead", options={"xatol": 1e-6, "fatol": 1e-12}
    )
    np.testing.assert_allclose(outer.x, saddle.theta, atol=1e-5)


SHIFT, RESCALE = 100.0, 8.0


@pytest.mark.parametrize("loss", ["root", "root_ns"])
def test_fits_are_location_scale_equivariant(loss):
    """Taking x to a + b x moves loc to a + b loc and scale to b scale, whatever the units: to solver precision."""
    x = np.random.default_rng(2).normal(1, 2, 64)
    arguments = {"discriminator": hg.discriminators.Sigmoids(8), "loss": loss, "n_simulated": 256}
    fit = hg.GAN(x, hg.generators.Normal(), **arguments).fit()
    moved = hg.GAN(SHIFT + RESCALE * x, hg.generators.Normal(), **arguments).fit()
    expected = np.array([SHIFT, 0]) + RESCALE * fit.params.to_numpy()
    np.testing.assert_allclose(moved.params, expected, rtol=1e-8)
    np.testing.assert_allclose(moved.bse, RESCALE * fit.bse, rtol=1e-6)
    np.testing.assert_allclose(moved.saddle.alpha, fit.saddle.alpha, atol=1e-5)  # flat directions: ridge 1e-4
    assert moved.saddle.iterations == fit.saddle.iterations


def test_multivariate_fit_is_equivariant_coordinatewise():
    rng = np.random.default_rng(3)
    x = rng.multivariate_normal([0, 0], [[1, 0.6], [0.6, 1]], 64)
    fits = [
        hg.GAN(data, hg.generators.MultivariateNormal(2), hg.discriminators.Sigmoids(3), n_simulated=256).fit()
        for data in (x, x * [4.0, 0.25] + [32.0, -1.0])
    ]
    first, second = (fit.params.to_numpy() for fit in fits)
    np.testing.assert_allclose(second[:2], first[:2] * [4, 0.25] + [32, -1], rtol=1e-8)
    np.testing.assert_allclose(second[2:4], first[2:4] * [4, 0.25], rtol=1e-8)
    np.testing.assert_allclose(second[4], first[4], rtol=1e-8)


@pytest.mark.parametrize("latent", ["iid", "sobol"])
def test_exactly_identified_is_simulated_moments(latent):
    """With q = p = 1 and feature x: whatever the loss, the simulated mean equals the sample mean."""
    x = np.random.default_rng(4).logistic(1.5, 1, 50)
    generator = hg.generators.Logistic().fix(scale=1.0)
    for loss in ("log", "root"):
        model = hg.GAN(
            x, generator, hg.discriminators.Features(_identity), loss, latent=latent, n_simulated=128, seed=9
        )
        fit = model.fit()
        z = model.game().z[: model.n_simulated]
        np.testing.assert_allclose(fit.params["loc"], x.mean() - z.mean(), atol=SOLVER)
        np.testing.assert_allclose(fit.saddle.alpha, 0, atol=SOLVER)


def _identity(x):
    return x


@pytest.mark.parametrize(
    "far", [{"loc": 1e4, "scale": 1.0}, {"loc": -50.0, "scale": 30.0}, {"loc": 0.0, "scale": 1e-3}]
)
def test_far_starts_end_at_the_same_solution(far):
    """Starts from which neither sample touches the other's features are left behind by further starts or damping."""
    x = np.random.default_rng(6).normal(3, 2, 64)
    model = hg.GAN(x, hg.generators.Normal(), hg.discriminators.Sigmoids(8), n_simulated=256)
    reference = model.fit()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fit = model.fit(start=far)
    if fit.converged:  # a wrong certified answer would be the fault; giving up is said, not hidden
        np.testing.assert_allclose(fit.params, reference.params, rtol=1e-7)
    else:
        assert fit.trouble
        assert np.all(np.isnan(fit.bse))


def test_same_seed_same_bits():
    x = np.random.default_rng(7).normal(size=64)
    fits = [
        hg.GAN(x, hg.generators.Normal(), hg.discriminators.Sigmoids(8), n_simulated=256, seed=s).fit()
        for s in (1, 1, 2)
    ]
    assert np.array_equal(fits[0].params, fits[1].params)
    assert np.array_equal(fits[0].joint_cov(), fits[1].joint_cov())
    assert not np.array_equal(fits[0].params, fits[2].params)


def test_users_generator_from_the_packages_own_start():
    x = np.random.default_rng(8).gumbel(1000.0, 30.0, 300)
    fit = hg.GAN(x, gumbel).fit()
    assert fit.converged
    # Within six standard errors; the start knows nothing but the sample.
    assert np.all(np.abs(fit.params - [1000, 30]) < 6 * fit.bse)


# The certificate, on Jacobians written by hand: p = 1, two discriminator parameters.
#   H_aa = diag(-1, -2), H_at = (1, 1)', so -H_at' H_aa^-1 H_at = 1 + 1/2 and T = H_tt + 3/2.


def hand_certificate(h_tt, h_aa=(-1.0, -2.0), score_norm=0.0, h_ta=(1.0, 1.0), loss="log"):
    g = dataclasses.replace(game("log", "logistic", n=8, m=8), loss=hg.losses.get(loss))
    jacobian = np.array([[h_tt, *h_ta], [1.0, h_aa[0], 0.0], [1.0, 0.0, h_aa[1]]])
    return certify(g, np.zeros(1), np.zeros(2), jacobian, 0.0, score_norm, 1, 1)


@pytest.mark.usefixtures("x64")
class TestCertificate:
    def test_minimax(self):
        saddle = hand_certificate(0.0)
        assert (saddle.is_saddle, saddle.kind) == (True, "local minimax")
        assert saddle.discriminator_curvature == pytest.approx(-1)
        assert saddle.generator_curvature == pytest.approx(1)  # T in the metric M: 1.5 / 1.5

    def test_minimax_need_not_be_nash(self):
        """H_tt < 0 but T = 1/2 > 0: kills a certificate that looks at H_tt."""
        assert hand_certificate(-1.0).is_saddle

    def test_stationary_but_no_minimum(self):
        saddle = hand_certificate(-2.0)
        assert not saddle.is_saddle
        assert saddle.converged
        assert "not a minimum" in saddle.reason
        assert saddle.generator_curvature == pytest.approx(-1 / 3)

    def test_discriminator_not_at_a_maximum(self):
        saddle = hand_certificate(0.0, (-1.0, 2.0))
        assert not saddle.is_saddle
        assert "discriminator is not at a strict maximum" in saddle.reason

    def test_score_too_large(self):
        saddle = hand_certificate(0.0, score_norm=1e-3)
        assert not saddle.converged
        assert not saddle.is_saddle
        assert "0.001" in saddle.reason

    def test_not_finite(self):
        saddle = hand_certificate(np.nan)
        assert not saddle.converged
        assert "double precision" in saddle.reason

    def test_non_zero_sum_uses_its_own_cross_derivative(self):
        """J_ta = (-1, -1): T = H_tt - 3/2, unstable; with H_ta = H_at' it would be stable."""
        assert not hand_certificate(0.0, h_ta=(-1.0, -1.0), loss="log_ns").is_saddle
        stable = hand_certificate(0.0, h_ta=(2.0, 2.0), loss="log_ns")
        assert (stable.is_saddle, stable.kind) == (True, "locally stable")


@pytest.mark.slow
def test_hidden_layer_discriminator():
    """Quasi-Newton on both levels: near the linear discriminator's answer, and a root of the automatic score."""
    x = np.random.default_rng(0).normal(2, 3, 400)
    mlp = hg.GAN(x, hg.generators.Normal(), hg.discriminators.MLP(8), "log")
    fit = mlp.fit()
    assert fit.saddle.converged
    with jax.enable_x64(True):
        score = objective.mean_score(
            mlp.game(), jax.numpy.asarray(fit.saddle.theta), jax.numpy.asarray(fit.saddle.alpha)
        )
    np.testing.assert_allclose(score, 0, atol=1e-8)
    assert abs(fit.params["loc"] - x.mean()) < 0.3
    assert abs(fit.params["scale"] - x.std()) < 0.3
