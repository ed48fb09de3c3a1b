"""Distances of two samples of one law: which of them fall as samples grow, and what these cannot see.

    .venv/bin/python benchmarks/studies/generalisation.py [--out FOLDER] [--quick]

After Arora et al. (2017). Two independent samples of n observations of one normal law N(0, I) in d dimensions, whose
laws' distance is 0. The Jensen-Shannon divergence of the empirical laws is log 2 as soon as no observation is shared,
which is counted; their Wasserstein distance is that of an optimal matching, computed exactly for n up to 1,600, over
the root of 2 d, the typical size of a difference. The neural-net distance is (30) of theory.md with the identity: the
supremum of the difference of mean D over perceptrons with one hidden layer of 8 units whose parameters are at most 5.
Then a law on m points, m draws of N(0, I), of which samples of n are held against samples of N(0, I) itself; how many
points it has the birthday test of Arora and Zhang (2017) estimates from the equal pairs among 400 of its draws.
"""

import shared

shared.machine.pin(1)

import itertools  # noqa: E402
from typing import Any  # noqa: E402

import numpy as np  # noqa: E402
import pandas as pd  # noqa: E402
from scipy.optimize import linear_sum_assignment  # noqa: E402
from scipy.spatial.distance import cdist  # noqa: E402

import hellgan as hg  # noqa: E402

DIMENSIONS, SIZES, SUPPORTS, LARGEST = (1, 4, 16, 64), (100, 400, 1600, 6400), (10, 30, 100, 300, 1000), 1600
BIRTHDAYS = 400  # draws
MATCHED = 1600  # the largest samples of which an optimal matching is computed


def discriminator():
    return hg.discriminators.MLP((8,))


def neural(x, y, seed: int) -> hg.divergences.NeuralDistance:
    return hg.divergences.neural_distance(x, y, discriminator(), starts=2, steps=200, held_out=False, seed=seed)


def wasserstein(x, y) -> float:
    cost = cdist(x, y)
    return float(cost[linear_sum_assignment(cost)].mean() / np.sqrt(2 * x.shape[1]))


def jensen_shannon(x, y) -> float:
    """Of two empirical laws of n points each, in which a point that both have counts in both."""
    shared_points = len(set(map(bytes, x)) & set(map(bytes, y)))
    return float(np.log(2) * (1 - shared_points / len(x)))


def same_law(given) -> Any:
    rows, count = [], 2 if given.quick else 4
    for d, n in itertools.product(DIMENSIONS[:2] if given.quick else DIMENSIONS, SIZES[:2] if given.quick else SIZES):
        for r in range(count):
            x, y = np.random.default_rng([d, n, r]).normal(size=(2, n, d))
            found = neural(x, y, r)
            measured = {"JSD": jensen_shannon(x, y), "neural net": found.value}
            measured |= {"Wasserstein": wasserstein(x, y)} if n <= MATCHED else {}
            own = {"d": d, "n": n, "r": r, "capacity": found.capacity}
            rows += [{**own, "measure": measure, "value": value} for measure, value in measured.items()]
    return pd.DataFrame(rows)


def few_points(given) -> Any:
    rows, count = [], 2 if given.quick else 6
    d = 4 if given.quick else 16
    for m in SUPPORTS[:2] if given.quick else SUPPORTS:
        for r in range(count):
            rng = np.random.default_rng([m, r, 5])
            points = rng.normal(size=(m, d))
            x, y = rng.normal(size=(LARGEST, d)), points[rng.integers(m, size=LARGEST)]
            born = hg.neural.metrics.birthday_test(y[:BIRTHDAYS])
            told = {"support": born.support, "lower": born.lower, "upper": born.upper}
            rows.append(
                {"d": d, "m": m, "r": r, "value": neural(x, y, r).value, "Wasserstein": wasserstein(x, y)} | told
            )
    return pd.DataFrame(rows)


def slopes(frame: Any) -> Any:
    """Least-squares slope of the log distance on log n, by dimension: -1/2 where it falls like a mean's error."""
    rows = []
    for (measure, d), own in frame.groupby(["measure", "d"], sort=False):
        mean: Any = own.groupby("n")["value"].mean()
        rows.append({"measure": measure, "d": d, "slope": float(np.polyfit(np.log(mean.index), np.log(mean), 1)[0])})
    return pd.DataFrame(rows)


