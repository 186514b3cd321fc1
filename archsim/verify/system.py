"""The system check: DMA, scratchpad and engine in RTL against NumPy and the `event` fidelity.

Values must be equal, bit for bit. Cycles must be those of the walk along the program's hand-overs,
and may differ from `event` by no more than the bound: `archsim.verify.system_bound` derives both.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from archsim import kernel, schedule
from archsim.design import Design
from archsim.engines import GemmJobs, discover
from archsim.errors import InfeasibleError, InputError
from archsim.hdl.descriptors import Geometry
from archsim.hdl.system import System
from archsim.hdl.system_geometry import engine_of, geometry_of
from archsim.memory import DramTiming
from archsim.program import SystemProgram, compile_program
from archsim.simulate import units_of
from archsim.tech import load
from archsim.verify.memory import MemoryTiming
from archsim.verify.simulation import Simulator, default_simulator
from archsim.verify.system_bound import bound_cycles, walk
from archsim.verify.system_cases import SystemCase, cases, reference
from archsim.verify.system_drive import SystemPlan, SystemRecord
from archsim.verify.system_run import run

ORIGIN = 4096 - 24  # of a case's data: blocks cross a page, where no burst may
JOB_FIELDS = ("m", "n", "k", "accumulate")


@dataclass(frozen=True, slots=True)
class SystemRow:
    """Verdict on one case.

    Parameters
    ----------
    event_cycles, walked_cycles, rtl_cycles
        By the model; along the program's hand-overs; in RTL, None if it hung.
    bound_cycles
        By which RTL may differ from the model.
    """

    case: str
    seed: int
    values_equal: bool
    event_cycles: int
    walked_cycles: int
    rtl_cycles: int | None
    bound_cycles: int
    transfers: int
    jobs: int
    simulator: str
    disagreements: tuple[str, ...]
    command: str

    @property
    def ok(self) -> bool:
        return not self.disagreements

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Prepared:
    """A case with its program and what the model says of it."""

    case: SystemCase
    program: SystemProgram
    event_cycles: int
    walked_cycles: int
    timing: MemoryTiming
    bound_cycles: int

    def plan(self) -> SystemPlan:
        program, case = self.program, self.case
        return SystemPlan(
            program.words(), program.transfers, program.jobs, program.image(case.data).hex(),
            program.geometry.word_bytes, asdict(self.timing),
            2 * self.walked_cycles + max((len(x) for x in case.stalls.values()), default=0) + 500,
            case.stalls,
        )  # fmt: skip


def check_system(
    count: int = 40,
    seed: int = 0,
    simulator: Simulator | None = None,
    only: str | None = None,
) -> list[SystemRow]:
    """Run cases on the RTL of the system and return a verdict on each.

    Parameters
    ----------
    count
        How many cases; the first ones are written by hand.
    only
        Name of the single case to run.
    """
    chosen = cases(np.random.default_rng(seed), count, _fits, only)
    if only is not None and not chosen:
        raise InputError("--case", f"must name one of the {count} cases of seed {seed}", only)

    def command(case: SystemCase) -> str:
        return f"archsim rtl check system --cases {count} --seed {seed} --case {case.name}"

    return run_system(chosen, seed, simulator, {case.name: command(case) for case in chosen})


def _fits(case: SystemCase) -> bool:
    """Return whether the scratchpad holds what a drawn mapping keeps in it."""
    try:
        _compiled(case, geometry_of(case.design, engine_of(case.design)))
    except InfeasibleError:
        return False
    return True


def run_system(
    chosen: Sequence[SystemCase],
    seed: int = 0,
    simulator: Simulator | None = None,
    commands: Mapping[str, str] | None = None,
) -> list[SystemRow]:
    """Run given cases; those of equal hardware share a build."""
    simulator = simulator or default_simulator()
    ready = [prepare(case) for case in chosen]
    records: dict[str, SystemRecord] = {}
    geometries = dict.fromkeys((x.program.geometry, engine_of(x.case.design)) for x in ready)
    for geometry, name in geometries:
        mine = [x for x in ready if x.program.geometry == geometry]
        spec: Any = mine[0].case.design.engines[name]
        engine: Any = discover()[spec.kind].rtl
        system = System(engine.build(spec), geometry)
        done = run(system, [x.plan() for x in mine], simulator)
        records |= {x.case.name: record for x, record in zip(mine, done, strict=True)}
    return [
        _row(x, records[x.case.name], seed, simulator, (commands or {}).get(x.case.name, ""))
        for x in ready
    ]


def prepare(case: SystemCase, geometry: Geometry | None = None) -> Prepared:
    """Return a case's program, the cycles that `event` says, and the bound on the difference."""
    design = case.design
    geometry = geometry or geometry_of(design, engine_of(design))
    planned, program = _compiled(case, geometry)
    unit = planned.units[0]
    clock = unit.clock
    event_cycles = clock.next_edge(kernel.run(planned, {}).total_ps)
    timing = memory_timing(design, geometry, clock.period_ps)
    rows = program.tables["jobs"]
    m, n, k, accumulate = (np.array([row[x] for row in rows]) for x in JOB_FIELDS)
    jobs = GemmJobs(m, n, k, accumulate.astype(bool))
    walked = walk(program, timing, unit.engine.time(unit.spec, jobs).occupied.tolist())
    return Prepared(case, program, event_cycles, walked, timing, bound_cycles(program, timing))


