"""The robust linear fit on which a regression's discriminator is placed, as estimating equations.

With the covariates whitened to t, w^2 = 1/(1 + |t|^2/(16 k)) their leverage, c = w t, D = (1, t), the residual
r = y - a - b . t and e = r / exp(l + g . c), the placement (a, b, l, g) solves

    mean w^2 D psi(e) = 0,    mean w^2 chi(log|e| - m) = 0,    mean w^2 (1, c) chi(log|r| - h - g0 . c - m) = 0

psi is the redescending bisquare with the constant of 95 % efficiency, chi is bounded at 1, and m makes l the log
standard deviation at the normal law. g0 is shrunk to 0 where the scale does not clearly change with the covariates; and
an element of it is 0 where the residuals of one sign do not show it by themselves: outliers to one side at some
covariates are no greater noise there. Influence functions are -J^-1 of the equations at an observation, J the
derivative of their means; the covariates' whitening is taken as given, as the covariates are, and so are Wald
statistic's own matrix and which elements are 0.
"""

from typing import NamedTuple

import equinox as eqx
import jax.numpy as jnp
import numpy as np

from hellgan.generators.resistant import independent_columns, residual_scale, resistant_fit
from hellgan.samples.robust import MAD, quantile

BEND = 4.0  # standard deviations of the covariates at which their leverage is bounded
_BISQUARE, _HUBER = 4.685061, 1.0
_MEDIAN = -0.4705499387251927  # chi's location of log|Z|, Z standard normal
_SHRINK = 2.0  # the scale's slopes are 0 unless their Wald statistic exceeds this many times its expectation
_EITHER = 0.25  # what part of a slope the residuals of either sign must show by themselves
_STEPS, _TOLERANCE = 100, 1e-10


class Pilot(eqx.Module):
    """A robust linear fit with a scale that may change with the covariates, and what its influence is made of.

    ``center`` (k,) and ``whiten`` (k, k) give t = whiten (x - center); ``placement`` is (intercept, slopes, log scale,
    slopes of the log scale), (2 k + 2,). ``raw`` (k + 1,) is (h, g0) of the module's equations, ``shrunk`` (k, k) the
    derivative of g in g0, and ``inverse`` (3 k + 3, 3 k + 3) is -J^-1 for (a, b, l, h, g0).
    """

    center: np.ndarray
    whiten: np.ndarray
    placement: np.ndarray
    raw: np.ndarray
    shrunk: np.ndarray
    inverse: np.ndarray

    def placed(self, placement) -> "Pilot":
        return eqx.tree_at(lambda pilot: pilot.placement, self, placement)

    def _rows(self, x):
        k = self.center.shape[-1]
        t = self.whiten @ (x[:k] - self.center)
        leverage = 1 / jnp.sqrt(1 + jnp.sum(t**2) / (BEND**2 * k))
        a, b, log_scale, spread = jnp.split(self.placement, [1, k + 1, k + 2])
        c = leverage * t
        return t, c, leverage, x[k] - a[0] - b @ t, log_scale[0] + spread @ c

    def residual(self, x):
        """Standardised residual, bounded covariates (k,) and leverage of one row (x, y)."""
        _, c, leverage, r, log_scale = self._rows(x)
        return r * jnp.exp(-log_scale), c, leverage

    def influence(self, x):
        """Influence function of ``placement`` at one row (x, y): (2 k + 2,)."""
        t, c, leverage, r, log_scale = self._rows(x)
        k = t.shape[0]
        size = jnp.log(jnp.maximum(jnp.abs(r), jnp.finfo(r.dtype).tiny)) - _MEDIAN
        one = jnp.ones(1, t.dtype)
        psi = _bisquare(r * jnp.exp(-log_scale))
        of_scale = jnp.clip(size - log_scale, -_HUBER, _HUBER)
        bounded = jnp.concatenate([one, c])
        of_raw = jnp.clip(size - self.raw @ bounded, -_HUBER, _HUBER)
        moved = self.inverse @ (
            leverage**2 * jnp.concatenate([psi * jnp.concatenate([one, t]), of_scale * one, of_raw * bounded])
        )
        return jnp.concatenate([moved[: k + 2], self.shrunk @ moved[k + 3 :]])


