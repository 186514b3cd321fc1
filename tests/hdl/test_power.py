"""Energy from toggles: a counter whose transitions can be counted by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from archsim.hdl.power import GateSimulator, energy_model, first_instance, standing
from archsim.hdl.synth import synthesise
from archsim.hdl.synth_liberty import read_liberty
from archsim.hdl.synth_netlist import Netlist, flatten
from archsim.hdl.synth_recipes import RECIPES

TINY = Path(__file__).parent / "tiny.lib"
LIBRARY = read_liberty(TINY)

TOGGLE = """
module top(input clk, input rst, output reg q);
  always @(posedge clk) q <= rst ? 1'b0 : ~q;
endmodule
"""
MULTIPLY = """
module top(input clk, input signed [3:0] a, b, output reg signed [7:0] q);
  always @(posedge clk) q <= a * b;
endmodule
"""


def netlist_of(verilog: str) -> Netlist:
    result = synthesise(
        verilog, "top", "liberty", liberty=LIBRARY, recipes=RECIPES[:1], keep_netlist=True
    )
    assert result.netlist is not None
    return flatten(result.netlist, "top", LIBRARY)


def test_mapped_multiplier_multiplies_in_every_lane() -> None:
    simulator = GateSimulator(netlist_of(MULTIPLY), lanes=256)
    values = np.arange(-8, 8)
    a, b = (x.ravel() for x in np.meshgrid(values, values))
    simulator.set("a", a)
    simulator.set("b", b)
    simulator.settle()
    simulator.clock()
    simulator.settle()
    found = [simulator.get("q", lane) for lane in range(256)]
    assert found == [int(x) % 256 for x in a * b]


def test_flip_flop_that_flips_every_cycle_toggles_every_cycle() -> None:
    netlist = netlist_of(TOGGLE)
    simulator = GateSimulator(netlist, lanes=3)
    simulator.set("rst", 0)
    seen = []
    for _ in range(11):
        simulator.settle()
        seen.append(simulator.get("q", 2))
        simulator.clock()
    assert seen == [0, 1] * 5 + [0]
    (net,) = netlist.outputs["q"]
    assert simulator.toggles[net] == 10 * 3


def test_energy_of_a_flip_flop_and_its_inverter_by_hand() -> None:
    verilog = "module top(input clk, output reg q); always @(posedge clk) q <= ~q; endmodule"
    netlist = netlist_of(verilog)
    assert [g.cell.name for g in netlist.gates] == ["INV"]
    model = energy_model(netlist)
    toggles = np.zeros(netlist.nets, np.int64)
    (q,) = netlist.outputs["q"]
    inverted = netlist.gates[0].nets["Y"]
    toggles[[q, inverted]] = 1
    # fF V^2 is fJ: q moves 1 fF of INV and costs 1.5 inside DFF, INV's output 1 fF of DFF's D and
    # 0.5 inside, each internal figure 10 % higher per 40 ps of slew beyond 10
    excess = 1 + 0.1 * (LIBRARY.fo4[1] - 10) / 40
    wanted_fj = 0.5 * 1 * (1 + 1) + (1.5 + 0.5) * excess
    assert model.dynamic_pj(toggles)["all"] == pytest.approx(wanted_fj * 1e-3, rel=1e-6)
    # the clock pin: 1 fF up and down, 2.0 and 1.0 inside; the table gives their mean an edge
    assert model.clock_pj["all"] == pytest.approx((2 * 0.5 + 3.0) * 1e-3)
    assert model.leakage_uw["all"] == pytest.approx((4 + 1) * 1e-3)


def test_standing_energy_of_counts_equals_the_netlists() -> None:
    netlist = netlist_of(MULTIPLY)
    counts: dict[str, int] = {}
    for gate in (*netlist.gates, *netlist.registers):
        counts[gate.cell.name] = counts.get(gate.cell.name, 0) + 1
    model = energy_model(netlist)
    leakage_uw, clock_pj = standing(counts, LIBRARY)
    assert leakage_uw == pytest.approx(model.leakage_uw["all"])
    assert clock_pj == pytest.approx(model.clock_pj["all"])


def test_energy_is_booked_by_instance() -> None:
    two = """
    module part(input clk, input d, output reg q); always @(posedge clk) q <= ~d; endmodule
    module top(input clk, input d, output q);
      wire w; part p_0(clk, d, w); part p_1(clk, w, q);
    endmodule
    """
    netlist = netlist_of(two)
    whole, by_place = energy_model(netlist), energy_model(netlist, lambda place: place)
    assert set(by_place.clock_pj) == {"p_0", "p_1"}
    assert sum(by_place.clock_pj.values()) == pytest.approx(whole.clock_pj["all"])
    assert first_instance("p_0.q.r") == "p"
    assert first_instance("") == "top"
