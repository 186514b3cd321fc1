"""Torch models: ``pkg.module:factory`` names a function that returns a module and its inputs."""

from __future__ import annotations

import re
from collections.abc import Mapping

from archsim.frontends import Frontend
from archsim.frontends.options import Options
from archsim.trace import OpKind, Trace

_FACTORY = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*(\.[A-Za-z_]\w*)*", re.ASCII)


def _load(model: str, options: Options, kinds: Mapping[str, OpKind]) -> Trace:
    from archsim.frontends.torch.export import load_torch  # noqa: PLC0415 (torch is an extra)

    return load_torch(model, options)


FRONTEND = Frontend(
    "package.module:factory",
    lambda model: _FACTORY.fullmatch(model) is not None,
    _load,
)
