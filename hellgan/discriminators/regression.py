"""Sigmoids of residuals, alone and times covariates: the default for conditional generators."""

import equinox as eqx
import jax.numpy as jnp
import numpy as np

from hellgan import latents
from hellgan.checks import checked_count
from hellgan.discriminators.basis import Basis
from hellgan.discriminators.placement import arcsine_levels, checked_penalty, ridge_vector
from hellgan.discriminators.specification import Discriminator
from hellgan.generators.resistant import independent_columns, residual_scale, resistant_fit
from hellgan.samples.robust import quantile

_BEND = 3.0  # bound of a standardised covariate


class Residuals(Basis):
    """Sigmoids psi((r - knot) / width) of the residual r of a row (x, y), and their products with covariates.

    r = (y - intercept - slopes . x) / scale; the products are with the covariates t = (x - center) / spread, bounded
    as t / sqrt(1 + t^2 / 9).
    """

    intercept: np.ndarray
    slopes: np.ndarray
    scale: np.ndarray
    center: np.ndarray
    spread: np.ndarray
    knots: np.ndarray
    widths: np.ndarray
    product_knots: np.ndarray
    product_widths: np.ndarray
    product_means: np.ndarray
    ridge: np.ndarray

    def features(self, x):
        covariates, response = x[:-1], x[-1]
        r = (response - self.intercept - self.slopes @ covariates) / self.scale
        t = (covariates - self.center) / self.spread
        c = t / jnp.sqrt(1 + (t / _BEND) ** 2)
        alone = _sigmoids(r, self.knots, self.widths)
        # Centred, so that the covariates' own scatter does not enter the products' variance.
        products = c[:, None] * (_sigmoids(r, self.product_knots, self.product_widths) - self.product_means)[None, :]
        return jnp.concatenate([jnp.ones(1, alone.dtype), alone, jnp.ravel(products)])


def _sigmoids(r, knots, widths):
    return 0.5 * jnp.tanh(0.5 * (r - knots) / widths)


class ResidualSigmoids(Discriminator):
    """Sigmoids of the residual from a robust regression, and their products with each covariate.

    An observation is a row of covariates and, last, the response. Residuals are those of the MM-estimate of a linear
    model with an intercept, over their median absolute deviation. Knots lie at standard normal quantiles of levels
    sin^2(pi (j - 1/2) / (2 k)), wherever the residuals' own may be: outliers, however many, do not draw them away.
    The products span the scores of the coefficients, the sigmoids alone those of intercept and scale. All features
    are bounded, in the response and in the covariates.

    Parameters
    ----------
    k : int, optional
        Sigmoids of the residual alone. Unless given there are 4 to 12, with ``products`` about one feature for three
        observations.
    products : int, optional
        Sigmoids that multiply each covariate; 1 to 4 unless given.
    ridge : float, optional
        Quadratic penalty on all coefficients but the intercept; 1/(2 n^2) unless given, but at least 1e-6.
    """

    k: int | None = eqx.field(static=True)
    products: int | None = eqx.field(static=True)
    ridge: float | None = eqx.field(static=True)

    def __init__(self, k: int | None = None, products: int | None = None, ridge: float | None = None):
        self.k = None if k is None else checked_count("k", k, 2)
        self.products = None if products is None else checked_count("products", products)
        self.ridge = checked_penalty(ridge, optional=True)

    def place(self, x, weights, seed):
        if x.shape[1] == 1:
            raise ValueError(
                "discriminator: ResidualSigmoids needs covariates beside the response; give Sigmoids() for a sample "
                "of one column."
            )
        covariates, response = x[:, :-1], x[:, -1]
        counted = weights > 0
        ones = np.column_stack([np.ones(len(x)), covariates])
        kept = independent_columns(ones[counted])
        coefficients = np.zeros(ones.shape[1])
        coefficients[kept] = resistant_fit(ones[:, kept], response, weights)
        residuals = response - ones @ coefficients
        scale = residual_scale(residuals, len(kept), weights)
        center, spread = np.array([_center_and_spread(column, weights) for column in covariates.T]).T
        k, products = self._sizes(covariates.shape[1], 1 / np.sum(weights**2))
        knots, widths = _normal_knots(k)
        product_knots, product_widths = _normal_knots(products)
        means = weights @ _numpy_sigmoids(residuals / scale, product_knots, product_widths)
        q = k + products * covariates.shape[1]
        return Residuals(
            np.asarray(coefficients[0]),
            coefficients[1:],
            np.asarray(scale),
            center,
            spread,
            knots,
            widths,
            product_knots,
            product_widths,
            means,
            ridge_vector(self.ridge, q, weights, 1e-6),
        )

    def _sizes(self, covariates, n) -> tuple[int, int]:
        """How many sigmoids of the residual alone, and how many that multiply each covariate."""
        budget = int(n / 3 + 1e-9)
        products = int(np.clip((budget - 6) // covariates, 1, 4)) if self.products is None else self.products
        k = int(np.clip(budget - products * covariates, 4, 12)) if self.k is None else self.k
        return k, products


def _normal_knots(k):
    """Knots at normal quantiles and widths equal to their spacing; one knot is 0, with the width of .75."""
    if k == 1:
        return np.zeros(1), np.full(1, 0.75)
    knots = latents.normal.quantile(arcsine_levels(k))
    return knots, np.gradient(knots)


def _numpy_sigmoids(r, knots, widths):
    return 0.5 * np.tanh(0.5 * (r[:, None] - knots) / widths)


def _center_and_spread(column, weights):
    """Median and MAD (not made consistent) of a covariate; a MAD of 0, as dummies have, is taken of what deviates."""
    center = quantile(column, 0.5, weights)
    deviations = np.abs(column - center)
    spread = quantile(deviations, 0.5, weights)
    if spread == 0 and np.any(weights[deviations > 0] > 0):
        spread = quantile(deviations[deviations > 0], 0.5, weights[deviations > 0])
    return center, spread if spread > 0 else 1.0
