"""Operands as products read them, against loops over elements; faults of side files."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from archsim.engines import GemmJobs
from archsim.errors import InputError
from archsim.formats.digits import tally
from archsim.operands import Operands, Places, Tiles
from archsim.trace import Histogram, Op, Sampled, Tensor, Trace, as_gemm, conv_output

Array = NDArray[Any]
ANY = st.integers(0, 2**32 - 1).map(np.random.default_rng)


def traced(op: Op, a: Array, b: Array, /, **data: Any) -> Trace:
    """Return the trace of one product of int8 operands, whole unless data says otherwise."""
    out = as_gemm(op)
    tensors = {
        "a": Tensor("a", a.shape, "int8", "input", data.get("a", "values_a")),
        "b": Tensor("b", b.shape, "int8", "weight", data.get("b", "values_b")),
        "c": Tensor("c", (out.groups, out.m, out.n), "int32", "output"),
    }
    return Trace("t", tensors, (op,), values={"values_a": a, "values_b": b})


@st.composite
def convolutions(draw: st.DrawFn) -> Op:
    groups, kernel = draw(st.integers(1, 3)), draw(st.tuples(*[st.integers(1, 3)] * 2))
    dilation = draw(st.tuples(*[st.integers(1, 2)] * 2))
    height, width = (
        d * (x - 1) + draw(st.integers(1, 4)) for d, x in zip(dilation, kernel, strict=True)
    )
    attrs = {
        "batch": draw(st.integers(1, 2)), "channels": groups * draw(st.integers(1, 3)),
        "height": height, "width": width, "filters": groups * draw(st.integers(1, 2)),
        "kernel": kernel, "stride": draw(st.tuples(*[st.integers(1, 3)] * 2)),
        "pad": draw(st.tuples(*[st.integers(0, 2)] * 4)), "dilation": dilation, "groups": groups,
    }  # fmt: skip
    return Op("op", "conv", ("a", "b"), ("c",), attrs)


def values(rng: np.random.Generator, *shape: int) -> Array:
    return rng.integers(-128, 128, shape).astype(np.int8)


def whole(trace: Trace, port: str) -> Array:
    """Return an operand as read: [groups, rows, columns], from tiles of different sizes."""
    op = trace.ops[0]
    g = as_gemm(op)
    known = Operands(trace).of(op, ("a", "b"))
    assert known.level == "whole"
    tiles = Tiles(known.matrices)
    m, n, k = -(-g.m // 2), -(-g.n // 3), -(-g.k // 2)
    grid = [
        (group, i, j, x)
        for group in range(g.groups)
        for i in range(0, g.m, m) for j in range(0, g.n, n) for x in range(0, g.k, k)
    ]  # fmt: skip
    group, *starts = np.array(grid).T
    limits = zip(starts, (m, n, k), (g.m, g.n, g.k), strict=True)
    ends = [np.minimum(start + size, extent) for start, size, extent in limits]
    extents = (end - start for start, end in zip(starts, ends, strict=True))
    refs = tiles.refs(Places(group, *starts), GemmJobs(*extents, group > 0))
    axes = (0, 2) if port == "a" else (2, 1)
    found = np.full((g.groups, *((g.m, g.n, g.k)[axis] for axis in axes)), 999)
    for row, ref in enumerate(refs):
        at = tuple(slice(starts[axis][row], ends[axis][row]) for axis in axes)
        found[(group[row], *at)] = tiles[ref[port]]
    assert len(tiles) == len(set(tiles)) <= 2 * len(grid)
    return found


@settings(max_examples=60, deadline=None)
@given(convolutions(), ANY)
def test_a_convolution_reads_its_windows(op: Op, rng: np.random.Generator) -> None:
    sizes = [op.int_attr(name) for name in ("batch", "channels", "height", "width")]
    g, (out_h, out_w) = as_gemm(op), conv_output(op)
    (kh, kw), (sh, sw), (dh, dw) = (op.ints_attr(x) for x in ("kernel", "stride", "dilation"))
    top, left, *_ = op.ints_attr("pad")
    a, b = values(rng, *sizes), values(rng, g.n * g.groups, g.k // (kh * kw), kh, kw)
    trace = traced(op, a, b)
    rows = np.zeros((g.groups, g.m, g.k), np.int64)
    for group, row, column in np.ndindex(rows.shape):
        image, y, x = row // (out_h * out_w), row // out_w % out_h, row % out_w
        channel, i, j = column // (kh * kw), column // kw % kh, column % kw
        at_y, at_x = y * sh - top + i * dh, x * sw - left + j * dw
        if 0 <= at_y < sizes[2] and 0 <= at_x < sizes[3]:
            rows[group, row, column] = a[image, group * g.k // (kh * kw) + channel, at_y, at_x]
    np.testing.assert_array_equal(whole(trace, "a"), rows)
    filters = b.reshape(g.groups, g.n, g.k).transpose(0, 2, 1)
    np.testing.assert_array_equal(whole(trace, "b"), filters)
    known = Operands(trace).of(op, ("a", "b"))
    np.testing.assert_array_equal(known.tallies["a"], tally(rows, 8))
    np.testing.assert_array_equal(known.tallies["b"], tally(filters, 8))


@settings(max_examples=40, deadline=None)
@given(convolutions(), ANY)
def test_counts_of_images_are_spread_evenly_and_padded(op: Op, rng: np.random.Generator) -> None:
    sizes = [op.int_attr(name) for name in ("batch", "channels", "height", "width")]
    g = as_gemm(op)
    five = np.full(sizes, 5, np.int8)
    filters = values(rng, g.n * g.groups, g.k)
    exact = Operands(traced(op, five, filters)).of(op, ("a",)).tallies["a"]
    counted = traced(op, five, filters, a=Histogram("counts"))
    counted = replace(counted, values={"counts": tally(five, 8)})
    known = Operands(counted).of(op, ("a",))
    assert known.level == "counts"
    np.testing.assert_allclose(known.tallies["a"], exact)  # each pixel is a five, or padding
    assert not known.matrices


def test_a_stack_is_read_as_it_lies_or_as_its_layout_turns_it() -> None:
    rng = np.random.default_rng(1)
    attrs = {"m": 4, "n": 6, "k": 5, "groups": 3}
    a, b = values(rng, 3, 4, 5), values(rng, 3, 5, 6)
    op = Op("op", "gemm", ("a", "b"), ("c",), attrs)
    np.testing.assert_array_equal(whole(traced(op, a, b), "a"), a)
    np.testing.assert_array_equal(whole(traced(op, a, b), "b"), b)
    # A lies as [m, groups, k]; B transposed within groups, then turned from [n, groups, k]
    layouts = {
        "a": (((4, 3, 5), (1, 0, 2)),),
        "b": (((6, 15), (1, 0)), ((3, 5, 6), (0, 1, 2))),
    }
    turned = Op("op", "gemm", ("a", "b"), ("c",), attrs, layouts=layouts)
    lying_a = np.ascontiguousarray(a.transpose(1, 0, 2))
    lying_b = np.ascontiguousarray(b.reshape(15, 6).T)
    trace = traced(turned, lying_a, lying_b)
    np.testing.assert_array_equal(whole(trace, "a"), a)
    np.testing.assert_array_equal(whole(trace, "b"), b)


GEMM = Op("op", "gemm", ("a", "b"), ("c",), {"m": 2, "n": 2, "k": 2, "groups": 1})
FOUR = np.array([[1, 0], [3, 4]], np.int8)


def test_levels_and_keys() -> None:
    def known(ports: tuple[str, ...] = ("a",), **data: Any) -> Any:
        return Operands(traced(GEMM, FOUR, FOUR, **data)).of(GEMM, ports)

    assert known().level == "whole"
    sample, nothing = known(a=Sampled("values_a", 2.0)), known(a=None)
    assert sample.level == "sample"
    np.testing.assert_array_equal(sample.tallies["a"], tally(FOUR, 8))
    assert (nothing.level, nothing.tallies, nothing.matrices) == ("assumed", {}, {})
    assert known(("a", "b"), b=None).level == "assumed"  # the worse of both
    assert set(known(("a", "b"), b=None).matrices) == {"a"}
    keys = [known().key, sample.key, nothing.key, known(("b",)).key, known(("a", "b")).key]
    assert len(set(keys)) == len(keys)
    other = Operands(traced(GEMM, FOUR + 1, FOUR)).of(GEMM, ("a",))
    assert other.key != known().key
    again = Operands(traced(GEMM, FOUR.copy(), FOUR + 1)).of(GEMM, ("a",))
    assert again.key == known().key  # b does not count


def test_what_is_no_integer_is_not_known() -> None:
    trace = traced(GEMM, FOUR, FOUR)
    tensors = {**trace.tensors, "a": Tensor("a", (2, 2), "bf16", "input", "values_a")}
    assert Operands(Trace("t", tensors, trace.ops, values=trace.values)).of(
        GEMM, ("a",)
    ).level == "assumed"  # fmt: skip


@pytest.mark.parametrize(
    ("data", "array", "text"),
    [
        ("none", FOUR, "must be in the side file, under the name 'none'"),
        ("values_a", FOUR[0], "must be 4 integers, not 2"),
        ("values_a", FOUR / 2, "must be integers, not 'float64'"),
        ("values_a", FOUR.astype(int) + 200, "must be one or more integers from -128 to 127"),
        (Sampled("values_a"), FOUR[:0], "must be one or more integers from -128 to 127"),
        (Histogram("values_a"), FOUR,
         "must be counts of 256 integers, some above zero, not [2, 2]"),
        (Histogram("values_a"), np.zeros(256, int),
         "must be counts of 256 integers, some above zero, not [256]"),
    ],
)  # fmt: skip
def test_faults_of_side_files_are_named(data: Any, array: Array, text: str) -> None:
    good = traced(GEMM, FOUR, FOUR, a=data)
    trace = Trace("t", good.tensors, good.ops, values={"values_a": array})
    with pytest.raises(InputError) as caught:
        Operands(trace).of(GEMM, ("a",))
    assert str(caught.value) == f"trace 't': values of 'a': {text}"
