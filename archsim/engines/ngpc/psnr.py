"""The study of quality: PSNR of pictures against size of tables and bits of features.

``python -m archsim.engines.ngpc.psnr`` fits a field to the scene for every size of tables, rounds
its features, and renders it by its application's rules. What is missing goes to `psnr.csv` beside
this file, and the pictures, of 8 bits a feature, to `psnr.npz`.
"""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterator
from dataclasses import astuple, fields, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from archsim.engines.ngpc.quality import FILE, PICTURES, Quality, shipped
from archsim.graphics.apps import APPS
from archsim.graphics.encoding import Encoding
from archsim.graphics.fit import field_picture, fitted, psnr_db, scene_picture
from archsim.graphics.frames import Frame

SIZES = (8, 10, 12, 14, 16, 19)  # most entries of a table, as log2
BITS = (8, 16)
SCENE, WIDTH, HEIGHT = "objects", 96, 54  # of the picture that is judged


def cases() -> Iterator[tuple[str, Encoding]]:
    """Yield applications with their grids, smaller tables first; equal tables once."""
    entries: set[tuple[str, int]] = set()
    for size in SIZES:
        for app, made in APPS.items():
            grid = replace(made.encoding("hash"), log2_table=size)
            if (app, grid.entries) not in entries:
                entries.add((app, grid.entries))
                yield app, grid


def frame(app: str) -> Frame:
    """Return the frame that is judged."""
    return Frame(app, SCENE, WIDTH, HEIGHT)


def truth(app: str) -> NDArray[np.float32]:
    """Return the scene's own picture: [height, width, 3]."""
    return scene_picture(frame(app)).colours


def measured(app: str, grid: Encoding) -> tuple[list[Quality], NDArray[np.uint8]]:
    """Fit a field; return its quality for every number of bits, and its picture with the fewest."""
    network = fitted(frame(app), grid)
    pictures = [field_picture(frame(app), network.quantised(bits)).colours for bits in BITS]
    rows = [
        Quality(
            app, SCENE, grid.log2_table, grid.entries, grid.parity, bits,
            round(psnr_db(picture, truth(app)), 2),
        )
        for bits, picture in zip(BITS, pictures, strict=True)
    ]  # fmt: skip
    return rows, _bytes(pictures[0])


def _bytes(colours: NDArray[np.float32]) -> NDArray[np.uint8]:
    return np.round(np.clip(colours, 0, 1) * 255).astype(np.uint8)


def main() -> None:
    here = Path(__file__).parent
    rows, pictures = list(shipped()), dict(np.load(here / PICTURES))
    done = {(row.app, row.entries) for row in rows}
    for app, grid in cases():
        if (app, grid.entries) in done:
            continue
        found, picture = measured(app, grid)
        print(*found, sep="\n", file=sys.stderr, flush=True)
        rows += found
        pictures[f"{app} {SCENE}"] = _bytes(truth(app))
        pictures[f"{app} {SCENE} {grid.entries}"] = picture
        rows.sort(key=lambda row: (list(APPS).index(row.app), row.entries, row.bits))
        with (here / FILE).open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(field.name for field in fields(Quality))
            writer.writerows(astuple(row) for row in rows)
        np.savez_compressed(here / PICTURES, **pictures)


if __name__ == "__main__":
    main()
