"""What a person types to get an array of adder trees, and the widths that follow from it."""

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
from archsim.hdl.trees import after_level, compressor_levels, ranks


class AdderTreeSpec(EngineSpec):
    """``cols`` trees, each of which adds up ``depth`` products a cycle, as in Trapezoid.

    Tree j holds column j of a ``depth x cols`` tile of B, and the next tile's comes in beside it.
    Each step a slice of a row of A goes to all trees at once; their sums are a row of C over the
    tile, which is added up over tiles along k in a bank of ``acc_rows`` rows.

    ``pe: mac``: products are numbers, added by a binary tree of carry-propagate adders, and another
    such adder at the bank; ``multiplier`` and ``adder`` say how they are built. ``pe: opt1`` (Q. Wu
    et al., HPCA 2025): the Booth rows of all products of a tree go through one compressor tree, the
    bank keeps pairs, and ``cols`` lanes at the result port, with one such adder each, make numbers
    of pairs, once an output. Both give the same values in the same cycles.

    Operands are signed two's complement; sums wrap at ``acc_bits``.
    """

    kind: Literal["adder_tree"] = "adder_tree"
    depth: Annotated[int, Field(ge=1, le=256, description="multipliers of a tree: lanes of A")] = 16
    cols: Annotated[int, Field(ge=1, le=1024, description="trees: lanes of B and C")] = 16
    stages: Annotated[
        int, Field(ge=1, le=9, description="ranks of registers in a tree, the last one at its end")
    ] = 2
    acc_rows: Annotated[int, Field(ge=2, le=65536, description="rows of the accumulator bank")] = (
        256
    )
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

    @model_validator(mode="after")
    def _ranks_have_places(self) -> Self:
        if self.stages > 1 + self.levels:
            raise ValueError(
                f"stages must be at most {1 + self.levels} in a tree of depth {self.depth}: one "
                f"after the products and one after each of {self.levels} levels of adders; "
                f"got {self.stages}"
            )
        return self

    @property
    def levels(self) -> int:
        """Levels of a binary tree."""
        return (self.depth - 1).bit_length()

    @property
    def sum_bits(self) -> int:
        """Bits that a tree needs for its sum, or for each of the two that make it."""
        if self.pe == "mac":
            return min(self.a_bits + self.b_bits + self.levels, self.acc_bits)
        return min(self.a_bits + self.b_bits + self.levels + 1, self.acc_bits)

    @property
    def rank_bits(self) -> int:
        """Bits of the registers in a tree; in compressor trees, if every row had all its bits."""
        compressed = self.pe == "opt1"
        leaves = self.depth * (((self.a_bits + 1) // 2) if compressed else 1) + compressed
        levels = compressor_levels(leaves) if compressed else self.levels
        bits = 0
        for level in ranks(levels, self.stages):
            values = after_level(leaves, level, compressed=compressed)
            narrower = 0 if compressed else self.levels - level
            bits += values * (self.sum_bits - narrower)
        return bits

    @property
    def rows(self) -> int:
        """Rows of the tile that stays, as arrays of PEs call the depth."""
        return self.depth

    @property
    def pes(self) -> int:
        """Number of multipliers."""
        return self.depth * self.cols
