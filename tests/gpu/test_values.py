"""Operands as they lie in memory, and what an oracle allows."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from archsim.gpu.machine_code import function, tensor_ptx
from archsim.gpu.tensor_cores import dot_instructions
from archsim.gpu.values import PATTERNS, Expected, decode, disagreements, encode

NUMBERS = st.lists(st.floats(-(2.0**100), 2.0**100, width=32), min_size=1, max_size=20)


@given(NUMBERS, st.sampled_from(["fp16", "bf16", "e4m3"]))
def test_formats_are_torchs(numbers: list[float], form: str) -> None:
    ours = encode(np.array(numbers), form)
    name = PATTERNS.get(form, "float16")
    theirs = torch.tensor(numbers, dtype=torch.float32).to(getattr(torch, name)).double().numpy()
    if form == "e4m3":  # beyond the largest number torch saturates or not by version
        theirs = np.where(np.abs(numbers) < 464, theirs, decode(ours, form))
    assert_array_equal(decode(ours, form), theirs)


@given(NUMBERS)
def test_tf32_are_fp32_numbers_with_10_bits(numbers: list[float]) -> None:
    bits = encode(np.array(numbers), "tf32").view(np.uint32)
    assert not np.any(bits & 0x1FFF)


@pytest.mark.parametrize(
    ("got", "value", "error", "allowed"),
    [
        (1.0, 1.0, 0.0, True),
        (1.0009765625, 1.0, 0.0, False),  # the next fp16 number
        (1.0009765625, 1.0, 0.0005, True),  # the interval's end rounds to it
        (np.nan, np.nan, 0.0, True),
        (np.nan, 1.0, 1e9, False),
        (1.0, np.nan, np.nan, False),
        (np.inf, np.inf, np.nan, True),
        (-np.inf, np.inf, np.inf, False),
        (np.inf, 65519.0, 2.0, True),  # 65520 rounds to infinity
        (np.inf, 65519.0, 0.5, False),
        (np.inf, 1e9, 1.0, True),
        (-0.0, 0.0, 0.0, True),
    ],
)
def test_results_lie_between_rounded_ends(
    got: float, value: float, error: float, allowed: bool
) -> None:
    expected = Expected(np.array([value]), np.array([error]))
    assert disagreements(np.array([got], np.float16), expected, "fp16")[0] == (not allowed)


def test_integers_are_equal_or_not() -> None:
    expected = Expected(np.array([1, 2]))
    assert_array_equal(disagreements(np.array([1, 3], np.int32), expected, "int32"), [False, True])
    with pytest.raises(ValueError, match=r"has shape \(1,\), its oracle \(2,\)"):
        disagreements(np.array([1], np.int32), expected, "int32")


def test_instructions_of_products() -> None:
    assert dot_instructions("sm_80", 128, 128, 64, "fp16", 4) == {"mma.sync": 128}
    assert dot_instructions("sm_90", 128, 128, 64, "fp16", 4) == {"wgmma.mma_async": 8}
    assert dot_instructions("sm_100", 128, 128, 64, "fp16", 4, copies=2) == {"tcgen05.mma": 8}
    assert dot_instructions("sm_90", 16, 64, 128, "fp16", 4) == {"mma.sync": 16}


PTX = """
\t// mma.sync in a comment
\tmma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 { %r1 }, { %r2 };
\t@%p32 tcgen05.mma.cta_group::1.kind::f16 [ %r567 + 0 ], %rd64;
\t@!%p1 bra $L__BB0_1;
"""
SASS = """
--:-:-:Y:2\tMOV R1, c[0x0][0x28] ;
--:-:-:Y:2\t@!P0 HMMA.16816.F32 R4, R8, R12, R4 ;
01:-:-:Y:2\t@UP1 UTCHMMA gdesc[UR4] ;
--:-:-:Y:2\tSTL.64 [R1], R2 ;
--:-:-:Y:2\tLDL R2, [R1] ;
"""


def test_machine_code_is_taken_apart() -> None:
    assert tensor_ptx(PTX) == {"mma.sync": 1, "tcgen05.mma": 1}
    used = " Function f:\n  REG:159 STACK:16 SHARED:1024 LOCAL:0\n"
    found = function("f", "sm_100", PTX, SASS, used, 512)
    assert found.tensor_sass == {"HMMA.16816.F32": 1, "UTCHMMA": 1}
    assert (found.registers, found.stack_bytes, found.spills) == (159, 16, 2)
    assert found.shared_bytes == 512
