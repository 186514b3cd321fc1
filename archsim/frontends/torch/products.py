"""ATen's products: convolutions, linear layers, matrix products, attention."""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import Any

from archsim.frontends.torch.operands import Call


def _linear(call: Call) -> None:
    """Convert ``x W' + b``, as exporters to ONNX do: rows of more axes than one are a stack."""
    x, w, bias = call.leading(3)
    shape, features = call.shape(x), call.shape(w)
    if len(shape) == 2 and bias and len(features) == 2:
        call.result("Gemm", [x, w, bias], transB=1)
        return
    turned = call.step("Transpose", [w], features[::-1]) if len(features) == 2 else w
    if not bias:
        call.result("MatMul", [x, turned])
        return
    product = call.step("MatMul", [x, turned], (*shape[:-1], *features[:-1]))
    call.result("Add", [product, bias])


def _addmm(call: Call) -> None:
    added, a, b = (call.named(name) for name in ("self", "mat1", "mat2"))
    call.result("Gemm", [a, b, added], alpha=call.get("alpha", 1), beta=call.get("beta", 1))


def _baddbmm(call: Call) -> None:
    added, a, b = (call.named(name) for name in ("self", "batch1", "batch2"))
    shape = (*call.shape(a)[:-1], call.shape(b)[-1])
    call.result("Add", [call.step("MatMul", [a, b], shape), added])


def _einsum(call: Call) -> None:
    call.result("Einsum", call.all_tensors(), equation=call.get("equation"))


def _convolution(call: Call) -> None:
    """Convert a convolution, transposed or not; one image without a batch axis gets one."""
    x, w, bias = call.leading(3)
    rank = len(call.shape(w)) - 2
    transposed = bool(call.get("transposed", "transpose" in call.node.target._schema.name))
    pads, mode = _pads(call, rank)
    attributes: dict[str, Any] = {
        "kernel_shape": list(call.shape(w)[2:]), "strides": call.extents("stride", rank),
        "pads": pads, "dilations": call.extents("dilation", rank), "group": call.get("groups", 1),
        "auto_pad": mode,
    }  # fmt: skip
    name = "ConvTranspose" if transposed else "Conv"
    if len(call.shape(x)) == rank + 2:
        call.result(name, [x, w, bias], **attributes)
        return
    one = call.step("Reshape", [x], (1, *call.shape(x)))
    shape = (1, *call.node.meta["val"].shape)
    call.result("Reshape", [call.step(name, [one, w, bias], shape, **attributes)])


def _pads(call: Call, rank: int) -> tuple[list[int], str]:
    """Return begins and ends, and ONNX's mode."""
    if isinstance(call.get("padding"), str):
        return [0] * 2 * rank, {"same": "SAME_UPPER"}.get(call.get("padding"), "VALID")
    return call.extents("padding", rank) * 2, "NOTSET"


def _attention(call: Call) -> None:
    """Convert scaled dot product attention; leading axes join, what is no stack becomes one."""
    q, k, v, mask = call.leading(4)
    out = tuple(call.node.meta["val"].shape)
    causal = int(bool(call.get("is_causal", False)))
    operands = []
    for x in (q, k, v):
        shape = call.shape(x)
        lead = (1,) * max(0, 4 - len(shape))
        batch = (prod(shape[:-3]),) if len(shape) > 4 else ()
        four = (*lead, *shape) if not batch else (*batch, *shape[-3:])
        operands.append(x if four == shape else call.step("Reshape", [x], four))
    inputs = [*operands, mask] if mask else operands
    if len(out) == 4:
        call.result("Attention", inputs, is_causal=causal)
        return
    four = (*(1,) * (4 - len(out)), *out) if len(out) < 4 else (prod(out[:-3]), *out[-3:])
    call.result("Reshape", [call.step("Attention", inputs, four, is_causal=causal)])


HANDLERS: dict[str, Callable[[Call], None]] = {
    "linear": _linear,
    "addmm": _addmm,
    "baddbmm": _baddbmm,
    "einsum": _einsum,
    "convolution": _convolution,
    **{f"conv{n}d": _convolution for n in (1, 2, 3)},
    **{f"conv_transpose{n}d": _convolution for n in (1, 2, 3)},
    "scaled_dot_product_attention": _attention,
}
