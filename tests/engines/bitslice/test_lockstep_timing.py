from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from archsim.engines import Rate, SpecBatch, Stalls
from archsim.engines.bitslice import ENGINE, lockstep_loop, lockstep_recurrence
from archsim.engines.bitslice.jobs import BitsliceJobs
from archsim.engines.bitslice.lockstep_digits import beat_cycles, told
from archsim.engines.bitslice.lockstep_timing import time
from archsim.engines.bitslice.spec import BitsliceSpec
from archsim.engines.gemm import PORTS
from archsim.formats.digits import (
    encode,
    integers,
    nonzero_digits,
    nonzero_shares,
    rounded_normal,
    tally,
)

from ..environments import environments, rates, stalls

Job = tuple[np.ndarray, np.ndarray, int, bool]  # steps [folds, beats], rows, stages, accumulate

LACONIC = BitsliceSpec(pe="laconic", encoding="naf", rows=3, cols=2, group=4)
BITLET = BitsliceSpec(pe="bitlet", encoding="twos_complement", rows=2, cols=3, group=8)
SPECS = {
    "laconic": LACONIC,
    "laconic of b": LACONIC.model_copy(update={"encoded": "b", "encoding": "en_t", "b_bits": 5}),
    "bitlet": BITLET,
    "bitlet of b": BITLET.model_copy(update={"encoded": "b", "encoding": "sign_magnitude"}),
}


def gemm(
    spec: BitsliceSpec, m: int, n: int, k: int, accumulate: int = 0, *, known: bool = False
) -> BitsliceJobs:
    extents = (np.array([x]) for x in (m, n, k))
    refs = ({"a": "a", "b": "b"},) if known else None
    return BitsliceJobs(*extents, np.array([accumulate > 0]), told(spec, {})[None], refs=refs)


def operands(spec: BitsliceSpec, m: int, n: int, k: int, seed: int = 0) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    a = rng.normal(0, 2 ** (spec.a_bits - 3), (m, k)).clip(-(2 ** (spec.a_bits - 1)), None)
    b = rng.normal(0, 2 ** (spec.b_bits - 3), (k, n)).clip(-(2 ** (spec.b_bits - 1)), None)
    return {
        "a": np.rint(a.clip(None, 2 ** (spec.a_bits - 1) - 1)).astype(np.int64),
        "b": np.rint(b.clip(None, 2 ** (spec.b_bits - 1) - 1)).astype(np.int64),
    }


# ------------------------------------------------------------------------------- counted by hand


def test_laconic_beats_take_the_longest_lists_of_terms() -> None:
    # 39 = 32 + 8 - 1, 48 = 64 - 16, 60 = 64 - 4, 79 = 64 + 16 - 1: three, two, two, three terms
    a = np.array([[39, 48, 60, 79]])
    spec = LACONIC.model_copy(update={"rows": 1, "cols": 1})
    # 1 has a term, 3 two, 0 none, 85 four: the last slice takes 3 x 4
    assert [[12]] == beat_cycles(spec, a, np.array([[1, 3, 0, 85]]).T).tolist()
    # nothing to do takes a cycle, as does one term by one
    assert [[1]] == beat_cycles(spec, a, np.zeros((4, 1), np.int64)).tolist()
    assert [[1, 1]] == beat_cycles(spec, np.ones((1, 5), int), np.ones((5, 1), int)).tolist()


def test_laconic_rows_and_columns_wait_for_each_other() -> None:
    spec = LACONIC.model_copy(update={"group": 2})
    a = np.array([[85, 0], [0, 1]])  # four terms and none; none and one
    b = np.array(
        [[1, 0, 0], [0, 5, 1]]
    )  # a term of slice 0 in column 0, two of slice 1 in column 1
    # slice 0: 4 x 1, though no PE has more; slice 1: 1 x 2
    assert [[4]] == beat_cycles(spec, a, b).tolist()


def test_bitlet_beats_take_the_fullest_significance() -> None:
    spec = BITLET.model_copy(update={"cols": 1})
    a = np.array([[1, 3, 5, 7, -1, 0, 0, 0, 6]])  # bit 0 is set in five of the first group
    assert [[5, 1]] == beat_cycles(spec, a, np.zeros((9, 2), np.int64)).tolist()
    signed = spec.model_copy(update={"encoding": "sign_magnitude"})
    assert [[5, 1]] == beat_cycles(signed, a, np.zeros((9, 2), np.int64)).tolist()


