"""What contamination does to a fit: refits with a share of foreign observations, along their place and their share.

The sample's law P_n is replaced by (1 - eps) P_n + eps Q, with Q a point mass or a few points that stand for a
cluster or a spread. Each place is followed from the fit as eps grows, all places side by side, so that what is found
is the solution that grows out of the fit: where another one is better, the curve shows the fit's own branch until
it ends.
"""

import dataclasses
import functools
from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import numpy as np
import pandas as pd
from scipy import special

from hellgan import batching, latents, plots, refits
from hellgan.validation import checked_points, shown

KINDS = ("point", "cluster", "spread")
_CLUSTER, _SPREAD = 9, 33  # points that stand for a law: the middles of as many parts of equal probability


class BiasCurve:
    """How far contamination moves the estimates; made by ``Influence.bias_curve``.

    Attributes
    ----------
    points : (Y, d) array
        Where the contamination lies.
    eps : (E,) array
        Its shares.
    params : (E, Y, parameters) array
        Estimates, natural scale; NaN where the refit is not certified.
    names : list of str
    label : str
        Of the estimator: the loss's name, or maximum likelihood.
    n_failed : int
        Refits that are not certified.
    """

    def __init__(self, points, eps, params, reference, names, label):
        self.points, self.eps, self.params = points, eps, params
        self.names, self.label, self._reference = names, label, reference
        self.n_failed = int(np.sum(np.isnan(params[:, :, 0])))

    def __repr__(self):
        return (
            f"<BiasCurve of {self.label}: {len(self.eps)} shares x {len(self.points)} points, {self.n_failed} failed>"
        )

    @property
    def bias(self) -> np.ndarray:
        """``params`` less the estimates without contamination: (E, Y, parameters)."""
        return self.params - self._reference

    def to_frame(self) -> pd.DataFrame:
        """List the biases: one row a share and point."""
        d = self.points.shape[1]
        columns = ["point"] if d == 1 else [f"point_{k + 1}" for k in range(d)]
        index = pd.MultiIndex.from_product([self.eps, range(len(self.points))], names=["eps", "place"])
        frame = pd.DataFrame(self.bias.reshape(-1, len(self.names)), index, self.names).reset_index()
        where = pd.DataFrame(self.points[frame["place"]], columns=columns)
        return pd.concat([frame[["eps"]], where, frame[self.names]], axis=1)

    def maximum(self) -> pd.DataFrame:
        """Give the largest absolute bias of each parameter over the points, for each share.

        Refits that failed are counted in ``n_failed`` and left out.
        """
        with np.errstate(invalid="ignore"):
            bias = np.abs(self.bias)
        some = np.any(~np.isnan(bias), axis=1)
        largest = np.where(some, np.max(np.where(np.isnan(bias), -np.inf, bias), axis=1), np.nan)
        frame = pd.DataFrame(largest, pd.Index(self.eps, name="eps"), self.names)
        frame["n_failed"] = np.sum(np.isnan(bias[:, :, 0]), axis=1)
        return frame

    def plot(self, name: str | None = None, ax=None, beside: Sequence["BiasCurve"] = ()):
        """Draw the bias of one parameter along the points, one line a share.

        Parameters
        ----------
        name : str, optional
            Of the parameter; the first unless given.
        ax : Axes, optional
        beside : sequence of BiasCurve
            Of other losses, or of maximum likelihood, to draw in the same figure.

        Returns
        -------
        matplotlib Axes
        """
        name = self.names[0] if name is None else name
        for curve in (self, *beside):
            if name not in curve.names:
                raise ValueError(f"name: {shown(name)} is no parameter; give one of {', '.join(curve.names)}.")
        return plots.bias_curves([self, *beside], name, ax)


class Foreign(NamedTuple):
    """Contaminating observations: for each of Y places K rows of weights that sum to 1."""

    rows: np.ndarray  # (Y, K, d) or (Y, K)
    weights: np.ndarray  # (K,)


def foreign(fit, points: np.ndarray, kind: str, spread: float | None) -> Foreign:
    """Lay the contamination of a kind around each point (Y, d).

    A cluster is normal with standard deviation ``spread`` (a tenth of the sample's robust scale unless given), along
    each coordinate alike; a spread is uniform over ``spread`` (ten times the scale) to either side. In a regression
    only responses are spread.
    """
    if kind not in KINDS:
        raise ValueError(f"kind: {shown(kind)} is not known; give one of {', '.join(KINDS)}.")
    k = {"point": 1, "cluster": _CLUSTER, "spread": _SPREAD}[kind]
    levels = (np.arange(k) + 0.5) / k
    offsets = np.zeros(1) if kind == "point" else special.ndtri(levels) if kind == "cluster" else 2 * levels - 1
    width = (0.1 if kind == "cluster" else 10.0) * fit.model.scales() if spread is None else float(spread)
    d, covariates = points.shape[1], fit.generator.covariates
    moved = np.broadcast_to(width, (d,)) * (np.arange(d) >= covariates)
    rows = points[:, None, :] + offsets[:, None] * moved
    return Foreign(rows[:, :, 0] if d == 1 else rows, np.full(k, 1 / k))


