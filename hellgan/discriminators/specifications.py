"""Specifications of discriminators: polynomials, sigmoids, splines, bumps, random and listed features, networks."""

import functools
import itertools
from collections.abc import Callable, Sequence

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from hellgan.checks import checked_count, checked_sequence, shown
from hellgan.discriminators.features import Bumps, Listed, Monomials, PiecewisePolynomials, ProjectedSigmoids
from hellgan.discriminators.network import Network
from hellgan.discriminators.placement import (
    arcsine_levels,
    axes_and_diagonals,
    center_and_scale,
    checked_penalty,
    knots_and_widths,
    ridge_vector,
)
from hellgan.discriminators.specification import Discriminator
from hellgan.execution import tracing
from hellgan.functions import owned
from hellgan.samples.robust import quantile, robust_scale
from hellgan.samples.ties import spread_quantile


class Polynomial(Discriminator):
    """All monomials of the standardised coordinates up to a total degree: unbounded.

    The monomials of degree 1 and 2 are sufficient statistics of a normal law.

    Parameters
    ----------
    degree : int
        Total degree, at least 1.
    ridge : float
        Quadratic penalty on all coefficients but the intercept.
    """

    degree: int = eqx.field(static=True)
    ridge: float = eqx.field(static=True)

    def __init__(self, degree: int = 2, ridge: float = 0.0):
        self.degree, self.ridge = checked_count("degree", degree), checked_penalty(ridge)

    def place(self, x, weights, seed):
        center, scale = center_and_scale(x, weights)
        d = center.size
        powers = [p for p in itertools.product(range(self.degree + 1), repeat=d) if 1 <= sum(p) <= self.degree]
        powers = tuple(sorted(powers, key=lambda p: (sum(p), tuple(-k for k in p))))
        return Monomials(center, scale, ridge_vector(self.ridge, len(powers), weights), powers)


class Sigmoids(Discriminator):
    """Sigmoids with knots at quantiles of the data: bounded, deterministic, the default.

    In one dimension there are ``k`` knots at the quantiles of levels sin^2(pi (j - 1/2) / (2 k)), j = 1..k, denser
    in the tails, and each width is the local spacing of the knots, at least a tenth of the robust scale. Of rounded
    data, more than 15 % of which are one value, the knots spread over the steps of the rounding, and widths are at
    least a step. In d dimensions the same is done, ``k`` knots each, along the axes and the diagonals e_i + e_j and
    e_i - e_j of the data standardised by median and MAD.

    Parameters
    ----------
    k : int
        Knots a direction.
    ridge : float, optional
        Quadratic penalty on all coefficients but the intercept; 1/(2 n^2) unless given, but at least 1e-6 (one
        dimension) or 1e-4 (several).
    """

    k: int = eqx.field(static=True)
    ridge: float | None = eqx.field(static=True)

    def __init__(self, k: int = 16, ridge: float | None = None):
        self.k, self.ridge = checked_count("k", k, 2), checked_penalty(ridge, optional=True)

    def place(self, x, weights, seed):
        return self._placed(x, weights)

    def place_each(self, samples, weights, seeds):
        return self._placed(samples, weights)

    def _placed(self, rows, weights):
        """Place the sigmoids on each sample of a stack (..., n, d)."""
        center, scale = center_and_scale(rows, weights)
        t = (rows - center[..., None, :]) / scale[..., None, :]
        directions = axes_and_diagonals(t.shape[-1])
        knots, widths = knots_and_widths(np.swapaxes(t @ directions.T, -1, -2), self.k, weights)
        stack, q = rows.shape[:-2], self.k * len(directions)
        ridge = ridge_vector(self.ridge, q, weights, 1e-6 if len(directions) == 1 else 1e-4)
        return ProjectedSigmoids(
            center,
            scale,
            np.broadcast_to(np.repeat(directions, self.k, axis=0), (*stack, q, t.shape[-1])),
            knots.reshape(*stack, q),
            widths.reshape(*stack, q),
            np.broadcast_to(ridge, (*stack, q + 1)),
        )


