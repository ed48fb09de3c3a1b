"""The package's front doors with good arguments, and what may be wrong with one: for the fuzz of bad arguments."""

import datetime
import decimal
import fractions
import traceback
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from replicate import replications

import hellgan as hg

PACKAGE = str(Path(hg.__file__).parent)


class Door(NamedTuple):
    """A callable with good arguments, and the arguments that are tried, each with the words one of which tells it."""

    call: Callable[..., Any]
    good: Mapping[str, Any]
    tried: Mapping[str, tuple[str, ...]]


class Bare:
    """An object of no use."""

    def __repr__(self):
        return "<Bare>"


ODD: list[Callable[[], Any]] = [
    lambda: None,
    lambda: True,
    lambda: False,
    lambda: 0,
    lambda: -1,
    lambda: 1,
    lambda: 2,
    lambda: 10**400,
    lambda: -(2**63),
    lambda: 2**70,
    lambda: 0.0,
    lambda: -0.5,
    lambda: 1.5,
    lambda: float("nan"),
    lambda: float("inf"),
    lambda: -float("inf"),
    lambda: 5e-324,
    lambda: 1e308,
    lambda: 1j,
    lambda: "",
    lambda: "abc",
    lambda: "1",
    lambda: "a\nb",
    lambda: "a\0b",
    lambda: "\ud83d",
    lambda: "'; drop",
    lambda: "x" * 500,
    lambda: b"abc",
    lambda: [],
    lambda: (),
    lambda: {},
    lambda: set(),
    lambda: [1.0],
    lambda: [1, "a"],
    lambda: [None],
    lambda: [[1, 2], [3]],
    lambda: ["abc", "abc"],
    lambda: {"a": 1},
    lambda: {1: 2},
    lambda: {None: []},
    lambda: {"a", "b"},
    lambda: [float("nan"), 1.0],
    lambda: np.array(3),
    lambda: np.zeros(0),
    lambda: np.ones(3),
    lambda: np.array([1 + 1j, 2]),
    lambda: np.array([None, "a"], dtype=object),
    lambda: np.ones((2, 2, 2)),
    lambda: np.ones((2, 3)),
    lambda: np.array(["a", "b"]),
    lambda: np.array(["2020-01-01"], dtype="datetime64[D]"),
    lambda: np.ma.masked_array([1.0, 2.0], mask=np.array([False, True])),
    lambda: np.float32(0.5),
    lambda: np.int8(-3),
    lambda: np.bool_(True),
    lambda: pd.Series(["a", "b"]),
    lambda: pd.Series([1.0, None]),
    lambda: pd.DataFrame({"a": [1.0]}),
    lambda: pd.DataFrame(),
    lambda: pd.NA,
    lambda: pd.NaT,
    lambda: pd.Timestamp("2020-01-01"),
    lambda: datetime.date(2020, 1, 1),
    lambda: decimal.Decimal("NaN"),
    lambda: fractions.Fraction(1, 3),
    lambda: range(3),
    lambda: iter([1.0, 2.0]),
    lambda: slice(None),
    lambda: ...,
    lambda: Bare(),
    lambda: Bare,
    lambda: int,
    lambda: np,
    lambda: lambda: None,
    lambda: lambda x: x,
    lambda: len,
    lambda: hg.generators.Normal,
    lambda: hg.generators.Normal(),
    lambda: hg.discriminators.Sigmoids,
    lambda: hg.losses.get("root"),
    lambda: hg.real(),
    lambda: hg.Cluster(0.1, loc=8.0),
    lambda: Path("nowhere"),
]


PLAIN = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.complex_numbers(),
    st.text(max_size=12),
    st.binary(max_size=6),
    st.dates(),
)
VALUES = st.one_of(
    st.sampled_from(ODD).map(lambda make: make()),
    PLAIN,
    st.lists(PLAIN, max_size=4),
    st.tuples(PLAIN, PLAIN),
    st.dictionaries(st.one_of(st.text(max_size=4), st.integers()), PLAIN, max_size=3),
    hnp.arrays(hnp.scalar_dtypes(), hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=3)),
)


def many(full, few):
    """Settings of so many examples, the same in every run."""
    return settings(
        max_examples=replications(full, few),
        derandomize=True,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),  # pyright: ignore[reportArgumentType]
    )


def mean(x):
    """A method of a study."""
    return {"loc": x.mean()}


def complaint(door: Door, argument: str, value: Any) -> str | None:
    """Say what is wrong with how a door refuses a value of an argument; None where it does so well, or accepts it."""
    shown = _shown(value)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            door.call(**{**door.good, argument: value})
        return None
    except (ValueError, TypeError, OSError) as error:
        said = str(error)
        last = traceback.extract_tb(error.__traceback__)[-1].filename
        if not last.startswith(PACKAGE):
            return f"{argument}={shown}: raised in {last.rpartition('/')[2]}: {type(error).__name__}: {said[:100]!r}"
        if not any(word in said for word in door.tried[argument]):
            return f"{argument}={shown}: does not name it: {said[:120]!r}"
        if "\n" in said or len(said) > 900:
            return f"{argument}={shown}: no one sentence: {said[:120]!r}"
        return None
    except Exception as error:
        where = traceback.extract_tb(error.__traceback__)[-1].filename.rpartition("/")[2]
        return f"{argument}={shown}: {type(error).__name__} in {where}: {str(error)[:100]!r}"


def _shown(value) -> str:
    try:
        return " ".join(repr(value).split())[:60].encode("ascii", "backslashreplace").decode()
    except Exception:
        return type(value).__name__


def same(*names: str) -> dict[str, tuple[str, ...]]:
    """Each argument is told by its own name."""
    return {name: (name,) for name in names}
