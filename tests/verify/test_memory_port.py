"""The bench's memory port, on a toy engine that reads and writes through one."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest

from archsim.engines import Env, MemoryEnv, Rate, Timing
from archsim.verify import check
from archsim.verify.plan import plan_case

from .gather import ENGINE, RTL, cases, faulty, time


@pytest.mark.parametrize("simulator", ["amaranth", "verilator"])
def test_a_sound_engine_passes(simulator: Any) -> None:
    rows = check(ENGINE, 12, 3, simulator=simulator)
    assert [row for row in rows if not row.ok] == []
    assert all(row.model_cycles == row.rtl_cycles for row in rows)


@pytest.mark.parametrize(
    ("fault", "text"),
    [
        ("early", "words of mem not taken"),
        ("in place", "y: "),
        ("deaf", "the waiting request of mem"),
    ],
)
def test_faults_are_named(fault: str, text: str) -> None:
    rows = check(faulty(fault), 6, 3, simulator="amaranth")
    assert any(text in line for row in rows for line in row.disagreements)


def test_a_wrong_count_of_requests_is_found() -> None:
    def short(*arguments: Any) -> Timing:
        right = time(*arguments)
        beats = {**right.beats, "mem_req": right.beats["mem_req"] + 1}
        return dataclasses.replace(right, beats={**beats, "mem_rsp": right.beats["mem_rsp"] + 1})

    (row,) = check(dataclasses.replace(ENGINE, time=short), 1, 3, simulator="amaranth")
    assert any(line.startswith("job 0: beats of mem_req: RTL ") for line in row.disagreements)
    assert any(line.startswith("job 0: beats of mem_rsp: RTL ") for line in row.disagreements)


@pytest.mark.parametrize(
    ("env", "text"),
    [
        ({"mem": Rate()}, "a memory port has a memory behind it"),
        ({"mem_req": MemoryEnv()}, "a stream is paced or stalls; 'mem_req' has"),
    ],
)
def test_only_a_memory_stands_behind_a_memory_port(env: Env, text: str) -> None:
    (case,) = cases(np.random.default_rng(0), None, 1)
    wrong = dataclasses.replace(case, envs=(env, env))
    with pytest.raises(TypeError, match=text):
        plan_case(RTL, None, wrong, time(case.spec, case.jobs))
