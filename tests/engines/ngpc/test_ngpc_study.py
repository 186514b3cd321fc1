"""The cost of a processor's logic: tables as their rows say, near what was held out."""

from __future__ import annotations

import numpy as np
import pytest

from archsim.engines import SpecBatch
from archsim.engines.ngpc import cost, terms
from archsim.engines.ngpc.spec import NgpcSpec
from archsim.engines.ngpc.study import STUDY
from archsim.engines.ngpc.timing import time
from archsim.tech import Tech, characterise, load, names

from .slices import SMALL, sliced

MEASURED = [name for name in names() if load(name).has_table("ngpc")]


@pytest.fixture(scope="module", params=MEASURED)
def tech(request: pytest.FixtureRequest) -> Tech:
    return load(request.param)


def test_the_default_node_is_measured() -> None:
    assert "freepdk45" in MEASURED


def test_the_table_is_the_fit_of_its_rows(tech: Tech) -> None:
    table = tech.table("ngpc")
    rows = [dict(row) for row in table.rows]
    energy = [dict(row) for row in table.energy_rows]
    for quantity, found in characterise.fit(STUDY, rows, energy).items():
        fit = table.fit(quantity)
        assert found["max_error_percent"] == pytest.approx(fit.max_error_percent, abs=0.02)
        for component, coefficients in found["coefficients"].items():
            assert coefficients == pytest.approx(dict(fit.coefficients[component]), rel=1e-3)
    assert [*STUDY.fitted, *STUDY.held_out] == characterise.specs_of(STUDY, rows)


def test_held_out_processors_are_met(tech: Tech) -> None:
    table = tech.table("ngpc")
    pes = {fitted: [r["spec"]["mlp_width"] * r["spec"]["engines"] for r in table.rows
                    if r["fitted"] == fitted] for fitted in (True, False)}  # fmt: skip
    assert max(pes[True]) < max(pes[False])
    limits = {"area_um2": 4, "leakage_uw": 13, "clock_pj": 11, "delay_ps": 10, "energy_pj": 21}
    errors = {name: table.fit(name).max_error_percent for name in limits}
    assert all(errors[name] <= limit for name, limit in limits.items()), errors


def test_a_larger_processor_costs_more(tech: Tech) -> None:
    def um2(**fields: object) -> float:
        return float(sum(cost.area_um2(NgpcSpec(**{**SMALL, **fields}), tech).values()))

    more = (
        {"engines": 8}, {"mlp_width": 16}, {"mlp_mode": "layered"}, {"fifo_depth": 32},
        {"table_log2": 14}, {"features": 4}, {"act_bits": 16}, {"nfps": 2},
    )  # fmt: skip
    assert all(um2(**one) > um2() for one in more)


def test_a_batch_costs_as_its_specs(tech: Tech) -> None:
    specs = [NgpcSpec(**SMALL), NgpcSpec(**SMALL, mlp_mode="layered", sram_cycles=1)]
    for face in (cost.area_um2, cost.energy_pj):
        together = face(SpecBatch(specs), tech)
        for i, spec in enumerate(specs):
            alone = face(spec, tech)
            assert alone == pytest.approx({name: x[i] for name, x in together.items()})
    clocks = cost.fmax_mhz(SpecBatch(specs), tech).mhz
    assert [cost.fmax_mhz(spec, tech).mhz for spec in specs] == np.asarray(clocks).tolist()


def test_every_action_of_a_slice_has_an_energy(tech: Tech) -> None:
    spec = NgpcSpec(**SMALL)
    jobs, data = sliced(spec)
    counted = terms.actions(spec, jobs, time(spec, jobs, {}, data))
    assert set(counted) <= set(cost.energy_pj(spec, tech))
    assert all(count.sum() > 0 for count in counted.values())
