"""STONNE's rule against its own recorded runs."""

from __future__ import annotations

import csv
from pathlib import Path

from archsim.compare import stonne
from archsim.compare.shapes import Shape

GOLDEN = Path(__file__).parents[1] / "golden" / "stonne" / "cycles.csv"

# M, N, K, side of the array, cycles of earlier runs
RUNS = (
    (128, 128, 128, 8, 37_632), (128, 128, 128, 32, 3_120), (128, 128, 128, 128, 387),
    (63, 65, 127, 32, 1_097), (197, 197, 64, 32, 6_041), (197, 197, 64, 128, 1_056),
    (1000, 10, 300, 32, 11_016),
)  # fmt: skip


def cycles(m: int, n: int, k: int, side: int) -> int:
    return stonne.account(Shape("", m, n, k), side, side).cycles


def test_the_rule_gives_earlier_runs() -> None:
    assert [run[4] for run in RUNS] == [cycles(*run[:4]) for run in RUNS]


def test_the_rule_gives_every_recorded_run() -> None:
    with GOLDEN.open() as lines:
        runs = list(csv.DictReader(line for line in lines if not line.startswith("#")))
    assert len(runs) == 142
    for run in runs:
        m, n, k, side, expected = (int(run[x]) for x in ("m", "n", "k", "side", "cycles"))
        assert cycles(m, n, k, side) == expected, run
