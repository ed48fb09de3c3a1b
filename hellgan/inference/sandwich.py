"""From a root of the scores to its joint law: bread, meat, sandwich, delta method.

With u = (theta, nuisance) and H the derivative of the mean score,

    sqrt(n) (u_hat - u) -> N(0, H^-1 [Sigma_X + (n/m) Sigma_Z] H^-T)                              (2)

where each score covariance is centred by its own sample's mean. For scrambled Sobol latents (n/m) Sigma_Z becomes
n R, R the covariance of the mean simulated score over independent scrambles at the solution. Equation numbers are those
of ``docs/theory.md``.
"""

from collections.abc import Callable, Sequence

import numpy as np

from hellgan.estimation import Equations, JointLaw, Sandwich, ScoreCovariance, Solution
from hellgan.inference.identification import problems
from hellgan.parameters import ParameterSpace, natural_scales

_ADVICE = (
    "; hold a parameter with generator.fix, give a richer discriminator or, if one ran to the edge of its space, other "
    "starting values, fit(start={...})"
)


def sandwiches(jacobians: Sequence[np.ndarray], covariances: Sequence[ScoreCovariance]) -> list[Sandwich]:
    """Compute the sandwich covariance (2) at each of some roots, from Jacobians (k, k) and score covariances."""
    h = np.stack(jacobians)
    real, simulated = (np.stack([getattr(c, part) for c in covariances]) for part in ("real", "simulated"))
    n = np.array([c.n for c in covariances])
    half = np.linalg.solve(h, real + simulated)
    covs = np.linalg.solve(h, np.swapaxes(half, 1, 2)) / n[:, None, None]  # (2); symmetric but for rounding
    covs = (covs + np.swapaxes(covs, 1, 2)) / 2
    return [
        Sandwich(-each, a, b, float(size), cov)
        for each, a, b, size, cov in zip(h, real, simulated, n, covs, strict=True)
    ]


def sandwich_at(equations: Equations, u: np.ndarray, jacobian: np.ndarray | None = None) -> Sandwich:
    """Compute the sandwich covariance (2) at any u (k,), with the Jacobian (k, k) there unless it is given."""
    jacobian = equations.jacobian(u) if jacobian is None else jacobian
    return sandwiches([jacobian], [equations.score_covariance(u)])[0]


def laws(
    space: ParameterSpace,
    solutions: Sequence[Solution],
    covariances: Callable[[list[int]], Sequence[ScoreCovariance]] | None,
    frame: np.ndarray | None = None,
) -> list[JointLaw]:
    """Infer the joint law at each of some solutions.

    Parameters
    ----------
    space : ParameterSpace
    solutions : sequence of Solution
    covariances : callable or None
        Gives the score covariances of the solutions whose positions it gets; None for equations without a joint law.
    frame : (p, p) or (k, p, p) array, optional
        Coordinates of theta in which it is judged whether theta is identified, as ``Equations.frame`` has them; of
        each solution, or of all.
    """
    # Whether theta is identified is asked also where a root is not certified: if it is not, that may well be why.
    asked = [k for k, s in enumerate(solutions) if s.is_root and covariances is not None]
    framed = frame if frame is None or frame.ndim == 2 else frame[asked]
    found = dict(zip(asked, problems(space, [solutions[k].jacobian for k in asked], framed), strict=True))
    troubles = [f"{problem}{_ADVICE}" if (problem := found.get(k)) else s.reason for k, s in enumerate(solutions)]
    usable = [k for k, trouble in enumerate(troubles) if not trouble and covariances is not None]
    inferred: list[Sandwich | None] = [None] * len(solutions)
    if usable and covariances is not None:
        for k, each in zip(
            usable, sandwiches([solutions[k].jacobian for k in usable], covariances(usable)), strict=True
        ):
            inferred[k] = each
    natural, slopes = natural_scales(space, np.stack([s.theta for s in solutions]))
    return [JointLaw(*each) for each in zip(inferred, natural, slopes, troubles, strict=True)]


def law(equations: Equations, solution: Solution) -> JointLaw:
    """Infer the joint law at one solution."""
    equations = equations.at(solution)

    def covariances(_):
        return [equations.score_covariance(solution.u)]

    return laws(equations.space, [solution], None if equations.trouble else covariances, equations.frame)[0]


def natural_covs(space: ParameterSpace, found: Sequence[JointLaw]) -> np.ndarray:
    """Covariances (k, r, r) of the estimates on their natural scale, by the delta method, already divided by n.

    NaN where there is no sandwich.
    """
    p = space.size
    missing = np.full((p, p), np.nan)
    covs = np.stack([missing if each.sandwich is None else each.sandwich.cov[:p, :p] for each in found])
    slopes = np.stack([each.natural_slope for each in found])
    covs = slopes @ covs @ np.swapaxes(slopes, 1, 2)
    return (covs + np.swapaxes(covs, 1, 2)) / 2
