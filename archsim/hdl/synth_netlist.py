"""Mapped netlists as flat lists, in the order that signals flow, for timing and power."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from archsim.errors import ArchsimError
from archsim.hdl.synth_liberty import Cell, Liberty

ZERO, ONE = 0, 1  # nets of constants


@dataclass(frozen=True, slots=True)
class Gate:
    """A placed cell.

    Parameters
    ----------
    place
        Instance path of the module it stands in: ``pe_0_1``; empty at the top.
    nets
        Pin name to net.
    """

    cell: Cell
    place: str
    nets: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Netlist:
    """A flat netlist.

    Parameters
    ----------
    nets
        Their number; 0 and 1 are the constants.
    gates
        Combinational cells, each after the drivers of its inputs.
    registers
        Flip-flops.
    inputs, outputs
        Port name to nets, bit 0 first.
    load
        Input capacitance on each net, in the library's unit; sinks its number of input pins.
    """

    library: Liberty
    nets: int
    gates: tuple[Gate, ...]
    registers: tuple[Gate, ...]
    inputs: Mapping[str, tuple[int, ...]]
    outputs: Mapping[str, tuple[int, ...]]
    load: tuple[float, ...]
    sinks: tuple[int, ...]


def flatten(modules: Mapping[str, Any], top: str, library: Liberty) -> Netlist:
    """Flatten Yosys' JSON modules of library cells.

    Raises
    ------
    ArchsimError
        When a cell is not in the library or the logic has a loop.
    """
    builder = _Builder(modules, library)
    ports = modules[top]["ports"]
    bits = builder.instantiate(top, "", {})
    gates = builder.resolved()
    load, sinks = [0.0] * builder.count, [0] * builder.count
    for gate in gates:
        for pin in gate.cell.inputs:
            net = gate.nets.get(pin.name, ZERO)
            load[net] += pin.cap
            sinks[net] += 1
    registers = tuple(g for g in gates if g.cell.register)
    logic = [g for g in gates if not g.cell.register]
    side = {
        way: {
            name: tuple(builder.find(bits[b]) for b in port["bits"])
            for name, port in ports.items()
            if port["direction"] == way
        }
        for way in ("input", "output")
    }
    return Netlist(
        library, builder.count, _in_order(logic, builder.count), registers,
        side["input"], side["output"], tuple(load), tuple(sinks),
    )  # fmt: skip


class _Builder:
    def __init__(self, modules: Mapping[str, Any], library: Liberty) -> None:
        self._modules, self._library = modules, library
        self._gates: list[Gate] = []
        self._joined: dict[int, int] = {}  # net to a lower one that is the same wire
        self.count = 2

    def find(self, net: int) -> int:
        """Return the lowest net that is the same wire; constants are lowest."""
        while net in self._joined:
            net = self._joined[net]
        return net

    def _join(self, net: int, other: int) -> None:
        low, high = sorted((self.find(net), self.find(other)))
        if low != high:
            self._joined[high] = low

    def resolved(self) -> list[Gate]:
        """Return the gates with joined nets replaced by the one they are."""
        return [
            Gate(g.cell, g.place, {pin: self.find(n) for pin, n in g.nets.items()})
            for g in self._gates
        ]

    def instantiate(self, name: str, place: str, outer: Mapping[Any, int]) -> dict[Any, int]:
        """Add a module's cells; ``outer`` gives nets to its port bits. Return net by bit."""
        module = self._modules[name]
        net: dict[Any, int] = {"0": ZERO, "1": ONE, "x": ZERO, "z": ZERO, **outer}

        def of(bit: Any) -> int:
            if bit not in net:
                net[bit] = self.count
                self.count += 1
            return net[bit]

        for port in module["ports"].values():
            for bit in port["bits"]:
                of(bit)
        for label, cell in module["cells"].items():
            kind, wires = cell["type"], cell["connections"]
            if kind in self._library.cells:
                nets = {pin: of(b[0]) for pin, b in wires.items() if b}
                self._gates.append(Gate(self._library.cells[kind], place, nets))
            elif kind in self._modules:
                ports = self._modules[kind]["ports"]
                inner: dict[Any, int] = {}
                for port, bits in wires.items():
                    # an unconnected port has no bits outside
                    for b, o in zip(ports[port]["bits"] if bits else (), bits, strict=True):
                        # a port may be a constant inside, or the same wire as another port
                        known = net[b] if isinstance(b, str) else inner.setdefault(b, of(o))
                        self._join(known, of(o))
                self.instantiate(kind, f"{place}.{label}" if place else label, inner)
            elif kind != "$scopeinfo":
                raise ArchsimError(f"cell {kind} of {name} is not in library {self._library.name}")
        return net


def _in_order(gates: list[Gate], nets: int) -> tuple[Gate, ...]:
    """Sort gates so that each follows its drivers (Kahn's algorithm)."""
    readers: list[list[int]] = [[] for _ in range(nets)]
    driven = bytearray(nets)
    for gate in gates:
        for pin in gate.cell.outputs:
            if pin.name in gate.nets:
                driven[gate.nets[pin.name]] = 1
    waiting = [0] * len(gates)
    for i, gate in enumerate(gates):
        for pin in gate.cell.inputs:
            net = gate.nets[pin.name]
            if driven[net]:
                readers[net].append(i)
                waiting[i] += 1
    ready = [i for i, n in enumerate(waiting) if n == 0]
    order: list[Gate] = []
    while ready:
        gate = gates[ready.pop()]
        order.append(gate)
        for pin in gate.cell.outputs:
            for reader in readers[gate.nets[pin.name]] if pin.name in gate.nets else ():
                waiting[reader] -= 1
                if waiting[reader] == 0:
                    ready.append(reader)
    if len(order) != len(gates):
        raise ArchsimError("the netlist has a combinational loop")
    return tuple(order)
