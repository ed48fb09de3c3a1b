"""The front door: what it refuses, in which words, and what it accepts."""

import re
import traceback
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest
from compiled import compilations

import hellgan as hg
from hellgan.discriminators.features import ProjectedSigmoids
from hellgan.objective import evaluation
from hellgan.objective.assembly import padded_size
from hellgan.solver import compiled

PACKAGE = Path(hg.__file__).parent
NEWCOMB, STARS = hg.datasets.load_newcomb(), hg.datasets.load_stars_cyg()
N = len(NEWCOMB)
NORMAL, BIVARIATE = hg.generators.Normal(), hg.generators.MultivariateNormal(2)


def refusal(call):
    """Give the message of a refusal, having checked that it is one: one sentence, raised by hellgan itself."""
    with pytest.raises((ValueError, TypeError)) as caught:
        call()
    message = str(caught.value)
    assert type(caught.value) in (ValueError, TypeError), "a subclass comes from elsewhere"
    where = traceback.extract_tb(caught.tb)[-1].filename
    assert Path(where).is_relative_to(PACKAGE), where
    assert "\n" not in message
    assert message.endswith(".")
    assert not re.search(r"[.!?]\s", message.replace("...", "")), f"more than one sentence: {message}"
    return message


def model(data: Any = NEWCOMB, generator: hg.generators.Generator = NORMAL, *args, **kwargs):
    return hg.GAN(data, generator, *args, **kwargs)


def with_value(value, at=3):
    x = NEWCOMB.copy()
    x[at] = value
    return x


def masked(values):
    return np.ma.masked_equal(values, values[3])


def nullable(frame=False):
    column = pd.array([1.5, 2.5, None, 4.0, 5.0, 6.5, 7.0], dtype="Float64")
    return pd.DataFrame({"a": column, "b": np.arange(7.0) ** 2}) if frame else pd.Series(column)


def far_behind():
    """Hold text in an object array where a look at the first hundred values does not find it."""
    return np.array([*range(150), "5"], object)


BAD_DATA = {
    "NaN": (with_value(np.nan), NORMAL, "1 of 66 observations is NaN or infinite"),
    "infinity": (with_value(-np.inf), NORMAL, "1 of 66 observations is NaN or infinite"),
    "NaN in one column of two": (STARS.mask(STARS > 6), BIVARIATE, "observations are NaN"),
    "empty list": ([], NORMAL, "0 observations"),
    "empty frame": (pd.DataFrame(), NORMAL, r"shape \(0, 0\)"),
    "frame without rows": (pd.DataFrame({"a": []}), NORMAL, "0 observations"),
    "one point": ([1.0], NORMAL, "1 observations"),
    "no more points than parameters": ([1.0, 2.0], NORMAL, "2 observations for 2 parameters"),
    "three points for five parameters": (STARS[:3], BIVARIATE, "3 observations for 5 parameters"),
    "number": (1.0, NORMAL, r"shape \(\)"),
    "None": (None, NORMAL, r"shape \(\)"),
    "two values": (np.tile([0.0, 1.0], 50), NORMAL, "only 2 different values, which cannot tell 2 parameters apart"),
    "constant": (np.ones(20), NORMAL, "all observations are equal;"),
    "constant column": (np.c_[NEWCOMB, np.ones(N)], BIVARIATE, "equal in column 1;"),
    "constant named column": (STARS.assign(log_te=1.0), BIVARIATE, "equal in column log_te;"),
    "nearly constant": (np.r_[np.ones(60), 2.0, 3.0], NORMAL, "the central 90 % of the sample are one value"),
    "collinear columns": (np.c_[NEWCOMB, 2 * NEWCOMB + 1], BIVARIATE, "collinear"),
    "strings": (["a", "b", "c"], NORMAL, "text such as 'a'"),
    "numbers as strings": (["1", "2", "3", "4"], NORMAL, "text such as '1'"),
    "bytes": (np.array([b"1", b"2", b"5"]), NORMAL, "text"),
    "text far behind": (far_behind(), NORMAL, "text such as '5'"),
    "one string": ("hello", NORMAL, "text such as 'hello'"),
    "text column": (STARS.assign(log_te="hot"), BIVARIATE, "text such as 'hot'"),
    "categories": (pd.Series(list("abcab"), dtype="category"), NORMAL, "text such as 'a'"),
    "complex": (NEWCOMB + 1j, NORMAL, "complex128"),
    "dates": (pd.date_range("2020", periods=9), NORMAL, "datetime64"),
    "durations": (np.arange(9).astype("m8[s]"), NORMAL, "timedelta64"),
    "records": (np.zeros(9, [("a", float), ("b", float)]), NORMAL, "not numeric"),
    "objects": (np.array([{}, 2.0, 3.0, 4.0], object), NORMAL, "not numeric"),
    "dict": ({"a": 1}, NORMAL, "not numeric"),
    "iterator": (iter([1.0, 2.0, 3.0]), NORMAL, "not numeric"),
    "ragged": ([[1.0, 2.0], [3.0]], NORMAL, "not numeric"),
    "None among objects": (
        np.array([1.0, None, 2.0, 4.0, 7.0], object),
        NORMAL,
        "1 of 5 observations is NaN|not numeric",
    ),
    "masked": (masked(NEWCOMB), NORMAL, "masked"),
    "pd.NA": (nullable(), NORMAL, "1 of 7 observations is NaN|not numeric"),
    "pd.NA in a frame": (nullable(frame=True), BIVARIATE, "1 of 7 observations is NaN|not numeric"),
    "one column for two dimensions": (
        NEWCOMB,
        BIVARIATE,
        r"shape \(66,\); MultivariateNormal draws 2 .* needs shape \(n, 2\)",
    ),
    "two columns for one dimension": (STARS, NORMAL, r"shape \(47, 2\); Normal needs shape \(n,\)"),
    "three columns for two dimensions": (np.eye(9)[:, :3], BIVARIATE, r"shape \(9, 3\)"),
    "one row": (NEWCOMB[None], NORMAL, r"shape \(1, 66\)"),
    "three axes": (np.zeros((4, 2, 2)), BIVARIATE, r"shape \(4, 2, 2\)"),
    "too large to square": (with_value(1e200), NORMAL, r"1e\+150"),
    "range beyond double precision": (with_value(1.7e308), NORMAL, r"1e\+150"),
    "negative for Exponential": (NEWCOMB, hg.generators.Exponential(), "the smallest value is -44, but Exponential"),
    "negative for LogNormal": (
        NEWCOMB,
        hg.generators.LogNormal().fix(s=1.0),
        "the smallest value is -44, but LogNormal",
    ),
}


