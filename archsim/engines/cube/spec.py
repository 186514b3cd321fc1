"""What a person types to get a 3D cube of PEs, and the widths that follow from it."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from archsim.engines import EngineSpec
from archsim.engines.gemm.choices import (
    ActivationBits,
    AdderField,
    MultiplierField,
    PeField,
    SumBits,
    WeightBits,
    check_sum_bits,
)
from archsim.hdl.trees import pair_top


class CubeSpec(EngineSpec):
    """``rows x cols x depth`` PEs with nearest-neighbour links along three axes, as in Ascend.

    A step takes ``depth`` slices of k. Element (i, d) of A moves along ``cols``, element (d, j) of
    B along ``rows``, and the partial sum of (i, j) along ``depth``: a chain of as many products,
    at whose end an accumulator adds up chains over steps to element (i, j) of a tile of C. What
    comes of a chain is one register behind its last PE, so that no PE has two adders in a row.

    ``pe: mac``: a PE adds its product to the number that comes along the chain; ``multiplier`` and
    ``adder`` say how its arithmetic is built. ``pe: opt1`` (Q. Wu et al., HPCA 2025): chains and
    accumulators keep sums in carry-save form, as pairs that add up to them, and ``cols`` lanes at
    the result port, with one such adder each, make numbers of pairs, once an output. Both give the
    same values; pairs take a few cycles more, once a job.

    Operands are signed two's complement. A sum on its way along a chain has room for ``depth``
    products (`chain_bits`) and never wraps; an accumulator's wraps at ``acc_bits``.
    """

    kind: Literal["cube"] = "cube"
    rows: Annotated[int, Field(ge=1, le=1024, description="PEs along m: rows of sums")] = 8
    cols: Annotated[int, Field(ge=1, le=1024, description="PEs along n: lanes of C")] = 8
    depth: Annotated[int, Field(ge=1, le=256, description="PEs along k: products of a chain")] = 8
    a_bits: ActivationBits = 8
    b_bits: WeightBits = 8
    acc_bits: SumBits = 32
    pe: PeField = "mac"
    multiplier: MultiplierField = "inferred"
    adder: AdderField = "inferred"

    @model_validator(mode="after")
    def _sum_holds_a_product(self) -> Self:
        check_sum_bits(self)
        return self

    @property
    def chain_bits(self) -> int:
        """Bits of the sum on its way along a chain, or of each half of it in carry-save form."""
        if self.pe == "mac":
            return self.a_bits + self.b_bits + (self.depth - 1).bit_length()
        return pair_top(self.depth, self.a_bits, self.b_bits) + 1

    @property
    def pes(self) -> int:
        """Number of PEs."""
        return self.rows * self.cols * self.depth
