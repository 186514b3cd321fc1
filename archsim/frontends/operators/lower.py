"""From a graph of operators to ops of a trace: find activations, lower, fuse."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from archsim.frontends.builder import TraceBuilder
from archsim.frontends.operators import attention, layout, products, vectors
from archsim.frontends.operators.fuse import Fuser
from archsim.frontends.operators.lowering import Handler, Lowering
from archsim.frontends.operators.node import Graph
from archsim.frontends.operators.patterns import fold_activations
from archsim.frontends.operators.quantised import as_integers

HANDLERS: dict[str, Handler] = {
    **products.HANDLERS,
    **attention.HANDLERS,
    **vectors.HANDLERS,
    **layout.HANDLERS,
}


def lower(graph: Graph, builder: TraceBuilder) -> None:
    """Add a graph's ops to the builder."""
    integers = as_integers(graph)
    if integers.notes:
        builder.notes[:] = [*integers.notes, f"what the model leaves float: {builder.policy.note}"]
    graph = integers.graph
    values, outputs = graph.values, graph.outputs
    active = [node for node in graph.nodes if not graph.static(node)]
    nodes = fold_activations(active, values, outputs)
    readers = Counter(name for node in nodes for name in node.inputs)
    readers.update(outputs)
    low = Lowering(builder, values, readers, graph.where, integers.off_centre)
    for name in graph.inputs:
        if values[name].elements:
            builder.tensor(name, values[name].shape, "input", values[name].dtype)
    for node in graph.nodes:
        if graph.static(node) and node.op_type in layout.FREE_OF_CONSTANTS:
            layout.constant(low, node)
    for node in nodes:
        if low.output(node).elements:
            HANDLERS.get(node.operator, Lowering.unsupported)(low, node)
    written = frozenset(low.root(name) for name in outputs)
    fuser = Fuser(builder, written, low.filters)
    fuser.run()
    for name in written & builder.tensors.keys():
        if builder.tensors[name].role == "activation":
            builder.tensors[name] = replace(builder.tensors[name], role="output")
    builder.notes.append(
        f"{len(graph.nodes) - len(active)} of {len(graph.nodes)} nodes depend on constants and "
        f"shapes alone and cost nothing; {fuser.folded} scales, offsets and batch norms folded "
        f"into weights and biases; {fuser.joined} element-wise ops ride on another op's way out"
    )
    if low.sums:
        builder.notes.append(
            f"{low.sums} sums over an operand are computed because the other operand of its "
            "product has a zero point"
        )
