"""Torch models: ``pkg.module:factory`` names a function that returns a module and its inputs."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from archsim.frontends import Frontend
from archsim.frontends.options import Options
from archsim.trace import OpKind, Trace

if TYPE_CHECKING:
    from archsim.frontends.data import Run

_FACTORY = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*(\.[A-Za-z_]\w*)*", re.ASCII)


def _load(model: str, options: Options, kinds: Mapping[str, OpKind]) -> Trace:
    from archsim.frontends.torch.export import load_torch  # noqa: PLC0415 (torch is an extra)

    return load_torch(model, options)


def _run(model: str, options: Options, run: Run) -> tuple[Mapping[str, NDArray[Any]], str]:
    from archsim.frontends.torch.run import run_torch  # noqa: PLC0415 (torch is an extra)

    return run_torch(model, options, run)


FRONTEND = Frontend(
    "package.module:factory",
    lambda model: _FACTORY.fullmatch(model) is not None,
    _load,
    run=_run,
)
