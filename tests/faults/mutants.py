"""Engines with one line of their source changed."""

from __future__ import annotations

import dataclasses
import importlib
import importlib.machinery
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any

import numpy as np

from archsim.engines import Engine, Rtl
from archsim.verify import run_cases

REPLACED = (
    "archsim.engines.adder_tree",
    "archsim.engines.bitslice",
    "archsim.engines.cube",
    "archsim.engines.gemm",
    "archsim.engines.hash_spgemm",
    "archsim.engines.matrix2d",
    "archsim.engines.memory_side",
    "archsim.engines.ngpc",
    "archsim.engines.rfnn",
    "archsim.engines.systolic",
    "archsim.engines.vector",
    "archsim.hdl.",
    "archsim.formats.",
)

FEW_CASES = 7  # run before it is looked whether they suffice


class Mutation:
    """Finder of one module, whose source it gives with ``old`` replaced by ``new``."""

    def __init__(self, module: str, old: str, new: str) -> None:
        self.module, self._old, self._new = module, old, new

    def find_spec(self, name: str, path: Sequence[str] | None, target: Any = None) -> Any:
        if name != self.module:
            return None
        spec = importlib.machinery.PathFinder.find_spec(name, path)
        assert spec is not None and spec.origin is not None
        source = Path(spec.origin).read_text()
        assert source.count(self._old) == 1, (
            f"{name} has {source.count(self._old)} times {self._old!r}"
        )
        spec.loader = _Loader(name, spec.origin, source.replace(self._old, self._new))
        return spec


class _Loader(importlib.machinery.SourceFileLoader):
    def __init__(self, name: str, path: str, source: str) -> None:
        super().__init__(name, path)
        self._changed = source

    def get_code(self, fullname: str) -> CodeType:
        return compile(self._changed, f"mutant of {fullname}", "exec")


@contextmanager
def in_place(mutation: Mutation, replaced: tuple[str, ...] = REPLACED) -> Iterator[None]:
    """Import engines, and the parts they are made of, anew with the mutation; then undo it."""
    saved = {name: m for name, m in sys.modules.items() if name.startswith(replaced)}
    for name in saved:
        del sys.modules[name]
    sys.meta_path.insert(0, mutation)
    try:
        yield
    finally:
        sys.meta_path.remove(mutation)
        for name in [name for name in sys.modules if name.startswith(replaced)]:
            del sys.modules[name]
        sys.modules.update(saved)
        for name, module in saved.items():
            parent, _, child = name.rpartition(".")
            setattr(sys.modules[parent], child, module)


def mutant(module: str, old: str, new: str) -> ModuleType:
    """Return a module whose source has ``old`` replaced; ``old`` must stand there exactly once."""
    with in_place(Mutation(module, old, new)):
        return importlib.import_module(module)


def systolic_with(module: str, old: str, new: str) -> Engine:
    """Return the systolic engine with a fault in a module of it, or in hardware that it uses."""
    package = "archsim.engines.systolic"
    with in_place(Mutation(module, old, new)):
        engine: Engine = importlib.import_module(package).ENGINE
        os_array = importlib.import_module(f"{package}.rtl").SystolicArray
        ws_array = importlib.import_module(f"{package}.stationary_rtl").StationaryArray
        assert module in sys.modules, f"the engine does not use {module}"
    assert isinstance(engine.rtl, Rtl)

    def build(spec: Any) -> Any:  # the engine's own would import the arrays when it is called
        return os_array(spec) if spec.dataflow == "os" else ws_array(spec)

    return dataclasses.replace(engine, rtl=dataclasses.replace(engine.rtl, build=build))


def engine_with(
    kind: str, component: str, module: str, old: str, new: str, rtl: str = "rtl"
) -> Engine:
    """Return an engine with a fault in a module of it, or in what it uses.

    Parameters
    ----------
    component
        Class in the engine's module ``rtl`` that verification makes of a spec.
    rtl
        That module, where it has another name.
    """
    with in_place(Mutation(module, old, new)):
        engine: Engine = importlib.import_module(f"archsim.engines.{kind}").ENGINE
        # the engine's own `build` would import it when it is called
        built = getattr(importlib.import_module(f"archsim.engines.{kind}.{rtl}"), component)
        assert module in sys.modules, f"the engine does not use {module}"
    assert isinstance(engine.rtl, Rtl)
    hardware = dataclasses.replace(engine.rtl, build=built, bench=built)
    return dataclasses.replace(engine, rtl=hardware)


def is_caught(engine: Engine, spec: Any, most_cases: int, seed: int, symptom: str) -> bool:
    """Return whether cases of an engine disagree in a way; most bugs need few of them."""
    assert engine.cases is not None
    cases = engine.cases(np.random.default_rng(seed), spec, most_cases)
    some = (cases[first : first + FEW_CASES] for first in range(0, most_cases, FEW_CASES))
    rows = (row for few in some for row in run_cases(engine, few, seed, "amaranth"))
    return any(symptom in text for row in rows for text in row.disagreements)
