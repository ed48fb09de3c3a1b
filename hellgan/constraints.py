"""Parameter spaces: a bijection between the natural scale of reports and the real line of estimation.

Every constraint also carries an elementwise ``link``, by which an interval for one number of a parameter is computed
on the real line and mapped back, so that it never leaves the space.
"""

import dataclasses
import math

import jax
import jax.numpy as jnp
import numpy as np


@jax.tree_util.register_static
@dataclasses.dataclass(frozen=True)
class Constraint:
    """A space for one named parameter; made by ``real``, ``positive``, ``interval``, ``simplex``.

    Attributes
    ----------
    kind : str
        ``real``, ``positive``, ``above``, ``interval``, ``simplex``, ``ordered`` or ``correlation``.
    shape : tuple of int
        Natural shape; ``()`` for a number.
    lower, upper : float
        Bounds of every element (open).
    start : float or tuple of float or None
        Where a search for starting values begins, natural scale. A start outside the space raises ``ValueError``, one
        that is not numeric ``TypeError``.
    """

    kind: str
    shape: tuple[int, ...] = ()
    lower: float = -math.inf
    upper: float = math.inf
    start: float | tuple[float, ...] | None = None

    @property
    def natural_size(self) -> int:
        """How many numbers a natural value has."""
        return math.prod(self.shape)

    @property
    def size(self) -> int:
        """How many unconstrained numbers stand for a natural value."""
        return self.natural_size - (1 if self.kind == "simplex" else 0)

    @property
    def dim(self) -> int:
        """The dimension d of a correlation matrix of d(d-1)/2 elements."""
        return correlation_dim(self.natural_size)

    @property
    def start_elements(self) -> np.ndarray:
        """``start`` as one number for each natural element."""
        return np.broadcast_to(np.asarray(self.start, np.float64), (self.natural_size,))

    def to_natural(self, free: jax.Array) -> jax.Array:
        """Map ``(size,)`` real numbers into the space; returns an array of ``shape``."""
        if self.kind == "simplex":
            return jax.nn.softmax(jnp.concatenate([free, jnp.zeros(1, free.dtype)]))
        if self.kind == "ordered":
            return free[0] + jnp.concatenate([jnp.zeros(1, free.dtype), jnp.cumsum(jnp.exp(free[1:]))])
        if self.kind == "correlation":
            return _correlations(free, self.dim)
        return jnp.reshape(self.unlink(free), self.shape)

    def to_free(self, natural) -> np.ndarray:
        """Invert ``to_natural`` in NumPy; returns ``(size,)``."""
        natural = np.asarray(natural, np.float64).reshape(-1)
        if self.kind == "simplex":
            return np.log(natural[:-1] / natural[-1])
        if self.kind == "ordered":
            return np.concatenate([natural[:1], np.log(np.diff(natural))])
        if self.kind == "correlation":
            return _cholesky_ratios(natural, self.dim)
        return np.asarray(self.link(natural))

    def link(self, natural):
        """Map each natural element to the real line; NumPy in, NumPy out."""
        if self.lower == -math.inf:
            return natural
        if self.upper == math.inf:
            return np.log(natural - self.lower)
        return np.log((natural - self.lower) / (self.upper - natural))

    def link_slope(self, natural):
        """Differentiate ``link`` elementwise."""
        if self.lower == -math.inf:
            return np.ones_like(natural)
        if self.upper == math.inf:
            return 1 / (natural - self.lower)
        return 1 / (natural - self.lower) + 1 / (self.upper - natural)

    def unlink(self, real):
        """Invert ``link`` elementwise; NumPy in, NumPy out, and JAX in, JAX out."""
        if self.lower == -math.inf:
            return real
        if self.upper == math.inf:
            if isinstance(real, jax.Array):
                return self.lower + jnp.exp(real)
            with np.errstate(over="ignore"):  # an interval may be endless
                return self.lower + np.exp(real)
        expit = jax.nn.sigmoid(real) if isinstance(real, jax.Array) else 0.5 * (1 + np.tanh(np.asarray(real) / 2))
        return self.lower + (self.upper - self.lower) * expit

    def problem(self, value) -> str | None:
        """Say in words what is wrong with a natural value; None where nothing is."""
        try:
            value = _numbers(value)
        except (TypeError, ValueError, OverflowError):
            return f"{_shown(value)} is not numeric"
        if value.shape != self.shape:
            return f"has shape {value.shape}; the shape is {self.shape}"
        if not np.all(np.isfinite(value)):
            return "is not finite"
        if np.any(value <= self.lower) or np.any(value >= self.upper):
            return f"{value.tolist()} is outside ({self.lower:g}, {self.upper:g})"
        if self.kind == "simplex" and not np.isclose(value.sum(), 1.0, rtol=1e-9):
            return f"sums to {value.sum():g}, not to 1"
        if self.kind == "ordered" and np.any(np.diff(value) <= 0):
            return f"{value.tolist()} is not increasing"
        if self.kind == "correlation" and np.linalg.eigvalsh(correlation_matrix(value)).min() <= 0:
            return "is not a positive definite correlation matrix"
        return None

    def element_names(self, name: str) -> list[str]:
        """Name the natural elements: ``name``, ``name_1``, ...; ``name_12`` for the correlation of 1 and 2."""
        if self.shape == ():
            return [name]
        if self.kind == "correlation":
            glue = "" if self.dim < 10 else "_"
            return [f"{name}_{j + 1}{glue}{i + 1}" for i in range(self.dim) for j in range(i)]
        return ["_".join([name, *(str(i + 1) for i in index)]) for index in np.ndindex(self.shape)]

    def free_names(self, name: str) -> list[str]:
        """Name the free numbers: each by the map from its natural element to the real line."""
        elements = self.element_names(name)[: self.size]
        if self.kind == "above":
            return [f"log({e} {'-' if self.lower >= 0 else '+'} {abs(self.lower):g})" for e in elements]
        if self.kind == "ordered":
            return [elements[0], *(f"log gap {e}" for e in elements[1:])]
        words = {"positive": "log ", "interval": "logit ", "simplex": "log ratio ", "correlation": "free "}
        return [words.get(self.kind, "") + e for e in elements]

    @property
    def description(self) -> str:
        """What a value must be, as the end of the sentence "the family needs it ..."."""
        return {
            "real": "to be a finite number",
            "positive": "to be positive",
            "above": f"to be greater than {self.lower:g}",
            "interval": f"inside ({self.lower:g}, {self.upper:g})",
            "simplex": "to be positive numbers that sum to 1",
            "ordered": "to be increasing",
            "correlation": "to make a positive definite correlation matrix",
        }[self.kind]


