"""Inside a simulated design: where the time of its ops and of its resources went, as shares."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

from archsim.report import palette
from archsim.report.quantities import BYTES, ENERGY_PJ, NOTHING, Quantity, percent, quantity, times
from archsim.report.roofline import own_ps, roofline
from archsim.result import OpRow, ResourceRow, Result

WORST_OPS = 15
SHOWN_SHARE = 5e-4  # smaller parts of a time are not put into words
TIME_PS = Quantity(
    "time_ps", "Time",
    units=(("ps", 1.0), ("ns", 1e3), ("µs", 1e6), ("ms", 1e9), ("s", 1e12)),
)  # fmt: skip
SIZE = Quantity("size_bytes", "Bytes", units=BYTES)
ENERGY = Quantity("energy_pj", "Energy", units=ENERGY_PJ)

STATES = {
    "busy": "working",
    "fill": "filling the array",
    "drain": "draining the array",
    "load": "waiting for operands",
    "store": "waiting for room for results",
    "input": "waiting for another op’s result",
    "buffer": "waiting for a buffer slot",
    "dram": "waiting for DRAM",
    "idle": "nothing to do",
}


@dataclass(frozen=True, slots=True)
class Share:
    """A part of a whole time: what it was, how much, and the colour that stands for it."""

    state: str
    share: float
    text: str
    colour: str

    @property
    def meaning(self) -> str:
        """What the state means, in words."""
        stalled = self.state.removeprefix("stall.")
        return f"stalled on port {stalled}" if stalled != self.state else STATES.get(self.state, "")


def op_shares(row: OpRow) -> list[Share]:
    """Return what an op's own time was: occupied, by split, and waiting for operands and room."""
    cycles = sum(row.split_cycles.values()) or 1
    parts = {name: count / cycles * row.occupied_ps for name, count in row.split_cycles.items()}
    waits = {name: ps for name, ps in row.wait_ps.items() if name != "input"}
    return _shares(parts | waits, own_ps(row))


def resource_shares(row: ResourceRow) -> list[Share]:
    """Return what a resource's time was: busy, each stall, idle."""
    return _shares({"busy": row.busy_ps, **row.stall_ps, "idle": row.idle_ps}, row.total_ps)


def _shares(parts: Any, total_ps: int) -> list[Share]:
    order = [
        "busy",
        "fill",
        "drain",
        *sorted(set(parts) - set(STATES)),
        "load",
        "store",
        "input",
        "buffer",
        "idle",
    ]
    colours = palette.of_states(order)
    return [
        Share(state, parts[state] / total_ps, percent(parts[state] / total_ps), colours[state])
        for state in order
        if total_ps and parts.get(state)
    ]  # fmt: skip


def worst_ops(result: Result) -> list[OpRow]:
    """Return the ops by the time that is their own, longest first."""
    return sorted(result.per_op, key=lambda row: -own_ps(row))


def why(row: OpRow) -> str:
    """Return what bounds an op, with the figures that say so."""
    at = {share.state: share for share in op_shares(row)}
    busy = at["busy"].text if "busy" in at else "0 %"
    rest = [
        f"{share.text} {share.meaning}"
        for share in at.values()
        if share.state != "busy" and share.share >= SHOWN_SHARE
    ]
    moved = row.dram_read_bytes + row.dram_write_bytes
    said = f"bound by {row.bound}: {', '.join([f'works {busy} of its time', *rest])}; "
    said += f"{SIZE.text(moved)} through DRAM" if moved else "no DRAM traffic"
    if row.wait_ps.get("input"):
        said += f"; before it the engine waited {TIME_PS.text(row.wait_ps['input'])} for its input"
    return said + (f"; on chip: {', '.join(row.on_chip)}" if row.on_chip else "")


def view(analytic: Result, event: Result | None) -> dict[str, Any]:
    """Return one workload's tables for the report's page."""
    result = event or analytic
    total_ps = sum(own_ps(row) for row in result.per_op) or 1
    longest_ps = max((own_ps(row) for row in result.per_op), default=1) or 1
    peak, under = result.peak["macs_per_s"], roofline(result)
    return {
        "result": result,
        "summary": summary(analytic, event),
        "outside_roofline": None if under is None else under.outside,
        "ops": [_op(row, total_ps, longest_ps, peak) for row in worst_ops(result)],
        "first_ops": WORST_OPS,
        "resources": [
            {
                "row": row, "kind": row.kind, "moved": SIZE.text(row.size_bytes),
                "shares": resource_shares(row),
            }
            for row in result.per_resource
        ],
        "legend": legend(result),
    }  # fmt: skip


def _op(row: OpRow, total_ps: int, longest_ps: int, peak: float) -> dict[str, Any]:
    time_ps = own_ps(row)
    rate = row.macs / (time_ps / 1e12) if time_ps else 0.0
    return {
        "row": row,
        "time": TIME_PS.text(time_ps),
        "of_longest": time_ps / longest_ps,
        "share_text": percent(time_ps / total_ps),
        "peak": percent(rate / peak) if row.macs and peak else NOTHING,
        "dram": SIZE.text(row.dram_read_bytes + row.dram_write_bytes),
        "energy": ENERGY.text(sum(row.energy_pj.values())),
        "shares": op_shares(row),
        "why": why(row),
    }


def legend(result: Result) -> list[Share]:
    """Return every state that the tables show, once."""
    found: dict[str, Share] = {}
    for shares in (*map(op_shares, result.per_op), *map(resource_shares, result.per_resource)):
        found.update({share.state: share for share in shares})
    order = [*palette.of_states(found)]
    return sorted(found.values(), key=lambda share: order.index(share.state))


def summary(analytic: Result, event: Result | None) -> str:
    """Return a sentence on the run, and on what the finer simulation changed."""
    result = event or analytic
    bounds: Counter[str] = Counter()
    for row in result.per_op:
        bounds[row.bound] += own_ps(row)
    total_ps = sum(bounds.values()) or 1
    named = [f"{percent(ps / total_ps)} by {name}" for name, ps in bounds.most_common()]
    figures = [
        quantity("time_us").text(result.metrics.time_us), ENERGY.text(result.metrics.energy_pj)
    ]  # fmt: skip
    if result.peak["macs_per_s"]:
        figures.append(f"{percent(result.metrics.utilisation)} of peak")
    text = f"{', '.join(figures)}; the ops’ time is bound {', '.join(named)}."
    if event is not None:
        ratio = event.metrics.time_us / analytic.metrics.time_us
        text += (
            f" Event simulation, which adds contention inside jobs, takes {times(ratio)} the "
            f"analytic time of {quantity('time_us').text(analytic.metrics.time_us)}."
        )
    return text
