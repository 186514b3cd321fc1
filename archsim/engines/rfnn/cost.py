"""Area, clock and energy of the RF engine: its control, its memories, the parts around them.

The control's logic is priced by fits through syntheses of its RTL (`terms`, `study`); in a node
that has none of them it has no cost and no limit of its clock, which results say. Memories are the
technology's SRAMs, two of half the rows where one is read and written at once: the two buffers
between stages, the codes that are kept for programming, the calibration. Parts around the control
have power (`power`) and no area: boards and dies of them differ too much for a number without a
source, so they are counted instead.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from archsim.engines import Fmax, Ints, SpecBatch, Timing
from archsim.engines.gemm.cost import BANKS
from archsim.engines.rfnn import jobs as fields
from archsim.engines.rfnn import power, terms, timing
from archsim.engines.rfnn.jobs import OUTPUTS, RfnnJobs
from archsim.engines.rfnn.meshes import parts_of
from archsim.engines.rfnn.spec import TABLE_ENTRIES, RfnnSpec
from archsim.engines.rfnn.terms import TERMS
from archsim.tech.sram import SramCost

if TYPE_CHECKING:
    from archsim.tech import Table, Tech

TABLE = "rfnn"  # of the control's syntheses
PJ_PER_PS_OF_UW = 1e-6
BUFFERS = 2  # between stages
BITS_A_BYTE = 8

Spec = RfnnSpec | SpecBatch


@dataclass(frozen=True, slots=True)
class Memory:
    """Equal memories, each of `BANKS` SRAMs like the one given; ``count`` may be none."""

    count: Any
    sram: SramCost


def memories(spec: Spec, tech: Tech) -> Mapping[str, Memory]:
    """Return the memories of the control by component."""
    word = spec.lanes * spec.result_bits
    row = spec.chains * spec.phase_bits
    codes = np.asarray(spec.devices) * TABLE_ENTRIES
    calibrated = np.where(spec.calibrated, 1, 0)

    def memory(count: Any, rows: Any, bits: Any) -> Memory:
        return Memory(count, tech.sram(rows * bits / (BITS_A_BYTE * BANKS), bits))

    return {
        "buffers": memory(BUFFERS, spec.buffer_words, word),
        "profiles": memory(1, spec.profiles * spec.chain_devices, row),
        "calibration": memory(calibrated, codes, spec.phase_bits),
    }


def area_um2(spec: Spec, tech: Tech) -> dict[str, Any]:
    """Return the area of the control and its memories by component; parts around are counted."""
    logic = tech.table(TABLE).fit("area_um2").evaluate(TERMS.area, spec) if measured(tech) else {}
    return logic | {
        name: power.plain(BANKS * memory.count * memory.sram.area_um2)
        for name, memory in memories(spec, tech).items()
        if np.any(memory.count)
    }


def measured(tech: Tech) -> bool:
    """Return whether a node has syntheses of the control."""
    return tech.measured(TABLE)


def fmax_mhz(spec: Spec, tech: Tech) -> Fmax:
    """Return the clock of the longest path, which begins with a cycle of the buffers' SRAM."""
    if not measured(tech):
        return Fmax(power.plain(np.full(np.shape(spec.modes), np.inf)), "not synthesised")
    paths = tech.table(TABLE).fit("delay_ps").evaluate(TERMS.delay, spec)
    paths["words"] = paths["words"] + memories(spec, tech)["buffers"].sram.cycle_ps
    worst = np.maximum.reduce([np.asarray(path, float) for path in paths.values()])
    return Fmax(power.plain(np.floor(1e6 / worst)), _source(tech.table(TABLE)))


def _source(table: Table) -> str:
    largest = max(row["spec"]["modes"] for row in table.rows)
    error = table.fit("delay_ps").max_error_percent
    return (
        f"fit through {len(table.rows)} syntheses of controls of up to {largest} modes in "
        f"{table.made['library']} ({table.made['yosys']}), error at most {error:g} % on held-out "
        "ones; a path through a buffer begins with a cycle of its SRAM; no wires, no clock tree, "
        "typical corner"
    )


def energy_pj(spec: Spec, tech: Tech) -> dict[str, Any]:
    """Return the energy of each action, and what flows all the time by part.

    ``control_cycle`` is every flip-flop's clock and what moves in an occupied cycle; ``idle_cycle``
    the clock alone.
    """
    stores = memories(spec, tech)
    buffers, profiles, table = (stores[name].sram for name in stores)
    leakage_uw = sum(BANKS * x.count * x.sram.leakage_uw for x in stores.values())
    logic: dict[str, Any] = {}
    if measured(tech):
        fits = tech.table(TABLE)
        (clock,) = fits.fit("clock_pj").evaluate(TERMS.whole, spec).values()
        (leaking,) = fits.fit("leakage_uw").evaluate(TERMS.whole, spec).values()
        logic = fits.fit("energy_pj").evaluate(TERMS.energy, spec)
        logic["control_cycle"] = logic["control_cycle"] + clock
        logic["idle_cycle"] = clock
        leakage_uw = leakage_uw + leaking
    prices = logic | {
        "buffer_read": buffers.read_pj,
        "buffer_write": buffers.write_pj,
        "code_read": profiles.read_pj,
        "code_write": profiles.write_pj,
        "calibration_read": np.where(spec.calibrated, table.read_pj, 0.0),
        "calibration_write": np.where(spec.calibrated, table.write_pj, 0.0),
        "shifter_cycle": power.shifter_cycle_pj(spec),
        "leak_ps": leakage_uw * PJ_PER_PS_OF_UW,
    }
    standing = {f"leak_ps.{part}": pj for part, pj in power.standing_pj(spec).items()}
    return {name: power.plain(pj) for name, pj in prices.items()} | standing


def actions(spec: RfnnSpec, jobs: RfnnJobs, timing_of_jobs: Timing) -> Mapping[str, Ints]:
    """Return how often each job does what costs energy: the control's actions, and more.

    ``buffer_read`` and ``buffer_write`` count words, those of sums that are added to included;
    ``code_read`` and ``code_write`` rows of codes for the chains; ``shifter_cycle`` occupied cycles
    of the phase shifters that are built for the layer. `terms.actions` has the others.
    """
    control = terms.actions(spec, jobs, timing_of_jobs)
    stored = control["average"]
    around = jobs.m[:, None] * jobs.stages[..., fields.BEFORE] * jobs.stages[..., fields.AFTER]
    added = stored - (around * jobs.stages[..., OUTPUTS]).sum(axis=1)  # to the sum of other tiles
    fetched = np.asarray(fields.fetches(spec, jobs) * fields.tiles(spec.modes, jobs).sum(axis=1))
    return control | {
        "buffer_read": control["amplitude"] + added + control["result"],
        "buffer_write": stored + control["operand"],
        "code_read": timing.programmed(spec, jobs) * spec.chain_devices,
        "code_write": fetched * spec.devices,
        "calibration_read": fetched * spec.devices * spec.calibrated,
        "calibration_write": jobs.calibrate * spec.devices * TABLE_ENTRIES,
        "shifter_cycle": _own_shifters(spec, jobs) * timing_of_jobs.occupied,
    }


def _own_shifters(spec: RfnnSpec, jobs: RfnnJobs) -> Ints:
    """Return the phase shifters that are built for the layer of each job."""
    if spec.cores == "shared":
        return np.zeros_like(jobs.n)
    layers, which = np.unique(np.stack([jobs.n, jobs.k], axis=1), axis=0, return_inverse=True)
    found = np.array([parts_of(spec, n, k).shifters for n, k in layers.tolist()], np.int64)
    return found[which.ravel()]
