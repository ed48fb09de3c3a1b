"""What every generator is: named parameters and a draw."""

import abc
from collections.abc import Collection, Mapping
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from hellgan.checks import shown
from hellgan.functions import require_unchanged
from hellgan.latents import Law
from hellgan.parameters import ParameterSpace, check_names


class Generator(ParameterSpace):
    """A family of laws that can be simulated; abstract.

    Attributes
    ----------
    law : Law
        Law of each latent coordinate.
    latent_dim : int
        Coordinates of one latent draw; 1 means that ``draw`` gets a number.
    dim : int
        Coordinates of one observation; 1 means that ``draw`` returns a number.
    covariates : int
        How many coordinates of an observation, the first, are given rather than simulated. Where there are any,
        ``draw`` gets a vector, the covariates of one observation and then the latent coordinates, and returns the
        covariates unchanged and then the response.
    """

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
    def is_positive(self) -> bool:
        """Whether observations are positive numbers by construction."""
        return False

    @property
    def linear(self) -> Any:
        """The linear model of a response, a ``LinearRegression``, where the generator is one; else None."""
        return None

    @property
    def held(self) -> dict[str, Any]:
        """Natural values of the parameters that are held, by name."""
        return {}

    @property
    def is_elliptical(self) -> bool:
        """Whether the law has location and scatter and, after whitening, no direction."""
        return False

    @property
    def edges(self) -> dict[str, str]:
        """What the law is where a parameter runs to the edge of its space, in words, by the parameter's name."""
        return {}

    @property
    def may_jump(self) -> bool:
        """Whether draws may be discontinuous in the parameters, so that slopes at a solution are to be checked."""
        return False

    @property
    def sobol_points(self) -> int:
        """How many Sobol points a fit takes unless told otherwise."""
        return 1024

    @property
    def mirrored(self) -> int:
        """How many latent coordinates, the last, every draw shares with another but for their sign about the middle."""
        return 0

    @property
    def jumps(self) -> bool:
        """Whether draws are said to be discontinuous in the parameters, so that a game smooths them."""
        return False

    @property
    def in_game(self) -> "Generator":
        """The generator that a game simulates: this one, or one of the same law whose draws carry weights."""
        return self

    @property
    def is_weighted(self) -> bool:
        """Whether draws carry weights that depend on the parameters."""
        return False

    @property
    def weighs_ratios(self) -> bool:
        """Whether only the ratios of weights mean anything, so that their sum is made 1."""
        return False

    def weight(self, z: jax.Array, /, *args: Any, **natural: Any) -> jax.Array:
        """Weight of the observation that ``draw`` gives, (), with mean 1 over the latent law; 1 unless weighted."""
        return jnp.ones((), z.dtype)

    @abc.abstractmethod
    def draw(self, z: jax.Array, /, *args: Any, **natural: Any) -> jax.Array:
        """Simulate one observation from one latent draw, () or (latent_dim,); returns () or (dim,)."""

    def start(self, x: np.ndarray, weights: np.ndarray) -> Mapping[str, Any] | None:
        """Give robust starting values on the natural scale, or None where the solver shall search.

        ``x`` is (n,) or (n, dim); ``weights`` (n,) sum to 1. A sample that the family cannot have raises
        ``ValueError``.
        """
        return None

    def start_each(self, samples: np.ndarray, weights: np.ndarray) -> np.ndarray | None:
        """Give the starting values of each of R samples, (R, n) or (R, n, dim), on the unconstrained scale: (R, p)."""
        starts = [start for x in samples if (start := self.start(x, weights)) is not None]
        return np.stack([self.theta(**start) for start in starts]) if len(starts) == len(samples) else None

    def log_density(self, x: jax.Array, /, *args: Any, **natural: Any) -> jax.Array:
        """Log density at one observation, for the families that have one."""
        raise TypeError(f"{self.name} has no density in closed form.")

    def moments(self, *args: Any, **natural: Any) -> tuple[Any, Any] | None:
        """Mean and variance of an observation on the line at natural values, for the families with closed forms.

        Infinite or NaN, where the law has none; None for a family without closed forms.
        """
        return None

    def bound_to(self, columns: list[str] | None, shape: tuple[int, ...]) -> "Generator":
        """Give the family for data of this shape, their columns so named; the same unless it depends on them."""
        return self

    def for_design(self, covariates: list[str], has_intercept: bool) -> "Generator":
        """Give the generator for what a formula makes of a frame; refuses one with another number of covariates."""
        if self.covariates != len(covariates):
            raise ValueError(
                f"generator: the formula makes {len(covariates)} covariates ({', '.join(covariates)}), "
                f"{self.name} takes {self.covariates}; give one that takes as many."
            )
        return self

    def frame(self, rows: np.ndarray, held: Collection[str] = ()) -> np.ndarray | None:
        """Coordinates of theta, (p, p), in which rows (n, d) make no direction weak; None where theta's own are.

        Parameters whose names are ``held`` are no part of theta.
        """
        return None

    def check_rows(self, rows: np.ndarray) -> None:
        """Refuse observations (n, dim) that cannot tell the parameters apart, in one sentence."""

    def fix(self, **values) -> "Fixed":
        """Hold some parameters at given natural values; returns the family with the others.

        Raises
        ------
        ValueError
            For a name that is no parameter, a value outside its space, or where no parameter is left.
        """
        return Fixed.of(self, values)

    # The methods below are for all families alike. Authors of families write for numbers where an observation, or a
    # latent draw, has one coordinate; the core knows rows only.

    @property
    def has_density(self) -> bool:
        family = self.generator if isinstance(self, Fixed) else self
        return type(family).log_density is not Generator.log_density

    def held_besides(self, other):
        if not isinstance(other, Generator):
            return {}
        mine, its = (of.generator if isinstance(of, Fixed) else of for of in (self, other))
        before, after = self.held, other.held
        kept = all(name in after and np.array_equal(after[name], value) for name, value in before.items())
        if not (eqx.tree_equal(mine, its) and kept):
            return {}
        return {name: value for name, value in after.items() if name not in before}

    def squeezed(self, rows):
        """Rows (..., dim) as authors and users write them: numbers (...) where there is one coordinate."""
        return rows[..., 0] if self.dim == 1 else rows

    def __call__(self, theta: jax.Array, z: jax.Array) -> jax.Array:
        """Simulate the row (dim,) of one latent draw, (latent_dim,), behind its covariates where there are some."""
        draw = z[0] if z.shape[0] == 1 else z
        return jnp.reshape(self.draw(draw, **self.natural(theta)), (self.dim,))

    def weight_at(self, theta: jax.Array, z: jax.Array) -> jax.Array:
        """Weight of the row of one latent draw, (latent_dim,): ()."""
        return self.weight(z[0] if z.shape[0] == 1 else z, **self.natural(theta))

    def log_density_at(self, theta: jax.Array, row: jax.Array) -> jax.Array:
        """Log density at one row (dim,)."""
        return self.log_density(self.squeezed(row), **self.natural(theta))

    def starts(self, samples: np.ndarray, weights: np.ndarray) -> np.ndarray | None:
        """Robust starting values (R, p) for samples (R, n, dim), unconstrained scale; None where there are none."""
        return self.start_each(self.squeezed(samples), weights)


