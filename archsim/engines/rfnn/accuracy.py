"""The study of accuracy: nominal and robust training under rounded and noisy phases.

``python -m archsim.engines.rfnn.accuracy`` judges the shipped networks on drawn devices, for every
number of bits and every spread of phases, and writes `accuracy.csv` beside this file;
``--print`` shows what the file says, and where robust training does not win.
"""

from __future__ import annotations

import argparse
import csv
import sys
from collections.abc import Iterator, Sequence
from dataclasses import astuple, dataclass, fields
from functools import cache
from importlib.resources import files
from math import hypot, sqrt
from pathlib import Path
from typing import Literal, cast, get_args

from archsim.engines.rfnn.monte_carlo import (
    Errors,
    Hardware,
    Judge,
    accuracies_percent,
    put,
    spread_rad,
)
from archsim.engines.rfnn.network import NAME, PACKAGE, Training, Variant, judged, shipped
from archsim.engines.rfnn.tensor_train import Form

COMMAND = "python -m archsim.engines.rfnn.accuracy"
FILE = "accuracy.csv"
BITS = (2, 3, 4, 5, 6, 7, 8)
SIGMA_DEG = (0, 1, 2, 3, 4, 6, 8, 10, 12)
DRAWS = 50
USEFUL_PERCENT = 50.0  # below it there is nothing to win: one in ten is right by chance
SURE = 2.0  # standard errors that a difference must be beyond to be one

Robust = Literal["noise", "sam"]


@dataclass(frozen=True, slots=True)
class Case:
    """A network's form on meshes: what the study goes over."""

    form: Form
    rank: int
    modes: int

    @property
    def title(self) -> str:
        form = self.form if self.form == "full" else f"{self.form}, rank {self.rank}"
        return f"{form}, meshes of {self.modes} modes"


CASES = (Case("full", 0, 8), Case("full", 0, 64), Case("ttm", 8, 8), Case("tt3", 8, 8))


@dataclass(frozen=True, slots=True)
class Row:
    """Accuracy over drawn devices of one case, training and kind of errors.

    Parameters
    ----------
    sigma_deg
        Spread of every phase about its code's.
    mean_percent, spread_percent, least_percent
        Of the devices: mean, standard deviation, the worst one.
    """

    form: Form
    rank: int
    modes: int
    training: Training
    phase_bits: int
    sigma_deg: float
    draws: int
    mean_percent: float
    spread_percent: float
    least_percent: float

    @property
    def case(self) -> Case:
        return Case(self.form, self.rank, self.modes)

    @property
    def error_percent(self) -> float:
        """The standard error of the mean."""
        return self.spread_percent / sqrt(self.draws)


def study(draws: int = DRAWS) -> Iterator[Row]:
    """Yield the study's rows, worked out anew."""
    judge = Judge(*judged())
    for case in CASES:
        for training in get_args(Training):
            network = shipped(Variant(training, case.form, case.rank, "iq"))
            programmed = put(network, Hardware(case.modes))
            for bits in BITS:
                for sigma in SIGMA_DEG:
                    errors = Errors(bits, spread_rad(sigma))
                    found = accuracies_percent(programmed, errors, judge, draws)
                    yield Row(
                        case.form, case.rank, case.modes, training, bits, sigma, draws,
                        round(found.mean(), 2), round(found.std(ddof=1), 2), round(found.min(), 2),
                    )  # fmt: skip


@cache
def rows() -> tuple[Row, ...]:
    """Return the study's rows as they were kept."""
    with (files(PACKAGE) / FILE).open(encoding="utf-8") as stream:
        return tuple(
            Row(
                cast(Form, line["form"]), int(line["rank"]), int(line["modes"]),
                cast(Training, line["training"]),
                int(line["phase_bits"]), float(line["sigma_deg"]), int(line["draws"]),
                *(float(line[f"{name}_percent"]) for name in ("mean", "spread", "least")),
            )
            for line in csv.DictReader(stream)
        )  # fmt: skip


# ---------------------------------------------------------------------------------------- verdicts


