"""Arrays of columns without values: what is expected, and what mappings are compared by."""

from __future__ import annotations

import numpy as np
import pytest

from archsim.engines.bitslice import ENGINE, BitsliceSpec
from archsim.engines.bitslice.columns_expected import expected
from archsim.engines.bitslice.jobs import BitsliceJobs
from archsim.formats.digits import nonzero_shares, rounded_normal, tally

SPECS = (
    BitsliceSpec(pe="opt4e", rows=4, cols=8, depth=256),
    BitsliceSpec(pe="opt4c", rows=4, cols=8, depth=128, sync="pass"),
    BitsliceSpec(pe="opt3", rows=4, cols=4, depth=128, slack=2, encoded="b", encoding="mbe"),
)
SHAPES = ((16, 8, 256), (16, 12, 400), (40, 4, 1024), (16, 4, 64))


def jobs_of(spec: BitsliceSpec, shape: tuple[int, int, int], nonzero: object) -> BitsliceJobs:
    m, n, k = (np.array([extent]) for extent in shape)
    return BitsliceJobs(m, n, k, np.zeros(1, bool), np.atleast_2d(nonzero))


def normal(shape: tuple[int, int], sigma: float, seed: int) -> np.ndarray:
    likely = rounded_normal(sigma, 8)
    return np.random.default_rng(seed).choice(np.arange(-128, 128), shape, p=likely)


@pytest.mark.parametrize("sigma", [6.0, 25.0, 45.0])
@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.pe)
def test_expected_and_estimated_times_are_near_those_of_values(
    spec: BitsliceSpec, sigma: float
) -> None:
    for shape in SHAPES:
        m, n, k = shape
        nonzero = nonzero_shares(rounded_normal(sigma, 8), 8, spec.encoding)
        jobs = jobs_of(spec, shape, nonzero)
        likely = ENGINE.time(spec, jobs)
        exact = []
        for seed in range(3):
            size = (m, k) if spec.encoded == "a" else (k, n)
            known = BitsliceJobs(
                jobs.m, jobs.n, jobs.k, jobs.accumulate, jobs.nonzero,
                refs=({spec.encoded: "x"},),
            )  # fmt: skip
            found = ENGINE.time(spec, known, data={"x": normal(size, sigma, seed)})
            assert found.kind == "exact"
            exact.append(int(found.cycles[0]))
        assert likely.kind == "expected"
        assert likely.lo is not None
        assert likely.hi is not None
        assert likely.lo[0] <= np.mean(exact) <= likely.hi[0]
        assert likely.cycles[0] == pytest.approx(np.mean(exact), rel=0.05)
        assert ENGINE.estimate is not None
        estimated = ENGINE.estimate(spec, jobs)
        assert estimated.occupied[0] == pytest.approx(np.mean(exact), rel=0.2)
        assert estimated.beats["a"] == likely.beats["a"]


def test_rows_of_different_shares_are_each_their_own() -> None:
    """One row is not known: its digits are as of rounded normal integers, sigma 25."""
    spec = SPECS[0]
    few, many = (nonzero_shares(tally([value], 8), 8, spec.encoding) for value in (1, 91))
    unknown = np.full(4, np.nan)
    assumed = nonzero_shares(rounded_normal(25, 8), 8, spec.encoding)
    rows = [few, many, unknown, assumed]
    extents = (np.full(4, 16), np.full(4, 8), np.full(4, 256), np.zeros(4, bool))
    together = BitsliceJobs(*extents, np.stack(rows))
    for say in (ENGINE.time, ENGINE.estimate):
        assert say is not None
        found = say(spec, together).occupied.tolist()
        alone = [int(say(spec, jobs_of(spec, (16, 8, 256), row)).occupied[0]) for row in rows]
        assert found == alone
        assert found[0] < found[2] == found[3] < found[1]


def test_a_group_of_zeros_costs_as_much_as_one_digit() -> None:
    """No digit at all, and none but one a group, in closed form: ring banks of one group each."""
    spec = BitsliceSpec(pe="opt4c", rows=4, cols=8, depth=32)
    found = expected(spec, 8, 4, 32, (0.0,) * 4, False, {})
    assert found.counts["digits"] == 0
    none = ENGINE.time(spec, BitsliceJobs(
        np.array([8]), np.array([4]), np.array([32]), np.zeros(1, bool), np.zeros((1, 4)),
        refs=({"a": "x"},),
    ), data={"x": np.zeros((8, 32), int)})  # fmt: skip
    assert found.cycles == pytest.approx(int(none.cycles[0]), rel=0.1)
