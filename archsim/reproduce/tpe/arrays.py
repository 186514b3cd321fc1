"""Table VII: gains of arrays, beside arrays synthesised whole and arrays composed to its size."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from archsim.errors import InfeasibleError
from archsim.reproduce import tpe_study as study
from archsim.reproduce.row import Row, Section
from archsim.reproduce.tpe.numbers import PES, PUBLISHED, RECOMPUTED
from archsim.reproduce.tpe.synthesis import EFFICIENCIES, OPERANDS, STIMULUS, evidence, is_measured
from archsim.reproduce.tpe.table_vii import area_efficiency, pair
from archsim.reproduce.tpe_study.composed import Composed, composed

ARRAYS = {"TPU": "systolic", "Ascend": "cube", "Trapezoid": "adder_tree", "FlexFlow": "matrix2d"}
SMALL = (
    "ours: complete engines of some 16 MACs, synthesised as a whole; memories are left out, as "
    "Table VII seems to leave them out"
)
LARGE = (
    f"ours: {PES:,} MACs a cycle, or PEs of a bit-slice array, composed by the engines' cost "
    "models from what synthesis found of their parts; areas without memories, energies with them; "
    "each at its own best clock, that of its control and edges included"
)
OTHERS = "Sibia and Bitwave are not among archsim's engines: their rows are in the table by itself"
LARGEST_PARTS = 3


def sections() -> Iterator[Section]:
    """Yield gains of small arrays under each convention, then of arrays of Table VII's size."""
    measured = [library for library in study.LIBRARIES if is_measured(library, "arrays")]
    for convention, text in study.CONVENTIONS.items() if measured else ():
        yield Section(
            f"Table VII: gains of small arrays, convention ({convention})",
            tuple(_rows(f"convention ({convention})", convention, measured)),
            (f"convention ({convention}): {text}", SMALL, OPERANDS, OTHERS),
        )
    yield Section(
        f"Table VII: gains of arrays of {PES:,} MACs, convention (b)",
        tuple(_rows(f"{PES:,} MACs", None, study.LIBRARIES)), (LARGE, OPERANDS),
    )  # fmt: skip


def array_of(design: str) -> str:
    """Return our name of a design of Table VII: ``systolic/opt1`` of ``OPT1(TPU)``."""
    pe, _, array = design.removesuffix(")").partition("(")
    if pe in ARRAYS:
        return f"{ARRAYS[pe]}/mac"
    return f"{ARRAYS[array]}/{pe.lower()}" if array else f"bitslice/{pe.lower()}"


def _rows(what: str, convention: str | None, libraries: Sequence[str]) -> Iterator[Row]:
    """Yield both gains of every pair in libraries; no convention: of composed arrays."""
    gains = PUBLISHED["gains"]
    for gain in gains:
        design, base = pair(gain)
        published = {
            "area": (area_efficiency(design) / area_efficiency(base), f"Table VII, {RECOMPUTED}"),
            "energy": (gains.value(gain, "energy"), gains.tag),
        }
        for library in libraries:
            found = _both(library, convention, array_of(design), array_of(base))
            for kind, (value, tag) in published.items():
                name = f"{gain}, {kind} efficiency, {what}, {library}"
                if isinstance(found, str):
                    yield Row(name, value, tag, None, found, "x")
                    continue
                ours, over = (getattr(each, EFFICIENCIES[kind]) for each in found)
                row = Row(name, value, tag, ours / over, unit="x")
                yield row.because("; ".join(map(words, found)))


Pair = tuple[study.Result, study.Result] | tuple[Composed, Composed]


def _both(library: str, convention: str | None, design: str, base: str) -> Pair | str:
    """Return what was found of two arrays, or why it was not."""
    if convention is None:
        if lacking := [name for name in (design, base) if not _has_table(library, name)]:
            return f"no synthesis table of {' or '.join(lacking)} in {library}"
        return composed(library, design), composed(library, base)
    results = {r.design: r for r in study.results(library, convention, STIMULUS, "arrays")}
    if lacking := [name for name in (design, base) if name not in results]:
        return f"not synthesised in {library}: {', '.join(lacking)}"
    return results[design], results[base]


def _has_table(library: str, design: str) -> bool:
    try:
        composed(library, design)
    except InfeasibleError:
        return False
    return True


def words(found: study.Result | Composed) -> str:
    """Return what decides an array's efficiency."""
    if isinstance(found, study.Result):
        return evidence(found)
    areas = sorted(found.components_um2.items(), key=lambda part: -part[1])[:LARGEST_PARTS]
    whole = sum(found.components_um2.values())
    parts = ", ".join(f"{name} {100 * um2 / whole:.0f} %" for name, um2 in areas)
    return (
        f"{found.design}: {found.clock_mhz:,.0f} MHz, {found.macs_per_cycle:,.0f} MACs a cycle, "
        f"{found.logic_um2 * 1e-6:.3f} mm2 without memories (of all, {parts}), "
        f"{found.pj_per_mac:.3g} pJ a MAC"
    )
