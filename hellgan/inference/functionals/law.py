"""Functionals of a fit's law, read and checked: means, quantiles, probabilities and what a user writes."""

import math
import warnings
from typing import TypeVar

import jax
import jax.numpy as jnp
import numpy as np

from hellgan import constraints, latents
from hellgan.cautions import SimulationWarning
from hellgan.checks import checked_points, checked_sequence, shown
from hellgan.constraints import Constraint
from hellgan.execution import tracing
from hellgan.functions import owned
from hellgan.generators.family import Generator
from hellgan.inference.functionals.density import Densities
from hellgan.inference.functionals.estimates import Functionals
from hellgan.inference.functionals.expectation import Mean
from hellgan.inference.functionals.functional import LawFit, Points
from hellgan.inference.functionals.line import Line, Probabilities, Quantiles, Survival
from hellgan.inference.functionals.moments import ClosedMoment
from hellgan.inference.functionals.scatter import MatrixEstimate, Scatter, Spread

Found = TypeVar("Found", bound=Functionals)
REPEATS, POINTS = 16, 2**13
_NOTABLE = 0.25  # a simulation error of so many standard errors adds 3 % to them and is told


def mean(fit: LawFit) -> Functionals:
    """Give the mean of an observation, or of a regression's response, at the fit; see ``LawResults.mean``."""
    g, columns = fit.generator, fit.equations.sample.columns
    if _has_moments(fit):
        return _told(Functionals(fit, ClosedMoment(g, fit.solution.theta, "mean"), ["mean"], [_line(g)]), "mean")
    if g.covariates:
        response, names = _response, [columns[-1] if columns else "response"]
    else:
        response, names = _itself, ["mean"] if g.dim == 1 else columns or [f"x{k + 1}" for k in range(g.dim)]
    return _told(Functionals(fit, Mean(_points(fit), response), names, [_line(g)] * len(names)), "mean")


def spread(fit: LawFit, kind: str) -> Functionals:
    """Give the variances (``"var"``) or standard deviations (``"std"``) at the fit; see ``LawResults.var``."""
    g, columns = fit.generator, fit.equations.sample.columns
    if g.covariates:
        raise ValueError(f"{kind}: a regression's responses are of many laws; use functional(f) with an f of your own.")
    names = [kind] if g.dim == 1 else columns or [f"x{k + 1}" for k in range(g.dim)]
    if _has_moments(fit):
        found = ClosedMoment(g, fit.solution.theta, kind)
    else:
        found = Spread(Scatter(_points(fit), False), g.dim, kind == "std")
    return _told(Functionals(fit, found, names, [constraints.positive()] * len(names)), kind)


def _has_moments(fit: LawFit) -> bool:
    """Whether the family has mean and variance in closed form."""
    g = fit.generator
    if g.covariates or g.dim > 1:
        return False
    with jax.enable_x64(True):
        return jax.eval_shape(lambda theta: g.moments(**g.natural(theta)), fit.solution.theta) is not None


def scatter(fit: LawFit, is_correlation: bool) -> MatrixEstimate:
    """Give the covariance or correlation matrix at the fit; see ``LawResults.covariance_matrix``."""
    what, g = "correlation_matrix" if is_correlation else "covariance_matrix", fit.generator
    if g.dim == 1 or g.covariates:
        of = "a regression's responses are of many laws" if g.covariates else "this one has one dimension"
        raise ValueError(f"{what}: it is of laws in several dimensions, and {of}; use functional(f) or mean().")
    names = fit.equations.sample.columns or [f"x{k + 1}" for k in range(g.dim)]
    return _told(MatrixEstimate(fit, Scatter(_points(fit), is_correlation), names), what)


def functional(fit: LawFit, f, names=None) -> Functionals:
    """Give E f at the fit; see ``LawResults.functional``."""
    count = _checked_function(f, fit.generator)
    names = _checked_names(names, count)
    expectation = Mean(_points(fit), owned(f, "f"))
    expectation.check_continuity(names)
    return _told(Functionals(fit, expectation, names, [constraints.real()] * len(names)), "functional")


