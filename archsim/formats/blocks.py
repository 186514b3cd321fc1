"""Blocks of small numbers that share a scale: MX, NVFP4 and block floating point.

Consecutive numbers of the last axis make a block; the last block may be shorter. With ``amax`` the
largest magnitude of a block:

- **MX** (OCP Microscaling 1.0): 32 elements and a power of two, ``2^(floor(log2 amax) - emax)``
  where ``emax`` is the exponent of the element format's largest number. The scale is a byte with
  bias 127 (E8M0), 255 being NaN.
- **BFP** (as in Microsoft Floating Point): the same rule; elements are a sign and an integer, with
  no hidden bit, so that a block has one exponent.
- **NVFP4**: 16 elements of E2M1, an E4M3 scale ``amax / 6`` and, for the whole array, an FP32 scale
  that brings the largest block's to E4M3's largest.

Elements are rounded to nearest, ties to even, and saturate. What OCP leaves open: a block of zeros
has the smallest scale, and a block that holds NaN or infinity is all NaN.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from archsim.formats.minifloat import (
    E2M1,
    E2M3,
    E3M2,
    E4M3,
    E5M2,
    Codes,
    Doubles,
    MiniFloat,
    exponents,
)

E8M0_BIAS, E8M0_NAN = 127, 255


@dataclass(frozen=True, slots=True)
class BlockFormat:
    """A format of blocks.

    Parameters
    ----------
    name
        In lower case.
    element
        Format of an element.
    size
        Elements of a block.
    scale
        Of a block: a power of two, or an E4M3 number under an FP32 scale of the array.
    """

    name: str
    element: MiniFloat
    size: int
    scale: Literal["e8m0", "e4m3"] = "e8m0"

    @property
    def bits_per_element(self) -> float:
        """Bits of an element and its share of the block's scale."""
        return self.element.bits + 8 / self.size

    def encode(self, values: Any) -> Blocks:
        """Return an array [..., n] in blocks."""
        exact = np.asarray(values, np.float64)
        cut = self._cut(exact)
        scales, array_scale = self._scales(np.abs(cut).max(axis=-1))
        one = scale_values(scales, self.scale) * np.float64(array_scale)
        with np.errstate(invalid="ignore"):  # of a block that is NaN, whose elements do not count
            shrunk = cut / np.where(one > 0, one, np.inf)[..., None]
        codes = self.element.encode(shrunk).reshape(*exact.shape[:-1], -1)
        return Blocks(self, codes[..., : exact.shape[-1]], scales, array_scale)

    def quantise(self, values: Any) -> Doubles:
        """Return values as blocks have them."""
        return self.encode(values).decode()

    def _scales(self, largest: Doubles) -> tuple[Codes, np.float32]:
        """Return the scales of blocks and of the array, from blocks' largest magnitudes."""
        bad = ~np.isfinite(largest)
        known = np.where(bad, 0.0, largest)
        if self.scale == "e4m3":
            whole = _array_scale(known, self.element)
            wanted = known / self.element.largest / np.float64(whole)
            return E4M3.encode(np.where(bad, np.nan, wanted)), whole
        power = exponents(known, -2 * E8M0_BIAS) - self.element.max_exponent
        codes = np.clip(power, -E8M0_BIAS, E8M0_BIAS) + E8M0_BIAS
        return np.where(bad, E8M0_NAN, codes).astype(np.uint8), np.float32(1)

    def _cut(self, values: Doubles) -> Doubles:
        """Return [..., blocks, size], with zeros at the end of the last block."""
        short = -values.shape[-1] % self.size
        width = [(0, 0)] * (values.ndim - 1) + [(0, short)]
        return np.pad(values, width).reshape(*values.shape[:-1], -1, self.size)


@dataclass(frozen=True, slots=True)
class Blocks:
    """An array in blocks.

    Parameters
    ----------
    codes
        Patterns of elements: [..., n].
    scales
        Patterns of blocks' scales: [..., ceil(n / size)].
    array_scale
        Of all; one where the format has none.
    """

    format: BlockFormat
    codes: Codes
    scales: Codes
    array_scale: np.float32

    def elements(self) -> Doubles:
        """Return elements without their scales: [..., n]."""
        return self.format.element.decode(self.codes)

    def decode(self) -> Doubles:
        """Return what the array stands for, exactly but for the array's scale: [..., n]."""
        scales = scale_values(self.scales, self.format.scale) * np.float64(self.array_scale)
        spread = np.repeat(scales, self.format.size, axis=-1)[..., : self.codes.shape[-1]]
        found: Doubles = self.elements() * spread
        return found


def scale_values(codes: Any, scale: Literal["e8m0", "e4m3"]) -> Doubles:
    """Return what patterns of blocks' scales stand for."""
    if scale == "e4m3":
        return E4M3.decode(codes)
    power = np.asarray(codes).astype(np.int32)
    return np.where(power == E8M0_NAN, np.nan, np.ldexp(1.0, power - E8M0_BIAS))


def _array_scale(largest: Doubles, element: MiniFloat) -> np.float32:
    """Return the scale under which the largest block's is E4M3's largest; one if all is zero."""
    top = largest.max(initial=0.0) / (E4M3.largest * element.largest)
    scale = np.float32(top)
    return scale if scale > 0 else np.float32(1)


def bfp(mantissa_bits: int, size: int = 16) -> BlockFormat:
    """Return block floating point: a sign and ``mantissa_bits`` an element.

    The integer's highest bit counts for one, so the block's scale is the exponent of its largest.
    """
    element = MiniFloat(f"integer{mantissa_bits}", 0, mantissa_bits, 0, "none")
    return BlockFormat(f"bfp{mantissa_bits + 1}", element, size)


MXFP8_E4M3 = BlockFormat("mxfp8_e4m3", E4M3, 32)
MXFP8_E5M2 = BlockFormat("mxfp8_e5m2", E5M2, 32)
MXFP6_E3M2 = BlockFormat("mxfp6_e3m2", E3M2, 32)
MXFP6_E2M3 = BlockFormat("mxfp6_e2m3", E2M3, 32)
MXFP4 = BlockFormat("mxfp4", E2M1, 32)
NVFP4 = BlockFormat("nvfp4", E2M1, 16, "e4m3")

BLOCK_FORMATS: dict[str, BlockFormat] = {
    f.name: f for f in (MXFP8_E4M3, MXFP8_E5M2, MXFP6_E3M2, MXFP6_E2M3, MXFP4, NVFP4)
}


def packed_nibbles(codes: Any) -> NDArray[np.uint8]:
    """Return 4-bit patterns [..., 2 n] two a byte, the first in the low half: [..., n]."""
    whole = np.asarray(codes, np.uint8)
    found: NDArray[np.uint8] = whole[..., ::2] | whole[..., 1::2] << np.uint8(4)
    return found


def unpacked_nibbles(packed: Any) -> NDArray[np.uint8]:
    """Return the 4-bit patterns [..., 2 n] of bytes [..., n]."""
    whole = np.asarray(packed, np.uint8)
    return np.stack([whole & 15, whole >> 4], axis=-1).reshape(*whole.shape[:-1], -1)
