"""The bootstrap of a fit: refits on resampled or simulated data, and the intervals that they give.

Real and simulated samples are independent, and are resampled independently. Independent latent draws are resampled
like the data. Sobol points are not, since a resample of them would lose what they are for: each refit has the points
shifted digitally anew, so that it varies as the fit itself does over its points. In a regression an observation is
resampled together with its simulated responses.
"""

import functools
import warnings
from collections.abc import Callable

import numpy as np
import pandas as pd
from scipy import special

from hellgan.cautions import ConvergenceWarning
from hellgan.checks import chosen_names, normal_quantile, shown
from hellgan.estimation import Covariance, Fit, JointLaw, Refits, Resamples, Sandwich
from hellgan.inference.identification import problems
from hellgan.inference.sandwich import natural_covs, sandwiches
from hellgan.parameters import natural_rows, natural_scales

KINDS = ("nonparametric", "parametric")
METHODS = ("percentile", "basic", "studentised", "bca")


class Bootstrap:
    """Estimates of refits on bootstrap samples; made by ``bootstrap`` of a fit.

    Failed refits, those that are not certified, are NaN rows of ``params``: they are counted in ``n_failed`` and left
    out of errors and intervals.

    Attributes
    ----------
    params : DataFrame (R, parameters)
        Natural scale.
    theta : (R, p) array
        Unconstrained scale.
    std_errors : DataFrame (R, parameters) or None
        Standard errors of each refit, natural scale, where the bootstrap was ``studentised``.
    n_failed : int
    trouble : list of str
        Why each refit failed; empty where it did not.
    kind : str
    seed : int
    """

    def __init__(self, fit: Fit, found: Refits, kind: str, seed: int):
        names, of = fit.params.index, fit.equations
        self._fit, self._u = fit, found.u
        self.theta, self.trouble, self.kind, self.seed = found.u[:, : of.p], found.trouble, kind, seed
        self.params = pd.DataFrame(natural_rows(of.space, self.theta), columns=names)
        self.std_errors = None
        if found.covariances is not None:
            covs = natural_covs(of.space, _laws(fit, found))
            with np.errstate(invalid="ignore"):
                self.std_errors = pd.DataFrame(np.sqrt(np.diagonal(covs, axis1=1, axis2=2)), columns=names)
        self.n_failed = int(np.sum(~found.certified))

    def __len__(self):
        return len(self.params)

    def __repr__(self):
        return f"<Bootstrap of {self._fit!r}: {len(self)} refits, {self.kind}, {self.n_failed} failed>"

    def is_of(self, fit: Fit) -> bool:
        """Whether the refits are those of a fit's model and solution."""
        own = self._fit
        return own is fit or (own.model is fit.model and own.solution is fit.solution)

    @property
    def _good(self) -> pd.DataFrame:
        return self.params.dropna()

    @property
    def bias(self) -> pd.Series:
        """Mean of the refits less the estimate, natural scale."""
        return (self._good.mean() - self._fit.params).rename("bias")

    @property
    def bse(self) -> pd.Series:
        """Standard deviations of the refits, natural scale."""
        return self._good.std(ddof=1).rename("std err")

    def cov_params(self) -> pd.DataFrame:
        """Covariance of the refits, natural scale."""
        return self._good.cov(ddof=1)

    def covariance(self) -> Covariance:
        """Give the covariance that ``with_cov("bootstrap")`` puts in the sandwich's place."""
        good = ~np.isnan(self.theta[:, 0])
        own, theta = self._fit.law.sandwich, np.atleast_2d(np.cov(self.theta[good], rowvar=False))
        sandwich = None
        if own is not None:
            joint = np.cov(self._u[good], rowvar=False)
            sandwich = Sandwich(own.bread, own.meat_real, own.meat_simulated, own.n, joint)
        natural = self.cov_params().to_numpy()
        return Covariance("bootstrap", f"{len(self)} {self.kind}", natural, theta, sandwich)

    def conf_int(self, alpha: float = 0.05, cols=None, method: str = "percentile") -> pd.DataFrame:
        """Compute intervals of level 1 - alpha.

        Parameters
        ----------
        alpha : float
        cols : str, int, or sequence of them, optional
        method : {"percentile", "basic", "studentised", "bca"}
            Quantiles of the refits; the same mirrored at the estimate; of the refits' t statistics, for which the
            bootstrap must be ``studentised``; or bias-corrected and accelerated (Efron 1987), the acceleration from
            the empirical influence values. Basic and studentised ones are computed on the real line behind the
            parameter. All stay inside its space.

        Returns
        -------
        DataFrame
            Columns ``lower`` and ``upper``.

        Raises
        ------
        ValueError
            For an unknown method, ``"studentised"`` without standard errors of the refits, and fewer than two refits
            that did not fail.
        """
        normal_quantile(alpha)  # refuses a bad level
        if not isinstance(method, str) or method not in METHODS:
            raise ValueError(f"method: {shown(method)} is not known; give one of {', '.join(METHODS)}.")
        if len(self._good) < 2:
            raise ValueError(f"conf_int: {self.n_failed} of {len(self)} refits failed; too few are left.")
        tails = np.array([alpha / 2, 1 - alpha / 2])
        rows = getattr(self, f"_{method}")(tails)
        frame = pd.DataFrame(rows, index=self.params.columns, columns=["lower", "upper"])
        return frame.loc[chosen_names(cols, list(frame.index))]

    def _percentile(self, tails):
        return np.quantile(self._good, tails, axis=0).T

    def _linked(self):
        """Each parameter's space, estimate and refits on the real line behind it."""
        for name, space in zip(self.params.columns, self._fit.spaces, strict=True):
            yield space, space.link(self._fit.params[name]), space.link(self._good[name].to_numpy())

    def _basic(self, tails):
        return [
            space.unlink(2 * estimate - np.quantile(draws, tails[::-1])) for space, estimate, draws in self._linked()
        ]

    def _studentised(self, tails):
        if self.std_errors is None:
            raise ValueError("method: the refits have no standard errors; give bootstrap(..., studentised=True).")
        rows, errors = [], self.std_errors.loc[self._good.index]
        for (space, estimate, draws), name in zip(self._linked(), self.params.columns, strict=True):
            t = (draws - estimate) / (errors[name].to_numpy() * space.link_slope(self._good[name].to_numpy()))
            own = self._fit.bse[name] * space.link_slope(self._fit.params[name])
            rows.append(space.unlink(estimate - own * np.nanquantile(t, tails[::-1])))
        return rows

    def _bca(self, tails):
        z, rows = special.ndtri(tails), []
        for name, a in zip(self.params.columns, self._accelerations, strict=True):
            draws, estimate = self._good[name].to_numpy(), self._fit.params[name]
            below = (np.sum(draws < estimate) + np.sum(draws == estimate) / 2) / len(draws)
            z0 = special.ndtri(np.clip(below, 0.5 / len(draws), 1 - 0.5 / len(draws)))
            rows.append(np.quantile(draws, special.ndtr(z0 + (z0 + z) / (1 - a * (z0 + z)))))
        return rows

    @functools.cached_property
    def _accelerations(self) -> np.ndarray:
        """A sixth of the skewness of the empirical influence values, natural scale, over both samples."""
        fit, of = self._fit, self._fit.equations
        fit.require_law()
        scores, weights = of.scores(fit.solution.u), of.sample.weights
        rows = [weights[:, None] * (scores - weights @ scores)]
        simulated = of.independent_scores(fit.solution.u)
        if simulated is not None:
            rows.append((simulated - simulated.mean(axis=0)) / len(simulated))
        influence = np.linalg.solve(-fit.solution.jacobian, np.concatenate(rows).T)[: of.p]
        values = fit.law.natural_slope @ influence
        return np.sum(values**3, axis=1) / (6 * np.sum(values**2, axis=1) ** 1.5)


