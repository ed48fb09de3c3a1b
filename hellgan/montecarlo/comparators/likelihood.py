"""Maximum likelihood."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np

from hellgan.checks import is_one_of, shown
from hellgan.execution import programs
from hellgan.generators import LocationScale
from hellgan.montecarlo.comparators.closed_forms import closed_form, has_closed_form
from hellgan.montecarlo.comparators.comparator import Comparator, first_theta, needs_smooth_density
from hellgan.montecarlo.comparators.minimisation import concluded, minimise, sandwich


@dataclasses.dataclass(frozen=True)
class MaximumLikelihood(Comparator):
    """Maximum likelihood, for any family with a density.

    Attributes
    ----------
    cov : {"information", "sandwich"}
        Whether standard errors are those of the model, from the observed information, or White's (1982), which hold
        for another law of the data too.

    Notes
    -----
    The likelihood is maximised on the unconstrained scale from the family's robust start, by Newton's method where
    that is close to a maximum and else by scipy's BFGS first, so that of several maxima it is the one nearby. Normal
    laws and Laplace's have a closed form. In a regression the likelihood is that of the responses given the covariates.
    """

    cov: str = "information"

    def __post_init__(self):
        if not is_one_of(self.cov, ("information", "sandwich")):
            raise ValueError(f"cov: {shown(self.cov)} is not known; give 'information' or 'sandwich'.")

    @property
    def label(self):
        return "maximum likelihood"

    def problem(self, family, n):
        if has_closed_form(family):
            if isinstance(family, LocationScale) and family.family == "Laplace" and self.cov == "sandwich":
                return "the log density of Laplace has a kink, so that no sandwich exists; give cov='information'"
            return None
        return needs_smooth_density(family)

    def together(self, family, samples):
        return closed_form(family, samples, self.cov == "sandwich") if has_closed_form(family) else None

    def single(self, family, x, rng):
        minimum = minimise(_negative_log_likelihood, family, first_theta(family, x), x)
        if minimum.trouble:
            return concluded(family, minimum, None)
        if self.cov == "information":
            return concluded(family, minimum, np.linalg.inv(minimum.hessian) / len(x))
        meat = _meat(family, minimum.theta, x)
        return concluded(family, minimum, sandwich(minimum.hessian, meat, len(x)))


def _negative_log_likelihood(generator, theta, x):
    natural = generator.natural(theta)
    return -jnp.mean(jax.vmap(lambda row: generator.log_density(row, **natural))(x))


@programs.program
def _meat(generator, theta, x):
    """Mean square of the scores, whose mean is 0 at the estimate."""
    of_row = jax.grad(lambda theta, row: generator.log_density(row, **generator.natural(theta)))
    scores = jax.vmap(of_row, (None, 0))(theta, x)
    return scores.T @ scores / len(x)
