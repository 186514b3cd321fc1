"""How the integer lanes' cost table is measured: configurations, parts, stimuli."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from archsim.engines.vector import beats, terms, timing
from archsim.engines.vector.reference import reference
from archsim.engines.vector.spec import VectorJobs, VectorSpec
from archsim.errors import ArchsimError
from archsim.tech.stimuli import SIGMAS_OF_FULL_SCALE, exchange, lane_value, normal, reset, word
from archsim.tech.study import Stimulus, Study
from archsim.tech.table import CostTerms

if TYPE_CHECKING:
    from archsim.hdl.power import GateSimulator
    from archsim.hdl.synth import SynthResult

TOP = "vector"
STIMULUS = (
    "jobs on the mapped netlist, 64 data sets side by side; operands normal, full scale at "
    f"{SIGMAS_OF_FULL_SCALE:g} sigma, scaled to 8 bits by multipliers of full length; ports never "
    "stall; a warm-up job first; results checked against NumPy"
)


def _specs(*configurations: tuple[int, int, int]) -> tuple[VectorSpec, ...]:
    return tuple(VectorSpec(lanes=n, lane_bits=b, scale_bits=s) for n, b, s in configurations)


FITTED = _specs(
    (2, 32, 32), (8, 32, 32), (1, 32, 16), (4, 24, 24), (4, 16, 16), (16, 16, 16), (2, 24, 16),
    (4, 12, 16), (2, 48, 16), (8, 8, 8), (4, 20, 32),
)  # fmt: skip
HELD_OUT = _specs((32, 32, 32), (6, 24, 32), (3, 32, 24), (12, 16, 24), (5, 40, 16))
POWERED = _specs((2, 32, 32), (1, 32, 16), (2, 24, 24), (4, 16, 16), (2, 16, 24), (4, 8, 8))
POWERED_HELD_OUT = _specs((4, 32, 32), (3, 24, 16), (2, 20, 32))


def verilog(spec: VectorSpec) -> str:
    """Return the unit's Verilog."""
    from archsim.engines.vector import build  # noqa: PLC0415 (it imports this package's faces)
    from archsim.hdl.emit import to_verilog  # noqa: PLC0415

    return to_verilog(build(spec), TOP)


def parts(spec: VectorSpec, result: SynthResult) -> dict[str, float]:
    """Sum module areas; what is left of the top holds parameters and the command."""
    um2 = result.module_um2
    found = {
        "integer": um2[f"{TOP}.row"],
        "control": um2[f"{TOP}.sequencer"] + um2[f"{TOP}.accounts"],
    }
    return {**found, "parameters": um2[TOP] - sum(found.values())}


def group_of(place: str) -> str:
    """Return ``lane``, ``control`` or, for the top's own logic, ``parameters``."""
    head = place.split(".", 1)[0]
    return {"": "parameters", "row": "lane"}.get(head, "control")


def path_group(place: str) -> str:
    return "lane" if group_of(place) == "lane" else "control"


# ---------------------------------------------------------------------------------------- stimuli

Job = tuple[str, int, int, int, int]  # name, beats of results, taps, hold, bits of an operand


def jobs_of(spec: VectorSpec) -> list[Job]:
    """Return jobs that separate the actions: long and short windows, operands wide and narrow."""
    wide, narrow = min(20, spec.lane_bits), min(8, spec.lane_bits)
    return [
        ("warm-up", 4, 1, 1, narrow),
        ("sums", 40, 1, 40, wide),
        ("copies", 40, 1, 40, narrow),
        ("additions", 20, 2, 20, narrow),
        ("windows", 5, 9, 5, narrow),
        ("wide windows", 5, 9, 5, wide),
        ("global", 1, 40, 1, narrow),
        ("channels", 40, 1, 1, wide),
        ("least", 40, 1, 10, 4),
    ]


