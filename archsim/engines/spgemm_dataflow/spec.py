"""What a person types to get a sparse-product engine, and the jobs that it runs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal, Self

from numpy import bool_
from numpy.typing import NDArray
from pydantic import Field, model_validator

from archsim.engines import EngineSpec, Ints, Jobs, Reason
from archsim.trace import DTYPE_BITS, Op

KINDS = ("spgemm", "spmm")
Dataflow = Literal["inner", "outer", "row_merge"]


class SpgemmDataflowSpec(EngineSpec):
    """PEs that multiply and merge sorted sparse rows, in one of three orders of the loops.

    What is read again, and kept in the buffer for it, is rows of A in ``inner``, rows of B in
    ``row_merge``, and partial products in ``outer``.
    """

    kind: Literal["spgemm_dataflow"] = "spgemm_dataflow"
    dataflow: Annotated[
        Dataflow,
        Field(
            description="inner: rows of A meet columns of B; outer: columns of A meet rows of B, "
            "then partial products are merged; row_merge: each row of A merges rows of B"
        ),
    ] = "row_merge"
    pes: Annotated[int, Field(gt=0, le=4096, description="products, or comparisons, a cycle")] = 32
    merge_pes: Annotated[
        int, Field(gt=0, le=4096, description="PEs that merge in outer; at most pes")
    ] = 32
    merge_ways: Annotated[
        int, Field(ge=2, le=1024, description="sorted rows that a PE merges in one pass")
    ] = 64
    value_bits: Annotated[
        Literal[8, 16, 32, 64], Field(description="of the widest value that PEs compute on")
    ] = 64
    line_bytes: Annotated[
        Literal[8, 16, 32, 64, 128, 256],
        Field(description="what DRAM gives at least, where a row of B is fetched by itself"),
    ] = 64
    stationary_share: Annotated[
        float,
        Field(gt=0, lt=1, description="part of the buffer's tiles for what is read again"),
    ] = 0.75

    @model_validator(mode="after")
    def _no_more_mergers_than_pes(self) -> Self:
        if self.merge_pes > self.pes:
            raise ValueError(f"merge_pes must be at most pes, {self.pes}, not {self.merge_pes}")
        return self


@dataclass(frozen=True, slots=True)
class DataflowJobs(Jobs):
    """Windows of a product, by what they amount to; see `archsim.engines.Windows` for the ranges.

    Parameters
    ----------
    phase, first, stop, left, right
        Ranges of the window. Phase 0 of ``outer`` goes through columns of A, everything else
        through rows of A and C, and columns of C.
    merging
        Whether it is for the PEs that merge.
    steps
        Cycles of one PE for all of it.
    chain
        Cycles that the longest row takes if PEs never wait.
    reach
        At most so many cycles more than evenly divided work, whatever the order of tasks.
    scalars, taken, given
        Entries between buffer and PEs: of A, of rows that are multiplied, merged or compared, and
        what comes out.
    products, compared, merged, results
        Scalar products, comparisons of an inner product, entries that mergers take in, and entries
        of C.
    a_bytes, b_bytes, partial_bytes, c_bytes
        DRAM traffic by what it is: partial products both ways.
    least_bytes
        Traffic that no dataflow is without, of the whole op: A, the rows of B that are met, C.

    Refs: ``a`` and ``b`` name matrices, as `archsim.sparse` calls their arrays.
    """

    phase: Ints
    first: Ints
    stop: Ints
    left: Ints
    right: Ints
    merging: NDArray[bool_]
    steps: Ints
    chain: Ints
    reach: Ints
    scalars: Ints
    taken: Ints
    given: Ints
    products: Ints
    compared: Ints
    merged: Ints
    results: Ints
    a_bytes: Ints
    b_bytes: Ints
    partial_bytes: Ints
    c_bytes: Ints
    least_bytes: Ints


def accepts(spec: SpgemmDataflowSpec, op: Op) -> Literal[True] | Reason:
    if op.kind in KINDS:
        return True
    return Reason(f"a sparse-product engine runs {' and '.join(KINDS)}, not {op.kind}")


def dtypes(spec: SpgemmDataflowSpec) -> frozenset[str]:
    """Return the types of numbers that fit the PEs."""
    return frozenset(
        name
        for name, bits in DTYPE_BITS.items()
        if bits <= spec.value_bits and not name.startswith("complex")
    )
