"""What the array of adder trees costs, by its synthesis tables."""

from __future__ import annotations

import numpy as np
import pytest

from archsim import tech
from archsim.engines import GemmJobs, SpecBatch
from archsim.engines.adder_tree import ENGINE
from archsim.engines.adder_tree.spec import AdderTreeSpec
from archsim.engines.gemm.cost import BANKS, accumulators
from archsim.errors import InfeasibleError

SPEC = AdderTreeSpec(depth=8, cols=4)
SPECS = [SPEC, AdderTreeSpec(depth=16, cols=64, stages=3), AdderTreeSpec(a_bits=4, acc_bits=24)]


def test_a_batch_costs_what_its_specs_do() -> None:
    node, batch = tech.load("freepdk45"), SpecBatch(SPECS)
    for face in (ENGINE.area_um2, ENGINE.energy_pj):
        together = face(batch, node)
        for i, spec in enumerate(SPECS):
            alone = face(spec, node)
            assert {name: pytest.approx(x) for name, x in alone.items()} == {
                name: x[i] for name, x in together.items()
            }
    clocks = [ENGINE.fmax_mhz(spec, node).mhz for spec in SPECS]
    assert clocks == ENGINE.fmax_mhz(batch, node).mhz.tolist()


def test_every_action_has_its_energy() -> None:
    jobs = GemmJobs(*(np.array([x]) for x in (5, 6, 7)), np.array([True]))
    counted = ENGINE.actions(SPEC, jobs, ENGINE.time(SPEC, jobs))
    priced = ENGINE.energy_pj(SPEC, tech.load("freepdk45"))
    assert {*counted, "idle_cycle", "leak_ps"} == set(priced)


def test_ranks_cost_area_and_raise_the_clock() -> None:
    node = tech.load("freepdk45")
    one, three = (AdderTreeSpec(depth=16, cols=4, stages=stages) for stages in (1, 3))
    assert ENGINE.area_um2(one, node)["tree"] < ENGINE.area_um2(three, node)["tree"]
    assert ENGINE.fmax_mhz(one, node).mhz < ENGINE.fmax_mhz(three, node).mhz


def test_a_bank_of_pairs_has_twice_the_bits() -> None:
    node = tech.load("freepdk45")
    numbers = accumulators(SPECS[1], node)
    pairs = accumulators(SPECS[1].model_copy(update={"pe": "opt1"}), node)
    assert pairs.read_pj == pytest.approx(2 * numbers.read_pj)
    area = ENGINE.area_um2(SPECS[1], node)["accumulators"]
    assert area == pytest.approx(BANKS * numbers.area_um2)


def test_adders_that_nobody_measured_have_no_cost() -> None:
    built = SPEC.model_copy(update={"multiplier": "booth", "adder": "ripple"})
    with pytest.raises(InfeasibleError) as refused:
        ENGINE.area_um2(built, tech.load("freepdk45"))
    assert (
        "the cost of an array of adder trees (pe mac, multiplier booth, adder ripple) in node "
        "freepdk45 needs 1 synthesis table, and there are 0; choose what is measured: "
        "multiplier inferred, adder inferred" == str(refused.value)
    )