class Splines(Discriminator):
    """Regression splines with knots at quantiles of the data: bounded, deterministic, constant in the far tails.

    In one dimension there are ``k`` knots where ``Sigmoids`` has them, and ``degree - 1`` further ones on either side
    at the distance of the last two; v is any function that is a polynomial of that degree between knots, constant
    beyond the last ones, and has ``degree - 1`` continuous derivatives everywhere. The features are a basis of these
    functions, less the constant: k + degree - 2 rising curves from -1/2 to 1/2 (I-splines, integrals of B-splines),
    each of which is flat but for ``degree`` intervals. In d dimensions the same is done along the axes and the
    diagonals of the standardised data, as ``Sigmoids`` does: (k + degree - 2) d^2 features, a sum of functions of
    one variable each.

    Parameters
    ----------
    k : int
        Knots a direction, those further out not counted.
    degree : int
        At least 3, since the generator learns through two derivatives of v in x.
    ridge : float, optional
        As for ``Sigmoids``; here a penalty on the differences of the coefficients of B-splines: on how v varies.

    Notes
    -----
    Knots closer than 1/k of the robust scale, as in tied data, are moved apart to that distance; of rounded data, to
    two steps of the rounding.

    References
    ----------
    Ramsay (1988), Monotone regression splines in action, *Statistical Science* 3.
    """

    k: int = eqx.field(static=True)
    degree: int = eqx.field(static=True)
    ridge: float | None = eqx.field(static=True)

    def __init__(self, k: int = 8, degree: int = 3, ridge: float | None = None):
        self.k, self.degree = checked_count("k", k, 2), checked_count("degree", degree, 3)
        self.ridge = checked_penalty(ridge, optional=True)

    def place(self, x, weights, seed):
        center, scale = center_and_scale(x, weights)
        t = (x - center) / scale
        directions = axes_and_diagonals(t.shape[1])
        knots = np.array([self._knots(t @ u, weights) for u in directions])
        coefficients = np.array([_rising_splines(along, self.degree) for along in knots])
        q = (self.k + self.degree - 2) * len(directions)
        least = 1e-6 if len(directions) == 1 else 1e-4
        return PiecewisePolynomials(
            center, scale, directions, knots, coefficients, ridge_vector(self.ridge, q, weights, least)
        )

    def _knots(self, t, weights):
        knots, step = spread_quantile(t, arcsine_levels(self.k), weights)
        knots = _apart(knots, max(robust_scale(t, weights) / self.k, 2 * float(step)))
        further = np.arange(1, self.degree)
        below = knots[0] - (knots[1] - knots[0]) * further[::-1]
        return np.concatenate([below, knots, knots[-1] + (knots[-1] - knots[-2]) * further])


def _apart(knots, gap):
    """Move knots apart until no gap is smaller than ``gap``, to both sides alike; knots far enough apart stay."""
    steps = gap * np.arange(knots.size)
    slack = knots - steps
    upwards, downwards = np.maximum.accumulate(slack), np.minimum.accumulate(slack[::-1])[::-1]
    moved = (upwards + downwards) / 2 + steps
    return np.where(upwards == downwards, knots, moved)


def _rising_splines(knots, degree):
    """Integrate the normalised B-splines of degree - 1: (K - 1, degree + 1, K - degree), less 1/2.

    The integrals are polynomials of the local coordinate of each of the K - 1 intervals, by rising powers.
    """
    left, width = knots[:-1], np.diff(knots)
    bumps = np.eye(left.size)[:, :, None]  # B-spline, interval, power
    for order in range(1, degree):
        first, last = knots[: -order - 1, None], knots[order + 1 :, None]
        climb, fall = knots[order:-1, None] - first, last - knots[1:-order, None]
        bumps = _times(bumps[:-1], (left - first) / climb, width / climb) + _times(
            bumps[1:], (last - left) / fall, -width / fall
        )
    normalised = bumps * (degree / (knots[degree:] - knots[:-degree]))[:, None, None]
    slopes = normalised * width[:, None] / np.arange(1, degree + 1)
    rises = slopes.sum(axis=2)
    before = np.cumsum(rises, axis=1) - rises
    return np.moveaxis(np.concatenate([before[:, :, None] - 0.5, slopes], axis=2), 0, 2)


