"""Results on disk: one ``.npz`` file of plain arrays and a JSON text. Nothing is pickled, loading runs no code."""

import json
import os
import secrets
from pathlib import Path
from typing import Any

import numpy as np

from hellgan import discriminators, generators
from hellgan.covariances import Covariance
from hellgan.inference import JointLaw, Sandwich
from hellgan.solver import SaddlePoint

FORMAT = 2

# What a saved fit must hold.
_ARRAYS = ("x", "natural", "slope", "saddle.theta", "saddle.alpha")
_INGREDIENTS = ("generator", "discriminator", "loss", "columns", "latent", "n_simulated", "seed", "simulator")
_OUTCOME = ("trouble", "saddle", "sandwich", "covariance")


def pack(fit) -> tuple[dict[str, np.ndarray], dict]:
    """Take a ``GANResults`` apart into arrays and JSON facts."""
    model, law = fit.model, fit.law
    arrays = {"x": model.x, "natural": np.asarray(law.natural), "slope": np.asarray(law.natural_slope)}
    if model.weights is not None:
        arrays["weights"] = model.weights
    facts = {
        "generator": generators.recipe(model.generator),
        "discriminator": discriminators.recipe(model.discriminator),
        "loss": model.loss.name if model.loss.is_named else None,
        "columns": model.columns,
        "latent": model.latent,
        "n_simulated": model.n_simulated,
        "seed": model.seed,
        "simulator": model.generator.name,
        "trouble": law.trouble,
        "saddle": {},
        "sandwich": None if law.sandwich is None else {},
        "covariance": {},
        "covariance.sandwich": None if fit.covariance.sandwich is None else {},
    }
    records = [("saddle", vars(fit.saddle)), ("covariance", fit.covariance._replace(sandwich=None)._asdict())]
    laws = {"sandwich": law.sandwich, "covariance.sandwich": fit.covariance.sandwich}
    records += [(part, vars(sandwich)) for part, sandwich in laws.items() if sandwich is not None]
    for part, record in records:
        for name, value in record.items():
            if isinstance(value, np.ndarray):
                arrays[f"{part}.{name}"] = value
            else:
                facts[part][name] = value
    return arrays, facts


def unpack(arrays: dict[str, np.ndarray], facts: dict) -> tuple[SaddlePoint, JointLaw, Covariance]:
    """Rebuild what was found from what ``pack`` made."""

    def record(cls, part) -> Any:
        if facts[part] is None:
            return None
        fields = {n.rpartition(".")[2]: a for n, a in arrays.items() if n.rpartition(".")[0] == part}
        return cls(**{**facts[part], **fields})

    law = JointLaw(record(Sandwich, "sandwich"), arrays["natural"], arrays["slope"], facts["trouble"])
    covariance = record(Covariance, "covariance")._replace(sandwich=record(Sandwich, "covariance.sandwich"))
    return record(SaddlePoint, "saddle"), law, covariance


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
    missing = {*_ARRAYS, *_INGREDIENTS, *_OUTCOME} - {*facts, *arrays}
    if missing:
        raise ValueError(f"load: {os.fspath(path)} holds no {min(missing)}; give a file that GANResults.save wrote.")
    return arrays, facts
