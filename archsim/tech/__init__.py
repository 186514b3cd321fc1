"""Process nodes: what logic, memories and links cost, each figure with its source and method.

A technology is a folder: ``tech.yaml`` has the node's facts, ``ENGINE.yaml`` what synthesis of that
engine measured in it, ``lane.yaml`` the same of a vector lane. `load` takes a shipped name or the
path of such a folder. Of other processes in ``processes.yaml`` only the name is known: chips in
them are priced by data sheets, and asking for cells or memories is an error.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from archsim.errors import InputError
from archsim.tech.process import Process, processes
from archsim.tech.sram import SramCost, SramTable, power_law
from archsim.tech.table import Table

__all__ = ["DramCost", "LaneCost", "LinkCost", "SramCost", "Table", "Tech", "load", "names"]

_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
DEFAULT_LINK_MM = 5.0
_Model = TypeVar("_Model", bound=BaseModel)
TOGGLING_BITS = 0.5  # of a byte on a link: random data


@dataclass(frozen=True, slots=True)
class DramCost:
    """Energy of moving a bit between DRAM and the chip."""

    pj_per_bit: float
    source: str


@dataclass(frozen=True, slots=True)
class LinkCost:
    """Energy of moving a byte along a link."""

    pj_per_byte: float
    source: str


@dataclass(frozen=True, slots=True)
class LaneCost:
    """One lane of a vector unit: two operand registers, add, subtract, compare, multiply, result.

    Parameters
    ----------
    op_pj
        Dynamic energy of an operation on fresh operands, clock aside.
    clock_pj
        Of one clock cycle of its flip-flops.
    """

    area_um2: float
    op_pj: float
    clock_pj: float
    leakage_uw: float
    fmax_mhz: float
    source: str


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _SramScale(_Part):
    """From a node of the CACTI table to this one; 1 where CACTI has the node itself."""

    table_node_nm: int
    energy: Annotated[float, Field(gt=0)] = 1.0
    area: Annotated[float, Field(gt=0)] = 1.0
    leakage: Annotated[float, Field(gt=0)] = 1.0
    time: Annotated[float, Field(gt=0)] = 1.0
    wire_energy: Annotated[float, Field(gt=0)] = 1.0
    rule: str = ""


class _Dram(_Part):
    pj_per_bit: Annotated[float, Field(gt=0)]
    source: str


class _Lane(_Part):
    bits: Annotated[int, Field(gt=0)]
    area_um2: float
    op_pj: float
    clock_pj: float
    leakage_uw: float
    delay_ps: float


class _Lanes(_Part):
    method: str
    rows: Annotated[tuple[_Lane, ...], Field(min_length=2)]


class _Known(_Part):
    """What is known of any node."""

    name: str
    description: str
    node_nm: Annotated[float, Field(gt=0)]


class _Facts(_Known):
    """``tech.yaml``."""

    voltage: Annotated[float, Field(gt=0)]
    temperature_c: float
    library: str
    licence: str
    sources: tuple[str, ...]
    nand2_um2: Annotated[float, Field(gt=0)]
    flip_flop_um2: Annotated[float, Field(gt=0)]
    sram: _SramScale
    dram: Annotated[dict[str, _Dram], Field(min_length=1)]
    assumptions: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)  # `load` gives one object a technology
class Tech:
    """A process node and the cell library that logic is measured in, unless only its name is known.

    Attributes
    ----------
    known
        Node in nm, and what it is.
    """

    name: str
    known: _Known
    folder: Any  # Path, or a package's Traversable

    @property
    def facts(self) -> _Facts:
        """``tech.yaml``: supply in V, gate-equivalent area, memories.

        Raises
        ------
        InputError
            If the process is known by name only.
        """
        if not isinstance(self.known, _Facts):
            raise InputError(
                f"tech {self.name}", "has no cells and memories that were measured: only what a "
                "data sheet prices can stand in it", fix=f"name one of {', '.join(names())}",
            )  # fmt: skip
        return self.known

    @property
    def node_nm(self) -> float:
        return self.known.node_nm

    @property
    def voltage(self) -> float:
        return self.facts.voltage

    @cached_property
    def _srams(self) -> SramTable:
        return SramTable.shipped(self.facts.sram.table_node_nm)

    def sram(self, capacity_bytes: Any, width_bits: Any) -> SramCost:
        """Return what one SRAM costs; fields are arrays where the arguments are.

        Parameters
        ----------
        capacity_bytes, width_bits
            Of one bank: bits that one access reads or writes.
        """
        scale = self.facts.sram
        return self._srams.cost(capacity_bytes, width_bits).scaled(
            energy=scale.energy, area=scale.area, leakage=scale.leakage, time=scale.time,
            rule=scale.rule,
        )  # fmt: skip

    def dram(self, kind: str = "lpddr4") -> DramCost:
        """Return what off-chip memory costs: ``lpddr4``, ``hbm2`` ..."""
        known = self.facts.dram
        if kind not in known:
            raise InputError(f"tech {self.name}: dram", f"must be one of {', '.join(known)}", kind)
        return DramCost(known[kind].pj_per_bit, known[kind].source)

    def link(self, length_mm: float = DEFAULT_LINK_MM) -> LinkCost:
        """Return what an on-chip link costs: repeated global wires, half of the bits toggling."""
        pj_per_mm = self._srams.wire_pj_per_mm * self.facts.sram.wire_energy
        return LinkCost(
            8 * TOGGLING_BITS * length_mm * pj_per_mm,
            f"{length_mm:g} mm of repeated global wire at {pj_per_mm:.3g} pJ/mm/transition "
            f"({self._srams.source}), half of the bits toggling",
        )

    def lane(self, bits: int) -> LaneCost:
        """Return what a vector lane of ``bits`` costs: measured rows, a power law between them.

        Raises
        ------
        InputError
            When the technology has no measured lanes.
        """
        lanes = _lanes(self.name, self.folder)
        widths = [row.bits for row in lanes.rows]

        def at(name: str) -> float:
            return float(power_law(widths, [getattr(r, name) for r in lanes.rows], bits))

        return LaneCost(
            at("area_um2"), at("op_pj"), at("clock_pj"), at("leakage_uw"), 1e6 // at("delay_ps"),
            f"{lanes.method}; power law in bits between {', '.join(map(str, widths))}",
        )  # fmt: skip

    def measured(self, engine: str) -> bool:
        """Return whether there is a synthesis table of an engine."""
        return _measured(self.folder, engine)

    def has_table(self, engine: str) -> bool:
        """Return whether an engine was measured."""
        return bool((self.folder / f"{engine}.yaml").is_file())

    def table(self, engine: str) -> Table:
        """Return what was measured of an engine.

        Raises
        ------
        InputError
            When nothing was.
        """
        return _table(self.name, self.folder, engine)

    @property
    def assumptions(self) -> tuple[str, ...]:
        """Sentences on what the figures hold and lack, for reports."""
        if not isinstance(self.known, _Facts):
            return (f"{self.name}: {self.known.description}; no cell was measured in it",)
        facts = self.known
        logic = f"{self.name}: logic in {facts.library}, {facts.voltage:g} V, typical corner"
        sram = f"{self.name}: SRAM from {self._srams.source}"
        return (
            f"{logic}; {COUNTED}",
            f"{sram}; {facts.sram.rule}" if facts.sram.rule else sram,
            *facts.assumptions,
            *NOT_COUNTED,
        )


COUNTED = "counted: cells and flip-flops of the generated RTL, their leakage, clock pins, toggles"
NOT_COUNTED = (
    "not counted: logic wires, the clock tree, placement density, power grid, test logic, pads",
    "not counted: glitches (zero-delay toggles), voltage and temperature corners, process spread",
    "not counted: SRAM bank multiplexers, ECC and test, DRAM refresh and background power",
    "buffer and link energy: CACTI's; a link toggles half of its bits",
)


@cache
def _lanes(name: str, folder: Any) -> _Lanes:
    file = folder / "lane.yaml"
    if not file.is_file():
        fix = "measure them: python -m archsim.tech.lane"
        raise InputError(f"tech {name}", "has no measured vector lanes", fix=fix)
    return _checked(_Lanes, file)


@cache
def _measured(folder: Any, engine: str) -> bool:
    return bool((folder / f"{engine}.yaml").is_file())


@cache
def _table(name: str, folder: Any, engine: str) -> Table:
    file = folder / f"{engine}.yaml"
    if not file.is_file():
        raise InputError(
            f"tech {name}",
            f"has no synthesis table of engine {engine!r}",
            fix="measure it: python -m archsim.tech.characterise",
        )
    return Table.from_tree(_read(file), f"{name}/{engine}.yaml")


def names() -> tuple[str, ...]:
    """Return the technologies that come with archsim."""
    home = resources.files(__name__)
    return tuple(sorted(f.name for f in home.iterdir() if (f / "tech.yaml").is_file()))


@cache
def load(name: str) -> Tech:
    """Return a technology by shipped name or by the path of its folder.

    Raises
    ------
    InputError
        For an unknown name, or a ``tech.yaml`` that is not one.
    """
    if name in processes() and name not in names():
        return _named(processes()[name])
    home: Any = resources.files(__name__) / name if name in names() else Path(name)
    file = home / "tech.yaml"
    if not file.is_file():
        near = difflib.get_close_matches(name, names(), n=1)
        hint = f" (did you mean {near[0]!r}?)" if near else ""
        known = ", ".join(names())
        raise InputError("node", f"must be a folder with tech.yaml or one of {known}{hint}", name)
    return Tech(home.name, _checked(_Facts, file), home)


def _named(known: Process) -> Tech:
    facts = _Known(name=known.name, description=known.title, node_nm=known.nm)
    return Tech(known.name, facts, resources.files(__name__) / known.name)


def _checked(model: type[_Model], file: Any) -> _Model:
    try:
        return model.model_validate(_read(file))
    except ValidationError as fault:
        first = fault.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise InputError(f"{file}: {where}", first["msg"], first["input"]) from None


def _read(file: Any) -> Mapping[str, Any]:
    try:
        tree = yaml.load(file.read_text("utf-8"), Loader=_LOADER)
    except (yaml.YAMLError, UnicodeDecodeError) as fault:
        raise InputError(str(file), f"must be YAML: {fault}") from None
    if not isinstance(tree, dict):
        raise InputError(str(file), "must be a mapping of keys", tree)
    return tree
