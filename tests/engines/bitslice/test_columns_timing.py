"""Arrays of columns: the worked vector, closed forms against the schedule, convergence."""

from __future__ import annotations

import numpy as np
import pytest

from archsim.engines import Rate, SpecBatch
from archsim.engines.bitslice import ENGINE, column_ideal, column_schedule
from archsim.engines.bitslice.chunks import bank_costs, chunks_of, next_columns
from archsim.engines.bitslice.columns_cases import SPECS, case
from archsim.engines.bitslice.columns_expected import drawn_chunk
from archsim.engines.bitslice.columns_timing import work_of
from archsim.engines.bitslice.jobs import BitsliceJobs
from archsim.engines.bitslice.spec import BitsliceSpec
from archsim.formats.digits import encode, nonzero_shares, rounded_normal

WORKED = np.array([[39, 48, 60, 79]])  # a row of A; EN-T, of Wu et al.
SIGMA_25 = tuple(nonzero_shares(rounded_normal(25, 8), 8, "en_t").tolist())


def gemm(m: int, n: int, k: int, *, accumulate: bool = False, ref: str = "a") -> BitsliceJobs:
    extents = (np.array([x]) for x in (m, n, k))
    nonzero = np.full((1, 4), np.nan)
    return BitsliceJobs(*extents, np.array([accumulate]), nonzero, refs=({ref: "x"},))


# ------------------------------------------------------------------------------- counted by hand


def test_worked_vector() -> None:
    """Digits, highest first: 0 2 2 -1, 1 -1 0 0, 1 0 -1 0, 1 1 0 -1."""
    digits = encode(WORKED[0], 8, "en_t")
    assert [2, 0, -1, 0] == digits[:, 1].tolist()  # 2 B1 - B3 at bit weight 1
    spec = BitsliceSpec(pe="opt4c", rows=1, cols=1, depth=4)
    (chunk,) = chunks_of(spec, 4)
    costs, nonzero = bank_costs(spec, chunk, WORKED)
    assert [[[[[2]]], [[[2]]], [[[3]]], [[[3]]]]] == costs.tolist()
    assert [10] == nonzero.tolist()
    timing = ENGINE.time(spec, gemm(1, 1, 4), data={"x": WORKED})
    # four beats, and four cycles later the first digit, in cycle 8. The passes end in 10, 12, 18
    # and 23, but sums turn in 10, 15, 20 and 25: the ones before leave four cycles after a turn.
    # The last ones leave in 29, and the result four cycles later.
    assert 33 == timing.cycles[0]
    assert (10, 0) == (timing.counts["digits"][0], timing.counts["empty"][0])
    assert {
        "busy": 10, "fill": 8, "drain": 34 - 18,
        "stall.a": 0, "stall.b": 0, "stall.c": 0, "stall.result": 0,
    } == {name: values[0] for name, values in timing.split.items()}  # fmt: skip


def test_rings_are_copied_where_groups_are_few() -> None:
    spec = BitsliceSpec(pe="opt4c", rows=1, cols=8, depth=64)
    rings = {k: next(chunks_of(spec, k)).ring for k in (1, 4, 5, 12, 16, 32, 64)}
    assert {1: 1, 4: 1, 5: 2, 12: 4, 16: 4, 32: 8, 64: 8} == rings
    pairs = next_columns(spec, next(chunks_of(spec, 5)))
    assert [1, 0, 3, 2, 5, 4, 7, 6] == pairs.tolist()
    wide = BitsliceSpec(pe="opt4e", rows=1, cols=4, depth=256, slack=4)
    assert [4, 8] == [next(chunks_of(wide, k)).ring for k in (1, 65)]


def test_a_column_follows_the_one_before_it() -> None:
    """Column 0 waits in each bank for column 1, all of whose digits are other than zero."""
    spec = BitsliceSpec(pe="opt4c", rows=1, cols=2, depth=8, a_bits=2)
    data = np.array([[0] * 8, [1] * 8])
    timing = ENGINE.time(spec, gemm(2, 1, 8), data={"x": data})
    # column 1 takes four cycles in bank 1 while column 0 takes one in bank 0 and waits three
    assert (3, 0) == (timing.counts["bank_wait"][0], timing.counts["empty"][0] - 2)
    free = ENGINE.time(
        spec.model_copy(update={"slack": 2, "depth": 16}), gemm(2, 1, 8), data={"x": data}
    )
    assert 0 == free.counts["bank_wait"][0]


# ----------------------------------------------------------------------------------- properties


