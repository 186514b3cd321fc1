"""What a trace knows of operands by which engines cut ops: patterns of sparse matrices, values."""

from __future__ import annotations

import hashlib
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from archsim.errors import InputError
from archsim.finds import Finds
from archsim.sparse import Csr, read_csr
from archsim.sparse.product import SparseProduct, check_products
from archsim.trace import DTYPE_BITS, Op, Sampled, Sparse, Tensor, Trace


@dataclass(frozen=True)
class Known(Finds):
    """What is known of the values of an op's inputs, where its engine cuts it by them.

    Parameters
    ----------
    key
        Stands for all of it.
    arrays
        By the inputs' names in `OpKind.ports`; what is not known is not there.
    scales
        Of those that are samples: whole over sample.
    """

    most_found = 512

    key: Hashable
    arrays: Mapping[str, NDArray[Any]]
    scales: Mapping[str, float]
    _found: dict[Hashable, Any] = field(default_factory=dict, repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class Patterns:
    """What counts of a trace's operands; arrays are looked at when they are needed, and once."""

    trace: Trace
    _matrices: dict[str, Csr] = field(default_factory=dict)
    _products: dict[tuple[str, ...], SparseProduct] = field(default_factory=dict)
    _known: dict[tuple[str, ...], Known] = field(default_factory=dict)

    def values(self, op: Op, ports: Sequence[str]) -> Known:
        """Return what is known of the values of an op's inputs, by what those are called.

        Raises
        ------
        InputError
            If an array is missing, has another shape than its tensor, or numbers that are not
            finite.
        """
        if op.inputs not in self._known:
            arrays, scales, digest = {}, {}, hashlib.sha256()
            for port, name in zip(ports, op.inputs, strict=False):
                data = self.trace.tensors[name].data
                if isinstance(data, str | Sampled):
                    found = arrays[port] = self._array(self.trace.tensors[name], data)
                    scales[port] = data.scale if isinstance(data, Sampled) else 1.0
                    digest.update(f"{port} {found.dtype} {found.shape} {data}".encode())
                    digest.update(found.tobytes())
            self._known[op.inputs] = Known(digest.hexdigest(), arrays, scales)
        return self._known[op.inputs]

    def _array(self, tensor: Tensor, data: str | Sampled) -> NDArray[Any]:
        """Return all values of a tensor, or some of its rows if they are a sample."""
        where = f"trace {self.trace.name!r}: values of {tensor.name!r}"
        sampled = isinstance(data, Sampled)
        ref = data.ref if isinstance(data, Sampled) else data
        if ref not in self.trace.values:
            raise InputError(where, f"must be in the side file, under the name {ref!r}")
        found = np.ascontiguousarray(self.trace.values[ref])
        rows, least = tensor.shape[0], 1 if sampled else tensor.shape[0]
        if found.shape[1:] != tensor.shape[1:] or not least <= len(found) <= rows:
            words = f"must be {'at most ' if sampled else ''}{list(tensor.shape)}"
            raise InputError(where, words, list(found.shape))
        if found.dtype.kind not in "fiu" or not np.isfinite(found).all():
            raise InputError(where, "must be finite numbers")
        return found

    def product(self, op: Op) -> SparseProduct:
        """Return the product of an op that is cut by patterns.

        Raises
        ------
        InputError
            If they are not known, or have not as many products as the op says.
        """
        names = (*op.inputs[:2], op.outputs[0])
        if names not in self._products:
            a, b, c = (self.trace.tensors[name] for name in names)
            second = self._matrix(b) if isinstance(b.data, Sparse) else None
            bits = (DTYPE_BITS[a.dtype], DTYPE_BITS[b.dtype], DTYPE_BITS[c.dtype])
            self._products[names] = SparseProduct(self._matrix(a), second, b.shape[1], bits)
        product = self._products[names]
        check_products(product, f"op {op.name!r}")
        if product.products != op.attrs["products"]:
            raise InputError(
                f"op {op.name!r}: products",
                f"must be those of its matrices, {product.products:,}",
                op.attrs["products"],
            )
        return product

    def _matrix(self, tensor: Tensor) -> Csr:
        if tensor.name not in self._matrices:
            where = f"trace {self.trace.name!r}: pattern of {tensor.name!r}"
            data = tensor.data
            assert isinstance(data, Sparse)
            if not data.ref:
                raise InputError(where, "must be known, as time and traffic follow from it")
            rows, columns = tensor.shape
            found = read_csr(self.trace.values, data.ref, (rows, columns), where)
            if found.entries != data.entries:
                raise InputError(where, f"must have {data.entries:,} entries", found.entries)
            self._matrices[tensor.name] = found
        return self._matrices[tensor.name]
