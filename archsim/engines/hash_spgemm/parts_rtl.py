"""Payloads between parts of the engine in hardware, and the words of its memory."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Cat, Const
from amaranth.lib import data

from archsim.engines.hash_spgemm.spec import (
    ADDRESS_BITS,
    INDEX_BITS,
    TAG_BITS,
    VALUE_BITS,
    WORD_BITS,
    HashSpgemmSpec,
)

# words, lowest field first
ROW_WORD = data.StructLayout({"count": 32, "products": 32})
ENTRY_WORD = data.StructLayout({"column": INDEX_BITS, "value": VALUE_BITS})
BOUNDS_WORD = data.StructLayout({"at": 32, "count": 32})
REQUEST = data.StructLayout({"write": 1, "address": ADDRESS_BITS, "data": WORD_BITS})

COMMAND = data.StructLayout(
    {
        "rows": 32,
        **{f"{name}_at": ADDRESS_BITS for name in ("rows", "a", "bounds", "b", "c")},
        **{"left": INDEX_BITS, "width": INDEX_BITS, "span_log2": 6},
    }
)


def size_bits(spec: HashSpgemmSpec) -> int:
    """Return the bits of a sub-table's size, as a power of two."""
    return (spec.slots.bit_length() - 1).bit_length()


def slot_bits(spec: HashSpgemmSpec) -> int:
    return spec.slots.bit_length() - 1


def line_bits(spec: HashSpgemmSpec) -> int:
    """Return the bits of a slot's number within its line, which are its lowest."""
    return spec.comparators.bit_length() - 1


def bank_of(spec: HashSpgemmSpec, slot: Any) -> Any:
    """Return the bits of a slot that say which bank it is in."""
    first = line_bits(spec)
    return slot[first : first + spec.banks.bit_length() - 1] if spec.banks > 1 else Const(0, 1)


def place_of(spec: HashSpgemmSpec, slot: Any) -> Any:
    """Return where a slot is in its bank: of a line, one behind the other."""
    first = line_bits(spec)
    return Cat(slot[:first], slot[first + spec.banks.bit_length() - 1 : slot_bits(spec)])


def laid_layout(spec: HashSpgemmSpec) -> data.StructLayout:
    """Return a row of the window: nonzeros of A, first slot and size of its sub-table."""
    return data.StructLayout({"count": 32, "base": slot_bits(spec), "size_log2": size_bits(spec)})


def place_layout(spec: HashSpgemmSpec) -> data.StructLayout:
    """Return what a product needs of its nonzero of A: value, row, sub-table."""
    return data.StructLayout(
        {
            "value": VALUE_BITS,
            "row": TAG_BITS - spec.col_bits,
            "base": slot_bits(spec),
            "size_log2": size_bits(spec),
        }
    )


def token_layout(spec: HashSpgemmSpec) -> data.StructLayout:
    """Return a token: a nonzero of A with the row of B that it meets."""
    return data.StructLayout(
        {"place": place_layout(spec), "bounds": BOUNDS_WORD, "aim": aim_layout(spec)}
    )


def aim_layout(spec: HashSpgemmSpec) -> data.StructLayout:
    """Return what says where a token goes: its row's lane, or whether it is its row's first."""
    return data.StructLayout(
        {"lane": 2 * (spec.token == "static"), "first": int(spec.token == "row")}
    )


def operation_layout(spec: HashSpgemmSpec) -> data.StructLayout:
    """Return an operation on a slot: ``adds`` alone, or compares first and takes it if empty."""
    return data.StructLayout(
        {"tag": TAG_BITS, "slot": slot_bits(spec), "value": VALUE_BITS, "adds": 1}
    )


def lane_shape(spec: HashSpgemmSpec) -> range:
    """Return what a lane's number is; it has a bit even if there is one lane."""
    return range(max(spec.lanes, 2))


def slot_layout() -> data.StructLayout:
    return data.StructLayout({"valid": 1, "tag": TAG_BITS, "value": VALUE_BITS})
