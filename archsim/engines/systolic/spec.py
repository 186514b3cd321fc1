"""What a person types to get a systolic array, and the widths that follow from it."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

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
from archsim.formats import Numbers

Dataflow = Literal["os", "ws", "is"]
BF16_BITS = {"a_bits": 16, "b_bits": 16, "acc_bits": 32}  # operands, and fp32 sums
BF16_PE = {"pe": "mac", "multiplier": "inferred", "adder": "inferred"}  # has float units of its own


class SystolicSpec(EngineSpec):
    """A ``rows x cols`` grid of multiply-accumulate PEs with nearest-neighbour links.

    ``os``, output stationary: PE (i, j) accumulates element (i, j) of a tile of C while A moves
    right and B moves down.

    ``ws``, weight stationary: PE (i, j) holds element (i, j) of a tile of B, and the next tile's
    comes in beside it, while A moves right and sums move down into a bank of ``acc_rows`` rows of
    C. ``is``, input stationary: the same for the transposed product, A held and B moving right.

    ``pe: mac``: a PE adds each product to a number; ``multiplier`` and ``adder`` say how its
    arithmetic is built. ``pe: opt1`` (Q. Wu et al., HPCA 2025): sums are kept, and passed on, in
    carry-save form, as pairs that add up to them; each has Booth rows and one compressor tree, and
    ``cols`` lanes at the result port, with one such adder each, make numbers of pairs, once an
    output. Both give the same values; in os, pairs take a few cycles more, once a job.

    ``numbers: int``: operands are signed two's complement; sums wrap at ``acc_bits``. ``numbers:
    bf16``: operands are bfloat16, products and sums fp32; `archsim.formats.bf16` has the rules. The
    widths follow and need not be given; its PE is a mac with float units.
    """

    kind: Literal["systolic"] = "systolic"
    rows: Annotated[
        int, Field(ge=1, le=1024, description="PEs down: lanes of A (os, ws) or B (is)")
    ] = 16
    cols: Annotated[
        int, Field(ge=1, le=1024, description="PEs across: lanes of C and what moves down")
    ] = 16
    dataflow: Annotated[
        Dataflow,
        Field(description="what stays in the PEs: sums (os), weights B (ws), activations A (is)"),
    ] = "os"
    acc_rows: Annotated[
        int, Field(ge=2, le=65536, description="rows of the accumulator bank; os has none")
    ] = 256
    a_bits: ActivationBits = 8
    b_bits: WeightBits = 8
    acc_bits: SumBits = 32

    numbers: Annotated[
        Numbers, Field(description="int = two's complement; bf16 = bfloat16, summed in fp32")
    ] = "int"
    pe: PeField = "mac"
    multiplier: MultiplierField = "inferred"
    adder: AdderField = "inferred"

    @model_validator(mode="before")
    @classmethod
    def _bf16_has_widths(cls, fields: Any) -> Any:
        if isinstance(fields, dict) and fields.get("numbers") == "bf16":
            return {**BF16_BITS, **fields}
        return fields

    @model_validator(mode="after")
    def _bf16_has_no_other_arithmetic(self) -> Self:
        for name, value in {**BF16_BITS, **BF16_PE}.items():
            if self.numbers == "bf16" and getattr(self, name) != value:
                raise ValueError(
                    f"{name} of numbers: bf16 must be {value}, or left out; "
                    f"got {getattr(self, name)}"
                )
        return self

    @model_validator(mode="after")
    def _sum_holds_a_product(self) -> Self:
        check_sum_bits(self)
        return self

    @property
    def pes(self) -> int:
        """Number of PEs."""
        return self.rows * self.cols
