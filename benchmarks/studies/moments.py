"""Adversarial estimation against the method of moments, as more and more powers are matched.

    .venv/bin/python benchmarks/studies/moments.py [--out benchmarks/studies/results] [--quick]

After Kaji, Manresa and Pouliot (Econometrica 2023): the location of a logistic law of scale 1, n = 200 observations
and m = 200 independent simulated ones, powers 1 to d of an observation, d = 1, 3, ..., 11. Simulated moments weight
the gap between the powers' means by the identity or by the inverse of their covariance; the adversarial estimate
takes the same powers as a logistic discriminator's features (loss `log`, `Polynomial(d)`); beside them the package's
default discriminator, which does not depend on d. The limit is sqrt(2 x 3 / n), the asymptotic
standard deviation with features that span the score: sqrt(3 / n) is maximum likelihood's, and n = m doubles the
variance.
Simulated moments and GANs have latent draws of their own. Numbers in brackets are Monte Carlo standard errors.
"""

import shared
from shared import crossed, entry, only

# isort: split
import numpy as np
import pandas as pd

import hellgan as hg
from hellgan import montecarlo, plots
from hellgan.plots.canvas import panels

DEGREES, N, REPLICATIONS = (1, 3, 5, 7, 9, 11), 200, 2000
MEASURES = ("bias", "empirical_se", "rmse", "median_bias", "mad_se", "se_ratio", "coverage", "convergence")
KINDS = ("moments (identity)", "moments (optimal)", "adversarial")
DEFAULTS = ("default (root)", "default (log)")
TITLES = {
    "rmse": "RMSE",
    "bias": "Bias",
    "mad_se": "Median absolute deviation / .6745",
    "coverage": "Coverage",
    "convergence": "Share that converged",
}
LIMIT = float(np.sqrt(6 / N))


def design(quick: bool, replications: int) -> hg.Study:
    iid: dict = {"latent": "iid", "n_simulated": N}
    methods = {}
    for d in (1, 3) if quick else DEGREES:
        for weight in ("identity", "optimal"):
            methods[f"moments ({weight}) {d}"] = montecarlo.SimulatedMoments(degree=d, weight=weight, **iid)
        methods[f"adversarial {d}"] = {"loss": "log", "discriminator": hg.discriminators.Polynomial(d), **iid}
    methods |= {f"default ({loss})": {"loss": loss, **iid} for loss in ("root", "log")}
    return hg.Study(
        truth=hg.truth(hg.generators.Logistic().fix(scale=1.0), loc=0.0),
        n=N,
        methods={**methods, "maximum likelihood": "ml"},
        replications=16 if quick else replications,
        seed=200,
    )


def split(table: pd.DataFrame) -> pd.DataFrame:
    """Tell the kind of a method from the number of its powers (0: none)."""
    parts = table["method"].astype(str).str.extract(r"^(?P<kind>.*?)(?: (?P<d>\d+))?$")
    return table.assign(kind=parts["kind"], d=parts["d"].fillna("0").astype(int))


def draw(report: shared.Report, table: pd.DataFrame) -> None:
    axes = panels(4, None, 2, (4.6, 3.2), sharex=True)
    colors = dict(zip(KINDS, (plots.GREY, plots.GREEN, plots.BLUE), strict=True))
    for ax, measure in zip(axes, ("rmse", "mad_se", "bias", "coverage"), strict=True):
        part = table[table["measure"] == measure]
        for kind, color in colors.items():
            own = part[part["kind"] == kind]
            ax.errorbar(
                own["d"], own["value"], yerr=1.96 * own["mcse"], color=color, marker="o", markersize=4, capsize=2.5,
                label=kind,
            )  # fmt: skip
        for kind, style in zip(DEFAULTS, ("-", "--"), strict=True):
            value = float(part.loc[part["kind"] == kind, "value"].iloc[0])
            ax.axhline(value, color=plots.ORANGE, linestyle=style, linewidth=1.4, label=kind)
        if measure in ("rmse", "mad_se"):
            ax.axhline(LIMIT, color="black", linestyle=":", linewidth=1.0, label="limit, n = m")
            top = max(3 * LIMIT, 1.1 * float(part.loc[part["kind"] == "adversarial", "value"].max()))
            ax.set_ylim(0, min(top, 6 * LIMIT))
        if measure == "coverage":
            ax.axhline(0.95, color="black", linestyle=":", linewidth=1.0)
        ax.set_title(TITLES[measure], fontsize=10)
        ax.set_xticks(sorted(set(table["d"]) - {0}))
    for ax in axes[2:]:
        ax.set_xlabel("number of powers d")
    handles, labels = axes[0].get_legend_handles_labels()
    axes[0].figure.legend(handles, labels, loc="outside lower center", ncols=3, frameon=False)
    report.figure(axes, "powers", "Error along the number of powers, with bars of 1.96 Monte Carlo errors.")


def conclude(report: shared.Report, table: pd.DataFrame) -> None:
    def at(measure, kind, d):
        row = only(table, measure=measure, kind=kind, d=d).iloc[0]
        return row["value"], row["mcse"]

    degrees = sorted(set(table["d"]) - {0})
    for kind in KINDS:
        values = {d: at("rmse", kind, d)[0] for d in degrees}
        best = min(values, key=lambda d: values[d])
        report.say(
            f"- {kind.capitalize()}: RMSE {entry(*at('rmse', kind, degrees[0]))} with one power, least with {best}, "
            f"{entry(*at('rmse', kind, best))}, and {entry(*at('rmse', kind, degrees[-1]))} with {degrees[-1]}, "
            f"{values[degrees[-1]] / values[best]:.2f} times the least; coverage there "
            f"{entry(*at('coverage', kind, degrees[-1]))}."
        )
    for kind in DEFAULTS:
        report.say(
            f"- {kind.capitalize()}: RMSE {entry(*at('rmse', kind, 0))}, {at('rmse', kind, 0)[0] / LIMIT:.3f} times "
            f"the limit {LIMIT:.4f}; coverage {entry(*at('coverage', kind, 0))}."
        )
    report.say(
        f"- Maximum likelihood, which simulates nothing: RMSE {entry(*at('rmse', 'maximum likelihood', 0))} "
        f"(limit {np.sqrt(3 / N):.4f})."
    )


def main():
    given = shared.options(str(__doc__), REPLICATIONS)
    study = design(given.quick, given.replications)
    result = shared.run(study, given, "moments")
    table = split(result.performance(list(MEASURES)))
    report = shared.Report(given, "moments", "Adversarial against moments", str(__doc__))
    report.keep(table)
    report.say(f"{study.replications:,} replications. {shared.failures(table)}")
    conclude(report, table)
    draw(report, table)
    for measure in ("rmse", "bias", "mad_se", "coverage", "convergence"):
        part = only(table, measure=measure)
        header, rows = crossed(part.loc[part["d"] > 0], "kind", "d")
        report.table(["method", *(f"d = {d}" for d in header[1:])], rows, TITLES[measure])
    rows = []
    for kind in (*DEFAULTS, "maximum likelihood"):
        own = only(table, kind=kind).set_index("measure")
        cells = [entry(own.loc[m, "value"], own.loc[m, "mcse"]) for m in ("rmse", "bias", "mad_se", "coverage")]
        rows.append([kind, *cells])
    report.table(["method", "RMSE", "bias", "mad_se", "coverage"], rows, "Without powers")
    report.write()


if __name__ == "__main__":
    main()
