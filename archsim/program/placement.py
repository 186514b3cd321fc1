"""Where a system keeps its tensors: in memory as padded matrices, in the scratchpad in planes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from archsim.engines import Ints
from archsim.errors import InfeasibleError, InputError
from archsim.hdl.descriptors import WALK, Geometry
from archsim.trace import Op, Trace, as_gemm, conv_output

NO_WRAP = 0xFFFF  # columns of what has one row
ALIGN_BYTES = 64  # of a tensor in memory


# ---------------------------------------------------------------------------------------- memory


@dataclass(frozen=True, slots=True)
class Matrix:
    """A tensor in memory: rows of words, each row padded to whole words.

    Parameters
    ----------
    rows, columns
        Pixels and channels, or k and n.
    bits
        Of an element.
    """

    address: int
    rows: int
    columns: int
    bits: int
    row_words: int
    word_bytes: int

    @property
    def size_bytes(self) -> int:
        return self.rows * self.row_words * self.word_bytes

    @property
    def stride_bytes(self) -> int:
        return self.row_words * self.word_bytes

    def block(self, row: int, rows: int, word: int, words: int) -> dict[str, int]:
        """Return a transfer's memory side: rows of words, one row where they lie in one piece."""
        address = self.address + row * self.stride_bytes + word * self.word_bytes
        if words == self.row_words and rows * words <= NO_WRAP:
            rows, words = 1, rows * words
        return {
            "address": address, "rows": rows, "row_words": words, "row_stride": self.stride_bytes,
        }  # fmt: skip

    def pack(self, values: NDArray[np.int64]) -> bytes:
        """Return a matrix [rows, columns] as it lies in memory, zeros in the padding."""
        per_row = self.stride_bytes * 8 // self.bits
        padded = np.zeros((self.rows, per_row), np.int64)
        padded[:, : self.columns] = np.asarray(values, np.int64).reshape(self.rows, self.columns)
        return padded.astype(f"<i{self.bits // 8}").tobytes()

    def unpack(self, memory: bytes) -> Ints:
        """Return the matrix [rows, columns] that lies in memory."""
        piece = memory[self.address : self.address + self.size_bytes]
        values = np.frombuffer(piece, f"<i{self.bits // 8}").reshape(self.rows, -1)
        return values[:, : self.columns].astype(np.int64)


