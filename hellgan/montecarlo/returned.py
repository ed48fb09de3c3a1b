"""What a user's method returned of a sample, read: columns of numbers by name, and facts about the fit."""

import difflib
from collections.abc import Iterable, Sequence
from typing import Any

from hellgan.checks import shown

# What a function may say of a sample; the first four by parameter.
_COLUMNS = ("estimate", "std_error", "lower", "upper")
_OF_ESTIMATE = (*_COLUMNS, "converged", "message", "iterations")


def returned_table(returned) -> dict[str, Any]:
    """Read what a function returned: columns, each a mapping of names to numbers, and facts about the fit.

    Raises
    ------
    TypeError
        For what holds no estimates by name.
    ValueError
        For an error or an end of an interval without its estimate, or one end without the other.
    """
    table = _table(returned)
    for column in _COLUMNS[1:]:
        if column not in table:
            continue
        if not hasattr(table[column], "items"):
            raise TypeError(
                f"methods: a function returned {shown(table[column])} as its {column}; give a dict of names."
            )
        other = next((name for name in table[column] if name not in table["estimate"]), None)
        if other is not None:
            known = ", ".join(map(str, table["estimate"]))
            raise ValueError(
                f"methods: a function returned a {column} of {shown(other)} without an estimate; it estimates {known}."
            )
    if ("lower" in table) != ("upper" in table):
        there, absent = ("lower", "upper") if "lower" in table else ("upper", "lower")
        raise ValueError(f"methods: a function returned {there} without {absent}; give both ends of an interval.")
    return table


def checked_names(names: Iterable[Any], estimands: Sequence[str]) -> tuple[str, ...]:
    """Return the names of a function's estimates, or refuse them.

    Raises
    ------
    ValueError, TypeError
        Where there are none, for one that is no text, and for one that seems to be a misspelt estimand.
    """
    names = list(names)
    if not names:
        raise ValueError("methods: a function returned no estimate; give at least one, as in {'loc': x.mean()}.")
    for name in names:
        if not isinstance(name, str) or not name:
            raise TypeError(
                f"methods: a function named an estimate {shown(name)}; give names as text, as in "
                "pd.Series({'loc': x.mean()})."
            )
        near = [each for each in estimands if each not in names and abs(len(each) - len(name)) <= 1]
        meant = difflib.get_close_matches(name, near, 1) if name not in estimands else []
        if meant:
            raise ValueError(
                f"methods: a function estimates {name!r}, which has no true value here; is it {meant[0]!r}? If "
                "not, give the truth estimands= with both names, NaN for what is not known."
            )
    return tuple(name.encode("utf-8", "backslashreplace").decode() for name in names)


def _table(returned) -> dict[str, Any]:
    """Read what a function returned: columns, each a mapping of names to numbers, and facts about the fit."""
    if hasattr(returned, "params") and hasattr(returned, "bse"):  # this package's results, and statsmodels' on frames
        return {"estimate": dict(returned.params), "std_error": dict(returned.bse)}
    if hasattr(returned, "columns") and "estimate" in returned:  # a frame, parameters in its index
        return {str(name): dict(returned[name]) for name in returned.columns}
    if hasattr(returned, "items"):
        given = dict(returned.items())
        if not hasattr(given.get("estimate"), "items"):
            return {"estimate": given}
        unknown = [key for key in given if key not in _OF_ESTIMATE]
        if unknown:
            raise TypeError(
                f"methods: a function returned {unknown[0]!r} beside its estimates; give {', '.join(_OF_ESTIMATE)}."
            )
        return given
    raise TypeError(
        f"methods: a function returned {shown(returned)}; it must return estimates by name, as a dict or Series, a "
        "frame with the columns estimate, std_error, lower, upper, or a fit."
    )
