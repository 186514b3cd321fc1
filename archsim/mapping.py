"""How an op is cut into buffer tiles: the space of mappings, its cost model, and the exhaustive search.

The space, for a product ``C[M,N] = A[M,K] B[K,N]`` on an array of R x C lanes: ``m`` and ``n`` in
{power-of-two multiples of R and C below the extent} and the full extent, ``k`` in ``ceil(K / 2^i)``,
six loop orders, each operand resident (all of it stays in the buffer) or streamed (two tiles of it).
The search takes the cheapest by the objective, ties by DRAM bytes, then by order of enumeration.

The objective's time is a closed form: it pays the first load and the last store in full and the
larger of compute and DMA between them. `simulate` then times the chosen mapping exactly.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from itertools import permutations
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from archsim.engines import GemmJobs, Ints
from archsim.errors import InfeasibleError
from archsim.trace import Gemm

Objective = Literal["time", "energy", "edp"]
ORDERS = tuple("".join(p) for p in permutations("mnk"))  # outermost first
RESIDENT = ("", "a", "b", "c", "ab", "ac", "bc", "abc")
STREAM_TILES = 2  # a streamed operand holds the tile in use and the one being loaded


@dataclass(frozen=True, slots=True)
class GemmMapping:
    """One way to cut a product into buffer tiles.

    Parameters
    ----------
    m, n, k
        Tile extents.
    order
        Loops over tiles, outermost first; groups are outside all of them.
    resident
        Operands held whole: a subset of "abc".
    groups
        Groups in one tile; above 1 only where a tile is a whole group.
    """

    m: int
    n: int
    k: int
    order: str = "mnk"
    resident: str = ""
    groups: int = 1


@dataclass(frozen=True, slots=True)
class SliceMapping:
    """An op cut into even slices of everything that it reads and writes."""

    slices: int = 1


Mapping = GemmMapping | SliceMapping


@dataclass(frozen=True, slots=True)
class Product:
    """A product as the mapper sees it: extents, widths, and where A's elements come from.

    ``pixel_rows`` and ``tap_channels`` describe a convolution, whose A lies raw in memory, halo
    included, and is expanded on the way into the array; None for a plain product.

    Parameters
    ----------
    a_bits, b_bits, c_bits, acc_bits
        Bits an element: operands, result as stored, partial sum as stored.
    """

    gemm: Gemm
    a_bits: int
    b_bits: int
    c_bits: int
    acc_bits: int
    conv: ConvShape | None = None

    def a_rows(self, m: int) -> Ints:
        """Return the raw rows of A that each of the m-tiles touches: matrix rows, or image rows."""
        starts = np.arange(0, self.gemm.m, m, dtype=np.int64)
        stops = np.minimum(starts + m, self.gemm.m)
        return stops - starts if self.conv is None else self.conv.image_rows(starts, stops)

    def a_columns(self, k: int) -> Ints:
        """Return the raw columns of A that each k-tile touches: matrix columns, or channel widths."""
        starts = np.arange(0, self.gemm.k, k, dtype=np.int64)
        stops = np.minimum(starts + k, self.gemm.k)
        return stops - starts if self.conv is None else self.conv.row_elements(starts, stops)


@dataclass(frozen=True, slots=True)
class ConvShape:
    """The geometry of a convolution's raw input.

    Parameters
    ----------
    height, width
        Of one input image.
    out_height, out_width
        Of one output image.
    kernel_height, taps
        Rows of the kernel, and its taps (rows x columns).
    stride, dilation, pad
        Along the height; pad is the top's.
    """

    height: int
    width: int
    out_height: int
    out_width: int
    kernel_height: int
    taps: int
    stride: int
    dilation: int
    pad: int

    def image_rows(self, starts: Ints, stops: Ints) -> Ints:
        """Return how many input rows, halo included, the output pixels [start, stop) read."""
        whole = self._rows_between(np.int64(0), np.int64(self.out_height - 1))
        first, last = starts // self.out_width, (stops - 1) // self.out_width
        image, image_end = first // self.out_height, last // self.out_height
        row, row_end = first % self.out_height, last % self.out_height
        one = self._rows_between(row, row_end)
        head = self._rows_between(row, np.int64(self.out_height - 1))
        tail = self._rows_between(np.int64(0), row_end)
        inner = (image_end - image - 1) * whole
        return np.asarray(np.where(image == image_end, one, head + inner + tail))

    def _rows_between(self, row: NDArray[np.int64] | np.int64, row_end: Ints | np.int64) -> Ints:
        reach = self.dilation * (self.kernel_height - 1)
        top = np.clip(row * self.stride - self.pad, 0, self.height)
        bottom = np.clip(row_end * self.stride - self.pad + reach + 1, 0, self.height)
        return np.asarray(np.maximum(bottom - top, 0))

    def row_elements(self, starts: Ints, stops: Ints) -> Ints:
        """Return the elements of one image row over the channels that taps [start, stop) touch."""
        channels = (stops - 1) // self.taps - starts // self.taps + 1
        return channels * self.width


@dataclass(frozen=True, slots=True)
class GemmSteps:
    """The tiles of a mapping in the order of execution; arrays of shape [steps].

    ``repeat`` jobs (groups) run in each step. Bytes are what the step moves: loads before it,
    the store after it.
    """

    m: Ints
    n: Ints
    k: Ints
    accumulate: NDArray[np.bool_]
    repeat: Ints
    a_bytes: Ints
    b_bytes: Ints
    c_bytes: Ints
    store_bytes: Ints
    final: NDArray[np.bool_]  # the store is of finished results, not of partial sums


def _ceil_bytes(elements: Ints, bits: int) -> Ints:
    return -(-elements * bits // 8)


def steps(product: Product, mapping: GemmMapping) -> GemmSteps:
    """Return the tiles of a mapping, with the bytes that each moves."""
    g = product.gemm
    trips = {"m": -(-g.m // mapping.m), "n": -(-g.n // mapping.n), "k": -(-g.k // mapping.k)}
    group_trips = -(-g.groups // mapping.groups)
    count = group_trips * trips["m"] * trips["n"] * trips["k"]
    index: dict[str, Ints] = {}
    rest = np.arange(count, dtype=np.int64)
    for axis in reversed(mapping.order):
        rest, index[axis] = np.divmod(rest, trips[axis])
    group, mi, ni, ki = rest, index["m"], index["n"], index["k"]
    repeat = np.minimum(mapping.groups, g.groups - group * mapping.groups)

    m = np.minimum(mapping.m, g.m - mi * mapping.m)
    n = np.minimum(mapping.n, g.n - ni * mapping.n)
    k = np.minimum(mapping.k, g.k - ki * mapping.k)
    last_k = ki == trips["k"] - 1

    def moves(held: bool, other: Ints, *own: Ints) -> NDArray[np.bool_]:
        """A tile is loaded on first use if its operand is resident, else whenever it changes."""
        if held:
            return np.asarray(other == 0)
        changed = np.ones(count, bool)
        changed[1:] = np.logical_or.reduce([x[1:] != x[:-1] for x in (group, *own)])
        return changed

    a_elements = product.a_rows(mapping.m)[mi] * product.a_columns(mapping.k)[ki]
    a_bytes = _ceil_bytes(a_elements * repeat, product.a_bits)
    b_bytes = _ceil_bytes(k * n * repeat, product.b_bits)
    partial = _ceil_bytes(m * n * repeat, product.acc_bits)
    result = _ceil_bytes(m * n * repeat, product.c_bits)

    enters = moves("c" in mapping.resident, ki, mi, ni)
    leaves = np.ones(count, bool)
    leaves[:-1] = enters[1:]
    spills = leaves & ~last_k if "c" not in mapping.resident else np.zeros(count, bool)
    return GemmSteps(
        m, n, k,
        accumulate=ki > 0,
        repeat=repeat,
        a_bytes=np.where(moves("a" in mapping.resident, ni, mi, ki), a_bytes, 0),
        b_bytes=np.where(moves("b" in mapping.resident, mi, ni, ki), b_bytes, 0),
        c_bytes=np.where(enters & (ki > 0), partial, 0),
        store_bytes=np.where(last_k, result, np.where(spills, partial, 0)),
        final=last_k,
    )  # fmt: skip


# ---------------------------------------------------------------------------------------- search


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


def tile_extents(extent: int, lanes: int) -> tuple[int, ...]:
    """Return power-of-two multiples of the lanes below the extent, then the extent."""
    tiles = []
    size = lanes
    while size < extent:
        tiles.append(size)
        size *= 2
    return (*tiles, extent)


def depth_extents(k: int) -> tuple[int, ...]:
    """Return ``ceil(K / 2^i)``, largest first, each once."""
    sizes = [k]
    while sizes[-1] > 1:
        sizes.append(-(-k // 2 ** len(sizes)))
    return tuple(dict.fromkeys(sizes))


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
    """Return the closed-form cost of tiles [t] under every order and residency: shape [t, orders, residents]."""
    g = product.gemm
    tm, tn, tk, tg = -(-g.m // m), -(-g.n // n), -(-g.k // k), -(-g.groups // groups)
    compute = _compute_cycles(product, machine, m, n, k) * g.groups
    compute_ps = -(-compute * machine.period_ps.numerator // machine.period_ps.denominator)

    rows = {int(x): product.a_rows(int(x)) for x in np.unique(m)}
    columns = {int(x): product.a_columns(int(x)) for x in np.unique(k)}
    a_sum = np.array([rows[int(x)].sum() for x in m]) * np.array([columns[int(x)].sum() for x in k])
    a_max = np.array([rows[int(x)].max() for x in m]) * np.array([columns[int(x)].max() for x in k])
    a_first = np.array([rows[int(x)][0] for x in m]) * np.array([columns[int(x)][0] for x in k])

    def axis(values: list[bool], position: int) -> NDArray[np.bool_]:
        shape = [1, 1, 1]
        shape[position] = -1
        return np.array(values).reshape(shape)

    def col(x: Ints) -> Ints:
        return x.reshape(-1, 1, 1)

    def reload(other: str, trips: Ints, own: dict[str, Ints], held: str) -> Ints:
        """Return how often a streamed operand passes by: once, or once a trip of the other loop."""
        again = np.zeros((len(m), len(orders), 1), bool)
        for name, own_trips in own.items():
            outside = axis([o.index(other) < o.index(name) for o in orders], 1)
            again = again | (outside & col(own_trips > 1))
        again = again & ~axis([held in r for r in residents], 2)
        return np.asarray(np.where(again, col(trips), 1))

    a_total = _ceil_bytes(a_sum * g.groups, product.a_bits)
    b_total = _ceil_bytes(np.full(m.shape, g.k * g.n * g.groups), product.b_bits)
    c_total = _ceil_bytes(np.full(m.shape, g.m * g.n * g.groups), product.c_bits)
    c_partial = _ceil_bytes(np.full(m.shape, g.m * g.n * g.groups), product.acc_bits)
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
        _ceil_bytes(a_first * groups, product.a_bits) + _ceil_bytes(k * n * groups, product.b_bits)
    )
    last = dma_ps(_ceil_bytes(last_m * last_n * last_g, product.c_bits))
    between = np.maximum(col(compute_ps), dma_ps(dram_bytes) - col(first + last))
    time_ps = between + col(first + last) + machine.latency_ps
    energy = (
        machine.pj_per_byte * dram_bytes + machine.pj_per_mac * g.macs + machine.pj_per_ps * time_ps
    )
    return Cost(time_ps, dram_bytes, np.broadcast_to(buffer_bytes, time_ps.shape), energy)


def _room(
    product: Product, m: Ints, n: Ints, k: Ints, groups: Ints, a_max: Ints,
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
    m, n, k, groups = (np.array([x]) for x in (mapping.m, mapping.n, mapping.k, mapping.groups))
    a_max = np.array([product.a_rows(mapping.m).max() * product.a_columns(mapping.k).max()])
    return int(_room(product, m, n, k, groups, a_max, (mapping.resident,)).item())


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
    whole = [np.full(packs.shape, x) for x in (g.m, g.n, g.k)]
    packed = evaluate(product, machine, *whole, packs, ORDERS[:1], RESIDENT[:1])

    def joined(of: Callable[[Cost], NDArray[np.generic]]) -> NDArray[np.generic]:
        return np.concatenate([of(tiles).ravel(), of(packed).ravel()])

    fits = joined(lambda c: c.buffer_bytes) <= machine.capacity_bytes
    if not fits.any():
        raise InfeasibleError(
            f"a tile of {g.m}x{g.n}x{g.k}",
            demand=int(tiles.buffer_bytes.min()), bound=machine.capacity_bytes,
            unit="bytes of buffer", levers=("raise memories.buffer.capacity_bytes or the share",),
        )  # fmt: skip
    score = np.where(fits, joined(lambda c: c.objective(objective)), np.inf)
    best = np.flatnonzero(score == score.min())
    choice = int(best[np.argmin(joined(lambda c: c.dram_bytes)[best])])
    if choice >= tiles.time_ps.size:
        return GemmMapping(g.m, g.n, g.k, groups=int(packs[choice - tiles.time_ps.size]))
    t, order, resident = np.unravel_index(choice, tiles.time_ps.shape)
    return GemmMapping(int(m[t]), int(n[t]), int(k[t]), ORDERS[order], RESIDENT[resident])
