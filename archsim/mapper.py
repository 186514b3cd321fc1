"""The mapping objective in closed form, vectorised over the whole space, and the exhaustive search.

The objective's time pays the first load and the last store in full and the larger of compute and
DMA between them. `simulate` then times the chosen mapping exactly.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from archsim.engines import Blocks, GemmJobs, Ints
from archsim.errors import InfeasibleError, InputError
from archsim.mapping import (
    HELD,
    INSIDE,
    ORDERS,
    RESIDENT,
    STREAM_TILES,
    GemmMapping,
    GemmMappings,
    tile_extents,
)
from archsim.product import Product, ceil_bytes, tile_kinds
from archsim.trace import Gemm

Objective = Literal["time", "energy", "dram_bytes", "edp"]


@dataclass(frozen=True, slots=True)
class Machine:
    """What the objective needs of a design: blocks, room, speeds and prices.

    Parameters
    ----------
    blocks
        What tiles are multiples of along m, n and k; see `engines.Engine.blocks`.
    capacity_bytes
        Room for the op's tiles.
    occupied
        Occupied cycles of each row of a `GemmJobs`.
    ps_per_byte, latency_ps
        Of DRAM.
    period_ps
        Of the engine's clock.
    pj_per_byte, pj_per_mac, pj_per_ps
        Prices of DRAM traffic, of work, and of time, for the energy objectives.
    """

    blocks: Blocks
    capacity_bytes: int
    occupied: Callable[[GemmJobs], Ints]
    ps_per_byte: Fraction
    latency_ps: int
    period_ps: Fraction
    pj_per_byte: float = 0.0
    pj_per_mac: float = 0.0
    pj_per_ps: float = 0.0

    def energy_pj(self, dram_bytes: Ints, macs: int, time_ps: Ints) -> NDArray[np.float64]:
        if self.pj_per_byte == self.pj_per_mac == self.pj_per_ps == 0:
            return np.broadcast_to(0.0, time_ps.shape)
        return np.asarray(
            self.pj_per_byte * dram_bytes + self.pj_per_mac * macs + self.pj_per_ps * time_ps
        )


@dataclass(frozen=True, slots=True)
class Cost:
    """Closed-form cost of mappings, as arrays or scalars: what the search compares."""

    time_ps: Ints
    dram_bytes: Ints
    buffer_bytes: Ints
    energy_pj: NDArray[np.float64]

    def objective(self, name: Objective) -> NDArray[np.float64] | Ints:
        """Return what a search minimises, op by op.

        The energy-delay product of a whole trace is no sum over its ops, so ``edp`` is that of each
        op by itself: the same as the trace's for one op, and for several a product that is small
        wherever each of its terms is, not the least there is.
        """
        if name in ("time", "dram_bytes"):
            return self.time_ps if name == "time" else self.dram_bytes
        return self.energy_pj if name == "energy" else self.energy_pj * self.time_ps


def _compute_cycles(product: Product, machine: Machine, m: Ints, n: Ints, k: Ints) -> Ints:
    """Return occupied cycles of one group for each tile size [t]: the sum over its kinds of tile.

    Tiles along m and n are full or the ragged last; along k first (starts the sum), inner, last.
    """
    g = product.gemm

    def kinds(extent: int, size: Ints) -> tuple[Ints, Ints]:
        counts, sizes = zip(*tile_kinds(extent, size), strict=True)
        return np.stack(counts), np.stack(sizes)  # how many, how large: [2, t]

    trips = -(-g.k // k)
    last = g.k - (trips - 1) * k
    (count_m, size_m), (count_n, size_n) = kinds(g.m, m), kinds(g.n, n)
    count_k = np.stack([np.ones_like(k), np.maximum(trips - 2, 0), trips > 1])
    size_k = np.stack([np.minimum(k, g.k), k, last])
    counts = count_m[:, None, None] * count_n[:, None] * count_k  # [2, 2, 3, t]
    live = np.nonzero(counts)
    of_m, of_n, of_k, t = live
    jobs = GemmJobs(size_m[of_m, t], size_n[of_n, t], size_k[of_k, t], of_k > 0)
    counts[live] *= machine.occupied(jobs)
    return np.asarray(counts.sum(axis=(0, 1, 2)))


def evaluate(
    product: Product,
    machine: Machine,
    m: Ints,
    n: Ints,
    k: Ints,
    groups: Ints,
    orders: tuple[str, ...] = ORDERS,
    residents: tuple[str, ...] = RESIDENT,
) -> Cost:
    """Return the cost of tiles [t] under every order and residency: [t, orders, residents]."""
    g = product.gemm
    tm, tn, tk, tg = -(-g.m // m), -(-g.n // n), -(-g.k // k), -(-g.groups // groups)
    compute = _compute_cycles(product, machine, m, n, k) * g.groups
    compute_ps = _scaled(compute, machine.period_ps, g)

    rows, columns = product.a_rows(m), product.a_columns(k)
    a_total = ceil_bytes(rows.total * columns.total * g.groups, product.a_bits)
    b_total = product.b_total(k, n, g.groups)
    c_total = ceil_bytes(g.m * g.n * g.groups, product.c_bits)
    c_partial = ceil_bytes(g.m * g.n * g.groups, product.acc_bits)

    # a streamed operand passes again each trip of the loop that reuses it, if a loop of its own
    # with more than one trip is inside that
    inside = INSIDE[[ORDERS.index(order) for order in orders]]  # [orders, axis, axis]
    more = np.stack([tm, tn, tk], axis=-1) - 1  # trips after the first: [t, axis]
    again = np.tensordot((more > 0).astype(np.int64), inside, axes=(1, 2)) > 0
    repeats = again * more[:, None]  # [t, orders, reusing axis]
    once = np.stack(
        [np.broadcast_to(b_total, m.shape), a_total, np.full_like(m, 2 * c_partial)], axis=-1
    )
    streamed = ~HELD[[RESIDENT.index(resident) for resident in residents]]
    by_axis = streamed[:, [1, 0, 2]].astype(np.int64)  # m reuses B, n reuses A, k reuses C
    passes = (repeats * once[:, None]) @ by_axis.T  # [t, orders, residents]
    dram_bytes = passes + (a_total + b_total + c_total)[:, None, None]

    def dma_ps(size_bytes: Ints) -> Ints:
        return _scaled(size_bytes, machine.ps_per_byte, g)

    last_m, last_n = g.m - (tm - 1) * m, g.n - (tn - 1) * n
    last_g = g.groups - (tg - 1) * groups
    first = dma_ps(
        ceil_bytes(rows.first * columns.first * groups, product.a_bits)
        + product.b_bytes(k, n, groups)
    )
    last = dma_ps(ceil_bytes(last_m * last_n * last_g, product.c_bits))
    ends = (first + last)[:, None, None]
    time_ps = np.maximum(compute_ps[:, None, None], dma_ps(dram_bytes) - ends)
    time_ps += ends + machine.latency_ps
    room = _room(product, m, n, k, groups, rows.largest * columns.largest, ~streamed)
    return Cost(
        time_ps, dram_bytes, np.broadcast_to(room[:, None], time_ps.shape),
        machine.energy_pj(dram_bytes, g.macs, time_ps),
    )  # fmt: skip


def _scaled(amount: Ints, factor: Fraction, gemm: Gemm) -> Ints:
    """Return ``ceil(amount x factor)``, which 64 bits must hold."""
    if int(amount.max()) * factor.numerator >= 1 << 62:
        raise InputError(
            f"a {gemm.m}x{gemm.n}x{gemm.k} product",
            "must take less time than 64 bits of picoseconds hold",
            fix="make it smaller, or give clocks and bandwidths with fewer digits",
        )
    return np.asarray(-(-amount * factor.numerator // factor.denominator))


def _room(
    product: Product, m: Ints, n: Ints, k: Ints, groups: Ints, a_max: Ints, held: NDArray[np.bool_]
) -> Ints:
    """Return the buffer bytes of tiles [t] for each set of held operands: [t, sets]."""
    g = product.gemm
    # a resident operand of one group is in use while the next group's loads
    slots = np.where(groups < g.groups, STREAM_TILES, 1)
    c_bits = np.where(k < g.k, product.acc_bits, product.c_bits)
    a_whole = _largest(product, np.array([g.m]), np.array([g.k])).item()

    def room(a: Any, b_bytes: Any, c: Any, copies: Any) -> Ints:
        sizes = (
            ceil_bytes(a * groups, product.a_bits), b_bytes, ceil_bytes(c * groups, c_bits)
        )  # fmt: skip
        return np.stack([size * copies for size in sizes], axis=-1)  # [t, operands]

    whole = room(a_whole, product.b_total(k, n, groups), g.m * g.n, slots)
    tile = room(a_max, product.b_bytes(k, n, groups), m * n, STREAM_TILES)
    return np.asarray(whole @ held.T.astype(np.int64) + tile @ (~held.T).astype(np.int64))


def footprint_bytes(product: Product, mapping: GemmMapping) -> int:
    """Return the buffer bytes that a mapping's tiles take."""
    m, n, k, groups = (np.array([x]) for x in (mapping.m, mapping.n, mapping.k, mapping.groups))
    held = HELD[[RESIDENT.index(mapping.resident)]]
    return int(_room(product, m, n, k, groups, _largest(product, m, k), held).item())


