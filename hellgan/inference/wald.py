"""What follows from estimates and their covariance alone: errors, intervals and Wald tests, in statsmodels' terms."""

import contextlib
import functools
from collections.abc import Sequence
from types import SimpleNamespace

import numpy as np
import pandas as pd
from scipy import special
from statsmodels.base.model import LikelihoodModelResults

from hellgan import latents, restrictions
from hellgan.checks import checked_count, chosen_names, first_sentence, normal_quantile, shown
from hellgan.constraints import Constraint
from hellgan.inference.availability import available, never
from hellgan.inference.contrasts import JointTest, LinearTests
from hellgan.inference.linked import intervals


class WaldResults(LikelihoodModelResults):
    """Named estimates with a covariance; abstract: fits and functionals of fits are such.

    A parameter is an attribute, too, as in ``result.scale``, unless a method has its name: ``params`` holds them all.

    Attributes
    ----------
    params : Series
    spaces : sequence of Constraint
        Where each of ``params`` lives: intervals are computed on the real line behind it and mapped back.
    """

    def __init__(self, params: pd.Series, cov: np.ndarray, spaces: Sequence[Constraint]):
        self.params, self.spaces, self._cov = params, spaces, cov
        self.normalized_cov_params = cov  # pyright: ignore[reportAttributeAccessIssue]
        self.df_resid = np.inf
        self._use_t = False

    def __getattr__(self, name: str):
        if hasattr(type(self), name):
            return object.__getattribute__(self, name)  # says again why it cannot be had
        params = self.__dict__.get("params")
        if params is not None and name in params.index:
            return float(params[name])
        known = "" if params is None else f"; the parameters are {', '.join(params.index)}"
        raise AttributeError(f"{name}: {type(self).__name__} has no such attribute{known}.")

    def __dir__(self):
        return [
            *available(self, super().__dir__()),
            *(name for name in map(str, self.params.index) if name.isidentifier()),
        ]

    @functools.cached_property
    def _plain(self) -> LikelihoodModelResults:
        """Estimates and covariance without labels: what statsmodels' own tests compute with."""
        names = list(self.params.index)
        labels = SimpleNamespace(data=SimpleNamespace(cov_names=names, xnames=names))
        plain = LikelihoodModelResults(labels, self.params.to_numpy(), self._cov)
        plain.df_resid = np.inf  # pyright: ignore[reportAttributeAccessIssue]
        return plain

    @property
    def why_no_cov(self) -> str:
        """Why the covariance is NaN, as the end of a sentence."""
        return "their standard errors are not known"

    @property
    def bse(self) -> pd.Series:  # pyright: ignore[reportIncompatibleVariableOverride]
        """Standard errors of ``params``."""
        variances = np.diag(self._cov)
        return pd.Series(np.sqrt(variances), index=self.params.index, name="std err")

    @property
    def _tested(self) -> np.ndarray:
        """Whether 0 lies inside the parameter's space, so that testing it means something."""
        return np.array([space.lower < 0 < space.upper for space in self.spaces])

    @property
    def tvalues(self) -> pd.Series:  # pyright: ignore[reportIncompatibleVariableOverride]
        """Estimates over their standard errors; NaN where the parameter cannot be 0."""
        return (self.params / self.bse).where(self._tested).rename("z")

    @property
    def pvalues(self) -> pd.Series:  # pyright: ignore[reportIncompatibleVariableOverride]
        """Two-sided normal p-values of ``tvalues``."""
        return pd.Series(2 * special.ndtr(-np.abs(self.tvalues.to_numpy())), self.params.index, name="P>|z|")

    def cov_params(self, r_matrix=None, column=None, scale=None, cov_p=None, other=None):
        """Covariance of ``params`` as a DataFrame; or of linear combinations, as in statsmodels."""
        if all(a is None for a in (r_matrix, column, scale, cov_p, other)):
            return pd.DataFrame(self._cov, self.params.index, self.params.index)
        names = list(self.params.index)
        if column is not None:
            chosen = [names.index(name) for name in chosen_names(column, names, "column")]
            column = chosen[0] if isinstance(column, (str, int, np.integer)) else chosen
        return self._plain.cov_params(r_matrix, column, scale, _matrix("cov_p", cov_p, len(names)), other)

    def conf_int(  # pyright: ignore[reportIncompatibleMethodOverride]
        self, alpha=0.05, cols=None, method: str = "wald"
    ) -> pd.DataFrame:
        """Compute intervals of level 1 - alpha, which never leave the parameter's space.

        Parameters
        ----------
        alpha : float
            One minus the level.
        cols : str, int, or sequence of them, optional
            Which parameters, by name or position; all unless given.
        method : str
            ``"wald"``: each holds its parameter with probability 1 - alpha; ``"sup-t"``: all of them hold theirs at
            once, by the law of the largest of the correlated statistics. Fits know ``"profile"`` besides: the values
            that the distance test does not reject; for a bootstrap's intervals see ``bootstrap().conf_int``.

        Returns
        -------
        DataFrame
            Columns ``lower`` and ``upper``.
        """
        half = normal_quantile(alpha)
        chosen = chosen_names(cols, list(self.params.index))
        if not isinstance(method, str):
            raise ValueError(f"method: {shown(method)} is not known; give {self._methods}.")
        if method == "sup-t":
            names = list(self.params.index)
            part = [names.index(name) for name in chosen]
            half = sup_t_quantile(self._cov[np.ix_(part, part)], alpha)
        elif method != "wald":
            return pd.DataFrame(self._intervals(method, chosen, alpha), chosen, ["lower", "upper"])
        rows = intervals(self.spaces, self.params.to_numpy(), self.bse.to_numpy(), half)
        return pd.DataFrame(rows, index=self.params.index, columns=["lower", "upper"]).loc[chosen]

    _methods = "'wald' or 'sup-t'"

    def _intervals(self, method, chosen: list[str], alpha: float) -> np.ndarray:
        """Compute the intervals (k, 2) of a further method that a subclass knows."""
        raise ValueError(f"method: {shown(method)} is not known; give {self._methods}.")

    def t_test(self, r_matrix, cov_p=None, use_t=None) -> LinearTests:
        """Test linear hypotheses one at a time; see statsmodels.

        Parameters
        ----------
        r_matrix : str, sequence of str, mapping, (r, k) array or (array, values)
            ``"loc = 27"``, several with commas between them; a name that equations would read otherwise (a number, an
            expression of other names) stands in backquotes: ``"`1` = 0"``. Values by name; or rows of coefficients,
            equal to 0 or to the ``values``.
        cov_p, use_t
            As in statsmodels.

        Returns
        -------
        LinearTests
            Its rows are named by what they test; the interval of a single parameter is that of ``conf_int``.
        """
        hypotheses = self._linear(r_matrix)
        with self._hypotheses():
            found = self._plain.t_test(hypotheses, cov_p=_matrix("cov_p", cov_p, len(self.params)), use_t=use_t)
        return LinearTests(found, hypotheses, list(self.params.index), self.params.to_numpy(), self.spaces)

    def f_test(self, r_matrix, cov_p=None, invcov=None):
        """Wald test in its F form, with infinite denominator degrees of freedom."""
        return self.wald_test(r_matrix, cov_p, invcov, use_f=True)

    def wald_test(self, r_matrix, cov_p=None, invcov=None, use_f=None, df_constraints=None, scalar=True):
        """Test linear hypotheses, given as to ``t_test``, jointly by the Wald statistic; see statsmodels."""
        if np.any(np.isnan(self._cov)):
            raise ValueError(f"wald_test: the fit has no covariance, since {self.why_no_cov}.")
        hypotheses = self._linear(r_matrix)
        cov_p, invcov = _matrix("cov_p", cov_p, len(self.params)), _matrix("invcov", invcov, len(hypotheses[1]))
        if df_constraints is not None:
            df_constraints = checked_count("df_constraints", df_constraints)
        with self._hypotheses():
            test = self._plain.wald_test(
                hypotheses, cov_p=cov_p, invcov=invcov, use_f=use_f, df_constraints=df_constraints, scalar=scalar
            )
        df = getattr(test, "df_num", None)
        if df is not None:
            # The F form: scipy's F law has no infinite denominator; df F is then chi-square.
            test.pvalue = special.gammaincc(df / 2, df * np.asarray(test.statistic) / 2)
        return JointTest(test, hypotheses, list(self.params.index))

    def _linear(self, r_matrix) -> tuple[np.ndarray, np.ndarray]:
        """Read hypotheses C x = b as C (r, k) and b (r,)."""
        names = list(self.params.index)
        try:
            matrix, target = restrictions.linear(r_matrix, names)
        except (ValueError, TypeError) as error:
            said, known = str(error).removeprefix("restriction: ").rstrip("."), ", ".join(names)
            raise ValueError(
                f"r_matrix: {said}." if known in said else f"r_matrix: {said}; the parameters are {known}."
            ) from None
        empty = np.flatnonzero(~matrix.any(axis=1))
        if len(empty) or not len(matrix):
            raise ValueError(
                f"r_matrix: {shown(r_matrix)} has an equation without a parameter; the parameters are "
                f"{', '.join(restrictions.quoted(name, names) for name in names)}."
            )
        return matrix, target

    @contextlib.contextmanager
    def _hypotheses(self):
        """Say in one sentence what statsmodels says in several lines."""
        try:
            yield
        except Exception as error:
            name = restrictions.quoted(str(self.params.index[0]), list(self.params.index))
            raise ValueError(
                f"r_matrix: {first_sentence(error)}; give hypotheses on {', '.join(self.params.index)} such as "
                f"'{name} = 1', or an array with {len(self.params)} columns."
            ) from error

    def tidy(self, alpha: float = 0.05) -> pd.DataFrame:
        """Put estimates, errors, tests and intervals of level 1 - alpha in a frame with one row a parameter."""
        interval = self.conf_int(alpha)
        return pd.DataFrame(
            {
                "term": self.params.index,
                "estimate": self.params.to_numpy(),
                "std_error": self.bse.to_numpy(),
                "statistic": self.tvalues.to_numpy(),
                "p_value": self.pvalues.to_numpy(),
                "conf_low": interval["lower"].to_numpy(),
                "conf_high": interval["upper"].to_numpy(),
            }
        )

    # What statsmodels' results have and these have not.

    llf = never("there is no likelihood")
    predict = never("there are no covariates to predict from")
    remove_data = never("the data are needed for scores, tests and plots")
    initialize = never("a result is made by a fit and does not change; fit again")
    save = never("only fits are saved")
    load = never("use hellgan.load(path), which reads what save wrote and runs no code")
    t_test_pairwise = never("there are no levels of a factor; use t_test")
    wald_test_terms = never("there are no terms of a formula; use wald_test with the parameters' names")


