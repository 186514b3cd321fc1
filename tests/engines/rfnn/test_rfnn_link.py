"""Levels, readout and switch matrices: what of a wave arrives, and what is read of it."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from archsim.engines.rfnn import counts, link, switches
from archsim.engines.rfnn.link import Detector
from archsim.engines.rfnn.readout import Converter, quadratures, read_iq, read_magnitude
from archsim.engines.rfnn.routes import routed, stride_words, strided, switch_count, switched

# ---------------------------------------------------------------------------------------- link


def test_loss_of_cells_and_meshes() -> None:
    assert link.cell_loss_db(0.3, 1.0) == pytest.approx(2.6)
    assert link.cell_loss_db(0.3, 7.0) == pytest.approx(14.6)
    for shifter, modes, wanted in ((7.0, 4, 58.4), (1.0, 8, 20.8), (1.0, 16, 41.6)):
        cell = link.cell_loss_db(0.3, shifter)
        assert counts.depth(modes) * cell == pytest.approx(wanted)
    both = link.layer_loss_db(8, 16, 2.6, 1.83)
    assert both == pytest.approx(24 * 2.6 + 1.83)
    assert link.layer_loss_db(8, 8, 1.0, mesh="reck") == 26


def test_noise_of_100_mhz() -> None:
    assert link.noise_floor_dbm(100e6) == pytest.approx(-94, abs=0.1)
    assert link.noise_floor_dbm(100e6, 6.0) == pytest.approx(-88, abs=0.1)


def test_the_detector_ends_the_range_before_noise_does() -> None:
    detector, noise = Detector(), link.noise_floor_dbm(100e6)
    assert detector.least_dbm == -45
    assert link.dynamic_range_db(0, 20.8, detector, noise) == pytest.approx(24.2)
    assert link.dynamic_range_db(0, 58.4, detector, noise) < 0
    quiet = Detector(range_db=200.0)
    assert link.dynamic_range_db(0, 20.8, quiet, noise) == pytest.approx(-20.8 - noise)
    assert link.deepest_mesh(0, 2.6, detector) == 17
    assert link.deepest_mesh(0, 2.6, detector, wanted_db=20) == 9
    assert link.deepest_mesh(0, 14.6, detector, wanted_db=45) == 0


# ---------------------------------------------------------------------------------------- readout


@given(st.lists(st.floats(-2, 2), min_size=1), st.integers(2, 16))
def test_a_converter_is_off_by_half_a_step_or_saturates(values: list[float], bits: int) -> None:
    converter = Converter(bits)
    read, codes = converter.read(values), converter.codes(values)
    top = 1 - converter.step
    inside = (np.array(values) <= top) & (np.array(values) >= -1)
    assert np.all(np.abs(read - values)[inside] <= converter.step / 2 + 1e-12)
    assert codes.min() >= -(2 ** (bits - 1))
    assert codes.max() < 2 ** (bits - 1)
    assert np.all(read[np.array(values) > top] == top)


def test_quadratures_keep_the_wave() -> None:
    z = np.array([[0.3 - 0.4j, 0.5j]])
    assert np.array_equal(quadratures(z), [[[0.3, -0.4], [0.0, 0.5]]])
    assert np.abs(read_iq(z, Converter(12)) - z).max() < 2**-12
    assert np.abs(read_iq(z, Converter(4)) - z).max() > 2**-6


@given(st.floats(1e-2, 0.99), st.floats(-3, 3))
def test_a_log_detector_is_off_by_a_share(magnitude: float, phase: float) -> None:
    """45 dB in 2,048 codes: half a code is 0.011 dB, 0.13 % of an amplitude."""
    z = np.array([magnitude * np.exp(1j * phase)])
    read = read_magnitude(z, Converter(12), Detector())
    assert read == pytest.approx(magnitude, rel=1.4e-3)


def test_levels_beyond_a_detectors_range_read_as_its_ends() -> None:
    read = read_magnitude(np.array([0.0, 1e-4, 3.0]), Converter(12), Detector())
    assert read == pytest.approx([10 ** (-45 / 20)] * 2 + [1.0], rel=3e-3)
    louder = read_magnitude(np.array([1e-3]), Converter(12), Detector(), input_dbm=20.0)
    assert louder == pytest.approx(1e-3, rel=2e-3)


def test_a_db_of_error_is_12_percent_of_an_amplitude() -> None:
    rng = np.random.default_rng(0)
    z = np.full((2, 2000), 0.3)
    ratio = read_magnitude(z, Converter(14), Detector(), rng=rng) / 0.3
    assert np.array_equal(ratio[0], ratio[1]), "an error belongs to a port"
    assert ratio.max() == pytest.approx(10 ** (1 / 20), rel=2e-3)
    assert ratio.min() == pytest.approx(10 ** (-1 / 20), rel=2e-3)
    assert ratio.max() - 1 == pytest.approx(0.12, abs=0.005)


# ---------------------------------------------------------------------------------------- switches


def test_switches_for_3136_wires() -> None:
    assert switches.benes_switches(3_136) == switches.benes_switches(4_096) == 47_104
    assert switches.benes_depth(3_136) == 23
    assert switches.throws(3_136, 1) == 0
    assert switches.throws(3_136, 4) == 6_272
    assert switches.throws_as_pairs(3_136, 4) == 18_816
    assert switches.crossbar_switches(3_136) == 9_834_496
    assert switches.crossbar_as_pairs(8) == 112
    with pytest.raises(ValueError, match="a switch matrix has wires, not 0"):
        switches.benes_switches(0)


def test_loss_and_leakage() -> None:
    assert switches.path_loss_db(2, 0.8) == pytest.approx(1.6)
    assert switches.leakage(2, 45.0) == pytest.approx(10 ** (-45 / 20))
    assert switches.leakage(65, 45.0) == pytest.approx(8 * 10 ** (-45 / 20))
    rng = np.random.default_rng(0)  # the same by drawing phases
    leaks = 10 ** (-45 / 20) * np.exp(1j * rng.uniform(0, 2 * np.pi, (4000, 64)))
    assert np.sqrt(np.mean(np.abs(leaks.sum(axis=1)) ** 2)) == pytest.approx(
        switches.leakage(65, 45.0), rel=0.05
    )


@pytest.mark.parametrize("wires", [2, 4])
def test_a_benes_network_does_every_order_of_few_wires(wires: int) -> None:
    for order in permutations(range(wires)):
        bits = routed(order)
        assert len(bits) == switch_count(wires) == switches.benes_switches(wires)
        assert switched(bits, range(wires)) == list(order)


@pytest.mark.slow
def test_a_benes_network_does_every_order_of_eight_wires() -> None:
    for order in permutations(range(8)):
        assert switched(routed(order), range(8)) == list(order)


@given(st.permutations(range(64)))
def test_a_benes_network_does_any_order(order: list[int]) -> None:
    assert switched(routed(order), range(64)) == order


@pytest.mark.parametrize("log", range(1, 9))
def test_words_of_all_strides(log: int) -> None:
    """Input i comes out at (i mod R) Q + i div R, for every stride R of W = Q R wires."""
    wires = 1 << log
    words = stride_words(wires)
    assert len(words) == log + 1
    for number, word in enumerate(words):
        stride = 1 << number
        bits = [word >> i & 1 for i in range(switch_count(wires))]
        out = switched(bits, range(wires))
        assert out == strided(wires, stride)
        for i in range(wires):
            assert out[i % stride * (wires // stride) + i // stride] == i
