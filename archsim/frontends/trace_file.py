"""Traces that were written before: ``.jsonl`` files."""

from __future__ import annotations

from collections.abc import Mapping

from archsim.frontends import Frontend
from archsim.frontends.options import Options
from archsim.trace import OpKind, Trace
from archsim.trace_io import read_trace


def _load(model: str, options: Options, kinds: Mapping[str, OpKind]) -> Trace:
    options.done()  # a trace is what it is
    return read_trace(model, kinds)


FRONTEND = Frontend("FILE.jsonl", lambda model: model.endswith(".jsonl"), _load)
