"""Generators: laws against scipy, robust and equivariant starts, the decorator, and what is refused."""

import json
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st
from tolerance import EXACT

import hellgan as hg
from hellgan import constraints, generators, latents, parameters

LOC_SCALE = {"loc": -2.0, "scale": 3.0}
FAMILIES = {
    "Normal": (generators.Normal(), LOC_SCALE, scipy.stats.norm(-2, 3)),
    "Laplace": (generators.Laplace(), LOC_SCALE, scipy.stats.laplace(-2, 3)),
    "Logistic": (generators.Logistic(), LOC_SCALE, scipy.stats.logistic(-2, 3)),
    "StudentT": (generators.StudentT(3), LOC_SCALE, scipy.stats.t(3, -2, 3)),
    "Cauchy": (generators.Cauchy(), LOC_SCALE, scipy.stats.cauchy(-2, 3)),
    "Uniform": (generators.Uniform(), LOC_SCALE, scipy.stats.uniform(-2, 3)),
    "Exponential": (generators.Exponential(), {"scale": 3.0}, scipy.stats.expon(scale=3)),
    "LogNormal": (generators.LogNormal(), {"s": 0.5, "scale": 3.0}, scipy.stats.lognorm(0.5, scale=3)),
}
EACH = pytest.mark.parametrize(("generator", "natural", "truth"), FAMILIES.values(), ids=FAMILIES)

MVN = generators.MultivariateNormal(3)
MVN_NATURAL = {"loc": [1.0, -2.0, 0.5], "scale": [2.0, 0.5, 1.0], "corr": [0.6, -0.3, 0.2]}
MVN_CORRELATION = np.array([[1, 0.6, -0.3], [0.6, 1, 0.2], [-0.3, 0.2, 1]])
MVN_COVARIANCE = MVN_CORRELATION * np.outer(MVN_NATURAL["scale"], MVN_NATURAL["scale"])
WITH_MVN = pytest.mark.parametrize(
    ("generator", "natural"),
    [*((g, natural) for g, natural, _ in FAMILIES.values()), (MVN, MVN_NATURAL)],
    ids=[*FAMILIES, "MultivariateNormal"],
)


@hg.generator(latent="uniform", loc=hg.real(), scale=hg.positive())
def gumbel(u, loc, scale):
    return loc - scale * jnp.log(-jnp.log(u))


# Compiled once a family and shape.


@jax.jit
def _simulate(generator, theta, z):
    return jax.vmap(lambda draw: generator(theta, draw))(z)


@jax.jit
def _slopes(generator, theta, z):
    return jax.vmap(lambda draw: jax.jacfwd(generator)(theta, draw))(z)


@jax.jit
def _natural_vector(generator, theta):
    return generator.natural_vector(theta)


@jax.jit
def _log_density(generator, natural, x):
    return jax.vmap(lambda row: generator.log_density(row, **natural))(x)


def in_double(function, *arguments):
    with jax.enable_x64(True):
        return np.asarray(function(*jax.tree.map(jnp.asarray, arguments)))


def simulate(generator, theta, z):
    return generator.squeezed(in_double(_simulate, generator, theta, z))


def log_density(generator, natural, x):
    natural = {name: np.asarray(value, np.float64) for name, value in natural.items()}
    return in_double(_log_density, generator, natural, x)


def draws(kind, generator, m):
    return latents.draw(kind, generator.law, m, generator.latent_dim, 8)[0]


def equal(n):
    return np.full(n, 1 / n)


def ideal_sample(truth, n=999):
    return truth.ppf((np.arange(n) + 0.5) / n)


# The laws.


@EACH
def test_a_sobol_sample_has_the_law(generator, natural, truth):
    m = 1024
    x = simulate(generator, generator.theta(**natural), draws("sobol", generator, m))
    # one point in each interval of probability 1/m: the Kolmogorov-Smirnov distance is at most 1/m
    assert scipy.stats.kstest(x, truth.cdf).statistic <= (1 + 1e-9) / m


