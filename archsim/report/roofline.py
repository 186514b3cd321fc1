"""Where a result's ops stand under its roof: work rate over work per DRAM traffic."""

from __future__ import annotations

from dataclasses import dataclass

from archsim.report.quantities import MAC_RATES, Unit, percent, quantity
from archsim.result import PS_PER_US, OpRow, Result

PS_PER_S = 10**12
MARGIN_LOW, MARGIN_HIGH = 2.0, 4.0  # room left and right of the ops, as factors


@dataclass(frozen=True, slots=True)
class Spot:
    """An op under the roof.

    Parameters
    ----------
    work
        MACs a byte of DRAM traffic; at the right edge for an op without any.
    rate
        MACs a second of its own time: see `own_ps`.
    share
        Of all ops' own time.
    """

    row: OpRow
    work: float
    rate: float
    share: float

    @property
    def on_chip(self) -> bool:
        """Whether the op moved nothing through DRAM."""
        return not self.row.dram_read_bytes + self.row.dram_write_bytes


@dataclass(frozen=True, slots=True)
class Roofline:
    """A roof and the ops under it.

    Parameters
    ----------
    peak, bandwidth
        MACs and DRAM bytes a second.
    low, high
        Ends of the work axis.
    outside
        A sentence on the ops without MACs, which have no place; or nothing.
    """

    peak: float
    bandwidth: float
    low: float
    high: float
    spots: tuple[Spot, ...]
    outside: str

    @property
    def ridge(self) -> float:
        """Work at which compute and DRAM take the same time."""
        return self.peak / self.bandwidth

    @property
    def unit(self) -> Unit:
        return MAC_RATES.unit_for([self.peak])

    @property
    def roof(self) -> tuple[list[float], list[float]]:
        """Corners of the roof: work, and rate in `unit`."""
        rates = (self.low * self.bandwidth, self.peak, self.peak)
        return [self.low, self.ridge, self.high], [rate / self.unit.size for rate in rates]


def own_ps(row: OpRow) -> int:
    """Return the time that is an op's own: without its engine's wait for another op's result."""
    return row.time_ps - row.wait_ps.get("input", 0)


def roofline(result: Result) -> Roofline | None:
    """Return the roofline of a result; None of engines that have no peak to stand under."""
    peak, bandwidth = result.peak["macs_per_s"], result.peak["dram_bytes_per_s"]
    if not peak:
        return None
    total_ps = sum(own_ps(row) for row in result.per_op) or 1
    rows = [row for row in result.per_op if row.macs and own_ps(row)]
    traffic = [row.dram_read_bytes + row.dram_write_bytes for row in rows]
    moved = [row.macs / size for row, size in zip(rows, traffic, strict=True) if size]
    low = min([*moved, peak / bandwidth]) / MARGIN_LOW
    high = max([*moved, peak / bandwidth]) * MARGIN_HIGH
    spots = tuple(
        Spot(
            row,
            row.macs / size if size else high,
            row.macs * PS_PER_S / own_ps(row),
            own_ps(row) / total_ps,
        )
        for row, size in zip(rows, traffic, strict=True)
    )
    return Roofline(peak, bandwidth, low, high, spots, _outside(result, total_ps))


def _outside(result: Result, total_ps: int) -> str:
    rest = [row for row in result.per_op if not row.macs]
    if not rest:
        return ""
    time_ps = sum(own_ps(row) for row in rest)
    noun = "op has" if len(rest) == 1 else "ops have"
    return (
        f"{len(rest)} {noun} no MACs and no place here: {percent(time_ps / total_ps)} of the ops’ "
        f"time, {quantity('time_us').text(time_ps / PS_PER_US)}."
    )
