"""The sequencer of a tensor train: strobes and addresses of every cycle, against a generator."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import pytest
from amaranth.sim import Simulator

from archsim.engines.rfnn.cases import SMALL
from archsim.engines.rfnn.spec import RfnnSpec
from archsim.engines.rfnn.stages_rtl import TensorSequencer, stage_layout
from archsim.engines.rfnn.tensor_train import Stage, stages

ANALOG, BANK = 3, 5  # cycles


class Seen(NamedTuple):
    """What a cycle did, by name, and where."""

    what: str
    address: int = 0
    lane: int = 0


def wanted(spec: RfnnSpec, steps: list[Stage], vectors: int, program: bool) -> Iterator[Seen]:
    """Yield what every cycle after the start does."""
    n = spec.modes
    for number, step in enumerate(steps):
        yield Seen("turn" if number else "fetch")
        for p, q in np.ndindex(*step.tiles(n)):
            if spec.switched:
                yield Seen("switch")
                yield from [Seen("")] * spec.switch_cycles
            yield from [Seen("programs")] * (BANK * program)
            outs = range(p * n, min((p + 1) * n, step.outputs))
            ins = range(q * n, min((q + 1) * n, step.inputs))
            for before, after in np.ndindex(vectors * step.before, step.after):
                for lane, word in enumerate(ins):
                    yield Seen("load", (before * step.inputs + word) * step.after + after, lane)
                yield Seen("apply")
                yield from [Seen("")] * ANALOG
                for _ in range(1 << spec.samples_log2):
                    for cycle in range(spec.sample_cycles):
                        first, last = cycle == 0, cycle == spec.sample_cycles - 1
                        yield Seen("convert " * first + "take" * last)
                for word in outs:
                    at = (before * step.outputs + word) * step.after + after
                    yield Seen("store adds" if q else "store", at)
    yield Seen("turn done")


def traced(spec: RfnnSpec, steps: list[Stage], vectors: int, program: bool) -> list[Seen]:
    """Return what the sequencer does in every cycle after the start."""
    unit = TensorSequencer(spec)
    found: list[Seen] = []

    async def bench(ctx: Any) -> None:
        assert ctx.get(unit.idle)
        ctx.set(unit.vectors, vectors)
        ctx.set(unit.stages, len(steps))
        ctx.set(unit.analog_cycles, ANALOG)
        ctx.set(unit.program, int(program))
        ctx.set(unit.start, 1)
        await ctx.tick()
        ctx.set(unit.start, 0)
        programming = 0
        while not ctx.get(unit.idle):
            programming = programming + 1 if ctx.get(unit.programs) else 0
            ctx.set(unit.programmed, int(programming == BANK))
            fetched = ctx.get(unit.fetch)
            found.append(_seen(ctx, unit))
            await ctx.tick()
            if fetched:
                ctx.set(unit.entry, _entry(spec, steps[ctx.get(unit.stage)]))

    simulator = Simulator(unit)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
    return found


def _seen(ctx: Any, unit: TensorSequencer) -> Seen:
    names = ("switch", "programs", "load", "apply", "convert", "take", "store", "turn", "done")
    on = [name for name in names if ctx.get(getattr(unit, name))]
    if on == ["load"]:
        assert ctx.get(unit.opens) == (ctx.get(unit.lane) == 0)
        return Seen("load", ctx.get(unit.load_address), ctx.get(unit.lane))
    if on == ["store"]:
        name = "store adds" if ctx.get(unit.adds) else "store"
        return Seen(name, ctx.get(unit.store_address))
    if not on and ctx.get(unit.fetch):
        return Seen("fetch")
    return Seen("convert " * ("convert" in on) + " ".join(x for x in on if x != "convert"))


def _entry(spec: RfnnSpec, step: Stage) -> dict[str, int]:
    assert stage_layout(spec.buffer_words).size
    return {
        "outputs": step.outputs, "inputs": step.inputs, "before": step.before, "after": step.after,
        "out_block": step.outputs * step.after, "in_block": step.inputs * step.after,
    }  # fmt: skip


TRAIN = [*stages("ttm", (2, 3), (3, 2), 2)]
SPLIT = [*stages("tt3", (2, 2), (2, 3), 2)]


@pytest.mark.parametrize("program", [False, True])
@pytest.mark.parametrize(
    ("more", "steps", "vectors"),
    [
        ({"modes": 2}, [Stage(1, 1, 1, 1)], 1),
        ({"modes": 2}, [Stage(5, 4, 1, 1)], 2),
        ({"modes": 3, "sample_ps": 2_000, "samples_log2": 1}, [Stage(3, 2, 2, 3)], 1),
        ({"modes": 2}, TRAIN, 2),
        ({"modes": 4, "switches": True}, SPLIT, 1),
        ({"modes": 3, "cores": "instance"}, SPLIT, 2),
    ],
)
def test_strobes_and_addresses_of_every_cycle(
    more: dict[str, Any], steps: list[Stage], vectors: int, program: bool
) -> None:
    spec = RfnnSpec(**{**SMALL, "buffer_words": 64, **more})
    assert list(wanted(spec, steps, vectors, program)) == traced(spec, steps, vectors, program)