def checked(generator) -> Generator:
    """Return a generator, or refuse what is none."""
    if isinstance(generator, Generator):
        require_unchanged(generator)
        return generator
    if isinstance(generator, type) or callable(generator):
        raise TypeError(
            f"generator: got {shown(getattr(generator, '__name__', generator))}, not an instance; give "
            "hg.generators.Normal() with its parentheses, or decorate your function with @hg.generator(...)."
        )
    raise TypeError(
        f"generator: got {type(generator).__name__}; give a family of hg.generators, its name, or an @hg.generator."
    )


class Fixed(Generator):
    """A generator with some of its parameters held at given values; made by ``Generator.fix``."""

    generator: Generator
    values: dict[str, Any]

    @staticmethod
    def of(generator: Generator, values: dict) -> "Fixed":
        check_names(generator, values, missing=False)
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
    def is_positive(self):
        return self.generator.is_positive

    @property
    def linear(self):
        return self.generator.linear

    @property
    def held(self):
        return self.values

    @property
    def is_elliptical(self):
        return self.generator.is_elliptical

    @property
    def edges(self):
        return self.generator.edges

    @property
    def may_jump(self):
        return self.generator.may_jump

    def frame(self, rows, held=()):
        return self.generator.frame(rows, (*held, *self.values))

    @property
    def sobol_points(self):
        return self.generator.sobol_points

    @property
    def jumps(self):
        return self.generator.jumps

    @property
    def in_game(self):
        of = self.generator.in_game
        return self if of is self.generator else Fixed(of, self.values)

    @property
    def is_weighted(self):
        return self.generator.is_weighted

    @property
    def name(self):
        return self.generator.name

    def draw(self, z, /, **natural):
        return self.generator.draw(z, **natural, **self.values)

    def weight(self, z, /, **natural):
        return self.generator.weight(z, **natural, **self.values)

    def bound_to(self, columns, shape):
        self.generator.bound_to(columns, shape)  # refuses columns in another order
        return self

    def check_rows(self, rows):
        self.generator.check_rows(rows)

    def start(self, x, weights):
        start = self.generator.start(x, weights)
        return None if start is None else {name: v for name, v in start.items() if name not in self.values}

    def log_density(self, x, **natural):
        return self.generator.log_density(x, **natural, **self.values)

    def moments(self, **natural):
        return self.generator.moments(**natural, **self.values)
