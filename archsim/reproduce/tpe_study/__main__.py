"""Measure the study in a cell library of the user's, and write its data file.

``python -m archsim.reproduce.tpe_study --tech asap7 --liberty FILE --licence BSD-3-Clause`` takes
tens of minutes. Rows are appended as they come; a run that was cut off goes on where it was.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

from archsim.errors import ArchsimError
from archsim.hdl.power import LACKS
from archsim.hdl.synth import NO_WIRES, TREES
from archsim.hdl.synth_liberty import Liberty, read_liberty
from archsim.hdl.synth_recipes import SEARCHED
from archsim.reproduce.tpe_study import data, measure
from archsim.reproduce.tpe_study.conventions import LADDER_FO4
from archsim.reproduce.tpe_study.elements import SUM_BITS, elements
from archsim.reproduce.tpe_study.operands import DESCRIPTIONS, stimuli


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure what the data file does not have yet."""
    parser = argparse.ArgumentParser(
        prog="python -m archsim.reproduce.tpe_study",
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    parser.add_argument("--tech", required=True, help="node that the library is of")
    parser.add_argument("--liberty", required=True, help="cell library in Liberty format")
    parser.add_argument("--licence", required=True, help="the library's licence, to record")
    parser.add_argument("--again", nargs="*", default=(), help="designs to measure anew")
    options = parser.parse_args(arguments)
    try:
        _measure(options)
    except ArchsimError as fault:
        print(f"error: {fault}", file=sys.stderr)
        return fault.exit_code
    return 0


def _measure(options: argparse.Namespace) -> None:
    library = read_liberty(options.liberty)
    target = Path(data.__file__).with_name(f"{options.tech}.jsonl")
    lines = data.lines(target) if target.exists() else []
    lines = [line for line in lines if line.get("design") not in options.again]
    lines = [line for line in lines if "made" not in line]
    lines.insert(0, {"made": _provenance(library, options)})
    target.write_text("".join(map(_line, lines)), "utf-8")
    done = {line["element"] for line in lines if "element" in line}
    operands = stimuli()
    for element in elements():
        if element.label in done:
            continue
        print(element.label, file=sys.stderr, flush=True)
        whole = element.acc_bits == SUM_BITS
        runs = list(measure.runs_of(element, library, operands))
        rows: list[dict[str, Any]] = [{"run": run.to_row()} for run, _ in runs]
        summary: dict[str, Any] = {"runs": runs[0][1]}
        if whole:
            summary["macs_per_cycle"] = measure.throughput(element, operands)
            summary["anatomy"] = measure.anatomy(element, library)
        rows.append({"element": element.label, **summary})
        with target.open("a", encoding="utf-8") as file:
            file.writelines(_line({"design": element.design, **row}) for row in rows)


def _line(row: Any) -> str:
    return json.dumps(row, separators=(", ", ": ")) + "\n"


def _provenance(library: Liberty, options: argparse.Namespace) -> dict[str, Any]:
    return {
        "library": library.name,
        "licence": options.licence,
        "yosys": f"Yosys {metadata.version('pyosys')}",
        "recipes": [recipe.label for recipe in SEARCHED],
        "ladder_ps": [round(x * measure.fo4_ps(library), 1) for x in LADDER_FO4],
        "fo4_ps": round(measure.fo4_ps(library), 2),
        "method": (
            "each PE between registers, mapped as a whole by every recipe, for the shortest path "
            f"and for each clock of the ladder; {NO_WIRES}; {TREES}; a row a run that no other run "
            "of the same PE is as small and as fast as"
        ),
        "energy": f"toggles of the mapped netlist, 64 runs side by side, sums checked; "
        f"{'; '.join(LACKS)}",
        "operands": dict(DESCRIPTIONS),
    }


if __name__ == "__main__":
    sys.exit(main())
