"""What has no datapath in a system is refused with its reason; what does not fit, with its size."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest

from archsim.errors import ArchsimError
from archsim.hdl.descriptors import Geometry, Table
from archsim.mapping import GemmMapping
from archsim.trace import Op, Packed, Trace
from archsim.verify.system import prepare
from archsim.verify.system_cases import DIRECTED, Layer, SystemCase, cases, chain, small_design


def case(name: str) -> SystemCase:
    return next(c for c in cases(np.random.default_rng(1), len(DIRECTED)) if c.name == name)


def message(chosen: SystemCase, geometry: Geometry | None = None) -> str:
    with pytest.raises(ArchsimError) as caught:
        prepare(chosen, geometry)
    return str(caught.value)


def changed(chosen: SystemCase, **fields: Any) -> SystemCase:
    """Return the case with its first op's fields changed."""
    first, *rest = chosen.trace.ops
    op: Op = dataclasses.replace(first, **fields)
    trace: Trace = dataclasses.replace(chosen.trace, ops=(op, *rest))
    return dataclasses.replace(chosen, trace=trace)


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        (
            {"repeat": 2},
            "op 'op0': must run once, not 2",
        ),
        (
            {"epilogue": ("gelu", "requantise")},
            "op 'op0': must write int32, or bias, relu and then requantise to int8, not ('gelu', ",
        ),
        (
            {"epilogue": ("requantise",)},
            "op 'op0': must have inputs a, b, and a bias where its epilogue has, not ('x', 'w0', ",
        ),
    ],
)  # fmt: skip
def test_refuses_ops_without_a_datapath(fields: dict[str, Any], text: str) -> None:
    said = message(changed(case("chain-3"), **fields))
    assert said.startswith(text)
    assert said.endswith("; the system has no datapath for it")


def test_refuses_packed_weights() -> None:
    chosen = case("chain-3")
    tensors = dict(chosen.trace.tensors)
    tensors["w0"] = dataclasses.replace(tensors["w0"], data=Packed(tensors["w0"].elements // 2, 2))
    trace = dataclasses.replace(chosen.trace, tensors=tensors)
    text = message(dataclasses.replace(chosen, trace=trace))
    assert text == (
        "op 'op0': must have weights that are not packed, not 'w0'; "
        "the system has no datapath for it"
    )


def test_refuses_grouped_and_batched_convolutions() -> None:
    grouped = case("conv-1x1")
    attrs = grouped.trace.ops[0].attrs
    text = message(changed(grouped, attrs={**attrs, "groups": 2}))
    assert text.startswith("op 'op0': must be one product, not one a group, not 2")
    text = message(changed(grouped, attrs={**attrs, "batch": 2}))
    assert text.startswith("op 'op0': must be of one image, not 2")


def test_refuses_what_its_memories_do_not_hold() -> None:
    small = Geometry(4, 4, a_depth=1)
    assert message(case("conv-3x3"), small).startswith("op 'op0': its tiles of a needs ")
    few = Geometry(4, 4, jobs=2)
    assert message(case("gemm"), few) == (
        "the program's table of jobs needs 4 rows, and there are 2; run it in parts"
    )


def test_refuses_partial_sums_that_leave_the_buffer() -> None:
    mapping = GemmMapping(4, 4, 4, "kmn")
    layer = Layer(8, m=8, k=8, narrow=False, mapping=mapping)
    spills = chain("spills", small_design(), [layer], np.random.default_rng(0))
    assert message(spills) == (
        "mapping of 'op0': must keep partial sums in the buffer, not \"kmn, resident ''\"; give k "
        "innermost or whole, or c resident"
    )


def test_wants_scales_of_what_it_requantises() -> None:
    bare = dataclasses.replace(case("conv-3x3"), scales={})
    assert message(bare) == "op 'op0': must have scales, as it requantises"


def test_tables_pack_from_the_lowest_bit_and_refuse_what_does_not_fit() -> None:
    table = Table(0, {"a": 4, "b": 32, "c": 3}, 8)
    assert (table.words, table.stride_words) == (2, 2)
    assert table.pack({"a": 5, "b": -1, "c": 2}) == [0xFFFFFFF5, 0x2F]
    with pytest.raises(ValueError, match="c must fit 3 bits, not 8"):
        table.pack({"a": 0, "b": 0, "c": 8})
    with pytest.raises(ValueError, match="fields must be"):
        table.pack({"a": 0})


def test_prefetches_the_weights_of_the_op_that_follows() -> None:
    program = prepare(case("chain-3")).program
    transfers = program.tables["transfers"]
    jobs = program.tables["jobs"]
    second = next(i for i, job in enumerate(jobs) if job["kept_input"])
    # the first weights of the second op come in before the first op's jobs have all ended
    assert any(row["action"] == 1 and row["jobs"] < second for row in transfers[3:])
    assert all(job["loads"] <= len(transfers) for job in jobs)
