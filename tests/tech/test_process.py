"""Processes: spans of factors between them, and that the spans hold what they say they rest on."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archsim import tech
from archsim.design import load_design
from archsim.frontends import load
from archsim.simulate import simulate
from archsim.tech.process import SAME, Move, Span, processes

NAMES = sorted(processes())
positive = st.floats(0.01, 100)
spans = st.tuples(positive, positive).map(lambda ends: Span(min(ends), max(ends)))


@given(spans, spans, st.floats(0, 1), st.floats(0, 1))
def test_a_span_holds_what_its_parts_make(a: Span, b: Span, s: float, t: float) -> None:
    x, y = a.low + s * (a.high - a.low), b.low + t * (b.high - b.low)
    x, y = min(x, a.high), min(y, b.high)
    tolerance = 1e-9
    product, quotient = a * b, a / b
    assert product.low * (1 - tolerance) <= x * y <= product.high * (1 + tolerance)
    assert quotient.low * (1 - tolerance) <= x / y <= quotient.high * (1 + tolerance)
    assert 1.0 in a.with_one()


@pytest.mark.parametrize("ends", [(0, 1), (2, 1), (-1, 1), (float("nan"), 1)])
def test_a_span_has_two_positive_ends_in_order(ends: tuple[float, float]) -> None:
    with pytest.raises(ValueError, match="0 < low <= high"):
        Span(*ends)


def test_a_move_within_a_process_changes_nothing_even_if_nobody_knows_it() -> None:
    assert Move.between("freepdk45", "freepdk45") == Move(SAME, SAME, SAME)
    assert Move.between("my own", "my own") == Move(SAME, SAME, SAME)
    assert Move.between("my own", "asap7") is Move.between("asap7", "my own") is None


@pytest.mark.parametrize("source", NAMES)
@pytest.mark.parametrize("target", NAMES)
def test_a_move_back_undoes_a_move(source: str, target: str) -> None:
    there, back = Move.between(source, target), Move.between(target, source)
    assert there is not None
    assert back is not None
    for part in ("area", "energy", "delay"):
        both = getattr(there, part) * getattr(back, part)
        assert 1.0 in Span(both.low * (1 - 1e-12), both.high * (1 + 1e-12))


def test_every_shipped_technology_is_a_process_of_its_node() -> None:
    for name in tech.names():
        assert processes()[name].nm == tech.load(name).node_nm


def test_every_factor_has_its_source_and_how_far_it_can_be_trusted() -> None:
    tags = ("[measured]", "[second-hand]", "[derived", "[assumed]")
    for process in processes().values():
        for source in process.sources.values():
            assert process.name == "asap7" or any(tag in source for tag in tags)


def test_the_page_has_the_factors() -> None:
    page = (Path(__file__).parents[2] / "docs" / "technology.md").read_text("utf-8")
    for process in processes().values():
        spans = (process.area, process.energy, process.delay)
        ends = ([span.low, span.high] for span in spans)
        cells = [" to ".join(f"{end:g}" for end in dict.fromkeys(pair)) for pair in ends]
        line = " | ".join([f"| `{process.name}`", process.title, *cells])
        assert f"\n{line} |\n" in page


# ---------------------------------------------------------------------------------------- sources

# Stillmaker and Baas (2017): area of 45, 10 and 7 nm against each other; fits of delay (cubic) and
# energy (square) in the supply, of high-performance and low-power devices
AREA_45_TO_7, AREA_10_TO_7 = 17, 1.7
FITS = {
    "HP45": ((-501.6, 1567, -1619, 566.1), (1.018, -0.3107, 0.1539)),
    "LP45": ((-285.7, 1239, -1795, 898.8), (1.103, -0.362, 0.2767)),
    "HP10": ((-34.95, 93.65, -85.99, 30.4), (0.2068, -0.09311, 0.02375)),
    "HP7": ((-28.58, 76.6, -70.26, 24.69), (0.1776, -0.09097, 0.02447)),
    "LP7": ((-61.79, 196.1, -210.3, 79.55), (0.09365, -0.03409, 0.02043)),
}


def fitted(device: str, volt: float) -> tuple[float, float]:
    """Return delay and energy of a device by its fits."""
    return tuple(  # type: ignore[return-value]
        sum(c * volt ** (len(fit) - 1 - i) for i, c in enumerate(fit)) for fit in FITS[device]
    )


@pytest.mark.parametrize(("family", "delay", "energy"), [("HP", 4.2, 22), ("LP", 6.0, 29)])
def test_45_nm_holds_the_published_fits(family: str, delay: float, energy: float) -> None:
    old, new = fitted(f"{family}45", 1.1), fitted(f"{family}7", 0.7)
    assert old[0] / new[0] == pytest.approx(delay, rel=0.02)
    assert old[1] / new[1] == pytest.approx(energy, rel=0.02)
    process = processes()["freepdk45"]
    assert round(old[0] / new[0], 1) in process.delay
    assert round(old[1] / new[1]) in process.energy
    assert AREA_45_TO_7 in process.area


def test_8_nm_lies_between_its_neighbours_and_fits_the_chips() -> None:
    old, new = fitted("HP10", 0.75), fitted("HP7", 0.7)
    samsung, tsmc = processes()["8N"], processes()["N7"]
    assert samsung.delay.high == pytest.approx(old[0] / new[0], rel=0.01)
    assert samsung.energy.high == pytest.approx(old[1] / new[1], rel=0.01)
    assert samsung.area.high == AREA_10_TO_7
    ga100, ga102 = 54.2e9 / 826, 28.3e9 / 628
    assert samsung.area.low == pytest.approx(tsmc.area.low * ga100 / ga102, rel=0.01)


def test_4_nm_holds_the_chips_and_the_foundrys_claims() -> None:
    four, seven = processes()["4N"], processes()["N7"]
    ga100, gh100 = 54.2e9 / 826, 80e9 / 814
    assert four.area.high == pytest.approx(seven.area.high * ga100 / gh100, rel=0.01)
    assert four.area.low == pytest.approx(seven.area.low / 1.84 / 1.06, rel=0.02)
    assert four.energy.low == pytest.approx(0.7 * 0.78, rel=0.02)
    assert four.delay.low == pytest.approx(1 / 1.15 / 1.11, rel=0.01)


def test_7_nm_is_as_dense_as_reported() -> None:
    nand_per_mm2 = 4 / tech.load("asap7").facts.nand2_um2 * 1e6
    assert processes()["N7"].area.low == pytest.approx(nand_per_mm2 / 91.2e6, rel=0.01)


def test_45_nm_holds_what_synthesis_and_the_sram_table_say() -> None:
    trace, design = load("mobilenet_v2"), load_design("tpu_like")
    old, new = (
        simulate(design.model_copy(update={"node": node}), trace) for node in ("freepdk45", "asap7")
    )
    process = processes()["freepdk45"]
    for part in ("mxu.pe", "vpu.lanes", "buffer"):
        assert round(old.area_um2[part] / new.area_um2[part]) in process.area
    for part in ("mxu", "vpu", "buffer"):
        energies = [sum(v for k, v in r.energy_pj.items() if k == part) for r in (old, new)]
        assert round(energies[0] / energies[1]) in process.energy
    clocks = [r.provenance["clocks_mhz"]["mxu"] for r in (old, new)]
    assert round(clocks[1] / clocks[0]) in process.delay
