"""Well-formed files with parts that no one meant, for every loader: refused or taken, never more.

``ARCHSIM_LENGTH=N`` draws N times as many. Atheris (`tests.fuzz.run`) changes bytes; here it is
trees, lines, cells and messages, so that what is changed is still read to its end.
"""

from __future__ import annotations

import copy
import json
import tempfile
import time
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import onnx
import pytest
import yaml
from google.protobuf.message import DecodeError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from archsim.errors import ArchsimError
from archsim.yaml_file import Document
from tests.fuzz.targets import TARGETS
from tests.traces import LENGTH

MAX_SECONDS = 10.0  # of CPU time
SCALARS = (
    None, True, False, 0, -1, 1, 2, 7, 1 << 31, 1 << 63, -(1 << 70), 10**30, 0.0, -0.5, 1e-300,
    1e300, float("inf"), float("nan"), "", "x", "mnk", "os", "1e9", "0x10", "no", "~", "a\0b",
    "\ud7ff", "x" * 3000, "../x", "/etc/passwd", "tpu_like", [], {}, [1, 2], {"kind": "systolic"},
    [[[]]], {"values": [1]},
)  # fmt: skip
RUNS = settings(
    max_examples=25 * LENGTH, deadline=None, suppress_health_check=list(HealthCheck), database=None
)


