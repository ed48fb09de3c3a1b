"""Kernel GANs on the seam: estimates, their law and all that any fit has, from the closed-form discriminator."""

import dataclasses
import warnings

import numpy as np
import pytest
from scipy import optimize, stats

import hellgan as hg
from hellgan import latents
from hellgan.execution import programs
from hellgan.kernels import Kernel, Plugin

PARTS = programs.program(lambda plugin, *sample: plugin.parts(*sample))


def sample(n=160, seed=4):
    x = np.random.default_rng(seed).normal(1.0, 1.0, n)
    x[0] = 9.0
    return x


@pytest.fixture(scope="module")
def fit():
    return hg.KernelGAN(sample(), hg.generators.Normal()).fit()


def objective(fit, params) -> float:
    """K_n of the fit's samples, pair by pair, by the sums that test_sums holds to references.

    Sobol points of the levels of the beta(2, 2) law, whose density is their weight; on the scale a arcsinh((x - b)/a).
    """
    of = fit.equations
    points = latents.draw("sobol", latents.uniform, fit.model.n_simulated, 1, of.seed)[0]
    g = stats.norm.ppf(stats.beta.cdf(points, 2, 2), *params)
    u = stats.beta.pdf(points[:, 0], 2, 2)
    x, middle = of.sample.rows, np.median(of.sample.rows)
    unit = 8 * np.median(np.abs(x - middle)) / stats.norm.ppf(0.75)
    x, g = (unit * np.arcsinh((rows - middle) / unit) for rows in (x, g))
    plugin = Plugin(of.loss, Kernel(of.bandwidths[-1]), of.phi[-1], of.own)
    return float(sum(PARTS(plugin, x, of.sample.weights, g, u / u.sum())))


def test_estimate_minimises_the_objective(fit):
    """By scipy; the mesh moves it by less than 1e-4 standard errors."""
    found = optimize.minimize(
        lambda params: objective(fit, params),
        fit.params + 0.05,
        method="Nelder-Mead",
        options={"xatol": 1e-8, "fatol": 1e-15},
    )
    assert np.all(np.abs(found.x - fit.params) < 1e-4 * fit.bse)
    np.testing.assert_allclose(fit.solution.value, found.fun, atol=1e-9)
    assert fit.converged
    assert fit.solution.kind == "strict local minimum"
    assert fit.solution.nodes
    np.testing.assert_allclose(fit.parts.sum(), fit.solution.value, rtol=1e-12)


def test_scores_are_slopes_of_the_value_in_weights_and_theta(fit, x64):
    """Rows of the score are mixed second derivatives of the objective, by differences; their mean is its gradient."""
    from hellgan.objective import kernel

    of, theta, step = fit.equations, fit.solution.theta + np.array([0.1, -0.1]), 1e-5
    rows = of.scores(theta)
    np.testing.assert_allclose(of.sample.weights @ rows, kernel.scored(of.game, theta)[0], atol=1e-12)
    value = programs.program(lambda game, theta: kernel.value(game, theta))
    for k in (0, 17):
        pulled = [
            value(
                dataclasses.replace(of.game, x_weights=of.game.x_weights + a * step * (np.arange(160) == k)),
                theta + b * step * np.array([1.0, 0.0]),
            )
            for a in (1, -1)
            for b in (1, -1)
        ]
        mixed = (pulled[0] - pulled[1] - pulled[2] + pulled[3]) / (4 * step**2)
        np.testing.assert_allclose(rows[k, 0], mixed, rtol=1e-4, atol=1e-4)


def test_influence_is_the_derivative_in_weights(fit):
    influence = fit.influence()
    np.testing.assert_allclose(influence.observations.mean(), 0, atol=1e-10)
    np.testing.assert_allclose(influence.weight_derivatives(), influence.observations, atol=1e-8)
    weights = np.full(160, 1.0)
    weights[3] += 1e-4
    moved = (fit.reweighted(weights).params - fit.params) / (1e-4 / 160)
    np.testing.assert_allclose(moved, influence.observations.iloc[3], rtol=1e-3, atol=1e-3)


