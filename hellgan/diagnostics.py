"""A fit at a glance: data and fitted law, P-P plot with its band, discriminator, influence.

``fit`` is a ``GANResults`` everywhere.
"""

from typing import NamedTuple

import numpy as np
from scipy import special

from hellgan import plots
from hellgan.wald import sup_t_quantile

_POINTS = 120  # at which the P-P plot is looked at


class ProbabilityPlot(NamedTuple):
    """Fitted against empirical probabilities, with the half width of a simultaneous band: (k,) each."""

    expected: np.ndarray
    observed: np.ndarray
    half_width: np.ndarray
    of: str  # whose probabilities


def probability_plot(fit, alpha: float = 0.05) -> ProbabilityPlot:
    """Compare the distribution functions of the data and of the fitted law.

    In one dimension the band is of equal precision and allows for the estimated parameters: with IF the influence
    function of theta, what observation i adds to the difference at x is 1{x_i <= x} - F(x) - F'(x) IF(x_i), F' the
    derivative in theta, and the band is the sup-t band of these rows. Otherwise it is the log ratio whose
    distributions are compared, with the band of Dvoretzky, Kiefer and Wolfowitz, too wide where theta is estimated.
    """
    model, shares = fit.model, fit.model.shares()
    if fit.generator.dim == 1 and fit.sandwich is not None:
        x = model.x
        levels = np.linspace(0.01, 0.99, _POINTS)
        points = np.unique(np.quantile(x[shares > 0], levels))
        law = fit.cdf(points)
        below = x[:, None] <= points
        expected, observed = law.params.to_numpy(), shares @ below
        rows = below - observed - fit.influence().unconstrained[:, : fit.generator.size] @ law.gradient.T
        rows *= shares[:, None]
        cov = rows.T @ rows
        usable = np.diag(cov) > 1e-6 * np.max(np.diag(cov))
        half = np.full(len(points), np.nan)
        half[usable] = sup_t_quantile(cov[np.ix_(usable, usable)], alpha) * np.sqrt(np.diag(cov)[usable])
        return ProbabilityPlot(expected, observed, half, "the data")
    own = fit.log_ratio(model.x)
    simulated = np.sort(fit.log_ratio(fit.sample(8192, seed=model.seed + 1)))
    order = np.argsort(own, kind="stable")
    expected = np.searchsorted(simulated, own[order], side="right") / len(simulated)
    half = np.sqrt(np.log(2 / alpha) / 2 * np.sum(shares**2))
    return ProbabilityPlot(expected, np.cumsum(shares[order]), np.full(len(own), half), "the log ratio")


def draw(fit, threshold: float):
    """Draw the four panels, (4,) Axes; points of a larger probability than ``threshold`` are flagged."""
    axes = plots.four_panels()
    flagged = fit.outliers()
    fit.plot_fit(axes[0])
    plots.pp_plot(*probability_plot(fit), axes[1])
    plots.log_ratio_plot(fit.log_ratio(fit.model.x), flagged, float(special.logit(threshold)), axes[2])
    if fit.sandwich is None:
        plots.message(f"no influence functions: {fit._why_no_cov}", axes[3])
    elif fit.generator.dim == 1:
        fit.influence().plot(ax=axes[3])
    else:
        fit.influence().plot_index(ax=axes[3])
    return axes
