"""What operands hold: a model run once, its products' operands kept as integers or as counts.

Values are kept in the type that the trace gives their tensor. Integers are kept as they are;
floats that a policy makes integers are quantised symmetrically, tensor by tensor, or weights output
channel by output channel: scale = greatest magnitude / greatest integer, rounded to nearest, ties
to even.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from archsim import frontends
from archsim.errors import InputError
from archsim.frontends.options import Options, Value
from archsim.frontends.policy import FLOATS
from archsim.operands import NOTE, Stack, matrix_of
from archsim.trace import BASE_OP_KINDS, DTYPE_BITS, Histogram, Op, OpKind, Sampled, Tensor, Trace

Array = NDArray[Any]
SAMPLE = 1 << 16  # elements kept of an operand, unless said otherwise
LIMIT_BYTES = 4 << 30
_SIGNED = {"int4": np.int8, "int8": np.int8, "int16": np.int16, "int32": np.int32}
_EXACT = {"fp16": np.float16, "fp64": np.float64, "bool": np.uint8}  # else fp32 holds it


@dataclass(frozen=True, slots=True)
class Recording:
    """How a model is run, and what is kept of its operands.

    Parameters
    ----------
    keep
        ``values``, or ``histogram``: how often each integer occurs, over all of an operand.
    given
        Inputs by name; the others are random: floats of a standard normal distribution, indices of
        a table even over its rows, other integers one.
    seed
        Seed of random inputs and samples.
    sample
        Elements kept of an operand; of more, so many are drawn evenly and kept in order.
    weights
        What shares a scale where float weights are quantised: all of a ``tensor``, or a
        ``channel``, which is a column of the product's second operand.
    """

    keep: Literal["values", "histogram"] = "values"
    given: Mapping[str, Array] = field(default_factory=dict)
    seed: int = 0
    sample: int = SAMPLE
    weights: Literal["tensor", "channel"] = "tensor"


@dataclass(frozen=True, slots=True)
class Run:
    """What a frontend is asked to run: which values are wanted, and what goes in.

    Attributes
    ----------
    wanted
        Names of tensors.
    rows
        Rows of the table that an input's integers pick from, by input.
    """

    wanted: frozenset[str]
    recording: Recording
    rows: Mapping[str, int]

    def input(self, name: str, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Array:
        """Return what goes into an input: as given, or random."""
        given = self.recording.given.get(name)
        if given is not None:
            kinds_agree = (given.dtype.kind == "f") == (dtype.kind == "f")
            if given.shape != shape or not kinds_agree:
                raise InputError(
                    f"inputs: {name}",
                    f"must be an array of shape {list(shape)} and type {dtype}",
                    f"{list(given.shape)} {given.dtype}",
                )
            return given.astype(dtype)
        rng = np.random.default_rng([self.recording.seed, *name.encode()])
        if dtype.kind == "f":
            return rng.standard_normal(shape).astype(dtype)
        if name in self.rows and dtype.kind in "iu":
            return rng.integers(0, self.rows[name], shape).astype(dtype)
        return np.ones(shape, dtype)


def load_with_data(
    model: str | Path,
    kinds: Mapping[str, OpKind] = BASE_OP_KINDS,
    recording: Recording | None = None,
    **options: Value,
) -> tuple[Trace, dict[str, Array]]:
    """Return a model's trace and its products' operands, by the names that tensors give.

    Raises
    ------
    InputError
        The model has no values (a list of products, the zoo), an input does not fit, or running it
        failed.
    MissingExtra
        What runs it is not installed.
    """
    recording = recording or Recording()
    frontend, name, given = frontends.find(model, options)
    if frontend.run is None:
        trace = frontends.load(model, kinds, **dict[str, Any](options))
        if trace.values:  # it came with them
            return trace, dict(trace.values)
        raise InputError(
            name,
            "must be a model with values to run",
            fix="an ONNX file or a torch module has some",
        )
    trace = frontends.load(model, kinds, **dict[str, Any](options))
    products = [op for op in trace.ops if kinds[op.kind].tiling == "gemm"]
    operands = {name for op in products for name in op.inputs[:2]}
    run = Run(frozenset(operands), recording, _tables(trace))
    inputs = {t.name for t in trace.tensors.values() if t.role == "input"}
    for wrong in recording.given.keys() - inputs:
        raise InputError(f"inputs: {wrong}", f"must be of {', '.join(sorted(inputs))}")
    values, ran = frontend.run(name, Options(given, name), run)
    by_channel = recording.weights == "channel"
    channels = {op.inputs[1]: op for op in products} if by_channel else {}
    return _keep(trace, values, recording, operands, ran, channels)


def _tables(trace: Trace) -> dict[str, int]:
    """Return how many rows the table has that an input's integers pick from."""
    rows: dict[str, int] = {}
    for op in trace.ops:
        if op.attrs.get("function") == "gather" and len(op.inputs) == 2:
            table, picks = (trace.tensors[name] for name in op.inputs)
            if picks.role == "input" and table.shape:
                rows[picks.name] = min(rows.get(picks.name, 1 << 62), table.shape[0])
    return rows


