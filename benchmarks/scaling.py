"""How time and memory of a fit grow with sample sizes, features, parameters and the loss.

    .venv/bin/python benchmarks/scaling.py [--largest 1000000] [--latent iid] [--runs 3] [--threads 1] [--quick]

Every row is a fresh process, so that its peak memory is its own: it fits once, which compiles, and then fresh samples
of the same sizes, whose median is the time of a fit, ``GAN(...).fit()`` with its latent draws and standard errors.
Only the public interface is used. With independent latents m = n; with Sobol points m is n rounded up to a power of
two. The slope is that of log time on log(n + m); memory is told in bytes a row, since compiling takes the same few
hundred megabytes at every size.
"""

import argparse
import json
import subprocess
import sys
import time
import warnings
from pathlib import Path
from typing import Any

import machine

SIZES = [1_000, 3_162, 10_000, 31_623, 100_000, 316_228, 1_000_000]
PLAIN = {"n": 10_000, "q": 8, "p": 2, "loss": "root"}


def generator_of(p: int):
    """A family of p parameters: normal, or sinh-arcsinh transforms of the normal with skewness and tails."""
    import jax.numpy as jnp

    import hellgan as hg

    if p == 1:
        return hg.generators.Normal().fix(scale=1.0)
    if p == 2:
        return hg.generators.Normal()
    spaces: dict[str, Any] = {"loc": hg.real(), "scale": hg.positive(), "skew": hg.real(), "tail": hg.positive()}

    def transformed(z, loc, scale, skew, tail=1.0):
        return loc + scale * jnp.sinh((jnp.arcsinh(z) + skew) / tail)

    if p == 3:
        del spaces["tail"]
        return hg.generator(**spaces)(lambda z, loc, scale, skew: transformed(z, loc, scale, skew))
    return hg.generator(**spaces)(transformed)


def measure(n: int, q: int, p: int, loss: str, latent: str, runs: int) -> dict:
    """Fit in this process; times, steps and peak memory."""
    import resource

    import numpy as np

    import hellgan as hg

    unit = 1 if sys.platform == "darwin" else 1024

    def peak():
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit

    imported, generator, m, told = peak(), generator_of(p), 0, []
    for seed in range(runs + 1):
        x = np.random.default_rng([53, seed]).normal(0.0, 1.0, n)
        start = time.perf_counter()
        sigmoids = hg.discriminators.Sigmoids(q)
        model = hg.GAN(x, generator, sigmoids, loss, latent=latent, n_simulated=n, seed=seed)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # whether it converged is in the table
            result = model.fit()
        told.append((time.perf_counter() - start, result.converged, result.saddle))
        m = model.n_simulated
    return {
        "m": m,
        "first": told[0][0],
        "seconds": sorted(seconds for seconds, _, _ in told[1:])[runs // 2],
        "certified": sum(converged for _, converged, _ in told),
        "fits": runs + 1,
        "outer": float(np.mean([saddle.iterations for _, _, saddle in told])),
        "inner": float(np.mean([saddle.inner_iterations for _, _, saddle in told])),
        "imported": imported,
        "peak": peak(),
    }


def in_fresh_process(case: dict, options) -> dict:
    """``measure`` in a process of its own."""
    facts = {**PLAIN, **case, "latent": options.latent, "runs": options.runs}
    arguments = [sys.executable, str(Path(__file__).resolve()), "--one", json.dumps(facts)]
    done = subprocess.run(arguments, capture_output=True, text=True, check=False)
    if done.returncode:
        # A size that the machine cannot hold is a finding too; the last line says what was raised.
        reason = done.stderr.strip().splitlines()[-1] if done.stderr.strip() else f"ended with {done.returncode}"
        return {"failed": reason, **facts}
    return {**facts, **json.loads(done.stdout)}


def show(rows: list[dict], column: str) -> None:
    """Print a table, the first column being what varies."""
    print(
        machine.header(
            column,
            "n + m",
            "first fit, s",
            "fit, ms",
            "outer, inner steps",
            "certified",
            "peak, MB",
            "above the imports, MB",
        )
    )
    for r in rows:
        if "failed" in r:
            print(machine.row(r[column], f"failed: {r['failed']}", *[""] * 6), flush=True)
            continue
        megabytes = [f"{size / 2**20:,.0f}" for size in (r["peak"], r["peak"] - r["imported"])]
        steps = f"{r['outer']:.1f}, {r['inner']:.1f}"
        cells = [f"{r['n'] + r['m']:,}", f"{r['first']:.2f}", machine.number(1e3 * r["seconds"]), steps]
        print(machine.row(r[column], *cells, f"{r['certified']} of {r['fits']}", *megabytes), flush=True)
    print()


def show_growth(rows: list[dict]) -> None:
    """Print the slope of log time on log(n + m), and by how much memory grows."""
    import numpy as np

    rows = [r for r in rows if "failed" not in r]
    if len(rows) < 2:
        return
    size = np.array([r["n"] + r["m"] for r in rows], float)
    seconds, peak = (np.array([r[name] for r in rows], float) for name in ("seconds", "peak"))
    print(machine.header("from n + m", "to", "slope of log time", "peak memory grows by, bytes a row"))
    steps = [(k, k + 1) for k in range(len(rows) - 1)] if len(rows) > 2 else []
    for a, b in [*steps, (0, len(rows) - 1)]:
        slope = np.polyfit(np.log(size[a : b + 1]), np.log(seconds[a : b + 1]), 1)[0]
        grown = (peak[b] - peak[a]) / (size[b] - size[a])
        print(machine.row(f"{size[a]:,.0f}", f"{size[b]:,.0f}", f"{slope:.2f}", f"{grown:,.0f}"))
    print()


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("--largest", type=int, default=SIZES[-1], help="largest n (default: 1000000)")
    parser.add_argument("--latent", choices=["iid", "sobol"], default="iid")
    parser.add_argument("--runs", type=int, default=3, help="fits after the one that compiles (default: 3)")
    parser.add_argument("--threads", type=int, default=1, help="cores that a process may use (default: 1)")
    parser.add_argument(
        "--quick", action="store_true", help="two small sizes and one row of the rest: whether it works"
    )
    parser.add_argument("--one", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        machine.pin()
        print(json.dumps(measure(**json.loads(options.one))))
        return
    machine.pin(options.threads)
    sizes = [n for n in SIZES if n <= options.largest]
    others = {
        "q": [4, 8, 16, 32, 64],
        "p": [1, 2, 3, 4],
        "loss": ["root", "log", "hellinger", "least_squares", "root_ns"],
    }
    if options.quick:
        sizes, options.runs = [500, 2_000], 1
        others = {"q": [4], "p": [1], "loss": ["log"]}
    print(f"Latents `{options.latent}`, {options.threads} thread(s), median of {options.runs} fits; where not varied,")
    print("n = 10,000, 8 sigmoids (9 features), the normal family (p = 2) and the loss `root`.\n")
    rows = [in_fresh_process({"n": n}, options) for n in sizes]
    show(rows, "n")
    show_growth(rows)
    for column, values in others.items():
        small = {"n": 500} if options.quick else {}
        show([in_fresh_process({column: value, **small}, options) for value in values], column)
    print(machine.facts("hellgan", "jax", "numpy"))


if __name__ == "__main__":
    main()
