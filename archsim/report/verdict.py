"""What a study comes to, in sentences: values are escaped, so any name may stand in them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from archsim.report.pareto import Objective
from archsim.report.quantities import quantity, times
from archsim.report.study import FAILED, INFEASIBLE, Decision, Study, row_of

SAME = 5e-3  # ratios closer to 1 are called the same


@dataclass(frozen=True, slots=True)
class Verdict:
    """``main``: what to start from, against what; ``more``: the front's ends, what was left out."""

    main: list[Markup]
    more: list[Markup]

    def text(self) -> str:
        """Return it as plain text."""
        return Markup(" ").join([*self.main, *self.more]).striptags()


def verdict(study: Study, decision: Decision, numbers: Mapping[int, int]) -> Verdict:
    """Return what a study comes to; ``numbers`` are the places of front designs by their row."""
    chosen = decision.chosen
    front = int(decision.designs["front"].sum())
    label = Markup("<strong>{}</strong>").format(study.label(chosen))
    so_far = _so_far(study)
    if front == 1:
        start = Markup("One design is best in every objective: {}{}.").format(label, so_far)
    else:
        words = Markup("Start from {}, the knee of a front of {} designs{}.")
        start = words.format(label, front, so_far)
    main = [start, *_against_baseline(study, decision, chosen)]
    return Verdict(main, [*_best(study, decision, chosen, numbers), *_left_out(decision)])


def _so_far(study: Study) -> str:
    done = len(study.table)
    return f" ({done:,} of {done + study.unfinished:,} points so far)" if study.unfinished else ""


def _against_baseline(study: Study, decision: Decision, chosen: Mapping[str, Any]) -> list[Markup]:
    baseline = decision.baseline
    if baseline is None:
        return []
    name = study.baseline_name
    if chosen["design"] == baseline["design"]:
        return [Markup("It is the baseline, {}, itself.").format(name)]
    parts = _ratios(study.objectives, chosen, baseline)
    better = sum(_gain(o, chosen, baseline) > 1 + SAME for o in study.objectives)
    worse = sum(_gain(o, chosen, baseline) < 1 - SAME for o in study.objectives)
    verdict = ": better in every objective" if better == len(study.objectives) else ""
    verdict = ": no better in any objective" if worse and not better else verdict
    return [Markup("Against {} it has {}{}.").format(name, parts, verdict)]


def _best(
    study: Study, decision: Decision, chosen: Mapping[str, Any], numbers: Mapping[int, int]
) -> list[Markup]:
    """Return, for each objective, the most that the front offers and what it costs."""
    found = []
    front = decision.front
    for objective in study.objectives if len(front) > 1 else ():
        values = front[objective.metric]
        row = int(values.argmin() if objective.goal == "min" else values.argmax())
        best = row_of(front, row)
        if _gain(objective, best, chosen) <= 1 + SAME:
            continue
        others = [o for o in study.objectives if o is not objective]
        word = "least" if objective.goal == "min" else "most"
        found.append(
            Markup("The {} {} (#{}) is {} the knee’s, with {}.").format(
                word, quantity(objective.metric).phrase, numbers[int(front.index[row])],
                _times(best[objective.metric], chosen[objective.metric]),
                _ratios(others, best, chosen),
            )
        )  # fmt: skip
    return found


def _left_out(decision: Decision) -> list[Markup]:
    counts = {INFEASIBLE: 0, FAILED: 0}
    for group in decision.left_out:
        if group.status in counts:
            counts[group.status] += group.points
    parts = [f"{count:,} {status}" for status, count in counts.items() if count]
    if not parts:
        return []
    return [Markup("Of {} designs tried, {}.").format(f"{decision.points:,}", " and ".join(parts))]


def _ratios(
    objectives: Sequence[Objective], row: Mapping[str, Any], base: Mapping[str, Any]
) -> str:
    words = [
        f"{_times(row[o.metric], base[o.metric])} the {quantity(o.metric).phrase}"
        for o in objectives
    ]
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"


def _times(value: float, base: float) -> str:
    if not base:
        return "an incomparable amount of"
    return "1×" if abs(value / base - 1) < SAME else times(value / base)


def _gain(objective: Objective, row: Mapping[str, Any], base: Mapping[str, Any]) -> float:
    """Return how many times better a row is than the base in an objective."""
    value, other = float(row[objective.metric]), float(base[objective.metric])
    better, worse = (other, value) if objective.goal == "min" else (value, other)
    return better / worse if worse else float("inf") if better else 1.0
