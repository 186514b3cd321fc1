"""Area, clock and energy of the engine: fits through syntheses of its RTL, memories as SRAMs.

In a node where it was not measured its lanes are priced as the node's measured lane, and what is
around them (queues, crossbar, control) is not priced.

A bank of the table is read and written in one cycle, anywhere: its area and leakage are those of
two single-port SRAMs of its capacity, for each slot of a line. The dense array's is written while
the table is filled and read while it is emptied, so one does.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from archsim.engines import Fmax, SpecBatch
from archsim.engines.hash_spgemm.spec import TAG_BITS, VALUE_BITS, HashSpgemmSpec
from archsim.engines.hash_spgemm.terms import COST, is_dense, log2_rows
from archsim.tech.sram import SramCost

if TYPE_CHECKING:
    from archsim.tech import Tech

TABLE, EXTENTS = "hash_spgemm", ("lanes", "banks")
SLOT_BITS = 1 + TAG_BITS + VALUE_BITS
PORTS = 2  # single-port SRAMs that stand for one of a bank
PJ_PER_PS_OF_UW = 1e-6
Spec = HashSpgemmSpec | SpecBatch


def table_bank(spec: Any, tech: Tech) -> SramCost:
    """Return one of the `PORTS` SRAMs that a bank of the table has for each slot of a line."""
    return tech.sram(spec.slots / spec.banks / spec.comparators * SLOT_BITS / 8, SLOT_BITS)


def dense_bank(spec: Any, tech: Tech) -> SramCost:
    """Return the SRAM of a bank of the dense array: a row's number for each of its slots."""
    bits = np.maximum(log2_rows(spec), 1)
    return tech.sram(spec.slots / spec.banks * bits / 8, bits)


def area_um2(spec: Spec, tech: Tech) -> Mapping[str, Any]:
    """Return cell area by component, and that of the memories."""
    area = {"lanes": spec.lanes * tech.lane(VALUE_BITS).area_um2}
    if tech.has_table(TABLE):
        area = tech.table(TABLE).fit("area_um2").evaluate(COST.area, spec)
    area["table"] = PORTS * spec.banks * spec.comparators * table_bank(spec, tech).area_um2
    area["dense"] = spec.banks * dense_bank(spec, tech).area_um2 * is_dense(spec)
    return {name: _plain(um2) for name, um2 in area.items()}


def energy_pj(spec: Spec, tech: Tech) -> Mapping[str, Any]:
    """Return the energy of each action: see `archsim.engines.hash_spgemm.timing.actions`.

    A cycle costs every flip-flop's clock and the control that moves; an idle one the clock alone.
    """
    sram, dense, lane = table_bank(spec, tech), dense_bank(spec, tech), tech.lane(VALUE_BITS)
    logic: dict[str, Any] = dict.fromkeys(COST.energy, 0.0)
    logic["word"] = lane.op_pj
    clock, leakage_uw = spec.lanes * lane.clock_pj, spec.lanes * lane.leakage_uw
    if tech.has_table(TABLE):
        table = tech.table(TABLE)
        logic = table.fit("energy_pj").evaluate(COST.energy, spec)
        clock = table.fit("clock_pj").evaluate(COST.whole, spec)["engine"]
        leakage_uw = table.fit("leakage_uw").evaluate(COST.whole, spec)["engine"]
    control = logic.pop("control_cycle")
    memories = PORTS * spec.comparators * sram.leakage_uw + is_dense(spec) * dense.leakage_uw
    # a slot that is walked is read and emptied; its place in the dense array is read, too
    emptied = sram.read_pj + sram.write_pj + is_dense(spec) * dense.read_pj
    found = {
        **logic,
        "operation": logic["operation"] + spec.comparators * sram.read_pj,
        "slot": logic["slot"] + emptied,
        "table_write": sram.write_pj,
        "entry": is_dense(spec) * dense.write_pj,
        "cycle": clock + control,
        "idle_cycle": clock,
        "leak_ps": (leakage_uw + spec.banks * memories) * PJ_PER_PS_OF_UW,
    }
    return {name: _plain(pj * np.ones(np.shape(spec.lanes))) for name, pj in found.items()}


def fmax_mhz(spec: Spec, tech: Tech) -> Fmax:
    """Return the clock of the longest path, in whole MHz; one through the table begins in it."""
    in_table = table_bank(spec, tech).cycle_ps
    if not tech.has_table(TABLE):
        lane = tech.lane(VALUE_BITS)
        worst = np.maximum(1e6 / lane.fmax_mhz, in_table)
        source = f"{lane.source}, or a cycle of the table's SRAM; what is around was not measured"
        return Fmax(_plain(np.floor(1e6 / worst)), source)
    table = tech.table(TABLE)
    fit = table.fit("delay_ps")
    paths = fit.evaluate(COST.delay, spec)
    paths["bank"] = paths["bank"] + in_table
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
