"""Read a cell library in Liberty format: what synthesis, timing and power need of it, nothing else.

The file is a user's and untrusted: every name that could reach a tool's script is checked.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from archsim.errors import InputError
from archsim.hdl.synth_function import same_up_to_inputs
from archsim.hdl.synth_liberty_text import Group, parse_liberty

_NAME = re.compile(r"[A-Za-z_][\w$.\[\]]*")
_LOAD_AXES = {"total_output_net_capacitance", "related_pin_transition"}
_FILE_UNITS = {"f": 1e-15, "p": 1e-12, "n": 1e-9, "u": 1e-6, "m": 1e-3, "": 1.0, "k": 1e3}


@dataclass(frozen=True, slots=True)
class Table:
    """A look-up table over output load and input slew; either axis may be missing (one entry).

    Parameters
    ----------
    load, slew
        In the library's own units, rising.
    values
        [load, slew]
    """

    load: tuple[float, ...]
    slew: tuple[float, ...]
    values: tuple[tuple[float, ...], ...]

    def at(self, load: float, slew: float) -> float:
        """Interpolate; beyond the table's edge the outermost interval's slope goes on."""
        i, j, u = _interval(self.load, load)
        k, m, v = _interval(self.slew, slew)
        low = self.values[i][k] * (1 - v) + self.values[i][m] * v
        high = self.values[j][k] * (1 - v) + self.values[j][m] * v
        return low * (1 - u) + high * u


def _interval(axis: tuple[float, ...], x: float) -> tuple[int, int, float]:
    """Return the neighbours of x on an axis and its place between them."""
    if len(axis) == 1:
        return 0, 0, 0.0
    i = min(max(bisect_left(axis, x) - 1, 0), len(axis) - 2)
    return i, i + 1, (x - axis[i]) / (axis[i + 1] - axis[i])


RISE, FALL = 0, 1  # edges, as indices


@dataclass(frozen=True, slots=True)
class Arc:
    """How an input's transition reaches an output.

    Parameters
    ----------
    related
        The input.
    causes
        For a rising and for a falling output: the input's edges that make it.
    delay, transition
        Tables for a rising and for a falling output; None where the arc has no such edge.
    """

    related: str
    causes: tuple[tuple[int, ...], tuple[int, ...]]
    delay: tuple[Table | None, Table | None]
    transition: tuple[Table | None, Table | None]


CAUSES = {
    "positive_unate": ((RISE,), (FALL,)),
    "negative_unate": ((FALL,), (RISE,)),
    "non_unate": ((RISE, FALL), (RISE, FALL)),
    "rising_edge": ((RISE,), (RISE,)),
}


@dataclass(frozen=True, slots=True)
class Pin:
    """A cell's pin.

    Parameters
    ----------
    cap
        Input capacitance in the library's unit.
    function
        Boolean expression of an output, else empty.
    power
        One inner tuple a supply pin: its tables of internal energy a transition, alternatives by
        condition.
    arcs
        Ways that a transition of another pin reaches this output.
    setup
        One inner tuple an edge of the data, rising first: tables of the set-up time.
    """

    name: str
    is_output: bool
    is_clock: bool
    cap: float
    function: str
    power: tuple[tuple[Table, ...], ...]
    arcs: tuple[Arc, ...]
    setup: tuple[tuple[Table, ...], tuple[Table, ...]]

    @property
    def has_setup(self) -> bool:
        return any(self.setup)


@dataclass(frozen=True, slots=True)
class Register:
    """A flip-flop's state: ``(state, inverse)`` names, next state and clock as expressions."""

    state: str
    inverse: str
    next_state: str
    clock: str
    clear: str
    preset: str


@dataclass(frozen=True, slots=True)
class Cell:
    """A cell: area in um2, leakage in W, pins by name; ``register`` if it is a flip-flop."""

    name: str
    area_um2: float
    leakage_w: float
    pins: Mapping[str, Pin]
    register: Register | None
    is_latch: bool
    dont_use: bool

    @property
    def inputs(self) -> tuple[Pin, ...]:
        return tuple(p for p in self.pins.values() if not p.is_output)

    @property
    def outputs(self) -> tuple[Pin, ...]:
        return tuple(p for p in self.pins.values() if p.is_output)

    def is_gate(self, function: str) -> bool:
        """Whether the cell is a one-output gate of this function of its inputs ``A``, ``B`` ..."""
        wanted = len(set(re.findall(r"[A-Z]", function)))
        if self.register or self.is_latch or len(self.outputs) != 1 or len(self.inputs) != wanted:
            return False
        text = self.outputs[0].function
        return bool(text) and same_up_to_inputs(text, function, [p.name for p in self.inputs])


