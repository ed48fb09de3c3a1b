"""The bootstrap's samples, refits and intervals; fits without single observations, and the decisive few."""

import dataclasses
import warnings
from types import SimpleNamespace

import jax
import numpy as np
import pandas as pd
import pytest
from scipy import special, stats
from tolerance import EXACT

import hellgan as hg
from hellgan import latents
from hellgan.cautions import ConvergenceWarning
from hellgan.estimation import Refits
from hellgan.inference import bootstrap
from hellgan.inference.bootstrap import Bootstrap
from hellgan.influence import deletion
from hellgan.objective import evaluation
from hellgan.results import GANResults
from hellgan.solver import equations, solve_saddle

SLOW = pytest.mark.slow
NEWCOMB = hg.datasets.load_newcomb()
# The solver stops at a score norm of 1e-9; errors of estimates are a few times that.
SOLVER = 1e-7
NORMAL, SIGMOIDS = hg.generators.Normal(), hg.discriminators.Sigmoids(5)
SKEWED = np.random.default_rng(1).exponential(size=48)


def newcomb_model(**options):
    return hg.GAN(NEWCOMB, NORMAL, SIGMOIDS, **{"n_simulated": 64, **options})


def regression_model():
    rng = np.random.default_rng(4)
    frame = pd.DataFrame({"x": rng.normal(size=64)})
    frame["y"] = 1 + 2 * frame["x"] + rng.normal(size=64)
    return hg.GAN.from_formula("y ~ x", frame, loss="log", n_simulated=256)


def plane_model():
    x = np.random.default_rng(6).multivariate_normal([0, 1], [[1, 0.5], [0.5, 2]], 48)
    return hg.GAN(x, hg.generators.MultivariateNormal(2), hg.discriminators.Sigmoids(3), n_simulated=128)


MODELS = {
    "sobol": newcomb_model,
    "weights": lambda: newcomb_model(weights=np.linspace(1, 2, len(NEWCOMB))),
    "iid": lambda: newcomb_model(latent="iid", n_simulated=320),
    "regression": regression_model,
    "plane": plane_model,
    "non-zero-sum": lambda: newcomb_model(loss="root_ns"),
}
WORLDS = [*list(MODELS)[:4], *(pytest.param(name, marks=SLOW) for name in list(MODELS)[4:])]


@pytest.fixture(scope="module", params=WORLDS)
def drawn(request):
    """A fit and its bootstrap."""
    fit = MODELS[request.param]().fit()
    return fit, fit.bootstrap(20, seed=3, threads=1)


@pytest.fixture(scope="module")
def newcomb():
    return newcomb_model().fit()


@pytest.fixture(scope="module")
def mean():
    """A game whose estimate is the sample's mean less that of the latents."""
    generator, line = NORMAL.fix(scale=1.0), hg.discriminators.Polynomial(1)
    return hg.GAN(SKEWED, generator, line, "log", n_simulated=64).fit()


# Samples and refits.


def test_the_same_seed_gives_the_same_bits(drawn):
    fit, first = drawn
    again = fit.bootstrap(20, seed=3, threads=1)
    np.testing.assert_array_equal(again.params, first.params)
    np.testing.assert_array_equal(again.cov_params(), first.cov_params())
    assert len(first) == 20
    assert first.n_failed == 0
    assert list(first.params.columns) == list(fit.params.index)


def test_other_seeds_and_replicates_differ(drawn):
    fit, first = drawn
    other = fit.bootstrap(20, seed=4, threads=1)
    values = np.concatenate([first.theta, other.theta])
    assert len(np.unique(values.round(6), axis=0)) == 40


def test_more_replications_and_threads_change_nothing(drawn):
    """Replicate r depends on the seed and r; which others share its call matters to rounding only."""
    fit, first = drawn
    more = fit.bootstrap(36, seed=3, threads=3)
    np.testing.assert_allclose(more.theta[:20], first.theta, rtol=SOLVER, atol=SOLVER)
    assert len(more) == 36


def test_studentised_refits_are_the_same_refits(drawn):
    """Rows repeated in place of rows that weigh more."""
    fit, first = drawn
    both = fit.bootstrap(20, seed=3, threads=1, studentised=True)
    np.testing.assert_allclose(both.params, first.params, rtol=SOLVER, atol=SOLVER)
    assert both.std_errors.shape == both.params.shape
    assert list(both.std_errors.columns) == list(fit.params.index)
    assert np.all(both.std_errors > 0)
    assert first.std_errors is None


def counts_of(rng, size):
    return rng.multinomial(size, np.full(size, 1 / size))


