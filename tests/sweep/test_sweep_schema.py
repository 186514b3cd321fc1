"""What people type: every way to say an axis, and every way to get it wrong."""

from __future__ import annotations

import re

import pytest

from archsim.errors import InputError
from archsim.sweep.columns import metric_names
from archsim.sweep.schema import Axis, Sweep
from archsim.yaml_file import Document, validate

HEAD = """\
name: q
design: tpu_like
workloads: [resnet50]
"""


def read(text: str) -> Sweep:
    document = Document(text, "q.yaml")
    return validate(Sweep, document.value, document)


def axis(text: str) -> list[object]:
    sweep = read(f"{HEAD}axes:\n  engines.mxu.rows: {text}\n")
    return [row[0] for row in sweep.axes["engines.mxu.rows"].rows()]


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("[4, 8]", [4, 8]),
        ("{values: [auto, 500, 1e9]}", ["auto", 500, 1e9]),
        ("{range: [4, 12, 4]}", [4, 8, 12]),
        ("{range: [4, 13, 4]}", [4, 8, 12]),
        ("{range: [0.1, 0.5, 0.1]}", [0.1, 0.2, 0.3, 0.4, 0.5]),
        ("{range: [1e3, 2e3, 1e3]}", [1000.0, 2000.0]),
        ("{pow2: [8, 64]}", [8, 16, 32, 64]),
        ("{pow2: [5, 63]}", [8, 16, 32]),
        ("{pow2: [1, 1]}", [1]),
        ("{log: [1, 1000, 4]}", [1, 10, 100, 1000]),
        ("{log: [1.0, 8, 4]}", [1.0, 2.0, 4.0, 8.0]),
        ("{log: [1, 3, 6]}", [1, 2, 3]),
        ("{named: {few: 4, many: 1e3}}", [4, 1000.0]),
    ],
)
def test_an_axis_lists_its_values(text: str, values: list[object]) -> None:
    assert values == axis(text)
    assert [type(v) for v in values] == [type(v) for v in axis(text)]


def test_a_link_moves_its_paths_together() -> None:
    linked = Axis.model_validate({"link": {"paths": ["a", "b"], "values": [[1, 2], ["3e1", 4]]}})
    assert linked.paths("label") == ("a", "b")
    assert linked.rows() == ((1, 2), (30.0, 4))


def test_defaults_ask_for_time_and_area_on_the_grid() -> None:
    sweep = read(f"{HEAD}axes: {{engines.mxu.rows: [1]}}\n")
    assert sweep.objectives == {"time_us": "min", "area_mm2": "min"}
    assert (sweep.sampling.kind, sweep.fidelity, sweep.mapping.objective) == (
        "grid", "analytic", "time",
    )  # fmt: skip
    assert [(w.label, w.weight) for w in sweep.workloads] == [("resnet50", 1)]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "axes: {engines.mxu.rows: {pow2: [1, 2], values: [1]}}",
            ("q.yaml:4: axes.engines.mxu.rows: must be a list or have exactly one of "
            "values, range, pow2, log, link, named"),
        ),
        (
            "axes: {engines.mxu.rows: {range: [4, 2, 1]}}",
            ("q.yaml:4: axes.engines.mxu.rows: range must be [start, stop, step] "
            "with step above 0 and stop >= start"),
        ),
        (
            "axes: {engines.mxu.rows: {range: [0, 1e12, 1]}}",
            "q.yaml:4: axes.engines.mxu.rows: must give 1 to 10,000 values, not 1,000,000,000,001",
        ),
        (
            "axes: {engines.mxu.rows: {log: [1, 2, 1e9]}}",
            ("q.yaml:4: axes.engines.mxu.rows: log must be [low, high, count] with high >= low "
            "and 1 <= count <= 10,000"),
        ),
        (
            "axes: {engines.mxu.rows: {pow2: [9, 15]}}",
            "q.yaml:4: axes.engines.mxu.rows: must give 1 to 10,000 values, not 0",
        ),
        (
            "axes: {engines.mxu.rows: [8, 16, 8]}",
            "q.yaml:4: axes.engines.mxu.rows: must give every value once",
        ),
        (
            "axes:\n  shape:\n    link: {paths: [a, b], values: [[1, 2], [3]]}",
            ("q.yaml:6: axes.shape.link: every row of values must have 2 values, one a path, "
            "not [3]"),
        ),
        (
            "axes: {a.b: [1], shape: {link: {paths: [a], values: [[{}]]}}}",
            "q.yaml:4: axes: a and a.b set the same part of the design",
        ),
        (
            "axes: {name: [x]}",
            "q.yaml:4: axes: name cannot be an axis: it does not change the design",
        ),
        (
            "axes: {a: {values: [1], when: {path: b}}}",
            ("q.yaml:4: axes.a.when.0: must have one or more of in, equals, not_equals, "
            "less_than, at_most, more_than, at_least"),
        ),
        (
            "axes: {a: [1]}\nwhen:\n- {path: b, product: [c, d], equals: 1}",
            "q.yaml:6: when.0: must have either path or product",
        ),
        ("axes: {a: [.nan]}", "q.yaml:4: axes.a.0: must be finite"),
        (
            "axes: {a: [1]}\nobjectives: {time: min}",
            "q.yaml:5: objectives: time must be one of " + ", ".join(sorted(metric_names())),
        ),
        (
            "axes: {a: [1]}\nconstraints:\n  area_mm2: {}",
            "q.yaml:6: constraints.area_mm2: must have min, max or both",
        ),
        (
            "axes: {a: [1]}\nsampling: {kind: lhs, count: many}",
            "q.yaml:5: sampling.count: input should be a valid integer",
        ),
        (
            "axes: {a: [1]}\nmetrics: {edp: {macs: 1}}",
            "q.yaml:5: metrics: edp must be a new name: archsim has a metric of that name",
        ),
        (
            "axes: {a: [1]}\nmetrics: {mine: {mac: 1}}",
            "q.yaml:5: metrics: mac must be one of area_mm2, cycles",
        ),
        (
            "axes: {a: [1]}\nmetrics: {mine: {macs: often}}",
            "q.yaml:5: metrics.mine.macs: input should be a valid integer",
        ),
        ("axes: {a: [1]}\nworker: 3", "q.yaml:5: worker: is not a known key"),
        ("axes: {a: [1]}\nfidelity: exact", "q.yaml:5: fidelity: input should be 'analytic' or"),
        (
            "axes: {a: [1]}\nname: ../evil",
            "q.yaml:5: every key must stand once, not 'name'",
        ),
    ],
)  # fmt: skip
def test_faults_say_where_and_what(text: str, message: str) -> None:
    with pytest.raises(InputError, match=f"^{re.escape(message)}"):
        read(f"{HEAD}{text}\n")


def test_a_sweeps_name_makes_a_folder_and_no_path() -> None:
    with pytest.raises(InputError, match=r"^q.yaml:1: name: string should match pattern"):
        read("name: ../evil\ndesign: tpu_like\nworkloads: [resnet50]\naxes: {a: [1]}\n")


def test_two_workloads_of_one_name_are_refused() -> None:
    with pytest.raises(InputError, match="every workload must have its own name; 'x' stands twice"):
        read(
            "name: q\ndesign: d\naxes: {a: [1]}\n"
            "workloads: [x, {model: y, name: x}]\n"
        )  # fmt: skip


def test_aliases_cannot_make_a_file_explode() -> None:
    layers = "\n".join(f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]" for i in range(1, 9))
    with pytest.raises(InputError, match=r"must hold at most 100,000 values"):
        read(f"a0: &a0 [x]\n{layers}\n")