@pytest.mark.parametrize(("data", "generator", "said"), BAD_DATA.values(), ids=BAD_DATA)
def test_refuses_data(data, generator, said):
    message = refusal(lambda: model(data, generator))
    assert message.startswith("data:")
    assert re.search(said, message)


def cosine(v):
    return jnp.cos(v)


def logarithm(v):
    return jnp.log(v)


def in_numpy(v):
    return -np.exp(-v)


def of_two_arguments(v, w):
    return v + w


def pair(v):
    return jnp.stack([v, v])


def nothing(v):
    return None


def log_feature(x):
    return jnp.stack([x, jnp.log(x)])


def bare_function(z, loc):
    return loc + z


D = hg.discriminators
BAD_ARGUMENTS = {
    "n_simulated: zero": (dict(n_simulated=0), ValueError, "got 0"),
    "n_simulated: negative": (dict(n_simulated=-3), ValueError, "got -3"),
    "n_simulated: one": (dict(n_simulated=1), ValueError, "got 1"),
    "n_simulated: True": (dict(n_simulated=True), TypeError, "got True"),
    "n_simulated: no whole number": (dict(n_simulated=2.5), TypeError, "got 2.5"),
    "n_simulated: text": (dict(n_simulated="1024"), TypeError, "got '1024'"),
    "latent: unknown": (dict(latent="halton"), ValueError, "'halton' is not known; give 'sobol' or 'iid'"),
    "latent: None": (dict(latent=None), ValueError, "None is not known"),
    "latent: list": (dict(latent=["sobol"]), ValueError, "is not known"),
    "latent: number": (dict(latent=1), ValueError, "1 is not known"),
    "loss: unknown": (dict(loss="wasserstein"), ValueError, "'wasserstein' is not known; give one of log, "),
    "loss: None": (dict(loss=None), TypeError, "NoneType"),
    "loss: number": (dict(loss=3), TypeError, "int"),
    "loss: function": (dict(loss=cosine), TypeError, "give a name or an hg.Loss"),
    "loss: class": (dict(loss=hg.Loss), TypeError, "give a name or an hg.Loss"),
    "loss: no slope at equality": (dict(loss=hg.Loss(real=cosine)), ValueError, r"real'\(0\) = -?0"),
    "loss: not finite": (dict(loss=hg.Loss(real=logarithm)), ValueError, "not finite"),
    "loss: in NumPy": (dict(loss=hg.Loss(real=in_numpy)), ValueError, "real of custom fails"),
    "loss: two arguments": (dict(loss=hg.Loss(real=of_two_arguments)), ValueError, "real of custom fails"),  # pyright: ignore[reportArgumentType]
    "loss: not elementwise": (dict(loss=hg.Loss(real=pair)), ValueError, r"real of custom turns shape \(3,\)"),
    "loss: returns nothing": (dict(loss=hg.Loss(real=nothing)), ValueError, "real of custom"),  # pyright: ignore[reportArgumentType]
    "loss: bad fake": (dict(loss=hg.Loss(real=hg.losses.log.real, fake=pair)), ValueError, "fake of custom turns"),
    "loss: bad generator": (
        dict(loss=hg.Loss(real=hg.losses.log.real, generator=in_numpy, name="mine")),
        ValueError,
        "generator of mine fails",
    ),
    "generator: class": (
        dict(generator=hg.generators.MultivariateNormal),
        TypeError,
        "'MultivariateNormal', not an instance",
    ),
    "generator: family without parentheses": (dict(generator=hg.generators.Normal), TypeError, "'Normal', not an inst"),
    "generator: bare function": (dict(generator=bare_function), TypeError, "'bare_function'.*@hg.generator"),
    "generator: text": ({"generator": "gauss"}, ValueError, "'gauss' is not known; give one of Normal"),
    "generator: None": (dict(generator=None), TypeError, "got NoneType"),
    "discriminator: class": (dict(discriminator=D.Sigmoids), TypeError, "give an instance"),
    "discriminator: text": (dict(discriminator="sigmoids"), TypeError, "got 'sigmoids'"),
    "discriminator: number": (dict(discriminator=16), TypeError, "got 16"),
    "discriminator: function": (dict(discriminator=bare_function), TypeError, "got <"),
    "discriminator: q < p": (
        dict(discriminator=D.Polynomial(1)),
        ValueError,
        "1 features vary over the data, fewer than the 2 parameters of Normal",
    ),
    "discriminator: features that vary, q < p": (
        dict(discriminator=D.Features(lambda x: jnp.stack([x, 0 * x + 7.0]))),
        ValueError,
        "1 features vary over the data, fewer than the 2",
    ),
    "discriminator: not finite": (dict(discriminator=D.Features(log_feature)), ValueError, "features are not finite"),
    "weights: negative": (dict(weights=np.r_[-1.0, np.ones(N - 1)]), ValueError, "negative"),
    "weights: NaN": (dict(weights=np.r_[np.nan, np.ones(N - 1)]), ValueError, "NaN"),
    "weights: infinite": (dict(weights=np.r_[np.inf, np.ones(N - 1)]), ValueError, "infinite"),
    "weights: pd.NA": (dict(weights=pd.Series([1] * (N - 1) + [None], dtype="Int64")), (ValueError, TypeError), ""),
    "weights: masked": (dict(weights=masked(np.arange(1.0, N + 1))), ValueError, "masked"),
    "weights: wrong length": (dict(weights=np.ones(5)), ValueError, r"shape \(5,\); give one for each of the 66"),
    "weights: number": (dict(weights=2.0), ValueError, r"shape \(\)"),
    "weights: column": (dict(weights=np.ones((N, 1))), ValueError, r"shape \(66, 1\)"),
    "weights: all zero": (dict(weights=np.zeros(N)), ValueError, "fewer than two are positive"),
    "weights: one positive": (dict(weights=np.eye(N)[0]), ValueError, "fewer than two are positive"),
    "weights: text": (dict(weights=["a"] * N), TypeError, "not numeric"),
    "weights: numbers as text": (dict(weights=["1"] * N), TypeError, "not numeric"),
    "weights: complex": (dict(weights=np.ones(N) * 1j), TypeError, "not numeric"),
    "data: too few of positive weight": (dict(weights=np.eye(N)[0] + np.eye(N)[1]), ValueError, "2 observations for 2"),
    "data: equal where the weight is positive": (dict(weights=NEWCOMB == 28), ValueError, "all observations are equal"),
    "seed: negative": (dict(seed=-1), TypeError, "got -1"),
    "seed: float": (dict(seed=1.0), TypeError, "got 1.0"),
    "seed: bool": (dict(seed=True), TypeError, "got True"),
    "seed: None": (dict(seed=None), TypeError, "got None"),
    "seed: text": (dict(seed="1"), TypeError, "got '1'"),
    "seed: array": (dict(seed=np.arange(40).reshape(20, 2)), TypeError, "got array"),
}


