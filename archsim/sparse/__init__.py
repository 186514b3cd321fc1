"""Sparse matrices as products read them: which entries there are, and their values if known.

The one form is compressed sparse row with sorted columns, each once: a canonical form, so that two
equal matrices have equal arrays. In a side file, and in what jobs read, a matrix called ``A`` is
the arrays ``A.indptr``, ``A.indices`` and, where its values are known, ``A.values``.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from archsim.errors import InputError

Array = NDArray[Any]
Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Csr:
    """A sparse matrix by rows.

    Parameters
    ----------
    shape
        Rows and columns.
    indptr
        Where each row begins among the entries, and where the last ends: [rows + 1].
    indices
        Column of each entry, ascending within a row: [entries].
    values
        Of each entry, zeros among them where the matrix stores some; None if only the pattern is
        known.
    """

    shape: tuple[int, int]
    indptr: Ints
    indices: NDArray[np.int32]
    values: Array | None = None

    @classmethod
    def of(cls, matrix: Any, *, pattern: bool = False) -> Csr:
        """Return any matrix of scipy's; what is stored twice is added up, zeros stay.

        Parameters
        ----------
        pattern
            Leave the values out.
        """
        found = sparse.csr_array(matrix)
        if not found.has_canonical_format:
            found = found.copy()
            found.sum_duplicates()  # sorts, too
        rows, columns = found.shape
        return cls(
            (int(rows), int(columns)), found.indptr.astype(np.int64),
            found.indices.astype(np.int32), None if pattern else found.data,
        )  # fmt: skip

    @property
    def entries(self) -> int:
        return len(self.indices)

    @cached_property
    def row_lengths(self) -> Ints:
        """Entries of each row: [rows]."""
        return np.diff(self.indptr)

    @cached_property
    def column_lengths(self) -> Ints:
        """Entries of each column: [columns]."""
        return np.bincount(self.indices, minlength=self.shape[1])

    @cached_property
    def rows(self) -> NDArray[np.int32]:
        """Row of each entry: [entries]."""
        return np.repeat(np.arange(self.shape[0], dtype=np.int32), self.row_lengths)

    @cached_property
    def transposed(self) -> Csr:
        """The matrix by columns, as the rows of its transpose."""
        return Csr.of(self.scipy().T.tocsr(), pattern=self.values is None)

    @cached_property
    def digest(self) -> str:
        """What stands for the pattern."""
        found = hashlib.blake2b(repr(self.shape).encode(), digest_size=16)
        for array in (self.indptr, self.indices):
            found.update(np.ascontiguousarray(array).data)
        return found.hexdigest()

    def scipy(self) -> Any:
        """Return the matrix as scipy's; where only the pattern is known, entries are True."""
        values = np.ones(self.entries, bool) if self.values is None else self.values
        return sparse.csr_array((values, self.indices, self.indptr), shape=self.shape)

    def arrays(self, ref: str) -> dict[str, Array]:
        """Return the arrays of the matrix under a name, as side files have them."""
        found: dict[str, Array] = {f"{ref}.indptr": self.indptr, f"{ref}.indices": self.indices}
        return found if self.values is None else found | {f"{ref}.values": self.values}


def read_csr(arrays: Mapping[str, Array], ref: str, shape: tuple[int, int], where: str) -> Csr:
    """Return a matrix from arrays that nobody vouches for.

    Parameters
    ----------
    where
        What messages call the matrix.

    Raises
    ------
    InputError
        If an array is missing, or they are no matrix of that shape in the canonical form.
    """
    rows, columns = shape
    found = {}
    for part in ("indptr", "indices"):
        name = f"{ref}.{part}"
        if name not in arrays:
            raise InputError(where, f"must be in the side file, under the name {name!r}")
        array = found[part] = np.asarray(arrays[name])
        if array.dtype.kind not in "iu" or array.ndim != 1:
            raise InputError(
                f"{where}: {part}",
                "must be a list of integers",
                f"{array.ndim} axes, {array.dtype}",
            )
    indptr, indices = found["indptr"], found["indices"]
    if len(indptr) != rows + 1 or indptr[0] != 0 or indptr[-1] != len(indices):
        ends = f" from {indptr[0]} to {indptr[-1]}" if len(indptr) else ""
        raise InputError(
            f"{where}: indptr",
            f"must be {rows + 1:,} integers from 0 to {len(indices):,}, the number of entries",
            f"{len(indptr):,}{ends}",
        )
    indptr = indptr.astype(np.int64)
    if (np.diff(indptr) < 0).any():
        raise InputError(f"{where}: indptr", "must not fall")
    if len(indices) and not 0 <= indices.min() <= indices.max() < columns:
        wrong = next(int(x) for x in (indices.min(), indices.max()) if not 0 <= x < columns)
        raise InputError(f"{where}: indices", f"must be from 0 to {columns - 1:,}", wrong)
    rises = np.diff(indices.astype(np.int64)) > 0
    rises[indptr[(indptr > 0) & (indptr < len(indices))] - 1] = (
        True  # from row to row they may fall
    )
    if not rises.all():
        raise InputError(f"{where}: indices", "must rise within each row, each column once")
    return Csr(shape, indptr, indices.astype(np.int32), _values(arrays, ref, len(indices), where))


def _values(arrays: Mapping[str, Array], ref: str, entries: int, where: str) -> Array | None:
    name = f"{ref}.values"
    if name not in arrays:
        return None
    values = np.asarray(arrays[name])
    if values.dtype.kind not in "iufcb" or values.shape != (entries,):
        raise InputError(
            f"{where}: values", f"must be {entries:,} numbers", f"{values.shape}, {values.dtype}"
        )
    if not np.isfinite(values).all():
        raise InputError(f"{where}: values", "must be finite")
    return values
