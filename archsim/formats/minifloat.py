"""Small floating-point formats, one definition for all: bit patterns, values and rounding.

A pattern has a sign, an exponent field and a fraction, in that order. With the field at zero it is
subnormal: ``fraction 2^(1 - bias - fraction_bits)``; else ``(1 + fraction / 2^fraction_bits)
2^(field - bias)``. What the highest patterns stand for is the format's own (`specials`):

- ``ieee``: the highest field is infinity (fraction 0) and NaN, as in fp16 and E5M2;
- ``nan``: all ones is NaN, and nothing is infinite, as in E4M3 (OCP 8-bit floating point, "fn");
- ``none``: they are numbers like the others, as in OCP's 6-bit and 4-bit formats.

With no exponent bits every pattern is subnormal: a sign and an integer, which is what elements of
a block with one exponent are (`archsim.formats.blocks`).

Rounding is to nearest, ties to even. Beyond the largest number values saturate, as conversions of
GPUs do (``cvt.rn.satfinite`` of PTX): infinity becomes the largest number, NaN stays NaN, and in a
format without NaN it becomes the largest positive number. ``saturate=False`` rounds as if the
range had no end; what then lies outside is infinite, or NaN in a format without infinity. The one
NaN that is written is positive: quiet in ``ieee`` formats, all ones in ``nan`` ones.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Doubles = NDArray[np.float64]
Codes = NDArray[np.unsignedinteger[Any]]
Specials = Literal["ieee", "nan", "none"]


@dataclass(frozen=True, slots=True)
class MiniFloat:
    """A floating-point format of up to 32 bits.

    Parameters
    ----------
    name
        In lower case, as PTX and OCP have it.
    exponent_bits, fraction_bits, bias
        See the module.
    specials
        What is infinite, and what is no number.
    """

    name: str
    exponent_bits: int
    fraction_bits: int
    bias: int
    specials: Specials

    @property
    def bits(self) -> int:
        return 1 + self.exponent_bits + self.fraction_bits

    @property
    def min_exponent(self) -> int:
        """Exponent of the smallest normal number, and of every subnormal one."""
        return 1 - self.bias

    @property
    def max_exponent(self) -> int:
        """Exponent of the largest number: ``floor(log2(largest))``."""
        return int(np.frexp(self.largest)[1]) - 1

    @property
    def largest(self) -> float:
        """The largest number."""
        top = (1 << self.bits - 1) - 1
        if self.specials == "ieee":
            top -= 1 << self.fraction_bits
        return float(self._magnitude(np.int64(top - (self.specials == "nan"))))

    @property
    def smallest(self) -> float:
        """The smallest number above zero."""
        return 2.0 ** (self.min_exponent - self.fraction_bits)

    @property
    def _infinity(self) -> int:
        """Pattern of infinity, with all above it NaN."""
        return ((1 << self.exponent_bits) - 1) << self.fraction_bits

    @property
    def _nan(self) -> int:
        """Pattern of the NaN that is written, or of the largest number if there is none."""
        quiet = (self.specials == "ieee") << self.fraction_bits >> 1
        return self._infinity | quiet if quiet else (1 << self.bits - 1) - 1

    def decode(self, codes: Any) -> Doubles:
        """Return what patterns stand for, exactly; bits above the format's are left out."""
        whole = np.asarray(codes).astype(np.int64)
        magnitude = whole & (1 << self.bits - 1) - 1
        values = self._magnitude(magnitude)
        if self.specials == "ieee":
            values = np.where(magnitude == self._infinity, np.inf, values)
            values = np.where(magnitude > self._infinity, np.nan, values)
        elif self.specials == "nan":
            values = np.where(magnitude == self._nan, np.nan, values)
        found: Doubles = np.where(whole >> self.bits - 1 & 1, -values, values)
        return found

    def encode(self, values: Any, *, saturate: bool = True) -> Codes:
        """Return the patterns nearest to values; see the module for what has none."""
        exact = np.asarray(values, np.float64)
        near = self._nearest(exact, saturate)
        magnitude = np.abs(near)
        finite = np.where(np.isfinite(near), magnitude, 0.0)
        exponent = exponents(finite, self.min_exponent)
        # the hidden one counts for a step of the field, so subnormal numbers need no other rule
        steps = np.ldexp(finite, self.fraction_bits - exponent).astype(np.int64)
        steps += (exponent - self.min_exponent).astype(np.int64) << self.fraction_bits
        steps = np.where(np.isinf(near), self._infinity, steps)
        steps |= np.signbit(near).astype(np.int64) << self.bits - 1
        whole = np.where(np.isnan(near), self._nan, steps)
        return whole.astype(np.min_scalar_type((1 << self.bits) - 1))

    def quantise(self, values: Any, *, saturate: bool = True) -> Doubles:
        """Return values rounded to the format: what `decode` makes of what `encode` does."""
        near = self._nearest(np.asarray(values, np.float64), saturate)
        if self.specials == "none":
            near = np.where(np.isnan(near), self.largest, near)
        return near

    def exponents(self, values: Any) -> NDArray[np.int32]:
        """Return the exponents that numbers of the format have: subnormal ones the smallest."""
        return exponents(np.asarray(values, np.float64), self.min_exponent)

    def _magnitude(self, magnitude: Any) -> Doubles:
        """Return what patterns without sign stand for, if all were numbers."""
        field = magnitude >> self.fraction_bits
        fraction = magnitude & (1 << self.fraction_bits) - 1
        normal = np.minimum(field, 1) << self.fraction_bits
        exponent = np.maximum(field, 1) - self.bias - self.fraction_bits
        found: Doubles = np.ldexp((fraction + normal).astype(np.float64), exponent)
        return found

    def _nearest(self, exact: Doubles, saturate: bool) -> Doubles:
        near = rounded(exact, self.fraction_bits, self.min_exponent)
        if saturate:
            clipped: Doubles = np.clip(near, -self.largest, self.largest)  # NaN stays
            return clipped
        beyond = np.abs(near) > self.largest
        if self.specials == "none":
            raise ValueError(f"{self.name} has no pattern for what is too large")
        outside = np.nan if self.specials == "nan" else np.copysign(np.inf, near)
        return np.where(beyond, outside, near)


