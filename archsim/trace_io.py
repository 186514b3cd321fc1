"""Traces as files: JSON Lines that diff, operand values in an ``.npz`` beside them.

The first line is a header, then one line a tensor, then one line an op; what is at its default is
left out. Files are untrusted: sizes are bounded, nothing is unpickled, and a side file lies in the
trace's own folder.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from archsim.arrays import read_arrays
from archsim.errors import InputError
from archsim.files import check_file
from archsim.trace import (
    BASE_OP_KINDS,
    DTYPE_BITS,
    MAX_PLACE_BITS,
    SCHEMA_VERSION,
    Attr,
    Histogram,
    Op,
    OpKind,
    Packed,
    Sampled,
    Sparse,
    Tensor,
    Trace,
    Turn,
)
from archsim.trace_check import check_trace
from archsim.trace_fields import MAX_COUNT, Fields

MAX_FILE_BYTES = 256 << 20
MAX_LINE_BYTES = 1 << 20
MAX_LINES = 1_000_000
MAX_RANK = 16

Line = dict[str, Any]

# ---------------------------------------------------------------------------------------- writing


def write_trace(
    trace: Trace, path: Path | str, operands: Mapping[str, NDArray[Any]] | None = None
) -> None:
    """Write a trace, and its operands' values to ``.npz`` beside it.

    Parameters
    ----------
    operands
        Arrays by the names that `Tensor.data` gives.
    """
    path = Path(path)
    side = path.with_suffix(".npz") if operands else None
    if side and operands:
        np.savez_compressed(side, allow_pickle=False, **operands)
    text = "".join(line + "\n" for line in trace_lines(trace, side.name if side else ""))
    path.write_text(text, "utf-8")


def trace_lines(trace: Trace, side_file: str = "") -> Iterator[str]:
    """Yield a trace's lines, without line ends."""
    header: Line = {"schema_version": SCHEMA_VERSION, "name": trace.name}
    header |= _given(
        source=trace.source,
        notes=list(trace.notes),
        unsupported=dict(trace.unsupported),
        operands=side_file,
    )
    yield _dumps(header)
    for t in trace.tensors.values():
        line: Line = {"tensor": t.name, "shape": list(t.shape), "dtype": t.dtype, "role": t.role}
        if isinstance(t.data, Sampled):
            line["data"] = {"ref": t.data.ref, "scale": float(t.data.scale)}
        elif isinstance(t.data, Histogram):
            line["data"] = {"histogram": t.data.ref}
        elif isinstance(t.data, Sparse):
            line["data"] = {"entries": t.data.entries} | _given(sparse=t.data.ref)
        elif isinstance(t.data, Packed):
            line["data"] = {"kept": t.data.kept, "place_bits": t.data.place_bits}
        elif t.data is not None:
            line["data"] = t.data
        yield _dumps(line)
    for op in trace.ops:
        line = {"op": op.name, "kind": op.kind}
        line |= {"inputs": list(op.inputs), "outputs": list(op.outputs), "attrs": dict(op.attrs)}
        line |= _given(epilogue=list(op.epilogue), block=op.block, source=op.source)
        line |= _given(layouts=dict(op.layouts))
        if op.repeat != 1:
            line["repeat"] = op.repeat
        yield _dumps(line)


def _given(**values: Any) -> Line:
    return {key: value for key, value in values.items() if value}


def _dumps(line: Line) -> str:
    return json.dumps(line, ensure_ascii=False, allow_nan=False, separators=(", ", ": "))


# ---------------------------------------------------------------------------------------- reading


def read_trace(path: Path | str, kinds: Mapping[str, OpKind] = BASE_OP_KINDS) -> Trace:
    """Read and check a trace.

    Parameters
    ----------
    kinds
        Op kinds that the trace may use: the common ones and those that engines declare.

    Raises
    ------
    InputError
        With the file and line of the first fault.
    """
    path = Path(path)
    lines = _lines(path)
    place, header = next(lines, (str(path), {}))
    name, source, notes, unsupported = _header(header, place)
    tensors: dict[str, Tensor] = {}
    ops: list[Op] = []
    places: list[str] = []
    for place, line in lines:
        if "op" in line:
            ops.append(_op(line, place))
            places.append(place)
        elif ops:
            raise InputError(place, "tensors must stand before the first op", line)
        else:
            tensor = _tensor(line, place)
            if tensor.name in tensors:
                raise InputError(place, "every tensor must have its own name", tensor.name)
            tensors[tensor.name] = tensor
    values = SideFile(path) if header.get("operands") else {}
    trace = Trace(name, tensors, tuple(ops), notes, unsupported, source, values)
    at = iter(places)
    check_trace(trace, kinds, lambda op_name: next(at))  # asked once an op, in order
    return trace


