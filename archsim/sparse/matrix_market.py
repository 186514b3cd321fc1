"""Matrix Market files that nobody vouches for, plain or in gzip: bounded, then read by scipy.

The text is inflated as far as its size line asks for, and checked against it before anything is
allocated; and what scipy lets through is looked at again: indices beyond the edge that
mirroring makes, numbers that are not finite. Entries that stand twice are added up, as scipy does;
stored zeros stay entries, but those of a dense (``array``) file do not.
"""

from __future__ import annotations

import gzip
import io
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.io import mmread

from archsim.errors import InputError
from archsim.files import check_file
from archsim.sparse import Csr

MAX_TEXT_BYTES = 1 << 29  # inflated
MAX_ENTRIES = 1 << 25  # once mirrored; of a dense file, elements
MAX_EXTENT = 1 << 24  # rows or columns
MAX_HEAD_BYTES = 1 << 20  # banner, comments and size line; all bytes of a small file
MAX_LINE_BYTES = 256  # of an entry, on average
SUFFIXES = (".mtx", ".mtx.gz")
_BANNER = ("%%matrixmarket", "matrix")
_FORMATS = ("coordinate", "array")
_FIELDS = ("real", "double", "integer", "unsigned-integer", "complex", "pattern")
_SYMMETRIES = ("general", "symmetric", "skew-symmetric", "hermitian")
_DTYPES = {"f": "fp64", "i": "int64", "c": "complex128"}


@dataclass(frozen=True, slots=True)
class Matrix:
    """A matrix of a file.

    Parameters
    ----------
    csr
        Its entries; of a dense file, those that are not zero. A pattern has no values.
    dense
        All elements of a dense file.
    dtype
        Of its values, as traces call it; those of a pattern are ones.
    added
        Entries that went into others at the same place.
    """

    csr: Csr
    dense: NDArray[Any] | None
    dtype: str
    added: int


@dataclass(frozen=True, slots=True)
class _Head:
    """What a file says of itself before its entries."""

    form: str
    field: str
    symmetry: str
    rows: int
    columns: int
    entries: int  # in the file: not yet mirrored
    line: int  # of the sizes
    size_bytes: int  # of all this


def read_matrix(path: Path | str) -> Matrix:
    """Return the matrix of a ``.mtx`` or ``.mtx.gz`` file.

    Raises
    ------
    InputError
        If it cannot be read, is too large, or is not what its banner and size line say.
    """
    path, where = Path(path), str(path)
    try:
        check_file(path, MAX_TEXT_BYTES)
        with gzip.open(path) if path.name.endswith(".gz") else path.open("rb") as stream:
            begin = stream.read(MAX_HEAD_BYTES)
            head = _head(begin, where)
            most = min(MAX_TEXT_BYTES, MAX_HEAD_BYTES + MAX_LINE_BYTES * head.entries)
            text = begin + stream.read(most + 1 - len(begin))
    except (OSError, EOFError, zlib.error) as fault:
        raise InputError(where, f"must be a readable file: {fault}") from None
    _check_length(text, head, most, where)
    try:
        found = mmread(io.BytesIO(text))
    except (ValueError, OverflowError) as fault:
        raise InputError(where, f"must be a whole Matrix Market file: {fault}") from None
    del text
    return _matrix(found, head, where)


