"""PEs with a stationary operand by themselves, and the array fed by hand, in simulation."""

from __future__ import annotations

import numpy as np
from amaranth.sim import Simulator

from archsim.engines import GemmJobs
from archsim.engines.systolic import ENGINE
from archsim.engines.systolic.beats import pack, ports, unpack
from archsim.engines.systolic.reference import reference
from archsim.engines.systolic.spec import SystolicSpec
from archsim.engines.systolic.stationary_rtl import StationaryArray, StationaryElement
from archsim.formats import bf16
from archsim.hdl.emit import to_verilog
from archsim.hdl.synth import check_rtl

SPEC = SystolicSpec(rows=2, cols=2, a_bits=4, b_bits=5, acc_bits=9, dataflow="ws", acc_rows=4)
IS = SPEC.model_copy(update={"dataflow": "is"})
REFS = ({"a": "a", "b": "b", "c": "c"},)


def simulate(dut, bench) -> None:
    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()


def job(m: int, n: int, k: int, accumulate: bool = False) -> GemmJobs:
    return GemmJobs(*(np.array([x]) for x in (m, n, k)), np.array([accumulate]), refs=REFS)


def test_pe_works_with_one_operand_while_the_next_comes_in() -> None:
    dut = StationaryElement(SPEC)

    async def bench(ctx) -> None:
        async def step(advance: int = 1, **inputs: int) -> None:
            for name in ("above", "shift", "swap", "streamed", "sum"):
                ctx.set(getattr(dut, name), inputs.get(name, 0))
            ctx.set(dut.advance, advance)
            await ctx.tick()

        await step(shift=1, above=3)
        assert (3, 1, 0) == tuple(ctx.get(x) for x in (dut.shadow, dut.shift_next, dut.swap_next))
        await step(advance=0, swap=1)  # not taken
        await step(swap=1, shift=1, above=-7)  # takes 3 over as -7 comes in
        assert (-7, 1, 1) == tuple(ctx.get(x) for x in (dut.shadow, dut.shift_next, dut.swap_next))
        await step(streamed=-8, sum=100)
        assert (100 - 24, -8) == (ctx.get(dut.sum_next), ctx.get(dut.streamed_next))
        await step(streamed=2, sum=1, swap=1)  # still 3: the next step's operand is -7
        assert 7 == ctx.get(dut.sum_next)
        await step(streamed=2, sum=1)
        assert -13 == ctx.get(dut.sum_next)

    simulate(dut, bench)


def test_array_by_hand() -> None:
    """[[1 2] [3 4]] x [[5 6] [7 -8]] = [[19 -10] [43 -14]], cycle by cycle."""
    dut = StationaryArray(SPEC)

    async def bench(ctx) -> None:
        ctx.set(dut.cmd.p, {"m": 2, "n": 2, "k": 2, "accumulate": 0})
        for valid in (dut.cmd.valid, dut.a.valid, dut.b.valid, dut.result.ready):
            ctx.set(valid, 1)
        assert ctx.get(dut.cmd.ready)
        assert not ctx.get(dut.b.ready)
        await ctx.tick()  # cycle 0
        ctx.set(dut.cmd.valid, 0)
        for b in ([7, -8], [5, 6]):  # the bottom row first
            ctx.set(dut.b.p, b)
            assert (0, 1) == (ctx.get(dut.a.ready), ctx.get(dut.b.ready))
            await ctx.tick()  # cycles 1, 2
        for a in ([1, 2], [3, 4]):
            ctx.set(dut.a.p, a)
            assert (1, 0) == (ctx.get(dut.a.ready), ctx.get(dut.b.ready))
            await ctx.tick()  # cycles 3, 4
        results = []
        for cycle in range(5, 10):
            assert not ctx.get(dut.cmd.ready)
            if ctx.get(dut.result.valid):
                results.append((cycle, [ctx.get(dut.result.p[j]) for j in range(2)]))
            await ctx.tick()
        assert [(8, [19, -10]), (9, [43, -14])] == results
        assert ctx.get(dut.cmd.ready)
        names = ("busy", "fill", "drain")
        counters = {name: ctx.get(getattr(dut.counters, name)) for name in names}
        assert {"busy": 4, "fill": 4, "drain": 2} == counters

    simulate(dut, bench)


