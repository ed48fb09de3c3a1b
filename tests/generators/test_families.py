"""Families with shape parameters: laws against scipy, derivatives to second order, starts, extremes, names."""

import itertools
import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import references
import scipy.integrate
import scipy.optimize
import scipy.special
import scipy.stats
from tolerance import EXACT

import hellgan as hg
from hellgan import generators, latents
from hellgan.generators import inversion, special

MIXTURE = {"weight": [0.3, 0.2, 0.5], "loc": [-3.0, 1.0, 4.0], "scale": [0.5, 2.0, 1.0]}
MVT_NATURAL = {"df": 3.5, "loc": [1.0, -2.0], "scale": [2.0, 0.5], "corr": [0.6]}
MVT_SHAPE = np.array([[4.0, 0.6], [0.6, 0.25]])
GK = {"a": 3.0, "b": 1.5, "g": 2.0, "k": 0.5}


class MixtureLaw:
    """A normal mixture by scipy's normal law."""

    def __init__(self, weight, loc, scale):
        self.weight, self.loc, self.scale = np.array(weight), np.array(loc), np.array(scale)

    def cdf(self, x):
        return scipy.stats.norm.cdf(np.asarray(x)[..., None], self.loc, self.scale) @ self.weight

    def sf(self, x):
        return scipy.stats.norm.sf(np.asarray(x)[..., None], self.loc, self.scale) @ self.weight

    def logpdf(self, x):
        parts = scipy.stats.norm.logpdf(np.asarray(x)[..., None], self.loc, self.scale)
        return scipy.special.logsumexp(parts, b=self.weight, axis=-1)

    def ppf(self, u):
        return np.array([scipy.optimize.brentq(lambda x, p=p: self.cdf(x) - p, -60, 60, xtol=1e-13) for p in u])


class GAndKLaw:
    """The g-and-k law by its quantile function."""

    def cdf(self, x):
        return scipy.stats.norm.cdf(references.g_and_k_normal_quantile(x, **GK))

    def ppf(self, u):
        return references.g_and_k_quantile(scipy.special.ndtri(u), **GK)[0]


SCALAR = {
    "Gamma": (generators.Gamma(), {"a": 2.5, "scale": 3.0}, scipy.stats.gamma(2.5, scale=3)),
    "Gamma, steep": (generators.Gamma(), {"a": 0.2, "scale": 3.0}, scipy.stats.gamma(0.2, scale=3)),
    "Weibull": (generators.Weibull(), {"c": 1.7, "scale": 3.0}, scipy.stats.weibull_min(1.7, scale=3)),
    "StudentT": (generators.StudentT(), {"df": 3.0, "loc": -2.0, "scale": 3.0}, scipy.stats.t(3, -2, 3)),
    "GAndK": (generators.GAndK(), GK, GAndKLaw()),
    "NormalMixture": (generators.NormalMixture(3), MIXTURE, MixtureLaw(**MIXTURE)),
}
EACH = pytest.mark.parametrize(("generator", "natural", "truth"), SCALAR.values(), ids=SCALAR)

STABLE = generators.AlphaStable("S0")
STABLE_NATURAL = {"alpha": 1.6, "beta": 0.5, "scale": 2.0, "loc": -1.0}
MVT = generators.MultivariateStudentT(2)
MVT_GIVEN = generators.MultivariateStudentT(2, df=3.5)
ALL = {
    **{name: (generator, natural) for name, (generator, natural, _) in SCALAR.items()},
    "AlphaStable": (STABLE, STABLE_NATURAL),
    "AlphaStable S1": (generators.AlphaStable("S1"), STABLE_NATURAL),
    "MultivariateStudentT": (MVT, MVT_NATURAL),
    "MultivariateStudentT given": (MVT_GIVEN, {k: v for k, v in MVT_NATURAL.items() if k != "df"}),
}
WITH_ALL = pytest.mark.parametrize(("generator", "natural"), ALL.values(), ids=ALL)


# Compiled once a family and shape; 16 latent draws wherever the number does not matter.


@jax.jit
def _jet(generator, theta, z):
    """Draws (m, dim) with first and second derivatives, as the solver takes them."""

    def one(draw):
        first = jax.jacfwd(generator)
        return generator(theta, draw), first(theta, draw), jax.jacfwd(first)(theta, draw)

    return jax.vmap(one)(z)


@jax.jit
def _simulate(generator, theta, z):
    return jax.vmap(lambda draw: generator(theta, draw))(z)


