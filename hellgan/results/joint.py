"""``JointResults``: estimates with their joint law, and tests of restrictions among them.

Equation numbers are those of ``docs/theory.md``.
"""

from typing import Any

import numpy as np
import pandas as pd

from hellgan.estimation import Covariance, Equations, JointLaw, Sandwich, Solution
from hellgan.inference import covariances, hypotheses, profiles
from hellgan.inference.hypotheses import HypothesisTest
from hellgan.inference.wald import WaldResults


class JointResults(WaldResults):
    """Estimates with their joint law, on top of what follows from a covariance alone; abstract.

    ``equations`` are those that were solved, if at hand: they keep what was computed for the law.
    """

    def __init__(
        self,
        model,
        solution: Solution,
        law: JointLaw,
        covariance: Covariance | None = None,
        equations: Equations | None = None,
    ):
        self.model, self.solution = model, solution
        self.law, self.trouble = law, law.trouble
        self.equations: Equations = (model.equations() if equations is None else equations).at(solution)
        of = self.equations
        covariance = covariances.of_law(of, law) if covariance is None else covariance
        self.covariance, self.cov_type, self.sandwich = covariance, covariance.kind, covariance.sandwich
        params = pd.Series(np.array(law.natural), index=of.space.names, name="coef")
        super().__init__(params, covariance.natural, of.space.element_spaces)

    @property
    def nobs(self) -> int:
        """Number of observations, n."""
        return len(self.equations.sample)

    @property
    def label(self) -> str:
        """What figures of several estimators call this one."""
        return self.model.name

    def __repr__(self):
        state = "" if self.converged else ", NOT CONVERGED"
        values = ", ".join(f"{name} {value:.4g}" for name, value in self.params.items())
        return f"<{type(self).__name__} of {self.model!r}: {values}{state}>"

    @property
    def converged(self) -> bool:
        """Whether the solution is certified and its joint law could be computed."""
        return not self.solution.reason and not self.trouble

    # The joint law.

    @property
    def joint_params(self) -> pd.Series:
        """Natural parameters, then the nuisance: of a GAN alpha_0 (intercept) to alpha_q."""
        of = self.equations
        return pd.Series([*self.params, *self.solution.u[of.p :]], of.joint_names, name="coef")

    def joint_cov(self) -> pd.DataFrame:
        """Covariance of ``joint_params``: (2), by the delta method for the natural parameters.

        Raises
        ------
        ValueError
            For equations without a joint law, as of a discriminator with a hidden layer, and for a fit that did not
            converge.
        """
        p, r, size = self.equations.p, len(self.params), len(self.equations.nuisance_names)
        block = np.block([[self.law.natural_slope, np.zeros((r, size))], [np.zeros((size, p)), np.eye(size)]])
        cov = block @ self.require_law().cov @ block.T
        cov[:r, :r] = self._cov
        return _labelled(cov, self.equations.joint_names)

    @property
    def why_no_cov(self) -> str:
        return self.trouble or self.equations.trouble or "their standard errors are not known"

    def require_law(self) -> Sandwich:
        """Give the joint law on the unconstrained scale; raises ``ValueError`` with the reason where there is none."""
        if self.equations.trouble:
            raise ValueError(f"joint covariance: {self.equations.trouble}.")
        if self.sandwich is None:
            raise ValueError(f"joint covariance: the fit has none, since {self.trouble}.")
        return self.sandwich

    @property
    def score_names(self) -> list[str]:
        """Names of the unconstrained parameters and of the nuisance."""
        return self.equations.names

    def bread(self) -> pd.DataFrame:
        """A, (k, k): minus the mean derivative of the scores, unconstrained scale; *not* inverted."""
        return _labelled(self.require_law().bread, self.score_names)

    def meat(self) -> pd.DataFrame:
        """B, (k, k): covariance of sqrt(n) times the mean score, real and simulated parts together."""
        return _labelled(self.require_law().meat, self.score_names)

    def estfun(self) -> pd.DataFrame:
        """Scores of the observations, (n, k) for all k parameters and nuisances, unweighted and not centred.

        In a regression each is the observation's own score plus the mean score of its simulated responses, as in (6).
        """
        scores = self.equations.scores(self.solution.u)
        return pd.DataFrame(scores, self.equations.sample.labels, self.score_names)

    # Tests of restrictions, and the intervals that invert one.

    def wald_test(self, r_matrix, cov_p=None, invcov=None, use_f=None, df_constraints=None, scalar=True) -> Any:
        """Test hypotheses jointly by the Wald statistic.

        Linear hypotheses are given and answered as in statsmodels. A function of the named natural parameters, such as
        ``lambda loc, scale: loc / scale - 5``, which is zero where the hypothesis holds, is tested by the delta method
        (7), with a ``HypothesisTest`` for an answer.

        Raises
        ------
        ValueError
            For a fit without a covariance, for what is no hypothesis, and for a function with other arguments.
        """
        if not callable(r_matrix):
            return super().wald_test(r_matrix, cov_p, invcov, use_f, df_constraints, scalar)
        if cov_p is not None or invcov is not None or use_f or df_constraints is not None or not scalar:
            raise ValueError("wald_test: a function is tested in its chi-square form; give no other argument with it.")
        return hypotheses.wald(self, r_matrix)

    def score_test(self, restriction) -> HypothesisTest:
        """Test a restriction by the score of the parameters where it holds: (8).

        Parameters
        ----------
        restriction : str, sequence of str, (r, k) array, (array, values) or callable
            ``"loc = 27, scale = 5"``; rows of coefficients of the natural parameters, equal to 0 or to the ``values``;
            or a smooth function of the named natural parameters, written in ``jax.numpy``, zero where the
            hypothesis holds.

        Returns
        -------
        HypothesisTest
            With ``statistic``, ``df``, ``pvalue`` and the restricted estimates ``params``. The covariance is (2) at
            these; the fit's own where its ``cov_type`` is not ``"sandwich"``.

        Raises
        ------
        ValueError, TypeError
            For what is no restriction, and for a fit without a joint law.

        Warns
        -----
        ConvergenceWarning
            When no estimate under the restriction is found; the statistic is then NaN.
        """
        return hypotheses.score(self, restriction)

    def distance_test(self, restriction, robust: bool = True) -> HypothesisTest:
        """Test a restriction by how much the criterion that the parameters minimise rises where it holds: (9).

        Parameters
        ----------
        restriction
            As for ``score_test``.
        robust : bool
            Take the weights (10) of the limit law, which allow misspecification; all 1 otherwise, as under a
            correct model.

        Returns
        -------
        HypothesisTest

        Raises
        ------
        ValueError, TypeError
            As ``score_test``; and where the estimate minimises nothing, as with a non-zero-sum loss.

        Warns
        -----
        ConvergenceWarning
            As ``score_test``.
        """
        return hypotheses.distance(self, restriction, robust)

    def compare_distance_test(self, restricted: "JointResults", robust: bool = True) -> HypothesisTest:
        """Test the values at which another fit holds some parameters, by how much higher its criterion is: (9).

        Parameters
        ----------
        restricted : EstimatedResults
            On the same data, with the same discriminator, loss, latents and seed, of the same generator with (more)
            parameters held by ``fix``.
        robust : bool
            As for ``distance_test``.

        Returns
        -------
        HypothesisTest

        Raises
        ------
        ValueError, TypeError
            For a fit that is not nested in this one; and as ``distance_test``.
        """
        return hypotheses.compare_distance(self, restricted, robust)

    _methods = "'wald', 'sup-t' or 'profile'"

    def _intervals(self, method, chosen, alpha):
        if method != "profile":
            return super()._intervals(method, chosen, alpha)
        return profiles.profile_intervals(self, chosen, alpha)


def _labelled(matrix, names) -> pd.DataFrame:
    return pd.DataFrame(matrix, index=names, columns=names)
