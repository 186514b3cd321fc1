"""The bit-weight paper (Wu et al., HPCA 2025): its tables and figures beside ours."""

from __future__ import annotations

from collections.abc import Iterator

from archsim.reproduce.row import Paper, Section
from archsim.reproduce.tpe import (
    arrays,
    cycles,
    networks,
    num_pp,
    synthesis,
    table_vii,
    throughput,
)
from archsim.reproduce.tpe.numbers import PUBLISHED


def sections() -> Iterator[Section]:
    """Return all that the paper says and archsim has an answer to."""
    yield from num_pp.sections()
    yield table_vii.section()
    yield from arrays.sections()
    yield from synthesis.sections()
    yield cycles.section()
    yield throughput.section()
    yield networks.implied()


PAPER = Paper("tpe", PUBLISHED.citation, lambda: tuple(sections()), PUBLISHED.not_found)
