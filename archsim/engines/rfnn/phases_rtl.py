"""Phases to codes, and codes through serial chains into the shifters of a mesh."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from archsim.engines.rfnn.spec import PHASE_BITS, TABLE_ENTRIES, RfnnSpec
from archsim.hdl.emit import place
from archsim.hdl.row_memory import RowMemory


class PhaseCode(wiring.Component):
    """Codes of phases: rounded, or from a table of what each shifter was measured to do.

    Members
    -------
    read, device, phase : in
        A phase, in turns of 2^-16, and whose it is.
    code : out
        Its code from the next cycle on.
    write, write_entry, write_code : in
        Put an entry into the table: that of device d and phases of high byte h is 256 d + h.
        Where there is a table.
    """

    def __init__(self, devices: int, bits: int, *, table: bool) -> None:
        self._devices, self._bits, self._table = devices, bits, table
        entry = In(range(devices * TABLE_ENTRIES))
        super().__init__(
            {
                "read": In(1),
                "device": In(range(devices)),
                "phase": In(PHASE_BITS),
                "code": Out(bits),
                **({"write": In(1), "write_entry": entry, "write_code": In(bits)} if table else {}),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        if self._table:
            rows = self._devices * TABLE_ENTRIES
            codes = place(m, platform, "codes", "codes", RowMemory, rows, self._bits)
            m.d.comb += [
                codes.write.eq(self.write),
                codes.write_row.eq(self.write_entry),
                codes.write_data.eq(self.write_code),
                codes.read.eq(self.read),
                codes.read_row.eq(Cat(self.phase[-8:], self.device)),
                self.code.eq(codes.read_data),
            ]
        else:
            dropped = PHASE_BITS - self._bits
            with m.If(self.read):
                m.d.sync += self.code.eq((self.phase + (1 << dropped - 1))[dropped:])
        return m


class PhaseBank(wiring.Component):
    """Keeps codes and sends them out: ``chains`` shift registers with one clock and one latch.

    A chain's first bit is the highest one of the device at its far end. Started in cycle 0, it
    fetches in cycle 1 and shifts from cycle 2 on, ``2 half_period`` cycles a bit of which the
    clock is high for the second half; latch and settling follow, and ``done`` is in cycle
    ``2 + 2 half_period devices bits + latch + settle``.

    Parameters
    ----------
    chains, devices, bits
        Devices in a chain, bits of a device.
    half_period, latch, settle
        In cycles.
    profiles
        Settings that are kept.

    Members
    -------
    write : in, a bit a chain
    write_profile, write_device, write_code : in
        Put a code into its place, at the end of this cycle.
    start, profile : in
        Send a setting; only heeded when not ``busy``.
    busy, done : out
        From the cycle after the start to the last one, which is ``done``.
    si, sclk, le : out
        The chains' pins: a shifter takes its bit when the clock rises, all take theirs for good
        while ``le`` is high.
    """

    def __init__(
        self,
        chains: int,
        devices: int,
        bits: int,
        half_period: int,
        latch: int,
        settle: int,
        profiles: int = 1,
    ) -> None:
        self._chains, self._devices, self._bits = chains, devices, bits
        self._half_period, self._latch, self._settle = half_period, latch, settle
        self._profiles = profiles
        super().__init__(
            {
                "write": In(chains),
                "write_profile": In(range(profiles)),
                "write_device": In(range(devices)),
                "write_code": In(bits),
                "start": In(1),
                "profile": In(range(profiles)),
                **dict.fromkeys(("busy", "done", "sclk", "le"), Out(1)),
                "si": Out(chains),
            }
        )

    @classmethod
    def of(cls, spec: RfnnSpec) -> PhaseBank:
        return cls(
            spec.chains, spec.chain_devices, spec.phase_bits, spec.sclk_div, spec.latch_cycles,
            spec.settle_cycles, spec.profiles,
        )  # fmt: skip

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        device = Signal(range(self._devices))  # that is sent
        following = Signal.like(device)
        row = data.ArrayLayout(self._bits, self._chains)
        rows = (self._profiles - 1 << len(device)) + self._devices
        codes = place(m, platform, "profiles", "profiles", RowMemory, rows, row, self._chains)
        profile = Signal(range(self._profiles))
        m.d.comb += [
            codes.write.eq(self.write),
            codes.write_row.eq(Cat(self.write_device, self.write_profile)),
            codes.write_data.eq(Cat(self.write_code for _ in range(self._chains))),
            codes.read_row.eq(Cat(following, profile)),
        ]

        bit = Signal(range(self._bits))
        tick = Signal(range(max(self._half_period, self._latch, self._settle)))
        high, ends = Signal(), Signal()  # second half of a bit; its last cycle
        m.d.comb += ends.eq(high & (tick == self._half_period - 1))
        m.d.sync += tick.eq(tick + 1)
        with m.FSM():
            with m.State("IDLE"):
                m.d.sync += [
                    profile.eq(self.profile), device.eq(self._devices - 1),
                    bit.eq(self._bits - 1), tick.eq(0), high.eq(0),
                ]  # fmt: skip
                with m.If(self.start):
                    m.next = "FETCH"
            with m.State("FETCH"):
                m.d.comb += [self.busy.eq(1), codes.read.eq(1), following.eq(device)]
                m.d.sync += tick.eq(0)
                m.next = "SHIFT"
            with m.State("SHIFT"):
                m.d.comb += [self.busy.eq(1), self.sclk.eq(high), following.eq(device - 1)]
                m.d.comb += [
                    pin.eq(codes.read_data[c].bit_select(bit, 1)) for c, pin in enumerate(self.si)
                ]
                with m.If(tick == self._half_period - 1):
                    m.d.sync += [tick.eq(0), high.eq(~high)]
                with m.If(ends):
                    m.d.sync += bit.eq(bit - 1)
                with m.If(ends & (bit == 0)):
                    m.d.sync += [bit.eq(self._bits - 1), device.eq(following)]
                    m.d.comb += codes.read.eq(1)
                    with m.If(device == 0):
                        m.next = "LATCH"
            with m.State("LATCH"):
                m.d.comb += [self.busy.eq(1), self.le.eq(1)]
                with m.If(tick == self._latch - 1):
                    m.d.sync += tick.eq(0)
                    m.next = "SETTLE"
            with m.State("SETTLE"):
                m.d.comb += self.busy.eq(1)
                with m.If(tick == self._settle - 1):
                    m.next = "DONE"
            with m.State("DONE"):
                m.d.comb += [self.busy.eq(1), self.done.eq(1)]
                m.next = "IDLE"
        return m


class PhaseLoader(wiring.Component):
    """Takes phases, makes codes of them, and programs a mesh.

    Phases come device by device, of all chains those at the near end first; programming begins in
    the cycle after the last one.

    Members
    -------
    phase : in, stream
        Phases; or entries of the table, device by device.
    calibrates, calibrated
        In: take a table. Out: this is the last cycle of it.
    programs, fetches, profile, programmed
        In: program a mesh, with phases that come or with a setting that is kept. Out: this is the
        last cycle of it.
    si, sclk, le : out
    """

    def __init__(self, spec: RfnnSpec) -> None:
        self._spec = spec
        super().__init__(
            {
                "phase": In(stream.Signature(PHASE_BITS)),
                **dict.fromkeys(("calibrates", "programs", "fetches"), In(1)),
                **dict.fromkeys(("calibrated", "programmed", "sclk", "le"), Out(1)),
                "profile": In(range(spec.profiles)),
                "si": Out(spec.chains),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        spec = self._spec
        m.submodules.codes = codes = PhaseCode(spec.devices, spec.phase_bits, table=spec.calibrated)
        m.submodules.bank = bank = PhaseBank.of(spec)
        device = Signal(range(spec.devices))
        chain, place = Signal(range(spec.chains)), Signal(range(spec.chain_devices))
        fetched, last = Signal(), Signal()
        m.d.comb += [
            codes.phase.eq(self.phase.payload),
            codes.device.eq(device),
            codes.read.eq(self.programs & self.phase.valid & self.phase.ready),
            last.eq(codes.read & (device == spec.devices - 1)),
            self.phase.ready.eq(self.programs & self.fetches & ~fetched & ~bank.busy),
            bank.profile.eq(self.profile),
            bank.start.eq(self.programs & (fetched | ~self.fetches)),
            self.programmed.eq(bank.done),
            *(getattr(self, pin).eq(getattr(bank, pin)) for pin in ("si", "sclk", "le")),
        ]
        # a code follows its phase by a cycle
        m.d.sync += bank.write.eq(0)
        with m.If(codes.read):
            m.d.sync += [
                bank.write.eq(1 << chain),
                bank.write_device.eq(place),
                bank.write_profile.eq(self.profile),
                device.eq(device + 1),
                chain.eq(chain + 1),
            ]
            with m.If(chain == spec.chains - 1):
                m.d.sync += [chain.eq(0), place.eq(place + 1)]
        m.d.comb += bank.write_code.eq(codes.code)
        with m.If(last):
            m.d.sync += [fetched.eq(1), device.eq(0), chain.eq(0), place.eq(0)]
        with m.Elif(bank.done):
            m.d.sync += fetched.eq(0)
        if spec.calibrated:
            entry = Signal(range(spec.devices * TABLE_ENTRIES))
            m.d.comb += [
                codes.write.eq(self.calibrates & self.phase.valid),
                codes.write_entry.eq(entry),
                codes.write_code.eq(self.phase.payload),
                self.calibrated.eq(codes.write & (entry == spec.devices * TABLE_ENTRIES - 1)),
            ]
            with m.If(self.calibrates):
                m.d.comb += self.phase.ready.eq(1)
            with m.If(codes.write):
                m.d.sync += entry.eq(Mux(self.calibrated, 0, entry + 1))
        return m