def test_an_observation_added_moves_the_fit_as_its_influence_says(fit):
    influence = fit.influence()
    points = np.array([2.5, 6.0])
    curve = influence.bias_curve(points, [1e-5])
    np.testing.assert_allclose(curve.bias[0] / 1e-5, influence.at(points), rtol=2e-3, atol=2e-3)
    assert influence.local_shift_sensitivity(points).shape == (2,)


def test_deletion(fit):
    exact, newton = (fit.influence().leave_one_out(method).iloc[:5] for method in ("exact", "newton"))
    weights = np.arange(160) > 0
    np.testing.assert_allclose(exact.iloc[0], fit.reweighted(weights).params, atol=1e-7)
    # A step counts an observation's weight to first order in the densities: they differ by some 1/(n s) of the change.
    assert np.all(np.abs(newton - exact) < 0.05 * np.abs(exact - fit.params).to_numpy() + 2e-4)
    frame = fit.influence().summary_frame()
    assert {"log_ratio", "prob_real", "cooks_d"} <= set(frame.columns)


def test_bootstrap_agrees_with_the_sandwich(fit):
    boot = fit.bootstrap(200, seed=1)
    assert boot.n_failed == 0
    np.testing.assert_allclose(boot.bse, fit.bse, rtol=0.2)  # the standard error of that ratio is 5 %
    counts = np.random.default_rng([1, 3]).multinomial(160, np.full(160, 1 / 160))
    again = fit.reweighted(counts)
    np.testing.assert_allclose(boot.params.iloc[3], again.params, atol=0.01)  # with Sobol points shifted
    studentised = fit.bootstrap(16, seed=1, studentised=True)
    np.testing.assert_allclose(studentised.params, boot.params.iloc[:16], atol=1e-8)
    np.testing.assert_allclose(studentised.std_errors.mean(), fit.bse, rtol=0.2)
    assert fit.bootstrap(16, kind="parametric").n_failed == 0


def test_tests_and_intervals(fit):
    value = float(fit.params["loc"] + 0.1 * fit.bse["loc"])
    wald = float(fit.t_test(f"loc = {value:.12f}").statistic.item()) ** 2
    for test in (fit.score_test(f"loc = {value:.12f}"), fit.distance_test(f"loc = {value:.12f}")):
        np.testing.assert_allclose(test.statistic / test.weights[0], wald, rtol=0.05)
    np.testing.assert_allclose(fit.conf_int(method="profile"), fit.conf_int(), atol=0.03)
    with pytest.raises(ValueError, match="robust=True"):
        fit.distance_test("loc = 1", robust=False)
    with pytest.raises(ValueError, match="what a correct model implies for this estimator is not known"):
        fit.with_cov("model")
    assert fit.with_cov("HC1").bse["loc"] > fit.bse["loc"]
    np.testing.assert_allclose(fit.jackknife().bse, fit.bse, rtol=0.1)


def test_reports(fit, tmp_path):
    text = str(fit.summary())
    for part in ("Kernel GAN", "mesh of", "Bandwidth:", "strict local minimum", "at 0 (counted from 0"):
        assert part in text
    assert fit.outliers().tolist() == [0]
    np.testing.assert_allclose(fit.log_ratio([1e6]), 0, atol=1e-9)  # neither sample is there
    assert fit.prob_real([1.0]).shape == (1,)
    assert hg.compare({"kernel": fit}).shape[1] == 1
    assert fit.plot_fit() is not None
    assert fit.sample(5).shape == (5,)
    fit.with_cov("HC1").save(tmp_path / "fit.npz")
    again = hg.load(tmp_path / "fit.npz")
    assert isinstance(again, hg.KernelGANResults)
    np.testing.assert_array_equal(again.params, fit.params)
    np.testing.assert_array_equal(again.path, fit.path)
    assert again.cov_type == "HC1"
    np.testing.assert_array_equal(again.log_ratio(), fit.log_ratio())


def test_equivariance(fit):
    """In other units the estimate is the same, up to where the nodes of the mesh lie."""
    other = hg.KernelGAN(1000 + 3 * sample(), hg.generators.Normal()).fit()
    np.testing.assert_allclose(other.params, [1000 + 3 * fit.params["loc"], 3 * fit.params["scale"]], rtol=1e-6)
    np.testing.assert_allclose(other.bse, 3 * fit.bse, rtol=2e-5)


