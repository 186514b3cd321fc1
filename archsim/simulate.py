"""simulate(design, trace, fidelity) -> Result: the seam that everything above calls."""

from __future__ import annotations

import math
import platform
from collections import Counter
from collections.abc import Mapping
from fractions import Fraction
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

import archsim
from archsim import analytic, kernel, schedule, tables
from archsim.design import PS_PER_MHZ, Clock, Design
from archsim.engines import AssumedClock, Fmax, NoRtl, discover
from archsim.errors import InfeasibleError, InputError
from archsim.fallback import fallback_unit
from archsim.mapper import Objective
from archsim.mapping import Mapping as OpMapping
from archsim.operands import KNOWN, NOTE
from archsim.plan import Memo, Unit
from archsim.result import Fidelity, Metrics, Result
from archsim.score import scored
from archsim.timeline import Folded, fold_repeats
from archsim.trace import Packed, Sampled, Trace

if TYPE_CHECKING:
    from archsim.tech import Tech

PS_PER_S = 10**12
_RUNS = {"analytic": analytic.run, "event": kernel.run}
MAX_STEPS = {"analytic": 50_000_000, "event": 5_000_000}  # buffer tiles: about a minute of each

CONVENTIONS = (
    "fold overlap: folds of one job overlap, jobs of one engine do not",
    "prefetch: an engine's next weights load behind the running op's last loads, if they fit",
    "DMA: one in-order DMA an engine, double-buffered tiles; it takes no cycles of the buffer",
    "epilogue: bias, activation and requantisation keep pace with the drain and cost no time",
    "control: commands, configuration and host time are not modelled",
)
CONVOLUTION = (
    "convolution: DRAM and buffer hold raw input, halo included; "
    "im2col is done on the buffer's read side and costs no cycles"
)
PACKED = (
    "packed weights: DRAM and buffer hold those that were kept, evenly spread, with their places; "
    "they are filled up on the buffer's read side, and arrays multiply by zeros, too"
)
STREAM = "stream: an engine runs items in one static order, and loads weights again for each"
PIPELINE = "pipeline: what crosses stages has room on chip for every item under way, or uses DRAM"


def simulate(
    design: Design,
    trace: Trace,
    fidelity: Fidelity = "analytic",
    *,
    objective: Objective = "time",
    mappings: Mapping[str, OpMapping] | None = None,
    memo: Memo | None = None,
    batches: int = 1,
) -> Result:
    """Return what a trace costs on a design.

    Parameters
    ----------
    fidelity
        ``analytic``: the recurrence of tiles and transfers. ``event``: the same program in SimPy,
        with timelines; it differs where an engine has contention inside its jobs, and is later.
    objective
        What the mapping search minimises, for each op by itself.
    mappings
        By op name, or NAME@ENGINE: mappings that replace the search.
    batches
        Items of a stream: the trace is run so many times, one behind the other on each engine.
    memo
        Plans kept from earlier calls; results do not depend on it.

    Raises
    ------
    InfeasibleError
        If the design cannot be built or the trace cannot fit on it.
    InputError
        If a name or option is unknown.
    """
    from archsim.tech import load  # noqa: PLC0415

    if fidelity not in _RUNS:
        raise InputError("fidelity", f"must be one of {', '.join(_RUNS)}", fidelity)
    tech = load(design.node)
    memo = Memo() if memo is None else memo
    units, notes = units_of(design, tech, _limits(design, tech, memo))
    if type(batches) is not int or batches < 1:
        raise InputError("batches", "must be a positive integer", batches)
    names = {op.name for op in trace.ops}
    unknown = sorted(n for n in mappings or {} if not {n, n.rpartition("@")[0]} & names)
    if unknown:
        raise InputError("mapping", f"must name ops of trace {trace.name!r}", unknown[0])
    host = None if design.fallback is None else fallback_unit(design.fallback)
    program = schedule.build(
        design, trace, units, host, objective=objective, given=mappings, memo=memo, items=batches
    )
    folded = fold_repeats(program, partial(_RUNS[fidelity], program), MAX_STEPS[fidelity])
    books = tables.close(design, program, folded, tech, memo)
    result = Result(
        metrics=_metrics(program, books, folded, fidelity),
        per_op=books.per_op,
        per_resource=books.per_resource,
        energy_pj=books.energy_pj,
        area_um2=books.area_um2,
        peak={
            "macs_per_s": float(sum(_peak(u) * PS_PER_S / u.clock.period_ps for u in units)),
            "dram_bytes_per_s": float(PS_PER_S / program.dram.ps_per_byte),
        },
        assumptions=(
            *_assumptions(units, host, program), *_knowledge(program, trace), *_samples(trace),
            *_packed(trace), *notes, *tech.assumptions,
        ),
        provenance=_provenance(design, trace, units, tech, objective) | {"batches": batches},
        mappings=_mappings(program),
        spans=folded.timeline.spans,
        engines={unit.name: unit.engine.kind for unit in units},
    )  # fmt: skip
    return scored(result, units, trace)


