"""ONNX models: shapes inferred, operators lowered, element-wise work fused."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from archsim.frontends import Frontend
from archsim.frontends.options import Options
from archsim.trace import OpKind, Trace

if TYPE_CHECKING:
    from archsim.frontends.data import Run


def _load(model: str, options: Options, kinds: Mapping[str, OpKind]) -> Trace:
    from archsim.frontends.onnx.load import load_onnx  # noqa: PLC0415 (onnx is slow to import)

    return load_onnx(model, options)


def _run(model: str, options: Options, run: Run) -> tuple[Mapping[str, NDArray[Any]], str]:
    from archsim.frontends.onnx.run import run_onnx  # noqa: PLC0415 (an extra)

    return run_onnx(model, options, run)


FRONTEND = Frontend("FILE.onnx", lambda model: model.endswith(".onnx"), _load, run=_run)
