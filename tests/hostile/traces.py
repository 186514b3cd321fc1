"""Broken traces, and side files that are bombs, pickles or lies."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from tests.hostile.case import Case, Content

HEAD = {"schema_version": 1, "name": "t"}
A = {"tensor": "a", "shape": [4, 4], "role": "input"}
B = {"tensor": "b", "shape": [4, 4], "role": "weight"}
C = {"tensor": "c", "shape": [4, 4], "role": "output"}
OP = {
    "op": "p", "kind": "gemm", "inputs": ["a", "b"], "outputs": ["c"],
    "attrs": {"m": 4, "n": 4, "k": 4, "groups": 1},
}  # fmt: skip


def lines(*values: Any) -> str:
    return "".join((v if isinstance(v, str) else json.dumps(v)) + "\n" for v in values)


def trace(name: str, content: Content, exit_code: int = 2) -> Case:
    command = ("simulate", "tpu_like", "t.jsonl")
    return Case(f"trace: {name}", command, {"t.jsonl": content}, exit_code)


def changed(line: dict[str, Any], **fields: Any) -> dict[str, Any]:
    """Return a line with other fields; None takes one away."""
    return {k: v for k, v in {**line, **fields}.items() if v is not None}


def op(name: str, **fields: Any) -> Case:
    return trace(name, lines(HEAD, A, B, C, changed(OP, **fields)))


def tensor(name: str, **fields: Any) -> Case:
    return trace(name, lines(HEAD, changed(A, **fields), B, C, OP))


def operands(
    name: str, content: Content, side: str = "t.npz", prepare: Callable[[Path], None] | None = None
) -> Case:
    """Return a side file, read as what needs operand values reads it."""
    head = changed(HEAD, operands=side)
    files: dict[str, Content] = {"t.jsonl": lines(head, A, B, C, OP)}
    if content:
        files["t.npz"] = content
    return Case(f"operands: {name}", ("operands", "t.jsonl"), files, prepare=prepare)


def archive(*members: tuple[str, bytes], compressed: bool = False) -> bytes:
    buffer = io.BytesIO()
    kind = zipfile.ZIP_DEFLATED if compressed else zipfile.ZIP_STORED
    with zipfile.ZipFile(buffer, "w", kind) as file:
        for name, content in members:
            file.writestr(name, content)
    return buffer.getvalue()


def array(value: Any, *, pickled: bool = False) -> bytes:
    buffer = io.BytesIO()
    np.lib.format.write_array(buffer, np.asarray(value), allow_pickle=pickled)
    return buffer.getvalue()


def header(shape: tuple[int, ...], descr: str = "<f4", body: bytes = b"") -> bytes:
    buffer = io.BytesIO()
    fields = {"descr": descr, "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(buffer, fields)
    return buffer.getvalue() + body


def bomb() -> bytes:
    """Return a small archive whose directory promises four gigabytes."""
    content = archive(("a.npy", header((1 << 29,), "<f8") + bytes(1 << 16)), compressed=True)
    entry = content.rindex(b"PK\x01\x02")
    return content[: entry + 24] + (0xFFFFFFFE).to_bytes(4, "little") + content[entry + 28 :]


CASES = [
    trace("empty", ""),
    trace("blank", "\n\n  \n"),
    trace("not JSON", "this is no trace\n"),
    trace("a list", "[1, 2]\n"),
    trace("not UTF-8", b"\xff\xfe\x00\n"),
    trace("a mark before it", b"\xef\xbb\xbf" + lines(HEAD, A, B, C, OP).encode()),
    trace("no header", lines(A, B, C, OP)),
    trace("a version of the future", lines(changed(HEAD, schema_version=99), A, B, C, OP)),
    trace("a version as text", lines(changed(HEAD, schema_version="1"), A, B, C, OP)),
    trace("an unknown key in its header", lines(changed(HEAD, magic=1), A, B, C, OP)),
    trace("a key twice", lines(HEAD, '{"tensor": "a", "tensor": "b", "shape": [1]}')),
    trace("NaN", lines(HEAD, '{"tensor": "a", "shape": [NaN]}')),
    trace("Infinity", lines(HEAD, '{"tensor": "a", "shape": [Infinity]}')),
    trace("a number of 5,000 digits", lines(HEAD, '{"tensor": "a", "shape": [%s]}' % ("9" * 5000))),
    trace("nested 100,000 deep", lines(HEAD, "[" * 100_000)),
    trace("a line of two megabytes", lambda: lines(HEAD, '"' + "x" * (2 << 20) + '"').encode()),
    trace("a lone surrogate", lines(HEAD, changed(A, tensor="\ud800"), B, C, OP)),
    op("half a character as its name", op="\udcff"),
    tensor("a shape of none", shape=[0, 4]),
    tensor("a shape below none", shape=[-4, 4]),
    tensor("a shape of fractions", shape=[4.5, 4]),
    tensor("a shape of truths", shape=[True, 4]),
    tensor("a shape of words", shape=["4", 4]),
    tensor("a shape as a number", shape=16),
    tensor("a shape without measure", shape=[1 << 40, 1 << 40]),
    tensor("thirty dimensions", shape=[1] * 30),
    tensor("an unknown dtype", dtype="int3"),
    tensor("an unknown role", role="king"),
    tensor("a name of none", tensor=""),
    tensor("a name of 5,000 letters", tensor="a" * 5000),
    tensor("a name of another kind", tensor=["a"]),
    tensor("data of another kind", data=3),
    tensor("a sample of none", data={"ref": "a", "scale": 0.0}),
    trace("a tensor twice", lines(HEAD, A, A, B, C, OP)),
    trace("a tensor behind an op", lines(HEAD, A, B, C, OP, changed(A, tensor="z"))),
    trace("an op twice", lines(HEAD, A, B, C, OP, OP)),
    op("an unknown kind", kind="magic"),
    op("an input that nobody has", inputs=["a", "nobody"]),
    op("an output that nobody has", outputs=["nobody"]),
    op("its own input", inputs=["c", "b"]),
    op("inputs as text", inputs="ab"),
    op("no inputs", inputs=None),
    op("an extent missing", attrs={"m": 4, "n": 4, "groups": 1}),
    op("an extent as text", attrs={"m": "4", "n": 4, "k": 4, "groups": 1}),
    op("an extent of none", attrs={"m": 0, "n": 4, "k": 4, "groups": 1}),
    op("an extent without measure", attrs={"m": 1 << 60, "n": 4, "k": 4, "groups": 1}),
    op("attributes as a list", attrs=[1]),
    op("a repeat of none", repeat=0),
    op("a repeat below none", repeat=-1),
    op("a repeat as text", repeat="12"),
    op("a repeat without measure", repeat=1 << 60),
    op("an unknown key", colour="red"),
    op("an epilogue of numbers", epilogue=[1]),
    trace("a forward reference", lines(
        HEAD, A, B, changed(C, role="activation"), changed(C, tensor="d"),
        changed(OP, op="q", inputs=["c", "b"], outputs=["d"]), OP,
    )),
    trace("two ops that make one tensor", lines(HEAD, A, B, C, OP, changed(OP, op="q"))),
    trace("a block in pieces", lines(
        HEAD, A, B, changed(C, role="activation"), changed(C, tensor="d"), changed(C, tensor="e"),
        changed(OP, block="x", repeat=3),
        changed(OP, op="q", inputs=["a", "b"], outputs=["d"]),
        changed(OP, op="r", inputs=["a", "b"], outputs=["e"], block="x", repeat=4),
    )),
    Case("trace: is a folder", ("simulate", "tpu_like", "t.jsonl"),
         prepare=lambda folder: (folder / "t.jsonl").mkdir()),
    Case("trace: 300 megabytes", ("simulate", "tpu_like", "t.jsonl"),
         prepare=lambda folder: _sparse(folder / "t.jsonl", 300 << 20)),
    operands("not there", b""),
    operands("in the parent folder", b"", "../t.npz"),
    operands("at an absolute path", b"", "/etc/passwd.npz"),
    operands("of another kind", b"x", "t.pkl"),
    operands("not an archive", b"this is no archive"),
    operands("cut off", lambda: archive(("a.npy", array([1, 2, 3])))[:-30]),
    operands("a pickle", lambda: archive(("a.npy", array(np.array([{}], object), pickled=True)))),
    operands("no array in it", lambda: archive(("a.npy", b"hello"))),
    operands("text beside its arrays", lambda: archive(("a.txt", b"hello"))),
    operands("an array larger than its bytes", lambda: archive(("a.npy", header((1 << 40,))))),
    operands("an array below none", lambda: archive(("a.npy", header((-4,), body=b"1234")))),
    operands("an array of 5,000 dimensions", lambda: archive(("a.npy", header((1,) * 5000)))),
    operands("a header that lies", lambda: archive(
        ("a.npy", b"\x93NUMPY\x01\x00\xff\xffnot as long")
    )),
    operands("a format of the future", lambda: archive(("a.npy", b"\x93NUMPY\x09\x00abc"))),
    operands("a bomb", bomb),
    operands("a link out of its folder", b"", prepare=lambda folder: (
        (folder / "t.npz").symlink_to("/etc/passwd")
    )),
]  # fmt: skip


def _sparse(path: Path, size: int) -> None:
    with path.open("wb") as file:
        file.truncate(size)
