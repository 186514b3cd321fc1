"""What the study's runs say, design by design, under each convention."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType
from typing import Any

from archsim.errors import InputError
from archsim.reproduce.tpe_study import data
from archsim.reproduce.tpe_study.conventions import (
    CONVENTIONS,
    baseline_clock_mhz,
    chosen,
    fastest,
    smallest_at,
)
from archsim.reproduce.tpe_study.run import Run

LIBRARIES = ("freepdk45", "asap7")  # nodes that the libraries are of
STIMULI = ("network", "normal")
LEVELS = ("pes", "arrays")
SUM_BITS = 32
BASELINE: Mapping[str, str] = MappingProxyType(  # what a design's gain is over
    {
        **{"opt1": "mac", "opt2": "mac"},
        **{"opt3": "laconic", "opt4c": "laconic", "opt4e": "laconic", "bitlet": "laconic"},
    }
)


@dataclass(frozen=True, slots=True)
class Result:
    """A design at its clock under a convention.

    Parameters
    ----------
    met
        Whether it reaches the clock that the convention asks for; if not, it is at its fastest.
    macs_per_cycle
        At the peak: products over digits (Table VII's arithmetic), for these operands.
    macs_per_cycle_alone
        Of one PE by itself, which waits for its own lanes and spends a cycle on a group of zeros.
    power_mw, tops_per_w, pj_per_mac
        At the peak, for these operands, with leakage.
    breakdown_um2
        Area by part.
    path
        The longest path, in words.
    """

    design: str
    library: str
    convention: str
    stimulus: str
    clock_mhz: float
    met: bool
    delay_ps: float
    breakdown_um2: Mapping[str, float]
    macs_per_cycle: float
    macs_per_cycle_alone: float
    pj_per_mac: float
    variant: str
    recipe: str
    path: str

    @property
    def area_um2(self) -> float:
        return sum(self.breakdown_um2.values())

    @property
    def tops(self) -> float:
        return 2 * self.macs_per_cycle * self.clock_mhz * 1e-6

    @property
    def tops_per_mm2(self) -> float:
        return self.tops / self.area_um2 * 1e6

    @property
    def tops_per_w(self) -> float:
        return 2 / self.pj_per_mac

    @property
    def power_mw(self) -> float:
        return 1e3 * self.tops / self.tops_per_w


@dataclass(frozen=True, slots=True)
class Gain:
    """A design's efficiency over its baseline's."""

    design: str
    over: str
    area_efficiency: float
    energy_efficiency: float


def _one_of(what: str, value: str, known: Iterable[str]) -> None:
    if value not in known:
        raise InputError(what, f"must be one of {', '.join(known)}", value)


@cache
def _lines(library: str, level: str) -> tuple[dict[str, Any], ...]:
    _one_of("library", library, LIBRARIES)
    _one_of("level", level, LEVELS)
    file = data.path(library, level)
    if not file.exists():
        raise InputError(
            f"{level} in {library}", "must have been measured",
            fix=f"python -m archsim.reproduce.tpe_study --part {level} --tech {library}",
        )  # fmt: skip
    return tuple(data.lines(file))


def provenance(library: str, level: str = "pes") -> Mapping[str, Any]:
    """Return where a library's data come from: library, licence, tools, method, operands."""
    lines = _lines(library, level)
    made: Mapping[str, Any] = next(line["made"] for line in lines if "made" in line)
    return made


@cache
def runs(library: str, level: str = "pes") -> tuple[Run, ...]:
    """Return every run of a library's data."""
    return tuple(Run.of_row(line["run"]) for line in _lines(library, level) if "run" in line)


def runs_of(
    library: str, design: str, acc_bits: int = SUM_BITS, variant: str = ""
) -> tuple[Run, ...]:
    """Return the runs of a PE or array, of one way to build it or of all.

    Raises
    ------
    InputError
        When there are none.
    """
    found = tuple(
        run
        for run in runs(library, _level(design))
        if run.design == design and run.acc_bits == acc_bits and variant in run.variant
    )
    if not found:
        known = ", ".join(designs(library, _level(design)))
        raise InputError("design", f"must be one of {known}, in a width measured", design)
    return found


def _level(design: str) -> str:
    return "arrays" if "/" in design else "pes"


def pe_of(design: str) -> str:
    """Return the kind of PE of a PE or array."""
    return design.rsplit("/", maxsplit=1)[-1]


def baseline(design: str) -> str | None:
    """Return what a design's gain is over; None for what others' are over."""
    *engine, pe = design.split("/")
    return "/".join([*engine, BASELINE[pe]]) if pe in BASELINE else None


def designs(library: str, level: str = "pes") -> tuple[str, ...]:
    """Return the PEs or arrays of the study, in its order."""
    return tuple(dict.fromkeys(run.design for run in runs(library, level)))


@cache
def macs_per_cycle(library: str, design: str, stimulus: str) -> tuple[float, float]:
    """Return what a design does at the peak, and with each PE's waiting for its own lanes."""
    of_pe = next(
        line["macs_per_cycle"][stimulus]
        for line in _lines(library, "pes")
        if line.get("design") == pe_of(design) and "macs_per_cycle" in line
    )
    pes = 1
    if _level(design) == "arrays":
        lines = _lines(library, "arrays")
        pes = next(x["lanes"] for x in lines if x.get("element") == design)
    return pes * of_pe[0], pes * of_pe[1]


def anatomy(library: str, design: str, variant: str = "") -> Mapping[str, Mapping[str, float]]:
    """Return a PE's area and longest path by the modules that it is made of."""
    found: Mapping[str, Mapping[str, float]] = next(
        line["anatomy"]
        for line in _lines(library, "pes")
        if line.get("design") == design and "anatomy" in line and variant in line["element"]
    )
    return found


def frequency_rule_mhz(library: str, level: str = "pes") -> float:
    """Return f of convention (a)."""
    baselines = [name for name in designs(library, level) if pe_of(name) == "mac"]
    return baseline_clock_mhz([runs_of(library, name) for name in baselines])


def results(
    library: str, convention: str, stimulus: str = "network", level: str = "pes"
) -> tuple[Result, ...]:
    """Return every PE or small array at its clock, 32-bit sums, the best way to build it.

    Raises
    ------
    InputError
        For a library, convention, stimulus or level that there is not.
    """
    _one_of("convention", convention, CONVENTIONS)
    _one_of("stimulus", stimulus, STIMULI)
    found = chosen({d: runs_of(library, d) for d in designs(library, level)}, convention, pe_of)
    return tuple(
        _result(library, convention, stimulus, run, clock_mhz, met)
        for run, clock_mhz, met in found.values()
    )


def _result(
    library: str, convention: str, stimulus: str, run: Run, clock_mhz: float, met: bool
) -> Result:
    peak, alone = macs_per_cycle(library, run.design, stimulus)
    leakage_pj = run.leakage_uw / (alone * clock_mhz)  # uW over millions of MACs a second
    return Result(
        run.design, library, convention, stimulus, clock_mhz, met, run.delay_ps,
        run.parts_um2, peak, alone, run.energy_pj[stimulus] + leakage_pj,
        run.variant, run.recipe, run.path,
    )  # fmt: skip


def gains(
    library: str, convention: str, stimulus: str = "network", level: str = "pes"
) -> Mapping[str, Gain]:
    """Return each design's efficiency over its baseline's."""
    by_name = {r.design: r for r in results(library, convention, stimulus, level)}
    found = {}
    for name, result in by_name.items():
        over = baseline(name)
        if over is not None:
            other = by_name[over]
            found[name] = Gain(
                name,
                over,
                result.tops_per_mm2 / other.tops_per_mm2,
                result.tops_per_w / other.tops_per_w,
            )
    return found


def shortest(library: str, design: str, acc_bits: int = SUM_BITS, variant: str = "") -> Run:
    """Return the run with a design's shortest path, of all its adders, recipes and targets."""
    return fastest(runs_of(library, design, acc_bits, variant))


def growth(library: str, design: str, of: int = 20, to: int = 32, variant: str = "") -> float:
    """Return by what factor a wider sum makes a design's shortest path longer."""
    wide, narrow = (shortest(library, design, bits, variant) for bits in (to, of))
    return wide.delay_ps / narrow.delay_ps


def path_ratio(library: str, design: str = "mac", over: str = "opt1") -> float:
    """Return a design's shortest path over another's, the best of each."""
    return shortest(library, design).delay_ps / shortest(library, over).delay_ps


def ladder(library: str, design: str, clocks_mhz: Sequence[float]) -> tuple[Run | None, ...]:
    """Return the smallest run that meets each clock, or None: the paper's Fig. 9."""
    of = runs_of(library, design)
    return tuple(smallest_at(of, clock) for clock in clocks_mhz)
