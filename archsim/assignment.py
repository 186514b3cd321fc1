"""Which engine runs which op: the static policies of a design.

An op goes to an engine that accepts it, before any time is known. ``pipeline`` also cuts the trace
into stages, so that engines work on different items of a stream at the same time.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from itertools import groupby

import numpy as np

from archsim.design import ByOp, Pipeline, Policy, check_policy
from archsim.engines import Ints, Reason, op_kinds
from archsim.errors import ArchsimError, InfeasibleError
from archsim.flow import Flow, Segment
from archsim.memory import DramTiming
from archsim.plan import Plan, Unit
from archsim.trace import Op, OpKind, Trace

MAX_REFUSED = 20  # ops that an error names
MAX_ATOMS = 1 << 20  # ops and rounds of blocks that a pipeline is cut between
PS_PER_US = 10**6
FIRST = "first engine that accepts it"


@dataclass(frozen=True, slots=True)
class Choice:
    """An op on an engine.

    Parameters
    ----------
    why
        What the policy went by, for people.
    """

    unit: Unit
    plan: Plan
    why: str


@dataclass(frozen=True, slots=True)
class Part:
    """Ops [start, stop) of a trace in one stage, ``repeat`` rounds of their segment.

    Parameters
    ----------
    continues
        Whether earlier rounds of the same segment are in the part before.
    choices
        By op.
    """

    start: int
    stop: int
    repeat: int
    stage: int
    continues: bool
    choices: tuple[Choice, ...]


Planner = Callable[[Unit, int], Plan]  # the plan of an op, by its position in the trace, on a unit


def assigned(
    policy: Policy,
    units: tuple[Unit, ...],
    fallback: Unit | None,
    flow: Flow,
    planned: Planner,
    dram: DramTiming,
) -> tuple[Part, ...]:
    """Return the parts of a trace, in order, every op on its engine.

    Raises
    ------
    ArchsimError
        If an op has no engine and the design no fallback; every such op is named.
    InfeasibleError
        If a tile of an op fits on none of the engines that accept it.
    """
    check_policy(policy, [unit.name for unit in units])
    if policy == "pipeline" or isinstance(policy, Pipeline):
        names = policy.stages if isinstance(policy, Pipeline) else ()
        return _Stages(units, fallback, flow, planned, dram).parts(names)
    if policy == "fastest":
        takers = takers_of(units, fallback, flow.trace)
        choices = [_fastest(i, found, planned, dram) for i, found in enumerate(takers)]
    elif isinstance(policy, ByOp):
        ruled = _by_rules(policy, units, fallback, flow.trace)
        choices = [Choice(u, planned(u, i), why) for i, (u, why) in enumerate(ruled)]
    else:
        chosen = first_of(units, fallback, flow.trace)
        choices = [
            Choice(u, planned(u, i), FIRST if u is not fallback else "no engine accepts it")
            for i, u in enumerate(chosen)
        ]
    return tuple(
        Part(s.start, s.stop, s.repeat, 0, False, tuple(choices[s.start : s.stop]))
        for s in flow.segments
    )


# ---------------------------------------------------------------------------------------- who takes


def first_of(units: tuple[Unit, ...], fallback: Unit | None, trace: Trace) -> list[Unit]:
    """Return each op's first engine that accepts it, else the fallback."""
    return [takers[0] for takers in takers_of(units, fallback, trace, most=1)]


def takers_of(
    units: tuple[Unit, ...], fallback: Unit | None, trace: Trace, most: int | None = None
) -> list[list[Unit]]:
    """Return the engines that accept each op, at most so many; the fallback where none does.

    Raises
    ------
    ArchsimError
        If an op has neither, with every such op and every engine's reason.
    """
    acceptance = _Acceptance(units, trace)
    found: list[list[Unit]] = []
    refused: list[str] = []
    for op in trace.ops:
        reasons: list[str] = []
        takers: list[Unit] = []
        for unit in units:
            reason = acceptance.refusal(unit, op)
            if reason:
                reasons.append(reason)
            else:
                takers.append(unit)
                if len(takers) == most:
                    break
        if not takers and fallback is not None:
            takers = [fallback]
        if not takers:
            refused.append(f"  {op.name} ({op.kind}): " + "; ".join(reasons))
        found.append(takers)
    if refused:
        verb = (
            "has no engine that accepts it"
            if len(refused) == 1
            else ("have no engine that accepts them")
        )
        _raise(f"{_some(refused, trace)} {verb}, and the design names no fallback", refused)
    return found


