"""Engines with one line of their source changed."""

from __future__ import annotations

import dataclasses
import importlib
from pathlib import Path
from types import ModuleType

from archsim.engines import Engine, Rtl
from archsim.engines.systolic import ENGINE


def mutant(module: str, old: str, new: str) -> ModuleType:
    """Return a module whose source has ``old`` replaced; ``old`` must stand there exactly once."""
    original = importlib.import_module(module)
    assert original.__file__ is not None
    source = Path(original.__file__).read_text()
    assert source.count(old) == 1, f"{module} has {source.count(old)} times {old!r}"
    changed = ModuleType(module)  # the same name, so that dataclasses find their annotations
    exec(compile(source.replace(old, new), f"mutant of {module}", "exec"), changed.__dict__)
    return changed


def systolic_with(module: str, old: str, new: str) -> Engine:
    """Return the systolic engine with a fault in one of its modules or in hardware that it uses."""
    changed = mutant(module, old, new)
    rtl = ENGINE.rtl
    assert isinstance(rtl, Rtl)
    name = module.removeprefix("archsim.engines.systolic.")
    if name == "timing":
        return dataclasses.replace(ENGINE, time=changed.time)
    if name in ("cycle_loop", "recurrence", "folds", "paced"):
        timing = mutant("archsim.engines.systolic.timing", "PORTS = (", "PORTS = (")
        what = {"folds": "folds_of", "paced": "closed_form"}.get(name)
        setattr(timing, what or name, getattr(changed, what) if what else changed)
        return dataclasses.replace(ENGINE, time=timing.time)
    if name == "reference":
        return dataclasses.replace(ENGINE, reference=changed.reference)
    if name == "beats":
        return dataclasses.replace(
            ENGINE, rtl=dataclasses.replace(rtl, pack=changed.pack, unpack=changed.unpack)
        )
    array = changed
    if name != "rtl":  # shared hardware: hand its classes to the array, or to what hands them on
        array = mutant("archsim.engines.systolic.rtl", "class SystolicArray", "class SystolicArray")
        if module == "archsim.hdl.fifo":
            gemm = mutant("archsim.hdl.gemm", "EXTENT_BITS = 24", "EXTENT_BITS = 24")
            gemm.PairFifo = changed.PairFifo
            changed = gemm
        for part in ("FoldSequencer", "RowDrain", "ResultPort", "CycleAccounts"):
            setattr(array, part, getattr(changed, part))
    return dataclasses.replace(ENGINE, rtl=dataclasses.replace(rtl, build=array.SystolicArray))
