"""Traces: what ops amount to, and which traces are refused."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from archsim.errors import InputError
from archsim.trace import (
    BASE_OP_KINDS,
    VECTOR_PASSES,
    Gemm,
    Op,
    Tensor,
    Trace,
    as_gemm,
    conv_output,
)
from archsim.trace_check import check_op, check_trace


def conv(**changes: object) -> Op:
    attrs = {
        "batch": 1, "channels": 4, "height": 8, "width": 9, "filters": 6, "kernel": (3, 2),
        "stride": (2, 1), "pad": (1, 0, 0, 1), "dilation": (1, 2), "groups": 2,
    }  # fmt: skip
    return Op("c", "conv", ("x", "w"), ("y",), attrs | changes)  # type: ignore[arg-type]


TENSORS = {
    t.name: t
    for t in (
        Tensor("x", (4, 5), role="input"),
        Tensor("w", (5, 3), role="weight"),
        Tensor("y", (4, 3)),
        Tensor("z", (4, 3), role="output"),
    )
}
PRODUCT = Op("product", "gemm", ("x", "w"), ("y",), {"m": 4, "n": 3, "k": 5, "groups": 1})
RELU = Op("relu", "vector", ("y",), ("z",), {"function": "relu", "work": 12})


def trace(*ops: Op) -> Trace:
    return Trace("t", TENSORS, ops)


@settings(deadline=None)
@given(
    st.integers(1, 12), st.integers(1, 4), st.integers(1, 3), st.integers(1, 3), st.integers(0, 3),
    st.integers(0, 3),
)  # fmt: skip
def test_conv_output_counts_the_places_where_the_kernel_fits(
    extent: int, kernel: int, stride: int, dilation: int, before: int, after: int
) -> None:
    reach = dilation * (kernel - 1) + 1
    places = [s for s in range(0, extent + before + after, stride)
              if s + reach <= extent + before + after]  # fmt: skip
    op = conv(height=extent, kernel=(kernel, 1), stride=(stride, 1), dilation=(dilation, 1),
              pad=(before, 0, after, 0))  # fmt: skip
    assert max(0, conv_output(op)[0]) == len(places)


def test_a_grouped_convolution_is_one_product_a_group() -> None:
    # by hand: rows (8+1-3)//2+1 = 4; columns (9+1-2*1-1)//1+1 = 8
    assert conv_output(conv()) == (4, 8)
    assert as_gemm(conv(batch=5)) == Gemm(m=5 * 32, n=3, k=2 * 3 * 2, groups=2)
    assert BASE_OP_KINDS["conv"].macs(conv()) == 2 * 32 * 3 * 12


def test_vector_ops_are_no_products() -> None:
    with pytest.raises(InputError, match=r"^op 'relu': kind must be 'gemm' or 'conv' to be a"):
        as_gemm(RELU)


def test_sizes_are_packed() -> None:
    assert Tensor("t", (10,), "int4").size_bytes == 5
    assert Tensor("t", (3,), "int4").size_bytes == 2
    assert Tensor("t", (2, 3), "fp32").size_bytes == 24
    assert Tensor("t", (), "int8").size_bytes == 1


def test_repeats_count_macs_and_weights_each_time() -> None:
    repeated = trace(replace(PRODUCT, block="b", repeat=7), replace(RELU, block="b", repeat=7))
    assert repeated.macs() == 7 * 4 * 3 * 5
    assert repeated.weight_bytes() == 7 * 15


def test_passes_are_positive() -> None:
    assert min(VECTOR_PASSES.values()) == 1
    # 6 passes of a softmax, by the convention: max, subtract, exp as a table (2), sum, multiply
    assert VECTOR_PASSES["softmax"] == 4 + VECTOR_PASSES["exp"]


def test_a_good_trace_passes() -> None:
    check_trace(trace(PRODUCT, RELU), BASE_OP_KINDS)


@pytest.mark.parametrize(
    ("ops", "text"),
    [
        ((RELU,), "relu: ops must read inputs, weights or what ops above wrote, not 'y'"),
        ((PRODUCT, PRODUCT), "product: every op must have its own name, not 'product'"),
        (
            (PRODUCT, replace(PRODUCT, name="again")),
            "again: a tensor must be written once, and not be an input, not 'y'",
        ),
        (
            (PRODUCT, replace(RELU, outputs=("x",))),
            "relu: a tensor must be written once, and not be an input, not 'x'",
        ),
        (
            (replace(PRODUCT, block="b", repeat=2), replace(RELU, block="b", repeat=3)),
            "relu: ops of a block must be consecutive and repeat alike, not ('b', 3)",
        ),
        (
            (replace(PRODUCT, kind="fft"),),
            (
                "product: op kind must be one of conv, field, gemm, move, spgemm, spmm, "
                "unsupported, vector, not 'fft'"
            ),
        ),
        (
            (replace(PRODUCT, attrs={"m": 4}),),
            "product: gemm takes m, n, k, groups, not ('m',)",
        ),
        (
            (replace(PRODUCT, attrs=dict(PRODUCT.attrs) | {"k": 0}),),
            "product: k: must be a positive integer, not 0",
        ),
        (
            (replace(PRODUCT, attrs=dict(PRODUCT.attrs) | {"k": True}),),
            "product: k: must be a positive integer, not True",
        ),
        (
            (replace(PRODUCT, inputs=("x", "v")),),
            "product: inputs and outputs must be declared tensors, not 'v'",
        ),
        ((replace(PRODUCT, name=""),), "names must be 1 to 1024 characters, not ''"),
        ((replace(PRODUCT, repeat=0),), "product: repeat: must be a positive integer, not 0"),
    ],
)
def test_bad_traces_are_refused(ops: tuple[Op, ...], text: str) -> None:
    with pytest.raises(InputError) as caught:
        check_trace(trace(*ops), BASE_OP_KINDS)
    assert str(caught.value).removeprefix(": ") == text


def test_a_block_may_not_resume() -> None:
    third = replace(PRODUCT, name="third", outputs=("u",), block="b", repeat=2)
    tensors = TENSORS | {"u": Tensor("u", (4, 3))}
    ops = (replace(PRODUCT, block="b", repeat=2), RELU, third)
    with pytest.raises(InputError, match=r"^third: ops of a block must be consecutive"):
        check_trace(Trace("t", tensors, ops), BASE_OP_KINDS)


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"kernel": (3,)}, "conv 'c': kernel: must be 2 integers in range, not (3,)"),
        ({"stride": (0, 1)}, "conv 'c': stride: must be 2 integers in range, not (0, 1)"),
        ({"groups": 3}, "conv 'c': groups: must divide channels and filters, not 3"),
        ({"kernel": (30, 2)}, "conv 'c': kernel: must fit the padded input, not (30, 2)"),
        ({"pad": (-1, 0, 0, 0)}, ("conv 'c': pad: must be a list of non-negative integers, "
                                 "not (-1, 0, 0, 0)")),
    ],
)  # fmt: skip
def test_bad_convolutions_are_refused(changes: dict[str, object], text: str) -> None:
    tensors = {name: Tensor(name, (1,)) for name in "xwy"}
    with pytest.raises(InputError) as caught:
        check_op(conv(**changes), tensors, BASE_OP_KINDS, "conv 'c'")
    assert str(caught.value) == text


def test_elements_of_a_scalar() -> None:
    assert Tensor("s", ()).elements == 1
    assert Tensor("s", (2, 3, 4)).elements == np.zeros((2, 3, 4)).size