def read_operands(path: Path | str) -> dict[str, NDArray[Any]]:
    """Return the arrays of a trace's side file by name; empty where the trace has none."""
    path = Path(path)
    place, header = next(_lines(path), (str(path), {}))
    side = header.get("operands", "")
    if not side:
        return {}
    if not isinstance(side, str) or Path(side).name != side or not side.endswith(".npz"):
        raise InputError(f"{place}: operands", "must be an .npz file in the trace's folder", side)
    file = path.parent / side
    try:
        if file.resolve().parent != path.parent.resolve():
            raise InputError(f"{place}: operands", "must not be a link out of the folder", side)
    except (OSError, RuntimeError, ValueError) as fault:  # a loop of links, a null byte
        raise InputError(f"{place}: operands", f"must be a file: {fault}", side) from None
    return read_arrays(file)


class SideFile(Mapping[str, NDArray[Any]]):
    """The arrays of a trace's side file, which is opened when the first of them is asked for."""

    def __init__(self, trace: Path) -> None:
        self._trace = trace

    @cached_property
    def _arrays(self) -> dict[str, NDArray[Any]]:
        return read_operands(self._trace)

    def __getitem__(self, ref: str) -> NDArray[Any]:
        return self._arrays[ref]

    def __iter__(self) -> Iterator[str]:
        return iter(self._arrays)

    def __len__(self) -> int:
        return len(self._arrays)


def _lines(path: Path) -> Iterator[tuple[str, Line]]:
    """Yield each line's place and object; blank lines are skipped."""
    try:
        check_file(path, MAX_FILE_BYTES)
        with path.open("rb") as stream:
            for number in range(1, MAX_LINES + 2):
                raw = stream.readline(MAX_LINE_BYTES + 1)
                if not raw:
                    return
                place = f"{path}:{number}"
                if len(raw) > MAX_LINE_BYTES:
                    raise InputError(place, f"a line must be at most {MAX_LINE_BYTES:,} bytes")
                if raw.strip():
                    yield place, _parse(raw, place)
    except OSError as fault:
        raise InputError(str(path), f"must be a readable file: {fault.strerror}") from None
    raise InputError(str(path), f"must be at most {MAX_LINES:,} lines")


def _parse(raw: bytes, place: str) -> Line:
    def constant(name: str) -> NoReturn:
        raise ValueError(f"{name} is not a JSON number")

    def unique(pairs: list[tuple[str, Any]]) -> Line:
        values = dict(pairs)
        if len(values) < len(pairs):
            raise ValueError("a key stands twice")
        return values

    try:
        text = raw.decode("utf-8")
        value = json.loads(text, object_pairs_hook=unique, parse_constant=constant)
    except json.JSONDecodeError as fault:
        reason = f"{fault.msg} at column {fault.colno}"
        raise InputError(place, f"must be a line of JSON: {reason}") from None
    except RecursionError:
        raise InputError(place, "must be a line of JSON: nested too deep") from None
    except ValueError as fault:
        reason = str(fault).partition(";")[0]
        raise InputError(place, f"must be a line of JSON: {reason}") from None
    if not isinstance(value, dict):
        raise InputError(place, "must be a JSON object", value)
    return value


def _header(line: Line, place: str) -> tuple[str, str, tuple[str, ...], Mapping[str, int]]:
    if line.get("schema_version") != SCHEMA_VERSION:
        raise InputError(
            place,
            f"a trace must begin with a header of schema_version {SCHEMA_VERSION}",
            line.get("schema_version"),
            fix="write it anew with: archsim trace MODEL -o FILE",
        )
    fields = Fields(line, place)
    fields.count("schema_version", 1)
    name, source = fields.name("name"), fields.text("source", "")
    notes = fields.texts("notes", ())
    unsupported = fields.take("unsupported", dict, "operator names with counts", {})
    counts = Fields(unsupported, f"{place}: unsupported")
    for key in unsupported:
        counts.count(key, 1)
    fields.text("operands", "")
    fields.done("a header takes schema_version, name, source, notes, unsupported, operands")
    return name, source, notes, unsupported


