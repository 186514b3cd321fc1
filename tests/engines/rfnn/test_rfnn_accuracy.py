"""The study of accuracy: what was kept is what the networks give, and it says who wins."""

from __future__ import annotations

from dataclasses import replace
from typing import get_args

import numpy as np
import pytest

from archsim.engines.rfnn import accuracy
from archsim.engines.rfnn.accuracy import BITS, CASES, DRAWS, SIGMA_DEG, Case, Robust, Row
from archsim.engines.rfnn.monte_carlo import Errors, Hardware, Judge, accuracies_percent, put
from archsim.engines.rfnn.network import Training, Variant, judged, shipped

FULL = CASES[0]


def at(bits: int, sigma: float, training: Training = "nominal", case: Case = FULL) -> Row:
    (row,) = (
        r for r in accuracy.rows()
        if (r.case, r.training, r.phase_bits, r.sigma_deg) == (case, training, bits, sigma)
    )  # fmt: skip
    return row


def test_every_point_was_judged_on_enough_devices() -> None:
    rows = accuracy.rows()
    assert len(rows) == len(CASES) * 3 * len(BITS) * len(SIGMA_DEG)
    assert {row.draws for row in rows} == {DRAWS} and DRAWS >= 20
    assert (min(BITS), max(BITS), min(SIGMA_DEG), max(SIGMA_DEG)) == (2, 8, 0, 12)


@pytest.mark.parametrize(("bits", "sigma"), [(3, 0), (4, 6), (6, 2), (8, 12)])
@pytest.mark.parametrize("training", get_args(Training))
def test_what_was_kept_is_what_networks_give(training: Training, bits: int, sigma: float) -> None:
    row = at(bits, sigma, training)
    programmed = put(shipped(Variant(training, "full", 0, "iq")), Hardware(8))
    errors = Errors(bits, float(np.radians(sigma)))
    found = accuracies_percent(programmed, errors, Judge(*judged()), DRAWS)
    # an image on the edge may fall to either side where sums are taken in another order
    assert found.mean() == pytest.approx(row.mean_percent, abs=0.25)
    assert found.std(ddof=1) == pytest.approx(row.spread_percent, abs=0.25)


@pytest.mark.parametrize("robust", get_args(Robust))
def test_robust_training_wins_at_large_errors(robust: Robust) -> None:
    for bits, sigma in ((8, 8), (8, 12), (6, 8), (3, 0), (4, 8)):
        assert at(bits, sigma, robust).mean_percent > at(bits, sigma).mean_percent


def test_large_meshes_suffer_more_than_small_ones() -> None:
    large = replace(FULL, modes=64)
    assert at(6, 4, case=large).mean_percent < at(6, 4).mean_percent - 5


# ---------------------------------------------------------------------------------------- verdicts


def row(training: Training, mean: float, spread: float = 0.0, bits: int = 8) -> Row:
    return Row("full", 0, 8, training, bits, 0, 25, mean, spread, 0.0)


@pytest.mark.parametrize(
    ("nominal", "robust", "verdict"),
    [
        ((90, 0), (91, 0), "wins"), ((90, 0), (90, 0), "ties"), ((90, 0), (89, 0), "loses"),
        ((90, 3), (91.1, 0), "ties"), ((90, 3), (91.3, 0), "wins"),
        ((90, 3), (88.6, 4), "ties"), ((90, 3), (87.9, 4), "loses"),
    ],
)  # fmt: skip
def test_a_difference_within_chance_is_a_tie(
    nominal: tuple[float, float], robust: tuple[float, float], verdict: str
) -> None:
    one = accuracy.Difference("sam", row("nominal", *nominal), row("sam", *robust))
    assert one.verdict == verdict


def test_summaries_say_where_it_does_not_win(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(accuracy, "SIGMA_DEG", (0,))
    monkeypatch.setattr(accuracy, "BITS", (1, 2, 3, 4))
    means = {1: (10, 49), 2: (50, 60), 3: (80, 80), 4: (98, 97)}
    rows = [
        row(training, means[bits][i], bits=bits)
        for i, training in enumerate(("nominal", "sam"))
        for bits in means
    ]
    assert accuracy.summary(FULL, "sam", rows) == (
        "sam wins at 1 of 3 points where half of the images are read, ties at 1, loses at 1; best "
        "+10.0 points (2 bits, 0 deg), worst -1.0 points (4 bits, 0 deg); it loses at 4 bits, up "
        "to 0 deg"
    )
    assert accuracy.table(FULL, "sam", rows)[2] == ["2", "60.0 ±0.0"]


def test_summaries_of_what_was_kept() -> None:
    for case in CASES:
        for robust in get_args(Robust):
            text = accuracy.summary(case, robust, accuracy.rows())
            assert text.startswith(f"{robust} wins at ")
