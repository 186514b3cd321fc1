"""Measure a vector lane: ``python -m archsim.tech.lane --tech NAME --liberty FILE``.

A lane has two operand registers, add, subtract, maximum, multiply (low half) and a result register.
The figures go to ``lane.yaml`` in the technology's folder.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path

import numpy as np
import yaml

from archsim.errors import ArchsimError, InputError
from archsim.hdl.power import LACKS, GateSimulator, energy_model, standing
from archsim.hdl.synth import NO_WIRES, synthesise
from archsim.hdl.synth_liberty import Liberty, read_liberty
from archsim.hdl.synth_netlist import flatten
from archsim.hdl.synth_recipes import RECIPES

WIDTHS_BITS = (8, 16, 32, 64)
LANES, CYCLES, SEED = 64, 48, 1
STIMULUS = "a random operation on fresh uniform operands every cycle"


def verilog(bits: int) -> str:
    """Return a lane of ``bits``."""
    word = f"signed [{bits - 1}:0]"
    return f"""
module lane(input clk, input [1:0] op, input {word} x, y, output reg {word} z);
  reg [1:0] f; reg {word} a, b;
  always @(posedge clk) begin
    f <= op; a <= x; b <= y;
    case (f)
      2'd0: z <= a + b;
      2'd1: z <= a - b;
      2'd2: z <= a > b ? a : b;
      2'd3: z <= a * b;
    endcase
  end
endmodule
"""


def measure(bits: int, liberty: Liberty) -> dict[str, float]:
    """Return a lane's figures, as `archsim.tech.LaneCost` names them, with its delay."""
    result = synthesise(
        verilog(bits), "lane", "liberty", liberty=liberty, recipes=RECIPES[:1], keep_netlist=True
    )
    assert result.netlist is not None and result.area_um2 and result.delay_ps
    leakage, clock = standing(result.cells, liberty)
    values = {
        "bits": bits,
        "area_um2": result.area_um2,
        "op_pj": _operation_pj(result.netlist, bits, liberty),
        "clock_pj": clock,
        "leakage_uw": leakage,
        "delay_ps": result.delay_ps,
    }
    return {name: float(f"{value:.6g}") for name, value in values.items()}


def _operation_pj(netlist_json: object, bits: int, liberty: Liberty) -> float:
    """Simulate random operations, check the results, return the mean dynamic energy."""
    assert isinstance(netlist_json, dict)
    netlist = flatten(netlist_json, "lane", liberty)
    simulator = GateSimulator(netlist, LANES)
    rng = np.random.default_rng(SEED)
    history: list[tuple[int, int, int]] = []
    for cycle in range(CYCLES + 2):
        op = int(rng.integers(4))
        x, y = (
            [int.from_bytes(rng.bytes(8), "little") % 2**bits for _ in range(LANES)] for _ in "xy"
        )
        for port, value in (("op", op), ("x", x), ("y", y)):
            simulator.set(port, value)
        simulator.settle()
        if cycle >= 2:
            _check(history[-2], bits, simulator.get("z"))
        else:
            simulator.toggles[:] = 0  # the first operations fill the registers
        simulator.clock()
        history.append((op, x[0], y[0]))
    dynamic = energy_model(netlist).dynamic_pj(simulator.toggles)["all"]
    return dynamic / CYCLES / LANES


def _check(operation: tuple[int, int, int], bits: int, found: int) -> None:
    op, x, y = operation
    a, b = (v - 2**bits if v >> (bits - 1) else v for v in (x, y))
    if found != (a + b, a - b, max(a, b), a * b)[op] % 2**bits:
        raise ArchsimError("the mapped lane's results are wrong")


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure all widths and write the file."""
    parser = argparse.ArgumentParser(prog="python -m archsim.tech.lane", description=__doc__)
    parser.add_argument("--tech", required=True, help="folder of the technology, or its name")
    parser.add_argument("--liberty", required=True, help="cell library in Liberty format")
    options = parser.parse_args(arguments)
    try:
        folder = tech_folder(options.tech)
        liberty = read_liberty(options.liberty)
        rows = [measure(bits, liberty) for bits in WIDTHS_BITS]
    except ArchsimError as fault:
        print(f"error: {fault}", file=sys.stderr)
        return fault.exit_code
    method = (
        f"synthesis of one lane in {liberty.name}, Yosys {metadata.version('pyosys')}, "
        f"{RECIPES[0].label}; {NO_WIRES}; {STIMULUS}; {'; '.join(LACKS)}"
    )
    tree = {"method": method, "rows": rows}
    (folder / "lane.yaml").write_text(yaml.safe_dump(tree, sort_keys=False, width=98), "utf-8")
    return 0


def tech_folder(name: str) -> Path:
    """Return the folder of a technology, given as path or shipped name."""
    for folder in (Path(name), Path(__file__).parent / name):
        if (folder / "tech.yaml").is_file():
            return folder
    raise InputError("--tech", "must be a folder with tech.yaml", name)


if __name__ == "__main__":
    sys.exit(main())
