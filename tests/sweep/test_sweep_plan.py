"""A plan: validated designs, loaded models, and what makes two questions the same."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from archsim.design import design_from, load_design, shipped
from archsim.errors import InputError
from archsim.frontends import load
from archsim.sweep import make_plan
from archsim.sweep.plan import model_version
from archsim.sweep.plan_file import plan_text, read_plan
from archsim.trace_io import write_trace
from tests.sweep.fakes import QUESTION, write_question


def asked(folder: Path, *changes: tuple[str, str]) -> Path:
    text = QUESTION
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    return write_question(folder, text)


def test_every_point_is_a_design(tmp_path: Path) -> None:
    plan = make_plan(asked(tmp_path))
    assert (len(plan), len(plan.designs), plan.combinations) == (9, 9, 9)
    one = plan.designs[1]
    assert one.point == {"engines.mxu.rows": 2, "engines.mxu.cols": 4}
    wanted = load_design("tpu_like", {"engines.mxu.rows": 2, "engines.mxu.cols": 4})
    assert one.digest == wanted.digest()
    assert design_from(plan.tree(one)) == wanted


def test_points_read_as_the_designs_types_do_and_equal_designs_count_once(tmp_path: Path) -> None:
    plan = make_plan(asked(tmp_path, ("[2, 4, 8]\n  ", "[2, 2e0, 4]\n  ")))
    assert [d.point["engines.mxu.rows"] for d in plan.designs] == [2, 2, 2, 4, 4, 4]


def test_fixed_settings_come_before_the_axes(tmp_path: Path) -> None:
    plan = make_plan(asked(tmp_path, ("axes:", "set: {link.gb_per_s: 8, node: freepdk45}\naxes:")))
    assert {plan.tree(d)["link"]["gb_per_s"] for d in plan.designs} == {8.0}


def test_a_fixed_setting_of_null_removes(tmp_path: Path) -> None:
    plan = make_plan(asked(tmp_path, ("axes:", "set: {engines.vpu: null}\naxes:")))
    assert {tuple(plan.tree(d)["engines"]) for d in plan.designs} == {("mxu",)}


def test_what_follows_from_a_fixed_setting_follows(tmp_path: Path) -> None:
    bf16 = asked(tmp_path, ("axes:", "set: {engines.mxu.numbers: bf16}\naxes:"))
    plan = make_plan(bf16)
    wanted = {"engines.mxu.rows": 2, "engines.mxu.cols": 2, "engines.mxu.numbers": "bf16"}
    assert plan.designs[0].digest == load_design("tpu_like", wanted).digest()


@pytest.mark.parametrize("typed", ["int", "bf16"])
def test_what_follows_from_an_axis_follows(tmp_path: Path, typed: str) -> None:
    (tmp_path / "mine.yaml").write_text(
        f"extends: tpu_like\nengines: {{mxu: {{numbers: {typed}}}}}\n"
    )
    axes = "axes:\n  engines.mxu.numbers: [int, bf16]\n  engines.mxu.dataflow: [os, is]\n"
    text = re.sub(r"axes:\n.*\n.*\n", axes, QUESTION).replace("tpu_like", "mine.yaml")
    plan = make_plan(write_question(tmp_path, text))
    for design in plan.designs:
        wanted = load_design("tpu_like", design.point)
        assert design.digest == wanted.digest() == design_from(plan.tree(design)).digest()
        assert design.dtype == ("bf16" if wanted.engines["mxu"].numbers == "bf16" else "int8")
    assert len(plan.designs) == 4


def test_formats_of_float_models_belong_to_the_question(tmp_path: Path) -> None:
    swept = ("axes:", "axes:\n  engines.mxu.numbers: [int, bf16]")
    plan, subset = (make_plan(asked(tmp_path, swept), n) for n in (None, 1))
    assert plan.identity == subset.identity
    assert plan.identity["workloads"] != make_plan(asked(tmp_path)).identity["workloads"]
    fixed = ("- tiny.csv", "- {model: tiny.csv@dtype=int8, name: tiny.csv}")
    one, both = (make_plan(asked(tmp_path, fixed, *more)) for more in ((), (swept,)))
    assert one.identity["workloads"] == both.identity["workloads"]


def test_a_design_can_be_a_file_beside_the_sweep_or_stand_in_it(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text("extends: tpu_like\nlink: {gb_per_s: 9}\n")
    from_file = make_plan(asked(tmp_path, ("design: tpu_like", "design: mine.yaml")))
    inline = make_plan(
        asked(
            tmp_path,
            ("design: tpu_like", "design: {engines: {mxu: {kind: systolic, rows: 4, cols: 4}}}"),
        )
    )
    assert from_file.base["link"] == {"gb_per_s": 9.0}
    assert list(inline.base["engines"]) == ["mxu"]


def test_whole_engines_can_be_swapped(tmp_path: Path) -> None:
    swap = (
        "  engines.mxu: [{kind: systolic, rows: 2, cols: 2}, {kind: systolic, rows: 64, cols: 1}]\n"
    )
    text = re.sub(r"axes:\n.*\n.*\n", f"axes:\n{swap}", QUESTION)
    plan = make_plan(write_question(tmp_path, text))
    assert [plan.tree(d)["engines"]["mxu"]["rows"] for d in plan.designs] == [2, 64]


NAMED = """axes:
  engines.mxu:
    named:
      tiny: {kind: systolic, rows: 2, cols: 2}
      tall: {kind: systolic, rows: 64, cols: 1}
      tiny again: {kind: systolic, rows: 2, cols: 2, dataflow: os}
  memories.dram.channels: [1, 2]
