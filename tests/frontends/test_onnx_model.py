"""ONNX files that nobody vouches for: open dimensions, external data, damage, size."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper

from archsim.errors import InputError
from archsim.frontends import load
from archsim.frontends.onnx import model as model_module
from archsim.trace import Trace, as_gemm
from tests.frontends.graphs import graph, node, noise, trace_of


def message(proto: Any, folder: Path, **options: str | int) -> str:
    """Return the fault of a refused model, its file shortened."""
    with pytest.raises(InputError) as caught:
        trace_of(proto, folder, **options)
    return str(caught.value).replace(str(folder / "model.onnx"), "FILE")


RELU = [node("Relu", ["x"], ["y"], name="act")]

# ---------------------------------------------------------------------------------------- sizes


def shape_of(trace: Trace, name: str = "x") -> tuple[int, ...]:
    return trace.tensors[name].shape


def test_open_dimensions_take_sizes_by_name_or_axis(tmp_path: Path) -> None:
    model = graph(RELU, {"x": ["N", 3, "height", None]})
    trace = trace_of(model, tmp_path, **{"height": 5, "x.3": 7})
    assert shape_of(trace) == (1, 3, 5, 7)
    assert "x [1, 3, 5, 7]" in trace.source
    assert shape_of(trace_of(model, tmp_path, batch=4, **{"x.2": 5, "x.3": 7})) == (4, 3, 5, 7)
    assert shape_of(trace_of(model, tmp_path, N=6, **{"x.2": 5, "x.3": 7})) == (6, 3, 5, 7)


def test_open_dimensions_take_sizes_from_the_text(tmp_path: Path) -> None:
    trace_of(graph(RELU, {"x": [2, 3]}), tmp_path)
    (tmp_path / "m.onnx").write_bytes(graph(RELU, {"x": ["batch", "sequence"]}).SerializeToString())
    assert shape_of(load(f"{tmp_path / 'm.onnx'}@batch=2,sequence=9")) == (2, 9)


def test_one_name_is_one_size(tmp_path: Path) -> None:
    nodes = [node("Add", ["x", "z"], ["y"])]
    model = graph(nodes, {"x": ["b", "length"], "z": ["b", "length"]})
    assert shape_of(trace_of(model, tmp_path, length=3), "z") == (1, 3)


def test_open_dimensions_without_a_size_are_named(tmp_path: Path) -> None:
    model = graph([node("Add", ["x", "z"], ["y"])], {"x": ["b", "rows", None], "z": ["b", 1, "?"]})
    assert message(model, tmp_path) == (
        "FILE: inputs: sizes must be given for open dimensions: rows (axis 1 of x), x.2 (axis 2 of "
        "x), z.2 (axis 2 of z); say FILE@rows=SIZE,x.2=SIZE,z.2=SIZE"
    )


def test_a_vector_of_open_length_is_no_batch(tmp_path: Path) -> None:
    assert "length (axis 0 of x)" in message(graph(RELU, {"x": ["length"]}), tmp_path)


def test_sizes_that_the_model_has_not_are_refused(tmp_path: Path) -> None:
    model = graph(RELU, {"x": [1, 3]})
    assert message(model, tmp_path, batch=2) == "FILE: options: must be of dtype, not 'batch'"
    model = graph(RELU, {"x": ["b", 3]})
    assert message(model, tmp_path, bach=2) == (
        "FILE: options: must be of dtype, batch, not 'bach'; did you mean batch?"
    )


def test_sizes_are_bounded(tmp_path: Path) -> None:
    model = graph(RELU, {"x": ["b", "h", "w", "c"]})
    text = message(model, tmp_path, h=1 << 20, w=1 << 20, c=1 << 20)
    assert text == "FILE: input 'x': must be of sane size, not [1, 1048576, 1048576, 1048576]"


# ---------------------------------------------------------------------------------------- files


def external(name: str, location: str, *dims: int, **more: str) -> Any:
    """Return a float constant whose values lie in a file."""
    tensor = TensorProto(name=name, data_type=TensorProto.FLOAT, dims=dims)
    tensor.data_location = TensorProto.EXTERNAL
    for key, value in {"location": location, **more}.items():
        tensor.external_data.add(key=key, value=value)
    return tensor


def with_external(*tensors: Any) -> Any:
    model = graph([node("MatMul", ["x", tensors[0].name], ["y"])], {"x": [4, tensors[0].dims[0]]})
    model.graph.initializer.extend(tensors)
    return model


def test_weights_outside_the_file_are_not_read(tmp_path: Path) -> None:
    model = with_external(external("w", "weights.bin", 3000, 500))
    trace = trace_of(model, tmp_path)
    assert not (tmp_path / "weights.bin").exists()
    assert trace.weight_bytes() == 1_500_000


@pytest.mark.parametrize(
    "location", ["../weights.bin", "/etc/passwd", "sub/../../weights.bin", "", "a\x00b", "link"]
)
def test_weights_outside_the_folder_are_refused(tmp_path: Path, location: str) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    (tmp_path / "weights.bin").write_bytes(bytes(64))
    (folder / "link").symlink_to(tmp_path / "weights.bin")
    text = message(with_external(external("w", location, 4, 4)), folder)
    expected = "must name a file" if "\x00" in location else "must lie in the model's folder"
    assert text == f"FILE: external data of 'w': {expected}, not {location!r}"


def test_small_constants_outside_the_file_are_read(tmp_path: Path) -> None:
    """A shape may hang on them."""
    target = TensorProto(name="s", data_type=TensorProto.INT64, dims=[2])
    target.data_location = TensorProto.EXTERNAL
    for key, value in {"location": "sub/small.bin", "offset": "8", "length": "16"}.items():
        target.external_data.add(key=key, value=value)
    model = graph(
        [node("Reshape", ["x", "s"], ["r"]), node("MatMul", ["r", "w"], ["y"])],
        {"x": [4, 6]},
        {"w": noise(3, 5)},
    )
    model.graph.initializer.append(target)
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "small.bin").write_bytes(np.array([9, 8, 3], np.int64).tobytes())
    assert as_gemm(trace_of(model, tmp_path).ops[0]).m == 8
    (tmp_path / "sub" / "small.bin").write_bytes(bytes(10))
    assert message(model, tmp_path) == (
        "FILE: external data of 's': must hold 16 bytes at offset 8, not 2"
    )
    (tmp_path / "sub" / "small.bin").unlink()
    assert message(model, tmp_path).startswith("FILE: external data of 's': must be readable: ")


def test_constants_of_absurd_size_are_refused(tmp_path: Path) -> None:
    model = with_external(external("w", "w.bin", 1 << 30, 1 << 30))
    assert message(model, tmp_path) == (
        "FILE: constant 'w': must have at most 16 dimensions and 17,592,186,044,416 elements, "
        "not (1073741824, 1073741824)"
    )


def test_constants_that_lack_their_values_are_refused(tmp_path: Path) -> None:
    model = graph(RELU, {"x": [2]})
    model.graph.initializer.append(TensorProto(name="c", data_type=TensorProto.FLOAT, dims=[9]))
    assert message(model, tmp_path).startswith("FILE: constant 'c': must be whole: ")


def test_what_is_no_model_is_refused(tmp_path: Path) -> None:
    for content, text in (
        (b"\xff" * 40, "must be an ONNX model in protobuf form"),
        (b"", "must be an ONNX model with nodes and an opset"),
    ):
        (tmp_path / "m.onnx").write_bytes(content)
        with pytest.raises(InputError, match=text):
            load(tmp_path / "m.onnx")
    with pytest.raises(InputError, match=r"none.onnx: must be a readable file: No such file"):
        load(tmp_path / "none.onnx")


def test_files_and_graphs_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = graph([*RELU, node("Relu", ["y"], ["z"])], {"x": [2]})
    monkeypatch.setattr(model_module, "MAX_NODES", 1)
    assert message(model, tmp_path) == "FILE: must have at most 1 nodes, not 2"
    monkeypatch.setattr(model_module, "MAX_FILE_BYTES", 50)
    size = model.ByteSize()
    assert message(model, tmp_path) == (
        f"FILE: must be at most 50 bytes, not {size}; save its weights as external data"
    )


@settings(deadline=None, max_examples=200)
@given(st.integers(0, 10_000), st.binary(min_size=1, max_size=3), st.integers(0, 4))
def test_damaged_files_are_refused_or_read(
    tmp_path_factory: pytest.TempPathFactory, at: int, new: bytes, dropped: int
) -> None:
    nodes = [node("Conv", ["x", "w"], ["c"], pads=[1, 1, 1, 1]), node("Relu", ["c"], ["y"])]
    content = graph(nodes, {"x": [1, 3, 4, 4]}, {"w": noise(2, 3, 3, 3)}).SerializeToString()
    at %= len(content)
    path = tmp_path_factory.getbasetemp() / "damaged.onnx"
    path.write_bytes(content[:at] + new + content[at + dropped :])
    try:
        trace = load(path)
    except InputError as fault:
        assert str(fault).startswith(str(path))
    else:
        assert trace.ops


# ---------------------------------------------------------------------------------------- graphs


UNKNOWN = (
    "node 'a': the shape of 'y', which WHO writes, must be known beforehand; it may depend on "
    "values, or the operator is unknown; declare it in value_info"
)


@pytest.mark.parametrize(
    ("nodes", "text"),
    [
        ([node("Relu", ["z"], ["y"], name="a")],
         "FILE: node 'a': must read inputs or what nodes above it wrote, not 'z'"),
        ([node("Relu", ["x"], ["x"], name="a")],
         "FILE: node 'a': must write a value of its own, not 'x'"),
        ([node("Conv", ["x", "x"], ["y"], name="a", strides=[0, 0])], "FILE: node 'a': "),
        ([node("Reshape", ["x", "c"], ["y"], name="a")],
         "FILE: node 'a': Reshape must keep all 18 elements, not (7,)"),
        ([node("NonZero", ["x"], ["y"], name="a")], f"FILE: {UNKNOWN.replace('WHO', 'NonZero')}"),
        ([node("Warp", ["x"], ["y"], name="a", domain="acme")],
         f"FILE: {UNKNOWN.replace('WHO', 'Warp')}"),
        ([node("Relu", ["x"], [], name="a")], "FILE: node 'a': must write something, not []"),
        ([node("Identity", ["c"], ["y"])],
         "FILE: must compute something from inputs that hold elements"),
    ],
)  # fmt: skip
def test_graphs_that_cannot_be_followed_are_refused(
    tmp_path: Path, nodes: list[Any], text: str
) -> None:
    model = graph(nodes, {"x": [1, 2, 3, 3]}, {"c": np.array([7], np.int64)}, domains={"acme": 1})
    assert message(model, tmp_path).startswith(text)


def test_outputs_of_absurd_size_are_refused(tmp_path: Path) -> None:
    constants = {"c": np.array([1 << 40, 1 << 20], np.int64)}
    model = graph([node("Expand", ["x", "c"], ["y"])], {"x": [1]}, constants)
    assert message(model, tmp_path) == (
        "FILE: node 'y': y: must have at most 17,592,186,044,416 elements, "
        "not (1099511627776, 1048576)"
    )


def test_a_large_constant_is_not_computed(tmp_path: Path) -> None:
    """Sixteen tebibytes of ones, which nobody reads."""
    nodes = [node("ConstantOfShape", ["c"], ["ones"]), *RELU]
    model = graph(nodes, {"x": [2]}, {"c": np.array([1 << 22, 1 << 20], np.int64)})
    assert len(trace_of(model, tmp_path).ops) == 1


def test_text_is_refused(tmp_path: Path) -> None:
    model = graph([node("Identity", ["x"], ["y"])], {"x": [2]}, types={"x": TensorProto.STRING})
    assert message(model, tmp_path) == "FILE: x: must hold numbers of a known type, not 'STRING'"


def test_declared_shapes_carry_over_unknown_operators(tmp_path: Path) -> None:
    nodes = [node("Warp", ["x"], ["y"], domain="acme"), node("Relu", ["y"], ["z"])]
    model = graph(nodes, {"x": [4, 5]}, domains={"acme": 1})
    model.graph.value_info.append(helper.make_tensor_value_info("y", TensorProto.FLOAT, [4, 7]))
    trace = trace_of(model, tmp_path)
    assert trace.unsupported == {"acme.Warp": 1}
    assert trace.ops[0].attrs == {"function": "acme.Warp", "work": 28}
    assert trace.ops[1].inputs == ("y",)


def test_functions_of_the_model_are_opened(tmp_path: Path) -> None:
    """As exporters wrap modules."""
    body = [node("MatMul", ["a", "b"], ["m"]), node("Relu", ["m"], ["c"])]
    opsets = [helper.make_opsetid("", 21)]
    function = helper.make_function("local", "Dense", ["a", "b"], ["c"], body, opsets)
    nodes = [node("Dense", ["x", "w"], ["y"], domain="local")]
    model = graph(nodes, {"x": [4, 3]}, {"w": noise(3, 5)}, domains={"local": 1})
    model.functions.append(function)
    (op,) = trace_of(model, tmp_path).ops
    assert (op.kind, op.epilogue) == ("gemm", ("relu", "requantise"))


def test_a_recurrent_node_may_leave_out_its_sequence(tmp_path: Path) -> None:
    constants = {"w": noise(1, 64, 8), "r": noise(1, 64, 16)}
    nodes = [node("LSTM", ["x", "w", "r"], ["", "h"], hidden_size=16), node("Relu", ["h"], ["y"])]
    trace = trace_of(graph(nodes, {"x": [5, 2, 8]}, constants), tmp_path)
    assert trace.unsupported == {"LSTM": 1}
    assert trace.ops[0].outputs == ("h",)
    assert trace.tensors["h"].shape == (1, 2, 16)


def test_a_branch_is_unsupported_with_its_shape(tmp_path: Path) -> None:
    branch = helper.make_graph(
        [node("Relu", ["x"], ["b"])], "b", [], [helper.make_tensor_value_info("b", 1, [4])]
    )
    nodes = [node("If", ["cond"], ["y"], then_branch=branch, else_branch=branch)]
    model = graph(nodes, {"x": [4], "cond": []}, types={"cond": TensorProto.BOOL})
    trace = trace_of(model, tmp_path)
    assert trace.unsupported == {"If": 1}
    assert trace.tensors["y"].shape == (4,)


def test_two_nodes_of_one_name_get_their_own(tmp_path: Path) -> None:
    nodes = [node("Softmax", ["x"], ["a"], name="n"), node("Softmax", ["a"], ["y"], name="n")]
    trace = trace_of(graph(nodes, {"x": [4, 5]}), tmp_path)
    assert [op.name for op in trace.ops] == ["n", "n#2"]


def test_the_source_names_file_and_digest(tmp_path: Path) -> None:
    trace = trace_of(graph(RELU, {"x": [2]}), tmp_path)
    assert trace.source.startswith("model.onnx sha256:")
    assert str(tmp_path) not in trace.source


def test_importing_frontends_does_not_import_onnx() -> None:
    code = "import archsim.frontends.onnx, sys; sys.exit('onnx' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
    assert onnx.__name__ == "onnx"  # the package is there, and not shadowed by ours
