"""Area, clock and energy of the systolic array, from fits through syntheses of its RTL.

A technology has one table a dataflow and number format; `archsim.engines.systolic.terms` says what
its fits are made of, `archsim.engines.systolic.study` how it was measured.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from archsim.engines import Fmax
from archsim.engines.systolic.spec import SystolicSpec
from archsim.engines.systolic.terms import BF16, INTEGER, CostTerms, Spec, pes
from archsim.errors import InfeasibleError
from archsim.tech.table import Table

if TYPE_CHECKING:
    from archsim.tech import Tech

# by dataflow and number format: the table's name, and the terms of its fits
TABLES: Mapping[tuple[str, str], tuple[str, CostTerms]] = {
    ("os", "int"): ("systolic", INTEGER),
    ("os", "bf16"): ("systolic_bf16", BF16),
}


def area_um2(spec: Spec, tech: Tech) -> dict[str, Any]:
    """Return cell area by component."""

    def price(spec: Spec, table: Table, terms: CostTerms) -> dict[str, Any]:
        return table.fit("area_um2").evaluate(terms.area, spec)

    return _by_table(spec, tech, price)


def fmax_mhz(spec: Spec, tech: Tech) -> Fmax:
    """Return the clock of the longest path, rounded down to a whole MHz."""
    sources: list[str] = []

    def price(spec: Spec, table: Table, terms: CostTerms) -> dict[str, Any]:
        sources.append(_source(table))
        paths = table.fit("delay_ps").evaluate(terms.delay, spec)
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

    def price(spec: Spec, table: Table, terms: CostTerms) -> dict[str, Any]:
        clock = table.fit("clock_pj").evaluate(terms.whole, spec)["array"]
        leakage_uw = table.fit("leakage_uw").evaluate(terms.whole, spec)["array"]
        actions = table.fit("energy_pj").evaluate(terms.energy, spec)
        control = actions.pop("control_cycle")
        return {
            **actions,
            "pe_clock": (clock + control) / pes(spec),
            "idle_cycle": clock,
            "leak_ps": leakage_uw * 1e-6,  # 1 uW is 1e-6 pJ a ps
        }

    return _by_table(spec, tech, price)


# ---------------------------------------------------------------------------------------- tables


def _by_table(
    spec: Spec, tech: Tech, price: Callable[[Spec, Table, CostTerms], dict[str, Any]]
) -> dict[str, Any]:
    """Return what ``price`` says of a spec, or of each spec of a batch by its own table."""
    if isinstance(spec, SystolicSpec):
        return price(spec, *_table((spec.dataflow, spec.numbers), tech))
    kinds = list(zip(spec.dataflow.tolist(), spec.numbers.tolist(), strict=True))
    found: dict[str, Any] = {}
    for kind in sorted(set(kinds)):
        rows = np.array([i for i, other in enumerate(kinds) if other == kind])
        for name, values in price(spec.take(rows), *_table(kind, tech)).items():
            found.setdefault(name, np.zeros(len(spec)))[rows] = values
    return found


def _table(kind: tuple[str, str], tech: Tech) -> tuple[Table, CostTerms]:
    """Return what was measured of a dataflow and number format.

    Raises
    ------
    InfeasibleError
        When nothing was: a cost is measured or there is none.
    """
    name, terms = TABLES[kind]
    if not tech.measured(name):
        raise InfeasibleError(
            f"the cost of a systolic array ({', '.join(kind)}) in node {tech.name}",
            demand=1,
            bound=0,
            unit=f"synthesis table {name}.yaml",
            levers=("choose a node that has it", "measure: python -m archsim.tech.characterise"),
        )
    return tech.table(name), terms
