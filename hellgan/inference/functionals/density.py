"""Densities of a law at points: by the family's own formula, else by change of variable where a draw is monotone."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from hellgan.execution import programs
from hellgan.generators.family import Generator
from hellgan.inference.functionals.functional import Functional
from hellgan.inference.functionals.line import Line, Probabilities

_GROUP = 64  # parameters a call


@programs.program
def _by_formula(generator: Generator, theta, rows):
    """Densities (k,) at rows (k, d), and their derivatives in theta, (k, p)."""

    def density(theta, row):
        return jnp.exp(generator.log_density_at(theta, row))

    return jax.vmap(lambda row: (density(theta, row), jax.jacfwd(density)(theta, row)))(rows)


@programs.program
def _each_by_formula(generator: Generator, thetas, rows):
    def at(theta):
        return jax.vmap(lambda row: jnp.exp(generator.log_density_at(theta, row)))(rows)

    return lax.map(at, thetas)


@programs.program
def _by_change(generator: Generator, theta, z):
    """Densities (k,) of G(theta, z) at latent numbers (k,), and their derivatives in theta where G is held, (k, p)."""

    def draw(theta, z):
        return generator(theta, z[None])[0]

    def log_density(theta, z):
        return generator.law.log_density(z) - jnp.log(jnp.abs(jax.grad(draw, argnums=1)(theta, z)))

    def of_point(z):
        in_theta, in_z = jax.jacfwd(log_density, argnums=(0, 1))(theta, z)
        d_theta, d_z = jax.grad(draw, argnums=(0, 1))(theta, z)
        value = jnp.exp(log_density(theta, z))
        return value, value * (in_theta - in_z / d_z * d_theta)  # where G stays at the point, z moves

    return jax.vmap(of_point)(z)


@dataclasses.dataclass(frozen=True, eq=False)
class Densities(Functional):
    """Values of the density at ``rows`` (k, d); of a law without a formula by its ``line``."""

    generator: Generator
    theta: np.ndarray
    rows: np.ndarray
    line: Line | None

    axes: tuple[str, str] = ("x", "density")

    @property
    def points(self):  # pyright: ignore[reportIncompatibleVariableOverride]
        return self.rows[:, 0] if self.rows.shape[1] == 1 else None

    def local(self):
        if self.line is None:
            values, gradient = _by_formula(self.generator, self.theta, self.rows)
        else:
            values, gradient = self._changed(self.line, self.theta, self.line.direction)
        return values, np.where(values[:, None] > 0, gradient, 0.0), np.zeros(len(values))

    def at(self, thetas):
        if self.line is None:
            of = self.generator
            return programs.in_blocks(lambda each: _each_by_formula(of, each, self.rows), thetas, most=_GROUP)
        directions = self.line.directions(thetas)
        if directions is None:
            return np.full((len(thetas), len(self.rows)), np.nan)
        pairs = zip(thetas, directions, strict=True)
        return np.stack([self._changed(self.line, theta, direction)[0] for theta, direction in pairs])

    def _changed(self, line: Line, theta, direction) -> tuple[np.ndarray, np.ndarray]:
        t = self.rows[:, 0]
        levels = Probabilities(line, t).levels(theta[None], np.array([direction]))[0]
        inside = (levels > 0) & (levels < 1)
        u = np.where(inside, levels, 0.5)
        u = u if direction > 0 else 1 - u
        values, gradient = _by_change(self.generator, theta, self.generator.law.quantile(u))
        width = np.divide(1.0, values, out=np.full_like(values, np.inf), where=values > 0)
        # In a gap of the support there is no density.
        inside &= np.abs(line.observe(theta[None], u[None])[0] - t) <= 1e-6 * np.maximum(np.abs(t), width)
        return np.where(inside, values, 0.0), np.where(inside[:, None], gradient, 0.0)
