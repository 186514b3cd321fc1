"""Static timing of a mapped netlist from the library's tables: the longest register path.

Loads are input capacitances; there are no wires. Nets that drive more than `TREE_FANOUT` inputs (an
enable that runs to every PE) are timed as if a tree of buffers drove them, because every
implementation would build one and hierarchical mapping cannot. Without such trees a mapped PE's
longest path is within 5 % of OpenSTA 2.0.17's in gscl45nm, sky130hd and ASAP7.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from archsim.hdl.synth_liberty import FALL, RISE, Arc, Cell, Liberty, Pin
from archsim.hdl.synth_netlist import ONE, ZERO, Gate, Netlist

TREE_FANOUT = 16

_Event = tuple[int, int]  # edge, net
_Cause = tuple[Gate, _Event] | None


@dataclass(frozen=True, slots=True)
class Path:
    """The worst path.

    Parameters
    ----------
    delay_ps
        Clock-to-output, logic and set-up.
    start, end
        Places (instance paths) of the two registers, or of a port.
    gates, arrival_ps
        Cells on the way, the first register's included, and when the output of each moves.
    tree_ps
        Part of the delay spent in buffer trees.
    """

    delay_ps: float
    start: str
    end: str
    gates: tuple[Gate, ...]
    arrival_ps: tuple[float, ...]
    tree_ps: float

    @property
    def words(self) -> str:
        ends = f"from {self.start or 'top level'} to {self.end or 'top level'}"
        return f"{ends}, {len(self.gates)} cells, {self.tree_ps:.0f} ps in buffer trees"


def worst_path(netlist: Netlist) -> Path:
    """Return the longest path between registers; ports count as registers at the boundary."""
    return max(worst_paths(netlist).values(), key=lambda path: path.delay_ps)


def worst_paths(
    netlist: Netlist,
    group: Callable[[str], str] = lambda place: "",
    begins: Callable[[str], bool] | None = None,
) -> dict[str, Path]:
    """Return the longest path into the registers of each group of places; ports are ``port``.

    Parameters
    ----------
    begins
        Places whose registers begin paths, where not all do, and ports; groups that no such path
        leads to are left out.
    """
    signals = _Signals(netlist, begins)
    ends: dict[str, tuple[float, _Event, str]] = {}

    def end(name: str, total: float, event: _Event, place: str) -> None:
        if name not in ends or total > ends[name][0]:
            ends[name] = (total, event, place)

    for register in netlist.registers:
        for pin in register.cell.inputs:
            if pin.has_setup:
                net = register.nets[pin.name]
                for edge in (RISE, FALL):
                    total = signals.arrival[edge][net] + signals.model.setup(pin, edge)
                    end(group(register.place), total, (edge, net), register.place)
    for nets in netlist.outputs.values():
        for net in nets:
            for edge in (RISE, FALL):
                end("port", signals.arrival[edge][net], (edge, net), "a port")
    return {name: signals.path(*found) for name, found in ends.items() if not math.isinf(found[0])}


def _clocks(netlist: Netlist) -> set[int]:
    return {
        register.nets[pin.name]
        for register in netlist.registers
        for pin in register.cell.inputs
        if pin.is_clock
    }


class _Signals:
    """When each net rises and falls at the latest, how slowly, and why; in library units."""

    def __init__(self, netlist: Netlist, begins: Callable[[str], bool] | None = None) -> None:
        self._netlist = netlist
        self.model = _Delays(netlist.library)
        slow = self.model.fo4_slew
        self.arrival = ([0.0] * netlist.nets, [0.0] * netlist.nets)
        self._slew = ([slow] * netlist.nets, [slow] * netlist.nets)
        self._tree = ([0.0] * netlist.nets, [0.0] * netlist.nets)
        self._cause: tuple[list[_Cause], list[_Cause]] = (
            [None] * netlist.nets, [None] * netlist.nets,
        )  # fmt: skip
        if begins is not None:
            inputs = {net for nets in netlist.inputs.values() for net in nets}
            self._silence({ZERO, ONE, *inputs} - _clocks(netlist))
        for gate in (*netlist.registers, *netlist.gates):
            for pin in gate.cell.outputs:
                if pin.name in gate.nets:
                    for edge in (RISE, FALL):
                        self._drive(gate, pin, edge)
            if begins is not None and gate.cell.register and not begins(gate.place):
                self._silence({gate.nets[p.name] for p in gate.cell.outputs if p.name in gate.nets})

    def _silence(self, nets: set[int]) -> None:
        """Let no path begin at some nets."""
        for net in nets:
            for arrival in self.arrival:
                arrival[net] = -math.inf

    def _drive(self, gate: Gate, pin: Pin, edge: int) -> None:
        """Time one edge of an output: the latest of its arcs, the slowest of their slews."""
        net = gate.nets[pin.name]
        load, extra, sinks = self._netlist.load[net], 0.0, self._netlist.sinks[net]
        if sinks > TREE_FANOUT:
            load, extra = self.model.tree(sinks, load)
        latest, slowest, cause = 0.0, 0.0, None
        for arc in pin.arcs:
            source = gate.nets[arc.related]
            for before in arc.causes[edge]:
                delay, slew = self.model.arc(arc, edge, load, self._slew[before][source])
                time = self.arrival[before][source] + delay
                slowest = max(slowest, slew)
                if cause is None or time > latest:
                    latest, cause = time, (gate, (before, source))
        if cause is not None:
            self.arrival[edge][net] = latest + extra
            self._slew[edge][net] = self.model.fo4_slew if extra else slowest
            before, source = cause[1]
            self._tree[edge][net] = self._tree[before][source] + extra
            self._cause[edge][net] = cause

    def path(self, total: float, event: _Event, end: str) -> Path:
        gates: list[Gate] = []
        arrival: list[float] = []
        ps = self._netlist.library.time_s * 1e12
        tree = self._tree[event[0]][event[1]]
        while (step := self._cause[event[0]][event[1]]) is not None:
            arrival.insert(0, self.arrival[event[0]][event[1]] * ps)
            gate, event = step
            gates.insert(0, gate)
            if gate.cell.register:
                break
        start = gates[0].place if gates and gates[0].cell.register else "a port"
        return Path(total * ps, start, end, tuple(gates), tuple(arrival), tree * ps)


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
    """Delays in library units: of arcs, of set-up, of buffer trees."""

    def __init__(self, library: Liberty) -> None:
        self.fo4_slew = library.fo4[1]
        buffers = [c for c in library.cells.values() if c.is_gate("A") and not c.dont_use]
        # a tree of the buffer that drives its like fastest; of inverter pairs without a buffer
        self._stages = 1 if buffers else 2
        self.buffer = min(buffers or [library.inverter], key=self._stem)

    def arc(self, arc: Arc, edge: int, load: float, slew: float) -> tuple[float, float]:
        """Return delay and output slew of an arc that ends in an edge."""
        delay, transition = arc.delay[edge], arc.transition[edge]
        return (
            delay.at(load, slew) if delay else 0.0,
            max(transition.at(load, slew), 0.0) if transition else self.fo4_slew,
        )

    def setup(self, pin: Pin, edge: int) -> float:
        """Return the longest set-up time at fan-out-of-4 slews of data and clock."""
        times = [table.at(self.fo4_slew, self.fo4_slew) for table in pin.setup[edge]]
        return max(0.0, *times) if times else 0.0

    def _through(self, buffer: Cell, load: float) -> float:
        """Delay of a buffer into a load, its slower edge."""
        arcs = [(arc, edge) for arc in buffer.outputs[0].arcs for edge in (RISE, FALL)]
        return max(self.arc(arc, edge, load, self.fo4_slew)[0] for arc, edge in arcs)

    def _stem(self, buffer: Cell) -> float:
        """Delay of a buffer that drives `TREE_FANOUT` of its like."""
        return self._through(buffer, TREE_FANOUT * buffer.inputs[0].cap)

    def tree(self, sinks: int, load: float) -> tuple[float, float]:
        """Return what the driver sees of a buffer tree, and the tree's delay."""
        levels = math.ceil(math.log(sinks, TREE_FANOUT)) - 1  # below the driver's own fan-out
        leaf = self._through(self.buffer, load / sinks * TREE_FANOUT)
        roots = math.ceil(sinks / TREE_FANOUT**levels)
        delay = self._stages * (leaf + (levels - 1) * self._stem(self.buffer))
        return roots * self.buffer.inputs[0].cap, delay
