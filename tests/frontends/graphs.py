"""Small ONNX graphs for tests: built in a line, written to a file, run by ONNX's reference."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

from archsim.frontends import load
from archsim.trace import Trace

Array = NDArray[Any]
node = helper.make_node


def graph(
    nodes: Sequence[Any],
    inputs: Mapping[str, Sequence[int | str | None]],
    constants: Mapping[str, Array] | None = None,
    *,
    outputs: Sequence[str] = (),
    opset: int = 21,
    types: Mapping[str, int] | None = None,
    domains: Mapping[str, int] | None = None,
) -> Any:
    """Return a model; the last node's outputs are its outputs unless named."""
    types = types or {}
    infos = [
        helper.make_tensor_value_info(name, types.get(name, TensorProto.FLOAT), shape)
        for name, shape in inputs.items()
    ]
    results = [onnx.helper.make_empty_tensor_value_info(o) for o in outputs or nodes[-1].output]
    initialisers = [numpy_helper.from_array(v, n) for n, v in (constants or {}).items()]
    opsets = [helper.make_opsetid("", opset)]
    opsets += [helper.make_opsetid(domain, version) for domain, version in (domains or {}).items()]
    body = helper.make_graph(nodes, "g", infos, results, initialisers)
    return helper.make_model(body, opset_imports=opsets, ir_version=10)


def trace_of(model: Any, folder: Path, **options: str | int) -> Trace:
    """Return the trace of a model, through a file."""
    path = folder / "model.onnx"
    path.write_bytes(model.SerializeToString())
    return load(path, **options)


def run(model: Any, **inputs: Array) -> list[Array]:
    """Return the model's outputs by ONNX's reference."""
    return [np.asarray(x) for x in ReferenceEvaluator(model).run(None, inputs)]


def run_onnxruntime(model: Any, **inputs: Array) -> list[Array]:
    """Return the model's outputs by ONNX Runtime, where the reference fails."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(model.SerializeToString(), options)
    return [np.asarray(x) for x in session.run(None, inputs)]


def noise(*shape: int, seed: int = 0) -> Array:
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)
