"""The reference kernels: a module holds a family's records, one of `archsim.gpu.source` its source.

Adding a family means adding these two modules; no list is edited.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Mapping
from functools import cache
from types import MappingProxyType

from archsim.errors import InputError
from archsim.gpu.kernel import Kernel


@cache
def kernels() -> Mapping[str, Kernel]:
    """Return every kernel by name: what modules beside this one list as ``KERNELS``."""
    found: dict[str, Kernel] = {}
    for module in pkgutil.iter_modules(__path__):
        family = importlib.import_module(f"{__name__}.{module.name}")
        found.update({kernel.name: kernel for kernel in family.KERNELS})
    return MappingProxyType(dict(sorted(found.items())))


def kernel(name: str) -> Kernel:
    """Return a kernel by name."""
    known = kernels()
    if name not in known:
        raise InputError("kernel", f"must be one of {', '.join(known)}", name)
    return known[name]
