"""From an ONNX file to a trace: read, infer, find activations, lower, fuse."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

from archsim.errors import InputError
from archsim.frontends.builder import TraceBuilder
from archsim.frontends.onnx import layout, products, vectors
from archsim.frontends.onnx.fuse import Fuser
from archsim.frontends.onnx.lowering import Handler, Lowering
from archsim.frontends.onnx.model import Model, read_model
from archsim.frontends.onnx.patterns import fold_activations
from archsim.frontends.onnx.shapes import Value, infer
from archsim.frontends.options import Options
from archsim.frontends.policy import Policy
from archsim.trace import Trace

HANDLERS: dict[str, Handler] = {**products.HANDLERS, **vectors.HANDLERS, **layout.HANDLERS}


def load_onnx(file: str, options: Options) -> Trace:
    """Return the trace of an ONNX file; see `archsim.frontends.load`."""
    path = Path(file)
    policy = Policy.take(options)
    model = read_model(path, options)
    values = infer(model)
    sizes = "; ".join(f"{name} {list(shape)}" for name, shape in model.inputs.items())
    builder = TraceBuilder(path.stem, policy, f"{path.name} sha256:{model.digest} {sizes}")
    lower(model, values, builder)
    if not builder.ops:
        raise InputError(file, "must compute something from inputs that hold elements")
    return builder.build()


def lower(model: Model, values: dict[str, Value], builder: TraceBuilder) -> None:
    """Add the model's ops to the builder."""
    graph = model.proto.graph
    outputs = frozenset(output.name for output in graph.output)
    active = [node for node in graph.node if not _static(node, values)]
    nodes = fold_activations(active, values, outputs)
    readers = Counter(name for node in nodes for name in node.input)
    readers.update(outputs)
    low = Lowering(builder, values, readers, model.where)
    for name, shape in model.inputs.items():
        if values[name].elements:
            builder.tensor(name, shape, "input", values[name].dtype)
    for node in graph.node:
        if _static(node, values) and node.op_type in layout.FREE_OF_CONSTANTS:
            low.alias(node)  # the same constant, so that a shared one is counted once
    for node in nodes:
        if low.output(node).elements:
            domain = "" if node.domain in ("", "ai.onnx") else f"{node.domain}."
            HANDLERS.get(f"{domain}{node.op_type}", Lowering.unsupported)(low, node)
    written = frozenset(low.root(name) for name in outputs)
    fuser = Fuser(builder, written, low.filters)
    fuser.run()
    for name in written & builder.tensors.keys():
        if builder.tensors[name].role == "activation":
            builder.tensors[name] = replace(builder.tensors[name], role="output")
    builder.notes.append(
        f"{len(graph.node) - len(active)} of {len(graph.node)} nodes depend on constants and "
        f"shapes alone and cost nothing; {fuser.folded} scales, offsets and batch norms folded "
        f"into weights and biases; {fuser.joined} element-wise ops ride on another op's way out"
    )


def _static(node: Any, values: dict[str, Value]) -> bool:
    return all(values[name].static for name in node.output if name)
