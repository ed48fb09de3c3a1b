"""Near and far contamination in one dimension: which objective of the generator, and what one reweighting adds.

    .venv/bin/python benchmarks/studies/near.py [--replications 400] [--quick]

A tenth or a fifth of a sample of n observations is replaced by observations around the quantile at which a standard
normal law has k = 2, 3, 4 or 8, normal with a spread of .3 on that scale: 3 and .3 standard deviations for a normal
law. Exactly round(eps n) are replaced. All methods have the package's defaults (16 sigmoids at quantiles of the data)
and see the same samples. `root` is a zero-sum game; `root_ns`, `log_ns` and `sharp_ns` have generators with objectives
of their own, the last -expit(3v)^(1/3) with the concave discriminator of `log`; "reweighted" is `GAN(reweight=True)`: a
first fit with `sharp_ns`, then `root` with each observation weighted by expit(4 (1.5 - v)), v the first log density
ratio. Bias and root mean squared error are those of certified fits; coverage is that of 95 % intervals; "failed" is the
share without a certificate.

The normal law has all replications, GAndK a sixth and no share of a fifth (its fits take seconds), the others half. The
last table is of the tuning, for a normal law and n = 500, with a third: other objectives -expit(kv)^a of the generator
(with the discriminator of `log`), and other values of v at which an observation counts half.

Numbers in brackets are Monte Carlo standard errors.
"""

import dataclasses
from typing import Any

import shared
from shared import entry

# isort: split
import jax.numpy as jnp
import numpy as np
import pandas as pd
from jax.nn import log_sigmoid
from scipy import special, stats

import hellgan as hg
from hellgan import plots
from hellgan.losses.functions import log_real

G = hg.generators
LAWS: dict[str, tuple[Any, dict[str, float], Any]] = {
    "Normal": (G.Normal(), {"loc": 1.0, "scale": 1.0}, stats.norm(1, 1).ppf),
    "Logistic": (G.Logistic(), {"loc": 0.0, "scale": 1.0}, stats.logistic.ppf),
    "Gamma": (G.Gamma(), {"a": 2.0, "scale": 1.5}, stats.gamma(2, scale=1.5).ppf),
    "StudentT": (G.StudentT(df=4), {"loc": 0.0, "scale": 1.0}, stats.t(4).ppf),
    "GAndK": (G.GAndK(), {"a": 3.0, "b": 1.0, "g": 1.0, "k": 0.3}, None),
}
SIZES, REPLICATIONS = (100, 500, 2000), 400
PLACES, SHARES, SPREAD = (2.0, 3.0, 4.0, 8.0), (0.1, 0.2), 0.3
METHODS = {
    "root": {},
    "root_ns": {"loss": "root_ns"},
    "log_ns": {"loss": "log_ns"},
    "sharp_ns": {"loss": "sharp_ns"},
    "reweighted": {"reweight": True},
    "maximum likelihood": "ml",
}
POWERS, HALVES = ((1.0, 1.0), (2.0, 0.5), (3.0, 1 / 3), (4.0, 0.25), (4.0, 1.0)), (0.5, 1.0, 1.5, 2.0, 3.0)


@dataclasses.dataclass(frozen=True)
class Power:
    """-expit(k v)^a."""

    k: float
    a: float

    def __call__(self, v):
        return -jnp.exp(self.a * log_sigmoid(self.k * v))


def quantile(name: str, z: float) -> float:
    """The quantile of a law at the level that z has under a standard normal law."""
    _, params, ppf = LAWS[name]
    if ppf is not None:
        return float(ppf(stats.norm.cdf(z)))
    a, b, g, k = params.values()
    return a + b * (1 + 0.8 * np.tanh(g * z / 2)) * z * (1 + z * z) ** k


def around(name: str, k: float) -> tuple[float, float]:
    ends = [quantile(name, min(k + side * SPREAD, 8.2)) for side in (-1, 1)]
    return quantile(name, k), (ends[1] - ends[0]) / 2


def reweighted_at(half: float):
    """The two steps by hand, an observation counting half where v is ``half``."""

    def method(sample, seed):
        first = hg.GAN(sample, G.Normal(), loss="sharp_ns", seed=seed).fit()
        model = hg.GAN(sample, G.Normal(), seed=seed).with_weights(special.expit(4 * (half - first.log_ratio(sample))))
        fit = model.fit(start=first.params)
        return {
            "estimate": fit.params.to_dict(),
            "converged": fit.converged and first.converged,
            "message": fit.trouble,
        }

    return method


def study(name: str, place: float, eps: float, sizes, methods, replications: int) -> hg.Study:
    family, params, _ = LAWS[name]
    wrong = None if eps == 0 else hg.Cluster(eps, *around(name, place))
    truth = hg.truth(family, **params)  # pyright: ignore[reportArgumentType]
    return hg.Study(
        truth=truth, contamination=wrong, n=sizes, methods=methods, replications=replications, seed=20261129
    )


def measured(given, name, place, eps, sizes, methods, replications, tag="") -> pd.DataFrame:
    label = f"near-{tag}{name}-{place:g}-{eps:g}"
    result = shared.run(study(name, place, eps, sizes, methods, replications), given, label)
    frame = result.performance(["bias", "rmse", "coverage", "convergence"])
    return frame.assign(law=name, place=place, eps=eps)


def designs(quick: bool) -> list[tuple[float, float]]:
    return [(0.0, 0.0), (3.0, 0.2)] if quick else [(0.0, 0.0), *((k, eps) for eps in SHARES for k in PLACES)]


