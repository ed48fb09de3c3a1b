"""A reweighted fit: both steps solve what they say, and its errors are those of the stacked scores."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import special

import hellgan as hg
from hellgan.cautions import ConvergenceWarning
from hellgan.objective.scores import mean_score
from hellgan.solver.two_steps import FIRST

NORMAL, SIGMOIDS = hg.generators.Normal(), hg.discriminators.Sigmoids(8)


def near(seed=0, n=200, share=0.2):
    rng = np.random.default_rng(seed)
    x = rng.normal(1.0, 1.0, n)
    x[: round(share * n)] = rng.normal(4.0, 0.3, round(share * n))
    return x


def model(x=None, **options):
    options = {"n_simulated": 256, "reweight": True, **options}
    return hg.GAN(near() if x is None else x, NORMAL, SIGMOIDS, **options)


@pytest.fixture(scope="module")
def fit():
    return model().fit()


def test_the_two_steps_are_two_fits(fit):
    """The first is a fit with sharp_ns; the second a fit with the weights that follow from it, placed as it was."""
    x = near()
    first = hg.GAN(x, NORMAL, SIGMOIDS, "sharp_ns", n_simulated=256).fit()
    weights = special.expit(4 * (1.5 - first.log_ratio(x)))
    second = hg.GAN(x, NORMAL, SIGMOIDS, n_simulated=256).with_weights(weights).fit(start=first.params)
    np.testing.assert_allclose(fit.params, second.params, rtol=1e-7)
    np.testing.assert_allclose(fit.solution.first[:2], first.saddle.theta, rtol=1e-7)
    np.testing.assert_allclose(fit.log_ratio(x), first.log_ratio(x), atol=1e-6)
    np.testing.assert_array_equal(fit.outliers(), first.outliers())
    np.testing.assert_allclose(fit.equations.beliefs(fit.solution.u), weights, atol=1e-8)
    assert fit.converged
    assert "reweighted" in str(fit.summary())


def test_an_observation_counts_half_where_the_data_are_four_and_a_half_times_as_dense(fit):
    beliefs, v = (
        fit.equations.beliefs(fit.solution.u),
        fit.equations.first.log_ratios(fit.solution.first, near()[:, None]),
    )
    assert np.all((beliefs > 0.5) == (np.exp(v) < np.exp(1.5)))
    assert np.all(beliefs[v > np.log(10)] < 0.04)
    assert np.all(beliefs[v < np.log(2)] > 0.96)


def by_hand(equations, u):
    """The stacked mean score, as the docstring of `two_steps` writes it, with both games played by automatic means."""
    k, p, game = equations.p + equations.discriminator.size, equations.p, equations.game
    first = equations.first.game
    v = jax.vmap(lambda row: equations.discriminator.log_ratio(u[k + p :], row))(jnp.asarray(game.x))
    believed = game.x_weights * jax.nn.sigmoid(4 * (1.5 - v))
    share = jnp.sum(believed)
    later = type(game)(
        game.loss, game.generator, game.discriminator, game.x, believed / share, game.z, game.latent_weights,
        game.draws_each,
    )  # fmt: skip
    return jnp.concatenate([share * mean_score(later, u[:p], u[p:k]), mean_score(first, u[k : k + p], u[k + p :])])


@pytest.mark.usefixtures("x64")
@pytest.mark.parametrize("latent", ["sobol", "iid"])
def test_scores_and_jacobian_are_those_of_the_stacked_equations(latent):
    equations = model(latent=latent).equations()
    u = equations.solve(np.array([[1.0, 0.0]])).u + 0.01 * np.sin(np.arange(22))  # no root
    np.testing.assert_allclose(
        equations.sample.weights @ equations.scores(u) - by_hand(equations, u), remains(equations, u), atol=1e-12
    )
    derivative = np.asarray(jax.jacfwd(lambda u: by_hand(equations, u))(jnp.asarray(u)))
    np.testing.assert_allclose(equations.jacobian(u), derivative, atol=1e-11)


def remains(equations, u):
    """What scores of observations leave out: the mean over the first fit's draws, and its penalty."""
    first = equations.first
    before = u[len(u) // 2 :]
    mean = np.asarray(mean_score(first.game, before[: equations.p], before[equations.p :]))
    return np.concatenate([np.zeros(len(before)), first.sample.weights @ first.scores(before) - mean])


@pytest.mark.parametrize("latent", ["sobol", "iid"])
def test_derivatives_of_the_scores(latent):
    equations = model(latent=latent).equations()
    u = equations.solve(np.array([[1.0, 0.0]])).u
    total = np.zeros((len(u), len(u)))
    for rows, each in equations.score_jacobians(u):
        total += np.einsum("b,bij->ij", equations.sample.weights[rows], each)
    k = len(u) // 2
    np.testing.assert_allclose(total[:k], equations.jacobian(u)[:k], atol=1e-12)
    step = 1e-5
    points = np.array([[-1.0], [0.5], [3.2], [4.5]])
    slopes = (equations.scores_at(u, points + step) - equations.scores_at(u, points - step)) / (2 * step)
    np.testing.assert_allclose(equations.score_gradients(u, points)[:, :, 0], slopes, atol=1e-8)
    np.testing.assert_allclose(equations.scores_at(u, equations.sample.rows), equations.scores(u), atol=1e-12)
    # the implicit function theorem, through another library, beside the Jacobian and the scores
    derivatives = -np.linalg.solve(equations.jacobian(u), equations.scores(u).T)
    np.testing.assert_allclose(equations.weight_derivatives(u)[:k], derivatives[:k], rtol=1e-6, atol=1e-8)


def test_simulated_draws_count_in_both_steps():
    """Independent draws have scores, of which the simulation's part of the covariance is made."""
    equations = model(latent="iid").equations()
    u = equations.solve(np.array([[1.0, 0.0]])).u
    draws = equations.independent_scores(u)
    assert draws is not None
    n, m = 200, 256
    np.testing.assert_allclose(equations.score_covariance(u).simulated, n / m * np.cov(draws.T), atol=1e-12)
    np.testing.assert_allclose(equations.score_covariance(u).real, np.cov(equations.scores(u).T), atol=1e-12)
    assert model().equations().independent_scores(u) is None


def test_leaving_one_out_is_a_refit(fit):
    """The weights follow the first fit without the observation: a stale weight would be seen here."""
    influence = fit.influence()
    exact = influence.leave_one_out("exact")
    x = near()
    for i in (0, 57, 120):
        weights = np.ones(200)
        weights[i] = 0
        again = model(x).with_weights(weights).fit()
        np.testing.assert_allclose(exact.loc[i, ["loc", "scale"]], again.params, rtol=1e-6)
    moved = np.abs(influence.leave_one_out("newton")[["loc", "scale"]] - exact[["loc", "scale"]]).to_numpy()
    shifts = np.abs(exact[["loc", "scale"]] - fit.params).to_numpy()
    assert np.median(moved) < 0.1 * np.median(shifts)


def test_a_batch_is_the_same_fits():
    samples = np.stack([near(seed) for seed in range(20)])
    batch = hg.fit_batch(model(samples[0]), samples)
    assert batch.converged.all()
    for k in (0, 13):
        alone = model(samples[k]).fit()
        np.testing.assert_allclose(batch.params.iloc[k], alone.params, rtol=1e-9)
        np.testing.assert_allclose(batch.bse.iloc[k], alone.bse, rtol=1e-9)


def test_errors_hold_under_near_contamination():
    """Bias and coverage at three standard deviations and a fifth, where the plain fit is off by a third."""
    samples = np.stack([near(seed, n=500) for seed in range(200)])
    for latent, some in (("sobol", samples), ("iid", samples[:80])):
        batch = hg.fit_batch(hg.GAN(samples[0], NORMAL, latent=latent, reweight=True), some)
        assert batch.converged.all()
        errors = batch.params.to_numpy() - 1
        assert np.all(np.abs(errors.mean(axis=0)) < 0.07)
        covered = (np.abs(errors) < 1.96 * batch.bse.to_numpy()).mean(axis=0)
        assert np.all(covered > 0.88)
        ratio = batch.bse.to_numpy().mean(axis=0) / errors.std(axis=0)
        assert np.all((ratio > 0.85) & (ratio < 1.2))
    plain = hg.fit_batch(hg.GAN(samples[0], NORMAL), samples[:20])
    assert plain.params["loc"].mean() - 1 > 0.2


def test_what_has_no_answer_is_refused(fit):
    with pytest.raises(ValueError, match=r"first fit .*use wald_test or score_test"):
        fit.distance_test("loc = 1")
    with pytest.raises(ValueError, match="no closed form at the model"):
        fit.with_cov("model")
    with pytest.raises(ValueError, match="no closed form at the model"):
        fit.influence().at([1.0], under="model")
    with pytest.raises(TypeError, match=r"reweight: got 'yes'; give True or False\."):
        model(reweight="yes")
    with pytest.raises(ValueError, match=r"reweight: the first fit needs a discriminator linear"):
        hg.GAN(near(), NORMAL, hg.discriminators.MLP((4,)), reweight=True)


def test_tests_of_restrictions(fit):
    """A score test is a Wald test to first order; under the second step's own estimate it is 0."""
    at = fit.params["loc"]
    assert fit.score_test(f"loc = {at:.12f}").statistic == pytest.approx(0.0, abs=1e-8)
    close = at + 0.3 * fit.bse["loc"]
    wald, score = (test(f"loc = {close:.12f}").statistic for test in (fit.wald_test, fit.score_test))
    assert float(wald) == pytest.approx(float(score), rel=0.2)


def test_a_file_keeps_both_steps(fit, tmp_path):
    fit.save(tmp_path / "fit.npz")
    again = hg.load(tmp_path / "fit.npz")
    assert again.model.reweight
    np.testing.assert_array_equal(again.solution.u, fit.solution.u)
    np.testing.assert_array_equal(again.bse, fit.bse)
    np.testing.assert_array_equal(again.outliers(), fit.outliers())


def test_a_first_fit_that_fails_is_told(monkeypatch):
    from hellgan.solver import two_steps

    solve = two_steps.solve_saddle

    def failing(game, *rest):
        found = solve(game, *rest)
        fields = {**vars(found), "is_saddle": False, "kind": "not certified", "reason": "it would not"}
        return type(found)(**fields) if game.loss == FIRST else found

    monkeypatch.setattr(two_steps, "solve_saddle", failing)
    with pytest.warns(match="the first of the two fits: it would not"):
        fit = model().fit()
    assert not fit.converged
    assert fit.bse.isna().all()


def test_regressions_and_several_dimensions():
    """The second step takes the observations with their own draws, or with all their coordinates."""
    rng = np.random.default_rng(8)
    x = rng.normal(size=300)
    y = 1 + 2 * x + rng.normal(size=300)
    y[:60] += 3.5
    data = np.column_stack([x, y])
    plain, again = (hg.GAN(data, hg.generators.LinearRegression(), reweight=on).fit() for on in (False, True))
    assert again.converged
    truth = np.array([1.0, 2.0, 1.0])
    assert np.linalg.norm(again.params - truth) < 0.7 * np.linalg.norm(plain.params - truth)
    rows = rng.normal(size=(300, 2))
    rows[:45] = rng.normal([3.0, 0.0], 0.3, size=(45, 2))
    fit = hg.GAN(rows, hg.generators.MultivariateNormal(2), reweight=True).fit()
    assert fit.converged
    assert abs(fit.params.iloc[0]) < 2 * fit.bse.iloc[0]
    assert rows[:45, 0].mean() * 0.15 > 4 * fit.bse.iloc[0]  # what the mean is off by


def test_a_jump_of_the_first_step_has_no_law():
    """The Jacobian may be singular there, and is not asked."""

    @hg.generator(latent="uniform", p=hg.interval(0, 1), loc=hg.real(), scale=hg.positive())
    def inflated(u, p, loc, scale):
        return jnp.where(u < p, 0.0, loc + scale * jnp.log(u / (1 - u)))

    x = np.random.default_rng(1).logistic(1, 1, 300)
    x[:90] = 0.0
    with pytest.warns(ConvergenceWarning):
        fit = hg.GAN(x, inflated, SIGMOIDS, reweight=True).fit()
    assert not fit.converged


@pytest.mark.filterwarnings("ignore::hellgan.cautions.ConvergenceWarning")
def test_kinks_count_in_both_steps():
    @hg.generator(loc=hg.real(), scale=hg.positive())
    def tobit(z, loc, scale):
        return jnp.maximum(loc + scale * z, 0.0)

    rng = np.random.default_rng(2)
    x = np.maximum(rng.normal(1, 2, 300), 0)
    x[:36] = 2.6
    fit: Any = hg.GAN(x, tobit, reweight=True).fit(start={"loc": 1.0, "scale": 2.0})
    of, u = fit.equations, fit.solution.u
    np.testing.assert_allclose(fit.solution.jacobian, of.jacobian(u), atol=1e-12)
    k = len(u) // 2
    np.testing.assert_allclose(fit.solution.jacobian[k:, k:], of.first.jacobian(u[k:]), atol=1e-12)


def test_directions_without_variance_are_of_the_second_step(fit):
    assert fit.degenerate_directions().shape == (3, 3 + 9)


def test_a_generator_with_an_objective_of_its_own_needs_few_steps():
    """Near contamination, where the zero-sum saddle is far from the solution; steps of scoring, then Newton's."""
    samples = np.stack([near(seed, n=500) for seed in range(48)])
    for loss in ("sharp_ns", "root_ns", "log_ns"):
        batch = hg.fit_batch(hg.GAN(samples[0], NORMAL, loss=loss), samples)
        assert batch.converged.all()
        assert np.median(batch.iterations) < 20
