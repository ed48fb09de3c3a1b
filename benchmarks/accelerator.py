"""What an accelerator is worth to batches of fits, and to large samples.

    .venv/bin/python benchmarks/accelerator.py [--runs 5] [--quick]

Batches of the default model, n = 500, with standard errors and tests, in lanes side by side on the device that JAX
finds, beside the same batch on the host's processor in a process of its own; the compiled search alone; and one fit of
a million observations against a million simulated. Where there is no accelerator it says so, in one sentence, and ends.
"""

import argparse
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

import machine

LANES = (4096, 16384, 65536)


def batches(sizes, runs: int) -> dict[int, tuple[list[float], list[float]]]:
    """Seconds of batches of each size, and of their searches alone."""
    import numpy as np

    import hellgan as hg
    from hellgan.batch import posed
    from hellgan.solver import joint

    model, found = hg.GAN(_samples(1)[0], hg.generators.Normal()), {}
    for size in sizes:
        samples, whole, search = _samples(size), [], []
        games, starts = posed(model, list(samples), [0] * size)
        for _ in range(runs + 1):  # the first compiles
            begin = time.perf_counter()
            hg.fit_batch(model, samples)
            whole.append(time.perf_counter() - begin)
            begin = time.perf_counter()
            joint.descend(games, np.asarray(starts))
            search.append(time.perf_counter() - begin)
        found[size] = whole[1:], search[1:]
    return found


def large(n: int, runs: int) -> list[float]:
    """Seconds of fits of n observations against n simulated, nine features."""
    import numpy as np

    import hellgan as hg

    x, seconds = np.random.default_rng(71).normal(1.0, 1.0, n), []
    model = hg.GAN(x, hg.generators.Normal(), hg.discriminators.Sigmoids(8), latent="iid", n_simulated=n)
    for _ in range(runs + 1):
        begin = time.perf_counter()
        model.fit()
        seconds.append(time.perf_counter() - begin)
    return seconds[1:]


def _samples(count: int):
    import numpy as np

    return np.random.default_rng(71).normal(1.0, 1.0, (count, 500))


def on_host(size: int, runs: int) -> float:
    """Milliseconds a fit of a batch on the host's processor, in a process that sees no accelerator."""
    command = [sys.executable, str(Path(__file__).resolve()), "--host", str(size), "--runs", str(runs)]
    environment = os.environ | {"JAX_PLATFORMS": "cpu"}
    return float(subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("--runs", type=int, default=5, help="batches of each size (default: 5)")
    parser.add_argument("--quick", action="store_true", help="one small batch: whether it works")
    parser.add_argument("--host", type=int, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.host is not None:
        print(1e3 * statistics.median(batches([given.host], given.runs)[given.host][0]) / given.host)
        return
    import jax

    device = jax.devices()[0]
    if device.platform == "cpu":
        print("JAX finds no accelerator here, so that there is nothing to measure.")
        return
    sizes, runs, n = ((512,), 1, 100_000) if given.quick else (LANES, given.runs, 1_000_000)
    print(f"On {device.device_kind}. Medians of {runs} runs, lowest to highest.\n")
    print(machine.header("batch", "µs a fit, search alone", "µs a fit, with errors and tests", "lowest to highest"))
    for size, (whole, search) in batches(sizes, runs).items():
        each = [value / size * 1e3 for value in whole]  # machine.span multiplies by a thousand
        alone = machine.number(1e6 * statistics.median(search) / size)
        print(machine.row(f"{size:,}", alone, machine.span(each)))
    host = min(sizes)
    print(f"\nThe batch of {host:,} on the host's processor: {on_host(host, runs):.3g} ms a fit.")
    print(f"\nOne fit, n = m = {n:,}: {1e3 * statistics.median(large(n, runs)):.3g} ms.")
    print(f"\n{machine.facts('hellgan', 'jax', 'numpy')}")


if __name__ == "__main__":
    main()
