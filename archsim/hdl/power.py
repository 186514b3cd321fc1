"""Energy of a mapped netlist from simulated toggles, priced by its library.

The netlist is evaluated by its cells' own functions, many stimuli side by side: bit k of every word
belongs to stimulus k. Energy is what the library charges for the counted transitions.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from types import CodeType

import numpy as np
from numpy.typing import ArrayLike, NDArray

from archsim.hdl.synth_function import python_source
from archsim.hdl.synth_liberty import Cell, Liberty, Pin
from archsim.hdl.synth_netlist import ZERO, Gate, Netlist

LACKS = (
    "wires are not in it: only cell input capacitances load a net",
    "the clock tree is not in it: clock energy is that of the flip-flops' clock pins",
    "zero-delay simulation: glitches are not in it",
)
_CHUNK = 4000  # statements a compiled function: the compiler slows down beyond


class GateSimulator:
    """Zero-delay, two-state, cycle-based simulation of a mapped netlist, ``lanes`` runs at once.

    One clock; registers start at 0. A cycle is: `set` inputs, `settle`, read with `get`, `clock`.

    Attributes
    ----------
    toggles
        [nets] transitions between settled states, summed over lanes.
    cycles
        Clock edges so far.
    """

    def __init__(self, netlist: Netlist, lanes: int = 64) -> None:
        self.netlist, self.lanes = netlist, lanes
        self._ones = (1 << lanes) - 1
        self._values = [0] * netlist.nets
        self._values[1] = self._ones
        self._before: list[int] | None = None
        self._state = [0] * len(netlist.registers)
        self._logic = list(_compiled(_gate_statements(netlist)))
        self._outputs = list(_compiled(_output_statements(netlist)))
        self._next = list(_compiled(_state_statements(netlist)))
        self.toggles: NDArray[np.int64] = np.zeros(netlist.nets, np.int64)
        self.cycles = 0

    def set(self, port: str, value: ArrayLike) -> None:
        """Drive an input: one int for all lanes, or ints [lanes]; negative is two's complement."""
        nets = self.netlist.inputs[port]
        values = np.asarray(value, dtype=object)
        if values.ndim == 0:
            for i, net in enumerate(nets):
                self._values[net] = self._ones if int(values[()]) >> i & 1 else 0
            return
        for i, net in enumerate(nets):
            self._values[net] = sum((int(x) >> i & 1) << k for k, x in enumerate(values))

    def settle(self) -> None:
        """Let logic follow the inputs and registers."""
        for block in (*self._outputs, *self._logic):
            exec(block, {"v": self._values, "s": self._state, "M": self._ones})

    def get(self, port: str, lane: int = 0) -> int:
        """Return a port's settled value in one lane, unsigned."""
        nets = self.netlist.outputs.get(port) or self.netlist.inputs[port]
        return sum((self._values[net] >> lane & 1) << i for i, net in enumerate(nets))

    def clock(self) -> None:
        """Count transitions since the last edge, then step the registers."""
        if self._before is not None:
            pairs = zip(self._before, self._values, strict=True)
            self.toggles += np.array([(a ^ b).bit_count() for a, b in pairs], np.int64)
        self._before = list(self._values)
        following = list(self._state)
        for block in self._next:
            exec(block, {"v": self._values, "s": self._state, "n": following, "M": self._ones})
        self._state[:] = following
        self.cycles += 1


def _compiled(statements: Iterator[str]) -> Iterator[CodeType]:
    lines = list(statements)
    for i in range(0, len(lines), _CHUNK):
        yield compile("\n".join(lines[i : i + _CHUNK]), "<netlist>", "exec")


def _gate_statements(netlist: Netlist) -> Iterator[str]:
    for gate in netlist.gates:
        yield from _assign(gate, {pin: f"v[{net}]" for pin, net in gate.nets.items()})


def _output_statements(netlist: Netlist) -> Iterator[str]:
    for i, gate in enumerate(netlist.registers):
        register = gate.cell.register
        assert register is not None
        words = {register.state: f"s[{i}]", register.inverse: f"(M ^ s[{i}])"}
        yield from _assign(gate, words)


def _assign(gate: Gate, words: Mapping[str, str]) -> Iterator[str]:
    for pin in gate.cell.outputs:
        if pin.name in gate.nets:
            yield f"v[{gate.nets[pin.name]}] = {python_source(pin.function, words.__getitem__)}"


