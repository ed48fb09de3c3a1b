"""The file of a saved fit, read member by member: only what is asked for, only as ``numpy.savez`` writes it.

A member is stored as it is, so that none is larger than the file; its header must account for all of its bytes before
anything is allocated. What no fit has is never read.
"""

import io
import json
import os
import zipfile
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from hellgan.checks import shown

_KINDS = "fiubU"  # of numbers and text; no objects, no complex numbers
_FACTS = "facts"


class Archive(Mapping[str, np.ndarray]):
    """The arrays of a file, by name.

    Raises
    ------
    ValueError
        For a file, or a member that is asked for, which ``save`` of a fit did not write.
    OSError
        For a file that cannot be opened.
    """

    def __init__(self, path: str | os.PathLike):
        if not isinstance(path, (str, os.PathLike)):
            raise TypeError(f"path: got {shown(path)}; give the file that save of a fit wrote.")
        self.path = os.fspath(path)
        self._members = self._opened(lambda file: {member.filename: member for member in file.infolist()})
        self._names = {name.removesuffix(".npy"): name for name in self._members if name.endswith(".npy")}

    def facts(self) -> dict[str, Any]:
        """Read the JSON text, which is no array of the fit's."""
        text = self[_FACTS]
        del self._names[_FACTS]
        try:
            facts = json.loads(str(text[()]))
        except (ValueError, RecursionError):
            facts = None
        if not isinstance(facts, dict) or "format" not in facts:
            raise self.damaged("its facts are no JSON text of a fit")
        return facts

    def rename(self, old: str, new: str) -> None:
        """Know the members whose names begin with ``old`` by names that begin with ``new``."""
        self._names = {name.replace(old, new): member for name, member in self._names.items()}

    def damaged(self, why: str) -> ValueError:
        return ValueError(f"load: {self.path} is damaged, or no result that hellgan saved ({why}).")

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self):
        return len(self._names)

    def __contains__(self, name):
        return name in self._names

    def __getitem__(self, name: str) -> np.ndarray:
        if name not in self._names:
            if name == _FACTS:
                raise self.damaged("it has no facts")
            raise KeyError(name)
        member = self._members[self._names[name]]
        if member.compress_type != zipfile.ZIP_STORED or member.file_size != member.compress_size:
            raise self.damaged(f"{name} is compressed")
        content = io.BytesIO(self._opened(lambda file: file.read(member)))
        try:
            version = np.lib.format.read_magic(content)
            read = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}[version]
            shape, _, kind = read(content)
        except (ValueError, KeyError):
            raise self.damaged(f"{name} is no array") from None
        if kind.kind not in _KINDS or kind.names or kind.subdtype:
            raise self.damaged(f"{name} holds values of type {kind}")
        bytes_left = len(content.getbuffer()) - content.tell()
        count = int(np.prod([int(length) for length in shape], dtype=object)) if shape else 1
        if min(shape, default=0) < 0 or count * kind.itemsize != bytes_left:
            raise self.damaged(f"{name} has not the size that it tells")
        content.seek(0)
        found = np.lib.format.read_array(content, allow_pickle=False)
        return found.astype(kind.newbyteorder("="), copy=False)

    def _opened(self, ask) -> Any:
        try:
            # Opened here: zipfile leaves a damaged file open.
            with open(self.path, "rb") as handle, zipfile.ZipFile(handle) as file:
                return ask(file)
        except OSError as error:
            raise type(error)(f"path: {self.path!r} cannot be read ({error.strerror}).") from None
        except Exception as error:  # any: what zipfile makes of damaged bytes
            raise self.damaged(" ".join(str(error).split()) or type(error).__name__) from None
