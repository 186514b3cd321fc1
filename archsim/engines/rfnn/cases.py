"""Conformance cases: whole layers, trains, tiles, kept and reprogrammed meshes, slow ports."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from archsim.engines import Case, Ints
from archsim.engines.environments import Rng, kinds, one_slow, some_slow, upto
from archsim.engines.gemm import MAX_EXTENT
from archsim.engines.rfnn import jobs as parts
from archsim.engines.rfnn import tensor_train
from archsim.engines.rfnn.jobs import ABS, AFTER, BEFORE, INPUTS, OUTPUTS, RfnnJobs
from archsim.engines.rfnn.spec import PHASE_BITS, TABLE_ENTRIES, RfnnSpec
from archsim.engines.rfnn.timing import PORTS, time
from archsim.engines.rfnn.twin import HELD_MESHES

NS = 1_000  # picoseconds, of a cycle here
SMALL: dict[str, Any] = {
    "clock_mhz": 1_000.0, "adc_bits": 8, "dac_bits": 8, "result_bits": 12, "latch_ps": NS,
    "settle_ps": 3 * NS, "switch_ps": 2 * NS, "cell_ps": NS // 2, "detector_ps": NS,
    "sample_ps": NS, "sclk_div": 1, "chains": 2,
}  # fmt: skip
# both meshes, circuits, drives and readouts; trains; meshes that are shared, kept, all in one
SPECS = tuple(
    RfnnSpec(**{**SMALL, **more})
    for more in (
        {
            "modes": 2, "samples_log2": 1, "buffer_words": 20, "form": "ttm", "sample_ps": 2 * NS,
            "phase_bits": 3,
        },
        {
            "modes": 3, "mesh": "reck", "circuit": "unitary", "drive": "differential",
            "chains": 4, "sclk_div": 2, "phase_bits": 3, "buffer_words": 30, "result_bits": 9,
        },
        {
            "modes": 4, "circuit": "unitary", "cores": "instance", "form": "tt3", "switches": True,
            "chains": 1, "adc_bits": 6, "dac_bits": 9, "latch_ps": 3 * NS, "buffer_words": 24,
        },
        {
            "modes": 8, "circuit": "unitary", "readout": "mag", "cores": "spatial", "form": "ttm",
            "chains": 8, "samples_log2": 2, "sample_ps": 3 * NS, "result_bits": 10,
            "buffer_words": 16, "phase_bits": 3,
        },
        {
            "modes": 2, "circuit": "svd", "drive": "differential", "profiles": 5, "phase_bits": 4,
            "chains": 3, "adc_bits": 10, "buffer_words": 18,
        },
        {
            "modes": 2, "circuit": "unitary", "phase_bits": 2, "chains": 1, "readout": "mag",
            "calibrated": True, "settle_ps": NS, "buffer_words": 8, "cell_ps": 5 * NS,
        },
    )
)  # fmt: skip
MAX_JOBS = 3


def cases(rng: Rng, spec: RfnnSpec | None = None, count: int = 24) -> list[Case]:
    """Return cases whose i-th does not depend on how many are asked for."""
    return [
        _case(child, i, spec or SPECS[i % len(SPECS)]) for i, child in enumerate(rng.spawn(count))
    ]


def _case(rng: Rng, index: int, spec: RfnnSpec) -> Case:
    # every shape meets every environment within 35 cases, every spec as well within 210
    shape_name = list(SHAPES)[index % len(SHAPES)]
    env_name = list(ENVS)[index % len(ENVS)]
    count = upto(rng, MAX_JOBS)
    shapes = [_fitting(rng, spec, SHAPES[shape_name]) for _ in range(count)]
    stages = np.zeros((count, max(map(len, shapes)), 4), np.int64)
    for i, steps in enumerate(shapes):
        stages[i, : len(steps)] = steps
    jobs = _jobs(rng, spec, stages, many=shape_name == "chunks")
    data: dict[str, Ints] = {}
    for i in range(count):
        values = _operands(rng, spec, jobs.take(np.array([i])))
        data |= {f"{name}{i}": array for name, array in values.items()}
    names = ("x", "phase", "table", "c")
    jobs = replace(jobs, refs=tuple({n: f"{n}{i}" for n in names} for i in range(count)))
    envs = tuple(ENVS[env_name](rng, int(n)) for n in time(spec, jobs).cycles)
    return Case(f"{index:03d}-{shape_name}-{env_name}", spec, jobs, envs, data)


def _jobs(rng: Rng, spec: RfnnSpec, stages: Ints, *, many: bool) -> RfnnJobs:
    """Return commands for stages [jobs, stages, 4]; the first one leaves nothing undefined."""
    count, most = stages.shape[:2]
    first = np.arange(count) == 0
    ends = (stages[..., OUTPUTS] > 0).sum(axis=1) - 1
    extents = stages[..., BEFORE] * stages[..., AFTER]
    n = (extents * stages[..., OUTPUTS])[np.arange(count), ends]
    mag = spec.readout == "mag"

    def drawn(high: int, shape: tuple[int, ...]) -> Ints:
        return rng.integers(0, high, shape, endpoint=True)

    def now_and_then(probability: float) -> NDArray[np.bool_]:
        return np.asarray(rng.random(count) < probability)

    jobs = RfnnJobs(
        m=np.array([upto(rng, 3) for _ in range(count)]),
        n=n,
        k=(extents * stages[..., INPUTS])[:, 0],
        accumulate=now_and_then(0.0 if mag else 0.4),
        stages=stages,
        shift=drawn(2, (count, most)) * (np.arange(most) > 0) * (stages[..., OUTPUTS] > 0),
        route=drawn(spec.modes.bit_length() - 1, (count, most)) * spec.switches,
        program=first | now_and_then(0.6),
        calibrate=spec.calibrated & (first | now_and_then(0.1)),
        analog_cycles=spec.analog_cycles + rng.choice([0, 0, 1, 5], count),
        activation=drawn(ABS, (count,)),
    )
    if not many:
        return jobs
    together = parts.chunks(spec, replace(jobs, m=np.full(count, MAX_EXTENT))).vectors
    m = together * rng.integers(1, 3, count) + drawn(1, (count,))
    return replace(jobs, m=np.minimum(m, 12))


def _operands(rng: Rng, spec: RfnnSpec, job: RfnnJobs) -> Mapping[str, Ints]:
    """Return a job's arrays: phases anywhere, or quarters of a turn alone."""
    m, n, k = (int(x[0]) for x in (job.m, job.n, job.k))
    tiles = int(parts.tiles(spec.modes, job).sum())
    grain = int(rng.choice([1, 1 << PHASE_BITS - 2]))
    phase = rng.integers(0, 1 << PHASE_BITS, (tiles, spec.devices)) // grain * grain
    table = rng.integers(0, 1 << spec.phase_bits, (spec.devices, TABLE_ENTRIES))
    return {
        "x": _values(rng, (m, k), spec.dac_bits),
        "phase": phase,
        "table": table,
        "c": _values(rng, (m, n), spec.result_bits),
    }


