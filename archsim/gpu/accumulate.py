"""What tensor cores make of a product: their sums, bit for bit, by architecture and instruction.

A tensor core takes a few products of one output and the sum so far, and adds them at once:

1. The exponent of a product is the sum of its factors' (their smallest normal one if they are
   subnormal, which they may be); it is not normalised, so a significand may be just below four.
   The sum so far has its own exponent; a zero counts with that of the smallest normal fp32 number.
2. Relative to the largest of these exponents, every term is cut toward zero to `fraction_bits`.
3. The terms are added exactly.
4. The sum is cut toward zero to fp32 (``fp32``) or to fp32 with 13 bits of fraction (``e8m13``),
   or rounded to nearest, ties to even, to fp16 (``fp16``).

An instruction with a longer k does this several times, one after another; a GEMM goes on from
instruction to instruction. With elements of four bits under block scales, sixteen products are
first added exactly, and their sum, times both scales, is one term with the scales' exponents.
TF32 operands are cut to 19 bits. A zero is positive. NaN and infinities go by IEEE 754; the one
NaN that is written is 0x7FFFFFFF. Integer products are exact and wrap at 32 bits.

`RULES` has the numbers of bits. Source: the algorithm and the table are read in MMA-Sim (Xie, Wang,
Yang, Yang, arXiv 2511.10909; its code of January 2026), which claims equality with hardware, bit
for bit. Its simulator and this model gave the same 27,392 outputs of 26 instructions, on operands
of one size, of all sizes, of any pattern, and with zeros, NaN and infinities; nothing here was
compared with hardware.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from archsim.formats.blocks import BLOCK_FORMATS, E8M0_BIAS, Blocks, scale_values
from archsim.formats.minifloat import (
    E4M3,
    FORMATS,
    FP16,
    FP32,
    TF32,
    Doubles,
    MiniFloat,
    rounded,
    truncated,
)
from archsim.formats.requantise import wrap

Architecture = Literal["volta", "turing", "ampere", "ada", "hopper", "blackwell"]
Output = Literal["fp32", "e8m13", "fp16"]
Exponents = NDArray[np.int32]
Singles = NDArray[np.float32]

NAN = np.uint32(0x7FFF_FFFF).view(np.float32)
TILE = 1 << 14  # sums that are worked on at a time: they stay in a cache


@dataclass(frozen=True, slots=True)
class Rule:
    """How an instruction adds.

    Parameters
    ----------
    fraction_bits
        Of a term, relative to the largest exponent.
    step
        Products that are added at once.
    output
        How a sum is kept from step to step.
    exact
        Products that are added exactly to make a term.
    """

    fraction_bits: int
    step: int
    output: Output = "fp32"
    exact: int = 1


_HALF = ("fp16", "bf16")
_FP8 = ("e4m3", "e5m2")


def _rules() -> dict[tuple[Architecture, str], Rule]:
    found: dict[tuple[Architecture, str], Rule] = {
        ("volta", "fp16"): Rule(23, 4),  # m8n8k4
        ("turing", "fp16"): Rule(24, 8),  # m16n8k8
    }
    for half in _HALF:
        found |= {("ampere", half): Rule(24, 8), ("ada", half): Rule(24, 8)}  # k16 as 8 + 8
        found |= {("hopper", half): Rule(25, 16), ("blackwell", half): Rule(25, 16)}
    found |= {("ampere", "tf32"): Rule(24, 4), ("ada", "tf32"): Rule(24, 4)}  # k8 as 4 + 4
    found |= {("hopper", "tf32"): Rule(25, 8), ("blackwell", "tf32"): Rule(25, 8)}
    for fp8 in _FP8:
        found[("ada", fp8)] = Rule(13, 16, "e8m13")  # mma m16n8k32 as 16 + 16
        found[("hopper", fp8)] = Rule(13, 32, "e8m13")  # wgmma k32
        found[("blackwell", fp8)] = Rule(25, 32)  # tcgen05
        found[("blackwell", f"mxfp8_{fp8}")] = Rule(25, 32)
    for four in ("mxfp4", "nvfp4"):
        found[("blackwell", four)] = Rule(35, 64, exact=16)
    return found


RULES = _rules()
"""By architecture and operands: of the instruction that an architecture is fastest with."""


def rule(
    architecture: Architecture, operands: str, output: Literal["fp32", "fp16"] = "fp32"
) -> Rule:
    """Return how an architecture adds products of operands of a format.

    Parameters
    ----------
    operands
        A name in `archsim.formats.minifloat.FORMATS` or `archsim.formats.blocks.BLOCK_FORMATS`.
    output
        What a sum is kept in; ``fp32`` is ``e8m13`` where the hardware has no more of it.

    Raises
    ------
    ValueError
        If the architecture has no such instruction.
    """
    found = RULES.get((architecture, operands))
    if found is None:
        known = ", ".join(name for arch, name in RULES if arch == architecture)
        if not known:
            others = ", ".join(dict.fromkeys(arch for arch, _ in RULES))
            raise ValueError(f"architecture must be one of {others}, not {architecture!r}")
        raise ValueError(f"{architecture} multiplies {known}, not {operands}")
    if output == "fp16":
        return Rule(found.fraction_bits, found.step, "fp16", found.exact)
    return found


def tensor_core_matmul(
    a: Any,
    b: Any,
    architecture: Architecture,
    operands: str,
    *,
    promote_every: int | None = None,
    output: Literal["fp32", "fp16"] = "fp32",
) -> NDArray[Any]:
    """Return what a GPU gives for ``a`` [m, k] times ``b`` [k, n]: [m, n], fp32.

    Operands are first rounded to the format as software does it: to nearest, ties to even,
    saturating in formats of 8 bits and less, in blocks along k where the format has blocks.
    With ``int8`` they are integers, as sums are: int32, wrapping.

    Parameters
    ----------
    architecture
        ``ampere`` (A100, RTX 3090), ``ada`` (RTX 4090), ``hopper`` (H100, H200), ``blackwell``
        (B200), or the older ``volta`` and ``turing``.
    operands
        ``fp16``, ``bf16``, ``tf32``, ``e4m3``, ``e5m2``, ``mxfp8_e4m3``, ``mxfp8_e5m2``,
        ``mxfp4``, ``nvfp4`` or ``int8``: see `RULES` for which architecture has which.
    promote_every
        Products after which a sum is added to another in fp32, to nearest, outside the tensor
        core, as kernels for FP8 on Hopper do each 128; None: never.
    output
        Of the instruction. An fp16 sum is returned as fp32.

    Raises
    ------
    ValueError
        If the architecture has no such instruction, or ``a`` not as many columns as ``b`` rows.
    """
    if operands == "int8":
        return wrap(np.asarray(a, np.int64) @ np.asarray(b, np.int64), 32).astype(np.int32)
    how = rule(architecture, operands, output)
    block = BLOCK_FORMATS.get(operands)
    if block is not None:
        columns = block.encode(np.asarray(b).T)
        return block_matmul(block.encode(a), columns, how, promote_every=promote_every)
    f = FORMATS[operands]
    if f is not TF32:  # whose bits the hardware cuts by itself
        a, b = (f.quantise(x, saturate=f.bits <= 8) for x in (a, b))
    return matmul(a, b, f, how, promote_every=promote_every)


def matmul(
    a: Any,
    b: Any,
    f: MiniFloat,
    how: Rule,
    *,
    c: Any = None,
    promote_every: int | None = None,
) -> Singles:
    """Return ``a`` [m, k] times ``b`` [k, n] plus ``c`` [m, n] as an instruction adds them: [m, n].

    Parameters
    ----------
    a, b
        Numbers of a format, fp32 ones for TF32.
    c
        What sums start from, in the format they are kept in; None: zero.
    promote_every
        See `tensor_core_matmul`.
    """
    left, right = (np.asarray(x, np.float64) for x in (a, b))
    _check_length(left, right)
    if f is TF32:
        singles = (x.astype(np.float32).astype(np.float64) for x in (left, right))
        left, right = (truncated(x, f.fraction_bits, f.min_exponent) for x in singles)
    rows = _Terms(left, _exponents(left, f))
    return _promoted(rows, _Terms(right, _exponents(right, f)), how, c, promote_every)


def block_matmul(
    a: Blocks, b: Blocks, how: Rule, *, c: Any = None, promote_every: int | None = None
) -> Singles:
    """Return ``a`` [m, k] times the transpose of ``b`` [n, k] as block-scaled instructions do.

    Scales of whole arrays multiply the result, in fp32.
    """
    _check_length(a.codes, b.codes.T)
    left, right = _scaled_terms(a, how), _scaled_terms(b, how)
    found = _promoted(left, right.transposed(), how, c, promote_every)
    scale = a.array_scale * b.array_scale
    with np.errstate(over="ignore"):
        return found if scale == 1 else found * scale


def _check_length(a: NDArray[Any], b: NDArray[Any]) -> None:
    """Refuse operands whose products NumPy would cut, or blocks fill up, to the same length."""
    (m, k), (rows, n) = a.shape, b.shape
    if k != rows:
        raise ValueError(f"a [{m}, {k}] times b [{rows}, {n}]: a has {k} columns, b {rows} rows")


@dataclass(frozen=True, slots=True)
class _Terms:
    """One factor of the terms: values [rows, k], exponents [rows, k / exact], or transposed."""

    values: Doubles
    exponents: Exponents

    def transposed(self) -> _Terms:
        return _Terms(self.values.T, self.exponents.T)


def _scaled_terms(x: Blocks, how: Rule) -> _Terms:
    """Return elements times scales, with the exponents that the instruction looks at."""
    elements, size = x.elements(), x.format.size
    scales = scale_values(x.scales, x.format.scale)
    if x.format.scale == "e4m3":
        powers = _exponents(scales, E4M3)
    else:
        powers = x.scales.astype(np.int32) - E8M0_BIAS
    values = elements * np.repeat(scales, size, axis=-1)[..., : elements.shape[-1]]
    if how.exact > 1:
        short = -values.shape[-1] % how.exact
        values = np.pad(values, [(0, 0)] * (values.ndim - 1) + [(0, short)])
        spread = np.repeat(powers, size // how.exact, axis=-1)
        return _Terms(values, spread[..., : values.shape[-1] // how.exact])
    spread = np.repeat(powers, size, axis=-1)[..., : elements.shape[-1]]
    return _Terms(values, spread + _exponents(elements, x.format.element))


def _promoted(a: _Terms, b: _Terms, how: Rule, c: Any, every: int | None) -> Singles:
    """Return sums that leave the tensor core after so many products each."""
    (m, k), n = a.values.shape, b.values.shape[1]
    start = np.zeros((m, n), np.float32) if c is None else np.asarray(c, np.float32)
    if every is None:
        return _summed(a, b, how, start, range(0, k))
    if every % how.step:
        raise ValueError(f"sums leave the tensor core after a multiple of {how.step}, not {every}")
    total = start
    for first in range(0, k, every):
        part = _summed(a, b, how, np.zeros_like(start), range(first, min(k, first + every)))
        with np.errstate(invalid="ignore", over="ignore"):
            total = total + part
    return total


def _summed(a: _Terms, b: _Terms, how: Rule, c: Singles, products: range) -> Singles:
    """Return sums of products in order, some rows at a time."""
    n = b.values.shape[1]
    height = max(1, TILE // max(1, n))
    found = np.empty(c.shape, np.float32)
    for top in range(0, len(c), height):
        rows = slice(top, top + height)
        total = c[rows].astype(np.float64)
        for first in range(products.start, products.stop, how.step):
            last = min(first + how.step, products.stop)
            terms = slice(first // how.exact, -(-last // how.exact))
            left = _Terms(a.values[rows, first:last], a.exponents[rows, terms])
            right = _Terms(b.values[first:last], b.exponents[terms])
            total = _dot_add(left, right, total, how)
        found[rows] = np.where(np.isnan(total), NAN, total.astype(np.float32))
    return found


def _dot_add(a: _Terms, b: _Terms, c: Doubles, how: Rule) -> Doubles:
    """Return c [m, n] plus the products of one step, kept as the rule has it."""
    if not all(np.isfinite(x).all() for x in (a.values, b.values, c)):
        return _beyond(a, b, c, how)
    largest = _exponents(c, _KEPT[how.output])
    for t in range(len(b.exponents)):
        np.maximum(largest, a.exponents[:, t, None] + b.exponents[t], out=largest)
    unit = np.ldexp(1.0, how.fraction_bits - largest)
    total = np.trunc(c * unit) + 0.0  # a zero is positive
    for t in range(len(b.exponents)):
        part = slice(t * how.exact, (t + 1) * how.exact)
        term = a.values[:, part] @ b.values[part]
        term *= unit
        total += np.trunc(term, out=term)
    return _kept(total / unit, how.output)


def _beyond(a: _Terms, b: _Terms, c: Doubles, how: Rule) -> Doubles:
    """Return the same where NaN and infinities are: they decide their outputs, and no others."""
    with np.errstate(invalid="ignore"):
        plain = a.values @ b.values + c
    a, b = (_Terms(np.where(np.isfinite(x.values), x.values, 0), x.exponents) for x in (a, b))
    found = _dot_add(a, b, np.where(np.isfinite(c), c, 0), how)
    return np.where(np.isfinite(plain), found, plain)


_KEPT = {"fp32": FP32, "e8m13": MiniFloat("e8m13", 8, 13, 127, "ieee"), "fp16": FP16}


def _kept(exact: Doubles, output: Output) -> Doubles:
    """Return sums as they are kept; what is too large is infinite, and a zero is positive."""
    f = _KEPT[output]
    near = rounded if output == "fp16" else truncated
    found = near(exact, f.fraction_bits, f.min_exponent) + 0.0
    return np.where(np.abs(found) > f.largest, np.copysign(np.inf, found), found)


def _exponents(values: Doubles, f: MiniFloat) -> Exponents:
    """Return exponents as a tensor core sees them."""
    return np.where(values == 0, np.int32(FP32.min_exponent), f.exponents(values))
