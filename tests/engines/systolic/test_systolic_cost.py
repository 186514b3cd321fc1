"""Cost of the array: structure, batches, units and completeness of the energy of a job."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from archsim import tech
from archsim.engines import GemmJobs, SpecBatch
from archsim.engines.systolic import ENGINE, cost, terms
from archsim.engines.systolic.spec import SystolicSpec
from archsim.engines.systolic.timing import actions, time

NODE = tech.load("freepdk45")


def spec(rows: int = 8, cols: int = 8, **fields: int) -> SystolicSpec:
    return SystolicSpec(rows=rows, cols=cols, **fields)


@st.composite
def specs(draw: st.DrawFn) -> SystolicSpec:
    a, b = draw(st.integers(2, 16)), draw(st.integers(2, 16))
    return SystolicSpec(
        rows=draw(st.integers(1, 256)), cols=draw(st.integers(1, 256)),
        a_bits=a, b_bits=b, acc_bits=draw(st.integers(a + b, 64)),
    )  # fmt: skip


@given(st.lists(specs(), min_size=1, max_size=5))
def test_batch_equals_single_specs(batch: list[SystolicSpec]) -> None:
    many = SpecBatch(batch)
    area, energy = cost.area_um2(many, NODE), cost.energy_pj(many, NODE)
    fmax = cost.fmax_mhz(many, NODE)
    for i, one in enumerate(batch):
        single = cost.area_um2(one, NODE)
        assert {k: float(v[i]) for k, v in area.items()} == pytest.approx(
            {k: float(v) for k, v in single.items()}
        )
        assert {k: float(v[i]) for k, v in energy.items()} == pytest.approx(
            cost.energy_pj(one, NODE)
        )
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


def test_every_action_has_a_price() -> None:
    one = spec()
    jobs = GemmJobs(*(np.array([x]) for x in (10, 10, 10)), accumulate=np.array([True]))
    counted = set(actions(one, jobs, time(one, jobs)))
    priced = set(cost.energy_pj(one, NODE))
    assert counted == priced - {"idle_cycle", "leak_ps"}


@pytest.mark.parametrize("name", tech.names())
def test_energy_of_a_simulated_job_is_predicted(name: str) -> None:
    """The largest simulated array was held out of the fit; its jobs' energy follows from prices."""
    node = tech.load(name)
    rows = [r for r in node.table("systolic").energy_rows if not r["fitted"]]
    largest = max(rows, key=lambda r: (r["spec"]["rows"] * r["spec"]["cols"], r["counts"]["mac"]))
    one = SystolicSpec(**largest["spec"])
    price = cost.energy_pj(one, node)
    counts = {k: v for k, v in largest["counts"].items() if k != "cycle"}
    cycles = largest["counts"]["cycle"]
    predicted = sum(price[k] * v for k, v in counts.items())
    predicted += cycles * (price["pe_clock"] * one.pes - price["idle_cycle"])
    assert predicted == pytest.approx(sum(largest["dynamic_pj"].values()), rel=0.10)


def test_an_idle_second_costs_clock_and_leakage() -> None:
    energy = cost.energy_pj(spec(), NODE)
    leakage_uw = NODE.table("systolic").fit("leakage_uw").evaluate(terms.INTEGER.whole, spec())
    assert energy["leak_ps"] * 1e12 == pytest.approx(float(leakage_uw["array"]) * 1e6)


def test_engine_record_points_here() -> None:
    assert ENGINE.area_um2 is cost.area_um2
    assert ENGINE.fmax_mhz is cost.fmax_mhz
    assert ENGINE.energy_pj is cost.energy_pj