def test_verilog_has_no_latch_and_one_driver_a_wire() -> None:
    for spec in (SPEC, IS):
        check_rtl(to_verilog(StationaryArray(spec), "array"), "array")


# --------------------------------------------------------------------------------- beats, values


def test_beats_of_a_ragged_product() -> None:
    spec = SPEC.model_copy(update={"acc_rows": 2})
    operands = {
        "a": np.array([[1, 2, 3], [4, 5, 6], [7, 8, 9]]),
        "b": np.array([[1, 2, 3], [4, 5, 6], [7, 8, 9]]),
        "c": np.arange(9).reshape(3, 3),
    }
    packed = pack(spec, job(3, 3, 3, accumulate=True), 0, operands)
    # rows 0-1 of A pass the tiles k 0-1 and 2 of columns 0-1, then of column 2; then row 2 does
    one = [[1, 2], [4, 5], [3, 0], [6, 0]]
    two = [[7, 8], [9, 0]]
    tiles = [[4, 5], [1, 2], [7, 8], [6, 0], [3, 0], [9, 0]]  # bottom row first
    assert (one * 2 + two * 2, tiles * 2) == tuple(packed[port].tolist() for port in "ab")
    assert [[0, 1], [3, 4], [2, 0], [5, 0], [6, 7], [8, 0]] == packed["c"].tolist()


def test_beats_of_is_are_those_of_the_transposed_product() -> None:
    rng = np.random.default_rng(1)
    a, b, c = (rng.integers(-8, 8, shape) for shape in ((5, 7), (7, 3), (5, 3)))
    turned = pack(SPEC, job(3, 5, 7, accumulate=True), 0, {"a": b.T, "b": a.T, "c": c.T})
    packed = pack(IS, job(5, 3, 7, accumulate=True), 0, {"a": a, "b": b, "c": c})
    assert {"m": 5, "n": 3, "k": 7, "accumulate": 1} == packed["cmd"]
    for port, other in {"a": "b", "b": "a", "c": "c"}.items():
        assert np.array_equal(packed[port], turned[other])
    back = unpack(IS, job(5, 3, 7), 0, {"result": packed["c"]})["result"]
    assert np.array_equal(c, back)


def test_lanes_of_is_are_exchanged() -> None:
    spec = SPEC.model_copy(update={"rows": 3, "cols": 5})
    wanted = {"ws": (3, 5, 5, 5), "is": (5, 3, 5, 5)}
    for dataflow, lanes in wanted.items():
        streams = ports(spec.model_copy(update={"dataflow": dataflow}))
        assert lanes == tuple(port.lanes for port in streams.values())
        assert (4, 5, 9, 9) == tuple(port.bits for port in streams.values())


def test_sums_of_floats_are_sums_of_folds() -> None:
    one, tiny = 0x3F80, 0x3380  # 1 and 2^-24, which a sum of 1 in fp32 swallows, but not two
    spec = SystolicSpec(rows=2, cols=1, numbers="bf16", dataflow="ws")
    operands = {"a": np.array([[one, one, one, one]]), "b": np.array([[one], [0], [tiny], [tiny]])}
    for dataflow, wanted in {"os": 0x3F800000, "ws": 0x3F800001, "is": 0x3F800001}.items():
        flow = spec.model_copy(update={"dataflow": dataflow})
        assert wanted == reference(flow, job(1, 1, 4), operands)[0]["result"].item()
    assert 0x3F800000 == bf16.matmul(operands["a"], operands["b"]).item()


def test_assumptions_name_what_stays() -> None:
    texts = {flow: " ".join(ENGINE.assumptions(SPEC.model_copy(update={"dataflow": flow})))
             for flow in ("os", "ws", "is")}  # fmt: skip
    assert "no preload" in texts["os"]
    assert "a tile of B loads while A streams" in texts["ws"]
    assert "a tile of A loads while B streams" in texts["is"]
