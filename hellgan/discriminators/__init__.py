"""Discriminators: parametric models of the log density ratio v_alpha(x).

What a user writes is a specification (``Sigmoids(16)``). Placed on a sample it becomes a *basis*: knots and
scales taken from the data's quantiles, so that fits are equivariant under shifts and rescalings. A basis is linear
in alpha, v = alpha . features(x) with a constant first feature; only ``MLP`` is not.
"""

from hellgan.discriminators.basis import Basis
from hellgan.discriminators.catalogue import checked_discriminator, default, make, recipe
from hellgan.discriminators.features import (
    Bumps,
    Listed,
    ModelScores,
    Monomials,
    PiecewisePolynomials,
    ProjectedSigmoids,
)
from hellgan.discriminators.moments import Redescending, RedescendingMoments
from hellgan.discriminators.network import Network
from hellgan.discriminators.regression import Residuals, ResidualSigmoids
from hellgan.discriminators.scores import Scores
from hellgan.discriminators.specification import Discriminator
from hellgan.discriminators.specifications import (
    MLP,
    Features,
    GaussianBumps,
    Polynomial,
    RandomFeatures,
    Sigmoids,
    Splines,
)

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
    "ProjectedSigmoids",
    "RandomFeatures",
    "Redescending",
    "RedescendingMoments",
    "ResidualSigmoids",
    "Residuals",
    "Scores",
    "Sigmoids",
    "Splines",
    "checked_discriminator",
    "default",
    "make",
    "recipe",
]
