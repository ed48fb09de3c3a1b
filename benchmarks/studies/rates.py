"""How the error falls with n: consistency, and the rate 1/2.

    .venv/bin/python benchmarks/studies/rates.py [--out benchmarks/studies/results] [--quick]

Samples of Normal(1, 1), clean or with a tenth replaced by observations of N(9, .3^2), n from 100 to 100,000. The
default fit has 1,024 Sobol points whatever n is; `m = n` has as many as observations, rounded up to a power of two.
Replications fall with n, as said below. Slopes are of a line through log RMSE (or the log of the estimates' standard
deviation) over log n, points weighted by their Monte Carlo errors; a consistent estimate of rate 1/2 has slope -.5.
Numbers in brackets are Monte Carlo standard errors.
"""

import itertools

import shared
from shared import crossed, entry, only

# isort: split
import numpy as np
import pandas as pd

import hellgan as hg
from hellgan import plots
from hellgan.plots.canvas import panels

REPLICATIONS = {100: 4000, 316: 4000, 1000: 2000, 3162: 1000, 10_000: 1000, 31_623: 400, 100_000: 200}
QUICK = {100: 8, 200: 8}
LOSSES = ("root", "log")
MEASURES = ("bias", "empirical_se", "rmse", "coverage", "se_ratio", "convergence")
FIXED, GROWING = "(default)", "(m = n)"


def design(n: int, replications: int) -> hg.Study:
    methods: dict = {f"{loss} {FIXED}": {"loss": loss} for loss in LOSSES}
    methods |= {f"{loss} {GROWING}": {"loss": loss, "n_simulated": n} for loss in LOSSES}
    return hg.Study(
        truth=hg.truth(hg.generators.Normal(), loc=1.0, scale=1.0),
        contamination={"clean": None, "10 % far": hg.Cluster(0.1, 9.0, 0.3)},
        n=n,
        methods={**methods, "maximum likelihood": "ml", "median and MAD": "median_mad"},
        replications=replications,
        seed=31_623,
    )


def slope(part: pd.DataFrame) -> tuple[float, float, float]:
    """Slope of the log of a measure over log n, its Monte Carlo error, and the misfit's chi-square a degree."""
    x, y, error = np.log(part["n"]), np.log(part["value"]), part["mcse"] / part["value"]
    weights = 1 / error**2
    centre = np.average(x, weights=weights)
    precision = np.sum(weights * (x - centre) ** 2)
    value = np.sum(weights * (x - centre) * y) / precision
    left = y - np.average(y, weights=weights) - value * (x - centre)
    return float(value), float(precision**-0.5), float(np.sum(weights * left**2) / max(len(x) - 2, 1))


def slopes(table: pd.DataFrame) -> pd.DataFrame:
    keys, rows = ["contamination", "method", "parameter", "measure"], []
    for labels, part in only(table, measure=["rmse", "empirical_se"]).groupby(keys, observed=True, sort=False):
        rows.append((*labels, *slope(part)))
    return pd.DataFrame(rows, columns=[*keys, "value", "mcse", "misfit"])


def draw(report: shared.Report, table: pd.DataFrame) -> None:
    axes = panels(4, None, 2, (4.6, 3.5), sharex=True)
    for ax, (departure, parameter) in zip(
        axes, itertools.product(("clean", "10 % far"), ("loc", "scale")), strict=True
    ):
        part = only(table, contamination=departure, parameter=parameter, measure="rmse")
        names = list(dict.fromkeys(part["method"]))
        colors = dict(
            zip(names, (plots.BLUE, plots.ORANGE, plots.BLUE, plots.ORANGE, plots.GREY, plots.GREEN), strict=True)
        )
        for name in names:
            own = part.loc[part["method"] == name].sort_values("n")
            dashed = name.endswith(GROWING)
            ax.errorbar(
                own["n"], own["value"], yerr=1.96 * own["mcse"], label=name, color=colors[name], capsize=2.5,
                linewidth=1.6, linestyle="--" if dashed else "-", marker="s" if dashed else "o", markersize=4,
                markerfacecolor="white" if dashed else colors[name],
            )  # fmt: skip
        n = np.array(sorted(set(part["n"])), float)
        first = float(only(part, method=names[0], n=int(n[0]))["value"].iloc[0])
        ax.plot(n, first * np.sqrt(n[0] / n), color="black", linewidth=0.8, linestyle=":", label="slope -1/2")
        ax.set_xscale("log")
        ax.set_yscale("log")
        ax.set_title(f"{parameter}, {departure}", fontsize=10)
    for ax in axes[2:]:
        ax.set_xlabel("n")
    for ax in axes[::2]:
        ax.set_ylabel("RMSE")
    handles, labels = axes[0].get_legend_handles_labels()
    axes[0].figure.legend(handles, labels, loc="outside lower center", ncols=4, frameon=False)
    report.figure(axes, "rmse", "Root mean squared error over n, with bars of 1.96 Monte Carlo errors.")