def resampled(fit, seed, r):
    """Replicate r's game, put together anew; and how often each observation is in it."""
    model, game, rng = fit.model, fit.model.game(), np.random.default_rng([seed, r])
    counts = counts_of(rng, model.nobs)
    x_weights = np.zeros(len(game.x_weights))
    x_weights[: model.nobs] = counts * model.sample.weights
    x_weights /= x_weights.sum()
    with jax.enable_x64(True):
        influences = np.asarray(jax.vmap(game.basis.influence)(game.x))
    moved = np.asarray(game.basis.placement) + (x_weights - game.x_weights) @ influences
    game = dataclasses.replace(game, discriminator=game.basis.placed(moved))
    if model.simulation.draws_each:
        return dataclasses.replace(game, x_weights=x_weights), counts
    if model.latent == "iid":
        z_weights = np.zeros(len(game.z_weights))
        z_weights[: model.n_simulated] = counts_of(rng, model.n_simulated) / model.n_simulated
        return dataclasses.replace(game, x_weights=x_weights, latent_weights=z_weights), counts
    g = model.generator
    z = latents.shifted(g.law, model.n_simulated, g.latent_dim, rng)
    return dataclasses.replace(game, x_weights=x_weights, z=z), counts


@pytest.mark.parametrize("r", [0, 7, 19])
def test_each_refit_is_a_cold_fit_of_its_sample(drawn, r):
    fit, first = drawn
    game, counts = resampled(fit, 3, r)
    assert counts.sum() == fit.nobs
    cold = solve_saddle(game, fit.model.starts())
    assert cold.is_saddle
    np.testing.assert_allclose(first.theta[r], cold.theta, rtol=SOLVER, atol=SOLVER)


def test_a_regressions_refit_is_a_reweighted_fit():
    """Observations are resampled together with their simulated responses."""
    fit = regression_model().fit()
    drawn = fit.bootstrap(4, seed=3)
    for r in range(4):
        counts = counts_of(np.random.default_rng([3, r]), fit.nobs)
        np.testing.assert_allclose(drawn.params.iloc[r], fit.reweighted(counts).params, rtol=SOLVER, atol=SOLVER)


def test_a_mean_is_resampled_by_hand(mean):
    """The mean of the observations drawn less that of the points as they are shifted."""
    drawn = mean.bootstrap(5, seed=2)
    for r in range(5):
        rng = np.random.default_rng([2, r])
        rows = np.repeat(SKEWED, counts_of(rng, 48))
        z = latents.shifted(latents.normal, 64, 1, rng)
        assert drawn.params["loc"].iloc[r] == pytest.approx(rows.mean() - z.mean(), abs=SOLVER)


def test_errors_of_a_studentised_mean_by_hand(mean):
    """The variance of the observations drawn, unbiased, over n; the points' own part is below a thousandth of it."""
    drawn = mean.bootstrap(5, seed=2, studentised=True)
    for r in range(5):
        rows = np.repeat(SKEWED, counts_of(np.random.default_rng([2, r]), 48))
        assert drawn.std_errors["loc"].iloc[r] == pytest.approx(rows.std(ddof=1) / np.sqrt(48), rel=1e-3)


def test_errors_of_a_studentised_weighted_mean_by_hand():
    """Observations drawn twice are two of their weight: sum w^2 (x - mean)^2 / (1 - sum w^2)."""
    own = np.where(SKEWED > 1, 3.0, 1.0)
    line = hg.discriminators.Polynomial(1)
    fit = hg.GAN(SKEWED, NORMAL.fix(scale=1.0), line, "log", n_simulated=64, weights=own).fit()
    drawn = fit.bootstrap(5, seed=2, studentised=True)
    assert drawn.std_errors is not None
    for r in range(5):
        at = np.repeat(np.arange(48), counts_of(np.random.default_rng([2, r]), 48))
        w, rows = own[at] / own[at].sum(), SKEWED[at]
        variance = np.sum(w**2 * (rows - w @ rows) ** 2) / (1 - np.sum(w**2))
        assert drawn.std_errors["loc"].iloc[r] == pytest.approx(np.sqrt(variance), rel=1e-3)


# Shifted points.


@pytest.mark.parametrize("dim", [1, 3])
def test_shifted_points_are_a_net(dim):
    """Each coordinate has one point in each of m cells, whatever the shift."""
    for r in range(3):
        u = latents.shifted(latents.uniform, 64, dim, np.random.default_rng(r))
        assert u.shape == (64, dim)
        assert np.all((u > 0) & (u < 1))
        for column in u.T:
            assert sorted(np.floor(64 * column)) == list(range(64))


def cells(u):
    return np.floor(u * 2**30).astype(np.int64)


def test_all_points_are_shifted_alike():
    own = latents.draw("sobol", latents.uniform, 64, 2, 5)[0]
    shifts = []
    for r in range(3):
        moved = cells(latents.shifted(latents.uniform, 64, 2, np.random.default_rng(r))) ^ cells(own)
        assert np.all(moved == moved[0])
        shifts += list(moved[0])
    assert len(set(shifts)) == 6


def test_unshifted_points_are_the_fits_own():
    still = SimpleNamespace(integers=lambda *_, size: np.zeros(size, np.int64))
    for law in (latents.uniform, latents.normal):
        own = latents.draw("sobol", law, 64, 2, 0)[0]
        np.testing.assert_array_equal(latents.shifted(law, 64, 2, still), own)  # pyright: ignore[reportArgumentType]


# Errors and intervals of given refits.


