"""Results on disk: one ``.npz`` file of plain arrays and a JSON text. Nothing is pickled, loading runs no code."""

import inspect
import json
import os
import secrets
from pathlib import Path
from typing import Any

import numpy as np

from hellgan.estimation import Covariance, Fit, JointLaw, Sandwich

FORMAT = 3

# What a saved fit must hold, beside what its estimator is built anew from.
_ARRAYS = ("x", "natural", "slope")
_FACTS = ("estimator", "trouble", "solution", "sandwich", "covariance")


def pack(fit: Fit) -> tuple[dict[str, np.ndarray], dict]:
    """Take a fit apart into arrays and JSON facts, its estimator's own among them."""
    law = fit.law
    arrays, facts = fit.model.recipe()
    arrays |= {"natural": np.asarray(law.natural), "slope": np.asarray(law.natural_slope)}
    facts |= {
        "trouble": law.trouble,
        "solution": {},
        "sandwich": None if law.sandwich is None else {},
        "covariance": {},
        "covariance.sandwich": None if fit.covariance.sandwich is None else {},
    }
    records = [("solution", vars(fit.solution)), ("covariance", fit.covariance._replace(sandwich=None)._asdict())]
    laws = {"sandwich": law.sandwich, "covariance.sandwich": fit.covariance.sandwich}
    records += [(part, vars(sandwich)) for part, sandwich in laws.items() if sandwich is not None]
    for part, record in records:
        for name, value in record.items():
            if isinstance(value, np.ndarray):
                arrays[f"{part}.{name}"] = value
            else:
                facts[part][name] = value
    return arrays, facts


def unpack(
    path: str | os.PathLike, solution_type: type, arrays: dict[str, np.ndarray], facts: dict
) -> tuple[Any, JointLaw, Covariance]:
    """Rebuild solution, law and covariance from what ``pack`` made; the solution is of a class the estimator names.

    Raises
    ------
    ValueError
        For a file in which something of the three is missing.
    """

    def record(cls, part) -> Any:
        if facts[part] is None:
            return None
        fields = {n.rpartition(".")[2]: a for n, a in arrays.items() if n.rpartition(".")[0] == part}
        values = {**facts[part], **fields}
        missing = [name for name in inspect.signature(cls).parameters if name not in values]
        if missing:
            raise ValueError(
                f"load: {os.fspath(path)} holds no {part}.{missing[0]}; give a file that save of a fit wrote."
            )
        return cls(**values)

    law = JointLaw(record(Sandwich, "sandwich"), arrays["natural"], arrays["slope"], facts["trouble"])
    covariance = record(Covariance, "covariance")._replace(sandwich=record(Sandwich, "covariance.sandwich"))
    return record(solution_type, "solution"), law, covariance


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
        For a file that is damaged, or that ``write`` did not write.
    OSError
        For a file that cannot be opened.
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
    if found == 2:  # of version 0.1: only of parametric GANs, the solution under another name
        facts |= {"estimator": "GAN", "solution": facts.pop("saddle", None)}
        arrays = {name.replace("saddle.", "solution."): values for name, values in arrays.items()}
    elif found != FORMAT:
        raise ValueError(f"load: {os.fspath(path)} has format {found!r}; this version reads 2 and {FORMAT}.")
    missing = {*_ARRAYS, *_FACTS} - {*facts, *arrays}
    if missing:
        raise ValueError(f"load: {os.fspath(path)} holds no {min(missing)}; give a file that save of a fit wrote.")
    return arrays, facts
