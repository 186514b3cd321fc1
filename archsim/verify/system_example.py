"""The layers that the bench of a built system runs: small, and of all that the system has."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from archsim import kernel, schedule
from archsim.design import Design
from archsim.formats.requantise import fixed_point
from archsim.hdl.system_geometry import engine_of, geometry_of
from archsim.memory import DramTiming
from archsim.program import Scales, compile_program
from archsim.program.placement import is_narrow
from archsim.simulate import units_of
from archsim.tech import load
from archsim.trace import Op, Tensor, Trace, as_gemm

SIDE = 6  # pixels of the image
SPREAD = 5400  # of a product of two random int8
NARROW = 50.0  # what sums are to spread to


def example(design: Design, engine: str | None = None) -> dict[str, Any]:
    """Return a convolution and what reads it, compiled for a design's system, in plain values.

    The convolution (3x3, padded, with bias, ReLU and requantisation) stays on chip; a second one
    (1x1) reads it and writes sums.

    Raises
    ------
    InputError
        If the design has no system.
    InfeasibleError
        If the system is too small for even this.
    """
    name = engine_of(design, engine)
    trace, scales = _layers(geometry_of(design, name).cols)
    return {
        **compiled(design, trace, scales, name),
        "ops": [_described(op, scales) for op in trace.ops],
    }


def compiled(
    design: Design, trace: Trace, scales: Mapping[str, Scales], engine: str | None = None
) -> dict[str, Any]:
    """Return a trace compiled for a design's system: what software writes, in plain values.

    ``words`` are table, word address and word of each write; ``tensors`` say where each matrix lies
    in memory, relative to BASE; ``words_a_cycle`` what the port moves and what the design's memory
    would.

    Parameters
    ----------
    scales
        By op, for those that requantise.

    Raises
    ------
    InputError
        If the design has no system, or an op no datapath in it.
    InfeasibleError
        If the program does not fit.
    """
    name = engine_of(design, engine)
    geometry = geometry_of(design, name)
    units, _ = units_of(design, load(design.node))
    planned = schedule.build(design, trace, tuple(u for u in units if u.name == name), None)
    program = compile_program(planned, trace, geometry, scales)
    clock = planned.units[0].clock
    dram = DramTiming.of(design)
    word_ps = geometry.word_bytes * max(
        dram.burst_ps / (dram.burst_bytes * dram.channels), dram.link_ps_per_byte
    )
    return {
        "transfers": program.transfers,
        "jobs": program.jobs,
        "event_cycles": clock.next_edge(kernel.run(planned, {}).total_ps),
        "words_a_cycle": {"port": 1.0, "design": round(float(clock.period_ps / word_ps), 4)},
        "memory_bytes": program.memory_bytes,
        "word_bytes": geometry.word_bytes,
        "tensors": {
            name: {
                "address": m.address, "rows": m.rows, "columns": m.columns, "bits": m.bits,
                "stride_bytes": m.stride_bytes, "role": trace.tensors[name].role,
            }
            for name, m in program.matrices.items()
        },
        "words": [list(word) for word in program.words()],
    }  # fmt: skip


def _layers(cols: int) -> tuple[Trace, dict[str, Scales]]:
    filters = 2 * cols - 1  # ragged
    conv: dict[str, Any] = {
        "batch": 1, "height": SIDE, "width": SIDE, "stride": (1, 1), "dilation": (1, 1),
        "groups": 1,
    }  # fmt: skip
    ops = (
        Op(
            "conv", "conv", ("image", "filters", "bias"), ("middle",),
            {**conv, "channels": cols, "filters": filters, "kernel": (3, 3), "pad": (1, 1, 1, 1)},
            ("bias", "relu", "requantise"),
        ),
        Op(
            "mix", "conv", ("middle", "mixing"), ("sums",),
            {**conv, "channels": filters, "filters": cols, "kernel": (1, 1), "pad": (0, 0, 0, 0)},
        ),
    )  # fmt: skip
    pixels, taps = SIDE * SIDE, 9 * cols
    tensors = (
        Tensor("image", (pixels, cols), "int8", "input"),
        Tensor("filters", (taps, filters), "int8", "weight"),
        Tensor("bias", (filters,), "int32", "weight"),
        Tensor("middle", (pixels, filters), "int8", "activation"),
        Tensor("mixing", (filters, cols), "int8", "weight"),
        Tensor("sums", (pixels, cols), "int32", "output"),
    )
    multiplier, shift = fixed_point(NARROW / (SPREAD * math.sqrt(taps)))
    scales = {"conv": Scales([multiplier] * filters, [shift] * filters, zero_point=-20)}
    return Trace("example", {t.name: t for t in tensors}, ops), scales


def _described(op: Op, scales: dict[str, Scales]) -> dict[str, Any]:
    """Return an op as a bench wants it that computes the values itself."""
    described: dict[str, Any] = {
        "name": op.name, "inputs": list(op.inputs), "output": op.outputs[0], **op.attrs,
        "outputs": as_gemm(op).m,
    }  # fmt: skip
    if is_narrow(op):
        s = scales[op.name]
        low = max(-128, s.zero_point) if "relu" in op.epilogue else -128
        described |= {
            "multiplier": list(s.multiplier), "shift": list(s.shift), "zero_point": s.zero_point,
            "low": low, "high": 127,
        }  # fmt: skip
    return described
