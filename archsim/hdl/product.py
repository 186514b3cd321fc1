"""A product of integers as a module of its own."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Module, ShapeLike
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out


class Product(wiring.Component):
    """``a b``, of which as many bits are kept as ``product`` has.

    A module where many are alike: mapping goes by modules, and then maps one.

    Members
    -------
    a, b : in; product : out
    """

    def __init__(self, a: ShapeLike, b: ShapeLike, product: ShapeLike) -> None:
        super().__init__({"a": In(a), "b": In(b), "product": Out(product)})

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        m.d.comb += self.product.eq(self.a * self.b)
        return m
