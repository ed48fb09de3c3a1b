"""Whether it matters in one dimension that the discriminator's knots are estimated from the sample itself.

    .venv/bin/python benchmarks/studies/placement.py [--replications 2000] [--quick]

The default discriminator has its knots at quantiles of the sample. Here the same samples are fitted twice: with knots
of their own, and with knots held at the quantiles of the law that they are drawn from. Where standard errors had to
count that knots are estimated, the two would scatter differently. "sd, placed" and "sd, held" are standard deviations
of the estimates (on the log scale for a scale or shape), over the fits that converged; the ratio is one over the other,
with its Monte Carlo standard error; "said" is the median standard error over the standard deviation, of either. The
model is the normal law but for the last design, which fits an exponential law to a gamma law.
"""

from collections.abc import Callable
from typing import Any

import shared
from shared import entry

# isort: split
import numpy as np
import pandas as pd

import hellgan as hg
from hellgan.discriminators.specification import Discriminator

REPLICATIONS, SIZES = 2000, (200, 1000)


class Held(Discriminator):
    """A discriminator that is placed once for all samples."""

    basis: Any

    def place(self, x, weights, seed):
        return self.basis


def cluster(place: float, share: float) -> Callable:
    def draw(rng, n):
        x, wrong = rng.normal(size=n), round(share * n)
        x[:wrong] = place + 0.3 * rng.normal(size=wrong)
        return x

    return draw


NORMAL: Any = hg.generators.Normal()
DESIGNS: dict[str, tuple[Any, Callable]] = {
    "normal": (NORMAL, cluster(0, 0)),
    "a fifth at 3 sd": (NORMAL, cluster(3, 0.2)),
    "a fifth at 8 sd": (NORMAL, cluster(8, 0.2)),
    "Laplace": (NORMAL, lambda rng, n: rng.laplace(size=n)),
    "exponential": (NORMAL, lambda rng, n: rng.exponential(size=n)),
    "t, 2 df": (NORMAL, lambda rng, n: rng.standard_t(2, size=n)),
    "gamma(2) as exponential": (hg.generators.Exponential(), lambda rng, n: rng.gamma(2, size=n)),
}


def measured(name: str, n: int, count: int) -> list[dict[str, Any]]:
    family, draw = DESIGNS[name]
    rng = np.random.default_rng([20261129, n, *name.encode()])
    samples = np.stack([draw(rng, n) for _ in range(count)])
    law = np.sort(np.concatenate([draw(rng, n) for _ in range(40)])).reshape(n, 40).mean(axis=1)
    ways = {"placed": None, "held": Held(hg.GAN(law, family).basis)}
    fits = {way: hg.fit_batch(hg.GAN(samples[0], family, how), samples) for way, how in ways.items()}
    both = np.all([fit.converged for fit in fits.values()], axis=0)
    rows = []
    for parameter in fits["placed"].params:
        values = {way: fit.params[parameter].to_numpy()[both] for way, fit in fits.items()}
        errors = {way: fit.bse[parameter].to_numpy()[both] for way, fit in fits.items()}
        if parameter != "loc":
            errors = {way: errors[way] / values[way] for way in ways}
            values = {way: np.log(values[way]) for way in ways}
        sd = {way: values[way].std(ddof=1) for way in ways}
        ratio, r = sd["placed"] / sd["held"], np.corrcoef(values["placed"], values["held"])[0, 1]
        row = {"design": name, "n": n, "parameter": parameter, "ratio": ratio}
        row |= {f"sd, {way}": sd[way] for way in ways} | {
            f"said, {way}": np.median(errors[way]) / sd[way] for way in ways
        }
        rows.append(row | {"mcse": ratio * np.sqrt((1 - r**2) / both.sum()), "failed": 1 - both.mean()})
    return rows


def main():
    given = shared.options(str(__doc__), REPLICATIONS)
    count = 8 if given.quick else given.replications
    cells = [(name, n) for name in [*DESIGNS][: 1 if given.quick else None] for n in SIZES]
    frame = pd.DataFrame([row for name, n in cells for row in measured(name, n, count)])
    report = shared.Report(given, "placement", "Knots that are estimated, and knots that are not", str(__doc__))
    report.keep(frame)
    largest = frame["ratio"].sub(1).abs().max()
    report.say(f"{count} samples of a cell. The two standard deviations differ by at most {100 * largest:.1f} %.")
    columns = ["design", "n", "parameter"]
    head = [*columns, "sd, placed", "sd, held", "ratio", "said, placed", "said, held", "failed"]
    body = [
        [
            *(str(r[c]) for c in columns),
            f"{r['sd, placed']:.4f}",
            f"{r['sd, held']:.4f}",
            entry(r["ratio"], r["mcse"]),
            f"{r['said, placed']:.3f}",
            f"{r['said, held']:.3f}",
            f"{r['failed']:.3f}",
        ]
        for r in frame.to_dict("records")
    ]
    report.table(head, body)
    report.write()


if __name__ == "__main__":
    main()
