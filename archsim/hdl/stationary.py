"""What arrays with a stationary operand share: window sequencer, cycle accounts, all but PEs.

`archsim.engines.gemm.stationary` derives the schedule that they keep.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from amaranth.hdl import Module, Mux, Signal, Value, unsigned
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from archsim.hdl.accounts import charges, tally
from archsim.hdl.accumulator_bank import ROW_TAG, AccumulatorBank
from archsim.hdl.gemm import COUNTERS, COUNTERS_SIGNATURE, EXTENT_BITS, delayed
from archsim.hdl.mac import Arithmetic
from archsim.hdl.result_port import ResultPort


@dataclass(frozen=True, slots=True)
class StationaryShape:
    """An array with a stationary operand, as its control sees it.

    Parameters
    ----------
    rows, cols, bank
        Extents of the array, rows of its accumulator bank.
    skewed
        Whether PE (i, j) works ``i + j`` steps behind PE (0, 0), or all on the same row.
    stages
        Registers that a PE's work passes.
    """

    rows: int
    cols: int
    bank: int
    skewed: bool
    stages: int = 1

    def span(self, depth: Any, width: Any) -> Any:
        """Return the steps in which a row works in a fold of some extents."""
        return depth + width - (2 - self.stages) if self.skewed else self.stages

    @property
    def landing(self) -> int:
        """Steps from a row's feeding to its landing."""
        return 1 + int(self.span(self.rows, self.cols))


