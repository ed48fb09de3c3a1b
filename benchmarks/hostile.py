"""Samples that want to mislead: whether intervals hold wherever a fit is not flagged, in some 300 designs.

    .venv/bin/python benchmarks/hostile.py [--replications 200] [--out benchmarks/results] [--laws Normal ...] [--quick]

What is computed is kept under runs/ (remove it to begin anew) and a run that was stopped goes on.

A design is a law, a size n and what happens to a share of each sample. Every fit has the package's defaults; "near" and
"far" lie around the quantiles at which a standard normal law has 3 and 8, "median" at the law's median. A fit is
*flagged* where it did not converge or warns (`hg.FitWarning`: the test of the bulk rejects at .01 or that of the
background, less than half of the sample is believed, more of it shares one value than the law explains, or
there are fewer than three observations a feature). A design **holds** where the 95 %
intervals of every parameter cover in at least 90 % (85 % for n below 100) of the fits that are not flagged, less two
Monte Carlo standard errors, or where at least 95 % of the fits that miss a parameter are flagged. Designs that fall
short come first. The estimand is the law of the observations that are not replaced.

"At best" is the power, at level .05, of the likelihood ratio test between the design and the law of a middling one of
its fits (both known, on 300 classes): a flag that is raised for at most .05 of clean samples tells no more than that.
"""

import argparse
import dataclasses
import json
import re
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import machine

machine.pin(2)

import jax.numpy as jnp  # noqa: E402
import numpy as np  # noqa: E402
import pandas as pd  # noqa: E402
import provenance  # noqa: E402
from scipy import special, stats  # noqa: E402

import hellgan as hg  # noqa: E402

G = hg.generators
HERE = Path(__file__).resolve().parent
Draw = Callable[[np.random.Generator, int], np.ndarray]


@hg.generator(latent="uniform", loc=hg.real(), scale=hg.positive())
def gumbel(u, loc, scale):
    return loc - scale * jnp.log(-jnp.log(u))


@hg.generator(loc=hg.real(), scale=hg.positive())
def tobit(z, loc, scale):
    return jnp.maximum(loc + scale * z, 0.0)


@dataclasses.dataclass(frozen=True)
class Law:
    """A family with parameters, and quantiles of what it draws."""

    family: Any
    params: dict[str, float]
    quantile: Callable[[np.ndarray], np.ndarray]

    def draw(self, rng: np.random.Generator, shape) -> np.ndarray:
        return self.quantile(rng.random(shape))

    def at(self, z: float) -> float:
        """The quantile of the level that z has under a standard normal law."""
        return float(self.quantile(np.asarray(special.ndtr(min(z, 8.2)))))


def g_and_k(p):
    z = special.ndtri(p)
    return 3 + (1 + 0.8 * np.tanh(z / 2)) * (1 + z * z) ** 0.3 * z


def of(name: str, *args: float, **kwargs: float) -> Callable:
    return getattr(stats, name)(*args, **kwargs).ppf


LAWS: dict[str, Law] = {
    "Normal": Law(G.Normal(), {"loc": 1.0, "scale": 2.0}, of("norm", 1, 2)),
    "Logistic": Law(G.Logistic(), {"loc": 1.0, "scale": 2.0}, of("logistic", 1, 2)),
    "Laplace": Law(G.Laplace(), {"loc": 1.0, "scale": 2.0}, of("laplace", 1, 2)),
    "Cauchy": Law(G.Cauchy(), {"loc": 1.0, "scale": 2.0}, of("cauchy", 1, 2)),
    "StudentT(4)": Law(G.StudentT(df=4), {"loc": 1.0, "scale": 2.0}, of("t", 4, 1, 2)),
    "StudentT": Law(G.StudentT(), {"df": 3.0, "loc": 1.0, "scale": 2.0}, of("t", 3, 1, 2)),
    "Gamma(2)": Law(G.Gamma(), {"a": 2.0, "scale": 1.5}, of("gamma", 2, scale=1.5)),
    "Gamma(.3)": Law(G.Gamma(), {"a": 0.3, "scale": 1.5}, of("gamma", 0.3, scale=1.5)),
    "Weibull(.6)": Law(G.Weibull(), {"c": 0.6, "scale": 1.5}, of("weibull_min", 0.6, scale=1.5)),
    "Weibull(2)": Law(G.Weibull(), {"c": 2.0, "scale": 1.5}, of("weibull_min", 2, scale=1.5)),
    "LogNormal": Law(G.LogNormal(), {"s": 0.6, "scale": float(np.exp(0.3))}, of("lognorm", 0.6, scale=np.exp(0.3))),
    "Exponential": Law(G.Exponential(), {"scale": 1.5}, of("expon", scale=1.5)),
    "GAndK": Law(G.GAndK(), {"a": 3.0, "b": 1.0, "g": 1.0, "k": 0.3}, g_and_k),
    "gumbel": Law(gumbel, {"loc": 1.0, "scale": 2.0}, of("gumbel_r", 1, 2)),
    "tobit": Law(tobit, {"loc": 1.0, "scale": 2.0}, lambda p: np.maximum(stats.norm(1, 2).ppf(p), 0)),
}
SIZES, SHARES = (20, 50, 100, 500, 2000), (0.05, 0.1, 0.2, 0.4)
SLOW = {"StudentT", "GAndK", "tobit", "gumbel"}  # at n = 500 alone, and fewer shares


