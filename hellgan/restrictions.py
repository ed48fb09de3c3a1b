"""Restrictions h(theta) = 0 among named parameters, as users write them and as equations with derivatives."""

import abc
import dataclasses
import inspect
import re
from collections.abc import Callable, Mapping
from decimal import Decimal

import jax
import jax.numpy as jnp
import numpy as np

from hellgan.checks import first_sentence, shown
from hellgan.execution import programs
from hellgan.parameters import ParameterSpace

_DEPENDENT = 1e-9  # relative singular value below which equations depend on each other


class Restriction(abc.ABC):
    """Equations h(theta) = 0 in the unconstrained parameters; abstract.

    Attributes
    ----------
    text : str
        The equations in writing, where a user gave them.
    """

    text: str = ""

    @abc.abstractmethod
    def at(self, theta: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Evaluate h (r,) and R = dh/dtheta (r, p)."""

    @abc.abstractmethod
    def curvature(self, theta: np.ndarray, multipliers: np.ndarray) -> np.ndarray:
        """Evaluate the Hessian (p, p) of the combination ``multipliers`` (r,) of the equations."""


@dataclasses.dataclass(frozen=True, eq=False)
class Linear(Restriction):
    """Equations h = C x - b in the natural elements x; compiled once for a space, whatever C and b."""

    space: ParameterSpace
    matrix: np.ndarray  # C (r, natural elements)
    target: np.ndarray  # b (r,)

    @property
    def text(self) -> str:  # pyright: ignore[reportIncompatibleVariableOverride]
        return ", ".join(written(self.matrix, self.target, self.space.names))

    def at(self, theta):
        natural, slope, _ = _natural(self.space, theta, np.zeros(self.matrix.shape[1]))
        return self.matrix @ natural - self.target, self.matrix @ slope

    def curvature(self, theta, multipliers):
        return _natural(self.space, theta, self.matrix.T @ multipliers)[2]


@programs.program
def _natural(space: ParameterSpace, theta, weights):
    """Natural elements, their derivative in theta, and the Hessian of the sum of ``weights`` times the elements."""
    vector = space.natural_vector
    return vector(theta), jax.jacfwd(vector)(theta), jax.jacfwd(jax.jacfwd(lambda t: weights @ vector(t)))(theta)


class Smooth(Restriction):
    """Equations h = a function of the named natural parameters, a number or a vector; traced when it is used."""

    def __init__(self, space: ParameterSpace, function: Callable):
        def h(theta):
            return jnp.ravel(jnp.asarray(function(**space.natural(theta))))

        self.text = function_text(function)
        self._at = programs.program(lambda theta: (h(theta), jax.jacfwd(h)(theta)))
        self._curvature = programs.program(lambda theta, mu: jax.jacfwd(jax.jacfwd(lambda t: mu @ h(t)))(theta))

    def at(self, theta):
        return self._at(theta)

    def curvature(self, theta, multipliers):
        return self._curvature(theta, multipliers)


def function_text(function: Callable) -> str:
    """Write the hypothesis that a function of named parameters is zero, as in ``ratio(loc, scale) = 0``."""
    name = getattr(function, "__name__", type(function).__name__).strip("<>")
    try:
        arguments = ", ".join(inspect.signature(function).parameters)
    except (TypeError, ValueError):
        arguments = "..."
    return f"{name}({arguments}) = 0"


def read(restriction, space: ParameterSpace, theta: np.ndarray, cov: np.ndarray) -> Restriction:
    """Read a restriction of the natural elements, and refuse one whose equations depend on each other.

    Parameters
    ----------
    restriction : str, sequence of str, mapping, (r, k) array, (array, values) or callable
        ``"loc = 27, scale = 5"``, in which a name that would be read otherwise, a number or an expression of other
        names, stands in backquotes; values by name; rows of coefficients of all k natural elements, equal to 0 or to
        the ``values``; or a function of the named natural parameters, zero where the hypothesis holds, that JAX can
        trace.
    space : ParameterSpace
    theta : (p,) array
        The estimate, unconstrained scale, at which the derivatives of the equations are compared.
    cov : (p, p) array
        Covariance of the estimate: derivatives are compared in standard errors, so that units do not count.

    Returns
    -------
    Restriction

    Raises
    ------
    ValueError, TypeError
        For what is no restriction, and for equations that depend on each other.
    """
    if callable(restriction):
        found = Smooth(space, restriction)
        try:
            h, slope = found.at(theta)
        except Exception as error:
            raise ValueError(
                f"restriction: {first_sentence(error) or type(error).__name__}; give a function of "
                f"{', '.join(space.parameters)} in jax.numpy, zero where the hypothesis holds."
            ) from error
        if not (np.all(np.isfinite(h)) and np.all(np.isfinite(slope))):
            raise ValueError(
                "restriction: the function or its derivative is not finite at the estimate; give one smooth there."
            )
    else:
        matrix, target = linear(restriction, space.names)
        _check_inside(matrix, target, space)
        found = Linear(space, matrix, target)
        slope = found.at(theta)[1]
    r = len(slope)
    if r == 0:
        raise ValueError("restriction: it has no equation; give at least one.")
    if r > space.size:
        raise ValueError(f"restriction: {r} equations for {space.size} free parameters; give at most as many as those.")
    scaled = slope * np.sqrt(np.diag(cov))
    sizes = np.linalg.norm(scaled, axis=1)
    values = np.linalg.svd(scaled / np.where(sizes > 0, sizes, 1.0)[:, None], compute_uv=False)
    if np.any(sizes == 0) or values[-1] <= _DEPENDENT * values[0]:
        raise ValueError(
            "restriction: its equations depend on each other, or do not react to the parameters, at the estimate; give "
            "equations with linearly independent derivatives."
        )
    return found


def linear(restriction, names: list[str]) -> tuple[np.ndarray, np.ndarray]:
    """Read C (r, k) and b (r,) of linear equations C x = b in the natural elements x (k,); raises as ``read``."""
    if isinstance(restriction, Mapping):
        restriction = [f"`{name}` = {value}" for name, value in restriction.items()]
    is_text = isinstance(restriction, str)
    is_texts = isinstance(restriction, (list, tuple)) and bool(restriction)
    if is_text or (is_texts and all(isinstance(s, str) for s in restriction)):
        return _parsed(restriction if is_text else ", ".join(restriction), names)
    matrix, target = restriction if isinstance(restriction, tuple) and len(restriction) == 2 else (restriction, None)
    try:
        matrix = np.atleast_2d(np.asarray(matrix, np.float64))
        target = np.zeros(len(matrix)) if target is None else np.ravel(np.asarray(target, np.float64))
    except (TypeError, ValueError, OverflowError):
        raise TypeError(
            f"restriction: got {shown(restriction)}; give equations such as '{quoted(names[0], names)} = 1', an array "
            "of coefficients, a pair of array and values, or a function of the parameters."
        ) from None
    if matrix.ndim != 2 or matrix.shape[1] != len(names) or target.shape != matrix.shape[:1]:
        raise ValueError(
            f"restriction: shapes {matrix.shape} and {target.shape}; give one column for each of {', '.join(names)}, "
            "and one value for each row."
        )
    if not (np.all(np.isfinite(matrix)) and np.all(np.isfinite(target))):
        raise ValueError("restriction: its coefficients are not all finite; give finite numbers.")
    return matrix, target


def _parsed(text: str, names: list[str]) -> tuple[np.ndarray, np.ndarray]:
    """Read linear equations from text; names may hold brackets, commas or operators, and stand in backquotes or not.

    A name that the equations' own grammar reads otherwise, a number or an expression of other names, is the
    parameter's in backquotes alone.
    """
    example = f"give linear equations such as '{quoted(names[0], names)} = 1', separated by commas"
    plain = _aliased(text, names)
    plain = re.sub(rf"(?<![\w.]){_NUMBER}", lambda found: f"{Decimal(found[0]):f}", plain)
    equations = plain.split(",")
    if any(equation.count("=") > 1 or not equation.strip() for equation in equations):
        raise ValueError(f"restriction: got {shown(text)}; {example}.")
    from formulaic.utils.constraints import LinearConstraints

    try:
        # Formulaic reads "a = -2" as having one operator "= -"; hence each equation as a difference of brackets.
        differences = ["-".join(f"({side})" for side in equation.split("=")) for equation in equations]
        aliases = [_alias(k) for k in range(len(names))]
        found = LinearConstraints.from_spec(",".join(differences), variable_names=aliases)
        matrix, target = (
            np.asarray(found.constraint_matrix, np.float64),
            np.asarray(found.constraint_values, np.float64),
        )
    except Exception as error:
        raise ValueError(f"restriction: {shown(text)} is not understood; {example}.") from error
    return matrix.reshape(-1, len(names)), target.reshape(-1)


def _aliased(text: str, names: list[str]) -> str:
    """Put words that formulaic understands in the place of the names in a text; refuse other words."""
    misread = {name: _read_otherwise(name, names) for name in names}
    apart = re.split(rf"`({_any_of(names)})`", text)  # names in backquotes stand at the odd places
    for name in (name for name in names if misread[name]):
        if any(re.search(_standing_alone([name]), between) for between in apart[::2]):
            raise ValueError(
                f"restriction: {shown(text)} may mean the parameter {name!r} or an expression of {misread[name]}; put "
                "names in backquotes."
            )
    plain = [name for name in names if misread[name] is None]
    pieces = []
    for k, piece in enumerate(apart):
        # Of a piece without backquotes, names stand at the odd places, again.
        parts = [piece] if k % 2 or not plain else re.split(_standing_alone(plain), piece)
        for j, part in enumerate(parts):
            if (k + j) % 2:
                pieces.append(_alias(names.index(part)))
                continue
            if unknown := re.search(r"(?<![\w.])[^\W\d][\w.]*", re.sub(rf"(?<![\w.]){_NUMBER}", "0", part)):
                raise ValueError(f"restriction: {unknown[0]} is no parameter; the parameters are {', '.join(names)}.")
            pieces.append(part)
    return "".join(pieces)


_NUMBER = r"(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?(?!\w)"


def _alias(k: int) -> str:
    return f"parameter_{k}_"


def _any_of(names: list[str]) -> str:
    return "|".join(re.escape(name) for name in sorted(names, key=len, reverse=True))


def _standing_alone(names: list[str]) -> str:
    return rf"(?<![\w.])({_any_of(names)})(?!\w|\.\w)"


def _read_otherwise(name: str, names: list[str]) -> str | None:
    """The other names of which a name is an expression: empty where it is one of numbers and signs; None if neither."""
    others = [other for other in names if other != name and other.strip()]
    inside = [other for other in others if re.search(_standing_alone([other]), name)]
    rest = re.sub(_standing_alone(others), " ", name) if others else name
    return ", ".join(inside) if not re.search(r"[^\s,=()*/+-]", re.sub(_NUMBER, " ", rest)) else None


def quoted(name: str, names: list[str]) -> str:
    """Write a parameter's name as equations have it: in backquotes where they would read it otherwise."""
    return name if _read_otherwise(name, names) is None else f"`{name}`"


def written(matrix: np.ndarray, target: np.ndarray, names: list[str]) -> list[str]:
    """Write the equations C x = b, (r, k) and (r,), as a user would and as they are read."""
    equations, shown_as = [], [quoted(name, names) for name in names]
    if any(_read_otherwise(name, names) for name in names):
        shown_as = [f"`{name}`" for name in names]
    for row, value in zip(matrix, target, strict=True):
        terms = ""
        for k in np.flatnonzero(row):
            size, sign = abs(row[k]), "-" if row[k] < 0 else "+"
            term = shown_as[k] if size == 1 else f"{size:.10g} * {shown_as[k]}"
            terms += f" {sign} {term}" if terms else term if sign == "+" else f"-{term}"
        equations.append(f"{terms or '0'} = {value:.10g}")
    return equations


def _check_inside(matrix, target, space):
    """Refuse an equation that puts a single natural element outside its space."""
    for row, value in zip(matrix, target, strict=True):
        alone = np.flatnonzero(row)
        if len(alone) != 1:
            continue
        name, where, wanted = space.names[alone[0]], space.element_spaces[alone[0]], value / row[alone[0]]
        if not where.lower < wanted < where.upper:
            raise ValueError(
                f"restriction: {name} = {wanted:g} is outside ({where.lower:g}, {where.upper:g}); give a value inside."
            )
