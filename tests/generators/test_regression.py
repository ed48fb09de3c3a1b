"""Conditional generators: the linear model, its resistant start, its discriminator, the formula front door."""

import copy
import dataclasses
import pickle
import re
import threading
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest
import scipy.integrate
import scipy.linalg
import scipy.optimize
import scipy.special
import scipy.stats
import statsmodels.formula.api as smf
from replicate import FULL, replicate, replications
from test_gan import refusal
from tolerance import EXACT, assert_monte_carlo, mcse_mean, mcse_proportion, mcse_sd

import hellgan as hg
from hellgan import latents, objective, plots
from hellgan.discriminators import ResidualSigmoids
from hellgan.estimation import Resamples
from hellgan.generators import LinearRegression
from hellgan.generators.resistant import independent_columns, residual_scale, resistant_fit

TELEPHONE, STACKLOSS = hg.datasets.load_telephone(), hg.datasets.load_stackloss()
CALLS, LOSS = "calls ~ year", "stack_loss ~ air_flow + water_temp + acid_conc"
# robustbase 0.95-0 under R 4.2.2, lmrob with its defaults, as printed: see the data's docstrings.
LMROB = {"telephone": [-5.242, 0.11010], "stackloss": [-41.525, 0.9388, 0.5796, -0.1129]}
TWO = LinearRegression(columns=("a", "b"))
NOISES: dict[str, Any] = {
    "normal": scipy.stats.norm(),
    "t": scipy.stats.t(4),
    "logistic": scipy.stats.logistic(),
    "laplace": scipy.stats.laplace(),
}


def equal(n):
    return np.full(n, 1 / n)


def table(frame):
    """Give the design with its column of ones, and the response."""
    rows = frame.to_numpy(float)
    return np.column_stack([np.ones(len(rows)), rows[:, :-1]]), rows[:, -1]


def contaminated(rng, n=200, share=0.15):
    """Y = 1 + 2 x1 - x2 + 1.5 e, with a share of responses near 15 whatever the covariates."""
    x = np.column_stack([rng.normal(size=n), rng.uniform(-1, 1, n)])
    y = 1 + x @ [2, -1] + 1.5 * rng.normal(size=n)
    bad = rng.random(n) < share
    y[bad] = rng.normal(15, 1, bad.sum())
    return np.column_stack([x, y])


# The generator.


def test_draw_by_hand(x64):
    # 1 + 2 * 3 - 1 * 4 + 0.5 * 7 = 6.5
    row = TWO.draw(jnp.array([3.0, 4.0, 7.0]), **{"Intercept": 1.0, "a": 2.0, "b": -1.0, "scale": 0.5})
    np.testing.assert_array_equal(row, [3, 4, 6.5])
    bare = LinearRegression(columns=2, intercept=False)
    assert bare.names == ["x1", "x2", "scale"]
    np.testing.assert_array_equal(bare.draw(jnp.array([3.0, 4.0, 7.0]), x1=2.0, x2=-1.0, scale=0.5), [3, 4, 5.5])


@pytest.mark.parametrize("noise", NOISES)
def test_density_and_law_against_scipy(x64, noise):
    generator, truth = LinearRegression(noise, ("a",)), NOISES[noise]
    natural = {"Intercept": 1.0, "a": 2.0, "scale": 0.5}
    row = jnp.array([3.0, 6.0])
    expected = truth.logpdf((6 - 7) / 0.5) - np.log(0.5)
    np.testing.assert_allclose(generator.log_density(row, **natural), expected, rtol=1e-12)
    np.testing.assert_allclose(generator.law.quantile(np.array([0.9])), truth.ppf(0.9), rtol=1e-11)


def test_names_need_not_be_identifiers():
    generator = LinearRegression(columns=["C(group)[T.b]", "log x"])
    assert generator.names == ["Intercept", "C(group)[T.b]", "log x", "scale"]
    assert (generator.dim, generator.covariates, generator.latent_dim) == (3, 2, 1)
    held = generator.fix(**{"C(group)[T.b]": 1.0})
    assert held.names == ["Intercept", "log x", "scale"]
    assert held.covariates == 2


@pytest.mark.parametrize("generator", [LinearRegression("t", ["u", "v"], False, 3.0), TWO.fix(a=1.0)])
def test_recipe_round_trip(generator):
    recipe = hg.generators.recipe(generator)
    assert recipe is not None
    again = hg.generators.make(recipe["family"], **recipe["arguments"])
    again = again.fix(**recipe["fixed"]) if recipe["fixed"] else again
    assert (again.name, again.names, again.covariates) == (generator.name, generator.names, generator.covariates)
    assert again.law is generator.law


# The resistant fit.


@pytest.mark.parametrize(("name", "frame"), [("telephone", TELEPHONE), ("stackloss", STACKLOSS)])
def test_resistant_fit_is_that_of_robustbase(name, frame):
    design, response = table(frame)
    got = resistant_fit(design, response, equal(len(response)))
    # R's numbers have three to five decimals: half a unit of the last.
    np.testing.assert_allclose(got, LMROB[name], atol=5.1e-4)


def test_resistant_fit_solves_its_equations():
    """The M-estimate's normal equations hold at the S-scale, which solves its own."""
    design, response = table(STACKLOSS)
    n, p = design.shape
    r = response - design @ resistant_fit(design, response, equal(n))

    def gradient(s):
        return design.T @ (r * np.maximum(1 - (r / (4.685061 * s)) ** 2, 0) ** 2)

    # R prints the scale 1.912 of this fit.
    assert np.max(np.abs(gradient(1.912) / np.sum(np.abs(design), axis=0))) < 1e-3
    np.testing.assert_allclose(residual_scale(r, p, equal(n)), 1.482602 * _mad(r) * np.sqrt(n / (n - p)), rtol=1e-6)


def _mad(r):
    return np.median(np.abs(r - np.median(r)))


