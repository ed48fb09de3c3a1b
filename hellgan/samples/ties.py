"""Tied values of a sample: whether it is rounded, to what step, its quantiles with the ties spread out, and atoms."""

from typing import NamedTuple

import numpy as np

from hellgan.samples.robust import quantile

# From what part of a sample in one value on it is taken to be rounded. Of readings rounded to half a standard deviation
# a fifth are at the mode, of those rounded to a fifth of one a twelfth, which does no harm.
_TIED = 0.15
_STRAY = 0.1  # of a sample, that need not lie on the lattice
_WIDE = 30
_SAME = 1e-9  # of the range, by which sums of tied coordinates may differ


def rounding_step(x: np.ndarray, weights: np.ndarray) -> float:
    """The step to which a sample (n,) is rounded; 0 where it is not, or rounding does no harm.

    A sample is rounded where more than 15 % of it, by weight, are one value, nine tenths lie on a lattice, and the
    central nine tenths are less than 30 steps wide: ties on a finer one are atoms. The step is the smallest gap between
    the values that hold nine tenths.
    """
    values, mass = _distinct(x, weights)
    if len(values) < 2 or np.max(mass) <= _TIED:
        return 0.0
    heaviest = np.argsort(-mass, kind="stable")
    heaviest = np.sort(heaviest[: 1 + np.searchsorted(np.cumsum(mass[heaviest]), 1 - _STRAY)])
    if len(heaviest) < 2:
        return 0.0
    step = float(np.min(np.diff(values[heaviest])))
    places = (values - values[np.argmax(mass)]) / step
    low, high = np.interp([_STRAY / 2, 1 - _STRAY / 2], np.cumsum(mass), values)
    on_lattice = mass @ (np.abs(places - np.round(places)) < 1e-3) >= 1 - _STRAY
    return step if on_lattice and high - low < _WIDE * step else 0.0


def spread_quantile(x: np.ndarray, level: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Quantiles (..., k) of samples (..., n), each with the observations of a rounded one spread over its steps.

    Where a sample is rounded, its values are spread evenly over half a step to either side, but not beyond the middle
    to the next value; the step (...) is returned with the quantiles, and is 0 where a sample is not rounded.
    """
    found, steps = np.asarray(quantile(x, level, weights)), np.zeros(x.shape[:-1])
    ordered = np.sort(x[..., weights > 0], axis=-1)
    if not np.any(np.diff(ordered, axis=-1) <= _SAME * (ordered[..., -1:] - ordered[..., :1])):
        return found, steps
    for at in np.ndindex(x.shape[:-1]):
        steps[at] = rounding_step(x[at], weights)
        if steps[at]:
            found[at] = _of_steps(x[at], level, weights, steps[at])
    return found, steps


class Atom(NamedTuple):
    """The value that most of a sample shares: its share, and the interval halfway to the values beside it."""

    value: float
    share: float
    low: float
    high: float

    def exceeds(self, expected: float, n: float) -> bool:
        """Whether more of a sample of n has the value than the part ``expected`` of a law that is in the interval.

        By more than four standard errors and a fiftieth of the sample.
        """
        return self.share > expected + 0.02 + 4 * np.sqrt(expected * (1 - expected) / n)


def heaviest(x: np.ndarray, weights: np.ndarray) -> Atom | None:
    """The value that most of a sample (n,) shares; None where fewer than five, or a thirtieth, share one."""
    ordered = np.sort(x[weights > 0])
    if len(ordered) < 5 or not np.any(ordered[4:] == ordered[:-4]):
        return None
    values, mass = _distinct(x, weights)
    shared = np.diff(np.searchsorted(ordered, np.append(values, np.inf)))
    at = int(np.argmax(np.where(shared >= 5, mass, 0.0)))
    if len(values) < 2 or mass[at] < 1 / 30:
        return None
    gaps = np.diff(values)
    below, above = gaps[max(at - 1, 0)], gaps[min(at, len(gaps) - 1)]
    return Atom(float(values[at]), float(mass[at]), float(values[at] - below / 2), float(values[at] + above / 2))


def may_be_tied(samples: np.ndarray) -> np.ndarray:
    """Whether five observations of each of several samples (R, n) are one value, so that ``heaviest`` may find any."""
    ordered = np.sort(samples, axis=1)
    return np.any(ordered[:, 4:] == ordered[:, :-4], axis=1)


def _of_steps(x, level, weights, step):
    values, mass = _distinct(x, weights)
    halves = np.minimum(np.diff(values), step) / 2
    below, above = values - np.concatenate([[step / 2], halves]), values + np.concatenate([halves, [step / 2]])
    reached = np.concatenate([[0.0], np.cumsum(mass)])
    return np.interp(level, np.stack([reached[:-1], reached[1:]], 1).ravel(), np.stack([below, above], 1).ravel())


def _distinct(x, weights):
    """The values of a sample, least first, and the weight of each."""
    order = np.argsort(x, kind="stable")
    order = order[weights[order] > 0]
    ordered = x[order]
    first = np.concatenate([[True], np.diff(ordered) > _SAME * (ordered[-1] - ordered[0])])
    mass = np.bincount(np.cumsum(first) - 1, weights[order])
    return ordered[first], mass / mass.sum()