@jax.jit
def _log_density(generator, natural, x):
    return jax.vmap(lambda row: generator.log_density(row, **natural))(x)


def in_double(function, *arguments):
    with jax.enable_x64(True):
        return jax.device_get(function(*jax.tree.map(jnp.asarray, arguments)))


def simulate(generator, natural, z):
    return generator.squeezed(in_double(_simulate, generator, generator.theta(**natural), z))


def draws(kind, generator, m, seed=8):
    return latents.draw(kind, generator.law, m, generator.latent_dim, seed)[0]


def equal(n):
    return np.full(n, 1 / n)


# The laws.


@EACH
def test_a_sobol_sample_has_the_law(generator, natural, truth):
    x = simulate(generator, natural, draws("sobol", generator, 1024))
    # a monotone map of one point in each interval of probability 1/m: the distance is at most 1/m
    assert scipy.stats.kstest(x, truth.cdf).statistic <= (1 + 1e-9) / 1024


@pytest.mark.parametrize("name", ["Gamma", "Gamma, steep", "Weibull", "StudentT", "NormalMixture"])
def test_log_density_against_scipy(name):
    generator, natural, truth = SCALAR[name]
    x = np.array([-100.0, -5.5, -2.1, -0.5, 0.5, 0.9, 1.1, 4.0, 100.0])
    natural = {name: np.asarray(value, float) for name, value in natural.items()}
    np.testing.assert_allclose(in_double(_log_density, generator, natural, x), truth.logpdf(x), rtol=1e-12)
    assert generator.has_density
    assert not generators.GAndK().has_density
    assert not STABLE.has_density


def test_g_and_k_reference_density_is_the_law_of_the_draws():
    density = scipy.integrate.quad(lambda x: np.exp(references.g_and_k_log_density(np.array([x]), **GK))[0], 2, 5)[0]
    assert density == pytest.approx(np.diff(GAndKLaw().cdf(np.array([2.0, 5.0])))[0], rel=1e-9)
    z = np.linspace(-3, 3, 16)
    x = simulate(generators.GAndK(), GK, z[:, None])
    np.testing.assert_allclose(x, references.g_and_k_quantile(z, **GK)[0], rtol=EXACT)


CLOSED_FORMS = {
    "Cauchy": (1.0, 0.0, scipy.stats.cauchy()),
    # within 1e-8 of the limits of alpha and beta, and so in law
    "normal": (2 - 1e-9, 0.3, scipy.stats.norm(scale=np.sqrt(2))),
    "Levy": (0.5, 1 - 1e-9, scipy.stats.levy()),
}


@pytest.mark.parametrize(("alpha", "beta", "truth"), CLOSED_FORMS.values(), ids=CLOSED_FORMS)
def test_stable_laws_in_closed_form(alpha, beta, truth):
    s1 = generators.AlphaStable("S1")
    x = simulate(s1, {"alpha": alpha, "beta": beta, "scale": 1.0, "loc": 0.0}, draws("iid", s1, 1024))
    assert scipy.stats.kstest(x, truth.cdf).pvalue > 1e-4


@pytest.mark.parametrize(("alpha", "beta"), [(1.6, 0.5), (0.7, -0.4), (1.0, 0.5)])
def test_stable_laws_against_scipy(alpha, beta):
    # at alpha = 1 and scale 1, S0 and S1 are the same; scipy's distribution function takes 5 points a second
    generator = generators.AlphaStable("S0" if alpha == 1 else "S1")
    natural = {"alpha": alpha, "beta": beta, "scale": 1.0, "loc": 0.0}
    x = simulate(generator, natural, draws("iid", generator, 1024))
    cuts = np.quantile(simulate(generator, natural, draws("iid", generator, 1024, 9)), [0.05, 0.25, 0.5, 0.75, 0.95])
    cuts = cuts.round(2)
    expected = np.diff(np.concatenate([[0.0], scipy.stats.levy_stable(alpha, beta).cdf(cuts), [1.0]]))
    counts = np.bincount(np.searchsorted(cuts, x), minlength=6)
    assert scipy.stats.chisquare(counts, 1024 * expected).pvalue > 1e-4


def test_the_two_parameterisations_of_stable_laws():
    z = draws("sobol", STABLE, 16)
    moved = simulate(generators.AlphaStable("S1"), STABLE_NATURAL, z) - simulate(STABLE, STABLE_NATURAL, z)
    np.testing.assert_allclose(moved, 0.5 * np.tan(0.8 * np.pi) * 2.0, rtol=1e-11)


