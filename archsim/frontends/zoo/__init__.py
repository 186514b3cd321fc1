"""Well-known models that need no download: shapes and operations, no trained values.

Each module here exports ``MODELS``, name to the function that adds the model's layers. Batch norms
are folded into their convolutions, so a filter's bias stands for its norm's two parameters.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Iterator, Mapping
from functools import cache

from archsim.frontends import Frontend
from archsim.frontends.options import Options
from archsim.frontends.policy import Policy
from archsim.frontends.zoo.layers import Layers
from archsim.trace import OpKind, Trace

Model = Callable[[Layers, Options], None]


@cache
def models() -> Mapping[str, Model]:
    """Return every model of the zoo by name."""
    found: dict[str, Model] = {}
    for module in pkgutil.iter_modules(__path__):
        found |= getattr(importlib.import_module(f"{__name__}.{module.name}"), "MODELS", {})
    return found


def _load(model: str, options: Options, kinds: Mapping[str, OpKind]) -> Trace:
    layers = Layers(model, Policy.take(options), "")
    models()[model](layers, options)
    keys = ",".join(f"{key}={value}" for key, value in options.taken.items())
    layers.source = f"zoo {model}@{keys}"
    return layers.build()


def _names() -> Iterator[str]:
    return iter(models())


FRONTEND = Frontend("", lambda model: model in models(), _load, _names)
