"""RF neural networks (Sui et al., ICCAD 2023): what is published, what is not known, and ours."""

from __future__ import annotations

from functools import cache

from archsim.reproduce.rfnn import budget, counting, energy, laws, robustness
from archsim.reproduce.rfnn.numbers import PUBLISHED
from archsim.reproduce.row import Paper, Section


@cache
def sections() -> tuple[Section, ...]:
    """Return all that papers say of such meshes, and what archsim works out of them."""
    return (
        *counting.sections(),
        budget.section(),
        laws.section(),
        robustness.section(),
        *energy.sections(),
    )


PAPER = Paper("rfnn", PUBLISHED.citation, sections, PUBLISHED.not_found)
