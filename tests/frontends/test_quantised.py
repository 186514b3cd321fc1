"""Quantised models, as ONNX Runtime's quantiser writes them, beside the float models they were."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto
from onnxruntime.quantization import (
    CalibrationDataReader,
    QuantFormat,
    QuantType,
    quantize_dynamic,
    quantize_static,
)

from archsim.design import load_design
from archsim.errors import InputError
from archsim.frontends import load
from archsim.simulate import simulate
from archsim.trace import Op, Trace, as_gemm
from tests.frontends.graphs import Array, graph, node, noise, trace_of

FORMS = [
    (QuantFormat.QDQ, QuantType.QInt8),
    (QuantFormat.QDQ, QuantType.QUInt8),
    (QuantFormat.QOperator, QuantType.QInt8),
    (QuantFormat.QOperator, QuantType.QUInt8),
]


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    """Silence the quantiser's advice to preprocess."""
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


class Noise(CalibrationDataReader):  # type: ignore[misc]
    """A few random inputs to calibrate with."""

    def __init__(self, **shapes: tuple[int, ...]) -> None:
        self._left = iter(
            [{k: noise(*v, seed=seed) for k, v in shapes.items()} for seed in range(3)]
        )

    def get_next(self) -> Any:
        return next(self._left, None)


def cnn() -> Any:
    """Return a residual CNN with every operator that both forms have."""
    constants: dict[str, Array] = {
        "w1": noise(8, 3, 3, 3), "b1": noise(8), "w2": noise(8, 1, 3, 3), "w3": noise(8, 8, 1, 1),
        "fc": noise(10, 8), "fb": noise(10), "lo": np.float32(0).reshape(()),
        "hi": np.float32(6).reshape(()),
    }  # fmt: skip
    nodes = [
        node("Conv", ["x", "w1", "b1"], ["c1"], pads=[1] * 4, name="c1"),
        node("Relu", ["c1"], ["r1"]),
        node("Conv", ["r1", "w2"], ["c2"], pads=[1] * 4, group=8, name="c2"),
        node("Clip", ["c2", "lo", "hi"], ["r2"]),
        node("Conv", ["r2", "w3"], ["c3"], name="c3"),
        node("Add", ["c3", "r1"], ["s"], name="sum"),
        node("Relu", ["s"], ["r3"]),
        node("MaxPool", ["r3"], ["p"], kernel_shape=[2, 2], strides=[2, 2], name="pool"),
        node("GlobalAveragePool", ["p"], ["g"], name="mean"),
        node("Flatten", ["g"], ["f"]),
        node("Gemm", ["f", "fc", "fb"], ["y"], transB=1, name="fc"),
    ]
    return graph(nodes, {"x": [1, 3, 8, 8]}, constants, opset=17)


def quantised(
    folder: Path, form: QuantFormat, activations: QuantType, *, per_channel: bool = False
) -> Path:
    onnx.save(cnn(), folder / "float.onnx")
    quantize_static(
        folder / "float.onnx", folder / "q.onnx", Noise(x=(1, 3, 8, 8)), quant_format=form,
        activation_type=activations, per_channel=per_channel,
    )  # fmt: skip
    return folder / "q.onnx"


def products(trace: Trace) -> list[Op]:
    return [op for op in trace.ops if op.kind in ("gemm", "conv")]


def functions(trace: Trace) -> list[str]:
    return [str(op.attrs.get("function", op.kind)) for op in trace.ops]