@pytest.mark.parametrize(("arguments", "kind", "said"), BAD_ARGUMENTS.values(), ids=BAD_ARGUMENTS)
def test_refuses_argument(arguments, kind, said, request):
    with pytest.raises(kind):
        model(**arguments)
    message = refusal(lambda: model(**arguments))
    assert message.startswith(request.node.callspec.id.split(":")[0] + ":")
    assert re.search(said, message)


@pytest.fixture(scope="module")
def newcomb():
    return model()


BAD_STARTS = {
    "unknown name": ({"loc": 1.0, "foo": 2.0}, "loc, scale"),
    "some of them, outside": ({"scale": -1.0}, r"scale -1.0 is outside \(0, inf\)"),
    "some of them, no number": ({"loc": "a"}, "loc 'a' is not numeric"),
    "no names": ({}, "loc, scale"),
    "wrong labels": (pd.Series([1.0, 2.0], ["a", "b"]), "loc, scale"),
    "wrong length": ([1.0, 2.0, 3.0], "loc, scale"),
    "number": (3.0, "loc, scale"),
    "text": ("abc", "loc, scale"),
    "list of text": (["a", "b"], "loc, scale"),
    "text by name": ({"loc": "a", "scale": 1.0}, "loc: 'a' is not numeric"),
    "ragged": ([[1.0], [1.0, 2.0]], "loc, scale"),
    "array for a number": ({"loc": [1.0, 2.0], "scale": 1.0}, r"loc: has shape \(2,\)"),
    "outside the space": ([1.0, -2.0], r"scale: -2.0 is outside \(0, inf\)"),
    "on its edge": ({"loc": 1.0, "scale": 0.0}, r"scale: 0.0 is outside \(0, inf\)"),
    "NaN": ([np.nan, 2.0], "loc: is not finite"),
    "complex": ([1j, 2.0], "loc, scale"),
    "set": ({1.0, 2.0}, "loc, scale"),
    "False": (False, "loc, scale"),
}


