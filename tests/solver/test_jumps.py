"""Simulators that jump in their parameters get no certificate; those with kinks get the right curvature."""

import jax.numpy as jnp
import numpy as np
import pytest
from jax.scipy.stats import norm
from scipy import stats

import hellgan as hg
from hellgan.cautions import ConvergenceWarning
from hellgan.execution import programs
from hellgan.objective.scores import jacobian as autodiff
from hellgan.objective.scores import mean_score
from hellgan.solver import jumps
from hellgan.solver.certificate import JUMPS, accepted


@hg.generator(latent="uniform", p=hg.interval(0, 1), mu=hg.real(), sigma=hg.positive())
def hurdle(u, p, mu, sigma):
    return jnp.where(u < p, 0.0, jnp.exp(mu + sigma * norm.ppf((u - p) / (1 - p))))


@hg.generator(latent="uniform", latent_dim=2, p=hg.interval(0, 1), mu=hg.real(), sigma=hg.positive())
def hurdle_of_two(u, p, mu, sigma):
    return jnp.where(u[0] < p, 0.0, jnp.exp(mu + sigma * norm.ppf(u[1])))


@hg.generator(loc=hg.real(), scale=hg.positive())
def rounded(z, loc, scale):
    return jnp.round(loc + scale * z)


@hg.generator(loc=hg.real(), scale=hg.positive())
def tobit(z, loc, scale):
    return jnp.maximum(loc + scale * z, 0.0)


@hg.generator(loc=hg.real(), scale=hg.positive())
def smooth(z, loc, scale):
    return loc + scale * z


def zeros_and_others(seed, n=500):
    rng = np.random.default_rng(seed)
    return np.where(rng.random(n) < 0.3, 0.0, np.exp(rng.normal(0.2, 0.5, n)))


@pytest.mark.parametrize("seed", [0, 3, 5])
@pytest.mark.parametrize("generator", [hurdle, hurdle_of_two])
def test_an_atom_whose_weight_is_a_parameter_is_a_jump(generator, seed):
    """These fits were certified, at .05 to .85 for .3, with intervals of width .1 and less."""
    with pytest.warns(ConvergenceWarning, match=rf"{JUMPS} as p moves: the means of the simulated features"):
        fit = hg.GAN(zeros_and_others(seed), generator).fit(start={"p": 0.3, "mu": 0.2, "sigma": 0.5})
    assert not fit.converged
    assert fit.bse.isna().all()


def test_values_that_only_jump_are_told_apart_from_values_that_stay():
    """The features do not react, says JAX; they do."""
    x = np.round(np.random.default_rng(1).normal(3, 2, 300))
    with pytest.warns(ConvergenceWarning, match=f"{JUMPS} as loc, scale moves"):
        hg.GAN(x, rounded).fit()


def test_batches_and_held_parameters():
    """A parameter that is held cannot jump; in a batch each fit has its own reason."""
    samples = np.stack([zeros_and_others(seed) for seed in range(3)])
    with pytest.warns(ConvergenceWarning, match="3 of 3"):
        batch = hg.fit_batch(hg.GAN(samples[0], hurdle), samples)
    assert not batch.converged.any()
    # From one of the samples the search ends before a stationary point, where the slopes may agree.
    assert sum(reason.startswith(f"{JUMPS} as p moves") for reason in batch.trouble) >= 2
    positive = np.stack([x[x > 0][:300] for x in samples])
    assert hg.fit_batch(hg.GAN(positive[0], hurdle.fix(p=1e-9)), positive).converged.all()


@pytest.mark.parametrize(
    ("family", "draw"),
    [
        (hg.generators.Normal(), lambda rng: rng.normal(1, 2, 200)),
        (hg.generators.StudentT(), lambda rng: rng.standard_t(3, 300)),
        (hg.generators.Gamma(), lambda rng: rng.gamma(0.7, 2, 300)),
        (hg.generators.GAndK(), lambda rng: rng.normal(size=300) ** 3),
        (hg.generators.Weibull(), lambda rng: rng.weibull(0.8, 300)),
    ],
)
@pytest.mark.filterwarnings("ignore::hellgan.cautions.ConvergenceWarning")
def test_families_do_not_jump(family, draw):
    """Nor is a smooth simulator held for one that jumps: curvature, and a tail that runs off, explain what differs."""
    rng = np.random.default_rng(2)
    for _ in range(3):
        fit = hg.GAN(draw(rng), family).fit()
        slopes = programs.take(jumps._slopes(programs.stack([fit.equations.game]), fit.solution.u[None]), 0)
        assert not np.any(jumps._are_off(slopes.features, slopes.features_by, slopes.error))
        assert np.all(slopes.unsure < 0.05)  # both halves of the draws agree