@EACH
def test_an_independent_sample_has_the_law(generator, natural, truth):
    x = simulate(generator, generator.theta(**natural), draws("iid", generator, 1024))
    assert scipy.stats.kstest(x, truth.cdf).pvalue > 1e-6


@EACH
def test_log_density_against_scipy(generator, natural, truth):
    x = np.array([-100.0, -5.5, -2.1, -0.5, 0.5, 0.9, 1.1, 4.0, 100.0])
    np.testing.assert_allclose(log_density(generator, natural, x), truth.logpdf(x), rtol=1e-12)
    assert generator.has_density


def test_multivariate_normal_is_affine_with_the_right_covariance():
    theta = MVN.theta(**MVN_NATURAL)
    x = simulate(MVN, theta, np.concatenate([np.zeros((1, 3)), np.eye(3)]))
    np.testing.assert_allclose(x[0], MVN_NATURAL["loc"], rtol=EXACT)
    columns = (x[1:] - x[0]).T
    np.testing.assert_allclose(columns @ columns.T, MVN_COVARIANCE, rtol=EXACT, atol=EXACT)
    assert MVN.law is latents.normal
    assert (MVN.latent_dim, MVN.dim, MVN.size) == (3, 3, 9)


def test_multivariate_normal_density_against_scipy():
    x = np.random.default_rng(1).normal(size=(9, 3)) * 3
    truth = scipy.stats.multivariate_normal(MVN_NATURAL["loc"], MVN_COVARIANCE)  # pyright: ignore[reportArgumentType]
    np.testing.assert_allclose(log_density(MVN, MVN_NATURAL, x), truth.logpdf(x), rtol=1e-12)


@WITH_MVN
def test_derivatives_of_a_draw(generator, natural):
    # they are all that the estimator knows of the generator
    theta = generator.theta(**natural)
    z = draws("sobol", generator, 16)
    slopes = in_double(_slopes, generator, theta, z)
    h = 1e-6
    for k, step in enumerate(h * np.eye(theta.size)):
        central = (simulate(generator, theta + step, z) - simulate(generator, theta - step, z)) / (2 * h)
        # errs by h^2 and by rounding / h, relative to the size of x
        np.testing.assert_allclose(generator.squeezed(slopes[..., k]), central, rtol=1e-8, atol=1e-8)


# Parameters.


def test_theta_by_hand():
    np.testing.assert_allclose(generators.StudentT(3).theta(scale=3.0, loc=-2.0), [-2, np.log(3)], rtol=EXACT)
    np.testing.assert_allclose(generators.LogNormal().theta(s=2, scale=5), np.log([2, 5]), rtol=EXACT)
    # corr = .6 is the Cholesky row (.75, 1) * 4/5
    theta = generators.MultivariateNormal(2).theta(loc=[1, 2], scale=[3, 4], corr=[0.6])
    np.testing.assert_allclose(theta, [1, 2, np.log(3), np.log(4), 0.75], rtol=EXACT)


@WITH_MVN
@settings(max_examples=10, deadline=None)
@given(data=st.data())
def test_theta_natural_theta(generator, natural, data):
    size = generator.size
    theta = np.array(data.draw(st.lists(st.floats(-3, 3), min_size=size, max_size=size)))
    vector = in_double(_natural_vector, generator, theta)
    assert vector.shape == (len(generator.names),) == (len(generator.element_spaces),)
    named, at = {}, 0
    for name, space in generator.parameters.items():
        named[name] = vector[at : at + space.natural_size].reshape(space.shape)
        at += space.natural_size
    # inverting a Cholesky factor of three correlations amplifies rounding up to a hundredfold
    np.testing.assert_allclose(generator.theta(**named), theta, rtol=0, atol=1e-11)


