"""Cycles of the RF control: by hand, the published layer's slots, ports that wait, batches."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from archsim.engines import IDEAL, Env, PortEnv, Rate, SpecBatch, Stalls
from archsim.engines.offers import is_ready, may_offer
from archsim.engines.rfnn import walk
from archsim.engines.rfnn.cases import SMALL
from archsim.engines.rfnn.jobs import RfnnJobs
from archsim.engines.rfnn.spec import RfnnSpec
from archsim.engines.rfnn.tensor_train import Stage, stages
from archsim.engines.rfnn.timing import PORTS, time
from tests.engines.test_contract_types import check_timing


def job(steps: list[Stage], m: int = 1, *, accumulate: bool = False, program: bool = True) -> Any:
    """Return a command for stages, with two cycles of analog time."""
    table = [(s.outputs, s.inputs, s.before, s.after) for s in steps]
    last, first = steps[-1], steps[0]
    none = np.zeros((1, len(steps)), np.int64)
    return RfnnJobs(
        m=np.array([m]), n=np.array([last.outputs * last.vectors]),
        k=np.array([first.inputs * first.vectors]), accumulate=np.array([accumulate]),
        stages=np.array([table]), shift=none, route=none, program=np.array([program]),
        calibrate=np.array([False]), analog_cycles=np.array([2]), activation=np.array([0]),
    )  # fmt: skip


def test_a_small_layer_by_hand() -> None:
    spec = RfnnSpec(**{**SMALL, "modes": 4, "circuit": "unitary", "samples_log2": 2})
    found = time(spec, job([Stage(3, 2, 1, 1)], 2))
    # command, stage, A; what the stage is; phases, programming; two vectors; turn, C
    vector = 2 + 1 + 2 + 4 + 3
    cycles = 1 + 1 + 2 * 2 + 1 + 16 + (spec.bank_cycles + 1) + 2 * vector + 2 + 2 * 3
    assert [cycles] == found.occupied.tolist()
    assert {"passes": [2], "reloads": [1]} == {n: c.tolist() for n, c in found.counts.items()}
    assert [2 * vector] == found.split["busy"].tolist()
    assert [2 + 6] == found.split["drain"].tolist()


@pytest.mark.parametrize("rank", [2, 4, 8])
def test_the_example_layer_has_436_time_slots_at_any_rank(rank: int) -> None:
    """784 inputs and 256 outputs as (4, 7, 7, 4) and (4, 4, 4, 4)."""
    spec = RfnnSpec(modes=56, chains=8)
    steps = stages("ttm", (4, 4, 4, 4), (4, 7, 7, 4), rank)
    found = time(spec, job([*steps]))
    assert [64 + 64 + 112 + 196] == found.counts["passes"].tolist()
    assert [4] == found.counts["reloads"].tolist()


@pytest.mark.parametrize("reload", [False, True])
def test_a_stage_is_as_long_as_its_formula(reload: bool) -> None:
    """1 + reload (bank + 1) + vectors (Q + 1 + analog + samples + P), phases and ends aside."""
    spec = RfnnSpec(**{**SMALL, "modes": 6, "chains": 6, "samples_log2": 3})
    step = Stage(5, 3, 4, 2)
    found = time(spec, job([step], program=reload))
    stage = 1 + reload * (spec.bank_cycles + 1) + 8 * (3 + 1 + 2 + 8 + 5)
    ends = 1 + 1 + 24 + 2 + 40  # command, stage, A, turn, C
    assert [stage + ends + reload * spec.devices] == found.occupied.tolist()


def test_one_mesh_is_programmed_again_each_time_vectors_pass_if_it_does_several_matrices() -> None:
    board = {**SMALL, "modes": 2, "buffer_words": 4}
    two = [Stage(4, 2, 1, 1)]  # two matrices, a vector at a time
    for more, reloads, phases in (
        ({}, 6, 6), ({"profiles": 2}, 6, 2), ({"cores": "instance"}, 2, 2),
        ({"buffer_words": 12}, 2, 2),
    ):  # fmt: skip
        spec = RfnnSpec(**{**board, **more})
        found = time(spec, job(two, 3))
        assert [reloads] == found.counts["reloads"].tolist()
        assert [phases * spec.devices] == found.beats["phase"].tolist()
    assert [0] == time(RfnnSpec(**board), job(two, 3, program=False)).beats["phase"].tolist()


# ------------------------------------------------------------------------------------------- ports


def brute_force(spec: RfnnSpec, one: RfnnJobs, env: Env) -> dict[str, int]:
    """Return the cycles that a job waits for each port, looking at every cycle by itself."""
    inputs = [name for name in PORTS if name != "result"]
    waited, taken = dict.fromkeys(PORTS, 0), dict.fromkeys(inputs, 0)
    offered = dict.fromkeys(inputs, False)
    accumulate = bool(one.accumulate[0])
    steps: list[tuple[str, int]] = []
    for run in walk.runs(spec, one):
        each = [("", run.before), *[(run.port, 1)] * run.beats, ("", run.after)]
        steps += each * run.times
    cycle = 0

    def begin() -> None:
        for name in inputs:
            offered[name] |= may_offer(env.get(name, IDEAL), taken[name], cycle)

    begin()
    cycle = 1
    for port, length in steps:
        for _ in range(length if not port else 0):
            begin()
            cycle += 1
        while port:
            begin()
            ready = port != "result" or is_ready(env.get("result", IDEAL), cycle)
            source = "c" if port == "result" else port
            there = offered[source] or (port == "result" and not accumulate)
            cycle += 1
            if ready and there:
                if port != "result" or accumulate:
                    taken[source] += 1
                    offered[source] = False
                break
            waited["result" if not ready else source] += 1
    return waited


def paces() -> st.SearchStrategy[PortEnv]:
    rate = st.integers(1, 5).flatmap(
        lambda q: st.builds(
            Rate, st.sampled_from([0, 1, 3, 40, 120]), st.integers(1, q), st.just(q)
        )
    )
    bits = st.lists(st.booleans(), min_size=1, max_size=150)
    return st.one_of(rate, bits.map(lambda x: Stalls(tuple(x))))


@settings(max_examples=150, deadline=None)
@given(
    st.dictionaries(st.sampled_from(PORTS), paces()),
    st.sampled_from([[Stage(2, 7, 1, 1)], [Stage(3, 1, 1, 2), Stage(1, 6, 1, 1)]]),
    st.integers(1, 3), st.booleans(),
)  # fmt: skip
def test_waits_are_those_of_every_cycle(
    env: Env, steps: list[Stage], m: int, accumulate: bool
) -> None:
    spec = RfnnSpec(**{**SMALL, "modes": 2, "circuit": "unitary", "buffer_words": 12})
    one = job(steps, m, accumulate=accumulate)
    found = time(spec, one, env)
    assert brute_force(spec, one, env) == {n: int(found.split[f"stall.{n}"][0]) for n in PORTS}
    check_timing(found, one)


def test_runs_add_up_to_the_closed_form() -> None:
    spec = RfnnSpec(**{**SMALL, "modes": 2, "cores": "instance", "buffer_words": 40})
    one = job([*stages("tt3", (2, 3), (3, 2), 2)], 7)
    total = 1 + sum(r.times * (r.before + r.beats + r.after) for r in walk.runs(spec, one))
    assert [total] == time(spec, one).occupied.tolist()


def test_a_batch_is_its_specs_one_by_one() -> None:
    board = {**SMALL, "buffer_words": 40}
    specs = [
        RfnnSpec(**board, modes=3), RfnnSpec(**board, modes=2, cores="instance", profiles=3),
        RfnnSpec(**board, modes=4, circuit="unitary", samples_log2=2, switches=True),
    ]  # fmt: skip
    one = job([*stages("ttm", (2, 3), (3, 2), 2)], 5, accumulate=True)
    rows = one.take(np.zeros(3, np.int64))
    for env in ({}, {"phase": Rate(3, 1, 2), "result": Rate(0, 2, 3)}):
        together = time(SpecBatch(specs), rows, env)
        for row, spec in enumerate(specs):
            alone = time(spec, one, env)
            assert alone.cycles[0] == together.cycles[row]
            assert {n: x[0] for n, x in alone.split.items()} == {
                n: x[row] for n, x in together.split.items()
            }
    check_timing(together, rows)


def test_a_port_that_the_control_lacks_is_refused() -> None:
    with pytest.raises(ValueError, match="env names port 'a'; the engine has stage, phase, x"):
        time(RfnnSpec(), job([Stage(1, 1, 1, 1)]), {"a": IDEAL})
