"""From a torch module to a trace: export it, say its ATen graph as a graph of operators, lower."""

from __future__ import annotations

import contextlib
import logging
import sys
import warnings
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from archsim.errors import InputError, MissingExtra
from archsim.frontends.builder import TraceBuilder
from archsim.frontends.operators.lower import lower
from archsim.frontends.options import Options
from archsim.frontends.policy import Policy
from archsim.frontends.torch import factory
from archsim.trace import Trace

if TYPE_CHECKING:
    from torch.export import ExportedProgram

RETURNS = (
    "must return a torch.nn.Module and its example inputs (a tuple, or a mapping of keyword "
    "arguments), or a torch.export.ExportedProgram"
)


def load_torch(name: str, options: Options) -> Trace:
    """Return the trace of what a factory makes; see `archsim.frontends.load`."""
    policy = Policy.take(options)
    program = exported(name, options)
    from archsim.frontends.torch.graph import graph_of  # noqa: PLC0415 (torch is an extra)

    with quietly():
        graph = graph_of(program, name)
    sizes = "; ".join(f"{i} {list(graph.values[i].shape)}" for i in graph.inputs)
    keys = ",".join(f"{key}={value}" for key, value in options.taken.items())
    title = name.rpartition(":")[2].replace(".", "_")
    builder = TraceBuilder(title, policy, f"torch {name}@{keys} {sizes}".rstrip())
    lower(graph, builder)
    if not builder.ops:
        raise InputError(name, "must compute something from its inputs")
    return builder.build()


def exported(name: str, options: Options) -> ExportedProgram:
    """Return the program that a factory's module is, with nothing written in place.

    Raises
    ------
    MissingExtra
        If torch is not installed.
    InputError
        If the factory fails or returns something else, or torch cannot export the module.
    """
    try:
        import torch  # noqa: PLC0415
    except ModuleNotFoundError:
        raise MissingExtra("torch", "torch") from None
    made = factory.make(name, options)
    options.done()
    with quietly():
        whole = isinstance(made, torch.export.ExportedProgram)
        module, args, kwargs = (made, (), {}) if whole else _parts(made, name)
        try:
            if not whole:
                with torch.no_grad():
                    made = torch.export.export(module.eval(), args, kwargs, strict=False)
            program: ExportedProgram = made.run_decompositions({})
        except Exception as fault:  # torch's own, and the module's
            raise factory.failed(name, "torch.export must take it", fault) from None
    return program


def _parts(made: Any, name: str) -> tuple[Any, tuple[Any, ...], dict[str, Any]]:
    """Return the module, positional and keyword inputs that a factory returned."""
    import torch  # noqa: PLC0415

    if not isinstance(made, tuple) or len(made) != 2 or not isinstance(made[0], torch.nn.Module):
        got = type(made).__name__
        if isinstance(made, tuple):
            got = f"a tuple of {', '.join(type(part).__name__ for part in made) or 'nothing'}"
        raise InputError(name, f"{RETURNS}, not {got}")
    module, inputs = made
    if isinstance(inputs, dict):
        return module, (), inputs
    if isinstance(inputs, torch.Tensor):
        return module, (inputs,), {}
    if isinstance(inputs, (tuple, list)):
        return module, tuple(inputs), {}
    raise InputError(name, f"{RETURNS}, not inputs of type {type(inputs).__name__}")


@contextlib.contextmanager
def quietly() -> Iterator[None]:
    """Keep torch's warnings and log, which are about its own insides, from the user."""
    log = logging.getLogger("torch")
    level = log.level
    with warnings.catch_warnings(), contextlib.redirect_stdout(sys.stderr):
        warnings.simplefilter("ignore")
        log.setLevel(logging.CRITICAL)
        try:
            yield
        finally:
            log.setLevel(level)