def _knowledge(program: schedule.Program, trace: Trace) -> list[str]:
    """Return what the time of ops rests on where it depends on values."""
    ops = Counter(placed.plan.values for placed in program.ops)
    known = [f"{ops[level]} by {words}" for level, words in KNOWN.items() if ops[level]]
    if not known:
        return []
    text = f"values: {', '.join(known)}: what the time of ops rests on that depends on values"
    return [text, *(note for note in trace.notes if note.startswith(NOTE))]


def _samples(trace: Trace) -> list[str]:
    """Return what a result rests on where a trace holds parts of its operands' values."""
    cut = sum(isinstance(tensor.data, Sampled) for tensor in trace.tensors.values())
    if not cut:
        return []
    known = "1 operand is known by a sample" if cut == 1 else f"{cut} operands are known by samples"
    return [f"samples: {known}; what depends on values rests on them"]


def _packed(trace: Trace) -> list[str]:
    """Return what is assumed of weights that are stored without those that were pruned."""
    return [PACKED] * any(isinstance(tensor.data, Packed) for tensor in trace.tensors.values())


def _limits(design: Design, tech: Tech, memo: Memo) -> dict[str, Fmax]:
    """Return how fast synthesis says that each engine can run."""
    found = {}
    for name, spec in design.engines.items():
        engine = discover()[getattr(spec, "kind", "")]
        found[name] = memo.cost(("fmax", design.node, spec), partial(engine.fmax_mhz, spec, tech))
    return found


def units_of(
    design: Design, tech: Tech, limits: Mapping[str, Fmax] | None = None
) -> tuple[tuple[Unit, ...], list[str]]:
    """Return a design's engines with their clocks, and what was assumed about those.

    Parameters
    ----------
    limits
        By engine: what its `Engine.fmax_mhz` says, where that is known already.

    Raises
    ------
    InfeasibleError
        If a clock is above what synthesis of the engine reaches and not marked as assumed.
    """
    known = discover()
    kinds = {name: known[getattr(spec, "kind", "")] for name, spec in design.engines.items()}
    fmax = limits or {n: kinds[n].fmax_mhz(spec, tech) for n, spec in design.engines.items()}
    shared, notes = _shared_clock(design, fmax)
    units = []
    for name, spec in design.engines.items():
        clock = _clock(name, spec, fmax[name], notes) or shared
        if clock is None:
            raise InputError(
                f"engines.{name}.clock_mhz",
                "must be a frequency: no engine of the design has a synthesised one",
                "auto",
            )
        units.append(Unit(name, kinds[name], spec, clock))
    return tuple(units), notes


def _shared_clock(design: Design, fmax: Mapping[str, Fmax]) -> tuple[Clock | None, list[str]]:
    """Return the clock of all engines on ``auto``: the slowest's Fmax, in whole ps a period."""
    auto = [name for name, spec in design.engines.items() if _asked(spec) == "auto"]
    known = [name for name in auto if not math.isinf(float(fmax[name].mhz))]
    if not known:
        return None, []
    slowest = min(known, key=lambda name: float(fmax[name].mhz))
    limit = float(fmax[slowest].mhz)
    clock = Clock(Fraction(math.ceil(PS_PER_MHZ / limit)))
    note = (
        f"{', '.join(auto)}: one clock of {clock.mhz:.2f} MHz, the Fmax of {slowest}, "
        f"{limit:.2f} MHz, in whole ps a period: {fmax[slowest].source}"
    )
    return clock, [note]


