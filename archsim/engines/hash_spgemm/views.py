"""What to judge the engine by, and what reports show of its table."""

from __future__ import annotations

from collections.abc import Sequence

from archsim.engines.probed import NO_COLLISIONS, probes_per_product, rows_of
from archsim.metric import Metric, Names, Panel, Series
from archsim.result import Result

SHOWN = {
    "operations": "operations of banks", "adds": "of these, additions alone",
    "probes": "slots looked at", "conflicts": "waits for a bank",
    "slots_scanned": "slots walked to write back",
}  # fmt: skip


def table(result: Result, names: Names) -> Sequence[Series]:
    """Return what the table does for a product of each op; waits are counted where cycles are."""
    rows = rows_of(result, names)
    ops = tuple(row.name for row in rows)
    found = []
    for count, title in SHOWN.items():
        each = tuple(row.counts.get(count, 0) / row.counts["products"] for row in rows)
        if any(each):
            found.append(Series(title, ops, each))
    return found


PROBES = Metric(
    "hash_spgemm_probes_per_product", "Slots looked at for a product", value=probes_per_product,
    meaning=NO_COLLISIONS,
)  # fmt: skip
TABLE = Panel(
    "What the hash table does for a product", "Op", "for a product", table,
    meaning="A bank does an operation a cycle; the fewer, the less entries collide.",
)  # fmt: skip