def _laws(fit: Fit, found: Refits) -> list[JointLaw]:
    """The joint laws of refits; those that failed have none."""
    assert found.covariances is not None
    assert found.jacobians is not None
    good = [k for k, covariance in enumerate(found.covariances) if covariance is not None]
    unidentified = problems(fit.equations.space, [found.jacobians[k] for k in good], fit.equations.frame)
    good = [k for k, problem in zip(good, unidentified, strict=True) if problem is None]
    chosen = [covariance for k in good if (covariance := found.covariances[k]) is not None]
    inferred = sandwiches([found.jacobians[k] for k in good], chosen) if good else []
    by_position = dict(zip(good, inferred, strict=True))
    natural, slopes = natural_scales(fit.equations.space, found.u[:, : fit.equations.p])
    return [JointLaw(by_position.get(k), natural[k], slopes[k], found.trouble[k]) for k in range(len(natural))]


def bootstrap(
    fit: Fit,
    replications: int,
    seed: int,
    kind: str,
    studentised: bool,
    threads: int | None,
    progress: bool,
) -> Bootstrap:
    """Refit on bootstrap samples; the arguments are those of ``EstimatedResults.bootstrap``."""
    if not isinstance(kind, str) or kind not in KINDS:
        raise ValueError(f"kind: {shown(kind)} is not known; give one of {', '.join(KINDS)}.")
    if isinstance(replications, bool) or not isinstance(replications, (int, np.integer)) or replications < 2:
        raise ValueError(f"replications: got {shown(replications)}; give a whole number of at least 2.")
    if fit.solution.reason:
        raise ValueError(f"bootstrap: the fit is not certified, since {fit.solution.reason}; mend that first.")
    if studentised:
        fit.require_law()
    draw: Callable[[slice], Resamples]
    draw = _Simulated(fit, seed) if kind == "parametric" else _Resampled(fit, seed, studentised)
    found = fit.equations.refit(
        draw, int(replications), fit.solution.u, evaluate=studentised, threads=threads, progress=progress
    )
    if not np.all(found.certified):
        failed = int(np.sum(~found.certified))
        warnings.warn(
            f"{failed} of {replications} refits of the bootstrap failed and are left out; Bootstrap.trouble says why.",
            ConvergenceWarning,
            stacklevel=3,
        )
    return Bootstrap(fit, found, kind, seed)


