"""Broken ONNX models: cut off, cyclic, gigantic, reaching out of their folder."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from onnx import AttributeProto, TensorProto, helper

from tests.frontends.graphs import graph, node
from tests.hostile.case import Case, Content

W = np.zeros((4, 4), np.float32)
TYPICAL = {"x": (1, 4)}


def onnx(name: str, content: Content, spec: str = "m.onnx", exit_code: int = 2) -> Case:
    return Case(f"onnx: {name}", ("trace", spec), {"m.onnx": content}, exit_code)


def made(build: Callable[[], Any]) -> Callable[[], bytes]:
    return lambda: build().SerializeToString()


def linear(**more: Any) -> Any:
    return graph([node("MatMul", ["x", "w"], ["y"])], TYPICAL, {"w": W}, **more)


def outside(**entries: str) -> Callable[[], bytes]:
    """Return a model whose weight lies in another file."""

    def build() -> Any:
        model = linear()
        tensor = model.graph.initializer[0]
        tensor.ClearField("raw_data")
        tensor.data_location = TensorProto.EXTERNAL
        for key, value in entries.items():
            entry = tensor.external_data.add()
            entry.key, entry.value = key, value
        return model

    return made(build)


def with_constant(change: Callable[[Any], None]) -> Callable[[], bytes]:
    def build() -> Any:
        model = linear()
        change(model.graph.initializer[0])
        return model

    return made(build)


def dims(*extents: int) -> Callable[[Any], None]:
    def change(tensor: Any) -> None:
        del tensor.dims[:]
        tensor.dims.extend(extents)

    return change


def negative_input() -> Any:
    model = linear()
    model.graph.input[0].type.tensor_type.shape.dim[1].dim_value = -4
    return model


def nameless() -> Any:
    model = linear()
    del model.opset_import[:]
    return model


def sparse() -> Any:
    model = linear()
    model.graph.sparse_initializer.add()
    return model


def recursive() -> Any:
    model = graph([node("F", ["x"], ["y"], domain="here")], TYPICAL, domains={"here": 1})
    body = [helper.make_node("F", ["a"], ["b"], domain="here")]
    opsets = [helper.make_opsetid("", 21), helper.make_opsetid("here", 1)]
    model.functions.append(helper.make_function("here", "F", ["a"], ["b"], body, opsets))
    return model


def mumbling() -> bytes:
    """Return a function whose operator has a name in no alphabet."""
    model = graph([node("F", ["x"], ["y"], domain="here")], TYPICAL, domains={"here": 1})
    body = [helper.make_node("NoText", ["a"], ["b"])]
    opsets = [helper.make_opsetid("", 21)]
    model.functions.append(helper.make_function("here", "F", ["a"], ["b"], body, opsets))
    data: bytes = model.SerializeToString()
    return data.replace(b"NoText", b"\xff\xfe\xff\xfe\xff\xfe")


def deep() -> Any:
    """Return branches inside branches, 200 deep."""
    inner = helper.make_graph([node("Identity", ["x"], ["z"])], "g", [], [])
    for _ in range(200):
        branch = node("If", ["c"], ["z"], then_branch=inner, else_branch=inner)
        inner = helper.make_graph([branch], "g", [], [])
        if inner.ByteSize() > 1 << 20:
            break
    return graph([*inner.node], {**TYPICAL, "c": ()}, types={"c": TensorProto.BOOL})


def referring() -> Any:
    """Return an attribute that refers to a function's, outside of one."""
    model = linear()
    model.graph.node[0].attribute.append(
        AttributeProto(name="a", ref_attr_name="b", type=AttributeProto.INT)
    )
    return model


def untyped() -> Any:
    """Return a weight of no type in another file."""
    model = linear()
    tensor = model.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location, tensor.data_type = TensorProto.EXTERNAL, 0
    entry = tensor.external_data.add()
    entry.key, entry.value = "location", "m.onnx"
    return model


def versioned() -> Any:
    model = linear()
    model.ir_version = 1 << 60
    return model


def dangling() -> Any:
    model = linear()
    model.graph.node[0].attribute.append(AttributeProto(name="a", type=AttributeProto.GRAPH))
    return model


