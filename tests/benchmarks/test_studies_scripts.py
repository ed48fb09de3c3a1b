"""The studies that ship: every script runs, and its report says what its saved numbers say."""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from replicate import FULL
from reports import ENTRY, agrees, tables

STUDIES = Path(__file__).resolve().parents[2] / "benchmarks" / "studies"
NAMES = ("hellinger", "rates", "joint_normality", "moments")
if FULL:  # minutes each
    NAMES += ("high_dimension", "several_dimensions", "near", "overhead", "kernel")

pytestmark = pytest.mark.slow


def launch(name, folder):
    command = [sys.executable, "-W", "error::FutureWarning", str(STUDIES / f"{name}.py"), "--quick"]
    command += ["--out", str(folder / "out"), "--work", str(folder / "work")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    return folder / "out"


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Run a script once, and give the folder of its report."""
    folders = {}

    def of(name):
        if name not in folders:
            folders[name] = launch(name, tmp_path_factory.mktemp(name))
        return folders[name]

    return of


def saved(folder, name) -> pd.DataFrame:
    return pd.concat([pd.read_parquet(path) for path in sorted(folder.glob(f"{name}*.parquet"))], ignore_index=True)


def of(frame, **levels) -> pd.DataFrame:
    """Choose rows by levels of columns."""
    return frame[np.logical_and.reduce([frame[name] == level for name, level in levels.items()])]


@pytest.mark.parametrize("name", NAMES)
def test_report_has_its_figures_and_says_what_made_it(made, name):
    folder = made(name)
    text = (folder / f"{name}.md").read_text()
    shown = set(re.findall(r"\]\((\S+\.png)\)", text))
    assert shown == {path.name for path in folder.glob("*.png")}
    assert (len(shown) > 0) == (name != "overhead")
    for file in shown:
        assert (folder / file).read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"
    assert "nan" not in text.lower().split()
    assert text.split("\n\n")[1].startswith(f"Made by `benchmarks/studies/{name}.py`, hellgan ")


@pytest.mark.parametrize("name", [name for name in NAMES if name != "overhead"])
def test_entries_are_saved_numbers(made, name):
    folder = made(name)
    numbers = saved(folder, name)[["value", "mcse"]].to_numpy(float)
    entries = [
        entry
        for line in (folder / f"{name}.md").read_text().splitlines()
        if line.startswith("|")
        for entry in ENTRY.findall(line)
    ]
    assert len(entries) >= 6
    for value, mcse in entries:
        assert np.any(agrees(value, numbers[:, 0]) & agrees(mcse, numbers[:, 1])), (value, mcse)


def test_hellinger_tables_have_the_right_labels(made):
    folder = made("hellinger")
    found = tables((folder / "hellinger.md").read_text())
    frame = saved(folder, "hellinger").query("reference == ''")
    checked = 0
    for measure, title in (("bias", "Bias"), ("rmse", "RMSE"), ("coverage", "Coverage")):
        for parameter in ("loc", "scale"):
            for distance in ("near", "far"):
                header, *rows = found[f"{title} of {parameter}, n = 200, {distance}"]
                for method, *cells in rows:
                    for share, cell in zip(header[1:], cells, strict=True):
                        eps = float(share.removeprefix("eps = "))
                        where = "none" if eps == 0 else distance
                        row = of(frame, method=method, eps=eps, distance=where, parameter=parameter, measure=measure)
                        if not cell:
                            assert row.empty
                            continue
                        checked += 1
                        value = row["value"].item()
                        assert agrees(cell.split()[0], value) if np.isfinite(value) else cell == "-"
    assert checked >= 3 * 2 * 2 * 2 * 10


def test_hellinger_verdicts_are_counts_of_cells(made):
    folder = made("hellinger")
    found = tables((folder / "hellinger.md").read_text())
    frame = saved(folder, "hellinger").query("reference == 'log' and eps <= 0.2")
    title = "Cells with a smaller / larger / not different mean squared error than `log`"
    header, *rows = found[title]
    assert [row[0] for row in rows] == ["hellinger", "root", "root_ns", "least_squares"]
    for method, *cells in rows:
        for distance, cell in zip(header[1:], cells, strict=True):
            part = of(frame, method=method, distance="none" if distance == "clean" else distance)
            z = ((part["with_failures"] - 1) / part["with_failures_mcse"]).to_numpy(float)
            assert cell == f"{int((z > 2).sum())} / {int((z < -2).sum())} / {int((abs(z) <= 2).sum())}"


def test_a_study_that_is_there_is_only_reported(made):
    folder = made("rates").parent
    before = {path: path.stat().st_mtime_ns for path in folder.joinpath("work").rglob("*.parquet")}
    text = (folder / "out" / "rates.md").read_text()
    assert before
    launch("rates", folder)
    assert {path: path.stat().st_mtime_ns for path in folder.joinpath("work").rglob("*.parquet")} == before
    assert (folder / "out" / "rates.md").read_text() == text


# The process that imports a script is held to its cores, which the tests' own must not be.
LIMITS = """
import json
import joint_normality as study
import numpy as np
import hellgan as hg

limit = study.limit_covariance()
rng = np.random.default_rng(5)
w = rng.normal(size=len(limit))
x = rng.normal(size=20_000)
fit = hg.GAN(x, hg.generators.Normal(), study.FEATURES, "log", latent="iid", n_simulated=len(x), seed=1).fit()
cov = fit.joint_cov().loc[list(study.NAMES), list(study.NAMES)].to_numpy()
errors = np.sqrt(np.diag(limit))
print(json.dumps({
    "distance": study.squared_distance(limit @ w, limit), "exact": w @ limit @ w,
    "gap": np.abs((len(x) / 2 * cov - limit) / np.outer(errors, errors)).max(),
    "rank": int(np.sum(np.linalg.eigvalsh(limit / np.outer(errors, errors)) > 1e-9)), "q": study.Q,
}))
"""


def test_limit_law_of_joint_normality():
    """Rank q; u' S^+ u = w' S w for u = S w, whatever the generalised inverse; and the covariance of a large fit."""
    done = subprocess.run([sys.executable, "-c", LIMITS], cwd=STUDIES, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["rank"] == found["q"]
    assert found["distance"] == pytest.approx(found["exact"], rel=1e-10)
    # Five other samples gave .02 to .07; a factor that is wrong, or a block, gives .5 and more.
    assert found["gap"] < 0.15


def test_quick_hostile_designs_hold(tmp_path):
    """Clean samples, near and far contamination: intervals hold, or wrong fits are flagged."""
    command = [sys.executable, str(STUDIES.parent / "hostile.py"), "--quick", "--out", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    found = saved(tmp_path, "hostile")
    assert found["kind"].tolist() == ["clean", "near", "far"]
    assert found["holds"].all()
    assert found["flagged"].tolist()[1] > 0.9  # a fifth at three standard deviations
    assert "3 designs, 8 samples each: 0 fall short." in (tmp_path / "hostile-quick.md").read_text()


def test_forms_of_the_kernel_objective(tmp_path):
    """Efficiencies of a location in closed form; for a normal law the smoothed form is as efficient as likelihood."""
    folder = launch("kernel_forms", tmp_path)
    frame, least = (pd.read_parquet(folder / f"kernel_forms{name}.parquet") for name in ("_efficiency", ""))
    for s in (0.25, 0.5):
        t = 1 + s**2
        variance = 1 / t**2 + 2 * s**2 / t**3 + s**4 * t**2 / ((1 + s**2 + s**4) * (1 + 3 * s**2 + s**4)) ** 1.5
        at_points, smoothed = (of(frame, law="normal", form=form, s=s) for form in ("at points", "smoothed"))
        assert at_points["loc"].item() == pytest.approx(((1 + 2 * s**2) / t**2) ** 2 / variance, abs=1e-6)
        assert smoothed[["loc", "scale"]].to_numpy() == pytest.approx(1, abs=1e-6)
        both = [of(least, loss="root", form=form, s=s).set_index("data")["scale"] for form in ("at points", "smoothed")]
        assert (both[0] < both[1] + 1e-4).all()  # contamination moves the smoothed form more
    assert of(least, form="at points", s=0.5)["scale"].tolist() == pytest.approx([1.0256, 1.0466, 1.0], abs=1e-4)


def test_what_the_page_says_of_the_kernels_bootstrap():
    frame = pd.read_parquet(STUDIES / "results" / "kernel_bootstrap.parquet")
    ratios: Any = frame.groupby(["law", "n", "loss", "parameter"])["ratio"].mean()
    assert set(frame["law"]) == {"normal", "logistic", "gamma", "g-and-k"}
    assert len(ratios) == 2 * 2 * (2 + 2 + 2 + 4)
    assert ratios.between(0.95, 1.05).all()
