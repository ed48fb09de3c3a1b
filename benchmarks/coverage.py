"""How often 95 % intervals hold the truth: Wald, profile and bootstrap, of the default fit.

    .venv/bin/python benchmarks/coverage.py [--out benchmarks/results] [--quick]

Samples of Normal(1, 1), Logistic(0, 1) and g-and-k (3, 1, 2, .5), n = 200 and 500; default discriminator, loss `root`,
1,024 Sobol points; replication r has the data and the latent seed of (world, n, r). An interval of a fit that is not
certified counts as a miss. A profile interval holds the truth if and only if the distance test of the truth does not
reject, which needs one restricted fit a parameter instead of a search for two ends; that the ends found by a search
agree with the test is a test of the suite. Bootstrap intervals: the first replications only, beside Wald intervals of
the same samples, 199 refits each; studentised ones, which take three times as long, of Normal alone. Each cell is
written to OUT/coverage.json when it is done, and cells that are there are not done again: remove that file to run all
anew. OUT/coverage.md is made of it. About an hour on two cores.
"""

import argparse
import dataclasses
import itertools
import json
import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import machine
import provenance

machine.pin(2)

import jax  # noqa: E402
import numpy as np  # noqa: E402
from scipy import stats  # noqa: E402
from tqdm import tqdm  # noqa: E402

import hellgan as hg  # noqa: E402
from hellgan import batch, inference  # noqa: E402
from hellgan.execution import programs, threads  # noqa: E402
from hellgan.solver import solve_saddle, solve_saddles  # noqa: E402
from hellgan.solver.equations import score_covariances  # noqa: E402

QUANTILE = stats.chi2.ppf(0.95, 1)
WORLDS = {
    "Normal": (hg.generators.Normal(), {"loc": 1.0, "scale": 1.0}),
    "Logistic": (hg.generators.Logistic(), {"loc": 0.0, "scale": 1.0}),
    "g-and-k": (hg.generators.GAndK(), {"a": 3.0, "b": 1.0, "g": 2.0, "k": 0.5}),
}
SIZES = (200, 500)
BOOTSTRAPS, STUDENTISED = ("percentile", "basic", "studentised", "bca"), ("Normal",)
STAGES = {
    "classical": ("Wald", "Wald, HC1", "profile", "profile, plain chi-square"),
    "paired": ("Wald",),
    "bootstrap": BOOTSTRAPS,
}
# What a user writes for the kinds that docs/covariance.md lists.
CALLED = {
    "classical": ("`wald`", '`wald` of `with_cov("HC1")`', "`profile`"),
    "bootstrap": ("`percentile`", "`basic`", "`studentised`, Normal alone", "`bca`"),
}


def samples(world: str, n: int, replications: range) -> np.ndarray:
    """Samples (R, n) of the truth, each from a stream of its own."""
    generator, truth = WORLDS[world]
    drawn = []
    for r in replications:
        rng = np.random.default_rng([sorted(WORLDS).index(world), n, r])
        drawn.append(generator.law.quantile(np.maximum(rng.random(n), 2.0**-54)))
    with jax.enable_x64(True):
        theta = generator.theta(**truth)
        return np.asarray(_simulate(generator, theta, np.array(drawn)))


@jax.jit
def _simulate(generator, theta, z):
    return jax.vmap(jax.vmap(lambda draw: generator(theta, draw[None])[0]))(z)


def solved(games, starts, alphas=None):
    """Certified saddle points of a stack of games, from more starts where the first does not do."""
    saddles = solve_saddles(games, starts, alphas)
    return [s if s.is_saddle else solve_saddle(programs.take(games, k), starts[k]) for k, s in enumerate(saddles)]


