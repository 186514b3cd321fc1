"""The documentation does what it says, and lists what there is."""

from __future__ import annotations

import dataclasses
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel
from pydantic_core import PydanticUndefined

from archsim.compare import scalesim, stonne
from archsim.compare.shapes import Shape
from archsim.compare.table import compare
from archsim.design import Dram, Fallback, Link, Sram, load_design
from archsim.engines import Case, Engine, Rtl, Timing, discover
from archsim.engines.adder_tree.spec import AdderTreeSpec
from archsim.engines.bitslice.spec import BitsliceSpec
from archsim.engines.cube.spec import CubeSpec
from archsim.engines.gpu.spec import spec_of
from archsim.engines.hash_spgemm.spec import HashSpgemmSpec
from archsim.engines.matrix2d.spec import Matrix2dSpec
from archsim.engines.ngpc.spec import NgpcSpec
from archsim.engines.piuma.spec import PiumaSpec
from archsim.engines.rfnn.spec import RfnnSpec
from archsim.engines.spgemm_dataflow import FLOWS, SpgemmDataflowSpec
from archsim.engines.systolic.spec import SystolicSpec
from archsim.frontends import load
from archsim.simulate import CONVENTIONS, CONVOLUTION, PACKED, PIPELINE, STREAM, simulate
from archsim.sweep.schema import Sweep
from archsim.tech import NOT_COUNTED
from tests.docs.pages import (
    ROOT,
    Block,
    Difference,
    PageError,
    blocks,
    differences,
    environment,
    matches,
    shown,
    updated,
)

FOLDERS = ("docs", "rtl", "workloads", "benchmarks", "sweeps", "reports")
PAGES = [ROOT / "README.md", *(p for f in FOLDERS for p in sorted((ROOT / f).rglob("*.md")))]
LINKED = ("docs", "rtl", "sweeps", "tests", "workloads")  # what pages use of a clone
EXAMPLE = ROOT / "docs" / "examples" / "dot"


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def prepared(page: Path, scratch: Path) -> tuple[Path, dict[str, str]]:
    """Return a folder that looks like a clone, and the environment of a page's commands.

    A package ``dot`` in the folder counts as installed: the page that shows one makes it a copy of
    the example.
    """
    folder, site = scratch / "clone", scratch / "site"
    folder.mkdir()
    for entry in LINKED:
        (folder / entry).symlink_to(ROOT / entry)
    if page.name != "add-an-engine.md":
        return folder, environment(folder)
    project = tomllib.loads((EXAMPLE / "pyproject.toml").read_text())["project"]
    info = site / f"archsim_dot-{project['version']}.dist-info"
    info.mkdir(parents=True)
    head = f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n"
    (info / "METADATA").write_text(head)
    points = [
        line
        for group, entries in project["entry-points"].items()
        for line in (f"[{group}]", *(f"{key} = {value}" for key, value in entries.items()))
    ]
    (info / "entry_points.txt").write_text("\n".join(points) + "\n")
    return folder, environment(folder, (site, folder / "dot"))


@pytest.mark.slow
@pytest.mark.parametrize("page", PAGES, ids=name)
def test_a_page_says_what_really_comes_out(page: Path, tmp_path: Path) -> None:
    text = page.read_text("utf-8")
    found = differences(text, *prepared(page, tmp_path))
    assert not found, f"run: python -m tests.docs.pages {name(page)}\n{shown(text, found)}"


# ---------------------------------------------------------------------------------------- links


def prose(text: str) -> str:
    """Return a page without its fenced blocks."""
    return re.sub(r"^```.*?^```", "", text, flags=re.DOTALL | re.MULTILINE)


def anchors(text: str) -> set[str]:
    """Return the anchors that a host of repositories gives a page's headings."""
    titles = re.findall(r"^#+ (.+)$", prose(text), re.MULTILINE)
    plain = (re.sub(r"[^\w\- ]", "", title.lower()) for title in titles)
    return {title.replace(" ", "-") for title in plain}


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_links_lead_somewhere(page: Path) -> None:
    text = page.read_text("utf-8")
    for target in re.findall(r"\]\(([^)\s]+)\)", prose(text)):
        if target.startswith(("https:", "http:")):
            continue
        file, _, anchor = target.partition("#")
        at = page.parent / file if file else page
        assert at.exists(), f"{name(page)}: {target}"
        if anchor:
            assert anchor in anchors(at.read_text("utf-8")), f"{name(page)}: {target}"


# ---------------------------------------------------------------------------------------- lists

GUIDE = (ROOT / "docs" / "guide.md").read_text("utf-8")
ENGINE_GUIDE = (ROOT / "docs" / "add-an-engine.md").read_text("utf-8")


