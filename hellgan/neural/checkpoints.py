"""Checkpoints: where training stands, as arrays in one file, written whole or not at all; and what was asked, in JSON.

A folder holds ``run.json``, which says what is trained, and ``checkpoint-<step>.npz``, the last two of them. A run goes
on from the newest that can be read. What is asked must be the same, the number of steps apart.
"""

import hashlib
import json
import os
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import numpy as np

_MANIFEST, _PATTERN, _KEPT = "run.json", "checkpoint-*.npz", 2


class Folder:
    """A folder of checkpoints.

    Parameters
    ----------
    path : str or Path
    facts : dict
        What is trained, in JSON: what must agree for a run to go on.
    """

    def __init__(self, path, facts: dict):
        self.path, self.facts = Path(path), json.loads(json.dumps(facts))

    def begin(self, resume: bool) -> None:
        """Make the folder; one with another run raises ``ValueError``, or is begun anew unless ``resume``."""
        manifest = self.path / _MANIFEST
        if self.path.exists() and not self.path.is_dir():
            raise ValueError(f"out: {self.path} is a file; give a folder.")
        if resume and manifest.exists():
            self._check(json.loads(manifest.read_text(encoding="utf-8")))
            return
        if not manifest.exists() and self.path.exists() and any(self.path.iterdir()):
            raise ValueError(f"out: {self.path} holds other files; give a new folder.")
        self.path.mkdir(parents=True, exist_ok=True)
        for file in self.files():
            file.unlink()
        text = json.dumps(self.facts, indent=1)
        written(manifest, lambda file: file.write(text.encode()))

    def files(self) -> list[Path]:
        """List the checkpoints, the oldest first."""
        return sorted(self.path.glob(_PATTERN))

    def keep(self, step: int, state: Any, history: np.ndarray) -> None:
        """Write a checkpoint and remove all but the last two."""
        leaves: dict[str, Any] = {f"leaf_{k}": np.asarray(leaf) for k, leaf in enumerate(jax.tree.leaves(state))}
        file = self.path / f"checkpoint-{step:012d}.npz"
        written(file, lambda handle: np.savez(handle, step=np.asarray(step), history=history, **leaves))
        for old in self.files()[:-_KEPT]:
            old.unlink()

    def newest(self, state: Any, most: int) -> tuple[int, Any, np.ndarray] | None:
        """Read the newest checkpoint that is whole: step, state like the one given, history.

        One of more than ``most`` steps raises ``ValueError``.
        """
        leaves, structure = jax.tree.flatten(state)
        for file in reversed(self.files()):
            try:
                with file.open("rb") as handle, np.load(handle, allow_pickle=False) as arrays:
                    step, history = int(arrays["step"]), arrays["history"]
                    read = [arrays[f"leaf_{k}"] for k in range(len(leaves))]
            except (OSError, KeyError, ValueError, EOFError, zipfile.BadZipFile):
                continue
            same = all(a.shape == np.shape(b) and a.dtype == b.dtype for a, b in zip(read, leaves, strict=True))
            if same and step > most:
                raise ValueError(
                    f"steps: got {most}, and {self.path} holds a run of {step}; give at least as many, or resume=False."
                )
            if same:
                return step, jax.tree.unflatten(structure, read), history
        return None

    def _check(self, kept: dict) -> None:
        names = [name for name in {**kept, **self.facts} if kept.get(name) != self.facts.get(name)]
        if names:
            name = names[0]
            raise ValueError(
                f"out: {self.path} holds a run with another {name} ({_short(kept.get(name))}, not "
                f"{_short(self.facts.get(name))}); give another folder, or resume=False to begin anew there."
            )


def written(path: Path, write: Callable) -> None:
    """Write a file beside its place and move it there, so that it is whole or not there at all."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=".part-")
    try:
        with os.fdopen(handle, "wb") as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def fingerprint(*arrays) -> str:
    """Digest of arrays: their shapes and bytes."""
    digest = hashlib.sha256()
    for array in arrays:
        array = np.ascontiguousarray(array)
        digest.update(f"{array.shape} {array.dtype}".encode())
        digest.update(array.tobytes())
    return digest.hexdigest()[:16]


def _short(value) -> str:
    text = json.dumps(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
