"""Divergences between two samples: estimates with standard errors, and a permutation test of equality.

Equation numbers are those of ``docs/theory.md``.
"""

import dataclasses
import functools
from collections.abc import Sequence

import numpy as np
import pandas as pd

from hellgan.checks import checked_count, checked_real, checked_seed, is_one_of, normal_quantile, numbers, shown
from hellgan.divergences import classifier
from hellgan.divergences.permutations import permuted_values
from hellgan.execution import programs
from hellgan.kernels import Kernel, Plugin
from hellgan.kernels.bandwidths import bandwidth as read_bandwidth
from hellgan.kernels.mesh import nodes_for
from hellgan.kernels.placement import Placement
from hellgan.kernels.plugin import closed_form
from hellgan.losses import Loss

_LEAST = 3  # points of a sample
METHODS = ("kernel", "classifier")


@dataclasses.dataclass(frozen=True)
class KernelObjective:
    """The value of the game between two samples, the discriminator in closed form; ``float`` gives the value.

    Attributes
    ----------
    value : float
        K_n, (25): ``real`` plus ``simulated``.
    real, simulated : float
        Means of real(v) over the first sample and of fake(v) over the second; with the loss ``log`` the JSD-F and the
        JSD-S of Sinn and Rawat (2018).
    """

    value: float
    real: float
    simulated: float

    def __float__(self):
        return self.value


def kernel_objective(
    x,
    y,
    bandwidth: str | float | Sequence = "auto",
    loss: str | Loss = "log",
    phi: float = 0.0,
    *,
    kernel: str | Sequence[float] = "gaussian",
    own_weight: float = 1.0,
) -> KernelObjective:
    """Compute K_n, (25), of two samples: that of the kernel GAN of Sinn and Rawat (2018), with their defaults.

    Parameters
    ----------
    x, y : (n,) or (n, d) and (m,) or (m, d) array_like
        The real and the simulated sample, at least three points each.
    bandwidth : str, number or tuple of numbers
        As for ``KernelGAN``; rules take the geometric mean of what they give for either sample.
    loss : str or Loss
        One with a closed form; as for ``KernelGAN``.
    phi : float
        What is added to both densities, in units of a density.
    kernel : str or sequence of numbers
        As for ``KernelGAN``.
    own_weight : float
        What a point counts in the density at itself: 1 as any other (the paper's), 0 not at all.

    Returns
    -------
    KernelObjective
        At equal samples the value is real(0) + fake(0): -log 4 with the loss ``log``.

    Raises
    ------
    ValueError, TypeError
        For bad input, in one sentence.

    Examples
    --------
    >>> import hellgan as hg
    >>> found = hg.divergences.kernel_objective([0.0, 1.0, 2.0], [0.5, 1.5, 3.0], bandwidth=1.0)
    >>> round(found.value, 4)
    -1.2845
    """
    pair = Pair.read(x, y)
    plugin = pair.plugin(bandwidth, closed_form(loss), phi, kernel, own_weight)
    real, simulated = _parts(plugin, pair.x, pair.w, pair.y, pair.u)
    return KernelObjective(float(real + simulated), float(real), float(simulated))


class DivergenceEstimate:
    """An estimate of the divergence of two laws from a sample of each; made by ``estimate``.

    Attributes
    ----------
    value : float
    std_error : float
        Of its normal law where the two laws differ; where they are equal the estimate has another law, and ``pvalue``
        says what is to be said.
    method : {"kernel", "classifier"}
    target : str
        What ``value`` estimates, in words.
    n, m : int
        Sizes of the samples.
    bandwidth : (d,) array or None
    """

    def __init__(self, value, std_error, method, target, sizes, bandwidth, test):
        self.value, self.std_error, self.method, self.target = float(value), float(std_error), method, target
        (self.n, self.m), self.bandwidth, self._test = sizes, bandwidth, test

    def __repr__(self):
        return f"<DivergenceEstimate {self.value:.5f}, std. error {self.std_error:.5f}, {self.method}>"

    def conf_int(self, alpha: float = 0.05) -> pd.Series:
        """Compute the normal interval of level 1 - alpha, at least 0: ``lower`` and ``upper``."""
        half = normal_quantile(alpha) * self.std_error
        return pd.Series(np.maximum([self.value - half, self.value + half], 0.0), ["lower", "upper"])

    @functools.cached_property
    def pvalue(self) -> float:
        """The p-value of the permutation test that the two laws are equal; computed when it is first asked for.

        Valid for every sample size: under equality it is at most a with a probability of at most a.
        """
        return self._test()


