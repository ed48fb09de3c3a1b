"""Distances to the nearest: to training images, of precision and recall, of near-duplicates."""

import dataclasses
import math
from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np

from hellgan.checks import checked_count, checked_real
from hellgan.neural.metrics.estimates import Metric, bootstrap, read_pair, read_rows

_TILE = 2**24  # pairs in memory at once
_RELATIVE = 1e-5  # what single precision may be wrong by, in squared distances, over squared norms


def nearest(x: np.ndarray, y: np.ndarray, k: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """Find the k nearest rows of y (m, d) of each row of x (n, d): distances, ascending, and positions, (n, k).

    Candidates are found in single precision; the distances given are exact.
    """
    distances, positions = np.empty((len(x), k)), np.empty((len(x), k), int)
    for rows, squared in _tiles(x, y):
        at = np.argmin(squared, axis=1)[:, None] if k == 1 else np.argpartition(squared, k - 1, axis=1)[:, :k]
        exact = np.linalg.norm(x[rows][:, None] - y[at], axis=2)
        order = np.argsort(exact, axis=1, kind="stable")
        positions[rows] = np.take_along_axis(at, order, axis=1)
        distances[rows] = np.take_along_axis(exact, order, axis=1)
    return distances, positions


def nearest_neighbour_distance(
    x, reference, features: Callable | None = None, *, squared: bool = False, times: int = 200, seed: int = 0
) -> Metric:
    """Compute the mean distance to the nearest observation of a reference sample (ENN), such as the training images.

    Below that of real images that were not trained on, a generator copies; far above, it draws what is none. A metric
    of Sinn and Rawat (2018).

    Parameters
    ----------
    x, reference : arrays of n and m observations
        Bytes are divided by 255 unless ``features`` read them.
    features : callable, optional
        Turns a sample into features (n, d); the observations themselves unless given.
    squared : bool
        Whether distances are squared before the mean is taken.
    times : int
        Bootstrap samples of x for the standard error; the reference stays.
    seed : int

    Returns
    -------
    Metric
    """
    a, b = read_pair(x, reference, features, ("x", "reference"))
    found = nearest(a, b)[0][:, 0]
    found = found**2 if squared else found
    error = bootstrap(lambda counts: counts @ found / len(found), (len(found),), times, seed)
    return Metric(float(found.mean()), error, "nearest-neighbour distance")


class PrecisionRecall(NamedTuple):
    """``precision``, the share of the sample within the reference's support, and ``recall``, the reverse."""

    precision: Metric
    recall: Metric


def precision_recall(
    x, reference, features: Callable | None = None, *, k: int = 3, times: int = 200, seed: int = 0
) -> PrecisionRecall:
    """Compute precision and recall of a sample, after Kynkäänniemi et al. (2019).

    The support of a sample is the union of balls around its observations, each reaching to its k-th nearest neighbour.
    Precision is the share of ``x`` in the support of the reference, recall the share of the reference in the support of
    ``x``. One outlier in a sample has a wide ball; compare samples of equal size.

    Parameters
    ----------
    x, reference : arrays of n and m observations
    features : callable, optional
        Turns a sample into features (n, d); the observations themselves unless given.
    k : int
    times : int
        Bootstrap samples of the observations that are judged, for standard errors; the supports stay.
    seed : int
    """
    k = checked_count("k", k)
    a, b = read_pair(x, reference, features, ("x", "reference"), least=k + 1)
    found = []
    for judged, support, name in ((a, b, "precision"), (b, a, "recall")):
        inside = _inside(judged, support, _radii(support, k)).astype(float)
        error = bootstrap(lambda counts, inside=inside: counts @ inside / len(inside), (len(inside),), times, seed)
        found.append(Metric(float(inside.mean()), error, name))
    return PrecisionRecall(*found)


@dataclasses.dataclass(frozen=True)
class BirthdayTest:
    """What near-duplicates say of a sample's diversity; made by ``birthday_test``.

    Attributes
    ----------
    support : float
        One over the probability that two draws are near-duplicates: the number of points of a uniform law that has
        it; infinite where the sample has no near-duplicates.
    lower, upper : float
        An interval of 95 % for ``support``; ``upper`` is infinite where the probability may be 0.
    batch : float
        How many draws hold a near-duplicate with probability 1/2: about sqrt(2 log 2 support).
    pairs : int
        Pairs of the sample that are near-duplicates.
    closest : (r, 2) int array
        Positions of the closest pairs, the closest first, for a look.
    distances : (r,) array
        Their distances.
    """

    support: float
    lower: float
    upper: float
    batch: float
    pairs: int
    closest: np.ndarray
    distances: np.ndarray

    def __repr__(self):
        return f"<BirthdayTest support {self.support:.4g} [{self.lower:.4g}, {self.upper:.4g}], {self.pairs} pairs>"


def birthday_test(
    x, within: float = 0.0, features: Callable | None = None, *, shown: int = 20, times: int = 200, seed: int = 0
) -> BirthdayTest:
    """Estimate how many different observations a generator has, from near-duplicates in a sample.

    The birthday paradox, after Arora and Zhang (2017): of a law on N points a sample of about sqrt(N) holds a duplicate
    with probability 1/2, and where one of size s does, the support is of the order of s^2. They look for duplicates by
    eye among the closest pairs; here a pair is one by its distance, and all pairs of the sample are counted.

    Parameters
    ----------
    x : array of n observations
        Draws of a generator.
    within : float
        The largest distance of near-duplicates, in units of the observations, or of ``features``; 0 counts equal ones.
        A useful one is a low quantile of the distances to nearest neighbours of real observations.
    features : callable, optional
    shown : int
        How many of the closest pairs are kept.
    times : int
        Bootstrap samples for the interval; pairs of one observation with itself are not counted.
    seed : int

    Returns
    -------
    BirthdayTest
    """
    rows, shown = read_rows(x, "x", features), checked_count("shown", shown)
    within = checked_real("within", within, "a distance of at least 0", least=-1e-300)
    n, (first, second, distances) = len(rows), _close_pairs(rows, within, shown)
    near = distances <= within
    pairs, i, j = int(near.sum()), first[near], second[near]

    def rate(counts):
        different = np.sum(counts) ** 2 - np.sum(counts**2)
        return 2 * np.sum(counts[i] * counts[j]) / different

    value, error = rate(np.ones(n)), bootstrap(rate, (n,), times, seed)
    support = 1 / value if pairs else math.inf
    # Without a pair the probability is below 3 / (all pairs) at the level 95 %.
    most = value + 1.96 * error if pairs else 3.0 / (n * (n - 1) / 2)
    least = value - 1.96 * error
    lower, upper = 1 / most, 1 / least if least > 0 else math.inf
    batch = (1 + math.sqrt(1 + 8 * math.log(2) * support)) / 2 if pairs else math.inf
    chosen = np.argsort(distances, kind="stable")[:shown]
    closest = np.stack([first[chosen], second[chosen]], axis=1)
    return BirthdayTest(support, lower, upper, batch, pairs, closest, distances[chosen])


def _close_pairs(x: np.ndarray, within: float, least: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Pairs i < j within a distance, and at least so many of the closest: positions and distances."""
    found, n = [], len(x)
    least = min(least, n * (n - 1) // 2)
    slack = _RELATIVE * float(np.max(np.sum((x - x.mean(axis=0)) ** 2, axis=1)))
    bound = np.inf  # squared distance of the `least` closest so far
    for rows, squared in _tiles(x, x):
        squared = np.where(np.arange(n)[None] > rows[:, None], squared, np.inf)
        if least and np.isinf(bound):
            bound = np.partition(squared, min(least, squared.size) - 1, axis=None)[min(least, squared.size) - 1]
        at, other = np.nonzero((squared <= max(within**2, bound) + slack) & np.isfinite(squared))
        exact = np.linalg.norm(x[rows[at]] - x[other], axis=1)
        found.append((rows[at], other, exact))
        kept = np.sort(np.concatenate([each[2] for each in found]))
        bound = kept[least - 1] ** 2 if least and len(kept) >= least else bound
    first, second, exact = (np.concatenate(parts) for parts in zip(*found, strict=True))
    return first, second, exact


def _radii(x: np.ndarray, k: int) -> np.ndarray:
    """Distance of each row's k-th nearest other row: (n,)."""
    return nearest(x, x, k + 1)[0][:, k]


def _inside(x: np.ndarray, y: np.ndarray, radii: np.ndarray) -> np.ndarray:
    """Whether each row of x lies in a ball around some row of y."""
    return np.concatenate([np.any(squared <= radii[None] ** 2, axis=1) for _, squared in _tiles(x, y)])


def _tiles(x: np.ndarray, y: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Blocks of rows of x with their squared distances from all of y, in single precision where there are many."""
    center = y.mean(axis=0)
    dtype = np.float32 if x.shape[1] > 16 else np.float64
    a, b = (x - center).astype(dtype), (y - center).astype(dtype)
    norms = np.sum(b**2, axis=1)
    size = max(1, min(len(x), _TILE // len(y)))
    for begin in range(0, len(x), size):
        rows = np.arange(begin, min(begin + size, len(x)))
        squared = np.sum(a[rows] ** 2, axis=1)[:, None] + norms[None] - 2 * a[rows] @ b.T
        yield rows, np.maximum(squared, 0)
