"""Standard errors of kernel GANs: the sandwich beside the bootstrap.

    .venv/bin/python benchmarks/studies/kernel_bootstrap.py [--replications 10] [--out FOLDER] [--quick]

Samples of each law are fitted by `KernelGAN` with its defaults; each fit's standard errors by the sandwich are held
against those of 400 bootstrap resamples, every one of which is fitted anew, with the Sobol points
shifted. "ratio" is the bootstrap's over the sandwich's, the mean over the samples, in brackets its Monte Carlo standard
error; the bootstrap's own error in one sample is a twenty-eighth.
"""

from collections.abc import Callable
from typing import Any

import shared
from shared import entry

# isort: split
import numpy as np
import pandas as pd

import hellgan as hg

REPLICATIONS, RESAMPLES, SIZES, LOSSES = 10, 400, (200, 500), ("root", "log")
WITHIN = 0.05  # how far from 1 a ratio may be


def g_and_k(rng: np.random.Generator, n: int) -> np.ndarray:
    z = rng.standard_normal(n)
    return 3 + (1 + 0.8 * np.tanh(z / 4)) * (1 + z * z) ** 0.2 * z


LAWS: dict[str, tuple[Any, Callable]] = {
    "normal": (hg.generators.Normal(), lambda rng, n: rng.normal(1, 1, n)),
    "logistic": (hg.generators.Logistic(), lambda rng, n: rng.logistic(size=n)),
    "gamma": (hg.generators.Gamma(), lambda rng, n: rng.gamma(2, size=n)),
    "g-and-k": (hg.generators.GAndK(), g_and_k),
}


def ratios(law: str, n: int, loss: str, count: int, resamples: int) -> list[dict]:
    family, draw = LAWS[law]
    rows = []
    for r in range(count):
        x = draw(np.random.default_rng([20261201, n, r]), n)
        fit = hg.KernelGAN(x, family, loss=loss, seed=r).fit()
        boot = fit.bootstrap(resamples, seed=r)
        for name, ratio in (boot.bse / fit.bse).items():
            rows.append({"law": law, "n": n, "loss": loss, "parameter": name, "r": r, "ratio": ratio})
            rows[-1]["failed"] = boot.n_failed
    return rows


def main():
    given = shared.options(str(__doc__), REPLICATIONS)
    count, resamples = (2, 20) if given.quick else (given.replications, RESAMPLES)
    laws, sizes = (list(LAWS)[:1], SIZES[:1]) if given.quick else (list(LAWS), SIZES)
    report = shared.Report(given, "kernel_bootstrap", "Kernel GANs: sandwich and bootstrap", str(__doc__))
    frame = pd.DataFrame(
        [row for law in laws for n in sizes for loss in LOSSES for row in ratios(law, n, loss, count, resamples)]
    )
    report.keep(frame)
    keys = ["law", "n", "parameter", "loss"]
    told: Any = frame.groupby(keys, sort=False)["ratio"].agg(["mean", "std"]).reset_index()
    told["mcse"] = told["std"] / np.sqrt(count)
    near = np.abs(told["mean"] - 1) <= WITHIN
    clear = np.abs(told["mean"] - 1) > WITHIN + 2 * told["mcse"]
    failed = int(frame.drop_duplicates(["law", "n", "loss", "r"])["failed"].to_numpy().sum())
    report.say(
        f"{count} samples a cell. Ratios within {WITHIN} of 1 in {int(near.sum())} of {len(told)} cells, farther by "
        f"more than two Monte Carlo errors in {int(clear.sum())}; the largest {told['mean'].max():.3f}, the least "
        f"{told['mean'].min():.3f}. Resamples without a fit: {failed}."
    )
    cells = {tuple(r[k] for k in keys): entry(r["mean"], r["mcse"]) for r in told.to_dict("records")}
    rows = [
        [law, str(n), parameter, *(cells[law, n, parameter, loss] for loss in LOSSES)]
        for law, n, parameter in told[keys[:3]].drop_duplicates().itertuples(index=False)
    ]
    report.table(["law", "n", "parameter", *(f"`{loss}`" for loss in LOSSES)], rows, "Ratio")
    report.write()


if __name__ == "__main__":
    main()
