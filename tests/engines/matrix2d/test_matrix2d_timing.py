from __future__ import annotations

from functools import partial

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from archsim.engines import IDEAL, GemmJobs, Rate, SpecBatch, Stalls
from archsim.engines.gemm import PORTS, cycle_loop, recurrence
from archsim.engines.gemm.folds import folds_of
from archsim.engines.gemm.paced import closed_form
from archsim.engines.matrix2d import ENGINE
from archsim.engines.matrix2d.spec import Matrix2dSpec
from archsim.engines.matrix2d.timing import time

from ..environments import environments, jobs, rates, stalls

by_cycles = partial(cycle_loop.run, skewed=False)
by_rows = partial(recurrence.run, skewed=False)
# steps of several passes are late
HOW = st.sampled_from([{}, {"late": 1}, {"late": 1, "passes": 2}, {"late": 1, "passes": 3}])


def gemm(m: int, n: int, k: int, accumulate: int = 0) -> GemmJobs:
    return GemmJobs(*(np.array([x]) for x in (m, n, k)), np.array([bool(accumulate)]))


# ------------------------------------------------------------------------------- counted by hand


@pytest.mark.parametrize(
    ("rows", "cols", "m", "n", "k", "cycles"),
    [
        # one PE, one product: fed in cycle 1; leaves in 2; goes in 3
        (1, 1, 1, 1, 1, 3),
        # k beats, then four rows leave, the last one goes a cycle later
        (4, 4, 4, 4, 10, 15),
        # a ragged fold drains no rows that it has not
        (4, 4, 1, 4, 10, 12),
        # columns cost nothing
        (4, 64, 4, 64, 10, 15),
        # four folds, of 10 steps each, overlap
        (4, 4, 8, 8, 10, 45),
        # short sums wait for the rows of the fold before: 4 steps a fold
        (4, 4, 8, 8, 1, 3 * 4 + 1 + 4 + 1),
        # which a wide array has few of
        (2, 5, 2, 10, 3, 3 + 3 + 2 + 1),
    ],
)
def test_ideal_cycles(rows: int, cols: int, m: int, n: int, k: int, cycles: int) -> None:
    timing = time(Matrix2dSpec(rows=rows, cols=cols), gemm(m, n, k))
    assert (cycles, cycles + 1) == (timing.cycles[0], timing.occupied[0])


@pytest.mark.parametrize(
    ("rows", "cols", "m", "n", "k", "cycles"),
    [
        # four passes of eight beats; rows leave two cycles after the last one and pass three places
        (4, 4, 4, 4, 32, 3 * 8 + 8 + 4 + 4),
        # a beat holds four slices of k, or what is left of it
        (4, 4, 4, 4, 33, 3 * 9 + 9 + 4 + 4),
        # short passes wait until the rows of the pass before have left, and the last fold is ragged
        (4, 4, 5, 4, 3, 7 * 6 + 1 + 1 + 4),
        # a row comes back from the bank after four steps
        (1, 2, 1, 4, 4, 7 * 4 + 1 + 1 + 4),
    ],
)
def test_ideal_cycles_of_passes(rows: int, cols: int, m: int, n: int, k: int, cycles: int) -> None:
    timing = time(Matrix2dSpec(rows=rows, cols=cols, pe="opt2"), gemm(m, n, k))
    assert cycles == timing.cycles[0]
    assert not any(values[0] for name, values in timing.split.items() if "stall" in name)


@pytest.mark.parametrize(
    ("rows", "cols", "m", "n", "k", "cycles"),
    [
        # one product: fed in cycle 1, made in 2; leaves in 3, waits in 4, is half added in 5
        (1, 1, 1, 1, 1, 5),
        # four folds of ten steps: two cycles more than numbers take
        (4, 4, 8, 8, 10, 47),
        # short sums wait until the rows of the fold before have left: 6 steps a fold
        (4, 4, 8, 8, 1, 3 * 6 + 1 + 4 + 3),
    ],
)
def test_ideal_cycles_of_late_steps(
    rows: int, cols: int, m: int, n: int, k: int, cycles: int
) -> None:
    timing = time(Matrix2dSpec(rows=rows, cols=cols, pe="opt1"), gemm(m, n, k))
    assert (cycles, cycles + 2) == (timing.cycles[0], timing.occupied[0])
    assert not any(values[0] for name, values in timing.split.items() if "stall" in name)


