"""The long frame of a study's results in groups: replicates of one method, cell and parameter, in order."""

import itertools
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from hellgan.montecarlo.replicates import Replicates, require_level

_NUMBERS = ("estimate", "std_error", "lower", "upper")


class Groups:
    """A frame that is sorted once, of whose columns every group is a slice.

    Parameters
    ----------
    frame : DataFrame
    keys : list of str
        Columns that tell groups apart, ``parameter`` among them; missing values are values of their own.
    level : float
        Of the intervals.

    Attributes
    ----------
    first : DataFrame
        The keys of every group, in order of the groups' first rows.
    """

    def __init__(self, frame: pd.DataFrame, keys: list[str], level: float):
        _require_columns(frame, keys)
        require_level(level)
        self.keys, self.level = keys, level
        code = _codes(frame, keys)
        # Replicates are numbers or labels: only their order matters.
        replicate = pd.factorize(frame["replicate"], sort=True)[0]
        order = np.lexsort((replicate, code))
        code, self._replicate = code[order], replicate[order]
        edges = np.flatnonzero(np.diff(code, prepend=-1, append=-1))
        self._slices = [slice(int(a), int(b)) for a, b in itertools.pairwise(edges)]
        self._columns = {name: frame[name].to_numpy(np.float64, na_value=np.nan)[order] for name in _NUMBERS}
        self._columns["converged"] = frame["converged"].to_numpy(bool)[order]
        self._truth = frame["truth"].to_numpy(np.float64, na_value=np.nan)[order]
        self.first = frame[keys].iloc[_firsts(order, edges[:-1])].reset_index(drop=True)
        self._check(code[1:] == code[:-1])

    def __len__(self):
        return len(self._slices)

    def __getitem__(self, g: int) -> Replicates:
        part = self._slices[g]
        columns = {name: column[part] for name, column in self._columns.items()}
        return Replicates(**columns, truth=float(self._truth[part.start]), level=self.level)

    def _check(self, same):
        """Refuse replicates that come twice and truths that vary; ``same``: a row and the next are of one group."""
        twice = np.flatnonzero(same & (self._replicate[1:] == self._replicate[:-1]))
        if twice.size:
            raise ValueError(
                f"by: {twice.size} rows repeat a replicate of their group, first in {self._name(twice[0])}; name all "
                "columns that tell cells apart."
            )
        a, b = self._truth[1:], self._truth[:-1]
        varies = np.flatnonzero(same & (a != b) & ~(np.isnan(a) & np.isnan(b)))
        if varies.size:
            raise ValueError(
                f"truth: both {b[varies[0]]:g} and {a[varies[0]]:g} in {self._name(varies[0])}; name all columns that "
                "tell cells apart, or give one truth."
            )

    def _name(self, row):
        g = next(g for g, part in enumerate(self._slices) if part.start <= row < part.stop)
        return ", ".join(f"{key} {value}" for key, value in self.first.iloc[g].items())

    def partners(self, method: str) -> Mapping[int, int]:
        """Map every group to that of ``method`` in the same cell and for the same parameter, where there is one."""
        cell = _codes(self.first, [key for key in self.keys if key != "method"])
        is_reference = (self.first["method"] == method).to_numpy(bool)
        of_cell = dict(zip(cell[is_reference], np.flatnonzero(is_reference), strict=True))
        return {g: int(of_cell[c]) for g, c in enumerate(cell) if c in of_cell}

    def paired(self, g: int, partner: int | None) -> Replicates | None:
        """Give the partner's replicates in the order of group g; one that is lacking is a failure without estimate."""
        if partner is None:
            return None
        other, wanted, has = self[partner], self._replicate[self._slices[g]], self._replicate[self._slices[partner]]
        if np.array_equal(wanted, has):
            return other
        at = np.minimum(np.searchsorted(has, wanted), len(has) - 1)
        there = has[at] == wanted
        numbers = {name: np.where(there, getattr(other, name)[at], np.nan) for name in _NUMBERS}
        return other._replace(**numbers, converged=other.converged[at] & there)


def _codes(frame, keys):
    """Number the groups in order of appearance: (rows,)."""
    if not keys:
        return np.zeros(len(frame), np.intp)
    return frame.groupby(keys, sort=False, observed=True, dropna=False).ngroup().to_numpy()


def _firsts(order, starts):
    """Give the first row of every group, as a position in the unsorted frame."""
    return np.minimum.reduceat(order, starts) if len(starts) else np.zeros(0, np.intp)


def _require_columns(frame: pd.DataFrame, keys: Sequence[str]) -> None:
    """Refuse a frame that is not one of results."""
    missing = [c for c in [*keys, "replicate", "parameter", *_NUMBERS, "truth", "converged"] if c not in frame.columns]
    if missing:
        raise ValueError(
            f"frame: no column {', '.join(map(repr, dict.fromkeys(missing)))}; give the study's long frame."
        )
    # Converted to bool, text and missing values would all count as converged.
    converged = frame["converged"]
    if not pd.api.types.is_bool_dtype(converged.dtype) or bool(np.any(converged.isna())):
        raise ValueError(f"frame: converged is {converged.dtype}, or missing; give True or False in every row.")
