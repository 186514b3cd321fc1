"""Jobs on the mapped netlist: what is switched how often, for the systolic array's energy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from archsim.engines import GemmJobs
from archsim.engines.systolic import beats, timing
from archsim.engines.systolic.reference import reference
from archsim.engines.systolic.spec import SystolicSpec
from archsim.engines.systolic.stationary_terms import BEATS
from archsim.errors import ArchsimError
from archsim.formats import bf16
from archsim.tech.stimuli import exchange, lane_value, normal, reset, word
from archsim.tech.study import Stimulus

if TYPE_CHECKING:
    from archsim.hdl.power import GateSimulator

Shape = tuple[str, int, int, int, bool]  # name, m, n, k, accumulate


def output_stationary_jobs(spec: SystolicSpec) -> list[Shape]:
    """Return jobs that separate the actions: long and short sums, ragged edges, accumulation."""
    rows, cols = spec.rows, spec.cols
    return [
        ("warm-up", rows, cols, 8, False),
        ("four folds", 2 * rows, 2 * cols, 2 * max(rows, cols) + 16, False),
        ("short sums", 2 * rows, cols, 6, False),
        ("accumulate", rows, 2 * cols, 16, True),
        ("ragged", max(rows - 1, 1), max(cols // 2, 1), 24, False),
        ("one row", 1, cols, 24, False),
        ("one column", rows, 1, 24, False),
    ]


def stationary_jobs(spec: SystolicSpec) -> list[Shape]:
    """Return jobs of a weight-stationary array that separate its actions.

    Tiles that stay long and short, sums over one fold and over several, ragged tiles.
    """
    rows, cols, bank = spec.rows, spec.cols, spec.acc_rows
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
    shapes: Sequence[Shape], spec: SystolicSpec, simulator: GateSimulator, rng: np.random.Generator
) -> list[tuple[Stimulus, NDArray[np.int64]]]:
    """Run jobs, the first of them to warm up, and return what each did and switched."""
    reset(simulator)
    found = []
    for i, (name, m, n, k, accumulate) in enumerate(shapes):
        before = simulator.toggles.copy()
        jobs = GemmJobs(
            *(np.array([x]) for x in (m, n, k, accumulate)), refs=({"a": "a", "b": "b", "c": "c"},)
        )
        timed = timing.time(spec, jobs)
        cycles = _job(spec, simulator, rng, jobs, int(timed.beats["result"][0]))
        if i:
            counted = timing.actions(spec, jobs, timed)
            names = BEATS[spec.dataflow]
            counts = {names.get(action, action): int(n[0]) for action, n in counted.items()}
            counts["cycle"] = cycles
            del counts["pe_clock"]
            found.append((Stimulus(f"{name}: {m} x {n} x {k}", counts), simulator.toggles - before))
    return found


def _job(
    spec: SystolicSpec,
    simulator: GateSimulator,
    rng: np.random.Generator,
    jobs: GemmJobs,
    results: int,
) -> int:
    """Run one job with other data in every lane, check the results, return its cycles."""
    m, n, k = (int(x[0]) for x in (jobs.m, jobs.n, jobs.k))
    data = [
        {
            "a": _values(rng, (m, k), spec, spec.a_bits),
            "b": _values(rng, (k, n), spec, spec.b_bits),
            "c": _values(rng, (m, n), spec, spec.acc_bits),
        }
        for _ in range(simulator.lanes)
    ]
    packed = [beats.pack(spec, jobs, 0, d) for d in data]
    streams = {
        port: [[word(p[port][i], bits) for p in packed] for i in range(len(packed[0][port]))]
        for port, bits in (("a", spec.a_bits), ("b", spec.b_bits), ("c", spec.acc_bits))
    }
    words, cycles = exchange(simulator, _command(packed[0]["cmd"]), streams, "result", results)
    for lane in (0, simulator.lanes - 1):
        _check(spec, jobs, data[lane], [r[lane] for r in words])
    return cycles


def _check(
    spec: SystolicSpec, jobs: GemmJobs, data: Mapping[str, Any], words: Sequence[int]
) -> None:
    port = beats.ports(spec)["result"]
    lanes = [
        [lane_value(w >> port.bits * j, port.bits, port.signed) for j in range(port.lanes)]
        for w in words
    ]
    found = beats.unpack(spec, jobs, 0, {"result": np.array(lanes)})["result"]
    (wanted,) = reference(spec, jobs, data)
    if not np.array_equal(wanted["result"], found):
        raise ArchsimError("the mapped netlist's results differ from the reference's")


def _values(
    rng: np.random.Generator, shape: tuple[int, int], spec: SystolicSpec, bits: int
) -> NDArray[np.int64]:
    if spec.numbers == "bf16":
        values = rng.normal(size=shape)
        return bf16.round_to_bf16(values) if bits == 16 else bf16.to_patterns(values)
    return normal(rng, shape, bits)


def _command(fields: Mapping[str, int]) -> int:
    from archsim.hdl.gemm import COMMAND  # noqa: PLC0415

    word = 0
    for name, value in fields.items():
        word |= value << COMMAND[name].offset
    return word