def test_multivariate_t_has_its_law():
    x = simulate(MVT, MVT_NATURAL, draws("iid", MVT, 1024))
    centred = x - MVT_NATURAL["loc"]
    distances = np.sum(centred * np.linalg.solve(MVT_SHAPE, centred.T).T, axis=1)
    # squared distance / d is F(d, df), and independent of the direction, whose angle is uniform
    assert scipy.stats.kstest(distances / 2, scipy.stats.f(2, 3.5).cdf).pvalue > 1e-4
    whitened = np.linalg.solve(np.linalg.cholesky(MVT_SHAPE), centred.T)
    angles = np.arctan2(*whitened)
    assert scipy.stats.kstest(angles, scipy.stats.uniform(-np.pi, 2 * np.pi).cdf).pvalue > 1e-4
    assert scipy.stats.kendalltau(distances, angles).pvalue > 1e-4  # pyright: ignore[reportAttributeAccessIssue]
    for j in range(2):
        margin = scipy.stats.t(3.5, MVT_NATURAL["loc"][j], MVT_NATURAL["scale"][j])
        assert scipy.stats.kstest(x[:, j], margin.cdf).pvalue > 1e-4
    rest = {name: value for name, value in MVT_NATURAL.items() if name != "df"}
    np.testing.assert_allclose(simulate(MVT_GIVEN, rest, draws("iid", MVT, 1024)), x, rtol=EXACT)


def test_multivariate_t_density_against_scipy():
    x = np.random.default_rng(1).normal(size=(9, 2)) * 3
    natural = {name: np.asarray(value) for name, value in MVT_NATURAL.items()}
    truth = scipy.stats.multivariate_t(MVT_NATURAL["loc"], MVT_SHAPE, df=3.5).logpdf(x)  # pyright: ignore[reportArgumentType]
    np.testing.assert_allclose(in_double(_log_density, MVT, natural, x), truth, rtol=1e-12)
    rest = {name: value for name, value in natural.items() if name != "df"}
    np.testing.assert_allclose(in_double(_log_density, MVT_GIVEN, rest, x), truth, rtol=1e-12)


# Quantiles by inversion, at the ends of what they promise.

Z = np.array([-6.2, -4.0, -2.0, -0.7, -1e-9, 0.0, 0.3, 1.5, 3.0, 5.0, 6.2])


def lower_and_upper(z, lower, upper, log_slope, y):
    """Error of y, by the tail in which z lies: relative error of the tail over its log slope in y."""
    tail, target = np.where(z < 0, lower, upper), scipy.special.ndtr(-np.abs(z))
    return np.abs(tail / target - 1) * tail / np.exp(log_slope) / (1 + np.abs(y))


@jax.jit
def _gamma_quantiles(a, z):
    return jax.vmap(inversion.log_gamma_quantile, (None, 0))(a, z)


@jax.jit
def _t_quantiles(df, z):
    return jax.vmap(inversion.t_quantile, (None, 0))(df, z)


@pytest.mark.parametrize("a", [1e-3, 0.03, 0.4, 0.999, 1.001, 3.0, 40.0, 1e3, 1e6])
def test_gamma_quantiles(a):
    y = in_double(_gamma_quantiles, a, Z)
    if a < 0.01:
        # far below the least double the law is x^a / Gamma(a + 1)
        deep = y < -50
        leading = (np.log(scipy.special.ndtr(Z[deep])) + scipy.special.gammaln(a + 1)) / a
        np.testing.assert_allclose(y[deep], leading, rtol=1e-12)
    kept = y > -50
    x, z, y = np.exp(y[kept]), Z[kept], y[kept]
    # log gamma alone has an error of eps x 1e7 at a = 1e6, scipy's tails have more: their slope in y is sqrt(a)
    error = lower_and_upper(
        z, scipy.special.gammainc(a, x), scipy.special.gammaincc(a, x), scipy.stats.gamma.logpdf(x, a) + y, y
    )
    assert np.all(error < 2e-12 * max(1.0, 1e-3 / a, a / 1e5))