def estimate(
    x,
    y,
    loss: str | Loss = "log",
    method: str = "kernel",
    *,
    bandwidth: str | float | Sequence = "auto",
    phi: float = 0.0,
    kernel: str | Sequence[float] = "gaussian",
    own_weight: float | None = None,
    permutations: int = 199,
    seed: int = 0,
) -> DivergenceEstimate:
    """Estimate the divergence that a loss induces between the laws of two samples.

    Parameters
    ----------
    x, y : (n,) or (n, d) and (m,) or (m, d) array_like
        At least three points each.
    loss : str or Loss
        One with a closed form; as for ``KernelGAN``.
    method : {"kernel", "classifier"}
        ``"kernel"``: (25) less its value at equality. It estimates what the ratio of the smoothed densities tells, a
        lower bound of the divergence that is near it while the bandwidth is small beside the laws' own features.
        ``"classifier"``: the value of the game with the default discriminator of a ``GAN``, less its bias to first
        order, (29); a lower bound, too, that is near where the features tell the laws apart. Prefer it in more than two
        dimensions.
    bandwidth, phi, kernel, own_weight
        Of the method ``"kernel"``, as for ``kernel_objective``; unless given, a point's weight in the density at itself
        is that which makes the noise bias vanish, (26).
    permutations : int
        Of the test of equality.
    seed : int
        Of the permutations, and of the classifier's directions.

    Returns
    -------
    DivergenceEstimate
        With ``value``, ``std_error``, ``conf_int()`` and ``pvalue`` of equality.

    Raises
    ------
    ValueError, TypeError
        For bad input, in one sentence.

    Notes
    -----
    The test's statistic is, with the method ``"kernel"``, (25) at a bandwidth of one standard deviation of the pooled
    sample with points counted in the density at themselves, whatever the estimate's; with the classifier, the value of
    its game, the features placed on the pooled sample.

    Examples
    --------
    >>> import numpy as np
    >>> import hellgan as hg
    >>> rng = np.random.default_rng(0)
    >>> found = hg.divergences.estimate(rng.normal(0, 1, 300), rng.normal(1, 1, 300))
    >>> print(round(found.value, 2), found.conf_int().round(2).to_list(), found.pvalue)
    0.24 [0.17, 0.31] 0.005
    """
    pair, loss = Pair.read(x, y), closed_form(loss)
    if not is_one_of(method, METHODS):
        raise ValueError(f"method: {shown(method)} is not known; give 'kernel' or 'classifier'.")
    count, seed = checked_count("permutations", permutations), checked_seed(seed)
    sizes = len(pair.x), len(pair.y)
    if method == "classifier":
        game = classifier.between(pair.x, pair.y, loss, seed)
        test = functools.partial(classifier.pvalue, game, sizes[0], count, seed)
        target = "the divergence, from below: what the discriminator's features tell of it"
        return DivergenceEstimate(*classifier.estimated(game, *sizes), method, target, sizes, None, test)
    plugin = pair.plugin(bandwidth, loss, phi, kernel, own_weight)
    real, simulated = point_values(plugin, pair.x, pair.w, pair.y, pair.u)
    value = float(real.mean()) - loss.value_at_equality
    error = np.sqrt(np.var(real, ddof=1) / sizes[0] + np.var(simulated, ddof=1) / sizes[1])
    target = "what the ratio of the smoothed densities tells of the divergence, a lower bound"
    widths = np.asarray(plugin.kernel.bandwidths).mean(axis=0)

    def test():
        return permuted_values(pair.x, pair.y, loss, count, seed)

    return DivergenceEstimate(value, error, method, target, sizes, widths, test)


