"""Divergences of two samples: what sample size, bandwidth, own points and phi do to bias and intervals.

    .venv/bin/python benchmarks/studies/kernel_divergence.py [--replications 200] [--quick]

The laws are N(0, I) and, in the first coordinate, N(1, 1), in d coordinates, the loss is log: the divergence is the
same for every d. `estimate` with the method kernel, at bandwidths of .5 and 1 standard deviation, the weight of a point
in the density at itself the default's or the paper's (1); with the classifier; and on the line with phi. "coverage" is
of 95 % intervals for the divergence itself; what kernel densities estimate is below it. The last table has the share of
permutation tests at level .05 that reject, under equality and at half that shift. Numbers in brackets are Monte Carlo
standard errors.
"""

from typing import Any

import shared
from shared import entry

# isort: split
import numpy as np
import pandas as pd
from scipy import stats

import hellgan as hg
from hellgan.divergences import estimate

REPLICATIONS, SIZES, DIMENSIONS = 200, (100, 300, 1000), (1, 2, 5)
TESTS, PERMUTATIONS = 50, 99  # points of a sample, and permutations
WAYS: dict[str, dict[str, Any]] = {
    "kernel, s = .5": {"bandwidth": 0.5},
    "kernel, s = 1": {"bandwidth": 1.0},
    "kernel, s = .5, own points": {"bandwidth": 0.5, "own_weight": 1.0},
    "kernel, s = 1, own points": {"bandwidth": 1.0, "own_weight": 1.0},
    "classifier": {"method": "classifier"},
}
PHI = {f"phi = {phi}": {"bandwidth": 0.5, "phi": phi} for phi in (0.001, 0.01, 0.1)}


def pair(seed: list[int], n: int, d: int, shift: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    x, y = rng.normal(size=(2, n, d))
    y[:, 0] += shift
    return x, y


def measured(n: int, d: int, count: int, truth: float) -> list[dict]:
    rows = []
    for name, how in {**WAYS, **(PHI if d == 1 else {})}.items():
        found = [estimate(*pair([20261130, n, d, k], n, d), loss="log", **how) for k in range(count)]
        values = np.array([each.value for each in found])
        ends = np.array([each.conf_int() for each in found])
        held = np.mean((ends[:, 0] <= truth) & (truth <= ends[:, 1]))
        errors = np.array([each.std_error for each in found])
        said = {"mean": values.mean(), "mcse": values.std(ddof=1) / np.sqrt(count), "sd": values.std(ddof=1)}
        rows.append({"d": d, "n": n, "method": name, **said, "said": errors.mean(), "coverage": held})
    return rows


def rejections(d: int, count: int) -> list[dict]:
    rows = []
    for name in ("kernel", "classifier"):
        for shift in (0.0, 0.5):
            pairs = (pair([7, d, k], TESTS, d, shift) for k in range(count))
            p = np.array([estimate(*xy, method=name, permutations=PERMUTATIONS, seed=1).pvalue for xy in pairs])
            rate = np.mean(p <= 0.05)
            rows.append(
                {"d": d, "method": name, "shift": shift, "rate": rate, "mcse": np.sqrt(rate * (1 - rate) / count)}
            )
    return rows


def main():
    given = shared.options(str(__doc__), REPLICATIONS)
    count = 4 if given.quick else given.replications
    truth = hg.divergences.divergence("log", stats.norm(0, 1), stats.norm(1, 1))
    sizes, dimensions = (SIZES[:1], DIMENSIONS[:1]) if given.quick else (SIZES, DIMENSIONS)
    frame = pd.DataFrame([row for d in dimensions for n in sizes for row in measured(n, d, count, truth)])
    tests = pd.DataFrame([row for d in dimensions for row in rejections(d, count)])
    report = shared.Report(given, "kernel_divergence", "Divergences of two samples", str(__doc__))
    report.keep(frame)
    report.keep(tests, "tests")
    report.say(f"{count} pairs of samples a cell; the divergence is {truth:.4f}.")
    report.table(
        ["d", "n = m", "method", "mean", "sd", "error said", "coverage"],
        [
            [
                str(r["d"]),
                str(r["n"]),
                r["method"],
                entry(r["mean"], r["mcse"]),
                f"{r['sd']:.3f}",
                f"{r['said']:.3f}",
                entry(r["coverage"], np.sqrt(0.95 * 0.05 / count)),
            ]
            for r in frame.to_dict("records")
        ],
        "Estimates",
    )
    report.table(
        ["d", "method", "shift", "rejected"],
        [[str(r["d"]), r["method"], f"{r['shift']:g}", entry(r["rate"], r["mcse"])] for r in tests.to_dict("records")],
        "Tests of equality",
    )
    report.write()


if __name__ == "__main__":
    main()