def test_a_smooth_simulator_is_fitted_as_the_family_is():
    """The look at its slopes changes nothing; two programs sum in other orders."""
    x = np.random.default_rng(3).normal(1, 2, 200)
    own, family = (hg.GAN(x, g).fit(start={"loc": 1, "scale": 2}) for g in (smooth, hg.generators.Normal()))
    np.testing.assert_allclose(own.solution.jacobian, own.equations.jacobian(own.solution.u), rtol=0, atol=1e-15)
    np.testing.assert_allclose(own.params, family.params, rtol=1e-8)
    np.testing.assert_allclose(own.bse, family.bse, rtol=1e-6)


@pytest.mark.usefixtures("x64")
def test_kinks_change_the_curvature():
    """The derivative of the generator's score is that of many draws that pass the kink, beside one that sees none."""
    x = np.maximum(np.random.default_rng([71, 1]).normal(1, 2, 400), 0)
    equations = hg.GAN(x, tobit, hg.discriminators.Sigmoids(4), n_simulated=2**15).equations()
    u = np.array([1.0, np.log(2), 0.1, 2.0, -1.0, 0.5, 1.0])  # log ratios that are steep at the kink
    step = 0.02
    ends = [mean_score(equations.game, u[:2] + sign * step * np.array([1, 0]), u[2:])[0] for sign in (1, -1)]
    slope = float(ends[0] - ends[1]) / (2 * step)
    blind = float(autodiff(equations.game, u[:2], u[2:])[0, 0])
    assert equations.jacobian(u)[0, 0] == pytest.approx(slope, rel=0.06)
    assert abs(blind - slope) > 0.2 * abs(slope)


def test_censored_samples_are_certified_and_their_errors_hold():
    """Of twelve such fits four had no certificate: their scores jump by 1/m where a draw passes the kink."""
    rng = np.random.default_rng(5)
    samples = np.maximum(rng.normal(1, 2, (200, 400)), 0)
    batch = hg.fit_batch(hg.GAN(samples[0], tobit), samples, seeds=range(200))
    assert batch.converged.all()
    assert np.all(batch.score_norm <= 0.03 / np.sqrt(400))
    covered = np.abs(batch.params.to_numpy() - [1, 2]) < 1.96 * batch.bse.to_numpy()
    low = stats.binom.ppf(1e-4, 200, 0.93) / 200
    assert np.all(covered.mean(axis=0) > low)


def test_what_passes_for_a_root():
    assert accepted(np.full(400, 1 / 400)) == pytest.approx(1e-4 / 20)
    assert accepted(np.full(400, 1 / 400), kinks=True) == pytest.approx(0.03 / 20)


def test_slopes_that_rest_on_a_few_draws_are_no_jump():
    """A tenth of the sample is far away, where two or three draws of a long tail reach: narrow features lie there."""

    @hg.generator(a=hg.real(), b=hg.positive(), g=hg.real(), h=hg.interval(0, 1))
    def g_and_h(z, a, b, g, h):
        return a + b * jnp.expm1(g * z) / g * jnp.exp(h * z**2 / 2)

    rng = np.random.default_rng(3)
    z = rng.normal(size=450)
    clean = 1 + 2 * np.expm1(0.5 * z) / 0.5 * np.exp(0.05 * z**2)
    game = hg.GAN(np.concatenate([clean, rng.normal(60, 1, 50)]), g_and_h).game()
    u = np.concatenate([[1.1, 0.7, 0.78, -1.0], np.zeros(17)])
    slopes = programs.take(jumps._slopes(programs.stack([game]), u[None]), 0)
    assert not np.any(jumps._are_off(slopes.features, slopes.features_by, slopes.error))
    assert np.any(jumps._are_off(slopes.features, slopes.features_by))