@pytest.mark.parametrize("df", [0.06, 0.5, 1.0, 2.0, 7.0, 100.0, 1e4, 1e6])
def test_t_quantiles(df):
    x, kept = in_double(_t_quantiles, df, Z), np.abs(Z) > 0.1
    np.testing.assert_allclose(x[kept], -in_double(_t_quantiles, df, -Z)[kept], rtol=EXACT)
    # scipy's lower tail, by symmetry of the upper one; relative errors
    lower = scipy.special.stdtr(df, -np.abs(x[kept]))
    slope = scipy.stats.t.logpdf(x[kept], df) + np.log(np.abs(x[kept]))
    assert np.all(lower_and_upper(Z[kept], lower, lower, slope, np.zeros(kept.sum())) < 1e-12)
    # near 0 errors are absolute: of the tail's 1e-12, and more where the density at 0 is small
    at_zero = float(scipy.stats.t.pdf(0, df))
    near = Z[~kept] * scipy.stats.norm.pdf(0) / at_zero
    np.testing.assert_allclose(x[~kept], near, rtol=0, atol=1e-12 / at_zero)


def test_t_quantiles_in_closed_form():
    z = np.resize([-6.2, -3.0, -0.7, -0.1], 11)
    u = scipy.special.ndtr(z)
    np.testing.assert_allclose(in_double(_t_quantiles, 1.0, z), -1 / np.tan(np.pi * u), rtol=1e-12)
    two = (2 * u - 1) / np.sqrt(2 * u * (1 - u))
    np.testing.assert_allclose(in_double(_t_quantiles, 2.0, z), two, rtol=1e-12)


def test_mixture_quantiles_of_components_that_lie_far_apart():
    natural = {"weight": [0.25, 0.5, 0.25], "loc": [-1e3, 0.0, 50.0], "scale": [1.0, 1e-3, 1.0]}
    z = np.array([-6.2, -0.675, -0.674, -0.3, 0.3, 0.674, 0.675, 6.2])
    x = simulate(generators.NormalMixture(3), natural, z[:, None])
    truth = MixtureLaw(**natural)
    tail = np.where(z < 0, truth.cdf(x), truth.sf(x))
    np.testing.assert_allclose(tail, scipy.special.ndtr(-np.abs(z)), rtol=1e-9)
    assert np.all(np.diff(x) > 0)
    # one component that is many
    same = {"weight": [0.2, 0.8], "loc": [1.0, 1.0 + 1e-12], "scale": [2.0, 2.0]}
    np.testing.assert_allclose(simulate(generators.NormalMixture(2), same, z[:, None]), 1 + 2 * z, rtol=1e-11)


def test_special_functions():
    a = np.array([1e-3, 0.3, 1.0, 2.0, 7.5, 50.0, 1e6])

    def jet(function, x):
        one = jax.grad(function)
        return in_double(jax.jit(jax.vmap(lambda x: (function(x), one(x), jax.grad(one)(x)))), x)

    value, slope, curvature = jet(special.log_gamma, a)
    np.testing.assert_allclose(value, scipy.special.gammaln(a), rtol=1e-14, atol=1e-14)
    np.testing.assert_allclose(slope, scipy.special.digamma(a), rtol=1e-13)
    np.testing.assert_allclose(curvature, scipy.special.polygamma(1, a), rtol=1e-13)
    value, slope, curvature = jet(special.log_gamma_half_step, a)
    np.testing.assert_allclose(np.exp(value), scipy.special.poch(a, 0.5), rtol=1e-12)
    far = np.array([30.0, 1e6])
    # the derivative of the textbook's series, whose next term is of the order of far^-6
    textbook = 0.5 / far + 0.125 / far**2 - 1 / (64 * far**4)
    np.testing.assert_allclose(jet(special.log_gamma_half_step, far)[1], textbook, rtol=1e-8)
    x = np.array([-1.5, -1e-5, 0.0, 1e-9, 0.7, 1.57])
    value, slope, curvature = jet(special.sinc, x)
    np.testing.assert_allclose(value, np.sinc(x / np.pi), rtol=1e-15)
    small = np.abs(x) < 0.1
    np.testing.assert_allclose(slope[small], -x[small] / 3 + x[small] ** 3 / 30, rtol=EXACT)
    np.testing.assert_allclose(curvature[small], -1 / 3 + x[small] ** 2 / 10, rtol=EXACT)
    x = np.array([-30.0, -1.001, -0.999, -1e-6, 0.0, 1e-9, 0.999, 1.001, 5.0])
    value, slope, _ = jet(special.expm1_ratio, x)
    small, safe = np.abs(x) < 1e-5, np.where(x == 0, 1.0, x)
    np.testing.assert_allclose(value, np.where(x == 0, 1.0, np.expm1(safe) / safe), rtol=1e-15)
    exact = np.where(small, 0.5 + x / 3 + x**2 / 8, (np.exp(x) - np.expm1(safe) / safe) / safe)
    np.testing.assert_allclose(slope, exact, rtol=1e-14)


