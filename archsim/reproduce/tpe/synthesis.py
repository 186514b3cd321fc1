"""Table I and Figure 9 beside syntheses of our own PEs in open cell libraries.

Areas and delays of another node are no answer to the paper's. What is compared are ratios to the
MAC; the evidence is where path and area of each PE are.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from importlib import resources

from archsim.reproduce import tpe_study as study
from archsim.reproduce.row import Row, Section
from archsim.reproduce.tpe.numbers import LANES, PUBLISHED, implied_num_pp

PES = ("MAC", "OPT1", "OPT2", "OPT3", "OPT4C", "OPT4E")  # of Figure 9
NARROW, WIDE = 20, 32  # bits of accumulators, Table I
CONVENTION_MHZ = {  # the clocks of Figure 9 that convention (a) asks for
    "MAC": 1000, "OPT1": 1500, "OPT2": 1500, "OPT3": 2000, "OPT4C": 2500, "OPT4E": 2000,
}  # fmt: skip
STIMULUS = "normal"  # operands: the paper's partial products a MAC are of such
OPERANDS = (
    "energies are of normal operands of sigma 25, which have nearly as many digits as the paper "
    "counts with; its own operands are not known"
)
INPUTS = (
    "the figure's areas seem to hold the registers of operands, as Figure 14's are smaller by as "
    "much; ours leave them to the array"
)
LOGIC = (
    "ours: combinational area under convention (a), and energy with the PE's registers and their "
    "clock; energies of the figure seem to be of logic alone, as its areas are"
)
EFFICIENCIES = {"area": "tops_per_mm2", "energy": "tops_per_w"}


def is_measured(library: str, level: str = "pe") -> bool:
    """Return whether the study has data of a library's PEs or arrays."""
    name = f"{library}_{level}.jsonl" if level == "arrays" else f"{library}.jsonl"
    return (resources.files(study) / name).is_file()


def sections() -> Iterator[Section]:
    """Yield ratios of paths, then of efficiencies under each convention."""
    made = tuple(_made(library) for library in study.LIBRARIES)
    yield Section("Longest paths of PEs, over each other", tuple(_paths()), made)
    for convention, text in study.CONVENTIONS.items():
        yield Section(
            f"Figure 9: efficiency of PEs over the MAC's, convention ({convention})",
            tuple(_efficiencies(convention)),
            (f"convention ({convention}): {text}", OPERANDS),
        )
    yield Section("Figure 14: one PE over the MAC, logic and energy", tuple(_logic()), (LOGIC,))


def _libraries() -> list[str]:
    """Return the libraries whose PEs are measured; notes name the others."""
    return [library for library in study.LIBRARIES if is_measured(library)]


def _made(library: str) -> str:
    if not is_measured(library):
        return f"{library}: no PE was synthesised in it"
    made = study.provenance(library)
    return f"{library}: {made['library']}, {made['yosys']}; {made['method']}; {made['energy']}"


# ---------------------------------------------------------------------------------------- paths


def _paths() -> Iterator[Row]:
    paths, table = PUBLISHED["paths"], PUBLISHED["table_1"]
    wide, narrow = (table.value(f"MAC, {bits} bits", "delay_ns") for bits in (WIDE, NARROW))
    widened = (
        ("MAC", wide / narrow, table.tag),
        ("OPT1", 1.0, f"{paths.tag}: no longer where sums are wider"),
    )
    for library in _libraries():
        for slow, fast in (("MAC", "OPT1"), ("OPT1", "OPT4E"), ("OPT4E", "OPT4C")):
            ours = [study.shortest(library, pe.lower()).delay_ps for pe in (slow, fast)]
            published = paths.value(slow, "delay_ns") / paths.value(fast, "delay_ns")
            what = f"{slow} over {fast}, longest path, {library}"
            row = Row(what, published, paths.tag, ours[0] / ours[1], unit="x")
            yield row.because(f"{_path(library, slow)}; {_path(library, fast)}")
        for pe, published, tag in widened:
            what = f"{pe}, sums of {WIDE} bits over {NARROW}, longest path, {library}"
            row = Row(
                what, published, tag, study.growth(library, pe.lower(), NARROW, WIDE), "", "x"
            )
            yield row.because(_path(library, pe))
        areas = [table.value(f"MAC, {bits} bits", "area_um2") for bits in (WIDE, NARROW)]
        runs = [study.shortest(library, "mac", bits) for bits in (WIDE, NARROW)]
        logic = [run.parts_um2["logic"] for run in runs]
        what = f"MAC, sums of {WIDE} bits over {NARROW}, area of logic, {library}"
        row = Row(what, areas[0] / areas[1], table.tag, logic[0] / logic[1], unit="x")
        built = (f"{r.acc_bits} bits: {r.delay_ps:.0f} ps, {r.recipe}" for r in runs)
        yield row.because("; ".join(built))