def bias_curve(
    fit, points, eps, kind: str = "point", spread: float | None = None, threads: int | None = None, progress=False
) -> BiasCurve:
    """Refit along points and shares; the arguments are those of ``Influence.bias_curve``."""
    points, shares = checked_points(points, fit.generator.dim), _checked_shares(eps)
    order = np.argsort(shares)
    path = _Path(fit, foreign(fit, points, kind, spread))
    with batching.bar(len(shares) * len(points), progress, "refit") as bar:
        for k in order:
            path.follow(float(shares[k]), threads)
            bar.update(len(points))
    natural = np.empty((len(shares), len(points), len(fit.params)))
    natural[order] = np.array(path.natural)
    return BiasCurve(points, shares, natural, fit.params.to_numpy(), list(fit.params.index), fit.model.loss.name)


def sensitivity_curve(fit, points, threads: int | None = None) -> pd.DataFrame:
    """Give n + 1 times the change that one more observation at each point makes: (Y, parameters)."""
    curve = bias_curve(fit, points, [1 / (fit.nobs + 1)], threads=threads)
    return pd.DataFrame((fit.nobs + 1) * curve.bias[0], columns=curve.names)


class _Path:
    """Refits at a growing share of contamination at Y places, each from the last one's solution there."""

    def __init__(self, fit, of: Foreign):
        self.fit, self.of, self.count = fit, of, len(of.rows)
        self.game = self._widened(of.rows.shape[1])
        u = np.concatenate([fit.saddle.theta, fit.saddle.alpha])
        self.shares, self.solutions = [0.0], [np.tile(u, (self.count, 1))]
        self.natural: list[np.ndarray] = []

    def _widened(self, k: int):
        """The fit's game with room for k more observations."""
        model, game = self.fit.model, self.fit.model.game()
        n = model.nobs
        size = max(len(game.x_weights), model.padded_size(n + k))
        more = size - len(game.x_weights)

        def longer(rows, by):
            return np.concatenate([rows, np.repeat(rows[:1], by, axis=0)]) if by else rows

        fields: dict[str, Any] = {"x": longer(game.x, more), "x_weights": np.pad(game.x_weights, (0, more))}
        if game.tied:
            z = longer(game.z, more * game.tied).copy()
            g = model.generator
            draws = latents.draw_tied(model.latent, g.law, k, game.tied, g.latent_dim, model.seed + 1)
            at = slice(n * game.tied, (n + k) * game.tied)
            z[at, g.covariates :] = draws.reshape(-1, g.latent_dim)
            fields |= {"z": z, "z_weights": np.pad(game.z_weights, (0, more * game.tied))}
        return dataclasses.replace(game, **fields)

    def changes(self, share: float, chunk: slice) -> refits.Changes:
        game, of, n = self.game, self.of, self.fit.nobs
        rows = of.rows[chunk]
        count, k = rows.shape[:2]
        x = np.repeat(game.x[None], count, axis=0)
        x[:, n : n + k] = rows
        weights = (1 - share) * game.x_weights
        weights[n : n + k] = share * of.weights
        fields = {"x": x, "x_weights": np.broadcast_to(weights, (count, len(weights)))}
        if game.tied:
            covariates = self.fit.generator.covariates
            z = np.repeat(game.z[None], count, axis=0)
            at = slice(n * game.tied, (n + k) * game.tied)
            z[:, at, :covariates] = np.repeat(rows[:, :, :covariates], game.tied, axis=1)
            tied = np.repeat(weights, game.tied) / game.tied
            fields |= {"z": z, "z_weights": np.broadcast_to(tied, (count, len(tied)))}
        return refits.Changes(fields)

    def follow(self, share: float, threads: int | None, more: int | None = None) -> None:
        """Solve at a larger share."""
        start = self.solutions[-1]
        if len(self.solutions) > 1:
            # Straight on, in the share: contamination moves a solution nearly in proportion at first.
            (a, b), (u, v) = self.shares[-2:], self.solutions[-2:]
            ahead = v + (v - u) * (share - b) / (b - a) if b > a else v
            start = np.where(np.isfinite(ahead), ahead, v)
        p = self.game.p
        changes = functools.partial(self.changes, share)
        found = refits.refit(self.game, changes, self.count, start[:, :p], start[:, p:], threads=threads, more=more)
        solved = np.concatenate([found.theta, found.alpha], axis=1)
        self.natural.append(refits.natural_rows(self.fit.generator, found.theta))
        self.shares.append(share)
        # A place that fails is tried anew from its last solution.
        self.solutions.append(np.where(np.isfinite(solved), solved, self.solutions[-1]))


