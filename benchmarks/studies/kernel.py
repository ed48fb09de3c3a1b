"""Kernel GANs: whether their intervals hold, how efficient they are, and when they are better than other estimators.

    .venv/bin/python benchmarks/studies/kernel.py [--out benchmarks/studies/results] [--quick]

Each law is fitted to samples of it, the normal and the logistic law also to samples of which a fifth is replaced by
observations of N(8, .3^2). Kernel GANs have the package's defaults (bandwidth 1.5 n^(-1/5) robust scales, phi of one
observation's own peak, 1,024 Sobol points) with the losses `root` and `log`; beside them stand `GAN` with its defaults,
maximum likelihood and the minimum Hellinger distance, on the same samples. Numbers in brackets are Monte Carlo standard
errors. Efficiency is the variance of maximum likelihood over the method's own, on clean samples; a spread is the
median absolute deviation of the estimates, made consistent at the normal law, so that single failures do not decide.
"""

from typing import Any

import shared
from shared import entry, failures, only

# isort: split
import numpy as np
import pandas as pd

import hellgan as hg

SIZES = (200, 500)
REPLICATIONS = 500
NORMAL, FAR = "normal", "a fifth at N(8, .3^2)"
LAWS: dict[str, tuple[Any, dict[str, Any]]] = {
    NORMAL: (hg.generators.Normal(), {"loc": 1.0, "scale": 1.0}),
    "logistic": (hg.generators.Logistic(), {"loc": 0.0, "scale": 1.0}),
    "gamma": (hg.generators.Gamma(), {"a": 2.0, "scale": 1.0}),
    "Cauchy": (hg.generators.Cauchy(), {"loc": 0.0, "scale": 1.0}),
    "g-and-k": (hg.generators.GAndK(), {"a": 3.0, "b": 1.0, "g": 0.5, "k": 0.2}),
}
METHODS: dict[str, Any] = {
    "kernel root": {"estimator": "kernel"},
    "kernel log": {"estimator": "kernel", "loss": "log"},
    "GAN root": {},
    "maximum likelihood": {"comparator": "ml"},
    "minimum Hellinger": {"comparator": "minimum_hellinger"},
}
WITHOUT_DENSITY = ("kernel root", "kernel log", "GAN root")  # what a law without a density can be fitted by
COVERAGE, CONTAMINATED, BIAS = (0.93, 0.97), 0.92, 0.03  # what is asked of intervals and estimates


def study(law: str, given) -> hg.Study:
    family, params = LAWS[law]
    methods = {name: how for name, how in METHODS.items() if law != "g-and-k" or name in WITHOUT_DENSITY}
    return hg.Study(
        truth=hg.truth(family, **params),
        contamination=[None, hg.Cluster(0.2, loc=8.0, scale=0.3)] if law in (NORMAL, "logistic") else [None],
        n=list(SIZES[:1] if given.quick else SIZES),
        methods=methods,
        replications=16 if given.quick else REPLICATIONS,
        seed=20261130,
    )


def performances(given) -> pd.DataFrame:
    frames = []
    for law in [NORMAL] if given.quick else LAWS:
        found = shared.run(study(law, given), given, f"kernel-{law}").performance()
        frames.append(found.assign(law=law))
    frame = pd.concat(frames, ignore_index=True)
    clean = frame["contamination"].astype(str) == "none"
    return frame.assign(sample=np.where(clean, "clean", FAR))


def table(report, frame: pd.DataFrame, measure: str, title: str) -> None:
    """One row a law, size and parameter, one column a method."""
    chosen = only(frame, measure=measure)
    across = [name for name in METHODS if name in set(chosen["method"])]
    cells = {
        (r["law"], r["n"], r["parameter"], r["method"]): entry(r["value"], r["mcse"]) for r in chosen.to_dict("records")
    }
    keys = list(dict.fromkeys((law, n, parameter) for law, n, parameter, _ in cells))
    rows = [
        [law, str(n), parameter, *(cells.get((law, n, parameter, m), "") for m in across)] for law, n, parameter in keys
    ]
    report.table(["law", "n", "parameter", *across], rows, title)


def efficiencies(frame: pd.DataFrame) -> pd.DataFrame:
    """Variance of maximum likelihood over each method's, by median absolute deviations, where there is likelihood."""
    keys = ["law", "n", "parameter"]
    spread = only(frame, measure="mad_se", sample="clean")
    best = only(spread, method="maximum likelihood")[[*keys, "value", "mcse"]]
    rows = spread.merge(best, on=keys, suffixes=("", "_best"))
    ratio = rows["value_best"] / rows["value"]
    relative = np.hypot(rows["mcse_best"] / rows["value_best"], rows["mcse"] / rows["value"])
    return rows.assign(measure="efficiency", value=ratio**2, mcse=2 * ratio**2 * relative)


def verdict(frame: pd.DataFrame, method: str) -> str:
    """Say in how many cells intervals and estimates are as asked."""
    own = only(frame, method=method)
    far = only(own, sample=FAR, law=NORMAL)
    clean, hit, bias = (
        only(of, measure=measure)["value"].to_numpy()
        for of, measure in ((only(own, sample="clean"), "coverage"), (far, "coverage"), (far, "bias"))
    )
    (low, high), sizes = COVERAGE, np.abs(bias)
    held = (clean > low) & (clean < high), hit >= CONTAMINATED, sizes < BIAS
    inside, above, small = (int(np.sum(each)) for each in held)
    return (
        f"`{method}`: coverage between {low} and {high} in {inside} of {len(clean)} clean cells (least "
        f"{clean.min():.3f}); of the contaminated normal samples coverage of at least {CONTAMINATED} in "
        f"{above} of {len(hit)}, bias below {BIAS} in {small} of {len(bias)} (largest {sizes.max():.4f})."
    )


def main():
    given = shared.options(str(__doc__))
    frame = performances(given)
    report = shared.Report(given, "kernel", "Kernel GANs beside other estimators", str(__doc__))
    counts: Any = frame.groupby("law", sort=False)["replications"].max()
    report.say(f"Samples a cell: {', '.join(f'{law} {count:,}' for law, count in counts.items())}.")
    kernels = [name for name in METHODS if name.startswith("kernel")]
    report.say("\n".join(f"- {verdict(frame, name)}" for name in kernels))
    report.say(failures(only(frame, measure="bias")))
    kept = [frame]
    for sample in ("clean", FAR):
        own = only(frame, sample=sample)
        report.heading("Clean samples" if sample == "clean" else f"Of which {FAR}")
        for measure, title in (("coverage", "Coverage of 95 % intervals"), ("bias", "Bias"), ("mad_se", "Spread")):
            table(report, own, measure, f"{title}, {'clean' if sample == 'clean' else 'contaminated'}")
        if sample == "clean":
            kept.append(efficiencies(frame))
            table(report, kept[-1], "efficiency", "Efficiency against maximum likelihood, clean")
    columns = ["law", "sample", "n", "method", "parameter", "measure", "value", "mcse", "n_failed", "replications"]
    numbers: Any = pd.concat(kept, ignore_index=True)[columns]
    report.keep(numbers)
    report.write()


if __name__ == "__main__":
    main()
