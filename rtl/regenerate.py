"""Write the committed Verilog anew, synthesise it, and put the figures into the README's table.

Run as ``python rtl/regenerate.py``; needs archsim with extras rtl and fpga. Takes minutes: the
figures come from place and route.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from archsim.design import load_design
from archsim.engines import discover
from archsim.hdl.build import build
from archsim.hdl.synth import SynthResult, synthesise

HERE = Path(__file__).parent
TARGETS = {"generic": False, "ice40": False, "ecp5": True}  # target: place and route, too
BEGIN, END = "<!-- synthesis -->", "<!-- end of synthesis -->"


def engines() -> list[Path]:
    """Return the folders of engines: those with a design."""
    return sorted(path.parent for path in HERE.glob("*/design.yaml"))


def write(folder: Path, into: Path) -> Mapping[str, Any]:
    """Build a folder's design into another (or itself) and return the manifest."""
    design = load_design(str(folder / "design.yaml"))
    (spec,) = design.engines.values()
    top = "engine" if getattr(spec, "kind", "") == "vector" else "stream"  # all that there is
    return build(design, discover(), into, top=top).manifest


def measure(folder: Path, manifest: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Synthesise the tops for every target; return the figures by top and target."""
    found: dict[str, dict[str, Any]] = {}
    for bench in manifest["benches"].values():
        text = "\n".join((folder / name).read_text("utf-8") for name in bench["sources"])
        results = {t: synthesise(text, bench["module"], t, pnr=p) for t, p in TARGETS.items()}
        found[bench["module"]] = {target: figures(result) for target, result in results.items()}
    return found


def figures(result: SynthResult) -> dict[str, Any]:
    """Return what a synthesis says, without how long it took."""
    return {name: value for name, value in result.to_json().items() if name != "seconds"}


def table(synthesis: Mapping[str, Mapping[str, Any]]) -> str:
    lines = ["| module | target | resources | Fmax | tools |", "| --- | --- | --- | --- | --- |"]
    for module, targets in synthesis.items():
        for target, result in targets.items():
            lines.append(
                f"| `{module}` | {target} | {resources(target, result)} | {fmax(result)} | "
                + ", ".join(f"{tool} {version}" for tool, version in result["tools"].items())
                + " |"
            )
    return "\n".join(lines)


def resources(target: str, result: Mapping[str, Any]) -> str:
    if target == "generic":
        return f"{result['gate_equivalents']:,.0f} gate equivalents, depth {result['levels']} gates"
    return ", ".join(f"{count:,} {cell}" for cell, count in result["cells"].items())


def fmax(result: Mapping[str, Any]) -> str:
    return f"{result['fmax_mhz']:.1f} MHz, {result['fmax_source']}" if "fmax_mhz" in result else "-"


def with_table(readme: str, synthesis: Mapping[str, Mapping[str, Any]]) -> str:
    before, _, rest = readme.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n{table(synthesis)}\n{END}{after}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--no-synthesis", action="store_true", help="write the Verilog only")
    parser.add_argument("--only", metavar="FOLDER", help="measure one folder; others stay")
    options = parser.parse_args()
    only_verilog = options.no_synthesis
    measured: dict[str, Any] = {}
    for folder in engines():
        manifest = write(folder, folder)
        if only_verilog:
            continue
        figures_file = folder / "synthesis.json"
        if options.only in (None, folder.name):
            synthesis = measure(folder, manifest)
            figures_file.write_text(json.dumps(synthesis, indent=1) + "\n", "utf-8")
        measured |= json.loads(figures_file.read_text("utf-8"))
    if not only_verilog:
        readme = HERE / "README.md"
        readme.write_text(with_table(readme.read_text("utf-8"), measured), "utf-8")


if __name__ == "__main__":
    main()