def made_up(fit, theta, std_errors=None) -> Bootstrap:
    """A bootstrap with these refits, unconstrained scale."""
    theta = np.asarray(theta, float)
    trouble = ["made up" if np.isnan(row[0]) else "" for row in theta]
    u = np.concatenate([theta, np.zeros((len(theta), len(fit.saddle.alpha)))], axis=1)
    drawn = Bootstrap(fit, Refits(u, trouble), "nonparametric", 0)
    if std_errors is not None:
        drawn.std_errors = pd.DataFrame(std_errors, columns=fit.params.index)
    return drawn


@pytest.fixture(scope="module")
def theta(newcomb):
    """Skewed refits about the estimate, not centred at it."""
    rng = np.random.default_rng(9)
    return newcomb.saddle.theta + [0.7, 0.15] * (rng.gamma(3.0, size=(199, 2)) - 2.5) / np.sqrt(3)


def test_errors_are_those_of_the_refits(newcomb, theta):
    drawn = made_up(newcomb, theta)
    natural = np.column_stack([theta[:, 0], np.exp(theta[:, 1])])
    np.testing.assert_allclose(drawn.params, natural, rtol=1e-10)
    np.testing.assert_allclose(drawn.bse, natural.std(axis=0, ddof=1), rtol=1e-10)
    np.testing.assert_allclose(drawn.cov_params(), np.cov(natural, rowvar=False), rtol=1e-10)
    np.testing.assert_allclose(drawn.bias, natural.mean(axis=0) - newcomb.params, rtol=1e-9)


def test_percentile_intervals_by_hand(newcomb, theta):
    rows = made_up(newcomb, theta).conf_int(0.1)
    np.testing.assert_allclose(rows.loc["loc"], np.quantile(theta[:, 0], [0.05, 0.95]), rtol=1e-10)
    np.testing.assert_allclose(rows.loc["scale"], np.quantile(np.exp(theta[:, 1]), [0.05, 0.95]), rtol=1e-10)


def test_basic_intervals_by_hand(newcomb, theta):
    """2 estimate - upper quantile to 2 estimate - lower one; of the scale by logs."""
    rows = made_up(newcomb, theta).conf_int(0.1, method="basic")
    loc, log_scale = newcomb.saddle.theta
    np.testing.assert_allclose(rows.loc["loc"], 2 * loc - np.quantile(theta[:, 0], [0.95, 0.05]), rtol=1e-10)
    by_logs = 2 * log_scale - np.quantile(theta[:, 1], [0.95, 0.05])
    np.testing.assert_allclose(rows.loc["scale"], np.exp(by_logs), rtol=1e-9)


def test_studentised_intervals_by_hand(newcomb, theta):
    """Estimate - own error times upper quantile of (refit - estimate)/its error; of the scale by logs."""
    errors = np.random.default_rng(2).uniform([0.3, 0.2], [0.9, 0.8], theta.shape)
    rows = made_up(newcomb, theta, errors).conf_int(0.1, method="studentised")
    t = (theta[:, 0] - newcomb.params["loc"]) / errors[:, 0]
    expected = newcomb.params["loc"] - newcomb.bse["loc"] * np.quantile(t, [0.95, 0.05])
    np.testing.assert_allclose(rows.loc["loc"], expected, rtol=1e-10)
    scale = newcomb.params["scale"]
    t = (theta[:, 1] - np.log(scale)) / (errors[:, 1] / np.exp(theta[:, 1]))
    expected = scale * np.exp(-newcomb.bse["scale"] / scale * np.quantile(t, [0.95, 0.05]))
    np.testing.assert_allclose(rows.loc["scale"], expected, rtol=1e-9)


def test_bca_without_corrections_is_the_percentile_interval(newcomb, theta):
    """As many refits below the estimate as above, no acceleration."""
    centred = theta - np.median(theta, axis=0) + newcomb.saddle.theta
    drawn = made_up(newcomb, centred[np.argsort(centred[:, 0])])
    drawn.__dict__["_accelerations"] = np.zeros(2)
    np.testing.assert_allclose(drawn.conf_int(0.1, method="bca"), drawn.conf_int(0.1), rtol=1e-8)


def test_bca_by_hand(newcomb, theta):
    """z0 from the share of refits below the estimate, levels Phi(z0 + (z0 + z)/(1 - a (z0 + z)))."""
    drawn = made_up(newcomb, theta)
    drawn.__dict__["_accelerations"] = np.array([0.08, -0.05])
    rows = drawn.conf_int(0.1, method="bca").to_numpy()
    for k, a in enumerate([0.08, -0.05]):
        natural = drawn.params.iloc[:, k].to_numpy()
        z0 = stats.norm.ppf(np.mean(natural < newcomb.params.iloc[k]))
        assert abs(z0) > 0.03
        z = z0 + stats.norm.ppf([0.05, 0.95])
        np.testing.assert_allclose(rows[k], np.quantile(natural, stats.norm.cdf(z0 + z / (1 - a * z))), rtol=1e-9)


