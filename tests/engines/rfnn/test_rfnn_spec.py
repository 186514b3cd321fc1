"""What a person types to get an RF engine: what follows from it, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from archsim.engines import AssumedClock
from archsim.engines.rfnn import bench
from archsim.engines.rfnn.spec import RfnnSpec
from archsim.errors import InputError


@pytest.mark.parametrize(
    ("more", "devices", "analog", "bank"),
    [
        ({"circuit": "unitary"}, 8 * 7 + 8, 2, 222),
        ({}, 2 * 8 * 7 + 8 + 8, 3, 414),
        ({"mesh": "reck"}, 128, 4, 414),  # 13 cells deep, twice, and an attenuator
        ({"clock_mhz": 200.0}, 128, 6, 2 + 384 + 4 + 52),
    ],
)
def test_counts_and_cycles(more: dict[str, Any], devices: int, analog: int, bank: int) -> None:
    spec = RfnnSpec(**more)
    assert (devices, analog, bank) == (spec.devices, spec.analog_cycles, spec.bank_cycles)


def test_analog_times_are_whole_cycles_of_any_clock() -> None:
    slow = RfnnSpec(clock_mhz=1.0)
    assert (1, 1, 1, 1) == (
        slow.analog_cycles, slow.sample_cycles, slow.settle_cycles, slow.switch_cycles
    )  # fmt: skip
    fast = RfnnSpec(clock_mhz=AssumedClock(mhz=123.4, assumed="a paper's"))
    assert (7, 33, 32) == (fast.sample_cycles, fast.settle_cycles, fast.switch_cycles)


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        (
            {"result_bits": 8},
            "result_bits must be at least those of converters, 12, not 8",
        ),
        (
            {"modes": 2, "chains": 9},
            "chains must be at most the 8 phase shifters of a mesh of 2 modes, not 9",
        ),
        (
            {"modes": 6, "switches": True},
            "modes must be a power of two with switches, not 6",
        ),
        (
            {"readout": "mag", "form": "ttm"},
            "mag loses the phase between the stages of a tensor train: use readout: iq, cores: ",
        ),
        (
            {"switch_ps": 10**9},
            "must settle within 65,535 cycles of the control's clock, not 100,000: lower clock_mhz",
        ),
        ({"clock_mhz": "auto"}, "Input should be a valid number"),
        ({"modes": 1}, "Input should be greater than or equal to 2"),
    ],
)
def test_refusals(fields: dict[str, Any], text: str) -> None:
    with pytest.raises(ValidationError, match="validation error") as caught:
        RfnnSpec(**fields)
    assert text in str(caught.value)


def test_a_behavioural_mesh_has_its_limit() -> None:
    text = r"^spec.modes: must be at most 16 for a behavioural mesh, not 17$"
    with pytest.raises(InputError, match=text):
        bench(RfnnSpec(modes=17))
