"""What the page on networks says in words of the studies' saved numbers."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from replicate import FULL

RESULTS = Path(__file__).resolve().parents[2] / "benchmarks" / "studies" / "results"


@pytest.mark.slow
@pytest.mark.skipif(not FULL, reason="a minute each")
@pytest.mark.parametrize("name", ["ring", "generalisation", "neural_intervals"])
def test_scripts_run(name, tmp_path):
    command = [sys.executable, "-W", "error::FutureWarning", str(RESULTS.parent / f"{name}.py"), "--quick"]
    done = subprocess.run([*command, "--out", str(tmp_path)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    text = (tmp_path / f"{name}.md").read_text()
    assert text.split("\n\n")[1].startswith(f"Made by `benchmarks/studies/{name}.py`, hellgan ")
    assert "nan" not in text.lower().split()
    frame = pd.read_parquet(tmp_path / f"{name}.parquet")
    assert set(frame) == set(pd.read_parquet(RESULTS / f"{name}.parquet"))


def test_what_covers_the_ring():
    frame: Any = pd.read_parquet(RESULTS / "ring.parquet")
    full: Any = frame.assign(full=frame["modes"] == 8).groupby(["players", "loss", "noise"])["full"].sum()
    mixed = {
        key: int(full["3 against 3", *key]) for key in (("root", 0.5), ("log_ns", 0.5), ("root", 0.0), ("log_ns", 0.0))
    }
    assert mixed == {("root", 0.5): 5, ("log_ns", 0.5): 4, ("root", 0.0): 1, ("log_ns", 0.0): 0}
    near: Any = frame.groupby(["players", "loss", "noise"])["near"].mean()
    assert near["3 against 3"].min() > near["one generator"].max()
    assert frame.groupby(["players", "loss", "noise"]).size().eq(5).all()


def test_what_generalises():
    """The sentence on few points, and that the distance falls like the root of parameters by n once n passes them."""
    frame: Any = pd.read_parquet(RESULTS / "generalisation.parquet")
    points: Any = pd.read_parquet(RESULTS / "generalisation_points.parquet")
    mean: Any = frame.groupby(["measure", "d", "n"])["value"].mean()
    assert round(float(points[points["m"] == 1000]["value"].mean()), 2) == 0.32
    assert round(float(mean["neural net", 16, 1600]), 2) == 0.26
    assert mean["JSD"].round(4).eq(0.6931).all()
    for d in (1, 4, 16, 64):  # four times the observations: about half the distance, where they are enough
        assert 0.4 < mean["neural net", d, 6400] / mean["neural net", d, 1600] < 0.6
    assert mean["Wasserstein", 64, 1600] > 0.9 * mean["Wasserstein", 64, 100]


def test_what_intervals_cover():
    """The study is of the size that the page says, and no coverage lies three Monte Carlo errors below the nominal."""
    frame: Any = pd.read_parquet(RESULTS / "neural_intervals.parquet")
    truths = {
        ("normal", "mean"): 1.0, ("normal", "P(X > 2)"): 0.25249, ("normal", "E abs(X - 1)"): 1.19683,
        ("gamma", "mean"): 3.0, ("gamma", "P(X > 2)"): 0.67668, ("gamma", "E abs(X - 1)"): 2.04728,
    }  # fmt: skip
    for (law, functional), own in frame.groupby(["law", "functional"]):
        assert len(own) == 60
        truth = truths[law, functional]
        for kind in ("percentile", "normal"):
            covered = ((own[f"{kind}_lower"] <= truth) & (truth <= own[f"{kind}_upper"])).mean()
            assert covered > 0.95 - 3 * (0.95 * 0.05 / 60) ** 0.5
