"""An engine whose time is what its operands hold: values, counts or nothing come from the trace."""

from __future__ import annotations

import io
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
from numpy.typing import NDArray
from rich.console import Console

from archsim import batch
from archsim.design import Design, design_from
from archsim.engines import (
    NO_STALLS,
    Data,
    Engine,
    EngineSpec,
    Env,
    Floats,
    Fmax,
    GemmJobs,
    Jobs,
    NoRtl,
    Port,
    Timing,
)
from archsim.formats.digits import tally
from archsim.mapping import GemmMapping
from archsim.plan import Memo
from archsim.report.text import simulation
from archsim.result import OpRow, Result
from archsim.simulate import simulate
from archsim.trace import Histogram, Op, Sampled, Tensor, Trace
from archsim.trace_io import read_trace, write_trace


class PickySpec(EngineSpec):
    """Takes a cycle for every product of A's elements that are not zero; of B's, too, if asked."""

    kind: Literal["picky"] = "picky"
    reads: Literal["", "a", "b", "ab"] = "a"


@dataclass(frozen=True, slots=True)
class PickyJobs(GemmJobs):
    share: Floats  # of products that take a cycle


def lower(spec: PickySpec, op: Op, tiles: Any, data: Data | None = None) -> PickyJobs:
    share = 1.0
    for port in spec.reads:
        counts = (data or {}).get(port)
        share *= 0.5 if counts is None else 1 - float(counts[len(counts) // 2] / counts.sum())
    shares = np.full(len(tiles.m), share)
    return PickyJobs(tiles.m, tiles.n, tiles.k, tiles.accumulate, shares)


def time(spec: PickySpec, jobs: Any, env: Env = NO_STALLS, data: Data | None = None) -> Timing:
    products = jobs.m * jobs.n * jobs.k
    refs = jobs.refs or ({},) * len(jobs)
    exact = all(set(spec.reads) <= ref.keys() for ref in refs)
    if exact:
        rows = zip(refs, jobs.m, jobs.n, jobs.k, strict=True)
        busy = np.array([_products(spec, *row, data) for row in rows])
    else:
        busy = np.rint(products * jobs.share).astype(np.int64)
    beats = {"a": jobs.m * jobs.k, "b": jobs.k * jobs.n, "c": 0 * jobs.m, "result": jobs.m * jobs.n}
    bounds: dict[str, Any] = {} if exact else {"kind": "expected", "lo": 0 * busy, "hi": products}
    return Timing(busy, busy + 1, {"busy": busy, "fill": 0 * busy + 1}, beats, **bounds)


def _products(
    spec: PickySpec, ref: dict[str, str], m: int, n: int, k: int, data: Data | None
) -> int:
    ones = {"a": np.ones((m, k), int), "b": np.ones((k, n), int)}
    for port, name in ref.items():
        assert data is not None
        assert data[name].shape == ones[port].shape
        ones[port] = (data[name] != 0).astype(int)
    return int((ones["a"] @ ones["b"]).sum())


PICKY = Engine(
    kind="picky",
    spec=PickySpec,
    accepts=lambda spec, op: True,
    lower=lower,
    reference=lambda spec, jobs, data: [],
    time=time,
    actions=lambda spec, jobs, timing: {"product": timing.occupied},
    energy_pj=lambda spec, tech: {"product": 1.0},
    area_um2=lambda spec, tech: {"cells": 100.0},
    fmax_mhz=lambda spec, tech: Fmax(1000.0, "nobody measured it"),
    lanes=lambda spec: {
        "a": Port("in", 64, 8), "b": Port("in", 64, 8), "c": Port("in", 64, 32),
        "result": Port("out", 64, 32),
    },
    rtl=NoRtl("a made-up engine"),
    sum_bits=lambda spec: 32,
    reads_values=lambda spec: tuple(spec.reads),
    figures=lambda spec, jobs: {"share": jobs.share},
)  # fmt: skip

RNG = np.random.default_rng(3)
CONV = Op(
    "conv", "conv", ("image", "filters"), ("map",),
    {"batch": 1, "channels": 6, "height": 9, "width": 7, "filters": 4, "kernel": (3, 3),
     "stride": (2, 1), "pad": (1, 1, 0, 1), "dilation": (1, 1), "groups": 2},
)  # fmt: skip
GEMM = Op("gemm", "gemm", ("map", "matrix"), ("out",), {"m": 7, "n": 5, "k": 16, "groups": 1})


def sparse(*shape: int) -> NDArray[np.int8]:
    values = RNG.integers(-128, 128, shape) * (RNG.random(shape) < 0.4)
    return values.astype(np.int8)


VALUES = {
    "image": sparse(1, 6, 9, 7), "filters": sparse(4, 3, 3, 3), "map": sparse(1, 4, 4, 7),
    "matrix": sparse(16, 5),
}  # fmt: skip


def trace(values: dict[str, Any] | None = None, **data: Any) -> Trace:
    shapes = {"image": (1, 6, 9, 7), "filters": (4, 3, 3, 3), "map": (1, 4, 4, 7),
              "matrix": (16, 5), "out": (7, 5)}  # fmt: skip
    roles: dict[str, Any] = {"image": "input", "filters": "weight", "matrix": "weight"}
    tensors = {
        n: Tensor(n, s, "int8", roles.get(n, "activation"), data.get(n, n if n in VALUES else None))
        for n, s in shapes.items()
    }
    return Trace("t", tensors, (CONV, GEMM), values=VALUES if values is None else values)


def design(capacity_bytes: int = 1 << 16, policy: str = "first", **spec: Any) -> Design:
    engine = {"kind": "picky", "clock_mhz": 1000, **spec}
    buffer = {"capacity_bytes": capacity_bytes}
    return design_from({"engines": {"one": engine}, "memories": {"buffer": buffer}})


def products_of(reads: str) -> dict[str, int]:
    """Return how many products of elements other than zero each op has, from definitions."""
    on = {name: (x != 0).astype(int) for name, x in VALUES.items()}
    image = np.pad(on["image"][0], ((0, 0), (1, 0), (1, 1))) if "a" in reads else None
    filters = on["filters"] if "b" in reads else np.ones((4, 3, 3, 3), int)
    padded = np.ones((6, 10, 9), int) if image is None else image
    conv = sum(
        int((padded[f // 2 * 3 : f // 2 * 3 + 3, 2 * y : 2 * y + 3, x : x + 3] * filters[f]).sum())
        for f in range(4) for y in range(4) for x in range(7)
    )  # fmt: skip
    a = on["map"].reshape(7, 16) if "a" in reads else np.ones((7, 16), int)
    b = on["matrix"] if "b" in reads else np.ones((16, 5), int)
    return {"conv": conv, "gemm": int((a @ b).sum())}


def busy(result: Result) -> dict[str, int]:
    return {row.name: row.split_cycles["busy"] for row in result.per_op}


def rows(result: Result) -> dict[str, OpRow]:
    return {row.name: row for row in result.per_op}


@pytest.mark.parametrize("reads", ["a", "b", "ab"])
@pytest.mark.parametrize("capacity_bytes", [512, 1 << 16])
def test_values_reach_the_engine_whatever_the_tiles(
    install: Any, reads: str, capacity_bytes: int
) -> None:
    install(PICKY)
    found = simulate(design(capacity_bytes, reads=reads), trace())
    assert busy(found) == products_of(reads)
    assert {row.kind_of_time for row in found.per_op} == {"exact"}
    assert {row.values for row in found.per_op} == {"whole"}
    assert not any(row.bounds_cycles for row in found.per_op)


def test_the_mapping_is_searched_by_expectation_and_then_timed_exactly(install: Any) -> None:
    install(PICKY)
    given = {"conv": GemmMapping(28, 2, 27, groups=2), "gemm": GemmMapping(2, 5, 7, "knm")}
    found = simulate(design(reads="ab"), trace(), mappings=given)
    assert busy(found) == products_of("ab")
    assert rows(found)["conv"].jobs == 2
    assert rows(found)["gemm"].jobs == 4 * 3


def test_event_equals_analytic(install: Any) -> None:
    install(PICKY)
    for capacity_bytes in (512, 4096):
        one, two = (
            simulate(design(capacity_bytes), trace(), fidelity)  # type: ignore[arg-type]
            for fidelity in ("analytic", "event")
        )
        assert one.metrics.time_us == two.metrics.time_us
        assert busy(one) == busy(two) == products_of("a")


def test_counts_give_an_expectation_with_bounds(install: Any) -> None:
    install(PICKY)
    counts = {"matrix": tally(VALUES["matrix"], 8)}
    known = trace({**VALUES, **counts}, matrix=Histogram("matrix"), filters=None)
    whole = {"gemm": GemmMapping(7, 5, 16)}  # one job
    found = simulate(design(reads="b"), known, mappings=whole)
    gemm, conv = rows(found)["gemm"], rows(found)["conv"]
    share = np.count_nonzero(VALUES["matrix"]) / 80
    assert gemm.kind_of_time == "expected"
    assert gemm.values == "counts"
    assert gemm.split_cycles["busy"] == round(7 * 5 * 16 * share) == products_of("b")["gemm"]
    assert gemm.bounds_cycles == {"lo": 1, "hi": 7 * 5 * 16 + 1}
    assert gemm.figures == {"share": pytest.approx(share)}
    assert conv.values == "assumed"
    assert conv.figures == {"share": 0.5}
    text = (
        "values: 1 by how often each integer occurs in an operand, 1 by an assumed distribution: "
        "what the time of ops rests on that depends on values"
    )
    assert text in found.assumptions
    console = Console(width=1000, file=io.StringIO())
    console.print(simulation(found, explain=True))
    printed = console.file.getvalue()  # type: ignore[attr-defined]
    assert (
        "cycles are expected by how often each integer occurs in an operand, from 1 to 561"
        in printed
    )


def test_samples_are_counted(install: Any) -> None:
    install(PICKY)
    drawn = {"map": VALUES["map"].ravel()[::3]}
    found = simulate(design(), trace({**VALUES, **drawn}, map=Sampled("map", 3.0)))
    gemm = rows(found)["gemm"]
    assert (gemm.kind_of_time, gemm.values) == ("expected", "sample")
    assert gemm.figures["share"] == pytest.approx(np.count_nonzero(drawn["map"]) / 38)
    assert rows(found)["conv"].values == "whole"


def test_plans_are_shared_where_values_agree(install: Any) -> None:
    install(PICKY)
    memo = Memo()
    first = simulate(design(), trace(), memo=memo)
    zeros = {**VALUES, "map": 0 * VALUES["map"]}
    second = simulate(design(), trace(zeros), memo=memo)
    assert busy(second) == {**products_of("a"), "gemm": 0}
    weights = {**VALUES, "matrix": 0 * VALUES["matrix"]}  # not what it reads
    assert busy(simulate(design(), trace(weights), memo=memo)) == busy(first)
    assert busy(simulate(design(reads="b"), trace(weights), memo=memo))["gemm"] == 0


def test_what_reads_none_asks_for_none(install: Any) -> None:
    install(PICKY)

    class Untouchable(dict[str, Any]):
        def __getitem__(self, name: str) -> Any:
            raise AssertionError(name)

    found = simulate(design(reads=""), trace(Untouchable()))
    assert {row.values for row in found.per_op} == {""}
    assert not any(line.startswith("values:") for line in found.assumptions)


def test_the_side_file_is_read_when_values_are_wanted(install: Any, tmp_path: Path) -> None:
    install(PICKY)
    write_trace(trace(), tmp_path / "t.jsonl", VALUES)
    assert busy(simulate(design(), read_trace(tmp_path / "t.jsonl"))) == products_of("a")
    (tmp_path / "t.npz").unlink()
    assert busy(simulate(design(reads=""), read_trace(tmp_path / "t.jsonl")))
    with pytest.raises(Exception, match=r"t\.npz: must be an \.npz file of plain arrays"):
        simulate(design(), read_trace(tmp_path / "t.jsonl"))


def test_a_batch_of_designs_equals_each(install: Any) -> None:
    install(PICKY)
    designs = [design(512), design(1 << 16)]
    alone = [simulate(x, trace()) for x in designs]
    mappings = [result.mappings for result in alone]
    together = batch.evaluate(designs, trace(), mappings)
    assert together.cycles.tolist() == [result.metrics.cycles for result in alone]


def test_a_program_has_each_jobs_own_values(install: Any) -> None:
    """Processes run the jobs of a step: rows of groups, each with its own refs."""
    seen: list[Jobs] = []

    def process(sim: Any, spec: PickySpec, jobs: Any, ports: Any) -> Any:
        seen.append(jobs)
        yield sim.timeout(10**9)

    install(replace(PICKY, process=process))
    mapping = {"conv": GemmMapping(28, 2, 27, groups=2)}
    simulate(design(), trace(), "event", mappings=mapping)
    refs = seen[0].refs
    assert refs is not None
    assert [ref["a"] for ref in refs] == ["a0[0:28,0:27]", "a1[0:28,0:27]"]