@pytest.mark.parametrize("per_channel", [False, True])
@pytest.mark.parametrize(("form", "activations"), FORMS)
def test_every_form_is_the_float_model_on_integers(
    tmp_path: Path, form: QuantFormat, activations: QuantType, per_channel: bool
) -> None:
    trace = load(quantised(tmp_path, form, activations, per_channel=per_channel))
    plain = load(tmp_path / "float.onnx")
    assert functions(trace) == functions(plain)
    assert [as_gemm(op) for op in products(trace)] == [as_gemm(op) for op in products(plain)]
    assert trace.weight_bytes() == plain.weight_bytes()
    assert all(op.epilogue[-1] == "requantise" for op in products(trace))
    assert {t.dtype for t in trace.tensors.values()} == {"int8", "int32"}
    biases = {op.inputs[2] for op in products(trace) if "bias" in op.epilogue}
    assert {t.name for t in trace.tensors.values() if t.dtype == "int32"} == biases
    for weights, words in ((True, "4 with a scale a channel"), (False, "4 with one scale")):
        assert any(words in note for note in trace.notes) is (weights is per_channel)
    held = [note for note in trace.notes if "unsigned values are held" in note]
    assert bool(held) is (activations is QuantType.QUInt8)


@pytest.mark.parametrize(("form", "activations"), FORMS)
def test_no_float_is_left_between_the_ends(
    tmp_path: Path, form: QuantFormat, activations: QuantType
) -> None:
    trace = load(quantised(tmp_path, form, activations), dtype="keep")
    floats = {t.name for t in trace.tensors.values() if t.dtype == "fp32"}
    assert floats == {"x"}  # what comes in; the last dequantisation is the reader's
    assert functions(trace)[0] == "requantise"


@pytest.mark.parametrize(("form", "activations"), FORMS)
def test_it_runs_on_an_integer_engine_without_a_fallback(
    tmp_path: Path, form: QuantFormat, activations: QuantType
) -> None:
    design = load_design("tpu_like")
    assert design.fallback is None
    path = quantised(tmp_path, form, activations)
    ours, plain = simulate(design, load(path)), simulate(design, load(tmp_path / "float.onnx"))
    # QDQ carries relu in its requantisation, so lane work differs by passes; products do not
    cycles = {op.name.removesuffix("_quant"): op.occupied_ps for op in ours.per_op
              if op.engine == "mxu"}  # fmt: skip
    assert cycles == {op.name: op.occupied_ps for op in plain.per_op if op.engine == "mxu"}
    assert ours.metrics.tied_percent > 0


def test_wide_activations_keep_narrow_weights(tmp_path: Path) -> None:
    path = quantised(tmp_path, QuantFormat.QDQ, QuantType.QInt16)
    trace = load(path, dtype="keep")
    for op in products(trace):
        assert [trace.tensors[name].dtype for name in op.inputs[:2]] == ["int16", "int8"]
        assert trace.tensors[op.outputs[0]].dtype == "int16"


def test_scales_measured_at_run_time(tmp_path: Path) -> None:
    """Casting accumulators and multiplying by both scales is the requantisation."""
    onnx.save(cnn(), tmp_path / "float.onnx")
    quantize_dynamic(tmp_path / "float.onnx", tmp_path / "q.onnx")
    trace, plain = load(tmp_path / "q.onnx"), load(tmp_path / "float.onnx")
    assert trace.macs() == plain.macs()
    assert functions(trace).count("quantise_dynamic") == 4  # one a product
    left = [f for f in functions(trace) if f != "quantise_dynamic"]
    assert left == functions(plain)
    assert [op.epilogue for op in products(trace)] == [op.epilogue for op in products(plain)]
    assert any("4 activations by what is measured at run time" in note for note in trace.notes)


def test_a_weight_off_centre_needs_its_activations_sums(tmp_path: Path) -> None:
    onnx.save(cnn(), tmp_path / "float.onnx")
    quantize_dynamic(tmp_path / "float.onnx", tmp_path / "q.onnx", weight_type=QuantType.QUInt8)
    trace = load(tmp_path / "q.onnx")
    sums = [op for op in trace.ops if op.attrs.get("function") == "reduce_sum"]
    assert len(sums) == 4
    # the first layer: 3 x 8 x 8 values over channels, then 3 x 3 taps at 64 pixels
    assert sums[0].attrs["work"] == 3 * 64 + 9 * 64
    (first, *_) = products(trace)
    assert first.epilogue == ("add", "bias", "relu", "requantise")
    assert trace.tensors[first.inputs[2]].shape == (64,)
    assert any(note.startswith("4 sums over an operand") for note in trace.notes)


