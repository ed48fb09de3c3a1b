"""``Sample``: the data of a fit with their labels and weights, read and checked once."""

import dataclasses
import functools
from typing import Any, Protocol

import numpy as np

from hellgan.checks import checked_points, has_masked, numbers
from hellgan.samples.frames import beside, column_of, in_order_of
from hellgan.samples.robust import quantile, robust_scale


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
class Origin:
    """Where the rows of a sample are in the data.

    Attributes
    ----------
    index : Index or None
        Labels of all rows of the data, where they have some.
    name : str or None
        Of the data, where they are one named column.
    frame : DataFrame or None
        All named columns of the data, in which others than the sample's may be looked up.
    kept : (n,) int array or None
        Positions of the sample's rows among the data's; None where no row is left out.
    total : int
        How many rows the data have, where some are left out.
    """

    index: Any = None
    name: str | None = None
    frame: Any = None
    kept: np.ndarray | None = None
    total: int = 0

    def all_labels(self, n: int) -> Any:
        """Labels of all rows of the data, for a sample of n."""
        import pandas as pd

        if self.index is not None and self.index.is_unique:
            return self.index
        return pd.RangeIndex(n if self.kept is None else self.total)

    def labels(self, n: int) -> Any:
        """Labels of the rows of a sample of n."""
        found = self.all_labels(n)
        return found if self.kept is None else found[self.kept]

    def left_out(self, n: int) -> Any:
        """Labels of the rows that are left out."""
        found = self.all_labels(n)
        return found[:0] if self.kept is None else found.delete(self.kept)

    def within(self, kept: np.ndarray, total: int) -> "Origin":
        """Leave out more rows: all but those at positions ``kept`` among ``total`` that were left."""
        if len(kept) == total:
            return self
        if self.kept is not None:
            kept, total = self.kept[kept], self.total
        return dataclasses.replace(self, kept=kept, total=total)


@dataclasses.dataclass(frozen=True, eq=False)
class Sample:
    """Observations as rows, with the labels of rows and columns and with weights.

    Attributes
    ----------
    rows : (n, d) array
        One row an observation.
    columns : list of str or None
        Names of the coordinates, where there are several and the data name them.
    given_weights : (n,) array or None
        Observation weights as they were given.
    covariates : int
        How many coordinates, the first, are given rather than simulated.
    origin : Origin
        The rows of the data that these are, and their labels there.
    """

    rows: np.ndarray
    columns: list[str] | None = None
    given_weights: np.ndarray | None = None
    covariates: int = 0
    origin: Origin = Origin()

    def __len__(self):
        return len(self.rows)

    @functools.cached_property
    def labels(self) -> Any:
        """What reports call the observations, a pandas Index: the data's own where it names each row.

        Elsewhere, without an index or with one in which a label occurs twice, positions among the rows of the data.
        """
        return self.origin.labels(len(self))

    @property
    def is_labelled(self) -> bool:
        """Whether the labels are other than the observations' positions."""
        return not np.array_equal(self.labels, np.arange(len(self)))

    @property
    def left_out(self) -> Any:
        """Labels of the rows of the data that are left out, as values are missing there; an Index, perhaps empty."""
        return self.origin.left_out(len(self))

    def beside(self, values, name: str, spare: np.ndarray | None = None):
        """Bring what stands beside the data to the observations; a text names a column of the data.

        Observations that are ``spare`` (n,) will be left out and need no label.

        Raises ``ValueError`` for labels that do not match the data's, and for a column that is not there.
        """
        if isinstance(values, str):
            return self._column(values, name)
        total = len(self) if self.origin.kept is None else self.origin.total
        return beside(values, name, self.origin.index, total, self.origin.kept, spare)

    def points(self, points) -> np.ndarray:
        """Read points of the observations' space as numbers (k, d); columns of a frame are matched by name.

        Raises ``ValueError`` or ``TypeError`` for points of another shape.
        """
        return checked_points(in_order_of(points, "points", None, self.columns), self.d)

    def _column(self, column: str, name: str):
        import pandas as pd

        if self.origin.frame is not None:
            found = column_of(self.origin.frame, column, name)
            return found if self.origin.kept is None else found.iloc[self.origin.kept]
        if self.columns is None:
            raise ValueError(f"{name}: got {column!r}, but the data have no named columns; give the values themselves.")
        return column_of(pd.DataFrame(self.rows, columns=self.columns), column, name)

    def in_order(self, data, name: str):
        """Put other data in the order of these: their columns, and their rows where those have weights."""
        index = None if self.given_weights is None else self.origin.index
        if index is not None and self.origin.kept is not None:
            index = index[self.origin.kept]
        return in_order_of(data, name, index, self.columns)

    def out_of(self, origin: Origin, total: int) -> "Sample":
        """Give the same observations, read from ``total`` rows of an origin, as rows of that."""
        kept = np.arange(total) if self.origin.kept is None else self.origin.kept
        return dataclasses.replace(self, origin=origin.within(kept, total))

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
        """Give the same observations with other weights (n,), of which only the ratios count.

        Those of a Series are matched by its index, where the data have one.
        """
        return dataclasses.replace(self, given_weights=checked_weights(self.beside(weights, "weights"), len(self)))

    def check_variation(self, parameters: int) -> None:
        """Refuse a sample that has too few values for so many ``parameters``, is constant, or of collinear columns."""
        rows = self.rows if self.given_weights is None else self.rows[self.given_weights > 0]
        check_variation(rows, parameters, self.covariates, self.columns)


