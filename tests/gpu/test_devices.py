"""What is known of GPUs: every figure has a source, and they agree with one another."""

from __future__ import annotations

import pytest

from archsim.errors import InputError
from archsim.gpu.devices import device, devices
from archsim.gpu.issue import SMEM_BYTES_PER_CYCLE, instructions, wgmma_cycles
from archsim.gpu.native import native
from archsim.tech.process import processes

# dense peaks of data sheets, 10^12 a second, as lists of them have it
PEAKS = {
    "a100": {"tf32": 156, "fp16": 312, "int8": 624, "int4": 1248},
    "h100": {"tf32": 494.5, "fp16": 989, "fp8": 1979, "int8": 1979},
    "h200": {"tf32": 494.5, "fp16": 989, "fp8": 1979, "int8": 1979},
    "b200": {"tf32": 1125, "fp16": 2250, "fp8": 4500, "int8": 4500, "fp4": 9000},
    "rtx3090": {"tf32": 35.6, "fp16": 71, "int8": 284, "int4": 568},
    "rtx4090": {"tf32": 82.6, "fp16": 165.2, "fp8": 330.3, "int8": 660.6, "int4": 1321},
}


def test_all_devices_have_all_figures_with_their_trust() -> None:
    names = {tuple(known) for known in devices().values()}
    assert len(names) == 1
    for known in devices().values():
        assert known.process in processes()
        assert all(figure.what and figure.trust for figure in known.figures.values())


@pytest.mark.parametrize("name", PEAKS)
def test_peaks_follow_from_clock_and_units(name: str) -> None:
    for fmt, peak in PEAKS[name].items():
        assert device(name).peak_tflops(fmt) == pytest.approx(peak, rel=0.005), fmt


def test_formats_are_native_where_ptxas_says_so() -> None:
    """One instruction of tensor cores, of the format itself, or none at all."""
    for known in devices().values():
        target = f"sm_{known['capability']:g}"
        for figure, instruction, opcode in (("fma_int4", "int4", "S4"), ("fma_int8", "int8", "S8")):
            found = native()[instruction, target]
            own = found is not None and any(opcode in name for name in found.tensor)
            assert own == (known[figure] > 0), (known.name, figure)


def test_an_unknown_device_is_refused() -> None:
    with pytest.raises(InputError) as refused:
        device("v100")
    assert str(refused.value) == (
        "device: must be one of a100, h100, h200, b200, rtx3090, rtx4090, a10, not 'v100'"
    )


def test_intervals_follow_from_the_peak_where_they_are_not_fitted() -> None:
    a100 = device("a100")
    for kind, rows in instructions().items():
        for name, row in rows.items():
            rate = a100[f"fma_{name.split('.')[0]}"] * (2 if kind == "mma.sp" else 1)
            by_peak = row.fma / (rate / 4)
            if "interval" in row.fitted:
                assert row.interval > by_peak, name
            else:
                assert row.interval == by_peak, name


def test_more_in_flight_is_never_slower_and_never_beats_the_peak() -> None:
    for rows in instructions().values():
        for row in rows.values():
            rates = [row.fma_per_cycle(4, ilp) for ilp in (1, 2, 3, 4, 8)]
            assert rates == sorted(rates)
            assert rates[-1] <= 4 * row.fma / row.interval


def test_wgmma_is_bound_by_shared_memory_until_it_is_wide() -> None:
    assert [wgmma_cycles(n, 2048, "smem") for n in (8, 16, 32, 64, 128, 256)] == [
        18, 20, 24, 32, 64, 128,
    ]  # fmt: skip
    assert [wgmma_cycles(n, 2048, "registers") for n in (8, 16, 32, 64)] == [13, 13, 16, 32]
    assert device("h100")["smem_bytes_per_cycle"] == SMEM_BYTES_PER_CYCLE
