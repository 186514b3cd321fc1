"""Trace files: what is written is read back, and nothing else is believed."""

from __future__ import annotations

import io
import itertools
import json
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from archsim import arrays, trace_io
from archsim.errors import InputError
from archsim.trace import BASE_OP_KINDS, DTYPE_BITS, Op, OpKind, Sampled, Tensor, Trace
from archsim.trace_io import read_operands, read_trace, trace_lines, write_trace

names = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12)
extents = st.integers(1, 1 << 12)


@st.composite
def traces(draw: st.DrawFn) -> Trace:
    """Chains of all common kinds, with repeats, blocks, epilogues and side values."""
    kinds = st.sampled_from(["gemm", "vector", "move", "unsupported"])
    labels = draw(st.lists(names, min_size=3, max_size=10, unique=True))
    data = st.one_of(st.none(), names, st.builds(Sampled, names, st.floats(1e-6, 1e6)))
    tensors = {
        name: Tensor(
            name,
            tuple(draw(st.lists(extents, max_size=4))),
            draw(st.sampled_from(sorted(DTYPE_BITS))),
            "input" if index == 0 else "activation",
            draw(data),
        )
        for index, name in enumerate(labels)
    }
    ops = []
    for index, (before, after) in enumerate(itertools.pairwise(labels)):
        kind = draw(kinds)
        values = {"int": draw(extents), "str": draw(names)}
        attrs = {a: values[t.__name__] for a, t in BASE_OP_KINDS[kind].attrs.items()}
        ops.append(
            Op(
                f"op {index}", kind, (before, before), (after,), attrs,
                tuple(draw(st.lists(names, max_size=2))), draw(st.integers(1, 99)),
                source=draw(st.text(st.characters(exclude_categories=["Cs"]), max_size=5)),
            )
        )  # fmt: skip
    notes = tuple(draw(st.lists(names, max_size=2)))
    counts = draw(st.dictionaries(names, extents, max_size=2))
    return Trace(draw(names), tensors, tuple(ops), notes, counts, draw(names))


@settings(deadline=None)
@given(traces())
def test_round_trip(tmp_path_factory: pytest.TempPathFactory, trace: Trace) -> None:
    path = tmp_path_factory.getbasetemp() / "t.jsonl"
    write_trace(trace, path)
    assert read_trace(path) == trace
    assert len(path.read_text("utf-8").split("\n")) == 2 + len(trace.tensors) + len(trace.ops)


def test_blocks_convolutions_and_declared_kinds_round_trip(tmp_path: Path) -> None:
    kinds = {**BASE_OP_KINDS, "hash": OpKind("hash", {"rate": float, "exact": bool, "way": str})}
    attrs = {
        "batch": 1, "channels": 2, "height": 4, "width": 4, "filters": 2, "kernel": (3, 3),
        "stride": (1, 1), "pad": (1, 1, 1, 1), "dilation": (1, 1), "groups": 1,
    }  # fmt: skip
    tensors = {n: Tensor(n, (2,), role="input" if n == "a" else "activation") for n in "abc"}
    ops = (
        Op(
            "conv",
            "conv",
            ("a", "a"),
            ("b",),
            attrs,
            block="stage",
            repeat=3,
            layouts={"b": (((1, 2), (1, 0)), ((2,), (0,)))},
        ),
        Op(
            "hash",
            "hash",
            ("b",),
            ("c",),
            {"rate": 0.5, "exact": True, "way": "lru"},
            (),
            3,
            "stage",
        ),
    )
    trace = Trace("t", tensors, ops)
    write_trace(trace, tmp_path / "t.jsonl")
    assert read_trace(tmp_path / "t.jsonl", kinds) == trace
    with pytest.raises(
        InputError, match=r"t.jsonl:6: op kind must be one of conv, field, gemm, .*'hash'$"
    ):
        read_trace(tmp_path / "t.jsonl")


HEADER = '{"schema_version": 1, "name": "t"}'
X = '{"tensor": "x", "shape": [2], "role": "input"}'
Y = '{"tensor": "y", "shape": [2]}'
RELU = (
    '{"op": "r", "kind": "vector", "inputs": ["x"], "outputs": ["y"], '
    '"attrs": {"function": "relu", "work": 2}}'
)

GEMM = (
    '{"op": "p", "kind": "gemm", "inputs": ["x", "x"], "outputs": ["y"], '
    '"attrs": {"m": 1, "n": 1, "k": 2, "groups": 1}}'
)


def with_line(line: str, **changes: object) -> str:
    return json.dumps(json.loads(line) | changes)


NO_HEADER = (
    "a trace must begin with a header of schema_version 1, not None; "
    "write it anew with: archsim trace MODEL -o FILE"
)
BAD_SHAPE = "shape: must be at most 16 positive integers of product 281,474,976,710,656 or less"


