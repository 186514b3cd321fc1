"""The behavioural mesh as hardware, and the control with it at its pins: for verification only.

The twin knows nothing of commands. It has the shift registers of the phase shifters, latches what
is in them, and gives samples of what passes. A sample that is asked for too early, of amplitudes,
phases or switches that have not settled, is inverted.
"""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Array, Cat, Const, Module, Mux, Signal, Value, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In

from archsim.engines.rfnn.readout_rtl import magnitude, saturated
from archsim.engines.rfnn.routes import switch_count
from archsim.engines.rfnn.rtl import RfnnControl, pins_signature, streams
from archsim.engines.rfnn.spec import RfnnSpec
from archsim.engines.rfnn.twin import (
    GUARD_BITS,
    HELD_MESHES,
    TRIG_BITS,
    devices_of,
    dither,
    full_scale_bits,
    turns,
)

MOST_MODES = 16  # of a mesh whose every cell is multipliers of its own
Wave = tuple[Value, Value]  # real and imaginary part


class RfnnBench(wiring.Component):
    """The control with a behavioural mesh at its pins: the same streams, and no pins."""

    def __init__(self, spec: RfnnSpec) -> None:
        self.spec = spec
        super().__init__(streams(spec))

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        m.submodules.control = control = RfnnControl(self.spec)
        m.submodules.mesh = mesh = MeshTwin(self.spec)
        wiring.connect(m, control.pins, mesh.pins)
        for name in streams(self.spec):
            wiring.connect(m, wiring.flipped(getattr(self, name)), getattr(control, name))
        return m


class WiredControl(wiring.Component):
    """The control with its converters wired to each other, and its other pins: to be measured."""

    def __init__(self, spec: RfnnSpec) -> None:
        self.spec = spec
        driven = ("si", "sclk", "le", "apply", "convert")
        pins = {name: pins_signature(spec).members[name] for name in driven}
        super().__init__({**streams(spec), **pins})

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        m.submodules.control = control = RfnnControl(self.spec)
        for name in streams(self.spec):
            wiring.connect(m, wiring.flipped(getattr(self, name)), getattr(control, name))
        pins, moved = control.pins, self.spec.adc_bits - self.spec.dac_bits
        m.d.comb += [
            getattr(self, name).eq(getattr(pins, name))
            for name in ("si", "sclk", "le", "apply", "convert")
        ]
        for adc, dac in zip(pins.adc, pins.dac, strict=True):
            for i in range(self.spec.lanes):
                m.d.comb += adc[i].eq(dac[i] << moved if moved > 0 else dac[i] >> -moved)
        return m