def exponents(values: Doubles, least: int) -> NDArray[np.int32]:
    """Return ``floor(log2(|values|))``, and ``least`` where that is less, or there is none."""
    found: NDArray[np.int32] = np.frexp(values)[1] - np.int32(1)
    return np.maximum(np.where(values == 0, np.int32(least), found), np.int32(least))


def rounded(values: Doubles, fraction_bits: int, min_exponent: int) -> Doubles:
    """Return values to nearest, ties to even, in a format whose exponents have no upper end."""
    return _stepped(np.rint, values, fraction_bits, min_exponent)


def truncated(values: Doubles, fraction_bits: int, min_exponent: int) -> Doubles:
    """Return values rounded toward zero, in a format whose exponents have no upper end."""
    return _stepped(np.trunc, values, fraction_bits, min_exponent)


def _stepped(whole: Any, values: Doubles, fraction_bits: int, min_exponent: int) -> Doubles:
    exponent = exponents(np.where(np.isfinite(values), values, 0.0), min_exponent)
    found: Doubles = np.ldexp(whole(np.ldexp(values, fraction_bits - exponent)),
                              exponent - fraction_bits)  # fmt: skip
    return found


E4M3 = MiniFloat("e4m3", 4, 3, 7, "nan")
E5M2 = MiniFloat("e5m2", 5, 2, 15, "ieee")
E3M2 = MiniFloat("e3m2", 3, 2, 3, "none")
E2M3 = MiniFloat("e2m3", 2, 3, 1, "none")
E2M1 = MiniFloat("e2m1", 2, 1, 1, "none")
FP16 = MiniFloat("fp16", 5, 10, 15, "ieee")
BF16 = MiniFloat("bf16", 8, 7, 127, "ieee")
TF32 = MiniFloat("tf32", 8, 10, 127, "ieee")  # 19 bits: those that a tensor core reads of fp32
FP32 = MiniFloat("fp32", 8, 23, 127, "ieee")

FORMATS = {f.name: f for f in (E4M3, E5M2, E3M2, E2M3, E2M1, FP16, BF16, TF32, FP32)}
