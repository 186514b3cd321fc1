"""The command line: what it prints where, its exit status, its messages."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from importlib import resources
from pathlib import Path
from typing import Any

import pytest
import yaml

from archsim import __version__
from archsim.design import shipped
from tests.cli.conftest import Archsim

COMMANDS = {
    (): {"trace", "simulate", "sweep", "report", "rtl", "synth", "compare", "engines", "designs",
         "schema", "reproduce", "gpu"},
    ("sweep",): {"run", "status"},
    ("rtl",): {"build", "check"},
    ("gpu",): {"list", "run", "compile"},
    ("compare",): {"scalesim", "stonne", "onnxim", "explain"},
}  # fmt: skip


@pytest.mark.parametrize("path", COMMANDS)
def test_help_names_exactly_the_commands_there_are(path: tuple[str, ...], archsim: Archsim) -> None:
    help_text = archsim(*path, "--help")
    assert help_text.status == 0
    listed = set(re.findall(r"^│ (\w+) ", help_text.out.partition("Commands")[2], re.MULTILINE))
    assert listed == COMMANDS[path]


def test_every_command_says_what_it_does(archsim: Archsim) -> None:
    for path, names in COMMANDS.items():
        for name in names:
            assert archsim(*path, name, "--help").status == 0


def test_version(archsim: Archsim) -> None:
    assert archsim("--version").out == f"archsim {__version__}\n"


def test_an_unknown_command_is_a_usage_error(archsim: Archsim) -> None:
    outcome = archsim("simulat")
    assert outcome.status == 2
    assert "simulate" in outcome.err


def test_help_needs_nothing_heavy() -> None:
    """Help comes at once: it loads no array, table, model or hardware library."""
    heavy = ["numpy", "pandas", "pydantic", "scipy", "onnx", "amaranth", "plotly", "duckdb", "yaml"]
    code = (
        "import sys\nfrom typer.testing import CliRunner\nfrom archsim.cli import app\n"
        "assert CliRunner().invoke(app, ['--help']).exit_code == 0\n"
        f"print([name for name in {heavy} if name in sys.modules])"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout == "[]\n"


def test_a_broken_pipe_is_no_traceback() -> None:
    run = subprocess.run(
        f"{sys.executable} -c 'from archsim.cli import main; main()' schema design | head -c 10",
        shell=True, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert "Traceback" not in run.stderr


# ---------------------------------------------------------------------------------------- about


def test_engines_lists_kinds_fields_and_backing(archsim: Archsim) -> None:
    rows = {row["kind"]: row for row in archsim("engines", "--json").json["rows"]}
    assert rows["systolic"]["rtl"] is True
    assert rows["systolic"]["fields"]["rows"] == 16
    assert rows["systolic"]["choices"]["dataflow"] == ["os", "ws", "is"]
    assert rows["vector"]["rtl"] is True
    text = archsim("engines").out
    assert "\nsystolic: " in text
    assert ", dataflow=os|ws|is, " in text
    assert "[RTL]" in text


def test_designs_lists_what_is_shipped(archsim: Archsim) -> None:
    rows = {row["name"]: row for row in archsim("designs", "--json").json["rows"]}
    assert rows["tpu_like"]["engines"] == {"mxu": "systolic", "vpu": "vector"}
    assert "tpu_like" in archsim("designs").out


def test_schema_refuses_what_it_does_not_know(archsim: Archsim) -> None:
    assert archsim.refused("schema", "desing") == (
        "error: schema: must be one of design, sweep, trace, record, not 'desing'\n"
    )


# ---------------------------------------------------------------------------------------- trace


def shapes(folder: Path, text: str = "name,M,N,K\nfc,20,30,40\n") -> Path:
    path = folder / "shapes.csv"
    path.write_text(text)
    return path


def test_trace_says_what_is_in_a_model(archsim: Archsim, tmp_path: Path) -> None:
    file = tmp_path / "out.jsonl"
    summary = archsim("trace", shapes(tmp_path), "-o", file, "--json").json
    assert summary["macs"] == 20 * 30 * 40
    assert summary["kinds"] == {"gemm": 1}
    again = archsim("trace", file, "--json").json
    assert (again["macs"], again["source"]) == (summary["macs"], summary["source"])
    assert archsim("trace", file).out.splitlines()[0] == "shapes: 1 ops (1 gemm)"


def test_trace_writes_to_stdout(archsim: Archsim, tmp_path: Path) -> None:
    file = tmp_path / "out.jsonl"
    path = shapes(tmp_path)
    archsim("trace", path, "-o", file)
    assert archsim("trace", path, "-o", "-").out == file.read_text()


def test_trace_refuses_an_unknown_model(archsim: Archsim) -> None:
    message = archsim.refused("trace", "resnet5")
    assert message.startswith("error: model: must be one of ")
    assert "not 'resnet5'; did you mean resnet50?" in message


def test_trace_fails_where_it_cannot_write(archsim: Archsim, tmp_path: Path) -> None:
    outcome = archsim("trace", shapes(tmp_path), "-o", tmp_path / "none" / "out.jsonl")
    assert outcome.status == 1
    assert outcome.err.endswith("out.jsonl: cannot be written: No such file or directory\n")


# ---------------------------------------------------------------------------------------- compare


def test_compare_scalesim_prints_rows_in_the_files_order(archsim: Archsim, tmp_path: Path) -> None:
    path = shapes(tmp_path, "name,M,N,K\nb,128,128,128\na,63,65,127\n")
    command = ("compare", "scalesim", "--shapes", path, "--array", "8x8", "--dataflow", "os")
    rows = archsim(*command, "--json").json["rows"]
    assert [row["name"] for row in rows] == ["b", "a"]
    assert list(rows[0]) == ["name", "M", "N", "K", "scalesim_cycles", "archsim_cycles", "why"]
    assert rows[0]["scalesim_cycles"] == 36_351
    lines = archsim(*command).out.splitlines()
    assert lines[0].split()[:4] == ["name", "M", "N", "K"]
    assert lines[1].split()[:5] == ["b", "128", "128", "128", "36,351"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--array", "8"), "error: --array: must be RxC, as in 32x32, not '8'\n"),
        (("--array", "8x"), "error: --array: must be RxC, as in 32x32, not '8x'\n"),
        (("--array", "8x-8"), "error: --array: must be RxC, as in 32x32, not '8x-8'\n"),
        (
            ("--array", "8x8", "--dataflow", "rs"),
            (
                "error: --dataflow: must be one that SCALE-Sim 3.0.0 has a rule for: os, ws, is, "
                "not 'rs'\n"
            ),
        ),
    ],
)
def test_compare_scalesim_refuses(
    options: tuple[str, ...], message: str, archsim: Archsim, tmp_path: Path
) -> None:
    path = shapes(tmp_path)
    assert archsim.refused("compare", "scalesim", "--shapes", path, *options) == message


@pytest.mark.parametrize(
    ("peer", "dataflow", "cycles"),
    [("scalesim", "ws", 3_551), ("scalesim", "is", 3_551), ("stonne", "os", 3_120),
     ("onnxim", "ws", 2_184)],
)  # fmt: skip
def test_compare_has_every_peers_cycles(
    peer: str, dataflow: str, cycles: int, archsim: Archsim, tmp_path: Path
) -> None:
    path = shapes(tmp_path, "name,M,N,K\nb,128,128,128\n")
    command = ("compare", peer, "--shapes", path, "--array", "32x32", "--dataflow", dataflow)
    (row,) = archsim(*command, "--json").json["rows"]
    ours = {"os": 2_112, "ws": 2_145, "is": 2_145}
    assert row.pop("why")
    assert row == {
        "name": "b", "M": 128, "N": 128, "K": 128,
        f"{peer}_cycles": cycles, "archsim_cycles": ours[dataflow],
    }  # fmt: skip


def test_compare_explains_one_product(archsim: Archsim) -> None:
    command = ("compare", "explain", "63x65x127", "--array", "32x32")
    found = archsim(*command, "--json").json
    assert (found["M"], found["N"], found["K"], found["array"]) == (63, 65, 127, "32x32")
    cycles = {(x["tool"], x["dataflow"]): x["cycles"] for x in found["accounts"]}
    assert cycles["STONNE 22634b8", "os"] == 1_097
    assert all(sum(x["terms"].values()) == x["cycles"] for x in found["accounts"])
    lines = archsim(*command).out.splitlines()
    assert lines[0].split()[:3] == ["term", "archsim", "os"]
    assert lines[-1].split()[0] == "cycles"
    assert f"{cycles['STONNE 22634b8', 'os']:,}" in lines[-1]


def test_compare_explain_refuses(archsim: Archsim) -> None:
    said = archsim.refused("compare", "explain", "63x65", "--array", "32x32")
    assert said == "error: MxNxK: must be MxNxK, as in 128x768x768, not '63x65'\n"


# ---------------------------------------------------------------------------------------- schema


def schema(archsim: Archsim, what: str) -> Any:
    from jsonschema import Draft202012Validator

    document = archsim("schema", what).json
    Draft202012Validator.check_schema(document)
    return Draft202012Validator(document)


def test_design_schema_takes_the_shipped_designs(archsim: Archsim) -> None:
    validator = schema(archsim, "design")
    folder = resources.files("archsim") / "designs"
    for name in shipped():
        validator.validate(yaml.safe_load((folder / f"{name}.yaml").read_text()))
    validator.validate({"extends": "tpu_like", "engines": {"mxu": {"kind": "systolic", "rows": 8}}})


@pytest.mark.parametrize(
    "document",
    [
        {},
        {"engines": {"x": {"kind": "sistolic"}}},
        {"engines": {"x": {"rows": 8}}},
        {"engines": {"x": {"kind": "systolic", "rows": 0}}},
        {"engines": {"x": {"kind": "systolic", "lanes": 8}}},
        {"engines": {"x": {"kind": "systolic"}}, "memory": {}},
    ],
)
def test_design_schema_refuses_faults(document: dict[str, Any], archsim: Archsim) -> None:
    assert not schema(archsim, "design").is_valid(document)


def test_sweep_schema_takes_short_and_long_forms(archsim: Archsim) -> None:
    validator = schema(archsim, "sweep")
    bound = {"path": "a.b", "at_most": 2}
    sweep = {"name": "s", "design": "tpu_like", "workloads": ["resnet50"], "axes": {"a.b": [1, 2]}}
    validator.validate(sweep)
    validator.validate({**sweep, "when": bound, "workloads": [{"model": "resnet50", "weight": 2}]})
    validator.validate({**sweep, "axes": {"a.b": {"pow2": [1, 8], "when": [bound]}}})
    for fault in ({"axis": {}}, {"workloads": [1]}, {"axes": {"a.b": []}}, {"axes": {}}):
        assert not validator.is_valid({**sweep, **fault})


def test_trace_schema_takes_every_line_of_a_trace(archsim: Archsim) -> None:
    validator = schema(archsim, "trace")
    lines = archsim("trace", "mobilenet_v2", "-o", "-").out.splitlines()
    for line in lines:
        validator.validate(json.loads(line))
    assert not validator.is_valid({**json.loads(lines[-1]), "kind": "gem"})
    assert not validator.is_valid({"tensor": "x", "shape": [1], "dtype": "int9"})
