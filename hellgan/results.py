"""``GANResults``: what a fit says, in the terms of statsmodels and pandas."""

import contextlib
import functools
import os
from types import SimpleNamespace

import jax
import numpy as np
import pandas as pd
from scipy import special
from statsmodels.base.model import LikelihoodModelResults
from statsmodels.iolib.summary import Summary

from hellgan import generators, inference, latents, objective, plots, reports, storage
from hellgan.inference import JointLaw, Sandwich
from hellgan.overidentification import OveridentificationTest, overidentification
from hellgan.solver import SaddlePoint
from hellgan.validation import checked_seed, first_sentence, normal_quantile

OUTLIER = 0.75  # flagged: where the data are more than three times as dense as the fitted law


class GANResults(LikelihoodModelResults):
    """A fitted parametric GAN; made by ``GAN.fit``.

    Estimates, standard errors and covariances are of the natural parameters themselves (already divided by n),
    with pandas labels. Intervals are computed on the real line behind each parameter and mapped back.

    Attributes
    ----------
    model : GAN
    params : Series
        Generator parameters, natural scale.
    saddle : SaddlePoint
        The solver's answer, with its certificate.
    converged : bool
        Whether the solution is a certified saddle point (non-zero-sum loss: locally stable) of which the joint
        law could be computed.
    trouble : str
        Why not; empty where it converged.
    sandwich : Sandwich or None
        Joint law on the unconstrained scale.
    law : JointLaw
        The sandwich with the natural parameters and their derivative, as the delta method takes them.
    nobs, n_simulated : int
    """

    def __init__(self, model, saddle: SaddlePoint, law: JointLaw):
        self.model = model
        self.saddle = saddle
        self.law, self.sandwich, self.trouble = law, law.sandwich, law.trouble
        self.generator = model.generator
        self.nobs, self.n_simulated = model.nobs, model.n_simulated
        self.df_resid = np.inf
        self.cov_type = "sandwich"
        self.params = pd.Series(np.array(law.natural), index=self.generator.names, name="coef")
        self._cov = inference.natural_covs(self.generator, [law], self.n_simulated)[0]
        self.normalized_cov_params = self._cov  # pyright: ignore[reportAttributeAccessIssue]
        self.scale = 1.0
        self._use_t = False

    @functools.cached_property
    def _plain(self) -> LikelihoodModelResults:
        """The same numbers without labels: what statsmodels' own tests compute with."""
        labels = SimpleNamespace(
            data=SimpleNamespace(cov_names=list(self.params.index), xnames=list(self.params.index))
        )
        plain = LikelihoodModelResults(labels, self.params.to_numpy(), self._cov)
        plain.df_resid = np.inf  # pyright: ignore[reportAttributeAccessIssue]
        return plain

    def __repr__(self):
        state = "" if self.converged else ", NOT CONVERGED"
        values = ", ".join(f"{name} {value:.4g}" for name, value in self.params.items())
        return f"<GANResults of {self.model!r}: {values}{state}>"

    @property
    def converged(self) -> bool:
        return self.saddle.is_saddle and not self.trouble

    # Estimates and their errors.

    @property
    def bse(self) -> pd.Series:
        """Standard errors of ``params``."""
        variances = np.diag(self._cov)
        return pd.Series(np.sqrt(variances), index=self.params.index, name="std err")

    @property
    def _tested(self) -> np.ndarray:
        """Whether 0 lies inside the parameter's space, so that testing it means something."""
        return np.array([space.lower < 0 < space.upper for space in self.generator.element_spaces])

    @property
    def tvalues(self) -> pd.Series:
        """Estimates over their standard errors; NaN where the parameter cannot be 0."""
        return (self.params / self.bse).where(self._tested).rename("z")

    @property
    def pvalues(self) -> pd.Series:
        """Two-sided normal p-values of ``tvalues``."""
        return pd.Series(2 * special.ndtr(-np.abs(self.tvalues.to_numpy())), self.params.index, name="P>|z|")

    def cov_params(self, r_matrix=None, column=None, scale=None, cov_p=None, other=None):
        """Covariance of ``params`` as a DataFrame; or of linear combinations, as in statsmodels."""
        if all(a is None for a in (r_matrix, column, scale, cov_p, other)):
            return pd.DataFrame(self.normalized_cov_params, self.params.index, self.params.index)
        return self._plain.cov_params(r_matrix, column, scale, cov_p, other)

    def conf_int(self, alpha=0.05, cols=None) -> pd.DataFrame:
        """Compute Wald intervals of level 1 - alpha, which never leave the parameter's space.

        Parameters
        ----------
        alpha : float
            One minus the level.
        cols : str, int, or sequence of them, optional
            Which parameters, by name or position; all unless given.

        Returns
        -------
        DataFrame
            Columns ``lower`` and ``upper``.
        """
        half = normal_quantile(alpha)
        rows = inference.intervals(self.generator, self.params.to_numpy(), self.bse.to_numpy(), half)
        frame = pd.DataFrame(rows, index=self.params.index, columns=["lower", "upper"])
        if cols is None:
            return frame
        names = list(frame.index)
        chosen = [cols] if isinstance(cols, (str, int, np.integer)) else list(cols)
        wrong = [c for c in chosen if c not in names and c not in range(len(names))]
        if wrong:
            raise ValueError(f"cols: {wrong[0]!r} is no parameter; give names or positions of {', '.join(names)}.")
        return frame.loc[[c if isinstance(c, str) else names[c] for c in chosen]]

    def t_test(self, r_matrix, cov_p=None, use_t=None):
        """Test linear hypotheses, one at a time: ``"loc = 27"``, an array, or several; see statsmodels."""
        with self._hypotheses():
            return self._plain.t_test(r_matrix, cov_p=cov_p, use_t=use_t)

    def f_test(self, r_matrix, cov_p=None, invcov=None):
        """Wald test in its F form, with infinite denominator degrees of freedom."""
        return self.wald_test(r_matrix, cov_p, invcov, use_f=True)

    def wald_test(self, r_matrix, cov_p=None, invcov=None, use_f=None, df_constraints=None, scalar=True):
        """Test linear hypotheses jointly by the Wald statistic; see statsmodels."""
        if np.any(np.isnan(self._cov)):
            reason = self.trouble or "a discriminator with a hidden layer has no joint normal law"
            raise ValueError(f"wald_test: the fit has no covariance, since {reason}.")
        with self._hypotheses():
            test = self._plain.wald_test(
                r_matrix, cov_p=cov_p, invcov=invcov, use_f=use_f, df_constraints=df_constraints, scalar=scalar
            )
        df = getattr(test, "df_num", None)
        if df is not None:
            # The F form: scipy's F law has no infinite denominator; df F is then chi-square.
            test.pvalue = special.gammaincc(df / 2, df * np.asarray(test.statistic) / 2)
        return test

    @contextlib.contextmanager
    def _hypotheses(self):
        """Say in one sentence what statsmodels and its formula parser say in several lines."""
        try:
            yield
        except Exception as error:
            raise ValueError(
                f"r_matrix: {first_sentence(error)}; give hypotheses on {', '.join(self.params.index)} such as "
                f"'{self.params.index[0]} = 1', or an array with {len(self.params)} columns."
            ) from error

    # The joint law of generator and discriminator.

    @property
    def joint_params(self) -> pd.Series:
        """Natural generator parameters, then alpha_0 (intercept) to alpha_q."""
        alpha = self.saddle.alpha
        return pd.concat([self.params, pd.Series(alpha, [f"alpha_{k}" for k in range(len(alpha))])]).rename("coef")

    def joint_cov(self) -> pd.DataFrame:
        """Covariance of ``joint_params``: (2), by the delta method for the generator's natural parameters.

        Raises
        ------
        ValueError
            For a discriminator with a hidden layer, which has no joint law, and for a fit that did not converge.
        """
        p = self.generator.size
        block = np.zeros((len(self.joint_params), p + len(self.saddle.alpha)))
        block[: len(self.params), :p] = self.law.natural_slope
        block[len(self.params) :, p:] = np.eye(len(self.saddle.alpha))
        return self._labelled(block @ self._joint.cov @ block.T, list(self.joint_params.index))

    @property
    def _joint(self) -> Sandwich:
        if not self.model.basis.is_linear:
            inference.require_basis(self.model.game())
        if self.sandwich is None:
            raise ValueError(f"joint covariance: the fit has none, since {self.trouble}.")
        return self.sandwich

    @property
    def _score_names(self) -> list[str]:
        return self.generator.free_names + [f"alpha_{k}" for k in range(len(self.saddle.alpha))]

    @staticmethod
    def _labelled(matrix, names):
        return pd.DataFrame(matrix, index=names, columns=names)

    def bread(self) -> pd.DataFrame:
        """A: minus the mean derivative of the scores in (theta, alpha), unconstrained scale; *not* inverted."""
        return self._labelled(self._joint.bread, self._score_names)

    def meat(self) -> pd.DataFrame:
        """B: covariance of sqrt(n) times the mean score, real and simulated parts together."""
        return self._labelled(self._joint.meat, self._score_names)

    def estfun(self) -> pd.DataFrame:
        """Scores of the real observations in (theta, alpha): (n, p + q + 1), unweighted and not centred."""
        game = self.model.game()
        with jax.enable_x64(True):
            real = np.asarray(_scores(game, self.saddle.theta, self.saddle.alpha).real)
        return pd.DataFrame(real[: self.nobs], columns=self._score_names)

    def overidentification_test(self, robust: bool = False) -> OveridentificationTest:
        """Test whether the generator fits, by the value of the game: (4).

        Parameters
        ----------
        robust : bool
            The null of the plain form is that the model is right; that of the robust one is only that it matches
            the features' means.

        Returns
        -------
        OveridentificationTest
            With ``statistic``, ``df`` and ``pvalue``.
        """
        inference.require_basis(self.model.game())
        with jax.enable_x64(True):
            return overidentification(
                self.model.game(),
                self.saddle.theta,
                self.saddle.alpha,
                self.saddle.value,
                self.model.scrambles(),
                robust,
            )

    # What the two players make of data.

    def sample(self, size, seed=0) -> np.ndarray:
        """Simulate observations from the fitted generator: (size,) or (size, d).

        A regression's are rows of covariates, drawn from the data's by weight, and responses.
        """
        if isinstance(size, bool) or not isinstance(size, (int, np.integer)) or size < 1:
            raise ValueError(f"size: got {size!r}; give a positive number of observations.")
        g = self.generator
        z = latents.draw("iid", g.law, int(size), g.latent_dim, checked_seed(seed))[0]
        if g.covariates:
            rows = np.random.default_rng([0xC0, seed]).choice(self.nobs, int(size), p=self.model.shares())
            z = np.concatenate([self.model.x[rows, : g.covariates], z], axis=1)
        with jax.enable_x64(True):
            return np.asarray(_simulate(g, self.saddle.theta, z[:, 0] if z.shape[1] == 1 else z))

    def log_ratio(self, x) -> np.ndarray:
        """The discriminator's log density ratio, real over fitted, at points (k,) or (k, d): (k,)."""
        try:
            x = np.asarray(x, np.float64)
        except (TypeError, ValueError):
            raise TypeError("x: not numeric; give points at which to evaluate the discriminator.") from None
        d = self.generator.dim
        if d == 1 and x.ndim == 2 and x.shape[1] == 1:
            x = x[:, 0]
        if x.ndim != (1 if d == 1 else 2) or (d > 1 and x.shape[1] != d):
            raise ValueError(f"x: shape {x.shape}; give points of shape {'(k,)' if d == 1 else f'(k, {d})'}.")
        with jax.enable_x64(True):
            return np.asarray(_log_ratios(self.model.basis, self.saddle.alpha, x))

    def prob_real(self, x) -> np.ndarray:
        """The probability that a point is real rather than simulated, by the discriminator: expit of ``log_ratio``."""
        return special.expit(self.log_ratio(x))

    def outlier_scores(self, x=None) -> np.ndarray:
        """How much the discriminator holds each observation for one that the generator does not make: in [0, 1].

        It is ``prob_real``, at the sample unless points are given. Near 1/2 the fitted generator accounts for the
        observation; above .75 (see ``outliers``) the data are more than three times as dense there as it would have
        them.
        """
        return self.prob_real(self.model.x if x is None else x)

    def outliers(self) -> np.ndarray:
        """Positions of the observations that the fitted generator does not account for, most extreme first."""
        scores = self.outlier_scores()
        flagged = np.flatnonzero(scores > OUTLIER)
        return flagged[np.argsort(-scores[flagged], kind="stable")]

    # Reports.

    def tidy(self, alpha: float = 0.05) -> pd.DataFrame:
        """Put the estimates in a frame with one row a parameter."""
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

    def summary(self, alpha: float = 0.05) -> Summary:
        """Lay the fit out as a statsmodels summary."""
        return reports.summary(self, alpha)

    def _repr_html_(self) -> str:
        return str(self.summary().as_html())

    def plot_fit(self, ax=None):
        """Draw the data, the fitted law, the discriminator's probability and the flagged points.

        For a regression: responses against their covariate, or against the fitted location where there are several.

        Parameters
        ----------
        ax : matplotlib Axes, optional
            A new figure's unless given.

        Returns
        -------
        matplotlib Axes
        """
        x, flagged = self.model.x, self.outliers()
        simulated = self.sample(4096, seed=self.model.seed + 1)
        if self.generator.covariates > 1:
            x, simulated = (np.column_stack([self._abscissa(rows), rows[:, -1]]) for rows in (x, simulated))
            known, named = self._family is not None, self.model.columns or ["x1", "response"]
            return plots.scatter_fit(x, simulated, flagged, ["fitted" if known else named[0], named[-1]], ax)
        if self.generator.dim > 1:
            names = self.model.columns or [f"x{k + 1}" for k in range(self.generator.dim)]
            return plots.scatter_fit(x, simulated, flagged, names, ax)
        low, high = plots.view(x)
        grid = np.linspace(low, high, 801)
        return plots.histogram_fit(x, grid, self._density(grid), simulated, self.prob_real(grid), flagged, ax)

    @property
    def _family(self) -> generators.LinearRegression | None:
        """The linear model, where it is one."""
        family = self.generator.generator if isinstance(self.generator, generators.Fixed) else self.generator
        return family if isinstance(family, generators.LinearRegression) else None

    def _abscissa(self, rows) -> np.ndarray:
        """What a plot of several covariates shows on its horizontal axis."""
        return rows[:, 0] if self._family is None else self._location(self._family, rows[:, :-1])

    def _location(self, family: generators.LinearRegression, covariates) -> np.ndarray:
        values = {**getattr(self.generator, "values", {}), **self.params}
        return family.design(covariates) @ np.array([values[name] for name in family.coefficients], np.float64)

    def _density(self, grid) -> np.ndarray | None:
        if not self.generator.has_density:
            return None
        with jax.enable_x64(True):
            return np.asarray(_density(self.generator, self.saddle.theta, grid))

    # On disk.

    def save(self, path: str | os.PathLike, remove_data: bool = False) -> None:
        """Save the fit as ``.npz`` without pickle; ``hg.load`` reads it back.

        The data are part of it. ``remove_data`` is refused: without them nothing could be computed any more. A formula
        is not kept: ``predict`` of the fit that is read back takes the design's columns, not the formula's variables.
        """
        if remove_data:
            raise ValueError("remove_data: a saved fit holds its data; without them it could not be used.")
        storage.write(path, *storage.pack(self))

    # What statsmodels' results have and a GAN's have not.

    @classmethod
    def load(cls, fname):
        """Point to ``hg.load``: statsmodels' own ``load`` unpickles, which runs code."""
        raise ValueError("load: use hellgan.load(path), which reads what save wrote and runs no code.")

    @property
    def llf(self):
        raise AttributeError("llf: a GAN has no likelihood; saddle.value is the value of its objective.")

    def predict(self, exog=None, transform=True, *args, **kwargs):
        """Compute the fitted location of the response at covariates.

        Parameters
        ----------
        exog : DataFrame or (r, k) array, optional
            New data: the variables of the formula, where the model has one; else, and with ``transform=False``, the
            covariates themselves. The data of the fit unless given.
        transform : bool

        Returns
        -------
        Series for a frame, else (r,) array
            NaN where a variable is missing.

        Raises
        ------
        ValueError
            For a model that is no linear regression.
        """
        if self._family is None:
            what = "location in closed form" if self.generator.covariates else "covariates"
            raise ValueError(f"predict: the model has no {what}; use sample(size) for draws from the fitted generator.")
        if exog is None:
            return self._location(self._family, self.model.x[:, :-1])
        fitted = self._location(self._family, self.model.new_covariates(exog, transform))
        return pd.Series(fitted, exog.index, name="predicted") if isinstance(exog, pd.DataFrame) else fitted

    def remove_data(self):
        """Refuse: the data are needed for scores, tests and plots."""
        raise ValueError("remove_data: the fit needs its data for scores, tests and plots.")

    def initialize(self, model, params, **kwargs):
        """Refuse: a result is made by a fit and does not change."""
        raise ValueError("initialize: a result is made by GAN.fit and does not change; fit again.")

    def t_test_pairwise(self, term_name, method="hs", alpha=0.05, factor_labels=None):
        """Refuse: the parameters are no levels of a factor."""
        raise ValueError("t_test_pairwise: the parameters are no levels of a factor; use t_test.")

    def wald_test_terms(self, skip_single=False, extra_constraints=None, combine_terms=None, scalar=True):
        """Refuse: the terms of a formula are not kept."""
        raise ValueError(
            "wald_test_terms: a fit keeps no terms of a formula; use wald_test with the parameters' names."
        )


