"""The sizes of the system that a design describes, and why a design has none."""

from __future__ import annotations

from typing import Any

from archsim.design import Design, one_of
from archsim.errors import InputError
from archsim.hdl.descriptors import Geometry

# of the room for tiles: activations, weights, the rest sums, which are the widest
A_SHARE, B_SHARE = 0.25, 0.25
BITS = 8


def engine_of(design: Design, name: str | None = None) -> str:
    """Return the name of the engine that a system is built around: the one asked for, or the first.

    Raises
    ------
    InputError
        If a system cannot be built around it, or around any.
    """
    if name is not None and name not in design.engines:
        raise InputError("--engine", f"must be {one_of(list(design.engines), name)}", name)
    asked = design.engines if name is None else {name: design.engines[name]}
    reasons = {name: _reason(spec) for name, spec in asked.items()}
    good = [name for name, reason in reasons.items() if not reason]
    if not good:
        why = "; ".join(f"{name}: {reason}" for name, reason in reasons.items())
        raise InputError(
            f"design {design.name!r}", "must have an engine that a system can feed", fix=why
        )
    return good[0]


def _reason(spec: Any) -> str:
    """Return why a system cannot be built around an engine; empty if it can."""
    if spec.kind != "systolic":
        return f"a system feeds output-stationary systolic arrays, not kind {spec.kind}"
    for name, wanted in (("dataflow", "os"), ("numbers", "int"), ("a_bits", 8), ("b_bits", 8)):
        if getattr(spec, name, wanted) != wanted:
            return f"{name} must be {wanted}, not {getattr(spec, name)}"
    if spec.acc_bits not in (16, 32):
        return f"acc_bits must be 16 or 32, not {spec.acc_bits}"
    for name in ("rows", "cols"):
        if getattr(spec, name) not in (2, 4, 8, 16, 32, 64, 128):
            return f"{name} must be a power of two from 2 to 128, not {getattr(spec, name)}"
    return ""


def geometry_of(design: Design, engine: str) -> Geometry:
    """Return a system's sizes: the buffer's bytes as its memories, in fixed shares.

    Raises
    ------
    InputError
        If the design's buffer feeds the array more slowly than the scratchpad does.
    """
    spec: Any = design.engines[engine]
    word = spec.cols * BITS // 8
    buffer = design.memories.buffer
    wanted = max(spec.rows * BITS // 8 + word, spec.cols * spec.acc_bits // 8)
    if buffer.port_bytes < wanted:
        raise InputError(
            "memories.buffer",
            f"must move {wanted} bytes a cycle (banks x bank_width_bytes): the system's scratchpad "
            "has a bank a lane, and never makes the array wait", buffer.port_bytes,
        )  # fmt: skip
    capacity, share = buffer.capacity_bytes, buffer.tile_share
    tiles = int(capacity * share)
    bank, row = spec.rows * word, spec.cols * spec.acc_bits // 8
    c_bytes = tiles - int(tiles * A_SHARE) - int(tiles * B_SHARE)
    return Geometry(
        spec.rows, spec.cols, BITS, spec.acc_bits,
        a_depth=max(int(tiles * A_SHARE) // bank, 1), b_depth=max(int(tiles * B_SHARE) // word, 1),
        c_depth=max(c_bytes // row, 1), kept_depth=max((capacity - tiles) // bank, 1),
    )  # fmt: skip
