"""Cost of the array: structure, batches, units and completeness of the energy of a job."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from archsim import tech
from archsim.engines import GemmJobs, SpecBatch
from archsim.engines.gemm.cost import accumulators
from archsim.engines.systolic import ENGINE, cost, terms
from archsim.engines.systolic.spec import Dataflow, SystolicSpec
from archsim.engines.systolic.stationary_terms import BEATS
from archsim.engines.systolic.timing import actions, time
from archsim.errors import InfeasibleError

NODE = tech.load("freepdk45")


def spec(rows: int = 8, cols: int = 8, **fields: int) -> SystolicSpec:
    return SystolicSpec(rows=rows, cols=cols, **fields)


@st.composite
def specs(draw: st.DrawFn) -> SystolicSpec:
    a, b = draw(st.integers(2, 16)), draw(st.integers(2, 16))
    widths: dict[str, Any] = {"a_bits": a, "b_bits": b, "acc_bits": draw(st.integers(a + b, 64))}
    if draw(st.booleans()):
        widths = {"numbers": "bf16"}
    dataflow = draw(st.sampled_from(["os", "ws", "is"]))
    if dataflow == "os" and "numbers" not in widths and draw(st.booleans()):
        widths |= {"pe": "opt1", "adder": draw(st.sampled_from(["inferred", "ripple", "prefix"]))}
    return SystolicSpec(
        rows=draw(st.integers(1, 256)), cols=draw(st.integers(1, 256)),
        dataflow=dataflow, acc_rows=draw(st.integers(2, 4096)), **widths,
    )  # fmt: skip


@given(st.lists(specs(), min_size=1, max_size=5))
def test_batch_equals_single_specs(batch: list[SystolicSpec]) -> None:
    many = SpecBatch(batch)
    area, energy = cost.area_um2(many, NODE), cost.energy_pj(many, NODE)
    fmax = cost.fmax_mhz(many, NODE)
    for i, one in enumerate(batch):
        for found, single in (
            (area, cost.area_um2(one, NODE)),
            (energy, cost.energy_pj(one, NODE)),
        ):
            own = {name: float(values[i]) for name, values in found.items()}
            # what an array does not have costs it nothing
            assert own == pytest.approx(dict.fromkeys(own, 0.0) | dict(single))
        assert float(fmax.mhz[i]) == cost.fmax_mhz(one, NODE).mhz


@given(specs())
def test_everything_costs_something(one: SystolicSpec) -> None:
    assert sum(cost.area_um2(one, NODE).values()) > 0
    energy = cost.energy_pj(one, NODE)
    assert all(value >= 0 for value in energy.values())
    assert energy["mac"] > 0
    assert energy["idle_cycle"] > 0
    assert energy["leak_ps"] > 0


def test_area_has_the_structure_it_claims() -> None:
    def parts(rows: int, cols: int) -> dict[str, float]:
        return {k: float(v) for k, v in cost.area_um2(spec(rows, cols), NODE).items()}

    assert parts(16, 16)["pe"] == pytest.approx(4 * parts(8, 8)["pe"])
    assert parts(16, 16)["row_mux"] == pytest.approx(4 * parts(8, 8)["row_mux"])
    assert parts(16, 16)["result_port"] < 2.01 * parts(8, 8)["result_port"]
    # bits of skew: 8 x 2 x n (n - 1) / 2
    assert parts(16, 16)["skew"] / parts(8, 8)["skew"] == pytest.approx(240 / 56)
    control = [parts(n, n)["control"] for n in (8, 16, 24)]
    assert control[2] - control[1] == pytest.approx(control[1] - control[0])


def test_pe_dominates_a_large_array() -> None:
    area = cost.area_um2(spec(32, 32), NODE)
    assert area["pe"] / sum(area.values()) > 0.8


@pytest.mark.parametrize("name", tech.names())
def test_fmax_is_whole_mhz_and_names_its_source(name: str) -> None:
    fmax = cost.fmax_mhz(spec(16, 16), tech.load(name))
    assert fmax.mhz == int(fmax.mhz)
    assert "error at most" in fmax.source
    assert "no wires" in fmax.source


def test_wider_words_cost_more_and_are_slower() -> None:
    narrow = spec(8, 8, a_bits=4, b_bits=4, acc_bits=16)
    wide = spec(8, 8, a_bits=16, b_bits=16, acc_bits=48)
    assert sum(cost.area_um2(wide, NODE).values()) > 3 * sum(cost.area_um2(narrow, NODE).values())
    assert cost.energy_pj(wide, NODE)["mac"] > 4 * cost.energy_pj(narrow, NODE)["mac"]
    assert cost.fmax_mhz(wide, NODE).mhz < cost.fmax_mhz(narrow, NODE).mhz


def test_a_clocked_cycle_costs_at_least_an_idle_one() -> None:
    one = spec(16, 16)
    energy = cost.energy_pj(one, NODE)
    assert energy["pe_clock"] * one.pes > energy["idle_cycle"]


@pytest.mark.parametrize("dataflow", ["os", "ws", "is"])
def test_every_action_has_a_price(dataflow: Dataflow) -> None:
    one = SystolicSpec(rows=8, cols=8, dataflow=dataflow)
    jobs = GemmJobs(*(np.array([x]) for x in (10, 10, 10)), accumulate=np.array([True]))
    counted = set(actions(one, jobs, time(one, jobs)))
    priced = set(cost.energy_pj(one, NODE))
    assert counted == priced - {"idle_cycle", "leak_ps"}


@pytest.mark.parametrize(
    ("name", "table"),
    [
        (name, table)
        for table in dict.fromkeys(its.table for its in cost.STRUCTURES.values())
        for name in tech.names()
        if tech.load(name).measured(table)
    ],
)
def test_energy_of_a_simulated_job_is_predicted(name: str, table: str) -> None:
    """The largest simulated array was held out of the fit; its jobs' energy follows from prices."""
    node = tech.load(name)
    rows = [r for r in node.table(table).energy_rows if not r["fitted"]]
    largest = max(rows, key=lambda r: (r["spec"]["rows"] * r["spec"]["cols"], r["counts"]["mac"]))
    one = SystolicSpec(**largest["spec"])
    price = cost.energy_pj(one, node)
    ports = {role: port for port, role in BEATS[one.dataflow].items()}
    counts = {ports.get(k, k): v for k, v in largest["counts"].items() if k != "cycle"}
    if one.dataflow != "os":  # the bank's memory was left out of what was simulated
        sram = accumulators(one, node)
        price["acc_read"] -= sram.read_pj
        price["acc_write"] -= sram.write_pj
    cycles = largest["counts"]["cycle"]
    predicted = sum(price[k] * v for k, v in counts.items())
    predicted += cycles * (price["pe_clock"] * one.pes - price["idle_cycle"])
    assert predicted == pytest.approx(sum(largest["dynamic_pj"].values()), rel=0.10)


