"""The cost of the engine's logic: tables as their rows say, near what was held out."""

from __future__ import annotations

import pytest

from archsim.engines.hash_spgemm import cost, terms
from archsim.engines.hash_spgemm.spec import HashSpgemmSpec
from archsim.engines.hash_spgemm.study import STUDY
from archsim.tech import Tech, characterise, load, names

MEASURED = [name for name in names() if load(name).has_table(cost.TABLE)]


@pytest.fixture(scope="module", params=MEASURED)
def tech(request: pytest.FixtureRequest) -> Tech:
    return load(request.param)


def test_the_default_node_is_measured() -> None:
    assert "freepdk45" in MEASURED


def test_held_out_engines_are_met(tech: Tech) -> None:
    table = tech.table(cost.TABLE)
    lanes = {fitted: [r["spec"]["lanes"] * r["spec"]["banks"] for r in table.rows
                      if r["fitted"] == fitted] for fitted in (True, False)}  # fmt: skip
    assert max(lanes[True]) < max(lanes[False])
    limits = {"area_um2": 3, "leakage_uw": 8, "clock_pj": 3, "delay_ps": 10, "energy_pj": 20}
    errors = {name: table.fit(name).max_error_percent for name in limits}
    assert all(errors[name] <= limit for name, limit in limits.items()), errors


def test_the_table_is_the_fit_of_its_rows(tech: Tech) -> None:
    table = tech.table(cost.TABLE)
    rows = [dict(row) for row in table.rows]
    energy = [dict(row) for row in table.energy_rows]
    for quantity, found in characterise.fit(STUDY, rows, energy).items():
        assert found["max_error_percent"] == table.fit(quantity).max_error_percent
        assert found["coefficients"] == table.fit(quantity).coefficients
    asked = [*STUDY.fitted, *STUDY.held_out]
    assert asked == characterise.specs_of(STUDY, rows)


def test_what_more_hardware_costs(tech: Tech) -> None:
    fit = tech.table(cost.TABLE).fit("area_um2")

    def um2(**fields: object) -> float:
        spec = HashSpgemmSpec(**{"slots": 256} | fields)
        return float(sum(fit.evaluate(terms.AREA_TERMS, spec).values()))

    for more in ({"lanes": 2, "banks": 2}, {"queue": 16}, {"comparators": 4}, {"token": "row"}):
        assert um2(lanes=1, banks=1) < um2(**{"lanes": 1, "banks": 1} | more)
    # the multiplicative hash has a multiplier of its own, beside that of values
    assert 1.05 < um2() / um2(hash="low") < 1.3


def test_a_table_slows_the_clock_by_its_sram(tech: Tech) -> None:
    small, large = (HashSpgemmSpec(slots=n, banks=1, lanes=1) for n in (256, 65536))
    clocks = [cost.fmax_mhz(spec, tech) for spec in (small, large)]
    assert clocks[0].mhz > clocks[1].mhz
    assert "11 syntheses of up to 4 lanes" in clocks[0].source
