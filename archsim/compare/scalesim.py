"""SCALE-Sim 3.0.0's compute cycles, beside what the systolic array's RTL takes.

SCALE-Sim counts, for every fold of a product ``A[M,K] B[K,N]`` on an R x C array, K + R + C - 2
cycles (os), M + 2R + C - 2 (ws) or N + 2R + C - 2 (is); folds do not overlap, a ragged fold costs
as much as a full one, and the total is one short. The rule was read from its runs: see
``tests/golden/scalesim``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

import numpy as np

from archsim import frontends
from archsim.engines import GemmJobs, discover
from archsim.engines.systolic.spec import SystolicSpec
from archsim.errors import InputError
from archsim.trace import Op, as_gemm

MAX_EXTENT = (1 << 24) - 1  # what a command of the array can carry
MAX_MACS = 1 << 50


@dataclass(frozen=True, slots=True)
class Shape:
    """A product ``A[m,k] B[k,n]``."""

    name: str
    m: int
    n: int
    k: int


@dataclass(frozen=True, slots=True)
class Row:
    """A product's cycles by both accounts; ``why`` lists terms that add up to the difference."""

    shape: Shape
    scalesim_cycles: int
    archsim_cycles: int
    why: str

    def to_dict(self) -> dict[str, Any]:
        s = self.shape
        return {
            "name": s.name, "M": s.m, "N": s.n, "K": s.k,
            "scalesim_cycles": self.scalesim_cycles, "archsim_cycles": self.archsim_cycles,
            "why": self.why,
        }  # fmt: skip


def cycles(shape: Shape, rows: int, cols: int, dataflow: str) -> int:
    """Return the compute cycles that SCALE-Sim reports: ``os``, ``ws`` or ``is``."""
    m, n, k = shape.m, shape.n, shape.k
    folds, fold_cycles = {
        "os": (-(-m // rows) * -(-n // cols), k + rows + cols - 2),
        "ws": (-(-k // rows) * -(-n // cols), m + 2 * rows + cols - 2),
        "is": (-(-k // rows) * -(-m // cols), n + 2 * rows + cols - 2),
    }[dataflow]
    return folds * fold_cycles - 1


def terms(shape: Shape, rows: int, cols: int) -> tuple[tuple[int, str], ...]:
    """Return what the output-stationary array adds to SCALE-Sim's count, term by term."""
    folds = -(-shape.m // rows) * -(-shape.n // cols)
    last_rows = (shape.m - 1) % rows + 1
    before = folds - 1
    return (
        (-before * (rows + cols - 2), f"fill and drain of {before:,} folds hide behind the next"),
        (
            before * (max(shape.k, rows, cols) - shape.k),
            f"bubbles: a fold of {shape.k} steps waits for the drain of the one before",
        ),
        (last_rows - rows, f"the last fold has {last_rows} of {rows} rows to drain"),
        (3, "taking the command, the drain register and the output queue, a cycle each"),
    )


def compare(shapes: Sequence[Shape], rows: int, cols: int, dataflow: str = "os") -> list[Row]:
    """Return a row a shape, in order.

    Raises
    ------
    InputError
        If the systolic engine has no such array or dataflow, or a shape is out of range.
    """
    known = get_args(SystolicSpec.model_fields["dataflow"].annotation)
    if dataflow not in known:
        raise InputError(
            "--dataflow", f"must be a dataflow that the systolic engine has: {', '.join(known)}",
            dataflow,
        )  # fmt: skip
    limit = max(SystolicSpec.model_json_schema()["properties"][x]["maximum"] for x in _SIDES)
    if not (0 < rows <= limit and 0 < cols <= limit):
        raise InputError("--array", f"must have 1 to {limit} rows and columns", f"{rows}x{cols}")
    for s in shapes:
        if max(s.m, s.n, s.k) > MAX_EXTENT or s.m * s.n * s.k > MAX_MACS:
            raise InputError(
                s.name, f"must have extents up to {MAX_EXTENT:,} and up to {MAX_MACS:,} MACs",
                (s.m, s.n, s.k),
            )  # fmt: skip
    spec = SystolicSpec(rows=rows, cols=cols)
    m, n, k = (np.array([getattr(s, x) for s in shapes], np.int64) for x in "mnk")
    timing = discover()["systolic"].time(spec, GemmJobs(m, n, k, np.zeros(len(shapes), bool)))
    return [
        Row(s, cycles(s, rows, cols, dataflow), int(ours), _why(s, rows, cols))
        for s, ours in zip(shapes, timing.cycles, strict=True)
    ]


_SIDES = ("rows", "cols")


def _why(shape: Shape, rows: int, cols: int) -> str:
    return "; ".join(f"{count:+,} {text}" for count, text in terms(shape, rows, cols) if count)


def read_shapes(path: Path) -> list[Shape]:
    """Return the products of a CSV, in order: name,M,N,K or a SCALE-Sim topology.

    Convolutions become the products that SCALE-Sim makes of them: its output size is rounded up,
    and a layer with ``DP`` in its name is depthwise, a product a channel.
    """
    if path.suffix != ".csv":
        raise InputError("--shapes", "must be a .csv file", str(path))
    trace = frontends.load(path)
    return [shape for op in trace.ops for shape in _shapes_of(op)]


def _shapes_of(op: Op) -> list[Shape]:
    if op.kind != "conv":
        gemm = as_gemm(op)
        return [Shape(op.name, gemm.m, gemm.n, gemm.k)]
    (kh, kw), (stride, _) = op.ints_attr("kernel"), op.ints_attr("stride")
    height = -(-(op.int_attr("height") - kh + stride) // stride)
    width = -(-(op.int_attr("width") - kw + stride) // stride)
    filters, channels = op.int_attr("filters"), op.int_attr("channels")
    if "DP" in op.name:
        return [
            Shape(f"{op.name}Channel_{i}", height * width, filters, kh * kw)
            for i in range(channels)
        ]
    return [Shape(op.name, height * width, filters, kh * kw * channels)]