def test_names():
    expected = {
        "Exponential": (["scale"], ["log scale"]),
        "LogNormal": (["s", "scale"], ["log s", "log scale"]),
    }
    for name, (generator, natural, _) in FAMILIES.items():
        names, free_names = expected.get(name, (["loc", "scale"], ["loc", "log scale"]))
        assert (generator.names, generator.free_names) == (names, free_names)
        assert list(generator.parameters) == list(natural)
        assert generator.name == name
        assert (generator.dim, generator.latent_dim, generator.size) == (1, 1, len(names))
    mvn = generators.MultivariateNormal(2)
    assert mvn.names == ["loc_1", "loc_2", "scale_1", "scale_2", "corr_12"]
    assert mvn.free_names == ["loc_1", "loc_2", "log scale_1", "log scale_2", "free corr_12"]
    assert [space.kind for space in mvn.element_spaces] == ["real"] * 2 + ["positive"] * 2 + ["correlation"]


BAD_THETA = [
    ({"loc": 0.0}, "Normal: scale is missing; its parameters are loc, scale"),
    ({"loc": 0.0, "scale": 1.0, "df": 3.0}, "Normal: df is not a parameter"),
    ({"loc": 0.0, "scale": 0.0}, r"scale: 0.0 is outside \(0, inf\); Normal needs it to be positive"),
    ({"loc": np.nan, "scale": 1.0}, "loc: is not finite; Normal needs it to be a finite number"),
    ({"loc": "a", "scale": 1.0}, "loc: 'a' is not numeric"),
    ({"loc": [0.0], "scale": 1.0}, r"loc: has shape \(1,\)"),
]


@pytest.mark.parametrize(("natural", "words"), BAD_THETA)
def test_bad_natural_values(natural, words):
    with pytest.raises(ValueError, match=words):
        generators.Normal().theta(**natural)


def test_natural_values_that_are_no_correlations():
    with pytest.raises(ValueError, match="corr: is not a positive definite correlation matrix; MultivariateNormal"):
        MVN.theta(**{**MVN_NATURAL, "corr": [0.9, 0.9, -0.9]})


# fix.


@WITH_MVN
def test_a_fixed_family_is_the_family_at_the_fixed_value(generator, natural):
    z = draws("sobol", generator, 16)
    whole = simulate(generator, generator.theta(**natural), z)
    for name in natural if len(natural) > 1 else ():
        fixed = generator.fix(**{name: natural[name]})
        rest = {other: value for other, value in natural.items() if other != name}
        assert list(fixed.parameters) == list(rest)
        assert (fixed.name, fixed.law, fixed.dim) == (generator.name, generator.law, generator.dim)
        assert fixed.latent_dim == generator.latent_dim
        np.testing.assert_allclose(simulate(fixed, fixed.theta(**rest), z), whole, rtol=EXACT, atol=EXACT)
        assert fixed.has_density
        np.testing.assert_allclose(log_density(fixed, rest, whole), log_density(generator, natural, whole), rtol=EXACT)
        assert fixed.start(np.abs(whole), equal(16)).keys() == rest.keys()


def test_fixing_twice_is_fixing_once():
    once, twice = MVN.fix(loc=[0, 0, 0], corr=[0, 0, 0.5]), MVN.fix(loc=[0, 0, 0]).fix(corr=[0, 0, 0.5])
    assert once == twice
    assert generators.recipe(once) == generators.recipe(twice)
    assert twice.names == ["scale_1", "scale_2", "scale_3"]
    assert not gumbel.has_density
    assert not gumbel.fix(loc=0.0).has_density
    assert gumbel.fix(loc=0.0).start(np.arange(9.0), equal(9)) is None


BAD_FIX = [
    (lambda: generators.Normal().fix(df=3), "Normal: df is not a parameter"),
    (
        lambda: generators.Normal().fix(scale=-1),
        r"fix: scale -1.0 is outside \(0, inf\); Normal needs it to be positive",
    ),
    (lambda: generators.Normal().fix(loc=0, scale=1), "fix: every parameter is fixed"),
    (lambda: generators.Normal().fix(loc=0).fix(scale=1), "fix: every parameter is fixed"),
    (lambda: generators.Normal().fix(loc=0).fix(loc=1), "Normal: loc is not a parameter"),
    (lambda: MVN.fix(loc=1.0), r"fix: loc has shape \(\); the shape is \(3,\)"),
]


