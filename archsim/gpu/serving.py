"""Closed forms of transformers on a GPU: what has to be moved and computed, whatever the kernels.

Lower bounds of time, and counts. Rates are a device's: operations a second as two for each
multiply-add, bytes a second of memory. Attention's traffic is that of a fused kernel, which keeps
scores on chip (Dao et al., from memory; Saha and Ye, arXiv 2402.07443, show that it is the best
possible while the chip holds a head's dimension squared).
"""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Attention:
    """Attention of one layer: ``heads`` query heads, ``kv_heads`` of keys and values.

    Parameters
    ----------
    queries, keys
        Positions on either side; one query in decoding.
    dim
        Of a head.
    element_bytes
        Of queries, keys, values and results.
    causal
        Whether a query meets only the keys up to it: half of the work.
    """

    heads: int
    kv_heads: int
    queries: int
    keys: int
    dim: int
    element_bytes: float = 2
    causal: bool = False

    @property
    def macs(self) -> int:
        """Multiply-adds of both products."""
        whole = 2 * self.heads * self.queries * self.keys * self.dim
        return whole // 2 if self.causal else whole

    @property
    def exponentials(self) -> int:
        whole = self.heads * self.queries * self.keys
        return whole // 2 if self.causal else whole

    @property
    def kv_bytes(self) -> float:
        """Keys and values, once."""
        return 2 * self.kv_heads * self.keys * self.dim * self.element_bytes

    def l2_bytes(self, rows: int) -> float:
        """Return what a fused kernel reads and writes in blocks of so many rows of queries.

        Queries and results pass once, with a sum of each row; keys and values once a block.
        """
        own = 2 * self.heads * self.queries * self.dim * self.element_bytes
        sums = 4 * self.heads * self.queries
        blocks = math.ceil(self.queries / rows)
        shared = self.heads / self.kv_heads
        return own + sums + self.kv_bytes * shared * blocks

    @property
    def memory_bytes(self) -> float:
        """Return what a fused kernel moves of memory if L2 holds a head's keys and values."""
        return 2 * self.heads * self.queries * self.dim * self.element_bytes + self.kv_bytes

    @property
    def unfused_bytes(self) -> float:
        """Return what three kernels move: scores are written and read, before softmax and after."""
        scores = self.heads * self.queries * self.keys * self.element_bytes
        return self.memory_bytes + 4 * scores

    @property
    def intensity(self) -> float:
        """Operations for each byte of memory; in decoding twice the queries that share a key."""
        return 2 * self.macs / self.memory_bytes


def layer_intensity(
    m: int, n: int, k: int, *, weight_bytes: float = 2, element_bytes: float = 2
) -> float:
    """Return the operations of a linear layer for each byte that it moves once."""
    moved = weight_bytes * k * n + element_bytes * (m * k + m * n)
    return 2 * m * n * k / moved


def ridge(tflops: float, gb_per_s: float) -> float:
    """Return the operations a byte from which a device is bound by its peak."""
    return 1e3 * tflops / gb_per_s


def batch_at_ridge(ridge: float, weight_bytes: float = 2) -> float:
    """Return the tokens from which a layer's weights no longer bind, activations aside."""
    return ridge * weight_bytes / 2


def decode_us(weight_bytes: float, kv_bytes: float, gb_per_s: float) -> float:
    """Return the least time of one step of decoding: weights that are touched, and the cache."""
    return (weight_bytes + kv_bytes) / gb_per_s * 1e-3


def prefill_us(parameters: float, tokens: float, tflops: float) -> float:
    """Return the least time of a prompt: two operations for each parameter and token."""
    return 2 * parameters * tokens / tflops * 1e-6


def experts_touched(experts: int, top_k: int, tokens: int) -> float:
    """Return how many experts of a layer some token goes to, if each chooses evenly: a mean."""
    return float(experts * (1 - (1 - top_k / experts) ** tokens))


def tokens_per_expert(experts: int, top_k: int, tokens: int) -> float:
    """Return the mean number of tokens at an expert."""
    return tokens * top_k / experts


def softmax_us(attention: Attention, sms: int, mhz: float, special_lanes: int = 16) -> float:
    """Return the time of attention's exponentials on the units of special functions."""
    return attention.exponentials / (special_lanes * sms * mhz)
