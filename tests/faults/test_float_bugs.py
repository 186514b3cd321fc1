"""Bugs put into floating-point hardware and its reference: conformance must notice each."""

from __future__ import annotations

import dataclasses
from types import ModuleType

import numpy as np
import pytest

from archsim.engines import Engine, Rtl
from archsim.engines.systolic import ENGINE
from archsim.engines.systolic.spec import SystolicSpec
from archsim.formats import bf16
from archsim.verify import check

from ..hdl.test_floats import EDGES, differences, edge_addends, every_pair, products, sums
from .mutants import mutant

pytestmark = pytest.mark.slow

SPEC = SystolicSpec(rows=2, cols=2, numbers="bf16")
WS = SystolicSpec(rows=2, cols=2, numbers="bf16", dataflow="ws", acc_rows=4)
SEED = 5

ADDER = {
    "ties away from zero": ("float_add", "(half & (rest | last))", "half"),
    "never rounds up": ("float_add", "(half & (rest | last))", "0"),
    "ties to odd": ("float_add", "(rest | last)", "(rest | ~last)"),
    "what a carry shifts out forgotten": (
        "float_add",
        "Cat(total[:2].any(), total[2:])",
        "total[1:]",
    ),
    "zero with the sign of an addend": ("float_add", "x.sign & y.sign", "sign"),
    "infinities of both signs make one": (
        "float_add",
        "(x.infinite & y.infinite & subtract)",
        "0",
    ),
    "a NaN is not passed on": ("float_add", "x.nan | y.nan | (x", "x.nan | (x"),
    "normalised below the least exponent": ("float_add", "total[:-1] | limit", "total[:-1]"),
    "far addends wrap around": ("float_add", "distance[:5] | distance[5:].any().replicate(5)",
                                "distance[:5]"),
}  # fmt: skip
SHIFTER = {"sticky bit lost": ("floats", "value[: step + 1].any()", "value[step]")}
MULTIPLIER = {
    "subnormal products flushed": ("float_multiply", "kept + (half & (rest | kept[0]))", "0"),
    "subnormal products cut": ("float_multiply", "kept + (half & (rest | kept[0]))", "kept"),
    "overflow wraps": ("float_multiply", "Mux(infinite, INFINITY,", "Mux(0, INFINITY,"),
    "infinity times zero": ("float_multiply", "(infinite & zero)", "0"),
    "zeros of subnormal operands not counted": (
        "float_multiply",
        "leading_zeros(a.significand) + leading_zeros(b.significand)",
        "leading_zeros(a.significand)",
    ),
}
REFERENCE = {
    "products in reverse order": ("bf16", "zip(left.T, right,", "zip(left.T[::-1], right[::-1],"),
    "summed in double precision": (
        "bf16",
        "np.zeros((left.shape[0], right.shape[1]), np.float32)",
        "np.zeros((left.shape[0], right.shape[1]))",
    ),
    "c before the products": (
        "reference",
        "bf16.add(_folded(a, b, depth), c)",
        "bf16.add(bf16.add(c, _folded(a[:, :1], b[:1], 1)), _folded(a[:, 1:], b[1:], depth))",
    ),
    "one chain over all folds": ("reference", "else spec.rows", "else a.shape[1]"),
}
# those of the hardware's that few operands show are for the vectors alone
END_TO_END = (
    "ties away from zero", "zero with the sign of an addend", "a NaN is not passed on",
    "sticky bit lost", "subnormal products flushed", "overflow wraps",
)  # fmt: skip
HARDWARE = {**ADDER, **SHIFTER, **MULTIPLIER}


def parts_with(module: str, old: str, new: str) -> tuple[ModuleType, ModuleType]:
    """Return the adder's and the multiplier's module, with a fault."""
    changed = mutant(f"archsim.hdl.{module}", old, new)
    add = changed if module == "float_add" else _same("hdl.float_add")
    multiply = changed if module == "float_multiply" else _same("hdl.float_multiply")
    if module == "floats":
        add.shifted_right = multiply.shifted_right = changed.shifted_right
    return add, multiply


def engine_with(module: str, old: str, new: str) -> Engine:
    if module in ("reference", "bf16"):
        changed = mutant(
            f"archsim.{'formats' if module == 'bf16' else SYSTOLIC}.{module}", old, new
        )
        reference = changed if module == "reference" else _same(f"{SYSTOLIC}.reference")
        reference.bf16 = changed if module == "bf16" else bf16
        return dataclasses.replace(ENGINE, reference=reference.reference)
    add, multiply = parts_with(module, old, new)
    mac, port, array = _same("hdl.mac"), _same("hdl.result_port"), _same(f"{SYSTOLIC}.rtl")
    mac.Fp32Adder, mac.Bf16Multiplier = add.Fp32Adder, multiply.Bf16Multiplier
    port.add, array.multiply_add, array.ResultPort = mac.add, mac.multiply_add, port.ResultPort
    assert isinstance(ENGINE.rtl, Rtl)
    return dataclasses.replace(
        ENGINE, rtl=dataclasses.replace(ENGINE.rtl, build=array.SystolicArray)
    )


SYSTOLIC = "engines.systolic"


def _same(module: str) -> ModuleType:
    """Return a copy of a module, to hand changed parts to."""
    line = "from __future__ import annotations\n"
    return mutant(f"archsim.{module}", line, line)


@pytest.mark.parametrize("bug", HARDWARE)
def test_vectors_catch_a_seeded_bug(bug: str) -> None:
    add, multiply = parts_with(*HARDWARE[bug])
    rng = np.random.default_rng(3000)
    if bug in MULTIPLIER:
        pairs = np.concatenate([every_pair(EDGES), products(rng, 3000)])
        found = differences(multiply.Bf16Multiplier(), pairs, bf16.multiply(*pairs.T))
    else:
        pairs = np.concatenate([edge_addends(), sums(rng, 3000)])
        found = differences(add.Fp32Adder(), pairs, bf16.add(*pairs.T))
    assert found


@pytest.mark.parametrize("spec", [SPEC, WS])
def test_these_cases_find_nothing_in_the_engine_as_it_is(spec: SystolicSpec) -> None:
    assert [] == [row for row in check(ENGINE, 14, SEED, spec, "amaranth") if not row.ok]


@pytest.mark.parametrize("bug", [*END_TO_END, *REFERENCE])
def test_conformance_catches_a_seeded_bug(bug: str) -> None:
    engine = engine_with(*{**HARDWARE, **REFERENCE}[bug])
    spec = WS if bug == "one chain over all folds" else SPEC
    rows = check(engine, 14, SEED, spec, "amaranth")
    assert any("result" in text for row in rows for text in row.disagreements)
