"""Operand values: what a run really holds, against NumPy; samples, histograms, refusals."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from onnx import TensorProto
from typer.testing import CliRunner

from archsim.cli import app
from archsim.design import load_design
from archsim.errors import InputError, MissingExtra
from archsim.frontends import load
from archsim.frontends.data import Recording, histogram, load_with_data, stored
from archsim.simulate import simulate
from archsim.trace import Histogram, Sampled, Tensor, Trace
from archsim.trace_io import read_operands, read_trace, write_trace
from tests.frontends.graphs import Array, graph, node, noise

W, B, V = noise(6, 4), noise(4, seed=1), noise(4, 3, seed=2)


def chain(folder: Path, **external: Any) -> Path:
    """Write ``relu(x W + B) V`` and return its file."""
    nodes = [
        node("Gemm", ["x", "W", "B"], ["s"]),
        node("Relu", ["s"], ["r"]),
        node("MatMul", ["r", "V"], ["y"]),
    ]
    model = graph(nodes, {"x": ["batch", 6]}, {"W": W, "B": B, "V": V}, opset=17)
    onnx.save(model, folder / "chain.onnx", **external)
    return folder / "chain.onnx"


def quantised(x: Array) -> Array:
    """Return the nearest of 255 integers, written element by element."""
    scale = max(abs(float(v)) for v in x.ravel()) / 127
    return np.array([round(float(v) / scale) for v in x.ravel()]).reshape(x.shape)


def data(trace: Trace, kept: dict[str, Array], name: str) -> Array:
    ref = trace.tensors[name].data
    assert isinstance(ref, str)
    return kept[ref]


def test_operands_are_what_the_model_computes(tmp_path: Path) -> None:
    x = noise(2, 6, seed=3)
    recording = Recording(given={"x": x})
    trace, kept = load_with_data(chain(tmp_path), recording=recording, batch=2)
    for name, values in (("x", x), ("W", W), ("r", np.maximum(x @ W + B, 0)), ("V", V)):
        found = data(trace, kept, name)
        assert found.dtype == np.int8
        np.testing.assert_array_equal(found, quantised(values))
    assert len(kept) == 4  # products' operands alone
    assert trace.tensors["y"].data is trace.tensors["B"].data is None


def test_floats_are_kept_where_the_trace_has_floats(tmp_path: Path) -> None:
    x = noise(1, 6, seed=3)
    trace, kept = load_with_data(chain(tmp_path), recording=Recording(given={"x": x}), dtype="keep")
    np.testing.assert_array_equal(data(trace, kept, "x"), x)
    np.testing.assert_allclose(data(trace, kept, "r"), np.maximum(x @ W + B, 0), rtol=1e-6)


@pytest.mark.parametrize("keep", ["values", "histogram"])
def test_a_trace_with_data_reloads_as_it_was(tmp_path: Path, keep: Any) -> None:
    trace, kept = load_with_data(chain(tmp_path), recording=Recording(keep, sample=7))
    write_trace(trace, tmp_path / "t.jsonl", kept)
    assert read_trace(tmp_path / "t.jsonl") == load(tmp_path / "t.jsonl") == trace
    again = read_operands(tmp_path / "t.jsonl")
    assert again.keys() == kept.keys()
    for name, array in kept.items():
        np.testing.assert_array_equal(again[name], array)


def test_the_same_seed_gives_the_same_values(tmp_path: Path) -> None:
    path = chain(tmp_path)
    first, second, other = (
        load_with_data(path, recording=Recording(seed=seed))[1] for seed in (5, 5, 6)
    )
    assert all((first[name] == second[name]).all() for name in first)
    assert any((first[name] != other[name]).any() for name in first)


def test_what_is_cut_is_a_sample_and_said_to_be(tmp_path: Path) -> None:
    path = chain(tmp_path)
    whole, all_values = load_with_data(path, recording=Recording(), batch=50)
    trace, kept = load_with_data(path, recording=Recording(sample=40), batch=50)
    drawn = trace.tensors["r"].data
    assert isinstance(drawn, Sampled)
    assert drawn.scale == 200 / 40
    found, values = kept[drawn.ref], data(whole, all_values, "r")
    assert found.shape == (40,)
    counts = np.bincount(values.ravel(), minlength=128)
    assert (np.bincount(found, minlength=128) <= counts).all()
    assert isinstance(trace.tensors["W"].data, str)
    (note,) = (note for note in trace.notes if "samples" in note)
    assert note.startswith("operand values: 2 operands are known by samples of 40 elements each")
    said = "samples: 2 operands are known by samples; what depends on values rests on them"
    assert said in simulate(load_design("tpu_like"), trace).assumptions
    assert said not in simulate(load_design("tpu_like"), whole).assumptions


@settings(max_examples=50, deadline=None)
@given(values=arrays.arrays(np.int8, st.integers(0, 60)))
def test_a_histogram_counts_every_integer(values: Array) -> None:
    counts = histogram(values, "int8")
    assert counts.shape == (256,)
    for number in range(-128, 128):
        assert counts[number + 128] == sum(int(v) == number for v in values)


@settings(max_examples=50, deadline=None)
@given(values=arrays.arrays(np.int32, st.integers(1, 30)))
def test_wide_integers_are_counted_by_their_length(values: Array) -> None:
    counts = histogram(values, "int32")
    lengths = [abs(int(v)).bit_length() for v in values]
    assert counts.tolist() == [lengths.count(n) for n in range(33)]


@settings(max_examples=60, deadline=None)
@given(
    values=arrays.arrays(
        np.float32, st.integers(1, 20), elements=st.floats(-(2.0**90), 2.0**90, width=32)
    ),
    bits=st.sampled_from([4, 8, 16]),
)
def test_quantisation_is_symmetric_and_within_half_a_step(values: Array, bits: int) -> None:
    whole, scale = stored(values, Tensor("t", values.shape, f"int{bits}"))
    assert scale is not None
    assert np.abs(whole.astype(int)).max() <= (1 << bits - 1) - 1
    assert (np.abs(whole * scale - values.astype(float)) <= scale * (0.5 + 1e-9)).all()
    np.testing.assert_array_equal(stored(-values, Tensor("t", values.shape, f"int{bits}"))[0],
                                  -whole)  # fmt: skip


def test_unsigned_integers_are_held_less_half_their_range() -> None:
    values = np.array([0, 128, 255], np.uint8)
    assert stored(values, Tensor("t", (3,), "int8"))[0].tolist() == [-128, 0, 127]


def test_a_quantised_model_gives_its_own_integers(tmp_path: Path) -> None:
    s, z = np.float32(0.05).reshape(()), np.uint8(100).reshape(())
    constants = {"w": np.arange(-12, 12).reshape(6, 4).astype(np.int8), "s": s, "z": z,
                 "zw": np.int8(0).reshape(())}  # fmt: skip
    nodes = [
        node("QuantizeLinear", ["x", "s", "z"], ["q"]),
        node("QLinearMatMul", ["q", "s", "z", "w", "s", "zw", "s", "z"], ["y"]),
    ]
    onnx.save(graph(nodes, {"x": [2, 6]}, constants, opset=17), tmp_path / "m.onnx")
    x = noise(2, 6)
    trace, kept = load_with_data(tmp_path / "m.onnx", recording=Recording(given={"x": x}))
    (op,) = trace.ops
    integers = np.clip(np.rint(x / s) + 100, 0, 255) - 128
    np.testing.assert_array_equal(data(trace, kept, op.inputs[0]), integers)
    np.testing.assert_array_equal(data(trace, kept, op.inputs[1]), constants["w"])


def test_indices_stay_inside_their_table(tmp_path: Path) -> None:
    nodes = [node("Gather", ["table", "ids"], ["rows"]), node("MatMul", ["rows", "V"], ["y"])]
    model = graph(nodes, {"ids": [1, 40]}, {"table": noise(5, 4), "V": V},
                  types={"ids": TensorProto.INT64}, opset=17)  # fmt: skip
    onnx.save(model, tmp_path / "m.onnx")
    trace, kept = load_with_data(tmp_path / "m.onnx", dtype="keep")
    rows = {tuple(row) for row in data(trace, kept, "rows")[0].tolist()}
    assert rows == {tuple(row) for row in noise(5, 4).tolist()}  # each of five, of forty picks


def test_constants_outside_the_file_are_read(tmp_path: Path) -> None:
    path = chain(tmp_path, save_as_external_data=True, location="w.bin", size_threshold=0)
    trace, kept = load_with_data(path)
    np.testing.assert_array_equal(data(trace, kept, "W"), quantised(W))


def test_a_torch_module_gives_what_it_computes() -> None:
    torch = pytest.importorskip("torch")
    x = noise(1, 5)
    recording = Recording(given={"input": x})
    name = "tests.frontends.torch_models:needs"
    trace, kept = load_with_data(name, recording=recording, size=5)
    np.testing.assert_array_equal(data(trace, kept, "input"), quantised(x))
    torch.manual_seed(0)
    weight = torch.nn.Linear(5, 2).weight.detach().numpy()
    np.testing.assert_array_equal(data(trace, kept, "weight"), quantised(weight))


# ------------------------------------------------------------------------------------------ faults


def refused(path: Path | str, inputs: dict[str, Array] | None = None, **options: Any) -> str:
    with pytest.raises(InputError) as caught:
        load_with_data(path, recording=Recording(given=inputs or {}), **options)
    return str(caught.value).replace(str(path), "FILE")


def test_inputs_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    path = chain(tmp_path)
    assert refused(path, {"x": noise(3, 6)}) == (
        "inputs: x: must be an array of shape [1, 6] and type float32, not '[3, 6] float32'"
    )
    assert refused(path, {"x": np.ones((1, 6), np.int8)}).endswith("not '[1, 6] int8'")
    assert refused(path, {"z": noise(1, 6)}) == "inputs: z: must be of x"
    assert refused(path, {"x": np.full((1, 6), np.nan, np.float32)}) == (
        "values of r: must be finite to be quantised"
    )


def test_models_without_values_are_refused() -> None:
    assert refused("resnet50") == (
        "FILE: must be a model with values to run; an ONNX file or a torch module has some"
    )


def test_a_model_that_onnx_runtime_refuses(tmp_path: Path) -> None:
    nodes = [node("MatMul", ["x", "W"], ["t"]), node("Odd", ["t"], ["y"], domain="mine")]
    model = graph(nodes, {"x": [1, 6]}, {"W": W}, domains={"mine": 1}, opset=17)
    model.graph.output[0].CopyFrom(
        onnx.helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 4])
    )
    nodes.append(node("MatMul", ["y", "V"], ["z"]))
    model.graph.node.append(nodes[-1])
    model.graph.initializer.append(onnx.numpy_helper.from_array(V, "V"))
    (tmp_path / "m.onnx").write_bytes(model.SerializeToString())
    assert refused(tmp_path / "m.onnx").startswith(
        "FILE: must be a model that ONNX Runtime runs: [ONNXRuntimeError]"
    )


def test_more_values_than_memory_should_hold_are_refused(tmp_path: Path) -> None:
    nodes = [node("Expand", ["x", "shape"], ["t"]), node("MatMul", ["t", "W"], ["y"])]
    shape = np.array([1 << 20, 1 << 10, 6])
    onnx.save(graph(nodes, {"x": [1, 6]}, {"W": W, "shape": shape}), tmp_path / "m.onnx")
    assert refused(tmp_path / "m.onnx").startswith(
        "FILE: values of products' operands must take at most 4,294,967,296 bytes, not 5153960"
    )


def test_without_onnx_runtime_the_extra_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert onnxruntime.__version__
    monkeypatch.setitem(__import__("sys").modules, "onnxruntime", None)
    with pytest.raises(MissingExtra, match=r"^onnxruntime is not installed; run: pip install "):
        load_with_data(chain(tmp_path))


# ------------------------------------------------------------------------------------ command line


def invoke(*arguments: str) -> Any:
    return CliRunner().invoke(app, list(arguments))


def test_the_command_writes_trace_and_values(tmp_path: Path) -> None:
    np.savez(tmp_path / "in.npz", x=noise(1, 6))
    done = invoke("trace", str(chain(tmp_path)), "--with-data", "--inputs",
                  str(tmp_path / "in.npz"), "-o", str(tmp_path / "t.jsonl"), "--json")  # fmt: skip
    assert done.exit_code == 0
    assert any("4 of 4 operands" in note for note in json.loads(done.stdout)["notes"])
    assert len(read_operands(tmp_path / "t.jsonl")) == 4
    told = json.loads(done.stdout)["operands"]
    assert told.keys() == {"x", "W", "r", "V"}
    assert all(0 <= of["booth_digits"] <= 4 and of["set_bits"] <= 8 for of in told.values())
    assert load(tmp_path / "t.jsonl").notes == tuple(json.loads(done.stdout)["notes"])


def test_a_histogram_is_referred_to_as_one(tmp_path: Path) -> None:
    out = tmp_path / "t.jsonl"
    done = invoke("trace", str(chain(tmp_path)), "--with-data", "--keep", "histogram", "-o",
                  str(out))  # fmt: skip
    assert done.exit_code == 0
    found = load(out).tensors["r"].data
    assert isinstance(found, Histogram)
    assert read_operands(out)[found.ref].sum() == 4


@pytest.mark.parametrize(
    ("arguments", "fault"),
    [
        (("--with-data",), ("error: --with-data: must have a file to write beside; say -o "
                            "FILE.jsonl\n")),
        (("--with-data", "-o", "-"), ("error: --with-data: must have a file to write beside; say "
                                      "-o FILE.jsonl\n")),
        (("--with-data", "-o", "t.jsonl", "--keep", "all"), ("error: --keep: must be values or "
                                                             "histogram, not 'all'\n")),
        (("--with-data", "-o", "t.jsonl", "--inputs", "t.npz"), (
            "error: --inputs: must not be the file that operands go to, not 't.npz'\n")),
        (("--with-data", "-o", "t.jsonl", "--inputs", "chain.onnx"), (
            "error: chain.onnx: must be an .npz file of plain arrays: File is not a zip file\n")),
    ],
)  # fmt: skip
def test_faulty_commands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], fault: str
) -> None:
    chain(tmp_path)
    monkeypatch.chdir(tmp_path)
    done = invoke("trace", "chain.onnx", *arguments)
    assert (done.exit_code, done.stderr) == (2, fault)
    assert not (tmp_path / "t.npz").exists()


def test_weights_take_a_scale_a_channel_where_that_is_asked_for(tmp_path: Path) -> None:
    """A transposed linear layer and a grouped convolution: columns are output channels."""
    filters, across = noise(4, 3, 2, 2, seed=4), noise(5, 16, seed=5)
    nodes = [
        node("Conv", ["x", "filters"], ["c"], group=2, strides=[2, 2]),
        node("Flatten", ["c"], ["f"]),
        node("Gemm", ["f", "across"], ["y"], transB=1),
    ]
    model = graph(nodes, {"x": [1, 6, 4, 4]}, {"filters": filters, "across": across}, opset=17)
    onnx.save(model, tmp_path / "m.onnx")
    trace, kept = load_with_data(tmp_path / "m.onnx", recording=Recording(weights="channel"))
    for name, weight in (("filters", filters), ("across", across)):  # channels are their rows
        apart = [quantised(row) for row in weight]
        np.testing.assert_array_equal(data(trace, kept, name), np.stack(apart))
    whole = load_with_data(tmp_path / "m.onnx")
    np.testing.assert_array_equal(data(*whole, "filters"), quantised(filters))
    np.testing.assert_array_equal(data(*whole, "c"), data(trace, kept, "c"))
    assert trace.notes[-1] == (
        "operand values: 4 float operands quantised symmetrically, each by its greatest magnitude, "
        "rounded to nearest; 2 weights by each output channel's"
    )


def test_a_channel_or_a_tensor(tmp_path: Path) -> None:
    command = [
        "trace",
        f"{chain(tmp_path)}@batch=2",
        "--with-data",
        "-o",
        str(tmp_path / "t.jsonl"),
    ]
    done = CliRunner().invoke(app, [*command, "--weights", "channel"])
    assert "2 weights by each output channel's" in done.output
    refused = CliRunner().invoke(app, [*command, "--weights", "row"])
    assert refused.exit_code == 2
    assert "--weights: must be tensor or channel, not 'row'" in refused.output