def test_resistant_fit_is_equivariant():
    """Y -> 5 y + X g and X -> X A, any regular A, turn b into A^-1 (5 b + g)."""
    rng = np.random.default_rng(1)
    design, response = table(STACKLOSS)
    w, g, a = equal(len(response)), rng.normal(size=4), rng.normal(size=(4, 4)) + 3 * np.eye(4)
    plain = resistant_fit(design, response, w)
    moved = resistant_fit(design @ a, 5 * response + design @ g, w)
    np.testing.assert_allclose(a @ moved, 5 * plain + g, rtol=1e-8)  # stops at 1e-10 of the scale


def test_resistant_fit_withstands_45_percent():
    rng = np.random.default_rng(2)
    x = np.column_stack([np.ones(200), rng.normal(size=(200, 2))])
    y = x @ [1, 2, -1] + 0.1 * rng.normal(size=200)
    y[:90], x[:90, 1] = 50 + rng.normal(size=90), 10.0
    assert np.max(np.abs(resistant_fit(x, y, equal(200)) - [1, 2, -1])) < 0.1  # over 5 standard errors of 110 rows
    assert np.max(np.abs(np.linalg.lstsq(x, y, rcond=None)[0] - [1, 2, -1])) > 1


def test_resistant_fit_of_dummies():
    """Ten groups of six: hardly any ten rows drawn at random hold a row of every group."""
    rng = np.random.default_rng(3)
    group = np.arange(60) % 10
    y = group + rng.normal(size=60)
    y[:10] += 30  # one of each group
    got = resistant_fit((group[:, None] == np.arange(10)) * 1.0, y, equal(60))
    assert np.max(np.abs(got - np.arange(10))) < 3  # groups of five: 3 is 6.7 standard errors


def test_rows_of_weight_zero_do_not_count():
    design, response = table(STACKLOSS)
    weights = np.r_[np.zeros(3), np.arange(1.0, 19)] / 171
    without = resistant_fit(design[3:], response[3:], weights[3:])
    np.testing.assert_array_equal(resistant_fit(design, response, weights), without)
    assert np.max(np.abs(without - resistant_fit(design[3:], response[3:], equal(18)))) > 1e-3


def test_large_samples_begin_from_a_part():
    rng = np.random.default_rng(4)
    x = np.column_stack([np.ones(5000), rng.normal(size=5000)])
    y = x @ [1, 2] + rng.normal(size=5000)
    y[:1500] = 40
    np.testing.assert_allclose(resistant_fit(x, y, equal(5000)), [1, 2], atol=0.1)  # 5.5 standard errors


def test_independent_columns():
    x = np.column_stack([np.ones(5), np.arange(5), np.arange(5) + 7, np.arange(5) ** 2, np.zeros(5)])
    assert independent_columns(x) == [0, 1, 3]
    assert independent_columns(x * [1, 1e-12, 1, 1e12, 1]) == [0, 1, 3]


# The discriminator.


def placed(rows, spec=None, weights=None):
    return (spec or ResidualSigmoids()).place(rows, equal(len(rows)) if weights is None else weights, 0)


def features(basis, rows):
    with jax.enable_x64(True):
        return np.asarray(jax.vmap(basis.features)(jnp.asarray(rows)))


def whitened(design):
    """Covariates whose bounded versions are uncorrelated with variance 1, by the definition."""
    x = design[:, 1:]
    middle = np.median(x, axis=0)
    spread = np.median(np.abs(x - middle), axis=0)
    t = (x - middle) / spread
    bounded = t / np.sqrt(1 + (t * scipy.stats.norm.ppf(0.75) ** -1 / 4) ** 2)
    root = scipy.linalg.inv(scipy.linalg.sqrtm(np.cov(bounded, rowvar=False, bias=True)))
    return (t - bounded.mean(axis=0)) @ root.T


def test_features_by_hand():
    rows = STACKLOSS.to_numpy(float)
    basis = placed(rows, ResidualSigmoids(k=2))
    design, response = table(STACKLOSS)
    t = whitened(design)
    leverage = 1 / np.sqrt(1 + np.sum(t**2, axis=1) / (16 * 3))
    c = leverage[:, None] * t
    a, b, log_scale, spread = np.split(basis.placement, [1, 4, 5])
    r = (response - a - t @ b) / np.exp(log_scale + c @ spread)
    knots = scipy.stats.norm.ppf(np.sin([np.pi / 8, 3 * np.pi / 8]) ** 2)
    psi = scipy.special.expit(r / 0.75) - 0.5
    alone = scipy.special.expit((r[:, None] - knots) / (knots[1] - knots[0]))
    normal = scipy.stats.norm.ppf((np.arange(200_000) + 0.5) / 200_000)
    alone = alone - scipy.special.expit((normal[:, None] - knots) / (knots[1] - knots[0])).mean(axis=0)
    expected = np.column_stack([np.ones(21), leverage[:, None] * alone, leverage[:, None] * c * psi[:, None]])
    np.testing.assert_allclose(features(basis, rows), expected, atol=1e-8)
    np.testing.assert_allclose(basis.ridge, [0] + 5 * [0.5 / 21**2], rtol=EXACT)


def unequal(rng, n=300):
    """Noise that is skewed, with a scale that changes with the first of two correlated covariates."""
    x = rng.normal(size=(n, 2)) @ [[1, 0.5], [0, 1]]
    return np.column_stack([x, 1 + x @ [2, -1] + (0.3 + np.abs(x[:, 0] + 0.8)) * rng.exponential(size=n)])


