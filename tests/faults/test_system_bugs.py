"""Bugs put into DMA, scratchpad, sequencer and compiler: the system check notices each.

`tests.verify.test_system` holds that the same cases find nothing in the system as it is.
"""

from __future__ import annotations

import importlib
from typing import Any

import numpy as np
import pytest

from .mutants import REPLACED, Mutation, in_place

SEED = 5
SYSTEM = (*REPLACED, "archsim.program", "archsim.verify.system")

# module, what stands there, what is put in its place, the case that shows it, and what it says
BUGS = {
    "the DMA takes a word that is not offered": (
        "hdl.dma", "taken.eq(busy & self.r.valid)", "taken.eq(busy)", "gemm", "y0",
    ),
    "the DMA drops a word when the memory stalls": (
        "hdl.dma", "accepted.eq(self.w.valid & self.w.ready)", "accepted.eq(self.w.valid)",
        "gemm-slow", "",
    ),
    "rows of a block packed instead of strided": (
        "hdl.dma", "following = row + stride", "following = row + (words << shift)",
        "gemm-streamed", "y0",
    ),
    "bursts run across a page": (
        "hdl.dma", "Mux(page_left < within, page_left, within)", "within", "gemm",
        "crosses a page",
    ),
    "a store is counted before the memory has it": (
        "hdl.dma", "with m.If(self.b.valid & self.b.ready):", "with m.If(self.aw.valid):",
        "chain-3-stored", "",
    ),
    "the next load waits until the one before has landed": (
        "hdl.dma", "self.transfers.valid & ~cutter.busy",
        "self.transfers.valid & ~self.r.ready & ~cutter.busy", "gemm-far",
        "the walk",
    ),
    "a job does not wait for its loads": (
        "hdl.system", "there.eq((self.loads_done >= job.loads) & ", "there.eq(1 & ", "gemm", "y0",
    ),
    "a feeder is set up after the job before it": (
        "hdl.system", "reader.rows.valid & pixels.idle & ~jobs.go",
        "reader.rows.valid & pixels.idle & ~running & ~jobs.go", "gemm-resident", "the walk",
    ),
    "narrow rows written a stage early": (
        "hdl.system", 'name=f"late_{i}") for i in range(scaling.stages)',
        'name=f"late_{i}") for i in range(scaling.stages - 1)', "conv-1x1-strided", "y0",
    ),
    "the halo begins a row late": (
        "hdl.operands", "(row >= 0)", "(row >= 1)", "conv-3x3", "y0",
    ),
    "the halo ends a column late": (
        "hdl.operands", "(column < job.in_columns)", "(column <= job.in_columns)", "conv-3x3", "y0",
    ),
    "lanes read their neighbour's bank": (
        "hdl.operands", "back.eq(-slots[0][:lane_bits])", "back.eq(slots[0][:lane_bits])",
        "conv-3x3", "y0",
    ),
    "B goes on where it should begin again": (
        "hdl.operands", "following.eq(Mux(self.go, self.base, base)),", "", "gemm-resident",
        "y0",
    ),
    "phases of a strided image's rows mixed": (
        "hdl.walk", "row.eq(now.row + now.row_wrap)", "row.eq(now.row + now.row_step)",
        "conv-strided-tiles", "y0",
    ),
    "partial sums of the wrong columns": (
        "hdl.walk", "self.address.eq(pixels.pixel + group)", "self.address.eq(pixels.pixel)",
        "gemm-deep", "y0",
    ),
    "no token for the tile that is in use": (
        "program.compiler", "begun + max(step - 1, 0)", "begun", "gemm-deep-outside", "y0",
    ),
    "no token for the result that is stored": (
        "program.compiler", "self._store(x, step - 1, begun + step)",
        "self._store(x, step - 1, begun)", "gemm-streamed", "y0",
    ),
    "an activation is read before it is stored": (
        "program.compiler", '"stores": self.written.get(name, 0)', '"stores": 0',
        "chain-at-once", "of what is being written",
    ),
    "rows of an image at the pitch of its width": (
        "program.placement", "return self.reading.out_width + ", "return self.reading.width + ",
        "conv-valid", "y0",
    ),
}  # fmt: skip


def check(name: str) -> Any:
    """Return the verdict on a case, by the modules that are to be imported now."""
    system = importlib.import_module("archsim.verify.system")
    directed = importlib.import_module("archsim.verify.system_cases")
    chosen = directed.cases(np.random.default_rng(SEED), len(directed.DIRECTED))
    (row,) = system.run_system([case for case in chosen if case.name == name], SEED, "amaranth")
    return row


# one of a kind is enough where it must be quick
SLOW = {
    "the DMA drops a word when the memory stalls", "a store is counted before the memory has it",
    "the next load waits until the one before has landed",
    "a feeder is set up after the job before it", "the halo ends a column late",
    "B goes on where it should begin again", "partial sums of the wrong columns",
    "narrow rows written a stage early", "no token for the result that is stored",
}  # fmt: skip


@pytest.mark.parametrize(
    "bug", [pytest.param(bug, marks=[pytest.mark.slow] if bug in SLOW else []) for bug in BUGS]
)
def test_seeded_bug_is_caught(bug: str) -> None:
    module, old, new, case, symptom = BUGS[bug]
    with in_place(Mutation(f"archsim.{module}", old, new), SYSTEM):
        row = check(case)
    assert any(symptom in text for text in row.disagreements), row
