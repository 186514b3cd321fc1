"""The user's own code: found by its explicit name, called with the model's options."""

from __future__ import annotations

import contextlib
import importlib
import inspect
import sys
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from archsim.errors import InputError
from archsim.frontends.options import Options, Value

_TRUTHS = {"true": True, "false": False, "True": True, "False": False, "1": True, "0": False}


def make(name: str, options: Options) -> Any:
    """Return what the factory ``package.module:function`` makes.

    Options that the factory has parameters for are handed to it: as what a parameter is annotated
    with (``int``, ``float``, ``bool``, ``str``) or, without an annotation, as a number if they are
    one. Modules are looked for in the current folder first, as ``python -m`` does.

    Raises
    ------
    InputError
        The factory cannot be found, does not take an option, or fails; with its own message.
    """
    with _current_folder_first(), _reported(name):
        factory = _find(name)
    if not callable(factory):
        raise InputError(name, "must name a function", type(factory).__name__)
    arguments = _arguments(factory, options, name)
    with _current_folder_first(), _reported(name):
        return factory(**arguments)


def _find(name: str) -> Any:
    module, _, path = name.partition(":")
    found = importlib.import_module(module)
    for part in path.split("."):
        found = getattr(found, part)
    return found


@contextlib.contextmanager
def _current_folder_first() -> Iterator[None]:
    folder = str(Path.cwd())
    sys.path.insert(0, folder)
    try:
        with contextlib.redirect_stdout(sys.stderr):  # stdout is for our own answers
            yield
    finally:
        sys.path.remove(folder)


@contextlib.contextmanager
def _reported(name: str) -> Iterator[None]:
    """Turn whatever the user's code raises into a message that says where in it that was."""
    try:
        yield
    except (Exception, SystemExit) as fault:
        raise failed(name, "must make a model", fault) from None


def failed(name: str, expected: str, fault: BaseException) -> InputError:
    """Return the error for an exception of the user's code, or of torch about it."""
    frames = traceback.extract_tb(fault.__traceback__)
    own = [f for f in frames if not _foreign(f.filename)]
    at = f" at {_near(own[-1].filename)}:{own[-1].lineno}" if own else ""
    lines = str(fault).strip().splitlines()
    reason = f"{type(fault).__name__}: {lines[0]}" if lines else type(fault).__name__
    return InputError(name, f"{expected}, but raised {reason}{at}")


def _near(file: str) -> str:
    """Return a file as seen from the current folder, where it lies in there."""
    path, here = Path(file), Path.cwd()
    return str(path.relative_to(here)) if path.is_relative_to(here) else file


_OWN = str(Path(__file__).parents[2])


def _foreign(file: str) -> bool:
    """Say whether a frame is not the user's: archsim's, an installed package's or Python's own."""
    return (
        file.startswith(("<", _OWN, str(Path(contextlib.__file__).parent)))
        or "site-packages" in file
    )


def _arguments(factory: Callable[..., Any], options: Options, name: str) -> dict[str, Any]:
    """Take the options that a factory has parameters for."""
    try:
        parameters = inspect.signature(factory).parameters
    except (TypeError, ValueError):
        parameters = {}  # type: ignore[assignment]
    arguments = {}
    for key, parameter in parameters.items():
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            continue
        if options.has(key):
            annotation = parameter.annotation
            wanted = getattr(annotation, "__name__", annotation)
            arguments[key] = _as(str(wanted), options.text(key), f"{name}: {key}")
        elif parameter.default is parameter.empty:
            raise InputError(
                name, f"its parameter {key} must be given", fix=f"say {name}@{key}=VALUE"
            )
        else:
            options.known(key)
    return arguments


def _as(wanted: str, value: Value, where: str) -> object:
    """Return an option's value as a type by its name."""
    text = str(value)
    try:
        if wanted == "bool":
            return _TRUTHS[text]
        if wanted in ("int", "float"):
            return int(text) if wanted == "int" else float(text)
    except (KeyError, ValueError):
        raise InputError(where, f"must be of type {wanted}", text) from None
    if wanted == "str":
        return text
    for kind in (int, float):
        with contextlib.suppress(ValueError):
            return kind(text)
    return text