def test_placement_solves_its_equations():
    """The three equations of the module, by hand, where the scale changes with a covariate."""
    rows = unequal(np.random.default_rng(0))
    basis = placed(rows)
    design, response = table(pd.DataFrame(rows))
    t = whitened(design)
    leverage = 1 / np.sqrt(1 + np.sum(t**2, axis=1) / (16 * 2))
    ones, c = np.ones((300, 1)), leverage[:, None] * t
    a, b, log_scale, spread = np.split(basis.placement, [1, 3, 4])
    assert spread[0] != 0
    r = response - a - t @ b
    e = r / np.exp(log_scale + c @ spread)
    location = scipy.optimize.brentq(
        lambda m: scipy.integrate.quad(
            lambda v: np.clip(np.log(v) - m, -1, 1) * scipy.stats.norm.pdf(v), 0, 9, points=np.exp([m - 1, m + 1])
        )[0],
        -1,
        0,
    )
    psi = np.where(np.abs(e) < 4.685061, e * (1 - (e / 4.685061) ** 2) ** 2, 0)
    chi = np.clip(np.log(np.abs(e)) - location, -1, 1)
    equations = [(np.hstack([ones, t]), psi), (ones, chi)]
    raw = basis.pilot.raw
    equations.append((np.hstack([ones, c]), np.clip(np.log(np.abs(r)) - location - raw[0] - c @ raw[1:], -1, 1)))
    for factors, values in equations:
        np.testing.assert_allclose(np.mean((leverage**2 * values)[:, None] * factors, axis=0), 0, atol=1e-8)


def test_influence_of_the_placement_is_its_derivative_in_a_weight(monkeypatch):
    rows = unequal(np.random.default_rng(0))
    basis = placed(rows)
    with jax.enable_x64(True):
        found = np.asarray(jax.vmap(basis.influence)(jnp.asarray(rows)))
    np.testing.assert_allclose(found.mean(axis=0), 0, atol=1e-8)
    whitening = basis.pilot.center, basis.pilot.whiten  # covariates are not modelled
    monkeypatch.setattr("hellgan.discriminators.pilot._whitening", lambda covariates, weights: whitening)
    for row in (0, 5, 17, 200):
        weights = (1 - 1e-6) * equal(300)
        weights[row] += 1e-6
        moved = (placed(rows, weights=weights).placement - basis.placement) / 1e-6
        # The Wald statistic by which the spread is shrunk takes its own covariance for known.
        np.testing.assert_allclose(found[row][:4], moved[:4], atol=0.03)
        np.testing.assert_allclose(found[row][4:], moved[4:], atol=0.15)


def test_noise_of_one_scale_is_told_so():
    """At 200 observations the slopes of the log scale are 0 in most samples, and small in all."""
    found = np.array([placed(contaminated(np.random.default_rng([3, k]), share=0)).placement[4:] for k in range(60)])
    assert np.mean(np.all(found == 0, axis=1)) > 0.7
    assert np.all(np.abs(found) < 0.35)
    wide = np.array([placed(unequal(np.random.default_rng([4, k]))).placement[4] for k in range(20)])
    assert np.all(wide >= 0)
    assert np.mean(wide > 0.05) > 0.6


def test_outliers_to_one_side_are_no_greater_noise():
    """A cluster at some covariates, or responses there that are too large, leave the fit's scale as it is elsewhere."""
    rng = np.random.default_rng(7)
    for _ in range(5):
        x = np.concatenate([rng.normal(size=425), rng.normal(4, 0.3, 75)])
        y = 1 + 2 * x + rng.normal(size=500)
        y[425:] += 15
        fit = hg.GAN(np.column_stack([x, y]), LinearRegression()).fit()
        assert 0 <= fit.model.basis.placement[3] < 0.02
        np.testing.assert_allclose(fit.params, [1, 2, 1], atol=0.25)


def test_features_are_bounded_in_response_and_covariates():
    far = np.array(
        [[s * 1e6, t * 1e6, u * 1e6, v * 1e9] for s in (-1, 1) for t in (-1, 1) for u in (0, 1) for v in (-1, 1)]
    )
    values = features(placed(STACKLOSS.to_numpy(float)), far)
    assert np.max(np.abs(values)) <= 4 * np.sqrt(3) / 2  # the bound of a covariate, and half of it where psi is


def test_pull_of_a_far_row_is_bounded():
    """Of a row at x the slope moves the features by no more than some of another row's, however far x is."""
    rows = contaminated(np.random.default_rng(5), 100, 0)
    basis = placed(rows)

    pilot = basis.pilot

    def moved(slope, x):
        covariates = jnp.array([x, 0.0])
        t = pilot.whiten @ (covariates - pilot.center)
        on_the_line = pilot.placement[0] + pilot.placement[1:3] @ t
        return basis.features(jnp.append(covariates, on_the_line + slope * x))

    with jax.enable_x64(True):
        pulls = [np.abs(jax.jacfwd(moved)(0.0, x)).max() for x in (1.0, 10.0, 1e2, 1e4, 1e6)]
    assert max(pulls) < 16 * pulls[0]
    np.testing.assert_allclose(pulls[-1], pulls[-2], rtol=0.01)


def test_placement_is_equivariant():
    """Features do not change with units and origins of any column, nor by adding a linear function to the response."""
    rows = STACKLOSS.to_numpy(float)
    moved = rows * [3, 0.2, 40, 7] + [100, -5, 2, 9]
    moved[:, -1] += moved[:, :-1] @ [0.3, -2, 0.01]
    np.testing.assert_allclose(features(placed(moved), moved), features(placed(rows), rows), atol=1e-9)


def test_outliers_do_not_draw_knots_away():
    rows = contaminated(np.random.default_rng(5), 100, 0)
    bad = rows.copy()
    bad[:30, -1] = 1e4
    clean, spoilt = placed(rows), placed(bad)
    np.testing.assert_array_equal(clean.knots, spoilt.knots)
    assert spoilt.placement[3] < clean.placement[3] + np.log(2)


@pytest.mark.parametrize(
    ("n", "k", "sizes"), [(21, 3, (4, 1)), (24, 1, (7, 1)), (200, 2, (12, 1)), (40, 10, (4, 1)), (100, 10, (12, 1))]
)
def test_number_of_features(n, k, sizes):
    """About one for three observations, and never fewer than the k + 2 parameters."""
    rows = np.random.default_rng(6).normal(size=(n, k + 1))
    basis = placed(rows)
    assert (len(basis.knots), len(basis.product_knots)) == sizes
    assert basis.size - 1 == sizes[0] + k * sizes[1] >= k + 2
    assert basis.size - 1 <= max(n / 3, k + 4)


