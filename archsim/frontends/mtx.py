"""Sparse matrices of files: ``A.mtx`` is its square, ``A.mtx@times=B.mtx`` a product."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from archsim.errors import InputError
from archsim.frontends import Frontend
from archsim.frontends.options import Options
from archsim.frontends.products import SparseTrace
from archsim.sparse.matrix_market import SUFFIXES, Matrix, read_matrix
from archsim.trace import OpKind, Trace

MAX_COLUMNS = 1 << 20


def _load(model: str, options: Options, kinds: Mapping[str, OpKind]) -> Trace:
    """Return the trace of A squared, of A times another file's matrix, or a dense one's columns.

    A second file in Matrix Market's ``array`` format is a dense matrix.
    """
    times, columns = str(options.text("times")) if options.has("times") else "", 0
    options.known("times")
    if not times and options.has("columns"):
        columns = options.count("columns", 1, most=MAX_COLUMNS)
    options.known("columns")
    a, path = read_matrix(model), Path(model)
    stem = _stem(path)
    name = f"{stem} x {_stem(Path(times))}" if times else stem if columns else f"{stem} squared"
    made = SparseTrace(name, f"{path.name} x {Path(times).name}" if times else path.name)
    made.sparse("A", a.csr, dtype=a.dtype)
    _say(made, a, path.name)
    second = "A"
    if times:
        second = _second(made, times, model)
    elif columns:
        second = made.dense("B", (a.csr.shape[1], columns), dtype=a.dtype)
    elif a.csr.shape[0] != a.csr.shape[1]:
        raise InputError(
            model, "must be a square matrix to be multiplied by itself",
            f"{a.csr.shape[0]} x {a.csr.shape[1]}", fix="say --times B.mtx",
        )  # fmt: skip
    made.multiply("product", "A", second, "C")
    return made.build()


def _second(made: SparseTrace, times: str, model: str) -> str:
    if not times.endswith(SUFFIXES):
        raise InputError("times", f"must be a {' or '.join(SUFFIXES)} file", times)
    b = read_matrix(times)
    if b.dense is not None:
        return made.dense("B", b.csr.shape, dtype=b.dtype, values=b.dense)
    if Path(times).resolve() != Path(model).resolve():
        _say(made, b, Path(times).name)
    return made.sparse("B", b.csr, dtype=b.dtype)


def _say(made: SparseTrace, matrix: Matrix, file: str) -> None:
    """Note what was not taken as it stands."""
    if matrix.dense is not None:
        made.notes.append(f"{file} is a dense file: its zeros are no entries")
    if matrix.csr.values is None:
        made.notes.append(f"{file} is a pattern: its entries count as ones")
    if matrix.added:
        made.notes.append(
            f"{matrix.added:,} entries of {file} stand at the place of others: they are added up"
        )


def _stem(path: Path) -> str:
    return path.name.removesuffix(".gz").removesuffix(".mtx")


FRONTEND = Frontend("FILE.mtx", lambda model: model.endswith(SUFFIXES), _load)
