"""Points read part by part: the same digests and values as of whole designs."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from archsim.design import design_from, load_design, typed_design
from archsim.errors import InputError
from archsim.sweep.parts import Parts, PointDesign, with_point

BASE = load_design("tpu_like").model_dump(mode="json")
WIDE = {"kind": "systolic", "rows": 2, "cols": 64}
AXES: dict[str, list[Any]] = {
    "engines.mxu.rows": [4, 2e0, "8"],
    "engines.mxu.clock_mhz": ["auto", 100, {"mhz": 5, "assumed": "a \"quoted\" 'reason'"}],
    "memories.dram": [{"channels": 2}, {"channels": 4.0, "latency_ns": 60}],
    "link.gb_per_s": [8, 9.5],
    "engines.second": [WIDE],
}


def test_they_are_what_whole_designs_say() -> None:
    parts = Parts(BASE, AXES)
    for values in itertools.product(*([*axis, None] for axis in AXES.values())):
        point = {path: v for path, v in zip(AXES, values, strict=True) if v is not None}
        design = design_from(with_point(BASE, point))
        assert parts.read(point) == PointDesign.of(design, AXES)


def test_what_follows_from_a_point_follows() -> None:
    second = "engines.second.numbers"
    paths = ["engines.mxu.numbers", "engines.mxu.dataflow", "engines.mxu.a_bits", "engines.second"]
    parts = Parts(typed_design("tpu_like"), [*paths, second])
    dtypes = {}
    for numbers, other in itertools.product(("int", "bf16"), (None, "int", "bf16")):
        point = {"engines.mxu.numbers": numbers, "engines.mxu.dataflow": "ws"}
        point |= {"engines.second": WIDE, second: other} if other else {}
        found = parts.read(point)
        assert found == PointDesign.of(load_design("tpu_like", point), [*paths, second])
        assert found.values["engines.mxu.a_bits"] == (16 if numbers == "bf16" else 8)
        dtypes[numbers, other] = found.dtype
    assert {key for key, dtype in dtypes.items() if dtype == "bf16"} == {
        ("bf16", None), ("bf16", "bf16"),
    }  # fmt: skip
    assert set(dtypes.values()) == {"int8", "bf16"}


def test_a_point_that_is_no_design_says_why() -> None:
    parts = Parts(BASE, ["engines.mxu.rows", "link.gb_per_s"])
    for _ in range(2):
        with pytest.raises(InputError, match=r"link.gb_per_s: input should be greater than 0"):
            parts.read({"engines.mxu.rows": 4, "link.gb_per_s": -1})
    parts.read({"engines.mxu.rows": 4, "link.gb_per_s": 1})


def test_setting_a_point_leaves_the_base_alone() -> None:
    before = str(BASE)
    tree = with_point(BASE, {"memories.dram.channels": 9, "engines.x": WIDE, "engines.x.rows": 3})
    assert (tree["memories"]["dram"]["channels"], tree["engines"]["x"]["rows"]) == (9, 3)
    assert str(BASE) == before
    assert WIDE["rows"] == 2
    with pytest.raises(InputError, match="'rows' must hold keys"):
        with_point(BASE, {"engines.mxu.rows.low": 1})
