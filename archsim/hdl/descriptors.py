"""What a system's program is made of: tables of descriptors, their fields, and their packing.

Plain numbers, for the compiler that writes programs and the hardware that reads them. A system
runs two lists at once, each in its order: transfers between memory and scratchpad, and jobs of the
engine. They wait for each other by counts: a job until so many loads have come in and so many
stores have gone out, a transfer until so many jobs have ended.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

WORD_BITS = 32  # of the port through which programs are written
SLOT_BITS = 20  # of an address in the scratchpad
COUNT_BITS = 16
SCALE_BITS = 32  # of a requantisation's multiplier
LOAD_A, LOAD_B, LOAD_BIAS, STORE = range(4)  # what a transfer does

# A walk over pixels, row by row, through a memory that keeps each phase of a strided convolution in
# a plane of its own. `pixel` is the address of the next pixel, `row` that of its row's first one.
WALK = {
    "row": SLOT_BITS, "pixel": SLOT_BITS,
    "column": 16, "columns": 16,  # where in its row the walk begins, and pixels in a row
    "column_phase": 4, "column_phases": 4, "row_phase": 4, "row_phases": 4,
    "column_step": SLOT_BITS, "column_wrap": SLOT_BITS,  # to the next phase, to the next pixel
    "row_step": SLOT_BITS, "row_wrap": SLOT_BITS,
}  # fmt: skip

TRANSFER = {
    "action": 2,
    # in memory: rows of words
    "address": 32, "rows": 16, "row_words": 16, "row_stride": 32,  # bytes
    # in the scratchpad: `group_words` words a pixel, `group_step` apart
    **{f"walk_{name}": bits for name, bits in WALK.items()},
    "group_words": 16, "group_step": SLOT_BITS,
    "entries": SLOT_BITS, "wide": 1,  # of a store: rows of lanes; sums, not narrow results
    # what must have been before it begins
    "jobs": COUNT_BITS, "stores": COUNT_BITS,
}  # fmt: skip

JOB = {
    "m": 24, "n": 24, "k": 24, "accumulate": 1,
    "loads": COUNT_BITS, "stores": COUNT_BITS,  # that must have been before it begins
    # A: pixels of the output, from the first; where the taps of each lie
    "kept_input": 1, "a_base": SLOT_BITS, "a_group_step": SLOT_BITS,
    "first_tap": 10, "taps": 10, "tap": 10, "element": 10,  # table rows; the first beat's
    "column": 16, "columns": 16, "row_skip": SLOT_BITS,
    "in_row": 16, "in_column": 16, "in_column_first": 16,  # signed
    "row_stride": 8, "column_stride": 8, "in_rows": 16, "in_columns": 16,
    "b_base": SLOT_BITS,
    "c_base": SLOT_BITS, "c_step": SLOT_BITS,
    # results
    "narrow": 1, "keep": 1, "out_group_step": SLOT_BITS,
    **{f"walk_{name}": bits for name, bits in WALK.items()},
    "biased": 1, "bias": 10, "scale": 10,  # rows of their tables, for the first columns of C
    "zero_point": 16, "low": 16, "high": 16,  # signed
}  # fmt: skip

TAP = {"offset": SLOT_BITS, "row": 16, "column": 16}  # of a tap; row and column as it reads

SIGNED = frozenset({"in_row", "in_column", "in_column_first", "zero_point", "low", "high"})
SIGNED_TAP = frozenset({"row", "column"})


@dataclass(frozen=True, slots=True)
class Geometry:
    """A system's sizes.

    A word is ``cols`` elements: what the memory port moves in a cycle, and what scratchpad banks
    hold. The activations' memory has a bank a lane of A, so that every lane reads in every cycle.

    Parameters
    ----------
    rows, cols
        Of the array; powers of two.
    bits, acc_bits
        Of an element and of a sum.
    a_depth, kept_depth
        Words a bank, of the activations that stream and of those that stay on chip.
    b_depth
        Words of weights.
    c_depth, bias_depth
        Rows of ``cols`` sums.
    transfers, jobs, taps, scales
        Rows of the program's tables.
    """

    rows: int
    cols: int
    bits: int = 8
    acc_bits: int = 32
    a_depth: int = 256
    kept_depth: int = 256
    b_depth: int = 1024
    c_depth: int = 256
    bias_depth: int = 32
    transfers: int = 256
    jobs: int = 128
    taps: int = 64
    scales: int = 64

    @property
    def word_bits(self) -> int:
        return self.cols * self.bits

    @property
    def word_bytes(self) -> int:
        return self.word_bits // 8

    @property
    def sum_words(self) -> int:
        """Words that a row of sums takes in memory."""
        return self.acc_bits // self.bits

    @property
    def buffer_bytes(self) -> int:
        """Bytes of the scratchpad that hold operands, kept results and sums."""
        banked = self.rows * (self.a_depth + self.kept_depth) + self.b_depth
        return banked * self.word_bytes + self.c_depth * self.cols * self.acc_bits // 8

    @property
    def tables(self) -> dict[str, Table]:
        """The program's tables by name; a write address is the table's number and a word."""
        lane = {"multiplier": SCALE_BITS, "shift": 6}
        scale = {f"{name}_{j}": bits for j in range(self.cols) for name, bits in lane.items()}
        return {
            "transfers": Table(0, TRANSFER, self.transfers),
            "jobs": Table(1, JOB, self.jobs),
            "taps": Table(2, TAP, self.taps),
            "scales": Table(3, scale, self.scales),
        }


@dataclass(frozen=True, slots=True)
class Table:
    """A table of the program: fields packed from the lowest bit on, rows of whole words."""

    number: int
    fields: Mapping[str, int]
    depth: int

    @property
    def bits(self) -> int:
        return sum(self.fields.values())

    @property
    def words(self) -> int:
        """Words of a row."""
        return -(-self.bits // WORD_BITS)

    @property
    def stride_words(self) -> int:
        """Words from a row to the next: a power of two."""
        return 1 << (self.words - 1).bit_length()

    def pack(self, row: Mapping[str, int]) -> list[int]:
        """Return a row as words, lowest first; negative values as two's complement."""
        if row.keys() != self.fields.keys():
            raise ValueError(f"fields must be {list(self.fields)}, not {list(row)}")
        value = shift = 0
        for name, bits in self.fields.items():
            if not -(1 << bits - 1) <= row[name] < 1 << bits:
                raise ValueError(f"{name} must fit {bits} bits, not {row[name]}")
            value |= row[name] % (1 << bits) << shift
            shift += bits
        return [value >> WORD_BITS * i & (1 << WORD_BITS) - 1 for i in range(self.words)]


def words_of(
    geometry: Geometry, rows: Mapping[str, Sequence[Mapping[str, int]]]
) -> list[tuple[int, int, int]]:
    """Return what writes a program: table number, word address in it, word."""
    written = []
    for name, table in geometry.tables.items():
        for i, row in enumerate(rows[name]):
            words = table.pack(row)
            start = i * table.stride_words
            written += [(table.number, start + j, word) for j, word in enumerate(words)]
    return written
