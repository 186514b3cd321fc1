"""Systems to check: small designs, and layers and chains of them with values.

A case does not depend on how many are asked for. The first ones are written by hand, each for one
thing that a system must get right; the others are drawn.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from archsim.design import Design, design_from
from archsim.formats.requantise import requantise
from archsim.mapping import GemmMapping, tile_extents
from archsim.program import Scales
from archsim.program.placement import is_narrow
from archsim.trace import Op, Tensor, Trace, as_gemm

Ints = NDArray[np.int64]
Rng = np.random.Generator
SIDE = 4  # of the array
MHZ = 500


@dataclass(frozen=True, slots=True)
class Layer:
    """A product in a chain: of a matrix, or of an image by a kernel.

    Parameters
    ----------
    columns
        Of the result.
    m, k
        Of a matrix A.
    image
        Height, width and channels; then ``kernel``, ``stride``, ``pad`` and ``dilation`` count.
    narrow
        Scaled and rounded to int8, with bias; the alternative is int32.
    stored
        The result goes through memory even if it could stay on chip.
    """

    columns: int
    m: int = 1
    k: int = 1
    image: tuple[int, int, int] | None = None
    kernel: int = 1
    stride: int = 1
    pad: int = 0
    dilation: int = 1
    narrow: bool = True
    relu: bool = False
    stored: bool = False
    mapping: GemmMapping | None = None


@dataclass(frozen=True, slots=True)
class SystemCase:
    """A trace with values on a design.

    Parameters
    ----------
    data
        Matrices [rows, columns] by tensor: inputs, weights, biases.
    """

    name: str
    design: Design
    trace: Trace
    mappings: Mapping[str, GemmMapping]
    data: Mapping[str, Ints]
    scales: Mapping[str, Scales]
    stalls: Mapping[str, str] = field(default_factory=dict)


def small_design(
    gb_per_s: float = 2.0, latency_ns: float = 20.0, rows: int = SIDE, cols: int = SIDE
) -> Design:
    """Return a design with a small array whose memory port moves a word, ``cols`` bytes, a cycle.

    A burst of DRAM is a word, so that the model's bursts are the port's.
    """
    clock = {"mhz": MHZ, "assumed": "the system check"}
    array = {"kind": "systolic", "rows": rows, "cols": cols, "clock_mhz": clock}
    dram = {
        "channels": 1, "channel_gb_per_s": gb_per_s, "latency_ns": latency_ns, "burst_bytes": cols,
    }  # fmt: skip
    return design_from(
        {
            "name": "system",
            "engines": {"mxu": array},
            "memories": {"buffer": {"capacity_bytes": 32768}, "dram": dram},
            "link": {"gb_per_s": cols * MHZ / 1000},
        }
    )


def chain(name: str, design: Design, layers: Sequence[Layer], rng: Rng) -> SystemCase:
    """Return layers one after another, each reading what the one before wrote, with random data."""
    tensors: dict[str, Tensor] = {}
    ops, mappings, scales = [], {}, {}
    data: dict[str, Ints] = {}
    source = "x"
    for i, layer in enumerate(layers):
        op = _op(i, layer, source)
        g, last = as_gemm(op), i == len(layers) - 1
        rows, columns = (g.m, g.k)
        if layer.image:
            rows, columns = layer.image[0] * layer.image[1], layer.image[2]
        if i == 0:
            tensors[source] = Tensor(source, (rows, columns), "int8", "input")
            data[source] = rng.integers(-128, 128, (rows, columns))
        weight, bias, result = op.inputs[1], op.inputs[2:], op.outputs[0]
        tensors[weight] = Tensor(weight, (g.k, g.n), "int8", "weight")
        data[weight] = rng.integers(-128, 128, (g.k, g.n))
        for b in bias:
            tensors[b] = Tensor(b, (g.n,), "int32", "weight")
            data[b] = rng.integers(-(2**12), 2**12, (1, g.n))
        role: Any = "output" if last or layer.stored else "activation"
        tensors[result] = Tensor(result, (g.m, g.n), "int8" if layer.narrow else "int32", role)
        if layer.narrow:
            # sums of about 2**13 sqrt(k), brought to some tens
            shift = 24 + int(np.log2(g.k)) // 2
            multiplier = rng.integers(2**16, 2**18, g.n)
            scales[op.name] = Scales(multiplier.tolist(), [shift] * g.n, int(rng.integers(-20, 20)))
        if layer.mapping:
            mappings[op.name] = layer.mapping
        ops.append(op)
        source = result
    trace = Trace(name, tensors, tuple(ops))
    return SystemCase(name, design, trace, mappings, data, scales)


def _op(number: int, layer: Layer, source: str) -> Op:
    epilogue: tuple[str, ...] = ()
    if layer.narrow:
        epilogue = ("bias", "relu", "requantise") if layer.relu else ("bias", "requantise")
    bias = (f"bias{number}",) if layer.narrow else ()
    inputs = (source, f"w{number}", *bias)
    attrs: dict[str, Any] = {"m": layer.m, "n": layer.columns, "k": layer.k, "groups": 1}
    kind = "gemm"
    if layer.image:
        kind, (height, width, channels) = "conv", layer.image
        attrs = {
            "batch": 1, "channels": channels, "height": height, "width": width,
            "filters": layer.columns, "kernel": (layer.kernel,) * 2, "stride": (layer.stride,) * 2,
            "pad": (layer.pad,) * 4, "dilation": (layer.dilation,) * 2, "groups": 1,
        }  # fmt: skip
    return Op(f"op{number}", kind, inputs, (f"y{number}",), attrs, epilogue)


# ---------------------------------------------------------------------------------------- by hand


def _whole(m: int, n: int, k: int, resident: str = "") -> GemmMapping:
    return GemmMapping(m, n, k, "mnk", resident)


DIRECTED: Mapping[str, tuple[dict[str, Any], tuple[Layer, ...]]] = {
    "gemm": ({}, (Layer(8, m=8, k=8, narrow=False),)),
    "gemm-ragged": ({}, (Layer(7, m=13, k=21, narrow=False),)),
    "gemm-one": ({}, (Layer(1, m=1, k=1, narrow=False),)),
    "gemm-streamed": (
        {}, (Layer(16, m=16, k=16, narrow=False, mapping=GemmMapping(4, 8, 16, "nmk")),),
    ),
    "gemm-resident": (
        {}, (Layer(16, m=16, k=16, narrow=False, mapping=GemmMapping(8, 4, 16, "mnk", "ab")),),
    ),
    "gemm-deep": (
        {}, (Layer(10, m=9, k=40, narrow=False, mapping=GemmMapping(4, 8, 10, "mnk")),),
    ),
    "gemm-deep-outside": (
        {}, (Layer(8, m=12, k=24, mapping=GemmMapping(4, 4, 6, "kmn", "c")),),
    ),
    "gemm-slow": ({"gb_per_s": 0.3}, (Layer(12, m=12, k=12),)),
    "gemm-far": ({"latency_ns": 200.0}, (Layer(12, m=12, k=12, mapping=GemmMapping(4, 4, 12)),)),
    "conv-3x3": ({}, (Layer(8, image=(6, 6, 4), kernel=3, pad=1),)),
    "conv-3x3-tiles": (
        {}, (Layer(8, image=(7, 6, 8), kernel=3, pad=1, relu=True,
                   mapping=GemmMapping(8, 4, 36, "mnk")),),
    ),
    "conv-valid": ({}, (Layer(5, image=(6, 7, 5), kernel=3),)),
    "conv-strided": ({}, (Layer(8, image=(9, 9, 4), kernel=3, stride=2, pad=1),)),
    "conv-strided-tiles": (
        {}, (Layer(4, image=(9, 10, 4), kernel=3, stride=2, pad=1,
                   mapping=GemmMapping(4, 4, 36, "mnk")),),
    ),
    "conv-dilated": ({}, (Layer(4, image=(8, 8, 3), kernel=3, pad=2, dilation=2),)),
    "conv-1x1": ({}, (Layer(12, image=(5, 5, 8)),)),
    "conv-1x1-strided": ({}, (Layer(8, image=(6, 6, 8), stride=2),)),
    "conv-mid-channel": (
        {}, (Layer(4, image=(5, 5, 6), kernel=3, pad=1, mapping=GemmMapping(8, 4, 14, "mnk")),),
    ),
    "chain-3": ({}, (Layer(12, m=10, k=8), Layer(8, m=10, k=12), Layer(6, m=10, k=8))),
    "chain-3-stored": (
        {}, (Layer(12, m=10, k=8, stored=True), Layer(8, m=10, k=12, stored=True),
             Layer(6, m=10, k=8, narrow=False)),
    ),
    "chain-at-once": (
        {}, (Layer(4, m=4, k=4, stored=True), Layer(4, m=4, k=4, narrow=False)),
    ),
    "chain-conv": (
        {"gb_per_s": 1.1},
        (Layer(8, image=(6, 6, 3), kernel=3, pad=1, relu=True),
         Layer(8, image=(6, 6, 8), kernel=3, stride=2, pad=1, relu=True),
         Layer(4, image=(3, 3, 8))),
    ),
    "chain-conv-stored": (
        {"latency_ns": 90.0},
        (Layer(6, image=(5, 6, 3), kernel=3, pad=1, stored=True),
         Layer(4, image=(5, 6, 6), kernel=3, narrow=False)),
    ),
}  # fmt: skip


def cases(
    rng: Rng,
    count: int,
    fits: Callable[[SystemCase], bool] = lambda case: True,
    only: str | None = None,
) -> list[SystemCase]:
    """Return cases: those by hand first, then drawn ones, each drawn again until it ``fits``.

    Parameters
    ----------
    only
        Name of the single case to make.
    """
    found = []
    names = [*DIRECTED, *(f"drawn-{i:03d}" for i in range(len(DIRECTED), count))][:count]
    for name, child in zip(names, rng.spawn(count), strict=True):
        if only not in (None, name):
            continue
        if name in DIRECTED:
            options, layers = DIRECTED[name]
            found.append(chain(name, small_design(**options), layers, child))
        else:
            drawn = _drawn(name, child)
            while not fits(drawn):
                drawn = _drawn(name, child)
            found.append(drawn)
    return found


def _drawn(name: str, rng: Rng) -> SystemCase:
    design = small_design(
        gb_per_s=float(rng.choice([0.2, 0.7, 1.1, 1.6, 2.0])),
        latency_ns=float(rng.choice([0, 2, 14, 60, 150])),
    )
    layers: list[Layer] = []
    length = int(rng.integers(1, 4))
    image = tuple(rng.integers(3, 8, 2).tolist()) if rng.random() < 0.6 else None
    channels, rows = int(rng.integers(1, 14)), int(rng.integers(1, 18))
    for i in range(length):
        columns = int(rng.integers(1, 14))
        more = {"columns": columns, "relu": bool(rng.random() < 0.5)}
        more |= {"narrow": i < length - 1 or bool(rng.random() < 0.6)}
        more |= {"stored": bool(rng.random() < 0.4)}
        if image:
            kernel = int(rng.choice([1, 2, 3]))
            stride, pad = int(rng.integers(1, 3)), int(rng.integers(0, kernel))
            layer = Layer(image=(*image, channels), kernel=kernel, stride=stride, pad=pad, **more)  # type: ignore[arg-type]
            image = tuple((side + 2 * pad - kernel) // stride + 1 for side in image)
        else:
            layer = Layer(m=rows, k=channels, **more)  # type: ignore[arg-type]
        layers.append(_mapped(layer, rng))
        channels = columns
        if image and min(image) < 3:
            break
    return chain(name, design, layers, rng)


def _mapped(layer: Layer, rng: Rng) -> Layer:
    """Return the layer with a drawn mapping, or most often the planner's."""
    if rng.random() < 0.6:
        return layer
    g = as_gemm(_op(0, layer, "x"))
    m, n = (int(rng.choice(tile_extents(x, SIDE)[-3:])) for x in (g.m, g.n))
    k = int(rng.choice(tile_extents(g.k, None)[:2]))
    order = "mnk" if k < g.k else str(rng.choice(["mnk", "nmk", "kmn", "knm"]))
    resident = str(rng.choice(["", "a", "b", "ab"]))
    return replace(layer, mapping=GemmMapping(m, n, k, order, resident))