groups: [engines.mxu.kind, engines.mxu.rows]
"""


def named(folder: Path, *changes: tuple[str, str]) -> Path:
    text = re.sub(r"axes:\n.*\n.*\n", NAMED, QUESTION)
    for old, new in changes:
        text = text.replace(old, new)
    return write_question(folder, text)


def test_values_may_have_names_that_tables_show(tmp_path: Path) -> None:
    """Of two names for one design the first counts; a plan on disk keeps them."""
    path = named(tmp_path)
    plan = make_plan(path)
    shown = [plan.shown(design) for design in plan.designs]
    assert [point["engines.mxu"] for point in shown] == ["tiny", "tiny", "tall", "tall"]
    assert [point["memories.dram.channels"] for point in shown] == [1, 2, 1, 2]
    assert plan.designs[2].point["engines.mxu"]["rows"] == 64
    (tmp_path / "plan.json").write_text(plan_text(plan))
    again = read_plan(tmp_path / "plan.json", path)
    assert [again.shown(design) for design in again.designs] == shown


def test_a_baseline_that_is_a_named_value_has_its_name(tmp_path: Path) -> None:
    tall = "baseline: {engines.mxu: {kind: systolic, rows: 64, cols: 1}}\naxes:"
    plan = make_plan(named(tmp_path, ("axes:", tall), ("[1, 2]", "[4]")))
    assert [plan.shown(d)["engines.mxu"] for d in plan.designs if d.baseline] == ["tall"]


def test_groups_must_lead_to_something(tmp_path: Path) -> None:
    with pytest.raises(InputError) as fault:
        make_plan(named(tmp_path, ("engines.mxu.rows]", "engines.mxu.row]")))
    assert str(fault.value) == (
        f"{tmp_path}/question.yaml:13: groups[1]: path must lead to a value of some design, "
        "not 'engines.mxu.row'"
    )


def test_models_are_found_from_anywhere_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked(tmp_path)
    monkeypatch.chdir(tmp_path)
    (workload,) = make_plan("question.yaml").workloads
    assert workload.model == str(tmp_path / "tiny.csv")
    assert workload.label == "tiny.csv"


@pytest.mark.parametrize("baseline", ["tpu_like", "{engines.mxu.rows: 32}"])
def test_a_baseline_is_run_beside_the_points(tmp_path: Path, baseline: str) -> None:
    plan = make_plan(asked(tmp_path, ("axes:", f"baseline: {baseline}\naxes:")), subset=2)
    assert [(d.swept, d.baseline) for d in plan.designs] == [(True, False)] * 2 + [(False, True)]
    assert plan.designs[-1].digest == load_design("tpu_like").digest()
    assert plan.designs[-1].point == {"engines.mxu.rows": 32, "engines.mxu.cols": 32}


def test_a_baseline_may_be_of_any_process_that_points_are_made_in(tmp_path: Path) -> None:
    both = asked(
        tmp_path,
        ("axes:", "set: {node: asap7}\nbaseline: tpu_like\naxes:\n  node: [asap7, freepdk45]"),
    )
    assert [d.baseline for d in make_plan(both).designs].count(True) == 1


def test_a_baseline_that_is_a_point_is_both(tmp_path: Path) -> None:
    point = "{engines.mxu.rows: 2, engines.mxu.cols: 8}"
    plan = make_plan(asked(tmp_path, ("axes:", f"baseline: {point}\naxes:")))
    assert [d.point for d in plan.designs if d.baseline] == [
        {"engines.mxu.rows": 2, "engines.mxu.cols": 8}
    ]
    assert len(plan.designs) == 9
    assert all(d.swept for d in plan.designs)


BESIDE = """\
beside:
  - cube_like
  - {design: tpu_like, set: {engines.mxu.rows: 8, engines.mxu.cols: 8}, name: small}
  - mine.yaml
