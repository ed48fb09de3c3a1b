"""Location and scatter in 2 to 20 dimensions by the default discriminator, beside the reweighted MinCovDet.

    .venv/bin/python benchmarks/studies/several_dimensions.py [--replications 100] [--quick]

A sample of n observations of a normal law with means 0, 1, 2, ..., standard deviations 1 and correlations .5^|i - j|
(n = 500 up to five dimensions, 2,000 in ten, 5,000 in twenty), clean, or a tenth or a fifth of it replaced: by a tight
cluster, N(c, .2 S), by a point c, by observations off along one axis of the standardised coordinates, at the distance
of c or a little more, and spread over all directions, at the distance of c or more. c is 5 or 10 robust distances from
the centre, in the metric of the covariance matrix S; its direction is drawn anew for every sample. Both methods see
the same samples. `MultivariateNormal(d)` is fitted with all defaults; MinCovDet is scikit-learn's, reweighted, with its
defaults.

Errors are root mean squares over replications of the Mahalanobis norm of the error of location and of the Frobenius
norm of S^(-1/2) (estimate) S^(-1/2) - I. "Efficiency" is the mean squared error of the mean and covariance of the clean
observations, over the fit's. Coverage is that of 95 % intervals of all parameters, and the least of any one parameter.
Ten dimensions have a fifth of the replications, twenty a fiftieth, and there only clusters.

Numbers in brackets are Monte Carlo standard errors.
"""

import functools
import time
from collections.abc import Iterator
from typing import Any

import shared
from shared import entry

# isort: split
import numpy as np
import pandas as pd

import hellgan as hg
from hellgan import plots

DIMENSIONS = {2: 500, 3: 500, 5: 500, 10: 2000, 20: 5000}
COLORS = (plots.BLUE, plots.ORANGE, plots.GREEN, plots.RED, plots.GREY)
KINDS = ("cluster", "point", "axis", "spread")
PARTS, DISTANCES, REPLICATIONS = (0.1, 0.2), (5.0, 10.0), 100


def law(d: int) -> tuple[np.ndarray, np.ndarray]:
    return np.arange(d) * 1.0, 0.5 ** np.abs(np.subtract.outer(np.arange(d), np.arange(d)))


def draws(rng, n, d, kind, part, distance):
    """Rows in a random order of which a part is wrong, and, last, whether each is right."""
    mean, scatter = law(d)
    t, k = rng.standard_normal((n, d)), round(part * n)
    away = rng.standard_normal(d)
    away /= np.linalg.norm(away)
    if kind == "cluster":
        t[:k] = distance * away + np.sqrt(0.2) * t[:k]
    elif kind == "point":
        t[:k] = distance * away
    elif kind == "axis":
        t[:k, 0] = distance + 0.5 * np.abs(t[:k, 0])
    elif kind == "spread":
        t[:k] *= (distance * (1 + rng.exponential(size=k)) / np.linalg.norm(t[:k], axis=1))[:, None]
    rows = np.column_stack([mean + t @ np.linalg.cholesky(scatter).T, np.arange(n) >= k])
    return rng.permutation(rows)


def errors(location, covariance) -> dict[str, float]:
    mean, scatter = law(len(location))
    whitening = np.linalg.inv(np.linalg.cholesky(scatter))
    return {
        "location": float(np.linalg.norm(whitening @ (location - mean))),
        "scatter": float(np.linalg.norm(whitening @ covariance @ whitening.T - np.eye(len(mean)))),
    }


