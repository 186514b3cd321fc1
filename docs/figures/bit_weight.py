"""Draw docs/figures/bit-weight.svg: the digits of four operands, and the cycles that they take.

Run as ``python docs/figures/bit_weight.py`` from the top folder.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from drawing import PALE, page, text

from archsim.formats.digits import digit_weights, encode
from archsim.report.palette import BLUE, FAINT, INK, ORANGE

FILE = Path(__file__).with_name("bit-weight.svg")
OPERANDS = (39, 48, 60, 79)
SIDE, STEP, LEFT, TOP = 34, 40, 70, 92  # of a digit; from digit to digit; of the first digit
STREAM = 400  # where the cycles begin
HEIGHT = 352
SUBSCRIPTS = "₁₂₃₄"


def svg() -> str:
    """Return the figure."""
    return page(HEIGHT, (*_digits(), *_dense(), *_skipped()))


def _digits() -> Iterator[str]:
    """Yield the grid: an operand a row, a bit weight a column, highest first."""
    yield text(LEFT - 50, 28, "Digits of A", "start", bold=True)
    yield text(LEFT - 50, 48, "EN-T: −1, 0, 1 or 2, times a power of four", "start", FAINT)
    weights = digit_weights(8, "en_t")
    for column, weight in enumerate(reversed(weights)):
        yield text(_middle(LEFT + column * STEP), TOP - 12, f"× {weight}", colour=FAINT)
    for row, value in enumerate(OPERANDS):
        y = TOP + row * STEP
        yield text(LEFT - 14, y + 22, f"{value}", "end", bold=True)
        for column, digit in enumerate(reversed(encode(value, 8, "en_t").tolist())):
            yield from _cell(LEFT + column * STEP, y, _signed(digit), live=digit != 0)
    y = TOP + len(OPERANDS) * STEP + 18
    counts = (encode(OPERANDS, 8, "en_t") != 0).sum(axis=0)
    yield text(LEFT - 14, y, "not 0:", "end", FAINT)
    for column, count in enumerate(reversed(counts.tolist())):
        yield text(_middle(LEFT + column * STEP), y, f"{count}", colour=FAINT)


def _dense() -> Iterator[str]:
    """Yield what a MAC does: a product a cycle, all of its digits at once."""
    yield text(STREAM, 28, "A MAC: 4 cycles, 16 partial products", "start", bold=True)
    yield text(
        STREAM, 48, "each cycle through encoders, shifters, a tree and an adder", "start", FAINT
    )
    small, gap = 16, 18
    for cycle, value in enumerate(OPERANDS):
        for place, digit in enumerate(encode(value, 8, "en_t").tolist()):
            x, y = STREAM + cycle * (gap + 26), 64 + place * gap
            yield from _cell(x, y, _signed(digit), live=digit != 0, side=small, size=10)
        yield text(
            STREAM + cycle * (gap + 26) + small / 2, 152, f"B{SUBSCRIPTS[cycle]}", colour=FAINT
        )


def _skipped() -> Iterator[str]:
    """Yield what a PE that skips zeros does: a digit a cycle, one bit weight after the other."""
    digits = encode(OPERANDS, 8, "en_t")
    total = int((digits != 0).sum())
    title = f"A bit-slice PE: {total} short cycles, {total} partial products"
    yield text(STREAM, 196, title, "start", bold=True)
    yield text(
        STREAM, 216, "each cycle through a multiplexer and one carry-save adder", "start", FAINT
    )
    x = STREAM
    for place, weight in enumerate(digit_weights(8, "en_t").tolist()):
        first = x
        for row in (digits[:, place] != 0).nonzero()[0].tolist():
            name = f"{_times(int(digits[row, place]))}B{SUBSCRIPTS[row]}"
            yield from _cell(x, 232, name, live=True, size=12)
            x += STEP
        yield f"<path d='M {first} 274 H {x - STEP + SIDE}' stroke='{ORANGE}' stroke-width='2'/>"
        yield text((first + x - STEP + SIDE) / 2, 294, f"sum × {weight}", colour=INK)
        x += 14
    yield text(STREAM, 326, "The shift happens once a pass, behind the PEs.", "start", FAINT)


def _cell(
    x: float, y: float, word: str, *, live: bool, side: int = SIDE, size: int = 14
) -> Iterator[str]:
    fill, colour = (BLUE, "#fff") if live else (PALE, FAINT)
    yield f"<rect x='{x}' y='{y}' width='{side}' height='{side}' rx='3' fill='{fill}'/>"
    place = f"x='{x + side / 2:g}' y='{y + side / 2 + size * 0.36:g}'"
    yield f"<text {place} font-size='{size}' fill='{colour}'>{word}</text>"


def _middle(x: float) -> float:
    return x + SIDE / 2


def _signed(digit: int) -> str:
    return f"−{-digit}" if digit < 0 else f"{digit}"


def _times(digit: int) -> str:
    return {1: "", -1: "−", 2: "2", -2: "−2"}[digit]


if __name__ == "__main__":
    FILE.write_text(svg(), "utf-8")
