"""What reports show of a sparse product on the block: probes, balance, bytes, instructions."""

from __future__ import annotations

from collections.abc import Sequence

from archsim.engines.piuma.timing import MOST
from archsim.engines.probed import NO_COLLISIONS, probes_per_product, rows_of
from archsim.metric import Metric, Names, Panel, Series
from archsim.result import Result

KINDS = ("make", "product", "probe", "insert", "token", "scan", "emit", "sort", "dma")
BINS = tuple(f"windows.{edge:g}" for edge in (0.0, *MOST))
LABELS = ("to 1.1", "to 1.5", "to 2", "to 4", "to 8", "above 8")
STEP_FIGURES = ("imbalance", "thread_occupancy", "scratchpad_utilisation")
STRETCHES = 64  # that a run is divided into, for what goes on over time
MOST_POINTS = 256  # of a line by window


def imbalance(result: Result, names: Names) -> float:
    """Return the mean over ops, by their time."""
    rows = rows_of(result, names)
    time_ps = sum(row.occupied_ps for row in rows)
    if not time_ps:
        return 1.0
    return sum(row.figures["imbalance"] * row.occupied_ps for row in rows) / time_ps


def bytes_over_least(result: Result, names: Names) -> float:
    rows = rows_of(result, names)
    least = sum(row.counts["least_bytes"] for row in rows)
    moved = sum(row.dram_read_bytes + row.dram_write_bytes for row in rows)
    return moved / least if least else 0.0


def instructions(result: Result, names: Names) -> Sequence[Series]:
    """Return instructions of a product by what they are for, a series each."""
    rows = rows_of(result, names)
    ops = tuple(row.name for row in rows)

    def of(kind: str) -> tuple[float, ...]:
        return tuple(r.counts[f"instructions.{kind}"] / r.counts["products"] for r in rows)

    return [Series(kind, ops, of(kind)) for kind in KINDS if any(of(kind))]


def windows(result: Result, names: Names) -> Sequence[Series]:
    """Return how many windows have which imbalance, a series an op."""
    return [
        Series(row.name, LABELS, tuple(float(row.counts[name]) for name in BINS))
        for row in rows_of(result, names)
    ]


def ratios(result: Result, names: Names) -> Sequence[Series]:
    """Return by op slots looked at for a product, and bytes over the least."""
    rows = rows_of(result, names)
    ops = tuple(row.name for row in rows)
    probes = tuple(row.counts["probes"] / row.counts["products"] for row in rows)
    moved = (row.dram_read_bytes + row.dram_write_bytes for row in rows)
    over = tuple(x / row.counts["least_bytes"] for x, row in zip(moved, rows, strict=True))
    return [Series("slots of a product", ops, probes), Series("bytes", ops, over)] if rows else []


def occupancy(result: Result, names: Names) -> Sequence[Series]:
    """Return by op the shares of time in which threads, and banks of the scratchpad, are busy."""
    rows = rows_of(result, names)
    ops = tuple(row.name for row in rows)
    shown = {"threads": "thread_occupancy", "scratchpad": "scratchpad_utilisation"}
    return [
        Series(name, ops, tuple(row.figures[figure] for row in rows))
        for name, figure in shown.items()
        if rows
    ]


def over_time(result: Result, names: Names) -> Sequence[Series]:
    """Return how busy block, threads, banks and DRAM are in each stretch of the run; of `event`."""
    total_ps = max((span.end_ps for span in result.spans), default=0)
    if not total_ps:
        return []
    step_ps = -(-total_ps // STRETCHES)
    edges = [i * step_ps for i in range(STRETCHES)]
    block, dma = set(names), {f"{name}.dma" for name in names}
    found = []
    for what, resources, figure in (
        ("block", block, None),
        ("threads", block, "thread_occupancy"),
        ("scratchpad", block, "scratchpad_utilisation"),
        ("DRAM", dma, None),
    ):
        busy = [0.0] * STRETCHES
        for span in result.spans:
            if span.resource in resources:
                share = 1.0 if figure is None else span.figures.get(figure, 0.0)
                for i in range(span.start_ps // step_ps, -(-span.end_ps // step_ps)):
                    inside = min(span.end_ps, edges[i] + step_ps) - max(span.start_ps, edges[i])
                    busy[i] += share * inside
        shares = tuple(amount / step_ps for amount in busy)
        found.append(Series(what, tuple(edge / 1e6 for edge in edges), shares))
    return found


def imbalance_by_window(result: Result, names: Names) -> Sequence[Series]:
    """Return the imbalance of every window, or the mean of as many as make a point; of `event`."""
    found = []
    for name in names:
        spans = [s for s in result.spans if s.resource == name and "imbalance" in s.figures]
        each = -(-len(spans) // MOST_POINTS)
        parts = [spans[i : i + each] for i in range(0, len(spans), max(each, 1))]
        means = tuple(sum(s.figures["imbalance"] for s in part) / len(part) for part in parts)
        if parts:
            found.append(Series(name, tuple(float(i * each) for i in range(len(parts))), means))
    return found


METRICS = (
    Metric(
        "piuma_probes_per_product", "Slots looked at for a product", value=probes_per_product,
        meaning=NO_COLLISIONS,
    ),
    Metric(
        "piuma_imbalance", "Work of the busiest thread over the mean", value=imbalance,
        meaning="1 where all threads have the same; windows count by their time.",
    ),
    Metric(
        "piuma_bytes_over_least", "DRAM bytes over the least", value=bytes_over_least,
        meaning="Over A, the rows of B that are used, and C, each moved once.",
    ),
)  # fmt: skip
PANELS = (
    Panel(
        "Instructions of a product", "product", "instructions", instructions,
        meaning="By what they are for; writing back is scan, emit and sort, which DMA takes over.",
    ),
    Panel(
        "Windows by imbalance", "busiest thread over mean", "windows", windows,
        meaning="Threads wait for the busiest at the end of every window.",
    ),
    Panel(
        "Imbalance by window", "window", "busiest thread over mean", imbalance_by_window, "lines",
        f"From the event fidelity; of more than {MOST_POINTS} windows a point is the mean of some.",
    ),
    Panel(
        "Collisions and traffic", "product", "over the least", ratios,
        meaning="1 would be a slot for every product, and A, what is used of B, and C moved once.",
    ),
    Panel(
        "Threads and scratchpad", "product", "share of time", occupancy,
        meaning="Threads with an instruction under way, and banks that are held.",
    ),
    Panel(
        "Block, threads, scratchpad and DRAM over time", "us", "share of time", over_time, "lines",
        "From the event fidelity: the block hashes while DRAM loads and stores other windows.",
    ),
)  # fmt: skip
