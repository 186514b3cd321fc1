"""Measurements of GPUs as points beside a sweep: records of ``archsim gpu run``, op by op.

A workload has a measured time on a GPU if each of its ops is the problem of some record from that
GPU: of the same kind, extents and number formats. Anything less is said, and is no point.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence

from archsim.design import load_design
from archsim.errors import InputError
from archsim.gpu.devices import Device, device
from archsim.gpu.kernels import kernels
from archsim.gpu.record import Record
from archsim.measured import design_of
from archsim.report.beside import MEASURED, Reference
from archsim.trace import Op, Trace

Problem = tuple[str, tuple[tuple[str, str], ...], tuple[str, ...]]  # kind, attributes, formats
NOTES = (
    "measured: an op takes the median of launches one by one, each after L2 was overwritten",
    "measured: ops follow one another without a gap, and epilogues of other kernels cost nothing",
    "measured: energy is the board's mean power under launches back to back, for those times",
    "measured: area is the published die of the device that the GPU's figures match",
)


def measured(
    records: Sequence[Record], traces: Mapping[str, Sequence[Trace]], weights: Mapping[str, float]
) -> tuple[Reference, ...]:
    """Return a point a GPU.

    Parameters
    ----------
    traces
        A workload in the number formats that it may be compared in, the preferred one first.
    weights
        Runs of each workload, as in `archsim.report.study.Study`.
    """
    of_gpu: dict[str, list[Record]] = defaultdict(list)
    for record in records:
        of_gpu[record.gpu.name].append(record)
    return tuple(_reference(name, found, traces, weights) for name, found in of_gpu.items())


def _reference(
    name: str,
    records: Sequence[Record],
    traces: Mapping[str, Sequence[Trace]],
    weights: Mapping[str, float],
) -> Reference:
    known = {problem: record for record in records for problem in _problems(record)}
    times, energies, lacking, formats = 0.0, 0.0, [], set()
    for workload, weight in weights.items():
        every = [(t, [(op, known.get(_problem(op, t))) for op in t.ops]) for t in traces[workload]]
        trace, pairs = min(every, key=lambda found: sum(record is None for _, record in found[1]))
        absent = [op for op, record in pairs if record is None]
        if absent:
            first = f"{absent[0].name} ({absent[0].kind})"
            lacking.append(f"{workload}: no record of {len(absent)} of {len(pairs)} ops, {first}")
        for op, record in pairs:
            if record is not None:
                formats |= set(_problem(op, trace)[2])
                times += weight * op.repeat * record.median_us
                power_w = float("nan") if record.state is None else record.state.power_w
                energies += weight * op.repeat * record.median_us * power_w * 1e6
    known_as = design_of(records[0].gpu)
    chip = device(known_as) if known_as else None
    metrics = {"time_us": times} | ({} if math.isnan(energies) else {"energy_pj": energies})
    if chip is not None:
        metrics["area_mm2"] = chip["die_mm2"]
    if "energy_pj" in metrics:
        metrics["power_mw"] = energies / times * 1e-3 if times else 0.0
    return Reference(
        name=name,
        kind=MEASURED,
        metrics={} if lacking else metrics,
        source=_source(records, formats, chip),
        process=load_design(known_as).node if known_as else "",
        notes=NOTES,
        missing="; ".join(lacking),
    )


def _source(records: Sequence[Record], formats: set[str], chip: Device | None) -> str:
    versions = sorted({f"Triton {r.versions.get('triton', 'unknown')}" for r in records})
    drivers = sorted({f"driver {r.gpu.driver}" for r in records})
    what = "a GPU without tables" if chip is None else chip.title
    count = "1 record" if len(records) == 1 else f"{len(records)} records"
    operands = f", operands in {', '.join(sorted(formats))}" if formats else ""
    return f"{what}; {count} of archsim gpu run, {', '.join(versions + drivers)}{operands}"


def _problems(record: Record) -> Iterator[Problem]:
    """Yield the problem of a record, if an op of a trace can be it and its values were right.

    Raises
    ------
    InputError
        If its shape is none of the kernel's.
    """
    kernel = kernels().get(record.kernel)
    if kernel is None or kernel.trace is None or record.disagreements:
        return
    if record.shape.keys() != kernel.extents.keys():
        raise InputError(
            f"record of {record.kernel} on {record.gpu.name}: shape",
            f"must have the dimensions {', '.join(kernel.extents)}", ", ".join(record.shape),
        )  # fmt: skip
    trace = kernel.trace(record.shape)
    if len(trace.ops) == 1:
        yield _problem(trace.ops[0], trace)


def _problem(op: Op, trace: Trace) -> Problem:
    attributes = tuple(sorted((name, repr(value)) for name, value in op.attrs.items()))
    return op.kind, attributes, tuple(trace.tensors[name].dtype for name in op.inputs)
