"""Whether Hellinger-type losses are more accurate and more robust than the classic one.

    .venv/bin/python benchmarks/studies/hellinger.py [--out benchmarks/studies/results] [--quick]

The source paper (arXiv 2512.12267, of which only the abstract was read) says that two implementations of its Hellinger
loss are both better than the classic loss, in accuracy and robustness, for Gaussian data contaminated up to 20 %. Which
two losses these are is not known: `hellinger` (the exact squared Hellinger distance) and `root` (bounded), or `root`
and `root_ns`, are the likely readings. Here samples are of Normal(1, 1), of which a share eps is replaced by
observations of N(4, .3^2), *near*, 3 standard deviations away, or of N(9, .3^2), *far*, 8 away; exactly round(eps n) of
them. (Standard errors are those of a sample whose number of outliers varies, as in `hg.Cluster(..., binomial=True)`;
those of an estimate that follows the outliers are therefore larger than its standard deviation here, and its coverage
is no smaller for that.) All methods fit loc and scale of a normal law to the same samples. The GANs have the package's
defaults (16 sigmoids at quantiles of the data, 1,024 Sobol points) unless another discriminator is named; Polynomial(2)
and MLP((8,)) at n = 500 alone, with fewer replications, as said below; the latter at eps 0, 10 and 20 % only. Numbers
in brackets are Monte Carlo standard errors.
"""

import itertools
from typing import Any

import shared
from shared import crossed, entry, listed, only

# isort: split
import numpy as np
import pandas as pd
from scipy import stats

import hellgan as hg
from hellgan import plots
from hellgan.plots.canvas import panels

LOSSES = ("log", "hellinger", "root", "root_ns", "least_squares")
SHARES, SIZES = (0.0, 0.05, 0.1, 0.15, 0.2, 0.3), (200, 500, 2000)
PLACES, SPREAD, LIMIT = {"near": 4.0, "far": 9.0}, 0.3, 0.2
REPLICATIONS, POLYNOMIAL, MLP = 2000, 500, 20
CLASSICAL = {
    "maximum likelihood": "ml",
    "median and MAD": "median_mad",
    "Huber": "huber",
    "density power (.5)": "density_power",
    "minimum Hellinger": "minimum_hellinger",
}
READINGS = {"`hellinger` and `root`": ("hellinger", "root"), "`root` and `root_ns`": ("root", "root_ns")}
CLAIMS = {
    "Accuracy, without contamination": "none",
    "Robustness, near contamination": "near",
    "Robustness, far contamination": "far",
}
MEASURES = ("bias", "empirical_se", "rmse", "coverage", "se_ratio", "convergence", "median_bias", "mad_se")


def contamination(eps, distance):
    return None if eps == 0 else hg.Cluster(eps, PLACES[distance], SPREAD)


def few(eps, distance, n):
    """Cells of the network, which takes seconds a fit."""
    return n == 500 and eps in (0.0, 0.1, 0.2)


def in_few(eps, distance, n):
    return distance == "far"


