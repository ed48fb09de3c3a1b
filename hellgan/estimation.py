"""The seam between estimators and all that is inferred from them.

An estimate u = (theta, nuisance) is a root of estimating equations: the weighted mean of scores, one for each
observation and perhaps one for each simulated draw, with penalties. ``Equations`` says what inference and influence
ask of an estimator, and nothing more: covariances, tests, intervals, bootstrap, influence functions, case deletion,
files and reports are written against it and do not ask what kind of estimator they have. Implementations are
``hellgan.solver.GameEquations``, of a parametric GAN, and ``hellgan.solver.SmoothEquations``, made of scores written
for one observation. Everything here is NumPy, in double precision; (2) and the other numbers are equations of
``docs/theory.md``.
"""

import abc
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Protocol, runtime_checkable

import numpy as np
import pandas as pd

from hellgan.constraints import Constraint
from hellgan.parameters import ParameterSpace
from hellgan.records import (
    Covariance,
    JointLaw,
    Refits,
    Resamples,
    Restricted,
    Sandwich,
    ScoreCovariance,
    informations,
    schur_complement,
)
from hellgan.restrictions import Restriction
from hellgan.samples.sample import Sample

__all__ = [
    "CaseFit",
    "Covariance",
    "Equations",
    "Estimator",
    "Fit",
    "JointLaw",
    "Refits",
    "Resamples",
    "Restricted",
    "Sandwich",
    "ScoreCovariance",
    "Solution",
    "informations",
    "schur_complement",
]


@runtime_checkable
class Solution(Protocol):
    """A root of estimating equations with what its solver knows of it.

    ``theta`` (p,) is the first part of ``u``, unconstrained scale; ``score_norm`` the largest element of the mean
    score, in units of the solver's; ``iterations`` the number of steps.
    """

    @property
    def u(self) -> np.ndarray:
        """The estimate (k,), theta first, unconstrained scale."""
        ...

    @property
    def theta(self) -> np.ndarray: ...

    @property
    def jacobian(self) -> np.ndarray:
        """Derivative (k, k) of the mean score, penalties included."""
        ...

    @property
    def value(self) -> float:
        """The objective at the root; NaN where the equations are not those of an objective."""
        ...

    @property
    def score_norm(self) -> float: ...

    @property
    def iterations(self) -> int: ...

    @property
    def is_root(self) -> bool:
        """Whether the equations are solved at ``u``, so that the Jacobian tells what they say of theta."""
        ...

    @property
    def kind(self) -> str:
        """What the solution is certified to be, in words."""
        ...

    @property
    def reason(self) -> str:
        """Why the solution is not certified; empty where it is."""
        ...


