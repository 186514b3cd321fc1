"""What ``rtl build`` writes: sound, lint-clean, the same every time, and a bench that bites."""

from __future__ import annotations

import dataclasses
import filecmp
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from archsim.design import Design, design_from
from archsim.engines import Engine, NoRtl, discover
from archsim.errors import ArchsimError, InputError
from archsim.hdl import stream_top
from archsim.hdl.build import Built, build
from archsim.hdl.synth import check_rtl
from archsim.verify import verilator

ENGINES = {
    "3x2": {"kind": "systolic", "rows": 3, "cols": 2, "a_bits": 5, "b_bits": 4, "acc_bits": 11},
    "4x4": {"kind": "systolic", "rows": 4, "cols": 4},
    "ws": {
        "kind": "systolic", "rows": 3, "cols": 2, "a_bits": 5, "b_bits": 4, "acc_bits": 11,
        "dataflow": "ws", "acc_rows": 5,
    },
    "is": {
        "kind": "systolic", "rows": 2, "cols": 3, "a_bits": 5, "b_bits": 4, "acc_bits": 11,
        "dataflow": "is", "acc_rows": 4,
    },
    "bf16": {"kind": "systolic", "rows": 2, "cols": 3, "numbers": "bf16"},
    "bf16_ws": {
        "kind": "systolic", "rows": 2, "cols": 2, "numbers": "bf16",
        "dataflow": "ws", "acc_rows": 4,
    },
    "matrix2d": {"kind": "matrix2d", "rows": 3, "cols": 4, "adder": "ripple"},
    "opt1": {"kind": "matrix2d", "rows": 4, "cols": 2, "acc_bits": 20, "pe": "opt1"},
    "opt2": {"kind": "matrix2d", "rows": 3, "cols": 2, "a_bits": 4, "b_bits": 5, "pe": "opt2"},
    "cube": {"kind": "cube", "rows": 2, "cols": 3, "depth": 2, "acc_bits": 20},
    "tree": {"kind": "adder_tree", "depth": 3, "cols": 2, "acc_rows": 4, "acc_bits": 20},
    "1x1": {"kind": "systolic", "rows": 1, "cols": 1, "a_bits": 2, "b_bits": 2, "acc_bits": 4},
}  # fmt: skip


def design(*engines: str, **more: Any) -> Design:
    return design_from({"name": "small", "engines": {e: ENGINES[e] for e in engines} | more})


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Built:
    return build(design("3x2"), discover(), tmp_path_factory.mktemp("rtl"), top="stream")


def sources(built: Built) -> str:
    return "\n".join((built.folder / name).read_text() for name in built.manifest["files"])


def test_writes_what_it_says(built: Built) -> None:
    assert built.files == (
        "small_3x2.v", "small_3x2_stream.v", "manifest.json", "small_3x2_stream.core", "README.md",
        "jobs.json", "Makefile", "bench/run.py", "bench/bus.py", "bench/jobs.py",
        "bench/test_engine.py", "bench/test_stream.py",
    )  # fmt: skip
    found = {str(p.relative_to(built.folder)) for p in built.folder.rglob("*") if p.is_file()}
    assert found == set(built.files)


def test_equal_designs_give_equal_files(built: Built, tmp_path: Path) -> None:
    again = build(design("3x2"), discover(), tmp_path, top="stream")
    _, different, missing = filecmp.cmpfiles(built.folder, tmp_path, again.files, shallow=False)
    assert (different, missing) == ([], [])


@pytest.mark.parametrize("engine", ENGINES)
def test_the_verilog_is_sound_and_lint_clean(engine: str, tmp_path: Path) -> None:
    made = build(design(engine), discover(), tmp_path, top="stream")
    for bench in made.manifest["benches"].values():
        text = "\n".join((tmp_path / name).read_text() for name in bench["sources"])
        check_rtl(text, bench["module"])
        assert verilator.lint(text, bench["module"]) == ""


def test_the_verilog_says_nothing_of_where_it_was_made(built: Built) -> None:
    text = sources(built)
    assert "(* src" not in text
    assert not re.search(r"[/\\]\w+\.py\b", text)
    assert str(built.folder) not in text