@pytest.mark.parametrize(("call", "words"), BAD_FIX)
def test_bad_fixed_values(call, words):
    with pytest.raises(ValueError, match=words):
        call()


def test_a_family_without_density_says_so():
    with pytest.raises(TypeError, match="gumbel has no density in closed form"), jax.enable_x64(True):
        gumbel.log_density(jnp.asarray(0.0), loc=jnp.asarray(0.0), scale=jnp.asarray(1.0))


# Starting values.


@EACH
def test_start_is_near_the_truth_on_clean_data(generator, natural, truth):
    # quantiles of a sample of n ideal points err by less than a spacing
    start = generator.start(ideal_sample(truth), equal(999))
    assert start.keys() == natural.keys()
    for name, value in natural.items():
        assert start[name] == pytest.approx(value, rel=0.01)


@EACH
def test_start_resists_a_fifth_of_gross_errors(generator, natural, truth):
    x = ideal_sample(truth)
    for side in (1, -1) if "loc" in natural else (1,):
        starts = []
        for far in (1e3, 1e12):
            contaminated = x.copy()
            contaminated[::5] = side * far
            starts.append(generator.start(contaminated, equal(999)))
        for name, value in natural.items():
            # where the errors lie does not matter once they are outermost
            assert starts[0][name] == pytest.approx(starts[1][name], rel=EXACT)
            shift = (starts[0][name] - value) / 3 if name == "loc" else np.log(starts[0][name] / value)
            # the median moves to the quantile of level .625; the spread grows most for Cauchy's
            assert abs(shift) < 0.6


@EACH
def test_start_is_equivariant(generator, natural, truth):
    x = truth.rvs(61, random_state=5)
    start, scaled = generator.start(x, equal(61)), generator.start(4.5 * x, equal(61))
    for name, value in start.items():
        assert scaled[name] == pytest.approx(value * (1 if name == "s" else 4.5), rel=EXACT)
    # powers of two do not round
    doubled = generator.start(2.0 * x, equal(61))
    if "loc" in start:
        assert (doubled["loc"], doubled["scale"]) == (2 * start["loc"], 2 * start["scale"])
        moved = generator.start(100 + 4.5 * x, equal(61))
        assert moved["loc"] == pytest.approx(100 + 4.5 * start["loc"], rel=EXACT)
        # of a spread of 10 beside 100, rounding takes another digit
        assert moved["scale"] == pytest.approx(4.5 * start["scale"], rel=10 * EXACT)


def test_multivariate_start():
    z = latents.draw("sobol", latents.normal, 1024, 3, 2)[0]
    x = simulate(MVN, MVN.theta(**MVN_NATURAL), z)
    start = MVN.start(x, equal(1024))
    # medians and MADs of 1,024 Sobol points; their standard errors were .04 to .06 if the points were independent
    np.testing.assert_allclose(start["loc"], MVN_NATURAL["loc"], atol=0.05)
    np.testing.assert_allclose(start["scale"], MVN_NATURAL["scale"], rtol=0.03)
    np.testing.assert_allclose(start["corr"], MVN_NATURAL["corr"], atol=0.05)
    # equivariant by column, and under reflection
    moved = MVN.start(x * [2.0, -3.0, 0.1] + [5.0, 0.0, -1.0], equal(1024))
    np.testing.assert_allclose(moved["loc"], start["loc"] * [2.0, -3.0, 0.1] + [5.0, 0.0, -1.0], rtol=1e-11)
    np.testing.assert_allclose(moved["scale"], start["scale"] * [2.0, 3.0, 0.1], rtol=1e-11)
    np.testing.assert_allclose(moved["corr"], start["corr"] * [-1, 1, -1], rtol=0, atol=1e-11)
    # a fifth of gross errors moves it by a bounded amount, wherever they lie
    starts = []
    for far in (1e3, 1e9):
        contaminated = x.copy()
        contaminated[::5] = [far, -far, far]
        starts.append(MVN.start(contaminated, equal(1024)))
        MVN.theta(**starts[-1])
    for name in start:
        np.testing.assert_allclose(starts[0][name], starts[1][name], rtol=1e-6)
    assert np.max(np.abs(starts[0]["loc"] - start["loc"]) / start["scale"]) < 0.5
    assert np.max(np.abs(np.log(starts[0]["scale"] / start["scale"]))) < 0.7