def run(
    spec: VectorSpec, simulator: GateSimulator, rng: np.random.Generator
) -> list[tuple[Stimulus, NDArray[np.int64]]]:
    """Run jobs, the first of them to warm up, and return what each did and switched."""
    reset(simulator)
    found = []
    for i, job in enumerate(jobs_of(spec)):
        before = simulator.toggles.copy()
        jobs, cycles = _job(spec, simulator, rng, job)
        if i:
            timed = timing.time(spec, jobs)
            counted = timing.actions(spec, jobs, timed)
            counts = {action: int(n[0]) for action, n in counted.items()}
            counts["cycle"] = cycles
            del counts["lane_clock"], counts["lane_op"]
            name, length, taps, hold, bits = job
            text = f"{name}: {length} x {taps} of {bits} bits, {hold} a set"
            found.append((Stimulus(text, counts), simulator.toggles - before))
    return found


def _job(
    spec: VectorSpec, simulator: GateSimulator, rng: np.random.Generator, job: Job
) -> tuple[VectorJobs, int]:
    """Run one job with other data in every lane, check the results, return its cycles."""
    name, length, taps, hold, bits = job
    results = np.array([length * spec.lanes])
    jobs = VectorJobs(
        work=results * taps, results=results, taps=np.array([taps]), hold=np.array([hold]),
        bits=np.array([bits]), alternate=np.array([name == "additions"]),
        maximum=np.array([False]), refs=({n: n for n in ("x", "parameters", "tensor")},),
    )  # fmt: skip
    data = [_data(spec, rng, job) for _ in range(simulator.lanes)]
    for values in data[1:]:
        values["tensor"] = data[0]["tensor"]  # one command for all
    packed = [beats.pack(spec, jobs, 0, values) for values in data]
    ports = beats.ports(spec)
    streams = {
        port: [[word(p[port][i], ports[port].bits) for p in packed] for i in range(count)]
        for port, count in ((name, len(packed[0][name])) for name in ("x", "parameters"))
    }
    words, cycles = exchange(simulator, _command(spec, packed[0]["cmd"]), streams, "y", length)
    for lane in (0, simulator.lanes - 1):
        found = [
            [lane_value(w[lane] >> spec.lane_bits * j, spec.lane_bits) for j in range(spec.lanes)]
            for w in words
        ]
        (wanted,) = reference(spec, jobs, data[lane])
        if not np.array_equal(np.array(found).ravel(), wanted["y"]):
            raise ArchsimError("the mapped netlist's results differ from the reference's")
    return jobs, cycles


def _data(spec: VectorSpec, rng: np.random.Generator, job: Job) -> dict[str, Any]:
    _, length, taps, hold, bits = job
    sets = -(-length // hold)
    top = 2 ** (spec.scale_bits - 1)
    shape = (sets, spec.lanes)
    gain = bits - 8 + taps.bit_length() - 1  # bits that go
    shift = np.full(shape, max(spec.scale_bits - 1 + gain, 0))
    multiplier = rng.integers(top // 2, top, (2, *shape))
    bias = normal(rng, shape, bits)
    return {
        "x": normal(rng, (length * spec.lanes, taps), bits),
        "parameters": np.stack([bias, multiplier[0], shift], axis=2),
        "tensor": np.array([3, int(multiplier[1, 0, 0]), -5, -128, 127]),
    }


def _command(spec: VectorSpec, fields: Mapping[str, int]) -> int:
    from archsim.engines.vector.rtl import command_layout  # noqa: PLC0415

    return int(command_layout(spec).const(fields).as_bits())


STUDY = Study(
    engine="vector",
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
        "lane": {
            name: tuple(terms.ENERGY_TERMS[name])
            for name in ("tap", "operand_bit", "result", "parameter")
        },
        "parameters": {"parameter": ("product_bits",), "tap": ("product_bits",)},
        "control": {"control_cycle": tuple(terms.ENERGY_TERMS["control_cycle"])},
    },
    terms=CostTerms(terms.AREA_TERMS, terms.WHOLE_TERMS, terms.DELAY_TERMS, terms.ENERGY_TERMS),
    run=run,
    stimulus=STIMULUS,
    spec_fields=("lanes", "lane_bits", "scale_bits"),
)
