"""How well a fit does, drawn and tested: its figures, the contamination test, directions without variance.

``fit`` is a ``GANResults`` everywhere.
"""

from typing import NamedTuple

import jax
import numpy as np
import pandas as pd
from scipy import special

from hellgan import generators, overidentification, plots, profiles
from hellgan.inference import Sandwich
from hellgan.overidentification import Balance, ContaminationTest
from hellgan.validation import checked_points, chosen_names, normal_quantile
from hellgan.wald import sup_t_quantile

_POINTS = 120  # at which the P-P plot is looked at
_CANDIDATES = 256  # draws, and observations, at which contamination is looked for


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


# Single figures.


def draw_fit(fit, ax=None):
    """Draw data and fitted law, as ``GANResults.plot_fit`` says."""
    x, flagged = fit.model.x, fit.outliers()
    simulated = fit.sample(4096, seed=fit.model.seed + 1)
    family = linear_family(fit)
    if fit.generator.covariates > 1:
        first = (lambda rows: rows[:, 0]) if family is None else (lambda rows: location(fit, family, rows[:, :-1]))
        x, simulated = (np.column_stack([first(rows), rows[:, -1]]) for rows in (x, simulated))
        names = fit.model.columns or ["x1", "response"]
        return plots.scatter_fit(x, simulated, flagged, [names[0] if family is None else "fitted", names[-1]], ax)
    if fit.generator.dim > 1:
        names = fit.model.columns or [f"x{k + 1}" for k in range(fit.generator.dim)]
        return plots.scatter_fit(x, simulated, flagged, names, ax)
    grid = np.linspace(*plots.bulk_view(x), 801)
    density = None
    if fit.generator.has_density:
        with jax.enable_x64(True):
            density = np.asarray(_density(fit.generator, fit.saddle.theta, grid))
    return plots.histogram_fit(x, grid, density, simulated, fit.prob_real(grid), flagged, ax)


def draw_profile(fit, name: str, alpha: float, ax=None):
    """Draw the distance test of each value of a parameter, with the Wald and the profile interval."""
    (name,) = chosen_names([name], list(fit.params.index))
    wald, profile = (fit.conf_int(alpha, name, method).to_numpy()[0] for method in ("wald", "profile"))
    curve = profiles.profile_curve(fit, name, profiles.profile_points(fit, name, np.array([wald, profile])))
    return plots.profile(*curve, float(fit.params[name]), normal_quantile(alpha) ** 2, wald, profile, name, ax)


def linear_family(fit) -> generators.LinearRegression | None:
    """The linear model of a fit, where it is one."""
    family = fit.generator.generator if isinstance(fit.generator, generators.Fixed) else fit.generator
    return family if isinstance(family, generators.LinearRegression) else None


def location(fit, family: generators.LinearRegression, covariates) -> np.ndarray:
    """Fitted location of a linear model at covariates (r, k)."""
    values = {**getattr(fit.generator, "values", {}), **fit.params}
    return family.design(covariates) @ np.array([values[name] for name in family.coefficients], np.float64)


@jax.jit
def _density(generator, theta, grid):
    natural = generator.natural(theta)
    return jax.numpy.exp(jax.vmap(lambda point: generator.log_density(point, **natural))(grid))


# What the quadratic game at the fit says.


def contamination_test(fit, points) -> ContaminationTest:
    """Test for contamination at points, the default ones where None; as ``GANResults.contamination_test`` says."""
    influence = fit.influence()
    if points is None:
        x = np.sort(fit.model.x) if fit.generator.dim == 1 else fit.model.x
        drawn = fit.sample(_CANDIDATES, fit.model.seed)
        parts = [influence.places(), drawn, x[:: -(-len(x) // _CANDIDATES)]]
        points = np.concatenate([part[:, None] if part.ndim == 1 else part for part in parts])
    points = checked_points(points, fit.generator.dim)
    of, delta, mean = _balance(fit)
    return overidentification.contamination(of, fit.model.loss.c, delta, influence.features(points), mean, points)


def degenerate_directions(fit, law: Sandwich) -> pd.DataFrame:
    """List the combinations of alpha without variance of order 1/n, as ``GANResults.degenerate_directions`` says."""
    c, p = fit.model.loss.c, fit.generator.size
    cov = law.cov[p:, p:]
    of, _, mean = _balance(fit)
    rows = np.concatenate([[[1.0, *mean]], np.pad(of.slope.T, ((0, 0), (1, 0)))])
    regular = c * np.linalg.inv(c * of.covariance + 2 * np.diag(of.ridge))
    regular = regular @ of.noise @ regular / of.scale
    frame = pd.DataFrame(rows, ["mean", *fit.generator.free_names], fit.score_names[p:])
    errors = np.sqrt(np.maximum(np.einsum("ri,ij,rj->r", rows, cov, rows), 0.0))  # 0 but for rounding
    known = np.sqrt(np.einsum("ri,ij,rj->r", rows[1:, 1:], regular, rows[1:, 1:]))
    frame.insert(0, "relative", errors / [np.nan, *known])
    frame.insert(0, "std err", errors)
    frame.insert(0, "estimate", rows @ fit.saddle.alpha)
    return frame


def _balance(fit) -> tuple[Balance, np.ndarray, np.ndarray]:
    """The quadratic game at the fit, the difference of mean features, and the simulated sample's mean."""
    with jax.enable_x64(True):
        game, u = fit.model.game(), fit.saddle
        of = overidentification.balance(game, u.theta, u.alpha, fit.model.scrambles(), "both")
        real, simulated = jax.device_get(overidentification.mean_features(game, u.theta))
    return of, real - simulated, simulated
