"""The cube in hardware: PEs in chains, accumulators at their ends, skew, fold control.

One `advance` enable moves everything left of the drain registers, so that a missing operand or a
full drain register freezes the cube and cannot tear a wavefront apart. Right of the drain
registers, rows leave through a two-row queue under their own handshake; in a cube of carry-save PEs
its exit has the lanes that make numbers of pairs.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from amaranth.hdl import Cat, Const, Module, Mux, Shape, Signal, Value, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from archsim.engines.cube.beats import ports
from archsim.engines.cube.spec import CubeSpec
from archsim.hdl.bitweight import extended, offset_start
from archsim.hdl.booth import offset_products
from archsim.hdl.compress import compressed
from archsim.hdl.emit import place
from archsim.hdl.folded import FoldControl, FoldShape, add_control, begin_rows
from archsim.hdl.gemm import array_members, delayed
from archsim.hdl.mac import Arithmetic, add_sums, multiply_add


def chain_shape(spec: CubeSpec) -> Shape:
    """Return the shape of a sum on its way along a chain."""
    return Arithmetic.of(spec).sum_shape(spec.chain_bits)


def sum_shape(spec: CubeSpec) -> Shape:
    """Return the shape of an accumulated sum."""
    return Arithmetic.of(spec).sum_shape(spec.acc_bits)


def operands_layout(spec: CubeSpec, bits: int) -> data.ArrayLayout:
    """Return the layout of the operands of a chain."""
    return data.ArrayLayout(signed(bits), spec.depth)


class ProcessingElement(wiring.Component):
    """Cell that adds a product to the sum that comes along its chain.

    In carry-save form products are kept from being negative, so that the pair needs no room for a
    sign: what begins the chain and `Accumulator` make up for it.

    Members
    -------
    advance : in
        Enable of every register.
    a, b : in; a_next, b_next : out
        Operands, and the same one step later for the neighbours along columns and rows.
    sum : in; sum_next : out
        The chain's sum, and with this cell's product, one step later.
    """

    def __init__(self, spec: CubeSpec) -> None:
        self._spec = spec
        super().__init__(
            {
                "advance": In(1),
                "a": In(signed(spec.a_bits)),
                "b": In(signed(spec.b_bits)),
                "a_next": Out(signed(spec.a_bits)),
                "b_next": Out(signed(spec.b_bits)),
                "sum": In(chain_shape(spec)),
                "sum_next": Out(chain_shape(spec)),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        spec = self._spec
        total = Signal.like(self.sum)
        if spec.pe == "mac":
            how = Arithmetic.of(spec)
            m.d.comb += total.eq(multiply_add(m, platform, how, self.sum, self.a, self.b))
        else:
            half = spec.chain_bits
            rows: list[Value] = []
            for i, addend in enumerate(offset_products(m, platform, self.a, self.b, "products")):
                row = Signal(half, name=f"product_{i}")
                m.d.comb += row.eq(addend)
                rows.append(row)
            m.d.comb += total.eq(Cat(*compressed(m, [*rows, self.sum[:half], self.sum[half:]])))
        # data needs no reset: no sum is read before its fold's first beat began it
        for member, value in (("a_next", self.a), ("b_next", self.b), ("sum_next", total)):
            port = getattr(self, member)
            held = Signal.like(port, name=f"{member}_held", reset_less=True)
            m.d.comb += port.eq(held)
            with m.If(self.advance):
                m.d.sync += held.eq(value)
        return m


class Accumulator(wiring.Component):
    """Adds up what a chain gives, with a drain register.

    Members
    -------
    advance : in
    chain : in
        The sum of a chain.
    first, last : in; first_next, last_next : out
        Whether it begins or ends a sum over chains, and the same one step later for the neighbour
        along columns.
    sum : out
        The last finished sum, until the next one finishes: a number, or the bits of a pair.
    """

    def __init__(self, spec: CubeSpec) -> None:
        self._spec = spec
        super().__init__(
            {
                "advance": In(1),
                "chain": In(chain_shape(spec)),
                "first": In(1),
                "last": In(1),
                "first_next": Out(1),
                "last_next": Out(1),
                "sum": Out(sum_shape(spec)),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        # not called as the instance that it is in: names would hide each other
        accumulator = Signal.like(self.sum, name="running", reset_less=True)
        finished = Signal.like(self.sum, reset_less=True)
        so_far, total, chain = (Signal.like(self.sum) for _ in range(3))
        how = Arithmetic.of(self._spec)
        m.d.comb += [
            chain.eq(self._widened()),
            so_far.eq(Mux(self.first, 0, accumulator)),
            total.eq(add_sums(m, platform, how, so_far, chain)),
            self.sum.eq(finished),
        ]
        with m.If(self.advance):
            m.d.sync += [
                self.first_next.eq(self.first),
                self.last_next.eq(self.last),
                accumulator.eq(total),
            ]
            with m.If(self.last):
                m.d.sync += finished.eq(total)
        return m

    def _widened(self) -> Value:
        """Return the chain's sum as wide as the accumulator's."""
        spec, half = self._spec, self._spec.chain_bits
        if spec.pe == "mac":
            return Value.cast(self.chain)
        return extended(self.chain[:half], self.chain[half:], half - 1, spec.acc_bits)


class Chain(wiring.Component):
    """The PEs of one element of a tile of C, and their accumulator.

    Members
    -------
    advance : in
    a, b : in; a_next, b_next : out
        Operands of its PEs, and the same one step later for the neighbours.
    first, last : in; first_next, last_next : out
    sum : out
        As of its accumulator.
    """

    def __init__(self, spec: CubeSpec) -> None:
        self._spec = spec
        a, b = operands_layout(spec, spec.a_bits), operands_layout(spec, spec.b_bits)
        super().__init__(
            {
                "advance": In(1),
                **{"a": In(a), "b": In(b), "a_next": Out(a), "b_next": Out(b)},
                **{"first": In(1), "last": In(1), "first_next": Out(1), "last_next": Out(1)},
                "sum": Out(sum_shape(spec)),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        spec = self._spec
        total: Value = Const(0, chain_shape(spec))
        if spec.pe == "opt1":
            total = Const(offset_start(spec.depth, spec.a_bits, spec.b_bits), chain_shape(spec))
        for d in range(spec.depth):
            pe = place(m, platform, "pe", f"pe_{d}", ProcessingElement, spec)
            m.d.comb += [
                pe.advance.eq(self.advance),
                pe.a.eq(self.a[d]),
                pe.b.eq(self.b[d]),
                self.a_next[d].eq(pe.a_next),
                self.b_next[d].eq(pe.b_next),
                pe.sum.eq(total),
            ]
            total = pe.sum_next
        end = place(m, platform, "accumulator", "accumulator", Accumulator, spec)
        m.d.comb += [
            end.advance.eq(self.advance),
            end.chain.eq(total),
            end.first.eq(self.first),
            end.last.eq(self.last),
            self.first_next.eq(end.first_next),
            self.last_next.eq(end.last_next),
            self.sum.eq(end.sum),
        ]
        return m


class ChainRow(wiring.Component):
    """The chains of a row of C.

    Members
    -------
    advance, a, first, last : in
        As of its leftmost chain.
    b : in; b_next : out, ``cols`` times the operands of a chain
        From the row above and to the row below.
    sums : out, lanes ``cols``
    """

    def __init__(self, spec: CubeSpec) -> None:
        self._spec = spec
        b = data.ArrayLayout(operands_layout(spec, spec.b_bits), spec.cols)
        super().__init__(
            {
                "advance": In(1),
                "a": In(operands_layout(spec, spec.a_bits)),
                "first": In(1),
                "last": In(1),
                "b": In(b),
                "b_next": Out(b),
                "sums": Out(data.ArrayLayout(sum_shape(spec), spec.cols)),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        a, first, last = self.a, self.first, self.last
        for j in range(self._spec.cols):
            chain = place(m, platform, "chain", f"chain_{j}", Chain, self._spec)
            m.d.comb += [
                chain.advance.eq(self.advance),
                chain.a.eq(a),
                chain.first.eq(first),
                chain.last.eq(last),
                chain.b.eq(self.b[j]),
                self.b_next[j].eq(chain.b_next),
                self.sums[j].eq(chain.sum),
            ]
            a, first, last = chain.a_next, chain.first_next, chain.last_next
        return m


class Cube(wiring.Component):
    """3D cube of PEs with the port protocol of GEMM engines.

    `archsim.engines.cube.beats` has the order of lanes and beats. Extents of 0 in a command are not
    allowed.

    Members
    -------
    cmd, a, b, c : in, streams
    result : out, stream
    counters : out
        Cycles of the last job by what they were; from ``cmd`` on, until the next ``cmd``.
    """

    across = "n"  # the extent that lies across the lanes of a result

    def __init__(self, spec: CubeSpec) -> None:
        self.spec = spec
        super().__init__(array_members(ports(spec)))

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        spec = self.spec
        shape = FoldShape(
            spec.rows, spec.cols, slices=spec.depth, behind=spec.depth,
            ahead=True, late=spec.pe == "opt1",
        )  # fmt: skip
        add_control(m, self, shape, Arithmetic.of(spec), partial(self._grid, m, platform))
        return m

    def _grid(self, m: Module, platform: Any, control: FoldControl) -> list[Value]:
        """Add skew registers, chains and accumulators; return each row's finished sums."""
        spec, advance = self.spec, control.advance

        def skew(lanes: Any, count: int, name: str) -> list[Value]:
            """Return the operands of ``count`` chains at the edge; PE d works d steps behind."""
            chains = []
            for i in range(count):
                chain = [
                    delayed(m, advance, Cat(control.entering(lane)), i + d, f"{name}_{i}_{d}")
                    for d, lane in enumerate(lanes[d * count + i] for d in range(spec.depth))
                ]
                chains.append(Cat(*chain))
            return chains

        begins = Signal()
        m.d.comb += begins.eq(control.feeding & control.first)
        at_sums = delayed(m, advance, begins, spec.depth, "begins_behind", reset_less=False)
        first = begin_rows(m, advance, at_sums, spec.rows)
        a, b = skew(control.a, spec.rows, "skew_a"), Cat(*skew(control.b, spec.cols, "skew_b"))
        sums = []
        for i in range(spec.rows):
            row = place(m, platform, "row", f"row_{i}", ChainRow, spec)
            m.d.comb += [
                row.advance.eq(advance),
                Value.cast(row.a).eq(a[i]),
                row.first.eq(first[i]),
                row.last.eq(control.capture[i]),
                Value.cast(row.b).eq(b),
            ]
            b = Value.cast(row.b_next)
            sums.append(Value.cast(row.sums))
        return sums
