"""Studies: designs, samples, folders, failures, results. That numbers do not depend on who computes: test_engine."""

import dataclasses
import errno
import os
import time
import warnings

import jax
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from scipy import stats
from tolerance import assert_monte_carlo, mcse_mean

import hellgan as hg
from hellgan.execution import programs
from hellgan.montecarlo import methods, store
from hellgan.montecarlo.comparators import Huber
from hellgan.montecarlo.estimates import Estimate
from hellgan.montecarlo.streams import METHOD, Stream, streams

NORMAL = hg.truth(hg.generators.Normal(), loc=1.0, scale=2.0)
FAR = hg.Cluster(0.2, loc=8.0, scale=0.3)


def mean(x):
    return {"estimate": {"loc": x.mean()}, "std_error": {"loc": x.std(ddof=1) / np.sqrt(len(x))}}


def deviation(x, rng):
    return {"scale": x.std() + 0 * rng.random()}


def study(**changes):
    arguments = {
        "truth": NORMAL,
        "contamination": [None, FAR],
        "n": [20, 30],
        "methods": {"mean": mean, "median": "median_mad"},
        "replications": 12,
        "seed": 3,
    }
    return hg.Study(**{**arguments, **changes})


def plain(result):
    """What must not depend on anything but the design."""
    return result.to_frame().drop(columns="seconds")


def kept(folder):
    """Every file of a study with its content and time."""
    return {p: (p.read_bytes(), p.stat().st_mtime_ns) for p in folder.rglob("*.parquet")}


# Random numbers.


def test_all_methods_see_the_same_samples():
    result = study(methods={"a": mean, "b": lambda x: mean(x)}).run()
    wide = result.to_frame().pivot(index=["contamination", "n", "replicate"], columns="method", values="estimate")
    np.testing.assert_array_equal(wide["a"], wide["b"])
    assert wide["a"].nunique() == len(wide) == 4 * 12


def test_numbers_depend_on_seed_cell_and_replicate_alone():
    whole = plain(study().run())
    part = plain(study(contamination=FAR, n=30, replications=5, methods={"mean": mean}).run())
    same = whole[
        (whole["method"] == "mean")
        & (whole["contamination"] == FAR.label)
        & (whole["n"] == 30)
        & (whole["replicate"] < 5)
    ]
    np.testing.assert_array_equal(same["estimate"], part["estimate"])
    other = plain(study(seed=4).run())
    assert not np.any(other["estimate"] == whole["estimate"])


def test_every_replicate_has_its_own_numbers_for_every_purpose():
    drawn = [
        Stream(seed, cell, r).rng(purpose).random()
        for seed in (0, 1)
        for cell in ("00", "0a")
        for r in (0, 1)
        for purpose in range(4)
    ]
    drawn += [Stream(seed, cell, 0).latent_seed for seed in (0, 1) for cell in ("00", "0a")]
    assert len(set(drawn)) == 32 + 4


@dataclasses.dataclass(frozen=True)
class Drawn(Huber):
    """A comparator that tells its first random number."""

    def single(self, family, x, rng):
        return Estimate(np.array([rng.random(), 1.0]), np.ones(2))


def test_methods_have_random_numbers_of_their_own():
    """Not those of the data, nor of the latents."""
    given = study(methods={"function": lambda x, rng: {"loc": rng.random()}, "comparator": Drawn()}, n=20)
    frame = given.run().to_frame().query("parameter == 'loc'")
    for (_, label), rows in frame.groupby(["method", "contamination"], observed=True):
        (cell,) = [cell for cell in given.cells if cell.labels["contamination"] == label]
        wanted = [stream.rng(METHOD).random() for stream in streams(3, cell.key, range(12))]
        np.testing.assert_array_equal(rows["estimate"], wanted)


def test_chunks_change_no_bit():
    methods = {"root": {}, "median": "median_mad"}
    few = study(methods=methods, n=60, replications=21)
    frames = [plain(few.run(chunk=chunk, threads=threads)) for chunk, threads in ((21, 1), (5, 3), (16, 2))]
    for frame in frames[1:]:
        pd.testing.assert_frame_equal(frame, frames[0], check_exact=True)


def test_forgotten_programs_change_no_bit(monkeypatch):
    """Programs are forgotten when a process runs out of room for them, while other threads use them."""
    forgotten, clear = [], jax.clear_caches
    monkeypatch.setattr(jax, "clear_caches", lambda: forgotten.append(1) or clear())
    given = study(methods={"root": {}}, n=60, contamination=None, replications=60)
    kept = plain(given.run(chunk=16, threads=2))
    assert not forgotten
    monkeypatch.setattr(programs, "_MOST_MAPS", 0)
    pd.testing.assert_frame_equal(plain(given.run(chunk=16, threads=2)), kept, check_exact=True)
    assert len(forgotten) >= 4


