"""Every kind of Matrix Market file, as scipy writes and reads it; what it refuses is in hostile."""

from __future__ import annotations

import gzip
import io
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import sparse
from scipy.io import mmwrite

from archsim.sparse import Csr
from archsim.sparse.matrix_market import read_matrix

FORMS = ("coordinate", "array")
FIELDS = ("real", "integer", "complex", "pattern")
SYMMETRIES = ("general", "symmetric", "skew-symmetric", "hermitian")


def matrix(field: str, symmetry: str) -> Any:
    """Return a 5 x 5 matrix of the kind; where it is mirrored, signs and parts say so."""
    rng = np.random.default_rng(3)
    lower = np.tril(rng.integers(1, 9, (5, 5)) * (rng.random((5, 5)) < 0.5))
    if field == "complex":
        lower = lower * (1 + 2j)
    if field == "pattern":
        lower = (lower != 0).astype(float)
    strict = np.tril(lower, -1)
    if symmetry == "general":
        return lower + 2 * strict.T
    if symmetry == "skew-symmetric":
        return strict - strict.T
    diagonal = np.diag(np.diag(lower).real if symmetry == "hermitian" else np.diag(lower))
    return diagonal + strict + (strict.conj() if symmetry == "hermitian" else strict).T


def text(form: str, field: str, symmetry: str) -> bytes:
    values, made = matrix(field, symmetry), io.BytesIO()
    given = values if form == "array" else sparse.coo_array(values)
    mmwrite(made, given.astype(np.int64) if field == "integer" else given,
            field=field, symmetry=symmetry)  # fmt: skip
    return made.getvalue()


KINDS = [
    kind
    for kind in product(FORMS, FIELDS, SYMMETRIES)
    if kind[:2] != ("array", "pattern")
    and (kind[2] != "hermitian" or kind[1] == "complex")
    and kind[1:] != ("pattern", "skew-symmetric")
]


@pytest.mark.parametrize("kind", KINDS, ids="-".join)
@pytest.mark.parametrize("suffix", [".mtx", ".mtx.gz"])
def test_all_kinds_of_files(kind: tuple[str, str, str], suffix: str, tmp_path: Path) -> None:
    form, field, symmetry = kind
    content = text(*kind)
    assert content.startswith(b"%%MatrixMarket matrix " + " ".join(kind).encode())
    path = tmp_path / f"m{suffix}"
    path.write_bytes(gzip.compress(content) if suffix.endswith("gz") else content)
    found, expected = read_matrix(path), matrix(field, symmetry)
    expected = expected != 0 if field == "pattern" else expected
    assert found.dtype == {"integer": "int64", "complex": "complex128"}.get(field, "fp64")
    assert (found.csr.scipy().toarray() == expected).all()
    assert (found.csr.values is None) == (field == "pattern")
    assert (found.dense is None) == (form == "coordinate")
    assert found.dense is None or (found.dense == expected).all()


def read(tmp_path: Path, content: str) -> Any:
    path = tmp_path / "m.mtx"
    path.write_text(content)
    return read_matrix(path)


def test_entries_at_one_place_are_added_up_and_zeros_stay(tmp_path: Path) -> None:
    found = read(tmp_path, "%%MatrixMarket matrix coordinate real general\n"
                 "3 4 5\n1 2 1.5\n3 4 -1\n1 2 2\n3 4 1\n2 1 0\n")  # fmt: skip
    assert (found.added, found.csr.entries) == (2, 3)
    assert found.csr.indices.tolist() == [1, 0, 3]
    assert found.csr.values.tolist() == [3.5, 0, 0]


def test_what_is_allowed_around_the_numbers(tmp_path: Path) -> None:
    plain = read(tmp_path, "%%MatrixMarket matrix coordinate integer general\n2 2 1\n2 1 7\n")
    odd = read(tmp_path, "%%MatrixMarket MATRIX Coordinate Integer GENERAL\r\n% x\r\n\r\n"
               "%\r\n  2\t2 1\r\n\r\n 2 1\t7")  # fmt: skip
    assert odd.csr.digest == plain.csr.digest
    assert odd.csr.values.tolist() == plain.csr.values.tolist() == [7]


def test_matrices_of_scipy_in_any_form() -> None:
    values = matrix("real", "general")
    for form in ("csr_matrix", "csc_array", "coo_matrix", "lil_array", "dok_array", "dia_array"):
        made = getattr(sparse, form)(values)
        found = Csr.of(made)
        assert (found.scipy().toarray() == values).all(), form
        assert (found.transposed.scipy().toarray() == values.T).all(), form
        assert (made.toarray() == values).all(), "what comes in stays as it is"
