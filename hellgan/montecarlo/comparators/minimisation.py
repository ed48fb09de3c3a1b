"""Minimise a smooth criterion of a family's parameters: Newton's method, after scipy's BFGS where the start is far."""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from hellgan.execution import programs
from hellgan.generators import Generator
from hellgan.montecarlo.estimates import Estimate
from hellgan.parameters import natural_scale

# A criterion has a curvature of about the information of one observation, so that these are in spreads of one: how far
# Newton's method may begin from the minimum, where BFGS hands over to it, and where it ends.
_CLOSE, _SLOPE, _SMALL, _NEWTON = 0.3, 1e-5, 1e-9, 8
_ENDLESS = 30.0  # standard error on the link's scale, the logarithm's mostly, from where an interval says nothing
_NEAR = 1e-3  # of a standard error: how near the minimum an estimate must be
_FLAT = 1e-8  # relative size below which a curvature says nothing of the scale

Criterion = Callable[..., jax.Array]  # (generator, theta, *data) to a number


class Minimum(NamedTuple):
    """Where a criterion is least, on the unconstrained scale."""

    theta: np.ndarray  # (p,)
    hessian: np.ndarray  # (p, p)
    step: np.ndarray  # (p,) what a further Newton step would add; NaN where there is none
    iterations: int
    trouble: str  # why theta is no minimum; empty where it is


def minimise(criterion: Criterion, generator: Generator, start: np.ndarray, *data) -> Minimum:
    """Minimise a criterion over theta.

    Parameters
    ----------
    criterion : callable
        Smooth in theta, in JAX; one function object, since it is compiled once for each, for each structure of the
        generator and for each shape of the data. The curvature should be about that of one observation's log
        likelihood.
    generator : Generator
    start : (p,) array
        Unconstrained scale.
    *data : arrays or pytrees of such
        Further arguments of the criterion.
    """
    from scipy import optimize

    data = programs.on_device(data)

    def curvature(theta):
        found = _curvature(criterion, generator, theta, *data)
        return found[0], found[1:]

    def objective(phi):
        found = _slope(criterion, generator, start + scales @ phi, *data)
        if not np.all(np.isfinite(found)):
            return np.inf, np.zeros(len(phi))
        return float(found[0]), found[1:] @ scales

    scales = _whitening(curvature(start)[1])
    minimum = _newton(curvature, start, scales)
    if minimum is None:
        options = {"gtol": _SLOPE}
        found = optimize.minimize(objective, np.zeros(len(start)), jac=True, method="BFGS", options=options)
        theta = start + scales @ found.x
        minimum = _newton(curvature, theta, scales)
        if minimum is not None:
            return minimum._replace(iterations=minimum.iterations + found.nit)
        return _failed(theta, curvature(theta)[1], found)
    return minimum


def _newton(curvature, theta, scales) -> Minimum | None:
    """Newton's method from a point close to the minimum, or None where it does not settle."""
    slope, hessian = curvature(theta)
    step, reach, size = _newton_step(slope, hessian), np.linalg.norm(scales, axis=1), np.inf
    for count in range(_NEWTON):
        if step is None:
            return None
        before, size = size, np.max(np.abs(step) / reach)
        if size > (_CLOSE if count == 0 else before / 2):
            # Rounding: no more steps are to be had.
            return Minimum(theta, hessian, step, count, "") if size <= np.sqrt(_SMALL) else None
        if size <= _SMALL:
            return Minimum(theta, hessian, step, count, "")
        theta = theta + step
        slope, hessian = curvature(theta)
        step = _newton_step(slope, hessian)
    return None


def _failed(theta, hessian, found) -> Minimum:
    step = np.full(len(theta), np.nan)
    if not np.all(np.isfinite(hessian)):
        return Minimum(theta, hessian, step, found.nit, "the criterion's curvature is not finite where BFGS ends")
    least = np.linalg.eigvalsh(hessian)[0]
    trouble = f"no minimum where BFGS ends ({found.message.strip()} Least curvature {least:.3g})"
    return Minimum(theta, hessian, step, found.nit, trouble)


def concluded(generator: Generator, minimum: Minimum, cov: np.ndarray | None) -> Estimate:
    """Make an estimate on the natural scale of a minimum; ``cov`` (p, p) is that of theta."""
    values, slope = natural_scale(generator, minimum.theta)
    steps = minimum.iterations
    if minimum.trouble or cov is None:
        missing = np.full(len(values), np.nan)
        return Estimate(values, missing, converged=False, iterations=steps, message=minimum.trouble)
    errors = np.sqrt(np.sum((slope @ cov) * slope, axis=1))
    distance = np.max(np.abs(minimum.step) / np.sqrt(np.diag(cov)))
    trouble = "" if distance <= _NEAR else f"no minimum: a Newton step would move it by {distance:.3g} standard errors"
    for name, space, value, error in zip(generator.names, generator.element_spaces, values, errors, strict=True):
        if space.lower > -np.inf and not error * space.link_slope(value) <= _ENDLESS:
            trouble = trouble or f"{name} runs to the edge of its space, or nothing tells it from other parameters"
    return Estimate(values, errors, converged=not trouble, iterations=steps, message=trouble)


def sandwich(hessian: np.ndarray, meat: np.ndarray, n: int) -> np.ndarray:
    """Covariance of theta, H^-1 B H^-1 / n, of the mean criterion's Hessian and its rows' score covariance."""
    half = np.linalg.solve(hessian, meat)
    return np.linalg.solve(hessian, half.T) / n


def _slope_of(criterion, generator, theta, *data):
    """Value, then slope: (p + 1,). One array, since fetching each costs as much as computing it."""
    value, slope = jax.value_and_grad(criterion, argnums=1)(generator, theta, *data)
    return jnp.concatenate([value[None], slope])


def _curvature_of(criterion, generator, theta, *data):
    """Slope, then Hessian: (p + 1, p)."""
    slope = jax.grad(criterion, argnums=1)

    def twice(theta):
        found = slope(generator, theta, *data)
        return found, found

    hessian, first = jax.jacfwd(twice, has_aux=True)(theta)
    return jnp.concatenate([first[None], hessian])


_slope, _curvature = (programs.program(f, static_argnums=0) for f in (_slope_of, _curvature_of))


def _whitening(hessian: np.ndarray) -> np.ndarray:
    """A matrix of directions in which the criterion's curvature has size 1."""
    if not np.all(np.isfinite(hessian)):
        return np.eye(len(hessian))
    # Standardised first, so that units of the parameters do not matter.
    units = np.sqrt(np.abs(np.diag(hessian)))
    units = np.where(units > 0, units, 1.0)
    values, vectors = np.linalg.eigh(hessian / np.outer(units, units))
    size = np.abs(values)
    return vectors / np.sqrt(np.maximum(size, _FLAT * max(size[-1], size[0]) or 1.0)) / units[:, None]


def _newton_step(slope: np.ndarray, hessian: np.ndarray) -> np.ndarray | None:
    """Newton's step from slope (p,) and Hessian; None where the criterion is not convex."""
    if not (np.all(np.isfinite(slope)) and np.all(np.isfinite(hessian))):
        return None
    units = np.sqrt(np.maximum(np.diag(hessian), 0))
    if not np.all(units > 0):
        return None
    try:
        factor = np.linalg.cholesky(hessian / np.outer(units, units))
    except np.linalg.LinAlgError:
        return None
    return -np.linalg.solve(factor.T, np.linalg.solve(factor, slope / units)) / units
