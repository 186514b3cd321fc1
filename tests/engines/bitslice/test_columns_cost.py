"""Cost of arrays of columns: structure, memories, batches, completeness of the energy of a job."""

from __future__ import annotations

import numpy as np
import pytest

from archsim import tech
from archsim.engines import SpecBatch
from archsim.engines.bitslice import ENGINE, cost
from archsim.engines.bitslice.jobs import BitsliceJobs
from archsim.engines.bitslice.spec import BitsliceSpec
from archsim.errors import InfeasibleError

NODE = tech.load("freepdk45")
NODES = [name for name in tech.names() if tech.load(name).measured("bitslice_columns")]
ARRAYS = {pe: BitsliceSpec(pe=pe, rows=32, cols=16, depth=512) for pe in ("opt3", "opt4c", "opt4e")}


def test_nodes_are_measured() -> None:
    assert "freepdk45" in NODES


@pytest.mark.parametrize("node", NODES)
def test_pes_cost_what_their_structure_says(node: str) -> None:
    priced = {pe: cost.area_um2(spec, tech.load(node)) for pe, spec in ARRAYS.items()}
    each = {pe: area["pe"] / ARRAYS[pe].pes for pe, area in priced.items()}
    # a group of four lanes shares a tree and a pair; opt3 finds its digits itself
    assert each["opt4c"] < each["opt3"]
    assert each["opt4c"] < each["opt4e"] < 4 * each["opt4c"]
    # its bank gives opt3 four words at once
    assert priced["opt3"]["network"] > 2 * priced["opt4c"]["network"]
    clocks = {pe: cost.PRICING.fmax_mhz(spec, tech.load(node)).mhz for pe, spec in ARRAYS.items()}
    assert all(mhz > 0 for mhz in clocks.values())


@pytest.mark.parametrize("node", NODES)
def test_memories_are_srams(node: str) -> None:
    at, spec = tech.load(node), ARRAYS["opt4c"]
    area = cost.area_um2(spec, at)
    half = at.sram(512 // 16 * 32, 32 * 8)  # elements of a bank, a row of PEs each
    assert area["operand_banks"] == pytest.approx(2 * 16 * half.area_um2)
    assert cost.fmax_mhz(spec, at).mhz <= 1e6 / half.cycle_ps
    logic, whole = (face.energy_pj(spec, at) for face in (cost.PRICING, cost))
    assert whole["issue"] - logic["issue"] == pytest.approx(half.read_pj)
    assert whole["b_beat"] - logic["b_beat"] == pytest.approx(half.write_pj)
    assert whole["leak_ps"] > logic["leak_ps"]
    # opt3 reads a bank once a group
    opt3 = cost.energy_pj(ARRAYS["opt3"], at)
    assert opt3["issue"] == cost.PRICING.energy_pj(ARRAYS["opt3"], at)["issue"]


def test_specs_in_a_batch_are_priced_row_by_row() -> None:
    specs = [*ARRAYS.values(), BitsliceSpec(rows=8, cols=4, depth=256, slack=2, encoded="b")]
    together = SpecBatch(specs)
    for face in (cost.area_um2, cost.energy_pj):
        priced = face(together, NODE)
        for i, spec in enumerate(specs):
            for name, value in face(spec, NODE).items():
                assert priced[name][i] == pytest.approx(value)
    mhz = cost.fmax_mhz(together, NODE).mhz
    assert [cost.fmax_mhz(spec, NODE).mhz for spec in specs] == list(mhz)


@pytest.mark.parametrize("pe", ARRAYS)
def test_every_action_has_an_energy(pe: str) -> None:
    spec = ARRAYS[pe]
    extents = (np.array([40]), np.array([50]), np.array([600]), np.array([True]))
    jobs = BitsliceJobs(*extents, np.full((1, 4), np.nan))
    counted = ENGINE.actions(spec, jobs, ENGINE.time(spec, jobs))
    priced = cost.energy_pj(spec, NODE)
    assert set(counted) | {"idle_cycle", "leak_ps"} == set(priced)
    assert all(priced[name] >= 0 for name in priced)
    # digits and what they take are most of it; a digit of a column is one in each of its PEs
    assert counted["digit"][0] == spec.rows * counted["issue"][0]
    assert counted["turn"][0] == 40 * 2 * 32 * 2 * 4  # rows, tiles across, PEs, chunks, weights


def test_a_structure_that_nobody_measured_has_no_cost() -> None:
    with pytest.raises(InfeasibleError, match="adder ripple"):
        cost.area_um2(ARRAYS["opt4c"].model_copy(update={"adder": "ripple"}), NODE)