def design(quick: bool, replications: int) -> hg.Study:
    """The study; the clean cell belongs to neither distance."""
    shares, sizes = ((0.0, 0.2), (200,)) if quick else (SHARES, SIZES)
    methods: dict = {loss: {"loss": loss} for loss in LOSSES} | CLASSICAL
    polynomial = {"where": {"n": sizes[len(sizes) // 2]}, "replications": 2 if quick else POLYNOMIAL}
    network = {"where": in_few if quick else few, "replications": 1 if quick else MLP}
    for loss in ("log",) if quick else ("log", "hellinger", "root"):
        methods[f"{loss} (polynomial)"] = {"loss": loss, "discriminator": hg.discriminators.Polynomial(2), **polynomial}
        methods[f"{loss} (MLP)"] = {"loss": loss, "discriminator": hg.discriminators.MLP((8,)), **network}
    return hg.Study(
        truth=hg.truth(hg.generators.Normal(), loc=1.0, scale=1.0),
        contamination=contamination,
        factors={"eps": shares, "distance": ("none", *PLACES)},
        where=lambda eps, distance, n: (eps == 0) == (distance == "none"),
        n=sizes,
        methods=methods,
        replications=8 if quick else replications,
        seed=20251212,
    )


def population(shares) -> pd.DataFrame:
    """Bias of the fit that an ideal discriminator would lead to, and of maximum likelihood."""
    family, rows = hg.generators.Normal(), []
    for (distance, place), eps in itertools.product(PLACES.items(), [eps for eps in shares if eps > 0]):
        law = hg.divergences.mixture([1 - eps, eps], [stats.norm(1, 1), stats.norm(place, SPREAD)])
        loc = 1 + eps * (place - 1)
        variance = (1 - eps) * (1 + (1 - loc) ** 2) + eps * (SPREAD**2 + (place - loc) ** 2)
        found = {"maximum likelihood": {"loc": loc, "scale": np.sqrt(variance)}}
        found |= {loss: hg.divergences.population_fit(loss, law, family).params for loss in LOSSES}
        for method, params in found.items():
            rows += [(method, eps, distance, name, "bias", value - 1, 0.0) for name, value in params.items()]
    return pd.DataFrame(rows, columns=["method", "eps", "distance", "parameter", "measure", "value", "mcse"])


def verdicts(relative: pd.DataFrame, limit: float) -> pd.DataFrame:
    """Count for each loss, distance and parameter where its mean squared error is told apart from the reference's."""
    frame = relative[(relative["eps"] <= limit) & relative["method"].isin(LOSSES)]
    gap = (frame["with_failures"] - 1) / frame["with_failures_mcse"]
    frame = frame.assign(better=gap > 2, worse=gap < -2, undecided=~(abs(gap) > 2), cells=1)
    by = ["reference", "method", "distance", "parameter"]
    counts: Any = frame.groupby(by, observed=True, sort=False)[["better", "worse", "undecided", "cells"]].sum()
    return counts.reset_index()


def counted(part: pd.DataFrame) -> str:
    """Say how often a loss was better."""
    better, worse, cells = (int(part[column].to_numpy().sum()) for column in ("better", "worse", "cells"))
    return f"smaller in {better}, larger in {worse} and not told apart in {cells - better - worse} of {cells}"


def holds(part: pd.DataFrame) -> str:
    """Judge a claim to be better, by the cells."""
    better, worse, cells = (int(part[column].to_numpy().sum()) for column in ("better", "worse", "cells"))
    if better == cells:
        return "holds"
    if worse == 0:
        return "holds in part" if better else "is not borne out"
    return "does not hold" if better == 0 else "holds in some cells and fails in others"


def conclude(report: shared.Report, relative: pd.DataFrame, ideal: pd.DataFrame, table: pd.DataFrame) -> None:
    """Say what the abstract claims, and what was found; every number is computed."""
    counts = verdicts(relative, LIMIT)
    report.heading("The claims of the abstract")
    report.say(
        "A loss is called better than the classic one, `log`, in a cell where its mean squared error is smaller by "
        "more than two Monte Carlo standard errors of the ratio, for the same samples, fits that failed included; "
        "cells are sizes n times shares eps up to 20 %, loc and scale each. A claim holds where the loss is better in "
        "all cells, in part where it is never worse; it is not borne out where no cell tells the two apart."
    )
    for reading, losses in READINGS.items():
        report.say(f"**If the two losses are {reading}:**")
        lines = []
        for about, distance in CLAIMS.items():
            both = [only(counts, reference="log", distance=distance, method=loss) for loss in losses]
            said = [holds(own) for own in both]
            each = zip(losses, said, both, strict=True)
            lines.append(
                f"- {about}: " + "; ".join(f"`{loss}` {word} ({counted(own)})" for loss, word, own in each) + "."
            )
        report.say("\n".join(lines))
    clean = only(relative, reference="log", distance="none", method=list(LOSSES))
    report.say(
        "Without contamination the mean squared error of `log` over that of the other losses is from "
        f"{clean['with_failures'].min():.3f} to {clean['with_failures'].max():.3f}; in the limit it is 1 for all, "
        "equation (3) of docs/theory.md."
    )
    rows = []
    for loss in LOSSES[1:]:
        own = [only(counts, reference="log", method=loss, distance=where) for where in ("none", *PLACES)]
        rows.append([loss, *(f"{int(o.better.sum())} / {int(o.worse.sum())} / {int(o.undecided.sum())}" for o in own)])
    report.table(
        ["loss", *("clean", *PLACES)],
        rows,
        "Cells with a smaller / larger / not different mean squared error than `log`",
    )
    against = [only(counts, reference="maximum likelihood", method=loss, distance=list(PLACES)) for loss in LOSSES]
    report.say(
        'If "classic (maximum-likelihood type)" means the estimator, not the loss, the comparison is with maximum '
        "likelihood. Under contamination up to 20 %, mean squared error against its: "
        + "; ".join(f"`{loss}` {counted(own)}" for loss, own in zip(LOSSES, against, strict=True))
        + ". Without contamination: "
        + "; ".join(
            f"`{loss}` {counted(only(counts, reference='maximum likelihood', method=loss, distance='none'))}"
            for loss in LOSSES
        )
        + "."
    )
    report.heading("What an ideal discriminator would do")
    report.say(
        "Bias of the member of the family at the least divergence from the contaminated law (`hg.divergences."
        "population_fit`), for loc and scale together: the limit of the fit when n and the discriminator grow. There "
        "is no Monte Carlo error. It is a property of the loss alone."
    )
    for distance, parameter in itertools.product(PLACES, ("loc", "scale")):
        part = only(ideal, distance=distance, parameter=parameter)
        shares = list(dict.fromkeys(part["eps"]))
        values = {(m, e): v for m, e, v in part[["method", "eps", "value"]].itertuples(index=False)}
        rows = [[m, *(f"{values[m, e]:.5f}" for e in shares)] for m in dict.fromkeys(part["method"])]
        report.table(["method", *(f"eps = {e:g}" for e in shares)], rows, f"{parameter}, {distance}")
    most = max(eps for eps in set(ideal["eps"]) if eps <= LIMIT)
    for distance in PLACES:
        chosen = only(ideal, distance=distance, eps=most, parameter="loc")
        order = chosen.assign(size=chosen["value"].abs()).sort_values("size", ascending=False)
        n = max(table["n"])
        seen = only(
            table, distance=distance, eps=most, parameter="loc", measure="bias", n=n, method=list(order["method"])
        )
        seen = seen.assign(size=seen["value"].abs()).sort_values("size", ascending=False)
        report.say(
            f"{distance.capitalize()}, eps = {most:g}, loc, from the most biased to the least. Ideal discriminator: "
            + ", ".join(f"{m} ({v:.4f})" for m, v in order[["method", "value"]].itertuples(index=False))
            + f". Measured at n = {n:,}: "
            + ", ".join(f"{m} {entry(v, e)}" for m, v, e in seen[["method", "value", "mcse"]].itertuples(index=False))
            + "."
        )


def figures(report: shared.Report, table: pd.DataFrame, n: int) -> None:
    """Draw bias, root mean squared error and coverage along eps; the clean cell begins both distances."""
    measures = ["bias", "rmse", "coverage"]
    names = [*LOSSES, "maximum likelihood", "median and MAD", "density power (.5)"]
    for distance in PLACES:
        frame = only(table, n=n, distance=["none", distance], method=names, measure=measures)
        axes = panels(6, None, 3, (4.2, 3.3))
        grid = np.reshape(axes, (2, 3))
        for row, parameter in zip(grid, ("loc", "scale"), strict=True):
            part = only(frame, parameter=parameter, method=list(LOSSES), measure=["bias", "rmse"])
            top = 1.15 * float(np.nanmax(part["value"]))
            low = min(-0.02, 1.3 * float(np.nanmin(part["value"])))
            plots.contamination_curves(
                frame,
                "eps",
                measures,
                parameter=parameter,
                methods=names,
                limits={"bias": (low, max(top, 0.05)), "rmse": (0, max(top, 0.05)), "coverage": (-0.03, 1.03)},
                axes=row,
            )
            row[-1].get_legend().remove()
            for ax, measure in zip(row, measures, strict=True):
                ax.set_title(f"{'RMSE' if measure == 'rmse' else measure.capitalize()} of {parameter}", fontsize=10)
                ax.set_ylabel("")
        handles, labels = grid[0, 0].get_legend_handles_labels()
        figure = grid[0, 0].figure
        figure.legend(handles, labels, loc="outside lower center", ncols=4, frameon=False)
        report.figure(
            axes,
            distance,
            f"n = {n}, contamination {distance}: bias, RMSE and coverage with bars of 1.96 Monte Carlo errors; lines "
            "that leave a panel go on beyond it.",
        )


def main():
    given = shared.options(str(__doc__), REPLICATIONS)
    study = design(given.quick, given.replications)
    result = shared.run(study, given, "hellinger")
    table = result.performance(list(MEASURES))
    relative = pd.concat(
        [result.performance(["relative_mse"], reference=name).assign(reference=name) for name in ("log", CLASSIC)]
    )
    differs = relative["method"] != relative["reference"]
    relative = relative.loc[relative["method"].isin([*LOSSES, *CLASSICAL]) & differs]
    report = shared.Report(given, "hellinger", "The Hellinger study", str(__doc__))
    ideal = population(sorted(set(table["eps"])))
    report.keep(pd.concat([table.assign(reference=""), relative]))
    report.keep(ideal, "population")
    middle = 500 if 500 in set(table["n"]) else max(table["n"])
    sizes = sorted(set(table["n"]))
    counts = table.drop_duplicates("method").set_index("method")["replications"]
    fewer = [f"{name} ({count:,})" for name, count in counts.items() if count < study.replications]
    report.say(f"{study.replications:,} replications a cell; fewer of {listed(fewer)}. {shared.failures(table)}")
    conclude(report, relative, ideal, table)
    report.heading("What was measured")
    figures(report, table, middle)
    for n in [middle, *(n for n in sizes if n != middle)]:
        for distance, parameter in itertools.product(PLACES, ("loc", "scale")):
            for measure in ("bias", "rmse", "coverage") if n == middle else ("rmse",):
                part = only(table, n=n, distance=["none", distance], parameter=parameter, measure=measure)
                report.table(
                    *crossed(part.sort_values("eps", kind="stable"), "method", "eps"),
                    _title(n, distance, parameter, measure),
                )
    for n, distance in itertools.product(sizes, PLACES):
        part = only(table, n=n, distance=["none", distance], parameter="loc", measure="convergence")
        if part["n_failed"].any():
            failed = part.assign(
                text=[f"{f:,} of {r:,}" for f, r in zip(part["n_failed"], part["replications"], strict=True)]
            )
            wide = failed.pivot(index="method", columns="eps", values="text").fillna("")
            rows = [
                [m, *wide.loc[m]]
                for m in dict.fromkeys(part["method"])
                if part.loc[part["method"] == m, "n_failed"].any()
            ]
            report.table(
                ["method", *(f"eps = {e:g}" for e in wide.columns)], rows, f"Fits that failed, n = {n:,}, {distance}"
            )
    report.write()


CLASSIC = "maximum likelihood"


def _title(n, distance, parameter, measure):
    return f"{measure.capitalize() if measure != 'rmse' else 'RMSE'} of {parameter}, n = {n:,}, {distance}"


if __name__ == "__main__":
    main()