def quantile(fit: LawFit, levels) -> Functionals:
    """Give quantiles of the fitted law; see ``LawResults.quantile``."""
    _require_line(fit, "quantile")
    p = _checked_points(levels, "levels", "levels between 0 and 1")
    if np.any((p <= 0) | (p >= 1)):
        raise ValueError(f"levels: {p[(p <= 0) | (p >= 1)][0]:g} is not between 0 and 1; give levels such as 0.5.")
    quantiles = Quantiles(Line(_points(fit)), p)
    return _told(Functionals(fit, quantiles, _labels("q", p), [_line(fit.generator)] * len(p)), "quantile")


def cdf(fit: LawFit, points) -> Functionals:
    """Give probabilities of the fitted law; see ``LawResults.cdf``."""
    _require_line(fit, "cdf")
    t = _checked_points(points, "points", "finite numbers")
    probabilities = Probabilities(Line(_points(fit)), t)
    return _told(Functionals(fit, probabilities, _labels("F", t), [_PROBABILITY] * len(t)), "cdf")


def sf(fit: LawFit, points) -> Functionals:
    """Give probabilities above points; see ``LawResults.sf``."""
    _require_line(fit, "sf")
    t = _checked_points(points, "points", "finite numbers")
    above = Survival(Probabilities(Line(_points(fit)), t))
    return _told(Functionals(fit, above, _labels("S", t), [_PROBABILITY] * len(t)), "sf")


def pdf(fit: LawFit, points) -> Functionals:
    """Give densities of the fitted law; see ``LawResults.pdf``."""
    g, theta = fit.generator, np.asarray(fit.solution.theta)
    if g.covariates:
        raise ValueError("pdf: a regression's responses are of many laws; subtract fittedvalues and take the noise's.")
    if g.dim == 1:
        t = _checked_points(points, "points", "finite numbers")
        rows, names = t[:, None], _labels("f", t)
    else:
        rows = checked_points(points, g.dim)
        names = [f"f{k}" for k in range(len(rows))]
    line = None if g.has_density else Line(_points(fit)) if g.dim == 1 else None
    if not g.has_density and (line is None or line.direction is None):
        raise ValueError(
            f"pdf: {g.name} has no density in closed form, and is not monotone in a single latent number; use cdf for "
            "probabilities, or a density estimate of sample(size)."
        )
    return Functionals(fit, Densities(g, theta, rows, line), names, [constraints.positive()] * len(names))


_PROBABILITY = constraints.interval(0, 1)


def _line(generator: Generator) -> Constraint:
    """Where quantiles and means live: positive numbers for families of positive observations, else any numbers."""
    return constraints.positive() if generator.is_positive else constraints.real()


def _labels(letter, points) -> list[str]:
    return [f"{letter}{point:.12g}" for point in points]


def _require_line(fit: LawFit, what):
    if fit.generator.dim > 1:
        of = "a regression's responses are of many laws" if fit.generator.covariates else "the law has several"
        raise ValueError(f"{what}: it is of one-dimensional laws, and {of}; use functional(f) with an f of your own.")


def _checked_points(points, name, what) -> np.ndarray:
    try:
        points = np.atleast_1d(np.asarray(points, np.float64))
    except (TypeError, ValueError, OverflowError):
        raise TypeError(f"{name}: got {shown(points)}; give {what}.") from None
    if points.ndim != 1 or not len(points) or not np.all(np.isfinite(points)):
        raise ValueError(f"{name}: got {shown(points)}; give one or more {what}.")
    labels = _labels("", points)
    twice = [label for k, label in enumerate(labels) if label in labels[:k]]
    if twice:
        raise ValueError(f"{name}: {twice[0]} occurs twice; give each once.")
    return points


