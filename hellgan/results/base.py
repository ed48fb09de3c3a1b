"""``EstimatedResults``: what every fit has, in the terms of statsmodels and pandas, whatever its estimator.

Equation numbers are those of ``docs/theory.md``.
"""

import os

import numpy as np
import pandas as pd
from statsmodels.iolib.summary import Summary

from hellgan.checks import checked_seed, chosen_names, first_sentence
from hellgan.estimation import Equations
from hellgan.inference import covariances
from hellgan.inference.availability import never
from hellgan.inference.bootstrap import Bootstrap, bootstrap
from hellgan.inference.sandwich import law as joint_law
from hellgan.influence.cases import Influence
from hellgan.influence.deletion import Jackknife
from hellgan.results import figures, storage, summary
from hellgan.results.joint import JointResults


class EstimatedResults(JointResults):
    """A solved estimator: estimates, their joint law, and all that follows from it.

    Estimates, standard errors and covariances are of the natural parameters themselves (already divided by n),
    with pandas labels. Intervals are computed on the real line behind each parameter and mapped back.

    Attributes
    ----------
    model : Estimator
    params : Series
        Parameters on their natural scale.
    solution : Solution
        The solver's answer, with its certificate.
    trouble : str
        Why the fit did not converge; empty where it did.
    cov_type : str
        What kind of covariance standard errors, intervals and tests use; see ``with_cov``.
    covariance : Covariance
        The covariance of that kind, on all scales.
    sandwich : Sandwich or None
        Joint law on the unconstrained scale, of that kind.
    law : JointLaw
        The sandwich of independent observations with the natural parameters and their derivative, as the delta
        method takes them.
    """

    @classmethod
    def of(cls, model, theta: np.ndarray | None = None) -> "EstimatedResults":
        """Fit a model by its equations.

        Parameters
        ----------
        model : Estimator
            Such as a subclass of ``hellgan.solver.SmoothEquations``.
        theta : (p,) array, optional
            Starting values, unconstrained scale; the model's own ``start()`` unless given.

        Returns
        -------
        EstimatedResults
            Of the class on which ``of`` was called.

        Raises
        ------
        ValueError
            For a model without starting values of its own, where none are given.
        """
        equations: Equations = model.equations()
        if theta is None and not hasattr(model, "start"):
            raise ValueError(f"theta: {model.name} brings no starting values; give them, or use its own fit.")
        solution = equations.solve(model.start()[: equations.p] if theta is None else theta)
        return cls(model, solution, joint_law(equations, solution), equations=equations)

    def with_cov(self, cov_type: str = "sandwich", **options):
        """Give the same fit with another covariance; standard errors, intervals and tests follow it.

        Parameters
        ----------
        cov_type : str
            ``"sandwich"``: equation (2), under independent observations, misspecification allowed; with
            ``correction="HC1"`` (also called ``"HC1"``) times n/(n - k), k the number of all parameters: of a GAN
            p + q + 1; with ``correction="HC3"`` (also called ``"HC3"``) of steps to the fit without each observation,
            its score over 1 less its leverage in all equations: of least squares statsmodels' HC3, and larger where
            few observations decide.
            ``"model"``: equation (3), under a correct model.
            ``"HAC"``: (2) for serially dependent observations, in their order; ``maxlags`` (4 (n/100)^(2/9) unless
            given), ``kernel`` (``"bartlett"`` or ``"uniform"``), ``use_correction=False``.
            ``"cluster"``: (2) for observations that depend within ``groups``, (n,) or for two ways (n, 2), a Series
            or frame matched by its index, or names of columns of the data; ``use_correction=True``.
            ``"bootstrap"``: of a ``bootstrap=`` that was made by ``bootstrap``, or of a new one, with its arguments.
        **options
            Of the kind.

        Returns
        -------
        A fit of the same class.

        Raises
        ------
        ValueError
            For an unknown kind or option, and for a fit without a joint law, to which only ``"bootstrap"`` can give a
            covariance.
        """
        covariances.check_kind(cov_type)
        if cov_type == "bootstrap":
            covariance = self._drawn(**options).covariance()
        else:
            covariance = covariances.of_fit(self, cov_type, options)
        return type(self)(self.model, self.solution, self.law, covariance, self.equations)

    # Refits.

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
            discriminator as it is placed; or samples of the fitted law, the discriminator placed on each.
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
        Observations are resampled with equal probability and keep their weights. Each refit starts near the fit's
        solution; one of a network, whose theta has no other intervals, takes some seconds.
        """
        return bootstrap(self, replications, checked_seed(seed), kind, studentised, threads, progress)

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

    def influence(self) -> Influence:
        """Give the influence functions, case diagnostics and contamination curves of the fit.

        Raises
        ------
        ValueError
            For a fit without a joint law.
        """
        return Influence(self)

    def jackknife(self, method: str = "newton") -> Jackknife:
        """Estimate bias and covariance from fits without one observation each; see ``Influence.leave_one_out``."""
        return self.influence().jackknife(method)

    def reweighted(self, weights):
        """Refit with other observation weights (n,), the model placed as it is: zeros leave observations out.

        Raises
        ------
        ValueError, TypeError
            For weights that are negative, not finite, or nearly all 0.
        """
        model = self.model.with_weights(weights)
        equations: Equations = model.equations()
        solution = equations.solve(self.solution.theta)
        return type(self)(model, solution, joint_law(equations, solution), equations=equations)

    def reach(self) -> np.ndarray:
        """Change of each unconstrained parameter that moves the fitted law by its interquartile range: (p,)."""
        return self.equations.reach(self.solution.u)

    # What the fit says of its observations; more, where an estimator has more to say.

    def outliers(self) -> np.ndarray:
        """Observations that the fit does not account for, most extreme first; none unless an estimator can tell.

        Returns
        -------
        array (r,)
            Their labels where the data have an index of their own, or rows are left out; positions elsewhere.
        """
        return self.equations.sample.labels[self.outlier_positions()].to_numpy()

    def outlier_positions(self) -> np.ndarray:
        """Positions of ``outliers`` among the observations of the fit."""
        return np.empty(0, int)

    @property
    def rows_left_out(self) -> list:
        """Labels of the rows of the data that the fit leaves out, as values are missing there."""
        return self.equations.sample.left_out.tolist()

    def case_columns(self) -> pd.DataFrame:
        """What the fit itself says of its observations, beside influence: no columns unless an estimator has some."""
        return pd.DataFrame(index=range(self.nobs))

    # Reports and files.

    def facts(self) -> list[tuple[str, str]]:
        """Labels and values in the head of the summary."""
        return summary.facts(self)

    def notes(self) -> list[str]:
        """Sentences below the summary."""
        return summary.notes(self)

    title = "Estimating equations"

    def compared(self) -> dict[str, object]:
        """What ``compare`` shows of the fit below its parameters, by name."""
        return {"n": self.nobs, "converged": self.converged}

    def summary(self, alpha: float = 0.05) -> Summary:
        """Lay the fit out as a statsmodels summary."""
        return summary.laid_out(self, self.facts(), self.notes(), alpha)

    def _repr_html_(self) -> str:
        return str(self.summary().as_html())

    def plot_profile(self, name: str | int, ax=None, alpha: float = 0.05):
        """Draw the distance test of each value of a parameter, with the Wald and the profile interval.

        Parameters
        ----------
        name : str or int
            Of ``params``, or its position there.
        ax : matplotlib Axes, optional
            A new figure's unless given.
        alpha : float
            One minus the intervals' level.

        Returns
        -------
        matplotlib Axes
        """
        (name,) = chosen_names([name], list(self.params.index), "name")
        return figures.draw_profile(self, name, alpha, ax)

    def plot_influence(self, name: str | None = None, ax=None):
        """Draw the influence functions over the data's rug; in several dimensions Cook's distances instead.

        Parameters
        ----------
        name : str, optional
            Of ``joint_params``; all parameters unless given.
        ax : Axes, optional

        Returns
        -------
        matplotlib Axes
        """
        influence = self.influence()
        return influence.plot(name, ax) if self.equations.sample.d == 1 else influence.plot_index(ax=ax)

    def save(  # pyright: ignore[reportIncompatibleMethodOverride]
        self, path: str | os.PathLike, remove_data: bool = False
    ) -> None:
        """Save the fit as ``.npz`` without pickle; ``hg.load`` reads it back.

        The data are part of it. ``remove_data`` is refused: without them nothing could be computed any more. A formula
        is not kept: ``predict`` of the fit that is read back takes the design's columns, not the formula's variables.
        """
        if remove_data:
            raise ValueError("remove_data: a saved fit holds its data; without them it could not be used.")
        storage.write(path, *storage.pack(self))

    llf = never("the fit has no likelihood; solution.value is the value of its objective")
