"""Synthesis with a library of our own: counts, areas and delays that can be checked by hand."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

import pytest

from archsim.errors import ArchsimError, InputError, MissingExtra
from archsim.hdl.synth import SynthResult, check_rtl, explore, synthesise
from archsim.hdl.synth_liberty import RISE, read_liberty
from archsim.hdl.synth_netlist import flatten
from archsim.hdl.synth_recipes import RECIPES, Recipe
from archsim.hdl.synth_timing import worst_path, worst_paths
from archsim.hdl.yosys import YosysError

TINY = Path(__file__).parent / "tiny.lib"

XOR_STAGE = """
module top(input clk, input a, b, output reg q);
  reg x, y;
  always @(posedge clk) begin x <= a; y <= b; q <= x ^ y; end
endmodule
"""

# two instances of one module; `link` of the second is a constant, `pass` a wire through
TWO = """
module cell_(input clk, input [3:0] d, output [3:0] pass, output one, output reg [3:0] q);
  assign pass = d; assign one = 1'b1;
  always @(posedge clk) q <= q + d;
endmodule
module top(input clk, input [3:0] d, output [3:0] q, output [3:0] r, output [1:0] ones);
  wire [3:0] link;
  cell_ first(.clk(clk), .d(d), .pass(link), .one(ones[0]), .q(q));
  cell_ second(.clk(clk), .d(link), .pass(), .one(ones[1]), .q(r));
