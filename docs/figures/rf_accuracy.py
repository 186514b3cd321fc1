"""Draw docs/figures/rf-accuracy.svg: how accuracy falls with errors of phases, and with their bits.

Run as ``python docs/figures/rf_accuracy.py`` from the top folder. Numbers are those of the study,
`archsim.engines.rfnn.accuracy`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from drawing import page, text

from archsim.engines.rfnn.accuracy import BITS, CASES, SIGMA_DEG, Row, rows
from archsim.engines.rfnn.network import Training
from archsim.report.palette import BLUE, FAINT, GREY, INK, ORANGE

FILE = Path(__file__).with_name("rf-accuracy.svg")
COLOURS: dict[Training, str] = {"nominal": INK, "noise": ORANGE, "sam": BLUE}
SHOWN = CASES[:3]
EXACT_BITS = BITS[-1]
DEGREES = [sigma for sigma in SIGMA_DEG if sigma % 4 == 0]  # that are written
LEFT, STEP, WIDE, HIGH = 62, 286, 236, 160  # of panels
TOPS = (84, 330)


def svg() -> str:
    """Return the figure: errors above, bits below, a column a case."""
    parts: list[str] = [*_legend()]
    for column, case in enumerate(SHOWN):
        x = LEFT + STEP * column
        parts.append(text(x + WIDE / 2, TOPS[0] - 14, case.title, bold=True))
        errors = [r for r in rows() if r.case == case and r.phase_bits == EXACT_BITS]
        rounded = [r for r in rows() if r.case == case and r.sigma_deg == 0]
        parts += _panel(x, TOPS[0], [(r.sigma_deg, r) for r in errors], DEGREES)
        parts += _panel(x, TOPS[1], [(r.phase_bits, r) for r in rounded], BITS)
    words = f"spread of phase errors in degrees, {EXACT_BITS} bits"
    parts.append(text(LEFT + STEP + WIDE / 2, TOPS[0] + HIGH + 42, words, colour=FAINT))
    words = "bits of a phase, no other errors"
    parts.append(text(LEFT + STEP + WIDE / 2, TOPS[1] + HIGH + 42, words, colour=FAINT))
    return page(TOPS[1] + HIGH + 60, parts)


def _legend() -> Iterator[str]:
    yield text(LEFT, 28, "Accuracy of digits_64_64_10 in %, mean and spread", "start", bold=True)
    for number, (training, colour) in enumerate(COLOURS.items()):
        x = 560 + 105 * number
        yield f"<path d='M {x} 23 h 26' stroke='{colour}' stroke-width='2.5'/>"
        yield text(x + 32, 28, training, "start")


def _panel(
    x: float, y: float, points: Sequence[tuple[float, Row]], ticks: Sequence[float]
) -> Iterator[str]:
    low, high = min(at for at, _ in points), max(at for at, _ in points)

    def place(at: float, percent: float) -> tuple[float, float]:
        share = min(max(percent, 0.0), 100.0) / 100
        return round(x + WIDE * (at - low) / (high - low), 1), round(y + HIGH * (1 - share), 1)

    for percent in (0, 25, 50, 75, 100):
        _, level = place(low, percent)
        yield f"<path d='M {x} {level} h {WIDE}' stroke='{GREY}' stroke-width='0.5'/>"
        yield text(x - 8, level + 5, f"{percent}", "end", FAINT)
    for tick in ticks:
        yield text(place(tick, 0)[0], y + HIGH + 20, f"{tick:g}", colour=FAINT)
    for training, colour in COLOURS.items():
        mine = [(at, r) for at, r in points if r.training == training]
        above = [place(at, r.mean_percent + r.spread_percent) for at, r in mine]
        below = [place(at, r.mean_percent - r.spread_percent) for at, r in mine]
        yield f"<path d='{_path([*above, *reversed(below)])} Z' fill='{colour}' opacity='0.15'/>"
        line = _path([place(at, r.mean_percent) for at, r in mine])
        yield f"<path d='{line}' fill='none' stroke='{colour}' stroke-width='2'/>"


def _path(points: Sequence[tuple[float, float]]) -> str:
    return "M " + " L ".join(f"{x:g} {y:g}" for x, y in points)


if __name__ == "__main__":
    FILE.write_text(svg(), "utf-8")
