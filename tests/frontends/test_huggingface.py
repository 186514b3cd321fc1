"""Transformers as people export them: both of torch's exporters, opsets 14 to 21, caches, masks.

The files were written by ``workloads/huggingface.py``; what they must amount to is written here
again, from the configurations.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import onnx
import pytest

from archsim.design import load_design
from archsim.errors import InputError
from archsim.frontends import load
from archsim.frontends.data import Recording, load_with_data
from archsim.simulate import simulate
from archsim.trace import Gemm, Trace, as_gemm

FOLDER = Path(__file__).parents[2] / "workloads" / "exports"
LAYERS, HEADS, WIDTH, WORDS, HEAD = 2, 4, 32, 64, 8
MODELS = ("llama_script_17", "llama_dynamo_21", "gpt2_script_14", "gpt2_dynamo_18",
          "bert_script_14", "bert_dynamo_20")  # fmt: skip
SIZES = [(1, 1, 7), (2, 3, 5), (1, 6, 1)]  # batch, tokens, past: decoding, and a prompt after one


def sizes(path: Path, batch: int, tokens: int, past: int) -> dict[str, int]:
    """Return a size for every open axis: exporters name them differently, or not at all."""
    found = {}
    for value in onnx.load(path).graph.input:
        of = {"input_ids": (batch, tokens), "position_ids": (batch, tokens)}
        total = past + tokens if "bert" not in path.name else tokens
        of["attention_mask"] = (batch, total)
        shape = of.get(value.name, (batch, 0, past, 0))
        for axis, dim in enumerate(value.type.tensor_type.shape.dim):
            if not dim.HasField("dim_value"):
                found[f"{value.name}.{axis}"] = shape[axis]
    return found


def traced(name: str, batch: int, tokens: int, past: int) -> Trace:
    path = FOLDER / f"{name}.onnx"
    return load(path, **sizes(path, batch, tokens, past))


def macs(name: str, batch: int, tokens: int, past: int) -> int:
    """Return multiply-accumulates from a configuration."""
    model = name.partition("_")[0]
    keys = tokens if model == "bert" else past + tokens
    attention = 2 * keys * WIDTH
    linear = {
        "llama": 2 * WIDTH**2 + 2 * WIDTH * 2 * HEAD + 3 * WIDTH * 48,
        "gpt2": 12 * WIDTH**2,
        "bert": 4 * WIDTH**2 + 2 * WIDTH * 64,
    }[model]
    head = 0 if model == "bert" else WIDTH * WORDS
    return batch * tokens * (LAYERS * (linear + attention) + head)


def functions(trace: Trace) -> Counter[str]:
    counts: Counter[str] = Counter()
    for op in trace.ops:
        counts.update([str(op.attrs.get("function", op.kind)), *op.epilogue])
    return counts


@pytest.mark.parametrize("shape", SIZES)
@pytest.mark.parametrize("name", MODELS)
def test_work_is_that_of_the_configuration(name: str, shape: tuple[int, int, int]) -> None:
    trace = traced(name, *shape)
    # rotary angles may come as a product of positions and frequencies, one deep
    angles = sum(as_gemm(op).macs for op in trace.ops if op.kind == "gemm" and as_gemm(op).k == 1
                 and as_gemm(op).n * as_gemm(op).m <= shape[1] * HEAD)  # fmt: skip
    assert trace.macs() - angles in (macs(name, *shape), macs(name, *shape) - angles)
    assert not trace.unsupported


@pytest.mark.parametrize("name", MODELS)
def test_norms_and_activations_are_found_however_they_are_spelled(name: str) -> None:
    found = functions(traced(name, 2, 3, 5))
    norm = "rms_norm" if "llama" in name else "layer_norm"
    assert found[norm] == 2 * LAYERS + 1
    assert found["silu" if "llama" in name else "gelu"] == LAYERS
    assert not {"sqrt", "square", "tanh", "erf", "sigmoid", "pow"} & set(found)
    assert found["softmax"] + found["masked_softmax"] == LAYERS


@pytest.mark.parametrize("model", ["llama", "gpt2", "bert"])
def test_both_exporters_give_the_same_products(model: str) -> None:
    script, dynamo = (name for name in MODELS if name.startswith(model))

    def weighed(name: str) -> Counter[Gemm]:
        trace = traced(name, 2, 3, 5)
        return Counter(as_gemm(op) for op in trace.ops if op.kind == "gemm"
                       and trace.tensors[op.inputs[1]].role == "weight")  # fmt: skip

    assert weighed(script) == weighed(dynamo)
    assert sum(weighed(script).values()) >= 6 * LAYERS or model != "bert"


@pytest.mark.parametrize("name", [n for n in MODELS if "bert" not in n])
def test_the_cache_comes_in_and_goes_out(name: str) -> None:
    trace = traced(name, 2, 3, 5)
    heads = 2 if "llama" in name else HEADS
    shapes = {role: sorted(t.shape for t in trace.tensors.values()
                           if t.role == role and len(t.shape) == 4)
              for role in ("input", "output")}  # fmt: skip
    assert shapes["input"] == [(2, heads, 5, HEAD)] * 2 * LAYERS
    assert shapes["output"] == [(2, heads, 8, HEAD)] * 2 * LAYERS


@pytest.mark.parametrize("name", MODELS)
def test_they_run_and_every_operand_has_its_shape(name: str) -> None:
    """At these sizes ONNX Runtime computes operands of the shapes that the trace says."""
    path = FOLDER / f"{name}.onnx"
    trace, kept = load_with_data(
        path, recording=Recording(sample=1 << 20), dtype="keep", **sizes(path, 2, 3, 5)
    )
    known = {t.name: kept[t.data] for t in trace.tensors.values() if isinstance(t.data, str)}
    products = {n for op in trace.ops if op.kind == "gemm" for n in op.inputs[:2]}
    assert known.keys() == products
    for tensor, array in known.items():
        assert array.shape == trace.tensors[tensor].shape
        assert np.isfinite(array).all()


@pytest.mark.parametrize("name", MODELS)
def test_they_simulate_without_a_fallback(name: str) -> None:
    trace = traced(name, 1, 1, 7)
    assert simulate(load_design("tpu_like"), trace).metrics.macs == trace.macs()


def test_weights_in_a_file_beside_the_model(tmp_path: Path) -> None:
    whole = FOLDER / "llama_script_17.onnx"
    given = sizes(whole, 2, 3, 5)
    onnx.save(
        onnx.load(whole), tmp_path / whole.name, save_as_external_data=True, location="w.bin",
        size_threshold=64,
    )  # fmt: skip
    beside, inside = load(tmp_path / whole.name, **given), load(whole, **given)
    assert (tmp_path / "w.bin").stat().st_size > 64
    assert (beside.tensors, beside.ops, beside.notes) == (inside.tensors, inside.ops, inside.notes)


def test_open_sizes_are_asked_for_by_name() -> None:
    path = FOLDER / "llama_script_17.onnx"
    with pytest.raises(InputError) as caught:
        load(path)
    text = str(caught.value).replace(str(path), "FILE")
    assert text == (
        "FILE: inputs: sizes must be given for open dimensions: sequence (axis 1 of position_ids), "
        "total (axis 1 of attention_mask), past (axis 2 of past_key_values.1.value); say "
        "FILE@sequence=SIZE,total=SIZE,past=SIZE"
    )
    trace = load(f"{path}@batch=2,sequence=3,past=5,total=8")
    assert trace.macs() == macs(path.name, 2, 3, 5)


def test_sizes_that_contradict_each_other_are_refused() -> None:
    path = FOLDER / "llama_script_17.onnx"
    with pytest.raises(InputError, match=r"self_attn/MatMul_1': must be a well-formed MatMul: "):
        load(f"{path}@sequence=3,past=5,total=8,past_key_values.0.value.2=6")


def test_the_files_say_nothing_of_where_they_were_written() -> None:
    for file in FOLDER.glob("*.onnx"):
        content = file.read_bytes()
        assert b"site-packages" not in content
        assert b".py" not in content
    assert sum(file.stat().st_size for file in FOLDER.glob("*.onnx")) < 2 << 20
    assert {file.stem for file in FOLDER.glob("*.onnx")} == set(MODELS)
