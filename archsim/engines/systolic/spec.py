"""What a person types to get a systolic array, and the widths that follow from it."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from archsim.engines import EngineSpec

MAX_EXTENT = 2**24 - 1  # of each of a command's m, n and k


class SystolicSpec(EngineSpec):
    """A ``rows x cols`` grid of multiply-accumulate PEs with nearest-neighbour links.

    ``os``, output stationary: PE (i, j) accumulates element (i, j) of a tile of C while A moves
    right and B moves down. Operands are signed two's complement; sums wrap at ``acc_bits``.
    """

    kind: Literal["systolic"] = "systolic"
    rows: Annotated[int, Field(ge=1, le=1024, description="PEs down, lanes of A")] = 16
    cols: Annotated[int, Field(ge=1, le=1024, description="PEs across, lanes of B and C")] = 16
    dataflow: Annotated[
        Literal["os"], Field(description="what stays in the PEs: os = sums (output stationary)")
    ] = "os"
    a_bits: Annotated[int, Field(ge=2, le=16, description="bits of an activation")] = 8
    b_bits: Annotated[int, Field(ge=2, le=16, description="bits of a weight")] = 8
    acc_bits: Annotated[int, Field(ge=4, le=64, description="bits of a sum")] = 32

    @model_validator(mode="after")
    def _sum_holds_a_product(self) -> Self:
        if self.acc_bits < self.product_bits:
            raise ValueError(
                f"acc_bits must be at least a_bits + b_bits = {self.product_bits}, "
                f"not {self.acc_bits}"
            )
        return self

    @property
    def product_bits(self) -> int:
        """Bits of an exact product of two operands."""
        return self.a_bits + self.b_bits

    @property
    def pes(self) -> int:
        """Number of PEs."""
        return self.rows * self.cols