@pytest.mark.parametrize("seed", range(24))
def test_chunks_at_ideal_ports_are_the_schedule(seed: int) -> None:
    made = case(np.random.default_rng(seed), seed, SPECS[seed % len(SPECS)])
    for row in range(len(made.jobs)):
        work, _ = work_of(made.spec, made.jobs, row, made.data)
        whole = column_schedule.run(made.spec, work, {})
        found = column_ideal.run(made.spec, work)
        assert (whole.cycles, whole.occupied) == (found.cycles, found.occupied)
        assert dict(whole.split) == dict(found.split)
        assert dict(whole.waits) == dict(found.waits)


def test_opt3_takes_the_cycles_of_opt4c() -> None:
    rng = np.random.default_rng(3)
    data = {"x": rng.integers(-128, 128, (9, 70))}
    times = [
        ENGINE.time(BitsliceSpec(pe=pe, rows=4, cols=4, depth=32), gemm(9, 6, 70), data=data)
        for pe in ("opt3", "opt4c")
    ]
    assert times[0].cycles == times[1].cycles
    assert times[0].split == times[1].split


def test_slow_ports_are_charged() -> None:
    spec = BitsliceSpec(pe="opt4c", rows=2, cols=2, depth=16)
    data = {"x": np.random.default_rng(0).integers(-128, 128, (4, 40))}
    ideal = ENGINE.time(spec, gemm(4, 4, 40), data=data)
    for port in ("a", "b", "result"):
        slow = ENGINE.time(spec, gemm(4, 4, 40), {port: Rate(5, 1, 9)}, data)
        assert slow.cycles[0] > ideal.cycles[0]
        assert slow.split[f"stall.{port}"][0] > 0
        assert slow.split["busy"] == ideal.split["busy"]
        assert sum(slow.split.values())[0] == slow.occupied[0]
        assert slow.beats == ideal.beats


def test_specs_in_a_batch_pair_with_jobs() -> None:
    specs = [
        BitsliceSpec(pe="opt4c", rows=4, cols=4, depth=64),
        BitsliceSpec(pe="laconic", encoding="naf", rows=2, cols=3),
        BitsliceSpec(pe="opt4e", rows=4, cols=2, depth=128, sync="pass"),
    ]
    jobs = BitsliceJobs(
        np.full(3, 9), np.full(3, 7), np.full(3, 100), np.zeros(3, bool), np.full((3, 16), np.nan)
    )
    together = ENGINE.time(SpecBatch(specs), jobs)
    actions = ENGINE.actions(SpecBatch(specs), jobs, together)
    for i, spec in enumerate(specs):
        some = jobs.take(np.array([i]))
        alone = ENGINE.time(spec, some)
        assert alone.lo is not None
        assert together.lo is not None
        assert (alone.cycles[0], alone.lo[0]) == (together.cycles[i], together.lo[i])
        for name, counted in ENGINE.actions(spec, some, alone).items():
            assert counted[0] == actions[name][i]


# ---------------------------------------------------------------------------------- convergence

# (columns, k): share of the slowest column's digits that the mean one has, waiting after a chunk
# and after each bit weight; by a simulation of columns that nothing but barriers holds up
BARRIERS_ALONE = {
    (16, 128): (0.945, 0.898),
    (16, 256): (0.961, 0.927),
    (32, 128): (0.937, 0.884),
    (32, 256): (0.954, 0.915),
}


@pytest.mark.parametrize(("cols", "k"), BARRIERS_ALONE)
def test_columns_converge_with_k(cols: int, k: int) -> None:
    """With a ring of banks a column only barriers remain; with one bank each, hand-over too."""

    def utilisation(sync: str, slack: int) -> float:
        depth = max(k, cols * slack * 4)
        spec = BitsliceSpec(pe="opt4c", rows=4, cols=cols, depth=depth, slack=slack, sync=sync)
        drawn = drawn_chunk(spec, next(chunks_of(spec, k)), cols, SIGMA_25)
        return drawn.slots / (cols * drawn.cycles)

    chunk, each_pass = BARRIERS_ALONE[cols, k]
    # a group of zeros takes a cycle here, which evens columns out by a little
    assert utilisation("chunk", k // 4) == pytest.approx(chunk + 0.005, abs=0.006)
    assert utilisation("pass", k // 4) == pytest.approx(each_pass + 0.006, abs=0.007)
    # waiting in each bank costs more than waiting at the end
    assert utilisation("chunk", 1) < utilisation("chunk", k // 4) - 0.07
    # a few banks a column bring nearly all of it back
    assert utilisation("chunk", 4) > utilisation("chunk", k // 4) - 0.01
