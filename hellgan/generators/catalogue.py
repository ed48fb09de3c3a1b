"""The families by name, and generators as JSON: what a saved fit, a study or the command line says of one."""

import dataclasses
import inspect
import re

from hellgan.checks import shown
from hellgan.generators.family import Fixed, Generator, checked
from hellgan.generators.heavy_tailed import AlphaStable, GAndK, StudentTWithDf
from hellgan.generators.location_scale import Cauchy, Laplace, LocationScale, Logistic, Normal, StudentT, Uniform
from hellgan.generators.mixture import NormalMixture
from hellgan.generators.multivariate import MultivariateNormal, MultivariateStudentT
from hellgan.generators.positive import Exponential, Gamma, LogNormal, Weibull
from hellgan.generators.regression import LinearRegression


def names() -> tuple[str, ...]:
    """List the families by name."""
    return tuple(_FAMILIES)


_FAMILIES = {
    f.__name__: f
    for f in (
        Normal,
        Laplace,
        Logistic,
        StudentT,
        Cauchy,
        Exponential,
        LogNormal,
        Gamma,
        Weibull,
        Uniform,
        GAndK,
        AlphaStable,
        NormalMixture,
        MultivariateNormal,
        MultivariateStudentT,
        LinearRegression,
    )
}


def make(family: str, **arguments) -> Generator:
    """Build a family from its name, capitals or not; raises ``ValueError`` for a name that is not known."""
    if not isinstance(family, str):
        raise TypeError(f"generator: got {shown(family)}; give the name of a family, one of {', '.join(_FAMILIES)}.")
    by_key = {key(name): make for name, make in _FAMILIES.items()}
    if key(family) not in by_key:
        raise ValueError(f"generator: {shown(family)} is not known; give one of {', '.join(_FAMILIES)}.")
    found = by_key[key(family)]
    try:
        inspect.signature(found).bind(**arguments)
    except TypeError as error:
        raise ValueError(f"generator: {family}: {error}; it takes {', '.join(_taken(found)) or 'none'}.") from None
    return found(**arguments)


def key(family: str) -> str:
    """Reduce a family's name to what counts: its letters, small."""
    return re.sub(r"[\s_-]", "", family).lower()


def _taken(make) -> list[str]:
    return list(inspect.signature(make).parameters)


def checked_generator(generator) -> Generator:
    """Return a generator, or the family of that name; refuse what is neither."""
    return make(generator) if isinstance(generator, str) else checked(generator)


def rebuild(family: str, arguments: dict, fixed: dict) -> Generator:
    """Build a generator from what ``recipe`` wrote."""
    generator = make(family, **arguments)
    return generator.fix(**fixed) if fixed else generator


def recipe(generator: Generator) -> dict | None:
    """Describe a family of this module by what ``make`` and ``fix`` need; None for any other generator."""
    if isinstance(generator, Fixed):
        family = recipe(generator.generator)
        fixed = {name: value.tolist() for name, value in generator.values.items()}
        return None if family is None else {**family, "fixed": fixed}
    if isinstance(generator, LocationScale):
        return {"family": generator.family, "arguments": dict(generator.arguments), "fixed": {}}
    if isinstance(generator, StudentTWithDf):
        return {"family": "StudentT", "arguments": {}, "fixed": {}}
    if _FAMILIES.get(type(generator).__name__) is type(generator):
        arguments = {f.name: getattr(generator, f.name) for f in dataclasses.fields(generator)}
        return {"family": type(generator).__name__, "arguments": arguments, "fixed": {}}
    return None
