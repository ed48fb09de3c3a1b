"""Simulated method of moments."""

import dataclasses
import functools
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np

from hellgan import latents
from hellgan.checks import shown
from hellgan.execution import programs
from hellgan.montecarlo.comparators.comparator import Comparator, first_theta
from hellgan.montecarlo.comparators.minimisation import concluded, minimise


@dataclasses.dataclass(frozen=True)
class SimulatedMoments(Comparator):
    """Simulated method of moments of McFadden (1989) and Pakes and Pollard (1989).

    The estimate minimises g' W g, g the mean of moment functions of the data less that of simulated data.

    Attributes
    ----------
    moments : callable, optional
        Of one observation, () or (d,), in JAX, to a vector of moments; powers unless given.
    degree : int, optional
        Powers 1, ..., degree of an observation on the line; as many as there are parameters unless given.
    weight : {"optimal", "identity"}
        The inverse of the covariance of the data's moments, or the identity. The former does not depend on the
        parameters: no first step is needed.
    n_simulated : int, optional
        1024 Sobol points or 10 n independent draws unless given.
    latent : {"sobol", "iid"}
        Kind of the latent draws, which are drawn anew for each replicate.

    Notes
    -----
    Standard errors are those of Hansen's (1982) sandwich with the data's covariance of moments, times 1 + n / m for
    independent draws; for Sobol points the noise of simulation is neglected.
    """

    moments: Callable | None = None
    degree: int | None = None
    weight: str = "optimal"
    n_simulated: int | None = None
    latent: str = "sobol"

    def __post_init__(self):
        if not isinstance(self.weight, str) or self.weight not in ("optimal", "identity"):
            raise ValueError(f"weight: {shown(self.weight)} is not known; give 'optimal' or 'identity'.")
        latents.size(self.latent, 2, self.n_simulated)
        if self.moments is not None and not callable(self.moments):
            raise TypeError(f"moments: got {shown(self.moments)}; give a function of one observation.")
        if self.moments is not None and self.degree is not None:
            raise ValueError("degree: moments are given too; give one of the two.")
        whole = isinstance(self.degree, (int, np.integer)) and not isinstance(self.degree, bool)
        if self.degree is not None and not (whole and self.degree >= 1):
            raise ValueError(f"degree: got {shown(self.degree)}; give a positive whole number.")

    @property
    def label(self):
        return f"simulated moments ({self.weight})"

    def problem(self, family, n):
        if family.covariates:
            return f"{family.name} has covariates, which are not simulated; give a family without"
        if self.moments is None and family.dim > 1:
            return f"{family.name} has dimension {family.dim}, and powers are of numbers; give moments="
        if self.moments is None and self.degree is not None and self.degree < family.size:
            return f"{self.degree} moments are too few for {family.size} parameters; give degree={family.size} or more"
        return None

    def single(self, family, x, rng):
        n, moments = len(x), self.moments or Powers(self.degree or family.size)
        m = latents.size(self.latent, n, self.n_simulated, family.sobol_points)
        z = latents.draw(self.latent, family.law, m, family.latent_dim, int(rng.integers(2**32)))[0]
        rows = _moments(moments, x)
        target = rows.mean(axis=0)
        factor = _factor(rows)
        root = np.linalg.inv(factor.T) if self.weight == "optimal" else np.eye(len(target)) / np.linalg.norm(factor)
        minimum = minimise(_criterion(moments), family, first_theta(family, x), z, target, root)
        if minimum.trouble:
            return concluded(family, minimum, None)
        slope = root @ _slope(moments, family, minimum.theta, z)
        noise = root @ factor.T
        gain = np.linalg.pinv(slope) @ noise  # of theta in the data's standardised moments
        cov = gain @ gain.T * (1 / n + (1 / m if self.latent == "iid" else 0))
        return concluded(family, minimum, cov)


@dataclasses.dataclass(frozen=True)
class Powers:
    """Powers 1, ..., degree of a number."""

    degree: int

    def __call__(self, x):
        return jnp.cumprod(jnp.full((self.degree,), x))


def _factor(rows: np.ndarray) -> np.ndarray:
    """R with R'R the unbiased covariance of the rows (n, k)."""
    centred = (rows - rows.mean(axis=0)) / np.sqrt(len(rows) - 1)
    size = np.linalg.norm(centred, axis=0)
    if not np.all(size > 0):
        raise ValueError(f"moment {int(np.argmin(size)) + 1} does not vary over the sample; give others.")
    factor = np.linalg.qr(centred / size, mode="r")
    if len(factor) < len(size) or np.linalg.cond(factor) > 1e12:
        raise ValueError("the moments' covariance is singular; give fewer moments.")
    return factor * size


def _each(moments, rows):
    return jax.vmap(lambda row: jnp.atleast_1d(moments(row)))(rows)


def _simulated(moments, generator, theta, z):
    return jnp.mean(_each(moments, jax.vmap(lambda draw: generator.squeezed(generator(theta, draw)))(z)), axis=0)


_moments = programs.program(_each, static_argnums=0)
_slope = programs.program(jax.jacfwd(_simulated, argnums=2), static_argnums=0)


@functools.lru_cache(maxsize=64)
def _criterion(moments):
    """One function object for each kind of moments, so that it is compiled once."""

    def half_square(generator, theta, z, target, root):
        gap = root @ (target - _simulated(moments, generator, theta, z))
        return 0.5 * gap @ gap

    return half_square