def test_dummies_and_dependent_columns_can_be_placed():
    rng = np.random.default_rng(7)
    group = rng.integers(0, 3, 60)
    dummies = (group[:, None] == np.arange(3)) * 1.0
    rows = np.column_stack([dummies, np.zeros(60), rng.normal(size=60)])
    values = features(placed(rows), rows)
    assert np.all(np.isfinite(values))
    np.testing.assert_allclose(values[:, -1], 0, atol=1e-12)  # a constant covariate says nothing


# The game.


def test_latents_of_each_observation_are_a_net():
    """Each observation has one point in each of S cells of width 1/S; the shifts are uniform and independent."""
    z = latents.draw_each("sobol", latents.uniform, 4000, 8, 1, 5)[..., 0]
    np.testing.assert_array_equal(np.sort(np.floor(8 * z), axis=1), np.tile(np.arange(8), (4000, 1)))
    first = z[:, 0]
    assert scipy.stats.kstest(first, "uniform").pvalue > 1e-4
    assert scipy.stats.kstest(8 * first % 1, "uniform").pvalue > 1e-4
    means = z.mean(axis=1)
    # Serial correlation of independent means has standard error 1/sqrt(4000).
    assert abs(np.corrcoef(means[1:], means[:-1])[0, 1]) < 4.89 / np.sqrt(4000)
    again = latents.draw_each("sobol", latents.uniform, 100, 8, 1, 5)[..., 0]
    np.testing.assert_array_equal(again, z[:100])


def test_game_ties_simulations_to_observations():
    weights = np.arange(21.0)
    game = hg.GAN(STACKLOSS, LinearRegression(), weights=weights, n_simulated=300).game()
    assert game.draws_each == 16  # 300 / 21, rounded up to a power of two
    n = len(game.x)
    np.testing.assert_array_equal(game.z[:, :3].reshape(n, 16, 3), np.repeat(game.x[:, None, :3], 16, axis=1))
    shares = np.pad(weights / 210, (0, n - 21))
    np.testing.assert_allclose(game.z_weights.reshape(n, 16), np.tile(shares[:, None] / 16, (1, 16)), rtol=1e-12)
    np.testing.assert_allclose(game.x_weights, shares, rtol=1e-12)


@pytest.mark.parametrize(
    ("latent", "asked", "each"),
    [("sobol", None, 64), ("sobol", 10, 1), ("sobol", 22, 2), ("iid", None, 10), ("iid", 50, 3)],
)
def test_number_of_simulated_responses(latent, asked, each):
    model = hg.GAN(STACKLOSS, LinearRegression(), latent=latent, n_simulated=asked)
    assert (model.simulation.draws_each, model.n_simulated) == (each, 21 * each)


# Formulas.

FRAME = pd.DataFrame(
    {
        "y": [1.3, 4.1, 2.2, 6.4, 3.9, 9.2, 5.1, 2.7, 8.3, 4.6, 1.8, 7.5],
        "x": [1.0, 2, np.nan, 4, 5, 6, 7, 8, 9, 10, 11, 13],
        "g": list("abcabcabcabc"),
        "one": 1.0,
    },
    index=np.arange(100, 112),
)


def test_formula_makes_the_design_of_statsmodels():
    formula = "y ~ x + C(g) + np.log(x)"
    model, peer = hg.GAN.from_formula(formula, FRAME), smf.ols(formula, FRAME)
    assert model.generator.names == ["Intercept", "x", "C(g)[T.b]", "C(g)[T.c]", "np.log(x)", "scale"]
    rows = pd.DataFrame(peer.exog, columns=peer.exog_names).assign(y=peer.endog)  # patsy puts factors first
    np.testing.assert_allclose(model.x, rows[model.columns], rtol=EXACT)
    assert model.nobs == 11


def test_formula_may_call_functions_of_the_caller():
    def half(v):
        return v / 2

    frame = FRAME.dropna()
    model = hg.GAN.from_formula("y ~ half(x) + center(x ** 2)", frame)
    np.testing.assert_allclose(model.x[:, 0], frame.x / 2)
    # The centre is that of the data of the fit.
    again = model.new_covariates(frame[:2])
    np.testing.assert_allclose(again, model.x[:2, :-1])


def test_new_levels_are_refused_and_missing_ones_are_missing():
    model = hg.GAN.from_formula("y ~ x + g", FRAME)
    new = pd.DataFrame({"x": [1.0, 2.0], "g": ["b", None]})
    np.testing.assert_array_equal(model.new_covariates(new), [[1, 1, 0], [np.nan] * 3])
    message = refusal(lambda: model.new_covariates(new.assign(g=["b", "d"])))
    assert message == "exog: the level 'd' of g is none of the fit's; give one of a, b, c."
    message = refusal(lambda: model.new_covariates(new.assign(x=["one", "two"])))
    assert message == "exog: x holds text such as 'one'; give numbers, as in the fit."


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda model: pickle.loads(pickle.dumps(model))])
def test_a_model_with_a_formula_is_copied(copied):
    lock = threading.Lock()  # what surrounds the call may be of any kind
    frame = FRAME.dropna()
    model = copied(hg.GAN.from_formula("y ~ center(x) + g", frame))
    np.testing.assert_allclose(model.new_covariates(frame), model.x[:, :-1])
    assert lock is not None


def test_formula_drops_weights_with_rows():
    model = hg.GAN.from_formula("y ~ x", FRAME, weights=np.arange(1.0, 13))
    np.testing.assert_array_equal(model.weights, [1, 2, 4, 5, 6, 7, 8, 9, 10, 11, 12])


