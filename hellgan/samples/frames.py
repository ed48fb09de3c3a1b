"""Frames of any library as pandas' own, and what stands beside the data: brought to its rows by their labels."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from hellgan.checks import first_sentence, shown


def as_pandas(data, name: str) -> Any:
    """Turn a frame of another library, or what Arrow can read as one, into pandas' own; give back whatever else it is.

    Raises ``TypeError`` for a frame that cannot be turned, with ``name`` for the argument's.
    """
    if type(data).__module__.partition(".")[0] in ("builtins", "numpy", "pandas", "jax", "jaxlib"):
        return data
    import narwhals as nw
    import pyarrow as pa

    try:
        frame = nw.from_native(data, pass_through=True)
        if isinstance(frame, (nw.DataFrame, nw.LazyFrame)):
            pass
        elif hasattr(frame, "__arrow_c_stream__") and hasattr(frame, "schema"):  # a single column has no schema
            frame = nw.from_native(pa.table(frame))
        elif hasattr(frame, "__dataframe__"):
            from pyarrow import interchange

            frame = nw.from_native(interchange.from_dataframe(frame))
        frame = frame.collect() if isinstance(frame, nw.LazyFrame) else frame
        return frame.to_pandas() if isinstance(frame, nw.DataFrame) else data
    except Exception as error:
        raise TypeError(
            f"{name}: a {type(data).__name__} that cannot be read ({first_sentence(error)}); turn it into a pandas "
            "DataFrame."
        ) from None


def table(data, name: str) -> tuple[Any, Any]:
    """Read named columns: a frame of any library, a mapping of columns, or records.

    Returns
    -------
    frame : DataFrame
        Of the caller's own, where it is pandas' already.
    index : Index or None
        Labels of the rows, where the data have some.

    Raises
    ------
    TypeError, ValueError
        For what has no named columns, and for columns of different lengths.
    """
    import pandas as pd

    given, data = data, as_pandas(data, name)
    if isinstance(data, pd.DataFrame):
        return data, data.index if data is given else None
    named = isinstance(data, Mapping) or getattr(getattr(data, "dtype", None), "names", None)
    if not named and not (isinstance(data, list) and data and all(isinstance(row, Mapping) for row in data)):
        raise TypeError(
            f"{name}: got {type(data).__name__}, in which no column has a name; give a frame, or a mapping of names to "
            "columns."
        )
    try:
        if isinstance(data, Mapping):
            labelled = any(isinstance(column, pd.Series) for column in data.values())
            columns = dict(data.items())
            if not any(np.ndim(column) for column in columns.values()):
                columns = {key: [value] for key, value in columns.items()}
            frame = pd.DataFrame(columns)
        else:
            labelled, frame = False, pd.DataFrame(data)
    except Exception as error:
        said = first_sentence(error)
        raise ValueError(f"{name}: its columns make no frame ({said}); give them one length.") from None
    return frame, frame.index if labelled else None


def beside(
    values, name: str, index, total: int, kept: np.ndarray | None = None, spare: np.ndarray | None = None
) -> Any:
    """Bring what stands beside the data, one value or row an observation, to the rows of a sample.

    A Series or frame whose index differs from the data's is matched by label; everything else is taken in the order of
    the data.

    Parameters
    ----------
    values : array_like, Series or DataFrame
    name : str
        Of the argument, for refusals.
    index : Index or None
        Labels of all rows of the data.
    total : int
        How many rows the data have, those that are left out among them.
    kept : (n,) int array, optional
        Positions of the sample's rows among them; all unless given.
    spare : (total,) bool array, optional
        Rows that will be left out: a label that is missing there gives NaN. Without ``kept`` alone.

    Returns
    -------
    As ``values``, for the rows of the sample; what has another length comes back as it is.

    Raises
    ------
    ValueError
        Where labels differ and some are missing or occur twice.
    """
    import pandas as pd

    values = as_pandas(values, name)
    if isinstance(values, (pd.Series, pd.DataFrame)):
        wanted = index if index is None or kept is None else index[kept]
        if wanted is not None and not values.index.equals(index):
            return values if values.index.equals(wanted) else _by_label(values, name, wanted, spare)
        return values.iloc[kept] if kept is not None and len(values) == total else values
    if kept is None or kept.size == total or np.ndim(values) == 0 or len(values) != total:
        return values
    return np.ma.asanyarray(values)[kept] if np.ma.isMaskedArray(values) else np.asarray(values)[kept]


def _by_label(values, name: str, wanted, spare: np.ndarray | None = None):
    remedy = "give values in the data's order without an index, as by .to_numpy()"
    for whose, labels in (("its", values.index), ("the data's", wanted)):
        if not labels.is_unique:
            twice = labels[labels.duplicated()][0]
            raise ValueError(
                f"{name}: its index is not the data's, and {whose} label {shown(plain(twice))} occurs twice; {remedy}."
            )
    missing = ~wanted.isin(values.index)
    absent = wanted[missing if spare is None else missing & ~spare]
    if len(absent):
        raise ValueError(
            f"{name}: its index has no label {shown(plain(absent[0]))}, which is one of the data's; match the two, or "
            f"{remedy}."
        )
    return values.reindex(wanted)


def plain(label):
    """A label as users write it: no NumPy scalar."""
    return label.item() if isinstance(label, np.generic) else label


def in_order_of(data, name: str, index, columns: list[str] | None) -> Any:
    """Put rows and columns of data in the order of others with the same labels.

    Data without labels of their own, or with other columns, stay as they are. Raises ``ValueError`` where both have
    labels of their own that do not match.
    """
    import pandas as pd

    data = as_pandas(data, name)
    if not isinstance(data, (pd.Series, pd.DataFrame)):
        return data
    if isinstance(data, pd.DataFrame) and columns is not None:
        own = [str(column) for column in data.columns]
        if own != columns and sorted(own) == sorted(columns) and len(set(own)) == len(own):
            data = data.iloc[:, [own.index(column) for column in columns]]
    if index is None or data.index.equals(index):
        return data
    if data.index.is_unique and index.is_unique and index.isin(data.index).all():
        return data.loc[index]
    if any(labels.equals(pd.RangeIndex(len(labels))) for labels in (data.index, index)):
        return data
    return _by_label(data, name, index)


def column_of(frame, name: str, argument: str):
    """Take a column of a frame by its name; raises ``ValueError`` where there is none, or two."""
    at = [k for k, column in enumerate(frame.columns) if str(column) == name]
    if len(at) != 1:
        what = "two columns" if at else "no column"
        raise ValueError(
            f"{argument}: the data have {what} {name!r}; give one of {', '.join(map(str, frame.columns))}, or values."
        )
    return frame.iloc[:, at[0]]


def texts(labels) -> list[str]:
    """Labels of rows as texts for reports; dates without a time of day where none has one."""
    import pandas as pd

    return [str(label) for label in (labels.astype(str) if isinstance(labels, pd.DatetimeIndex) else labels)]
