"""CSV files as people write them: what can be read without a guess is read, the rest is refused by its line."""

import csv
import io
import re
from typing import TYPE_CHECKING

from hellgan.checks import is_number

if TYPE_CHECKING:
    from pandas import DataFrame

_DECIMAL_COMMA = re.compile(r"[+-]?\d+,\d+")


def read_csv(text: str, file: str) -> "DataFrame":
    """Read a CSV text with a header row; cells without a value are NaN.

    Spaces around names and values do not count, nor do commas at the ends of all rows, nor lines without a value; of a
    file with a single column an empty line is a missing value. A first column without a name holds the rows' labels.

    Raises
    ------
    ValueError
        For a text that is none, with ``file`` for its name, and the line.
    """
    import pandas as pd

    try:
        lines = [[cell.strip() for cell in row] for row in csv.reader(io.StringIO(text), skipinitialspace=True)]
    except csv.Error as error:
        raise ValueError(f"{file}: not a CSV file with a header row ({error}).") from None
    first = next((k for k, row in enumerate(lines) if any(row)), None)
    if first is None:
        raise ValueError(f"{file}: not a CSV file with a header row, since it is empty.")
    header, rows = lines[first], lines[first + 1 :]
    if len(header) == 1 and (other := next((mark for mark in ";\t|" if mark in header[0]), None)):
        raise ValueError(f"{file}: its first row, {header[0]!r}, seems to be separated by {other!r}; give commas.")
    while len(header) > 1 and not header[-1]:
        header = header[:-1]
    while rows and not any(rows[-1]):
        rows = rows[:-1]
    width = len(header)
    kept = [(k, row) for k, row in enumerate(rows, first + 2) if row or width == 1]
    for line, row in kept:
        if any(row[width:]):
            raise ValueError(
                f"{file}: its row {line} has {len(row)} values and its header {width} names; name every column, and "
                "write decimal points rather than commas."
            )
    cells = [(row + [""] * width)[:width] for _, row in kept]
    buffer = io.StringIO()
    csv.writer(buffer).writerows(cells)
    buffer.seek(0)
    names = range(width)
    frame = (
        pd.read_csv(buffer, header=None, names=names, skip_blank_lines=False)
        if cells
        else pd.DataFrame([], None, names)
    )
    frame.columns = header
    if width > 1 and not header[0]:
        frame = frame.iloc[:, 1:].set_index(pd.Index(frame.iloc[:, 0]))
        frame.index.name = None
    return frame


def columns_of(frame: "DataFrame", file: str, columns: list[str] | None):
    """Choose columns of a file, the only one where ``columns`` is None: a Series, or a DataFrame of several.

    Raises
    ------
    ValueError
        For a name that no column has, or two have, and for a column with decimal commas.
    """
    known = ", ".join(frame.columns)
    if columns is None:
        if frame.shape[1] != 1:
            raise ValueError(f"--column: {file} has the columns {known}; name one, or several with commas.")
        names = list(frame.columns)
        if is_number(known):
            raise ValueError(
                f"{file}: its first row is {known}, which looks like an observation; add a row above it that names the "
                "column."
            )
    else:
        parts = [[c.strip()] if c.strip() in frame.columns else c.split(",") for c in columns]
        names = [name.strip() for part in parts for name in part]
    for name in names:
        count = list(frame.columns).count(name)
        if count != 1:
            what = "no column" if not count else f"{count} columns"
            raise ValueError(f"--column: {file} has {what} {name!r}; it has {known}.")
        cells = [cell for cell in frame[name] if isinstance(cell, str)]
        if cells and all(_DECIMAL_COMMA.fullmatch(cell) for cell in cells):
            raise ValueError(f"{file}: column {name} holds decimal commas, as in {cells[0]!r}; write decimal points.")
    return frame[names[0]] if len(names) == 1 else frame[names]