# Made once, since families ask for these often.
_REAL, _POSITIVE = Constraint("real"), Constraint("positive", lower=0.0)


def real(shape: int | tuple[int, ...] = (), start=None) -> Constraint:
    """Any real number, or an array of such; ``shape`` and ``start`` as in ``Constraint``."""
    if isinstance(shape, tuple) and not shape and start is None:
        return _REAL
    return _checked(Constraint("real", _shape(shape), start=_frozen(start)))


def positive(shape: int | tuple[int, ...] = (), start=None) -> Constraint:
    """A positive number, estimated on the log scale, or an array of such; ``shape``, ``start`` as in ``Constraint``."""
    if isinstance(shape, tuple) and not shape and start is None:
        return _POSITIVE
    return _checked(Constraint("positive", _shape(shape), lower=0.0, start=_frozen(start)))


def above(lower: float, shape: int | tuple[int, ...] = (), start=None) -> Constraint:
    """A number above a finite bound, estimated as the log of its distance from it."""
    if Constraint("real").problem(lower):
        raise ValueError(f"above: got {_shown(lower)}; give a finite lower bound.")
    return _checked(Constraint("above", _shape(shape), lower=float(lower), start=_frozen(start)))


def interval(lower: float, upper: float, shape: int | tuple[int, ...] = (), start=None) -> Constraint:
    """A number strictly between two finite bounds, estimated on the logit scale, or an array of such.

    ``shape`` and ``start`` are as in ``Constraint``; bounds that are not finite and in order raise ``ValueError``.
    """
    trouble = Constraint("real").problem(lower) or Constraint("real").problem(upper)
    if trouble or not lower < upper:
        raise ValueError(f"interval: got {_shown(lower)}, {_shown(upper)}; give two finite bounds, the lower first.")
    return _checked(Constraint("interval", _shape(shape), float(lower), float(upper), _frozen(start)))