axes:"""


def test_designs_beside_the_points_have_names_and_stay_in_a_subset(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text("extends: tree_like\nlink: {gb_per_s: 3}\n")
    path = asked(tmp_path, ("axes:", BESIDE))
    plan = make_plan(path, subset=2)
    assert [d.beside for d in plan.designs] == ["", "", "cube_like", "small", "mine"]
    assert [d.swept for d in plan.designs] == [True, True, False, False, False]
    small = {"engines.mxu.rows": 8, "engines.mxu.cols": 8}
    wanted = [load_design("cube_like"), load_design("tpu_like", small)]
    wanted.append(load_design("tree_like", {"link.gb_per_s": 3}))
    assert [d.digest for d in plan.designs[2:]] == [design.digest() for design in wanted]
    assert [design_from(plan.tree(d)).digest() for d in plan.designs[2:]] == [
        design.digest() for design in wanted
    ]


def test_a_design_beside_the_points_may_be_a_point_and_the_baseline(tmp_path: Path) -> None:
    two = "{design: tpu_like, set: {engines.mxu.rows: 2, engines.mxu.cols: 2}, name: two}"
    both = f"baseline: tpu_like\nbeside: [tpu_like, {two}]\naxes:"
    plan = make_plan(asked(tmp_path, ("axes:", both)))
    found = {d.beside: (d.swept, d.baseline) for d in plan.designs if d.beside}
    assert found == {"tpu_like": (False, True), "two": (True, False)}
    assert len(plan.designs) == 10


def test_a_plan_with_designs_beside_it_survives_its_file(tmp_path: Path) -> None:
    path = asked(tmp_path, ("axes:", "beside: cube_like\naxes:"))
    plan = make_plan(path)
    (tmp_path / "plan.json").write_text(plan_text(plan))
    assert read_plan(tmp_path / "plan.json", path) == plan


def test_subsets_grow_without_changing(tmp_path: Path) -> None:
    path = asked(tmp_path)
    digests = [[d.digest for d in make_plan(path, n).designs] for n in (3, 5, 9, 100)]
    assert [len(d) for d in digests] == [3, 5, 9, 9]
    assert set(digests[0]) < set(digests[1]) < set(digests[2])
    assert digests[2] == digests[3]


@pytest.mark.parametrize(
    ("change", "parts"),
    [
        (("How many PEs?", "Why?"), []),
        (("area_mm2: min", "energy_pj: max"), []),
        (("objectives:", "workers: 2\nconstraints: {area_mm2: {max: 1}}\nobjectives:"), []),
        (("- tiny.csv", "- {model: tiny.csv, name: tiny.csv, weight: 5}"), []),
        (("- tiny.csv", "- {model: tiny.csv, name: other}"), ["workloads"]),
        (("rows: [2, 4, 8]", "rows: [2, 4]"), ["axes"]),
        (("axes:", "set: {link.gb_per_s: 1}\naxes:"), ["design"]),
        (("axes:", "baseline: tpu_like\naxes:"), ["baseline"]),
        (("axes:", "beside: [cube_like]\naxes:"), []),
        (("axes:", "fidelity: event\nmapping: {objective: edp}\naxes:"), ["fidelity", "mapping"]),
        (("axes:", "sampling: {kind: lhs, count: 5}\naxes:"), ["sampling"]),
        (("axes:", "when: {path: engines.mxu.rows, at_least: 4}\naxes:"), ["when"]),
    ],
)
def test_what_decides_answers_makes_another_question(
    tmp_path: Path, change: tuple[str, str], parts: list[str]
) -> None:
    before = make_plan(asked(tmp_path)).identity
    after = make_plan(asked(tmp_path, change)).identity
    assert [part for part in before if before[part] != after[part]] == parts


def test_a_changed_model_file_makes_another_question(tmp_path: Path) -> None:
    path = asked(tmp_path)
    before = make_plan(path).identity
    (tmp_path / "tiny.csv").write_text("name,M,N,K\na,8,16,33\n")
    after = make_plan(path).identity
    assert [part for part in before if before[part] != after[part]] == ["workloads"]


def test_changed_values_of_a_trace_make_another_question(tmp_path: Path) -> None:
    """The lines of the trace stay as they are; its side file does not."""
    path = asked(tmp_path, ("tiny.csv", "tiny.jsonl"))
    trace = load(tmp_path / "tiny.csv")
    name = trace.ops[0].inputs[0]
    tensors = {**trace.tensors, name: replace(trace.tensors[name], data="a")}
    found = []
    for value in (1, 1, 2):
        values = {"a": np.full(trace.tensors[name].shape, value, np.int8)}
        write_trace(replace(trace, tensors=tensors), tmp_path / "tiny.jsonl", values)
        found.append(make_plan(path).identity["workloads"])
    assert found[0] == found[1] != found[2]


def test_the_version_names_the_models_source() -> None:
    assert re.fullmatch(r"\d+\.\d+\.\d+\S*\+[0-9a-f]{12}.*", model_version())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            ("rows: [2, 4, 8]", "rows: [2, 0, 4000]"),
            (
                "{}:6: axes: every point must be a design; leave others out with `when`:\n"
                "  design: engines.mxu.rows: input should be greater than or equal to 1, not 0 "
                "(at engines.mxu.rows=0, engines.mxu.cols=2)\n"
                "  design: engines.mxu.rows: input should be less than or equal to 1024, not 4000 "
                "(at engines.mxu.rows=4000, engines.mxu.cols=2)"
            ),
        ),
        (
            ("engines.mxu.rows:", "memories.dram.channel:"),
            (
                "{}:7: axes.memories.dram.channel: path must end in one of burst_bytes, "
                "channel_gb_per_s, channels, latency_ns, page_bytes, page_miss_ns (did you mean "
                "'channels'?), not 'memories.dram.channel'"
            ),
        ),
        (
            ("engines.mxu.rows:", "engines.mxv.rows:"),
            (
                "{}:7: axes.engines.mxv.rows: path must lead into the design; 'engines.mxv' holds "
                "no keys, not 'engines.mxv.rows'"
            ),
        ),
        (
            ("axes:", "set: {memory: 5}\naxes:"),
            (
                "{}:6: set.memory: path must end in one of description, engines, fallback, link, "
                "memories, name, node, policy (did you mean 'memories'?), not 'memory'"
            ),
        ),
        (
            ("axes:", "baseline: {engines.mxu.rows: 0}\naxes:"),
            "{}:6: baseline: must make a design: design: engines.mxu.rows: input should be greater",
        ),
        (
            ("axes:", "baseline: a100\naxes:"),
            (
                "{}:6: baseline: must be made in the process of some point, freepdk45, not 'N7'; "
                "say it as a point, or name the design under `beside`"
            ),
        ),
        (
            ("axes:", "beside: [cube_like, cube_lick]\naxes:"),
            "{}:6: beside[1]: must be a design: design: must be a YAML file or one of ",
        ),
        (
            ("axes:", "beside:\n- design: cube_like\n  set: {engines.mxu.row: 3}\naxes:"),
            "{}:7: beside[0]: path must end in one of ",
        ),
        (
            ("axes:", "beside: [{design: cube_like, set: {engines.mxu.rows: 0}}]\naxes:"),
            "{}:6: beside[0]: must make a design: design: engines.mxu.rows: input should be great",
        ),
        (
            ("axes:", "beside: [cube_like, {design: cube_like, name: again}]\naxes:"),
            "{}:6: beside[1]: must be a design of its own; it is the same as 'cube_like', not ",
        ),
        (
            ("axes:", "beside: [cube_like, cube_like]\naxes:"),
            "{}:6: beside: every design beside must have its own name; 'cube_like' stands twice",
        ),
        (
            ("axes:", "beside: [{name: a100}]\naxes:"),
            "{}:6: beside.0.design: is required and missing",
        ),
        (
            ("design: tpu_like", "design: tpu_lick"),
            (
                f"design: must be a YAML file or one of {', '.join(shipped())} "
                "(did you mean 'tpu_like'?), not 'tpu_lick'"
            ),
        ),
        (
            ("- tiny.csv", "- resnet51"),
            "{}:5: workloads[0]: must be a model that loads: model: must be one of",
        ),
    ],
)
def test_faults_say_where_and_what(tmp_path: Path, change: tuple[str, str], message: str) -> None:
    path = asked(tmp_path, change)
    with pytest.raises(InputError, match=f"^{re.escape(message.format(path))}"):
        make_plan(path)


def test_a_list_is_no_sweep_and_nothing_is_no_subset(tmp_path: Path) -> None:
    path = tmp_path / "list.yaml"
    path.write_text("- a\n")
    with pytest.raises(InputError, match=r"list.yaml:1: a sweep must be a mapping of keys"):
        make_plan(path)
    with pytest.raises(InputError, match=r"^subset: must be a positive integer, not 0$"):
        make_plan(asked(tmp_path), subset=0)
    with pytest.raises(InputError, match=r"nothing.yaml: must be a readable UTF-8 file"):
        make_plan(tmp_path / "nothing.yaml")
