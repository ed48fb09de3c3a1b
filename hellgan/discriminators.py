"""Discriminators: parametric models of the log density ratio v_alpha(x).

What a user writes is a specification (``Sigmoids(16)``). Placed on a sample it becomes a *basis*: knots and
scales taken from the data's quantiles, so that fits are equivariant under shifts and rescalings. A basis is linear
in alpha, v = alpha . features(x) with a constant first feature; only ``MLP`` is not.
"""

import abc
import dataclasses
import itertools
from collections.abc import Callable, Sequence

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from hellgan.generators import first_line
from hellgan.robust import quantile, robust_scale


class Basis(eqx.Module):
    """A log ratio linear in alpha, placed on data; abstract.

    Attributes
    ----------
    ridge : (q + 1,) array
        The objective is penalised by ``sum(ridge * alpha**2)``; 0 for the intercept.
    """

    ridge: eqx.AbstractVar[np.ndarray]

    @abc.abstractmethod
    def features(self, x: jax.Array) -> jax.Array:
        """Evaluate the (q + 1,) features of one observation, () or (d,); the first is 1."""

    def log_ratio(self, alpha: jax.Array, x: jax.Array) -> jax.Array:
        """v_alpha(x) of one observation."""
        return self.features(x) @ alpha

    @property
    def size(self) -> int:
        """The length of alpha, q + 1."""
        return self.ridge.shape[0]

    @property
    def is_linear(self) -> bool:
        return True

    @property
    def start(self) -> np.ndarray:
        """Where the discriminator starts: v = 0, the two laws taken to be equal."""
        return np.zeros(self.size)


class Network(eqx.Module):
    """A multilayer perceptron for the log ratio, placed on data: standardisation, sizes and start."""

    center: np.ndarray
    scale: np.ndarray
    ridge: np.ndarray
    start: np.ndarray
    widths: tuple[int, ...] = eqx.field(static=True)

    def log_ratio(self, alpha: jax.Array, x: jax.Array) -> jax.Array:
        """v_alpha(x) of one observation, () or (d,)."""
        h, at = (jnp.atleast_1d(x) - self.center) / self.scale, 0
        for inputs, outputs in itertools.pairwise((self.center.shape[0], *self.widths, 1)):
            weights = alpha[at : at + inputs * outputs].reshape(outputs, inputs)
            at += inputs * outputs
            h = weights @ h + alpha[at : at + outputs]
            at += outputs
            h = jnp.tanh(h) if at < self.size else h
        return h[0]

    @property
    def size(self) -> int:
        """The length of alpha."""
        return self.start.shape[0]

    @property
    def is_linear(self) -> bool:
        return False


class Monomials(Basis):
    """Products of powers of the standardised coordinates."""

    center: np.ndarray
    scale: np.ndarray
    ridge: np.ndarray
    powers: tuple[tuple[int, ...], ...] = eqx.field(static=True)

    def features(self, x):
        t = (jnp.atleast_1d(x) - self.center) / self.scale
        terms = [jnp.prod(jnp.stack([t[i] ** k for i, k in enumerate(power) if k])) for power in self.powers]
        return jnp.stack([jnp.ones_like(t[0]), *terms])


class Ridges(Basis):
    """Sigmoids of one-dimensional projections: expit((direction . t - knot) / width) - 1/2, t standardised."""

    center: np.ndarray
    scale: np.ndarray
    directions: np.ndarray
    knots: np.ndarray
    widths: np.ndarray
    ridge: np.ndarray

    def features(self, x):
        t = (jnp.atleast_1d(x) - self.center) / self.scale
        values = 0.5 * jnp.tanh(0.5 * (self.directions @ t - self.knots) / self.widths)
        return jnp.concatenate([jnp.ones(1, values.dtype), values])


class Bumps(Basis):
    """Gaussian bumps exp(-|t - center_k|^2 / (2 width_k^2)), t standardised."""

    center: np.ndarray
    scale: np.ndarray
    centers: np.ndarray
    widths: np.ndarray
    ridge: np.ndarray

    def features(self, x):
        t = (jnp.atleast_1d(x) - self.center) / self.scale
        distance = jnp.sum((t[None, :] - self.centers) ** 2, axis=1) / self.widths**2
        return jnp.concatenate([jnp.ones(1, distance.dtype), jnp.exp(-0.5 * distance)])


class Listed(Basis):
    """A user's own features, with a constant put in front."""

    ridge: np.ndarray
    function: Callable = eqx.field(static=True)

    def features(self, x):
        values = jnp.atleast_1d(jnp.asarray(self.function(x)))
        return jnp.concatenate([jnp.ones(1, values.dtype), values])


class Discriminator(eqx.Module):
    """A specification of a discriminator, before it has seen data; abstract."""

    @abc.abstractmethod
    def place(self, x: np.ndarray, weights: np.ndarray, seed: int) -> Basis | Network:
        """Place it on a sample (n,) or (n, d) with weights (n,) that sum to 1."""


