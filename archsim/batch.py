"""The `analytic` fidelity of one trace on many designs at once, with mappings given.

Designs that run each op on the same kind of engine go together: residency and prefetch are decided,
and the recurrence is run, for all of them in each NumPy call. What comes out is what `simulate`
says of each design alone, exactly, unless several engines wait for DRAM: who asks first differs
from design to design, so each engine has the DRAM to itself here, and the time is a lower bound.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from archsim.assignment import first_of
from archsim.design import Clock, Design
from archsim.engines import Fmax, Ints, SpecBatch, discover
from archsim.errors import InputError
from archsim.fallback import fallback_unit
from archsim.flow import Flow, Segment
from archsim.mapping import Mapping as OpMapping
from archsim.memory import DramBatch, DramTiming
from archsim.plan import Unit, env_of
from archsim.recurrence import Pipe, advance
from archsim.residency import resident_tensors, room_of
from archsim.rows import Cut, Rows, UnitBatch, cut, rows_of
from archsim.simulate import simulate, units_of
from archsim.trace import Op, Trace

MAX_DESIGNS = 2048  # that go together
MAX_ROWS = 1 << 18  # steps of one op that go together: both bound memory
MAX_PS = 2.0**53  # what sums in floating point keep exactly
MAX_SCALED_PS = 2.0**62  # times are scaled by the denominator of the clock's period


@dataclass(frozen=True, slots=True)
class BatchResult:
    """What one trace takes on many designs; arrays of shape [designs].

    Parameters
    ----------
    time_ps, cycles, dram_bytes
        As in `archsim.result.Metrics`; lower bounds of time where several engines wait for DRAM.
    occupied_ps
        Time that jobs hold engines, all engines together.
    """

    time_ps: Ints
    cycles: Ints
    dram_bytes: Ints
    occupied_ps: Ints


def evaluate(
    designs: Sequence[Design], trace: Trace, mappings: Sequence[Mapping[str, OpMapping]]
) -> BatchResult:
    """Return what `simulate` says of each design with its mappings, in the order of the designs.

    Designs whose policy is not ``first`` or whose time depends on values are simulated one by one.

    Parameters
    ----------
    mappings
        For each design, the mapping of every op by name.

    Raises
    ------
    ArchsimError
        What `simulate` raises of a design that it refuses.
    InputError
        If a mapping is missing, or times need more than 64 bits.
    """
    if len(mappings) != len(designs):
        raise InputError("mappings", f"must be {len(designs)}, one a design", len(mappings))
    names = {op.name for op in trace.ops}
    for given in mappings:
        if given.keys() != names:
            wrong = min(given.keys() ^ names)
            raise InputError("mappings", f"must name each op of trace {trace.name!r}, once", wrong)
    found = np.zeros((4, len(designs)), np.int64)
    together = [i for i, design in enumerate(designs) if _goes_together(design)]
    for i in sorted(set(range(len(designs))) - set(together)):
        found[:, i] = _alone(designs[i], trace, mappings[i])
    units = _units(designs)
    for alike in _groups(trace, designs, units, together):
        for some in np.array_split(alike, -(-len(alike) // MAX_DESIGNS)):
            _evaluate(trace, designs, units, mappings, some.tolist(), found)
    return BatchResult(*found)


def _goes_together(design: Design) -> bool:
    engines = [(discover()[getattr(x, "kind", "")], x) for x in design.engines.values()]
    return design.policy == "first" and not any(e.windows or e.reads_values(s) for e, s in engines)


def _alone(design: Design, trace: Trace, mappings: Mapping[str, OpMapping]) -> Ints:
    """Return the column of a `BatchResult` of one design."""
    found = simulate(design, trace, mappings=mappings)
    time_ps, occupied = found.per_resource[0].total_ps, (row.occupied_ps for row in found.per_op)
    return np.array([time_ps, found.metrics.cycles, found.metrics.dram_bytes, sum(occupied)])


def _evaluate(
    trace: Trace,
    designs: Sequence[Design],
    units: list[tuple[Unit, ...]],
    mappings: Sequence[Mapping[str, OpMapping]],
    some: list[int],
    found: Ints,
) -> None:
    """Fill in the columns of some designs of a group, split where they have too many steps."""
    group = _Group(
        trace, [designs[i] for i in some], [units[i] for i in some], [mappings[i] for i in some]
    )
    if group.most_steps > MAX_ROWS and len(some) > 1:
        for half in (some[: len(some) // 2], some[len(some) // 2 :]):
            _evaluate(trace, designs, units, mappings, half, found)
    else:
        found[:, some] = group.run()


# ---------------------------------------------------------------------------------------- groups


def _units(designs: Sequence[Design]) -> list[tuple[Unit, ...]]:
    """Return each design's engines with their clocks, then its fallback host."""
    from archsim.tech import load  # noqa: PLC0415

    alike: dict[Any, list[int]] = {}
    for i, design in enumerate(designs):
        kinds = tuple((name, getattr(x, "kind", "")) for name, x in design.engines.items())
        alike.setdefault((design.node, kinds), []).append(i)
    units: dict[int, tuple[Unit, ...]] = {}
    for (node, kinds), rows in alike.items():
        tech = load(node)
        limits = {}
        for name, kind in kinds:
            specs: list[Any] = [designs[i].engines[name] for i in rows]
            fmax = discover()[kind].fmax_mhz(SpecBatch(specs), tech)
            mhz = np.broadcast_to(fmax.mhz, len(rows)).tolist()
            limits[name] = [Fmax(x, fmax.source) for x in mhz]
        for at, i in enumerate(rows):
            found, _ = units_of(designs[i], tech, {name: x[at] for name, x in limits.items()})
            host = designs[i].fallback
            units[i] = found if host is None else (*found, fallback_unit(host))
    return [units[i] for i in range(len(designs))]


