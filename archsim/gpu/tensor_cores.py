"""Which tensor instructions a product of blocks becomes on a target, and how many of them.

An instruction of ``mma.sync`` multiplies 16 x 8 x (256 / bits of an element) elements, and each
warp holds its own. ``wgmma`` takes 64 rows of four warps and up to 256 columns, ``tcgen05.mma`` up
to 128 rows, both 256 bits deep. Triton peels the first step off a loop of ``tcgen05.mma``, so that
its functions hold such a loop's instructions twice.
"""

from __future__ import annotations

from math import prod

BITS = {"tf32": 32, "fp16": 16, "bf16": 16, "int8": 8, "e4m3": 8, "e5m2": 8}


def instruction_of(target: str) -> str:
    """Return the name of a target's instruction for dense products of blocks."""
    return {"sm_90": "wgmma.mma_async", "sm_100": "tcgen05.mma"}.get(target, "mma.sync")


def dot_instructions(
    target: str, m: int, n: int, k: int, form: str, warps: int, *, looped: bool = True
) -> dict[str, int]:
    """Return the instructions of a block product [m, k] x [k, n], by name.

    Parameters
    ----------
    looped
        Whether the product stands in a loop over k.
    """
    depth = 256 // BITS[form]
    name = instruction_of(target)
    widest = 128 if form == "int8" else 256  # Triton takes none of 256 columns for int8
    extents = {
        "mma.sync": (16 * warps, 8, depth),
        "wgmma.mma_async": (16 * warps, min(n, widest), depth),
        "tcgen05.mma": (128, min(n, 256), depth),
    }[name]
    peeled = 2 if looped and name == "tcgen05.mma" else 1
    return {name: peeled * prod(-(-a // b) for a, b in zip((m, n, k), extents, strict=True))}
