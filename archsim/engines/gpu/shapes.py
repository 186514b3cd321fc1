"""Kernels by their shape alone, for comparisons with what was measured of them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from archsim.engines.gpu import timing
from archsim.engines.gpu.jobs import KERNEL, GpuJobs
from archsim.engines.gpu.numbers import computed_in
from archsim.engines.gpu.spec import GpuSpec
from archsim.trace import DTYPE_BITS

BITS = {**DTYPE_BITS, "b1": 1}
SHIFT_ADD = 2  # operations on lanes for a result of two planes


@dataclass(frozen=True, slots=True)
class Shape:
    """A product ``C[m,n] = A[m,k] B[k,n]`` of its own, with formats of A, B and C.

    Parameters
    ----------
    half
        Whether B is stored 2:4.
    kept
        Share of B that is stored, each weight with 16 bits for its place; 1 is dense.
    planes
        Bits of A and of B that are multiplied plane by plane, in ``b1``; results are put together
        on chip and leave once.
    """

    m: int
    n: int
    k: int
    a: str = "bf16"
    b: str = "bf16"
    c: str = "bf16"
    half: bool = False
    kept: float = 1.0
    planes: tuple[int, int] = (1, 1)

    @property
    def weight_bytes(self) -> float:
        bits = BITS[self.b] * self.planes[1]
        each = (bits + 2) / 2 if self.half else bits if self.kept == 1 else self.kept * (bits + 16)
        return self.k * self.n * each / 8

    @property
    def once_bytes(self) -> float:
        """Bytes of all three, each once."""
        ends = self.m * self.k * BITS[self.a] * self.planes[0] + self.m * self.n * BITS[self.c]
        return self.weight_bytes + ends / 8

    def job(self) -> GpuJobs:
        """Return the whole product as one job."""
        (p, q), results = self.planes, self.m * self.n
        columns = dict.fromkeys(KERNEL, 0) | {
            "m": p * self.m, "n": q * self.n, "k": self.k, "groups": 1, "half": int(self.half),
            "a_bits": BITS[self.a], "b_bits": BITS[self.b], "b_bytes": round(self.weight_bytes),
            "c_bits": BITS[self.c] // (p * q), "computed": computed_in(self.a, self.b),
            "lane_ops": SHIFT_ADD * p * q * results if p * q > 1 else 0,
            "placed": 0 if self.kept == 1 else round(self.kept * self.k * self.n),
            "read_bytes": round(self.once_bytes), "write_bytes": 0, "results": 1, "all_results": 1,
        }  # fmt: skip
        arrays: dict[str, Any] = {name: np.array([value]) for name, value in columns.items()}
        return GpuJobs(**arrays, first=np.array([False]))


@cache
def kernel_us(spec: GpuSpec, shape: Shape) -> float:
    """Return the time of a product that was launched before, operands in memory."""
    cycles = float(timing.kernels(spec, shape.job()).levels[-1, 0])
    moving_us = shape.once_bytes / spec.memory_gb_per_s * 1e-3
    fill_us = (spec.l2_latency_cycles / spec.mhz) + spec.memory_latency_ns * 1e-3
    return max(cycles / spec.mhz, moving_us + fill_us)


def tera_ops(spec: GpuSpec, shape: Shape) -> float:
    """Return the additions and multiplications a second, 10^12."""
    return 2e-6 * shape.m * shape.n * shape.k / kernel_us(spec, shape)
