"""A neural field in Triton: a grid encoding and the MLP behind it, fused in one function."""

from __future__ import annotations

from collections.abc import Mapping

import torch
import triton
import triton.language as tl

from archsim.gpu.kernel import Shape, Start, Tile

FEATURES = tl.constexpr(2)  # of an entry


@triton.jit
def place(scale, x, FUSED: tl.constexpr):
    """Return scale x + 0.5, rounded once; the interpreter's `fma` rounds twice."""
    if FUSED:
        return tl.fma(scale, x, 0.5)
    return (scale.to(tl.float64) * x.to(tl.float64) + 0.5).to(tl.float32)


@triton.jit
def field(
    positions, table, scales, resolutions, entries, starts, hashed, w_in, w_out, results,
    n, width, hidden, outputs,
    BP: tl.constexpr, BF: tl.constexpr, BH: tl.constexpr, BO: tl.constexpr, FUSED: tl.constexpr,
):  # fmt: skip
    points = tl.program_id(0) * BP + tl.arange(0, BP)
    columns = tl.arange(0, BF)  # features of all levels
    there = (points[:, None] < n) & (columns[None, :] < width)
    level = tl.minimum(columns, width - 1) // FEATURES
    scale = tl.load(scales + level)[None, :]
    side = tl.load(resolutions + level)[None, :].to(tl.uint32)
    size = tl.load(entries + level)[None, :].to(tl.uint32)
    first = tl.load(starts + level)[None, :]
    is_hashed = tl.load(hashed + level)[None, :] != 0
    x = tl.load(positions + 3 * points, mask=points < n, other=0.0)[:, None]
    y = tl.load(positions + 3 * points + 1, mask=points < n, other=0.0)[:, None]
    z = tl.load(positions + 3 * points + 2, mask=points < n, other=0.0)[:, None]
    place_x, place_y, place_z = (
        place(scale, x, FUSED),
        place(scale, y, FUSED),
        place(scale, z, FUSED),
    )
    cell_x, cell_y, cell_z = tl.floor(place_x), tl.floor(place_y), tl.floor(place_z)
    far_x, far_y, far_z = place_x - cell_x, place_y - cell_y, place_z - cell_z
    encoded = tl.zeros((BP, BF), tl.float32)
    for corner in range(8):  # not unrolled: its places and weights would not fit the registers
        vertex_x = cell_x.to(tl.uint32) + (corner & 1)
        vertex_y = cell_y.to(tl.uint32) + (corner >> 1 & 1)
        vertex_z = cell_z.to(tl.uint32) + (corner >> 2)
        weight = tl.where(corner & 1 != 0, far_x, 1.0 - far_x)
        weight *= tl.where(corner >> 1 & 1 != 0, far_y, 1.0 - far_y)
        weight *= tl.where(corner >> 2 != 0, far_z, 1.0 - far_z)
        in_order = (vertex_x + side * (vertex_y + side * vertex_z)) % size
        mixed = vertex_x ^ vertex_y * 2654435761 ^ vertex_z * 805459861
        entry = tl.where(is_hashed, mixed & (size - 1), in_order).to(tl.int32)
        at = (first + entry) * FEATURES + columns[None, :] % FEATURES
        encoded += weight * tl.load(table + at, mask=there, other=0.0).to(tl.float32)
    inner, outer = tl.arange(0, BH), tl.arange(0, BO)
    into = tl.load(
        w_in + inner[None, :] * width + columns[:, None],
        mask=(inner[None, :] < hidden) & (columns[:, None] < width), other=0.0,
    )  # fmt: skip
    neurons = tl.maximum(tl.dot(encoded.to(tl.float16), into), 0.0)
    out_of = tl.load(
        w_out + outer[None, :] * hidden + inner[:, None],
        mask=(outer[None, :] < outputs) & (inner[:, None] < hidden), other=0.0,
    )  # fmt: skip
    found = tl.dot(neurons.to(tl.float16), out_of).to(tl.float16)
    inside = (points[:, None] < n) & (outer[None, :] < outputs)
    tl.store(results + points[:, None] * outputs + outer[None, :], found, mask=inside)


def launch(
    start: Start, shape: Shape, operands: Mapping[str, torch.Tensor], tile: Tile
) -> dict[str, torch.Tensor]:
    names = ("positions", "table", "scales", "resolutions", "entries", "starts", "hashed")
    w_in, w_out = operands["w_in"], operands["w_out"]
    n, (hidden, width), outputs = operands["positions"].shape[0], w_in.shape, w_out.shape[0]
    results = torch.empty((n, outputs), dtype=torch.float16, device=w_in.device)
    padded = {
        name: max(16, triton.next_power_of_2(extent))
        for name, extent in (("BF", width), ("BH", hidden), ("BO", outputs))
    }
    start(
        field, (triton.cdiv(n, tile.sizes["BP"]),), *(operands[name] for name in names),
        w_in, w_out, results, n, width, hidden, outputs, FUSED=not start.interpreted,
        **padded, **tile.options,
    )  # fmt: skip
    return {"results": results}