def test_the_manifest_says_what_is_generated_and_what_is_modelled(tmp_path: Path) -> None:
    made = build(design("3x2", vpu={"kind": "vector"}), discover(), tmp_path)
    manifest = json.loads((tmp_path / "manifest.json").read_text())
    assert manifest == json.loads(json.dumps(made.manifest))
    assert manifest["engine"] == "3x2"
    assert manifest["spec"]["acc_bits"] == 11
    assert manifest["beside"] == {"vpu": "small_vpu"}
    assert manifest["modelled_only"] == {
        "memories.buffer": "simulated: operands come through the streams",
        "memories.dram": "simulated: not part of the engine",
        "link": "simulated: not part of the engine",
    }
    assert manifest["streams"]["a"] == {"direction": "in", "lanes": 3, "bits": 5, "signed": True}
    assert manifest["registers"] == []
    alone = build(design("3x2", "4x4"), discover(), tmp_path, engine="3x2").manifest
    assert alone["modelled_only"]["engines.4x4"] == "not asked for: build it with --engine 4x4"
    assert "beside" not in alone


def test_every_engine_with_rtl_is_written(tmp_path: Path) -> None:
    made = build(design("3x2", vpu={"kind": "vector", "lanes": 2}), discover(), tmp_path)
    assert {"small_3x2.v", "small_vpu/small_vpu.v", "small_vpu/bench/test_vector.py"} <= set(
        made.files
    )
    assert all((tmp_path / name).is_file() for name in made.files)
    assert "`small_vpu/`: engine `vpu`" in (tmp_path / "README.md").read_text()
    vpu = json.loads((tmp_path / "small_vpu" / "manifest.json").read_text())
    parameters = {"direction": "in", "lanes": 2, "bits": 70, "signed": False}
    assert vpu["streams"]["parameters"] == parameters
    text = (tmp_path / "small_vpu" / "small_vpu.v").read_text()
    check_rtl(text, "small_vpu")
    assert verilator.lint(text, "small_vpu") == ""
    done = run_bench(tmp_path / "small_vpu")
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_bench_of_a_vector_unit_catches_a_wrong_rounding(tmp_path: Path) -> None:
    unit = {"kind": "vector", "lanes": 2, "lane_bits": 8, "scale_bits": 8}
    made = build(design(vpu=unit), discover(), tmp_path)
    manifest = tmp_path / "manifest.json"
    manifest.write_text(manifest.read_text().replace("half_even", "half_up"))
    done = run_bench(made.folder)
    assert done.returncode == 1
    assert "repeat with SEED=1" in done.stdout + done.stderr


