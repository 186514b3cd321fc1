"""RF networks in whole simulations: metrics, charts, both fidelities, many designs at once."""

from __future__ import annotations

from typing import Any

import pytest

from archsim import batch
from archsim.design import Design, load_design
from archsim.engines import discover
from archsim.engines.rfnn.panels import METRICS, PANELS, power_by_part, time_by_state
from archsim.errors import ArchsimError
from archsim.frontends import load
from archsim.result import Result
from archsim.simulate import simulate

NETWORK = "digits_64_64_10"


def design(**fields: Any) -> Design:
    return load_design("rfnn_8x8", {f"engines.rf.{name}": value for name, value in fields.items()})


def run(fidelity: Any = "analytic", model: str = NETWORK, **fields: Any) -> Result:
    return simulate(design(**fields), load(model), fidelity)


VARIANTS: tuple[dict[str, Any], ...] = (
    {}, {"form": "ttm"}, {"form": "tt3", "rank": 2}, {"cores": "instance"},
    {"form": "ttm", "cores": "instance"}, {"cores": "spatial", "modes": 64},
    {"readout": "mag", "modes": 64}, {"switches": True, "calibrated": True},
)  # fmt: skip


@pytest.mark.parametrize("fields", VARIANTS, ids=str)
def test_event_and_analytic_agree(fields: dict[str, Any]) -> None:
    plain, event = run(**fields), run("event", **fields)
    assert plain.per_op == event.per_op
    assert plain.metrics.energy_pj == event.metrics.energy_pj
    assert plain.metrics.tied_percent == 100
    for row in plain.per_resource:
        assert row.busy_ps + sum(row.stall_ps.values()) + row.idle_ps == row.total_ps
    assert 0 <= plain.metrics.utilisation <= 1


def test_designs_go_together() -> None:
    designs = [design(**fields) for fields in VARIANTS]
    designs += [design(clock_mhz=mhz) for mhz in (50.0, 200.0)]
    trace = load(NETWORK)
    results = [simulate(each, trace) for each in designs]
    together = batch.evaluate(designs, trace, [result.mappings for result in results])
    assert together.cycles.tolist() == [result.metrics.cycles for result in results]
    assert together.dram_bytes.tolist() == [result.metrics.dram_bytes for result in results]


# ------------------------------------------------------------------------------------------ metrics


def test_metrics_count_what_is_built() -> None:
    shared, own = run().metrics.extra, run(cores="instance").metrics.extra
    assert (shared["rfnn_interferometers"], shared["rfnn_shifters"]) == (56, 112)
    assert (shared["rfnn_attenuators"], shared["rfnn_switches"]) == (8, 0)
    # 64 matrices of 8 x 8 and 16 of 8 x 8 or 2 x 8
    assert own["rfnn_interferometers"] == 64 * 56 + 8 * 56 + 8 * (28 + 1)
    assert own["rfnn_attenuators"] == 64 * 8 + 8 * 8 + 8 * 2
    assert own["rfnn_switches"] == 2 * 8 * -(-79 // 3)
    assert own["rfnn_loss_db"] > shared["rfnn_loss_db"] == pytest.approx(43.43)


def test_a_stream_needs_no_more_meshes() -> None:
    trace, one = load(NETWORK), design(cores="instance")
    alone, stream = simulate(one, trace), simulate(one, trace, batches=5)
    count = "rfnn_interferometers"
    assert alone.metrics.extra[count] == stream.metrics.extra[count]


def test_energy_per_mac_has_what_is_around_the_mesh() -> None:
    result = run()
    parts = {name: pj for name, pj in result.energy_pj.items() if name.startswith("rf")}
    assert {"rf", "rf.readout", "rf.source", "rf.shifters", "rf.leakage"} <= set(parts)
    per_mac = result.metrics.extra["rfnn_pj_per_mac"]
    assert per_mac == pytest.approx(sum(parts.values()) / result.metrics.macs)
    total_ps = result.per_resource[0].total_ps
    assert parts["rf.readout"] == pytest.approx(16 * 122.6e-3 * total_ps)


def test_trains_save_programming() -> None:
    full, train = run(), run(form="ttm")
    assert train.metrics.time_us < full.metrics.time_us / 3
    assert train.metrics.dram_bytes < full.metrics.dram_bytes / 3
    assert train.metrics.utilisation == 0


def test_every_metric_is_there() -> None:
    found = run().metrics.extra
    assert {metric.name for metric in METRICS} <= set(found)


# ------------------------------------------------------------------------------------------ charts


def by_name(series: Any) -> dict[str, Any]:
    return {one.name: dict(zip(one.x, one.y, strict=True)) for one in series}


@pytest.mark.parametrize("fields", VARIANTS, ids=str)
def test_states_add_up_to_the_time_of_an_op(fields: dict[str, Any]) -> None:
    result = run(**fields)
    states = by_name(time_by_state(result, ["rf"]))
    for row in result.per_op:
        cycles = sum(state[row.name] for state in states.values())
        stalled = sum(n for s, n in row.split_cycles.items() if s.startswith("stall."))
        assert cycles == pytest.approx(sum(row.split_cycles.values()) - stalled)


def test_programming_dominates_one_mesh_and_is_nothing_of_others() -> None:
    shared, own = (by_name(time_by_state(run(**f), ["rf"])) for f in ({}, {"cores": "instance"}))
    assert shared["programming"]["hidden"] > 0.7 * sum(s["hidden"] for s in shared.values())
    assert "programming" not in own


def test_readout_dominates_power() -> None:
    (series,) = power_by_part(run(), ["rf"])
    found = dict(zip(series.x, series.y, strict=True))
    assert found["readout"] == pytest.approx(16 * 122.6)
    assert found["readout"] > 0.9 * sum(found.values())
    assert set(found) == {"control", "readout", "source", "shifters"}


def test_panels_and_metrics_are_declared() -> None:
    engine = discover()["rfnn"]
    assert engine.metrics[: len(METRICS)] == METRICS
    assert engine.panels == PANELS


# ------------------------------------------------------------------------------------- networks


def test_a_product_of_activations_has_no_place_in_a_mesh() -> None:
    with pytest.raises(ArchsimError, match="rf: is programmed with B, so it must be a weight"):
        run(model="gpt2_prefill@seq=8")


def test_convolutions_run_beside_the_vector_unit() -> None:
    result = run(model="mobilenet_v2@image=32", form="tt3")
    engines = {row.kind: row.engine for row in result.per_op}
    assert (engines["conv"], engines["vector"]) == ("rf", "vpu")


def test_a_clock_that_nobody_limits_is_said_to_be_so() -> None:
    (note,) = (line for line in run().assumptions if line.startswith("rf: clock of 100 MHz"))
    assert "inf" not in note