def _times(polynomials, constant, linear):
    """Multiply polynomials (k, intervals, powers) by ``constant + linear u``."""
    product = np.zeros((*polynomials.shape[:2], polynomials.shape[2] + 1))
    product[:, :, :-1] += polynomials * constant[:, :, None]
    product[:, :, 1:] += polynomials * linear[:, :, None]
    return product


class GaussianBumps(Discriminator):
    """Gaussian bumps centred at quantiles of the data (one dimension) or at spread observations (several).

    Parameters
    ----------
    k : int
        Number of bumps, at least 2.
    ridge : float, optional
        Quadratic penalty on all coefficients but the intercept; 1/(2 n^2) unless given, but at least 1e-4.
    """

    k: int = eqx.field(static=True)
    ridge: float | None = eqx.field(static=True)

    def __init__(self, k: int = 8, ridge: float | None = None):
        self.k, self.ridge = checked_count("k", k, 2), checked_penalty(ridge, optional=True)

    def place(self, x, weights, seed):
        center, scale = center_and_scale(x, weights)
        t = (x - center) / scale
        if t.shape[1] == 1:
            knots, widths = knots_and_widths(t[:, 0], self.k, weights)
            centers = knots[:, None]
        else:
            centers = _spread(t, weights, self.k)
            gaps = np.linalg.norm(centers[:, None] - centers[None], axis=2) + np.diag(np.full(self.k, np.inf))
            widths = np.maximum(np.min(gaps, axis=1), 0.1)
        return Bumps(center, scale, centers, widths, ridge_vector(self.ridge, self.k, weights, 1e-4))


def _spread(t, weights, k):
    """Pick k observations far from one another within the central 90 %: deterministic farthest-point picks."""
    distance = np.linalg.norm(t, axis=1)
    inside = t[(distance <= quantile(distance, 0.9, weights)) & (weights > 0)]
    if len(inside) < k:
        raise ValueError(f"discriminator: {k} bumps need more than {k} observations; give fewer.")
    picked = [int(np.argmin(np.linalg.norm(inside, axis=1)))]
    gap = np.linalg.norm(inside - inside[picked[0]], axis=1)
    while len(picked) < k:
        picked.append(int(np.argmax(gap)))
        gap = np.minimum(gap, np.linalg.norm(inside - inside[picked[-1]], axis=1))
    return inside[picked]


class RandomFeatures(Discriminator):
    """Sigmoids of random projections of the standardised data, with random knots.

    With few of them the fit depends on the seed: try several seeds, or take ``Sigmoids``.

    Parameters
    ----------
    k : int
        Number of sigmoids.
    ridge : float
        Quadratic penalty on all coefficients but the intercept.
    seed : int, optional
        Seed of the directions and knots; the model's unless given.
    """

    k: int = eqx.field(static=True)
    ridge: float = eqx.field(static=True)
    seed: int | None = eqx.field(static=True)

    def __init__(self, k: int = 24, ridge: float = 1e-3, seed: int | None = None):
        self.k, self.ridge = checked_count("k", k), checked_penalty(ridge)
        self.seed = None if seed is None else checked_count("seed", seed, 0)

    def place(self, x, weights, seed):
        center, scale = center_and_scale(x, weights)
        rng = np.random.default_rng([0x5EED, seed if self.seed is None else self.seed])
        d = center.size
        directions = rng.normal(size=(self.k, d))
        knots = 1.5 * rng.normal(size=self.k) * np.linalg.norm(directions, axis=1)
        return ProjectedSigmoids(
            center, scale, directions, knots, np.full(self.k, 0.5), ridge_vector(self.ridge, self.k, weights)
        )