def test_curvature_at_the_model():
    """It is c M, M = (sigma^2 + 2 s^2)/(sigma^2 + s^2)^2 for the location: 3/4 at sigma = s = 1.

    Of a sample without noise of its own, normal quantiles. Kills: the density's share of the derivative left out.
    """
    x = stats.norm.ppf((np.arange(4000) + 0.5) / 4000)
    model = hg.KernelGAN(x, hg.generators.Normal(), "log", 1.0, phi=0.0, own_weight=1.0, n_simulated=4096)
    of = model.equations()
    np.testing.assert_allclose(of.jacobian(np.zeros(2))[0, 0], 0.5 * 0.75, rtol=0.005)
    np.testing.assert_allclose(of.scores(np.zeros(2)).mean(axis=0), 0, atol=1e-3)


def test_rows_of_weight_zero_change_nothing(fit):
    x = np.append(sample(), [3.0, 50.0])
    model = hg.KernelGAN(x, hg.generators.Normal(), weights=np.arange(162) < 160)
    np.testing.assert_allclose(model.fit().params, fit.params, atol=1e-7)


@pytest.mark.slow
@pytest.mark.montecarlo
@pytest.mark.parametrize("law", ["cauchy", "g-and-k"])
def test_errors_hold_for_heavy_tails(law):
    """On the data's own scale, with equally likely draws, the errors of the Cauchy scale and of k are too small."""
    u = np.random.default_rng(12).random((100, 300))
    if law == "cauchy":
        family, x, truth = hg.generators.Cauchy(), stats.cauchy(1, 2).ppf(u), [1.0, 2.0]
    else:
        z, truth = stats.norm.ppf(u), [3.0, 1.0, 1.0, 0.3]
        family, x = hg.generators.GAndK(), 3 + (1 + 0.8 * np.tanh(z / 2)) * (1 + z**2) ** 0.3 * z
    batch = hg.fit_batch(hg.KernelGAN(x[0], family), x, seeds=range(100))
    covered = np.abs(batch.params.to_numpy() - truth) <= 1.96 * batch.bse.to_numpy()
    assert np.all(batch.converged)
    assert np.all(covered.mean(axis=0) > 0.84)  # .92 less four Monte Carlo errors of a hundred samples


def test_annealing_reaches_what_the_last_bandwidth_alone_does_not():
    """Both components begin at the left group, 40 bandwidths from the right one, which no simulated point feels."""
    rng = np.random.default_rng(1)
    x = np.concatenate([rng.normal(-6, 1, 120), rng.normal(6, 1, 120)])
    generator = hg.generators.NormalMixture(2).fix(scale=[1.0, 1.0])
    start = {"weight": [0.5, 0.5], "loc": [-7.0, -5.0]}
    with warnings.catch_warnings(action="ignore"):
        alone = hg.KernelGAN(x, generator, bandwidth=0.3).fit(start)
        cooled = hg.KernelGAN(x, generator, bandwidth=0.3, cooling=32).fit(start)
    assert cooled.converged
    np.testing.assert_allclose(cooled.params.filter(like="loc"), [-6, 6], atol=0.5)
    assert not alone.converged or alone.solution.value > cooled.solution.value + 0.01
    np.testing.assert_allclose(cooled.path["bandwidth"], 0.3 * 2.0 ** np.arange(5, -1, -1))
    np.testing.assert_allclose(cooled.path.iloc[-1, 2:], cooled.params, rtol=1e-12)


def test_real_data():
    newcomb = hg.KernelGAN(hg.datasets.load_newcomb(), hg.generators.Normal()).fit()
    assert abs(newcomb.params["loc"] - 27.7) < 0.6
    assert sorted(newcomb.outliers()) == [5, 9]