def _path(library: str, pe: str) -> str:
    """Return how long a PE's longest path is at best, and where it runs."""
    run = study.shortest(library, pe.lower())
    cells = run.path.partition(" cells")[0]
    parts = study.anatomy(library, pe.lower())["path_ps"]
    where = ", ".join(f"{_part(name)} {ps:.0f}" for name, ps in parts.items())
    return f"{pe}: {run.delay_ps:.0f} ps, {cells} cells; in ps by part, parts kept apart: {where}"


def _part(module: str) -> str:
    return module.rpartition(".")[2].replace("_", " ")


# ---------------------------------------------------------------------------------------- Figure 9


def _efficiencies(convention: str) -> Iterator[Row]:
    figure = PUBLISHED["figure_9"]
    theirs = {what: _theirs(convention, what) for what in EFFICIENCIES}
    for library in _libraries():
        results = {r.design: r for r in study.results(library, convention, STIMULUS)}
        mac = results["mac"]
        for what, figure_of in EFFICIENCIES.items():
            for pe in PES[1:]:
                ours = results[pe.lower()]
                row = Row(
                    f"{pe} over MAC, {what} efficiency, convention ({convention}), {library}",
                    theirs[what][pe] / theirs[what]["MAC"], f"{figure.tag}, {COUNTED}",
                    getattr(ours, figure_of) / getattr(mac, figure_of), unit="x",
                )  # fmt: skip
                yield row.because(f"{INPUTS}; {evidence(ours)}; {evidence(mac)}")


def _logic() -> Iterator[Row]:
    areas, energies = PUBLISHED["figure_14_area"], PUBLISHED["figure_14"]
    for library in _libraries():
        results = {r.design: r for r in study.results(library, "a", STIMULUS)}
        mac = results["mac"]
        for pe in ("opt4c", "opt4e"):
            ours = results[pe]
            both = f"{evidence(ours)}; {evidence(mac)}"
            row = Row(
                f"{pe.upper()} over MAC, area of logic, {library}",
                areas.value(pe, "area_um2") / areas.value("mac", "area_um2"), areas.tag,
                ours.breakdown_um2["logic"] / mac.breakdown_um2["logic"], unit="x",
            )  # fmt: skip
            yield row.because(both)
            row = Row(
                f"{pe.upper()} over MAC, energy a MAC, EN-T of normal values, {library}",
                energies.value("en_t", f"{pe}_pj") / energies.value("en_t", "mac_pj"),
                energies.tag, ours.pj_per_mac / mac.pj_per_mac, unit="x",
            )  # fmt: skip
            yield row.because(both)


COUNTED = "with Table VII's partial products a MAC"


def _theirs(convention: str, what: str) -> dict[str, float]:
    """Return each PE's efficiency at the convention's clock, but for a factor that all share."""
    column = {"area": "area_um2", "energy": "power_mw"}[what]
    found: dict[str, float] = {}
    for pe in PES:
        macs = LANES[pe] / implied_num_pp(pe) if pe in LANES else 1.0
        best = max(_clocks(pe), key=lambda mhz: mhz / _figure(pe, mhz, "area_um2"))
        mhz = best if convention == "b" else CONVENTION_MHZ[pe]
        found[pe] = macs * mhz / _figure(pe, mhz, column)
    return found


def _figure(pe: str, mhz: int, column: str) -> float:
    return PUBLISHED["figure_9"].value(f"{pe}, {mhz} MHz", column)


def _clocks(pe: str) -> Sequence[int]:
    """Return the clocks at which Figure 9 has a PE."""
    rows = (row.removesuffix(" MHz").split(", ") for row in PUBLISHED["figure_9"])
    return [int(mhz) for name, mhz in rows if name == pe]


def evidence(result: study.Result) -> str:
    """Return what decides a design's efficiency, in words."""
    whole = sum(result.breakdown_um2.values())
    parts = ", ".join(
        f"{_part(p)} {100 * um2 / whole:.0f} %" for p, um2 in result.breakdown_um2.items()
    )
    reached = "" if result.met else " (the fastest that it gets)"
    return (
        f"{result.design}: {result.clock_mhz:,.0f} MHz{reached}, {result.area_um2:,.0f} um2, "
        f"{parts}, {result.pj_per_mac:.3g} pJ a MAC"
    )
