"""How fast warps can issue tensor instructions: by latency, interval and what is in flight.

``mma`` works on registers. A loop of ``ilp`` independent instructions on each of ``warps`` warps
keeps ``n = ilp warps / 4`` of them on each of four sub-cores, and a round takes the longest of::

    latency + LOOP_CYCLES       the next round needs this one's sums
    n interval PACE             the sub-core takes one after another
    ilp warp_interval           so does a warp, where that is longer

``wgmma`` works on shared memory: 64 rows of A and all columns of B pass at 128 bytes a cycle, or B
alone if A is in registers.

`LOOP_CYCLES` and `PACE` are fitted, once for all instructions, to the dense rows of the A100;
`FROM_REGISTERS` to the two narrowest rows of the H800.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from types import MappingProxyType
from typing import Literal

import yaml

SUB_CORES = 4
LOOP_CYCLES = 2.1
PACE = 1.02
WGMMA_ROWS = 64
STEP_BYTES = 32  # of k that one wgmma takes of each row, whatever the format
SMEM_BYTES_PER_CYCLE = 128
FROM_REGISTERS = 13  # cycles of a wgmma with A in registers, at least


@dataclass(frozen=True, slots=True)
class Instruction:
    """A tensor instruction of a warp; cycles are of an A100.

    Parameters
    ----------
    fma
        Multiply-adds, zeros of sparse weights included.
    latency, interval, warp_interval
        Until its sums are there; until the sub-core, and the warp, may issue another.
    fitted
        Names of what was fitted to measured throughput.
    """

    fma: int
    latency: float
    interval: float
    warp_interval: float = 0.0
    fitted: tuple[str, ...] = ()

    def round_cycles(self, warps: int, ilp: int) -> float:
        """Return the cycles of a round of ``ilp`` independent instructions on each warp."""
        flying = ilp * warps / SUB_CORES
        return max(
            self.latency + LOOP_CYCLES, flying * self.interval * PACE, ilp * self.warp_interval
        )

    def fma_per_cycle(self, warps: int, ilp: int) -> float:
        """Return the multiply-adds a cycle of an SM."""
        return ilp * warps * self.fma / self.round_cycles(warps, ilp)


@cache
def instructions() -> Mapping[str, Mapping[str, Instruction]]:
    """Return the instructions of a warp whose latency is known: ``mma`` and ``mma.sp`` by name."""
    text = (resources.files("archsim.gpu") / "issue.yaml").read_text("utf-8")
    return MappingProxyType(
        {
            kind: MappingProxyType(
                {n: Instruction(**row | {"fitted": tuple(row.get("fitted", ()))})
                 for n, row in rows.items()}
            )
            for kind, rows in yaml.safe_load(text).items()
        }
    )  # fmt: skip


def wgmma_cycles(columns: int, fma_per_cycle: float, a: Literal["smem", "registers"]) -> float:
    """Return the cycles from one wgmma of 16-bit operands, 64 x ``columns`` x 16, to the next.

    Parameters
    ----------
    fma_per_cycle
        Of the SM's tensor cores.
    a
        Where A is.
    """
    multiplying = WGMMA_ROWS * columns * (STEP_BYTES // 2) / fma_per_cycle
    rows = WGMMA_ROWS if a == "smem" else 0
    reading = (rows + columns) * STEP_BYTES / SMEM_BYTES_PER_CYCLE
    return max(multiplying, reading, FROM_REGISTERS if a == "registers" else 0)
