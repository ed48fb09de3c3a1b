"""Folders that something happened to: results are those of an undisturbed study to the bit, or refused by name."""

import json
import os
import re
import shutil
import threading
import warnings

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

import hellgan as hg
from hellgan import cli
from hellgan.montecarlo import continuing, parts, store

NORMAL = hg.truth(hg.generators.Normal(), loc=1.0, scale=2.0)


def mean(x):
    return {"estimate": {"loc": x.mean()}, "std_error": {"loc": x.std(ddof=1) / np.sqrt(len(x))}}


def spread(x):
    if x[0] > 3:
        raise ArithmeticError("half of a pair: \ud83d")
    return {"scale": x.std(), "range": np.ptp(x)}


def study(**changes):
    arguments = {"truth": NORMAL, "n": [20, 30], "methods": {"mean": mean, "spread": spread}, "replications": 12}
    return hg.Study(**{**arguments, **changes})


DESIGN = """
n = 20
replications = 6
truth = { generator = "Normal", loc = 1.0, scale = 2.0 }
methods = { m = "median_mad" }
"""


def plain(result):
    return result.to_frame().drop(columns="seconds")


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """The folder of a study, and its frame."""
    folder = tmp_path_factory.mktemp("study") / "out"
    return folder, plain(study().run(folder, chunk=5))


@pytest.fixture
def copy(finished, tmp_path):
    return shutil.copytree(finished[0], tmp_path / "out")


def some_part(folder, method="mean"):
    return min(folder.glob(f"parts/*/{method}/*.parquet"))


# Parts.


def rewritten(path, change):
    """Write a part anew, as valid Parquet with the old mark, its table changed."""
    found = pq.read_table(path)
    pq.write_table(change(found).replace_schema_metadata(found.schema.metadata), path)


def replaced(name, change):
    def changed(found):
        at = found.column_names.index(name)
        return found.set_column(at, name, change(found[name]))

    return changed


