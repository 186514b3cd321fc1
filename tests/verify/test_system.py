"""The system in RTL: values of layers and chains, cycles against the model, any memory."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from archsim.errors import InputError
from archsim.verify.memory import Memory, MemoryTiming, ProtocolError
from archsim.verify.system import check_system, prepare, run_system
from archsim.verify.system_bound import bound_cycles
from archsim.verify.system_cases import (
    DIRECTED,
    Layer,
    SystemCase,
    cases,
    chain,
    small_design,
)

SEED = 5
CHANNELS = ("ar", "r", "aw", "w", "b")


def case(name: str, seed: int = SEED) -> SystemCase:
    return next(c for c in cases(np.random.default_rng(seed), len(DIRECTED)) if c.name == name)


def test_layers_and_chains_agree_with_numpy_and_the_model() -> None:
    rows = check_system(len(DIRECTED) + 14, SEED)
    assert [row for row in rows if not row.ok] == []
    assert len(rows) == len(DIRECTED) + 14
    assert all(row.rtl_cycles == row.walked_cycles for row in rows)
    assert all(row.event_cycles <= row.rtl_cycles for row in rows if row.rtl_cycles is not None)


@pytest.mark.slow
def test_many_drawn_chains_agree() -> None:
    assert [row for row in check_system(300, 11) if not row.ok] == []


@pytest.mark.slow
@pytest.mark.parametrize(("rows", "cols"), [(2, 8), (8, 2)])
def test_wide_and_tall_arrays_agree(rows: int, cols: int) -> None:
    layers = (
        Layer(6, image=(6, 5, 5), kernel=3, stride=2, pad=1, relu=True),
        Layer(9, image=(3, 3, 6), kernel=2, narrow=False),
    )
    design = small_design(1.0, rows=rows, cols=cols)
    chosen = chain("chain", design, layers, np.random.default_rng(SEED))
    (row,) = run_system([chosen], SEED, "amaranth")
    assert row.disagreements == ()


def stalled(case: SystemCase, seed: int) -> SystemCase:
    """Return the case with every channel of the memory port stalling at random."""
    rng = np.random.default_rng(seed)
    share = rng.choice([0.1, 0.5, 0.9], len(CHANNELS))
    bits = {
        channel: "".join("1" if x else "0" for x in rng.random(6000) < some)
        for channel, some in zip(CHANNELS, share, strict=True)
    }
    return dataclasses.replace(case, name=f"{case.name}-{seed}", stalls=bits)


@pytest.mark.slow
def test_no_stall_of_the_memory_loses_or_reorders_a_word() -> None:
    names = ("gemm-ragged", "conv-strided-tiles", "chain-3-stored", "gemm-deep-outside")
    rows = run_system([stalled(case(name), seed) for name in names for seed in range(3)])
    assert [row for row in rows if not row.ok] == []


def test_the_bound_counts_transfers_jobs_and_padding() -> None:
    ready = prepare(case("gemm"))  # 4 loads, 4 stores, no requantisation, no padding
    loads, stores = 4, 4
    assert (ready.program.transfers, ready.program.padding_bytes) == (loads + stores, 0)
    fast, slow = MemoryTiming(), MemoryTiming(p=1, q=3)
    assert bound_cycles(ready.program, fast) == 5 + 4 + 4 * loads + 5 * stores
    assert bound_cycles(ready.program, slow) == bound_cycles(ready.program, fast)
    ragged = prepare(case("gemm-one"))  # a word each, a byte of the loads' and four of the store's
    assert ragged.program.padding_bytes == 3 + 3 + 12
    assert bound_cycles(ragged.program, fast) == 5 + 4 + 4 * 2 + 5 + 5
    assert bound_cycles(ragged.program, slow) == 5 + 4 + 4 * 2 + 5 + 15


def test_a_case_runs_alone_by_its_name_in_either_simulator() -> None:
    (row,) = check_system(len(DIRECTED), SEED, "amaranth", "gemm-one")
    assert row.case == "gemm-one"
    (verilog,) = check_system(len(DIRECTED), SEED, None, "gemm-one")
    assert row == dataclasses.replace(verilog, simulator="amaranth")
    assert row.command.endswith("--case gemm-one")
    with pytest.raises(InputError, match="--case: must name one of the 2 cases of seed 0"):
        check_system(2, 0, "amaranth", "gemm-two")


# ---------------------------------------------------------------------------------------- memory


IDLE = {f"{name}__valid": 0 for name in ("ar", "aw", "w")} | {"r__ready": 1, "b__ready": 1}


def reads(timing: MemoryTiming, bursts: list[tuple[int, int, int]], cycles: int) -> list[int]:
    """Return the cycles in which words come back of bursts (cycle, address, words)."""
    memory, came = Memory(bytearray(range(256)), 4, timing), []
    for cycle in range(cycles):
        driven = memory.offers(cycle)
        asked = next((b for b in bursts if b[0] == cycle), None)
        pins = dict(IDLE)
        if asked:
            pins |= {"ar__valid": 1, "ar__payload": asked[2] << 32 | asked[1]}
        if driven["r__valid"]:
            came.append(cycle)
        memory.take(cycle, driven, pins)
    return came


def test_memory_keeps_its_latency_and_its_bandwidth() -> None:
    assert reads(MemoryTiming(latency=0), [(0, 0, 3)], 9) == [1, 2, 3]
    assert reads(MemoryTiming(latency=4), [(0, 0, 3), (1, 16, 1)], 12) == [5, 6, 7, 8]
    # a word in 1.5 cycles, on the bus without a gap
    assert reads(MemoryTiming(p=2, q=3), [(0, 0, 4)], 12) == [2, 3, 5, 6]
    assert reads(MemoryTiming(), [(0, 0, 1), (6, 0, 1)], 12) == [1, 7]


def test_memory_refuses_what_breaks_the_protocol() -> None:
    memory = Memory(bytearray(8192), 4, MemoryTiming())
    ask = {**IDLE, "ar__valid": 1, "ar__payload": 2 << 32 | 4092}
    with pytest.raises(ProtocolError, match="crosses a page"):
        memory.take(0, memory.offers(0), ask)
    with pytest.raises(ProtocolError, match="leaves the memory"):
        memory.take(0, memory.offers(0), {**ask, "ar__payload": 1 << 32 | 8192})
    write = {**IDLE, "aw__valid": 1, "aw__payload": 2 << 32}
    memory.take(0, memory.offers(0), write)
    with pytest.raises(ProtocolError, match="of what is being written"):
        memory.take(1, memory.offers(1), {**ask, "ar__payload": 1 << 32 | 4})
    with pytest.raises(ProtocolError, match=r"w.last is 1 with 1 words"):
        memory.take(2, memory.offers(2), {**IDLE, "w__valid": 1, "w__payload": 1 << 32})
