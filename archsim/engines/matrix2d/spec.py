"""What a person types to get a 2D-matrix array, and the widths that follow from it."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from archsim.engines import EngineSpec
from archsim.engines.gemm import MAX_EXTENT
from archsim.engines.gemm.choices import ActivationBits, SumBits, WeightBits, check_sum_bits
from archsim.hdl import Adder, Multiplier

Pe = Literal["mac", "opt1", "opt2"]
DIGIT_BITS = 2  # of A that a radix-4 digit stands for
GROUP = 4  # elements of k that a PE of opt2 takes in a step


class Matrix2dSpec(EngineSpec):
    """A ``rows x cols`` grid of multiply-accumulate PEs that operands reach by broadcast.

    Each step, element i of a slice of A goes to all PEs of row i and element j of a slice of B to
    all of column j; PE (i, j) accumulates element (i, j) of a tile of C. No operand is skewed or
    passed on, as in FlexFlow (W. Lu et al., HPCA 2017).

    ``pe: mac``: a multiplier and an accumulator. ``pe: opt1`` (Q. Wu et al., HPCA 2025): the PE
    keeps its sum in carry-save form, and ``cols`` lanes at the result port, with an adder each,
    make a number of it, once per output. Both give the same values; pairs take a few cycles more,
    once a job.

    ``pe: opt2`` (same source): a fold's operands pass once for each radix-4 digit of A, the highest
    first. In a pass a PE takes digits of one weight, of four elements of k a step, so that nothing
    in it is shifted. After each pass its pair becomes a number in lanes at the result port and is
    added to the sum of the passes before, moved up by a digit. Values are the same; four slices of
    k a step and a pass for each two bits of A take about as long.

    Operands are signed two's complement; sums wrap at ``acc_bits``.

    **Width of a pair in opt2.** A digit is -2 to 2, so k products of one weight add up to at most
    ``k 2^b_bits`` in magnitude, and a pair of w bits holds them while ``k < 2^(w - 1 - b_bits)``.
    With ``w = acc_bits - 2 (passes - 1)``, the accumulator less the bits that the highest digit is
    moved up by, and ``a_bits = 2 passes``, that is ``k < 2^(acc_bits + 1 - a_bits - b_bits)``: the
    very k whose sum of products, each at most ``2^(a_bits + b_bits - 2)`` in magnitude, cannot
    leave ``acc_bits``. Where no sum can overflow, no pass can. An odd ``a_bits`` halves it. A
    longer k is refused: 131,071 are the most of bytes in 32 bits.
    """

    kind: Literal["matrix2d"] = "matrix2d"
    rows: Annotated[int, Field(ge=1, le=1024, description="PEs down: lanes of A")] = 16
    cols: Annotated[int, Field(ge=1, le=1024, description="PEs across: lanes of B and C")] = 16
    a_bits: ActivationBits = 8
    b_bits: WeightBits = 8
    acc_bits: SumBits = 32
    pe: Annotated[
        Pe,
        Field(
            description="where carries of a sum propagate: every cycle (mac), at the end (opt1), "
            "at the end of each bit weight (opt2)"
        ),
    ] = "mac"
    adder: Annotated[
        Adder, Field(description="carry-propagate adders: of the PEs (mac), of the lanes (others)")
    ] = "prefix"
    multiplier: Annotated[
        Multiplier, Field(description="multipliers of pe: mac; the others always have Booth digits")
    ] = "booth"

    @model_validator(mode="after")
    def _sum_holds_a_product(self) -> Self:
        check_sum_bits(self)
        return self

    @model_validator(mode="after")
    def _pair_holds_a_step(self) -> Self:
        if self.pe == "opt2" and self.a_bits <= DIGIT_BITS:
            raise ValueError(
                f"a_bits of pe: opt2 must be at least {DIGIT_BITS + 1}, not {self.a_bits}: "
                "a single digit has no weights to take one by one"
            )
        if self.pe == "opt2" and self.longest_k < self.slices:
            least = self.acc_bits
            while self._longest_k(least) < self.slices:
                least += 1
            raise ValueError(
                f"acc_bits of pe: opt2 must be at least {least} with a_bits {self.a_bits} and "
                f"b_bits {self.b_bits}, not {self.acc_bits}: a pair is narrower than a sum"
            )
        return self

    @property
    def passes(self) -> int:
        """Times that a fold's operands pass the PEs: once a digit of A in opt2."""
        return -(-self.a_bits // DIGIT_BITS) if self.pe == "opt2" else 1

    @property
    def slices(self) -> int:
        """Slices of k in a beat."""
        return GROUP if self.pe == "opt2" else 1

    @property
    def pair_bits(self) -> int:
        """Bits of each half of a PE's sum in carry-save form."""
        return self.acc_bits - DIGIT_BITS * (self.passes - 1)

    @property
    def sum_bits(self) -> int:
        """Bits of what a PE keeps of its sum."""
        return self.acc_bits if self.pe == "mac" else 2 * self.pair_bits

    @property
    def a_wires(self) -> int:
        """Bits that reach a PE from its row."""
        return self.slices * 3 if self.pe == "opt2" else self.a_bits

    @property
    def b_wires(self) -> int:
        """Bits that reach a PE from its column."""
        return self.slices * 2 * (self.b_bits + 1) if self.pe == "opt2" else self.b_bits

    @property
    def longest_k(self) -> int:
        """The most elements of k in one command."""
        return self._longest_k(self.acc_bits)

    def _longest_k(self, acc_bits: int) -> int:
        if self.pe != "opt2":
            return MAX_EXTENT
        spare = acc_bits - DIGIT_BITS * (self.passes - 1) - 1 - self.b_bits
        return int(min(2**spare - 1, MAX_EXTENT)) if spare > 0 else 0

    @property
    def pes(self) -> int:
        """Number of PEs."""
        return self.rows * self.cols
