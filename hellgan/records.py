"""What passes over the seam of ``hellgan.estimation``: laws, covariances, other samples and solutions on them.

Equation numbers are those of ``docs/theory.md``.
"""

import dataclasses
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np


class ScoreCovariance(NamedTuple):
    """The two parts of B in (2): covariance of sqrt(n) times the mean score, each centred by its own mean."""

    real: np.ndarray  # (k, k)
    simulated: np.ndarray  # (k, k), the simulation's part
    n: float  # effective sample size, 1 / sum of squared weights


@dataclasses.dataclass(frozen=True, eq=False)
class Sandwich:
    """The joint law of u at a root of the scores.

    Attributes
    ----------
    bread : (k, k) array
        A, minus the mean derivative of the scores (not inverted).
    meat_real, meat_simulated : (k, k) arrays
        The two parts of B, the covariance of sqrt(n) times the mean score.
    n : float
        Effective sample size 1 / sum of squared weights; n for equal weights.
    cov : (k, k) array
        A^-1 B A^-T / n: covariance of the estimate itself.
    """

    bread: np.ndarray
    meat_real: np.ndarray
    meat_simulated: np.ndarray
    n: float
    cov: np.ndarray

    @property
    def meat(self) -> np.ndarray:
        """B: the sum of the two parts."""
        return self.meat_real + self.meat_simulated


class JointLaw(NamedTuple):
    """What is inferred from one solution; natural parameters have r elements, theta p."""

    sandwich: Sandwich | None
    natural: np.ndarray  # (r,) parameters on their natural scale
    natural_slope: np.ndarray  # (r, p) their derivative in theta: the delta method
    trouble: str  # why there is no sandwich


class Covariance(NamedTuple):
    """A covariance of one fit's estimates, divided by n."""

    kind: str  # as ``cov_type`` names it
    note: str  # what the summary says of the covariance
    natural: np.ndarray  # (r, r), of the natural parameters
    theta: np.ndarray  # (p, p), of the unconstrained ones
    sandwich: Sandwich | None  # the law of u that has this covariance, where there is one


@dataclasses.dataclass(frozen=True, eq=False)
class Restricted:
    """A solution under restrictions h(theta) = 0, with what tests and further solutions need.

    Attributes
    ----------
    u : (k,) array
    criterion : float
        What theta minimises, as ``Equations.criterion`` gives it; NaN where there is none.
    multipliers : (r,) array
        mu of the Lagrangian, criterion + mu'h.
    score : (p,) array
        The score of theta; minus R' mu.
    jacobian : (k, k) array
        Derivative of the mean score.
    slope : (r, p) array
        R, the derivative of the restrictions.
    reason : str
        Why u is no strict local minimum (or, of equations without a criterion, no root) under the restrictions; empty
        where it is one.
    """

    u: np.ndarray
    criterion: float
    multipliers: np.ndarray
    score: np.ndarray
    jacobian: np.ndarray
    slope: np.ndarray
    reason: str


class Resamples(NamedTuple):
    """Other samples on which an estimator is solved anew, R of them."""

    weights: np.ndarray  # (R, n + K) observation weights, which sum to 1
    positions: np.ndarray | None = None  # (R, n): the observation of each row, where rows are repeated, not weighted
    foreign: np.ndarray | None = None  # (R, K, d): observations beside the sample's own
    fresh: np.ndarray | None = None  # (R, n, d): whole other samples, on which an estimator places itself anew
    rngs: Sequence[np.random.Generator] | None = None  # to draw the simulated sample anew; None: it stays
    step: np.ndarray | None = None  # (R, k): what to add to the solution nearby


@dataclasses.dataclass(frozen=True, eq=False)
class Refits:
    """Solutions on R other samples.

    Attributes
    ----------
    u : (R, k) array
        The solutions, unconstrained scale; NaN where not certified.
    trouble : list of str
        Why not certified; empty where it is.
    jacobians : list of arrays or None
        Derivatives of the mean scores, (k, k), where asked for.
    covariances : list of ScoreCovariance or None
        Of the mean scores, where asked for; None for a refit that is not certified.
    """

    u: np.ndarray
    trouble: list[str]
    jacobians: list[np.ndarray] | None = None
    covariances: list[ScoreCovariance | None] | None = None

    @staticmethod
    def of(solutions: Sequence, covariances: list[ScoreCovariance | None], evaluate: bool) -> "Refits":
        """Collect solutions, whose ``reason`` says why one is not certified; Jacobians too, where ``evaluate``."""
        certified = np.array([not each.reason for each in solutions])[:, None]
        return Refits(
            np.where(certified, np.array([each.u for each in solutions]), np.nan),
            [each.reason for each in solutions],
            [each.jacobian for each in solutions] if evaluate else None,
            covariances if evaluate else None,
        )

    @property
    def certified(self) -> np.ndarray:
        """Whether each solution is certified: (R,)."""
        return np.array([not trouble for trouble in self.trouble], bool)


# Numbers that follow from a Jacobian alone.


def informations(jacobians: np.ndarray, p: int) -> np.ndarray:
    """Information (k, p, p) that equations have about theta, for each of a stack of Jacobians H.

    The information is -H_at' H_aa^-1 H_at, in blocks of theta (t) and of the nuisance (a), or H' H where there is no
    nuisance. A direction in which it vanishes is not identified.
    """
    if jacobians.shape[-1] == p:
        return np.swapaxes(jacobians, 1, 2) @ jacobians
    h_at, h_aa = jacobians[:, p:, :p], jacobians[:, p:, p:]
    return np.swapaxes(h_at, 1, 2) @ np.linalg.solve(-h_aa, h_at)


def schur_complement(jacobian: np.ndarray, p: int) -> np.ndarray:
    """T = H_tt - H_ta H_aa^-1 H_at (p, p): the derivative of theta's score with the nuisance eliminated."""
    h_aa, h_at = jacobian[p:, p:], jacobian[p:, :p]
    return jacobian[:p, :p] - jacobian[:p, p:] @ np.linalg.solve(h_aa, h_at)