def _compiled(case: SystemCase, geometry: Geometry) -> tuple[schedule.Program, SystemProgram]:
    """Return a case's schedule, and what the system runs for it."""
    units, _ = units_of(case.design, load(case.design.node))
    planned = schedule.build(case.design, case.trace, units, None, given=case.mappings)
    return planned, compile_program(planned, case.trace, geometry, case.scales, ORIGIN)


def memory_timing(design: Design, geometry: Geometry, period_ps: Fraction) -> MemoryTiming:
    """Return a design's DRAM as the bench's memory: words a cycle, cycles of latency."""
    dram = DramTiming.of(design)
    word_ps = max(
        dram.burst_ps * geometry.word_bytes / (dram.burst_bytes * dram.channels),
        dram.link_ps_per_byte * geometry.word_bytes,
    )
    pace = max(word_ps / period_ps, Fraction(1))
    latency = -(-dram.latency_ps // period_ps)
    return MemoryTiming(int(latency), pace.denominator, pace.numerator)


def _row(x: Prepared, record: SystemRecord, seed: int, simulator: str, command: str) -> SystemRow:
    different = _value_differences(x, record)
    found = [*record.faults, *different]
    if record.cycles is not None and not x.case.stalls:  # of stalls the model knows nothing
        gap = record.cycles - x.event_cycles
        if record.cycles != x.walked_cycles:
            found.append(f"cycles: RTL {record.cycles}, the walk {x.walked_cycles}")
        if abs(gap) > x.bound_cycles:
            found.append(
                f"cycles: RTL {record.cycles}, event {x.event_cycles}: "
                f"{gap:+d} is beyond the bound of {x.bound_cycles}"
            )
    return SystemRow(
        x.case.name, seed, not different, x.event_cycles, x.walked_cycles, record.cycles,
        x.bound_cycles, x.program.transfers, x.program.jobs, simulator, tuple(found), command,
    )  # fmt: skip


def _value_differences(x: Prepared, record: SystemRecord) -> list[str]:
    if record.cycles is None:
        return ["no values: the program did not end"]
    memory, differences = bytes.fromhex(record.memory), []
    for name, wanted in reference(x.case).items():
        if x.case.trace.tensors[name].role == "activation":
            continue  # it never left the chip
        got: NDArray[Any] = x.program.matrices[name].unpack(memory)
        wrong = np.argwhere(got != wanted)
        if len(wrong):
            at = tuple(int(i) for i in wrong[0])
            differences.append(
                f"{name}: {len(wrong)} of {wanted.size} values differ; at {at} RTL gives "
                f"{got[at]}, the reference {wanted[at]}"
            )
    return differences
