"""The bit-weight paper (Wu et al., HPCA 2025): its tables and figures beside ours."""

from __future__ import annotations

from functools import cache

from archsim.reproduce.row import Paper, Section
from archsim.reproduce.tpe import (
    arrays,
    cycles,
    networks,
    num_pp,
    speed_ups,
    synthesis,
    table_vii,
    throughput,
)
from archsim.reproduce.tpe.numbers import PUBLISHED


@cache
def sections() -> tuple[Section, ...]:
    """Return all that the paper says and archsim has an answer to."""
    return (
        *num_pp.sections(),
        table_vii.section(),
        *arrays.sections(),
        *synthesis.sections(),
        cycles.section(),
        throughput.section(),
        speed_ups.section(),
        networks.implied(),
    )


PAPER = Paper("tpe", PUBLISHED.citation, sections, PUBLISHED.not_found)