class Features(Discriminator):
    """A user's own features, linear in alpha: ``Features(lambda x: jnp.stack([x, jnp.tanh(x / 2)]))``.

    Parameters
    ----------
    function : callable
        Of one observation, () or (d,), written with ``jax.numpy``; returns a number or a vector of length q,
        without the constant, which is added. Features are used as they are: nothing is standardised.
    ridge : float
        Quadratic penalty on all coefficients but the intercept.
    """

    function: Callable = eqx.field(static=True)
    ridge: float = eqx.field(static=True)

    def __init__(self, function: Callable, ridge: float = 0.0):
        if not callable(function):
            raise TypeError(f"function: got {shown(function)}; give a function of one observation.")
        self.function, self.ridge = owned(function, "discriminator"), checked_penalty(ridge)

    def place(self, x, weights, seed):
        takes_number = x.shape[1] == 1
        one = jax.ShapeDtypeStruct(() if takes_number else x.shape[1:], jnp.float32)
        try:
            shape = jax.eval_shape(lambda row: jnp.atleast_1d(jnp.asarray(self.function(row))), one).shape
        except Exception as error:
            raise ValueError(
                f"discriminator: the features fail on one observation: {tracing.failure(error)}."
            ) from error
        if len(shape) != 1:
            raise ValueError(f"discriminator: the features have shape {shape}; return a vector of length q.")
        if why := _trouble(self.function, one.shape):
            raise ValueError(f"discriminator: the function of the features {why}.")
        return Listed(ridge_vector(self.ridge, shape[0], weights), self.function, takes_number)


@functools.lru_cache(maxsize=64)
def _trouble(function: Callable, shape: tuple[int, ...]) -> str:
    """Say why features cannot be compiled; asked once of a function, which is placed on every sample of a batch."""
    return tracing.trouble(function, jax.ShapeDtypeStruct(shape, jnp.float32), orders=2)


class MLP(Discriminator):
    """A multilayer perceptron with tanh units: not linear in alpha, so that no joint law exists at the truth.

    Parameters
    ----------
    widths : tuple of int
        Hidden units, layer by layer.
    ridge : float
        Quadratic penalty on all weights of the network; keep it positive.
    """

    widths: tuple[int, ...] = eqx.field(static=True)
    ridge: float = eqx.field(static=True)

    def __init__(self, widths: Sequence[int] | int = (8,), ridge: float = 1e-3):
        if isinstance(widths, (int, np.integer)):
            widths = (widths,)
        widths = tuple(checked_sequence("widths", widths, "numbers of hidden units, layer by layer"))
        if not widths:
            raise ValueError("widths: got (); give the number of hidden units of at least one layer.")
        self.widths, self.ridge = tuple(checked_count("widths", w) for w in widths), checked_penalty(ridge)

    def place(self, x, weights, seed):
        center, scale = center_and_scale(x, weights)
        rng, parts, penalties = np.random.default_rng([0x3A9, seed]), [], []
        layers = list(itertools.pairwise((center.size, *self.widths, 1)))
        for inputs, outputs in layers:
            spread = 1.0 if (inputs, outputs) != layers[-1] else 0.1
            parts += [rng.normal(size=inputs * outputs) * spread / np.sqrt(inputs), rng.normal(size=outputs) * spread]
            penalties += [np.full(inputs * outputs, self.ridge), np.full(outputs, self.ridge)]
        parts[-1], penalties[-1] = np.zeros(1), np.zeros(1)  # the output's intercept
        return Network(center, scale, np.concatenate(penalties), np.concatenate(parts), self.widths)
