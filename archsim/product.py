"""A matrix product as mapping sees it, and what of a convolution's raw input its tiles touch."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import product as pairs
from typing import Any

import numpy as np
from numpy.typing import NDArray

from archsim.engines import Ints
from archsim.trace import Gemm


def ceil_bytes(elements: Any, bits: Any) -> Any:
    return -(-elements * bits // 8)


def tile_kinds(extent: int, size: Ints) -> Iterator[tuple[Ints, Ints]]:
    """Yield how many tiles of each size are full, and how large those are; then the ragged."""
    full = extent // size
    ragged = extent - full * size
    yield full, size
    yield (ragged > 0).astype(np.int64), ragged


@dataclass(frozen=True, slots=True)
class Product:
    """A product as the mapper sees it: extents, widths, and where A's elements come from.

    ``pixel_rows`` and ``tap_channels`` describe a convolution, whose A lies raw in memory, halo
    included, and is expanded on the way into the array; None for a plain product.

    Parameters
    ----------
    a_bits, b_bits, c_bits, acc_bits
        Bits an element: operands, result as stored, partial sum as stored (for many mappings at
        once, of each).
    stored
        ``(k, n) -> bytes`` of tiles of B in memory, where the engine reads them in a form of its
        own (`Engine.weight_bytes`); None: ``b_bits`` an element.
    """

    gemm: Gemm
    a_bits: int
    b_bits: int
    c_bits: int
    acc_bits: int | Ints
    conv: ConvShape | None = None
    stored: Callable[[Ints, Ints], Ints] | None = None

    def b_bytes(self, k: Any, n: Any, groups: Any) -> Any:
        """Return the bytes of tiles of B: k by n elements of so many groups each."""
        if self.stored is None:
            return ceil_bytes(k * n * groups, self.b_bits)
        return self.stored(k, n) * groups

    def b_total(self, k: Ints, n: Ints, groups: Any) -> Ints:
        """Return the bytes of all tiles of B of so many groups, by size of tile."""
        if self.stored is None:
            return np.asarray(ceil_bytes(self.gemm.k * self.gemm.n * groups, self.b_bits))
        total = np.zeros_like(k)
        for (down, size_k), (across, size_n) in pairs(
            tile_kinds(self.gemm.k, k), tile_kinds(self.gemm.n, n)
        ):
            some = np.maximum(size_k, 1), np.maximum(size_n, 1)  # of none, the size is nobody's
            total += down * across * self.stored(*some)
        return np.asarray(total * groups)

    def a_rows(self, m: Ints) -> Touched:
        """Return the raw rows of A, of the matrix or of images, that tiles of each m touch."""
        touched = None if self.conv is None else self.conv.image_rows
        return Touched.of(self.gemm.m, m, touched)

    def a_columns(self, k: Ints) -> Touched:
        """Return the raw columns of A, of the matrix or in all channels, that k-tiles touch."""
        touched = None if self.conv is None else self.conv.row_elements
        return Touched.of(self.gemm.k, k, touched)


@dataclass(frozen=True, slots=True)
class Touched:
    """What of A the tiles of several sizes touch along one axis.

    Parameters
    ----------
    table, begins
        By tile: those of all tiles of one size, of the next ..., and where each size's begin. None
        where a tile touches what it spans: a matrix needs no table.
    total, largest, first
        By size.
    """

    table: Ints | None
    begins: Ints
    total: Ints
    largest: Ints
    first: Ints

    @classmethod
    def of(cls, extent: int, sizes: Ints, touched: Callable[[Ints, Ints], Ints] | None) -> Touched:
        if touched is None:
            return cls(None, np.zeros_like(sizes), np.full_like(sizes, extent), sizes, sizes)
        one = len(sizes) == 1  # a mapping that is chosen: not worth a sort
        different, which = (
            (sizes, np.zeros_like(sizes)) if one else np.unique(sizes, return_inverse=True)
        )
        counts = -(-extent // different)
        starts = [np.arange(0, extent, size, dtype=np.int64) for size in different.tolist()]
        start = np.concatenate(starts)
        table = touched(start, np.minimum(start + np.repeat(different, counts), extent))
        begins = np.cumsum(counts) - counts
        columns = (
            begins, np.add.reduceat(table, begins), np.maximum.reduceat(table, begins),
            table[begins],
        )  # fmt: skip
        return cls(table, *(column[which] for column in columns))


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
        if stops.max() <= self.out_width * self.out_height:
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