@pytest.mark.parametrize(
    ("stages", "steps", "rows", "cycles"),
    [
        # a beat is taken in cycle 1 and worked on in cycle 2; its sum is there in 5, leaves its
        # register in 6 and goes in 7
        (3, [[1]], [1], 7),
        # one stage less; four cycles of work, three rows
        (2, [[3, 1]], [3], 1 + 4 + 2 + 3 + 1),
        # folds without a gap: 5 and 6 cycles
        (3, [[2, 3], [5, 1]], [2, 2], 1 + 11 + 3 + 2 + 1),
        # the second fold is short: it ends when the fourth row of the first one leaves
        (3, [[9, 1], [1, 1], [1, 9]], [4, 4, 1], 1 + 10 + (3 + 4) + 10 + 3 + 1 + 1),
    ],
)
def test_ideal_cycles(stages: int, steps: list[list[int]], rows: list[int], cycles: int) -> None:
    run = lockstep_loop.run(np.array(steps), np.array(rows), stages, {}, accumulate=False)
    assert cycles == run.cycles
    assert not any(run.stalls.values())


def test_ideal_split() -> None:
    spec = LACONIC
    data = {"a": np.full((2, 4), 85), "b": np.full((4, 6), 1)}
    timing = time(spec, gemm(spec, 2, 6, 4, known=True), data=data)
    # two folds of one beat of four cycles; the second one waits a cycle for the rows of the first
    assert {
        "busy": 8, "fill": 2, "drain": 1 + 3 + 2 + 1,
        "stall.a": 0, "stall.b": 0, "stall.c": 0, "stall.result": 0,
    } == {name: values[0] for name, values in timing.split.items()}  # fmt: skip
    assert ("exact", None) == (timing.kind, timing.lo)


def test_what_was_missing_is_charged() -> None:
    steps, rows = np.array([[2, 2]]), np.array([1])
    late = {"a": Rate(latency=11), "b": Rate(latency=4)}
    # beats are wanted in cycles 1 and 13; b comes in 4, a in 11
    run = lockstep_loop.run(steps, rows, 2, late, accumulate=False)
    assert {"a": 7, "b": 3, "c": 0, "result": 0} == run.stalls
    # rows are refused once all is done; the sum comes from its register in cycle 8, heads in 9
    run = lockstep_loop.run(steps, rows, 2, {"result": Rate(latency=30)}, accumulate=False)
    assert (30, 21) == (run.cycles, run.stalls["result"])


# ----------------------------------------------------------------------------------- properties


@st.composite
def works(draw: st.DrawFn) -> Job:
    folds, beats = draw(st.integers(1, 7)), draw(st.integers(1, 5))
    steps = draw(st.lists(st.integers(1, 6), min_size=folds * beats, max_size=folds * beats))
    rows = draw(st.lists(st.integers(1, 6), min_size=folds, max_size=folds))
    shape = np.array(steps).reshape(folds, beats)
    return shape, np.array(rows), draw(st.integers(1, 4)), draw(st.booleans())


@settings(max_examples=200)
@given(works(), environments(rates()))
def test_recurrence_is_the_cycle_loop(work: Job, env: dict) -> None:
    *arguments, accumulate = work
    assert lockstep_loop.run(*arguments, env, accumulate=accumulate) == lockstep_recurrence.run(
        *arguments, env, accumulate=accumulate
    )


SIZES = st.tuples(st.integers(1, 9), st.integers(1, 9), st.integers(1, 20), st.integers(0, 1))


@settings(max_examples=40)
@given(st.sampled_from(sorted(SPECS)), SIZES, environments(st.one_of(rates(), stalls)))
def test_every_occupied_cycle_is_charged_once(name: str, size: tuple, env: dict) -> None:
    spec, data = SPECS[name], operands(SPECS[name], *size[:3])
    for known in (True, False):
        timing = time(spec, gemm(spec, *size, known=known), env, data if known else None)
        assert timing.occupied[0] == sum(int(values[0]) for values in timing.split.values())
        assert all(values[0] >= 0 for values in timing.split.values())


@settings(max_examples=40)
@given(st.sampled_from(sorted(SPECS)), SIZES, environments(rates()))
def test_bounds_hold_what_values_take(name: str, size: tuple, env: dict) -> None:
    spec = SPECS[name]
    job = gemm(spec, *size, known=True)
    likely, exact = time(spec, job, env), time(spec, job, env, operands(spec, *size[:3]))
    assert ("expected", "exact") == (likely.kind, exact.kind)
    assert likely.lo is not None and likely.hi is not None
    assert likely.lo[0] <= exact.cycles[0] <= likely.hi[0]
    assert likely.lo[0] <= likely.cycles[0] <= likely.hi[0]
    assert likely.beats == exact.beats