def likelihood_bias_curve(fit, points, eps, kind: str = "point", spread: float | None = None) -> BiasCurve:
    """What contamination does to the maximum-likelihood estimate of the same family, for comparison."""
    if not fit.generator.has_density:
        raise ValueError(f"bias_curve: {fit.generator.name} has no density in closed form, so no maximum likelihood.")
    points, shares = checked_points(points, fit.generator.dim), _checked_shares(eps)
    of, x, own = foreign(fit, points, kind, spread), fit.model.x, fit.model.shares()
    unpenalised = _maximum_likelihood(fit.generator, x, own, fit.saddle.theta)
    found = np.empty((len(shares), len(points), len(unpenalised)))
    for j, rows in enumerate(of.rows):
        at = unpenalised
        both = np.concatenate([x, rows])
        for k in np.argsort(shares):
            weights = np.concatenate([(1 - shares[k]) * own, shares[k] * of.weights])
            at = found[k, j] = _maximum_likelihood(fit.generator, both, weights, at)
    natural = refits.natural_rows(fit.generator, found.reshape(-1, found.shape[2])).reshape(*found.shape[:2], -1)
    reference = refits.natural_rows(fit.generator, unpenalised[None])[0]
    return BiasCurve(points, shares, natural, reference, list(fit.params.index), "maximum likelihood")


def _maximum_likelihood(generator, x, weights, theta) -> np.ndarray:
    from scipy import optimize

    def objective(theta):
        value, slope = _negative_likelihood(generator, x, weights, theta)
        return float(value), np.asarray(slope)

    with jax.enable_x64(True):
        return optimize.minimize(objective, theta, jac=True, method="BFGS", options={"gtol": 1e-8}).x


@jax.jit
@functools.partial(jax.value_and_grad, argnums=3)
def _negative_likelihood(generator, x, weights, theta):
    natural = generator.natural(theta)
    return -weights @ jax.vmap(lambda row: generator.log_density(row, **natural))(x)


@dataclasses.dataclass(frozen=True)
class Breakdown:
    """The smallest share of contamination that moves an estimate beyond a bound.

    Attributes
    ----------
    eps : float
        It, within ``resolution``; infinite where no share up to the largest tried does.
    point : array (d,) or None
        Where that contamination lies.
    bound : float
        In units of the parameter's own reach: what moves the fitted law by its interquartile range.
    kind : str
    resolution : float
    n_failed : int
        Refits that were not certified, of which nothing is known.
    """

    eps: float
    point: np.ndarray | None
    bound: float
    kind: str
    resolution: float
    n_failed: int


def breakdown(
    fit, bound: float, kind: str, points, spread: float | None, largest: float, resolution: float, threads
) -> Breakdown:
    """Search the smallest share that moves theta beyond a bound; the arguments are those of ``Influence.breakdown``."""
    points = checked_points(points, fit.generator.dim)
    path, reach, failed = _Path(fit, foreign(fit, points, kind, spread)), fit.reach(), 0
    for share in np.arange(resolution, largest + resolution / 2, resolution):
        path.follow(share, threads, more=1)
        theta = path.solutions[-1][:, : path.game.p]
        lost = np.isnan(path.natural[-1][:, 0])
        failed += int(np.sum(lost))
        moved = np.max(np.abs(theta - fit.saddle.theta) / reach, axis=1)
        moved[lost] = 0.0
        if np.any(moved > bound):
            return Breakdown(round(float(share), 12), points[int(np.argmax(moved))], bound, kind, resolution, failed)
    return Breakdown(np.inf, None, bound, kind, resolution, failed)


def _checked_shares(eps) -> np.ndarray:
    try:
        shares = np.atleast_1d(np.asarray(eps, np.float64))
    except (TypeError, ValueError):
        shares = np.array([np.nan])
    if shares.ndim != 1 or not np.all((shares > 0) & (shares < 1)):
        raise ValueError(f"eps: got {shown(eps)}; give shares of contamination between 0 and 1.")
    return shares
