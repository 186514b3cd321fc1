"""How an op is cut into buffer tiles: the space of mappings, and what the tiles of one move.

The space, for a product ``C[M,N] = A[M,K] B[K,N]``: along an axis that the engine cuts into blocks
(`engines.Engine.blocks`), the power-of-two multiples of a block below the extent and the full
extent; along an axis that it streams, ``ceil(extent / 2^i)``; six loop orders, each operand
resident (all of it stays in the buffer) or streamed (two tiles of it). An output-stationary array
of R x C PEs has blocks of R and C along m and n, and streams k. `mapper.search` takes the cheapest
by the objective, ties by DRAM bytes, then by order of enumeration.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from itertools import permutations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from archsim.engines import Ints
from archsim.operands import Places
from archsim.product import Product, ceil_bytes
from archsim.trace import Gemm

ORDERS = tuple("".join(p) for p in permutations("mnk"))  # outermost first
RESIDENT = ("", "a", "b", "c", "ab", "ac", "bc", "abc")
# whether the loop over axis j lies inside the loop over axis i [order, i, j]; axes are m, n, k
INSIDE = np.array([[[o.index(i) < o.index(j) for j in "mnk"] for i in "mnk"] for o in ORDERS])
HELD = np.array([[x in r for x in "abc"] for r in RESIDENT])  # [resident, operand]
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

    def __str__(self) -> str:
        text = f"m={self.m} n={self.n} k={self.k} {self.order}"
        text += f" resident={self.resident}" if self.resident else ""
        return text + (f" groups={self.groups}" if self.groups > 1 else "")

    def cuts(self, gemm: Gemm) -> bool:
        """Return whether the mapping is one of a product."""
        extents = zip((self.m, self.n, self.k), (gemm.m, gemm.n, gemm.k), strict=True)
        whole = (self.m, self.n, self.k) == (gemm.m, gemm.n, gemm.k)
        return (
            all(0 < tile <= extent for tile, extent in extents)
            and self.order in ORDERS
            and self.resident in RESIDENT
            and 0 < self.groups <= gemm.groups
            and (whole or self.groups == 1)
        )


@dataclass(frozen=True, slots=True)
class GemmMappings:
    """Mappings of one product, an array a field: ``order`` and ``resident`` by number.

    A mapping that names no order or residency of the space has number -1 there.
    """

    m: Ints
    n: Ints
    k: Ints
    order: Ints
    resident: Ints
    groups: Ints

    @classmethod
    def of(cls, mappings: Sequence[GemmMapping]) -> GemmMappings:
        rows = [
            (x.m, x.n, x.k, _ORDER.get(x.order, -1), _RESIDENT.get(x.resident, -1), x.groups)
            for x in mappings
        ]
        return cls(*np.array(rows, np.int64).reshape(-1, 6).T.copy())

    def cut(self, gemm: Gemm) -> NDArray[np.bool_]:
        """Return which of the mappings are mappings of a product: see `GemmMapping.cuts`."""
        tiles, extents = (self.m, self.n, self.k), (gemm.m, gemm.n, gemm.k)
        within = [(0 < t) & (t <= e) for t, e in zip(tiles, extents, strict=True)]
        whole = np.logical_and.reduce([t == e for t, e in zip(tiles, extents, strict=True)])
        named = (self.order >= 0) & (self.resident >= 0)
        packs = (0 < self.groups) & (self.groups <= gemm.groups) & (whole | (self.groups == 1))
        return np.asarray(np.logical_and.reduce(within) & named & packs)


_ORDER = {order: i for i, order in enumerate(ORDERS)}
_RESIDENT = {resident: i for i, resident in enumerate(RESIDENT)}


@dataclass(frozen=True, slots=True)
class SliceMapping:
    """An op cut into even slices of everything that it reads and writes."""

    slices: int = 1

    def __str__(self) -> str:
        return f"{self.slices} slice" + "s" * (self.slices != 1)


@dataclass(frozen=True, slots=True)
class WindowMapping:
    """A product of sparse matrices, cut by its engine: nothing that could be chosen by hand."""

    windows: int

    def __str__(self) -> str:
        return f"{self.windows} window" + "s" * (self.windows != 1)


Mapping = GemmMapping | SliceMapping | WindowMapping


def tile_extents(extent: int, block: int | None) -> tuple[int, ...]:
    """Return the sizes of tiles along an axis, the extent itself among them.

    They are power-of-two multiples of a block, ascending; without blocks ``ceil(extent / 2^i)``,
    descending.
    """
    sizes: list[int] = []
    if block is not None:
        while (size := block << len(sizes)) < extent:
            sizes.append(size)
        return (*sizes, extent)
    while not sizes or sizes[-1] > 1:
        sizes.append(-(-extent // 2 ** len(sizes)))
    return tuple(dict.fromkeys(sizes))


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


@dataclass(frozen=True, slots=True)
class Loops:
    """The loops over tiles that mappings of one product make: numbers, or arrays, one a mapping.

    Parameters
    ----------
    m, n, k, groups
        Tile extents.
    trips_m, trips_n, trips_k
        Tiles along each axis.
    inside_m, inside_n, inside_k
        Steps from one tile of an axis to its next: trips of the loops inside that loop.
    steps_a_group, count
        Steps of one pack of groups, and of all.
    again_a, again_b, again_c
        Whether an operand that was replaced by its other tiles is moved again: only what is
        streamed, and only where a loop of its own lies inside the loop that reuses it.
    row_table, row_start, column_table, column_start
        Raw rows of A that each m-tile touches and columns that each k-tile does, and where a
        mapping's begin; see `Touched`.
    """

    m: Any
    n: Any
    k: Any
    groups: Any
    trips_m: Any
    trips_n: Any
    trips_k: Any
    inside_m: Any
    inside_n: Any
    inside_k: Any
    steps_a_group: Any
    count: Any
    again_a: Any
    again_b: Any
    again_c: Any
    row_table: Ints | None
    row_start: Any
    column_table: Ints | None
    column_start: Any

    @classmethod
    def of(cls, product: Product, mapping: GemmMapping) -> Loops:
        """Return the loops of one mapping."""
        order, resident = ORDERS.index(mapping.order), RESIDENT.index(mapping.resident)
        rows, columns = (
            product.a_rows(np.array([mapping.m])), product.a_columns(np.array([mapping.k])),
        )  # fmt: skip
        tables = (rows.table, 0, columns.table, 0)
        return cls._of(
            product.gemm, mapping.m, mapping.n, mapping.k, mapping.groups,
            INSIDE[order].tolist(), HELD[resident].tolist(), tables,
        )  # fmt: skip

    @classmethod
    def of_many(cls, product: Product, mappings: GemmMappings) -> Loops:
        """Return the loops of many mappings of one product, in arrays."""
        x = mappings
        rows, columns = product.a_rows(x.m), product.a_columns(x.k)
        tables = (rows.table, rows.begins, columns.table, columns.begins)
        inside, held = np.moveaxis(INSIDE[x.order], 0, -1), HELD[x.resident].T
        return cls._of(product.gemm, x.m, x.n, x.k, x.groups, inside, held, tables)

    @classmethod
    def _of(
        cls,
        gemm: Gemm,
        m: Any,
        n: Any,
        k: Any,
        groups: Any,
        inside: Any,
        held: Any,
        tables: tuple[Ints | None, Any, Ints | None, Any],
    ) -> Loops:
        trips = (-(-gemm.m // m), -(-gemm.n // n), -(-gemm.k // k))

        def steps_inside(axis: int) -> Any:
            one, other = (i for i in range(3) if i != axis)
            factors = (1 + inside[axis][i] * (trips[i] - 1) for i in (one, other))
            return next(factors) * next(factors)

        inside_m, inside_n, inside_k = (steps_inside(axis) for axis in range(3))
        each = trips[0] * trips[1] * trips[2]
        return cls(
            m, n, k, groups, *trips, inside_m, inside_n, inside_k, each,
            each * -(-gemm.groups // groups),
            (inside_n > 1) > held[0], (inside_m > 1) > held[1], (inside_k > 1) > held[2],
            *tables,
        )  # fmt: skip

    def take(self, rows: Ints) -> Loops:
        """Return the loops of the given mappings, repeats allowed."""
        tables = {"row_table": self.row_table, "column_table": self.column_table}
        columns = {f.name: getattr(self, f.name) for f in fields(self) if f.name not in tables}
        return Loops(**{name: column[rows] for name, column in columns.items()}, **tables)


def places_at(loops: Loops, step: Ints, within: Ints) -> Places:
    """Return where the jobs of the given steps of one mapping lie; ``within`` numbers a step's."""
    return Places(
        step // loops.steps_a_group * loops.groups + within,
        step // loops.inside_m % loops.trips_m * loops.m,
        step // loops.inside_n % loops.trips_n * loops.n,
        step // loops.inside_k % loops.trips_k * loops.k,
    )


