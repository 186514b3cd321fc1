"""Images: scikit-learn's digits, and files of MNIST and CIFAR-10 that may be anything."""

from __future__ import annotations

import gzip
import struct
from pathlib import Path

import numpy as np
import pytest

from archsim.engines.rfnn import images
from archsim.engines.rfnn.network import judged
from archsim.errors import InputError


def message(call: object, *arguments: object) -> str:
    with pytest.raises(InputError) as caught:
        call(*arguments)  # type: ignore[operator]
    return str(caught.value)


# ---------------------------------------------------------------------------------------- digits


def test_digits_are_split_in_a_fixed_way() -> None:
    digits = images.digits()
    assert (digits.train.shape, digits.test.shape) == ((1347, 64), (450, 64))
    assert (digits.train.min(), digits.train.max()) == (0, 1)
    assert digits.pixels == 64
    assert np.bincount(digits.train_labels).sum() + np.bincount(digits.test_labels).sum() == 1797
    again = images.load("digits")
    np.testing.assert_array_equal(again.test, digits.test)


def test_the_images_that_ship_are_scikit_learns() -> None:
    digits, (pixels, labels) = images.digits(), judged()
    np.testing.assert_array_equal(pixels, digits.test)
    np.testing.assert_array_equal(labels, digits.test_labels)


def test_other_names_are_refused() -> None:
    text = "images: must be one of digits, mnist=FOLDER, cifar10=FOLDER, not "
    for wrong in ("imagenet", "mnist", "mnist=", "digits=here"):
        assert message(images.load, wrong) == f"{text}{wrong!r}"


# ---------------------------------------------------------------------------------------- MNIST


def idx(values: np.ndarray) -> bytes:
    head = struct.pack(f">4B{values.ndim}I", 0, 0, 8, values.ndim, *values.shape)
    return head + values.astype(np.uint8).tobytes()


@pytest.fixture
def mnist(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    for part, count in (("train", 6), ("t10k", 3)):
        pixels = idx(rng.integers(0, 256, (count, 5, 4)))
        (tmp_path / f"{part}-images-idx3-ubyte").write_bytes(pixels)
        with gzip.open(tmp_path / f"{part}-labels-idx1-ubyte.gz", "wb") as stream:
            stream.write(idx(np.arange(count)))
    return tmp_path


def test_mnist_is_read_plain_or_packed(mnist: Path) -> None:
    found = images.load(f"mnist={mnist}")
    assert (found.train.shape, found.test.shape) == ((6, 20), (3, 20))
    assert found.train.dtype == np.float32 and found.train.max() <= 1
    assert found.train_labels.tolist() == [0, 1, 2, 3, 4, 5]


def test_mnist_under_its_other_names(mnist: Path) -> None:
    for file in mnist.iterdir():
        file.rename(mnist / file.name.replace("-idx", ".idx"))
    assert images.mnist(mnist).test.shape == (3, 20)


def test_a_missing_file_is_named(mnist: Path) -> None:
    (mnist / "t10k-images-idx3-ubyte").unlink()
    text = f"{mnist}: must have the file t10k-images-idx3-ubyte, plain or as .gz"
    assert message(images.mnist, mnist) == text


HEAD = bytes((0, 0, 8, 1))


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (b"", "must be an IDX file of bytes with 1 axes, beginning 00000801, not ''"),
        (b"\x00\x00\x0d\x01", ("must be an IDX file of bytes with 1 axes, beginning 00000801, not "
                              "'00000d01'")),
        (HEAD + b"\x00", "must have a head of 8 bytes, not 5"),
        (HEAD + b"\xff\xff\xff\xff\x00", ("must have the 4,294,967,295 bytes of [4294967295], one "
                                         "or more, after its head, not 1")),
        (HEAD + bytes(4), "must have the 0 bytes of [0], one or more, after its head, not 0"),
        (HEAD + b"\x00\x00\x00\x01\x00\x00", ("must have the 1 bytes of [1], one or more, after "
                                             "its head, not 2")),
    ],
)  # fmt: skip
def test_files_that_are_no_idx_are_refused(tmp_path: Path, content: bytes, text: str) -> None:
    file = tmp_path / "x"
    file.write_bytes(content)
    assert message(images.idx, file, 1) == f"{file}: {text}"


def test_broken_gzip_and_endless_gzip_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "x.gz"
    for broken in (b"no gzip", gzip.compress(b"a" * 100)[:-9]):
        file.write_bytes(broken)
        assert message(images.idx, file, 1).startswith(f"{file}: must be a file that can be read: ")
    monkeypatch.setattr(images, "MAX_BYTES", 1000)
    file.write_bytes(gzip.compress(bytes(5000)))
    assert message(images.idx, file, 1) == f"{file}: must unpack to at most 1,000 bytes"


def test_labels_beyond_the_classes_are_refused(mnist: Path) -> None:
    labels = mnist / "train-labels-idx1-ubyte"
    labels.write_bytes(idx(np.array([0, 1, 2, 3, 4, 10])))
    assert message(images.mnist, mnist) == f"{labels}: labels must be below 10, not 10"
    labels.write_bytes(idx(np.arange(5)))
    assert message(images.mnist, mnist) == f"{labels}: must have 6 labels, not 5"


def test_parts_of_different_sizes_are_refused(mnist: Path) -> None:
    (mnist / "t10k-images-idx3-ubyte").write_bytes(idx(np.zeros((3, 2, 2))))
    text = f"{mnist}: must have images of one size, not [20, 4]"
    assert message(images.mnist, mnist) == text


# ---------------------------------------------------------------------------------------- CIFAR-10


@pytest.fixture
def cifar10(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    for name in (*(f"data_batch_{i}" for i in range(1, 6)), "test_batch"):
        records = rng.integers(0, 256, (2, 3073)).astype(np.uint8)
        records[:, 0] %= 10
        (tmp_path / f"{name}.bin").write_bytes(records.tobytes())
    return tmp_path


def test_cifar10_is_read_from_its_binary_version(cifar10: Path) -> None:
    found = images.load(f"cifar10={cifar10}")
    assert (found.train.shape, found.test.shape) == ((10, 3072), (2, 3072))
    record = (cifar10 / "data_batch_1.bin").read_bytes()[:3073]
    assert found.train_labels[0] == record[0]
    assert found.train[0, 0] == np.float32(record[1]) / np.float32(255)


def test_cifar10s_pickles_are_refused(tmp_path: Path) -> None:
    (tmp_path / "data_batch_1").write_bytes(b"\x80\x02}")
    assert message(images.cifar10, tmp_path) == (
        f"{tmp_path}: must be the binary version of CIFAR-10; files of the Python version run code "
        "when they are read: take cifar-10-binary.tar.gz"
    )


def test_cifar10_of_other_lengths_is_refused(cifar10: Path) -> None:
    file = cifar10 / "test_batch.bin"
    file.write_bytes(bytes(3074))
    text = f"{file}: must be records of 3,073 bytes, one or more, not 3074"
    assert message(images.cifar10, cifar10) == text
    file.unlink()
    assert message(images.cifar10, cifar10).startswith(f"{file}: must be a file that can be read: ")