# Derivatives: all that the estimator knows of a family.


EDGES = {
    "stable at 1": (STABLE, {**STABLE_NATURAL, "alpha": 1.0}),
    "stable nearly at 1": (STABLE, {**STABLE_NATURAL, "alpha": 1 + 1e-7, "beta": -0.9}),
    "stable below 1": (STABLE, {**STABLE_NATURAL, "alpha": 0.6}),
    "small gamma": (generators.Gamma(), {"a": 0.01, "scale": 1.0}),
    "large gamma": (generators.Gamma(), {"a": 1e4, "scale": 1e-4}),
    "small df": (generators.StudentT(), {"df": 0.5, "loc": 0.0, "scale": 1.0}),
    "large df": (generators.StudentT(), {"df": 300.0, "loc": 0.0, "scale": 1.0}),
    "light g-and-k": (generators.GAndK(), {"a": 0.0, "b": 1.0, "g": 0.0, "k": -0.2}),
}


DIFFERENTIATED = {name: case for name, case in ALL.items() if name not in ("AlphaStable S1", "Gamma, steep")} | EDGES


@pytest.mark.parametrize(("generator", "natural"), DIFFERENTIATED.values(), ids=DIFFERENTIATED)
def test_first_and_second_derivatives(generator, natural):
    theta = generator.theta(**natural)
    z = draws("sobol", generator, 16)
    value, first, second = in_double(_jet, generator, theta, z)
    h = 2e-4
    weights = {-2: 1 / 12, -1: -8 / 12, 1: 8 / 12, 2: -1 / 12}
    for k, unit in enumerate(np.eye(theta.size)):
        jets = {step: in_double(_jet, generator, theta + step * h * unit, z) for step in weights}
        for found, order in ((first[..., k], 0), (second[..., k], 1)):
            central = sum(weight * jets[step][order] for step, weight in weights.items()) / h
            # the stencil errs by h^4 / 30 times the fifth derivative, and by rounding / h
            size = np.abs(value if order == 0 else first).max() + np.abs(central).max(initial=0.0)
            rough = np.abs(central) + 1e-4 * np.abs(jets[1][order] - jets[-1][order]) / h
            assert np.all(np.abs(found - central) <= 1e-6 * rough + 1e-9 * size)


def test_stable_draws_pass_index_one_smoothly():
    z = draws("sobol", STABLE, 16)
    at_one = {"alpha": 1.0, "beta": 0.7, "scale": 1.0, "loc": 0.0}
    value, first, second = in_double(_jet, STABLE, STABLE.theta(**at_one), z)
    middle = STABLE.theta(**at_one)[0]
    for gap in (-1e-4, -1e-9, 1e-9, 1e-4):
        theta = STABLE.theta(**{**at_one, "alpha": 1 + gap})
        step = theta[0] - middle
        near = in_double(_jet, STABLE, theta, z)
        taylor = value + step * first[..., 0] + 0.5 * step**2 * second[..., 0, 0]
        # the remainder is step^3 / 6 times a third derivative, of the order of draw x log(draw)^3
        np.testing.assert_allclose(near[0], taylor, rtol=1e-9, atol=1e-9)
        np.testing.assert_allclose(near[1][..., 0], first[..., 0] + step * second[..., 0, 0], rtol=1e-5, atol=1e-5)


EXTREMES = {
    "Gamma": (generators.Gamma(), {"a": (1e-3, 1e6), "scale": (1e-6, 1e6)}),
    "Weibull": (generators.Weibull(), {"c": (0.05, 1e3), "scale": (1e-6, 1e6)}),
    "StudentT": (generators.StudentT(), {"df": (0.06, 1e6), "loc": (0.0,), "scale": (1e-6, 1e6)}),
    "GAndK": (generators.GAndK(), {"a": (0.0,), "b": (1e-6, 1e6), "g": (-50.0, 50.0), "k": (-0.499, 10.0)}),
    "AlphaStable": (
        STABLE,
        {"alpha": (0.11, 0.5, 1.0, 1.9999), "beta": (-0.9999, 0.0, 0.9999), "scale": (1.0,), "loc": (0.0,)},
    ),
    "NormalMixture": (
        generators.NormalMixture(2),
        {
            "weight": ([1e-6, 1 - 1e-6], [0.3, 0.7]),
            "loc": ([0.0, 1e-9], [0.0, 1e6]),
            "scale": ([1e-3, 1e3], [1.0, 1.0]),
        },
    ),
    "MultivariateStudentT": (
        MVT,
        {"df": (0.2, 1e5), "loc": ([0.0, 0.0],), "scale": ([1e-3, 1e3],), "corr": ([-0.9999], [0.9999])},
    ),
}


