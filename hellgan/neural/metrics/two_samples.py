"""Two samples compared by kernel sums: maximum mean discrepancy, and the Jensen-Shannon divergence by densities."""

import dataclasses
from collections.abc import Callable, Sequence
from typing import NamedTuple

import jax
import numpy as np

from hellgan.checks import checked_count, checked_real, checked_seed, is_one_of
from hellgan.divergences.permutations import labels, share_above
from hellgan.divergences.samples import Pair
from hellgan.execution import programs
from hellgan.kernels.plugin import closed_form
from hellgan.neural.metrics.estimates import Metric, read_pair, resampled

_TILE = 2**23  # pairs in memory at once
_FOR_MEDIAN = 1000  # observations whose distances the median is taken of


@dataclasses.dataclass(frozen=True)
class Discrepancy:
    """The squared maximum mean discrepancy of two samples; ``float`` gives its value.

    Attributes
    ----------
    value : float
        Unbiased, and so negative now and then where the two laws are equal.
    std_error : float
        By the bootstrap; where the two laws are equal the value has another law, and ``pvalue`` says what is to be
        said.
    pvalue : float
        Of equality, by permutations: at most a with a probability of at most a.
    bandwidths : tuple of float
    """

    value: float
    std_error: float
    pvalue: float
    bandwidths: tuple[float, ...]

    def __float__(self):
        return self.value


def mmd(
    x,
    y,
    features: Callable | None = None,
    *,
    bandwidth: str | float | Sequence[float] = "median",
    permutations: int = 199,
    times: int = 100,
    seed: int = 0,
) -> Discrepancy:
    """Compute the squared maximum mean discrepancy, unbiased, of Gretton et al. (2012), with Gaussian kernels.

    Mean of k(x, x') over different observations of the one sample, plus the same of the other, less twice the mean of
    k(x, y); k(x, y) = exp(-|x - y|^2 / (2 s^2)), or the mean of such kernels over several bandwidths s.

    Parameters
    ----------
    x, y : arrays of n and m observations
        Work grows with (n + m)^2, memory does not.
    features : callable, optional
        Turns a sample into features (n, d); the observations themselves unless given.
    bandwidth : "median", number or sequence of numbers
        The median takes that of the distances in the pooled sample.
    permutations : int
        Of the test of equality.
    times : int
        Bootstrap samples for the standard error.
    seed : int

    Returns
    -------
    Discrepancy
    """
    a, b = read_pair(x, y, features)
    count, times, seed = (
        checked_count("permutations", permutations),
        checked_count("times", times, 2),
        checked_seed(seed),
    )
    pooled, rng = np.concatenate([a, b]), np.random.default_rng(seed)
    widths = _bandwidths(bandwidth, pooled, rng)
    first = labels(len(a), len(b), count, seed).astype(float)
    drawn_a = np.concatenate([resampled(len(a), times, rng), np.zeros((times, len(b)))], axis=1)
    drawn_b = np.concatenate([np.zeros((times, len(a))), resampled(len(b), times, rng)], axis=1)
    as_a, as_b = np.concatenate([first, drawn_a]), np.concatenate([1 - first, drawn_b])
    values = _discrepancies(pooled, widths, as_a, as_b)
    error = float(np.std(values[count + 1 :], ddof=1))
    return Discrepancy(float(values[0]), error, share_above(values[: count + 1]), tuple(map(float, widths)))


class JensenShannon(NamedTuple):
    """The value of the game with the loss ``log`` by kernel densities, and its two halves.

    ``value`` is ``real`` plus ``simulated``: at equal laws -log 4, and either half -log 2. These are the JSD, JSD-F and
    JSD-S of Sinn and Rawat (2018). Of a law that misses half of another's modes they are log(1/3)/2 = -.549 and
    log(2/3) = -.405, of one that has twice the modes the reverse: ``simulated`` above ``real`` says that y is the more
    concentrated one.
    """

    value: Metric
    real: Metric
    simulated: Metric