class MeshTwin(wiring.Component):
    """Shift registers, phases and converters of a mesh, or of several; see the module.

    Members
    -------
    pins : of the control, from the other side
    """

    def __init__(self, spec: RfnnSpec) -> None:
        self._spec = spec
        top = full_scale_bits(spec)
        self._number = signed(top + spec.modes.bit_length() + 3)  # holds sums of two outputs
        super().__init__({"pins": In(pins_signature(spec))})

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        spec = self._spec
        codes = self._latched(m)
        waves = self._switched(m, self._entering())
        devices = devices_of(spec)
        for number, mesh in enumerate(devices.meshes):
            for mode, split, before in mesh:
                pair = waves[mode], waves[mode + 1]
                waves[mode : mode + 2] = self._cell(m, codes[split], codes[before], *pair)
            if number == 0:
                dark = Const(0, self._number), Const(0, self._number)
                for mode, device in enumerate(devices.attenuators):
                    split, none = codes[device], Const(0, spec.phase_bits)
                    waves[mode] = self._cell(m, split, none, waves[mode], dark)[0]
        for mode, device in enumerate(devices.outputs):
            waves[mode] = self._turned(m, waves[mode], codes[device])
        self._sample(m, waves)
        return m

    def _latched(self, m: Module) -> list[Value]:
        """Return the codes of the selected mesh's devices."""
        spec, pins = self._spec, self.pins
        length = spec.chain_devices * spec.phase_bits
        chains = [Signal(length, name=f"chain_{c}") for c in range(spec.chains)]
        clocked = Signal()
        m.d.sync += clocked.eq(pins.sclk)
        with m.If(pins.sclk & ~clocked):
            m.d.sync += [chain.eq(Cat(pins.si[c], chain)) for c, chain in enumerate(chains)]
        shifted = [
            chains[d % spec.chains].word_select(d // spec.chains, spec.phase_bits)
            for d in range(spec.devices)
        ]
        bits = spec.devices * spec.phase_bits
        if spec.cores != "instance":
            held = Signal(bits)
            with m.If(pins.le):
                m.d.sync += held.eq(Cat(shifted))
        else:
            meshes = [Signal(bits, name=f"codes_{i}") for i in range(HELD_MESHES)]
            for i, mesh in enumerate(meshes):
                with m.If(pins.le & (pins.mesh == i)):
                    m.d.sync += mesh.eq(Cat(shifted))
            held = Signal(bits)
            m.d.comb += held.eq(Array(meshes)[pins.mesh])
        return [held.word_select(d, spec.phase_bits) for d in range(spec.devices)]

    def _entering(self) -> list[Wave]:
        """Return what the converters send out, as amplitudes."""
        scale = full_scale_bits(self._spec) - self._spec.dac_bits
        none = Const(0, self._number)
        return [
            (port[0] << scale, port[1] << scale if self._spec.lanes == 2 else none)
            for port in self.pins.dac
        ]

    def _switched(self, m: Module, waves: list[Wave]) -> list[Wave]:
        """Return waves behind the switch matrix."""
        if not self._spec.switches:
            return waves
        return self._benes(m, list(self.pins.switch), waves)

    def _benes(self, m: Module, bits: list[Value], waves: list[Wave]) -> list[Wave]:
        def switch(bit: Value, a: Wave, b: Wave) -> tuple[Wave, Wave]:
            return (
                self._wave(m, Mux(bit, b[0], a[0]), Mux(bit, b[1], a[1])),
                self._wave(m, Mux(bit, a[0], b[0]), Mux(bit, a[1], b[1])),
            )

        if len(waves) == 2:
            return list(switch(bits[0], *waves))
        half, inner = len(waves) // 2, switch_count(len(waves) // 2)
        pairs = [switch(bits[i], *waves[2 * i : 2 * i + 2]) for i in range(half)]
        upper, lower = (
            self._benes(m, bits[half + side * inner :][:inner], [pair[side] for pair in pairs])
            for side in range(2)
        )
        last = zip(bits[half + 2 * inner :], upper, lower, strict=True)
        return [wave for bit, a, b in last for wave in switch(bit, a, b)]

    # ------------------------------------------------------------------------------------- cells

    def _wave(self, m: Module, re: Value, im: Value) -> Wave:
        parts = Signal(self._number), Signal(self._number)
        m.d.comb += [parts[0].eq(re), parts[1].eq(im)]
        return parts

    def _turned(self, m: Module, wave: Wave, code: Value, parts: int = 1, sign: int = 1) -> Wave:
        """Return a wave times the phase of a code."""
        table = data.ArrayLayout(signed(TRIG_BITS + 2), 2)
        phase = Signal(table)
        turn = Array(
            table.const([cos, sign * sin]) for cos, sin in turns(self._spec.phase_bits, parts)
        )
        m.d.comb += phase.eq(turn[code])
        cos, sin = phase[0], phase[1]
        tie = 1 << TRIG_BITS - 1
        re, im = wave
        return self._wave(
            m, (re * cos - im * sin + tie) >> TRIG_BITS, (im * cos + re * sin + tie) >> TRIG_BITS
        )

    def _cell(self, m: Module, split: Value, before: Value, a: Wave, b: Wave) -> tuple[Wave, Wave]:
        a = self._turned(m, a, before)
        first = self._wave(m, b[0] - a[1], b[1] + a[0])
        second = self._wave(m, a[0] - b[1], a[1] + b[0])
        if self._spec.drive == "one_arm":
            first = self._turned(m, first, split)
        else:
            first = self._turned(m, first, split, 2)
            second = self._turned(m, second, split, 2, -1)
        return (
            self._wave(m, (second[0] - first[1] + 1) >> 1, (second[1] + first[0] + 1) >> 1),
            self._wave(m, (first[0] - second[1] + 1) >> 1, (first[1] + second[0] + 1) >> 1),
        )

    # ----------------------------------------------------------------------------------- samples

    def _sample(self, m: Module, waves: list[Wave]) -> None:
        """Give the sample that is being taken: right if all has settled, and it is time."""
        spec, pins = self._spec, self.pins
        number, coming = (
            Signal(range(1 << spec.samples_log2)),
            Signal(range(1 << spec.samples_log2)),
        )
        elapsed, held = Signal(range(spec.sample_cycles + 1)), Signal(range(spec.sample_cycles + 1))
        m.d.comb += elapsed.eq(Mux(pins.convert, 0, held))
        with m.If(elapsed != spec.sample_cycles):
            m.d.sync += held.eq(elapsed + 1)
        m.d.comb += number.eq(Mux(pins.convert, coming, coming - 1))
        with m.If(pins.convert):
            m.d.sync += coming.eq(coming + 1)
        with m.If(pins.apply):
            m.d.sync += coming.eq(0)
        right = self._settled(m) & (elapsed == spec.sample_cycles - 1)
        fraction = GUARD_BITS + max(spec.dac_bits - spec.adc_bits, 0)
        noise = signed(fraction + 3)
        dithers = Array(Const(dither(spec, i), noise) for i in range(1 << spec.samples_log2))
        added = Signal(noise)
        m.d.comb += added.eq(dithers[number])
        for port, wave in zip(pins.adc, waves, strict=True):
            parts = wave if spec.readout == "iq" else (magnitude(*wave),)
            for lane, part in enumerate(parts):
                sample = saturated((part + added) >> fraction, spec.adc_bits)
                m.d.comb += port[lane].eq(Mux(right, sample, ~sample))

    def _settled(self, m: Module) -> Value:
        """Return whether amplitudes have passed, of phases and switches that had settled."""
        spec, pins = self._spec, self.pins
        age, ready = Signal(range(spec.analog_cycles + 2)), Signal()
        good = self._since(m, "phases", pins.le, spec.settle_cycles)
        selects = [getattr(pins, pin) for pin in ("mesh", "switch") if hasattr(pins, pin)]
        if selects:
            before = Signal(len(Cat(selects)))
            m.d.sync += before.eq(Cat(selects))
            good &= self._since(m, "switches", Cat(selects) != before, spec.switch_cycles)
        with m.If(pins.apply):
            m.d.sync += [age.eq(1), ready.eq(good)]
        with m.Elif(age <= spec.analog_cycles):
            m.d.sync += age.eq(age + 1)
        return ready & (age > spec.analog_cycles)

    def _since(self, m: Module, name: str, event: Value, cycles: int) -> Value:
        """Return whether so many cycles have gone since an event, or none has been."""
        left = Signal(range(cycles + 1), name=f"{name}_left")
        with m.If(event):
            m.d.sync += left.eq(cycles)
        with m.Elif(left != 0):
            m.d.sync += left.eq(left - 1)
        return (left == 0) & ~event
