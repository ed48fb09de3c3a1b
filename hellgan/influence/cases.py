"""``Influence``: what single observations do to a fit, and what contamination does."""

import functools

import numpy as np
import pandas as pd
from scipy import special

from hellgan import plots
from hellgan.checks import checked_real, is_one_of, shown
from hellgan.influence import contamination, deletion, suprema
from hellgan.influence.contamination import BiasCurve, Breakdown
from hellgan.influence.deletion import Decisive, Jackknife
from hellgan.influence.functions import InfluenceFunctions
from hellgan.parameters import natural_rows
from hellgan.samples.frames import texts


class Influence(InfluenceFunctions):
    """What single observations do to a fit; made by ``influence`` of a fit.

    Names are those of statsmodels' ``MLEInfluence`` where the two meet.
    """

    def __repr__(self):
        return f"<Influence of {self.fit!r}>"

    # Leaving observations out.

    def leave_one_out(self, method: str = "newton", threads: int | None = None, progress: bool = False) -> pd.DataFrame:
        """Estimate without each observation in turn: (n, r), natural scale.

        Parameters
        ----------
        method : {"newton", "infinitesimal", "exact"}
            One Newton step from the fit, with the Jacobian of the equations without the observation; the influence
            function's answer; or a refit each.
        threads, progress
            As for ``bootstrap``, of the refits.

        Raises
        ------
        ValueError
            For an unknown method.
        """
        p, weights = self._of.p, self._of.sample.weights
        if not is_one_of(method, ("newton", "infinitesimal", "exact")):
            raise ValueError(f"method: {shown(method)} is not known; give 'newton', 'infinitesimal' or 'exact'.")
        if method == "newton":
            return self._natural(self._one_step[:, :p])
        if method == "infinitesimal":
            away = -(weights / (1 - weights))[:, None] * self.unconstrained[:, :p]
            return self._natural(self.fit.solution.theta + away)
        kept = weights * (1 - np.eye(len(weights)))
        return self._natural(deletion.refit_with_weights(self.fit, kept, threads, progress).u[:, :p])

    @functools.cached_property
    def _one_step(self) -> np.ndarray:
        return deletion.one_step(self.fit)

    def _natural(self, theta: np.ndarray) -> pd.DataFrame:
        return pd.DataFrame(natural_rows(self._of.space, theta), self._of.sample.labels, self.fit.params.index)

    @functools.cached_property
    def d_params(self) -> pd.DataFrame:
        """Estimates less those without each observation, by one Newton step: (n, r), natural scale."""
        return self.leave_one_out().rsub(self.fit.params, axis=1)

    @functools.cached_property
    def dfbetas(self) -> pd.DataFrame:
        """``d_params`` in standard errors of the fit: (n, r)."""
        return self.d_params / self.fit.bse

    @functools.cached_property
    def cooks_distance(self) -> tuple[np.ndarray, np.ndarray]:
        """Cook-type distances d' Cov^-1 d / p, d the change of theta in ``d_params``; their chi-square p-values.

        Both are (n,).
        """
        p = self._of.p
        d = self.fit.solution.theta - self._one_step[:, :p]
        distances = np.einsum("ni,ij,nj->n", d, np.linalg.inv(self.fit.covariance.theta), d)
        return distances / p, special.gammaincc(p / 2, distances / 2)

    def jackknife(self, method: str = "newton") -> Jackknife:
        """Estimate bias and covariance from the fits without one observation each.

        Parameters
        ----------
        method : str
            As for ``leave_one_out``.

        Returns
        -------
        Jackknife
        """
        return deletion.jackknife(self.fit, self.leave_one_out(method))

    def summary_frame(self) -> pd.DataFrame:
        """Put what is known of each observation in a frame, first the observations that the fit accounts for least.

        Returns
        -------
        DataFrame (n, ...)
            Index: the data's, where they have one, else positions. Columns: ``dfb_<parameter>`` (``dfbetas``),
            ``cooks_d``, ``influence`` (self-standardised), and what the fit itself says of observations
            (``case_columns``): of a GAN ``log_ratio`` and ``prob_real`` by the discriminator, and ``weight``, what the
            observation counts in the discriminator's score: the loss's slope real'(v) at its log ratio over the slope
            at 0.
        """
        frame = self._cases.set_axis(self._of.sample.labels)
        own = self.fit.case_columns().columns
        return frame.sort_values(own[0] if len(own) else "cooks_d", ascending=False, kind="stable")

    @functools.cached_property
    def _cases(self) -> pd.DataFrame:
        """The columns of ``summary_frame`` in the order of the data, by position."""
        frame = self.dfbetas.add_prefix("dfb_")
        frame["cooks_d"] = self.cooks_distance[0]
        metric = self._metric("self")
        theta = self.unconstrained[:, : self._of.p]
        frame["influence"] = np.sqrt(np.einsum("ni,ij,nj->n", theta, metric, theta))
        return pd.concat([frame.reset_index(drop=True), self.fit.case_columns()], axis=1)

    def decisive(self, name: str, change: str = "sign", null: float = 0.0, alpha: float = 0.05) -> Decisive:
        """Find the few observations whose removal would change a conclusion, after Broderick, Giordano and Meager.

        Observations are ranked by the first-order effect of leaving them out; as few of the first as should suffice
        are left out, and the model is refitted without them.

        Parameters
        ----------
        name : str
            Of the parameter.
        change : {"sign", "significance", "both"}
            That the estimate less ``null`` changes its sign; that the Wald interval comes to hold ``null``, or no
            longer does, on the estimate's own side; that the interval comes to lie on the other side.
        null : float
            A value of the parameter, natural scale.
        alpha : float
            One minus the interval's level.

        Returns
        -------
        Decisive

        Raises
        ------
        ValueError
            For an unknown parameter or change, and for a fit whose kind of covariance a refit cannot have.
        """
        names = list(self.fit.params.index)
        if not is_one_of(name, names):
            raise ValueError(f"name: {shown(name)} is no parameter; give one of {', '.join(names)}.")
        if not is_one_of(change, ("sign", "significance", "both")):
            raise ValueError(f"change: {shown(change)} is not known; give 'sign', 'significance' or 'both'.")
        null = checked_real("null", null, "a value of the parameter", least=-np.inf)
        return deletion.decisive(self.fit, self.unconstrained, names.index(name), change, null, alpha)

    # Contamination.

    def bias_curve(
        self,
        points,
        eps,
        kind: str = "point",
        spread: float | None = None,
        estimator: str = "gan",
        threads: int | None = None,
        progress: bool = False,
    ) -> BiasCurve:
        """Refit at (1 - eps) P_n + eps Q along the place and the share of the contamination Q.

        Parameters
        ----------
        points : (Y,) or (Y, d) array_like
            Where Q lies.
        eps : float or sequence of them
            Shares of the contamination; each place is followed from the fit through them in increasing order.
        kind : {"point", "cluster", "spread"}
            Q is a point mass; nine points as of a normal law about the place; 33 points evenly about it.
        spread : float, optional
            Standard deviation of a cluster (a tenth of the data's robust scale unless given), half the width of a
            spread (ten times the scale).
        estimator : {"gan", "ml"}
            The fit's own; or maximum likelihood of the same family, for comparison.
        threads, progress
            As for ``bootstrap``.

        Returns
        -------
        BiasCurve
        """
        if not is_one_of(estimator, ("gan", "ml")):
            raise ValueError(f"estimator: {shown(estimator)} is not known; give 'gan' or 'ml'.")
        if estimator == "ml":
            return contamination.likelihood_bias_curve(self.fit, points, eps, kind, spread)
        return contamination.bias_curve(self.fit, points, eps, kind, spread, threads, progress)

    def sensitivity_curve(self, points, threads: int | None = None) -> pd.DataFrame:
        """Give n + 1 times the change of the estimates, natural scale, by one more observation at each point.

        Points are (Y,) or (Y, d), the frame (Y, parameters); refits that are not certified are NaN.
        """
        return contamination.sensitivity_curve(self.fit, points, threads)

    def max_bias(
        self, eps, kind: str = "point", points=None, spread: float | None = None, threads: int | None = None
    ) -> pd.DataFrame:
        """Find the largest absolute bias over places of the contamination, for each share of it.

        Parameters
        ----------
        eps, kind, points, spread, threads
            As for ``bias_curve``; the points are ``places()``, 36 a direction out to 20 scales from the median, unless
            given.

        Returns
        -------
        DataFrame
            Index: shares. Columns: the parameters, and ``n_failed``: refits that are not certified, left out.
        """
        points = self.places() if points is None else points
        return contamination.bias_curve(self.fit, points, eps, kind, spread, threads).maximum()

    def breakdown(
        self,
        bound: float = 1.0,
        kind: str = "point",
        points=None,
        spread: float | None = None,
        largest: float = 0.5,
        resolution: float = 0.02,
        threads: int | None = None,
    ) -> Breakdown:
        """Search the smallest share of contamination that moves the estimate beyond a bound.

        Parameters
        ----------
        bound : float
            In units of each parameter's reach, the change that moves the fitted law by its interquartile range.
        kind, points, spread, threads
            As for ``max_bias``.
        largest, resolution : float
            Shares tried: resolution, 2 resolution, ... up to the largest.

        Returns
        -------
        Breakdown
        """
        points = self.places() if points is None else points
        return contamination.breakdown(self.fit, bound, kind, points, spread, largest, resolution, threads)

    def places(self) -> np.ndarray:
        """Places (k, d) of contamination: along the rays of ``default_points``, out to 20 scales."""
        return suprema.places(self._of.sample)

    # Figures.

    def plot(self, name: str | None = None, ax=None):
        """Draw influence functions over the data's rug; one-dimensional data only.

        Parameters
        ----------
        name : str, optional
            One of ``joint_params``; all of ``params`` unless given.
        ax : Axes, optional
        """
        fit, sample = self.fit, self._of.sample
        if sample.d != 1:
            raise ValueError(f"plot: the data have {sample.d} coordinates; use plot_index.")
        names, x = list(fit.params.index) if name is None else [name], sample.rows[:, 0]
        grid = np.linspace(*plots.bulk_view(x), 401)
        values = self.at(grid)
        unknown = [each for each in names if each not in values]
        if unknown:
            raise ValueError(f"name: {shown(unknown[0])} is no parameter; give one of {', '.join(values)}.")
        flagged, label = fit.outlier_positions(), sample.origin.name or "x"
        return plots.influence_curves(grid, values[names], x, self.observations[names], flagged, ax, label)

    def plot_index(self, y: str = "cooks_d", ax=None):
        """Draw a column of ``summary_frame`` against the positions of the observations, the largest labelled."""
        frame, sample = self._cases, self._of.sample
        if y not in frame:
            raise ValueError(f"y: {shown(y)} is no column; give one of {', '.join(frame)}.")
        names = texts(sample.labels) if sample.is_labelled else None
        return plots.index_plot(frame[y].to_numpy(), y, self.fit.outlier_positions(), ax, names=names)
