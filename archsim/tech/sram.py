"""SRAM cost by interpolation in a table computed once with CACTI (`archsim.tech.cacti`)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from importlib import resources
from typing import Any, Self

import numpy as np
import yaml
from numpy.typing import ArrayLike, NDArray

from archsim.errors import InputError

MIN_ROWS = 64  # words below which CACTI finds no organisation: smaller SRAMs cost as much
QUANTITIES = ("read_pj", "write_pj", "area_um2", "leakage_uw", "cycle_ps")


@dataclass(frozen=True, slots=True)
class SramCost:
    """One single-port SRAM; fields are floats, or arrays where capacity or width was one.

    Parameters
    ----------
    read_pj, write_pj
        Of one access of the full width.
    cycle_ps
        Shortest time between two accesses.
    """

    read_pj: Any
    write_pj: Any
    area_um2: Any
    leakage_uw: Any
    cycle_ps: Any
    source: str

    def scaled(
        self, *, energy: float, area: float, leakage: float, time: float, rule: str
    ) -> SramCost:
        """Return the cost in another node by explicit factors; the rule joins the source."""
        return replace(
            self,
            read_pj=self.read_pj * energy,
            write_pj=self.write_pj * energy,
            area_um2=self.area_um2 * area,
            leakage_uw=self.leakage_uw * leakage,
            cycle_ps=self.cycle_ps * time,
            source=f"{self.source}; {rule}" if rule else self.source,
        )


@dataclass(frozen=True)
class SramTable:
    """CACTI's figures of one node over powers of two of capacity and width.

    Parameters
    ----------
    log_capacity, log_width
        log2 of bytes and of bits.
    log_values
        Quantity to log2 of its values [capacity, width].
    """

    node_nm: int
    log_capacity: NDArray[np.float64]
    log_width: NDArray[np.float64]
    log_values: dict[str, NDArray[np.float64]]
    wire_pj_per_mm: float
    source: str

    @classmethod
    @cache
    def shipped(cls, node_nm: int) -> Self:
        """Return the committed table of a node."""
        text = (resources.files("archsim.tech") / "sram_cacti.yaml").read_text("utf-8")
        tree = yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
        rows = np.array([r for r in tree["rows"] if r[0] == node_nm], float)
        if not len(rows):
            known = sorted({r[0] for r in tree["rows"]})
            raise InputError("sram.table_node_nm", f"must be one of {known}", node_nm)
        column = {name: i for i, name in enumerate(tree["columns"])}
        capacity, ci = np.unique(rows[:, column["capacity_bytes"]], return_inverse=True)
        width, wi = np.unique(rows[:, column["width_bits"]], return_inverse=True)
        values = {}
        for name in QUANTITIES:
            grid = np.full((len(capacity), len(width)), np.nan)
            grid[ci, wi] = np.log2(rows[:, column[name]])
            values[name] = _filled(grid)
        return cls(
            node_nm, np.log2(capacity), np.log2(width), values,
            float(tree["wire_pj_per_mm"][node_nm]), f"{tree['tool']}, {node_nm} nm",
        )  # fmt: skip

    def cost(self, capacity_bytes: ArrayLike, width_bits: ArrayLike) -> SramCost:
        """Interpolate: between table points every quantity is a power law of capacity and width.

        Beyond the table an SRAM is made of the largest that is in it: wider words from SRAMs side
        by side that all switch, more capacity from banks of which one switches. Less than the
        smallest costs as much as the smallest.
        """
        capacity, width = np.broadcast_arrays(
            np.asarray(capacity_bytes, float), np.asarray(width_bits, float)
        )
        if np.any(capacity <= 0) or np.any(width <= 0):
            raise InputError("sram", "capacity and width must be positive", capacity_bytes)
        beside = np.maximum(np.ceil(width / 2 ** self.log_width[-1]), 1)
        width = np.maximum(width / beside, 2 ** self.log_width[0])
        capacity = np.maximum(capacity / beside, width * MIN_ROWS / 8)
        banks = np.maximum(np.ceil(capacity / 2 ** self.log_capacity[-1]), 1)
        capacity = np.maximum(capacity / banks, 2 ** self.log_capacity[0])
        at = {name: self._at(name, np.log2(capacity), np.log2(width)) for name in QUANTITIES}
        return SramCost(
            read_pj=_plain(at["read_pj"] * beside),
            write_pj=_plain(at["write_pj"] * beside),
            area_um2=_plain(at["area_um2"] * beside * banks),
            leakage_uw=_plain(at["leakage_uw"] * beside * banks),
            cycle_ps=_plain(at["cycle_ps"]),
            source=f"{self.source}, power law in capacity and width between powers of two",
        )

    def _at(self, name: str, x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.float64]:
        grid = self.log_values[name]
        i, u = _interval(self.log_capacity, x)
        j, v = _interval(self.log_width, y)
        low = grid[i, j] * (1 - v) + grid[i, j + 1] * v
        high = grid[i + 1, j] * (1 - v) + grid[i + 1, j + 1] * v
        return np.asarray(2 ** (low * (1 - u) + high * u))


def power_law(xs: Sequence[float], ys: Sequence[float], x: ArrayLike) -> NDArray[np.float64]:
    """Interpolate y = a x^b between neighbours; the outermost law goes on beyond the ends."""
    i, u = _interval(np.log2(np.asarray(xs, float)), np.log2(np.asarray(x, float)))
    logs = np.log2(np.asarray(ys, float))
    return np.asarray(2 ** (logs[i] * (1 - u) + logs[i + 1] * u))


def _interval(
    axis: NDArray[np.float64], x: NDArray[np.float64]
) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    i = np.clip(np.searchsorted(axis, x, side="right") - 1, 0, len(axis) - 2)
    return i, (x - axis[i]) / (axis[i + 1] - axis[i])


def _filled(grid: NDArray[np.float64]) -> NDArray[np.float64]:
    """Continue into the corner of few, wide words, which CACTI cannot build, along both axes."""
    for j in range(1, grid.shape[1]):
        for i in range(grid.shape[0] - 2, -1, -1):
            if np.isnan(grid[i, j]):
                grid[i, j] = grid[i + 1, j] + grid[i, j - 1] - grid[i + 1, j - 1]
    return grid


def _plain(values: NDArray[np.float64]) -> Any:
    return float(values) if values.ndim == 0 else values