DAMAGES = {
    "cut short": lambda path: path.write_bytes(path.read_bytes()[:-40]),
    "empty": lambda path: path.write_bytes(b""),
    "text": lambda path: path.write_text("estimate\n1.0\n"),
    "fewer replicates": lambda path: rewritten(path, lambda found: found.slice(1)),
    "a replicate twice": lambda path: rewritten(path, lambda found: found.take([0, *range(len(found) - 1)])),
    "another order": lambda path: rewritten(path, lambda found: found.take(list(range(len(found)))[::-1])),
    "another value": lambda path: rewritten(path, replaced("estimate", lambda c: [[v.as_py() + 1e-12 for v in c]])),
    "another message": lambda path: rewritten(path, replaced("message", lambda c: [["lost"] * len(c)])),
    "a column less": lambda path: rewritten(path, lambda found: found.drop_columns(["upper"])),
    "no replicates": lambda path: rewritten(path, lambda found: found.drop_columns(["replicate"])),
    "those of another method": lambda path: shutil.copy(some_part(path.parents[2].parent, "spread"), path),
    "those of another cell": lambda path: shutil.copy(
        next(p for p in path.parents[2].glob("*/mean/*") if p.parent != path.parent and p.name == path.name), path
    ),
    "those of other replicates": lambda path: shutil.copy(max(path.parent.glob("*.parquet")), path),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_part_is_named_and_done_again(damage, finished, copy):
    path = some_part(copy)
    DAMAGES[damage](path)
    damaged = path.read_bytes()
    with pytest.raises(
        ValueError, match=rf"{re.escape(str(path))} is damaged .*; run the study again with repair=True"
    ):
        hg.montecarlo.read(copy).to_frame()
    with pytest.raises(ValueError, match="is damaged"):
        study().run(copy).performance()
    others = {p: p.stat().st_mtime_ns for p in copy.rglob("*.parquet") if p != path}
    result = study().run(copy, repair=True)
    pd.testing.assert_frame_equal(plain(result), finished[1], check_exact=True)
    (aside,) = copy.rglob("*.damaged")
    assert aside.read_bytes() == damaged
    assert {p: p.stat().st_mtime_ns for p in others} == others
    pd.testing.assert_frame_equal(plain(study().run(copy, repair=True)), finished[1], check_exact=True)


def test_no_flipped_bit_changes_a_number(finished, copy):
    path = some_part(copy, "spread")
    good, expected = path.read_bytes(), finished[1]
    rng, refused = np.random.default_rng(0), 0
    begin, end = parts.range_of(path) or (0, 0)
    place = parts.Place(path.parents[1].name, "spread", begin, end)
    wanted = parts.read(path, place)
    for at in rng.choice(len(good), 150, replace=False):
        bad = bytearray(good)
        bad[at] ^= 1 << int(rng.integers(8))
        path.write_bytes(bad)
        try:
            found = parts.read(path, place)
        except ValueError as error:
            refused += str(path) in str(error)
        else:
            np.testing.assert_equal(found.to_pydict(), wanted.to_pydict())
    assert refused > 50
    path.write_bytes(good)
    pd.testing.assert_frame_equal(plain(hg.montecarlo.read(copy)), expected, check_exact=True)


def test_no_flipped_bit_of_the_footer_changes_a_type(finished, copy):
    """Arrow's own schema is there, beside Parquet's, and no checksum covers it: of texts it says more than Parquet."""
    path = some_part(copy, "spread")
    good = path.read_bytes()
    begin, end = parts.range_of(path) or (0, 0)
    place = parts.Place(path.parents[1].name, "spread", begin, end)
    wanted, read = parts.read(path, place), 0
    for at in range(len(good) - 800, len(good), 3):
        for bit in range(0, 8, 2):
            path.write_bytes(good[:at] + bytes([good[at] ^ 1 << bit]) + good[at + 1 :])
            try:
                found = parts.read(path, place)
            except ValueError:
                continue
            read += 1
            np.testing.assert_equal(found.to_pydict(), wanted.to_pydict())
            assert found.schema.equals(wanted.schema)
    assert read > 20


@pytest.mark.parametrize(
    "name",
    ["._{}", "{} (1)", "copy", ".{}", "00000005-00000005", "00000005-00000003", chr(0x660) * 8 + "-00000005", "0-5"],
)
@pytest.mark.parametrize("content", [b"", None])
def test_foreign_files_beside_parts_are_left_alone(name, content, finished, copy):
    path = some_part(copy)
    stray = path.with_name(name.format(path.stem) + ".parquet")
    stray.write_bytes(path.read_bytes() if content is None else content)
    for result in (hg.montecarlo.read(copy), study().run(copy), study().run(copy, repair=True)):
        pd.testing.assert_frame_equal(plain(result), finished[1], check_exact=True)
    assert stray.exists()


def test_a_part_that_is_gone_is_done_again(finished, copy):
    some_part(copy).unlink()
    shutil.rmtree(some_part(copy, "spread").parent)
    assert len(hg.montecarlo.read(copy).to_frame()) < len(finished[1])
    pd.testing.assert_frame_equal(plain(study().run(copy, chunk=3)), finished[1], check_exact=True)


def test_parts_without_checksums_are_read(finished, copy):
    """As earlier versions wrote them."""
    for path in copy.rglob("*.parquet"):
        pq.write_table(pq.read_table(path).replace_schema_metadata(None), path)
    pd.testing.assert_frame_equal(plain(hg.montecarlo.read(copy)), finished[1], check_exact=True)
    path = some_part(copy)
    pq.write_table(pq.read_table(path).slice(1), path)
    with pytest.raises(ValueError, match="other replicates than its name says"):
        hg.montecarlo.read(copy).to_frame()


def test_the_command_repairs(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    text = (
        'n = 20\nreplications = 6\n[truth]\ngenerator = "Normal"\nloc = 1.0\nscale = 2.0\n[methods]\nm = "median_mad"\n'
    )
    (tmp_path / "design.toml").write_text(text)
    assert cli.main(["study", "design.toml"]) == 0
    table = capsys.readouterr().out
    path = some_part(tmp_path / "design", "m")
    path.write_bytes(path.read_bytes()[:-1])
    assert cli.main(["study", "design.toml"]) == 2
    said = capsys.readouterr().err
    assert "is damaged" in said
    assert "hellgan study with --repair" in said
    assert cli.main(["study", "design.toml", "--repair"]) == 0
    assert capsys.readouterr().out == table


# Manifests.


def changed(folder, **changes):
    """Change a manifest, with the right checksum; None leaves out."""
    path = folder / "manifest.json"
    manifest = continuing.read(path.read_bytes(), path)
    for name, value in changes.items():
        manifest[name] = value(manifest[name]) if callable(value) else value
        if value is None:
            del manifest[name]
    path.write_bytes(continuing.written(manifest))


BAD_MANIFESTS = {
    "no seed": {"seed": None},
    "a seed of text": {"seed": "1"},
    "no level": {"level": 2.0},
    "no methods": {"methods": {}},
    "methods of another kind": {"methods": [1]},
    "cells of another kind": {"cells": lambda cells: list(cells)},
    "cells that lead out": {"cells": lambda cells: {"../../..": next(iter(cells.values()))}},
    "methods that lead out": {"methods": lambda methods: {"../x": methods["mean"]}},
    "a method in no cell": {"methods": lambda methods: {"mean": {**methods["mean"], "cells": ["0" * 16]}}},
    "truths of text": {"cells": lambda cells: {k: {**c, "estimands": {"loc": "a"}} for k, c in cells.items()}},
    "other factors": {"factors": ["m"]},
    "replications": {"methods": lambda methods: {"mean": {**methods["mean"], "replications": -1}}},
}


@pytest.mark.parametrize("kind", BAD_MANIFESTS)
def test_a_manifest_that_no_study_writes_is_named(kind, copy):
    changed(copy, **BAD_MANIFESTS[kind])
    for what in (lambda: hg.montecarlo.read(copy), lambda: study().run(copy)):
        with pytest.raises(ValueError, match=rf"the manifest {re.escape(str(copy))}.* is damaged"):
            what()


def test_a_changed_number_in_a_manifest_is_seen(copy):
    path = copy / "manifest.json"
    text = path.read_text()
    for old, new in (('"loc": 1.0', '"loc": 3.0'), ('"level": 0.95', '"level": 0.90'), ('"checksum"', '"checksun"')):
        assert old in text
        path.write_text(text.replace(old, new, 1))
        with pytest.raises(ValueError, match=r"manifest .* is damaged.*checksum"):
            hg.montecarlo.read(copy)
    path.unlink()
    path.mkdir()
    with pytest.raises(OSError, match=r"the manifest .* cannot be read"):
        hg.montecarlo.read(copy)


def test_a_folder_of_earlier_definitions(finished, copy):
    """It is gone on with where no function of one's own is in it, and read in any case."""

    def old(folder):
        path = folder / "manifest.json"
        manifest = json.loads(path.read_text())
        path.write_text(json.dumps({k: v for k, v in manifest.items() if k not in ("checksum", "definitions")}))

    old(copy)
    pd.testing.assert_frame_equal(plain(hg.montecarlo.read(copy)), finished[1], check_exact=True)
    text = (copy / "manifest.json").read_text()
    hashes = {name: method["hash"] for name, method in json.loads(text)["methods"].items()}
    (copy / "manifest.json").write_text(text.replace(hashes["mean"], "0" * 16))
    with pytest.raises(ValueError, match="whether the method mean is still what it was; give another folder, and read"):
        study().run(copy)
    few = {"methods": {"median": "median_mad"}, "replications": 3}
    study(**few).run(copy.parent / "few")
    old(copy.parent / "few")
    assert len(study(**{**few, "replications": 5}).run(copy.parent / "few").to_frame()) == 2 * 5 * 2


def test_another_version_is_named(copy):
    changed(copy, hellgan="0.0.1")
    with pytest.raises(ValueError, match=r"was run with version of hellgan 0\.0\.1, this study has"):
        study().run(copy)
    changed(copy, hellgan=hg.__version__, format=2)
    with pytest.raises(ValueError, match=r"the manifest .* has format 2; this version reads 1"):
        hg.montecarlo.read(copy)


def test_another_python_is_named(copy):
    changed(copy, versions={"python": "3.7.1"}, methods=lambda m: {"mean": {**m["mean"], "hash": "0" * 16}})
    with pytest.raises(ValueError, match=r"the folder is of Python 3\.7\.1, which compiles functions otherwise"):
        study().run(copy)


def test_a_method_that_cannot_be_told_is_not_gone_on_with(tmp_path):
    lock = threading.Lock()

    def locked(x):
        with lock:
            return {"loc": x.mean()}

    given = study(methods={"locked": locked})
    assert len(given.run(tmp_path / "out").to_frame()) == 24
    with pytest.raises(ValueError, match=r"whether the method locked is what it was .* uses a _thread\.lock"):
        given.run(tmp_path / "out")


def test_studies_that_begin_together_lose_no_method(tmp_path, monkeypatch):
    """The second writes its manifest between the first's reading and writing."""
    out, write, begun = tmp_path / "out", store.Store._write, []

    def late(self, path, content):
        if path.name == "manifest.json" and not begun:
            begun.append(1)
            with monkeypatch.context() as patch:
                patch.setattr(store.Store, "_locked", lambda self: warnings.catch_warnings())  # no lock there
                study(methods={"spread": spread}).run(out)
        write(self, path, content)

    monkeypatch.setattr(store.Store, "_write", late)
    study(methods={"mean": mean}).run(out)
    assert begun
    result = study(methods={"spread": spread}).run(out)
    assert sorted(hg.montecarlo.read(out).methods) == ["mean", "spread"]
    assert result.progress()["done"].tolist() == [12, 12]


def test_threads_that_begin_together_lose_nothing(tmp_path):
    out = tmp_path / "out"
    given = {name: study(methods={name: method}) for name, method in (("mean", mean), ("spread", spread))}
    shared = [study(), study()]
    runs = [threading.Thread(target=each.run, args=(out,), kwargs={"chunk": 2}) for each in [*given.values(), *shared]]
    for run in runs:
        run.start()
    for run in runs:
        run.join()
    pd.testing.assert_frame_equal(plain(study().run(out)), plain(study().run()), check_exact=True)
    assert sorted(hg.montecarlo.read(out).methods) == ["mean", "spread"]


# Writing.


def test_a_full_disk_is_named_and_gone_on_from(finished, tmp_path):
    resource = pytest.importorskip("resource")
    out = tmp_path / "out"
    study(replications=3).run(out)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2000, hard))
    try:
        with pytest.raises(
            OSError, match=r"out: .* cannot be written \(File too large\); what was written before stays"
        ):
            study().run(out)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert not list(out.rglob("*.part"))
    pd.testing.assert_frame_equal(plain(study().run(out)), finished[1], check_exact=True)