def test_an_idle_second_costs_clock_and_leakage() -> None:
    energy = cost.energy_pj(spec(), NODE)
    leakage_uw = NODE.table("systolic").fit("leakage_uw").evaluate(terms.INTEGER.whole, spec())
    assert energy["leak_ps"] * 1e12 == pytest.approx(float(leakage_uw["array"]) * 1e6)


def test_input_stationary_costs_what_weight_stationary_does_with_its_operands_exchanged() -> None:
    ws = SystolicSpec(rows=6, cols=9, a_bits=8, b_bits=4, dataflow="ws")
    turned = SystolicSpec(rows=6, cols=9, a_bits=4, b_bits=8, dataflow="is")
    assert cost.area_um2(ws, NODE) == pytest.approx(cost.area_um2(turned, NODE))
    assert cost.fmax_mhz(ws, NODE).mhz == cost.fmax_mhz(turned, NODE).mhz
    priced, exchanged = cost.energy_pj(ws, NODE), cost.energy_pj(turned, NODE)
    assert (priced["a_beat"], priced["b_beat"]) == (exchanged["b_beat"], exchanged["a_beat"])


def test_a_deeper_accumulator_bank_is_larger_hungrier_and_slower() -> None:
    small, large = (SystolicSpec(dataflow="ws", acc_rows=n) for n in (256, 16384))
    areas = [cost.area_um2(s, NODE)["accumulators"] for s in (small, large)]
    assert areas[1] > 20 * areas[0]
    for action in ("acc_read", "acc_write", "leak_ps"):
        assert cost.energy_pj(large, NODE)[action] > cost.energy_pj(small, NODE)[action]
    assert cost.fmax_mhz(large, NODE).mhz < cost.fmax_mhz(small, NODE).mhz
    assert "begins with a cycle of its SRAM" in cost.fmax_mhz(small, NODE).source


