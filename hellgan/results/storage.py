"""Results on disk: one ``.npz`` file of plain arrays and a JSON text. Nothing is pickled, loading runs no code."""

import json
import os
import secrets
import typing
from pathlib import Path
from typing import Any

import numpy as np

from hellgan.checks import shown
from hellgan.estimation import Covariance, Equations, Fit, JointLaw, Sandwich
from hellgan.parameters import natural_rows
from hellgan.results.archive import Archive

FORMAT = 3
_LONGEST = 255  # bytes of a file's name

# What a saved fit must hold, beside what its estimator is built anew from.
_ARRAYS = ("x", "natural", "slope")
_OF_COVARIANCE = "covariance.sandwich"
_FACTS = {
    "estimator": str,
    "trouble": str,
    "solution": dict,
    "sandwich": (dict, type(None)),
    "covariance": dict,
    _OF_COVARIANCE: (dict, type(None)),
}


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
        _OF_COVARIANCE: None if fit.covariance.sandwich is None else {},
    }
    records = [("solution", vars(fit.solution)), ("covariance", fit.covariance._replace(sandwich=None)._asdict())]
    laws = {"sandwich": law.sandwich, _OF_COVARIANCE: fit.covariance.sandwich}
    records += [(part, vars(sandwich)) for part, sandwich in laws.items() if sandwich is not None]
    for part, record in records:
        for name, value in record.items():
            if isinstance(value, np.ndarray):
                arrays[f"{part}.{name}"] = value
            else:
                facts[part][name] = value
    return arrays, facts


def unpack(arrays: Archive, facts: dict, equations: Equations) -> tuple[Any, JointLaw, Covariance]:
    """Rebuild solution, law and covariance, which ``pack`` took apart, of a fit of ``equations``.

    Raises
    ------
    ValueError
        For a file in which something of the three is missing, or is of another kind, shape or size than a fit's.
    """
    of_law, of_covariance = (
        None if facts[part] is None else _record(arrays, facts[part], Sandwich, part)
        for part in ("sandwich", _OF_COVARIANCE)
    )
    covariance = _record(arrays, {**facts["covariance"], "sandwich": None}, Covariance, "covariance")
    covariance = covariance._replace(sandwich=of_covariance)
    law = JointLaw(of_law, arrays["natural"], arrays["slope"], facts["trouble"])
    solution = _record(arrays, facts["solution"], equations.solution_type, "solution")
    _check(arrays, equations, solution, law, covariance)
    return solution, law, covariance


def _record(arrays: Archive, facts: dict, cls: type, part: str) -> Any:
    """Make a record of its arrays and facts, each of the kind that the class's annotation tells."""
    values = {}
    for name, kind in typing.get_type_hints(cls).items():
        whole = f"{part}.{name}"
        if kind is np.ndarray:
            if whole not in arrays:
                raise _absent(arrays, whole)
            values[name] = _numbers(arrays, whole)
            continue
        if name not in facts:
            raise _absent(arrays, whole)
        value = values[name] = facts[name]
        wanted = {float: (int, float), int: int, bool: bool, str: str}.get(kind)
        if wanted is not None and (not isinstance(value, wanted) or (isinstance(value, bool) and kind is not bool)):
            raise arrays.damaged(f"{whole} is {shown(value)}")
    return cls(**values)


def _numbers(arrays: Archive, name: str) -> np.ndarray:
    found = arrays[name]
    if found.dtype != np.float64:
        raise arrays.damaged(f"{name} holds values of type {found.dtype}")
    return found


