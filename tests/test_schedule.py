"""Several engines: policies, stages, clocks, streams, and the two fidelities against each other."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from statistics import median, quantiles
from typing import Any

import numpy as np
import pytest

from archsim import analytic, kernel, schedule
from archsim.assignment import _balanced
from archsim.design import Design, Memories, Sram, design_from, load_design
from archsim.errors import ArchsimError, InputError
from archsim.frontends import load
from archsim.plan import Memo
from archsim.residency import room_of
from archsim.result import Result
from archsim.schedule import Program
from archsim.simulate import PIPELINE, STREAM, simulate, units_of
from archsim.tech import load as load_tech
from archsim.timeline import Timeline, fold_repeats
from archsim.trace import Op, Tensor, Trace
from tests.several import Pair, pairs

ARRAY = {"kind": "systolic", "rows": 4, "cols": 4, "clock_mhz": 250}


def built(design: Design, trace: Trace, items: int = 1) -> Program:
    units, _ = units_of(design, load_tech(design.node))
    return schedule.build(design, trace, units, None, items=items)


def chain(*sizes: int, repeat: int = 1) -> Trace:
    """Square products one behind the other, each followed by an element-wise op."""
    tensors = {"x": Tensor("x", (sizes[0], sizes[0]), role="input")}
    ops: list[Op] = []
    source = "x"
    for i, n in enumerate(sizes):
        block: dict[str, Any] = {"block": "b", "repeat": repeat} if repeat > 1 else {}
        role: Any = "output" if i == len(sizes) - 1 else "activation"
        made = (
            Tensor(f"w{i}", (n, n), role="weight"), Tensor(f"y{i}", (n, n)),
            Tensor(f"z{i}", (n, n), role=role),
        )  # fmt: skip
        tensors |= {t.name: t for t in made}
        attrs = {"m": n, "n": n, "k": n, "groups": 1}
        ops.append(Op(f"mm{i}", "gemm", (source, f"w{i}"), (f"y{i}",), attrs, **block))
        work = {"function": "add", "work": n * n}
        ops.append(Op(f"add{i}", "vector", (f"y{i}",), (f"z{i}",), work, **block))
        source = f"z{i}"
    return Trace("chain", tensors, tuple(ops))


def two(policy: Any = "first", **second: Any) -> Design:
    engines = {"a": ARRAY, "b": ARRAY | second, "v": {"kind": "vector", "lanes": 8}}
    return design_from({"engines": engines, "policy": policy})


def engines_of(result: Result) -> dict[str, str]:
    return {row.name: row.engine for row in result.per_op}


# ------------------------------------------------------------------------- the two fidelities


def compare(pair: Pair) -> tuple[Result, Result]:
    """Run a pair at both fidelities: never above, and nothing lost on the way."""
    memo = Memo()
    bound = simulate(pair.design, pair.trace, memo=memo, batches=pair.batches)
    event = simulate(pair.design, pair.trace, "event", memo=memo, batches=pair.batches)
    assert bound.metrics.time_us <= event.metrics.time_us, pair.seed
    for result in (bound, event):
        check_conserved(pair, result)
    return bound, event


def check_conserved(pair: Pair, result: Result) -> None:
    moved = sum(op.dram_read_bytes + op.dram_write_bytes for op in result.per_op)
    rows = {row.name: row for row in result.per_resource}
    assert moved == rows["dram"].size_bytes
    assert moved == sum(row.size_bytes for row in result.per_resource if row.kind == "dma")
    assert sum(op.macs for op in result.per_op) == pair.trace.macs() * pair.batches
    ran: Counter[str] = Counter()
    for op in result.per_op:
        ran[op.name] += op.repeat
    assert ran == {op.name: op.repeat * pair.batches for op in pair.trace.ops}
    for row in result.per_resource:
        parts = (row.busy_ps, row.idle_ps, *row.stall_ps.values())
        assert min(parts) >= 0, (pair.seed, row)
        assert sum(parts) == row.total_ps
    for name in pair.design.engines:
        mine = [op for op in result.per_op if op.engine == name]
        used_ps = sum(op.occupied_ps + sum(op.wait_ps.values()) for op in mine)
        assert used_ps + rows[name].idle_ps == rows[name].total_ps


def gaps_of(count: int) -> list[float]:
    gaps = []
    for pair in pairs(count):
        bound, event = compare(pair)
        gaps.append(1 - bound.metrics.time_us / event.metrics.time_us)
        assert bound.per_op == event.per_op, pair.seed
        assert bound.per_resource == event.per_resource, pair.seed
    return gaps


def test_analytic_equals_event_for_several_engines() -> None:
    assert max(gaps_of(60)) == 0


@pytest.mark.slow
def test_the_gap_between_the_fidelities_on_500_pairs(capsys: pytest.CaptureFixture[str]) -> None:
    gaps = gaps_of(500)
    p95 = quantiles(gaps, n=20)[-1]
    with capsys.disabled():
        print(f"\n500 designs of several engines: analytic below event by {median(gaps):.2%} in "
              f"the median, {p95:.2%} at the 95th percentile, {max(gaps):.2%} at most")  # fmt: skip
    assert min(gaps) >= 0
    assert median(gaps) <= 0.05
    assert p95 <= 0.20


def test_the_random_pairs_meet_every_limit() -> None:
    """The set is worth its name: every policy, waiting for DRAM, stages, streams, blocks."""
    some = list(pairs(200))
    kinds = Counter(getattr(p.design.policy, "kind", p.design.policy) for p in some)
    assert set(kinds) == {"first", "fastest", "pipeline", "by-op"}
    assert {len(p.design.engines) for p in some} == {2, 3, 4}
    assert {p.batches for p in some} == {1, 2, 3, 6}
    assert any(op.repeat > 4 for p in some for op in p.trace.ops)
    waits = [
        row.stall_ps.get("dram", 0)
        for p in some[:30]
        for row in simulate(p.design, p.trace, batches=p.batches).per_resource
    ]
    assert sum(w > 0 for w in waits) > 10


# ------------------------------------------------------------------------- what stays on chip


@pytest.mark.parametrize("first", range(0, 60, 20))
def test_what_is_kept_on_chip_has_room_at_every_time(first: int) -> None:
    for pair in pairs(20, first):
        program = built(pair.design, pair.trace, pair.batches)
        _, room_bytes = room_of(pair.design)
        assert peak_bytes(program, analytic.run(program, {}), pair.trace) <= room_bytes, pair.seed


def peak_bytes(program: Program, timeline: Timeline, trace: Trace) -> int:
    """Return the most bytes of kept results at any time, from a result's start to its last use."""
    changes = []
    for each in timeline.executions:
        placed = program.ops[each.op]
        if not placed.held_output:
            continue
        name = placed.op.outputs[0]
        together = program.stretches[each.stretch].repeat > 1
        users = [
            e
            for e in timeline.executions
            if e.item == each.item and name in program.ops[e.op].op.inputs
            and (not together or (e.stretch, e.iteration) == (each.stretch, each.iteration))
        ]  # fmt: skip
        size_bytes = trace.tensors[name].size_bytes
        changes.append((each.start_ps, 1, size_bytes))
        changes.append((max(e.end_ps for e in users), 0, -size_bytes))
    sums = itertools.accumulate(size for *_, size in sorted(changes))
    return max(sums, default=0)