def test_bf16_is_slower_and_larger_than_int8() -> None:
    whole, floats = SystolicSpec(), SystolicSpec(numbers="bf16")
    assert cost.fmax_mhz(floats, NODE).mhz < 0.6 * cost.fmax_mhz(whole, NODE).mhz
    assert sum(cost.area_um2(floats, NODE).values()) > 2 * sum(cost.area_um2(whole, NODE).values())


@pytest.mark.parametrize("price", [cost.area_um2, cost.energy_pj, cost.fmax_mhz])
def test_what_was_not_measured_has_no_cost(price: Callable[..., Any], tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    shutil.copytree(Path(tech.__file__).parent / "freepdk45", folder)
    (folder / "systolic_bf16.yaml").unlink()
    text = (
        "the cost of a systolic array (dataflow os, numbers bf16, pe mac, multiplier inferred, "
        "adder inferred) in node mine needs 1 synthesis table systolic_bf16.yaml, and there are "
        "0; choose a node that has it or measure: python -m archsim.tech.characterise"
    )
    node = tech.load(str(folder))
    with pytest.raises(InfeasibleError, match=f"^{re.escape(text)}$"):
        price(SystolicSpec(numbers="bf16"), node)
    price(SystolicSpec(), node)


def test_a_structure_that_nobody_measured_has_no_cost() -> None:
    text = (
        "the cost of a systolic array (dataflow os, numbers int, pe mac, multiplier booth, adder "
        "ripple) in node freepdk45 needs 1 synthesis table, and there are 0; choose what is "
        "measured: pe opt1"
    )
    with pytest.raises(InfeasibleError, match=f"^{re.escape(text)}$"):
        cost.area_um2(SystolicSpec(multiplier="booth", adder="ripple"), NODE)


def test_carry_save_pes_are_larger_and_faster() -> None:
    mac, opt1 = SystolicSpec(rows=32, cols=32), SystolicSpec(rows=32, cols=32, pe="opt1")
    area = [sum(cost.area_um2(spec, NODE).values()) for spec in (mac, opt1)]
    clock = [cost.fmax_mhz(spec, NODE).mhz for spec in (mac, opt1)]
    assert 1.2 < area[1] / area[0] < 1.6
    assert 1.3 < clock[1] / clock[0] < 2.0


@pytest.mark.parametrize("quantity", [cost.area_um2, cost.energy_pj])
def test_lanes_cost_what_their_adders_do(quantity: Callable[..., Any]) -> None:
    priced = {
        adder: sum(quantity(SystolicSpec(pe="opt1", adder=adder), NODE).values())
        for adder in ("inferred", "ripple", "prefix")
    }
    assert len(set(priced.values())) == 3
    assert max(priced.values()) < 1.05 * min(priced.values())


def test_engine_record_points_here() -> None:
    assert ENGINE.area_um2 is cost.area_um2
    assert ENGINE.fmax_mhz is cost.fmax_mhz
    assert ENGINE.energy_pj is cost.energy_pj
