"""A scatter plot in characters: braille dots, or plain ones where a terminal has no braille."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

DOTS_X, DOTS_Y = 2, 4  # of a braille character
BRAILLE = 0x2800
BITS = np.array([[0x01, 0x08], [0x02, 0x10], [0x04, 0x20], [0x40, 0x80]])  # by row and column
LOG_SPAN = 8.0  # values that span more are spread by their logarithm


def scatter(
    x: Floats, y: Floats, front: NDArray[np.bool_], width: int, height: int, *, braille: bool = True
) -> list[list[tuple[str, bool]]]:
    """Return a picture's lines from the top: characters, and whether the front runs through them.

    Parameters
    ----------
    x, y
        [points], finite; where they span much, on a logarithmic scale.
    front
        [points]: who is on the front.
    width, height
        In characters.
    """
    across, down = (DOTS_X, DOTS_Y) if braille else (1, 1)
    column = _scaled(x, width * across)
    row = height * down - 1 - _scaled(y, height * down)
    cells = np.zeros((height, width), np.int64)
    bits = BITS[row % DOTS_Y, column % DOTS_X] if braille else np.ones_like(row)
    np.bitwise_or.at(cells, (row // down, column // across), bits)
    through = np.zeros((height, width), bool)
    through[row[front] // down, column[front] // across] = True
    return [
        [(_character(cell, on, braille), on) for cell, on in zip(*line, strict=True)]
        for line in zip(cells.tolist(), through.tolist(), strict=True)
    ]


def _character(cell: int, on_front: bool, braille: bool) -> str:
    if braille:
        return chr(BRAILLE + cell) if cell else " "
    return "o" if on_front else "." if cell else " "


def _scaled(values: Floats, count: int) -> NDArray[np.int64]:
    """Return each value's place among so many, the least at 0."""
    if not len(values):
        return np.zeros(0, np.int64)
    if (values > 0).all() and values.max() > LOG_SPAN * values.min():
        values = np.log(values)
    span = np.ptp(values) or 1.0
    place = (values - values.min()) / span * count
    return np.asarray(np.minimum(place, count - 1), np.int64)