def test_start_of_nearly_collinear_columns_is_a_correlation_matrix():
    t = ideal_sample(scipy.stats.norm(), 101)
    x = np.stack([t, t + 1e-3 * np.sin(np.arange(101)), -t + 1e-3 * np.cos(np.arange(101))], axis=1)
    start = MVN.start(x, equal(101))
    assert MVN.parameters["corr"].problem(start["corr"]) is None
    assert np.all(np.array(start["corr"]) * [1, -1, -1] > 0.85)


def test_contradictory_pairs_still_make_a_correlation_matrix():
    # two thirds of the rows have x1 = x2, two thirds x1 = x3, two thirds x2 = -x3
    t = np.random.default_rng(1).normal(size=(99, 1))
    x = t * np.repeat([[1, 1, 1], [1, 1, -1], [1, -1, 1]], 33, axis=0)
    x += 0.1 * np.random.default_rng(2).normal(size=(99, 3))
    start = MVN.start(x, equal(99))
    assert MVN.parameters["corr"].problem(start["corr"]) is None


def test_more_than_half_equal_rows_still_start():
    x = np.concatenate([np.tile([1.0, 2.0, 3.0], (60, 1)), np.random.default_rng(3).normal(size=(40, 3))])
    start = MVN.start(x, equal(100))
    MVN.theta(**start)
    np.testing.assert_array_equal(start["loc"], [1.0, 2.0, 3.0])
    heavy = hg.generators.MultivariateStudentT(3)
    assert np.all(np.isfinite(heavy.theta(**heavy.start(x, equal(100)))))


@EACH
def test_more_than_half_equal_values_still_start(generator, natural, truth):
    x = np.concatenate([np.full(60, 0.0), np.linspace(1, 3, 40)])
    theta = generator.theta(**generator.start(x, equal(100)))
    assert np.all(np.isfinite(theta))


@EACH
def test_nearly_constant_data_are_refused(generator, natural, truth):
    x = np.concatenate([np.full(97, 0.0), [5.0, 6.0, 7.0]])
    with pytest.raises(ValueError, match="data: the central 90 % of the sample are one value"):
        generator.start(x, equal(100))


@pytest.mark.parametrize("name", ["Exponential", "LogNormal"])
def test_negative_data_are_refused(name):
    with pytest.raises(ValueError, match=f"data: the smallest value is -0.5, but {name} lives on positive numbers"):
        FAMILIES[name][0].start(np.array([1.0, -0.5, 2.0]), equal(3))
    FAMILIES[name][0].start(np.array([1.0, 0.0, 2.0]), equal(3))


@WITH_MVN
def test_zero_weight_rows_do_not_move_the_start(generator, natural):
    x = np.abs(simulate(generator, generator.theta(**natural), draws("iid", generator, 40)))
    more = np.concatenate([x, np.full((3, *x.shape[1:]), 1e3)])
    for weights in (equal(40), np.arange(1, 41) / 820):
        start = generator.start(x, weights)
        padded = generator.start(more, np.concatenate([weights, np.zeros(3)]))
        for name in start:
            np.testing.assert_array_equal(start[name], padded[name])


# The decorator.


def test_a_simulator_has_the_law_of_its_function():
    theta = gumbel.theta(loc=-2.0, scale=3.0)
    x = simulate(gumbel, theta, draws("sobol", gumbel, 1024))
    assert scipy.stats.kstest(x, scipy.stats.gumbel_r(-2, 3).cdf).statistic <= (1 + 1e-9) / 1024
    assert (gumbel.name, gumbel.names, gumbel.free_names) == ("gumbel", ["loc", "scale"], ["loc", "log scale"])
    assert (gumbel.dim, gumbel.latent_dim, gumbel.law) == (1, 1, latents.uniform)
    assert gumbel.start(np.arange(9.0), equal(9)) is None