def _check(arrays: Archive, equations: Equations, solution, law: JointLaw, covariance: Covariance) -> None:
    """Refuse what cannot be a fit of the equations: shapes, NaN, and numbers that contradict each other."""
    p, r, k = equations.p, len(equations.space.names), len(np.atleast_1d(solution.u))
    square = {"bread": (k, k), "meat_real": (k, k), "meat_simulated": (k, k), "cov": (k, k)}
    shapes = [("solution.theta", solution.theta, (p,)), ("solution.jacobian", solution.jacobian, (k, k))]
    shapes += [("natural", law.natural, (r,)), ("slope", law.natural_slope, (r, p))]
    shapes += [("covariance.natural", covariance.natural, (r, r)), ("covariance.theta", covariance.theta, (p, p))]
    for part, sandwich in (("sandwich", law.sandwich), (_OF_COVARIANCE, covariance.sandwich)):
        shapes += [(f"{part}.{n}", getattr(sandwich, n), shape) for n, shape in square.items() if sandwich is not None]
    for name, found, shape in shapes:
        if found.shape != shape:
            raise arrays.damaged(f"{name} has the shape {found.shape}, and a fit of this model {shape}")
        if law.sandwich is not None and not np.all(np.isfinite(found)):
            raise arrays.damaged(f"{name} is not finite")
    natural = natural_rows(equations.space, solution.theta[None])[0]
    if not np.allclose(natural, law.natural, rtol=1e-6, atol=1e-300, equal_nan=not law.sandwich):
        raise arrays.damaged("its natural parameters are not those of its solution")
    n = 1 / np.sum(equations.sample.weights**2)
    if law.sandwich is not None and not np.isclose(n, law.sandwich.n, rtol=1e-6):
        raise arrays.damaged(f"its data are {n:.6g} observations, and its fit is of {law.sandwich.n:.6g}")


def _absent(arrays: Archive, name: str) -> ValueError:
    return ValueError(f"load: {arrays.path} holds no {name}; give a file that save of a fit wrote.")


def write(path: str | os.PathLike, arrays: dict[str, np.ndarray], facts: dict) -> None:
    """Write arrays and JSON facts atomically: a file that is there is whole.

    Raises
    ------
    OSError
        When the file cannot be written; one that was there stays as it was.
    """
    if not isinstance(path, (str, os.PathLike)):
        raise TypeError(f"path: got {shown(path)}; give the name of a file.")
    try:
        path, name = Path(path), os.fsencode(path)
    except ValueError:
        name = b""
    if not isinstance(path, Path) or not path.name or b"\0" in name:
        raise ValueError(f"path: got {shown(path)}; give the name of a file.")
    part = f"{path.name}.{secrets.token_hex(8)}.part"
    if len(os.fsencode(part)) > _LONGEST:
        raise ValueError(f"path: {shown(path.name)} has {len(path.name)} letters; give a shorter name.")
    if not path.parent.is_dir():
        raise FileNotFoundError(f"path: there is no directory {path.parent}; create it first.")
    text = np.array(json.dumps({"format": FORMAT, **facts}))
    # Not tempfile's: that gives the file to its owner alone, whatever the umask.
    part = path.with_name(part)
    try:
        with part.open("xb") as file:
            np.savez(file, **{"facts": text, **arrays})  # pyright: ignore[reportArgumentType]
        os.replace(part, path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


def read(path: str | os.PathLike) -> tuple[Archive, dict]:
    """Read the facts of what ``write`` wrote; its arrays are read when they are asked for.

    Raises
    ------
    ValueError
        For a file that is damaged, or that ``write`` did not write.
    OSError
        For a file that cannot be opened.
    """
    arrays = Archive(path)
    facts = arrays.facts()
    found = facts["format"]
    if found == 2:  # of version 0.1: only of parametric GANs, the solution under another name
        facts |= {"estimator": "GAN", "solution": facts.pop("saddle", None)}
        arrays.rename("saddle.", "solution.")
    elif found != FORMAT:
        raise ValueError(f"load: {arrays.path} has format {shown(found)}; this version reads 2 and {FORMAT}.")
    facts.setdefault(_OF_COVARIANCE, None)
    for name, kind in _FACTS.items():
        if name not in facts:
            raise _absent(arrays, name)
        if not isinstance(facts[name], kind):
            raise arrays.damaged(f"{name} is {shown(facts[name])}")
    for name in _ARRAYS:
        if name not in arrays:
            raise _absent(arrays, name)
        if _numbers(arrays, name).ndim not in (1, 2):
            raise arrays.damaged(f"{name} has the shape {arrays[name].shape}")
    return arrays, facts