def test_groups_are_filled(monkeypatch):
    """All fits go through the same compiled programs, whatever the chunk: bits may depend on the size of a group."""
    sizes, fit_all = [], methods.fit_all
    monkeypatch.setattr(methods, "fit_all", lambda *a, **k: sizes.append(len(a[1])) or fit_all(*a, **k))
    given = study(methods={"root": {}}, n=60, contamination=None, replications=21)
    given.run(chunk=5, threads=1)
    given.replay(given.cells[0], 20)
    assert set(sizes) == {programs.group_size(21)}


def test_samples_are_those_of_the_truth():
    cell = study(n=50, contamination=None).cells[0]
    x = cell.samples(streams(3, cell.key, range(400)))
    assert x.shape == (400, 50)
    assert stats.kstest(x.ravel(), stats.norm(1.0, 2.0).cdf).pvalue > 1e-4
    means = x.mean(axis=1)
    assert_monte_carlo(means.mean(), 1.0, mcse_mean(means), resolution=0.1)
    assert abs(np.corrcoef(means[:-1], means[1:])[0, 1]) < 4.89 / 20


def test_a_study_is_what_a_fit_is():
    one = study(contamination=None, n=60, methods={"root": {"loss": "root"}}, replications=3)
    frame = one.run().to_frame()
    again = one.replay({"n": 60}, 2)
    fit = hg.GAN(again.sample, hg.generators.Normal(), seed=again.fits["root"].model.seed).fit()
    row = frame.loc[frame["replicate"] == 2]
    np.testing.assert_allclose(row["estimate"], fit.params, rtol=1e-10)
    np.testing.assert_allclose(row["std_error"], fit.bse, rtol=1e-7)
    np.testing.assert_allclose(row[["lower", "upper"]], fit.conf_int(), rtol=1e-7)
    assert list(row["truth"]) == [1.0, 2.0]
    assert row["iterations"].iloc[0] == fit.saddle.iterations


def test_intervals_have_the_studys_level():
    def least_squares(**options):
        return lambda x: sm.OLS(pd.Series(x), pd.DataFrame({"loc": np.ones(len(x))})).fit(**options)

    given = study(
        contamination=None,
        n=60,
        methods={
            "gan": {},
            "comparator": "median_mad",
            "function": mean,
            "fit": least_squares(),
            "robust fit": least_squares(cov_type="HC1"),
        },
        replications=3,
        level=0.9,
    )
    frame = given.run().to_frame().query("parameter == 'loc'")
    half = ((frame["upper"] - frame["lower"]) / 2 / frame["std_error"]).to_numpy()
    expected = np.where(frame["method"] == "fit", stats.t(59).ppf(0.95), stats.norm.ppf(0.95))
    assert len(half) == 5 * 3
    np.testing.assert_allclose(half, expected, rtol=1e-9)


# Designs.


def test_cells_are_crossed_and_filtered():
    assert [dict(c.labels) for c in study().cells] == [
        {"contamination": label, "n": n} for label in ("none", "Cluster(eps=0.2, loc=8, scale=0.3)") for n in (20, 30)
    ]
    assert len(study(where={"n": [20]}).cells) == 2
    assert len(study(where=lambda contamination, n: contamination == "none" or n == 30).cells) == 3


def test_further_factors_make_the_truth():
    made = study(truth=lambda df: hg.truth(hg.generators.StudentT(df), loc=0.0, scale=1.0), factors={"df": [3, 10]})
    assert made.cells[0].labels == {"df": 3, "contamination": "none", "n": 20}
    assert len({cell.key for cell in made.cells}) == len(made.cells) == 8


def test_a_contamination_may_be_a_function_of_factors():
    made = study(contamination=lambda eps, far: hg.Cluster(eps, loc=far), factors={"eps": [0.0, 0.1], "far": [3, 8]})
    assert made.cells[-1].labels == {"eps": 0.1, "far": 8, "n": 30}
    assert made.cells[-1].contaminations == (hg.Cluster(0.1, loc=8),)
    frame = made.run().to_frame()
    assert list(frame.columns[:6]) == ["method", "eps", "far", "n", "replicate", "parameter"]
    assert frame["eps"].unique().tolist() == [0.0, 0.1]


def test_methods_run_where_they_are_meant_to():
    methods = {"mean": mean, "slow": {"function": mean, "replications": 4, "where": {"n": 20}}}
    frame = study(methods=methods).run().to_frame()
    counts = frame.groupby(["method", "n"], observed=True).size()
    assert counts.to_dict() == {("mean", 20): 24, ("mean", 30): 24, ("slow", 20): 8}


