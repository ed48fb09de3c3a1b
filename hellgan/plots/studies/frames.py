"""What figures of studies take from a frame: rows, the order of levels, failures, the looks of methods."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from hellgan.plots.canvas import MARKERS, STYLES

Z = 1.959963984540054  # bars and bands are of 95 % about a Monte Carlo summary

# Columns that hold what a study found: none of them is a factor.
_FOUND = (
    "replicate", "estimate", "std_error", "lower", "upper", "converged", "is_saddle", "iterations", "seconds",
    "message", "warned", "value", "mcse", "with_failures", "with_failures_mcse", "n_used", "n_failed",
    "replications",
)  # fmt: skip


class Look(NamedTuple):
    """How the lines and points of a method are drawn."""

    color: str
    linestyle: str | tuple
    marker: str


def looks(methods: Sequence) -> dict:
    """Give each method colour, line style and marker, by its position."""
    return {
        method: Look(*STYLES[k % len(STYLES)], MARKERS[k % len(MARKERS)])
        for k, method in enumerate(dict.fromkeys(methods))
    }


def looks_in(frame, methods: Sequence | None) -> dict:
    """Give the looks of methods by their places among ``methods``, or else in the whole frame, of all parameters."""
    column = frame["method"]
    return looks(methods if methods is not None else column.cat.categories if hasattr(column, "cat") else column)


def levels(column) -> list:
    """List the values of a column: in increasing order where they are numbers, else as they come."""
    if hasattr(column, "cat"):
        present = set(column)
        return [level for level in column.cat.categories if level in present]
    found = list(dict.fromkeys(column.tolist()))
    return sorted(found) if all(isinstance(level, (int, float, np.number)) for level in found) else found


def need(frame, columns: Sequence[str]) -> None:
    """Refuse a frame that has no rows or lacks columns."""
    missing = [name for name in columns if name not in frame]
    if missing:
        raise ValueError(f"frame: no column {missing[0]!r}; its columns are {', '.join(map(str, frame))}.")
    if not len(frame):
        raise ValueError("frame: it has no rows; nothing can be drawn.")


def rows(frame, parameter, methods, measures: Sequence[str] = (), with_failures: bool = False):
    """Choose rows of a frame.

    Parameters
    ----------
    frame : DataFrame
    parameter : str or None
        The frame must have a single one where it is None. Measures of no parameter, such as the rate of convergence,
        stay.
    methods : sequence or None
    measures : sequence of str
    with_failures : bool
        Put the columns ``with_failures`` and ``with_failures_mcse`` in the place of ``value`` and ``mcse``.

    Returns
    -------
    frame : DataFrame
    methods : list
        In the order in which they are drawn.
    """
    need(frame, ["method", *(["measure", "value", "mcse"] if measures else [])])
    for name, asked in (("measure", measures), ("method", methods or ())):
        unknown = [each for each in asked if each not in set(frame[name])]
        if unknown:
            raise ValueError(f"{name}: {unknown[0]!r} is not there; give some of {', '.join(_shown(frame[name]))}.")
    if measures:
        frame = frame[frame["measure"].isin(measures)]
        if with_failures:
            need(frame, ["with_failures", "with_failures_mcse"])
            frame = frame.assign(value=frame["with_failures"], mcse=frame["with_failures_mcse"])
    if "parameter" in frame:
        of_none = frame["parameter"].isna() | (frame["parameter"] == "")
        present = frame["parameter"][~of_none]
        if parameter is None and present.nunique() > 1:
            raise ValueError(f"parameter: the frame has {', '.join(_shown(present))}; choose one.")
        if parameter is not None and parameter not in set(present):
            raise ValueError(f"parameter: {parameter!r} is not there; give one of {', '.join(_shown(present))}.")
        frame = frame[of_none | (frame["parameter"] == parameter)] if parameter is not None else frame
    methods = list(dict.fromkeys(frame["method"].tolist() if methods is None else methods))
    frame = frame[frame["method"].isin(methods)]
    need(frame, [])
    return frame, methods


def single(frame, by: Sequence[str]) -> None:
    """Refuse a frame with two rows of the same levels of the columns ``by``."""
    twice = frame.duplicated(list(by))
    if twice.any():
        first = frame[twice].iloc[0]
        where = ", ".join(f"{name} = {first[name]}" for name in by)
        alike = frame[np.logical_and.reduce([frame[name] == first[name] for name in by])]
        more = [name for name in frame if name not in (*by, *_FOUND) and alike[name].nunique() > 1]
        if {"contamination", "eps"} <= set(more):
            more.remove("eps")  # which goes with the contamination
        raise ValueError(
            f"where: several rows have {where}; choose a single level of {' and of '.join(more) or 'the rest'}."
        )


def failures(failed, of, several: bool = False) -> str:
    """Say how many replicates failed; nothing where none did."""
    if not failed:
        return ""
    return f"{'up to ' if several else ''}{int(failed):,}{f' of {int(of):,}' if of else ''} failed"


def reported_failures(frame) -> str:
    """Say how many replicates failed in the worst cell of a performance frame; nothing where that is not known."""
    if "n_failed" not in frame or not len(frame):
        return ""
    # By position, since rows put together from several frames have no index of their own.
    worst = frame.iloc[int(np.argmax(frame["n_failed"].to_numpy()))]
    return failures(worst["n_failed"], worst.get("replications"), several=frame["n_failed"].nunique() > 1)


def target(measure: str, level: float) -> float | None:
    """Value that a measure should have; None for a measure of which less, or more, is always better."""
    zero = ("bias", "relative_bias", "median_bias")
    one = ("se_ratio", "mad_ratio", "convergence", "relative_efficiency", "relative_mse")
    covered = ("coverage", "bias_eliminated_coverage")
    return 0.0 if measure in zero else 1.0 if measure in one else level if measure in covered else None


def spoken(name: str) -> str:
    """Write a column's or measure's name as words."""
    capitals = {"rmse": "RMSE", "mse": "MSE", "mad": "MAD", "se": "SE"}
    return " ".join(capitals.get(word, word) for word in name.split("_"))


def _shown(column) -> list[str]:
    found = [str(value) for value in dict.fromkeys(column.tolist())]
    return found if len(found) <= 12 else [*found[:12], "..."]
