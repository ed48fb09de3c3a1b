"""Sigmoids of residuals, alone and times covariates: the default for conditional generators."""

import equinox as eqx
import jax.numpy as jnp
import numpy as np

from hellgan import latents
from hellgan.checks import checked_count
from hellgan.discriminators.basis import Basis
from hellgan.discriminators.pilot import Pilot, pilot_fit
from hellgan.discriminators.placement import arcsine_levels, checked_penalty, ridge_vector
from hellgan.discriminators.specification import Discriminator


class Residuals(Basis):
    """Sigmoids psi((r - knot) / width) of the residual r of a row (x, y), and their products with covariates.

    r = (y - intercept - slopes . t) / exp(log_scale + spread . c), with the covariates whitened, t, and bounded, c, as
    ``Pilot`` has them. A feature counts as much as the leverage w of its row lets it: w psi, and w c psi. Each psi is
    less its mean at the normal law, so that the covariates' own scatter enters no feature.
    """

    ridge: np.ndarray
    pilot: Pilot
    knots: np.ndarray
    widths: np.ndarray
    means: np.ndarray
    product_knots: np.ndarray
    product_widths: np.ndarray
    product_means: np.ndarray

    def features(self, x):
        r, c, leverage = self.pilot.residual(x)
        alone = _sigmoids(r, self.knots, self.widths) - self.means
        products = c[:, None] * (_sigmoids(r, self.product_knots, self.product_widths) - self.product_means)[None, :]
        return jnp.concatenate([jnp.ones(1, alone.dtype), leverage * alone, leverage * jnp.ravel(products)])

    @property
    def placement(self):
        return self.pilot.placement

    def placed(self, placement):
        return eqx.tree_at(lambda basis: basis.pilot, self, self.pilot.placed(placement))

    def influence(self, x):
        return self.pilot.influence(x)


def _sigmoids(r, knots, widths):
    return 0.5 * jnp.tanh(0.5 * (r - knots) / widths)


class ResidualSigmoids(Discriminator):
    """Sigmoids of the residual from a robust regression, and their products with each covariate.

    An observation is a row of covariates and, last, the response. Residuals are those of a robust linear fit with an
    intercept, over a scale that may change with the covariates where the sample clearly says so; the placement is
    written as estimating equations, so that standard errors count that it is estimated. Knots lie at standard normal
    quantiles of levels sin^2(pi (j - 1/2) / (2 k)), wherever the residuals' own may be: outliers, however many, do not
    draw them away. The products span the scores of the coefficients, the sigmoids alone those of intercept and scale.
    All features are bounded, in the response and in the covariates; of a row far out in the covariates they are so
    small that its pull on a slope is bounded, too.

    Parameters
    ----------
    k : int, optional
        Sigmoids of the residual alone. Unless given there are 4 to 12, with ``products`` about one feature for three
        observations.
    products : int
        Sigmoids that multiply each covariate. One has the efficiency of several at symmetric noise, and follows the
        noise's scale where that changes with the covariates less.
    ridge : float, optional
        Quadratic penalty on all coefficients but the intercept; 1/(2 n^2) unless given, but at least 1e-6.
    """

    k: int | None = eqx.field(static=True)
    products: int = eqx.field(static=True)
    ridge: float | None = eqx.field(static=True)

    def __init__(self, k: int | None = None, products: int = 1, ridge: float | None = None):
        self.k = None if k is None else checked_count("k", k, 2)
        self.products = checked_count("products", products)
        self.ridge = checked_penalty(ridge, optional=True)

    def place(self, x, weights, seed):
        if x.shape[1] == 1:
            raise ValueError(
                "discriminator: ResidualSigmoids needs covariates beside the response; give Sigmoids() for a sample "
                "of one column."
            )
        covariates, response = x[:, :-1], x[:, -1]
        pilot = pilot_fit(covariates, response, weights)
        k = self._size(len(pilot.center), 1 / np.sum(weights**2))
        q = k + self.products * covariates.shape[1]
        ridge = ridge_vector(self.ridge, q, weights, 1e-6)
        return Residuals(ridge, pilot, *_normal_sigmoids(k), *_normal_sigmoids(self.products))

    def _size(self, covariates: int, n: float) -> int:
        """How many sigmoids of the residual alone."""
        return int(np.clip(int(n / 3 + 1e-9) - self.products * covariates, 4, 12)) if self.k is None else self.k


def _normal_sigmoids(k):
    """Knots at normal quantiles, widths equal to their spacing, and means at the normal law; one has the width .75."""
    knots = latents.normal.quantile(arcsine_levels(k))
    widths = np.gradient(knots) if k > 1 else np.full(1, 0.75)
    nodes, weights = np.polynomial.hermite_e.hermegauss(150)
    means = weights @ (0.5 * np.tanh(0.5 * (nodes[:, None] - knots) / widths)) / weights.sum()
    return knots, widths, means
