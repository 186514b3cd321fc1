"""An exported program as a graph of operators: its tensors as values, its calls as nodes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence, Set
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
    program = decomposed(program)
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


def decomposed(program: ExportedProgram) -> ExportedProgram:
    """Return a program in which operators that nobody knows are spelled out, where torch can."""
    calls = [n.target for n in program.graph.nodes if n.op == "call_function"]
    unknown = {t for t in calls if isinstance(t, torch._ops.OpOverload) and not known(t)}
    table = torch.export.default_decompositions()
    spelled = {target: table[target] for target in unknown if target in table}
    return program.run_decompositions(spelled) if spelled else program


def named_inputs(program: ExportedProgram) -> Iterator[tuple[Any, str]]:
    """Yield every placeholder and its name: a parameter's or buffer's own, or the argument's."""
    specs = {spec.arg.name: spec for spec in program.graph_signature.input_specs}
    for node in program.graph.nodes:
        if node.op == "placeholder":
            spec = specs[node.name]
            user = spec.kind == InputKind.USER_INPUT
            yield node, node.name if user else spec.target or node.name


def held_by_target(program: ExportedProgram, target: str) -> torch.Tensor | None:
    """Return a parameter, buffer or constant by its name."""
    held = program.state_dict.get(target)
    found = program.constants.get(target) if held is None else held
    return found if isinstance(found, torch.Tensor) else None


def _declare_inputs(program: ExportedProgram, conversion: Conversion) -> tuple[str, ...]:
    """Declare parameters, buffers and constants as weights, the rest as inputs; return those."""
    written = set(program.graph_signature.buffers_to_mutate.values())
    inputs = []
    for node, target in named_inputs(program):
        if not isinstance(node.meta.get("val"), torch.Tensor):
            continue  # a number or nothing, which the graph holds where it is used
        held = held_by_target(program, target)
        if held is None or target in written:
            conversion.declare(node, target, static=False)
            inputs.append(target)
        else:
            conversion.declare(node, target, static=True, array=_array(held))
    return tuple(inputs)


def _array(held: torch.Tensor) -> NDArray[Any] | None:
    """Return the values of a small parameter, buffer or constant, where they are there."""
    if held.device.type == "meta" or held.numel() > VALUE_ELEMENTS or held.dtype.is_complex:
        return None
    plain = held.detach().cpu()
    if plain.is_floating_point() and plain.dtype.itemsize < 4:
        plain = plain.float()
    array: NDArray[Any] = plain.numpy()
    return array