@dataclass(frozen=True)
class Liberty:
    """A cell library.

    Parameters
    ----------
    cap_f, time_s, voltage
        One unit of capacitance in farad, of time in seconds; nominal supply in volt.
    """

    name: str
    path: Path
    cells: Mapping[str, Cell]
    voltage: float
    cap_f: float
    time_s: float

    @property
    def energy_j(self) -> float:
        """One unit of internal energy: voltage squared times the capacitance unit."""
        return self.cap_f

    @cached_property
    def inverter(self) -> Cell:
        """The smallest inverter: what fan-out-of-4 figures are taken from."""
        return min(
            (c for c in self.cells.values() if c.is_gate("!A") and not c.dont_use),
            key=lambda c: (c.area_um2, c.inputs[0].cap),
        )

    @cached_property
    def fo4(self) -> tuple[float, float]:
        """Load and output slew, in library units, of the inverter driving four copies of itself."""
        load, slew = 4 * self.inverter.inputs[0].cap, 0.0
        tables = [t for arc in self.inverter.outputs[0].arcs for t in arc.transition if t]
        for _ in range(8):  # slew in = slew out converges quickly
            slew = sum(t.at(load, slew) for t in tables) / max(len(tables), 1)
        return load, slew

    @cached_property
    def nand2_area_um2(self) -> float:
        """Area of the smallest two-input NAND: the gate equivalent."""
        return min(
            c.area_um2 for c in self.cells.values() if c.is_gate("!(A B)") and not c.dont_use
        )


# ---------------------------------------------------------------------------------------- reading


def read_liberty(path: str | Path) -> Liberty:
    """Read a Liberty file.

    Raises
    ------
    InputError
        When the file is missing, is not Liberty, or lacks what mapping needs: an inverter, a
        two-input NAND and a rising-edge flip-flop.
    """
    path = Path(path)
    library = parse_liberty(path)
    where = str(path)
    try:
        liberty = _liberty(library, path)
    except ValueError as fault:  # numbers that are none, tables of another shape than their axes
        raise InputError(where, f"tables and units must be numbers that fit: {fault}") from None
    cells = liberty.cells
    gates = [c for c in cells.values() if not c.dont_use]
    for wanted, found in (
        ("an inverter", any(c.is_gate("!A") for c in gates)),
        ("a two-input NAND", any(c.is_gate("!(A B)") for c in gates)),
        ("a flip-flop", any(c.register for c in gates)),
    ):
        if not found:
            raise InputError(where, f"a cell library must have {wanted}; cells", sorted(cells)[:8])
    return liberty


def _liberty(library: Group, path: Path) -> Liberty:
    where = str(path)
    cells = [_cell(group, library, where) for group in library.all("cell")]
    return Liberty(
        name=_name(library.arguments, where),
        path=path,
        cells={cell.name: cell for cell in cells},
        voltage=library.number("nom_voltage", 1.0),
        cap_f=_cap_unit(library, where),
        time_s=_unit(library.text("time_unit", "1ns"), "s", where),
    )


def _name(arguments: tuple[str, ...], where: str) -> str:
    name = arguments[0] if arguments else ""
    if not _NAME.fullmatch(name):
        raise InputError(where, "names in a cell library must be letters, digits and _", name)
    return name


def _unit(text: str, base: str, where: str) -> float:
    match = re.fullmatch(rf"\s*([\d.]+)\s*([fpnumk]?){base}\s*", text, re.IGNORECASE)
    if match is None:
        raise InputError(where, f"units must read like '1p{base}'", text)
    return float(match.group(1)) * _FILE_UNITS[match.group(2).lower()]


def _cap_unit(library: Group, where: str) -> float:
    unit = library.attributes.get("capacitive_load_unit", ("1", "pf"))
    return float(unit[0]) * _unit(f"1{unit[1]}", "f", where)


def _cell(group: Group, library: Group, where: str) -> Cell:
    name = _name(group.arguments, where)
    pins = {}
    for pin_group in group.all("pin"):
        pin = _pin(pin_group, library, where)
        pins[pin.name] = pin
    state = next(group.all("ff"), None)
    watt = _unit(library.text("leakage_power_unit", "1nW"), "w", where)
    return Cell(
        name=name,
        area_um2=group.number("area"),
        leakage_w=_leakage(group) * watt,
        pins=pins,
        register=None if state is None else _register(state, where),
        is_latch=any(True for _ in group.all("latch", "latch_bank", "statetable")),
        dont_use=group.text("dont_use") == "true",
    )


