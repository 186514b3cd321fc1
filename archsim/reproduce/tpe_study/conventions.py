"""At which clock designs are compared: two conventions, and the rules that carry them out.

Written before the study was run. A *run* is a design mapped to a library by one recipe for one
clock target; area and delay of a run are never mixed with another's. Where a design can be built
in several ways (adders, multipliers), runs of all of them are its runs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import TypeVar

from archsim.reproduce.tpe_study.run import Run

CONVENTIONS: Mapping[str, str] = MappingProxyType(
    {
        "a": (
            "as in Table VII: designs run at fixed multiples of one clock f: MAC baselines, "
            "Laconic and Bitlet at f, OPT1 and OPT2 at 1.5 f, OPT3 and OPT4E at 2 f, OPT4C at "
            "2.5 f; of the runs that meet the clock the smallest is taken. f of a library is the "
            "lowest of the baselines' best clocks by the rule of (b): the paper's 1 GHz is its "
            "MAC's best, too. A design that no run of which meets its clock is said not to, and "
            "has its fastest run at that run's own clock"
        ),
        "b": (
            "each design at its own best clock: of all its runs, the one with the largest "
            "throughput an area, that is with the smallest area x delay, at the clock 1 / delay "
            "of that run"
        ),
    }
)

CLOCK_FACTORS: Mapping[str, float] = MappingProxyType(
    {
        **{"mac": 1.0, "laconic": 1.0, "bitlet": 1.0},
        **{"opt1": 1.5, "opt2": 1.5, "opt3": 2.0, "opt4e": 2.0, "opt4c": 2.5},
    }
)

# clock targets that sizing is done for, beside none (the shortest path): a ladder of delays of the
# library's smallest inverter with a fan-out of four, each longer than the one before by a half
LADDER_FO4: tuple[float, ...] = (12.0, 18.0, 27.0, 40.5, 60.75, 91.125)


def best(runs: Sequence[Run]) -> Run:
    """Return the run with the largest throughput an area: convention (b)."""
    return min(runs, key=lambda run: run.area_um2 * run.delay_ps)


def fastest(runs: Sequence[Run]) -> Run:
    """Return the run with the shortest path; of equals the smallest."""
    return min(runs, key=lambda run: (run.delay_ps, run.area_um2))


def smallest_at(runs: Sequence[Run], clock_mhz: float) -> Run | None:
    """Return the smallest run that meets a clock, or None."""
    meet = [run for run in runs if run.delay_ps * clock_mhz <= 1e6]
    return min(meet, key=lambda run: (run.area_um2, run.delay_ps), default=None)


def baseline_clock_mhz(baselines: Sequence[Sequence[Run]]) -> float:
    """Return f of convention (a) from the runs of each baseline."""
    return min(1e6 / best(runs).delay_ps for runs in baselines)


Key = TypeVar("Key")


def chosen(
    runs: Mapping[Key, Sequence[Run]], convention: str, pe_of: Callable[[Key], str]
) -> dict[Key, tuple[Run, float, bool]]:
    """Return each design's run, its clock in MHz and whether it meets the clock asked of it.

    Parameters
    ----------
    pe_of
        A design's kind of PE; those of ``mac`` are the baselines.
    """
    if convention == "b":
        picked = {design: best(of) for design, of in runs.items()}
        return {design: (run, 1e6 / run.delay_ps, True) for design, run in picked.items()}
    f_mhz = baseline_clock_mhz([of for design, of in runs.items() if pe_of(design) == "mac"])
    found = {}
    for design, of in runs.items():
        clock_mhz = f_mhz * CLOCK_FACTORS[pe_of(design)]
        run = smallest_at(of, clock_mhz)
        if run is None:
            run = fastest(of)
            found[design] = (run, 1e6 / run.delay_ps, False)
        else:
            found[design] = (run, clock_mhz, True)
    return found