def test_keys_do_not_depend_on_the_process(tmp_path):
    import subprocess
    import sys

    code = (
        "import hellgan as hg\n"
        "t = hg.truth(hg.generators.Normal(), loc=1.0, scale=2.0)\n"
        "s = hg.Study(t, {'m': 'median_mad'}, [20], 2, contamination=hg.Cluster(.2, loc=8.0, scale=.3))\n"
        "print(s.cells[0].key)"
    )
    keys = {
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=env).stdout.strip()
        for env in ({**os.environ, "PYTHONHASHSEED": "1"}, {**os.environ, "PYTHONHASHSEED": "2"})
    }
    assert keys == {study(n=20, contamination=FAR).cells[0].key}


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"n": [1]}, "at least 2 observations"),
        ({"n": [20, 20]}, None),
        ({"n": []}, "no sample sizes"),
        ({"replications": 0}, "replications: got 0"),
        ({"seed": -1}, "seed"),
        ({"level": 1.0}, "level: got 1.0"),
        ({"truth": hg.generators.Normal()}, "give hg.truth"),
        ({"contamination": "far"}, "give None, hg.Cluster"),
        ({"contamination": [FAR, FAR]}, "each departure once"),
        ({"factors": {"rho": [0.5]}}, "nothing depends on rho"),
        ({"factors": {"n": [0.5]}}, "'n' is taken"),
        ({"where": {"m": 3}}, "'m' is no factor"),
        ({"where": {"n": 99}}, "no cell is left"),
        ({"methods": {}}, "give a dict of names"),
        ({"methods": {"a/b": mean}}, "cannot name a folder"),
        ({"methods": {"root": {"lossy": "root"}}}, "'lossy', which is no argument"),
        ({"methods": {"root": 3}}, "a comparator, or a function"),
        ({"methods": {"m": "medina"}}, "'medina' is not known"),
        ({"methods": {"m": {"loss": "rot"}}}, "methods: m: loss: 'rot' is not known"),
        ({"methods": {"m": {"latent": "halton"}}}, "methods: m: latent: 'halton' is not known"),
        ({"methods": {"m": {"n_simulated": 1}}}, "methods: m: n_simulated: got 1"),
        ({"methods": {"m": {"generator": "gauss"}}}, "methods: m: generator: 'gauss' is not known"),
        ({"methods": {"m": {"cov_type": "HC9"}}}, "methods: m: cov_type: 'HC9' is not known"),
        ({"contamination": {"near": None, "far": 0.1}}, "contamination: far: got 0.1; give None"),
        ({"methods": {"m": {"function": mean, "where": {"n": 7}}}}, "runs in no cell"),
        ({"methods": {"m": {"function": mean, "loss": "root"}}}, "'loss' beside a function"),
        ({"methods": {"m": {"comparator": hg.montecarlo.Huber(), "c": 2.0}}}, "'c' beside a comparator"),
    ],
)
def test_a_bad_design_is_refused(changes, said):
    if said is None:
        assert len(study(**changes).cells) == 2
        return
    with pytest.raises((ValueError, TypeError), match=said):
        study(**changes)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"loc": 1.0}, "scale is missing"),
        ({"loc": 1.0, "scale": -1.0}, "scale"),
        ({"loc": 1.0, "scale": 1.0, "df": 3}, "df"),
    ],
)
def test_a_truth_outside_the_space_is_refused(values, said):
    with pytest.raises(ValueError, match=said):
        hg.truth(hg.generators.Normal(), **values)


@pytest.mark.parametrize(
    ("method", "said"),
    [
        (lambda x: 1 / 0, "cannot work in the cell contamination = none, n = 20: ZeroDivisionError"),
        (lambda x: "good", "it must return estimates by name"),
        (lambda x: {"estimate": {"loc": 1.0}, "std_err": {"loc": 0.1}}, "'std_err' beside its estimates"),
        ({"loss": "lossy"}, "loss"),
        ({"discriminator": hg.discriminators.Polynomial(1)}, "discriminator"),
        ({"comparator": "min_cov_det"}, "cannot work"),
    ],
)
def test_a_method_that_cannot_work_is_refused_before_anything_is_written(method, said, tmp_path):
    with pytest.raises(ValueError, match=said):
        study(methods={"mean": mean, "bad": method}).run(tmp_path / "study")
    assert not (tmp_path / "study").exists()


@pytest.mark.parametrize(
    ("returned", "said"),
    [
        ({"estimate": {"loc": np.nan}}, "the estimate of loc is nan, and the method says that it converged"),
        ({"estimate": {"loc": 1.0}, "std_error": {"loc": -0.1}}, "the std_error of loc is -0.1, below 0"),
        (
            {"estimate": {"loc": 1.0}, "lower": {"loc": 2.0}, "upper": {"loc": 0.0}},
            "the interval of loc goes from 2 down to 0",
        ),
    ],
)
def test_what_is_no_estimate_is_a_failure(returned, said):
    def now_and_then(x):
        return returned if x[0] > 1 else {"estimate": {"loc": x.mean()}, "std_error": {"loc": 0.2}}

    result = study(methods={"own": now_and_then}, n=20, contamination=None).run()
    failed = result.failures()
    assert 0 < len(failed) < 24
    assert set(failed["message"]) == {f"ValueError: {said}"}
    row = result.performance(["bias"]).iloc[0]
    assert row["n_failed"] == len(failed)
    assert np.isfinite(row["value"])


