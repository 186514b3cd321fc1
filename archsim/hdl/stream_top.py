"""A GEMM engine behind standard buses: AXI4-Lite for commands, AXI4-Stream for operands."""

from __future__ import annotations

from collections.abc import Container, Mapping
from dataclasses import dataclass
from typing import Any

from amaranth.hdl import Cat, ClockDomain, ClockSignal, Module, Mux, ResetSignal, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from archsim.hdl.axi_lite import DATA_BITS, AxiLitePort, axi_lite_members
from archsim.hdl.emit import VerilogTarget, reference
from archsim.hdl.fifo import PairFifo

ADDRESS_BITS = 8
ID = 0x41524348  # "ARCH"
VERSION = 0x0001_0000  # of the register map: major in the upper half
COMMAND_OFFSET, COUNTER_OFFSET = 0x20, 0x40


@dataclass(frozen=True, slots=True)
class Register:
    """A row of the register map; ``access`` is ``ro``, ``rw`` or ``wo``."""

    offset: int
    name: str
    access: str
    description: str


@dataclass(frozen=True, slots=True)
class Axis:
    """An engine's data stream on the bus: ``lanes`` values of ``bits`` bits, padded to bytes."""

    name: str  # of the AXI4-Stream interface
    into: bool  # the engine
    lanes: int
    bits: int

    @property
    def used_bits(self) -> int:
        return self.lanes * self.bits

    @property
    def tdata_bits(self) -> int:
        return -(-self.used_bits // 8) * 8


def axes(engine: wiring.Component, ports: Container[str] | None = None) -> dict[str, Axis]:
    """Return an engine's data streams by port: all but ``cmd``, or those of the names."""
    found = {}
    for name, member in engine.signature.members.items():
        wanted = name != "cmd" if ports is None else name in ports
        if wanted and member.is_signature and "payload" in member.signature.members:
            layout = getattr(engine, name).payload.shape()
            into = member.flow == In
            found[name] = Axis(
                f"{'s' if into else 'm'}_axis_{name}", into, layout.length, layout.elem_shape.width
            )
    return found


def register_map(engine: wiring.Component) -> tuple[Register, ...]:
    """Return the registers of an engine's stream top, by offset."""
    counters = engine.signature.members["counters"].signature.members
    fixed = (
        Register(0x00, "ID", "ro", f"0x{ID:08X}, the letters ARCH"),
        Register(0x04, "VERSION", "ro", f"of this register map: 0x{VERSION:08X}"),
        Register(0x08, "GEOMETRY", "ro", _geometry(engine)),
        Register(0x0C, "WIDTHS", "ro", "bits of a lane: [7:0] a, [15:8] b, [23:16] c and result"),
        Register(0x10, "CONTROL", "wo", "[0] START: queue the command of the registers below"),
        Register(
            0x14, "STATUS", "ro",
            "[0] BUSY: a job's results are not all taken; [1] PENDING: a queued command waits for "
            "the engine; [2] REFUSED: the last START was refused, as a command was pending or a "
            "field is zero or out of range",
        ),
        Register(0x18, "JOBS", "ro", "jobs whose last result was taken, since reset; wraps"),
    )  # fmt: skip
    fields = tuple(
        Register(COMMAND_OFFSET + 4 * i, name.upper(), "rw", _command_words(name, field.width))
        for i, (name, field) in enumerate(command_layout(engine))
    )
    counts = tuple(
        Register(
            COUNTER_OFFSET + 4 * i, f"CYCLES_{name.upper()}", "ro",
            "cycles of the running or the last command",
        )
        for i, name in enumerate(counters)
    )  # fmt: skip
    return (*fixed, *fields, *counts)


# by the extent of a product that lies across the lanes of a result
_GEOMETRY = {
    "n": "[15:0] lanes of a, [31:16] lanes of b, c and result",
    "m": "[15:0] lanes of a, c and result, [31:16] lanes of b",
}


def _geometry(engine: wiring.Component) -> str:
    """Return what GEOMETRY holds."""
    lanes = {name: axis.lanes for name, axis in axes(engine).items()}
    if lanes["result"] == lanes["b" if engine.across == "n" else "a"]:
        return _GEOMETRY[engine.across]
    return "[15:0] lanes of a, [31:16] lanes of b"


def command_layout(engine: wiring.Component) -> Any:
    """Return the layout of an engine's command."""
    return engine.cmd.payload.shape()


def _command_words(name: str, bits: int) -> str:
    if bits == 1:
        return "0, or 1: add the partial sums that stream in on c"
    return f"extent {name} of the next command, 1 to {2**bits - 1}"


class StreamTop(wiring.Component):
    """An engine with GEMM ports between one AXI4-Lite and four AXI4-Stream interfaces.

    Every stream passes a two-place queue, so that no path crosses from pin to pin. Lanes lie
    packed, lane 0 lowest; padding bits are zero on the way out and ignored on the way in.
    ``tlast`` marks a job's last result beat.

    Parameters
    ----------
    engine
        Component with streams ``cmd`` {m, n, k, accumulate}, ``a``, ``b``, ``c``, ``result``,
        ``counters``, and ``across``: the extent, n or m, that lies across the lanes of a result.
    module
        Name of the engine's own Verilog module, which the wrapper instantiates.

    Members
    -------
    s_axi_* : AXI4-Lite, registers of `register_map`
    s_axis_a_*, s_axis_b_*, s_axis_c_* : AXI4-Stream in
    m_axis_result_* : AXI4-Stream out
    """

    def __init__(self, engine: wiring.Component, module: str) -> None:
        self._engine, self._axes, self._module = engine, axes(engine), module
        members = axi_lite_members("s_axi", ADDRESS_BITS)
        for axis in self._axes.values():
            forth, back = (In, Out) if axis.into else (Out, In)
            members[f"{axis.name}_tdata"] = forth(axis.tdata_bits)
            members[f"{axis.name}_tvalid"] = forth(1)
            members[f"{axis.name}_tready"] = back(1)
            if not axis.into:
                members[f"{axis.name}_tlast"] = forth(1)
        super().__init__(members)

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        engine, across = self._place_engine(m, platform), self._engine.across
        for name, axis in self._axes.items():
            if axis.into:
                self._stream_in(m, axis, getattr(engine, name))

        m.submodules.results = results = ResultCounter(
            self._axes["result"].lanes, len(engine.cmd.p.m)
        )
        finished = self._stream_out(m, self._axes["result"], engine.result, results.last)
        m.submodules.registers = registers = CommandRegisters(self._engine)
        for name in axi_lite_members("s_axi", ADDRESS_BITS):
            inner, outer = getattr(registers, name), getattr(self, name)
            into = self.signature.members[name].flow == In
            m.d.comb += inner.eq(outer) if into else outer.eq(inner)
        m.d.comb += [
            engine.cmd.valid.eq(registers.cmd.valid),
            engine.cmd.p.eq(registers.cmd.p),
            registers.cmd.ready.eq(engine.cmd.ready),
            registers.finished.eq(finished),
            results.start.eq(engine.cmd.valid & engine.cmd.ready),
            results.m.eq(engine.cmd.p["m" if across == "n" else "n"]),
            results.n.eq(engine.cmd.p[across]),
            results.beat.eq(engine.result.valid & engine.result.ready),
        ]
        for name in engine.signature.members["counters"].signature.members:
            m.d.comb += getattr(registers.counters, name).eq(getattr(engine.counters, name))
        return m

    def _place_engine(self, m: Module, platform: Any) -> Any:
        """Add the engine; in Verilog, as an instance of the module that stands in its own file."""
        if not isinstance(platform, VerilogTarget):
            m.submodules.engine = self._engine
            return self._engine
        interface, m.submodules.engine = reference(self._module, self._engine.signature, "engine")
        return interface

    def _stream_in(self, m: Module, axis: Axis, into: Any) -> None:
        data, valid, ready = (getattr(self, f"{axis.name}_t{x}") for x in _AXIS[:3])
        lanes = Value.cast(into.payload)
        m.submodules[axis.name] = queue = PairFifo(axis.used_bits)
        m.d.comb += [
            queue.i.payload.eq(data[: axis.used_bits]),
            queue.i.valid.eq(valid),
            ready.eq(queue.i.ready),
            lanes.eq(queue.o.payload),
            into.valid.eq(queue.o.valid),
            queue.o.ready.eq(into.ready),
        ]

    def _stream_out(self, m: Module, axis: Axis, out: Any, out_last: Value) -> Value:
        """Connect an output and return: a job's last beat is taken in this cycle."""
        data, valid, ready, last = (getattr(self, f"{axis.name}_t{x}") for x in _AXIS)
        m.submodules[axis.name] = queue = PairFifo(axis.used_bits + 1)
        m.d.comb += [
            queue.i.payload.eq(Cat(out.payload, out_last)),
            queue.i.valid.eq(out.valid),
            out.ready.eq(queue.i.ready),
            data.eq(queue.o.payload[:-1]),
            last.eq(queue.o.payload[-1]),
            valid.eq(queue.o.valid),
            queue.o.ready.eq(ready),
        ]
        return valid & ready & last


_AXIS = ("data", "valid", "ready", "last")


class ResultCounter(wiring.Component):
    """Says which result beat is a job's last: number ``m ceil(n / cols)``.

    Members
    -------
    start, m, n : in
        A job starts, and the extents of its result; n lies across the lanes.
    beat : in
        A result beat passes in this cycle.
    last : out
        The next beat is the job's last.
    """

    def __init__(self, cols: int, extent_bits: int) -> None:
        self._cols = cols
        super().__init__(
            {
                "start": In(1),
                "m": In(extent_bits),
                "n": In(extent_bits),
                "beat": In(1),
                "last": Out(1),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        rows, rows_left = Signal.like(self.m), Signal.like(self.m)
        columns_left = Signal.like(self.n)
        # counts m beats for every `cols` columns: only their number matters, not their order
        m.d.comb += self.last.eq((rows_left == 1) & (columns_left <= self._cols))
        with m.If(self.start):
            m.d.sync += [rows.eq(self.m), rows_left.eq(self.m), columns_left.eq(self.n)]
        with m.Elif(self.beat):
            m.d.sync += rows_left.eq(Mux(rows_left == 1, rows, rows_left - 1))
            with m.If(rows_left == 1):
                m.d.sync += columns_left.eq(columns_left - self._cols)
        return m


class CommandRegisters(wiring.Component):
    """The register file: identity, one queued command, job count and the engine's counters.

    Members
    -------
    s_axi_* : AXI4-Lite
    cmd : out, stream of the engine's command
    finished : in
        A job's last result beat leaves in this cycle.
    counters : in
        The engine's.
    """

    def __init__(self, engine: wiring.Component) -> None:
        self._axes, self._map = axes(engine), register_map(engine)
        self._command = command_layout(engine)
        super().__init__(
            {
                **axi_lite_members("s_axi", ADDRESS_BITS),
                "cmd": Out(engine.signature.members["cmd"].signature),
                "finished": In(1),
                "counters": In(engine.signature.members["counters"].signature),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        m.submodules.port = port = AxiLitePort(ADDRESS_BITS)
        for name in axi_lite_members("s_axi", ADDRESS_BITS):
            inner, outer = getattr(port, name), getattr(self, name)
            into = port.signature.members[name].flow == In
            m.d.comb += inner.eq(outer) if into else outer.eq(inner)

        fields = {name: Signal(DATA_BITS, name=name) for name, _ in self._command}
        start = Signal()
        values = {
            **self._identity(),
            "STATUS": self._commands(m, start, fields),
            "JOBS": self._job_count(m),
            "CONTROL": Value.cast(0),
            **{name.upper(): signal for name, signal in fields.items()},
            **{
                f"CYCLES_{name.upper()}": getattr(self.counters, name)
                for name in self.counters.signature.members
            },
        }
        m.d.comb += [port.read_error.eq(1), port.write_error.eq(1)]
        with m.Switch(port.read_word):
            for register in self._map:
                with m.Case(register.offset // 4):
                    m.d.comb += [
                        port.read_error.eq(0),
                        port.read_data.eq(values[register.name]),
                    ]
        with m.Switch(port.write_word):
            for register in self._map:
                if register.access != "ro":
                    with m.Case(register.offset // 4):
                        m.d.comb += port.write_error.eq(0)
                        if register.name == "CONTROL":
                            m.d.comb += start.eq(
                                port.write & port.write_strobe[0] & port.write_data[0]
                            )
                        else:
                            self._store(m, port, fields[register.name.lower()])
        return m

    def _store(self, m: Module, port: AxiLitePort, field: Signal) -> None:
        for i in range(DATA_BITS // 8):
            with m.If(port.write & port.write_strobe[i]):
                m.d.sync += field.word_select(i, 8).eq(port.write_data.word_select(i, 8))

    def _identity(self) -> dict[str, Value]:
        a, b, result = (self._axes[name] for name in ("a", "b", "result"))
        return {
            "ID": Value.cast(ID),
            "VERSION": Value.cast(VERSION),
            "GEOMETRY": Value.cast(a.lanes | b.lanes << 16),
            "WIDTHS": Value.cast(a.bits | b.bits << 8 | result.bits << 16),
        }

    def _commands(self, m: Module, start: Value, fields: Mapping[str, Signal]) -> Value:
        """Queue the command at ``start`` and return STATUS."""
        valid, refused, good = Signal(), Signal(), Signal()
        in_range = []
        for name, shape in self._command:
            value = fields[name]
            in_range.append(value[shape.width :] == 0)
            if shape.width > 1:  # an extent; zero is not a command
                in_range.append(value != 0)
        m.d.comb += [self.cmd.valid.eq(valid), good.eq(Cat(in_range).all())]
        with m.If(self.cmd.valid & self.cmd.ready):
            m.d.sync += valid.eq(0)
        with m.If(start):
            m.d.sync += refused.eq(valid | ~good)
            with m.If(~valid & good):
                m.d.sync += valid.eq(1)
                m.d.sync += [self.cmd.p[name].eq(value) for name, value in fields.items()]

        under_way = Signal(3)  # jobs begun and not finished: the engine's, and those in the queue
        m.d.sync += under_way.eq(under_way + (self.cmd.valid & self.cmd.ready) - self.finished)
        return Cat(under_way.any() | valid, valid, refused)

    def _job_count(self, m: Module) -> Signal:
        jobs = Signal(DATA_BITS)
        m.d.sync += jobs.eq(jobs + self.finished)
        return jobs


class AxiClocked(wiring.Component):
    """A component under the clock and reset that AXI names: ``aclk``, and ``aresetn``, active low.

    Parameters
    ----------
    inner
        Component with flat ports in the ``sync`` domain.
    """

    def __init__(self, inner: wiring.Component) -> None:
        self._inner = inner
        super().__init__({"aclk": In(1), "aresetn": In(1), **inner.signature.members})

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        m.domains.sync = ClockDomain()
        m.d.comb += [ClockSignal().eq(self.aclk), ResetSignal().eq(~self.aresetn)]
        m.submodules.top = self._inner
        for name, member in self._inner.signature.members.items():
            inner, outer = getattr(self._inner, name), getattr(self, name)
            m.d.comb += inner.eq(outer) if member.flow == In else outer.eq(inner)
        return m
