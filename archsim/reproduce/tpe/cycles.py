"""Cycles of the authors' arrays, by their test benches' rules, beside those of our engines.

Theirs are of one operation on an array of their size, from the first operand to the last result.
Ours are of one command: from the edge that takes it to the edge that takes the last result beat, so
they hold the command, the input registers and the queue at the output, too.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from archsim.engines import GemmJobs, discover
from archsim.reproduce.row import Row, Section
from archsim.reproduce.tpe.throughput import column

SIDE, CUBE, K, STREAM = 16, 8, 64, 64  # sizes of their arrays, and of what they are given
DRAIN = "ours holds the rows of C that leave one a cycle, which the notation leaves out"
NOTE = (
    "theirs begin with the first operand, ours with the command and with what is loaded; both "
    "end with the last result, ours when it has left the queue"
)


@dataclass(frozen=True, slots=True)
class Comparison:
    """One operation of theirs, and the command that is the same work for ours.

    Parameters
    ----------
    rule, source
        Their cycles, in words, and whose words; ``theirs`` is what they come to.
    shape
        m, n and k of our command.
    """

    what: str
    rule: str
    theirs: int
    engine: str
    fields: Mapping[str, Any]
    shape: tuple[int, int, int]
    source: str = "the authors' test bench"
    cause: str = ""


COMPARISONS = (
    Comparison(
        f"systolic array, output stationary, {SIDE} x {SIDE}, K = {K}",
        "K + MP + NP - 1", K + SIDE + SIDE - 1,
        "systolic", {"rows": SIDE, "cols": SIDE, "dataflow": "os"}, (SIDE, SIDE, K),
    ),
    Comparison(
        f"systolic array, weight stationary, {SIDE} x {SIDE}, M = {STREAM}",
        "(NP + 1) + (M + KP + NP - 1)", (SIDE + 1) + (STREAM + SIDE + SIDE - 1),
        "systolic", {"rows": SIDE, "cols": SIDE, "dataflow": "ws"}, (STREAM, SIDE, SIDE),
    ),
    Comparison(
        f"cube, {CUBE} x {CUBE} x {CUBE}, {STREAM} products",
        "T + 3 N - 2", STREAM + 3 * CUBE - 2,
        "cube", {"rows": CUBE, "cols": CUBE, "depth": CUBE}, (CUBE, CUBE, CUBE * STREAM),
    ),
    Comparison(
        f"multiplier-adder trees, {SIDE} of {SIDE}, M = {STREAM}",
        "M + NP + 6", STREAM + SIDE + 6,
        "adder_tree", {"cols": SIDE, "depth": SIDE}, (STREAM, SIDE, SIDE),
    ),
    Comparison(
        f"2D matrix, {SIDE} x {SIDE}, K = {K}",
        "MT NT K", K,
        "matrix2d", {"rows": SIDE, "cols": SIDE}, (SIDE, SIDE, K),
        "the paper's notation", DRAIN,
    ),
)  # fmt: skip


def section() -> Section:
    """Return cycles of one operation on each array."""
    return Section(
        "Cycles: one operation on each array",
        (*(_row(comparison) for comparison in COMPARISONS), column()),
        (NOTE,),
    )


def cycles(engine: str, fields: Mapping[str, Any], shape: tuple[int, int, int]) -> int:
    """Return the cycles of one product m x n x k on an engine with ideal ports."""
    found = discover()[engine]
    m, n, k = (np.array([extent]) for extent in shape)
    jobs = GemmJobs(m, n, k, np.zeros(1, bool))
    return int(found.time(found.spec.model_validate(fields), jobs).cycles[0])


def _row(compared: Comparison) -> Row:
    ours = cycles(compared.engine, compared.fields, compared.shape)
    tag = f"{compared.rule}, {compared.source}"
    row = Row(compared.what, compared.theirs, tag, ours, unit="cycles")
    return row.because(compared.cause)