def _groups(
    trace: Trace, designs: Sequence[Design], units: list[tuple[Unit, ...]], some: list[int]
) -> Iterable[list[int]]:
    """Return some designs in groups that differ in numbers only, not in which engine runs what."""
    distinct: dict[Any, Op] = {}
    for op in trace.ops:
        operands = (trace.tensors[name] for name in (*op.inputs, *op.outputs))
        types = tuple((tensor.dtype, tensor.role == "weight") for tensor in operands)
        distinct[op.kind, tuple(op.attrs.items()), op.epilogue, types] = op
    ops = replace(trace, ops=tuple(distinct.values()))
    runs: dict[Any, tuple[str, ...]] = {}
    groups: dict[Any, list[int]] = {}
    for i in some:
        design, mine = designs[i], units[i]
        specs = tuple((unit.name, unit.spec) for unit in mine)
        if specs not in runs:
            runs[specs] = tuple(unit.name for unit in _assigned(design, mine, ops))
        envs = [tuple(env_of(unit, design.memories.buffer).items()) for unit in mine]
        kinds = [(unit.name, unit.engine.kind) for unit in mine]
        whole = all(unit.clock.period_ps.denominator == 1 for unit in mine)
        groups.setdefault((*kinds, runs[specs], *envs, whole), []).append(i)
    return groups.values()


def _assigned(design: Design, units: tuple[Unit, ...], trace: Trace) -> list[Unit]:
    """Return the unit of each op, the fallback host being the last of the units if there is one."""
    arrays, host = (units, None) if design.fallback is None else (units[:-1], units[-1])
    return first_of(arrays, host, trace)


def _stacked(units: Sequence[Unit], design: Design) -> UnitBatch:
    """Return one engine of many designs, one of which is given for what they have in common."""
    periods = [unit.clock.period_ps for unit in units]
    num, den = np.array([(p.numerator, p.denominator) for p in periods], np.int64).T.copy()
    clocked = units[0].engine.reads_clock
    fields = [
        tuple(x for x in vars(unit.spec).items() if x[0] != "clock_mhz" or clocked)
        for unit in units
    ]
    specs = dict(zip(fields, (unit.spec for unit in units), strict=True))
    numbers = {timing: number for number, timing in enumerate(specs)}
    env = env_of(units[0], design.memories.buffer)
    spec_of = [numbers[timing] for timing in fields]
    return UnitBatch(units[0], env, SpecBatch(list(specs.values())), spec_of, num, den)


# ---------------------------------------------------------------------------------------- running