def _values(rng: Rng, shape: tuple[int, ...], bits: int) -> Ints:
    """Return values over all of a range, now and then its ends alone."""
    low, high = -(1 << bits - 1), (1 << bits - 1) - 1
    if rng.random() < 0.3:
        return rng.choice(np.array([low, high]), shape)
    return rng.integers(low, high, shape, endpoint=True)


# ---------------------------------------------------------------------------------------- shapes

Shape = Callable[[Rng, RfnnSpec], list[list[int]]]


def _fitting(rng: Rng, spec: RfnnSpec, shape: Shape) -> list[list[int]]:
    """Return stages that fit the buffers and the twin's meshes; of one matrix if need be."""
    for _ in range(50):
        stages = shape(rng, spec)
        tiles = sum(-(-p // spec.modes) * -(-q // spec.modes) for p, q, _, _ in stages)
        fits = max(max(p, q) * b * a for p, q, b, a in stages) <= spec.buffer_words
        held = tiles <= {"shared": tiles, "instance": HELD_MESHES, "spatial": 1}[spec.cores]
        whole = spec.readout == "iq" or (len(stages) == 1 and stages[0][INPUTS] <= spec.modes)
        if fits and held and whole:
            return stages
    return _one(rng, spec)


def _one(rng: Rng, spec: RfnnSpec) -> list[list[int]]:
    return [[upto(rng, spec.modes), upto(rng, spec.modes), 1, 1]]


def _tiled(rng: Rng, spec: RfnnSpec) -> list[list[int]]:
    most = 3 * spec.modes
    return [[upto(rng, most), upto(rng, most), 1, 1]]


def _train(rng: Rng, spec: RfnnSpec) -> list[list[int]]:
    cores = 1 + upto(rng, 2)
    outputs, inputs = (tuple(upto(rng, 3) for _ in range(cores)) for _ in range(2))
    form: tensor_train.Form = "tt3" if rng.random() < 0.5 else "ttm"
    steps = tensor_train.stages(form, outputs, inputs, upto(rng, 3))
    return [[step.outputs, step.inputs, step.before, step.after] for step in steps]


def _strided(rng: Rng, spec: RfnnSpec) -> list[list[int]]:
    most = spec.modes + 2
    return [[upto(rng, most), upto(rng, most), upto(rng, 3), upto(rng, 3)]]


SHAPES: Mapping[str, Shape] = {
    "one": _one,
    "tiles": _tiled,
    "train": _train,
    "strided": _strided,
    "chunks": lambda rng, spec: (_train if rng.random() < 0.5 else _tiled)(rng, spec),
}


# ---------------------------------------------------------------------------------- environments


ENVS = kinds(PORTS, inputs=one_slow("stage", "phase", "x"), outputs=some_slow("c", "result"))
