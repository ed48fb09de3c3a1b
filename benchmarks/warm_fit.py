"""How long a fit takes once its programs are compiled, stage by stage.

    .venv/bin/python benchmarks/warm_fit.py [--rounds 5] [--fits 20]

Each round makes ``--fits`` fresh ``GAN(x).fit().conf_int()`` of one shape, every one on a sample and a seed of its
own, and takes the median; the table gives the median over rounds, since a busy machine spoils whole rounds. The
first fit of all compiles and is reported apart; after it nothing may be compiled.
"""

import argparse
import os
import statistics
import sys
import time
from collections import defaultdict
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import jax
import jax.monitoring
import numpy as np

import hellgan as hg
from hellgan import gan, latents
from hellgan.inference import sandwich
from hellgan.solver import equations

N = 500

# Function that is timed -> name of the stage; times are exclusive of the stages inside.
STAGES = {
    (gan.GAN, "__init__"): "checks, knots and start",
    (equations, "assemble"): "assembling the game",
    (latents, "draw"): "latent draws",
    (equations, "solve_saddle"): "solver",
    (sandwich, "problems"): "identification check",
    (sandwich, "natural_scales"): "natural scale",
    (gan, "law"): "scores",
    (sandwich, "sandwiches"): "sandwich",
    (gan, "GANResults"): "results object",
}


class Stopwatch:
    """Exclusive times of the functions it is wrapped around."""

    def __init__(self):
        self.spent, self.inside = defaultdict(float), []

    def wrap(self, function, stage):
        """Return the function with its time noted under a stage."""

        def timed(*args, **kwargs):
            self.inside.append(0.0)
            start = time.perf_counter()
            try:
                return function(*args, **kwargs)
            finally:
                whole, within = time.perf_counter() - start, self.inside.pop()
                self.spent[stage] += whole - within
                if self.inside:
                    self.inside[-1] += whole

        return timed


def fit(seed: int) -> tuple[float, hg.GANResults]:
    """Fit a fresh sample of N(1, 1); returns seconds and the result."""
    x = np.random.default_rng(seed).normal(1.0, 1.0, N)
    start = time.perf_counter()
    result = hg.GAN(x, hg.generators.Normal(), seed=seed).fit()
    result.conf_int()
    return time.perf_counter() - start, result


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5, help="rounds (default: 5)")
    parser.add_argument("--fits", type=int, default=20, help="fits a round (default: 20)")
    options = parser.parse_args()
    traced, compiled = [], []
    jax.monitoring.register_event_duration_secs_listener(
        lambda event, duration_secs, **facts: (
            traced.append(facts.get("fun_name"))
            if event.endswith("jaxpr_trace_duration")
            else compiled.append(facts.get("fun_name"))
            if event.endswith("backend_compile_duration")
            else None
        )
    )
    first, _ = fit(0)
    before = len(traced), len(compiled)
    seeds = iter(range(1, 1_000_000))
    plain, results = [], []
    for _ in range(options.rounds):
        times, fits = zip(*(fit(next(seeds)) for _ in range(options.fits)), strict=True)
        plain.append(statistics.median(times))
        results += fits
    fresh = len(traced) - before[0], len(compiled) - before[1]
    same_seed = statistics.median(fit(1)[0] for _ in range(options.fits))
    test = statistics.median(timed(results[k].overidentification_test) for k in range(options.fits))
    rounds, watch = [], Stopwatch()
    originals = {key: getattr(*key) for key in STAGES}
    for (owner, name), stage in STAGES.items():
        setattr(owner, name, watch.wrap(originals[owner, name], stage))
    for _ in range(options.rounds):
        watch.spent.clear()
        total = sum(fit(next(seeds))[0] for _ in range(options.fits))
        rounds.append({**watch.spent, "the rest": total - sum(watch.spent.values())})
    for (owner, name), original in originals.items():
        setattr(owner, name, original)
    count = len(results)
    print(f"`GAN(x).fit().conf_int()`: n = {N}, m = 1,024 Sobol points, 16 features, loss `root`; defaults.")
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f} at the end.\n")
    print("| what | |\n|---|---|")
    print(f"| first fit, with compilation | {first:.2f} s ({before[1]} programs) |")
    print(f"| warm fit, median of {options.rounds} rounds' medians | {1e3 * statistics.median(plain):.1f} ms |")
    print(f"| rounds, lowest to highest | {1e3 * min(plain):.1f} to {1e3 * max(plain):.1f} ms |")
    print(f"| the same with latents drawn before (one seed) | {1e3 * same_seed:.1f} ms |")
    print(f"| overidentification test of a warm fit, its first call compiles | {1e3 * test:.1f} ms |")
    print(f"| ratio first / warm | {first / statistics.median(plain):.0f} |")
    print(f"| traces, compilations after the first fit (must be 0, 0) | {fresh[0]}, {fresh[1]} |")
    print(f"| certified | {sum(r.converged for r in results)} of {count} |")
    saddles = [r.saddle for r in results]
    outer, inner = (statistics.median(getattr(s, k) for s in saddles) for k in ("iterations", "inner_iterations"))
    print(f"| iterations, median | {outer:.0f} outer, {inner:.0f} inner |")
    print(f"| largest score norm | {max(s.score_norm for s in saddles):.1e} |")
    print("\n| stage | ms a fit | share |\n|---|---|---|")
    whole = statistics.median(sum(r.values()) for r in rounds) / options.fits
    stages = {stage: statistics.median(r.get(stage, 0.0) for r in rounds) / options.fits for stage in rounds[0]}
    for stage, length in sorted(stages.items(), key=lambda item: -item[1]):
        print(f"| {stage} | {1e3 * length:.2f} | {100 * length / whole:.0f} % |")


def timed(function) -> float:
    """Time one call."""
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