def test_simplex_and_interval_parameters_vectors_in_and_out():
    @hg.generator(latent_dim=2, w=hg.simplex(3), rho=hg.interval(-1, 1), b=hg.real(shape=(2,)))
    def model(z, w, rho, b):
        return jnp.stack([b[0] + z[0], b[1] + rho * z[0] + z[1], w @ jnp.array([1.0, 10.0, 100.0])])

    assert (model.dim, model.latent_dim, model.size, model.law) == (3, 2, 5, latents.normal)
    assert model.names == ["w_1", "w_2", "w_3", "rho", "b_1", "b_2"]
    assert model.free_names == ["log ratio w_1", "log ratio w_2", "logit rho", "b_1", "b_2"]
    theta = model.theta(w=[0.2, 0.3, 0.5], rho=0.5, b=[7.0, 8.0])
    np.testing.assert_allclose(theta, [np.log(0.4), np.log(0.6), np.log(3), 7, 8], rtol=EXACT)
    # 8 + .5 * 2 + 3 and .2 + 3 + 50
    np.testing.assert_allclose(simulate(model, theta, np.array([[2.0, 3.0]])), [[9.0, 12.0, 53.2]], rtol=EXACT)


def test_parameters_may_be_called_like_the_latent_draw_of_others():
    @hg.generator(latent="uniform", z=hg.real())
    def shifted(u, z):
        return u + z

    x = simulate(shifted, np.array([2.0]), np.array([[0.25]]))
    np.testing.assert_array_equal(x, [2.25])
    two = hg.generator(z=hg.real(), scale=hg.positive())(lambda u, z, scale: z + scale * u).fix(scale=3.0)
    np.testing.assert_allclose(simulate(two, np.array([2.0]), np.array([[0.25]])), [2.75], rtol=EXACT)


def test_keyword_only_and_collecting_functions_pass():
    assert hg.generator(loc=hg.real())(lambda z, *, loc: z + loc).dim == 1
    assert hg.generator(loc=hg.real())(lambda z, **named: z + named["loc"]).dim == 1
    assert hg.generator(loc=hg.real())(lambda z, loc: [z, loc]).dim == 2


def silent(z, loc):
    raise AssertionError


def decorated(function, **parameters):
    return hg.generator(**(parameters or {"loc": hg.real()}))(function)


