"""What is left of a study, and doing it: tasks to an engine, estimates to the store."""

import contextlib
import dataclasses
import sys
import warnings
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from hellgan.cautions import StudyWarning
from hellgan.checks import shown
from hellgan.execution.threads import progress_bar
from hellgan.montecarlo import engine, store
from hellgan.montecarlo.design import Design
from hellgan.montecarlo.engine import Outcome, Task
from hellgan.montecarlo.store import Store
from hellgan.montecarlo.trials import raised


class How(NamedTuple):
    """How a study is run; arguments of ``Study.run``."""

    client: Any
    threads: int | None
    share: tuple[int, int] | None
    chunk: int | None
    max_errors: int
    progress: bool | None
    repair: bool


def tasks(
    design: Design, folder: Store, manifest: Mapping[str, Any], share: tuple[int, int] | None, chunk: int | None
) -> Iterator[Task]:
    """Give the tasks that are left; their bounds do not depend on what was done before."""
    number = 0
    for key, cell in design.cells.items():
        for name, plan in design.plans.items():
            if key not in plan.cells:
                continue
            gaps = store.missing(folder.covered(name, key), plan.replications)
            names = tuple(manifest["methods"][name]["names"][key])
            size = chunk or plan.method.chunk(cell.setting(design.level, cell.truth.dim))
            for begin in range(0, plan.replications, size):
                number += 1
                if share is not None and number % share[1] != share[0] % share[1]:
                    continue
                end = min(begin + size, plan.replications)
                for low, high in gaps:
                    if max(low, begin) < min(high, end):
                        yield Task(key, name, max(low, begin), min(high, end), names)


def is_shown(progress: bool | None) -> bool:
    """Whether to show a progress bar: as ``progress`` says, or else where standard error is a terminal."""
    return sys.stderr.isatty() if progress is None else progress


def repair(design: Design, folder: Store) -> None:
    """Set damaged parts aside, so that their replicates are missing."""
    for name, plan in design.plans.items():
        for key in plan.cells:
            folder.set_aside(name, key)


def checked_client(client: Any) -> Any:
    """Return a client of a Dask cluster, or None; refuse one whose calls give coroutines, and what is none."""
    if client is not None and not all(hasattr(client, name) for name in ("submit", "ncores", "cancel", "loop")):
        raise TypeError(f"client: got {shown(client)}; give a distributed.Client.")
    if getattr(client, "asynchronous", False):
        raise TypeError(
            "client: it is asynchronous; give a synchronous one, distributed.Client(address) outside of an event loop, "
            "or run the study in a thread with asyncio.to_thread."
        )
    return client


@contextlib.contextmanager
def told_where_interrupted(design: Design, folder: Store) -> Iterator[None]:
    """Have an interrupt say what is kept."""
    try:
        yield
    except KeyboardInterrupt:
        wanted = done = 0
        for name, plan in design.plans.items():
            for key in plan.cells:
                left = sum(end - begin for begin, end in store.missing(folder.covered(name, key), plan.replications))
                wanted, done = wanted + plan.replications, done + plan.replications - left
        raise KeyboardInterrupt(
            f"{done} of {wanted} replicates are kept in {folder.folder}; run the study with this folder to go on"
        ) from None


def compute(design: Design, folder: Store, left: Sequence[Task], how: How) -> None:
    """Do tasks and keep what comes of them; warns of methods that are stopped."""
    max_errors = how.max_errors
    watch = _Watch(max_errors)
    waiting = (task for task in left if not watch.has_stopped(task))
    if how.client is None:
        outcomes = engine.in_threads(design, waiting, how.threads)
    else:
        outcomes = engine.on_cluster(design, waiting, how.client)
    total = sum(task.end - task.begin for task in left)
    bar = progress_bar(total, is_shown(how.progress) and total > 0, "replicate")
    # Closed here whatever happens: left to the garbage collector, the threads might be joined by one of their own.
    with bar, contextlib.closing(outcomes):
        for outcome in outcomes:
            folder.add(outcome.task.method, outcome.task.cell, outcome.task.begin, outcome.estimates)
            watch.see(outcome)
            bar.update(outcome.task.end - outcome.task.begin)
    for (name, key), message in watch.stopped.items():
        warnings.warn(
            f"{name} raised {max_errors} times in a row in the cell {design.cells[key]} and was stopped there: "
            f"{message}",
            StudyWarning,
            stacklevel=5,
        )


@dataclasses.dataclass
class _Watch:
    """Stops a method in a cell where it only raises."""

    limit: int
    stopped: dict[tuple[str, str], str] = dataclasses.field(default_factory=dict)
    row: dict[tuple[str, str], int] = dataclasses.field(default_factory=dict)

    def see(self, outcome: Outcome) -> None:
        task, place = outcome.task, (outcome.task.method, outcome.task.cell)
        for k, bad in enumerate(raised(outcome.estimates)):
            self.row[place] = self.row.get(place, 0) + 1 if bad else 0
            if self.row[place] >= self.limit:
                self.stopped.setdefault((task.method, task.cell), outcome.estimates.messages[k])

    def has_stopped(self, task: Task) -> bool:
        return (task.method, task.cell) in self.stopped
