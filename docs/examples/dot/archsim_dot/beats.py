"""Operands of a job as the beats of its ports, and result beats as an array."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from archsim.engines import Data, Ints, Port
from archsim_dot.spec import DotJobs, DotSpec, steps


def ports(spec: DotSpec) -> Mapping[str, Port]:
    """Return the streams: a row of A and B in ``steps`` beats, a sum in one."""
    return {
        "a": Port("in", spec.lanes, spec.bits),
        "b": Port("in", spec.lanes, spec.bits),
        "result": Port("out", 1, spec.acc_bits),
    }


def pack(spec: DotSpec, jobs: DotJobs, row: int, data: Data) -> Mapping[str, Any]:
    """Return the command and the beats [beats, lanes] of every input port."""
    assert jobs.refs is not None
    refs = jobs.refs[row]
    count, length = int(jobs.count[row]), int(jobs.length[row])
    beats = int(steps(spec, jobs)[row])

    def packed(port: str) -> Ints:
        padded = np.zeros((count, beats * spec.lanes), np.int64)
        padded[:, :length] = data[refs[port]]
        return padded.reshape(-1, spec.lanes)

    return {"cmd": {"count": count, "steps": beats}, "a": packed("a"), "b": packed("b")}


def unpack(
    spec: DotSpec, jobs: DotJobs, row: int, beats: Mapping[str, Ints]
) -> Mapping[str, NDArray[Any]]:
    """Return ``result`` [count] of the beats [count, 1]."""
    return {"result": beats["result"][:, 0]}
