"""Accuracy of designs: known of one network, and of no other."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from archsim.engines.rfnn import lowering
from archsim.engines.rfnn.network import RANKS, WIDTHS, Variant, judged, shipped
from archsim.engines.rfnn.quality import ACCURACY, at_rank, quality, sigma_rad, training_of
from archsim.engines.rfnn.spec import RfnnSpec
from archsim.frontends import load
from archsim.trace_io import read_trace, write_trace

DIGITS = load("digits_64_64_10")


def accuracy(model: str = "digits_64_64_10", **fields: Any) -> float:
    return quality(RfnnSpec(**fields), load(model))[ACCURACY]


def test_the_workload_is_the_network() -> None:
    shapes = [(op.int_attr("k"), op.int_attr("n")) for op in DIGITS.ops]
    assert shapes == [(WIDTHS[0], WIDTHS[1]), (WIDTHS[1], WIDTHS[2])]
    assert DIGITS.macs() == 64 * 64 + 64 * 10
    assert all(lowering.accepts(RfnnSpec(), op) for op in DIGITS.ops)


def test_accuracy_of_the_default_design() -> None:
    nominal = shipped(Variant("nominal", "full", 0, "iq")).accuracy_percent(*judged())
    found = accuracy()
    assert nominal - 2 < found < nominal + 1
    assert accuracy() == found


def test_accuracy_falls_with_bits_and_errors() -> None:
    bits = [accuracy(phase_bits=b) for b in (2, 3, 4, 8)]
    assert bits == sorted(bits) and bits[0] < 50 and bits[-1] > 95
    degrees = [accuracy(phase_bits=8, static_phase_deg=d) for d in (12, 8, 4, 0)]
    assert degrees == sorted(degrees) and degrees[0] < 85
    worse = accuracy(phase_bits=8, static_phase_deg=8, modes=32, buffer_words=65536)
    assert worse < degrees[1]  # larger meshes add up more errors


@pytest.mark.parametrize("training", ["noise", "sam"])
def test_robust_training_wins_where_errors_are_large(training: str) -> None:
    robust = f"digits_64_64_10@training={training}"
    for fields in (
        {"phase_bits": 8, "static_phase_deg": 8}, {"phase_bits": 8, "static_phase_deg": 12},
        {"phase_bits": 3},
    ):  # fmt: skip
        assert accuracy(robust, **fields) > accuracy(**fields) + 2


def test_a_table_takes_fixed_errors_away() -> None:
    spec = RfnnSpec(static_phase_deg=3, dynamic_phase_deg=4)
    assert sigma_rad(spec) == pytest.approx(np.radians(5))
    assert sigma_rad(spec.model_copy(update={"calibrated": True})) == pytest.approx(np.radians(4))


@pytest.mark.parametrize(
    "fields",
    [
        {"form": "ttm", "rank": 8}, {"form": "ttm", "cores": "instance"},
        {"mesh": "reck", "drive": "differential"},
        {"readout": "mag", "modes": 64}, {"form": "ttm", "cores": "spatial", "modes": 64},
    ],
    ids=str,
)  # fmt: skip
def test_every_way_to_build_it_reads_digits(fields: dict[str, Any]) -> None:
    spec = RfnnSpec(phase_bits=10, static_phase_deg=0.1, dynamic_phase_deg=0, **fields)
    assert all(lowering.accepts(spec, op) for op in DIGITS.ops)
    assert quality(spec, DIGITS)[ACCURACY] > 90


# ---------------------------------------------------------------------------------------- ranks


def test_trains_have_the_highest_rank_that_ships_and_fits() -> None:
    for rank, trained in ((2, 2), (3, 2), (4, 4), (8, 8), (100, 8)):
        assert trained in RANKS
        found = at_rank(Variant("sam", "ttm", rank, "iq"))
        assert found is shipped(Variant("sam", "ttm", trained, "iq"))
    assert at_rank(Variant("nominal", "full", 0, "mag")).layers[0].form == "full"


def test_below_all_ranks_trains_are_cut() -> None:
    cut = at_rank(Variant("nominal", "ttm", 1, "iq"))
    assert {rank for layer in cut.layers for rank in layer.ranks} == {1}
    assert cut.weights[0].shape == (64, 64)


# ---------------------------------------------------------------------------------------- unknown


def test_nothing_is_said_of_other_workloads() -> None:
    spec = RfnnSpec()
    assert quality(spec, load("resnet50")) == {}
    assert quality(spec, replace(DIGITS, source="digits.onnx")) == {}
    assert quality(spec, replace(DIGITS, source="zoo digits_64_64_10")) == {}
    assert quality(spec, replace(DIGITS, source="zoo digits_64_64_10@training=best")) == {}
    assert quality(spec, replace(DIGITS, ops=DIGITS.ops[:1])) == {}


def test_nothing_is_said_of_devices_that_cannot_do_it() -> None:
    assert quality(RfnnSpec(circuit="unitary"), DIGITS) == {}
    assert quality(RfnnSpec(readout="mag"), DIGITS) == {}
    trains = RfnnSpec(readout="mag", form="ttm", cores="spatial", modes=64)
    assert quality(trains, DIGITS) == {}


def test_a_trace_in_a_file_is_known_too(tmp_path: Path) -> None:
    file = tmp_path / "digits.jsonl"
    write_trace(load("digits_64_64_10@training=sam,batch=4"), file)
    assert training_of(read_trace(file)) == "sam"
