"""Published numbers beside ours: one file or folder a paper, found by listing this folder.

A module here that exports ``PAPER`` is a paper; no list is edited to add one. What is published
carries in words how far it can be trusted, what is ours is computed when the command runs, and
whatever differs says why.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Mapping
from functools import cache
from types import MappingProxyType

from archsim.errors import InputError
from archsim.reproduce.row import Paper as Paper
from archsim.reproduce.row import Row as Row
from archsim.reproduce.row import Section as Section


@cache
def discover() -> Mapping[str, Paper]:
    """Return every paper by name."""
    found: dict[str, Paper] = {}
    for module in pkgutil.iter_modules(__path__):
        paper = getattr(importlib.import_module(f"{__name__}.{module.name}"), "PAPER", None)
        if paper is not None:
            found[paper.name] = paper
    return MappingProxyType(found)


def paper(name: str) -> Paper:
    """Return a paper by its name.

    Raises
    ------
    InputError
        If there is none of it.
    """
    known = discover()
    if name not in known:
        raise InputError("paper", f"must be one of {', '.join(known)}", name)
    return known[name]