def _some(refused: list[str], trace: Trace) -> str:
    count = len(trace.ops)
    return f"{len(refused)} of {count} op" + "s" * (count != 1)


def _raise(what: str, refused: list[str]) -> None:
    more = f"\n  and {len(refused) - MAX_REFUSED} more" if len(refused) > MAX_REFUSED else ""
    raise ArchsimError(f"{what}:\n" + "\n".join(refused[:MAX_REFUSED]) + more)


class _Acceptance:
    """What engines say of ops, types of operands and what must be a weight included."""

    def __init__(self, units: tuple[Unit, ...], trace: Trace) -> None:
        self.trace = trace
        self.kinds: Mapping[str, OpKind] = op_kinds()
        self.dtypes = {u.name: u.engine.dtypes and u.engine.dtypes(u.spec) for u in units}

    def refusal(self, unit: Unit, op: Op) -> str:
        """Return why a unit does not take an op, or nothing."""
        verdict = unit.engine.accepts(unit.spec, op)
        if isinstance(verdict, Reason):
            return f"{unit.name}: {verdict.text}"
        is_product = self.kinds[op.kind].tiling == "gemm"
        if is_product and unit.engine.weight_bytes is not None:
            b = self.trace.tensors[op.inputs[1]]
            if b.role != "weight":
                return f"{unit.name}: is programmed with B, so it must be a weight, not {b.name!r}"
        known = self.dtypes[unit.name]
        if known is None:
            return ""
        operands = op.inputs[:2] if is_product else op.inputs
        wrong = ", ".join(sorted({self.trace.tensors[n].dtype for n in operands} - known))
        return f"{unit.name}: computes on {', '.join(sorted(known))}, not {wrong}" if wrong else ""


# ---------------------------------------------------------------------------------------- by op


def _by_rules(
    policy: ByOp, units: tuple[Unit, ...], fallback: Unit | None, trace: Trace
) -> list[tuple[Unit, str]]:
    """Return each op's engine by the first rule that matches it, and which rule that is."""
    by_name = {unit.name: unit for unit in units}
    acceptance = _Acceptance(units, trace)
    found: dict[int, tuple[Unit, str]] = {}
    refused = []
    for i, op in enumerate(trace.ops):
        dtypes = {trace.tensors[name].dtype for name in op.inputs}
        for number, rule in enumerate(policy.rules):
            if (
                rule.kind in (None, op.kind)
                and (rule.name is None or fnmatchcase(op.name, rule.name))
                and (rule.dtype is None or rule.dtype in dtypes)
            ):
                unit = by_name[rule.engine]
                if reason := acceptance.refusal(unit, op):
                    refused.append(f"  {op.name} ({op.kind}): policy.rules.{number}: {reason}")
                found[i] = (unit, f"rule {number + 1} of the policy")
                break
    if refused:
        what = "cannot run on the engine that the policy gives"
        _raise(
            f"{_some(refused, trace)} {what} " + ("it" if len(refused) == 1 else "them"), refused
        )
    rest = [i for i in range(len(trace.ops)) if i not in found]
    if rest:
        some = Trace(trace.name, trace.tensors, tuple(trace.ops[i] for i in rest))
        for i, unit in zip(rest, first_of(units, fallback, some), strict=True):
            found[i] = (unit, f"no rule: {FIRST}" if unit is not fallback else "no engine takes it")
    return [found[i] for i in range(len(trace.ops))]


# ---------------------------------------------------------------------------------------- fastest


def _fastest(index: int, takers: Sequence[Unit], planned: Planner, dram: DramTiming) -> Choice:
    """Return the engine with the least time of the op by itself, ties by order of the design."""
    plans, fault = _feasible(index, takers, planned)
    if not plans:
        assert fault is not None
        raise fault
    times_ps = [plan.alone_ps(unit.clock, dram) for unit, plan in plans]
    best = times_ps.index(min(times_ps))
    unit, plan = plans[best]
    texts = [f"{ps / PS_PER_US:.4g} us" for ps in times_ps]
    others = [f"{plans[i][0].name} {text}" for i, text in enumerate(texts) if i != best]
    why = f"least time by itself, {texts[best]}"
    return Choice(unit, plan, f"{why}; {', '.join(others)}" if others else "only engine for it")


def _feasible(
    index: int, takers: Sequence[Unit], planned: Planner
) -> tuple[list[tuple[Unit, Plan]], InfeasibleError | None]:
    """Return the engines on which the op's tiles fit, and the first fault."""
    plans, first = [], None
    for unit in takers:
        try:
            plans.append((unit, planned(unit, index)))
        except InfeasibleError as fault:
            first = first or fault
    return plans, first


