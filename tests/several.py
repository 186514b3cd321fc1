"""Random designs of several engines, and traces for them: what `random.Random(seed)` says."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from random import Random
from typing import Any

from archsim.design import Design, design_from
from archsim.trace import Op, Tensor, Trace

CLOCKS_MHZ = (100, 250.5, 333.3, 500, 1000, 2000)
POLICIES = ("first", "fastest", "pipeline", "by-op")


@dataclasses.dataclass(frozen=True)
class Pair:
    """A design of several engines and a stream of a trace."""

    seed: int
    design: Design
    trace: Trace
    batches: int


def pairs(count: int, first: int = 0) -> Iterator[Pair]:
    """Yield so many pairs, each from the seed that it names."""
    for seed in range(first, first + count):
        random = Random(seed)
        trace = trace_of(random)
        yield Pair(seed, design_of(random), trace, random.choice((1, 1, 2, 3, 6)))


def design_of(random: Random) -> Design:
    """Return one to three arrays and a vector unit, or none of the latter, about a common DRAM."""

    def clock() -> dict[str, Any]:
        return {"mhz": random.choice(CLOCKS_MHZ), "assumed": "test"}

    engines: dict[str, Any] = {}
    for number in range(random.randint(1, 3)):
        engines[f"mxu{number}"] = {
            "kind": "systolic", "rows": random.choice((2, 4, 8)), "cols": random.choice((2, 4, 8)),
            "dataflow": random.choice(("os", "ws", "is")), "clock_mhz": clock(),
        }  # fmt: skip
    for number in range(random.randint(1, 4 - len(engines)) if len(engines) < 3 else 1):
        lanes = random.choice((1, 4, 16))
        engines[f"vpu{number}"] = {"kind": "vector", "lanes": lanes, "clock_mhz": clock()}
    policy: Any = random.choice(POLICIES)
    if policy == "by-op":
        arrays = [name for name in engines if name.startswith("mxu")]
        vectors = [name for name in engines if name.startswith("vpu")]
        rules = [
            {"name": "*[02468]", "kind": "gemm", "engine": arrays[-1]},
            {"name": "*[1357]", "kind": "vector", "engine": vectors[-1]},
            {"kind": "conv", "dtype": "int8", "engine": random.choice(arrays)},
        ]
        policy = {"kind": "by-op", "rules": rules}
    return design_from(
        {
            "engines": engines,
            "policy": policy,
            "memories": {
                "buffer": {
                    "capacity_bytes": random.choice((16384, 65536, 1 << 20)),
                    "tile_share": random.choice((0.5, 0.75)),
                    "banks": random.choice((1, 16)),
                },
                "dram": {
                    "channels": random.randint(1, 3),
                    "channel_gb_per_s": random.choice((0.05, 0.3, 1.7, 6.4)),
                    "latency_ns": random.choice((0, 7, 60, 500)),
                    "page_miss_ns": random.choice((0, 13)),
                },
            },
            "link": {"gb_per_s": random.choice((0.7, 64))},
        }
    )


def trace_of(random: Random) -> Trace:
    """Return a chain of products and element-wise ops with branches; a part of it may repeat."""
    tensors = {"in": Tensor("in", (24, 24), role="input")}
    ops: list[Op] = []
    names = ["in"]
    count = random.randint(2, 9)
    for i in range(count):
        role = "output" if i == count - 1 else "activation"
        source = names[-1] if random.random() < 0.75 else random.choice(names)
        op, made = _op(random, f"op{i}", source, names[-1], role)
        ops.append(op)
        tensors |= {t.name: t for t in made}
        names.append(op.outputs[0])
    repeat = random.choice((1, 1, 1, 2, 5, 12))
    first = random.randrange(count)
    last = random.randrange(first, count)
    if repeat > 1:
        for i in range(first, last + 1):
            ops[i] = dataclasses.replace(ops[i], block="block", repeat=repeat)
    return Trace("random", tensors, tuple(ops))


def _op(random: Random, name: str, source: str, other: str, role: Any) -> tuple[Op, list[Tensor]]:
    kind = random.choice(("gemm", "conv", "vector"))
    if kind == "vector":
        result = Tensor(f"{name}.out", (random.randint(1, 4000),), role=role)
        inputs = (source, other) if random.random() < 0.5 else (source,)
        attrs: dict[str, Any] = {"function": "add", "work": result.elements}
        return Op(name, kind, inputs, (result.name,), attrs), [result]
    weight_role: Any = random.choice(("weight", "weight", "input"))
    if kind == "gemm":
        m, n, k = (random.randint(1, 64) for _ in range(3))
        groups = random.choice((1, 1, 1, 4))
        attrs = {"m": m, "n": n, "k": k, "groups": groups}
        weights, shape = Tensor(f"{name}.w", (k, n * groups), role=weight_role), (m, n * groups)
    else:
        channels, filters, side = 4 * random.randint(1, 3), 4 * random.randint(1, 4), 9
        groups, stride = random.choice((1, 1, 4)), random.randint(1, 2)
        attrs = {
            "batch": 1, "channels": channels, "height": side, "width": side, "filters": filters,
            "kernel": (3, 3), "stride": (stride, stride), "pad": (1, 1, 1, 1), "dilation": (1, 1),
            "groups": groups,
        }  # fmt: skip
        weights = Tensor(f"{name}.w", (filters, channels // groups, 3, 3), role=weight_role)
        shape = ((side - 1) // stride + 1, filters * ((side - 1) // stride + 1))
    result = Tensor(f"{name}.out", shape, role=role)
    return Op(name, kind, (source, weights.name), (result.name,), attrs), [weights, result]