def _count(name, value, least=1):
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < least:
        raise ValueError(f"{name}: got {value!r}; give an integer of at least {least}.")
    return int(value)


def _penalty(value):
    if isinstance(value, bool) or not isinstance(value, (int, float, np.number)) or not 0 <= value < np.inf:
        raise ValueError(f"ridge: got {value!r}; give a non-negative number.")
    return float(value)


def _ridge(penalty, q, weights, least=0.0):
    """Penalties of q + 1 coefficients; None stands for 1/(2 n^2), at least ``least``.

    So small a ridge is o(1/n), nothing beside the statistical error; but in a small sample it keeps the maximum in
    alpha of a loss that is not concave from running off to where data and simulations are separated.
    """
    if penalty is None:
        penalty = max(least, 0.5 * float(np.sum(weights**2)) ** 2)
    return np.concatenate([[0.0], np.full(q, penalty)])


def _columns(x):
    return x[:, None] if x.ndim == 1 else x


def _standard(x, weights):
    columns = _columns(x).T
    center = np.array([quantile(column, 0.5, weights) for column in columns])
    return center, np.array([robust_scale(column, weights) for column in columns])


class Polynomial(Discriminator):
    """All monomials up to a total degree. Unbounded: degree 2 is maximum likelihood's own view of a normal."""

    degree: int = eqx.field(static=True)
    ridge: float = eqx.field(static=True)

    def __init__(self, degree: int = 2, ridge: float = 0.0):
        self.degree, self.ridge = _count("degree", degree), _penalty(ridge)

    def place(self, x, weights, seed):
        center, scale = _standard(x, weights)
        d = center.size
        powers = [p for p in itertools.product(range(self.degree + 1), repeat=d) if 1 <= sum(p) <= self.degree]
        powers = tuple(sorted(powers, key=lambda p: (sum(p), tuple(-k for k in p))))
        return Monomials(center, scale, _ridge(self.ridge, len(powers), weights), powers)


