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

from archsim.engines import GemmJobs, Ints
from archsim.errors import InfeasibleError
from archsim.mapping import (
    ORDERS,
    RESIDENT,
    STREAM_TILES,
    GemmMapping,
    GemmMappings,
    Product,
    ceil_bytes,
    depth_extents,
    tile_extents,
)

Objective = Literal["time", "energy", "edp"]


@dataclass(frozen=True, slots=True)
class Machine:
    """What the objective needs of a design: lanes, room, speeds and prices.

    Parameters
    ----------
    rows, cols
        Lanes of the array: the units that m and n are multiples of.
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

    rows: int
    cols: int
    capacity_bytes: int
    occupied: Callable[[GemmJobs], Ints]
    ps_per_byte: Fraction
    latency_ps: int
    period_ps: Fraction
    pj_per_byte: float = 0.0
    pj_per_mac: float = 0.0
    pj_per_ps: float = 0.0


@dataclass(frozen=True, slots=True)
class Cost:
    """Closed-form cost of mappings, as arrays or scalars: what the search compares."""

    time_ps: Ints
    dram_bytes: Ints
    buffer_bytes: Ints
    energy_pj: NDArray[np.float64]

    def objective(self, name: Objective) -> NDArray[np.float64] | Ints:
        if name == "time":
            return self.time_ps
        return self.energy_pj if name == "energy" else self.energy_pj * self.time_ps


def _compute_cycles(product: Product, machine: Machine, m: Ints, n: Ints, k: Ints) -> Ints:
    """Return occupied cycles of one group for each tile size: sum over the kinds of tile there are.

    Tiles along m and n are full or the ragged last; along k first (starts the sum), inner, last.
    """
    g = product.gemm

    def kinds(extent: int, size: Ints) -> list[tuple[Ints, Ints]]:
        full = extent // size
        ragged = extent - full * size
        return [(full, size), ((ragged > 0).astype(np.int64), np.maximum(ragged, 1))]

    trips = -(-g.k // k)
    last = g.k - (trips - 1) * k
    depth = [
        (np.ones_like(k), np.where(trips > 1, k, last), False),
        (np.maximum(trips - 2, 0), k, True),
        ((trips > 1).astype(np.int64), last, True),
    ]
    rows = [
        (cm * cn * ck, sm, sn, sk, np.full(m.shape, acc))
        for cm, sm in kinds(g.m, m)
        for cn, sn in kinds(g.n, n)
        for ck, sk, acc in depth
    ]
    counts, *sizes = (np.concatenate(column) for column in zip(*rows, strict=True))
    occupied = np.zeros(len(counts), np.int64)
    live = np.flatnonzero(counts)
    occupied[live] = machine.occupied(GemmJobs(*(s[live] for s in sizes)))
    total: Ints = (counts * occupied).reshape(len(rows), *m.shape).sum(axis=0)
    return total


def _by_extent(touched: Callable[[int], Ints], extents: Ints) -> tuple[Ints, Ints, Ints]:
    """Return sum, largest and first of what the tiles of each extent touch."""
    sizes, inverse = np.unique(extents, return_inverse=True)
    tiles = [touched(int(size)) for size in sizes]
    columns = ([t.sum() for t in tiles], [t.max() for t in tiles], [t[0] for t in tiles])
    total, largest, first = (np.array(column, np.int64)[inverse] for column in columns)
    return total, largest, first


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
    compute_ps = -(-compute * machine.period_ps.numerator // machine.period_ps.denominator)

    rows = _by_extent(product.a_rows, m)
    columns = _by_extent(product.a_columns, k)
    a_sum, a_max, a_first = (r * c for r, c in zip(rows, columns, strict=True))

    def axis(values: list[bool], position: int) -> NDArray[np.bool_]:
        shape = [1, 1, 1]
        shape[position] = -1
        return np.array(values).reshape(shape)

    def col(x: NDArray[Any]) -> NDArray[Any]:
        return x.reshape(-1, 1, 1)

    def reload(other: str, trips: Ints, own: dict[str, Ints], held: str) -> Ints:
        """Return how often a streamed operand passes by: once, or once a trip of the other loop."""
        again = np.zeros((len(m), len(orders), 1), bool)
        for name, own_trips in own.items():
            outside = axis([o.index(other) < o.index(name) for o in orders], 1)
            again = again | (outside & col(own_trips > 1))
        again = again & ~axis([held in r for r in residents], 2)
        return np.asarray(np.where(again, col(trips), 1))

    a_total = ceil_bytes(a_sum * g.groups, product.a_bits)
    b_total = ceil_bytes(np.full(m.shape, g.k * g.n * g.groups), product.b_bits)
    c_total = ceil_bytes(np.full(m.shape, g.m * g.n * g.groups), product.c_bits)
    c_partial = ceil_bytes(np.full(m.shape, g.m * g.n * g.groups), product.acc_bits)
    visits = reload("k", tk, {"m": tm, "n": tn}, "c")
    dram_bytes = (
        col(a_total) * reload("n", tn, {"m": tm, "k": tk}, "a")
        + col(b_total) * reload("m", tm, {"n": tn, "k": tk}, "b")
        + col(c_total)
        + 2 * col(c_partial) * (visits - 1)
    )

    buffer_bytes = _room(product, m, n, k, groups, a_max, residents)

    def dma_ps(size_bytes: Ints) -> Ints:
        speed = machine.ps_per_byte
        return -(-size_bytes * speed.numerator // speed.denominator)

    last_m, last_n = g.m - (tm - 1) * m, g.n - (tn - 1) * n
    last_g = g.groups - (tg - 1) * groups
    first = dma_ps(
        ceil_bytes(a_first * groups, product.a_bits) + ceil_bytes(k * n * groups, product.b_bits)
    )
    last = dma_ps(ceil_bytes(last_m * last_n * last_g, product.c_bits))
    between = np.maximum(col(compute_ps), dma_ps(dram_bytes) - col(first + last))
    time_ps = between + col(first + last) + machine.latency_ps
    energy = (
        machine.pj_per_byte * dram_bytes + machine.pj_per_mac * g.macs + machine.pj_per_ps * time_ps
    )
    return Cost(time_ps, dram_bytes, np.broadcast_to(buffer_bytes, time_ps.shape), energy)


def _room(
    product: Product,
    m: Ints,
    n: Ints,
    k: Ints,
    groups: Ints,
    a_max: Ints,
    residents: tuple[str, ...],
) -> Ints:
    """Return the buffer bytes of tiles [t] under every residency: shape [t, 1, residents]."""
    g = product.gemm
    # a resident operand of one group is in use while the next group's loads
    slots = np.where(groups < g.groups, STREAM_TILES, 1)
    c_bits = np.where(k < g.k, product.acc_bits, product.c_bits)
    a_whole = int(product.a_rows(g.m).max() * product.a_columns(g.k).max())

    def room(whole: int, tile: Ints, bits: Ints | int, name: str) -> Ints:
        held = np.array([name in r for r in residents])
        whole_bytes = -(-whole * groups * bits // 8) * slots
        tile_bytes = -(-tile * groups * bits // 8) * STREAM_TILES
        return np.asarray(np.where(held, whole_bytes[:, None], tile_bytes[:, None]))[:, None, :]

    return (
        room(a_whole, a_max, product.a_bits, "a")
        + room(g.k * g.n, k * n, product.b_bits, "b")
        + room(g.m * g.n, m * n, c_bits, "c")
    )


def footprint_bytes(product: Product, mapping: GemmMapping) -> int:
    """Return the buffer bytes that a mapping's tiles take."""
    return int(footprints_bytes(product, GemmMappings.of([mapping])).item())