BAD_SIMULATORS = [
    (lambda: hg.generator(), ValueError, "generator: no parameters; name at least one"),
    (lambda: hg.generator(loc=hg.real), TypeError, "loc: got <function real"),  # pyright: ignore[reportArgumentType]
    (lambda: hg.generator(loc=0.0), TypeError, "loc: got 0.0; give hg.real()"),  # pyright: ignore[reportArgumentType]
    (lambda: hg.generator(latent="cauchy", loc=hg.real()), ValueError, "latent: 'cauchy' is not a latent law"),
    (lambda: hg.generator(latent=["normal"], loc=hg.real()), ValueError, "latent"),  # pyright: ignore[reportArgumentType]
    (lambda: hg.generator(latent_dim=0, loc=hg.real()), ValueError, "latent_dim: got 0; give a positive integer"),
    (lambda: hg.generator(latent_dim=2.0, loc=hg.real()), ValueError, "latent_dim: got 2.0"),  # pyright: ignore[reportArgumentType]
    (lambda: hg.generator(latent_dim=True, loc=hg.real()), ValueError, "latent_dim: got True"),
    (lambda: decorated(3), TypeError, "generator: got 3; decorate a function"),
    (lambda: decorated(lambda z, mu: z + mu), ValueError, r"takes \['mu'\] .* names \['loc'\]"),
    (lambda: decorated(lambda z: z), ValueError, r"takes \[\] .* names \['loc'\]"),
    (lambda: decorated(lambda z, loc, scale: z), ValueError, "the two must agree"),
    (lambda: decorated(lambda: 1.0), ValueError, "the two must agree"),
    (lambda: decorated(min), ValueError, "generator: the function fails on one latent draw"),
    (lambda: decorated(lambda z, loc: np.log(z) + loc), ValueError, "a function of NumPy, SciPy or math, .*jax.numpy"),
    (lambda: decorated(lambda z, loc: float(z) + loc), ValueError, "or to float or int, .* use those of jax.numpy"),
    (lambda: decorated(lambda z, loc: math.exp(loc) + z), ValueError, "a function of NumPy, SciPy or math"),
    (lambda: decorated(lambda z, loc: scipy.stats.norm.ppf(z, loc)), ValueError, "a function of NumPy, SciPy or math"),
    (lambda: decorated(lambda z, loc: z if z > 0 else loc), ValueError, "decides by a value, as if.*jnp.where"),
    (lambda: decorated(lambda z, loc: max(z, loc)), ValueError, "decides by a value, as .*max.*jnp.maximum"),
    (lambda: decorated(lambda z, loc: lok + z), ValueError, "NameError: name 'lok' is not defined; write it"),  # pyright: ignore[reportUndefinedVariable]
    (lambda: decorated(lambda z, loc: {"x": z + loc}), ValueError, r"returns \{'x': .*; return a number or a vector"),
    (lambda: decorated(lambda z, loc: z[0] + loc), ValueError, "fails on one latent draw.* give latent_dim="),
    (lambda: decorated(lambda z, loc: None), ValueError, "the function returns nothing; end it with return"),
    (lambda: decorated(silent), ValueError, r"fails on one latent draw: AssertionError; write it"),
    (lambda: decorated(lambda z, loc: z + loc * jnp.eye(2)), ValueError, r"returns shape \(2, 2\)"),
    (lambda: decorated(lambda z, loc: jnp.zeros(0)), ValueError, r"returns shape \(0,\)"),
    (lambda: decorated(lambda z, loc: jnp.int32(z + loc)), ValueError, "returns int32; return floating-point numbers"),
    (lambda: decorated(lambda z, loc: z > loc), ValueError, "returns bool"),
]


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize(("call", "kind", "words"), BAD_SIMULATORS)
def test_bad_simulators(call, kind, words):
    with pytest.raises(kind, match=words) as caught:
        call()
    assert "\n" not in str(caught.value)


BAD_FAMILIES = [
    (lambda: generators.StudentT("5"), TypeError, "df: got '5'"),  # pyright: ignore[reportArgumentType]
    (lambda: generators.StudentT(True), TypeError, "df: got True"),
    (lambda: generators.StudentT(0), ValueError, "df: got 0"),
    (lambda: generators.StudentT(-1.5), ValueError, "df: got -1.5"),
    (lambda: generators.StudentT(np.inf), ValueError, "df: got inf"),
    (lambda: generators.StudentT(np.nan), ValueError, "df: got nan"),
    (lambda: generators.MultivariateNormal(1), ValueError, "d: got 1"),
    (lambda: generators.MultivariateNormal(2.0), ValueError, "d: got 2.0"),  # pyright: ignore[reportArgumentType]
    (lambda: generators.MultivariateNormal(True), ValueError, "d: got True"),
    (lambda: generators.make("gaussian"), ValueError, "generator: 'gaussian' is not known; give one of Normal, "),
]


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize(("call", "kind", "words"), BAD_FAMILIES)
def test_bad_families(call, kind, words):
    with pytest.raises(kind, match=words):
        call()


# Recipes, equality, compilation.


RECIPES = [*(g for g, _, _ in FAMILIES.values()), MVN, MVN.fix(corr=[0, 0, 0.5]), generators.Normal().fix(loc=0)]


