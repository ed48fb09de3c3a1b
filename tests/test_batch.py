"""Many fits at once are the same fits, whatever the groups and threads; and they fail alone."""

import dataclasses
import threading

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest
from compiled import compilations

import hellgan as hg
from hellgan.cautions import ConvergenceWarning
from hellgan.execution import programs
from hellgan.execution.threads import over_chunks
from hellgan.objective import evaluation
from hellgan.solver import equations, joint

# More than a chunk of 16, so that threads have some each.
SAMPLES = np.random.default_rng(5).normal(1.0, 2.0, size=(69, 60))
DISCRIMINATOR = hg.discriminators.Sigmoids(6)


def model(**options):
    options = {"n_simulated": 64, "loss": "root", **options}
    return hg.GAN(SAMPLES[0], hg.generators.Normal(), DISCRIMINATOR, **options)


@pytest.fixture(scope="module")
def batch():
    return hg.fit_batch(model(), SAMPLES, threads=2)


@pytest.mark.parametrize("k", [0, 1, 40, 68])
def test_each_fit_is_the_fit_alone(batch, k):
    alone = hg.GAN(SAMPLES[k], hg.generators.Normal(), DISCRIMINATOR, n_simulated=64).fit()
    np.testing.assert_allclose(batch.params.iloc[k], alone.params, rtol=1e-10)
    np.testing.assert_allclose(batch.bse.iloc[k], alone.bse, rtol=1e-8)
    np.testing.assert_allclose(batch.cov_params[k], alone.cov_params(), rtol=1e-8, atol=1e-12)
    assert batch.converged[k]
    assert batch.trouble[k] == ""
    assert batch.iterations[k] == alone.saddle.iterations
    assert batch.inner_iterations[k] == alone.saddle.inner_iterations


def test_one_fit_of_a_batch_in_full(batch):
    result = batch[-1]
    np.testing.assert_array_equal(result.model.x, SAMPLES[-1])
    np.testing.assert_allclose(result.params, batch.params.iloc[-1], rtol=1e-10)
    np.testing.assert_allclose(result.conf_int(0.1).to_numpy().ravel(), batch.conf_int(0.1).iloc[-1], rtol=1e-8)


def test_summary_of_a_batch(batch):
    found = batch.summary(truth={"loc": 1.0, "scale": 2.0}, alpha=0.1)
    np.testing.assert_allclose(found.table["mean"], batch.params.mean(), rtol=1e-12)
    inside = (batch.conf_int(0.1)["loc", "lower"] <= 1.0) & (batch.conf_int(0.1)["loc", "upper"] >= 1.0)
    assert found.table.loc["loc", "coverage"] == pytest.approx(inside.mean(), rel=1e-12)
    assert found.alpha == 0.1
    assert found.n == 69
    with pytest.raises(ValueError, match="alpha: got 5"):
        batch.summary(alpha=5)


def test_threads_and_repetition_change_no_bit(batch):
    again = hg.fit_batch(model(), SAMPLES, threads=1)
    np.testing.assert_array_equal(again.params, batch.params)
    np.testing.assert_array_equal(again.cov_params, batch.cov_params)


def test_groups_change_no_bit(batch, monkeypatch):
    """However many fits a call does, and whether its group is full."""
    monkeypatch.setattr(programs, "_MANY", 16)
    pieces = [hg.fit_batch(model(), SAMPLES[part]) for part in (slice(0, 16), slice(16, 69))]
    for what in ("params", "cov_params", "bulk_pvalue"):
        found = np.concatenate([np.asarray(getattr(piece, what)) for piece in pieces])
        np.testing.assert_array_equal(found, getattr(batch, what))


def test_a_group_is_done_as_far_as_it_is_filled():
    def root(x, y):
        return {"roots": jnp.sqrt(x), "sum": jnp.sum(x) + y}

    x, y = np.arange(12.0).reshape(4, 3), np.arange(4)
    each = programs.program(lambda x, y, count=None: programs.each(root, x, y, count=count))
    whole, part = each(x, y), each(x, y, count=2)
    np.testing.assert_array_equal(whole["sum"], x.sum(axis=1) + y)
    for name in whole:
        np.testing.assert_array_equal(part[name], np.where(np.arange(4) < 2, whole[name].T, 0).T)


