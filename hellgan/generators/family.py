"""What every generator is: named parameters, a map from the real line to their natural values, a draw."""

import abc
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from hellgan.constraints import Constraint
from hellgan.latents import Law

Natural = dict[str, jax.Array]


class Generator(eqx.Module):
    """A family of laws that can be simulated; abstract.

    Attributes
    ----------
    parameters : dict of str to Constraint
        Names and spaces, in the order of reports.
    law : Law
        Law of each latent coordinate.
    latent_dim : int
        Coordinates of one latent draw; 1 means that ``draw`` gets a number.
    dim : int
        Coordinates of one observation; 1 means that ``draw`` returns a number.
    covariates : int
        How many of them, the first, are given rather than simulated. Where there are any, ``draw`` gets a vector,
        the covariates of one observation and then the latent coordinates, and returns the covariates unchanged
        and then the response.
    """

    @property
    @abc.abstractmethod
    def parameters(self) -> dict[str, Constraint]: ...

    @property
    @abc.abstractmethod
    def law(self) -> Law: ...

    @property
    def latent_dim(self) -> int:
        return 1

    @property
    def dim(self) -> int:
        return 1

    @property
    def covariates(self) -> int:
        return 0

    @property
    def sobol_points(self) -> int:
        """How many Sobol points a fit takes unless told otherwise."""
        return 1024

    @property
    def name(self) -> str:
        return type(self).__name__

    @abc.abstractmethod
    def draw(self, z: jax.Array, /, **natural: jax.Array) -> jax.Array:
        """Simulate one observation from one latent draw, () or (latent_dim,); returns () or (dim,)."""

    def start(self, x: np.ndarray, weights: np.ndarray) -> dict[str, np.ndarray] | None:
        """Give robust starting values on the natural scale, or None where the solver shall search.

        ``x`` is (n,) or (n, dim); ``weights`` (n,) sum to 1. A sample that the family cannot have raises
        ``ValueError``.
        """
        return None

    def start_each(self, samples: np.ndarray, weights: np.ndarray) -> np.ndarray | None:
        """Give the starting values of each of R samples, (R, n) or (R, n, dim), on the unconstrained scale: (R, p)."""
        starts = [start for x in samples if (start := self.start(x, weights)) is not None]
        return np.stack([self.theta(**start) for start in starts]) if len(starts) == len(samples) else None

    def unseen(self, m: int, **natural: np.ndarray) -> list[str]:
        """Name the natural numbers (``names``) that m simulated observations say nothing of."""
        return []

    def log_density(self, x: jax.Array, **natural: jax.Array) -> jax.Array:
        """Log density at one observation, for the families that have one."""
        raise TypeError(f"{self.name} has no density in closed form.")

    def fix(self, **values) -> "Fixed":
        """Hold some parameters at given natural values; the same family with fewer parameters."""
        return Fixed.of(self, values)

    # What follows is shared by all and overridden by none.

    @property
    def has_density(self) -> bool:
        """Whether ``log_density`` is there."""
        family = self.generator if isinstance(self, Fixed) else self
        return type(family).log_density is not Generator.log_density

    @property
    def size(self) -> int:
        """p, the length of ``theta``."""
        return sum(space.size for space in self.parameters.values())

    def natural(self, theta: jax.Array) -> Natural:
        """Map ``theta`` (p,) to named natural values."""
        values, at = {}, 0
        for name, space in self.parameters.items():
            values[name] = space.to_natural(theta[at : at + space.size])
            at += space.size
        return values

    def natural_vector(self, theta: jax.Array) -> jax.Array:
        """Map ``theta`` (p,) to the flat vector of natural values that reports show."""
        return jnp.concatenate([jnp.ravel(value) for value in self.natural(theta).values()])

    def theta(self, **natural) -> np.ndarray:
        """Invert ``natural``; raises ``ValueError`` for a missing name or a value outside its space."""
        _check_names(self, natural, missing=True)
        for name, space in self.parameters.items():
            trouble = space.problem(natural[name])
            if trouble:
                raise ValueError(f"{name}: {trouble}; {self.name} needs it {space.description}.")
        return np.concatenate([space.to_free(natural[name]) for name, space in self.parameters.items()])

    def named(self, vector: np.ndarray) -> dict[str, np.ndarray]:
        """Split a flat vector of natural values by parameter: ``natural_vector`` undone."""
        values, at = {}, 0
        for name, space in self.parameters.items():
            values[name] = vector[at : at + space.natural_size].reshape(space.shape)
            at += space.natural_size
        return values

    @property
    def names(self) -> list[str]:
        """Name every natural number, in the order of ``natural_vector``."""
        return [e for name, space in self.parameters.items() for e in space.element_names(name)]

    @property
    def free_names(self) -> list[str]:
        """Name every element of ``theta``: the natural name behind the map to the real line."""
        return [e for name, space in self.parameters.items() for e in space.free_names(name)]

    @property
    def element_spaces(self) -> list[Constraint]:
        """The space of every natural number, in the order of ``names``."""
        return [space for space in self.parameters.values() for _ in range(space.natural_size)]

    def __call__(self, theta: jax.Array, z: jax.Array) -> jax.Array:
        """Simulate one observation at ``theta`` (p,)."""
        return self.draw(z, **self.natural(theta))


class Fixed(Generator):
    """A generator with some of its parameters held at given values; made by ``Generator.fix``."""

    generator: Generator
    values: dict[str, Any]

    @staticmethod
    def of(generator: Generator, values: dict) -> "Fixed":
        _check_names(generator, values, missing=False)
        for name, value in values.items():
            trouble = generator.parameters[name].problem(value)
            if trouble:
                raise ValueError(
                    f"fix: {name} {trouble}; {generator.name} needs it {generator.parameters[name].description}."
                )
        if len(values) == len(generator.parameters):
            raise ValueError("fix: every parameter is fixed; leave at least one to estimate.")
        values = {name: np.asarray(value, np.float64) for name, value in values.items()}
        if isinstance(generator, Fixed):
            return Fixed(generator.generator, {**generator.values, **values})
        return Fixed(generator, values)

    @property
    def parameters(self):
        return {name: s for name, s in self.generator.parameters.items() if name not in self.values}

    @property
    def law(self):
        return self.generator.law

    @property
    def latent_dim(self):
        return self.generator.latent_dim

    @property
    def dim(self):
        return self.generator.dim

    @property
    def covariates(self):
        return self.generator.covariates

    @property
    def sobol_points(self):
        return self.generator.sobol_points

    @property
    def name(self):
        return self.generator.name

    def draw(self, z, /, **natural):
        return self.generator.draw(z, **natural, **self.values)

    def start(self, x, weights):
        start = self.generator.start(x, weights)
        return None if start is None else {name: v for name, v in start.items() if name not in self.values}

    def unseen(self, m, **natural):
        return [name for name in self.generator.unseen(m, **natural, **self.values) if name in self.names]

    def log_density(self, x, **natural):
        return self.generator.log_density(x, **natural, **self.values)


def _check_names(generator, values, missing):
    unknown = [name for name in values if name not in generator.parameters]
    absent = [name for name in generator.parameters if name not in values] if missing else []
    if unknown or absent:
        said = f"{unknown[0]} is not a parameter" if unknown else f"{absent[0]} is missing"
        raise ValueError(f"{generator.name}: {said}; its parameters are {', '.join(generator.parameters)}.")