CASES = [
    onnx("empty", b""),
    onnx("text", "this is no model\n"),
    onnx("zeros", b"\0" * 4096),
    onnx("random", lambda: np.random.default_rng(1).bytes(65536)),
    onnx("cut off", lambda: linear().SerializeToString()[:-40]),
    onnx("half", lambda: linear().SerializeToString()[:30]),
    onnx("a length that lies", b"\x08\x08\x3a\xff\xff\xff\xff\x07abc"),
    onnx("no opset", made(nameless)),
    onnx("no nodes", made(lambda: graph([], TYPICAL, {"w": W}, outputs=["x"]))),
    onnx("an unknown operator", made(lambda: graph([node("Conjure", ["x"], ["y"])], TYPICAL))),
    onnx("an opset of the future", made(lambda: linear(opset=9999))),
    onnx("an unknown domain", made(lambda: graph(
        [node("F", ["x"], ["y"], domain="com.nobody")], TYPICAL, domains={"com.nobody": 1}
    ))),
    onnx("a cycle", made(lambda: graph(
        [node("Add", ["x", "b"], ["a"]), node("Relu", ["a"], ["b"])], TYPICAL
    ))),
    onnx("an operator of itself", made(lambda: graph([node("Add", ["x", "y"], ["y"])], TYPICAL))),
    onnx("an input that nobody makes", made(lambda: graph(
        [node("MatMul", ["x", "nobody"], ["y"])], TYPICAL
    ))),
    onnx("a value made twice", made(lambda: graph(
        [node("Relu", ["x"], ["y"]), node("Abs", ["x"], ["y"])], TYPICAL
    ))),
    onnx("shapes that do not fit", made(lambda: graph(
        [node("MatMul", ["x", "w"], ["y"])], {"x": (1, 5)}, {"w": W}
    ))),
    onnx("a negative input", made(negative_input)),
    onnx("a gigantic input", made(lambda: graph(
        [node("Relu", ["x"], ["y"])], {"x": (1 << 40, 1 << 20)}
    ))),
    onnx("twenty dimensions", made(lambda: graph([node("Relu", ["x"], ["y"])], {"x": (1,) * 20}))),
    onnx("an open dimension", made(lambda: graph([node("Relu", ["x"], ["y"])], {"x": (1, "len")}))),
    onnx("an open dimension of none", made(lambda: graph(
        [node("Relu", ["x"], ["y"])], {"x": (1, "len")}
    )), "m.onnx@len=0"),
    onnx("a constant below none", with_constant(dims(-4, 4))),
    onnx("a gigantic constant", with_constant(dims(1 << 40, 1 << 40))),
    onnx("a constant larger than its bytes", with_constant(dims(5, 4))),
    onnx("a constant of no type", with_constant(lambda t: setattr(t, "data_type", 99))),
    onnx("a sparse constant", made(sparse)),
    onnx("a convolution by a stride of none", made(lambda: graph(
        [node("Conv", ["x", "w"], ["y"], strides=[0, 0])], {"x": (1, 1, 8, 8)},
        {"w": np.zeros((1, 1, 3, 3), np.float32)},
    ))),
    onnx("a convolution by a stride below none", made(lambda: graph(
        [node("Conv", ["x", "w"], ["y"], strides=[-1, 1])], {"x": (1, 1, 8, 8)},
        {"w": np.zeros((1, 1, 3, 3), np.float32)},
    ))),
    onnx("a convolution padded without end", made(lambda: graph(
        [node("Conv", ["x", "w"], ["y"], pads=[1 << 40] * 4)], {"x": (1, 1, 8, 8)},
        {"w": np.zeros((1, 1, 3, 3), np.float32)},
    ))),
    onnx("a convolution in groups that do not fit", made(lambda: graph(
        [node("Conv", ["x", "w"], ["y"], group=7)], {"x": (1, 4, 8, 8)},
        {"w": np.zeros((4, 4, 3, 3), np.float32)},
    ))),
    onnx("a shape as data, gigantic", made(lambda: graph(
        [node("Expand", ["x", "s"], ["y"])], TYPICAL, {"s": np.array([1 << 40, 1 << 20, 4])}
    ))),
    onnx("a reshape that does not fit", made(lambda: graph(
        [node("Reshape", ["x", "s"], ["y"])], TYPICAL, {"s": np.array([3, -1])}
    ))),
    onnx("a loop without end", made(lambda: graph([
        node("Range", ["a", "b", "c"], ["r"]), node("MatMul", ["x", "w"], ["y"])
    ], TYPICAL, {
        "a": np.array(0), "b": np.array(1 << 50), "c": np.array(1), "w": W
    }, outputs=["r", "y"]))),
    onnx("a function of itself", made(recursive)),
    onnx("a function of bytes that are no text", mumbling),
    onnx("branches 200 deep", made(deep)),
    onnx("an attribute without its graph", made(dangling)),
    onnx("an attribute that refers to nothing", made(referring)),
    onnx("a version without measure", made(versioned)),
    onnx("weights of no type in another file", made(untyped)),
    onnx("weights in the parent folder", outside(location="../w.bin")),
    onnx("weights at an absolute path", outside(location="/etc/passwd")),
    onnx("weights without a place", outside()),
    onnx("weights that are not there", outside(location="w.bin")),
    onnx("weights in a folder", outside(location=".")),
    onnx("weights with a NUL in their place", outside(location="w\0.bin")),
    onnx("weights beyond the end", outside(location="m.onnx", offset="1000000")),
    onnx("weights before the beginning", outside(location="m.onnx", offset="-5")),
    onnx("weights at no number", outside(location="m.onnx", offset="0x10")),
    Case(
        "onnx: weights behind a link", ("trace", "m.onnx"),
        {"m.onnx": outside(location="w.bin")},
        prepare=lambda folder: (folder / "w.bin").symlink_to("/etc/passwd"),
    ),
    Case(
        "onnx: a link to itself", ("trace", "m.onnx"),
        prepare=lambda folder: (folder / "m.onnx").symlink_to("m.onnx"),
    ),
    Case("onnx: a device", ("trace", "m.onnx"),
         prepare=lambda folder: (folder / "m.onnx").symlink_to("/dev/zero")),
]  # fmt: skip