class Equations(abc.ABC):
    """Estimating equations of u = (theta, nuisance) on one sample; abstract.

    Attributes
    ----------
    space : ParameterSpace
        Names and spaces of theta, the first p elements of u.
    sample : Sample
        The observations, with their weights.
    nuisance_names : list of str
        Names of the other elements of u, reported as they are.
    trouble : str
        Why there is no joint law, whatever the data, in a sentence; empty where there may be one.
    solution_type : type
        Class of the solutions: a dataclass of arrays and JSON values, which is how a solution is stored.
    """

    solution_type: type
    space: ParameterSpace
    sample: Sample
    nuisance_names: list[str]
    trouble: str = ""

    @property
    def p(self) -> int:
        """The length of theta."""
        return self.space.size

    @property
    def frame(self) -> np.ndarray | None:
        """Coordinates of theta, (p, p), in which the sample itself makes no direction weak; None: theta's own.

        A regression has them from its design: what vanishes in them is not identified, however far from 0 or alike
        its covariates are.
        """
        return None

    @property
    def names(self) -> list[str]:
        """Names of the k elements of u, unconstrained scale."""
        return self.space.free_names + self._nuisance_labels

    @property
    def joint_names(self) -> list[str]:
        """Names of the natural elements of theta, then of the nuisance."""
        return self.space.names + self._nuisance_labels

    @property
    def _nuisance_labels(self) -> list[str]:
        """Names of the nuisance that no parameter has, too, as one called alpha has."""
        taken = {*self.space.names, *self.space.free_names}
        clash = not taken.isdisjoint(self.nuisance_names)
        return [f"nuisance_{name}" for name in self.nuisance_names] if clash else self.nuisance_names

    # Solutions.

    def at(self, solution: Solution) -> "Equations":
        """Give the equations of which a solution is a root, where they depend on what the search settled."""
        return self

    @abc.abstractmethod
    def solve(self, theta: np.ndarray) -> Solution:
        """Solve the equations from starting values of theta, (p,), or from several, (s, p): the best solution."""

    @abc.abstractmethod
    def refit(
        self,
        resamples: Callable[[slice], Resamples],
        count: int,
        u: np.ndarray,
        *,
        evaluate: bool = False,
        more: int | None = 2,
        threads: int | None = None,
        progress: bool = False,
    ) -> Refits:
        """Solve the equations on ``count`` other samples.

        Parameters
        ----------
        resamples : callable
            Gives the samples of a slice of the refits, so that not all need be in memory at once.
        count : int
        u : (k,) or (count, k) array
            Solutions nearby.
        evaluate : bool
            Whether to give Jacobians and score covariances at the solutions.
        more : int or None
            How many further starts to try for a refit that is not certified; None: it is not tried again at all.
        threads, progress
            As ``execution.threads.over_chunks`` takes them.
        """

    @abc.abstractmethod
    def restricted(self, restriction: Restriction, u: np.ndarray) -> Restricted:
        """Solve the equations under restrictions of theta, from a solution (k,) nearby."""

    @abc.abstractmethod
    def reweighted(self, weights) -> "Equations":
        """Give the equations with other observation weights (n,), which need not sum to 1, placed as those say."""

    # Scores at any u (k,).

    @abc.abstractmethod
    def scores(self, u: np.ndarray) -> np.ndarray:
        """Scores of the observations (n, k), unweighted; with penalties their weighted mean is zero at a root.

        Scores of simulated draws that belong to an observation are part of its row; those of independent draws, whose
        mean is a constant, are left out.
        """

    @abc.abstractmethod
    def scores_at(self, u: np.ndarray, points: np.ndarray) -> np.ndarray:
        """Scores (r, k) that observations at other points (r, d) would have."""

    @abc.abstractmethod
    def score_gradients(self, u: np.ndarray, points: np.ndarray) -> np.ndarray:
        """Derivatives (r, k, d) of ``scores_at`` in the coordinates of the points (r, d)."""

    @abc.abstractmethod
    def score_jacobians(self, u: np.ndarray) -> Iterator[tuple[slice, np.ndarray]]:
        """Yield blocks of observations with the derivatives of their scores in u, (b, k, k)."""

    def independent_scores(self, u: np.ndarray) -> np.ndarray | None:
        """Scores (m, k) of simulated draws that are independent and equally weighted; None where there are none."""
        return None

    @abc.abstractmethod
    def jacobian(self, u: np.ndarray) -> np.ndarray:
        """Derivative (k, k) of the mean score, penalties included."""

    @abc.abstractmethod
    def score_covariance(self, u: np.ndarray) -> ScoreCovariance:
        """Covariance of the mean score, the simulation's part included."""

    @abc.abstractmethod
    def weight_derivatives(self, u: np.ndarray) -> np.ndarray:
        """Derivatives (k, n) of the solution in the observation weights, by another route than ``jacobian``."""

    @abc.abstractmethod
    def reach(self, u: np.ndarray) -> np.ndarray:
        """Change (p,) of each element of theta that moves the fitted law by its interquartile range."""

    def sampled(self, u: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Draw as many observations (n, d) of the fitted law as the sample has, at its covariates."""
        raise ValueError("kind: this estimator has no law that could be simulated; give 'nonparametric'.")

    # What theta minimises, if it does: the ground of distance tests and profiles.

    def distance_trouble(self, robust: bool) -> str:
        """Why a distance test says nothing of these equations, as a sentence; empty where it does.

        ``robust`` allows misspecification.
        """
        return "the estimate does not minimise a criterion; use wald_test or score_test."

    @property
    def distance_factor(self) -> float:
        """The factor that makes a rise of the criterion the statistic (9)."""
        return np.nan

    def criterion(self, solution: Solution) -> float:
        """The value at a solution of what theta minimises, the nuisance being at its best answer."""
        return np.nan

    # Under a correct model, where it is known what follows.

    def model_covariance(self, u: np.ndarray) -> np.ndarray:
        """Covariance (k, k) of u under a correct model, already divided by n."""
        raise ValueError("model: what a correct model implies for this estimator is not known; use 'sandwich'.")

    def model_influence(self, u: np.ndarray, points: np.ndarray) -> np.ndarray:
        """Influence functions (r, k) of u under a correct model, at points (r, d)."""
        raise ValueError("under: this estimator has no closed form at the model; give 'fit'.")

    def model_information(self, jacobian: np.ndarray) -> np.ndarray:
        """Information (p, p) about theta of one observation under a correct model, as the equations see it."""
        raise ValueError("standardised: the information is not known for this estimator; give None or 'self'.")

    def difference(self, other: "Equations") -> str:
        """Say in a word in what other equations differ from these, parameters apart; empty where they do not."""
        if type(self) is not type(other):
            return "equations"
        if not np.array_equal(self.sample.rows, other.sample.rows):
            return "data"
        return "" if np.array_equal(self.sample.weights, other.sample.weights) else "weights"


class Estimator(Protocol):
    """What results ask of the model that was fitted: ``hg.GAN`` is one."""

    @property
    def sample(self) -> Sample: ...

    @property
    def name(self) -> str: ...

    def equations(self) -> Equations: ...

    def with_weights(self, weights) -> "Estimator":
        """Give the same model with other observation weights, placed as those say."""
        ...

    def recipe(self) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        """Take the model apart into arrays and JSON facts, from which it can be built anew."""
        ...


class Fit(Protocol):
    """A solved estimator, as inference takes it."""

    @property
    def equations(self) -> Equations: ...

    @property
    def solution(self) -> Solution: ...

    @property
    def law(self) -> JointLaw: ...

    @property
    def covariance(self) -> Covariance: ...

    @property
    def params(self) -> pd.Series: ...

    @property
    def spaces(self) -> Sequence[Constraint]: ...

    @property
    def cov_type(self) -> str: ...

    @property
    def trouble(self) -> str: ...

    @property
    def model(self) -> Any: ...

    @property
    def converged(self) -> bool: ...

    @property
    def nobs(self) -> int: ...

    @property
    def bse(self) -> pd.Series: ...

    def conf_int(self, alpha: float = 0.05, cols=None, method: str = "wald") -> pd.DataFrame: ...

    def require_law(self) -> Sandwich:
        """Give the joint law; raises ``ValueError`` with the reason where there is none."""
        ...


class CaseFit(Fit, Protocol):
    """A fit, as influence takes it: what it says of its observations, and refits of it."""

    @property
    def label(self) -> str:
        """Name of the fit in figures of several estimators."""
        ...

    def outlier_positions(self) -> np.ndarray:
        """Positions of the observations that the fit does not account for."""
        ...

    def case_columns(self) -> pd.DataFrame:
        """What the fit itself says of its observations, (n, columns); tables of cases are sorted by the first."""
        ...

    def reweighted(self, weights) -> "CaseFit": ...

    def with_cov(self, cov_type: str = "sandwich", **options) -> "CaseFit": ...
