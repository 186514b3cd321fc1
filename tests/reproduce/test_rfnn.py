"""RF neural networks: the little that is published, and what is worked out beside it."""

from __future__ import annotations

import pytest

from archsim.engines.rfnn.accuracy import CASES
from archsim.reproduce import Row, Section, paper
from archsim.reproduce.rfnn.counting import LAYERS, Layer
from archsim.reproduce.rfnn.numbers import ALONE

# rank, dense cells; then of tt3 and ttm: parameters, cells of a mesh a core, of one a vector too
Trains = tuple[int, int, int]
TABLE: tuple[tuple[int, int, Trains, Trains], ...] = (
    (2, 339_576, (136, 314, 5_402), (288, 306, 29_784)),
    (4, 339_576, (512, 1_296, 18_180), (1_024, 1_248, 120_408)),
    (8, 339_576, (1_600, 3_718, 26_272), (3_840, 5_076, 488_856)),
    (4, 830_712, (640, 2_048, 36_036), (1_920, 2_000, 266_712)),
    (4, 1_047_552, (672, 2_284, 42_540), (2_176, 2_236, 318_464)),
    (2, 1_047_552, (144, 246, 8_514), (256, 236, 60_416)),
    (4, 4_847_872, (640, 1_968, 44_332), (1_792, 1_920, 269_568)),
)


@pytest.fixture(scope="module")
def sections() -> list[Section]:
    return list(paper("rfnn").sections())


@pytest.fixture(scope="module")
def rows(sections: list[Section]) -> dict[str, Row]:
    return {row.quantity: row for section in sections for row in section.rows}


@pytest.fixture(scope="module")
def ours(rows: dict[str, Row]) -> dict[str, float]:
    return {name: row.ours for name, row in rows.items() if row.ours is not None}


def test_every_quantity_stands_once_and_is_explained(
    sections: list[Section], rows: dict[str, Row]
) -> None:
    every = [row for section in sections for row in section.rows]
    assert len(every) == len(rows)
    assert [row.quantity for row in every if not row.is_explained] == []
    assert all(row.tag for row in every)
    assert {row.tag for row in every if row.published is None} == {ALONE}


def test_counts_of_papers_are_exact(rows: dict[str, Row]) -> None:
    processor = rows["8x8 processor: 2x2 devices"]
    study = rows["network of two hidden layers: phase shifters, 16-16-16-10"]
    assert (processor.published, processor.ours) == (28, 28)
    assert (study.published, study.ours) == (1374, 1374)
    assert "recalled" in study.tag


def test_what_is_unknown_is_said(rows: dict[str, Row]) -> None:
    train = rows["1024 x 1024 layer: interferometers of the train, by its ratio"]
    assert train.ours is None
    assert train.published == pytest.approx(13_273, rel=1e-3)
    assert "not known" in train.cause
    missing = " ".join(paper("rfnn").not_found)
    for word in ("table", "accuracy", "switches", "energy", "robustness solver", "TONN"):
        assert word in missing


@pytest.mark.parametrize(("layer", "found"), [*zip(LAYERS, TABLE, strict=True)])
def test_layers_by_three_ways_of_counting(
    layer: Layer, found: tuple[int, int, Trains, Trains]
) -> None:
    rank, dense, tt3, ttm = found
    assert layer.rank == rank
    assert layer.cells("full", "instance") == dense
    assert tt3 == (
        layer.parameters("tt3"), layer.cells("tt3", "instance"), layer.cells("tt3", "spatial")
    )  # fmt: skip
    assert ttm == (
        layer.parameters("ttm"), layer.cells("ttm", "instance"), layer.cells("ttm", "spatial")
    )  # fmt: skip


def test_272_times_fewer_interferometers_cost_436_passes(ours: dict[str, float]) -> None:
    what, dense = "784 to 256, rank 4, matrix cores", ours["784 to 256, dense: a mesh a layer"]
    assert ours[f"{what}: passes, taking turns"] == 436
    assert dense / ours[f"{what}: a mesh a core"] == pytest.approx(272, abs=0.5)
    assert dense / ours[f"{what}: a mesh a core and vector"] == pytest.approx(2.8, abs=0.05)


def test_an_8x8_mesh_takes_a_watt_and_its_readout_nearly_all_of_it(ours: dict[str, float]) -> None:
    assert ours["power of phase shifters"] == pytest.approx(0.56)
    assert ours["power of detectors and converters"] == pytest.approx(981, abs=0.5)
    assert ours["power of sources"] == pytest.approx(40)
    assert ours["power of all"] == pytest.approx(1020, abs=5)
    assert ours["energy of a matrix-vector product, a vector a sample"] == pytest.approx(51.1, 1e-3)
    assert ours["energy of a complex MAC, a vector a sample"] == pytest.approx(0.8, abs=0.01)
    assert ours["the same without readout"] == pytest.approx(32, abs=0.5)


def test_programming_takes_longer_than_passing_where_cores_take_turns(
    ours: dict[str, float],
) -> None:
    passing = ours["time of its passes, a vector a sample"]
    assert passing == pytest.approx(21.8)
    assert ours["phase shifters of one mesh for all cores"] == 996
    assert ours["time to program that mesh"] == pytest.approx(15.42)
    assert ours["time to program it for every core"] > passing


def test_losses_end_passive_meshes(ours: dict[str, float]) -> None:
    assert ours["a Clements mesh of 8 modes, lines"] == pytest.approx(20.8)
    assert ours["a Clements mesh of 16 modes, lines"] == pytest.approx(41.6)
    assert ours["a Clements mesh of 4 modes, chips"] == pytest.approx(58.4)


def test_errors_of_drawn_devices_follow_the_law(ours: dict[str, float]) -> None:
    assert ours["theta in one arm: error over sigma sqrt(N)"] == pytest.approx(1, abs=0.04)
    assert ours["theta split over both arms: error over sigma sqrt(N)"] == pytest.approx(
        0.866, abs=0.035
    )
    for drive in ("theta in one arm", "theta split over both arms"):
        found = ours[f"{drive}: error at a sigma of 2 degrees"]
        assert found == pytest.approx(ours[f"{drive}: the same by the law"], rel=0.05)


def test_uniform_loss_is_nearly_a_gain_in_a_rectangle_only(ours: dict[str, float]) -> None:
    clements, reck = (
        ours[f"{mesh}: error by 1 dB a cell, best gain"] for mesh in ("Clements", "Reck")
    )
    assert clements == pytest.approx(0.10, abs=0.02)
    assert reck == pytest.approx(0.27, abs=0.03)


def test_the_study_of_accuracy_says_where_robust_training_does_not_win(
    sections: list[Section], ours: dict[str, float]
) -> None:
    (section,) = (s for s in sections if s.title.startswith("Accuracy"))
    told = [note for note in section.notes if " wins at " in note]
    assert len(told) == 2 * len(CASES)
    assert all("loses at" in note for note in told)
    what = "full, meshes of 8 modes, 8 bits, 8 degrees"
    robust = [ours[f"{what}, {words}"] for words in ("with noisy phases", "sharpness-aware")]
    assert min(robust) > ours[f"{what}, as it is"]
