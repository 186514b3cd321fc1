"""What a trace knows of the values that its products read: all of them, counts, or nothing.

An engine whose time depends on values names the operands that count (`Engine.reads_values`). Of
each of them a product's plan has one of four levels of knowledge:

- ``whole``: every value. Jobs carry refs to their tiles, so that time is exact.
- ``counts``: how often each integer occurs.
- ``sample``: the same, of a sample of the values.
- ``assumed``: nothing; the engine says what it assumes.

Values are the integers that the trace keeps, as the product reads them: a convolution's input is
expanded tap by tap, padding included. Where only counts are known, every element of it is taken to
be read equally often.
"""

from __future__ import annotations

import hashlib
from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from types import MappingProxyType
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from archsim.errors import InputError
from archsim.formats.digits import MAX_BITS, tally
from archsim.trace import (
    DTYPE_BITS,
    Gemm,
    Histogram,
    Op,
    Sampled,
    Tensor,
    Trace,
    as_gemm,
    conv_output,
)

Level = Literal["whole", "counts", "sample", "assumed"]
LEVELS: tuple[Level, ...] = get_args(Level)  # the last of several counts
KNOWN: Mapping[Level, str] = MappingProxyType(
    {
        "whole": "all values of the operands that count",
        "counts": "how often each integer occurs in an operand",
        "sample": "a sample of an operand",
        "assumed": "an assumed distribution",
    }
)
PORTS = ("a", "b")  # the operands of a product, in the order of an op's inputs
NOTE = "operand values: "  # how notes of a trace begin that results repeat where values count

Array = NDArray[Any]
Ints = NDArray[np.int64]


# ---------------------------------------------------------------------------------------- matrices


@dataclass(frozen=True, slots=True)
class Stack:
    """An operand that lies as the product reads it: [groups, rows, columns]."""

    values: Array

    def tile(self, group: int, rows: slice, columns: slice) -> Array:
        found: Array = self.values[group, rows, columns]
        return found

    def tally(self, bits: int) -> Ints:
        """Return how often each integer of a width is read: [2^bits]."""
        return tally(self.values, bits)