_scores = jax.jit(objective.scores)


@jax.jit
def _simulate(generator, theta, z):
    return jax.vmap(lambda draw: generator(theta, draw))(z)


@jax.jit
def _log_ratios(basis, alpha, x):
    return jax.vmap(lambda row: basis.log_ratio(alpha, row))(x)


@jax.jit
def _density(generator, theta, grid):
    natural = generator.natural(theta)
    return jax.numpy.exp(jax.vmap(lambda point: generator.log_density(point, **natural))(grid))


def compare(fits) -> pd.DataFrame:
    """Put several fits side by side.

    Parameters
    ----------
    fits : dict of str to GANResults

    Returns
    -------
    DataFrame
        One column a fit; for each parameter its estimate and, in the row below, its standard error; then loss,
        sizes, divergence, overidentification p-value and whether the fit converged.
    """
    if not isinstance(fits, dict) or not all(isinstance(fit, GANResults) for fit in fits.values()) or not fits:
        raise TypeError("compare: give a dict of names and fits, as in compare({'root': result}).")
    columns = {name: reports.column(fit) for name, fit in fits.items()}
    rows: list[tuple] = list(dict.fromkeys(row for column in columns.values() for row in column.index.to_list()))
    rows.sort(key=lambda row: row[0] == "fit")  # stable: parameters as they come, then the facts
    index = pd.MultiIndex.from_tuples(rows)
    return pd.DataFrame({name: column.reindex(index) for name, column in columns.items()})
