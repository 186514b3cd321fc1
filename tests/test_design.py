"""Designs: loading, defaults, extends, overrides, and every refusal with its place."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archsim.design import Clock, Design, design_from, load_design, override_value, shipped
from archsim.engines import discover
from archsim.errors import InputError

SMALL = "engines:\n  mxu: {kind: systolic, rows: 4}\n"


def write(folder: Path, text: str, name: str = "mine.yaml") -> str:
    (folder / name).write_text(text)
    return str(folder / name)


@pytest.mark.parametrize("name", shipped())
def test_shipped_designs_load_and_survive_a_round_trip(name: str) -> None:
    design = load_design(name)
    assert design.name == name
    again = design_from(design.model_dump(mode="json"))
    assert again == design
    assert again.digest() == design.digest()


def test_a_file_needs_engines_only(tmp_path: Path) -> None:
    design = load_design(write(tmp_path, SMALL))
    assert design.name == "mine"
    assert design.engines["mxu"].rows == 4  # type: ignore[attr-defined]
    assert design.memories.buffer.capacity_bytes == 2 << 20


def test_extends_takes_a_shipped_design_or_a_file_beside_it(tmp_path: Path) -> None:
    write(tmp_path, "extends: tpu_like\nengines: {mxu: {rows: 8}}\n", "base.yaml")
    design = load_design(write(tmp_path, "extends: base.yaml\nengines: {vpu: null}\n"))
    assert design.engines["mxu"].rows == 8  # type: ignore[attr-defined]
    assert design.engines["mxu"].cols == 32  # type: ignore[attr-defined]
    assert list(design.engines) == ["mxu"]


def test_a_design_that_extends_another_has_its_own_name(tmp_path: Path) -> None:
    write(tmp_path, "extends: tpu_like\nname: theirs\n", "base.yaml")
    assert load_design(write(tmp_path, "extends: base.yaml\n")).name == "mine"


@pytest.mark.parametrize(
    ("overrides", "text"),
    [
        ({"engines.mxu.rows": -1}, "--set engines.mxu.rows: input should be greater than"),
        ({"engines.mxu": {"kind": "systolic", "rows": -1}}, "--set engines.mxu.rows: input should"),
        ({"nope": 1}, "--set nope: is not a known key"),
        ({"fallback.reason": "x"}, "--set fallback.ns_per_element: is required and missing"),
        ({"policy": {"kind": "pipeline", "stages": ["x"]}}, "--set policy.stages.0: must be one"),
        (
            {"engines.mxu.rows": 8, "memories": None, "link": 7},
            "--set link: must be a mapping with",
        ),
    ],
)
def test_a_faulty_override_is_named_and_not_a_line(overrides: dict[str, Any], text: str) -> None:
    with pytest.raises(InputError) as refusal:
        load_design("tpu_like", overrides)
    assert str(refusal.value).startswith(text)
    assert ".yaml" not in str(refusal.value)


def test_an_override_of_null_removes_what_was_there() -> None:
    design = load_design("tpu_like", {"engines.vpu": None, "memories.dram.channels": None})
    assert list(design.engines) == ["mxu"]
    assert design.memories.dram.channels == 4
    with pytest.raises(InputError, match="nope"):
        load_design("tpu_like", {"nope.key": None})


def test_overrides_come_last() -> None:
    design = load_design("tpu_like", {"engines.mxu.rows": 16, "memories.dram.channels": 1})
    assert design.engines["mxu"].rows == 16  # type: ignore[attr-defined]
    assert design.memories.dram.channels == 1


@pytest.mark.parametrize(
    ("text", "value"),
    [("8", 8), ("1e9", 1e9), ("0.5", 0.5), ("auto", "auto"), ("[1, 2]", [1, 2]), ("a: [", "a: [")],
)
def test_override_values_are_read_as_yaml_with_numbers_as_numbers(text: str, value: object) -> None:
    assert override_value(text) == value


def test_names_do_not_enter_the_digest() -> None:
    one = design_from({"name": "a", "engines": {"mxu": {"kind": "systolic"}}})
    two = design_from({"name": "b", "engines": {"mxu": {"kind": "systolic"}}})
    other = design_from({"name": "a", "engines": {"mxu": {"kind": "systolic", "rows": 3}}})
    assert one.digest() == two.digest() != other.digest()


REFUSED = {
    "engines:\n  mxu: {kind: systolic, rows: sixteen}\n": (
        "{file}:2: engines.mxu.rows: input should be a valid integer, unable to parse string as "
        "an integer, not 'sixteen'"
    ),
    "engines:\n  mxu: {kind: systolic}\nmemory: {}\n": (
        "{file}:3: memory: is not a known key; remove it or check its spelling"
    ),
    "engines:\n  mxu: {kind: sistolic}\n": (
        f"{{file}}:1: engines: mxu.kind must be one of {', '.join(sorted(discover()))} "
        "(did you mean 'systolic'?), not 'sistolic'"
    ),
    "engines:\n  mxu:\n    kind: systolic\n    rows: 0\n": (
        "{file}:4: engines.mxu.rows: input should be greater than or equal to 1, not 0"
    ),
    "name: x\n": "{file}:1: engines: is required and missing",
    "engines: {}\n": (
        "{file}:1: engines: dictionary should have at least 1 item after validation, not 0, "
        "not {{}}"
    ),
    "- a\n": "{file}:1: a design must be a mapping of keys, not ['a']",
    "a: 1\na: 2\n": "{file}:2: every key must stand once, not 'a'",
    "a: [1,\n": "{file}:2: must be valid YAML: expected the node content, but found '<stream end>'",
    "a: !!python/object:os.system {}\n": (
        "{file}:1: must be plain YAML without tags, not 'tag:yaml.org,2002:python/object:os.system'"
    ),
    "extends: nowhere\n": (
        f"design: must be a YAML file or one of {', '.join(shipped())}, not 'nowhere'"
    ),
    "extends: [tpu_like]\n": (
        "{file}:1: extends: must be the name or file of a design, not ['tpu_like']"
    ),
    "extends: mine.yaml\n": (
        "{file}:1: extends: designs must not extend each other in a circle, not 'mine.yaml'"
    ),
    SMALL + "memories: {buffer: {capacity_bytes: -1}}\n": (
        "{file}:3: memories.buffer.capacity_bytes: input should be greater than 0, not -1"
    ),
    SMALL + "memories:\n  dram: 7\n": (
        "{file}:4: memories.dram: must be a mapping with channels, channel_gb_per_s, latency_ns, "
        "burst_bytes, page_bytes, page_miss_ns, not 7"
    ),
}


@pytest.mark.parametrize("text", REFUSED)
def test_refused_designs_say_where_and_what(tmp_path: Path, text: str) -> None:
    file = write(tmp_path, text)
    with pytest.raises(InputError) as refusal:
        load_design(file)
    assert str(refusal.value) == REFUSED[text].format(file=file)


def test_hostile_yaml_is_bounded(tmp_path: Path) -> None:
    laughs = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
        f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]\n" for i in range(1, 9)
    )
    with pytest.raises(InputError, match=r"must hold at most 100,000 values, 40 levels deep"):
        load_design(write(tmp_path, laughs))
    with pytest.raises(InputError, match=r"levels deep"):
        load_design(write(tmp_path, "[" * 3000))
    with pytest.raises(InputError, match=r"must be a readable UTF-8 file"):
        (tmp_path / "binary.yaml").write_bytes(b"\xff\xfe\x00")
        load_design(str(tmp_path / "binary.yaml"))
    with pytest.raises(InputError, match=r"must be at most 1,048,576 bytes"):
        load_design(write(tmp_path, "#" * (5 << 20)))


@given(st.text(max_size=80))
def test_any_text_is_a_design_or_an_input_error(
    tmp_path_factory: pytest.TempPathFactory, text: str
) -> None:
    folder = tmp_path_factory.mktemp("fuzz")
    (folder / "mine.yaml").write_text(text, "utf-8")
    try:
        assert isinstance(load_design(str(folder / "mine.yaml")), Design)
    except InputError as refusal:
        assert "mine.yaml" in str(refusal) or str(refusal).startswith("design")


@given(st.sampled_from([100, 333.3, 412, 700, 2000]), st.integers(0, 10**13))
def test_clock_edges_are_computed_not_accumulated(mhz: float, time_ps: int) -> None:
    clock = Clock.of_mhz(mhz)
    edge = clock.next_edge(time_ps)
    assert clock.edge_ps(edge) >= time_ps
    assert edge == 0 or clock.edge_ps(edge - 1) < time_ps
    assert clock.edge_ps(edge) - edge * 10**6 / Fraction(str(mhz)) < 1
