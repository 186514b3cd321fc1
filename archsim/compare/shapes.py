"""The products that are compared: from a table of M, N, K, or from a SCALE-Sim topology."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from archsim import frontends
from archsim.engines.gemm import MAX_EXTENT
from archsim.engines.systolic.spec import SystolicSpec
from archsim.errors import InputError
from archsim.trace import Op, as_gemm

MAX_MACS = 1 << 50
MAX_SIDE = min(
    SystolicSpec.model_json_schema()["properties"][side]["maximum"] for side in ("rows", "cols")
)


@dataclass(frozen=True, slots=True)
class Shape:
    """A product ``A[m,k] B[k,n]``."""

    name: str
    m: int
    n: int
    k: int


def sides(text: str) -> tuple[int, int]:
    """Return the rows and columns that ``RxC`` names.

    Raises
    ------
    InputError
        If it is none, or no array that the systolic engine can be.
    """
    found = re.fullmatch(r"([0-9]{1,6})x([0-9]{1,6})", text)
    if not found:
        raise InputError("--array", "must be RxC, as in 32x32", text)
    rows, cols = int(found[1]), int(found[2])
    if not (0 < rows <= MAX_SIDE and 0 < cols <= MAX_SIDE):
        raise InputError("--array", f"must have 1 to {MAX_SIDE} rows and columns", text)
    return rows, cols


def product(text: str) -> Shape:
    """Return the product that ``MxNxK`` names."""
    found = re.fullmatch(r"([0-9]{1,8})x([0-9]{1,8})x([0-9]{1,8})", text)
    if not found:
        raise InputError("MxNxK", "must be MxNxK, as in 128x768x768", text)
    shape = Shape(text, *(int(extent) for extent in found.groups()))
    check((shape,))
    return shape


def check(shapes: Iterable[Shape]) -> None:
    """Raise `InputError` for a product that no command of the array carries."""
    for s in shapes:
        extents = (s.m, s.n, s.k)
        if not 0 < min(extents) <= max(extents) <= MAX_EXTENT or s.m * s.n * s.k > MAX_MACS:
            raise InputError(
                s.name,
                f"must have extents from 1 to {MAX_EXTENT:,} and up to {MAX_MACS:,} MACs",
                extents,
            )


def read(path: Path) -> list[Shape]:
    """Return the products of a CSV, in order: name,M,N,K or a SCALE-Sim topology.

    Convolutions become the products that SCALE-Sim makes of them: its output size is rounded up,
    and a layer with ``DP`` in its name is depthwise, a product a channel.
    """
    if path.suffix != ".csv":
        raise InputError("--shapes", "must be a .csv file", str(path))
    trace = frontends.load(path)
    shapes = [shape for op in trace.ops for shape in _shapes_of(op)]
    check(shapes)
    return shapes


def _shapes_of(op: Op) -> list[Shape]:
    if op.kind != "conv":
        gemm = as_gemm(op)
        return [Shape(op.name, gemm.m, gemm.n, gemm.k)]
    (kh, kw), (down, right) = op.ints_attr("kernel"), op.ints_attr("stride")
    height = -(-(op.int_attr("height") - kh + down) // down)
    width = -(-(op.int_attr("width") - kw + right) // right)
    groups, pixels = op.int_attr("groups"), op.int_attr("batch") * height * width
    taps = kh * kw * op.int_attr("channels") // groups
    if groups == 1:
        return [Shape(op.name, pixels, op.int_attr("filters"), taps)]
    filters = op.int_attr("filters") // groups
    return [Shape(f"{op.name}Channel_{i}", pixels, filters, taps) for i in range(groups)]
