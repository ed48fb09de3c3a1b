"""Results on disk: one ``.npz`` file of plain arrays and a JSON text. Nothing is pickled, loading runs no code."""

import json
import os
import secrets
from pathlib import Path

import numpy as np

FORMAT = 1


def write(path: str | os.PathLike, arrays: dict[str, np.ndarray], facts: dict) -> None:
    """Write arrays and JSON facts atomically: a file that is there is whole.

    Raises
    ------
    OSError
        When the file cannot be written; one that was there stays as it was.
    """
    path = Path(path)
    if not path.parent.is_dir():
        raise FileNotFoundError(f"path: there is no directory {path.parent}; create it first.")
    text = np.array(json.dumps({"format": FORMAT, **facts}))
    # Not tempfile's: that gives the file to its owner alone, whatever the umask.
    part = path.with_name(f"{path.name}.{secrets.token_hex(8)}.part")
    try:
        with part.open("xb") as file:
            np.savez(file, **{"facts": text, **arrays})  # pyright: ignore[reportArgumentType]
        os.replace(part, path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


def read(path: str | os.PathLike) -> tuple[dict[str, np.ndarray], dict]:
    """Read what ``write`` wrote.

    Raises
    ------
    ValueError
        For a file that is not such a one.
    OSError
        For one that cannot be read.
    """
    try:
        # Opened here: np.load leaves a damaged file open.
        with open(path, "rb") as handle, np.load(handle, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
        facts = json.loads(str(arrays.pop("facts")))
        found = facts["format"]
    except OSError:
        raise
    except Exception as error:
        raise ValueError(f"load: {os.fspath(path)} is damaged, or no result that hellgan saved.") from error
    if found != FORMAT:
        raise ValueError(f"load: {os.fspath(path)} has format {found!r}; this version reads {FORMAT}.")
    return arrays, facts