def simplex(k: int, start=None) -> Constraint:
    """A vector of k positive numbers that sum to 1, estimated as k - 1 log ratios to the last.

    ``start`` is as in ``Constraint``; a ``k`` below 2 raises ``ValueError``.
    """
    if not isinstance(k, int) or k < 2:
        raise ValueError(f"simplex: k is {_shown(k)}; give an integer of at least 2.")
    return _checked(Constraint("simplex", (k,), 0.0, 1.0, _frozen(start)))


def ordered(k: int, start=None) -> Constraint:
    """A vector of k increasing numbers, estimated as the first and the logs of the gaps."""
    if not isinstance(k, int) or k < 2:
        raise ValueError(f"ordered: k is {_shown(k)}; give an integer of at least 2.")
    return _checked(Constraint("ordered", (k,), start=_frozen(start)))


def correlation(d: int) -> Constraint:
    """The d(d-1)/2 correlations below the diagonal of a positive definite correlation matrix."""
    return Constraint("correlation", (d * (d - 1) // 2,), -1.0, 1.0)


def correlation_matrix(elements):
    """Fill a correlation matrix from its elements below the diagonal, row by row; NumPy."""
    elements = np.asarray(elements, np.float64)
    d = correlation_dim(elements.size)
    matrix = np.eye(d)
    matrix[np.tril_indices(d, -1)] = elements
    return matrix + np.tril(matrix, -1).T


def correlation_dim(size: int) -> int:
    """The d for which d(d-1)/2 is ``size``."""
    return (1 + math.isqrt(1 + 8 * size)) // 2


def correlation_cholesky(free: jax.Array, d: int) -> jax.Array:
    """Cholesky factor of a correlation matrix: rows (y_1, ..., y_i, 1, 0, ...) of unit length."""
    rows = jnp.eye(d, dtype=free.dtype).at[np.tril_indices(d, -1)].set(free)
    return rows / jnp.linalg.norm(rows, axis=1, keepdims=True)


def _correlations(free, d):
    factor = correlation_cholesky(free, d)
    return (factor @ factor.T)[np.tril_indices(d, -1)]


def _cholesky_ratios(natural, d):
    factor = np.linalg.cholesky(correlation_matrix(natural))
    return (factor / np.diag(factor)[:, None])[np.tril_indices(d, -1)]


def _shape(shape) -> tuple[int, ...]:
    sizes = tuple(shape) if isinstance(shape, (tuple, list)) else (shape,)
    if not all(isinstance(k, int) and not isinstance(k, bool) and k >= 1 for k in sizes):
        raise ValueError(f"shape: got {_shown(shape)}; give a positive integer or a tuple of such, () for a number.")
    return sizes


def _numbers(value) -> np.ndarray:
    array = np.asarray(value)
    if array.dtype.kind not in "iufbO":  # NumPy would read numbers from text and dates, and drop imaginary parts
        raise TypeError(array.dtype.name)
    try:
        return array.astype(np.float64)
    except OverflowError:
        raise ValueError("beyond double precision") from None


def _frozen(start):
    if start is None:
        return None
    try:
        array = _numbers(start)
    except (TypeError, ValueError):
        raise TypeError(f"start: {_shown(start)} is not numeric; give a number, or one for each element.") from None
    return float(array) if array.shape == () else tuple(array.reshape(-1).tolist())


def _checked(constraint: Constraint) -> Constraint:
    if constraint.start is not None:
        if np.size(constraint.start) not in (1, constraint.natural_size):
            raise ValueError(
                f"start: {np.size(constraint.start)} numbers for shape {constraint.shape}; give one, or one for each "
                "element."
            )
        trouble = constraint.problem(constraint.start_elements.reshape(constraint.shape))
        if trouble:
            raise ValueError(f"start: {trouble}.")
    return constraint


def _shown(value) -> str:
    return " ".join(repr(value).split())[:80]