def by_gan(sample, seed):
    begin, rows = time.perf_counter(), sample[:, :-1]
    d = rows.shape[1]
    fit = hg.GAN(rows, hg.generators.MultivariateNormal(d), seed=seed).fit()
    interval = fit.conf_int()
    seconds = time.perf_counter() - begin
    values, (mean, scatter) = fit.params.to_numpy(), law(d)
    corr = np.eye(d)
    corr[np.tril_indices(d, -1)] = values[2 * d :]
    corr += np.tril(corr, -1).T
    truth = np.concatenate([mean, np.ones(d), scatter[np.tril_indices(d, -1)]])
    holds = (interval["lower"] <= truth) & (interval["upper"] >= truth)
    wrong = np.flatnonzero(sample[:, -1] == 0)
    found = {
        **errors(values[:d], np.outer(values[d : 2 * d], values[d : 2 * d]) * corr),
        "seconds": seconds,
        **{f"holds {name}": float(hold) for name, hold in zip(holds.index, holds.to_numpy(), strict=True)},
    }
    if len(wrong):
        found["flagged"] = float(np.mean(np.isin(wrong, fit.outliers())))
    return {"estimate": found, "converged": fit.converged, "message": fit.trouble}


def by_determinant(sample, rng):
    from sklearn.covariance import MinCovDet

    begin = time.perf_counter()
    found = MinCovDet(random_state=int(rng.integers(2**32))).fit(sample[:, :-1])
    seconds = time.perf_counter() - begin
    return {"estimate": {**errors(found.location_, found.covariance_), "seconds": seconds}}


def of_the_clean(sample):
    rows = sample[sample[:, -1] == 1, :-1]
    return {"estimate": errors(rows.mean(axis=0), np.cov(rows.T))}


def cells(quick: bool) -> list[tuple[int, str, float, float]]:
    if quick:
        return [(2, "clean", 0.0, 0.0), (2, "cluster", 0.2, 5.0)]
    found = []
    for d in DIMENSIONS:
        kinds = KINDS if d <= 10 else ("cluster",)
        found.append((d, "clean", 0.0, 0.0))
        found += [(d, kind, part, distance) for part in PARTS for kind in kinds for distance in DISTANCES]
    return found


def study(d: int, kind: str, part: float, distance: float, replications: int) -> hg.Study:
    return hg.Study(
        truth=hg.truth(
            functools.partial(draws, d=d, kind=kind, part=part, distance=distance),
            estimands={"location": 0.0, "scatter": 0.0},
        ),
        n=DIMENSIONS[d],
        methods={"default": by_gan, "MinCovDet": by_determinant, "clean observations": of_the_clean},
        replications=replications,
        seed=16,
    )


def measured(frame: pd.DataFrame) -> dict[str, tuple[float, float]]:
    """What the replicates of one cell say, with Monte Carlo standard errors (NaN where none is shown)."""
    own: Any = frame[frame["converged"]]
    values: dict[Any, Any] = {
        method: part.pivot_table(index="replicate", columns="parameter", values="estimate", observed=True)
        for method, part in own.groupby("method", observed=True)
    }
    fit, other, clean = (values[name] for name in ("default", "MinCovDet", "clean observations"))
    root = np.sqrt(len(fit))
    found = {"failed": (float(frame.loc[~frame["converged"], "replicate"].nunique()), np.nan)}
    for what in ("location", "scatter"):
        squares = {"": fit[what] ** 2, "MinCovDet ": other[what].loc[fit.index] ** 2}
        for whose, square in squares.items():
            error = float(np.sqrt(square.mean()))
            found[whose + what] = error, float(square.std() / (2 * error * root))
        best, mean = clean[what].loc[fit.index] ** 2, squares[""].mean()
        gap = best / mean - best.mean() / mean**2 * squares[""]
        found[f"efficiency {what}"] = float(best.mean() / mean), float(gap.std() / root)
    holds: Any = fit[[name for name in fit.columns if str(name).startswith("holds ")]]
    found["coverage"] = float(holds.to_numpy().mean()), float(holds.mean(axis=1).std() / root)
    found["least coverage"] = float(holds.mean().min()), np.nan
    if "flagged" in fit:
        found["flagged"] = float(fit["flagged"].mean()), np.nan
    found["seconds"] = float(fit["seconds"].median()), np.nan
    return found


