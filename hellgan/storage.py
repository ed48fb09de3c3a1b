"""Results on disk: one ``.npz`` file of plain arrays and a JSON text. Nothing is pickled, loading runs no code."""

import json
import os
import tempfile
from pathlib import Path

import numpy as np

FORMAT = 1


def write(path: str | os.PathLike, arrays: dict[str, np.ndarray], facts: dict) -> None:
    """Write arrays and JSON facts atomically: a file that is there is whole."""
    path = Path(path)
    text = np.array(json.dumps({"format": FORMAT, **facts}))
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=path.name, suffix=".part")
    try:
        with os.fdopen(handle, "wb") as file:
            np.savez(file, facts=text, **arrays)
        os.replace(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def read(path: str | os.PathLike) -> tuple[dict[str, np.ndarray], dict]:
    """Read what ``write`` wrote.

    Raises
    ------
    ValueError
        For a file that is not such a one.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
        facts = json.loads(str(arrays.pop("facts")))
        known = facts["format"] == FORMAT
    except FileNotFoundError:
        raise
    except Exception as error:
        raise ValueError(f"load: {os.fspath(path)} is not a result saved by hellgan ({error}).") from error
    if not known:
        raise ValueError(f"load: {os.fspath(path)} has format {facts['format']}; this version reads {FORMAT}.")
    return arrays, facts
