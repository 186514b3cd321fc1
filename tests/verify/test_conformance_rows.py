"""The bench and the verdict, on a toy engine from outside the tree."""

from __future__ import annotations

import dataclasses
import importlib
import json

import numpy as np
import pytest

import archsim.verify
from archsim.engines import NoRtl, Timing
from archsim.engines.systolic import ENGINE as SYSTOLIC
from archsim.engines.systolic.spec import SystolicSpec
from archsim.errors import InputError, MissingExtra
from archsim.verify import check, run_cases

from .increment import ENGINE, faulty, time


def test_a_sound_engine_passes() -> None:
    rows = check(ENGINE, 8, 3, simulator="amaranth")
    assert 8 == len(rows)
    assert all(row.ok and row.values_equal and row.model_cycles == row.rtl_cycles for row in rows)


@pytest.mark.parametrize(
    ("fault", "text"),
    [
        ("withdraws", "the waiting beat of y was withdrawn"),
        ("changes", "the waiting beat of y changed"),
        ("greedy", "a beat of x taken together with the command"),
        ("talks on", "y is valid after the job"),
        ("hangs", "hung: not done"),
        ("deaf", "hung: the command is not accepted within"),
        ("early", "ready for a command before the job's last beat"),
    ],
)
def test_protocol_faults_are_named(fault: str, text: str) -> None:
    rows = check(faulty(fault), 4, 3, simulator="amaranth")
    assert any(text in line for row in rows for line in row.disagreements)


def test_a_hang_has_no_rtl_cycles_and_ends_the_case() -> None:
    (row,) = check(faulty("hangs"), 1, 3, simulator="amaranth")
    assert row.rtl_cycles is None
    assert not row.values_equal
    hung, no_values, skipped = row.disagreements
    assert hung.startswith("job 0: hung: not done ")
    assert "beats out {'y': '" in hung
    assert "job 0: no values: the job did not end" == no_values
    assert "job 1 and later: not run, as the one before hung" == skipped


@pytest.mark.parametrize(
    ("field", "text"),
    [
        ("cycles", "job 0: cycles: RTL {}, model {}"),
        ("occupied", "job 0: occupied: RTL {}, model {}"),
    ],
)
def test_a_cycle_off_is_reported(field: str, text: str) -> None:
    def slow(*arguments: object) -> Timing:
        timing = time(*arguments)
        return dataclasses.replace(timing, **{field: getattr(timing, field) + 1})

    case = ENGINE.cases(np.random.default_rng(3), None, 1)[0]
    right = int(time(None, case.jobs.take(np.array([0])), case.envs[0]).cycles[0])
    right += field == "occupied"
    (row,) = check(dataclasses.replace(ENGINE, time=slow), 1, 3, simulator="amaranth")
    assert text.format(right, right + 1) in row.disagreements


def test_a_missing_counter_is_reported() -> None:
    def more(*arguments: object) -> Timing:
        timing = time(*arguments)
        return dataclasses.replace(timing, counts={"probes": timing.cycles})

    rows = check(dataclasses.replace(ENGINE, time=more), 1, 3, simulator="amaranth")
    assert any("counter probes: RTL None" in line for line in rows[0].disagreements)


def test_bounds_are_held_to_instead_of_equality() -> None:
    def bounded(low: int, high: int) -> object:
        def timed(*arguments: object) -> Timing:
            timing = time(*arguments)
            return dataclasses.replace(
                timing, kind="bound", lo=timing.cycles + low, hi=timing.cycles + high
            )

        return dataclasses.replace(ENGINE, time=timed)

    assert all(row.ok for row in check(bounded(-3, 4), 2, 3, simulator="amaranth"))
    rows = check(bounded(1, 4), 2, 3, simulator="amaranth")
    assert all("cycles: RTL" in line for row in rows for line in row.disagreements)


def test_rows_say_how_to_run_one_case_again_and_that_runs_it() -> None:
    spec = SystolicSpec(rows=2, cols=3)
    rows = check(SYSTOLIC, 9, 5, spec, "amaranth")
    command = rows[-1].command
    assert (
        "archsim rtl check systolic --cases 9 --seed 5 --set spec.rows=2 --set spec.cols=3 "
        f"--case {rows[-1].case}" == command
    )
    assert [rows[-1]] == check(SYSTOLIC, 9, 5, spec, "amaranth", only=rows[-1].case)


def test_rows_are_json() -> None:
    (row,) = check(ENGINE, 1, 3, simulator="amaranth")
    table = json.loads(json.dumps(row.as_dict()))
    names = {"case", "seed", "spec", "env", "values_equal", "model_cycles", "rtl_cycles"}
    assert {*names, "simulator", "disagreements", "command"} == set(table)
    assert table["env"][0]["x"].startswith("stalls ")


def test_equal_seeds_give_equal_cases_and_more_cases_keep_the_first() -> None:
    def names(count: int) -> list[tuple[str, list[int]]]:
        made = SYSTOLIC.cases(np.random.default_rng(8), None, count)
        return [(case.name, case.jobs.m.tolist()) for case in made]

    assert names(12) == names(20)[:12]


def test_cases_of_the_systolic_array_cover_what_they_claim() -> None:
    made = SYSTOLIC.cases(np.random.default_rng(0), None, 462)
    words = [case.name.split("-") for case in made]
    assert 6 * 77 == len({(case.spec, *word[1:]) for case, word in zip(made, words, strict=True)})
    ports = {port for case in made for env in case.envs for port in env}
    assert {"a", "b", "c", "result", "cmd"} == ports


def test_unknown_case_and_engine_without_rtl_are_refused() -> None:
    with pytest.raises(
        InputError, match=r"^--case: must name one of the 2 cases of seed 1, not 'x'$"
    ):
        check(ENGINE, 2, 1, only="x")
    with pytest.raises(
        InputError, match=r"^--simulator: must be verilator or amaranth, not 'vcs'$"
    ):
        check(ENGINE, 2, 1, simulator="vcs")
    model = dataclasses.replace(ENGINE, rtl=NoRtl("it is a toy"))
    with pytest.raises(
        InputError, match=r"^rtl check: increment has no RTL to check: it is a toy$"
    ):
        check(model)


def test_at_most_six_specs_a_run() -> None:
    made = [
        case for size in range(1, 8)
        for case in SYSTOLIC.cases(np.random.default_rng(0), SystolicSpec(rows=size), 1)
    ]  # fmt: skip
    with pytest.raises(ValueError, match=r"^a run covers at most 6 specs, not 7$"):
        run_cases(SYSTOLIC, made)


def test_without_amaranth_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(MissingExtra, match=r"^amaranth is not installed; run: pip install "):
        importlib.reload(archsim.verify)
