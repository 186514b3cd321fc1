"""Operands of a job as the beats of its ports, and result beats as an array."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from archsim.engines import Data, Ints, Port
from archsim.engines.vector.reference import BIAS, MULTIPLIER, SHIFT
from archsim.engines.vector.spec import VectorJobs, VectorSpec
from archsim.formats.requantise import MAX_SHIFT

SHIFT_BITS = MAX_SHIFT.bit_length()


def ports(spec: VectorSpec) -> Mapping[str, Port]:
    """Return the streams.

    Beat ``i taps + t`` of ``x`` is tap t of results ``i lanes`` and on; narrow operands come
    extended by their sign, or by zeros if they have none. Beat i of ``y`` holds those results. Beat
    s of ``parameters`` holds each lane's bias, multiplier and shift, bias lowest, for beats
    ``s hold`` and on of ``y``. Lanes beyond the last result carry zeros.
    """
    return {
        "x": Port("in", spec.lanes, spec.lane_bits),
        "parameters": Port(
            "in",
            spec.lanes,
            spec.lane_bits + spec.scale_bits + SHIFT_BITS,
            signed=False,
            shares=False,  # one beat a set of parameters, not one a beat of operands
        ),
        "y": Port("out", spec.lanes, spec.lane_bits),
    }


def pack(spec: VectorSpec, jobs: VectorJobs, row: int, data: Data) -> Mapping[str, Any]:
    """Return the command and the beats [beats, lanes] of every input port."""
    if jobs.refs is None:
        raise ValueError("jobs name no operands: beats need refs x, parameters and tensor")
    refs = jobs.refs[row]
    results, taps, hold = (int(x[row]) for x in (jobs.results, jobs.taps, jobs.hold))
    beats = -(-results // spec.lanes)
    x = np.zeros((beats * spec.lanes, taps), np.int64)
    x[:results] = data[refs["x"]]
    tensor = ("bias", "multiplier", "zero_point", "low", "high")
    values = [int(value) for value in data[refs["tensor"]]]
    return {
        "cmd": {
            "beats": beats,
            "taps": taps,
            "hold": hold,
            "alternate": int(jobs.alternate[row]),
            "maximum": int(jobs.maximum[row]),
            **dict(zip(tensor, values, strict=True)),
        },
        "x": x.reshape(beats, spec.lanes, taps).transpose(0, 2, 1).reshape(-1, spec.lanes),
        "parameters": _words(spec, np.asarray(data[refs["parameters"]])),
    }


def _words(spec: VectorSpec, parameters: Ints) -> NDArray[np.object_]:
    """Return lanes' parameters [sets, lanes] as unsigned words, which need not fit 64 bits."""
    bias, multiplier, shift = (
        parameters[:, :, i].astype(object) % 2**bits
        for i, bits in ((BIAS, spec.lane_bits), (MULTIPLIER, spec.scale_bits), (SHIFT, SHIFT_BITS))
    )
    words = bias + multiplier * 2**spec.lane_bits
    return np.asarray(words + shift * 2 ** (spec.lane_bits + spec.scale_bits), object)


def unpack(
    spec: VectorSpec, jobs: VectorJobs, row: int, beats: Mapping[str, Ints]
) -> Mapping[str, NDArray[Any]]:
    """Return ``y`` [results] of the beats on port ``y``."""
    return {"y": beats["y"].reshape(-1)[: int(jobs.results[row])]}
