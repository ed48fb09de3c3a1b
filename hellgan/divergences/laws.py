"""What may stand for a law: a scipy distribution, a family with its parameters, a log density, a mixture."""

import dataclasses
import functools

import jax
import numpy as np

from hellgan import latents
from hellgan.checks import numbers, shown
from hellgan.divergences.quadrature import LEVELS, Density, in_buckets, integrate, quantiles, tidy
from hellgan.execution import programs
from hellgan.generators import Generator


def density(law, *, support=None, points=None) -> Density:
    """Turn a description of a one-dimensional law into a ``Density``.

    Parameters
    ----------
    law : Density, frozen scipy distribution, (generator, parameters) or callable
        A pair holds a generator of one dimension that has a density and a dict of its parameters on the
        natural scale. A callable is a normalised log density, elementwise in NumPy or ``jax.numpy``.
    support : (float, float), optional
        For a callable, which needs it: the interval of all its mass; may be infinite.
    points : array, optional
        For a callable: where its mass lies and where it has kinks; needed where that is narrow or far from 0.

    Returns
    -------
    Density

    Raises
    ------
    TypeError
        For anything else.
    ValueError
        For a generator without a density, parameters outside their space, or a callable that does not
        integrate to 1 over its support.

    Examples
    --------
    >>> import hellgan as hg
    >>> law = hg.divergences.density((hg.generators.Exponential(), {"scale": 2.0}))
    >>> law.support
    (0.0, inf)
    """
    return law_of(law, "law", support, points)


def mixture(weights, parts) -> Density:
    """Mix laws: the density ``sum_j weights_j part_j``.

    Parameters
    ----------
    weights : sequence of float
        Positive, of sum 1.
    parts : sequence
        As many laws, each anything that ``density`` takes.

    Returns
    -------
    Density

    Raises
    ------
    ValueError
        For weights that are not positive, do not sum to 1, or are not as many as the parts.
    TypeError
        For a part that is no law.
    """
    if not isinstance(parts, (list, tuple)):
        raise TypeError(f"parts: got {shown(parts)}; give a list of laws.")
    laws = [law_of(part, f"parts[{j}]") for j, part in enumerate(parts)]
    try:
        weights = numbers(weights)
    except (TypeError, ValueError):
        raise TypeError(f"weights: got {shown(weights)}; give a positive number for each part.") from None
    if weights.shape != (len(laws),) or not laws:
        raise ValueError(f"weights: shape {weights.shape} for {len(laws)} parts; give one weight for each part.")
    if not (np.all(weights > 0) and np.isclose(weights.sum(), 1.0, rtol=1e-9)):
        raise ValueError(f"weights: {weights.tolist()}; give positive weights that sum to 1.")

    def log_density(x):
        return np.logaddexp.reduce([np.log(w) + law.log_density(x) for w, law in zip(weights, laws, strict=True)])

    lower, upper = zip(*(law.support for law in laws), strict=True)
    return Density(log_density, (min(lower), max(upper)), tidy(*(law.points for law in laws)))


def law_of(law, name, support=None, points=None) -> Density:
    """Make a ``Density`` of what may stand for a law; ``name`` is the argument that error messages name."""
    is_function = callable(law) and not _is_distribution(law) and not isinstance(law, Generator)
    if not is_function and (support is not None or points is not None):
        raise TypeError(f"{name}: support and points describe a log-density function; a {_kind(law)} has its own.")
    if isinstance(law, Density):
        return law
    if isinstance(law, tuple) and len(law) == 2 and isinstance(law[0], Generator) and isinstance(law[1], dict):
        check_family(law[0], name)
        return family_law(law[0], law[0].theta(**law[1]))
    if _is_distribution(law):
        return _of_distribution(law)
    if is_function and not isinstance(law, type) and not hasattr(law, "freeze"):
        return _of_function(law, name, support, points)
    raise TypeError(
        f"{name}: got a {_kind(law)}; give a frozen scipy distribution such as scipy.stats.norm(0, 1), a "
        "pair (generator, parameters), or what hg.divergences.mixture or hg.divergences.density makes."
    )


def _kind(thing):
    return type(thing).__name__


def _is_distribution(law):
    has_quantiles = hasattr(law, "ppf") or hasattr(law, "icdf")
    return has_quantiles and hasattr(law, "logpdf") and hasattr(law, "support") and not hasattr(law, "freeze")


