"""CSV files as people write them: what can be read without a guess is read, the rest is refused by its line."""

import csv
import dataclasses
import io
import re
from typing import TYPE_CHECKING

from hellgan.checks import is_number, shown

if TYPE_CHECKING:
    from pandas import DataFrame

_DECIMAL_COMMA = re.compile(r"[+-]?\d+,\d+")


@dataclasses.dataclass(frozen=True)
class CsvFile:
    """What a CSV file holds.

    Attributes
    ----------
    name : str
        Of the file, for refusals.
    frame : DataFrame
    lines : list of int
        The line of the file, from 1, that each row of the frame is from.
    """

    name: str
    frame: "DataFrame"
    lines: list[int]

    def labelled_by(self, column: str) -> "CsvFile":
        """Take a column for the rows' labels.

        Raises ``ValueError`` for a name that no column has, or two have, and for a label that is missing or occurs
        twice.
        """
        labels = self.frame[self.named(column, "--index")]
        missing, twice = labels.isna().to_numpy(), labels.duplicated(keep=False).to_numpy()
        for wrong, what in ((missing, "no label"), (twice, "a label of another row")):
            if wrong.any():
                raise ValueError(f"--index: {self.name} has {what} in line {self.lines[int(wrong.argmax())]}.")
        frame = self.frame.drop(columns=column).set_index(labels.set_axis(labels))
        return dataclasses.replace(self, frame=frame)

    def columns(self, names: list[str] | None):
        """Choose columns, the only one where ``names`` is None: a Series, or a DataFrame of several.

        Raises
        ------
        ValueError
            For a name that no column has, or two have, and for a column that holds text, by its line.
        """
        frame, known = self.frame, ", ".join(self.frame.columns)
        if names is None:
            if frame.shape[1] != 1:
                raise ValueError(f"--column: {self.name} has the columns {known}; name one, or several with commas.")
            names = list(frame.columns)
            if is_number(known):
                raise ValueError(
                    f"{self.name}: its first row is {known}, which looks like an observation; add a row above it that "
                    "names the column."
                )
        else:
            parts = [[c.strip()] if c.strip() in frame.columns else c.split(",") for c in names]
            names = [name.strip() for part in parts for name in part]
        for name in names:
            self.require_numbers(self.named(name, "--column"))
        return frame[names[0]] if len(names) == 1 else frame[names]

    def require_numbers(self, name: str) -> None:
        """Refuse a column in which a cell is text."""
        cells = self.frame[name].tolist()
        texts = [cell for cell in cells if isinstance(cell, str)]
        if texts and all(_DECIMAL_COMMA.fullmatch(cell) for cell in texts):
            raise ValueError(
                f"{self.name}: column {name} holds decimal commas, as in {texts[0]!r}; write decimal points."
            )
        wrong = [k for k, cell in enumerate(cells) if isinstance(cell, str) and not is_number(cell)]
        if wrong:
            line, more = self.lines[wrong[0]], f" and {len(wrong) - 1} more" if len(wrong) > 1 else ""
            raise ValueError(
                f"{self.name}: column {name} holds text, {shown(cells[wrong[0]])} in line {line}{more}; give numbers, "
                "and leave cells without a value empty."
            )

    def named(self, name: str, option: str) -> str:
        """Return the name of a column, or refuse, with the ``option``'s name, one that no column has or two have."""
        count = list(self.frame.columns).count(name)
        if count != 1:
            what = "no column" if not count else f"{count} columns"
            known = ", ".join(self.frame.columns)
            raise ValueError(f"{option}: {self.name} has {what} {name!r}; it has {known}.")
        return name


def read_csv(text: str, file: str) -> CsvFile:
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
    return CsvFile(file, frame, [line for line, _ in kept])
