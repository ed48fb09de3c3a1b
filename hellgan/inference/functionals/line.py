"""Quantiles and probabilities of a law on the line: exact where the generator is monotone, else of many points."""

import dataclasses
import functools
import math

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from hellgan.execution import programs
from hellgan.inference.functionals.functional import Functional, Points, draws, simulation_error

_WINDOW = 0.05  # half a window, as a proportion of the points; at most half the way to the sample's end
_LEAST = 8  # points on either side, where there are any
_HALVINGS = 60  # of (0, 1), by bisection
_GROUP, _GROUP_OF_SAMPLES = 64, 8  # parameters a call

# Where a generator is asked whether it is monotone: the middle, and far into both tails.
_TAIL = np.array([1e-12, 1e-9, 1e-6, 1e-4])
_CHECKED = np.sort(np.concatenate([_TAIL, (np.arange(512) + 0.5) / 512, 1 - _TAIL]))


@programs.program
def _values(generator, thetas, z):
    """Observations (R, k) at R parameters, each with k latent numbers of its own, (R, k)."""

    def of_theta(theta, z):
        return jax.vmap(lambda draw: generator(theta, draw[None])[0])(z)

    return lax.map(lambda each: of_theta(*each), (thetas, z))


@programs.program
def _sorted(generator, thetas, z):
    """Sorted observations (R, m) at each of R parameters, by the same latent points."""

    def of_theta(theta):
        return jnp.sort(jax.vmap(lambda draw: generator(theta, draw)[0])(z))

    return lax.map(of_theta, thetas)


@programs.program
def _local(generator, theta, z):
    """Observations (k,) at latent numbers, their derivatives in theta (k, p) and in z, and the latent density."""

    def of_draw(draw):
        def value(theta, z):
            return generator(theta, z[None])[0]

        d_theta, d_z = jax.jacfwd(value, argnums=(0, 1))(theta, draw)
        return value(theta, draw), d_theta, d_z, jnp.exp(generator.law.log_density(draw))

    return jax.vmap(of_draw)(z)


def _to_size(a: np.ndarray, axis: int) -> np.ndarray:
    """Repeat the last entry up to a power of two of them, so that few sizes are compiled."""
    count = a.shape[axis]
    return np.take(a, np.minimum(np.arange(max(8, 2 ** math.ceil(math.log2(count)))), count - 1), axis)


@dataclasses.dataclass(frozen=True, eq=False)
class Line:
    """A law on the line, by its points and, where it is monotone in one latent number, by its quantile function."""

    of: Points

    def observe(self, thetas, u) -> np.ndarray:
        """Observations (R, k) at R parameters and levels (R, k) of the latent law."""
        g, size = self.of.generator, 1 if len(thetas) == 1 else _GROUP
        z = g.law.quantile(_to_size(u, 1))
        found = programs.in_blocks(functools.partial(_values, g), thetas, z, most=size, least=size)
        return found[:, : u.shape[1]]

    def directions(self, thetas) -> np.ndarray | None:
        """1 where the generator increases in its latent number, -1 where it decreases, (R,); None if any does not."""
        if self.of.generator.latent_dim > 1:
            return None
        steps = np.diff(self.observe(thetas, np.broadcast_to(_CHECKED, (len(thetas), len(_CHECKED)))), axis=1)
        up, down = np.all(steps >= 0, axis=1), np.all(steps <= 0, axis=1)
        return np.where(up, 1.0, -1.0) if np.all(up != down) else None

    @functools.cached_property
    def direction(self) -> float | None:
        """The direction at the estimate, 1 or -1; None where the generator is not monotone there."""
        found = self.directions(self.of.theta[None])
        return None if found is None else float(found[0])

    def local(self, u) -> list[np.ndarray]:
        """Observations (k,) at levels of the latent law, derivatives in theta (k, p) and in z, latent density."""
        g = self.of.generator
        found = _local(g, self.of.theta, g.law.quantile(_to_size(u, 0)))
        return [each[: len(u)] for each in found]

    @functools.cached_property
    def samples(self) -> tuple[np.ndarray, np.ndarray]:
        """Observations (S, m) and their derivatives in theta (S, m, p), at the estimate."""
        s, m, k = self.of.z.shape
        found = draws(self.of.generator, self.of.theta, self.of.z.reshape(s * m, k))
        x, slopes = (each[:, 0] for each in found)
        return x.reshape(s, m), slopes.reshape(s, m, -1)

    @functools.cached_property
    def pooled(self) -> tuple[np.ndarray, np.ndarray]:
        """All observations in order, (N,), with their derivatives (N, p)."""
        x, slopes = self.samples
        order = np.argsort(x, axis=None, kind="stable")
        return x.ravel()[order], slopes.reshape(x.size, -1)[order]

    def sorted(self, thetas) -> np.ndarray:
        """The first sample's observations (R, m) in order, at other parameters."""
        size = _GROUP_OF_SAMPLES
        return programs.in_blocks(
            lambda group: _sorted(self.of.generator, group, self.of.z[0]), thetas, most=size, least=size
        )

    def near(self, points, ranks) -> tuple[np.ndarray, np.ndarray]:
        """Densities (k,) at points of given ranks, and the mean derivatives in theta there (k, p)."""
        found = [_near(*self.pooled, float(t), int(rank)) for t, rank in zip(points, ranks, strict=True)]
        return np.array([density for density, _ in found]), np.stack([slopes for _, slopes in found])