@pytest.mark.parametrize(("generator", "ranges"), EXTREMES.values(), ids=EXTREMES)
def test_extremes_are_finite(generator, ranges):
    # the outermost Sobol points of a coordinate, and the middle
    ends = generator.law.quantile(np.array([2.0**-31, 0.5, 1 - 2.0**-31]))
    grid = np.array(list(itertools.product(ends, repeat=generator.latent_dim)))
    z = np.resize(grid, (16 if len(grid) <= 16 else 32, generator.latent_dim))
    for values in itertools.product(*ranges.values()):
        jet = in_double(_jet, generator, generator.theta(**dict(zip(ranges, values, strict=True))), z)
        assert all(np.all(np.isfinite(part)) for part in jet), values


# Names, fix, recipes.


def test_names():
    assert generators.StudentT().names == ["df", "loc", "scale"]
    assert generators.StudentT().name == "StudentT"
    assert generators.GAndK().free_names == ["a", "log b", "g", "log(k + 0.5)"]
    assert STABLE.free_names == ["logit alpha", "logit beta", "log scale", "loc"]
    mixture = generators.NormalMixture(2)
    assert mixture.names == ["weight_1", "weight_2", "loc_1", "loc_2", "scale_1", "scale_2"]
    assert mixture.free_names == ["log ratio weight_1", "loc_1", "log gap loc_2", "log scale_1", "log scale_2"]
    assert MVT.names == ["df", *MVT_GIVEN.names] == ["df", "loc_1", "loc_2", "scale_1", "scale_2", "corr_12"]
    assert (MVT.latent_dim, MVT.dim) == (3, 2)


@WITH_ALL
def test_a_fixed_family_is_the_family_at_the_fixed_value(generator, natural):
    z = draws("sobol", generator, 16)
    whole = simulate(generator, natural, z)
    name = next(iter(natural))
    rest = {other: value for other, value in natural.items() if other != name}
    fixed = generator.fix(**{name: natural[name]})
    np.testing.assert_allclose(simulate(fixed, rest, z), whole, rtol=EXACT, atol=EXACT)
    assert fixed.start(np.abs(whole), equal(16)).keys() == rest.keys()
    assert fixed.has_density == generator.has_density


@WITH_ALL
def test_recipe_and_make_are_inverse(generator, natural):
    for one in (generator, generator.fix(**dict([next(iter(natural.items()))]))):
        recipe = json.loads(json.dumps(generators.recipe(one)))
        rebuilt = generators.make(recipe["family"], **recipe["arguments"])
        rebuilt = rebuilt.fix(**recipe["fixed"]) if recipe["fixed"] else rebuilt
        assert rebuilt == one
        assert rebuilt.names == one.names
    hash(generator)


BAD = [
    (lambda: generators.NormalMixture(1), ValueError, "k: got 1; give an integer of at least 2"),
    (lambda: generators.NormalMixture(True), ValueError, "k: got True"),
    (lambda: generators.NormalMixture(2.0), ValueError, "k: got 2.0"),  # pyright: ignore[reportArgumentType]
    (lambda: generators.AlphaStable("A"), ValueError, "parameterization: 'A' is not known; give 'S0' or 'S1'"),
    (lambda: generators.MultivariateStudentT(1), ValueError, r"d: got 1; .*\(StudentT\(\) is the family for 1\)"),
    (lambda: generators.MultivariateStudentT(2, df=0), ValueError, "df: got 0"),
    (lambda: generators.MultivariateStudentT(2, df="3"), TypeError, "df: got '3'"),  # pyright: ignore[reportArgumentType]
    (
        lambda: generators.NormalMixture(2).theta(weight=[0.5, 0.5], loc=[1, 0], scale=[1, 1]),
        ValueError,
        r"loc: \[1.0, 0.0\] is not increasing; NormalMixture needs it to be increasing",
    ),
    (
        lambda: generators.GAndK().fix(k=-0.5),
        ValueError,
        r"k -0.5 is outside \(-0.5, inf\); GAndK needs it to be greater than -0.5",
    ),
    (
        lambda: generators.AlphaStable().fix(alpha=2),
        ValueError,
        r"alpha 2.0 is outside \(0.1, 2\); AlphaStable needs it inside \(0.1, 2\)",
    ),
]


