"""``Study``: from a design to a folder of estimates."""

import os
import shutil
import tempfile
import weakref
from collections.abc import Callable, Mapping, Sequence
from typing import Any, overload

import numpy as np
import pandas as pd

from hellgan.checks import checked_seed, checked_texts, shown
from hellgan.execution.threads import progress_bar
from hellgan.montecarlo import running
from hellgan.montecarlo.continuing import continued, require_told
from hellgan.montecarlo.design import Cell, Design, cells_of, checked_count
from hellgan.montecarlo.manifests import manifest, selection
from hellgan.montecarlo.measures import MEASURES, is_proportion
from hellgan.montecarlo.performance import replications_for
from hellgan.montecarlo.plans import plans_of
from hellgan.montecarlo.replays import Replay, replayed
from hellgan.montecarlo.results import StudyResults
from hellgan.montecarlo.store import Store
from hellgan.montecarlo.trials import tried


class Study:
    """A Monte Carlo study: truths, departures from them, sample sizes, and methods that all see the same samples.

    Parameters
    ----------
    truth : Truth, mapping or list of Truth, or callable
        ``hg.truth(generator, parameter=value, ...)``; several by name; or a function of ``factors``.
    contamination : None, Contamination, list, mapping or callable
        None, ``hg.PointMass``, ``hg.Cluster`` and so on; a list of them, a mapping of names, or a function of
        ``factors``. A tuple is several at once.
    n : int or sequence of int
        Sample sizes.
    methods : mapping of str
        A dict of ``GAN``'s arguments, a comparator of ``hg.montecarlo`` or its name, or a function of a sample (and
        of ``rng``, ``seed``, ``setting`` if it names them) that returns a fit, a frame, or a dict of estimates. A dict
        may also hold ``replications`` and ``where``; then a function or a comparator stands under ``"function"`` or
        ``"comparator"``.
    replications : int
        Replicates of every cell.
    seed : int
        Replicate r of a cell has random numbers that depend on this, on the cell and on r alone.
    level : float
        Level of intervals.
    factors : mapping of str to sequence, optional
        Further factors, of which ``truth`` or ``contamination`` are functions, by name.
    where : mapping or callable, optional
        Which cells to keep of all combinations: levels of factors, or a function of the labels.

    Attributes
    ----------
    cells : list of Cell

    Raises
    ------
    ValueError, TypeError
        For a bad design, in one sentence.

    Notes
    -----
    After Morris, White and Crowther (2019), Statistics in Medicine 38.

    Examples
    --------
    >>> import hellgan as hg
    >>> study = hg.Study(
    ...     truth=hg.truth(hg.generators.Normal(), loc=1.0, scale=1.0),
    ...     contamination=[None, hg.Cluster(0.2, loc=8.0, scale=0.3)],
    ...     n=[100],
    ...     methods={"root": dict(loss="root"), "median": "median_mad"},
    ...     replications=16,
    ...     seed=7,
    ... )
    >>> result = study.run()
    >>> len(result.to_frame())  # 2 cells, 2 methods, 16 replicates, 2 parameters
    128
    """

    def __init__(
        self,
        truth,
        methods: Mapping[str, Any],
        n,
        replications: int,
        seed: int = 0,
        contamination=None,
        *,
        level: float = 0.95,
        factors: Mapping[str, Sequence] | None = None,
        where: Mapping | Callable | None = None,
    ):
        if isinstance(level, bool) or not isinstance(level, (int, float)) or not 0 < level < 1:
            raise ValueError(f"level: got {shown(level)}; give the intervals' level, such as 0.95.")
        replications = checked_count("replications", replications)
        cells = cells_of(truth, contamination, n, {} if factors is None else factors, where)
        names = tuple(next(iter(cells.values())).labels)
        plans = plans_of(methods, cells, replications, names)
        self._design = Design(cells, plans, checked_seed(seed), float(level), names)
        self.replications = replications

    @property
    def cells(self) -> list[Cell]:
        return list(self._design.cells.values())

    @property
    def methods(self) -> list[str]:
        return list(self._design.plans)

    def __repr__(self):
        return f"<Study: {len(self.cells)} cells, {len(self.methods)} methods, {self.replications} replications>"

    def run(
        self,
        out: str | os.PathLike | None = None,
        client: Any = None,
        *,
        threads: int | None = None,
        share: tuple[int, int] | None = None,
        chunk: int | None = None,
        max_errors: int = 50,
        progress: bool | None = None,
        repair: bool = False,
    ) -> StudyResults:
        """Compute the replicates that the folder does not hold yet.

        Parameters
        ----------
        out : path, optional
            Folder of the results; one that an earlier run of this design was killed in is taken up where it stopped,
            and more replications, cells or methods are added to a finished one. A temporary one unless given.
        client : distributed.Client, optional
            Of a Dask cluster, synchronous; threads of this process unless given.
        threads : int, optional
            Twice as many as there are processors unless given.
        share : (i, k), optional
            Do the i-th of k parts of all tasks (i from 1 to k), as in a job array on a shared file system.
        chunk : int, optional
            Replicates of a task; as many as take a second or so unless given. Numbers do not depend on it.
        max_errors : int
            A method that raises so many times in a row is stopped in that cell, with a warning.
        progress : bool, optional
            Whether to show a progress bar; where standard error is a terminal, unless given.
        repair : bool
            Whether to read first what the folder holds, rename damaged parts (to ``*.damaged``) and do their
            replicates again.

        Returns
        -------
        StudyResults

        Raises
        ------
        ValueError
            For a folder with another design, or a method that raises for each of the first replicates of a cell.
        OSError
            Where the results cannot be written. What was written stays.
        KeyboardInterrupt
            After Ctrl-C: it says how many replicates are kept, and where.
        """
        share = _checked_share(share)
        if share is not None and out is None:
            raise ValueError("share: the other shares need the folder of this one; give out=.")
        if not isinstance(repair, bool):
            raise TypeError(f"repair: got {shown(repair)}; give True or False.")
        how = running.How(
            client=running.checked_client(client),
            threads=threads,
            share=share,
            chunk=None if chunk is None else checked_count("chunk", chunk),
            max_errors=checked_count("max_errors", max_errors),
            progress=progress,
            repair=repair,
        )
        return self._run_aside(how) if out is None else self._run(out, how)

    def _run_aside(self, how: running.How) -> StudyResults:
        """Run in a temporary folder, which goes with the results."""
        aside = tempfile.mkdtemp(prefix="hellgan-study-")
        try:
            results = self._run(os.path.join(aside, "study"), how)
        except BaseException as error:
            shutil.rmtree(aside, ignore_errors=True)
            if isinstance(error, KeyboardInterrupt):
                raise KeyboardInterrupt("nothing is kept; give out= a folder to go on from") from None
            raise
        weakref.finalize(results, shutil.rmtree, aside, ignore_errors=True)
        return results

    def _run(self, out, how: running.How) -> StudyResults:
        folder = Store(out)
        with running.told_where_interrupted(self._design, folder):
            before = folder.manifest()
            if before is not None:
                now = manifest(self._design, {})  # refused before anything is computed
                continued(before, now, folder.folder)
                require_told(before, now, folder.folder)
            known = {} if before is None else {name: method["names"] for name, method in before["methods"].items()}
            described = manifest(self._design, self._dry_run(known, how.progress))
            found = folder.begin(described)
            if how.repair:
                running.repair(self._design, folder)
            left = list(running.tasks(self._design, folder, found, how.share, how.chunk))
            running.compute(self._design, folder, left, how)
            # Once more: a study of other methods that began at the same moment may have written its manifest over it.
            return StudyResults(folder, selection(folder.begin(described), self._design))

    def _dry_run(
        self, known: Mapping[str, Mapping[str, Sequence[str]]], progress: bool | None
    ) -> dict[tuple[str, str], Sequence[str]]:
        """Try every method on a first replicate of each of its cells, where it has not been tried before."""
        pairs = [(name, key) for name, plan in self._design.plans.items() for key in plan.cells]
        found = {(name, key): known[name][key] for name, key in pairs if key in known.get(name, {})}
        left = [pair for pair in pairs if pair not in found]
        with progress_bar(len(left), running.is_shown(progress) and len(left) > 1, "trial") as bar:
            for name, key in left:
                found[name, key] = tried(self._design, self._design.plans[name], self._design.cells[key])
                bar.update()
        return found

    def replay(self, cell, replicate: int, method: str | None = None) -> Replay:
        """Do one replicate again.

        Parameters
        ----------
        cell : mapping, str or Cell
            Labels that tell the cell, as in ``{"contamination": "none", "n": 200}``, its key, or the cell itself.
        replicate : int
            Number of the replicate, from 0.
        method : str, optional
            Name of a method; all methods unless given.

        Returns
        -------
        Replay
            The sample, what the methods say of it (the same numbers as in the study, to the last bit), and their fits.

        Raises
        ------
        ValueError, TypeError
            For a cell, a replicate or a method that the study does not have.
        """
        found = self._cell(cell)
        if isinstance(replicate, bool) or not isinstance(replicate, (int, np.integer)) or not 0 <= replicate < 2**62:
            raise ValueError(f"replicate: got {shown(replicate)}; give its number, from 0.")
        if method is not None:
            (method,) = checked_texts("method", [method], self.methods, "a method of this study")
        return replayed(self._design, found, int(replicate), method)

    def _cell(self, given) -> Cell:
        cells = self._design.cells
        if isinstance(given, Cell):
            given = given.key
        if isinstance(given, str):
            if given in cells:
                return cells[given]
            raise ValueError(f"cell: {shown(given)} is no key of a cell; give its labels, as in {self._example()}.")
        if not isinstance(given, Mapping):
            raise TypeError(f"cell: got {shown(given)}; give its labels, as in {self._example()}.")
        unknown = [name for name in given if name not in self._design.factors]
        if unknown:
            raise ValueError(
                f"cell: {shown(unknown[0])} is no factor; the study has {', '.join(self._design.factors)}."
            )
        found = [c for c in cells.values() if all(c.labels[name] == label for name, label in given.items())]
        if len(found) != 1:
            raise ValueError(f"cell: {len(found)} cells have {dict(given)}; give labels of one, as {self._example()}.")
        return found[0]

    def _example(self):
        return dict(self.cells[0].labels)

    @overload
    def replications_for(self, mcse: float, measure: str = ..., pilot: None = None, **options) -> int: ...
    @overload
    def replications_for(self, mcse: float, measure: str, pilot: StudyResults, **options) -> pd.DataFrame: ...
    @overload
    def replications_for(self, mcse: float, measure: str = ..., *, pilot: StudyResults, **options) -> pd.DataFrame: ...
    def replications_for(self, mcse: float, measure: str = "coverage", pilot: StudyResults | None = None, **options):
        """Say how many replications a wanted Monte Carlo standard error costs.

        Parameters
        ----------
        mcse : float
            The error wanted, in the measure's unit.
        measure : str
            One of ``hellgan.montecarlo.MEASURES``.
        pilot : StudyResults, optional
            A small run of this study; needed but for coverage, rejection and convergence, whose error follows from
            their expected value (``expected``, the level unless given).
        **options
            ``expected``, or with a pilot ``reference``, ``null`` and ``methods``.

        Returns
        -------
        int, or frame
            With a pilot: for each method, cell and parameter.
        """
        (measure,) = checked_texts("measure", [measure], MEASURES, "a measure")
        if pilot is not None and not isinstance(pilot, StudyResults):
            raise TypeError(f"pilot: got {shown(pilot)}; give the results of a small run of this study.")
        if pilot is None:
            if not is_proportion(measure):
                raise ValueError(f"pilot: the error of {measure} depends on the estimates; give pilot=, a small run's.")
            options.setdefault("expected", self._design.level)
            return replications_for(measure, mcse, **options)
        return pilot.replications_for(mcse, measure, **options)


def _checked_share(share):
    if share is None:
        return None
    try:
        i, k = share
    except (TypeError, ValueError):
        i = k = 0
    whole = all(isinstance(value, (int, np.integer)) and not isinstance(value, bool) for value in (i, k))
    if not whole or not 1 <= i <= k:
        raise ValueError(f"share: got {shown(share)}; give (i, k), the i-th of k shares, i from 1 to k.")
    return int(i), int(k)
