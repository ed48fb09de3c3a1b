"""Discriminators: parametric models of the log density ratio v_alpha(x).

What a user writes is a specification (``Sigmoids(16)``). Placed on a sample it becomes a *basis*: knots and
scales taken from the data's quantiles, so that fits are equivariant under shifts and rescalings. A basis is linear
in alpha, v = alpha . features(x) with a constant first feature; only ``MLP`` is not.
"""

import dataclasses

from hellgan import generators
from hellgan.discriminators.bases import (
    Basis,
    Bumps,
    Listed,
    ModelScores,
    Monomials,
    Network,
    PiecewisePolynomials,
    Ridges,
)
from hellgan.discriminators.placement import Discriminator
from hellgan.discriminators.regression import Residuals, ResidualSigmoids
from hellgan.discriminators.scores import Scores
from hellgan.discriminators.specifications import (
    MLP,
    Features,
    GaussianBumps,
    Polynomial,
    RandomFeatures,
    Sigmoids,
    Splines,
)
from hellgan.generators import Generator

__all__ = [
    "MLP",
    "Basis",
    "Bumps",
    "Discriminator",
    "Features",
    "GaussianBumps",
    "Listed",
    "ModelScores",
    "Monomials",
    "Network",
    "PiecewisePolynomials",
    "Polynomial",
    "RandomFeatures",
    "ResidualSigmoids",
    "Residuals",
    "Ridges",
    "Scores",
    "Sigmoids",
    "Splines",
    "default",
    "make",
    "recipe",
]


def default(d: int) -> Discriminator:
    """Choose the default: 16 sigmoids in one dimension, fewer a direction in several."""
    return Sigmoids(16) if d == 1 else Sigmoids(max(2, 6 - d))


_CATALOGUE = {
    c.__name__: c for c in (Polynomial, Sigmoids, Splines, GaussianBumps, RandomFeatures, ResidualSigmoids, Scores, MLP)
}


def make(name: str, **arguments) -> Discriminator:
    """Build a discriminator from what ``recipe`` wrote."""
    if name not in _CATALOGUE:
        raise ValueError(f"discriminator: {name!r} is not known; give one of {', '.join(_CATALOGUE)}.")
    if isinstance(arguments.get("generator"), dict):
        arguments["generator"] = generators.rebuild(**arguments["generator"])
    return _CATALOGUE[name](**arguments)


def recipe(discriminator: Discriminator) -> dict | None:
    """Describe a discriminator of this package by name and arguments; None where a function is part of it."""
    if _CATALOGUE.get(type(discriminator).__name__) is not type(discriminator):
        return None
    arguments = {f.name: getattr(discriminator, f.name) for f in dataclasses.fields(discriminator)}
    for name, value in arguments.items():
        if isinstance(value, Generator):
            arguments[name] = generators.recipe(value)
            if arguments[name] is None:
                return None
    return {"name": type(discriminator).__name__, **arguments}
