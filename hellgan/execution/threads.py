"""Many fits: threads over chunks of them, with a progress bar."""

import concurrent.futures
import os
from collections.abc import Callable

import jax
import numpy as np

from hellgan.checks import shown
from hellgan.execution import programs

_CHUNK = 128  # fits a task at most: enough for full groups, few enough to show progress


def over_chunks(
    task: Callable[[slice], list], count: int, threads: int | None, progress: bool = False, unit: str = "fit"
) -> list:
    """Do a task for every chunk of ``count`` fits, in threads; returns the lists that tasks return, joined in order.

    Each task runs in double precision. ``threads`` is twice the number of processors unless given, since one can
    compute while another waits for the interpreter; one on an accelerator, where fits run side by side.
    """
    threads = checked_threads(threads)
    size = _chunk(count, threads)

    def in_double(begin):
        with jax.enable_x64(True):
            return task(slice(begin, min(begin + size, count)))

    done: list = []
    pool = concurrent.futures.ThreadPoolExecutor(threads)
    with progress_bar(count, progress, unit) as shown:
        futures = [pool.submit(in_double, begin) for begin in range(0, count, size)]
        try:
            for future in futures:
                done += future.result()
                shown.update(len(done) - shown.n)
        finally:  # an interrupt waits for no task that is running
            pool.shutdown(wait=False, cancel_futures=True)
    return done


def checked_threads(threads: int | None) -> int:
    """Return the number of threads that is asked for, or the default; raises ``ValueError`` for what is no number."""
    if threads is None:
        cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        return 2 * cores if programs.on_cpu() else 1
    if isinstance(threads, bool) or not isinstance(threads, (int, np.integer)) or threads < 1:
        raise ValueError(f"threads: got {shown(threads)}; give a positive whole number.")
    return int(threads)


def _chunk(fits, threads):
    """How many fits make a task: full groups and, of many fits, so many that all threads have equally many tasks."""
    if not programs.on_cpu():
        return fits
    rounds = -(-fits // (threads * _CHUNK))
    return max(-(-fits // (threads * rounds)), programs.group_size(fits))


def progress_bar(total: int, shown: bool, unit: str):
    """Open a progress bar of ``total`` units, hidden unless ``shown``."""
    from tqdm import tqdm

    return tqdm(total=total, disable=not shown, unit=unit)