def test_bca_of_a_mean_is_scipys(mean):
    """Skewed data: the jackknife's acceleration of a mean is that of its influence values."""
    shift = SKEWED.mean() - mean.params["loc"]

    def estimate(x, axis):
        return np.mean(x, axis=axis) - shift

    peer = stats.bootstrap((SKEWED,), estimate, n_resamples=999, rng=np.random.default_rng(3), confidence_level=0.9)
    drawn = made_up(mean, peer.bootstrap_distribution[:, None])
    assert drawn._accelerations.item() == pytest.approx(stats.skew(SKEWED) / (6 * np.sqrt(48)), rel=1e-6)
    expected = [peer.confidence_interval.low, peer.confidence_interval.high]
    np.testing.assert_allclose(drawn.conf_int(0.1, method="bca").loc["loc"], expected, rtol=1e-6)
    np.testing.assert_array_less(1e-3, np.abs(drawn.conf_int(0.1).loc["loc"] - expected))


def test_acceleration_over_both_samples():
    """Independent latents are resampled, too: values (x - mean)/n and -(z - mean)/m."""
    generator, line = NORMAL.fix(scale=1.0), hg.discriminators.Polynomial(1)
    fit = hg.GAN(SKEWED, generator, line, "log", latent="iid", n_simulated=60, seed=7).fit()
    z = latents.draw("iid", latents.normal, 60, 1, 7)[0, :, 0]
    values = np.concatenate([(SKEWED - SKEWED.mean()) / 48, -(z - z.mean()) / 60])
    expected = np.sum(values**3) / (6 * np.sum(values**2) ** 1.5)
    found = made_up(fit, fit.saddle.theta + np.zeros((2, 1)))._accelerations
    np.testing.assert_allclose(found, [expected], rtol=1e-6)


def test_acceleration_of_a_weighted_mean():
    """Values w (x - mean), the weights w adding to 1."""
    generator, line = NORMAL.fix(scale=1.0), hg.discriminators.Polynomial(1)
    w = np.where(SKEWED > 1, 3, 1) / np.sum(np.where(SKEWED > 1, 3, 1))
    fit = hg.GAN(SKEWED, generator, line, "log", n_simulated=64, weights=w).fit()
    values = w * (SKEWED - w @ SKEWED)
    expected = np.sum(values**3) / (6 * np.sum(values**2) ** 1.5)
    found = made_up(fit, fit.saddle.theta + np.zeros((2, 1)))._accelerations
    np.testing.assert_allclose(found, [expected], rtol=1e-6)


@pytest.mark.parametrize("method", bootstrap.METHODS)
def test_intervals_stay_in_the_space(newcomb, method):
    """However far the refits are spread; and they are ordered and wider at higher levels."""
    wild = newcomb.saddle.theta + np.random.default_rng(4).normal(size=(99, 2)) * [30, 2]
    drawn = made_up(newcomb, wild, np.full((99, 2), 0.5))
    narrow, wide = drawn.conf_int(0.5, method=method), drawn.conf_int(0.05, method=method)
    assert np.all(wide["lower"] < narrow["lower"])
    assert np.all(narrow["lower"] < narrow["upper"])
    assert np.all(narrow["upper"] < wide["upper"])
    assert wide.loc["scale", "lower"] > 0
    assert list(drawn.conf_int(cols=["scale"], method=method).index) == ["scale"]


def test_the_covariance_is_that_of_the_refits(newcomb):
    drawn = newcomb.bootstrap(20, seed=1)
    fit = newcomb.with_cov("bootstrap", bootstrap=drawn)
    np.testing.assert_array_equal(fit.cov_params(), drawn.cov_params())
    np.testing.assert_allclose(fit.covariance.theta, np.cov(drawn.theta, rowvar=False), rtol=EXACT)
    np.testing.assert_array_equal(fit.joint_cov().iloc[:2, :2], drawn.cov_params())
    assert fit.covariance.note == "20 nonparametric"


# Parametric samples.


@pytest.mark.parametrize("weights", [None, np.where(NEWCOMB < 27, 3.0, 1.0)], ids=["equal", "weights"])
def test_parametric_refits_are_fits_of_simulated_samples(weights):
    """The sample by the quantile function, the discriminator placed on it, latent points of another seed."""
    fit = newcomb_model(weights=weights).fit()
    drawn = fit.bootstrap(4, seed=6, kind="parametric")
    loc, scale = fit.params
    for r in range(4):
        u = np.random.default_rng([6, r]).random(len(NEWCOMB))
        seed = int(np.random.default_rng([6, r, 1]).integers(2**31))
        x = loc + scale * special.ndtri(u)
        alone = hg.GAN(x, NORMAL, SIGMOIDS, n_simulated=64, seed=seed, weights=weights).fit()
        np.testing.assert_allclose(drawn.params.iloc[r], alone.params, rtol=SOLVER)


def test_parametric_errors_are_near_those_of_the_model():
    """Normal data: the standard deviation of 200 refits is known to 5 % of itself, the sandwich to 10 or so."""
    x = np.random.default_rng(12).normal(27, 5, len(NEWCOMB))
    fit = hg.GAN(x, NORMAL, SIGMOIDS, n_simulated=64).fit()
    drawn = fit.bootstrap(200, kind="parametric")
    np.testing.assert_allclose(drawn.bse / fit.with_cov("model").bse, 1.0, atol=0.25)
    np.testing.assert_allclose(drawn.bse / fit.bse, 1.0, atol=0.35)


