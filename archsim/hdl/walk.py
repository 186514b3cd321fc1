"""Addresses in a scratchpad: walks over pixels, and over the result rows of a job."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Cat, Module, Mux, Signal, unsigned
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from archsim.hdl.descriptors import SLOT_BITS, WALK

WALK_LAYOUT = data.StructLayout(WALK)


def walk_of(descriptor: Any) -> Any:
    """Return a descriptor's walk as a value of `WALK_LAYOUT`."""
    return data.View(WALK_LAYOUT, Cat(descriptor[f"walk_{name}"] for name in WALK))


class PixelWalk(wiring.Component):
    """Steps from pixel to pixel, row by row, through planes that hold a phase each.

    Members
    -------
    start, walk : in
        Begin a walk: from the next cycle on ``pixel`` is its first.
    step : in
        Go to the next pixel.
    back : in
        ... but instead return to the pixel where ``mark`` was last given (or the walk began).
    mark : in
        With ``step``: the pixel that is next is the one to return to.
    pixel : out
        Address.
    """

    def __init__(self) -> None:
        super().__init__(
            {
                "start": In(1),
                "walk": In(WALK_LAYOUT),
                "step": In(1),
                "back": In(1),
                "mark": In(1),
                "pixel": Out(SLOT_BITS),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        now, marked = Signal(WALK_LAYOUT), Signal(WALK_LAYOUT)
        following = Signal(WALK_LAYOUT)
        m.d.comb += [self.pixel.eq(now.pixel), following.eq(now)]
        ends_row = now.column + 1 == now.columns
        row = Signal(SLOT_BITS)
        with m.If(now.row_phase + 1 == now.row_phases):
            m.d.comb += row.eq(now.row + now.row_wrap)
        with m.Else():
            m.d.comb += row.eq(now.row + now.row_step)
        with m.If(ends_row):
            m.d.comb += [
                following.row.eq(row),
                following.pixel.eq(row),
                following.column.eq(0),
                following.column_phase.eq(0),
                following.row_phase.eq(
                    Mux(now.row_phase + 1 == now.row_phases, 0, now.row_phase + 1)
                ),
            ]
        with m.Else():
            m.d.comb += following.column.eq(now.column + 1)
            with m.If(now.column_phase + 1 == now.column_phases):
                m.d.comb += [
                    following.pixel.eq(now.pixel + now.column_wrap),
                    following.column_phase.eq(0),
                ]
            with m.Else():
                m.d.comb += [
                    following.pixel.eq(now.pixel + now.column_step),
                    following.column_phase.eq(now.column_phase + 1),
                ]
        with m.If(self.start):
            m.d.sync += [now.eq(self.walk), marked.eq(self.walk)]
        with m.Elif(self.step & self.back):
            m.d.sync += now.eq(marked)
        with m.Elif(self.step):
            m.d.sync += now.eq(following)
            with m.If(self.mark):
                m.d.sync += marked.eq(following)
        return m


class ResultWalk(wiring.Component):
    """Follows a job's result rows: folds m outer, n inner, the rows of a fold from the top.

    Members
    -------
    start, m, n, walk, group_step : in
        A job begins: extents of C, the walk over its rows, and from one fold's columns to the next.
    step : in
        A row passes.
    address : out
        Of the row that is next.
    fold_n, next_fold_n : out
        Which columns of C it has; in the next cycle.
    active : out
        The job has rows left.
    last : out
        The row that is next is the job's last.
    """

    def __init__(self, rows: int, cols: int, extent_bits: int = 24) -> None:
        self._rows, self._cols = rows, cols
        extent = unsigned(extent_bits)
        super().__init__(
            {
                "start": In(1),
                "m": In(extent),
                "n": In(extent),
                "walk": In(WALK_LAYOUT),
                "group_step": In(SLOT_BITS),
                "step": In(1),
                "address": Out(SLOT_BITS),
                "fold_n": Out(10),
                "next_fold_n": Out(10),
                "active": Out(1),
                "last": Out(1),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        rows, cols = self._rows, self._cols
        m.submodules.pixels = pixels = PixelWalk()
        extent = self.m.shape()
        n, n_left, m_left = Signal(extent), Signal(extent), Signal(extent)
        row = Signal(range(rows))
        group, group_step = Signal(SLOT_BITS), Signal(SLOT_BITS)
        last_row, last_n, last_m = Signal(), Signal(), Signal()
        m.d.comb += [
            last_m.eq(m_left <= rows),
            last_n.eq(n_left <= cols),
            last_row.eq((row == rows - 1) | (last_m & (row + 1 == m_left))),
            self.last.eq(last_row & last_n & last_m),
            self.address.eq(pixels.pixel + group),
            pixels.start.eq(self.start),
            pixels.walk.eq(self.walk),
            pixels.step.eq(self.step),
            pixels.back.eq(last_row & ~last_n),
            pixels.mark.eq(last_row & last_n),
        ]
        m.d.comb += self.next_fold_n.eq(self.fold_n)
        with m.If(self.start):
            m.d.comb += self.next_fold_n.eq(0)
        with m.Elif(self.step & last_row):
            m.d.comb += self.next_fold_n.eq(Mux(last_n, 0, self.fold_n + 1))
        m.d.sync += self.fold_n.eq(self.next_fold_n)
        with m.If(self.start):
            m.d.sync += [
                n.eq(self.n), n_left.eq(self.n), m_left.eq(self.m), row.eq(0), group.eq(0),
                group_step.eq(self.group_step), self.active.eq(1),
            ]  # fmt: skip
        with m.Elif(self.step):
            m.d.sync += row.eq(row + 1)
            with m.If(last_row):
                m.d.sync += [row.eq(0), n_left.eq(n_left - cols)]
                m.d.sync += [group.eq(group + group_step)]
            with m.If(last_row & last_n):
                m.d.sync += [n_left.eq(n), m_left.eq(m_left - rows), group.eq(0)]
                m.d.sync += self.active.eq(~last_m)
        return m
