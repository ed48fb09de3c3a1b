"""Named parameters: the map from the flat, unconstrained vector of estimation to the natural values of reports.

``theta`` holds all parameters of a model as one vector on the real line; ``natural(theta)`` gives them by name, each in
its own space. A value there may be a number or an array; the *elements* are its single numbers, and reports have one
row for each.
"""

import abc

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from hellgan.checks import numbers, shown
from hellgan.constraints import Constraint
from hellgan.execution import programs

Natural = dict[str, jax.Array]


class ParameterSpace(eqx.Module):
    """Named parameters and where they live; abstract.

    Attributes
    ----------
    parameters : dict of str to Constraint
        Names and spaces, in the order of reports.
    """

    @property
    @abc.abstractmethod
    def parameters(self) -> dict[str, Constraint]: ...

    @property
    def name(self) -> str:
        return type(self).__name__

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
        """Map ``theta`` (p,) to the flat vector (r,) of natural elements that reports show."""
        return jnp.concatenate([jnp.ravel(value) for value in self.natural(theta).values()])

    def theta(self, **natural) -> np.ndarray:
        """Invert ``natural``: theta (p,); raises ``ValueError`` for a missing name or a value outside its space."""
        check_names(self, natural, missing=True)
        for name, space in self.parameters.items():
            trouble = space.problem(natural[name])
            if trouble:
                raise ValueError(f"{name}: {trouble}; {self.name} needs it {space.description}.")
        return np.concatenate([space.to_free(natural[name]) for name, space in self.parameters.items()])

    @property
    def owners(self) -> list[str]:
        """The parameter that each element of theta belongs to: p names."""
        return [name for name, space in self.parameters.items() for _ in range(space.size)]

    @property
    def unitless(self) -> np.ndarray:
        """Whether each element of theta is on a scale without a unit, as a logarithm is: (p,)."""
        return np.array([space.kind != "real" for space in self.parameters.values() for _ in range(space.size)])

    def named(self, vector: np.ndarray) -> dict[str, np.ndarray]:
        """Split a flat vector of natural elements by parameter: ``natural_vector`` undone."""
        values, at = {}, 0
        for name, space in self.parameters.items():
            values[name] = vector[at : at + space.natural_size].reshape(space.shape)
            at += space.natural_size
        return values

    @property
    def names(self) -> list[str]:
        """Names of the natural elements, in the order of ``natural_vector``."""
        return [e for name, space in self.parameters.items() for e in space.element_names(name)]

    @property
    def free_names(self) -> list[str]:
        """Names of the elements of ``theta``: the natural name behind the map to the real line."""
        return [e for name, space in self.parameters.items() for e in space.free_names(name)]

    @property
    def element_spaces(self) -> list[Constraint]:
        """The space of every natural element, in the order of ``names``."""
        return [space for space in self.parameters.values() for _ in range(space.natural_size)]

    def held_besides(self, other: "ParameterSpace") -> dict[str, np.ndarray]:
        """Natural values that ``other`` holds fixed and this space does not; empty where the two differ in more."""
        return {}

    @property
    def has_density(self) -> bool:
        """Whether the law that the parameters describe has a density in closed form."""
        return False


class Parameters(ParameterSpace):
    """Named parameters and nothing else: for a model that no generator describes."""

    spaces: tuple[tuple[str, Constraint], ...] = eqx.field(static=True)

    def __init__(self, **spaces: Constraint):
        check_distinct(spaces)
        self.spaces = tuple(spaces.items())

    @property
    def parameters(self):
        return dict(self.spaces)


def check_distinct(spaces: dict[str, Constraint]) -> None:
    """Refuse parameters of which two elements have one name, as a_1 and the first element of a vector a have."""
    seen: dict[str, str] = {}
    for name, space in spaces.items():
        for element in space.element_names(name):
            if element in seen:
                raise ValueError(f"{name}: {element} is also the name of an element of {seen[element]}; rename one.")
            seen[element] = name


def check_names(space: ParameterSpace, values, missing: bool) -> None:
    """Refuse names that are no parameters; and, where ``missing``, parameters that are not named."""
    unknown = [name for name in values if name not in space.parameters]
    absent = [name for name in space.parameters if name not in values] if missing else []
    if unknown or absent:
        said = f"{unknown[0]} is not a parameter" if unknown else f"{absent[0]} is missing"
        raise ValueError(f"{space.name}: {said}; its parameters are {', '.join(space.parameters)}.")


def read_start(start, space: ParameterSpace) -> np.ndarray:
    """Read starting values on the natural scale, by name or in the order of ``names``: (p,), unconstrained scale."""
    try:
        return space.theta(**_by_name(start, space))
    except ValueError as error:
        message = str(error)
        raise ValueError(message if message.startswith("start:") else f"start: {message}") from None


def partial_start(start, space: ParameterSpace) -> dict | None:
    """Starting values of some parameters, by name; None where ``start`` is to have all of them."""
    if not hasattr(start, "keys"):
        return None
    keys = list(start.keys())
    if not keys or not set(keys) < set(space.parameters):
        return None
    return {name: start[name] for name in keys}


def _by_name(start, space):
    """Natural values by parameter, from a mapping or Series of parameters or of their elements, or a flat sequence."""
    names = space.names
    values = start
    keys = list(start.keys()) if hasattr(start, "keys") else []
    if any(isinstance(key, str) for key in keys):
        if set(keys) == set(space.parameters):
            return {name: start[name] for name in space.parameters}
        values = [start[name] for name in names] if set(keys) == set(names) else None
    try:
        values = numbers(values)
    except (TypeError, ValueError):
        values = np.empty(0)
    if values.shape != (len(names),):
        raise ValueError(f"start: got {shown(start)}; give a number for each of {', '.join(names)}, or some by name.")
    return space.named(values)


@programs.program
def natural_scale(space: ParameterSpace, theta):
    """Natural elements (r,) of theta (p,), and their derivative (r, p): what the delta method needs."""
    return space.natural_vector(theta), jax.jacfwd(space.natural_vector)(theta)


def natural_scales(space: ParameterSpace, thetas: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Natural elements (k, r) of each of a stack of theta (k, p), and their derivatives (k, r, p)."""
    if len(thetas) == 1:
        natural, slope = natural_scale(space, thetas[0])
        return natural[None], slope[None]
    return programs.in_blocks(lambda block: _natural_scales(space, block), thetas, most=64)


def natural_rows(space: ParameterSpace, thetas: np.ndarray) -> np.ndarray:
    """Natural elements (R, r) of a stack of theta (R, p)."""
    return programs.in_blocks(lambda block: _natural_rows(space, block), thetas)


@programs.program
def _natural_scales(space, thetas):
    return jax.vmap(lambda t: (space.natural_vector(t), jax.jacfwd(space.natural_vector)(t)))(thetas)


@programs.program
def _natural_rows(space, thetas):
    return jax.vmap(space.natural_vector)(thetas)
