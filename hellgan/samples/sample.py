"""``Sample``: the data of a fit with their labels and weights, read and checked once."""

import dataclasses
import functools
from typing import Any, Protocol

import numpy as np

from hellgan.checks import first_sentence, has_masked, numbers
from hellgan.samples.robust import quantile, robust_scale

# Larger numbers have squares that overflow, in standardised monomials and squared distances.
_LARGEST = 1e150


class Family(Protocol):
    """What reading a sample asks of the model that it is for."""

    @property
    def name(self) -> str: ...

    @property
    def dim(self) -> int:
        """Coordinates of an observation."""
        ...

    @property
    def covariates(self) -> int:
        """How many coordinates of an observation, the first, are given rather than simulated."""
        ...

    def bound_to(self, columns: list[str] | None, shape: tuple[int, ...]) -> "Family":
        """Give the model for data of this shape, their columns so named."""
        ...


@dataclasses.dataclass(frozen=True, eq=False)
class Sample:
    """Observations as rows, with the labels of rows and columns and with weights.

    Attributes
    ----------
    rows : (n, d) array
        One row an observation.
    columns : list of str or None
        Names of the coordinates, where there are several and the data name them.
    index : Index or None
        Labels of the rows, where the data are a frame or a Series.
    given_weights : (n,) array or None
        Observation weights as they were given.
    covariates : int
        How many coordinates, the first, are given rather than simulated.
    left_out : int
        Rows of the data with missing values, which a formula leaves out.
    """

    rows: np.ndarray
    columns: list[str] | None = None
    index: Any = None
    given_weights: np.ndarray | None = None
    covariates: int = 0
    left_out: int = 0

    def __len__(self):
        return len(self.rows)

    @property
    def d(self) -> int:
        """How many coordinates an observation has."""
        return self.rows.shape[1]

    @functools.cached_property
    def weights(self) -> np.ndarray:
        """Weights (n,) that sum to 1."""
        if self.given_weights is None:
            return np.full(len(self), 1 / len(self))
        relative = self.given_weights / self.given_weights.max()  # huge and tiny weights must not overflow
        return relative / relative.sum()

    @property
    def squeezed(self) -> np.ndarray:
        """The observations as users have them: (n,) where there is one coordinate, else (n, d)."""
        return self.rows[:, 0] if self.d == 1 else self.rows

    @property
    def center(self) -> np.ndarray:
        """Median of each coordinate, unweighted: (d,)."""
        return np.median(self.rows, axis=0)

    @property
    def scales(self) -> np.ndarray:
        """Robust scale of each coordinate (d,); of covariates, which may be dummies, the standard deviation."""
        k = self.covariates
        spreads = [np.std(column) or 1.0 for column in self.rows.T[:k]]
        return np.array([*spreads, *(robust_scale(column, self.weights) for column in self.rows.T[k:])])

    def with_weights(self, weights) -> "Sample":
        """Give the same observations with other weights (n,), of which only the ratios count."""
        return dataclasses.replace(self, given_weights=checked_weights(weights, len(self)))

    def check_variation(self, parameters: int) -> None:
        """Refuse a sample that is too small for so many ``parameters``, or constant, or of collinear columns."""
        rows = self.rows if self.given_weights is None else self.rows[self.given_weights > 0]
        check_variation(rows, parameters, self.covariates, self.columns)