class _Design(NamedTuple):
    """Whitened covariates with a one in front (n, k + 1), bounded ones likewise, and weights times leverage (n,)."""

    rows: np.ndarray
    bounded: np.ndarray
    weights: np.ndarray


def pilot_fit(covariates: np.ndarray, response: np.ndarray, weights: np.ndarray) -> Pilot:
    """Fit covariates (n, k) to a response (n,), both of any unit and offset."""
    center, whiten = _whitening(covariates, weights)
    for changes in (True, False):  # a scale that will not settle is taken to be constant
        pilot, settled = _iterated(center, whiten, covariates, response, weights, changes)
        if settled:
            break
    return pilot


def _iterated(center, whiten, covariates, response, weights, changes: bool) -> tuple[Pilot, bool]:
    """Iterate the equations from the MM-estimate; and whether they settled. The scale is held constant on demand."""
    t = (covariates - center) @ whiten.T
    leverage = 1 / np.sqrt(1 + np.sum(t**2, axis=1) / (BEND**2 * t.shape[1]))
    ones = np.ones((len(t), 1))
    of = _Design(np.hstack([ones, t]), np.hstack([ones, leverage[:, None] * t]), weights * leverage**2)
    counted = weights > 0
    kept = independent_columns(of.rows[counted])
    coefficients = np.zeros(of.rows.shape[1])
    coefficients[kept] = resistant_fit(of.rows[:, kept], response, weights)
    r = response - of.rows @ coefficients
    log_scale = np.log(residual_scale(r, len(kept), weights))
    raw = np.concatenate([[log_scale], np.zeros(t.shape[1])])
    sides = np.tile(raw, (2, 1))
    spread, shrunk = np.zeros(t.shape[1]), np.zeros((t.shape[1], t.shape[1]))
    settled = False
    for _ in range(_STEPS):
        before = np.concatenate([coefficients * np.exp(-log_scale), [log_scale], raw])
        raw = raw + _huber_step(of.bounded, _size(r) - of.bounded @ raw, of.weights)
        for side, has in zip(sides, (r > 0, r < 0), strict=True):
            side += _huber_step(of.bounded, _size(r) - of.bounded @ side, of.weights * has)
        if changes:
            spread, shrunk = _shrunk(of, _size(r) - of.bounded @ raw, raw[1:])
            shown = np.all(sides[:, 1:] * np.sign(raw[1:]) > _EITHER * np.abs(raw[1:]), axis=0)
            spread, shrunk = shown * spread, shown[:, None] * shrunk
        log_scale += _huber_step(ones, _size(r) - log_scale - of.bounded[:, 1:] @ spread, of.weights)[0]
        precision = np.exp(-log_scale - of.bounded[:, 1:] @ spread)
        inner = np.maximum(1 - (r * precision / _BISQUARE) ** 2, 0) ** 2
        coefficients[kept] = _weighted(of.rows[:, kept], response, of.weights * inner * precision)
        r = response - of.rows @ coefficients
        now = np.concatenate([coefficients * np.exp(-log_scale), [log_scale], raw])
        settled = np.abs(now - before)[: None if changes else len(coefficients) + 1].max() < _TOLERANCE
        if settled:
            break
    placement = np.concatenate([coefficients, [log_scale], spread])
    return Pilot(center, whiten, placement, raw, shrunk, _inverse(of, r, kept, placement, raw, shrunk)), bool(settled)


def _whitening(covariates, weights) -> tuple[np.ndarray, np.ndarray]:
    """A centre (k,) and a matrix (k, k) that make bounded covariates uncorrelated, with unit variance."""
    middle, spread = np.array([_center_and_spread(column, weights) for column in covariates.T]).T
    t = (covariates - middle) / spread
    counted = weights > 0
    kept = independent_columns(np.column_stack([np.ones(counted.sum()), t[counted]]))
    own = [j - 1 for j in kept if j > 0]  # what others determine is no covariate
    t = t / np.sqrt(1 + (t / (BEND / MAD)) ** 2)
    mean = weights @ t
    covariance = (t - mean).T @ ((t - mean) * weights[:, None])
    whiten = np.zeros_like(covariance)
    if own:
        values, vectors = np.linalg.eigh(covariance[np.ix_(own, own)])
        roots = np.where(values > 1e-12 * values[-1], values, np.inf) ** -0.5
        whiten[np.ix_(own, own)] = (vectors * roots) @ vectors.T
    return middle + spread * mean, whiten / spread


