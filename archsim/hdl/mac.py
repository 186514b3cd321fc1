"""Sums and products in the operands' number format: what PEs and result ports compute with.

Integers are two's complement, exact, wrapped by whatever they are assigned to. ``bf16`` operands
give fp32 products and sums, as bit patterns; `archsim.formats.bf16` says how they are rounded.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from amaranth.hdl import Module, Shape, Value, signed, unsigned

from archsim.formats import Numbers
from archsim.hdl import Adder, Multiplier, Pe
from archsim.hdl.adders import CarryPropagateAdder
from archsim.hdl.bitweight import CarrySaveMultiplyAdd
from archsim.hdl.booth import BoothMultiplier
from archsim.hdl.emit import place
from archsim.hdl.float_add import Fp32Adder
from archsim.hdl.float_multiply import Bf16Multiplier


@dataclass(frozen=True, slots=True)
class Arithmetic:
    """What a PE multiplies and adds with.

    Parameters
    ----------
    pe
        ``mac``: a sum is a number. ``opt1``: it is a pair that adds up to it, whose bits one value
        holds; Booth rows and the pair go through one compressor tree, and ``multiplier`` and
        ``adder`` do not matter.
    """

    pe: Pe = "mac"
    multiplier: Multiplier = "inferred"
    adder: Adder = "inferred"
    numbers: Numbers = "int"

    def sum_shape(self, bits: int) -> Shape:
        """Return the shape of what holds a sum of ``bits`` bits."""
        return signed(bits) if self.pe == "mac" else unsigned(2 * bits)


def multiply_add(
    m: Module, platform: Any, how: Arithmetic, addend: Value, a: Value, b: Value
) -> Value:
    """Return ``addend + a b`` in the same cycle; adds what that takes to the module, once.

    Parameters
    ----------
    addend
        As `Arithmetic.sum_shape` has it; so is what is returned.
    """
    if how.pe == "opt1":
        return _pair(m, platform, addend, a, b)
    if how.numbers == "bf16":
        float_product = place(m, platform, "multiplier", "multiplier", Bf16Multiplier)
        m.d.comb += [float_product.a.eq(a), float_product.b.eq(b)]
        return add(m, platform, how.numbers, addend, float_product.product)
    product = a * b
    if how.multiplier == "booth":
        cell = place(
            m, platform, "multiplier", "multiplier", BoothMultiplier, len(a), len(b), how.adder
        )
        m.d.comb += [cell.a.eq(a), cell.b.eq(b)]
        product = cell.product
    if how.adder == "inferred":
        return addend + product
    adder = place(
        m, platform, f"accumulate_{len(addend)}", "adder",
        CarryPropagateAdder, len(addend), how.adder,
    )  # fmt: skip
    m.d.comb += [adder.x.eq(product), adder.y.eq(addend)]
    return adder.sum.as_signed()


def _pair(m: Module, platform: Any, addend: Value, a: Value, b: Value) -> Value:
    width = len(addend) // 2
    cell = place(
        m, platform, "multiply_add", "multiply_add", CarrySaveMultiplyAdd, len(a), len(b), width
    )
    m.d.comb += [cell.a.eq(a), cell.b.eq(b), Value.cast(cell.addend).eq(addend)]
    return Value.cast(cell.result)


def add(
    m: Module, platform: Any, numbers: Numbers, x: Any, y: Any, instance: str = "adder"
) -> Value:
    """Return ``x + y`` in the same cycle, both of the accumulator's width.

    Parameters
    ----------
    instance
        What to call the adder in the module, where a format needs one.
    """
    if numbers == "int":
        return x + y
    adder = place(m, platform, "adder", instance, Fp32Adder)
    m.d.comb += [adder.x.eq(x), adder.y.eq(y)]
    return adder.sum