def int4(folder: Path, **options: str | int) -> Trace:
    constants = {
        "w": onnx.helper.make_tensor("w", TensorProto.INT4, [16, 8], [1] * 128),
        "s": noise(8), "one": np.array(0.5, np.float32), "z": np.array(0, np.int8),
    }  # fmt: skip
    weight = constants.pop("w")
    nodes = [
        node("QuantizeLinear", ["x", "one", "z"], ["q"]),
        node("DequantizeLinear", ["q", "one", "z"], ["d"]),
        node("DequantizeLinear", ["w", "s"], ["v"], axis=1),
        node("MatMul", ["d", "v"], ["t"], name="product"),
        node("QuantizeLinear", ["t", "one", "z"], ["y"]),
    ]
    model = graph(nodes, {"x": [4, 16]}, constants)
    model.graph.initializer.append(weight)
    return trace_of(model, folder, **options)


def test_weights_of_four_bits_take_half_a_byte(tmp_path: Path) -> None:
    trace = int4(tmp_path)
    assert trace.tensors["w"].dtype == "int4"
    assert trace.weight_bytes() == 64
    assert products(trace)[0].inputs == ("x", "w")


def n_bits(**attributes: int) -> Any:
    packed = np.full((6, 2, 8), 0x98, np.uint8)  # 6 rows of two blocks of 16: 8, 9, 8 ...
    nodes = [node("MatMulNBits", ["x", "b", "s"], ["y"], name="p", domain="com.microsoft",
                  **({"K": 32, "N": 6, "bits": 4, "block_size": 16} | attributes))]  # fmt: skip
    constants = {"b": packed, "s": noise(12)}
    return graph(nodes, {"x": [4, 32]}, constants, domains={"com.microsoft": 1})


def test_products_with_packed_weights(tmp_path: Path) -> None:
    trace = trace_of(n_bits(), tmp_path)
    (op,) = trace.ops
    assert (as_gemm(op).m, as_gemm(op).n, as_gemm(op).k) == (4, 6, 32)
    assert trace.tensors[op.inputs[1]].dtype == "int4"
    assert trace.weight_bytes() == 96
    assert any("a scale a block" in note for note in trace.notes)


def test_packed_weights_of_no_sane_size_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"node 'p': must have K, N and block_size, and 4 or 8"):
        trace_of(n_bits(K=-1), tmp_path)
    with pytest.raises(InputError, match=r"node 'p': must have K, N and block_size, and 4 or 8"):
        trace_of(n_bits(bits=3), tmp_path)


def test_an_operator_without_its_operands_is_refused(tmp_path: Path) -> None:
    nodes = [node("QLinearAdd", ["x"], ["y"], name="sum", domain="com.microsoft")]
    model = graph(nodes, {"x": [4]}, domains={"com.microsoft": 1}, types={"x": TensorProto.INT8})
    with pytest.raises(
        InputError, match=r"node 'sum': QLinearAdd must have operand 1, not \['x'\]"
    ):
        trace_of(model, tmp_path)


def test_concatenation_moves_integers_where_scales_agree(tmp_path: Path) -> None:
    for other, expected in (("s", ["concat"]), ("t", ["concat", "requantise"])):
        nodes = [
            node("QLinearConcat", ["s", "z", "x", "s", "z", "y", other, "z"], ["c"], axis=0,
                 domain="com.microsoft"),
        ]  # fmt: skip
        constants = {"s": np.float32(0.5).reshape(()), "t": np.float32(0.25).reshape(()),
                     "z": np.uint8(7).reshape(())}  # fmt: skip
        types = {"x": TensorProto.UINT8, "y": TensorProto.UINT8}
        model = graph(nodes, {"x": [2, 3], "y": [2, 3]}, constants, types=types,
                      domains={"com.microsoft": 1})  # fmt: skip
        assert functions(trace_of(model, tmp_path)) == expected
