"""Closing the books on a run: time, bytes, energy and area by op, by resource, by component.

Everything is counted once and the tables must add up: bytes, MACs, energy, and for each resource
busy + stalls + idle = total.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from archsim.design import Design, Sram
from archsim.engines import Rtl
from archsim.epilogue import results_of, row_of
from archsim.plan import LEAK, Memo, Unit, standing_pj
from archsim.result import OpRow, ResourceRow
from archsim.schedule import Placed, Program
from archsim.timeline import Execution, Folded

if TYPE_CHECKING:
    from archsim.tech import Tech

PJ_PER_UW_PS = 1e-6
RESULT, CYCLE = "epilogue_result", "epilogue_cycle"  # of the lanes behind an engine's results


@dataclass(frozen=True, slots=True)
class Books:
    """The tables of a run."""

    per_op: tuple[OpRow, ...]
    per_resource: tuple[ResourceRow, ...]
    energy_pj: dict[str, float]
    area_um2: dict[str, float]
    tied_percent: float


def close(design: Design, program: Program, folded: Folded, tech: Tech, memo: Memo) -> Books:
    """Return the tables of a run."""
    prices = {
        unit.name: memo.cost(("price", design.node, unit.spec), partial(_price, unit, tech))
        for unit in program.units
    }
    buffer = design.memories.buffer
    memory = (
        _PRICED
        if any(unit.engine.whole_chip for unit in program.units)
        else memo.cost(("memory", design.node, buffer), partial(_memory_price, buffer, tech))
    )
    tallies = _tallies(folded)
    per_op = tuple(
        _op_row(
            placed, placed.repeat * program.items, tallies[placed.index],
            prices[placed.unit.name], memory,
        )
        for placed in program.ops
    )  # fmt: skip
    per_resource = tuple(_resource_rows(program, folded.total_ps, tallies))
    occupied = {row.name: 0 for row in per_resource}
    tied = 0
    for placed in program.ops:
        occupied_ps = tallies[placed.index].occupied_ps
        occupied[placed.unit.name] += occupied_ps
        if isinstance(placed.unit.engine.rtl, Rtl) and placed.plan.kind_of_time == "exact":
            tied += occupied_ps
    every = sum(occupied.values())
    energy = _sum_energy(per_op)
    for unit in program.units:
        energy |= _standing_energy(unit, prices[unit.name], folded.total_ps, occupied[unit.name])
    energy["buffer.leakage"] = memory.leakage_uw * folded.total_ps * PJ_PER_UW_PS
    area = {
        f"{unit.name}.{part}": um2
        for unit in program.units
        for part, um2 in prices[unit.name].area_um2.items()
    }
    return Books(
        per_op, per_resource, {name: pj for name, pj in energy.items() if pj},
        area if memory is _PRICED else area | {"buffer": memory.area_um2},
        100 * tied / every if every else 0.0,
    )  # fmt: skip


# ---------------------------------------------------------------------------------------- prices


@dataclass(frozen=True, slots=True)
class _Price:
    """What an engine costs: pJ by action, um2 by component."""

    energy_pj: Mapping[str, float]
    area_um2: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class _MemoryPrice:
    """What the buffer and the way to DRAM cost: pJ a byte; all banks together."""

    read_pj: float
    write_pj: float
    dram_pj: float
    area_um2: float
    leakage_uw: float


_PRICED = _MemoryPrice(0.0, 0.0, 0.0, 0.0, 0.0)  # by an engine: `Engine.whole_chip`


def _price(unit: Unit, tech: Tech) -> _Price:
    found = unit.engine.area_um2(unit.spec, tech)
    energy = dict(unit.engine.energy_pj(unit.spec, tech))
    area = {part: float(um2) for part, um2 in found.items()}
    row = row_of(unit.engine, unit.spec, tech)
    if row is not None:
        area["epilogue"] = row.area_um2
        energy[RESULT], energy[CYCLE] = row.result_pj, row.clock_pj
        energy["idle_cycle"] = energy.get("idle_cycle", 0.0) + row.clock_pj
        energy[LEAK] = energy.get(LEAK, 0.0) + row.leakage_uw * PJ_PER_UW_PS
    return _Price(energy, area)


def _memory_price(buffer: Sram, tech: Tech) -> _MemoryPrice:
    sram = tech.sram(buffer.capacity_bytes // buffer.banks, buffer.bank_width_bytes * 8)
    return _MemoryPrice(
        sram.read_pj / buffer.bank_width_bytes,
        sram.write_pj / buffer.bank_width_bytes,
        tech.dram().pj_per_bit * 8 + tech.link().pj_per_byte,
        buffer.banks * sram.area_um2,
        buffer.banks * sram.leakage_uw,
    )


def _standing_energy(
    unit: Unit, price: _Price, total_ps: int, occupied_ps: int
) -> dict[str, float]:
    """Return what time itself costs an engine: power that always flows, its clock while idle."""
    idle_cycles = (total_ps - occupied_ps) / float(unit.clock.period_ps)
    idle_pj = price.energy_pj.get("idle_cycle", 0.0) * idle_cycles
    standing = standing_pj(price.energy_pj)
    return {
        f"{unit.name}.idle": idle_pj,
        **{f"{unit.name}.{part}": pj * total_ps for part, pj in standing.items()},
    }


def _sum_energy(rows: Iterable[OpRow]) -> dict[str, float]:
    energy: dict[str, float] = {}
    for row in rows:
        for component, pj in row.energy_pj.items():
            energy[component] = energy.get(component, 0.0) + pj
    return energy


# ---------------------------------------------------------------------------------------- ops


@dataclass(slots=True)
class _Tally:
    """What all executions of an op add up to; ``first`` is the first of them."""

    first: Execution
    occupied_ps: int
    stretched_ps: int
    dma_busy_ps: int
    inside_ps: int
    wait_ps: dict[str, int]
    dma_wait_ps: dict[str, int]


def _tallies(folded: Folded) -> dict[int, _Tally]:
    tallies: dict[int, _Tally] = {}
    for run, weight in folded.weighted():
        tally = tallies.get(run.op)
        if tally is None:
            tally = tallies[run.op] = _Tally(run, 0, 0, 0, 0, {}, {})
        tally.occupied_ps += run.occupied_ps * weight
        tally.stretched_ps += run.stretched_ps * weight
        tally.dma_busy_ps += run.dma_busy_ps * weight
        tally.inside_ps += run.inside_ps * weight
        _add(tally.wait_ps, run.wait_ps, weight)
        _add(tally.dma_wait_ps, run.dma_wait_ps, weight)
    return tallies


def _add(total: dict[str, int], part: Mapping[str, int], weight: int = 1) -> None:
    for name, value in part.items():
        total[name] = total.get(name, 0) + value * weight


def _op_row(
    placed: Placed, repeat: int, tally: _Tally, price: _Price, memory: _MemoryPrice
) -> OpRow:
    """Return the row of an op that is run ``repeat`` times."""
    totals, moves = placed.plan.totals, placed.moves
    moved, work = totals["moved_bytes"], totals["work"]
    read, write = moved["in"] + moves.write_bytes, moved["out"] + moves.read_bytes
    engine_pj = sum(
        price.energy_pj.get(action, 0.0) * count for action, count in totals["actions"].items()
    )
    if RESULT in price.energy_pj:
        cycles = sum(totals["split"].values())
        engine_pj += price.energy_pj[RESULT] * results_of(placed.op)
        engine_pj += price.energy_pj[CYCLE] * cycles
    dram_ps = moves.dma_ps + moves.first_ps + moves.prefetch_ps
    waits = tally.wait_ps
    return OpRow(
        name=placed.op.name,
        kind=placed.op.kind,
        engine=placed.unit.name,
        repeat=repeat,
        start_ps=tally.first.begin_ps,
        end_ps=tally.first.end_ps,
        time_ps=tally.occupied_ps + sum(waits.values()),
        occupied_ps=tally.occupied_ps,
        split_cycles={name: cycles * repeat for name, cycles in totals["split"].items()},
        wait_ps=waits,
        macs=work["macs"] * repeat,
        jobs=work["jobs"] * repeat,
        dram_read_bytes=moves.read_bytes * repeat,
        dram_write_bytes=moves.write_bytes * repeat,
        buffer_read_bytes=read * repeat,
        buffer_write_bytes=write * repeat,
        energy_pj={
            placed.unit.name: engine_pj * repeat,
            "buffer": repeat * (read * memory.read_pj + write * memory.write_pj),
            "dram": (moves.read_bytes + moves.write_bytes) * repeat * memory.dram_pj,
        },
        bound=_bound(tally.occupied_ps, dram_ps * repeat, waits),
        mapping=str(placed.plan.mapping),
        kind_of_time=placed.plan.kind_of_time,
        on_chip=(*placed.held_inputs, *(placed.op.outputs if placed.held_output else ())),
        counts={name: number * repeat for name, number in totals["counts"].items()},
        bounds_cycles={name: cycles * repeat for name, cycles in totals["bounds"].items()},
        values=placed.plan.values or "",
        figures=placed.plan.figures,
        why=placed.why,
    )


def _bound(occupied_ps: int, dram_ps: int, waits: Mapping[str, int]) -> str:
    """Name what limits an op: the largest of its work, its traffic, its waiting for others.

    ``latency`` is the rest: first loads and last stores that nothing overlaps.
    """
    exposed = waits["load"] + waits["store"]
    if waits["input"] > max(occupied_ps, exposed):
        return "input"
    if occupied_ps >= dram_ps:
        return "compute" if occupied_ps >= exposed else "latency"
    return "dram" if dram_ps >= exposed else "latency"


# ---------------------------------------------------------------------------------------- resources


def _resource_rows(
    program: Program, total_ps: int, tallies: Mapping[int, _Tally]
) -> Iterable[ResourceRow]:
    dram_busy = dram_bytes = 0
    for unit in program.units:
        engine: dict[str, int] = {}
        dma: dict[str, int] = {}
        split: dict[str, int] = {}
        occupied = stretched = dma_busy = inside_busy = dma_bytes = buffer_bytes = 0
        for placed in program.ops:
            if placed.unit.name != unit.name:
                continue
            repeat, tally = placed.repeat * program.items, tallies[placed.index]
            moves, totals = placed.moves, placed.plan.totals
            occupied += tally.occupied_ps
            stretched += tally.stretched_ps
            inside_busy += tally.inside_ps
            dma_busy += tally.dma_busy_ps
            _add(engine, tally.wait_ps)
            _add(dma, tally.dma_wait_ps)
            _add(split, totals["split"], repeat)
            dma_bytes += (moves.read_bytes + moves.write_bytes) * repeat
            buffer_bytes += sum(totals["moved_bytes"].values()) * repeat
        inside = _split_ps(unit, split, occupied - stretched)
        busy_ps = inside.pop("busy", 0)
        if stretched:
            inside["contention"] = stretched
        yield _row(unit.name, "engine", total_ps, busy_ps, inside | engine, buffer_bytes)
        yield _row(f"{unit.name}.dma", "dma", total_ps, dma_busy, dma, dma_bytes)
        dram_busy += dma_busy + inside_busy
        dram_bytes += dma_bytes
    yield _row("dram", "dram", total_ps, dram_busy, {}, dram_bytes)


def _split_ps(unit: Unit, split_cycles: Mapping[str, int], occupied_ps: int) -> dict[str, int]:
    """Return occupied time by what it was; rounding to ps is busy time's."""
    inside = {n: int(c * unit.clock.period_ps) for n, c in split_cycles.items() if n != "busy"}
    return inside | {"busy": occupied_ps - sum(inside.values())}


def _row(
    name: str, kind: Any, total_ps: int, busy_ps: int, stall_ps: dict[str, int], size_bytes: int
) -> ResourceRow:
    idle_ps = total_ps - busy_ps - sum(stall_ps.values())
    return ResourceRow(name, kind, total_ps, busy_ps, stall_ps, idle_ps, size_bytes)
