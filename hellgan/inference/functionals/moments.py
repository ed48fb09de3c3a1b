"""Mean, variance and standard deviation of a law on the line in closed form, by the family's own formulas."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from hellgan.execution import programs
from hellgan.generators.family import Generator
from hellgan.inference.functionals.functional import Functional

KINDS = ("mean", "var", "std")


def _all(generator: Generator, theta):
    found = generator.moments(**generator.natural(theta))
    assert found is not None
    mean, variance = found
    return jnp.stack([jnp.asarray(each, theta.dtype) for each in (mean, variance, jnp.sqrt(variance))])


@programs.program
def _local(generator: Generator, theta):
    return _all(generator, theta), jax.jacfwd(lambda theta: _all(generator, theta))(theta)


@programs.program
def _each(generator: Generator, thetas):
    return lax.map(lambda theta: _all(generator, theta), thetas)


@dataclasses.dataclass(frozen=True, eq=False)
class ClosedMoment(Functional):
    """One of ``KINDS`` of a family that has moments in closed form; not finite where the law has none."""

    generator: Generator
    theta: np.ndarray
    kind: str

    def local(self):
        k = KINDS.index(self.kind)
        values, slopes = _local(self.generator, self.theta)
        slope = slopes[k] if np.isfinite(values[k]) else np.full(len(self.theta), np.nan)
        return values[[k]], slope[None], np.zeros(1)

    def at(self, thetas):
        found = programs.in_blocks(lambda each: _each(self.generator, each), thetas)
        return found[:, [KINDS.index(self.kind)]]
