"""Tests of smooth restrictions of a fit's parameters.

Wald, score and distance test of h = 0 for r smooth equations h of the natural parameters: equations (7) to (10) of
``docs/theory.md``, section 2.
"""

import dataclasses
import warnings
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
from scipy import linalg, special

from hellgan.cautions import ConvergenceWarning
from hellgan.checks import shown
from hellgan.estimation import Fit, schur_complement
from hellgan.execution import programs
from hellgan.inference.identification import problems
from hellgan.inference.sandwich import sandwich_at
from hellgan.inference.tails import weighted_chi2_sf
from hellgan.parameters import ParameterSpace, natural_scale
from hellgan.restrictions import Restriction, function_text, quoted, read


@dataclasses.dataclass(frozen=True, eq=False)
class HypothesisTest:
    """Whether r smooth equations hold among the parameters.

    Attributes
    ----------
    statistic : float
        (7), (8) or (9).
    df : int
        The number r of equations.
    pvalue : float
    weights : (r,) array
        The limit law is that of the sum of ``weights`` times independent chi-square variables of one degree of
        freedom; all 1 where it is chi-square with ``df`` degrees of freedom.
    kind : str
        ``wald``, ``score`` or ``distance``.
    params : Series or None
        Estimates under the restriction, natural scale; None for a Wald test, which needs none, and where none are
        found.
    restriction : str
        The equations that were tested, as they were understood.
    """

    statistic: float
    df: int
    pvalue: float
    weights: np.ndarray
    kind: str
    params: pd.Series | None
    restriction: str

    def __str__(self):
        weights = "" if np.all(self.weights == 1) else f", weights {', '.join(f'{w:.3g}' for w in self.weights)}"
        found = f"{self.statistic:.3f}, df {self.df}{weights}, p-value {self.pvalue:.4f}"
        return f"{self.kind} test of {self.restriction}: {found}"


def wald(fit: Fit, function: Callable) -> HypothesisTest:
    """Test whether a function of the named natural parameters is zero, by the delta method, (7)."""
    require(fit, "wald test", fit.covariance.natural)
    _read(function, fit)
    h, slope = _of_natural(function, fit.equations.space, fit.params.to_numpy())
    statistic = float(h @ np.linalg.solve(slope @ fit.covariance.natural @ slope.T, h))  # (7)
    return _test(statistic, np.ones(len(h)), "wald", None, function_text(function))


def _of_natural(function, space: ParameterSpace, natural):
    def h(vector):
        return jnp.ravel(jnp.asarray(function(**space.named(vector))))

    return programs.program(lambda vector: (h(vector), jax.jacfwd(h)(vector)))(natural)


def _read(restriction, fit: Fit) -> Restriction:
    return read(restriction, fit.equations.space, fit.solution.theta, fit.covariance.theta)


def score(fit: Fit, restriction) -> HypothesisTest:
    """Test a restriction by the score of theta where it holds, (8).

    The covariance is the sandwich at the restricted estimate. Where the fit has a covariance of another kind, that one
    is taken, and with it the profile's curvature at the fit, since the two must be of one point.
    """
    require(fit, "score test", fit.covariance.natural)
    equations = fit.equations
    found = _read(restriction, fit)
    at = equations.restricted(found, fit.solution.u)
    cov, trouble, jacobian = fit.covariance.theta, at.reason, fit.solution.jacobian
    if not trouble and fit.cov_type == "sandwich":
        jacobian = at.jacobian
        trouble = problems(equations.space, [jacobian], equations.frame)[0] or ""
        if not trouble:
            cov = sandwich_at(equations, at.u, jacobian).cov[: equations.p, : equations.p]
    if trouble:
        return _unknown(len(at.multipliers), "score", trouble, found.text)
    moved = at.slope @ np.linalg.solve(schur_complement(jacobian, equations.p), at.score)
    statistic = float(moved @ np.linalg.solve(at.slope @ cov @ at.slope.T, moved))  # (8)
    return _test(statistic, np.ones(len(moved)), "score", _params(fit, at.u), found.text)


def distance(fit: Fit, restriction, robust: bool) -> HypothesisTest:
    """Test a restriction by how much the criterion that theta minimises rises where the restriction holds, (9)."""
    require(fit, "distance test", fit.covariance.natural)
    require_criterion(fit, robust)
    found = _read(restriction, fit)
    at = fit.equations.restricted(found, fit.solution.u)
    slope = found.at(fit.solution.theta)[1]
    if at.reason:
        return _unknown(len(slope), "distance", at.reason, found.text)
    return _distance(fit, slope, at.criterion, robust, _params(fit, at.u), found.text)


