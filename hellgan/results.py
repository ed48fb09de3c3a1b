"""``GANResults``: what a fit says, in the terms of statsmodels and pandas."""

import os

import jax
import numpy as np
import pandas as pd
from scipy import special
from statsmodels.iolib.summary import Summary

from hellgan import (
    batching,
    covariances,
    diagnostics,
    functionals,
    hypotheses,
    inference,
    latents,
    objective,
    profiles,
    refits,
    reports,
    storage,
)
from hellgan.bootstrap import Bootstrap, bootstrap
from hellgan.covariances import Covariance
from hellgan.deletion import Jackknife
from hellgan.functionals import Functionals
from hellgan.hypotheses import HypothesisTest
from hellgan.inference import JointLaw, Sandwich
from hellgan.influence import Influence
from hellgan.overidentification import (
    ContaminationTest,
    OveridentificationTest,
    overidentification,
)
from hellgan.solver import SaddlePoint, solve_saddle
from hellgan.starts import reaches
from hellgan.validation import checked_seed, chosen_names, first_sentence, shown
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
    def score_names(self) -> list[str]:
        return self.generator.free_names + [f"alpha_{k}" for k in range(len(self.saddle.alpha))]

    @staticmethod
    def _labelled(matrix, names):
        return pd.DataFrame(matrix, index=names, columns=names)

    def bread(self) -> pd.DataFrame:
        """A: minus the mean derivative of the scores in (theta, alpha), unconstrained scale; *not* inverted."""
        return self._labelled(self.require_law().bread, self.score_names)

    def meat(self) -> pd.DataFrame:
        """B: covariance of sqrt(n) times the mean score, real and simulated parts together."""
        return self._labelled(self.require_law().meat, self.score_names)

    def estfun(self) -> pd.DataFrame:
        """Scores of the observations in (theta, alpha): (n, p + q + 1), unweighted and not centred.

        In a regression each is the sum of the observation's own and the mean of its simulated responses' (6).
        """
        with jax.enable_x64(True):
            rows = np.asarray(_scores(self.model.game(), self.saddle.theta, self.saddle.alpha))
        return pd.DataFrame(rows[: self.nobs], columns=self.score_names)

    def bootstrap(
        self,
        replications: int = 500,
        seed: int = 0,
        kind: str = "nonparametric",
        studentised: bool = False,
        threads: int | None = None,
        progress: bool = False,
    ) -> Bootstrap:
        """Refit on bootstrap samples.

        Parameters
        ----------
        replications : int
        seed : int
            Replicate r depends on it and r alone: more replications begin with the same ones.
        kind : {"nonparametric", "parametric"}
            Observations resampled, and independent latent draws likewise (Sobol points are shifted anew), with the
            discriminator as it is placed; or samples of the fitted generator, the discriminator placed on each.
        studentised : bool
            Whether to compute each refit's standard errors, for studentised intervals; about twice the time.
        threads : int, optional
            As for ``fit_batch``.
        progress : bool
            Whether to show a progress bar.

        Returns
        -------
        Bootstrap
            With ``bse``, ``cov_params()``, ``conf_int()``, ``n_failed``.

        Raises
        ------
        ValueError
            For a fit that is not certified.

        Warns
        -----
        ConvergenceWarning
            When refits failed.

        Notes
        -----
        Observations are resampled with equal probability and keep their weights. Each costs a warm-started fit;
        for a network, whose theta has no other intervals, some seconds.
        """
        return bootstrap(self, replications, checked_seed(seed), kind, studentised, threads, progress)

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
            covariance = self._drawn(**options).covariance()
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

    def contamination_test(self, points=None) -> ContaminationTest:
        """Test whether a share of the data lies where the generator puts less, and say where and how large it is.

        The difference of the samples' mean features is looked at in the directions in which contamination at single
        points would move it; the p-value is that of the largest of these statistics. It has the same null as
        ``overidentification_test`` but fewer, one-sided alternatives.

        Parameters
        ----------
        points : (k,) or (k, d) array_like, optional
            Where contamination may lie; unless given, 256 draws of the fitted generator, ``influence().places()`` and
            the observations (of more than 256, as many that lie evenly among them).

        Returns
        -------
        ContaminationTest
            With ``statistic``, ``pvalue``, ``point``, ``share`` and ``share_error``.
        """
        self.require_law()
        return diagnostics.contamination_test(self, points)

    def degenerate_directions(self) -> pd.DataFrame:
        """List the combinations of alpha that have no variance of order 1/n where the generator fits.

        There the law of alpha has rank q - p: v is 0 on average, and the generator has made the features' slopes in
        each parameter orthogonal to alpha. A Wald test on one of them would mean nothing.

        Returns
        -------
        DataFrame
            One row for the mean of v (``mean``), and one for each unconstrained parameter. Columns: ``estimate`` and
            ``std err`` of the combination at this fit, ``relative``, that error over what it would be were theta
            known, and the combination's coefficients ``alpha_0`` to ``alpha_q``.
        """
        return diagnostics.degenerate_directions(self, self.require_law())

    # What single observations do.

    def influence(self) -> Influence:
        """Influence functions, case diagnostics and contamination curves of the fit.

        Raises
        ------
        ValueError
            For a discriminator with a hidden layer, and for a fit that did not converge.
        """
        return Influence(self)

    def jackknife(self, method: str = "newton") -> Jackknife:
        """Estimate bias and covariance from fits without one observation each; see ``Influence.leave_one_out``."""
        return self.influence().jackknife(method)

    def reweighted(self, weights) -> "GANResults":
        """Refit with other observation weights (n,), the discriminator as it is placed: zeros leave observations out.

        Raises
        ------
        ValueError, TypeError
            For weights that ``GAN`` would refuse.
        """
        model = self.model.with_weights(weights)
        with jax.enable_x64(True):
            game = model.game()
            saddle = solve_saddle(game, self.saddle.theta)
            law = inference.laws(batching.stack([game]), [saddle], [model.scrambles()])[0]
        return GANResults(model, saddle, law)

    def reach(self) -> np.ndarray:
        """Change of each unconstrained parameter that moves the fitted law by its interquartile range: (p,)."""
        with jax.enable_x64(True):
            return np.asarray(reaches(self.model.game(), self.saddle.theta))

    def _drawn(self, bootstrap: Bootstrap | None = None, **options) -> Bootstrap:
        """A bootstrap of this fit: the given one, or a new one."""
        if bootstrap is None:
            try:
                return self.bootstrap(**options)
            except TypeError as error:
                raise ValueError(
                    f"with_cov: {first_sentence(error)}; 'bootstrap' takes what bootstrap() does."
                ) from None
        if options:
            raise ValueError(
                f"with_cov: {', '.join(options)} beside a bootstrap= that is made already; give one of them."
            )
        if not isinstance(bootstrap, Bootstrap) or not bootstrap.is_of(self):
            raise ValueError("bootstrap: give what this fit's own bootstrap() made.")
        return bootstrap

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
        return profiles.profile_intervals(self, chosen, alpha)

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
            return np.asarray(refits.simulated(g, self.saddle.theta, z[:, 0] if z.shape[1] == 1 else z))

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

    # Functionals of the fitted law.

    def mean(self) -> Functionals:
        """Estimate the mean of an observation of the fitted law, with its standard error.

        Of a regression it is the response's mean over the data's covariates, by weight; these are held as they are.

        Returns
        -------
        Functionals
            One named ``mean``; of several dimensions one for each column; of a regression one named as the response.

        Warns
        -----
        RuntimeWarning
            Where the mean rests on a few draws far away, as it does where it is infinite.
        """
        return functionals.mean(self)

    def quantile(self, levels) -> Functionals:
        """Estimate quantiles of the fitted law, with their joint covariance.

        Parameters
        ----------
        levels : float or (k,) array_like
            Between 0 and 1.

        Returns
        -------
        Functionals
            Named ``q0.5`` and so on. Exact where the generator is monotone in a single latent number, as all
            families but ``AlphaStable`` are; else of 131,072 scrambled Sobol points.

        Raises
        ------
        ValueError
            For levels outside (0, 1), and for a law of several dimensions or a regression.

        Examples
        --------
        >>> import hellgan as hg
        >>> result = hg.GAN(hg.datasets.load_newcomb(), generator=hg.generators.Normal()).fit()
        >>> found = result.quantile([0.1, 0.5, 0.9])
        >>> print(found.params.round(1).to_dict())
        {'q0.1': 21.1, 'q0.5': 27.7, 'q0.9': 34.2}
        >>> print(found.conf_int(method="sup-t").round(0).loc["q0.9"].to_list())
        [32.0, 36.0]
        """
        return functionals.quantile(self, levels)

    def cdf(self, points) -> Functionals:
        """Estimate the fitted law's distribution function, with the joint covariance of its values.

        Parameters
        ----------
        points : float or (k,) array_like

        Returns
        -------
        Functionals
            Named ``F27`` and so on; intervals stay between 0 and 1. Computed as by ``quantile``.

        Raises
        ------
        ValueError
            For a law of several dimensions or a regression.
        """
        return functionals.cdf(self, points)

    def functional(self, f, names=None) -> Functionals:
        """Estimate the expectation of a function of one observation under the fitted law, with standard errors.

        It is a mean over 131,072 scrambled Sobol points of their own seed (of a regression: at least 16 for each
        observation, behind its covariates, by weight), so that its own error, ``simulation_error``, is small beside
        the statistical one.

        Parameters
        ----------
        f : callable
            Written with ``jax.numpy`` for one observation, () or (d,), of a regression the covariates and then the
            response; returns a number or a vector. It must be continuous, and differentiable almost everywhere: the
            derivative of an indicator is 0 where it exists and says nothing of the probability, for which there is
            ``cdf``.
        names : str or sequence of str, optional
            ``functional``, or ``f0``, ``f1``, ... of a vector, unless given.

        Returns
        -------
        Functionals

        Raises
        ------
        TypeError, ValueError
            For an f that fails on one observation or returns no floating-point numbers, and for one with jumps.

        Warns
        -----
        RuntimeWarning
            Where the expectation rests on a few draws far away, as it does where it is infinite.
        """
        return functionals.functional(self, f, names)

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
        return diagnostics.draw_fit(self, ax)

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
        (name,) = chosen_names([name], list(self.params.index))
        return diagnostics.draw_profile(self, name, alpha, ax)

    def plot_influence(self, name: str | None = None, ax=None):
        """Draw the influence functions over the data's rug; in several dimensions Cook's distances instead.

        Parameters
        ----------
        name : str, optional
            Of ``joint_params``; all generator parameters unless given.
        ax : Axes, optional

        Returns
        -------
        matplotlib Axes
        """
        influence = self.influence()
        return influence.plot(name, ax) if self.generator.dim == 1 else influence.plot_index(ax=ax)

    def plot_diagnostics(self):
        """Draw four panels: the fit, a P-P plot with a simultaneous band, the log ratio, influence.

        In several dimensions the P-P plot is that of the discriminator's log ratio, and influence is told by Cook's
        distances.

        Returns
        -------
        array (4,) of matplotlib Axes
        """
        return diagnostics.draw(self, OUTLIER)

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
        family = diagnostics.linear_family(self)
        if family is None:
            what = "location in closed form" if self.generator.covariates else "covariates"
            raise ValueError(f"predict: the model has no {what}; use sample(size) for draws from the fitted generator.")
        if exog is None:
            return diagnostics.location(self, family, self.model.x[:, :-1])
        fitted = diagnostics.location(self, family, self.model.new_covariates(exog, transform))
        return pd.Series(fitted, exog.index, name="predicted") if isinstance(exog, pd.DataFrame) else fitted


_scores = jax.jit(objective.observation_scores)


@jax.jit
def _log_ratios(basis, alpha, x):
    return jax.vmap(lambda row: basis.log_ratio(alpha, row))(x)


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