@pytest.mark.parametrize(("call", "kind", "words"), BAD)
def test_bad_arguments(call, kind, words):
    with pytest.raises(kind, match=words):
        call()


# Starting values.


def ideal_sample(name, n=999):
    if name in SCALAR:
        return SCALAR[name][2].ppf((np.arange(n) + 0.5) / n)
    generator, natural = ALL[name]
    return simulate(generator, natural, draws("sobol", generator, 1024))


# How far, on the unconstrained scale, a start may lie from the truth: on clean data, and with a fifth of gross errors.
NEAR = {
    "Gamma": (0.02, 1.2),
    "Gamma, steep": (0.02, 1.6),
    "Weibull": (0.02, 0.9),
    "StudentT": (0.05, 1.8),
    "GAndK": (0.05, 2.5),
    "AlphaStable": (1.0, 2.5),
    "MultivariateStudentT": (0.9, 2.2),
    "MultivariateStudentT given": (0.1, 0.9),
}


@pytest.mark.parametrize("name", NEAR)
def test_start_on_clean_and_on_contaminated_data(name):
    generator, natural = ALL[name]
    x, (clean, dirty) = ideal_sample(name), NEAR[name]
    theta = generator.theta(**natural)
    start = generator.theta(**generator.start(x, equal(len(x))))
    np.testing.assert_allclose(start, theta, rtol=0, atol=clean)
    for side in (1,) if np.all(x > 0) else (1, -1):
        starts = []
        for far in (1e4, 1e8):
            contaminated = x.copy()
            contaminated[::5] = side * far
            starts.append(generator.theta(**generator.start(contaminated, equal(len(x)))))
        # where the errors lie does not matter once they are outermost
        np.testing.assert_allclose(starts[0], starts[1], rtol=1e-6)
        np.testing.assert_allclose(starts[0], theta, rtol=0, atol=dirty)


@WITH_ALL
def test_start_is_equivariant_and_blind_to_rows_of_weight_0(generator, natural):
    x = simulate(generator, natural, draws("iid", generator, 64))
    x = np.abs(x) if np.all(x > 0) else x
    start, scaled = generator.start(x, equal(64)), generator.start(4 * x, equal(64))
    shapes = {"a", "df", "c", "g", "k", "alpha", "beta", "weight", "corr"}
    for name, value in start.items():
        is_shape = name in shapes and not (generator.name == "GAndK" and name == "a")
        np.testing.assert_allclose(scaled[name], np.asarray(value) * (1 if is_shape else 4), rtol=1e-10)
    padded = generator.start(np.concatenate([x, x[:3] * 100]), np.concatenate([equal(64), np.zeros(3)]))
    for name, value in start.items():
        np.testing.assert_array_equal(padded[name], value)


@WITH_ALL
def test_poor_samples_start_or_are_refused(generator, natural):
    many_equal = np.concatenate([np.full(60, 0.0), np.linspace(1, 3, 40)])
    nearly_constant = np.concatenate([np.full(97, 0.0), [5.0, 6.0, 7.0]])
    if generator.dim > 1:
        many_equal, nearly_constant = (np.stack([x, x[::-1]], axis=1) for x in (many_equal, nearly_constant))
    assert np.all(np.isfinite(generator.theta(**generator.start(many_equal, equal(100)))))
    with pytest.raises(ValueError, match="data: the central 90 % of the sample are one value"):
        generator.start(nearly_constant, equal(100))


@pytest.mark.parametrize("name", ["Gamma", "Weibull"])
def test_negative_data_are_refused(name):
    with pytest.raises(ValueError, match=f"data: the smallest value is -0.5, but {name} lives on positive numbers"):
        SCALAR[name][0].start(np.array([1.0, -0.5, 2.0]), equal(3))


# Maximum likelihood estimates of the bundled data: weights, locations, scales.
BUNDLED = {
    "faithful": ([0.361, 0.639], [54.61, 80.09], [5.87, 5.87]),
    "galaxies 3": ([0.0854, 0.8781, 0.0366], [9.710, 21.400, 33.044], [0.4225, 2.1945, 0.9217]),
}


