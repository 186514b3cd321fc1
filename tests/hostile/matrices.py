"""Broken matrices: files of Matrix Market and patterns of traces."""

from __future__ import annotations

import gzip
import io
import json
from collections.abc import Callable
from typing import Any

import numpy as np

from tests.hostile.case import Case, Content

COORDINATE = "%%MatrixMarket matrix coordinate real general\n"
ARRAY = "%%MatrixMarket matrix array real general\n"
INTEGER = COORDINATE.replace("real", "integer")


def matrix(name: str, content: Content, suffix: str = ".mtx", model: str = "") -> Case:
    file = f"m{suffix}"
    return Case(f"matrix: {name}", ("trace", model or file), {file: content})


def bomb() -> bytes:
    """Return a small file that inflates to more than is read."""
    line = b"1 1 1\n" * (1 << 20)
    made = io.BytesIO()
    with gzip.GzipFile(fileobj=made, mode="wb", compresslevel=1) as stream:
        stream.write(COORDINATE.encode() + b"9999 9999 1\n")
        for _ in range(3):
            stream.write(line)
    return made.getvalue()


def star() -> bytes:
    """Return a small file whose square has five billion products."""
    leaves = range(2, 70_002)
    lines = "".join(f"{leaf} 1\n" for leaf in leaves)
    banner = COORDINATE.replace("real general", "pattern symmetric")
    return f"{banner}70001 70001 70000\n{lines}".encode()


def pattern(name: str, change: Callable[[dict[str, Any]], None], **op: Any) -> Case:
    """Return a trace of a square whose side file has other arrays than it should."""
    arrays: dict[str, Any] = {"A.indptr": np.array([0, 2, 3]), "A.indices": np.array([0, 1, 1])}
    change(arrays)
    archive = io.BytesIO()
    np.savez(archive, **arrays)
    data = {"entries": 3, "sparse": "A"}
    lines = (
        {"schema_version": 1, "name": "t", "operands": "t.npz"},
        {"tensor": "A", "shape": [2, 2], "dtype": "fp64", "role": "input", "data": data},
        {"tensor": "C", "shape": [2, 2], "dtype": "fp64", "role": "output", "data": {"entries": 3}},
        {
            "op": "x", "kind": "spgemm", "inputs": ["A", "A"], "outputs": ["C"],
            "attrs": {"m": 2, "n": 2, "k": 2, "products": 4, **op},
        },
    )  # fmt: skip
    text = "".join(json.dumps(line) + "\n" for line in lines)
    command = ("simulate", "spgemm_dataflow_like", "t.jsonl")
    return Case(f"pattern: {name}", command, {"t.jsonl": text, "t.npz": archive.getvalue()})


CASES = [
    matrix("empty", ""),
    matrix("no banner", "2 2 1\n1 1 1\n"),
    matrix("another object", COORDINATE.replace("matrix coord", "vector coord") + "2 2 1\n1 1 1\n"),
    matrix("a banner of four words", "%%MatrixMarket matrix coordinate real\n1 1 1\n1 1 1\n"),
    matrix("a field unknown", COORDINATE.replace("real", "quaternion") + "1 1 1\n1 1 1\n"),
    matrix("nothing but a banner", COORDINATE),
    matrix("a size line too short", COORDINATE + "2 2\n1 1 1\n"),
    matrix("a size below none", COORDINATE + "-2 2 1\n1 1 1\n"),
    matrix("no rows", COORDINATE + "0 2 0\n"),
    matrix("a size of 40 digits", COORDINATE + "1" * 40 + " 2 1\n1 1 1\n"),
    matrix("more entries than memory", COORDINATE + "4000000 4000000 9999999999999\n1 1 1\n"),
    matrix("more entries than text", COORDINATE + "4000 4000 9999999\n1 1 1\n"),
    matrix("a dense file cut short", ARRAY + "5000 5000\n1\n2\n"),
    matrix("an entry missing", COORDINATE + "2 2 3\n1 1 1.0000000\n2 2 1.0000000\n"),
    matrix("an entry too many", COORDINATE + "2 2 1\n1 1 1\n2 2 1\n"),
    matrix("row 0", COORDINATE + "2 2 1\n0 1 1\n"),
    matrix("a row beyond the last", COORDINATE + "2 2 1\n3 1 1\n"),
    matrix("a column beyond the last", COORDINATE + "2 2 1\n1 3 1\n"),
    matrix(
        "a symmetric one that is not square",
        COORDINATE.replace("general", "symmetric") + "3 2 1\n3 1 1\n",
    ),
    matrix("not a number", COORDINATE + "2 2 1\n1 1 nan\n"),
    matrix("infinity", COORDINATE + "2 2 1\n1 1 1e999\n"),
    matrix("a word", COORDINATE + "2 2 1\n1 1 one\n"),
    matrix("an integer of 20 digits", INTEGER + "2 2 1\n1 1 99999999999999999999\n"),
    matrix(
        "an unsigned integer of 64 bits",
        INTEGER.replace("integer", "unsigned-integer") + "2 2 1\n1 1 18446744073709551615\n",
    ),
    matrix("duplicates beyond 64 bits", INTEGER + "2 2 2\n1 1 9223372036854775807\n1 1 1\n"),
    matrix("a dense pattern", ARRAY.replace("real", "pattern") + "1 1\n1\n"),
    matrix("bytes", bytes(range(256))),
    matrix("not gzip", COORDINATE, ".mtx.gz"),
    matrix("gzip cut short", gzip.compress(b"x" * 1000, mtime=0)[:20], ".mtx.gz"),
    matrix("a gzip bomb", bomb, ".mtx.gz"),
    matrix("a star", star),
    matrix("not square", COORDINATE + "2 3 1\n1 1 1\n"),
    matrix("nothing to multiply", COORDINATE + "2 2 1\n1 2 1\n"),
    matrix("times one of other rows", COORDINATE + "2 3 1\n1 1 1\n", model="m.mtx@times=m.mtx"),
    matrix("times no matrix", COORDINATE + "2 2 1\n1 1 1\n", model="m.mtx@times=m.csv"),
    matrix("times what is not there", COORDINATE + "2 2 1\n1 1 1\n", model="m.mtx@times=n.mtx"),
    pattern("no array", lambda a: a.pop("A.indices")),
    pattern("a row too few", lambda a: a.update({"A.indptr": np.array([0, 3])})),
    pattern("rows that end early", lambda a: a.update({"A.indptr": np.array([0, 3, 2])})),
    pattern("rows that fall", lambda a: a.update({"A.indptr": np.array([0, 4, 3])})),
    pattern("a column beyond", lambda a: a.update({"A.indices": np.array([0, 1, 2])})),
    pattern("a column below", lambda a: a.update({"A.indices": np.array([-1, 1, 1])})),
    pattern("a column twice", lambda a: a.update({"A.indices": np.array([1, 1, 1])})),
    pattern("columns that are no integers", lambda a: a.update({"A.indices": np.ones(3)})),
    pattern("values that are too few", lambda a: a.update({"A.values": np.ones(2)})),
    pattern("values that are not finite", lambda a: a.update({"A.values": np.full(3, np.nan)})),
    pattern("products that are not its own", lambda a: None, products=5),
]
