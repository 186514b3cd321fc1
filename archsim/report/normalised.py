"""What designs do with a square millimetre and with a joule, across processes: spans, no ratio.

Chips of different sizes are compared by what they get out of their area and their energy. Chips
of different processes are compared after a move into one process, the chosen design's; what a
move does is known as spans only, see `archsim.tech.process`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from archsim.report.beside import Reference
from archsim.report.quantities import NOTHING, Quantity, number, times
from archsim.report.study import Decision, Study
from archsim.tech.process import Move, Process, Span, processes

Floats = NDArray[np.float64]

PER_MM2 = Quantity(
    "runs_per_s_mm2", "Runs a second and mm²", "max",
    "How often a second all workloads are run, by weight, over the area.",
)  # fmt: skip
PER_JOULE = Quantity(
    "runs_per_joule", "Runs a joule", "max", "Times that all workloads are run, by weight, a joule."
)
YIELDS = (PER_MM2, PER_JOULE)
LEAST_ROOM, ROOM_SHARE = 1.25, 0.05  # around what is drawn: a factor, and of the whole span
SMALL = 0.095  # ratios below are written as one over a number
MORE, LESS, OPEN = "more", "less", "cannot be said"  # than the chosen design
BOUNDED = "less, by its upper bound of energy"


@dataclass(frozen=True, slots=True)
class Yield:
    """Runs of all workloads, by weight, that a design gets out of its area and its energy."""

    per_mm2: float
    per_joule: float

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> Yield | None:
        """Return a design's; None if a metric that it takes is missing or nothing."""
        found = yields(row)
        return cls(*map(float, found)) if np.isfinite(found).all() else None


def yields(rows: Any) -> Floats:
    """Return runs a second and mm², and runs a joule, of one row or of a table: [2, ...].

    NaN where a metric is missing or nothing.
    """
    runs_s = rows.get("throughput_per_s")
    runs_s = _inverse(rows.get("time_us")) * 1e6 if runs_s is None else np.asarray(runs_s, float)
    energy = rows.get("energy_per_item_pj")
    energy = rows.get("energy_pj") if energy is None else energy
    return np.array([runs_s * _inverse(rows.get("area_mm2")), _inverse(energy) * 1e12])


def _inverse(values: Any) -> Floats:
    found = np.asarray(np.nan if values is None else values, float)
    with np.errstate(divide="ignore"):
        return np.where((found > 0) & np.isfinite(found), 1 / found, np.nan)


@dataclass(frozen=True, slots=True)
class Moved:
    """A reference as it is made, and as it would be in the chosen design's process.

    Parameters
    ----------
    per_mm2, per_joule
        In the chosen design's process; None where the factors of a process are not known.
    """

    reference: Reference
    made: Yield
    per_mm2: Span | None
    per_joule: Span | None

    @property
    def spans(self) -> tuple[Span, Span] | None:
        if self.per_mm2 is None or self.per_joule is None:
            return None
        return self.per_mm2, self.per_joule

    def over(self, design: Yield) -> tuple[Span, Span] | None:
        """Return what it does over what a design in that process does."""
        if self.per_mm2 is None or self.per_joule is None:
            return None
        return self.per_mm2 / design.per_mm2, self.per_joule / design.per_joule

    def words(self, design: Yield) -> tuple[str, str] | None:
        """Return whether it does more than a design in that process, by area and by energy."""
        ratios = self.over(design)
        if ratios is None:
            return None
        return judged(ratios[0]), judged(ratios[1], at_least=self.reference.energy_bound)


@dataclass(frozen=True, slots=True)
class Normalised:
    """The normalised view of a study.

    Parameters
    ----------
    process
        Of the chosen design: what all others are moved to.
    chosen, baseline
        Their yields.
    rows, per_mm2, per_joule
        Of the designs of the sweep made in that process: row in `Decision.designs`, and yields.
    subject
        What the chosen design is called in sentences.
    """

    process: str
    chosen: Yield
    baseline: Yield | None
    rows: NDArray[np.intp]
    per_mm2: Floats
    per_joule: Floats
    moved: tuple[Moved, ...]
    subject: str = "the chosen design"

    @property
    def title(self) -> str:
        return title_of(self.process)

    def ends(self, name: Literal["per_mm2", "per_joule"]) -> tuple[float, float]:
        """Return the ends of an axis that has room for every point and span."""
        found = [*getattr(self, name), getattr(self.chosen, name)]
        found += [getattr(self.baseline, name)] if self.baseline is not None else []
        for one in self.moved:
            span = getattr(one, name)
            found += [getattr(one.made, name), *((span.low, span.high) if span else ())]
        low, high = min(found), max(found)
        room = max(LEAST_ROOM, (high / low) ** ROOM_SHARE)
        return low / room, high * room

    def to_dicts(self) -> list[dict[str, Any]]:
        """Return what is beside as plain values for JSON: as made, and moved with its ratios."""
        found = []
        for one in self.moved:
            made = (one.made.per_mm2, one.made.per_joule)
            line: dict[str, Any] = {
                "name": one.reference.name, "kind": one.reference.kind,
                "process": one.reference.process, "metrics": dict(one.reference.metrics),
                "energy_is_bound": one.reference.energy_bound,
            }  # fmt: skip
            spans, ratios, words = one.spans, one.over(self.chosen), one.words(self.chosen)
            for at, show in enumerate(YIELDS):
                line[show.name] = {"made": made[at], "moved": None, "ratio": None, "than": None}
                if spans is not None and ratios is not None and words is not None:
                    line[show.name] |= {
                        "moved": [spans[at].low, spans[at].high],
                        "ratio": [ratios[at].low, ratios[at].high],
                        "than": words[at],
                    }
            found.append(line)
        return found

    @property
    def involved(self) -> list[Process]:
        """The processes whose factors the view rests on, the chosen design's first."""
        names = dict.fromkeys([self.process, *(m.reference.process for m in self.moved)])
        found = [processes()[name] for name in names if name in processes()]
        return found if len(names) > 1 else []


