"""Designs of regressions: what a formula makes of a frame, and covariates to predict at."""

import warnings
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from hellgan.checks import first_sentence, numbers, shown
from hellgan.samples.frames import as_pandas, beside, column_of, plain, table
from hellgan.samples.reading import check_missing
from hellgan.samples.sample import Origin, readable_weights

if TYPE_CHECKING:
    from pandas import DataFrame


INTERCEPT = "Intercept"  # the name of the constant column, as formulaic has it


class Factor(NamedTuple):
    """A categorical term of a formula that is made of one variable: its name in the formula, the variable, levels."""

    name: str
    variable: str
    levels: Sequence


class Design(NamedTuple):
    """What a formula makes of a frame: rows of covariates and, last, the response."""

    frame: "DataFrame"
    covariates: list[str]
    has_intercept: bool
    again: Callable[["DataFrame"], "DataFrame"]  # makes the same design of other data
    origin: Origin  # all rows of the data, and which of them are without missing values
    factors: list[Factor]
    rows: int  # how many the data have, those with missing values among them

    def weights(self, given, missing: str) -> np.ndarray | None:
        """Take the weights of the design's rows from those of all rows of the data, or from one of its columns.

        Raises ``ValueError`` for rows with missing values, where they are to be refused.
        """
        check_missing(missing)
        if missing == "raise" and len(self.frame) < self.rows:
            label = shown(plain(self.origin.left_out(len(self.frame))[0]))
            raise ValueError(
                f"data: {self.rows - len(self.frame)} of {self.rows} rows have missing values in variables of the "
                f"formula, the first is {label}; drop or impute them, or give missing='drop'."
            )
        if given is None:
            return None
        kept = np.arange(self.rows) if self.origin.kept is None else self.origin.kept
        if isinstance(given, str):
            whole = column_of(self.origin.frame, given, "weights")
        else:
            spare = ~np.isin(np.arange(self.rows), kept)
            whole = beside(given, "weights", self.origin.index, self.rows, spare=spare)
        return readable_weights(whole, self.rows)[kept]

    def require_levels(self, weights: np.ndarray | None) -> None:
        """Refuse a level of which the design has a column, but no observation, or none with a positive weight (n,)."""
        for factor in self.factors:
            values = self.origin.frame[factor.variable]
            values = values if self.origin.kept is None else values.iloc[self.origin.kept]
            found = set(values if weights is None else values[np.nan_to_num(weights) > 0])
            unused = [level for level in factor.levels if level not in found]
            if unused and found & set(factor.levels):
                of = "" if weights is None or unused[0] not in set(values) else " of positive weight"
                raise ValueError(
                    f"formula: the level {shown(unused[0])} of {factor.name} has no observation{of} and so no "
                    f"coefficient; drop it, as by data[{factor.variable!r}].cat.remove_unused_categories()."
                )


class _Again:
    """Function that makes a formula's design of other data; copies in other processes lack the caller's variables."""

    def __init__(self, spec, needed: tuple[str, ...], context=None):
        self.spec, self.needed, self.context = spec, needed, context

    def __call__(self, data):
        from formulaic.errors import DataMismatchWarning

        _require_columns(data, self.needed)
        with warnings.catch_warnings():
            warnings.simplefilter("error", DataMismatchWarning)  # a level that the fit has not seen has no coefficient
            return self.spec.get_model_matrix(data, context=self.context, na_action="drop")

    def require_values(self, frame) -> None:
        """Refuse levels that the fit has not seen, and text where it had numbers; ``frame`` is a prediction's."""
        import pandas as pd

        for factor in _factors(self.spec):
            if factor.name in (factor.variable, f"C({factor.variable})") and factor.variable in frame:
                values = pd.Series(np.ravel(frame[factor.variable]))
                unseen = [v for v in values.dropna().unique().tolist() if v not in factor.levels]
                if unseen:
                    raise ValueError(
                        f"exog: the level {shown(unseen[0])} of {factor.name} is none of the fit's; give one of "
                        f"{', '.join(map(str, factor.levels))}."
                    )
        for name in _numeric(self.spec):
            texts = [v for v in np.ravel(frame[name]).tolist() if isinstance(v, str)] if name in frame else []
            if texts:
                raise ValueError(f"exog: {name} holds text such as {shown(texts[0])}; give numbers, as in the fit.")

    def __deepcopy__(self, memo):
        return self

    def __reduce__(self):
        return _Again, (self.spec, self.needed)


