"""Ones of words, counted side by side in Triton: an idiom that compilers make one instruction."""

from __future__ import annotations

import triton
import triton.language as tl


@triton.jit
def ones(words):
    """Return how many bits of 32-bit words are one."""
    pairs = words - ((words >> 1) & 0x55555555)
    fours = (pairs & 0x33333333) + ((pairs >> 2) & 0x33333333)
    eights = (fours + (fours >> 4)) & 0x0F0F0F0F
    return ((eights * 0x01010101) >> 24).to(tl.int32)
