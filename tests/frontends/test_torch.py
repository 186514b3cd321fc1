"""Torch modules by name: equal to what they are through ONNX, and faults in the user's words."""

from __future__ import annotations

import importlib
import sys
import warnings
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from archsim.design import load_design
from archsim.errors import InputError, MissingExtra
from archsim.frontends import load
from archsim.simulate import simulate
from archsim.trace import BASE_OP_KINDS, Gemm, Trace, as_gemm
from archsim.trace_check import check_trace
from archsim.trace_io import read_trace, write_trace

HERE = "tests.frontends.torch_models"
MODELS = ("cnn", "block", "gated")


def through_onnx(factory: str, folder: Path) -> Trace:
    """Return the trace of the same module, exported to ONNX by torch."""
    module, inputs = getattr(importlib.import_module(HERE), factory)()
    args = tuple(inputs.values()) if isinstance(inputs, dict) else inputs
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(module, args, folder / "m.onnx", dynamo=False, opset_version=17)
    return load(folder / "m.onnx")


def products(trace: Trace) -> Counter[Gemm]:
    return Counter(as_gemm(op) for op in trace.ops if op.kind in ("gemm", "conv"))


def weights(trace: Trace) -> Counter[int]:
    """Return how many bytes each weight and bias of a product has."""
    found = {name for op in trace.ops if op.kind in ("gemm", "conv") for name in op.inputs[1:]}
    held = (trace.tensors[name] for name in found)
    return Counter(t.size_bytes for t in held if t.role == "weight")


@pytest.mark.parametrize("factory", MODELS)
def test_a_module_is_the_same_through_onnx(factory: str, tmp_path: Path) -> None:
    ours, theirs = load(f"{HERE}:{factory}"), through_onnx(factory, tmp_path)
    assert ours.macs() == theirs.macs() > 0
    assert products(ours) == products(theirs)
    assert weights(ours) == weights(theirs)
    assert not ours.unsupported


@pytest.mark.parametrize("factory", (*MODELS, "cached", "operators", "quantised"))
def test_traces_survive_a_file_and_simulate(factory: str, tmp_path: Path) -> None:
    trace = load(f"{HERE}:{factory}")
    write_trace(trace, tmp_path / "t.jsonl")
    assert read_trace(tmp_path / "t.jsonl") == trace
    assert simulate(load_design("tpu_like"), trace).metrics.macs == trace.macs()


def test_names_are_those_of_the_module() -> None:
    trace = load(f"{HERE}:cnn")
    assert trace.name == "cnn"
    assert trace.ops[0].name == "stem.conv2d"
    assert trace.ops[0].source.startswith("stem.conv2d + norm.")
    assert trace.ops[0].inputs == ("image", "stem.weight", "norm.bias")
    assert trace.ops[0].epilogue == ("bias", "relu", "requantise")
    assert trace.tensors["image"].role == "input"
    assert trace.tensors[trace.ops[-1].outputs[0]].role == "output"
    assert trace.ops[-1].name == "head.linear"


def test_options_go_to_the_factory() -> None:
    assert load(f"{HERE}:cnn@width=16,side=8").tensors["image"].shape == (1, 3, 8, 8)
    assert load(f"{HERE}:cnn", width=16).tensors["head.weight"].shape == (10, 16)
    trace = load(f"{HERE}:needs@size=5,dtype=fp16")
    assert {t.dtype for t in trace.tensors.values()} == {"fp16"}
    assert trace.source == f"torch {HERE}:needs@dtype=fp16,size=5 input [1, 5]"


