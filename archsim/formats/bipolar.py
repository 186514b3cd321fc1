"""Bipolar integers: bits that stand for plus and minus one, and products by counting bits.

A code of n bits b_i stands for ``sum (2 b_i - 1) 2^i = 2 u - (2^n - 1)``, u being the code as an
unsigned integer: odd, as many above zero as below, with no bit of its own for the sign (Ma, Fang,
Shao, Wang, arXiv 2409.17870). A two's complement integer s is exactly the code of ``2 s + 1``.

The product of p-bit rows and q-bit columns of length K is, with popc counting ones,

    Y = (2^p - 1)(2^q - 1) K - 2 sum_ij 2^(i+j) popc(W_i xor X_j)

over planes i and j: the bits at one position, 32 a word. Where XOR is not to be had,
``popc(a xor b) = popc a + popc b - 2 popc(a and b)``. Words are filled up with zeros in both
operands, which XOR and AND leave zero, so K is the true length.
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Words = NDArray[np.uint32]
WORD = 32


def to_values(codes: Any, bits: int) -> Ints:
    """Return the odd integers that codes of a width stand for."""
    found: Ints = 2 * np.asarray(codes, np.int64) - ((1 << bits) - 1)
    return found


def to_codes(values: Any, bits: int) -> Ints:
    """Return the codes of odd integers.

    Raises
    ------
    ValueError
        If a value is even, or out of range.
    """
    whole = np.asarray(values, np.int64)
    top = (1 << bits) - 1
    if whole.size and ((whole % 2 == 0).any() or np.abs(whole).max() > top):
        raise ValueError(f"bipolar integers of {bits} bits are odd and at most {top} from zero")
    return (whole + top) >> 1


def quantise(values: Any, bits: int, scale: float = 1.0) -> Ints:
    """Return the codes nearest to numbers over a scale: ties to the even code, saturating."""
    top = (1 << bits) - 1
    exact = (np.asarray(values, np.float64) / scale + top) / 2
    found: Ints = np.clip(np.rint(exact), 0, top).astype(np.int64)
    return found


def planes(codes: Any, bits: int) -> NDArray[np.uint8]:
    """Return bits of codes [...], the lowest position first: [bits, ...]."""
    whole = np.asarray(codes, np.int64)
    position = np.arange(bits).reshape(-1, *[1] * whole.ndim)
    return (whole >> position & 1).astype(np.uint8)


def packed(bits: Any) -> Words:
    """Return bits [..., k] 32 a word, the first lowest: [..., ceil(k / 32)]."""
    whole = np.asarray(bits, np.uint8)
    width = [(0, 0)] * (whole.ndim - 1) + [(0, -whole.shape[-1] % WORD)]
    octets = np.packbits(np.pad(whole, width), axis=-1, bitorder="little")
    return octets.view("<u4").astype(np.uint32)


def packed_planes(codes: Any, bits: int) -> Words:
    """Return the planes of codes [rows, k] in words: [bits, rows, ceil(k / 32)]."""
    return packed(planes(codes, bits))


def matmul(w: Words, x: Words, k: int, counted: Literal["xor", "and"] = "xor") -> Ints:
    """Return the product [m, n] of bipolar integers.

    Parameters
    ----------
    w, x
        Packed planes of rows and of columns: [p, m, words], [q, n, words].
    k
        Bits of a row that count.
    counted
        How ones are counted; the result is the same.
    """
    p, q = len(w), len(x)
    total = np.zeros((w.shape[1], x.shape[1]), np.int64)
    for i in range(p):
        for j in range(q):
            total += _different(w[i], x[j], counted) << i + j
    return ((1 << p) - 1) * ((1 << q) - 1) * k - 2 * total


def _different(a: Words, b: Words, counted: Literal["xor", "and"]) -> Ints:
    """Return in how many bits rows of two planes differ: [m, n]."""
    if counted == "xor":
        return _ones(a[:, None] ^ b)
    return _ones(a)[:, None] + _ones(b) - 2 * _ones(a[:, None] & b)


def _ones(words: Words) -> Ints:
    found: Ints = np.bitwise_count(words).sum(axis=-1, dtype=np.int64)
    return found