def test_bytes_take_as_long_digit_by_digit_as_whole() -> None:
    mac, opt2 = (Matrix2dSpec(rows=32, cols=32, pe=pe) for pe in ("mac", "opt2"))
    jobs = gemm(512, 768, 256)
    assert time(mac, jobs).cycles[0] + 3 == time(opt2, jobs).cycles[0]
    # operands come again: a word of three bits an element and digit, four slices a beat
    assert time(mac, jobs).beats["b"][0] == time(opt2, jobs).beats["b"][0]
    assert (32 * 4 * 3, 32 * 4 * 8) == tuple(ENGINE.lanes(opt2)[p].beat_bits for p in "ab")


def test_deep_products_take_their_beats_and_a_constant() -> None:
    # the published model of a broadcast array: tiles of C times k, and a small constant
    spec = Matrix2dSpec(rows=32, cols=32)
    for m, n, k in ((32, 32, 32), (512, 768, 256), (4096, 1024, 1024)):
        tiles = m // 32 * (n // 32)
        assert tiles * k + 32 + 1 == time(spec, gemm(m, n, k)).cycles[0]


def test_ideal_split() -> None:
    timing = time(Matrix2dSpec(rows=4, cols=4), gemm(6, 4, 3))
    # two folds of three beats, a bubble between them; two rows drain, and the queue
    assert {
        "busy": 6, "fill": 1, "drain": 1 + 2 + 1, "stall.a": 0, "stall.b": 0, "stall.c": 0,
        "stall.result": 0,
    } == {name: values[0] for name, values in timing.split.items()}  # fmt: skip


def test_a_slow_output_holds_the_next_capture_up() -> None:
    # rows go in cycles 4, 9, 14 ... 29. The third fold would be captured in cycle 6, but the second
    # one's last row leaves in 10, after a row went in 9; from then on rows wait in all other cycles
    timing = time(Matrix2dSpec(rows=2, cols=1), gemm(6, 1, 2), {"result": Rate(0, 1, 5)})
    assert 29 == timing.cycles[0]
    assert 4 + 3 + 4 + 4 + 4 == timing.split["stall.result"][0]
    assert (6, 4) == (timing.split["busy"][0], timing.split["drain"][0])


def test_both_operands_missing_is_charged_to_b() -> None:
    late = Rate(latency=21)
    timing = time(Matrix2dSpec(rows=4, cols=4), gemm(4, 4, 10), {"a": late, "b": late})
    assert (0, 20) == (timing.split["stall.a"][0], timing.split["stall.b"][0])


# ----------------------------------------------------------------------------------- properties


@given(jobs)
def test_closed_form_is_the_cycle_loop(job: tuple[int, ...]) -> None:
    rows, cols, *extents = job
    timing = time(Matrix2dSpec(rows=rows, cols=cols), gemm(*extents))
    stalled = by_cycles(*job, {})
    assert stalled.cycles == timing.cycles[0]
    assert not any(stalled.stalls.values())


@settings(max_examples=300)
@given(jobs, environments(rates()), HOW)
def test_recurrence_is_the_cycle_loop(job: tuple[int, ...], env: dict, how: dict[str, int]) -> None:
    assert by_cycles(*job, env, **how) == by_rows(*job, env, **how)


@settings(max_examples=300)
@given(jobs, environments(rates()), HOW)
def test_closed_form_at_paced_ports_is_the_cycle_loop_where_it_holds(
    job: tuple[int, ...], env: dict, how: dict[str, int]
) -> None:
    rows, cols, *extents = job
    gemms = gemm(*extents)
    folds = folds_of(Matrix2dSpec(rows=rows, cols=cols), gemms, skewed=False, **how)
    paced = closed_form(folds, gemms, env)
    if np.all(paced.holds):
        exact = by_cycles(*job, env, **how)
        assert exact.cycles == paced.cycles[0]
        assert exact.stalls == {port: values[0] for port, values in paced.stalls.items()}


