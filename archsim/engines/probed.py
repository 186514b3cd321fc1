"""What designs with a hash table are judged by, whichever engine has it."""

from __future__ import annotations

from archsim.metric import Names
from archsim.result import OpRow, Result

NO_COLLISIONS = "1 where no two entries ask for one slot."


def rows_of(result: Result, names: Names) -> list[OpRow]:
    """Return the rows of ops that made products on some engines."""
    return [row for row in result.per_op if row.engine in names and row.counts.get("products")]


def probes_per_product(result: Result, names: Names) -> float:
    """Return the slots that a product looks at; 0 without products."""
    rows = rows_of(result, names)
    products = sum(row.counts["products"] for row in rows)
    return sum(row.counts["probes"] for row in rows) / products if products else 0.0