@pytest.mark.parametrize(("start", "said"), BAD_STARTS.values(), ids=BAD_STARTS)
def test_refuses_start(newcomb, start, said):
    message = refusal(lambda: newcomb.fit(start=start))
    assert message.startswith("start:")
    assert re.search(said, message)


def test_some_starting_values_leave_the_others_to_the_package(newcomb):
    own = newcomb.generator.natural(newcomb.starts()[0])
    for start in ({"loc": 20.0}, pd.Series({"loc": 20.0})):
        natural = newcomb.generator.natural(newcomb.starts(start)[0])
        np.testing.assert_allclose([natural["loc"], natural["scale"]], [20.0, own["scale"]], rtol=1e-6)
    fit = newcomb.fit(start_params={"scale": 4.0}, disp=0)
    np.testing.assert_allclose(fit.params, newcomb.fit(start=fit.params).params, rtol=1e-6)
    assert "start_params: it is another name for start" in refusal(lambda: newcomb.fit([1, 2], start_params=[1, 2]))
    with pytest.raises(TypeError, match="method"):
        newcomb.fit(method="bfgs")


def test_some_starting_values_of_a_simulator():
    @hg.generator(loc=hg.real(), scale=hg.positive())
    def simulated(z, loc, scale):
        return loc + scale * z

    of = hg.GAN(NEWCOMB, simulated)
    starts = of.starts({"loc": 25.0})
    natural = [simulated.natural(theta) for theta in starts]
    np.testing.assert_allclose([each["loc"] for each in natural], 25.0, rtol=1e-6)
    assert 3 < natural[0]["scale"] < 8  # is searched
    assert of.reserve({"loc": 25.0}) is None


@pytest.mark.parametrize("disp", ["yes", 2, 0.5], ids=str)
def test_refuses_disp(newcomb, disp):
    assert refusal(lambda: newcomb.fit(disp=disp)).startswith("disp: got")