def rows(text: str) -> dict[str, list[str]]:
    """Return the rows of a page's tables that begin with code, by that code."""
    found: dict[str, list[str]] = {}
    for line in text.splitlines():
        cells = [cell.strip() for cell in line.strip("| ").split(" | ")]
        if line.startswith("| `"):
            for code in re.findall(r"`([^`]+)`", cells[0]):
                found[code] = cells[1:]
    return found


def defaults(model: type[BaseModel]) -> dict[str, Any]:
    fields = model.model_fields.items()
    return {name: "required" if f.default is PydanticUndefined else f.default for name, f in fields}


OWN = {k: e for k, e in discover().items() if e.spec.__module__.startswith("archsim.")}
PARTS: dict[str, type[BaseModel]] = {
    "memories.buffer.": Sram,
    "memories.dram.": Dram,
    "link.": Link,
    "fallback.": Fallback,
    **{f"{kind}.": engine.spec for kind, engine in OWN.items()},
}


@pytest.mark.parametrize("prefix", PARTS)
def test_the_guide_has_every_field_of_a_design_and_its_default(prefix: str) -> None:
    table = rows(GUIDE)
    for field, default in defaults(PARTS[prefix]).items():
        if field == "kind":
            continue
        written = table[f"{prefix}{field}"][0].strip("`").replace(",", "")
        if isinstance(default, bool):
            assert written == str(default).lower(), field
        elif isinstance(default, int | float):
            assert float(written) == default, field
        else:
            assert written == str(default), field


def test_the_guide_has_every_key_of_a_sweep() -> None:
    table = rows(GUIDE)
    assert set(Sweep.model_fields) <= set(table)


@pytest.mark.parametrize("record", [Engine, Rtl, Timing, Case])
def test_the_engine_guide_has_every_field_of_the_records(record: type[Any]) -> None:
    table = rows(ENGINE_GUIDE)
    for field in dataclasses.fields(record):
        assert field.name in table, field.name


def test_the_design_page_has_every_module() -> None:
    text = (ROOT / "docs" / "design.md").read_text("utf-8")
    house = text.partition("## Where the code is")[2].partition("A module imports")[0]
    package = ROOT / "archsim"
    modules = {path.name for path in package.glob("*.py")} - {"__init__.py"}
    packages = {f"{path.parent.name}/" for path in package.glob("*/__init__.py")}
    assert set(re.findall(r"\b\w+(?:\.py|/)", house)) == modules | packages


def test_every_printed_assumption_is_explained() -> None:
    text = (ROOT / "docs" / "assumptions.md").read_text("utf-8")
    quoted = set(re.findall(r"^> (.+)$", text, re.MULTILINE))
    design = load_design("tpu_like")
    engines = [discover()[getattr(spec, "kind", "")] for spec in design.engines.values()]
    specs = zip(engines, design.engines.values(), strict=True)
    fixed = {line for engine, spec in specs for line in engine.assumptions(spec)}
    printed = {*CONVENTIONS, CONVOLUTION, *NOT_COUNTED, *fixed}
    assert printed <= set(simulate(design, load("resnet50")).assumptions)
    others = {line for spec in OTHER_ARRAYS for line in discover()["systolic"].assumptions(spec)}
    others |= set(discover()["adder_tree"].assumptions(AdderTreeSpec()))
    others |= set(discover()["systolic"].assumptions(SystolicSpec(pe="opt1")))
    for pe in ("mac", "opt1"):
        others |= set(discover()["cube"].assumptions(CubeSpec(pe=pe)))
    for pe in ("mac", "opt1", "opt2"):
        others |= set(discover()["matrix2d"].assumptions(Matrix2dSpec(pe=pe)))
    for flow in FLOWS:
        sparse = SpgemmDataflowSpec(dataflow=flow)
        others |= set(discover()["spgemm_dataflow"].assumptions(sparse))
    for spec in BITSLICE_ARRAYS:
        others |= set(discover()["bitslice"].assumptions(spec))
    for spec in (PiumaSpec(), PiumaSpec(detail="operation", eviction="rolling")):
        others |= set(discover()["piuma"].assumptions(spec))
    for name in ("a100", "h100"):
        others |= set(discover()["gpu"].assumptions(spec_of(name)))
    for write_back in ("dense", "scan"):
        table = HashSpgemmSpec(write_back=write_back)
        others |= set(discover()["hash_spgemm"].assumptions(table))
    for mesh in MESHES:
        others |= set(discover()["rfnn"].assumptions(mesh))
    for tables in ("resident", "spilled", "cut"):
        for groups in (1, 2):
            processors = NgpcSpec(ray_groups=groups, tables=tables)
            others |= set(discover()["ngpc"].assumptions(processors))
    assert quoted == printed | others | {STREAM, PIPELINE, PACKED}