def means(frame: Any, by: list[str]) -> Any:
    grouped = frame.groupby(by, sort=False)["value"]
    return pd.DataFrame({"value": grouped.mean(), "mcse": grouped.sem()}).reset_index()


def main():
    given = shared.options(str(__doc__))
    frame, points = same_law(given), few_points(given)
    report = shared.Report(given, "generalisation", "Distances of two samples of one law", str(__doc__))
    report.keep(frame)
    report.keep(points, "points")
    report.say(f"Means over {frame['r'].nunique()} pairs of samples, with their Monte Carlo errors.")
    found = means(frame, ["measure", "d", "n"])
    for measure in ("JSD", "Wasserstein", "neural net"):
        own: Any = shared.only(found, measure=measure)
        header, rows = shared.crossed(own.assign(n=[f"n = {n}" for n in own["n"]]), "d", "n")
        report.table(["d", *header[1:]], rows, measure)
    falling = slopes(frame)
    rows = [[m, *(f"{v:.2f}" for v in own["slope"])] for m, own in falling.groupby("measure", sort=False)]
    report.table(["measure", *(f"d = {d}" for d in falling["d"].unique())], rows, "Slope of the log distance on log n")
    sizes = frame.drop_duplicates("d")
    own: Any = shared.only(found, measure="neural net")
    ratio = own.merge(sizes[["d", "capacity"]], on="d")
    ratio["value"] = ratio["value"] / np.sqrt(ratio["capacity"] / ratio["n"])
    ratio["mcse"] = ratio["mcse"] / np.sqrt(ratio["capacity"] / ratio["n"])
    header, rows = shared.crossed(ratio.assign(n=[f"n = {n}" for n in ratio["n"]]), "d", "n")
    rows = [[row[0], str(int(sizes.loc[sizes["d"] == int(row[0]), "capacity"].iloc[0])), *row[1:]] for row in rows]
    report.table(["d", "parameters", *header[1:]], rows, "Neural-net distance over sqrt(parameters / n)")
    fooled: Any = pd.concat(
        [means(points, ["m"]).assign(measure="neural net"),
         means(points.assign(value=points["Wasserstein"]), ["m"]).assign(measure="Wasserstein")]
    )  # fmt: skip
    header, rows = shared.crossed(fooled.assign(m=[f"m = {m}" for m in fooled["m"]]), "measure", "m")
    d = int(points["d"].iloc[0])
    report.table(header, rows, f"A law on m points against N(0, I), d = {d}, samples of {LARGEST}")
    born = [(m, own["support"], own["lower"].le(m) & own["upper"].ge(m)) for m, own in points.groupby("m")]
    rows = [
        ["mean estimate", *(f"{estimates.mean():.1f} ({estimates.sem():.1f})" for _, estimates, _ in born)],
        ["intervals that hold m", *(f"{inside.sum()} of {len(inside)}" for _, _, inside in born)],
    ]
    report.table(["birthday test", *(f"m = {m}" for m, *_ in born)], rows, "Points of the law, from 400 draws")
    axes = hg.plots.canvas.panels(2, columns=2, size=(4.4, 3.4))
    for k, dim in enumerate(frame["d"].unique()):
        for style, measure in zip(("-", "--"), ("neural net", "Wasserstein"), strict=True):
            part: Any = shared.only(found, d=int(dim), measure=measure)
            colour = hg.plots.canvas.STYLES[k][0]
            axes[0].loglog(part["n"], part["value"], style, color=colour, label=f"{measure}, d = {dim}")
    axes[0].axhline(np.log(2), color="black", linewidth=0.8, linestyle=":", label="JSD, all d")
    axes[0].set(xlabel="n", ylabel="distance of two samples of one law")
    axes[0].legend(fontsize=6, frameon=False)
    for measure, own in fooled.groupby("measure", sort=False):
        axes[1].errorbar(own["m"], own["value"], 2 * own["mcse"], marker="o", label=measure)
    axes[1].set(xlabel="m, points of the support", ylabel=f"distance to N(0, I), d = {d}", xscale="log", ylim=(0, None))
    axes[1].legend(frameon=False)
    report.figure(axes, "distances", "Left: two samples of one law. Right: a law on m points against the normal law.")
    report.write()


if __name__ == "__main__":
    main()
