"""``RegressionResults``: fitted values, predictions and factors of a linear regression, by statsmodels' names."""

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from statsmodels.regression._prediction import PredictionResults

from hellgan.checks import normal_quantile, shown
from hellgan.inference.availability import OnlyWhere
from hellgan.inference.prediction import noise_cdf, predictive_quantile
from hellgan.results import terms

if TYPE_CHECKING:
    from statsmodels.stats.contrast import WaldTestResults

    from hellgan.results.law import LawResults as Law
else:
    Law = object


class Prediction(PredictionResults):
    """Locations of a linear regression at some rows, with intervals for them and for new observations.

    Made by ``get_prediction``; statsmodels' ``PredictionResults`` with the noise's own quantiles.
    """

    def __init__(self, fit: "RegressionResults", covariates: np.ndarray, labels: pd.Index | None):
        family, names = fit.generator.linear, fit.generator.names
        values = {**fit.generator.held, **fit.params}
        self._scale, self._cdf = float(values["scale"]), noise_cdf(family.noise, family.df)
        design, cov = family.design(covariates), fit.covariance.theta
        # The elements of theta are the coefficients themselves and the log scale; what is held does not err.
        held = [k for k, name in enumerate(family.coefficients) if name in names]
        at = [names.index(family.coefficients[k]) for k in held]
        design, last = design[:, held], names.index("scale") if "scale" in names else None
        self._covariance = np.zeros(len(design)) if last is None else design @ cov[at, last]
        self._of_log = 0.0 if last is None else float(cov[last, last])
        variance = np.einsum("ri,ij,rj->r", design, cov[np.ix_(at, at)], design)
        noise = self._scale**2 * _noise_variance(family)
        super().__init__(fit.location(covariates), variance, np.full(len(design), noise), row_labels=labels)

    def conf_int(self, obs=False, alpha=0.05) -> np.ndarray:
        """Compute intervals (r, 2) of level 1 - alpha for the locations or, with ``obs``, for new observations.

        Those for observations lie between quantiles of the noise's law averaged over the normal law of the estimates,
        those of the scale among them. They count on the law being right for all observations, where those for locations
        count on the covariance of the fit alone; contamination is not in them.
        """
        half = normal_quantile(alpha)
        if not obs:
            return np.column_stack([self.predicted_mean + side * half * self.se_mean for side in (-1, 1)])
        of = self.var_pred_mean / self._scale**2, self._covariance / self._scale, self._of_log
        ends = [predictive_quantile(self._cdf, level, *of) for level in (alpha / 2, 1 - alpha / 2)]
        return self.predicted_mean[:, None] + self._scale * np.column_stack(ends)


def _noise_variance(family) -> float:
    """Variance of the standardised noise."""
    if family.noise == "t":
        return family.df / (family.df - 2) if family.df > 2 else np.inf
    return {"normal": 1.0, "logistic": np.pi**2 / 3, "laplace": 2.0}[family.noise]


def _no_regression(fit: "RegressionResults") -> str:
    g = fit.generator
    if g.linear is not None:
        return ""
    what = "location in closed form" if g.covariates else "covariates"
    return f"the model has no {what}; use sample(size) for draws from the fitted generator"


def of_regressions(function) -> Any:
    """A method that fits of linear regressions have, and no others."""
    return OnlyWhere(function, _no_regression)


def _property(function) -> Any:
    return OnlyWhere(function, _no_regression, is_property=True)


class RegressionResults(Law):
    """What a fit with a generator has besides where that is a linear regression; elsewhere the names do not exist."""

    @_property
    def fittedvalues(self) -> pd.Series:
        """Fitted locations (n,) of the responses, labelled as the data."""
        sample = self.equations.sample
        return pd.Series(self.location(sample.rows[:, :-1]), sample.labels, name="fitted")

    @_property
    def resid(self) -> pd.Series:
        """Responses less ``fittedvalues``: (n,), labelled as the data."""
        sample = self.equations.sample
        return pd.Series(sample.rows[:, -1] - self.fittedvalues.to_numpy(), sample.labels, name="resid")

    @of_regressions
    def get_prediction(self, exog=None, transform: bool = True) -> Prediction:
        """Predict locations and new observations at covariates, with intervals.

        Parameters
        ----------
        exog, transform
            As for ``predict``; the data of the fit unless given.

        Returns
        -------
        Prediction
            ``summary_frame(alpha)`` has statsmodels' columns: ``mean``, the location, ``mean_se``, ``mean_ci_lower``,
            ``mean_ci_upper``, and ``obs_ci_lower``, ``obs_ci_upper`` for a new observation. Errors of the location
            follow the covariance of the fit; an observation's interval lies between quantiles of the noise's law
            averaged over the normal law of the estimates, those of the scale among them.

        Examples
        --------
        >>> import hellgan as hg
        >>> line = hg.GAN.from_formula("calls ~ year", hg.datasets.load_telephone()).fit()
        >>> line.get_prediction({"year": [60, 65]}).summary_frame().shape
        (2, 6)
        """
        if exog is None:
            return Prediction(self, self.equations.sample.rows[:, :-1], self.equations.sample.labels)
        labels = exog.index if isinstance(exog, pd.DataFrame) else None
        return Prediction(self, self.model.new_covariates(exog, transform), labels)

    @of_regressions
    def wald_test_terms(self, skip_single: bool = False, combine_terms=()) -> "WaldTestResults":
        """Test the coefficients of each term of the formula jointly: of a factor, whether its levels differ.

        Parameters
        ----------
        skip_single : bool
            Whether to leave out terms of one coefficient.
        combine_terms : sequence of str
            Texts; for each one more test, of all terms whose names hold it.

        Returns
        -------
        WaldTestResults
            statsmodels'; ``table`` has a row a term, with ``statistic``, ``pvalue`` and ``df_constraint``. Without a
            formula every coefficient is a term.

        Raises
        ------
        ValueError
            For a fit without a covariance, and for a text that no term's name holds.
        """
        return terms.wald_test_terms(self, skip_single, combine_terms)

    @of_regressions
    def t_test_pairwise(
        self, term_name: str, method="hs", alpha: float = 0.05, factor_labels=None
    ) -> terms.PairwiseTests:
        """Compare the levels of a factor two by two.

        Parameters
        ----------
        term_name : str
            The term of the formula, a factor alone, such as ``"C(group)"``. Where it is in an interaction, too, levels
            are compared where the other variables of that are 0 or at their reference, as the printed table says.
        method : str or list of str
            Corrections of the p-values, of ``statsmodels.stats.multitest.multipletests``.
        alpha : float
            Level of the decisions after correction.
        factor_labels : sequence of str, optional
            Names of the levels, in the order of the coding; their own unless given.

        Returns
        -------
        PairwiseTests
            statsmodels' ``MultiCompResult``; ``result_frame`` has a row ``b-a`` a pair: the difference, its error, test
            and interval, and the corrected p-value and decision of each method.

        Raises
        ------
        ValueError
            For a fit without a formula, and for what is no factor of it.
        """
        if not isinstance(term_name, str):
            raise ValueError(f"term_name: got {shown(term_name)}; give a term of the formula, such as 'C(group)'.")
        return terms.t_test_pairwise(self, term_name, method, alpha, factor_labels)
