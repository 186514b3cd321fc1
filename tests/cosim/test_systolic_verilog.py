"""The emitted Verilog of the systolic array, with stimuli written by hand."""

from __future__ import annotations

import json

import numpy as np
import pytest

from archsim.engines import Case, Env, GemmJobs, Rate, Stalls
from archsim.engines.systolic import ENGINE
from archsim.engines.systolic.rtl import SystolicArray
from archsim.engines.systolic.spec import SystolicSpec
from archsim.engines.systolic.stationary_rtl import StationaryArray
from archsim.hdl import yosys
from archsim.hdl.emit import to_verilog
from archsim.verify import run_cases, verilator
from archsim.verify.simulation import default_simulator

SPEC = SystolicSpec(rows=2, cols=3, a_bits=4, b_bits=4, acc_bits=8)
WS = SPEC.model_copy(update={"rows": 1, "dataflow": "ws", "acc_rows": 2})  # two folds along k
IS = SPEC.model_copy(update={"cols": 2, "dataflow": "is", "acc_rows": 3})
REFS = {"a": "a", "b": "b", "c": "c"}

# [[1 2] [3 4] [5 6]] x [[1 0 2 7] [0 1 3 -8]], and a sum that wraps: 7 * 7 * 3 = 147 -> -109
SMALL = {
    "a": np.array([[1, 2], [3, 4], [5, 6]]),
    "b": np.array([[1, 0, 2, 7], [0, 1, 3, -8]]),
    "c": np.array([[100, 0, 0, 0], [0, 0, 0, 0], [0, 0, 127, -128]]),
}
SMALL_PRODUCT = [[1, 2, 8, -9], [3, 4, 18, -11], [5, 6, 28, -13]]
SMALL_SUM = [[101, 2, 8, -9], [3, 4, 18, -11], [5, 6, 155 - 256, -141 + 256]]

BITS = {
    "never": "",
    "first": "1",
    "every other": "01" * 60,
    "long silence": "1" * 75,
    "one in four": "1110" * 40,
    "burst then silence": "0000001111111111" * 8,
}


def bits(text: str) -> Stalls:
    return Stalls(tuple(bit == "1" for bit in text))


def small(name: str, env: Env, *, accumulate: bool, spec: SystolicSpec = SPEC) -> Case:
    jobs = GemmJobs(
        np.array([3]), np.array([4]), np.array([2]), np.array([accumulate]), refs=(REFS,)
    )
    return Case(name, spec, jobs, (env,), SMALL)


def directed(spec: SystolicSpec) -> list[Case]:
    """Return every stall vector on every port, and on all of them at once."""
    made = []
    for name, text in BITS.items():
        for port in ("a", "b", "c", "result", "cmd"):
            made.append(small(f"{name} on {port}", {port: bits(text)}, accumulate=True, spec=spec))
        everywhere = {port: bits(text) for port in ("a", "b", "c", "result")}
        made.append(small(f"{name} everywhere", everywhere, accumulate=False, spec=spec))
    return made


def extremes(spec: SystolicSpec) -> Case:
    """Return the least and greatest operands, back to back, on one column of one-row folds."""
    least, greatest = np.full((1, 3), -8), np.full((1, 3), 7)
    data = {"least": least, "greatest": greatest, "least_b": least.T, "greatest_b": greatest.T}
    refs = (
        {"a": "least", "b": "least_b"},  # 3 * 64 = 192 -> -64
        {"a": "least", "b": "greatest_b"},  # -168 -> 88
        {"a": "greatest", "b": "greatest_b"},  # 147 -> -109
    )
    one, k = np.ones(3, np.int64), np.full(3, 3)
    return Case("extremes", spec, GemmJobs(one, one, k, one == 0, refs=refs), ({},) * 3, data)


@pytest.mark.parametrize("spec", [SPEC, WS, IS], ids=lambda spec: spec.dataflow)
def test_the_reference_is_the_arithmetic_done_by_hand(spec: SystolicSpec) -> None:
    case = small("product", {}, accumulate=False)
    assert SMALL_PRODUCT == ENGINE.reference(spec, case.jobs, SMALL)[0]["result"].tolist()
    case = small("sum", {}, accumulate=True)
    assert SMALL_SUM == ENGINE.reference(spec, case.jobs, SMALL)[0]["result"].tolist()
    case = extremes(spec)
    results = ENGINE.reference(spec, case.jobs, case.data)
    assert [-64, 88, -109] == [int(r["result"][0, 0]) for r in results]