# ---------------------------------------------------------------------------------------- values


def reference(case: SystemCase) -> dict[str, Ints]:
    """Return every result of a case, matrices [rows, columns], by the definition of each op."""
    values = dict(case.data)
    for op in case.trace.ops:
        a, b = (values[name] for name in op.inputs[:2])
        sums = (_expanded(op, a) if op.kind == "conv" else a) @ b
        if is_narrow(op):
            s = case.scales[op.name]
            bias = values[op.inputs[2]] if len(op.inputs) > 2 else 0
            low = max(-128, s.zero_point) if "relu" in op.epilogue else -128
            sums = requantise(
                sums, bias, np.array(s.multiplier), np.array(s.shift), zero_point=s.zero_point,
                low=low,
            )  # fmt: skip
        values[op.outputs[0]] = sums
    return {op.outputs[0]: values[op.outputs[0]] for op in case.trace.ops}


def _expanded(op: Op, pixels: Ints) -> Ints:
    """Return the rows of A of a convolution: per output pixel its taps, channel outermost."""
    channels, height, width = (op.int_attr(x) for x in ("channels", "height", "width"))
    top, left, bottom, right = op.ints_attr("pad")
    (kh, kw), (sh, sw), (dh, dw) = (op.ints_attr(x) for x in ("kernel", "stride", "dilation"))
    image = pixels.reshape(height, width, channels)
    image = np.pad(image, ((top, bottom), (left, right), (0, 0)))
    rows = []
    for i in range(0, image.shape[0] - dh * (kh - 1), sh):
        for j in range(0, image.shape[1] - dw * (kw - 1), sw):
            window = image[i : i + dh * (kh - 1) + 1 : dh, j : j + dw * (kw - 1) + 1 : dw]
            rows.append(window.transpose(2, 0, 1).reshape(-1))
    return np.array(rows)
