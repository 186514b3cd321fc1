"""Tensor trains through the addresses of the control's hardware: its sequencer, step by step."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from amaranth.sim import Simulator

from archsim.engines.rfnn.spec import RfnnSpec
from archsim.engines.rfnn.stages_rtl import TensorSequencer
from archsim.engines.rfnn.tensor_train import (
    Form,
    Stage,
    TensorTrain,
    core_shapes,
    run,
)

ANALOG_CYCLES = 2


def sequenced(
    modes: int, steps: tuple[Stage, ...], matrices: tuple[np.ndarray, ...], words: np.ndarray,
    vectors: int,
) -> np.ndarray:  # fmt: skip
    """Return what the sequencer leaves in a buffer: it says what is loaded, multiplied, stored.

    Stages are of one vector; the sequencer counts the vectors itself.
    """
    spec = RfnnSpec(modes=modes, chains=1, buffer_words=256, clock_mhz=20, samples_log2=0)
    dut = TensorSequencer(spec)
    buffers = [np.zeros(256), np.zeros(256)]
    buffers[0][: len(words)] = words
    tiles = [
        tile
        for matrix in matrices
        for rows in np.split(matrix, range(modes, len(matrix), modes))
        for tile in np.split(rows, range(modes, matrix.shape[1], modes), axis=1)
    ]

    async def bench(ctx: Any) -> None:
        ctx.set(dut.vectors, vectors)
        ctx.set(dut.stages, len(steps))
        ctx.set(dut.analog_cycles, ANALOG_CYCLES)
        ctx.set(dut.start, 1)
        ports = np.zeros(modes)
        while True:
            if ctx.get(dut.fetch):
                show(ctx, dut.entry, steps[ctx.get(dut.stage)])
            lane = ctx.get(dut.lane)
            if ctx.get(dut.load):
                if ctx.get(dut.opens):
                    ports[:] = 0
                ports[lane] = buffers[0][ctx.get(dut.load_address)]
            if ctx.get(dut.store):
                tile, at = tiles[ctx.get(dut.tile)], ctx.get(dut.store_address)
                kept = buffers[1][at] if ctx.get(dut.adds) else 0.0
                buffers[1][at] = kept + tile[lane] @ ports[: tile.shape[1]]
            if ctx.get(dut.turn):
                buffers.reverse()
            if ctx.get(dut.done):
                return
            await ctx.tick()
            ctx.set(dut.start, 0)

    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
    return buffers[0]


def show(ctx: Any, entry: Any, stage: Stage) -> None:
    """Give the sequencer a stage, as the control's memory of stages does."""
    fields = {
        "outputs": stage.outputs, "inputs": stage.inputs, "before": stage.before,
        "after": stage.after, "out_block": stage.outputs * stage.after,
        "in_block": stage.inputs * stage.after,
    }  # fmt: skip
    for name, value in fields.items():
        ctx.set(getattr(entry, name), value)


@pytest.mark.parametrize("modes", [8, 3])
@pytest.mark.parametrize(
    ("form", "outputs", "inputs", "rank"),
    [("ttm", (2, 3, 2), (3, 2, 2), 2), ("tt3", (2, 3), (2, 2, 3), 3), ("full", (5,), (7,), 1)],
)
def test_a_train_equals_its_dense_matrix(
    modes: int, form: Form, outputs: tuple[int, ...], inputs: tuple[int, ...], rank: int
) -> None:
    """On meshes as large as a core, and on smaller ones, where parts of sums are added."""
    rng = np.random.default_rng(modes)
    cores = tuple(rng.normal(size=shape) for shape in core_shapes(form, outputs, inputs, rank))
    train = TensorTrain(form, outputs, inputs, cores)
    vectors = 2
    x = rng.normal(size=(vectors, np.prod(inputs)))
    found = sequenced(modes, train.stages(), train.matrices(), x.ravel(), vectors)
    wanted = x @ train.dense().T
    assert np.abs(found[: wanted.size] - wanted.ravel()).max() < 1e-9
    assert np.abs(run(train.stages(vectors), train.matrices(), x) - wanted.ravel()).max() < 1e-9