def read_formula(formula, data, depth: int = 1) -> Design:
    """Make the design of a formula; rows with missing values are dropped.

    The formula may call functions, and name variables, that are visible ``depth`` calls above the caller; a Series
    among these is matched to the data by its index. Raises ``ValueError`` or ``TypeError`` for a formula or data that
    make no design.
    """
    import formulaic
    import pandas as pd
    from formulaic.utils.context import capture_context

    if not isinstance(formula, str):
        raise TypeError(f"formula: got {shown(formula)}; give a text such as 'y ~ x1 + x2'.")
    context: Any = capture_context(depth + 1)
    given, index = table(data, "data")
    frame = given.reset_index(drop=True)
    named = _variables(formula, frame)
    _require_single(frame, named, "formula: the data have")
    for name in named:
        if name not in frame and (value := _surrounding(name, context, index, len(frame))) is not None:
            frame[name] = value
    try:
        matrices: Any = formulaic.model_matrix(formula, frame, context=context, na_action="drop")
    except Exception as error:
        raise ValueError(
            f"formula: {_reason(error, frame, named)}; the data have {', '.join(map(str, given.columns))}; give a "
            "formula such as 'y ~ x1 + x2' of the data's columns."
        ) from None
    count = matrices.lhs.shape[1] if hasattr(matrices, "lhs") else 0
    if count != 1:
        levels = [str(name) for name in (matrices.lhs.model_spec.factor_contrasts if count else ())]
        what = f"{levels[0]} on the left of its ~, which is text or a factor" if levels else f"{count} responses"
        raise ValueError(f"formula: {shown(formula)} has {what}; give one numeric variable there.")
    response, design = matrices.lhs, matrices.rhs
    if not len(design):
        raise ValueError(f"formula: {shown(formula)} leaves no row without missing values; drop or impute them first.")
    covariates = [str(name) for name in design.columns if name != INTERCEPT]
    if not covariates:
        raise ValueError(f"formula: {shown(formula)} has no covariates; fit a family such as hg.generators.Normal().")
    spec = design.model_spec
    needed = tuple(sorted(map(str, spec.variables_by_source.get("data", ()))))
    origin = Origin(index, frame=frame).within(design.index.to_numpy(), len(frame))
    joined = pd.concat([design[covariates], response], axis=1)
    for name, kind in joined.dtypes.items():
        if kind.kind in "mM":
            raise ValueError(f"formula: {_of_dates(name)}.")
    again = _Again(spec, needed, context)
    return Design(joined, covariates, INTERCEPT in design.columns, again, origin, _factors(spec), len(frame))


def _variables(formula: str, frame) -> list[str]:
    """Names that a formula uses; all columns where it cannot be read, which formulaic then says better."""
    import formulaic

    try:
        return sorted(map(str, formulaic.Formula.from_spec(formula).required_variables))
    except Exception:
        return [str(column) for column in frame.columns]


def _surrounding(name: str, context, index, n: int):
    """A variable of the caller's with a value for each row of the data; None where the name stands for what has not."""
    try:
        value = context[name]
    except KeyError:
        return None
    if not isinstance(value, (list, tuple)) and not hasattr(value, "__array__"):
        return None
    if np.ndim(value) != 1 or (len(value) != n and not hasattr(value, "index")):
        return None
    value = beside(value, f"formula: {name}", index, n)
    if len(value) != n:
        return None
    return value.reset_index(drop=True) if hasattr(value, "reset_index") else value


def _require_columns(frame, needed: Sequence[str]) -> None:
    absent = [name for name in needed if name not in frame]
    if absent:
        raise ValueError(f"there is no column {absent[0]}, which the formula needs beside {', '.join(needed)}")
    _require_single(frame, needed, "there are")


def _require_single(frame, names: Sequence[str], there_are: str) -> None:
    twice = [name for name in names if sum(column == name for column in frame.columns) > 1]
    if twice:
        raise ValueError(f"{there_are} two columns of the same name {twice[0]!r}; rename or drop one.")


def _factors(spec) -> list[Factor]:
    """The categorical terms of a formula that are made of one variable of the data."""
    found, data = [], set(spec.variables_by_source.get("data", ()))
    for factor, variables in spec.factor_variables.items():
        own = [str(name) for name in variables if name in data]
        state = spec.encoder_state.get(factor.expr, (None, {}))[1]
        if len(own) == 1 and "categories" in state:
            found.append(Factor(factor.expr, own[0], list(state["categories"])))
    return found


def _numeric(spec) -> list[str]:
    """The variables of the data that stand in a formula as numbers, and as they are."""
    kinds = {str(expression): kind.value for expression, (kind, _) in spec.encoder_state.items()}
    return [name for name in map(str, spec.variables_by_source.get("data", ())) if kinds.get(name) == "numerical"]


def _reason(error: Exception, frame=None, named: Sequence[str] = ()) -> str:
    """Say why formulaic refuses, in part of a sentence: what it was at, and the error behind that."""
    text, cause = first_sentence(error), error.__cause__
    if type(error).__name__ == "FactorEvaluationError" and isinstance(cause, Exception):
        behind = "; ".join(" ".join(str(cause).split()).rstrip(".").split(". "))[:300]
        return f"{text} ({behind or type(cause).__name__})"
    dates = [n for n in named if frame is not None and n in frame and frame[n].dtype.kind in "mM"]
    if dates:
        return _of_dates(dates[0])
    return text or type(error).__name__


def _of_dates(name) -> str:
    return (
        f"{name} holds dates or spans of time, which have no slope, so turn them into numbers of days, months or "
        f"years, or into levels by C({name})"
    )


def read_covariates(data, k: int, columns: list[str] | None, again) -> np.ndarray:
    """Read covariates (r, k) for a prediction: by a formula, by name, or as they stand.

    ``again`` is the ``Design.again`` of a formula, or None. Raises ``ValueError`` or ``TypeError`` for data that do not
    hold the covariates.
    """
    import pandas as pd

    if again is not None:
        frame = table(data, "exog")[0].reset_index(drop=True)
        again.require_values(frame)
        try:
            design = again(frame)
        except Exception as error:
            raise ValueError(
                f"exog: {_reason(error)}; give the variables of the formula, or the design itself with transform=False."
            ) from None
        return design.reindex(frame.index)[columns].to_numpy(np.float64)
    data = as_pandas(data, "exog")
    if isinstance(data, pd.DataFrame) and columns is not None:
        missing = [name for name in columns if name not in data.columns]
        if missing:
            raise ValueError(f"exog: there is no column {missing[0]}; give the covariates {', '.join(columns)}.")
        _require_single(data, columns, "exog: there are")
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