def _tensor(line: Line, place: str) -> Tensor:
    fields = Fields(line, place)
    name, shape = fields.name("tensor"), fields.take("shape", list, "a list of integers")
    dtype, role = fields.text("dtype", "int8"), fields.text("role", "activation")
    data: Any = line.get("data")
    fields.take("data", type(data), "text", "")
    fields.done("a tensor takes tensor, shape, dtype, role, data")
    good = all(type(extent) is int and 0 < extent <= MAX_COUNT for extent in shape)
    if not good or len(shape) > MAX_RANK or math.prod(shape) > MAX_COUNT:
        raise InputError(
            f"{place}: shape",
            f"must be at most {MAX_RANK} positive integers of product {MAX_COUNT:,} or less",
            shape,
        )
    if dtype not in DTYPE_BITS:
        raise InputError(f"{place}: dtype", f"must be one of {', '.join(DTYPE_BITS)}", dtype)
    if role not in ("input", "weight", "activation", "output"):
        raise InputError(f"{place}: role", "must be input, weight, activation or output", role)
    found = _data(data, f"{place}: data")
    if isinstance(found, Sparse) and (len(shape) != 2 or found.entries > math.prod(shape)):
        raise InputError(f"{place}: data", "entries must be those of a matrix", (shape, data))
    if isinstance(found, Packed) and found.kept > math.prod(shape):
        raise InputError(f"{place}: data", "must keep no more than there is", (shape, data))
    return Tensor(name, tuple(shape), dtype, role, found)  # type: ignore[arg-type]


def _data(value: Any, place: str) -> str | Sampled | Histogram | Sparse | Packed | None:
    if value is None or (isinstance(value, str) and value):
        return value
    if not isinstance(value, dict):
        raise InputError(
            place, "must be a name, ref and scale, histogram, entries or kept weights", value
        )
    fields = Fields(value, place)
    if "entries" in value:
        matrix = Sparse(fields.count("entries", 0), fields.text("sparse", ""))
        fields.done("a sparse matrix takes entries, sparse")
        return matrix
    if "kept" in value:
        packed = Packed(fields.count("kept", 1), fields.count("place_bits", 0))
        fields.done("a packed tensor takes kept, place_bits")
        if packed.place_bits > MAX_PLACE_BITS:
            words = f"must be at most {MAX_PLACE_BITS}"
            raise InputError(f"{place}: place_bits", words, packed.place_bits)
        return packed
    if "histogram" in value:
        counts = Histogram(fields.name("histogram"))
        fields.done("a histogram takes histogram")
        return counts
    ref, scale = fields.name("ref"), fields.take("scale", float, "a number", 1.0)
    fields.done("a sample takes ref, scale")
    if not (math.isfinite(scale) and scale > 0):
        raise InputError(f"{place}: scale", "must be a positive number", scale)
    return Sampled(ref, scale)


def _op(line: Line, place: str) -> Op:
    fields = Fields(line, place)
    op = Op(
        name=fields.name("op"),
        kind=fields.text("kind"),
        inputs=fields.texts("inputs"),
        outputs=fields.texts("outputs"),
        attrs=_attrs(fields.take("attrs", dict, "an object", {}), f"{place}: attrs"),
        epilogue=fields.texts("epilogue", ()),
        repeat=fields.count("repeat", 1, 1),
        block=fields.text("block", ""),
        source=fields.text("source", ""),
        layouts=_layouts(fields.take("layouts", dict, "an object", {}), f"{place}: layouts"),
    )
    fields.done(
        "an op takes op, kind, inputs, outputs, attrs, epilogue, repeat, block, source, layouts"
    )
    return op


def _attrs(values: Line, place: str) -> dict[str, Attr]:
    attrs: dict[str, Attr] = {}
    for name, value in values.items():
        numbers = value if isinstance(value, list) else [value]
        for number in numbers:
            if isinstance(number, float) and not math.isfinite(number):
                raise InputError(f"{place}.{name}", "must be finite", number)
            if isinstance(number, int) and abs(number) > MAX_COUNT:
                raise InputError(f"{place}.{name}", f"must be at most {MAX_COUNT:,}", number)
        attrs[name] = tuple(value) if isinstance(value, list) else value
    return attrs


def _layouts(values: Line, place: str) -> dict[str, tuple[Turn, ...]]:
    """Return layouts of well formed turns; whether they fit their operands is `check_op`'s."""
    layouts = {}
    for name, turns in values.items():
        if type(turns) is not list or not 0 < len(turns) <= MAX_RANK:
            raise InputError(f"{place}.{name}", f"must be a list of 1 to {MAX_RANK} turns", turns)
        layouts[name] = tuple(_turn(turn, f"{place}.{name}") for turn in turns)
    return layouts


def _turn(value: Any, place: str) -> Turn:
    parts = [x for x in value if type(x) is list] if type(value) is list else []
    numbers = [number for part in parts for number in part]
    good = all(type(number) is int and 0 <= number <= MAX_COUNT for number in numbers)
    if not good or len(parts) != 2 or len(value) != 2 or len(numbers) > 2 * MAX_RANK:
        raise InputError(place, "a turn must be a shape and an order of its axes", value)
    shape, order = parts
    return tuple(shape), tuple(order)