@settings(max_examples=8, deadline=None)
@given(width=st.sampled_from([4, 8, 12]), side=st.integers(8, 20))
def test_work_follows_the_sizes(width: int, side: int) -> None:
    trace = load(f"{HERE}:cnn@width={width},side={side}")
    half = -(-side // 2)
    pixels = half * half
    expected = pixels * (27 * width + 9 * width + width**2 + 4 * width**2) + 10 * width
    assert trace.macs() == expected


def test_a_buffer_that_is_written_is_no_weight() -> None:
    trace = load(f"{HERE}:cached")
    assert trace.tensors["cache"].role == "input"
    assert [op.attrs.get("function", op.kind) for op in trace.ops] == ["scatter", "gemm"]
    assert {t.name for t in trace.tensors.values() if t.role == "output"} == {
        trace.ops[0].outputs[0], trace.ops[1].outputs[0],
    }  # fmt: skip


def test_every_family_of_operators_is_understood() -> None:
    trace = load(f"{HERE}:operators")
    assert not trace.unsupported
    functions = {str(op.attrs.get("function", op.kind)) for op in trace.ops}
    assert {
        "conv",
        "gemm",
        "group_norm",
        "gather",
        "resize_linear",
        "arg_max",
        "slice",
    } <= functions
    convolutions = [as_gemm(op) for op in trace.ops if op.kind == "conv"]
    assert convolutions == [Gemm(16, 6, 12), Gemm(8, 6, 12)]  # a stack of two, and one alone


@pytest.mark.parametrize("bits", [8, 4])
def test_quantisers_leave_integers_of_their_width(bits: int) -> None:
    trace = load(f"{HERE}:quantised@bits={bits},dtype=keep")
    quantise, product = trace.ops
    assert quantise.attrs["function"] == "requantise"
    assert product.epilogue == ("relu", "requantise")
    assert [trace.tensors[n].dtype for n in product.inputs] == ["int8", f"int{bits}"]
    assert trace.tensors[product.outputs[0]].dtype == "int8"
    assert any("1 with a scale a channel" in note for note in trace.notes)


def test_what_is_not_understood_is_counted() -> None:
    trace = load(f"{HERE}:sorting")
    assert trace.unsupported == {"torch.sort": 1}
    assert [op.kind for op in trace.ops] == ["vector", "unsupported"]


# ------------------------------------------------------------------------------------------ faults

FILE = Path(__file__).with_name("torch_models.py")


@pytest.mark.parametrize(
    ("model", "fault"),
    [
        ("fails", "MODEL: must make a model, but raised ValueError: no such size at AT:"),
        ("leaves", "MODEL: must make a model, but raised SystemExit: 3 at AT:"),
        ("nothing", f"MODEL: must make a model, but raised AttributeError: module '{HERE}' has"),
        ("TEXT", "MODEL: must name a function, not 'str'"),
        ("number", ("MODEL: must return a torch.nn.Module and its example inputs (a tuple, or a "
                    "mapping of keyword arguments), or a torch.export.ExportedProgram, not int")),
        ("alone", "MODEL: must return a torch.nn.Module and its example inputs"),
        ("inputs_of_text", "MODEL: must return a torch.nn.Module and its example inputs"),
        ("needs", "MODEL: its parameter size must be given; say MODEL@size=VALUE"),
        ("needs@size=x", "MODEL: size: must be of type int, not 'x'"),
        ("needs@size=2,sizes=3", "MODEL: options: must be of dtype, size, not 'sizes'; did you"),
        ("cnn@wide=3", "MODEL: options: must be of dtype, width, side, not 'wide'; did you mean"),
        ("cnn@side=-1", "MODEL: must make a model, but raised RuntimeError: "),
        ("open_shape", "MODEL: input: must have a shape of numbers, not ['s"),
        ("branching", "MODEL: torch.export must take it, but raised GuardOnDataDependent"),
    ],
)  # fmt: skip
def test_faults_are_in_the_users_words(model: str, fault: str, capfd: Any) -> None:
    name = f"{HERE}:{model}"
    with pytest.raises(InputError) as caught:
        load(name)
    text = str(caught.value).replace(name.partition("@")[0], "MODEL")
    for file in (str(FILE), str(FILE.relative_to(Path(__file__).parents[2]))):
        text = text.replace(file, "AT")
    assert text.startswith(fault)
    assert "\n" not in text
    assert capfd.readouterr().out == ""


def test_a_module_that_is_not_there() -> None:
    with pytest.raises(InputError, match=r"no_such_module:x: must make a model, but raised Modu"):
        load("no_such_module:x")


def test_a_module_in_the_current_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = "import torch\ndef model():\n    return torch.nn.Linear(3, 2), torch.zeros(1, 3)\n"
    (tmp_path / "mine_here.py").write_text(text)
    monkeypatch.chdir(tmp_path)
    before = list(sys.path)
    assert load("mine_here:model").macs() == 6
    assert sys.path == before
    del sys.modules["mine_here"]


def test_without_torch_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(MissingExtra, match=r"^torch is not installed; run: pip install 'archsim\["):
        load(f"{HERE}:cnn")


def test_every_trace_is_well_formed() -> None:
    for factory in (*MODELS, "operators"):
        check_trace(load(f"{HERE}:{factory}@dtype=keep"), BASE_OP_KINDS)