def _of_distribution(law) -> Density:
    lower, upper = law.support()
    quantile = law.ppf if hasattr(law, "ppf") else law.icdf

    def log_density(x):
        with np.errstate(all="ignore"):
            return np.asarray(law.logpdf(x), np.float64)

    with np.errstate(all="ignore"):
        points = tidy(quantile(LEVELS), [lower, upper])
    return Density(log_density, (float(lower), float(upper)), points)


def family_law(generator: Generator, theta: np.ndarray) -> Density:
    """Make a ``Density`` of a family's law at theta (p,); the draw must be monotone in its one latent number."""

    def log_density(x):
        return in_buckets(functools.partial(_generator_log_density, generator, theta), x)

    places = _generator_draws(generator, theta, _latent_levels(generator.law))
    support = float(places.min()), float(places.max())
    return Density(log_density, support, tidy(places))


@functools.lru_cache(maxsize=64)
def _latent_levels(law: latents.Law) -> np.ndarray:
    with np.errstate(all="ignore"):
        return law.quantile(np.concatenate([[0.0], LEVELS, [1.0]]))


@programs.program
def _generator_log_density(generator, theta, x):
    natural = generator.natural(theta)
    return jax.vmap(lambda x: generator.log_density(x, **natural))(x)


@programs.program
def _generator_draws(generator, theta, z):
    natural = generator.natural(theta)
    return jax.vmap(lambda z: generator.draw(z, **natural))(z)


def _of_function(function, name, support, points) -> Density:
    if support is None:
        raise ValueError(
            f"{name}: a log-density function needs its support; use hg.divergences.density(f, support=...)."
        )
    lower, upper = (float(end) for end in support)
    if not lower < upper:
        raise ValueError(f"support: got ({lower:g}, {upper:g}); give two ends, the lower one first.")
    ends = [end for end in (lower, upper) if np.isfinite(end)]
    if points is None:
        middle = ends[0] if len(ends) == 1 else sum(ends) / 2
        points = [middle - 1.0, middle, middle + 1.0] if len(ends) < 2 else [middle]
    places = np.concatenate([np.ravel(np.asarray(points, np.float64)), ends])
    places = tidy(places[(places >= lower) & (places <= upper)])
    if places.size < 2:
        raise ValueError("points: give at least two different points inside the support, where the mass lies.")
    inside = (places[0] + places[1]) / 2

    def log_density(x):
        is_in = (x > lower) & (x < upper)
        with jax.enable_x64(True), np.errstate(all="ignore"):
            values = in_buckets(function, np.where(is_in, x, inside))
        return np.where(is_in, values, -np.inf)

    _check_elementwise(function, name, inside)
    rough = Density(log_density, (lower, upper), places)
    try:
        total = integrate(lambda x: np.exp(log_density(x)), rough)[1].sum()
    except ArithmeticError as error:
        raise ValueError(f"{name}: {error}; give a log density that can be integrated over its support.") from error
    if not abs(total - 1) < 1e-6:
        raise ValueError(
            f"{name}: the density integrates to {total:.6g} over its support; give a normalised one, and "
            "points where its mass lies."
        )
    return dataclasses.replace(rough, points=tidy(places, quantiles(rough, LEVELS)))


def _check_elementwise(function, name, x):
    try:
        with jax.enable_x64(True), np.errstate(all="ignore"):
            shape = np.shape(function(np.full(3, x)))
    except Exception as error:
        raise ValueError(
            f"{name}: the log density fails on an array ({type(error).__name__}: {error}); write it "
            "elementwise with numpy or jax.numpy."
        ) from error
    if shape != (3,):
        raise ValueError(f"{name}: the log density of 3 points has shape {shape}; write it elementwise.")


def check_family(family, name):
    """Refuse what is not a tractable one-dimensional family."""
    if not isinstance(family, Generator):
        raise TypeError(f"{name}: got {shown(family)}; give a generator such as hg.generators.Normal().")
    if not family.has_density:
        raise ValueError(f"{name}: {family.name} has no density in closed form; give a family that has one.")
    if family.dim != 1 or family.latent_dim != 1:
        raise ValueError(
            f"{name}: {family.name} draws {family.dim} numbers from {family.latent_dim}; divergences are "
            "computed for families that draw one number from one."
        )