def _head(begin: bytes, where: str) -> _Head:
    """Return what banner and size line say, if it is within bounds."""
    stream = io.BytesIO(begin)
    banner = stream.readline().decode("utf-8", "replace").lower().split()
    choices = (_FORMATS, _FIELDS, _SYMMETRIES)
    good = tuple(banner[:2]) == _BANNER and len(banner) == 5
    if not good or any(word not in known for word, known in zip(banner[2:], choices, strict=True)):
        raise InputError(
            f"{where}:1",
            "must be %%MatrixMarket matrix, then coordinate or array, "
            f"{', '.join(_FIELDS)}, and {', '.join(_SYMMETRIES)}",
            " ".join(banner)[:80],
        )
    form, field, symmetry = banner[2:]
    lines = ((i, raw.strip()) for i, raw in enumerate(stream, 2))
    said = ((i, line) for i, line in lines if line and not line.startswith(b"%"))
    number, line = next(said, (2, b""))
    place = f"{where}:{number}"
    sizes = _sizes(line, 3 if form == "coordinate" else 2, place)
    rows, columns = sizes[:2]
    if symmetry != "general" and rows != columns:
        raise InputError(place, f"a {symmetry} matrix must be square", f"{rows} x {columns}")
    entries = sizes[2] if form == "coordinate" else rows * columns
    mirrored = entries * (1 + (form == "coordinate" and symmetry != "general"))
    if mirrored > MAX_ENTRIES:
        raise InputError(place, f"must be at most {MAX_ENTRIES:,} entries", mirrored)
    return _Head(form, field, symmetry, rows, columns, entries, number, stream.tell())


def _check_length(text: bytes, head: _Head, most: int, where: str) -> None:
    """Refuse a text that cannot hold the entries that it promises, or could hold many more."""
    if len(text) > most:
        raise InputError(
            where, f"must have at most {most:,} bytes of text, for {head.entries:,} entries"
        )
    numbers = {"pattern": 0, "complex": 2}.get(head.field, 1) + 2 * (head.form == "coordinate")
    shortest = 2 * numbers  # bytes of a line: each number a digit and what parts it from the next
    triangle = head.rows * (head.rows - 1) // 2
    whole = head.form == "coordinate" or head.symmetry == "general"
    stored, left = head.entries if whole else triangle, len(text) - head.size_bytes
    if stored * shortest > left + 1:  # the last line may lack its end
        raise InputError(
            f"{where}:{head.line}",
            f"must be followed by {stored:,} entries of {shortest} bytes or more each",
            f"{left:,} bytes", fix="the file is cut short, or its size line is wrong",
        )  # fmt: skip


def _sizes(line: bytes, count: int, place: str) -> list[int]:
    words = line.split()
    good = len(words) == count and all(w.isdigit() and len(w) < 16 for w in words)
    sizes = [int(word) for word in words] if good else []
    if not good or not all(0 < extent <= MAX_EXTENT for extent in sizes[:2]):
        names = "rows, columns and entries" if count == 3 else "rows and columns"
        raise InputError(
            place, f"the size line must be {names}, each extent 1 to {MAX_EXTENT:,}",
            line[:80].decode("utf-8", "replace"),
        )  # fmt: skip
    return sizes


def _matrix(found: Any, head: _Head, where: str) -> Matrix:
    """Return what scipy read, looked at again."""
    if found.shape != (head.rows, head.columns):
        raise InputError(where, f"must be {head.rows} x {head.columns}", found.shape)
    values = found if isinstance(found, np.ndarray) else found.data
    if not np.isfinite(values).all():
        raise InputError(where, "must hold finite numbers only, no NaN or infinity")
    if values.dtype.kind == "u":
        if values.size and values.max() > np.iinfo(np.int64).max:
            raise InputError(where, "must hold integers of 64 bits with a sign", int(values.max()))
        found = found.astype(np.int64)
    dense = found if isinstance(found, np.ndarray) else None
    coo = sparse.coo_array(found)
    csr = Csr.of(coo, pattern=head.field == "pattern")
    if csr.values is not None:
        _check_sums(coo, csr.values, where)
    dtype = _DTYPES[coo.data.dtype.kind]
    return Matrix(csr, dense, dtype, coo.nnz - csr.entries)


def _check_sums(coo: Any, sums: NDArray[Any], where: str) -> None:
    """Refuse entries at one place whose sum does not fit their type."""
    if len(sums) == coo.nnz:
        return
    total = np.bincount(coo.row, np.abs(coo.data).astype(np.float64))
    if not np.isfinite(sums).all() or (sums.dtype.kind == "i" and total.max() >= 2.0**63):
        raise InputError(where, "entries at one place must have a sum that fits their type")
