"""Area, clock and energy of the systolic array, from fits through syntheses of its RTL.

A technology has a table for os and one for ws and is, which are one design, of each number format.
`archsim.engines.systolic.terms` and `stationary_terms` say what their fits are made of,
`archsim.engines.systolic.study` and `stationary_study` how they were measured. The accumulator bank
of ws and is comes from the technology's SRAMs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from archsim.engines import Fmax
from archsim.engines.systolic import stationary_terms, terms
from archsim.engines.systolic.spec import SystolicSpec
from archsim.engines.systolic.terms import CostTerms, Spec, pes
from archsim.errors import InfeasibleError
from archsim.tech.sram import SramCost
from archsim.tech.table import Table

if TYPE_CHECKING:
    from archsim.tech import Tech

# by dataflow and number format: the table's name, and the terms of its fits
TABLES: Mapping[tuple[str, str], tuple[str, CostTerms]] = {
    ("os", "int"): ("systolic", terms.INTEGER),
    ("os", "bf16"): ("systolic_bf16", terms.BF16),
    ("ws", "int"): ("systolic_stationary", stationary_terms.INTEGER),
    ("ws", "bf16"): ("systolic_stationary_bf16", stationary_terms.BF16),
    ("is", "int"): ("systolic_stationary", stationary_terms.INTEGER),
    ("is", "bf16"): ("systolic_stationary_bf16", stationary_terms.BF16),
}
BANKS = 2  # single-port SRAMs of half the rows stand for a memory that reads and writes at once


def area_um2(spec: Spec, tech: Tech) -> dict[str, Any]:
    """Return cell area by component, and the accumulator bank's."""

    def price(dataflow: str, spec: Spec, table: Table, fits: CostTerms) -> dict[str, Any]:
        area = table.fit("area_um2").evaluate(fits.area, spec)
        if dataflow != "os":
            area["accumulators"] = BANKS * _accumulators(spec, tech).area_um2
        return area

    return _by_table(spec, tech, price)


def fmax_mhz(spec: Spec, tech: Tech) -> Fmax:
    """Return the clock of the longest path, rounded down to a whole MHz.

    The path from the accumulator bank through its adder begins with a cycle of the SRAM.
    """
    sources: list[str] = []

    def price(dataflow: str, spec: Spec, table: Table, fits: CostTerms) -> dict[str, Any]:
        source = _source(table)
        paths = table.fit("delay_ps").evaluate(fits.delay, spec)
        if dataflow != "os":
            paths["accumulate"] = paths["accumulate"] + _accumulators(spec, tech).cycle_ps
            source += "; the accumulator bank's path begins with a cycle of its SRAM"
        if source not in sources:
            sources.append(source)
        worst = np.maximum.reduce([np.asarray(p, float) for p in paths.values()])
        mhz = np.floor(1e6 / worst)
        return {"mhz": float(mhz) if mhz.ndim == 0 else mhz}

    mhz = _by_table(spec, tech, price)["mhz"]
    return Fmax(mhz, "; or ".join(sources))


def _source(table: Table) -> str:
    sizes = [(r["spec"]["rows"], r["spec"]["cols"]) for r in table.rows]
    largest = "{} x {}".format(*max(sizes, key=lambda s: s[0] * s[1]))
    return (
        f"fit through {len(table.rows)} syntheses up to {largest} in {table.made['library']} "
        f"({table.made['yosys']}), error at most {table.fit('delay_ps').max_error_percent:g} % "
        "on held-out ones; no wires, no clock tree, typical corner"
    )


def energy_pj(spec: Spec, tech: Tech) -> dict[str, Any]:
    """Return the energy of each action; see `archsim.engines.systolic.timing.actions`.

    ``idle_cycle`` is every flip-flop's clock; ``pe_clock`` spreads the same, and the control that
    moves in an occupied cycle, over the PEs, so that a cycle costs its clock exactly once.
    """

    def price(dataflow: str, spec: Spec, table: Table, fits: CostTerms) -> dict[str, Any]:
        clock = table.fit("clock_pj").evaluate(fits.whole, spec)["array"]
        leakage_uw = table.fit("leakage_uw").evaluate(fits.whole, spec)["array"]
        actions = table.fit("energy_pj").evaluate(fits.energy, spec)
        control = actions.pop("control_cycle")
        if dataflow != "os":
            for port, role in stationary_terms.BEATS[dataflow].items():
                actions[port] = actions.pop(role)
            sram = _accumulators(spec, tech)
            actions["acc_read"] = actions["acc_read"] + sram.read_pj
            actions["acc_write"] = actions["acc_write"] + sram.write_pj
            leakage_uw = leakage_uw + BANKS * sram.leakage_uw
        return {
            **actions,
            "pe_clock": (clock + control) / pes(spec),
            "idle_cycle": clock,
            "leak_ps": leakage_uw * 1e-6,  # 1 uW is 1e-6 pJ a ps
        }

    return _by_table(spec, tech, price)


def _accumulators(spec: Spec, tech: Tech) -> SramCost:
    """Return one of the SRAMs that the accumulator bank of a ws or is array is made of."""
    row_bits = spec.cols * spec.acc_bits
    return tech.sram(spec.acc_rows * row_bits / 8 / BANKS, row_bits)


# ---------------------------------------------------------------------------------------- tables

Price = Callable[[str, Spec, Table, CostTerms], dict[str, Any]]


def _by_table(spec: Spec, tech: Tech, price: Price) -> dict[str, Any]:
    """Return what ``price`` says of a spec, or of each spec of a batch by its own table."""
    if isinstance(spec, SystolicSpec):
        return price(spec.dataflow, spec, *_table((spec.dataflow, spec.numbers), tech))
    kinds = list(zip(spec.dataflow.tolist(), spec.numbers.tolist(), strict=True))
    found: dict[str, Any] = {}
    for kind in sorted(set(kinds)):
        rows = np.array([i for i, other in enumerate(kinds) if other == kind])
        for name, values in price(kind[0], spec.take(rows), *_table(kind, tech)).items():
            found.setdefault(name, np.zeros(len(spec)))[rows] = values
    return found


def _table(kind: tuple[str, str], tech: Tech) -> tuple[Table, CostTerms]:
    """Return what was measured of a dataflow and number format.

    Raises
    ------
    InfeasibleError
        When nothing was: a cost is measured or there is none.
    """
    name, its_terms = TABLES[kind]
    if not tech.measured(name):
        raise InfeasibleError(
            f"the cost of a systolic array ({', '.join(kind)}) in node {tech.name}",
            demand=1,
            bound=0,
            unit=f"synthesis table {name}.yaml",
            levers=("choose a node that has it", "measure: python -m archsim.tech.characterise"),
        )
    return tech.table(name), its_terms
