"""``GANResults``: what a fit says, in the terms of statsmodels and pandas."""

import os

import jax
import numpy as np
import pandas as pd
from scipy import special
from statsmodels.iolib.summary import Summary

from hellgan import covariances, generators, hypotheses, inference, latents, objective, plots, reports, storage
from hellgan.covariances import Covariance
from hellgan.hypotheses import HypothesisTest
from hellgan.inference import JointLaw, Sandwich
from hellgan.overidentification import OveridentificationTest, overidentification
from hellgan.solver import SaddlePoint
from hellgan.validation import checked_seed, normal_quantile, shown
from hellgan.wald import WaldResults

OUTLIER = 0.75  # flagged: where the data are more than three times as dense as the fitted law


class GANResults(WaldResults):
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
    cov_type : str
        What kind of covariance standard errors, intervals and tests use; see ``with_cov``.
    covariance : Covariance
        It, on all scales.
    sandwich : Sandwich or None
        Joint law on the unconstrained scale, of that kind.
    law : JointLaw
        The sandwich of independent observations with the natural parameters and their derivative, as the delta
        method takes them.
    nobs, n_simulated : int
    """

    def __init__(self, model, saddle: SaddlePoint, law: JointLaw, covariance: Covariance | None = None):
        self.model = model
        self.saddle = saddle
        self.law, self.trouble = law, law.trouble
        self.generator = model.generator
        self.nobs, self.n_simulated = model.nobs, model.n_simulated
        if covariance is None:
            covariance = covariances.of_sandwich(self.generator, law, self.n_simulated)
        self.covariance, self.cov_type, self.sandwich = covariance, covariance.kind, covariance.sandwich
        params = pd.Series(np.array(law.natural), index=self.generator.names, name="coef")
        super().__init__(params, covariance.natural, self.generator.element_spaces)

    def __repr__(self):
        state = "" if self.converged else ", NOT CONVERGED"
        values = ", ".join(f"{name} {value:.4g}" for name, value in self.params.items())
        return f"<GANResults of {self.model!r}: {values}{state}>"

    @property
    def converged(self) -> bool:
        return self.saddle.is_saddle and not self.trouble

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
        r, size = len(self.params), len(self.saddle.alpha)
        block = np.block([[self.law.natural_slope, np.zeros((r, size))], [np.zeros((size, p)), np.eye(size)]])
        cov = block @ self.require_law().cov @ block.T
        cov[:r, :r] = self._cov
        return self._labelled(cov, list(self.joint_params.index))

    @property
    def _why_no_cov(self) -> str:
        return self.trouble or "a discriminator with a hidden layer has no joint normal law"

    def require_law(self) -> Sandwich:
        """Give the joint law on the unconstrained scale; raises ``ValueError`` with the reason where there is none."""
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
        return self._labelled(self.require_law().bread, self._score_names)

    def meat(self) -> pd.DataFrame:
        """B: covariance of sqrt(n) times the mean score, real and simulated parts together."""
        return self._labelled(self.require_law().meat, self._score_names)

    def estfun(self) -> pd.DataFrame:
        """Scores of the observations in (theta, alpha): (n, p + q + 1), unweighted and not centred.

        In a regression each is the sum of the observation's own and the mean of its simulated responses' (6).
        """
        with jax.enable_x64(True):
            rows = np.asarray(_scores(self.model.game(), self.saddle.theta, self.saddle.alpha))
        return pd.DataFrame(rows[: self.nobs], columns=self._score_names)

    def with_cov(self, cov_type: str = "sandwich", **options) -> "GANResults":
        """Give the same fit with another covariance; standard errors, intervals and tests follow it.

        Parameters
        ----------
        cov_type : str
            ``"sandwich"``: equation (2), under independent observations, misspecification allowed; with
            ``correction="HC1"`` (also called ``"HC1"``) times n/(n - k), k = p + q + 1.
            ``"model"``: equation (3), under a correct model.
            ``"HAC"``: (2) for serially dependent observations, in their order; ``maxlags`` (4 (n/100)^(2/9) unless
            given), ``kernel`` (``"bartlett"`` or ``"uniform"``), ``use_correction=False``.
            ``"cluster"``: (2) for observations that depend within ``groups``, (n,) or for two ways (n, 2);
            ``use_correction=True``.
            ``"bootstrap"``: of a ``bootstrap=`` that was made by ``bootstrap``, or of a new one, with its arguments.
        **options
            Of the kind.

        Returns
        -------
        GANResults

        Raises
        ------
        ValueError
            For an unknown kind or option, and for a fit without a joint law (but ``"bootstrap"`` has one).
        """
        if not isinstance(cov_type, str) or cov_type not in covariances.KINDS:
            raise ValueError(f"cov_type: {shown(cov_type)} is not known; give one of {', '.join(covariances.KINDS)}.")
        if cov_type == "bootstrap":
            drawn = options.pop("bootstrap", None)
            covariance = (self.bootstrap(**options) if drawn is None else drawn).covariance()
        else:
            covariance = covariances.of_fit(self, cov_type, options)
        return GANResults(self.model, self.saddle, self.law, covariance)

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

    # Tests of restrictions, and the intervals that invert one.

    def wald_test(self, r_matrix, cov_p=None, invcov=None, use_f=None, df_constraints=None, scalar=True):
        """Test hypotheses jointly by the Wald statistic.

        Linear ones as in statsmodels; or a function of the named natural parameters, ``lambda loc, scale: loc / scale
        - 5``, zero where the hypothesis holds: by the delta method (7), as a ``HypothesisTest``.
        """
        if not callable(r_matrix):
            return super().wald_test(r_matrix, cov_p, invcov, use_f, df_constraints, scalar)
        if cov_p is not None or invcov is not None or use_f or df_constraints is not None or not scalar:
            raise ValueError("wald_test: a function is tested in its chi-square form; give no other argument with it.")
        return hypotheses.wald(self, r_matrix)

    def score_test(self, restriction) -> HypothesisTest:
        """Test a restriction by the generator's score where it holds: (8).

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
        """Test a restriction by how much the value of the game rises where it holds: (9).

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
            As ``score_test``; and for a non-zero-sum loss, whose estimate does not minimise that value.

        Warns
        -----
        ConvergenceWarning
            As ``score_test``.
        """
        return hypotheses.distance(self, restriction, robust)

    def compare_distance_test(self, restricted: "GANResults", robust: bool = True) -> HypothesisTest:
        """Test the parameters that another fit holds at given values, by its value: (9).

        Parameters
        ----------
        restricted : GANResults
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
        return hypotheses.profile_intervals(self, chosen, alpha)

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

    def plot_profile(self, name: str, ax=None, alpha: float = 0.05):
        """Draw the distance test of each value of a parameter, with the Wald and the profile interval.

        Parameters
        ----------
        name : str
            Of ``params``.
        ax : matplotlib Axes, optional
            A new figure's unless given.
        alpha : float
            One minus the intervals' level.

        Returns
        -------
        matplotlib Axes
        """
        (name,) = self._chosen([name])
        wald, profile = (self.conf_int(alpha, name, method).to_numpy()[0] for method in ("wald", "profile"))
        curve = hypotheses.profile_curve(self, name, hypotheses.profile_points(self, name, np.array([wald, profile])))
        estimate, quantile = float(self.params.loc[name]), normal_quantile(alpha) ** 2  # pyright: ignore[reportArgumentType]
        return plots.profile(*curve, estimate, quantile, wald, profile, name, ax)

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


_scores = jax.jit(objective.observation_scores)


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
