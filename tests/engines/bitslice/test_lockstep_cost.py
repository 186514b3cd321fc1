"""Cost of lockstep arrays: structure, batches, completeness of the energy of a job."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from archsim import tech
from archsim.engines import SpecBatch
from archsim.engines.bitslice import ENGINE, cost
from archsim.engines.bitslice.jobs import BitsliceJobs
from archsim.engines.bitslice.lockstep_digits import told
from archsim.engines.bitslice.spec import ENCODINGS, BitsliceSpec
from archsim.errors import InfeasibleError

NODE = tech.load("freepdk45")
TABLES = [
    (name, pe)
    for pe in ("laconic", "bitlet")
    for name in tech.names()
    if tech.load(name).measured(f"bitslice_{pe}")
]
ARRAYS = {
    "laconic": BitsliceSpec(pe="laconic", encoding="naf", group=16),
    "bitlet": BitsliceSpec(pe="bitlet", encoding="twos_complement", group=8),
}


@st.composite
def specs(draw: st.DrawFn) -> BitsliceSpec:
    pe = draw(st.sampled_from(["laconic", "bitlet"]))
    a, b = draw(st.integers(2, 16)), draw(st.integers(2, 16))
    sizes = {name: draw(st.integers(1, 32)) for name in ("rows", "cols", "group")}
    return BitsliceSpec(
        pe=pe, encoding=draw(st.sampled_from(ENCODINGS[pe])), a_bits=a, b_bits=b,
        encoded=draw(st.sampled_from("ab")), acc_bits=draw(st.integers(a + b, 64)), **sizes,
    )  # fmt: skip


@settings(max_examples=30)
@given(st.lists(specs(), min_size=1, max_size=4))
def test_batch_equals_single_specs(batch: list[BitsliceSpec]) -> None:
    many = SpecBatch(batch)
    area, fmax = cost.area_um2(many, NODE), cost.fmax_mhz(many, NODE)
    for i, one in enumerate(batch):
        alone = cost.area_um2(one, NODE)
        assert {k: float(v[i]) for k, v in area.items()} == pytest.approx(dict(alone))
        assert float(fmax.mhz[i]) == cost.fmax_mhz(one, NODE).mhz


@settings(max_examples=40)
@given(specs())
def test_everything_costs_something(one: BitsliceSpec) -> None:
    area, energy = cost.area_um2(one, NODE), cost.energy_pj(one, NODE)
    assert all(value >= 0 for value in area.values())
    assert min(area["pe"], area["edge"], area["control"]) > 0
    assert all(value >= 0 for value in energy.values())
    assert min(energy["term"] + energy["pe_step"], energy["idle_cycle"], energy["leak_ps"]) > 0
    assert cost.fmax_mhz(one, NODE).mhz > 10


@pytest.mark.parametrize("pe", ARRAYS)
def test_every_action_has_a_price(pe: str) -> None:
    one = ARRAYS[pe]
    extents = (np.array([x]) for x in (10, 10, 10))
    jobs = BitsliceJobs(*extents, np.array([True]), told(one, {})[None])
    counted = set(ENGINE.actions(one, jobs, ENGINE.time(one, jobs)))
    assert counted == set(cost.energy_pj(one, NODE)) - {"idle_cycle", "leak_ps"}


def test_lanes_are_most_of_a_laconic_pe() -> None:
    pe = [
        cost.area_um2(ARRAYS["laconic"].model_copy(update={"group": group}), NODE)["pe"]
        for group in (8, 16)
    ]
    assert 1.5 < pe[1] / pe[0] < 2


@pytest.mark.parametrize(("name", "pe"), TABLES)
def test_energy_of_a_simulated_job_is_predicted(name: str, pe: str) -> None:
    """The largest simulated array was held out of the fit; its jobs' energy follows from prices."""
    node = tech.load(name)
    rows = [r for r in node.table(f"bitslice_{pe}").energy_rows if not r["fitted"]]
    largest = max(rows, key=lambda r: r["counts"]["term"])
    one = BitsliceSpec(**largest["spec"])
    price = cost.energy_pj(one, node)
    counts = {k: v for k, v in largest["counts"].items() if k != "cycle"}
    predicted = sum(price[k] * v for k, v in counts.items())
    predicted += largest["counts"]["cycle"] * (price["pe_clock"] * one.pes - price["idle_cycle"])
    assert predicted == pytest.approx(sum(largest["dynamic_pj"].values()), rel=0.15)


def test_adders_that_were_not_measured_have_no_cost() -> None:
    spec: Any = ARRAYS["laconic"].model_copy(update={"adder": "ripple"})
    with pytest.raises(InfeasibleError, match=r"choose what is measured: adder prefix$"):
        cost.area_um2(spec, NODE)
