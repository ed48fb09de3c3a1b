"""The quadratic game at the truth: what moves theta and alpha where the two laws are nearly equal."""

from typing import NamedTuple

import numpy as np


class Balance(NamedTuple):
    """The difference delta of the samples' mean features, and how it moves with theta.

    There are q features, the constant not counted. All arrays may have a leading axis, of as many games.
    """

    covariance: np.ndarray  # C (q, q), of the features; delta is weighed by its inverse
    noise: np.ndarray  # (q, q), limit covariance of sqrt(scale) delta
    scale: float | np.ndarray  # n m / (n + m) for independent simulated draws, else n
    slope: np.ndarray  # J (q, p), derivative of the simulated features' mean in theta
    ridge: np.ndarray  # (q,), the features' penalties

    def solution(self, c: float) -> tuple[np.ndarray, np.ndarray]:
        """Derivatives in delta of theta, (p, q), and of alpha but for the intercept, (q, q); ``c`` is real'(0)."""
        size = np.sqrt(np.diagonal(self.covariance, axis1=-2, axis2=-1))
        units, one = size[..., :, None] * size[..., None, :], np.eye(size.shape[-1])
        inverse = np.linalg.inv(c * self.covariance / units + one * (2 * self.ridge / size**2)[..., None])
        inverse /= units  # K
        back = np.swapaxes(self.slope, -1, -2) @ inverse
        of_theta = np.linalg.solve(back @ self.slope, back)
        return of_theta, c * inverse @ (one - self.slope @ of_theta)

    def joint_covariance(self, c: float, mean_features: np.ndarray) -> np.ndarray:
        """Covariance of (theta, alpha) that (3) of ``docs/theory.md`` gives under a correct model, ridge allowed for.

        The covariance is of the estimate itself, already divided by n, theta unconstrained. ``mean_features`` (q,) are
        the simulated sample's: to first order the intercept cancels what the features add to v at them.
        """
        of_theta, of_alpha = self.solution(c)
        of_delta = np.concatenate([of_theta, -(mean_features @ of_alpha)[None], of_alpha])
        return of_delta @ self.noise @ of_delta.T / self.scale


class Believed(NamedTuple):
    """The parts of both samples that a discriminator believes: how far their mean features differ."""

    difference: np.ndarray  # (q,), real less simulated, the constant not counted
    balance: Balance  # of these parts; its scale is the effective size of the real one
    share: float  # of the real sample, by weight, that is believed


class Background(NamedTuple):
    """The zones to both sides of a bulk on the line, for each of L levels of the quantiles between which it lies."""

    levels: tuple[float, ...]
    observed: np.ndarray  # (L,) share of the real sample, by weight, in the zones
    expected: np.ndarray  # (L,) share of the fitted law there
    scores: np.ndarray  # (L, k) what contamination as dense within the bulk adds to the mean score
    ends: np.ndarray  # (G,) points within the bulk, least first; none where observations are weighted by a first fit
    below: np.ndarray  # (G, 2) shares of the real and the simulated sample at or below each
    n: float  # effective size of the real sample
    m: float  # and of the simulated one