class _Resampled:
    """Bootstrap samples by resampling, each with a start a Newton step away from the fit.

    How often an observation is drawn is counted in its weight; where the sandwich of a refit is wanted, which takes no
    weight for a count, the observation is repeated as rows.
    """

    def __init__(self, fit: Fit, seed: int, as_rows: bool):
        self.fit, self.seed, self.as_rows = fit, seed, as_rows
        self.scores = None if fit.equations.trouble else fit.equations.scores(fit.solution.u)

    def __call__(self, chunk: slice) -> Resamples:
        own = self.fit.equations.sample.weights
        n = len(own)
        rngs = [np.random.default_rng([self.seed, r]) for r in range(chunk.start, chunk.stop)]
        counts = np.stack([rng.multinomial(n, np.full(n, 1 / n)) for rng in rngs])
        weights = counts * own
        weights /= weights.sum(axis=1, keepdims=True)
        step, positions = self._step(weights), None
        if self.as_rows:
            positions = np.stack([np.repeat(np.arange(n), each) for each in counts])
            weights = own[positions]
            weights /= weights.sum(axis=1, keepdims=True)
        return Resamples(weights, positions, rngs=rngs, step=step)

    def _step(self, weights) -> np.ndarray | None:
        """One Newton step (R, k) of the fit's own equations towards each sample, unconstrained scale."""
        if self.scores is None:
            return None
        moved = (weights - self.fit.equations.sample.weights) @ self.scores
        return np.linalg.solve(-self.fit.solution.jacobian, moved.T).T


class _Simulated:
    """Bootstrap samples from the fitted law, on which the estimator places itself anew."""

    def __init__(self, fit: Fit, seed: int):
        self.fit, self.seed = fit, seed

    def __call__(self, chunk: slice) -> Resamples:
        of, replicates = self.fit.equations, range(chunk.start, chunk.stop)
        rows = np.stack([of.sampled(self.fit.solution.u, np.random.default_rng([self.seed, r])) for r in replicates])
        weights = np.broadcast_to(of.sample.weights, rows.shape[:2])
        rngs = [np.random.default_rng([self.seed, r, 1]) for r in replicates]
        return Resamples(weights, fresh=rows, rngs=rngs)