@dataclasses.dataclass(frozen=True, eq=False)
class Pair:
    """Two samples as rows, (n, d) and (m, d)."""

    x: np.ndarray
    y: np.ndarray

    @staticmethod
    def read(x, y) -> "Pair":
        """Read what a user gives, or refuse it."""
        x, y = _rows(x, "x"), _rows(y, "y")
        if x.shape[1] != y.shape[1]:
            raise ValueError(f"y: {y.shape[1]} coordinates, and x has {x.shape[1]}; give samples of the same.")
        return Pair(x, y)

    @property
    def w(self) -> np.ndarray:
        """Equal weights (n,) of the first sample."""
        return np.full(len(self.x), 1 / len(self.x))

    @property
    def u(self) -> np.ndarray:
        """Equal weights (m,) of the second sample."""
        return np.full(len(self.y), 1 / len(self.y))

    def plugin(self, bandwidth, loss: Loss, phi, kernel, own_weight) -> Plugin:
        """How the closed-form discriminator of the two samples is computed."""
        asked = Placement.read(bandwidth, kernel, phi, own_weight, 1.0, False, self.x.shape[1])
        if asked.stages:
            raise ValueError(f"bandwidth: got {shown(bandwidth)}; give one.")
        if isinstance(asked.phi, str):
            raise ValueError("phi: got 'auto'; give a density of at least 0.")
        each = [read_bandwidth(asked.value, rows, w) for rows, w in ((self.x, self.w), (self.y, self.u))]
        widths = np.sqrt(each[0] * each[1]) * np.array(asked.multiples)[:, None]
        of, pooled = Kernel(widths, asked.shape), np.concatenate([self.x, self.y])
        own = of.balancing_weight if asked.own_weight is None else asked.own_weight
        on_mesh = of.is_smooth and pooled.shape[1] == 1 and len(pooled) > _PAIRWISE
        nodes = nodes_for(widths, float(np.ptp(pooled)) / 2) if on_mesh else 0
        return Plugin(loss, of, asked.phi, np.array([own, own]), nodes)


_PAIRWISE = 2000  # points up to which sums are computed pair by pair


def _rows(values, name: str) -> np.ndarray:
    try:
        rows = numbers(values)
    except (TypeError, ValueError):
        raise TypeError(f"{name}: not numeric; give finite numbers.") from None
    rows = rows[:, None] if rows.ndim == 1 else rows
    if rows.ndim != 2 or not rows.shape[1]:
        raise ValueError(f"{name}: shape {np.shape(values)}; give (n,) or (n, d).")
    if len(rows) < _LEAST:
        raise ValueError(f"{name}: {len(rows)} points; give at least {_LEAST}.")
    if not np.all(np.isfinite(rows)):
        raise ValueError(f"{name}: some points are NaN or infinite; drop them first.")
    if np.any(np.ptp(rows, axis=0) == 0):
        raise ValueError(f"{name}: all points are equal in a coordinate; give a sample that varies.")
    return checked_size(rows, name)


def checked_size(rows: np.ndarray, name: str) -> np.ndarray:
    """Return rows whose squares do not overflow."""
    checked_real(name, float(np.max(np.abs(rows))), "numbers of at most 1e150 in size", least=-1.0, most=1e150)
    return rows


@programs.program
def _parts(plugin, x, w, y, u):
    return plugin.parts(x, w, y, u)


@programs.program
def point_values(plugin, x, w, y, u):
    """What each point of either sample contributes to K_n, (27)."""
    return plugin.values(x, w, y, u)
