"""Reading of data: numbers of their own memory in a family's shape, rows with missing values refused or left out."""

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np

from hellgan.checks import first_sentence, has_masked, numbers, shown
from hellgan.samples.frames import as_pandas
from hellgan.samples.sample import Family, Origin, Sample, checked_weights, readable_weights

MISSING = ("raise", "drop")

# Larger numbers have squares that overflow, in standardised monomials and squared distances.
_LARGEST = 1e150


def read(data, family: Family, missing: str = "raise", weights=None) -> tuple[Sample, Any]:
    """Read data for a family: numbers of their own memory, finite, in the family's shape.

    Parameters
    ----------
    data : array_like, Series or DataFrame
        (n,) or (n, d).
    family : Family
        A generator; a regression that does not know its covariates takes their names from the data.
    missing : {"raise", "drop"}
        What happens to rows in which a value, or the weight, is missing.
    weights : array_like, optional
        As ``Sample.with_weights`` takes them, a value for every row of the data.

    Returns
    -------
    sample, family
        The observations, and the family bound to their shape and names.

    Raises
    ------
    ValueError, TypeError
        For data that cannot be this family's, in one sentence.
    """
    check_missing(missing)
    foreign, data = data, as_pandas(data, "data")
    columns = [str(c) for c in data.columns] if hasattr(data, "columns") else None
    is_masked = has_masked(data)
    if is_masked and missing == "raise":
        raise ValueError("data: some values are masked; drop them first, or give missing='drop'.")
    try:
        if is_masked:
            data = _filled(data)
        if hasattr(data, "dtypes") and columns is not None:
            # By position: two columns may share a name.
            parts = [data.iloc[:, k] if hasattr(data, "iloc") else data[c] for k, c in enumerate(data.columns)]
            x = np.column_stack([numbers(part) for part in parts]) if columns else np.empty((0, 0))
        else:
            x = numbers(data)
    except (TypeError, ValueError, OverflowError) as error:
        raise TypeError(f"data: not numeric ({first_sentence(error)}); give finite numbers.") from None
    family = family.bound_to(columns, x.shape)
    rows = x[:, None] if x.ndim == 1 else x
    d = family.dim
    if rows.ndim != 2 or rows.shape[1] != d:
        wanted = "(n,)" if d == 1 else f"(n, {d})"
        what = "the covariates and, last, the response" if family.covariates else "one row an observation"
        draws = "" if d == 1 or family.covariates else f" draws {d} numbers at once and"
        raise ValueError(f"data: shape {np.shape(data)}; {family.name}{draws} needs shape {wanted}, {what}.")
    index = data.index if foreign is data and hasattr(data, "index") and not callable(data.index) else None
    named = columns[0] if columns and d == 1 else getattr(data, "name", None)
    origin = Origin(index, named if isinstance(named, str) else None)
    sample = Sample(rows, columns if d > 1 else None, covariates=family.covariates, origin=origin)
    if weights is not None:
        weights = sample.beside(weights, "weights", np.any(np.isnan(rows), axis=1) if missing == "drop" else None)
    sample, weights = complete(sample, weights) if missing == "drop" else (sample, weights)
    _check_numbers(sample.rows)
    if weights is not None:
        sample = dataclasses.replace(sample, given_weights=checked_weights(weights, len(sample)))
    return sample, family


def read_each(samples: Sequence, family: Family) -> np.ndarray:
    """Read several samples of one shape for a family, each as ``read`` does: (R, n, d)."""
    is_plain = all(type(sample) is np.ndarray and sample.dtype.kind in "iuf" for sample in samples)
    if is_plain and len({sample.shape for sample in samples}) == 1:
        rows = np.array(samples, np.float64)  # of their own memory
        rows = rows[..., None] if rows.ndim == 2 else rows
        with np.errstate(invalid="ignore"):
            if (
                rows.ndim == 3
                and rows.shape[2] == family.dim
                and rows.shape[1] >= 2
                and np.all(np.abs(rows) < _LARGEST)
            ):
                return rows
    return np.stack([read(sample, family)[0].rows for sample in samples])


def complete(sample: Sample, weights) -> tuple[Sample, Any]:
    """Leave out the rows in which a value, or the weight, is missing; gives what is left of sample and weights."""
    found = ~np.any(np.isnan(sample.rows), axis=1)
    if weights is not None:
        weights = readable_weights(weights, len(sample))
        found &= ~np.isnan(weights)
    kept = np.flatnonzero(found)
    if len(kept) == len(sample):
        return sample, weights
    if len(kept) < 2:
        raise ValueError(f"data: {len(kept)} of {len(sample)} rows are without missing values; give at least 2.")
    origin = sample.origin.within(kept, len(sample))
    left = dataclasses.replace(sample, rows=sample.rows[kept], origin=origin)
    return left, None if weights is None else weights[kept]


def check_missing(missing) -> None:
    """Refuse what says nothing of rows with missing values."""
    if not isinstance(missing, str) or missing not in MISSING:
        raise ValueError(f"missing: got {shown(missing)}; give 'raise' or 'drop'.")


def _check_numbers(rows):
    n = len(rows)
    if n < 2:
        raise ValueError(f"data: {n} observations; give at least 2.")
    bad = int(np.sum(~np.all(np.isfinite(rows), axis=1)))
    if bad:
        remedy = "; drop or impute them first" if np.any(np.isinf(rows)) else "; impute them, or give missing='drop'"
        raise ValueError(f"data: {bad} of {n} observations {'is' if bad == 1 else 'are'} NaN or infinite{remedy}.")
    if np.max(np.abs(rows)) > _LARGEST:
        raise ValueError(f"data: some values exceed {_LARGEST:g} in size; give them in larger units.")


def _filled(data) -> Any:
    return np.ma.filled(np.ma.asarray(data, np.float64), np.nan)
