"""When everything happened: what `analytic` and `kernel` return, and how repeats are folded."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice

from archsim.errors import ArchsimError
from archsim.result import Span
from archsim.schedule import Program

# What is run of a long repeat: a first iteration, two that must be alike, and the last, which
# prefetches for what comes after. The ones left out stand between the third and the last.
RUN_ITERATIONS = 4
STEADY = 2  # the iteration that stands for those left out
MAX_RUNS = 250_000  # of ops, about 300 MB


@dataclass(slots=True)
class Execution:
    """One run of an op.

    Parameters
    ----------
    begin_ps, end_ps
        From the engine being free for it to its last result stored, or computed if kept.
    start_ps
        Of its first load or job, prefetched weights aside.
    occupied_ps
        Time that jobs hold the engine.
    stretched_ps
        That part of it which contention inside jobs adds (`Engine.process`).
    dma_busy_ps, inside_ps
        Time that its transfers, and the prefetch for the next op, hold the DRAM; and its jobs.
    wait_ps
        Engine time lost before its steps: on ``load``, ``store`` (a full result buffer), ``input``.
    dma_wait_ps
        DMA time lost with a transfer at its head: on ``buffer`` (a slot still in use), ``input``,
        or ``dram`` (another DMA has it).
    """

    item: int
    stretch: int
    iteration: int
    op: int
    begin_ps: int = 0
    start_ps: int = 0
    end_ps: int = 0
    occupied_ps: int = 0
    stretched_ps: int = 0
    dma_busy_ps: int = 0
    inside_ps: int = 0
    wait_ps: dict[str, int] = field(default_factory=lambda: {"load": 0, "store": 0, "input": 0})
    dma_wait_ps: dict[str, int] = field(
        default_factory=lambda: {"buffer": 0, "input": 0, "dram": 0}
    )
    tail_ps: tuple[int, ...] = ()  # what of the engine and its DMA can still delay what follows
    contended: list[tuple[int, int]] = field(default_factory=list)

    def contend(self, wait_ps: int, end_ps: int) -> None:
        """Record a transfer that waited for DRAM, with its end after the execution's beginning.

        All else that happens inside follows from these and from the state at its beginning.
        """
        self.dma_wait_ps["dram"] += wait_ps
        self.contended.append((wait_ps, end_ps))

    def shape(self, start_ps: int) -> tuple[object, ...]:
        """Return all that happened, relative to a time."""
        times = (self.begin_ps, self.start_ps, self.end_ps, *self.tail_ps)
        return (
            self.op, tuple(t - start_ps for t in times), self.occupied_ps, self.stretched_ps,
            self.inside_ps, self.wait_ps, self.dma_wait_ps, self.contended,
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Timeline:
    """Every execution in order, and the end of the last; only `kernel` records ``spans``."""

    executions: tuple[Execution, ...]
    total_ps: int
    spans: tuple[Span, ...] = ()


Runner = Callable[[Mapping[int, int], int], Timeline]  # of repeats and items: see `Program.runs`


@dataclass(frozen=True, slots=True)
class Folded:
    """A timeline in which long repeats were run a few times and then counted.

    Parameters
    ----------
    skipped
        By stretch: iterations that were not run, each like the `STEADY` one.
    skipped_items
        Items of the stream that were not run, each like the `STEADY` one.
    total_ps, latency_ps
        End of the whole run, what was skipped included, and of the first item.
    """

    timeline: Timeline
    skipped: Mapping[int, int]
    skipped_items: int
    total_ps: int
    latency_ps: int

    def weighted(self) -> Iterator[tuple[Execution, int]]:
        """Yield executions with how many runs each stands for."""
        for each in self.timeline.executions:
            weight = 1 + (self.skipped.get(each.stretch, 0) if each.iteration == STEADY else 0)
            if each.item == STEADY:
                weight *= 1 + self.skipped_items
            yield each, weight


def fold_repeats(program: Program, run: Runner, most_steps: int) -> Folded:
    """Run a program with repeats shortened where that provably changes nothing.

    A repeat is periodic if its second and third iterations run alike, relative to their start, down
    to the state that they leave behind, and if the period is a whole number of cycles of every
    clock. Nothing else may run beside it: what stands before it must have ended, what stands after
    it must start later, and where several engines share it, an iteration must have ended before the
    next but one starts. (Then, when an iteration starts, all that is under way is of the one before
    it, and that has been alike twice.) If any of this does not hold, the program is run in full. So
    with the items of a stream, if all ops are one engine's: those of several engines overlap.

    Raises
    ------
    ArchsimError
        If more than ``most_steps`` steps would have to be run.
    """
    long = {
        number: RUN_ITERATIONS
        for number, stretch in enumerate(program.stretches)
        if stretch.repeat > RUN_ITERATIONS and (program.stages == 1 or program.items == 1)
    }
    one_engine = len({placed.unit.name for placed in program.ops}) == 1
    few = min(program.items, RUN_ITERATIONS) if one_engine else program.items
    attempts = [(long, few), ({}, few), (long, program.items), ({}, program.items)]
    for repeats, items in attempts:
        _check_steps(program, repeats, items, most_steps)
        folded = _folded(program, run(repeats, items), repeats, items)
        if folded is not None:
            return folded
    raise AssertionError("a program that is run in full needs no folding")


def _check_steps(program: Program, repeats: Mapping[int, int], items: int, most: int) -> None:
    runs = steps = 0
    for number, stretch in enumerate(program.stretches):
        mine = program.ops[stretch.start : stretch.stop]
        times = items * repeats.get(number, stretch.repeat)
        runs += times * len(mine)
        steps += times * sum(placed.plan.steps for placed in mine)
    if runs > MAX_RUNS:
        raise ArchsimError(
            f"{runs:,} executions of ops would have to be run, and at most {MAX_RUNS:,} are; "
            "ask for fewer batches, or repeat blocks less often"
        )
    if steps > most:
        raise ArchsimError(
            f"{steps:,} buffer tiles would have to be run, and at most {most:,} are; "
            "raise memories.buffer.capacity_bytes, ask for fewer batches, or for analytic"
        )


def _folded(
    program: Program, timeline: Timeline, repeats: Mapping[int, int], items: int
) -> Folded | None:
    """Return a timeline with what was left out counted; None if that is not all alike."""
    skipped = {n: program.stretches[n].repeat - RUN_ITERATIONS for n in repeats}
    rounds: dict[tuple[int, int, int], list[Execution]] = {}
    for each in timeline.executions:
        rounds.setdefault((each.item, each.stretch, each.iteration), []).append(each)
    shift_ps: dict[tuple[int, int], int] = {}  # by item and stretch: of what follows it
    for number in repeats:
        for item in range(items):
            period_ps = _period_ps(program, timeline, rounds, item, number)
            if period_ps is None:
                return None
            shift_ps[item, number] = period_ps * skipped[number]
    skipped_items = program.items - items
    between_ps = 0
    if skipped_items:
        between = _items_period_ps(program, timeline, shift_ps)
        if between is None:
            return None
        between_ps = between * skipped_items
    _shift(timeline.executions, shift_ps, between_ps)
    ends = [each.end_ps for each in timeline.executions]
    first = [each.end_ps for each in timeline.executions if each.item == 0]
    total_ps, latency_ps = max(ends, default=0), max(first, default=0)
    return Folded(timeline, skipped, skipped_items, total_ps, latency_ps)


def _shift(
    executions: Iterable[Execution], shift_ps: Mapping[tuple[int, int], int], between_ps: int
) -> None:
    """Put executions where they are once what was left out before them is counted."""
    ahead = dict(shift_ps)
    if between_ps:
        ahead[STEADY + 1, -1] = between_ps
    later_ps = 0
    for each in executions:
        if each.iteration == STEADY + 1:
            later_ps += ahead.pop((each.item, each.stretch), 0)
        later_ps += ahead.pop((each.item, -1), 0)
        each.begin_ps += later_ps
        each.start_ps += later_ps
        each.end_ps += later_ps


def _period_ps(
    program: Program,
    timeline: Timeline,
    rounds: Mapping[tuple[int, int, int], list[Execution]],
    item: int,
    number: int,
) -> int | None:
    """Return how much later each iteration of a stretch is than the last, if all are alike."""
    mine = [rounds[item, number, i] for i in range(RUN_ITERATIONS)]
    _, steady, following, last = mine
    base_ps, end_ps = steady[0].begin_ps, last[-1].end_ps
    period_ps = following[0].begin_ps - base_ps
    for each in timeline.executions:
        if (each.item, each.stretch) < (item, number):
            if max(each.end_ps, *each.tail_ps) > base_ps:
                return None
        elif (each.item, each.stretch) > (item, number) and (
            each.start_ps < end_ps or each.begin_ps < last[0].begin_ps
        ):
            return None
    if any(e.end_ps > end_ps for e in last) or not _whole(program, period_ps):
        return None
    if len({program.ops[e.op].unit.name for e in steady}) > 1:
        for one, next_but_one in ((mine[0], mine[2]), (mine[1], mine[3])):
            ends_ps = max(max(e.end_ps, e.tail_ps[0]) for e in one)
            if ends_ps > min(_touched_ps(program, e) for e in next_but_one):
                return None
    again_ps = following[0].begin_ps
    alike = [e.shape(base_ps) for e in steady] == [e.shape(again_ps) for e in following]
    return period_ps if alike else None


def _touched_ps(program: Program, execution: Execution) -> int:
    """Return a time before which an execution does nothing, weights for its first step aside.

    Where step 0 loads nothing, the load of step 1 may be ahead of it, or the next op's weights.
    """
    placed = program.ops[execution.op]
    moves = placed.moves
    loads = [load_ps for load_ps, *_ in islice(moves.steps(moves.first_ps), 2)]
    if loads[0]:
        return execution.start_ps
    ahead = moves.dma_ps == moves.last_ps and any(
        op.moves.prefetch_ps for op in program.ops if op.unit.name == placed.unit.name
    )
    return execution.begin_ps if ahead or any(loads) else execution.start_ps


def _items_period_ps(
    program: Program, timeline: Timeline, shift_ps: Mapping[tuple[int, int], int]
) -> int | None:
    """Return how much later each item is than the one before, if all are alike."""
    steady, following = (
        [e for e in timeline.executions if e.item == item] for item in (STEADY - 1, STEADY)
    )
    base_ps, again_ps = steady[0].begin_ps, following[0].begin_ps
    inside = [
        sorted((n, ps) for (item, n), ps in shift_ps.items() if item == x)
        for x in (STEADY - 1, STEADY)
    ]
    if inside[0] != inside[1]:
        return None
    if [e.shape(base_ps) for e in steady] != [e.shape(again_ps) for e in following]:
        return None
    period_ps = again_ps - base_ps + sum(ps for _, ps in inside[0])
    return period_ps if _whole(program, period_ps) else None


def _whole(program: Program, period_ps: int) -> bool:
    """Return whether a time is a whole number of cycles of every clock."""
    clocks = {unit.clock for unit in program.units}
    return all((period_ps / clock.period_ps).denominator == 1 for clock in clocks)
