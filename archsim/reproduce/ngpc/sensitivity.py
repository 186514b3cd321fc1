"""What the answer hangs on: one choice changed at a time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from archsim.graphics.apps import REST_SHARE
from archsim.reproduce.ngpc.runs import LAYERED, mean
from archsim.reproduce.row import Row, Section

CHANGES: Mapping[str, Mapping[str, Any]] = {
    "as shipped": {},
    "clock of 500 MHz": {"clock_mhz": 500},
    "clock of 700 MHz, which synthesis in ASAP7 reaches": {"clock_mhz": 700},
    "clock of 2 GHz": {"clock_mhz": {"mhz": 2000, "assumed": "a what-if"}},
    "1 bank": {"banks": 1, "bank_map": "index"},
    "8 banks by low bits, rows not padded": {"bank_map": "index"},
    "16 banks": {"banks": 16},
    "32 banks": {"banks": 32},
    "8 banks by parity of vertices, tables fitted so": {"bank_map": "parity"},
    "no queues: all levels in lock-step": {"fifo_depth": 0},
    "queues of 1": {"fifo_depth": 1},
    "queues of 32": {"fifo_depth": 32},
    "one group of rays": {"ray_groups": 1},
    "batches of 2^18 queries": {"batch_queries": 1 << 18},
    "the GPU's other kernels not fused": {"rest_speedup": 1.0},
    "tables that spill, 2 bytes a feature": {"tables": "spilled"},
    "tables that spill, 1 byte a feature": {
        "tables": "spilled", "feature_bits": 8, "table_log2": 19,
    },
}  # fmt: skip
NFPS = 64


def section() -> Section:
    """Return mean speed-ups at 64 processors."""
    rows = [
        Row(f"{change}, {mode}", None, "model", mean(NFPS, **{**fields, **own}), unit="x")
        for change, own in CHANGES.items()
        for mode, fields in (("one array", {}), ("an array a layer", LAYERED))
    ]
    rows += [
        Row(f"scene of a room, {mode}", None, "model", mean(NFPS, "room", **fields), unit="x")
        for mode, fields in (("one array", {}), ("an array a layer", LAYERED))
    ]
    share = REST_SHARE["hash"]
    fused = 1 / (1 - share + share / 9.94)
    rows.append(
        Row("as shipped, over a GPU with its other kernels fused, one array", None, "model",
            mean(NFPS) / fused, unit="x")
    )  # fmt: skip
    notes = (
        "Mean of the four applications over the GPU alone, hash grid, 64 processors.",
        "A mean of ratios hides that NeRF has the most queries, and GIA one a pixel.",
    )
    return Section("What it hangs on", tuple(rows), notes)
