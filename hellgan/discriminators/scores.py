"""Scores of a tractable family as a discriminator: as efficient as maximum likelihood, or bounded and nearly so."""

import math

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from hellgan import latents
from hellgan.checks import shown
from hellgan.discriminators.features import ModelScores, score
from hellgan.discriminators.placement import checked_penalty, ridge_vector
from hellgan.discriminators.specification import Discriminator
from hellgan.execution import programs
from hellgan.generators.family import Generator

# Latent draws from which the information matrix and the radius are computed, and fewer that check the matrix.
_POINTS, _FEWER = 16384, 1024
_EFFICIENCY = 0.95


class Scores(Discriminator):
    """The scores of a family with a density, d/dtheta log p_theta(x), at its robust start on the data.

    There are q = p features, one a parameter of the family, standardised by its information matrix. Fitting that very
    family is then a method of moments with the best moments there are: nothing is left for the overidentification
    test. Without a bound the estimate is as efficient as maximum likelihood and no more robust. With one, each
    standardised score s is shrunk smoothly into the ball of radius c,

        s / sqrt(1 + |s|^2 / c^2),

    and the influence of any observation on the estimate is bounded; simulation corrects the bias of the shrinking.

    Parameters
    ----------
    generator : Generator
        A family with a density and a robust start; usually the one that is fitted, but any of the data's dimension
        will do. ``generator.fix(...)`` has the scores of the parameters that are left.
    bounded : bool
        Whether to shrink the scores.
    c : float, optional
        Radius of the ball. Unless given it is where the estimate keeps 95 % of the efficiency of maximum likelihood
        on average over the (standardised) parameters, if the family is the truth: 3.25 for the normal law's two
        parameters, 1.29 for its mean alone.
    ridge : float, optional
        Quadratic penalty on all coefficients but the intercept; 1/(2 n^2) unless given. A ridge does not move an
        estimate that has as many parameters as there are features.

    Raises
    ------
    ValueError, TypeError
        For what is no family with a density, or a ``c`` that is no radius; and, once there are data, for data of other
        dimension or outside the family's support.

    Examples
    --------
    >>> import hellgan as hg
    >>> normal = hg.generators.Normal()
    >>> scores = hg.discriminators.Scores(normal)
    >>> print(hg.GAN(hg.datasets.load_newcomb(), normal, scores).fit().params.round(1).to_dict())
    {'loc': 27.6, 'scale': 5.4}

    References
    ----------
    Hampel, Ronchetti, Rousseeuw and Stahel (1986), *Robust Statistics*, chapter 4: bounded scores, self-standardised.
    """

    generator: Generator
    bounded: bool = eqx.field(static=True)
    c: float | None = eqx.field(static=True)
    ridge: float | None = eqx.field(static=True)

    def __init__(self, generator: Generator, bounded: bool = True, c: float | None = None, ridge: float | None = None):
        if not isinstance(generator, Generator):
            raise TypeError(
                f"generator: got {type(generator).__name__}; give a family with a density, such as "
                "hg.generators.Normal()."
            )
        if not generator.has_density:
            raise ValueError(
                f"generator: {generator.name} has no density in closed form and so no scores; give a family that has "
                "one, or another discriminator such as Sigmoids(16)."
            )
        if not isinstance(bounded, (bool, np.bool_)):
            raise TypeError(f"bounded: got {shown(bounded)}; give True or False.")
        if c is not None and not bounded:
            raise ValueError(f"c: got {shown(c)} with bounded=False; a radius belongs to bounded scores.")
        if c is not None and (isinstance(c, bool) or not isinstance(c, (int, float, np.number)) or not 0 < c < 1e300):
            raise ValueError(f"c: got {shown(c)}; give a positive number, or None for 95 % efficiency.")
        self.generator, self.bounded = generator, bool(bounded)
        self.c, self.ridge = None if c is None else float(c), checked_penalty(ridge, optional=True)

    def place(self, x, weights, seed):
        family = self.generator
        d = x.shape[1]
        if family.dim != d:
            raise ValueError(
                f"discriminator: the scores of {family.name} are for {family.dim} dimensions, the data have {d}; give "
                "a family of the data's dimension."
            )
        natural = family.start(family.squeezed(x), weights)
        if natural is None:
            raise ValueError(
                f"discriminator: {family.name} has no robust start at which its scores could be taken; give it a "
                "start(x, weights)."
            )
        theta = family.theta(**natural)
        z = latents.draw("sobol", family.law, _POINTS, family.latent_dim, seed=0)[0]
        scores, moved = _simulated(family, theta, z)
        log_densities = _log_densities(family, theta, x)
        whitening = _whitening(family, scores, moved)
        outside = int(np.sum((log_densities == -np.inf) & (weights > 0)))
        if outside:
            raise ValueError(
                f"discriminator: {outside} observations have density 0 under {family.name}, where it has no scores; "
                "give the scores of a family that can have them."
            )
        radius = None
        if self.bounded:
            radius = np.asarray(_radius(scores @ whitening.T) if self.c is None else self.c)
        ridge = ridge_vector(self.ridge, family.size, weights)
        return ModelScores(generator=family, theta=theta, whitening=whitening, radius=radius, ridge=ridge)