def jensen_shannon(
    x, y, bandwidth: str | float | Sequence[float] = "median", features: Callable | None = None, *, seed: int = 0
) -> JensenShannon:
    """Compute the value of a kernel GAN's game, (25) of ``docs/theory.md``, and its halves, with standard errors.

    By ``hellgan.divergences.kernel_objective`` with one bandwidth for all coordinates, every point counted in the
    density at itself: with a narrow kernel in many coordinates a point sees only itself, and the value is near 0
    whatever the laws.

    Parameters
    ----------
    x, y : arrays of n and m observations
        The real and the simulated sample. Work grows with (n + m)^2.
    bandwidth : "median" or number
        Standard deviation of the kernel in each coordinate; the median takes that of the distances in the pooled
        sample.
    features : callable, optional
        Turns a sample into features (n, d); the observations themselves unless given.
    seed : int
        Of the observations whose distances the median is taken of.

    Returns
    -------
    JensenShannon
        Standard errors are infinitesimal jackknifes: the bootstrap's variance to first order.
    """
    a, b = read_pair(x, y, features, least=3)
    widths = _bandwidths(bandwidth, np.concatenate([a, b]), np.random.default_rng(checked_seed(seed)))
    pair = Pair(a, b)
    chosen = pair.plugin(float(widths[0]), closed_form("log"), 0.0, tuple(widths / widths[0]), 1.0)
    values, (of_a, of_b) = _halves(chosen, pair.x, pair.w, pair.y, pair.u)
    # A half is the same for multiples of the weights: its slopes at equal weights sum to 0, and are influences.
    slopes = np.stack([of_a[0] + of_a[1], of_a[0], of_a[1]]), np.stack([of_b[0] + of_b[1], of_b[0], of_b[1]])
    errors = np.sqrt(sum(np.sum(each**2, axis=1) / each.shape[1] ** 2 for each in slopes))
    found = (values[0] + values[1], values[0], values[1])
    names = ("Jensen-Shannon value", "its half over the real sample", "its half over the simulated sample")
    return JensenShannon(*(Metric(float(v), float(e), name) for v, e, name in zip(found, errors, names, strict=True)))


@programs.program
def _halves(plugin, x, w, y, u):
    """Both halves, and the slopes of either in the weights of both samples."""
    return plugin.parts(x, w, y, u), tuple(zip(*jax.jacrev(plugin.parts, argnums=(1, 3))(x, w, y, u), strict=True))


def _bandwidths(asked, pooled: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Bandwidths as asked for, or the median distance."""
    advice = "'median', a positive number or several"
    if not is_one_of(asked, ("median",)):
        given = np.ravel(asked) if not isinstance(asked, str) else np.array([np.nan])
        return np.array([checked_real("bandwidth", each, advice) for each in given.tolist()] or [np.nan])
    rows = pooled if len(pooled) <= _FOR_MEDIAN else pooled[rng.choice(len(pooled), _FOR_MEDIAN, replace=False)]
    squared = _squared(rows, rows)[np.triu_indices(len(rows), 1)]
    width = float(np.sqrt(np.median(squared)))
    if not width > 0:
        raise ValueError(
            f"bandwidth: half of the observations are equal and their median distance is 0; give {advice}."
        )
    return np.array([width])


def _discrepancies(points: np.ndarray, widths: np.ndarray, as_a: np.ndarray, as_b: np.ndarray) -> np.ndarray:
    """The value for each pair of rows of ``as_a`` and ``as_b`` (k, N): how often points count in either sample."""
    size, total = max(1, _TILE // len(points)), len(points)
    sums = np.zeros((3, len(as_a)))
    for begin in range(0, total, size):
        rows = np.arange(begin, min(begin + size, total))
        squared = _squared(points[rows], points)
        near = np.mean([np.exp(-squared / (2 * s**2)) for s in widths], axis=0)
        near[np.arange(len(rows)), rows] = 0.0  # pairs of different observations alone
        to_a, to_b = near @ as_a.T, near @ as_b.T
        mine_a, mine_b = as_a[:, rows].T, as_b[:, rows].T
        sums += [np.sum(mine_a * to_a, axis=0), np.sum(mine_b * to_b, axis=0), np.sum(mine_a * to_b, axis=0)]
    n, m = as_a.sum(axis=1), as_b.sum(axis=1)
    # A bootstrap sample that is one observation again and again has no pairs, and sums of 0.
    pairs_a, pairs_b = (np.maximum(each.sum(axis=1) ** 2 - np.sum(each**2, axis=1), 1) for each in (as_a, as_b))
    return sums[0] / pairs_a + sums[1] / pairs_b - 2 * sums[2] / (n * m)


def _squared(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    center = b.mean(axis=0)
    a, b = a - center, b - center
    return np.maximum(np.sum(a**2, axis=1)[:, None] + np.sum(b**2, axis=1)[None] - 2 * a @ b.T, 0)
