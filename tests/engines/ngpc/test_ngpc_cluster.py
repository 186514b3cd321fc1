"""Frames on many processors: batches, what hides behind what, and both fidelities alike."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from archsim.design import load_design
from archsim.engines import SpecBatch
from archsim.engines.ngpc import batches, cluster
from archsim.engines.ngpc.cluster import busiest
from archsim.engines.ngpc.spec import NgpcSpec
from archsim.engines.ngpc.steady import steady
from archsim.errors import ArchsimError, InfeasibleError, InputError
from archsim.graphics.field import Field
from archsim.patterns import Patterns
from archsim.plan import Memo
from archsim.result import Result
from archsim.simulate import simulate
from archsim.trace import Trace
from tests.engines.ngpc.frames import along_rays, design, frame

APPS = ("nerf", "nsdf", "nvr", "gia")
MEMO = Memo()


def run(trace: Trace, fidelity: Any = "analytic", **fields: Any) -> Result:
    return simulate(design(**fields), trace, fidelity, memo=MEMO)


@pytest.fixture(scope="module")
def frames() -> dict[str, Trace]:
    return {app: frame(app) for app in APPS}


def rest_us(trace: Trace) -> float:
    """Return the time of the GPU's other kernels, fused."""
    attrs = trace.ops[0].attrs
    found = attrs["gpu_us"] * attrs["rest_share"] / 9.94  # type: ignore[operator]
    return float(found)


@given(st.integers(1, 5000), st.integers(1, 40))
def test_the_first_processor_gets_most(queries: int, nfps: int) -> None:
    dealt = cluster.dealt(queries, nfps)
    assert sum(dealt) == queries
    assert max(dealt) == dealt[0] == busiest(queries, nfps)


@pytest.mark.parametrize("app", APPS)
def test_both_fidelities_agree(app: str, frames: dict[str, Trace]) -> None:
    for fields in ({}, {"ray_groups": 1}, {"nfps": 3, "batch_queries": 100_000}):
        plain, event = (run(frames[app], x, **fields) for x in ("analytic", "event"))
        assert plain.per_op == event.per_op
        assert plain.per_resource == event.per_resource


@settings(max_examples=20, deadline=None)
@given(
    st.sampled_from(APPS), st.integers(1, 70), st.integers(256, 400_000), st.sampled_from([1, 2]),
    st.floats(1, 20), st.integers(1, 300_000),
)  # fmt: skip
def test_fidelities_agree_whatever_the_frame(
    app: str, nfps: int, batch: int, groups: int, rest: float, pixels: int
) -> None:
    trace = frame(app, pixels=pixels, sample=along_rays(2 if app == "gia" else 3, 256))
    fields = {"nfps": nfps, "batch_queries": batch, "ray_groups": groups, "rest_speedup": rest}
    plain, event = (simulate(design(**fields), trace, x) for x in ("analytic", "event"))
    assert plain.per_op == event.per_op
    (row,) = plain.per_op
    assert sum(row.split_cycles.values()) * 1000 == row.occupied_ps
    assert all(cycles >= 0 for cycles in row.split_cycles.values())
    assert row.bounds_cycles["lo"] <= sum(row.split_cycles.values()) <= row.bounds_cycles["hi"]


@pytest.mark.parametrize("app", APPS)
def test_more_processors_are_never_slower_and_end_at_the_gpu(
    app: str, frames: dict[str, Trace]
) -> None:
    times = [run(frames[app], nfps=n, mlp_mode="layered").metrics.time_us for n in (1, 2, 4, 8, 64)]
    assert times == sorted(times, reverse=True)
    assert rest_us(frames[app]) <= times[-1]


@pytest.mark.parametrize("app", APPS)
def test_speed_ends_at_the_gpus_other_kernels(app: str) -> None:
    trace = frame(app, per_pixel=1.0)
    result = run(trace, nfps=128, mlp_mode="layered", batch_queries=1 << 15)
    assert result.metrics.time_us == pytest.approx(rest_us(trace), rel=0.05)
    share = trace.ops[0].attrs["rest_share"]
    assert isinstance(share, float)
    assert result.metrics.extra["ngpc_speed_up"] == pytest.approx(9.94 / share, rel=0.05)


def test_twice_the_processors_take_half_as_long_while_they_decide(frames: dict[str, Trace]) -> None:
    few, many = (run(frames["nsdf"], nfps=n).per_op[0] for n in (1, 2))
    parts = ("busy", "stall.bank", "stall.fifo", "stall.mlp")
    sums = [sum(row.split_cycles[part] for part in parts) for row in (few, many)]
    assert sums[0] / sums[1] == pytest.approx(2, rel=1e-3)


def test_one_group_of_rays_waits_for_the_gpu_and_pixels_never_do(frames: dict[str, Trace]) -> None:
    two, one = (run(frames["nerf"], ray_groups=g).metrics.time_us for g in (2, 1))
    assert one > two
    compute_us = 4e6 / 64 * 5 / 1000
    assert one > rest_us(frames["nerf"]) + compute_us
    assert run(frames["gia"], ray_groups=1).per_op == run(frames["gia"], ray_groups=2).per_op