def test_formula_without_intercept():
    model = hg.GAN.from_formula("y ~ 0 + C(g)", FRAME, discriminator=ResidualSigmoids(4, 1))
    assert model.generator.names == ["C(g)[a]", "C(g)[b]", "C(g)[c]", "scale"]
    assert hg.GAN.from_formula("y ~ x", FRAME, LinearRegression(intercept=False)).generator.names == ["x", "scale"]


def normal_line(columns=None):
    return LinearRegression(columns=columns)


REFUSED = {
    "unknown variable": (lambda: hg.GAN.from_formula("y ~ wrong", FRAME), "`wrong`.*the data have y, x, g, one"),
    "no formula": (lambda: hg.GAN.from_formula(3, FRAME), "formula: got 3"),  # pyright: ignore[reportArgumentType]
    "syntax": (lambda: hg.GAN.from_formula("y ~ x +* 2", FRAME), r"formula: .*incorrectly used"),
    "no response": (lambda: hg.GAN.from_formula("~ x", FRAME), "has 0 responses"),
    "response of levels": (
        lambda: hg.GAN.from_formula("C(g) ~ x", FRAME),
        r"has C\(g\) on the left of .*, which is te",
    ),
    "response of texts": (lambda: hg.GAN.from_formula("g ~ x", FRAME), "has g on the left .*numeric variable there"),
    "all missing": (lambda: hg.GAN.from_formula("y ~ x", FRAME.assign(x=np.nan)), "leaves no row"),
    "no covariates": (lambda: hg.GAN.from_formula("y ~ 1", FRAME), "no covariates"),
    "constant": (lambda: hg.GAN.from_formula("y ~ x + one", FRAME), "covariate one is constant"),
    "collinear": (lambda: hg.GAN.from_formula("y ~ x + I(2 * x + 1)", FRAME), "is determined by those before it"),
    "infinite": (lambda: hg.GAN.from_formula("y ~ x", FRAME.replace(4, np.inf)), "1 of 11 observations is NaN"),
    "weights": (lambda: hg.GAN.from_formula("y ~ x", FRAME, weights=np.ones(11)), "each of the 12 observations"),
    "text": (lambda: hg.GAN(FRAME[["g", "y"]], normal_line()), "holds text such as 'a'"),
    "one column": (lambda: hg.GAN(FRAME["y"], normal_line()), r"shape \(12,\); LinearRegression"),
    "too few columns": (lambda: hg.GAN(STACKLOSS, normal_line(2)), r"needs shape \(n, 3\), the covariates and, last"),
    "order": (lambda: hg.GAN(TELEPHONE, normal_line(["calls"])), "the columns are year, calls; give calls and, last"),
    "too few rows": (lambda: hg.GAN(STACKLOSS[:5], normal_line()), "5 observations for 5 parameters"),
    "constant response": (lambda: hg.GAN(TELEPHONE.assign(calls=1.0), normal_line()), "all responses are equal"),
    "exact": (lambda: hg.GAN(TELEPHONE.assign(calls=TELEPHONE.year * 2 + 1), normal_line()), "responses exactly"),
    "column scale": (lambda: normal_line(["scale"]), "name of another parameter"),
    "column twice": (lambda: normal_line(["a", "b", "a"]), "a occurs twice"),
    "columns no text": (lambda: normal_line([1, 2]), "1 is no text"),
    "columns one text": (lambda: normal_line("ab"), "columns: got 'ab'"),
    "no columns": (lambda: normal_line(0), "columns: got"),
    "noise": (lambda: LinearRegression("cauchy"), "one of normal, t, logistic, laplace"),
    "df": (lambda: LinearRegression("t", df=0), "df: got 0"),
    "intercept": (lambda: LinearRegression(intercept="no"), "give True or False"),  # pyright: ignore[reportArgumentType]
    "unbound": (lambda: LinearRegression().fix(scale=1.0), "not known yet"),
    "k": (lambda: ResidualSigmoids(1), "k: got 1"),
    "products": (lambda: ResidualSigmoids(products=0), "products: got 0"),
    "scores": (lambda: hg.GAN(TELEPHONE, normal_line(), hg.discriminators.Scores(normal_line(1))), "given covariates"),
    "no regression": (
        lambda: hg.GAN(TELEPHONE.calls, hg.generators.Normal(), ResidualSigmoids()),
        "needs covariates beside the response",
    ),
}


@pytest.mark.parametrize(("call", "words"), REFUSED.values(), ids=REFUSED)
def test_refusals(call, words):
    message = refusal(call)
    assert re.search(words, message), message


# Fits: one compiled program for all of the telephone data's.


@pytest.fixture(scope="module")
def telephone():
    return hg.GAN.from_formula(CALLS, TELEPHONE).fit()


@pytest.fixture(scope="module")
def stackloss():
    return hg.GAN.from_formula(LOSS, STACKLOSS).fit()


def test_telephone_is_near_the_mm_estimate(telephone):
    """Least squares gives a slope of .504, Huber's estimate .204, robustbase's .110."""
    assert telephone.converged
    huber = smf.rlm(CALLS, TELEPHONE).fit().params["year"]
    np.testing.assert_allclose(huber, 0.204, atol=5e-4)
    assert abs(telephone.params["year"] - LMROB["telephone"][1]) < min(0.02, 2 * telephone.bse["year"])
    assert set(range(14, 20)) <= set(telephone.outliers()) <= set(range(12, 22))


def test_stackloss_is_near_huber(stackloss):
    assert stackloss.converged
    huber, squares = smf.rlm(LOSS, STACKLOSS).fit().params, smf.ols(LOSS, STACKLOSS).fit().params
    coefficients = stackloss.params[:-1]
    assert list(coefficients.index) == list(huber.index)
    off, far = ((of - huber) / stackloss.bse[:-1] for of in (coefficients, squares))
    assert off @ off < 0.3 * (far @ far)
    assert np.all(np.abs(coefficients - huber) < 0.5 * stackloss.bse[:-1])
    assert np.all(np.abs(coefficients - LMROB["stackloss"]) < 1.5 * stackloss.bse[:-1])