class WindowSequencer(wiring.Component):
    """Counts a command's windows, beats and steps.

    The window of a fold has ``max(rows of its chunk, depth of the next fold)`` steps: the first
    ones feed rows of the streamed operand, and the first ones load the next fold's stationary tile.
    Before the first fold comes a window that loads only, after the last a flush until its last row
    has landed.

    Members
    -------
    start : in
        Take the command in this cycle; only when ``idle``.
    m, n, k : in
        Streamed rows, stationary columns and depth of the command, at ``start``.
    advance : in
        Whether this cycle's step is taken.
    finish : in
        The last result left in this cycle; only when ``draining``.
    idle, stepping, flushing, draining : out
        No command; any step is next; ... after the last beat; all steps are done.
    begins, feeding, loading : out
        Of the step that is next: first of a window, needs a streamed beat, needs a stationary one.
    first, last : out
        The window's fold is the first or the last along k.
    depth, width : out
        Rows and columns of the window's fold that hold elements of the stationary operand.
    """

    def __init__(self, shape: StationaryShape) -> None:
        self._rows, self._cols, self._bank = shape.rows, shape.cols, shape.bank
        self._landing = shape.landing
        flags = ("idle", "stepping", "flushing", "draining", "begins", "feeding", "loading")
        super().__init__(
            {
                **{name: In(1) for name in ("start", "advance", "finish")},
                **{name: In(unsigned(EXTENT_BITS)) for name in ("m", "n", "k")},
                **{name: Out(1) for name in (*flags, "first", "last")},
                "depth": Out(range(shape.rows + 1)),
                "width": Out(range(shape.cols + 1)),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        feed_left, load_left = Signal(range(self._bank + 1)), Signal(range(self._rows + 1))
        flush_left = Signal(range(self._landing + 1))
        final, window_ends, running = Signal(), Signal(), Signal()
        m.d.comb += [
            self.stepping.eq(running | self.flushing),
            self.feeding.eq(running & (feed_left != 0)),
            self.loading.eq(running & (load_left != 0)),
            window_ends.eq(~feed_left[1:].any() & ~load_left[1:].any()),  # 1 at most of each
        ]
        with m.FSM():
            with m.State("IDLE"):
                m.d.comb += self.idle.eq(1)
                with m.If(self.start):
                    m.d.sync += [feed_left.eq(0), self.begins.eq(1), final.eq(0)]
                    m.next = "RUN"
            with m.State("RUN"):
                m.d.comb += running.eq(1)
                with m.If(self.advance):
                    m.d.sync += [
                        feed_left.eq(feed_left - self.feeding),
                        load_left.eq(load_left - self.loading),
                        self.begins.eq(0),
                    ]
                    with m.If(window_ends & final):
                        m.d.sync += flush_left.eq(self._landing)
                        m.next = "FLUSH"
            with m.State("FLUSH"):
                m.d.comb += self.flushing.eq(1)
                with m.If(self.advance):
                    m.d.sync += flush_left.eq(flush_left - 1)
                    with m.If(flush_left == 1):
                        m.next = "DRAIN"
            with m.State("DRAIN"):
                m.d.comb += self.draining.eq(1)
                with m.If(self.finish):
                    m.next = "IDLE"
        begin = running & self.advance & window_ends & ~final
        self._walk(m, begin, feed_left, load_left, final)
        return m

    def _walk(
        self, m: Module, begin: Value, feed_left: Signal, load_left: Signal, final: Signal
    ) -> None:
        """Go through the folds, one window ahead: the fold that is loaded is the next to begin."""
        extent = unsigned(EXTENT_BITS)
        n, k = Signal(extent), Signal(extent)
        m_left, n_left, k_left = Signal(extent), Signal(extent), Signal(extent)
        first, last_in_m, last_in_n, last_in_k = Signal(), Signal(), Signal(), Signal()
        m.d.comb += [
            last_in_m.eq(m_left <= self._bank),
            last_in_n.eq(n_left <= self._cols),
            last_in_k.eq(k_left <= self._rows),
        ]

        def depth(k: Value) -> Value:
            return Mux(k <= self._rows, k, self._rows)

        with m.If(self.start):
            m.d.sync += [
                *(n.eq(self.n), k.eq(self.k)),
                *(m_left.eq(self.m), n_left.eq(self.n), k_left.eq(self.k)),
                *(first.eq(1), load_left.eq(depth(self.k))),
            ]
        with m.If(begin):
            m.d.sync += [
                self.begins.eq(1),
                feed_left.eq(Mux(last_in_m, m_left, self._bank)),
                self.depth.eq(depth(k_left)),
                self.width.eq(Mux(last_in_n, n_left, self._cols)),
                self.first.eq(first),
                self.last.eq(last_in_k),
                final.eq(last_in_m & last_in_n & last_in_k),
                first.eq(last_in_k),
                k_left.eq(Mux(last_in_k, k, k_left - self._rows)),
                load_left.eq(depth(Mux(last_in_k, k, k_left - self._rows))),
            ]
            with m.If(last_in_k):
                m.d.sync += n_left.eq(Mux(last_in_n, n, n_left - self._cols))
                with m.If(last_in_n):
                    m.d.sync += m_left.eq(m_left - self._bank)
                    with m.If(last_in_m):
                        m.d.sync += load_left.eq(0)


class WindowAccounts(wiring.Component):
    """Charges each occupied cycle to one counter.

    Parameters
    ----------
    shape
        Of the array.
    stationary, streamed
        Ports of the two operands.
    ahead
        Whether to count ahead, which comes to the same by shorter paths.

    Members
    -------
    start : in
        A command is taken: counters restart, and this cycle is ``fill``.
    advance, feeding, depth, width : in
        A step is taken; it feeds a row; extents of the row's fold.
    stepping, flushing, blocked, lacks_tile : in
        Steps are to be taken; no more beats; the next one waits for the output; it needs a
        stationary beat that is not offered.
    draining, refused, lacks_c : in
        All steps are done; what the row at the exit waits for.
    counters : out
    """

    def __init__(
        self, shape: StationaryShape, stationary: str, streamed: str, *, ahead: bool = False
    ) -> None:
        self._shape, self._ahead = shape, ahead
        self._stationary, self._streamed = f"stall_{stationary}", f"stall_{streamed}"
        flags = (
            *("start", "advance", "feeding", "stepping", "flushing", "blocked", "lacks_tile"),
            *("draining", "refused", "lacks_c"),
        )
        super().__init__(
            {
                **{name: In(1) for name in flags},
                "depth": In(range(shape.rows + 1)),
                "width": In(range(shape.cols + 1)),
                "counters": Out(COUNTERS_SIGNATURE),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        # steps for which some row is inside its fold's extents; a row may outlive those after it,
        # where their fold is shallower or narrower
        longest = self._shape.span(self._shape.rows, self._shape.cols)
        live_left, older, newest = (Signal(range(longest + 1)) for _ in range(3))
        m.d.comb += [
            older.eq(Mux(live_left == 0, 0, live_left - 1)),
            newest.eq(Mux(self.feeding, self._shape.span(self.depth, self.width), 0)),
        ]
        with m.If(self.advance):
            m.d.sync += live_left.eq(Mux(older > newest, older, newest))

        charge = charges(COUNTERS)
        with m.If(self.advance):
            live = live_left != 0
            m.d.comb += [
                charge["busy"].eq(live),
                charge["fill"].eq(~live & ~self.flushing),
                charge["drain"].eq(~live & self.flushing),
            ]
        with m.Elif(self.stepping & self.blocked):
            m.d.comb += [
                charge["stall_c"].eq(self.lacks_c),
                charge["stall_result"].eq(~self.lacks_c),
            ]
        with m.Elif(self.stepping):
            m.d.comb += [
                charge[self._stationary].eq(self.lacks_tile),
                charge[self._streamed].eq(~self.lacks_tile),
            ]
        with m.Elif(self.draining):
            m.d.comb += [
                charge["stall_result"].eq(self.refused),
                charge["stall_c"].eq(self.lacks_c),
                charge["drain"].eq(~self.refused & ~self.lacks_c),
            ]
        tally(m, self.start, self.counters, charge, ahead=self._ahead)
        return m


@dataclass(frozen=True, slots=True)
class StationaryControl:
    """What an array is told: its step's flags, whether it is taken; and where its sums go."""

    windows: WindowSequencer
    advance: Signal
    bank: AccumulatorBank


def add_control(
    m: Module,
    platform: Any,
    array: Any,
    shape: StationaryShape,
    how: Arithmetic,
    *,
    stationary: str = "b",
    streamed: str = "a",
    early: bool = True,
) -> StationaryControl:
    """Add everything but PEs to an array: sequencing, bank, result port, cycle accounts.

    The array's part is to give rows of sums to the bank as they land.

    Parameters
    ----------
    array
        Component with the ports of a GEMM engine; ``across`` is the extent of C that lies across
        the lanes of a result.
    stationary, streamed
        Ports of the two operands.
    early
        Whether the bank reads early; it changes no cycle.
    """
    held, fed = getattr(array, stationary), getattr(array, streamed)
    across = array.across
    down = "m" if across == "n" else "n"
    bits = array.c.p.shape().elem_shape.width
    row = data.ArrayLayout(how.sum_shape(bits), shape.cols)
    resolve = how.adder if how.pe == "opt1" else None
    m.submodules.windows = windows = WindowSequencer(shape)
    m.submodules.bank = bank = AccumulatorBank(shape.bank, row, how, early=early)
    m.submodules.port = port = ResultPort(shape.cols, bits, how.numbers, resolve)
    wiring.connect(m, wiring.flipped(array.c), port.c)
    wiring.connect(m, port.result, wiring.flipped(array.result))
    operands, advance, start, goes_out = Signal(), Signal(), Signal(), Signal()
    lacks_tile, blocked = Signal(), Signal()
    m.d.comb += [
        lacks_tile.eq(windows.loading & ~held.valid),
        operands.eq(~lacks_tile & (~windows.feeding | fed.valid)),
        goes_out.eq(bank.landing.valid & bank.landing.last),
        blocked.eq(goes_out & ~port.row.ready),
        advance.eq(windows.stepping & operands & ~blocked),
        start.eq(array.cmd.valid & windows.idle),
        array.cmd.ready.eq(windows.idle),
        fed.ready.eq(advance & windows.feeding),
        held.ready.eq(advance & windows.loading),
        windows.start.eq(start),
        windows.m.eq(array.cmd.p[down]),
        windows.n.eq(array.cmd.p[across]),
        windows.k.eq(array.cmd.p.k),
        windows.advance.eq(advance),
        windows.finish.eq(port.emptied),
        bank.advance.eq(advance),
        port.start.eq(start),
        port.accumulate.eq(array.cmd.p.accumulate),
        port.row.valid.eq(goes_out & operands),
        Value.cast(port.row.p).eq(Value.cast(bank.total)),
    ]
    _tag_rows(m, windows, bank, advance, shape.landing, early=early)

    m.submodules.accounts = accounts = WindowAccounts(
        shape, stationary, streamed, ahead=how.pe == "opt1"
    )
    wiring.connect(m, accounts.counters, wiring.flipped(array.counters))
    m.d.comb += [
        accounts.start.eq(start),
        accounts.advance.eq(advance),
        accounts.feeding.eq(windows.feeding),
        accounts.depth.eq(windows.depth),
        accounts.width.eq(windows.width),
        accounts.stepping.eq(windows.stepping),
        accounts.flushing.eq(windows.flushing),
        accounts.blocked.eq(blocked),
        accounts.lacks_tile.eq(lacks_tile),
        accounts.draining.eq(windows.draining),
        accounts.refused.eq(port.refused),
        accounts.lacks_c.eq(port.lacks_c),
    ]
    return StationaryControl(windows, advance, bank)


def _tag_rows(
    m: Module,
    windows: WindowSequencer,
    bank: AccumulatorBank,
    advance: Value,
    landing: int,
    *,
    early: bool,
) -> None:
    """Tell the bank of rows, as they are fed, when they land."""
    fed = Signal(ROW_TAG)
    m.d.comb += [
        fed.valid.eq(windows.feeding),
        fed.top.eq(windows.begins),
        fed.first.eq(windows.first),
        fed.last.eq(windows.last),
    ]
    seen = (*((bank.ahead,) if early else ()), bank.coming, bank.landing)  # a step apart
    steps = landing - (len(seen) - 1)
    tag = delayed(m, advance, Value.cast(fed), steps, "tags", reset_less=False)
    m.d.comb += Value.cast(seen[0]).eq(tag)
    for before, after in pairwise(seen):
        with m.If(advance):
            m.d.sync += Value.cast(after).eq(Value.cast(before))
