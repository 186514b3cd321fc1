"""Which tensor instructions a product of blocks becomes on a target, and how many of them.

An instruction of ``mma.sync`` multiplies 16 x 8 x (256 / bits of an element) elements, and each
warp holds its own. ``wgmma`` takes 64 rows of four warps and up to 256 columns, ``tcgen05.mma`` up
to 128 rows, both 256 bits deep; blocks of fewer than 64 rows are left to ``mma.sync``.
"""

from __future__ import annotations

from math import prod

BITS = {"tf32": 32, "e2m1": 4, "fp16": 16, "bf16": 16, "int8": 8, "e4m3": 8, "e5m2": 8}


def instruction_of(target: str, rows: int = 128) -> str:
    """Return the name of a target's instruction for products of blocks of so many rows."""
    by_warps = {"sm_90": "wgmma.mma_async", "sm_100": "tcgen05.mma"}
    return by_warps.get(target, "mma.sync") if rows >= 64 else "mma.sync"


def dot_instructions(
    target: str, m: int, n: int, k: int, form: str, warps: int, *, copies: int = 1
) -> dict[str, int]:
    """Return the instructions of a block product [m, k] x [k, n], by name.

    Parameters
    ----------
    copies
        How often a function holds a product by ``tcgen05.mma``, where Triton peels steps off the
        loop that it stands in.
    """
    depth, name = 256 // BITS[form], instruction_of(target, m)
    widest = 128 if form == "int8" else 256  # Triton takes no wgmma of 256 columns for int8
    if name == "mma.sync":
        return {name: m * n * k // (16 * 8 * depth * warps)}
    if name == "wgmma.mma_async":
        return {name: 4 * prod(_blocks((m, n, k), (64, min(n, widest), depth))) // warps}
    return {name: copies * prod(_blocks((m, n, k), (128, min(n, 256), depth)))}


def _blocks(extents: tuple[int, ...], of: tuple[int, ...]) -> list[int]:
    return [-(-extent // one) for extent, one in zip(extents, of, strict=True)]