def test_fit_is_equivariant(telephone):
    """With t = 10 (year - 60) and 3 calls + 2 + .5 year for calls; roots are found to 1e-9 of a standard error."""
    year, calls = TELEPHONE.to_numpy(float).T
    moved = hg.GAN(np.column_stack([10 * (year - 60), 3 * calls + 2 + 0.5 * year]), LinearRegression(columns=["year"]))
    fit, old = moved.fit(), telephone.params
    slope = 3 * old["year"] + 0.5
    expected = [3 * old["Intercept"] + 2 + 60 * slope, slope / 10, 3 * old["scale"]]
    np.testing.assert_allclose(fit.params, expected, rtol=1e-6)
    np.testing.assert_allclose(fit.bse["year"], 0.3 * telephone.bse["year"], rtol=1e-5)


def test_weight_zero_is_absence():
    """Padding, weights and latents alike: the last row may as well be missing."""
    weights = np.r_[np.arange(1.0, 24), 0]
    arguments = {"generator": LinearRegression(), "n_simulated": None}
    with_it = hg.GAN(TELEPHONE, weights=weights, **arguments).fit()
    without = hg.GAN(TELEPHONE[:-1], weights=weights[:-1], **arguments).fit()
    np.testing.assert_allclose(with_it.params, without.params, rtol=1e-6)
    np.testing.assert_allclose(with_it.bse, without.bse, rtol=1e-5)


def test_summary_counts_the_rows_that_are_left_out(telephone):
    hole = pd.DataFrame({"year": [1975.0, np.nan], "calls": [np.nan, 3.0]})
    fit = hg.GAN.from_formula(CALLS, pd.concat([hole, TELEPHONE])).fit()
    assert fit.nobs == 24
    np.testing.assert_array_equal(fit.outlier_positions(), telephone.outliers())
    np.testing.assert_array_equal(fit.outliers(), telephone.outliers() + 2)  # labels occur twice: positions in the data
    assert fit.rows_left_out == [0, 1]
    assert "2 rows with missing values are left out: 0, 1." in str(fit.summary())
    assert "left out" not in str(telephone.summary())


def test_sandwich_sums_scores_by_observation(telephone):
    """The meat by another route: each observation's score, the mean of its 64 simulated ones, and the placement's."""
    game, saddle = telephone.model.game(), telephone.saddle
    at, step = np.asarray(game.basis.placement), 1e-5

    def mean(placement):
        moved = dataclasses.replace(game, discriminator=game.basis.placed(placement))
        return np.asarray(objective.mean_score(moved, saddle.theta, saddle.alpha))

    with jax.enable_x64(True):
        scores = objective.scores(game, saddle.theta, saddle.alpha)
        sums = np.asarray(scores.real) + np.asarray(scores.simulated).reshape(24, 64, -1).mean(axis=1)
        slope = np.array([(mean(at + step * e) - mean(at - step * e)) / (2 * step) for e in np.eye(len(at))])
        sums = sums + np.asarray(jax.vmap(game.basis.influence)(game.x)) @ slope
    expected = np.cov(sums, rowvar=False)
    np.testing.assert_allclose(telephone.meat(), expected, rtol=1e-5, atol=1e-5 * np.abs(expected).max())
    np.testing.assert_allclose(telephone.equations.scores(telephone.saddle.u), sums, atol=1e-5 * np.abs(sums).max())


def test_deletion_and_bootstrap_move_the_placement():
    """Where the model is wrong, one step and the refit agree on what a row does, and both count the placement."""
    fit = hg.GAN(unequal(np.random.default_rng(1), 200), LinearRegression()).fit()
    u, equations = fit.saddle.u, fit.equations
    weights = np.full((3, 200), 1 / 200)
    for k, row in enumerate((3, 50, 120)):
        weights[k, row] += 0.002
    weights /= weights.sum(axis=1, keepdims=True)
    refits = equations.refit(lambda chunk: Resamples(weights[chunk]), 3, u)
    step = -np.linalg.solve(fit.saddle.jacobian, ((weights - 1 / 200) @ equations.scores(u)).T).T
    found, held = (
        refits.u - u,
        -np.linalg.solve(fit.saddle.jacobian, ((weights - 1 / 200) @ equations.held_scores(u)).T).T,
    )
    size = np.abs(step[:, :4]).max(axis=1, keepdims=True)
    np.testing.assert_allclose(found[:, :4] / size, step[:, :4] / size, atol=0.1)
    assert np.abs((step - held)[:, :4] / size).max() > 0.3


def test_noise_of_tied_features_is_that_of_differences(telephone):
    """Each observation's features less the mean of its 64 responses' at the same year."""
    game, saddle = telephone.model.game(), telephone.saddle
    of = telephone.equations.balance(saddle.u, "real")
    with jax.enable_x64(True):
        samples = game.x, objective.simulate(game, saddle.theta)
        real, simulated = (np.asarray(objective.features(game, rows))[:, 1:] for rows in samples)
    differences = real - simulated.reshape(24, 64, -1).mean(axis=1)
    np.testing.assert_allclose(of.noise, np.cov(differences, rowvar=False), rtol=1e-9, atol=1e-14)
    np.testing.assert_allclose(of.covariance, np.cov(real, rowvar=False), rtol=1e-9, atol=1e-14)


def test_simulator_is_the_same_model(telephone):
    @hg.generator(latent="normal", covariates=1, level=hg.real(), slope=hg.real(), sd=hg.positive())
    def line(z, x, level, slope, sd):
        return level + slope * x + sd * z

    fit = hg.GAN.from_formula(CALLS, TELEPHONE, line).fit()
    assert fit.params.index.to_list() == ["level", "slope", "sd"]
    np.testing.assert_allclose(fit.params, telephone.params, rtol=1e-6)
    with pytest.raises(AttributeError, match="predict: the model has no location in closed form"):
        fit.predict  # noqa: B018
    assert fit.sample(5).shape == (5, 2)


