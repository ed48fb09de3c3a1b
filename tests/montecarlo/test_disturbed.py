"""A study that is killed, interrupted, or run twice at once gives the bits of an undisturbed one."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from disturbed import study
from replicate import replications

from hellgan.montecarlo import store

pytestmark = pytest.mark.slow
SCRIPT = Path(__file__).parents[1] / "support" / "disturbed.py"


def plain(result):
    return result.to_frame().drop(columns="seconds")


@pytest.fixture(scope="module")
def undisturbed():
    return plain(study().run(threads=1))


def started(out, chunk=4):
    command = [sys.executable, str(SCRIPT), str(out), str(chunk)]
    run = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert run.stdout is not None
    assert run.stdout.readline() == "ready\n"
    return run


def parts(folder):
    return {p: (p.read_bytes(), p.stat().st_mtime_ns) for p in folder.rglob("*.parquet")}


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM])
def test_signals_at_random_moments(number, undisturbed, tmp_path):
    rng, longest = np.random.default_rng(number), 0.8
    ended: list[int] = []
    for trial in range(12 + replications(20, 2)):
        if -number in ended and trial >= replications(20, 2):
            break
        out = tmp_path / str(trial)
        run = started(out)
        time.sleep(rng.uniform(0, longest))
        run.send_signal(number)
        _, said = run.communicate()
        ended.append(run.returncode)
        longest /= 1 if run.returncode else 2  # it was over before the signal came
        if number == signal.SIGINT and "replicates are kept in" in said:
            assert said.splitlines()[-1].startswith("KeyboardInterrupt: ")
        before = parts(out)
        result = study().run(out, chunk=7)
        after = parts(out)
        assert {p: after[p] for p in before} == before  # nothing is lost, or done again
        pd.testing.assert_frame_equal(plain(result), undisturbed, check_exact=True)
    assert set(ended) <= {0, -number}
    assert -number in ended


def test_two_writers_at_once(undisturbed, tmp_path):
    runs = [started(tmp_path / "out", chunk) for chunk in (4, 7)]
    for run in runs:
        _, said = run.communicate()
        assert run.returncode == 0, said
    result = study().run(tmp_path / "out")
    pd.testing.assert_frame_equal(plain(result), undisturbed, check_exact=True)
    for name in ("mean", "median"):
        for key in result._manifest["cells"]:
            assert store.missing(result._store.covered(name, key), 60) == []
