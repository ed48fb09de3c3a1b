"""A parameter that ran to the edge of its space: the others' solution there, said as what it is."""

import dataclasses

import numpy as np

from hellgan.objective.game import Game
from hellgan.parameters import natural_rows
from hellgan.records import informations
from hellgan.restrictions import Restriction
from hellgan.solver.certificate import EDGE, SaddlePoint, curvatures_of
from hellgan.solver.restricted import solve_restricted

# A parameter without a unit is at an edge where not its tenth power of e would be known, were the others known.
_UNKNOWN, _FAR = 10.0, 4.0


class Held(Restriction):
    """Elements of theta held at their values."""

    def __init__(self, theta: np.ndarray, positions: np.ndarray):
        self._rows, self._values = np.eye(len(theta))[positions], theta[positions]

    def at(self, theta):
        return self._rows @ theta - self._values, self._rows

    def curvature(self, theta, multipliers):
        return np.zeros((len(theta), len(theta)))


def at_edge(game: Game, saddle: SaddlePoint) -> SaddlePoint | None:
    """Solve for the other parameters where some have run to the edge of their spaces; None where none has.

    Student's law with ever more degrees of freedom is the normal law: the features do not react to them any more, no
    score vanishes but by accident, and no further start would help. The solution has no certificate; its reason says
    which parameters are at an edge.
    """
    if saddle.is_saddle or not np.all(np.isfinite(saddle.jacobian)):
        return None
    p, names = game.p, game.generator.owners
    try:
        known = np.abs(np.diag(informations(saddle.jacobian[None], p)[0])) * game.sizes[0] / game.loss.c
    except np.linalg.LinAlgError:
        return None
    edge = np.flatnonzero(game.generator.unitless & (known < _UNKNOWN**-2) & (np.abs(saddle.theta) > _FAR))
    if not len(edge) or len(edge) == p:
        return None
    found = solve_restricted(game, Held(saddle.theta, edge), saddle.theta, saddle.alpha)
    if found.reason:
        return None
    told, natural = [], game.generator.named(natural_rows(game.generator, found.u[None, :p])[0])
    for name in dict.fromkeys(names[k] for k in edge):
        law = game.generator.edges.get(name)
        told.append(
            f"{name} = {np.array2string(np.asarray(natural[name]), precision=3)}" + (f" ({law})" if law else "")
        )
    reason = (
        f"{EDGE} of the space of {', '.join(told)}, where the features no longer react to it; the other estimates are "
        "right there: fit the law without it, or hold it with generator.fix"
    )
    tops, leasts = curvatures_of(found.jacobian[None], p, game.loss.is_zero_sum)
    others = np.delete(found.score, edge)
    return dataclasses.replace(
        saddle,
        converged=True,
        score_norm=float(np.max(np.abs(others))),
        discriminator_curvature=float(tops[0]),
        generator_curvature=float(leasts[0]),
        theta=found.u[:p],
        alpha=found.u[p:],
        value=found.criterion + float(np.asarray(game.discriminator.ridge) @ found.u[p:] ** 2),
        jacobian=found.jacobian,
        kind="at an edge",
        reason=reason,
    )