# ------------------------------------------------------------------------- clocks


@pytest.mark.parametrize("policy", ["first", "pipeline"])
def test_every_engine_starts_and_ends_at_edges_of_its_own_clock(policy: str) -> None:
    fast, slow = ({"mhz": mhz, "assumed": "test"} for mhz in (2000, 1333.3))
    engines = {
        "a": ARRAY | {"clock_mhz": fast}, "b": ARRAY | {"clock_mhz": slow},
        "v": {"kind": "vector", "lanes": 4, "clock_mhz": {"mhz": 1000, "assumed": "test"}},
    }  # fmt: skip
    design = design_from({"engines": engines, "policy": policy})
    result = simulate(design, chain(48, 48, 48, 48), "event", batches=3)
    clocks = {unit.name: unit.clock for unit in units_of(design, load_tech(design.node))[0]}
    seen: Counter[str] = Counter()
    for span in result.spans:
        if span.resource in clocks:
            clock = clocks[span.resource]
            for time_ps in (span.start_ps, span.end_ps):
                assert clock.edge_ps(clock.next_edge(time_ps)) == time_ps
            seen[span.resource] += 1
    assert seen.keys() == ({"a", "v"} if policy == "first" else {"a", "b", "v"})


# ------------------------------------------------------------------------- policies


def test_first_takes_the_first_that_accepts() -> None:
    result = simulate(two(), chain(8, 8))
    assert set(engines_of(result).values()) == {"a", "v"}
    assert {row.why for row in result.per_op} == {"first engine that accepts it"}


def test_fastest_takes_the_least_time_and_ties_go_by_order() -> None:
    larger = simulate(two("fastest", rows=16, cols=16), chain(64, 64))
    assert engines_of(larger)["mm0"] == "b"
    why = next(row.why for row in larger.per_op if row.name == "mm0")
    assert why.startswith("least time by itself, ")
    assert "; a " in why
    assert engines_of(simulate(two("fastest"), chain(64, 64)))["mm0"] == "a"


