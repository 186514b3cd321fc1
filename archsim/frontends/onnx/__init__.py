"""ONNX models: shapes inferred, operators lowered, element-wise work fused."""

from __future__ import annotations

from collections.abc import Mapping

from archsim.frontends import Frontend
from archsim.frontends.options import Options
from archsim.trace import OpKind, Trace


def _load(model: str, options: Options, kinds: Mapping[str, OpKind]) -> Trace:
    from archsim.frontends.onnx.load import load_onnx  # noqa: PLC0415 (onnx is slow to import)

    return load_onnx(model, options)


FRONTEND = Frontend("FILE.onnx", lambda model: model.endswith(".onnx"), _load)
