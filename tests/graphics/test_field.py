from __future__ import annotations

from dataclasses import replace

import pytest

from archsim.errors import InputError
from archsim.graphics.apps import APPS
from archsim.graphics.field import KIND, Field
from archsim.trace import BASE_OP_KINDS, Op

NSDF = APPS["nsdf"]
FIELD = Field(
    "nsdf", "objects", "ray", NSDF.encoding("hash").text, 1000, 100, 12, 2, ((128, 2),),
    NSDF.layers(32), 7168, 27870.0, 0.2763, "from memory",
)  # fmt: skip
OP = Op("frame", KIND, ("samples", "tables", "networks"), ("answers",), FIELD.attrs())


def test_an_op_says_all_of_a_field() -> None:
    kind = BASE_OP_KINDS[KIND]
    assert Field.of(OP) == FIELD
    assert OP.attrs.keys() == kind.attrs.keys()
    assert kind.macs(OP) == 7_168_000


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"reads": (128,)}, "op 'frame': reads: must be pairs of numbers above 0, not (128,)"),
        ({"layers": (32, 0)}, "op 'frame': layers: must be pairs of numbers above 0, not (32, 0)"),
        (
            {"rest_share": 1.5},
            "op 'frame': gpu_us, rest_share: must be above 0, and from 0 to 1, not (27870.0, 1.5)",
        ),
    ],
)
def test_numbers_of_no_query_are_refused(changes: dict[str, object], words: str) -> None:
    with pytest.raises(InputError) as caught:
        Field.of(replace(OP, attrs={**OP.attrs, **changes}))  # type: ignore[dict-item]
    assert str(caught.value) == words