def test_rules_go_by_kind_name_and_type_and_the_first_that_matches_counts() -> None:
    rules = [
        {"name": "mm1", "engine": "a"},
        {"kind": "gemm", "dtype": "int8", "engine": "b"},
        {"dtype": "fp32", "engine": "a"},
    ]
    result = simulate(two({"kind": "by-op", "rules": rules}), chain(8, 8))
    assert engines_of(result) == {"mm0": "b", "add0": "v", "mm1": "a", "add1": "v"}
    whys = {row.name: row.why for row in result.per_op}
    assert whys["mm0"] == "rule 2 of the policy"
    assert whys["add0"] == "no rule: first engine that accepts it"


def test_a_rule_for_an_engine_that_refuses_the_op_is_refused_with_the_reason() -> None:
    design = two({"kind": "by-op", "rules": [{"name": "add*", "engine": "b"}]})
    with pytest.raises(
        ArchsimError,
        match=r"^2 of 4 ops cannot run on the engine that the policy gives them:\n"
        r"  add0 \(vector\): policy.rules.0: b: a systolic array multiplies matrices "
        r"\(gemm, conv\); it has no vector\n  add1 ",
    ):
        simulate(design, chain(8, 8))


ENGINES = "engines:\n  a: {kind: systolic}\n  b: {kind: systolic}\n"


WORDS = "must be first, fastest, pipeline, or have kind by-op or pipeline"
REFUSED = (
    ("policy: quickest\n", f"d.yaml:4: policy: {WORDS}, not 'quickest'"),
    ("policy:\n  kind: random\n", f"d.yaml:4: policy: {WORDS}, not {{'kind': 'random'}}"),
    (
        "policy:\n  kind: by-op\n  rules:\n  - {kind: gemm, engine: a}\n  - {engine: c}\n",
        "d.yaml:8: policy.rules.1.engine: must be one of a, b, not 'c'",
    ),
    (
        "policy:\n  kind: by-op\n  rules:\n  - {knd: gemm, engine: a}\n",
        "d.yaml:7: policy.rules.0.knd: is not a known key; remove it or check its spelling",
    ),
    ("policy: {kind: by-op}\n", "d.yaml:4: policy.rules: is required and missing"),
    (
        "policy: {kind: pipeline, stages: [b, b]}\n",
        "d.yaml:4: policy.stages.1: an engine must hold one stage, not 'b'",
    ),
    (
        "policy: {kind: pipeline, stages: [bb]}\n",
        "d.yaml:4: policy.stages.0: must be one of a, b (did you mean 'b'?), not 'bb'",
    ),
)


@pytest.mark.parametrize(("text", "message"), REFUSED)
def test_policies_that_are_refused(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "d.yaml").write_text(ENGINES + text)
    with pytest.raises(InputError) as caught:
        load_design(str(tmp_path / "d.yaml"))
    assert str(caught.value) == str(tmp_path / message)


# ------------------------------------------------------------------------- pipelines


def test_stages_are_contiguous_and_balanced_and_a_vector_unit_serves_both() -> None:
    result = simulate(two("pipeline"), chain(40, 40, 40, 40))
    assert [row.engine for row in result.per_op] == ["a", "v"] * 2 + ["b", "v"] * 2
    assert result.per_op[0].why == "stage 1 of 2"
    assert result.per_op[5].why == "stage 2 of 2: b does not take it"


def test_the_order_of_stages_can_be_given() -> None:
    result = simulate(two({"kind": "pipeline", "stages": ["b", "a"]}), chain(40, 40, 40, 40))
    assert [row.engine for row in result.per_op] == ["b", "v"] * 2 + ["a", "v"] * 2


def test_a_repeated_block_is_cut_between_its_rounds() -> None:
    result = simulate(two("pipeline", rows=8), chain(64, repeat=12), batches=5)
    rounds = {row.engine: row.repeat for row in result.per_op if row.name == "mm0"}
    assert sum(rounds.values()) == 12 * 5
    assert 0 < rounds["a"] < rounds["b"]  # b is larger
    assert set(result.mappings) == {"mm0@a", "mm0@b", "add0@v"}
    assert simulate(two("pipeline", rows=8), chain(64, repeat=12), "event", batches=5).per_op == (
        result.per_op
    )


def test_items_overlap_in_a_pipeline_and_raise_its_throughput() -> None:
    trace = chain(64, 64, 64, 64)
    alone = simulate(two("first"), trace, batches=16)
    piped = simulate(two("pipeline"), trace, "event", batches=16)
    assert piped.metrics.throughput_per_s > 1.5 * alone.metrics.throughput_per_s
    assert piped.metrics.latency_us < 1.5 * alone.metrics.latency_us
    spans = {name: [s for s in piped.spans if s.resource == name] for name in "ab"}
    both = sum(
        max(0, min(x.end_ps, y.end_ps) - max(x.start_ps, y.start_ps))
        for x in spans["a"] for y in spans["b"]
    )  # fmt: skip
    busy = sum(x.end_ps - x.start_ps for x in spans["a"])
    assert both > 0.5 * busy