def draw(report: shared.Report, wide: Any) -> None:
    """Errors of scatter of both, one point a contaminated cell."""
    ax = plots.new_axes(5.6, 4.6)
    for (d, cells), color in zip(wide.groupby("d"), COLORS, strict=False):
        ax.scatter(cells["MinCovDet scatter"], cells["scatter"], color=color, label=f"d = {d}", s=24)
    ends = [wide[["scatter", "MinCovDet scatter"]].to_numpy().min(), wide["MinCovDet scatter"].max()]
    ax.plot(ends, ends, color="black", linestyle=":", label="equal errors")
    ax.set_xscale("log")
    ax.set_yscale("log")
    ax.set_xlabel("MinCovDet: error of scatter")
    ax.set_ylabel("default: error of scatter")
    ax.legend(frameon=False)
    report.figure(np.array([ax]), "errors", "Errors of scatter of both methods, a point for each contaminated design.")


def records(frame: pd.DataFrame) -> Iterator[Any]:
    """Rows as named tuples, whose fields pandas' types do not know."""
    yield from frame.itertuples()


def main():
    given = shared.options(str(__doc__), REPLICATIONS)
    rows = []
    for d, kind, part, distance in cells(given.quick):
        replications = 2 if given.quick else max(2, given.replications // {10: 5, 20: 50}.get(d, 1))
        name = f"several_dimensions-{d}-{kind}-{part:g}-{distance:g}"
        result = shared.run(study(d, kind, part, distance, replications), given, name, threads=1)
        cell = {"d": d, "kind": kind, "part": part, "distance": distance, "replications": replications}
        numbers = measured(result.to_frame()).items()
        rows += [{**cell, "measure": measure, "value": value, "mcse": error} for measure, (value, error) in numbers]
    found = pd.DataFrame(rows)
    report = shared.Report(given, "several_dimensions", "Several dimensions", str(__doc__))
    report.keep(found)
    keys = ["d", "kind", "part", "distance", "replications"]
    wide: Any = found.pivot_table(index=keys, columns="measure", values="value", sort=False).reset_index()
    errors_of: Any = found.pivot_table(index=keys, columns="measure", values="mcse", sort=False).reset_index()
    is_clean = wide["kind"] == "clean"
    clean, wrong = wide[is_clean], wide[~is_clean]
    ratios = {what: float((wrong[what] / wrong[f"MinCovDet {what}"]).max()) for what in ("location", "scatter")}
    least = float(clean[["efficiency location", "efficiency scatter"]].to_numpy().min())
    report.say(
        f"Coverage of all parameters together, the least of all designs: {wide['coverage'].min():.3f}. The largest "
        f"ratio of errors to MinCovDet's under contamination: {ratios['location']:.2f} for location, "
        f"{ratios['scatter']:.2f} for scatter. The least efficiency on clean samples: {least:.2f}. Fits that failed: "
        f"{wide['failed'].sum():.0f} of {wide['replications'].sum():,}."
    )
    draw(report, wrong)

    def shown(row: Any, *measures: str) -> list[str]:
        return [entry(float(wide.loc[row.Index, name]), float(errors_of.loc[row.Index, name])) for name in measures]

    report.table(
        ["d", "n", "efficiency, location", "efficiency, scatter", "coverage", "least", "seconds", "failed"],
        [
            [
                *(row.d, DIMENSIONS[row.d]),
                *shown(row, "efficiency location", "efficiency scatter", "coverage"),
                *(f"{wide.loc[row.Index, name]:.2f}" for name in ("least coverage", "seconds")),
                f"{row.failed:.0f} of {row.replications}",
            ]
            for row in records(clean)
        ],
        "Clean samples",
    )
    report.table(
        [
            *("d", "part", "where", "distance", "location", "location, MinCovDet", "scatter", "scatter, MinCovDet"),
            *("coverage", "least", "flagged", "failed"),
        ],
        [
            [
                *(row.d, f"{row.part:g}", row.kind, f"{row.distance:g}"),
                *shown(row, "location", "MinCovDet location", "scatter", "MinCovDet scatter", "coverage"),
                f"{wide.loc[row.Index, 'least coverage']:.2f}",
                f"{row.flagged:.3f}",
                f"{row.failed:.0f} of {row.replications}",
            ]
            for row in records(wrong)
        ],
        "Contaminated samples",
    )
    report.write()


if __name__ == "__main__":
    main()