def test_dram_carries_records_and_answers(frames: dict[str, Trace]) -> None:
    (row,) = run(frames["nerf"]).per_op
    assert row.dram_read_bytes == 4_000_000 * 28
    assert row.dram_write_bytes == 4_000_000 * 8
    assert row.counts["queries"] == 4_000_000
    assert row.kind_of_time == "expected"


def test_slow_memory_is_waited_for(frames: dict[str, Trace]) -> None:
    slow = {"memories.dram.channel_gb_per_s": 1.0}
    result = simulate(load_design("ngpc_64", slow), frames["nvr"], memo=MEMO)
    (row,) = result.per_op
    assert row.wait_ps["load"] > row.time_ps / 2
    narrow = {"memories.buffer.banks": 2}
    result = simulate(load_design("ngpc_64", narrow), frames["nvr"], memo=MEMO)
    assert result.per_op[0].split_cycles["stall.buffer"] > 0
    event = simulate(load_design("ngpc_64", narrow), frames["nvr"], "event", memo=MEMO)
    assert event.per_op == result.per_op


def test_what_does_not_fit_is_read_from_dram(frames: dict[str, Trace]) -> None:
    (fits,) = run(frames["nerf"], tables="spilled", feature_bits=8, table_log2=19).per_op
    assert fits.dram_read_bytes == 4_000_000 * 28
    (spilled,) = run(frames["nerf"], tables="spilled").per_op
    missed = (spilled.dram_read_bytes - fits.dram_read_bytes) / 4_000_000
    # 12 hashed levels of 2 MiB, half of each in the engine: corners along x often share a sector
    assert 24 * 32 < missed < 48 * 32
    assert spilled.time_ps > fits.time_ps


def test_a_query_takes_what_its_sample_took(frames: dict[str, Trace]) -> None:
    op = frames["nerf"].ops[0]
    known = Patterns(frames["nerf"]).values(op, ("samples",))
    for mode, least in (("single", 5.0), ("layered", 1.0)):
        spec = NgpcSpec(bank_map="parity", mlp_mode=mode)
        took = steady(spec, Field.of(op), known)
        assert took.per_query == pytest.approx(least, rel=0.01)
        parts = took.once + took.bank + took.fifo + took.mlp
        assert parts == pytest.approx(took.per_query)
        assert took.conflicts == 0
    index = steady(NgpcSpec(mlp_mode="layered"), Field.of(op), known)
    assert index.bank == pytest.approx(3.0)  # level 0: rows and planes of 16 vertices, in 8 banks
    assert index.conflicts > 3


def test_specs_together_are_specs_one_by_one(frames: dict[str, Trace]) -> None:
    op = frames["nvr"].ops[0]
    known = Patterns(frames["nvr"]).values(op, ("samples",))
    specs = [NgpcSpec(nfps=n, clock_mhz=1000.0) for n in (1, 7, 64)]
    jobs = [batches.lower(s, op, batches.windows(s, op, known, 1 << 30), known) for s in specs]
    rows = np.zeros(1, np.int64)
    first = [job.take(rows) for job in jobs]
    columns: dict[str, Any] = {
        name: np.concatenate([getattr(job, name) for job in first])
        for name in batches.BatchJobs.__dataclass_fields__
        if name != "refs"
    }
    together = cluster.time(SpecBatch(specs), batches.BatchJobs(**columns))
    for row, (spec, job) in enumerate(zip(specs, first, strict=True)):
        assert together.cycles[row] == cluster.time(spec, job).cycles[0]


# ---------------------------------------------------------------------------------- refusals


def refusal(trace: Trace, **fields: Any) -> str:
    with pytest.raises(ArchsimError) as refused:
        run(trace, **fields)
    return str(refused.value).rpartition("\n")[2].strip()


def test_what_an_engine_cannot_do_it_says(frames: dict[str, Trace]) -> None:
    assert refusal(frames["nerf"], clock_mhz="auto") == (
        "nerf (field): ngpc: its clock must be a frequency, as the GPU keeps a time of its own"
    )
    assert refusal(frames["nerf"], engines=8) == (
        "nerf (field): ngpc: has no room for 16 levels on 8 engines"
    )
    assert refusal(frames["nerf"], mlp_layers=4) == (
        "nerf (field): ngpc: has no room for 5 layers, and the MLP keeps 4"
    )
    op = frames["nerf"].ops[0]
    planes = replace(op, attrs={**op.attrs, "encoding": "vm ranks=16"})
    assert refusal(replace(frames["nerf"], ops=(planes,))) == (
        "nerf (field): ngpc: encodes by grids, and has no vm"
    )


def test_queries_must_be_known(frames: dict[str, Trace]) -> None:
    tensors = dict(frames["gia"].tensors)
    tensors["queries"] = replace(tensors["queries"], data=None)
    with pytest.raises(InputError) as refused:
        run(replace(frames["gia"], tensors=tensors))
    assert str(refused.value) == (
        "op 'gia': samples: must be known, as cycles follow from them, not None"
    )


def test_blocks_on_their_way_need_room(frames: dict[str, Trace]) -> None:
    small = load_design("ngpc_64", {"memories.buffer.capacity_bytes": 1 << 20})
    with pytest.raises(InfeasibleError) as refused:
        simulate(small, frames["nerf"])
    assert "blocks of queries on their way to 64 processors" in str(refused.value)