def test_a_method_may_say_that_it_found_nothing():
    def at_times(x):
        return {"estimate": {"loc": np.nan if x[0] > 1 else x.mean()}, "converged": x[0] <= 1}

    result = study(methods={"own": at_times}, n=20).run()
    assert set(result.failures()["message"]) == {"it says that it did not converge"}


@pytest.mark.parametrize(
    ("made", "said"),
    [
        (lambda: hg.PointMass(0.1, at=np.nan), "at: got nan; PointMass needs finite numbers"),
        (lambda: hg.Cluster(0.1, loc=8.0, scale=-1.0), "scale: got -1.0; Cluster needs non-negative numbers"),
        (lambda: hg.Cluster(0.1, loc="far"), "loc: got 'far'; Cluster needs finite numbers"),  # pyright: ignore[reportArgumentType]
        (lambda: hg.Spread(0.1, low=5.0, high=1.0), "low: 5.0 lies above high, 1.0"),
        (lambda: hg.HeavyTails(0.1, df=0), "df: got 0; HeavyTails needs positive degrees of freedom"),
        (lambda: hg.Leverage(0.1, at=3.0, response=np.inf), "response: got inf; Leverage needs finite numbers"),
    ],
)
def test_a_departure_that_is_no_law_is_refused(made, said):
    with pytest.raises(ValueError, match=said):
        made()


@pytest.mark.parametrize("given", [hg.generators.Normal, hg.generators.Gamma])
def test_a_family_without_its_parentheses_is_no_truth(given):
    with pytest.raises(TypeError, match="not an instance; give hg"):
        hg.truth(given, loc=0.0, scale=1.0)


def test_a_share_of_a_folder_that_no_one_else_sees_is_refused():
    with pytest.raises(ValueError, match="share: the other shares need the folder of this one"):
        study().run(share=(1, 2))


def test_a_folder_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match=r"out: .*study"):
        study().run(tmp_path / "file" / "study")


def test_figures_of_replicates_take_one_cell():
    result = study(methods={"mean": mean}).run()
    with pytest.raises(ValueError, match="there are several cells; choose one level of contamination and of n"):
        result.plot_qq("loc")
    with pytest.raises(ValueError, match="choose a single level of contamination and of n"):
        result.plot_zip("loc")
    with pytest.raises(ValueError, match="'m' is no factor; give some of method, contamination, n, eps, parameter"):
        result.plot_zip("loc", where={"m": 20})


def test_a_pilot_is_asked_for_where_one_is_needed():
    with pytest.raises(ValueError, match="pilot: the error of bias depends on the estimates"):
        study().replications_for(mcse=0.02, measure="bias")


# Folders.


def test_a_finished_study_is_extended_and_nothing_is_done_again(tmp_path):
    out = tmp_path / "study"
    study(contamination=None, methods={"mean": mean}, replications=7).run(out)
    before = kept(out)
    larger = study(methods={"mean": mean, "deviation": deviation})
    result = larger.run(out)
    after = kept(out)
    assert len(before) == 2
    assert {p: after[p] for p in before} == before
    pd.testing.assert_frame_equal(plain(result), plain(larger.run()), check_exact=True)
    assert kept(out) == after
    larger.run(out)
    assert kept(out) == after
    # a smaller design in the same folder sees its own part
    assert len(study(n=20, methods={"mean": mean}, replications=3).run(out).to_frame()) == 6
    assert result.progress()["done"].sum() == 8 * 12
    everything = hg.montecarlo.read(out)
    pd.testing.assert_frame_equal(everything.to_frame(), result.to_frame(), check_exact=True)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"seed": 4}, "was run with seed 3, this study has 4"),
        ({"level": 0.9}, "was run with level 0.95"),
        ({"methods": {"mean": deviation}}, "the method mean has another definition"),
        ({"contamination": {"none": None, "far": hg.Cluster(0.1, loc=8.0)}}, "the cell .*far.* has another definition"),
        ({"truth": hg.truth(hg.generators.Normal(), loc=0.0, scale=2.0)}, "the cell contamination = none, n = 20 has"),
    ],
)
def test_a_folder_of_another_study_is_refused_and_left_alone(changes, said, tmp_path):
    named = {"none": None, "far": FAR}
    study(contamination=named).run(tmp_path)
    before = {p: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()}
    with pytest.raises(ValueError, match=said):
        study(**{"contamination": named, **changes}).run(tmp_path)
    assert {p: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()} == before