@dataclass(frozen=True, slots=True)
class Difference:
    """What robust training changes, in percentage points of mean accuracy."""

    training: Robust
    nominal: Row
    robust: Row

    @property
    def points(self) -> float:
        return self.robust.mean_percent - self.nominal.mean_percent

    @property
    def verdict(self) -> Literal["wins", "ties", "loses"]:
        """Whether the difference is beyond `SURE` standard errors, and on which side."""
        within = SURE * hypot(self.nominal.error_percent, self.robust.error_percent)
        if abs(self.points) <= within:
            return "ties"
        return "wins" if self.points > 0 else "loses"


def differences(case: Case, training: Robust, found: Sequence[Row]) -> list[Difference]:
    """Return what a robust training changes for every number of bits and spread."""
    own = {(r.training, r.phase_bits, r.sigma_deg): r for r in found if r.case == case}
    return [
        Difference(training, own["nominal", bits, sigma], own[training, bits, sigma])
        for bits in BITS
        for sigma in SIGMA_DEG
    ]


def summary(case: Case, training: Robust, found: Sequence[Row]) -> str:
    """Return in words how often a robust training wins, and where it does not.

    Points at which neither training reads `USEFUL_PERCENT` of the images are left out.
    """
    every = [
        d
        for d in differences(case, training, found)
        if max(d.nominal.mean_percent, d.robust.mean_percent) >= USEFUL_PERCENT
    ]
    count = {v: sum(d.verdict == v for d in every) for v in ("wins", "ties", "loses")}
    best, worst = max(every, key=lambda d: d.points), min(every, key=lambda d: d.points)
    text = (
        f"{training} wins at {count['wins']} of {len(every)} points where half of the images are "
        f"read, ties at {count['ties']}, loses at {count['loses']}; best {_at(best)}"
    )
    if worst.points >= 0:
        return text
    text += f", worst {_at(worst)}"
    lost = [d.nominal for d in every if d.verdict == "loses"]
    if not lost:
        return text
    bits = ", ".join(map(str, sorted({row.phase_bits for row in lost})))
    return f"{text}; it loses at {bits} bits, up to {max(row.sigma_deg for row in lost):g} deg"


def _at(difference: Difference) -> str:
    row = difference.nominal
    return f"{difference.points:+.1f} points ({row.phase_bits} bits, {row.sigma_deg:g} deg)"


def table(case: Case, training: Training, found: Sequence[Row]) -> list[list[str]]:
    """Return mean and spread as text: a row a number of bits, a column a spread of phases."""
    own = {
        (r.phase_bits, r.sigma_deg): r for r in found if (r.case, r.training) == (case, training)
    }
    head = ["bits", *(f"{sigma:g} deg" for sigma in SIGMA_DEG)]
    body = [[str(bits), *(_cell(own[bits, sigma]) for sigma in SIGMA_DEG)] for bits in BITS]
    return [head, *body]


def _cell(row: Row) -> str:
    return f"{row.mean_percent:.1f} ±{row.spread_percent:.1f}"


def show(found: Sequence[Row]) -> None:
    """Print tables and summaries."""
    for case in CASES:
        for training in get_args(Training):
            print(f"{NAME}, {case.title}, {training}: accuracy in %, mean and spread")
            for line in table(case, training, found):
                print("  " + "".join(f"{text:>12}" for text in line))
        for robust in get_args(Robust):
            print(f"  {summary(case, robust, found)}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--print", action="store_true", help="show what was kept")
    parser.add_argument("-o", type=Path, default=Path(__file__).parent / FILE)
    asked = parser.parse_args()
    if asked.print:
        show(rows())
        return
    found = []
    for row in study():
        found.append(row)
        if (row.phase_bits, row.sigma_deg) == (BITS[-1], SIGMA_DEG[-1]):
            print(f"{row.case.title}, {row.training}", file=sys.stderr, flush=True)
    with asked.o.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow([field.name for field in fields(Row)])
        writer.writerows(map(astuple, found))
    show(found)


if __name__ == "__main__":
    main()