def test_an_engine_with_a_port_to_memory_has_a_bench_with_one(tmp_path: Path) -> None:
    table = {"kind": "hash_spgemm", "lanes": 2, "banks": 2, "slots": 32, "comparators": 2}
    made = build(design(table=table), discover(), tmp_path)
    text = sources(made)
    check_rtl(text, "small_table")
    assert verilator.lint(text, "small_table") == ""
    assert made.manifest["memories"] == {"mem": {"address_bits": 32, "bits": 64}}
    readme = (tmp_path / "README.md").read_text()
    assert "| `mem_req` | out | write (1 bit), address (32 bits), data (64 bits)" in readme
    assert "To `c_at` the engine writes how many entries of C there are" in readme
    done = run_bench(tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    jobs = json.loads((tmp_path / "jobs.json").read_text())
    entries = next(job["results"]["mem"][1][1] for job in jobs if job["results"]["mem"][1][1])
    entries[0] = f"{int(entries[0], 16) ^ 1 << 40:x}"
    (tmp_path / "jobs.json").write_text(json.dumps(jobs))
    failed = run_bench(tmp_path)
    assert failed.returncode == 1
    assert "repeat with SEED=1" in failed.stdout + failed.stderr


@pytest.mark.parametrize(
    "more",
    [
        {},
        {"circuit": "unitary", "readout": "mag", "calibrated": True, "samples_log2": 2},
        {"cores": "instance", "switches": True, "profiles": 3},
    ],
)
def test_an_engine_with_pins_of_its_own_has_verilog_and_no_bench(
    more: dict[str, Any], tmp_path: Path
) -> None:
    board = {"kind": "rfnn", "modes": 2, "chains": 2, "buffer_words": 16, **more}
    made = build(design(rf=board), discover(), tmp_path)
    assert ["small_rf.v", "manifest.json", "small_rf.core", "README.md"] == list(made.files)
    assert {} == made.manifest["benches"]
    text = (tmp_path / "small_rf.v").read_text()
    check_rtl(text, "small_rf")
    assert verilator.lint(text, "small_rf") == ""
    readme = (tmp_path / "README.md").read_text()
    pins = {port["name"] for port in made.manifest["ports"]["small_rf"]}
    assert {"pins__si", "pins__sclk", "pins__le", "pins__dac", "pins__adc"} < pins
    assert all(f"`{pin}`" in readme for pin in pins if pin.startswith("pins__"))
    assert "`archsim rtl check rfnn`" in readme


def test_a_vector_unit_has_no_stream_top(tmp_path: Path) -> None:
    text = message(design(vpu={"kind": "vector"}), discover(), tmp_path, top="stream")
    assert text == "--top: must be engine for an engine of kind vector, not 'stream'"


def test_the_manifest_lists_the_ports_of_the_verilog(built: Built) -> None:
    ports = {p["name"]: (p["direction"], p["bits"]) for p in built.manifest["ports"]["small_3x2"]}
    assert ports["a__payload"] == ("input", 15)
    assert ports["result__payload"] == ("output", 22)
    assert ports["cmd__payload"] == ("input", 73)
    stream = built.manifest["ports"]["small_3x2_stream"]
    wrapper = {p["name"]: (p["direction"], p["bits"]) for p in stream}
    assert wrapper["aclk"] == wrapper["aresetn"] == ("input", 1)
    assert wrapper["s_axis_a_tdata"] == ("input", 16)
    assert wrapper["m_axis_result_tdata"] == ("output", 24)
    assert wrapper["m_axis_result_tlast"] == ("output", 1)
    assert "clk" not in wrapper


def test_the_core_file_is_capi2(built: Built) -> None:
    text = (built.folder / "small_3x2_stream.core").read_text()
    assert text.startswith("CAPI=2:\n")
    core = yaml.safe_load(text)
    assert re.fullmatch(r"archsim:engines:small_3x2_stream:[\d.]+", core["name"])
    assert core["filesets"]["rtl"] == {
        "files": ["small_3x2.v", "small_3x2_stream.v"], "file_type": "verilogSource",
    }  # fmt: skip
    assert {t["toplevel"] for t in core["targets"].values()} == {"small_3x2_stream"}


def test_the_readme_has_every_register(built: Built) -> None:
    text = (built.folder / "README.md").read_text()
    for register in built.manifest["registers"]:
        assert f"| 0x{register['offset']:02X} | {register['name']} |" in text


# ---------------------------------------------------------------------------------------- the bench


def run_bench(folder: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "bench/run.py", "--simulator", "archsim"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def test_the_bench_passes_as_delivered(built: Built) -> None:
    done = run_bench(built.folder)
    assert done.stdout.splitlines() == [
        "test_engine on small_3x2 (archsim): passed",
        "test_stream on small_3x2_stream (archsim): passed",
    ], done.stderr
    assert done.returncode == 0


@pytest.mark.parametrize(
    "engine",
    [
        *("ws", "opt2"),
        *(
            pytest.param(engine, marks=pytest.mark.slow)
            for engine in ("is", "bf16", "bf16_ws", "matrix2d", "opt1", "cube", "tree")
        ),
    ],
)
def test_the_bench_passes_for_other_arrays(engine: str, tmp_path: Path) -> None:
    build(design(engine), discover(), tmp_path, top="stream")
    done = run_bench(tmp_path)
    assert verdicts(done) == (0, ["passed", "passed"]), done.stderr


def test_the_bench_says_what_it_needs(built: Built) -> None:
    done = subprocess.run(
        [sys.executable, "bench/run.py", "--simulator", "icarus"],
        cwd=built.folder, env={"PATH": ""}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 2
    assert done.stderr == (
        "simulator: must be one of icarus, verilator, archsim that is installed, not 'icarus'; "
        "install Icarus Verilog, or run: pip install 'archsim[rtl]'\n"
    )


def test_the_bench_catches_a_wrong_sum(tmp_path: Path) -> None:
    build(design("3x2"), discover(), tmp_path, top="stream")
    text = (tmp_path / "small_3x2.v").read_text()
    product = r"= \$signed\((.*)\) \* \$signed\((.*)\);"
    broken, count = re.subn(product, r"= $signed(\1) * $signed(\2) + 1;", text)
    assert count == 1
    (tmp_path / "small_3x2.v").write_text(broken)
    assert verdicts(run_bench(tmp_path)) == (1, ["FAILED", "FAILED"])


@pytest.mark.slow
def test_the_bench_catches_a_late_tlast(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    right = stream_top.ResultCounter
    monkeypatch.setattr(stream_top, "ResultCounter", lambda cols, bits: right(cols - 1, bits))
    build(design("3x2"), discover(), tmp_path, top="stream")
    assert verdicts(run_bench(tmp_path)) == (1, ["passed", "FAILED"])


@pytest.mark.slow
def test_the_bench_catches_a_wrong_register(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream_top, "ID", stream_top.ID + 1)
    build(design("3x2"), discover(), tmp_path, top="stream")
    assert verdicts(run_bench(tmp_path)) == (1, ["passed", "FAILED"])


def verdicts(done: subprocess.CompletedProcess[str]) -> tuple[int, list[str]]:
    return done.returncode, [line.split()[-1] for line in done.stdout.splitlines()]


# ---------------------------------------------------------------------------------------- refusals


def message(*arguments: Any, **options: Any) -> str:
    with pytest.raises(InputError) as caught:
        build(*arguments, **options)
    return str(caught.value)


def test_refuses_a_top_that_it_has_not(tmp_path: Path) -> None:
    text = message(design("4x4"), discover(), tmp_path, top="soc")
    assert text == "--top: must be one of engine, stream, axi, not 'soc'"


VECTOR_MODEL = {
    **discover(),
    "vector": dataclasses.replace(discover()["vector"], rtl=NoRtl("it is a model")),
}


def test_says_of_what_the_design_has_no_rtl(tmp_path: Path) -> None:
    made = build(design("3x2", vpu={"kind": "vector"}), VECTOR_MODEL, tmp_path)
    assert made.manifest["modelled_only"]["engines.vpu"] == "it is a model"


def test_refuses_a_design_without_rtl(tmp_path: Path) -> None:
    text = message(design(vpu={"kind": "vector"}), VECTOR_MODEL, tmp_path)
    assert text == "design 'small': must have an engine with RTL; vpu: it is a model"


def test_takes_the_first_engine_with_rtl_unless_asked_for_another(tmp_path: Path) -> None:
    several = design("3x2", "4x4")
    assert build(several, discover(), tmp_path).manifest["engine"] == "3x2"
    assert build(several, discover(), tmp_path, engine="4x4").manifest["engine"] == "4x4"


def test_refuses_an_engine_that_is_not_there_or_has_no_rtl(tmp_path: Path) -> None:
    both = design("4x4", vpu={"kind": "vector"})
    text = message(both, discover(), tmp_path, engine="4x5")
    assert text == "--engine: must be one of 4x4, vpu (did you mean '4x4'?), not '4x5'"
    text = message(both, VECTOR_MODEL, tmp_path, engine="vpu")
    assert text == "--engine: must be an engine with RTL, not 'vpu'; it is a model"


def test_refuses_an_engine_with_other_ports(tmp_path: Path) -> None:
    def other(engine: Engine) -> Engine:
        rtl: Any = dataclasses.replace(engine.rtl, ports=lambda spec: {"i": None})  # type: ignore
        return dataclasses.replace(engine, rtl=rtl)

    engines = {kind: other(e) if kind == "systolic" else e for kind, e in discover().items()}
    text = message(design("4x4"), engines, tmp_path)
    assert text == (
        "engines.4x4: must have the ports a, b, c, result or x, parameters, y or result as the "
        "only output or to memory alone: for other engines no bench is written, not 'i'; `archsim "
        "rtl check systolic` simulates its RTL beside the model"
    )


def test_fails_where_it_cannot_write(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ArchsimError, match="file: cannot be written: "):
        build(design("1x1"), discover(), tmp_path / "file")