@settings(max_examples=40)
@given(st.sampled_from(sorted(SPECS)), SIZES)
def test_the_closed_form_is_the_loop(name: str, size: tuple) -> None:
    """With values and without, where a port that never stalls makes the loop run."""
    spec, data = SPECS[name], operands(SPECS[name], *size[:3])
    never = {"result": Stalls((True,))}  # in cycle 0 no result comes
    for known in (True, False):
        job = gemm(spec, *size, known=known)
        one, other = (time(spec, job, env, data if known else None) for env in ({}, never))
        assert one.cycles[0] == other.cycles[0]
        assert {port: v[0] for port, v in one.split.items()} == {
            port: v[0] for port, v in other.split.items()
        }


@settings(max_examples=30)
@given(st.lists(st.tuples(st.sampled_from(sorted(SPECS)), SIZES), min_size=1, max_size=5))
def test_a_batch_of_specs_is_its_specs_one_by_one(rows: list) -> None:
    width = max(len(told(SPECS[name], {})) for name, _ in rows)
    m, n, k, accumulate = (np.array(column) for column in zip(*(s for _, s in rows), strict=True))
    unknowns = np.full((len(rows), width), np.nan)
    jobs = BitsliceJobs(m, n, k, accumulate > 0, unknowns)
    together = ENGINE.time(SpecBatch([SPECS[name] for name, _ in rows]), jobs)
    assert together.lo is not None
    for i, (name, size) in enumerate(rows):
        alone = time(SPECS[name], gemm(SPECS[name], *size))
        assert alone.lo is not None
        assert (alone.cycles[0], alone.lo[0]) == (together.cycles[i], together.lo[i])
        assert [v[0] for v in alone.split.values()] == [v[i] for v in together.split.values()]
        assert [v[0] for v in alone.beats.values()] == [v[i] for v in together.beats.values()]


# ------------------------------------------------------------------------------------- of values


@pytest.mark.parametrize("name", SPECS)
@pytest.mark.parametrize(("m", "n", "k"), [(1, 1, 1), (7, 5, 19), (6, 6, 8)])
def test_beats_one_by_one(name: str, m: int, n: int, k: int) -> None:
    """The definition, PE by PE."""
    spec, data = SPECS[name], operands(SPECS[name], m, n, k, seed=m)
    x, y = (data["a"], data["b"].T) if spec.encoded == "a" else (data["b"].T, data["a"])
    found = []
    for top, left in itertools.product(range(0, len(x), spec.cols), range(0, len(y), spec.rows)):
        for first in range(0, k, spec.group):
            beat = slice(first, first + spec.group)
            rows, columns = x[top : top + spec.cols, beat], y[left : left + spec.rows, beat]
            if spec.pe == "bitlet":
                taken = (encode(rows, spec.encoded_bits, spec.encoding) != 0).sum(axis=1).max()
            else:
                taken = max(
                    nonzero_digits(p, spec.encoded_bits, spec.encoding).max()
                    * nonzero_digits(q, spec.other_bits, spec.encoding).max()
                    for p, q in zip(rows.T, columns.T, strict=True)
                )
            found.append(max(1, taken))
    assert found == beat_cycles(spec, data["a"], data["b"]).ravel().tolist()


@pytest.mark.parametrize(
    ("name", "group", "within"),
    # digits of one integer depend on each other more than the mean knows: upper bits repeat a sign
    [("laconic", 4, 0.05), ("laconic", 16, 0.05), ("bitlet", 8, 0.02), ("bitlet", 16, 0.02)],
)
def test_mean_of_normal_operands(name: str, group: int, within: float) -> None:
    spec = SPECS[name].model_copy(update={"group": group, "rows": 8, "cols": 8})
    rng = np.random.default_rng(5)
    drawn = {
        "a": rng.choice(integers(8), (160, 320), p=rounded_normal(25, 8)),
        "b": rng.choice(integers(8), (320, 160), p=rounded_normal(25, 8)),
    }
    job = gemm(spec, 160, 160, 320, known=True)
    exact, likely = time(spec, job, data=drawn), time(spec, job)
    assert likely.cycles[0] == pytest.approx(exact.cycles[0], rel=within)


def test_what_is_known_of_operands_counts() -> None:
    """Few terms in A shorten laconic, whatever B has."""
    spec = LACONIC
    few = nonzero_shares(tally(np.array([0, 1, 2, 4]), 8), 8, "naf")
    nobody = gemm(spec, 20, 20, 40)
    known = BitsliceJobs(
        nobody.m, nobody.n, nobody.k, nobody.accumulate, np.array([[*few, *np.full(8, np.nan)]])
    )
    assert time(spec, known).cycles[0] < 0.7 * time(spec, nobody).cycles[0]


def test_ports_are_checked() -> None:
    with pytest.raises(ValueError, match=f"env names port 'd'; the engine has {', '.join(PORTS)}"):
        time(LACONIC, gemm(LACONIC, 1, 1, 1), {"d": Rate()})
