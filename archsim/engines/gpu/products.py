"""Time of a matrix product: the best tile of a stated list, bound by whatever it asks most of.

A block of threads (CTA) computes a tile of C, all of k or one part in ``split`` of it. Blocks are
dealt out to SMs, so the fullest SM has ``ceil(tiles / sms)`` of them. What a tile takes:

- **tensor cores**: its padded multiply-adds at the SM's peak; longer by what issue loses (see
  `archsim.gpu.issue`), and by the share of the peak that the best products reach at all;
- **shared memory**: every operand is written once, and read by the warps that use it;
- **lanes**: operands stored narrower than they are computed on are widened, each time they are
  loaded: three operations for two elements, as MARLIN does;
- **L2**: every tile's operands and results; of an SM, at most `SM_L2_BYTES` a cycle. Where thread
  blocks form clusters (Hopper and later), two of them share one operand;
- **memory**: what does not fit L2 is fetched again by each wave of tiles, laid out as square as
  tiles allow; loads under way are the stages of all resident tiles (Little's law).

Products too thin for tensor cores may run on lanes instead, whichever is faster.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from archsim.engines import Floats, Ints
from archsim.engines.gpu.numbers import Spec, native
from archsim.gpu.issue import LOOP_CYCLES, PACE, SUB_CORES, WGMMA_ROWS

TILES = np.array(
    [(256, 128), (128, 256), (128, 128), (256, 64), (64, 256), (128, 64), (64, 128), (64, 64),
     (128, 32), (32, 128), (64, 32), (32, 64), (128, 16), (16, 128), (64, 16), (16, 64)]
)  # fmt: skip
SPLITS = np.array([1, 2, 4, 8, 16])
STAGES = 4  # of a tile's loads under way, if shared memory has room for them
STEP_BYTES = 128  # of k that a stage holds of each row
ACCUMULATOR_BYTES = 196_608  # of an SM's 256 KiB of registers, for sums of 32 bits
MAX_BLOCKS = 8  # of an SM
NONE = 1e-6  # multiply-adds a cycle of tensor cores that lack a format: nothing is slower
SM_L2_BYTES = 64  # a cycle; from memory
INT_LANES = 64  # of an SM; from memory
WIDEN_OPS = 1.5  # of an element: three for two, as MARLIN does
PLACE_OPS = 4  # of a packed weight: value, place, address, store; assumed
MMA_FMA = 2048  # of a warp's instruction on 16-bit operands
MMA_LATENCY = 25.0  # cycles, an A100's


@dataclass(frozen=True, slots=True)
class Bounds:
    """Cycles of a product's kernel, each of which is at least as long as the one before; [n].

    Parameters
    ----------
    peak
        All multiply-adds at the peak of tensor cores, or lanes.
    sustained
        The same at the share of it that the best products reach.
    tiles
        With what padding and uneven dealing out add.
    issue
        With what issue loses.
    smem, l2, memory, lanes
        What each of these takes by itself.
    moved_bytes, fetched_bytes
        Through L2; again from memory.
    """

    peak: Floats
    sustained: Floats
    tiles: Floats
    issue: Floats
    smem: Floats
    l2: Floats
    memory: Floats
    lanes: Floats
    moved_bytes: Floats
    fetched_bytes: Floats

    @property
    def cycles(self) -> Floats:
        """The longest of all."""
        bounds = (self.issue, self.smem, self.l2, self.memory, self.lanes)
        return np.asarray(np.maximum.reduce(bounds))


def bounds(spec: Spec, jobs: Any) -> Bounds:
    """Return what products take on the best tile of the list, or on lanes; [n]."""
    tiled = _tiled(spec, jobs)
    best = np.argmin(tiled.cycles, axis=1)[:, None]
    chosen = {
        name: np.take_along_axis(getattr(tiled, name), best, axis=1)[:, 0]
        for name in Bounds.__slots__
    }
    on_lanes = _on_lanes(spec, jobs)
    worse = on_lanes.cycles < Bounds(**chosen).cycles
    return Bounds(**{n: np.where(worse, getattr(on_lanes, n), x) for n, x in chosen.items()})


def _tiled(spec: Spec, jobs: Any) -> Bounds:
    """Return what every tile of the list takes with every split: [n, tiles x splits]."""

    def of(name: str) -> Any:
        return np.asarray(getattr(spec, name), float)[..., None]

    bm, bn = np.repeat(TILES, len(SPLITS), axis=0).T
    split = np.tile(SPLITS, len(TILES))
    extents = (np.maximum(x, 1)[:, None] for x in (jobs.m, jobs.n, jobs.k, jobs.groups))
    m, n, k, groups = extents  # rows that are no products count as one, and are left out later
    half = jobs.half[:, None]
    a_bits, b_bits, c_bits = (x[:, None] for x in (jobs.a_bits, jobs.b_bits, jobs.c_bits))
    how = native(spec, jobs.computed)
    fma = np.maximum(how.fma[:, None], NONE) * (1 + half)
    bits, share = how.bits[:, None], how.share[:, None]
    sms = of("sms")

    step = 8 * STEP_BYTES // bits
    depth = -(-k // (split * step)) * step  # a part of k, in whole steps
    grid_m, grid_n = -(-m // bm), -(-n // bn)
    tiles = grid_m * grid_n * groups * split
    stage_bytes = (bm + bn) * STEP_BYTES
    stages = np.clip(of("smem_bytes") // stage_bytes, 1, STAGES)
    by_smem = of("smem_bytes") // (stages * stage_bytes)
    blocks = np.clip(np.minimum(by_smem, ACCUMULATOR_BYTES // (4 * bm * bn)), 1, MAX_BLOCKS)
    each = -(-tiles // sms)
    peak = m * n * k * groups / fma / sms
    of_tile = bm * bn * depth / fma
    tensor = each * of_tile / share
    kind = np.asarray(spec.instruction)[..., None]
    issue = _issue(kind, bm, bn, fma, bits, np.minimum(blocks, each))
    smem = _smem_bytes(kind, bm, bn, a_bits, b_bits) / of("smem_bytes_per_cycle")

    b_packed = 8 * jobs.b_bytes[:, None] / (k * n * groups)  # bits of an element in memory
    stored = np.maximum(bm * a_bits + bn * b_packed, 1)
    widened = bm * (a_bits < bits) + bn * (b_bits < bits)
    placed = jobs.placed[:, None] * grid_m  # each row of tiles puts its weights in place
    lanes = each * widened * depth * WIDEN_OPS / INT_LANES + PLACE_OPS * placed / INT_LANES / sms
    smem = smem + (placed > 0) * bn * b_bits / 8 / of("smem_bytes_per_cycle")  # zeros before them
    shared = np.where(kind == "mma", 1.0, 0.5)
    partial = np.where(split > 1, 2 * 4 * split, c_bits / 8)  # FP32 sums are written and read
    larger, smaller = np.maximum(bm * a_bits, bn * b_packed), np.minimum(bm * a_bits, bn * b_packed)
    moved = tiles * (larger * shared + smaller) * depth / 8
    moved = moved + m * n * groups * partial
    l2 = np.maximum(moved / of("l2_bytes_per_cycle"), moved / tiles * each / SM_L2_BYTES)

    per_cycle = of("memory_gb_per_s") * 1e3 / of("mhz")  # bytes
    whole = (m * a_bits + n * b_packed) * k / 8
    fetched = groups * _fetched(sms * blocks, bm, bn, grid_m, grid_n, a_bits, b_packed) * k / 8
    fetched = np.where(whole > of("l2_bytes") / 2, np.maximum(fetched, groups * whole), 0.0)
    flying = np.minimum(tiles, sms * blocks) * stages * stored * step / 8
    latency = of("memory_latency_ns") * of("mhz") * 1e-3
    memory = np.maximum(fetched / per_cycle, groups * whole * latency / flying)
    full = np.broadcast_shapes(tensor.shape, moved.shape)
    return Bounds(
        *(np.broadcast_to(x, full) for x in (
            peak, peak / share, tensor, tensor * issue, each * depth * smem,
            l2, memory, lanes, moved, np.maximum(fetched - groups * whole, 0),
        ))
    )  # fmt: skip


def _warps(bm: int, bn: int) -> tuple[int, int]:
    """Return how often warps of a tile read its rows, and its columns: laid out to read least."""
    warps = 8 if bm * bn > 128 * 64 else 4
    layouts = [(warps // down, down) for down in (1, 2, 4, 8) if down <= min(warps, bm // 16)]
    return min(layouts, key=lambda layout: bm * layout[0] + bn * layout[1])


ACROSS, DOWN = (
    np.repeat(reads, len(SPLITS)) for reads in np.array([_warps(*x) for x in TILES.tolist()]).T
)


def _smem_bytes(kind: Any, bm: Ints, bn: Ints, a_bits: Any, b_bits: Any) -> Any:
    """Return the bytes that shared memory moves for one element of k of a tile.

    ``mma`` works on registers: each warp reads its rows and columns once. ``wgmma`` reads shared
    memory as it goes, 64 rows beside all columns of the tile; so does ``tcgen05``, of which two SMs
    make a pair that shares the columns, half of them in each.
    """
    by_warps = bm * ACROSS * a_bits + bn * DOWN * b_bits
    tall = bm >= bn
    long, short = np.maximum(bm, bn), np.minimum(bm, bn)
    long_bits, short_bits = np.where(tall, a_bits, b_bits), np.where(tall, b_bits, a_bits)
    groups = -(-long // WGMMA_ROWS)
    by_rows = groups * (WGMMA_ROWS * long_bits + short * short_bits)
    halves = np.where(short < 128, [[1.0], [0.5]], [[0.5], [1.0]])[:, None]
    in_pairs = long * long_bits * halves[0] + short * short_bits * halves[1]
    whole = bm * a_bits + bn * b_bits
    read = np.select([kind == "mma", kind == "wgmma"], [by_warps, by_rows], in_pairs)
    return (read + np.where(kind == "tcgen05", in_pairs, whole)) / 8


def _issue(kind: Any, bm: Ints, bn: Ints, fma: Any, bits: Any, resident: Any) -> Any:
    """Return what issue from registers makes tensor cores take longer by, as a factor."""
    flying = bm * bn / 128 * resident / SUB_CORES  # sums of 16 x 8 on a sub-core
    interval = MMA_FMA * 16 / bits * SUB_CORES / fma
    longer = np.maximum(PACE, (MMA_LATENCY + LOOP_CYCLES) / (flying * interval))
    return np.where(kind == "mma", longer, 1.0)


def _fetched(
    slots: Any, bm: Any, bn: Any, grid_m: Any, grid_n: Any, a_bits: Any, b_bits: Any
) -> Any:
    """Return the bits of k that all waves of a product fetch, if L2 keeps nothing between them."""
    tall = np.clip(np.floor(np.sqrt(slots * bn / bm)), 1, grid_m)
    wide = np.clip(np.floor(slots / tall), 1, grid_n)
    waves = np.ceil(grid_m / tall) * np.ceil(grid_n / wide)
    return waves * (tall * bm * a_bits + wide * bn * b_bits)


def _on_lanes(spec: Spec, jobs: Any) -> Bounds:
    """Return what products take without tensor cores: multiply-adds, or operands through L2."""
    how = native(spec, jobs.computed)
    peak = jobs.m * jobs.n * jobs.k * jobs.groups / how.lane_fma / np.asarray(spec.sms)
    moved = (jobs.read_bytes + jobs.write_bytes).astype(float)
    l2 = moved / np.asarray(spec.l2_bytes_per_cycle)
    none = np.zeros_like(peak)
    return Bounds(peak, peak, peak, peak, none, l2, none, none, moved, none)
