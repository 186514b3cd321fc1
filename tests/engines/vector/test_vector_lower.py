"""Which ops the integer lanes take, and as what; what they compute, against plain integers."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from archsim.engines import SpecBatch
from archsim.engines.vector import ENGINE
from archsim.engines.vector.functions import FUNCTIONS
from archsim.engines.vector.spec import MAX_BEATS, VectorJobs, VectorSpec, accepts, lower
from archsim.errors import InputError
from archsim.formats.requantise import fixed_point
from archsim.slices import Whole
from archsim.trace import VECTOR_PASSES, Op, Tensor

SPEC = VectorSpec(lanes=4)


def vector(
    function: str,
    shapes: Sequence[tuple[int, ...]],
    result: tuple[int, ...],
    elements: int,
    *,
    dtype: str = "int8",
    epilogue: tuple[str, ...] = (),
) -> tuple[Op, dict[str, Tensor]]:
    names = tuple(f"x{i}" for i in range(len(shapes)))
    tensors = {n: Tensor(n, shape, dtype) for n, shape in zip(names, shapes, strict=True)}
    tensors["y"] = Tensor("y", result, dtype)
    work = elements * sum(VECTOR_PASSES[name] for name in (function, *epilogue))
    attrs = {"function": function, "work": work}
    return Op(function, "vector", names, ("y",), attrs, epilogue), tensors


def lowered(op: Op, tensors: dict[str, Tensor], spec: VectorSpec = SPEC) -> VectorJobs:
    whole = Whole.of(op, tensors)
    return lower(spec, op, whole.slices(np.array([whole.work]), np.array([whole.results])))


def test_an_addition_has_two_taps_and_its_relu_is_free() -> None:
    found = lowered(*vector("add", [(10, 7), (10, 7)], (10, 7), 70, epilogue=("relu",)))
    assert (70, 2, True, False) == (
        found.results[0], found.taps[0], found.alternate[0], found.maximum[0]
    )  # fmt: skip


@pytest.mark.parametrize(
    ("function", "maximum"),
    [("max_pool", True), ("average_pool", False), ("global_average_pool", False)],
)
def test_a_pool_has_its_window(function: str, maximum: bool) -> None:
    found = lowered(*vector(function, [(8, 6, 6)], (8, 2, 2), 8 * 4 * 9, epilogue=("clip",)))
    assert (32, 9, maximum) == (found.results[0], found.taps[0], found.maximum[0])
    assert not found.alternate[0]


def test_a_bias_has_parameters_by_channel() -> None:
    """Ten channels on four lanes: three sets, each for the pixels of four channels."""
    found = lowered(*vector("offset", [(20, 10), (10,)], (20, 10), 200))
    assert (1, 50 // 3 + 1) == (found.taps[0], found.hold[0])
    one = lowered(*vector("requantise", [(20, 10)], (20, 10), 200))
    assert 50 == one.hold[0]


def test_a_move_is_a_copy() -> None:
    tensors = {n: Tensor(n, (9, 3)) for n in "xy"}
    found = lowered(Op("turn", "move", ("x",), ("y",), {"function": "transpose"}), tensors)
    assert (27, 1) == (found.results[0], found.taps[0])


@pytest.mark.parametrize(
    ("function", "shapes", "options"),
    [
        ("softmax", [(8, 8)], {}),
        ("mul", [(8, 8), (8, 8)], {}),
        ("add", [(8, 8)] * 3, {}),  # lanes know two scales a command
        ("add", [(8, 8), (8, 8)], {"dtype": "fp16"}),
        ("add", [(8, 8), (8, 8)], {"dtype": "int64"}),
        ("relu", [(8, 8)], {"epilogue": ("gelu",)}),
        ("max_pool", [(8, 8)], {"elements": 65}),  # no whole number of taps
    ],
)
def test_the_rest_is_lane_operations(
    function: str, shapes: list[tuple[int, ...]], options: dict[str, object]
) -> None:
    elements = options.pop("elements", 64)
    op, tensors = vector(function, shapes, (8, 8), elements, **options)  # type: ignore[arg-type]
    found = lowered(op, tensors)
    assert 0 == found.taps[0]
    assert op.attrs["work"] == found.work[0]
    assert "expected" == ENGINE.time(SPEC, found).kind


def test_lanes_must_be_as_wide_as_the_types() -> None:
    specs = [VectorSpec(lane_bits=bits) for bits in (8, 9, 16)]
    op, tensors = vector("relu", [(8, 8)], (8, 8), 64, dtype="uint8")
    assert [0, 1, 1] == [int(lowered(op, tensors, spec).taps[0]) for spec in specs]
    whole = Whole.of(op, tensors)
    three = whole.slices(np.full(3, whole.work), np.full(3, whole.results))
    assert [0, 1, 1] == lower(SpecBatch(specs), op, three).taps.tolist()


def test_a_slice_longer_than_a_command_is_not_exact() -> None:
    op, tensors = vector("relu", [(1,)], (1,), 1)
    slices = Whole.of(op, tensors).slices(np.array([1, 1]), np.array([4 * MAX_BEATS, 2**27]))
    assert [1, 0] == lower(SPEC, op, slices).taps.tolist()


def test_takes_vector_and_move_ops_only() -> None:
    verdict = accepts(SPEC, Op("mm", "gemm", ("a", "b"), ("c",)))
    assert "a vector unit runs move and vector ops, not gemm" == getattr(verdict, "text", "")


def test_every_function_is_one_of_the_traces() -> None:
    assert VECTOR_PASSES.keys() >= FUNCTIONS.keys()


def test_products_must_fit_64_bits() -> None:
    with pytest.raises(ValidationError, match="lane_bits \\+ scale_bits must be at most 64"):
        VectorSpec(lane_bits=48, scale_bits=17)


# ---------------------------------------------------------------------------------------- values


def computed(
    x: list[list[int]], first: float, second: float | None, zeros: tuple[int, int], zero: int,
    *, maximum: bool = False,
) -> list[int]:  # fmt: skip
    """Return what the unit makes of operands with scales and zero points, at a unit's scale."""
    bits = SPEC.scale_bits
    largest = max(abs(first), abs(second or 0.0))
    shift = fixed_point(largest, bits)[1]
    taps = np.array(x, np.int64)
    beats = -(-len(x) // SPEC.lanes)
    ones = np.ones((1, SPEC.lanes), np.int64)
    parameters = np.stack([-zeros[0] * ones, round(first * 2**shift) * ones, shift * ones], axis=2)
    tensor = [-zeros[1], round((second or 0.0) * 2**shift), zero, -128, 127]
    jobs = VectorJobs(
        work=np.array([taps.size]), results=np.array([len(x)]), taps=np.array([taps.shape[1]]),
        hold=np.array([beats]), bits=np.array([8]), alternate=np.array([second is not None]),
        maximum=np.array([maximum]), refs=({"x": "x", "parameters": "p", "tensor": "t"},),
    )  # fmt: skip
    data = {"x": taps, "p": parameters, "t": np.array(tensor)}
    (found,) = ENGINE.reference(SPEC, jobs, data)
    return [int(value) for value in found["y"]]


int8 = st.integers(-128, 127)


@given(
    st.lists(st.tuples(int8, int8), min_size=1, max_size=9),
    st.tuples(int8, int8, int8),
    st.tuples(st.integers(1, 200), st.integers(1, 200)),
)
def test_adds_two_quantised_tensors(
    pairs: list[tuple[int, int]], zeros: tuple[int, int, int], scales: tuple[int, int]
) -> None:
    """As ONNX Runtime's QLinearAdd: dequantised, added, quantised; scales in 64ths are exact."""
    first, second = (Fraction(scale, 64) for scale in scales)
    found = computed(
        [list(pair) for pair in pairs], float(first), float(second), zeros[:2], zeros[2]
    )
    wanted = [round((a - zeros[0]) * first + (b - zeros[1]) * second) + zeros[2] for a, b in pairs]
    assert found == [min(max(value, -128), 127) for value in wanted]


@given(st.lists(st.lists(int8, min_size=9, max_size=9), min_size=1, max_size=6), int8, int8)
def test_averages_a_window(windows: list[list[int]], zero_in: int, zero_out: int) -> None:
    found = computed(windows, 1 / 9, None, (zero_in, 0), zero_out)
    for got, window in zip(found, windows, strict=True):
        mean = Fraction(sum(window) - 9 * zero_in, 9)
        assert got == min(max(round(mean) + zero_out, -128), 127)


@given(st.lists(st.lists(int8, min_size=4, max_size=4), min_size=1, max_size=6))
def test_takes_a_windows_maximum(windows: list[list[int]]) -> None:
    found = computed(windows, 1.0, None, (0, 0), 0, maximum=True)
    assert found == [max(window) for window in windows]


def test_computes_no_values_of_lane_operations() -> None:
    op, tensors = vector("softmax", [(8, 8)], (8, 8), 64)
    found = lowered(op, tensors)
    jobs = dataclasses.replace(found, refs=({},))
    with pytest.raises(InputError, match="values are computed on the integer lanes only"):
        ENGINE.reference(SPEC, jobs, {})
