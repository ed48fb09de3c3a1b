"""The discriminators by name, the default, and specifications as JSON."""

import dataclasses

from hellgan.checks import shown
from hellgan.discriminators.moments import RedescendingMoments
from hellgan.discriminators.regression import ResidualSigmoids
from hellgan.discriminators.scores import Scores
from hellgan.discriminators.specification import Discriminator
from hellgan.discriminators.specifications import (
    MLP,
    GaussianBumps,
    Polynomial,
    RandomFeatures,
    Sigmoids,
    Splines,
)
from hellgan.generators import catalogue
from hellgan.generators.family import Generator


def default(generator: Generator) -> Discriminator:
    """Choose the default discriminator of a generator.

    A regression gets sigmoids of residuals, an elliptical law in several dimensions redescending moments; any other
    generator gets 16 sigmoids in one dimension, and fewer for each direction in several.
    """
    d = generator.dim
    if generator.covariates:
        return ResidualSigmoids()
    if d > 1 and generator.is_elliptical:
        return RedescendingMoments()
    return Sigmoids(16) if d == 1 else Sigmoids(4 if d <= 4 else 2)


_CATALOGUE = {
    c.__name__: c
    for c in (
        Polynomial,
        Sigmoids,
        Splines,
        GaussianBumps,
        RandomFeatures,
        RedescendingMoments,
        ResidualSigmoids,
        Scores,
        MLP,
    )
}


def make(name: str, **arguments) -> Discriminator:
    """Build a discriminator from the name and the arguments that ``recipe`` gives."""
    if name not in _CATALOGUE:
        raise ValueError(f"discriminator: {shown(name)} is not known; give one of {', '.join(_CATALOGUE)}.")
    if isinstance(arguments.get("generator"), dict):
        arguments["generator"] = catalogue.rebuild(**arguments["generator"])
    return _CATALOGUE[name](**arguments)


def recipe(discriminator: Discriminator) -> dict | None:
    """Describe a discriminator of this package by name and arguments; None where a function is part of it."""
    if _CATALOGUE.get(type(discriminator).__name__) is not type(discriminator):
        return None
    arguments = {f.name: getattr(discriminator, f.name) for f in dataclasses.fields(discriminator)}
    for name, value in arguments.items():
        if isinstance(value, Generator):
            arguments[name] = catalogue.recipe(value)
            if arguments[name] is None:
                return None
    return {"name": type(discriminator).__name__, **arguments}


def checked_discriminator(discriminator, generator: Generator) -> Discriminator:
    """Return a specification of a discriminator, or refuse what is none."""
    if isinstance(discriminator, Scores) and generator.covariates:
        raise ValueError(
            "discriminator: Scores has none for a law given covariates; give ResidualSigmoids(), or Features(...) of "
            "your own."
        )
    if isinstance(discriminator, Discriminator):
        return discriminator
    raise TypeError(
        f"discriminator: got {shown(discriminator)}; give an instance such as hg.discriminators.Sigmoids(16), or None."
    )
