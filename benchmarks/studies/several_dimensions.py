"""Location and scatter in 2 to 20 dimensions by the default discriminator, beside the reweighted MinCovDet.

    .venv/bin/python benchmarks/studies/several_dimensions.py [--replications 100] [--quick]

A sample of n observations of a normal law with means 0, 1, 2, ..., standard deviations 1 and correlations .5^|i - j|
(n = 500 up to five dimensions, 2,000 in ten, 5,000 in twenty), or of the t law with 5 degrees of freedom and that
scatter matrix S (up to five dimensions), clean, or a tenth or a fifth of it replaced: by a tight cluster, N(c, .2 S),
by a point c, by observations off along one axis of the standardised coordinates, at the distance of c or a little more,
and spread over all directions, at the distance of c or more. c is 5 or 10 robust distances from the centre, in the
metric of S; its direction is drawn anew for every sample. Both methods see the same samples. `MultivariateNormal(d)`,
or `MultivariateStudentT(d, df=5)`, is fitted with all defaults; MinCovDet is scikit-learn's, reweighted, with its
defaults, its covariance of a t law over what it is of 20,000 clean observations, in units of S.

Errors are root mean squares over replications of the Mahalanobis norm of the error of location and of the Frobenius
norm of S^(-1/2) (estimate) S^(-1/2) - I. "Efficiency" is the mean squared error of maximum likelihood of the clean
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
LAWS = {"normal": None, "t": 5.0}  # degrees of freedom
PARTS, DISTANCES, REPLICATIONS = (0.1, 0.2), (5.0, 10.0), 100


def law(d: int) -> tuple[np.ndarray, np.ndarray]:
    return np.arange(d) * 1.0, 0.5 ** np.abs(np.subtract.outer(np.arange(d), np.arange(d)))


def draws(rng, n, d, kind, part, distance, df):
    """Rows in a random order of which a part is wrong, and, last, whether each is right."""
    mean, scatter = law(d)
    t, k = rng.standard_normal((n, d)), round(part * n)
    if df is not None:
        t /= np.sqrt(rng.chisquare(df, (n, 1)) / df)
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


def by_gan(sample, seed, df):
    begin, rows = time.perf_counter(), sample[:, :-1]
    d = rows.shape[1]
    family = hg.generators.MultivariateNormal(d) if df is None else hg.generators.MultivariateStudentT(d, df)
    fit = hg.GAN(rows, family, seed=seed).fit()
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


def determinant(rows, seed: int):
    from sklearn.covariance import MinCovDet

    return MinCovDet(random_state=seed).fit(rows)


@functools.lru_cache
def scale_of_determinant(d: int, df: float | None) -> float:
    """What MinCovDet's covariance is of the law's scatter: 1 at the normal law, for which it is made."""
    if df is None:
        return 1.0
    rows = draws(np.random.default_rng(d), 20_000, d, "clean", 0.0, 0.0, df)[:, :-1]
    whitening = np.linalg.inv(np.linalg.cholesky(law(d)[1]))
    return float(np.mean(np.diag(whitening @ determinant(rows, 0).covariance_ @ whitening.T)))


def by_determinant(sample, rng, df):
    begin = time.perf_counter()
    found = determinant(sample[:, :-1], int(rng.integers(2**32)))
    seconds = time.perf_counter() - begin
    scatter = found.covariance_ / scale_of_determinant(sample.shape[1] - 1, df)
    return {"estimate": {**errors(found.location_, scatter), "seconds": seconds}}


def of_the_clean(sample, df):
    """Maximum likelihood of the observations that are right: for a t law by EM, which converges fast."""
    rows = sample[sample[:, -1] == 1, :-1]
    mean, scatter = rows.mean(axis=0), np.cov(rows.T)
    for _ in range(0 if df is None else 100):
        distance = np.sum((rows - mean) * np.linalg.solve(scatter, (rows - mean).T).T, axis=1)
        weights = (df + rows.shape[1]) / (df + distance)
        mean = weights @ rows / weights.sum()
        scatter = (weights[:, None] * (rows - mean)).T @ (rows - mean) / len(rows)
    return {"estimate": errors(mean, scatter)}


def cells(quick: bool) -> list[tuple[str, int, str, float, float]]:
    if quick:
        return [("normal", 2, "clean", 0.0, 0.0), ("t", 2, "cluster", 0.2, 5.0)]
    found = []
    for name in LAWS:
        for d in DIMENSIONS if name == "normal" else (2, 3, 5):
            kinds = KINDS if d <= 10 else ("cluster",)
            found.append((name, d, "clean", 0.0, 0.0))
            found += [(name, d, kind, part, distance) for part in PARTS for kind in kinds for distance in DISTANCES]
    return found


def study(name: str, d: int, kind: str, part: float, distance: float, replications: int) -> hg.Study:
    df = LAWS[name]
    methods = {"default": by_gan, "MinCovDet": by_determinant, "clean observations": of_the_clean}
    return hg.Study(
        truth=hg.truth(
            functools.partial(draws, d=d, kind=kind, part=part, distance=distance, df=df),
            estimands={"location": 0.0, "scatter": 0.0},
        ),
        n=DIMENSIONS[d],
        methods={label: functools.partial(method, df=df) for label, method in methods.items()},
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
        for name, own in cells.groupby("law"):
            marker, label = ("o", f"d = {d}") if name == "normal" else ("x", f"d = {d}, t")
            ax.scatter(own["MinCovDet scatter"], own["scatter"], color=color, marker=marker, label=label, s=24)
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
    for law_, d, kind, part, distance in cells(given.quick):
        replications = 2 if given.quick else max(2, given.replications // {10: 5, 20: 50}.get(d, 1))
        name = f"several_dimensions-{law_}-{d}-{kind}-{part:g}-{distance:g}"
        result = shared.run(study(law_, d, kind, part, distance, replications), given, name, threads=1)
        cell = {"law": law_, "d": d, "kind": kind, "part": part, "distance": distance, "replications": replications}
        numbers = measured(result.to_frame()).items()
        rows += [{**cell, "measure": measure, "value": value, "mcse": error} for measure, (value, error) in numbers]
    found = pd.DataFrame(rows)
    report = shared.Report(given, "several_dimensions", "Several dimensions", str(__doc__))
    report.keep(found)
    keys = ["law", "d", "kind", "part", "distance", "replications"]
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
        ["law", "d", "n", "efficiency, location", "efficiency, scatter", "coverage", "least", "seconds", "failed"],
        [
            [
                *(row.law, row.d, DIMENSIONS[row.d]),
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
            *(
                "law",
                "d",
                "part",
                "where",
                "distance",
                "location",
                "location, MinCovDet",
                "scatter",
                "scatter, MinCovDet",
            ),
            *("coverage", "least", "flagged", "failed"),
        ],
        [
            [
                *(row.law, row.d, f"{row.part:g}", row.kind, f"{row.distance:g}"),
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
