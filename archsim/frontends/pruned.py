"""Weights that are loaded packed and computed on dense: a model as if most had been pruned away.

Nothing is pruned: which weights stay is not said, only how many, and products are as before. So
this asks what a dense engine gains by loading less (load as sparse, compute as dense; Flash-LLM).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from archsim.errors import InputError
from archsim.trace import OpKind, Packed, Tensor, Trace

PLACE_BITS = 16  # of a kept weight in its tile of 128 x 64 elements, as in Flash-LLM's format
TWO_OF_FOUR = "2:4"


def pruned(trace: Trace, keep: str, kinds: Mapping[str, OpKind]) -> Trace:
    """Return a trace whose products' weights are packed.

    Parameters
    ----------
    keep
        ``2:4``, two of every four with two bits each, or the share that stays, above 0 and below 1,
        with `PLACE_BITS` bits each.

    Raises
    ------
    InputError
        If it is neither, or the trace has no weights that can be packed.
    """
    share = 0.5 if keep == TWO_OF_FOUR else _share(keep)
    bits = 2 if keep == TWO_OF_FOUR else PLACE_BITS
    names = {
        op.inputs[1]
        for op in trace.ops
        if kinds[op.kind].tiling == "gemm" and trace.tensors[op.inputs[1]].role == "weight"
    }
    if not names:
        raise InputError(f"{trace.name}: weights", "must be of a dense product to be packed")

    def packed(tensor: Tensor) -> Tensor:
        return replace(tensor, data=Packed(max(round(tensor.elements * share), 1), bits))

    tensors = {n: packed(t) if n in names else t for n, t in trace.tensors.items()}
    note = (
        f"weights of products are stored packed: {100 * share:g} % stay, {bits} bits say where "
        "each belongs; which ones is not said, and accuracy is not modelled"
    )
    return replace(trace, tensors=tensors, notes=(*trace.notes, note))


def _share(keep: str) -> float:
    try:
        share = float(keep)
    except ValueError:
        share = 0.0
    if not 0 < share < 1:
        raise InputError("--keep-weights", "must be 2:4 or a share above 0 and below 1", keep)
    return share