def check_variation(rows: np.ndarray, parameters: int, covariates: int, columns: list[str] | None) -> None:
    """Refuse observations (n, d) of too few values for so many ``parameters``, constant, or of collinear columns."""
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
    if d == 1 and (distinct := len(np.unique(rows))) <= parameters:
        raise ValueError(
            f"data: only {distinct} different values, which cannot tell {parameters} parameters apart; give data with "
            f"at least {parameters + 1}, or hold parameters with generator.fix()."
        )
    if d > 1:
        scaled = (rows - rows.mean(axis=0)) / rows.std(axis=0)
        if np.linalg.matrix_rank(scaled, tol=1e-8 * np.sqrt(rows.size)) < d:
            raise ValueError("data: the columns are collinear; drop one that the others determine.")


def check_variations(samples: np.ndarray, parameters: int, covariates: int, columns: list[str] | None) -> None:
    """Check each of several samples (R, n, d), as ``check_variation`` does."""
    if samples.shape[2] == 1 and not covariates:
        ordered = np.sort(samples[..., 0], axis=1)
        if np.all(np.count_nonzero(np.diff(ordered, axis=1), axis=1) >= parameters):
            return
    for rows in samples:
        check_variation(rows, parameters, covariates, columns)


def checked_weights(weights, n: int) -> np.ndarray:
    """Return observation weights (n,), not negative and at least two of them positive."""
    weights = readable_weights(weights, n)
    if not np.all(np.isfinite(weights)) or np.any(weights < 0):
        raise ValueError("weights: some are negative, NaN or infinite; give finite non-negative numbers.")
    if np.sum(weights > 0) < 2:
        raise ValueError("weights: fewer than two are positive; at least two observations must count.")
    return weights


def readable_weights(weights, n: int) -> np.ndarray:
    """Return weights (n,) as numbers, NaN where one is missing."""
    masked = has_masked(weights)
    try:
        weights = numbers(weights)
    except (TypeError, ValueError, OverflowError):
        raise TypeError("weights: not numeric; give one non-negative number an observation.") from None
    if masked:
        raise ValueError("weights: some are masked; give a number, perhaps 0, for every observation.")
    if weights.shape != (n,):
        raise ValueError(f"weights: shape {weights.shape}; give one for each of the {n} observations.")
    return weights


def medians_and_scales(rows: np.ndarray, weights: np.ndarray, covariates: int) -> tuple[np.ndarray, np.ndarray]:
    """Weighted medians and robust scales of the coordinates of rows (n, d): (d,) each.

    Covariates may be dummies, of which the median absolute deviation says nothing: theirs are standard deviations.
    """
    center = np.array([quantile(column, 0.5, weights) for column in rows.T])
    spreads = [np.std(column[weights > 0]) or 1.0 for column in rows.T[:covariates]]
    return center, np.array([*spreads, *(robust_scale(column, weights) for column in rows.T[covariates:])])
