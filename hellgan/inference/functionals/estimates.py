"""``Functionals``: estimated functionals in statsmodels' terms, as a fit's parameters are."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from hellgan import plots
from hellgan.checks import chosen_names, normal_quantile, shown
from hellgan.constraints import Constraint
from hellgan.inference.functionals.functional import Functional, LawFit
from hellgan.inference.wald import WaldResults


class Functionals(WaldResults):
    """Named functionals of a fitted law with their joint covariance; made by the methods of a fit.

    Standard errors, intervals, tests and tables are those of ``WaldResults``; they follow the covariance of the fit
    from which they were made, see ``EstimatedResults.with_cov``. Without a covariance they are NaN.

    Attributes
    ----------
    params : Series
        Estimates: the functionals of the law at the estimated theta.
    gradient : (k, p) array
        Derivatives of the functionals in theta, unconstrained scale.
    simulation_error : (k,) array
        Standard errors of ``params`` for the Sobol points; 0 where they are exact. Not part of ``bse``.
    points : (k,) array or None
        Levels of quantiles, or where the distribution function was asked for.
    """

    def __init__(self, fit: LawFit, functional: Functional, names: Sequence[str], spaces: Sequence[Constraint]):
        value, self.gradient, self.simulation_error = functional.local()
        self.functional, self._fit, self._reason = functional, fit, fit.why_no_cov
        self.points = functional.points
        theta_cov = fit.covariance.theta
        if not np.all(np.isfinite(fit.covariance.natural)):  # some parameter has no error to pass on
            theta_cov = np.full_like(theta_cov, np.nan)
        cov = self.gradient @ theta_cov @ self.gradient.T
        super().__init__(pd.Series(value, list(names), name="estimate"), (cov + cov.T) / 2, spaces)

    @property
    def why_no_cov(self) -> str:
        return self._reason

    _methods = "'wald', 'sup-t' or 'percentile'"

    def conf_int(self, alpha=0.05, cols=None, method: str = "wald", bootstrap=None) -> pd.DataFrame:
        """Compute intervals of level 1 - alpha; probabilities keep between 0 and 1, positive quantities positive.

        Parameters
        ----------
        alpha : float
            One minus the level.
        cols : str, int, or sequence of them, optional
            Which functionals, by name or position; all unless given.
        method : str
            ``"wald"``: each holds its functional with probability 1 - alpha; ``"sup-t"``: all of them hold theirs at
            once, which for a curve is a simultaneous band; ``"percentile"``: quantiles alpha/2 and 1 - alpha/2 of the
            functional over ``bootstrap``.
        bootstrap : object with an array ``theta`` (R, p), optional
            As for ``draws``.

        Returns
        -------
        DataFrame
            Columns ``lower`` and ``upper``. By the first two methods NaN where there is no standard error, or where it
            is 0 (the functional does not move with theta), or the estimate lies on the edge of its space.
        """
        if bootstrap is not None and method != "percentile":
            raise ValueError(f"bootstrap: the intervals {shown(method)} do not use it; give method='percentile'.")
        chosen = chosen_names(cols, list(self.params.index))
        if method == "percentile":
            normal_quantile(alpha)  # refuses what is no level
            drawn = self.draws(bootstrap)[chosen].to_numpy()
            rows = np.quantile(drawn, [alpha / 2, 1 - alpha / 2], axis=0).T
            return pd.DataFrame(rows, index=chosen, columns=["lower", "upper"])
        values, errors = self.params.to_numpy(), self.bse.to_numpy()
        inside = [space.lower < v < space.upper for space, v in zip(self.spaces, values, strict=True)]
        usable = np.array(inside) & np.isfinite(errors) & (errors > 0)
        part = [k for k, name in enumerate(self.params.index) if usable[k] and name in chosen]
        if not part:
            part, method = [0], "wald" if method == "sup-t" else method  # the arguments are still checked
        cov = self._cov[np.ix_(part, part)]
        among = WaldResults(self.params.iloc[part], cov, [self.spaces[k] for k in part])
        among._methods = self._methods
        rows = among.conf_int(alpha, method=method)
        rows[~usable[part]] = np.nan
        return rows.reindex(chosen)

    def draws(self, bootstrap) -> pd.DataFrame:
        """Evaluate the functionals at the estimates of a bootstrap.

        Parameters
        ----------
        bootstrap : object with an array ``theta`` (R, p)
            Refitted generator parameters, unconstrained scale. Rows with NaN, refits that failed, are left out here;
            how many there are is the bootstrap's to say.

        Returns
        -------
        DataFrame
            One row a refit, one column a functional; ``draws(b).std()`` are the bootstrap's standard errors.

        Raises
        ------
        TypeError, ValueError
            For what is no such bootstrap, and for one with fewer than two refits.
        """
        theta = getattr(bootstrap, "theta", None)
        if theta is None or callable(theta):
            raise TypeError(f"bootstrap: got {shown(bootstrap)}; give what bootstrap() of the fit returned.")
        if hasattr(bootstrap, "is_of") and not bootstrap.is_of(self._fit):
            raise ValueError("bootstrap: it is of another fit; give what bootstrap() of this one returned.")
        theta = np.asarray(theta, np.float64)
        p = self.gradient.shape[1]
        if theta.ndim != 2 or theta.shape[1] != p:
            raise ValueError(f"bootstrap: theta has shape {theta.shape}; it must be (R, {p}), a row for each refit.")
        kept = np.all(np.isfinite(theta), axis=1)
        if np.sum(kept) < 2:
            raise ValueError(f"bootstrap: {np.sum(kept)} of {len(theta)} refits are finite; at least 2 are needed.")
        values = self.functional.at(theta[kept])
        return pd.DataFrame(values, columns=list(self.params.index))

    def __repr__(self):
        values = ", ".join(f"{name} {value:.4g}" for name, value in self.params.items())
        return f"<Functionals of {self._fit.model!r}: {values}>"

    def summary(self, alpha: float = 0.05) -> pd.DataFrame:
        """Give ``tidy``: estimates, errors and intervals in a frame."""
        return self.tidy(alpha)

    def plot(self, ax=None, alpha: float = 0.05):
        """Draw a curve of quantiles or probabilities with its pointwise and its simultaneous band.

        Parameters
        ----------
        ax : matplotlib Axes, optional
            A new figure's unless given.
        alpha : float
            One minus the level of both bands.

        Returns
        -------
        matplotlib Axes

        Raises
        ------
        ValueError
            For functionals that are no curve.
        """
        if self.points is None:
            raise ValueError("plot: only quantiles and probabilities make a curve; use quantile or cdf of the fit.")
        pointwise, simultaneous = (self.conf_int(alpha, method=method).to_numpy() for method in ("wald", "sup-t"))
        values, names = self.params.to_numpy(), self.functional.axes
        return plots.curve_bands(self.points, values, pointwise, simultaneous, names, 1 - alpha, ax)