def steps(product: Product, mapping: GemmMapping) -> GemmSteps:
    """Return the tiles of a mapping, with the bytes that each moves."""
    loops = Loops.of(product, mapping)
    return steps_at(product, loops, np.arange(loops.count, dtype=np.int64))


def steps_at(product: Product, loops: Loops, step: Ints) -> GemmSteps:
    """Return the tiles of the given steps, of one mapping or of one mapping each."""
    g = product.gemm
    mi = step // loops.inside_m % loops.trips_m
    ni = step // loops.inside_n % loops.trips_n
    ki = step // loops.inside_k % loops.trips_k
    group = step // loops.steps_a_group
    repeat = np.minimum(loops.groups, g.groups - group * loops.groups)
    m = np.minimum(loops.m, g.m - mi * loops.m)
    n = np.minimum(loops.n, g.n - ni * loops.n)
    k = np.minimum(loops.k, g.k - ki * loops.k)
    started, last_k = ki > 0, ki == loops.trips_k - 1

    rows = m if loops.row_table is None else loops.row_table[loops.row_start + mi]
    depths = loops.column_table
    columns = k if depths is None else depths[loops.column_start + ki]
    a_bytes = ceil_bytes(rows * columns * repeat, product.a_bits)
    b_bytes = product.b_bytes(k, n, repeat)
    c_elements = m * n * repeat
    partial = ceil_bytes(c_elements, product.acc_bits)
    result = ceil_bytes(c_elements, product.c_bits)
    return GemmSteps(
        m, n, k,
        accumulate=started,
        repeat=repeat,
        a_bytes=a_bytes * ((ni == 0) | loops.again_a),
        b_bytes=b_bytes * ((mi == 0) | loops.again_b),
        c_bytes=partial * (started & loops.again_c),
        store_bytes=np.where(last_k, result, partial * loops.again_c),
        final=last_k,
    )  # fmt: skip