def test_texts_that_utf8_cannot_hold_are_escaped(finished):
    failed = finished[1].loc[~finished[1]["converged"], "message"]
    assert set(failed.astype(str)) == {"ArithmeticError: half of a pair: \\ud83d"}

    class Mute(Exception):
        def __str__(self):
            raise RuntimeError

    def mute(x):
        if x[0] > 1:
            raise Mute
        warnings.warn("half: \udc00", stacklevel=1)
        return {"loc": x.mean()}

    result = study(methods={"mute": mute}).run()
    assert set(result.failures()["message"]) == {"Mute: its text cannot be had"}
    assert set(result.warnings()["warned"]) == {"UserWarning: half: \\udc00"}


def test_an_interrupt_says_what_is_kept(tmp_path, monkeypatch, capsys, finished):
    add = store.Store.add

    def interrupt(self, *arguments):
        if len(list((tmp_path / "out").rglob("*.parquet"))) == 4:
            raise KeyboardInterrupt
        add(self, *arguments)

    with monkeypatch.context() as patch:
        patch.setattr(store.Store, "add", interrupt)
        with pytest.raises(
            KeyboardInterrupt, match=r"^\d+ of 48 replicates are kept in .*out; run the study with this"
        ):
            study().run(tmp_path / "out", chunk=4)
    pd.testing.assert_frame_equal(plain(study().run(tmp_path / "out")), finished[1], check_exact=True)

    def at_once(*arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr(store.Store, "add", at_once)
    with pytest.raises(KeyboardInterrupt, match="nothing is kept; give out="):
        study().run()
    monkeypatch.chdir(tmp_path)
    text = (
        'n = 20\nreplications = 6\n[truth]\ngenerator = "Normal"\nloc = 1.0\nscale = 2.0\n[methods]\nm = "median_mad"\n'
    )
    (tmp_path / "design.toml").write_text(text)
    assert cli.main(["study", "design.toml"]) == 130
    said = (
        "hellgan study: interrupted; 0 of 6 replicates are kept in design; run the study with this folder to go on.\n"
    )
    assert capsys.readouterr().err == said


@pytest.mark.parametrize(
    ("client", "said"), [(3, r"client: got 3; give a distributed\.Client"), ("tcp://a:1", "client: got 'tcp://a:1'")]
)
def test_what_is_no_client_is_refused(client, said):
    with pytest.raises(TypeError, match=said):
        study().run(client=client)


def test_an_asynchronous_client_is_refused(tmp_path):
    distributed = pytest.importorskip("distributed")
    import asyncio

    async def main():
        async with distributed.Client(
            processes=False, asynchronous=True, dashboard_address=":0", n_workers=1, threads_per_worker=1
        ) as client:
            with pytest.raises(TypeError, match="client: it is asynchronous; give a synchronous one"):
                study().run(tmp_path / "out", client=client)

    asyncio.run(main())
    assert not os.listdir(tmp_path)


# What methods return.


@pytest.mark.parametrize(
    ("returned", "said"),
    [
        ({}, "returned no estimate"),
        ({"estimate": {}}, "returned no estimate"),
        (pd.Series([1.0]), "named an estimate 0; give names as text"),
        (pd.DataFrame({"estimate": [1.0]}), "named an estimate 0"),
        ({0: 1.0}, "named an estimate 0"),
        ({"estimate": {"loc": 1.0}, "std_error": {"lco": 0.1}}, "a std_error of 'lco' without an estimate"),
        ({"estimate": {"loc": 1.0}, "lower": {"loc": 0.1}}, "returned lower without upper"),
        ({"estimate": {"loc": 1.0}, "upper": {"loc": 0.1}}, "returned upper without lower"),
        ({"estimate": {"loc": 1.0}, "std_error": 0.1}, "0.1 as its std_error; give a dict"),
        ({"lco": 1.0}, "estimates 'lco', which has no true value here; is it 'loc'"),
        ({"loc": 1.0, "Scale": 1.0}, "is it 'scale'"),
        (None, "returned None"),
    ],
)
def test_what_is_no_estimate_is_told_at_the_trial(returned, said, tmp_path):
    with pytest.raises(ValueError, match=f"methods: own cannot work in the cell .* n = 20: a function .*{said}"):
        study(methods={"own": lambda x: returned}).run(tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_series_and_frames_with_names_are_estimates():
    methods = {
        "series": lambda x: pd.Series({"loc": x.mean(), "scale": x.std()}),
        "frame": lambda x: pd.DataFrame({"estimate": [x.mean()], "std_error": [0.1]}, index=["loc"]),
        "dict": lambda x: {"loc": np.float32(x.mean())},
    }
    frame = study(methods=methods).run().to_frame()
    assert frame["estimate"].notna().all()
    assert frame.groupby("method", observed=True).size().to_dict() == {"series": 48, "frame": 24, "dict": 24}


def test_names_that_the_truth_does_not_have_are_told():
    with pytest.warns(UserWarning, match="methods: own estimates range, and the truth has loc, scale alone"):
        study(methods={"own": lambda x: {"range": np.ptp(x)}}).run()


@pytest.mark.parametrize("name", ["a/b", "a\\b", "a\0b", "", ".a", "\ud83d"])
def test_names_that_no_folder_can_have_are_refused(name):
    with pytest.raises(ValueError, match="cannot name a folder"):
        study(methods={name: mean})
