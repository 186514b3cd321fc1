"""Inside a simulated design: where the time of its ops and of its resources went, as shares."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

from archsim.report import palette
from archsim.report.quantities import BYTES, ENERGY_PJ, Quantity, percent, quantity, times
from archsim.report.roofline import roofline
from archsim.result import OpRow, ResourceRow, Result

WORST_OPS = 15
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
    """Return what an op's time was: its occupied time by split, then its waits."""
    cycles = sum(row.split_cycles.values()) or 1
    parts = {name: count / cycles * row.occupied_ps for name, count in row.split_cycles.items()}
    return _shares(Counter(parts) + Counter(row.wait_ps), row.time_ps)


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
    """Return the ops by the time they take, longest first."""
    return sorted(result.per_op, key=lambda row: -row.time_ps)


def why(row: OpRow) -> str:
    """Return what bounds an op, with the figures that say so."""
    at = {share.state: share.text for share in op_shares(row)}
    busy = f"the engine works {at.get('busy', '0 %')} of the op’s time"
    overhead = [
        f"{at[name]} {STATES[name]}"
        for name in ("fill", "drain", "load", "store", "input")
        if name in at
    ]
    stalls = [
        f"{text} stalled on {name[6:]}" for name, text in at.items() if name.startswith("stall.")
    ]
    rest = ", ".join([*overhead, *stalls])
    moved = row.dram_read_bytes + row.dram_write_bytes
    traffic = f"{SIZE.text(moved)} through DRAM" if moved else "no DRAM traffic"
    kept = f"; on chip: {', '.join(row.on_chip)}" if row.on_chip else ""
    return f"bound by {row.bound}: {busy}" + (f", {rest}" if rest else "") + f"; {traffic}{kept}"


def view(analytic: Result, event: Result | None) -> dict[str, Any]:
    """Return one workload's tables for the report's page."""
    result = event or analytic
    total_ps = sum(row.time_ps for row in result.per_op) or 1
    longest_ps = max((row.time_ps for row in result.per_op), default=1) or 1
    peak = result.peak["macs_per_s"]
    return {
        "result": result,
        "summary": summary(analytic, event),
        "outside_roofline": roofline(result).outside,
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
    rate = row.macs / (row.time_ps / 1e12) if row.time_ps else 0.0
    return {
        "row": row, "time": TIME_PS.text(row.time_ps), "of_longest": row.time_ps / longest_ps,
        "share_text": percent(row.time_ps / total_ps),
        "peak": percent(rate / peak) if row.macs and peak else "–",
        "dram": SIZE.text(row.dram_read_bytes + row.dram_write_bytes),
        "energy": ENERGY.text(sum(row.energy_pj.values())),
        "shares": op_shares(row), "why": why(row),
    }  # fmt: skip


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
        bounds[row.bound] += row.time_ps
    total_ps = sum(bounds.values()) or 1
    named = [f"{percent(ps / total_ps)} by {name}" for name, ps in bounds.most_common()]
    text = (
        f"{quantity('time_us').text(result.metrics.time_us)}, "
        f"{ENERGY.text(result.metrics.energy_pj)}, "
        f"{percent(result.metrics.utilisation)} of peak; the ops’ time is bound {', '.join(named)}."
    )
    if event is not None:
        ratio = event.metrics.time_us / analytic.metrics.time_us
        text += (
            f" Event simulation, which adds queueing for DRAM, takes {times(ratio)} the analytic "
            f"time of {quantity('time_us').text(analytic.metrics.time_us)}."
        )
    return text