BITSLICE_ARRAYS = [
    BitsliceSpec(pe="laconic", encoding="naf"),
    BitsliceSpec(pe="bitlet", encoding="twos_complement"),
    BitsliceSpec(sync="chunk"),
    BitsliceSpec(sync="pass"),
]
MESHES = [
    RfnnSpec(),
    RfnnSpec(form="tt3", cores="instance", circuit="unitary"),
    RfnnSpec(form="ttm", cores="spatial"),
]
OTHER_ARRAYS = [  # what no shipped design has
    SystolicSpec.model_validate({"kind": "systolic", **fields})
    for fields in ({"numbers": "bf16"}, {"dataflow": "ws"}, {"dataflow": "is"})
]


def test_the_readme_has_the_cycles_of_the_array() -> None:
    text = (ROOT / "README.md").read_text("utf-8")
    size = r"(\d+)x(\d+)x(\d+), (\d+)x(\d+)"
    cells = r"\| ([\d,-]+) " * 6
    found = re.findall(rf"^\| {size} {cells}\|$", text, re.MULTILINE)
    assert len(found) == 5
    for m, n, k, rows, cols, scale_sim, mesh, in_os, _, _, in_ws in found:
        shape, array = Shape("x", int(m), int(n), int(k)), (int(rows), int(cols))
        (os_row,) = compare(scalesim.PEER, [shape], *array, "os")
        (ws_row,) = compare(scalesim.PEER, [shape], *array, "ws")
        assert f"{os_row.peer_cycles:,}" == scale_sim
        assert mesh in ("-", f"{stonne.account(shape, *array).cycles:,}")
        assert (in_os, in_ws) == (f"{os_row.archsim_cycles:,}", f"{ws_row.archsim_cycles:,}")


# ---------------------------------------------------------------------------------------- runner


def run(text: str, folder: Path) -> list[Difference]:
    return differences(text, folder, environment(folder))


def test_blocks_know_their_options() -> None:
    text = 'a\n```console exit=2 not-run="too long"\n$ x\n```\n```\nz\n```\n'
    assert blocks(text) == [
        Block("console", {"exit": "2", "not-run": "too long"}, 3, ("$ x",)),
        Block("", {}, 6, ("z",)),
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("```console\n$ x\n", "line 1: a block without an end"),
        ("```console skip=1\n```\n", "line 1: unknown skip"),
        ('```console not-run=""\n```\n', "line 1: not-run without a reason"),
        ("```console\nx\n```\n", "line 2: a console block begins with a command"),
        ("```console\n$ false\n```\n", "line 2: false: ended with 1"),
        ("```console exit=1\n$ true\n```\n", "line 2: true: ended with 0"),
        ("```text of=README.md\nno such line\n```\n", "line 2: is not a part of README.md"),
    ],
)
def test_a_faulty_page_fails(text: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(PageError, match=f"^{re.escape(message)}"):
        run(text, tmp_path)


def test_output_is_compared_and_can_be_written(tmp_path: Path) -> None:
    text = (
        "```console\n$ echo a; \\\n  echo b\na\n$ echo c\nc\n```\n"
        "```python\nprint(1)\n```\n```text\n2\n```\n"
    )
    found = run(text, tmp_path)
    assert found == [Difference(3, 4, ("a", "b")), Difference(11, 12, ("1",))]
    now = updated(text, found)
    assert run(now, tmp_path) == []
    assert "says:\na\nand really:\na\nb\n" in shown(text, found)


def test_dots_survive_an_update() -> None:
    page = "...\nold\nat ... s\n"
    now = updated(page, [Difference(0, 3, ("progress", "more", "new", "at 5 s"))])
    assert now == "...\nnew\nat ... s\n"


def test_commands_continue_over_lines(tmp_path: Path) -> None:
    text = "```console\n$ cat << E\n> a\n> E\na\n$ echo b \\\n    c\nb c\n```\n"
    assert run(text, tmp_path) == []


def test_files_are_written_and_names_are_shared(tmp_path: Path) -> None:
    text = (
        "```yaml file=a/b.yaml\nx: 1\n```\n"
        "```python\nfrom pathlib import Path\ny = Path('a/b.yaml').read_text()\n```\n"
    )
    assert run(text + "```python\nassert y == 'x: 1\\n'\n```\n", tmp_path) == []


@pytest.mark.parametrize(
    ("expected", "real", "same"),
    [
        (["a"], ["a"], True),
        (["a"], ["a", "b"], False),
        (["a", "..."], ["a", "b", "c"], True),
        (["...", "c"], ["a", "b", "c"], True),
        (["a", "...", "b"], ["a", "b"], True),
        (["a ... c"], ["a b c"], True),
        (["a."], ["ab"], False),
        ([], ["a"], False),
    ],
)
def test_three_dots_stand_for_anything(expected: list[str], real: list[str], same: bool) -> None:
    assert matches(expected, real) is same
