"""Profile intervals: the distance test of one element of the natural parameters, inverted.

The statistic is (9), its weight (10) of ``docs/theory.md``, section 2.
"""

import warnings
from collections.abc import Sequence

import numpy as np

from hellgan.cautions import ConvergenceWarning
from hellgan.checks import normal_quantile
from hellgan.estimation import Fit
from hellgan.inference.hypotheses import limit_weights, require, require_criterion
from hellgan.restrictions import Linear

_FAR = 15.0  # where a profile is given up: so many times as far from the estimate as the Wald interval reaches


class _Lost(Exception):
    """The profile could not be followed."""


class _Profile:
    """The signed root of the distance statistic of one natural element, as a function of its value, link scale."""

    def __init__(self, fit: Fit, name: str, robust: bool):
        require(fit, "profile", fit.covariance.theta)
        require_criterion(fit, robust)
        of = self.equations = fit.equations
        k = of.space.names.index(name)
        self.name, self.space, self.natural = name, of.space.element_spaces[k], fit.params.iloc[k]
        self.row = np.eye(len(fit.params))[k][None]
        slope = Linear(of.space, self.row, np.zeros(1)).at(fit.solution.theta)[1]
        self.factor = of.distance_factor
        self.weight = float(limit_weights(fit, slope, self.factor)[0]) if robust else 1.0
        self.at = float(self.space.link(self.natural))
        self.error = float(fit.bse.iloc[k] * self.space.link_slope(self.natural))
        self.value = of.criterion(fit.solution)
        self.known = {self.at: fit.solution.u}

    def root(self, u: float) -> float:
        """Evaluate the signed root at a point of the link scale; raises ``_Lost`` with the reason where that fails."""
        if u == self.at:
            return 0.0
        nearest = min(self.known, key=lambda point: abs(point - u))
        target = np.atleast_1d(np.asarray(self.space.unlink(u), np.float64))
        found = self.equations.restricted(Linear(self.equations.space, self.row, target), self.known[nearest])
        if found.reason:
            raise _Lost(f"at {self.name} = {target[0]:.6g} {found.reason}")
        self.known[u] = found.u
        rise = found.criterion - self.value
        if rise < -1e-10 * (1 + abs(self.value)):
            raise _Lost(f"at {self.name} = {target[0]:.6g} the objective is lower than at the fit")
        return float(np.sign(u - self.at) * np.sqrt(self.factor * max(rise, 0.0) / self.weight))

    def end(self, quantile: float, side: int) -> float:
        """Find the natural value where the signed root is ``side`` times ``quantile``; the space's end if nowhere."""
        near, far = 0.0, quantile * self.error
        below, above = -quantile, side * self.root(self.at + side * far) - quantile
        while above < 0:
            # The next point by the chord, neither too near nor too far.
            slope = (above - below) / (far - near)
            chord = far - 1.1 * above / slope if slope > 0 else np.inf
            near, below, far = far, above, float(np.clip(chord, 1.2 * far, 2 * far))
            if far > _FAR * quantile * self.error:
                return self.space.upper if side > 0 else self.space.lower
            above = side * self.root(self.at + side * far) - quantile

        def excess(step):
            return side * self.root(self.at + side * step) - quantile

        from scipy import optimize

        step: float = optimize.brentq(excess, near, far, xtol=1e-10 * self.error)  # pyright: ignore[reportAssignmentType]
        return float(self.space.unlink(self.at + side * step))


def profile_intervals(fit: Fit, names: Sequence[str], alpha: float, robust: bool = True) -> np.ndarray:
    """Compute profile intervals (k, 2) of level 1 - alpha of named natural elements; see ``profile_interval``."""
    return np.array([profile_interval(fit, name, alpha, robust) for name in names], np.float64).reshape(-1, 2)


def profile_interval(fit: Fit, name: str, alpha: float, robust: bool = True) -> tuple[float, float]:
    """Find the values of one natural element that the distance test of level ``alpha`` does not reject.

    Parameters
    ----------
    fit : Fit
        Whose estimate minimises a criterion.
    name : str
        One of ``params``.
    alpha : float
        One minus the level.
    robust : bool
        Whether the statistic is divided by its weight (10).

    Returns
    -------
    tuple of float
        Lower and upper end, natural scale. An end is that of the parameter's space where the statistic does not reach
        its quantile within fifteen times the distance from the estimate to the Wald interval's end; NaN, with a
        warning, where the profile cannot be followed so far.

    Raises
    ------
    ValueError
        For a fit without a covariance, and for an estimate that minimises no criterion.

    Warns
    -----
    ConvergenceWarning
    """
    quantile, profile = normal_quantile(alpha), _Profile(fit, name, robust)
    if not np.isfinite(profile.error):
        return np.nan, np.nan
    ends = []
    for side in (-1, 1):
        try:
            ends.append(profile.end(quantile, side))
        except _Lost as lost:
            warnings.warn(f"profile interval: {lost}.", ConvergenceWarning, stacklevel=2)
            ends.append(np.nan)
    return ends[0], ends[1]


def profile_curve(fit: Fit, name: str, points, robust: bool = True) -> tuple[np.ndarray, np.ndarray]:
    """Evaluate the distance test of ``name = value`` at values inside its space, (k,) natural scale.

    Returns
    -------
    values, statistics : (k,) arrays
        Values in increasing order, and the statistic over its weight, chi-square with one degree of freedom; NaN
        where it is not found.
    """
    profile, values = _Profile(fit, name, robust), np.sort(np.asarray(points, np.float64))
    outwards = np.argsort(np.abs(profile.space.link(values) - profile.at), kind="stable")
    statistics = np.full(len(values), np.nan)
    for k in outwards:
        try:
            statistics[k] = profile.root(float(profile.space.link(values[k]))) ** 2
        except _Lost:
            continue
    return values, statistics


def profile_points(fit: Fit, name: str, intervals: np.ndarray, count: int = 61) -> np.ndarray:
    """Choose values (count,) that show intervals (k, 2) of a natural element, evenly on its link scale."""
    k = fit.equations.space.names.index(name)
    space, natural = fit.equations.space.element_spaces[k], fit.params.iloc[k]
    at, error = space.link(natural), fit.bse.iloc[k] * space.link_slope(natural)
    inside = intervals[np.isfinite(intervals) & (intervals > space.lower) & (intervals < space.upper)]
    links = np.append(space.link(inside), [at - error, at + error])
    return np.asarray(space.unlink(np.linspace(at + 1.25 * (links.min() - at), at + 1.25 * (links.max() - at), count)))
