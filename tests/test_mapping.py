"""The mapping search against a brute force written apart from it, loop by loop."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import permutations, product
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from archsim.engines import Blocks, GemmJobs
from archsim.errors import InfeasibleError
from archsim.mapper import Machine, Objective, candidates, evaluate, footprint_bytes, search
from archsim.mapping import (
    ORDERS,
    RESIDENT,
    GemmMapping,
    steps,
    tile_extents,
)
from archsim.product import ConvShape, Product
from archsim.trace import Gemm, Op, as_gemm, conv_output

ROWS, COLS = 4, 2


def occupied(jobs: GemmJobs) -> np.ndarray:
    """A made-up engine: linear in folds and depth, with a price for accumulating."""
    folds = -(-jobs.m // ROWS) * -(-jobs.n // COLS)
    return folds * np.maximum(jobs.k, ROWS) + jobs.k + 7 + 3 * jobs.accumulate


OS, WS, IS = (ROWS, COLS, None), (None, COLS, ROWS), (COLS, None, ROWS)
blocks = st.sampled_from([OS, OS, WS, IS])
objectives = st.sampled_from(["time", "time", "energy", "dram_bytes", "edp"])
PRICES_PJ = (3.0, 2.0, 0.5)  # of a byte, a MAC, a picosecond: exact in floating point


def machine(capacity_bytes: int, ps_per_byte: int = 50, blocks: Blocks = OS) -> Machine:
    return Machine(
        blocks, capacity_bytes, occupied, Fraction(ps_per_byte), 1000, Fraction(1000), *PRICES_PJ
    )


# ---------------------------------------------------------------------------- the brute force


@dataclass
class Walk:
    """What a walk over all tiles of a mapping adds up to."""

    cycles: int = 0
    dram_bytes: int = 0
    first_bytes: int = 0
    last_bytes: int = 0


def a_elements(problem: Product, op: Op | None, m0: int, m1: int, k0: int, k1: int) -> int:
    """Count distinct raw elements: the bounding rows of each image times touched channels' rows."""
    if op is None:
        return (m1 - m0) * (k1 - k0)
    out_h, out_w = conv_output(op)
    taps = math.prod(op.ints_attr("kernel"))
    channels = len({k // taps for k in range(k0, k1)})
    rows = 0
    for image in range(op.int_attr("batch")):
        out_rows = [
            p // out_w - image * out_h for p in range(m0, m1) if p // out_w // out_h == image
        ]
        if out_rows:
            top = min(out_rows) * op.ints_attr("stride")[0] - op.ints_attr("pad")[0]
            reach = op.ints_attr("dilation")[0] * (op.ints_attr("kernel")[0] - 1)
            bottom = max(out_rows) * op.ints_attr("stride")[0] - op.ints_attr("pad")[0] + reach
            rows += len([r for r in range(top, bottom + 1) if 0 <= r < op.int_attr("height")])
    return rows * channels * op.int_attr("width")


def b_elements(problem: Product, k: int, n: int) -> int:
    """Count elements of a tile of B, or the bytes of another form: elements have 8 bits."""
    return k * n if problem.stored is None else int(problem.stored(np.array([k]), np.array([n]))[0])


def walk(problem: Product, op: Op | None, mapping: GemmMapping) -> Walk:
    """Go through the tiles one by one, remembering what is in the buffer."""
    g, total = problem.gemm, Walk()
    size = {"m": (g.m, mapping.m), "n": (g.n, mapping.n), "k": (g.k, mapping.k)}
    ranges = [range(math.ceil(size[x][0] / size[x][1])) for x in mapping.order]
    bits = {"a": 0, "b": 0, "c": 0, "partial": 0}
    held: dict[str, set] = {"a": set(), "b": set(), "c": set()}
    first = True
    for group in range(math.ceil(g.groups / mapping.groups)):
        count = min(mapping.groups, g.groups - group * mapping.groups)
        for index in product(*ranges):
            at = dict(zip(mapping.order, index, strict=True))
            lo = {x: at[x] * size[x][1] for x in "mnk"}
            hi = {x: min(lo[x] + size[x][1], size[x][0]) for x in "mnk"}
            job = GemmJobs(*(np.array([hi[x] - lo[x]]) for x in "mnk"), np.array([at["k"] > 0]))
            total.cycles += count * int(occupied(job)[0])
            tile_bits = {
                "a": count * a_elements(problem, op, lo["m"], hi["m"], lo["k"], hi["k"]),
                "b": count * b_elements(problem, hi["k"] - lo["k"], hi["n"] - lo["n"]),
                "c": count * (hi["m"] - lo["m"]) * (hi["n"] - lo["n"]),
            }
            keys = {
                "a": (group, at["m"], at["k"]),
                "b": (group, at["k"], at["n"]),
                "c": (group, at["m"], at["n"]),
            }
            for x in "ab":
                if keys[x] not in held[x]:
                    bits[x] += tile_bits[x]
                    held[x] = (held[x] if x in mapping.resident else set()) | {keys[x]}
            if keys["c"] not in held["c"]:
                if at["k"] > 0:  # its partial sums went out when it was left, and come back
                    bits["partial"] += 2 * tile_bits["c"]
                held["c"] = (held["c"] if "c" in mapping.resident else set()) | {keys["c"]}
            if hi["k"] == g.k:
                bits["c"] += tile_bits["c"]
            if first:
                total.first_bytes = math.ceil(tile_bits["a"] * problem.a_bits / 8) + math.ceil(
                    tile_bits["b"] * problem.b_bits / 8
                )
            total.last_bytes = math.ceil(tile_bits["c"] * problem.c_bits / 8)
            first = False
    total.dram_bytes = (
        math.ceil(bits["a"] * problem.a_bits / 8)
        + math.ceil(bits["b"] * problem.b_bits / 8)
        + math.ceil(bits["c"] * problem.c_bits / 8)
        + math.ceil(bits["partial"] / 2 * problem.acc_bits / 8) * 2
    )
    return total


def room(problem: Product, op: Op | None, mapping: GemmMapping) -> int:
    g, t = problem.gemm, mapping
    single = 1 if t.groups >= g.groups else 2
    c_bits = problem.acc_bits if t.k < g.k else problem.c_bits
    a_tiles = [
        a_elements(problem, op, m, min(m + t.m, g.m), k, min(k + t.k, g.k))
        for m in range(0, g.m, t.m)
        for k in range(0, g.k, t.k)
    ]
    b_tiles = [
        b_elements(problem, min(t.k, g.k - k), min(t.n, g.n - n))
        for k in range(0, g.k, t.k)
        for n in range(0, g.n, t.n)
    ]
    whole = {"a": a_elements(problem, op, 0, g.m, 0, g.k), "b": sum(b_tiles), "c": g.m * g.n}
    tile = {"a": max(a_tiles), "b": b_elements(problem, t.k, t.n), "c": t.m * t.n}
    bits = {"a": problem.a_bits, "b": problem.b_bits, "c": c_bits}
    total = 0
    for x in "abc":
        elements = whole[x] if x in t.resident else tile[x]
        copies = single if x in t.resident else 2
        total += copies * math.ceil(elements * t.groups * bits[x] / 8)
    return total


def time_ps(problem: Product, op: Op | None, mapping: GemmMapping, m: Machine) -> tuple[int, int]:
    total = walk(problem, op, mapping)
    ends = [math.ceil(x * m.ps_per_byte) for x in (total.first_bytes, total.last_bytes)]
    dma = math.ceil(total.dram_bytes * m.ps_per_byte)
    between = max(total.cycles * int(m.period_ps), dma - sum(ends))
    return between + sum(ends) + m.latency_ps, total.dram_bytes


def cost_of(
    problem: Product, op: Op | None, mapping: GemmMapping, m: Machine, objective: str
) -> tuple[float, int]:
    """Return what is minimised, then what decides between equals."""
    passes_ps, size_bytes = time_ps(problem, op, mapping, m)
    byte_pj, mac_pj, ps_pj = PRICES_PJ
    g = problem.gemm
    energy_pj = byte_pj * size_bytes + mac_pj * g.groups * g.m * g.n * g.k + ps_pj * passes_ps
    costs = {
        "time": passes_ps, "energy": energy_pj, "dram_bytes": size_bytes,
        "edp": energy_pj * passes_ps,
    }  # fmt: skip
    return costs[objective], size_bytes


def brute_force(problem: Product, op: Op | None, m: Machine, objective: str) -> GemmMapping | None:
    g = problem.gemm

    def extents(extent: int, block: int | None) -> list[int]:
        if block is None:
            return sorted({math.ceil(extent / 2**i) for i in range(40)}, reverse=True)
        return [block * 2**i for i in range(40) if block * 2**i < extent] + [extent]

    of_m, of_n, of_k = m.blocks
    space = [
        GemmMapping(tm, tn, tk, "".join(order), resident)
        for tm in extents(g.m, of_m)
        for tn in extents(g.n, of_n)
        for tk in extents(g.k, of_k)
        for order in permutations("mnk")
        for resident in ("", "a", "b", "c", "ab", "ac", "bc", "abc")
    ]
    packs = [2**i for i in range(1, 40) if 2**i < g.groups] + [g.groups] * (g.groups > 1)
    space += [GemmMapping(g.m, g.n, g.k, groups=p) for p in packs]
    best, best_cost = None, None
    for mapping in space:
        if room(problem, op, mapping) <= m.capacity_bytes:
            cost = cost_of(problem, op, mapping, m, objective)
            if best_cost is None or cost < best_cost:
                best, best_cost = mapping, cost
    return best


# ---------------------------------------------------------------------------- the tests

products = st.builds(
    Gemm,
    m=st.integers(1, 17), n=st.integers(1, 9), k=st.integers(1, 9),
    groups=st.sampled_from([1, 1, 2, 3]),
)  # fmt: skip


def conv_problem(op: Op) -> Product:
    out_h, out_w = conv_output(op)
    kh, kw = op.ints_attr("kernel")
    shape = ConvShape(
        op.int_attr("height"), op.int_attr("width"), out_h, out_w, kh, kh * kw,
        op.ints_attr("stride")[0], op.ints_attr("dilation")[0], op.ints_attr("pad")[0],
    )  # fmt: skip
    return Product(as_gemm(op), 8, 8, 8, 32, shape)


def conv(
    batch: int, channels: int, side: int, filters: int, kernel: int, stride: int, pad: int,
    groups: int,
) -> Op:  # fmt: skip
    return Op(
        "conv", "conv", (), (),
        {
            "batch": batch, "channels": channels * groups, "height": side, "width": side + 1,
            "filters": filters * groups, "kernel": (kernel, 1), "stride": (stride, 1),
            "pad": (pad, 0, pad, 0), "dilation": (1, 1), "groups": groups,
        },
    )  # fmt: skip


convs = st.builds(
    conv,
    batch=st.integers(1, 2), channels=st.integers(1, 2), side=st.integers(3, 4),
    filters=st.integers(1, 3), kernel=st.sampled_from([1, 3]), stride=st.integers(1, 2),
    pad=st.integers(0, 1), groups=st.integers(1, 2),
)  # fmt: skip


def check(
    problem: Product,
    op: Op | None,
    capacity_bytes: int,
    ps_per_byte: int,
    blocks: Blocks,
    objective: Objective,
) -> None:
    m = machine(capacity_bytes, ps_per_byte, blocks)
    expected = brute_force(problem, op, m, objective)
    if expected is None:
        with pytest.raises(InfeasibleError, match="bytes of buffer"):
            search(problem, m, objective)
    else:
        found = search(problem, m, objective)
        assert found == expected
        assert footprint_bytes(problem, found) == room(problem, op, found)


@settings(max_examples=25, deadline=None)
@given(products, st.sampled_from([30, 100, 300, 1000]), st.sampled_from([5, 500, 5000]), blocks,
       objectives)  # fmt: skip
def test_search_equals_brute_force_on_small_products(
    gemm: Gemm, capacity_bytes: int, ps_per_byte: int, blocks: Blocks, objective: Objective
) -> None:
    check(Product(gemm, 8, 8, 8, 32), None, capacity_bytes, ps_per_byte, blocks, objective)


def triangles(k: np.ndarray, n: np.ndarray) -> np.ndarray:
    """A made-up form of B: tiles of it do not add up to the whole, as those of meshes do not."""
    return 1 + k * (k - 1) // 2 + n * (n - 1) // 2 + np.minimum(k, n)


@pytest.mark.slow
@settings(max_examples=25, deadline=None)
@given(products, st.sampled_from([30, 100, 300, 1000]), st.sampled_from([5, 500, 5000]), blocks,
       objectives)  # fmt: skip
def test_search_equals_brute_force_where_weights_have_a_form_of_their_own(
    gemm: Gemm, capacity_bytes: int, ps_per_byte: int, blocks: Blocks, objective: Objective
) -> None:
    problem = Product(gemm, 8, 8, 8, 32, stored=triangles)
    check(problem, None, capacity_bytes, ps_per_byte, blocks, objective)


@settings(max_examples=10, deadline=None)
@given(convs, st.sampled_from([60, 200, 1000]), st.sampled_from([5, 5000]), blocks, objectives)
def test_search_equals_brute_force_on_small_convolutions(
    op: Op, capacity_bytes: int, ps_per_byte: int, blocks: Blocks, objective: Objective
) -> None:
    check(conv_problem(op), op, capacity_bytes, ps_per_byte, blocks, objective)


@pytest.mark.slow
@settings(max_examples=200, deadline=None)
@given(
    st.one_of(products, convs), st.integers(20, 1500), st.sampled_from([5, 50, 500, 5000]), blocks,
    objectives,
)  # fmt: skip
def test_search_equals_brute_force_on_200_cases(
    case: Gemm | Op, capacity_bytes: int, ps_per_byte: int, blocks: Blocks, objective: Objective
) -> None:
    problem = Product(case, 8, 8, 8, 32) if isinstance(case, Gemm) else conv_problem(case)
    op = case if isinstance(case, Op) else None
    check(problem, op, capacity_bytes, ps_per_byte, blocks, objective)


@settings(max_examples=60, deadline=None)
@given(st.one_of(products, convs), st.data(), st.sampled_from(ORDERS), st.sampled_from(RESIDENT),
       st.sampled_from([None, triangles]))  # fmt: skip
def test_steps_move_what_the_closed_form_says(
    case: Gemm | Op, data: st.DataObject, order: str, resident: str, stored: Any
) -> None:
    op = case if isinstance(case, Op) else None
    problem = conv_problem(op) if op else Product(case, 8, 8, 8, 32)  # type: ignore[arg-type]
    problem = replace(problem, stored=stored)
    g = problem.gemm
    mapping = GemmMapping(
        data.draw(st.sampled_from(tile_extents(g.m, ROWS))),
        data.draw(st.sampled_from(tile_extents(g.n, COLS))),
        data.draw(st.sampled_from(tile_extents(g.k, None))),
        order, resident,
    )  # fmt: skip
    tiles = steps(problem, mapping)
    m = machine(1 << 30)
    sizes = (np.array([x]) for x in (mapping.m, mapping.n, mapping.k, 1))
    cost = evaluate(problem, m, *sizes, (order,), (resident,))
    moved = tiles.a_bytes + tiles.b_bytes + tiles.c_bytes + tiles.store_bytes
    assert moved.sum() == cost.dram_bytes.item() == walk(problem, op, mapping).dram_bytes
    jobs = GemmJobs(tiles.m, tiles.n, tiles.k, tiles.accumulate)
    assert (occupied(jobs) * tiles.repeat).sum() == walk(problem, op, mapping).cycles
    assert (tiles.m * tiles.n * tiles.k * tiles.repeat).sum() == g.macs


@settings(max_examples=40, deadline=None)
@given(products, st.sampled_from([200, 1000, 10**6]), blocks)
def test_never_worse_than_a_fixed_stationary_choice(
    gemm: Gemm, capacity_bytes: int, blocks: Blocks
) -> None:
    """Output, weight or input stationary: k, m or n innermost at every tile size that fits."""
    problem, m = Product(gemm, 8, 8, 8, 32), machine(capacity_bytes, blocks=blocks)
    tm, tn, tk = candidates(problem, m)
    for order in ("mnk", "nkm", "mkn"):
        fixed = evaluate(problem, m, tm, tn, tk, np.ones_like(tm), (order,), ("",))
        fits = fixed.buffer_bytes.ravel() <= capacity_bytes
        if not fits.any():
            continue
        best = search(problem, m)
        sizes = (np.array([x]) for x in (best.m, best.n, best.k, best.groups))
        cost = evaluate(problem, m, *sizes, (best.order,), (best.resident,))
        assert cost.time_ps.item() <= fixed.time_ps.ravel()[fits].min()


def test_candidates_follow_the_definition() -> None:
    assert tile_extents(100, 16) == (16, 32, 64, 100)
    assert tile_extents(16, 16) == (16,)
    assert tile_extents(3, 16) == (3,)
    assert tile_extents(9, None) == (9, 5, 3, 2, 1)


def test_infeasible_names_demand_room_and_lever() -> None:
    with pytest.raises(
        InfeasibleError,
        match=r"^the smallest tile of a 8x8x8 product needs 76 bytes of buffer, and there are 4; "
        r"raise memories\.buffer\.capacity_bytes or raise memories\.buffer\.tile_share$",
    ):
        search(Product(Gemm(8, 8, 8), 8, 8, 8, 32), machine(4))
