"""A study on disk: a manifest, and Parquet files each with the estimates of one method on some replicates of a cell.

Files appear whole or not at all, and are never changed: what was computed stays, whatever happens later. Which
replicates are there is told by the files' names; what is under them is checked when it is read. Other files in the
folders of the parts, such as a synchronisation's copies, are no part of the study and are left alone.
"""

import contextlib
import os
import secrets
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hellgan.checks import shown
from hellgan.montecarlo import continuing, parts
from hellgan.montecarlo.estimates import Estimates
from hellgan.montecarlo.parts import Place

if TYPE_CHECKING:
    import pyarrow as pa

_MANIFEST, _LOCK, _PARTS = "manifest.json", ".manifest.json.lock", "parts"
_STALE = 3600.0  # seconds after which a part that was not finished is taken for abandoned


class Store:
    """The folder of a study."""

    def __init__(self, folder: str | os.PathLike):
        try:
            self.folder = Path(folder)
        except TypeError:
            raise TypeError(
                f"folder: got {shown(folder)}; give the path of a study's folder, as to run(out=...)."
            ) from None

    def manifest(self) -> dict | None:
        """Read the manifest; None where there is none yet."""
        path = self.folder / _MANIFEST
        try:
            content = path.read_bytes()
        except FileNotFoundError:
            return None
        except NotADirectoryError:
            raise NotADirectoryError(f"out: {self.folder} is a file; give a folder.") from None
        except ValueError as error:  # of a path that no system knows
            raise ValueError(f"out: {shown(path)} cannot be opened ({_reason(error)}).") from None
        except OSError as error:
            raise type(error)(f"out: the manifest {path} cannot be read ({_reason(error)}).") from None
        return continuing.read(content, path)

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
        after = dict(manifest) if before is None else continuing.continued(before, manifest, self.folder)
        if after != before:
            try:
                self.folder.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise type(error)(f"out: {self.folder} cannot be made ({error.strerror}).") from None
            after = self._merge(manifest)
        self._sweep()
        return after

    def _merge(self, manifest: Mapping[str, Any]) -> dict:
        """Write the manifest while no other process on this file system does, so that neither's methods are lost."""
        with self._locked():
            before = self.manifest()
            after = dict(manifest) if before is None else continuing.continued(before, manifest, self.folder)
            if after != before:
                self._write(self.folder / _MANIFEST, continuing.written(after))
        return after

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        """Hold the folder's lock, which ends with the process; without one where the system knows no such locks."""
        with contextlib.ExitStack() as held:
            try:
                import fcntl

                file = held.enter_context((self.folder / _LOCK).open("ab"))
                fcntl.flock(file, fcntl.LOCK_EX)
            except (ImportError, OSError):
                pass
            yield

    def covered(self, method: str, cell: str) -> list[tuple[int, int]]:
        """List the ranges [begin, end) of replicates that are stored, in order."""
        folder = self.folder / _PARTS / cell / method
        if not folder.is_dir():
            return []
        return sorted(found for path in folder.iterdir() if (found := parts.range_of(path)) is not None)

    def add(self, method: str, cell: str, begin: int, estimates: Estimates) -> None:
        """Write the estimates of replicates ``begin``, ``begin`` + 1, ..."""
        place = Place(cell, method, begin, begin + len(estimates.messages))
        path = self._path(place)
        content = parts.packed(parts.table(estimates, begin), place)
        with self._writing(path.parent):
            path.parent.mkdir(parents=True, exist_ok=True)
        self._write(path, content)

    def _path(self, place: Place) -> Path:
        return self.folder / _PARTS / place.cell / place.method / place.name

    def tables(self, method: str, cell: str, replications: int) -> Iterator["pa.Table"]:
        """Read the stored estimates of the first ``replications`` replicates, none twice."""
        import pyarrow.compute as pc

        at = 0
        for begin, end in self.covered(method, cell):
            low, high = max(begin, at), min(end, replications)
            if low >= high:
                continue
            place = Place(cell, method, begin, end)
            found = parts.read(self._path(place), place)
            if (low, high) != (begin, end):
                found = found.filter((pc.field("replicate") >= low) & (pc.field("replicate") < high))
            at = high
            yield found

    def set_aside(self, method: str, cell: str) -> list[Path]:
        """Rename the damaged parts of a method in a cell, so that their replicates are missing; gives the new names."""
        aside = []
        for begin, end in self.covered(method, cell):
            place = Place(cell, method, begin, end)
            path = self._path(place)
            try:
                parts.read(path, place)
            except ValueError:
                new = path.with_name(f"{path.name}.{secrets.token_hex(4)}.damaged")
                with self._writing(path), contextlib.suppress(FileNotFoundError):  # another task may have been faster
                    path.rename(new)
                    aside.append(new)
        return aside

    def _write(self, path: Path, content: bytes) -> None:
        part = path.with_name(f".{path.name}.{secrets.token_hex(8)}.part")
        with self._writing(path):
            try:
                with part.open("xb") as file:
                    file.write(content)
                os.replace(part, path)
            except BaseException:
                with contextlib.suppress(OSError):
                    part.unlink(missing_ok=True)
                raise

    @contextlib.contextmanager
    def _writing(self, path: Path) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            told = type(error)(
                f"out: {path} cannot be written ({_reason(error)}); what was written before stays, and run with this "
                "folder goes on from there."
            )
            told.errno = error.errno
            raise told from None

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


def _reason(error) -> str:
    return getattr(error, "strerror", None) or " ".join(str(error).split())


def _is_manifest(path: Path) -> bool:
    """Whether a file is a manifest, one in the making, or its lock."""
    return path.name in (_MANIFEST, _LOCK) or (path.name.startswith(f".{_MANIFEST}.") and path.suffix == ".part")
