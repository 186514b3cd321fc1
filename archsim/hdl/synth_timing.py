"""Static timing of a mapped netlist from the library's tables: the longest register path.

Loads are input capacitances; there are no wires. Nets that drive more than `TREE_FANOUT` inputs (an
enable that runs to every PE) are timed as if a tree of buffers drove them, because every
implementation would build one and hierarchical mapping cannot.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from archsim.hdl.synth_liberty import Cell, Liberty, mean_at
from archsim.hdl.synth_netlist import Gate, Netlist

TREE_FANOUT = 16


@dataclass(frozen=True, slots=True)
class Path:
    """The worst path.

    Parameters
    ----------
    delay_ps
        Clock-to-output, logic and set-up.
    start, end
        Places (instance paths) of the two registers, or of a port.
    gates
        Cells on the way, the first register's included.
    tree_ps
        Part of the delay spent in buffer trees.
    """

    delay_ps: float
    start: str
    end: str
    gates: tuple[Gate, ...]
    tree_ps: float

    @property
    def words(self) -> str:
        ends = f"from {self.start or 'top level'} to {self.end or 'top level'}"
        return f"{ends}, {len(self.gates)} cells, {self.tree_ps:.0f} ps in buffer trees"


def worst_path(netlist: Netlist) -> Path:
    """Return the longest path between registers; ports count as registers at the boundary."""
    return max(worst_paths(netlist).values(), key=lambda path: path.delay_ps)


def worst_paths(
    netlist: Netlist, group: Callable[[str], str] = lambda place: ""
) -> dict[str, Path]:
    """Return the longest path into the registers of each group of places; ports are ``port``.

    Arrival times take the latest input through the mean of the cell's rise and fall arcs; slews
    are the slowest of the inputs'.
    """
    signals = _Signals(netlist)
    ends: dict[str, tuple[float, int, str]] = {}

    def end(name: str, total: float, net: int, place: str) -> None:
        if total > ends.get(name, (-1.0, 0, ""))[0]:
            ends[name] = (total, net, place)

    for register in netlist.registers:
        for pin in register.cell.inputs:
            if pin.setup:
                net = register.nets[pin.name]
                total = signals.arrival[net] + signals.model.setup(register.cell, pin.name)
                end(group(register.place), total, net, register.place)
    for nets in netlist.outputs.values():
        for net in nets:
            end("port", signals.arrival[net], net, "a port")
    return {name: signals.path(*found) for name, found in ends.items()}


class _Signals:
    """Arrival, slew, time in trees and cause of every net, in library units."""

    def __init__(self, netlist: Netlist) -> None:
        self._netlist = netlist
        self._fo4_slew = netlist.library.fo4[1]
        self.model = _Delays(netlist.library)
        self.arrival = [0.0] * netlist.nets
        self._slew = [self._fo4_slew] * netlist.nets
        self._tree = [0.0] * netlist.nets
        self._cause: list[tuple[Gate, int] | None] = [None] * netlist.nets
        for register in netlist.registers:
            self._drive(register, 0, self._fo4_slew)
        for gate in netlist.gates:
            sources = [gate.nets[p.name] for p in gate.cell.inputs]
            if sources:  # a tie cell has none
                latest = max(sources, key=self.arrival.__getitem__)
                self._drive(gate, latest, max(self._slew[s] for s in sources))

    def _drive(self, gate: Gate, source: int, slew_in: float) -> None:
        for pin in gate.cell.outputs:
            if pin.name not in gate.nets:
                continue
            net = gate.nets[pin.name]
            load, extra, sinks = self._netlist.load[net], 0.0, self._netlist.sinks[net]
            if sinks > TREE_FANOUT:
                load, extra = self.model.tree(sinks, load)
            delay, slew_out = self.model.arc(gate.cell, pin.name, load, slew_in)
            start = 0.0 if gate.cell.register else self.arrival[source]
            self.arrival[net] = start + delay + extra
            self._slew[net] = self._fo4_slew if extra else slew_out
            self._tree[net] = self._tree[source] + extra
            self._cause[net] = (gate, source)

    def path(self, total: float, net: int, end: str) -> Path:
        gates: list[Gate] = []
        tree = self._tree[net]
        while (step := self._cause[net]) is not None:
            gate, net = step
            gates.insert(0, gate)
            if gate.cell.register:
                break
        start = gates[0].place if gates and gates[0].cell.register else "a port"
        ps = self._netlist.library.time_s * 1e12
        return Path(total * ps, start, end, tuple(gates), tree * ps)


def tree_area_um2(modules: Mapping[str, Any], library: Liberty) -> dict[str, float]:
    """Return the area of the buffer trees inside each of Yosys' JSON modules, submodules included.

    A tree is built where its net is: a module's port is one input to the net outside.
    """
    buffer = tree_buffer(library)
    area: dict[str, float] = {}

    def of(name: str) -> float:
        if name not in area:
            readers: Counter[Any] = Counter()
            inside = 0.0
            for cell in modules[name]["cells"].values():
                kind = cell["type"]
                if kind in library.cells:
                    pins = [p.name for p in library.cells[kind].inputs if not p.is_clock]
                elif kind in modules:
                    ports = modules[kind]["ports"]
                    pins = [p for p, port in ports.items() if port["direction"] == "input"]
                    pins = [p for p in pins if p != "clk"]
                    inside += of(kind)
                else:
                    continue
                for pin in pins:
                    readers.update(b for b in cell["connections"][pin] if isinstance(b, int))
            own = sum(math.ceil((n - 1) / (TREE_FANOUT - 1)) - 1 for n in readers.values() if n > 1)
            area[name] = inside + own * buffer.area_um2
        return area[name]

    return {name: of(name) for name in modules if modules[name].get("cells") is not None}


def tree_buffer(library: Liberty) -> Cell:
    """Return the cell that trees are made of: the buffer that drives its like fastest."""
    return _Delays(library).buffer


class _Delays:
    """Delays of arcs in library units, remembered by rounded load and slew (they repeat a lot)."""

    def __init__(self, library: Liberty) -> None:
        self._library, self._slew = library, library.fo4[1]
        self._cached = lru_cache(maxsize=1 << 18)(self._arc)
        buffers = [c for c in library.cells.values() if c.is_gate("A") and not c.dont_use]
        # a tree of the buffer that drives its like fastest; of inverter pairs without a buffer
        self._stages = 1 if buffers else 2
        self.buffer = min(buffers or [library.inverter], key=self._stem)

    def arc(self, cell: Cell, pin: str, load: float, slew: float) -> tuple[float, float]:
        return self._cached(cell.name, pin, float(f"{load:.2g}"), float(f"{slew:.2g}"))

    def _arc(self, cell: str, pin: str, load: float, slew: float) -> tuple[float, float]:
        output = self._library.cells[cell].pins[pin]
        return mean_at(output.delay, load, slew), max(mean_at(output.transition, load, slew), 0.0)

    def setup(self, cell: Cell, pin: str) -> float:
        return max(mean_at(cell.pins[pin].setup, self._slew, self._slew), 0.0)

    def _stem(self, buffer: Cell) -> float:
        """Delay of a buffer that drives `TREE_FANOUT` of its like."""
        load = TREE_FANOUT * buffer.inputs[0].cap
        return self.arc(buffer, buffer.outputs[0].name, load, self._slew)[0]

    def tree(self, sinks: int, load: float) -> tuple[float, float]:
        """Return what the driver sees of a buffer tree, and the tree's delay."""
        buffer = self.buffer
        levels = math.ceil(math.log(sinks, TREE_FANOUT)) - 1  # below the driver's own fan-out
        leaf_load = load / sinks * TREE_FANOUT
        leaf, _ = self.arc(buffer, buffer.outputs[0].name, leaf_load, self._slew)
        roots = math.ceil(sinks / TREE_FANOUT**levels)
        delay = self._stages * (leaf + (levels - 1) * self._stem(buffer))
        return roots * buffer.inputs[0].cap, delay
