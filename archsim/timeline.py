"""When everything happened: what `analytic` and `kernel` return, and how repeats are folded."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from archsim.result import Span
from archsim.schedule import Program

# What is run of a long repeat: a first iteration, two that must be alike, and the last, which
# prefetches for what comes after. The ones left out stand between the third and the last.
RUN_ITERATIONS = 4
STEADY = 2  # the iteration that stands for those left out


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
    dma_busy_ps
        Time that its transfers, and the prefetch for the next op, hold the DRAM.
    wait_ps
        Engine time lost before its steps: on ``load``, ``store`` (a full result buffer), ``input``.
    dma_wait_ps
        DMA time lost with a transfer at its head: on ``buffer`` (a slot still in use), ``input``,
        or ``dram`` (another DMA has it).
    """

    segment: int
    iteration: int
    op: int
    begin_ps: int = 0
    start_ps: int = 0
    end_ps: int = 0
    occupied_ps: int = 0
    dma_busy_ps: int = 0
    wait_ps: dict[str, int] = field(default_factory=lambda: {"load": 0, "store": 0, "input": 0})
    dma_wait_ps: dict[str, int] = field(
        default_factory=lambda: {"buffer": 0, "input": 0, "dram": 0}
    )
    tail_ps: tuple[int, ...] = ()  # what of the engine and its DMA can still delay what follows


@dataclass(frozen=True, slots=True)
class Timeline:
    """Every execution in order, and the end of the last; only `kernel` records ``spans``."""

    executions: tuple[Execution, ...]
    total_ps: int
    spans: tuple[Span, ...] = ()


@dataclass(frozen=True, slots=True)
class Folded:
    """A timeline in which long repeats were run a few times and then counted.

    Parameters
    ----------
    skipped
        By segment: iterations that were not run, each like the `STEADY` one.
    total_ps
        End of the whole run, skipped iterations included.
    """

    timeline: Timeline
    skipped: Mapping[int, int]
    total_ps: int

    def weighted(self) -> Iterator[tuple[Execution, int]]:
        """Yield executions with how many runs each stands for."""
        for execution in self.timeline.executions:
            stands = execution.iteration == STEADY
            yield execution, 1 + self.skipped.get(execution.segment, 0) if stands else 1


def fold_repeats(program: Program, run: Callable[[Mapping[int, int]], Timeline]) -> Folded:
    """Run a program with each repeated segment shortened where that provably changes nothing.

    A repeat is periodic if its second and third iterations run alike, relative to their start, down
    to the state that they leave behind, and if the period is a whole number of cycles of every
    clock. Nothing else may run beside it: what stands before it must have ended, what stands after
    it must start later. If any of this does not hold, the program is run in full.
    """
    long = {
        number: RUN_ITERATIONS
        for number, segment in enumerate(program.segments)
        if segment.repeat > RUN_ITERATIONS
    }
    timeline = run(long)
    shift_ps = 0
    for number in long:
        period_ps = _period_ps(program, timeline, number)
        if period_ps is None:
            return _folded(run({}), {}, 0)
        shift_ps += period_ps * (program.segments[number].repeat - RUN_ITERATIONS)
    skipped = {n: program.segments[n].repeat - RUN_ITERATIONS for n in long}
    return _folded(timeline, skipped, shift_ps)


def _folded(timeline: Timeline, skipped: Mapping[int, int], shift_ps: int) -> Folded:
    """Close a timeline; one DRAM serves all transfers, which bounds its length from below too."""
    folded = Folded(timeline, skipped, timeline.total_ps + shift_ps)
    dram_ps = sum(execution.dma_busy_ps * weight for execution, weight in folded.weighted())
    return Folded(timeline, skipped, max(folded.total_ps, dram_ps))


def _period_ps(program: Program, timeline: Timeline, segment: int) -> int | None:
    _, steady, following, last = (
        [e for e in timeline.executions if e.segment == segment and e.iteration == i]
        for i in range(RUN_ITERATIONS)
    )
    base_ps, again_ps = steady[0].begin_ps, following[0].begin_ps
    period_ps = again_ps - base_ps
    whole = all((period_ps / unit.clock.period_ps).denominator == 1 for unit in program.units)
    before = [e for e in timeline.executions if e.segment < segment]
    after = [e for e in timeline.executions if e.segment > segment]
    end_ps = last[-1].end_ps
    alone = (
        all(max(e.end_ps, *e.tail_ps) <= base_ps for e in before)
        and all(e.start_ps >= end_ps and e.begin_ps >= last[0].begin_ps for e in after)
        and all(e.end_ps <= end_ps for e in last)
    )

    def shape(executions: list[Execution], start_ps: int) -> list[object]:
        return [
            (
                e.begin_ps - start_ps, e.start_ps - start_ps, e.end_ps - start_ps, e.occupied_ps,
                e.wait_ps, e.dma_wait_ps, [t - start_ps for t in e.tail_ps],
            )
            for e in executions
        ]  # fmt: skip

    alike = shape(steady, base_ps) == shape(following, again_ps)
    return period_ps if whole and alone and alike else None