def test_steps_are_shown_where_they_are_asked_for(newcomb, capsys):
    newcomb.fit()
    assert capsys.readouterr().err == ""
    newcomb.fit(disp=True)
    assert "steps" in capsys.readouterr().err


@pytest.mark.parametrize("cov_type", ["HC0", None, 3, np.array(["sandwich", "b"])], ids=str)
def test_refuses_cov_type(newcomb, cov_type):
    assert refusal(lambda: newcomb.fit(cov_type=cov_type)).startswith("cov_type:")


def test_data_the_family_cannot_have_are_refused_whatever_the_start():
    # once only the package's own start looked at the data
    assert "Exponential" in refusal(lambda: model(NEWCOMB, hg.generators.Exponential()).fit(start=[20.0]))


# What is accepted.

IN_OTHER_CLOTHES = {
    "list": NEWCOMB.tolist(),
    "tuple": tuple(NEWCOMB),
    "column": NEWCOMB[:, None],
    "integers": NEWCOMB.astype(int),
    "small integers": NEWCOMB.astype(np.int8),
    "single precision": NEWCOMB.astype(np.float32),
    "objects": NEWCOMB.astype(object),
    "Fortran, strided": np.asfortranarray(np.c_[NEWCOMB, NEWCOMB])[:, 0],
    "reversed view": NEWCOMB[::-1].copy()[::-1],
    "Series": pd.Series(NEWCOMB, index=np.arange(N) + 1000, name="t"),
    "Series of nullable integers": pd.Series(NEWCOMB.astype(int), dtype="Int64"),
    "frame of one column": pd.DataFrame({"t": NEWCOMB}),
    "without a mask": np.ma.masked_array(NEWCOMB),
    "jax": jnp.asarray(NEWCOMB, jnp.float32),
}


@pytest.mark.parametrize("data", IN_OTHER_CLOTHES.values(), ids=IN_OTHER_CLOTHES)
def test_accepts(data):
    x = model(data).x
    assert type(x) is np.ndarray
    assert x.dtype == np.float64
    np.testing.assert_array_equal(x, NEWCOMB)


TWO = STARS.to_numpy()
TWO_COLUMNS = {
    "array": TWO,
    "list of rows": TWO.tolist(),
    "frame": STARS,
    "frame of mixed types": pd.DataFrame({"log_te": STARS.log_te.astype("Float64"), "log_light": STARS.log_light}),
    "two columns of one name": pd.DataFrame(TWO, columns=["a", "a"]),
}


@pytest.mark.parametrize("data", TWO_COLUMNS.values(), ids=TWO_COLUMNS)
def test_accepts_two_columns(data):
    made = model(data, BIVARIATE)
    np.testing.assert_array_equal(made.x, TWO)
    assert made.columns == (list(data.columns) if isinstance(data, pd.DataFrame) else None)


def test_accepts_booleans_as_weights_of_a_subset():
    made = model(weights=NEWCOMB > 0)
    np.testing.assert_array_equal(made.weights, (NEWCOMB > 0).astype(float))


@pytest.mark.parametrize("scale", [1e-300, 1e306])
def test_only_ratios_of_weights_matter(scale):
    """The sum of the large ones overflows."""
    weights = np.arange(1.0, N + 1)
    one, other = (model(weights=w).game().x_weights for w in (weights, scale * weights))
    np.testing.assert_allclose(other, one, rtol=1e-12, atol=0)
    assert np.isclose(one.sum(), 1.0, rtol=1e-14)
    assert one[N:].max() == 0.0  # padding counts nothing


@pytest.mark.parametrize("argument", ["data", "weights"])
def test_the_users_array_is_neither_altered_nor_kept(argument):
    arrays = {"data": NEWCOMB.copy(), "weights": np.ones(N)}
    mine = arrays[argument]
    before = mine.copy()
    made = model(**arrays)
    np.testing.assert_array_equal(mine, before)
    held = made.x if argument == "data" else made.weights
    assert not np.shares_memory(held, mine)
    mine[:] = 0.0
    np.testing.assert_array_equal(held, before)


def test_columns_are_not_aliased():
    array = TWO.copy()
    assert not np.shares_memory(model(array, BIVARIATE).x, array)
    column = NEWCOMB[:, None].copy()
    assert not np.shares_memory(model(column).x, column)


