"""Area, clock and energy of the engine: fits through syntheses of its RTL, memories as SRAMs.

A bank of the table is read and written in one cycle, anywhere: its area and leakage are those of two
single-port SRAMs of its capacity. The dense array's is written while the table is filled and read
while it is emptied, so one does.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from archsim.engines import Fmax, SpecBatch
from archsim.engines.hash_spgemm.spec import TAG_BITS, VALUE_BITS, HashSpgemmSpec
from archsim.engines.hash_spgemm.terms import COST, is_dense, log2_rows
from archsim.errors import InfeasibleError
from archsim.tech.sram import SramCost

if TYPE_CHECKING:
    from archsim.tech import Table, Tech

TABLE = "hash_spgemm"
SLOT_BITS = 1 + TAG_BITS + VALUE_BITS
PORTS = 2  # single-port SRAMs that stand for a bank
PJ_PER_PS_OF_UW = 1e-6
Spec = HashSpgemmSpec | SpecBatch


def _measured(tech: Tech) -> Table:
    """Return the synthesis table; a cost is measured or there is none."""
    if not tech.has_table(TABLE):
        raise InfeasibleError(
            f"the cost of a hash SpGEMM engine in node {tech.name}", demand=1, bound=0,
            unit=f"synthesis table {TABLE}.yaml",
            levers=(
                "choose a node that has it", "measure: python -m archsim.tech.characterise",
            ),
        )  # fmt: skip
    return tech.table(TABLE)


def table_bank(spec: Any, tech: Tech) -> SramCost:
    """Return one of the `PORTS` SRAMs of a bank of the table."""
    return tech.sram(spec.slots / spec.banks * SLOT_BITS / 8, SLOT_BITS)


def dense_bank(spec: Any, tech: Tech) -> SramCost:
    """Return the SRAM of a bank of the dense array: a row's number for each of its slots."""
    bits = np.maximum(log2_rows(spec), 1)
    return tech.sram(spec.slots / spec.banks * bits / 8, bits)


def area_um2(spec: Spec, tech: Tech) -> Mapping[str, Any]:
    """Return cell area by component, and that of the memories."""
    area: dict[str, Any] = _measured(tech).fit("area_um2").evaluate(COST.area, spec)
    area["table"] = PORTS * spec.banks * table_bank(spec, tech).area_um2
    area["dense"] = spec.banks * dense_bank(spec, tech).area_um2 * is_dense(spec)
    return {name: _plain(um2) for name, um2 in area.items()}


def energy_pj(spec: Spec, tech: Tech) -> Mapping[str, Any]:
    """Return the energy of each action: see `archsim.engines.hash_spgemm.timing.actions`.

    A cycle costs every flip-flop's clock and the control that moves; an idle one the clock alone.
    """
    table, sram, dense = _measured(tech), table_bank(spec, tech), dense_bank(spec, tech)
    actions = table.fit("energy_pj").evaluate(COST.energy, spec)
    control = actions.pop("control_cycle")
    clock = table.fit("clock_pj").evaluate(COST.whole, spec)["engine"]
    leakage_uw = table.fit("leakage_uw").evaluate(COST.whole, spec)["engine"]
    leakage_uw = leakage_uw + spec.banks * (
        PORTS * sram.leakage_uw + is_dense(spec) * dense.leakage_uw
    )
    actions["operation"] = actions["operation"] + sram.read_pj
    # a slot that is walked is read and emptied; its place in the dense array is read, too
    emptied = sram.read_pj + sram.write_pj
    found = {
        **actions,
        "slot": actions["slot"] + emptied + is_dense(spec) * dense.read_pj,
        "table_write": sram.write_pj,
        "entry": is_dense(spec) * dense.write_pj,
        "cycle": clock + control,
        "idle_cycle": clock,
        "leak_ps": leakage_uw * PJ_PER_PS_OF_UW,
    }
    return {name: _plain(pj) for name, pj in found.items()}


def fmax_mhz(spec: Spec, tech: Tech) -> Fmax:
    """Return the clock of the longest path, in whole MHz; one through the table begins in it."""
    table = _measured(tech)
    fit = table.fit("delay_ps")
    paths = fit.evaluate(COST.delay, spec)
    paths["bank"] = paths["bank"] + table_bank(spec, tech).cycle_ps
    worst = np.maximum.reduce([np.asarray(path, float) for path in paths.values()])
    most = max(row["spec"]["lanes"] for row in table.rows)
    return Fmax(
        _plain(np.floor(1e6 / worst)),
        f"fit through {len(table.rows)} syntheses of up to {most} lanes in {table.made['library']} "
        f"({table.made['yosys']}), error at most {fit.max_error_percent:g} % on held-out ones; a "
        "path through the table begins with a cycle of its SRAM; no wires, no clock tree, typical "
        "corner",
    )


def _plain(value: Any) -> Any:
    return float(value) if np.ndim(value) == 0 else value
