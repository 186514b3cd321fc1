"""How an op is cut into buffer tiles: the space of mappings, and what the tiles of one move.

The space, for a product ``C[M,N] = A[M,K] B[K,N]`` on an array of R x C lanes: ``m`` and ``n`` in
{power-of-two multiples of R and C below the extent} and the full extent, ``k`` in
``ceil(K / 2^i)``, six loop orders, each operand resident (all of it stays in the buffer) or
streamed (two tiles of it). `mapper.search` takes the cheapest by the objective, ties by DRAM bytes,
then by order of enumeration.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import permutations

import numpy as np
from numpy.typing import NDArray

from archsim.engines import Ints
from archsim.trace import Gemm

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
class SliceMapping:
    """An op cut into even slices of everything that it reads and writes."""

    slices: int = 1


Mapping = GemmMapping | SliceMapping


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
        """Return the raw columns of A that each k-tile touches: of the matrix or channels."""
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
        first, last = starts // self.out_width, (stops - 1) // self.out_width
        image, image_end = first // self.out_height, last // self.out_height
        row, row_end = first % self.out_height, last % self.out_height
        one = self._rows_between(row, row_end)
        if stops[-1] <= self.out_width * self.out_height:
            return one  # a single image
        head = self._rows_between(row, np.int64(self.out_height - 1))
        tail = self._rows_between(np.int64(0), row_end)
        whole = self._rows_between(np.int64(0), np.int64(self.out_height - 1))
        inner = (image_end - image - 1) * whole
        return np.asarray(np.where(image == image_end, one, head + inner + tail))

    def _rows_between(self, row: NDArray[np.int64] | np.int64, row_end: Ints | np.int64) -> Ints:
        reach = self.dilation * (self.kernel_height - 1)
        top = np.maximum(row * self.stride - self.pad, 0)
        bottom = np.minimum(row_end * self.stride - self.pad + reach + 1, self.height)
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


def ceil_bytes(elements: Ints, bits: int) -> Ints:
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
        """Return where a tile loads: on first use if its operand is resident, else on change."""
        if held:
            return np.asarray(other == 0)
        changed = np.ones(count, bool)
        changed[1:] = np.logical_or.reduce([x[1:] != x[:-1] for x in (group, *own)])
        return changed

    a_elements = product.a_rows(mapping.m)[mi] * product.a_columns(mapping.k)[ki]
    a_bytes = ceil_bytes(a_elements * repeat, product.a_bits)
    b_bytes = ceil_bytes(k * n * repeat, product.b_bits)
    partial = ceil_bytes(m * n * repeat, product.acc_bits)
    result = ceil_bytes(m * n * repeat, product.c_bits)

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
