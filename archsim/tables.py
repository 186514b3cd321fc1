"""Closing the books on a run: time, bytes, energy and area by op, by resource, by component.

Everything is counted once and the tables must add up: bytes, MACs, energy, and for each resource
busy + stalls + idle = total.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from archsim.design import Design
from archsim.engines import Rtl
from archsim.memory import OPERAND_PORTS
from archsim.plan import Unit
from archsim.result import OpRow, ResourceRow
from archsim.schedule import Placed, Program
from archsim.timeline import Execution, Folded

if TYPE_CHECKING:
    from archsim.tech import Tech

READ_PORTS = OPERAND_PORTS | {"c"}


@dataclass(frozen=True, slots=True)
class Books:
    """The tables of a run."""

    per_op: tuple[OpRow, ...]
    per_resource: tuple[ResourceRow, ...]
    energy_pj: dict[str, float]
    area_um2: dict[str, float]
    tied_percent: float


@dataclass(frozen=True, slots=True)
class _Prices:
    """Energy of what happens, in pJ."""

    engine: dict[str, dict[str, float]]  # unit, action
    buffer_read_byte: float
    buffer_write_byte: float
    dram_byte: float


def close(design: Design, program: Program, folded: Folded, tech: Tech) -> Books:
    """Return the tables of a run."""
    prices = _prices(design, program, tech)
    per_op = tuple(_op_rows(program, folded, prices))
    per_resource = tuple(_resource_rows(program, folded))
    area = dict(_area(design, program, tech))
    energy: Counter[str] = Counter()
    for row in per_op:
        energy.update(row.energy_pj)
    energy.update(_standing_energy(design, program, folded, tech, prices))
    return Books(per_op, per_resource, dict(energy), area, _tied_percent(program, folded))


# ---------------------------------------------------------------------------------------- prices


def _prices(design: Design, program: Program, tech: Tech) -> _Prices:
    buffer = design.memories.buffer
    sram = tech.sram(buffer.capacity_bytes // buffer.banks, buffer.bank_width_bytes * 8)
    link = tech.link().pj_per_byte
    return _Prices(
        {u.name: dict(u.engine.energy_pj(u.spec, tech)) for u in program.units},
        sram.read_pj / buffer.bank_width_bytes,
        sram.write_pj / buffer.bank_width_bytes,
        tech.dram().pj_per_bit * 8 + link,
    )


def _area(design: Design, program: Program, tech: Tech) -> Iterable[tuple[str, float]]:
    for unit in program.units:
        for part, um2 in unit.engine.area_um2(unit.spec, tech).items():
            yield f"{unit.name}.{part}", float(um2)
    buffer = design.memories.buffer
    sram = tech.sram(buffer.capacity_bytes // buffer.banks, buffer.bank_width_bytes * 8)
    yield "buffer", buffer.banks * sram.area_um2


def _standing_energy(
    design: Design, program: Program, folded: Folded, tech: Tech, prices: _Prices
) -> dict[str, float]:
    """Return what time itself costs: leakage of everything, clocks of idle engines."""
    energy: dict[str, float] = {}
    total_ps = folded.total_ps
    occupied = Counter[str]()
    for execution, weight in folded.weighted():
        occupied[program.ops[execution.op].unit.name] += execution.occupied_ps * weight
    for unit in program.units:
        price = prices.engine[unit.name]
        idle_cycles = (total_ps - occupied[unit.name]) / float(unit.clock.period_ps)
        energy[f"{unit.name}.idle"] = price.get("idle_cycle", 0.0) * idle_cycles
        energy[f"{unit.name}.leakage"] = price.get("leak_ps", 0.0) * total_ps
    buffer = design.memories.buffer
    sram = tech.sram(buffer.capacity_bytes // buffer.banks, buffer.bank_width_bytes * 8)
    energy["buffer.leakage"] = buffer.banks * sram.leakage_uw * total_ps * 1e-6  # uW x ps = 1e-6 pJ
    return {name: pj for name, pj in energy.items() if pj}


# ---------------------------------------------------------------------------------------- ops


def _op_rows(program: Program, folded: Folded, prices: _Prices) -> Iterable[OpRow]:
    first: dict[int, Execution] = {}
    waits: dict[int, Counter[str]] = {}
    occupied: Counter[int] = Counter()
    for execution, weight in folded.weighted():
        first.setdefault(execution.op, execution)
        occupied[execution.op] += execution.occupied_ps * weight
        tally = waits.setdefault(execution.op, Counter())
        for cause, ps in execution.wait_ps.items():
            tally[cause] += ps * weight
    for placed in program.ops:
        run = first[placed.index]
        yield _op_row(program, placed, run, occupied[placed.index], waits[placed.index], prices)


def _op_row(
    program: Program,
    placed: Placed,
    run: Execution,
    occupied_ps: int,
    waits: Counter[str],
    prices: _Prices,
) -> OpRow:
    repeat, totals, moves = placed.op.repeat, placed.plan.totals, placed.moves
    moved = totals["moved_bytes"]
    read = sum(b for p, b in moved.items() if p in READ_PORTS) + moves.write_bytes
    write = sum(b for p, b in moved.items() if p not in READ_PORTS) + moves.read_bytes
    engine_pj = sum(
        prices.engine[placed.unit.name].get(action, 0.0) * count
        for action, count in totals["actions"].items()
    )
    dram_ps = sum(moves.load_ps) + moves.prefetch_ps + sum(moves.store_ps)
    return OpRow(
        name=placed.op.name,
        kind=placed.op.kind,
        engine=placed.unit.name,
        repeat=repeat,
        start_ps=run.begin_ps,
        end_ps=run.end_ps,
        time_ps=occupied_ps + sum(waits.values()),
        occupied_ps=occupied_ps,
        split_cycles={name: cycles * repeat for name, cycles in totals["split"].items()},
        wait_ps=dict(waits),
        macs=totals["work"]["macs"] * repeat,
        jobs=totals["work"]["jobs"] * repeat,
        dram_read_bytes=moves.read_bytes * repeat,
        dram_write_bytes=moves.write_bytes * repeat,
        buffer_read_bytes=read * repeat,
        buffer_write_bytes=write * repeat,
        energy_pj={
            placed.unit.name: engine_pj * repeat,
            "buffer": repeat * (read * prices.buffer_read_byte + write * prices.buffer_write_byte),
            "dram": (moves.read_bytes + moves.write_bytes) * repeat * prices.dram_byte,
        },
        bound=_bound(occupied_ps, dram_ps * repeat, waits),
        mapping=_mapping_text(placed.plan.mapping),
        kind_of_time=placed.plan.timing.kind,
        on_chip=(*placed.held_inputs, *(placed.op.outputs if placed.held_output else ())),
    )


def _bound(occupied_ps: int, dram_ps: int, waits: Counter[str]) -> str:
    """Name what limits an op: the largest of its work, its traffic, its waiting for others.

    ``latency`` is the rest: first loads and last stores that nothing overlaps.
    """
    exposed = waits["load"] + waits["store"]
    if waits["input"] > max(occupied_ps, exposed):
        return "input"
    if occupied_ps >= dram_ps:
        return "compute" if occupied_ps >= exposed else "latency"
    return "dram" if dram_ps >= exposed else "latency"


def _mapping_text(mapping: Any) -> str:
    if hasattr(mapping, "slices"):
        return f"{mapping.slices} slices"
    text = f"m={mapping.m} n={mapping.n} k={mapping.k} {mapping.order}"
    text += f" resident={mapping.resident}" if mapping.resident else ""
    return text + (f" groups={mapping.groups}" if mapping.groups > 1 else "")


# ---------------------------------------------------------------------------------------- resources


def _resource_rows(program: Program, folded: Folded) -> Iterable[ResourceRow]:
    total_ps = folded.total_ps
    dram_busy = dram_bytes = 0
    for unit in program.units:
        engine: Counter[str] = Counter()
        dma: Counter[str] = Counter()
        occupied = dma_busy = dma_bytes = buffer_bytes = 0
        split: Counter[str] = Counter()
        for execution, weight in folded.weighted():
            placed = program.ops[execution.op]
            if placed.unit.name != unit.name:
                continue
            occupied += execution.occupied_ps * weight
            engine.update({c: ps * weight for c, ps in execution.wait_ps.items()})
            dma.update({c: ps * weight for c, ps in execution.dma_wait_ps.items()})
            dma_busy += execution.dma_busy_ps * weight
            moves, totals = placed.moves, placed.plan.totals
            dma_bytes += (moves.read_bytes + moves.write_bytes) * weight
            buffer_bytes += sum(totals["moved_bytes"].values()) * weight
            split.update({n: c * weight for n, c in totals["split"].items()})
        inside = _split_ps(unit, split, occupied)
        busy_ps = inside.pop("busy", 0)
        yield _row(unit.name, "engine", total_ps, busy_ps, inside | dict(engine), buffer_bytes)
        yield _row(f"{unit.name}.dma", "dma", total_ps, dma_busy, dict(dma), dma_bytes)
        dram_busy += dma_busy
        dram_bytes += dma_bytes
    yield _row("dram", "dram", total_ps, dram_busy, {}, dram_bytes)


def _split_ps(unit: Unit, split_cycles: Counter[str], occupied_ps: int) -> dict[str, int]:
    """Return occupied time by what it was; rounding to ps is busy time's."""
    inside = {n: int(c * unit.clock.period_ps) for n, c in split_cycles.items() if n != "busy"}
    return inside | {"busy": occupied_ps - sum(inside.values())}


def _row(
    name: str, kind: Any, total_ps: int, busy_ps: int, stall_ps: dict[str, int], size_bytes: int
) -> ResourceRow:
    idle_ps = total_ps - busy_ps - sum(stall_ps.values())
    return ResourceRow(name, kind, total_ps, busy_ps, stall_ps, idle_ps, size_bytes)


def _tied_percent(program: Program, folded: Folded) -> float:
    tied = every = 0
    for execution, weight in folded.weighted():
        placed = program.ops[execution.op]
        every += execution.occupied_ps * weight
        if isinstance(placed.unit.engine.rtl, Rtl) and placed.plan.timing.kind == "exact":
            tied += execution.occupied_ps * weight
    return 100 * tied / every if every else 0.0
