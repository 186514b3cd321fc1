"""Cycle accounts in hardware: each occupied cycle of a command is charged to one counter."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from amaranth.hdl import Module, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

COUNTER_BITS = 32


def counters_signature(names: Iterable[str]) -> wiring.Signature:
    """Return the outputs of an engine's counters."""
    return wiring.Signature({name: Out(COUNTER_BITS) for name in names})


def charges(names: Iterable[str]) -> dict[str, Signal]:
    """Return a flag for each counter: this cycle is charged to it."""
    return {name: Signal(name=f"charge_{name}") for name in names}


class Successors(wiring.Component):
    """What counters will hold once they have counted: a module of its own.

    So mapping, which goes by modules, puts what is late, whether to count at all, behind the carry
    chains and not before them.

    Members
    -------
    now : in; then : out
        A number for each of ``steps``, and that number plus its step, of as many ``bits``.
    """

    def __init__(self, bits: Sequence[int], steps: Sequence[int]) -> None:
        self._steps = tuple(steps)
        super().__init__(
            {
                **{f"now_{i}": In(width) for i, width in enumerate(bits)},
                **{f"then_{i}": Out(width) for i, width in enumerate(bits)},
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        for i, step in enumerate(self._steps):
            m.d.comb += getattr(self, f"then_{i}").eq(stepped(getattr(self, f"now_{i}"), step))
        return m


def stepped(counter: Value, step: int) -> Value:
    """Return what a counter holds once it has gone a step, up or down."""
    return counter + step if step > 0 else counter - -step


def successors(m: Module, counters: Sequence[tuple[Value, int]]) -> list[Value]:
    """Return what each counter holds once it has gone its step, known before it is to go."""
    bits, steps = [len(counter) for counter, _ in counters], [step for _, step in counters]
    m.submodules.successors = then = Successors(bits, steps)
    for i, (counter, _) in enumerate(counters):
        m.d.comb += getattr(then, f"now_{i}").eq(counter)
    return [getattr(then, f"then_{i}") for i in range(len(steps))]


def tally(
    m: Module,
    start: Value,
    counters: Any,
    charge: Mapping[str, Value],
    *,
    ahead: bool = False,
    late: bool = False,
) -> None:
    """Count charges from ``start`` on, a cycle that is ``fill``.

    Parameters
    ----------
    ahead
        Add one before it is known whether to keep the sum, so that a charge may come late.
    late
        Count a charge a cycle after it; the command's last cycle, which has none, is a ``drain``
        that is counted from its start.
    """
    kept = [getattr(counters, name) for name in charge]
    if ahead:
        sums = successors(m, [(counter, 1) for counter in kept])
    else:
        sums = [counter + charged for counter, charged in zip(kept, charge.values(), strict=True)]
    if late:
        held = {name: Signal(name=f"charged_{name}") for name in charge}
        m.d.sync += [held[name].eq(charge[name]) for name in charge]
        charge = held
    at_first = ("fill", "drain") if late else ("fill",)
    for name, counter, total in zip(charge, kept, sums, strict=True):
        with m.If(start):
            m.d.sync += counter.eq(int(name in at_first))
        with m.Elif(charge[name]) if ahead else m.Else():
            m.d.sync += counter.eq(total)
