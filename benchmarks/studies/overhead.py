"""What a study costs beside its fits: time, a second core, a Dask cluster, memory.

    .venv/bin/python benchmarks/studies/overhead.py [--out benchmarks/studies/results] [--quick]

(a) 1,000 replications of the default fit (n = 500, Normal), with intervals, by `hg.Study`: seconds on two cores, and
over the floor of `benchmarks/floor.py` (the arithmetic of the solver's steps, and of the standard errors, on one
thread), halved for two cores; and all threads against one thread, in turns in one process, which runs all of it once
before it counts, so that everything is compiled. (b) The same study with 10,000 replications, in the default number of
threads and on a Dask LocalCluster of two workers of one thread each, in turns; a small run of each before, not counted,
starts and compiles. (c) Median and MAD, n = 20, 10^6 replications: the highest resident memory of a process of its own,
against that of one with a tenth as many. Medians over several runs, with the lowest and the highest; ratios are of
neighbours in time.
"""

import argparse
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import shared
from shared import machine

GOALS = {"seconds": 10.0, "gain": 1.7, "dask": 20.0, "memory": 1.0}


def design(replications: int, seed: int = 1):
    import hellgan as hg

    truth = hg.truth(hg.generators.Normal(), loc=1.0, scale=1.0)
    return hg.Study(truth=truth, n=500, methods={"root": {}}, replications=replications, seed=seed)


def seconds_of(study, **how) -> float:
    """Time of a run into a fresh folder, results read and summarised."""
    with tempfile.TemporaryDirectory() as folder:
        begin = time.perf_counter()
        study.run(Path(folder) / "study", progress=False, **how).performance(["bias", "coverage"])
        return time.perf_counter() - begin


def threaded(replications: int, runs: int) -> dict[str, list[float]]:
    """(a): all threads and one thread in turns, after a round that compiles."""
    ways: dict = {"all": None, "one": 1}
    found: dict[str, list[float]] = {}
    for _ in range(2):
        found = {name: [] for name in ways}
        for k in range(runs):
            for name, threads in ways.items():
                found[name].append(seconds_of(design(replications, seed=2 + k), threads=threads))
    return found


def clustered(replications: int, runs: int) -> dict[str, list[float]]:
    """(b): threads and a cluster in turns."""
    from distributed import Client, LocalCluster

    found: dict[str, list[float]] = {"threads": [], "Dask": []}
    with (
        LocalCluster(n_workers=2, threads_per_worker=1, processes=True, dashboard_address=":0") as cluster,
        Client(cluster) as client,
    ):
        ways: dict = {"threads": {}, "Dask": {"client": client}}
        for way in ways.values():
            seconds_of(design(min(replications, 512)), **way)
        for k in range(runs):
            for name, way in ways.items():
                found[name].append(seconds_of(design(replications, seed=2 + k), **way))
    return found


def memory(replications: int) -> float:
    """(c): GiB."""
    import hellgan as hg

    truth = hg.truth(hg.generators.Normal(), loc=0.0, scale=1.0)
    study = hg.Study(truth=truth, n=20, methods={"median": "median_mad"}, replications=replications, seed=1)
    with tempfile.TemporaryDirectory() as folder:
        study.run(Path(folder) / "study", progress=False)
    unit = 2**30 if sys.platform == "darwin" else 2**20
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit


def floor_seconds(fits: int) -> tuple[float, float]:
    """Floor of one fit with its standard errors, on one thread, and the seconds of one in a batch on one thread."""
    import floor

    fit = floor.default_fit(fits, 3)
    piece = floor.pieces(500, 1024, 16, 2)
    return fit.outer * piece.outer + fit.inner * piece.inner + floor.FIRST * piece.outer, fit.seconds


CHILDREN = {"threaded": threaded, "clustered": clustered, "memory": memory, "floor_seconds": floor_seconds}


def child(name: str, cores: int, *arguments):
    """Call one of the functions above in a process held to some cores."""
    command = [sys.executable, str(Path(__file__).resolve()), "--child", json.dumps([name, cores, *arguments])]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{name}: {done.stderr[-2000:]}")
    return json.loads(done.stdout.strip().splitlines()[-1])


def spread(values: list[float], digits: int = 2) -> str:
    return f"{statistics.median(values):.{digits}f} ({min(values):.{digits}f} to {max(values):.{digits}f})"


def judged(value: float, goal: float, below: bool) -> tuple[str, str]:
    """State a goal, and whether it is reached."""
    reached = value < goal if below else value >= goal
    return f"{'under' if below else 'at least'} {goal:g}", "reached" if reached else "missed"


def main():
    given = shared.options(str(__doc__))
    count, many, runs, fits = (64, 256, 1, 16) if given.quick else (1000, 10_000, 3, 1000)
    turns = child("threaded", 2, count, 1 if given.quick else 9)
    one, two = turns["one"], turns["all"]
    gains = [a / b for a, b in zip(one, two, strict=True)]
    floor, alone = child("floor_seconds", 1, fits)
    dask = child("clustered", 2, many, runs)
    overheads = [100 * (d / t - 1) for d, t in zip(dask["Dask"], dask["threads"], strict=True)]
    replicates = [10_000, 100_000] if given.quick else [100_000, 1_000_000]
    peaks = [child("memory", 2, r) for r in replicates]
    seconds, gain, more = statistics.median(two), statistics.median(gains), statistics.median(overheads)
    rows = [
        [f"{count:,} replications, two cores: seconds", spread(two), *judged(seconds, GOALS["seconds"], True)],
        ["the same over the floor, on two cores", spread([t / (count * floor / 2) for t in two]), "", ""],
        ["one thread over `fit_batch` on one thread", spread([t / (count * alone) for t in one]), "", ""],
        ["one thread over all threads, two cores", spread(gains), *judged(gain, GOALS["gain"], False)],
        [f"Dask over threads, {many:,} replications: % more", spread(overheads, 1), *judged(more, GOALS["dask"], True)],
    ]
    for r, peak in zip(replicates, peaks, strict=True):
        what = f"{r:,} replications of median and MAD: highest memory, GiB"
        rows.append([what, f"{peak:.2f}", *judged(peak, GOALS["memory"], True)])
    report = shared.Report(given, "overhead", "What a study costs", str(__doc__))
    report.table(["", "median (lowest to highest)", "goal", ""], rows)
    report.say(
        f"The floor of a fit with its standard errors is {1e3 * floor:.3g} ms on one core. "
        + machine.facts("hellgan", "jax", "numpy", "distributed")
    )
    report.write()


def in_child(text: str) -> None:
    name, cores, *arguments = json.loads(text)
    machine.pin(cores)
    print(json.dumps(CHILDREN[name](*arguments)))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument("--child")
    asked = parser.parse_known_args()[0].child
    in_child(asked) if asked else main()
