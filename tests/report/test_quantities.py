from __future__ import annotations

import math

import pytest

from archsim.report.quantities import number, percent, quantity, ratio, setting, short_names, times


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"), (1, "1.00"), (0.12345, "0.123"), (9.999, "10.0"), (12.34, "12.3"), (99.96, "100"),
        (1234.5, "1,234"), (-2.5, "-2.50"), (0.00012, "0.000120"), (1.23e-7, "1.23e-07"),
        (320_260_204_155_196_672, "3.20e+17"),
        (math.nan, "–"), (math.inf, "–"),
    ],
)  # fmt: skip
def test_three_significant_digits(value: float, text: str) -> None:
    assert number(value) == text


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("time_us", 1250.0, "1.25 ms"),
        ("time_us", 0.5, "500 ns"),
        ("time_us", 1e6, "1.00 s"), ("energy_pj", 3.2e9, "3.20 mJ"),
        ("area_mm2", 5.5, "5.50 mm²"), ("dram_bytes", 3 << 20, "3.00 MiB"),
        ("utilisation", 0.5, "50.0 %"),
        ("area.mxu_um2", 2e6, "2.00 mm²"), ("energy.mxu.idle_pj", 12.0, "12.0 pJ"),
        ("psnr", 31.5, "31.5"),
    ],
)  # fmt: skip
def test_values_get_the_unit_that_fits(name: str, value: float, text: str) -> None:
    assert quantity(name).text(value) == text


def test_one_unit_for_many_values_follows_the_typical_one() -> None:
    unit = quantity("time_us").unit_for([900.0, 2000.0, 4000.0, 0.0, math.nan])
    assert unit.symbol == "ms"
    assert unit.text(900.0) == "0.900 ms"


def test_factors_and_shares() -> None:
    assert (times(0.5), times(12.84), times(0.012)) == ("0.50×", "12.8×", "0.0120×")
    assert (ratio(3.0, 2.0), ratio(3.0, 0.0)) == ("1.50×", "–")
    assert (percent(0.1234), percent(0.0), percent(1.0)) == ("12.3 %", "0 %", "100 %")


def test_settings_are_written_as_people_write_them() -> None:
    assert setting("memories.buffer.capacity_bytes", 2 << 20) == "2 MiB"
    assert setting("memories.buffer.capacity_bytes", 1536) == "1.5 KiB"
    assert setting("engines.mxu.rows", 32.0) == "32"
    assert setting("engines.mxu.dataflow", "os") == "os"
    assert setting("engines.mxu.pipelined", True) == "True"
    policy = {"kind": "by-op", "rules": [{"engine": "vpu", "kind": "move"}]}
    text = "{kind: by-op, rules: [{engine: vpu, kind: move}]}"
    assert setting("policy", policy) == text
    assert setting("engines.vpu.lanes", math.nan) == "–"


def test_short_names_tell_paths_apart() -> None:
    assert short_names(["engines.mxu.rows", "engines.vpu.rows", "link.gb_per_s"]) == {
        "engines.mxu.rows": "mxu.rows",
        "engines.vpu.rows": "vpu.rows",
        "link.gb_per_s": "gb_per_s",
    }