@pytest.mark.parametrize("result", [IDEAL, Rate(0, 1, 2), Rate(0, 3, 7), Rate(300, 5, 6)])
@pytest.mark.parametrize("a", [IDEAL, Rate(0, 1, 3), Rate(0, 9, 10), Rate(500, 2, 3)])
@pytest.mark.parametrize("c", [IDEAL, Rate(0, 1, 4), Rate(900, 1, 1)])
@pytest.mark.parametrize(("m", "n", "k"), [(5, 700, 2), (100, 9, 7)])
def test_recurrence_skips_repeated_folds_exactly(
    result: Rate, a: Rate, c: Rate, m: int, n: int, k: int
) -> None:
    job = (2, 3, m, n, k, 1)
    env = {"a": a, "b": Rate(2, 11, 13), "c": c, "result": result}
    assert by_cycles(*job, env) == by_rows(*job, env)
    for how in ({"late": 1}, {"late": 1, "passes": 4}):
        assert by_cycles(*job, env, **how) == by_rows(*job, env, **how)


@given(jobs, environments(st.one_of(rates(), stalls)))
def test_every_occupied_cycle_is_charged_once(job: tuple[int, ...], env: dict) -> None:
    rows, cols, *extents = job
    timing = time(Matrix2dSpec(rows=rows, cols=cols), gemm(*extents), env)
    assert timing.occupied[0] == sum(int(values[0]) for values in timing.split.values())
    assert all(values[0] >= 0 for values in timing.split.values())


@given(jobs, environments(st.one_of(rates(), stalls)))
def test_stalls_only_add_to_the_ideal_and_macs_bound_it(job: tuple[int, ...], env: dict) -> None:
    rows, cols, m, n, k, accumulate = job
    spec, gemms = Matrix2dSpec(rows=rows, cols=cols), gemm(m, n, k, accumulate)
    ideal = time(spec, gemms).cycles[0]
    assert ideal <= time(spec, gemms, env).cycles[0]
    assert m * n * k <= ideal * spec.pes


@given(st.lists(jobs, min_size=1, max_size=5), environments(rates()))
def test_a_batch_of_specs_is_its_specs_one_by_one(rows: list[tuple[int, ...]], env: dict) -> None:
    pes = ("opt2", "mac", "opt1")
    specs = [Matrix2dSpec(rows=r[0], cols=r[1], pe=pes[i % 3]) for i, r in enumerate(rows)]
    _, _, m, n, k, accumulate = (np.array(column) for column in zip(*rows, strict=True))
    together = time(SpecBatch(specs), GemmJobs(m, n, k, accumulate.astype(bool)), env)
    for i, (spec, row) in enumerate(zip(specs, rows, strict=True)):
        alone = time(spec, gemm(*row[2:]), env)
        assert (alone.cycles[0], alone.occupied[0]) == (together.cycles[i], together.occupied[i])
        for name, values in alone.split.items():
            assert values[0] == together.split[name][i]


# -------------------------------------------------------------------------------- misuse, actions


def test_unknown_port_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^env names port 'd'; the engine has a, b, c, result$"):
        time(Matrix2dSpec(), gemm(1, 1, 1), {"d": IDEAL})


def test_command_stalls_do_not_change_cycles() -> None:
    spec, job = Matrix2dSpec(rows=2, cols=2), gemm(3, 3, 3)
    assert time(spec, job).cycles == time(spec, job, {"cmd": Stalls((True,) * 9)}).cycles


def test_actions_count_real_work_and_clocked_pes() -> None:
    spec, job = Matrix2dSpec(rows=4, cols=4), gemm(5, 4, 10, accumulate=1)
    timing = time(spec, job)
    assert {
        "mac": 200, "resolve": 20, "acc_read": 0, "acc_write": 0,
        "pe_clock": 16 * (10 + 10 + 1 + 1 + 1), "a_beat": 20,
        "b_beat": 20, "c_beat": 5, "result_beat": 5,
    } == {name: x[0] for name, x in ENGINE.actions(spec, job, timing).items()}  # fmt: skip
    assert set(PORTS) == set(timing.beats)
