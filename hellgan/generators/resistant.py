"""The resistant fit of a linear model: where a regression starts, and where its discriminator places its knots."""

import math

import numpy as np

from hellgan.samples.robust import robust_scale

_SUBSETS, _REFINED, _PART = 250, 10, 1000
_S, _MM = 1.547645, 4.685061  # bisquare's tuning constants: breakdown point 1/2; efficiency .95 at the normal law
_FLOOR = 1e-14  # of a scale, the responses' largest deviation being 1


def resistant_fit(design: np.ndarray, response: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Fit a linear model by the MM-estimate of Yohai (1987): breakdown point one half, 95 % efficient.

    The S-estimate that it begins from is sought from fits to random subsets of p rows, as in the fast algorithm of
    Salibian-Barrera and Yohai (2006); rows that depend on those already drawn are passed over (Koller and Stahel
    2017), so that dummies do no harm. The subsets are always the same, so that the fit is deterministic and, but for
    rounding, equivariant under affine changes of the design and of the response.

    Parameters
    ----------
    design : (n, p) array
        Of full column rank.
    response : (n,) array
    weights : (n,) array
        Sampling weights; rows of weight 0 do not count.

    Returns
    -------
    (p,) array

    Raises
    ------
    ValueError
        When the covariates determine half of the responses exactly.
    """
    counted = weights > 0
    y, w = response[counted], weights[counted] / weights[counted].sum()
    size = np.max(np.abs(y - np.median(y))) or 1.0
    rounding = 1e-12 * np.max(np.abs(y)) / size
    y = y / size
    # An orthonormal design, of any scale and correlation of the columns.
    q, r = np.linalg.qr(design[counted])
    n, p = q.shape
    level = 0.5 * max(1 - p * np.sum(w**2), 1 / n)  # of the bisquare's maximum; allows for the p estimated parameters
    rng = np.random.default_rng(0)
    subsets = _elemental(q, rng)
    fits = np.linalg.solve(q[subsets], y[subsets][..., None])[..., 0]
    fits = np.concatenate([fits, _least_squares(q, y, w)[None]])
    part = slice(None) if n <= _PART else rng.choice(n, _PART, replace=False)
    few = q[part], y[part], w[part] / w[part].sum()
    scales = _m_scale(few[1] - fits @ few[0].T, few[2], level, 10)
    refined = [_s_steps(*few, fit, level, 5) for fit in fits[np.argsort(scales, kind="stable")[:_REFINED]]]
    refined.sort(key=lambda pair: pair[1])
    best, _ = min((_s_steps(*few, fit, level, 200) for fit, _ in refined[:2]), key=lambda pair: pair[1])
    best, least = _s_steps(q, y, w, best, level, 200)
    if not least > max(rounding, 10 * _FLOOR):
        raise ValueError(
            "data: the covariates determine half of the responses exactly; the model needs responses that scatter."
        )
    return size * np.linalg.solve(r, _m_steps(q, y, w, best, least))


def residual_scale(residuals: np.ndarray, p: int, weights: np.ndarray) -> float:
    """Median absolute deviation of residuals, consistent at the normal law, corrected for p coefficients."""
    effective = 1 / np.sum(np.square(weights / weights.sum()))
    return robust_scale(residuals, weights) * np.sqrt(effective / max(effective - p, 1.0))


def _elemental(q, rng):
    """Draw subsets (count, p) of rows that each determine a fit."""
    n, p = q.shape
    order = rng.integers(0, n, (_SUBSETS, 30 * p))  # a row drawn again depends on itself, and is passed over
    left = q[order]
    size = np.sum(left**2, axis=2)
    chosen, everyone, found = np.empty((_SUBSETS, p), int), np.arange(_SUBSETS), np.ones(_SUBSETS, bool)
    for k in range(p):
        usable = np.sum(left**2, axis=2) > 1e-16 * size
        first = np.argmax(usable, axis=1)
        found &= usable[everyone, first]
        chosen[:, k] = order[everyone, first]
        unit = left[everyone, first]
        unit = unit / np.maximum(np.linalg.norm(unit, axis=1, keepdims=True), np.finfo(float).tiny)
        left = left - np.einsum("smp,sp->sm", left, unit)[..., None] * unit[:, None]
    return chosen[found]


def _least_squares(q, y, w):
    root = np.sqrt(w)
    return np.linalg.lstsq(root[:, None] * q, root * y, rcond=None)[0]


def _m_scale(residuals, w, level: float, steps: int, scale=None) -> np.ndarray:
    """M-scales of residuals (..., n): the bisquare's mean, with its maximum put to 1, is ``level``."""
    if scale is None:
        # The second is a lower bound of the scale; the first is 0 where more than half of the residuals are.
        n = residuals.shape[-1]
        orders = [n // 2, math.ceil((1 - level) * n) - 1]
        parted = np.partition(np.abs(residuals), orders, axis=-1)
        scale = np.maximum(parted[..., orders[0]] / 0.6745, parted[..., orders[1]] / _S)
    for _ in range(steps):
        t = np.minimum((residuals / np.maximum(scale, _FLOOR)[..., None] / _S) ** 2, 1.0)
        scale = scale * np.sqrt((1 - (1 - t) ** 3) @ w / level)
    return np.asarray(scale)


def _s_steps(q, y, w, fit, level: float, steps: int) -> tuple[np.ndarray, float]:
    """Lessen a fit's M-scale by weighted least squares; returns the fit (p,) and its scale."""
    scale = _m_scale(y - q @ fit, w, level, 20)
    for _ in range(steps):
        scale = _m_scale(y - q @ fit, w, level, 1, scale)
        fit, moved = _bisquare_step(q, y, w, fit, scale, _S)
        if moved <= 1e-10 * scale:
            break
    return fit, float(_m_scale(y - q @ fit, w, level, 50, scale))


def _m_steps(q, y, w, fit, scale: float) -> np.ndarray:
    """Take the efficient M-estimate nearest to a fit, its scale held."""
    for _ in range(200):
        fit, moved = _bisquare_step(q, y, w, fit, scale, _MM)
        if moved <= 1e-10 * scale:
            break
    return fit


def _bisquare_step(q, y, w, fit, scale, tuning):
    t = np.minimum(((y - q @ fit) / np.maximum(scale, _FLOOR) / tuning) ** 2, 1.0)
    new = _least_squares(q, y, w * (1 - t) ** 2)
    return new, np.max(np.abs(q @ (new - fit)))


def independent_columns(design: np.ndarray) -> list[int]:
    """Find the columns of a design that those before them do not determine, but for rounding."""
    kept, directions = [], np.empty((len(design), 0))
    for k, column in enumerate(design.T):
        size = np.linalg.norm(column)
        left = column - directions @ (directions.T @ column)
        left = left - directions @ (directions.T @ left)  # twice is enough
        if np.linalg.norm(left) > 1e-10 * size > 0:
            kept.append(k)
            directions = np.column_stack([directions, left / np.linalg.norm(left)])
    return kept
