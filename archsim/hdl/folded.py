"""All but the PEs of skewed arrays that keep their sums: sequencing, drain, port, accounts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from amaranth.hdl import Cat, Module, Mux, Signal, Value
from amaranth.lib import wiring

from archsim.hdl.gemm import CycleAccounts, FoldSequencer, delayed, pick
from archsim.hdl.mac import Arithmetic
from archsim.hdl.result_port import ResultPort
from archsim.hdl.row_drain import RowDrain


@dataclass(frozen=True, slots=True)
class FoldShape:
    """An array that keeps its sums, as its control sees it.

    Parameters
    ----------
    rows, cols
        Of its sums.
    slices
        Elements of k in a beat.
    behind
        Steps that a product takes to reach its sum.
    ahead
        Whether control counts ahead, for arrays whose PEs are faster than it is otherwise.
    late
        Whether a step that is taken, and its operands, stand in registers for a cycle before they
        reach the PEs, and lanes that make numbers of pairs take two cycles.
    """

    rows: int
    cols: int
    slices: int = 1
    behind: int = 0
    ahead: bool = False
    late: bool = False


@dataclass(frozen=True, slots=True)
class FoldControl:
    """What the PEs of an array are told.

    Parameters
    ----------
    a, b
        Operands of the step that is next.
    advance
        A step is taken: the enable of every register left of the drain registers.
    feeding, first
        The step that is next takes a beat; that is its fold's first one.
    capture
        Bit a row: the step that is next ends the row's sum in column 0.
    late
        Whether all of it comes from registers, bubbles as zeros.
    """

    a: Any
    b: Any
    advance: Signal
    feeding: Value
    first: Value
    capture: Value

    late: bool = False

    def entering(self, lane: Value) -> Value:
        """Return an operand, or zero for a bubble, so that it switches nothing."""
        return lane if self.late else Mux(self.feeding, lane, 0)

    def registered(self, m: Module) -> FoldControl:
        """Return the same a cycle later; PEs keep nothing of a step that is not taken."""

        def held(value: Value, name: str) -> Signal:
            later = Signal(len(value), name=f"{name}_held", reset_less=True)
            m.d.sync += later.eq(value)
            return later

        return FoldControl(
            [held(self.entering(lane), f"a_{i}") for i, lane in enumerate(self.a)],
            [held(self.entering(lane), f"b_{i}") for i, lane in enumerate(self.b)],
            held(self.advance, "advance"),
            held(self.feeding, "feeding"),
            held(self.first, "first"),
            held(self.capture, "capture"),
            late=True,
        )


def add_control(
    m: Module,
    array: Any,
    shape: FoldShape,
    how: Arithmetic,
    grid: Callable[[FoldControl], Sequence[Value]],
) -> None:
    """Add an array's PEs and everything around them.

    Parameters
    ----------
    array
        Component with the ports of a GEMM engine.
    grid
        Add the PEs; return each row's finished sums.
    """
    rows, cols = shape.rows, shape.cols
    bits = array.c.p.shape().elem_shape.width
    m.submodules.folds = folds = FoldSequencer(
        rows, cols, slices=shape.slices, behind=shape.behind, ahead=shape.ahead, late=shape.late
    )
    m.submodules.drain = drain = RowDrain(rows, cols, late=shape.late)
    m.submodules.port = port = ResultPort(
        cols, bits, how.numbers, how.resolve, pipelined=shape.late
    )
    wiring.connect(m, wiring.flipped(array.c), port.c)
    wiring.connect(m, port.result, wiring.flipped(array.result))
    operands, advance, start = Signal(), Signal(), Signal()
    ended = (folds.last, folds.fold_rows)
    if shape.behind:
        later = delayed(m, advance, Cat(*ended), shape.behind, "ended", reset_less=False)
        ended = (later[0], later[1:])
    m.d.comb += [
        operands.eq(~folds.feeding | (array.a.valid & array.b.valid)),
        advance.eq(folds.stepping & operands & ~drain.blocked),
        start.eq(array.cmd.valid & folds.idle),
        array.cmd.ready.eq(folds.idle),
        array.a.ready.eq(advance & folds.feeding),
        array.b.ready.eq(advance & folds.feeding),
        folds.start.eq(start),
        folds.m.eq(array.cmd.p.m),
        folds.n.eq(array.cmd.p.n),
        folds.k.eq(array.cmd.p.k),
        folds.advance.eq(advance),
        folds.finish.eq(drain.empty & port.emptied),
        drain.advance.eq(advance),
        drain.last.eq(ended[0]),
        drain.fold_rows.eq(ended[1]),
        drain.room.eq(port.row.ready),
        port.start.eq(start),
        port.accumulate.eq(array.cmd.p.accumulate),
        port.row.valid.eq(drain.leave),
    ]
    control = FoldControl(array.a.p, array.b.p, advance, folds.feeding, folds.first, drain.capture)
    sums = grid(control.registered(m) if shape.late else control)
    m.d.comb += Value.cast(port.row.p).eq(pick(sums, drain.row))

    m.submodules.accounts = accounts = CycleAccounts(
        rows, cols, behind=shape.behind, ahead=shape.ahead, late=shape.late
    )
    wiring.connect(m, accounts.counters, wiring.flipped(array.counters))
    m.d.comb += [
        accounts.start.eq(start),
        accounts.advance.eq(advance),
        accounts.feeding.eq(folds.feeding),
        accounts.fold_rows.eq(folds.fold_rows),
        accounts.fold_cols.eq(folds.fold_cols),
        accounts.stepping.eq(folds.stepping),
        accounts.blocked.eq(drain.blocked),
        accounts.has_b.eq(array.b.valid),
        accounts.draining.eq(folds.draining),
        accounts.refused.eq(port.refused),
        accounts.lacks_c.eq(port.lacks_c),
    ]


def begin_rows(m: Module, advance: Value, begins: Value, rows: int) -> Signal:
    """Return a flag a row, ``begins`` in row 0 and each row a step behind the one above."""
    first = Signal(rows)
    below = Signal(rows - 1, name="begins")
    m.d.comb += first.eq(Cat(begins, below))
    with m.If(advance):
        m.d.sync += below.eq(first)
    return first
