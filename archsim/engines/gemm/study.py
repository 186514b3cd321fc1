"""What studies of engines that multiply matrices share: Verilog, and jobs on the mapped netlist."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from archsim.engines import NO_STALLS, Engine, GemmJobs, Ints, Rtl
from archsim.errors import ArchsimError
from archsim.tech.stimuli import exchange, lane_value, normal, reset, word
from archsim.tech.study import Stimulus

if TYPE_CHECKING:
    from archsim.hdl.power import GateSimulator

STIMULUS = (
    "GEMM jobs on the mapped netlist, 64 data sets side by side; operands normal, {}; ports never "
    "stall; a warm-up job first; results checked against NumPy"
)
FULL_SCALE = "full scale at 3 sigma, clipped"  # of `integers`
Shape = tuple[str, int, int, int, bool]  # name, m, n, k, accumulate
Operands = Callable[[np.random.Generator, Any, int, int, int], Mapping[str, Ints]]
DataSets = Callable[[np.random.Generator, Any, int, int, int, int], Sequence[Mapping[str, Ints]]]
Told = Callable[[Any, GemmJobs, Mapping[str, Ints]], GemmJobs]


def hardware(engine: Engine) -> Rtl:
    """Return the engine's RTL face, which what is measured must have."""
    if not isinstance(engine.rtl, Rtl):
        raise TypeError(f"engine {engine.kind} has no RTL to measure")
    return engine.rtl


def verilog(engine: Engine, spec: Any) -> str:
    """Return the engine's Verilog; its top module has the name of the kind."""
    from archsim.hdl.emit import to_verilog  # noqa: PLC0415 (simulating needs no HDL)

    return to_verilog(hardware(engine).build(spec), engine.kind)


def integers(rng: np.random.Generator, spec: Any, m: int, n: int, k: int) -> Mapping[str, Ints]:
    """Return operands that are distributed normally."""
    return {
        "a": normal(rng, (m, k), spec.a_bits),
        "b": normal(rng, (k, n), spec.b_bits),
        "c": normal(rng, (m, n), spec.acc_bits),
    }


# ---------------------------------------------------------------------------------------- jobs


def output_stationary_jobs(spec: Any, depth: int = 1) -> list[Shape]:
    """Return jobs that separate the actions of an array that keeps its sums.

    Long and short sums, ragged edges, accumulation.

    Parameters
    ----------
    depth
        Elements of k that a step takes.
    """
    rows, cols = spec.rows, spec.cols
    shapes = [
        ("warm-up", rows, cols, 8, False),
        ("four folds", 2 * rows, 2 * cols, 2 * max(rows, cols) + 16, False),
        ("short sums", 2 * rows, cols, 6, False),
        ("accumulate", rows, 2 * cols, 16, True),
        ("ragged", max(rows - 1, 1), max(cols // 2, 1), 24, False),
        ("one row", 1, cols, 24, False),
        ("one column", rows, 1, 24, False),
    ]
    return [(name, m, n, k * depth, accumulate) for name, m, n, k, accumulate in shapes]


def stationary_jobs(rows: int, cols: int, bank: int) -> list[Shape]:
    """Return jobs of an array that keeps B, ``rows`` of k at a time, that separate its actions.

    Tiles that stay long and short, sums over one fold and over several, ragged tiles.
    """
    return [
        ("warm-up", 4, cols, rows, False),
        ("sums of folds", bank, 2 * cols, 3 * rows, False),
        ("tiles stay long", 2 * bank, cols, rows, False),
        ("tiles stay short", 2, 3 * cols, 3 * rows, False),
        ("accumulate", bank, cols, 2 * rows, True),
        ("ragged", bank, max(cols // 2, 1), max(rows - 1, 1), False),
        ("one column", bank, 1, rows, False),
        ("one deep", bank, cols, 1, False),
    ]


def run(
    engine: Engine,
    shapes: Sequence[Shape],
    spec: Any,
    simulator: GateSimulator,
    rng: np.random.Generator,
    *,
    operands: Operands = integers,
    data_sets: DataSets | None = None,
    told: Told = lambda spec, jobs, data: jobs,
    roles: Mapping[str, str] | None = None,
) -> list[tuple[Stimulus, NDArray[np.int64]]]:
    """Run jobs, the first of them to warm up, and return what each did and switched.

    Parameters
    ----------
    operands
        ``(rng, spec, m, n, k)`` to the operands of one of the simulator's lanes.
    data_sets
        ``(rng, spec, m, n, k, lanes)`` to those of all lanes, instead: where values decide on
        cycles, all must take the same.
    told
        ``(spec, jobs, data)`` to jobs that say of a data set's values what they can.
    roles
        What the terms call actions of the engine, where that is not their name.
    """
    reset(simulator)
    found = []
    for i, (name, m, n, k, accumulate) in enumerate(shapes):
        before = simulator.toggles.copy()
        jobs = GemmJobs(
            *(np.array([x]) for x in (m, n, k, accumulate)), refs=({"a": "a", "b": "b", "c": "c"},)
        )
        if data_sets:
            data = data_sets(rng, spec, m, n, k, simulator.lanes)
        else:
            data = [operands(rng, spec, m, n, k) for _ in range(simulator.lanes)]
        jobs = told(spec, jobs, data[0])
        timed = engine.time(spec, jobs, NO_STALLS, data[0])
        cycles = run_job(engine, spec, simulator, jobs, data, int(timed.beats["result"][0]))
        if i:
            counted = engine.actions(spec, jobs, timed)
            names = roles or {}
            counts = {names.get(action, action): int(n[0]) for action, n in counted.items()}
            counts["cycle"] = cycles
            del counts["pe_clock"]
            found.append((Stimulus(f"{name}: {m} x {n} x {k}", counts), simulator.toggles - before))
    return found


def run_job(
    engine: Engine,
    spec: Any,
    simulator: GateSimulator,
    jobs: GemmJobs,
    data: Sequence[Mapping[str, Ints]],
    results: int,
) -> int:
    """Run one job with other data in every lane, check the results, return its cycles."""
    rtl = hardware(engine)
    packed = [rtl.pack(spec, jobs, 0, d) for d in data]
    ports = rtl.ports(spec)
    streams = {
        port: [[word(p[port][i], ports[port].bits) for p in packed] for i in range(count)]
        for port, count in ((port, len(packed[0][port])) for port in ("a", "b", "c"))
    }
    words, cycles = exchange(simulator, _command(packed[0]["cmd"]), streams, "result", results)
    for lane in (0, simulator.lanes - 1):
        _check(engine, spec, jobs, data[lane], [r[lane] for r in words])
    return cycles


def _check(
    engine: Engine, spec: Any, jobs: GemmJobs, data: Mapping[str, Any], words: Sequence[int]
) -> None:
    rtl = hardware(engine)
    port: Any = rtl.ports(spec)["result"]
    lanes = [
        [lane_value(w >> port.bits * j, port.bits, port.signed) for j in range(port.lanes)]
        for w in words
    ]
    found = rtl.unpack(spec, jobs, 0, {"result": np.array(lanes)})["result"]
    (wanted,) = engine.reference(spec, jobs, data)
    if not np.array_equal(wanted["result"], found):
        raise ArchsimError("the mapped netlist's results differ from the reference's")


def _command(fields: Mapping[str, int]) -> int:
    from archsim.hdl.gemm import COMMAND  # noqa: PLC0415 (simulating needs no HDL)

    word = 0
    for name, value in fields.items():
        word |= value << COMMAND[name].offset
    return word