def conclude(report: shared.Report, found: pd.DataFrame, table: pd.DataFrame) -> None:
    methods = [f"{loss} {kind}" for loss in LOSSES for kind in (FIXED, GROWING)]
    columns = ["method", "parameter", "value", "mcse"]
    for departure, measure, what in (
        ("clean", "rmse", "log RMSE, no contamination"),
        ("10 % far", "empirical_se", "the log of the estimates' standard deviation under contamination"),
        ("10 % far", "rmse", "log RMSE under contamination"),
    ):
        part = only(found, contamination=departure, measure=measure, method=methods)
        far = part.loc[(part["value"] + 0.5).abs() > 2 * part["mcse"]]
        told = "; ".join(f"{m}, {p}: {entry(v, e)}" for m, p, v, e in far[columns].itertuples(index=False))
        report.say(
            f"Slope of {what}: between {part['value'].min():.3f} and {part['value'].max():.3f}; "
            f"{len(part) - len(far)} of {len(part)} within two Monte Carlo errors of -1/2"
            + (f", not so {told}." if len(far) else ".")
        )
    last = max(table["n"])
    bias = only(table, n=last, contamination="10 % far", measure="bias", method=methods)
    report.say(
        f"Bias under contamination at n = {last:,}: "
        + "; ".join(f"{m}, {p}: {entry(v, e)}" for m, p, v, e in bias[columns].itertuples(index=False))
        + ". At the model, the ratio of RMSE with 1,024 points to that with m = n there: "
        + "; ".join(_ratio(table, last, loss, parameter) for loss in LOSSES for parameter in ("loc", "scale"))
        + "."
    )


def _ratio(table, n, loss, parameter):
    of = only(table, n=n, contamination="clean", measure="rmse", parameter=parameter)
    values = {name: float(only(of, method=f"{loss} {name}")["value"].iloc[0]) for name in (FIXED, GROWING)}
    return f"{loss}, {parameter}: {values[FIXED] / values[GROWING]:.3f}"


def main():
    given = shared.options(str(__doc__))
    replications = QUICK if given.quick else REPLICATIONS
    tables = []
    for n, count in replications.items():
        result = shared.run(design(n, count), given, f"rates-{n}")
        tables.append(result.performance(list(MEASURES)))
    table = pd.concat(tables, ignore_index=True)
    found = slopes(table)
    report = shared.Report(given, "rates", "Consistency and rates", str(__doc__))
    report.keep(table)
    report.keep(found, "slopes")
    report.table(
        ["n", *(f"{n:,}" for n in replications)], [["replications", *(f"{c:,}" for c in replications.values())]]
    )
    report.say(shared.failures(table))
    conclude(report, found, table)
    draw(report, table)
    for departure in ("clean", "10 % far"):
        part = only(found, contamination=departure)
        rows = []
        for (method, parameter), own in part.groupby(["method", "parameter"], observed=True, sort=False):
            by = own.set_index("measure")
            cells = [entry(by.loc[m, "value"], by.loc[m, "mcse"]) for m in ("rmse", "empirical_se")]
            rows.append([method, parameter, *cells, f"{by['misfit']['rmse']:.1f}"])
        report.table(
            [
                "method",
                "parameter",
                "slope of log RMSE",
                "slope of log standard deviation",
                "misfit of the former, chi-square a degree",
            ],
            rows,
            f"Slopes, {departure}",
        )
    for departure, parameter, measure in itertools.product(("clean", "10 % far"), ("loc", "scale"), ("rmse", "bias")):
        part = only(table, contamination=departure, parameter=parameter, measure=measure)
        report.table(
            *crossed(part, "method", "n"),
            f"{measure.upper() if measure == 'rmse' else 'Bias'} of {parameter}, {departure}, over n",
        )
    report.write()


if __name__ == "__main__":
    main()
