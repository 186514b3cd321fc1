"""What a query takes on one processor in a long row: the exact time of a sample of the queries.

A frame is composed of it. What a query waits for is told apart by what would be left without: with
queues of any depth, the level with most turns at its banks would decide; without conflicts, a query
a cycle; and an array that layers take in turn has a pace of its own.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, replace

from archsim.engines import NO_STALLS
from archsim.engines.ngpc.jobs import fixed, mapped
from archsim.engines.ngpc.recurrence import course
from archsim.engines.ngpc.service import service
from archsim.engines.ngpc.spec import NgpcSpec
from archsim.graphics.encoding import GRIDS, Encoding
from archsim.graphics.field import Field
from archsim.patterns import Known

MOST_LOG2 = 24  # entries of a table, as log2
SAMPLE_PORT = "samples"  # what `OpKind.ports` calls the queries
CYCLES_FOLLOW_FROM = (
    "engines", "parallel", "banks", "bank_map", "sram_cycles", "fifo_depth", "mlp_mode",
    "mlp_layers", "mlp_stages",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Steady:
    """A sample of queries on one processor.

    Parameters
    ----------
    cycles, sampled
        That queries of the sample took behind the first.
    fill
        Cycles of the first alone.
    once
        Cycles of a query that waits for nothing: positions come one a cycle.
    bank, fifo, mlp
        What it takes longer because corners of the level that takes longest meet in a bank; because
        levels wait for each other in queues that end; because arrays are not free.
    levels, lookups
        Of a query, and entries that it reads: corners that share one read it once.
    conflicts
        Turns beyond the first, all levels together, mean of a query.
    """

    cycles: int
    sampled: int
    fill: int
    once: float
    bank: float
    fifo: float
    mlp: float
    levels: int
    lookups: float
    conflicts: float

    @property
    def per_query(self) -> float:
        """Cycles of a query."""
        return self.cycles / self.sampled


def is_grid(field: Field) -> bool:
    """Return whether queries are encoded by a grid."""
    return field.encoding.split()[0] in GRIDS


def grid_of(spec: NgpcSpec, field: Field) -> Encoding:
    """Return the grid that queries are encoded by, as the engine reads it."""
    grid = mapped(spec, Encoding.parse(field.encoding))
    if spec.tables == "cut" and grid.grid == "hash":
        return replace(grid, log2_table=min(grid.log2_table, spec.table_log2))
    return grid


def steady(spec: NgpcSpec, field: Field, known: Known) -> Steady:
    """Return what queries of a frame take; it is found once for all designs of such processors."""
    grid = grid_of(spec, field)
    own: Hashable = tuple(getattr(spec, name) for name in CYCLES_FOLLOW_FROM)
    return known.once(
        ("steady", own, grid.text, len(field.layers)),
        lambda: _steady(spec, grid, len(field.layers), known),
    )


def _steady(spec: NgpcSpec, grid: Encoding, layers: int, known: Known) -> Steady:
    positions = fixed(known.arrays[SAMPLE_PORT][:, : grid.dims])
    # where tables end does not change which corners meet, and they may be larger than memories
    roomy = spec.model_copy(update={"table_log2": MOST_LOG2})
    work, count = service(roomy, grid, positions), len(positions)
    given = course(roomy, work, count, layers, 1, NO_STALLS).given
    first, last = int(given[0]), int(given[-1])
    banks = float(work.turns.mean(axis=0).max()) / work.group
    arrays = 1.0 if spec.mlp_mode == "layered" else float(layers)
    waits = (last - first) / (count - 1) - 1
    bank = min(max(banks - 1, 0.0), waits)
    mlp = min(max(arrays - 1 - bank, 0.0), waits - bank)
    turns = (work.turns[:, : grid.levels * work.group] - 1).sum()
    return Steady(
        cycles=last - first, sampled=count - 1, fill=first, once=1.0, bank=bank, mlp=mlp,
        fifo=waits - bank - mlp, levels=grid.levels, lookups=work.reads / count,
        conflicts=float(turns) / count,
    )  # fmt: skip
