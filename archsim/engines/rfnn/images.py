"""Images that networks are trained and judged on: scikit-learn's digits, MNIST, CIFAR-10.

The digits (8 x 8, 10 classes, 1,797 of them) come with scikit-learn. MNIST and CIFAR-10 are read
from files that somebody points at: MNIST's four IDX files, CIFAR-10's binary version. Its Python
version is a pickle, which runs code when it is read, and is refused. Files are untrusted: sizes are
bounded and checked before anything is kept.
"""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from archsim.errors import InputError, MissingExtra
from archsim.files import check_file

MAX_BYTES = 1 << 30  # unpacked: CIFAR-10's largest file has 31 MB, MNIST's 47 MB
TRAINED, SEED = 1347, 0  # of the digits: how many, shuffled by what, are trained on
DIGIT_MOST = 16.0  # of their pixels
CLASSES = 10
PIXEL_MOST = 255.0
CIFAR_RECORD = 1 + 3 * 32 * 32  # a label, then red, green and blue

Bytes = NDArray[np.uint8]


@dataclass(frozen=True, slots=True, eq=False)
class Images:
    """Images as vectors of amplitudes from 0 to 1, and their classes.

    Parameters
    ----------
    train, test
        Pixels: [images, pixels], float32.
    train_labels, test_labels
        Classes: [images].
    """

    name: str
    train: NDArray[np.float32]
    train_labels: NDArray[np.int64]
    test: NDArray[np.float32]
    test_labels: NDArray[np.int64]

    @property
    def pixels(self) -> int:
        return int(self.train.shape[1])


def digits() -> Images:
    """Return scikit-learn's digits: 1,347 to train on and 450 to judge by, shuffled by seed 0.

    Raises
    ------
    MissingExtra
        If scikit-learn is not installed.
    """
    try:
        from sklearn.datasets import load_digits  # noqa: PLC0415 (an extra, for this alone)
    except ImportError:
        raise MissingExtra("scikit-learn", "rf") from None
    found = load_digits()
    order = np.random.default_rng(SEED).permutation(len(found.target))
    pixels = (found.data[order] / DIGIT_MOST).astype(np.float32)
    labels = found.target[order].astype(np.int64)
    return Images("digits", pixels[:TRAINED], labels[:TRAINED], pixels[TRAINED:], labels[TRAINED:])


def load(text: str) -> Images:
    """Return images by name: ``digits``, ``mnist=FOLDER`` or ``cifar10=FOLDER``.

    Raises
    ------
    InputError
        If there are no such images, or their files are not what they should be.
    MissingExtra
        If the digits are asked for and scikit-learn is not installed.
    """
    name, equals, folder = text.partition("=")
    if text == "digits":
        return digits()
    if name not in _FILES or not (equals and folder):
        known = ", ".join(["digits", *(f"{name}=FOLDER" for name in _FILES)])
        raise InputError("images", f"must be one of {known}", text)
    return _FILES[name](Path(folder))


# ---------------------------------------------------------------------------------------- MNIST


def mnist(folder: Path) -> Images:
    """Return MNIST from the folder of its four IDX files, plain or as ``.gz``.

    Raises
    ------
    InputError
        If a file is missing, or not what its name says.
    """
    parts = []
    for part in ("train", "t10k"):
        pixels = idx(_found(folder, f"{part}-images-idx3-ubyte"), 3)
        where = _found(folder, f"{part}-labels-idx1-ubyte")
        labels = idx(where, 1)
        if len(labels) != len(pixels):
            raise InputError(str(where), f"must have {len(pixels):,} labels", len(labels))
        _check_labels(where, labels)
        parts.append((_amplitudes(pixels.reshape(len(pixels), -1)), labels.astype(np.int64)))
    if parts[0][0].shape[1] != parts[1][0].shape[1]:
        raise InputError(
            str(folder), "must have images of one size", [p.shape[1] for p, _ in parts]
        )
    return Images("mnist", *parts[0], *parts[1])


def _found(folder: Path, name: str) -> Path:
    # the files go by two names: with a hyphen and with a dot before "idx"
    for form in (name, name.replace("-idx", ".idx")):
        for file in (folder / form, folder / f"{form}.gz"):
            if file.is_file():
                return file
    raise InputError(str(folder), f"must have the file {name}, plain or as .gz")


def idx(file: Path, axes: int) -> Bytes:
    """Return the array of bytes of an IDX file.

    Raises
    ------
    InputError
        If it is not one of so many axes, or not as long as its head says.
    """
    content = _content(file)
    magic = bytes((0, 0, 8, axes))
    if content[:4] != magic:
        raise InputError(
            str(file), f"must be an IDX file of bytes with {axes} axes, beginning {magic.hex()}",
            content[:4].hex(),
        )  # fmt: skip
    start = 4 + 4 * axes
    if len(content) < start:
        raise InputError(str(file), f"must have a head of {start} bytes", len(content))
    shape = [int(x) for x in np.frombuffer(content, ">u4", axes, 4)]
    size = 1
    for extent in shape:
        size *= extent
    if not size or len(content) - start != size:
        raise InputError(
            str(file), f"must have the {size:,} bytes of {shape}, one or more, after its head",
            len(content) - start,
        )  # fmt: skip
    return np.frombuffer(content, np.uint8, size, start).reshape(shape)


def _content(file: Path) -> bytes:
    try:
        check_file(file, MAX_BYTES)
        if file.suffix != ".gz":
            return file.read_bytes()
        with gzip.open(file) as stream:
            content = stream.read(MAX_BYTES + 1)
    except (OSError, EOFError, zlib.error) as fault:
        raise InputError(str(file), f"must be a file that can be read: {fault}") from None
    if len(content) > MAX_BYTES:
        raise InputError(str(file), f"must unpack to at most {MAX_BYTES:,} bytes")
    return content


# ---------------------------------------------------------------------------------------- CIFAR-10


def cifar10(folder: Path) -> Images:
    """Return CIFAR-10 from the folder of its binary version, ``cifar-10-batches-bin``.

    Raises
    ------
    InputError
        If a file is missing or not one of records, or this is the Python version.
    """
    if (folder / "data_batch_1").is_file() and not (folder / "data_batch_1.bin").is_file():
        raise InputError(
            str(folder), "must be the binary version of CIFAR-10",
            fix="files of the Python version run code when they are read: take "
            "cifar-10-binary.tar.gz",
        )  # fmt: skip
    train = [_records(folder / f"data_batch_{i}.bin") for i in range(1, 6)]
    pixels, labels = (np.concatenate(column) for column in zip(*train, strict=True))
    return Images("cifar10", pixels, labels, *_records(folder / "test_batch.bin"))


def _records(file: Path) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    content = _content(file)
    if not content or len(content) % CIFAR_RECORD:
        raise InputError(
            str(file), f"must be records of {CIFAR_RECORD:,} bytes, one or more", len(content)
        )
    records = np.frombuffer(content, np.uint8).reshape(-1, CIFAR_RECORD)
    _check_labels(file, records[:, 0])
    return _amplitudes(records[:, 1:]), records[:, 0].astype(np.int64)


# ----------------------------------------------------------------------------------------


def _amplitudes(pixels: Bytes) -> NDArray[np.float32]:
    return np.asarray(pixels, np.float32) / np.float32(PIXEL_MOST)


def _check_labels(file: Path, labels: Any) -> None:
    if labels.max() >= CLASSES:
        raise InputError(str(file), f"labels must be below {CLASSES}", int(labels.max()))


_FILES: dict[str, Callable[[Path], Images]] = {"mnist": mnist, "cifar10": cifar10}
