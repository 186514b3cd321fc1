"""A system on standard buses: AXI4-Lite to control it, an AXI4 manager port to memory."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Cat, Module, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from archsim.hdl.axi_lite import DATA_BITS, AxiLitePort, axi_lite_members
from archsim.hdl.descriptors import COUNT_BITS, Geometry
from archsim.hdl.stream_top import ADDRESS_BITS, Register
from archsim.hdl.system import PROGRAM_ADDRESS_BITS, System

ID = 0x41525359  # "ARSY"
VERSION = 0x0001_0000  # of the register map: major in the upper half
INCREMENTING, MODIFIABLE = 0b01, 0b0011  # burst type; cache attributes: bufferable too
COUNTERS = ("loads_done", "stores_done", "jobs_done", "cycles")

REGISTERS = (
    Register(0x00, "ID", "ro", f"0x{ID:08X}, the letters ARSY"),
    Register(0x04, "VERSION", "ro", f"of this register map: 0x{VERSION:08X}"),
    Register(0x08, "GEOMETRY", "ro", "[15:0] rows of the array, [31:16] columns"),
    Register(0x0C, "WIDTHS", "ro", "bits of [7:0] an element, [15:8] a sum"),
    Register(0x10, "CONTROL", "wo", "[0] START: run the program that is in the tables"),
    Register(
        0x14, "STATUS", "ro",
        "[0] BUSY; [1] REFUSED: the last START was refused, as a program ran or a length is out of "
        "range; [2] ERROR: the memory answered a burst of the last program with an error",
    ),
    Register(0x18, "TRANSFERS", "rw", "rows of the table of transfers to run"),
    Register(0x1C, "JOBS", "rw", "rows of the table of jobs to run"),
    Register(0x20, "BASE", "rw", "added to a program's memory addresses; the low 12 bits are 0"),
    Register(0x24, "POINTER", "rw", "[29:28] table, [15:0] word in it, that WORD writes"),
    Register(0x28, "WORD", "wo", "writes a word of a table; POINTER goes on to the next"),
    Register(0x2C, "LOADS_DONE", "ro", "of the program that runs or ran last"),
    Register(0x30, "STORES_DONE", "ro", "of the program that runs or ran last"),
    Register(0x34, "JOBS_DONE", "ro", "of the program that runs or ran last"),
    Register(0x38, "CYCLES", "ro", "of the program that runs or ran last; wraps"),
)  # fmt: skip


def axi_members(prefix: str, data_bits: int) -> dict[str, wiring.Member]:
    """Return the ports of an AXI4 manager without IDs, flat, by standard names."""
    members: dict[str, wiring.Member] = {}
    for channel in ("aw", "ar"):
        fields = {"addr": 32, "len": 8, "size": 3, "burst": 2, "cache": 4, "prot": 3, "valid": 1}
        members |= {f"{prefix}_{channel}{name}": Out(bits) for name, bits in fields.items()}
        members[f"{prefix}_{channel}ready"] = In(1)
    write = {"data": data_bits, "strb": data_bits // 8, "last": 1, "valid": 1}
    members |= {f"{prefix}_w{name}": Out(bits) for name, bits in write.items()}
    members[f"{prefix}_wready"] = In(1)
    read = {"data": data_bits, "resp": 2, "last": 1, "valid": 1}
    members |= {f"{prefix}_r{name}": In(bits) for name, bits in read.items()}
    members[f"{prefix}_rready"] = Out(1)
    members |= {f"{prefix}_bresp": In(2), f"{prefix}_bvalid": In(1), f"{prefix}_bready": Out(1)}
    return members


class SystemAxi(wiring.Component):
    """A `System` between AXI4-Lite and AXI4; no path crosses from pin to pin.

    Parameters
    ----------
    engine, geometry, module
        As of `System`.

    Members
    -------
    s_axi_* : AXI4-Lite, `REGISTERS`
    m_axi_* : AXI4 manager, a word of ``cols`` elements wide
    """

    def __init__(self, engine: wiring.Component, geometry: Geometry, module: str) -> None:
        self._engine, self._geometry, self._module = engine, geometry, module
        super().__init__(
            {
                **axi_lite_members("s_axi", ADDRESS_BITS),
                **axi_members("m_axi", geometry.word_bits),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        m.submodules.system = system = System(self._engine, self._geometry, self._module)
        m.submodules.registers = registers = SystemRegisters(self._geometry)
        for name in axi_lite_members("s_axi", ADDRESS_BITS):
            inner, outer = getattr(registers, name), getattr(self, name)
            into = self.signature.members[name].flow == In
            m.d.comb += inner.eq(outer) if into else outer.eq(inner)
        wiring.connect(m, registers.program, system.program)
        m.d.comb += [
            system.start.eq(registers.start),
            system.transfers.eq(registers.transfers),
            system.jobs.eq(registers.jobs),
            registers.busy.eq(system.busy),
            *(getattr(registers, name).eq(getattr(system, name)) for name in COUNTERS),
        ]
        self._memory(m, system, registers.base)
        failed = Signal()
        with m.If(registers.start):
            m.d.sync += failed.eq(0)
        with m.Elif(
            (self.m_axi_rvalid & self.m_axi_rready & self.m_axi_rresp[1])
            | (self.m_axi_bvalid & self.m_axi_bready & self.m_axi_bresp[1])
        ):
            m.d.sync += failed.eq(1)
        m.d.comb += registers.failed.eq(failed)
        return m

    def _memory(self, m: Module, system: System, base: Value) -> None:
        size = (self._geometry.word_bytes - 1).bit_length()
        for channel in ("aw", "ar"):
            burst, port = getattr(system, channel), f"m_axi_{channel}"
            m.d.comb += [
                getattr(self, f"{port}addr").eq(burst.p.address + base),
                getattr(self, f"{port}len").eq(burst.p.words - 1),
                getattr(self, f"{port}size").eq(size),
                getattr(self, f"{port}burst").eq(INCREMENTING),
                getattr(self, f"{port}cache").eq(MODIFIABLE),
                getattr(self, f"{port}valid").eq(burst.valid),
                burst.ready.eq(getattr(self, f"{port}ready")),
            ]
        m.d.comb += [
            self.m_axi_wdata.eq(system.w.p.word), self.m_axi_wlast.eq(system.w.p.last),
            self.m_axi_wstrb.eq(-1), self.m_axi_wvalid.eq(system.w.valid),
            system.w.ready.eq(self.m_axi_wready),
            system.r.payload.eq(self.m_axi_rdata), system.r.valid.eq(self.m_axi_rvalid),
            self.m_axi_rready.eq(system.r.ready),
            system.b.valid.eq(self.m_axi_bvalid), self.m_axi_bready.eq(system.b.ready),
        ]  # fmt: skip


class SystemRegisters(wiring.Component):
    """The register file: identity, the program's tables and lengths, start and progress.

    Members
    -------
    s_axi_* : AXI4-Lite
    program : out
        As `System` takes it.
    start, transfers, jobs, base : out
    busy, failed, loads_done, stores_done, jobs_done, cycles : in
    """

    def __init__(self, geometry: Geometry) -> None:
        self._geometry = geometry
        program = System.program_signature()
        super().__init__(
            {
                **axi_lite_members("s_axi", ADDRESS_BITS),
                "program": Out(program),
                "start": Out(1),
                "transfers": Out(COUNT_BITS),
                "jobs": Out(COUNT_BITS),
                "base": Out(32),
                "busy": In(1),
                "failed": In(1),
                **{name: In(32 if name == "cycles" else COUNT_BITS) for name in COUNTERS},
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        g = self._geometry
        m.submodules.port = port = AxiLitePort(ADDRESS_BITS)
        for name in axi_lite_members("s_axi", ADDRESS_BITS):
            inner, outer = getattr(port, name), getattr(self, name)
            into = port.signature.members[name].flow == In
            m.d.comb += inner.eq(outer) if into else outer.eq(inner)
        held = {
            name: Signal(DATA_BITS, name=name.lower())
            for name in ("TRANSFERS", "JOBS", "BASE", "POINTER")
        }
        refused = Signal()
        values: dict[str, Any] = {
            "ID": ID, "VERSION": VERSION,
            "GEOMETRY": g.rows | g.cols << 16, "WIDTHS": g.bits | g.acc_bits << 8,
            "CONTROL": 0, "WORD": 0, "STATUS": Cat(self.busy, refused, self.failed), **held,
            **{name.upper(): getattr(self, name) for name in COUNTERS},
        }  # fmt: skip
        written = {name: Signal(name=f"write_{name.lower()}") for name in values}
        m.d.comb += [port.read_error.eq(1), port.write_error.eq(1)]
        with m.Switch(port.read_word):
            for register in REGISTERS:
                with m.Case(register.offset // 4):
                    m.d.comb += [port.read_error.eq(0), port.read_data.eq(values[register.name])]
        with m.Switch(port.write_word):
            for register in REGISTERS:
                if register.access != "ro":
                    with m.Case(register.offset // 4):
                        m.d.comb += [port.write_error.eq(0), written[register.name].eq(port.write)]
        self._store(m, port, held, written)
        self._start(m, port, held, written["CONTROL"], refused)
        return m

    def _store(
        self, m: Module, port: AxiLitePort, held: dict[str, Signal], written: dict[str, Signal]
    ) -> None:
        """Write registers, by byte; and words of tables, whole ones."""
        for name, register in held.items():
            for i in range(DATA_BITS // 8):
                with m.If(written[name] & port.write_strobe[i]):
                    m.d.sync += register.word_select(i, 8).eq(port.write_data.word_select(i, 8))
        pointer, whole = held["POINTER"], port.write_strobe.all()
        m.d.comb += [
            self.program.enable.eq(written["WORD"] & whole & ~self.busy),
            self.program.table.eq(pointer[28:30]),
            self.program.address.eq(pointer[:PROGRAM_ADDRESS_BITS]),
            self.program.word.eq(port.write_data),
            self.base.eq(held["BASE"] & ~0xFFF),
        ]
        with m.If(self.program.enable):
            m.d.sync += pointer.eq(pointer + 1)

    def _start(
        self,
        m: Module,
        port: AxiLitePort,
        held: dict[str, Signal],
        control: Signal,
        refused: Signal,
    ) -> None:
        asked, good = Signal(), Signal()
        g = self._geometry
        lengths = ((held["TRANSFERS"], g.transfers), (held["JOBS"], g.jobs))
        m.d.comb += [
            asked.eq(control & port.write_strobe[0] & port.write_data[0]),
            good.eq(~self.busy & Cat((rows != 0) & (rows <= most) for rows, most in lengths).all()),
            self.start.eq(asked & good),
            self.transfers.eq(held["TRANSFERS"]),
            self.jobs.eq(held["JOBS"]),
        ]
        with m.If(asked):
            m.d.sync += refused.eq(~good)