def test_simulator_of_several_covariates_and_latents(x64):
    @hg.generator(latent="uniform", latent_dim=2, covariates=3, b=hg.real((3,)))
    def product(z, x, b):
        return x @ b + z[0] * z[1]

    assert (product.dim, product.covariates, product.latent_dim) == (4, 3, 2)
    row = product.draw(jnp.array([1.0, 2, 3, 0.5, 0.25]), b=jnp.array([1.0, 0, -1]))
    np.testing.assert_allclose(row, [1, 2, 3, -1.875], rtol=EXACT)


@pytest.mark.parametrize(
    ("function", "covariates", "words"),
    [
        (lambda z, x, b: b * x + z, -1, "covariates: got -1"),
        (lambda z, x, b: b * x + z, 2, r"returns shape \(2,\); with covariates return a number"),
        (lambda z, b: b + z, 1, "after its latent draw and covariates"),
    ],
)
def test_simulator_refusals(function, covariates, words):
    message = refusal(lambda: hg.generator(covariates=covariates, b=hg.real())(function))
    assert re.search(words, message), message


def test_predict(stackloss):
    coefficients = stackloss.params.to_numpy()[:-1]
    expected = table(STACKLOSS)[0] @ coefficients
    np.testing.assert_allclose(stackloss.predict(), expected, rtol=EXACT)
    new = STACKLOSS[["acid_conc", "water_temp", "air_flow"]].astype(float)
    new.iloc[2, 0] = np.nan
    got = stackloss.predict(new)
    assert got.index.equals(new.index)
    np.testing.assert_allclose(got, np.where(np.arange(21) == 2, np.nan, expected), rtol=EXACT)
    np.testing.assert_allclose(stackloss.predict(STACKLOSS.to_numpy()[:, :3], transform=False), expected, rtol=EXACT)
    assert "formula" in refusal(lambda: stackloss.predict(STACKLOSS[["air_flow"]]))
    assert "shape (21, 4)" in refusal(lambda: stackloss.predict(STACKLOSS.to_numpy(), transform=False))


def test_predict_with_a_coefficient_held():
    fit = hg.GAN(TELEPHONE, LinearRegression(columns=["year"]).fix(year=0.11)).fit()
    np.testing.assert_allclose(fit.predict([60.0, 70.0]), fit.params["Intercept"] + [6.6, 7.7], rtol=EXACT)


def test_save_and_load(stackloss, tmp_path):
    stackloss.save(tmp_path / "fit.npz")
    again = hg.load(tmp_path / "fit.npz")
    pd.testing.assert_series_equal(again.params, stackloss.params)
    pd.testing.assert_frame_equal(again.conf_int(), stackloss.conf_int())
    np.testing.assert_allclose(again.predict(STACKLOSS), stackloss.predict(STACKLOSS), rtol=EXACT)
    np.testing.assert_array_equal(again.model.game().z, stackloss.model.game().z)
    assert again.model.simulation.draws_each == 64


def test_reports(stackloss):
    text = str(stackloss.summary())
    for part in ("LinearRegression (normal noise)", "ResidualSigmoids, 7 features", "21 x 64", "air_flow"):
        assert part in text
    assert stackloss.t_test("air_flow = 0.8, acid_conc = 0").pvalue.shape == (2,)
    assert stackloss.overidentification_test().df == 2


def test_sample_has_the_covariates_of_the_data(stackloss):
    rows = stackloss.sample(4000, seed=3)
    design = STACKLOSS.to_numpy(float)[:, :3]
    assert {tuple(r) for r in rows[:, :3]} == {tuple(r) for r in design}
    standard = (rows[:, 3] - stackloss.predict(rows[:, :3], transform=False)) / stackloss.params["scale"]
    assert scipy.stats.kstest(standard, "norm").pvalue > 1e-4


def test_sample_draws_covariates_by_weight():
    """Half of the covariates are 1, with a quarter of the weight."""
    rng, x = np.random.default_rng(2), np.repeat([0.0, 1.0], 30)
    rows = np.column_stack([x, 1 + 2 * x + rng.normal(size=60)])
    fit = hg.GAN(rows, LinearRegression(columns=1), n_simulated=256, weights=np.where(x == 1, 1.0, 3.0)).fit()
    drawn = fit.sample(8000, seed=1)
    assert_monte_carlo(drawn[:, 0].mean(), 0.25, np.sqrt(0.25 * 0.75 / 8000), resolution=0.03)


def test_plots(telephone, stackloss):
    for fit, label in ((telephone, "year"), (stackloss, "fitted")):
        ax = fit.plot_fit()
        assert (ax.get_xlabel(), ax.get_ylabel()) == (label, fit.model.columns[-1])
        np.testing.assert_array_equal(ax.lines[1].get_ydata(), fit.model.x[:, -1])
        plots.close(ax)


# By simulation.


@pytest.mark.slow
@pytest.mark.montecarlo
def test_coverage_with_outliers():
    """15 % vertical outliers at 200 observations: 95 % intervals cover at least .93, within one MCSE (two of few)."""
    count = replications(500, 200)
    fits = replicate(contaminated, count, 7, generator=LinearRegression())
    assert np.sum(~fits.certified) <= 1
    coverage = fits.coverage([1, 2, -1, 1.5])
    assert np.all(coverage >= 0.93 - (1 if FULL else 2) * mcse_proportion(0.95, count)), coverage
    # Least squares is off by 15 % of 14 in the intercept alone.
    assert_monte_carlo(
        fits.estimates.mean(axis=0), [1, 2, -1, 1.5], mcse_mean(fits.estimates), bias=0.02, resolution=0.09
    )


