"""How a sweep's folder stands: done, failed, left, rate, and the best so far."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from archsim.sweep.front import Placed, front_of
from archsim.sweep.store import SweepFolder

RATE_OVER_S = 60.0  # the stretch before the last finished point that the rate is of


@dataclass(frozen=True, slots=True)
class Status:
    """How a sweep stands.

    Parameters
    ----------
    points, done, left
        Of the plan.
    statuses
        Points done, by how they ended: ``ok``, ``infeasible``, ``failed``.
    running
        Whether some process is at work on it now.
    rate
        Points a second over the last minute of work; None below two points.
    left_s
        Seconds to the end at that rate, while running.
    reasons
        Why points have no result, and how many for each reason, most frequent first.
    faults
        Damaged lines of journals.
    front
        Designs that no other beats so far, best first objective first.
    best
        The best of them by objective.
    """

    name: str
    question: str
    points: int
    done: int
    left: int
    statuses: Mapping[str, int]
    running: bool
    rate: float | None
    left_s: float | None
    reasons: Mapping[str, int]
    faults: Sequence[str]
    front: Sequence[Placed]
    best: Mapping[str, Placed]

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return asdict(self)


def status(path: Path | str) -> Status:
    """Return how the sweep in a folder stands.

    Raises
    ------
    InputError
        If the folder holds no sweep.
    """
    folder = SweepFolder(path)
    answers = folder.answers()
    total, done, running = len(folder.plan), len(answers), folder.is_running()
    rate = _rate(answers.ends_s)
    front = front_of(answers)
    return Status(
        name=folder.sweep.name,
        question=folder.sweep.question,
        points=total,
        done=done,
        left=total - done,
        statuses=dict(answers.statuses),
        running=running,
        rate=rate,
        left_s=(total - done) / rate if rate and running else None,
        reasons=dict(answers.reasons.most_common()),
        faults=[str(fault) for fault in answers.faults],
        front=front.placed,
        best=front.best,
    )


def _rate(ends_s: Sequence[float]) -> float | None:
    """Return points a second over the last stretch in which points finished."""
    ends = sorted(ends_s)
    recent = [end for end in ends if end >= ends[-1] - RATE_OVER_S]
    if len(recent) < 2 or recent[-1] == recent[0]:
        return None
    return (len(recent) - 1) / (recent[-1] - recent[0])
