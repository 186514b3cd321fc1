"""Conformance cases: every function's shape, extreme values, environments of every kind."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from archsim.engines import Case, Ints
from archsim.engines.environments import Rng, kinds, one_slow, upto
from archsim.engines.vector.recurrence import STAGES
from archsim.engines.vector.spec import VectorJobs, VectorSpec
from archsim.engines.vector.timing import PORTS
from archsim.formats.requantise import MAX_SHIFT, fixed_point

# one lane and several; both roundings; products of 64 bits and of few
SPECS = (
    VectorSpec(lanes=4),
    VectorSpec(lanes=3, lane_bits=12, scale_bits=10, rounding="half_up"),
    VectorSpec(lanes=1, lane_bits=16, scale_bits=16),
    VectorSpec(lanes=2, lane_bits=48, scale_bits=16, rounding="half_up"),
    VectorSpec(lanes=8, lane_bits=8, scale_bits=8),
    VectorSpec(lanes=5, lane_bits=24, scale_bits=32),
)
MAX_JOBS = 3


def cases(rng: Rng, spec: VectorSpec | None = None, count: int = 24) -> list[Case]:
    """Return cases whose i-th does not depend on how many are asked for."""
    return [
        _case(child, i, spec or SPECS[i % len(SPECS)]) for i, child in enumerate(rng.spawn(count))
    ]


def _case(rng: Rng, index: int, spec: VectorSpec) -> Case:
    # every shape meets every environment within 49 cases, every spec as well within 294
    shape_name = list(SHAPES)[index % len(SHAPES)]
    env_name = list(ENVS)[(index + index // len(SHAPES)) % len(ENVS)]
    count = int(rng.integers(1, MAX_JOBS + 1))
    shapes = [SHAPES[shape_name](rng, spec) for _ in range(count)]
    results, taps, hold = np.array([s[:3] for s in shapes], np.int64).T
    data: dict[str, Ints] = {}
    for i in range(count):
        beats = -(-int(results[i]) // spec.lanes)
        data[f"x{i}"] = _values(rng, (int(results[i]), int(taps[i])), spec.lane_bits)
        data[f"parameters{i}"] = _parameters(rng, spec, -(-beats // int(hold[i])))
        data[f"tensor{i}"] = _tensor(rng, spec)
    jobs = VectorJobs(
        work=results * taps, results=results, taps=taps, hold=hold,
        bits=np.full(count, spec.lane_bits), alternate=np.array([s[3] for s in shapes]),
        maximum=rng.integers(0, 2, count).astype(bool),
        refs=tuple({n: f"{n}{i}" for n in ("x", "parameters", "tensor")} for i in range(count)),
    )  # fmt: skip
    lengths = (-(-results // spec.lanes) * taps + STAGES + 2).tolist()
    envs = tuple(ENVS[env_name](rng, length) for length in lengths)
    return Case(f"{index:03d}-{shape_name}-{env_name}", spec, jobs, envs, data)


# ---------------------------------------------------------------------------------------- values


def _values(rng: Rng, shape: tuple[int, ...], bits: int) -> Ints:
    """Return values of all magnitudes, now and then only the least and the greatest."""
    low, high = -(2 ** (bits - 1)), 2 ** (bits - 1) - 1
    if rng.random() < 0.2:
        return rng.choice(np.array([low, high]), shape)
    return rng.integers(low, high, shape, endpoint=True) >> rng.integers(0, bits, shape)


def _parameters(rng: Rng, spec: VectorSpec, sets: int) -> Ints:
    """Return bias, multiplier and shift of lanes: of plausible scales, of powers of two, or any."""
    shape = (sets, spec.lanes)
    bias = _values(rng, shape, spec.lane_bits)
    match rng.integers(0, 3):
        case 0:
            scales = 2.0 ** rng.uniform(-spec.lane_bits, 1, shape)
            pairs = np.array([fixed_point(s, spec.scale_bits) for s in scales.ravel()])
            multiplier, shift = pairs.reshape(*shape, 2).transpose(2, 0, 1)
        case 1:  # ties
            multiplier = np.ones(shape, np.int64)
            shift = rng.integers(0, spec.lane_bits // 2, shape)
        case _:
            multiplier = _values(rng, shape, spec.scale_bits)
            shift = rng.integers(0, MAX_SHIFT, shape, endpoint=True)
    return np.stack([bias, multiplier, shift], axis=2)


def _tensor(rng: Rng, spec: VectorSpec) -> Ints:
    """Return bias and multiplier of odd taps, zero point, least and greatest result."""
    widths = [width for width in (4, 8, 16, 32) if width < spec.lane_bits]
    bits = int(rng.choice([*widths, spec.lane_bits]))
    bias, zero_point = _values(rng, (2,), bits)
    low, high = -(2 ** (bits - 1)), 2 ** (bits - 1) - 1
    if rng.random() < 0.5:  # ReLU
        low = int(zero_point)
    multiplier = _values(rng, (1,), spec.scale_bits)[0]
    return np.array([bias, multiplier, zero_point, low, high])


# ---------------------------------------------------------------------------------------- shapes


Shape = Callable[[Rng, VectorSpec], tuple[int, int, int, bool]]  # results, taps, hold, alternate
ALL = 2**24 - 1  # hold of parameters that serve a whole tensor

SHAPES: Mapping[str, Shape] = {
    "one": lambda rng, s: (upto(rng, s.lanes), upto(rng, 2), 1, False),
    "add": lambda rng, s: (upto(rng, 8 * s.lanes), 2, ALL, True),
    "pool": lambda rng, s: (upto(rng, 4 * s.lanes), upto(rng, 9), ALL, False),
    "global": lambda rng, s: (upto(rng, 2 * s.lanes), 20 + upto(rng, 30), ALL, False),
    "channels": lambda rng, s: (upto(rng, 12 * s.lanes), 1, upto(rng, 4), False),
    "copy": lambda rng, s: (upto(rng, 30 * s.lanes), 1, ALL, False),
    "any": lambda rng, s: (
        upto(rng, 6 * s.lanes), upto(rng, 4), upto(rng, 5), bool(rng.random() < 0.5),
    ),
}  # fmt: skip


# ---------------------------------------------------------------------------------- environments


# the lanes starve; results pile up in the stages
ENVS = kinds(PORTS, inputs=one_slow("x", "parameters"), outputs=one_slow("y"))
