"""Cost of the vector unit: fits near what was measured, batches as single specs, the row alone."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from archsim import tables
from archsim.design import load_design
from archsim.engines import SpecBatch, discover
from archsim.engines.systolic.spec import SystolicSpec
from archsim.engines.vector import cost
from archsim.engines.vector.spec import VectorSpec
from archsim.engines.vector.study import STUDY
from archsim.epilogue import lanes_of, results_of, row_of
from archsim.frontends import load as load_model
from archsim.simulate import simulate
from archsim.tech import Tech, characterise, load, names
from archsim.trace import Op

MEASURED = [name for name in names() if load(name).has_table("vector")]


@pytest.fixture(scope="module", params=MEASURED)
def tech(request: pytest.FixtureRequest) -> Tech:
    return load(request.param)


def test_the_default_node_is_measured() -> None:
    assert "freepdk45" in MEASURED


def test_a_node_without_a_table_has_its_measured_lanes(tmp_path: Path) -> None:
    for name in ("tech.yaml", "lane.yaml"):
        (tmp_path / name).write_bytes((load("freepdk45").folder / name).read_bytes())
    node, spec = load(str(tmp_path)), VectorSpec()
    lane = node.lane(32)
    assert {"lanes": 32 * lane.area_um2} == cost.area_um2(spec, node)
    energy = cost.energy_pj(spec, node)
    assert (lane.op_pj, 32 * lane.clock_pj) == (energy["tap"], energy["idle_cycle"])
    clock = cost.fmax_mhz(spec, node)
    assert clock.mhz == lane.fmax_mhz
    assert "integer lanes were not measured" in clock.source
    assert row_of(discover()["systolic"], SystolicSpec(), node) is None


def test_held_out_configurations_are_met(tech: Tech) -> None:
    table = tech.table("vector")
    held_out = [row["spec"] for row in table.rows if not row["fitted"]]
    assert max(row["spec"]["lanes"] for row in table.rows if row["fitted"]) < max(
        spec["lanes"] for spec in held_out
    )
    limits = {"area_um2": 3, "leakage_uw": 6, "clock_pj": 3, "delay_ps": 10, "energy_pj": 12}
    errors = {name: table.fit(name).max_error_percent for name in limits}
    assert all(errors[name] <= limit for name, limit in limits.items()), errors


def test_the_table_is_the_fit_of_its_rows(tech: Tech) -> None:
    table = tech.table("vector")
    rows = [dict(row) for row in table.rows]
    energy = [dict(row) for row in table.energy_rows]
    for quantity, found in characterise.fit(STUDY, rows, energy).items():
        assert found["max_error_percent"] == table.fit(quantity).max_error_percent
        assert found["coefficients"] == table.fit(quantity).coefficients


def test_a_batch_prices_as_its_specs(tech: Tech) -> None:
    specs = [VectorSpec(), VectorSpec(lanes=7, lane_bits=16, scale_bits=16)]
    batch = SpecBatch(specs)
    for function in (cost.area_um2, cost.energy_pj):
        together = function(batch, tech)
        for i, spec in enumerate(specs):
            alone = function(spec, tech)
            assert alone.keys() == together.keys()
            for name, value in alone.items():
                assert value == pytest.approx(np.broadcast_to(together[name], 2)[i])
    clocks = cost.fmax_mhz(batch, tech).mhz
    assert clocks.tolist() == [cost.fmax_mhz(spec, tech).mhz for spec in specs]


def test_narrow_lanes_are_smaller_faster_and_hungry_for_less(tech: Tech) -> None:
    wide, narrow = VectorSpec(), VectorSpec(lane_bits=16, scale_bits=16)
    areas = [cost.area_um2(spec, tech)["integer"] for spec in (wide, narrow)]
    taps = [cost.energy_pj(spec, tech)["tap"] for spec in (wide, narrow)]
    clocks = [cost.fmax_mhz(spec, tech).mhz for spec in (wide, narrow)]
    assert areas[0] > 2 * areas[1]
    assert taps[0] > 2 * taps[1]
    assert clocks[0] < clocks[1]


def test_the_unit_is_no_slower_than_the_default_array() -> None:
    """The design's clock is the slower engine's: it stays the array's."""
    design, tech = load_design("tpu_like"), load("freepdk45")
    clocks = {
        name: discover()[spec.kind].fmax_mhz(spec, tech).mhz  # type: ignore[attr-defined]
        for name, spec in design.engines.items()
    }
    assert clocks["vpu"] > clocks["mxu"]


# ---------------------------------------------------------------------------------------- epilogue


def test_a_row_of_lanes_stands_behind_arrays_of_integers() -> None:
    engines = discover()
    assert (16, 32) == lanes_of(engines["systolic"], SystolicSpec())
    assert lanes_of(engines["systolic"], SystolicSpec(numbers="bf16")) is None
    assert lanes_of(engines["vector"], VectorSpec()) is None


def test_the_row_costs_the_units_lanes_without_the_rest(tech: Tech) -> None:
    unit = VectorSpec(lanes=16)
    row = row_of(discover()["systolic"], SystolicSpec(), tech)
    assert row is not None
    assert row.area_um2 == cost.area_um2(unit, tech)["integer"]
    assert 0.8 * row.clock_pj < cost.energy_pj(unit, tech)["idle_cycle"]
    assert row.result_pj > cost.energy_pj(unit, tech)["tap"]


def test_results_of_products_pass_the_row_if_anything_is_done_to_them() -> None:
    attrs = {"m": 3, "n": 4, "k": 5, "groups": 2}
    plain = Op("p", "gemm", ("a", "b"), ("c",), attrs)
    assert 0 == results_of(plain)
    assert 24 == results_of(Op("p", "gemm", ("a", "b"), ("c",), attrs, ("requantise",)))


def test_a_design_is_charged_for_its_row(monkeypatch: pytest.MonkeyPatch) -> None:
    design, model = load_design("tpu_like"), load_model("mobilenet_v2")
    row = row_of(discover()["systolic"], design.engines["mxu"], load("freepdk45"))
    assert row is not None
    charged = simulate(design, model)
    monkeypatch.setattr(tables, "row_of", lambda *arguments: None)
    bare = simulate(design, model)
    assert row.area_um2 == charged.area_um2["mxu.epilogue"]
    assert "mxu.epilogue" not in bare.area_um2
    for op, with_row, without in zip(model.ops, charged.per_op, bare.per_op, strict=True):
        more = with_row.energy_pj[with_row.engine] - without.energy_pj[without.engine]
        if with_row.engine != "mxu":
            assert more == 0
            continue
        cycles = sum(with_row.split_cycles.values())
        wanted = results_of(op) * row.result_pj + cycles * row.clock_pj
        assert more == pytest.approx(wanted, rel=1e-6)
    leaked = charged.energy_pj["mxu.leakage"] - bare.energy_pj["mxu.leakage"]
    assert leaked == pytest.approx(row.leakage_uw * charged.metrics.time_us, rel=1e-6)