@pytest.mark.parametrize(("weight", "loc", "scale"), BUNDLED.values(), ids=BUNDLED)
def test_mixture_start_is_near_maximum_likelihood(weight, loc, scale):
    x = hg.datasets.load_faithful()["waiting"] if len(weight) == 2 else hg.datasets.load_galaxies() / 1000
    start = generators.NormalMixture(len(weight)).start(np.asarray(x, float), equal(len(x)))
    np.testing.assert_allclose(start["weight"], weight, atol=0.01)
    np.testing.assert_allclose(start["loc"], loc, rtol=0.01)
    # the penalty widens components of few points
    np.testing.assert_allclose(np.log(start["scale"] / scale), 0, atol=0.4)


def test_mixture_start_finds_components_of_a_long_sample_and_ignores_what_is_far():
    x = ideal_sample("NormalMixture", 1500)
    generator, natural, _ = SCALAR["NormalMixture"]
    theta = generator.theta(**natural)
    np.testing.assert_allclose(generator.theta(**generator.start(x, equal(1500))), theta, rtol=0, atol=0.2)
    contaminated = x.copy()
    contaminated[::5] = 1e4
    # the rest is the clean sample; in other units, EM stops after the same number of steps a little elsewhere
    start = generator.start(contaminated, equal(1500))
    np.testing.assert_allclose(generator.theta(**start), theta, rtol=0, atol=0.3)


def test_no_mixture_start_degenerates():
    # pairs of equal values are where the likelihood is unbounded
    x = np.repeat(np.random.default_rng(4).normal(size=30), 2)
    for k in (2, 3, 5):
        start = generators.NormalMixture(k).start(x, equal(60))
        assert np.min(start["scale"]) > 0.02 * np.std(x)
        assert np.min(start["weight"]) > 0


@pytest.mark.parametrize("held", [{}, {"scale": np.array([1.0, 2.0])}])
def test_components_of_a_mixture_are_simulated_on_their_own(held):
    """With weights whose mean is 1, and expectations that are those of the mixture."""
    natural = {"weight": np.array([0.3, 0.7]), "loc": np.array([0.0, 50.0]), "scale": np.array([1.0, 2.0])}
    mixture = generators.NormalMixture(2)
    parts = (mixture.fix(**held) if held else mixture).in_game
    theta = parts.theta(**{name: value for name, value in natural.items() if name not in held})
    u = latents.draw("sobol", parts.law, 2**12, parts.latent_dim, seed=1)[0]
    with jax.enable_x64(True):
        at = jnp.asarray(theta)
        x = np.asarray(jax.vmap(lambda draw: parts(at, draw))(u)[:, 0])
        weights = np.asarray(jax.vmap(lambda draw: parts.weight_at(at, draw))(u))
    assert np.mean(weights) == pytest.approx(1, abs=1e-12)
    assert np.mean(weights * x) == pytest.approx(35, abs=0.01)
    assert np.mean(weights * (x > 25)) == pytest.approx(0.7, abs=1e-12)
    assert np.mean(weights * (x - 35) ** 2) == pytest.approx(0.3 * (1 + 35**2) + 0.7 * (4 + 15**2), rel=1e-3)


def test_a_mixture_far_apart_starts_where_its_components_are():
    rng = np.random.default_rng(3)
    for gap in (40.0, 1000.0):
        x = np.where(rng.random(500) < 0.4, rng.normal(0, 1, 500), rng.normal(gap, 1, 500))
        start = generators.NormalMixture(2).start(x, equal(500))
        np.testing.assert_allclose(start["loc"], [0, gap], atol=0.5)
    # Contamination that is far off is no component where the others need all.
    x = np.concatenate([rng.normal(0, 1, 200), rng.normal(6, 1, 200), np.full(60, 300.0)])
    start = generators.NormalMixture(2).start(x, equal(460))
    np.testing.assert_allclose(start["loc"], [0, 6], atol=0.5)


def test_named_undoes_the_flat_vector():
    vector = np.arange(9.0)
    named = generators.NormalMixture(3).named(vector)
    assert {name: value.shape for name, value in named.items()} == {"weight": (3,), "loc": (3,), "scale": (3,)}
    np.testing.assert_array_equal(np.concatenate(list(named.values())), vector)
    assert generators.Normal().named(np.array([1.0, 2.0])) == {"loc": 1.0, "scale": 2.0}
