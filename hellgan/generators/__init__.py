"""Generators G_theta: simulators with named parameters.

A generator is written for one latent draw and one observation, and has no parameters of its own: the flat vector
``theta`` holds them on the unconstrained scale, ``natural(theta)`` by name on the natural scale.
"""

from hellgan.generators.catalogue import checked_generator, make, names, rebuild, recipe
from hellgan.generators.family import Fixed, Generator
from hellgan.generators.heavy_tailed import AlphaStable, GAndK
from hellgan.generators.location_scale import Cauchy, Laplace, LocationScale, Logistic, Normal, StudentT, Uniform
from hellgan.generators.mixture import NormalMixture
from hellgan.generators.multivariate import MultivariateNormal, MultivariateStudentT
from hellgan.generators.positive import Exponential, Gamma, LogNormal, Weibull
from hellgan.generators.regression import LinearRegression
from hellgan.generators.simulator import Simulator, generator

__all__ = [
    "AlphaStable",
    "Cauchy",
    "Exponential",
    "Fixed",
    "GAndK",
    "Gamma",
    "Generator",
    "Laplace",
    "LinearRegression",
    "LocationScale",
    "LogNormal",
    "Logistic",
    "MultivariateNormal",
    "MultivariateStudentT",
    "Normal",
    "NormalMixture",
    "Simulator",
    "StudentT",
    "Uniform",
    "Weibull",
    "checked_generator",
    "generator",
    "make",
    "names",
    "rebuild",
    "recipe",
]
