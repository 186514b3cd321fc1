"""Technologies: memories and links against known figures, honesty of scaling, refused input."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from archsim import tech
from archsim.errors import InputError
from archsim.tech.sram import SramTable, power_law

TABLE = yaml.safe_load(
    (Path(tech.__file__).parent / "sram_cacti.yaml").read_text()
)  # rows in the file's own columns


def test_shipped_technologies_load_and_say_what_they_lack() -> None:
    assert tech.names() == ("asap7", "freepdk45")
    for name in tech.names():
        node = tech.load(name)
        assert node.name == name
        assert node.facts.licence in {"Apache-2.0", "BSD-3-Clause"}
        text = " ".join(node.assumptions)
        assert "not counted: logic wires, the clock tree" in text
        assert "CACTI" in text


def test_load_gives_the_same_object_twice() -> None:
    assert tech.load("freepdk45") is tech.load("freepdk45")


@pytest.mark.parametrize("row", TABLE["rows"][:: len(TABLE["rows"]) // 20])
def test_table_points_come_back_exactly(row: list[float]) -> None:
    node, capacity, width, read, write, area, leakage, cycle = row
    cost = SramTable.shipped(int(node)).cost(capacity, width)
    found = (cost.read_pj, cost.write_pj, cost.area_um2, cost.leakage_uw, cost.cycle_ps)
    assert found == pytest.approx((read, write, area, leakage, cycle), rel=1e-9)


def test_known_sram_of_64_kib() -> None:
    cost = tech.load("freepdk45").sram(64 << 10, 64)
    assert cost.read_pj == pytest.approx(25.9, abs=0.05)
    assert cost.area_um2 == pytest.approx(0.209e6, rel=0.01)
    assert "45 nm" in cost.source


@given(st.integers(10, 22), st.sampled_from([32, 64, 128, 256, 512]))
def test_between_points_is_between_neighbours(log_capacity: int, width: int) -> None:
    sram = tech.load("freepdk45").sram
    low, mid, high = (sram(2.0 ** (log_capacity + d), width).area_um2 for d in (0, 0.5, 1))
    assert min(low, high) * (1 - 1e-9) <= mid <= max(low, high) * (1 + 1e-9)


def test_beyond_the_table_srams_are_put_together() -> None:
    sram = tech.load("freepdk45").sram
    big, largest = sram(16 << 20, 256), sram(4 << 20, 256)
    assert big.area_um2 == pytest.approx(4 * largest.area_um2)
    assert big.leakage_uw == pytest.approx(4 * largest.leakage_uw)
    assert big.read_pj == pytest.approx(largest.read_pj)  # one bank switches
    wide, half = sram(1 << 20, 1024), sram(1 << 19, 512)
    assert wide.read_pj == pytest.approx(2 * half.read_pj)  # both switch
    assert wide.area_um2 == pytest.approx(2 * half.area_um2)


def test_tiny_and_narrow_srams_cost_as_the_smallest() -> None:
    sram = tech.load("freepdk45").sram
    assert sram(16, 8) == sram(1024, 32)


def test_arrays_are_rows_of_scalars() -> None:
    sram = tech.load("freepdk45").sram
    capacities = np.array([1 << 12, 3 << 14, 1 << 23])
    batch = sram(capacities, 128)
    singles = [sram(int(c), 128) for c in capacities]
    assert batch.read_pj.tolist() == [s.read_pj for s in singles]
    assert batch.area_um2.tolist() == [s.area_um2 for s in singles]


def test_scaled_nodes_say_so() -> None:
    source = tech.load("asap7").sram(1 << 16, 64).source
    assert "from 22 nm" in source
    assert "an extrapolation, not a measurement" in source
    assert "scaled" not in tech.load("freepdk45").sram(1 << 16, 64).source


def test_asap7_scaling_is_its_stated_rule() -> None:
    base = SramTable.shipped(22).cost(1 << 16, 64)
    cost = tech.load("asap7").sram(1 << 16, 64)
    assert cost.read_pj / base.read_pj == pytest.approx((7 / 22) ** 0.5, rel=1e-3)
    assert cost.area_um2 / base.area_um2 == pytest.approx(7 / 22, rel=1e-3)
    assert cost.leakage_uw / base.leakage_uw == pytest.approx(0.79 * (7 / 22) ** 0.5, rel=1e-3)


def test_link_energy_is_wire_energy_times_length() -> None:
    node = tech.load("freepdk45")
    one, ten = node.link(1.0), node.link(10.0)
    assert ten.pj_per_byte == pytest.approx(10 * one.pj_per_byte)
    assert one.pj_per_byte == pytest.approx(4 * 0.3757)  # half of 8 bits toggle
    assert "half of the bits toggling" in one.source


def test_dram_is_cited_as_second_hand() -> None:
    node = tech.load("freepdk45")
    assert node.dram().pj_per_bit == 8.0
    assert node.dram("hbm2").pj_per_bit == 6.25
    assert "second-hand" in node.dram().source
    with pytest.raises(InputError, match=r"^tech freepdk45: dram: must be one of .*, not 'ddr9'$"):
        node.dram("ddr9")


def test_lanes_grow_with_their_width() -> None:
    for name in tech.names():
        lanes = [tech.load(name).lane(bits) for bits in (8, 16, 24, 32, 64)]
        for quantity in ("area_um2", "op_pj", "clock_pj", "leakage_uw"):
            values = [getattr(lane, quantity) for lane in lanes]
            assert values == sorted(values)
        assert lanes[0].fmax_mhz > lanes[-1].fmax_mhz
        assert "no wire load" in lanes[0].source


def test_power_law_goes_through_its_points() -> None:
    assert power_law([8, 16], [3.0, 12.0], [8, 16, 32]).tolist() == pytest.approx([3, 12, 48])


# ---------------------------------------------------------------------------------------- errors


def test_unknown_technology_is_refused_with_the_near_one() -> None:
    with pytest.raises(
        InputError, match=r"asap7, freepdk45 \(did you mean 'asap7'\?\), not 'asap5'$"
    ):
        tech.load("asap5")


def test_folder_of_ones_own_loads(tmp_path: Path) -> None:
    source = Path(tech.__file__).parent / "freepdk45" / "tech.yaml"
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "tech.yaml").write_text(source.read_text())
    node = tech.load(str(folder))
    assert node.voltage == 1.1
    with pytest.raises(InputError, match=r"has no synthesis table of engine 'systolic'; measure"):
        node.table("systolic")
    with pytest.raises(InputError, match=r"^tech mine: has no measured vector lanes; measure them"):
        node.lane(8)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("node_nm: 45", "node_nm: tiny", r"tech.yaml: node_nm: .*, not 'tiny'"),
        ("voltage: 1.1", "volts: 1.1", r"tech.yaml: voltage: Field required"),
        ("name: freepdk45", "name: [", r"must be YAML"),
    ],
)
def test_broken_technology_is_refused(tmp_path: Path, old: str, new: str, message: str) -> None:
    text = (Path(tech.__file__).parent / "freepdk45" / "tech.yaml").read_text()
    assert old in text
    (tmp_path / "tech.yaml").write_text(text.replace(old, new))
    with pytest.raises(InputError, match=message):
        tech.load(str(tmp_path))


def test_impossible_sram_is_refused() -> None:
    with pytest.raises(InputError, match=r"^sram: capacity and width must be positive"):
        tech.load("freepdk45").sram(0, 32)
