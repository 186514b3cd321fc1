"""FPGA resources by Yosys and, where asked, place and route by nextpnr."""

from __future__ import annotations

import importlib.util
import json
import re
import subprocess
import sys
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from archsim.errors import InfeasibleError, MissingExtra
from archsim.hdl import yosys
from archsim.hdl.synth import SynthResult, leaf_cells, read_stat

PLACE_SECONDS = 3600


@dataclass(frozen=True, slots=True)
class Device:
    """An FPGA and what an array runs out of first on it.

    Parameters
    ----------
    synth
        Yosys' command. I/O buffers are left out: an engine's ports are not package pins.
    resource, count
        The scarce cell type and how many there are.
    options
        nextpnr's; empty where there is no place and route.
    """

    name: str
    synth: str
    resource: str = ""
    count: int = 0
    options: tuple[str, ...] = ()


# smallest first; the first on which a design fits is the one reported
DEVICES: dict[str, tuple[Device, ...]] = {
    "ecp5": tuple(
        Device(
            f"LFE5UM5G-{size}F", "synth_ecp5 -noiopad", "MULT18X18D", multipliers,
            (f"--um5g-{size}k", "--package", "CABGA381", "--out-of-context"),
        )
        for size, multipliers in (("25", 28), ("45", 72), ("85", 156))
    ),
    "ice40": (
        Device("iCE40UP5K", "synth_ice40 -dsp", "SB_MAC16", 8, ("--up5k", "--package", "sg48")),
        Device("iCE40HX8K", "synth_ice40", "SB_LUT4", 7680, ("--hx8k", "--package", "ct256")),
    ),
    "xilinx": (Device("7 series", "synth_xilinx -family xc7 -noiopad -flatten"),),
}  # fmt: skip


def synthesise_fpga(folder: Path, top: str, target: str, *, pnr: bool) -> SynthResult:
    """Map ``design.v`` of a folder to an FPGA family, and place and route it if asked."""
    if pnr and importlib.util.find_spec(f"yowasp_nextpnr_{target}") is None:
        raise MissingExtra(f"yowasp-nextpnr-{target}", "fpga")
    devices = DEVICES[target]
    scripts = dict.fromkeys(d.synth for d in (devices if pnr else devices[:1]))
    for script in scripts:
        cells, tools = _map(folder, top, script)
        fits = [d for d in devices if d.synth == script and cells.get(d.resource, 0) <= d.count]
        if fits or not pnr:
            break
    else:
        last = devices[-1]
        raise InfeasibleError(
            f"place and route of {top} on {last.name}",
            demand=cells[last.resource], bound=last.count, unit=last.resource,
            levers=("fewer rows x cols",),
        )  # fmt: skip
    if not pnr:
        notes = ("mapped, not placed: no Fmax; --pnr places and routes (ecp5, ice40)",)
        return SynthResult(top, target, cells=cells, tools=tools, notes=notes)
    package = f"yowasp-nextpnr-{target}"
    return SynthResult(
        top, target,
        cells=cells,
        fmax_mhz=round(_route(folder, top, target, fits[0]), 1),
        fmax_source=f"post-route on {fits[0].name}, ports not bound to pins",
        tools={**tools, package: metadata.version(package)},
    )  # fmt: skip


def _map(folder: Path, top: str, script: str) -> tuple[dict[str, int], dict[str, str]]:
    """Run one synthesis; leave ``mapped.json``; return cell counts and tool versions."""
    yosys.run(
        [
            "read_verilog design.v",
            f"{script} -top {top}",
            f"tee -q -o stat.json stat -json -top {top}",
            "write_json mapped.json",
        ],
        folder,
    )
    modules, total, version = read_stat(folder)
    return leaf_cells(total, modules), {"yosys": version}


def _route(folder: Path, top: str, target: str, device: Device) -> float:
    """Place and route; return the slowest clock's Fmax in MHz."""
    if "--out-of-context" not in device.options:
        _wrap(folder, top, device.synth)
    source = f"import sys; from yowasp_nextpnr_{target} import run_nextpnr_{target} as run; "
    source += "sys.exit(run(sys.argv[1:]))"
    run = subprocess.run(
        [
            sys.executable, "-c", source, *device.options,
            "--json", "mapped.json", "--timing-allow-fail", "--seed", "1",
            "--report", "route.json",
        ],
        cwd=folder, capture_output=True, text=True, timeout=PLACE_SECONDS, check=False,
    )  # fmt: skip
    if run.returncode or not (folder / "route.json").exists():
        tail = "\n".join((run.stdout + run.stderr).splitlines()[-8:])
        cause = re.search(r"ERROR: (.*)", tail)
        raise yosys.YosysError(f"nextpnr failed: {cause.group(1) if cause else tail}")
    clocks = json.loads((folder / "route.json").read_text())["fmax"]
    return min(float(clock["achieved"]) for clock in clocks.values())


def _wrap(folder: Path, top: str, script: str) -> None:
    """Remap the design inside a shift-register shell, for a package with fewer pins than ports.

    Every input bit comes from a stage of a shift register, every output bit is registered and
    folded into one pin, so that all paths of the design stay between registers.
    """
    module = json.loads((folder / "mapped.json").read_text())["modules"][top]
    ports = {n: (p["direction"], len(p["bits"])) for n, p in module["ports"].items() if n != "clk"}
    width_in = sum(width for way, width in ports.values() if way == "input")
    width_out = sum(width for way, width in ports.values() if way == "output")
    low = {"input": 0, "output": 0}
    bindings = []
    for name, (way, width) in ports.items():
        wire = "drive" if way == "input" else "seen"
        bindings.append(f".\\{name} ({wire}[{low[way] + width - 1}:{low[way]}])")
        low[way] += width
    shell = f"""
module shell(input clk, input pin_in, output reg pin_out);
  reg [{width_in - 1}:0] drive; wire [{width_out - 1}:0] seen; reg [{width_out - 1}:0] held;
  always @(posedge clk) begin
    drive <= {{drive, pin_in}}; held <= seen ^ {{held, 1'b0}}; pin_out <= held[{width_out - 1}];
  end
  {top} inner(.clk(clk), {", ".join(bindings)});
endmodule
"""
    (folder / "shell.v").write_text(shell)
    yosys.run(
        ["read_verilog design.v shell.v", f"{script} -top shell", "write_json mapped.json"], folder
    )