def footprints_bytes(product: Product, mappings: GemmMappings) -> Ints:
    """Return the buffer bytes that the tiles of each mapping take."""
    x = mappings
    a_max = _by_extent(product.a_rows, x.m)[1] * _by_extent(product.a_columns, x.k)[1]
    room = _room(product, x.m, x.n, x.k, x.groups, a_max, RESIDENT)
    return np.asarray(room[np.arange(len(x.m)), 0, x.resident])


def candidates(product: Product, machine: Machine) -> tuple[Ints, Ints, Ints]:
    """Return the tile extents (m, n, k) of the space, in order of enumeration."""
    g = product.gemm
    axes = (
        tile_extents(g.m, machine.rows), tile_extents(g.n, machine.cols), depth_extents(g.k),
    )  # fmt: skip
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
    packs = np.array(tile_extents(g.groups, 2)[(0 if g.groups > 1 else 1) :], np.int64)
    whole_m, whole_n, whole_k = (np.full_like(packs, x) for x in (g.m, g.n, g.k))
    packed = evaluate(product, machine, whole_m, whole_n, whole_k, packs, ORDERS[:1], RESIDENT[:1])

    def joined(of: Callable[[Cost], NDArray[Any]]) -> NDArray[Any]:
        return np.concatenate([of(tiles).ravel(), of(packed).ravel()])

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
