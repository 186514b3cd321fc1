"""Synthesis of our Verilog: gates and depth, area and delay in a cell library, FPGA resources.

Everything runs Yosys in a child process (see `archsim.hdl.yosys`). Hierarchy is kept, so that a PE
is synthesised once however many there are; what that leaves out stands in the result's notes.
"""

from __future__ import annotations

import json
import re
import shutil
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, get_args

from archsim.errors import ArchsimError, InputError
from archsim.hdl import yosys
from archsim.hdl.synth_liberty import Liberty, read_liberty
from archsim.hdl.synth_netlist import flatten
from archsim.hdl.synth_recipes import RECIPES, Recipe
from archsim.hdl.synth_timing import TREE_FANOUT, tree_area_um2, worst_path

Target = Literal["generic", "liberty", "ecp5", "ice40", "xilinx"]
MAX_MEMORY_BITS = 1 << 19  # of one memory that becomes flip-flops: minutes and GiB each
MEMORY = re.compile(r"^ *reg \[(\d+):0\] (\S+) \[(\d+):0\]", re.MULTILINE)
MAX_TIMED_CELLS = 1_500_000  # 40 us and half a KiB each
TRANSISTORS_PER_GATE = 4  # a two-input NAND in static CMOS: one gate equivalent

NO_WIRES = "no wire load, no clock tree, no placement: cells and their input capacitances only"
TREES = f"nets with more than {TREE_FANOUT} readers are given a tree of buffers, in area and delay"
HIERARCHY = (
    "hierarchy kept: nothing is optimised across modules (flattening a 4 x 4 systolic array moved "
    "area by -7 to +2 % and delay by -8 to +5 %)"
)


@dataclass(frozen=True, slots=True)
class SynthResult:
    """What synthesis says of one top module.

    Parameters
    ----------
    cells
        Cell type to count, over the whole design: gates, library cells or FPGA resources.
    area_um2, sequential_um2
        Of the whole design and of its flip-flops; None without a cell library.
    gate_equivalents
        Area over the smallest NAND2 of the library; for ``generic`` transistors / 4.
    module_um2
        Area of one instance of each module, its submodules included.
    levels
        Logic depth in gates of the deepest module without parts (``generic`` only).
    delay_ps
        Longest path from register to register, through the whole design (``liberty`` only).
    fmax_mhz, fmax_source
        1 / delay, or the router's figure; and in words how it was got.
    target_ps
        The clock that sizing was done for; None for the shortest path.
    netlist
        Yosys' JSON of the mapped modules, if it was asked for.
    """

    top: str
    target: str
    cells: Mapping[str, int]
    gate_equivalents: float | None = None
    area_um2: float | None = None
    sequential_um2: float | None = None
    module_um2: Mapping[str, float] = field(default_factory=dict)
    levels: int | None = None
    delay_ps: float | None = None
    fmax_mhz: float | None = None
    fmax_source: str = ""
    recipe: str = ""
    target_ps: float | None = None
    library: str = ""
    tools: Mapping[str, str] = field(default_factory=dict)
    seconds: float = 0.0
    notes: tuple[str, ...] = ()
    netlist: Mapping[str, Any] | None = field(default=None, repr=False, compare=False)

    def to_json(self) -> dict[str, Any]:
        """Return plain values for ``--json``: what applies, without the netlist."""
        values = {k: v for k, v in asdict(self).items() if k != "netlist"}
        return {k: v for k, v in values.items() if v not in (None, "", {}, ())}


def synthesise(
    verilog: str,
    top: str,
    target: Target = "generic",
    *,
    liberty: str | Path | Liberty | None = None,
    recipes: Sequence[Recipe] = RECIPES,
    flat: bool = False,
    kept: Sequence[str] = (),
    dont_use: Sequence[str] = (),
    pnr: bool = False,
    keep_netlist: bool = False,
    timed: bool = True,
) -> SynthResult:
    """Synthesise Verilog.

    Parameters
    ----------
    target
        ``generic`` gates, the cells of a ``liberty`` file, or an FPGA family.
    liberty
        The user's cell library; with it, several recipes are run and the one with the smallest
        area x delay is returned, both figures from that run.
    flat
        Dissolve the hierarchy first (``liberty`` only): slower, a few percent smaller.
    kept
        Modules that stay when all else dissolves into them and into the top: a PE that stands
        many times, with what it is made of inside. Means ``flat``.
    dont_use
        Cell name patterns (``*_0``) beside the cells that the library itself marks.
    pnr
        Place and route on the FPGA and report its Fmax (extra ``fpga``).
    timed
        Look for the longest path (``liberty`` only, up to `MAX_TIMED_CELLS`).

    Raises
    ------
    InputError
        For a target, top or library that cannot be.
    YosysError
        When synthesis fails; with the tool's last lines.
    """
    if target not in get_args(Target):
        raise InputError("target", f"must be one of {', '.join(get_args(Target))}", target)
    if not re.fullmatch(r"[A-Za-z_]\w*", top):
        raise InputError("top", "must be a Verilog module name", top)
    if (target == "liberty") != (liberty is not None):
        fix = "give --liberty FILE" if target == "liberty" else "say --target liberty"
        raise InputError(f"target {target}", "a cell library goes with target 'liberty'", fix=fix)
    if pnr and target not in {"ecp5", "ice40"}:
        raise InputError("pnr", "place and route is for ecp5 and ice40", target)
    if target in {"generic", "liberty"}:
        _check_memories(verilog)
    started = time.perf_counter()
    if liberty is not None:
        runs = explore(
            verilog, top, liberty,
            recipes=recipes, flat=flat, kept=kept, dont_use=dont_use, timed=timed,
        )  # fmt: skip
        result = min(runs, key=lambda r: (r.area_um2 or 0.0) * (r.delay_ps or 1.0))
        return _finished(result, started, keep_netlist)
    with _scratch(verilog) as folder:
        if target == "generic":
            result = _generic(folder, top)
        else:
            from archsim.hdl.synth_fpga import synthesise_fpga  # noqa: PLC0415

            result = synthesise_fpga(folder, top, target, pnr=pnr)
    return _finished(result, started, keep_netlist)


