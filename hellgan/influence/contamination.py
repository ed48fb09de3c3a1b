"""What contamination does to a fit: refits with a share of foreign observations, along their place and their share.

The sample's law P_n is replaced by (1 - eps) P_n + eps Q, with Q a point mass or a few points that stand for a
cluster or a spread. Each place is followed from the fit as eps grows, all places side by side, so that what is found
is the solution that grows out of the fit: where another one is better, the curve shows the fit's own branch until
it ends.
"""

import dataclasses
import functools
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy import special

from hellgan import plots
from hellgan.checks import checked_real, is_one_of, shown
from hellgan.estimation import CaseFit, Resamples
from hellgan.execution.threads import progress_bar
from hellgan.influence import likelihood
from hellgan.parameters import natural_rows

KINDS = ("point", "cluster", "spread")
_CLUSTER, _SPREAD = 9, 33  # points that stand for a law: the middles of as many parts of equal probability


class BiasCurve:
    """How far contamination moves the estimates; made by ``Influence.bias_curve``.

    Attributes
    ----------
    points : (Y, d) array
        Where the contamination lies.
    eps : (E,) array
        Shares of the contamination.
    params : (E, Y, parameters) array
        Estimates, natural scale; NaN where the refit is not certified.
    names : list of str
    label : str
        Of the estimator: the loss's name, or maximum likelihood.
    trouble : (E, Y) array of str
        Why a refit is not certified; empty where it is.
    n_failed : int
        Refits that are not certified.
    """

    def __init__(self, points, eps, params, reference, names, label, trouble=None):
        self.points, self.eps, self.params = points, eps, params
        self.trouble = np.full(params.shape[:2], "", object) if trouble is None else np.array(trouble, object)
        self.names, self.label, self._reference = names, label, reference
        self.n_failed = int(np.sum(np.isnan(params[:, :, 0])))

    def __repr__(self):
        reasons = self.trouble[self.trouble != ""]
        why = f", the first since {reasons[0]}" if len(reasons) else ""
        size = f"{len(self.eps)} shares x {len(self.points)} points"
        return f"<BiasCurve of {self.label}: {size}, {self.n_failed} failed{why}>"

    @property
    def bias(self) -> np.ndarray:
        """``params`` less the estimates without contamination: (E, Y, parameters), natural scale."""
        return self.params - self._reference

    def to_frame(self) -> pd.DataFrame:
        """List the biases, one row a share and point; where refits failed a column ``trouble`` says why."""
        d = self.points.shape[1]
        columns = ["point"] if d == 1 else [f"point_{k + 1}" for k in range(d)]
        index = pd.MultiIndex.from_product([self.eps, range(len(self.points))], names=["eps", "place"])
        frame = pd.DataFrame(self.bias.reshape(-1, len(self.names)), index, self.names).reset_index()
        where = pd.DataFrame(self.points[frame["place"]], columns=columns)
        found = pd.concat([frame[["eps"]], where, frame[self.names]], axis=1)
        return found.assign(trouble=self.trouble.ravel()) if self.n_failed else found

    def maximum(self) -> pd.DataFrame:
        """Give the largest absolute bias of each parameter, natural scale, over the points, for each share.

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
            if not is_one_of(name, curve.names):
                raise ValueError(f"name: {shown(name)} is no parameter; give one of {', '.join(curve.names)}.")
        return plots.bias_curves([self, *beside], name, ax)


class Foreign(NamedTuple):
    """Contaminating observations: for each of Y places K rows of weights that sum to 1."""

    rows: np.ndarray  # (Y, K, d)
    weights: np.ndarray  # (K,)


def foreign(fit: CaseFit, points: np.ndarray, kind: str, spread: float | None) -> Foreign:
    """Lay the contamination of a kind around each point (Y, d).

    A cluster is normal with standard deviation ``spread`` (a tenth of the sample's robust scale unless given), along
    each coordinate alike; a spread is uniform over ``spread`` (ten times the scale) to either side. In a regression
    only responses are spread.
    """
    if not is_one_of(kind, KINDS):
        raise ValueError(f"kind: {shown(kind)} is not known; give one of {', '.join(KINDS)}.")
    k = {"point": 1, "cluster": _CLUSTER, "spread": _SPREAD}[kind]
    levels = (np.arange(k) + 0.5) / k
    offsets = np.zeros(1) if kind == "point" else special.ndtri(levels) if kind == "cluster" else 2 * levels - 1
    sample = fit.equations.sample
    if spread is None:
        width = (0.1 if kind == "cluster" else 10.0) * sample.scales
    else:
        width = checked_real("spread", spread, "a positive number, on the data's scale")
    moved = np.broadcast_to(width, (sample.d,)) * (np.arange(sample.d) >= sample.covariates)
    return Foreign(points[:, None, :] + offsets[:, None] * moved, np.full(k, 1 / k))


def bias_curve(
    fit: CaseFit,
    points,
    eps,
    kind: str = "point",
    spread: float | None = None,
    threads: int | None = None,
    progress=False,
) -> BiasCurve:
    """Refit along points and shares; the arguments are those of ``Influence.bias_curve``."""
    points, shares = fit.equations.sample.points(points), _checked_shares(eps)
    order = np.argsort(shares)
    path = _Path(fit, foreign(fit, points, kind, spread))
    with progress_bar(len(shares) * len(points), progress, "refit") as bar:
        for k in order:
            path.follow(float(shares[k]), threads)
            bar.update(len(points))
    natural = np.empty((len(shares), len(points), len(fit.params)))
    natural[order] = np.array(path.natural)
    trouble = np.empty(natural.shape[:2], object)
    trouble[order] = np.array(path.trouble, object)
    return BiasCurve(points, shares, natural, fit.params.to_numpy(), list(fit.params.index), fit.label, trouble)


def sensitivity_curve(fit: CaseFit, points, threads: int | None = None) -> pd.DataFrame:
    """Give n + 1 times the change by one more observation at each point; see ``Influence.sensitivity_curve``."""
    curve = bias_curve(fit, points, [1 / (fit.nobs + 1)], threads=threads)
    return pd.DataFrame((fit.nobs + 1) * curve.bias[0], columns=curve.names)


class _Path:
    """Refits at a growing share of contamination at Y places, each from the last one's solution there."""

    def __init__(self, fit: CaseFit, of: Foreign):
        self.equations, self.of, self.count = fit.equations, of, len(of.rows)
        self.shares, self.solutions = [0.0], [np.tile(fit.solution.u, (self.count, 1))]
        self.natural: list[np.ndarray] = []
        self.trouble: list[list[str]] = []

    def _resamples(self, share: float, chunk: slice) -> Resamples:
        rows = self.of.rows[chunk]
        weights = np.concatenate([(1 - share) * self.equations.sample.weights, share * self.of.weights])
        return Resamples(np.broadcast_to(weights, (len(rows), len(weights))), foreign=rows)

    def follow(self, share: float, threads: int | None, more: int | None = None) -> None:
        """Solve at all places for a larger share of contamination."""
        start = self.solutions[-1]
        if len(self.solutions) > 1:
            # Straight on, in the share: contamination moves a solution nearly in proportion at first.
            (a, b), (u, v) = self.shares[-2:], self.solutions[-2:]
            ahead = v + (v - u) * (share - b) / (b - a) if b > a else v
            start = np.where(np.isfinite(ahead), ahead, v)
        resamples = functools.partial(self._resamples, share)
        found = self.equations.refit(resamples, self.count, start, threads=threads, more=more)
        solved = found.u
        self.trouble.append(found.trouble)
        self.natural.append(natural_rows(self.equations.space, solved[:, : self.equations.p]))
        self.shares.append(share)
        # A place that fails is tried anew from its last solution.
        self.solutions.append(np.where(np.isfinite(solved), solved, self.solutions[-1]))


def likelihood_bias_curve(fit: CaseFit, points, eps, kind: str = "point", spread: float | None = None) -> BiasCurve:
    """Follow the maximum-likelihood estimate of the fit's family under contamination; arguments as ``bias_curve``."""
    space, sample = fit.equations.space, fit.equations.sample
    if not space.has_density:
        raise ValueError(f"bias_curve: {space.name} has no density in closed form, so no maximum likelihood.")
    points, shares = sample.points(points), _checked_shares(eps)
    of, own = foreign(fit, points, kind, spread), sample.weights
    reference = likelihood.maximised(space, sample.rows, own, fit.solution.theta)
    found = np.empty((len(shares), len(points), len(reference)))
    for j, rows in enumerate(of.rows):
        at = reference
        both = np.concatenate([sample.rows, rows])
        for k in np.argsort(shares):
            weights = np.concatenate([(1 - shares[k]) * own, shares[k] * of.weights])
            at = found[k, j] = likelihood.maximised(space, both, weights, at)
    natural = natural_rows(space, found.reshape(-1, found.shape[2])).reshape(*found.shape[:2], -1)
    names = list(fit.params.index)
    return BiasCurve(points, shares, natural, natural_rows(space, reference[None])[0], names, "maximum likelihood")


@dataclasses.dataclass(frozen=True)
class Breakdown:
    """The smallest share of contamination that moves an estimate beyond a bound.

    Attributes
    ----------
    eps : float
        The smallest such share, within ``resolution``; infinite where none up to the largest tried is one.
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
    fit: CaseFit, bound: float, kind: str, points, spread: float | None, largest: float, resolution: float, threads
) -> Breakdown:
    """Search the smallest share that moves theta beyond a bound; the arguments are those of ``Influence.breakdown``."""
    of = fit.equations
    bound = checked_real("bound", bound, "a positive number of reaches")
    largest = checked_real("largest", largest, "a share between 0 and 1", most=np.nextafter(1, 0))
    resolution = checked_real("resolution", resolution, "a share between 0 and 1", most=np.nextafter(1, 0))
    points = of.sample.points(points)
    path, reach, failed = _Path(fit, foreign(fit, points, kind, spread)), of.reach(fit.solution.u), 0
    for share in np.arange(resolution, largest + resolution / 2, resolution):
        path.follow(share, threads, more=1)
        theta = path.solutions[-1][:, : of.p]
        lost = np.isnan(path.natural[-1][:, 0])
        failed += int(np.sum(lost))
        moved = np.max(np.abs(theta - fit.solution.theta) / reach, axis=1)
        moved[lost] = 0.0
        if np.any(moved > bound):
            return Breakdown(round(float(share), 12), points[int(np.argmax(moved))], bound, kind, resolution, failed)
    return Breakdown(np.inf, None, bound, kind, resolution, failed)


def _checked_shares(eps) -> np.ndarray:
    try:
        shares = np.atleast_1d(np.asarray(eps, np.float64))
    except (TypeError, ValueError, OverflowError):
        shares = np.array([np.nan])
    if shares.ndim != 1 or not len(shares) or not np.all((shares > 0) & (shares < 1)):
        raise ValueError(f"eps: got {shown(eps)}; give shares of contamination between 0 and 1.")
    return shares