def classical(world: str, n: int, chunk: slice) -> list[np.ndarray]:
    """Whether Wald and profile intervals (sandwich, HC1, model; scaled, plain) hold the truth: (5, r) a sample."""
    generator, truth = WORLDS[world]
    p, wanted = generator.size, generator.theta(**truth)
    x, seeds = samples(world, n, range(chunk.start, chunk.stop)), list(range(chunk.start, chunk.stop))
    model = hg.GAN(x[0], generator)
    games, starts = batch.posed(model, list(x), seeds)
    saddles = solved(games, starts)
    scrambles = model.simulation.scrambles()
    laws = inference.laws(generator, saddles, lambda chosen: score_covariances(games, saddles, chosen, scrambles))
    theta, alpha = (np.stack([getattr(s, name) for s in saddles]) for name in ("theta", "alpha"))
    ridge = games.discriminator.ridge
    values = np.array([s.value for s in saddles]) - np.sum(ridge * alpha**2, axis=1)
    held = np.zeros((len(x), 4, p))
    good = np.array([law.sandwich is not None for law in laws])
    covs = np.stack([np.eye(p) if law.sandwich is None else law.sandwich.cov[:p, :p] for law in laws])
    factor = model.loss.chi2_factor
    wald = (theta - wanted) ** 2 / np.diagonal(covs, axis1=1, axis2=2)
    held[:, 0] = wald <= QUANTILE
    held[:, 1] = wald * (n - p - alpha.shape[1]) / n <= QUANTILE
    size = p + alpha.shape[1]
    h = np.stack([s.jacobian if ok else np.eye(size) for s, ok in zip(saddles, good, strict=True)])  # a miss anyway
    schur = h[:, :p, :p] - h[:, :p, p:] @ np.linalg.solve(h[:, p:, p:], h[:, p:, :p])
    inverse = np.linalg.inv(schur)
    for j, (name, value) in enumerate(truth.items()):
        restricted = generator.fix(**{name: value})
        rest = [i for i in range(p) if i != j]
        shared = dataclasses.replace(games, generator=programs.repeated(restricted, len(x)))
        found = solved(jax.tree.map(np.asarray, shared), theta[:, rest], alpha)
        inner = np.array([s.value - ridge[r] @ s.alpha**2 if s.is_saddle else np.inf for r, s in enumerate(found)])
        statistic = factor * n * (inner - values)
        weight = factor / 2 * n * covs[:, j, j] / inverse[:, j, j]
        held[:, 2, j] = statistic / weight <= QUANTILE
        held[:, 3, j] = statistic <= QUANTILE
    return list(held * good[:, None, None])


def paired(world: str, n: int, replications: int) -> tuple[np.ndarray, list[float]]:
    """Of the samples of `by_bootstrap`: whether Wald intervals hold the truth, (replications, 1, r); bias over sd."""
    generator, truth = WORLDS[world]
    drawn = samples(world, n, range(replications))
    fits = hg.fit_batch(hg.GAN(drawn[0], generator), drawn, seeds=list(range(replications)), progress=True)
    ends = fits.conf_int()
    held = [(ends[name]["lower"] <= value) & (value <= ends[name]["upper"]) for name, value in truth.items()]
    estimates = fits.params[fits.converged].to_numpy()
    bias = (estimates.mean(axis=0) - list(truth.values())) / estimates.std(axis=0)
    return (np.array(held) & fits.converged).T[:, None, :], [round(float(b), 3) for b in bias]


def by_bootstrap(world: str, n: int, replications: int, refits: int) -> np.ndarray:
    """Whether bootstrap intervals hold the truth: (replications, kinds, r)."""
    generator, truth = WORLDS[world]
    wanted = np.array(list(truth.values()))
    drawn = samples(world, n, range(replications))

    def one(r):
        fit = hg.GAN(drawn[r], generator, seed=r).fit()
        if not fit.converged:
            return np.zeros((len(BOOTSTRAPS), len(wanted)))
        boot = fit.bootstrap(refits, seed=r, studentised=world in STUDENTISED, threads=1)
        held = np.full((len(BOOTSTRAPS), len(wanted)), np.nan)
        for k, kind in enumerate(BOOTSTRAPS):
            if kind != "studentised" or world in STUDENTISED:
                ends = boot.conf_int(method=kind).to_numpy()
                held[k] = (ends[:, 0] <= wanted) & (wanted <= ends[:, 1])
        return held

    with ThreadPoolExecutor(4) as pool, tqdm(total=replications, unit="sample") as bar:
        held = []
        for row in pool.map(one, range(replications)):
            held.append(row)
            bar.update()
    return np.array(held)


