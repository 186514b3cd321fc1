"""What a person types to get a 2D-matrix array, and the widths that follow from it."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from archsim.engines import EngineSpec
from archsim.hdl import Adder

Pe = Literal["mac", "opt1"]


class Matrix2dSpec(EngineSpec):
    """A ``rows x cols`` grid of multiply-accumulate PEs that operands reach by broadcast.

    Each step, element i of a slice of A goes to all PEs of row i and element j of a slice of B to
    all of column j; PE (i, j) accumulates element (i, j) of a tile of C. No operand is skewed or
    passed on, as in FlexFlow (W. Lu et al., HPCA 2017).

    ``pe: mac``: a Booth multiplier and an accumulator, each with a carry-propagate adder of kind
    ``adder``. ``pe: opt1`` (H. Wu et al., HPCA 2025): the PE keeps its sum in carry-save form, and
    ``cols`` lanes at the result port, with one such adder each, make a number of it, once per
    output. Both give the same values in the same cycles.

    Operands are signed two's complement; sums wrap at ``acc_bits``.
    """

    kind: Literal["matrix2d"] = "matrix2d"
    rows: Annotated[int, Field(ge=1, le=1024, description="PEs down: lanes of A")] = 16
    cols: Annotated[int, Field(ge=1, le=1024, description="PEs across: lanes of B and C")] = 16
    a_bits: Annotated[int, Field(ge=2, le=16, description="bits of an activation")] = 8
    b_bits: Annotated[int, Field(ge=2, le=16, description="bits of a weight")] = 8
    acc_bits: Annotated[int, Field(ge=4, le=64, description="bits of a sum")] = 32
    pe: Annotated[
        Pe,
        Field(description="where carries of a sum propagate: every cycle (mac), at the end (opt1)"),
    ] = "mac"
    adder: Annotated[
        Adder, Field(description="carry-propagate adders: of the PEs (mac), of the lanes (opt1)")
    ] = "prefix"

    @model_validator(mode="after")
    def _sum_holds_a_product(self) -> Self:
        if self.acc_bits < self.a_bits + self.b_bits:
            raise ValueError(
                f"acc_bits must be at least a_bits + b_bits = {self.a_bits + self.b_bits}, "
                f"not {self.acc_bits}"
            )
        return self

    @property
    def pes(self) -> int:
        """Number of PEs."""
        return self.rows * self.cols
