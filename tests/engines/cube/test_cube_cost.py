"""Cost of the cube: structure, batches, completeness of the energy of a job."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from archsim import tech
from archsim.engines import GemmJobs, SpecBatch
from archsim.engines.cube import ENGINE, cost
from archsim.engines.cube.spec import CubeSpec
from archsim.errors import InfeasibleError

NODE = tech.load("freepdk45")
TABLES = [
    (name, table)
    for table in ("cube", "cube_opt1")
    for name in tech.names()
    if tech.load(name).measured(table)
]


@st.composite
def specs(draw: st.DrawFn) -> CubeSpec:
    a, b = draw(st.integers(2, 16)), draw(st.integers(2, 16))
    fields: dict[str, Any] = {"a_bits": a, "b_bits": b, "acc_bits": draw(st.integers(a + b, 64))}
    if draw(st.booleans()):
        fields |= {"pe": "opt1", "adder": draw(st.sampled_from(["inferred", "ripple", "prefix"]))}
    sizes = {name: draw(st.integers(1, 32)) for name in ("rows", "cols", "depth")}
    return CubeSpec(**sizes, **fields)


@settings(max_examples=40)
@given(st.lists(specs(), min_size=1, max_size=4))
def test_batch_equals_single_specs(batch: list[CubeSpec]) -> None:
    many = SpecBatch(batch)
    area, energy = cost.area_um2(many, NODE), cost.energy_pj(many, NODE)
    fmax = cost.fmax_mhz(many, NODE)
    for i, one in enumerate(batch):
        for found, single in (
            (area, cost.area_um2(one, NODE)),
            (energy, cost.energy_pj(one, NODE)),
        ):
            assert {k: float(v[i]) for k, v in found.items()} == pytest.approx(dict(single))
        assert float(fmax.mhz[i]) == cost.fmax_mhz(one, NODE).mhz


@settings(max_examples=60)
@given(specs())
def test_everything_costs_something(one: CubeSpec) -> None:
    assert all(value >= 0 for value in cost.area_um2(one, NODE).values())
    energy = cost.energy_pj(one, NODE)
    assert all(value >= 0 for value in energy.values())
    assert min(energy["sum_hop"], energy["idle_cycle"], energy["leak_ps"]) > 0
    assert cost.fmax_mhz(one, NODE).mhz > 10


def test_a_longer_chain_needs_no_more_accumulators() -> None:
    short, long = (cost.area_um2(CubeSpec(depth=n), NODE) for n in (4, 16))
    assert short["accumulate"] == long["accumulate"]
    # four times the PEs, whose sums are two bits wider
    assert 4 < long["pe"] / short["pe"] < 4.4


def test_carry_save_pes_are_larger_and_faster() -> None:
    mac, opt1 = (CubeSpec(rows=16, pe=pe) for pe in ("mac", "opt1"))
    area = [sum(cost.area_um2(spec, NODE).values()) for spec in (mac, opt1)]
    clock = [cost.fmax_mhz(spec, NODE).mhz for spec in (mac, opt1)]
    assert 1.0 < area[1] / area[0] < 1.6
    assert 1.0 < clock[1] / clock[0] < 2.0


@pytest.mark.parametrize("pe", ["mac", "opt1"])
def test_every_action_has_a_price(pe: Any) -> None:
    one = CubeSpec(pe=pe)
    jobs = GemmJobs(*(np.array([x]) for x in (10, 10, 10)), accumulate=np.array([True]))
    counted = set(ENGINE.actions(one, jobs, ENGINE.time(one, jobs)))
    assert counted == set(cost.energy_pj(one, NODE)) - {"idle_cycle", "leak_ps"}


@pytest.mark.parametrize(("name", "table"), TABLES)
def test_energy_of_a_simulated_job_is_predicted(name: str, table: str) -> None:
    """The largest simulated cube was held out of the fit; its jobs' energy follows from prices."""
    node = tech.load(name)
    rows = [r for r in node.table(table).energy_rows if not r["fitted"]]
    largest = max(rows, key=lambda r: r["counts"]["mac"])
    one = CubeSpec(**largest["spec"])
    price = cost.energy_pj(one, node)
    counts = {k: v for k, v in largest["counts"].items() if k != "cycle"}
    predicted = sum(price[k] * v for k, v in counts.items())
    predicted += largest["counts"]["cycle"] * (price["pe_clock"] * one.pes - price["idle_cycle"])
    assert predicted == pytest.approx(sum(largest["dynamic_pj"].values()), rel=0.10)


def test_what_was_not_measured_has_no_cost(tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    shutil.copytree(Path(tech.__file__).parent / "freepdk45", folder)
    (folder / "cube.yaml").unlink()
    text = (
        "the cost of a cube (pe mac, multiplier inferred, adder inferred) in node mine needs 1 "
        "synthesis table cube.yaml, and there are 0; choose a node that has it or measure: python "
        "-m archsim.tech.characterise"
    )
    with pytest.raises(InfeasibleError, match=f"^{re.escape(text)}$"):
        cost.area_um2(CubeSpec(), tech.load(str(folder)))
    with pytest.raises(InfeasibleError, match=r"choose what is measured: multiplier inferred$"):
        cost.area_um2(CubeSpec(multiplier="booth"), NODE)
