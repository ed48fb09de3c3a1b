"""Empirical influence functions of a fit, and the diagnostics of single observations that follow from them.

With u = (theta, alpha), H the derivative of the mean score and psi the score of one observation,

    IF(x; u) = -H^-1 [psi(x; u) - sum_i w_i psi(x_i; u)],

centred, because a contamination (1 - eps) P + eps delta_x takes weight from the rest. In a regression psi holds the
mean of the scores of the observation's simulated responses, too, since they have its covariates.
"""

import dataclasses
import functools

import jax
import numpy as np
import pandas as pd
from scipy import special

from hellgan import contamination, deletion, inference, latents, objective, plots, refits
from hellgan.contamination import BiasCurve, Breakdown
from hellgan.deletion import Decisive, Jackknife
from hellgan.losses import derivatives
from hellgan.overidentification import balance, mean_features
from hellgan.solver.implicit import weight_slopes
from hellgan.validation import checked_points, shown

_TIED = 64  # simulated responses at a covariate where an influence function is asked for
_BLOCK = 1024  # points a call

# Where a supremum is sought: distances from the centre in units of the scale; far ones show whether it grows on.
_NEAR, _FAR = np.linspace(0.0, 6.0, 61)[1:], np.geomspace(6.0, 1e5, 60)[1:]
STANDARDS = (None, "self", "information")


