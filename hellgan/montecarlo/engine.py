"""Who computes: threads of this process, or the workers of a Dask cluster; the numbers are the same.

A task is a chunk of replicates of one cell by one method. The functions that workers call live here: what lives in
``__main__`` would be another function, compiled anew, in every task.
"""

import concurrent.futures
import contextlib
import functools
import hashlib
import threading
from collections.abc import Generator, Iterable, Iterator
from typing import Any, NamedTuple

import jax

from hellgan.checks import shown
from hellgan.execution import programs
from hellgan.execution.threads import checked_threads
from hellgan.montecarlo.design import Design
from hellgan.montecarlo.estimates import Estimates
from hellgan.montecarlo.streams import streams

# Tasks that wait at each thread: enough that none is ever idle, few enough that memory stays flat.
_WAITING = 3


class Task(NamedTuple):
    """Replicates ``begin`` to ``end``, the last not among them, of one cell by one method."""

    cell: str
    method: str
    begin: int
    end: int
    names: tuple[str, ...]


class Outcome(NamedTuple):
    """A task and what came of it."""

    task: Task
    estimates: Estimates


def compute(design: Design, task: Task) -> Estimates:
    """Do a task: draw the samples of its replicates and estimate from each."""
    programs.make_room()
    cell, plan = design.cells[task.cell], design.plans[task.method]
    own = streams(design.seed, cell.key, range(task.begin, task.end))
    samples = cell.samples(own)
    setting = cell.setting(design.level, dim_of(samples))
    with jax.enable_x64(True):
        return plan.method.estimate(setting, task.names, samples, own)


def dim_of(samples) -> int:
    """Coordinates of the observations of samples (R, n) or (R, n, d)."""
    return 1 if samples.ndim == 2 else samples.shape[2]


def in_threads(design: Design, tasks: Iterable[Task], threads: int | None) -> Generator[Outcome, None, None]:
    """Do tasks in threads of this process; they are taken as they are needed, and come back as they end."""
    count = checked_threads(threads)
    with concurrent.futures.ThreadPoolExecutor(count) as pool:
        running: dict[concurrent.futures.Future, Task] = {}
        waiting = iter(tasks)
        try:
            while True:
                for task in waiting:
                    running[pool.submit(compute, design, task)] = task
                    if len(running) >= _WAITING * count:
                        break
                if not running:
                    return
                ended, _ = concurrent.futures.wait(running, return_when=concurrent.futures.FIRST_COMPLETED)
                for future in ended:
                    yield Outcome(running.pop(future), future.result())
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def on_cluster(design: Design, tasks: Iterable[Task], client: Any) -> Generator[Outcome, None, None]:
    """Do tasks on a Dask cluster; tasks of a worker that dies are done by another."""
    import cloudpickle
    from distributed import as_completed

    blob = cloudpickle.dumps(design)
    mark = hashlib.blake2b(blob, digest_size=16).hexdigest()
    waiting = iter(tasks)
    running: dict[Any, tuple[Any, Task]] = {}
    done = as_completed(loop=client.loop)

    def fill():
        most = _WAITING * max(sum(client.ncores().values()), 4)
        for task in waiting:
            future = client.submit(remote, mark, blob, task, pure=False)
            running[future.key] = future, task
            done.add(future)
            if len(running) >= most:
                return

    try:
        fill()
        while running:
            future = next(done)
            estimates = future.result()
            _, task = running.pop(future.key)
            fill()
            yield Outcome(task, estimates)
    except BaseException:
        client.cancel([future for future, _ in running.values()])
        raise


def remote(mark: str, blob: bytes, task: Task) -> Estimates:
    """Do a task in a worker, of the pickled design ``blob`` that has the mark ``mark``."""
    return compute(_loaded(_Blob(mark, blob)), task)


class _Blob:
    """A pickled design that is equal to those of the same mark."""

    def __init__(self, mark: str, content: bytes):
        self.mark, self.content = mark, content

    def __hash__(self):
        return hash(self.mark)

    def __eq__(self, other):
        return isinstance(other, _Blob) and self.mark == other.mark


_LOADING = threading.Lock()


def _loaded(blob: _Blob) -> Design:
    # One thread at a time: two copies of one function would be compiled twice.
    with _LOADING:
        return _unpickled(blob)


@functools.lru_cache(maxsize=4)
def _unpickled(blob: _Blob) -> Design:
    import cloudpickle

    return cloudpickle.loads(blob.content)


@contextlib.contextmanager
def connected(address: str) -> Iterator[Any]:
    """Connect to the Dask scheduler at an address, and disconnect in the end."""
    try:
        from distributed import Client
    except ImportError as error:
        raise ImportError("a Dask cluster needs distributed: pip install 'hellgan[cluster]'.") from error
    try:
        client = Client(address, timeout=10)
    except (OSError, ValueError) as error:
        raise OSError(f"scheduler: {address} does not answer ({error}).") from None
    except (AssertionError, TypeError, AttributeError):  # how distributed reads what is no address
        raise ValueError(f"scheduler: {shown(address)} is no address; give one as in tcp://host:8786.") from None
    try:
        yield client
    finally:
        client.close()
