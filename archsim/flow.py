"""What flows from op to op of a trace: found once, whatever the design."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass

from archsim.errors import ArchsimError
from archsim.trace import Op, Trace


@dataclass(frozen=True, slots=True)
class Segment:
    """Ops [start, stop) of the program, run together ``repeat`` times."""

    start: int
    stop: int
    repeat: int


@dataclass(frozen=True, slots=True)
class Link:
    """How an op hangs together with the others, which go by their position in the trace.

    Parameters
    ----------
    producers
        Ops before it whose results it reads.
    weights
        Whether each input is a weight.
    carried
        Whether it reads what the block's previous repeat left behind.
    last_uses
        Inputs that no later op reads.
    shapes
        Size in bytes and type of each operand, and where each input stands first among them.
    """

    producers: frozenset[int]
    weights: tuple[bool, ...]
    carried: bool
    last_uses: tuple[str, ...]
    shapes: Hashable


@dataclass(frozen=True, slots=True)
class Life:
    """A tensor that may stay on chip while ops [start, stop) run; ``users`` read it."""

    name: str
    start: int
    stop: int
    size_bytes: int
    users: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Flow:
    """Segments, links and lives of a trace."""

    trace: Trace
    segments: tuple[Segment, ...]
    links: tuple[Link, ...]
    lives: tuple[Life, ...]

    @classmethod
    def of(cls, trace: Trace) -> Flow:
        """Raise `ArchsimError` if ops of one block repeat differently."""
        segments = segments_of(trace)
        producer, consumers = _users(trace)
        last_use = {name: max(users) for name, users in consumers.items()}
        segment_of = {i: s for s in segments for i in range(s.start, s.stop)}
        links = []
        for i, op in enumerate(trace.ops):
            origins = [producer.get(name, -1) for name in op.inputs]
            weights = tuple(trace.tensors[name].role == "weight" for name in op.inputs)
            links.append(
                Link(
                    producers=frozenset(p for p in origins if 0 <= p < i),
                    weights=weights,
                    carried=any(
                        not weight and segment_of.get(p) is not segment_of[i]
                        for p, weight in zip(origins, weights, strict=True)
                    ),
                    last_uses=tuple(name for name in op.inputs if last_use[name] == i),
                    shapes=_shapes(op, trace),
                )
            )
        lives = _lives(trace, segment_of, producer, consumers)
        return cls(trace, segments, tuple(links), lives)


def segments_of(trace: Trace) -> tuple[Segment, ...]:
    """Return the runs of consecutive ops that share a block, other ops being runs of their own."""
    segments: list[Segment] = []
    for i, op in enumerate(trace.ops):
        previous = trace.ops[i - 1] if i else None
        if previous is not None and op.block and op.block == previous.block:
            if op.repeat != previous.repeat:
                raise ArchsimError(
                    f"op {op.name!r}: ops of block {op.block!r} must have one repeat, "
                    f"not {previous.repeat} and {op.repeat}"
                )
            segments[-1] = Segment(segments[-1].start, i + 1, op.repeat)
        elif previous is not None and not op.block and op.repeat == 1 == segments[-1].repeat:
            segments[-1] = Segment(segments[-1].start, i + 1, 1)
        else:
            segments.append(Segment(i, i + 1, op.repeat))
    return tuple(segments)


def _users(trace: Trace) -> tuple[dict[str, int], dict[str, list[int]]]:
    """Return each tensor's producing op and its consuming ops."""
    producer: dict[str, int] = {}
    consumers: dict[str, list[int]] = {}
    for i, op in enumerate(trace.ops):
        for name in op.inputs:
            consumers.setdefault(name, []).append(i)
        for name in op.outputs:
            producer[name] = i
    return producer, consumers


def _shapes(op: Op, trace: Trace) -> Hashable:
    operands = (trace.tensors[name] for name in (*op.inputs, *op.outputs))
    repeated = tuple(op.inputs.index(name) for name in op.inputs)  # x * x loads x once
    return tuple((t.size_bytes, t.dtype) for t in operands), repeated


def _lives(
    trace: Trace,
    segment_of: dict[int, Segment],
    producer: dict[str, int],
    consumers: dict[str, list[int]],
) -> tuple[Life, ...]:
    """Return the tensors that may stay on chip from producer to last consumer.

    A tensor qualifies if it is one op's only output, is not a result of the model, and is used
    inside its own segment only (what crosses into a repeat of a block goes through DRAM).
    """
    lives = []
    for i, op in enumerate(trace.ops):
        if len(op.outputs) != 1:
            continue
        tensor = trace.tensors[op.outputs[0]]
        users = consumers.get(tensor.name, [])
        if tensor.role != "activation" or not users or producer[tensor.name] != i:
            continue
        if min(users) > i and all(segment_of[u] is segment_of[i] for u in users):
            life = Life(tensor.name, i, max(users) + 1, tensor.size_bytes, tuple(users))
            lives.append(life)
    return tuple(lives)