class Influence:
    """What single observations do to a fit; made by ``GANResults.influence``.

    Names are those of statsmodels' ``MLEInfluence`` where the two meet.

    Attributes
    ----------
    fit : GANResults
    """

    def __init__(self, fit):
        fit.require_law()
        self.fit = fit

    def __repr__(self):
        return f"<Influence of {self.fit!r}>"

    # Influence functions.

    def at(self, points, functional=None, under: str = "fit") -> pd.DataFrame:
        """Evaluate influence functions at points.

        Parameters
        ----------
        points : (k,) or (k, d) array_like
            Of a regression: rows of covariates and response.
        functional : Functionals, optional
            As ``result.quantile(.9)`` gives it: its influence function in place of the parameters'.
        under : {"fit", "model"}
            At the fit as it is; or the closed form (J' C^-1 J)^-1 J' C^-1 (phi(x) - E phi) at the model, the same
            for every loss (but for the ridge), where the data are what the fitted generator makes.

        Returns
        -------
        DataFrame (k, r + q + 1)
            Natural generator parameters, then alpha_0 to alpha_q; not divided by n.
        """
        x = checked_points(points, self.fit.generator.dim)
        if under not in ("fit", "model"):
            raise ValueError(f"under: {shown(under)} is not known; give 'fit' or 'model'.")
        return self._named(self._free(x) if under == "fit" else self._model(x), functional)

    @functools.cached_property
    def observations(self) -> pd.DataFrame:
        """Influence functions at the observations: (n, r + q + 1), as ``at`` gives them."""
        return self._named(self.unconstrained)

    @functools.cached_property
    def unconstrained(self) -> np.ndarray:
        """Influence functions of (theta, alpha) at the observations, unconstrained scale: (n, p + q + 1)."""
        rows, shares = self.fit.estfun().to_numpy(), self.fit.model.shares()
        return np.linalg.solve(-self.fit.saddle.jacobian, (rows - shares @ rows).T).T

    def _free(self, x: np.ndarray) -> np.ndarray:
        """At points (k, d), unconstrained scale."""
        fit, game = self.fit, self._game
        rows = _in_blocks(lambda block: _scores_at(game, fit.saddle.theta, fit.saddle.alpha, block), self._rows_of(x))
        mean = fit.model.shares() @ fit.estfun().to_numpy()
        return np.linalg.solve(-fit.saddle.jacobian, (rows - mean).T).T

    def _rows_of(self, x: np.ndarray) -> np.ndarray:
        return x[:, 0] if self.fit.generator.dim == 1 else x

    @functools.cached_property
    def _game(self):
        """The fit's game; in a regression with latent points for any covariates, the same for all."""
        model = self.fit.model
        game = model.game()
        if not game.tied:
            return game
        g = model.generator
        return dataclasses.replace(game, z=latents.draw("sobol", g.law, _TIED, g.latent_dim, model.seed)[0])

    def features(self, x: np.ndarray) -> np.ndarray:
        """The discriminator's features at points (k, d), without the constant: (k, q)."""
        game = self.fit.model.game()
        return _in_blocks(lambda block: _features_at(game, block), self._rows_of(x))[:, 1:]

    def _model(self, x: np.ndarray) -> np.ndarray:
        fit = self.fit
        model, game = fit.model, fit.model.game()
        if game.tied:
            raise ValueError("under: a regression has no closed form at the model; give 'fit'.")
        with jax.enable_x64(True):
            of = balance(game, fit.saddle.theta, fit.saddle.alpha, model.scrambles(), "simulated")
            mean = jax.device_get(mean_features(game, fit.saddle.theta))[1]
        phi = self.features(x) - mean
        of_theta, of_alpha = of.solution(game.loss.c)
        slopes = phi @ of_alpha.T
        return np.concatenate([phi @ of_theta.T, -(slopes @ mean)[:, None], slopes], axis=1)

    def _named(self, rows: np.ndarray, functional=None) -> pd.DataFrame:
        p, natural = self.fit.generator.size, self.fit.law.natural_slope
        if functional is not None:
            return pd.DataFrame(rows[:, :p] @ functional.gradient.T, columns=list(functional.params.index))
        return pd.DataFrame(
            np.concatenate([rows[:, :p] @ natural.T, rows[:, p:]], axis=1), columns=list(self.fit.joint_params.index)
        )

    def weight_derivatives(self) -> pd.DataFrame:
        """Influence functions at the observations by jaxopt's implicit differentiation: a check of ``observations``.

        Returns
        -------
        DataFrame (n, r + q + 1)
        """
        fit, shares = self.fit, self.fit.model.shares()
        with jax.enable_x64(True):
            slopes = weight_slopes(fit.model.game(), fit.saddle.theta, fit.saddle.alpha)[:, : fit.nobs].T
        return self._named(slopes - shares @ slopes)

    # Suprema.

    def default_points(self) -> np.ndarray:
        """Points (k, d) at which suprema are sought: the data, and rays from their centre to 100,000 scales away.

        Rays go along the axes and the diagonals of pairs; in a regression from every observation along the response,
        and along each covariate.
        """
        model, x = self.fit.model, self.fit.model.rows
        center, scale = np.median(x, axis=0), model.scales()
        d, k = x.shape[1], self.fit.generator.covariates
        radii = np.concatenate([-_FAR[::-1], -_NEAR[::-1], [0.0], _NEAR, _FAR])
        axes = np.eye(d)
        if k:
            near = radii[np.abs(radii) <= 6][::6]
            responses = [row + r * scale * axes[-1] for row in x[:: max(1, len(x) // 50)] for r in near]
            leverage = [center + r * scale * (a + s * axes[-1]) for a in axes[:-1] for s in (-1, 0, 1) for r in radii]
            return np.concatenate([x, responses, leverage, [center + r * scale * axes[-1] for r in radii]])
        directions = [*axes, *(axes[i] + s * axes[j] for i in range(d) for j in range(i) for s in (1, -1))]
        return np.concatenate([x, *(center + radii[:, None] * scale * u for u in directions)])

    def gross_error_sensitivity(self, standardised: str | None = None, points=None):
        """Find the largest influence that one observation can have.

        Parameters
        ----------
        standardised : {None, "self", "information"}
            None: of each parameter's absolute influence. ``"self"``: of the influence measured by the estimate's own
            covariance, sqrt(IF' Omega^-1 IF) with Omega n times it. ``"information"``: by the information about
            theta that the discriminator has, H_at' (-H_aa)^-1 H_at / c, which at the model is Fisher's where the
            features span the score.
        points : (k,) or (k, d) array_like, optional
            ``default_points()`` unless given.

        Returns
        -------
        Series or float
            Infinite where the influence still grows at the farthest of the default points.
        """
        if standardised not in STANDARDS:
            raise ValueError(f"standardised: {shown(standardised)} is not known; give None, 'self' or 'information'.")
        x = self.default_points() if points is None else checked_points(points, self.fit.generator.dim)
        values = self._free(x)
        p = self.fit.generator.size
        if standardised is None:
            sizes = np.abs(self._named(values).to_numpy()[:, : len(self.fit.params)])
        else:
            root = np.linalg.cholesky(self._metric(standardised))
            sizes = np.linalg.norm(values[:, :p] @ root, axis=1)[:, None]
        largest = self._suprema(x, sizes) if points is None else sizes.max(axis=0)
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
            Of the largest norm of the gradient in the observation.
        """
        x = self.default_points() if points is None else checked_points(points, self.fit.generator.dim)
        fit, game = self.fit, self._game
        slopes = _in_blocks(
            lambda block: _score_gradients(game, fit.saddle.theta, fit.saddle.alpha, block), self._rows_of(x)
        )
        slopes = slopes.reshape(len(x), slopes.shape[1], -1)
        influence = np.linalg.solve(-fit.saddle.jacobian, slopes)[:, : game.p]
        natural = np.linalg.norm(fit.law.natural_slope @ influence, axis=2)
        largest = self._suprema(x, natural) if points is None else natural.max(axis=0)
        return pd.Series(largest, fit.params.index, name="local-shift sensitivity")

    def _suprema(self, x, sizes) -> np.ndarray:
        """Largest sizes (k, r) over default points (k, d); infinite where they still grow at those farthest away."""
        model = self.fit.model
        away = np.max(np.abs(x - np.median(model.rows, axis=0)) / model.scales(), axis=1)
        far, largest = away > 1e4, sizes.max(axis=0)
        grows = np.max(sizes[far], axis=0) > 1.01 * np.max(sizes[~far], axis=0)
        return np.where(grows, np.inf, largest)

    def _metric(self, kind: str) -> np.ndarray:
        fit, p = self.fit, self.fit.generator.size
        if kind == "self":
            return np.linalg.inv(fit.covariance.theta * fit.require_law().n)
        information = inference.informations(fit.saddle.jacobian[None], p)[0]
        return (information + information.T) / (2 * fit.model.loss.c)

    # Leaving observations out.

    def leave_one_out(self, method: str = "newton", threads: int | None = None, progress: bool = False) -> pd.DataFrame:
        """Estimate without each observation in turn: (n, r), natural scale.

        Parameters
        ----------
        method : {"newton", "infinitesimal", "exact"}
            One Newton step from the fit, with the Jacobian of the equations without the observation; the influence
            function's answer; or a refit each.
        threads, progress
            Of the refits.
        """
        fit, shares = self.fit, self.fit.model.shares()
        if method == "newton":
            return self._natural(self._one_step[:, : fit.generator.size])
        if method == "infinitesimal":
            away = -(shares / (1 - shares))[:, None] * self.unconstrained[:, : fit.generator.size]
            return self._natural(fit.saddle.theta + away)
        if method != "exact":
            raise ValueError(f"method: {shown(method)} is not known; give 'newton', 'infinitesimal' or 'exact'.")
        kept = shares * (1 - np.eye(fit.nobs))
        return self._natural(deletion.refit_with_weights(fit, kept, threads, progress).theta)

    @functools.cached_property
    def _one_step(self) -> np.ndarray:
        return deletion.one_step(self.fit)

    def _natural(self, theta: np.ndarray) -> pd.DataFrame:
        return pd.DataFrame(refits.natural_rows(self.fit.generator, theta), columns=self.fit.params.index)

    @functools.cached_property
    def d_params(self) -> pd.DataFrame:
        """Estimates less those without each observation, by one Newton step: (n, r)."""
        return self.fit.params - self.leave_one_out()

    @functools.cached_property
    def dfbetas(self) -> pd.DataFrame:
        """``d_params`` in standard errors."""
        return self.d_params / self.fit.bse

    @functools.cached_property
    def cooks_distance(self) -> tuple[np.ndarray, np.ndarray]:
        """Cook-type distances d' Cov^-1 d / p of ``d_params``, unconstrained scale; and their chi-square p-values."""
        p = self.fit.generator.size
        d = self.fit.saddle.theta - self._one_step[:, :p]
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
        """Put what is known of each observation in a frame, those first that the generator accounts for least.

        Returns
        -------
        DataFrame (n, ...)
            Index: positions among the data. Columns: ``dfb_<parameter>`` (``dfbetas``), ``cooks_d``, ``influence``
            (self-standardised), ``log_ratio`` and ``prob_real`` by the discriminator, and ``weight``, the loss's
            slope real'(v) there over that at v = 0: what the observation counts in the discriminator's score.
        """
        fit = self.fit
        frame = self.dfbetas.add_prefix("dfb_")
        frame["cooks_d"] = self.cooks_distance[0]
        metric = self._metric("self")
        theta = self.unconstrained[:, : fit.generator.size]
        frame["influence"] = np.sqrt(np.einsum("ni,ij,nj->n", theta, metric, theta))
        frame["log_ratio"] = v = fit.log_ratio(fit.model.x)
        frame["prob_real"] = special.expit(v)
        with jax.enable_x64(True):
            frame["weight"] = np.asarray(_slopes(fit.model.loss, v)) / fit.model.loss.c
        return frame.sort_values("log_ratio", ascending=False, kind="stable")

    def decisive(self, name: str, change: str = "sign", null: float = 0.0, alpha: float = 0.05) -> Decisive:
        """Find the few observations whose removal would change a conclusion, after Broderick, Giordano and Meager.

        Observations are ranked by the first-order effect of leaving them out; as few of the first as should suffice
        are left out, and the model is refitted without them.

        Parameters
        ----------
        name : str
            Of the parameter.
        change : {"sign", "significance", "both"}
            That estimate less ``null`` changes its sign; that the Wald interval comes to hold ``null``, or no longer
            does, on the estimate's own side; that the interval comes to lie on the other side.
        null : float
        alpha : float
            One minus the interval's level.

        Returns
        -------
        Decisive
        """
        names = list(self.fit.params.index)
        if name not in names:
            raise ValueError(f"name: {shown(name)} is no parameter; give one of {', '.join(names)}.")
        if change not in ("sign", "significance", "both"):
            raise ValueError(f"change: {shown(change)} is not known; give 'sign', 'significance' or 'both'.")
        return deletion.decisive(self.fit, self.unconstrained, names.index(name), change, float(null), alpha)

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
            Its shares; each place is followed from the fit through them in increasing order.
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
        if estimator == "ml":
            return contamination.likelihood_bias_curve(self.fit, points, eps, kind, spread)
        if estimator != "gan":
            raise ValueError(f"estimator: {shown(estimator)} is not known; give 'gan' or 'ml'.")
        return contamination.bias_curve(self.fit, points, eps, kind, spread, threads, progress)

    def sensitivity_curve(self, points, threads: int | None = None) -> pd.DataFrame:
        """Give n + 1 times the change that one more observation at each point makes: (Y, parameters)."""
        return contamination.sensitivity_curve(self.fit, points, threads)

    def max_bias(
        self, eps, kind: str = "point", points=None, spread: float | None = None, threads: int | None = None
    ) -> pd.DataFrame:
        """Find the largest absolute bias over places of the contamination, for each share of it.

        Parameters
        ----------
        eps, kind, points, spread, threads
            As for ``bias_curve``; ``places()``, 36 a direction out to 20 scales from the median, unless given.

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
        model, x = self.fit.model, self.fit.model.rows
        center, scale, axes = np.median(x, axis=0), model.scales(), np.eye(x.shape[1])
        radii = np.concatenate([np.linspace(0.5, 6, 12), [7, 8, 10, 12, 15, 20]])
        radii = np.concatenate([-radii[::-1], radii])
        directions = [*axes, *(axes[i] + s * axes[j] for i in range(len(axes)) for j in range(i) for s in (1, -1))]
        return np.concatenate([center + radii[:, None] * scale * u for u in directions])

    # Figures.

    def plot(self, name: str | None = None, ax=None):
        """Draw one parameter's influence function over the data's rug; one-dimensional data only.

        Parameters
        ----------
        name : str, optional
            Of ``joint_params``; all of the generator's unless given.
        ax : Axes, optional
        """
        fit = self.fit
        if fit.generator.dim != 1:
            raise ValueError(f"plot: the data have {fit.generator.dim} coordinates; use plot_index.")
        names = list(fit.params.index) if name is None else [name]
        grid = np.linspace(*plots.bulk_view(fit.model.x), 401)
        values = self.at(grid)
        unknown = [each for each in names if each not in values]
        if unknown:
            raise ValueError(f"name: {shown(unknown[0])} is no parameter; give one of {', '.join(values)}.")
        return plots.influence_curves(grid, values[names], fit.model.x, self.observations[names], fit.outliers(), ax)

    def plot_index(self, y: str = "cooks_d", ax=None):
        """Draw a column of ``summary_frame`` against the positions of the observations, the largest labelled."""
        frame = self.summary_frame().sort_index()
        if y not in frame:
            raise ValueError(f"y: {shown(y)} is no column; give one of {', '.join(frame)}.")
        return plots.index_plot(frame[y].to_numpy(), y, self.fit.outliers(), ax)


def _in_blocks(function, rows: np.ndarray) -> np.ndarray:
    """Apply a compiled function to rows (k, ...), in double precision, padded to blocks of few shapes."""
    k = len(rows)
    size = min(_BLOCK, max(16, 1 << (k - 1).bit_length()))
    found = []
    with jax.enable_x64(True):
        for begin in range(0, k, size):
            block = rows[begin : begin + size]
            padding = np.repeat(block[-1:], size - len(block), axis=0)
            found.append(np.asarray(function(np.concatenate([block, padding])))[: len(block)])
    return np.concatenate(found)


def _score(game, theta, alpha, x):
    """Score of one observation; in a regression with those of simulated responses at its covariates, game.z."""
    basis, loss = game.basis, game.loss
    phi = basis.features(x)
    own = jax.numpy.concatenate([jax.numpy.zeros_like(theta), derivatives(loss.real, phi @ alpha)[1] * phi])
    if not game.tied:
        return own
    k = game.generator.covariates
    z = jax.numpy.concatenate([jax.numpy.broadcast_to(x[:k], (game.z.shape[0], k)), game.z], axis=1)
    return own + jax.numpy.mean(objective.simulated_rows(game, theta, alpha, z).scores, axis=0)


@jax.jit
def _scores_at(game, theta, alpha, x):
    return jax.vmap(lambda row: _score(game, theta, alpha, row))(x)


@jax.jit
def _score_gradients(game, theta, alpha, x):
    return jax.vmap(jax.jacfwd(lambda row: _score(game, theta, alpha, row)))(x)


@jax.jit
def _features_at(game, x):
    return objective.features(game, x)


@jax.jit
def _slopes(loss, v):
    return derivatives(loss.real, v)[1]