class Sigmoids(Discriminator):
    """Sigmoids with knots at quantiles of the data: bounded, deterministic, the default.

    In one dimension there are ``k`` knots at the quantiles of levels sin^2(pi (j - 1/2) / (2 k)), j = 1..k, denser
    in the tails, and each width is the local spacing of the knots, at least a tenth of the robust scale. In d
    dimensions the same is done, ``k`` knots each, along the axes and the diagonals e_i + e_j and e_i - e_j of the
    data standardised by median and MAD.

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
        self.k, self.ridge = _count("k", k, 2), None if ridge is None else _penalty(ridge)

    def place(self, x, weights, seed):
        center, scale = _standard(x, weights)
        t = (_columns(x) - center) / scale
        directions = _axes_and_diagonals(t.shape[1])
        levels = np.sin(np.pi * (np.arange(self.k) + 0.5) / (2 * self.k)) ** 2
        knots, widths = zip(*[_knots(t @ u, levels, weights) for u in directions], strict=True)
        q = self.k * len(directions)
        return Ridges(
            center,
            scale,
            np.repeat(directions, self.k, axis=0),
            np.concatenate(knots),
            np.concatenate(widths),
            _ridge(self.ridge, q, weights, 1e-6 if len(directions) == 1 else 1e-4),
        )


def _axes_and_diagonals(d):
    axes = list(np.eye(d))
    for i, j in itertools.combinations(range(d), 2):
        axes += [(axes[i] + axes[j]) / np.sqrt(2), (axes[i] - axes[j]) / np.sqrt(2)]
    return np.array(axes)


def _knots(t, levels, weights):
    knots = quantile(t, levels, weights)
    return knots, np.maximum(np.gradient(knots), 0.1 * robust_scale(t, weights))


class GaussianBumps(Discriminator):
    """Gaussian bumps centred at quantiles of the data (one dimension) or at spread observations (several)."""

    k: int = eqx.field(static=True)
    ridge: float | None = eqx.field(static=True)

    def __init__(self, k: int = 8, ridge: float | None = None):
        self.k, self.ridge = _count("k", k, 2), None if ridge is None else _penalty(ridge)

    def place(self, x, weights, seed):
        center, scale = _standard(x, weights)
        t = (_columns(x) - center) / scale
        if t.shape[1] == 1:
            levels = np.sin(np.pi * (np.arange(self.k) + 0.5) / (2 * self.k)) ** 2
            knots, widths = _knots(t[:, 0], levels, weights)
            centers = knots[:, None]
        else:
            centers = _spread(t, weights, self.k)
            gaps = np.linalg.norm(centers[:, None] - centers[None], axis=2) + np.diag(np.full(self.k, np.inf))
            widths = np.maximum(np.min(gaps, axis=1), 0.1)
        return Bumps(center, scale, centers, widths, _ridge(self.ridge, self.k, weights, 1e-4))


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
    """Sigmoids of random projections with random knots, drawn from ``seed``.

    Few of them depend on their seed: fit with several, or take ``Sigmoids``.
    """

    k: int = eqx.field(static=True)
    ridge: float = eqx.field(static=True)
    seed: int | None = eqx.field(static=True)

    def __init__(self, k: int = 24, ridge: float = 1e-3, seed: int | None = None):
        self.k, self.ridge = _count("k", k), _penalty(ridge)
        self.seed = None if seed is None else _count("seed", seed, 0)

    def place(self, x, weights, seed):
        center, scale = _standard(x, weights)
        rng = np.random.default_rng([0x5EED, seed if self.seed is None else self.seed])
        d = center.size
        directions = rng.normal(size=(self.k, d))
        knots = 1.5 * rng.normal(size=self.k) * np.linalg.norm(directions, axis=1)
        return Ridges(center, scale, directions, knots, np.full(self.k, 0.5), _ridge(self.ridge, self.k, weights))


class Features(Discriminator):
    """A user's own features, linear in alpha: ``Features(lambda x: jnp.stack([x, jnp.tanh(x / 2)]))``.

    Parameters
    ----------
    function : callable
        Of one observation, () or (d,), written with ``jax.numpy``; returns a number or a vector of length q,
        without the constant, which is added. Features are used as they are: nothing is standardised.
    ridge : float
    """

    function: Callable = eqx.field(static=True)
    ridge: float = eqx.field(static=True)

    def __init__(self, function: Callable, ridge: float = 0.0):
        if not callable(function):
            raise TypeError(f"function: got {function!r}; give a function of one observation.")
        self.function, self.ridge = function, _penalty(ridge)

    def place(self, x, weights, seed):
        one = jax.ShapeDtypeStruct(x.shape[1:], jnp.float32)
        try:
            shape = jax.eval_shape(lambda row: jnp.atleast_1d(jnp.asarray(self.function(row))), one).shape
        except Exception as error:
            raise ValueError(
                f"discriminator: the features fail on one observation ({first_line(error)}); write them "
                "with jax.numpy, for a single observation."
            ) from error
        if len(shape) != 1:
            raise ValueError(f"discriminator: the features have shape {shape}; return a vector of length q.")
        return Listed(_ridge(self.ridge, shape[0], weights), self.function)


class MLP(Discriminator):
    """A multilayer perceptron with tanh units: not linear in alpha, so that no joint law exists at the truth.

    Parameters
    ----------
    widths : tuple of int
        Hidden units, layer by layer.
    ridge : float
        Quadratic penalty on all weights; keep it positive.
    """

    widths: tuple[int, ...] = eqx.field(static=True)
    ridge: float = eqx.field(static=True)

    def __init__(self, widths: Sequence[int] | int = (8,), ridge: float = 1e-3):
        widths = (widths,) if isinstance(widths, (int, np.integer)) else tuple(widths)
        if not widths:
            raise ValueError("widths: got (); give the number of hidden units of at least one layer.")
        self.widths, self.ridge = tuple(_count("widths", w) for w in widths), _penalty(ridge)

    def place(self, x, weights, seed):
        center, scale = _standard(x, weights)
        rng, parts, penalties = np.random.default_rng([0x3A9, seed]), [], []
        layers = list(itertools.pairwise((center.size, *self.widths, 1)))
        for inputs, outputs in layers:
            spread = 1.0 if (inputs, outputs) != layers[-1] else 0.1
            parts += [rng.normal(size=inputs * outputs) * spread / np.sqrt(inputs), rng.normal(size=outputs) * spread]
            penalties += [np.full(inputs * outputs, self.ridge), np.full(outputs, self.ridge)]
        parts[-1], penalties[-1] = np.zeros(1), np.zeros(1)  # the output's intercept
        return Network(center, scale, np.concatenate(penalties), np.concatenate(parts), self.widths)


def default(d: int) -> Discriminator:
    """Choose the default: 16 sigmoids in one dimension, fewer a direction in several."""
    return Sigmoids(16) if d == 1 else Sigmoids(max(2, 6 - d))


_CATALOGUE = {c.__name__: c for c in (Polynomial, Sigmoids, GaussianBumps, RandomFeatures, MLP)}


def make(name: str, **arguments) -> Discriminator:
    """Build a discriminator from what ``recipe`` wrote."""
    if name not in _CATALOGUE:
        raise ValueError(f"discriminator: {name!r} is not known; give one of {', '.join(_CATALOGUE)}.")
    return _CATALOGUE[name](**arguments)


def recipe(discriminator: Discriminator) -> dict | None:
    """Describe a discriminator of this module by name and arguments; None where a function is part of it."""
    if _CATALOGUE.get(type(discriminator).__name__) is not type(discriminator):
        return None
    arguments = {f.name: getattr(discriminator, f.name) for f in dataclasses.fields(discriminator)}
    return {"name": type(discriminator).__name__, **arguments}
