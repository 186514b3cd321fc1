"""Measure the study in a cell library: synthesis runs, energy of those worth having, anatomy."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import groupby
from typing import Any

from archsim.hdl.power import GateSimulator, energy_model
from archsim.hdl.synth import SynthResult, explore
from archsim.hdl.synth_liberty import Liberty
from archsim.hdl.synth_netlist import Netlist, flatten
from archsim.hdl.synth_recipes import SEARCHED, Recipe
from archsim.hdl.synth_timing import Path, worst_path
from archsim.reproduce.tpe_study.conventions import LADDER_FO4
from archsim.reproduce.tpe_study.drive import Drive, Operands
from archsim.reproduce.tpe_study.elements import SUM_BITS, Element
from archsim.reproduce.tpe_study.run import Run

TOP, PART = "pe", "pe.part"


def fo4_ps(library: Liberty) -> float:
    """Return the delay of the smallest inverter that drives four like it, mean of both edges."""
    load, slew = library.fo4
    tables = [t for arc in library.inverter.outputs[0].arcs for t in arc.delay if t]
    return sum(t.at(load, slew) for t in tables) / len(tables) * library.time_s * 1e12


def runs_of(
    element: Element, library: Liberty, operands: Mapping[str, Operands]
) -> Iterator[tuple[Run, int]]:
    """Yield the runs of a PE that no other is as good as, and how many were made.

    Widths other than `SUM_BITS` are there for their shortest paths: no targets, no energy.
    """
    whole = element.acc_bits == SUM_BITS
    found: list[tuple[Run, SynthResult]] = []
    results = explore(
        element.verilog(), TOP, library,
        recipes=_recipes(element), kept=(PART,), timed=True,
        targets_ps=[x * fo4_ps(library) for x in LADDER_FO4] if whole else (),
    )  # fmt: skip
    for result in results:
        found.append((_run(element, result, library), result))
    drives = {name: element.drive(each) for name, each in operands.items()} if whole else {}
    for run, result in undominated(found):
        netlist = flatten(result.netlist or {}, TOP, library)
        energy, leakage = energies(netlist, drives, operands)
        yield replace(run, energy_pj=energy, leakage_uw=leakage), len(found)


def _recipes(element: Element) -> Sequence[Recipe]:
    """Return the recipes that make a difference: adders do where they are left to synthesis."""
    if element.infers:
        return SEARCHED
    scripts: dict[tuple[str, ...], Recipe] = {}
    for recipe in SEARCHED:
        scripts.setdefault(recipe.script, recipe)
    return tuple(scripts.values())


def undominated(found: Sequence[tuple[Run, SynthResult]]) -> list[tuple[Run, SynthResult]]:
    """Return the runs for which no other is smaller and as fast, or faster and as small."""
    kept: list[tuple[Run, SynthResult]] = []
    for run, result in sorted(found, key=lambda each: (each[0].area_um2, each[0].delay_ps)):
        if not kept or run.delay_ps < kept[-1][0].delay_ps:
            kept.append((run, result))
    return kept


def _run(element: Element, result: SynthResult, library: Liberty) -> Run:
    netlist = flatten(result.netlist or {}, TOP, library)
    path = worst_path(netlist)
    registers = sum(g.cell.area_um2 for g in netlist.registers if g.place)
    return Run(
        design=element.design,
        variant=element.variant,
        acc_bits=element.acc_bits,
        recipe=result.recipe,
        target_ps=None if result.target_ps is None else round(result.target_ps, 1),
        parts_um2={
            "logic": digits(result.module_um2[PART] - registers),
            "registers": digits(registers),
        },
        delay_ps=round(path.delay_ps, 1),
        path=words(path),
        energy_pj={},
        leakage_uw=0.0,
    )


def words(path: Path) -> str:
    """Return a path as the cells that it runs through."""
    cells = [(name, len(list(same))) for name, same in groupby(g.cell.name for g in path.gates)]
    listed = " ".join(f"{n}x{name}" if n > 1 else name for name, n in cells)
    return f"{len(path.gates)} cells, {path.tree_ps:.0f} ps in buffer trees: {listed}"


def energies(
    netlist: Netlist, drives: Mapping[str, Drive], operands: Mapping[str, Operands]
) -> tuple[dict[str, float], float]:
    """Return the PE's energy in pJ a MAC by stimulus, and its leakage in uW."""
    model = energy_model(netlist, lambda place: PART if place else TOP)
    found = {}
    for name, drive in drives.items():
        simulator = GateSimulator(netlist, len(drive.busy))
        drive.run(simulator)
        moved = model.dynamic_pj(simulator.toggles)[PART]
        clocked = model.clock_pj[PART] * float(drive.busy.sum())
        found[name] = digits((moved + clocked) / operands[name].macs)
    return found, digits(model.leakage_uw[PART])


def throughput(element: Element, operands: Mapping[str, Operands]) -> dict[str, list[float]]:
    """Return MACs a cycle by stimulus: at the peak, and of one PE that waits for its own lanes."""
    found = {}
    for name, each in operands.items():
        drive = element.drive(each)
        found[name] = [digits(each.macs / n) for n in (drive.least_cycles, drive.busy.sum())]
    return found


def anatomy(element: Element, library: Liberty) -> dict[str, Any]:
    """Return where a PE's area and its longest path are, by the modules that it is made of.

    Modules are mapped one by one for this, so that both can be told apart; sums differ from those
    of runs, in which a PE is mapped as a whole.
    """
    (result,) = explore(element.verilog(), TOP, library, recipes=SEARCHED[:1], timed=False)
    netlist = flatten(result.netlist or {}, TOP, library)
    area: dict[str, float] = {}
    for gate in (*netlist.gates, *netlist.registers):
        if gate.place:
            name = _module(gate.place) + (" registers" if gate.cell.register else "")
            area[name] = area.get(name, 0.0) + gate.cell.area_um2
    path = worst_path(netlist)
    delay: dict[str, float] = {}
    before = 0.0
    for gate, at in zip(path.gates, path.arrival_ps, strict=True):
        name = _module(gate.place) if gate.place else "operand registers"
        delay[name] = delay.get(name, 0.0) + at - before
        before = at
    delay["set-up"] = path.delay_ps - before
    return {
        "area_um2": {name: digits(um2) for name, um2 in area.items()},
        "path_ps": {name: round(ps, 1) for name, ps in delay.items()},
    }


def _module(place: str) -> str:
    """Return the module that a cell stands in, in a PE: ``part.multiplier.tree``."""
    return place.removeprefix("part").removeprefix(".") or "PE"


def digits(value: float) -> float:
    return float(f"{value:.5g}")
