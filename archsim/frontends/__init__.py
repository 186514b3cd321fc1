"""How models come in: each file or folder here turns one kind of model into a `Trace`.

A frontend is a module that exports ``FRONTEND``; adding one means adding a file here, or installing
a package with an ``archsim.frontends`` entry point. No list is edited.
"""

from __future__ import annotations

import difflib
import importlib
import importlib.metadata
import pkgutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from archsim.errors import InputError
from archsim.frontends.options import Options, Value
from archsim.frontends.policy import DEFAULT
from archsim.trace import BASE_OP_KINDS, OpKind, Trace
from archsim.trace_check import check_trace

if TYPE_CHECKING:
    from archsim.frontends.data import Run


@dataclass(frozen=True, slots=True)
class Frontend:
    """One way for a model to come in.

    Parameters
    ----------
    takes
        What it takes, as words of a list: ``FILE.onnx``.
    accepts
        Whether the text before any ``@`` names such a model.
    load
        ``(model, options, kinds) -> Trace``; takes every option that it knows.
    names
        Names that need no file.
    run
        ``(model, options, run) -> (values by name, what ran it)``, for models that have values;
        see `archsim.frontends.data`.
    """

    takes: str
    accepts: Callable[[str], bool]
    load: Callable[[str, Options, Mapping[str, OpKind]], Trace]
    names: Callable[[], Iterator[str]] = lambda: iter(())
    run: Callable[[str, Options, Run], tuple[Mapping[str, NDArray[Any]], str]] | None = None


@cache
def discover() -> tuple[Frontend, ...]:
    """Return every frontend: the modules beside this file, then installed entry points."""
    modules = (
        importlib.import_module(f"{__name__}.{m.name}") for m in pkgutil.iter_modules(__path__)
    )
    found = [module.FRONTEND for module in modules if hasattr(module, "FRONTEND")]
    points = importlib.metadata.entry_points(group="archsim.frontends")
    return (*found, *(point.load() for point in points))


def names() -> tuple[str, ...]:
    """Return the models that need no file."""
    return tuple(sorted(name for frontend in discover() for name in frontend.names()))


def load(
    model: str | Path,
    kinds: Mapping[str, OpKind] = BASE_OP_KINDS,
    native_dtype: str = DEFAULT,
    **options: Value,
) -> Trace:
    """Return the trace of a model.

    Parameters
    ----------
    model
        A file (``.jsonl`` trace, ``.onnx``, ``.csv`` of products) or the name of a model that needs
        none; options may follow as ``@key=value,...``: ``bert_base@seq=512,batch=4``.
    kinds
        Op kinds that a trace may use: the common ones and those that engines declare.
    native_dtype
        What float tensors become where ``dtype`` is not given: the format that suits a design.
    options
        The same keys; they win over those in the text. ``dtype`` is the quantisation policy (see
        `archsim.frontends.policy.Policy`).

    Raises
    ------
    InputError
        Nobody takes such a model, an option is not known to it, or the model is faulty.
    """
    frontend, name, given = find(model, options)
    left = Options(given, name, native_dtype)
    trace = frontend.load(name, left, kinds)
    left.done()
    check_trace(trace, kinds, lambda op: f"{name}: {op}")
    return trace


def find(model: str | Path, options: Mapping[str, Value]) -> tuple[Frontend, str, dict[str, Value]]:
    """Return who takes a model, its name without options, and all its options."""
    name, given = _split(str(model))
    for frontend in discover():
        if frontend.accepts(name):
            return frontend, name, given | dict(options)
    known = names()
    close = difflib.get_close_matches(name, known, n=2, cutoff=0.5)
    hint = f"did you mean {' or '.join(close)}? " if close else ""
    files = ", ".join(f.takes for f in discover() if f.takes)
    raise InputError("model", f"must be one of {files}, {', '.join(known)}", name, fix=hint.strip())


def _split(model: str) -> tuple[str, dict[str, Value]]:
    """Cut ``name@key=value,...``; an ``@`` that no ``key=`` follows belongs to a file's name."""
    name, at, text = model.rpartition("@")
    if not at or "=" not in text:
        return model, {}
    given: dict[str, Value] = {}
    for part in text.split(","):
        key, equals, value = part.partition("=")
        if not (key and equals and value):
            raise InputError(f"{name}: options", "must be key=value, parted by commas", part)
        if key in given:
            raise InputError(f"{name}: options", "must name every key once", key)
        given[key] = value
    return name, given
