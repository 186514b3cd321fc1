"""What a person types to get a bit-slice array, and the widths that follow from it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from archsim.engines import EngineSpec
from archsim.engines.gemm.choices import ActivationBits, SumBits, WeightBits, check_sum_bits
from archsim.formats.digits import Scheme
from archsim.hdl import Adder

Pe = Literal["opt3", "opt4c", "opt4e", "laconic", "bitlet"]
Encoded = Literal["a", "b"]
Sync = Literal["pass", "chunk"]

COLUMNS: tuple[Pe, ...] = ("opt3", "opt4c", "opt4e")  # PEs in columns, each at its own pace
ENCODINGS: Mapping[Pe, tuple[Scheme, ...]] = {
    "opt3": ("mbe", "en_t"),
    "opt4c": ("mbe", "en_t"),
    "opt4e": ("mbe", "en_t"),
    "laconic": ("mbe", "en_t", "naf"),
    "bitlet": ("twos_complement", "sign_magnitude"),
}
FOR_COLUMNS = ("depth", "sync", "slack")  # fields that mean nothing for the others


class BitsliceSpec(EngineSpec):
    """``rows x cols`` PEs that work through the digits of an operand other than zero, one by one.

    ``pe`` says how (Q. Wu et al., HPCA 2025, for those called opt):

    - ``opt3``, ``opt4c``, ``opt4e``: PEs of a column share the stream of an encoded operand and
      take one of its digits that are not zero a cycle, for one bit weight after the other; columns
      go at their own pace between barriers. In ``opt3`` each PE finds the digits, in the others
      each column does, once; in ``opt4e`` four lanes, k split among them, add to one sum.
    - ``laconic``: all PEs in lockstep; a PE takes ``group`` products at a time, and each as long as
      it has pairs of digits (S. Sharify et al., ISCA 2019).
    - ``bitlet``: all PEs in lockstep; a PE takes ``group`` products at a time, and bits of one
      weight of all of them share a lane (H. Lu et al., MICRO 2021).

    Operands are signed two's complement; sums wrap at ``acc_bits``.
    """

    kind: Literal["bitslice"] = "bitslice"
    pe: Annotated[Pe, Field(description="what a PE is, and who finds its digits")] = "opt4e"
    rows: Annotated[
        int, Field(ge=1, le=1024, description="PEs of a column: lanes of the operand not encoded")
    ] = 16
    cols: Annotated[
        int, Field(ge=1, le=1024, description="columns of PEs: lanes of the encoded operand")
    ] = 8
    encoded: Annotated[
        Encoded, Field(description="whose digits are streamed: b gives the transposed product")
    ] = "a"
    encoding: Annotated[Scheme, Field(description="digits of the encoded operand")] = "en_t"
    group: Annotated[
        int, Field(ge=1, le=64, description="elements of k that are looked at together")
    ] = 4
    depth: Annotated[
        int, Field(ge=1, le=65536, description="elements of k in a chunk, of which two are held")
    ] = 512
    sync: Annotated[
        Sync, Field(description="columns wait for each other after: each bit weight, each chunk")
    ] = "chunk"
    slack: Annotated[
        int,
        Field(ge=1, le=64, description="operand banks a column, to run ahead of the next one in"),
    ] = 1
    a_bits: ActivationBits = 8
    b_bits: WeightBits = 8
    acc_bits: SumBits = 32
    adder: Annotated[
        Adder, Field(description="carry-propagate adders: lanes that make numbers of pairs")
    ] = "prefix"

    @model_validator(mode="after")
    def _fields_mean_something(self) -> Self:
        if self.encoding not in ENCODINGS[self.pe]:
            raise ValueError(
                f"encoding of pe: {self.pe} must be {' or '.join(ENCODINGS[self.pe])}; "
                f"got {self.encoding}"
            )
        for name in FOR_COLUMNS:
            default = type(self).model_fields[name].default
            if not self.in_columns and getattr(self, name) != default:
                raise ValueError(
                    f"{name} means something for pe: {', '.join(COLUMNS)} only; "
                    f"leave it out for {self.pe}; got {getattr(self, name)}"
                )
        return self

    @model_validator(mode="after")
    def _banks_are_even(self) -> Self:
        if not self.in_columns:
            return self
        for name in ("cols", "slack", "group", "depth"):
            if getattr(self, name).bit_count() != 1:
                raise ValueError(
                    f"{name} of pe: {self.pe} must be a power of two; got {getattr(self, name)}"
                )
        least = self.banks * self.group * self.lanes
        if self.depth < least:
            raise ValueError(
                f"depth must be at least cols x slack x group x lanes = {least}, "
                f"so that each bank holds a group of a chunk; got {self.depth}"
            )
        return self

    @model_validator(mode="after")
    def _sum_holds_a_product(self) -> Self:
        check_sum_bits(self)
        return self

    @property
    def in_columns(self) -> bool:
        """Whether columns go at their own pace; else all PEs are in lockstep."""
        return self.pe in COLUMNS

    @property
    def pes(self) -> int:
        """Number of PEs; of opt4e, of groups of four lanes that add to one sum."""
        return self.rows * self.cols

    @property
    def lanes(self) -> int:
        """Elements of k that a PE works on at once, and k-slices in a beat."""
        return 4 if self.pe == "opt4e" else 1

    @property
    def banks(self) -> int:
        """Banks that each lane's operands lie in."""
        return self.cols * self.slack

    @property
    def encoded_bits(self) -> int:
        return self.a_bits if self.encoded == "a" else self.b_bits

    @property
    def other_bits(self) -> int:
        return self.b_bits if self.encoded == "a" else self.a_bits

    @property
    def passes(self) -> int:
        """Bit weights of the encoded operand, radix 4: passes over a chunk."""
        return (self.encoded_bits + 1) // 2

    @property
    def pair_bits(self) -> int:
        """Bits of sum and carry in a PE, which hold a pass over a chunk exactly.

        A digit is at most 2 in magnitude and the other operand ``2^(other_bits - 1)``, so the sum
        lies within ``depth 2^other_bits`` on either side, both ends included.
        """
        return (self.depth << self.other_bits).bit_length() + 1