def test_a_folder_of_another_version_is_refused(tmp_path, monkeypatch):
    study().run(tmp_path)
    monkeypatch.setattr("hellgan.montecarlo.manifests.VERSION", "99")
    with pytest.raises(ValueError, match="version of hellgan"):
        study().run(tmp_path)


def test_a_manifest_that_another_process_is_writing_is_no_foreign_file(tmp_path):
    (tmp_path / ".manifest.json.0123.part").write_text("{")
    study(replications=2).run(tmp_path)
    old = tmp_path / "parts" / ".killed.part"
    old.write_text("half")
    os.utime(old, (0, 0))
    study(replications=3).run(tmp_path)
    assert [p.name for p in tmp_path.rglob("*.part")] == [".manifest.json.0123.part"]  # the older is swept away


def test_other_folders_are_refused(tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(ValueError, match="other things than a study"):
        study().run(tmp_path)
    with pytest.raises(OSError, match="is a file"):
        study().run(tmp_path / "notes.txt")
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "manifest.json").write_text("{")
    with pytest.raises(ValueError, match="damaged"):
        study().run(tmp_path / "broken")
    with pytest.raises(FileNotFoundError, match="no study"):
        hg.montecarlo.read(tmp_path / "nothing")


def test_tasks_of_an_array_may_begin_together(tmp_path, monkeypatch):
    # Another task's manifest and parts appear between looking for a manifest and looking for other files.
    out = tmp_path / "study"
    study().run(out, share=(1, 2), chunk=5)
    read, asked = store.Store.manifest, []

    def late(self):
        asked.append(self)
        return None if len(asked) <= 2 else read(self)

    monkeypatch.setattr(store.Store, "manifest", late)
    result = study().run(out, share=(2, 2), chunk=5)
    monkeypatch.undo()
    assert len(asked) == 4  # the last when all is done
    pd.testing.assert_frame_equal(plain(result), plain(study().run()), check_exact=True)


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS])
def test_a_full_disk_leaves_what_was_there(number, tmp_path, monkeypatch):
    study(replications=5).run(tmp_path)
    before = kept(tmp_path)
    replace = os.replace

    def fails(source, target):
        if str(target).endswith(".parquet"):
            raise OSError(number, os.strerror(number), str(target))
        replace(source, target)

    monkeypatch.setattr(os, "replace", fails)
    with pytest.raises(OSError, match=os.strerror(number)):
        study().run(tmp_path)
    monkeypatch.undo()
    assert kept(tmp_path) == before
    assert not list(tmp_path.rglob("*.part"))
    pd.testing.assert_frame_equal(plain(study().run(tmp_path)), plain(study().run()), check_exact=True)


def test_a_damaged_part_is_named(tmp_path):
    result = study(replications=5).run(tmp_path)
    part = next(tmp_path.rglob("*.parquet"))
    part.write_bytes(part.read_bytes()[:40])
    with pytest.raises(ValueError, match=f"{part.name} is damaged"):
        result.to_frame()


def test_overlapping_parts_count_once(tmp_path):
    result = study(n=20, contamination=None, methods={"mean": mean}).run(tmp_path)
    folder = next(tmp_path.rglob("*.parquet")).parent
    twice = store.Store(tmp_path)
    part = study(n=20, contamination=None, methods={"mean": mean}, replications=9).run()
    table = next(part._store.tables("mean", part._manifest["methods"]["mean"]["cells"][0], 9))
    import pyarrow.parquet as pq

    pq.write_table(table.slice(4), folder / "00000004-00000009.parquet")  # without a checksum, as earlier versions did
    assert len(twice.covered("mean", folder.parent.name)) == 2
    assert list(result.to_frame()["replicate"]) == list(range(12))


def test_gaps():
    assert store.missing([], 5) == [(0, 5)]
    assert store.missing([(0, 5)], 5) == []
    assert store.missing([(2, 3), (4, 9)], 12) == [(0, 2), (3, 4), (9, 12)]
    assert store.missing([(0, 4), (2, 9)], 6) == []
    assert store.missing([(0, 9), (2, 3)], 12) == [(9, 12)]


def test_shares_of_a_job_array_make_the_whole(tmp_path):
    whole = study()
    for i in (2, 1, 3):
        part = whole.run(tmp_path, share=(i, 3), chunk=5)
    files = len(kept(tmp_path))
    assert files == 4 * 2 * 3  # cells, methods, chunks
    assert len(part.to_frame()) == 4 * 12 * 3
    pd.testing.assert_frame_equal(plain(part), plain(whole.run()), check_exact=True)
    with pytest.raises(ValueError, match="the i-th of k shares"):
        whole.run(tmp_path, share=(0, 3))


