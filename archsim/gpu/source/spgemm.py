"""Products of sparse matrices in Triton: a hash table for each row of C.

A program has a row of A. Each of its scalar products is a lane, and all lanes ask for slots at
once: a slot that is free or has the lane's column takes the product, others send the lane on to the
next slot. Then the table is sorted by column. Tables are in global memory (in L2, if they fit), as
Triton has no atomic operations on shared memory.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
import triton
import triton.language as tl

from archsim.gpu.kernel import Shape, Start, Tile

FREE = tl.constexpr(0x7FFFFFFF)  # a column that no matrix has: after all others when sorted
NEVER = tl.constexpr(-1)  # a column that no slot has


@triton.jit
def rows_by_hash(
    a_start, a_columns, a_values, b_start, b_columns, b_values,
    keys, sums, c_lengths, c_columns, c_values, b_row,
    LANES: tl.constexpr, SLOTS: tl.constexpr,
):  # fmt: skip
    row = tl.program_id(0)
    lane = tl.arange(0, LANES)
    first, last = tl.load(a_start + row), tl.load(a_start + row + 1)
    entry = first + lane // b_row
    here = entry < last
    k = tl.load(a_columns + entry, mask=here, other=0)
    begin = tl.load(b_start + k, mask=here, other=0)
    end = tl.load(b_start + k + 1, mask=here, other=0)
    at = begin + lane % b_row
    waiting = here & (at < end)
    column = tl.load(b_columns + at, mask=waiting, other=0)
    left = tl.load(a_values + entry, mask=waiting, other=0.0)
    term = left * tl.load(b_values + at, mask=waiting, other=0.0)

    table, slot = row * SLOTS, column % SLOTS
    while tl.max(waiting.to(tl.int32), 0) != 0:
        wanted = tl.where(waiting, FREE, NEVER)
        found = tl.atomic_cas(keys + table + slot, wanted, column)
        mine = waiting & ((found == FREE) | (found == column))
        tl.atomic_add(sums + table + slot, term, mask=mine)
        waiting = waiting & (mine == 0)
        slot = tl.where(waiting, (slot + 1) % SLOTS, slot)
    tl.debug_barrier()

    every = tl.arange(0, SLOTS)
    key = tl.load(keys + table + every, cache_modifier=".cg")  # past what L1 may have
    total = tl.load(sums + table + every, cache_modifier=".cg")
    bits = total.to(tl.uint32, bitcast=True).to(tl.int64)
    ordered = tl.sort((key.to(tl.int64) << 32) | bits)
    key = (ordered >> 32).to(tl.int32)
    total = ordered.to(tl.uint32).to(tl.float32, bitcast=True)
    used = key != FREE
    tl.store(c_lengths + row, tl.sum(used.to(tl.int32), 0))
    tl.store(c_columns + table + every, tl.where(used, key, -1))
    tl.store(c_values + table + every, tl.where(used, total, 0.0))


def launch(
    start: Start, shape: Shape, operands: Mapping[str, torch.Tensor], tile: Tile
) -> dict[str, torch.Tensor]:
    m, products = operands["a_start"].shape[0] - 1, shape["a_row"] * shape["b_row"]
    lanes = triton.next_power_of_2(products)
    slots, device = max(16, 2 * lanes), operands["a_start"].device
    keys = torch.full((m, slots), FREE.value, dtype=torch.int32, device=device)
    sums = torch.zeros((m, slots), dtype=torch.float32, device=device)
    lengths = torch.empty(m, dtype=torch.int32, device=device)
    columns, values = torch.empty_like(keys), torch.empty_like(sums)
    parts = [f"{matrix}_{part}" for matrix in "ab" for part in ("start", "columns", "values")]
    start(
        rows_by_hash, (m,), *(operands[name] for name in parts),
        keys, sums, lengths, columns, values, shape["b_row"],
        LANES=lanes, SLOTS=slots, **tile.options,
    )  # fmt: skip
    return {"lengths": lengths, "columns": columns, "values": values}