def test_independent_draws_are_in_the_law():
    model = hg.KernelGAN(sample(), hg.generators.Normal(), latent="iid", n_simulated=320)
    fit = model.fit()
    rows = fit.equations.independent_scores(fit.solution.u)
    assert rows is not None
    np.testing.assert_allclose(fit.require_law().meat_simulated, 160 / 320 * np.cov(rows, rowvar=False), rtol=1e-9)
    np.testing.assert_allclose(fit.equations.own, 2**-1.5)


BAD = [
    ({"bandwidth": 0}, "bandwidth: got 0; give a positive number"),
    ({"bandwidth": -1.0}, "bandwidth: got -1.0; give a positive number"),
    ({"bandwidth": float("nan")}, "bandwidth: got nan; give a positive number"),
    ({"bandwidth": "narrow"}, "bandwidth: 'narrow' is not known; give a positive number or one of"),
    ({"bandwidth": []}, "bandwidth: got \\[\\]; give 1 to 100"),
    ({"phi": -0.1}, "phi: got -0.1; give a density of at least 0"),
    ({"kernel": "box"}, "kernel: 'box' is not known"),
    ({"kernel": 3}, "kernel: got 3"),
    ({"own_weight": -1}, "own_weight: got -1"),
    ({"cooling": 0.5}, "cooling: got 0.5; give a number from 1"),
    ({"loss": "log_ns"}, "loss: log_ns has no closed form"),
    ({"data": np.ones(50)}, "all observations are equal"),
    ({"data": [1.0, 2.0]}, "data: 2 observations; give at least 3"),
    ({"generator": "LinearRegression", "data": np.random.default_rng(0).normal(size=(50, 2))}, "has covariates"),
]


@pytest.mark.parametrize(("arguments", "message"), BAD)
def test_bad_arguments(arguments, message):
    given = {"data": sample(), "generator": hg.generators.Normal(), **arguments}
    if given["generator"] == "LinearRegression":
        given["generator"] = hg.generators.LinearRegression()
    with pytest.raises((ValueError, TypeError), match=message):
        hg.KernelGAN(given.pop("data"), given.pop("generator"), **given)


def test_a_bandwidth_too_small_is_told():
    with pytest.raises(ValueError, match="bandwidth: 1e-09 is so small that every density ratio"):
        hg.KernelGAN(sample(), hg.generators.Normal(), bandwidth=1e-9, phi=0.0).fit()


def test_a_batch_is_the_fits_one_by_one(fit):
    samples = np.stack([sample(seed=seed) for seed in range(4, 21)])
    batch = hg.fit_batch(fit.model, samples, threads=1)
    assert batch.converged.all()
    np.testing.assert_allclose(batch.params.iloc[0], fit.params, rtol=1e-8)
    np.testing.assert_allclose(batch.bse.iloc[0], fit.bse, rtol=1e-6)
    np.testing.assert_allclose(batch[3].params, batch.params.iloc[3], rtol=1e-6)
    assert batch.summary({"loc": 1.0}).table.shape[0] == 2


def test_a_study_has_kernel_gans_for_methods(fit):
    study = hg.Study(
        truth=hg.truth(hg.generators.Normal(), loc=1.0, scale=1.0),
        n=[160],
        methods={"kernel": {"estimator": "kernel"}},
        replications=2,
        seed=7,
    )
    frame = study.run(threads=1).to_frame()
    assert frame["converged"].all()
    with pytest.raises(ValueError, match="'discriminator', which is no argument of a KernelGAN"):
        hg.Study(
            truth=hg.truth(hg.generators.Normal(), loc=1.0, scale=1.0),
            n=[50],
            replications=2,
            seed=1,
            methods={"kernel": {"estimator": "kernel", "discriminator": None}},
        )


@pytest.mark.slow
def test_two_coordinates():
    """The cluster's correlation without its giants, which are flagged; sums are made pair by pair."""
    found = hg.KernelGAN(hg.datasets.load_stars_cyg(), hg.generators.MultivariateNormal(2)).fit()
    assert found.converged
    assert found.solution.nodes == 0
    assert 0.5 < found.params["corr_12"] < 0.85
    assert {10, 19, 29, 33} <= set(found.outliers())
    assert found.bandwidth.shape == (2,)
    assert found.plot_fit() is not None