def _near(x: np.ndarray, slopes: np.ndarray, t: float, rank: int) -> tuple[float, np.ndarray]:
    """Density of x at t, and E[slopes | x = t] (p,), from sorted x (N,) and slopes (N, p) about a rank.

    Kernels fall to 0 smoothly: where a window has edges, Sobol points lose nearly all that they have over independent
    ones. The density's is of fourth order; the mean is a local line's.
    """
    n = len(x)
    half = max(_LEAST, int(min(_WINDOW * n, rank / 2, (n - rank) / 2)))
    width = (x[min(rank + half, n - 1)] - x[max(rank - half, 0)]) / 2
    window = slice(np.searchsorted(x, t - width, "right"), np.searchsorted(x, t + width, "left"))
    if not width > 0 or window.stop - window.start < 3:
        return np.nan, np.full(slopes.shape[1], np.nan)  # beyond the points, or in a lump of probability
    s = (x[window] - t) / width
    weights = 1 - s**2
    density = np.sum(weights * (1 - 7 / 3 * s**2)) * (45 / 32) / (n * width)
    total, first, second = weights.sum(), weights @ s, weights @ s**2
    line = weights * (second - s * first) / (total * second - first**2)
    return float(density), line @ slopes[window]


def _mirrored(levels, direction):
    return np.where(direction > 0, levels, 1 - levels)


@dataclasses.dataclass(frozen=True, eq=False)
class Quantiles(Functional):
    """Quantiles of given levels, ``points``."""

    line: Line
    points: np.ndarray

    axes: tuple[str, str] = ("level", "quantile")

    def local(self):
        if self.line.direction is not None:
            values, slopes, _, _ = self.line.local(_mirrored(self.points, self.line.direction))
            return values, slopes, np.zeros(len(values))
        x, _ = self.line.pooled
        values = np.quantile(x, self.points)
        _, gradient = self.line.near(values, self.points * len(x))
        return values, gradient, simulation_error(np.quantile(self.line.samples[0], self.points, axis=1).T)

    def at(self, thetas):
        directions = self.line.directions(thetas)
        if directions is not None and self.line.direction is not None:
            return self.line.observe(thetas, _mirrored(self.points[None], directions[:, None]))
        own = np.quantile(self.line.pooled[0], self.points) - np.quantile(self.line.samples[0][0], self.points)
        return np.quantile(self.line.sorted(thetas), self.points, axis=1).T + own[None]


@dataclasses.dataclass(frozen=True, eq=False)
class Probabilities(Functional):
    """Values of the distribution function at ``points``."""

    line: Line
    points: np.ndarray

    axes: tuple[str, str] = ("x", "probability")

    def local(self):
        t = self.points
        if self.line.direction is not None:
            values = self.levels(self.line.of.theta[None], np.array([self.line.direction]))[0]
            inside = (values > 0) & (values < 1)
            u = _mirrored(np.where(inside, values, 0.5), self.line.direction)
            x, slopes, d_z, density = self.line.local(u)
            # In a gap of the law's support, as beyond it, probabilities do not move.
            inside &= np.abs(x - t) <= 1e-6 * np.maximum(np.abs(t), np.abs(d_z))
            gradient = np.zeros_like(slopes)
            gradient[inside] = -(density[inside] / np.abs(d_z[inside]))[:, None] * slopes[inside]
            return values, gradient, np.zeros(len(values))
        x, _ = self.line.pooled
        ranks = np.searchsorted(x, t, side="right")
        density, slopes = self.line.near(t, ranks)
        gradient = np.where(((ranks > 0) & (ranks < len(x)))[:, None], -density[:, None] * slopes, 0.0)
        return ranks / len(x), gradient, simulation_error(_shares_below(self.line.samples[0], t))

    def at(self, thetas):
        directions = self.line.directions(thetas)
        if directions is not None and self.line.direction is not None:
            return self.levels(thetas, directions)
        own = _shares_below(self.line.pooled[0][None], self.points) - _shares_below(
            np.sort(self.line.samples[0][:1], axis=1), self.points
        )
        return np.clip(_shares_below(self.line.sorted(thetas), self.points) + own, 0.0, 1.0)

    def levels(self, thetas, directions) -> np.ndarray:
        """Levels (R, k) of the points, by bisection of G(theta, Q(u)) = t; 0 and 1 beyond the support."""
        t = self.points[None]
        low, high = np.zeros((len(thetas), t.shape[1])), np.ones((len(thetas), t.shape[1]))
        least, most = 2.0**-_HALVINGS, 1 - 2.0**-53
        for _ in range(_HALVINGS):
            middle = np.clip((low + high) / 2, least, most)
            below = self.line.observe(thetas, _mirrored(middle, directions[:, None])) <= t
            low, high = np.where(below, middle, low), np.where(below, high, middle)
        values = np.where(low == 0, 0.0, (low + high) / 2)  # not even the least level lies below
        return np.where(low >= most, 1.0, values)


def _shares_below(x: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Proportions (R, k) of R samples (R, m) that are at most each of the points."""
    return np.stack([np.sum(row[:, None] <= points[None], axis=0) for row in x]) / x.shape[1]


@dataclasses.dataclass(frozen=True, eq=False)
class Survival(Functional):
    """What ``below`` leaves to 1."""

    below: Probabilities

    axes: tuple[str, str] = ("x", "probability")

    @property
    def points(self):  # pyright: ignore[reportIncompatibleVariableOverride]
        return self.below.points

    def local(self):
        values, gradient, error = self.below.local()
        return 1 - values, -gradient, error

    def at(self, thetas):
        return 1 - self.below.at(thetas)