# Failures.


def sometimes(x):
    if x[0] > 2:
        raise RuntimeError(f"too large: {x[0]:.3f}")
    if x[0] < -2:
        warnings.warn("rather small", stacklevel=2)
    return {"loc": x.mean()}


def test_failures_are_rows_and_can_be_replayed():
    failing = study(methods={"sometimes": sometimes}, n=20, contamination=None, replications=60)
    result = failing.run(chunk=7)
    frame = result.to_frame()
    assert len(frame) == 60
    failures = result.failures()
    assert 0 < len(failures) == (~frame["converged"]).sum() < 60
    for row in failures.to_dict("records"):
        again = failing.replay({"contamination": "none"}, row["replicate"])
        assert again.sample[0] > 2
        assert row["message"] == f"RuntimeError: too large: {again.sample[0]:.3f}"
        assert str(again.errors["sometimes"]) == f"too large: {again.sample[0]:.3f}"
        assert again.estimates["message"].tolist() == [row["message"]]
    told = result.warnings()
    small = [failing.replay(failing.cells[0], r).sample[0] < -2 for r in range(60)]
    assert told["replicates"].tolist() == [sum(small)]
    assert told["warned"].tolist() == ["UserWarning: rather small"]
    table = result.performance(["bias", "convergence"]).set_index("measure")
    assert table.loc["bias", "n_failed"] == len(failures)
    assert table.loc["convergence", "value"] == 1 - len(failures) / 60


def test_replay_gives_the_studys_own_bits():
    given = study(methods={"root": {}, "median": "median_mad", "deviation": deviation}, n=40, replications=21)
    frame = plain(given.run())
    again = given.replay(given.cells[1], 17)
    own = frame[(frame["contamination"] == FAR.label) & (frame["replicate"] == 17)]
    columns = ["parameter", "estimate", "std_error", "lower", "upper", "iterations"]
    for name in given.methods:
        a, b = (f.loc[f["method"] == name, columns].reset_index(drop=True) for f in (own, again.estimates))
        pd.testing.assert_frame_equal(a, b, check_exact=True, check_dtype=False, check_categorical=False)
    with pytest.raises(ValueError, match="2 cells have"):
        given.replay({"n": 40}, 0)
    with pytest.raises(ValueError, match="'m' is no factor"):
        given.replay({"m": 40}, 0)


def test_a_method_that_only_raises_is_stopped_in_that_cell():
    def late(x):
        if len(x) == 30 and x[0] != first[30]:
            raise RuntimeError("no")
        return {"loc": 0.0}

    first = {}
    probe = study(methods={"late": mean}, contamination=None)
    first[30] = probe.replay({"n": 30}, 0).sample[0]
    with pytest.warns(hg.FitWarning, match="late raised 10 times in a row in the cell contamination = none, n = 30"):
        result = study(methods={"late": late}, contamination=None, replications=400).run(
            chunk=5, threads=1, max_errors=10
        )
    done = result.progress().set_index("n")["done"]
    assert done[20] == 400
    assert 11 <= done[30] < 100


def test_a_method_that_raises_now_and_then_goes_on():
    def half(x):
        if int(1e6 * abs(x[0])) % 2:
            raise RuntimeError("odd")
        return {"loc": 0.0}

    given = study(methods={"half": half}, n=20, contamination=None, replications=60)
    result = given.run(max_errors=12, chunk=10, threads=1)
    assert result.progress()["done"].tolist() == [60]
    assert len(result.failures()) > 12


def test_warnings_of_threads_are_told_apart():
    def warns(x):
        warnings.warn(f"{x[0]:.9f}", stacklevel=2)
        time.sleep(0.002)
        warnings.warn(f"{x[0]:.9f}", stacklevel=2)
        return {"loc": x[0]}

    before = warnings.showwarning
    frame = study(methods={"warns": warns}, replications=40).run(threads=8, chunk=2).to_frame()
    assert frame["warned"].astype(str).tolist() == [f"UserWarning: {x:.9f}" for x in frame["estimate"]]
    assert warnings.showwarning is before


def test_a_sample_that_a_gan_refuses_is_one_failure():
    def constant_at_times(rng, n, loc):
        x = loc + rng.standard_normal(n)
        return np.full(n, loc) if rng.random() < 0.2 else x

    truth = hg.truth(constant_at_times, loc=1.0)
    given = study(
        truth=truth, contamination=None, n=40, methods={"root": {"generator": hg.generators.Normal()}}, replications=30
    )
    result = given.run()
    refused = [np.ptp(given.replay(given.cells[0], r).sample) == 0 for r in range(30)]
    assert 0 < sum(refused) < 30
    frame = result.to_frame().query("parameter == 'loc'")
    np.testing.assert_array_equal(frame["estimate"].isna(), refused)
    np.testing.assert_array_equal(frame["converged"], ~np.array(refused))
    assert result.failures()["message"].str.contains("constant|vary|equal").all()


