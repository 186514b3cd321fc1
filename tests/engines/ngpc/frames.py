"""Frames of the four applications with made-up queries, for tests of what is around processors."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from archsim.design import Design, load_design
from archsim.graphics.apps import APPS, REST_SHARE, gpu_us
from archsim.graphics.field import Field
from archsim.trace import Op, Sampled, Tensor, Trace

SAMPLE = 1024
STEP = math.sqrt(3) / 1024


def along_rays(dims: int, count: int = SAMPLE, seed: int = 0) -> NDArray[np.float32]:
    """Return positions along random rays, 64 steps of each."""
    rng = np.random.default_rng(seed)
    start, way = rng.random((2, count // 64, 1, dims))
    way = (way - 0.5) / np.linalg.norm(way - 0.5, axis=2, keepdims=True)
    steps = STEP * np.arange(64)[:, None]
    found = np.clip(start + way * steps, 0, 0.9999).reshape(-1, dims)
    return np.asarray(found, np.float32)


def frame(
    app: str = "nerf",
    grid: str = "hash",
    pixels: int = 1_000_000,
    per_pixel: float = 4.0,
    sample: NDArray[Any] | None = None,
) -> Trace:
    """Return the trace of one frame."""
    made = APPS[app]
    encoding, queries = made.encoding(grid), int(pixels * per_pixel)
    layers = made.layers(encoding.outputs)
    macs = sum(a * b for a, b in layers)
    field = Field(
        app, "objects", "step", encoding.text, queries, pixels, 4 * made.record, 2 * made.outputs,
        ((encoding.levels * encoding.corners, encoding.features),), layers, macs,
        gpu_us(made, grid, pixels), REST_SHARE[grid], "a test",
    )  # fmt: skip
    positions = (along_rays(made.dims) if sample is None else sample)[:queries]
    records = np.pad(positions, ((0, 0), (0, made.record - made.dims)))[:queries]
    tensors = {
        t.name: t
        for t in (
            Tensor("queries", (queries, made.record), "fp32", "input",
                   Sampled("queries", queries / len(records))),
            Tensor("tables", (encoding.entries, encoding.features), "fp16", "weight"),
            Tensor("networks", (macs,), "fp16", "weight"),
            Tensor("answers", (queries, made.outputs), "fp16", "output"),
        )
    }  # fmt: skip
    op = Op(app, "field", ("queries", "tables", "networks"), ("answers",), field.attrs())
    return Trace(app, tensors, (op,), values={"queries": records})


def design(**fields: Any) -> Design:
    """Return the shipped design with fields of its engine."""
    return load_design("ngpc_64", {f"engines.ngpc.{name}": x for name, x in fields.items()})