@pytest.mark.parametrize("generator", RECIPES, ids=lambda g: "-".join([g.name, *g.names]))
def test_recipe_and_make_are_inverse(generator):
    recipe = json.loads(json.dumps(generators.recipe(generator)))
    rebuilt = generators.make(recipe["family"], **recipe["arguments"])
    rebuilt = rebuilt.fix(**recipe["fixed"]) if recipe["fixed"] else rebuilt
    assert rebuilt == generator
    assert type(rebuilt) is type(generator)


def test_recipes_of_functions_there_are_none():
    assert generators.recipe(gumbel) is None
    assert generators.recipe(gumbel.fix(loc=0.0)) is None


def test_families_by_name():
    others = {"Gamma", "Weibull", "GAndK", "AlphaStable", "NormalMixture", "MultivariateStudentT", "LinearRegression"}
    assert set(generators.names()) == {*FAMILIES, "MultivariateNormal", *others}
    assert generators.make("normal") == generators.Normal()
    assert generators.make("student_t", df=5) == generators.StudentT(5)
    assert generators.make("MULTIVARIATE_NORMAL", d=2) == generators.MultivariateNormal(2)


def test_equal_families_compare_and_hash_equal():
    for make in (generators.Normal, generators.Exponential, lambda: generators.MultivariateNormal(2)):
        assert make() == make()
        assert hash(make()) == hash(make())
    assert generators.StudentT(5) == generators.StudentT(5.0) == generators.StudentT(np.float64(5))
    assert hash(generators.StudentT(5)) == hash(generators.StudentT(5.0))
    different = [generators.Normal(), generators.Laplace(), generators.StudentT(5), generators.StudentT(6)]
    different += [generators.MultivariateNormal(2), generators.MultivariateNormal(3)]
    assert len(set(different)) == 6
    assert generators.Normal().fix(loc=0) == generators.Normal().fix(loc=0.0)
    assert generators.Normal().fix(loc=0) != generators.Normal().fix(loc=1)


def test_fresh_families_trace_once():
    traces = []

    @jax.jit
    def draw(generator, theta, z):
        traces.append(generator)
        return generator(theta, z)

    theta, z = jnp.zeros(2), jnp.full(1, 0.5, jnp.float32)
    for make in (generators.Normal, lambda: generators.StudentT(5), lambda: generators.StudentT(5.0)):
        draw(make(), theta, z)
        draw(make(), theta, z)
    assert len(traces) == 2
    # fixed values are arguments, not constants
    for loc in (0.0, 1.0, 2.0):
        assert draw(generators.Normal().fix(loc=loc), theta[:1], z) == loc + 0.5
    assert len(traces) == 3


def test_constraints_are_exported():
    assert (hg.real, hg.positive) == (constraints.real, constraints.positive)
    assert (hg.interval, hg.simplex) == (constraints.interval, constraints.simplex)
    assert hg.generator is generators.generator


def test_names_of_elements_are_one_each():
    """A vector called alpha has an alpha_1, and so has the discriminator; a vector a has an a_1."""

    def bent(z, alpha, s):
        return alpha[0] + 0.1 * jnp.tanh(alpha[1]) * z**2 + s * z

    model = hg.GAN(np.random.default_rng(0).normal(5, 2, 200), hg.generator(alpha=hg.real((2,)), s=hg.positive())(bent))
    of = model.equations()
    assert of.joint_names[:5] == ["alpha_1", "alpha_2", "s", "nuisance_alpha_0", "nuisance_alpha_1"]
    assert len(set(of.joint_names)) == len(of.joint_names)
    assert len(set(of.names)) == len(of.names)
    plain = hg.GAN(model.x, hg.generators.Normal()).equations()
    assert plain.joint_names[:3] == ["loc", "scale", "alpha_0"]
    with pytest.raises(ValueError, match="a_1 is also the name of an element of a; rename one"):
        hg.generator(a=hg.real((2,)), a_1=hg.real())(lambda z, a, a_1: a[0] + a_1 * z + a[1])
    with pytest.raises(ValueError, match="b_2 is also the name of an element of b_2"):
        parameters.Parameters(b_2=hg.real(), b=hg.real((2,)))
