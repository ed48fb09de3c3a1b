"""Redescending moments of whitened data: the default for elliptical laws in several dimensions."""

import equinox as eqx
import jax.numpy as jnp
import numpy as np

from hellgan.checks import checked_count
from hellgan.discriminators.basis import Basis
from hellgan.discriminators.placement import checked_penalty, ridge_vector
from hellgan.discriminators.specification import Discriminator
from hellgan.samples.bulk import bulk
from hellgan.samples.robust import quantile

# In scales of the distances within the bulk, from their median on: where the moments' weight begins to fall and where
# it is 0, and the knots of the sigmoids of the distance.
_FALLS = np.array([2.5, 5.5])
_RADII = np.array([-1.5, 0.0, 1.5, 3.0, 4.5, 7.0])
# In standard deviations of the bulk along a direction: the same.
_FALLS_ALONG = np.array([3.0, 4.7])
_KNOTS = np.array([-7.0, -4.5, -3.0, -1.0, 1.0, 3.0, 4.5, 7.0])


class Redescending(Basis):
    """First and second moments of t = whitening (x - center) times a weight w, and sigmoids of |t| and directions . t.

    The weight falls from 1 to 0, twice continuously differentiable, as |t| goes through ``falls``, and in the same
    way as |direction . t| goes through ``falls_along`` for any direction.
    """

    center: np.ndarray
    whitening: np.ndarray
    falls: np.ndarray  # (2,) of |t|
    radii: np.ndarray
    radius_widths: np.ndarray
    directions: np.ndarray  # (K, d) unit vectors
    falls_along: np.ndarray  # (2,)
    knots: np.ndarray  # (L, J); of the first L directions
    knot_widths: np.ndarray
    ridge: np.ndarray

    def features(self, x):
        t = jnp.asarray(self.whitening) @ (x - self.center)
        along = jnp.asarray(self.directions) @ t
        squared = t @ t
        weight = _fall(squared, self.falls**2) * jnp.prod(_fall(along**2, self.falls_along**2))
        first = weight * t
        second = jnp.outer(t, first)[np.tril_indices(t.shape[0])] / self.falls[0]
        # The root is smooth at the centre, and near |t| elsewhere.
        distance = jnp.sqrt(squared + 1.0)
        radial = 0.5 * jnp.tanh(0.5 * (distance - jnp.sqrt(self.radii**2 + 1.0)) / self.radius_widths)
        lines = 0.5 * jnp.tanh(0.5 * (along[: self.knots.shape[0], None] - self.knots) / self.knot_widths)
        return jnp.concatenate([jnp.ones(1, t.dtype), first, second, radial, jnp.ravel(lines)])


def _fall(value, between):
    """1 below the first of two values, 0 above the second, and a smooth step from one to the other."""
    u = jnp.clip((value - between[0]) / (between[1] - between[0]), 0.0, 1.0)
    return 1 - u**3 * (10 - 15 * u + 6 * u**2)


class RedescendingMoments(Discriminator):
    """Redescending first and second moments of the whitened data: bounded, deterministic, for elliptical laws.

    The data are whitened by robust location and scatter, t. The features are t and the products t_i t_j (i >= j), times
    a weight that is 1 in the bulk and is 0 from where the robust distance |t| is 5.5 of its scales beyond its median;
    sigmoids of |t|; and sigmoids along three directions, those in which a part of the sample stands apart most clearly
    or, where none does, in which the data look least normal. Within the bulk the features span the scores of location
    and scatter of a normal law. What lies outside, at whatever distance, enters the sigmoids alone, which let the
    discriminator tell it from the simulated sample and then give it no weight. A cluster may be near the bulk, and
    even within the range of its distances from the centre, as in many dimensions it is, if it stands apart along a
    line.

    There are d (d + 3) / 2 moments and up to 6 + 8 x 3 sigmoids, fewer where observations are few.

    Parameters
    ----------
    directions : int, optional
        Directions that get sigmoids of their own, 0 to 3; as many as make up one feature for three observations
        unless given. The weight redescends along all three.
    ridge : float, optional
        Quadratic penalty on all coefficients but the intercept; 1/(2 n^2) unless given, but at least 3e-4 for the
        moments and 1e-5 for the sigmoids.

    Raises
    ------
    ValueError
        Once there are data: in one dimension.
    """

    directions: int | None = eqx.field(static=True)
    ridge: float | None = eqx.field(static=True)

    def __init__(self, directions: int | None = None, ridge: float | None = None):
        if directions is not None and checked_count("directions", directions, 0) > 3:
            raise ValueError(f"directions: got {directions}; give 0 to 3.")
        self.directions, self.ridge = directions, checked_penalty(ridge, optional=True)

    def place(self, x, weights, seed):
        d = x.shape[1]
        if d == 1:
            raise ValueError(
                "discriminator: RedescendingMoments is for several dimensions; give Sigmoids() for a sample of one "
                "column."
            )
        found = bulk(x, weights)
        factor = np.linalg.cholesky(found.scatter)
        whitening = np.linalg.inv(factor)
        distances = np.linalg.norm((x - found.center) @ whitening.T, axis=1)
        low, middle = quantile(distances[found.inside], np.array([0.25, 0.5]), weights[found.inside])
        scale = max((middle - low) / 0.6745, 0.05 * middle)  # of tied data it may be 0
        radial, lines = self._sizes(d, 1 / np.sum(weights**2))
        radii = middle + scale * _RADII[:radial]
        moments, sigmoids = d * (d + 3) // 2, radial + lines * len(_KNOTS)
        return Redescending(
            found.center,
            whitening,
            middle + scale * _FALLS,
            radii,
            np.gradient(radii) / 2,
            found.directions @ factor,
            _FALLS_ALONG,
            np.tile(_KNOTS, (lines, 1)),
            np.tile(np.gradient(_KNOTS) / 2, (lines, 1)),
            # What stands apart is told from the simulated sample by large coefficients of sigmoids.
            np.concatenate(
                [
                    ridge_vector(self.ridge, moments, weights, 3e-4),
                    ridge_vector(self.ridge, sigmoids, weights, 1e-5)[1:],
                ]
            ),
        )

    def _sizes(self, d, n) -> tuple[int, int]:
        """How many sigmoids of the distance, and how many directions with sigmoids."""
        left = n / 3 - d * (d + 3) / 2
        radial = int(np.clip(left, 4, len(_RADII)))
        lines = int(np.clip((left - radial) // len(_KNOTS), 0, 3)) if self.directions is None else self.directions
        return radial, lines
