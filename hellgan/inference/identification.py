"""Which parameters the equations do not tell apart, in words."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from hellgan.parameters import ParameterSpace
from hellgan.records import informations

# Below this relative size an eigenvalue of the information matrix cannot be told from 0.
_SINGULAR = 1e-9


def problems(
    space: ParameterSpace, jacobians: Sequence[np.ndarray], frame: np.ndarray | None = None
) -> list[str | None]:
    """Name, for each Jacobian (k, k) of equations, the parameters that are not identified; None where all are.

    The information about theta is that of ``estimation.informations``: a direction in which it vanishes is not
    identified. What vanishes is judged in the coordinates ``frame`` (p, p) of theta, or (k, p, p), as
    ``Equations.frame`` has them.
    """
    if not jacobians:
        return []
    found = informations(np.stack(jacobians), space.size)
    size = np.sqrt(np.abs(np.diagonal(found, axis1=1, axis2=2)))
    usable = np.all(np.isfinite(found), axis=(1, 2)) & ~np.any(_is_inert(space, size), axis=1)
    framed = found if frame is None else np.swapaxes(frame, -1, -2) @ found @ frame
    size = np.sqrt(np.abs(np.diagonal(framed, axis1=1, axis2=2)))
    usable &= np.all(size > 0, axis=1)
    size = np.where(usable[:, None], size, 1.0)
    scaled = np.where(usable[:, None, None], framed / (size[:, :, None] * size[:, None, :]), 0.0)
    identified = np.linalg.eigvalsh(scaled)[:, 0] > _SINGULAR * space.size
    return [None if ok else _unidentified(space, each) for ok, each in zip(identified, found, strict=True)]


def _is_inert(space, size) -> np.ndarray:
    """Whether nothing reacts to a parameter; ``size`` (..., p) is the square root of their information.

    A real parameter has a unit, so that only 0 is little; the others have none on the unconstrained scale.
    """
    return (size == 0) | (space.unitless & (size < 1e-12) & (size <= 1e-8 * np.max(size, axis=-1, keepdims=True)))


def _unidentified(space, information) -> str:
    if not np.all(np.isfinite(information)):
        return "the information matrix is not finite"
    size = np.sqrt(np.abs(np.diag(information)))
    inert = _is_inert(space, size)
    if np.any(inert):
        return f"the simulated features do not react to {space.owners[int(np.argmax(inert))]}"
    worst = weakest_combination(space, information)
    return (
        f"the combination {worst.text} (unconstrained, standardised) is not identified by the features: the "
        f"information matrix has condition number {worst.condition:.1e}"
    )


class Combination(NamedTuple):
    """The combination of unconstrained parameters of which the equations say least."""

    text: str
    condition: float  # condition number of the information matrix with 1 on its diagonal


def weakest_combination(space: ParameterSpace, information: np.ndarray) -> Combination:
    """Name the combination of unconstrained parameters of which the information about theta (p, p) is least."""
    names = space.owners
    size = np.sqrt(np.abs(np.diag(information)))
    values, vectors = np.linalg.eigh(information / np.outer(size, size))
    parts = [f"{vectors[k, 0]:+.2f} {names[k]}" for k in np.argsort(-np.abs(vectors[:, 0])) if abs(vectors[k, 0]) > 0.1]
    return Combination(" ".join(parts), float(values[-1] / max(values[0], np.finfo(float).eps)))
