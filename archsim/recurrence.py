"""The recurrence of `analytic` on many designs at once: a step of all designs in every call."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np

from archsim.engines import Ints
from archsim.rows import Masks, Rows, UnitBatch


@dataclass(slots=True)
class Pipe:
    """An engine and its DMA on many designs between two ops: see `analytic`; times in ps."""

    free_ps: Ints
    loaded_ps: Ints
    end_ps: Ints
    slot_ps: Ints

    def state(self) -> tuple[Ints, ...]:
        """Return what later ops depend on: nothing of an engine happens before it is done."""
        earlier = (self.free_ps, self.loaded_ps, self.slot_ps)
        return (self.end_ps, *(np.maximum(x, self.end_ps) for x in earlier))

    def shift(self, later_ps: Ints) -> None:
        """Let everything have happened later."""
        for name in self.__slots__:
            setattr(self, name, getattr(self, name) + later_ps)

    def take(self, designs: Ints) -> Pipe:
        return Pipe(*(getattr(self, name)[designs] for name in self.__slots__))

    def put(self, designs: Ints, other: Pipe) -> None:
        for name in self.__slots__:
            getattr(self, name)[designs] = getattr(other, name)


def advance(
    pipe: Pipe,
    rows: Rows,
    unit: UnitBatch,
    latency_ps: Ints,
    fetched: Masks,
    ahead_ps: Ints,
    ready_ps: Ints | None,
) -> tuple[Ints, Ints]:
    """Run one op on all designs: what `analytic` does for one design at a time.

    Parameters
    ----------
    fetched
        Where the op's weights were prefetched.
    ahead_ps
        Prefetch for the engine's next op.
    ready_ps
        When the op's inputs exist; None if they always do.

    Returns
    -------
    By design, when the op was done and for how long its jobs held the engine.
    """
    order, starts = rows.designs.order, rows.designs.starts.tolist()
    here, latency = pipe.take(order), latency_ps[order]
    free, loaded, end, slot = here.free_ps, here.loaded_ps, here.end_ps, here.slot_ps
    num, den = unit.num[order], unit.den[order]
    whole = bool((den == 1).all())  # periods are whole picoseconds: edges need no rounding
    opened, before = end.copy(), end.copy()  # `before`: end of the step before the last
    occupied = np.zeros_like(end)
    first = np.where(fetched, rows.rest_ps, rows.first_ps)[order]
    ready = None if ready_ps is None else ready_ps[order]
    for step, (start, stop) in enumerate(itertools.pairwise(starts)):
        n = stop - start
        f, arrived, e, s = free[:n], loaded[:n], end[:n], slot[:n]
        load = rows.load_ps[start:stop] if step else first
        until = np.maximum(f, before[:n])
        if ready is not None:
            np.maximum(until, ready, out=until)
        until += load
        np.copyto(f, until, where=load > 0)
        until += latency[:n]
        np.copyto(arrived, until, where=load > 0)

        begin = np.maximum(e, arrived)
        np.maximum(begin, s, out=begin)
        if ready is not None:
            np.maximum(begin, ready, out=begin)
            ready = None  # inputs matter to the first step only
        if whole:
            begin += num[:n] - 1
            begin //= num[:n]
            begin *= num[:n]
            finish = begin + rows.work[start:stop]
        else:
            edge = (begin * den[:n] + num[:n] - den[:n]) // num[:n] * num[:n]
            begin = (edge + den[:n] - 1) // den[:n]
            finish = (edge + rows.work[start:stop] + den[:n] - 1) // den[:n]
        if step:  # the store of the step before stands behind this step's load
            _store(f, s, e, rows.store_ps[starts[step - 1] :][:n])
        before[:n] = e
        e[:] = finish
        finish -= begin
        occupied[:n] += finish

    ahead = ahead_ps[order]
    until = np.maximum(free, opened) + ahead
    np.copyto(free, until, where=ahead > 0)
    np.copyto(loaded, until + latency, where=ahead > 0)
    last = rows.store_ps[rows.last]
    _store(free, slot, end, last)
    pipe.put(order, here)
    back = np.argsort(order)
    return np.where(last > 0, slot, end)[back], occupied[back]


def _store(free: Ints, slot: Ints, end: Ints, store_ps: Ints) -> None:
    """Store what is ready at ``end``, where there is something to store."""
    until = np.maximum(free, end)
    until += store_ps
    np.copyto(free, until, where=store_ps > 0)
    np.copyto(slot, until, where=store_ps > 0)
