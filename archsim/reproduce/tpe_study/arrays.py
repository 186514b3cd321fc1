"""Small arrays of the study: complete engines, PEs mapped as a whole, on a job with values."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from archsim.engines import NO_STALLS, GemmJobs, discover
from archsim.engines.gemm.study import run_job, verilog
from archsim.hdl.power import GateSimulator, energy_model
from archsim.hdl.synth import SynthResult, explore
from archsim.hdl.synth_liberty import Liberty
from archsim.hdl.synth_netlist import flatten
from archsim.hdl.synth_recipes import SEARCHED, Recipe
from archsim.hdl.synth_timing import worst_path
from archsim.reproduce.tpe_study.drive import Operands
from archsim.reproduce.tpe_study.measure import digits, words
from archsim.reproduce.tpe_study.run import Run
from archsim.tech import Tech
from archsim.tech.stimuli import reset

RECIPE: Recipe = SEARCHED[0]  # what the engines' cost tables are measured with
K = 128
FOLDS = 2  # of a job, along m


@dataclass(frozen=True, slots=True)
class SmallArray:
    """A complete engine, small.

    Parameters
    ----------
    design
        The engine and its PE: ``cube/opt1``.
    fields
        Of the engine's spec.
    lanes
        MAC units or, of bit-slice arrays, PEs.
    tile
        Extents (m, n) of a fold.
    """

    design: str
    fields: Mapping[str, Any]
    lanes: int
    tile: tuple[int, int]

    @property
    def kind(self) -> str:
        return self.design.split("/")[0]

    @property
    def spec(self) -> Any:
        return discover()[self.kind].spec(kind=self.kind, **self.fields)


_DENSE: Mapping[str, tuple[Mapping[str, int], int, tuple[int, int]]] = {
    "systolic": ({"rows": 4, "cols": 4}, 16, (4, 4)),
    "cube": ({"rows": 4, "cols": 2, "depth": 2}, 16, (4, 2)),
    "adder_tree": ({"depth": 8, "cols": 2, "acc_rows": 8}, 16, (8, 2)),
    "matrix2d": ({"rows": 4, "cols": 4}, 16, (4, 4)),
}
_SLICES: Mapping[str, tuple[Mapping[str, Any], int, tuple[int, int]]] = {
    "opt3": ({"rows": 4, "cols": 4, "depth": 64}, 16, (4, 4)),
    "opt4c": ({"rows": 4, "cols": 4, "depth": 64}, 16, (4, 4)),
    "opt4e": ({"rows": 4, "cols": 4, "depth": 64}, 16, (4, 4)),
    "laconic": ({"rows": 2, "cols": 2, "group": 16, "encoding": "naf"}, 4, (2, 2)),
    "bitlet": (
        {"rows": 2, "cols": 2, "group": 8, "encoding": "twos_complement"}, 4, (2, 2),
    ),
}  # fmt: skip


def arrays() -> Iterator[SmallArray]:
    """Yield the small arrays; where adders and multipliers are a choice, prefix and Booth."""
    for kind, (fields, lanes, tile) in _DENSE.items():
        for pe in ("mac", "opt1", "opt2") if kind == "matrix2d" else ("mac", "opt1"):
            how = {"pe": pe, "multiplier": "booth", "adder": "prefix"}
            yield SmallArray(f"{kind}/{pe}", {**fields, **how}, lanes, tile)
    for pe, (fields, lanes, tile) in _SLICES.items():
        yield SmallArray(f"bitslice/{pe}", {**fields, "pe": pe}, lanes, tile)


def run_of(array: SmallArray, library: Liberty, operands: Mapping[str, Operands]) -> Run:
    """Synthesise an array and run a job on it."""
    top = array.kind
    text = verilog(discover()[top], array.spec)
    pe = f"{top}_tree" if top == "adder_tree" else f"{top}_pe"
    kept = [m for m in _modules(text) if m == pe or m.endswith("memory")]
    (result,) = explore(text, top, library, recipes=(RECIPE,), kept=kept, timed=False)
    energy = {name: _energy_pj(array, result, library, each) for name, each in operands.items()}
    return replace(_run(array, result, library, pe), energy_pj=energy)


def _modules(text: str) -> list[str]:
    return [line.split()[1].split("(")[0] for line in text.splitlines() if line[:7] == "module "]


def _run(array: SmallArray, result: SynthResult, library: Liberty, pe: str) -> Run:
    netlist = result.netlist or {}
    count: dict[str, int] = {}
    for module in places(netlist, result.top).values():
        count[module] = count.get(module, 0) + 1
    area = {m: n * result.module_um2[m] for m, n in count.items()}
    memory = sum(um2 for module, um2 in area.items() if module.endswith("memory"))
    flat = flatten(netlist, result.top, library)
    path = worst_path(flat)
    where = places(netlist, result.top)
    kept = [g for g in (*flat.gates, *flat.registers) if not _in_memory(where, g.place)]
    return Run(
        design=array.design,
        variant="",
        acc_bits=32,
        recipe=result.recipe,
        target_ps=None,
        parts_um2={
            "pe": digits(area[pe]),
            "edges and control": digits((result.area_um2 or 0.0) - area[pe] - memory),
        },
        delay_ps=round(path.delay_ps, 1),
        path=f"from {path.start or 'top level'} to {path.end or 'top level'}: {words(path)}",
        energy_pj={},
        leakage_uw=digits(sum(g.cell.leakage_w for g in kept) * 1e6),
    )


def places(netlist: Mapping[str, Any], top: str, place: str = "") -> dict[str, str]:
    """Return the module that stands at each instance path of a netlist."""
    found = {place: top}
    for label, cell in netlist[top]["cells"].items():
        if cell["type"] in netlist and netlist[cell["type"]].get("cells"):
            inside = f"{place}.{label}" if place else label
            found |= places(netlist, cell["type"], inside)
    return found


def _in_memory(where: Mapping[str, str], place: str) -> bool:
    """Whether a cell stands in a memory: SRAM in an accelerator, flip-flops here."""
    return where[place].endswith("memory")


def _energy_pj(
    array: SmallArray, result: SynthResult, library: Liberty, operands: Operands
) -> float:
    """Return the energy of a MAC of a job, fill and drain included, memories left out."""
    engine, spec = discover()[array.kind], array.spec
    netlist = flatten(result.netlist or {}, result.top, library)
    where = places(result.netlist or {}, result.top)
    model = energy_model(netlist, lambda place: "memory" if _in_memory(where, place) else "engine")
    m, n = FOLDS * array.tile[0], array.tile[1]
    data = {
        "a": operands.a.reshape(-1, K)[:m],
        "b": operands.b.reshape(-1, K)[:n].T,
        "c": np.zeros((m, n), np.int64),
    }
    job = GemmJobs(
        *(np.array([x]) for x in (m, n, K, False)), refs=({port: port for port in "abc"},)
    )
    simulator = GateSimulator(netlist, 1)
    reset(simulator)
    results = int(engine.time(spec, job, NO_STALLS, data).beats["result"][0])
    cycles = run_job(engine, spec, simulator, job, [data], results)
    moved = model.dynamic_pj(simulator.toggles)["engine"]
    return digits((moved + model.clock_pj["engine"] * cycles) / (m * n * K))


FLAT: Mapping[str, int] = {"rows": 8, "cols": 8}  # the largest that is mapped flat


def flat_check(library: Liberty, node: Tech) -> dict[str, Any]:
    """Return area and delay of a systolic array mapped flat, and as composed of its parts."""
    engine = discover()["systolic"]
    spec: Any = engine.spec(kind="systolic", **FLAT)
    (flat,) = explore(verilog(engine, spec), engine.kind, library, recipes=(RECIPE,), flat=True)
    return {
        "design": f"systolic/{spec.pe} {spec.rows} x {spec.cols}",
        "flat": {"area_um2": digits(flat.area_um2 or 0.0), "delay_ps": flat.delay_ps},
        "composed": {
            "area_um2": digits(sum(engine.area_um2(spec, node).values())),
            "delay_ps": digits(1e6 / engine.fmax_mhz(spec, node).mhz),
        },
    }