def matrices_of(trace: Trace, geometry: Geometry, origin: int = 0) -> dict[str, Matrix]:
    """Return where each tensor of a trace lies, the first at ``origin``.

    Raises
    ------
    InputError
        If a tensor is written as one matrix and read as another: a reshape.
    """
    shapes: dict[str, tuple[int, int, int]] = {}

    def see(op: Op, name: str, rows: int, columns: int, bits: int) -> None:
        shape = (rows, columns, bits)
        if shapes.setdefault(name, shape) != shape:
            raise InputError(
                f"op {op.name!r}", f"must use tensor {name!r} as the matrix that it is, "
                f"{shapes[name][0]} x {shapes[name][1]} of {shapes[name][2]} bits", shape,
            )  # fmt: skip

    for op in trace.ops:
        g = as_gemm(op)
        pixels, channels = (g.m, g.k)
        if op.kind == "conv":
            pixels = op.int_attr("height") * op.int_attr("width")
            channels = op.int_attr("channels")
        see(op, op.inputs[0], pixels, channels, geometry.bits)
        see(op, op.inputs[1], g.k, g.n, geometry.bits)
        for name in op.inputs[2:]:
            see(op, name, 1, g.n, geometry.acc_bits)
        see(op, op.outputs[0], g.m, g.n, geometry.bits if is_narrow(op) else geometry.acc_bits)
    placed, address = {}, origin
    for name, (rows, columns, bits) in shapes.items():
        words = -(-columns // geometry.cols) * (bits // geometry.bits)
        placed[name] = Matrix(address, rows, columns, bits, words, geometry.word_bytes)
        address += -(-placed[name].size_bytes // ALIGN_BYTES) * ALIGN_BYTES
    return placed


def is_narrow(op: Op) -> bool:
    """Return whether an op's results are scaled and rounded on their way out."""
    return op.epilogue[-1:] == ("requantise",)


# ---------------------------------------------------------------------------------------- pixels


@dataclass(frozen=True, slots=True)
class Reading:
    """How an op reads A: a convolution's geometry; a matrix is an image of one row.

    Parameters
    ----------
    height, width, out_width
        Of the image, and pixels in a row of the output.
    kernel, stride, dilation, pad
        Each along rows and columns; pad is at the top and the left.
    """

    height: int
    width: int
    out_width: int
    kernel: tuple[int, int] = (1, 1)
    stride: tuple[int, int] = (1, 1)
    dilation: tuple[int, int] = (1, 1)
    pad: tuple[int, int] = (0, 0)

    @classmethod
    def of(cls, op: Op) -> Reading:
        if op.kind == "gemm":
            return cls(1, NO_WRAP, NO_WRAP)
        pair = {name: op.ints_attr(name) for name in ("kernel", "stride", "dilation", "pad")}
        return cls(
            op.int_attr("height"), op.int_attr("width"), conv_output(op)[1],
            **{name: (value[0], value[1]) for name, value in pair.items()},
        )  # fmt: skip

    @property
    def is_matrix(self) -> bool:
        return self.width == NO_WRAP

    @property
    def taps(self) -> int:
        return self.kernel[0] * self.kernel[1]

    @property
    def phases(self) -> int:
        return self.stride[0] * self.stride[1]

    def rows_of(self, first: int, stop: int) -> tuple[int, int]:
        """Return the image rows [top, bottom) that output pixels [first, stop) read."""
        top = first // self.out_width * self.stride[0] - self.pad[0]
        last = (stop - 1) // self.out_width * self.stride[0] - self.pad[0]
        bottom = last + self.dilation[0] * (self.kernel[0] - 1) + 1
        return max(top, 0), max(min(bottom, self.height), top, 0)

    def pixels_of(self, first: int, stop: int) -> tuple[int, int]:
        """Return the input pixels [first, stop) that output pixels need: whole image rows."""
        if self.is_matrix:
            return first, stop
        top, bottom = self.rows_of(first, stop)
        return top * self.width, bottom * self.width


@dataclass(frozen=True, slots=True)
class Planes:
    """Slots of an image's pixels, for what reads it with a given stride.

    The pixel in row ``stride y + i``, column ``stride x + j`` is in slot ``pitch y + x`` of the
    plane of phase (i, j). The pitch differs from the width of the *output* by a multiple of the
    lanes, so that output pixel p + 1 reads one slot beyond p's, modulo the lanes, across rows too.
    """

    reading: Reading
    lanes: int
    size: int  # slots of a plane

    @classmethod
    def of(cls, reading: Reading, lanes: int, rows: int) -> Planes:
        """Return planes for so many image rows (of a matrix: pixels)."""
        empty = cls(reading, lanes, 0)
        y = -(-rows // reading.stride[0])
        slots = rows if reading.is_matrix else y * empty.pitch
        return cls(reading, lanes, -(-slots // lanes) * lanes)

    @property
    def pitch(self) -> int:
        x = -(-self.reading.width // self.reading.stride[1])
        wider = max(x - self.reading.out_width, 0)
        return self.reading.out_width + -(-wider // self.lanes) * self.lanes

    @property
    def group_step(self) -> int:
        return self.reading.phases * self.size

    def walk(self, base: int, pixel: int) -> dict[str, int]:
        """Return the walk that starts at an image's pixel, ``base`` being the slot of pixel 0."""
        sh, sw = self.reading.stride
        row, column = divmod(pixel, self.reading.width)
        start = base + row % sh * sw * self.size + row // sh * self.pitch
        return {
            "row": start, "pixel": start + column % sw * self.size + column // sw,
            "column": column, "columns": self.reading.width,
            "column_phase": column % sw, "column_phases": sw,
            "row_phase": row % sh, "row_phases": sh,
            "column_step": self.size, "column_wrap": 1 - (sw - 1) * self.size,
            "row_step": sw * self.size, "row_wrap": self.pitch - (sh - 1) * sw * self.size,
        }  # fmt: skip

    def taps(self) -> list[dict[str, int]]:
        """Return the table of the kernel's taps: slot of each, relative to the output pixel's."""
        (kh, kw), (sh, sw) = self.reading.kernel, self.reading.stride
        (dh, dw), (top, left) = self.reading.dilation, self.reading.pad
        rows = []
        for i in range(kh):
            y, row_phase = divmod(i * dh - top, sh)
            for j in range(kw):
                x, column_phase = divmod(j * dw - left, sw)
                plane = (row_phase * sw + column_phase) * self.size
                offset = plane + y * self.pitch + x
                rows.append({"offset": offset, "row": i * dh, "column": j * dw})
        return rows

    def pixels(self, base: int, first: int) -> dict[str, int]:
        """Return where a job's output pixels begin; ``base`` is the slot of image pixel (0, 0)."""
        (sh, sw), (top, left) = self.reading.stride, self.reading.pad
        row, column = divmod(first, self.reading.out_width)
        return {
            "a_base": base + row * self.pitch + column, "a_group_step": self.group_step,
            "column": column, "columns": self.reading.out_width,
            "row_skip": self.pitch - self.reading.out_width + 1,
            "in_row": row * sh - top, "in_column": column * sw - left, "in_column_first": -left,
            "row_stride": sh, "column_stride": sw,
            "in_rows": self.reading.height, "in_columns": self.reading.width,
        }  # fmt: skip


def straight(pixel: int, step: int) -> dict[str, int]:
    """Return the walk over addresses ``step`` apart."""
    walk = dict.fromkeys(WALK, 0)
    phases = {"columns": NO_WRAP, "column_phases": 1, "row_phases": 1}
    return {**walk, **phases, "pixel": pixel, "column_wrap": step}


# ---------------------------------------------------------------------------------------- regions


@dataclass(frozen=True, slots=True)
class Region:
    """Room for an operand's tiles in one memory of the scratchpad.

    Parameters
    ----------
    slots, slot_size
        Tiles that are held at a time, and the size of one.
    """

    base: int
    slots: int
    slot_size: int

    @classmethod
    def of(
        cls, what: str, depth: int, tiles: int, size: int, *, resident: bool, high: bool
    ) -> Region:
        """Return room at either end of a memory.

        Neighbouring ops take turns, so that weights come in while the op before runs.

        Raises
        ------
        InfeasibleError
            If the memory has less.
        """
        slots = tiles if resident else min(tiles, 2)
        need = slots * size
        if need > depth:
            raise InfeasibleError(
                what, demand=need, bound=depth, unit="slots of its memory in the scratchpad",
                levers=("make its tiles smaller", "raise memories.buffer.capacity_bytes"),
            )  # fmt: skip
        return cls(depth - need if high else 0, slots, size)

    @property
    def stop(self) -> int:
        return self.base + self.slots * self.slot_size

    def at(self, slot: int) -> int:
        return self.base + slot % self.slots * self.slot_size


def keep(
    lives: Mapping[str, tuple[int, int]], sizes: Mapping[str, int], depth: int
) -> dict[str, int]:
    """Return the first slot of each tensor that stays on chip; first come, lowest place.

    Parameters
    ----------
    lives
        By tensor: its ops, from the one that writes it to beyond the last that reads it.

    Raises
    ------
    InfeasibleError
        If they do not fit.
    """
    placed: dict[str, int] = {}
    for name, (start, stop) in lives.items():
        beside = sorted(
            (placed[x], placed[x] + sizes[x])
            for x in placed if lives[x][0] < stop and start < lives[x][1]
        )  # fmt: skip
        base = 0
        for low, high in beside:
            if base + sizes[name] <= low:
                break
            base = max(base, high)
        if base + sizes[name] > depth:
            raise InfeasibleError(
                f"tensor {name!r}, which stays on chip", demand=base + sizes[name], bound=depth,
                unit="slots of the memory for kept results",
                levers=("raise memories.buffer.capacity_bytes", "raise memories.buffer.tile_share"),
            )  # fmt: skip
        placed[name] = base
    return placed
