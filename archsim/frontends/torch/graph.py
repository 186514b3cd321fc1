"""An exported program as a graph of operators: its tensors as values, its calls as nodes."""

from __future__ import annotations

from collections.abc import Sequence, Set
from typing import Any

import torch
from numpy.typing import NDArray
from torch.export import ExportedProgram
from torch.export.graph_signature import InputKind, OutputKind

from archsim.errors import InputError
from archsim.frontends.operators.node import VALUE_ELEMENTS, Graph, Node
from archsim.frontends.torch.aten import convert, known
from archsim.frontends.torch.conversion import Conversion


def graph_of(program: ExportedProgram, where: str) -> Graph:
    """Return an exported program's graph."""
    program = _decomposed(program)
    conversion = Conversion(where)
    inputs = _declare_inputs(program, conversion)
    for node in program.graph.nodes:
        if node.op == "call_function":
            convert(conversion, node)
        elif node.op not in ("placeholder", "output"):
            raise InputError(f"{where}: {node.name}", "must be a plain call", node.op)
    results = next(n for n in program.graph.nodes if n.op == "output").args[0]
    kinds = [spec.kind for spec in program.graph_signature.output_specs]
    outputs = {
        conversion.name(result)
        for result, kind in zip(results, kinds, strict=True)
        if isinstance(result, torch.fx.Node) and kind in _LEAVES
    }
    nodes = _living(conversion.nodes, outputs)
    return Graph(nodes, conversion.values, inputs, frozenset(outputs), where)


def _living(nodes: Sequence[Node], outputs: Set[str]) -> list[Node]:
    """Return the nodes that outputs depend on: writing in place leaves some that none does."""
    read, kept = set(outputs), []
    for node in reversed(nodes):
        if read.intersection(node.outputs):
            read.update(node.inputs)
            kept.append(node)
    return kept[::-1]


_LEAVES = (OutputKind.USER_OUTPUT, OutputKind.BUFFER_MUTATION, OutputKind.USER_INPUT_MUTATION)


def _decomposed(program: ExportedProgram) -> ExportedProgram:
    """Return a program in which operators that nobody knows are spelled out, where torch can."""
    calls = [n.target for n in program.graph.nodes if n.op == "call_function"]
    unknown = {t for t in calls if isinstance(t, torch._ops.OpOverload) and not known(t)}
    table = torch.export.default_decompositions()
    spelled = {target: table[target] for target in unknown if target in table}
    return program.run_decompositions(spelled) if spelled else program


def _declare_inputs(program: ExportedProgram, conversion: Conversion) -> tuple[str, ...]:
    """Declare parameters, buffers and constants as weights, the rest as inputs; return those."""
    written = set(program.graph_signature.buffers_to_mutate.values())
    specs = {spec.arg.name: spec for spec in program.graph_signature.input_specs}
    inputs = []
    for node in program.graph.nodes:
        if node.op != "placeholder":
            continue
        spec = specs[node.name]
        if not isinstance(node.meta.get("val"), torch.Tensor):
            continue  # a number or nothing, which the graph holds where it is used
        user = spec.kind == InputKind.USER_INPUT
        target = spec.target or node.name
        if user or target in written:
            conversion.declare(node, node.name if user else target, static=False)
            inputs.append(node.name if user else target)
        else:
            conversion.declare(node, target, static=True, array=_array(program, target))
    return tuple(inputs)


def _array(program: ExportedProgram, target: str) -> NDArray[Any] | None:
    """Return the values of a small parameter, buffer or constant, where they are there."""
    held = program.state_dict.get(target)
    if held is None:
        held = program.constants.get(target)
    if not isinstance(held, torch.Tensor) or held.device.type == "meta":
        return None
    if held.numel() > VALUE_ELEMENTS:
        return None
    plain = held.detach().cpu()
    if plain.dtype not in (torch.float16, torch.bfloat16):
        exact = plain.dtype.is_floating_point or not plain.dtype.is_complex
        return plain.numpy() if exact and plain.dtype.itemsize in (1, 2, 4, 8) else None
    found: NDArray[Any] = plain.float().numpy()
    return found