@pytest.mark.slow
@pytest.mark.montecarlo
def test_standard_errors_efficiency_and_size_without_outliers():
    count = 500  # with 200 the tolerance would hide a standard error that forgets the simulated responses
    fits = replicate(lambda rng: contaminated(rng, share=0.0), count, 8, test=True, generator=LinearRegression())
    sd = fits.estimates.std(axis=0, ddof=1)
    assert_monte_carlo(fits.errors.mean(axis=0) / sd, 1, mcse_sd(fits.estimates) / sd, bias=0.03, resolution=0.21)
    designs = [table(pd.DataFrame(contaminated(np.random.default_rng([8, r]), share=0.0))) for r in range(count)]
    squares = np.array([np.linalg.lstsq(*design, rcond=None)[0] for design in designs])
    # Least squares is efficient here. The log ratio of the sds of two estimates has variance (1 - r^2)/R, r their
    # correlation.
    r = np.array([np.corrcoef(a, b)[0, 1] for a, b in zip(fits.estimates.T[:3], squares.T, strict=True)])
    ratio = sd[:3] / squares.std(axis=0, ddof=1)
    assert_monte_carlo(ratio, 1, np.sqrt((1 - r**2) / count), bias=0.05, resolution=0.15)
    # The plain test at 5 %: its law is asymptotic, with ten observations a feature.
    assert_monte_carlo(np.mean(fits.overid < 0.05), 0.05, mcse_proportion(0.05, count), bias=0.02, resolution=0.07)


@pytest.mark.parametrize("design", ["two groups", "a scale that changes", "a covariate a thousandfold"])
def test_errors_hold_where_the_noise_or_a_covariate_is_not_the_models(design):
    """Errors agree with the spread: of fixed placements they were a third, .6 and a twentieth of it."""
    samples = []
    for seed in range(60):
        rng = np.random.default_rng([31, seed])
        x = (np.arange(200) % 5 == 0) * 1.0 if design == "two groups" else rng.normal(size=200)
        scale = {"two groups": 1 + 3 * x, "a scale that changes": 0.3 + np.abs(x)}.get(design, 1.0)
        y = 1 + 2 * x + scale * rng.normal(size=200)
        x[0] *= 1000 if "covariate" in design else 1
        samples.append(np.column_stack([x, y]))
    batch = hg.fit_batch(hg.GAN(samples[0], LinearRegression()), np.stack(samples))
    interval = batch.conf_int()["x1"]
    assert batch.converged.all()
    covered = np.mean((interval["lower"] <= 2) & (interval["upper"] >= 2))
    assert covered >= 0.95 - 3 * mcse_proportion(0.95, 60)
    assert 0.75 < batch.bse["x1"].median() / batch.params["x1"].std() < 1.35


@pytest.mark.parametrize("offset", [0, 1e3, 1e6])
def test_a_covariate_far_from_zero_changes_nothing(offset):
    """Nor do its square and its calendar years: the slope is identified as it is of centred years."""
    rng = np.random.default_rng(12)
    z = rng.normal(size=200)
    y = 1 + 2 * z + rng.normal(size=200)
    here, there = (hg.GAN(np.column_stack([z + shift, y]), LinearRegression(columns=("x",))) for shift in (0, offset))
    at, moved = here.fit(), there.fit()
    assert moved.converged
    np.testing.assert_allclose(moved.params["x"], at.params["x"], rtol=1e-8)
    np.testing.assert_allclose(moved.bse["x"], at.bse["x"], rtol=5e-3)


def test_a_square_of_calendar_years_is_identified():
    rng = np.random.default_rng(4)
    frame = pd.DataFrame({"year": rng.integers(1950, 2020, 200)})
    frame["y"] = 3 + 0.1 * (frame.year - 1985) + 0.002 * (frame.year - 1985) ** 2 + rng.normal(size=200)
    raw = hg.GAN.from_formula("y ~ year + I(year**2)", frame).fit()
    centred = hg.GAN.from_formula("y ~ c + I(c**2)", frame.assign(c=frame.year - 1985)).fit()
    assert raw.converged
    error = centred.bse["I(c ** 2)"]
    assert abs(raw.params["I(year ** 2)"] - centred.params["I(c ** 2)"]) < 0.2 * error
    np.testing.assert_allclose(raw.bse["I(year ** 2)"], error, rtol=0.05)


def test_held_parameters_and_other_samples_have_their_own_frame():
    """Of the free columns where some are held; in a batch of each sample, wherever the model's own lies."""
    t = np.arange(60.0)
    y = 0.01 * (t - 30) ** 2 + np.random.default_rng(0).normal(size=60)
    far, near = (np.column_stack([s, s**2, y]) for s in (t + 2000, t - 30))
    assert hg.GAN(far, LinearRegression(columns=2).fix(scale=1.0)).fit().converged
    assert hg.GAN(far, LinearRegression(columns=2).fix(x1=-40.6)).fit().converged
    batch = hg.fit_batch(hg.GAN(near, LinearRegression()), np.stack([far, far]))
    assert batch.converged.all()


def test_placement_does_not_depend_on_the_unit_nor_on_dependent_columns():
    rows = unequal(np.random.default_rng(0))
    with jax.enable_x64(True):
        of = np.asarray(jax.vmap(placed(rows).influence)(jnp.asarray(rows)))
        for unit in (1e-17, 1e12):
            small = rows * [1, 1, unit]
            found = np.asarray(jax.vmap(placed(small).influence)(jnp.asarray(small)))
            np.testing.assert_allclose(found / [unit, unit, unit, 1, 1, 1], of, atol=1e-6 * np.abs(of).max())
        wide = np.insert(rows, 2, rows[:, 0] + rows[:, 1], axis=1)
        found = np.asarray(jax.vmap(placed(wide).influence)(jnp.asarray(wide)))
    # Leverage is over one column more, and nothing else changes.
    np.testing.assert_allclose(found.mean(axis=0), 0, atol=1e-6)
    assert np.abs(found).max() < 3 * np.abs(of).max()
