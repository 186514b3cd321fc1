"""Averages of set bits and Booth digits over kept operands, against integers written out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from archsim.frontends.data import Recording, load_with_data
from archsim.frontends.digits import statistics
from tests.frontends.test_data import chain


def recoded(value: int, bits: int) -> list[int]:
    """Return radix-4 Booth digits, lowest first, by the rule written bit by bit."""
    text = [0, *(value >> i & 1 for i in range(bits + bits % 2))]  # arithmetic: sign repeats
    return [text[i] + text[i + 1] - 2 * text[i + 2] for i in range(0, len(text) - 2, 2)]


@pytest.mark.parametrize("keep", ["values", "histogram"])
def test_averages_are_over_every_value(tmp_path: Path, keep: Any) -> None:
    path = chain(tmp_path)
    trace, kept = load_with_data(path, recording=Recording(keep), batch=9)
    _, values = load_with_data(path, recording=Recording(), batch=9)
    whole, _ = load_with_data(path, recording=Recording(), batch=9)
    for name, found in statistics(trace, kept).items():
        ref = whole.tensors[name].data
        assert isinstance(ref, str)
        integers = [int(v) for v in values[ref].ravel()]
        count = len(integers)
        assert found.zero_percent == pytest.approx(100 * integers.count(0) / count)
        assert found.set_bits == pytest.approx(sum((v & 255).bit_count() for v in integers) / count)
        digits = sum(d != 0 for v in integers for d in recoded(v, 8))
        assert found.booth_digits == pytest.approx(digits / count)
    assert set(statistics(trace, kept)) == {"x", "W", "r", "V"}


def test_floats_have_no_digits(tmp_path: Path) -> None:
    trace, kept = load_with_data(chain(tmp_path), recording=Recording(), dtype="keep")
    assert statistics(trace, kept) == {}
