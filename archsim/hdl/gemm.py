"""What engines that multiply matrices share: fold sequencer and cycle accounts.

`FoldSequencer` fits arrays in which a step moves every operand one PE on, sums stay where they are,
and PE (i, j) works ``i + j`` steps behind PE (0, 0); `archsim.hdl.row_drain` is their drain. With
``skewed=False`` all PEs work on one beat; `archsim.hdl.tile_drain` is the drain of such arrays.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from typing import Any

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value, signed, unsigned
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from archsim.hdl.accounts import charges, counters_signature, stepped, successors, tally

PASS_STEPS = 4  # that a pass lasts at least, where a fold has several
LATE_STEPS = 2  # by which a fold lasts longer than its drain, where steps are late
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
    enables are short. Where steps reach the PEs ``late``, a cycle after they are taken, a fold
    lasts two steps longer than its rows (or, skewed, its columns) at least, and a command's last
    cycle is one in which nothing is left to do.

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
        late: bool = False,
    ) -> None:
        self._rows, self._cols, self._skewed = rows, cols, skewed
        self._slices, self._passes, self._gaps = slices, passes, gaps
        self._behind, self._ahead, self._late = behind, ahead, late
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
        wait = LATE_STEPS * self._late
        least = max(rows, cols + wait) if self._skewed else rows + wait  # steps of a fold
        if self._passes > 1:
            least = max(least, PASS_STEPS)
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
        ]
        closing = Signal() if self._late else Const(0)  # the last charge is counted
        at_rest = self.draining | closing if self._late else self.draining
        m.d.comb += self.stepping.eq(~self.idle & ~at_rest)

        def count_beats(k_less_one: Value) -> list[Any]:
            return [beats_left.eq(k_less_one), *will_be_last(k_less_one, 1), self.first.eq(1)]

        def begin_fold(k_less_one: Value, *, counted: bool = False) -> list[Any]:
            return [*([] if counted else count_beats(k_less_one)), pad_left.eq(least - 1)]

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
                    if self._late:  # at once, so that what comes late decides on less
                        m.d.sync += count_beats(again)
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
                        m.d.sync += begin_fold(again, counted=self._late)
                    with m.Else():
                        m.next = "GAP"
            with m.State("GAP"):
                with m.If(self.advance & (pad_left == 0)):
                    m.d.sync += begin_fold(again, counted=self._late)
                    m.next = "FEED"
            if self._skewed:
                with m.State("FLUSH"), m.If(self.advance):
                    m.d.sync += flush_left.eq(next_flush)
                    with m.If(flush_left == 1):
                        m.next = "DRAIN"
            with m.State("DRAIN"):
                m.d.comb += self.draining.eq(1)
                with m.If(self.finish):
                    m.next = "CLOSE" if self._late else "IDLE"
            if self._late:
                with m.State("CLOSE"):
                    m.d.comb += closing.eq(1)
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


class CycleAccounts(wiring.Component):
    """Charges each occupied cycle to one counter.

    Products that reach their sum ``behind`` steps after they are made are work until then; counting
    ``ahead`` comes to the same by shorter paths. Counting ``late``, a cycle after it, takes a
    cycle more at a command's end.

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
        self,
        rows: int,
        cols: int,
        *,
        skewed: bool = True,
        behind: int = 0,
        ahead: bool = False,
        late: bool = False,
    ) -> None:
        self._rows, self._cols, self._skewed = rows, cols, skewed
        self._behind, self._ahead, self._late = behind, ahead, late
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
        tally(m, self.start, self.counters, charge, ahead=self._ahead, late=self._late)
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
