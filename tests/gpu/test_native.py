"""What tensor instructions become, as measured, and measured again."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

import pytest

from archsim.gpu.assemble import ARCHITECTURES, assembled
from archsim.gpu.devices import devices
from archsim.gpu.native import INSTRUCTIONS, Native, measure, native, write

MEASURED = native()


def targets_with(name: str) -> set[str]:
    found = {t: MEASURED[name, t] for t in ARCHITECTURES}
    return {target for target, of in found.items() if of is not None and of.is_native}


def test_every_instruction_is_known_on_every_target() -> None:
    assert set(MEASURED) == {(i, t) for i in INSTRUCTIONS for t in ARCHITECTURES}


def test_formats_are_native_where_tensor_cores_have_them() -> None:
    every = set(ARCHITECTURES)
    before_hopper = {"sm_80", "sm_86", "sm_89"}
    with_fp8 = {"sm_89", "sm_120"}
    assert {name: targets_with(name) for name in INSTRUCTIONS} == {
        "fp16": every, "bf16": every, "tf32": every, "int8": every,
        "fp16_2:4": every, "int8_2:4": every,
        "e4m3": with_fp8, "e4m3_2:4": with_fp8,
        "e2m1": {"sm_120"}, "mxfp4": {"sm_120"}, "nvfp4": {"sm_120"},
        "int4": before_hopper, "int4_2:4": before_hopper,
        "b1_xor": before_hopper, "b1_and": {*before_hopper, "sm_90"},
    }  # fmt: skip


def test_what_is_not_is_spelled_out_or_refused() -> None:
    int4 = MEASURED["int4", "sm_90"]
    assert int4 is not None
    assert int4.tensor == {"IMMA.16832.S8.S8": 2}
    assert int4.others > 100
    assert MEASURED["b1_xor", "sm_90"] == Native({"BMMA.168256.AND.POPC": 2}, 14)
    binary = MEASURED["b1_and", "sm_100"]
    assert binary is not None
    assert binary.tensor == {"IMMA.16832.U8.U8": 8}
    assert MEASURED["e4m3", "sm_80"] is None
    assert MEASURED["mxfp4", "sm_100"] is None, "tcgen05 has it, mma has not"


def test_devices_are_credited_with_what_is_native() -> None:
    """With INT4 and one-bit products, that is: FP8 of Hopper and FP4 of Blackwell are not mma's."""
    for device in devices().values():
        target = f"sm_{device['capability']:.0f}"
        for figure, name in (("fma_int4", "int4"), ("fma_b1", "b1_and")):
            assert (device[figure] > 0) == (target in targets_with(name)), (device.name, figure)


def test_what_is_no_ptx_is_refused() -> None:
    assert assembled("nonsense", "sm_80") is None


@pytest.mark.slow
@pytest.mark.parametrize("target", ARCHITECTURES)
def test_the_assembler_does_so_still(target: str) -> None:
    assert measure(target) == {name: MEASURED[name, target] for name in INSTRUCTIONS}


def test_what_was_measured_is_written_as_it_is_read(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def known(target: str) -> dict[str, Native | None]:
        return {name: MEASURED[name, target] for name in INSTRUCTIONS}

    kept = resources.files("archsim.gpu") / "native.yaml"
    monkeypatch.setattr("archsim.gpu.native.measure", known)
    write(tmp_path / "native.yaml")
    assert (tmp_path / "native.yaml").read_text("utf-8") == kept.read_text("utf-8")
