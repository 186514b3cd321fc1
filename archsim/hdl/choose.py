"""Which engine of a design is meant, and its hardware face."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from archsim.design import Design, one_of
from archsim.errors import InputError

if TYPE_CHECKING:
    from archsim.engines import Engine, Rtl


def no_rtl(engines: Mapping[str, Engine], spec: Any) -> str:
    """Return why an engine has no RTL; empty if it has."""
    return str(getattr(engines[spec.kind].rtl, "reason", ""))


def chosen_engine(design: Design, engines: Mapping[str, Engine], name: str | None) -> str:
    """Return the engine's name in the design: the one asked for, or the first one with RTL.

    Raises
    ------
    InputError
        If there is no such engine, or it has no RTL.
    """
    reasons = {n: no_rtl(engines, spec) for n, spec in design.engines.items()}
    if name is not None:
        if name not in reasons:
            raise InputError("--engine", f"must be {one_of(reasons, name)}", name)
        if reasons[name]:
            raise InputError("--engine", "must be an engine with RTL", name, fix=reasons[name])
        return name
    able = [n for n, reason in reasons.items() if not reason]
    if not able:
        why = "; ".join(f"{n}: {reason}" for n, reason in reasons.items())
        raise InputError(f"design {design.name!r}", "must have an engine with RTL", fix=why)
    return able[0]


def rtl_of(engines: Mapping[str, Engine], spec: Any) -> Rtl:
    """Return the hardware face of a spec's engine.

    Raises
    ------
    InputError
        If it is a model only.
    """
    rtl: Any = engines[spec.kind].rtl
    if reason := no_rtl(engines, spec):
        raise InputError("engine", "must be one with RTL", spec.kind, fix=reason)
    return rtl
