"""Scale and round in hardware: a lane, and a row of lanes between two streams.

The arithmetic is that of `archsim.formats.requantise`. A beat passes a stage a cycle: bias,
products of halves, their sum, (with ``reduce``: the taps of a window, added or compared),
rounding, clamp. A stage moves when the next one is empty or moves, so that a row of lanes takes a
beat every cycle, keeps what its output does not take, and closes gaps while it waits.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from amaranth.hdl import Cat, Module, Mux, Signal, Value, signed, unsigned
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from archsim.formats.requantise import MAX_SHIFT, Rounding
from archsim.hdl.emit import place


@dataclass(frozen=True, slots=True)
class Scaling:
    """Widths of a lane and its rounding of ties.

    Parameters
    ----------
    acc_bits, scale_bits, out_bits
        Of what comes in, of the multiplier, of what goes out.
    reduce
        Whether a result is of several taps, each scaled, then added or compared.
    """

    acc_bits: int = 32
    scale_bits: int = 32
    out_bits: int = 8
    rounding: Rounding = "half_even"
    reduce: bool = False

    @property
    def product_bits(self) -> int:
        return self.acc_bits + self.scale_bits

    @property
    def stages(self) -> int:
        """Cycles from a beat's acceptance to its result's offer."""
        return 6 if self.reduce else 5

    @property
    def parameters(self) -> data.StructLayout:
        """What a lane scales by: ``bias``, ``multiplier``, ``shift``."""
        return data.StructLayout(
            {
                "bias": signed(self.acc_bits),
                "multiplier": signed(self.scale_bits),
                "shift": unsigned(MAX_SHIFT.bit_length()),
            }
        )


class RequantiseLane(wiring.Component):
    """One lane; its registers move as `Requantise` says.

    Members
    -------
    move : in, bit a stage
        The stage takes what stands before it.
    x, parameters : in
        Of the beat that enters.
    zero_point, low, high : in
        Constant while results are on their way.
    first, maximum : in, with ``reduce``
        Of the beat before the fourth stage: it begins a window; taps are compared and not added.
    y : out
    """

    def __init__(self, scaling: Scaling) -> None:
        self._scaling = scaling
        out = signed(scaling.out_bits)
        super().__init__(
            {
                "move": In(scaling.stages),
                "x": In(signed(scaling.acc_bits)),
                "parameters": In(scaling.parameters),
                "zero_point": In(out),
                "low": In(out),
                "high": In(out),
                **({"first": In(1), "maximum": In(1)} if scaling.reduce else {}),
                "y": Out(out),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        scaling = self._scaling
        move, stages = self.move, scaling.stages

        def register(shape: Any, name: str) -> Signal:
            return Signal(shape, name=name, reset_less=True)  # nothing is read before it is written

        total = register(signed(scaling.acc_bits), "total")
        multiplier = register(signed(scaling.scale_bits), "multiplier")
        with m.If(move[0]):
            m.d.sync += [
                total.eq(self.x + self.parameters.bias),
                multiplier.eq(self.parameters.multiplier),
            ]
        shift = self.parameters.shift
        for stage in range(stages - 2):  # it goes with its operand as far as the rounding
            behind, shift = shift, register(shift.shape(), f"shift_{stage}")
            with m.If(move[stage]):
                m.d.sync += shift.eq(behind)

        product = register(signed(scaling.product_bits), "product")
        parts = [register(part.shape(), name) for part, name in _halves(total, multiplier)]
        low, left, right, high = parts
        with m.If(move[1]):
            m.d.sync += [
                held.eq(part)
                for held, (part, _) in zip(parts, _halves(total, multiplier), strict=True)
            ]
        with m.If(move[2]):
            m.d.sync += product.eq(
                Cat(low, high).as_signed()
                + (left << len(total) // 2)
                + (right << len(multiplier) // 2)
            )
        if scaling.reduce:
            window = register(product.shape(), "window")
            kept = Mux(self.maximum, Mux(window > product, window, product), window + product)
            with m.If(move[3]):
                m.d.sync += window.eq(Mux(self.first, product, kept))
            product = window

        rounded = register(signed(scaling.acc_bits), "rounded")
        with m.If(move[stages - 2]):
            m.d.sync += rounded.eq(_rounded(m, product, shift, scaling))
        shifted = rounded + self.zero_point
        with m.If(move[stages - 1]):
            m.d.sync += self.y.eq(
                Mux(shifted < self.low, self.low, Mux(shifted > self.high, self.high, shifted))
            )
        return m


def _halves(a: Signal, b: Signal) -> list[tuple[Value, str]]:
    """Return the four products of a's and b's halves: they are added a stage later.

    A multiplier of the whole width would be the longest path of the lane.
    """
    (a_low, a_high), (b_low, b_high) = (
        (x[: len(x) // 2], x[len(x) // 2 :].as_signed()) for x in (a, b)
    )
    return [
        (a_low * b_low, "low"),
        (a_high * b_low, "left"),
        (a_low * b_high, "right"),
        (a_high * b_high, "high"),
    ]


def _rounded(m: Module, product: Signal, shift: Signal, scaling: Scaling) -> Value:
    """Return the product shifted right, rounded once, saturated to ``acc_bits``."""
    bits = scaling.acc_bits
    # one place further left, so that the half is the lowest bit
    moved = Signal(signed(scaling.product_bits + 1))
    m.d.comb += moved.eq(Cat(0, product).as_signed() >> shift)
    kept, half = moved[1:].as_signed(), moved[0]
    if scaling.rounding == "half_even":
        mask = ((1 << shift) - 1)[1 : scaling.product_bits]
        half = half & ((product & mask).any() | kept[0])
    fits = Signal()
    top = moved[bits:]  # the sign, and what lies above the bits that stay
    m.d.comb += fits.eq(top.all() | ~top.any())
    most = (1 << (bits - 1)) - 1
    carried = Mux(fits & (kept[:bits].as_signed() != most), half, 0)
    limit = Mux(product[-1], -most - 1, most)
    return Mux(fits, kept[:bits].as_signed(), limit) + carried


class Requantise(wiring.Component):
    """A row of lanes from a stream of sums to a stream of narrow integers.

    Between an array and its buffer it takes a row of sums every cycle and gives it back
    `Scaling.stages` cycles later. Parameters come with each beat: keep them in a register, or in a
    memory, beside the stream.

    Parameters
    ----------
    lanes
        Values a beat.
    scaling
        Widths and rounding.

    Members
    -------
    i : in, stream of ``x`` [lanes] and ``parameters`` [lanes]
        With ``reduce`` also ``first``, ``last``, ``maximum``: the beat begins or ends a window;
        only the last one gives a result.
    zero_point, low, high : in
        Of the tensor; constant while beats are inside.
    o : out, stream of ``lanes`` values
    busy : out
        A beat is inside.
    emptied : out
        The last beat inside leaves in this cycle.
    """

    def __init__(self, lanes: int, scaling: Scaling) -> None:
        self._lanes, self._scaling = lanes, scaling
        out = signed(scaling.out_bits)
        flags = ("first", "last", "maximum") if scaling.reduce else ()
        beat = data.StructLayout(
            {
                "x": data.ArrayLayout(signed(scaling.acc_bits), lanes),
                "parameters": data.ArrayLayout(scaling.parameters, lanes),
                **dict.fromkeys(flags, 1),
            }
        )
        super().__init__(
            {
                "i": In(stream.Signature(beat)),
                "zero_point": In(out),
                "low": In(out),
                "high": In(out),
                "o": Out(stream.Signature(data.ArrayLayout(out, lanes))),
                "busy": Out(1),
                "emptied": Out(1),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        scaling = self._scaling
        # full: the stage holds something for the next one; of a window, only when it is complete
        full, move = Signal(scaling.stages), Signal(scaling.stages)
        waiting = Cat(self.i.valid, full[:-1])  # before each stage
        room = self.o.ready
        for stage in reversed(range(scaling.stages)):
            room = ~full[stage] | room
            m.d.comb += move[stage].eq(waiting[stage] & room)
            with m.If(room):
                m.d.sync += full[stage].eq(waiting[stage])
        m.d.comb += [
            self.i.ready.eq(room),
            self.o.valid.eq(full[-1]),
            self.busy.eq(full.any()),
            self.emptied.eq(self.o.valid & self.o.ready & ~full[:-1].any()),
        ]
        flags = Signal(data.StructLayout(dict.fromkeys(("first", "last", "maximum"), 1)))
        if scaling.reduce:
            names = ("first", "last", "maximum")
            behind: Any = self.i.p
            for stage in range(3):  # they go with their beat as far as the taps
                here = flags if stage == 2 else Signal.like(flags, name=f"flags_{stage}")
                with m.If(move[stage]):
                    m.d.sync += [here[name].eq(behind[name]) for name in names]
                behind = here
            with m.If(move[3]):
                m.d.sync += full[3].eq(flags.last)
        for j in range(self._lanes):
            lane = place(m, platform, "lane", f"lane_{j}", RequantiseLane, scaling)
            m.d.comb += [
                lane.move.eq(move),
                lane.x.eq(self.i.p.x[j]),
                lane.parameters.eq(self.i.p.parameters[j]),
                lane.zero_point.eq(self.zero_point),
                lane.low.eq(self.low),
                lane.high.eq(self.high),
                self.o.p[j].eq(lane.y),
            ]
            if scaling.reduce:
                m.d.comb += [lane.first.eq(flags.first), lane.maximum.eq(flags.maximum)]
        return m
