"""Random traces and designs for property tests."""

from __future__ import annotations

import dataclasses
import os
from typing import Any

from hypothesis import strategies as st

from archsim.design import Design, design_from
from archsim.trace import Op, Tensor, Trace, as_gemm

LENGTH = int(os.environ.get("ARCHSIM_LENGTH", "1"))  # how many times as long tests "at length" are


def clocks() -> st.SearchStrategy[Any]:
    """Clocks whose periods are and are not whole picoseconds; assumed, so that none is too fast."""
    return st.sampled_from([100, 250.5, 333.3, 412, 1000]).map(
        lambda mhz: {"mhz": mhz, "assumed": "test"}
    )


@st.composite
def designs(draw: st.DrawFn, *, vector: bool = False) -> Design:
    """Small designs: little arrays, buffers and bandwidths, so that every limit is met."""
    side = st.sampled_from([2, 4, 8])
    array = {
        "kind": "systolic", "rows": draw(side), "cols": draw(side),
        "dataflow": draw(st.sampled_from(["os", "os", "ws", "is"])),
        "acc_rows": draw(st.sampled_from([4, 256])),
    }  # fmt: skip
    engines = {"mxu": {**array, "clock_mhz": draw(clocks())}}
    if vector:
        lanes = draw(st.sampled_from([1, 4, 16]))
        engines["vpu"] = {"kind": "vector", "lanes": lanes, "clock_mhz": draw(clocks())}
    return design_from(
        {
            "engines": engines,
            "memories": {
                "buffer": {
                    "capacity_bytes": draw(st.sampled_from([4096, 16384, 1 << 20])),
                    "tile_share": draw(st.sampled_from([0.5, 0.75, 1])),
                    "banks": draw(st.sampled_from([1, 16])),
                },
                "dram": {
                    "channels": draw(st.integers(1, 3)),
                    "channel_gb_per_s": draw(st.sampled_from([0.05, 0.3, 1.7, 6.4])),
                    "latency_ns": draw(st.sampled_from([0, 7, 60, 500])),
                    "page_miss_ns": draw(st.sampled_from([0, 13])),
                },
            },
            "link": {"gb_per_s": draw(st.sampled_from([0.7, 64]))},
        }
    )


@st.composite
def _product(draw: st.DrawFn, name: str, source: str, result: Tensor) -> tuple[Op, list[Tensor]]:
    weight_role = draw(st.sampled_from(["weight", "input"]))
    if draw(st.booleans()):
        sizes = st.integers(1, 40)
        attrs = {
            "m": draw(sizes), "n": draw(sizes), "k": draw(st.integers(1, 60)),
            "groups": draw(st.sampled_from([1, 1, 3, 8])),
        }  # fmt: skip
        weights = Tensor(f"{name}.w", (attrs["k"], attrs["n"] * attrs["groups"]), role=weight_role)
        op = Op(name, "gemm", (source, weights.name), (result.name,), attrs)
    else:
        groups = draw(st.sampled_from([1, 2, 4]))
        kernel = (draw(st.sampled_from([1, 3])), draw(st.sampled_from([1, 3])))
        attrs = {
            "batch": draw(st.integers(1, 2)), "channels": 4 * draw(st.integers(1, 2)),
            "height": draw(st.integers(5, 9)), "width": draw(st.integers(5, 9)),
            "filters": 4 * draw(st.integers(1, 3)), "kernel": kernel,
            "stride": (draw(st.integers(1, 2)), 1), "pad": (1, 1, 0, 1), "dilation": (1, 1),
            "groups": groups,
        }  # fmt: skip
        shape = (attrs["filters"], attrs["channels"] // groups, *kernel)
        weights = Tensor(f"{name}.w", shape, role=weight_role)
        op = Op(name, "conv", (source, weights.name), (result.name,), attrs)
    gemm = as_gemm(op)
    return op, [weights, dataclasses.replace(result, shape=(gemm.m, gemm.n * gemm.groups))]


@st.composite
def traces(draw: st.DrawFn, *, vector: bool = False) -> Trace:
    """Chains of products and element-wise ops with branches, a part of them a repeated block."""
    tensors = {"in": Tensor("in", (8, 8), role="input")}
    ops: list[Op] = []
    count = draw(st.integers(1, 6))
    names = ["in"]
    for i in range(count):
        role = "activation" if i < count - 1 else "output"
        result = Tensor(f"t{i}", (1,), role=role)
        source = names[-1 if draw(st.integers(0, 3)) else draw(st.integers(0, len(names) - 1))]
        if vector and draw(st.booleans()):
            result = dataclasses.replace(result, shape=(draw(st.integers(1, 3000)),))
            inputs = (source, names[-1]) if draw(st.booleans()) else (source,)
            attrs = {"function": "add", "work": result.elements}
            ops.append(Op(f"op{i}", "vector", inputs, (result.name,), attrs))
            tensors[result.name] = result
        else:
            op, made = draw(_product(f"op{i}", source, result))
            ops.append(op)
            tensors |= {t.name: t for t in made}
        names.append(result.name)
    repeat = draw(st.sampled_from([1, 1, 2, 4, 5, 40]))
    first = draw(st.integers(0, count - 1))
    last = draw(st.integers(first, count - 1))
    if repeat > 1:
        for i in range(first, last + 1):
            ops[i] = dataclasses.replace(ops[i], block="block", repeat=repeat)
    return Trace("random", tensors, tuple(ops))
