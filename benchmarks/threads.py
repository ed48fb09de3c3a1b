"""What a second core is worth to a batch of fits.

    .venv/bin/python benchmarks/threads.py [--fits 1024] [--runs 7] [--quick]

The default model is fitted to the same samples by ``fit_batch`` on one thread, on twice as many and so on up to the
cores there are, and on the default number, in turns in one process; on one thread also beside a thread of Python that
counts and never rests, which takes a core of its own where the interpreter's lock is free. Beside the speed-up stands
that of as many processes as there are cores, each on its own, over one process alone: what the machine gives to
programs that share nothing.
"""

import argparse
import contextlib
import os
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import machine

BUSY = "1 thread, beside a busy thread of Python"


@contextlib.contextmanager
def counting() -> Iterator[None]:
    """A thread of Python that counts for as long as the block lasts."""
    stop = threading.Event()

    def count():
        k = 0
        while not stop.is_set():
            k += 1

    thread = threading.Thread(target=count)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def fit_all(fits: int, runs: int, counts: list[int | str | None]) -> dict[int | str | None, list[float]]:
    """Seconds of batches on each number of threads, None being the default, in turns."""
    import numpy as np

    import hellgan as hg

    samples = np.random.default_rng(71).normal(1.0, 1.0, (fits, 500))
    model = hg.GAN(samples[0], hg.generators.Normal())
    hg.fit_batch(model, samples[: min(fits, 64)])
    seconds = {count: [] for count in counts}
    for _ in range(runs):
        for count in counts:
            with counting() if isinstance(count, str) else contextlib.nullcontext():
                start = time.perf_counter()
                hg.fit_batch(model, samples, threads=1 if isinstance(count, str) else count)
                seconds[count].append(time.perf_counter() - start)
    return seconds


def processes(count: int, options) -> float:
    """Seconds of a batch in each of some processes at once, each on its own core."""
    command = [sys.executable, str(Path(__file__).resolve()), "--fits", str(options.fits), "--runs", str(options.runs)]
    children = [
        subprocess.Popen([*command, "--core", str(core)], stdout=subprocess.PIPE, text=True) for core in range(count)
    ]
    return statistics.mean(float(child.communicate()[0]) for child in children)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("--fits", type=int, default=1024, help="fits in a batch (default: 1024)")
    parser.add_argument("--runs", type=int, default=7, help="batches of each kind (default: 7)")
    parser.add_argument("--quick", action="store_true", help="two small batches: whether it works")
    parser.add_argument("--core", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.quick:
        options.fits, options.runs = 32, 2
    if options.core is not None:
        machine.pin(1)
        if hasattr(os, "sched_setaffinity"):
            os.sched_setaffinity(0, [int(os.environ[machine.CORES].split(",")[options.core])])
        print(statistics.median(fit_all(options.fits, options.runs, [1])[1]))
        return
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    machine.pin(cores)
    numbers = [1 << k for k in range(cores.bit_length()) if 1 << k < cores] + [cores]
    seconds = fit_all(options.fits, options.runs, [*numbers, None, BUSY])
    alone, together = processes(1, options), processes(cores, options)
    print(f"Batches of {options.fits:,} fits of the default model, n = 500, with standard errors.\n")
    print(machine.header("run as", "ms a fit, median", "lowest to highest", "speed-up"))
    for count, values in seconds.items():
        each = [value / options.fits for value in values]
        gains = statistics.median(one / many for one, many in zip(seconds[1], values, strict=True))
        name = "threads by default" if count is None else count
        name = f"{count} thread{'s' * (count > 1)}" if isinstance(count, int) else name
        print(machine.row(name, machine.span(each), f"{gains:.2f}"))
    ratio = cores * alone / together
    print(machine.row(f"{cores} processes", machine.number(1e3 * together / cores / options.fits), "", f"{ratio:.2f}"))
    print(f"\n{machine.facts('hellgan', 'jax', 'numpy')}")


if __name__ == "__main__":
    main()