def test_parametric_samples_of_a_regression_keep_the_covariates(monkeypatch):
    fit, begun = regression_model().fit(), []
    games, each = fit.equations.games(bootstrap._Simulated(fit, 0)(slice(0, 2))), fit.model.simulation.draws_each
    for x, z in zip(games.x, games.z, strict=True):
        np.testing.assert_array_equal(x[: fit.nobs, 0], fit.model.x[:, 0])
        tied = z.reshape(-1, each, 2)[: fit.nobs]
        np.testing.assert_array_equal(tied[:, :, 0], np.repeat(fit.model.x[:, :1], each, axis=1))
        noise = x[: fit.nobs, 1] - (fit.params["Intercept"] + fit.params["x"] * fit.model.x[:, 0])
        assert 0.5 < noise.std() / fit.params["scale"] < 1.6
    assert not np.allclose(games.x[0], games.x[1])

    def solved(games, theta, alpha, **named):
        begun.append(alpha)
        return solve(games, theta, alpha, **named)

    solve = equations.solve_saddles
    monkeypatch.setattr(equations, "solve_saddles", solved)
    assert fit.bootstrap(4, kind="parametric").n_failed == 0
    assert len(begun) > 0
    assert all(alpha is None for alpha in begun)  # the fit's is of a discriminator placed elsewhere


# Failures and refusals.


def test_failed_refits_are_counted_and_left_out(newcomb, monkeypatch):
    plain, tried = newcomb.bootstrap(20, seed=3), []

    def uncertified(saddle):
        return dataclasses.replace(saddle, is_saddle=False, reason="it was made to fail")

    def stack(games, *rest, **named):
        saddles = solve(games, *rest, **named)
        return [uncertified(s) if k in (2, 5) else s for k, s in enumerate(saddles)]

    def alone(game, start, more, reserve, *rest):
        tried.append(more)
        return uncertified(again(game, start, more=0)) if len(tried) == 1 else again(game, start, more=more)

    solve, again = equations.solve_saddles, equations.solve_saddle
    monkeypatch.setattr(equations, "solve_saddles", stack)
    monkeypatch.setattr(equations, "solve_saddle", alone)
    with pytest.warns(ConvergenceWarning, match="1 of 20 refits of the bootstrap failed") as record:
        drawn = newcomb.bootstrap(20, seed=3, threads=1)
    assert len(record) == 1
    assert tried == [2, 2]  # both once more, with further starts: one fails again
    assert drawn.n_failed == 1
    assert drawn.trouble[2] == "it was made to fail"
    assert [k for k, reason in enumerate(drawn.trouble) if reason] == [2]
    assert np.all(np.isnan(drawn.theta[2]))
    kept = plain.params.drop(index=2)
    np.testing.assert_allclose(drawn.params.drop(index=2), kept, rtol=SOLVER)
    np.testing.assert_allclose(drawn.bse, kept.std(), rtol=1e-6)
    np.testing.assert_allclose(drawn.cov_params(), kept.cov(), rtol=1e-6)
    np.testing.assert_allclose(drawn.bias, kept.mean() - newcomb.params, rtol=1e-6)
    expected = np.quantile(kept, [0.025, 0.975], axis=0).T
    np.testing.assert_allclose(drawn.conf_int(), expected, rtol=1e-6)
    theta = np.delete(plain.theta, 2, axis=0)
    np.testing.assert_allclose(drawn.covariance().theta, np.cov(theta, rowvar=False), rtol=1e-6)
    assert np.all(np.isfinite(drawn.covariance().sandwich.cov))
    for method in ("basic", "bca"):
        assert np.all(np.isfinite(drawn.conf_int(method=method)))


def test_failures_are_left_out_of_studentised_intervals(newcomb, theta):
    errors = np.full(theta.shape, 0.5)
    whole = made_up(newcomb, theta[1:], errors[1:]).conf_int(method="studentised")
    failed = theta.copy()
    failed[0] = np.nan
    errors[0] = np.nan
    np.testing.assert_allclose(made_up(newcomb, failed, errors).conf_int(method="studentised"), whole, rtol=1e-10)


def test_no_interval_where_almost_all_failed(newcomb):
    drawn = made_up(newcomb, [newcomb.saddle.theta, [np.nan, np.nan], [np.nan, np.nan]])
    with pytest.raises(ValueError, match="2 of 3 refits failed; too few are left"):
        drawn.conf_int()


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"kind": "wild"}, ValueError, "'wild' is not known; give one of nonparametric, parametric"),
        ({"kind": None}, ValueError, "kind: None is not known"),
        ({"replications": 1}, ValueError, "replications: got 1; give a whole number of at least 2"),
        ({"replications": 20.0}, ValueError, "replications: got 20.0"),
        ({"replications": True}, ValueError, "replications: got True"),
        ({"seed": -1}, TypeError, "seed: got -1; give a non-negative integer"),
        ({"seed": None}, TypeError, "seed: got None"),
        ({"threads": 0}, ValueError, "threads: got 0"),
    ],
)
def test_bootstrap_refuses(newcomb, options, error, words):
    with pytest.raises(error, match=words):
        newcomb.bootstrap(**{"replications": 4, **options})


