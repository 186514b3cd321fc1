from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from archsim.engines.bitslice import ENGINE, lockstep_study
from archsim.engines.bitslice.jobs import BitsliceJobs
from archsim.engines.bitslice.lockstep_beats import pack, ports, unpack
from archsim.engines.bitslice.lockstep_cases import BITLET, LACONIC, operands
from archsim.engines.bitslice.lockstep_digits import beat_cycles, longest_beat, told
from archsim.engines.bitslice.lockstep_timing import STAGES, actions, time
from archsim.engines.bitslice.spec import BitsliceSpec
from archsim.engines.gemm.reference import reference
from archsim.formats.digits import nonzero_digits, tally
from archsim.hdl import interleave, term_pairs

SPECS = (*LACONIC, *BITLET)
SIZES = st.tuples(st.integers(1, 9), st.integers(1, 9), st.integers(1, 20))


def job(
    m: int, n: int, k: int, accumulate: int = 0, spec: BitsliceSpec = LACONIC[0]
) -> BitsliceJobs:
    return BitsliceJobs(
        *(np.array([x]) for x in (m, n, k)),
        np.array([accumulate > 0]),
        told(spec, {})[None],
        refs=({"a": "a", "b": "b", "c": "c"},),
    )


# ----------------------------------------------------------------------------------------- beats


@settings(max_examples=60)
@given(st.sampled_from(SPECS), SIZES, st.integers(0, 2**32))
def test_beats_hold_groups_of_slices(spec: BitsliceSpec, size: tuple, seed: int) -> None:
    m, n, k = size
    data = operands(np.random.default_rng(seed), spec, m, n, k)
    beats = pack(spec, job(m, n, k), 0, data)
    encoded = spec.encoded == "a"
    x, y = (data["a"], data["b"].T) if encoded else (data["b"].T, data["a"])
    x_beats, y_beats = (beats["a"], beats["b"]) if encoded else (beats["b"], beats["a"])
    row = 0
    for top in range(0, len(x), spec.cols):
        for left in range(0, len(y), spec.rows):
            for first in range(0, k, spec.group):
                for port, lanes, values in (
                    (x_beats, spec.cols, x[top : top + spec.cols, first : first + spec.group]),
                    (y_beats, spec.rows, y[left : left + spec.rows, first : first + spec.group]),
                ):
                    wanted = np.zeros((spec.group, lanes), np.int64)
                    wanted[: values.shape[1], : len(values)] = values.T
                    assert np.array_equal(wanted.ravel(), port[row])
                row += 1
    assert row == len(x_beats) == len(y_beats)
    assert {port: p.lanes for port, p in ports(spec).items() if port in beats} == {
        port: beats[port].shape[1] for port in "abc"
    }


@settings(max_examples=40)
@given(st.sampled_from(SPECS), SIZES, st.integers(0, 2**32))
def test_results_come_in_the_order_of_partial_sums(
    spec: BitsliceSpec, size: tuple, seed: int
) -> None:
    data = operands(np.random.default_rng(seed), spec, *size)
    beats = pack(spec, job(*size, 1), 0, data)
    back = unpack(spec, job(*size, 1), 0, {"result": beats["c"]})
    assert np.array_equal(data["c"], back["result"])


def test_jobs_without_operands_have_no_beats() -> None:
    nameless = BitsliceJobs(*(np.array([1]),) * 3, np.array([False]), told(LACONIC[0], {})[None])
    with pytest.raises(
        ValueError, match=r"^jobs name no operands: beats need refs a, b \(and c\)$"
    ):
        pack(LACONIC[0], nameless, 0, {})


# ---------------------------------------------------------------------------------------- actions


def test_stages_are_those_of_the_pes() -> None:
    assert STAGES == {"laconic": term_pairs.STAGES, "bitlet": interleave.STAGES}


@pytest.mark.parametrize("spec", [LACONIC[0], BITLET[0]], ids=lambda spec: spec.pe)
def test_terms_are_those_of_all_products(spec: BitsliceSpec) -> None:
    rng = np.random.default_rng(2)
    data = {"a": rng.integers(-128, 128, (6, 40)), "b": rng.integers(-128, 128, (40, 9))}
    row = told(spec, {port: tally(values, 8) for port, values in data.items()})
    jobs = BitsliceJobs(*(np.array([x]) for x in (6, 9, 40)), np.array([False]), row[None])
    counted = actions(spec, jobs, time(spec, jobs))
    mean = nonzero_digits(data["a"], 8, spec.encoding).mean()
    if spec.pe == "laconic":
        mean *= nonzero_digits(data["b"], 8, spec.encoding).mean()
    assert counted["term"][0] == pytest.approx(6 * 9 * 40 * mean, abs=1)
    assert counted["pe_step"][0] == spec.pes * counted["edge_step"][0]


@pytest.mark.parametrize(
    ("spec", "longest"),
    # four digits of eight bits are not zero in naf; two of four bits, three of five
    [(LACONIC[0], 16), (LACONIC[1], 12), (LACONIC[2], 12), (BITLET[0], 8), (BITLET[1], 5)],
)
def test_longest_beat(spec: BitsliceSpec, longest: int) -> None:
    assert longest == longest_beat(spec)


# ---------------------------------------------------------------------------------------- studies


@pytest.mark.parametrize("spec", [LACONIC[0], *BITLET[:2]], ids=lambda spec: spec.pe)
def test_data_sets_of_a_study_differ_and_take_the_same_cycles(spec: BitsliceSpec) -> None:
    rng = np.random.default_rng(4)
    sets = lockstep_study.data_sets(rng, spec, 7, 6, 19, 5)
    first = beat_cycles(spec, sets[0]["a"], sets[0]["b"])
    for one in sets[1:]:
        assert np.array_equal(first, beat_cycles(spec, one["a"], one["b"]))
        assert not np.array_equal(sets[0]["a"], one["a"])
        (result,) = reference(spec, job(7, 6, 19), one)
        assert result["result"].shape == (7, 6)


def test_both_are_engines_of_one_kind() -> None:
    for spec in (LACONIC[0], BITLET[1]):
        assert ENGINE.blocks(spec) == (
            (spec.cols, spec.rows, None) if spec.encoded == "a" else (spec.rows, spec.cols, None)
        )
        lines = ENGINE.assumptions(spec)
        assert f"bitslice: {spec.pe} is built in the style of the published PE; " in " ".join(lines)