@pytest.mark.parametrize(
    ("lines", "text"),
    [
        ([], f"FILE: {NO_HEADER}"),
        ([X], f"FILE:1: {NO_HEADER}"),
        (['{"schema_version": 1}'], "FILE:1: name: must be text, not None"),
        ([with_line(HEADER, name="")], "FILE:1: name: must be 1 to 1024 characters, not ''"),
        ([with_line(HEADER, colour=1)],
         ("FILE:1: a header takes schema_version, name, source, notes, unsupported, operands, "
         "not 'colour'")),
        ([with_line(HEADER, unsupported={"Loop": -1})],
         "FILE:1: unsupported: Loop: must be an integer from 1 to 281,474,976,710,656, not -1"),
        ([with_line(HEADER, notes="n")], "FILE:1: notes: must be a list of text, not 'n'"),
        ([HEADER, "{"], ("FILE:2: must be a line of JSON: Expecting property name enclosed in "
                        "double quotes at column 2")),
        ([HEADER, "[" * 100_000], "FILE:2: must be a line of JSON: nested too deep"),
        ([HEADER, "[1]"], "FILE:2: must be a JSON object, not [1]"),
        ([HEADER, '{"tensor": "x", "tensor": "y"}'],
         "FILE:2: must be a line of JSON: a key stands twice"),
        ([HEADER, '{"tensor": NaN}'], "FILE:2: must be a line of JSON: NaN is not a JSON number"),
        ([HEADER, X, X], "FILE:3: every tensor must have its own name, not 'x'"),
        ([HEADER, X, Y, RELU, Y.replace('"y"', '"z"')],
         "FILE:5: tensors must stand before the first op, not {'tensor': 'z', 'shape': [2]}"),
        ([HEADER, with_line(X, shape=[2, 0])], f"FILE:2: {BAD_SHAPE}, not [2, 0]"),
        ([HEADER, with_line(X, shape=[1 << 40, 1 << 40])],
         f"FILE:2: {BAD_SHAPE}, not [1099511627776, 1099511627776]"),
        ([HEADER, with_line(X, shape=[True])], f"FILE:2: {BAD_SHAPE}, not [True]"),
        ([HEADER, with_line(X, dtype="int7")],
         f"FILE:2: dtype: must be one of {', '.join(DTYPE_BITS)}, not 'int7'"),
        ([HEADER, with_line(X, role="king")],
         "FILE:2: role: must be input, weight, activation or output, not 'king'"),
        ([HEADER, with_line(X, data=5)],
         "FILE:2: data: must be a name, ref and scale, histogram, entries or kept weights, not 5"),
        ([HEADER, with_line(X, data={"ref": "r", "scale": -1.0})],
         "FILE:2: data: scale: must be a positive number, not -1.0"),
        ([HEADER, X, Y, with_line(RELU, repeat=0)],
         "FILE:4: repeat: must be an integer from 1 to 281,474,976,710,656, not 0"),
        ([HEADER, X, Y, with_line(RELU, inputs=["y"])],
         "FILE:4: ops must read inputs, weights or what ops above wrote, not 'y'"),
        ([HEADER, X, Y, with_line(RELU, inputs="x")],
         "FILE:4: inputs: must be a list of text, not 'x'"),
        ([HEADER, X, Y, with_line(RELU, attrs={"function": "relu", "work": 1 << 60})],
         "FILE:4: attrs.work: must be at most 281,474,976,710,656, not 1152921504606846976"),
        ([HEADER, X, Y, with_line(RELU, attrs={"function": ["a"], "work": 1})],
         "FILE:4: function: must be a text, not ('a',)"),
        ([HEADER, X, Y, with_line(RELU, colour=1)],
         ("FILE:4: an op takes op, kind, inputs, outputs, attrs, epilogue, repeat, block, source, "
         "layouts, not 'colour'")),
        ([HEADER, X, Y, with_line(RELU, layouts={"a": [[[2], [0]]]})],
         "FILE:4: layouts: a: must be of operand a or b of a product, not 'vector'"),
        ([HEADER, X, Y, with_line(GEMM, layouts={"c": [[[2], [0]]]})],
         "FILE:4: layouts: c: must be of operand a or b of a product, not 'gemm'"),
        ([HEADER, X, Y, with_line(GEMM, layouts={"a": []})],
         "FILE:4: layouts.a: must be a list of 1 to 16 turns, not []"),
        ([HEADER, X, Y, with_line(GEMM, layouts={"a": [[[2]]]})],
         "FILE:4: layouts.a: a turn must be a shape and an order of its axes, not [[2]]"),
        ([HEADER, X, Y, with_line(GEMM, layouts={"a": [[[2], [-1]]]})],
         "FILE:4: layouts.a: a turn must be a shape and an order of its axes, not [[2], [-1]]"),
        ([HEADER, X, Y, with_line(GEMM, layouts={"b": [[[1, 2], [1, 1]]]})],
         ("FILE:4: layouts: b: must be shapes of 2 elements, each with an order of its axes, "
         "not ((1, 2), (1, 1))")),
    ],
)  # fmt: skip
def test_faults_are_named_with_their_line(tmp_path: Path, lines: list[str], text: str) -> None:
    path = tmp_path / "t.jsonl"
    path.write_text("\n".join(lines))
    with pytest.raises(InputError) as caught:
        read_trace(path)
    assert str(caught.value).replace(str(path), "FILE") == text


