"""The studies of networks: they run, their reports say what was computed, and what is kept is not trained again."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from reports import ENTRY, agrees, tables

from hellgan.datasets import images

STUDIES = Path(__file__).resolve().parents[2] / "benchmarks" / "studies"


def launch(name, folder, *more) -> str:
    command = [sys.executable, str(STUDIES / f"{name}.py"), "--quick", *more]
    command += ["--out", str(folder / "out"), "--work", str(folder / "work")]
    environment = {name: value for name, value in os.environ.items() if name != "HELLGAN_MNIST"}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 0, done.stderr[-3000:]
    return (folder / "out" / f"{name}.md").read_text()


@pytest.mark.slow
def test_the_experiment_on_images(tmp_path):
    if not (os.environ.get("HELLGAN_FASHION_MNIST") or images.FOLDER.exists()):
        pytest.skip("Debian's package dataset-fashion-mnist is not installed")
    text = launch("images", tmp_path)
    models = {file: file.stat().st_mtime_ns for file in (tmp_path / "work").rglob("*.json")}
    told = {file.stem: json.loads(file.read_text()) for file in models}
    assert len(told) == 2 * 2 + 2  # two cells, two methods; what either sample itself scores
    assert "Digits are left out" in text
    frame = pd.read_parquet(tmp_path / "out" / "images.parquet")
    found = tables(text)
    header, *rows = found["Fréchet distance from the clean test images"]
    assert header == ["FD of models of", "seeds", "log_ns", "trimmed", "its sample"]
    assert [row[0] for row in rows] == ["clean", "20 % inverted"]
    for row, cell in zip(rows, ("clean-00", "inverted-20"), strict=True):
        for method, entry in zip(header[2:], row[2:], strict=True):
            file = f"{cell}-sample" if method == "its sample" else f"{cell}-{method}-0"
            assert agrees(entry.split()[0], told[file]["fd"]).all()
            own = frame.query("cell == @row[0] and method == @method and measure == 'fd'")
            assert own["value"].item() == pytest.approx(told[file]["fd"])
    # The sample's own share of outliers is what was put in, and a clean one has none.
    assert told["inverted-20-sample"]["inverted"] == pytest.approx(0.2, abs=0.06)
    assert told["clean-00-sample"]["inverted"] < 0.03
    assert told["inverted-20-trimmed-0"]["outliers_kept"] < 0.2 < 0.6 < told["inverted-20-trimmed-0"]["clean_kept"]
    (_, *verdicts) = next(rows for title, rows in found.items() if title.startswith("Less those of `log_ns`"))
    assert [row[0] for row in verdicts] == ["trimmed"]
    difference = told["clean-00-trimmed-0"]["fd"] - told["clean-00-log_ns-0"]["fd"]
    assert agrees(ENTRY.match(verdicts[0][1])[1], difference).all()  # pyright: ignore
    launch("images", tmp_path, "--resume")
    assert {file: file.stat().st_mtime_ns for file in models} == models
    # So is what only the report's folder has.
    shutil.rmtree(tmp_path / "work")
    launch("images", tmp_path)
    assert {file.stem: json.loads(file.read_text()) for file in models} == told


def test_what_the_page_says_of_robustness():
    """The sentences below the tables, from the numbers that were saved."""
    frame = pd.read_parquet(STUDIES / "results" / "images.parquet").set_index(["measure", "cell", "method"])["value"]
    losses = ["log_ns", "root", "root_ns", "hellinger", "least_squares"]

    def of(measure, cell, methods=losses):
        return frame.loc[[(measure, cell, method) for method in methods]].to_numpy()

    digits, inverted = "percent digits", "percent inverted"
    for share, low, high in ((20, 8, 9), (10, 2, 3)):
        found = of(digits, f"{share} % digits").round()
        assert (found.min(), found.max()) == (low, high)
    others = [loss for loss in losses if loss != "hellinger"]
    for share, percent in ((20, 15), (10, 6)):
        assert np.all(of(inverted, f"{share} % inverted", others) < 0.5)
        assert of(inverted, f"{share} % inverted", ["hellinger"]).round() == percent
    assert (of("fd", "20 % digits").round().min(), of("fd", "20 % digits").round().max()) == (20, 21)
    clean = of("fd", "clean", [*losses, "trimmed"]).round()
    assert (clean.min(), clean.max()) == (23, 24)
    for kind, measure in (("digits", digits), ("inverted", inverted)):
        for share in (5, 10, 20):
            assert of(measure, f"{share} % {kind}", ["trimmed"]) < 0.05
            assert 23.5 < of("fd", f"{share} % {kind}", ["trimmed"]) < 25.5
    told = (STUDIES / "results" / "images.md").read_text()
    for loss in losses[1:]:
        row = next(line for line in told.splitlines() if line.startswith(f"| {loss} |"))
        clean, _, digits, _, share = (cell.strip() for cell in row.split("|")[2:7])
        assert not clean.endswith(("better", "worse"))
        assert digits.endswith("better") == (loss in ("root", "least_squares"))
        if digits.endswith("better"):
            assert -0.7 <= round(float(digits.split()[0]), 1) <= -0.6
        assert not share.endswith(("better", "worse"))


@pytest.mark.slow
def test_the_ring_trained_by_kernels(tmp_path):
    text = launch("kernel_ring", tmp_path)
    frame = pd.read_parquet(tmp_path / "out" / "kernel_ring.parquet")
    assert frame["bandwidth"].tolist() == [0.8, 0.4, 0.2, 0.1, 0.05, 0.025]
    rows = tables(text)["Components covered"]
    assert [int(row[1]) for row in rows[1:]] == frame["covered"].tolist()
    assert (tmp_path / "out" / "kernel_ring_evolution.png").read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"


# The process that imports a script is held to its cores.
SHARES = "import json, kernel_ring as ring; print(json.dumps(ring.shares(ring.ring(40_000, 3)).tolist()))"


def test_shares_of_the_ring():
    """Of the ring itself: within three standard deviations in the plane 1 - exp(-9/2), an eighth each."""
    done = subprocess.run([sys.executable, "-c", SHARES], cwd=STUDIES, capture_output=True, text=True, check=True)
    found = np.array(json.loads(done.stdout.splitlines()[-1]))
    assert found.sum() == pytest.approx(1 - np.exp(-4.5), abs=0.003)
    assert np.all(np.abs(found - found.mean()) < 0.01)
