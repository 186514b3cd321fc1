from __future__ import annotations

import yaml

from archsim.design import load_design
from archsim.report.study import decide
from archsim.report.yaml_text import NAME, design_yaml, inserted, pieces, scalar
from tests.report import samples


def test_every_front_design_is_yaml_of_its_tree() -> None:
    study = samples.study()
    decision = decide(study)
    for number in range(len(decision.designs)):
        row = decision.row(number)
        read = yaml.safe_load(design_yaml(study, row))
        assert read.pop("name") == f"edge-inference-{row['design'][:8]}"
        assert read == study.tree(row)


def test_yaml_of_the_chosen_design_runs_as_it_is(tmp_path) -> None:
    base = load_design("tpu_like").model_dump(mode="json")
    study = samples.study(base=base)
    file = tmp_path / "chosen.yaml"
    file.write_text(design_yaml(study, decide(study).chosen), "utf-8")
    design = load_design(str(file))
    assert design.engines["mxu"].rows == 32
    assert design.memories.buffer.capacity_bytes == 1 << 20
    assert design.description == ""  # the base's described the base


def test_pieces_name_each_axis_once_and_the_name() -> None:
    study = samples.study()
    numbers = [p for p in pieces(study, decide(study).chosen) if isinstance(p, int)]
    assert sorted(numbers) == [NAME, *range(len(samples.AXES))]


def test_values_that_yaml_would_misread_are_quoted() -> None:
    for value in (
        "no",
        "1e9",
        "a: b",
        "# not a comment",
        "two\nlines",
        "",
        "ünïcode",
        True,
        1.5,
        [1],
    ):
        assert yaml.safe_load(f"key: {scalar(value)}") == {"key": value}
        assert "\n" not in scalar(value)


def test_a_whole_part_of_a_design_stands_below_its_key() -> None:
    part = {"kind": "systolic", "rows": 4, "clock_mhz": {"mhz": 500, "assumed": "a: b"}}
    text = inserted("engines.mxu", part)
    assert text.splitlines()[:2] == ["", "    kind: systolic"]
    tree = yaml.safe_load(f"engines:\n  mxu: {text}\n  vpu: {{}}\n")
    assert tree == {"engines": {"mxu": part, "vpu": {}}}
    assert inserted("policy", {}) == "{}"
    assert inserted("engines.mxu.rows", 4) == "4"
