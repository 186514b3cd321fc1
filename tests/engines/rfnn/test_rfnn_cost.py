"""What the RF engine costs: parts that are counted, power that flows, memories."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from archsim.engines import AssumedClock, GemmJobs, SpecBatch
from archsim.engines.rfnn import ENGINE, power
from archsim.engines.rfnn.cost import measured
from archsim.engines.rfnn.lowering import jobs_of
from archsim.engines.rfnn.meshes import parts_of, switches_of
from archsim.engines.rfnn.spec import RfnnSpec
from archsim.engines.rfnn.terms import ENERGY_TERMS
from archsim.tech import load

TECH = load("freepdk45")
TRAIN = RfnnSpec(form="ttm", rank=4, modes=28)


def tile(m: int, n: int, k: int) -> GemmJobs:
    return GemmJobs(*(np.array([x]) for x in (m, n, k)), np.array([False]))


def counted(spec: RfnnSpec, m: int, n: int, k: int) -> dict[str, int]:
    jobs = jobs_of(spec, tile(m, n, k))
    found = ENGINE.actions(spec, jobs, ENGINE.time(spec, jobs))
    return {name: int(count[0]) for name, count in found.items()}


# ------------------------------------------------------------------------------------------ parts


def test_one_mesh_is_as_large_as_its_modes() -> None:
    parts = parts_of(RfnnSpec(circuit="unitary"), 256, 784)
    assert (parts.meshes, parts.cells, parts.shifters, parts.attenuators) == (1, 28, 56, 0)
    svd = parts_of(RfnnSpec(), 256, 784)
    assert (svd.meshes, svd.cells, svd.attenuators) == (1, 56, 8)


@pytest.mark.parametrize(
    ("form", "rank", "instance", "spatial"),
    [
        ("full", 4, 339_576, 339_576), ("ttm", 2, 306, 29_784), ("ttm", 4, 1_248, 120_408),
        ("ttm", 8, 5_076, 488_856), ("tt3", 2, 314, 5_402), ("tt3", 4, 1_296, 18_180),
        ("tt3", 8, 3_718, 26_272),
    ],
)  # fmt: skip
def test_layers_have_the_cells_of_each_way_of_counting(
    form: Any, rank: int, instance: int, spatial: int
) -> None:
    """784 to 256, on meshes as large as any matrix."""
    spec = RfnnSpec(form=form, rank=rank, modes=784, cores="instance")
    assert parts_of(spec, 256, 784).cells == instance
    assert parts_of(spec.model_copy(update={"cores": "spatial"}), 256, 784).cells == spatial


def test_small_meshes_cut_matrices() -> None:
    parts = parts_of(RfnnSpec(cores="instance"), 12, 20)  # 8 + 4 outputs, 8 + 8 + 4 inputs
    assert parts.meshes == 6
    assert parts.cells == 3 * (28 + 6) + 2 * (28 + 28 + 6)
    assert parts.attenuators == 8 + 8 + 4 + 4 + 4 + 4
    unitary = parts_of(RfnnSpec(cores="instance", circuit="unitary"), 12, 20)
    assert unitary.cells == 28 * 5 + 6
    assert unitary.attenuators == 0


def test_loss_is_that_of_the_longest_way() -> None:
    cell = 2 * 0.3 + 2 * 1.0
    assert parts_of(RfnnSpec(circuit="unitary"), 8, 8).loss_db == pytest.approx(8 * cell)
    assert parts_of(RfnnSpec(), 8, 8).loss_db == pytest.approx(16 * cell + 1.83)
    reck = RfnnSpec(circuit="unitary", mesh="reck")
    assert parts_of(reck, 8, 8).loss_db == pytest.approx(13 * cell)
    # a pass through a whole train, and trees of SP4T switches to 20 meshes and back
    spatial = RfnnSpec(form="ttm", modes=784, cores="spatial")
    cells = (16 + 4) + 2 * (16 + 28) + (4 + 16)
    assert parts_of(spatial, 256, 784).loss_db == pytest.approx(cells * cell + 4 * 1.83)
    turns = RfnnSpec(form="ttm", cores="instance")
    assert parts_of(turns, 256, 784).meshes == 20
    assert parts_of(turns, 256, 784).loss_db == pytest.approx(16 * cell + 1.83 + 2 * 3 * 0.8)


def test_switches_are_a_benes_matrix_and_trees_between_meshes() -> None:
    assert switches_of(RfnnSpec(), 1) == 0
    assert switches_of(RfnnSpec(switches=True), 1) == 8 * 3 - 4
    assert switches_of(RfnnSpec(cores="instance"), 1) == 0
    assert switches_of(RfnnSpec(cores="instance"), 4) == 2 * 8
    assert switches_of(RfnnSpec(cores="instance"), 5) == 2 * 8 * 2


# ------------------------------------------------------------------------------------------ power


def test_an_8x8_mesh_takes_a_watt_and_its_readout_nearly_all_of_it() -> None:
    spec = RfnnSpec(circuit="unitary", readout="mag")
    standing = power.standing_pj(spec)
    assert standing["readout"] == pytest.approx(0.981, abs=5e-4)  # pJ a ps: W
    assert standing["source"] == pytest.approx(0.040)
    assert standing["shifters"] == pytest.approx((56 + 8) * 10e-6)  # with output phases
    total = sum(standing.values())
    assert total == pytest.approx(1.02, abs=5e-3)
    nj = total * spec.sample_ps / 1e3
    assert nj == pytest.approx(51, abs=0.2)
    assert nj / 64 == pytest.approx(0.8, abs=5e-3)


def test_both_quadratures_take_twice_the_readout() -> None:
    assert power.readout_mw(RfnnSpec()) == 2 * power.readout_mw(RfnnSpec(readout="mag"))


def test_a_layers_own_meshes_are_charged_while_it_runs() -> None:
    own, shared = counted(RfnnSpec(cores="instance"), 3, 8, 8), counted(RfnnSpec(), 3, 8, 8)
    jobs = jobs_of(RfnnSpec(cores="instance"), tile(3, 8, 8))
    occupied = int(ENGINE.time(RfnnSpec(cores="instance"), jobs).occupied[0])
    assert own["shifter_cycle"] == 112 * occupied
    assert shared["shifter_cycle"] == 0
    assert power.standing_pj(RfnnSpec(cores="instance"))["shifters"] == 0
    # 10 uW for 10 ns, whatever the clock is called
    assert power.shifter_cycle_pj(RfnnSpec()) == pytest.approx(0.1)
    clock = AssumedClock(mhz=50, assumed="a test")
    assert power.shifter_cycle_pj(RfnnSpec(clock_mhz=clock)) == pytest.approx(0.2)


# ------------------------------------------------------------------------------------------ control


def test_words_of_the_buffers_are_counted() -> None:
    """12 outputs and 20 inputs on 8 x 8: inputs are read twice, outputs written three times."""
    found = counted(RfnnSpec(), 5, 12, 20)
    assert found["buffer_read"] == 5 * (2 * 20 + 2 * 12 + 12)  # inputs, sums added to, results
    assert found["buffer_write"] == 5 * (3 * 12 + 20)
    spec = RfnnSpec()
    assert found["code_write"] == 6 * spec.devices
    assert found["code_read"] == 6 * spec.chain_devices


def test_memories_are_srams_and_the_rest_has_no_area() -> None:
    area = ENGINE.area_um2(RfnnSpec(), TECH)
    assert "calibration" not in area
    assert "calibration" in ENGINE.area_um2(RfnnSpec(calibrated=True), TECH)
    half = TECH.sram(8192 * 48 / 8 / 2, 48)
    assert area["buffers"] == pytest.approx(4 * half.area_um2)
    wide = ENGINE.area_um2(RfnnSpec(buffer_words=16_384), TECH)
    assert wide["buffers"] > area["buffers"]


def test_a_batch_costs_what_its_specs_do() -> None:
    specs = [
        RfnnSpec(), RfnnSpec(modes=16, readout="mag", calibrated=True),
        RfnnSpec(cores="instance", clock_mhz=250.0, profiles=8), TRAIN,
    ]  # fmt: skip
    batch = SpecBatch(specs)
    for face in (ENGINE.area_um2, ENGINE.energy_pj):
        together = face(batch, TECH)
        for row, spec in enumerate(specs):
            for name, value in face(spec, TECH).items():
                assert np.broadcast_to(together[name], len(specs))[row] == pytest.approx(value)
    assert np.shape(ENGINE.fmax_mhz(batch, TECH).mhz) == (4,)


def test_every_action_has_a_price_where_the_control_is_measured() -> None:
    free = set(counted(TRAIN, 1, 256, 784)) - set(ENGINE.energy_pj(TRAIN, TECH))
    assert free == (set() if measured(TECH) else set(ENERGY_TERMS))
