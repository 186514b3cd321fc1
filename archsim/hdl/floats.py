"""What hardware for floating-point numbers is made of: fields, shifts with a sticky bit, counts."""

from __future__ import annotations

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value

FRACTION_BITS = 23  # of fp32
INFINITY = 0xFF << FRACTION_BITS
NAN = 0x1FF << (FRACTION_BITS - 1)  # the canonical one: positive, quiet, no payload


class Float:
    """The fields of a bit pattern with an 8-bit exponent.

    Attributes
    ----------
    exponent
        Biased by 127; 1 for subnormal numbers and zero, which have its scale.
    significand
        ``fraction_bits + 1`` bits, the leading one included where there is one.
    """

    def __init__(self, bits: Value, fraction_bits: int) -> None:
        fraction, field = bits[:fraction_bits], bits[fraction_bits:-1]
        special = field.all()
        normal = field.any()
        self.sign = bits[-1]
        self.exponent = Cat(field[0] | ~normal, field[1:])
        self.significand = Cat(fraction, normal)
        self.nan = special & fraction.any()
        self.infinite = special & ~fraction.any()


def leading_zeros(value: Value) -> Value:
    """Return how many zeros stand above the highest one; for zero, anything."""
    if len(value) == 1:
        return Const(0, 1)
    half = 1 << ((len(value) - 1).bit_length() - 1)  # of the width rounded up to a power of two
    low = Cat(Const(0, 2 * half - len(value)), value)
    top, bottom = low[half:], low[:half]
    none = ~top.any()
    if half == 1:
        return none
    rest = Mux(none, leading_zeros(bottom), leading_zeros(top))
    return Cat(rest[: half.bit_length() - 1], none)


def shifted_right(m: Module, value: Value, distance: Value, name: str) -> Value:
    """Return the value shifted right; its lowest bit also holds whether a one was shifted out."""
    for stage, bit in enumerate(distance):
        step = min(1 << stage, len(value))
        lost = value[: step + 1].any()
        shifted = Cat(lost, value[step + 1 :], Const(0, step))[: len(value)]
        held = Signal(len(value), name=f"{name}_by_{1 << stage}")
        m.d.comb += held.eq(Mux(bit, shifted, value))
        value = held
    return value