def _center_and_spread(column, weights):
    """Median and MAD (not made consistent) of a covariate; a MAD of 0, as dummies have, is taken of what deviates."""
    center = quantile(column, 0.5, weights)
    deviations = np.abs(column - center)
    spread = quantile(deviations, 0.5, weights)
    if spread == 0 and np.any(weights[deviations > 0] > 0):
        spread = quantile(deviations[deviations > 0], 0.5, weights[deviations > 0])
    return center, spread if spread > 0 else 1.0


def _size(r):
    return np.log(np.maximum(np.abs(r), np.finfo(float).tiny)) - _MEDIAN


def _huber_step(design, errors, weights) -> np.ndarray:
    """One step of weighted least squares towards Huber's regression of ``errors`` on ``design``: (k,)."""
    return _weighted(design, errors, weights / np.maximum(np.abs(errors) / _HUBER, 1))


def _weighted(design, response, weights) -> np.ndarray:
    root = np.sqrt(weights)
    return np.linalg.lstsq(root[:, None] * design, root * response, rcond=None)[0]


def _shrunk(of: _Design, errors, slopes) -> tuple[np.ndarray, np.ndarray]:
    """Slopes of the log scale (k,), 0 where they may be, with their derivative (k, k) in what was estimated."""
    inside = of.weights * (np.abs(errors) < _HUBER)
    rows = (of.weights * np.clip(errors, -_HUBER, _HUBER))[:, None] * of.bounded
    half = np.linalg.lstsq((of.bounded * inside[:, None]).T @ of.bounded, rows.T, rcond=None)[0][1:]
    toward = np.linalg.lstsq(half @ half.T, slopes, rcond=None)[0]
    k, wald = len(slopes), slopes @ toward
    if not wald > _SHRINK * k:
        return np.zeros(k), np.zeros((k, k))
    part = _SHRINK * k / wald
    return (1 - part) * slopes, (1 - part) * np.eye(k) + 2 * part / wald * np.outer(slopes, toward)


def _inverse(of: _Design, r, kept, placement, raw, shrunk) -> np.ndarray:
    """-J^-1 of the equations, for (a, b, l, h, g0)."""
    k = len(raw) - 1
    log_scale = placement[k + 1] + of.bounded[:, 1:] @ placement[k + 2 :]
    unit = np.exp(placement[k + 1])  # of a and b, so that all of J is of one size
    precision = unit * np.exp(-log_scale)
    t = (r / unit * precision / _BISQUARE) ** 2
    bisquare = np.where(t < 1, (1 - t) * (1 - 5 * t), 0)  # its derivative
    near = [np.abs(_size(r) - fit) < _HUBER for fit in (log_scale, of.bounded @ raw)]
    inverted = 1 / np.where(near[0] | near[1], r / unit, np.inf)
    one, none = np.ones((len(r), 1)), np.zeros((len(r), 1))
    moved = np.hstack([one, none, of.bounded[:, 1:] @ shrunk])  # of l + g . c in what it is made of
    size = inverted[:, None] * of.rows
    # For each equation what multiplies it, the derivatives of its argument in (a, b, l, h, g0), and its slope.
    slopes = [
        (of.rows, np.hstack([precision[:, None] * of.rows, (r / unit * precision)[:, None] * moved]), bisquare),
        (one, np.hstack([size, moved]), near[0]),
        (of.bounded, np.hstack([size, none, of.bounded]), near[1]),
    ]
    minus_j = np.concatenate([left.T @ ((of.weights * factor)[:, None] * right) for left, right, factor in slopes])
    dropped = [j for j in range(k + 1) if j not in kept]
    minus_j[dropped, dropped] = 1.0
    inverse = np.linalg.pinv(minus_j, rcond=1e-12)
    inverse[: k + 1] *= unit
    return inverse


def _bisquare(r):
    return jnp.where(jnp.abs(r) < _BISQUARE, r * (1 - (r / _BISQUARE) ** 2) ** 2, 0.0)
