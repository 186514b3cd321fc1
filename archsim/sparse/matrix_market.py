"""Matrix Market files that nobody vouches for, plain or in gzip: all kinds that scipy reads.

scipy's own reader (1.17) ends the process on some files that are no such matrices, so numbers go
through NumPy's. The text is inflated as far as its size line asks for, and checked against it
before anything is allocated. Entries that stand twice are added up, as scipy does; stored zeros
stay entries, but those of a dense (``array``) file do not.
"""

from __future__ import annotations

import gzip
import io
import warnings
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from archsim.errors import InputError
from archsim.files import check_file
from archsim.sparse import Csr

Array = NDArray[Any]
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
_MIRRORED: dict[str, Callable[[Array], Array]] = {
    "symmetric": np.array, "skew-symmetric": np.negative, "hermitian": np.conj,
}  # fmt: skip
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
    dense: Array | None
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

    @property
    def numbers(self) -> int:
        """How many stand in the line of an entry."""
        values = {"pattern": 0, "complex": 2}.get(self.field, 1)
        return values + 2 * (self.form == "coordinate")

    @property
    def stored(self) -> int:
        """Entries that stand in the file: of a mirrored dense matrix, those of a triangle."""
        if self.form == "coordinate" or self.symmetry == "general":
            return self.entries
        return self.rows * (self.rows + (1 if self.symmetry != "skew-symmetric" else -1)) // 2


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
            body = begin[head.size_bytes :] + stream.read(most + 1 - len(begin))
    except (OSError, EOFError, zlib.error) as fault:
        raise InputError(where, f"must be a readable file: {fault}") from None
    _check_length(head, len(body), most, where)
    return _matrix(_entries(body, head, where), head, where)


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
    if (form, field) == ("array", "pattern"):
        raise InputError(f"{where}:1", "a dense matrix must hold values", field)
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


def _check_length(head: _Head, body_bytes: int, most: int, where: str) -> None:
    """Refuse a text that cannot hold the entries that it promises, or could hold many more."""
    if head.size_bytes + body_bytes > most:
        raise InputError(
            where, f"must have at most {most:,} bytes of text, for {head.entries:,} entries"
        )
    shortest = 2 * head.numbers  # bytes of a line: a digit and what parts it from the next, each
    if head.stored * shortest > body_bytes + 1:  # the last line may lack its end
        raise InputError(
            f"{where}:{head.line}",
            f"must be followed by {head.stored:,} entries of {shortest} bytes or more each",
            f"{body_bytes:,} bytes", fix="the file is cut short, or its size line is wrong",
        )  # fmt: skip


def _entries(body: bytes, head: _Head, where: str) -> Array:
    """Return the entries as they stand in the file: fields row and column from 1, x and y."""
    whole = "i8" if head.field == "integer" else "u8" if "unsigned" in head.field else "f8"
    names = ("row", "column") * (head.form == "coordinate")
    forms = [(name, "i8") for name in names] + [("x", whole), ("y", whole)]
    dtype = np.dtype(forms[: head.numbers])
    found = np.zeros(0, dtype)
    if body.strip():
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", UserWarning)  # that it skips empty lines
                found = np.loadtxt(
                    io.BytesIO(body), dtype, comments=None, max_rows=head.stored + 1, ndmin=1
                )
        except (ValueError, OverflowError) as fault:
            raise InputError(where, f"must hold {head.numbers} numbers a line: {fault}") from None
    if len(found) != head.stored:
        raise InputError(
            where, f"must hold {head.stored:,} entries, as its size line says",
            len(found) if len(found) < head.stored else "more",
        )  # fmt: skip
    for name, extent in zip(names, (head.rows, head.columns), strict=False):
        wrong = found[name][(found[name] < 1) | (found[name] > extent)]
        if len(wrong):
            raise InputError(where, f"a {name} must be from 1 to {extent:,}", int(wrong[0]))
    return found


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


def _matrix(found: Array, head: _Head, where: str) -> Matrix:
    """Return the matrix of a file's entries, mirrored as it says."""
    values = np.ones(len(found)) if head.field == "pattern" else found["x"]
    if head.field == "complex":
        values = values + 1j * found["y"]
    if not np.isfinite(values).all():
        raise InputError(where, "must hold finite numbers only, no NaN or infinity")
    if values.dtype.kind == "u":
        if values.size and values.max() > np.iinfo(np.int64).max:
            raise InputError(where, "must hold integers of 64 bits with a sign", int(values.max()))
        values = values.astype(np.int64)
    row, column = _places(found, head)
    if head.symmetry != "general":
        twin = row != column
        row, column = np.append(row, column[twin]), np.append(column, row[twin])
        values = np.append(values, _MIRRORED[head.symmetry](values[twin]))
    coo = sparse.coo_array((values, (row, column)), shape=(head.rows, head.columns))
    dense = coo.toarray() if head.form == "array" else None
    csr = Csr.of(coo if dense is None else sparse.csr_array(dense), pattern=head.field == "pattern")
    if csr.values is not None and dense is None:
        _check_sums(coo, csr.values, where)
    added = coo.nnz - csr.entries if dense is None else 0
    return Matrix(csr, dense, _DTYPES[values.dtype.kind], added)


def _places(found: Array, head: _Head) -> tuple[Array, Array]:
    """Return row and column of each entry, from 0; a dense file goes column by column."""
    if head.form == "coordinate":
        return found["row"] - 1, found["column"] - 1
    if head.symmetry == "general":
        column, row = np.divmod(np.arange(head.stored), head.rows)
        return row, column
    column, row = np.triu_indices(head.rows, int(head.symmetry == "skew-symmetric"))
    return row, column


def _check_sums(coo: Any, sums: Array, where: str) -> None:
    """Refuse entries at one place whose sum does not fit their type."""
    if len(sums) == coo.nnz:
        return
    total = np.bincount(coo.row, np.abs(coo.data).astype(np.float64))
    if not np.isfinite(sums).all() or (sums.dtype.kind == "i" and total.max() >= 2.0**63):
        raise InputError(where, "entries at one place must have a sum that fits their type")