# ---------------------------------------------------------------------------------------- pipeline


class _Stages:
    """A trace cut into contiguous stages, one an engine, whose longest takes as little as it can.

    An op that its stage's engine does not take goes to an engine without a stage: a vector unit
    serves all of them.
    """

    def __init__(
        self,
        units: tuple[Unit, ...],
        fallback: Unit | None,
        flow: Flow,
        planned: Planner,
        dram: DramTiming,
    ) -> None:
        self.units, self.flow, self.planned, self.dram = units, flow, planned, dram
        self.takers = takers_of(units, fallback, flow.trace)

    def parts(self, names: tuple[str, ...]) -> tuple[Part, ...]:
        holders = [u for n in names for u in self.units if u.name == n] or self._multipliers()
        rows = [self._choices(unit, holders, s) for s, unit in enumerate(holders)]
        ends = _balanced([self._atom_ps(choices) for choices in rows])
        atoms = [
            (segment, number)
            for segment in self.flow.segments
            for number in range(
                segment.repeat if segment.repeat > 1 else segment.stop - segment.start
            )
        ]
        parts: list[Part] = []
        first = 0
        for stage, end in enumerate(ends):
            for segment, mine in groupby(atoms[first:end], key=lambda atom: atom[0]):
                numbers = [number for _, number in mine]
                parts.append(_part(segment, numbers, stage, rows[stage]))
            first = end
        return tuple(parts)

    def _multipliers(self) -> list[Unit]:
        """Return the engines that hold a stage unless the design says: those that take products."""
        products = [unit for unit in self.units if unit.engine.sum_bits is not None]
        return products or list(self.units)

    def _choices(self, holder: Unit, holders: list[Unit], stage: int) -> list[Choice]:
        """Return each op's engine if it is in a stage: its engine, a helper, any other."""
        found = []
        why = f"stage {stage + 1} of {len(holders)}"
        for i, takers in enumerate(self.takers):
            helpers = [unit for unit in takers if unit not in holders]
            order = [u for u in takers if u is holder] or helpers or takers
            plans, _ = _feasible(i, order, self.planned)
            if not plans:
                plans, fault = _feasible(i, takers, self.planned)
                if not plans:
                    assert fault is not None
                    raise fault
            unit, plan = plans[0]
            text = why if unit is holder else f"{why}: {holder.name} does not take it"
            found.append(Choice(unit, plan, text))
        return found

    def _atom_ps(self, choices: list[Choice]) -> Ints:
        """Return the time of each op, and of each round of a block."""
        alone = np.array([c.plan.alone_ps(c.unit.clock, self.dram) for c in choices], np.int64)
        times = []
        for segment in self.flow.segments:
            mine = alone[segment.start : segment.stop]
            if segment.repeat > MAX_ATOMS:
                raise ArchsimError(
                    f"a pipeline is cut between at most {MAX_ATOMS:,} rounds of a block, "
                    f"not {segment.repeat:,}"
                )
            times.append(mine if segment.repeat == 1 else np.full(segment.repeat, mine.sum()))
        return np.concatenate(times) if times else alone


def _part(segment: Segment, numbers: list[int], stage: int, choices: list[Choice]) -> Part:
    """Return consecutive atoms of one segment as a part: ops of it, or rounds of all of it."""
    if segment.repeat == 1:
        start, stop = segment.start + numbers[0], segment.start + numbers[-1] + 1
        return Part(start, stop, 1, stage, False, tuple(choices[start:stop]))
    mine = tuple(choices[segment.start : segment.stop])
    return Part(segment.start, segment.stop, len(numbers), stage, numbers[0] > 0, mine)


def _balanced(times: list[Ints]) -> list[int]:
    """Return where each stage ends, so that the longest is as short as it can be.

    Parameters
    ----------
    times
        By stage: what each atom takes in it.
    """
    sums = [np.concatenate([[0], np.cumsum(row)]) for row in times]
    count = len(times[0])

    def ends(limit_ps: int) -> list[int]:
        found, at = [], 0
        for row in sums:  # each takes what it can: what is left for the others is least
            at = int(np.searchsorted(row, row[at] + limit_ps, side="right")) - 1
            found.append(at)
        return found

    low, high = 0, min(int(row[-1]) for row in sums)
    while low < high:
        middle = (low + high) // 2
        if ends(middle)[-1] >= count:
            high = middle
        else:
            low = middle + 1
    return [min(end, count) for end in ends(low)]