def test_samples_that_a_family_cannot_have_are_failures():
    """Some replicates have a negative observation, which a Gamma law refuses; the others are as without them."""
    truth = hg.truth(hg.generators.Gamma(), a=3.0, scale=1.0)
    few = hg.PointMass(0.01, at=-1.0, binomial=True)
    given = study(truth=truth, contamination=few, n=60, methods={"root": {}}, replications=24)
    result = given.run(chunk=24)
    cell = given.cells[0]
    lost = [sample.min() < 0 for sample in cell.samples(streams(3, cell.key, range(24)))]
    frame = result.to_frame().query("parameter == 'a'")
    assert 3 < sum(lost) < 21
    np.testing.assert_array_equal(frame["estimate"].isna(), lost)
    assert frame.loc[frame["estimate"].isna(), "message"].astype(str).str.startswith("ValueError: ").all()
    pd.testing.assert_frame_equal(plain(given.run(chunk=5)), plain(result), check_exact=True)


def test_networks_and_large_samples_go_one_by_one():
    network = study(methods={"mlp": {"discriminator": hg.discriminators.MLP(3)}}, n=60, contamination=None)
    assert network._design.plans["mlp"].method.batch(network.cells[0].setting(0.95, 1)) == 1
    frame = (
        study(methods={"mlp": {"discriminator": hg.discriminators.MLP(3)}}, n=60, contamination=None, replications=1)
        .run(chunk=1)
        .to_frame()
    )
    assert frame["std_error"].isna().all()
    assert frame["estimate"].notna().all()
    large = study(methods={"root": {}}, n=100_001, contamination=None, replications=2)
    assert large._design.plans["root"].method.batch(large.cells[0].setting(0.95, 1)) == 1


# Results.


def test_frames_and_datasets_agree():
    result = study(methods={"mean": mean, "median": {"comparator": "median_mad", "replications": 5}}).run()
    frame, data = result.to_frame(), result.to_xarray()
    assert dict(data.sizes) == {"method": 2, "contamination": 2, "n": 2, "replicate": 12, "parameter": 2}
    assert data["contamination"].values.tolist() == ["none", FAR.label]  # the study's order
    for row in frame.sample(20, random_state=0).to_dict("records"):
        at = {factor: row[factor] for factor in ("method", "contamination", "n", "replicate")}
        assert float(data["estimate"].sel({**at, "parameter": row["parameter"]})) == row["estimate"]
        assert float(data["converged"].sel(at)) == row["converged"]
    assert np.isnan(data["estimate"].sel({"method": "median", "replicate": 7})).all()
    assert np.isnan(data["estimate"].sel({"method": "mean", "parameter": "scale"})).all()
    assert float(data["truth"].sel(contamination="none", n=20, parameter="scale")) == 2.0
    assert (frame["eps"] == np.where(frame["contamination"] == "none", 0.0, 0.2)).all()


def test_performance_is_that_of_the_estimates():
    result = study(replications=50, contamination=None, n=20).run()
    table = (
        result.performance(reference="mean", null={"loc": 0.0})
        .query("parameter == 'loc'")
        .set_index(["method", "measure"])
    )
    loc = result.to_frame().query("parameter == 'loc'").pivot(index="replicate", columns="method", values="estimate")
    assert table.loc[("mean", "bias"), "value"] == pytest.approx(loc["mean"].mean() - 1, rel=1e-12)
    assert table.loc[("median", "empirical_se"), "value"] == pytest.approx(loc["median"].std(), rel=1e-12)
    ratio = loc["mean"].var() / loc["median"].var()
    assert table.loc[("median", "relative_efficiency"), "value"] == pytest.approx(ratio, rel=1e-12)
    frame = result.to_frame().query("parameter == 'loc' and method == 'mean'")
    assert table.loc[("mean", "rejection"), "value"] == ((frame["lower"] > 0) | (frame["upper"] < 0)).mean()


def test_tables_as_text():
    result = study(replications=50).run()
    text = result.to_markdown(["bias", "coverage"])
    lines = text.splitlines()
    assert lines[0] == "| contamination | n | method | parameter | bias | coverage |"
    assert len(lines) == 2 + 4 * 3
    bias = result.performance(["bias"]).iloc[0]
    assert f"{bias['value']:.3f} ({bias['mcse']:.3f})" in lines[2]
    assert "\\begin{tabular}" in result.to_latex(["bias"])
    assert "\\begin{table}" not in result.to_latex(["bias"])
    made = result.to_latex(["bias"], caption="Bias of $\\mu$", label="tab:bias")
    assert made.startswith("\\begin{table}\n\\caption{Bias of $\\mu$}\n\\label{tab:bias}\n")
    assert made.endswith("\\end{table}")
    assert result.to_latex(["bias"]) in made
    with pytest.raises(TypeError, match="caption: got 3; give a text"):
        result.to_latex(["bias"], caption=3)  # pyright: ignore[reportArgumentType]


