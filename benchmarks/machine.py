"""The machine that a benchmark runs on: how many cores it may use, and what it is. Import before JAX and NumPy."""

import importlib.metadata
import os
import platform
import statistics
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
THREADS, CORES = "HELLGAN_BENCH_THREADS", "HELLGAN_BENCH_CORES"

sys.path.insert(0, str(ROOT))  # the package beside these scripts, not another that is installed


def pin(threads: int | None = None) -> int:
    """Hold this process, its linear algebra, XLA and PyTorch to a number of threads; returns it.

    XLA sizes its pools by the cores that the process may run on, so that the affinity, where the system has it,
    binds more than XLA's own flags.
    """
    threads = int(os.environ.get(THREADS, "1")) if threads is None else threads
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS"):
        os.environ[name] = "1"  # several threads each run programs of their own
    os.environ["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false"
    os.environ["JAX_PLATFORMS"] = "cpu"
    os.environ["JAX_ENABLE_COMPILATION_CACHE"] = "false"
    os.environ["NPROC"] = str(threads)
    os.environ[THREADS] = str(threads)
    if hasattr(os, "sched_setaffinity"):
        # A child of a process that is held to fewer cores may want more: all that there were are passed on.
        os.environ.setdefault(CORES, ",".join(map(str, sorted(os.sched_getaffinity(0)))))
        os.sched_setaffinity(0, [int(core) for core in os.environ[CORES].split(",")][:threads])
    return threads


def facts(*packages: str) -> str:
    """Say in one line what ran this: system, processor, cores, load and versions."""
    versions = []
    for package in packages:
        try:
            versions.append(f"{package} {importlib.metadata.version(package)}")
        except importlib.metadata.PackageNotFoundError:
            versions.append(f"{package} not installed")
    load = f", load {os.getloadavg()[0]:.1f} at the end" if hasattr(os, "getloadavg") else ""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return (
        f"{platform.system()} {platform.machine()}, {_processor()}; {os.cpu_count()} cores, {cores} of them used"
        f"{load}; Python {platform.python_version()}, {', '.join(versions)}."
    )


def number(value: float) -> str:
    """Write a positive number to three digits, without an exponent."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def span(seconds: list[float]) -> str:
    """Write the median of some times with their range, in milliseconds, as two cells."""
    low, middle, high = (number(1e3 * f(seconds)) for f in (min, statistics.median, max))
    return f"{middle} | {low} to {high}"


def row(*cells: object) -> str:
    """Write a row of a Markdown table."""
    return f"| {' | '.join(str(cell) for cell in cells)} |"


def header(*cells: str) -> str:
    """Write the two first lines of a Markdown table."""
    return f"{row(*cells)}\n|{'---|' * len(cells)}"


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or "processor unknown"
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), "processor unknown")