endmodule
"""


def mapped(verilog: str) -> SynthResult:
    return synthesise(
        verilog, "top", "liberty", liberty=TINY, recipes=RECIPES[:1], keep_netlist=True
    )


def test_generic_gates_are_counted() -> None:
    result = synthesise(XOR_STAGE, "top")
    assert result.cells == {"$_DFF_P_": 3, "$_XOR_": 1}
    assert result.levels == 1
    assert result.gate_equivalents is not None
    assert 10 < result.gate_equivalents < 40
    assert "netlist" not in result.to_json()


def test_memories_too_large_for_flip_flops_are_refused() -> None:
    verilog = """module top(input clk, input [17:0] at, output reg [31:0] q);
      reg [31:0] held [262143:0];
      always @(posedge clk) q <= held[at];
    endmodule
    """
    message = (
        "synth: memories become flip-flops, of at most 524,288 bits each, not 'held of 8,388,608 "
        "bits'; make it smaller with --set, or take an FPGA target, which has block RAM"
    )
    with pytest.raises(InputError, match=f"^{re.escape(message)}$"):
        synthesise(verilog, "top")


def test_mapping_uses_the_library_alone_and_adds_up() -> None:
    result = mapped(XOR_STAGE)
    assert result.cells["DFF"] == 3
    assert "NAND2_BIG" not in result.cells  # the library says dont_use
    library = read_liberty(TINY)
    area = sum(n * library.cells[name].area_um2 for name, n in result.cells.items())
    assert result.area_um2 == area
    assert result.sequential_um2 == 24
    assert result.gate_equivalents == area / 2
    assert result.tools["yosys"]


def test_delay_of_one_gate_between_registers_is_the_tables() -> None:
    result = mapped(XOR_STAGE)
    assert result.cells == {"DFF": 3, "XOR2": 1}
    library = read_liberty(TINY)
    # DFF drives 1.5 fF of XOR2, XOR2 drives 1 fF of DFF; the clock's slew is fan-out-of-4's
    slew = library.fo4[1]
    ((q,), (y, _)) = (library.cells[c].outputs[0].arcs for c in ("DFF", "XOR2"))
    first, second_slew = (t[RISE].at(1.5, slew) for t in (q.delay, q.transition))
    second = y.delay[RISE].at(1.0, second_slew)
    setup = library.cells["DFF"].pins["D"].setup[RISE][0].at(slew, slew)
    assert result.delay_ps == pytest.approx(first + second + setup, rel=0.005)
    assert result.fmax_mhz == pytest.approx(1e6 / result.delay_ps, rel=1e-3)
    assert "2 cells" in result.fmax_source


def test_module_used_twice_counts_twice_and_wires_run_through_it() -> None:
    result = mapped(TWO)
    assert result.cells["DFF"] == 8
    assert result.area_um2 == pytest.approx(2 * result.module_um2["cell_"])
    assert result.netlist is not None
    netlist = flatten(result.netlist, "top", read_liberty(TINY))
    assert netlist.outputs["ones"] == (1, 1)  # the constant one, through two hierarchy levels
    assert len(netlist.registers) == 8
    data = set(netlist.inputs["d"])
    fed = {g.place for g in netlist.gates if data & set(g.nets.values())}
    assert fed == {"first", "second"}  # the second's input is the first's, passed on


def test_path_through_two_modules_is_longer_than_through_one() -> None:
    chain = """
    module half(input [7:0] x, y, output [7:0] z); assign z = x + y; endmodule
    module top(input clk, input [7:0] a, output reg [7:0] q);
      reg [7:0] r; wire [7:0] s, t;
      half one(r, a, s); half two(s, r, t);
      always @(posedge clk) begin r <= a; q <= PICK; end
    endmodule
    """
    short, long = (mapped(chain.replace("PICK", wire)).delay_ps for wire in ("s", "t"))
    assert short is not None
    assert long is not None
    assert long > short + 50


def test_paths_can_be_those_that_begin_at_some_registers() -> None:
    two = """
    module memory(input clk, d, output reg q); always @(posedge clk) q <= d; endmodule
    module top(input clk, input [7:0] a, output reg q);
      reg [7:0] r; wire m; memory bank(clk, a[0], m);
      always @(posedge clk) begin r <= a; q <= m ^ (r + 8'd3 > a); end
    endmodule
    """
    netlist = flatten(mapped(two).netlist or {}, "top", read_liberty(TINY))
    every = worst_paths(netlist)[""]
    some = worst_paths(netlist, begins=lambda place: place == "bank")[""]
    assert (every.start, some.start) == ("", "bank")
    assert some.delay_ps < every.delay_ps
    assert len(some.gates) < len(every.gates)
    assert {} == worst_paths(netlist, begins=lambda place: place == "nowhere")


def test_wide_fanout_gets_a_tree_in_area_and_delay() -> None:
    wide = """
    module top(input clk, input [W-1:0] d, output reg [W-1:0] q);
      reg en; always @(posedge clk) begin en <= d[0]; if (en) q <= d; end
    endmodule
    """
    small, large = (mapped(wide.replace("W-1", str(w - 1))) for w in (8, 128))
    library = read_liberty(TINY)
    cells = sum(n * library.cells[name].area_um2 for name, n in large.cells.items())
    assert large.area_um2 is not None
    assert large.area_um2 > cells
    assert small.delay_ps is not None
    assert large.delay_ps is not None
    assert large.delay_ps > small.delay_ps
    assert large.netlist is not None
    assert worst_path(flatten(large.netlist, "top", library)).tree_ps > 0


def test_rising_and_falling_edges_are_timed_apart(tmp_path: Path) -> None:
    """An inverter between registers turns a falling input into its rising output."""
    verilog = """module top(input clk, input a, output reg q);
      reg x; always @(posedge clk) begin x <= a; q <= ~x; end
    endmodule"""
    text = TINY.read_text()
    head, inverter, tail = re.split(
        r"(  cell \(INV\) .*?)(?=  cell \(BUF\))", text, flags=re.DOTALL
    )
    slow_rise = inverter.replace(
        'cell_rise (arc) { values ("25, 33', 'cell_rise (arc) { values ("925, 933'
    )
    assert slow_rise != inverter
    flip = tail.replace('cell_fall (arc) { values ("50', 'cell_fall (arc) { values ("550')
    assert flip != tail
    delays = []
    for name, parts in (
        ("rise", (slow_rise, tail)),
        ("fall", (inverter, flip)),
        ("both", (slow_rise, flip)),
    ):
        file = tmp_path / f"{name}.lib"
        file.write_text(head + "".join(parts))
        delays.append(
            synthesise(verilog, "top", "liberty", liberty=file, recipes=RECIPES[:1]).delay_ps
        )
    assert None not in delays
    assert delays[2] > max(delays[0], delays[1]) + 100  # the flip-flop's fall makes the slow rise


@pytest.mark.slow
def test_best_recipe_is_kept_with_both_its_figures() -> None:
    runs = [synthesise(TWO, "top", "liberty", liberty=TINY, recipes=[recipe]) for recipe in RECIPES]
    best = synthesise(TWO, "top", "liberty", liberty=TINY)
    figures = [(r.area_um2, r.delay_ps) for r in runs]
    assert (best.area_um2, best.delay_ps) == min(figures, key=lambda f: (f[0] or 0) * (f[1] or 0))


# ---------------------------------------------------------------------------------------- errors


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"target": "gates"}, r"^target: must be one of generic, liberty, .*, not 'gates'$"),
        ({"target": "liberty"}, r"a cell library goes with target 'liberty'; give --liberty FILE$"),
        ({"liberty": TINY}, r"^target generic: .*; say --target liberty$"),
        ({"top": "top; shell"}, r"^top: must be a Verilog module name, not 'top; shell'$"),
        ({"pnr": True}, r"^pnr: place and route is for ecp5 and ice40, not 'generic'$"),
        (
            {"target": "liberty", "liberty": TINY, "dont_use": ["a; b"]},
            r"^dont_use: must be a cell name, \* and \? allowed, not 'a; b'$",
        ),
    ],
)
def test_misuse_is_refused(arguments: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        synthesise(**{"verilog": XOR_STAGE, "top": "top", **arguments})  # type: ignore[arg-type]


def test_broken_verilog_ends_with_what_yosys_said() -> None:
    with pytest.raises(YosysError, match=r"(?s)^yosys failed:\n.*syntax error"):
        synthesise("module top(input a; endmodule", "top")


def test_unknown_top_is_refused() -> None:
    with pytest.raises(YosysError, match=r"other"):
        synthesise(XOR_STAGE, "other")


def test_place_and_route_without_its_extra_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if "nextpnr" in name else find(name)
    )
    with pytest.raises(MissingExtra, match=r"pip install 'archsim\[fpga\]'"):
        synthesise(XOR_STAGE, "top", "ecp5", pnr=True)


# ---------------------------------------------------------------------------------------- checks


def test_sound_hardware_passes() -> None:
    check_rtl(XOR_STAGE, "top")


@pytest.mark.parametrize(
    ("body", "found"),
    [
        ("reg l; always @* if (a) l = b; assign q = l;", "latch"),
        ("assign q = a; assign q = b;", "multiple conflicting drivers"),
        ("wire w; assign q = w;", "no driver"),
        ("wire w; assign w = ~(w & a); assign q = w;", "loop"),
    ],
)
def test_unsound_hardware_is_named(body: str, found: str) -> None:
    verilog = f"module top(input a, b, output q); {body} endmodule"
    with pytest.raises(ArchsimError, match=found):
        check_rtl(verilog, "top")


# ---------------------------------------------------------------------------------------- FPGA

MAC = """
module top(input clk, input signed [7:0] a, b, output reg signed [31:0] q);
  reg signed [7:0] x, y;
  always @(posedge clk) begin x <= a; y <= b; q <= q + x * y; end
endmodule
"""


@pytest.mark.parametrize(("target", "multiplier"), [("ecp5", "MULT18X18D"), ("ice40", "SB_MAC16")])
def test_fpga_counts_its_multiplier(target: str, multiplier: str) -> None:
    result = synthesise(MAC, "top", target)  # type: ignore[arg-type]
    assert result.cells[multiplier] == 1
    assert result.fmax_mhz is None


@pytest.mark.slow
def test_xilinx_counts_its_multiplier() -> None:
    assert synthesise(MAC, "top", "xilinx").cells["DSP48E1"] == 1


@pytest.mark.slow
@pytest.mark.parametrize("target", ["ecp5", "ice40"])
def test_place_and_route_reports_fmax(target: str) -> None:
    result = synthesise(MAC, "top", target, pnr=True)  # type: ignore[arg-type]
    assert result.fmax_mhz is not None
    assert 10 < result.fmax_mhz < 1000
    assert "post-route" in result.fmax_source


def test_a_clock_target_stands_where_a_script_wants_it() -> None:
    recipe = Recipe("sized", "", ("strash", "map", "upsize {D}"))
    assert recipe.commands(None) == "strash\nmap\nupsize \n"
    assert recipe.commands(1234.5) == "strash\nmap\nupsize -D 1234.5\n"


def test_exploring_leaves_out_targets_that_change_nothing() -> None:
    (shortest,) = explore(XOR_STAGE, "top", TINY, recipes=RECIPES[:1])
    assert shortest.target_ps is None
    assert shortest.delay_ps is not None
    targets = (0.5 * shortest.delay_ps, 2 * shortest.delay_ps)
    found = list(explore(XOR_STAGE, "top", TINY, recipes=RECIPES[:2], targets_ps=targets))
    assert [r.target_ps for r in found] == [None, targets[1]] * 2


def test_modules_that_are_kept_take_in_what_they_are_made_of() -> None:
    nested = TWO.replace("module top", "module pair_")
    nested += """
module top(input clk, input [3:0] d, output [3:0] q, output [3:0] r, output [1:0] ones);
  pair_ only(.clk(clk), .d(d), .q(q), .r(r), .ones(ones));
endmodule
"""
    results = {
        kept: synthesise(nested, "top", "liberty", liberty=TINY, recipes=RECIPES[:1], kept=kept)
        for kept in ((), ("pair_",))
    }
    assert set(results[()].module_um2) == {"cell_", "pair_", "top"}
    assert set(results["pair_",].module_um2) == {"pair_", "top"}
    with pytest.raises(InputError, match="kept: must be a Verilog module name, not 'a b'"):
        synthesise(nested, "top", "liberty", liberty=TINY, kept=("a b",))