def _check_memories(verilog: str) -> None:
    """Refuse memories that nobody would build of flip-flops."""
    for width, name, depth in MEMORY.findall(verilog):
        if (bits := (int(width) + 1) * (int(depth) + 1)) > MAX_MEMORY_BITS:
            raise InputError(
                "synth",
                f"memories become flip-flops, of at most {MAX_MEMORY_BITS:,} bits each",
                f"{name} of {bits:,} bits",
                fix="make it smaller with --set, or take an FPGA target, which has block RAM",
            )


def explore(
    verilog: str,
    top: str,
    liberty: str | Path | Liberty,
    *,
    recipes: Sequence[Recipe] = RECIPES,
    targets_ps: Sequence[float] = (),
    flat: bool = False,
    kept: Sequence[str] = (),
    dont_use: Sequence[str] = (),
    timed: bool = True,
) -> Iterator[SynthResult]:
    """Map Verilog to a cell library by every recipe, for the shortest path and for clock targets.

    A target that a recipe does not reach would end in its shortest path again and is left out.
    Results have their netlists; the other parameters are those of `synthesise`.

    Raises
    ------
    InputError
        For a top or library that cannot be.
    YosysError
        When synthesis fails; with the tool's last lines.
    """
    for what, names in (("top", (top,)), ("kept", kept)):
        for name in names:
            if not re.fullmatch(r"[A-Za-z_][\w.]*", name):
                raise InputError(what, "must be a Verilog module name", name)
    for pattern in dont_use:
        if not re.fullmatch(r"[\w*?$.]+", pattern):
            raise InputError("dont_use", "must be a cell name, * and ? allowed", pattern)
    library = liberty if isinstance(liberty, Liberty) else read_liberty(liberty)
    with _scratch(verilog) as folder:
        shutil.copyfile(library.path, folder / "cells.lib")
        design = _Mapping(folder, top, library, flat or bool(kept), kept, dont_use, timed)
        for recipe in recipes:
            shortest = design.mapped(recipe)
            yield shortest
            for target_ps in targets_ps:
                if target_ps > (shortest.delay_ps or 0.0):
                    yield design.mapped(recipe, target_ps)


def _finished(result: SynthResult, started: float, keep_netlist: bool) -> SynthResult:
    netlist = result.netlist if keep_netlist else None
    return replace(result, netlist=netlist, seconds=round(time.perf_counter() - started, 2))


def check_rtl(verilog: str, top: str) -> None:
    """Check that a design has no latch, no multiply driven or undriven wire, no combinational loop.

    Raises
    ------
    ArchsimError
        Naming what Yosys found.
    """
    with _scratch(verilog) as folder:
        passes = [*_read(top), "proc", "flatten", "opt_clean"]
        log = yosys.run([*passes, "tee -o check.log check -nolatches"], folder)
        found = re.findall(r"^Warning: (.*)", (folder / "check.log").read_text(), re.MULTILINE)
    if found:
        raise ArchsimError(f"{top} is not sound hardware: " + "; ".join(found[:5]))
    if "Found and reported 0 problems" not in log:
        raise ArchsimError(f"yosys check gave no verdict on {top}")


@contextmanager
def _scratch(verilog: str) -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "design.v").write_text(verilog)
        yield folder


def _read(top: str) -> list[str]:
    return ["read_verilog design.v", f"hierarchy -check -top {top}"]


def read_stat(folder: Path) -> tuple[dict[str, Any], dict[str, Any], str]:
    """Return ``stat -json``'s modules by plain name, the design's totals and Yosys' version."""
    text = (folder / "stat.json").read_text()
    stat = json.loads(text[text.index("{") :])
    modules = {name.removeprefix("\\"): m for name, m in stat["modules"].items()}
    version = re.match(r"Yosys (\S+)", stat["creator"])
    return modules, stat["design"], version.group(1) if version else stat["creator"]


def leaf_cells(total: Mapping[str, Any], modules: Mapping[str, Any]) -> dict[str, int]:
    """Return the design's cell counts without the instances of its own modules."""
    counts = total["num_cells_by_type"]
    return {t: n for t, n in sorted(counts.items()) if t not in modules and t != "$scopeinfo"}