def test_replications_for_a_wanted_error():
    given = study()
    assert given.replications_for(0.005) == 1900  # .95 * .05 / .005^2
    pilot = study(replications=50).run()
    table = given.replications_for(0.01, "bias", pilot)
    error = pilot.performance(["bias"])["mcse"].to_numpy()
    np.testing.assert_array_equal(table["replications"], np.ceil(50 * (error / 0.01) ** 2))


def test_replications_with_failures_and_without_an_error():
    failing = study(methods={"sometimes": sometimes}, n=20, contamination=None, replications=60)
    pilot = failing.run()
    (bias,) = pilot.performance(["bias"]).to_dict("records")
    (found,) = failing.replications_for(0.01, "bias", pilot)["replications"]
    assert bias["n_used"] < 60
    assert found == np.ceil(60 * (bias["mcse"] / 0.01) ** 2)  # failures cost replications, too
    wide = {"wide": lambda x: {"estimate": {"loc": 1.0}, "std_error": {"loc": 9.0}}}
    given = study(methods=wide, n=20, contamination=None, replications=10)
    pilot = given.run()
    assert given.replications_for(0.005, "coverage", pilot)["replications"].tolist() == [1900]  # of the level, as above
    assert given.replications_for(0.005, "bias", pilot)["replications"].isna().all()
    (cell,) = given.cells
    first = np.median(cell.samples(streams(3, cell.key, range(20)))[:, 0])
    half = {"half": lambda x: {**wide["wide"](x), "converged": x[0] < first}}
    pilot = study(methods=half, n=20, contamination=None, replications=20).run()
    assert len(pilot.failures()) == 10
    assert pilot.replications_for(0.005, "coverage")["replications"].tolist() == [2 * 1900]
    compared = study(n=20, contamination=None, replications=30)
    table = compared.replications_for(0.1, "relative_efficiency", compared.run(), reference="mean", methods=["median"])
    assert set(table["method"]) == {"median"}
    with pytest.raises(ValueError, match="mcse: got 0"):
        pilot.replications_for(0, "bias")


# Figures: that they draw what frames hold is for test_study_plots.


@pytest.fixture(scope="module")
def drawn():
    methods = {"mean": lambda x: {"estimate": {"loc": x.mean(), "scale": x.std()}}, "median": "median_mad"}
    return study(methods=methods, replications=40).run()


def test_figures_of_a_result(drawn):
    cell = {"contamination": "none", "n": 20}
    zipped = drawn.plot_zip("loc", cell, methods=["median"])
    assert len(zipped) == 1
    assert "40" in zipped[0].get_title() or "median" in zipped[0].get_title()
    assert drawn.plot_lollipop(("bias", "coverage"), "loc", cell).shape == (1, 2)
    assert drawn.plot_contamination("loc", ("bias", "rmse"), {"n": 20}).shape == (2,)
    loop = drawn.plot_nested_loop("bias", "scale")
    table = drawn.performance(["bias"]).query("parameter == 'scale' and method == 'mean'")
    values = np.round(np.sort(table["value"]), 12)
    assert any(np.isin(values, np.round(line.get_ydata(), 12)).all() for line in loop.get_lines())
    quantiles = drawn.plot_qq("loc", cell)
    assert len(quantiles) == 1  # the mean has no standard errors here
    pairs = drawn.plot_joint("mean", where=cell)
    assert pairs.shape == (2, 2)
    plt.close("all")


def test_figures_ask_for_a_single_cell(drawn):
    with pytest.raises(ValueError, match="contamination"):
        drawn.plot_zip("loc")
    with pytest.raises(ValueError, match="there are several cells"):
        drawn.plot_joint("mean")
    with pytest.raises(ValueError, match=r"where: one cell is left, .*use plot_lollipop"):
        drawn.plot_nested_loop("bias", "scale", {"contamination": "none", "n": 20})
    with pytest.raises(ValueError, match="reports no 'df'"):
        drawn.plot_joint("mean", ["df"], {"contamination": "none", "n": 20})
    with pytest.raises(ValueError, match="'m' is no factor"):
        drawn.plot_zip("loc", {"m": 3})
    with pytest.raises(ValueError, match="no row has n = 7"):
        drawn.plot_zip("loc", {"n": 7})
    with pytest.raises(ValueError, match="there are loc, scale; name one"):
        drawn.plot_qq(where={"contamination": "none", "n": 20})
    plt.close("all")