def test_programs_give_what_their_functions_do(monkeypatch):
    """In one array of each type, and large ones on their own: no value, type or shape changes."""
    monkeypatch.setattr(programs, "_PACKED", 6)

    def function(x, count):
        return [
            x[0, 0],
            x[1],
            x > 1,
            (x, None, count),
            2 * x[2],
            {"large": 2 * x, "empty": x[:0], "single": x[0].astype(jnp.float32)},
        ]

    x = np.arange(6.0).reshape(2, 3)
    x = np.concatenate([x, x])
    found = programs.program(function)(x, np.int64(3))
    with jax.enable_x64(True):
        expected = jax.tree.map(np.asarray, function(jnp.asarray(x), jnp.asarray(3)))
    assert jax.tree.structure(found) == jax.tree.structure(expected)
    for one, other in zip(jax.tree.leaves(found), jax.tree.leaves(expected), strict=True):
        assert isinstance(one, np.ndarray)
        assert one.dtype == other.dtype
        np.testing.assert_array_equal(one, other, strict=True)


def test_a_second_batch_compiles_nothing(batch):
    before = compilations(joint.search, evaluation.parts)
    hg.fit_batch(model(), SAMPLES[::-1][:16] + 1.0)
    assert compilations(joint.search, evaluation.parts) == before


@pytest.mark.parametrize(
    "generator",
    [hg.generators.Normal(), hg.generators.Logistic().fix(scale=2.0), hg.generators.GAndK(), hg.generators.Gamma()],
    ids=lambda generator: generator.name,
)
def test_each_sample_has_its_own_start(generator):
    samples, shares = np.exp(SAMPLES[:4] / 2), np.full(60, 1 / 60)
    each = [generator.theta(**generator.start(x, shares)) for x in samples]
    np.testing.assert_allclose(generator.start_each(samples, shares), each, rtol=1e-13)


def test_a_users_simulator_in_a_batch():
    simulator = hg.generator(loc=hg.real(), scale=hg.positive())(lambda z, loc, scale: loc + scale * z)
    alone = hg.GAN(SAMPLES[1], simulator, DISCRIMINATOR, n_simulated=64)
    batch = hg.fit_batch(alone, SAMPLES[:3])
    np.testing.assert_allclose(batch.params.iloc[1], alone.fit().params, rtol=1e-9)


def test_features_that_need_looking_at():
    """A user's features may not vary over a sample: that sample is named, and the others are not fitted."""
    features = hg.discriminators.Features(lambda x: jnp.tanh(jnp.stack([x - 2, x - 1, x]) / 2))
    model = hg.GAN(SAMPLES[0], hg.generators.Normal(), features, n_simulated=64)
    batch = hg.fit_batch(model, SAMPLES[:3])
    np.testing.assert_allclose(batch.params.iloc[1], model.on(SAMPLES[1]).fit().params, rtol=1e-9)
    samples = SAMPLES[:3].copy()
    samples[2] += 100
    with pytest.raises(ValueError, match=r"datasets\[2\]: discriminator: 0 features vary"):
        hg.fit_batch(model, samples)


def test_a_regression_in_a_batch():
    rng = np.random.default_rng(8)
    x = rng.normal(size=(3, 48, 1))
    samples = np.concatenate([x, 1 + 2 * x + rng.normal(size=x.shape)], axis=2)
    model = hg.GAN(samples[0], hg.generators.LinearRegression(), n_simulated=48 * 8)
    batch = hg.fit_batch(model, samples, seeds=[3, 4, 5])
    np.testing.assert_allclose(batch.params.iloc[2], model.on(samples[2], 5).fit().params, rtol=1e-9)


def test_seeds_are_those_of_the_latent_draws():
    seeds = list(range(9))
    batch = hg.fit_batch(model(), SAMPLES[:9], seeds=seeds)
    alone = hg.GAN(SAMPLES[4], hg.generators.Normal(), DISCRIMINATOR, n_simulated=64, seed=4).fit()
    np.testing.assert_allclose(batch.params.iloc[4], alone.params, rtol=1e-10)
    np.testing.assert_allclose(batch[4].params, alone.params, rtol=1e-10)


def test_side_by_side_as_on_an_accelerator(monkeypatch, batch):
    """The other way through a group, lanes of a memory that holds four, gives the same fits (here on the CPU)."""
    monkeypatch.setattr(programs, "on_cpu", lambda: False)
    monkeypatch.setattr(programs, "_GROUP_ON_CPU", 4)
    monkeypatch.setattr(programs, "_MEMORY", 5 * 8 * programs._COPIES * model().game().cells)
    assert programs.group_size(6, model().game().cells) == 4
    jax.clear_caches()
    side_by_side = hg.fit_batch(model(), SAMPLES[:6], threads=1)
    jax.clear_caches()
    np.testing.assert_allclose(side_by_side.params, batch.params[:6], rtol=1e-9)
    np.testing.assert_allclose(side_by_side.cov_params, batch.cov_params[:6], rtol=1e-7, atol=1e-10)


