"""What a float model's numbers become, where the design decides and where the user does."""

from __future__ import annotations

import pytest

from archsim.frontends import load
from archsim.frontends.policy import native_dtype

INT4, INT8, INT16 = ({"int4"}, {"int4", "int8"}, {"int4", "int8", "int16"})


@pytest.mark.parametrize(
    ("formats", "chosen"),
    [
        ([], "int8"),  # no engine multiplies: as ever
        ([INT4], "int4"),
        ([INT8], "int8"),
        ([INT16], "int16"),
        ([{"bf16"}], "bf16"),
        ([INT16, INT8], "int8"),  # what both take
        ([None], "int8"),
        ([INT8, None], "int8"),
        ([INT8, {"bf16"}], "int8"),  # nothing that both take
    ],
)
def test_the_widest_format_that_all_engines_take(
    formats: list[set[str] | None], chosen: str
) -> None:
    assert chosen == native_dtype(formats)


def test_the_design_decides_where_nothing_is_asked_for() -> None:
    trace = load("gpt2_decode", native_dtype="bf16")
    assert {"bf16"} == {t.dtype for t in trace.tensors.values() if t.role == "weight"} - {"int32"}
    assert any("become bf16, rounded to nearest even" in note for note in trace.notes)
    assert "dtype=bf16" in trace.source


def test_what_is_asked_for_wins() -> None:
    trace = load("gpt2_decode@dtype=int16", native_dtype="bf16")
    assert "dtype=int16" in trace.source
