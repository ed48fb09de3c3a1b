"""Designs of regressions: what a formula makes of a frame, and covariates to predict at."""

import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from hellgan.checks import first_sentence, numbers, shown

if TYPE_CHECKING:
    from pandas import DataFrame


INTERCEPT = "Intercept"  # the name of the constant column, as formulaic has it


class Design(NamedTuple):
    """What a formula makes of a frame: rows of covariates and, last, the response."""

    frame: "DataFrame"
    covariates: list[str]
    has_intercept: bool
    again: Callable[["DataFrame"], "DataFrame"]  # makes the same design of other data
    rows: int  # how many the data have, those with missing values among them
    complete: np.ndarray  # positions of the rows without missing values


class _Again:
    """Function that makes a formula's design of other data; copies in other processes lack the caller's variables."""

    def __init__(self, spec, context=None):
        self.spec, self.context = spec, context

    def __call__(self, data):
        from formulaic.errors import DataMismatchWarning

        with warnings.catch_warnings():
            warnings.simplefilter("error", DataMismatchWarning)  # a level that the fit has not seen has no coefficient
            return self.spec.get_model_matrix(data, context=self.context, na_action="drop")

    def __deepcopy__(self, memo):
        return self

    def __reduce__(self):
        return _Again, (self.spec,)


def read_formula(formula, data, depth: int = 1) -> Design:
    """Make the design of a formula; rows with missing values are dropped.

    The formula may call functions that are visible ``depth`` calls above the caller. Raises ``ValueError`` or
    ``TypeError`` for a formula or data that make no design.
    """
    import formulaic
    import pandas as pd
    from formulaic.utils.context import capture_context

    if not isinstance(formula, str):
        raise TypeError(f"formula: got {shown(formula)}; give a text such as 'y ~ x1 + x2'.")
    context: Any = capture_context(depth + 1)
    try:
        frame = pd.DataFrame(data).reset_index(drop=True)
        matrices: Any = formulaic.model_matrix(formula, frame, context=context, na_action="drop")
    except Exception as error:
        columns = f"; the data have {', '.join(map(str, data.keys()))}" if hasattr(data, "keys") else ""
        raise ValueError(
            f"formula: {first_sentence(error)}{columns}; give a formula such as 'y ~ x1 + x2' of the data's columns."
        ) from None
    count = matrices.lhs.shape[1] if hasattr(matrices, "lhs") else 0
    if count != 1:
        raise ValueError(
            f"formula: {shown(formula)} has {count} responses; give one numeric variable on the left of its ~."
        )
    response, design = matrices.lhs, matrices.rhs
    if not len(design):
        raise ValueError(f"formula: {shown(formula)} leaves no row without missing values; drop or impute them first.")
    covariates = [str(name) for name in design.columns if name != INTERCEPT]
    if not covariates:
        raise ValueError(f"formula: {shown(formula)} has no covariates; fit a family such as hg.generators.Normal().")
    again = _Again(design.model_spec, context)
    joined = pd.concat([design[covariates], response], axis=1)
    return Design(joined, covariates, INTERCEPT in design.columns, again, len(frame), design.index.to_numpy())


def read_covariates(data, k: int, columns: list[str] | None, again) -> np.ndarray:
    """Read covariates (r, k) for a prediction: by a formula, by name, or as they stand.

    ``again`` is the ``Design.again`` of a formula, or None. Raises ``ValueError`` or ``TypeError`` for data that do not
    hold the covariates.
    """
    import pandas as pd

    if again is not None:
        try:
            frame = pd.DataFrame(data).reset_index(drop=True)
            design = again(frame)
        except Exception as error:
            raise ValueError(
                f"exog: {first_sentence(error)}; give the variables of the formula, or the design itself with "
                "transform=False."
            ) from None
        return design.reindex(frame.index)[columns].to_numpy(np.float64)
    if isinstance(data, pd.DataFrame) and columns is not None:
        missing = [name for name in columns if name not in data.columns]
        if missing:
            raise ValueError(f"exog: there is no column {missing[0]}; give the covariates {', '.join(columns)}.")
        data = data[columns]
    try:
        x = np.column_stack([numbers(data[c]) for c in data]) if isinstance(data, pd.DataFrame) else numbers(data)
    except (TypeError, ValueError) as error:
        raise TypeError(f"exog: not numeric ({first_sentence(error)}); give the covariates as numbers.") from None
    if x.ndim == 1 and k == 1:
        x = x[:, None]
    if x.ndim != 2 or x.shape[1] != k:
        raise ValueError(f"exog: shape {x.shape}; give the covariates in shape (r, {k}).")
    return x
