"""The 2D-matrix array in hardware: PEs on broadcast operands, fold sequencer, tile drain.

One `advance` enable moves everything left of the drain registers. Right of them, rows leave through
a two-row queue under their own handshake.

In an array of carry-save PEs steps are late: what is taken stands in registers for a cycle before
it reaches the PEs, and rows leave through lanes that make numbers of pairs in two cycles.
"""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Cat, Module, Mux, Shape, Signal, Value, signed, unsigned
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from archsim.engines.matrix2d.beats import ports
from archsim.engines.matrix2d.spec import Matrix2dSpec
from archsim.hdl.digits import DIGIT, BoothCell
from archsim.hdl.emit import place
from archsim.hdl.gemm import CycleAccounts, FoldSequencer, array_members, pick
from archsim.hdl.mac import Arithmetic, multiply_add
from archsim.hdl.passes import (
    DigitMultiplyAdd,
    PassPort,
    multiples,
    multiples_layout,
)
from archsim.hdl.result_port import ResultPort
from archsim.hdl.tile_drain import TileDrain


class ProcessingElement(wiring.Component):
    """Multiply-accumulate cell with a drain register.

    Members
    -------
    a, b : in
        Operands; for ``pe: opt2`` a group of digits, and of numbers with their opposites.
    advance : in
        Whether the operands are taken in this cycle.
    first, last : in
        Whether they begin or end a sum.
    sum : out
        The last finished sum, until the next one finishes: a number or the bits of a pair.
    """

    def __init__(self, spec: Matrix2dSpec) -> None:
        self._spec = spec
        a, b = operand_shapes(spec)
        super().__init__(
            {
                "a": In(a),
                "b": In(b),
                "advance": In(1),
                "first": In(1),
                "last": In(1),
                "sum": Out(sum_shape(spec)),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        spec = self._spec
        # data needs no reset: no sum is read before its fold's first beat began it
        accumulator = Signal.like(self.sum, reset_less=True)
        finished = Signal.like(self.sum, reset_less=True)
        total, sum_so_far = Signal.like(self.sum), Signal.like(self.sum)
        m.d.comb += [sum_so_far.eq(Mux(self.first, 0, accumulator)), self.sum.eq(finished)]
        if spec.pe == "opt2":
            cell = place(
                m, platform, "digits_add", "digits_add",
                DigitMultiplyAdd, spec.slices, spec.b_bits, spec.pair_bits,
            )  # fmt: skip
            m.d.comb += [
                cell.digits.eq(self.a),
                cell.b.eq(self.b),
                Value.cast(cell.addend).eq(sum_so_far),
                total.eq(cell.result),
            ]
        else:
            how = Arithmetic(pe=spec.pe, multiplier=spec.multiplier, adder=spec.adder)
            m.d.comb += total.eq(multiply_add(m, platform, how, sum_so_far, self.a, self.b))
        with m.If(self.advance):
            m.d.sync += accumulator.eq(total)
            with m.If(self.last):
                m.d.sync += finished.eq(total)
        return m


def sum_shape(spec: Matrix2dSpec) -> Shape:
    """Return the shape of what holds a PE's sum."""
    return signed(spec.acc_bits) if spec.pe == "mac" else unsigned(2 * spec.pair_bits)


def operand_shapes(spec: Matrix2dSpec) -> tuple[Any, Any]:
    """Return the shapes of what reaches a PE from its row and from its column."""
    if spec.pe != "opt2":
        return signed(spec.a_bits), signed(spec.b_bits)
    layouts = (DIGIT, multiples_layout(spec.b_bits))
    return data.ArrayLayout(layouts[0], spec.slices), data.ArrayLayout(layouts[1], spec.slices)


class Matrix2d(wiring.Component):
    """2D-matrix array with the port protocol of GEMM engines.

    Beats of ``a`` and ``b`` are k-slices; `archsim.engines.matrix2d.beats` has their order. Extents
    of 0 in a command are not allowed.

    Members
    -------
    cmd, a, b, c : in, streams
    result : out, stream
    counters : out
        Cycles of the last job by what they were; from ``cmd`` on, until the next ``cmd``.
    """

    across = "n"  # the extent that lies across the lanes of a result

    def __init__(self, spec: Matrix2dSpec) -> None:
        self.spec = spec
        self.late = spec.pe != "mac"  # a carry-save PE is faster than what decides on a step
        super().__init__(array_members(ports(spec)))

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        spec = self.spec
        m.submodules.folds = folds = FoldSequencer(
            spec.rows, spec.cols, skewed=False, slices=spec.slices, passes=spec.passes,
            ahead=True, late=self.late,
        )  # fmt: skip
        m.submodules.drain = drain = TileDrain(spec.rows, late=self.late)
        m.submodules.port = port = self._port()
        wiring.connect(m, wiring.flipped(self.c), port.c)
        wiring.connect(m, port.result, wiring.flipped(self.result))
        operands, advance, start = Signal(), Signal(), Signal()
        m.d.comb += [
            operands.eq(~folds.feeding | (self.a.valid & self.b.valid)),
            advance.eq(folds.stepping & operands & ~drain.blocked),
            start.eq(self.cmd.valid & folds.idle),
            self.cmd.ready.eq(folds.idle),
            self.a.ready.eq(advance & folds.feeding),
            self.b.ready.eq(advance & folds.feeding),
            folds.start.eq(start),
            folds.m.eq(self.cmd.p.m),
            folds.n.eq(self.cmd.p.n),
            folds.k.eq(self.cmd.p.k),
            folds.advance.eq(advance),
            folds.finish.eq(drain.empty & port.emptied),
            drain.advance.eq(advance),
            drain.last.eq(folds.last),
            drain.fold_rows.eq(folds.fold_rows),
            drain.room.eq(port.row.ready),
            port.start.eq(start),
            port.accumulate.eq(self.cmd.p.accumulate),
            port.row.valid.eq(drain.leave),
        ]
        row = pick(self._grid(m, platform, folds, advance), drain.row)
        if spec.pe == "opt2":
            self._tag(m, folds, drain, port, advance)
            m.d.comb += Value.cast(port.row.p.pairs).eq(row)
        else:
            m.d.comb += Value.cast(port.row.p).eq(row)

        m.submodules.accounts = accounts = CycleAccounts(
            spec.rows, spec.cols, skewed=False, ahead=True, late=self.late
        )
        wiring.connect(m, accounts.counters, wiring.flipped(self.counters))
        m.d.comb += [
            accounts.start.eq(start),
            accounts.advance.eq(advance),
            accounts.feeding.eq(folds.feeding),
            accounts.stepping.eq(folds.stepping),
            accounts.blocked.eq(drain.blocked),
            accounts.has_b.eq(self.b.valid),
            accounts.draining.eq(folds.draining),
            accounts.refused.eq(port.refused),
            accounts.lacks_c.eq(port.lacks_c),
        ]
        return m

    def _port(self) -> ResultPort | PassPort:
        spec = self.spec
        if spec.pe == "opt2":
            widths = (spec.pair_bits, spec.acc_bits)
            return PassPort(spec.rows, spec.cols, *widths, spec.adder)
        resolve = spec.adder if spec.pe == "opt1" else None
        return ResultPort(spec.cols, spec.acc_bits, resolve=resolve, pipelined=self.late)

    def _tag(
        self, m: Module, folds: FoldSequencer, drain: TileDrain, port: Any, advance: Value
    ) -> None:
        """Say of the row that leaves which pass and fold it is of."""
        part, rows = Signal.like(folds.part), Signal.like(folds.fold_rows)  # of what is to leave
        m.d.comb += [
            port.row.p.tag.place.eq(drain.row),
            port.row.p.begins.eq(part == 0),
            port.row.p.tag.ends.eq(part == self.spec.passes - 1),
            port.row.p.one.eq(rows == 1),
            port.row.p.two.eq(rows == 2),
            port.row.p.three.eq(rows == 3),
        ]
        with m.If(advance & folds.last):
            m.d.sync += [part.eq(folds.part), rows.eq(folds.fold_rows)]

    def _operands(
        self, m: Module, platform: Any, a: Any, b: Any
    ) -> tuple[list[Value], list[Value]]:
        """Return what each row and each column of PEs is given of a beat."""
        spec = self.spec
        if spec.pe != "opt2":
            return list(a), list(b)
        digits = []
        for i, window in enumerate(a):
            cell = place(m, platform, "booth_cell", f"digit_{i}", BoothCell)
            m.d.comb += cell.window.eq(window)
            digits.append(Value.cast(cell.digit))
        both = [Value.cast(multiples(m, f"b_{j}", lane)) for j, lane in enumerate(b)]
        # lane s rows + i is element i of slice s
        rows = [Cat(*digits[i :: spec.rows]) for i in range(spec.rows)]
        return rows, [Cat(*both[j :: spec.cols]) for j in range(spec.cols)]

    def _grid(self, m: Module, platform: Any, folds: FoldSequencer, advance: Value) -> list[Value]:
        """Add the PEs; return each row's finished sums."""
        takes = Signal()
        m.d.comb += takes.eq(advance & folds.feeding)
        step = (self.a.p, self.b.p, takes, folds.first, folds.last)
        if self.late:
            step = self._registered(m, step)
        *beats, takes, first, last = step
        a, b = self._operands(m, platform, *beats)
        sums = []
        for i in range(self.spec.rows):
            row = []
            for j in range(self.spec.cols):
                pe = place(m, platform, "pe", f"pe_{i}_{j}", ProcessingElement, self.spec)
                m.d.comb += [
                    pe.a.eq(a[i]),
                    pe.b.eq(b[j]),
                    pe.advance.eq(takes),
                    pe.first.eq(first),
                    pe.last.eq(last),
                ]
                row.append(pe.sum)
            sums.append(Cat(*row))
        return sums

    def _registered(self, m: Module, step: tuple[Any, ...]) -> tuple[Any, ...]:
        """Return what PEs are told, a cycle late: a PE keeps nothing of a step not taken."""
        names = ("a_held", "b_held", "takes_held", "first_held", "last_held")
        held = [
            Signal.like(value, name=name, reset_less=True)
            for name, value in zip(names, step, strict=True)
        ]
        m.d.sync += [later.eq(value) for later, value in zip(held, step, strict=True)]
        return tuple(held)
