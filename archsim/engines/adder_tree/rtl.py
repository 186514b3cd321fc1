"""The array of adder trees in hardware: multipliers that hold B, trees, input register.

One `advance` enable moves everything left of the result queue, so that a missing operand or a full
queue freezes the array. What is not trees, `archsim.hdl.stationary` has.
"""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Cat, Module, Mux, Signal, Value, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from archsim.engines.adder_tree.beats import ports
from archsim.engines.adder_tree.spec import AdderTreeSpec
from archsim.hdl.dot_product import DotProduct
from archsim.hdl.emit import place
from archsim.hdl.gemm import array_members, delayed
from archsim.hdl.mac import Arithmetic
from archsim.hdl.stationary import StationaryShape, add_control


class Tree(wiring.Component):
    """Multipliers that hold a column of B, and the tree that adds up their products.

    Members
    -------
    advance : in
        Enable of every register.
    a : in, lanes ``depth``
        Slice of a row of A.
    b : in
        Element of the next tile; it goes to the first shadow register.
    shift : in, bit a multiplier
        Whether its shadow register takes over the one above, the first one ``b``.
    swap : in
        Whether all held elements take their shadow registers over, from the next step on.
    sum : out
        Of the slice's products, ``stages`` steps later.
    """

    def __init__(self, spec: AdderTreeSpec) -> None:
        self._spec = spec
        super().__init__(
            {
                "advance": In(1),
                "a": In(data.ArrayLayout(signed(spec.a_bits), spec.depth)),
                "b": In(signed(spec.b_bits)),
                "shift": In(spec.depth),
                "swap": In(1),
                "sum": Out(Arithmetic.of(spec).sum_shape(spec.acc_bits)),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        spec = self._spec
        m.submodules.products = products = DotProduct(
            spec.depth, spec.a_bits, spec.b_bits, spec.acc_bits, spec.stages, Arithmetic.of(spec)
        )
        m.d.comb += [products.advance.eq(self.advance), self.sum.eq(products.sum)]
        above: Value = self.b
        for i in range(spec.depth):
            # data needs no reset: rows count from when they are fed, tiles from when they are in
            shadow = Signal(signed(spec.b_bits), name=f"shadow_{i}", reset_less=True)
            held = Signal(signed(spec.b_bits), name=f"held_{i}", reset_less=True)
            m.d.comb += [products.a[i].eq(self.a[i]), products.b[i].eq(held)]
            with m.If(self.advance & self.shift[i]):
                m.d.sync += shadow.eq(above)
            with m.If(self.advance & self.swap):
                m.d.sync += held.eq(shadow)
            above = shadow
        return m


class AdderTrees(wiring.Component):
    """Array of adder trees with the port protocol of GEMM engines.

    `archsim.engines.adder_tree.beats` has beats and their order. Extents of 0 in a command are not
    allowed.

    Members
    -------
    cmd, a, b, c : in, streams
    result : out, stream
    counters : out
        Cycles of the last job by what they were; from ``cmd`` on, until the next ``cmd``.
    """

    across = "n"  # the extent that lies across the lanes of a result

    def __init__(self, spec: AdderTreeSpec) -> None:
        self.spec = spec
        super().__init__(array_members(ports(spec)))

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        spec = self.spec
        shape = StationaryShape(
            spec.depth, spec.cols, spec.acc_rows, skewed=False, stages=spec.stages
        )
        control = add_control(m, platform, self, shape, Arithmetic.of(spec))
        windows, advance = control.windows, control.advance

        shift, shifts = Signal(spec.depth), Signal(spec.depth - 1)
        # a beat more goes one multiplier further down; a new tile begins at the top
        further = (windows.loading & ~windows.begins).replicate(spec.depth - 1)
        m.d.comb += shift.eq(Cat(windows.loading, shifts & further))
        with m.If(advance):
            m.d.sync += shifts.eq(shift)

        # bubbles enter as zeros, so that they switch nothing
        fed = Mux(windows.feeding, Value.cast(self.a.p), 0)
        a = delayed(m, advance, fed, 1, "fed")
        sums = []
        for j in range(spec.cols):
            tree = place(m, platform, "tree", f"tree_{j}", Tree, spec)
            m.d.comb += [
                tree.advance.eq(advance),
                Value.cast(tree.a).eq(a),
                tree.b.eq(self.b.p[j]),
                tree.shift.eq(shift),
                tree.swap.eq(windows.begins),
            ]
            sums.append(Value.cast(tree.sum))
        m.d.comb += Value.cast(control.bank.sums).eq(Cat(sums))
        return m
