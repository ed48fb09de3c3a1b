"""One Parquet file of a study: the estimates of one method on some replicates of a cell, with what proves them whole.

A part carries a checksum over its place and all its values beside Parquet's own checksums of its pages: another bit, a
replicate less, or the file of another cell or method under its name, and it is refused.
"""

import hashlib
import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from hellgan.montecarlo.estimates import Estimates

if TYPE_CHECKING:
    import pyarrow as pa

_NAME = re.compile(r"([0-9]{8,18})-([0-9]{8,18})\.parquet")
_KEY = b"hellgan"
_REMEDY = "run the study again with repair=True, or hellgan study with --repair, which does its replicates again."


class Place(NamedTuple):
    """Whose estimates a part holds: a method's, of replicates ``begin`` to ``end``, the last not among them."""

    cell: str
    method: str
    begin: int
    end: int

    @property
    def name(self) -> str:
        return f"{self.begin:08d}-{self.end:08d}.parquet"


def range_of(path: Path) -> tuple[int, int] | None:
    """Read the range of replicates that a part's name tells; None for a file that is none of a study's parts."""
    found = _NAME.fullmatch(path.name)
    begin, end = map(int, found.groups()) if found else (0, 0)
    return (begin, end) if begin < end else None


def table(estimates: Estimates, begin: int) -> "pa.Table":
    """Lay estimates out in rows, one a replicate and parameter."""
    import pyarrow as pa

    count, k = estimates.values.shape
    each = {
        "replicate": np.arange(begin, begin + count, dtype=np.int64),
        "converged": estimates.converged,
        "is_saddle": estimates.is_saddle,
        "iterations": estimates.iterations,
        "bulk_pvalue": estimates.bulk_pvalues,
        "seconds": estimates.seconds,
        "message": _texts(estimates.messages),
        "warned": _texts(estimates.warned),
    }
    columns = {name: np.repeat(values, k) for name, values in each.items()}
    columns["parameter"] = np.tile(_texts(estimates.names), count)
    columns["estimate"] = estimates.values.ravel()
    columns |= {"std_error": estimates.std_errors.ravel(), "lower": estimates.lower.ravel()}
    columns["upper"] = estimates.upper.ravel()
    text = pa.dictionary(pa.int32(), pa.string())
    arrays = {}
    for name, values in columns.items():
        array = pa.array(values, type=pa.string()) if values.dtype == object else pa.array(values)
        arrays[name] = array.cast(text) if values.dtype == object else array
    return pa.table(arrays)


def _texts(texts) -> np.ndarray:
    """Texts as an array of objects, what UTF-8 cannot hold escaped: a lone half of a surrogate pair."""
    return np.array([str(text).encode("utf-8", "backslashreplace").decode() for text in texts], dtype=object)


def packed(found: "pa.Table", place: Place) -> bytes:
    """Write a table of estimates as the content of a file."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    sink = pa.BufferOutputStream()
    marked = found.replace_schema_metadata({_KEY: _checksum(found, place).encode()})
    pq.write_table(marked, sink, compression="zstd", write_page_checksum=True)
    return sink.getvalue().to_pybytes()


def read(path: Path, place: Place) -> "pa.Table":
    """Read a part.

    Raises
    ------
    ValueError
        For a file that is damaged, or not what its place and name say.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        content = path.read_bytes()
    except OSError as error:
        raise ValueError(f"{path} cannot be read ({error.strerror}); {_REMEDY}") from None
    try:
        # Not by pq.read_table: its scanner keeps threads, of which a damaged file's may abort the process at its end.
        source = pq.ParquetFile(pa.BufferReader(content), page_checksum_verification=True)
        found = source.read(use_threads=False)
        wrong = _wrong(found, place)
    except Exception as error:  # any: of a damaged file Arrow raises what it likes
        found, wrong = None, " ".join(str(error).split())[:120] or type(error).__name__
    if found is None or wrong:
        raise ValueError(f"{path} is damaged ({wrong}); {_REMEDY}")
    return _as_written(found.replace_schema_metadata(None))


def _as_written(found):
    """Texts as the dictionaries that ``table`` makes of them: Parquet has those from a mark of Arrow's alone."""
    import pyarrow as pa

    text = pa.dictionary(pa.int32(), pa.string())
    for k, field in enumerate(found.schema):
        if field.type != text and not pa.types.is_primitive(field.type):
            found = found.set_column(k, field.name, found[k].cast(pa.string()).cast(text))
    return found


def _wrong(found, place: Place) -> str | None:
    """Say what a table has that ``table`` did not write there."""
    replicates = found["replicate"].to_numpy()
    count, rows = place.end - place.begin, len(replicates)
    if rows % count or not np.array_equal(replicates, np.repeat(np.arange(place.begin, place.end), rows // count)):
        return "it has other replicates than its name says"
    marks = found.schema.metadata or {}
    # Parts of earlier versions carry no checksum, and no other mark.
    if marks and marks.get(_KEY, b"").decode("latin-1") != _checksum(found, place):
        return "its checksum is another"
    return None


def _checksum(found, place: Place) -> str:
    import pyarrow as pa

    total = hashlib.blake2b(json.dumps(place).encode(), digest_size=16)
    for name in sorted(found.column_names):
        column = found[name]
        is_text = pa.types.is_dictionary(column.type) or pa.types.is_string(column.type)
        values = json.dumps(column.to_pylist()) if is_text else column.to_numpy().tobytes()
        total.update(f"{name} {'text' if is_text else column.type} {len(values)}\n".encode())
        total.update(values.encode() if isinstance(values, str) else values)
    return total.hexdigest()
