"""What engines that multiply matrices share: fold sequencer, result port, accounts.

`FoldSequencer` fits arrays in which a step moves every operand one PE on, sums stay where they are,
and PE (i, j) works ``i + j`` steps behind PE (0, 0); `archsim.hdl.row_drain` is their drain. With
``skewed=False`` all PEs work on one beat; `archsim.hdl.tile_drain` is the drain of such arrays.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from typing import Any

from amaranth.hdl import Cat, Module, Mux, Signal, Value, signed, unsigned
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from archsim.formats import Numbers
from archsim.hdl import Adder
from archsim.hdl.accounts import charges, counters_signature, stepped, successors, tally
from archsim.hdl.bitweight import ResolveLanes, pair_layout
from archsim.hdl.compress import carry_save_add
from archsim.hdl.fifo import PairFifo
from archsim.hdl.mac import add

STAGED_ROWS = 3  # of several passes: rows that a stage and the output queue hold
EXTENT_BITS = 24  # of each of a command's m, n and k
COUNTERS = ("busy", "fill", "drain", "stall_a", "stall_b", "stall_c", "stall_result")

COMMAND = data.StructLayout({"m": EXTENT_BITS, "n": EXTENT_BITS, "k": EXTENT_BITS, "accumulate": 1})
COUNTERS_SIGNATURE = counters_signature(COUNTERS)


def array_members(ports: Mapping[str, Any], counters: Sequence[str] = COUNTERS) -> dict[str, Any]:
    """Return the members of an array: ``cmd``, a stream for each port, and ``counters``.

    Parameters
    ----------
    ports
        `archsim.engines.Port` by name: a beat is an array of its lanes.
    """
    streams = {}
    for name, port in ports.items():
        lane = signed(port.bits) if port.signed else unsigned(port.bits)
        beat = stream.Signature(data.ArrayLayout(lane, port.lanes))
        streams[name] = In(beat) if port.direction == "in" else Out(beat)
    return {
        "cmd": In(stream.Signature(COMMAND)),
        **streams,
        "counters": Out(counters_signature(counters)),
    }


class FoldSequencer(wiring.Component):
    """Counts a command's folds, beats and steps.

    A fold takes ``max(k, rows, cols)`` steps: ``k`` that need a beat, then a gap; after the last
    fold, a flush until its last sum is in its drain register. Without skew a fold takes
    ``max(k, rows)`` steps, and there is no flush. The engines' timing derives the numbers.

    With ``slices`` a beat holds so many elements of k; with ``passes`` a fold's beats come so
    often, and all that is said of a fold here holds for each pass, of 3 steps at least. Without
    ``gaps`` a fold's first beat may follow the last one of the fold before. Products that reach
    their sum ``behind`` steps after they are made make the flush as much longer. What is counted
    ``ahead`` is the same; flags of the next step are then kept, so that paths from counters to
    enables are short.

    Members
    -------
    start : in
        Take the command in this cycle; only when ``idle``.
    m, n, k : in
        Extents of the command, at ``start``.
    advance : in
        Whether this cycle's step is taken.
    finish : in
        The last result left in this cycle; only when ``draining``.
    idle, feeding, stepping, draining : out
        No command; a step that needs a beat is next; any step is next; all steps are done.
    first, last : out
        The beat begins or ends its fold.
    fold_rows, fold_cols : out
        Rows and columns of the beat's fold that hold elements of C.
    part : out
        The beat's pass, 0 first; where a fold has several.
    """

    def __init__(
        self,
        rows: int,
        cols: int,
        *,
        skewed: bool = True,
        slices: int = 1,
        passes: int = 1,
        gaps: bool = True,
        behind: int = 0,
        ahead: bool = False,
    ) -> None:
        self._rows, self._cols, self._skewed = rows, cols, skewed
        self._slices, self._passes, self._gaps = slices, passes, gaps
        self._behind, self._ahead = behind, ahead
        extent = unsigned(EXTENT_BITS)
        super().__init__(
            {
                "start": In(1),
                "m": In(extent),
                "n": In(extent),
                "k": In(extent),
                "advance": In(1),
                "finish": In(1),
                "idle": Out(1),
                "feeding": Out(1),
                "stepping": Out(1),
                "draining": Out(1),
                "first": Out(1),
                "last": Out(1),
                "fold_rows": Out(range(rows + 1)),
                "fold_cols": Out(range(cols + 1)),
                **({"part": Out(range(passes))} if passes > 1 else {}),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        rows, cols, slices = self._rows, self._cols, self._slices
        extent = unsigned(EXTENT_BITS)
        n, k = Signal(extent), Signal(extent)  # k, or one less: what `begin_fold` wants
        m_left, n_left = Signal(extent), Signal(extent)  # C still to do, from this fold on
        beats_left = Signal(extent)  # elements of k of this fold after this beat's first one
        least = max(rows, cols) if self._skewed else rows  # steps of a fold
        if self._passes > 1:
            least = max(least, STAGED_ROWS)
        least = least if self._gaps else 1
        pad_left = Signal(range(least))  # steps that this fold must still last
        flush_left = Signal(range(rows + cols + self._behind))
        last_in_m, last_in_n = Signal(), Signal()
        is_last, will_be_last = self._last_beat(beats_left)
        last_part = self.part == self._passes - 1 if self._passes > 1 else None
        m.d.comb += [
            last_in_m.eq(m_left <= rows),
            last_in_n.eq(n_left <= cols),
            self.fold_rows.eq(Mux(last_in_m, m_left, rows)),
            self.fold_cols.eq(Mux(last_in_n, n_left, cols)),
            self.last.eq(self.feeding & is_last),
            self.stepping.eq(~self.idle & ~self.draining),
        ]

        def begin_fold(k_less_one: Value) -> list[Any]:
            return [
                beats_left.eq(k_less_one),
                *will_be_last(k_less_one, 1),
                pad_left.eq(least - 1),
                self.first.eq(1),
            ]

        again = k if self._ahead else k - 1
        steps = (
            *((pad_left, -1), (beats_left, -slices), (n_left, -cols), (m_left, -rows)),
            (flush_left, -1),
        )
        next_pad, next_beats, next_n, next_m, next_flush = (
            successors(m, steps) if self._ahead else (stepped(*step) for step in steps)
        )

        with m.If(self.advance & (pad_left != 0)):
            m.d.sync += pad_left.eq(next_pad)
        with m.FSM():
            with m.State("IDLE"):
                m.d.comb += self.idle.eq(1)
                with m.If(self.start):
                    kept_k = self.k - 1 if self._ahead else self.k
                    m.d.sync += [n.eq(self.n), k.eq(kept_k), m_left.eq(self.m), n_left.eq(self.n)]
                    m.d.sync += begin_fold(self.k - 1)
                    m.next = "FEED"
            with m.State("FEED"):
                m.d.comb += self.feeding.eq(1)
                with m.If(self.advance):
                    m.d.sync += [beats_left.eq(next_beats), self.first.eq(0)]
                    m.d.sync += will_be_last(beats_left, 2)
                with m.If(self.advance & self.last):
                    ends = last_in_m & last_in_n
                    if last_part is not None:
                        ends &= last_part
                        m.d.sync += self.part.eq(Mux(last_part, 0, self.part + 1))
                    with nullcontext() if last_part is None else m.If(last_part):
                        m.d.sync += n_left.eq(Mux(last_in_n, n, next_n))
                        with m.If(last_in_n):
                            m.d.sync += m_left.eq(next_m)
                    m.d.sync += flush_left.eq(self.fold_rows + (cols - 2 + self._behind))
                    with m.If(ends):
                        m.next = "FLUSH" if self._skewed else "DRAIN"
                        if self._skewed and cols == 1 and not self._behind:
                            with m.If(self.fold_rows == 1):
                                m.next = "DRAIN"
                    with m.Elif(pad_left == 0):
                        m.d.sync += begin_fold(again)
                    with m.Else():
                        m.next = "GAP"
            with m.State("GAP"):
                with m.If(self.advance & (pad_left == 0)):
                    m.d.sync += begin_fold(again)
                    m.next = "FEED"
            if self._skewed:
                with m.State("FLUSH"), m.If(self.advance):
                    m.d.sync += flush_left.eq(next_flush)
                    with m.If(flush_left == 1):
                        m.next = "DRAIN"
            with m.State("DRAIN"):
                m.d.comb += self.draining.eq(1)
                with m.If(self.finish):
                    m.next = "IDLE"
        return m

    def _last_beat(self, beats_left: Value) -> tuple[Value, Callable[[Value, int], list[Any]]]:
        """Return whether this beat is a fold's last, and how to note that the next one will be.

        That takes the elements left after the first of some beats.
        """
        slices = self._slices
        if not self._ahead:
            return beats_left < slices if slices > 1 else beats_left == 0, lambda left, beats: []
        held = Signal(name="last_ahead")
        return held, lambda left, beats: [held.eq(left < slices * beats)]


class ResultPort(wiring.Component):
    """Queues rows that leave the array and adds partial sums at the queue's exit.

    With ``resolve`` the rows are in carry-save form: a partial sum is a third addend, and each lane
    has one adder of that kind, which makes a number of all three.

    Members
    -------
    start, accumulate : in
        A command is taken, and whether it adds partial sums.
    row : in, stream of ``cols`` lanes, numbers or, to be resolved, pairs
    c : in, stream of ``cols`` lanes
    result : out, stream of ``cols`` lanes
    refused : out
        A row waits because ``result`` is not ready.
    lacks_c : out
        A row waits for its partial sums only.
    emptied : out
        The last queued row leaves in this cycle.
    """

    def __init__(
        self, cols: int, bits: int, numbers: Numbers = "int", resolve: Adder | None = None
    ) -> None:
        self._bits, self._numbers, self._resolve = bits, numbers, resolve
        self._rows = data.ArrayLayout(pair_layout(bits) if resolve else signed(bits), cols)
        row = stream.Signature(data.ArrayLayout(signed(bits), cols))
        super().__init__(
            {
                "start": In(1),
                "accumulate": In(1),
                "row": In(stream.Signature(self._rows)),
                "c": In(row),
                "result": Out(row),
                "refused": Out(1),
                "lacks_c": Out(1),
                "emptied": Out(1),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        m.submodules.queue = queue = PairFifo(self._rows)
        wiring.connect(m, wiring.flipped(self.row), queue.i)
        accumulate = Signal()
        with m.If(self.start):
            m.d.sync += accumulate.eq(self.accumulate)
        m.d.comb += [
            self.result.valid.eq(queue.o.valid & (self.c.valid | ~accumulate)),
            self.c.ready.eq(queue.o.valid & self.result.ready & accumulate),
            queue.o.ready.eq(self.result.ready & (self.c.valid | ~accumulate)),
            self.refused.eq(queue.o.valid & ~self.result.ready),
            self.lacks_c.eq(queue.o.valid & self.result.ready & accumulate & ~self.c.valid),
            self.emptied.eq((queue.level == 1) & queue.o.ready),
        ]
        partials = [Mux(accumulate, self.c.p[j], 0) for j in range(self._rows.length)]
        if self._resolve:
            m.submodules.lanes = lanes = ResolveLanes(len(partials), self._bits, self._resolve)
            for j, partial in enumerate(partials):
                rows = (queue.o.p[j].sum, queue.o.p[j].carry, partial.as_unsigned())
                pair = carry_save_add(*rows)
                m.d.comb += [
                    Value.cast(lanes.pairs[j]).eq(Cat(*pair)),
                    self.result.p[j].eq(lanes.totals[j]),
                ]
            return m
        for j, partial in enumerate(partials):
            total = add(m, platform, self._numbers, queue.o.p[j], partial, f"adder_{j}")
            m.d.comb += self.result.p[j].eq(total)
        return m


class CycleAccounts(wiring.Component):
    """Charges each occupied cycle to one counter.

    Products that reach their sum ``behind`` steps after they are made are work until then; counting
    ``ahead`` comes to the same by shorter paths.

    Members
    -------
    start : in
        A command is taken: counters restart, and this cycle is ``fill``.
    advance, feeding, fold_rows, fold_cols : in
        A step is taken; it takes a beat; extents of the beat's fold.
    stepping, blocked, has_b : in
        Steps are to be taken; the next one waits for a drain register; B is offered.
    draining, refused, lacks_c : in
        All steps are done; what the row at the exit waits for.
    counters : out
    """

    def __init__(
        self, rows: int, cols: int, *, skewed: bool = True, behind: int = 0, ahead: bool = False
    ) -> None:
        self._rows, self._cols, self._skewed = rows, cols, skewed
        self._behind, self._ahead = behind, ahead
        flags = (
            *("start", "advance", "feeding", "stepping", "blocked", "has_b"),
            *("draining", "refused", "lacks_c"),
        )
        super().__init__(
            {
                **{name: In(1) for name in flags},
                "fold_rows": In(range(rows + 1)),
                "fold_cols": In(range(cols + 1)),
                "counters": Out(COUNTERS_SIGNATURE),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        # steps for which the newest beat is still inside its fold's rows and columns; no older
        # beat outlives it, because from fold to fold either the rows shrink or the columns
        live_left = Signal(range(self._rows + self._cols + self._behind))
        if self._skewed:
            with m.If(self.advance & self.feeding):
                m.d.sync += live_left.eq(self.fold_rows + self.fold_cols - (2 - self._behind))
            with m.Elif(self.advance & (live_left != 0)):
                m.d.sync += live_left.eq(live_left - 1)

        charge = charges(COUNTERS)
        with m.If(self.advance):
            live = self.feeding | (live_left != 0)
            m.d.comb += [charge["busy"].eq(live), charge["drain"].eq(~live)]
        with m.Elif(self.stepping & self.blocked):
            m.d.comb += [
                charge["stall_c"].eq(self.lacks_c),
                charge["stall_result"].eq(~self.lacks_c),
            ]
        with m.Elif(self.stepping):
            m.d.comb += [charge["stall_a"].eq(self.has_b), charge["stall_b"].eq(~self.has_b)]
        with m.Elif(self.draining):
            m.d.comb += [
                charge["stall_result"].eq(self.refused),
                charge["stall_c"].eq(self.lacks_c),
                charge["drain"].eq(~self.refused & ~self.lacks_c),
            ]
        tally(m, self.start, self.counters, charge, ahead=self._ahead)
        return m


def delayed(
    m: Module, advance: Value, value: Value, steps: int, name: str, *, reset_less: bool = True
) -> Value:
    """Return what a value was some steps ago, kept in one register called ``name``."""
    if not steps:
        return value
    held = Signal(len(value) * steps, name=name, reset_less=reset_less)
    with m.If(advance):
        m.d.sync += held.eq(Cat(value, held))
    return held[-len(value) :]


def pick(values: Sequence[Value], index: Value) -> Value:
    """Return ``values[index]`` through a balanced tree of two-way multiplexers."""
    while len(values) > 1:
        pairs = [Mux(index[0], b, a) for a, b in zip(values[::2], values[1::2], strict=False)]
        values = [*pairs, *values[len(pairs) * 2 :]]
        index = index[1:]
    return values[0]