def test_intervals_refuse(newcomb, theta):
    drawn = made_up(newcomb, theta)
    with pytest.raises(ValueError, match="'t' is not known; give one of percentile, basic, studentised, bca"):
        drawn.conf_int(method="t")
    with pytest.raises(ValueError, match=r"no standard errors; give bootstrap\(..., studentised=True\)"):
        drawn.conf_int(method="studentised")
    with pytest.raises(ValueError, match="alpha"):
        drawn.conf_int(1.5)
    with pytest.raises(ValueError, match="cols: 'mu' is no parameter"):
        drawn.conf_int(cols="mu")


def test_a_fit_that_is_not_certified_is_not_resampled(newcomb):
    saddle = dataclasses.replace(newcomb.saddle, is_saddle=False, reason="it was made to fail")
    fit = GANResults(newcomb.model, saddle, newcomb.law)
    with pytest.raises(ValueError, match="the fit is not certified, since it was made to fail"):
        fit.bootstrap(4)


@SLOW
def test_a_hidden_layer_is_resampled_but_not_studentised():
    network = hg.discriminators.MLP(4, ridge=1e-3)
    fit = hg.GAN(NEWCOMB, NORMAL, network, "log", n_simulated=64).fit()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # a network's refits may fail
        drawn = fit.bootstrap(8)
    assert drawn.params.shape == (8, 2)
    assert drawn.n_failed <= 2
    assert np.all(drawn.bse > 0.1)
    np.testing.assert_allclose(fit.with_cov("bootstrap", bootstrap=drawn).bse, drawn.bse, rtol=EXACT)
    with pytest.raises(ValueError, match="hidden layer is not identified"):
        fit.bootstrap(8, studentised=True)
    with pytest.raises(ValueError, match="hidden layer is not identified"):
        fit.with_cov("bootstrap", bootstrap=drawn).joint_cov()


# Without single observations.


@pytest.mark.parametrize("world", ["sobol", "weights", "regression"])
def test_a_newton_step_is_nearly_the_refit(world):
    """Its error is second-order: small beside the changes themselves, and well below the influence function's."""
    fit = MODELS[world]().fit()
    influence = fit.influence()
    exact, newton, first = (influence.leave_one_out(method) for method in ("exact", "newton", "infinitesimal"))
    assert exact.shape == newton.shape == (fit.nobs, len(fit.params))
    change = np.abs(exact - fit.params).max()
    assert np.all(np.abs(newton - exact).max() < 0.2 * change)
    assert np.all((newton - exact).std() < 0.1 * (exact - fit.params).std())
    assert np.all((newton - exact).std() < (first - exact).std())
    np.testing.assert_allclose(influence.d_params, fit.params - newton, rtol=EXACT)


def test_exact_leave_one_out_is_a_fit_without_it():
    """With the weights rescaled, the discriminator left in place."""
    fit = MODELS["weights"]().fit()
    exact = fit.influence().leave_one_out("exact")
    for i in (0, 5, 40):
        weights = fit.model.weights.copy()
        weights[i] = 0
        np.testing.assert_allclose(exact.iloc[i], fit.reweighted(weights).params, rtol=SOLVER)


@pytest.mark.parametrize("world", ["sobol", "weights"])
def test_infinitesimal_leave_one_out_by_hand(world):
    """-w/(1 - w) times the influence function, of the scale on its logarithm."""
    fit = MODELS[world]().fit()
    w, influence = fit.model.sample.weights, fit.influence()
    loc, scale = influence.observations["loc"], influence.observations["scale"] / fit.params["scale"]
    found = influence.leave_one_out("infinitesimal")
    np.testing.assert_allclose(found["loc"], fit.params["loc"] - w / (1 - w) * loc, rtol=1e-10)
    np.testing.assert_allclose(found["scale"], fit.params["scale"] * np.exp(-w / (1 - w) * scale), rtol=1e-10)


def test_all_ways_agree_for_a_mean(mean):
    """The mean of the others, less the latents': linear, so that one step and the influence function are exact."""
    shift = SKEWED.mean() - mean.params["loc"]
    others = (SKEWED.sum() - SKEWED) / 47 - shift
    for method in ("newton", "infinitesimal", "exact"):
        np.testing.assert_allclose(mean.influence().leave_one_out(method)["loc"], others, atol=SOLVER)


