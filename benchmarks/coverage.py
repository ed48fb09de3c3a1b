"""How often 95 % intervals hold the truth: Wald, profile and bootstrap, of the default fit.

    .venv/bin/python benchmarks/coverage.py [--out benchmarks/coverage.md] [--quick]

Samples of Normal(1, 1), Logistic(0, 1) and g-and-k (3, 1, 2, .5), n = 200 and 500; default discriminator, loss `root`,
1,024 Sobol points; replication r has the data and the latent seed of (world, n, r). An interval of a fit that is not
certified counts as a miss. A profile interval holds the truth if and only if the distance test of the truth does not
reject, which needs one restricted fit a parameter instead of a search for two ends; that the ends found by a search
agree with the test is a test of the suite. Bootstrap intervals: the first replications only, 199 refits each.
"""

import argparse
import dataclasses
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import machine

machine.pin(2)

import jax  # noqa: E402
import numpy as np  # noqa: E402
from scipy import stats  # noqa: E402

import hellgan as hg  # noqa: E402
from hellgan import batching, inference  # noqa: E402
from hellgan.solver import solve_saddle, solve_saddles  # noqa: E402

LEVEL, QUANTILE = 0.05, stats.chi2.ppf(0.95, 1)
WORLDS = {
    "Normal": (hg.generators.Normal(), {"loc": 1.0, "scale": 1.0}),
    "Logistic": (hg.generators.Logistic(), {"loc": 0.0, "scale": 1.0}),
    "g-and-k": (hg.generators.GAndK(), {"a": 3.0, "b": 1.0, "g": 2.0, "k": 0.5}),
}
BOOTSTRAPS = ("percentile", "basic", "studentised", "bca")


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
    return jax.vmap(jax.vmap(lambda draw: generator(theta, draw)))(z)


def solved(games, starts, alphas=None):
    """Certified saddle points of a stack of games, from more starts where the first does not do."""
    saddles = solve_saddles(games, starts, alphas)
    return [s if s.is_saddle else solve_saddle(batching.take(games, k), starts[k]) for k, s in enumerate(saddles)]


def likelihood_free(world: str, n: int, chunk: slice) -> list[np.ndarray]:
    """Whether Wald and profile intervals (sandwich, HC1, model; scaled, plain) hold the truth: (5, r) a sample."""
    generator, truth = WORLDS[world]
    p, wanted = generator.size, generator.theta(**truth)
    x, seeds = samples(world, n, range(chunk.start, chunk.stop)), list(range(chunk.start, chunk.stop))
    model = hg.GAN(x[0], generator)
    games, starts = model.pose(list(x), seeds)
    saddles = solved(games, starts)
    laws = inference.laws(games, saddles, [model.scrambles(seed) for seed in seeds])
    theta, alpha = (np.stack([getattr(s, name) for s in saddles]) for name in ("theta", "alpha"))
    ridge = games.discriminator.ridge
    values = np.array([s.value for s in saddles]) - np.sum(ridge * alpha**2, axis=1)
    held = np.zeros((len(x), 4, p))
    good = np.array([law.sandwich is not None for law in laws])
    covs = np.stack([np.eye(p) if law.sandwich is None else law.sandwich.cov[:p, :p] for law in laws])
    factor, k = model.loss.chi2_factor, p + alpha.shape[1]
    wald = (theta - wanted) ** 2 / np.diagonal(covs, axis1=1, axis2=2)
    held[:, 0] = wald <= QUANTILE
    held[:, 1] = wald * (n - k) / n <= QUANTILE
    h = np.stack([s.jacobian for s in saddles])
    schur = h[:, :p, :p] - h[:, :p, p:] @ np.linalg.solve(h[:, p:, p:], h[:, p:, :p])
    inverse = np.linalg.inv(schur)
    for j, (name, value) in enumerate(truth.items()):
        restricted = generator.fix(**{name: value})
        rest = [i for i in range(p) if i != j]
        shared = dataclasses.replace(games, generator=batching.repeated(restricted, len(x)))
        found = solved(jax.tree.map(np.asarray, shared), theta[:, rest], alpha)
        inner = np.array([s.value - ridge[r] @ s.alpha**2 if s.is_saddle else np.inf for r, s in enumerate(found)])
        statistic = factor * n * (inner - values)
        weight = factor / 2 * n * covs[:, j, j] / inverse[:, j, j]
        held[:, 2, j] = statistic / weight <= QUANTILE
        held[:, 3, j] = statistic <= QUANTILE
    return list(held * good[:, None, None])


def by_bootstrap(world: str, n: int, replications: int, refits: int) -> np.ndarray:
    """Whether bootstrap intervals hold the truth: (replications, kinds, r)."""
    generator, truth = WORLDS[world]
    wanted = np.array(list(truth.values()))
    drawn = samples(world, n, range(replications))

    def one(r):
        fit = hg.GAN(drawn[r], generator, seed=r).fit()
        if not fit.converged:
            return np.zeros((len(BOOTSTRAPS), len(wanted)))
        boot = fit.bootstrap(refits, seed=r, studentised=True, threads=1)
        rows = []
        for kind in BOOTSTRAPS:
            ends = boot.conf_int(method=kind).to_numpy()
            rows.append((ends[:, 0] <= wanted) & (wanted <= ends[:, 1]))
        return np.array(rows, float)

    with ThreadPoolExecutor(4) as pool:
        return np.array(list(pool.map(one, range(replications))))


def table(kinds, replications: int, results: dict) -> str:
    """Coverage of each kind of interval by world, size and parameter."""
    error = np.sqrt(0.95 * 0.05 / replications)
    lines = [f"{replications:,} replications, Monte Carlo standard error {error:.4f}.\n"]
    lines += [machine.header("world", "n", "parameter", *kinds)]
    for (world, n), held in results.items():
        for j, name in enumerate(WORLDS[world][1]):
            lines.append(machine.row(world, n, name, *(f"{share:.4f}" for share in held.mean(axis=0)[:, j])))
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, help="write the tables there, too")
    parser.add_argument("--quick", action="store_true", help="few replications: whether it works")
    parser.add_argument("--worlds", nargs="+", default=list(WORLDS), choices=list(WORLDS))
    options = parser.parse_args()
    many, few, refits = (32, 4, 19) if options.quick else (10_000, 1_000, 199)
    import warnings

    warnings.simplefilter("ignore")
    begun, classical, bootstrapped = time.time(), {}, {}
    for world in options.worlds:
        for n in (200, 500):
            held = batching.over_chunks(lambda chunk, w=world, n=n: likelihood_free(w, n, chunk), many, None, True)
            classical[world, n] = np.array(held)
            print(world, n, np.round(classical[world, n].mean(axis=0), 4).tolist(), flush=True)
    for world in options.worlds:
        for n in (200, 500):
            bootstrapped[world, n] = by_bootstrap(world, n, few, refits)
            print(world, n, np.round(bootstrapped[world, n].mean(axis=0), 4).tolist(), flush=True)
    kinds = ("Wald", "Wald, HC1", "profile", "profile, plain chi-square")
    text = "\n\n".join(
        [
            "# Coverage of 95 % intervals",
            "Made by `benchmarks/coverage.py`; its first lines say how.",
            table(kinds, many, classical),
            table(BOOTSTRAPS, few, bootstrapped),
            f"{machine.facts('jax', 'numpy')} {(time.time() - begun) / 60:.0f} minutes.",
        ]
    )
    print(text)
    if options.out:
        options.out.write_text(text + "\n")


if __name__ == "__main__":
    main()