@pytest.mark.parametrize(
    ("latent", "asked", "made"),
    [
        ("sobol", None, 1024),
        ("sobol", 1000, 1024),
        ("sobol", 1024, 1024),
        ("sobol", 1025, 2048),
        ("sobol", 2, 2),
        ("iid", None, 660),
        ("iid", 1000, 1000),
        ("iid", np.int64(7), 7),
    ],
)
def test_sizes_of_simulated_samples(latent, asked, made):
    it = model(latent=latent, n_simulated=asked)
    assert it.n_simulated == made
    assert it.nobs == N
    game = it.game()
    assert np.count_nonzero(game.z_weights) == made
    assert np.isclose(np.sum(game.z_weights), 1.0, rtol=1e-14)
    assert np.ptp(game.z_weights[:made]) == 0


STARTS = {
    "names": {"scale": 4.0, "loc": 27.0},
    "sequence": [27, 4],
    "array": np.array([27.0, 4.0]),
    "tuple": (27.0, 4.0),
    "Series": pd.Series([27.0, 4.0], ["loc", "scale"]),
    "Series in another order": pd.Series([4.0, 27.0], ["scale", "loc"]),
    "Series without names": pd.Series([27.0, 4.0]),
}


@pytest.mark.parametrize("start", STARTS.values(), ids=STARTS)
def test_start_is_understood(newcomb, start):
    np.testing.assert_array_equal(newcomb.starts(start), NORMAL.theta(loc=27.0, scale=4.0)[None])


def test_start_by_names_of_elements_is_reordered():
    made = model(STARS, BIVARIATE)
    natural = dict(zip(BIVARIATE.names, [4.4, 4.9, 0.1, 0.5, 0.6], strict=True))
    shuffled = pd.Series(natural).iloc[[4, 0, 3, 2, 1]]
    wanted = BIVARIATE.theta(loc=[4.4, 4.9], scale=[0.1, 0.5], corr=[0.6])[None]
    for start in (natural, shuffled, list(natural.values()), {"loc": [4.4, 4.9], "corr": [0.6], "scale": [0.1, 0.5]}):
        np.testing.assert_array_equal(made.starts(start), wanted)


def test_repr_names_the_parts():
    assert repr(model(loss="log")) == "<GAN Normal, Sigmoids, log, n = 66, m = 1024>"


def test_default_discriminator_is_placed_on_the_data():
    """Knots at quantiles of the data of levels sin^2(pi (k - .5) / 32), standardised by median and MAD."""
    basis, levels = model().basis, np.sin(np.pi * (np.arange(16) + 0.5) / 32) ** 2
    assert isinstance(basis, ProjectedSigmoids)
    np.testing.assert_allclose(
        basis.knots * basis.scale + basis.center, np.quantile(NEWCOMB, levels), rtol=1e-12, atol=1e-12
    )
    assert basis.size == 17


def test_twenty_sizes_of_one_bucket_share_a_compile():
    sample = np.random.default_rng(0).normal(size=160)
    sizes = range(129, 149)
    model(sample)
    before = compilations(compiled.features)
    games = [model(sample[:n]).game() for n in sizes]
    assert compilations(compiled.features) == before
    assert {jax.tree.structure(game) for game in games} == {jax.tree.structure(games[0])}
    assert {tuple(np.shape(leaf) for leaf in jax.tree.leaves(game)) for game in games} == {
        tuple(np.shape(leaf) for leaf in jax.tree.leaves(games[0]))
    }
    for n, game in zip(sizes, games, strict=True):
        np.testing.assert_array_equal(game.x[:n, 0], sample[:n])
        np.testing.assert_array_equal(game.x_weights, np.r_[np.full(n, 1 / n), np.zeros(160 - n)])


def test_buckets_waste_little():
    """At most a quarter of the rows is padding, but for the smallest samples."""
    for n in range(17, 5000, 13):
        assert n <= padded_size(n) <= 1.25 * n + 1


@pytest.mark.parametrize("limits", [{}, {"tol": 1e-8}])
def test_a_fit_computes_its_covariances_once(monkeypatch, limits):
    """Law, warnings, summary and tests share them."""
    calls, evaluated = [], evaluation.evaluated
    monkeypatch.setattr(evaluation, "evaluated", lambda *arguments: calls.append(1) or evaluated(*arguments))
    fit = hg.GAN(np.random.default_rng(0).normal(size=60), hg.generators.Normal(), n_simulated=64).fit(**limits)
    fit.summary()
    fit.with_cov("HC3").summary()
    fit.overidentification_test()
    assert len(calls) == 1