@pytest.mark.parametrize("spec", [SPEC, WS, IS], ids=lambda spec: spec.dataflow)
@pytest.mark.parametrize("simulator", ["amaranth", default_simulator()])
def test_hand_written_stalls_on_every_port(simulator: str, spec: SystolicSpec) -> None:
    rows = run_cases(ENGINE, [*directed(spec), extremes(spec)], simulator=simulator)
    assert 37 == len(rows)
    assert [] == [(row.case, row.disagreements) for row in rows if not row.ok]


def test_component_and_verilog_do_the_same() -> None:
    cases = ENGINE.cases(np.random.default_rng(5), SPEC, 14)
    component, verilog = (
        run_cases(ENGINE, cases, simulator=simulator)
        for simulator in ("amaranth", default_simulator())
    )
    assert [row.rtl_cycles for row in component] == [row.rtl_cycles for row in verilog]
    assert all(row.ok for row in component + verilog)


def test_a_slow_output_and_a_slow_input_on_a_larger_array() -> None:
    spec = SystolicSpec(rows=8, cols=8)
    rng = np.random.default_rng(0)
    data = {"a": rng.integers(-128, 128, (33, 9)), "b": rng.integers(-128, 128, (9, 20))}
    one = np.array([1])
    jobs = GemmJobs(33 * one, 20 * one, 9 * one, one == 0, refs=({"a": "a", "b": "b"},))
    env = {"a": Rate(3, 5, 7), "result": Rate(0, 1, 3)}
    (row,) = run_cases(ENGINE, [Case("slow", spec, jobs, (env,), data)])
    assert row.ok, row.disagreements


# ------------------------------------------------------------------------------------- the text


def verilog_of(rows: int, cols: int) -> str:
    return to_verilog(SystolicArray(SystolicSpec(rows=rows, cols=cols)), "systolic")


def test_verilog_is_deterministic_and_names_no_files() -> None:
    text = verilog_of(3, 2)
    assert text == verilog_of(3, 2)
    assert ".py" not in text
    assert "src" not in text


def test_repeated_parts_are_emitted_once() -> None:
    modules = [line for line in verilog_of(5, 7).splitlines() if line.startswith("module ")]
    assert 1 == sum("systolic_pe(" in line for line in modules)
    assert 1 == sum("systolic_row(" in line for line in modules)
    assert 8 == len(modules)


def test_repeated_parts_of_a_stationary_operand_are_emitted_once() -> None:
    text = to_verilog(StationaryArray(WS.model_copy(update={"rows": 5, "cols": 7})), "array")
    modules = [line for line in text.splitlines() if line.startswith("module ")]
    for part in ("pe", "row", "memory"):
        assert 1 == sum(f"array_{part}(" in line for line in modules)


def test_size_grows_with_the_edges_not_with_the_area() -> None:
    assert len(verilog_of(32, 32)) < 3 * len(verilog_of(8, 8))


@pytest.mark.skipif(not verilator.is_available(), reason="needs Verilator and a C++ compiler")
@pytest.mark.parametrize(("rows", "cols"), [(1, 1), (1, 4), (4, 1), (3, 5), (16, 16)])
def test_verilator_has_nothing_to_say(rows: int, cols: int) -> None:
    assert "" == verilator.lint(verilog_of(rows, cols), "systolic")


@pytest.mark.skipif(not verilator.is_available(), reason="needs Verilator and a C++ compiler")
@pytest.mark.parametrize(("rows", "cols", "bank"), [(1, 1, 2), (1, 4, 2), (4, 1, 3), (3, 5, 256)])
def test_verilator_has_nothing_to_say_where_an_operand_stays(
    rows: int, cols: int, bank: int
) -> None:
    for spec in (WS, IS):
        sized = spec.model_copy(update={"rows": rows, "cols": cols, "acc_rows": bank})
        assert "" == verilator.lint(to_verilog(StationaryArray(sized), "array"), "array")


@pytest.mark.parametrize(("rows", "cols"), [(1, 1), (3, 5)])
def test_no_latches_and_no_conflicting_drivers(rows: int, cols: int, tmp_path) -> None:
    (tmp_path / "design.v").write_text(verilog_of(rows, cols))
    yosys.run(
        [
            "read_verilog design.v",
            "hierarchy -check -top systolic",
            "proc",
            "flatten",
            "check -assert -nolatches",
            "tee -q -o stat.json stat -json",
        ],
        tmp_path,
    )
    text = (tmp_path / "stat.json").read_text()
    cells = json.loads(text[text.index("{") :])["design"]["num_cells_by_type"]
    assert not [cell for cell in cells if "latch" in cell]


def test_yosys_failure_is_an_error_with_its_last_words(tmp_path) -> None:
    with pytest.raises(yosys.YosysError, match=r"(?s)^yosys failed:.*nonsense"):
        yosys.run(["nonsense"], tmp_path)