def _register(state: Group, where: str) -> Register:
    if len(state.arguments) < 2:
        raise InputError(where, "ff must name its state and the inverse", state.arguments)
    words = ("next_state", "clocked_on", "clear", "preset")
    return Register(*state.arguments[:2], *(state.text(word) for word in words))


def _leakage(cell: Group) -> float:
    """Return the cell's leakage: its own figure, else the mean of its states, by supply."""
    if "cell_leakage_power" in cell.attributes:
        return cell.number("cell_leakage_power")
    supplies: dict[str, list[float]] = {}
    for state in cell.all("leakage_power"):
        if state.text("when"):
            supplies.setdefault(state.text("related_pg_pin"), []).append(state.number("value"))
    return sum(float(np.mean(values)) for values in supplies.values())


def _pin(group: Group, library: Group, where: str) -> Pin:
    energies: dict[str, list[Table]] = {}
    for power in group.all("internal_power"):
        tables = _tables(power, library, "rise_power", "fall_power", "power")
        energies.setdefault(power.text("related_pg_pin"), []).extend(tables)
    setup: tuple[list[Table], list[Table]] = ([], [])
    arcs: list[Arc] = []
    for timing in group.all("timing"):
        kind = timing.text("timing_type", "combinational")
        if kind == "setup_rising":
            for edge, name in enumerate(("rise_constraint", "fall_constraint")):
                setup[edge].extend(_tables(timing, library, name))
        elif kind in {"combinational", "rising_edge"}:
            arcs += _arcs(timing, library, kind)
    return Pin(
        name=_name(group.arguments, where),
        is_output=group.text("direction") == "output",
        is_clock=group.text("clock") == "true",
        cap=group.number("capacitance"),
        function=group.text("function"),
        power=tuple(tuple(t) for t in energies.values()),
        arcs=tuple(arcs),
        setup=(tuple(setup[RISE]), tuple(setup[FALL])),
    )


def _arcs(timing: Group, library: Group, kind: str) -> list[Arc]:
    """Return an arc for each pin that a timing group relates to."""
    sense = kind if kind == "rising_edge" else timing.text("timing_sense", "non_unate")

    def both(*kinds: str) -> tuple[Table | None, Table | None]:
        rise, fall = (next(iter(_tables(timing, library, k)), None) for k in kinds)
        return rise, fall

    delay, transition = both("cell_rise", "cell_fall"), both("rise_transition", "fall_transition")
    causes = CAUSES.get(sense, CAUSES["non_unate"])
    return [Arc(pin, causes, delay, transition) for pin in timing.text("related_pin").split()]


def _tables(group: Group, library: Group, *kinds: str) -> list[Table]:
    return [_table(table, library) for table in group.all(*kinds)]


def _table(group: Group, library: Group) -> Table:
    template = next(
        (
            t
            for t in library.all("lu_table_template", "power_lut_template")
            if t.arguments[:1] == group.arguments[:1]
        ),
        None,
    )
    axes: dict[str, tuple[float, ...]] = {"load": (0.0,), "slew": (0.0,)}
    order = []
    for i in (1, 2):
        index = group.attributes.get(f"index_{i}")
        if template is None or f"variable_{i}" not in template.attributes:
            continue
        if index is None:
            index = template.attributes.get(f"index_{i}", ("0",))
        # a set-up table's second axis is the clock's slew; it takes the place of the load
        variable = template.text(f"variable_{i}")
        axis = (
            "load"
            if variable in {"total_output_net_capacitance", "related_pin_transition"}
            else "slew"
        )
        axes[axis] = _numbers(index)
        order.append(axis)
    values = np.array(_numbers(group.attributes.get("values", ("0",))))
    shape = (len(axes["load"]), len(axes["slew"]))
    if order == ["slew", "load"]:
        values = values.reshape(shape[::-1]).T
    grid = values.reshape(shape).tolist()
    return Table(axes["load"], axes["slew"], tuple(tuple(row) for row in grid))


def _numbers(texts: tuple[str, ...]) -> tuple[float, ...]:
    return tuple(float(x) for text in texts for x in re.split(r"[\s,\\]+", text) if x)
