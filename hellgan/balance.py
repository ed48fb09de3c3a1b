"""The quadratic game at the truth: what moves theta and alpha where the two laws are nearly equal."""

from typing import NamedTuple

import numpy as np


class Balance(NamedTuple):
    """The difference delta of the samples' mean features, and how it moves with theta.

    Features are without the constant, q of them.
    """

    covariance: np.ndarray  # (q, q), by which delta is weighed: C
    noise: np.ndarray  # (q, q), covariance of the root of ``scale`` times delta
    scale: float
    slope: np.ndarray  # (q, p), derivative of the simulated features' mean in theta: J
    ridge: np.ndarray  # (q,)

    def solution(self, c: float) -> tuple[np.ndarray, np.ndarray]:
        """Derivatives in delta of theta, (p, q), and of the features' alpha, (q, q); ``c`` is real'(0) of the loss."""
        size = np.sqrt(np.diag(self.covariance))
        inverse = np.linalg.inv(c * self.covariance / np.outer(size, size) + np.diag(2 * self.ridge / size**2))
        inverse /= np.outer(size, size)  # K
        of_theta = np.linalg.solve(self.slope.T @ inverse @ self.slope, self.slope.T @ inverse)
        return of_theta, c * inverse @ (np.eye(len(size)) - self.slope @ of_theta)

    def joint_covariance(self, c: float, mean_features: np.ndarray) -> np.ndarray:
        """Covariance of (theta, alpha) that (3) of ``docs/theory.md`` gives under a correct model, ridge allowed for.

        It is that of the estimate, already divided by n. ``mean_features`` (q,) are those of the simulated sample: to
        first order the intercept is minus alpha's part of v there.
        """
        of_theta, of_alpha = self.solution(c)
        of_delta = np.concatenate([of_theta, -(mean_features @ of_alpha)[None], of_alpha])
        return of_delta @ self.noise @ of_delta.T / self.scale