def tuning(given, quick: bool, replications: int) -> pd.DataFrame:
    by_power: dict[str, Any] = {
        f"k = {k:g}, a = {a:.3g}": {"loss": hg.Loss(log_real, generator=Power(k, a), name=f"power({k:g}, {a:.3g})")}
        for k, a in POWERS
    }
    by_half = {f"half at {half:g}": reweighted_at(half) for half in HALVES[: 1 if quick else None]}
    n = 100 if quick else 500
    cells = [(0.0, 0.0), (3.0, 0.2)] if quick else [(0.0, 0.0), (2.0, 0.2), (3.0, 0.2), (4.0, 0.2)]
    return pd.concat(
        [measured(given, "Normal", k, eps, (n,), by_power | by_half, replications, "tuning-") for k, eps in cells]
    )


def summed_up(frame: pd.DataFrame) -> pd.DataFrame:
    """One row for each law, n, design, method and parameter, measures in columns, errors beside them."""
    keys = ["law", "n", "eps", "place", "method", "parameter"]
    value: Any = frame.pivot_table(index=keys, columns="measure", values="value", sort=False, observed=True)
    error: Any = frame.pivot_table(index=keys, columns="measure", values="mcse", sort=False, observed=True)
    return value.join(error.add_suffix("_mcse"), how="left").reset_index()


def rows(frame: Any, columns: tuple[str, ...]) -> list[list[str]]:
    found = []
    for row in frame.to_dict("records"):
        numbers = [entry(row[name], row[f"{name}_mcse"]) for name in ("bias", "rmse", "coverage")]
        found.append([*(f"{row[c]:g}" if isinstance(row[c], float) else str(row[c]) for c in columns), *numbers])
        found[-1].append(f"{1 - row['convergence']:.4f}")
    return found


def draw(report: shared.Report, frame: Any) -> None:
    """Bias of the normal location along the place, a fifth contaminated."""
    ax = plots.new_axes(6.0, 3.8)
    part = frame[(frame["law"] == "Normal") & (frame["n"] == 500) & (frame["eps"] == 0.2)]
    part = part[part["parameter"] == "loc"]
    colors = (plots.BLUE, plots.ORANGE, plots.GREEN, plots.RED, "black", plots.GREY)
    for (method, line), color in zip(part.groupby("method", sort=False, observed=True), colors, strict=False):
        line = line.sort_values("place")
        ax.plot(line["place"], line["bias"], color=color, marker="o", markersize=4, label=str(method))
    ax.axhline(0, color=plots.GREY, linewidth=0.8)
    ax.set_ylim(-0.05, 0.65)
    ax.set_xlabel("place of the contamination, standard deviations from the mean")
    ax.set_ylabel("bias of the location")
    ax.legend(frameon=False)
    caption = "Bias of the location of a normal law, n = 500, a fifth of the sample elsewhere."
    report.figure(np.array([ax]), "bias", caption)


def conclude(report: shared.Report, frame: Any) -> None:
    normal = frame[(frame["law"] == "Normal") & (frame["method"] == "reweighted")]
    near = normal[(normal["eps"] == 0.2) & (normal["place"] == 3) & (normal["n"] == 500)]
    clean = frame[frame["eps"] == 0]
    pairs = clean[clean["method"] == "reweighted"].merge(
        clean[clean["method"] == "root"], on=["law", "n", "parameter"], suffixes=("", "_root")
    )
    pairs = pairs[pairs["n"] >= 500]
    efficiency = (pairs["rmse_root"] / pairs["rmse"]) ** 2
    failed = 1 - frame[frame["method"] == "reweighted"]["convergence"]
    report.say(
        f"A fifth of a normal sample of 500 three standard deviations away: the largest bias of the reweighted fit is "
        f"{near['bias'].abs().max():.3f}, its least coverage {near['coverage'].min():.3f}. On clean samples of 500 and "
        f"more its mean squared error is that of `root` over {efficiency.min():.3f} to {efficiency.max():.3f}. Its "
        f"share of failures is {failed.mean():.4f} over all cells and at most {failed.max():.4f} in one."
    )


def main():
    given = shared.options(str(__doc__), REPLICATIONS)
    frames, quick = [], given.quick
    for name in list(LAWS)[: 1 if quick else None]:
        sizes = (100,) if quick else SIZES if name == "Normal" else (500,)
        part = {"Normal": 1, "GAndK": 6}.get(name, 2)
        replications = 4 if quick else max(2, given.replications // part)
        methods = {m: how for m, how in METHODS.items() if how != "ml" or name != "GAndK"}  # it has no density
        cells = [(k, eps) for k, eps in designs(quick) if name != "GAndK" or eps < 0.2]
        frames += [measured(given, name, k, eps, sizes, methods, replications) for k, eps in cells]
    found = summed_up(pd.concat(frames))
    tuned = tuning(given, quick, 4 if quick else given.replications // 3)
    report = shared.Report(given, "near", "Near and far contamination", str(__doc__))
    report.keep(pd.concat([*frames, tuned.assign(law="Normal, tuning")]))
    conclude(report, found) if not quick else None
    draw(report, found)
    columns = ("place", "eps", "method", "parameter")
    head = [*columns, "bias", "RMSE", "coverage", "failed"]
    for (name, n), part in found.groupby(["law", "n"], sort=False, observed=True):
        report.table(head, rows(part, columns), f"{name}, n = {n}")
    report.table(head, rows(summed_up(tuned), columns), "Tuning")
    report.write()


if __name__ == "__main__":
    main()