def _checked_function(f, generator: Generator) -> int | None:
    """How many numbers f returns of one observation; None where it returns a scalar."""
    if not callable(f):
        raise TypeError(f"f: got {shown(f)}; give a function of one observation, such as lambda x: x**2.")
    shape = () if generator.dim == 1 else (generator.dim,)
    what = "a number" if generator.dim == 1 else f"an array of {generator.dim} numbers"
    try:
        with jax.enable_x64(True):
            out = jax.eval_shape(lambda x: jnp.asarray(f(x)), jax.ShapeDtypeStruct(shape, jnp.float64))
    except Exception as error:
        raise ValueError(f"f: it fails on one observation, {what}: {tracing.failure(error)}.") from error
    if len(out.shape) > 1 or out.shape == (0,):
        raise ValueError(f"f: it turns one observation into shape {out.shape}; return a number or a vector.")
    if not jnp.issubdtype(out.dtype, jnp.floating):
        raise ValueError(
            f"f: it returns {out.dtype.name}; return floating-point numbers, and use cdf for probabilities."
        )
    return out.shape[0] if out.shape else None


def _checked_names(names, count: int | None) -> list[str]:
    if names is None:
        return ["functional"] if count is None else [f"f{k}" for k in range(count)]
    given = [names] if isinstance(names, str) else checked_sequence("names", names, "a text for each number of f")
    is_text = all(isinstance(each, str) and each.isprintable() for each in given)
    if not is_text or len(given) != (count or 1) or len(set(given)) < len(given):
        raise ValueError(f"names: got {shown(names)}; give {count or 1} different texts, one for each number of f.")
    return given


def _told(found: Found, what: str) -> Found:
    """Warn where the simulation's own error is no longer small, and where the law has no such number."""
    if not np.all(np.isfinite(found.params)):
        missing = f"{what}: the fitted law has none that is finite; use quantiles, which every law has."
        warnings.warn(missing, SimulationWarning, stacklevel=4)
    errors = found.bse.to_numpy()
    share = np.divide(found.simulation_error, errors, out=np.zeros_like(errors), where=errors > 0)
    worst = int(np.argmax(share))
    if share[worst] > _NOTABLE:
        warnings.warn(
            f"{what}: the simulation's own error of {found.params.index[worst]} is {share[worst]:.2g} standard errors, "
            "since it rests on few draws far away; an expectation may even be infinite.",
            SimulationWarning,
            stacklevel=4,
        )
    return found


# The points.


def _seed(model) -> int:
    """A seed of its own for the points, which the fit has not seen."""
    return int(np.random.SeedSequence([0xF0, model.seed]).generate_state(1)[0])


def _points(fit: LawFit) -> Points:
    """Draw the points of a fitted law.

    In a regression every observation has some of its own, as many as make up ``POINTS`` and at least four, behind its
    covariates.
    """
    g, model, sample = fit.generator, fit.model, fit.equations.sample
    if g.jumps:
        raise ValueError(
            "functionals: their derivatives are taken draw by draw, and this simulator jumps; compute yours from "
            "result.sample() and its error from result.bootstrap(kind='parametric')."
        )
    theta, seed = np.asarray(fit.solution.theta), _seed(model)
    if not g.covariates:
        z = latents.draw("sobol", g.law, POINTS, g.latent_dim, seed, REPEATS)
        return Points(g, theta, z, np.full(POINTS, 1 / POINTS))
    n = fit.nobs
    each = 2 ** max(2, math.ceil(math.log2(POINTS / n)))
    repeats = max(4, min(REPEATS, 2 * REPEATS * POINTS // (n * each)))  # large samples need fewer for each of theirs
    z = latents.draw("sobol", g.law, each, g.latent_dim, seed, repeats * n + 1)[1:]
    z = z.reshape(repeats, n * each, g.latent_dim)
    x = np.broadcast_to(np.repeat(sample.rows[:, : g.covariates], each, axis=0), (repeats, n * each, g.covariates))
    return Points(g, theta, np.concatenate([x, z], axis=2), np.repeat(sample.weights, each) / each)


def _itself(x):
    return x


def _response(x):
    return x[-1]
