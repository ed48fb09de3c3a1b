"""Figures of a fit, and the comparison of probabilities that one of them shows."""

from typing import TYPE_CHECKING, NamedTuple

import jax
import numpy as np
from scipy import special

from hellgan import plots
from hellgan.checks import chosen_names, normal_quantile
from hellgan.execution import programs
from hellgan.inference import profiles
from hellgan.inference.wald import sup_t_quantile
from hellgan.samples.frames import texts

if TYPE_CHECKING:
    from hellgan.results.base import EstimatedResults
    from hellgan.results.gan import GANResults
    from hellgan.results.ratios import RatioResults

_POINTS = 120  # at which the P-P plot is looked at


class ProbabilityPlot(NamedTuple):
    """Fitted against empirical probabilities, with the half width of a simultaneous band: (k,) each."""

    expected: np.ndarray
    observed: np.ndarray
    half_width: np.ndarray
    of: str  # whose probabilities


def probability_plot(fit: "GANResults", alpha: float = 0.05) -> ProbabilityPlot:
    """Compare the distribution functions of the data and of the fitted law.

    In one dimension the band is of equal precision and allows for the estimated parameters: with IF the influence
    function of theta, what observation i adds to the difference at x is 1{x_i <= x} - F(x) - F'(x) IF(x_i), F' the
    derivative in theta, and the band is the sup-t band of these rows. Otherwise the distributions of the log ratio
    are compared, with the band of Dvoretzky, Kiefer and Wolfowitz, which is too wide where theta is estimated.
    """
    sample = fit.equations.sample
    weights = sample.weights
    if fit.generator.dim == 1 and fit.sandwich is not None:
        x = sample.rows[:, 0]
        levels = np.linspace(0.01, 0.99, _POINTS)
        points = np.unique(np.quantile(x[weights > 0], levels))
        law = fit.cdf(points)
        below = x[:, None] <= points
        expected, observed = law.params.to_numpy(), weights @ below
        rows = below - observed - fit.influence().unconstrained[:, : fit.generator.size] @ law.gradient.T
        rows *= weights[:, None]
        cov = rows.T @ rows
        usable = np.diag(cov) > 1e-6 * np.max(np.diag(cov))
        half = np.full(len(points), np.nan)
        half[usable] = sup_t_quantile(cov[np.ix_(usable, usable)], alpha) * np.sqrt(np.diag(cov)[usable])
        return ProbabilityPlot(expected, observed, half, "the data")
    own = fit.log_ratio(sample.squeezed)
    simulated = np.sort(fit.log_ratio(fit.sample(8192, seed=fit.model.seed + 1)))
    order = np.argsort(own, kind="stable")
    expected = np.searchsorted(simulated, own[order], side="right") / len(simulated)
    half = np.sqrt(np.log(2 / alpha) / 2 * np.sum(weights**2))
    return ProbabilityPlot(expected, np.cumsum(weights[order]), np.full(len(own), half), "the log ratio")


def draw(fit: "GANResults", threshold: float):
    """Draw the four panels of ``GANResults.plot_diagnostics``, (4,) Axes; ``threshold`` is the flags' probability."""
    axes = plots.four_panels()
    flagged, sample = fit.outlier_positions(), fit.equations.sample
    names = texts(sample.labels) if sample.is_labelled else None
    fit.plot_fit(axes[0])
    plots.pp_plot(*probability_plot(fit), axes[1])
    plots.log_ratio_plot(fit.log_ratio(sample.squeezed), flagged, float(special.logit(threshold)), axes[2], names)
    if fit.sandwich is None:
        plots.message(f"no influence functions: {fit.why_no_cov}", axes[3])
    elif fit.generator.dim == 1:
        fit.influence().plot(ax=axes[3])
    else:
        fit.influence().plot_index(ax=axes[3])
    return axes


def draw_fit(fit: "RatioResults", ax=None):
    """Draw data and fitted law, as ``GANResults.plot_fit`` says."""
    sample, flagged = fit.equations.sample, fit.outlier_positions()
    x = sample.squeezed
    simulated = fit.sample(4096, seed=fit.model.seed + 1)
    family = fit.generator.linear
    if fit.generator.covariates > 1:
        first = (lambda rows: rows[:, 0]) if family is None else (lambda rows: fit.location(rows[:, :-1]))
        x, simulated = (np.column_stack([first(rows), rows[:, -1]]) for rows in (x, simulated))
        names = sample.columns or ["x1", "response"]
        return plots.scatter_fit(x, simulated, flagged, [names[0] if family is None else "fitted", names[-1]], ax)
    if fit.generator.dim > 1:
        names = sample.columns or [f"x{k + 1}" for k in range(fit.generator.dim)]
        return plots.scatter_fit(x, simulated, flagged, names, ax)
    grid = np.linspace(*plots.bulk_view(x), 801)
    density = None
    if fit.generator.has_density:
        density = _density(fit.generator, fit.solution.theta, grid[:, None])
    label = sample.origin.name or "x"
    return plots.histogram_fit(x, grid, density, simulated, fit.prob_real(grid), flagged, ax, label)


def draw_profile(fit: "EstimatedResults", name: str, alpha: float, ax=None):
    """Draw the distance test of each value of a parameter, with the Wald and the profile interval."""
    (name,) = chosen_names([name], list(fit.params.index))
    wald, profile = (fit.conf_int(alpha, name, method).to_numpy()[0] for method in ("wald", "profile"))
    curve = profiles.profile_curve(fit, name, profiles.profile_points(fit, name, np.array([wald, profile])))
    return plots.profile(
        *curve, float(fit.params.to_dict()[name]), normal_quantile(alpha) ** 2, wald, profile, name, ax
    )


@programs.program
def _density(generator, theta, rows):
    return jax.numpy.exp(jax.vmap(lambda row: generator.log_density_at(theta, row))(rows))