@pytest.mark.parametrize("method", ["newton", "infinitesimal", "exact"])
def test_jackknife_of_a_mean_by_hand(mean, method):
    """s^2/n, no bias, and what the simulated points add: the variance of their mean over shifts."""
    found = mean.jackknife(method)
    shifted = mean.model.simulation.scrambles()[..., 0].mean(axis=1)
    expected = SKEWED.var(ddof=1) / 48
    few = [np.var(part, ddof=1) for part in (shifted[: evaluation.FIRST], shifted)]
    assert min(abs(found.cov.loc["loc", "loc"] - expected - each) for each in few) < 1e-9
    assert min(few) > 1e-7  # so that the last line can tell
    assert found.bse["loc"] == pytest.approx(mean.bse["loc"], rel=1e-6)
    assert found.bias["loc"] == pytest.approx(0.0, abs=1e-6)
    assert found.params.shape == (48, 1)
    pd.testing.assert_frame_equal(found.cov_params(), found.cov)


def test_jackknife_by_hand_where_it_is_not_linear(newcomb):
    found, left = newcomb.jackknife("exact"), newcomb.influence().leave_one_out("exact")
    n = len(NEWCOMB)
    np.testing.assert_allclose(found.bias, (n - 1) * (left.mean() - newcomb.params), rtol=1e-9)
    s = newcomb.sandwich
    inverse, slope = np.linalg.inv(s.bread), np.diag([1.0, newcomb.params["scale"]])
    simulated = slope @ (inverse @ s.meat_simulated @ inverse.T / n)[:2, :2] @ slope
    expected = (n - 1) ** 2 / n * left.cov() + simulated
    np.testing.assert_allclose(found.cov, expected, rtol=1e-7)


def test_jackknife_refuses_weights():
    with pytest.raises(ValueError, match="jackknife: the observations have weights"):
        MODELS["weights"]().fit().jackknife()
    with pytest.raises(ValueError, match="'twice' is not known; give 'newton', 'infinitesimal' or 'exact'"):
        MODELS["sobol"]().fit().influence().leave_one_out("twice")


def test_effects_on_standard_errors_are_those_of_refits():
    x = np.random.default_rng(20).normal(1, 2, 100)
    fit = hg.GAN(x, NORMAL, SIGMOIDS, "log", n_simulated=64).fit()
    effects = deletion.effects_on_errors(fit, fit.influence().unconstrained)
    exact = np.array([fit.reweighted(np.arange(100) != i).bse - fit.bse for i in range(100)])
    for k in range(2):
        assert np.corrcoef(effects[:, k], exact[:, k])[0, 1] > 0.98
        assert np.polyfit(effects[:, k], exact[:, k], 1)[0] == pytest.approx(1.0, abs=0.15)


def test_effects_on_the_error_of_a_mean_by_hand(mean):
    """The variance s^2/n changes by (2 - ((x - mean)/s)^2)/(n - 1) of itself to first order, its root by half that."""
    effects = deletion.effects_on_errors(mean, mean.influence().unconstrained)[:, 0]
    exact = np.array([np.delete(SKEWED, i).std(ddof=1) / np.sqrt(47) for i in range(48)]) - mean.bse["loc"]
    ratio = (SKEWED - SKEWED.mean()) ** 2 / SKEWED.var(ddof=1)
    expected = mean.bse["loc"] * (2 - ratio) / (2 * 47)
    np.testing.assert_allclose(effects, expected, atol=1e-3 * np.abs(expected).max())  # the latents' own part
    assert np.corrcoef(effects, exact)[0, 1] > 0.98


# The decisive few.


@pytest.fixture(scope="module")
def few():
    """A mean that is positive because of four observations of 5 among 44 about -.2."""
    x = np.concatenate([np.random.default_rng(30).normal(-0.2, 0.3, 44), [5.0, 5.1, 5.2, 5.3]])
    generator, line = NORMAL.fix(scale=1.0), hg.discriminators.Polynomial(1)
    return hg.GAN(x, generator, line, "log", n_simulated=64).fit()


def test_a_sign_that_hangs_on_few(few):
    """To first order each takes (x - mean)/(n - 1) away: by hand how many are needed, the largest first."""
    x = few.model.x
    assert few.params["loc"] > 0.1
    order = np.argsort(-x)
    path = few.params["loc"] - np.cumsum((x[order] - x.mean()) / 47)
    needed = np.flatnonzero(path < 0)[0] + 1
    assert 2 <= needed <= 4
    found = few.influence().decisive("loc")
    assert found.positions.tolist() == order[:needed].tolist()
    assert found.predicted == pytest.approx(path[needed - 1], abs=1e-6)
    shift = x.mean() - few.params["loc"]
    assert found.refitted == pytest.approx(np.delete(x, found.positions).mean() - shift, abs=SOLVER)
    assert found.confirmed
    assert found.refitted < 0
    assert found.lower < found.refitted < found.upper


def interval(fit, rows, alpha=0.05):
    """Interval of the mean of some of the observations, but for what the latents add to its width."""
    centre = rows.mean() - (fit.model.x.mean() - fit.params["loc"])
    return centre + stats.norm.ppf([alpha / 2, 1 - alpha / 2]) * rows.std(ddof=1) / np.sqrt(len(rows))


