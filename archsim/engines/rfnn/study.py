"""How the cost table of the RF control is measured: configurations, parts, stimuli.

Converters are wired to each other: what is sent out as an amplitude comes back as a sample. Small
memories of flip-flops stand in for the buffers and the kept codes and are left out of every figure;
the table of stages is flip-flops indeed.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from archsim.engines import Ints
from archsim.engines.rfnn import beats, terms, timing
from archsim.engines.rfnn.jobs import PASS, RfnnJobs
from archsim.engines.rfnn.reference import reference
from archsim.engines.rfnn.spec import PHASE_BITS, RfnnSpec
from archsim.errors import ArchsimError
from archsim.tech.stimuli import SIGMAS_OF_FULL_SCALE, exchange, lane_value, normal, reset, word
from archsim.tech.study import Stimulus, Study

if TYPE_CHECKING:
    from archsim.hdl.power import GateSimulator
    from archsim.hdl.synth import SynthResult

TOP = "rfnn"
MEMORIES = (f"{TOP}_buffer", f"{TOP}_profiles")
STIMULUS = (
    "layers on the mapped netlist, 64 data sets side by side; operands normal, full scale at "
    f"{SIGMAS_OF_FULL_SCALE:g} sigma; amplitudes come back as samples; ports never stall; a "
    "warm-up job first; results checked against NumPy; buffers and kept codes left out"
)
FIELDS = (
    "modes", "readout", "phase_bits", "chains", "samples_log2", "adc_bits", "dac_bits",
    "result_bits", "buffer_words",
)  # fmt: skip


def _specs(*configurations: tuple[Any, ...]) -> tuple[RfnnSpec, ...]:
    return tuple(RfnnSpec(**dict(zip(FIELDS, c, strict=True))) for c in configurations)


FITTED = _specs(
    (2, "iq", 6, 2, 0, 8, 8, 16, 16), (4, "iq", 6, 4, 0, 12, 12, 24, 16),
    (4, "mag", 6, 4, 4, 12, 12, 24, 16), (3, "mag", 8, 1, 2, 10, 8, 12, 128),
    (6, "iq", 4, 12, 0, 8, 12, 16, 16), (2, "mag", 6, 4, 0, 16, 8, 20, 64),
    (4, "iq", 8, 8, 2, 8, 8, 32, 8),
)  # fmt: skip
HELD_OUT = _specs((8, "iq", 6, 8, 0, 12, 12, 24, 16), (5, "iq", 5, 6, 1, 10, 10, 20, 32))
POWERED = _specs(
    (2, "iq", 6, 2, 0, 8, 8, 16, 16), (3, "mag", 4, 6, 2, 8, 8, 12, 32),
    (4, "mag", 6, 8, 1, 10, 8, 20, 16), (3, "iq", 6, 3, 0, 12, 12, 20, 16),
)  # fmt: skip
POWERED_HELD_OUT = _specs((4, "iq", 5, 5, 1, 10, 10, 16, 16))


def verilog(spec: RfnnSpec) -> str:
    """Return the Verilog of the control with its converters wired to each other."""
    from archsim.engines.rfnn.twin_rtl import WiredControl  # noqa: PLC0415 (needs HDL tools)
    from archsim.hdl.emit import to_verilog  # noqa: PLC0415

    return to_verilog(WiredControl(spec), TOP)


def parts(spec: RfnnSpec, result: SynthResult) -> dict[str, float]:
    """Sum module areas; what is left holds the command, counters and accounts."""
    um2 = result.module_um2
    inner = f"{TOP}.control"
    buffer, profiles = (um2[name] for name in MEMORIES)
    found = {
        "amplitudes": um2[f"{inner}.converters"],
        "samples": um2[f"{inner}.readout"],
        "words": um2[f"{inner}.buffers"] - 2 * buffer + um2[f"{inner}.results"],
        "sequencer": um2[f"{inner}.sequencer"],
        "stages": um2[f"{TOP}_stages"],
        "loader": um2[f"{inner}.loader"] - profiles,
    }
    whole = um2[TOP] - 2 * buffer - profiles
    return {**found, "command": whole - sum(found.values())}


def group_of(place: str) -> str:
    """Return the part that a cell belongs to; ``memory`` is none that counts."""
    names = place.split(".")
    if any(name.startswith(("buffer_", "profiles")) for name in names):
        return "memory"
    known = ("converters", "readout", "buffers", "results", "loader")
    return next((name for name in known if name in names), "control")


def path_group(place: str) -> str:
    return "words" if group_of(place) not in ("loader", "control") else "control"


# ---------------------------------------------------------------------------------------- stimuli

Job = tuple[str, int, int, int, int, bool, bool]  # m, outputs, inputs, after, program, accumulate


def jobs_of(spec: RfnnSpec) -> list[Job]:
    """Return jobs that separate the actions: many loads, stores, samples, programmings, results."""
    n, words = spec.modes, spec.buffer_words
    most = min(3 * n, words)
    return [
        ("warm-up", 1, n, n, 1, True, False),
        ("passes", 3, n, n, min(3, words // n), False, False),
        ("programs", 1, min(2 * n, words), n, 1, True, False),
        ("stores", 2, most, 1, 1, False, False),
        ("loads", 2, 1, most, 1, False, False),
        ("narrow", 3, 1, 1, min(6, words), False, False),
        ("accumulates", 2, most, 2, 1, False, True),
    ]


def _job(job: Job) -> RfnnJobs:
    _, m, outputs, inputs, after, program, accumulate = job

    def row(value: Any) -> Any:
        return np.array([value])

    return RfnnJobs(
        row(m), row(outputs * after), row(inputs * after), row(accumulate),
        stages=row([[outputs, inputs, 1, after]]), shift=row([0]), route=row([0]),
        program=row(program), calibrate=row(False), analog_cycles=row(3), activation=row(PASS),
        refs=({name: name for name in ("x", "phase", "c")},),
    )  # fmt: skip


def run(
    spec: RfnnSpec, simulator: GateSimulator, rng: np.random.Generator
) -> list[tuple[Stimulus, NDArray[np.int64]]]:
    """Run jobs, the first of them to warm up, and return what each did and switched."""
    reset(simulator)
    found = []
    for i, job in enumerate(jobs_of(spec)):
        before, jobs = simulator.toggles.copy(), _job(job)
        timed = timing.time(spec, jobs)
        cycles = _run(spec, simulator, rng, jobs, timed)
        if i:
            counted = terms.actions(spec, jobs, timed)
            counts: dict[str, float] = {action: int(n[0]) for action, n in counted.items()}
            counts["cycle"] = cycles
            del counts["control_cycle"]
            text = f"{job[0]}: {job[1]} x {job[2]} x {job[3]}, {job[4]} after"
            found.append((Stimulus(text, counts), simulator.toggles - before))
    return found


def _run(
    spec: RfnnSpec, simulator: GateSimulator, rng: np.random.Generator, jobs: RfnnJobs, timed: Any
) -> int:
    """Run one job with other data in every lane, check the results, return its cycles."""
    from archsim.engines.rfnn.rtl import COMMAND  # noqa: PLC0415 (needs HDL tools)

    data = [_data(spec, rng, jobs, timed) for _ in range(simulator.lanes)]
    packed = [beats.pack(spec, jobs, 0, values) for values in data]
    ports = beats.ports(spec)
    streams = {
        port: [[word(p[port][i], ports[port].bits) for p in packed] for i in range(count)]
        for port, count in ((n, len(packed[0][n])) for n in ("stage", "x", "phase", "c"))
    }
    command = int(COMMAND.const(packed[0]["cmd"]).as_bits())
    results = int(timed.beats["result"][0])
    words, cycles = exchange(simulator, command, streams, "result", results)
    for lane in (0, simulator.lanes - 1):
        got = np.array([lane_value(w[lane], spec.result_bits) for w in words])
        (wanted,) = reference(spec, jobs, data[lane], wired)
        if not np.array_equal(got, wanted["result"].ravel()):
            raise ArchsimError("the mapped netlist's results differ from the reference's")
    return cycles


def wired(spec: RfnnSpec, codes: Ints, route: int, amplitudes: Ints) -> Ints:
    """Return samples of converters that are wired to each other; see `twin.passed`."""
    moved = spec.adc_bits - spec.dac_bits
    samples = amplitudes << moved if moved > 0 else amplitudes >> -moved
    return np.repeat(samples[None], 1 << spec.samples_log2, axis=0)


def _data(
    spec: RfnnSpec, rng: np.random.Generator, jobs: RfnnJobs, timed: Any
) -> Mapping[str, Ints]:
    m, n, k = (int(x[0]) for x in (jobs.m, jobs.n, jobs.k))
    tiles = int(timed.counts["reloads"][0])
    return {
        "x": normal(rng, (m, k), spec.dac_bits),
        "phase": rng.integers(0, 1 << PHASE_BITS, (tiles, spec.devices)),
        "c": normal(rng, (m, n), spec.result_bits),
    }


STUDY = Study(
    engine="rfnn",
    top=TOP,
    fitted=FITTED,
    held_out=HELD_OUT,
    powered=POWERED,
    powered_held_out=POWERED_HELD_OUT,
    verilog=verilog,
    parts=parts,
    part_components={name: (name,) for name in terms.AREA_TERMS},
    path_group=path_group,
    energy_group=group_of,
    group_actions={
        "converters": {"amplitude": ("1", "word_bits")},
        "readout": {
            "sample": tuple(terms.ENERGY_TERMS["sample"]),
            "amplitude": ("adc_bits",), "average": ("port.sum_bits",),
        },
        "buffers": {
            "operand": ("1", "result_bits"), "amplitude": ("word_bits",),
            "average": ("word_bits",), "result": ("result_bits",),
        },
        "results": {"result": ("result_bits",), "amplitude": ("word_bits",)},
        "loader": {
            "phase": tuple(terms.ENERGY_TERMS["phase"]),
            "chain_bit": tuple(terms.ENERGY_TERMS["chain_bit"]),
        },
        "control": {
            "control_cycle": tuple(terms.ENERGY_TERMS["control_cycle"]),
            "amplitude": ("1",), "result": ("1",),
        },
    },
    terms=terms.TERMS,
    run=run,
    stimulus=STIMULUS,
    spec_fields=FIELDS,
    left_out=MEMORIES,
)  # fmt: skip
