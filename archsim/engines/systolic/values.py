"""Operand values of conformance cases: integers of any width, and floats where rounding shows."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from archsim.engines import Ints
from archsim.engines.gemm.integers import random_integers
from archsim.engines.systolic.spec import SystolicSpec

Rng = np.random.Generator
Shape = tuple[int, int]

# bf16: zeros, ones, subnormals, least and greatest normal numbers, infinities, a NaN
EDGES = np.array(
    [0, 0x8000, 0x3F80, 0xBF80, 0x0001, 0x807F, 0x0080, 0x8080, 0x7F7F, 0xFF7F, 0x7F80, 0xFF80,
     0x7FC1, 0x2000, 0xA000, 0x1F80]
)  # fmt: skip
# sums of these often come to nothing
SMALL_WHOLE_NUMBERS = np.array([0, 0x8000, 0x3F80, 0xBF80, 0x4000, 0xC000, 0x4040])
# biased exponents of a, b and c: alike; products that fp32 has as subnormals, or hardly; operands
# that are subnormal, of products that are not; products that are infinite, or hardly not
EXPONENTS: Mapping[str, tuple[Shape, Shape, Shape]] = {
    "alike": ((124, 131), (124, 131), (124, 134)),
    "tiny": ((48, 66), (48, 66), (0, 8)),
    "subnormal": ((0, 1), (200, 240), (60, 110)),
    "huge": ((187, 192), (187, 192), (248, 255)),
}


def operands(rng: Rng, spec: SystolicSpec, m: int, n: int, k: int) -> Mapping[str, Ints]:
    """Return ``a`` [m, k], ``b`` [k, n] and ``c`` [m, n] in the array's numbers."""
    shapes = {"a": (m, k), "b": (k, n), "c": (m, n)}
    bits = {"a": spec.a_bits, "b": spec.b_bits, "c": spec.acc_bits}
    if spec.numbers == "int":
        return {name: random_integers(rng, shape, bits[name]) for name, shape in shapes.items()}
    kind = str(rng.choice([*EXPONENTS, "whole"]))
    if kind == "whole":
        found = {
            name: rng.choice(SMALL_WHOLE_NUMBERS, shape) << bits[name] - 16
            for name, shape in shapes.items()
        }
    else:
        a, b, c = EXPONENTS[kind]
        ranges = {"a": a, "b": b, "c": c} if rng.random() < 0.5 else {"a": b, "b": a, "c": c}
        found = {
            name: _floats(rng, shape, bits[name], ranges[name]) for name, shape in shapes.items()
        }
    if rng.random() < 0.5:
        return found
    return {name: _with_edges(rng, values, bits[name]) for name, values in found.items()}


def _floats(rng: Rng, shape: Shape, bits: int, exponents: Shape) -> Ints:
    """Return bit patterns with any sign and fraction and a biased exponent of a range."""
    fraction_bits = bits - 9
    sign_and_fraction = rng.integers(0, 2**bits, shape) & ~(0xFF << fraction_bits)
    return sign_and_fraction | rng.integers(*exponents, shape) << fraction_bits


def _with_edges(rng: Rng, patterns: Ints, bits: int) -> Ints:
    """Return the patterns with edges of the format put among them."""
    edges = rng.choice(EDGES, patterns.shape) << bits - 16
    return np.where(rng.random(patterns.shape) < 0.1, edges, patterns)