def _keep(
    trace: Trace,
    values: Mapping[str, Array],
    recording: Recording,
    wanted: set[str],
    ran: str,
    channels: Mapping[str, Op],
) -> tuple[Trace, dict[str, Array]]:
    """Return the trace with references to what is kept, and that by reference.

    Parameters
    ----------
    channels
        A product that reads it, of each weight that has a scale a channel.
    """
    tensors = dict(trace.tensors)
    kept: dict[str, Array] = {}
    rounded = by_channel = zeros = elements = cut = 0
    for name in sorted(wanted & values.keys()):
        tensor = tensors[name]
        reader = channels.get(name) if tensor.role == "weight" else None
        apart = None if reader is None else _channels(reader, tensor)
        array, scale = stored(values[name], tensor, apart)
        rounded += scale is not None
        by_channel += scale is not None and scale.size > 1
        zeros += int(np.count_nonzero(array == 0))
        elements += array.size
        ref = f"operand{len(kept)}"
        if recording.keep == "histogram" and tensor.dtype in _SIGNED:
            kept[ref] = histogram(array, tensor.dtype)
            tensors[name] = replace(tensor, data=Histogram(ref))
        elif array.size > recording.sample:
            kept[ref] = _sample(array, recording, name)
            tensors[name] = replace(tensor, data=Sampled(ref, array.size / recording.sample))
            cut += 1
        else:
            kept[ref] = array.reshape(tensor.shape)
            tensors[name] = replace(tensor, data=ref)
    known = sum(tensors[name].data is not None for name in wanted)
    inputs = "given inputs" if recording.given else f"random inputs (seed {recording.seed})"
    notes = [f"{NOTE}{known} of {len(wanted)} operands of products, by {ran} on {inputs}"]
    if elements:
        notes.append(f"{NOTE}{100 * zeros / elements:.1f} % of what products read is zero")
    if rounded:
        notes.append(
            f"{NOTE}{rounded} float operands quantised symmetrically, each by its "
            "greatest magnitude, rounded to nearest"
            + (f"; {by_channel} weights by each output channel's" if by_channel else "")
        )
    if cut:
        notes.append(
            f"{NOTE}{cut} operands are known by samples of {recording.sample:,} elements "
            "each; what follows from them rests on those samples"
        )
    found = replace(trace, tensors=tensors, notes=(*trace.notes, *notes), values=kept)
    return found, kept


def _channels(op: Op, tensor: Tensor) -> Array:
    """Return the output channel of each element of a product's weight, in the weight's shape."""
    place = np.arange(tensor.elements).reshape(tensor.shape)
    columns = matrix_of(op, "b", place)
    assert isinstance(columns, Stack)  # images are no second operand
    groups, _, count = columns.values.shape  # [groups, k, n]
    channels = np.empty(tensor.elements, np.int64)
    channels[columns.values] = np.arange(groups * count).reshape(groups, 1, count)
    return channels.reshape(tensor.shape)


def stored(
    array: Array, tensor: Tensor, channels: Array | None = None
) -> tuple[Array, Array | None]:
    """Return values in a tensor's type, and their scales where they had to be quantised.

    Parameters
    ----------
    channels
        What each element shares a scale with, numbered from 0; None where all share one.

    Raises
    ------
    InputError
        If values are not finite, or do not fit the type.
    """
    bits = DTYPE_BITS[tensor.dtype]
    if tensor.dtype in FLOATS or tensor.dtype not in _SIGNED:
        if array.dtype.kind in "iub" and tensor.dtype not in FLOATS:
            return array, None
        return array.astype(_EXACT.get(tensor.dtype, np.float32)), None
    if array.dtype.kind == "f":
        if not np.isfinite(array).all():
            raise InputError(f"values of {tensor.name}", "must be finite to be quantised")
        greatest, most = np.abs(array).max(initial=0).astype(np.float64), (1 << bits - 1) - 1
        if channels is not None:
            greatest = np.zeros(int(channels.max(initial=0)) + 1)
            np.maximum.at(greatest, channels, np.abs(array).reshape(channels.shape))
        scale = np.where(greatest > 0, greatest / most, 1.0)
        each = scale if channels is None else scale[channels].reshape(array.shape)
        whole = np.rint(array.astype(np.float64) / each)
        return np.clip(whole, -most, most).astype(_SIGNED[tensor.dtype]), scale
    wide = array.astype(np.int64)
    if "uint" in array.dtype.name:  # unsigned values are held less half their range
        wide = wide - (1 << bits - 1)
    if wide.size and not -(1 << bits - 1) <= wide.min() <= wide.max() < 1 << bits - 1:
        raise InputError(f"values of {tensor.name}", f"must fit {tensor.dtype}")
    return wide.astype(_SIGNED[tensor.dtype]), None


def histogram(array: Array, dtype: str) -> Array:
    """Return how often each integer of a type occurs, from the least on; int32 by bit length.

    Of int32, counts stand by the magnitude's number of bits: 0 for zero, 32 for the least integer.
    """
    bits = DTYPE_BITS[dtype]
    if bits > 16:
        magnitude = np.abs(array.astype(np.int64)).ravel()
        lengths = np.ceil(np.log2(magnitude + 1.0)).astype(np.int64)
        return np.bincount(lengths, minlength=bits + 1)
    shifted = array.astype(np.int64).ravel() + (1 << bits - 1)
    return np.bincount(shifted, minlength=1 << bits)


def _sample(array: Array, recording: Recording, name: str) -> Array:
    rng = np.random.default_rng([recording.seed, *name.encode()])
    # without a permutation of all, which may be large: distinct indices, in order
    picks: Array = np.sort(rng.choice(array.size, recording.sample, replace=False, shuffle=False))
    sampled: Array = array.reshape(-1)[picks]
    return sampled


def check_size(shapes: Mapping[str, tuple[int, ...]], where: str) -> None:
    """Refuse to hold more values at once than `LIMIT_BYTES`, at eight bytes each."""
    total = 8 * sum(math.prod(shape) for shape in shapes.values())
    if total > LIMIT_BYTES:
        raise InputError(
            where,
            f"values of products' operands must take at most {LIMIT_BYTES:,} bytes",
            total,
            fix="run it with a smaller batch, image or sequence",
        )