@programs.program
def _log_densities(family: Generator, theta, x):
    return jax.vmap(lambda row: family.log_density_at(theta, row))(x)


@programs.program
def _simulated(family: Generator, theta, z):
    """Scores of simulated observations, (m, p), and how their mean moves with theta, (p, p)."""

    def score_of(draw, t):
        return score(family, theta, family(t, draw))

    scores = jax.vmap(lambda draw: score_of(draw, theta))(z)
    slopes = jax.vmap(lambda draw: jax.jacfwd(lambda t: score_of(draw, t))(theta))(z[:_FEWER])
    return scores, jnp.mean(slopes, axis=0)


def _whitening(family, scores, moved):
    """Invert the Cholesky factor of the information matrix (p, p), after comparing that matrix's two forms."""
    information = scores.T @ scores / len(scores)
    sizes = np.sqrt(np.diag(information))
    with np.errstate(divide="ignore", invalid="ignore"):
        correlations = information / np.outer(sizes, sizes)
    if np.all(np.isfinite(correlations)) and np.linalg.eigvalsh(correlations)[0] > 1e-10:
        whitening = np.linalg.inv(np.linalg.cholesky(information))
        # E s s' is also the derivative of the mean score, unless the density has kinks or edges.
        difference = whitening @ moved @ whitening.T - np.eye(family.size)
        if np.linalg.norm(difference, 2) < 0.25:
            return whitening
    raise ValueError(
        f"discriminator: the scores of {family.name} do not tell its parameters apart, because its density has "
        "kinks or edges or says too little; give the scores of a smooth family, or Sigmoids(16)."
    )


def _radius(s):
    """Find the radius at which standardised scores (m, p) keep the efficiency wanted, within wide limits."""
    size2, p = np.sum(s**2, axis=1), s.shape[1]

    def efficiency(radius):
        shrunk = s / np.sqrt(1 + size2 / radius**2)[:, None]
        jacobian = shrunk.T @ s / len(s)  # the information matrix of s is the identity
        centred = shrunk - shrunk.mean(axis=0)
        information = jacobian.T @ np.linalg.solve(centred.T @ centred / len(s), jacobian)
        return p / np.trace(np.linalg.inv(information))

    from scipy.optimize import brentq

    low, high = 0.5 * math.sqrt(p), 64 * math.sqrt(p)
    if efficiency(low) >= _EFFICIENCY:
        return low
    if efficiency(high) < _EFFICIENCY:
        return high
    return float(brentq(lambda radius: efficiency(radius) - _EFFICIENCY, low, high, xtol=1e-13))  # type: ignore[arg-type]
