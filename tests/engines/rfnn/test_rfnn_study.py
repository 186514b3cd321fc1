"""The cost of the control's logic: tables as their rows say, near what was held out."""

from __future__ import annotations

import pytest

from archsim.engines import SpecBatch
from archsim.engines.rfnn import terms
from archsim.engines.rfnn.spec import RfnnSpec
from archsim.engines.rfnn.study import STUDY
from archsim.tech import Tech, characterise, load, names

MEASURED = [name for name in names() if load(name).has_table("rfnn")]


@pytest.fixture(scope="module", params=MEASURED)
def tech(request: pytest.FixtureRequest) -> Tech:
    return load(request.param)


def test_the_default_node_is_measured() -> None:
    assert "freepdk45" in MEASURED


def test_held_out_controls_are_met(tech: Tech) -> None:
    table = tech.table("rfnn")
    modes = {fitted: [r["spec"]["modes"] for r in table.rows if r["fitted"] == fitted]
             for fitted in (True, False)}  # fmt: skip
    assert max(modes[True]) < max(modes[False])
    limits = {"area_um2": 3, "leakage_uw": 5, "clock_pj": 3, "delay_ps": 10, "energy_pj": 15}
    errors = {name: table.fit(name).max_error_percent for name in limits}
    assert all(errors[name] <= limit for name, limit in limits.items()), errors


def test_the_table_is_the_fit_of_its_rows(tech: Tech) -> None:
    table = tech.table("rfnn")
    rows = [dict(row) for row in table.rows]
    energy = [dict(row) for row in table.energy_rows]
    for quantity, found in characterise.fit(STUDY, rows, energy).items():
        assert found["max_error_percent"] == table.fit(quantity).max_error_percent
        assert found["coefficients"] == table.fit(quantity).coefficients
    asked = [*STUDY.fitted, *STUDY.held_out]
    assert asked == characterise.specs_of(STUDY, rows)


def test_a_batch_prices_as_its_specs(tech: Tech) -> None:
    specs = [RfnnSpec(), RfnnSpec(modes=4, readout="mag", buffer_words=64)]
    fit = tech.table("rfnn").fit("area_um2")
    together = fit.evaluate(terms.AREA_TERMS, SpecBatch(specs))
    for row, spec in enumerate(specs):
        for name, um2 in fit.evaluate(terms.AREA_TERMS, spec).items():
            assert um2 == pytest.approx(together[name][row])


def test_a_larger_board_has_a_larger_control(tech: Tech) -> None:
    fit = tech.table("rfnn").fit("area_um2")

    def um2(**fields: int) -> float:
        return float(sum(fit.evaluate(terms.AREA_TERMS, RfnnSpec(**fields)).values()))

    for more in ({"modes": 16}, {"adc_bits": 16}, {"result_bits": 32}, {"buffer_words": 65_536}):
        assert um2(**more) > um2()
