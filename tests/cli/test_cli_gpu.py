"""archsim gpu: lists, verdicts of the interpreter, builds, and measurements on a stand-in."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from archsim.gpu import nvidia, without
from archsim.gpu.kernels import kernels
from archsim.gpu.record import read_all
from tests.cli.conftest import Archsim
from tests.gpu.test_measure import ABOUT, Fake

SMALL = ("--shape", "m=20,n=9", "--shape", "k=33")


def test_kernels_are_listed(archsim: Archsim) -> None:
    rows = {row["name"]: row for row in archsim("gpu", "list", "--json").json["rows"]}
    assert list(rows) == list(kernels())
    assert rows["gemm_e4m3"]["formats"] == {"a": "e4m3", "b": "e4m3", "c": "bf16"}
    assert rows["gemm_e4m3"]["refused"].keys() == {"sm_80", "sm_86"}
    assert rows["gemm_w4a16"]["steps"] == {"m": 1, "n": 1, "k": 128}
    lines = archsim("gpu", "list").out.splitlines()
    assert lines[0].split() == ["kernel", "computes", "shape"]
    assert len(lines) == 1 + len(kernels())


def test_the_interpreter_gives_a_verdict(archsim: Archsim) -> None:
    asked = ("gpu", "run", "gemm_fp16", "--interpret", *SMALL)
    verdict = archsim(*asked, "--seed", 5, "--values", "special").out
    assert verdict == (
        "gemm_fp16 (m 20, n 9, k 33; special operands, seed 5): "
        "results are what the oracle allows\n"
    )


def test_wrong_values_fail(archsim: Archsim, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        without, "interpret", lambda problems: [{"c": problems[0].operands["a"][:, :9]}]
    )
    outcome = archsim("gpu", "run", "gemm_fp16", "--interpret", *SMALL)
    assert outcome.status == 1
    first, second = outcome.out.splitlines()
    assert first.endswith("seed 0): differs from its oracle")
    assert second.startswith("  c: 180 of 180 differ, first c[0, 0] = ")
    in_json = archsim("gpu", "run", "gemm_fp16", "--interpret", *SMALL, "--json")
    assert (in_json.status, in_json.json) == (1, {
        "kernel": "gemm_fp16", "shape": {"m": 20, "n": 9, "k": 33}, "seed": 0, "values": "normal",
        "disagreements": [second.strip()],
    })  # fmt: skip


def test_an_interpreter_without_end_is_ended(
    archsim: Archsim, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(without, "MOST_SECONDS", 0.01)
    outcome = archsim("gpu", "run", "gemm_fp16", "--interpret", *SMALL)
    assert (outcome.status, outcome.err) == (
        1, "error: gemm_fp16: took more than 0.01 s to interpret; take a smaller --shape\n"
    )  # fmt: skip


def test_without_its_packages_it_names_the_extra(
    archsim: Archsim, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(without, "find_spec", lambda name: None if name == "triton" else name)
    monkeypatch.setattr(nvidia, "find_spec", lambda name: None if name == "pynvml" else name)
    message = "error: {} is not installed; run: pip install 'archsim[gpu]'\n"
    asked = ("gpu", "run", "gemm_fp16", *SMALL)
    assert archsim.refused(*asked, "--interpret") == message.format("triton")
    assert archsim.refused("gpu", "compile", "gemm_fp16", "--target", "sm_90") == (
        message.format("triton")
    )
    assert archsim.refused(*asked) == message.format("nvidia-ml-py")


def test_without_a_gpu_it_says_what_can_be_done(archsim: Archsim) -> None:
    assert archsim.refused("gpu", "run", "gemm_fp16") == (
        "error: GPU: this machine has none that torch can use; run it in Triton's interpreter "
        "with --interpret, or archsim gpu compile it\n"
    )


def test_builds_are_taken_apart_and_kept(archsim: Archsim, tmp_path: Path) -> None:
    outcome = archsim("gpu", "compile", "gemm_fp16", "--target", "sm_80", "-o", tmp_path / "out")
    assert outcome.status == 0
    assert outcome.out.splitlines()[-1] == "gemm_fp16 for sm_80: as expected: 64 mma.sync"
    assert "64 HMMA.16816.F32" in outcome.out
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert names == {"gemm.ptx", "gemm.sass", "gemm.cubin"}
    assert {Path(line).name for line in outcome.err.split()} == names
    assert (tmp_path / "out" / "gemm.cubin").read_bytes().startswith(b"\x7fELF")


@pytest.mark.parametrize(
    ("count", "spills", "text"),
    [
        (63, 0, "63 mma.sync, not 64 mma.sync"),
        (64, 3, "3 spills"),
        (0, 1, "none, not 64 mma.sync; 1 spill"),
    ],
)
def test_builds_that_are_not_as_expected_fail(
    archsim: Archsim, monkeypatch: pytest.MonkeyPatch, count: int, spills: int, text: str
) -> None:
    kernel = kernels()["gemm_fp16"]
    function = {
        "function": "gemm", "target": "sm_80", "tensor_ptx": {"mma.sync": count} if count else {},
        "tensor_sass": {}, "registers": 255, "spills": spills, "shared_bytes": 0, "sass": {},
    }  # fmt: skip
    expected = kernel.instructions("sm_80", kernel.tile("sm_80"))
    build = without.Build(kernel, "sm_80", kernel.tile("sm_80"), (function,), expected, {})
    monkeypatch.setattr(without, "compile_for", lambda wanted: [build])
    outcome = archsim("gpu", "compile", "gemm_fp16", "--target", "sm_80")
    assert outcome.status == 1
    assert outcome.out.splitlines()[-1] == f"gemm_fp16 for sm_80: NOT as expected: {text}"
    in_json = archsim("gpu", "compile", "gemm_fp16", "--target", "sm_80", "--json")
    assert (in_json.json["spills"], in_json.status) == (spills, 1)


def test_measurements_are_printed_and_recorded(
    archsim: Archsim, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    gpu = Fake(ABOUT.model_copy(update={"name": "GPU X"}))
    monkeypatch.setattr(nvidia, "open_gpu", lambda: gpu)
    asked = ("gpu", "run", "gemm_fp16", *SMALL, "--seed", 3, "--records", tmp_path / "r")
    printed = archsim(*asked)
    assert printed.status == 0
    lines = printed.out.splitlines()
    assert lines[:10] == [
        "figure        gemm_fp16",
        "GPU           GPU X (sm_90, 132 SMs)",
        "time          13 us, quartiles 12 and 14 us, 201 launches",
        "back to back  10 us",
        "rate          0.0009138 x 10^12 operations/s, 0.1749 GB/s",
        "clocks        SM 1755 MHz, memory 2619 MHz",
        "power         612.5 W of 700 W",
        "energy        6.125 mJ a launch, the whole board",
        "",
        "notes",
    ]
    assert re.fullmatch(
        r"  \S+ of the first results c are to the bit those of the tensor-core model", lines[11]
    )
    assert [lines[10], lines[12]] == [
        "  results are what the oracle allows",
        "  no shipped design is a GPU X, so nothing is modelled",
    ]
    assert lines[13].startswith("  recorded in ")
    (record,) = read_all(tmp_path / "r")
    assert (record.seed, record.gpu.name) == (3, "GPU X")
    in_json = archsim(*asked, "--json").json
    assert in_json["model"] == {
        "design": "", "time_us": None,
        "why": "no shipped design is a GPU X, so nothing is modelled",
    }  # fmt: skip
    assert {k: in_json[k] for k in ("kernel", "seed")} == {"kernel": "gemm_fp16", "seed": 3}


def test_wrong_measurements_fail(
    archsim: Archsim, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(nvidia, "open_gpu", lambda: Fake(off=0.5))
    outcome = archsim("gpu", "run", "gemm_fp16", *SMALL, "--records", tmp_path)
    assert outcome.status == 1
    assert "c: 180 of 180 differ" in outcome.out
    assert "measured / modelled" in outcome.out
    (path,) = tmp_path.iterdir()
    assert json.loads(path.read_text())["disagreements"], "it stays on record"
    occupied = archsim("gpu", "run", "gemm_fp16", *SMALL, "--records", path)
    assert (occupied.status, occupied.err) == (
        1, f"error: {path}: cannot be written: File exists\n"
    )  # fmt: skip
