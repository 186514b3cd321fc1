"""Traces of sparse products: from matrices of scipy's, of files, or made up."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from archsim.errors import InputError
from archsim.sparse import Csr
from archsim.sparse.product import SparseProduct, check_products
from archsim.trace import Op, Role, Sparse, Tensor, Trace

DTYPES = {
    "f4": "fp32",
    "f8": "fp64",
    "i8": "int64",
    "i4": "int32",
    "i1": "int8",
    "c16": "complex128",
}


class SparseTrace:
    """Collects a trace of products of sparse and dense matrices.

    Attributes
    ----------
    notes
        What a report should say about how the trace was made.
    """

    def __init__(self, name: str, source: str) -> None:
        self.name, self.source = name, source
        self.notes: list[str] = []
        self._tensors: dict[str, Tensor] = {}
        self._ops: list[Op] = []
        self._matrices: dict[str, Csr] = {}
        self._values: dict[str, NDArray[Any]] = {}

    def sparse(self, name: str, matrix: Csr, role: Role = "input", dtype: str = "fp64") -> str:
        """Declare a sparse matrix and return its name."""
        self._matrices[name] = matrix
        self._values |= matrix.arrays(name)
        data = Sparse(matrix.entries, name)
        self._tensors[name] = Tensor(name, matrix.shape, dtype, role, data)
        return name

    def dense(
        self,
        name: str,
        shape: tuple[int, int],
        role: Role = "input",
        dtype: str = "fp64",
        values: NDArray[Any] | None = None,
    ) -> str:
        """Declare a dense matrix, its values if they are known, and return its name."""
        if values is not None:
            self._values[name] = values
        data = None if values is None else name
        self._tensors[name] = Tensor(name, shape, dtype, role, data)
        return name

    def multiply(self, name: str, a: str, b: str, c: str, role: Role = "output") -> str:
        """Add ``C = A B``, A or both of them sparse, and return the name of C.

        The pattern of a sparse C is kept if it is an activation, for products to follow.

        Raises
        ------
        InputError
            If the extents do not fit, or there is nothing to multiply.
        """
        first, second = (self._tensors[x] for x in (a, b))
        if first.shape[1] != second.shape[0]:
            raise InputError(
                f"{self.name}: {name}", f"B must have {first.shape[1]:,} rows, as A has columns",
                second.shape[0],
            )  # fmt: skip
        (m, k), n = first.shape, second.shape[1]
        product = SparseProduct(self._matrices[a], self._matrices.get(b), n)
        check_products(product, f"{self.name}: {name}")
        if not product.products:
            raise InputError(
                f"{self.name}: {name}",
                "must have something to multiply: no entry of A meets one of B",
            )
        dtype = first.dtype if first.dtype == second.dtype else "fp64"
        if product.b is not None and role == "activation":
            self.sparse(c, product.pattern(), role, dtype)
        else:
            data = None if product.b is None else Sparse(product.results)
            self._tensors[c] = Tensor(c, (m, n), dtype, role, data)
        attrs = {"m": m, "n": n, "k": k, "products": product.products}
        kind = "spmm" if product.b is None else "spgemm"
        self._ops.append(Op(name, kind, (a, b), (c,), attrs, source=self.source))
        return c

    def build(self) -> Trace:
        return Trace(
            self.name, self._tensors, tuple(self._ops), tuple(self.notes), {}, self.source,
            self._values,
        )  # fmt: skip


def multiplied(
    name: str,
    source: str,
    a: Csr,
    b: Csr | None = None,
    *,
    columns: int = 0,
    dtypes: tuple[str, str] = ("fp64", "fp64"),
) -> SparseTrace:
    """Return the trace of one product in the making: A squared, A B, or A times a dense matrix.

    Parameters
    ----------
    b
        None is A itself.
    columns
        Of a dense B, which then stands in place of ``b``.
    dtypes
        Of A and B.
    """
    made = SparseTrace(name, source)
    made.sparse("A", a, dtype=dtypes[0])
    if columns:
        made.dense("B", (a.shape[1], columns), dtype=dtypes[1])
    elif b is not None:
        made.sparse("B", b, dtype=dtypes[1])
    made.multiply("product", "A", "A" if b is None and not columns else "B", "C")
    return made


def trace_of(a: Any, b: Any = None, *, columns: int = 0, name: str = "product") -> Trace:
    """Return the trace of a product of scipy's sparse matrices, whose values travel with it.

    Parameters
    ----------
    b
        None is A itself: the square.
    columns
        Of a dense B, which then stands in place of ``b``.

    Raises
    ------
    InputError
        If one is no matrix, its indices or values are out of bounds, its numbers are of a type that
        traces do not have, or extents do not fit.
    """
    first, second = _csr(a, f"{name}: A"), None if b is None else _csr(b, f"{name}: B")
    dtypes = _dtype(a, name), _dtype(a if b is None else b, name)
    return multiplied(name, name, first, second, columns=columns, dtypes=dtypes).build()


def _csr(matrix: Any, where: str) -> Csr:
    """Return a matrix of scipy's or NumPy's, which nobody may have looked at yet."""
    known = sparse.issparse(matrix) or isinstance(matrix, np.ndarray)
    if not known or getattr(matrix, "ndim", 0) != 2:
        raise InputError(where, "must be a matrix of scipy's or NumPy's", type(matrix).__name__)
    if hasattr(matrix, "check_format"):
        try:
            matrix.check_format(full_check=True)
        except ValueError as fault:
            raise InputError(where, f"must have indices within its shape: {fault}") from None
    found = Csr.of(matrix)
    if found.values is not None and not np.isfinite(found.values).all():
        raise InputError(where, "must hold finite numbers only, no NaN or infinity")
    return found


def _dtype(matrix: Any, name: str) -> str:
    found = np.dtype(matrix.dtype)
    dtype = DTYPES.get(found.str[1:])
    if dtype is None:
        known: Mapping[str, str] = DTYPES
        raise InputError(name, f"must be numbers of {', '.join(known.values())}", str(found))
    return dtype
