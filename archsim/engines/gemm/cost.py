"""Area, clock and energy of engines that multiply matrices, from fits through syntheses.

An engine comes in structures: choices of its spec that change its parts, such as the dataflow or
the PE. Each has a synthesis table in a technology, and terms that the table's fits are made of; a
table may serve several. A structure that nobody measured has no cost.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from archsim.engines import EngineSpec, Fmax, SpecBatch
from archsim.errors import InfeasibleError
from archsim.tech.sram import SramCost
from archsim.tech.table import CostTerms, Table

if TYPE_CHECKING:
    from archsim.tech import Tech

Spec = EngineSpec | SpecBatch
Choices = tuple[str, ...]
BANKS = 2  # single-port SRAMs of half the rows stand for a memory that reads and writes at once


def accumulators(spec: Any, tech: Tech) -> SramCost:
    """Return one of the SRAMs that an accumulator bank is made of; one of pairs has twice the bits.

    Parameters
    ----------
    spec
        With ``acc_rows``, and ``pe`` to say what a sum is.
    """
    row_bits = spec.cols * spec.acc_bits * np.where(np.asarray(spec.pe) == "opt1", 2, 1)
    return tech.sram(spec.acc_rows * row_bits / 8 / BANKS, row_bits)


@dataclass(frozen=True, slots=True)
class Structure:
    """A structure of an engine: its synthesis table and how that is read.

    Parameters
    ----------
    table
        Name of the file in a technology's folder, without ``.yaml``.
    terms
        What its fits are made of. Groups of paths and components may have any names; where there
        is an accumulator bank, the path through its adder is ``accumulate``.
    bank
        ``(spec, tech) -> SramCost`` of one of the `BANKS` memories that the accumulator bank is
        made of. The table leaves them out.
    roles
        What the terms call actions of the engine, where that is not their name.
    """

    table: str
    terms: CostTerms
    bank: Callable[[Any, Tech], SramCost] | None = None
    roles: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Pricing:
    """The cost face of an engine: `area_um2`, `fmax_mhz` and `energy_pj` for its record.

    Parameters
    ----------
    name
        Of the engine, as a sentence says it: ``a systolic array``.
    fields
        Fields of the spec whose values choose the structure.
    structures
        By those values: every structure that a study measures.
    extents
        Fields of the spec that say how large an engine is.
    """

    name: str
    fields: Choices
    structures: Mapping[Choices, Structure]
    extents: tuple[str, ...] = ("rows", "cols")

    def area_um2(self, spec: Spec, tech: Tech) -> dict[str, Any]:
        """Return cell area by component, and the accumulator bank's."""

        def price(spec: Spec, its: Structure, table: Table) -> dict[str, Any]:
            area = table.fit("area_um2").evaluate(its.terms.area, spec)
            if its.bank:
                area["accumulators"] = BANKS * its.bank(spec, tech).area_um2
            return area

        return self._by_structure(spec, tech, price)

    def fmax_mhz(self, spec: Spec, tech: Tech) -> Fmax:
        """Return the clock of the longest path, rounded down to a whole MHz.

        The path from an accumulator bank through its adder begins with a cycle of the SRAM.
        """
        sources: list[str] = []

        def price(spec: Spec, its: Structure, table: Table) -> dict[str, Any]:
            source = self._source(table)
            paths = table.fit("delay_ps").evaluate(its.terms.delay, spec)
            if its.bank:
                paths["accumulate"] = paths["accumulate"] + its.bank(spec, tech).cycle_ps
                source += "; the accumulator bank's path begins with a cycle of its SRAM"
            if source not in sources:
                sources.append(source)
            worst = np.maximum.reduce([np.asarray(p, float) for p in paths.values()])
            mhz = np.floor(1e6 / worst)
            return {"mhz": float(mhz) if mhz.ndim == 0 else mhz}

        mhz = self._by_structure(spec, tech, price)["mhz"]
        return Fmax(mhz, "; or ".join(sources))

    def energy_pj(self, spec: Spec, tech: Tech) -> dict[str, Any]:
        """Return the energy of each action that the engine's ``actions`` counts.

        ``idle_cycle`` is every flip-flop's clock; ``pe_clock`` spreads the same, and the control
        that moves in an occupied cycle, over the PEs, so that a cycle costs its clock exactly once.
        """

        def price(spec: Any, its: Structure, table: Table) -> dict[str, Any]:
            clock = table.fit("clock_pj").evaluate(its.terms.whole, spec)["array"]
            leakage_uw = table.fit("leakage_uw").evaluate(its.terms.whole, spec)["array"]
            actions = table.fit("energy_pj").evaluate(its.terms.energy, spec)
            control = actions.pop("control_cycle")
            for action, role in its.roles.items():
                actions[action] = actions.pop(role)
            if its.bank:
                sram = its.bank(spec, tech)
                actions["acc_read"] = actions["acc_read"] + sram.read_pj
                actions["acc_write"] = actions["acc_write"] + sram.write_pj
                leakage_uw = leakage_uw + BANKS * sram.leakage_uw
            return {
                **actions,
                "pe_clock": (clock + control) / spec.pes,
                "idle_cycle": clock,
                "leak_ps": leakage_uw * 1e-6,  # 1 uW is 1e-6 pJ a ps
            }

        return self._by_structure(spec, tech, price)

    def _source(self, table: Table) -> str:
        sizes = [tuple(r["spec"][name] for name in self.extents) for r in table.rows]
        largest = " x ".join(map(str, max(sizes, key=math.prod)))
        return (
            f"fit through {len(table.rows)} syntheses up to {largest} in {table.made['library']} "
            f"({table.made['yosys']}), error at most {table.fit('delay_ps').max_error_percent:g} % "
            "on held-out ones; no wires, no clock tree, typical corner"
        )

    def _by_structure(
        self, spec: Spec, tech: Tech, price: Callable[[Spec, Structure, Table], dict[str, Any]]
    ) -> dict[str, Any]:
        """Return what ``price`` says of a spec, or of each spec of a batch by its own table."""
        if not isinstance(spec, SpecBatch):
            choices = tuple(getattr(spec, name) for name in self.fields)
            return price(spec, *self._measured(choices, tech))
        chosen = list(zip(*(getattr(spec, name).tolist() for name in self.fields), strict=True))
        found: dict[str, Any] = {}
        for choices in sorted(set(chosen)):
            rows = np.array([i for i, other in enumerate(chosen) if other == choices])
            for name, values in price(spec.take(rows), *self._measured(choices, tech)).items():
                found.setdefault(name, np.zeros(len(spec)))[rows] = values
        return found

    def _measured(self, choices: Choices, tech: Tech) -> tuple[Structure, Table]:
        """Return a structure and what was measured of it.

        Raises
        ------
        InfeasibleError
            When nothing was: a cost is measured or there is none.
        """
        its = self.structures.get(choices)
        if its is not None and tech.measured(its.table):
            return its, tech.table(its.table)
        told = ", ".join(f"{name} {c}" for name, c in zip(self.fields, choices, strict=True))
        if its is None:
            unit, lever = "synthesis table", f"choose what is measured: {self._nearest(choices)}"
            levers: tuple[str, ...] = (lever,)
        else:
            unit = f"synthesis table {its.table}.yaml"
            levers = (
                "choose a node that has it", "measure: python -m archsim.tech.characterise",
            )  # fmt: skip
        raise InfeasibleError(
            f"the cost of {self.name} ({told}) in node {tech.name}",
            demand=1,
            bound=0,
            unit=unit,
            levers=levers,
        )

    def _nearest(self, choices: Choices) -> str:
        """Return in which fields the measured structure differs that differs in the fewest."""

        def changes(other: Choices) -> list[str]:
            rows = zip(self.fields, choices, other, strict=True)
            return [f"{name} {new}" for name, old, new in rows if new != old]

        fewest = min((changes(other) for other in self.structures), key=len)
        return ", ".join(fewest)
