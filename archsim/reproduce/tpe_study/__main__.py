"""Measure the study in a cell library of the user's, and write its data file.

``python -m archsim.reproduce.tpe_study --tech asap7 --liberty FILE --licence BSD-3-Clause`` takes
tens of minutes. Rows are appended as they come; a run that was cut off goes on where it was.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Mapping, Sequence, Set
from importlib import metadata
from typing import Any

from archsim import tech
from archsim.errors import ArchsimError
from archsim.hdl.power import LACKS
from archsim.hdl.synth import NO_WIRES, TREES
from archsim.hdl.synth_liberty import Liberty, read_liberty
from archsim.hdl.synth_recipes import SEARCHED
from archsim.reproduce.tpe_study import arrays, data, measure
from archsim.reproduce.tpe_study.conventions import LADDER_FO4
from archsim.reproduce.tpe_study.drive import Operands
from archsim.reproduce.tpe_study.elements import SUM_BITS, elements
from archsim.reproduce.tpe_study.operands import DESCRIPTIONS, stimuli

Measured = Iterator[tuple[str, list[dict[str, Any]]]]  # a design's rows


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure what the data file does not have yet."""
    parser = argparse.ArgumentParser(
        prog="python -m archsim.reproduce.tpe_study",
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    parser.add_argument("--tech", required=True, help="node that the library is of")
    parser.add_argument("--liberty", required=True, help="cell library in Liberty format")
    parser.add_argument("--licence", required=True, help="the library's licence, to record")
    parser.add_argument(
        "--part",
        choices=("pes", "arrays", "flat"),
        default="pes",
        help="what to measure, a file each; flat: a flat array beside one composed of parts",
    )
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
    target = data.path(options.tech, options.part)
    lines = data.lines(target) if target.exists() else []
    lines = [line for line in lines if line.get("design") not in options.again]
    lines = [line for line in lines if "made" not in line]
    made = _provenance(library, options)
    target.write_text("".join(map(_line, [{"made": made}, *lines])), "utf-8")
    done = {line["element"] for line in lines if "element" in line}
    operands = stimuli()
    measured = {
        "pes": lambda: _elements(done, library, operands),
        "arrays": lambda: _arrays(done, library, operands),
        "flat": lambda: _flat(done, library, options.tech),
    }
    for design, rows in measured[options.part]():
        with target.open("a", encoding="utf-8") as file:
            file.writelines(_line({"design": design, **row}) for row in rows)


def _elements(done: Set[str], library: Liberty, operands: Mapping[str, Operands]) -> Measured:
    for element in elements():
        if element.label in done:
            continue
        print(element.label, file=sys.stderr, flush=True)
        runs = list(measure.runs_of(element, library, operands))
        rows: list[dict[str, Any]] = [{"run": run.to_row()} for run, _ in runs]
        summary: dict[str, Any] = {"runs": runs[0][1], "verilog": element.fingerprint()}
        if element.acc_bits == SUM_BITS:
            summary["macs_per_cycle"] = measure.throughput(element, operands)
            summary["anatomy"] = measure.anatomy(element, library)
        yield element.design, [*rows, {"element": element.label, **summary}]


def _arrays(done: Set[str], library: Liberty, operands: Mapping[str, Operands]) -> Measured:
    for array in arrays.arrays():
        if array.design in done:
            continue
        print(array.design, file=sys.stderr, flush=True)
        run = arrays.run_of(array, library, operands)
        summary = {"element": array.design, "lanes": array.lanes}
        yield array.design, [{"run": run.to_row()}, summary]


def _flat(done: Set[str], library: Liberty, node: str) -> Measured:
    if "flat" not in done:
        yield "flat", [{"element": "flat", "check": arrays.flat_check(library, tech.load(node))}]


def _line(row: Any) -> str:
    return json.dumps(row, separators=(", ", ": ")) + "\n"


def _provenance(library: Liberty, options: argparse.Namespace) -> dict[str, Any]:
    of_part = {"pes": _of_pes, "arrays": _of_arrays, "flat": _of_flat}[options.part](library)
    return {
        "library": library.name,
        "licence": options.licence,
        "yosys": f"Yosys {metadata.version('pyosys')}",
        **of_part,
    }


def _of_pes(library: Liberty) -> dict[str, Any]:
    return {
        "recipes": [recipe.label for recipe in SEARCHED],
        "ladder_ps": [round(x * measure.fo4_ps(library), 1) for x in LADDER_FO4],
        "fo4_ps": round(measure.fo4_ps(library), 2),
        "method": (
            "each PE between registers, mapped as a whole by every recipe, for the shortest path "
            f"and for each clock of the ladder; {NO_WIRES}; {TREES}; a row a run that no other run "
            "of the same PE is as small and as fast as"
        ),
        "energy": "toggles of the mapped netlist, 64 runs side by side, sums checked; "
        + "; ".join(LACKS),
        "operands": dict(DESCRIPTIONS),
    }


def _of_arrays(library: Liberty) -> dict[str, Any]:
    return {
        "recipes": [arrays.RECIPE.label],
        "method": (
            "complete engines with a few PEs, each PE and memory mapped by itself and all else as "
            f"a whole; {NO_WIRES}; {TREES}; memories are not in it, they are SRAM in an accelerator"
        ),
        "energy": (
            f"a job of {arrays.FOLDS} folds with k = {arrays.K} on the mapped netlist, fill and "
            f"drain included, results checked; {'; '.join(LACKS)}"
        ),
        "operands": dict(DESCRIPTIONS),
    }


def _of_flat(library: Liberty) -> dict[str, Any]:
    return {
        "recipes": [arrays.RECIPE.label],
        "method": (
            "a complete array with its hierarchy dissolved first, and the same composed of parts "
            f"as its cost is; {NO_WIRES}; {TREES}"
        ),
    }


if __name__ == "__main__":
    sys.exit(main())
