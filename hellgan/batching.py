"""Many fits: how their programs are compiled, how many share a call, how it goes through them, threads over calls."""

import concurrent.futures
import functools
import os
from collections.abc import Callable, Sequence
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

# Version 0.10 compiles these programs twice as fast, and they run faster, without its fusion emitters; later versions
# know no such option. It is an option of each program: no global setting is touched.
_OPTIONS = {"xla_cpu_use_fusion_emitters": False} if jax.__version__.startswith("0.10.") else {}

program = functools.partial(jax.jit, compiler_options=_OPTIONS)

# On a CPU a full ``vmap`` of nested iterations is 2 to 17 times slower than one fit after the other, since every fit
# waits for the slowest; a group only spares the calls' own cost. An accelerator wants many lanes (not tested there).
_GROUP_ON_CPU, _GROUP_ON_ACCELERATOR = 16, 256

# Linux allows a process 65,530 memory maps; the programs of one model hold some three hundred, and a process whose
# compiler gets none dies.
_MAPS, _MOST_MAPS = Path("/proc/self/maps"), 30_000

_CHUNK = 128  # fits a task at most: enough for full groups, few enough to show progress


def on_cpu() -> bool:
    """Whether computations run on the host's processor."""
    return jax.default_backend() == "cpu"


def group_size(fits: int) -> int:
    """How many fits go into one compiled call; few sizes, since each is compiled."""
    group = _GROUP_ON_CPU if on_cpu() else _GROUP_ON_ACCELERATOR
    return group if fits >= group else 1


def each(function: Callable, *stacks):
    """Map a function over the leading axis of pytrees, under ``jit``: in turn on a CPU, side by side elsewhere."""
    if jax.tree.leaves(stacks)[0].shape[0] == 1:
        single = function(*jax.tree.map(lambda leaf: jnp.asarray(leaf)[0], stacks))
        return jax.tree.map(lambda leaf: jnp.asarray(leaf)[None], single)
    if on_cpu():
        return lax.map(lambda slices: function(*slices), stacks)
    return jax.vmap(function)(*stacks)


def make_room():
    """Forget all compiled programs once they hold half of the memory maps that Linux allows a process."""
    if _MAPS.exists() and _MAPS.read_bytes().count(b"\n") > _MOST_MAPS:
        jax.clear_caches()


def stack(items: Sequence):
    """Stack pytrees of one structure along a new leading axis, as NumPy."""
    return jax.tree.map(lambda *leaves: np.stack(leaves), *items)


def take(stacked, rows):
    """Give one item of a stack of pytrees, or a stack of some."""
    return jax.tree.map(lambda leaf: leaf[rows], stacked)


def repeated(item, count: int):
    """Stack a pytree ``count`` times, as views of one memory."""
    return jax.tree.map(lambda leaf: np.broadcast_to(leaf, (count, *np.shape(leaf))), item)


def over_chunks(
    task: Callable[[slice], list], count: int, threads: int | None, progress: bool = False, unit: str = "fit"
) -> list:
    """Do a task for every chunk of ``count`` fits, in threads; returns the joined lists.

    Each task runs in double precision. ``threads`` is twice the number of processors unless given, since one can
    compute while another waits for the interpreter; one on an accelerator, where fits run side by side.
    """
    threads = checked_threads(threads)
    size = _chunk(count, threads)

    def in_double(begin):
        with jax.enable_x64(True):
            return task(slice(begin, min(begin + size, count)))

    done: list = []
    with concurrent.futures.ThreadPoolExecutor(threads) as pool, bar(count, progress, unit) as shown:
        futures = [pool.submit(in_double, begin) for begin in range(0, count, size)]
        try:
            for future in futures:
                done += future.result()
                shown.update(len(done) - shown.n)
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return done


def checked_threads(threads: int | None) -> int:
    """Give the number of threads that is asked for, or the default."""
    if threads is None:
        cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        return 2 * cores if on_cpu() else 1
    if isinstance(threads, bool) or not isinstance(threads, (int, np.integer)) or threads < 1:
        raise ValueError(f"threads: got {threads!r}; give a positive whole number.")
    return int(threads)


def _chunk(fits, threads):
    """Give the fits of a task: full groups, and of many fits such that all threads have equally many tasks."""
    if not on_cpu():
        return fits
    rounds = -(-fits // (threads * _CHUNK))
    return max(-(-fits // (threads * rounds)), group_size(fits))


def bar(total: int, shown: bool, unit: str):
    """Open a progress bar."""
    from tqdm import tqdm

    return tqdm(total=total, disable=not shown, unit=unit)