@dataclasses.dataclass(frozen=True)
class Design:
    law: str
    n: int
    kind: str = "clean"
    share: float = 0.0

    def samples(self, rng: np.random.Generator, count: int) -> np.ndarray:
        law, wrong = LAWS[self.law], round(self.share * self.n)
        x = law.draw(rng, (count, self.n))
        shape = (count, wrong)
        middle, spread = law.at(0.0), law.at(1.0) - law.at(0.0)
        if self.kind in ("near", "far"):
            z = {"near": 3.0, "far": 8.0}[self.kind]
            x[:, :wrong] = law.at(z) + (law.at(z + 0.2) - law.at(z - 0.2)) * rng.standard_normal(shape) / 2
        elif self.kind == "zero":
            x[:, :wrong] = 1e-9 if getattr(law.family, "is_positive", False) else 0.0
        elif self.kind == "median":
            x[:, :wrong] = middle
        elif self.kind == "one-sided":
            x[:, :wrong] = middle + spread * (4 + rng.exponential(2, shape))
        elif self.kind == "spread":
            sides = 1.0 if getattr(law.family, "is_positive", False) else rng.choice([-1.0, 1.0], shape)
            x[:, :wrong] = middle + spread * 10 * sides * rng.random(shape)
        elif self.kind == "bimodal":
            x[:, :wrong] = middle + spread * (6 + rng.standard_normal(shape))
        elif self.kind == "rounded":
            x = np.round(x / spread * 2) * spread / 2
        elif self.kind == "ties":
            x[:, :wrong] = x[:, [0]]
        if getattr(law.family, "is_positive", False):
            x = np.maximum(x, 1e-9)
        return x

    def __str__(self):
        return f"{self.law}, n = {self.n}, {self.kind}" + (f" {self.share:g}" if self.share else "")


def designs(quick: bool) -> Iterator[Design]:
    if quick:
        yield from (Design("Normal", 100), Design("Normal", 500, "near", 0.2), Design("Gamma(2)", 100, "far", 0.1))
        return
    for law in LAWS:
        sizes = (500,) if law in SLOW else SIZES
        for n in sizes:
            yield Design(law, n)
        for kind in ("near", "far", "zero", "one-sided", "spread", "median", "bimodal"):
            for share in (0.1, 0.2) if law in SLOW or kind != "far" else SHARES:
                yield Design(law, 500, kind, share)
        if law not in SLOW:
            yield from (Design(law, 100, kind, 0.1) for kind in ("near", "far", "spread"))
            yield from (Design(law, 2000, kind, 0.2) for kind in ("near", "far"))
        yield from (Design(law, 500, "rounded"), Design(law, 500, "ties", 0.2))


def measured(design: Design, count: int) -> dict[str, Any]:
    """Fit all samples of a design; coverage where nothing is flagged, and how many wrong fits are flagged."""
    law = LAWS[design.law]
    rng = np.random.default_rng([20261129, design.n, *str(design).encode()])
    samples, begin = design.samples(rng, count), time.perf_counter()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        batch = hg.fit_batch(hg.GAN(samples[0], law.family), samples, seeds=range(count))
    seconds = time.perf_counter() - begin
    interval, covered = batch.conf_int(), []
    for name, truth in law.params.items():
        covered.append((interval[name]["lower"] <= truth) & (interval[name]["upper"] >= truth))
    covered, flagged = np.array(covered), batch.flagged
    wrong, told = ~covered.all(axis=0), ~flagged
    unflagged = covered[:, told].mean(axis=1).min() if told.any() else np.nan
    caught = float(flagged[wrong].mean()) if wrong.any() else np.nan
    goal = 0.9 if design.n >= 100 else 0.85
    slack = 2 * np.sqrt(goal * (1 - goal) / max(told.sum(), 1))
    holds = not told.any() or unflagged >= goal - slack or caught >= 0.95
    best = np.nan if holds else at_best(design, batch, rng)
    return {
        **dataclasses.asdict(design),
        "converged": float(batch.converged.mean()),
        "flagged": float(flagged.mean()),
        "coverage": float(covered.mean(axis=1).min()),
        "unflagged": float(unflagged),
        "caught": caught,
        "best": best,
        "holds": bool(holds),
        "seconds": seconds,
    }