def _asked(spec: Any) -> Any:
    return spec.clock_mhz


def _clock(name: str, spec: Any, fmax: Fmax, notes: list[str]) -> Clock | None:
    """Return the clock that a spec asks for, None for ``auto``."""
    asked = _asked(spec)
    limit = float(fmax.mhz)
    if asked == "auto":
        return None
    if isinstance(asked, AssumedClock):
        notes.append(f"{name}: clock of {asked.mhz:g} MHz is assumed: {asked.assumed}")
        return Clock.of_mhz(asked.mhz)
    if asked > limit:
        raise InfeasibleError(
            f"engines.{name}", demand=asked, bound=round(limit, 1), unit="MHz",
            levers=("lower clock_mhz", "mark it as assumed: {mhz: ..., assumed: reason}"),
        )  # fmt: skip
    bound = "" if math.isinf(limit) else f", Fmax {limit:.1f} MHz"
    notes.append(f"{name}: clock of {asked:g} MHz{bound}: {fmax.source}")
    return Clock.of_mhz(asked)


def _peak(unit: Unit) -> int:
    return unit.engine.peak_macs(unit.spec)


def _mappings(program: schedule.Program) -> dict[str, OpMapping]:
    """Return the mapping of each op, by NAME@ENGINE where rounds of it run on several."""
    times = Counter(placed.op.name for placed in program.ops)
    return {
        p.op.name if times[p.op.name] == 1 else f"{p.op.name}@{p.unit.name}": p.plan.mapping
        for p in program.ops
    }


def _metrics(
    program: schedule.Program, books: tables.Books, folded: Folded, fidelity: Fidelity
) -> Metrics:
    energy_pj = sum(books.energy_pj.values())
    total_ps, items = folded.total_ps, program.items
    steady_ps = total_ps - folded.latency_ps
    rate = (items - 1, steady_ps) if steady_ps else (items, total_ps)
    macs = sum(row.macs for row in books.per_op)
    first = program.units[0].clock
    possible = sum(_peak(u) * total_ps / u.clock.period_ps for u in program.units)
    return Metrics(
        cycles=first.next_edge(total_ps),
        time_us=total_ps / 1e6,
        energy_pj=energy_pj,
        area_mm2=sum(books.area_um2.values()) / 1e6,
        power_mw=energy_pj / total_ps * 1e3 if total_ps else 0.0,
        macs=macs,
        utilisation=float(macs / possible) if possible else 0.0,
        dram_bytes=sum(row.dram_read_bytes + row.dram_write_bytes for row in books.per_op),
        latency_us=folded.latency_ps / 1e6,
        throughput_per_s=rate[0] * PS_PER_S / rate[1] if rate[1] else 0.0,
        energy_per_item_pj=energy_pj / items,
        tied_percent=books.tied_percent,
        fidelity=fidelity,
    )


def _assumptions(
    units: tuple[Unit, ...], host: Unit | None, program: schedule.Program
) -> list[str]:
    lines = list(CONVENTIONS)
    lines += [CONVOLUTION] * any(placed.op.kind == "conv" for placed in program.ops)
    lines += [STREAM] * (program.items > 1) + [PIPELINE] * (program.stages > 1)
    for unit in (*units, *((host,) if host else ())):
        lines += unit.engine.assumptions(unit.spec)
        if isinstance(unit.engine.rtl, NoRtl):
            lines.append(f"{unit.name}: model only: {unit.engine.rtl.reason}")
    return list(dict.fromkeys(lines))


def _provenance(
    design: Design, trace: Trace, units: tuple[Unit, ...], tech: Tech, objective: Objective
) -> dict[str, Any]:
    return {
        "archsim": archsim.__version__,
        "python": platform.python_version(),
        "numpy": np.__version__,
        "design": design.model_dump(mode="json"),
        "design_digest": design.digest(),
        "trace": trace.name,
        "trace_source": trace.source,
        "trace_notes": list(trace.notes),
        "mapping_objective": objective,
        "node": tech.name,
        "clocks_mhz": {unit.name: unit.clock.mhz for unit in units},
    }