@pytest.fixture(scope="module")
def hidden():
    """A mean that is positive but for one observation of -6 among 47 about .3."""
    x = np.append(np.random.default_rng(31).normal(0.3, 0.3, 47), -6.0)
    generator, line = NORMAL.fix(scale=1.0), hg.discriminators.Polynomial(1)
    return hg.GAN(x, generator, line, "log", n_simulated=64).fit()


def test_significance_that_hangs_on_one(hidden):
    fit, x = hidden, hidden.model.x
    low, high = interval(fit, x)
    assert low < 0 < fit.params["loc"] < high
    found = fit.influence().decisive("loc", "significance")
    assert found.positions.tolist() == [47]
    assert found.confirmed
    low, high = interval(fit, x[:-1])
    assert low > 0
    np.testing.assert_allclose([found.lower, found.upper], [low, high], rtol=1e-2)


def test_the_refits_interval_has_the_level_asked_for(hidden):
    found = hidden.influence().decisive("loc", "significance", alpha=0.5)
    expected = interval(hidden, np.delete(hidden.model.x, found.positions), 0.5)
    np.testing.assert_allclose([found.lower, found.upper], expected, rtol=1e-2)


def test_the_other_side_is_that_of_the_level_asked_for(hidden):
    """By hand: of a mean, each takes (x - mean)/47 away and (2 - ((x - mean)/s)^2)/94 of its error in addition."""
    x, error = hidden.model.x, hidden.bse["loc"]
    away, half = x - x.mean(), stats.norm.ppf(0.75)
    moves = -away / 47 + half * error * (2 - away**2 / x.var(ddof=1)) / 94
    order = np.argsort(moves)
    needed = np.flatnonzero(hidden.params["loc"] + half * error - 0.1 + np.cumsum(moves[order]) < 0)[0] + 1
    found = hidden.influence().decisive("loc", "both", null=0.1, alpha=0.5)
    assert 10 < needed < 24
    assert set(found.positions) == set(order[:needed])


def test_the_refit_has_the_covariance_of_the_fit(hidden):
    """HC1: two left out, n/(n - k) of the 46 others, k = 3."""
    plain, corrected = (hidden.with_cov(kind).influence().decisive("loc", null=0.1) for kind in ("sandwich", "HC1"))
    assert len(plain.positions) == 2
    np.testing.assert_array_equal(corrected.positions, plain.positions)
    ratio = (corrected.upper - corrected.lower) / (plain.upper - plain.lower)
    assert ratio == pytest.approx(np.sqrt(46 / 43), rel=SOLVER)


def test_an_interval_on_the_other_side_hangs_on_several():
    """Twelve observations of 2 hide that the mean of the others is below 0."""
    x = np.concatenate([np.random.default_rng(32).normal(-0.5, 0.3, 36), np.linspace(1.9, 2.1, 12)])
    generator, line = NORMAL.fix(scale=1.0), hg.discriminators.Polynomial(1)
    fit = hg.GAN(x, generator, line, "log", n_simulated=64).fit()
    assert fit.params["loc"] > 0
    found, sign = (fit.influence().decisive("loc", change) for change in ("both", "sign"))
    assert sign.confirmed
    assert found.confirmed
    assert 1 <= len(sign.positions) < len(found.positions) <= 12
    assert np.all(found.positions >= 36)
    low, high = interval(fit, np.delete(x, found.positions))
    assert high < 0
    np.testing.assert_allclose([found.lower, found.upper], [low, high], rtol=1e-2)


def test_significance_lost_without_few(few):
    """Against a null below, which the interval excludes: without the largest it comes to hold it."""
    null = float(few.conf_int().loc["loc", "lower"]) - 0.02
    found = few.influence().decisive("loc", "significance", null=null)
    assert found.confirmed
    assert len(found.positions) <= 3
    assert np.all(few.model.x[found.positions] > 4.9)
    assert found.lower < null < found.upper


def test_significance_of_a_positive_parameter_is_that_of_its_interval():
    """Between the ends of the interval and of estimate +- 1.96 errors it is the interval that says what holds now."""
    x = np.random.default_rng(33).normal(0, 1, 60)
    fit = hg.GAN(x, NORMAL.fix(loc=0.0), hg.discriminators.Polynomial(2), "log", n_simulated=64).fit()
    upper = fit.conf_int().loc["scale", "upper"]
    plain = fit.params["scale"] + stats.norm.ppf(0.975) * fit.bse["scale"]
    assert plain < upper - 0.005
    null = (plain + upper) / 2  # inside of the interval: a change is one that puts it outside
    found = fit.influence().decisive("scale", "significance", null=null)
    assert found.confirmed
    assert not found.lower < null < found.upper


def test_nothing_is_decisive_where_all_agree(mean):
    for change in ("sign", "both"):
        found = mean.influence().decisive("loc", change, null=-50.0)
        assert len(found.positions) == 0
        assert not found.confirmed
        assert np.isnan([found.predicted, found.refitted, found.lower, found.upper]).all()


def test_decisive_refuses(mean):
    with pytest.raises(ValueError, match="name: 'mu' is no parameter"):
        mean.influence().decisive("mu")
    with pytest.raises(ValueError, match="change: 'size' is not known"):
        mean.influence().decisive("loc", "size")