def _generic(folder: Path, top: str) -> SynthResult:
    yosys.run(
        [
            *_read(top),
            f"synth -top {top} -booth -extra-map +/choices/kogge-stone.v",
            "dfflegalize -cell $_DFF_P_ 01",
            "abc -g NAND,NOR,XOR,XNOR,AND,OR,MUX,AOI3,OAI3",
            "opt_clean",
            f"tee -q -o stat.json stat -json -tech cmos -top {top}",
            "tee -q -o depth.log ltp -noff",
        ],
        folder,
    )
    modules, total, version = read_stat(folder)
    paths = re.findall(r"path in (\S+) \(length=(\d+)\)", (folder / "depth.log").read_text())
    # through a part `ltp` sees a path from every input to every output: no depth to believe
    whole = {
        name for name, m in modules.items() if modules.keys().isdisjoint(m["num_cells_by_type"])
    }
    transistors = float(re.sub(r"\D", "", str(total["estimated_num_transistors"])))
    return SynthResult(
        top, "generic",
        cells=leaf_cells(total, modules),
        gate_equivalents=transistors / TRANSISTORS_PER_GATE,
        levels=max((int(length) for name, length in paths if name in whole), default=0),
        tools={"yosys": version},
        notes=(
            HIERARCHY, "depth: of the deepest module without parts",
            "a gate equivalent is 4 transistors",
        ),
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Mapping:
    """A design in a folder, and how it is to be mapped to a library."""

    folder: Path
    top: str
    library: Liberty
    flat: bool
    kept: Sequence[str]
    dont_use: Sequence[str]
    timed: bool

    def mapped(self, recipe: Recipe, target_ps: float | None = None) -> SynthResult:
        """Return what a recipe makes of it."""
        (self.folder / "drive").write_text(_drive(self.library))
        (self.folder / "abc").write_text(recipe.commands(target_ps))
        yosys.run(
            [
                f"read_rtlil {self._gates(recipe.adder)}",
                f"abc -liberty cells.lib -constr drive -script abc {self._skipped}",
                "setundef -zero",
                "opt_clean -purge",
                f"tee -q -o stat.json stat -json -liberty cells.lib -top {self.top}",
                "write_json netlist.json",
            ],
            self.folder,
        )
        return self._result(recipe, target_ps)

    @property
    def _skipped(self) -> str:
        return " ".join(f"-dont_use {pattern}" for pattern in self.dont_use)

    def _gates(self, adder: str) -> str:
        """Return the file of the design in plain gates and library flip-flops."""
        name = f"gates_{adder}.il"
        if not (self.folder / name).exists():
            yosys.run(
                [
                    *_read(self.top),
                    *(f"setattr -mod -set keep_hierarchy 1 {part}" for part in self.kept),
                    f"synth {'-flatten' if self.flat else ''} -top {self.top} -booth "
                    + (f"-extra-map +/choices/{adder}.v" if adder else ""),
                    f"dfflibmap -liberty cells.lib {self._skipped}",
                    "opt_clean",
                    f"write_rtlil {name}",
                ],
                self.folder,
            )
        return name

    def _result(self, recipe: Recipe, target_ps: float | None) -> SynthResult:
        top, library = self.top, self.library
        modules, total, version = read_stat(self.folder)
        netlist = json.loads((self.folder / "netlist.json").read_text())["modules"]
        cells = leaf_cells(total, modules)
        timed = self.timed and sum(cells.values()) <= MAX_TIMED_CELLS
        path = worst_path(flatten(netlist, top, library)) if timed else None
        trees = tree_area_um2(netlist, library)
        area = {name: m["area"] + trees[name] for name, m in modules.items() if "area" in m}
        return SynthResult(
            top, "liberty",
            cells=cells,
            gate_equivalents=round(area[top] / library.nand2_area_um2, 1),
            area_um2=area[top],
            sequential_um2=total["sequential_area"],
            module_um2=area,
            delay_ps=round(path.delay_ps, 1) if path else None,
            fmax_mhz=round(1e6 / path.delay_ps, 1) if path else None,
            fmax_source=f"longest path over the mapped cells, {path.words}" if path else "",
            recipe=recipe.label,
            target_ps=target_ps,
            library=library.name,
            tools={"yosys": version},
            notes=(
                NO_WIRES, TREES, *(() if self.flat and not self.kept else (HIERARCHY,)),
                *(() if timed else ("not timed: no delay, no Fmax",)),
            ),
            netlist=netlist,
        )  # fmt: skip


def _drive(library: Liberty) -> str:
    """Return ABC's constraints: ports are driven by the smallest buffer and loaded with four."""
    buffer = min(
        (c for c in library.cells.values() if c.is_gate("A") and not c.dont_use),
        key=lambda c: c.area_um2,
        default=library.inverter,
    )
    load_ff = library.fo4[0] * library.cap_f * 1e15
    return f"set_driving_cell {buffer.name}\nset_load {load_ff:.4g}\n"
