"""Accuracy on digits under rounded and noisy phases: nominal training beside robust ones."""

from __future__ import annotations

from collections.abc import Iterator
from typing import get_args

from archsim.engines.rfnn import accuracy
from archsim.engines.rfnn.accuracy import CASES, Robust
from archsim.engines.rfnn.network import Training
from archsim.reproduce.rfnn.numbers import OURS, ours
from archsim.reproduce.row import Row, Section

SHOWN = tuple(case for case in CASES if case.modes == 8 and case.form != "tt3")
POINTS = ((8, 0), (4, 0), (3, 0), (8, 4), (8, 8), (8, 12))  # bits, degrees
TRAININGS: dict[Training, str] = {
    "nominal": "as it is",
    "noise": "with noisy phases",
    "sam": "sharpness-aware",
}
WHAT = (
    "a network of 64 inputs, 64 hidden units and 10 classes on scikit-learn's digits; means over "
    "drawn devices, all phases rounded and off; its robust trainings are this project's, as the "
    "paper's objective could not be read; the paper's own images (MNIST, CIFAR-10) are not these"
)


def section() -> Section:
    """Return what the study of accuracy found, and where robust training does not win."""
    found = accuracy.rows()
    sums = [
        f"{case.title}: {accuracy.summary(case, robust, found)}"
        for case in CASES
        for robust in get_args(Robust)
    ]
    draws = sorted({row.draws for row in found})
    devices = (
        f"{' or '.join(map(str, draws))} devices a point; wins and losses are beyond "
        f"{accuracy.SURE:g} standard errors over devices (at 0 degrees all are alike, and any "
        "difference counts), each network was trained once, and a difference of a point or so says "
        f"little; {accuracy.COMMAND} --print shows all points, with their spreads"
    )
    return Section("Accuracy: robust training", tuple(_rows()), (OURS, WHAT, devices, *sums))


def _rows() -> Iterator[Row]:
    own = {(r.case, r.training, r.phase_bits, r.sigma_deg): r for r in accuracy.rows()}
    for case in SHOWN:
        for bits, sigma in POINTS:
            for training, words in TRAININGS.items():
                mean = own[case, training, bits, float(sigma)].mean_percent
                yield ours(f"{case.title}, {bits} bits, {sigma} degrees, {words}", mean, "%")