def sup_t_quantile(cov: np.ndarray, alpha: float) -> float:
    """Quantile of level 1 - alpha of the largest |z| among correlated standard normal variables, cov (k, k).

    By 65,536 quasi-random points: good to about .003. NaN where a variance is not positive.
    """
    size = np.sqrt(np.diag(cov))
    if not np.all(size > 0):
        return np.nan
    values, vectors = np.linalg.eigh(cov / np.outer(size, size))
    root = (vectors * np.sqrt(np.maximum(values, 0.0)))[:, values > 1e-10 * values[-1]]  # a curve has few directions
    z = latents.draw("sobol", latents.normal, 2**16, root.shape[1], seed=0)[0]
    largest = np.zeros(len(z))
    for row in root:
        np.maximum(largest, np.abs(z @ row), out=largest)
    return float(np.quantile(largest, 1 - alpha))


def _matrix(name: str, value, size: int):
    """Return a matrix (size, size) of numbers, or refuse what is none; None stays."""
    if value is None:
        return None
    try:
        found = np.asarray(value, np.float64)
    except (TypeError, ValueError, OverflowError):
        found = np.empty(0)
    if found.shape != (size, size):
        raise ValueError(f"{name}: got {shown(value)}; give a matrix ({size}, {size}) of numbers.")
    return found