def test_rows_in_blocks_are_all_rows():
    """However many they are, the blocks have few sizes."""
    sizes = set()

    def function(rows, others):
        sizes.add(len(rows))
        return 2 * rows, rows.sum(axis=1) + others

    for count in (1, 16, 17, 64, 65, 200):
        rows, others = np.random.default_rng(count).normal(size=(count, 3)), np.arange(float(count))
        twice, sums = programs.in_blocks(function, rows, others, most=64)
        np.testing.assert_array_equal(twice, 2 * rows)
        np.testing.assert_array_equal(sums, rows.sum(axis=1) + others)
    assert sizes == {16, 32, 64}


def test_a_loss_that_is_not_zero_sum():
    samples = SAMPLES[:10]
    batch = hg.fit_batch(model(loss="log_ns"), samples)
    alone = hg.GAN(samples[3], hg.generators.Normal(), DISCRIMINATOR, "log_ns", n_simulated=64).fit()
    np.testing.assert_allclose(batch.params.iloc[3], alone.params, rtol=1e-9)
    assert alone.saddle.kind == "locally stable"
    assert np.all(batch.converged)


def test_a_fit_that_fails_leaves_the_others_alone(monkeypatch, batch):
    def uncertified(saddle):
        return dataclasses.replace(saddle, is_saddle=False, kind="not certified", reason="it would not")

    solve = equations.solve_saddles
    monkeypatch.setattr(
        equations,
        "solve_saddles",
        lambda games, *rest, **named: [
            uncertified(s) if k == 5 else s for k, s in enumerate(solve(games, *rest, **named))
        ],
    )

    def again(game, starts, more, reserve, *rest):
        return uncertified(solve(programs.stack([game]), starts[:1])[0])

    monkeypatch.setattr(equations, "solve_saddle", again)
    with pytest.warns(
        ConvergenceWarning, match=r"1 of 9 fits did not converge \(1: [a-z].*\); BatchResults.trouble has each"
    ):
        failed = hg.fit_batch(model(), SAMPLES[:9], threads=1)
    assert list(np.flatnonzero(~failed.converged)) == [5]
    assert failed.trouble[5] == "it would not"
    assert failed.summary().failures.to_dict() == {"it would not": 1}
    assert np.all(np.isnan(failed.bse.iloc[5]))
    assert np.all(np.isnan(failed.conf_int().iloc[5]))
    others = np.delete(np.arange(9), 5)
    np.testing.assert_allclose(failed.params.iloc[others], batch.params.iloc[others], rtol=1e-12)
    np.testing.assert_allclose(failed.bse.iloc[others], batch.bse.iloc[others], rtol=1e-12)


def broken(k, value):
    samples = SAMPLES[:9].copy()
    samples[k, 7] = value
    return samples


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ((None, SAMPLES), TypeError, "model: got NoneType"),
        (("model", broken(3, np.nan)), ValueError, r"datasets\[3\]: data: 1 of 60"),
        (("model", SAMPLES[:3, :50]), ValueError, r"datasets\[0\]: 50 observations; the model has 60"),
        (("model", [SAMPLES[0], SAMPLES[1][:59]]), ValueError, r"datasets\[1\]: 59 observations; the model has 60"),
        (("model", [SAMPLES[0], None]), ValueError, r"datasets\[1\]: 0 observations; the model has 60"),
        (("model", pd.DataFrame(SAMPLES)), ValueError, "got a DataFrame"),
        (("model", SAMPLES[0]), ValueError, r"give an array \(R, n\)"),
        (("model", []), ValueError, r"give an array \(R, n\)"),
    ],
    ids=["no model", "NaN", "other size", "another size", "no sample", "frame", "one sample", "none"],
)
def test_bad_samples_are_named(arguments, error, message):
    given, datasets = arguments
    with pytest.raises(error, match=message):
        hg.fit_batch(model() if given == "model" else given, datasets)


@pytest.mark.parametrize("options", [{"threads": 0}, {"threads": 1.5}, {"seeds": [1, 2]}], ids=str)
def test_bad_options_are_named(options):
    with pytest.raises(ValueError, match=next(iter(options))):
        hg.fit_batch(model(), SAMPLES[:9], **options)


@pytest.mark.parametrize("k", [69, -70, 1.0, "a"])
def test_a_fit_that_is_not_there(batch, k):
    with pytest.raises(IndexError, match="of 69"):
        batch[k]


def test_an_interrupt_waits_for_no_running_task():
    going, ended = threading.Event(), threading.Event()

    def task(chunk):
        if not chunk.start:
            going.wait(5)
            raise KeyboardInterrupt
        going.set()
        threading.Event().wait(3)
        ended.set()
        return [0] * 16

    with pytest.raises(KeyboardInterrupt):
        over_chunks(task, 32, 2)
    assert not ended.is_set()
