"""What a trace knows of its sparse matrices: the products that ops on them amount to."""

from __future__ import annotations

from dataclasses import dataclass, field

from archsim.errors import InputError
from archsim.sparse import Csr, read_csr
from archsim.sparse.product import SparseProduct, check_products
from archsim.trace import DTYPE_BITS, Op, Sparse, Tensor, Trace


@dataclass(frozen=True, slots=True)
class Patterns:
    """The sparse matrices of a trace; arrays are looked at when they are needed, and once."""

    trace: Trace
    _matrices: dict[str, Csr] = field(default_factory=dict)
    _products: dict[tuple[str, ...], SparseProduct] = field(default_factory=dict)

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
