"""What ``rtl build --top axi`` writes: a system that is sound, and a bench that bites."""

from __future__ import annotations

import filecmp
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from archsim.design import Design, design_from
from archsim.engines import discover
from archsim.errors import InfeasibleError, InputError
from archsim.hdl.build import Built, build
from archsim.hdl.synth import check_rtl
from archsim.verify import verilator
from archsim.verify.system_example import example

ARRAY = {"kind": "systolic", "rows": 4, "cols": 4, "clock_mhz": 250}


def design(array: dict[str, Any] | None = None, **more: Any) -> Design:
    dram = {"channels": 1, "channel_gb_per_s": 1, "burst_bytes": 4}
    memories = {"buffer": {"capacity_bytes": 32768}, "dram": dram}
    tree = {"name": "small", "memories": memories, "link": {"gb_per_s": 1}, **more}
    return design_from({"engines": {"mxu": ARRAY | (array or {})}, **tree})


def written(chosen: Design, folder: Path) -> Built:
    return build(chosen, discover(), folder, top="axi", layers=example(chosen))


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Built:
    return written(design(), tmp_path_factory.mktemp("axi"))


def test_writes_what_it_says(built: Built) -> None:
    assert built.files == (
        "small_mxu.v", "small_mxu_axi.v", "manifest.json", "small_mxu_axi.core", "README.md",
        "jobs.json", "layers.json", "Makefile", "bench/run.py", "bench/bus.py", "bench/jobs.py",
        "bench/memory.py", "bench/test_engine.py", "bench/test_axi.py",
    )  # fmt: skip
    found = {str(p.relative_to(built.folder)) for p in built.folder.rglob("*") if p.is_file()}
    assert found == set(built.files)


def test_equal_designs_give_equal_files(built: Built, tmp_path: Path) -> None:
    again = written(design(), tmp_path)
    _, different, missing = filecmp.cmpfiles(built.folder, tmp_path, again.files, shallow=False)
    assert (different, missing) == ([], [])


def test_the_verilog_is_sound_and_lint_clean(built: Built) -> None:
    text = "\n".join((built.folder / name).read_text() for name in built.manifest["files"])
    check_rtl(text, "small_mxu_axi")
    assert verilator.lint(text, "small_mxu_axi") == ""
    assert not re.search(r"[/\\]\w+\.py\b", text)


def test_the_manifest_says_what_is_generated_and_what_is_modelled(built: Built) -> None:
    manifest = built.manifest
    assert manifest["modelled_only"] == {
        "memories.dram": "simulated: the memory behind the AXI4 port is yours",
        "link": "simulated: the AXI4 port is its only limit",
    }
    system = manifest["system"]
    assert (system["rows"], system["cols"], system["word_bits"]) == (4, 4, 32)
    assert sum(x["bytes"] for n, x in system["memories"].items() if n != "biases") == 32768
    for table in system["tables"].values():
        assert table["words"] == -(-sum(table["fields"].values()) // 32)
    ports = {p["name"]: (p["direction"], p["bits"]) for p in manifest["ports"]["small_mxu_axi"]}
    assert ports["aclk"] == ports["aresetn"] == ports["m_axi_awready"] == ("input", 1)
    assert ports["m_axi_araddr"] == ("output", 32)
    assert ports["m_axi_wdata"] == ("output", 32)


def test_the_readme_has_registers_tables_and_departures(built: Built) -> None:
    text = (built.folder / "README.md").read_text()
    for register in built.manifest["registers"]:
        assert f"| 0x{register['offset']:02X} | {register['name']} |" in text
    for name in built.manifest["system"]["tables"]:
        assert f"| `{name}` |" in text
    for line in built.manifest["system"]["departures"]:
        assert f"- {line}\n" in text


@pytest.mark.slow
def test_a_port_slower_than_the_design_s_memory_is_said_so(tmp_path: Path) -> None:
    fast = design(link={"gb_per_s": 4}, memories={"buffer": {"capacity_bytes": 32768}})
    assert example(fast)["words_a_cycle"] == {"port": 1.0, "design": 4.0}
    lines = written(fast, tmp_path).manifest["system"]["departures"]
    assert (
        "the memory port moves a word of 4 bytes a cycle, the design's link and DRAM 4 words: for "
        "the model to say the same, lower link.gb_per_s" in lines
    )


# ---------------------------------------------------------------------------------------- the bench


def verdicts(folder: Path) -> tuple[int, list[str]]:
    command = [sys.executable, "bench/run.py", "--simulator", "archsim"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    return done.returncode, [line.split()[-1] for line in done.stdout.splitlines()]


def test_the_bench_passes_as_delivered(built: Built) -> None:
    assert verdicts(built.folder) == (0, ["passed", "passed"])


@pytest.mark.slow
@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        (r"(assign m_axi_awaddr = [^;]*);", r"\1 + 4;"),
        (r"assign m_axi_awlen = ([^;]*);", r"assign m_axi_awlen = 8'h00;"),
        (r"assign m_axi_wstrb = 4'hf;", r"assign m_axi_wstrb = 4'h7;"),
    ],
)
def test_the_bench_catches_a_broken_port(tmp_path: Path, right: str, wrong: str) -> None:
    written(design(), tmp_path)
    path = tmp_path / "small_mxu_axi.v"
    text, count = re.subn(right, wrong, path.read_text())
    assert count
    path.write_text(text)
    assert verdicts(tmp_path) == (1, ["passed", "FAILED"])


# ---------------------------------------------------------------------------------------- refusals


@pytest.mark.parametrize(
    ("array", "reason"),
    [
        ({"rows": 3}, "rows must be a power of two from 2 to 128, not 3"),
        ({"cols": 1}, "cols must be a power of two from 2 to 128, not 1"),
        ({"a_bits": 4}, "a_bits must be 8, not 4"),
        ({"acc_bits": 24}, "acc_bits must be 16 or 32, not 24"),
        ({"numbers": "bf16"}, "numbers must be int, not bf16"),
        ({"dataflow": "ws"}, "dataflow must be os, not ws"),
    ],
)
def test_refuses_arrays_that_it_cannot_feed(array: dict[str, Any], reason: str) -> None:
    with pytest.raises(InputError) as caught:
        example(design(array))
    text = "design 'small': must have an engine that a system can feed; mxu: "
    assert str(caught.value) == text + reason


def test_refuses_designs_without_an_array() -> None:
    with pytest.raises(InputError) as caught:
        example(design_from({"name": "v", "engines": {"vpu": {"kind": "vector"}}}))
    assert str(caught.value) == (
        "design 'v': must have an engine that a system can feed; vpu: a system feeds "
        "output-stationary systolic arrays, not kind vector"
    )
    with pytest.raises(InputError) as caught:
        example(design(), "vpu")
    assert str(caught.value) == "--engine: must be one of mxu, not 'vpu'"


def test_refuses_buffers_that_it_cannot_match() -> None:
    narrow = {"buffer": {"capacity_bytes": 32768, "banks": 1, "bank_width_bytes": 8}}
    with pytest.raises(InputError) as caught:
        example(design(memories=narrow))
    assert str(caught.value) == (
        "memories.buffer: must move 16 bytes a cycle (banks x bank_width_bytes): the system's "
        "scratchpad has a bank a lane, and never makes the array wait, not 8"
    )
    with pytest.raises(InfeasibleError):
        example(design(memories={"buffer": {"capacity_bytes": 512}}))
