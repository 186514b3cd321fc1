"""What arrays with a stationary operand share: window sequencer, accumulator bank, cycle accounts.

`archsim.engines.systolic.stationary` derives the schedule that they keep.
"""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Module, Mux, Signal, Value, unsigned
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from archsim.formats import Numbers
from archsim.hdl.accounts import charges, tally
from archsim.hdl.emit import place
from archsim.hdl.gemm import COUNTERS, COUNTERS_SIGNATURE, EXTENT_BITS
from archsim.hdl.mac import add
from archsim.hdl.row_memory import RowMemory

ROW_TAG = data.StructLayout({"valid": 1, "top": 1, "first": 1, "last": 1})


class WindowSequencer(wiring.Component):
    """Counts a command's windows, beats and steps.

    The window of a fold has ``max(rows of its chunk, depth of the next fold)`` steps: the first
    ones feed rows of the streamed operand, and the first ones load the next fold's stationary tile.
    Before the first fold comes a window that loads only, after the last a flush until its last row
    has landed.

    Parameters
    ----------
    rows, cols
        Of the array.
    bank
        Rows that the accumulator bank holds: the length of a chunk.

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

    def __init__(self, rows: int, cols: int, bank: int) -> None:
        self._rows, self._cols, self._bank = rows, cols, bank
        flags = ("idle", "stepping", "flushing", "draining", "begins", "feeding", "loading")
        super().__init__(
            {
                **{name: In(1) for name in ("start", "advance", "finish")},
                **{name: In(unsigned(EXTENT_BITS)) for name in ("m", "n", "k")},
                **{name: Out(1) for name in (*flags, "first", "last")},
                "depth": Out(range(rows + 1)),
                "width": Out(range(cols + 1)),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        rows, cols = self._rows, self._cols
        feed_left, load_left = Signal(range(self._bank + 1)), Signal(range(rows + 1))
        flush_left = Signal(range(rows + cols + 1))
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
                        m.d.sync += flush_left.eq(rows + cols)
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


class AccumulatorBank(wiring.Component):
    """Adds up rows over folds along k: a memory, one read and one write a step.

    A row is read one step before it lands; one that is being written gives its new value.

    Parameters
    ----------
    depth
        Rows that the bank holds.
    row
        Layout of a row.

    Members
    -------
    advance : in
        A step is taken.
    coming, landing : in
        Tags of the row that lands in the next step, and of the one that lands in this.
    sums : in
        Row that lands.
    total : out
        What it amounts to, with what the bank holds for it unless it is the first.
    """

    def __init__(self, depth: int, row: data.ArrayLayout, numbers: Numbers) -> None:
        self._depth, self._row, self._numbers = depth, row, numbers
        super().__init__(
            {
                "advance": In(1),
                "coming": In(ROW_TAG),
                "landing": In(ROW_TAG),
                "sums": In(row),
                "total": Out(row),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        rows = place(m, platform, "memory", "memory", RowMemory, self._depth, self._row)
        row, row_coming = Signal(range(self._depth)), Signal(range(self._depth))
        # the row that was written in the cycle that read it
        passed, passes = Signal(self._row, reset_less=True), Signal()
        m.d.comb += [
            row_coming.eq(Mux(self.coming.top, 0, row + 1)),
            rows.read_row.eq(row_coming),
            rows.read.eq(self.advance & self.coming.valid & ~self.coming.first),
            rows.write_row.eq(row),
            rows.write_data.eq(self.total),
            rows.write.eq(self.advance & self.landing.valid & ~self.landing.last),
        ]
        with m.If(self.advance & self.coming.valid):
            m.d.sync += row.eq(row_coming)
        with m.If(rows.read):
            m.d.sync += [passes.eq(rows.write & (row_coming == row)), passed.eq(self.total)]
        for j in range(self._row.length):
            held = Mux(passes, passed[j], rows.read_data[j])
            so_far = Mux(self.landing.first, 0, held)
            total = add(m, platform, self._numbers, so_far, self.sums[j], f"adder_{j}")
            m.d.comb += self.total[j].eq(total)
        return m


class WindowAccounts(wiring.Component):
    """Charges each occupied cycle to one counter.

    Parameters
    ----------
    rows, cols
        Of the array.
    stationary, streamed
        Ports of the two operands.

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

    def __init__(self, rows: int, cols: int, stationary: str, streamed: str) -> None:
        self._rows, self._cols = rows, cols
        self._stationary, self._streamed = f"stall_{stationary}", f"stall_{streamed}"
        flags = (
            *("start", "advance", "feeding", "stepping", "flushing", "blocked", "lacks_tile"),
            *("draining", "refused", "lacks_c"),
        )
        super().__init__(
            {
                **{name: In(1) for name in flags},
                "depth": In(range(rows + 1)),
                "width": In(range(cols + 1)),
                "counters": Out(COUNTERS_SIGNATURE),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        # steps for which some row is inside its fold's extents; a row may outlive those after it,
        # where their fold is shallower or narrower
        live_left, older, newest = (Signal(range(self._rows + self._cols)) for _ in range(3))
        m.d.comb += [
            older.eq(Mux(live_left == 0, 0, live_left - 1)),
            newest.eq(Mux(self.feeding, self.depth + self.width - 1, 0)),
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
        tally(m, self.start, self.counters, charge)
        return m
