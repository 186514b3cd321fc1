"""NGPC: the abstract's speed-ups beside a model of what is described, and what decides them."""

from __future__ import annotations

from functools import cache

from archsim.reproduce.ngpc import contradiction, costs, fitted, sensitivity, speed_ups
from archsim.reproduce.ngpc.numbers import PUBLISHED
from archsim.reproduce.row import Paper, Section


@cache
def sections() -> tuple[Section, ...]:
    """Return what the abstract says beside ours, and what decides it."""
    return (
        *speed_ups.sections(), sensitivity.section(), costs.section(), contradiction.arithmetic(),
        fitted.section(),
    )  # fmt: skip


PAPER = Paper("ngpc", PUBLISHED.citation, sections, PUBLISHED.not_found)