def report(cells: dict) -> str:
    """Lay all cells out as Markdown."""
    parts = ["# Coverage of 95 % intervals", "Lowest and highest share over all parameters:", summary(cells)]
    for stages in (("classical",), ("paired", "bootstrap")):
        extra = ["bias over sd"] if "paired" in stages else []
        kinds = [kind for stage in stages for kind in STAGES[stage]]
        rows = [machine.header("world", "n", "parameter", *extra, *kinds)]
        done = {}
        for world, n in itertools.product(WORLDS, SIZES):
            own = [cells.get(f"{stage}/{world}/{n}") for stage in stages]
            if all(own):
                done[world, n] = own
        for (world, n), own in done.items():
            for j, name in enumerate(WORLDS[world][1]):
                shares = (row[j] for cell in own for row in cell["coverage"])
                biases = [f"{own[0]['bias'][j]:.3f}"] if extra else []
                rows.append(machine.row(world, n, name, *biases, *("" if s is None else f"{s:.4f}" for s in shares)))
        counts = sorted({cell["replications"] for own in done.values() for cell in own})
        errors = ", ".join(
            f"{count:,} replications (Monte Carlo standard error {_error(count):.4f})" for count in counts
        )
        parts += [f"{errors}.", "\n".join(rows)]
    return "\n\n".join(parts) + "\n"


def summary(cells: dict) -> str:
    """Give the lowest and the highest share of each kind of interval."""
    rows = [machine.header("interval", *(f"n = {n}" for n in SIZES), "samples")]
    for stage, kinds in CALLED.items():
        own = {n: [cells[f"{stage}/{world}/{n}"] for world in WORLDS] for n in SIZES}
        for k, kind in enumerate(kinds):
            shares = [[s for cell in own[n] for s in cell["coverage"][k] if s is not None] for n in SIZES]
            ends = (" to ".join(f"{end:.3f}".lstrip("0") for end in (min(of_n), max(of_n))) for of_n in shares)
            rows.append(machine.row(kind, *ends, f"{own[SIZES[0]][0]['replications']:,}"))
    return "\n".join(rows)


def _error(count: int) -> float:
    return float(np.sqrt(0.95 * 0.05 / count))


def main():
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("--out", type=Path, help="folder of coverage.json and coverage.md")
    parser.add_argument("--quick", action="store_true", help="few replications: whether it works")
    options = parser.parse_args()
    many, few, refits = (32, 4, 19) if options.quick else (10_000, 1_000, 199)
    warnings.simplefilter("ignore")
    store = options.out / "coverage.json" if options.out else None
    now = provenance.commit()
    stored = json.loads(store.read_text()) if store and store.exists() else {"begun": now, "cells": {}}
    begun, cells = stored["begun"], stored["cells"]
    made_by = provenance.line(__file__, now, [begun])
    for stage, world, n in itertools.product(STAGES, WORLDS, SIZES):
        key = f"{stage}/{world}/{n}"
        if key in cells:
            continue
        facts = {}
        print(key, flush=True)
        if stage == "classical":
            held = threads.over_chunks(lambda chunk, w=world, n=n: classical(w, n, chunk), many, None, True, "sample")
        elif stage == "paired":
            held, facts["bias"] = paired(world, n, few)
        else:
            held = by_bootstrap(world, n, few, refits)
        shares = np.mean(held, axis=0)
        cells[key] = facts | {
            "replications": len(held),
            "coverage": [[None if np.isnan(share) else round(float(share), 4) for share in row] for row in shares],
        }
        if store:
            store.parent.mkdir(parents=True, exist_ok=True)
            store.write_text(json.dumps({"begun": begun, "cells": cells}, indent=1))
    if store:
        store.with_suffix(".md").write_text(report(cells))
        provenance.sign([store, store.with_suffix(".md")], made_by)
    print(report(cells))
    print(machine.facts("jax", "numpy"))


if __name__ == "__main__":
    main()