def _state_statements(netlist: Netlist) -> Iterator[str]:
    for i, gate in enumerate(netlist.registers):
        register = gate.cell.register
        assert register is not None
        words = {register.state: f"s[{i}]", register.inverse: f"(M ^ s[{i}])"}
        words |= {pin: f"v[{net}]" for pin, net in gate.nets.items()}
        source = python_source(register.next_state, words.__getitem__)
        if register.clear:
            source = f"({source}) & (M ^ {python_source(register.clear, words.__getitem__)})"
        if register.preset:
            source = f"({source}) | {python_source(register.preset, words.__getitem__)}"
        yield f"n[{i}] = {source}"


# ---------------------------------------------------------------------------------------- energy


@dataclass(frozen=True, slots=True)
class EnergyModel:
    """What transitions cost, by group of cells.

    Parameters
    ----------
    toggle_pj
        Group to [nets]: pJ a transition of each net costs the group's cells.
    clock_pj
        Group to pJ of one clock cycle with nothing else moving.
    leakage_uw
        Group to uW.
    """

    toggle_pj: Mapping[str, NDArray[np.float64]]
    clock_pj: Mapping[str, float]
    leakage_uw: Mapping[str, float]

    def dynamic_pj(self, toggles: NDArray[np.int64]) -> dict[str, float]:
        """Return the energy of counted transitions, clock pins aside."""
        return {group: float(weight @ toggles) for group, weight in self.toggle_pj.items()}


def energy_model(
    netlist: Netlist, group: Callable[[str], str] = lambda place: "all"
) -> EnergyModel:
    """Price a netlist's transitions from its library.

    A transition costs the driver's group half C V^2 of the input capacitances on the net, and each
    cell its internal energy at that load and the library's fan-out-of-4 slew, mean of rise and
    fall and of the conditions the library distinguishes, summed over supply pins.

    Parameters
    ----------
    group
        Instance path to the name its energy is booked under.
    """
    library = netlist.library
    to_pj = library.cap_f * 1e12  # internal energy is in volt squared x capacitance unit
    half_cv2 = 0.5 * library.voltage**2 * to_pj
    toggle: dict[str, NDArray[np.float64]] = {}
    clock: dict[str, float] = {}
    leakage: dict[str, float] = {}
    slew = library.fo4[1]
    for gate in (*netlist.gates, *netlist.registers):
        name = group(gate.place)
        weights = toggle.setdefault(name, np.zeros(netlist.nets))
        leakage[name] = leakage.get(name, 0.0) + gate.cell.leakage_w * 1e6
        clock[name] = clock.get(name, 0.0) + _clock_pj(gate.cell, library)
        for pin in gate.cell.pins.values():
            net = gate.nets.get(pin.name, ZERO)
            load = netlist.load[net] if pin.is_output else 0.0
            if not pin.is_clock:
                weights[net] += half_cv2 * load + to_pj * _internal(pin, load, slew)
    for weights in toggle.values():
        weights[:2] = 0.0  # constants do not move
    return EnergyModel(toggle, clock, leakage)


def standing(cells: Mapping[str, int], library: Liberty) -> tuple[float, float]:
    """Return the leakage in uW, and the clock pins' energy of one cycle in pJ, of counted cells."""
    leakage = sum(n * library.cells[name].leakage_w for name, n in cells.items())
    clock = sum(n * _clock_pj(library.cells[name], library) for name, n in cells.items())
    return leakage * 1e6, clock


def _clock_pj(cell: Cell, library: Liberty) -> float:
    """Energy of a rising and a falling edge at the cell's clock pins; 0 unless a flip-flop."""
    if cell.register is None:
        return 0.0
    to_pj, slew = library.cap_f * 1e12, library.fo4[1]
    pins = [pin for pin in cell.inputs if pin.is_clock]
    half_cv2 = 0.5 * library.voltage**2
    return sum(2 * to_pj * (half_cv2 * p.cap + _internal(p, 0.0, slew)) for p in pins)


def _internal(pin: Pin, load: float, slew: float) -> float:
    """Return the library's internal energy of a transition of the pin, in library units."""
    return sum(
        float(np.mean([table.at(load, slew) for table in tables])) for tables in pin.power if tables
    )


def first_instance(place: str) -> str:
    """Return the top-level instance of a path, its numbers dropped: ``pe_3_1.mul`` gives ``pe``."""
    head = place.split(".", 1)[0]
    return re.sub(r"(_\d+)+$", "", head) or "top"
