"""Streams of the RF control: what beats hold, and beats from operands and back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from archsim.engines import Data, Ints, Port
from archsim.engines.rfnn import jobs as fields
from archsim.engines.rfnn.jobs import RfnnJobs
from archsim.engines.rfnn.spec import PHASE_BITS, RfnnSpec

STAGE_LANES = 8  # numbers that say what a stage is
EXTENT_BITS = 24


def ports(spec: RfnnSpec) -> Mapping[str, Port]:
    """Return the streams.

    ``stage``: what each stage is, once a command: outputs, inputs, vectors before and after, words
    from a vector before to the next one in the buffer of outputs and of inputs, shift, route.
    ``x``: A, one element a beat, row by row. ``phase``: unsigned turns of 2^-16, the table of a
    command that calibrates first, then for each tile that is programmed one a device: cells of V^H
    as the wave meets them, splitting phase first, then attenuators, cells of U, output phases.
    ``c`` and ``result``: one element of C a beat, row by row.

    Command: extents of C and of the sum; how many vectors pass together, through how many stages;
    whether partial sums are added, meshes programmed, and again for vectors after the first ones,
    from phases that come again; whether a table comes; what becomes of results (0 nothing, 1 ReLU,
    2 magnitude); cycles from amplitudes to the first sample.

    Pins: ``dac`` holds an amplitude a port, quadratures side by side, set from the cycle after
    ``apply`` on. ``convert`` begins a sample of all outputs; ``adc`` has it in the last cycle of
    its time. ``si`` has a bit a chain, taken at a rising ``sclk``, the highest bit of the device at
    the far end first; devices take what is in the chains while ``le`` is high. ``mesh`` says which
    mesh all this is for, ``switch`` has a bit a switch, high where it crosses.
    """
    return {
        "stage": Port("in", STAGE_LANES, EXTENT_BITS, signed=False, shares=False),
        "x": Port("in", 1, spec.dac_bits),
        "phase": Port("in", 1, PHASE_BITS, signed=False),
        "c": Port("in", 1, spec.result_bits, shares=False),
        "result": Port("out", 1, spec.result_bits),
    }


def pack(spec: RfnnSpec, jobs: RfnnJobs, row: int, data: Data) -> Mapping[str, Any]:
    """Return the command of job ``row`` and the beats that it wants."""
    assert jobs.refs is not None
    refs, one = jobs.refs[row], jobs.take(np.array([row]))
    stages = stage_beats(one)
    tiles = int(fields.tiles(spec.modes, one).sum())
    chunks = fields.chunks(spec, one)
    times = int(fields.fetches(spec, one)[0])  # that all tiles' phases come
    phases: list[NDArray[Any]] = []
    if one.calibrate[0]:
        phases.append(np.asarray(data[refs["table"]]).reshape(-1))
    if times:
        phases += [np.asarray(data[refs["phase"]]).reshape(-1)] * times
    accumulate = bool(one.accumulate[0])
    none = np.zeros(0, np.int64)
    return {
        "cmd": {
            "m": int(one.m[0]),
            "n": int(one.n[0]),
            "k": int(one.k[0]),
            "vectors": int(chunks.vectors[0]),
            "stages": len(stages),
            "accumulate": int(accumulate),
            "program": int(one.program[0]),
            "again": int(chunks.again[0]),
            "refetch": int(tiles > spec.profiles),
            "calibrate": int(one.calibrate[0]),
            "activation": int(one.activation[0]),
            "analog_cycles": int(one.analog_cycles[0]),
        },
        "stage": stages,
        "x": np.asarray(data[refs["x"]]).reshape(-1, 1),
        "phase": np.concatenate(phases or [none]).reshape(-1, 1),
        "c": (np.asarray(data[refs["c"]]) if accumulate else none).reshape(-1, 1),
    }


def stage_beats(job: RfnnJobs) -> Ints:
    """Return the stages of one job as beats [stages, lanes]."""
    used = job.stages[0, :, fields.OUTPUTS] > 0
    stages = job.stages[0, used]  # [stages, 4]
    after = stages[:, fields.AFTER]
    blocks = [stages[:, side] * after for side in (fields.OUTPUTS, fields.INPUTS)]
    columns = [*stages.T, *blocks, job.shift[0, used], job.route[0, used]]
    return np.stack(columns, axis=1)


def unpack(
    spec: RfnnSpec, jobs: RfnnJobs, row: int, beats: Mapping[str, Ints]
) -> Mapping[str, NDArray[Any]]:
    """Return ``result`` [m, n] of the beats on port ``result``."""
    return {"result": beats["result"].reshape(int(jobs.m[row]), int(jobs.n[row]))}
