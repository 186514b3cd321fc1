"""Costs of the engine: with a measured table and without, batches, and that all is priced."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from archsim import tech
from archsim.engines import SpecBatch
from archsim.engines.hash_spgemm import ENGINE, cost
from archsim.engines.hash_spgemm.spec import HashSpgemmSpec
from archsim.engines.hash_spgemm.windows import window_jobs

from .products import square

SPECS = [
    HashSpgemmSpec(lanes=n, banks=b, slots=s, write_back=w, comparators=c, token=t)
    for n, b, s, w, c, t in (
        (1, 1, 1024, "scan", 1, "nonzero"), (4, 4, 4096, "dense", 4, "row"),
        (3, 2, 512, "dense", 2, "static"),
    )
]  # fmt: skip


@pytest.mark.parametrize("node", tech.names())
@pytest.mark.parametrize("face", [cost.area_um2, cost.energy_pj])
def test_a_batch_is_its_specs_one_by_one(face: Callable[..., Any], node: str) -> None:
    together = face(SpecBatch(SPECS), tech.load(node))
    for i, spec in enumerate(SPECS):
        alone = face(spec, tech.load(node))
        assert alone == pytest.approx({name: values[i] for name, values in together.items()})


@pytest.mark.parametrize("node", tech.names())
def test_clocks_of_a_batch_are_those_of_its_specs(node: str) -> None:
    clocks = cost.fmax_mhz(SpecBatch(SPECS), tech.load(node)).mhz
    assert [cost.fmax_mhz(spec, tech.load(node)).mhz for spec in SPECS] == clocks.tolist()


def test_every_action_has_an_energy_and_happens() -> None:
    product = square("rmat")
    for spec in SPECS:
        jobs = window_jobs(spec, product)
        actions = ENGINE.actions(spec, jobs, ENGINE.time(spec, jobs, {}, product.arrays))
        priced = cost.energy_pj(spec, tech.load("freepdk45"))
        assert set(actions) == set(priced) - {"idle_cycle", "leak_ps"}
        assert all(counts.sum() > 0 for counts in actions.values())


def test_more_slots_and_lanes_cost_more() -> None:
    node = tech.load("freepdk45")
    small, wide, deep = (
        sum(cost.area_um2(HashSpgemmSpec(lanes=n, slots=s), node).values())
        for n, s in ((1, 1024), (4, 1024), (1, 8192))
    )
    assert small < wide
    assert small < deep