@dataclass(frozen=True)
class Images:
    """The input of a convolution, cut into the windows that its product reads as rows."""

    values: Array  # [batch, channels, height, width]
    op: Op

    def tile(self, group: int, rows: slice, columns: slice) -> Array:
        height, width = conv_output(self.op)
        kh, kw = self.op.ints_attr("kernel")
        first = group * (self.op.int_attr("channels") // self.op.int_attr("groups"))
        start, stop = columns.start // (kh * kw), -(-columns.stop // (kh * kw))
        pixel = np.arange(rows.start, rows.stop)
        image, row, column = pixel // (height * width), pixel // width % height, pixel % width
        windows = self._windows[image, row, column, first + start : first + stop]
        skipped = start * kh * kw
        taken: Array = windows.reshape(len(pixel), -1)
        return taken[:, columns.start - skipped : columns.stop - skipped]

    @cached_property
    def _windows(self) -> Array:
        """Return taps by output pixel: [batch, height, width, channels, kernel rows, columns]."""
        top, left, bottom, right = self.op.ints_attr("pad")
        (kh, kw), (sh, sw), (dh, dw) = (
            self.op.ints_attr(name) for name in ("kernel", "stride", "dilation")
        )
        height, width = conv_output(self.op)
        padded = np.pad(self.values, ((0, 0), (0, 0), (top, bottom), (left, right)))
        batch, channels, down, across = padded.strides
        return np.lib.stride_tricks.as_strided(
            padded,
            (len(padded), height, width, padded.shape[1], kh, kw),
            (batch, down * sh, across * sw, channels, down * dh, across * dw),
            writeable=False,
        )

    def tally(self, bits: int) -> Ints:
        """Return how often each integer of a width is read: [2^bits]; padding reads zeros."""
        reads = np.outer(_reads(self.op, 0), _reads(self.op, 1))  # of each pixel: [height, width]
        each = np.broadcast_to(reads, self.values.shape).ravel()
        found = np.bincount(
            self.values.ravel().astype(np.int64) + (1 << bits - 1), each, 1 << bits
        ).astype(np.int64)
        found[1 << bits - 1] += _read(as_gemm(self.op)) - int(found.sum())
        return found


def _reads(op: Op, axis: int) -> Ints:
    """Return how often a convolution reads each row (0) or column (1) of an image: [extent]."""
    extent = op.int_attr(("height", "width")[axis])
    pad, stride = op.ints_attr("pad")[axis], op.ints_attr("stride")[axis]
    taps = op.ints_attr("dilation")[axis] * np.arange(op.ints_attr("kernel")[axis])
    places = (np.arange(conv_output(op)[axis]) * stride - pad)[:, None] + taps
    inside = places[(places >= 0) & (places < extent)]
    return np.bincount(inside, minlength=extent)


def _read(product: Gemm) -> int:
    """Return how many elements of A a product reads, each k-slice of each row once."""
    return product.groups * product.m * product.k


Matrix = Stack | Images


# ---------------------------------------------------------------------------------------- an op


@dataclass(frozen=True, slots=True)
class Operand:
    """What is known of one operand of a product.

    Parameters
    ----------
    key
        Stands for all of this.
    tally
        How often each integer of the operand's type is read, lowest first: [2^bits].
    matrix
        All values, where the level is ``whole``.
    """

    level: Level
    key: Hashable
    tally: Array | None = None
    matrix: Matrix | None = None


@dataclass(frozen=True, slots=True)
class Places:
    """Where the tiles of jobs lie in a product; arrays of shape [jobs]."""

    group: Ints
    m: Ints
    n: Ints
    k: Ints


class Tiles(Mapping[str, Array]):
    """Tiles of operands by the refs that jobs carry: each is cut when it is asked for."""

    def __init__(self, matrices: Mapping[str, Matrix]) -> None:
        self._matrices = matrices
        self._at: dict[str, tuple[str, int, slice, slice]] = {}

    def refs(self, places: Places, jobs: Any) -> tuple[Mapping[str, str], ...]:
        """Return the refs of jobs at their places, one a known operand; equal tiles share one."""
        extents = {"m": jobs.m, "n": jobs.n, "k": jobs.k}
        columns = []
        for port in self._matrices:
            rows, across = ("m", "k") if port == "a" else ("k", "n")
            bounds = [
                (start, start + extents[axis])
                for axis, start in (
                    (rows, getattr(places, rows)),
                    (across, getattr(places, across)),
                )
            ]
            spans = np.stack([places.group, *bounds[0], *bounds[1]], axis=-1).tolist()
            columns.append([self._ref(port, *span) for span in spans])
        names = tuple(self._matrices)
        return tuple(dict(zip(names, refs, strict=True)) for refs in zip(*columns, strict=True))

    def _ref(self, port: str, group: int, top: int, bottom: int, left: int, right: int) -> str:
        ref = f"{port}{group}[{top}:{bottom},{left}:{right}]"
        self._at[ref] = port, group, slice(top, bottom), slice(left, right)
        return ref

    def __getitem__(self, ref: str) -> Array:
        port, group, rows, columns = self._at[ref]
        return self._matrices[port].tile(group, rows, columns)

    def __iter__(self) -> Iterator[str]:
        return iter(self._at)

    def __len__(self) -> int:
        return len(self._at)


@dataclass(frozen=True, slots=True)
class Values:
    """What is known of the operands of one product that an engine's time depends on, by port."""

    operands: Mapping[str, Operand]

    @property
    def key(self) -> Hashable:
        return tuple((port, operand.key) for port, operand in self.operands.items())

    @property
    def level(self) -> Level:
        """The worst of all operands."""
        return max((x.level for x in self.operands.values()), key=LEVELS.index)

    @property
    def tallies(self) -> Mapping[str, Array]:
        """How often each integer is read, of operands of which something is known."""
        return {p: x.tally for p, x in self.operands.items() if x.tally is not None}

    @property
    def matrices(self) -> Mapping[str, Matrix]:
        """Operands that are known whole."""
        return {p: x.matrix for p, x in self.operands.items() if x.matrix is not None}


# ---------------------------------------------------------------------------------------- a trace

_ASSUMED = Operand("assumed", None)


@dataclass(frozen=True, slots=True)
class Operands:
    """What a trace knows of its products' operands; arrays are looked at when they are needed."""

    trace: Trace
    _known: dict[tuple[str, str], Operand] = field(default_factory=dict)

    def of(self, op: Op, ports: Sequence[str]) -> Values:
        """Return what is known of some operands of a product.

        Raises
        ------
        InputError
            If an array of the side file is missing or does not fit its tensor.
        """
        return Values({port: self._operand(op, port) for port in ports})

    def _operand(self, op: Op, port: str) -> Operand:
        if (op.name, port) not in self._known:
            self._known[op.name, port] = self._find(op, port)
        return self._known[op.name, port]

    def counts(self, name: str) -> Array | None:
        """Return how often each integer occurs in a tensor, or in its sample; None if unknown."""
        found = self._array(name)
        if found is None or isinstance(self.trace.tensors[name].data, Histogram):
            return found
        return tally(found, DTYPE_BITS[self.trace.tensors[name].dtype])

    def _find(self, op: Op, port: str) -> Operand:
        name = operand_of(op, port)
        tensor, array, counts = self.trace.tensors[name], self._array(name), self.counts(name)
        if array is None or counts is None:
            return _ASSUMED
        if isinstance(tensor.data, str):
            key = (digest(array), tensor.shape, op.layouts.get(port, ()))
            matrix = matrix_of(op, port, array.reshape(tensor.shape))
            return Operand("whole", key, matrix.tally(DTYPE_BITS[tensor.dtype]), matrix)
        level: Level = "counts" if isinstance(tensor.data, Histogram) else "sample"
        return Operand(level, (level, digest(array)), _expanded(op, port, counts))

    def _array(self, name: str) -> Array | None:
        """Return the array of a tensor of integers whose digits can be told; None of others."""
        tensor = self.trace.tensors[name]
        bits = DTYPE_BITS[tensor.dtype]
        if not isinstance(tensor.data, str | Sampled | Histogram):
            return None
        if not tensor.dtype.startswith("int") or bits > MAX_BITS:
            return None
        ref = tensor.data if isinstance(tensor.data, str) else tensor.data.ref
        return _checked(self.trace, tensor, ref, bits)


def operand_of(op: Op, port: str) -> str:
    """Return the tensor that a product reads at a port."""
    return op.inputs[PORTS.index(port)]


def digest(array: Array) -> str:
    """Return what stands for an array's type and content."""
    content = str(array.dtype).encode() + array.tobytes()
    return hashlib.blake2b(content, digest_size=16).hexdigest()


def digests(trace: Trace) -> Iterator[str]:
    """Yield what stands for each array of a trace's values, by name."""
    return (f"{ref} {digest(trace.values[ref])}" for ref in sorted(trace.values))


def _checked(trace: Trace, tensor: Tensor, ref: str, bits: int) -> Array:
    """Return an array of the side file, or say how it does not fit its tensor."""
    where = f"trace {trace.name!r}: values of {tensor.name!r}"
    if ref not in trace.values:
        raise InputError(where, f"must be in the side file, under the name {ref!r}")
    array: Array = trace.values[ref]
    if array.dtype.kind not in "iu":
        raise InputError(where, "must be integers", str(array.dtype))
    if isinstance(tensor.data, Histogram):
        if array.shape != (1 << bits,) or array.min() < 0 or not array.any():
            raise InputError(where, f"must be counts of {1 << bits} integers, some above zero",
                             list(array.shape))  # fmt: skip
        return array
    if isinstance(tensor.data, str) and array.size != tensor.elements:
        raise InputError(where, f"must be {tensor.elements:,} integers", array.size)
    least, most = -(1 << bits - 1), (1 << bits - 1) - 1
    if not array.size or array.min() < least or array.max() > most:
        raise InputError(where, f"must be one or more integers from {least} to {most}")
    return array


def matrix_of(op: Op, port: str, values: Array) -> Matrix:
    """Return an operand's values, of its tensor's shape, as the product reads them."""
    for shape, order in op.layouts.get(port, ()):
        values = values.reshape(shape).transpose(order)
    product = as_gemm(op)
    if op.kind == "conv" and port == "a":
        shape = tuple(op.int_attr(name) for name in ("batch", "channels", "height", "width"))
        return Images(values.reshape(shape), op)
    if op.kind == "conv":  # filters, each of them a column
        filters = values.reshape(product.groups, product.n, product.k)
        return Stack(filters.transpose(0, 2, 1))
    m, n, k = product.m, product.n, product.k
    rows, columns = (m, k) if port == "a" else (k, n)
    return Stack(values.reshape(product.groups, rows, columns))


def _expanded(op: Op, port: str, counts: Array) -> Array:
    """Return counts of a tensor's integers as counts of what a product reads.

    A convolution reads elements of its input again and again, all of them equally often by
    assumption, and zeros where it is padded.
    """
    if op.kind != "conv" or port == "b":
        return counts
    product = as_gemm(op)
    inside = int(_reads(op, 0).sum()) * int(_reads(op, 1).sum())  # of one image and channel
    inside *= op.int_attr("batch") * op.int_attr("channels")
    found: Array = counts * (inside / counts.sum())
    found[len(found) // 2] += _read(product) - inside
    return found