def compare_distance(fit: Fit, restricted: Fit, robust: bool) -> HypothesisTest:
    """Test the parameters that another fit holds with ``fix`` by how much higher its criterion is, (9)."""
    require(fit, "compare_distance_test", fit.covariance.natural)
    require_criterion(fit, robust)
    held, space = _held(fit, restricted), fit.equations.space
    rows = [name in held for name, where in space.parameters.items() for _ in range(where.size)]
    slope = np.eye(space.size)[np.array(rows)]
    elements = _elements(space, held)
    params = pd.Series({**dict.fromkeys(fit.params.index), **elements, **restricted.params})
    value = restricted.equations.criterion(restricted.solution)
    text = ", ".join(f"{quoted(name, space.names)} = {number:.10g}" for name, number in elements.items())
    return _distance(fit, slope, value, robust, params.astype(float).rename("coef"), text)


def _distance(fit: Fit, slope, restricted: float, robust: bool, params, text: str) -> HypothesisTest:
    # The two values are of sums over rows: what rounding leaves of their difference is no sign of another minimum.
    rise = restricted - fit.equations.criterion(fit.solution)
    if rise < -1e-10 * (1 + abs(restricted)):
        raise ValueError(
            f"distance test: the objective is {-rise:.2g} lower under the restriction than at the fit, which therefore "
            "is not its least minimum; fit again with start= at the restricted estimate."
        )
    factor = fit.equations.distance_factor
    weights = limit_weights(fit, slope, factor) if robust else np.ones(len(slope))
    return _test(factor * max(rise, 0.0), weights, "distance", params, text)


def limit_weights(fit: Fit, slope, factor: float) -> np.ndarray:
    """Weights (r,) of the chi-square variables in the limit law of (9), by (10).

    ``slope`` (r, p) is the derivative of the restrictions in theta, ``factor`` what the criterion's rise is
    multiplied with.
    """
    schur = schur_complement(fit.solution.jacobian, fit.equations.p)
    form = slope @ np.linalg.solve((schur + schur.T) / 2, slope.T)
    cov = slope @ fit.covariance.theta @ slope.T
    return factor / 2 * linalg.eigh((cov + cov.T) / 2, (form + form.T) / 2, eigvals_only=True)[::-1]  # (10)


def _params(fit: Fit, u) -> pd.Series:
    space = fit.equations.space
    return pd.Series(natural_scale(space, u[: space.size])[0], index=space.names, name="coef")


def _test(statistic: float, weights: np.ndarray, kind: str, params, text: str) -> HypothesisTest:
    r = len(weights)
    if np.all(weights == weights[0]):  # the closed form has far tails
        pvalue = float(special.gammaincc(r / 2, statistic / (2 * weights[0])))
    else:
        pvalue = weighted_chi2_sf(weights, statistic)
    return HypothesisTest(statistic, r, pvalue, weights, kind, params, text)


def _unknown(r: int, kind: str, reason: str, text: str) -> HypothesisTest:
    warnings.warn(f"{kind} test: {reason}.", ConvergenceWarning, stacklevel=4)
    return HypothesisTest(np.nan, r, np.nan, np.full(r, np.nan), kind, None, text)


def require(fit: Fit, what: str, cov: np.ndarray) -> None:
    """Refuse a fit without a joint law, or whose covariance is not all known."""
    if fit.equations.trouble:
        raise ValueError(f"{what}: {fit.equations.trouble}.")
    if not fit.converged or np.any(np.isnan(cov)):
        reason = fit.trouble or fit.solution.reason or "the simulated sample says nothing of some parameters"
        raise ValueError(f"{what}: the fit has no covariance, since {reason}.")


def require_criterion(fit: Fit, robust: bool) -> None:
    """Refuse equations whose estimate does not minimise a criterion, or whose law is not known."""
    if not isinstance(robust, (bool, np.bool_)):
        raise TypeError(f"robust: got {shown(robust)}; give True or False.")
    trouble = fit.equations.distance_trouble(bool(robust))
    if trouble:
        raise ValueError(f"distance test: {trouble}")


def _held(fit: Fit, restricted: Fit) -> dict[str, np.ndarray]:
    """Give the values that a restricted fit holds and a fit does not; refuse what is not nested in it."""
    if type(restricted) is not type(fit):
        raise TypeError(f"restricted: got {type(restricted).__name__}; give the fit of a generator with .fix(...).")
    if not restricted.converged:
        raise ValueError(f"restricted: the fit did not converge, since {restricted.trouble}.")
    different = fit.equations.difference(restricted.equations)
    if different:
        raise ValueError(f"restricted: it has other {different} than the fit; fit both alike, but for .fix(...).")
    held = fit.equations.space.held_besides(restricted.equations.space)
    if not held:
        raise ValueError(
            "restricted: its generator is not that of the fit with more parameters held; give the fit of "
            "generator.fix(...)."
        )
    return held


def _elements(space: ParameterSpace, held: dict) -> dict[str, float]:
    return {
        element: float(number)
        for name, value in held.items()
        for element, number in zip(space.parameters[name].element_names(name), np.ravel(value), strict=True)
    }