def test_the_cut_is_the_best_there_is() -> None:
    """Against all cuts, on random times."""
    random = np.random.default_rng(5)
    for _ in range(60):
        stages, atoms = random.integers(1, 4), random.integers(1, 8)
        times = [random.integers(0, 9, atoms) for _ in range(stages)]
        ends = _balanced(times)
        assert ends[-1] == atoms

        def longest(ends: Any, times: Any = times) -> int:
            starts = (0, *ends[:-1])
            cuts = zip(times, starts, ends, strict=True)
            return max(int(row[i:j].sum()) for row, i, j in cuts)

        every = itertools.combinations_with_replacement(range(atoms + 1), int(stages) - 1)
        assert longest(ends) == min(longest((*cut, atoms)) for cut in every)


# ------------------------------------------------------------------------- streams


def test_a_stream_of_one_engine_is_folded_and_says_the_same() -> None:
    engines = {"a": ARRAY | {"clock_mhz": {"mhz": 1000, "assumed": "test"}}}
    products = tuple(op for op in chain(24, 24).ops if op.kind == "gemm")
    tensors = {**chain(24, 24).tensors, "z0": Tensor("z0", (24, 24), role="input")}
    trace = Trace("t", tensors, products)
    program = built(design_from({"engines": engines}), trace, 50)
    calls: list[int] = []

    def run(repeats: Mapping[int, int], items: int) -> Timeline:
        calls.append(items)
        return analytic.run(program, repeats, items)

    folded = fold_repeats(program, run, 10**6)
    assert calls == [4]
    assert folded.total_ps == analytic.run(program, {}).total_ps == kernel.run(program, {}).total_ps
    assert sum(weight for _, weight in folded.weighted()) == 100


@pytest.mark.parametrize("policy", ["first", "pipeline"])
def test_figures_of_a_stream(policy: str) -> None:
    one = simulate(two(policy), chain(24, 24)).metrics
    many = simulate(two(policy), chain(24, 24), batches=20).metrics
    assert one.latency_us == one.time_us
    assert one.throughput_per_s == pytest.approx(1e6 / one.time_us)
    assert many.macs == 20 * one.macs
    assert many.latency_us <= many.time_us < 20 * one.time_us
    steady_us = many.time_us - many.latency_us
    assert many.throughput_per_s == pytest.approx(19 / steady_us * 1e6)
    assert many.energy_per_item_pj == pytest.approx(many.energy_pj / 20)
    assert many.energy_per_item_pj < one.energy_per_item_pj  # less time to leak in


def test_results_say_what_streams_and_pipelines_assume() -> None:
    for policy, batches in itertools.product(("first", "pipeline"), (1, 2)):
        said = simulate(two(policy), chain(40, 40), batches=batches).assumptions
        assert (PIPELINE in said) == (policy == "pipeline")
        assert (STREAM in said) == (batches == 2)


@pytest.mark.parametrize("batches", [0, -1, 1.5, True])
def test_batches_that_are_refused(batches: Any) -> None:
    with pytest.raises(InputError, match=r"^batches: must be a positive integer, not "):
        simulate(two(), chain(8), batches=batches)


def test_a_run_that_would_not_end_is_refused() -> None:
    with pytest.raises(
        ArchsimError,
        match=r"^20,000,000 executions of ops would have to be run, and at most 250,000 are; ask "
        r"for fewer batches, or repeat blocks less often$",
    ):
        simulate(two(), chain(8), batches=10**7)
    small = two().model_copy(update={"memories": Memories(buffer=Sram(capacity_bytes=4096))})
    with pytest.raises(
        ArchsimError,
        match=r"^[\d,]+ buffer tiles would have to be run, and at most 5,000,000 are; raise "
        r"memories.buffer.capacity_bytes, ask for fewer batches, or for analytic$",
    ):
        simulate(small, chain(256), "event", batches=10**5)


def test_the_published_margin_of_zoo_models() -> None:
    design = load_design("tpu_like")
    for model in ("resnet50", "bert_base"):
        memo = Memo()
        bound, event = (simulate(design, load(model), f, memo=memo) for f in ("analytic", "event"))
        assert bound.per_resource == event.per_resource


def test_memo_holds_objectives_policies_and_streams_apart() -> None:
    memo = Memo()
    trace = chain(64, 64)
    for policy, objective, batches in itertools.product(
        ("first", "fastest", "pipeline"), ("time", "energy", "dram_bytes", "edp"), (1, 3)
    ):
        run = partial(simulate, two(policy, rows=8), trace, objective=objective, batches=batches)
        assert run(memo=memo) == run()  # type: ignore[arg-type]
