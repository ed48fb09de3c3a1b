"""Laws on the line as the integrals see them, and adaptive quadrature over them.

Everything is integrated over panels cut at the quantiles of the laws, so that a narrow law far from the origin is
not missed, and bisected until nested rules agree.
"""

import dataclasses
from collections.abc import Callable

import numpy as np


@dataclasses.dataclass(frozen=True, eq=False)
class Density:
    """A law on the line; made by ``density`` and ``mixture``.

    Attributes
    ----------
    log_density : callable
        Elementwise in NumPy; -inf outside the support.
    support : (float, float)
        An interval that holds all mass.
    points : array (k,)
        Finite, increasing points that lay out the mass, such as quantiles; integrals are cut there.
    """

    log_density: Callable[[np.ndarray], np.ndarray]
    support: tuple[float, float]
    points: np.ndarray


# Levels of the quantiles that lay out a law: decades in both tails.
_TAILS = 10.0 ** -np.array([16, 13, 10, 8, 6, 5, 4, 3, 2, 1])
LEVELS = np.concatenate([_TAILS, [0.25, 0.5, 0.75], 1 - _TAILS[::-1]])


def tidy(*points) -> np.ndarray:
    """Sort points, without those that are not finite or that double precision hardly tells apart."""
    points = np.concatenate([np.ravel(p) for p in points]).astype(np.float64)
    points = np.sort(points[np.isfinite(points)])
    return points[np.diff(points, prepend=-np.inf) > 16 * np.finfo(float).eps * np.abs(points)]


def in_buckets(function, x: np.ndarray) -> np.ndarray:
    """Evaluate an elementwise function on arrays of few different sizes, so that JAX compiles few programs."""
    size = max(2048, 1 << (x.size - 1).bit_length())
    padded = np.full(size, x.flat[-1])
    padded[: x.size] = x.ravel()
    return np.asarray(function(padded), np.float64)[: x.size].reshape(x.shape)


def _fejer(n: int):
    """Fejer's second rule on (-1, 1): n - 1 open nodes; every other one is a node of the rule of n/2."""
    angles = np.pi * np.arange(1, n) / n
    odd = np.arange(1, n, 2)
    weights = 4 / n * np.sin(angles) * (np.sin(np.outer(angles, odd)) / odd).sum(axis=1)
    return np.cos(angles), weights


_NODES, _FINE = _fejer(24)
_COARSE = _fejer(12)[1]
_TOLERANCE = 1e-14  # of one panel, relative to a total of 1 or more
_ROUNDS = 120  # a pole x^(-1/2) needs 90


def integrate(integrand, *laws: Density) -> tuple[np.ndarray, np.ndarray]:
    """Integrate a function over the supports of some laws by bisection of all panels that need it at once.

    Returns
    -------
    x, masses : arrays (k,)
        Nodes, and the integrand at them times their weights; the masses sum to the integral.

    Raises
    ------
    ArithmeticError
        When bisection does not settle.
    """
    edges = tidy(*(law.points for law in laws))
    reach = (edges[-1] - edges[0]) / 2
    lower, upper = min(law.support[0] for law in laws), max(law.support[1] for law in laws)
    # A panel is an interval of x, or of t in (0, 1) with x = end -+ reach t/(1 - t) in the tails.
    left, right, side = edges[:-1], edges[1:], np.zeros(edges.size - 1)
    for sign, end in ((-1, lower), (1, upper)):
        if np.isinf(end):
            left, right, side = np.append(left, 0.0), np.append(right, 1.0), np.append(side, sign)
    nodes, masses, total, worst = [], [], 0.0, edges[0]
    eps = np.finfo(float).eps
    for _ in range(_ROUNDS):
        half = (right - left) / 2
        t = (left + right)[:, None] / 2 + half[:, None] * _NODES
        x, slope = _stretch(t, side[:, None], edges, reach)
        values = integrand(x) * slope
        if np.any(np.isnan(values)):
            raise ArithmeticError(f"the integrand is not a number near x = {x[np.isnan(values)][0]:.6g}")
        if np.any(np.isinf(values)):
            return x.ravel(), values.ravel()
        fine = half * (values @ _FINE)
        size = half * (np.abs(values) @ _FINE)
        gap = np.abs(fine - half * (values[:, 1::2] @ _COARSE))
        # QUADPACK's estimate: the fine rule is better than its distance from the coarse one.
        error = np.minimum(gap, size * (200 * gap / np.maximum(size, 1e-300)) ** 1.5)
        rounding = eps * size * (50 + np.where(side == 0, np.maximum(np.abs(left), np.abs(right)) / half, 0.0))
        done = error <= np.maximum(_TOLERANCE * max(1.0, total), rounding)
        nodes.append(x[done].ravel())
        masses.append((half[:, None] * values * _FINE)[done].ravel())
        total += fine[done].sum()
        if done.all():
            return np.concatenate(nodes), np.concatenate(masses)
        left, right, side, worst = left[~done], right[~done], side[~done], x[~done][0, 0]
        middle = (left + right) / 2
        # Too narrow to bisect; in a tail that is 1e13 times as far out as the laws reach.
        if np.any((middle <= left) | (middle >= right) | ((side != 0) & (right - left < 1e-13))):
            break
        left, right = np.concatenate([left, middle]), np.concatenate([middle, right])
        side = np.concatenate([side, side])
    raise ArithmeticError(f"the integral does not settle near x = {worst:.6g}")


def _stretch(t, side, edges, reach):
    """Map panels to the line, with the slope of the map."""
    inner = side == 0
    rest = np.where(inner, 1.0, np.maximum(1 - t, np.finfo(float).eps / 2))
    ends = np.where(side < 0, edges[0], edges[-1])
    return np.where(inner, t, ends + side * reach * t / rest), np.where(inner, 1.0, reach / rest**2)


def quantiles(law: Density, levels) -> np.ndarray:
    """Invert the distribution function between nodes of quadrature: three digits or so."""
    x, masses = integrate(lambda x: np.exp(law.log_density(x)), law)
    order = np.argsort(x)
    x, masses = x[order], masses[order]
    return np.interp(levels, np.cumsum(masses) - masses / 2, x)
