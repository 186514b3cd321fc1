"""What feeds the array from the scratchpad: im2col for A, rows of B, partial sums.

A feeder has its first beat ready in the cycle after the job begins, and one in every cycle from
then on: it costs a job no cycle.
"""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Cat, Module, Mux, Signal, signed
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from archsim.hdl.descriptors import SLOT_BITS, Geometry
from archsim.hdl.scratchpad import rotated


class LanePixels(wiring.Component):
    """Walks over output pixels, ``rows`` at a time, and knows where each one's taps begin.

    The next set is found while the present one is in use, a pixel a cycle, which is as fast as the
    array can ask for sets: its folds begin ``rows`` or more cycles apart.

    Members
    -------
    start, job : in
        Begin at the job's first pixel.
    take : in
        Make the next set the present one; only when ``ready``.
    ready : out
    slots : out
        By lane: where the pixel's tap at row 0, column 0 of the kernel is, relative to the job's.
    in_row, in_column : out
        By lane: its place in the image, halo included: negative above and left of it.
    alive : out
        Whether each lane has a pixel at all.
    """

    def __init__(self, rows: int, job: data.StructLayout) -> None:
        self._rows = rows
        super().__init__(
            {
                "start": In(1),
                "job": In(job),
                "take": In(1),
                "ready": Out(1),
                "slots": Out(data.ArrayLayout(SLOT_BITS, rows)),
                "in_row": Out(data.ArrayLayout(signed(16), rows)),
                "in_column": Out(data.ArrayLayout(signed(16), rows)),
                "alive": Out(rows),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        rows = self._rows
        job = Signal(self.job.shape(), reset_less=True)
        left = Signal(24)
        column, slot = Signal(16), Signal(SLOT_BITS)
        in_row, in_column = Signal(signed(16)), Signal(signed(16))
        found = [Signal(SLOT_BITS + 33, name=f"found_{i}", reset_less=True) for i in range(rows)]
        count = Signal(range(rows + 1), init=rows)
        finding, place = Signal(), Signal(range(rows + 1))
        m.d.comb += [
            self.ready.eq(count == rows),
            # the set that is taken leaves its places in the same cycle
            finding.eq(~self.ready | self.take),
            place.eq(Mux(self.take, 0, count)),
        ]
        with m.If(self.take):
            for i in range(rows):
                now = (self.slots[i], self.in_row[i], self.in_column[i], self.alive[i])
                m.d.sync += Cat(*now).eq(found[i])
        with m.If(self.start):
            m.d.sync += [
                job.eq(self.job), left.eq(self.job.m), column.eq(self.job.column), slot.eq(0),
                in_row.eq(self.job.in_row), in_column.eq(self.job.in_column), count.eq(0),
            ]  # fmt: skip
        with m.Elif(finding):
            m.d.sync += count.eq(place + 1)
            for i in range(rows):
                with m.If(place == i):
                    m.d.sync += found[i].eq(Cat(slot, in_row, in_column, left != 0))
            with m.If(left != 0):
                m.d.sync += left.eq(left - 1)
            with m.If(column + 1 == job.columns):
                m.d.sync += [
                    column.eq(0), slot.eq(slot + job.row_skip),
                    in_row.eq(in_row + job.row_stride),
                    in_column.eq(job.in_column_first.as_signed()),
                ]  # fmt: skip
            with m.Else():
                m.d.sync += [
                    column.eq(column + 1), slot.eq(slot + 1),
                    in_column.eq(in_column + job.column_stride),
                ]  # fmt: skip
        return m


class PixelFeeder(wiring.Component):
    """Beats of A: for each fold its pixels, a tap of a channel a beat; zeros outside the image.

    Members
    -------
    prepare, job : in
        Take a job, whose beats wait for ``go``; only when ``idle``.
    idle, prepared : out
    go : in
        What the job reads is there; only when ``prepared``.
    tap_index : out; tap : in
        Row of the table of taps, in the same cycle.
    read, entries : out; tile_words, kept_words : in
        Of the two `LaneBanks`.
    a : out, stream
    """

    def __init__(self, geometry: Geometry, job: data.StructLayout, tap: data.StructLayout) -> None:
        self._geometry = g = geometry
        banks = data.ArrayLayout(g.word_bits, g.rows)
        super().__init__(
            {
                "prepare": In(1),
                "job": In(job),
                "idle": Out(1, init=1),
                "prepared": Out(1),
                "go": In(1),
                "tap_index": Out(10),
                "tap": In(tap),
                "read": Out(1),
                "entries": Out(data.ArrayLayout(SLOT_BITS, g.rows)),
                "tile_words": In(banks),
                "kept_words": In(banks),
                "a": Out(stream.Signature(data.ArrayLayout(signed(g.bits), g.rows))),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        g = self._geometry
        lane_bits, element_bits = (g.rows - 1).bit_length(), (g.cols - 1).bit_length()
        m.submodules.pixels = pixels = LanePixels(g.rows, self.job.shape())
        job = Signal(self.job.shape(), reset_less=True)
        there, going = Signal(), Signal()  # a set of pixels is there; its beats may go
        k_left, n_left, m_left = Signal(24), Signal(24), Signal(24)
        tap, element, group = Signal(10), Signal(element_bits), Signal(SLOT_BITS)
        issue, room, ends_set = Signal(), Signal(), Signal()
        valid = Signal()
        m.d.comb += [
            room.eq(~valid | self.a.ready),
            issue.eq(there & (going | self.go) & room),
            ends_set.eq(issue & (k_left == 1) & (n_left <= g.cols)),
            self.prepared.eq(~self.idle & there & ~going),
            pixels.start.eq(self.prepare),
            pixels.job.eq(self.job),
            pixels.take.eq(pixels.ready & ~self.idle & (~there | (ends_set & (m_left > g.rows)))),
            self.read.eq(issue),
            self.tap_index.eq(job.first_tap + tap),
            self.a.valid.eq(valid),
        ]
        with m.If(self.go):
            m.d.sync += going.eq(1)
        with m.If(room):
            m.d.sync += valid.eq(issue)

        def begin_fold(first: Any) -> list[Any]:
            return [k_left.eq(first.k), tap.eq(first.tap), element.eq(first.element), group.eq(0)]

        with m.If(self.prepare):
            m.d.sync += [
                job.eq(self.job), self.idle.eq(0), n_left.eq(self.job.n), m_left.eq(self.job.m),
                *begin_fold(self.job),
            ]  # fmt: skip
        with m.Elif(issue):
            m.d.sync += k_left.eq(k_left - 1)
            with m.If(tap + 1 != job.taps):
                m.d.sync += tap.eq(tap + 1)
            with m.Else():  # the next channel
                m.d.sync += [tap.eq(0), element.eq(element + 1)]
                with m.If(element == g.cols - 1):
                    m.d.sync += group.eq(group + job.a_group_step)
            with m.If(k_left == 1):
                m.d.sync += [*begin_fold(job), n_left.eq(n_left - g.cols)]
            with m.If(ends_set):
                m.d.sync += [n_left.eq(job.n), m_left.eq(m_left - g.rows)]
                with m.If(m_left <= g.rows):
                    m.d.sync += [self.idle.eq(1), going.eq(0)]
        with m.If(pixels.take):
            m.d.sync += there.eq(1)
        with m.Elif(ends_set):
            m.d.sync += there.eq(0)

        slots = [Signal(SLOT_BITS, name=f"slot_{i}") for i in range(g.rows)]
        inside = Signal(g.rows)
        for i, slot in enumerate(slots):
            row, column = (
                Signal(signed(17), name=f"row_{i}"),
                Signal(signed(17), name=f"column_{i}"),
            )
            m.d.comb += [
                slot.eq(pixels.slots[i] + job.a_base + self.tap.offset + group),
                row.eq(pixels.in_row[i] + self.tap.row.as_signed()),
                column.eq(pixels.in_column[i] + self.tap.column.as_signed()),
                inside[i].eq(
                    pixels.alive[i] & (row >= 0) & (row < job.in_rows)
                    & (column >= 0) & (column < job.in_columns)
                ),
            ]  # fmt: skip
        # lane i's bank is lane 0's and i more
        entries = rotated([slot[lane_bits:] for slot in slots], slots[0][:lane_bits])
        for i in range(g.rows):
            m.d.comb += self.entries[i].eq(entries[i])

        back, picked, kept = Signal(lane_bits), Signal(element_bits), Signal()
        real = Signal(g.rows)
        with m.If(issue):
            m.d.sync += [
                back.eq(-slots[0][:lane_bits]), picked.eq(element), kept.eq(job.kept_input),
                real.eq(inside),
            ]  # fmt: skip
        elements = [
            Mux(kept, self.kept_words[i], self.tile_words[i]).word_select(picked, g.bits)
            for i in range(g.rows)
        ]
        for i, value in enumerate(rotated(elements, back)):
            m.d.comb += self.a.p[i].eq(Mux(real[i], value, 0))
        return m


class RowFeeder(wiring.Component):
    """Beats of B: the rows of each fold's columns, and again for every fold below.

    Members
    -------
    go, m, n, k, base : in
        A job begins.
    read, address : out; row : in
        Of a `RowMemory`.
    b : out, stream
    """

    def __init__(self, geometry: Geometry) -> None:
        self._geometry = g = geometry
        super().__init__(
            {
                "go": In(1),
                "m": In(24),
                "n": In(24),
                "k": In(24),
                "base": In(SLOT_BITS),
                "read": Out(1),
                "address": Out(SLOT_BITS),
                "row": In(g.word_bits),
                "b": Out(stream.Signature(data.ArrayLayout(signed(g.bits), g.cols))),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        g = self._geometry
        going, valid, room = Signal(), Signal(), Signal()
        base, following = Signal(SLOT_BITS), Signal(SLOT_BITS)
        n, k, m_left, n_left, k_left = (Signal(24, name=x) for x in ("n", "k", "ml", "nl", "kl"))
        m.d.comb += [
            room.eq(~valid | self.b.ready),
            self.read.eq(self.go | (going & room)),
            self.address.eq(Mux(self.go, self.base, following)),
            self.b.valid.eq(valid),
            self.b.p.eq(self.row),
        ]
        now = {
            "m": Mux(self.go, self.m, m_left), "n": Mux(self.go, self.n, n_left),
            "k": Mux(self.go, self.k, k_left),
        }  # fmt: skip
        with m.If(room):
            m.d.sync += valid.eq(self.read)
        with m.If(self.go):
            m.d.sync += [going.eq(1), base.eq(self.base), n.eq(self.n), k.eq(self.k)]
        with m.If(self.read):
            m.d.sync += [
                following.eq(self.address + 1), m_left.eq(now["m"]), n_left.eq(now["n"]),
                k_left.eq(now["k"] - 1),
            ]  # fmt: skip
            with m.If(now["k"] == 1):
                m.d.sync += [k_left.eq(Mux(self.go, self.k, k)), n_left.eq(now["n"] - g.cols)]
                with m.If(now["n"] <= g.cols):
                    m.d.sync += [
                        n_left.eq(Mux(self.go, self.n, n)), m_left.eq(now["m"] - g.rows),
                        following.eq(Mux(self.go, self.base, base)),
                    ]  # fmt: skip
                    with m.If(now["m"] <= g.rows):
                        m.d.sync += going.eq(0)
        return m
