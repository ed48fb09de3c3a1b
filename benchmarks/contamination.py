"""What a bias curve of 200 points and 10 shares (2,000 refits, n = 500) costs beside a bootstrap of 100.

    .venv/bin/python benchmarks/contamination.py [--runs 5] [--quick]

Both are timed in turns, compiled before; the ratio is the median over runs. Points go from 10 standard deviations
below to 10 above; shares from .02 to .2.
"""

import argparse
import statistics
import time

import machine

machine.pin(2)

import numpy as np  # noqa: E402

import hellgan as hg  # noqa: E402


def seconds(function) -> float:
    """Time of one call."""
    begun = time.perf_counter()
    function()
    return time.perf_counter() - begun


def main():
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--quick", action="store_true", help="a tenth of the points, once")
    options = parser.parse_args()
    points = np.linspace(-9, 11, 20 if options.quick else 200)
    shares, runs = np.linspace(0.02, 0.2, 10), 1 if options.quick else options.runs
    x = np.random.default_rng(0).normal(1, 1, 500)
    print(
        machine.header("loss", "bootstrap of 100 [s]", f"{10 * len(points):,} refits [s]", "ratio", "range", "failed")
    )
    for loss in ("root", "log", "hellinger", "root_ns"):
        fit = hg.GAN(x, hg.generators.Normal(), loss=loss).fit()
        influence = fit.influence()
        fit.bootstrap(100)
        influence.bias_curve(points[:16], shares[:1])
        times = []
        for k in range(runs):
            ours = seconds(lambda f=fit, k=k: f.bootstrap(100, seed=k))
            times.append((ours, seconds(lambda i=influence: i.bias_curve(points, shares, progress=True))))
        curve = influence.bias_curve(points, shares)
        ratios = [b / a for a, b in times]
        middle = [statistics.median(column) for column in zip(*times, strict=True)]
        cells = [f"{value:.2f}" for value in (*middle, statistics.median(ratios))]
        print(machine.row(loss, *cells, f"{min(ratios):.1f} to {max(ratios):.1f}", curve.n_failed), flush=True)
    print(machine.facts("jax", "numpy"))


if __name__ == "__main__":
    main()
