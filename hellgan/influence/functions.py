"""Empirical influence functions of a fit, and their suprema.

With u = (theta, nuisance), H the derivative of the mean score and psi the score of one observation,

    IF(x; u) = -H^-1 [psi(x; u) - sum_i w_i psi(x_i; u)],                                        (11)

centred, because a contamination (1 - eps) P + eps delta_x takes weight from the rest. In a regression psi holds the
mean of the scores of the observation's simulated responses, too, since they have its covariates. Equation numbers are
those of ``docs/theory.md``, section 3.
"""

import functools
from typing import overload

import numpy as np
import pandas as pd

from hellgan.checks import is_one_of, shown
from hellgan.estimation import CaseFit
from hellgan.influence import suprema

STANDARDS = (None, "self", "information")


class InfluenceFunctions:
    """Influence functions of a fit, at its observations and anywhere, and their suprema.

    Attributes
    ----------
    fit : EstimatedResults
    """

    def __init__(self, fit: CaseFit):
        fit.require_law()
        self.fit, self._of = fit, fit.equations

    # Influence functions.

    def at(self, points, functional=None, under: str = "fit") -> pd.DataFrame:
        """Evaluate influence functions at points.

        Parameters
        ----------
        points : (k,) or (k, d) array_like
            Of a regression: rows of covariates and response.
        functional : Functionals, optional
            Such as ``result.quantile(.9)``: the influence functions are then its own, not the parameters'.
        under : {"fit", "model"}
            At the fit as it is; or the closed form (12), without a ridge (J' C^-1 J)^-1 J' C^-1 (phi(x) - E phi), at
            the model, where the data are what the fitted generator makes: the same for every loss but for the ridge.

        Returns
        -------
        DataFrame (k, ...)
            Columns: the parameters, natural scale, then the nuisance, of a GAN alpha_0 to alpha_q; not divided by n.

        Raises
        ------
        ValueError
            For an unknown ``under``, and for ``"model"`` where the estimator has no closed form.
        """
        x = self._of.sample.points(points)
        if functional is not None and not (hasattr(functional, "gradient") and hasattr(functional, "params")):
            raise TypeError(f"functional: got {shown(functional)}; give what quantile, mean or functional estimated.")
        if not is_one_of(under, ("fit", "model")):
            raise ValueError(f"under: {shown(under)} is not known; give 'fit' or 'model'.")
        rows = self._free(x) if under == "fit" else self._of.model_influence(self.fit.solution.u, x)
        return self._named(rows, functional)

    @functools.cached_property
    def observations(self) -> pd.DataFrame:
        """Influence functions at the observations: (n, ...), as ``at`` gives them."""
        return self._named(self.unconstrained).set_axis(self._of.sample.labels)

    @functools.cached_property
    def unconstrained(self) -> np.ndarray:
        """Influence functions of u at the observations, unconstrained scale: (n, k)."""
        rows, weights = self._scores, self._of.sample.weights
        return np.linalg.solve(-self.fit.solution.jacobian, (rows - weights @ rows).T).T

    @functools.cached_property
    def _scores(self) -> np.ndarray:
        return self._of.scores(self.fit.solution.u)

    def _free(self, x: np.ndarray) -> np.ndarray:
        """Influence functions of u at points (r, d), unconstrained scale: (r, k)."""
        rows = self._of.scores_at(self.fit.solution.u, x)
        mean = self._of.sample.weights @ self._scores
        return np.linalg.solve(-self.fit.solution.jacobian, (rows - mean).T).T

    def _named(self, rows: np.ndarray, functional=None) -> pd.DataFrame:
        p, natural = self._of.p, self.fit.law.natural_slope
        if functional is not None:
            return pd.DataFrame(rows[:, :p] @ functional.gradient.T, columns=list(functional.params.index))
        values = np.concatenate([rows[:, :p] @ natural.T, rows[:, p:]], axis=1)
        return pd.DataFrame(values, columns=self._of.joint_names)

    def weight_derivatives(self) -> pd.DataFrame:
        """Influence functions at the observations by jaxopt's implicit differentiation: a check of ``observations``.

        Returns
        -------
        DataFrame (n, ...)
            Columns as ``at`` gives them.
        """
        slopes = self._of.weight_derivatives(self.fit.solution.u).T
        return self._named(slopes - self._of.sample.weights @ slopes).set_axis(self._of.sample.labels)

    # Suprema.

    def default_points(self) -> np.ndarray:
        """Points (k, d) at which suprema are sought: the data, and rays from their centre to 100,000 scales away.

        Rays go along the axes and the diagonals of pairs; in a regression from every observation along the response,
        and along each covariate.
        """
        return suprema.default_points(self._of.sample)

    @overload
    def gross_error_sensitivity(self, standardised: None = None, points=None) -> pd.Series: ...
    @overload
    def gross_error_sensitivity(self, standardised: str, points=None) -> float: ...
    def gross_error_sensitivity(self, standardised: str | None = None, points=None):
        """Find the largest influence that one observation can have.

        Parameters
        ----------
        standardised : {None, "self", "information"}
            None: the absolute influence on each parameter, natural scale. ``"self"``: the influence on theta measured
            by its own covariance, sqrt(IF' Omega^-1 IF) with Omega n times that covariance. ``"information"``: measured
            by the information about theta that the discriminator has, H_at' (-H_aa)^-1 H_at / c, which at the model is
            Fisher's where the features span the score.
        points : (k,) or (k, d) array_like, optional
            ``default_points()`` unless given.

        Returns
        -------
        Series or float
            One for each parameter where ``standardised`` is None. Infinite where the influence still grows at the
            farthest of the default points.

        Raises
        ------
        ValueError
            For an unknown ``standardised``, and for ``"information"`` where the estimator knows none.
        """
        if standardised is not None and not is_one_of(standardised, STANDARDS):
            raise ValueError(f"standardised: {shown(standardised)} is not known; give None, 'self' or 'information'.")
        x = self.default_points() if points is None else self._of.sample.points(points)
        values = self._free(x)
        p = self._of.p
        if standardised is None:
            sizes = np.abs(self._named(values).to_numpy()[:, : len(self.fit.params)])
        else:
            root = np.linalg.cholesky(self._metric(standardised))
            sizes = np.linalg.norm(values[:, :p] @ root, axis=1)[:, None]
        largest = suprema.largest(self._of.sample, x, sizes) if points is None else sizes.max(axis=0)
        if standardised is not None:
            return float(largest[0])
        return pd.Series(largest, self.fit.params.index, name="gross-error sensitivity")

    def local_shift_sensitivity(self, points=None) -> pd.Series:
        """Find the steepest slope of each parameter's influence function: what moving an observation a little can do.

        Parameters
        ----------
        points : (k,) or (k, d) array_like, optional
            ``default_points()`` unless given.

        Returns
        -------
        Series
            The largest norm of the gradient in the observation, parameters on their natural scale; infinite where it
            still grows at the farthest of the default points.
        """
        x = self.default_points() if points is None else self._of.sample.points(points)
        fit = self.fit
        slopes = self._of.score_gradients(fit.solution.u, x)
        influence = np.linalg.solve(-fit.solution.jacobian, slopes)[:, : self._of.p]
        natural = np.linalg.norm(fit.law.natural_slope @ influence, axis=2)
        largest = suprema.largest(self._of.sample, x, natural) if points is None else natural.max(axis=0)
        return pd.Series(largest, fit.params.index, name="local-shift sensitivity")

    def _metric(self, kind: str) -> np.ndarray:
        if kind == "self":
            return np.linalg.inv(self.fit.covariance.theta * self.fit.require_law().n)
        return self._of.model_information(self.fit.solution.jacobian)
