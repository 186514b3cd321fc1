"""Jobs for the bench of a generated engine: its commands, beats, and the results they must give.

All come from the engine's own faces: its conformance cases, `Rtl.pack` and its reference. So a
bench knows no engine, and needs nothing of archsim to run.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from archsim.engines import Engine, Rtl

CASES, SEED = 40, 1
MOST_JOBS, MOST_DIGITS = 18, 200_000  # of hexadecimal beats, over all jobs


def vectors(engine: Engine, rtl: Rtl, spec: Any) -> list[dict[str, Any]]:
    """Return jobs: ``command`` by field, ``beats`` by input port, ``results`` with masks.

    Beats are hexadecimal, lane 0 lowest; a mask has ones where a lane of a result means something.
    Jobs are as the engine's generator draws them; a case ends before one that is too long to write
    down.
    """
    assert engine.cases is not None
    found: list[dict[str, Any]] = []
    left = MOST_DIGITS
    for case in engine.cases(np.random.default_rng(SEED), spec, CASES):
        references = engine.reference(spec, case.jobs, case.data)
        for row, wanted in enumerate(references):
            job = _job(engine, rtl, spec, case.jobs, row, case.data, wanted)
            digits = sum(map(len, _texts(job)))
            if digits > left and found:
                break  # jobs may need what those before them left
            found.append({"name": f"{case.name}.{row}", **job})
            left -= digits
            if len(found) == MOST_JOBS:
                return found
    return found


def _job(
    engine: Engine, rtl: Rtl, spec: Any, jobs: Any, row: int, data: Any, wanted: Mapping[str, Any]
) -> dict[str, Any]:
    ports: Mapping[str, Any] = rtl.ports(spec)
    packed = rtl.pack(spec, jobs, row, data)
    command = {name: int(value) for name, value in packed["cmd"].items()}
    if rtl.writes is not None:
        return {"command": command, **_stored(rtl, spec, packed, wanted)}
    beats = engine.time(spec, jobs.take(np.array([row])), {}, data).beats
    results = {}
    for name, port in ports.items():
        if port.direction == "out":
            shape = (int(beats[name][0]), port.lanes)
            # where each value of the result lies among the lanes: number them, and take them out
            lanes = np.arange(np.prod(shape)).reshape(shape)
            where = rtl.unpack(spec, jobs, row, {name: lanes})[name]
            values, inside = np.zeros((2, lanes.size), object)
            values[where.reshape(-1)] = wanted[name].reshape(-1)
            inside[where.reshape(-1)] = -1
            results[name] = [
                [_word(value, port.bits), _word(mask, port.bits)]
                for value, mask in zip(values.reshape(shape), inside.reshape(shape), strict=True)
            ]
    return {
        "command": command,
        "beats": {
            name: [_word(beat, port.bits) for beat in packed[name]]
            for name, port in ports.items()
            if port.direction == "in"
        },
        "results": results,
    }


def _stored(
    rtl: Rtl, spec: Any, packed: Mapping[str, Any], wanted: Mapping[str, Any]
) -> dict[str, Any]:
    """Return what is in memory before and after, of an engine with one port, to memory."""
    ((name, port),) = rtl.ports(spec).items()
    assert rtl.writes is not None
    return {
        "beats": {name: [_word([word], port.bits) for word in packed[name]]},
        "results": {
            name: [
                [address, [_word([word], port.bits) for word in words]]
                for address, words in rtl.writes(spec, packed, wanted)
            ]
        },
    }


def _word(lanes: Iterable[Any], bits: int) -> str:
    """Return a beat, lane 0 lowest, in two's complement."""
    return f"{sum((int(x) % (1 << bits)) << bits * i for i, x in enumerate(lanes)):x}"


def _texts(job: Mapping[str, Any]) -> list[str]:
    ins = [beat for beats in job["beats"].values() for beat in beats]
    return ins + [str(text) for rows in job["results"].values() for row in rows for text in row]
