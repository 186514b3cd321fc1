"""The 2D-matrix array in hardware: PEs on broadcast operands, fold sequencer, tile drain.

One `advance` enable moves everything left of the drain registers. Right of them, rows leave through
a two-row queue under their own handshake; in an array of carry-save PEs its exit has the lanes that
make numbers of pairs.
"""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Cat, Module, Mux, Signal, Value, signed
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from archsim.engines.matrix2d.spec import Matrix2dSpec
from archsim.hdl.adders import CarryPropagateAdder
from archsim.hdl.bitweight import CarrySaveMultiplyAdd
from archsim.hdl.booth import BoothMultiplier
from archsim.hdl.emit import place
from archsim.hdl.gemm import (
    COMMAND,
    COUNTERS_SIGNATURE,
    CycleAccounts,
    FoldSequencer,
    ResultPort,
    pick,
)
from archsim.hdl.tile_drain import TileDrain


def sum_bits(spec: Matrix2dSpec) -> int:
    """Return the bits in which a PE keeps a sum."""
    return spec.acc_bits if spec.pe == "mac" else 2 * spec.acc_bits


class ProcessingElement(wiring.Component):
    """Multiply-accumulate cell with a drain register.

    Members
    -------
    a, b : in
    advance : in
        Whether the operands are taken in this cycle.
    first, last : in
        Whether they begin or end a sum.
    sum : out
        The last finished sum, until the next one finishes: a number or, in carry-save form, the
        bits of a pair.
    """

    def __init__(self, spec: Matrix2dSpec) -> None:
        self._spec = spec
        super().__init__(
            {
                "a": In(signed(spec.a_bits)),
                "b": In(signed(spec.b_bits)),
                "advance": In(1),
                "first": In(1),
                "last": In(1),
                "sum": Out(sum_bits(spec)),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        # data needs no reset: no sum is read before its fold's first beat began it
        accumulator = Signal.like(self.sum, reset_less=True)
        finished = Signal.like(self.sum, reset_less=True)
        sum_so_far = Signal.like(self.sum)
        m.d.comb += [sum_so_far.eq(Mux(self.first, 0, accumulator)), self.sum.eq(finished)]
        carried = self._spec.pe == "mac"
        total = (self._propagated if carried else self._saved)(m, platform, sum_so_far)
        with m.If(self.advance):
            m.d.sync += accumulator.eq(total)
            with m.If(self.last):
                m.d.sync += finished.eq(total)
        return m

    def _propagated(self, m: Module, platform: Any, sum_so_far: Value) -> Value:
        """Return the next sum, a number."""
        spec = self._spec
        product = place(
            m, platform, "multiplier", "multiplier",
            BoothMultiplier, spec.a_bits, spec.b_bits, spec.adder,
        )  # fmt: skip
        adder = place(
            m, platform, f"accumulate_{spec.acc_bits}", "adder",
            CarryPropagateAdder, spec.acc_bits, spec.adder,
        )  # fmt: skip
        m.d.comb += [
            product.a.eq(self.a),
            product.b.eq(self.b),
            adder.x.eq(product.product),
            adder.y.eq(sum_so_far),
        ]
        return Value.cast(adder.sum)

    def _saved(self, m: Module, platform: Any, sum_so_far: Value) -> Value:
        """Return the next sum, a pair."""
        spec = self._spec
        cell = place(
            m, platform, "multiply_add", "multiply_add",
            CarrySaveMultiplyAdd, spec.a_bits, spec.b_bits, spec.acc_bits,
        )  # fmt: skip
        m.d.comb += [
            cell.a.eq(self.a),
            cell.b.eq(self.b),
            Value.cast(cell.addend).eq(sum_so_far),
        ]
        return Value.cast(cell.result)


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
        row = stream.Signature(data.ArrayLayout(signed(spec.acc_bits), spec.cols))
        super().__init__(
            {
                "cmd": In(stream.Signature(COMMAND)),
                "a": In(stream.Signature(data.ArrayLayout(signed(spec.a_bits), spec.rows))),
                "b": In(stream.Signature(data.ArrayLayout(signed(spec.b_bits), spec.cols))),
                "c": In(row),
                "result": Out(row),
                "counters": Out(COUNTERS_SIGNATURE),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        spec = self.spec
        m.submodules.folds = folds = FoldSequencer(spec.rows, spec.cols, skewed=False)
        m.submodules.drain = drain = TileDrain(spec.rows)
        resolve = spec.adder if spec.pe == "opt1" else None
        m.submodules.port = port = ResultPort(spec.cols, spec.acc_bits, resolve=resolve)
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
            Value.cast(port.row.p).eq(pick(self._grid(m, platform, folds, advance), drain.row)),
        ]

        m.submodules.accounts = accounts = CycleAccounts(spec.rows, spec.cols, skewed=False)
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

    def _grid(self, m: Module, platform: Any, folds: FoldSequencer, advance: Value) -> list[Value]:
        """Add the PEs; return each row's finished sums."""
        takes = Signal()
        m.d.comb += takes.eq(advance & folds.feeding)
        sums = []
        for i in range(self.spec.rows):
            row = []
            for j in range(self.spec.cols):
                pe = place(m, platform, "pe", f"pe_{i}_{j}", ProcessingElement, self.spec)
                m.d.comb += [
                    pe.a.eq(self.a.p[i]),
                    pe.b.eq(self.b.p[j]),
                    pe.advance.eq(takes),
                    pe.first.eq(folds.first),
                    pe.last.eq(folds.last),
                ]
                row.append(pe.sum)
            sums.append(Cat(*row))
        return sums
