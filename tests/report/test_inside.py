from __future__ import annotations

import dataclasses

import pytest

from archsim.report.inside import (
    legend,
    op_shares,
    resource_shares,
    summary,
    view,
    why,
    worst_ops,
)
from archsim.report.palette import of_components, of_states
from archsim.report.roofline import own_ps, roofline
from tests.report import samples


def test_shares_add_up_to_the_whole() -> None:
    result = samples.result()
    for row in result.per_op:
        assert sum(share.share for share in op_shares(row)) == pytest.approx(1.0)
    for resource in result.per_resource:
        assert sum(share.share for share in resource_shares(resource)) == pytest.approx(1.0)


def test_waiting_for_another_op_is_not_an_op_s_own_time() -> None:
    row = samples.result().per_op[0]
    late = dataclasses.replace(
        row, time_ps=row.time_ps + 10**12, wait_ps={**row.wait_ps, "input": 10**12}
    )
    assert own_ps(late) == own_ps(row)
    assert op_shares(late) == op_shares(row)
    assert "before it the engine waited 1.00 s for its input" in why(late)


def test_ops_stand_by_their_own_time() -> None:
    times = [own_ps(row) for row in worst_ops(samples.result())]
    assert times == sorted(times, reverse=True)


def test_why_names_the_bound_and_its_figures() -> None:
    row = next(row for row in samples.result().per_op if row.bound == "dram")
    busy = row.split_cycles["busy"] / sum(row.split_cycles.values()) * row.occupied_ps
    assert why(row).startswith(f"bound by dram: works {100 * busy / own_ps(row):.1f} % of its time")
    kept = dataclasses.replace(row, dram_read_bytes=0, dram_write_bytes=0, on_chip=("x", "y"))
    assert why(kept).endswith("; no DRAM traffic; on chip: x, y")


def test_legend_has_every_state_once() -> None:
    states = [share.state for share in legend(samples.result())]
    assert len(states) == len(set(states))
    assert {"busy", "fill", "drain", "stall.a", "load", "idle"} <= set(states)
    assert all(share.meaning for share in legend(samples.result()))


def test_summary_says_what_event_adds() -> None:
    analytic = samples.result("analytic")
    slower = dataclasses.replace(
        analytic.metrics, time_us=analytic.metrics.time_us * 1.25, fidelity="event"
    )
    text = summary(analytic, dataclasses.replace(analytic, metrics=slower))
    assert "takes 1.25× the analytic time" in text
    assert "contention" not in summary(analytic, None)


def test_view_prefers_the_event_run() -> None:
    analytic, event = samples.result("analytic"), samples.result("event")
    assert view(analytic, event)["result"] is event
    assert view(analytic, None)["result"] is analytic


# ---------------------------------------------------------------------------------------- roofline


def test_no_op_is_above_the_roof() -> None:
    under = roofline(samples.result())
    assert under is not None
    assert len(under.spots) == 12
    for spot in under.spots:
        assert spot.rate <= min(under.peak, spot.work * under.bandwidth) * (1 + 1e-9)
        assert under.low < spot.work < under.high


def test_ops_without_macs_are_said_not_drawn() -> None:
    under = roofline(samples.result())
    assert under is not None
    assert under.outside.startswith("1 op has no MACs and no place here: ")


def test_op_that_stays_on_chip_stands_at_the_edge() -> None:
    result = samples.result()
    kept = dataclasses.replace(result.per_op[0], dram_read_bytes=0, dram_write_bytes=0)
    under = roofline(dataclasses.replace(result, per_op=(kept, *result.per_op[1:])))
    assert under is not None
    assert under.spots[0].on_chip
    assert under.spots[0].work == under.high


def test_engines_without_a_peak_have_no_roof() -> None:
    result = samples.result()
    bare = dataclasses.replace(result, peak={**result.peak, "macs_per_s": 0.0})
    assert roofline(bare) is None
    page = view(bare, None)
    assert page["outside_roofline"] is None
    assert "of peak" not in page["summary"]


# ---------------------------------------------------------------------------------------- colours


def test_component_has_one_colour_and_parts_of_a_chart_differ() -> None:
    area = ["mxu.pe", "mxu.skew", "mxu.row_mux", "mxu.result_port", "mxu.control", "buffer"]
    energy = ["mxu", "mxu.idle", "mxu.leakage", "buffer", "dram", "mxu.pe"]
    colours = of_components(area, energy)
    for chart in (area, energy):
        assert len({colours[name] for name in chart}) == len(chart)
    assert colours == of_components(area, energy)


def test_states_have_fixed_colours_whatever_else_there_is() -> None:
    some, more = of_states(["busy", "stall.a"]), of_states(["stall.b", "busy", "idle", "stall.a"])
    assert some["busy"] == more["busy"]
    assert more["stall.a"] != more["stall.b"]
