"""From an ONNX file to a trace: read, infer, say it as a graph of operators, lower."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from onnx import helper

from archsim.errors import InputError
from archsim.frontends.builder import TraceBuilder
from archsim.frontends.onnx.model import Model, read_model
from archsim.frontends.onnx.qoperators import spell_out
from archsim.frontends.onnx.shapes import infer
from archsim.frontends.operators.lower import lower
from archsim.frontends.operators.node import Graph, Node
from archsim.frontends.options import Options
from archsim.frontends.policy import Policy
from archsim.trace import Trace


def load_onnx(file: str, options: Options) -> Trace:
    """Return the trace of an ONNX file; see `archsim.frontends.load`."""
    path = Path(file)
    policy = Policy.take(options)
    model = read_model(path, options)
    sizes = "; ".join(f"{name} {list(shape)}" for name, shape in model.inputs.items())
    builder = TraceBuilder(path.stem, policy, f"{path.name} sha256:{model.digest} {sizes}")
    lower(graph_of(model), builder)
    if not builder.ops:
        raise InputError(file, "must compute something from inputs that hold elements")
    return builder.build()


def graph_of(model: Model) -> Graph:
    """Return a model's graph with the shapes and values that follow from its inputs' shapes."""
    spell_out(model.proto, model.where)
    graph = model.proto.graph
    outputs = frozenset(output.name for output in graph.output)
    return Graph(
        [_node(n) for n in graph.node], infer(model), tuple(model.inputs), outputs, model.where
    )


def _node(node: Any) -> Node:
    domain = "" if node.domain == "ai.onnx" else node.domain
    attributes = {a.name: _plain(helper.get_attribute_value(a)) for a in node.attribute}
    return Node(node.op_type, tuple(node.input), tuple(node.output), node.name, domain, attributes)


def _plain(value: Any) -> Any:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else value
