"""The array of adder trees fed by hand, its beats, what it takes and what it refuses."""

from __future__ import annotations

import numpy as np
import pytest
from amaranth.sim import Simulator
from pydantic import ValidationError

from archsim.engines import GemmJobs, discover
from archsim.engines.adder_tree import ENGINE
from archsim.engines.adder_tree.beats import pack, ports, unpack
from archsim.engines.adder_tree.rtl import AdderTrees
from archsim.engines.adder_tree.spec import AdderTreeSpec
from archsim.hdl.emit import to_verilog
from archsim.hdl.synth import check_rtl
from archsim.trace import Op

SPEC = AdderTreeSpec(depth=2, cols=3, stages=1, acc_rows=4, a_bits=4, b_bits=5, acc_bits=11)
OPT1 = SPEC.model_copy(update={"pe": "opt1"})


def job(m: int, n: int, k: int, accumulate: int = 0) -> GemmJobs:
    refs = ({port: port for port in "abc"},)
    sizes = (np.array([x]) for x in (m, n, k))
    return GemmJobs(*sizes, np.array([bool(accumulate)]), refs=refs)


@pytest.mark.parametrize("spec", [SPEC, OPT1], ids=["mac", "opt1"])
def test_array_by_hand(spec: AdderTreeSpec) -> None:
    """[[1 2] [3 4]] x [[5 6 1] [7 -8 0]] = [[19 -10 1] [43 -14 3]], cycle by cycle."""
    dut = AdderTrees(spec)

    async def bench(ctx) -> None:
        ctx.set(dut.cmd.p, {"m": 2, "n": 3, "k": 2, "accumulate": 0})
        for valid in (dut.cmd.valid, dut.a.valid, dut.b.valid, dut.result.ready):
            ctx.set(valid, 1)
        assert ctx.get(dut.cmd.ready)
        await ctx.tick()  # cycle 0
        ctx.set(dut.cmd.valid, 0)
        for b in ([7, -8, 0], [5, 6, 1]):  # the bottom row first
            ctx.set(dut.b.p, b)
            assert (0, 1) == (ctx.get(dut.a.ready), ctx.get(dut.b.ready))
            await ctx.tick()  # cycles 1, 2
        for a in ([1, 2], [3, 4]):
            ctx.set(dut.a.p, a)
            assert (1, 0) == (ctx.get(dut.a.ready), ctx.get(dut.b.ready))
            await ctx.tick()  # cycles 3, 4
        results = []
        for cycle in range(5, 8):  # the first row multiplies in 4, lands in 5 and goes in 6
            if ctx.get(dut.result.valid):
                results.append((cycle, [ctx.get(dut.result.p[j]) for j in range(3)]))
            await ctx.tick()
        assert [(6, [19, -10, 1]), (7, [43, -14, 3])] == results
        assert ctx.get(dut.cmd.ready)
        names = ("busy", "fill", "drain")
        counters = {name: ctx.get(getattr(dut.counters, name)) for name in names}
        assert {"busy": 2, "fill": 4, "drain": 2} == counters

    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()


def test_verilog_has_no_latch_and_one_driver_a_wire() -> None:
    for spec in (SPEC, OPT1):
        check_rtl(to_verilog(AdderTrees(spec), "trees"), "trees")


def test_beats_by_hand() -> None:
    data = {
        "a": np.array([[1, 2, 3], [4, 5, 6]]),
        "b": np.array([[1, 2, 3, 4], [5, 6, 7, 8], [9, 10, 11, 12]]),
        "c": np.arange(8).reshape(2, 4),
    }
    beats = pack(SPEC, job(2, 4, 3, 1), 0, data)
    assert {"m": 2, "n": 4, "k": 3, "accumulate": 1} == beats["cmd"]
    assert [[1, 2], [4, 5], [3, 0], [6, 0]] * 2 == beats["a"].tolist()
    left, right = [[5, 6, 7], [1, 2, 3], [9, 10, 11]], [[8, 0, 0], [4, 0, 0], [12, 0, 0]]
    assert left + right == beats["b"].tolist()
    assert [[0, 1, 2], [4, 5, 6], [3, 0, 0], [7, 0, 0]] == beats["c"].tolist()
    back = unpack(SPEC, job(2, 4, 3), 0, {"result": beats["c"]})["result"]
    assert np.array_equal(data["c"], back)
    assert (2, 3, 3, 3) == tuple(port.lanes for port in ports(SPEC).values())


def test_it_multiplies_matrices_of_integers_that_fit() -> None:
    assert discover()["adder_tree"] is ENGINE
    assert {"int4", "int8"} == ENGINE.dtypes(AdderTreeSpec())
    assert (None, 3, 2) == ENGINE.blocks(SPEC)
    assert (6, 11) == (ENGINE.peak_macs(SPEC), ENGINE.sum_bits(SPEC))
    refused = ENGINE.accepts(SPEC, Op(name="x", kind="vector", inputs=(), outputs=()))
    text = "an array of adder trees multiplies matrices (gemm, conv); it has no vector"
    assert text == refused.text


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"acc_bits": 15}, r"acc_bits must be at least a_bits \+ b_bits = 16, not 15"),
        (
            {"depth": 8, "stages": 5},
            r"stages must be at most 4 in a tree of depth 8: one after the products and .*; got 5",
        ),
    ],
)
def test_refused_specs_say_why(fields: dict, text: str) -> None:
    with pytest.raises(ValidationError, match=text):
        AdderTreeSpec(**fields)


@pytest.mark.parametrize(
    ("fields", "bits"),
    [
        # 4 products of 16 bits, 2 sums of 17, one of 18
        ({"stages": 1}, 18), ({"stages": 2}, 18 + 2 * 17), ({"stages": 3}, 18 + 2 * 17 + 4 * 16),
    ],
)  # fmt: skip
def test_bits_of_ranks(fields: dict, bits: int) -> None:
    assert bits == AdderTreeSpec(depth=4, **fields).rank_bits