def check(name: str, data: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        start = time.process_time()
        TARGETS[name].run(data, Path(folder))
        assert time.process_time() - start < MAX_SECONDS


# ------------------------------------------------------------------------------------- trees


def places(tree: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield path
    items = tree.items() if isinstance(tree, dict) else ()
    items = enumerate(tree) if isinstance(tree, list) else items
    for key, value in items:
        yield from places(value, (*path, key))


def change(draw: Any, tree: Any) -> Any:
    """Return a tree with one place replaced, taken away, renamed, or another's value in it."""
    tree = copy.deepcopy(tree)
    known = list(places(tree))
    path = draw(st.sampled_from(known))
    how = draw(st.sampled_from(("scalar", "delete", "rename", "move")))
    if not path:
        return draw(st.sampled_from(SCALARS)) if how == "scalar" else tree
    parent, key = at(tree, path[:-1]), path[-1]
    if how == "delete":
        del parent[key]
    elif how == "rename" and isinstance(parent, dict):
        parent[draw(st.sampled_from(("", "x", "kind", "extends", "m", "values")))] = parent[key]
    elif how == "move":
        parent[key] = copy.deepcopy(at(tree, draw(st.sampled_from(known))))
    else:
        parent[key] = copy.deepcopy(draw(st.sampled_from(SCALARS)))
    return tree


def at(tree: Any, path: tuple[Any, ...]) -> Any:
    for key in path:
        tree = tree[key]
    return tree


def changed(draw: Any, tree: Any) -> Any:
    for _ in range(draw(st.integers(1, 4))):
        tree = change(draw, tree)
    return tree


@cache
def trees(name: str) -> list[Any]:
    """Return the seeds that are trees."""
    found = []
    for seed in TARGETS[name].seeds():
        try:
            found.append(Document(seed.decode("utf-8"), name).value)
        except (ArchsimError, UnicodeDecodeError):
            continue
    return found


@pytest.mark.parametrize("name", ["design", "sweep", "mapping", "plan"])
@RUNS
@given(st.data())
def test_trees(name: str, data: st.DataObject) -> None:
    tree = changed(data.draw, data.draw(st.sampled_from(trees(name))))
    text = json.dumps(tree) if name == "plan" else yaml.safe_dump(tree, allow_unicode=True)
    check(name, text.encode("utf-8", "surrogatepass"))


# ------------------------------------------------------------------------------------- lines


@cache
def traces() -> list[list[Any]]:
    found = []
    for seed in TARGETS["trace"].seeds():
        try:
            lines = [json.loads(line) for line in seed.decode("utf-8").splitlines()[:60]]
        except (ValueError, RecursionError):
            continue
        if lines:
            found.append(lines)
    return found


@RUNS
@given(st.data())
def test_traces(data: st.DataObject) -> None:
    lines = changed(data.draw, data.draw(st.sampled_from(traces())))
    lines = lines if isinstance(lines, list) else [lines]
    check("trace", "".join(json.dumps(line) + "\n" for line in lines).encode())


CELLS = st.sampled_from(
    (
        "",
        "0",
        "1",
        "-1",
        "64",
        "2147483648",
        "1e9",
        "0x10",
        "no",
        "x",
        '"',
        "\0",
        "٣",
        "name",
        "M",
        "DP",
    )
)


@RUNS
@given(st.data())
def test_tables(data: st.DataObject) -> None:
    seeds = [s.decode("utf-8", "replace") for s in TARGETS["products"].seeds()]
    rows = [line.split(",") for line in data.draw(st.sampled_from(seeds)).splitlines()[:30]]
    for _ in range(data.draw(st.integers(1, 4)) if rows else 0):
        row = rows[data.draw(st.integers(0, len(rows) - 1))]
        column = data.draw(st.integers(0, len(row)))
        row[column : column + data.draw(st.integers(0, 1))] = [data.draw(CELLS)]
    check("products", "\n".join(",".join(row) for row in rows).encode())


WORDS = st.sampled_from(
    ("", "0", "1", "-1", "5", "9", "1e999", "nan", "4294967297", "99999999999999999999", "% x", "x",
     "\0", "coordinate", "array", "real", "integer", "complex", "pattern", "general", "symmetric",
     "skew-symmetric", "hermitian")
)  # fmt: skip


@RUNS
@given(st.data())
def test_matrices(data: st.DataObject) -> None:
    seeds = [s.decode("utf-8", "replace") for s in TARGETS["matrix"].seeds() if len(s) < 4000]
    lines = [line.split() for line in data.draw(st.sampled_from(seeds)).splitlines()]
    for _ in range(data.draw(st.integers(1, 4)) if lines else 0):
        line = lines[data.draw(st.integers(0, min(len(lines) - 1, 3)))]
        at = data.draw(st.integers(0, len(line)))
        line[at : at + data.draw(st.integers(0, 2))] = [data.draw(WORDS)]
    check("matrix", "\n".join(" ".join(line) for line in lines).encode())


# ------------------------------------------------------------------------------------- messages

INTEGERS = (0, 1, -1, 2, 3, 7, 99, 1 << 31, -(1 << 31), (1 << 63) - 1, -(1 << 63))
TEXTS = ("", "x", "y", "w", "MatMul", "Conv", "Gemm", "com.nobody", "a/b", "é", "SAME_UPPER")


def messages(message: Any, depth: int = 0) -> Iterator[Any]:
    yield message
    for field, value in message.ListFields():
        if field.message_type and depth < 6:
            for inner in value if field.is_repeated else (value,):
                yield from messages(inner, depth + 1)


def upset(draw: Any, model: Any) -> None:
    """Change one field of one message of a model."""
    message = draw(st.sampled_from(list(messages(model))))
    field = draw(st.sampled_from(list(message.DESCRIPTOR.fields)))
    values: Any = {
        field.CPPTYPE_STRING: TEXTS,
        field.CPPTYPE_ENUM: field.enum_type and [v.number for v in field.enum_type.values],
        field.CPPTYPE_FLOAT: (0.0, float("nan"), 1e30), field.CPPTYPE_DOUBLE: (0.0, float("inf")),
    }.get(field.cpp_type, INTEGERS)  # fmt: skip
    if field.is_repeated:
        repeated = getattr(message, field.name)
        if len(repeated) and draw(st.booleans()):
            del repeated[draw(st.integers(0, len(repeated) - 1))]
        elif field.message_type:
            repeated.add()
            if len(repeated) > 1:
                repeated[-1].CopyFrom(repeated[draw(st.integers(0, len(repeated) - 2))])
        else:
            repeated.append(fitting(field, draw(st.sampled_from(values))))
    elif field.message_type or draw(st.integers(0, 4)) == 0:
        message.ClearField(field.name)
    else:
        setattr(message, field.name, fitting(field, draw(st.sampled_from(values))))


def fitting(field: Any, value: Any) -> Any:
    if field.type == field.TYPE_BYTES:
        return value.encode()
    if field.cpp_type in (field.CPPTYPE_INT32, field.CPPTYPE_UINT32, field.CPPTYPE_UINT64):
        return abs(value) % (1 << 31)
    return value


@cache
def models() -> list[bytes]:
    found = []
    for seed in TARGETS["onnx"].seeds():
        try:
            onnx.load_model_from_string(seed)
        except DecodeError:
            continue
        found.append(seed)
    return found


@RUNS
@given(st.data())
def test_models(data: st.DataObject) -> None:
    model = onnx.load_model_from_string(data.draw(st.sampled_from(models())))
    for _ in range(data.draw(st.integers(1, 4))):
        upset(data.draw, model)
    check("onnx", model.SerializeToString())


# ------------------------------------------------------------------------------------- bytes


@pytest.mark.parametrize("name", ["operands", "liberty", "options", "setting", "packed"])
@RUNS
@given(st.data())
def test_bytes(name: str, data: st.DataObject) -> None:
    content = bytearray(data.draw(st.sampled_from(list(TARGETS[name].seeds()))))
    for _ in range(data.draw(st.integers(1, 8))):
        start = data.draw(st.integers(0, len(content)))
        end = start + data.draw(st.sampled_from((0, 1, 2, 8)))
        content[start:end] = data.draw(st.binary(max_size=4))
    check(name, bytes(content))
