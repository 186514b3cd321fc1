"""Times of the arrays with a stationary operand: by hand, and as definitions."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from archsim.engines import IDEAL, GemmJobs, Rate, SpecBatch, Stalls
from archsim.engines.gemm import PORTS
from archsim.engines.systolic import ENGINE
from archsim.engines.systolic.spec import SystolicSpec
from archsim.engines.systolic.timing import time

from ..environments import StationaryJob as Job
from ..environments import environments, rates, stalls
from ..environments import stationary_jobs as jobs


def ws(rows: int, cols: int, bank: int = 256) -> SystolicSpec:
    return SystolicSpec(rows=rows, cols=cols, dataflow="ws", acc_rows=bank)


def gemm(m: int, n: int, k: int, accumulate: int = 0) -> GemmJobs:
    return GemmJobs(*(np.array([x]) for x in (m, n, k)), np.array([bool(accumulate)]))


def split(timing) -> dict[str, int]:
    return {name: int(values[0]) for name, values in timing.split.items()}


# ------------------------------------------------------------------------------- counted by hand


@pytest.mark.parametrize(
    ("rows", "cols", "bank", "m", "n", "k", "cycles"),
    [
        # one PE, one product: cycle 1 loads it, 2 feeds, 3 multiplies, 4 lands, 5 goes
        (1, 1, 256, 1, 1, 1, 5),
        # 4 rows of B, 10 of A; the last is 4 + 4 steps in the array, then it lands and goes
        (4, 4, 256, 10, 4, 4, 4 + 10 + 4 + 4 + 1),
        # a ragged tile takes fewer beats to load, but its sums pass all rows
        (4, 4, 256, 10, 4, 1, 1 + 10 + 4 + 4 + 1),
        # tiles follow each other without a gap while A is longer than a tile
        (4, 4, 256, 10, 8, 8, 4 + 4 * 10 + 4 + 4 + 1),
        # and else as fast as they load: the last one's successor has not to be waited for
        (4, 4, 256, 1, 8, 8, 4 + 3 * 4 + 1 + 4 + 4 + 1),
        # a ragged last tile along k loads in 2: windows of 4 (its load: 2 < 3 rows) ...
        (4, 4, 256, 3, 8, 6, 4 + 3 + 4 + 3 + 3 + 4 + 4 + 1),
        # chunks of 3 and 1 rows pass all tiles each
        (2, 2, 3, 4, 2, 4, 2 + 3 + 3 + 2 + 1 + 2 + 2 + 1),
    ],
)
def test_ideal_cycles(rows: int, cols: int, bank: int, m: int, n: int, k: int, cycles: int) -> None:
    timing = time(ws(rows, cols, bank), gemm(m, n, k))
    assert (cycles, cycles + 1) == (timing.cycles[0], timing.occupied[0])


def test_ideal_split_of_one_element_on_a_large_array() -> None:
    # the command, five rows of B and the first of A; one PE a step, the sum passing five rows;
    # then it passes eleven more rows, waits for 15 more columns, lands, and goes
    assert {
        "busy": 5, "fill": 1 + 5 + 1, "drain": 11 + 15 + 1 + 1, "stall.a": 0, "stall.b": 0,
        "stall.c": 0, "stall.result": 0,
    } == split(time(ws(16, 16), gemm(1, 1, 5)))  # fmt: skip


def test_waiting_for_a_tile_is_fill_where_nothing_works() -> None:
    # rows of A are fed in steps 8, 12 and, with the next columns' tile in, 20; they work in steps
    # 9 to 16, 13 to 16, and from 21 on
    timing = time(ws(8, 1), gemm(1, 2, 12))
    assert 2 + 8 + 4 == split(timing)["fill"]


def test_beats_are_what_tiles_and_chunks_take() -> None:
    timing = time(ws(4, 4, bank=8), gemm(9, 5, 7, accumulate=1))
    beats = {name: int(values[0]) for name, values in timing.beats.items()}
    # two chunks, two tiles across, two deep: rows of A pass four tiles, chunks load all of B
    assert {"a": 9 * 4, "b": 2 * 2 * 7, "c": 9 * 2, "result": 9 * 2} == beats


def test_a_missing_tile_is_charged_to_the_stationary_operand() -> None:
    late = Rate(latency=21)
    for dataflow, port in (("ws", "stall.b"), ("is", "stall.a")):
        spec = SystolicSpec(rows=4, cols=4, dataflow=dataflow)
        found = time(spec, gemm(4, 4, 4), {"a": late, "b": late})
        assert 20 == split(found)[port]


def test_rows_of_the_last_fold_wait_for_a_slow_output() -> None:
    # rows land in cycles 13, 14, 15 and, when the second has gone, 20; they go in 14, 19, 24, 29
    timing = time(ws(4, 4), gemm(4, 4, 4), {"result": Rate(0, 1, 5)})
    assert 29 == timing.cycles[0]
    assert 4 + 3 + 4 == split(timing)["stall.result"]


# ------------------------------------------------------------------------------------ properties


@given(jobs, environments(st.one_of(rates(), stalls)))
def test_every_occupied_cycle_is_charged_once(job: Job, env: dict) -> None:
    timing = time(ws(*job[:3]), gemm(*job[3:]), env)
    assert timing.occupied[0] == sum(split(timing).values())
    assert all(value >= 0 for value in split(timing).values())


@given(jobs, environments(st.one_of(rates(), stalls)))
def test_stalls_only_add_to_the_ideal_and_macs_bound_it(job: Job, env: dict) -> None:
    rows, cols, bank, m, n, k, accumulate = job
    spec, gemms = ws(rows, cols, bank), gemm(m, n, k, accumulate)
    ideal = time(spec, gemms).cycles[0]
    assert ideal <= time(spec, gemms, env).cycles[0]
    assert m * n * k <= ideal * spec.pes


@given(jobs, environments(st.one_of(rates(), stalls)))
def test_input_stationary_is_weight_stationary_transposed(job: Job, env: dict) -> None:
    rows, cols, bank, m, n, k, accumulate = job
    names = {"a": "b", "b": "a", "stall.a": "stall.b", "stall.b": "stall.a"}
    other = ws(rows, cols, bank).model_copy(update={"dataflow": "is"})
    one = time(ws(rows, cols, bank), gemm(m, n, k, accumulate), env)
    two = time(other, gemm(n, m, k, accumulate), {names.get(x, x): port for x, port in env.items()})
    assert one.cycles == two.cycles
    for here, there in ((one.split, two.split), (one.beats, two.beats)):
        assert here == {names.get(name, name): value for name, value in there.items()}


@given(st.lists(jobs, min_size=1, max_size=6), environments(rates()), st.data())
def test_a_batch_of_dataflows_is_its_specs_one_by_one(
    rows: list[Job], env: dict, data: st.DataObject
) -> None:
    flows = [data.draw(st.sampled_from(["os", "ws", "is"])) for _ in rows]
    specs = [
        ws(*row[:3]).model_copy(update={"dataflow": flow})
        for row, flow in zip(rows, flows, strict=True)
    ]
    m, n, k, accumulate = (np.array(column) for column in list(zip(*rows, strict=True))[3:])
    many, all_jobs = SpecBatch(specs), GemmJobs(m, n, k, accumulate.astype(bool))
    together = time(many, all_jobs, env)
    counted = ENGINE.actions(many, all_jobs, together)
    for i, (spec, row) in enumerate(zip(specs, rows, strict=True)):
        alone = time(spec, gemm(*row[3:]), env)
        assert (alone.cycles[0], alone.occupied[0]) == (together.cycles[i], together.occupied[i])
        for name, values in alone.split.items():
            assert values[0] == together.split[name][i]
        actions = ENGINE.actions(spec, gemm(*row[3:]), alone)
        assert {name: int(x[0]) for name, x in actions.items()} == {
            name: int(x[i]) for name, x in counted.items() if name in actions
        }
        assert all(x[i] == 0 for name, x in counted.items() if name not in actions)


def test_a_long_job_at_paced_ports_needs_no_loop_over_cycles() -> None:
    env = {"a": Rate(0, 2, 3), "b": Rate(0, 2, 3), "c": Rate(9, 2, 3), "result": Rate(0, 1, 2)}
    spec, big = ws(32, 32), gemm(1024, 1024, 1024, accumulate=1)
    timing = time(spec, big, env)
    assert 32 * 32 * 1024 < timing.cycles[0] < 3 * 32 * 32 * 1024
    assert timing.cycles[0] >= timing.beats["a"][0] * 3 // 2


def test_an_ideal_port_by_any_name_is_ideal() -> None:
    plain = time(ws(3, 3), gemm(5, 5, 5))
    for port in PORTS:
        assert plain.cycles == time(ws(3, 3), gemm(5, 5, 5), {port: IDEAL}).cycles
        named = time(ws(3, 3), gemm(5, 5, 5), {port: Stalls((False, False))})
        assert plain.cycles == named.cycles


# ------------------------------------------------------------------------------------- actions


def test_actions_count_what_moves() -> None:
    spec, job = ws(4, 4, bank=3), gemm(5, 6, 10)
    # tiles 4, 4 and 2 deep; two across; chunks of 3 and 2 rows
    assert {
        "mac": 300,
        "stream_hop": 5 * 10 * 2 * 4,
        "load_hop": 2 * 6 * (10 + 10 + 3),
        "sum_hop": 5 * 6 * 3 * 4,
        "acc_read": 5 * 2 * 2,
        "acc_write": 5 * 2 * 2,
        "pe_clock": 16 * int(time(spec, job).occupied[0]),
        "a_beat": 5 * 2 * 3,
        "b_beat": 2 * 2 * 10,
        "c_beat": 0,
        "result_beat": 10,
    } == {name: int(x[0]) for name, x in ENGINE.actions(spec, job, time(spec, job)).items()}


def test_blocks_are_what_stays() -> None:
    spec = ws(4, 8)
    assert (None, 8, 4) == ENGINE.blocks(spec)
    assert (8, None, 4) == ENGINE.blocks(spec.model_copy(update={"dataflow": "is"}))
    assert (4, 8, None) == ENGINE.blocks(spec.model_copy(update={"dataflow": "os"}))
