"""IDX, the format of MNIST's files: two zero bytes, the type, the number of axes, their lengths, the values.

Lengths are big-endian integers of four bytes; of the types only the one of MNIST, bytes (8), is read.
"""

import gzip
import math
import struct
import zlib

import numpy as np

_BYTES = 8  # the type of unsigned bytes
_MOST_AXES = 4


def read_idx(content: bytes, name: str = "file") -> np.ndarray:
    """Read an array of bytes; raises ``ValueError`` for a malformed file, in one sentence that names it."""
    if content[:2] == b"\x1f\x8b":
        content = _unpacked(content, name)
    if len(content) < 4:
        raise ValueError(f"{name}: {len(content)} bytes are no IDX file, which begins with four; fetch it again.")
    zero, kind, axes = struct.unpack(">HBB", content[:4])
    if zero or kind != _BYTES or not 1 <= axes <= _MOST_AXES:
        raise ValueError(
            f"{name}: it begins with {content[:4].hex()}, and an IDX file of bytes with 00000801 to "
            f"0000080{_MOST_AXES}; give one of MNIST's format."
        )
    begin = 4 + 4 * axes
    if len(content) < begin:
        raise ValueError(f"{name}: it ends within its header; fetch it again.")
    shape = struct.unpack(f">{axes}I", content[4:begin])
    wanted = math.prod(shape)
    if len(content) - begin != wanted:
        raise ValueError(
            f"{name}: its header says {wanted:,} values, {' x '.join(map(str, shape))}, and it holds "
            f"{len(content) - begin:,}; fetch it again."
        )
    return np.frombuffer(content, np.uint8, offset=begin).reshape(shape)


def idx_bytes(values: np.ndarray) -> bytes:
    """Write an array of bytes as an IDX file."""
    if values.dtype != np.uint8 or not 1 <= values.ndim <= _MOST_AXES:
        raise TypeError(
            f"values: {values.dtype} of {values.ndim} axes; give bytes (uint8) of one to {_MOST_AXES} axes."
        )
    return struct.pack(f">HBB{values.ndim}I", 0, _BYTES, values.ndim, *values.shape) + values.tobytes()


def _unpacked(content: bytes, name: str) -> bytes:
    try:
        return gzip.decompress(content)
    except (OSError, EOFError, zlib.error) as error:
        raise ValueError(f"{name}: its gzip compression is broken ({error}); fetch it again.") from None
