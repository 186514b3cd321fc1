"""Payloads between parts of the engine in hardware, and the words of its memory."""

from __future__ import annotations

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
ROW_WORD = data.StructLayout({"count": 32, "base": 24, "size_log2": 8})
ENTRY_WORD = data.StructLayout({"column": INDEX_BITS, "value": VALUE_BITS})
BOUNDS_WORD = data.StructLayout({"at": 32, "count": 32})
REQUEST = data.StructLayout({"write": 1, "address": ADDRESS_BITS, "data": WORD_BITS})

COMMAND = data.StructLayout(
    {
        **{"rows": 32, "entries": 32},
        **{f"{name}_at": ADDRESS_BITS for name in ("rows", "a", "bounds", "b", "c")},
        **{"left": INDEX_BITS, "width": INDEX_BITS, "span_log2": 6},
    }
)


def size_bits(spec: HashSpgemmSpec) -> int:
    """Return the bits of a sub-table's size, as a power of two."""
    return (spec.slots.bit_length() - 1).bit_length()


def slot_bits(spec: HashSpgemmSpec) -> int:
    return spec.slots.bit_length() - 1


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
    return data.StructLayout({"place": place_layout(spec), "bounds": BOUNDS_WORD, "lane": 2})


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
