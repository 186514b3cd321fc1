"""Operands come in by chunks of k, one of which loads while columns work on the one before.

What the columns' schedule is made of: `archsim.engines.bitslice.columns_timing` derives its times.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value, unsigned
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from archsim.hdl.gemm import EXTENT_BITS


def bits_for(count: int) -> int:
    """Return the bits of an index into so many things; one at least."""
    return max(1, (count - 1).bit_length())


@dataclass(frozen=True, slots=True)
class BankShape:
    """Where a chunk's elements of k lie; all counts are powers of two, but for ``rows``.

    Parameters
    ----------
    rows, cols
        PEs of a column, and columns.
    lanes
        Elements of k in a beat, each for a lane of its own.
    group
        Elements of a lane that are looked at together.
    slack
        Banks a column.
    groups
        Groups of a lane in a chunk.
    passes
        Bit weights.
    """

    rows: int
    cols: int
    lanes: int
    group: int
    slack: int
    groups: int
    passes: int

    @property
    def banks(self) -> int:
        """Banks of a lane: group g lies in bank g modulo their number."""
        return self.cols * self.slack

    @property
    def slots(self) -> int:
        """Groups that a bank holds of a chunk."""
        return self.groups // self.banks

    @property
    def chunk_layout(self) -> data.StructLayout:
        """Return what columns are told of a chunk.

        ``ring``: banks that a column goes round, less one. ``last_group``, ``last_element``: where
        the chunk ends. ``opens``, ``closes``, ``ends``: it is the first or last one of its fold,
        the last one of the command. ``live``: the last column with a row of C.
        """
        return data.StructLayout(
            {
                "ring": bits_for(self.banks),
                "last_group": bits_for(self.groups),
                "last_element": bits_for(self.group),
                **{"opens": 1, "closes": 1, "ends": 1},
                "live": bits_for(self.cols),
            }
        )


class ChunkLoader(wiring.Component):
    """Counts a command's folds, chunks and beats, and says where a beat's elements go.

    Beats come ``depth / lanes`` a chunk, or as many as are left of k; folds run over the operand
    that is not encoded, innermost. A beat is written the cycle after it was taken.

    Members
    -------
    start : in
        Take the command in this cycle; only when nothing is ``held`` or ``loading``.
    m, n, k : in
        Extents along columns, along the PEs of a column, and of k.
    offered : in
        A beat of both operands is there.
    done : in
        The columns are through with the older chunk that is held.
    loading, wants, take : out
        Beats are still to come; one could be taken now; one is.
    held : out
        Chunks that are loaded and not done with.
    write, half, group, element, ring : out
        A beat is written in this cycle, and where.
    chunks, loaded : out, one a half
        The chunk last loaded into it; flips when another one is.
    """

    def __init__(self, shape: BankShape) -> None:
        self._shape = shape
        extent = unsigned(EXTENT_BITS)
        super().__init__(
            {
                **{"start": In(1), "m": In(extent), "n": In(extent), "k": In(extent)},
                **{"offered": In(1), "done": In(1)},
                **{"loading": Out(1), "wants": Out(1), "take": Out(1), "held": Out(2)},
                **{"write": Out(1), "half": Out(1)},
                "group": Out(bits_for(shape.groups)),
                "element": Out(bits_for(shape.group)),
                "ring": Out(bits_for(shape.banks)),
                "chunks": Out(shape.chunk_layout).array(2),
                "loaded": Out(2),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        shape = self._shape
        extent = unsigned(EXTENT_BITS)
        m_left, n_left, n = Signal(extent), Signal(extent), Signal(extent)
        beats, beats_left = Signal(extent), Signal(extent)  # of a fold
        ahead = Signal(extent)  # beats that were left when the chunk began
        group, element = Signal.like(self.group), Signal.like(self.element)
        filling, opens = Signal(), Signal()  # the half that loads; the chunk is its fold's first
        ends_group, ends_chunk, ends_fold = Signal(), Signal(), Signal()
        last_m, last_n = Signal(), Signal()
        all_beats = (self.k + (shape.lanes - 1)) >> (shape.lanes - 1).bit_length()
        m.d.comb += [
            last_m.eq(m_left <= shape.cols),
            last_n.eq(n_left <= shape.rows),
            self.wants.eq(self.loading & (self.held != 2)),
            self.take.eq(self.wants & self.offered),
            ends_group.eq(element == shape.group - 1),
            ends_fold.eq(beats_left == 1),
            ends_chunk.eq(ends_fold | (ends_group & (group == shape.groups - 1))),
        ]
        with m.If(self.start):
            m.d.sync += [
                *(m_left.eq(self.m), n_left.eq(self.n), n.eq(self.n)),
                *(beats.eq(all_beats), beats_left.eq(all_beats), ahead.eq(all_beats)),
                *(self.loading.eq(1), opens.eq(1)),
            ]
        with m.If(self.take):
            left = Mux(ends_fold, beats, beats_left - 1)
            m.d.sync += [
                beats_left.eq(left),
                element.eq(Mux(ends_chunk | ends_group, 0, element + 1)),
                group.eq(Mux(ends_chunk, 0, group + ends_group)),
            ]
            with m.If(ends_chunk):
                m.d.sync += [filling.eq(~filling), ahead.eq(left), opens.eq(ends_fold)]
            with m.If(ends_fold):
                m.d.sync += n_left.eq(Mux(last_n, n, n_left - shape.rows))
                with m.If(last_n):
                    m.d.sync += [m_left.eq(m_left - shape.cols), self.loading.eq(~last_m)]
        m.d.sync += self.held.eq(self.held + (self.take & ends_chunk) - self.done)

        # of the chunk, as it is if the beat that is written is its last one
        completes, chunk_opens, closes, ends = Signal(), Signal(), Signal(), Signal()
        live = Signal(bits_for(shape.cols))
        m.d.sync += [
            self.write.eq(self.take),
            self.half.eq(filling),
            self.group.eq(group),
            self.element.eq(element),
            self.ring.eq(self._ring(ahead)),
            completes.eq(self.take & ends_chunk),
            chunk_opens.eq(opens),
            closes.eq(ends_fold),
            ends.eq(ends_fold & last_m & last_n),
            live.eq(Mux(last_m, m_left - 1, shape.cols - 1)),
        ]
        for half, chunk in enumerate(self.chunks):
            with m.If(completes & (self.half == half)):
                m.d.sync += [
                    *(chunk.ring.eq(self.ring), chunk.live.eq(live)),
                    *(chunk.last_group.eq(self.group), chunk.last_element.eq(self.element)),
                    *(chunk.opens.eq(chunk_opens), chunk.closes.eq(closes), chunk.ends.eq(ends)),
                    self.loaded[half].eq(~self.loaded[half]),
                ]
        return m

    def _ring(self, beats: Value) -> Value:
        """Return the banks of a ring, less one: for a group each, as far as there are banks."""
        shape = self._shape
        last = Mux(beats > shape.groups * shape.group, shape.groups * shape.group, beats) - 1
        last_group = last[: bits_for(shape.groups * shape.group)] >> (shape.group - 1).bit_length()
        ones = [last_group[i:].any() for i in range((shape.banks - 1).bit_length())]
        return Cat(*ones, Const(0, 1))[: bits_for(shape.banks)] | (shape.slack - 1)
