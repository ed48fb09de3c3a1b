"""The same study gives the same bits whoever computes it, whatever dies on the way, and does nothing twice."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest
from studied import study

from hellgan import cli, montecarlo
from hellgan.montecarlo import engine
from hellgan.montecarlo.store import Store

pytestmark = pytest.mark.slow
SCRIPT = Path(__file__).parents[1] / "support" / "studied.py"


@pytest.fixture(scope="module")
def serial():
    """The study's frame, by one thread."""
    return plain(study().run(threads=1, chunk=40))


def plain(result):
    return result.to_frame().drop(columns="seconds")


def parts(folder):
    return {p: (p.read_bytes(), p.stat().st_mtime_ns) for p in folder.rglob("*.parquet")}


def assert_same(frame, serial):
    pd.testing.assert_frame_equal(frame, serial, check_exact=True)
    assert len(frame) == 2 * 40 * 6
    assert not frame.duplicated(["method", "contamination", "replicate", "parameter"]).any()


def test_two_threads_change_no_bit(serial):
    assert_same(plain(study().run(threads=2, chunk=7)), serial)


@pytest.mark.parametrize("patience", [1, 9, 31])
def test_a_killed_study_is_taken_up_where_it_stopped(patience, serial, tmp_path):
    out = tmp_path / "study"
    run = subprocess.Popen([sys.executable, str(SCRIPT), str(out)])
    deadline = time.monotonic() + 300
    while run.poll() is None and len(parts(out)) < patience and time.monotonic() < deadline:
        time.sleep(0.001)
    run.send_signal(signal.SIGKILL)
    assert run.wait() == -signal.SIGKILL  # it was still at work
    before = parts(out)
    assert patience <= len(before) < 2 * 3 * 8
    result = study().run(out, chunk=5, threads=2)
    after = parts(out)
    assert {p: after[p] for p in before} == before  # nothing is done again
    assert len(after) == 2 * 3 * 8
    assert_same(plain(result), serial)


@pytest.fixture(scope="module")
def client():
    distributed = pytest.importorskip("distributed")
    import dask.config

    with (
        dask.config.set({"distributed.scheduler.allowed-failures": 10, "distributed.worker.daemon": False}),
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, processes=True, dashboard_address=":0", silence_logs=50
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        yield client


def test_a_cluster_changes_no_bit(serial, client):
    assert_same(plain(study().run(client=client, chunk=7)), serial)


def test_functions_of_the_main_module_reach_the_workers_once(client):
    def own(x):  # not to be imported by a worker
        return {"loc": 0.0, "pid": float(os.getpid()), "loads": float(engine._unpickled.cache_info().misses)}

    before = max(client.run(lambda: engine._unpickled.cache_info().misses).values())
    result = study(methods={"own": own}).run(client=client, chunk=2)
    frame = result.to_frame().pivot(index=["contamination", "replicate"], columns="parameter", values="estimate")
    assert frame["pid"].nunique() == 2
    assert os.getpid() not in set(frame["pid"])
    assert frame["loads"].max() <= before + 1


def test_a_worker_that_dies_loses_nothing(serial, client, tmp_path):
    killed = []

    add = Store.add

    def add_and_kill(self, *arguments):
        add(self, *arguments)
        if len(parts(tmp_path)) == 3:
            pid = sorted(client.run(os.getpid).values())[0]
            os.kill(pid, signal.SIGKILL)
            killed.append(pid)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Store, "add", add_and_kill)
        result = study().run(tmp_path, client=client, chunk=5)
    assert killed
    assert killed[0] not in client.run(os.getpid).values()
    assert len(parts(tmp_path)) == 2 * 3 * 8
    assert_same(plain(result), serial)


def test_an_interrupt_keeps_what_is_done(serial, tmp_path):
    def interrupt(self, *arguments):
        add(self, *arguments)
        if len(parts(tmp_path)) == 4:
            raise KeyboardInterrupt

    add = Store.add
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Store, "add", interrupt)
        with pytest.raises(KeyboardInterrupt):
            study().run(tmp_path, chunk=5)
    before = parts(tmp_path)
    assert len(before) == 4
    result = study().run(tmp_path, chunk=5)
    after = parts(tmp_path)
    assert {p: after[p] for p in before} == before
    assert_same(plain(result), serial)


def test_tasks_are_taken_as_they_are_needed():
    taken = []

    def tasks():
        for task in made:
            taken.append(task)
            yield task

    design = study(methods={"median": "median_mad"})._design
    cell = next(iter(design.cells))
    made = [engine.Task(cell, "median", k, k + 1, ("loc", "scale")) for k in range(200)]
    outcomes = engine.in_threads(design, tasks(), 2)
    next(outcomes)
    assert len(taken) <= 10
    assert sorted(o.task.begin for o in outcomes)[-1] == 199


def test_the_command_runs_on_the_cluster_of_an_address(client, tmp_path, capsys):
    design = "n = 30\nreplications = 20\n[truth]\ngenerator = 'Normal'\nloc = 1.0\nscale = 2.0\n[methods]\n"
    (tmp_path / "beside.py").write_text("import os\n\ndef own(x):\n    return {'loc': x.mean(), 'pid': os.getpid()}\n")
    (tmp_path / "design.toml").write_text(f"{design}own = 'beside:own'\n")  # which no worker could import
    out, path = str(tmp_path / "out"), str(tmp_path / "design.toml")
    assert cli.main(["study", path, "--out", out, "--scheduler", client.scheduler.address]) == 0
    frame = montecarlo.read(out).to_frame()
    assert capsys.readouterr().out == montecarlo.read(out).to_markdown()
    assert len(frame) == 2 * 20
    workers = set(client.run(os.getpid).values())
    assert set(frame.loc[frame["parameter"] == "pid", "estimate"]) <= workers