def title_of(process: str) -> str:
    """Return a process in words, or its name where it is not known."""
    known = processes().get(process)
    return process if known is None else known.title


def moved_to(process: str, reference: Reference) -> Moved | None:
    """Return a reference in a process; None if it lacks time, energy or area.

    Time is taken to lie between what it is, as where memory decides, and what logic would make of
    it: both ends of the span hold it.
    """
    made = Yield.of(reference.metrics)
    if made is None:
        return None
    move = Move.between(reference.process, process) if reference.process else None
    if move is None:
        return Moved(reference, made, None, None)
    here_mm2, here_joule = Span(made.per_mm2, made.per_mm2), Span(made.per_joule, made.per_joule)
    per_mm2 = here_mm2 / (move.area * move.delay.with_one())
    return Moved(reference, made, per_mm2, here_joule / move.energy)


def normalised(
    study: Study, decision: Decision, references: Sequence[Reference]
) -> Normalised | None:
    """Return the normalised view; None without a reference, or without yields of the chosen."""
    process = study.process(decision.chosen)
    chosen = Yield.of(decision.chosen)
    moved = [one for r in references if (one := moved_to(process, r)) is not None]
    if chosen is None or not moved:
        return None
    designs = decision.designs
    every = yields(designs)
    here = np.isfinite(every).all(axis=0)
    if "node" in study.axes:
        here &= (designs["node"] == decision.chosen["node"]).to_numpy(bool)
    rows = np.flatnonzero(here)
    return Normalised(
        process=process,
        chosen=chosen,
        baseline=None if decision.baseline is None else Yield.of(decision.baseline),
        rows=rows,
        per_mm2=every[0, rows],
        per_joule=every[1, rows],
        moved=tuple(moved),
    )


def of_one(
    name: str, process: str, metrics: Mapping[str, Any], references: Sequence[Reference]
) -> Normalised | None:
    """Return the view of a single design; None without a yield of it or of any reference."""
    chosen = Yield.of(metrics)
    moved = tuple(one for r in references if (one := moved_to(process, r)) is not None)
    if chosen is None or not moved:
        return None
    nothing = np.zeros(0)
    return Normalised(process, chosen, None, nothing.astype(np.intp), nothing, nothing, moved, name)


# ---------------------------------------------------------------------------------------- words


def judged(ratio: Span, *, at_least: bool = False) -> str:
    """Return what a span of ratios to the chosen design says.

    Parameters
    ----------
    at_least
        Whether it is a lower bound, as runs a joule are where energy is an upper one.
    """
    if ratio.low > 1:
        return MORE
    return (BOUNDED if at_least else LESS) if ratio.high < 1 else OPEN


def span_text(span: Span | None, size: float = 1.0) -> str:
    """Return a span as ``1.2 to 3.4``; a number alone where both ends are one."""
    if span is None:
        return NOTHING
    low, high = number(span.low / size), number(span.high / size)
    return low if low == high else f"{low} to {high}"


def times_text(ratio: Span) -> str:
    """Return a span of ratios as ``0.12× to 3.4×``; where one is small, as ``1/345× to 1/2.1×``."""
    small = ratio.low < SMALL
    low, high = (
        f"1/{number(1 / end)}×" if small and end < 1 else times(end)
        for end in (ratio.low, ratio.high)
    )
    return low if low == high else f"{low} to {high}"


def sentences(view: Normalised) -> Iterator[str]:
    """Yield a sentence a reference: what is compared, where it would be made, and who does more."""
    for one in view.moved:
        who = f"{one.reference.name} ({one.reference.kind})"
        ratios, words = one.over(view.chosen), one.words(view.chosen)
        if ratios is None or words is None:
            yield (
                f"{who} cannot be compared by area or energy: no factors are known between its "
                f"process and {view.title}."
            )
            continue
        made = title_of(one.reference.process)
        same = one.reference.process == view.process
        where = f"In {made}" if same else f"Moved from {made} to {view.title}"
        area, joule = ratios
        least = "at least " if one.reference.energy_bound else ""
        yield (
            f"{where}, {who} does {times_text(area)} {view.subject}’s runs a second on a mm²: "
            f"{words[0]}; and {least}{times_text(joule)} its runs on a joule: {words[1]}."
        )