def _largest(product: Product, m: Ints, k: Ints) -> Ints:
    """Return the elements of the largest tile of A for each size of tile."""
    return product.a_rows(m).largest * product.a_columns(k).largest


def footprints_bytes(product: Product, mappings: GemmMappings) -> Ints:
    """Return the buffer bytes that the tiles of each mapping take."""
    x = mappings
    room = _room(product, x.m, x.n, x.k, x.groups, _largest(product, x.m, x.k), HELD)
    return np.asarray(room[np.arange(len(x.m)), x.resident])


def candidates(product: Product, machine: Machine) -> tuple[Ints, Ints, Ints]:
    """Return the tile extents (m, n, k) of the space, in order of enumeration."""
    g = product.gemm
    axes = map(tile_extents, (g.m, g.n, g.k), machine.blocks)
    m, n, k = (x.ravel() for x in np.meshgrid(*map(np.array, axes), indexing="ij"))
    return m, n, k


def search(product: Product, machine: Machine, objective: Objective = "time") -> GemmMapping:
    """Return the best mapping of the space that fits the buffer.

    Raises
    ------
    InfeasibleError
        If not even the smallest tiles fit.
    """
    g = product.gemm
    m, n, k = candidates(product, machine)
    tiles = evaluate(product, machine, m, n, k, np.ones_like(m))
    costs = [tiles]
    packs = np.array(tile_extents(g.groups, 2), np.int64)
    if g.groups > 1:
        whole_m, whole_n, whole_k = (np.full_like(packs, x) for x in (g.m, g.n, g.k))
        costs.append(
            evaluate(product, machine, whole_m, whole_n, whole_k, packs, ORDERS[:1], RESIDENT[:1])
        )

    def joined(of: Callable[[Cost], NDArray[Any]]) -> NDArray[Any]:
        return np.concatenate([of(cost).ravel() for cost in costs])

    fits = joined(lambda c: c.buffer_bytes) <= machine.capacity_bytes
    if not fits.any():
        raise InfeasibleError(
            f"the smallest tile of a {g.m}x{g.n}x{g.k} product",
            demand=int(tiles.buffer_bytes.min()), bound=machine.capacity_bytes,
            unit="bytes of buffer",
            levers=(
                "raise memories.buffer.capacity_bytes", "raise memories.buffer.tile_share",
            ),
        )  # fmt: skip
    score = np.where(fits, joined(lambda c: c.objective(objective)), np.inf)
    best = np.flatnonzero(score == score.min())
    choice = int(best[np.argmin(joined(lambda c: c.dram_bytes)[best])])
    if choice >= tiles.time_ps.size:
        return GemmMapping(g.m, g.n, g.k, groups=int(packs[choice - tiles.time_ps.size]))
    t, order, resident = np.unravel_index(choice, tiles.time_ps.shape)
    return GemmMapping(int(m[t]), int(n[t]), int(k[t]), ORDERS[order], RESIDENT[resident])
