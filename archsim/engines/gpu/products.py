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
    x = _Tiled(spec, jobs)
    peak, tensor, moved, fetched = x.peak(), x.tensor(), x.moved_bytes(), x.fetched_bytes()
    found = (
        peak, peak / x.share, tensor, tensor * x.issue(), x.smem(), x.l2(moved),
        x.memory(fetched), x.lanes(), moved, np.maximum(fetched - x.once_bytes, 0),
    )  # fmt: skip
    return Bounds(*np.broadcast_arrays(*found))


class _Tiled:
    """Products on every tile of the list with every split; arrays broadcast to [n, candidates].

    Attributes
    ----------
    bits, fma, share
        See `archsim.engines.gpu.numbers.Native`.
    b_stored
        Bits of an element of B in memory, packed or not.
    depth
        Of a tile along k, in whole steps.
    tiles, each
        Of the product, and of the fullest SM.
    stages, blocks
        Of a tile's loads under way; tiles that an SM works on at a time.
    once_bytes
        Of both operands.
    """

    def __init__(self, spec: Spec, jobs: Any) -> None:
        self.spec, self.kind = spec, np.asarray(spec.instruction)[..., None]
        self.bm, self.bn = np.repeat(TILES, len(SPLITS), axis=0).T
        self.split = np.tile(SPLITS, len(TILES))
        # rows that are no products count as one, and are left out later
        extents = (np.maximum(x, 1)[:, None] for x in (jobs.m, jobs.n, jobs.k, jobs.groups))
        self.m, self.n, self.k, self.groups = extents
        operands = (jobs.a_bits, jobs.b_bits, jobs.c_bits, jobs.placed)
        self.a_bits, self.b_bits, self.c_bits, self.placed = (x[:, None] for x in operands)
        self.b_stored = 8 * jobs.b_bytes[:, None] / (self.k * self.n * self.groups)
        how = native(spec, jobs.computed)
        self.bits, self.share = how.bits[:, None], how.share[:, None]
        self.fma = np.maximum(how.fma[:, None], NONE) * (1 + jobs.half[:, None])

        self.step = 8 * STEP_BYTES // self.bits
        self.depth = -(-self.k // (self.split * self.step)) * self.step
        self.grid_m, self.grid_n = -(-self.m // self.bm), -(-self.n // self.bn)
        self.tiles = self.grid_m * self.grid_n * self.groups * self.split
        self.each = -(-self.tiles // self.of("sms"))
        stage_bytes, smem_bytes = (self.bm + self.bn) * STEP_BYTES, self.of("smem_bytes")
        self.stages = np.clip(smem_bytes // stage_bytes, 1, STAGES)
        by_smem = smem_bytes // (self.stages * stage_bytes)
        by_registers = ACCUMULATOR_BYTES // (4 * self.bm * self.bn)
        self.blocks = np.clip(np.minimum(by_smem, by_registers), 1, MAX_BLOCKS)
        once_bits = (self.m * self.a_bits + self.n * self.b_stored) * self.k
        self.once_bytes = self.groups * once_bits / 8

    def of(self, name: str) -> Any:
        """Return a figure of the spec as a column."""
        return np.asarray(getattr(self.spec, name), float)[..., None]

    def peak(self) -> Any:
        return self.m * self.n * self.k * self.groups / self.fma / self.of("sms")

    def tensor(self) -> Any:
        """Return the time of padded tiles on the fullest SM."""
        return self.each * self.bm * self.bn * self.depth / self.fma / self.share

    def issue(self) -> Any:
        """Return what issue from registers makes tensor cores take longer by, as a factor."""
        resident = np.minimum(self.blocks, self.each)
        flying = self.bm * self.bn / 128 * resident / SUB_CORES  # sums of 16 x 8 on a sub-core
        interval = MMA_FMA * 16 / self.bits * SUB_CORES / self.fma
        longer = np.maximum(PACE, (MMA_LATENCY + LOOP_CYCLES) / (flying * interval))
        return np.where(self.kind == "mma", longer, 1.0)

    def smem(self) -> Any:
        moved = _smem_bytes(self.kind, self.bm, self.bn, self.a_bits, self.b_bits)
        zeros = (self.placed > 0) * self.bn * self.b_bits / 8  # before weights are put in place
        return self.each * self.depth * (moved + zeros) / self.of("smem_bytes_per_cycle")

    def lanes(self) -> Any:
        """Return the time of widening, and of putting packed weights in place for each row."""
        narrow = self.bm * (self.a_bits < self.bits) + self.bn * (self.b_bits < self.bits)
        widening = self.each * narrow * self.depth * WIDEN_OPS
        placing = self.placed * self.grid_m * PLACE_OPS / self.of("sms")
        return (widening + placing) / INT_LANES

    def moved_bytes(self) -> Any:
        """Return what passes L2: operands of tiles, FP32 sums of splits, results."""
        a, b = self.bm * self.a_bits, self.bn * self.b_stored
        shared = np.where(self.kind == "mma", 1.0, 0.5)  # by the two SMs of a cluster
        operands = (np.maximum(a, b) * shared + np.minimum(a, b)) * self.depth / 8
        result = np.where(self.split > 1, 2 * 4 * self.split, self.c_bits / 8)
        return self.tiles * operands + self.m * self.n * self.groups * result

    def l2(self, moved: Any) -> Any:
        of_sm = moved / self.tiles * self.each / SM_L2_BYTES
        return np.maximum(moved / self.of("l2_bytes_per_cycle"), of_sm)

    def fetched_bytes(self) -> Any:
        """Return what waves fetch, each as square as tiles allow, if L2 cannot keep operands."""
        slots = self.of("sms") * self.blocks
        tall = np.clip(np.floor(np.sqrt(slots * self.bn / self.bm)), 1, self.grid_m)
        wide = np.clip(np.floor(slots / tall), 1, self.grid_n)
        waves = np.ceil(self.grid_m / tall) * np.ceil(self.grid_n / wide)
        of_wave = (tall * self.bm * self.a_bits + wide * self.bn * self.b_stored) * self.k / 8
        fetched = np.maximum(self.groups * waves * of_wave, self.once_bytes)
        return np.where(self.once_bytes / self.groups > self.of("l2_bytes") / 2, fetched, 0.0)

    def memory(self, fetched: Any) -> Any:
        """Return the time of that, or of what can be on its way at a time (Little's law)."""
        mhz = self.of("mhz")
        tile_bits = np.maximum(self.bm * self.a_bits + self.bn * self.b_stored, 1) * self.step
        running = np.minimum(self.tiles, self.of("sms") * self.blocks)
        flying_bytes = running * self.stages * tile_bits / 8
        latency = self.of("memory_latency_ns") * mhz * 1e-3
        paced = fetched * mhz / self.of("memory_gb_per_s") * 1e-3
        return np.maximum(paced, self.once_bytes * latency / flying_bytes)


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


def _on_lanes(spec: Spec, jobs: Any) -> Bounds:
    """Return what products take without tensor cores: multiply-adds, or operands through L2."""
    how = native(spec, jobs.computed)
    peak = jobs.m * jobs.n * jobs.k * jobs.groups / how.lane_fma / np.asarray(spec.sms)
    moved = (jobs.read_bytes + jobs.write_bytes).astype(float)
    l2 = moved / np.asarray(spec.l2_bytes_per_cycle)
    none = np.zeros_like(peak)
    return Bounds(peak, peak, peak, peak, none, l2, none, none, moved, none)
