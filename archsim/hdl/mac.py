"""Sums and products in the operands' number format: what PEs and result ports compute with.

Integers are two's complement, exact, wrapped by whatever they are assigned to. ``bf16`` operands
give fp32 products and sums, as bit patterns; `archsim.formats.bf16` says how they are rounded.
"""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Module, Value

from archsim.formats import Numbers
from archsim.hdl.emit import place
from archsim.hdl.float_add import Fp32Adder
from archsim.hdl.float_multiply import Bf16Multiplier


def multiply_add(
    m: Module, platform: Any, numbers: Numbers, addend: Any, a: Value, b: Value
) -> Value:
    """Return ``addend + a b`` in the same cycle; adds what that takes to the module, once."""
    if numbers == "int":
        return addend + a * b
    product = place(m, platform, "multiplier", "multiplier", Bf16Multiplier)
    m.d.comb += [product.a.eq(a), product.b.eq(b)]
    return add(m, platform, numbers, addend, product.product)


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
