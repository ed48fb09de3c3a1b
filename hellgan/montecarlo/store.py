"""A study on disk: a manifest, and Parquet files each with the estimates of one method on some replicates of a cell.

Files appear whole or not at all, and are never changed: what was computed stays, whatever happens later. Which
replicates are there is told by the files' names alone.
"""

import json
import os
import secrets
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from hellgan.montecarlo.estimates import Estimates

if TYPE_CHECKING:
    import pyarrow as pa

FORMAT = 1
_MANIFEST, _PARTS = "manifest.json", "parts"
_STALE = 3600.0  # seconds after which a part that was not finished is taken for abandoned


class Store:
    """The folder of a study."""

    def __init__(self, folder: str | os.PathLike):
        self.folder = Path(folder)

    def manifest(self) -> dict | None:
        """Read the manifest; None where there is none yet."""
        path = self.folder / _MANIFEST
        try:
            text = path.read_text(encoding="utf-8")
        except FileNotFoundError:
            return None
        except NotADirectoryError:
            raise NotADirectoryError(f"out: {self.folder} is a file; give a folder.") from None
        try:
            manifest = json.loads(text)
            found = manifest["format"]
        except (ValueError, KeyError, TypeError):
            raise ValueError(f"out: {path} is damaged, or no manifest of a study; give another folder.") from None
        if found != FORMAT:
            raise ValueError(f"out: {path} has format {found!r}; this version reads {FORMAT}.")
        return manifest

    def begin(self, manifest: Mapping[str, Any]) -> dict:
        """Write the manifest, or bring that of earlier runs up to date; returns what stands there then.

        Raises
        ------
        ValueError
            Where the folder holds a study that this one does not continue.
        OSError
            Where the manifest cannot be written; what was there stays.
        """
        before = self.manifest()
        if before is None and self.folder.exists() and not all(map(_is_manifest, self.folder.iterdir())):
            before = self.manifest()  # which another task of a job array may have written meanwhile
            if before is None:
                raise ValueError(
                    f"out: {self.folder} holds other things than a study; give an empty folder, or a new one."
                )
        after = dict(manifest) if before is None else continued(before, manifest, self.folder)
        if after != before:
            try:
                self.folder.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise type(error)(f"out: {self.folder} cannot be made ({error.strerror}).") from None
            self._write(self.folder / _MANIFEST, json.dumps(after, indent=1).encode())
        self._sweep()
        return after

    def covered(self, method: str, cell: str) -> list[tuple[int, int]]:
        """List the ranges [begin, end) of replicates that are stored, in order."""
        folder = self.folder / _PARTS / cell / method
        if not folder.is_dir():
            return []
        return sorted(_range_of(path.stem) for path in folder.glob("*.parquet"))

    def add(self, method: str, cell: str, begin: int, estimates: Estimates) -> None:
        """Write the estimates of replicates ``begin``, ``begin`` + 1, ..."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        sink = pa.BufferOutputStream()
        pq.write_table(table(estimates, begin), sink, compression="zstd")
        folder = self.folder / _PARTS / cell / method
        folder.mkdir(parents=True, exist_ok=True)
        name = f"{begin:08d}-{begin + len(estimates.messages):08d}.parquet"
        self._write(folder / name, sink.getvalue().to_pybytes())

    def tables(self, method: str, cell: str, replications: int) -> Iterator["pa.Table"]:
        """Read the stored estimates of the first ``replications`` replicates, none twice."""
        import pyarrow.compute as pc
        import pyarrow.parquet as pq

        at = 0
        for begin, end in self.covered(method, cell):
            low, high = max(begin, at), min(end, replications)
            if low >= high:
                continue
            path = self.folder / _PARTS / cell / method / f"{begin:08d}-{end:08d}.parquet"
            try:
                found = pq.read_table(path)
            except Exception as error:
                raise ValueError(f"{path} is damaged ({error}); remove it and run the study again.") from None
            if (low, high) != (begin, end):
                found = found.filter((pc.field("replicate") >= low) & (pc.field("replicate") < high))
            at = high
            yield found

    @staticmethod
    def _write(path: Path, content: bytes) -> None:
        part = path.with_name(f".{path.name}.{secrets.token_hex(8)}.part")
        try:
            with part.open("xb") as file:
                file.write(content)
            os.replace(part, path)
        except BaseException:
            part.unlink(missing_ok=True)
            raise

    def _sweep(self):
        """Remove what a killed run left half-written."""
        for part in self.folder.rglob(".*.part"):
            try:
                if time.time() - part.stat().st_mtime > _STALE:
                    part.unlink()
            except OSError:
                continue


def missing(covered: Sequence[tuple[int, int]], replications: int) -> list[tuple[int, int]]:
    """List the ranges [begin, end) among the first ``replications`` replicates that are not covered."""
    gaps, at = [], 0
    for begin, end in [*sorted(covered), (replications, replications)]:
        if min(begin, replications) > at:
            gaps.append((at, min(begin, replications)))
        at = max(at, end)
    return gaps


def table(estimates: Estimates, begin: int) -> "pa.Table":
    """Lay estimates out in rows, one a replicate and parameter."""
    import pyarrow as pa

    count, k = estimates.values.shape
    each = {
        "replicate": np.arange(begin, begin + count, dtype=np.int64),
        "converged": estimates.converged,
        "is_saddle": estimates.is_saddle,
        "iterations": estimates.iterations,
        "bulk_pvalue": estimates.bulk_pvalues,
        "seconds": estimates.seconds,
        "message": np.array(estimates.messages, dtype=object),
        "warned": np.array(estimates.warned, dtype=object),
    }
    columns = {name: np.repeat(values, k) for name, values in each.items()}
    columns["parameter"] = np.tile(np.array(estimates.names, dtype=object), count)
    columns["estimate"] = estimates.values.ravel()
    columns |= {"std_error": estimates.std_errors.ravel(), "lower": estimates.lower.ravel()}
    columns["upper"] = estimates.upper.ravel()
    text = pa.dictionary(pa.int32(), pa.string())
    arrays = {}
    for name, values in columns.items():
        array = pa.array(values, type=pa.string()) if values.dtype == object else pa.array(values)
        arrays[name] = array.cast(text) if values.dtype == object else array
    return pa.table(arrays)


def continued(before: Mapping[str, Any], now: Mapping[str, Any], folder) -> dict:
    """Join the manifest of earlier runs with this one's; refuse where they contradict each other."""
    for name, what in (("hellgan", "version of hellgan"), ("seed", "seed"), ("level", "level"), ("factors", "factors")):
        if before[name] != now[name]:
            raise ValueError(
                f"out: {folder} was run with {what} {_plain(before[name])}, this study has {_plain(now[name])}; give "
                "another folder, or the same design."
            )
    places = {json.dumps(cell["labels"]): key for key, cell in before["cells"].items()}
    for key, cell in now["cells"].items():
        if places.get(json.dumps(cell["labels"]), key) != key:
            said = ", ".join(f"{name} = {label}" for name, label in cell["labels"].items())
            raise ValueError(
                f"out: in {folder} the cell {said} has another definition (truth or contamination changed); give "
                "another folder, or give the level another name."
            )
    methods = dict(before["methods"])
    for name, method in now["methods"].items():
        old = methods.get(name)
        if old is not None and old["hash"] != method["hash"]:
            raise ValueError(
                f"out: in {folder} the method {name} has another definition; give another folder, or give the method "
                "another name."
            )
        if old is not None:
            cells = list(dict.fromkeys([*old["cells"], *method["cells"]]))
            most = max(old["replications"], method["replications"])
            method = {**method, "cells": cells, "replications": most, "names": {**old["names"], **method["names"]}}
        methods[name] = method
    return {**before, "cells": {**before["cells"], **now["cells"]}, "methods": methods}


def _plain(value):
    return ", ".join(value) if isinstance(value, list) else value


def _is_manifest(path: Path) -> bool:
    """Whether a file is a manifest, or one in the making."""
    return path.name == _MANIFEST or (path.name.startswith(f".{_MANIFEST}.") and path.suffix == ".part")


def _range_of(stem: str) -> tuple[int, int]:
    begin, _, end = stem.partition("-")
    return int(begin), int(end)