def read(data, family: Family) -> tuple[Sample, Any]:
    """Read data for a family: numbers of their own memory, finite, in the family's shape.

    Parameters
    ----------
    data : array_like, Series or DataFrame
        (n,) or (n, d).
    family : Family
        A generator; a regression that does not know its covariates takes their names from the data.

    Returns
    -------
    sample, family
        The observations, and the family bound to their shape and names.

    Raises
    ------
    ValueError, TypeError
        For data that cannot be this family's, in one sentence.
    """
    columns = [str(c) for c in data.columns] if hasattr(data, "columns") else None
    try:
        if hasattr(data, "dtypes") and columns is not None:
            # By position: two columns may share a name.
            parts = [data.iloc[:, k] if hasattr(data, "iloc") else data[c] for k, c in enumerate(data.columns)]
            x = np.column_stack([numbers(part) for part in parts]) if columns else np.empty((0, 0))
        else:
            x = numbers(data)
    except (TypeError, ValueError) as error:
        raise TypeError(f"data: not numeric ({first_sentence(error)}); give finite numbers.") from None
    if has_masked(data):
        raise ValueError("data: some values are masked; drop them first.")
    family = family.bound_to(columns, x.shape)
    rows = x[:, None] if x.ndim == 1 else x
    d = family.dim
    if rows.ndim != 2 or rows.shape[1] != d:
        wanted = "(n,)" if d == 1 else f"(n, {d})"
        what = "the covariates and, last, the response" if family.covariates else "one row an observation"
        raise ValueError(f"data: shape {np.shape(data)}; {family.name} needs shape {wanted}, {what}.")
    _check_numbers(rows)
    index = data.index if hasattr(data, "index") and not callable(data.index) else None
    return Sample(rows, columns if d > 1 else None, index, covariates=family.covariates), family


def _check_numbers(rows):
    n = len(rows)
    if n < 2:
        raise ValueError(f"data: {n} observations; give at least 2.")
    bad = int(np.sum(~np.all(np.isfinite(rows), axis=1)))
    if bad:
        raise ValueError(f"data: {bad} of {n} observations are NaN or infinite; drop or impute them first.")
    if np.max(np.abs(rows)) > _LARGEST:
        raise ValueError(f"data: some values exceed {_LARGEST:g} in size; give them in larger units.")


def check_variation(rows: np.ndarray, parameters: int, covariates: int, columns: list[str] | None) -> None:
    """Refuse observations (n, d) that are too few for so many ``parameters``, constant, or of collinear columns."""
    if len(rows) <= parameters:
        raise ValueError(f"data: {len(rows)} observations for {parameters} parameters; give more observations.")
    spread, d = np.ptp(rows, axis=0), rows.shape[1]
    if covariates:
        if spread[-1] == 0:
            raise ValueError("data: all responses are equal; the model needs a response that varies.")
        return
    if np.any(spread == 0):
        which = "" if d == 1 else f" in column {columns[int(np.argmin(spread))] if columns else int(np.argmin(spread))}"
        raise ValueError(f"data: all observations are equal{which}; the model needs a sample that varies.")
    if d > 1:
        scaled = (rows - rows.mean(axis=0)) / rows.std(axis=0)
        if np.linalg.matrix_rank(scaled, tol=1e-8 * np.sqrt(rows.size)) < d:
            raise ValueError("data: the columns are collinear; drop one that the others determine.")


def checked_weights(weights, n: int) -> np.ndarray:
    """Return observation weights (n,), not negative and at least two of them positive."""
    masked = has_masked(weights)
    try:
        weights = numbers(weights)
    except (TypeError, ValueError):
        raise TypeError("weights: not numeric; give one non-negative number an observation.") from None
    if masked:
        raise ValueError("weights: some are masked; give a number, perhaps 0, for every observation.")
    if weights.shape != (n,):
        raise ValueError(f"weights: shape {weights.shape}; give one for each of the {n} observations.")
    if not np.all(np.isfinite(weights)) or np.any(weights < 0):
        raise ValueError("weights: some are negative, NaN or infinite; give finite non-negative numbers.")
    if np.sum(weights > 0) < 2:
        raise ValueError("weights: fewer than two are positive; at least two observations must count.")
    return weights


def medians_and_scales(rows: np.ndarray, weights: np.ndarray, covariates: int) -> tuple[np.ndarray, np.ndarray]:
    """Weighted medians and robust scales of the coordinates of rows (n, d): (d,) each.

    Covariates may be dummies, of which the median absolute deviation says nothing: theirs are standard deviations.
    """
    center = np.array([quantile(column, 0.5, weights) for column in rows.T])
    spreads = [np.std(column[weights > 0]) or 1.0 for column in rows.T[:covariates]]
    return center, np.array([*spreads, *(robust_scale(column, weights) for column in rows.T[covariates:])])