class _Group:
    """Designs whose ops, by position, run on the same engines, by name; arrays are [designs]."""

    def __init__(
        self,
        trace: Trace,
        designs: list[Design],
        units: list[tuple[Unit, ...]],
        mappings: list[Mapping[str, OpMapping]],
    ) -> None:
        self.trace, self.designs, self.mappings = trace, designs, mappings
        self.clocks: list[Clock] = [mine[0].clock for mine in units]
        self.flow = Flow.of(trace)
        self.dram = DramBatch.of([DramTiming.of(design) for design in designs])
        self.room_bytes, store_room = np.array([room_of(d) for d in designs], np.int64).T
        self.held = resident_tensors(self.flow, store_room)
        self.names = [unit.name for unit in _assigned(designs[0], units[0], trace)]
        same = {mine[0].name: mine for mine in zip(*units, strict=True)}
        self.units = {name: _stacked(same[name], designs[0]) for name in dict.fromkeys(self.names)}
        self.several = len(self.units) > 1
        self.cuts = [self._cut(i) for i in range(len(trace.ops))]
        self.most_steps = max((int(x.steps[x.variant_of].sum()) for x in self.cuts), default=0)
        self.room_of = self._rooms()

    def _cut(self, i: int) -> Cut:
        op, unit = self.trace.ops[i], self.units[self.names[i]]
        found = cut(op, self.trace.tensors, unit, [given[op.name] for given in self.mappings])
        if found is None:
            self._refuse(range(len(self.designs)))
        lacking = found.room_bytes[found.variant_of] > self.room_bytes
        if lacking.any():
            self._refuse(np.flatnonzero(lacking).tolist())
        return found

    def _refuse(self, suspects: Iterable[int]) -> NoReturn:
        """Let `simulate` say what is wrong, in the words that it has for it."""
        for i in suspects:
            simulate(self.designs[i], self.trace, mappings=self.mappings[i])
        raise AssertionError("simulate takes what a batch does not")

    def _rooms(self) -> dict[int, list[Ints]]:
        """Return by op the ops, by design, that used up what lay where its result is kept.

        That is what other engines ran latest of the kind; -1 stands for none. See
        `schedule.Placed.after`.
        """
        used_up: dict[str, Ints] = {}
        freed: dict[int, list[Ints]] = {}
        for i, op in enumerate(self.trace.ops):
            held = self.held.get(op.outputs[0]) if op.outputs else None
            if held is not None and self.several:
                others = [x for name, x in used_up.items() if name != self.names[i]]
                freed[i] = [np.where(held, x, -1) for x in others]
            for name in self.flow.links[i].last_uses:
                if name in self.held:
                    last = used_up.setdefault(self.names[i], np.full(len(self.designs), -1))
                    last[self.held[name]] = i
        return freed

    # ------------------------------------------------------------------------------------ in time

    def run(self) -> Ints:
        """Return the columns of a `BatchResult`: [4, designs]."""
        count = len(self.designs)
        self.op_end_ps = np.zeros((len(self.trace.ops) + 1, count), np.int64)  # [-1]: no op
        self.occupied_ps, self.dma_ps, self.dram_bytes = np.zeros((3, count), np.int64)
        self.pipes, self.fetched = {}, {}
        self.prefetch = [self._prefetch(i) for i in range(len(self.trace.ops))]
        for name in self.units:
            _, opening_ps = self.prefetch[self.names.index(name)]
            loaded_ps = np.where(opening_ps > 0, opening_ps + self.dram.latency_ps, 0)
            zeros = np.zeros((2, count), np.int64)
            self.pipes[name] = Pipe(opening_ps.copy(), loaded_ps, *zeros)
            self.fetched[name] = np.ones(count, bool)
            self.dma_ps += opening_ps
        end_ps = np.zeros(count, np.int64)
        for segment in self.flow.segments:
            end_ps = np.maximum(end_ps, self._run_segment(segment))
        if self.several:  # one DRAM serves all
            end_ps = np.maximum(end_ps, self.dma_ps)
        pairs = zip(self.clocks, end_ps.tolist(), strict=True)
        cycles = np.array([clock.next_edge(ps) for clock, ps in pairs], np.int64)
        return np.stack([end_ps, cycles, self.dram_bytes, self.occupied_ps])

    def _prefetch(self, i: int) -> tuple[Ints, Ints]:
        """Return bytes and ps of the weights of an op's first step."""
        every, weights = np.arange(len(self.designs)), self.flow.links[i].weights
        size_bytes = np.zeros(len(every), np.int64)
        if any(weights):
            variant_of = self.cuts[i].variant_of
            variants = np.arange(variant_of.max() + 1)
            first = self.cuts[i].tiles(variants, np.zeros_like(variants))
            for load, weight in zip(first.load_bytes, weights, strict=True):
                size_bytes += load[variant_of] * weight
        return size_bytes, self.dram.transfer_ps(size_bytes, every)

    def _run_segment(self, segment: Segment) -> Ints:
        """Run a segment as often as it repeats, and return when all of it was done.

        Once two periods were alike on every design, down to the state that they left behind, all
        are, up to the last, whose prefetch is for what comes after: they are only counted.
        """
        kept: dict[int, Rows] = {}
        states: deque[Ints] = deque(maxlen=3)
        done_ps: Ints | None = None
        iteration = 0
        while iteration < segment.repeat:
            before = self.occupied_ps.copy(), self.dma_ps.copy()
            for i in range(segment.start, segment.stop):
                rows = kept[i] if i in kept else self._rows(i)
                if segment.repeat > 1:
                    kept[i] = rows
                self._execute(i, rows, self._follower(i, segment, iteration), done_ps)
            done_ps = self.op_end_ps[segment.start : segment.stop].max(axis=0)
            iteration += 1
            states.append(self._state(segment, done_ps))
            skipped = segment.repeat - 1 - iteration
            if skipped > 0 and (period_ps := self._period(segment, states)) is not None:
                self._check(period_ps * float(skipped))
                shift_ps = period_ps * skipped
                for name in set(self.names[segment.start : segment.stop]):
                    self.pipes[name].shift(shift_ps)
                done_ps = done_ps + shift_ps
                self.occupied_ps += (self.occupied_ps - before[0]) * skipped
                self.dma_ps += (self.dma_ps - before[1]) * skipped
                iteration += skipped
        assert done_ps is not None
        return done_ps

    def _state(self, segment: Segment, done_ps: Ints) -> Ints:
        """Return all that the next iteration depends on, as times [states, designs]."""
        names = dict.fromkeys(self.names[segment.start : segment.stop])
        return np.stack([*(x for name in names for x in self.pipes[name].state()), done_ps])

    def _period(self, segment: Segment, states: Sequence[Ints]) -> Ints | None:
        """Return how much later each iteration is than the one before, if always by the same."""
        if len(states) < 3:
            return None
        one, two = states[1] - states[0], states[2] - states[1]
        if (one != two[0]).any() or (two != two[0]).any():
            return None
        units = (self.units[name] for name in self.names[segment.start : segment.stop])
        return None if any((two[0] * u.den % u.num).any() for u in units) else two[0]

    def _follower(self, i: int, segment: Segment, iteration: int) -> int | None:
        """Return the op that runs next on the engine of op i."""
        again = range(segment.start, i + 1 if iteration < segment.repeat - 1 else segment.start)
        later = (*range(i + 1, segment.stop), *again, *range(segment.stop, len(self.names)))
        return next((j for j in later if self.names[j] == self.names[i]), None)

    def _rows(self, i: int) -> Rows:
        op = self.trace.ops[i]
        held = [self.held.get(name) for name in op.inputs]
        kept = self.held.get(op.outputs[0]) if op.outputs else None
        rows = rows_of(self.cuts[i], self.dram, self.prefetch[i][0], held, kept)
        self.dram_bytes += rows.dram_bytes * op.repeat
        return rows

    def _execute(self, i: int, rows: Rows, follower: int | None, done_ps: Ints | None) -> None:
        name = self.names[i]
        fetched, ahead_ps = self.fetched[name], np.zeros_like(self.room_bytes)
        if follower is not None:
            next_bytes, next_ps = self.prefetch[follower]
            mine = self.cuts[i]
            fits = mine.room_bytes[mine.variant_of] + next_bytes <= self.room_bytes
            self.fetched[name], ahead_ps = fits, np.where(fits, next_ps, 0)
        unit, pipe = self.units[name], self.pipes[name]
        self._check(rows.longest_ps + ahead_ps)
        end_ps, occupied_ps = advance(
            pipe, rows, unit, self.dram.latency_ps, fetched, ahead_ps, self._ready(i, done_ps)
        )
        self.op_end_ps[i] = end_ps
        self.occupied_ps += occupied_ps
        self.dma_ps += rows.dma_ps + np.where(fetched, rows.rest_ps, rows.first_ps) + ahead_ps

    def _ready(self, i: int, done_ps: Ints | None) -> Ints | None:
        """Return when an op may touch its inputs; the iteration before was done at ``done_ps``."""
        link = self.flow.links[i]
        times = [self.op_end_ps[p] for p in link.producers if self.names[p] != self.names[i]]
        if link.carried and done_ps is not None:
            times.append(done_ps)
        every = np.arange(len(self.designs))
        times += [self.op_end_ps[freed, every] for freed in self.room_of.get(i, [])]
        return np.maximum.reduce(times) if times else None

    def _check(self, longer_ps: NDArray[Any]) -> None:
        """Raise before times could outgrow 64 bits."""
        latest_ps = self.op_end_ps.max(axis=0) + longer_ps.astype(float)
        for name, pipe in self.pipes.items():
            until_ps = np.maximum(latest_ps, pipe.free_ps + longer_ps)
            most_ps = np.minimum(MAX_PS, MAX_SCALED_PS / self.units[name].den)
            if (until_ps > most_ps).any():
                worst = np.argmax(until_ps / most_ps)
                raise InputError(
                    f"design {worst} of a batch", f"must take less than {most_ps[worst]:.3g} ps",
                    float(until_ps[worst]), fix="use simulate, or clocks of fewer decimals",
                )  # fmt: skip