def test_bytes_that_are_no_text_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    path.write_bytes(HEADER.encode() + b"\n\xff\xfe\n")
    with pytest.raises(InputError, match=r"t.jsonl:2: must be a line of JSON: 'utf-8' codec"):
        read_trace(path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"none.jsonl: must be a readable file: No such file"):
        read_trace(tmp_path / "none.jsonl")


def test_sizes_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "t.jsonl"
    path.write_text("\n".join([HEADER, X, Y, RELU]))
    for name, bound, text in (
        ("MAX_FILE_BYTES", 100, r"t.jsonl: must be at most 100 bytes, not \d+$"),
        ("MAX_LINE_BYTES", 60, r"t.jsonl:4: a line must be at most 60 bytes$"),
        ("MAX_LINES", 3, r"t.jsonl: must be at most 3 lines$"),
    ):
        with monkeypatch.context() as patch, pytest.raises(InputError, match=text):
            patch.setattr(trace_io, name, bound)
            read_trace(path)
    assert len(read_trace(path).ops) == 1


# ---------------------------------------------------------------------------------------- operands

SMALL = Trace("t", {"x": Tensor("x", (2, 3), role="input", data="x")}, ())


def test_operands_lie_beside_the_trace(tmp_path: Path) -> None:
    x = np.arange(6, dtype=np.int8).reshape(2, 3)
    write_trace(SMALL, tmp_path / "t.jsonl", {"x": x})
    assert read_trace(tmp_path / "t.jsonl") == SMALL
    operands = read_operands(tmp_path / "t.jsonl")
    assert list(operands) == ["x"]
    np.testing.assert_array_equal(operands["x"], x)


def test_a_trace_without_operands_has_none(tmp_path: Path) -> None:
    write_trace(SMALL, tmp_path / "t.jsonl")
    assert read_operands(tmp_path / "t.jsonl") == {}


def written(folder: Path, side: str) -> Path:
    lines = list(trace_lines(SMALL, side))
    (folder / "t.jsonl").write_text("\n".join(lines))
    return folder / "t.jsonl"


@pytest.mark.parametrize(
    "side", ["../t.npz", "/etc/t.npz", "sub/t.npz", "t.pkl", "..", "a\x00.npz"]
)
def test_operands_may_not_lie_elsewhere(tmp_path: Path, side: str) -> None:
    with pytest.raises(InputError) as caught:
        read_operands(written(tmp_path, side))
    assert str(caught.value).startswith(str(tmp_path))


def test_operands_may_not_be_a_link_elsewhere(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    np.savez(tmp_path / "out.npz", x=np.zeros(3))
    (tmp_path / "in" / "t.npz").symlink_to(tmp_path / "out.npz")
    with pytest.raises(InputError, match=r"must not be a link out of the folder, not 't.npz'"):
        read_operands(written(tmp_path / "in", "t.npz"))


def test_pickles_are_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "t.npz", x=np.array([{}], dtype=object))
    with pytest.raises(InputError, match=r"must be an .npz file of plain arrays: Object arrays"):
        read_operands(written(tmp_path, "t.npz"))


def test_arrays_that_claim_more_than_they_hold_are_refused(tmp_path: Path) -> None:
    header = io.BytesIO()
    descr = {"descr": "<f8", "fortran_order": False, "shape": (1 << 40,)}
    np.lib.format.write_array_header_1_0(header, descr)
    with zipfile.ZipFile(tmp_path / "t.npz", "w") as archive:
        archive.writestr("x.npy", header.getvalue() + bytes(64))
    with pytest.raises(InputError, match=r"t.npz: x.npy: must hold all of, not \(1099511627776,\)"):
        read_operands(written(tmp_path, "t.npz"))


def test_archives_that_unpack_to_too_much_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    np.savez_compressed(tmp_path / "t.npz", x=np.zeros(1 << 16))
    monkeypatch.setattr(arrays, "MAX_OPERAND_BYTES", 1 << 16)
    with pytest.raises(InputError, match="must unpack to at most 65,536 bytes"):
        read_operands(written(tmp_path, "t.npz"))


def test_a_broken_archive_is_refused(tmp_path: Path) -> None:
    (tmp_path / "t.npz").write_bytes(b"PK\x03\x04 not a zip")
    with pytest.raises(
        InputError, match=r"must be an .npz file of plain arrays: File is not a zip"
    ):
        read_operands(written(tmp_path, "t.npz"))


@settings(deadline=None)
@given(st.integers(0, 10_000), st.binary(max_size=4), st.integers(0, 8))
def test_damaged_files_are_refused_or_read(
    tmp_path_factory: pytest.TempPathFactory, at: int, new: bytes, dropped: int
) -> None:
    content = "\n".join([HEADER, X, Y, RELU]).encode()
    at %= len(content)
    path = tmp_path_factory.getbasetemp() / "damaged.jsonl"
    path.write_bytes(content[:at] + new + content[at + dropped :])
    try:
        trace = read_trace(path)
    except InputError as fault:
        assert str(fault).startswith(str(path))
    else:
        assert len(trace.ops) <= 1
