"""Sums and products in the operands' number format: what PEs and result ports compute with.

Integers are two's complement, exact, wrapped by whatever they are assigned to. ``bf16`` operands
give fp32 products and sums, as bit patterns; `archsim.formats.bf16` says how they are rounded.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from amaranth.hdl import Cat, Module, Shape, Value, signed, unsigned

from archsim.formats import Numbers
from archsim.hdl import Adder, Multiplier, Pe
from archsim.hdl.adders import CarryPropagateAdder
from archsim.hdl.bitweight import CarrySaveMultiplyAdd
from archsim.hdl.booth import BoothMultiplier
from archsim.hdl.compress import CompressorTree
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

    @classmethod
    def of(cls, spec: Any) -> Arithmetic:
        """Return the arithmetic that an engine's spec asks for."""
        numbers: Numbers = getattr(spec, "numbers", "int")
        return cls(spec.pe, spec.multiplier, spec.adder, numbers)

    @property
    def resolve(self) -> Adder | None:
        """Adder of the lanes that make numbers of sums; None where sums are numbers."""
        return self.adder if self.pe == "opt1" else None

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
        return add_sums(m, platform, how, addend, float_product.product)
    product = multiply(m, platform, how, a, b)
    return add_sums(m, platform, how, addend, product)


def _pair(m: Module, platform: Any, addend: Value, a: Value, b: Value) -> Value:
    width = len(addend) // 2
    cell = place(
        m, platform, "multiply_add", "multiply_add", CarrySaveMultiplyAdd, len(a), len(b), width
    )
    m.d.comb += [cell.a.eq(a), cell.b.eq(b), Value.cast(cell.addend).eq(addend)]
    return Value.cast(cell.result)


def multiply(
    m: Module, platform: Any, how: Arithmetic, a: Value, b: Value, instance: str = "multiplier"
) -> Value:
    """Return ``a b`` of integers in the same cycle, a number."""
    if how.multiplier == "inferred":
        return a * b
    cell = place(m, platform, "multiplier", instance, BoothMultiplier, len(a), len(b), how.adder)
    m.d.comb += [cell.a.eq(a), cell.b.eq(b)]
    return Value.cast(cell.product)


def add_sums(
    m: Module, platform: Any, how: Arithmetic, x: Value, y: Value, instance: str = "adder"
) -> Value:
    """Return ``x + y`` in the same cycle, of the width of ``x``, which is a sum as ``y`` is.

    Parameters
    ----------
    instance
        What to call the adder in the module.
    """
    if how.pe == "opt1":
        width = len(x) // 2
        tree = place(m, platform, f"compress_4x{width}", instance, CompressorTree, 4, width)
        halves = (x[:width], x[width:], y[:width], y[width:])
        m.d.comb += [addend.eq(half) for addend, half in zip(tree.addends, halves, strict=True)]
        return Cat(tree.sum, tree.carry)
    if how.numbers == "bf16" or how.adder == "inferred":
        return add(m, platform, how.numbers, x, y, instance)
    adder = place(
        m, platform, f"accumulate_{len(x)}", instance, CarryPropagateAdder, len(x), how.adder
    )
    m.d.comb += [adder.x.eq(y), adder.y.eq(x)]
    return adder.sum.as_signed()


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
