"""Covariance and correlation matrices of a fitted law in several dimensions, with the errors of the delta method."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
from jax import lax

from hellgan import constraints
from hellgan.execution import programs
from hellgan.generators.family import Generator
from hellgan.inference.functionals.estimates import Functionals
from hellgan.inference.functionals.functional import Functional, LawFit, Points, simulation_error


class MatrixEstimate(Functionals):
    """A matrix of a fitted law, with standard errors and intervals for its elements.

    The elements on and below the diagonal (of correlations: below it) are ``params``, named as in ``cov[a, b]`` by the
    columns of the data.

    Attributes
    ----------
    matrix : DataFrame
        The estimated matrix (d, d), labelled by the columns of the data.
    """

    def __init__(self, fit: LawFit, functional: "Scatter", columns: list[str]):
        rows, others = functional.elements(len(columns))
        names = [f"{functional.name}[{columns[i]}, {columns[j]}]" for i, j in zip(rows, others, strict=True)]
        super().__init__(fit, functional, names, [functional.space(i, j) for i, j in zip(rows, others, strict=True)])
        self._kind, matrix = functional.name, np.eye(len(columns))
        matrix[rows, others] = matrix[others, rows] = self.params.to_numpy()
        self.matrix = pd.DataFrame(matrix, columns, columns)

    def __array__(self, dtype=None, copy=None):
        return np.array(self.matrix, dtype)

    def __repr__(self):
        return f"<{self._kind} of {self._fit.model!r}:\n{self.matrix}>"


@dataclasses.dataclass(frozen=True, eq=False)
class Scatter(Functional):
    """Covariances of the coordinates of an observation, or their correlations."""

    of: Points
    is_correlation: bool

    @property
    def name(self) -> str:
        return "corr" if self.is_correlation else "cov"

    def elements(self, d: int) -> tuple[np.ndarray, np.ndarray]:
        """Rows and columns of the elements that are estimated."""
        return np.tril_indices(d, -1 if self.is_correlation else 0)

    def space(self, i: int, j: int) -> constraints.Constraint:
        if self.is_correlation:
            return constraints.interval(-1, 1)
        return constraints.positive() if i == j else constraints.real()

    @functools.cached_property
    def _each(self) -> tuple[np.ndarray, np.ndarray]:
        of = self.of
        return _of_samples(of.generator, of.theta, of.z, of.weights, self.is_correlation)

    def local(self):
        values, slopes = self._each
        return values.mean(axis=0), slopes.mean(axis=0), simulation_error(values)

    def at(self, thetas):
        of, own = self.of, self._each[0].mean(axis=0) - self._each[0][0]

        def first(group):
            return _of_thetas(of.generator, group, of.z[0], of.weights, self.is_correlation)

        return programs.in_blocks(first, thetas, most=8, least=8) + own[None]


@dataclasses.dataclass(frozen=True, eq=False)
class Spread(Functional):
    """Variances of the coordinates of an observation, or their standard deviations."""

    scatter: Scatter  # of covariances
    d: int
    is_root: bool

    def _diagonal(self, elements: np.ndarray) -> np.ndarray:
        rows, others = self.scatter.elements(self.d)
        return elements[..., rows == others]

    def local(self):
        values, slopes, errors = self.scatter.local()
        on = self._diagonal(np.arange(len(values)))
        factor = 0.5 / np.sqrt(values[on]) if self.is_root else np.ones(self.d)
        return self._rooted(values[on]), slopes[on] * factor[:, None], errors[on] * factor

    def _rooted(self, variances):
        return np.sqrt(variances) if self.is_root else variances

    def at(self, thetas):
        return self._rooted(self._diagonal(self.scatter.at(thetas)))


def _scatter(generator: Generator, theta, z, weights, is_correlation):
    """Elements (k,) of the covariance or correlation matrix of simulated observations."""
    x = jax.vmap(lambda draw: generator(theta, draw))(z)
    centred = x - (weights @ x)[None]
    cov = (weights[:, None] * centred).T @ centred
    if is_correlation:
        scale = jnp.sqrt(jnp.diag(cov))
        cov = cov / jnp.outer(scale, scale)
    return cov[np.tril_indices(x.shape[1], -1 if is_correlation else 0)]


@functools.partial(programs.program, static_argnames="is_correlation")
def _of_samples(generator, theta, z, weights, is_correlation):
    """Elements over each of S samples z (S, m, k), (S, k), and their derivatives in theta, (S, k, p)."""

    def of_sample(z):
        def twice(theta):
            elements = _scatter(generator, theta, z, weights, is_correlation)
            return elements, elements

        slopes, elements = jax.jacfwd(twice, has_aux=True)(theta)
        return elements, slopes

    return lax.map(of_sample, z)


@functools.partial(programs.program, static_argnames="is_correlation")
def _of_thetas(generator, thetas, z, weights, is_correlation):
    """Elements (R, k) over one sample at each of R parameters."""
    return lax.map(lambda theta: _scatter(generator, theta, z, weights, is_correlation), thetas)