def at_best(design: Design, batch: Any, rng: np.random.Generator, draws: int = 2000, classes: int = 300) -> float:
    """How often a sample of the design could be told at all from one of the fitted law, whoever looks."""
    middle = (batch.params - batch.params.median()).abs() / batch.params.std()
    law = np.ravel(batch[int(middle.max(axis=1).fillna(np.inf).argmin())].sample(400_000, seed=1))
    samples = design.samples(rng, draws)
    pool = np.concatenate([law, design.samples(rng, 400_000 // design.n).ravel()])
    edges = np.unique(np.quantile(pool, np.arange(1, classes) / classes))

    def shares(rows):
        return np.bincount(np.searchsorted(edges, rows.ravel()), minlength=len(edges) + 1)

    fitted, real = shares(law) + 0.5, shares(pool[len(law) :]) + 0.5
    fitted, real = fitted / fitted.sum(), real / real.sum()
    ratio = np.log(real / fitted)
    null = rng.multinomial(design.n, fitted, draws) @ ratio
    return float(np.mean(ratio[np.searchsorted(edges, samples)].sum(axis=1) > np.quantile(null, 0.95)))


def report(found: Any, count: int) -> str:
    short = found[~found["holds"]]
    hidden = int((short["best"] < 0.95).sum())
    lines = [
        "# Samples that want to mislead",
        "\n\n".join(p for p in (__doc__ or "").split("\n\n") if ".venv/bin/python" not in p),
        f"{len(found)} designs, {count} samples each: {len(short)} fall short."
        + (f" In {hidden} of these nobody could tell .95 of the samples from the fitted law's." if hidden else ""),
    ]
    for title, part in (("Falls short", short.sort_values("unflagged")), ("Holds", found[found["holds"]])):
        head = ["law", "n", "what", "share", "coverage", "flagged", "coverage, not flagged", "wrong ones flagged"]
        measures = ("coverage", "flagged", "unflagged", "caught")
        if title == "Falls short":
            head, measures = [*head, "at best"], (*measures, "best")
        body = [
            [r["law"], r["n"], r["kind"], f"{r['share']:g}", *(f"{r[c]:.2f}" for c in measures)]
            for r in part.to_dict("records")
        ]
        lines += [f"## {title}", "\n".join([machine.header(*head), *(machine.row(*row) for row in body)])]
    return "\n\n".join(line.strip() for line in lines) + "\n"


def main():
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--replications", type=int, default=200, help="samples of a design (default: 200)")
    parser.add_argument("--out", type=Path, default=HERE / "results", help="folder of the table")
    parser.add_argument(
        "--laws", nargs="+", choices=LAWS, default=list(LAWS), help="of these laws alone; others are kept"
    )
    parser.add_argument("--quick", action="store_true", help="few samples of few designs: whether it works")
    given = parser.parse_args()
    count = 8 if given.quick else given.replications
    given.out.mkdir(parents=True, exist_ok=True)
    stored = given.out / ("hostile-quick.parquet" if given.quick else "hostile.parquet")
    rows, kept = [], HERE.parent / "runs" / f"hostile-{count}.jsonl"  # what is there is not computed again
    kept.parent.mkdir(exist_ok=True)
    note, now = kept.with_suffix(".commit"), provenance.commit()  # what began what is kept
    if not kept.exists() and not given.quick:
        note.write_text(now)
    begun = [note.read_text() if note.exists() else "unknown"] if not given.quick else []
    done = [json.loads(line) for line in kept.read_text().splitlines()] if kept.exists() and not given.quick else []
    done = {tuple(r[field.name] for field in dataclasses.fields(Design)): r for r in done}
    for design in (design for design in designs(given.quick) if design.law in given.laws):
        r = done.get(dataclasses.astuple(design)) or measured(design, count)
        rows.append(r)
        if not given.quick and dataclasses.astuple(design) not in done:
            with kept.open("a") as file:
                file.write(json.dumps(r) + "\n")
        told = f"unflagged {r['unflagged']:.2f}, flagged {r['flagged']:.2f}, caught {r['caught']:.2f}"
        print(f"{'ok   ' if r['holds'] else 'SHORT'} {design}: {told} ({r['seconds']:.0f} s)", flush=True)
    found = pd.DataFrame(rows)
    if len(given.laws) < len(LAWS) and stored.exists():
        kept = pd.read_parquet(stored)
        begun += re.findall(r"commit ([^ ,]+?)(?=[,. ])", stored.with_suffix(".md").read_text().split("\n\n")[1])
        found = pd.concat([kept[~kept["law"].isin(given.laws)], found], ignore_index=True)
    text = report(found.drop(columns="seconds", errors="ignore"), count)
    found.drop(columns="seconds", errors="ignore").to_parquet(stored, index=False)
    (given.out / f"{stored.stem}.md").write_text(text)
    provenance.sign([stored, given.out / f"{stored.stem}.md"], provenance.line(HERE / "hostile.py", now, begun))


if __name__ == "__main__":
    main()
