"""What to judge a dataflow by: its traffic beside what no dataflow is without."""

from __future__ import annotations

from collections.abc import Sequence

from archsim.metric import Metric, Panel, Series
from archsim.result import Result

PARTS = {"a_bytes": "A", "b_bytes": "B", "partial_bytes": "partial products", "c_bytes": "C"}


def traffic_ratio(result: Result, names: Sequence[str]) -> float:
    """Return the bytes that ops moved over the least that any dataflow would; 0 without ops."""
    rows = [row for row in result.per_op if row.engine in names]
    least = sum(row.figures["least_bytes"] * row.repeat for row in rows)
    return sum(row.counts[part] for row in rows for part in PARTS) / least if least else 0.0


def traffic(result: Result, names: Sequence[str]) -> list[Series]:
    """Return the DRAM bytes of each op by matrix, over the least of the op."""
    rows = [row for row in result.per_op if row.engine in names]
    ops = tuple(row.name for row in rows)
    return [
        Series(
            title, ops,
            tuple(row.counts[part] / (row.figures["least_bytes"] * row.repeat) for row in rows),
        )
        for part, title in PARTS.items()
        if any(row.counts[part] for row in rows)
    ]  # fmt: skip


TRAFFIC_RATIO = Metric(
    "spgemm_traffic_ratio", "Sparse traffic ratio",
    meaning="DRAM bytes of sparse products over those of A, the rows of B that are met, and C.",
    value=traffic_ratio,
)  # fmt: skip
TRAFFIC = Panel(
    "DRAM traffic of sparse products", "Op", "Bytes over the least", traffic,
    meaning="One is A, the rows of B that are met, and C, each moved once.",
)  # fmt: skip
